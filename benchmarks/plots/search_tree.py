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
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Curve

from reasoner.benchmarks.plots.style import STYLE, save
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
SHADES = ListedColormap(colormaps["YlGnBu"]([x / 300 for x in range(10, 256)]))
KEY = "ring: the model ended here    ✓: right    bold: the answer"
INK, FAINT = "#222222", "#BDBDBD"

Place = tuple[float, float]


def draw(
    result: Result, out: Path, title: str, caption: str, right: Collection[NodeId] = ()
) -> None:
    """Write the tree of `result` to `out`; `right` are the solutions that reach the right answer."""
    picture = Picture(result, frozenset(right))
    height = picture.height + HEAD + FOOT
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(WIDTH, height))
        axes = figure.add_axes((0, FOOT / height, 1, picture.height / height))
        axes.set(xlim=(0, WIDTH), ylim=(picture.height, 0))
        axes.axis("off")
        picture.draw(axes)
        legend(figure, picture, 1 - 0.2 / height)
        figure.text(
            MARGIN / WIDTH, 1 - 0.2 / height, one_line(title), va="center", weight="bold", color=INK
        )
        small: dict[str, Any] = {"fontsize": 8, "color": "#555555"}
        figure.text(MARGIN / WIDTH, 0.12 / height, one_line(caption), **small)
        figure.text(1 - MARGIN / WIDTH, 0.12 / height, KEY, ha="right", **small)
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
    """The scale of the colours, at the top right, and what a ring means."""
    low, high = 0.86, 0.955
    bar = figure.add_axes(
        (low, y - 0.045 / figure.get_figheight(), high - low, 0.09 / figure.get_figheight())
    )
    scale = ScalarMappable(Normalize(0, picture.most), SHADES)
    figure.colorbar(scale, cax=bar, orientation="horizontal", ticks=[])
    bar.spines[:].set_visible(False)
    small: dict[str, Any] = {"fontsize": 8, "va": "center", "color": "#555555"}
    figure.text(low - 0.006, y, f"{picture.measure} 0", ha="right", **small)
    figure.text(high + 0.006, y, f"{picture.most:.2g}", **small)


@dataclass(frozen=True)
class Picture:
    """The layout and the colours of a drawing."""

    result: Result
    right: frozenset[NodeId]

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

    @property
    def measure(self) -> str:
        return "share of votes" if self.values is self.votes else "score"

    @property
    def most(self) -> float:
        return max(self.values.values(), default=1.0) or 1.0

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
        look = (
            {"ec": INK, "lw": 2.0, "zorder": 2} if bold else {"ec": FAINT, "lw": 0.8, "zorder": 1}
        )
        return PathPatch(curve, fill=False, capstyle="round", **look)

    def dot(self, axes: Axes, node: Node) -> None:
        """A disc in the colour of its value, small if it has none; ringed where the model ended."""
        value = self.values.get(node.id)
        size = min(1.0, self.height / self.rows / ROW)
        fill = "white" if value is None else SHADES(value / self.most)
        edge = INK if node in self.chosen else "#777777"
        area = (14 if value is None else 34) * size
        axes.scatter(*self.places[node.id], s=area, c=[fill], ec=edge, lw=0.7, zorder=4)
        if node.finished:
            axes.scatter(*self.places[node.id], s=95 * size, c="white", ec=edge, lw=0.9, zorder=3)

    def label(self, axes: Axes, node: Node) -> None:
        """The step's text: beside a leaf, and above the line that goes on from any other node."""
        x, y = self.places[node.id]
        mark = " ✓" if node.id in self.right else ""
        if self.trace.graph.out_degree(node.id):
            text, place, look = (
                shortened(node, SHARE * self.column),
                (x + 0.07, y - 0.02),
                "bottom",
            )
        else:
            # Nothing is to the right of a leaf: its row is its own.
            text, place, look = shortened(node, WIDTH - x - 0.4), (x + 0.1, y + 0.005), "center"
        axes.text(*place, text + mark, fontsize=7.5, color=INK, va=look, zorder=5)


def shortened(node: Node, room: float) -> str:
    """Return the text of a node in one line, cut to a width in inches."""
    text = printable("  ".join(node.completion.text.split("\n")).strip()) if node.completion else ""
    letters = int(room / LETTER)
    if len(text) <= letters:
        return text
    return text[: letters - 1] + "…" if letters >= 4 else ""
