"""Particles are resampled without bias, and end up where the weights say they should."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.run import Run
from reasoner.search.particle import Particle, Swarm, effective, normalised, systematic
from reasoner.search.particle_gibbs import ParticleGibbs, parts
from reasoner.trace import Node
from tests.search.landscape import climb, model, written

weights = st.lists(st.floats(0, 1), min_size=1, max_size=20).filter(lambda w: sum(w) > 0.01)


@given(weights, st.integers(1, 50), st.integers(0, 1000))
def test_systematic_resampling_rounds_each_share_down_or_up(
    shares: list[float], n: int, seed: int
) -> None:
    counts = Counter(systematic(shares, n, Random(seed)))
    assert sum(counts.values()) == n
    for i, share in enumerate(shares):
        assert abs(counts[i] - n * share / sum(shares)) < 1 + 1e-6


class Fixed(Random):
    """Always draws the same."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def random(self) -> float:
        return self.value


@given(weights, st.integers(1, 20))
def test_systematic_resampling_is_unbiased(shares: list[float], n: int) -> None:
    grid = 400
    counts = Counter[int]()
    for k in range(grid):
        counts.update(systematic(shares, n, Fixed((k + 0.5) / grid)))
    for i, share in enumerate(shares):
        assert counts[i] / grid == pytest.approx(n * share / sum(shares), abs=2 / grid)


def test_equal_weights_are_resampled_to_themselves() -> None:
    assert systematic([1 / 7] * 7, 7, Random(0)) == list(range(7))


@given(st.lists(st.floats(-800, 800), min_size=1, max_size=20))
def test_weights_add_up_and_are_worth_one_to_all_of_them(logs: list[float]) -> None:
    scaled = normalised(logs)
    assert sum(scaled) == pytest.approx(1)
    assert 1 - 1e-9 <= effective(scaled) <= len(logs) + 1e-9


def odds(letters: str) -> float:
    """Three to one for an `a`, three to one against a `b`."""
    return 0.75 if letters.endswith("a") else 0.25


@dataclass(frozen=True)
class Share:
    """Takes a population through `sweeps` and records the share of those that start with `a`."""

    found: list[float]
    ess: float
    size: int
    sweeps: int = 1
    retain: bool = False

    async def search(self, run: Run) -> Node:
        swarm, reference = Swarm(run, 1.0, self.ess, "vote"), list[Node]()
        for _ in range(self.sweeps):
            particles, shares = await swarm.sweep(self.size, reference)
            starts = [written(run.trace, p)[0] == "a" for p in particles]
            self.found.append(sum(w for w, a in zip(shares, starts, strict=True) if a))
            if self.retain:
                [drawn] = run.rng.choices(particles, shares)
                reference = run.trace.path(drawn)[1:]
        return particles[0]


@pytest.mark.parametrize("ess", [0.0, 0.5, 0.95, 1.0])
async def test_when_to_resample_does_not_change_what_is_sampled(ess: float) -> None:
    """Each step multiplies by its odds: `a` first is 3 : 1/3 whatever follows."""
    found = list[float]()
    await climb(Share(found, ess, size=1500), model(odds))
    assert found[0] == pytest.approx(0.9, abs=0.02)


async def test_keeping_a_reference_makes_small_populations_right() -> None:
    few, gibbs = list[float](), list[float]()
    await climb(Share(few, 1.0, size=2, sweeps=300), model(odds))
    await climb(Share(gibbs, 1.0, size=2, sweeps=300, retain=True), model(odds))
    assert sum(few) / 300 < 0.85
    assert sum(gibbs) / 300 == pytest.approx(0.9, abs=0.03)


@dataclass(frozen=True)
class Retained:
    """Filters around the worst solution there is."""

    async def search(self, run: Run) -> Node:
        swarm, node = Swarm(run, 0.1, 1.0, "best"), run.trace.root
        while not node.terminal:
            children = await run.expand([node], n=20, step=True)
            node = min(children, key=lambda c: written(run.trace, c).count("a"))
            await swarm.siblings.merge([node])
        before = len(run.trace)
        particles, shares = await swarm.sweep(3, run.trace.path(node)[1:])
        assert particles[-1] is node and len(particles) == 4
        assert shares[-1] < 0.01
        assert len(run.trace) == before + 3 * 4  # The one that is kept was not sampled again.
        return particles[0]


async def test_the_reference_stays_whatever_it_weighs() -> None:
    result = await climb(Retained(), model(odds))
    assert result.answer


async def test_gibbs_draws_new_particles_to_what_it_retained() -> None:
    strategy = ParticleGibbs(n=20, iterations=20, temperature=0.001, ess=1.0)
    trace = (await climb(strategy, model(odds))).trace
    starts = [written(trace, node)[0] for node in trace.finished]
    assert len(starts) == 20
    assert "b" not in starts[starts.index("a") :]


async def test_resampling_waits_for_the_effective_sample_size() -> None:
    """With mild weights none is lost at 0.5, and at 1 some are."""

    def mild(letters: str) -> float:
        return 0.6 if letters.endswith("a") else 0.4

    patient = (await climb(Particle(n=12), model(mild, length=8))).trace
    eager = (await climb(Particle(n=12, ess=1.0), model(mild, length=8))).trace
    firsts = [{written(t, n)[0] for n in t.finished} for t in (patient, eager)]
    assert firsts[0] == {"a", "b"}
    ancestors = [len({t.path(n)[2] for n in t.finished}) for t in (patient, eager)]
    assert ancestors[0] > ancestors[1]


async def test_a_finished_particle_is_resampled_but_not_extended() -> None:
    result = await climb(Particle(n=8, ess=1.0), model(odds))
    assert all(not result.trace.children(node) for node in result.trace.finished)


@pytest.mark.parametrize("strategy", [Particle, ParticleGibbs])
@pytest.mark.parametrize("choose", ["best", "vote"])
@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
async def test_equal_scores_still_answer(
    strategy: type[Particle | ParticleGibbs], choose: Literal["best", "vote"], n: int, score: float
) -> None:
    result = await climb(strategy(n=n, choose=choose, ess=1.0), model(lambda _: score))
    assert result.candidate is not None and result.candidate.complete
    assert len([node for node in result.trace if node.depth == 1]) == n


async def test_a_low_temperature_follows_the_score_alone() -> None:
    def even(letters: str) -> float:
        return 0.51 if letters.endswith("a") else 0.5

    cold = (await climb(Particle(n=16, temperature=0.001, ess=1.0), model(even))).trace
    warm = (await climb(Particle(n=16, temperature=10, ess=1.0), model(even))).trace
    starts = [{written(t, n)[0] for n in t.finished} for t in (cold, warm)]
    assert starts == [{"a"}, {"a", "b"}]


@given(st.integers(1, 100), st.integers(1, 10))
def test_iterations_share_the_particles(n: int, count: int) -> None:
    sizes = parts(n, count)
    assert sum(sizes) == n and min(sizes) >= 1 and max(sizes) - min(sizes) <= 1
