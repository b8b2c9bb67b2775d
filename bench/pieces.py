"""Results of the benchmark as JSON files: the request, its cost, and what was found.

A result of the same request is not made again, so that a benchmark can be interrupted, and its
parts can be made one by one.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latentbloom.storage.files import write_json


def finished(path: Path, asked: Mapping[str, Any]) -> dict[str, Any] | None:
    """What `keep` wrote for the same request; None where there is no such result.

    Arguments:
        path: The file.
        asked: The request: everything that decides the result, in types that JSON knows.
    """
    piece = read_piece(path)
    same = piece is not None and piece["asked"] == json.loads(json.dumps(dict(asked)))
    return piece if same else None


def read_piece(path: Path) -> dict[str, Any] | None:
    """What `keep` wrote for any request; None where there is nothing that can be read."""
    try:
        piece = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(piece, dict) and {"asked", "command", "seconds"} <= piece.keys()
    return piece if whole else None


def keep(
    path: Path,
    asked: Mapping[str, Any],
    found: Mapping[str, Any],
    *,
    command: str,
    seconds: float,
) -> dict[str, Any]:
    """Write a result, atomically.

    Arguments:
        path: The file.
        asked: The request: everything that decides the result.
        found: The result; its keys stand beside "asked", "command" and "seconds".
        command: The command that made it.
        seconds: Its duration.
    """
    piece = {"asked": dict(asked), "command": command, "seconds": round(seconds, 2), **found}
    write_json(path, piece)
    return piece


def this_command(module: str) -> str:
    """The current command, for example `python -m bench.peers ...` for "bench.peers"."""
    return shlex.join(["python", "-m", module, *sys.argv[1:]])
