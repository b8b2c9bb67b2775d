"""Names of factors, and the order of names."""

from __future__ import annotations

import re
import unicodedata

from natsort import natsort_keygen, ns

NO_YES = ("no", "yes")

_natural = natsort_keygen(alg=ns.IGNORECASE)


def natural_key(text: str) -> tuple[object, str]:
    """Sort key under which "class2" comes before "class10"; case is ignored.

    No two texts have the same key.
    """
    return _natural(text), text


def composed(text: str) -> str:
    """Text without space around it, each accented letter as one character.

    macOS stores an accented letter in file names as two characters, the letter and its accent,
    and a keyboard types one: both look the same.
    """
    return unicodedata.normalize("NFC", text.strip())


def factor_name(text: str, default: str = "label") -> str:
    """A name that can be typed as NAME=VALUE: letters, digits and "_", in lower case."""
    return re.sub(r"\W+", "_", composed(text).casefold()).strip("_") or default
