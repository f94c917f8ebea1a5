"""One command writes every place that names a built-in strategy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reasoner.benchmarks.studies.document_strategy import document, exported
from reasoner.errors import ConfigError
from reasoner.registry import strategies
from tests import ROOT

PLACES = ("docs/components.md", "docs/strategies/README.md", "search/__init__.py")
SCRIPTED = ("--model", "scripted")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository that does not name `beam` yet."""
    for place in PLACES:
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / place, path)
    forget(tmp_path / PLACES[0], " `beam`,", "")
    [row] = [s for s in (tmp_path / PLACES[1]).read_text().splitlines(True) if "| [beam]" in s]
    forget(tmp_path / PLACES[1], row, "")
    forget(tmp_path / PLACES[2], "    from reasoner.search.beam import Beam as Beam\n", "")
    return tmp_path


def forget(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_every_place_names_it(checkout: Path) -> None:
    document("beam", checkout, SCRIPTED)
    page = (checkout / "docs/strategies/beam.md").read_text()
    assert page.startswith("# beam\n")
    assert "| `lookahead` | 0 | (to be written) | (to be written) |" in page
    assert (checkout / "docs/strategies/beam.svg").read_text().startswith("<?xml")
    assert "| [beam](beam.md) | " in (checkout / "docs/strategies/README.md").read_text()
    assert ", `beam` |\n" in (checkout / "docs/components.md").read_text()
    package = (checkout / "search/__init__.py").read_text()
    assert package == (ROOT / "search/__init__.py").read_text()


def test_nothing_is_written_twice(checkout: Path) -> None:
    document("beam", checkout, SCRIPTED)
    (checkout / "docs/strategies/beam.md").write_text("by hand")
    before = {p: p.read_bytes() for p in checkout.rglob("*") if p.is_file()}
    document("beam", checkout, SCRIPTED)
    assert before == {p: p.read_bytes() for p in checkout.rglob("*") if p.is_file()}


def test_what_it_needs(tmp_path: Path, checkout: Path) -> None:
    with pytest.raises(ConfigError, match="is not the repository"):
        document("beam", tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=r"add its line to reasoner/registry\.py"):
        document("beem", checkout)


def test_type_checkers_know_every_strategy() -> None:
    package = (ROOT / "search/__init__.py").read_text()
    assert package == exported(package, strategies.builtin)
