"""`reasoner train policy`, as people and programs meet it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reasoner import api
from reasoner.cli import main
from reasoner.files import exclusive
from tests.reasoner.train.policy.letters import TorchBackend

Captured = pytest.CaptureFixture[str]
SMALL = ["--epochs", "1", "--precision", "float32", "--json"]


def test_imitation_of_a_tasks_own_solutions(
    untrained: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "out"
    argv = ["train", "policy", "--model", str(untrained), "--out", str(out), *SMALL]
    assert main([*argv, "--task", "countdown", "--demonstrations", "8"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["solutions"] == 8 and printed["policy"] == str(out)
    assert printed["settings"]["rate"] == 1e-4 and printed["command"].startswith(
        "reasoner train policy"
    )
    assert (out / "model.safetensors").exists() and (out / "ledger.json").exists()
    assert main([*argv[:-1], "--task", "countdown", "--demonstrations", "8"]) == 0
    assert f"--model {out}\nwritten to {out}\n" == capsys.readouterr().out


@pytest.mark.parametrize("method", ["expert-iteration", "reinforce"])
def test_rounds(
    method: str, taught: Path, letters: str, tmp_path: Path, capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(api, "open_backend", lambda model, backend: TorchBackend(model))
    out = tmp_path / "out"
    code = main([
        "train", "policy", "--method", method, "--task", letters, "--model", str(taught),
        "--rounds", "1", "--problems", "4", "--samples", "4", "--dev-problems", "2",
        "--dev-samples", "2", "--out", str(out), *SMALL,
    ])  # fmt: skip
    printed = json.loads(capsys.readouterr().out)
    assert code == 0
    assert [record["round"] for record in printed["rounds"]] == [0, 1]
    assert Path(printed["policy"]) == out / "round-1" / "model"
    assert (Path(printed["policy"]) / "reasoner.json").exists()


def test_a_folder_has_one_training_at_a_time(
    untrained: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "out"
    argv = ["train", "policy", "--model", str(untrained), "--out", str(out), *SMALL]
    with exclusive(out):
        assert main([*argv, "--task", "countdown", "--demonstrations", "2"]) == 2
    assert "is in use by another process; wait for it" in capsys.readouterr().err
    assert not out.exists()
    assert main([*argv, "--task", "countdown", "--demonstrations", "2"]) == 0
