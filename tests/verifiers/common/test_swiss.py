"""Swiss pairings: connected, never twice, and as many as announced."""

from __future__ import annotations

from itertools import combinations
from math import ceil, comb
from random import Random

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.verifiers.common.swiss import coverage, matches, neighbours

COUNTS = st.integers(0, 24)
DEGREES = st.integers(1, 26)


def players(count: int) -> list[str]:
    return [f"player {i}" for i in range(count)]


@given(COUNTS, DEGREES)
def test_the_start_connects_all_and_each_has_its_matches(count: int, degree: int) -> None:
    pairs = coverage(players(count), degree)
    graph = nx.Graph(pairs)
    least = min(degree, count - 1)
    if count > 1:
        assert set(graph) == set(players(count)) and nx.is_connected(graph)
        assert min(d for _, d in graph.degree) >= least
        assert len(pairs) == max(count - 1, ceil(count * least / 2))
    assert graph.number_of_edges() == len(pairs), "a pair meets once"
    assert all(a != b for a, b in pairs)


@given(COUNTS, st.randoms(use_true_random=False), st.integers(0, 30), st.data())
def test_neighbours_have_not_met_and_the_top_comes_first(
    count: int, rng: Random, most: int, data: st.DataObject
) -> None:
    everyone = players(count)
    rng.shuffle(everyone)
    possible = list(map(frozenset, combinations(everyone, 2)))
    met = set(data.draw(st.lists(st.sampled_from(possible)))) if possible else set()
    pairs = neighbours(everyone, met, most)
    assert len(pairs) <= most
    assert len(pairs) == len(set(map(frozenset, pairs)) - met)
    assert len({p for pair in pairs for p in pair}) == 2 * len(pairs), "one match each a round"
    assert all(everyone.index(a) < everyone.index(b) for a, b in pairs)
    assert bool(pairs) == bool(most and len(met) < len(possible))
    assert pairs == neighbours(everyone, met, 30)[:most]


def test_the_next_in_the_ranking_is_met_first() -> None:
    ranking, met = list("abcd"), set[frozenset[str]]()
    assert neighbours(ranking, met, 9) == [("a", "b"), ("c", "d")]
    met |= {frozenset("ab"), frozenset("cd")}
    assert neighbours(ranking, met, 9) == [("a", "c"), ("b", "d")]


@given(COUNTS, DEGREES, st.integers(1, 30))
def test_the_number_of_matches_is_bounded(count: int, degree: int, rounds: int) -> None:
    number, start = matches(count, degree, rounds), len(coverage(players(count), degree))
    assert start <= number <= comb(count, 2)
    assert number == start or number <= rounds * count / 2


@pytest.mark.parametrize(
    ("count", "degree", "rounds", "number"),
    [(16, 2, 6, 48), (16, 2, 1, 16), (16, 5, 1, 40), (4, 2, 6, 6), (2, 2, 6, 1), (1, 2, 6, 0)],
)
def test_the_number_of_matches(count: int, degree: int, rounds: int, number: int) -> None:
    assert matches(count, degree, rounds) == number
