"""The picture of a diagnosis: the same numbers are the same file, and what is missing is said."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from reasoner.benchmarks.analysis.calibration import Bin, Reliability
from reasoner.benchmarks.analysis.selection import Selection
from reasoner.benchmarks.analysis.step_metrics import Depth
from reasoner.benchmarks.analysis.verifier_quality import Quality, StepQuality
from reasoner.benchmarks.plots import verifier as reliability
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.errors import StoreError


def about(value: float) -> Estimate:
    """An interval of ten points around a value."""
    return Estimate(value=value, low=max(0.0, value - 0.05), high=min(1.0, value + 0.05))


def quality(*, labelled: bool = True) -> Quality:
    """A verifier that is a little overconfident and does well."""
    bins = tuple(Bin(size=10, score=i / 4, right=about(0.8 * i / 4)) for i in range(5))
    diagram = Reliability(size=50, right=0.4, ece=0.1, bins=bins)
    depths = tuple(
        Depth(depth=i, steps=50, right=0.5, auc=about(0.8 + i / 50)) for i in range(1, 6)
    )
    steps = StepQuality(
        steps=250, right=0.5, auc=about(0.9), by_depth=depths, first_error=None, reliability=diagram
    )
    sizes = tuple(
        Selection(
            n=n, score=0.5 + n / 40, best_of_n=about(0.5 + n / 40), weighted=about(0.5 + n / 45),
            majority=about(0.5), coverage=about(0.6 + n / 45), gain=about(0.1), gap_closed=None,
        )
        for n in (1, 2, 4, 8, 16)
    )  # fmt: skip
    return Quality(
        task="dagmath" if labelled else "words", split="dev", verifier="verdict", problems=9, failed=0,
        samples=16, finished=1.0, malformed=0, verifier_tokens=0, verifier_flops=0, auc=about(0.9),
        reliability=diagram, steps=steps if labelled else None, sizes=sizes, agreement=None,
        over_optimisation=None,
    )  # fmt: skip


def test_a_long_name_leaves_the_panels_their_room(tmp_path: Path) -> None:
    data = f"jsonl(data='{'/long' * 60}')"
    long = quality().model_copy(update={"task": data})
    _, svg = reliability.draw(
        [long], tmp_path
    )  # A layout that fails is a warning, and so an error.
    assert "jsonl(data" in svg.read_text() and data not in svg.read_text()
    (tmp_path / "short").mkdir()
    _, short = reliability.draw([quality()], tmp_path / "short")
    panel = re.compile(r'id="patch_2">\s*<path d="([^"]*)"')
    assert panel.findall(svg.read_text()) == panel.findall(short.read_text()) != []


def test_the_same_diagnosis_is_the_same_picture(tmp_path: Path) -> None:
    files = list[str]()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        png, svg = reliability.draw(
            [quality(), quality(labelled=False)], tmp_path / name, "made here"
        )
        assert png.read_bytes().startswith(b"\x89PNG") and png.stat().st_size > 20_000
        files.append(svg.read_text())
    assert files[0] == files[1]
    assert ET.fromstring(files[0]).tag.endswith("svg")
    for told in ("dagmath", "words", "verdict", "ECE 0.100", "best-of-n", "pass@N", "made here"):
        assert told in files[0]
    assert files[0].count("no labelled steps") == 2


def test_every_bin_and_every_depth_is_in_it(tmp_path: Path) -> None:
    _, svg = reliability.draw([quality()], tmp_path)
    assert "no labelled steps" not in svg.read_text()
    assert "AUC over all 0.900" in svg.read_text()


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot write"):
        reliability.draw([quality()], tmp_path / "file")
