"""How far a stage is: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.text import Text

from latentbloom.notebook import NotebookBar, in_notebook

_REDRAW = 0.5
"""Seconds between two states of the bar in a notebook."""


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
        self._notebook_bar: NotebookBar | None = None
        self._next_line = -math.inf
        self._pending: str | None = None
        self._share = 0.0

    def __enter__(self) -> Self:
        if self.enabled and self.console.is_terminal and not self.console.is_dumb_terminal:
            self._bar = _make_bar(self.console, self.title)
            self._bar.start()
        elif self.enabled and not self.console.quiet and in_notebook():
            self._notebook_bar = NotebookBar(self.title)
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
        elif self._notebook_bar is not None:
            if self._pending is not None:
                self._notebook_bar.update(self._share, self._pending)
            self._notebook_bar = self._pending = None
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
        in_bar = self._notebook_bar is not None
        head = () if in_bar else (self.title, f"{progress:4.0%}")
        line = "  ".join(part for part in (*head, count, speed, numbers, left) if part)
        self._share = progress
        if self.clock() < self._next_line:
            self._pending = line
            return
        self._pending = None
        if self._notebook_bar is not None:
            self._next_line = self.clock() + _REDRAW
            self._notebook_bar.update(progress, line)
            return
        self._next_line = self.clock() + self.interval
        self._print(line)

    def say(self, text: str) -> None:
        """A line that stays, above the bar."""
        self._print(f"{self.title}: {text}")

    def _print(self, line: str) -> None:
        if self.enabled:
            # soft_wrap: a log file's lines are not to be folded at 80 columns.
            self.console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)


def format_seconds(seconds: float) -> str:
    """Seconds as 0:07, 12:34 or 1:02:03."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class _StageBar(Progress):
    """A progress bar whose losses have a line of their own, so that 80 columns are enough."""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            yield Text(
                f"  {task.fields['numbers']}", style="dim", overflow="ellipsis", no_wrap=True
            )


def _make_bar(console: Console, title: str) -> Progress:
    """A bar with one task, from 0 to 1, whose fields are count, speed, left and numbers."""
    bar = _StageBar(
        TextColumn("{task.description}", style="bold"),
        BarColumn(bar_width=20),
        TaskProgressColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[count]}"),
        TextColumn("{task.fields[speed]}"),
        TextColumn("{task.fields[left]}", style="cyan"),
        console=console,
        refresh_per_second=2,  # drawing takes a little of the cores that train
    )
    bar.add_task(title, total=1.0, count="", speed="", left="", numbers="")
    return bar
