"""A watchdog that ends other processes once this one is gone, however it dies."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing import active_children
from subprocess import DEVNULL, PIPE, Popen

SCRIPT = 'while read -r pid; do pids="$pids $pid"; done; [ -z "$pids" ] || kill -9 $pids'
PERIOD = 0.05
"""Seconds between two looks for new children."""


class Watchdog:
    """A shell that reads process ids from a pipe and kills them when the pipe closes.

    The kernel closes the pipe when this process ends, by SIGTERM or SIGKILL as well, where no Python
    code runs any more. The shell has a session of its own, so that Ctrl-C does not end it first.
    """

    def __init__(self) -> None:
        self._shell = Popen(
            ["/bin/sh", "-c", SCRIPT], stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        self._watched = set[int]()

    def watch(self, pid: int) -> None:
        """Have `pid` killed when this process ends."""
        if pid in self._watched:
            return
        self._watched.add(pid)
        assert self._shell.stdin
        self._shell.stdin.write(f"{pid}\n".encode())
        self._shell.stdin.flush()

    @contextmanager
    def starting(self, name: str) -> Generator[None]:
        """Watch the children of this process named `name...` that start within, from their start."""
        done = threading.Event()
        poller = threading.Thread(target=self._poll, args=(name, done), daemon=True)
        poller.start()
        try:
            yield
        finally:
            done.set()
            poller.join()
            self._look(name)

    def kill(self) -> None:
        """Kill what is watched now."""
        self._shell.communicate()

    def close(self) -> None:
        """Stop watching; nothing is killed."""
        self._shell.kill()
        self._shell.communicate()

    def _poll(self, name: str, done: threading.Event) -> None:
        while not done.wait(PERIOD):
            self._look(name)

    def _look(self, name: str) -> None:
        for child in active_children():
            if child.pid and child.name.startswith(name):
                self.watch(child.pid)
