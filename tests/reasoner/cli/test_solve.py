"""`reasoner solve`: how solutions are sampled, and what stands before the problem."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from reasoner import Reasoner, api
from reasoner.backends.scripted import Scripted
from reasoner.cli import main
from reasoner.errors import ConfigError
from reasoner.types import Generation, Prompt, Sampling

Captured = pytest.CaptureFixture[str]


class Recording(Scripted):
    """Keeps the settings of its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {}
        self.samplings: list[Sampling] = []

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        self.samplings.append(sampling)
        return await super().generate(prompt, sampling)


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Recording:
    recording = Recording()

    def opened(*_: object, **settings: Any) -> Recording:
        recording.settings |= settings
        return recording

    monkeypatch.setattr(api, "open_backend", opened)
    return recording


def test_flags_change_how_solutions_are_sampled(backend: Recording) -> None:
    flags = ["--temperature", "0.25", "--top-p", ".5", "--max-tokens", "40"]
    assert main(["solve", "1+2", "--strategy", "majority", *flags]) == 0
    [sampling] = backend.samplings
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens) == (0.25, 0.5, 40)


def test_without_flags_a_task_decides(backend: Recording) -> None:
    assert (
        main(["solve", "dg:c=a+b,a=7025,b=1840?c", "--strategy", "majority", "--task", "dagmath"])
        == 0
    )
    [sampling] = backend.samplings
    task = Reasoner(backend, task="dagmath").sampling
    assert (sampling.temperature, sampling.top_p) == (task.temperature, task.top_p)
    assert backend.settings.keys() == {"backend"}


def test_context_reaches_the_backend(backend: Recording, tmp_path: Path) -> None:
    file = tmp_path / "shots.jsonl"
    file.write_text('{"problem": "1+1", "solution": "1+1=2"}\n\n{"problem": "é", "solution": ""}\n')
    assert main(["solve", "1+2", "--system", "Add.", "--shots", str(file)]) == 0
    assert backend.settings["system"] == "Add."
    assert backend.settings["shots"] == (("1+1", "1+1=2"), ("é", ""))


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "holds no worked example"),
        ("x\n", "shots.jsonl:1 is no worked example"),
        ('{"problem": "1", "solution": "1"}\n{"problem": 3}\n', "shots.jsonl:2"),
        ('{"problem": "1", "solution": "1", "answer": "1"}\n', "answer: Extra inputs"),
        ('["1", "2"]\n', 'write {"problem": ..., "solution": ...}'),
    ],
)
def test_shots_that_are_none(text: str, hint: str, tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "shots.jsonl"
    file.write_text(text)
    assert main(["solve", "1+2", "--model", "scripted", "--shots", str(file)]) == 2
    error = capsys.readouterr().err
    assert hint in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        ("--temperature -1", "'-1' is not a temperature"),
        ("--temperature nan", "'nan' is not a temperature"),
        ("--temperature 1e999", "is not a temperature"),
        ("--top-p 0", "'0' is not above 0"),
        ("--top-p 1.1", "at most 1"),
        ("--max-tokens 0", "'0' is not a positive whole number"),
        ("--system  ", "expected one argument"),
        ("--system hello", "backend 'scripted' has no setting 'system'"),
        ("--shots nowhere", "cannot read nowhere"),
    ],
)
def test_wrong_values(flags: str, hint: str, capsys: Captured) -> None:
    assert main(["solve", "1+2", "--model", "scripted", *flags.split()]) == 2
    error = capsys.readouterr().err
    assert hint in error and error.count("\n") == 1


@pytest.mark.parametrize("wrong", [{"top_p": 0.0}, {"top_p": 2}, {"max_tokens": 0}])
def test_python_callers_are_refused_too(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=re.escape(next(iter(wrong)))):
        Reasoner("scripted", **wrong)
