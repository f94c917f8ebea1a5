"""The log on the command line: on standard error, in a file, or neither."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from reasoner.cli import main
from reasoner.cli.logs import BAR, LINES, LOG, logged
from reasoner.errors import StoreError

Captured = pytest.CaptureFixture[str]
BENCH = ["bench", "--model", "scripted", "--task", "countdown", "--n", "1", "--problems", "2"]
ONLY = ["--strategy", "best-of-n"]


def speak() -> None:
    """Log as the library does."""
    logging.getLogger(LINES).info("1/2 problems")
    logging.getLogger("reasoner.train.progress").info("step 1")
    logging.getLogger("reasoner.backends.fleet").warning("a server rests,\nkey sk-%s", "a1B2" * 12)


def test_progress_goes_to_standard_error_without_secrets(capsys: Captured) -> None:
    with logged(False, None):
        speak()
    first, second, third = capsys.readouterr().err.splitlines()
    assert (first, second) == ("reasoner: 1/2 problems", "reasoner: step 1")
    assert third.startswith("reasoner: a server rests, key") and "a1B2a1B2" not in third


def test_quiet_leaves_warnings(capsys: Captured) -> None:
    with logged(True, None):
        speak()
        assert not BAR.isEnabledFor(logging.INFO)
    assert capsys.readouterr().err.count("\n") == 1


def test_a_file_gets_everything_with_times_also_if_quiet(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "logs" / "run.log"
    for _ in range(2):
        with logged(True, file):
            speak()
            assert not BAR.isEnabledFor(logging.INFO)
    lines = file.read_text().splitlines()
    assert len(lines) == 6 and "a1B2a1B2" not in file.read_text()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d [\d:]{8} INFO reasoner\.progress: 1/2 problems", lines[0])
    assert capsys.readouterr().err.count("\n") == 2


def test_afterwards_the_log_is_as_it_was(tmp_path: Path) -> None:
    before = LOG.level, BAR.level, list(LOG.handlers)
    with pytest.raises(KeyError), logged(True, tmp_path / "run.log"):
        raise KeyError
    assert (LOG.level, BAR.level, list(LOG.handlers)) == before


def test_a_bar_takes_the_place_of_lines(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    with logged(False, None):
        monkeypatch.setattr("sys.stderr.isatty", lambda: True)
        speak()
    assert "1/2 problems" not in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="choose another --log-file"), logged(False, tmp_path):
        pass


def test_commands_take_both(tmp_path: Path, capsys: Captured) -> None:
    out, file = str(tmp_path / "run"), tmp_path / "run.log"
    assert main([*BENCH, *ONLY, "--out", out, "--quiet", "--log-file", str(file)]) == 0
    assert file.exists()
    captured = capsys.readouterr()
    assert captured.err == "" and "countdown" in captured.out
