"""Work on many problems that a killed run goes on with: one JSON line a problem, as it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from reasoner.base import Example
from reasoner.train.loop import Report

Row = dict[str, Any]


def read(path: Path) -> Iterator[Row]:
    """The rows of a journal; a torn last line is left out."""
    with path.open() as file:
        yield from (json.loads(line) for line in file if line.endswith("\n"))


async def keep(
    path: Path,
    examples: Sequence[Example],
    work: Callable[[Example], Awaitable[Row]],
    report: Report = print,
    live: int = 128,
) -> list[Row]:
    """The row that `work` makes of each example, in order; rows that `path` has are not made again.

    At most `live` examples are worked on at once.
    """
    rows, gate = _recover(path), asyncio.Semaphore(live)

    async def one(example: Example) -> Row:
        async with gate:
            return {"prompt": example.problem.prompt, **await work(example)}

    missing = [e for e in examples if e.problem.prompt not in rows]
    with path.open("a") as file:
        for finished in asyncio.as_completed([one(e) for e in missing]):
            row = await finished
            file.write(json.dumps(row) + "\n")
            file.flush()
            rows[row["prompt"]] = row
            if len(rows) % 100 == 0:
                report(f"{path.name}: {len(rows)}/{len(examples)} problems")
    return [rows[e.problem.prompt] for e in examples]


def _recover(path: Path) -> dict[str, Row]:
    """What a journal holds, by prompt, once a torn last line is cut off."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        file.seek(0)
        whole, _, _ = file.read().rpartition(b"\n")
        file.truncate(len(whole) + 1 if whole else 0)
    return {row["prompt"]: row for row in map(json.loads, whole.splitlines())}
