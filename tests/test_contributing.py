"""The examples in CONTRIBUTING.md run as they stand."""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import Any

import pytest

from reasoner import Backend, Budget, Reasoner, Strategy, Task, Verifier
from reasoner.backends.scripted import Scripted
from reasoner.testing import conformance, verifier_conformance
from tests import ROOT

GUIDE = (ROOT / "CONTRIBUTING.md").read_text()


def defined(heading: str) -> type[Any]:
    """The class that the example under a heading defines."""
    section = GUIDE.partition(f"## Add a {heading}\n")[2].partition("\n## ")[0]
    [code] = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    module = sys.modules.setdefault(f"example_{heading}", ModuleType(f"example_{heading}"))
    exec(compile(code, heading, "exec"), module.__dict__)
    made: type[Any] = module.__dict__[re.findall(r"^class (\w+)", code, re.MULTILINE)[0]]
    return made


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
