"""The figure of training and test-time compute: o1's two panels, and the contours of equal accuracy.

The first two are those of OpenAI, "Learning to reason with LLMs" (2024).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator, PercentFormatter

from reasoner.benchmarks.analysis.curves import Point
from reasoner.benchmarks.analysis.train_time import CheckpointRun
from reasoner.benchmarks.plots.accuracy_vs_cost import End, label
from reasoner.benchmarks.plots.style import FORMATS, STYLE, TITLE, save, shortened
from reasoner.benchmarks.stats.arrays import Floats
from reasoner.printable import one_line

TRAIN, TEST = "training FLOPs", "FLOPs per problem, verifier included"
PREFIXED = EngFormatter(sep="", places=1)
LEVELS = np.arange(0.05, 1, 0.05)
DEPTH = 40
"""The points of a contour's grid along test-time compute."""
K = TypeVar("K")
Table = Mapping[float, Mapping[int, Point]]
"""The point of each training compute at each size."""


def draw(
    points: Sequence[CheckpointRun],
    strategies: Mapping[str, str],
    out: Path,
    caption: str = "",
    formats: Sequence[str] = FORMATS,
) -> list[Path]:
    """Write train.png and train.svg to `out`: a row for each task, with one of `strategies` each."""
    tasks = list(strategies)
    with plt.rc_context(STYLE):
        figure, grid = plt.subplots(
            len(tasks), 3, squeeze=False, figsize=(15.5, 3.9 * len(tasks) + 0.4)
        )
        for (task, strategy), row in zip(strategies.items(), grid, strict=True):
            table = {
                c.train_flops: {n: o.point() for n, o in sorted(c.lines(task)[strategy].items())}
                for c in points
            }
            _by_training(row[0], table)
            _by_search(row[1], table)
            _contours(row[2], table)
            title = f"{shortened(task, TITLE)}, {strategy}"
            row[0].set_title(title, loc="left", weight="bold")
            row[2].set_title("equal accuracy", loc="left", weight="bold")
        figure.text(0.01, 0.008, one_line(caption), fontsize=7.5, color="#666666")
        figure.tight_layout(rect=(0, 0.03, 1, 1), w_pad=2.5, h_pad=2)
        paths = [out / f"train.{ending}" for ending in formats]
        save(figure, paths)
        plt.close(figure)
    return paths


def _by_training(axes: Axes, table: Table) -> None:
    """Draw accuracy against training compute, a line for each size; dotted where it begins."""
    _accuracy(axes, TRAIN)
    sizes = sorted(set.intersection(*(set(line) for line in table.values())))
    trained, ends = [c for c in table if c], list[End]()
    for n, colour in _shades(sizes).items():
        line = [table[c][n] for c in trained]
        _line(axes, trained, line, colour)
        if start := table.get(0.0):
            axes.axhline(start[n].accuracy, color=colour, lw=0.9, ls=":")
        ends.append((f"N = {n}", colour, trained[-1], line[-1].accuracy))
    label(axes, ends)


def _by_search(axes: Axes, table: Table) -> None:
    """Draw accuracy against test-time compute, a line for each checkpoint."""
    _accuracy(axes, TEST)
    ends = list[End]()
    for compute, colour in _shades(list(table)).items():
        line = list(table[compute].values())
        _line(axes, [p.flops for p in line], line, colour)
        name = f"{PREFIXED(compute)} FLOPs" if compute else "before training"
        ends.append((name, colour, line[-1].flops, line[-1].accuracy))
    label(axes, ends)


def _contours(axes: Axes, table: Table) -> None:
    """Draw lines of equal accuracy over both computes, where all checkpoints are measured."""
    axes.set(xscale="log", yscale="log", xlabel=TRAIN, ylabel=TEST)
    _ticks(axes.xaxis)
    _ticks(axes.yaxis)
    trained = [c for c in table if c]
    axes.scatter(
        [c for c in trained for _ in table[c]], [p.flops for c in trained for p in table[c].values()],
        s=9, color="#999999", lw=0,
    )  # fmt: skip
    if len(trained) < 2:
        return
    low = max(min(p.flops for p in table[c].values()) for c in trained)
    high = min(max(p.flops for p in table[c].values()) for c in trained)
    if low >= high:
        return
    costs = np.geomspace(low, high, DEPTH)
    heights = np.column_stack([_interpolated(table[c], costs) for c in trained])
    axes.use_sticky_edges = False  # A margin beside the first and the last checkpoint.
    lines = axes.contour(trained, costs, heights, levels=LEVELS, cmap="viridis", linewidths=1.3)
    axes.clabel(lines, fmt=lambda level: f"{level:.0%}", fontsize=8)


def _interpolated(line: Mapping[int, Point], costs: Floats) -> Floats:
    """Return the accuracy at each of `costs`, linear over their logarithm."""
    known = sorted(line.values(), key=lambda p: p.flops)
    accuracies = np.maximum.accumulate([p.accuracy for p in known])
    heights = np.interp(np.log(costs), np.log([p.flops for p in known]), accuracies)
    return np.asarray(heights, float)


def _accuracy(axes: Axes, name: str) -> None:
    axes.set(xscale="log", xlabel=name, ylabel="accuracy", ylim=(0, 1.02))
    _ticks(axes.xaxis)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _ticks(axis: Axis) -> None:
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(EngFormatter(sep=""))
    axis.set_minor_locator(NullLocator())


def _line(axes: Axes, x: Sequence[float], line: Sequence[Point], colour: str) -> None:
    axes.plot(x, [p.accuracy for p in line], color=colour, marker="o", ms=3.6, lw=1.7)
    low, high = [p.ci_low for p in line], [p.ci_high for p in line]
    axes.fill_between(x, low, high, color=colour, alpha=0.13, lw=0)


def _shades(keys: Sequence[K]) -> dict[K, str]:
    """Return a colour for each key, the later the darker."""
    places = np.linspace(0.85, 0.0, len(keys))
    return dict(zip(keys, map(to_hex, plt.get_cmap("viridis")(places)), strict=True))
