"""The report under hostile texts, in a browser: nothing runs, nothing is asked for, all is shown as text."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from reasoner.benchmarks.reports import html_page as page
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.printable import printable, storable
from tests.browser import COMPLAINTS, Page, browser
from tests.hostile import TEXTS, Repetition, hostile_components, hostile_run

CLICKED = (
    "nav button",
    "#axes button",
    "#costs button",
    "#legend button",
    "#legend button",
    "th button",
    "#problems button.pick",
)
INJECTED = {
    "script": "<script>window.owned = 1</script>",
    "module": "<script type=module>window.owned = 1</script>",
    "handler": "<img src=x onerror='window.owned = 1'>",
    "svg": "<svg onload='window.owned = 1'></svg>",
    "frame": "<iframe srcdoc='<script>parent.owned = 1</script>'></iframe>",
    "request": "<img src='ADDRESS/x'><script src='ADDRESS/x.js'></script><link rel=stylesheet href='ADDRESS/x.css'>",
    "style": "<style>body { background: url(ADDRESS/x) }</style>",
    "object": "<object data='ADDRESS/x'></object><embed src='ADDRESS/x'><video src='ADDRESS/x'></video>",
    "sink": "<script>document.body.innerHTML = '<b>'</script>",
    "base": "<base href='ADDRESS/'><img src=x>",
}  # fmt: skip


class Listener(BaseHTTPRequestHandler):
    """Counts who asks."""

    asked: list[str]

    def do_GET(self) -> None:
        """Note the request, and send nothing."""
        self.asked.append(self.path)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, list[str]]]:
    """The address of a server on this machine, and what it was asked for."""
    asked = list[str]()
    listener = type("Listening", (Listener,), {"asked": asked})
    served = ThreadingHTTPServer(("127.0.0.1", 0), listener)
    thread = Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{served.server_address[1]}", asked
    served.shutdown()
    served.server_close()
    thread.join()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, server: tuple[str, list[str]]) -> Path:
    out = tmp_path_factory.mktemp("run")
    with hostile_components():
        asyncio.run(hostile_run(out, Repetition(server[0])))
        return page.write(RunFolder(out), out / "report.html", count=len(TEXTS))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_nothing_runs_and_no_request_leaves(
    report: Path, server: tuple[str, list[str]], screen: Page
) -> None:
    address, asked = server
    screen.open(report.as_uri())
    for selector in CLICKED:
        for number in range(screen.run(f"document.querySelectorAll({selector!r}).length")):
            screen.click(selector, number)
    questions = list[str]()
    for number in range(len(TEXTS)):
        screen.run(f"state.rows = Math.floor({number} / ROWS); draw()")
        screen.click("#problems button.pick", number % screen.run("ROWS"))
        screen.run(
            "for (const i of state.problem.attempts.keys()) document.querySelectorAll('#problem > .bar button')[i].click()"
        )
        screen.click("#problem circle, #problem summary")
        questions.append(screen.run("state.problem.question"))
        shown = screen.run("document.querySelector('#problem').textContent")
        assert questions[-1].strip() in shown
    texts = (text.replace("ADDRESS", address) for text in TEXTS.values())
    assert sorted(questions) == sorted(printable(storable(text)) for text in texts)
    assert screen.run("window.owned") is None
    assert screen.named(*COMPLAINTS, "Page.javascriptDialogOpening") == []
    requests = [r["request"]["url"] for r in screen.named("Network.requestWillBeSent")]
    assert requests == [report.as_uri()] and asked == []
    assert screen.run("location.pathname") == report.as_uri().removeprefix("file://")
    assert screen.run("document.scripts.length") == 2
    foreign = (
        "img, iframe, link, base, form, a, object, embed, b, [onload], [onerror], [style*=url]"
    )
    assert screen.run(f"document.querySelectorAll({foreign!r}).length") == 0


@pytest.mark.parametrize("name", INJECTED)
def test_the_policy_stops_what_would_get_in(
    name: str, report: Path, server: tuple[str, list[str]], screen: Page, tmp_path: Path
) -> None:
    address, asked = server
    broken = tmp_path / "broken.html"
    markup = INJECTED[name].replace("ADDRESS", address)
    broken.write_text(report.read_text("utf-8").replace("<header>", f"{markup}<header>"), "utf-8")
    screen.open(broken.as_uri())
    screen.run("new Promise(done => setTimeout(done, 100))")
    assert screen.run("window.owned") is None and asked == []
    assert any(
        "Content Security Policy" in e["entry"]["text"] for e in screen.named("Log.entryAdded")
    )
    assert screen.run("document.querySelectorAll('#points tr').length") > 1


def test_a_page_without_the_policy_would_run_it(report: Path, screen: Page, tmp_path: Path) -> None:
    open_page = tmp_path / "open.html"
    text = re.sub("<meta http-equiv.*?>", INJECTED["script"], report.read_text("utf-8"))
    open_page.write_text(text, "utf-8")
    screen.open(open_page.as_uri())
    assert screen.run("window.owned") == 1
