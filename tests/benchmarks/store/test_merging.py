"""Shards: a run in parts, on machines of their own, that ends as one run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reasoner.benchmarks.runner.shard import Shard
from reasoner.benchmarks.store.database import Database
from reasoner.cli import main
from reasoner.errors import ConfigError

Captured = pytest.CaptureFixture[str]
BENCH = [
    "bench", "--model", "scripted", "--task", "countdown", "--strategy", "majority,beam", "--n", "1,4",
    "--problems", "7", "--json",
]  # fmt: skip


def bench(out: Path, *more: str) -> None:
    assert main([*BENCH, "--out", str(out), *more]) == 0


def rows(folder: Path) -> dict[str, list[object]]:
    """Return records and trees without the seconds, which differ from run to run."""
    with Database.reading(folder) as database:
        assert database
        records = database.execute("SELECT key, problem, place, record FROM records ORDER BY 1, 2")
        trees = database.execute("SELECT key, problem FROM trees ORDER BY 1, 2")
    stripped = list[object]()
    for key, problem, place, record in records:
        fields = json.loads(record)
        fields["spend"].pop("seconds")
        stripped.append((key, problem, place, fields))
    return {"records": stripped, "trees": list(trees)}


def test_shards_together_are_the_run_in_one(tmp_path: Path, capsys: Captured) -> None:
    bench(tmp_path / "one")
    shards = [tmp_path / f"shard-{i}" for i in (1, 2, 3)]
    for i, folder in enumerate(shards, start=1):
        bench(folder, "--shard", f"{i}/3")
    capsys.readouterr()
    whole = tmp_path / "whole"
    assert main(["merge", *map(str, shards), "--out", str(whole), "--json"]) == 0
    merged, err = capsys.readouterr()
    assert err == ""
    assert rows(whole) == rows(tmp_path / "one")
    for file in ("grid.json", "spec.yaml"):
        assert (whole / file).read_text() == (tmp_path / "one" / file).read_text()
    assert [p["accuracy"] for p in json.loads(merged)["summary"]] == [
        p["accuracy"] for p in json.loads((tmp_path / "one" / "summary.json").read_text())
    ]


def test_a_run_with_missing_shards_is_finished_where_it_is(
    tmp_path: Path, capsys: Captured
) -> None:
    bench(tmp_path / "part", "--shard", "2/3")
    whole = tmp_path / "whole"
    assert main(["merge", str(tmp_path / "part"), "--out", str(whole)]) == 0
    assert "15 attempts have no record; merge the other shards, or finish them by" in (
        capsys.readouterr().err
    )
    before = rows(whole)["records"]
    assert main(["bench", "--spec", str(whole / "spec.yaml"), "--out", str(whole)]) == 0
    after = rows(whole)["records"]
    assert len(after) == 21 and all(record in after for record in before)
    assert main(["merge", str(tmp_path / "part"), "--out", str(whole)]) == 0
    assert rows(whole)["records"] == after


def test_a_record_without_an_error_wins(tmp_path: Path) -> None:
    bench(tmp_path / "good", "--shard", "1/2")
    bench(tmp_path / "bad", "--shard", "1/2", "--backend", "scripted")
    with Database(tmp_path / "bad") as database:
        database.execute(
            "UPDATE records SET error = 'gone', record = json_set(record, '$.error', 'gone')"
        )
    for order in (("bad", "good"), ("good", "bad")):
        whole = tmp_path / "-".join(order)
        argv = ["merge", *(str(tmp_path / name) for name in order), "--out", str(whole), "--json"]
        assert main(argv) == 0
        assert rows(whole) == rows(tmp_path / "good")


def test_other_runs_and_no_runs_are_refused_in_one_line(tmp_path: Path, capsys: Captured) -> None:
    bench(tmp_path / "a")
    bench(tmp_path / "b", "--seed", "1")
    for arguments, message in {
        ("a", "b"): "its seed is 1, not 0; merge the shards of one run",
        ("a", "none"): "none",
    }.items():
        capsys.readouterr()
        argv = ["merge", *(str(tmp_path / a) for a in arguments), "--out", str(tmp_path / "whole")]
        assert main(argv) == 2
        err = capsys.readouterr().err
        assert message in err and err.count("\n") == 1
    assert main(["merge", str(tmp_path / "a"), "--out", str(tmp_path / "a")]) == 2


@pytest.mark.parametrize(
    "text", ["", "0/2", "3/2", "1/0", "1", "1/2/3", "-1/2", "1/99999999", "a/b", "1/2\n"]
)
def test_wrong_shards(text: str) -> None:
    with pytest.raises(ConfigError, match="is no shard; write one as in 2/8"):
        Shard.parse(text)


def test_every_problem_is_in_one_shard() -> None:
    shards = [Shard.parse(f"{i}/4") for i in range(1, 5)]
    assert all(sum(shard.holds(i) for shard in shards) == 1 for i in range(20))
