"""A diagnosis finds of a verifier what is known of it, on a task with labelled steps and without."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from reasoner.backends.scripted import Scripted
from reasoner.base import Task
from reasoner.benchmarks.analysis.verifier_quality import Quality, quality
from reasoner.benchmarks.reports.eval_verifier import diagnose
from reasoner.benchmarks.runner import eval_verifier as judging
from reasoner.benchmarks.runner import scheduler
from reasoner.benchmarks.store.judgements import DiagnosisPlan
from reasoner.errors import StoreError
from reasoner.traits import VerifierTraits
from tests.benchmarks.conftest import Sums
from tests.benchmarks.synthetic import Knowing, LabelledSums, Rule, exploited, knows, ranked

LABELLED, UNLABELLED = LabelledSums(), Sums()


@dataclass(frozen=True)
class Comparing(Knowing):
    """Says that its scores hold for the batch only."""

    traits = VerifierTraits(comparative=True)


async def judged(
    out: Path,
    rule: Rule,
    *tasks: Task,
    backend: Scripted | None = None,
    kind: type[Knowing] = Knowing,
    **setting: Any,
) -> DiagnosisPlan:
    """Have a verifier judge that knows, and says it as `rule` has it."""
    defaults: dict[str, Any] = {"problems": 40, "backend": "scripted", "verifier": "knowing"}
    plan = DiagnosisPlan.of(
        16, tuning=10, tasks=tuple(t.name for t in tasks), **{**defaults, **setting}
    )
    await judging.run(
        plan, out, backend or Scripted(), verifier=kind(rule),
        named={t.name: t for t in tasks}, environment={"commit": "abc", "date": "2026-01-01"},
    )  # fmt: skip
    return plan


async def of(out: Path, rule: Rule, task: Task = LABELLED, **setting: Any) -> Quality:
    """Return the measurements of one task."""
    found = quality(await judged(out, rule, task, **setting), out, task.name)
    assert found is not None
    return found


async def test_the_known_auc_is_found_at_every_depth(tmp_path: Path) -> None:
    found = await of(tmp_path, ranked)
    assert found.steps and found.steps.auc
    assert found.steps.auc.low < 7 / 8 < found.steps.auc.high
    assert [d.depth for d in found.steps.by_depth] == [1, 2, 3, 4, 5, 6]
    assert all(d.auc and d.auc.low < 7 / 8 < d.auc.high for d in found.steps.by_depth)
    assert found.steps.steps == 40 * 16 * 6


@pytest.mark.slow
async def test_a_verifier_that_knows_everything_has_nothing_to_improve(tmp_path: Path) -> None:
    found = await of(tmp_path, knows, seed=1)
    steps = found.steps
    assert steps and steps.auc and steps.first_error and steps.reliability
    assert steps.auc.value == steps.first_error.f1.value == 1
    assert steps.reliability.ece == 0
    assert found.at(8).gain.low > 0
    assert found.over_optimisation and not found.over_optimisation.shows
    assert (found.failed, found.finished, found.malformed) == (0, 1, 0)


@pytest.mark.slow
async def test_files_and_table_say_the_same(tmp_path: Path) -> None:
    plan = await judged(tmp_path, exploited, LABELLED, UNLABELLED, problems=40)
    found, screen = diagnose(plan, tmp_path), io.StringIO()
    document = json.loads((tmp_path / "diagnosis.json").read_text())
    assert (document["commit"], document["plan"]["tuning"]) == ("abc", 10)
    assert [Quality.model_validate(q) for q in document["tasks"]] == found.found
    assert [Quality.model_validate(q) for q in found.as_json()["tasks"]] == found.found
    assert [f.name for f in found.files] == ["diagnosis.json", "reliability.png", "reliability.svg"]
    found.show(Console(file=screen, width=160))
    told, both = screen.getvalue(), found.found[0]
    assert both.steps and both.steps.first_error
    for value in (both.steps.auc, both.steps.first_error.f1, both.at(8).best_of_n, both.auc):
        assert value and f"{value.value:.3f}" in told
    assert told.count("step AUC") == told.count("first-error F1") == 1
    assert told.count("solution AUC") == told.count("agreement") == 2
    assert "labelled: 'knowing' is over-optimised: from n=" in told


async def test_without_labels_there_is_everything_else(tmp_path: Path) -> None:
    found = await of(tmp_path, ranked, UNLABELLED)
    assert found.steps is None
    assert found.auc and found.reliability and found.agreement and found.over_optimisation
    assert [s.n for s in found.sizes] == [1, 2, 4, 8, 16]
    assert found.at(8).best_of_n.value > found.at(1).best_of_n.value
    assert found.at(7).n == 4


async def test_scores_that_compare_say_nothing_of_fewer_solutions(tmp_path: Path) -> None:
    found = await of(tmp_path, ranked, kind=Comparing, problems=5)
    assert [s.n for s in found.sizes] == [16]
    assert found.at(8).n == 16
    assert found.over_optimisation is None and found.agreement


async def test_failed_problems_count_as_wrong_and_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "TRIES", 1)
    broken = Scripted(fail_every=70)
    found = await of(tmp_path, knows, UNLABELLED, backend=broken, problems=150)
    assert found.failed == 2
    assert found.at(16).coverage.value == pytest.approx(148 / 150)


async def test_the_verifier_is_charged(tmp_path: Path) -> None:
    found = await of(tmp_path, ranked, problems=3)
    assert found.verifier_tokens == 10
    assert 0 <= found.verifier_flops < 1


def test_nothing_judged_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no judgements by 'verdict'.*reasoner eval-verifier"):
        diagnose(DiagnosisPlan.of(4, tasks=("dagmath",)), tmp_path)
