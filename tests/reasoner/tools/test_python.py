"""Blocks of Python run in the sandbox, and only there."""

from __future__ import annotations

import random
import shutil

import pytest

from reasoner.api import Reasoner
from reasoner.backends.scripted import END, Scripted
from reasoner.errors import ConfigError
from reasoner.tools.python import PythonTool
from reasoner.types import Prompt

needs_sandbox = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")


def multiply(prompt: Prompt, _: random.Random) -> str:
    shown = prompt.text.partition("```output\n")[2].partition("\n")[0]
    call = "```python\nprint(123456789 * 987654321)\n```\n"
    return f"#{shown}{END}" if shown else call[len(prompt.text) :]


@needs_sandbox
@pytest.mark.parametrize("strategy", ["majority", "best-of-n", "beam", "greedy"])
def test_a_model_computes(strategy: str) -> None:
    backend = Scripted(reply=multiply)
    with Reasoner(backend, strategy=strategy, tools="python(seconds=20)") as reasoner:
        assert reasoner.solve("?").answer == "121932631112635269"


@needs_sandbox
@pytest.mark.parametrize(
    ("code", "output"),
    [
        ("print(1)\nprint(2)", "1\n2"),
        ("x = 1", "(nothing was printed)"),
        ("", "(nothing was printed)"),
        ("print(1)\n1/0", "1\nTraceback"),
        ("def", "SyntaxError"),
        ("import sys; sys.exit(3)", "exit code 3"),
        ("import socket; socket.socket()", "PermissionError"),
        ("open('/etc/passwd', 'w')", "Error"),
        ("while True: print('x' * 999)", "stopped at its limit of output"),
        ("x = [0] * 10**10", "stopped at its limit of memory"),
        ("print('\\ud800')", "UnicodeEncodeError"),
    ],
)
async def test_outputs(code: str, output: str) -> None:
    shown = await PythonTool(seconds=20).run(code)
    assert output in shown and len(shown) <= 70_000


@needs_sandbox
async def test_a_block_without_end_is_stopped() -> None:
    assert (
        await PythonTool(seconds=0.3).run("while True: pass") == "stopped at its limit of seconds"
    )


def test_without_a_sandbox_nothing_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    backend = Scripted(reply=multiply)
    with (
        Reasoner(backend, strategy="majority", tools="python") as reasoner,
        pytest.raises(ConfigError, match="bubblewrap"),
    ):
        reasoner.solve("?")
    assert backend.usage.requests == 0
