"""metrics.jsonl: losses and scores of a run over time."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from latentbloom.foreign.json_files import parse_json
from latentbloom.storage.disk import append, step
from latentbloom.storage.files import write_atomic
from latentbloom.storage.user_files import read_text


class MetricsLog:
    """A growing file of JSON lines that a killed run cannot break.

    Each line is `{"kind": ..., "stage": ..., "images": ..., ...}`: kind "train"
    holds losses, "val" scores on held-out images, "phase" the name of a phase that begins.

    Arguments:
        path: The file; it is made when the first line is written.
        enabled: False in every process but the first, which then write nothing.
        on_line: Called with each line that is written.
    """

    def __init__(
        self,
        path: Path | str,
        enabled: bool = True,
        on_line: Callable[[Mapping[str, Any]], object] | None = None,
    ) -> None:
        self.path = Path(path)
        self.enabled = enabled
        self.on_line = on_line
        self._written: set[tuple[Any, ...]] = set()
        if enabled and self.path.exists():
            _drop_cut_line(self.path)

    def write(self, kind: str, stage: str, values: Mapping[str, Any]) -> None:
        """Append one line. Values that are not finite become null, as JSON requires."""
        record = {"kind": kind, "stage": stage, **values}
        if not self.enabled or _key(record) in self._written:
            return
        finite = {k: None if _is_not_finite(v) else v for k, v in record.items()}
        append(self.path, json.dumps(finite, allow_nan=False) + "\n")
        if self.on_line is not None:
            self.on_line(finite)

    def truncate_after(self, images: int, stage: str) -> None:
        """Remove what a stage wrote after that many images, because it will be written again.

        Lines at exactly that number are kept and not written a second time.
        """
        if not self.enabled or not self.path.exists():
            return
        kept = [
            record
            for record in read_metrics(self.path)
            if record.get("stage") != stage or record.get("images", 0) <= images
        ]
        write_atomic(self.path, "".join(json.dumps(record) + "\n" for record in kept))
        self._written = {
            _key(r) for r in kept if r.get("stage") == stage and r.get("images") == images
        }


def read_metrics(path: Path | str) -> list[dict[str, Any]]:
    """The lines of a metrics file, in order; a line that is cut or no JSON object is left out."""
    path = Path(path)
    if not path.is_file():
        return []
    records = []
    for line in read_text(path, errors="replace").splitlines():
        try:
            record = parse_json(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            records.append(record)
    return records


def _key(record: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(record.get(name) for name in ("kind", "stage", "images", "name"))


def _is_not_finite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _drop_cut_line(path: Path) -> None:
    """Remove what follows the last line end, so that the next line begins a line."""
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    if end < len(content):
        with step("write", path), path.open("r+b") as file:
            file.truncate(end)
