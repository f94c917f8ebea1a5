"""`auto` is compared with the cheapest strategy that is as accurate, on all tasks together and on each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from reasoner.benchmarks.analysis.allocation import Allocated
from reasoner.benchmarks.studies import auto_rival
from reasoner.benchmarks.studies.auto_rival import compared, together
from reasoner.errors import StoreError

if TYPE_CHECKING:
    from tests.benchmarks.conftest import Bench
else:
    Bench = object


def came(accuracy: float, cost: float) -> Allocated:
    """A strategy on a hundred problems."""
    right = (np.arange(100) < round(100 * accuracy)).astype(float)
    return Allocated(right, np.full(100, cost), np.zeros(100, np.intp))


ONE = {"auto:64": came(0.97, 6.0), "adaptive:64": came(0.97, 9.0), "steps:64": came(0.97, 5.0)}
OTHER = {"auto:64": came(0.99, 6.0), "adaptive:64": came(0.99, 5.0), "steps:64": came(0.99, 9.0)}


def test_one_rival_for_all_tasks_may_be_dearer_than_that_of_each() -> None:
    each = [compared(arms, 64, 0.01) for arms in (ONE, OTHER)]
    assert [c.rival for c in each] == ["steps:64", "adaptive:64"]
    assert [c.saving.value for c in each] == pytest.approx([5 / 6, 5 / 6])
    both = compared(together([ONE, OTHER]), 64, 0.01)
    assert both.problems == 200
    assert both.saving.value == pytest.approx(7 / 6)
    assert both.saving.low <= both.saving.value <= both.saving.high


def test_a_cheap_strategy_that_is_less_accurate_is_no_rival() -> None:
    arms = {**ONE, "greedy:1": came(0.5, 1.0)}
    assert compared(arms, 64, 0.01).rival == "steps:64"
    assert compared(arms, 64, 0.5).rival == "greedy:1"


async def test_a_run_has_its_comparison(tmp_path: Path, bench_type: type[Bench]) -> None:
    bench = bench_type(
        tmp_path / "run", strategies=["best-of-n", "beam", "auto"], search_ns=[8], problems=12
    )
    await bench.run()
    auto_rival.main([str(bench.out), "--n", "8", "--out", str(tmp_path)])
    document = json.loads((tmp_path / "auto-rival.json").read_text())
    assert document["comparisons"]["sums"]["problems"] == 12
    assert {"commit", "command", "hardware"} <= document.keys()
    with pytest.raises(StoreError, match="no auto:64 beside other strategies"):
        auto_rival.main([str(bench.out), "--out", str(tmp_path)])
