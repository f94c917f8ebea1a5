"""kill -9 at any moment: a benchmark that is run again ends as if nothing had happened."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import Any

import pytest

from reasoner.benchmarks.store import database
from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.store import read
from reasoner.cli import main
from tests.benchmarks.tables import finished, sql

BENCH = [
    "bench", "--model", "scripted", "--backend", "scripted(delay=0.05)", "--task", "dagmath",
    "--problems", "30", "--n", "8", "--search-n", "8", "--concurrency", "6", "--json",
    "--strategy", "best-of-n,beam,mcts(parallel=1),deepconf(warmup=4,parallel=2),adaptive-majority",
]  # fmt: skip
"""A search whose simulations run at once depends on which ends first, killed or not: one at a time here."""
EACH = "CREATE TRIGGER each_call AFTER INSERT ON calls BEGIN"
EACH += " INSERT INTO answered VALUES (new.key, new.problem, new.call); END"

UNDER_WAY = "SELECT count(*) FROM calls"

forked = multiprocessing.get_context("forkserver")
"""Starts processes that have the libraries loaded already."""
forked.set_forkserver_preload(["reasoner.cli", "reasoner.benchmarks.reports.bench", __name__])


def prepared(out: Path) -> Path:
    """A folder where every call that is kept is noted in a table of its own."""
    Database(out).close()
    sql(out, "CREATE TABLE answered (key, problem, call)")
    sql(out, EACH)
    return out


def killed(out: Path, moment: Random) -> int:
    """Kill a run at some moment of its work; tell how many calls of unfinished problems it leaves."""
    before = sql(out, "SELECT count(*) FROM answered")
    run = started(out)
    assert run.pid
    while sql(out, "SELECT count(*) FROM answered") == before:
        assert run.is_alive()
        time.sleep(0.01)
    time.sleep(moment.uniform(0.0, 0.2))
    while not sql(out, UNDER_WAY)[0][
        0
    ]:  # On a fast machine, a problem of one call is seldom seen open.
        assert run.is_alive()
        time.sleep(0.002)
    os.kill(run.pid, signal.SIGKILL)
    run.join()
    assert run.exitcode == -signal.SIGKILL
    return int(sql(out, UNDER_WAY)[0][0])


def bench(out: Path) -> None:
    """Run it to the end."""
    run = started(out)
    run.join()
    assert run.exitcode == 0


def started(out: Path) -> BaseProcess:
    """A benchmark in a process of its own."""
    run: BaseProcess = forked.Process(target=traced, args=([*BENCH, "--out", str(out)],))
    run.start()
    return run


def traced(arguments: list[str]) -> None:
    """Run a command that takes a database with a trigger, which others are refused."""
    setattr(database, "_check_tables", lambda *_, **__: None)  # noqa: B010
    sys.exit(main(arguments))


def told(out: Path) -> dict[str, Any]:
    """All records and trees without the seconds, and all calls that were ever answered."""
    found: dict[str, Any] = {}
    for spec in Grid.load(out).specs():
        for record in read(out, spec):
            row = record.model_dump()
            assert row["spend"].pop("seconds") > 0
            found[f"{spec.label} {record.problem}"] = row
    for key, problem, tree in sql(out, "SELECT key, problem, tree FROM trees"):
        found[f"tree {key} {problem}"] = json.loads(tree)
    return found


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_again_and_again_it_ends_as_if_it_had_not_been(tmp_path: Path, kills: int) -> None:
    whole, cut, moment = prepared(tmp_path / "whole"), prepared(tmp_path / "cut"), Random(9)
    bench(whole)
    kept = [killed(cut, moment) for _ in range(kills)]
    assert sum(k > 0 for k in kept) > kills / 2, "most kills come while problems are under way"
    assert 0 < finished(cut) < finished(whole)
    bench(cut)
    assert told(cut) == told(whole)
    everything = "SELECT key, problem, call FROM answered ORDER BY key, problem, call"
    calls = sql(cut, everything)
    assert len(calls) == len(set(calls)), "a finished call was asked again"
    assert calls == sql(whole, everything)
    assert sql(cut, "SELECT * FROM calls") == []
