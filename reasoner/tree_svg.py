"""The search tree of a run as an SVG element, for notebooks. It runs no script and loads nothing."""

from __future__ import annotations

from collections.abc import Collection
from html import escape

from reasoner.printable import one_line, printable
from reasoner.trace import Node, Trace
from reasoner.types import NodeId

MOST = 400
"""Nodes that are drawn, the first ones: a notebook keeps every picture."""
WIDTH, ROW, STEP, RADIUS = 900, 18, 170, 5
LABEL, TITLE = 22, 600
"""Characters beside a node, and in the text that appears over it."""

Place = tuple[float, float]


def tree_svg(trace: Trace, chosen: Node | None = None) -> str:
    """Return the tree from left to right, the path to `chosen` in bold; texts of models are escaped."""
    places = layout(trace)
    path = frozenset(node.id for node in trace.path(chosen)) if chosen else frozenset[NodeId]()
    parts = [_edge(trace, trace[id], places, path) for id in places if id]
    parts += [_node(trace[id], places[id], path) for id in places]
    deep = max(x for x, _ in places.values()) + STEP
    tall = max(y for _, y in places.values()) + ROW
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {deep:g} {tall:g}"'
        f' width="{min(deep, WIDTH):g}" font-family="sans-serif" font-size="10">{"".join(parts)}</svg>'
    )


def layout(trace: Trace) -> dict[NodeId, Place]:
    """Return places by node: depth to the right, leaves one below the other, parents amid their children."""
    heights, rows = dict[NodeId, float](), 0
    for node in reversed(_in_order(trace)):
        below = [heights[c.id] for c in trace.children(node) if c.id in heights]
        rows += not below
        heights[node.id] = (below[0] + below[-1]) / 2 if below else rows * ROW
    top = rows * ROW + ROW  # Leaves were numbered from the last one.
    return {id: (10 + trace[id].depth * STEP, top - y) for id, y in heights.items()}


def _in_order(trace: Trace) -> list[Node]:
    """Return the first `MOST` nodes, each before its children, and these before its next sibling."""
    ordered, waiting = list[Node](), [trace.root]
    while waiting:
        node = waiting.pop()
        ordered.append(node)
        waiting += [child for child in reversed(trace.children(node)) if child.id < MOST]
    return ordered


def _edge(trace: Trace, node: Node, places: dict[NodeId, Place], path: Collection[NodeId]) -> str:
    parent = trace.parent(node)
    assert parent is not None, "only the root has none"
    (x, y), (right, below) = places[parent.id], places[node.id]
    width = 2.5 if node.id in path else 0.8
    middle = (x + right) / 2
    return (
        f'<path d="M{x:g} {y:g}C{middle:g} {y:g} {middle:g} {below:g} {right:g} {below:g}"'
        f' fill="none" stroke="#888" stroke-width="{width}"/>'
    )


def _node(node: Node, place: Place, path: Collection[NodeId]) -> str:
    """Return a circle, filled by its score and ringed if the model ended there, with the start of its text."""
    x, y = place
    text = node.completion.text if node.completion else ""
    score = "" if node.score is None else f"{node.score:.3f} "
    shade = (
        "#ddd"
        if node.score is None
        else f"hsl(205,70%,{90 - 55 * min(1.0, max(0.0, node.score)):.0f}%)"
    )
    weight = ' font-weight="bold"' if node.id in path else ""
    return (
        f"<g><title>{escape(score + printable(text[:TITLE]))}</title>"
        f'<circle cx="{x:g}" cy="{y:g}" r="{RADIUS}" fill="{shade}"'
        f' stroke="{"#222" if node.finished else "none"}"/>'
        f'<text x="{x + RADIUS + 3:g}" y="{y - 3:g}" fill="currentColor"{weight}>'
        f"{escape(one_line(text.strip()[:LABEL])[:LABEL])}</text></g>"
    )
