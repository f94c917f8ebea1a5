"""Rollouts sampled during training, so that no problem is repeated often."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from random import Random
from zlib import crc32

import torch
from transformers import Qwen3ForCausalLM

from reasoner.base import Example, Task
from reasoner.errors import ConfigError
from reasoner.train.gpt import batched_sampling
from reasoner.train.gpt import vocabulary as v
from reasoner.train.gpt.grading_workers import training_problems
from reasoner.train.gpt.loop import device

Batch = tuple[torch.Tensor, torch.Tensor]
PART = 4000
"""Problems per job of a worker process."""


@dataclass(slots=True)
class Fresh:
    """Batches of rollouts of a task by `model`, from blocks of new problems.

    A block has `problems` problems with `each` solutions, and is used `times` before the next. A batch is its
    tokens (`rows`, `length`) and the value of the prefix before each token, -1 where the model did not write
    it. The same seed and step give the same problems.
    """

    task: Task
    model: Qwen3ForCausalLM
    rows: int
    length: int
    problems: int
    each: int
    times: int
    seed: int
    workers: Executor
    _block: int = -1
    _rollouts: Batch = field(default_factory=lambda: (torch.empty(0), torch.empty(0)))
    _next: tuple[int, list[Future[list[Example]]]] = (-1, [])

    def __post_init__(self) -> None:
        """Refuse a block smaller than a batch."""
        if self.problems * self.each < self.rows:
            raise ConfigError(
                f"{self.problems} problems of {self.task.name} with {self.each} rollouts are fewer "
                f"than the {self.rows} of a step; give more --problems"
            )

    def __call__(self, step: int) -> Batch:
        """Return the batch of a step."""
        round_, start = divmod(step, self.problems * self.each // self.rows)
        if (block := round_ // self.times) != self._block:
            self._rollouts, self._block = self._draw(block), block
        tokens, values = self._rollouts
        order = torch.Generator().manual_seed(crc32(f"{self.seed}/{round_}".encode()))
        batch = torch.randperm(len(tokens), generator=order)[start * self.rows :][: self.rows]
        batch = batch.to(tokens.device)
        return tokens[batch].long(), values[batch].float()

    def _draw(self, block: int) -> Batch:
        examples = [e for e in self._examples(block) for _ in range(self.each)]
        torch.manual_seed(crc32(f"{self.seed}/{block}".encode()))
        limit = self.task.sampling.max_tokens
        prompts = [e.problem.prompt for e in examples]
        solutions = batched_sampling.draw(self.model, prompts, limit)
        right = batched_sampling.outcomes(self.task, examples, solutions, self.workers)
        solutions = solutions.to(device())
        values = batched_sampling.values(solutions, right.to(device()), self.each)
        return self._rows(prompts, solutions, values)

    def _rows(self, prompts: Sequence[str], solutions: torch.Tensor, worth: torch.Tensor) -> Batch:
        """Return prompts and solutions as rows of `length`, and the values; longer ones lose their end."""
        tokens = torch.full((len(prompts), self.length), v.PAD, dtype=torch.uint8)
        tokens = tokens.to(device())
        values = torch.full((len(prompts), self.length), -1.0, device=device())
        lengths = torch.tensor([len(p) for p in prompts], device=device())
        for n in lengths.unique().tolist():
            alike = lengths == n
            encoded = [v.encode(p) for p in prompts if len(p) == n]
            tokens[alike, :n] = torch.tensor(encoded, dtype=torch.uint8, device=device())
            room = min(self.length - n, solutions.shape[1])
            tokens[alike, n : n + room] = solutions[alike, :room]
            values[alike, n : n + room] = worth[alike, :room]
        return tokens, values.half()

    def _examples(self, block: int) -> list[Example]:
        """Return the problems of a block, and start on those of the next."""
        ready, parts = self._next
        parts = parts if ready == block else self._submit(block)
        self._next = block + 1, self._submit(block + 1)
        return [e for part in parts for e in part.result()][: self.problems]

    def _submit(self, block: int) -> list[Future[list[Example]]]:
        rng = Random(f"fresh/{self.seed}/{block}")
        seeds = [rng.getrandbits(31) for _ in range(-(-self.problems // PART))]
        return [self.workers.submit(training_problems, self.task, PART, seed) for seed in seeds]
