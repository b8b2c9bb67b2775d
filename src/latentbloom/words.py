"""Pieces of messages, text that can be shown, and when two spellings are one word."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence

_NUMBER = re.compile(r"([+-]?)(0|[1-9]\d*)(?:\.(\d*))?")


def spelling_key(text: str) -> str:
    """What all spellings of a value have in common.

    Equal for "Red", " red" and "RED", for an accented letter as one character and as two, and for
    "1", "1.0" and "+1".
    """
    folded = unicodedata.normalize("NFC", text).casefold()
    key = unicodedata.normalize("NFC", " ".join(folded.split()))
    number = _NUMBER.fullmatch(key)
    if number is None:
        return key
    sign, whole, fraction = number.groups()
    fraction = (fraction or "").rstrip("0")
    plain = f"{whole}.{fraction}" if fraction else whole
    return f"-{plain}" if sign == "-" and plain != "0" else plain


def close_matches(word: str, known: Iterable[str], *, most: int = 3) -> list[str]:
    """The known words that are spelled most like a word, the nearest first; case is ignored.

    Arguments:
        word: What was written.
        known: What could have been meant.
        most: Length of the result at most.
    """
    folded: dict[str, str] = {}
    for name in known:
        folded.setdefault(name.casefold(), name)
    close = difflib.get_close_matches(word.casefold(), list(folded), n=most, cutoff=0.6)
    return [folded[name] for name in close]


def did_you_mean(word: str, known: Iterable[str], *, most: int = 3) -> str:
    """A question such as " Did you mean smiling?", with a space in front; "" if nothing is close.

    Arguments: as in `close_matches`.
    """
    close = close_matches(word, known, most=most)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def plural(count: int, noun: str, more: str | None = None) -> str:
    """A number and its noun: "1 picture", "2,000 pictures".

    Arguments:
        count: How many.
        noun: For one of them.
        more: For several, where it is not the noun and "s".
    """
    return f"{count:,} {noun if count == 1 else more or noun + 's'}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """A list in a sentence: "a", "a and b", "a, b and c".

    Arguments:
        words: What to list.
        last: Word before the last one.
    """
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def shortened(words: Sequence[str], most: int = 3) -> str:
    """The first few of a list: "a, b, c and 12 more".

    Arguments:
        words: What to list.
        most: How many to name.
    """
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more:,} more" if more > 0 else "")


def clipped(text: str, most: int = 32) -> str:
    """A word of at most so many characters: a longer one is cut and ends in "…"."""
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


# Control characters, line separators, marks that turn the direction of reading, and surrogates:
# Python keeps the bytes of a file name that are no UTF-8 as U+DC80 to U+DCFF.
_ODD = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def visible(text: str) -> str:
    r"""Text that every terminal, file and web page can hold; what they cannot hold is spelled out.

    A line end becomes "\n", another control character "\x1b" or "\u0085", a byte of a file name
    that is no UTF-8 "\xe9". Text that was made visible once stays as it is.

    Arguments:
        text: Any text, for example a file's name.
    """
    return _ODD.sub(_spelled_out, text) if _ODD.search(text) else text


def _spelled_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return _SHORT.get(found[0]) or (f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}")
