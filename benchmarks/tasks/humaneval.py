'''`humaneval`: complete a Python function, graded by unit tests (Chen et al., 2021, arXiv 2107.03374).

    prompt       def truncate_number(number: float) -> float:
                     """ Given a positive floating point number, it can be decomposed into
                     and integer part (largest integer smaller than given number) and decimals
                     (leftover part always smaller than 1).

                     Return the decimal part of the number.
                     >>> truncate_number(3.5)
                     0.5
                     """
    entry_point  truncate_number
    test         def check(candidate):
                     assert candidate(3.5) == 0.5
                     assert abs(candidate(1.33) - 0.33) < 1e-6
                     assert abs(candidate(123.456) - 0.456) < 1e-6

A program runs in the sandbox of the verifier `code`, against tests that no solver sees; that verifier
may see only the examples in the docstring.
'''

from __future__ import annotations

import ast
import asyncio
import doctest
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from textwrap import dedent, indent
from typing import Any, ClassVar, Literal

from pydantic import PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.base import Example
from reasoner.benchmarks.tasks.loading import rows, shuffled, text
from reasoner.errors import ConfigError
from reasoner.programs import FUNCTION, completed, extract_code, finished, helpers, parsed
from reasoner.sandbox import Limits
from reasoner.types import Problem, Sampling
from reasoner.verifiers.code import Code

INSTRUCTION = "Complete this Python function. Answer with its code and nothing else."


@dataclass(frozen=True)
class HumanEval:
    """Functions to write from their docstrings; temperature .8, nucleus .95 (Chen et al., 2021).

    The tests of a function may take `seconds` of wall clock; see the verifier `code` for the other limits.
    Any data with the fields `prompt`, `test` (which defines `check(candidate)`) and `entry_point` works.
    """

    data: str = "openai/openai_humaneval"
    sandbox: Literal["bubblewrap", "none"] = "bubblewrap"
    seconds: PositiveFloat = 3.0
    step: str = "\n"
    max_tokens: PositiveInt = 1024

    name: ClassVar[str] = "humaneval"

    @property
    def sampling(self) -> Sampling:
        """The sampling of a program: one line per step."""
        return Sampling(temperature=0.8, top_p=0.95, max_tokens=self.max_tokens, stop=(self.step,))

    def prompt(self, text: str) -> str:
        """Return a function's head and docstring as the model reads them: last, so that it continues them."""
        return f"{INSTRUCTION}\n\n{text.strip()}\n"

    def examples(self, split: str, count: int, seed: int = 0) -> Iterator[Example]:
        """Yield the first `count` functions of a split, shuffled by any `seed` other than 0.

        Raises:
            ConfigError: the data cannot be read, has no such split, or lacks a field.
        """
        for row in shuffled(rows(self.data, split), count, seed):
            prompt, tests, entry = (text(row, f) for f in ("prompt", "test", "entry_point"))
            meta: dict[str, Any] = {"entry_point": entry, "head": prompt}
            if visible := docstring_tests(prompt):
                meta["tests"] = visible
            yield Example(Problem(text(row, "task_id"), self.prompt(prompt), meta), tests)

    def answer(self, solution: str) -> str | None:
        """Return the code without comments and in one layout; unchanged where it has syntax errors."""
        code = extract_code(solution)
        tree = parsed(
            code if FUNCTION.search(code) else f"def _():\n{indent(dedent(code), '    ')}"
        )
        return ast.unparse(tree) if tree else code.strip() or None

    def check(self, example: Example, solution: str) -> bool:
        """Return whether the function passes the tests; block on the sandbox, in a thread of its own.

        Raises:
            ConfigError: there is no sandbox, or the prompt defines no function.
        """
        head = example.problem.prompt.removeprefix(INSTRUCTION).lstrip("\n")
        entry = str(example.problem.meta.get("entry_point") or defined_functions(head)[-1])
        # The tests use the prompt's own helpers, even where the solution redefines them.
        test = f"{helpers(head, entry)}\n{example.answer}"
        problem = Problem(example.problem.id, head, {"tests": [test], "entry_point": entry})
        source = completed(head, entry, solution)
        limits = Limits(seconds=self.seconds + 10)
        code = Code(limits=limits, seconds=self.seconds, sandbox=self.sandbox)
        judging = code.score(problem, [finished(source)])
        # The caller may be in an event loop already.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, judging).result().scores[0].value == 1


def defined_functions(head: str) -> list[str]:
    """Return the names of the functions that a prompt defines.

    Raises:
        ConfigError: there are none.
    """
    if not (names := FUNCTION.findall(head)):
        raise ConfigError(
            f"no function to complete in {head[:80]!r}; it lacks a line 'def name(…):'"
        )
    return names


def docstring_tests(prompt: str) -> list[str]:
    """Return the examples of a docstring as tests that a solver may see."""
    tree = parsed(prompt)
    function = tree.body[-1] if tree and tree.body else None
    docstring = ast.get_docstring(function) if isinstance(function, ast.FunctionDef) else None
    try:
        examples = doctest.DocTestParser().get_examples(docstring or "")
    except ValueError:
        return []
    return [test for test in map(_as_test, examples) if test]


def _as_test(example: doctest.Example) -> str:
    """Return an assertion; empty for an example that compares nothing."""
    source, want = example.source.strip(), example.want.strip()
    test = f"assert ({source}) == ({want})" if want else f"assert {source}"
    tree = parsed(test)
    compares = (
        tree and isinstance(tree.body[0], ast.Assert) and isinstance(tree.body[0].test, ast.Compare)
    )
    return test if compares else ""
