"""The picture of a diagnosis: how far scores can be trusted, and what choosing by them buys."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from reasoner.benchmarks.analysis.calibration import Reliability
from reasoner.benchmarks.analysis.verifier_quality import Quality
from reasoner.benchmarks.plots.labels import Line
from reasoner.benchmarks.plots.looks import LOOKS, SHORT, Look
from reasoner.benchmarks.plots.panels import PERCENT, draw_line, finish, panels, shares
from reasoner.benchmarks.plots.style import FAINT, TITLE, save, shortened, style
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.benchmarks.store.grid import BEST, COVERAGE, MAJORITY, WEIGHTED
from reasoner.naming import base_names

PANEL = 3.9
"""Inches of a panel."""
OWN = Look(LOOKS[BEST].colour, "o")
BLUE = OWN.colour
LINES = {"best_of_n": BEST, "weighted": WEIGHTED, "majority": MAJORITY, "coverage": COVERAGE}


def draw(diagnoses: Sequence[Quality], out: Path, caption: str = "") -> tuple[Path, Path]:
    """Write reliability.png and reliability.svg to `out`."""
    with plt.rc_context(style()):
        figure, grid = panels(len(diagnoses), 4, panel=PANEL)
        drawn = list[tuple[Axes, list[Line]]]()
        for each, (steps, solutions, depths, sizes) in zip(diagnoses, grid, strict=True):
            _diagram(steps, each.steps.reliability if each.steps else None, "step")
            _diagram(solutions, each.reliability, "solution")
            _depths(depths, each)
            drawn.append((sizes, _sizes(sizes, each)))
            title = shortened(base_names(f"{each.task}, {each.verifier}"), TITLE)
            size = f"({each.problems} {each.split} problems × {each.samples} solutions)"
            steps.set_title(f"{title}  {size}")
        finish(figure, drawn, caption)
        paths = out / "reliability.png", out / "reliability.svg"
        save(figure, paths)
        plt.close(figure)
    return paths


def _diagram(axes: Axes, reliability: Reliability | None, kind: str) -> None:
    """Bins as dots, their size the number of candidates; a calibrated verifier's are on the diagonal."""
    error = f"  (ECE {reliability.ece:.3f})" if reliability else ""
    axes.set(
        xlim=(0, 1), ylim=(0, 1.02), xlabel=f"score of a {kind}{error}", ylabel=f"right {kind}s"
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([0, 0.25, 0.5, 0.75, 1])
    axes.yaxis.set_major_formatter(PERCENT)
    axes.plot([0, 1], [0, 1], color=FAINT, lw=1, ls="--")
    if reliability is None:
        axes.text(0.5, 0.5, "no labelled steps", ha="center", color=FAINT)
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
    axes.axhline(0.5, color=FAINT, lw=1, ls="--")
    shown = [(d.depth, d.auc) for d in quality.steps.by_depth if d.auc] if quality.steps else []
    if quality.steps is None or not shown:
        axes.text(
            0.5, 0.55, "no labelled steps", transform=axes.transAxes, ha="center", color=FAINT
        )
        return
    depths, aucs = [depth for depth, _ in shown], [auc for _, auc in shown]
    _draw(axes, Line("", OWN, depths, [auc.value for auc in aucs]), aucs)
    axes.set_ylim(min(0.48, *(auc.low for auc in aucs)), 1.01)
    if overall := quality.steps.auc:
        axes.axhline(overall.value, color=BLUE, lw=1, alpha=0.4)
        axes.set_xlabel(f"step  (AUC over all {overall.value:.3f})")


def _sizes(axes: Axes, quality: Quality) -> list[Line]:
    """Draw accuracy against N, and the score of what best-of-N chooses; return the lines, for their names."""
    ns = [s.n for s in quality.sizes]
    axes.set_xscale("log", base=2)
    axes.set_xticks(ns, [str(n) for n in ns])
    axes.set(xlabel="N", ylabel="accuracy")
    lines, bounds = list[Line](), list[float]()
    for field, name in LINES.items():
        values: list[Estimate] = [getattr(s, field) for s in quality.sizes]
        shown = "pass@N" if name == COVERAGE else name
        lines.append(Line(shown, LOOKS[name], ns, [e.value for e in values]))
        _draw(axes, lines[-1], values)
        bounds += [end for e in values for end in (e.low, e.high)]
    scores = [s.score for s in quality.sizes]
    lines.append(Line("mean best score", Look(BLUE, "", SHORT), ns, scores))
    draw_line(axes, lines[-1], scores, scores)
    shares(axes, min(*bounds, *scores), max(*bounds, *scores))
    return lines


def _draw(axes: Axes, line: Line, estimates: Sequence[Estimate]) -> None:
    draw_line(axes, line, [e.low for e in estimates], [e.high for e in estimates])
