"""The picture: accuracy against what it cost, a row for each task and a column for each cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from textwrap import wrap
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator, PercentFormatter

from reasoner.benchmarks.analysis.cost_axes import Axis, chosen
from reasoner.benchmarks.analysis.curves import Point, attempted
from reasoner.benchmarks.store.grid import COVERAGE
from reasoner.files import replacing
from reasoner.printable import one_line

# Okabe and Ito's palette: told apart by all common kinds of colour vision.
COLOURS = {
    "greedy": "#000000",
    "majority": "#E69F00",
    "best-of-n": "#0072B2",
    "weighted": "#56B4E9",
    "beam": "#D55E00",
    "mcts": "#009E73",
    "particle": "#CC79A7",
    COVERAGE: "#8A8A8A",
}
SPARE = ("#A6761D", "#F0E442")
FORMATS = ("png", "svg")
LETTERS = 96
"""Of the small print, that fit under a column."""
NAME, TITLE = 40, 60
"""Letters of a name beside a line and of a title; longer ones leave no room for the panels."""
GAP = 0.058
STYLE: dict[Any, Any] = {
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.7,
    "svg.hashsalt": "reasoner",
    "svg.fonttype": "none",
    "text.parse_math": False,  # A `$` in a name is no formula.
}


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


def spread(positions: Sequence[float], gap: float, high: float) -> list[float]:
    """Move positions apart until neighbours are `gap` from each other and none is above `high`."""
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    moved = list(positions)
    for below, i in pairwise(order):
        moved[i] = max(moved[i], moved[below] + gap)
    ceiling = high
    for i in reversed(order):
        moved[i] = min(moved[i], ceiling)
        ceiling = moved[i] - gap
    return moved


def shortened(text: str, limit: int) -> str:
    """Return `text` in one line, its middle left out where it is longer than `limit`."""
    line = one_line(text)
    half = limit // 2
    return line if len(line) <= limit else f"{line[: limit - half - 1]}…{line[-half:]}"


def save(figure: Figure, paths: Iterable[Path]) -> None:
    """Write a figure to every path; the same figure is the same file."""
    for path in paths:
        metadata: dict[str, Any] = {"Date": None} if path.suffix == ".svg" else {}
        with replacing(path) as part:
            figure.savefig(part, dpi=160, metadata=metadata)


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
