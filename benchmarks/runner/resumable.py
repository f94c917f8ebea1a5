"""A model and a verifier for one attempt at a problem, whose finished calls are never made again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from pydantic import TypeAdapter

from reasoner.backends.wrapper import Wrapping
from reasoner.base import (
    Backend,
    Generative,
    Halt,
    Verifier,
    Watching,
    needs_model,
)
from reasoner.benchmarks.store.call_log import Calls
from reasoner.types import Candidate, Generation, Judgement, Problem, Prompt, Sampling, Usage

GENERATION, JUDGEMENT = TypeAdapter(Generation), TypeAdapter(Judgement)


class JournalledModel(Wrapping):
    """`backend`, its calls kept in `calls`. A watched sample is kept as it ended, and is not watched again."""

    def __init__(self, backend: Backend, calls: Calls) -> None:
        super().__init__(backend)
        self._calls = calls

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """Continue `prompt`, or tell how it was continued."""
        ask = partial(self.backend.generate, prompt, sampling)
        return await self._calls.answer(GENERATION, ("generate", *_told(prompt), sampling), ask)

    async def aclose(self) -> None:
        """Nothing: the engine is shared."""

    async def _watch(self, prompt: Prompt, sampling: Sampling, halt: Halt) -> Generation:
        assert isinstance(self.backend, Watching)
        ask = partial(self.backend.watch, prompt, sampling, halt)
        return await self._calls.answer(GENERATION, ("watch", *_told(prompt), sampling), ask)


class JournalledVerifier:
    """`verifier`, its judgements kept in `calls` where they cost anything."""

    def __init__(self, verifier: Verifier, calls: Calls) -> None:
        self._verifier, self._calls = verifier, calls
        if isinstance(verifier, Generative):
            self.model, self.on = verifier.model, verifier.on

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """The most that `score` may spend."""
        return self._verifier.estimate(problem, candidates)

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Score `candidates`, or tell how they were scored."""
        ask = partial(self._verifier.score, problem, candidates)
        if self._verifier.estimate(problem, candidates) == Usage():
            return await ask()
        return await self._calls.answer(JUDGEMENT, ("score", problem.prompt, *candidates), ask)

    def __getattr__(self, name: str) -> Any:
        """What the verifier says of itself: that it reads log-probabilities, its highest score."""
        return getattr(self._verifier, name)


def journalled(verifier: Verifier, calls: Calls) -> Verifier:
    """`verifier` on a journal; one that asks the run's model does so through the model's journal."""
    return verifier if needs_model(verifier) else JournalledVerifier(verifier, calls)


def _told(prompt: Prompt) -> tuple[object, ...]:
    return prompt.problem.prompt, prompt.text, prompt.token_ids
