"""Links between the written pages, and the modules that the pages name."""

from __future__ import annotations

import re
import subprocess
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest

from tests import ROOT

PAGES = subprocess.run(
    ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.split()
DOCS = [page for page in PAGES if page.startswith("docs/")]


def text(page: str) -> str:
    """A page's text without its code blocks."""
    return re.sub(r"```.*?```", "", (ROOT / page).read_text(), flags=re.DOTALL)


def links(page: str) -> list[tuple[Path, str]]:
    """The files that a page links, each with the anchor in it."""
    targets = re.findall(r"\]\(([^)\s]+)\)", text(page))
    pairs = [target.partition("#")[::2] for target in targets if "://" not in target]
    here = ROOT / page
    return [((here.parent / path).resolve() if path else here, anchor) for path, anchor in pairs]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.*)", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for path, anchor in links(page):
        assert path.exists(), path
        assert not anchor or anchor in anchors(path), f"{path}#{anchor}"


@pytest.mark.parametrize("page", sorted({*DOCS} - {"docs/README.md"}))
def test_every_page_is_listed(page: str) -> None:
    folder = (ROOT / page).parent
    index = folder.parent if page.endswith("/README.md") else folder
    listed = [path for path, _ in links(str((index / "README.md").relative_to(ROOT)))]
    assert ROOT / page in listed


@pytest.mark.parametrize("page", PAGES)
def test_a_list_begins_after_an_empty_line(page: str) -> None:
    """Python-Markdown, which renders the site, sees no list elsewhere; GitHub does."""
    for line, item in pairwise(text(page).splitlines()):
        if re.match(r"([-*]|\d+\.) ", item):
            assert not line or re.match(r"([-*]|\d+\.) |  ", line), f"{page}: {item}"


def test_every_module_to_run_exists() -> None:
    for page in PAGES:
        for module in re.findall(r"python -m\s+(reasoner[\w.]*\w)", (ROOT / page).read_text()):
            assert find_spec(module), f"{page}: {module}"
