"""A model and a verifier for one attempt at a problem, whose finished calls are never made again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pydantic import TypeAdapter

from reasoner.backends.wrapper import Wrapping
from reasoner.base import (
    Backend,
    Generative,
    Halt,
    Verifier,
    as_watching,
    check_problem,
    needs_model,
    start,
)
from reasoner.benchmarks.runner.total_budget import Allowance
from reasoner.benchmarks.store.call_log import Calls
from reasoner.bill import billed
from reasoner.budget import GENERATOR, VERIFIER
from reasoner.tool_calls import Tool
from reasoner.traits import VerifierTraits, verifier_traits
from reasoner.types import Candidate, Generation, Judgement, Problem, Prompt, Sampling, Usage

GENERATION, JUDGEMENT = TypeAdapter(Generation), TypeAdapter(Judgement)
OUTPUT = TypeAdapter(str)


class JournalledModel(Wrapping):
    """`backend`, its calls kept in `calls`. A watched sample is kept as it ended, and is not watched again.

    Calls of a second model (`role`) are told apart from those of the first one.
    """

    def __init__(self, backend: Backend, calls: Calls, role: str = GENERATOR) -> None:
        super().__init__(backend)
        self._calls, self._role = calls, role
        self._name = "" if role == GENERATOR else f"{role} "

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """Continue `prompt`, or tell how it was continued."""
        ask = partial(self.backend.generate, prompt, sampling)
        request = f"{self._name}generate", *_told(prompt), sampling
        lost = partial(self._calls.lose, self._role)
        return await billed(self._calls.answer(GENERATION, request, ask), lost)

    async def aclose(self) -> None:
        """Nothing: the engine is shared."""

    async def _watch(self, prompt: Prompt, sampling: Sampling, halt: Halt) -> Generation:
        ask = partial(as_watching(self.backend).watch, prompt, sampling, halt)
        request = f"{self._name}watch", *_told(prompt), sampling
        lost = partial(self._calls.lose, self._role)
        return await billed(self._calls.answer(GENERATION, request, ask), lost)


class JournalledVerifier:
    """`verifier`, its judgements kept in `calls` where they cost anything, and admitted by an `allowance`."""

    def __init__(
        self, verifier: Verifier, calls: Calls, allowance: Allowance | None = None
    ) -> None:
        self._verifier, self._calls, self._allowance = verifier, calls, allowance

    @property
    def traits(self) -> VerifierTraits:
        """The traits of `verifier`."""
        return verifier_traits(self._verifier)

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Return the most that `score` may spend."""
        return self._verifier.estimate(problem, candidates)

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Score `candidates`, or return how they were scored."""
        ask = partial(self._verifier.score, problem, candidates)
        if self._verifier.estimate(problem, candidates) == Usage():
            return await ask()
        if self._allowance:
            ask = partial(self._allowance.score, self._verifier, problem, candidates)
        request = "score", problem.prompt, *candidates
        lost = partial(self._calls.lose, VERIFIER)
        return await billed(self._calls.answer(JUDGEMENT, request, ask), lost)

    def check_problem(self, problem: Problem) -> None:
        """Refuse what `verifier` refuses."""
        check_problem(self._verifier, problem)

    async def start(self) -> None:
        """Start the engine of `verifier`, if it has one."""
        await start(self._verifier)


class JournalledJudge(JournalledVerifier):
    """A verifier on a journal that asks a model of its own."""

    def __init__(
        self, verifier: Generative, calls: Calls, allowance: Allowance | None = None
    ) -> None:
        super().__init__(verifier, calls, allowance)
        self.model, self.on = verifier.model, verifier.on


class JournalledTool:
    """`tool`, its outputs kept in `calls`: a program may print something else when it runs again."""

    def __init__(self, tool: Tool, calls: Calls) -> None:
        self._tool, self._calls = tool, calls
        self.opening, self.closing = tool.opening, tool.closing
        self.calls, self.tokens = tool.calls, tool.tokens

    async def start(self) -> None:
        """Start `tool`, if it has anything to start."""
        await start(self._tool)

    async def run(self, code: str) -> str:
        """Return the output of a call, or what it was."""
        ask = partial(self._tool.run, code)
        return await self._calls.answer(OUTPUT, ("tool", code), ask)


def journalled(verifier: Verifier, calls: Calls, allowance: Allowance | None = None) -> Verifier:
    """Return `verifier` on a journal; one that asks the run's model does so through the model's."""
    if needs_model(verifier):
        return verifier
    if isinstance(verifier, Generative):
        return JournalledJudge(verifier, calls, allowance)
    return JournalledVerifier(verifier, calls, allowance)


def _told(prompt: Prompt) -> tuple[object, ...]:
    problem = prompt.problem
    # Without messages, a call has the name that earlier versions gave it.
    return *problem.key[: 1 + bool(problem.messages)], prompt.text, prompt.token_ids
