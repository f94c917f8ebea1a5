"""The figure of training and test-time compute: o1's two panels, and the contours of equal accuracy.

The first two are those of OpenAI, "Learning to reason with LLMs" (2024).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.ticker import EngFormatter

from reasoner.benchmarks.analysis.curves import Point
from reasoner.benchmarks.analysis.train_time import CheckpointRun
from reasoner.benchmarks.plots.labels import Line
from reasoner.benchmarks.plots.looks import legible, shades
from reasoner.benchmarks.plots.panels import (
    draw_line,
    finish,
    geometric_limits,
    logarithmic,
    panels,
    shares,
    wide,
)
from reasoner.benchmarks.plots.style import FORMATS, Width, save, style
from reasoner.benchmarks.plots.titles import titles
from reasoner.benchmarks.stats.arrays import Floats

TRAIN, TEST = "training FLOPs", "FLOPs per problem, verifier included"
PREFIXED = EngFormatter(sep="", places=1)
LEVELS = np.arange(0.05, 1, 0.05)
DEPTH = 40
"""The points of a contour's grid along test-time compute."""
Table = Mapping[float, Mapping[int, Point]]
"""The point of each training compute at each size."""


def draw(
    points: Sequence[CheckpointRun],
    strategies: Mapping[str, str],
    out: Path,
    caption: str = "",
    formats: Sequence[str] = FORMATS,
    width: Width = "screen",
) -> list[Path]:
    """Write train.png and train.svg to `out`: a row for each task, with one of `strategies` each."""
    named = titles(strategies)
    with plt.rc_context(style(width)):
        figure, grid = panels(len(named), 3, width)
        drawn = list[tuple[Axes, Sequence[Line]]]()
        for (task, strategy), row in zip(strategies.items(), grid, strict=True):
            table = {
                c.train_flops: {n: o.point() for n, o in sorted(c.lines(task)[strategy].items())}
                for c in points
            }
            drawn += [(row[0], _by_training(row[0], table)), (row[1], _by_search(row[1], table))]
            _contours(row[2], table)
            row[0].set_title(f"{named[task]}, {strategy}")
            row[2].set_title("equal accuracy")
        finish(figure, drawn, caption)
        paths = [out / f"train.{ending}" for ending in formats]
        save(figure, paths)
        plt.close(figure)
    return paths


def _by_training(axes: Axes, table: Table) -> list[Line]:
    """Draw accuracy against training compute, a line for each size; dotted where it begins."""
    sizes = sorted(set.intersection(*(set(line) for line in table.values())))
    trained = [c for c in table if c]
    _accuracy(axes, TRAIN, trained, table)
    lines = list[Line]()
    for n, look in shades(sizes).items():
        points = [table[c][n] for c in trained]
        lines.append(Line(f"N = {n}", look, trained, [p.accuracy for p in points]))
        _draw(axes, lines[-1], points)
        if start := table.get(0.0):
            axes.axhline(start[n].accuracy, color=look.colour, lw=0.9, ls=":")
    return lines


def _by_search(axes: Axes, table: Table) -> list[Line]:
    """Draw accuracy against test-time compute, a line for each checkpoint."""
    _accuracy(axes, TEST, [p.flops for line in table.values() for p in line.values()], table)
    lines = list[Line]()
    for compute, look in shades(list(table)).items():
        points = list(table[compute].values())
        name = f"{PREFIXED(compute)} FLOPs" if compute else "before training"
        lines.append(Line(name, look, [p.flops for p in points], [p.accuracy for p in points]))
        _draw(axes, lines[-1], points)
    return lines


def _contours(axes: Axes, table: Table) -> None:
    """Draw lines of equal accuracy over both computes, where all checkpoints are measured."""
    trained = [c for c in table if c]
    costs_of_all = [p.flops for line in table.values() for p in line.values()]
    axes.set(xscale="log", yscale="log", xlabel=TRAIN, ylabel=TEST)
    axes.set(xlim=geometric_limits(trained), ylim=geometric_limits(costs_of_all))
    logarithmic(axes.xaxis, wide(axes))
    logarithmic(axes.yaxis, wide(axes))
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
    colours = [look.colour for look in shades(list(LEVELS)).values()]
    lines = axes.contour(trained, costs, heights, levels=LEVELS, colors=colours, linewidths=1.3)
    labels = axes.clabel(lines, fmt=lambda level: f"{level:.0%}", fontsize="small")
    for text in labels:
        text.set_color(legible(to_hex(text.get_color())))


def _interpolated(line: Mapping[int, Point], costs: Floats) -> Floats:
    """Return the accuracy at each of `costs`, linear over their logarithm."""
    known = sorted(line.values(), key=lambda p: p.flops)
    accuracies = np.maximum.accumulate([p.accuracy for p in known])
    heights = np.interp(np.log(costs), np.log([p.flops for p in known]), accuracies)
    return np.asarray(heights, float)


def _accuracy(axes: Axes, name: str, x: Sequence[float], table: Table) -> None:
    """Label and fit the axes of accuracy against a compute."""
    points = [p for line in table.values() for p in line.values()]
    axes.set(xscale="log", xlabel=name, ylabel="accuracy", xlim=geometric_limits(x))
    logarithmic(axes.xaxis, wide(axes))
    shares(axes, min(p.ci_low for p in points), max(p.ci_high for p in points))


def _draw(axes: Axes, line: Line, points: Sequence[Point]) -> None:
    draw_line(axes, line, [p.ci_low for p in points], [p.ci_high for p in points])
