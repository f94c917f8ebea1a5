"""The notebooks run as they stand, and print what their files say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests import ROOT
from tests.needs import need

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
need("ipykernel")

FOLDER = ROOT / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def shown(notebook: Any) -> list[list[str]]:
    """The outputs of each cell: texts, and the kinds of what is not text."""
    return [
        [output_of(each) for each in joined(cell.get("outputs", []))] for cell in notebook.cells
    ]


def joined(outputs: list[Any]) -> list[Any]:
    """Outputs, with what was printed at several moments as one."""
    printed = "".join(each.text for each in outputs if each.output_type == "stream")
    others = [each for each in outputs if each.output_type != "stream"]
    return [nbformat.v4.new_output("stream", text=printed)] * bool(printed) + others


def output_of(output: Any) -> str:
    """An output as text; pictures in points are not compared, since versions of Matplotlib draw differently."""
    if output.output_type == "stream":
        return str(output.text)
    return next((str(output.data[kind]) for kind in ("image/svg+xml",) if kind in output.data), "")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_prints_what_its_file_says(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    stored = nbformat.read(path, as_version=4)
    again = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(again, timeout=90, resources={"metadata": {"path": FOLDER}}).execute()
    assert shown(again) == shown(stored)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_listed_and_names_no_machine(path: Path) -> None:
    assert f"({path.name})" in (FOLDER / "README.md").read_text()
    text = path.read_text()
    assert not re.search(r"/(home|root|work|tmp)/|127\.0\.0\.1:\d", text)
    assert '"output_type": "error"' not in text and "execute_time" not in text
    assert '"execution_count": 1,' in text  # Executed, once, from the top.
