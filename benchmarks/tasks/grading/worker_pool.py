"""Worker processes that grade answers: each item has a hard limit, and none affects another."""

import atexit
import logging
import os
import signal
import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from itertools import count
from multiprocessing import Pipe
from pathlib import Path
from subprocess import DEVNULL, Popen

from reasoner.benchmarks.tasks.grading.grade import Grade
from reasoner.errors import ReasonerError
from reasoner.extras import require

logger = logging.getLogger(__name__)
PROGRAM = Path(__file__).with_name("worker.py")


class WorkerPool:
    """Up to `workers` processes that compare answers by math-verify, started on demand.

    An item has `limit` seconds of its worker's CPU time: the kernel counts it from when the worker
    picks the item up, so that no queue, busy event loop or busy machine uses any of it. A worker that
    does not respond for `patience` seconds is killed too.

    Raises:
        MissingPackage: math-verify is not installed.
    """

    def __init__(self, workers: int, limit: float, patience: float) -> None:
        require("math_verify", user="symbolic grading", instead="or grade by 'exact' or 'numeric'")
        self._limit, self._patience = limit, patience
        self._idle = deque[Worker]()
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="grading")
        self._cached = lru_cache(maxsize=1 << 14)(self._decide)
        atexit.register(self.close)

    def submit(self, answer: str, reference: str) -> Future[Grade]:
        """Grade an answer on the next free worker."""
        return self._threads.submit(self._cached, answer, reference)

    def pids(self) -> list[int]:
        """Return the process ids of idle workers; each leads a process group."""
        return [worker.pid for worker in self._idle]

    def close(self) -> None:
        """End the workers, each after its current item; cancel the items that wait."""
        atexit.unregister(self.close)
        self._threads.shutdown(cancel_futures=True)
        while self._idle:
            self._idle.pop().stop()

    def _decide(self, answer: str, reference: str) -> Grade:
        grade = self._ask(answer, reference)
        if (
            grade is Grade.FAILED
        ):  # Its worker may have died before, so the item is tried once more.
            grade = self._ask(answer, reference)
        if grade in (Grade.TIMED_OUT, Grade.FAILED):
            logger.warning(
                "grading %.80r against %.80r %s: counts as wrong", answer, reference, grade
            )
        return grade

    def _ask(self, answer: str, reference: str) -> Grade:
        worker = self._free()
        grade = worker.grade(answer, reference, self._patience)
        self._idle.append(worker)
        return grade

    def _free(self) -> "Worker":
        """Return an idle worker, else a new one."""
        while self._idle:
            with suppress(IndexError):  # Another thread was faster.
                if (worker := self._idle.pop()).alive:
                    return worker
        # math-verify takes whole seconds for each of three steps: two readings and a comparison.
        return Worker(self._limit, max(1, int(self._patience / 4)))


class Worker:
    """One worker process, and the pipe to it.

    `limit` is in CPU seconds per item; `step` is math-verify's own limit on a reading or a comparison, by
    a signal, in seconds of wall clock.

    Raises:
        ReasonerError: the process did not start.
    """

    def __init__(self, limit: float, step: int) -> None:
        self._serials = count()
        self._pipe, theirs = Pipe()
        self._process = Popen(
            [sys.executable, "-P", PROGRAM, str(theirs.fileno()), str(limit), str(step)],
            pass_fds=[theirs.fileno()], process_group=0,
            stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL,
        )  # fmt: skip
        theirs.close()
        self.pid = self._process.pid
        try:
            self._pipe.recv()
        except EOFError:
            self.stop()
            raise ReasonerError(
                "a grading worker did not start;"
                f" see what {sys.executable} -c 'import math_verify' says"
            ) from None

    @property
    def alive(self) -> bool:
        """Return True if the worker can take another item."""
        return self._process.poll() is None

    def grade(self, answer: str, reference: str, patience: float) -> Grade:
        """Return the worker's grade; without one within `patience` seconds, the worker is ended."""
        serial = next(self._serials)
        try:
            self._pipe.send((serial, answer, reference))
            while self._pipe.poll(patience):
                answered, grade = self._pipe.recv()
                if answered in (serial, None):
                    return Grade(grade)
        except (EOFError, OSError):
            self.stop()
            return Grade.FAILED
        self.stop()
        return Grade.TIMED_OUT

    def stop(self) -> None:
        """End the process and its child."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._pipe.close()
        self._process.wait()
