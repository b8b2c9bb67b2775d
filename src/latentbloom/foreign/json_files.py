"""JSON that others may have written: bounded in bytes, depth and numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from latentbloom.foreign.bounds import ForeignError, check_bytes, check_place
from latentbloom.storage.user_files import read_text

MOST_BYTES = 256 << 20
"""Of one file: the list of pictures of a run on three million of them."""

MOST_DEPTH = 48
MOST_DIGITS = 40
"""Of a whole number; seeds have 20."""


def read_json(path: Path, *, folder: Path | None = None, most_bytes: int = MOST_BYTES) -> Any:
    """The content of a JSON file.

    Arguments:
        path: The file.
        folder: The folder that it must lie in; None where the user named the file.
        most_bytes: The largest file that is read.

    Raises:
        ForeignError: It is no JSON, or out of bounds; a kind of ValueError.
        OSError: It is missing or cannot be read.
    """
    if folder is not None:
        check_place(path, folder)
    check_bytes(path, most_bytes)
    try:
        text = read_text(path)
    except UnicodeDecodeError as error:
        raise ForeignError(f"is no UTF-8 text (byte {error.start})") from None
    return parse_json(text)


def parse_json(text: str) -> Any:
    """The value that a text means.

    Raises:
        ForeignError: It is no JSON, is nested too deeply, or holds a number that JSON does not
            have or that is out of bounds.
    """
    try:
        tree = _DECODER.decode(text)
    except RecursionError:
        raise ForeignError(_too_deep()) from None
    except json.JSONDecodeError as error:
        raise ForeignError(f"is cut short or is no JSON ({error})") from None
    _check_depth(tree)
    return tree


def _check_depth(tree: Any) -> None:
    level = [tree]
    for _ in range(MOST_DEPTH + 1):
        inside: list[Any] = []
        for node in level:
            if isinstance(node, dict):
                inside += [value for value in node.values() if isinstance(value, dict | list)]
            elif isinstance(node, list):
                inside += [value for value in node if isinstance(value, dict | list)]
        if not inside:
            return
        level = inside
    raise ForeignError(_too_deep())


def _too_deep() -> str:
    return f"is nested more than {MOST_DEPTH} levels deep"


def _whole_number(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ForeignError(f"holds a number of {len(text):,} digits; {MOST_DIGITS} are allowed")
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ForeignError(f"holds {text[:20]}, which is too large a number")
    return number


def _no_number(text: str) -> float:
    raise ForeignError(f"holds {text}, which is no JSON number")


_DECODER = json.JSONDecoder(parse_int=_whole_number, parse_float=_number, parse_constant=_no_number)
