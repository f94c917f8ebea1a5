"""Looks of lines: apart for every common colour vision, in greyscale, and without any colour."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from reasoner.benchmarks.plots.looks import (
    COLOURS,
    LEGIBLE,
    LOOKS,
    SPARE_COLOUR,
    Look,
    contrast,
    legible,
    looks,
    shades,
)
from reasoner.benchmarks.plots.style import FAINT, INK
from reasoner.registry import strategies

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
}
XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
PALETTE = [*COLOURS.values(), SPARE_COLOUR]


def linear(colour: str) -> np.ndarray:
    parts = np.array(to_rgb(colour))
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(colour: str, vision: str) -> np.ndarray:
    """Return a colour in CIELAB (D65), as somebody with that vision sees it."""
    xyz = XYZ @ np.clip(VISION[vision] @ linear(colour), 0, 1) / XYZ.sum(axis=1)
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize(
    ("vision", "least"), [("normal", 25), ("deuteranopia", 14), ("protanopia", 14)]
)
def test_colours_are_apart_for_every_common_vision(vision: str, least: float) -> None:
    seen = [lab(colour, vision) for colour in PALETTE]
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) >= least


def test_colours_are_apart_in_greyscale_and_on_white() -> None:
    light = sorted(lab(colour, "normal")[0] for colour in PALETTE)
    assert min(np.diff(light)) >= 4
    assert min(map(contrast, PALETTE)) > 2.2


def test_a_palette_that_is_not_is_noticed() -> None:
    red, green = (lab(colour, "deuteranopia") for colour in ("#D62728", "#7F7F00"))
    assert (
        np.linalg.norm(red - green)
        < 25
        < np.linalg.norm(lab("#D62728", "normal") - lab("#7F7F00", "normal"))
    )


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast("black") == pytest.approx(21)
    assert contrast("#767676") == pytest.approx(4.54, abs=0.01)
    assert contrast("#59AFEA") < LEGIBLE <= contrast(legible("#59AFEA"))


def test_all_text_can_be_read_on_white_and_on_the_band_of_its_line() -> None:
    every = [*LOOKS.values(), *shades(range(9)).values(), *looks(strategies.names()).values()]
    assert min(contrast(look.ink) for look in every) >= LEGIBLE
    assert min(contrast(INK), contrast(FAINT)) >= LEGIBLE
    assert all(contrast(legible(c, "#EEEEEE"), "#EEEEEE") >= LEGIBLE for c in PALETTE)


def test_every_strategy_of_a_figure_has_a_look_of_its_own_without_colour_too() -> None:
    styles = looks(strategies.names())
    assert len(set(styles.values())) == len(styles)
    shapes = {(look.marker, look.dash) for look in styles.values()}
    assert len(shapes) >= len(styles) - 1  # All but one, among far more than a figure holds.
    assert len({(look.marker, look.dash) for look in LOOKS.values()}) == len(LOOKS)


def test_a_spare_look_goes_to_one_name_whatever_the_order() -> None:
    styles = looks(["beam", "x", "beam(branch=2)", "x"])
    assert list(styles) == ["beam", "x", "beam(branch=2)"]
    assert styles["beam"] == LOOKS["beam"] and styles["x"] != styles["beam(branch=2)"]


def test_later_shades_are_darker_and_differ_in_shape() -> None:
    made = list(shades([1, 4, 16, 64]).values())
    dark = [contrast(look.colour) for look in made]
    assert dark == sorted(dark) and len({(x.marker, x.dash) for x in made}) == 4
    assert list(shades(["one"])) == ["one"] and isinstance(shades(["one"])["one"], Look)
