"""Labels beside lines: they cover nothing, stay within their room, and name every line."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.path import Path as Curve
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from reasoner.benchmarks.plots.labels import Line, name_lines
from reasoner.benchmarks.plots.looks import looks

MARGIN = 60.0
NAMES = ["greedy", "majority", "best-of-n", "majority-of-the-bests", "beam", "x" * 30, "mcts"]


def axes() -> Axes:
    figure = plt.figure(figsize=(5, 3.5), dpi=72)
    made = figure.add_axes((0.1, 0.1, 0.7, 0.8))
    made.set(xscale="log", xlim=(0.9, 70), ylim=(0, 1.02))
    return made


def lines(heights: list[list[float]]) -> list[Line]:
    styles = looks(NAMES)
    return [
        Line(name, styles[name], [4.0**i for i in range(len(ys))], ys)
        for name, ys in zip(NAMES, heights, strict=False)
    ]


def curve(panel: Axes, line: Line) -> Curve:
    places = panel.transData.transform(list(zip(line.x, line.y, strict=True)))
    return Curve(places if len(places) > 1 else np.vstack([places, places]))


def notes(panel: Axes) -> list[Annotation]:
    return [text for text in panel.texts if isinstance(text, Annotation)]


def boxes(panel: Axes) -> dict[str, Bbox]:
    return {t.get_text(): t.get_window_extent() for t in notes(panel) if t.get_text()}


def joined(text: str) -> str:
    """Return the text of a label with its lines joined; a name may be broken after a hyphen."""
    return text.replace("-\n", "-").replace("\n", " ")


heights = st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=4), min_size=1, max_size=7)


@settings(max_examples=25)
@given(heights)
def test_labels_cover_no_line_and_no_label_and_stay_in_their_room(ys: list[list[float]]) -> None:
    panel, drawn = axes(), lines(ys)
    try:
        unnamed = name_lines(panel, drawn, MARGIN)
        placed, frame = boxes(panel), panel.get_window_extent()
        for box in placed.values():
            assert not any(curve(panel, line).intersects_bbox(box, filled=False) for line in drawn)
            assert box.x1 <= frame.x1 + MARGIN + 1 and box.x0 >= frame.x0
            assert frame.y0 <= box.y0 and box.y1 <= frame.y1 + 3
        assert not any(a.overlaps(b) for a, b in combinations(placed.values(), 2))
        text = joined(" ".join(placed))
        shown = [line.name for line in drawn if line not in unnamed]
        assert all(name in text for name in shown)
    finally:
        plt.close()


@settings(max_examples=15)
@example([[0.0, 1.0, 0.0], [0.0, 0.75], [0.0, 0.5]])
@given(heights)
def test_leaders_cross_no_other_line(ys: list[list[float]]) -> None:
    panel, drawn = axes(), lines(ys)
    try:
        name_lines(panel, drawn, MARGIN)
        texts = notes(panel)
        for label, leader in ((a, b) for a, b in pairwise(texts) if not b.get_text()):
            start = panel.transData.transform(leader.xy)
            path = Curve([start, start + np.array(leader.xyann)])
            others = [line for line in drawn if line.name not in joined(label.get_text())]
            assert not any(
                curve(panel, line).intersects_path(path, filled=False) for line in others
            )
    finally:
        plt.close()


def test_lines_that_hide_each_other_are_named_together() -> None:
    panel = axes()
    ys = [[0.2, 0.5, 0.6, 0.7], [0.201, 0.5, 0.6, 0.7], [0.9, 0.85, 0.8, 0.75]]
    assert name_lines(panel, lines(ys), MARGIN) == []
    assert sorted(boxes(panel)) == ["best-of-n", "greedy,\nmajority"]
    plt.close()


def test_an_interval_is_not_covered_either() -> None:
    panel = axes()
    point = Line("greedy", looks(["greedy"])["greedy"], [8.0], [0.5], 0.1, 0.9)
    assert name_lines(panel, [point], MARGIN) == []
    [box] = boxes(panel).values()
    ends = panel.transData.transform([(8, 0.1), (8, 0.9)])
    assert not Curve(ends).intersects_bbox(box, filled=False)
    plt.close()


def test_a_label_without_room_is_returned() -> None:
    panel = axes()
    panel.set_position((0.1, 0.1, 0.05, 0.05))
    drawn = lines([[0.1, 0.5], [0.3, 0.9]])
    assert {line.name for line in name_lines(panel, drawn, 0)} == {"greedy", "majority"}
    plt.close()
