"""The contract of strategies, as a test suite that an author runs with one line:

    TestPatience = conformance(Patience)

in a test file is the whole suite, on the scripted model. It needs pytest and hypothesis.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reasoner.backends.scripted import END, Scripted
from reasoner.base import Halt, Verifier
from reasoner.budget import Budget
from reasoner.events import Result, Stopped
from reasoner.registry import accepts, strategies
from reasoner.run import Strategy
from reasoner.solving import solve
from reasoner.trace import Trace
from reasoner.traits import strategy_traits
from reasoner.types import (
    Candidate,
    Completion,
    Finish,
    Generation,
    Judgement,
    Problem,
    Prompt,
    Sampling,
    Usage,
)
from reasoner.verifiers.verdict import Verdict

PROBLEM, ANSWER = Problem("p", "12+30+41+5"), "88"
SAMPLING = Sampling(stop=("\n",), max_tokens=60)
LATE = 3.0
"""Seconds by which a run may exceed its deadline: its own work, on a machine that is shared."""

Make = Callable[..., Strategy]


def conformance(*candidates: str | Make) -> type[Conformance]:
    """Return the suite for some strategies: classes, functions that make one, or registered names.

    The suite sets their size by the argument `n`, where they have one.
    """
    makes = [partial(strategies.make, c) if isinstance(c, str) else c for c in candidates]
    names = [c if isinstance(c, str) else getattr(c, "__name__", repr(c)) for c in candidates]
    suite = type("Suite", (Conformance,), {})
    pytest.mark.parametrize("make", makes, ids=names)(suite)
    return suite


class Conformance:
    """The suite; each test gets `make`, which makes the strategy in a given size."""

    def test_ends_with_the_model_and_answers(self, make: Make) -> None:
        result = search(make)
        assert result.stopped is Stopped.DONE, "without a budget a search must end by itself"
        assert result.answer == ANSWER, f"answered {result.answer}, not {ANSWER}"
        assert result.candidate is not None
        assert result.candidate.completions[-1].finish is Finish.EOS

    def test_one_wide_still_answers(self, make: Make) -> None:
        assert search(make, n=1).candidate is not None

    def test_what_needs_no_verifier_does_without(self, make: Make) -> None:
        if strategy_traits(sized(make, 8)).verifier != "required":
            result = search(make, verifier=None)
            assert result.stopped is Stopped.DONE
            assert result.candidate is not None and result.candidate.complete

    # -- budgets ----------------------------------------------------------------------------------

    @settings(
        max_examples=min(25, settings().max_examples),
        deadline=None,
        suppress_health_check=[HealthCheck.differing_executors],
    )
    @given(
        budget=st.builds(
            Budget,
            tokens=st.none() | st.integers(1, 400),
            flops=st.none() | st.floats(1e3, 3e6),
            requests=st.none() | st.integers(1, 12),
            seconds=st.none() | st.floats(0.001, 0.02),
        ),
        seed=st.integers(0, 9),
    )
    def test_never_exceeds_a_budget_and_counts_like_the_backend(
        self, make: Make, budget: Budget, seed: int
    ) -> None:
        backend = Witness(delay=0.002 if budget.seconds else 0)
        result = search(make, backend, budget, seed=seed)
        spent = result.usage
        assert spent == backend.usage, f"counted {spent}, the backend {backend.usage}"
        assert budget.tokens is None or spent.completion_tokens <= budget.tokens, spent
        assert budget.flops is None or spent.flops <= budget.flops, spent
        assert budget.requests is None or spent.requests <= budget.requests, spent
        assert budget.seconds is None or result.seconds <= budget.seconds + LATE, result.seconds
        assert decoded(result.trace, backend) == spent.completion_tokens
        if result.candidates:
            assert result.candidate is not None and result.candidate.complete

    def test_a_budget_far_too_small_for_the_width_still_gives_a_finished_answer(
        self, make: Make
    ) -> None:
        result = search(make, budget=Budget(tokens=150), n=64)
        assert result.candidate is not None and result.candidate.complete

    def test_a_budget_is_used_up(self, make: Make) -> None:
        """A worst case far above the real cost must not leave most of the budget unused.

        A strategy that ends early on purpose declares `StrategyTraits(stops_early=True)`.
        """
        result = search(make, budget=Budget(tokens=150), n=64)
        spent = result.usage.completion_tokens
        if not strategy_traits(sized(make, 64)).stops_early:
            assert spent >= 140, f"spent {spent} of 150 tokens"

    def test_a_deadline_cancels_what_is_in_flight(self, make: Make) -> None:
        backend, start = Witness(delay=30), time.monotonic()
        result = search(make, backend, Budget(seconds=0.05))
        assert result.stopped is Stopped.BUDGET
        assert time.monotonic() - start < 0.05 + LATE
        assert backend.running == 0

    def test_a_deadline_keeps_what_had_finished(self, make: Make) -> None:
        backend = Uneven()
        result = search(make, backend, Budget(seconds=0.2))
        if backend.ended:
            assert result.candidate is not None and result.candidate.complete

    # -- the tree ---------------------------------------------------------------------------------

    def test_never_continues_a_solution_that_the_model_ended(self, make: Make) -> None:
        for seed in range(3):
            search(make, Witness(), seed=seed)

    def test_identical_siblings_are_scored_once(self, make: Make) -> None:
        """This holds for steps; whole solutions may be scored as they are."""
        tally = CallTally(backend := Witness())
        search(make, backend, verifier=tally)
        for (*_, step), count in tally.judged.items():
            assert count == 1, f"{step!r} was scored {count} times after the same step"

    def test_same_seed_same_tree_whatever_the_delay(self, make: Make) -> None:
        first, again = search(make), search(make, Witness(delay=0.001))
        assert first.trace.to_json() == again.trace.to_json()

    def test_another_seed_another_tree(self, make: Make) -> None:
        """Unless everything is sampled at temperature zero."""
        first = search(make, backend := Witness()).trace.to_json()
        others = [search(make, seed=seed).trace.to_json() for seed in range(1, 5)]
        assert any(other != first for other in others) == any(backend.temperatures)

    # -- failures ---------------------------------------------------------------------------------

    @pytest.mark.parametrize("fail_every", [1, 3])
    def test_survives_a_failing_request(self, make: Make, fail_every: int) -> None:
        backend = Witness(fail_every=fail_every)
        result = search(make, backend)
        assert result.usage == backend.usage
        assert backend.running == 0
        if backend.usage.requests >= fail_every:
            assert result.stopped is Stopped.ERROR
            assert result.error == f"scripted failure of request {fail_every}"

    def test_cancelling_leaves_nothing_running(self, make: Make) -> None:
        backend = Witness(delay=30)

        async def cancelled() -> None:
            task = asyncio.create_task(begin(sized(make, 8), backend))
            await asyncio.sleep(0.02)
            assert backend.running
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert backend.running == 0
            assert len(asyncio.all_tasks()) == 1

        asyncio.run(cancelled())


def search(
    make: Make,
    backend: Witness | None = None,
    budget: Budget = Budget(),
    *,
    n: int = 8,
    seed: int = 0,
    verifier: Verifier | None = Verdict(),
) -> Result:
    """Run one search by the strategy that `make` makes, to its end."""
    strategy = sized(make, n)
    return asyncio.run(begin(strategy, backend or Witness(), budget, seed, verifier))


async def begin(
    strategy: Strategy,
    backend: Witness,
    budget: Budget = Budget(),
    seed: int = 0,
    verifier: Verifier | None = Verdict(),
) -> Result:
    return await solve(
        PROBLEM, strategy, backend, verifier,
        budget=budget, sampling=SAMPLING, extract=stated, seed=seed,
    )  # fmt: skip


def sized(make: Make, n: int) -> Strategy:
    """Return the strategy with size `n`, if it has a size."""
    return make(n=n) if accepts(make, "n") else make()


def stated(solution: str) -> str | None:
    """Return the answer of a solution of `PROBLEM`."""
    return solution.rpartition("#")[2].strip() if "#" in solution else None


def decoded(trace: Trace, backend: Witness) -> int:
    """Return the number of sampled tokens, in the tree or for prompts of the strategy's own."""
    tree = (n.completion for n in trace if n.completion)
    pieces = {id(c): c for c in (*tree, *backend.asked) if c.finish is not Finish.WRITTEN}
    return sum(c.sampled_tokens for c in pieces.values())


class Witness(Scripted):
    """The scripted model; it records its requests, and refuses to continue a finished solution."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.temperatures = set[float]()
        self.steps = dict[int, Completion]()
        """The completions sampled as one step of a solution, by identity."""
        self.asked = list[Completion]()
        """The completions of prompts of the strategy's own."""
        self.ended = set[str]()

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        self._note_request(prompt, sampling)
        return self._note_samples(prompt, sampling, await super().generate(prompt, sampling))

    async def watch(self, prompt: Prompt, sampling: Sampling, halt: Halt) -> Generation:
        self._note_request(prompt, sampling)
        return self._note_samples(prompt, sampling, await super().watch(prompt, sampling, halt))

    def _note_request(self, prompt: Prompt, sampling: Sampling) -> None:
        self.temperatures.add(sampling.temperature)
        # A model of another alphabet is given the text alone.
        ended = ord(END) in prompt.token_ids if prompt.token_ids else prompt.text in self.ended
        request = f"asked to go on from {prompt.text!r}, where the model had ended"
        assert not (prompt.problem == PROBLEM and ended), request

    def _note_samples(
        self, prompt: Prompt, sampling: Sampling, generation: Generation
    ) -> Generation:
        if prompt.problem == PROBLEM:
            pieces = generation.completions
            self.ended |= {prompt.text + c.text for c in pieces if c.finish is Finish.EOS}
            self.steps |= {id(c): c for c in pieces if sampling.stop}
        else:
            self.asked += generation.completions
        return generation


class Uneven(Witness):
    """A model whose third request never ends."""

    async def _wait(self) -> None:
        if self.usage.requests == 3:
            await asyncio.sleep(60)
        await super()._wait()


class CallTally:
    """A `Verdict` that counts how often it scores each step after the same parent."""

    def __init__(self, backend: Witness) -> None:
        self.backend = backend
        self.judged = Counter[tuple[Any, ...]]()

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        return Usage()

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        for *before, last in (c.completions for c in candidates):
            if id(last) in self.backend.steps:
                self.judged[*map(id, before), last.text] += 1
        return await Verdict().score(problem, candidates)
