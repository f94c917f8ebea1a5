"""Best-of-N with a worse verifier: noisy verdicts of a stored pool, and baselines without a verdict.

    python -m reasoner.benchmarks.studies.verifier_noise --run runs/full --out runs/verifier-noise

On the embedded tasks the verdict is nearly an oracle, unlike verifiers of real tasks. This study adds Gaussian noise to
the log-odds of a run's scores, enough to lower their AUC to each of `--auc`, and repeats the choices of best-of-N and
the weighted vote. Equal solutions of a problem have equal scores and get equal noise; scores saturate where they did
before. The baselines read only the surface of a solution. Nothing is generated.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from reasoner.benchmarks.analysis.noisy_scores import NoiseStudy, SelectionCurve, noise_study
from reasoner.benchmarks.plots.labels import Line
from reasoner.benchmarks.plots.looks import Look, looks, shades
from reasoner.benchmarks.plots.panels import draw_line, finish, panels, shares
from reasoner.benchmarks.plots.style import save, style
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.benchmarks.store.environment import describe
from reasoner.benchmarks.store.grid import BEST, COVERAGE, MAJORITY, WEIGHTED
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.files import save_json

AUCS = (0.95, 0.9, 0.8, 0.7)


def main(argv: Sequence[str] | None = None) -> None:
    """Write verifier-noise.json, .png and .svg."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--run",
        type=Path,
        default=Path("runs/full"),
        metavar="DIR",
        help="folder of a `bench` run",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/verifier-noise"), metavar="DIR")
    parser.add_argument(
        "--auc", type=float, nargs="+", default=AUCS, help="default: 0.95 0.9 0.8 0.7"
    )
    parser.add_argument("--draws", type=int, default=4, help="draws of the noise (default: 4)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    if args.draws < 1 or not all(0.5 < value < 1 for value in args.auc):
        parser.error("--draws must be positive, and each --auc between 0.5 and 1")
    run = RunFolder(args.run)
    grid = run.grid
    about = {
        **describe(arguments, "python -m reasoner.benchmarks.studies.verifier_noise"),
        "seed": args.seed, "draws": args.draws, "model": grid.model, "weights": grid.weights,
    }  # fmt: skip
    seeds = range(args.seed, args.seed + args.draws)
    studies = [noise_study(run, task, args.auc, seeds) for task in grid.tasks]
    save_json(
        {**about, "tasks": [s.model_dump() for s in studies]}, args.out / "verifier-noise.json"
    )
    draw(studies, args.out, small_print(about, studies[0]))
    print(*(sentence(s) for s in studies), f"written to {args.out}", sep="\n")


def sentence(result: NoiseStudy) -> str:
    """Return a sentence on the errors of the verifier."""
    return (
        f"{result.task}: {result.problems} {result.split} problems × {result.samples} solutions, AUC {result.auc:.4f},"
        f" {result.false_positives:.2%} of the wrong solutions score as high as any can,"
        f" {result.false_negatives:.2%} of the right ones do not"
    )


def small_print(about: Mapping[str, Any], result: NoiseStudy) -> str:
    """Return the caption: problems, noise, machine, commit and date."""
    machine = about["hardware"]
    parts = [
        f"{result.problems} {result.split} problems × {result.samples} solutions",
        f"95 % intervals over problems, mean of {about['draws']} draws of the noise",
        f"model {about['model']} ({about['weights']})",
        machine["gpu"] or f"{machine['cores']} cores, {machine['cpu']}",
        f"commit {about['commit']}",
        about["date"][:10],
    ]
    return "  ·  ".join(parts)


def draw(studies: Sequence[NoiseStudy], out: Path, caption: str) -> None:
    """Write verifier-noise.png and verifier-noise.svg: a row for each task, a column for each selection rule."""
    with plt.rc_context(style()):
        figure, grid = panels(len(studies), 2)
        drawn = list[tuple[Axes, Sequence[Line]]]()
        for result, row in zip(studies, grid, strict=True):
            for axes, choice in zip(row, (BEST, WEIGHTED), strict=True):
                drawn.append((axes, _panel(axes, result, choice)))
            row[0].set_title(result.task)
        finish(figure, drawn, caption)
        save(figure, (out / "verifier-noise.png", out / "verifier-noise.svg"))
        plt.close(figure)


def _panel(axes: Axes, result: NoiseStudy, choice: str) -> list[Line]:
    """Draw accuracy against samples: verdicts with their intervals, and baselines."""
    curves = [each for each in result.lines if choice in each.accuracy or _bound(each)]
    ns = [*next(iter(curves[0].accuracy.values()))]
    axes.set_xscale("log", base=2)
    axes.set_xticks(ns, [str(n) for n in ns])
    axes.minorticks_off()
    axes.set(xlabel="samples", ylabel=f"accuracy, {choice}")
    values = [e.value for c in curves for e in _accuracy(c, choice).values()]
    shares(axes, min(values), max(values))
    styles = _looks(curves)
    return [_draw(axes, c, choice, styles[c.name, c.noise]) for c in curves]


def _looks(curves: Sequence[SelectionCurve]) -> dict[tuple[str, float | None], Look]:
    """Return shades by the amount of noise, and looks of their own for the baselines."""
    noisy = shades([(c.name, c.noise) for c in curves if c.noise is not None][::-1])
    return noisy | {
        (name, None): look
        for name, look in looks(c.name for c in curves if c.noise is None).items()
    }


def _accuracy(curve: SelectionCurve, choice: str) -> Mapping[int, Estimate]:
    return curve.accuracy.get(choice) or next(iter(curve.accuracy.values()))


def _draw(axes: Axes, curve: SelectionCurve, choice: str, look: Look) -> Line:
    """Draw a curve, and return it with its name."""
    accuracy = _accuracy(curve, choice)
    line = Line(_name(curve), look, [*accuracy], [e.value for e in accuracy.values()])
    exact = curve.noise is None
    low = line.y if exact else [e.low for e in accuracy.values()]
    high = line.y if exact else [e.high for e in accuracy.values()]
    draw_line(axes, line, low, high)
    return line


def _bound(line: SelectionCurve) -> bool:
    """Return True for a line that belongs in both columns."""
    return line.name in (COVERAGE, MAJORITY)


def _name(line: SelectionCurve) -> str:
    if line.name == COVERAGE:
        return "pass@N"
    known = line.auc is not None and line.name != "random"
    return f"{line.name}, AUC {line.auc:.3g}" if known else line.name


if __name__ == "__main__":
    main()
