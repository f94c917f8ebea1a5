"""Contracts of the parts that a run is given. `Strategy`, which is given the run, is in run.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

from reasoner.errors import ConfigError
from reasoner.traits import VerifierTraits, backend_traits, verifier_traits
from reasoner.types import Candidate, Generation, Judgement, Problem, Prompt, Sampling, Usage


@dataclass(frozen=True, slots=True)
class Attention:
    """Layers that attend alike; `width` is the width of all query heads together.

    A position attends to itself and to the positions before it: `window` of them in all, or every one
    where `window` is 0.
    """

    layers: int
    width: int
    window: int = 0

    def flops(self, start: int, stop: int) -> float:
        """Return the FLOPs of positions `start` to `stop`: four per pair and unit of width (score, sum)."""
        return 4.0 * self.layers * self.width * (self._pairs(stop) - self._pairs(start))

    def _pairs(self, length: int) -> float:
        """Return the pairs in a sequence: a triangle, less the smaller one that lies beyond the window."""
        # A product in place of a branch, so that arrays of lengths pass too.
        beyond = (length > self.window) * (length - self.window) if self.window else 0
        return (length * (length + 1) - beyond * (beyond + 1)) / 2


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model's name, and the sizes that accounting needs; zero where a server does not report them.

    `parameters` counts the weights that a token is multiplied with: of a mixture the active experts
    only, an output layer, and no table that is looked up. `dtype` is the number format that an engine
    computes in, empty where it is not known.
    """

    name: str
    context: int = 0
    parameters: int = 0
    attention: tuple[Attention, ...] = ()
    dtype: str = ""

    def flops(self, start: int, stop: int) -> float:
        """Return the FLOPs to compute positions `start` to `stop` of one sequence.

        Two per parameter and position, and those of attention (Kaplan et al., 2020, table 1).
        docs/flops.md has the conventions.
        """
        matrices = 2.0 * self.parameters * (stop - start)
        return matrices + sum(a.flops(start, stop) for a in self.attention)


@runtime_checkable
class Backend(Protocol):
    """A language model. One call is one prompt; concurrent calls form the batch.

    It declares what it can do beyond `generate` as `traits` (see `BackendTraits`).
    """

    @property
    def model(self) -> ModelInfo:
        """The served model's name and size."""
        ...

    def prompt_length(self, prompt: Prompt) -> int:
        """Return the tokens of `prompt` as the model will see them (an upper bound where unknown)."""
        ...

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the tokens of a text that continues another (as many stand-ins where unknown)."""
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
"""Decide from the confidences of a sample's newest tokens whether to give the sample up (True)."""


@runtime_checkable
class Watching(Protocol):
    """A backend whose samples can be watched as they grow; its traits have `watches=True`."""

    async def watch(self, prompt: Prompt, sampling: Sampling, halt: Halt) -> Generation:
        """Draw one sample (`sampling.n` is 1), aborted in the engine as soon as `halt` returns true.

        Tokens decoded while the abort is under way are not in the usage: one or two. Raises what
        `Backend.generate` raises.
        """
        ...


@runtime_checkable
class Spelling(Protocol):
    """A backend that knows the text of its tokens, so that a solution can be cut between two tokens.

    Its traits have `spells=True`.
    """

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the tokens of a text that continues another."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of tokens, without end tokens."""
        ...


def as_watching(backend: Backend) -> Watching:
    """Return `backend` as one whose samples can be watched.

    Raises:
        ConfigError: they cannot.
    """
    if backend_traits(backend).watches and isinstance(backend, Watching):
        return backend
    raise ConfigError(
        f"the backend of {backend.model.name!r} cannot watch samples as they grow (it has no `watch`,"
        " or its traits do not say watches=True); use vllm, openai, transformers or scripted"
    )


def as_spelling(backend: Backend) -> Spelling:
    """Return `backend` as one that knows the text of its tokens.

    Raises:
        ConfigError: it does not.
    """
    if backend_traits(backend).spells and isinstance(backend, Spelling):
        return backend
    raise ConfigError(
        f"the backend of {backend.model.name!r} does not know the text of its tokens (it has no"
        " `decode`, or its traits do not say spells=True); use vllm, transformers or scripted"
    )


@runtime_checkable
class Verifier(Protocol):
    """A judge of candidates that never sees the reference answer.

    It declares what it needs, and what its scores mean, as `traits` (see `VerifierTraits`).
    """

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Return the most that `score` may spend on `candidates`: what the ledger admits."""
        ...

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Score candidates in order, as one batch."""
        ...


@runtime_checkable
class ProblemChecking(Protocol):
    """A verifier that cannot judge every problem."""

    def check_problem(self, problem: Problem) -> None:
        """Refuse a problem that it cannot judge, before anything is sampled.

        Raises:
            ConfigError: the problem lacks what the verifier reads, such as unit tests.
        """
        ...


@runtime_checkable
class ModelChecking(Protocol):
    """A verifier that cannot ask every model."""

    def check_model(self, model: Backend) -> None:
        """Refuse a model that it cannot ask, before anything is sampled.

        Raises:
            ConfigError: the model lacks what the verifier asks for, such as a value head.
        """
        ...


@runtime_checkable
class LabelChecking(Protocol):
    """A backend that knows beforehand which labels its model has (see `Sampling.labels`)."""

    def check_labels(self, labels: tuple[str, ...]) -> None:
        """Refuse labels that are not one token each.

        Raises:
            ConfigError: one is not.
        """
        ...


def check_model(verifier: Verifier | None, backend: Backend) -> None:
    """Refuse a model that `verifier` cannot ask: its own, or `backend` where it has none.

    Raises:
        ConfigError: the model lacks what the verifier asks for.
    """
    if isinstance(verifier, ModelChecking):
        own = verifier.model if isinstance(verifier, Generative) else None
        verifier.check_model(own or backend)


def check_labels(model: Backend, labels: tuple[str, ...]) -> None:
    """Refuse labels that `model` is known not to have.

    Raises:
        ConfigError: one is not a single token.
    """
    if isinstance(model, LabelChecking):
        model.check_labels(labels)


def check_problem(verifier: Verifier | None, problem: Problem) -> None:
    """Refuse a problem that `verifier` cannot judge.

    Raises:
        ConfigError: it lacks what the verifier reads.
    """
    if isinstance(verifier, ProblemChecking):
        verifier.check_problem(problem)


def required_sampling(verifier: Verifier | None) -> dict[str, Any]:
    """Return what samples must hold for `verifier`, as settings of `Sampling`."""
    traits = VerifierTraits() if verifier is None else verifier_traits(verifier)
    return {"logprobs": traits.logprobs, "confidences": traits.confidences}


@runtime_checkable
class Generative(Verifier, Protocol):
    """A verifier that asks a language model; where `model` is None, a run lends it the policy's."""

    @property
    def model(self) -> Backend | None:
        """The model it asks."""
        ...

    def on(self, backend: Backend) -> Self:
        """Return a copy that asks `backend`."""
        ...


def needs_model(verifier: Verifier) -> bool:
    """Return whether `verifier` still needs a model to ask."""
    lacks = isinstance(verifier, Generative) and verifier.model is None
    return lacks and verifier_traits(verifier).asks_model


def bind(verifier: Verifier, backend: Backend) -> Verifier:
    """Return `verifier`, asking `backend` if it still needs a model."""
    if isinstance(verifier, Generative) and needs_model(verifier):
        return verifier.on(backend)
    return verifier


@runtime_checkable
class Starting(Protocol):
    """A component with an engine, which its first call would start otherwise."""

    async def start(self) -> Any:
        """Start the engine."""
        ...


@runtime_checkable
class Closing(Protocol):
    """A component that holds something, such as an engine or a process."""

    async def aclose(self) -> None:
        """Release it."""
        ...


async def start(*components: object) -> None:
    """Start the engine of each component that has one."""
    for component in components:
        if isinstance(component, Starting):
            await component.start()


async def release(*components: object) -> None:
    """Release what each component holds, if anything."""
    for component in components:
        if isinstance(component, Closing):
            await component.aclose()


@dataclass(frozen=True, slots=True)
class Example:
    """A problem and its reference answer, which never leaves the benchmark layer."""

    problem: Problem
    answer: str


@runtime_checkable
class Task(Protocol):
    """A benchmark: problems, how a solution is sampled, and the rule that decides whether it is right."""

    @property
    def name(self) -> str: ...

    @property
    def sampling(self) -> Sampling:
        """The sampling of a solution: the end of a step, the longest length, temperature and nucleus."""
        ...

    def examples(self, split: str, count: int, seed: int = 0) -> Iterator[Example]:
        """Yield the first `count` problems of a split ("train", "dev" or "test")."""
        ...

    def answer(self, solution: str) -> str | None:
        """Return the answer that a finished solution states, in canonical form; votes are cast on it."""
        ...

    def check(self, example: Example, solution: str) -> bool:
        """Return whether `solution` reaches the reference answer."""
        ...


@runtime_checkable
class Prompting(Protocol):
    """A task that writes a user's problem the way the model reads it."""

    def prompt(self, text: str) -> str:
        """Return the problem that `text` states, as a prompt."""
        ...
