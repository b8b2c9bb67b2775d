"""The colours of all figures.

The categories are the set of Okabe and Ito (2008), which colour-blind readers can tell apart,
reordered so that the first few also differ in lightness.
"""

from __future__ import annotations

from collections.abc import Sequence

INK = "#1f2a33"
MUTED = "#6b7884"
FAINT = "#dfe4e8"
PAPER = "#ffffff"
ACCENT = "#2f6f9f"
SECOND = "#c8692b"
BAND = "#f1f4f6"

CATEGORIES = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#8a7a00",
    "#5b4b8a",
    "#7f7f7f",
    "#a0522d",
)

_NAMED = {
    "red": "#d62f2f",
    "orange": "#ee7f0e",
    "yellow": "#d9b400",
    "green": "#2e8b2e",
    "blue": "#2f6fd0",
    "purple": "#7b3fb5",
    "pink": "#e377b0",
    "brown": "#8b5a2b",
    "white": "#b3bcc4",
    "black": "#4a5058",
}
"""Colours of classes that are named after colours; white and black are visible on any paper."""


def class_colours(values: Sequence[str]) -> list[str]:
    """A colour for each class: its own if all are names of colours, else a category or a hue."""
    if all(value in _NAMED for value in values):
        return [_NAMED[value] for value in values]
    count = len(values)
    if count <= len(CATEGORIES):
        return list(CATEGORIES[:count])
    import colorsys

    # Neighbouring hues differ in lightness, too.
    colours = [
        colorsys.hls_to_rgb(k / count, (0.38, 0.55, 0.68)[k % 3], 0.65) for k in range(count)
    ]
    return ["#" + "".join(f"{round(255 * c):02x}" for c in colour) for colour in colours]
