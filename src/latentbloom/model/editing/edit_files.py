"""Edits of picture files: read, edit, write; one that fails does not stop the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from latentbloom.data.one_picture import FittedPicture, read_fitted
from latentbloom.data.reading import is_picture_name
from latentbloom.data.sources.labels.names import natural_key
from latentbloom.errors import SourceError
from latentbloom.model.editing.defaults import STRIP
from latentbloom.model.editing.edit_records import EditRecord
from latentbloom.pictures.grids import picture_grid, save_picture
from latentbloom.storage.files import condition_word, file_word
from latentbloom.words import listed

if TYPE_CHECKING:
    from latentbloom.model.generator import Model

TOGETHER = 16
"""Pictures that are edited between two writes."""

MOST_ROWS = 40
"""Pictures in one strip."""


@dataclass(frozen=True)
class EditRequest:
    """What to do with the pictures.

    Attributes:
        to: What to change, words by factor.
        source: What the pictures show; factors left out are found.
        strength: In [0, 1].
        method: A name in `METHODS`.
        guidance: w of the factors that change; None: the method's.
        seed: Decides the noises.
        raw: Show D(z') rather than original + D(z') - D(z).
        strip: Also draw a sheet of strengths from 0 to 1.
    """

    to: Mapping[str, str]
    source: Mapping[str, str]
    strength: float
    method: str
    guidance: float | None = None
    seed: int = 0
    raw: bool = False
    strip: bool = False


@dataclass(frozen=True)
class EditedFile:
    """One file that was edited.

    Attributes:
        path: The file.
        fitted: Its picture as the model took it.
        record: The edit.
        written: Where the result is.
    """

    path: Path
    fitted: FittedPicture
    record: EditRecord
    written: Path


def picture_files(places: Sequence[Path], on_fault: Callable[[str], None]) -> list[Path]:
    """The files among `places`, and the pictures in the folders among them.

    Arguments:
        places: Files and folders.
        on_fault: Called with a sentence for each that is not there, or holds no pictures.
    """
    found: dict[Path, None] = {}
    for place in places:
        if place.is_dir():
            inside = [p for p in place.iterdir() if p.is_file() and is_picture_name(p.name)]
            if not inside:
                on_fault(f"{place} holds no pictures. Name a folder with pictures directly in it.")
            found |= dict.fromkeys(sorted(inside, key=lambda p: natural_key(p.name)))
        else:
            found[place] = None
    return list(found)


def read_files(
    model: Model, paths: Sequence[Path], on_fault: Callable[[str], None]
) -> Iterator[list[tuple[Path, FittedPicture]]]:
    """Pictures of the model's shape, in groups; a file that cannot be read is left out.

    Arguments:
        model: The model.
        paths: The files.
        on_fault: Called with the error of each that cannot be read.
    """
    for start in range(0, len(paths), TOGETHER):
        group = []
        for path in paths[start : start + TOGETHER]:
            try:
                group.append((path, read_fitted(path, model.config.data)))
            except SourceError as error:
                on_fault(str(error))
        if group:
            yield group


def edit_files(
    model: Model,
    paths: Sequence[Path],
    request: EditRequest,
    out: Path,
    *,
    on_fault: Callable[[str], None],
) -> Iterator[EditedFile]:
    """Edit files, and write the results, `edits.json`, and a strip if one is asked for.

    Arguments:
        model: The model.
        paths: The files.
        request: What to do.
        out: Folder of the results.
        on_fault: Called with the error of each file that cannot be read.

    Returns:
        An iterator over the files that were edited, in order; they are written as it is read.

    Raises:
        ConditionError: A factor or a value is unknown.
        ConfigError: The method is unknown, or a number is out of range.
    """
    strengths = sorted({request.strength, *(STRIP if request.strip else ())})
    stems = _stems(paths)
    rows: list[tuple[str, list[EditRecord]]] = []
    for group in read_files(model, paths, on_fault):
        images = torch.from_numpy(np.stack([fitted.pixels for _, fitted in group]))
        strip = model.edit_strip(
            images,
            request.to,
            strengths=strengths,
            source=request.source,
            method=request.method,
            guidance=request.guidance,
            seed=request.seed,
            raw=request.raw,
        )
        chosen = strip[strengths.index(request.strength)]
        written = chosen.save(out, [stems[path] for path, _ in group])
        for k, (path, fitted) in enumerate(group):
            rows.append((stems[path], [of[k] for of in strip if of[k].strength in STRIP]))
            yield EditedFile(path, fitted, chosen[k], written[k])
    if request.strip:
        words = condition_word([w for pair in request.to.items() for w in pair], most=72)
        for number, start in enumerate(range(0, len(rows), MOST_ROWS)):
            name = f"strip_{words}" + (f"_{number + 1}" if number else "")
            save_strip(out / f"{name}.png", rows[start : start + MOST_ROWS])


def save_strip(path: Path, rows: Sequence[tuple[str, Sequence[EditRecord]]]) -> Path:
    """Draw a row of strengths for each picture.

    Arguments:
        path: A PNG.
        rows: For each picture its name, and its edits in order of strength.
    """
    pixels = np.stack([record.image for _, records in rows for record in records])
    heads = [f"{record.strength:g}" if record.strength else "original" for record in rows[0][1]]
    grid = picture_grid(
        pixels, rows=len(rows), row_labels=[name for name, _ in rows], col_labels=heads, gap=2
    )
    return save_picture(path, grid)


def morph_files(model: Model, pair: Sequence[Path], steps: int, out: Path) -> Path:
    """Draw the pictures between two files in a row.

    Arguments:
        model: The model.
        pair: The two files.
        steps: How many pictures, both ends included.
        out: Folder of the PNG.

    Raises:
        SourceError: A file cannot be read.
    """
    first, second = (torch.from_numpy(read_fitted(p, model.config.data).pixels) for p in pair)
    between = model.morph(first, second, steps)
    name = file_word(f"morph_{pair[0].stem}_{pair[1].stem}")
    return save_picture(out / f"{name}.png", picture_grid(between, rows=1, gap=2))


def _stems(paths: Sequence[Path]) -> dict[Path, str]:
    """A name for each file; where two have one stem, the folder or ending tells them apart."""
    counts = Counter(path.stem.casefold() for path in paths)
    return {
        path: path.stem if counts[path.stem.casefold()] == 1 else f"{path.parent.name}-{path.name}"
        for path in paths
    }


def describe(edited: EditedFile, to: Mapping[str, str]) -> str:
    """One line about an edit: what changed, and what the picture showed before.

    Arguments:
        edited: The edit.
        to: What was asked for.
    """
    record = edited.record
    changes = [
        f"{name} {before}{_sure(record, name)} to {after}"
        for name, (before, after) in record.changed.items()
    ]
    if changes:
        return f"{edited.path}: {', '.join(changes)}: {edited.written}"
    shown = [f"{name}={word}{_sure(record, name)}" for name, word in to.items()]
    hint = " --from says otherwise." if set(to) & set(record.confidence) else ""
    return f"{edited.path}: shows {listed(shown)} already and stays as it is.{hint}"


def _sure(record: EditRecord, name: str) -> str:
    sure = record.confidence.get(name)
    return "" if sure is None else f" (found, {sure:.0%} sure)"
