"""The look of a line: colour, marker and dash, so that one of them tells lines apart where another does not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal, TypeVar

from matplotlib import colormaps
from matplotlib.colors import to_hex, to_rgb

from reasoner.benchmarks.store.grid import BEST, BESTS, COVERAGE, GREEDY, MAJORITY, WEIGHTED

Dash = Literal["-"] | tuple[float, tuple[float, ...]]
K = TypeVar("K")

COLOURS = {
    GREEDY: "#000000",
    MAJORITY: "#B56A19",
    BEST: "#3E518F",
    WEIGHTED: "#59AFEA",
    BESTS: "#4F1783",
    "beam": "#C963B2",
    "mcts": "#2D7A3E",
    "particle": "#B41A66",
    COVERAGE: "#949494",
}
"""Colours that are apart for people with deuteranopia or protanopia, and in greyscale."""
SPARE_COLOUR = "#712E18"
SOLID: Literal["-"] = "-"
LONG, SHORT, DOTTED = (0, (6, 1.5)), (0, (3, 1.2)), (0, (1, 1.2))
DOT_DASHED, DOUBLE_DOTTED = (0, (6, 1.5, 1, 1.5)), (0, (5, 1.2, 1, 1.2, 1, 1.2))
DASHES: tuple[Dash, ...] = (SOLID, LONG, SHORT, DOT_DASHED, DOUBLE_DOTTED, DOTTED)
LEGIBLE = 4.5
"""The least contrast of text (WCAG 2.2, success criterion 1.4.3)."""
PALEST = 0.7
"""The end of the colour map that a line on white may have."""


@dataclass(frozen=True, slots=True)
class Look:
    """Colour, marker and dash of a line; a hollow marker is white inside."""

    colour: str
    marker: str
    dash: Dash = SOLID
    hollow: bool = False

    @property
    def ink(self) -> str:
        """The colour of text about the line."""
        return legible(self.colour)


LOOKS = {
    GREEDY: Look(COLOURS[GREEDY], "X"),
    MAJORITY: Look(COLOURS[MAJORITY], "s", LONG),
    BEST: Look(COLOURS[BEST], "o"),
    WEIGHTED: Look(COLOURS[WEIGHTED], "D", SHORT),
    BESTS: Look(COLOURS[BESTS], "P", DOT_DASHED),
    "beam": Look(COLOURS["beam"], "^"),
    "mcts": Look(COLOURS["mcts"], "v", DOUBLE_DOTTED),
    "particle": Look(COLOURS["particle"], "*", LONG),
    COVERAGE: Look(COLOURS[COVERAGE], "", DOTTED),
}
SPARE_COLOURS = (SPARE_COLOUR, *(COLOURS[name] for name in ("mcts", BESTS, "beam", BEST, MAJORITY)))
SPARE_MARKERS = ("p", "h", "<", ">", "d", "8", "H")


def looks(names: Iterable[str]) -> dict[str, Look]:
    """Return a look for each name: its own, or a spare one that no other name has."""
    spare = map(_spare, count())
    return {name: LOOKS.get(name) or next(spare) for name in dict.fromkeys(names)}


def shades(keys: Sequence[K]) -> dict[K, Look]:
    """Return a look for each key of an ordered quantity, the later the darker."""
    steps = max(1, len(keys) - 1)
    markers = ("o", "s", "^", "D", *SPARE_MARKERS)
    return {
        key: Look(
            to_hex(colormaps["viridis"](PALEST * (1 - place / steps))),
            markers[place % len(markers)],
            DASHES[place % len(DASHES)],
        )
        for place, key in enumerate(keys)
    }


def contrast(colour: str, other: str = "white") -> float:
    """Return the contrast ratio of two colours, from 1 to 21 (WCAG 2.2)."""
    dark, light = sorted((_luminance(colour), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def legible(colour: str, background: str = "white") -> str:
    """Return `colour`, darkened as far as text on a light background needs."""
    red, green, blue = to_rgb(colour)
    for share in range(100, -1, -4):
        darker = to_hex((red * share / 100, green * share / 100, blue * share / 100))
        if contrast(darker, background) >= LEGIBLE:
            return darker
    return "#000000"


def _spare(place: int) -> Look:
    """Return a spare look: no two of the first 42 have the same marker and dash."""
    row, column = divmod(place, len(SPARE_MARKERS))
    return Look(
        SPARE_COLOURS[place % len(SPARE_COLOURS)],
        SPARE_MARKERS[column],
        DASHES[(row + column) % len(DASHES)],
    )


def _luminance(colour: str) -> float:
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), parts, strict=True))
