"""A headless Chromium, driven by the DevTools protocol over two pipes."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome")
PATIENCE = 60.0
"""Seconds that one command may take on a busy machine."""
COMPLAINTS = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
"""Events of whatever goes wrong on a page, or is refused by its policy."""
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-ipc-flooding-protection", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--window-size=1280,1600",
    "--remote-debugging-pipe",
)  # fmt: skip

START = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""The browser reads commands from descriptor 3 and writes answers to 4."""


class Page:
    """One page of a browser, and what happened on it."""

    def __init__(self, process: subprocess.Popen[bytes], to: int, of: int) -> None:
        self._process, self._to, self._of = process, to, of
        self._number, self._unread = 0, b""
        self.events = list[dict[str, Any]]()
        target = self._send("Target.createTarget", url="about:blank")["targetId"]
        attached = self._send("Target.attachToTarget", targetId=target, flatten=True)
        self._session: str = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def open(self, address: str) -> None:
        """Go to an address, and wait until it is loaded; a change of the fragment loads again."""
        for each in ("about:blank", address):
            self.events.clear()
            self.call("Page.navigate", url=each)
            self._wait_for("Page.loadEventFired")

    def run(self, script: str) -> Any:
        """Return the value of a script."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    @property
    def document(self) -> str:
        """The document as it is now."""
        return str(self.run("document.documentElement.outerHTML"))

    def click(self, selector: str, number: int = 0) -> None:
        """Click with the mouse on the middle of an element, scrolled into view."""
        place = self.run(
            f"(() => {{ const e = document.querySelectorAll({json.dumps(selector)})[{number}];"
            " e.scrollIntoView({block: 'center', inline: 'start'}); const r = e.getBoundingClientRect();"
            " return [r.x + Math.min(r.width, 60) / 2, r.y + r.height / 2]; })()"
        )
        where = {"x": place[0], "y": place[1]}
        self.call("Input.dispatchMouseEvent", type="mouseMoved", **where)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **where)

    def named(self, *methods: str) -> list[dict[str, Any]]:
        """The parameters of the events of these names."""
        self.run("0")  # Whatever happened before has arrived when this is answered.
        return [e["params"] for e in self.events if e["method"] in methods]

    def screenshot(self, path: Path) -> None:
        """Write what is to be seen."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command to the page, and return its answer."""
        return self._send(method, self._session, **parameters)

    def _send(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        self._number += 1
        told = {"id": self._number, "method": method, "params": parameters}
        told |= {"sessionId": session} if session else {}
        os.write(self._to, json.dumps(told).encode() + b"\0")
        while True:
            message = self._read()
            if message.get("id") == self._number:
                assert "error" not in message, (method, message["error"])
                answer: dict[str, Any] = message["result"]
                return answer

    def _wait_for(self, event: str) -> None:
        while not any(e["method"] == event for e in self.events):
            self._read()

    def _read(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._unread:
            ready, *_ = select.select([self._of], [], [], max(0, deadline - time.monotonic()))
            received = os.read(self._of, 1 << 20) if ready else b""
            assert received, f"the browser does not answer (exit code {self._process.poll()})"
            self._unread += received
        line, _, self._unread = self._unread.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        if "method" in message:
            self.events.append(message)
        return message


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A page of a browser of its own; the test is skipped where there is no browser."""
    if PROGRAM is None:
        pytest.skip("there is no chromium")
    child_reads, to = os.pipe()
    of, child_writes = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", START, str(child_reads), str(child_writes), PROGRAM, *FLAGS,
         f"--user-data-dir={profile}"],
        pass_fds=(child_reads, child_writes), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(child_reads)
    os.close(child_writes)
    try:
        yield Page(process, to, of)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(to)
        os.close(of)
