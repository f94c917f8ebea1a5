"""Reranking: what it needs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reasoner.cli import main


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    out = tmp_path / "run"
    few = ["--n", "1,2", "--problems", "2", "--out", str(out)]
    assert (
        main(["bench", "--model", "scripted", "--task", "countdown", "--strategy=best-of-n", *few])
        == 0
    )
    capsys.readouterr()
    return out


@pytest.fixture(autouse=True)
def without_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("vllm", "torch"):
        monkeypatch.setitem(sys.modules, module, None)


@pytest.mark.parametrize("verifier", ["arithmetic", "agreement", "regex(pattern='1')"])
def test_a_rule_needs_no_engine(verifier: str, run: Path) -> None:
    assert main(["rerank", str(run), "--verifier", verifier, "--out", f"{run}-again"]) == 0


def test_a_verifier_that_asks_a_model_needs_one(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rerank", str(run), "--verifier", "judge", "--out", f"{run}-again"]) == 2
    assert "needs vllm" in capsys.readouterr().err
