"""The base of reward models: weights, an engine, and a cache of scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import field
from functools import cached_property, lru_cache
from itertools import count
from typing import Any, ClassVar

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.errors import ConfigError
from reasoner.models.engine_arguments import check_engine
from reasoner.traits import VerifierTraits
from reasoner.types import Candidate, Judgement, Problem, Score, Usage
from reasoner.verifiers.reward.encoding import Encoded
from reasoner.verifiers.reward.reader import EngineName, Reader, ServerOptions, reader
from reasoner.verifiers.reward.score_cache import ScoreCache, score_caches
from reasoner.verifiers.reward.weights import Weights, weights

_SALTS = count()


@dataclass(frozen=True)
class RewardModel(ABC):
    """A verifier that reads scores from the outputs of a model.

    A subclass defines a format: the tokens of problem and solution (`encode`), the score of the outputs at
    one position (`value`), and the score of the candidate (`judge`). All three are pure functions.

    `model` is a folder or a Hugging Face name. With `engine="auto"` it runs in vLLM where vLLM is
    installed and serves it, else in Transformers. `context` shortens its context; steps that end beyond
    it have no score. `engine_args` go to vLLM, such as {"gpu_memory_utilization": 0.4} beside a generator
    on the same GPU.

    With `base_url`, the model is served elsewhere: by `vllm serve --runner pooling`. `model` then names
    its tokenizer and sizes, and `served_name`, by default `model`, is its name there. `api_key`,
    `api_key_env` and `headers` are as of the backend `openai`.
    """

    traits: ClassVar[VerifierTraits] = VerifierTraits(own_model=True)

    model: str
    engine: EngineName = "auto"
    context: PositiveInt | None = None
    engine_args: dict[str, Any] = field(default_factory=dict[str, Any])
    base_url: str | None = None
    served_name: str | None = None
    api_key: str | None = field(default=None, repr=False)
    api_key_env: str | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str], repr=False)

    def __post_init__(self) -> None:
        """Check the engine's arguments and the model's files before anything is spent."""
        check_engine(self.engine_args)
        self._check_server()
        _ = self.weights

    @abstractmethod
    def encode(self, tokenizer: Any, problem: str, solution: str) -> Encoded:
        """Return the tokens of a solution of `problem`, and the positions of its scores."""

    @abstractmethod
    def value(self, logits: Sequence[float]) -> float:
        """Return the score in [0, 1] of the raw outputs at one position."""

    @abstractmethod
    def judge(self, values: tuple[float, ...]) -> Score:
        """Return the candidate's score from the values of all its reads."""

    def labels(self, tokenizer: Any) -> tuple[str, ...]:
        """Return the tokens whose logits are the outputs; none where the model has a head."""
        return ()

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Return the cost of reading every candidate from its first token, as no cache is guaranteed."""
        encoded = (self._encoded(problem.prompt, c.text) for c in candidates)
        return sum((self.reader.worst(e) for e in encoded if e.reads), Usage())

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Score the candidates; read the steps that are not cached in one batch.

        Raises:
            BackendError: the reward model failed.
            ConfigError: it cannot be loaded or served.
        """
        encoded = [self._encoded(problem.prompt, c.text) for c in candidates]
        bank = self._bank(problem.prompt)
        inputs = bank.unknown(encoded)
        readings = await self.reader.read(inputs, self._salt) if inputs else []
        for encoding, reading in zip(inputs, readings, strict=True):
            bank.learn(encoding, [self.value(row) for row in reading.rows])
        usage = sum((r.usage for r in readings), Usage())
        return Judgement(tuple(self.judge(bank.recall(e)) for e in encoded), usage)

    async def start(self) -> None:
        """Load the model; without this, the first call does."""
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
        """The engine that runs the model."""
        labels = self.labels(self.weights.tokenizer)
        return reader(self.weights, labels, self.engine, self.engine_args, self._server)

    @property
    def _server(self) -> ServerOptions | None:
        if self.base_url is None:
            return None
        headers = tuple(sorted(self.headers.items()))
        name = self.served_name or self.model
        return ServerOptions(self.base_url, name, self.api_key, self.api_key_env, headers)

    def _check_server(self) -> None:
        """Refuse settings of a server without its address, and of an engine with it."""
        options = {
            "served_name": self.served_name, "api_key": self.api_key,
            "api_key_env": self.api_key_env, "headers": self.headers,
        }  # fmt: skip
        if self.base_url is None and (lone := [name for name, value in options.items() if value]):
            raise ConfigError(f"{', '.join(lone)}: no server is named; give base_url as well")
        if self.base_url is not None and (self.engine != "auto" or self.engine_args):
            raise ConfigError(
                "engine and engine_args are for a model in this process, and base_url names a server;"
                " leave them out and start the server with such arguments"
            )

    @cached_property
    def _encoded(self) -> Callable[[str, str], Encoded]:
        """`encode` within the context, with a cache, because a budget may ask many times."""

        def encode(problem: str, solution: str) -> Encoded:
            encoded = self.encode(self.weights.tokenizer, problem, solution)
            return encoded.within(self.weights.info.context)

        return lru_cache(4096)(encode)

    @cached_property
    def _bank(self) -> Callable[[str], ScoreCache]:
        """The cached scores of a problem."""
        return score_caches()

    @cached_property
    def _salt(self) -> str:
        """A salt that separates the engine's cache from those of other verifiers, whose scores are not shared."""
        return f"bank-{next(_SALTS)}"
