"""The examples in CONTRIBUTING.md run as they stand."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from reasoner import Backend, Budget, Reasoner, Strategy, Task, Verifier
from reasoner.backends.scripted import Scripted
from reasoner.testing import conformance, verifier_conformance
from tests import ROOT

GUIDE = (ROOT / "CONTRIBUTING.md").read_text()


INSTALLING = GUIDE.partition("## Adding a component\n")[2].partition("\n## ")[0]
METADATA = "from setuptools.build_meta import *; prepare_metadata_for_build_wheel('site')"


def code_of(heading: str) -> str:
    """The example under a heading."""
    section = GUIDE.partition(f"## Add a {heading}\n")[2].partition("\n## ")[0]
    [code] = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return str(code)


def defined(heading: str) -> type[Any]:
    """The class that the example under a heading defines."""
    code = code_of(heading)
    module = sys.modules.setdefault(f"example_{heading}", ModuleType(f"example_{heading}"))
    exec(compile(code, heading, "exec"), module.__dict__)
    example: type[Any] = module.__dict__[re.findall(r"^class (\w+)", code, re.MULTILINE)[0]]
    return example


@pytest.fixture
def example(request: pytest.FixtureRequest) -> Any:
    """An object of the example under a heading."""
    return defined(request.param)()


def under(heading: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("example", [heading], indirect=True)


@under("strategy")
async def test_strategy(example: Strategy) -> None:
    assert isinstance(example, Strategy)
    async with Reasoner(backend := Scripted(), strategy=example) as reasoner:
        result = await reasoner.asolve("1+2+3", Budget(tokens=400))
    assert result.answer == "6"
    assert result.usage == backend.usage


TestStepwiseBest = conformance(defined("strategy"))
TestBrevity = verifier_conformance(defined("verifier"))


@under("verifier")
async def test_verifier(example: Verifier) -> None:
    assert isinstance(example, Verifier)
    async with Reasoner("scripted", strategy="beam", verifier=example) as reasoner:
        result = await reasoner.asolve("1+2+3")
    assert result.candidate is not None and result.candidate.complete


@under("task")
async def test_task(example: Task) -> None:
    assert isinstance(example, Task)
    assert list(example.examples("test", 3)) == list(example.examples("test", 5))[:3]
    async with Reasoner("scripted", task=example) as reasoner:
        for one in example.examples("test", 5):
            result = await reasoner.asolve(one.problem)
            assert example.check(one, result.text) == (result.answer == one.answer)
            assert result.answer == one.answer


@under("backend")
async def test_backend(example: Backend) -> None:
    assert isinstance(example, Backend)
    async with Reasoner(example, strategy="majority") as reasoner:
        assert (await reasoner.asolve("polly wants a cracker")).text == "polly wants a cracker"
        short = await reasoner.asolve("polly wants a cracker", Budget(tokens=2))
        assert short.usage.completion_tokens == 2


@pytest.mark.parametrize("kind", ["strategy", "verifier", "task", "backend"])
def test_an_installed_example_runs_from_the_command_line(kind: str, tmp_path: Path) -> None:
    [row] = re.findall(rf"^\| {kind} \| (`reasoner\..*) \|$", INSTALLING, re.MULTILINE)
    group, entry, command = (cell.strip("`") for cell in row.split(" | "))
    [project] = re.findall(r"```toml\n(.*?)```", INSTALLING, re.DOTALL)
    project = re.sub(
        r"(?m)^\[project\.entry-points.*\n.*$",
        f'[project.entry-points."{group}"]\n{entry}',
        project,
    )
    (tmp_path / "pyproject.toml").write_text(project)
    (tmp_path / "my_package.py").write_text(code_of(kind))
    (tmp_path / "site").mkdir()
    subprocess.run([sys.executable, "-c", METADATA], cwd=tmp_path, check=True, capture_output=True)
    name = entry.partition(" ")[0]
    listed = run(tmp_path, f"reasoner list {KINDS[kind]}")
    assert name in listed
    assert run(tmp_path, command)


KINDS = {"strategy": "strategies", "verifier": "verifiers", "task": "tasks", "backend": "backends"}


def run(project: Path, command: str) -> str:
    """The output of a command, with the project installed."""
    path = os.pathsep.join([str(project), str(project / "site"), *sys.path])
    ended = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)], cwd=project, capture_output=True, text=True,
        check=False, env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout
