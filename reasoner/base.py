"""The contracts of everything a run is given. `Strategy`, which is given the run, is in run.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

from reasoner.types import Candidate, Generation, Judgement, Problem, Prompt, Sampling, Usage


@dataclass(frozen=True, slots=True)
class Attention:
    """Layers that attend alike; `width` is that of all query heads together.

    A position attends to itself and those before it, `window` in all, or every one where that is 0.
    """

    layers: int
    width: int
    window: int = 0

    def flops(self, start: int, stop: int) -> float:
        """FLOPs of positions `start` to `stop`: four a pair and unit of width, for score and sum."""
        return 4.0 * self.layers * self.width * (self._pairs(stop) - self._pairs(start))

    def _pairs(self, length: int) -> float:
        """Pairs in a sequence: a triangle, less the smaller one that lies beyond the window."""
        # A product in place of a branch, so that arrays of lengths pass too.
        beyond = (length > self.window) * (length - self.window) if self.window else 0
        return (length * (length + 1) - beyond * (beyond + 1)) / 2


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model's name, and the sizes that accounting needs; zero where a server does not tell them.

    `parameters` are the weights that a token is multiplied with: the active experts of a mixture
    only, an output layer, no table that is looked up.
    """

    name: str
    context: int = 0
    parameters: int = 0
    attention: tuple[Attention, ...] = ()

    def flops(self, start: int, stop: int) -> float:
        """FLOPs to compute positions `start` to `stop` of one sequence.

        Two per parameter and position, and those of attention (Kaplan et al., 2020, table 1). The
        conventions are in docs/flops.md.
        """
        matrices = 2.0 * self.parameters * (stop - start)
        return matrices + sum(a.flops(start, stop) for a in self.attention)


@runtime_checkable
class Backend(Protocol):
    """A language model. One call is one prompt; concurrency is the batch."""

    @property
    def model(self) -> ModelInfo:
        """The served model's name and size."""
        ...

    def prompt_length(self, prompt: Prompt) -> int:
        """Tokens of `prompt` as the model will see them (an upper bound where unknown)."""
        ...

    def encode(self, text: str) -> tuple[int, ...]:
        """The tokens of a text that goes on from another (as many stand-ins where unknown)."""
        ...

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """Sample `sampling.n` continuations of `prompt`; cancelling aborts in the engine.

        Raises:
            BackendError: the model could not answer.
            ConfigError: the prompt does not fit the model's context.
        """
        ...

    async def aclose(self) -> None:
        """Release the engine."""
        ...


Halt = Callable[[Sequence[float]], bool]
"""Told the confidences of the tokens that a sample just grew by; true gives the sample up."""


@runtime_checkable
class Watching(Protocol):
    """A backend whose samples can be watched as they grow, and given up half-way."""

    async def watch(self, prompt: Prompt, sampling: Sampling, halt: Halt) -> Generation:
        """One sample (`sampling.n` is 1), aborted in the engine as soon as `halt` says so.

        Tokens decoded while the abort is under way are not in the usage: one or two. Raises what
        `Backend.generate` raises.
        """
        ...


@runtime_checkable
class Spelling(Protocol):
    """A backend that tells what its tokens say, so that a solution can be cut between two of them."""

    def encode(self, text: str) -> tuple[int, ...]:
        """The tokens of a text that goes on from another."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens, ends left out."""
        ...


@runtime_checkable
class Verifier(Protocol):
    """A judge of candidates that never sees the reference answer.

    One that reads the samples' log-probabilities says so by an attribute `logprobs = True`, one that
    reads their confidences by how many likely tokens these are of: `confidences = 20`. One whose
    scores end below 1 tells their highest as `ceiling`; one whose scores depend on what else is in the
    batch has `comparative = True`.
    """

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """The most that `score` may spend on `candidates`: what the ledger admits."""
        ...

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Score candidates in order, as one batch."""
        ...


def required_sampling(verifier: Verifier | None) -> dict[str, Any]:
    """What samples must tell for `verifier`, as settings of `Sampling`."""
    return {
        "logprobs": bool(getattr(verifier, "logprobs", False)),
        "confidences": int(getattr(verifier, "confidences", 0)),
    }


@runtime_checkable
class Generative(Verifier, Protocol):
    """A verifier that asks a language model; where `model` is None, a run lends it the policy's."""

    @property
    def model(self) -> Backend | None:
        """The model it asks."""
        ...

    def on(self, backend: Backend) -> Self:
        """A copy that asks `backend`."""
        ...


def needs_model(verifier: Verifier) -> bool:
    """Whether `verifier` asks a model and has none; one made of others tells by an attribute `needs_model`."""
    lacks = isinstance(verifier, Generative) and verifier.model is None
    return lacks and bool(getattr(verifier, "needs_model", True))


def bind(verifier: Verifier, backend: Backend) -> Verifier:
    """`verifier`, asking `backend` if it asks a model and has none of its own."""
    return (
        verifier.on(backend)
        if isinstance(verifier, Generative) and needs_model(verifier)
        else verifier
    )


async def start(*held: object) -> None:
    """Start the engine of each of `held` that has one: it has `start`, which its first call does else."""
    for each in held:
        if start := getattr(each, "start", None):
            await start()


async def release(*held: object) -> None:
    """Close each of `held` that can be closed: it has `aclose`."""
    for each in held:
        if close := getattr(each, "aclose", None):
            await close()


@dataclass(frozen=True, slots=True)
class Example:
    """A problem and its reference answer; never leaves the benchmark layer."""

    problem: Problem
    answer: str


@runtime_checkable
class Task(Protocol):
    """A benchmark: problems, how a solution is written, and the rule that decides it is right.

    It may have a method `prompt(text)`, which puts a user's problem the way the model reads it.
    """

    @property
    def name(self) -> str: ...

    @property
    def sampling(self) -> Sampling:
        """How a solution is drawn: what ends a step, its longest length, temperature and nucleus."""
        ...

    def examples(self, split: str, count: int, seed: int = 0) -> Iterator[Example]:
        """The first `count` problems of a split ("train", "dev" or "test")."""
        ...

    def answer(self, solution: str) -> str | None:
        """The answer that a finished solution states, in canonical form; what votes are cast on."""
        ...

    def check(self, example: Example, solution: str) -> bool:
        """Whether `solution` reaches the reference answer."""
        ...
