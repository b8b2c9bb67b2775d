"""Fonts for labels in any script, and labels that fit: matplotlib's own font, else the system's."""

from __future__ import annotations

import logging
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import ImageFont

logger = logging.getLogger(__name__)

_LIKELY = (
    *("notosanscjk", "sourcehansans", "pingfang", "hiragino", "msyh", "yugoth", "malgun"),
    *("applesdgothic", "wqy", "droidsansfallback", "meiryo", "simsun", "notosansarabic"),
    *("notosans-", "arialuni", "notoemoji", "symbola", "unifont", "notosans", "seguiemj"),
)
"""Parts of the names of files, in lower case, of fonts that are looked into first."""

_MOST_FONTS = 400
LONGEST_WORD = 24
"""Characters of a label without a space before its middle is left out."""

_told: set[str] = set()


@lru_cache(maxsize=256)
def font(
    size: int, *, bold: bool = False, text: str = ""
) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A sans-serif font for a label: that of matplotlib, or one of the system's that has the text.

    Arguments:
        size: Height of a line, in pixels.
        bold: Whether it is for a heading.
        text: What is to be drawn, as `drawable` gives it.
    """
    from PIL import ImageFont

    found = _font_file(text)
    if found:
        return ImageFont.truetype(found, size)
    return ImageFont.truetype(str(_own("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")), size)


def drawable(text: str) -> str:
    """A label as it can be drawn: the code point of each character that no font has."""
    lacking = _lacking(text, _characters(str(_own("DejaVuSans.ttf"))))
    if not lacking:
        return text
    text = "".join(c for c in text if c not in lacking or not _ignorable(c))
    found = _font_file(text)
    known = _characters(found or str(_own("DejaVuSans.ttf")))
    lacking = _lacking(text, known)
    return "".join(_code_point(c) if c in lacking else c for c in text)


def say_what_is_missing(labels: Iterable[str]) -> None:
    """One warning about the characters that no font on this machine has, in all of the labels."""
    own = _characters(str(_own("DejaVuSans.ttf")))
    missing: set[str] = set()
    for label in labels:
        lacking = {c for c in _lacking(label, own) if not _ignorable(c)}
        if lacking:
            text = "".join(c for c in label if not _ignorable(c))
            missing |= lacking & _lacking(text, _characters(_font_file(text) or ""))
    missing -= _told
    if missing:
        _told.update(missing)
        shown = sorted(missing)
        logger.warning(
            "No font on this machine has %s%s: figures show code points such as %s instead. "
            "Install a font that has them, for example Noto Sans CJK or Noto Emoji.",
            " ".join(shown[:10]),
            " and more" if len(shown) > 10 else "",
            _code_point(shown[0]),
        )


@contextmanager
def matplotlib_text(labels: Iterable[str] = ()) -> Iterator[None]:
    """Inside this context, matplotlib draws labels as they are: no formulas, and fonts that fit.

    Arguments:
        labels: What will be drawn, as `drawable` gives it.
    """
    import matplotlib

    families = ["DejaVu Sans"]
    families += [_family(path) for path in dict.fromkeys(map(_font_file, labels)) if path]
    with warnings.catch_warnings():
        # A legend that leaves no room for its figure is drawn all the same.
        warnings.filterwarnings("ignore", "constrained_layout not applied")
        with matplotlib.rc_context({"text.parse_math": False, "font.family": families}):
            yield


def shortened_label(text: str, most: int = LONGEST_WORD) -> str:
    """A label whose words have at most so many characters, their middle left out."""
    return " ".join(_without_middle(word, most) for word in text.split(" "))


def one_line(text: str, most: int = 2 * LONGEST_WORD) -> str:
    """A label of at most so many characters, on one line, its middle left out."""
    return _without_middle(shortened_label(" ".join(text.split())), most)


def _without_middle(text: str, most: int) -> str:
    """Both ends of a text: values that begin alike may differ at their end."""
    tail = (most - 1) // 2
    return text if len(text) <= most else f"{text[: most - 1 - tail]}…{text[-tail:]}"


def _own(name: str) -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name


def _lacking(text: str, known: frozenset[int]) -> set[str]:
    return {c for c in set(text) if ord(c) not in known and not c.isspace()}


def _ignorable(character: str) -> bool:
    """Whether a character only joins or varies its neighbours."""
    return unicodedata.category(character) == "Cf" or 0xFE00 <= ord(character) <= 0xFE0F


def _code_point(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:06x}"


@lru_cache(maxsize=4096)
def _font_file(text: str) -> str:
    """The system's font that has most of a text; "" where matplotlib's own has as much."""
    lacking = _lacking(text, _characters(str(_own("DejaVuSans.ttf"))))
    best, fewest = "", len(lacking)
    for path in _system_fonts() if lacking else ():
        left = len(_lacking(text, _characters(path)))
        if left < fewest and _can_be_drawn(path):
            best, fewest = path, left
            if not left:
                break
    return best


@cache
def _family(path: str) -> str:
    """The name under which matplotlib knows a font from now on."""
    from matplotlib import font_manager

    font_manager.fontManager.addfont(path)
    return font_manager.FontProperties(fname=path).get_name()


@cache
def _system_fonts() -> tuple[str, ...]:
    """Files of the system's fonts, those of many scripts first."""
    from matplotlib import font_manager

    def rank(path: str) -> tuple[int, str]:
        name = Path(path).name.casefold()
        return next((k for k, part in enumerate(_LIKELY) if part in name), len(_LIKELY)), name

    try:
        return tuple(sorted(font_manager.findSystemFonts(), key=rank)[:_MOST_FONTS])
    except Exception:  # a broken list of fonts is no reason to draw nothing
        return ()


@lru_cache(maxsize=_MOST_FONTS + 2)
def _characters(path: str) -> frozenset[int]:
    """The code points that a font has."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(path).get_charmap())
    except Exception:  # no font, or one of a format that FreeType does not know
        return frozenset()


@cache
def _can_be_drawn(path: str) -> bool:
    """Whether Pillow draws the font at any size: bitmap fonts, such as of emoji, it does not."""
    from PIL import ImageFont

    try:
        return bool(ImageFont.truetype(path, 15).getlength("a") >= 0)
    except Exception:
        return False
