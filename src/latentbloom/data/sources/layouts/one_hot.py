"""A table with a column a class, as Roboflow writes it: 1 where the picture shows the class."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from latentbloom.data.sources.layouts.label_rows import Labelled, to_table
from latentbloom.data.sources.tables.table_file import Table
from latentbloom.errors import SourceError
from latentbloom.storage.user_files import read_text, reason


def one_hot_table(path: Path) -> Table:
    """Read it: one factor where every picture shows one class, a factor a class elsewhere.

    Raises:
        SourceError: It is no such table.
    """
    try:
        lines = csv.reader(io.StringIO(read_text(path, "utf-8-sig"), newline=""))
        header = [cell.strip() for cell in next(lines, [])]
        rows = []
        for cells in lines:
            if not any(cells):
                continue
            if len(cells) != len(header) or any(c.strip() not in ("0", "1") for c in cells[1:]):
                raise SourceError(
                    f"{path}, line {lines.line_num}: a picture and then 0 or 1 for each of "
                    f"{', '.join(header[1:])} is expected."
                )
            marks = zip(header[1:], cells[1:], strict=True)
            shown = [name for name, mark in marks if mark.strip() == "1"]
            rows.append(Labelled(cells[0].strip(), lines.line_num, labels=shown))
    except (csv.Error, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read as CSV: {error}.") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {reason(error)}.") from error
    return to_table(path, rows, unit="line")
