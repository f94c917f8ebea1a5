"""It stops where one sample at a time would stop, however many run at once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from math import comb

import pytest

from reasoner.backends.scripted import END, Reply, Scripted
from reasoner.errors import ConfigError
from reasoner.events import AnswerOffered, Event
from reasoner.registry import strategies
from reasoner.run import Strategy
from reasoner.search.adaptive_majority import AdaptiveMajority, lead_probability
from reasoner.search.esc import ESC
from reasoner.solving import solve
from reasoner.types import Problem, Prompt

PROBLEM = Problem("p", "?")


def stated(solution: str) -> str | None:
    return solution.rpartition("#")[2] or None


def saying(answers: Iterable[str]) -> Reply:
    """Each sample states the next of `answers`; a space states none."""
    rest = iter(answers)
    return lambda *_: f"#{next(rest).strip()}{END}"


async def draw(reply: Reply, strategy: AdaptiveMajority, backend: Scripted | None = None) -> str:
    """The answers drawn, in order, after a colon that follows the one chosen."""
    backend = backend or Scripted(reply=reply)
    result = await solve(PROBLEM, strategy, backend, extract=stated)
    assert result.usage == backend.usage
    return f"{result.answer}:{''.join(c.answer or ' ' for c in result.candidates)}"


def integral(first: int, second: int, parts: int = 20_000) -> float:
    """The mass of Beta(first + 1, second + 1) above one half, by the midpoint rule."""
    at = [(i + 0.5) / parts for i in range(parts)]
    mass: list[float] = [pow(x, float(first)) * pow(1 - x, float(second)) for x in at]
    return sum(mass[parts // 2 :]) / sum(mass)


def exact(first: int, second: int) -> float:
    tosses = first + second + 1
    ways = sum(comb(tosses, k) for k in range(second + 1, tosses + 1))
    return float(Fraction(ways, 1 << tosses))


@pytest.mark.parametrize("first", [0, 1, 4, 13, 40])
@pytest.mark.parametrize("second", [0, 1, 3, 12])
def test_the_lead_probability_is_the_mass_of_the_beta_posterior(first: int, second: int) -> None:
    assert lead_probability(first, second) == pytest.approx(integral(first, second), abs=1e-6)
    assert lead_probability(first, second) == pytest.approx(exact(first, second), abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("counts", [(700, 650), (1000, 1000), (3000, 0), (5000, 4900)])
def test_the_lead_probability_holds_for_large_counts(counts: tuple[int, int]) -> None:
    assert lead_probability(*counts) == pytest.approx(exact(*counts), abs=1e-9)


@pytest.mark.parametrize(
    ("answers", "settings", "expected"),
    [
        ("aaaa", {}, "a:aaaa"),
        ("abaaaaa", {}, "a:abaaaaa"),
        ("bbabbbb", {}, "b:bbabbbb"),
        ("aaa", {"n": 5, "threshold": 0.99}, "a:aaa"),
        ("abab", {"n": 4}, "a:abab"),
        ("a aaa", {}, "a:a aaa"),
        ("   ", {"n": 3}, "None:   "),
        ("a", {"threshold": 0.5}, "a:a"),
        ("aa", {"ahead": 2}, "a:aa"),
        ("abcaa", {"ahead": 2}, "a:abcaa"),
        ("ababab", {"ahead": 2, "n": 6}, "a:ababab"),
        ("abbb", {"ahead": 9, "n": 4}, "b:abbb"),
    ],
)
async def test_it_stops_when_the_vote_is_settled(
    answers: str, settings: dict[str, float], expected: str
) -> None:
    assert await draw(saying(answers), AdaptiveMajority(**settings)) == expected  # type: ignore[arg-type]


def one_at_a_time(answers: Iterable[str], n: int, threshold: float) -> str:
    """The paper's loop, and its end where the outcome is certain."""
    drawn = list[str]()
    for answer in answers:
        drawn.append(answer)
        counts = Counter("".join(drawn).replace(" ", ""))
        (first, second) = [*(c for _, c in counts.most_common(2)), 0, 0][:2]
        left = n - len(drawn)
        if left == 0 or first - second > left or exact(first, second) > threshold:
            break
    return "".join(drawn)


@pytest.mark.parametrize("seed", range(40))
async def test_many_at_once_draw_no_more_than_one_at_a_time(seed: int) -> None:
    rng = random.Random(seed)
    n, threshold = rng.choice([7, 20, 40]), rng.choice([0.7, 0.95, 0.99])
    answers = rng.choices("aabc ", k=n)
    for parallel in (1, 3, 8):
        strategy = AdaptiveMajority(n=n, threshold=threshold, parallel=parallel)
        _, drawn = (await draw(saying(answers), strategy)).split(":")
        assert drawn == one_at_a_time(answers, n, threshold)


class Uneven(Scripted):
    """Some requests take longer than others."""

    most = 0

    async def _wait(self) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0.002 * (self.usage.requests * 7 % 5))
        self.running -= 1


def coin(_: Prompt, rng: random.Random) -> str:
    return f"#{rng.choice('aab')}{END}"


async def test_the_order_of_arrival_does_not_matter() -> None:
    alone = await draw(coin, AdaptiveMajority(threshold=0.99, parallel=1))
    backend = Uneven(reply=coin)
    crowd = await draw(coin, AdaptiveMajority(threshold=0.99, parallel=5), backend)
    assert backend.most == 5
    assert Counter(crowd) == Counter(alone) and len(alone) > 8


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [(AdaptiveMajority(n=8, parallel=1), "ab"), (ESC(n=8, window=2), "ba")],
)
async def test_the_leading_answer_is_offered_as_it_changes(
    strategy: Strategy, expected: str
) -> None:
    offered = list[str | None]()

    def listen(event: Event) -> None:
        if isinstance(event, AnswerOffered):
            offered.append(event.answer)

    answers = "abbbbbbb" if expected == "ab" else "b aaaaaa"
    await solve(PROBLEM, strategy, Scripted(reply=saying(answers)), extract=stated, listen=listen)
    assert "".join(map(str, offered)) == expected


def test_a_threshold_that_nothing_would_meet_is_refused() -> None:
    with pytest.raises(ConfigError, match="threshold"):
        strategies.make("adaptive-majority", threshold=1)
