"""Rules of grading: what they accept, and that workers keep to their limits whatever goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.benchmarks.tasks.grading import (
    Grade,
    Symbolic,
    canonical,
    choice,
    exact,
    extract,
    letter,
    numeric,
)  # fmt: skip
from reasoner.benchmarks.tasks.grading import worker_pool as running
from reasoner.benchmarks.tasks.grading.symbolic import shared_pool
from reasoner.benchmarks.tasks.grading.worker_pool import Worker, WorkerPool
from reasoner.errors import ConfigError, ReasonerError
from tests.needs import need

HANGS = "9^{9^{9^9}}"
PATIENCE = 60.0


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        (r"First \boxed{1}, so \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"$\boxed{\{1, 2\}}$", r"\{1, 2\}"),
        (r"\framebox{204} minutes", "204"),
        (r"$\boxed 7$", "7"),
        (r"\boxed{x^{2}} and {\boxed{\boxed{\text{so}}}}}", r"\text{so}"),
        (r"It is \boxed{5}, or \boxed{4", "5"),
        (r"\boxed{}", None),
        ("She sells 9.\n#### 2,125", "2,125"),
        ("#### 1\nNo:\n#### 2", "2"),
        ("The answer is 3.14. Done.", "3.14"),
        ("**Answer:** B) Paris\nbecause", "B) Paris"),
        ("The final answer is: $x + 1$.", "$x + 1$"),
        ("So there are 17", None),
        ("The answer isn't 3.", None),
        ("A: 18", "18"),
        ("She sells 9.\n**A:** $18 a day. Good!", "$18 a day"),
        ("A: She sells 9. The answer is 18.", "18"),
        ("Final Answer: The final answer is $24$. I hope it is correct.", "$24$"),
        ("The answer is 5. Is that what the answer is?", "?"),
        ("A: 2\nB: 16", None),
        ("USA: 18", None),
    ],
)
def test_the_answer_that_a_solution_states(solution: str, answer: str | None) -> None:
    assert extract(solution) == answer


@given(st.recursive(st.text("ab1+ "), lambda t: st.tuples(t, t).map(lambda p: f"{p[0]}{{{p[1]}}}")))
def test_a_box_holds_what_was_put_in_it(content: str) -> None:
    assert (extract(f"So \\boxed{{{content}}} is it.") or "") == content.strip()


@pytest.mark.parametrize(
    ("answer", "reference", "right"),
    [
        (r"4:30 \text{ p.m.}", r"\text{4:30 p.m.}", True),
        (r"$\left( 3, \dfrac{\pi}{2} \right)$", r"(3,\frac{\pi}{2})", True),
        ("1 1/2", "11/2", False),
        ("x y", "xy", False),
        ("", "", False),
    ],
)
def test_exact(answer: str, reference: str, right: bool) -> None:
    assert exact(answer, reference) is right


@pytest.mark.parametrize(
    ("answer", "reference", "right"),
    [
        ("18", "18", True), ("18", "81", False), ("-3", "3", False), ("025", "25", True),
        ("$1,800", "1800.00 dollars", True), (r"10{,}000", "10000", True),
        (r"50,\!625", "50625", True), (r"\$18.50", "18.5", True), ("18 dollars per day", "18", True),
        ("x = 5", "5", True), (r"\frac{3}{8}", "0.375", True), (r"-\frac12", "-0.5", True),
        (r"1\frac{1}{10}", "1.1", True), ("1 1/10", "11/10", True), ("0.3333333", "1/3", True),
        ("0.333", "1/3", False), (r"25\%", "25", True), (r"25\%", "0.25", True), ("0.25", "25", False),
        (r"48^\circ", "48", True), (r"\textbf{(113) }", "113", True), ("1/0", "1", False),
        ("2 million", "2", False), ("5 horses", "5", True), ("(1,234)", "1234", False),
        ("1, 234", "1234", False), (r"25\%", r"0.25\%", False), ("2.5e3", "2500", True),
        ("1,2", "12", False), ("", "0", False), ("1e999999999", "1", False),
        ("9" * 5000, "1", False), ("18 dollars a day", "18", True), ("60 miles/hour", "60", True), ("5 a", "5", False),
    ],
)  # fmt: skip
def test_numeric(answer: str, reference: str, right: bool) -> None:
    assert numeric(answer, reference) is right


@pytest.mark.parametrize(
    "endless",
    [
        r"\boxed{",
        "$",
        "5a",
        "{",
        "}",
        "a",
        "a ",
        " ",
        "1,",
        r"\frac{1}{",
        "#### ",
        "answer is ",
        "A: ",
        "A) (",
    ],
)
def test_a_model_that_repeats_itself_holds_nobody_up(endless: str) -> None:
    text = "5" + endless * 5000 + "!"
    start = time.process_time()
    assert not exact(extract(text) or "", "7")
    assert not any(numeric(answer, "7") for answer in (text, text[1:], extract(text) or ""))
    assert letter(text) in (None, "A")
    assert time.process_time() - start < 5


def test_numeric_within_a_tolerance() -> None:
    assert numeric("9.79", "9.8", tolerance=0.01)
    assert not numeric("9.6", "9.8", tolerance=0.01)


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
def test_a_number_is_itself_in_every_spelling_and_no_other(one: int, other: int) -> None:
    spellings = (
        f"{one:,}",
        f"{one:,}".replace(",", r",\!"),
        f"{one}.0",
        f"${one}$",
        f"{one} apples",
    )
    assert all(numeric(spelling, str(one)) for spelling in spellings)
    assert numeric(f"{one:,}", str(other)) is (one == other)
    assert canonical(f"{one:,}") == canonical(f"{one}.0") == str(one)


def test_votes_for_equal_numbers_are_for_one_answer() -> None:
    assert canonical("0.5") == canonical(r"\dfrac{1}{2}") == canonical("1/2") == "1/2"
    assert canonical(r"\left(x+1\right)") == canonical("( x + 1 )") == "(x+1)"
    assert canonical(r"25\%") != canonical("25")


@pytest.mark.parametrize(
    ("solution", "chosen"),
    [
        ("B", "B"), ("(b)", "B"), (r"\boxed{\text{(C)}}", "C"), (r"\textbf{(D) }12", "D"),
        ("The answer is (A).", "A"), ("Answer: B) Paris", "B"), ("The answer is Option C: no", "C"),
        ("It must be (E), as (E) is even", "E"), ("(A) or (B)", None), ("It is (A) or (B)", None), ("A triangle", None),
        ("The answer is 12", None), ("", None),
        ("A: Paris", "A"), ("A: 2\nB: 16\nSo (B)", "B"),
    ],
)  # fmt: skip
def test_the_letter_that_a_solution_chooses(solution: str, chosen: str | None) -> None:
    assert letter(solution) == chosen
    assert all(choice(solution, wanted) is (wanted == chosen) for wanted in "ABCDE")


def test_multiple_choice_needs_a_letter() -> None:
    assert choice("B", "(B)")
    with pytest.raises(ConfigError, match=r"from A to J, not '12'.*'numeric'"):
        choice("B", "12")


@pytest.fixture(scope="module")
def rule() -> Iterator[Symbolic]:
    """Two workers that give an item a second of computing."""
    need("math_verify")
    rule = Symbolic(limit=1.0, patience=PATIENCE, workers=2)
    yield rule
    pool(rule).close()
    shared_pool.cache_clear()


def pool(rule: Symbolic) -> WorkerPool:
    return shared_pool(rule.workers, rule.limit, rule.patience)


def items(variable: str, count: int = 64) -> tuple[list[str], list[str], list[Grade]]:
    """Answers and references that no cache has seen, and their grades: every other one is right."""
    answers = [f"{k}({variable}-1)({variable}+1)" for k in range(2, count + 2)]
    references = [f"{k}{variable}^2{'+-'[k % 2]}{k}" for k in range(2, count + 2)]
    return answers, references, [Grade.WRONG, Grade.RIGHT] * (count // 2)


@pytest.mark.parametrize(
    ("answer", "reference", "grade"),
    [
        (r"x^2-1", "(x-1)(x+1)", Grade.RIGHT),
        (r"2\sqrt{2}", r"\sqrt{8}", Grade.RIGHT),
        ("5", "x=5", Grade.RIGHT),
        ("(1,2]", "[1,2]", Grade.WRONG),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{bmatrix}1\\2\end{bmatrix}", Grade.RIGHT),
        (r"\frac{", "1", Grade.WRONG),
        ("", "1", Grade.WRONG),
    ],
)
def test_symbolic(rule: Symbolic, answer: str, reference: str, grade: Grade) -> None:
    assert rule.grade(answer, reference) is grade
    assert rule(answer, reference) is (grade is Grade.RIGHT)


def test_sixty_four_threads(rule: Symbolic) -> None:
    answers, references, grades = items("y")
    with ThreadPoolExecutor(64) as callers:
        assert list(callers.map(rule.grade, answers, references)) == grades


async def test_sixty_four_coroutines_and_an_item_that_hangs(
    rule: Symbolic, caplog: pytest.LogCaptureFixture
) -> None:
    answers, references, grades = items("z")
    first, *others = await asyncio.gather(*map(rule.agrade, [HANGS, *answers], ["5", *references]))
    assert first is Grade.TIMED_OUT
    assert others == grades
    assert "against '5' timed out: counts as wrong" in caplog.text
    assert not rule(HANGS, "5")


async def test_a_busy_event_loop_uses_up_no_time(rule: Symbolic) -> None:
    answers, references, grades = items("a", 8)
    grading = asyncio.gather(*map(rule.agrade, answers, references))
    await asyncio.sleep(0)
    until = time.monotonic() + 2 * rule.limit
    while time.monotonic() < until:
        pass
    assert await grading == grades


def test_a_worker_that_dies_takes_no_item_with_it(rule: Symbolic) -> None:
    assert rule("b+b", "2b")
    [*workers] = pool(rule).pids()
    children = [pid for pid, parent, *_ in processes() if parent in workers]
    for pid in [workers[0], *children]:
        os.kill(pid, signal.SIGKILL)
    answers, references, grades = items("c", 8)
    with ThreadPoolExecutor(8) as callers:
        assert list(callers.map(rule.grade, answers, references)) == grades
    assert len(children) == len(workers)
    assert workers[0] not in pool(rule).pids()


def test_limits_on_one_worker() -> None:
    """math-verify's own signal ends a step; the caller's clock ends a worker that does nothing."""
    need("math_verify")
    worker = Worker(limit=PATIENCE, step=1)
    assert worker.grade(HANGS, "5", PATIENCE) is Grade.TIMED_OUT
    assert worker.alive
    assert worker.grade("x+1", "1+x", PATIENCE) is Grade.RIGHT
    os.killpg(worker.pid, signal.SIGSTOP)
    assert worker.grade("x+1", "1+x", 0.1) is Grade.TIMED_OUT
    assert not worker.alive


PARENT = """
import os, signal, time
from reasoner.benchmarks.tasks.grading.worker_pool import WorkerPool
pool = WorkerPool(workers=1, limit=1, patience=60)
pool.submit("x+x", "2x").result()
print(*pool.pids(), flush=True)
"""
KILLED = f"""
pool.submit(r"{HANGS}", "5")
time.sleep(0.2)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_end_with_their_parent() -> None:
    need("math_verify")
    parents = [
        subprocess.Popen([sys.executable, "-c", PARENT + end], stdout=subprocess.PIPE, text=True)
        for end in ("", KILLED)
    ]
    workers = [int(parent.communicate(timeout=60)[0]) for parent in parents]
    assert [parent.returncode for parent in parents] == [0, -signal.SIGKILL]
    deadline = time.monotonic() + 30
    while (left := alive(workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def alive(groups: list[int]) -> list[int]:
    """The processes of these process groups, but for those that merely wait to be reaped."""
    return [pid for pid, _, group, state in processes() if group in groups and state[0] != "Z"]


def processes() -> list[tuple[int, int, int, str]]:
    """Process, parent, process group and state of all that runs."""
    command = ["ps", "-eo", "pid=,ppid=,pgid=,stat="]
    rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [
        (int(pid), int(parent), int(group), state)
        for pid, parent, group, state in map(str.split, rows)
    ]


def test_without_math_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "math_verify", None)
    assert Symbolic(workers=3)("1{,}000", "1000")
    with pytest.raises(ConfigError, match=r"pip install .test-time-compute.bench"):
        Symbolic(workers=3).grade("x", "y")


def test_a_worker_that_does_not_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("raise SystemExit(3)")
    monkeypatch.setattr(running, "PROGRAM", program)
    with pytest.raises(ReasonerError, match="did not start"):
        Worker(limit=1, step=1)
