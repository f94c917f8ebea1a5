"""An unforeseen error is a bug: one line, a log with the traceback, and an exit code of its own."""

from __future__ import annotations

import errno
import re
import stat
import sys
import tempfile
from collections.abc import Callable
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from reasoner.api import Reasoner
from reasoner.backends.scripted import Scripted
from reasoner.budget import Budget
from reasoner.cli import main
from reasoner.errors import ConfigError
from reasoner.terminal import LONGEST, line

Captured = pytest.CaptureFixture[str]


def recurse(depth: int = 0) -> int:
    return recurse(depth + 1)


FAILURES: dict[str, Callable[[], object]] = {
    "KeyError": lambda: dict[str, int]()["missing"],
    "RecursionError": recurse,
    "MemoryError": lambda: bytearray(2**62),
    "ValidationError": lambda: TypeAdapter(int).validate_python("x" * 10_000),
    "UnicodeEncodeError": "\udcff".encode,
    "OverflowError": lambda: float(10**400),
    "ModuleNotFoundError": lambda: __import__("no_such_module_at_all"),
}


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", FAILURES)
def test_a_bug_is_one_line_and_a_log(
    name: str, temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def broken(*_: object) -> int:
        """Fail."""
        FAILURES[name]()
        raise AssertionError("it should have failed")

    monkeypatch.setattr("reasoner.cli.listing.list_components", broken)
    assert main(["list", "strategies"]) == 70
    out, error = capsys.readouterr()
    assert out == "" and error.count("\n") == 1 and len(error) <= LONGEST + 1
    assert error.startswith(f"reasoner: this is a bug in reasoner: {name}")
    path = re.search(r"traceback is in (\S+),", error)
    assert path and Path(path[1]).parent == temporary
    assert stat.S_IMODE(Path(path[1]).stat().st_mode) == 0o600
    log = Path(path[1]).read_text()
    assert log.startswith("reasoner list strategies\nreasoner 0.") and "Traceback" in log


def test_a_bug_is_told_where_no_log_can_be_written(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    monkeypatch.setattr("reasoner.cli.listing.list_components", lambda *_: 1 // 0)
    assert main(["list"]) == 70
    assert "ZeroDivisionError" in (error := capsys.readouterr().err)
    assert "no log could be written" in error and error.count("\n") == 1


def test_a_full_disk_is_no_bug(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    def write(*_: object) -> int:
        """Fail as a write does."""
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("reasoner.cli.listing.list_components", write)
    assert main(["list"]) == 2
    assert capsys.readouterr().err == "reasoner: No space left on device\n"


def test_a_missing_engine_is_no_bug(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    def start(*_: object) -> None:
        monkeypatch.setitem(sys.modules, "vllm", None)
        raise ModuleNotFoundError("No module named 'vllm'", name="vllm")

    monkeypatch.setattr(Scripted, "generate", start)
    assert main(["solve", "1+2", "--model", "scripted"]) == 2
    assert "this needs vllm" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["x" * 10**6, "a\nb\tc", "\x1b[2J\x07", "\u202e" * 500, "é" * 299])
def test_any_message_becomes_a_line(text: str) -> None:
    shown = line(f"begin {text} end")
    assert shown.startswith("begin ") and shown.endswith(" end")
    assert shown.isprintable() and len(shown) <= LONGEST


@pytest.mark.parametrize(
    ("data", "hint"),
    [(b"", "empty"), (b"\xff\xfe", "cannot read the problem"), (b"1" * 1_000_001, "more than")],
)
def test_standard_input_that_is_no_problem(
    data: bytes, hint: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(data), encoding="utf-8"))
    assert main(["solve", "-", "--model", "scripted"]) == 2
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"concurrency": 0}, "concurrency=0"),
        ({"concurrency": "many"}, "concurrency='many'"),
        ({"concurrency": True}, "concurrency=True"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": 10**400}, "seed="),
        ({"temperature": float("nan")}, "temperature=nan"),
        ({"temperature": "hot"}, "temperature='hot'"),
        ({"shots": 3}, "shots=3"),
        ({"delay": "x"}, "delay='x'"),
        ({"fail_every": 1.5}, "fail_every=1.5"),
        ({"reply": "x"}, "reply='x'"),
        ({"tempreture": 0.5}, "tempreture"),
        ({"strategy": "beam(n=True)"}, "n=True"),
        ({"strategy": ""}, "no strategy"),
    ],
)
def test_python_callers_are_told_as_well(wrong: dict[str, object], hint: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(hint)):
        Reasoner("scripted", **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("problem", ["", "  ", "a\udcff"])
def test_a_problem_is_text(problem: str) -> None:
    with Reasoner("scripted") as reasoner, pytest.raises(ConfigError, match="the problem is"):
        reasoner.solve(problem)


@pytest.mark.parametrize("tokens", [float("nan"), float("inf"), -1, 0, "9", True])
def test_a_budget_is_a_positive_number(tokens: int) -> None:
    with pytest.raises(ConfigError, match="is not a positive number"):
        Budget(tokens=tokens)


def test_instances_are_settings_as_before() -> None:
    def reply(*_: object) -> str:
        return "#7"

    with Reasoner("scripted", reply=reply) as reasoner:
        assert reasoner.solve("1+2").answer == "7"
