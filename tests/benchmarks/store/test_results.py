"""Every committed result tells where it comes from, and none comes from a tree with changes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests import ROOT

RESULTS = ROOT / "benchmarks" / "results"
FILES = sorted(RESULTS.rglob("*.json"))
Json = dict[str, Any]


def about(file: Path) -> Json:
    """Return the provenance of a result: itself, a part of it, or the file beside it."""
    told = json.loads(file.read_text())
    if isinstance(told, dict) and "commit" in told:
        return {**told, **told.get("plan", {}).get("grid", {})}
    if isinstance(told, dict) and "environment" in told:
        return dict(told["environment"])
    return dict(json.loads((file.parent / "environment.json").read_text()))


def test_there_are_results() -> None:
    assert len(FILES) > 10


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(RESULTS)))
def test_a_result_tells_commit_command_machine_versions_and_seed(file: Path) -> None:
    told = about(file)
    assert "seed" in told
    for session in (told, *told.get("sessions", ())):
        assert re.fullmatch("[0-9a-f]{12}", session["commit"])
        assert session["command"] and session["python"] and session["date"]
        # The distribution was first named `reasoner`.
        assert session["packages"].keys() & {"test-time-compute", "reasoner"}
        assert session["hardware"]["cpu"]


@pytest.mark.parametrize("folder", ["full", "comparison"])
def test_every_point_is_of_one_session(folder: str) -> None:
    rows = json.loads((RESULTS / folder / "comparison.json").read_text())
    told = json.loads((RESULTS / folder / "environment.json").read_text())
    made = [label for session in told["sessions"] for label in session["experiments"]]
    assert len(made) == len(set(made))
    pools = {label.rpartition("=")[0] for label in made if " best-of-n n=" in label}
    for row in rows:
        pooled = row["strategy"] in ("majority", "weighted", "best-of-n")
        label = f"{row['task']} {row['strategy']} n={row['n']}"
        assert (f"{row['task']} best-of-n n" in pools) if pooled else (label in made)
