"""Resumable work on many problems: a journal with one JSON line per finished problem."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from reasoner.base import Example
from reasoner.concurrency import gather
from reasoner.documents import Malformed, parse_json, parse_model
from reasoner.errors import StoreError
from reasoner.files import Lines, shown, whole_lines
from reasoner.train.progress import Report

Row = dict[str, Any]


class JournalEntry(BaseModel, extra="allow"):
    """The fields of a row that every journal has; each kind of work adds its own."""

    prompt: str


def read(path: Path, kind: type[JournalEntry] = JournalEntry) -> Iterator[Row]:
    """Yield the rows of a journal, each a `kind`, without a torn last line.

    Raises:
        StoreError: a line is corrupt.
    """
    yield from _rows(path, whole_lines(path), kind)


async def keep(
    path: Path,
    examples: Sequence[Example],
    work: Callable[[Example], Awaitable[Row | None]],
    report: Report = print,
    live: int = 128,
    kind: type[JournalEntry] = JournalEntry,
) -> list[Row]:
    """Return the row that `work` computes for each example, in order; rows in `path` are not computed again.

    At most `live` examples are worked on at once. An example for which `work` returns None has no row.
    The first failure cancels the rest, and is raised.
    """
    gate, finished = asyncio.Semaphore(live), itertools.count(1)
    with Lines(path) as file:
        rows = {row["prompt"]: row for row in _rows(path, file.existing, kind)}
        missing = [e for e in examples if e.problem.prompt not in rows]

        async def one(example: Example) -> None:
            async with gate:
                row = await work(example)
            if row:
                rows[example.problem.prompt] = row = {"prompt": example.problem.prompt, **row}
                file.append(json.dumps(row))
            if (count := next(finished)) % 100 == 0:
                report(f"{path.name}: {count}/{len(missing)} problems")

        await gather(map(one, missing))
    return [rows[e.problem.prompt] for e in examples if e.problem.prompt in rows]


def _rows(path: Path, lines: Sequence[bytes], kind: type[JournalEntry]) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        try:
            parse_model(kind, line)
            yield parse_json(line)
        except Malformed as e:
            raise StoreError(f"{shown(path)}:{number} is corrupt ({e}); delete that line") from e
