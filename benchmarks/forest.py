"""The picture of a comparison: what each strategy gains on best-of-N at equal cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from reasoner.benchmarks.equal_cost import Row
from reasoner.benchmarks.grid import BEST
from reasoner.benchmarks.plot import STYLE, save
from reasoner.printable import one_line

NAMES = {"generated_tokens": "generated tokens", "flops": "FLOPs, verifier included"}
SHADES = ("#56B4E9", "#0072B2", "#000000", "#D55E00", "#E69F00")
SPREAD = 0.52
ROW = 0.33
"""Inches for a strategy."""
FEWEST = 4
"""Strategies that there is always room for: the margins need as much."""


def draw(rows: Sequence[Row], out: Path, caption: str = "") -> tuple[Path, Path]:
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
                _panel(axes, chosen, names, one_line(f"{task}: equal {NAMES[cost]}"))
        if caption:
            figure.text(0.01, 0.006, one_line(caption), fontsize=7.5, color="#666666")
        figure.tight_layout(rect=(0, 0.02, 1, 1), w_pad=1.5, h_pad=1.8)
        paths = out / "comparison.png", out / "comparison.svg"
        save(figure, paths)
        plt.close(figure)
    return paths


def _ranked(rows: Sequence[Row]) -> list[str]:
    """Strategies by their mean gain, the best on top; best-of-N is the line at zero."""
    gains: dict[str, list[float]] = {}
    for row in rows:
        gains.setdefault(row.strategy, []).append(row.gain)
    gains.pop(BEST, None)
    return sorted(gains, key=lambda name: sum(gains[name]) / len(gains[name]))


def _panel(axes: Axes, rows: Sequence[Row], names: Sequence[str], title: str) -> None:
    budgets = sorted({r.budget for r in rows})
    axes.axvline(0, color="#0072B2", lw=1)
    for place, budget in enumerate(budgets):
        _budget(axes, [r for r in rows if r.budget == budget], names, place, len(budgets))
    axes.set_yticks(range(len(names)), list(map(one_line, names)))
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_title(title, loc="left", weight="bold", fontsize=10)
    axes.set_xlabel(f"accuracy less {BEST}'s, in points")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * x:+.0f}"))
    below = -0.5 / (ROW * max(FEWEST, len(names)))  # half an inch, under the label of the axis
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, below),
        ncols=len(budgets),
        fontsize=8,
        frameon=False,
    )


def _budget(axes: Axes, rows: Sequence[Row], names: Sequence[str], place: int, of: int) -> None:
    """One dot with its interval per strategy, those of one budget in one shade."""
    shown = [r for r in rows if r.strategy in names]
    offset = SPREAD * (0.5 - (place + 0.5) / of)
    heights = [names.index(r.strategy) + offset for r in shown]
    shade = SHADES[place % len(SHADES)]
    lows, highs = [r.gain_low for r in shown], [r.gain_high for r in shown]
    axes.hlines(heights, lows, highs, color=shade, lw=1.3, alpha=0.55)
    axes.plot(
        [r.gain for r in shown],
        heights,
        "o",
        color=shade,
        ms=3.8,
        label=amount(rows[0].cost, rows[0].budget),
    )


def amount(cost: str, budget: float) -> str:
    """A budget with its unit."""
    return f"{budget / 1e9:.3g} GFLOPs" if cost == "flops" else f"{budget:,.0f} tokens"
