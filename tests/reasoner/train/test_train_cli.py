"""`reasoner train`, as people and programs meet it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tests.needs import need

need("torch", "accelerate")

from reasoner.backends.scripted import Scripted
from reasoner.cli import main
from reasoner.train.reward import step_labels as labels
from reasoner.train.reward.step_labels import LabelPlan
from tests import models
from tests.benchmarks.synthetic import LabelledSums

Captured = pytest.CaptureFixture[str]
KINDS = ("policy", "gpt", "labels", "prm", "orm", "value-head")
LABELS = ["train", "labels", "--model", "scripted", "--task", "countdown", "--problems", "2"]
ROW = {
    "id": "a", "task": "t", "prompt": "p", "completions": ["s"], "separator": "\n",
    "labels": [True], "values": [None], "correct": True, "method": "omega", "k": 1, "tokens": 1,
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_help_has_an_example(kind: str, capsys: Captured) -> None:
    assert main(["train", kind, "--help"]) == 0
    assert f"example:\n  reasoner train {kind} " in capsys.readouterr().out
    assert main(["train", "--help"]) == 0
    assert f"\n    {kind}" in capsys.readouterr().out


BAD = {
    "no kind": (["train"], "required: KIND"),
    "kind": (["train", "rpm"], "invalid choice: 'rpm'"),
    "no longer one command": (["train", "--out", "runs/train"], "reasoner train --help"),
    "gpt model": (["train", "gpt", "--model", "x"], "name it with --stage"),
    "gpt stage": (["train", "gpt", "--stage", "verdict"], "reasoner train gpt --out"),
    "no task": (["train", "labels"], "required: --task"),
    "task": ([*LABELS, "--task", "countdwn"], "did you mean countdown"),
    "backend": ([*LABELS, "--backend", "vlm"], "did you mean vllm"),
    "method": ([*LABELS, "--method", "shepherd"], "invalid choice"),
    "no continuations": ([*LABELS, "--k", "0"], "not a positive whole number"),
    "split": ([*LABELS, "--split", "training", "--out", "x.jsonl"], "no split named 'training'"),
    "file": ([*LABELS, "--out", "labels.json"], "call it labels.json.jsonl"),
    "no data": (["train", "prm"], "required: --data"),
    "data": (["train", "prm", "--data", "none.jsonl"], "cannot read none.jsonl"),
    "rows": (["train", "orm", "--data", "rows.jsonl"], "rows.jsonl:2 is no labelled solution"),
    "few": (["train", "orm", "--data", "one.jsonl"], "all solutions are of one problem"),
    "model": (["train", "prm", "--data", "two.jsonl", "--model", "./no"], "folder './no'"),
    "rate": (["train", "prm", "--data", "two.jsonl", "--rate", "2"], "not a learning rate"),
    "target": (["train", "orm", "--data", "two.jsonl", "--target", "hard"], "unrecognized"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_line(
    name: str, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one, two = json.dumps(ROW), json.dumps({**ROW, "prompt": "q"})
    for file, text in {"one": one, "two": f"{one}\n{two}", "rows": f"{one}\n{{}}"}.items():
        (tmp_path / f"{file}.jsonl").write_text(text + "\n")
    argv, hint = BAD[name]
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("reasoner: ") and captured.err.count("\n") == 1
    assert hint in captured.err
    assert {p.suffix for p in tmp_path.rglob("*")} <= {".jsonl"}


def test_labels_of_any_task_and_backend(
    capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*LABELS, "--out", "l.jsonl", "--solutions", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads(Path("l.json").read_text())
    assert told["solutions"] == 6 and told["settings"]["k"] == 8
    assert told["command"].startswith("reasoner train labels --model scripted")
    assert main([*LABELS, "--out", "l.jsonl", "--solutions", "3"]) == 0
    assert f"{told['tokens']:,} tokens generated\nwritten to l.jsonl" in capsys.readouterr().out


async def labelled(out: Path) -> None:
    plan = LabelPlan("sums", LabelledSums(), 8, 4, "exact", 0)
    await labels.make(plan, Scripted(), out, {}, {}, lambda _: None)


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    await labelled(tmp_path / "l.jsonl")
    return tmp_path / "l.jsonl"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(("kind", "verifier"), [("prm", "token-classifier"), ("orm", "orm")])
def test_a_reward_model_is_named_as_the_verifier_it_is(
    kind: str, verifier: str, data: Path, capsys: Captured, tmp_path: Path
) -> None:
    model, out = str(models.qwen3(tmp_path / "m")), str(tmp_path / "out")
    asked = ["train", kind, "--data", str(data), "--model", model, "--out", out, "--epochs", "1"]
    assert main([*asked, "--json"]) == 0
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert told == json.loads((tmp_path / "out" / "training.json").read_text())
    assert told["settings"]["seed"] == 0 and "step 2/2  loss" in captured.err
    assert {"commit", "packages", "hardware", "command", "accelerate"} <= told.keys()
    assert main(asked) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"AUC {told['held_out']['auc']['value']:.3f} (")
    assert shlex.split(lines[1]) == ["--verifier", f'{verifier}(model="{out}")']
