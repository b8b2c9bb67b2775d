"""What a run tells while it goes on: numbers for a file, and a bar or plain lines for people."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console

if TYPE_CHECKING:
    from rich.progress import Progress


class MetricsLog:
    """A file of JSON lines that only grows, and that a killed run cannot spoil.

    Each line is `{"kind": ..., "stage": ..., "images": ..., ...}`: kind "train"
    holds losses, "val" scores on held-out images, "phase" what begins there.

    Arguments:
        path: The file; it is made when the first line is written.
        enabled: False in every process but the first, which then write nothing.
    """

    def __init__(self, path: Path | str, enabled: bool = True) -> None:
        self.path = Path(path)
        self.enabled = enabled
        self._written: set[tuple[Any, ...]] = set()
        if enabled and self.path.exists():
            _drop_cut_line(self.path)

    def write(self, kind: str, stage: str, values: Mapping[str, Any]) -> None:
        """Append one line. Numbers that are not finite become null, which JSON can hold."""
        record = {"kind": kind, "stage": stage, **values}
        if not self.enabled or _key(record) in self._written:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        finite = {k: None if _is_not_finite(v) else v for k, v in record.items()}
        with self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(finite, allow_nan=False) + "\n")

    def truncate_after(self, images: int, stage: str) -> None:
        """Forget what a stage wrote after that many images, because it is about to come again.

        Lines at exactly that number are kept, and the same ones are not written a second time.
        """
        if not self.enabled or not self.path.exists():
            return
        kept = [
            record
            for record in read_metrics(self.path)
            if record.get("stage") != stage or record.get("images", 0) <= images
        ]
        temporary = self.path.with_name(f".{self.path.name}.new")
        lines = (json.dumps(record) + "\n" for record in kept)
        temporary.write_text("".join(lines), encoding="utf-8", newline="\n")
        os.replace(temporary, self.path)
        self._written = {
            _key(r) for r in kept if r.get("stage") == stage and r.get("images") == images
        }


def read_metrics(path: Path | str) -> list[dict[str, Any]]:
    """The lines of a metrics file, in order; a line that is cut or no JSON object is left out."""
    path = Path(path)
    if not path.exists():
        return []
    records = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            records.append(record)
    return records


class StageProgress:
    """A bar for a stage in a terminal; elsewhere a plain line now and then.

    Arguments:
        title: What the stage is called, for example "Autoencoder".
        console: Where to write; standard output when left out.
        interval: Seconds between two plain lines.
        enabled: False in every process but the first, which then write nothing.
        clock: Seconds, growing.
    """

    def __init__(
        self,
        title: str,
        console: Console | None = None,
        *,
        interval: float = 20.0,
        enabled: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.title = title
        self.console = console or Console()
        self.interval = interval
        self.enabled = enabled
        self.clock = clock
        self._bar: Progress | None = None
        self._next_line = -math.inf
        self._pending: str | None = None

    def __enter__(self) -> Self:
        if self.enabled and self.console.is_terminal and not self.console.is_dumb_terminal:
            from latentbloom.train.progress_bar import make_bar

            self._bar = make_bar(self.console, self.title)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        elif self._pending is not None:
            self._print(self._pending)
            self._pending = None

    def update(
        self,
        progress: float,
        images: int,
        images_per_second: float,
        losses: Mapping[str, float],
        seconds_left: float | None,
    ) -> None:
        """Show how far the stage is.

        Arguments:
            progress: Share of the stage that is done, 0 to 1.
            images: Images seen.
            images_per_second: Speed of late.
            losses: Name to value.
            seconds_left: Estimate, or None where there is none yet.
        """
        count, speed = f"{images:,} images", f"{images_per_second:,.0f} images/s"
        shown = {name: v for name, v in losses.items() if not name.endswith("_ramp")}
        numbers = "  ".join(f"{name.replace('_', ' ')} {v:.3g}" for name, v in shown.items())
        left = "" if seconds_left is None else f"{format_seconds(seconds_left)} left"
        if self._bar is not None:
            self._bar.update(
                self._bar.task_ids[0],
                completed=progress,
                count=count,
                speed=speed,
                left=left,
                numbers=numbers,
            )
            return
        parts = (self.title, f"{progress:4.0%}", count, speed, numbers, left)
        line = "  ".join(part for part in parts if part)
        if self.clock() < self._next_line:
            self._pending = line
            return
        self._next_line = self.clock() + self.interval
        self._pending = None
        self._print(line)

    def say(self, text: str) -> None:
        """A line that stays, above the bar."""
        self._print(f"{self.title}: {text}")

    def _print(self, line: str) -> None:
        if self.enabled:
            # soft_wrap: a log file's lines are not to be folded at 80 columns.
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def format_seconds(seconds: float) -> str:
    """Seconds as 0:07, 12:34 or 1:02:03."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _key(record: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(record.get(name) for name in ("kind", "stage", "images", "name"))


def _is_not_finite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _drop_cut_line(path: Path) -> None:
    """Remove what follows the last line end, so that the next line begins a line."""
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    if end < len(content):
        with path.open("r+b") as file:
            file.truncate(end)
