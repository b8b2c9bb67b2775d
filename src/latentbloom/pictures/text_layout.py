"""Labels broken into lines that fit a width."""

from __future__ import annotations

import math
from collections.abc import Iterator

from latentbloom.pictures.fonts import font

MOST_LINES = 4
"""Lines of the label of a column, and of a caption, at most."""


def extent(text: str, size: int, *, bold: bool = False) -> tuple[int, int]:
    """Width and height in pixels of a text of one or more lines."""
    if not text:
        return 0, 0
    lines = text.split("\n")
    letters = font(size, bold=bold, text=text)
    width = max(letters.getlength(line) for line in lines)
    return math.ceil(width), math.ceil(len(lines) * size * 1.28)


def line_height(size: int) -> int:
    """Height in pixels of one more line of a text."""
    return math.ceil(size * 1.28)


def first_lines(text: str, most: int) -> str:
    """A text of at most so many lines; where lines are left out, the last ends in "…"."""
    lines = text.split("\n")
    return text if len(lines) <= most else "\n".join(lines[:most]).rstrip(" ,") + " …"


def fitted(text: str, width: int, size: int) -> tuple[str, int]:
    """The text broken at spaces, and the font size (9 or more) at which it fits the width."""
    for smaller in range(size, 8, -1):
        broken = wrapped(text, smaller, width)
        if extent(broken, smaller)[0] <= width:
            return first_lines(broken, MOST_LINES), smaller
    return first_lines(wrapped(text, 9, width, anywhere=True), MOST_LINES), 9


def wrapped(text: str, size: int, width: int, *, bold: bool = False, anywhere: bool = False) -> str:
    """Break a text at spaces where it is too wide, and keep its own line breaks.

    A word that is wider than a line is broken only if `anywhere` is true.
    """
    done = []
    for line in text.split("\n"):
        parts: list[str] = []
        for word in _pieces(line, size, width, bold=bold) if anywhere else line.split():
            longer = f"{parts[-1]} {word}" if parts else word
            if parts and extent(longer, size, bold=bold)[0] <= width:
                parts[-1] = longer
            else:
                parts.append(word)
        done += parts
    return "\n".join(done)


def _pieces(line: str, size: int, width: int, *, bold: bool) -> Iterator[str]:
    """The words of a line, those that are too wide in pieces."""
    for word in line.split():
        rest = word
        while len(rest) > 1 and extent(rest, size, bold=bold)[0] > width:
            mean = extent(rest, size, bold=bold)[0] / len(rest)
            count = max(1, min(len(rest) - 1, int(width / mean)))
            while count > 1 and extent(rest[:count], size, bold=bold)[0] > width:
                count -= 1
            yield rest[:count]
            rest = rest[count:]
        yield rest
