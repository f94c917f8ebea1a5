"""Splits are disjoint whatever is drawn, and however often."""

from __future__ import annotations

from random import Random

import pytest

from reasoner.benchmarks.splits import SPLITS, distinct, split_of


@pytest.mark.parametrize("split", SPLITS)
def test_every_draw_belongs_to_its_split_and_comes_once(split: str) -> None:
    drawn = list(distinct(lambda rng: rng.randrange(5000), str, split, 100, Random(0)))
    assert len(set(drawn)) == 100
    assert {split_of(str(n)) for n in drawn} == {split}
