"""Tracks a run: what is finished while it goes on, and its points at the end.

A tracker never stops or delays a run. Its calls wait in a thread of their own, and after the first that
fails there are no more.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import Field

from reasoner.benchmarks.analysis.curves import Point
from reasoner.benchmarks.runner.progress_bar import Counts, Meter
from reasoner.benchmarks.runner.scheduler import reason
from reasoner.benchmarks.store.records import Record, Spec
from reasoner.benchmarks.tracking.tracker import Tracker, tracker
from reasoner.documents import Malformed, parse_model
from reasoner.errors import StoreError
from reasoner.files import read_bytes, save_text
from reasoner.printable import one_line
from reasoner.redaction import redacted
from reasoner.schema import Frozen

logger = logging.getLogger(__name__)

FILE = "tracking.json"
EVERY = 10.0
"""Seconds between values of a metric, at least."""
MEASURES = (
    "accuracy",
    "ci_low",
    "ci_high",
    "generated_tokens",
    "flops",
    "verifier_tokens",
    "seconds",
)
"""The fields of a point that are logged."""
LONGEST = 240
"""The most characters of a metric's name; a longer one ends with its digest, so that no two are one."""


class TrackedRun(Frozen):
    """The identity of a run in a tracker, and the digests of the points that it was given."""

    identity: str = Field(pattern=r"^[\w-]{1,128}$")
    points: frozenset[str] = frozenset()


class TrackedRuns(Frozen):
    """The runs that stand for a folder of results, by tracker, and the problems finished in all sessions."""

    done: int = Field(default=0, ge=0)
    runs: dict[str, TrackedRun] = Field(default_factory=dict[str, TrackedRun])


class Tracking:
    """The trackers of a run whose results are in `out`.

    Raises:
        ConfigError: a tracker is unknown, or cannot be used as it is set up.
        MissingPackage: a tracker's package is not installed.
    """

    def __init__(
        self,
        names: Sequence[str],
        out: Path,
        parameters: Mapping[str, str] = {},
        *,
        every: float = EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trackers: dict[str, Tracker] = {name: tracker(name) for name in names}
        self._out, self._parameters = out, parameters
        self._every, self._clock = every, clock
        before = read(out) if names else TrackedRuns()
        self._runs, self._before = {**before.runs}, before.done
        self._done, self._opened = before.done, set[str]()
        self._logged = clock()
        self._thread = ThreadPoolExecutor(1, "tracking")

    def meter(self) -> Meter:
        """Return a meter that logs what it shows."""
        return TrackedMeter(self) if self._trackers else Meter()

    def start(self) -> None:
        """Open the runs."""
        self._each(self._open)

    def progress(self, counts: Counts) -> None:
        """Log what is finished, unless something was logged a moment ago."""
        if self._clock() - self._logged < self._every and counts.done < counts.jobs:
            return
        self._logged = self._clock()
        self._done = self._before + counts.done
        metrics, step = values(counts, self._before), self._done
        self._each(lambda _, each: each.log(metrics, step))
        self._thread.submit(self._save)

    def drain(self) -> None:
        """Wait until the trackers have what was logged.

        Their clients import modules when they are called, and what is imported meanwhile may see half of one.
        """
        self._thread.submit(int).result()

    def finish(self, points: Sequence[Point], files: Sequence[Path]) -> None:
        """Log the points at their sizes and upload the files of the report; points that were logged stay as they are."""
        digests = {digest(point): point for point in points}

        def report(name: str, each: Tracker) -> None:
            run = self._runs[name]
            if not (new := digests.keys() - run.points):
                return
            for key, point in digests.items():
                if key in new:
                    each.log(dict(measured(point)), point.n)
                    run = run.model_copy(update={"points": run.points | {key}})
                    self._runs[name] = run
            each.attach([file for file in files if file.is_file()])
            self._save()

        self._each(report)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._each(partial(self._close, error is None))
        self._thread.submit(self._save)
        self._thread.shutdown()

    def _open(self, name: str, each: Tracker) -> None:
        known = self._runs.get(name)
        before = known.identity if known else None
        identity = each.open(self._out.name, before, self._parameters)
        same = known if known and identity == before else TrackedRun(identity=identity)
        self._runs[name] = same
        self._opened.add(name)
        self._save()

    def _close(self, finished: bool, name: str, each: Tracker) -> None:
        if name in self._opened:
            each.close(finished=finished)

    def _save(self) -> None:
        state = TrackedRuns(done=self._done, runs=self._runs)
        if self._opened:
            save_text(state.model_dump_json() + "\n", self._out / FILE)

    def _each(self, call: Callable[[str, Tracker], object]) -> None:
        """Call every tracker in the thread, after the calls before; one that fails is called no more."""

        def one(name: str) -> None:
            if chosen := self._trackers.get(name):
                try:
                    call(name, chosen)
                except Exception as e:
                    del self._trackers[name]
                    trouble = one_line(redacted(reason(e)))
                    logger.warning("%s tracks no more, the run goes on: %s", name, trouble)

        for name in [*self._trackers]:
            self._thread.submit(one, name)


class TrackedMeter(Meter):
    """A meter whose numbers are logged."""

    def __init__(self, tracking: Tracking) -> None:
        super().__init__()
        self._tracking = tracking

    def start(self, jobs: int, samples: int) -> None:
        """Say how much there is to do."""
        super().start(jobs, samples)
        self._tracking.start()

    def advance(self, spec: Spec, record: Record) -> None:
        """Count one finished problem."""
        super().advance(spec, record)
        self._tracking.progress(self._counts)


def read(out: Path) -> TrackedRuns:
    """Return what an earlier session left in a folder of results; a file that cannot be read counts for nothing."""
    if not (out / FILE).exists():
        return TrackedRuns()
    try:
        return parse_model(TrackedRuns, read_bytes(out / FILE))
    except (Malformed, StoreError) as e:
        logger.warning("%s is not read, tracking begins anew: %s", FILE, e)
        return TrackedRuns()


def digest(point: Point) -> str:
    """Return what tells a point from others and from itself with other numbers."""
    text = json.dumps(point.to_json(), sort_keys=True)
    return sha256(text.encode()).hexdigest()[:12]


def values(counts: Counts, before: int) -> dict[str, float]:
    """Return the metrics of what is finished; `before` problems are of earlier sessions."""
    attempted = counts.done - counts.failed
    shares = {"progress/right": counts.right / attempted} if attempted else {}
    return {
        "progress/problems": float(before + counts.done),
        "progress/failed": float(counts.failed),
        "progress/tokens_per_second": counts.rate,
        **shares,
    }


def measured(point: Point) -> Iterator[tuple[str, float]]:
    """Yield the metrics of a point, each by a name that every tracker takes."""
    budget = "".join(f" {k} {v:g}" for k, v in sorted((point.budget or {}).items()))
    label = f"{point.task}/{point.strategy}/{point.verifier or ''}{budget}".rstrip("/")
    for measure in MEASURES:
        name = re.sub(r"[^\w\-. /]+", "_", f"{measure}/{label}")
        if len(name) > LONGEST:
            name = f"{name[: LONGEST - 13]}-{sha256(name.encode()).hexdigest()[:12]}"
        yield name.rstrip("_"), float(getattr(point, measure))
