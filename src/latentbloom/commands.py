"""Command lines of this program, as messages, the report and the model card print them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping


def command_line(*words: object, cond: Mapping[str, str] | None = None) -> str:
    """A command line that can be copied into a shell.

    Arguments:
        words: The words after `latentbloom`; each is quoted where a shell needs that.
        cond: Conditions to add, one `--cond NAME=VALUE` each.

    Returns:
        For example "latentbloom sample runs/a --cond 'species=blackberry lily'".
    """
    options = [w for name, value in (cond or {}).items() for w in ("--cond", f"{name}={value}")]
    return shlex.join(["latentbloom", *map(str, words), *options])
