"""The picture of one search: its tree from left to right, the chosen solution in bold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import networkx as nx
from matplotlib import colormaps
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Curve

from reasoner.benchmarks.plots.style import FAINT, INK, save, style
from reasoner.events import Result
from reasoner.printable import one_line, printable
from reasoner.trace import ROOT, Node, Trace
from reasoner.types import NodeId

# Inches; 9.375 are 900 pixels in a browser.
WIDTH, MARGIN, HEAD, FOOT = 9.375, 0.14, 0.5, 0.34
ROW, SHORTEST, TALLEST = 0.21, 0.5, 11.0
LEGIBLE = 0.13
"""The least height of a row whose text can be read."""
LETTER = 0.066
"""The width of a letter of a label."""
SHARE = 0.62
"""The share of the distance between steps that a step's text may take."""
SHADES = ListedColormap(colormaps["viridis_r"]([x / 256 for x in range(8, 257)]))
"""The lower the paler, in greyscale too."""
CALIBRATED = ("calibrated", "oracle")
"""Verifiers whose scores are probabilities; those of others only rank, and so colours show their ranks."""
KEY = "ring: the model ended here  ·  bold: the answer"
RIGHT, WRONG = "✓", "✗"
LINE = "#BDBDBD"

Place = tuple[float, float]


def draw(
    result: Result, out: Path, title: str, caption: str, right: Collection[NodeId] | None = None
) -> None:
    """Write the tree of `result` to `out`; `right` are the solutions that reach the right answer, if known."""
    picture = Picture(result, None if right is None else frozenset(right))
    height = picture.height + HEAD + FOOT
    with plt.rc_context(style()):
        figure = plt.figure(figsize=(WIDTH, height))
        axes = figure.add_axes((0, FOOT / height, 1, picture.height / height))
        axes.set(xlim=(0, WIDTH), ylim=(picture.height, 0))
        axes.axis("off")
        picture.draw(axes)
        legend(figure, picture, 1 - 0.2 / height)
        figure.text(
            MARGIN / WIDTH, 1 - 0.2 / height, one_line(title), va="center", weight="bold", color=INK
        )
        small: dict[str, Any] = {"fontsize": 8, "color": FAINT}
        figure.text(MARGIN / WIDTH, 0.12 / height, one_line(caption), **small)
        figure.text(1 - MARGIN / WIDTH, 0.12 / height, picture.key, ha="right", **small)
        save(figure, [out])
        plt.close(figure)


def layout(trace: Trace) -> dict[NodeId, Place]:
    """Depth to the right; leaves one below the other, parents half-way down their children."""
    rows, heights = count(), dict[NodeId, float]()
    for id in nx.dfs_postorder_nodes(trace.graph, ROOT):
        below = [heights[c] for c in trace.graph.successors(id)]
        heights[id] = (below[0] + below[-1]) / 2 if below else float(next(rows))
    return {node.id: (node.depth, heights[node.id]) for node in trace}


def legend(figure: Figure, picture: Picture, y: float) -> None:
    """Draw the scale of the colours with its ends, at the top right; nothing without values."""
    if not picture.values:
        return
    low, high = picture.ends
    left, right, tall = 0.81, 0.93, 0.13 / figure.get_figheight()
    bar = figure.add_axes((left, y - tall / 2, right - left, tall))
    figure.colorbar(ScalarMappable(cmap=SHADES), cax=bar, orientation="horizontal", ticks=[])
    bar.spines[:].set_visible(False)
    small: dict[str, Any] = {"fontsize": 8.5, "va": "center", "color": INK}
    figure.text(left - 0.006, y, f"{picture.measure}  {low:.2f}", ha="right", **small)
    figure.text(right + 0.006, y, f"{high:.2f}", **small)


@dataclass(frozen=True)
class Picture:
    """The layout and the colours of a drawing."""

    result: Result
    right: frozenset[NodeId] | None

    @property
    def key(self) -> str:
        """Return the meaning of marks and lines."""
        marks = "" if self.right is None else f"{RIGHT} right  ·  {WRONG} wrong  ·  "
        return marks + KEY

    @property
    def trace(self) -> Trace:
        return self.result.trace

    @cached_property
    def places(self) -> dict[NodeId, Place]:
        """In inches, from the top left."""
        grid = layout(self.trace)
        row = self.height / self.rows
        # The root has no text, so half a column is enough for it.
        across = {id: MARGIN + max(0.0, x - 0.5) * self.column for id, (x, _) in grid.items()}
        return {id: (across[id], (y + 0.5) * row) for id, (_, y) in grid.items()}

    @cached_property
    def rows(self) -> int:
        return sum(self.trace.graph.out_degree(n.id) == 0 for n in self.trace)

    @cached_property
    def column(self) -> float:
        """The width of a step, with as much beside the deepest nodes for their text."""
        return (WIDTH - 2 * MARGIN) / (0.5 + max(n.depth for n in self.trace))

    @cached_property
    def height(self) -> float:
        return min(TALLEST, max(SHORTEST, ROW * self.rows))

    @cached_property
    def chosen(self) -> list[Node]:
        """The path to the answer."""
        last = self.result.candidate and self.result.candidate.completions[-1:]
        return next(
            (self.trace.path(n) for n in self.trace if last and n.completion is last[0]), []
        )

    @cached_property
    def votes(self) -> dict[NodeId, float]:
        """The share of solutions that agree with each."""
        answers = [s.answer for s in self.result.candidates]
        share = Counter(answers)
        finished = zip(self.trace.finished, answers, strict=True)
        return {node.id: share[answer] / len(answers) for node, answer in finished}

    @cached_property
    def values(self) -> dict[NodeId, float]:
        """Return the quantity that colours show: scores, or votes if there are no scores."""
        return {n.id: n.score for n in self.trace if n.score is not None} or self.votes

    @cached_property
    def ranks(self) -> dict[NodeId, float]:
        """The places of the values among the distinct ones, from 0 to 1."""
        order = sorted(set(self.values.values()))
        last = max(1, len(order) - 1)
        places = {
            value: (place or last * (len(order) == 1)) / last for place, value in enumerate(order)
        }
        return {id: places[value] for id, value in self.values.items()}

    @property
    def ranked(self) -> bool:
        """True where values have no common scale."""
        return self.values is not self.votes and self.result.scored_by not in CALIBRATED

    @property
    def measure(self) -> str:
        """Return the name of what colours show."""
        if self.ranked:
            return "score, by rank"
        return "share of votes" if self.values is self.votes else "score"

    @property
    def ends(self) -> tuple[float, float]:
        """The values of the palest and of the darkest colour."""
        values = self.values.values()
        return (min(values), max(values)) if self.ranked else (0.0, 1.0)

    def shade(self, id: NodeId) -> Any:
        """Return the colour of a node; white if it has no value."""
        shown = self.ranks if self.ranked else self.values
        return SHADES(shown[id]) if id in shown else "white"

    def draw(self, axes: Axes) -> None:
        bold = {(a.id, b.id) for a, b in pairwise(self.chosen)}
        for above, below in self.trace.graph.edges:
            axes.add_patch(self.edge(above, below, (above, below) in bold))
        for node in self.trace:
            self.dot(axes, node)
            if self.height / self.rows >= LEGIBLE:
                self.label(axes, node)

    def edge(self, above: NodeId, below: NodeId, bold: bool) -> PathPatch:
        """Straight under the text, then curved."""
        (x, y), (end, down) = self.places[above], self.places[below]
        bend = x if above == ROOT else x + SHARE * (end - x)
        half = (bend + end) / 2
        points = [(x, y), (bend, y), (half, y), (half, down), (end, down)]
        curve = Curve(points, [Curve.MOVETO, Curve.LINETO, *3 * [Curve.CURVE4]])
        look = {"ec": INK, "lw": 2.0, "zorder": 2} if bold else {"ec": LINE, "lw": 0.8, "zorder": 1}
        return PathPatch(curve, fill=False, capstyle="round", **look)

    def dot(self, axes: Axes, node: Node) -> None:
        """A disc in the colour of its value, small if it has none; ringed where the model ended."""
        size = min(1.0, self.height / self.rows / ROW)
        edge = INK if node in self.chosen else "#777777"
        area = (34 if node.id in self.values else 14) * size
        fill = self.shade(node.id)
        axes.scatter(*self.places[node.id], s=area, c=[fill], ec=edge, lw=0.7, zorder=4)
        if node.finished:
            axes.scatter(*self.places[node.id], s=95 * size, c="white", ec=edge, lw=0.9, zorder=3)

    def label(self, axes: Axes, node: Node) -> None:
        """The step's text: beside a leaf, and above the line that goes on from any other node."""
        x, y = self.places[node.id]
        if self.trace.graph.out_degree(node.id):
            text = shortened(node, SHARE * self.column)
            place, look = (x + 0.07, y - 0.02), "bottom"
        else:
            # Nothing is to the right of a leaf: its row is its own.
            text, place, look = shortened(node, WIDTH - x - 0.45), (x + 0.12, y + 0.005), "center"
        mark = self.mark(node)
        wide = 0.13 if mark else 0.0
        axes.text(*place, mark, fontsize=10, color=INK, va=look, weight="bold", zorder=5)
        axes.text(place[0] + wide, place[1], text, fontsize=7.5, color=INK, va=look, zorder=5)

    def mark(self, node: Node) -> str:
        """Return the mark of a finished solution, if it is known which are right."""
        if self.right is None or not node.finished:
            return ""
        return RIGHT if node.id in self.right else WRONG


def shortened(node: Node, room: float) -> str:
    """Return the text of a node in one line, cut to a width in inches."""
    text = printable("  ".join(node.completion.text.split("\n")).strip()) if node.completion else ""
    letters = int(room / LETTER)
    if len(text) <= letters:
        return text
    return text[: letters - 1] + "…" if letters >= 4 else ""
