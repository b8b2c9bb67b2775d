"""An audit as a table for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latentbloom.conditions import ANY
from latentbloom.data.audit.findings import Audit

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLE = {
    "good": "bold green",
    "fair": "bold cyan",
    "few": "bold yellow",
    "far too few": "bold red",
}
_MAX_ROWS = 30


def audit_table(audit: Audit) -> RenderableType:
    """Counts by label, what the files are like, and the advice, as a rich renderable."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    verdict = Text.assemble("Data: ", (audit.verdict, _STYLE[audit.verdict]))
    lines = [Text(f"- {line}") for line in (*audit.advice, *audit.notes)]
    title = Text(f"Audit of {audit.source}", style="bold")
    return Group(
        title, _counts(audit), _files(audit), verdict, *(Padding(t, (0, 0, 0, 1)) for t in lines)
    )


def _counts(audit: Audit) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for heading in ("condition", "value"):
        table.add_column(heading, overflow="fold")
    for heading in ("train", "val", "share"):
        table.add_column(heading, justify="right")
    previous = ""
    for count in audit.counts[:_MAX_ROWS]:
        if previous not in ("", count.factor):
            table.add_section()
        table.add_row(
            Text("" if count.factor == previous else count.factor),
            Text("any (unknown)" if count.value == ANY else count.value),
            f"{count.train:,}",
            f"{count.val:,}",
            f"{(count.train + count.val) / (audit.train + audit.val):.1%}",
        )
        previous = count.factor
    if len(audit.counts) > _MAX_ROWS:
        table.add_row("...", f"{len(audit.counts) - _MAX_ROWS} more values in audit.json")
    table.add_section()
    table.add_row("all", "", f"{audit.train:,}", f"{audit.val:,}", "")
    return table


def _files(audit: Audit) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    sizes = audit.sizes

    def add(label: str, text: str) -> None:
        grid.add_row(label, Text(text))  # names of files may look like markup

    if audit.synthetic:
        add("pictures", "rendered by the program at any size, exact labels")
    elif sizes.different == 1:
        add("size", f"all {sizes.width[0]} x {sizes.height[0]} px")
    else:
        add(
            "sizes",
            f"{sizes.different:,} different, width {sizes.width[0]} to {sizes.width[2]} px, height "
            f"{sizes.height[0]} to {sizes.height[2]} px, median shorter side "
            f"{sizes.short_side:g} px; {sizes.not_square:,} not square",
        )
    modes = ", ".join(f"{mode} {count:,}" for mode, count in audit.modes.items())
    kind = "grey" if audit.channels == 1 else "colour"
    add("modes", f"{modes}: {kind}, {audit.channels} channel(s)")
    add("train at", f"{audit.suggested_size} x {audit.suggested_size} px")
    if not audit.synthetic:
        for label, groups in (
            ("exact duplicates", [g for g in audit.duplicates if g.exact]),
            ("near duplicates", [g for g in audit.duplicates if not g.exact]),
            ("in train and val", audit.leaks),
        ):
            shown = "; ".join(" = ".join(group.names) for group in groups[:2])
            more = f": {shown}{'; ...' if len(groups) > 2 else ''}" if groups else ""
            add(
                label,
                f"{len(groups):,} group{'' if len(groups) == 1 else 's'}{more}"
                if groups
                else "none",
            )
        add("cannot be read", f"{len(audit.broken):,} files")
        for aside in audit.broken[:5]:
            add("", f"{aside.name}: {aside.reason}")
        if audit.unused_count:
            first = audit.unused[0]
            add("not used", f"{audit.unused_count:,} others, such as {first.name} ({first.reason})")
    return grid
