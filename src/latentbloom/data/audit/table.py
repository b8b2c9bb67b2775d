"""An audit as a table for the terminal, as long as a screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from latentbloom.conditions import ANY
from latentbloom.data.audit.advice import chain
from latentbloom.data.audit.findings import Audit, ValueCount
from latentbloom.words import clipped, plural

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table

_STYLE = {
    "good": "bold green",
    "fair": "bold cyan",
    "few": "bold yellow",
    "far too few": "bold red",
}
_SCREEN = 39
"""Lines of the whole, so that the command above it stays on a screen of 40."""

_LEAST_LINES = 6
_FRAME = 6
"""Lines of the table of counts besides its values."""

_LEAST_REMARKS = 3
"""So many remarks are shown even where the screen has no room for them."""

_MOST_BROKEN = 2
_WIDEST = 40


def audit_table(audit: Audit) -> RenderableType:
    """Counts by label, what the files are like, and the advice, as a rich renderable."""
    return _Screen(audit)


@dataclass(frozen=True)
class _Screen:
    """An audit; of the counts, as many are shown as the screen has room for."""

    audit: Audit

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        from rich.console import Group
        from rich.text import Text

        shown = max(_LEAST_REMARKS, len(self.audit.advice) + len(self.audit.notes))
        while True:
            rest = Group(_files(self.audit), *_advice(self.audit, shown))
            room = _SCREEN - _FRAME - 1 - len(console.render_lines(rest, options))
            if room >= _LEAST_LINES or shown == _LEAST_REMARKS:
                break
            shown -= 1
        yield Text(f"Audit of {self.audit.source}", style="bold")
        yield _counts(self.audit, max(_LEAST_LINES, room))
        yield rest


def _advice(audit: Audit, most: int) -> Iterator[RenderableType]:
    """The verdict and so many remarks; advice goes before notes."""
    from rich.padding import Padding
    from rich.text import Text

    yield Text.assemble("Data: ", (audit.verdict, _STYLE[audit.verdict]))
    remarks = (*audit.advice, *audit.notes)
    lines = list(remarks[:most])
    if len(remarks) > most:
        lines.append(f"{plural(len(remarks) - most, 'more remark')} in audit.json.")
    for line in lines:
        yield Padding(Text(f"- {line}"), (0, 0, 0, 1))


def _counts(audit: Audit, room: int) -> Table:
    """A row a value; of many values, and then of many conditions, only the first."""
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for heading in ("condition", "value"):
        table.add_column(heading, overflow="fold")
    for heading in ("train", "val", "share"):
        table.add_column(heading, justify="right")
    by_factor: dict[str, list[ValueCount]] = {}
    for count in audit.counts:
        by_factor.setdefault(count.factor, []).append(count)
    most = _values_each([len(counts) for counts in by_factor.values()], room)
    used = 0
    for place, (factor, counts) in enumerate(by_factor.items()):
        lines = min(len(counts), most) + 1
        if used and used + lines > room and len(by_factor) - place > 1:
            left = len(by_factor) - place
            table.add_row("...", f"{plural(left, 'more condition')} in audit.json")
            break
        used += lines
        if place:
            table.add_section()
        shown = counts if len(counts) <= most else counts[: most - 1]
        for row, count in enumerate(shown):
            value = "any (unknown)" if count.value == ANY else count.value
            table.add_row(
                Text("" if row else clipped(factor, _WIDEST)),
                Text(clipped(value, _WIDEST)),
                f"{count.train:,}",
                f"{count.val:,}",
                f"{(count.train + count.val) / (audit.train + audit.val):.1%}",
            )
        if len(shown) < len(counts):
            table.add_row("...", f"{plural(len(counts) - len(shown), 'more value')} in audit.json")
    table.add_section()
    table.add_row("all", "", f"{audit.train:,}", f"{audit.val:,}", "")
    return table


def _values_each(counts: list[int], room: int) -> int:
    """The most values of each condition that fit into so many lines, at least 2."""
    for most in range(max(counts, default=2), 2, -1):
        if sum(min(count, most) + 1 for count in counts) - 1 <= room:
            return most
    return 2


def _files(audit: Audit) -> Table:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in _facts(audit):
        grid.add_row(label, Text(text))  # names of files may look like markup
    return grid


def _facts(audit: Audit) -> Iterator[tuple[str, str]]:
    sizes = audit.sizes
    if audit.layout:
        yield "read as", audit.layout
    if audit.synthetic:
        yield "pictures", "rendered by the program at any size, exact labels"
    elif sizes.different == 1:
        yield "size", f"all {sizes.width[0]} x {sizes.height[0]} px"
    else:
        yield (
            "sizes",
            f"{sizes.different:,} different, width {sizes.width[0]} to {sizes.width[2]} px, height "
            f"{sizes.height[0]} to {sizes.height[2]} px, median shorter side "
            f"{sizes.short_side:g} px; {sizes.not_square:,} not square",
        )
    modes = ", ".join(f"{mode} {count:,}" for mode, count in audit.modes.items())
    kind = "grey" if audit.channels == 1 else "colour"
    yield "modes", f"{modes}: {kind}, {plural(audit.channels, 'channel')}"
    yield "train at", f"{audit.suggested_size} x {audit.suggested_size} px"
    if audit.synthetic:
        return
    yield from _duplicates(audit)
    broken = audit.broken
    yield "cannot be read", plural(len(broken), "file") if broken else "none"
    for aside in broken[:_MOST_BROKEN]:
        reason = aside.reason.rpartition("cannot be read as a picture: ")[2]
        yield "", f"{aside.name}: {reason}"
    if len(broken) > _MOST_BROKEN:
        yield "", f"{len(broken) - _MOST_BROKEN:,} more in audit.json"
    if audit.unused_count:
        first = audit.unused[0]
        others = plural(audit.unused_count, "other")
        yield "not used", f"{others}, such as {first.name} ({first.reason})"


def _duplicates(audit: Audit) -> Iterator[tuple[str, str]]:
    """Pictures that are there more than once, counted as pictures."""
    found = {
        "exact duplicates": [group for group in audit.duplicates if group.exact],
        "near duplicates": [group for group in audit.duplicates if not group.exact],
        "in train and val": list(audit.leaks),
    }
    if not any(found.values()):
        yield "duplicates", "none"
        return
    for label, groups in found.items():
        if not groups:
            yield label, "none"
        elif label == "in train and val":  # the advice names some
            yield label, plural(sum(group.held_out for group in groups), "picture")
        else:
            count = plural(sum(len(group.names) - 1 for group in groups), "picture")
            such = ", such as" if len(groups) > 1 else ":"
            yield label, f"{count}{such} {chain(groups[0])}"
