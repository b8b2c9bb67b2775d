"""Pictures of another source, to compare a run's samples with: all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latentbloom.conditions import ConditionSpec
from latentbloom.config import SOURCE_SETTINGS, DataSettings
from latentbloom.data.imageset import ImageSet
from latentbloom.data.pixels import is_grey
from latentbloom.data.sources.base import Source
from latentbloom.data.sources.open import open_source
from latentbloom.errors import RunFolderError, SourceError
from latentbloom.evaluate.against.about import Against
from latentbloom.evaluate.against.as_labelled import AsLabelledBy
from latentbloom.evaluate.against.unlabelled import open_unlabelled
from latentbloom.words import plural

if TYPE_CHECKING:
    from latentbloom.runs.folder import RunFolder

_PROBES = 16
"""Pictures whose sizes and colours are looked at."""


@dataclass(frozen=True)
class OtherSet:
    """Another source, opened to compare with.

    Arguments:
        images: All of its pictures, at the size and with the channels of the run, under the
            factors of the run.
        about: Its name, place and number of pictures.
        notes: What differs from the run's own pictures, in sentences.
    """

    images: ImageSet
    about: Against
    notes: tuple[str, ...]


def open_other(
    folder: RunFolder,
    against: str,
    spec: ConditionSpec,
    *,
    overrides: Mapping[str, Any] | None = None,
    own: ImageSet | None = None,
) -> OtherSet:
    """Open another source for comparison. A folder of pictures without labels will do.

    Arguments:
        folder: The run.
        against: The source; a folder, or the name of a built-in one.
        spec: The factors that the run's model knows.
        overrides: Settings of the source. The others are the defaults, or those of the run where
            it is the same source.
        own: The run's training pictures, where they can be read.

    Raises:
        SourceError: There is no such source, or it has no pictures.
        RunFolderError: The run does not say the size of its pictures.
    """
    config = folder.load_config()
    if against != config.data.source:
        defaults = {f"data.{name}": getattr(DataSettings(), name) for name in SOURCE_SETTINGS}
        config = config.updated({**defaults, "data.source": against})
    given = dict(overrides or {})
    data = config.updated({**given, "data.hold_out": ""}).data
    if data.size is None or data.channels is None:
        raise RunFolderError(f"{folder.config} does not say the size of the run's pictures.")
    source, notes = _open(data, config.train.seed)
    labelled = AsLabelledBy(source, spec)
    images = ImageSet(
        labelled, labelled.entries, size=data.size, channels=data.channels, fit=data.fit
    )
    notes += [*labelled.remarks(), *_look_remarks(source, images), *_shared_files(images, own)]
    place = Path(against).expanduser()
    options = {name.removeprefix("data."): str(value) for name, value in sorted(given.items())}
    about = Against(
        source=against,
        path=str(place.resolve()) if place.exists() else "",
        options=options,
        pictures=len(images),
        labelled=labelled.labelled,
    )
    return OtherSet(images, about, tuple(notes))


def _open(data: DataSettings, seed: int) -> tuple[Source, list[str]]:
    """The source; a folder whose labels cannot be read is opened without them."""
    try:
        return open_source(data, seed=seed), []
    except SourceError as error:
        folder = Path(data.source).expanduser()
        if not folder.is_dir():
            raise
        source = open_unlabelled(folder, name=data.source)
        if not source.entries:
            raise
        reason = "" if _is_flat(source) else f" ({error})"
        return source, [f"'{data.source}' is used without labels{reason}."]


def _is_flat(source: Source) -> bool:
    return all("/" not in entry.name for entry in source.entries)


def _look_remarks(source: Source, images: ImageSet) -> Iterator[str]:
    """Sentences about pictures of another size or colour than the run's."""
    step = max(1, len(source.entries) // _PROBES)
    sizes, grey = [], []
    for entry in () if source.synthetic else source.entries[::step][:_PROBES]:
        with suppress(SourceError):
            picture = source.inspect(entry)
            sizes.append((picture.width, picture.height))
            grey.append(is_grey(picture.pixels))
    if not sizes:
        return
    width, height = (int(np.median([size[axis] for size in sizes])) for axis in (0, 1))
    if min(width, height) < images.size:
        yield (
            f"Pictures of '{source.name}' are smaller ({width} x {height}) than the run's "
            f"({images.size} x {images.size}) and are enlarged: the distance measures that blur, "
            "too."
        )
    elif (width, height) != (images.size, images.size):
        yield (
            f"Pictures of '{source.name}' ({width} x {height}) are scaled to the run's "
            f"{images.size} x {images.size}."
        )
    if images.channels == 1 and not all(grey):
        yield f"Pictures of '{source.name}' are in colour. The run is grey, so they are made grey."
    if images.channels == 3 and all(grey):
        yield (
            f"Pictures of '{source.name}' are grey and the run is in colour: the distance mostly "
            "measures that."
        )


def _shared_files(images: ImageSet, own: ImageSet | None) -> Iterator[str]:
    """A sentence about files that the run was trained on."""
    if own is None:
        return
    trained = {entry.path.resolve() for entry in own.entries if entry.path is not None}
    shared = sum(e.path is not None and e.path.resolve() in trained for e in images.entries)
    if shared:
        yield (
            f"The run was trained on {shared:,} of the {plural(len(images), 'picture')} of "
            f"'{images.source.name}': distances to them look better than they are."
        )


def nobody(images: ImageSet) -> ImageSet:
    """An empty set, in place of training pictures that cannot be read."""
    return ImageSet(images.source, (), size=images.size, channels=images.channels, fit=images.fit)
