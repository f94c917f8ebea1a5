"""Syntax trees built while other code parses too."""

from __future__ import annotations

import ast
import gc

import pytest

from reasoner.syntax import parse_expression, parse_module

SOURCE = "\n".join(f"def f{i}(x):\n    return [x + {i}, (x, {{x: 1}})]" for i in range(300))


class Parsing:
    """Garbage that parses when it is collected, as the print of an unread exception does."""

    collected = 0

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        Parsing.collected += 1
        ast.parse("x = (1, [2])")


def test_no_garbage_is_collected_while_a_tree_is_built() -> None:
    before = gc.get_threshold()
    gc.set_threshold(50, 1, 1)
    try:
        for _ in range(20):
            Parsing()
            assert len(parse_module(SOURCE).body) == 300
            assert isinstance(parse_expression("(1, [2])"), ast.Tuple)
    finally:
        gc.set_threshold(*before)
    assert gc.isenabled() and Parsing.collected


@pytest.mark.parametrize("source", ["x =", "\0", "(" * 500])
def test_the_collector_goes_on_after_an_error(source: str) -> None:
    with pytest.raises((SyntaxError, ValueError, MemoryError)):
        parse_module(source)
    assert gc.isenabled()
