"""The contract of verifiers, as a suite on the scripted model: `TestMine = verifier_conformance(Mine)`."""

from __future__ import annotations

import asyncio
import random
import re
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import partial
from math import inf
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reasoner.backends.scripted import END, Reply, Scripted
from reasoner.base import Verifier, bind, needs_model
from reasoner.budget import GENERATOR, Budget
from reasoner.errors import BackendError, ConfigError
from reasoner.events import Result, Stopped
from reasoner.registry import verifiers as registry
from reasoner.search.best_of_n import BestOfN
from reasoner.solving import solve
from reasoner.traits import verifier_traits
from reasoner.types import (
    Candidate,
    Completion,
    Finish,
    Generation,
    Judgement,
    Problem,
    Prompt,
    Sampling,
    Score,
    Usage,
)

PROBLEM = Problem("p", "12+30+41+5")
CONTEXT = 20_000
"""The scripted model's context, in characters; the over-long candidate is longer."""
BIG = sys.maxsize
LATE = 3.0
"""Seconds that a cancelled call may still take: its own work, on a machine that is shared."""

SHARED = HealthCheck.differing_executors
OFTEN = settings(
    max_examples=min(20, settings().max_examples), deadline=None, suppress_health_check=[SHARED]
)

Make = Callable[[], Verifier]


def verifier_conformance(
    *verifiers: str | Make,
    problem: Problem = PROBLEM,
    candidates: Sequence[Candidate] = (),
    reply: Reply | None = None,
    tolerance: float = 1e-6,
) -> type[VerifierConformance]:
    """Return the suite for some verifiers: classes, functions that make one, or registered names.

    A verifier that asks a model (`base.Generative`) asks the scripted one.

    Args:
        verifiers: the verifiers under test.
        problem: the problem of `candidates`.
        candidates: two or more, a finished one among them; by default those of `samples`.
        reply: replies to the verifier's questions; by default `opinion`.
        tolerance: by how much a score may differ between batches, as engines round.
    """
    shown = tuple(candidates or samples(problem))
    makes = [partial(registry.make, v) if isinstance(v, str) else v for v in verifiers]
    names = [v if isinstance(v, str) else getattr(v, "__name__", repr(v)) for v in verifiers]
    subjects = [Subject(make, problem, shown, reply or opinion, tolerance) for make in makes]
    suite = type("Suite", (VerifierConformance,), {})
    pytest.mark.parametrize("subject", subjects, ids=names)(suite)
    return suite


class VerifierConformance:
    """The suite; each test gets the verifier and the candidates that it judges.

    A verifier whose scores depend on the other candidates of the batch declares
    `VerifierTraits(comparative=True)`.
    """

    def test_is_a_verifier(self, subject: Subject) -> None:
        assert isinstance(subject.make(), Verifier), "it needs methods estimate and score"

    # -- scores -----------------------------------------------------------------------------------

    def test_gives_each_candidate_a_score_from_0_to_1(self, subject: Subject) -> None:
        scores = subject.judge(subject.candidates).scores
        assert len(scores) == len(subject.candidates)
        assert all(map(within, scores)), scores

    @OFTEN
    @given(data=st.data())
    def test_keeps_the_order_and_a_batch_equals_single(
        self, subject: Subject, data: st.DataObject
    ) -> None:
        """In every batch each candidate has the score that it has alone."""
        batch = data.draw(arrangements(subject))
        scores, again = subject.judge(batch).scores, subject.judge(batch).scores
        alone = again if subject.comparative else [subject.judge([c]).scores[0] for c in batch]
        assert len(scores) == len(batch)
        for place, (score, expected) in enumerate(zip(scores, alone, strict=True)):
            assert subject.same(score, expected), f"at {place} {score}, but {expected}"

    def test_no_candidates_no_scores(self, subject: Subject) -> None:
        assert subject.judge([]) == Judgement(())
        assert subject.bind(subject.model()).estimate(subject.problem, []) == Usage()

    def test_an_overlong_candidate_is_scored_or_refused(self, subject: Subject) -> None:
        """A refusal is a `ConfigError`; a score does not change the scores of the others."""
        first, second = subject.candidates[:2]
        with suppress(ConfigError):
            scores = subject.judge([first, overlong(second)]).scores
            assert all(map(within, scores)) and len(scores) == 2
            assert subject.comparative or subject.same(scores[0], subject.judge([first]).scores[0])

    # -- cost -------------------------------------------------------------------------------------

    @OFTEN
    @given(data=st.data())
    def test_estimates_at_least_what_it_reports(
        self, subject: Subject, data: st.DataObject
    ) -> None:
        """This holds for any batch, since a run scores as many candidates as its budget admits."""
        batch, backend = data.draw(arrangements(subject)), subject.model()
        worst = subject.bind(backend).estimate(subject.problem, batch)
        assert backend.usage == Usage(), "estimating must cost nothing"
        spent = subject.judge(batch, backend).usage
        assert covers(worst, spent), f"estimated {worst}, spent {spent}"

    def test_reports_what_the_model_was_asked(self, subject: Subject) -> None:
        spent = subject.judge(subject.candidates, backend := subject.model()).usage
        assert backend.usage == (spent if subject.needs_model else Usage())

    @OFTEN
    @given(
        budget=st.builds(
            Budget,
            tokens=st.none() | st.integers(1, 30_000),
            flops=st.none() | st.floats(1e3, 1e8),
            requests=st.none() | st.integers(1, 40),
        ),
        seed=st.integers(0, 9),
    )
    def test_a_search_with_it_never_exceeds_a_budget(
        self, subject: Subject, budget: Budget, seed: int
    ) -> None:
        result = subject.search(backend := subject.policy(), budget, seed)
        spent = result.usage
        calls = spent if subject.needs_model else result.by_role.get(GENERATOR, Usage())
        assert calls == backend.usage, f"counted {calls}, the backend {backend.usage}"
        limit = Usage(budget.requests or BIG, BIG, 0, budget.tokens or BIG, budget.flops or inf)
        assert covers(limit, spent), spent
        if result.candidates:
            assert result.candidate is not None and result.candidate.complete

    # -- failures ---------------------------------------------------------------------------------

    def test_nonsense_is_survived_and_counted(self, subject: Subject) -> None:
        judgement = replace(subject.asking(), reply=hum).judge(subject.candidates)
        assert all(map(within, judgement.scores))
        assert len(judgement.scores) == len(subject.candidates)
        assert judgement.malformed > 0, "verdicts that cannot be read must be counted"

    def test_a_failing_request_is_raised_as_it_is(self, subject: Subject) -> None:
        backend = subject.asking().model(fail_every=1)
        with pytest.raises(BackendError, match="scripted failure"):
            subject.judge(subject.candidates, backend)
        assert backend.running == 0

    def test_cancelling_leaves_nothing_running(self, subject: Subject) -> None:
        verifier = subject.bind(backend := subject.model(delay=30))

        async def cancelled() -> float:
            task = asyncio.create_task(verifier.score(subject.problem, subject.candidates))
            await asyncio.sleep(0.02)
            assert backend.running or not subject.needs_model
            start = time.monotonic()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            assert len(asyncio.all_tasks()) == 1, asyncio.all_tasks()
            return time.monotonic() - start

        assert asyncio.run(cancelled()) < LATE
        assert backend.running == 0

    def test_a_deadline_ends_the_search_while_it_judges(self, subject: Subject) -> None:
        backend, start = SlowToJudge(reply=subject.asking().plays), time.monotonic()
        backend.problem = subject.problem
        result = subject.search(backend, Budget(seconds=0.1))
        assert time.monotonic() - start < 0.1 + LATE
        assert result.stopped is Stopped.BUDGET
        assert result.candidate is not None and result.candidate.complete
        assert backend.running == 0


@dataclass(frozen=True)
class Subject:
    """A verifier under test, and the candidates that it judges."""

    make: Make
    problem: Problem
    candidates: tuple[Candidate, ...]
    reply: Reply
    tolerance: float

    @property
    def needs_model(self) -> bool:
        """True if it asks the model that it is given."""
        return needs_model(self.make())

    @property
    def comparative(self) -> bool:
        """True if scores depend on the batch."""
        return verifier_traits(self.make()).comparative

    def asking(self) -> Subject:
        """Return itself; skip the test for a verifier that asks no model."""
        if not self.needs_model:
            pytest.skip("it asks no model")
        return self

    def model(self, **settings: Any) -> Scripted:
        """Return the model that it asks."""
        return Scripted(reply=self.reply, context=CONTEXT, **settings)

    def policy(self) -> Scripted:
        """Return a model that both solves the problem and judges."""
        return Scripted(reply=self.plays)

    def plays(self, prompt: Prompt, rng: random.Random) -> str:
        """Return one of the candidates for the problem, a reply for any other prompt."""
        if prompt.problem.prompt == self.problem.prompt:
            return rng.choice([c.text for c in self.candidates if c.complete and c.text]) + END
        return self.reply(prompt, rng)

    def bind(self, backend: Scripted) -> Verifier:
        """Return the verifier, asking `backend` if it has no model of its own."""
        return bind(self.make(), backend)

    def judge(self, batch: Sequence[Candidate], backend: Scripted | None = None) -> Judgement:
        """Return its judgement of a batch."""
        verifier = self.bind(backend or self.model())
        return asyncio.run(verifier.score(self.problem, batch))

    def same(self, one: Score, other: Score) -> bool:
        """Return whether two scores agree, step scores included."""
        expected = pytest.approx((other.value, *other.steps), abs=self.tolerance, rel=0)
        return (one.value, *one.steps) == expected

    def search(self, backend: Scripted, budget: Budget, seed: int = 0) -> Result:
        """Run best-of-N with it to its end."""
        result = Sampling(max_tokens=max(len(c.text) for c in self.candidates) + 1)
        how: dict[str, Any] = {"budget": budget, "sampling": result, "seed": seed}
        return asyncio.run(solve(self.problem, BestOfN(n=8), backend, self.make(), **how))


class SlowToJudge(Scripted):
    """A model that solves its problem at once and never answers any other question."""

    problem = PROBLEM

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        self.delay = 30.0 * bool(sampling.labels or prompt.problem.prompt != self.problem.prompt)
        return await super().generate(prompt, sampling)


def samples(problem: Problem) -> list[Candidate]:
    """Return samples of the scripted model: six whole ones, a copy, an unfinished one, an empty one."""

    async def draw() -> list[Candidate]:
        model, start = Scripted(), Prompt(problem)
        whole = Sampling(n=32, seed=0, logprobs=True, confidences=20)
        result, step = await model.generate(start, whole), replace(whole, n=1, stop=("\n",))
        [first] = (await model.generate(start, step)).completions
        [second] = (await model.generate(start.extend(first), step)).completions
        differing = {c.text: c for c in result.completions}.values()
        finished = [Candidate((c,), complete=True) for c in differing][:6]
        silent = Completion("", (ord(END),), Finish.EOS, -0.1, (0.5,), (10.0,))
        return [
            *finished, finished[0],
            Candidate((first, second), complete=False),
            Candidate((silent,), complete=True),
        ]  # fmt: skip

    return asyncio.run(draw())


def hum(_: Prompt, __: random.Random) -> str:
    """Return a reply without a verdict."""
    return "Hm." + END


def opinion(prompt: Prompt, rng: random.Random) -> str:
    """Return a reply with a verdict in every form that a built-in verifier asks for, or in none."""
    if rng.random() < 0.2:
        return hum(prompt, rng)
    steps = re.findall(r"^Step (\d+)", prompt.problem.prompt, re.MULTILINE)
    lines = [
        rng.choice(["Yes", "No"]),
        f"Is the answer correct (Yes/No)? {rng.choice(['Yes', 'No'])}",
        *(f"Step {i}: {rng.choice(['correct'] * 4 + ['incorrect'])}" for i in steps),
        f"Verdict: {rng.choice(['correct', 'incorrect'])}",
        f"Grade: {rng.randint(1, 10)}",
        f"Better: {rng.choice(['A', 'B', 'tie'])}",
        f"Ratings: A={rng.randint(1, 10)}, B={rng.randint(1, 10)}",
        f"First error: {rng.choice([*steps, 'none'])}",
        f"Judgment: {rng.randint(0, 2)}",
    ]
    return "\n".join(lines) + END


def arrangements(subject: Subject) -> st.SearchStrategy[list[Candidate]]:
    """Return batches of the candidates, in any order and number."""
    return st.lists(st.sampled_from(subject.candidates), max_size=10)


def overlong(candidate: Candidate) -> Candidate:
    """Return `candidate`, repeated to more than `CONTEXT` characters."""
    times = 1 + CONTEXT // max(1, len(candidate.text))
    return replace(
        candidate,
        completions=tuple(
            replace(c, text=c.text * times, token_ids=c.token_ids * times, finish=Finish.LENGTH)
            for c in candidate.completions
        ),
    )


def within(score: Score) -> bool:
    """Return whether a score and its step scores lie in [0, 1]."""
    return all(0 <= value <= 1 for value in (score.value, *score.steps))


def covers(worst: Usage, spent: Usage) -> bool:
    """Return whether `worst` bounds `spent`; more cached tokens do no harm."""
    names = [f.name for f in fields(Usage) if f.name != "cached_tokens"]
    return all(getattr(spent, name) <= getattr(worst, name) for name in names)
