"""The use of each worker of a run on many engines, in `workers.json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, FiniteFloat

from reasoner.benchmarks.store.sessions import read_sessions
from reasoner.files import save_json
from reasoner.schema import Frozen

FILE = "workers.json"


class WorkerUse(Frozen):
    """The problems that a worker finished in its `seconds`, on which node, and their tokens."""

    worker: str
    node: dict[str, Any]
    problems: int = Field(ge=0)
    seconds: FiniteFloat
    tokens: FiniteFloat
    prompt_tokens_cached: FiniteFloat = 0
    prompt_tokens_fresh: FiniteFloat = 0

    @property
    def rate(self) -> float:
        """The generated tokens a second."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0

    @property
    def cached(self) -> float:
        """The share of prompt tokens that its prefix cache held."""
        asked = self.prompt_tokens_cached + self.prompt_tokens_fresh
        return self.prompt_tokens_cached / asked if asked else 0.0

    def __str__(self) -> str:
        return (
            f"{self.worker}: {self.problems:,} problems, {self.rate:,.0f} tokens/s,"
            f" {self.cached:.1%} of prompt tokens cached"
        )


class WorkerSession(Frozen):
    """The workers of one session of a run."""

    date: str
    workers: tuple[WorkerUse, ...]


def total(workers: Sequence[WorkerUse]) -> WorkerUse:
    """Return the sum of what workers did, in the time of the one that worked longest."""
    return WorkerUse(
        worker=f"{len(workers)} workers",
        node={},
        problems=sum(w.problems for w in workers),
        seconds=max((w.seconds for w in workers), default=0.0),
        tokens=sum(w.tokens for w in workers),
        prompt_tokens_cached=sum(w.prompt_tokens_cached for w in workers),
        prompt_tokens_fresh=sum(w.prompt_tokens_fresh for w in workers),
    )


def add_session(session: WorkerSession, out: Path) -> Path:
    """Add a session to those of the run in `out`; one of the same date is replaced.

    Raises:
        StoreError: the file of earlier sessions is corrupt.
    """
    others = [
        each for each in read_sessions(WorkerSession, out / FILE) if each.date != session.date
    ]
    return save_json([each.model_dump() for each in (*others, session)], out / FILE)
