"""The identity of a model: its weights, or its revision on the hub."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoner.backends.scripted import Scripted
from reasoner.benchmarks.store import environment

SERVED = Scripted()
REVISION = "0123456789abcdef0123456789abcdef01234567"


def test_a_model_from_the_hub_has_a_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--some--model" / "snapshots" / REVISION
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (tmp_path / "models--some--model" / "refs").mkdir()
    (tmp_path / "models--some--model" / "refs" / "main").write_text(REVISION)
    assert environment.model(SERVED, "some/model")["revision"] == REVISION
    assert environment.model(SERVED, "other/model") == {"name": "other/model", "parameters": 1000}


@pytest.mark.parametrize("name", ["/models/mine", "embedded", "a/b/c", "../mine"])
def test_a_folder_has_weights_and_no_revision(name: str) -> None:
    assert environment.model(SERVED, name, "0a1b") == {"name": name, "weights": "0a1b"}
    assert environment.model(SERVED, name) == {"name": name, "parameters": 1000}
