"""The picture of a comparison: what each strategy gains on best-of-N at what it spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from reasoner.benchmarks.analysis.equal_cost import ComparisonRow
from reasoner.benchmarks.plots.style import NAME, STYLE, save, shortened
from reasoner.benchmarks.store.grid import BEST
from reasoner.printable import one_line

TASK = 20
"""Letters of a task's name that fit over a panel, beside the kind of cost."""
NAMES = {"generated_tokens": "generated tokens", "flops": "FLOPs, verifier included"}
SPREAD = 0.52
ROW = 0.33
"""Inches for a strategy."""
FEWEST = 4
"""Strategies that there is always room for: the margins need as much."""


def draw(rows: Sequence[ComparisonRow], out: Path, caption: str = "") -> tuple[Path, Path]:
    """Write comparison.png and comparison.svg to `out`."""
    tasks, names = list(dict.fromkeys(r.task for r in rows)), _ranked(rows)
    costs = list(dict.fromkeys(r.cost for r in rows))
    with plt.rc_context(STYLE):
        figure, grid = plt.subplots(
            len(tasks), len(costs), sharey=True, squeeze=False,
            figsize=(2 + 4.75 * len(costs), len(tasks) * (ROW * max(FEWEST, len(names)) + 1.4) + 0.4),
        )  # fmt: skip
        for task, panels in zip(tasks, grid, strict=True):
            for axes, cost in zip(panels, costs, strict=True):
                chosen = [r for r in rows if (r.task, r.cost) == (task, cost)]
                _panel(axes, chosen, names, f"{shortened(task, TASK)}, at equal {NAMES[cost]}")
        if caption:
            figure.text(0.01, 0.006, one_line(caption), fontsize=7.5, color="#666666")
        figure.tight_layout(rect=(0, 0.02, 1, 1), w_pad=1.5, h_pad=1.8)
        paths = out / "comparison.png", out / "comparison.svg"
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


def _panel(axes: Axes, rows: Sequence[ComparisonRow], names: Sequence[str], title: str) -> None:
    shown = [r for r in rows if r.strategy in names]
    axes.axvline(0, color="#0072B2", lw=1)
    for n, shade in _shades(shown).items():
        _size(axes, [r for r in shown if r.n == n], _heights(shown, names), shade)
    if not all(r.equal for r in shown):
        axes.scatter([], [], s=15, c="white", edgecolors="#666666", label="costs not equal")
    axes.set_yticks(range(len(names)), [shortened(name, NAME) for name in names])
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_title(title, loc="left", weight="bold", fontsize=10)
    axes.set_xlabel(f"accuracy less {BEST}'s, in points")
    axes.xaxis.set_major_formatter(FuncFormatter(_points))
    below = -0.5 / (ROW * max(FEWEST, len(names)))  # half an inch, under the label of the axis
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, below),
        ncols=9,
        fontsize=8,
        frameon=False,
        handletextpad=0.1,
        columnspacing=1,
    )


def _shades(rows: Sequence[ComparisonRow]) -> dict[int, Any]:
    """A colour for each size, the larger the darker."""
    sizes = sorted({r.n for r in rows})
    places = np.linspace(0.85, 0.0, len(sizes))
    return dict(zip(sizes, plt.get_cmap("viridis")(places), strict=True))


def _heights(rows: Sequence[ComparisonRow], names: Sequence[str]) -> dict[tuple[str, int], float]:
    """Return the height of each size of each strategy, the smallest size on top."""
    heights = dict[tuple[str, int], float]()
    for place, name in enumerate(names):
        sizes = sorted({r.n for r in rows if r.strategy == name})
        for i, n in enumerate(sizes):
            heights[name, n] = place + SPREAD * (0.5 - (i + 0.5) / len(sizes))
    return heights


def _size(
    axes: Axes, rows: Sequence[ComparisonRow], heights: Mapping[tuple[str, int], float], shade: Any
) -> None:
    """A dot with its interval for each strategy in one size, empty where costs are not equal."""
    places = [heights[r.strategy, r.n] for r in rows]
    lows, highs = [r.gain_low for r in rows], [r.gain_high for r in rows]
    axes.hlines(places, lows, highs, color=shade, lw=1.3, alpha=0.55)
    faces = [shade if r.equal else "white" for r in rows]
    axes.scatter([r.gain for r in rows], places, s=15, c=faces, edgecolors=[shade], zorder=3)
    axes.scatter([], [], s=15, color=[shade], label=f"n = {rows[0].n}")


def _points(share: float, _: int) -> str:
    return f"{100 * share:+.0f}"
