"""The style of all figures: sizes, fonts, file formats, lengths of names, captions, saving."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal

from reasoner.files import replacing
from reasoner.printable import one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg")
Width = Literal["screen", "one-column", "two-column"]
INCHES = {"one-column": 3.35, "two-column": 7.0}
"""The widths of one column and of two in print (85 and 178 mm)."""
FONT_SIZES = {"screen": 9.5, "one-column": 7.0, "two-column": 7.5}
NAME, TITLE = 40, 60
"""The most characters of a label and of a title; longer ones would leave no room for the panels."""
INK, FAINT = "#222222", "#555555"
SMALL = 0.8
"""The size of small print, as a share of the text's."""
LETTER = 0.56
"""The mean width of a letter, as a share of its size."""
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # It comes with matplotlib: every machine draws the same figure.
    "text.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": "medium",
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.7,
    "svg.hashsalt": "reasoner",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # TrueType, which publishers ask for; Type 3 is the default.
    "text.parse_math": False,  # A `$` in a name is no formula.
}


def style(width: Width = "screen") -> dict[Any, Any]:
    """Return the settings of a figure, for `plt.rc_context`."""
    size = FONT_SIZES[width]
    thin = {} if width == "screen" else {"axes.linewidth": 0.6, "grid.linewidth": 0.5}
    return {**STYLE, "font.size": size, "figure.titlesize": size, **thin}


def shortened(text: str, limit: int) -> str:
    """Return `text` in one line, its middle left out where it is longer than `limit`."""
    line = one_line(text)
    half = limit // 2
    return line if len(line) <= limit else f"{line[: limit - half - 1]}…{line[-half:]}"


def footnote(figure: Figure, caption: str, size: float) -> float:
    """Write a caption at the foot of a figure, in lines as wide as it; return its height in inches."""
    size *= SMALL
    letters = int(72 * (figure.get_figwidth() - 0.2) / (LETTER * size))
    lines = wrap(one_line(caption), letters)
    height = 1.35 * size / 72
    figure.text(
        0.1 / figure.get_figwidth(), 0.06 / figure.get_figheight(), "\n".join(lines),
        fontsize=size, color=FAINT, va="bottom", linespacing=1.2,
    )  # fmt: skip
    return height * len(lines) + 0.06


def save(figure: Figure, paths: Iterable[Path]) -> None:
    """Write a figure to every path; the same figure is the same file."""
    dates = {".svg": "Date", ".pdf": "CreationDate"}
    for path in paths:
        metadata: dict[str, Any] = {dates[path.suffix]: None} if path.suffix in dates else {}
        with replacing(path) as part:
            figure.savefig(part, dpi=160, metadata=metadata)
