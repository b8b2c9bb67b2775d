"""Whether the pictures that a file of labels names are the pictures that are there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from latentbloom.data.sources.base import SetAside
from latentbloom.data.sources.labels.names import natural_key
from latentbloom.data.sources.tables.table_file import HELP, Table
from latentbloom.errors import SourceError

_EXAMPLES = 3


def check_matches(
    table: Table,
    present: Table,
    pictures: Sequence[PurePosixPath],
    missing: Sequence[SetAside],
) -> None:
    """Refuse labels of which half, or all, belong to no picture: names are wrong, or pictures gone.

    Arguments:
        table: All rows.
        present: The rows whose picture is there.
        pictures: All pictures below the folder.
        missing: The rows whose picture cannot be used, and why.

    Raises:
        SourceError: At least half of the rows have no picture.
    """
    lost, count = len(table.rows) - len(present.rows), len(table.rows)
    if present.rows and 2 * lost < count:
        return
    if not missing and not count:
        raise SourceError(f"{table.path} names no picture that can be used: it has no rows. {HELP}")
    named = {row.file for row in present.rows}
    paths = sorted((path.as_posix() for path in pictures), key=natural_key)
    other = [path for path in paths if path not in named]
    if present.rows:
        said = (
            f"{table.path} names {count:,} pictures, and {lost:,} of them cannot be used. The "
            f"first one, {missing[0].name}: {missing[0].reason}."
        )
    else:
        first = f"{missing[0].name}: {missing[0].reason}"
        said = f"{table.path} names no picture that can be used. The first one, {first}."
    raise SourceError(
        f"{said} Named, but not found: {_examples([one.name for one in missing])}. There, but not "
        f"named: {_examples(other)}. Correct the names, or remove the {table.unit}s of pictures "
        "that you do not have."
    )


def _examples(names: Sequence[str]) -> str:
    if not names:
        return "nothing"
    more = f" ({len(names):,} in all)" if len(names) > _EXAMPLES else ""
    return ", ".join(names[:_EXAMPLES]) + more
