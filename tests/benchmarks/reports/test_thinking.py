"""Thinking tokens in the reports: shown where there are any, and absent where there are none."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from rich.console import Console

from reasoner.benchmarks.analysis.curves import Outcome, Point
from reasoner.benchmarks.reports import summary, table
from reasoner.benchmarks.store.pool_costs import PoolCosts, costs_of
from reasoner.benchmarks.store.records import Record, Sample, Spec, Spend
from reasoner.cli.solve import thinking
from reasoner.types import Usage

SPENT = Spend(generated_tokens=40, thinking_tokens=30, thinking_estimated=10, seconds=1)


def point(*spends: Spend) -> Point:
    spec = Spec(task="t", backend="b", strategy="short-m", n=4)
    rights = np.array([1.0] * len(spends))
    return Outcome(spec, range(len(spends)), rights, costs_of(spends)).point()


def shown(*points: Point) -> str:
    out = io.StringIO()
    table.show(points, Console(file=out, width=200))
    return out.getvalue()


def test_a_point_has_the_mean_of_the_thinking_tokens() -> None:
    [found] = summary.as_json([point(SPENT, Spend(generated_tokens=10))])
    assert (found["thinking_tokens"], found["thinking_estimated"]) == (15, 5)


def test_without_thinking_summary_and_table_are_as_before() -> None:
    [found] = summary.as_json([point(Spend(generated_tokens=10))])
    assert not [name for name in found if "thinking" in name]
    assert "thinking" not in shown(point(Spend(generated_tokens=10)))


def test_the_table_has_a_column_and_marks_estimates() -> None:
    exact = point(SPENT.model_copy(update={"thinking_estimated": 0}))
    assert "thinking" in shown(exact) and " 30 " in shown(exact) and "~" not in shown(exact)
    assert "~30" in shown(point(SPENT))


def test_a_part_of_a_pool_has_its_share_of_the_thinking() -> None:
    sample = Sample(answer="1", correct=True, score=None, tokens=10)
    record = Record(problem="p", index=0, correct=True, spend=SPENT, samples=(sample,) * 4)
    costs = PoolCosts.of([record]).portion(1, False)
    assert (costs["thinking_tokens"][0], costs["thinking_estimated"][0]) == (7.5, 2.5)


def test_old_records_are_read_without_thinking() -> None:
    spend = Spend.model_validate({"generated_tokens": 5, "seconds": 1})
    assert spend.thinking_tokens == spend.thinking_estimated == 0


def test_solve_names_the_thinking_where_there_is_any() -> None:
    used = Usage(completion_tokens=9, thinking_tokens=4)
    assert thinking(Usage(completion_tokens=9)) == ""
    assert thinking(used) == " (4 of them thinking)"
    assert thinking(replace(used, thinking_estimated=1)) == " (about 4 of them thinking)"
