"""Graders against real gold answers, and against the recorded verdicts of another grader.

`pytest -rP` shows the gradings per second of CPU time, of caller and workers together.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from reasoner.benchmarks.tasks.grading import GradingRule, Symbolic, extract, numeric
from reasoner.benchmarks.tasks.grading.symbolic import shared_pool
from tests import ROOT
from tests.needs import need

DATA = ROOT.parent / "shared" / "data"
RECORDED = "qwen2.5_math_100x8"
JUDGED = ROOT / "benchmarks" / "results" / "graders" / "disagreements.json"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no data sets in {DATA}")


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text().splitlines()]


def gold(name: str) -> tuple[list[str], list[str]]:
    """Gold solutions and reference answers; AMC23 has no solutions, so its answers are boxed."""
    data = rows(name)
    if name == "amc23":
        return [f"\\boxed{{{row['answer']}}}" for row in data], [
            f"{row['answer']:g}" for row in data
        ]
    if name == "aime24":
        return [row["solution"] for row in data], [row["answer"] for row in data]
    mark = "####" if name == "gsm8k_test" else "The answer is:"
    solutions = [row["answer"] for row in data]
    return solutions, [solution.rpartition(mark)[2].strip() for solution in solutions]


@pytest.fixture(scope="module")
def symbolic() -> Iterator[Symbolic]:
    need("math_verify")
    rule = Symbolic(workers=2)
    yield rule
    shared_pool(rule.workers, rule.limit, rule.patience).close()
    shared_pool.cache_clear()


def grade(
    rule: GradingRule, answers: Sequence[str | None], references: Sequence[str]
) -> list[bool]:
    """The verdicts on all answers, asked for by 64 callers at once."""
    with ThreadPoolExecutor(64) as callers:
        return list(callers.map(rule, [answer or "" for answer in answers], references))


@pytest.mark.parametrize(("name", "count"), [("gsm8k_test", 1319), ("aime24", 30), ("amc23", 40)])
def test_numbers(name: str, count: int) -> None:
    check_numbers(numeric, name, count)


@pytest.mark.parametrize(
    ("name", "count"),
    [pytest.param("gsm8k_test", 1319, marks=pytest.mark.slow), ("aime24", 30), ("amc23", 40)],
)
def test_numbers_as_expressions(symbolic: Symbolic, name: str, count: int) -> None:
    check_numbers(symbolic, name, count)


def check_numbers(rule: GradingRule, name: str, count: int) -> None:
    """Every gold solution is right, and right for every problem that has this number, no other."""
    solutions, references = gold(name)
    answers = [extract(solution) for solution in solutions]
    assert grade(rule, answers, references) == [True] * count
    values = [int(reference.replace(",", "")) for reference in references]
    for shift in (1, count // 2):
        same = [value == values[i - shift] for i, value in enumerate(values)]
        shuffled = references[-shift:] + references[:-shift]
        assert grade(rule, answers, shuffled) == same


SAME = {22, 186, 403}
"""MATH-500 problems whose answer the next one shares: 5 and x=5, 7 and 7, 3 and 3."""


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_math500(symbolic: Symbolic, step: int) -> None:
    """Every gold solution is right, and wrong for the next problem: of a fifth, or of all."""
    solutions, references = gold("math500")
    answers = [extract(solution) for solution in solutions]
    assert grade(symbolic, answers, references) == [True] * 500
    places = sorted({*range(0, 500, step), *SAME})
    following = [references[(i + 1) % 500] for i in places]
    shuffled = grade(symbolic, [answers[i] for i in places], following)
    assert {i for i, right in zip(places, shuffled, strict=True) if right} == SAME


@pytest.mark.parametrize(
    ("before", "after"), [("\\frac", "\\dfrac"), (",", ", "), ("(", "\\left( "), ("+", " + ")]
)
def test_math500_in_another_layout(symbolic: Symbolic, before: str, after: str) -> None:
    references = [reference for reference in gold("math500")[1] if before in reference]
    answers = [reference.replace(before, after) for reference in references]
    assert len(answers) > 10
    assert all(grade(symbolic, answers, references))


@pytest.mark.parametrize(("source", "agreed"), [("code", 791), ("pred", 799)])
def test_recorded_verdicts(symbolic: Symbolic, source: str, agreed: int) -> None:
    """`code` is the solution, from which we extract; `pred` the answer its authors extracted."""
    data = rows(RECORDED)
    places = [(row["idx"], sample) for row in data for sample in range(8)]
    texts = [text for row in data for text in row[source]]
    answers = [extract(text) for text in texts] if source == "code" else texts
    ours = grade(symbolic, answers, [row["answer"] for row in data for _ in range(8)])
    theirs = [verdict for row in data for verdict in row["score"]]
    differ = [
        place for place, mine, other in zip(places, ours, theirs, strict=True) if mine != other
    ]
    judged = [d for d in json.loads(JUDGED.read_text())["disagreements"] if source in d["from"]]
    assert differ == [(d["item"], d["sample"]) for d in judged]
    assert all(d["right"] == "ours" for d in judged)
    assert len(places) - len(differ) == agreed


def test_speed(symbolic: Symbolic) -> None:
    """A model's answers repeat and are mostly plain; those to other problems are all different.

    Run alone, it has workers that have just started, and is slower.
    """
    pool = shared_pool(symbolic.workers, symbolic.limit, symbolic.patience)
    grade(symbolic, [f"x+{i}" for i in range(32)], [f"{i}+x" for i in range(32)])
    recorded = [(extract(t) or "", row["answer"]) for row in rows(RECORDED) for t in row["code"]]
    references = gold("math500")[1]
    shuffled = list(zip(references, references[2:] + references[:2], strict=True))[::4]
    for name, items, least in ("recorded", recorded, 200), ("shuffled", shuffled, 50):
        before = time.process_time() + computed(pool.pids())
        grade(symbolic, *zip(*items, strict=True))
        per_second = len(items) / (time.process_time() + computed(pool.pids()) - before)
        print(f"{name}: {per_second:,.0f} gradings per CPU second")
        assert per_second >= least


def computed(groups: list[int]) -> float:
    """CPU seconds so far of all processes in these process groups."""
    ticks = 0
    for process in Path("/proc").glob("[0-9]*/stat"):
        fields = process.read_text().rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:13])) if int(fields[2]) in groups else 0
    return ticks / os.sysconf("SC_CLK_TCK")
