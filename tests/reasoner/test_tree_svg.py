"""A result in a notebook: the tree as SVG, in which no text acts."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from reasoner import Reasoner
from reasoner.events import Result
from reasoner.trace import Trace
from reasoner.tree_svg import MOST, layout, tree_svg
from reasoner.types import Candidate, Completion, Finish, Problem, Usage
from tests.hostile import TEXTS, acting

SVG = "{http://www.w3.org/2000/svg}"


def drawn(html: str) -> ElementTree.Element:
    """The SVG in the HTML, which must be well-formed XML."""
    return ElementTree.fromstring(re.sub(r"^<p>.*?</p>", "", html, flags=re.DOTALL))


@pytest.mark.parametrize("strategy", ["beam", "majority", "mcts", "greedy"])
def test_every_node_is_drawn_and_the_answer_is_bold(strategy: str) -> None:
    with Reasoner("scripted", strategy=strategy) as reasoner:
        result = reasoner.solve("12+30+41")
    tree = drawn(result._repr_html_())
    assert len(tree.findall(f".//{SVG}circle")) == len(result.trace)
    assert len(tree.findall(f".//{SVG}path")) == len(result.trace) - 1
    bold = [t.text for t in tree.iter(f"{SVG}text") if t.get("font-weight") == "bold"]
    assert result.candidate and len(bold) == len(result.candidate.completions) + 1


@pytest.mark.parametrize("name", TEXTS)
def test_a_hostile_text_is_shown_and_does_nothing(name: str) -> None:
    text = TEXTS[name]
    trace = Trace(Problem("p", "1+2"))
    piece = Completion(text, (1,), Finish.EOS)
    node = trace.add(trace.root, piece)
    result = Result(text, Candidate((piece,), True), (), trace, Usage(), error=text)
    html = result._repr_html_()
    assert not acting(html.encode())
    assert {each.tag for each in drawn(html).iter()} == {
        f"{SVG}{tag}" for tag in ("svg", "g", "title", "circle", "text", "path")
    }
    assert len(re.findall("<(?!/?(?:svg|g|title|circle|text|path|p)[ />])", html)) == 0
    assert node.finished


def test_children_stand_below_one_another_and_parents_amid_them() -> None:
    trace = Trace(Problem("p", "1"))
    children = [trace.add(trace.root, Completion("x", (1,), Finish.STOP)) for _ in range(3)]
    places = layout(trace)
    ys = [places[child.id][1] for child in children]
    assert ys == sorted(ys) and len(set(ys)) == 3
    assert places[trace.root.id][1] == ys[1]


def test_a_large_tree_is_cut() -> None:
    trace = Trace(Problem("p", "1"))
    node = trace.root
    for _ in range(3 * MOST):
        node = trace.add(node, Completion("x", (1,), Finish.STOP))
    assert len(drawn(tree_svg(trace, node)).findall(f".//{SVG}circle")) == MOST
