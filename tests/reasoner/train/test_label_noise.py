"""The study of label noise: thinning, which models it trains, and a miniature of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

import pytest

from tests.needs import need

need("torch", "accelerate")

import torch
from transformers import AutoModelForTokenClassification

from reasoner.api import EMBEDDED
from reasoner.backends.checkpoint import fingerprint
from reasoner.backends.scripted import END, Scripted
from reasoner.benchmarks.studies import label_noise
from reasoner.benchmarks.studies.label_noise import Config, Study, thinned
from reasoner.benchmarks.tasks import dagmath
from reasoner.cli import main
from reasoner.train.reward import recipe as classifier
from reasoner.train.reward import step_labels as labels
from reasoner.train.reward import trainer
from reasoner.train.reward.step_labels import LabelPlan
from reasoner.types import Prompt
from tests import models

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def row(values: list[float], k: int, prompt: str = "p") -> dict[str, Any]:
    return {
        "prompt": prompt, "completions": [str(i) for i in range(len(values))], "separator": "\n",
        "values": values, "labels": [v > 0 for v in values], "k": k,
    }  # fmt: skip


def test_thinned_values_are_those_of_some_of_the_continuations() -> None:
    whole = row([0.25, 0.0, 1.0, 0.0], 8)
    assert thinned(whole, 8, seed=0) == whole
    drawn = [thinned(row([0.25, 0.0, 1.0, 1.0], 8, str(i)), 2, seed=0) for i in range(4000)]
    firsts = [d["values"][0] for d in drawn]
    assert fmean(firsts) == pytest.approx(0.25, abs=0.01)
    # Of two right ones in eight, two draws without replacement miss both in 15 of 28 cases.
    assert fmean(v == 0 for v in firsts) == pytest.approx(15 / 28, abs=0.03)
    assert all(d["values"][1:] == [0, 1, 1] and d["k"] == 2 for d in drawn)
    assert all(d["labels"] == [v > 0 for v in d["values"]] for d in drawn)


def test_solutions_that_begin_alike_are_thinned_alike() -> None:
    one, other = row([0.5, 0.5, 0.5, 0.0], 16), row([0.5, 0.5, 0.5, 1.0], 16)
    assert thinned(one, 4, seed=3)["values"][:3] == thinned(other, 4, seed=3)["values"][:3]


def test_every_model_is_trained_once() -> None:
    configs = Study(problems=400, k=16).configs(3)
    assert len(configs) == len(set(configs)) == 5 + 2 * 3 + 2 * 3
    assert [c.k for c in configs if (c.problems, c.layers) == (400, 8)] == [16, 8, 4, 2, 1]
    assert {c.problems for c in configs if c.k == 1} == {50, 100, 200, 400}
    assert {c.layers for c in configs if c.k == 16} == {2, 4, 6, 8}
    assert Config(4, 200, 8, 3) not in configs and {c.seed for c in configs} == {3}


def test_a_lower_model_is_the_first_layers(tmp_path: Path) -> None:
    folder = label_noise.truncated(tmp_path, 2)
    lower = AutoModelForTokenClassification.from_pretrained(folder, dtype=torch.float32)
    whole = AutoModelForTokenClassification.from_pretrained(EMBEDDED, dtype=torch.float32)
    ids = torch.tensor([[5, 6, 7, 8]])
    states = whole.base_model(ids, output_hidden_states=True).hidden_states
    assert len(lower.base_model.layers) == 2
    raw = lower.base_model(ids, output_hidden_states=True).last_hidden_state
    assert torch.allclose(raw, lower.base_model.norm(states[2]), atol=1e-5)


def demonstrator(prompt: Prompt, rng: Random) -> str:
    """Goes on from any text as the demonstrators of `dagmath` do, slips and habits included."""
    item = dagmath.parse(prompt.problem.prompt)
    values, read, lines = dict(item.leaves), list[str](), list[str]()
    for line in prompt.text.splitlines():
        match = dagmath.LINE.fullmatch(line)
        assert match
        values[match[6]] = dagmath.parse_digits(match[7])
        read.append(match[3])
    for meant in item.chain[len(read) :]:
        misread = rng.random() < (dagmath.HABIT if dagmath.tempts(read, meant) else dagmath.SLIP)
        d = replace(meant, operator="-" if meant.operator == "+" else "+") if misread else meant
        values[d.name] = d.apply(values[d.left], values[d.right])
        left, right, made = (dagmath.digits(values[x]) for x in (d.left, d.right, d.name))
        lines.append(f"{d.left}{left}{d.operator}{d.right}{right}={d.name}{made}")
        read.append(d.operator)
    return "\n".join(lines) + END


STUDY = Study(problems=4, solutions=3, test_problems=3, k=2, epochs=1, seeds=1)


async def drawn(out: Path) -> None:
    """The labels, as if `reasoner train labels` had drawn them of the demonstrators."""
    policy = {"model": "embedded", "weights": fingerprint(EMBEDDED), "backend": "scripted"}
    task, backend = dagmath.DagMath(), Scripted(reply=demonstrator)
    for name, plan in {
        "labels": LabelPlan("dagmath", task, STUDY.problems, 3, "monte-carlo", 2),
        "exact": LabelPlan("dagmath", task, STUDY.test_problems, 3, "exact", 0, "test"),
    }.items():
        await labels.make(plan, backend, out / f"{name}.jsonl", policy, {}, lambda _: None)


@pytest.fixture
async def out(tmp_path: Path) -> Path:
    await drawn(tmp_path / "out")
    return tmp_path / "out"


class Killed(Exception):
    """Stands for kill -9."""


@pytest.mark.slow
def test_a_miniature_that_is_killed_and_goes_on(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left, trained = iter(range(5)), list[Path]()

    def here(*argv: str) -> None:
        if next(left, None) is None:
            raise Killed
        assert main(argv) == 0, argv

    def spied(model: Any, rows: Any, out: Path, **settings: Any) -> None:
        trained.append(out)
        trainer.fit(model, rows, out, **settings)

    monkeypatch.setattr(label_noise, "reasoner", here)
    monkeypatch.setattr(classifier, "fit", spied)
    monkeypatch.setattr(label_noise, "EMBEDDED", models.qwen3(out / "tiny"))
    sizes = {f"--{k.replace('_', '-')}": str(v) for k, v in STUDY.model_dump().items()}
    asked = [
        "--out",
        str(out),
        "--backend",
        "scripted",
        *(x for pair in sizes.items() for x in pair),
    ]
    with pytest.raises(Killed):
        label_noise.main(asked)
    left = iter(range(99))
    label_noise.main(asked)
    told = json.loads((out / "label-noise.json").read_text())
    points = {(p["k"], p["problems"], p["layers"]): p for p in told["points"]}
    assert points.keys() == {
        (k, problems, depth) for k in (1, 2) for problems, depth in [(4, 2), (2, 2), (4, 1)]
    }
    assert len(trained) == len(set(trained)) == len(points)
    assert points[1, 4, 2]["wrong"] > points[2, 4, 2]["wrong"] > 0
    assert all(p["auc"]["low"] <= p["auc"]["value"] <= p["auc"]["high"] for p in points.values())
    assert told["command"].startswith("python -m reasoner.benchmarks.studies.label_noise --out")
    assert {"commit", "hardware", "seed", "tokens"} <= told.keys()
    figure = (out / "label-noise.svg").read_text()
    assert "layers of the policy" in figure and f"{points[1, 4, 2]['wrong']:.1%}" in figure


def test_a_command_that_fails_ends_the_study(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        label_noise.reasoner("train", "labels", "--task", "dagmth")
    assert ended.value.code == 2
    assert "did you mean dagmath" in capfd.readouterr().err
