"""A watchdog that ends other processes when this one ends, for whatever reason."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing import active_children
from subprocess import DEVNULL, PIPE, Popen

SCRIPT = 'while read -r pid; do pids="$pids $pid"; done; [ -z "$pids" ] || kill -9 $pids'
PERIOD = 0.05
"""Seconds between two checks for new children."""


class Watchdog:
    """A shell that reads process ids from a pipe and kills them when the pipe closes.

    The kernel closes the pipe when this process ends, even by SIGTERM or SIGKILL, after which no Python
    code runs. The shell has its own session, so that Ctrl-C does not end it first.
    """

    def __init__(self) -> None:
        self._shell = Popen(
            ["/bin/sh", "-c", SCRIPT], stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        self._watched = set[int]()

    def watch(self, pid: int) -> None:
        """Kill the process `pid` when this process ends."""
        if pid in self._watched:
            return
        self._watched.add(pid)
        assert self._shell.stdin
        self._shell.stdin.write(f"{pid}\n".encode())
        self._shell.stdin.flush()

    @contextmanager
    def starting(self, name: str) -> Generator[None]:
        """Watch the child processes named `name...` that start within the block, from their start."""
        done = threading.Event()
        poller = threading.Thread(target=self._poll, args=(name, done), daemon=True)
        poller.start()
        try:
            yield
        finally:
            done.set()
            poller.join()
            self._watch_children(name)

    def kill(self) -> None:
        """Kill the watched processes now."""
        self._shell.communicate()

    def close(self) -> None:
        """Stop watching, without killing anything."""
        self._shell.kill()
        self._shell.communicate()

    def _poll(self, name: str, done: threading.Event) -> None:
        while not done.wait(PERIOD):
            self._watch_children(name)

    def _watch_children(self, name: str) -> None:
        for child in active_children():
            if child.pid and child.name.startswith(name):
                self.watch(child.pid)
