"""A tiny policy that knows the task's demonstrations."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.needs import need

need("torch", "peft")

from reasoner.registry import tasks
from reasoner.train.policy import sft
from reasoner.train.policy.recipe import TrainingRecipe
from reasoner.train.policy.solutions import demonstrations
from tests import models
from tests.reasoner.train.policy.letters import Letters


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.qwen3(tmp_path_factory.mktemp("untrained"))


@pytest.fixture(scope="session")
def taught(untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that writes each of four letters equally often."""
    out = tmp_path_factory.mktemp("taught") / "model"
    recipe = TrainingRecipe(rate=1e-2, epochs=1, batch=16, precision="float32")
    sft.train(str(untrained), demonstrations(Letters(), 960, 0), recipe, out, {}, report=_silent)
    return out


def _silent(_: str) -> None:
    """Report nothing."""


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the task, registered."""
    place = f"{Letters.__module__}:{Letters.__name__}"
    monkeypatch.setitem(tasks.builtin, "letters", place)
    return "letters"
