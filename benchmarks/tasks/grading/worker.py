"""The program of a worker process: a child that grades, and a parent that replaces it when it dies.

It runs as a file, so that neither the caller's main module nor `reasoner` is imported again. Its
arguments are the pipe's descriptor, CPU seconds per item, and wall seconds per step of math-verify.
"""

import gc
import logging
import os
import resource
import signal
import sys
from contextlib import suppress
from functools import lru_cache
from multiprocessing.connection import Connection
from typing import Any

from math_verify import parse, verify
from math_verify.errors import TimeoutException

MEMORY = 2 << 30
"""Bytes of address space, so that an answer such as 9^9^9^9 does not use up the machine's memory."""
TIMED_OUT = 75
"""The exit status of a child that math-verify's own time limit interrupted."""


def main(pipe: Connection, limit: float, step: int) -> None:
    """Keep a child that grades, and report its death in place of the grade it owes.

    A fork of this process, which has one thread, has everything imported already, so that a new child
    takes milliseconds, where a new process takes seconds.
    """
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    soft = MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    # By default SIGPROF ends a process, even inside one long operation of C code.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    pipe.send(
        compare("x + 1", "1 + x", step=0)
    )  # The first comparison is slow, so it has no limit.
    gc.freeze()  # Imported objects are neither collected again nor copied by a fork.
    gc.set_threshold(100_000)
    while status := child(pipe, limit, step):
        pipe.send((None, "timed out" if status in (-signal.SIGPROF, TIMED_OUT) else "failed"))


def child(pipe: Connection, limit: float, step: int) -> int:
    """Grade in a child process until it ends; return its exit status, zero when the caller is gone."""
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 1
    try:
        serve(pipe, limit, step)
    except (EOFError, OSError):
        status = 0
    except TimeoutException:  # Interrupted sympy may be in any state: start afresh.
        status = TIMED_OUT
    finally:
        os._exit(status)


def serve(pipe: Connection, limit: float, step: int) -> None:
    """Answer each `(serial, answer, reference)` with `(serial, grade)`."""
    while True:
        serial, answer, reference = pipe.recv()
        # The timer counts the CPU time of this process from here on.
        signal.setitimer(signal.ITIMER_PROF, limit)
        grade = compare(answer, reference, step)
        signal.setitimer(signal.ITIMER_PROF, 0)
        pipe.send((serial, grade))


def compare(answer: str, reference: str, step: int) -> str:
    """Return "right" or "wrong"; expressions that sympy cannot read or compare are not equal."""
    try:
        gold, stated = read(reference, step), read(answer, step)
        equal = verify(gold, stated, timeout_seconds=step, raise_on_error=True)
    except (MemoryError, RecursionError):
        raise
    except Exception:
        return "wrong"
    return "right" if equal else "wrong"


@lru_cache(maxsize=1024)
def read(text: str, step: int) -> list[Any]:
    """Return the expressions that `text` spells, or none."""
    expressions: list[Any] = parse(
        f"\\boxed{{{text}}}",
        fallback_mode="no_fallback",
        parsing_timeout=step,
        raise_on_error=True,
    )
    return expressions


if __name__ == "__main__":
    logging.disable()
    with suppress(OSError):
        main(Connection(int(sys.argv[1])), float(sys.argv[2]), int(sys.argv[3]))
