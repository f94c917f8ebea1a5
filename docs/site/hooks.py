"""Hooks of MkDocs: the navigation follows the index pages, and links that GitHub understands lead to pages."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)([^)\s]*)\)")
"""A relative link: its path, and its anchor."""


def on_config(config: Any) -> None:
    """Replace each folder of the navigation by its index page and the pages that this links."""
    config.nav = [expanded(entry, Path(config.docs_dir)) for entry in config.nav]


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Lead links to a folder to its index page, and links to a notebook to its page."""
    here = Path(config.docs_dir, page.file.src_uri).parent
    return LINK.sub(lambda link: f"]({target(here, link[1])}{link[2]})", markdown)


def target(here: Path, path: str) -> str:
    """Return the page that stands for a folder or a notebook, or the path itself."""
    if path.endswith("/") and (here / path / "README.md").exists():
        return f"{path}README.md"
    return re.sub(r"\.ipynb$", ".md", path)


def expanded(entry: Any, pages: Path) -> Any:
    """Return an entry of the navigation with the pages of the folders in it."""
    match entry:
        case dict():
            return {title: expanded(inner, pages) for title, inner in entry.items()}
        case list():
            return [expanded(inner, pages) for inner in entry]
        case str() if entry.endswith("/"):
            return [f"{entry}README.md", *sections(entry, pages)]
        case _:
            return entry


def sections(folder: str, pages: Path) -> Iterator[Any]:
    """Yield the pages that a folder's index links, those under a heading as a section of their own."""
    first, *parts = re.split(r"(?m)^## ", (pages / folder / "README.md").read_text())
    yield from linked(first, folder)
    for heading, _, text in (part.partition("\n") for part in parts):
        if found := linked(text, folder):
            yield {heading.partition(":")[0]: found}


def linked(text: str, folder: str) -> list[str]:
    """Return the pages that a text links as a whole, without an anchor, each once."""
    paths = [path for path, anchor in LINK.findall(text) if path.endswith(".md") and not anchor]
    return list(dict.fromkeys(posixpath.normpath(posixpath.join(folder, path)) for path in paths))
