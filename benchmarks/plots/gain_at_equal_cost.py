"""The picture of a comparison: what each strategy gains on best-of-N at what it spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from reasoner.benchmarks.analysis.equal_cost import ComparisonRow
from reasoner.benchmarks.plots.looks import COLOURS, Look, shades
from reasoner.benchmarks.plots.style import (
    FAINT,
    FONT_SIZES,
    FORMATS,
    INCHES,
    NAME,
    Width,
    footnote,
    save,
    shortened,
    style,
)
from reasoner.benchmarks.plots.titles import titles
from reasoner.benchmarks.store.grid import BEST
from reasoner.naming import base_names

TASK = 20
"""Letters of a task's name that fit over a panel, beside the kind of cost."""
NAMES = {"generated_tokens": "generated tokens", "flops": "FLOPs, verifier included"}
SPREAD = 0.6
PANEL = 4.75
"""Inches of a panel on a screen, without the names."""
KEYS = 9
"""Sizes on a line of the legend."""
ROW = 2.7
"""The height of a strategy, in letters' sizes."""
FEWEST = 4
"""Strategies that there is always room for: the margins need as much."""


def draw(
    rows: Sequence[ComparisonRow],
    out: Path,
    caption: str = "",
    formats: Sequence[str] = FORMATS,
    width: Width = "screen",
) -> list[Path]:
    """Write comparison.png and comparison.svg to `out`."""
    named, names = titles((r.task for r in rows), TASK), _ranked(rows)
    costs = list(dict.fromkeys(r.cost for r in rows))
    across = 1 if width == "one-column" else len(costs)
    down = len(named) * len(costs) // across
    em = FONT_SIZES[width] / 72
    high = down * em * (ROW * max(FEWEST, len(names)) + 6) + 5 * em
    sizes = shades(sorted({r.n for r in rows if r.strategy != BEST}))
    with plt.rc_context(style(width)):
        figure, grid = plt.subplots(
            down, across, sharey=True, squeeze=False,
            figsize=(INCHES.get(width, 2 + PANEL * across), high),
        )  # fmt: skip
        pairs = [(task, cost) for task in named for cost in costs]
        for (task, cost), axes in zip(pairs, grid.flat, strict=True):
            chosen = [r for r in rows if (r.task, r.cost) == (task, cost)]
            _panel(axes, chosen, names, sizes)
            axes.set_title(f"{named[task]}, at equal {NAMES[cost]}")
        foot = footnote(figure, caption, 72 * em) if caption else 0.0
        lines = _legend(figure, sizes, foot / high, hollow=not all(r.equal for r in rows))
        figure.tight_layout(rect=(0, (foot + 1.8 * em * lines) / high, 1, 1), w_pad=1.5, h_pad=1.5)
        paths = [out / f"comparison.{ending}" for ending in formats]
        save(figure, paths)
        plt.close(figure)
    return paths


def _ranked(rows: Sequence[ComparisonRow]) -> list[str]:
    """Strategies by their mean gain, the best on top; best-of-N is the line at zero."""
    gains: dict[str, list[float]] = {}
    for row in rows:
        gains.setdefault(row.strategy, []).append(row.gain)
    gains.pop(BEST, None)
    return sorted(gains, key=lambda name: sum(gains[name]) / len(gains[name]))


def _panel(
    axes: Axes, rows: Sequence[ComparisonRow], names: Sequence[str], sizes: Mapping[int, Look]
) -> None:
    shown = [r for r in rows if r.strategy in names]
    axes.axvline(0, color=COLOURS[BEST], lw=1)
    for n, look in sizes.items():
        _size(axes, [r for r in shown if r.n == n], _heights(shown, names), look)
    axes.set_yticks(range(len(names)), [shortened(base_names(name), NAME) for name in names])
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlabel(f"accuracy less {BEST}’s, in points")
    axes.xaxis.set_major_locator(MaxNLocator(7))
    axes.xaxis.set_major_formatter(FuncFormatter(signed_points))


def _legend(figure: Figure, sizes: Mapping[int, Look], y: float, *, hollow: bool) -> int:
    """Write which marker is which size, once for all panels, and return the number of lines."""
    blank: dict[str, Any] = {"linestyle": "", "ms": 4}
    keys = [
        Line2D([], [], color=look.colour, marker=look.marker, label=f"n = {n}", **blank)
        for n, look in sizes.items()
    ]
    if hollow:
        white: dict[str, Any] = {"markerfacecolor": "white", "label": "costs not equal"}
        keys.append(Line2D([], [], color=FAINT, marker="o", **blank, **white))
    if keys:
        figure.legend(
            handles=keys, loc="lower center", bbox_to_anchor=(0.5, y), ncols=KEYS, frameon=False,
            borderpad=0, handletextpad=0.1, columnspacing=1,
        )  # fmt: skip
    return max(1, ceil(len(keys) / KEYS))


def _heights(rows: Sequence[ComparisonRow], names: Sequence[str]) -> dict[tuple[str, int], float]:
    """Return the height of each size of each strategy, the smallest size on top."""
    heights = dict[tuple[str, int], float]()
    for place, name in enumerate(names):
        sizes = sorted({r.n for r in rows if r.strategy == name})
        for i, n in enumerate(sizes):
            heights[name, n] = place + SPREAD * (0.5 - (i + 0.5) / len(sizes))
    return heights


def _size(
    axes: Axes, rows: Sequence[ComparisonRow], heights: Mapping[tuple[str, int], float], look: Look
) -> None:
    """Draw a marker with its interval for each strategy in one size, hollow where costs are not equal."""
    for row in rows:
        place = heights[row.strategy, row.n]
        axes.hlines(place, row.gain_low, row.gain_high, color=look.colour, lw=1.3, alpha=0.55)
        axes.plot(
            row.gain, place, look.marker, color=look.colour, ms=4, zorder=3,
            markerfacecolor=look.colour if row.equal else "white",
        )  # fmt: skip


def signed_points(share: float, _: object = None) -> str:
    """Return a difference of shares in points, with a plus or a minus sign where it is not zero."""
    points = round(100 * share, 1)
    return f"{points:+g}".replace("-", "−") if points else "0"
