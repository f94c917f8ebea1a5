"""The built site: every link leads somewhere, it loads nothing from elsewhere, and its search finds (`make docs`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests import ROOT
from tests.browser import Page, browser

SITE = ROOT / "build" / "site"
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SITE.is_dir(), reason="`make docs` builds the site"),
]


class Elements(HTMLParser):
    """The addresses of a page that a browser loads or a reader follows, and its anchors."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.loaded, self.followed, self.anchors = set[str](), set[str](), set[str]()
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses of an element."""
        values = dict(attrs)
        self.anchors.add(values.get("id") or "")
        if address := values.get(LOADED.get(tag, "")):
            self.loaded.add(address)
        if tag == "a" and (address := values.get("href")):
            self.followed.add(address)


@pytest.fixture(scope="module")
def pages() -> dict[Path, Elements]:
    return {page: Elements(page) for page in SITE.rglob("*.html") if page.name != "404.html"}


def inside(page: Path, addresses: set[str]) -> Iterator[tuple[Path, str]]:
    """Yield the files, each with the anchor in it, that relative addresses name."""
    for address in addresses:
        if not re.match(r"\w+:|//", address):
            path, _, anchor = address.partition("#")
            yield (page.parent / unquote(path)).resolve() if path else page, unquote(anchor)


def test_every_link_and_every_picture_is_there(pages: dict[Path, Elements]) -> None:
    assert len(pages) > 100
    for page, elements in pages.items():
        for file, anchor in inside(page, elements.loaded | elements.followed):
            assert file.is_file(), f"{page}: {file}"
            assert not anchor or file not in pages or anchor in pages[file].anchors, (page, anchor)


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Elements]) -> None:
    for page, elements in pages.items():
        assert not [each for each in elements.loaded if re.match(r"(https?:)?//", each)], page
    for style in SITE.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//|@import", style.read_text()), style


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def opened(page: Page, name: str, width: int) -> None:
    """Open a page of the site as a file, in a window of a width."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    page.call("Emulation.setDeviceMetricsOverride", **size)
    page.open((SITE / name).as_uri())


NAMES = ("index.html", "docs/api.html", "docs/notebooks/equal-cost.html", "docs/statistics.html")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", NAMES)
def test_a_page_fits_its_window_and_asks_nobody(page: Page, name: str, width: int) -> None:
    opened(page, name, width)
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    requests = [event["request"]["url"] for event in page.named("Network.requestWillBeSent")]
    assert requests and not [url for url in requests if url.startswith(("http:", "https:"))]
    assert not page.named("Runtime.exceptionThrown")


SEARCH = """new Promise(resolve => {
  const field = document.querySelector("[data-md-component=search-query]");
  field.focus(); field.value = "over-optimisation"; field.dispatchEvent(new Event("keyup"));
  const look = () => {
    const links = [...document.querySelectorAll(".md-search-result__link")];
    links.length ? resolve(links.map(link => link.href)) : setTimeout(look, 100);
  };
  look();
})"""


@pytest.mark.timeout(60)
def test_the_search_finds_without_a_server(page: Page) -> None:
    opened(page, "index.html", 1280)
    assert any("glossary.html" in link for link in page.run(SEARCH))
