"""Text of models and files is stored, printed and reported as text, by every command."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.store import read
from reasoner.cli import main
from reasoner.printable import one_line, storable
from tests.hostile import NAME, TEXTS, Repetition, acting, hostile_components, hostile_run
from tests.thinned import thinned

Captured = pytest.CaptureFixture[bytes]
KEYS = list(TEXTS)
MODEL = ["--model", "scripted"]


@pytest.fixture(scope="module", autouse=True)
def _components() -> Iterator[None]:
    """Register a model that repeats what it is asked, and a search under a hostile name."""
    with hostile_components():
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose names, problems, solutions, answers and environment are all hostile."""
    out = tmp_path_factory.mktemp("run")
    asyncio.run(hostile_run(out, Repetition("ADDRESS")))
    return out


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool with every text as id, question, answer and solution; JSON can write them all."""
    file = tmp_path_factory.mktemp("pool") / "pool.jsonl"
    rows = (
        {"id": f"{name} {text}", "question": text, "answer": text,
         "completions": [{"text": f"{text}\n\\boxed{{{text}}}", "score": 0.5}, {"text": text, "score": 0.4}]}
        for name, text in TEXTS.items()
    )  # fmt: skip
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture(scope="module")
def imported(pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that the pool becomes."""
    out = tmp_path_factory.mktemp("imported")
    assert main(["import-pool", str(pool), "--task", "gsm8k", "--out", str(out), "--json"]) == 0
    return out


def checked(capfdbinary: Captured, *command: object) -> str:
    """Return the output of a command, after checking that it succeeds and that nothing in it acts."""
    capfdbinary.readouterr()
    assert main([str(part) for part in command]) == 0
    out, err = capfdbinary.readouterr()
    assert acting(out) == [] and acting(err) == []
    return out.decode()


def valid(folder: Path) -> None:
    """Check every file that was written: it is UTF-8, and a picture or a page is nothing but that."""
    for file in folder.rglob("*"):
        if file.suffix in (".json", ".jsonl", ".yaml", ".html", ".svg"):
            text = file.read_text("utf-8")
            if file.suffix in (".html", ".svg"):
                assert acting(text.encode()) == [], file
            if file.suffix == ".svg":
                ElementTree.parse(file)
            if file.suffix == ".json":
                json.loads(text, parse_constant=pytest.fail)


@pytest.mark.parametrize("key", KEYS)
def test_solve(key: str, capfdbinary: Captured) -> None:
    text = TEXTS[key]
    if storable(text) != text or "\0" in text:  # No argument holds these.
        assert main(["solve", text, *MODEL]) == 2
        assert acting(b"".join(capfdbinary.readouterr())) == []
        return
    told = json.loads(checked(capfdbinary, "solve", text, *MODEL, "--n", 2, "--json"))
    shown = checked(capfdbinary, "solve", text, *MODEL, "--n", 2)
    assert told["problem"] == text
    if told["answer"] is not None:  # The long one is cut off.
        assert told["answer"] in told["solution"]
        assert f"answer: {one_line(told['answer'])}\n" in shown


@pytest.mark.parametrize("key", thinned(KEYS))
@pytest.mark.parametrize(
    "strategy", ["", "best-of-n", "beam", NAME], ids=["all", "pool", "tree", "name"]
)
def test_inspect(key: str, strategy: str, run: Path, capfdbinary: Captured) -> None:
    place, chosen = KEYS.index(key), ["--strategy", strategy] if strategy else []
    shown = checked(capfdbinary, "inspect", run, place, *chosen)
    start = one_line(storable(TEXTS[key]))[:8]
    assert "".join(start.split()) in "".join(shown.split())
    told = json.loads(checked(capfdbinary, "inspect", run, place, *chosen, "--json"))
    assert told["problem"] == storable(f"{key} {TEXTS[key]}") and told["task"] == NAME


STORED = {
    "report": ["report", "RUN", "--out", "OUT/report.html"],
    "plot": ["plot", "RUN", "--format", "svg,png,pdf"],
    "compare": ["compare", "RUN", "--n", "1,2", "--out", "OUT"],
    "scaling": ["scaling", "RUN", "--out", "OUT"],
    "export-pool": ["export-pool", "RUN", "--out", "OUT/pool.jsonl"],
    "export": ["export", "RUN", "--format", "prm", "--out", "OUT/prm.jsonl"],
    "rerank": ["rerank", "RUN", "--verifier", "regex(pattern='1')", *MODEL, "--out", "OUT/reranked"],
    "replay": ["replay", "RUN", "--strategy", "esc(window=2)", "--n", "2", "--out", "OUT/replayed"],
    "list": ["list"],
}  # fmt: skip


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("command", STORED)
def test_what_is_stored(
    command: str, form: str, run: Path, tmp_path: Path, capfdbinary: Captured
) -> None:
    places = {"RUN": str(run), "OUT": str(tmp_path)}
    parts = [
        part.replace("RUN", places["RUN"]).replace("OUT", places["OUT"]) for part in STORED[command]
    ]
    shown = checked(capfdbinary, *parts, *(["--json"] if form == "json" else []))
    if form == "json":
        json.loads(shown, parse_constant=pytest.fail)
    valid(tmp_path)
    valid(run)


PROBLEMS = ["--task", "jsonl(grader='exact')", "--data", "POOL", *MODEL, "--problems", len(TEXTS)]
MADE: dict[str, list[Any]] = {
    "bench": ["bench", *PROBLEMS, "--strategy", "greedy,majority,best-of-n,beam", "--n", "1,2"],
    "eval-verifier": ["eval-verifier", *PROBLEMS, "--split", "test", "--n", 2],
    "train labels": ["train", "labels", *PROBLEMS, "--split", "test", "--solutions", 1, "--k", 1],
    "import-pool": ["import-pool", "POOL", "--task", "jsonl(grader='exact')"],
}


@pytest.mark.parametrize(
    "command", [pytest.param(c, marks=[pytest.mark.slow] * (c != "bench")) for c in MADE]
)
def test_what_is_made(command: str, pool: Path, tmp_path: Path, capfdbinary: Captured) -> None:
    out = tmp_path / ("labels.jsonl" if "labels" in command else "made")
    parts = [str(pool) if part == "POOL" else part for part in MADE[command]]
    checked(capfdbinary, *parts, "--out", out)
    json.loads(checked(capfdbinary, *parts, "--out", out, "--json"), parse_constant=pytest.fail)
    valid(tmp_path)


@pytest.mark.parametrize("key", KEYS)
def test_an_imported_pool(key: str, imported: Path, capfdbinary: Captured) -> None:
    problem = storable(f"{key} {TEXTS[key]}")
    checked(capfdbinary, "inspect", imported, KEYS.index(key), "--strategy", "best-of-n")
    grid = Grid.load(imported)
    spec = grid.pool("gsm8k")
    assert spec
    [record] = [r for r in read(imported, spec) if r.problem == problem]
    assert record.question == record.reference == record.samples[1].text == storable(TEXTS[key])


def test_a_pool_comes_back_as_it_went(
    imported: Path, tmp_path: Path, capfdbinary: Captured
) -> None:
    first, second, again = tmp_path / "1.jsonl", tmp_path / "2.jsonl", tmp_path / "again"
    checked(capfdbinary, "export-pool", imported, "--out", first)
    checked(capfdbinary, "import-pool", first, "--task", "gsm8k", "--out", again)
    checked(capfdbinary, "export-pool", again, "--out", second)
    assert first.read_bytes() == second.read_bytes()
    assert len(first.read_text("utf-8").split("\n")) == len(TEXTS) + 1


@pytest.mark.timeout(400)
def test_errors_show_what_they_quote(run: Path, capfdbinary: Captured) -> None:
    for text in TEXTS.values():
        shown = storable(text).replace("\0", "")
        for command in (["inspect", str(run), f"no {shown}"], ["list", shown], ["solve", "1", "--strategy", shown],
                        ["plot", shown], ["import-pool", shown, "--task", "gsm8k"]):  # fmt: skip
            assert main(command) == 2
            out, err = capfdbinary.readouterr()
            assert out == b"" and acting(err) == [] and err.count(b"\n") == 1


def terminal(*command: object) -> tuple[int, bytes]:
    """Run a command in a terminal of its own; return its exit code and what it wrote there."""
    pid, screen = pty.fork()
    if not pid:
        code = 70
        try:
            os.environ["TERM"] = "xterm-256color"
            sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
            code = main([str(part) for part in command])
            sys.stdout.flush()
        finally:
            os._exit(code)
    shown = bytearray()
    with suppress(OSError):  # Nobody writes there any more.
        while part := os.read(screen, 1 << 16):
            shown += part
    os.close(screen)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), bytes(shown)


@pytest.mark.timeout(400)
def test_a_terminal_is_not_acted_on(imported: Path, tmp_path: Path) -> None:
    pool = tmp_path / "few.jsonl"
    assert main(["export-pool", str(imported), "--out", str(pool)]) == 0
    problems = ["--task", "jsonl(grader='exact')", "--data", pool, *MODEL, "--problems", 12]
    for command in (
        ["inspect", imported, 8, "--strategy", "best-of-n"],
        ["inspect", imported, 17],
        ["bench", *problems, "--strategy", "greedy,beam", "--n", 2, "--out", tmp_path / "run"],
        ["inspect", tmp_path / "run", 2, "--strategy", "beam"],
    ):
        code, shown = terminal(*command)
        assert code == 0 and b"\x1b[" in shown
        assert acting(shown, terminal=True) == []


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_an_encoding_without_these_characters(imported: Path) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    for place in (10, 11, 19):
        command = [sys.executable, "-m", "reasoner", "inspect", str(imported), str(place)]
        ran = subprocess.run(
            [*command, "--strategy", "best-of-n"], env={**os.environ, **plain}, capture_output=True, check=False,
        )  # fmt: skip
        assert (ran.returncode, ran.stderr) == (0, b"") and acting(ran.stdout) == []
        assert ran.stdout.isascii()
