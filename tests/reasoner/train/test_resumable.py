"""Resumable work: what a failure leaves of the work beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from reasoner.base import Example
from reasoner.train.resumable import Row, keep
from reasoner.types import Problem

EXAMPLES = [Example(Problem(str(i), str(i)), "") for i in range(4)]


async def test_a_failure_cancels_the_work_beside_it_and_keeps_what_ended(tmp_path: Path) -> None:
    cancelled = list[str]()

    async def work(example: Example) -> Row | None:
        match example.problem.prompt:
            case "0":
                return {"answer": "0"}
            case "1":
                await asyncio.sleep(0.01)
                raise ConnectionError("gone")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(example.problem.prompt)
            raise
        return None

    journal = tmp_path / "rows.jsonl"
    with pytest.raises(ConnectionError, match="gone"):
        await keep(journal, EXAMPLES[:3], work, live=2)
    assert cancelled == ["2"]
    assert journal.read_text() == '{"prompt": "0", "answer": "0"}\n'


async def test_rows_are_in_the_order_of_the_problems_whichever_ends_first(tmp_path: Path) -> None:
    reports = list[str]()

    async def work(example: Example) -> Row | None:
        await asyncio.sleep(0.01 / (1 + int(example.problem.prompt)))
        return {"n": 1} if example.problem.prompt != "2" else None

    rows = await keep(tmp_path / "rows.jsonl", EXAMPLES, work, reports.append)
    assert [row["prompt"] for row in rows] == ["0", "1", "3"] and not reports
