"""Finished pieces of the benchmark: what was asked, what it cost, what was found.

Each piece is a JSON file. One that was asked the same is not made again, so that a benchmark can be
interrupted, and its pieces can be made one by one.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latentbloom.files import write_json


def finished(path: Path, asked: Mapping[str, Any]) -> dict[str, Any] | None:
    """What `keep` wrote, where the same was asked; None where the piece is still to be made.

    Arguments:
        path: The piece's file.
        asked: All that decides what comes out, as JSON can hold it.
    """
    piece = read_piece(path)
    same = piece is not None and piece["asked"] == json.loads(json.dumps(dict(asked)))
    return piece if same else None


def read_piece(path: Path) -> dict[str, Any] | None:
    """What `keep` wrote, whatever was asked; None where there is no piece that can be read."""
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
    """Write a piece, beside its place first, so that half of one is never taken for a whole.

    Arguments:
        path: Its file.
        asked: All that decides what came out.
        found: What came out; its keys stand beside "asked", "command" and "seconds".
        command: What made it.
        seconds: That it took.
    """
    piece = {"asked": dict(asked), "command": command, "seconds": round(seconds, 2), **found}
    write_json(path, piece)
    return piece


def this_command(module: str) -> str:
    """The command that runs: `python -m bench.peers ...` for the module "bench.peers"."""
    return shlex.join(["python", "-m", module, *sys.argv[1:]])
