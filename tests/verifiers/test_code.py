"""Programs judged by unit tests, those that would rather not be among them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from random import Random
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reasoner.backends.scripted import END, Scripted
from reasoner.errors import ConfigError
from reasoner.programs import program
from reasoner.sandbox import Limits, ProgramOutcome, Status, Trial
from reasoner.sandbox.trial import _verdict
from reasoner.search.best_of_n import BestOfN
from reasoner.solving import solve
from reasoner.types import (
    Candidate,
    Completion,
    Finish,
    Judgement,
    Problem,
    Prompt,
    Sampling,
    Usage,
)
from reasoner.verifiers.code import Code

pytestmark = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")

TESTS = ["assert double(1) == 2", "assert double(2) == 4", "assert double(-3) == -6"]
PATIENT: dict[str, Any] = {"seconds": 20, "limits": Limits(seconds=60)}
"""For a machine that is busy."""
RIGHT = "def double(x):\n    return 2 * x\n"


def candidate(text: str, complete: bool = True) -> Candidate:
    return Candidate((Completion(dedent(text), (1,), Finish.EOS),), complete)


async def share(text: str, tests: Sequence[str] = TESTS, **settings: Any) -> float:
    """The score of one program; `entry_point` is the problem's, other settings the verifier's."""
    settings = PATIENT | settings
    meta = {"tests": tests, "entry_point": settings.pop("entry_point", None)}
    judgement = await Code(**settings).score(Problem("p", "", meta), [candidate(text)])
    return judgement.scores[0].value


async def test_a_program_may_continue_what_the_problem_begins() -> None:
    head = 'from math import floor\n\ndef double(x: int) -> int:\n    """Twice x."""\n'
    meta = {"tests": TESTS, "entry_point": "double", "head": head}
    whole = "```python\ndef double(x):\n    return floor(2 * x)\n```"
    texts = ["    return floor(x + x)\n", whole, "    return floor(x)\n"]
    candidates = [candidate(text) for text in texts[1:]]
    candidates = [Candidate((Completion(texts[0], (1,), Finish.EOS),), True), *candidates]
    judgement = await Code(**PATIENT).score(Problem("p", head, meta), candidates)
    assert [score.value for score in judgement.scores] == [1.0, 1.0, 0.0]


# -- which program --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x = 1", "x = 1"),
        ("Look:\n```python\nx = 1\n```\nDone.", "x = 1\n"),
        ("```python\nx = 1\n```\nBetter:\n```py\nx = 2\n```", "x = 2\n"),
        ("```Python3\nx = 1\n```\nIt prints:\n```\n1\n```", "x = 1\n"),
        ("```text\nno\n```\n```\nx = 1\n```", "x = 1\n"),
        ("1. So:\n   ```python\n   if x:\n       y\n   ```", "if x:\n    y\n"),
        ("```python\nx = 1", "x = 1\n"),
    ],
)
def test_the_program_in_a_finished_text(text: str, found: str) -> None:
    whole = Candidate((Completion(text, (1,), Finish.EOS),), True)
    assert program(whole) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x = 1", None),
        ("```python\nx = 1\n", None),
        ("```python\nx = 1\n```\nAnd", "x = 1\n"),
        ("```python\nx = 1\n```\n```python\nx =", "x = 1\n"),
    ],
)
def test_the_program_in_a_text_under_way(text: str, found: str | None) -> None:
    assert program(candidate(text, complete=False)) == found


# -- scores ---------------------------------------------------------------------------------------


async def test_the_share_of_tests_that_pass() -> None:
    assert await share(RIGHT) == 1
    assert await share("def double(x): return x * x") == pytest.approx(1 / 3)
    assert await share("def double(x): return 0") == 0
    assert await share("def double(x:") == 0
    assert await share("") == 0


@pytest.mark.parametrize(
    "end",
    [
        "while True: pass",
        "raise SystemExit(0)",
        "import os; os._exit(0)",
        "import os; os.abort()",
        "import time; time.sleep(60)",
        "double(x)",
        "bytearray(10 * 2**30)",
    ],
)
async def test_a_test_that_fails_hides_no_other(end: str) -> None:
    text = f"def double(x):\n    if x == 1:\n        {end}\n    return 2 * x"
    limits = Limits(cpu_seconds=1, seconds=60)
    assert await share(text, seconds=2, limits=limits) == pytest.approx(2 / 3)


async def test_a_test_has_its_time_whatever_the_others_took() -> None:
    text = "import time\ndef double(x):\n    if x == 1: time.sleep(60)\n    return 2 * x"
    assert await share(text, seconds=60, limits=Limits(seconds=4)) == pytest.approx(2 / 3)


async def test_each_test_meets_the_program_afresh() -> None:
    text = "calls = []\ndef count():\n    calls.append(1)\n    return len(calls)"
    assert (
        await share(text, ["assert count() == 1", "assert count() == 1; assert count() == 2"]) == 1
    )


async def test_equal_programs_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = list[str]()
    real = Trial.passes

    async def counted(self: Trial, program: str) -> bool:
        runs.append(program)
        return await real(self, program)

    monkeypatch.setattr(Trial, "passes", counted)
    texts = [RIGHT, f"It is:\n```python\n{RIGHT}```", "def double(x): return 0", RIGHT]
    problem = Problem("p", "", {"tests": TESTS})
    judgement = await Code(**PATIENT).score(problem, [candidate(t) for t in texts])
    assert [s.value for s in judgement.scores] == [1, 1, 0, 1]
    assert judgement.usage == Code().estimate(problem, []) == Usage()
    assert len(runs) == 2 * len(TESTS)


async def test_what_is_under_way_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    begun = [candidate(RIGHT, complete=False), candidate("```python\nx", complete=False)]
    problem = Problem("p", "", {"tests": TESTS})
    assert [s.value for s in (await Code(**PATIENT).score(problem, begun)).scores] == [0, 0]
    assert await Code(**PATIENT).score(problem, []) == Judgement(())
    with pytest.raises(ConfigError, match="bubblewrap"):
        await Code(**PATIENT).score(problem, [candidate(RIGHT)])


@pytest.mark.parametrize("meta", [{}, {"tests": []}, {"tests": [1]}])
async def test_a_problem_without_tests(meta: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="needs unit tests, and problem 'p' has none"):
        await Code(**PATIENT).score(Problem("p", "", meta), [candidate(RIGHT)])


@settings(max_examples=5, suppress_health_check=[HealthCheck.differing_executors])
@given(factors=st.lists(st.integers(0, 3), max_size=4))
async def test_batch_equals_single_and_order_is_kept(factors: list[int]) -> None:
    candidates = [candidate(f"def double(x): return {f} * abs(x)") for f in factors]
    problem = Problem("p", "", {"tests": TESTS})
    batch = await Code(**PATIENT).score(problem, candidates)
    assert [s.value for s in batch.scores] == [2 / 3 if f == 2 else 0 for f in factors]
    single = [(await Code(**PATIENT).score(problem, [c])).scores[0] for c in candidates[:1]]
    assert list(batch.scores[:1]) == single


# -- what tests can do ----------------------------------------------------------------------------

LIBRARY = '''
    from collections import Counter, namedtuple

    Pair = namedtuple("Pair", "a b")
    limit = 3

    class Refusal(ValueError):
        pass

    def same(x): return x
    def sort(x): x.sort()
    def fill(x, *, key): x[key] = [1]
    def grow(x): x.add(2)
    def rotate(m):
        for row in m: row.reverse()
    def count(x): return Counter(x)
    def fail(kind): raise {"own": Refusal, "exit": SystemExit, "loop": StopIteration}[kind]("why")
    def find(x): return {}[x]
    def parse(x): return int(x)
    def pair(): return Pair(1, 2)
    def upto(n): yield from range(n)
    def apply(f, x): return f(x)
    def sum(a, b): return a + b + 1000
    '''  # fmt: skip


@pytest.mark.parametrize(
    "test",
    [
        "for x in (None, True, 10**5000, -0.5, float('inf'), 'é\\n\\ud800', b'\\0', 2j): assert same(x) == x",
        "for x in (None, True, 7, -0.5, '', b'', 2j, (), {1}): assert type(same(x)) is type(x)",
        "x = [1, (2, {3: {4}}), frozenset('a'), [], {}]; assert same(x) == x and type(same(x)[1]) is tuple",
        "x = same(float('nan')); assert x != x and not abs(x - 4.0) < 1e-6",
        "x = [3, 1, 2]; sort(x); assert x == [1, 2, 3]",
        "x = {}; fill(x, key='a'); assert x == {'a': [1]}",
        "x = {1}; grow(x); assert x == {1, 2}",
        "x = [[1, 2], [3, 4]]; rotate(x); assert x == [[2, 1], [4, 3]]",
        "row = [1]; x = [row]; same(x); assert x[0] is row",
        "assert count('aab') == {'a': 2, 'b': 1}",
        "assert pair() == (1, 2) and type(pair()) is tuple",
        "try: find('x')\nexcept KeyError as e: assert e.args == ('x',)\nelse: assert 0",
        "try: parse('x')\nexcept ValueError as e: assert 'invalid literal' in str(e)\nelse: assert 0",
        "try: fail('own')\nexcept ValueError as e: assert str(e) == 'why'\nelse: assert 0",
        "try: fail('exit')\nexcept Exception as e: assert type(e) not in (ValueError, SystemExit)\nelse: assert 0",
        "import math\nfrom random import Random\nassert math.isclose(same(0.1) + 0.2, 0.3) and Random(same(1))",
        "def twice(x): return 2 * same(x)\nassert list(map(twice, [1, 2])) == [2, 4]",
        "assert all(map(lambda x: same(x) == x, range(3)))",
        "assert sum([1, 2]) == 3",
        "print('passed'); assert same(1) == 1",
    ],
)
async def test_tests_work_as_usual(test: str) -> None:
    assert await share(LIBRARY, [test]) == 1


@pytest.mark.parametrize(
    "test",
    [
        "upto(3)",
        "assert all(map(lambda kind: fail(kind) == 1, ['loop', 'loop']))",
        "assert limit == 3",
        "absent(1)",
        "raise SystemExit(0)",
        "import os; os._exit(0)",
        "while True: same(1)",
        "same([[]] * 2 + [[0] * 3_000_000])",
    ],
)
async def test_what_fails(test: str) -> None:
    assert await share(LIBRARY, [test], seconds=2) == 0


@pytest.mark.parametrize(
    ("test", "why"),
    [
        ("apply(lambda x: x, 1)", "it passes an argument that is not plain data (function"),
        ("try: apply(same, 1)\nexcept: pass", "not plain data (function"),
        ("same(range(3))", "not plain data (range"),
        ("assert same(1) ==", "it is no Python (invalid syntax"),
    ],
)
async def test_a_test_that_no_program_can_pass_is_an_error(test: str, why: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(why)) as error:
        await share(LIBRARY, ["assert same(1) == 1", test])
    assert "problem 'p'" in str(error.value) and len(str(error.value)) <= 300


async def test_entry_point() -> None:
    check = "def check(candidate):\n    assert candidate(1, 2) == 1003\n"
    assert await share(LIBRARY, [check, "assert sum(1, 2) == 1003"], entry_point="sum") == 1
    assert await share(LIBRARY, ["assert candidate(1, 2) == 1003"], entry_point="sum") == 1
    assert await share(LIBRARY, [check, check.replace("1003", "3")], entry_point="sum") == 0.5
    assert await share(LIBRARY, ["assert same(1) == 1"], entry_point="sum") == 0
    assert await share(LIBRARY, [check], entry_point="missing") == 0
    assert await share(LIBRARY, ["assert 1"], entry_point="limit") == 0


async def test_an_entry_point_in_another_normal_form() -> None:
    check = "def check(candidate):\n    assert candidate() == (1, 2)"
    assert await share(LIBRARY, [check], entry_point="ｐair") == 1
    for name in ("a.b", "", 3):
        with pytest.raises(ConfigError, match="names no function"):
            await share(LIBRARY, [check], entry_point=name)


# -- in a search ----------------------------------------------------------------------------------


async def test_a_search_finds_the_program_that_passes() -> None:
    def write(prompt: Prompt, rng: Random) -> str:
        return f"```python\ndef double(x): return {rng.randrange(6)} * x\n```{END}"

    problem = Problem("p", "Double a number.", {"tests": TESTS})
    backend = Scripted(reply=write, judge=None)
    result = await solve(
        problem, BestOfN(n=16), backend, Code(**PATIENT), sampling=Sampling(max_tokens=99)
    )
    assert result.candidate is not None
    assert "return 2 * x" in result.candidate.text
    assert result.verifier == Usage()


@pytest.mark.skipif(os.geteuid() == 0, reason="programs never run as root without a sandbox")
async def test_without_a_sandbox_by_name() -> None:
    assert await share(RIGHT, sandbox="none") == 1


@pytest.mark.parametrize(
    ("stdout", "code"),
    [("guess passed", 0), ("passed", 0), ("", 0), ("nonce failed", 0), ("nonce passed", 1)],
)
def test_a_verdict_takes_the_word_and_a_good_end(stdout: str, code: int) -> None:
    assert not _verdict(ProgramOutcome(Status.PASSED, code, stdout, "", 0.1), "nonce")
    assert _verdict(ProgramOutcome(Status.PASSED, 0, "nonce passed", "", 0.1), "nonce")
