"""Rollouts drawn while they are learned from, so that no problem is seen often."""

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
from reasoner.train.gpt import batched_sampling as bulk
from reasoner.train.gpt import vocabulary as v
from reasoner.train.gpt.grading_workers import made
from reasoner.train.gpt.loop import device

Batch = tuple[torch.Tensor, torch.Tensor]
PART = 4000
"""Problems that a worker process makes at a time."""


@dataclass(slots=True)
class Fresh:
    """Batches of a task's rollouts by `model`: `problems` new ones, `each` solutions, seen `times`, then others.

    A batch is its tokens (`rows`, `length`) and the value of what stood before each, -1 for what the
    model did not write. The same seed and step give the same problems.
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
    _drawn: Batch = field(default_factory=lambda: (torch.empty(0), torch.empty(0)))
    _next: tuple[int, list[Future[list[Example]]]] = (-1, [])

    def __post_init__(self) -> None:
        """Refuse to draw less than a batch."""
        if self.problems * self.each < self.rows:
            raise ConfigError(
                f"{self.problems} problems of {self.task.name} with {self.each} rollouts are less "
                f"than a step's {self.rows}; give more --problems"
            )

    def __call__(self, step: int) -> Batch:
        """The batch of a step."""
        round_, start = divmod(step, self.problems * self.each // self.rows)
        if (block := round_ // self.times) != self._block:
            self._drawn, self._block = self._draw(block), block
        tokens, values = self._drawn
        order = torch.Generator().manual_seed(crc32(f"{self.seed}/{round_}".encode()))
        some = torch.randperm(len(tokens), generator=order)[start * self.rows :][: self.rows]
        some = some.to(tokens.device)
        return tokens[some].long(), values[some].float()

    def _draw(self, block: int) -> Batch:
        examples = [e for e in self._examples(block) for _ in range(self.each)]
        torch.manual_seed(crc32(f"{self.seed}/{block}".encode()))
        limit = self.task.sampling.max_tokens
        prompts = [e.problem.prompt for e in examples]
        drawn = bulk.draw(self.model, prompts, limit)
        right = bulk.outcomes(self.task, examples, drawn, self.workers)
        worth = bulk.values(drawn.to(device()), right.to(device()), self.each)
        return self._rows(prompts, drawn.to(device()), worth)

    def _rows(self, prompts: Sequence[str], drawn: torch.Tensor, worth: torch.Tensor) -> Batch:
        """Prompts and solutions as rows of `length`; longer ones lose their end."""
        tokens = torch.full((len(prompts), self.length), v.PAD, dtype=torch.uint8)
        tokens = tokens.to(device())
        values = torch.full((len(prompts), self.length), -1.0, device=device())
        lengths = torch.tensor([len(p) for p in prompts], device=device())
        for n in lengths.unique().tolist():
            of = lengths == n
            read = [v.encode(p) for p in prompts if len(p) == n]
            tokens[of, :n] = torch.tensor(read, dtype=torch.uint8, device=device())
            room = min(self.length - n, drawn.shape[1])
            tokens[of, n : n + room] = drawn[of, :room]
            values[of, n : n + room] = worth[of, :room]
        return tokens, values.half()

    def _examples(self, block: int) -> list[Example]:
        """The block's problems, while those of the next are being made."""
        ready, parts = self._next
        parts = parts if ready == block else self._asked(block)
        self._next = block + 1, self._asked(block + 1)
        return [e for part in parts for e in part.result()][: self.problems]

    def _asked(self, block: int) -> list[Future[list[Example]]]:
        rng = Random(f"fresh/{self.seed}/{block}")
        seeds = [rng.getrandbits(31) for _ in range(-(-self.problems // PART))]
        return [self.workers.submit(made, self.task, PART, seed) for seed in seeds]
