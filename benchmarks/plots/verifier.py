"""The picture of a diagnosis: how far scores can be trusted, and what choosing by them buys."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from reasoner.benchmarks.analysis.calibration import Reliability
from reasoner.benchmarks.analysis.verifier_quality import Quality
from reasoner.benchmarks.plots.style import (
    COLOURS,
    GAP,
    STYLE,
    TITLE,
    save,
    shortened,
    spread,
)
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.benchmarks.store.grid import BEST, COVERAGE, MAJORITY, WEIGHTED
from reasoner.printable import one_line

BLUE, GREY = COLOURS[BEST], "#8A8A8A"
LINES = {"best_of_n": BEST, "weighted": WEIGHTED, "majority": MAJORITY, "coverage": COVERAGE}


def draw(diagnoses: Sequence[Quality], out: Path, caption: str = "") -> tuple[Path, Path]:
    """Write reliability.png and reliability.svg to `out`."""
    with plt.rc_context(STYLE):
        figure, grid = plt.subplots(
            len(diagnoses), 4, figsize=(14.5, 3.5 * len(diagnoses) + 0.4), squeeze=False
        )
        for each, (steps, solutions, depths, sizes) in zip(diagnoses, grid, strict=True):
            _diagram(steps, each.steps.reliability if each.steps else None, "step")
            _diagram(solutions, each.reliability, "solution")
            _depths(depths, each)
            _sizes(sizes, each)
            title = shortened(f"{each.task}, {each.verifier}", TITLE)
            size = f"({each.problems} {each.split} problems × {each.samples} solutions)"
            _title_over_panels(steps, f"{title}  {size}")
        if caption:
            figure.text(0.01, 0.008, one_line(caption), fontsize=7.5, color="#666666")
        height = figure.get_figheight()
        figure.tight_layout(rect=(0, 0.1 / height, 1, 1 - 0.1 / height), w_pad=1.5, h_pad=2)
        paths = out / "reliability.png", out / "reliability.svg"
        save(figure, paths)
        plt.close(figure)
    return paths


def _title_over_panels(axes: Axes, text: str) -> None:
    """Write a title that may go on over the panels to the right, and does not push them apart.

    A layout counts half of a title's width whatever its settings say, so a blank one holds the height.
    """
    blank = axes.set_title(" ", loc="left", weight="bold")
    axes.annotate(
        text, xy=(0, 1), xycoords="axes fraction", xytext=(0, plt.rcParams["axes.titlepad"]),
        textcoords="offset points", weight="bold", size=blank.get_fontsize(), annotation_clip=False,
    ).set_in_layout(False)  # fmt: skip


def _diagram(axes: Axes, reliability: Reliability | None, kind: str) -> None:
    """Bins as dots, their size the number of candidates; a calibrated verifier's are on the diagonal."""
    error = f"  (ECE {reliability.ece:.3f})" if reliability else ""
    axes.set(
        xlim=(0, 1), ylim=(0, 1.02), xlabel=f"score of a {kind}{error}", ylabel=f"right {kind}s"
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([0, 0.25, 0.5, 0.75, 1])
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--")
    if reliability is None:
        axes.text(0.5, 0.5, "no labelled steps", ha="center", color=GREY)
        return
    scores = [b.score for b in reliability.bins]
    shares = [b.right for b in reliability.bins]
    axes.vlines(
        scores, [s.low for s in shares], [s.high for s in shares], color=BLUE, lw=1.2, alpha=0.5
    )
    axes.plot(scores, [s.value for s in shares], "-", color=BLUE, lw=1, alpha=0.6)
    weights = np.array([b.size for b in reliability.bins]) / reliability.size
    axes.scatter(scores, [s.value for s in shares], s=8 + 160 * weights, color=BLUE, zorder=3)


def _depths(axes: Axes, quality: Quality) -> None:
    """Step AUC by depth; the thin line is that over all steps."""
    axes.set(xlabel="step", ylabel="AUC of its score")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.axhline(0.5, color=GREY, lw=1, ls="--")
    shown = [(d.depth, d.auc) for d in quality.steps.by_depth if d.auc] if quality.steps else []
    if quality.steps is None or not shown:
        axes.text(0.5, 0.55, "no labelled steps", transform=axes.transAxes, ha="center", color=GREY)
        return
    depths, aucs = [depth for depth, _ in shown], [auc for _, auc in shown]
    _line(axes, depths, aucs, BLUE)
    axes.set_ylim(min(0.48, *(auc.low for auc in aucs)), 1.01)
    if overall := quality.steps.auc:
        axes.axhline(overall.value, color=BLUE, lw=1, alpha=0.4)
        axes.set_xlabel(f"step  (AUC over all {overall.value:.3f})")


def _sizes(axes: Axes, quality: Quality) -> None:
    """Accuracy against N, and the score of what best-of-N chooses."""
    ns = [s.n for s in quality.sizes]
    axes.set_xscale("log", base=2)
    axes.set_xticks(ns, [str(n) for n in ns])
    axes.set(ylim=(0, 1.02), xlabel="N", ylabel="accuracy")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ends = list[tuple[str, str, float]]()
    for field, name in LINES.items():
        line: list[Estimate] = [getattr(s, field) for s in quality.sizes]
        _line(axes, ns, line, COLOURS[name], dashed=name == COVERAGE)
        ends.append(("pass@N" if name == COVERAGE else name, COLOURS[name], line[-1].value))
    scores = [s.score for s in quality.sizes]
    axes.plot(ns, scores, ":", color=BLUE, lw=1.4)
    ends.append(("mean best score", BLUE, scores[-1]))
    heights = spread([y / 1.02 for *_, y in ends], GAP * 1.2, 1.0)
    for (name, colour, y), height in zip(ends, heights, strict=True):
        axes.annotate(
            name, xy=(ns[-1], y), xytext=(1.04, height), textcoords="axes fraction",
            color=colour, va="center", fontsize=8.5, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.6, "alpha": 0.5, "shrinkB": 3, "relpos": (0, 0.5)},
        )  # fmt: skip


def _line(
    axes: Axes, x: Sequence[int], line: Sequence[Estimate], colour: str, *, dashed: bool = False
) -> None:
    """A curve with its band."""
    axes.plot(x, [e.value for e in line], "--" if dashed else "o-", color=colour, lw=1.5, ms=3.4)
    axes.fill_between(
        x, [e.low for e in line], [e.high for e in line], color=colour, alpha=0.13, lw=0
    )
