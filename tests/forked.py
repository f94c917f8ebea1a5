"""Commands in processes of their own that start at once: forks of one that has imported everything.

As a program it is the server: a command a line in, what became of it a line out, both as JSON.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Self

PATIENCE, BUSY = 300.0, 30
"""Seconds after which a command counts as hanging: by the clock, and of the processor."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a command: its exit code (negative for a signal), output, CPU seconds, and memory."""

    code: int
    out: str
    err: str
    seconds: float
    mebibytes: float


class Server:
    """Runs commands of `reasoner`, one at a time."""

    def __init__(self) -> None:
        program = [sys.executable, "-W", "ignore", __file__]
        self._process = subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, *argv: object) -> Ended:
        """Run one command to its end."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps([str(a) for a in argv]) + "\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def serve() -> None:
    """Run the commands that standard input names."""
    import matplotlib.pyplot as plt
    import sklearn.linear_model

    from reasoner.benchmarks.reports import compare as comparison
    from reasoner.benchmarks.reports import html_page as page
    from reasoner.benchmarks.reports import pool as every_k
    from reasoner.benchmarks.reports import scaling
    from reasoner.benchmarks.runner import rerank as reranking
    from reasoner.cli import commands, experiments, main, spec_file

    del plt, sklearn, comparison, every_k, page, reranking, scaling, experiments, spec_file
    setattr(commands, "parser", cache(commands.parser))  # noqa: B010
    commands.parser()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        answers.write(json.dumps(asdict(forked(main, json.loads(line)))) + "\n")
        answers.flush()


def forked(main: object, argv: Sequence[str]) -> Ended:
    """Run `main` with `argv` in a fork of this process."""
    assert callable(main)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        if not (pid := os.fork()):
            code = 70
            try:
                os.setsid()
                resource.setrlimit(resource.RLIMIT_CPU, (BUSY, BUSY))
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                code = main(argv)
            except BaseException as e:
                import traceback

                traceback.print_exception(e)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        status, usage = waited(pid)
        texts = [(file.seek(0), file.read().decode(errors="replace"))[1] for file in (out, err)]
    seconds = usage.ru_utime + usage.ru_stime
    code = os.waitstatus_to_exitcode(status)
    return Ended(code, texts[0], texts[1], seconds, usage.ru_maxrss / 1024)


def waited(pid: int) -> tuple[int, resource.struct_rusage]:
    """The end of a process, which is killed with all it started when it takes too long."""
    deadline = time.monotonic() + PATIENCE
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            return status, usage
        if time.monotonic() > deadline:
            os.killpg(pid, signal.SIGKILL)
            deadline = float("inf")
        time.sleep(0.01)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    serve()
