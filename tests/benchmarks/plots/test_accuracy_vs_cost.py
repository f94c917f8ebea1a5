"""The figure of accuracy against cost: on a screen, in one column and in two, with names, not paths."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from reasoner.benchmarks.analysis.curves import Point
from reasoner.benchmarks.plots import gain_at_equal_cost as forest
from reasoner.benchmarks.plots.accuracy_vs_cost import ERROR_RATE, draw
from reasoner.benchmarks.plots.panels import panels
from reasoner.benchmarks.plots.style import INCHES, Width
from reasoner.benchmarks.plots.titles import titles

ACCURACY = {"majority": (0.3, 0.4, 0.5), "best-of-n": (0.3, 0.6, 1.0), "greedy": (0.5,)}


def points(task: str = "sums") -> list[Point]:
    """Return a small benchmark of a hundred problems."""
    return [
        Point.model_validate(
            {"task": task, "strategy": name, "verifier": None, "n": 4**i, "budget": None}
            | {"problems": 100, "accuracy": share, "ci_low": share - 0.05}
            | {"ci_high": min(1, share + 0.05), "generated_tokens": 50 * 4**i, "flops": 7e9 * 4**i}
            | dict.fromkeys(("prompt_tokens_fresh", "prompt_tokens_cached", "verifier_tokens"), 0)
            | dict.fromkeys(("seconds", "seconds_median", "seconds_p95"), 1)
        )
        for name, shares in ACCURACY.items()
        for i, share in enumerate(shares)
    ]


@pytest.mark.parametrize("width", ["one-column", "two-column"])
def test_widths_are_those_of_print(width: Width, tmp_path: Path) -> None:
    [svg] = draw(points(), tmp_path, "made here", formats=["svg"], width=width)
    root = ET.fromstring(svg.read_text())
    assert root.get("width") == f"{72 * INCHES[width]:g}pt"
    assert all(name in svg.read_text() for name in (*ACCURACY, "made here"))


def test_fonts_are_embedded_as_truetype(tmp_path: Path) -> None:
    [pdf] = draw(points(), tmp_path, formats=["pdf"])
    blob = pdf.read_bytes()
    assert b"/FontFile2" in blob and b"/CIDFontType2" in blob
    assert b"/Type3" not in blob and b"CreationDate" not in blob


def test_errors_on_a_logarithmic_axis(tmp_path: Path) -> None:
    [svg] = draw(points(), tmp_path, formats=["svg"], measure=ERROR_RATE)
    assert "error rate" in svg.read_text() and ">50%<" in svg.read_text()
    [none] = [p for p in points() if p.accuracy == 1]
    assert ERROR_RATE.of(none)[0] == pytest.approx(0.005)


def test_the_axis_uses_its_space(tmp_path: Path) -> None:
    high = [
        p.model_copy(update={"accuracy": 0.9, "ci_low": 0.88, "ci_high": 0.92}) for p in points()
    ]
    [svg] = draw(high, tmp_path, formats=["svg"])
    assert ">90%<" in svg.read_text() and ">50%<" not in svg.read_text()


def test_titles_are_names(tmp_path: Path) -> None:
    task = "jsonl(data='/home/somebody/private/words.jsonl')"
    [svg] = draw(points(task), tmp_path, formats=["svg"])
    assert "jsonl: words  (100 test problems)" in svg.read_text()
    assert "somebody" not in svg.read_text()
    gym = "reasoning-gym(dataset='gsm_symbolic', form='hashes')"
    assert titles([gym, "gsm8k(data='gsm8k_test.jsonl')"]) == {
        gym: "reasoning-gym: gsm_symbolic",
        "gsm8k(data='gsm8k_test.jsonl')": "gsm8k",
    }
    hard, easy = "countdown(numbers=5)", "countdown(numbers=3)"
    assert titles([hard, easy]) == {hard: hard, easy: easy}


@pytest.mark.parametrize("width", ["screen", "one-column", "two-column"])
def test_labels_take_at_most_a_sixth_of_the_width(width: Width) -> None:
    figure, grid = panels(1, 2, width)
    across = 1 if width == "one-column" else 2
    for axes in grid[0]:
        pitch = 1 / across
        column = int(axes.get_position().x0 / pitch)
        right = (column + 1) * pitch - axes.get_position().x1
        assert right == pytest.approx(pitch / 6, abs=1e-6)
    assert figure.get_figwidth() == pytest.approx(INCHES.get(width, 9.4))


def test_differences_have_a_real_minus_sign() -> None:
    assert [forest.signed_points(x) for x in (-0.3, 0, 0.125, -1e-9)] == [
        "\u221230",
        "0",
        "+12.5",
        "0",
    ]
