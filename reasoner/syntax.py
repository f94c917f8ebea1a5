"""Syntax trees of Python source."""

from __future__ import annotations

import ast
import gc
from collections.abc import Generator
from contextlib import contextmanager

UNBUILDABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""The errors of source that is not Python, or nested too deeply to be read."""


def parse_module(source: str) -> ast.Module:
    """Return the tree of a module.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it is no Python source.
    """
    with _uncollected():
        return ast.parse(source)


def parse_expression(source: str) -> ast.expr:
    """Return the tree of one expression.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it is no expression.
    """
    with _uncollected():
        return ast.parse(source, mode="eval").body


@contextmanager
def _uncollected() -> Generator[None]:
    """Hold the garbage collector.

    A collection may print the error of a task that nobody awaited. Printing it parses source lines, and Python up to
    3.11.8 and 3.12.2 cannot build one tree while it builds another: SystemError (CPython issue 106905).
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
