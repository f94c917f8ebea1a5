"""Figures of panels: their sizes on a screen and in print, their axes, and what stands below them."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log10

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from reasoner.benchmarks.plots.labels import MARGIN, Line, name_lines
from reasoner.benchmarks.plots.looks import Look
from reasoner.benchmarks.plots.style import FONT_SIZES, INCHES, NAME, Width, footnote, shortened
from reasoner.naming import base_names

PANEL = 4.7
"""Inches of a panel on a screen, with the room for its labels."""
RATIO = 0.74
"""The height of a panel, as a share of its width."""
LEFT, TOP, BOTTOM = 5.6, 2.4, 3.6
"""Room around a panel for its axes and its title, in letters' sizes."""
PERCENT = FuncFormatter(lambda share, _: f"{round(100 * share, 4):g}%")
SUBDIVISIONS = ((1, 2, 5), (1, 3), (1,))
"""Ticks of a decade."""
TICK = 4.2
"""The least distance of ticks, in letters' sizes."""


def panels(
    rows: int, columns: int, width: Width = "screen", panel: float = PANEL
) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure with rows of panels, each `panel` inches wide on a screen.

    In one column of print each panel is a row of its own.
    """
    across = 1 if width == "one-column" else columns
    down = rows * columns // across
    inches = INCHES.get(width, panel * across)
    pitch, em = inches / across, FONT_SIZES[width] / 72
    wide = pitch * (1 - MARGIN) - LEFT * em
    high = RATIO * wide
    height = down * (high + (TOP + BOTTOM) * em)
    figure = plt.figure(figsize=(inches, height))
    places = [
        (column * pitch + LEFT * em, height - (row + 1) * (high + TOP * em) - row * BOTTOM * em)
        for row in range(down)
        for column in range(across)
    ]
    axes = [
        figure.add_axes((x / inches, y / height, wide / inches, high / height)) for x, y in places
    ]
    return figure, [axes[i : i + columns] for i in range(0, len(axes), columns)]


def draw_line(axes: Axes, line: Line, low: Sequence[float], high: Sequence[float]) -> None:
    """Draw a line with its band, or a point with its interval."""
    look = line.look
    size = {"*": 1.7, "P": 1.25, "X": 1.25}.get(look.marker, 1.0) * 0.42 * _size(axes)
    face = "white" if look.hollow else look.colour
    axes.plot(
        line.x, line.y, color=look.colour, linestyle=look.dash, lw=0.17 * _size(axes), label=line.name,
        marker=look.marker, ms=size, markerfacecolor=face, markeredgewidth=0.7, zorder=3,
    )  # fmt: skip
    if len(line.x) > 1:
        axes.fill_between(line.x, low, high, color=look.colour, alpha=0.1, lw=0)
    else:
        axes.vlines(line.x, low, high, color=look.colour, alpha=0.5, lw=1.5)


def finish(figure: Figure, lines: Sequence[tuple[Axes, Sequence[Line]]], caption: str) -> None:
    """Name the lines beside them, those without room in a legend below, and write the caption."""
    size = _size(lines[0][0])
    margins = [_margin(axes) for axes, _ in lines]
    unnamed = [
        line
        for (axes, named), margin in zip(lines, margins, strict=True)
        for line in name_lines(axes, named, margin)
    ]
    keys = {line.name: line.look for line in unnamed}
    columns = max(1, int(72 * figure.get_figwidth() / (size * 15)))
    legend = 1.5 * size / 72 * ceil(len(keys) / columns)
    foot = footnote(figure, caption, size) if caption else 0.0
    _raise_panels(figure, legend + foot)
    if keys:
        figure.legend(
            handles=[_key(name, look) for name, look in keys.items()], ncols=columns, loc="lower left",
            bbox_to_anchor=(0, foot / figure.get_figheight()), frameon=False, borderpad=0.2,
            fontsize=0.9 * size, handlelength=3, labelspacing=0.3,
        )  # fmt: skip


def logarithmic(axis: Axis, inches: float, unit: str = "") -> None:
    """Have a logarithmic axis, with as many ticks as there is room for."""
    low, high = axis.get_view_interval()
    size = axis.axes.get_figure() and _size(axis.axes)
    room = inches / (TICK * float(size or 10) / 72)
    decades = max(1e-9, log10(high / low))
    finest = next((s for s in SUBDIVISIONS if len(s) * decades <= room), (1,))
    axis.set_major_locator(LogLocator(subs=finest, numticks=max(2, int(room))))
    axis.set_major_formatter(EngFormatter(sep="", unit=unit))
    axis.set_minor_locator(NullLocator())


def wide(axes: Axes) -> float:
    """Return the width of a panel in inches."""
    figure = axes.get_figure()
    assert figure is not None
    return float(axes.get_window_extent().width / figure.dpi)


def shares(axes: Axes, low: float, high: float) -> None:
    """Have a vertical axis of percentages that leaves little room below `low` and above `high`."""
    low, high = min(low, high - 0.02), max(high, low + 0.02)
    room = 0.05 * (high - low)
    axes.set_ylim(max(low - room, -0.02 * high), min(high + room, 1 + 0.03 * (1 - low)))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(PERCENT)


def _margin(axes: Axes) -> float:
    """Return the room right of a panel that its labels may take, in points."""
    size = LEFT * _size(axes) / 72
    return 72 * MARGIN * (wide(axes) + size) / (1 - MARGIN)


def _raise_panels(figure: Figure, inches: float) -> None:
    """Add room below the panels, which keep their size."""
    before = figure.get_figheight()
    after = before + inches
    places = [(axes, axes.get_position()) for axes in figure.axes]
    figure.set_figheight(after)
    for axes, at in places:
        axes.set_position(
            (at.x0, (at.y0 * before + inches) / after, at.width, at.height * before / after)
        )
    for text in figure.texts:
        text.set_y(text.get_position()[1] * before / after)


def _key(name: str, look: Look) -> Line2D:
    face = "white" if look.hollow else look.colour
    return Line2D(
        [], [], color=look.colour, linestyle=look.dash, marker=look.marker, markerfacecolor=face,
        lw=1.5, ms=4, label=shortened(base_names(name), NAME),
    )  # fmt: skip


def _size(axes: Axes) -> float:
    """Return the size of a figure's text, in points."""
    return float(axes.xaxis.label.get_fontsize())


def geometric_limits(values: Sequence[float], room: float = 0.04) -> tuple[float, float]:
    """Return limits of a logarithmic axis around positive `values`."""
    low, high = min(values), max(values)
    if low == high:  # One place has no width.
        return low / 2, high * 2
    space = np.log(high / low) * room
    return float(low * np.exp(-space)), float(high * np.exp(space))
