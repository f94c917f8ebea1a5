"""A task that a tiny model can learn in seconds, and a backend that samples with torch alone."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch

from reasoner.backends.checkpoint import Checkpoint
from reasoner.base import Example, ModelInfo
from reasoner.benchmarks.tasks.generated import Demonstration
from reasoner.traits import BackendTraits
from reasoner.types import Completion, Finish, Generation, Problem, Prompt, Sampling, Usage

LETTERS = "abcd"


class Letters:
    """Write the letter a; the demonstrations are of any of four letters."""

    name = "letters"
    sampling = Sampling(max_tokens=3, temperature=1.0)

    def examples(self, split: str, count: int, seed: int = 0) -> Iterator[Example]:
        for i in range(count):
            yield Example(Problem(f"{split}-{seed}-{i}", f"cd:{split[0]}{seed}{i}\n"), "a")

    def demonstrations(self, split: str, count: int, seed: int = 0) -> Iterator[Demonstration]:
        rng = random.Random(seed)
        for example in self.examples(split, count, seed):
            yield Demonstration(example.problem.prompt, rng.choice(LETTERS))

    def answer(self, solution: str) -> str | None:
        return solution or None

    def check(self, example: Example, solution: str) -> bool:
        return solution == example.answer


class TorchBackend:
    """Samples token by token from the model in a folder; records which folders were served."""

    traits = BackendTraits()
    served: ClassVar[list[str]] = []
    requests: ClassVar[int] = 0

    def __init__(self, folder: str) -> None:
        self._load(folder)

    def _load(self, folder: str) -> None:
        self.served.append(Path(folder).name)
        self._checkpoint = Checkpoint(folder)
        from transformers import AutoModelForCausalLM

        factory: Any = AutoModelForCausalLM
        self._model = factory.from_pretrained(folder, dtype=torch.float32).eval()

    @property
    def model(self) -> ModelInfo:
        return self._checkpoint.info

    def prompt_length(self, prompt: Prompt) -> int:
        return len(self._checkpoint.encode(prompt.problem.prompt))

    def encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._checkpoint.encode(text))

    @torch.no_grad()
    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        type(self).requests += 1
        problem = self._checkpoint.encode(prompt.problem.prompt)
        generator = torch.Generator().manual_seed(sampling.seed or 0)
        ids = torch.tensor([problem] * sampling.n)
        for _ in range(sampling.max_tokens):
            odds = (self._model(input_ids=ids).logits[:, -1] / sampling.temperature).softmax(-1)
            ids = torch.cat([ids, torch.multinomial(odds, 1, generator=generator)], 1)
        rows = [self._completion(row[len(problem) :]) for row in ids.tolist()]
        decoded = sum(len(c.token_ids) for c in rows)
        flops = sampling.n * self.model.flops(0, ids.shape[1] - 1)
        usage = Usage(1, sampling.n * len(problem), 0, decoded, flops)
        return Generation(tuple(rows), usage)

    async def aclose(self) -> None:
        """Do nothing."""

    def _completion(self, sampled: Sequence[int]) -> Completion:
        ends = [i for i, token in enumerate(sampled) if token in self._checkpoint.ends]
        ids = tuple(sampled[: ends[0] + 1] if ends else sampled)
        finish = Finish.EOS if ends else Finish.LENGTH
        return Completion(self._checkpoint.decode(ids), ids, finish)


class ReloadingBackend(TorchBackend):
    """The same, with weights that can be exchanged."""

    async def reload(self, folder: str) -> None:
        self._load(folder)
