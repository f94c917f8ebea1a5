"""The page in a browser: a search grows, ends, is stopped; texts of models stay texts; nothing else is loaded."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import httpx
import pytest

from reasoner.backends.scripted import Scripted, add_up
from reasoner.server.page import FOLDER
from reasoner.types import Prompt
from tests.browser import COMPLAINTS, Page, browser
from tests.reasoner.server.conftest import Running, serving

EVIL = '<img src=x onerror="document.title=1"></code></li><script>document.title=1</script>\u202e'


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def until(screen: Page, condition: str, seconds: float = 30) -> None:
    """Wait until a script is true on the page."""
    deadline = time.monotonic() + seconds
    while not screen.run(condition):
        assert time.monotonic() < deadline, (condition, screen.run("document.body.innerText"))
        time.sleep(0.05)


def ask(screen: Page, running: Running, problem: str, strategy: str, n: int) -> None:
    """Open the page and have a problem solved."""
    screen.open(running.url)
    until(screen, "document.querySelectorAll('.search').length === 2")
    settings = {"#problem": problem, ".n": str(n), ".strategy": f"toy:{strategy}"}
    for selector, value in settings.items():
        screen.run(f"document.querySelector({selector!r}).value = {json.dumps(value)}")
    screen.click("#start")


def status(screen: Page) -> str:
    return str(screen.run("document.querySelector('.status').textContent"))


def test_files_and_headers(running: Running) -> None:
    for path, kind in (
        ("/", "text/html"),
        ("/static/page.js", "text/javascript"),
        ("/static/page.css", "text/css"),
    ):
        reply = httpx.get(running.url + path)
        assert reply.status_code == 200 and reply.headers["content-type"].startswith(kind)
        assert "default-src 'none'" in reply.headers["content-security-policy"]
    for path in ("/static/app.py", "/static/../app.py", "/static/%2e%2e/app.py"):
        assert httpx.get(running.url + path).status_code == 404


def test_a_stream_has_every_step_where_it_is_asked_for(running: Running) -> None:
    body = {
        "model": "toy:beam", "stream": True, "messages": [{"role": "user", "content": "1+2+3"}],
        "reasoner": {"events": True, "n": 4, "seed": 1},
    }  # fmt: skip
    lines = running.post("/v1/chat/completions", body).text.split("\n\n")
    chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    events = [chunk["reasoner_event"] for chunk in chunks if "reasoner_event" in chunk]
    ids = {0, *(e["id"] for e in events if e["type"] == "sampled")}
    assert all(e["parent"] in ids for e in events if e["type"] == "sampled")
    assert {e["type"] for e in events} == {"sampled", "scored", "chosen"}
    assert events[-1]["id"] in ids


def test_a_tree_grows_and_its_winner_is_shown(
    screen: Page, running: Running, tmp_path: Path
) -> None:
    ask(screen, running, "12+30+7", "beam", 8)
    until(screen, "document.querySelector('.status').textContent.startsWith('done')")
    assert str(screen.run("document.querySelector('.answer').textContent")).endswith("#49")
    assert int(screen.run("document.querySelectorAll('[role=treeitem]').length")) >= 8
    path = screen.run(
        "[...document.querySelectorAll('.chosen > .step code')].map(e => e.textContent)"
    )
    assert path[-1] == "#49" and len(path) == 3
    assert "FLOPs" in status(screen)
    assert not screen.named(*COMPLAINTS)
    screen.screenshot(tmp_path / "page.png")


def test_what_is_ticked_before_the_models_are_listed_counts(screen: Page, running: Running) -> None:
    screen.open(running.url)
    screen.run("document.querySelector('#two').checked = true; begin()")
    until(screen, "document.querySelectorAll('.search:not([hidden])').length === 2")
    page = (FOLDER / "index.html").read_text()
    assert 'id="start" disabled' in page, "nothing can be asked before the page is ready"
    assert screen.run("document.querySelector('#start').disabled") is False


def test_two_searches_side_by_side(screen: Page, running: Running) -> None:
    screen.open(running.url)
    until(screen, "document.querySelectorAll('.search').length === 2")
    assert screen.run("[...document.querySelectorAll('.search')].map(e => e.hidden)") == [
        False,
        True,
    ]
    screen.click("#two")
    screen.run("document.querySelector('#problem').value = '4+5+6'")
    screen.click("#start")
    done = "[...document.querySelectorAll('.status')].filter(e => e.textContent.startsWith('done')).length"
    until(screen, f"{done} === 2")


def test_stop_ends_the_search_in_the_engine(screen: Page) -> None:
    with serving(Scripted(delay=0.2)) as running:
        ask(screen, running, "12+30+7", "mcts", 512)
        until(screen, "document.querySelectorAll('[role=treeitem]').length > 3")
        assert running.server.admission.running == 1
        screen.click("#stop")
        until(screen, "document.querySelector('.status').textContent.startsWith('stopped after')")
        deadline = time.monotonic() + 10
        while running.server.admission.running:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert running.backend.running == 0


def test_texts_of_models_and_servers_are_texts(screen: Page) -> None:
    def reply(prompt: Prompt, rng: Random) -> str:
        return f"{EVIL}\n{add_up(prompt, rng)}" if rng.random() < 0.5 else add_up(prompt, rng)

    with serving(Scripted(reply=reply)) as running:
        ask(screen, running, f"12+30+7 {EVIL}", "majority", 8)
        until(screen, "document.querySelector('.status').textContent.startsWith('done')")
        assert screen.run("document.title") == "reasoner"
        assert screen.run("document.querySelectorAll('img, main script').length") == 0
        assert "onerror" in str(screen.run("document.body.innerText"))
        assert not screen.named(*COMPLAINTS)
        asked = {p["request"]["url"] for p in screen.named("Network.requestWillBeSent")}
        assert all(url.startswith((running.url, "about:")) for url in asked), asked


def test_errors_are_shown(screen: Page) -> None:
    with serving(Scripted(fail_every=1)) as running:
        ask(screen, running, "1+2", "majority", 2)
        until(screen, "document.querySelector('.status').classList.contains('error')")
        assert "fail" in status(screen)
        assert screen.run("document.querySelector('#start').disabled") is False
    with serving(keys=("secret",)) as running:
        screen.open(running.url)
        until(screen, "document.querySelector('#model').textContent.includes('needs a key')")
        screen.run("document.querySelector('#key').value = 'secret'")
        screen.run("document.querySelector('#key').dispatchEvent(new Event('change'))")
        until(screen, "document.querySelectorAll('.search').length === 2")
        assert screen.run("document.querySelector('#model').textContent") == "toy"


def test_it_can_be_used_by_keyboard_and_on_a_phone(
    screen: Page, running: Running, tmp_path: Path
) -> None:
    screen.call(
        "Emulation.setDeviceMetricsOverride",
        width=390,
        height=844,
        deviceScaleFactor=1,
        mobile=True,
    )
    screen.call(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    screen.open(running.url)
    until(screen, "document.querySelectorAll('.search').length === 2")
    screen.run("document.querySelector('#problem').focus()")
    screen.call("Input.insertText", text="12+30+7")
    for key, code in (("Tab", 9), ("Enter", 13)):
        extra = {"text": "\r"} if key == "Enter" else {}
        screen.call(
            "Input.dispatchKeyEvent",
            type="keyDown",
            key=key,
            code=key,
            windowsVirtualKeyCode=code,
            **extra,
        )
        screen.call(
            "Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code
        )
    until(screen, "document.querySelector('.status').textContent.startsWith('done')")
    assert screen.run("document.documentElement.scrollWidth <= innerWidth")
    screen.screenshot(tmp_path / "phone.png")
    screen.call("Emulation.clearDeviceMetricsOverride")
    screen.call("Emulation.setEmulatedMedia", features=[])
