"""Compare the cost of `auto` with the cheapest fixed strategy of the same accuracy, on stored runs.

    python -m reasoner.benchmarks.studies.auto_rival runs/compare/countdown runs/compare/dagmath --out runs/auto-rival

The rival is one strategy in one size for all tasks, and then one for each task. It is chosen on the problems that it
is measured on, which favours it; the saving is paired by problem. Nothing is generated.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from reasoner.benchmarks.analysis.allocation import Allocated, cost_ratio, rival
from reasoner.benchmarks.analysis.curves import outcomes
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.benchmarks.stats.paired import difference
from reasoner.benchmarks.store.environment import describe
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.errors import StoreError
from reasoner.files import save_json
from reasoner.schema import Frozen

AUTO = "auto"
PARTS = ("correct", "cost", "arms")
Arms = Mapping[str, Allocated]
"""Outcomes of every strategy in every size, by name, such as `beam:8`."""


class AutoComparison(Frozen):
    """`auto` and its rival. Costs are mean FLOPs per problem; the saving is the rival's cost over `auto`'s."""

    problems: int
    accuracy: float
    cost: float
    rival: str
    rival_accuracy: float
    rival_cost: float
    saving: Estimate
    gain: Estimate

    def __str__(self) -> str:
        saving, gain = self.saving, self.gain.times(100)
        return (
            f"{self.problems} problems: auto {self.accuracy:.3f} for {self.cost:.3g} FLOPs,"
            f" {self.rival} {self.rival_accuracy:.3f} for {saving.value:.2f}"
            f" ({saving.low:.2f} to {saving.high:.2f}) times as much; gain of auto {gain.value:+.1f} points"
            f" ({gain.low:+.1f} to {gain.high:+.1f})"
        )


def compared(arms: Arms, n: int, tolerance: float) -> AutoComparison:
    """Compare `auto` in size `n` with its rival.

    Raises:
        StoreError: the runs lack this `auto`, or a strategy to compare it with.
    """
    auto = arms.get(f"{AUTO}:{n}")
    fixed = {name: arm for name, arm in arms.items() if not name.startswith(f"{AUTO}:")}
    if auto is None or not fixed:
        raise StoreError(
            f"the runs hold no {AUTO}:{n} beside other strategies; they hold {', '.join(arms)}"
        )
    name, best = [*fixed.items()][rival([*fixed.values()], auto, tolerance)]
    return AutoComparison(
        problems=len(auto.cost),
        accuracy=auto.accuracy,
        cost=auto.mean_cost,
        rival=name,
        rival_accuracy=best.accuracy,
        rival_cost=best.mean_cost,
        saving=cost_ratio(best, auto),
        gain=difference(auto.correct, best.correct),
    )


def load_arms(run: RunFolder) -> dict[str, Arms]:
    """Return the outcomes of a run's strategies, by task."""
    return {task: _arms(run, task) for task in run.grid.tasks}


def _arms(run: RunFolder, task: str) -> Arms:
    """Return the strategies that attempted most problems and see no reference answer."""
    usable = [o for o in outcomes(run, task) if not o.oracle and o.spec.budget is None]
    most = max((len(o.values) for o in usable), default=0)
    return {
        f"{o.spec.strategy}:{o.spec.n}": Allocated(
            o.values, o.spent("flops"), np.zeros(most, np.intp)
        )
        for o in usable
        if len(o.values) == most
    }


def together(tasks: Sequence[Arms]) -> Arms:
    """Return the outcomes on the problems of all tasks, of the strategies that every task has."""
    return {
        name: Allocated(
            *(np.concatenate([getattr(t[name], part) for t in tasks]) for part in PARTS)
        )
        for name in tasks[0]
        if all(name in t for t in tasks)
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Print the comparison on all tasks and on each, and write auto-rival.json."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="DIR", help="folder of a `bench` run")
    parser.add_argument("--out", type=Path, default=Path("runs/auto-rival"), metavar="DIR")
    parser.add_argument("--n", type=int, default=64, help="the size of auto (default: 64)")
    parser.add_argument(
        "--tolerance", type=float, default=0.01,
        help="accuracy the rival may lose against auto (default: 0.01)",
    )  # fmt: skip
    args = parser.parse_args(arguments)
    about = describe(arguments, "python -m reasoner.benchmarks.studies.auto_rival")
    runs = [RunFolder(run) for run in args.runs]
    tasks = {name: arms for run in runs for name, arms in load_arms(run).items()}
    parts = {"all": together([*tasks.values()]), **tasks} if len(tasks) > 1 else tasks
    comparisons = {name: compared(arms, args.n, args.tolerance) for name, arms in parts.items()}
    document = {name: each.model_dump() for name, each in comparisons.items()}
    save_json(
        {
            **about,
            "seed": runs[0].grid.seed,
            "n": args.n,
            "tolerance": args.tolerance,
            "comparisons": document,
        },
        args.out / "auto-rival.json",
    )
    print(*(f"{name}, {each}" for name, each in comparisons.items()), sep="\n")


if __name__ == "__main__":
    main()
