"""Whom it gives up, when, and who votes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.backends.scripted import END, Scripted
from reasoner.events import Result
from reasoner.search.deepconf import DeepConf, Gate, quantile
from reasoner.solving import solve
from reasoner.testing import conformance
from reasoner.types import Completion, Finish, Problem, Prompt
from tests.search.common.test_running_vote import empty
from tests.search.test_adaptive_majority import stated

PROBLEM = Problem("p", "?")
values = st.lists(st.floats(0, 20), min_size=1, max_size=40)


def small(n: int = 8) -> DeepConf:
    return DeepConf(n=n, warmup=3, keep=0.5, window=4)


TestWatched = conformance(small)


def trust(_: Prompt, text: str) -> float:
    """A line of nines is trusted, one of ones is not."""
    return int(text.splitlines()[-1][-1]) / 10


async def search(strategy: DeepConf, solutions: Iterable[str], delay: float = 0) -> Result:
    """Every solution is a word of digits, a line each, then `#` and its answer."""
    rest = iter(solutions)

    def reply(*_: object) -> str:
        solution = next(rest)
        steps, answer = solution[:-1], solution[-1]
        return "".join(f"{d * 4}\n" for d in steps) + f"#{answer}9{END}"

    backend = Scripted(reply=reply, judge=trust, delay=delay)
    result = await solve(PROBLEM, strategy, backend, extract=stated)
    assert result.usage == backend.usage
    return result


def pieces(result: Result) -> list[Completion]:
    return [n.completion for n in result.trace if n.completion]


@given(values=values, window=st.integers(1, 12))
def test_the_lowest_group_is_the_lowest_mean_of_a_full_window(
    values: list[float], window: int
) -> None:
    run = empty()
    piece = Completion("a", tuple(range(len(values))), Finish.EOS, confidences=tuple(values))
    node = run.trace.add(run.trace.root, piece)
    groups = [values[i : i + window] for i in range(len(values) - window + 1)] or [values]
    expected = min(map(fmean, groups))
    assert Gate(run, window).lowest(node) == pytest.approx(expected, abs=1e-9)


@given(values=values, share=st.floats(0, 1))
def test_the_bar_is_the_percentile(values: list[float], share: float) -> None:
    assert quantile(values, share) == pytest.approx(np.quantile(values, share), abs=1e-9)


@given(values=values, window=st.integers(1, 12), bar=st.floats(0, 20), at_once=st.integers(1, 5))
def test_the_judge_gives_up_at_the_first_full_window_below_the_bar(
    values: list[float], window: int, bar: float, at_once: int
) -> None:
    gate = Gate(empty(), window)
    gate.bar = bar
    halt = gate.watch()
    told = [values[i : i + at_once] for i in range(0, len(values), at_once)]
    given_up = next((i for i, part in enumerate(told) if halt(part)), None)
    ends = range(window, len(values) + 1)
    low = [end for end in ends if fmean(values[end - window : end]) < bar - 1e-9]
    close = [end for end in ends if abs(fmean(values[end - window : end]) - bar) <= 1e-9]
    if not close:
        assert given_up == ((low[0] - 1) // at_once if low else None)


async def test_a_sample_that_falls_below_the_bar_is_given_up_at_once_and_has_no_vote() -> None:
    # The bar is the lowest group of 999a: 18 (of 20). One of 929b falls below it with the first
    # token of its second line: (18 + 18 + 18 + 4) / 4. (Every fifth token is the end of the line.)
    strategy = DeepConf(n=6, warmup=2, keep=1, window=4, parallel=1)
    result = await search(strategy, ["999a", "999c", "929b", "929b", "929b", "999a"])
    finishes = [p.finish for p in pieces(result)]
    assert finishes == [Finish.EOS] * 2 + [Finish.ABORTED] * 3 + [Finish.EOS]
    assert {p.text for p in pieces(result) if p.finish is Finish.ABORTED} == {"9999\n2"}
    assert result.answer == "a9"


async def test_nothing_is_given_up_during_the_warm_up() -> None:
    result = await search(DeepConf(n=8, warmup=8, window=2), ["111a", "999b"] * 4)
    assert [p.finish for p in pieces(result)] == [Finish.EOS] * 8


async def test_a_solution_of_the_warm_up_below_the_bar_has_no_vote() -> None:
    low = DeepConf(n=4, warmup=4, keep=0.1, window=4)
    high = DeepConf(n=4, warmup=4, keep=1, window=4, consensus=1)
    solutions = ["444a", "444a", "444a", "999b"]
    assert (await search(low, solutions)).answer == "b9"
    assert (await search(high, solutions)).answer == "a9", "three votes of 8 against one of 18"


async def test_who_votes_has_as_many_votes_as_the_lowest_group_is_sure() -> None:
    strategy = DeepConf(n=4, warmup=4, keep=1, window=4, consensus=1)
    assert (await search(strategy, ["292a", "292a", "292a", "999b"])).answer == "b9"


@pytest.mark.parametrize(
    ("solutions", "consensus", "drawn"),
    [
        (["999a"] * 4, 0.95, 4),
        (["999a", "999b", *["999a"] * 4], 0.75, 4),
        (["999a", "999b", *["999a"] * 6], 0.8, 5),
        (["999a", "999b", *["999a"] * 8], 0.95, 8),
    ],
)
async def test_it_ends_once_the_weight_agrees(
    solutions: list[str], consensus: float, drawn: int
) -> None:
    strategy = DeepConf(n=8, warmup=4, keep=1, window=4, consensus=consensus, parallel=1)
    assert len(pieces(await search(strategy, solutions))) == drawn


async def test_the_consensus_is_that_of_all_whole_solutions_not_of_the_few_that_vote() -> None:
    strategy = DeepConf(n=6, warmup=4, keep=0.1, window=4, parallel=1)
    result = await search(strategy, ["444a", "444a", "444a", "999b", "999b", "999b"])
    assert len(pieces(result)) == 6
    assert result.answer == "b9"


async def test_what_runs_at_the_consensus_is_given_up_and_counted() -> None:
    class Slow(Scripted):
        """The first of those under watch comes long before the others."""

        async def _wait(self) -> None:
            self.delay = 0.0 if self.usage.requests < 3 else 0.02
            await super()._wait()

    answers = iter(["a", "b", *["a"] * 6])
    backend = Slow(reply=lambda *_: f"9999\n9999\n#{next(answers)}9{END}", judge=trust)
    strategy = DeepConf(n=8, warmup=2, keep=1, window=4, consensus=0.6, parallel=4)
    result = await solve(PROBLEM, strategy, backend, extract=stated)
    late = [p for p in pieces(result) if p.finish is Finish.ABORTED]
    assert [len(p.token_ids) for p in late] == [1, 1, 1]
    assert result.usage == backend.usage
    assert result.answer == "a9"


async def test_at_most_parallel_samples_are_watched_at_once() -> None:
    class Watched(Scripted):
        most = 0

        async def _wait(self) -> None:
            self.most = max(self.most, self.running + 1)
            await super()._wait()

    answers = cycle("ab")
    backend = Watched(reply=lambda *_: f"9999\n#{next(answers)}9{END}", judge=trust, delay=0.001)
    strategy = DeepConf(n=20, warmup=4, keep=1, window=4, parallel=3)
    result = await solve(PROBLEM, strategy, backend, extract=stated)
    assert backend.most == 3
    assert len(pieces(result)) == 20
