"""Scaling out: what is computed of measurements, and a simulation whose limits are known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.benchmarks.studies.scale_out import (
    Measurement,
    document,
    driver_costs,
    efficiencies,
)
from reasoner.benchmarks.studies.scale_simulation import (
    DriverCosts,
    SimulatedFleet,
    Simulation,
    draw,
    million,
    sizes,
    uncached,
)
from reasoner.benchmarks.workers.outbox import LINGER

FREE = DriverCosts(0.0, 0.0, way=0.0)


def row(engines: int, exchanges: int, seconds: float, cpu: float) -> Measurement:
    """Return a measurement of a hundred problems on each engine."""
    problems = 100 * max(1, engines)
    return Measurement(engines, 4, problems, 5 * problems, exchanges, seconds, cpu, 1000 * problems)


def test_costs_and_efficiency_of_a_driver_that_is_known() -> None:
    counts = {1: 500, 4: 1200, 16: 3000}
    rows = [row(n, c, 10 * n**0.05, 0.0005 * c + 0.001 * 100 * n) for n, c in counts.items()]
    stored = document([row(0, 0, 9.0, 0.1), *rows], {"commit": "c"})
    exchange, problem = driver_costs(stored["runs"])
    assert exchange == pytest.approx(0.0005)
    assert problem == pytest.approx(0.001)
    assert efficiencies(rows) == {
        (1, 4): 1.0, (4, 4): pytest.approx(4**-0.05), (16, 4): pytest.approx(16**-0.05),
    }  # fmt: skip
    assert [run["cpu_ms"] for run in stored["runs"][1:]] == pytest.approx([3.5, 2.5, 1.9375])


@given(st.integers(1, 6), st.integers(1, 6), st.floats(0.01, 5.0))
def test_engines_of_a_free_driver_wait_for_reports_alone(
    engines: int, live: int, step: float
) -> None:
    outcome = Simulation(SimulatedFleet(engines, live, 4, step), FREE, 100 * engines * live).run()
    # A call waits for its report, and sometimes for the one before; finishing takes one more.
    most = 1 + 3 * LINGER
    assert 1 / most - 0.02 <= outcome.efficiency <= 1.02
    assert outcome.busy == outcome.queue == 0.0


def test_a_slow_driver_is_the_limit() -> None:
    costs = DriverCosts(0.0, 0.01)
    outcome = Simulation(SimulatedFleet(50, 8, 5, 0.05), costs, 3000).run()
    assert outcome.busy > 0.98
    assert outcome.problems / outcome.seconds == pytest.approx(100, rel=0.1)
    assert outcome.queue > 10


def test_the_same_seed_is_the_same_simulation() -> None:
    one, other = (
        Simulation(SimulatedFleet(3, 4, 5, 1.0), DriverCosts(0.001, 0.001), 500) for _ in "ab"
    )
    assert one.run() == other.run()


def test_scattered_calls_compute_their_prompts() -> None:
    recorded = {"generated_tokens": 100, "prompt_tokens_fresh": 100, "prompt_tokens_cached": 400}
    slow = uncached(recorded)
    assert slow == 3.0
    fleet = SimulatedFleet(2, 4, 5, 1.0, slow)
    assert Simulation(fleet, FREE, 2000).run().efficiency == pytest.approx(1 / 3, rel=0.1)


def test_every_problem_is_finished_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reasoner.benchmarks.studies.scale_simulation.MILLION", 20_000)
    whole = million(FREE, 2.0)
    assert whole["problems"] >= 13_000
    assert whole["store_bytes"] == 40_000


def test_the_figure(tmp_path: Path) -> None:
    outcome = Simulation(SimulatedFleet(1, 1, 1, 1.0), FREE, 10).run()
    rows = [
        {"case": "1 s", "engines": n, "efficiency": outcome.efficiency, "busy": 0.1}
        for n in sizes()
    ]
    draw(rows, "a caption", tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["scale-out.png", "scale-out.svg"]


def test_sizes() -> None:
    assert list(sizes()) == [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    assert json.dumps(list(sizes(10))) == "[1, 2, 5, 10]"
