"""Every strategy has its page, with a picture, and the index lists it."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from reasoner.registry import strategies

PAGES = Path(__file__).parent.parent / "docs" / "strategies"
INDEX = (PAGES / "README.md").read_text()
BUILT_IN = [n for n in strategies.names() if strategies.load(n).__module__.startswith("reasoner.")]


@pytest.mark.parametrize("name", BUILT_IN)
def test_page(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text()
    assert page.startswith(f"# {name}\n")
    assert f"![A tree it grew]({name}.svg)" in page
    assert (PAGES / f"{name}.svg").stat().st_size
    assert f"| [{name}]({name}.md) |" in INDEX


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_setting_is_explained(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text()
    settings = {f.name for f in fields(strategies.load(name))}
    told = {
        s
        for row in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
        for s in re.findall(r"`(\w+)`", row)
    }
    assert settings <= told


def test_the_index_lists_nothing_else() -> None:
    assert set(re.findall(r"^\| \[([a-z-]+)\]", INDEX, re.MULTILINE)) == set(BUILT_IN)
