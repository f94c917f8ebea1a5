"""Simulate a driver and up to a thousand engines, with the driver's measured costs.

    python -m reasoner.benchmarks.studies.scale_simulation [--costs benchmarks/results/scale-out] [--out DIR]

An engine has a number of problems in flight. Each takes steps; a step is a call. A call that ended waits
`linger` of a step, then goes to the driver with others that ended meanwhile, and the next step begins when
the driver has stored it. The driver serves one exchange at a time; `scale_out` measures what an exchange and
the calls in it cost. A step's seconds are those of an engine whose prefix cache has the share of prompt tokens
that it had in a recorded run; with every call at another engine, whose cache has none, each step takes longer
(`prompt`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from heapq import heappop, heappush
from pathlib import Path
from random import Random
from typing import Any

from reasoner.benchmarks.plots.style import FORMATS, save, style
from reasoner.benchmarks.store.environment import describe
from reasoner.benchmarks.studies.scale_out import FILE, driver_costs
from reasoner.benchmarks.workers.outbox import LINGER
from reasoner.files import save_json

PROGRAM = "python -m reasoner.benchmarks.studies.scale_simulation"
CASES = {"50 ms": 0.05, "0.5 s": 0.5, "5 s": 5.0}
LIVE, STEPS = 32, 5
"""Problems in flight at each engine, and calls of each: those of the measured search."""
MILLION = 1_000_000
RECORDED = "dagmath", "beam", 16
"""The recorded search whose share of cached prompt tokens counts."""
JITTER = 0.5
"""Calls last between 1 - JITTER and 1 + JITTER of the mean."""


@dataclass(frozen=True, slots=True)
class DriverCosts:
    """Seconds of the driver's CPU for an exchange and for a problem with its calls, and of a message's way and back."""

    exchange: float
    problem: float
    way: float = 0.001


@dataclass(frozen=True, slots=True)
class SimulatedFleet:
    """Engines with `live` problems in flight each; a problem has `steps` steps of `step` seconds on average.

    `prompt` is by how much longer a step takes whose prefix is not cached.
    """

    engines: int
    live: int
    steps: int
    step: float
    prompt: float = 1.0


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """The result of a simulation.

    It ends when there is nothing left to begin: `problems` were finished by then. `efficiency` is the
    throughput over that of engines that never wait, with cached prefixes; `busy` the share of time in which the
    driver works, `queue` the mean number of reports that wait for it, `wait` their mean seconds there.
    """

    problems: int
    seconds: float
    efficiency: float
    busy: float
    queue: float
    wait: float
    exchanges: int


@dataclass(slots=True)
class SimulatedEngine:
    """An engine: calls that ended, problems that finished, and whether an exchange is under way."""

    ended: list[int] = field(default_factory=list[int])
    finished: int = 0
    away: bool = False


class Simulation:
    """Events in time order: ends of calls, arrivals of reports at the driver, and their answers."""

    def __init__(
        self, fleet: SimulatedFleet, costs: DriverCosts, problems: int, seed: int = 0
    ) -> None:
        self._fleet, self._costs = fleet, costs
        self._left = self._undone = problems
        self._random = Random(seed)
        self._engines = [SimulatedEngine() for _ in range(fleet.engines)]
        self._events = list[tuple[float, int, int, int, int]]()
        self._order = 0
        self._free_at = self._busy = self._waited = 0.0
        self._exchanges = self._calls = 0

    def run(self) -> SimulationResult:
        """Solve problems until those in flight are the last."""
        fleet, total, now = self._fleet, self._left, 0.0
        last = min(total // 2, fleet.engines * fleet.live)
        for _ in range(fleet.live):
            for number in range(fleet.engines):
                self._begin(now, number)
        handlers = self._end, self._arrive, self._answer
        while self._undone > last:
            now, _, kind, number, steps = heappop(self._events)
            handlers[kind](now, number, steps)
        done = total - self._undone
        ideal = self._calls * fleet.step / (fleet.engines * fleet.live)
        return SimulationResult(
            done, now, ideal / now, min(1.0, self._busy / now), self._waited / now,
            self._waited / self._exchanges, self._exchanges,
        )  # fmt: skip

    def _push(self, when: float, kind: int, number: int, steps: int = 0) -> None:
        self._order += 1
        heappush(self._events, (when, self._order, kind, number, steps))

    def _begin(self, now: float, number: int) -> None:
        """Begin a problem, if there is one left."""
        if self._left:
            self._left -= 1
            self._call(now, number, self._fleet.steps)

    def _call(self, now: float, number: int, steps: int) -> None:
        spread = 1 + JITTER * (2 * self._random.random() - 1)
        self._push(now + self._fleet.step * self._fleet.prompt * spread, 0, number, steps - 1)

    def _end(self, now: float, number: int, steps: int) -> None:
        """A call ends; so many `steps` of its problem are left."""
        self._calls += 1
        self._engines[number].ended.append(steps)
        self._report(now, number)

    def _report(self, now: float, number: int) -> None:
        engine = self._engines[number]
        if not engine.away:
            engine.away = True
            self._push(now + LINGER * self._fleet.step + self._costs.way / 2, 1, number)

    def _arrive(self, now: float, number: int, _: int) -> None:
        """A report is at the driver, with all that ended before it."""
        engine, costs = self._engines[number], self._costs
        each = costs.problem / self._fleet.steps
        cost = costs.exchange + each * len(engine.ended)
        self._waited += max(0.0, self._free_at - now)
        self._free_at = max(self._free_at, now) + cost
        self._busy += cost
        self._exchanges += 1
        self._push(self._free_at + costs.way / 2, 2, number, len(engine.ended))
        self._undone -= engine.finished
        engine.finished, done = 0, engine.finished
        for _ in range(done):
            self._begin(self._free_at + costs.way / 2, number)

    def _answer(self, now: float, number: int, stored: int) -> None:
        """The driver has stored calls: their problems go on, or are finished."""
        engine = self._engines[number]
        engine.away = False
        steps, engine.ended = engine.ended[:stored], engine.ended[stored:]
        for left in steps:
            if left:
                self._call(now, number, left)
            else:
                engine.finished += 1
        if engine.ended or engine.finished:
            self._report(now, number)


def sizes(most: int = 1000) -> Iterator[int]:
    """Yield numbers of engines from 1 to `most`, three for each power of ten."""
    for power in range(4):
        for digit in (1, 2, 5):
            if (size := digit * 10**power) <= most:
                yield size


def uncached(recorded: Mapping[str, float]) -> float:
    """Return by how much longer a step takes that computes its whole prompt, if all tokens take equally long."""
    new = recorded["generated_tokens"] + recorded["prompt_tokens_fresh"]
    return (new + recorded["prompt_tokens_cached"]) / new


def simulate(costs: DriverCosts, recorded: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return the outcome for each number of engines and each length of a step, and with scattered calls."""
    rows = list[dict[str, Any]]()
    cases = [(name, step, 1.0) for name, step in CASES.items()]
    for name, step, prompt in (*cases, ("5 s, calls scattered", 5.0, uncached(recorded))):
        for engines in sizes():
            fleet = SimulatedFleet(engines, LIVE, STEPS, step, prompt)
            problems = max(2_000, 4 * engines * LIVE)
            outcome = Simulation(fleet, costs, problems).run()
            rows.append({"case": name, **asdict(fleet), **asdict(outcome)})
    return rows


def million(costs: DriverCosts, size: float) -> dict[str, Any]:
    """Return the outcome of a million problems on as many engines as the driver serves, and the store's size."""
    fleet = SimulatedFleet(200, LIVE, STEPS, 5.0)
    outcome = Simulation(fleet, costs, MILLION).run()
    return {**asdict(fleet), **asdict(outcome), "store_bytes": size * MILLION}


def draw(rows: Sequence[Mapping[str, Any]], caption: str, out: Path) -> None:
    """Draw efficiency and the driver's load against the number of engines."""
    import matplotlib.pyplot as plt

    with plt.rc_context(style()):
        figure, panels = plt.subplots(1, 2, figsize=(8.4, 3.4), layout="constrained")
        names = list(dict.fromkeys(row["case"] for row in rows))
        for name, marker in zip(names, "osD^v", strict=False):
            line = [row for row in rows if row["case"] == name]
            engines = [row["engines"] for row in line]
            for axes, part in zip(panels, ("efficiency", "busy"), strict=True):
                axes.plot(engines, [row[part] for row in line], marker=marker, ms=4, label=name)
        for axes, title in zip(
            panels, ("efficiency", "share of time the driver works"), strict=True
        ):
            axes.set(xscale="log", xlabel="engines", title=title, ylim=(0, 1.05))
            axes.xaxis.set_major_formatter("{x:,.0f}")
        lines, _ = panels[0].get_legend_handles_labels()
        figure.legend(
            lines, [f"steps of {name}" for name in names], loc="outside upper left", ncols=4
        )
        figure.supxlabel(caption, fontsize=6)
        save(figure, [out / f"scale-out.{suffix}" for suffix in FORMATS])
        plt.close(figure)


def main(argv: Sequence[str] | None = None) -> None:
    """Simulate, draw and store."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--costs", type=Path, default=Path("benchmarks/results/scale-out"))
    parser.add_argument("--recorded", type=Path, default=Path("benchmarks/results/full"))
    parser.add_argument("--out", type=Path, default=Path("runs/scale-out"))
    options = parser.parse_args(argv)
    measured = json.loads((options.costs / FILE).read_text())
    summary = json.loads((options.recorded / "summary.json").read_text())
    recorded = next(r for r in summary if (r["task"], r["strategy"], r["n"]) == RECORDED)
    costs = DriverCosts(*driver_costs(measured["runs"]))
    size = max(run["bytes"] / run["problems"] for run in measured["runs"] if run["problems"] > 500)
    rows, whole = simulate(costs, recorded), million(costs, size)
    about = {**describe([], PROGRAM), "seed": None}  # Nothing is drawn.
    document = {"costs": asdict(costs), "cases": rows, "million": whole, "environment": about}
    save_json(document, options.out / "simulation.json")
    commit = measured["environment"]["commit"]
    draw(rows, f"simulated, with a driver measured at commit {commit}", options.out)
    print(json.dumps(whole))


if __name__ == "__main__":
    main()
