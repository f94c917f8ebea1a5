"""The size of functions and files, so that a reader can take in each at once; and one way to write a file."""

from __future__ import annotations

import ast
import re
from statistics import median

from reasoner.syntax import parse_module
from tests import ROOT
from tests.test_english import PACKAGE, files

LONGEST_FILE, LONGEST_FUNCTION, MEDIAN = 350, 45, 5
"""Lines; those of a function without its docstring."""

SOURCES = [path for folder in PACKAGE for path in files(ROOT / folder)]


def lengths() -> dict[str, int]:
    """Return the number of lines of each function's body, without its docstring."""
    sizes = dict[str, int]()
    for path in SOURCES:
        for node in ast.walk(parse_module(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[ast.get_docstring(node) is not None :]
                size = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
                sizes[f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"] = size
    return sizes


def test_files_are_short() -> None:
    long = {str(p): n for p in SOURCES if (n := p.read_text().count("\n")) > LONGEST_FILE}
    assert long == {}


def test_functions_are_short() -> None:
    sizes = lengths()
    assert {name: size for name, size in sizes.items() if size > LONGEST_FUNCTION} == {}
    assert median(sizes.values()) <= MEDIAN


WRITES = re.compile(r"\.write_(text|bytes)\(|open\(.*\"[wax]b?\+?b?\"")
WRITERS = {
    "reasoner/files.py": "writes files atomically, for all others",
    "reasoner/cli/failure.py": "a private file of the system's folder for temporary files",
    "benchmarks/store/pool_file.py": "writes line by line into a file that `replacing` puts in place",
    "benchmarks/tasks/gym_program.py": "a pipe",
    "reasoner/sandbox/harness.py": "a pipe",
    "reasoner/sandbox/process.py": "a file in memory",
}
"""Modules that may open a file to write it, each with the reason."""


def test_files_are_written_by_one_module() -> None:
    writers = {str(p.relative_to(ROOT)) for p in SOURCES if WRITES.search(p.read_text())}
    assert writers == set(WRITERS)
