"""Every strategy has its page, with a picture, every verifier one, and every public name an entry; indexes list them."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

import reasoner
from reasoner.registry import Registry, strategies, verifiers
from tests import ROOT

PAGES = ROOT / "docs" / "strategies"
INDEX = (PAGES / "README.md").read_text()
VERIFIERS = PAGES.parent / "verifiers"
LINKS = dict(
    re.findall(r"\[([a-z0-9.-]+)\]\(([^)#]+)[^)]*\)", (VERIFIERS / "README.md").read_text())
)


def built_in(registry: Registry) -> list[str]:
    """The names that no plugin brought."""
    return [n for n in registry.names() if registry.load(n).__module__.startswith("reasoner.")]


def explained(page: str) -> set[str]:
    """The settings that a page's tables explain."""
    rows = re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
    return {setting for row in rows for setting in re.findall(r"`(\w+)`", row)}


BUILT_IN = built_in(strategies)


@pytest.mark.parametrize("name", BUILT_IN)
def test_page(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text()
    assert page.startswith(f"# {name}\n")
    assert f"![A tree it grew]({name}.svg)" in page
    assert (PAGES / f"{name}.svg").stat().st_size
    assert f"| [{name}]({name}.md) |" in INDEX
    assert "(to be written" not in page + INDEX


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_setting_is_explained(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text()
    assert {f.name for f in fields(strategies.load(name))} <= explained(page)


def test_the_index_lists_nothing_else() -> None:
    assert set(re.findall(r"^\| \[([a-z-]+)\]", INDEX, re.MULTILINE)) == set(BUILT_IN)


@pytest.mark.parametrize("name", built_in(verifiers))
def test_every_verifier_is_explained(name: str) -> None:
    page = (VERIFIERS / LINKS[name]).read_text()
    assert f"`{name}`" in page or page.startswith(f"# {name}\n")
    assert {f.name for f in fields(verifiers.load(name))} <= explained(page)


def test_every_public_name_is_in_the_reference() -> None:
    page = (PAGES.parent / "api.md").read_text()
    assert sorted(re.findall(r"^::: reasoner\.(\w+)$", page, re.MULTILINE)) == reasoner.__all__
