"""Programs in the texts of models, and the unit tests that a problem shows its solvers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from textwrap import dedent, indent
from unicodedata import normalize

from reasoner.errors import ConfigError
from reasoner.syntax import UNBUILDABLE, parse_module
from reasoner.types import Candidate, Completion, Finish, Problem

NAMES = ("python", "py", "python3")
BLOCK = re.compile(r"^[ \t]*```[ \t]*(\w*)[^\n]*\n(.*?)^[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE)
BLANK = (" ", "\t")
FUNCTION = re.compile(r"^def\s+(\w+)", re.MULTILINE)


def program(candidate: Candidate) -> str | None:
    """Return the program in a candidate's text; None if there is no finished one."""
    # The end of a finished text closes an open block.
    written = candidate.answer_text
    text = written + ("\n```" if candidate.complete else "")
    blocks = BLOCK.findall(text)
    python = [code for language, code in blocks if language.lower() in NAMES]
    nameless = [code for language, code in blocks if not language]
    if programs := python or nameless:
        return dedent(programs[-1])
    return written if candidate.complete else None


def whole_program(problem: Problem, candidate: Candidate) -> str | None:
    """Return a candidate's program with what the problem states of it, as it runs; None if there is none.

    `problem.meta["head"]` is the beginning of a function to complete, with imports and helpers before it.
    """
    head, entry = problem.meta.get("head"), entry_point(problem)
    if (code := program(candidate)) is None or not isinstance(head, str) or entry is None:
        return code
    return completed(head, entry, candidate.answer_text)


def unit_tests(problem: Problem) -> list[str]:
    """Return the tests that a problem shows its solvers, `problem.meta["tests"]`; none if they are malformed."""
    tests = problem.meta.get("tests", ())
    if isinstance(tests, str):
        return [tests]
    whole = isinstance(tests, list | tuple) and all(isinstance(test, str) for test in tests)
    return list(tests) if whole else []


def entry_point(problem: Problem) -> str | None:
    """Return the name of the function that tests call, normalised as Python does.

    Raises:
        ConfigError: it is no name.
    """
    name = problem.meta.get("entry_point")
    if name is None:
        return None
    if not isinstance(name, str) or not name.isidentifier():
        raise ConfigError(
            f"the entry point of problem {problem.id!r} is {str(name)[:40]!r}, which names no function of"
            " Python; give the name of the function that its tests call, such as 'add'"
        )
    return normalize("NFKC", name)


def completed(head: str, entry: str, solution: str) -> str:
    """Return the whole program: the solution after the prompt's imports and helpers, or after its head."""
    code = extract_code(solution)
    if entry in FUNCTION.findall(code):
        return f"{helpers(head, entry)}\n{code}"
    body = code if code.startswith(BLANK) else indent(code, "    ")
    return f"{head.rstrip()}\n{body}"


def helpers(head: str, entry: str) -> str:
    """Return the imports and definitions before the function to complete."""
    return head.rpartition(f"def {entry}(")[0]


def extract_code(solution: str) -> str:
    """Return the code of a solution: its last Python block, else the body it begins with, or all."""
    code = program(finished(solution)) or ""
    if "```" in solution or not code.lstrip("\n").startswith(BLANK):
        return code
    return "\n".join(_body(code))


def finished(text: str) -> Candidate:
    """Return a text as a finished candidate."""
    return Candidate((Completion(text, (), Finish.EOS),), complete=True)


def parsed(code: str) -> ast.Module | None:
    """Return the syntax tree of Python source; None if it is none."""
    try:
        return parse_module(code)
    except UNBUILDABLE:
        return None


def _body(code: str) -> Iterator[str]:
    """Yield the lines up to the first that is not indented, which is not in the function."""
    for line in code.strip("\n").splitlines():
        if line.strip() and not line.startswith(BLANK):
            return
        yield line
