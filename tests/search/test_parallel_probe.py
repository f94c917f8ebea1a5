"""Branches are asked as they grow; what agrees stops all, what strays is abandoned, and every probe is paid."""

from __future__ import annotations

import random
from itertools import count

from reasoner.backends.scripted import END, Scripted
from reasoner.events import AnswerOffered, Event, Result, Stopped
from reasoner.search.parallel_probe import ParallelProbe
from reasoner.solving import solve
from reasoner.testing import conformance
from reasoner.types import Problem, Prompt, Sampling

STEP = 4

TestProbed = conformance(lambda n=8: ParallelProbe(n=n, interval=9, tokens=40, stable=2))


class Minds(Scripted):
    """Branch i writes a line of four tokens for each letter of `minds[i]`, and states the latest when probed."""

    def __init__(self, *minds: str) -> None:
        super().__init__(reply=self.follow, judge=None)
        self.minds, self.numbers = minds, count()

    def follow(self, prompt: Prompt, _: random.Random) -> str:
        text = prompt.text
        if text.endswith("?"):
            return text[-STEP] + END
        number = int(text[0]) if text else next(self.numbers)
        lines = "".join(f"{number}{letter}.." for letter in self.minds[number])
        return lines[len(text) :] + END


def stated(text: str) -> str:
    """Return the last letter."""
    return [x for x in text if x.isalpha()][-1]


async def probe(*minds: str, stable: int = 9, patience: int = 9) -> tuple[Result, Minds, list[str]]:
    """Search with a branch for each mind; return what was offered, too."""
    backend, heard = Minds(*minds), list[Event]()
    strategy = ParallelProbe(
        n=len(minds), interval=STEP, stable=stable, patience=patience, tokens=2, probe="?"
    )
    result = await solve(
        Problem("p", "?"), strategy, backend, sampling=Sampling(max_tokens=60), extract=stated,
        listen=heard.append,
    )  # fmt: skip
    assert result.usage == backend.usage and result.stopped is Stopped.DONE
    return result, backend, [e.answer or "" for e in heard if isinstance(e, AnswerOffered)]


def lines(result: Result) -> list[int]:
    """Return how many tokens each branch has grown, without the probes."""
    grown = [0] * 9
    for node in result.trace:
        text = result.trace.prompt(node).text
        if text and "?" not in text:
            grown[int(text[0])] = max(grown[int(text[0])], node.length)
    return [size for size in grown if size]


async def test_a_majority_that_lasts_stops_all() -> None:
    """The majority is b, a, a: after three lines the second a is the second in a row."""
    result, backend, offered = await probe("aaaaa", "baaaa", "bbaaa", stable=2)
    assert result.answer == "a" and offered == ["b", "a", "a"]
    assert lines(result) == [12, 12, 12]
    # Nine pieces of four tokens, and nine probes of two.
    assert backend.usage.completion_tokens == 9 * 4 + 9 * 2
    # One request for the first pieces, then one for each piece and probe.
    assert backend.usage.requests == 1 + 6 + 9


async def test_a_branch_that_strays_is_abandoned() -> None:
    result, backend, _ = await probe("aaaa", "aaaa", "bbbb", patience=2)
    assert result.answer == "a" and lines(result) == [17, 17, 8]
    assert backend.usage.completion_tokens == 17 + 17 + 8 + 2 * (3 + 3 + 2 + 2)


async def test_a_branch_that_comes_back_is_not() -> None:
    result, _, _ = await probe("aaaa", "aaaa", "abab", patience=2)
    assert lines(result) == [17, 17, 17]


async def test_a_branch_that_has_ended_votes_and_is_not_asked() -> None:
    result, backend, offered = await probe("a", "bb", "aaa")
    assert result.answer == "a" and lines(result) == [5, 9, 13]
    assert offered[-1] == "a"
    # Before each piece that is not the first: 3 probes, then 2 of the longer branches, then 1.
    assert backend.usage.completion_tokens == 5 + 9 + 13 + 2 * (3 + 2 + 1)


async def test_a_longer_interval_asks_less_often() -> None:
    costs = list[int]()
    for interval in (1, 2, 8):
        backend = Minds("aaaa", "aaaa")
        strategy = ParallelProbe(n=2, interval=STEP * interval, tokens=2, probe="?", stable=2)
        await solve(Problem("p", "?"), strategy, backend, extract=stated)
        costs.append(backend.usage.completion_tokens)
    assert costs == [2 * (8 + 4), 2 * (16 + 4), 2 * (17 + 0)]
