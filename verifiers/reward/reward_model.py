"""What every reward model shares: weights, an engine, and the memory of what it has read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import field
from functools import cached_property, lru_cache
from itertools import count
from typing import Any

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.models.engine_arguments import check_engine
from reasoner.types import Candidate, Judgement, Problem, Score, Usage
from reasoner.verifiers.reward.encoding import Encoded
from reasoner.verifiers.reward.reader import Engine, Reader, reader
from reasoner.verifiers.reward.score_cache import Bank, banks
from reasoner.verifiers.reward.weights import Weights, weights

_SALTS = count()


@dataclass(frozen=True)
class RewardModel(ABC):
    """The settings of a model that scores, and how its scores are had.

    A subclass tells a format: how problem and solution become tokens (`encode`), what the outputs
    at the reads mean (`value`), and what follows for the candidate (`judge`). All three are pure.

    `model` is a folder or a Hugging Face name. With `engine="auto"` vLLM computes it where vLLM is
    installed and serves it, else Transformers. `context` shortens its context: steps that end
    beyond have no score. `engine_args` go to vLLM, such as {"gpu_memory_utilization": 0.4} beside a
    generator on the same GPU.
    """

    model: str
    engine: Engine = "auto"
    context: PositiveInt | None = None
    engine_args: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        """Look at the model's files, and at what the engine is told, before anything is spent."""
        check_engine(self.engine_args)
        _ = self.weights

    @abstractmethod
    def encode(self, tokenizer: Any, problem: str, solution: str) -> Encoded:
        """The tokens of a solution of `problem`, and where its scores are read."""

    @abstractmethod
    def value(self, logits: Sequence[float]) -> float:
        """The score in [0, 1] that raw outputs at one position mean."""

    @abstractmethod
    def judge(self, values: tuple[float, ...]) -> Score:
        """The candidate's score, given the values of all its reads."""

    def labels(self, tokenizer: Any) -> tuple[str, ...]:
        """The tokens whose logits are the outputs; none where the model has a head for them."""
        return ()

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Every candidate read anew from its first token: no cache is sure to hold."""
        encoded = (self._encoded(problem.prompt, c.text) for c in candidates)
        return sum((self.reader.worst(e) for e in encoded if e.reads), Usage())

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Ask for the steps that are not known yet, all in one batch.

        Raises:
            BackendError: the reward model failed.
            ConfigError: it cannot be loaded or served.
        """
        encoded = [self._encoded(problem.prompt, c.text) for c in candidates]
        bank = self._bank(problem.prompt)
        asked = bank.unknown(encoded)
        readings = await self.reader.read(asked, self._salt) if asked else []
        for question, reading in zip(asked, readings, strict=True):
            bank.learn(question, [self.value(row) for row in reading.rows])
        usage = sum((r.usage for r in readings), Usage())
        return Judgement(tuple(self.judge(bank.recall(e)) for e in encoded), usage)

    async def start(self) -> None:
        """Load the model, which the first call does else."""
        await self.reader.start()

    async def aclose(self) -> None:
        """Release the model, for every verifier that shares it."""
        await self.reader.aclose()

    @cached_property
    def weights(self) -> Weights:
        """The model's files."""
        return weights(self.model, self.context)

    @cached_property
    def reader(self) -> Reader:
        """What computes the model."""
        labels = self.labels(self.weights.tokenizer)
        return reader(self.weights, labels, self.engine, self.engine_args)

    @cached_property
    def _encoded(self) -> Callable[[str, str], Encoded]:
        """`encode` within the context, remembering the latest: a budget may ask many times."""

        def encode(problem: str, solution: str) -> Encoded:
            encoded = self.encode(self.weights.tokenizer, problem, solution)
            return encoded.within(self.weights.info.context)

        return lru_cache(4096)(encode)

    @cached_property
    def _bank(self) -> Callable[[str], Bank]:
        """The bank of a problem."""
        return banks()

    @cached_property
    def _salt(self) -> str:
        """Keeps the engine's cache apart from other verifiers', whose banks are not this one's."""
        return f"bank-{next(_SALTS)}"
