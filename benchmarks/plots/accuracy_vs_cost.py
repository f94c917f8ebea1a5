"""The figure of accuracy against cost: a row for each task, a column for each cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator, PercentFormatter

from reasoner.benchmarks.analysis.cost_axes import Axis, chosen
from reasoner.benchmarks.analysis.curves import Point, attempted
from reasoner.benchmarks.plots.style import (
    COLOURS,
    FORMATS,
    GAP,
    NAME,
    SPARE,
    STYLE,
    TITLE,
    save,
    shortened,
    spread,
)
from reasoner.benchmarks.store.grid import COVERAGE
from reasoner.printable import one_line

LETTERS = 96
"""Characters of the caption that fit under a column."""


def draw(
    points: Sequence[Point],
    out: Path,
    caption: str = "",
    costs: Sequence[Axis] = (),
    formats: Sequence[str] = FORMATS,
) -> list[Path]:
    """Write the curves to `out`, by default as curve.png and curve.svg against the usual costs."""
    tasks = list(dict.fromkeys(p.task for p in points))
    costs = costs or chosen((), None, points)
    with plt.rc_context(STYLE):
        figure, grid = plt.subplots(
            len(tasks),
            len(costs),
            squeeze=False,
            figsize=(5.75 * len(costs), 3.9 * len(tasks) + 0.4),
        )
        for task, row in zip(tasks, grid, strict=True):
            for axes, cost in zip(row, costs, strict=True):
                _panel(axes, [p for p in points if p.task == task], cost)
            count = attempted(p for p in points if p.task == task)
            title = f"{shortened(task, TITLE)}  ({count})"
            row[0].set_title(title, loc="left", weight="bold")
        lines = wrap(one_line(caption), LETTERS * len(costs))
        figure.text(0.01, 0.008, "\n".join(lines), fontsize=7.5, color="#666666")
        figure.tight_layout(rect=(0, 0.025 * max(1, len(lines)), 1, 1), w_pad=2.5, h_pad=2)
        paths = [out / f"curve.{ending}" for ending in formats]
        save(figure, paths)
        plt.close(figure)
    return paths


def _panel(axes: Axes, points: Sequence[Point], cost: Axis) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(cost.label)
    axes.set_ylabel("accuracy")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    if len(at := {cost.of(p) for p in points}) == 1:  # one place has no width
        axes.set_xlim(min(at) / 2 or 0.5, 2 * min(at) or 2)
    ends = list[End]()
    for name, line in _series(points, cost).items():
        end = _line(axes, name, line, cost)
        if len(line) > 1:
            ends.append(end)
        else:
            _name_point(axes, end, line[0].ci_high)
    label(axes, ends)


def _series(points: Sequence[Point], cost: Axis) -> dict[str, list[Point]]:
    series: dict[str, list[Point]] = {}
    for p in points:
        name = one_line(f"{p.strategy} (budget)" if p.budget else p.strategy)
        if cost.of(p) > 0:  # a server that hides its size has no place on this axis
            series.setdefault(name, []).append(p)
    return {name: sorted(line, key=cost.of) for name, line in series.items()}


End = tuple[str, str, float, float]


def _line(axes: Axes, name: str, line: Sequence[Point], cost: Axis) -> End:
    colour, coverage = _colour(line[0].strategy), line[0].strategy == COVERAGE
    x, y = [cost.of(p) for p in line], [p.accuracy for p in line]
    dashed = "--" if coverage else ":" if line[0].budget else "-"
    axes.plot(
        x, y, dashed, color=colour, lw=1.2 if coverage else 1.7,
        marker="" if coverage else "o", ms=3.6, zorder=2 if coverage else 3,
    )  # fmt: skip
    if not coverage:
        low, high = [p.ci_low for p in line], [p.ci_high for p in line]
        if len(line) > 1:
            axes.fill_between(x, low, high, color=colour, alpha=0.13, lw=0)
        else:
            axes.vlines(x, low, high, color=colour, alpha=0.35, lw=2)
    return ("pass@k (coverage)" if coverage else name, colour, x[-1], y[-1])


def label(axes: Axes, ends: Sequence[End]) -> None:
    """Name every line in the right margin, with a thin leader from its end."""
    heights = spread([y / 1.02 for *_, y in ends], GAP, 1.0)
    for (name, colour, x, y), height in zip(ends, heights, strict=True):
        axes.annotate(
            shortened(name, NAME), xy=(x, y), xytext=(1.03, height), textcoords="axes fraction",
            color=colour, va="center", fontsize=9, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.6, "alpha": 0.5, "shrinkB": 3, "relpos": (0, 0.5)},
        )  # fmt: skip


def _name_point(axes: Axes, end: End, top: float) -> None:
    """Name a point above its interval: lines that start below it rise to its right."""
    name, colour, x, _ = end
    axes.annotate(
        shortened(name, NAME),
        xy=(x, top),
        xytext=(-4, 3),
        textcoords="offset points",
        color=colour,
        fontsize=9,
    )


def _colour(strategy: str) -> str:
    return COLOURS.get(strategy, SPARE[sum(map(ord, strategy)) % len(SPARE)])
