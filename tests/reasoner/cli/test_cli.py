"""The command line, as people and programs meet it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from reasoner.cli import main
from reasoner.search.auto import Auto
from tests.benchmarks.tables import finished, sql

SCRIPTED = ["--model", "scripted"]
TINY = ["bench", *SCRIPTED, "--task", "countdown", "--n", "1,2", "--problems", "3"]
Captured = pytest.CaptureFixture[str]


def test_solve_shows_steps_with_scores_and_the_answer(capsys: Captured) -> None:
    assert main(["solve", "12+30+41", *SCRIPTED, "--strategy", "beam", "--n", "8"]) == 0
    out = capsys.readouterr().out
    assert "12+30=42" in out and "answer: 83" in out and "0.667" in out
    assert "\x1b" not in out


def test_solve_json_is_one_document(capsys: Captured) -> None:
    command = ["solve", "12+30", *SCRIPTED, "--budget", "tokens=400,seconds=9", "--json"]
    assert main(command) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["answer"] == "42" and result["stopped"] == "done"
    assert result["usage"]["completion_tokens"] <= 400 and result["candidates"]


def test_bench_then_plot(tmp_path: Path, capsys: Captured) -> None:
    out = str(tmp_path / "run")
    assert main([*TINY, "--out", out, "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert main(["plot", out, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == first
    assert first["summary"] == json.loads((tmp_path / "run/summary.json").read_text())
    assert main(["plot", out]) == 0
    table = capsys.readouterr().out
    assert "countdown: 3 test problems" in table and "\x1b" not in table


@pytest.mark.parametrize("kind", [None, "strategies", "verifiers", "backends", "tools", "tasks"])
def test_list(kind: str | None, capsys: Captured) -> None:
    chosen = [kind] if kind else []
    assert main(["list", *chosen]) == 0
    plain = capsys.readouterr().out
    assert main(["list", *chosen, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == (chosen or ["strategies", "verifiers", "backends", "tools", "tasks"])
    assert all(name in plain for names in found.values() for name in names)


def test_fit_auto_resumes_and_writes_a_table_for_auto(tmp_path: Path, capsys: Captured) -> None:
    out = str(tmp_path / "fit")
    asked = ["--task", "countdown", "--problems", "6", "--arms", "best-of-n:8,beam:4", "--out", out]
    assert main(["fit-auto", *SCRIPTED, *asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["problems"] == 6 and told["files"][0] == f"{out}/auto.json"
    stored = sql(Path(out), "SELECT rowid, * FROM records")
    assert main(["fit-auto", *SCRIPTED, *asked]) == 0
    plain = capsys.readouterr().out
    assert "cross-validated" in plain and "beam:4" in plain and f"{out}/auto.json" in plain
    assert sql(Path(out), "SELECT rowid, * FROM records") == stored
    assert len(sql(Path(out), "SELECT key FROM specs")) == 2
    assert main(["plot", out, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["summary"]
    assert {"best-of-n", "beam"} <= {point["strategy"] for point in shown}
    assert Auto(table=f"{out}/auto.json")


COMMANDS = [
    "solve",
    "bench",
    "list",
    "plot",
    "fit-auto",
    "import-pool",
    "export-pool",
    "export",
    "rerank",
    "replay",
    "inspect",
]
BAD = {
    "strategy": (["solve", "1+2", *SCRIPTED, "--strategy", "beem"], "did you mean beam"),
    "verifier": (["solve", "1+2", *SCRIPTED, "--verifier", "verdikt"], "did you mean verdict"),
    "oracle": (["solve", "1+2", *SCRIPTED, "--verifier", "oracle"], "reasoner bench"),
    "task": (["bench", *SCRIPTED, "--task", "countdwn"], "did you mean countdown"),
    "backend": (["bench", "--backend", "vlm"], "did you mean vllm"),
    "zero budget": (["bench", *SCRIPTED, "--budget", "tokens=0"], "positive number"),
    "budget name": (["solve", "1", *SCRIPTED, "--budget", "tokns=9"], "did you mean tokens"),
    "endless budget": (["solve", "1", *SCRIPTED, "--budget", "flops=inf"], "positive number"),
    "number": (["bench", "--n", "many"], "not a positive whole number"),
    "zero": (["bench", "--problems", "0"], "not a positive whole number"),
    "command": (["benhc"], "invalid choice"),
    "no command": (["--nothing"], "required"),
    "arm": (["fit-auto", *SCRIPTED, "--arms", "beam"], "such as beam:8"),
    "arm name": (["fit-auto", *SCRIPTED, "--arms", "beem:8"], "did you mean beam"),
    "tolerance": (["fit-auto", "--tolerance", "2"], "not a share from 0 to 1"),
    "a file for a folder": (["fit-auto", *SCRIPTED, "--out", "auto.json"], "is a folder"),
    "no results": (["plot", "nowhere"], "cannot read nowhere/grid.json"),
    "price": (["plot", "nowhere", "--price", "generatd=1"], "did you mean generated"),
    "negative price": (["plot", "nowhere", "--price", "prompt=-1"], "is no price"),
    "format": (["plot", "nowhere", "--format", "bmp"], "png, svg or pdf, not 'bmp'"),
    "no data": (["bench", *SCRIPTED, "--task", "jsonl"], "with --data or as in jsonl(data="),
    "data of two": (["bench", *SCRIPTED, "--data", "x.jsonl"], "is for one task"),
    "no pool": (["import-pool", "nowhere", "--task", "countdown"], "cannot read nowhere"),
    "grader": (["import-pool", __file__, "--task", "countdwn"], "did you mean countdown"),
    "nothing to rank": (["rerank", "nowhere", "--verifier", "verdict"], "cannot read nowhere"),
    "nothing to export": (["export-pool", "nowhere", "--out", "x"], "cannot read nowhere"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_line(
    name: str, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    argv, hint = BAD[name]
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("reasoner: ") and captured.err.count("\n") == 1
    assert hint in captured.err
    assert not list(tmp_path.iterdir())


def test_a_corrupt_results_file_is_one_clear_line(tmp_path: Path, capsys: Captured) -> None:
    out = str(tmp_path)
    assert main([*TINY, "--strategy", "greedy", "--out", out]) == 0
    store = tmp_path / "run.db"
    store.write_bytes(b"\xff\xfe" * 50 + store.read_bytes()[100:])
    capsys.readouterr()
    for command in (["plot", out], [*TINY, "--strategy", "greedy", "--out", out]):
        assert main(command) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and "is corrupt" in error


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("solve 1+1 --stratgy beam", "did you mean --strategy"),
        ("bench --problem=3", "did you mean --problems"),
        ("train gpt --stge policy", "did you mean --stage"),
        ("solve 1+1 --zzz", "see `reasoner solve --help`"),
    ],
)
def test_a_misspelt_flag_names_the_nearest(line: str, hint: str, capsys: Captured) -> None:
    assert main(line.split()) == 2
    assert hint in capsys.readouterr().err


def test_the_version(capsys: Captured) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"reasoner {version('test-time-compute')}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str, capsys: Captured) -> None:
    assert main([command, "--help"]) == 0
    assert f"example:\n  reasoner {command}" in capsys.readouterr().out


@pytest.mark.alone
def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "reasoner", "bench", *SCRIPTED, "--problems", "3000"]
    with subprocess.Popen(
        [*command, "--task", "countdown", "--out", str(tmp_path), "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ},
    ) as bench:  # fmt: skip
        deadline = time.monotonic() + 60
        while finished(tmp_path) < 4:
            assert bench.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        bench.send_signal(signal.SIGINT)
        start = time.monotonic()
        out, err = bench.communicate(timeout=10)
    assert bench.returncode == 130 and time.monotonic() - start < 2
    assert out == "" and err == "reasoner: interrupted; what was finished is kept\n"


@pytest.mark.slow
def test_bench_then_compare(tmp_path: Path, capsys: Captured) -> None:
    out = str(tmp_path / "run")
    assert main([*TINY, "--out", out, "--search-n", "2,4", "--search-n", "mcts=1,3", "--json"]) == 0
    capsys.readouterr()
    assert main(["compare", out, "--n", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {r["cost"] for r in found["rows"]} == {"generated_tokens", "flops"}
    assert {(r["strategy"], r["n"]) for r in found["rows"]} >= {("best-of-n", 2), ("beam", 2)}
    assert {r["n"] for r in found["rows"]} == {1, 2}  # greedy's only size, and the one asked for
    assert all(Path(f).stat().st_size for f in found["files"])
    assert main(["compare", out, "--n", "2"]) == 0
    told = capsys.readouterr().out
    assert "best-of-n" in told and "\x1b" not in told
    assert main([*TINY, "--out", out, "--search-n", "mtcs=2"]) == 2
    assert "--search-n is for mtcs, and the searches are beam" in capsys.readouterr().err
    assert main(["compare", out, "--n", "77"]) == 2
    assert "was run in sizes 1, 2, 3, 4, none of those asked for" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "data", "hint"),
    [
        ("bench --n 1 --strategy greedy", "", "has no problems in split 'test'"),
        ("eval-verifier --n 2 --split test", "", "has no problems in split 'test'"),
        (
            "bench --n 1 --strategy beam --verifier agreement",
            '{"id": "1+1"}\n',
            "finished ones only",
        ),
    ],
)
def test_what_cannot_run_leaves_nothing(
    command: str, data: str, hint: str, tmp_path: Path, capsys: Captured
) -> None:
    (file := tmp_path / "d.jsonl").write_text(data)
    fields = ["--question-field", "id", "--answer-field", "id", "--model", "scripted"]
    source = ["--task", "jsonl", "--data", str(file)]
    assert main([*command.split(), *source, *fields, "--out", str(tmp_path / "out")]) == 2
    assert hint in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == [file]
