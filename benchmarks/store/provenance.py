"""The provenance of results: every session of every experiment, for environment.json and captions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from reasoner.benchmarks.store.engine_throughput import throughput
from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.records import Spec
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.files import save_json
from reasoner.naming import base_names

Json = dict[str, Any]


def environment(runs: Sequence[RunFolder]) -> Json:
    """Return the software, hardware and command behind the results of `runs`.

    At the top is the session that began most of the experiments. `sessions` lists all sessions from the
    first to the last, each with the experiments that it began; `engine` lists the throughput of each run.
    A session that only added problems to an experiment is left out.
    """
    sessions = sorted(_sessions(runs), key=lambda session: str(session.get("date", "")))
    most = max(sessions, key=lambda session: len(session["experiments"]), default={})
    used = [rate.model_dump() for run in runs if (rate := throughput(run.path))]
    top = {part: value for part, value in most.items() if part != "experiments"}
    grid = runs[0].grid
    return {"seed": grid.seed, "split": grid.split, **top, "engine": used, "sessions": sessions}


def save(runs: Sequence[RunFolder], out: Path) -> Path:
    """Write environment.json."""
    return save_json(environment(runs), out / "environment.json")


def caption(runs: Sequence[RunFolder]) -> str:
    """Return the caption of a figure: how the results of `runs` were made."""
    return small_print(runs[0].grid, environment(runs))


def small_print(grid: Grid, about: Mapping[str, Any]) -> str:
    """Return split, model, verifier, machine, commits and dates as one line."""
    machine, sessions = about.get("hardware", {}), about.get("sessions") or [about]
    commits = list(dict.fromkeys(session.get("commit") or "not recorded" for session in sessions))
    dates = list(dict.fromkeys(str(session.get("date", ""))[:10] for session in sessions))
    parts = [
        f"95 % intervals over problems of split {grid.split}",
        base_names(f"model {grid.model}, verifier {grid.verifier}"),
        machine.get("gpu") or f"{machine.get('cores')} cores, {machine.get('cpu')}",
        f"commit{'s' if len(commits) > 1 else ''} {', '.join(commits)}",
        " to ".join(dates[:: max(1, len(dates) - 1)]),
    ]
    return "  ·  ".join(parts)


def _sessions(runs: Sequence[RunFolder]) -> list[Json]:
    sessions = dict[str, Json]()
    for spec, about in _environments(runs):
        key = str((about.get("date"), about.get("command")))
        session = sessions.setdefault(key, {**about, "experiments": list[str]()})
        session["experiments"].append(spec.label)
    return list(sessions.values())


def _environments(runs: Sequence[RunFolder]) -> Iterator[tuple[Spec, Json]]:
    for run in runs:
        for spec in run.grid.specs():
            if header := run.header(spec):
                yield spec, header.environment
