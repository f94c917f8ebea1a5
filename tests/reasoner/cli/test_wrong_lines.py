"""A wrong command line ends in one short line and exit code 2, at once, and leaves nothing behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from reasoner.cli import commands, main
from tests.reasoner.cli.wrong import LABELS, WRONG, Line, lines, places, typed
from tests.thinned import thinned

Captured = pytest.CaptureFixture[str]
LINES = dict(lines())
EVERY = 120
"""Of so many lines, one is also typed to a process of its own."""
SECONDS, MEGABYTES = 5, 500
MEASURED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print([code, used.ru_utime + used.ru_stime, used.ru_maxrss])
"""
"""A small process between: a child's memory counts from its fork, so the tests' own would be counted."""
RUN = ["bench", "--model=scripted", "--task=countdown", "--n=1,2", "--problems=3", "--search-n=2"]


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    root = tmp_path_factory.mktemp("wrong")
    named = places(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr(commands, "parser", cache(commands.parser))  # half of the time of a line
        assert (
            main([*RUN, "--strategy=greedy,best-of-n,beam", "--out", named["run"], "--json"]) == 0
        )
        yield named


def there(root: Path) -> set[str]:
    return {str(path) for path in root.rglob("*")}


def test_every_command_is_among_them(capsys: Captured) -> None:
    assert main(["--help"]) == 0
    commands = set(re.findall(r"^    ([a-z-]+) ", capsys.readouterr().out, re.MULTILINE))
    assert main(["train", "--help"]) == 0
    kinds = set(re.findall(r"^    ([a-z-]+) ", capsys.readouterr().out, re.MULTILINE))
    assert len(LINES) >= 200 and {"solve", "train"} <= commands and "gpt" in kinds
    assert commands | {f"train {kind}" for kind in kinds} <= WRONG.keys()


@pytest.mark.timeout(30, func_only=True)
@pytest.mark.parametrize("name", thinned(LINES))
def test_wrong_line(name: str, where: dict[str, str], capsys: Captured) -> None:
    if name.startswith("solve by vLLM") and not find_spec("vllm"):
        pytest.skip("what vLLM's engine takes is not known here")
    argv, hint = LINES[name]
    root = Path(where["out"]).parent
    before = there(root)
    assert main(typed(argv, where)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    refused(captured.err, (argv, hint))
    assert there(root) == before


@pytest.mark.timeout(120, func_only=True)
@pytest.mark.parametrize("name", [n for i, n in enumerate(LINES) if i % EVERY == 0])
def test_wrong_line_in_a_process(name: str, where: dict[str, str]) -> None:
    argv, hint = LINES[name]
    words = typed(argv, where)
    if any("\0" in word or len(word) > 100_000 for word in words):
        pytest.skip("no process can be started with such an argument")
    command = [sys.executable, "-S", "-c", MEASURED, sys.executable, "-m", "reasoner", *words]
    ended = subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    code, seconds, kibibytes = json.loads(ended.stdout)
    refused(ended.stderr, (argv, hint))
    assert code == 2
    # Seconds of work, not of waiting: others may compute beside.
    assert seconds < SECONDS and kibibytes < MEGABYTES * 1024


def refused(error: str, line: Line) -> None:
    """Check that standard error is one short, printable line with the hint, after warnings if any."""
    *warnings, message, end = error.split("\n")
    assert message.startswith("reasoner: ") and end == ""
    assert all(each.startswith("reasoner: warning: ") for each in warnings)
    assert message.isprintable() and len(message) <= 300
    assert line[1] in message
    assert "bug" not in message


def test_labels_that_the_task_does_not_tell(tmp_path: Path, capsys: Captured) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text('{"question": "1+1?", "answer": "2"}\n')
    line = [*LABELS, f"--task=jsonl(data={str(data)!r})", "--method=exact"]
    assert main(typed(line, {"out": str(tmp_path / "out")})) == 2
    refused(capsys.readouterr().err, (line, ""))
