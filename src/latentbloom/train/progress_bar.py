"""The bar of a stage in a terminal: a line with the bar, and a line with the losses."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.text import Text


class _StageBar(Progress):
    """A progress bar whose losses have a line of their own, so that 80 columns are enough."""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            yield Text(
                f"  {task.fields['numbers']}", style="dim", overflow="ellipsis", no_wrap=True
            )


def make_bar(console: Console, title: str) -> Progress:
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
