"""Command lines of this program, as messages, the report and the model card print them."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping

from latentbloom.words import visible

_PLAIN = re.compile(r"[A-Za-z0-9_.:/\\=+~-]+")
"""What neither PowerShell nor cmd.exe reads as anything but itself."""


def command_line(
    *words: object, cond: Mapping[str, str] | None = None, windows: bool | None = None
) -> str:
    """A command line that can be copied into a shell.

    Arguments:
        words: The words after `latentbloom`; each is quoted where a shell needs that.
        cond: Conditions to add, one `--cond NAME=VALUE` each.
        windows: Quote for PowerShell, not for a POSIX shell; None: where this is Windows.

    Returns:
        For example "latentbloom sample runs/a --cond 'species=blackberry lily'".
    """
    options = [w for name, value in (cond or {}).items() for w in ("--cond", f"{name}={value}")]
    quote = _for_powershell if (os.name == "nt" if windows is None else windows) else _for_posix
    return " ".join(quote(str(word)) for word in ("latentbloom", *words, *options))


def _for_posix(word: str) -> str:
    """Quoted for sh, bash and zsh; bytes that are no text as bash and zsh write them."""
    if not re.search("[\udc80-\udcff]", word):
        return shlex.quote(word)
    return "$'" + visible(word.replace("\\", r"\\").replace("'", r"\'")) + "'"


def _for_powershell(word: str) -> str:
    r"""Quoted for PowerShell, and where that is possible for cmd.exe, too.

    In single quotes nothing but the quote itself means something; PowerShell takes the curly ones
    for quotes, too. A double quote needs a backslash to reach the program.
    """
    if _PLAIN.fullmatch(word):
        return word
    if not re.search('["$`%!^\u2018-\u201f]', word) and not word.endswith("\\"):
        return f'"{word}"'
    word = re.sub(r'(\\*)"', r'\1\1\\"', word)
    word = re.sub(r"(\\+)$", r"\1\1", word) if " " in word else word
    return "'" + re.sub("(['\u2018-\u201b])", r"\1\1", word) + "'"
