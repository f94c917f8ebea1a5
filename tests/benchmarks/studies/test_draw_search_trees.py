"""Pictures of searches, and what searches cost."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from reasoner.backends.scripted import Scripted
from reasoner.benchmarks.plots.search_tree import SHADES, Picture, layout, shortened
from reasoner.benchmarks.studies import search_overhead as overhead
from reasoner.benchmarks.studies.draw_search_trees import TOY, Grower
from reasoner.events import Result
from reasoner.search import Beam, Majority
from reasoner.solving import solve
from reasoner.trace import Node, Trace
from reasoner.types import Completion, Finish, NodeId, Problem, Sampling, Usage
from reasoner.verifiers.verdict import Verdict


def piece(text: str) -> Completion:
    return Completion(text, (1,), Finish.STOP)


def test_leaves_have_rows_of_their_own_and_parents_are_half_way_down_their_children() -> None:
    trace = Trace(Problem("p", "?"))
    a, b = (trace.add(trace.root, piece(x)) for x in "ab")
    for _ in range(3):
        trace.add(b, piece("c"))
    trace.add(a, piece("d"))
    places = layout(trace)
    assert {i: places[NodeId(i)] for i in range(7)} == {
        0: (0, 1.0), a.id: (1, 0.0), b.id: (1, 2.0),
        3: (2, 1.0), 4: (2, 2.0), 5: (2, 3.0), 6: (2, 0.0),
    }  # fmt: skip


async def test_the_chosen_path_ends_with_the_answer() -> None:
    sampling = Sampling(stop=("\n",), max_tokens=100)
    result = await solve(TOY.problem, Beam(n=4), Scripted(), Verdict(), sampling=sampling)
    picture = Picture(result, frozenset())
    assert "".join(n.completion.text for n in picture.chosen if n.completion) == result.text
    assert picture.measure == "score, by rank"
    assert {0.0, 1.0} <= set(picture.ranks.values())
    assert picture.ends == (min(picture.values.values()), max(picture.values.values()))
    best = max(picture.values, key=picture.values.__getitem__)
    assert picture.shade(best) == SHADES(1.0)
    calibrated = Picture(replace(result, scored_by="calibrated"), frozenset())
    assert (calibrated.measure, calibrated.ends) == ("score", (0.0, 1.0))


def test_right_and_wrong_are_marked_without_colour() -> None:
    trace = Trace(Problem("p", "?"))
    right, wrong = (trace.add(trace.root, Completion(x, (1,), Finish.EOS)) for x in "ab")
    open_ = trace.add(trace.root, piece("c"))
    picture = Picture(Result(None, None, (), trace, Usage()), frozenset({right.id}))
    assert [picture.mark(n) for n in (right, wrong, open_)] == ["✓", "✗", ""]
    assert picture.mark(wrong) and "✗ wrong" in picture.key
    unknown = Picture(picture.result, None)
    assert unknown.mark(right) == "" and "wrong" not in unknown.key


async def test_without_scores_the_colours_show_votes() -> None:
    result = await solve(TOY.problem, Majority(n=8), Scripted(), sampling=Sampling(stop=("\n",)))
    picture = Picture(result, frozenset())
    assert picture.measure == "share of votes"
    assert picture.ends == (0.0, 1.0)
    assert max(picture.values.values()) == picture.values[picture.chosen[-1].id]


def test_text_that_is_too_long_is_cut() -> None:
    node = Node(NodeId(1), piece("1+2=3\n3+4=7\n"))
    assert shortened(node, 5.0) == "1+2=3  3+4=7"
    assert shortened(node, 0.5) == "1+2=3 …"
    assert shortened(node, 0.1) == ""


@pytest.mark.parametrize("name", ["beam", "majority", "mcts", "greedy"])
async def test_the_same_search_is_the_same_picture(name: str, tmp_path: Path) -> None:
    grower = Grower(Scripted(), None, TOY, seed=0)
    files = [tmp_path / "one.svg", tmp_path / "two.svg"]
    for file in files:
        await grower.draw(name, file, n=8)
    one, two = (f.read_text() for f in files)
    assert one == two
    assert ET.fromstring(one).get("width") == "675pt"
    assert "answer 107, right" in one and "#107" in one


@pytest.mark.parametrize("name", ["majority", "beam", "mcts"])
def test_a_node_costs_little_of_our_own_time(name: str) -> None:
    """The aim is 0.2 ms; five times that is for machines that are slow or busy."""
    row = overhead.compare(name, 2000)
    assert row["large_nodes"] >= 2000
    assert row["large_ms"] < 1.0
