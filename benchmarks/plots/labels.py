"""Labels beside their lines: none covers a line, a marker or another label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, pairwise, product
from math import ceil
from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes

from reasoner.benchmarks.plots.looks import Look
from reasoner.benchmarks.plots.style import INK, NAME, shortened
from reasoner.benchmarks.stats.arrays import Bools, Floats
from reasoner.naming import base_names

# All lengths are in points.
STEP = 2.5
"""The distance of the points that stand for a line."""
CLEAR = 3.5
"""The room between a label and the nearest line: half a marker."""
BESIDE = 9.5
"""The distance from which on a leader shows whose label it is."""
COINCIDENT = 2.0
"""The distance below which two lines are one to the eye."""
GAPS = (6.0, 9.0, 14.0, 24.0, 38.0)
DIRECTIONS = np.array(
    [(1, 0), (1, 0.5), (1, -0.5), (1, 1), (1, -1), (0, 1), (0, -1), (-1, 1), (-1, -1), (-1, 0)]
)
ANCHORS = 12
"""The number of places along a line where its label may be."""
NARROW = 12
"""The most letters in a line of a label that is broken to fit."""
MARGIN = 1 / 6
"""The share of the width that labels beside a panel may take."""


@dataclass(frozen=True)
class Line:
    """A line of a panel, by its data; `low` and `high` are the interval of a single point."""

    name: str
    look: Look
    x: Sequence[float]
    y: Sequence[float]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Label:
    """A label's text, its box (left, bottom, right, top), and the place of its line that it is about."""

    text: str
    box: Floats
    anchor: Floats
    led: bool


@dataclass
class Panel:
    """The lines of a panel, each as points close to each other, and the labels placed so far."""

    axes: Axes
    lines: Sequence[Line]
    margin: float
    labels: list[Label] = field(default_factory=list["Label"])
    sorted_options: dict[tuple[int, ...], list[Label]] = field(
        default_factory=dict[tuple[int, ...], list["Label"]]
    )

    @cached_property
    def tracks(self) -> list[Floats]:
        return [_track(self.axes, line) for line in self.lines]

    @cached_property
    def region(self) -> Floats:
        """The box that labels must be in: the panel, and the margin to its right."""
        left, bottom, right, top = np.array(self.axes.get_window_extent().extents) * _points(
            self.axes
        )
        return np.array([left + 2, bottom + 2, right + self.margin, top + 2])

    def others(self, group: Sequence[int]) -> list[Floats]:
        """Return the lines outside a group."""
        return [track for i, track in enumerate(self.tracks) if i not in group]

    def options(self, group: Sequence[int]) -> list[Label]:
        """Return the labels that a group may have as far as lines go, the best first."""
        key = tuple(group)
        if key not in self.sorted_options:
            texts = _texts([self.lines[i].name for i in group])
            pairs = [
                (cost + 4 * i, label)
                for i, text in enumerate(texts)
                for cost, label in _candidates(self, group, text)
            ]
            self.sorted_options[key] = [label for _, label in sorted(pairs, key=lambda p: p[0])]
        return self.sorted_options[key]

    @cached_property
    def groups(self) -> list[list[int]]:
        """The lines that share a label, because one hides the other."""
        groups = [[i] for i in range(len(self.lines))]
        for i, j in combinations(range(len(self.lines)), 2):
            if _coincident(self.tracks[i], self.tracks[j]):
                first, second = (next(g for g in groups if k in g) for k in (i, j))
                if first is not second:
                    groups.remove(second)
                    first += second
        return groups


def name_lines(axes: Axes, lines: Sequence[Line], margin: float) -> list[Line]:
    """Write the name of each line beside it, lines that coincide together; return those without room.

    `margin` is the room to the right of the panel, in points. The limits of the axes must be final.
    """
    lines = [line for line in lines if len(line.x)]
    panel = Panel(axes, lines, margin)
    order = list(panel.groups)
    for _ in range(2 * len(order)):  # One that finds no room goes first in the next try.
        panel.labels.clear()
        failed = next((g for g in order if not _place(panel, g)), None)
        if failed is None or failed is order[0]:
            break
        order.remove(failed)
        order.insert(0, failed)
    panel.labels.clear()
    unnamed = list[Line]()
    for group in order:
        if label := _place(panel, group):
            _write(axes, label, lines[group[0]].look.ink if len(group) == 1 else INK)
        else:
            unnamed += [lines[i] for i in group]
    return unnamed


def _place(panel: Panel, group: Sequence[int]) -> Label | None:
    """Return the best label for a group of lines, and keep it; None if there is no room."""
    label = next((each for each in panel.options(group) if _free(panel, each, group)), None)
    if label:
        panel.labels.append(label)
    return label


def _texts(names: Sequence[str]) -> list[str]:
    """Return the text of a label in one line, and in several."""
    short = [shortened(base_names(name), NAME) for name in names]
    if len(short) > 1:
        return [",\n".join(short), ", ".join(short)]
    broken = "\n".join(wrap(short[0], NARROW, break_long_words=False))
    return [short[0]] if short[0] == broken else [short[0], broken]


def _candidates(panel: Panel, group: Sequence[int], text: str) -> Iterator[tuple[float, Label]]:
    """Yield every label clear of all lines, with what speaks against it: distance, doubt about whose it is."""
    track = panel.tracks[group[0]]
    half = _size(panel.axes, text) / 2
    places = np.unique(np.linspace(len(track) - 1, 0, ANCHORS).astype(int))[::-1]
    grid = list(product(places, DIRECTIONS, GAPS))
    anchors = track[[place for place, _, _ in grid]]
    ways, gaps = np.array([way for _, way, _ in grid]), np.array([gap for _, _, gap in grid])
    unit = ways / np.linalg.norm(ways, axis=1, keepdims=True)
    centres = anchors + unit * gaps[:, None] + ways * half
    boxes = np.hstack([centres - half, centres + half])
    inside = _inside(boxes, panel.region)
    boxes, anchors, gaps = boxes[inside], anchors[inside], gaps[inside]
    own = np.min([_distances(boxes, panel.tracks[i]) for i in group], axis=0)
    rest = [_distances(boxes, track) for track in panel.others(group)]
    others = np.min(rest or [np.full(len(boxes), np.inf)], axis=0)
    ends = np.linalg.norm(anchors - track[-1], axis=1)
    beside = (ends == 0) & (gaps == GAPS[0]) & (own < others)
    led = ~beside & ((own > BESIDE) | (others < own + 2))
    costs = gaps + 0.12 * ends + 20 * led
    for k in np.flatnonzero(np.minimum(own, others) >= CLEAR):
        yield float(costs[k]), Label(text, boxes[k], anchors[k], bool(led[k]))


def _free(panel: Panel, label: Label, group: Sequence[int]) -> bool:
    """Return True if a label meets no other, and its leader meets nothing."""
    if any(_overlap(label.box, other.box) for other in panel.labels):
        return False
    leaders = [_leader(other) for other in panel.labels if other.led]
    if any(_distances(label.box[None], leader)[0] < CLEAR for leader in leaders):
        return False
    if not label.led:
        return True
    own = _leader(label)
    if any(_nearest(own[:1], line) < COINCIDENT for line in panel.others(group)):
        return False
    boxes = np.array([other.box for other in panel.labels]).reshape(-1, 4)
    lines = [*panel.others(group), *leaders]
    return not (
        any(_distances(box[None], own)[0] < 1 for box in boxes)
        or any(_nearest(own[1:], line) < CLEAR for line in lines)
    )


def _leader(label: Label) -> Floats:
    """Return points along the leader, from the line to the label's box."""
    end = np.clip(label.anchor, label.box[:2], label.box[2:])
    intervals = max(1, ceil(np.linalg.norm(end - label.anchor) / STEP))
    return np.linspace(label.anchor, end, 1 + intervals)


def _write(axes: Axes, label: Label, colour: str) -> None:
    """Write a label, fixed to the place of its line that it is about."""
    x, y = axes.transData.inverted().transform(label.anchor / _points(axes))
    place = float(x), float(y)
    centre = (label.box[:2] + label.box[2:]) / 2
    axes.annotate(
        label.text, xy=place, xytext=tuple(centre - label.anchor), textcoords="offset points",
        color=colour, ha="center", va="center", linespacing=1.0, annotation_clip=False, zorder=6,
    )  # fmt: skip
    if label.led:
        end = _leader(label)[-1] - label.anchor
        axes.annotate(
            "", xy=place, xytext=tuple(end), textcoords="offset points", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.6, "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip


def _size(axes: Axes, text: str) -> Floats:
    """Return the width and height of a text."""
    sample = axes.text(0, 0, text, linespacing=1.0)
    extent = sample.get_window_extent()
    sample.remove()
    return np.array([extent.width, extent.height]) * _points(axes)


def _points(axes: Axes) -> float:
    """Return the points of a pixel."""
    figure = axes.get_figure()
    assert figure is not None
    return 72 / figure.dpi


def _track(axes: Axes, line: Line) -> Floats:
    """Return a line, and the interval of its point, as points `STEP` from each other; the end comes last."""
    corners = list(zip(line.x, line.y, strict=True))
    if line.low is not None and line.high is not None:
        x = line.x[-1]
        corners = [(x, line.low), (x, line.high), *corners]
    places = axes.transData.transform(corners) * _points(axes)
    pieces = [
        np.linspace(a, b, max(2, int(np.linalg.norm(b - a) / STEP) + 1))
        for a, b in pairwise(places)
    ]
    return np.vstack([*pieces, places[-1:]])


def _coincident(one: Floats, other: Floats) -> bool:
    """Return True if no point of either line is further than `COINCIDENT` from the other line."""
    return _furthest(one, other) <= COINCIDENT and _furthest(other, one) <= COINCIDENT


def _furthest(points: Floats, line: Floats) -> float:
    distances = np.linalg.norm(points[:, None] - line[None], axis=2)
    return float(distances.min(axis=1).max())


def _nearest(points: Floats, line: Floats) -> float:
    return float(np.linalg.norm(points[:, None] - line[None], axis=2).min())


def _distances(boxes: Floats, track: Floats) -> Floats:
    """Return the distance of each box from the nearest point of a line."""
    squares = np.zeros((len(boxes), len(track)))
    for axis in (0, 1):
        low, high = boxes[:, axis, None], boxes[:, axis + 2, None]
        squares += np.maximum(np.maximum(low - track[:, axis], track[:, axis] - high), 0) ** 2
    nearest: Floats = np.sqrt(squares.min(axis=1))
    return nearest


def _inside(boxes: Floats, region: Floats) -> Bools:
    """Return True for each box within a region."""
    low, high = boxes[:, :2] >= region[:2], boxes[:, 2:] <= region[2:]
    inside: Bools = np.array([all(row) for row in np.hstack([low, high])], bool)
    return inside


def _overlap(one: Floats, other: Floats) -> bool:
    """Return True if two boxes are closer than a point."""
    return bool((one[:2] < other[2:] + 1).all() and (other[:2] < one[2:] + 1).all())
