"""Shared style of the figures: colours, file formats, lengths of names, placement of labels, saving."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasoner.benchmarks.store.grid import COVERAGE
from reasoner.files import replacing
from reasoner.printable import one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette, which people with any common colour vision can tell apart.
COLOURS = {
    "greedy": "#000000",
    "majority": "#E69F00",
    "best-of-n": "#0072B2",
    "weighted": "#56B4E9",
    "majority-of-the-bests": "#5D3A9B",
    "beam": "#D55E00",
    "mcts": "#009E73",
    "particle": "#CC79A7",
    COVERAGE: "#8A8A8A",
}
SPARE = ("#A6761D", "#F0E442")
FORMATS = ("png", "svg")
NAME, TITLE = 40, 60
"""The most characters of a label and of a title; longer ones would leave no room for the panels."""
GAP = 0.058
"""The least distance of labels, as a share of the panel's height."""
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
