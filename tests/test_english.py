"""Docstrings: plain English, one in each module of the package, and one name for each public class."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from reasoner.syntax import parse_module
from tests import ROOT

PACKAGE = ("reasoner", "search", "verifiers", "benchmarks")
CLUMSY = re.compile(r"(What|Whether|How|That|Where|When|Which|Who|Why)\b")
"""First words of a docstring that neither says what a function does nor names what it returns."""

SHARED_NAMES = {
    "Ensemble": "a strategy and a verifier, each registered as ensemble",
    "Message": "a turn of a conversation, and the message in a server's reply",
    "Qwen2ForPrmModel": "the architecture in the models' own config.json, for Transformers and for vLLM",
    "SelfCertainty": "a strategy and a verifier, each registered as self-certainty",
}
"""Public class names that several modules may have, each with the reason."""


@cache
def modules() -> dict[str, ast.Module]:
    """Return the syntax trees of all modules of the package, by path from the root."""
    paths = [path for folder in PACKAGE for path in files(ROOT / folder)]
    return {str(path.relative_to(ROOT)): parse_module(path.read_text()) for path in paths}


def files(folder: Path) -> Iterator[Path]:
    """Yield the source files below `folder`, without those behind links."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from files(path)
        elif path.suffix == ".py":
            yield path


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and text of each docstring, including those of variables."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text
            case _:
                pass


def problems(tree: ast.Module) -> list[str]:
    """Return the problems of a module's docstrings."""
    clumsy = [
        f"line {line}: {text[:60]!r}" for line, text in docstrings(tree) if CLUMSY.match(text)
    ]
    return clumsy if ast.get_docstring(tree) else [*clumsy, "no module docstring"]


def shared_names() -> dict[str, list[str]]:
    """Return the modules of each name that several public classes have."""
    places = defaultdict[str, list[str]](list)
    for path, tree in modules().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path)
    return {name: paths for name, paths in places.items() if len(paths) > 1}


def test_docstrings_start_with_a_verb_or_a_noun() -> None:
    """Check that a reader learns at once what a function does or returns."""
    assert {path: wrong for path, tree in modules().items() if (wrong := problems(tree))} == {}


def test_docstrings_of_tests_do_too() -> None:
    """Check the same of tests, which a newcomer reads first."""
    trees = {str(p.relative_to(ROOT)): parse_module(p.read_text()) for p in files(ROOT / "tests")}
    texts = {
        path: [t for _, t in docstrings(tree) if CLUMSY.match(t)] for path, tree in trees.items()
    }
    assert {path: clumsy for path, clumsy in texts.items() if clumsy} == {}


def test_public_classes_have_names_of_their_own() -> None:
    """Check that a name stands for one class."""
    shared = shared_names()
    assert {name: paths for name, paths in shared.items() if name not in SHARED_NAMES} == {}
    assert set(SHARED_NAMES) <= set(shared)


@pytest.mark.parametrize(
    "source",
    [
        '"""What it does."""',
        "x = 1",
        '"""A module."""\ndef f(x):\n    """Whether x."""',
        '"""A module."""\nclass A:\n    x = 1\n    """How large."""',
    ],
)
def test_each_problem_is_noticed(source: str) -> None:
    """The check fails on each kind of problem."""
    assert problems(parse_module(source))
