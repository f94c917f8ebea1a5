"""Where results come from: every session of every experiment, for environment.json and small print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from reasoner.benchmarks.store.engine_throughput import throughput
from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.records import Spec
from reasoner.benchmarks.store.store import read_header
from reasoner.files import save_json

Run = tuple[Grid, Path]
"""What was asked, and the folder of what came of it."""
Json = dict[str, Any]


def environment(runs: Sequence[Run]) -> Json:
    """Where and with what the results of `runs` were made.

    At the top is the session that began most of the experiments. `sessions` has all of them from the
    first to the last, each with the experiments that it began; `engine` has what each run tells of the
    time that sampling took. A session that only added problems to an experiment is not told.
    """
    every = sorted(_sessions(runs), key=lambda session: str(session.get("date", "")))
    most = max(every, key=lambda session: len(session["experiments"]), default={})
    used = [told.model_dump() for _, out in runs if (told := throughput(out))]
    top = {part: value for part, value in most.items() if part != "experiments"}
    grid = runs[0][0]
    return {"seed": grid.seed, "split": grid.split, **top, "engine": used, "sessions": every}


def save(runs: Sequence[Run], out: Path) -> Path:
    """Write environment.json."""
    return save_json(environment(runs), out / "environment.json")


def caption(runs: Sequence[Run]) -> str:
    """The small print of a picture: how the results of `runs` were made."""
    return small_print(runs[0][0], environment(runs))


def small_print(grid: Grid, about: Mapping[str, Any]) -> str:
    """Split, model, verifier, machine, commits and dates."""
    machine, every = about.get("hardware", {}), about.get("sessions") or [about]
    commits = list(dict.fromkeys(str(session.get("commit")) for session in every))
    dates = list(dict.fromkeys(str(session.get("date", ""))[:10] for session in every))
    parts = [
        f"95 % intervals over problems of split {grid.split}",
        f"model {grid.model}, verifier {grid.verifier}",
        machine.get("gpu") or f"{machine.get('cores')} cores, {machine.get('cpu')}",
        f"commit{'s' if len(commits) > 1 else ''} {', '.join(commits)}",
        " to ".join(dates[:: max(1, len(dates) - 1)]),
    ]
    return "  ·  ".join(parts)


def _sessions(runs: Sequence[Run]) -> list[Json]:
    sessions = dict[str, Json]()
    for spec, told in _headers(runs):
        key = str((told.get("date"), told.get("command")))
        session = sessions.setdefault(key, {**told, "experiments": list[str]()})
        session["experiments"].append(spec.label)
    return list(sessions.values())


def _headers(runs: Sequence[Run]) -> Iterator[tuple[Spec, Json]]:
    for grid, out in runs:
        for spec in grid.specs():
            if header := read_header(out, spec):
                yield spec, header.environment
