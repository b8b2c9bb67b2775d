"""Progress of scoring: a bar for each part in a terminal, else a line for each finished part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from latentbloom.evaluate.features.extractor import Progress


@contextmanager
def shown_on(console: Console) -> Iterator[Progress]:
    """A callback (part, done, total) that shows the progress on a console."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, refresh_per_second=4) as bars:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield show


class _Lines:
    def __init__(self, console: Console) -> None:
        self.console = console
        self.done: set[str] = set()

    def __call__(self, what: str, done: int, total: int) -> None:
        if done >= total and what not in self.done:
            self.done.add(what)
            self.console.print(f"{what}: {total}", markup=False, emoji=False, highlight=False)
