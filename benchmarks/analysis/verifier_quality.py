"""The quality of a verifier on one task, from its stored judgements."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reasoner.benchmarks.analysis.calibration import Reliability, reliability
from reasoner.benchmarks.analysis.overoptimisation import OverOptimisation, over_optimisation
from reasoner.benchmarks.analysis.selection import (
    MajorityAgreement,
    Selection,
    majority_agreement,
    selections,
)
from reasoner.benchmarks.analysis.step_metrics import (
    Depth,
    FirstError,
    JudgedSteps,
    ScoredSolution,
    Windows,
    auc_estimate,
    depths,
    first_error,
)
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.benchmarks.store.judgements import DiagnosisPlan, Judged
from reasoner.schema import Frozen


class StepQuality(Frozen):
    """The quality of step scores; a step is right if it and all before it are.

    `first_error` is None where there are no solutions to choose its threshold on.
    """

    steps: int
    right: float
    auc: Estimate | None
    by_depth: tuple[Depth, ...]
    first_error: FirstError | None
    reliability: Reliability | None


class Quality(Frozen):
    """A verifier on one task, with `samples` solutions of each problem.

    `finished` is the share of solutions that ended and were scored; `auc` is the probability that a right
    one outranks a wrong one, of any two problems. `malformed` counts the verdicts on them that could not
    be read. `verifier_tokens`, a mean per problem, and `verifier_flops`, a share of all FLOPs, are the
    cost of scoring finished solutions. `steps` is None where the task labels no steps.
    """

    task: str
    split: str
    verifier: str | None
    problems: int
    failed: int
    samples: int
    finished: float
    malformed: int
    verifier_tokens: float
    verifier_flops: float
    auc: Estimate | None
    reliability: Reliability | None
    steps: StepQuality | None
    sizes: tuple[Selection, ...]
    agreement: MajorityAgreement | None
    over_optimisation: OverOptimisation | None

    def at(self, n: int) -> Selection:
        """Return the accuracies with `n` samples, or with the largest number below that."""
        return max((s for s in self.sizes if s.n <= n), key=lambda s: s.n, default=self.sizes[0])


def quality(plan: DiagnosisPlan, out: Path, task: str) -> Quality | None:
    """Measure the verifier on `task`; None where nothing is judged.

    Problems that failed count as wrong. Comparative scores hold only for the solutions that were compared,
    so that they are measured at the largest size alone.
    """
    rows = plan.read(out, task)
    if not rows:
        return None
    pool = [row.record for row in rows]
    solutions = sum(len(r.samples) for r in pool)
    table = _solutions(rows)
    flops = sum(r.spend.flops for r in pool)
    ns = plan.grid.ns[-1:] if any(row.comparative for row in rows) else plan.grid.ns
    return Quality(
        task=task,
        split=plan.grid.split,
        verifier=plan.grid.verifier,
        problems=len(rows),
        failed=sum(row.error is not None for row in rows),
        samples=max(plan.grid.ns),
        finished=len(table.score) / max(1, solutions),
        malformed=sum(row.malformed for row in rows),
        verifier_tokens=sum(r.spend.verifier_tokens for r in pool) / len(pool),
        verifier_flops=sum(r.spend.verifier_flops for r in pool) / flops if flops else 0.0,
        auc=auc_estimate(table),
        reliability=reliability(table),
        steps=_step_quality(rows, plan.read_tuned(out, task)),
        sizes=tuple(selections(pool, ns)),
        agreement=majority_agreement(pool),
        over_optimisation=over_optimisation(pool, ns),
    )


def _step_quality(rows: Sequence[Judged], tuning: Sequence[Judged]) -> StepQuality | None:
    pools = _step_pools(rows)
    steps = JudgedSteps.of(pools)
    if not len(steps.score):
        return None
    return StepQuality(
        steps=len(steps.score),
        right=float(steps.right.mean()),
        auc=auc_estimate(steps),
        by_depth=tuple(depths(steps)),
        first_error=first_error(Windows.of(_step_pools(tuning)), Windows.of(pools)),
        reliability=reliability(steps),
    )


def _step_pools(rows: Sequence[Judged]) -> list[list[ScoredSolution]]:
    return [list(zip(row.steps, row.labels, strict=True)) for row in rows]


def _solutions(rows: Sequence[Judged]) -> JudgedSteps:
    """Return finished solutions as steps of their own, each with its score and correctness."""
    return JudgedSteps.of(
        [
            [([s.score], [s.correct]) for s in row.record.samples if s.score is not None]
            for row in rows
        ]
    )
