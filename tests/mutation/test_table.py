"""Every mutant applies to the source, and names tests that are there."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests import ROOT
from tests.mutation.table import MUTANTS, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_a_mutant_applies_and_parses(mutant: Mutant) -> None:
    changed = mutant.applied(ROOT)
    assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse((ROOT / mutant.file).read_text()))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_its_tests_are_there(mutant: Mutant) -> None:
    for test in mutant.tests:
        file, _, name = test.partition("::")
        text = (ROOT / file).read_text()
        assert f"def {name.partition('[')[0]}(" in text if name else "def test_" in text


def test_no_name_is_given_twice() -> None:
    assert max(Counter(m.name for m in MUTANTS).values()) == 1


def test_a_text_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\ny = 1\n")
    with pytest.raises(ValueError, match=r"'1' occurs 2 times in a\.py"):
        Mutant("twice", "a.py", "1", "2", ()).applied(tmp_path)
