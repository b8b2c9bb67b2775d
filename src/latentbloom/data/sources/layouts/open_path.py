"""Opening the pictures that a path names: a folder, an archive, or a file of labels or rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from latentbloom.config import SourceOptions
from latentbloom.data.sources.archives.open_archive import (
    OpenedArchive,
    is_archive,
    only_folder,
    open_archive,
)
from latentbloom.data.sources.base import FileSource, check_enough, refuse_odd
from latentbloom.data.sources.folders.labelled_folder import open_folder
from latentbloom.data.sources.folders.unread import refuse_run
from latentbloom.data.sources.labels.bins import parse_bins
from latentbloom.data.sources.layouts.find_layout import find_labels, labels_of_file
from latentbloom.data.sources.layouts.row_files import HUB, find_parquets, found_on_hub
from latentbloom.data.sources.tables.find_table import FoundTable, say_other_tables, table_given
from latentbloom.data.sources.tables.table_source import open_table
from latentbloom.errors import SourceError
from latentbloom.storage.mounts import is_file, is_folder
from latentbloom.words import plural


def open_path(options: SourceOptions, factors: Sequence[str], seed: int) -> FileSource | None:
    """The source that a path is; None where nothing lies there.

    Arguments:
        options: `source` is the path, or "hf:user/name".
        factors: As in `find_columns`.
        seed: Decides which pictures are held out.

    Raises:
        SourceError: It cannot be used; the message says why and what to do.
    """
    where = options.source
    if where.startswith(HUB):
        return _open_table(found_on_hub(where), options, factors, seed)
    path = Path(where).expanduser()
    if not path.exists():
        archive = next((above for above in path.parents if above.is_file()), None)
        if archive is None or not is_archive(archive):
            return None
        return _open_archive(archive, options, factors, seed, inside=path)
    if path.is_dir():
        return _open_folder(path, options, factors, seed)
    refuse_odd(path)
    if is_archive(path):
        return _open_archive(path, options, factors, seed)
    return _open_labels(path, options, factors, seed)


def _open_labels(
    path: Path, options: SourceOptions, factors: Sequence[str], seed: int
) -> FileSource:
    """The source that a file of labels is."""
    where = options.source
    if not is_file(path):
        raise SourceError(f"'{where}': there is no such file or folder in the archive.")
    labels = labels_of_file(path)
    if labels is None and table_given(path):
        labels = FoundTable(path)
    if labels is not None:
        return _open_table(labels, options, factors, seed)
    raise SourceError(
        f"'{where}' is a file, not a folder, and no archive or file of labels that is known. Give "
        "a folder whose sub-folders are the labels or that holds a labels.csv, or a zip or tar of "
        "one."
    )


def _open_archive(
    path: Path,
    options: SourceOptions,
    factors: Sequence[str],
    seed: int,
    *,
    inside: Path | None = None,
) -> FileSource:
    """The source that an archive is, or a folder or a file of labels inside it."""
    archive = open_archive(path)
    try:
        if inside is not None and not is_folder(inside):
            source = _open_labels(inside, options, factors, seed)
        else:
            top = inside or (path if find_labels(path) else only_folder(path))
            source = _open_folder(top, options, factors, seed)
        check_enough(len(source.entries), source.name)
    except SourceError as error:
        raise SourceError(f"{error}{_refused(archive, path)}") from error
    return replace(
        source,
        notes=(*archive.notes, *source.notes),
        set_aside=(*archive.set_aside, *source.set_aside),
    )


def _refused(archive: OpenedArchive, path: Path) -> str:
    """A sentence about members that are not used, with a space in front; "" if there are none."""
    notes = "".join(f" {note}" for note in archive.notes)
    if not archive.set_aside:
        return notes
    first = archive.set_aside[0]
    count = plural(len(archive.set_aside), "member")
    return f"{notes} Besides, {count} of {path.name} cannot be used: {first.name}: {first.reason}."


def _open_folder(
    folder: Path, options: SourceOptions, factors: Sequence[str], seed: int
) -> FileSource:
    refuse_run(folder, options.source)
    labels = find_labels(folder)
    if labels is not None:
        return _open_table(labels, options, factors, seed)
    try:
        if options.bins:
            raise SourceError(
                f"--bins needs a table with a column of numbers; '{options.source}' has none."
            )
        return open_folder(
            folder,
            name=options.source,
            seed=seed,
            val_share=options.val_share,
            as_written=options.values_as_written,
        )
    except SourceError as error:
        rows = find_parquets(folder)
        if rows is not None:
            return _open_table(rows, options, factors, seed)
        raise SourceError(f"{error}{say_other_tables(folder)}") from error


def _open_table(
    table: FoundTable, options: SourceOptions, factors: Sequence[str], seed: int
) -> FileSource:
    return open_table(
        table,
        name=options.source,
        seed=seed,
        val_share=options.val_share,
        wanted=factors,
        bins=parse_bins(options.bins),
        as_written=options.values_as_written,
    )
