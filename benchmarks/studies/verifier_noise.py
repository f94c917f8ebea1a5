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

from matplotlib import colormaps
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.ticker import PercentFormatter

from reasoner.benchmarks.analysis.noisy_scores import NoiseStudy, SelectionCurve, noise_study
from reasoner.benchmarks.plots.accuracy_vs_cost import End, label
from reasoner.benchmarks.plots.style import COLOURS, STYLE, save
from reasoner.benchmarks.store.environment import describe
from reasoner.benchmarks.store.grid import BEST, COVERAGE, MAJORITY, WEIGHTED
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.files import save_json

AUCS = (0.95, 0.9, 0.8, 0.7)
BASELINES = ("#A6761D", "#CC79A7", "#D55E00")
"""Colours of baselines without a colour in `COLOURS`."""


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
    with plt.rc_context(STYLE):
        figure, grid = plt.subplots(
            len(studies), 2, squeeze=False, figsize=(12.5, 3.9 * len(studies) + 0.4)
        )
        for result, row in zip(studies, grid, strict=True):
            for axes, choice in zip(row, (BEST, WEIGHTED), strict=True):
                _panel(axes, result, choice)
            row[0].set_title(result.task, loc="left", weight="bold")
        figure.text(0.01, 0.008, caption, fontsize=7.5, color="#666666")
        figure.tight_layout(rect=(0, 0.025, 1, 1), w_pad=2.5, h_pad=2)
        save(figure, (out / "verifier-noise.png", out / "verifier-noise.svg"))
        plt.close(figure)


def _panel(axes: Axes, result: NoiseStudy, choice: str) -> None:
    """Draw accuracy against samples: verdicts solid, baselines dashed, names in the right margin."""
    lines = [each for each in result.lines if choice in each.accuracy or _bound(each)]
    colours = _colours(lines)
    label(axes, [_line(axes, line, choice, colours[line.name, line.noise]) for line in lines])
    ns = [*next(iter(lines[0].accuracy.values()))]
    axes.set_xscale("log", base=2)
    axes.set_xticks(ns, [str(n) for n in ns])
    axes.minorticks_off()
    axes.set(xlabel="samples", ylabel=f"accuracy, {choice}", ylim=(0, 1.02))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _colours(lines: Sequence[SelectionCurve]) -> dict[tuple[str, float | None], str]:
    """Return shades by the amount of noise, and separate colours for the baselines."""
    noisy = [line for line in lines if line.noise is not None]
    shades = colormaps["viridis"].resampled(len(noisy) + 1)
    colours = {(line.name, line.noise): to_hex(shades(i)) for i, line in enumerate(noisy)}
    baselines = [line for line in lines if line.noise is None]
    spare = [line.name for line in baselines if line.name not in COLOURS]
    known = {**dict(zip(spare, BASELINES, strict=False)), **COLOURS}
    return colours | {(line.name, None): known[line.name] for line in baselines}


def _line(axes: Axes, line: SelectionCurve, choice: str, colour: str) -> End:
    """Draw a line, and return its end with its name."""
    accuracy = line.accuracy.get(choice) or next(iter(line.accuracy.values()))
    ns, means = [*accuracy], [e.value for e in accuracy.values()]
    solid = line.noise is not None
    axes.plot(ns, means, "o-" if solid else "--", color=colour, lw=1.6, ms=3.6)
    if solid:
        low, high = ([getattr(e, end) for e in accuracy.values()] for end in ("low", "high"))
        axes.fill_between(ns, low, high, color=colour, alpha=0.13, lw=0)
    return _name(line), colour, ns[-1], means[-1]


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
