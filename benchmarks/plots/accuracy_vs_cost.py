"""The figure of accuracy against cost: a row for each task, a column for each cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator

from reasoner.benchmarks.analysis.cost_axes import Axis, chosen
from reasoner.benchmarks.analysis.curves import Point, attempted
from reasoner.benchmarks.plots.labels import Line
from reasoner.benchmarks.plots.looks import DOTTED, Look, looks
from reasoner.benchmarks.plots.panels import (
    PERCENT,
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
from reasoner.benchmarks.store.grid import COVERAGE
from reasoner.printable import one_line

Interval = tuple[float, float, float]
"""A value, and the low and the high end of its interval."""


@dataclass(frozen=True, slots=True)
class Measure:
    """The quantity of the vertical axis."""

    label: str
    of: Callable[[Point], Interval]
    logarithmic: bool = False


def _accuracy(point: Point) -> Interval:
    return point.accuracy, point.ci_low, point.ci_high


def _error_rate(point: Point) -> Interval:
    """Return the share of wrong answers; none is half of one, since a logarithm has no zero."""
    least = 0.5 / max(1, point.problems)
    wrong = (1 - share for share in (point.accuracy, point.ci_high, point.ci_low))
    rate, low, high = (max(least, share) for share in wrong)
    return rate, low, high


ACCURACY = Measure("accuracy", _accuracy)
ERROR_RATE = Measure("error rate (none as half an error)", _error_rate, logarithmic=True)


def draw(
    points: Sequence[Point],
    out: Path,
    caption: str = "",
    costs: Sequence[Axis] = (),
    formats: Sequence[str] = FORMATS,
    width: Width = "screen",
    measure: Measure = ACCURACY,
) -> list[Path]:
    """Write the curves to `out`, by default as curve.png and curve.svg against the usual costs."""
    named = titles(p.task for p in points)
    costs = costs or chosen((), None, points)
    styles = looks(p.strategy for p in points)
    with plt.rc_context(style(width)):
        figure, grid = panels(len(named), len(costs), width)
        drawn = list[tuple[Axes, Sequence[Line]]]()
        for (task, title), row in zip(named.items(), grid, strict=True):
            of_task = [p for p in points if p.task == task]
            for axes, cost in zip(row, costs, strict=True):
                drawn.append((axes, _panel(axes, of_task, cost, measure, styles)))
            row[0].set_title(f"{title}  ({attempted(of_task)})")
        finish(figure, drawn, caption)
        paths = [out / f"curve.{ending}" for ending in formats]
        save(figure, paths)
        plt.close(figure)
    return paths


def _panel(
    axes: Axes,
    points: Sequence[Point],
    cost: Axis,
    measure: Measure,
    styles: Mapping[str, Look],
) -> list[Line]:
    """Draw the lines of one task against one cost; return them, for their names."""
    axes.set(xscale="log", xlabel=cost.label, ylabel=measure.label)
    _heights(axes, points, measure)
    lines = list[Line]()
    for name, series in _series(points, cost).items():
        values, lows, highs = zip(*map(measure.of, series), strict=True)
        look = styles[series[0].strategy]
        if series[0].budget:
            look = replace(look, dash=DOTTED, hollow=True)
        line = Line(name, look, [cost.of(p) for p in series], values)
        if len(series) == 1:
            line = replace(line, low=lows[0], high=highs[0])
        bounds = (values, values) if series[0].strategy == COVERAGE else (lows, highs)
        draw_line(axes, line, *bounds)
        lines.append(line)
    if at := [x for line in lines for x in line.x]:
        axes.set_xlim(geometric_limits(at))
        logarithmic(axes.xaxis, wide(axes))
    return lines


def _heights(axes: Axes, points: Sequence[Point], measure: Measure) -> None:
    """Fit the vertical axis to the points of a task, whatever the cost."""
    values, lows, highs = zip(*map(measure.of, points), strict=True)
    low, high = min(*values, *lows), max(*values, *highs)
    if not measure.logarithmic:
        return shares(axes, low, high)
    axes.set(yscale="log", ylim=geometric_limits([low, high]))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(PERCENT)
    axes.yaxis.set_minor_locator(NullLocator())
    return None


def _series(points: Sequence[Point], cost: Axis) -> dict[str, list[Point]]:
    series: dict[str, list[Point]] = {}
    for p in points:
        name = "pass@k (coverage)" if p.strategy == COVERAGE else p.strategy
        name = one_line(f"{name} (budget)" if p.budget else name)
        if cost.of(p) > 0:  # A server that hides its size has no place on this axis.
            series.setdefault(name, []).append(p)
    return {name: sorted(line, key=cost.of) for name, line in series.items()}
