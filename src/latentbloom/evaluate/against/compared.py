"""What a run is scored with: its own pictures, and those that its samples are compared with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentbloom.data.audit.changes import ChangedPicturesError
from latentbloom.errors import LatentbloomError, RunFolderError, SourceError
from latentbloom.evaluate.against.other_set import nobody, open_other
from latentbloom.evaluate.scores import Scores

if TYPE_CHECKING:
    from latentbloom.data.imageset import ImageSet
    from latentbloom.evaluate.against.about import Against
    from latentbloom.model.generator import Model
    from latentbloom.runs.folder import RunFolder


@dataclass(frozen=True)
class Compared:
    """Everything that `evaluate` reads, and where it writes.

    Arguments:
        model: The finished model.
        train: The run's training pictures; empty where they cannot be read.
        val: The pictures to compare with.
        held_out: The run's held-out pictures, where `val` is another source and they can be read.
        against: The other source, if it is one.
        notes: What differs from the run's own pictures.
        scores: The file of scores.
        copies: The picture of the nearest training pictures.
    """

    model: Model
    train: ImageSet
    val: ImageSet
    held_out: ImageSet | None
    against: Against | None
    notes: tuple[str, ...]
    scores: Path
    copies: Path


def open_compared(
    folder: RunFolder,
    *,
    against: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    accept_changed_data: bool = False,
    say: Callable[[str], object],
) -> Compared:
    """Open a run's pictures and model, and another source if one is named.

    Arguments:
        folder: The run.
        against: Another source; its labels may differ, and a folder without labels will do.
        overrides: Settings of the source that is compared with.
        accept_changed_data: Use the run's pictures although they have changed.
        say: Receives sentences about changes and about what differs.

    Raises:
        LatentbloomError: A source or the model cannot be opened.
    """
    from latentbloom.evaluate.run_sets import sets_of_run
    from latentbloom.model.generator import load

    if against is None:
        train, val = sets_of_run(
            folder, overrides=overrides, accept_changed_data=accept_changed_data, say=say
        )
        place = folder.path / "figures" / "copies.png"
        return Compared(load(folder.path), train, val, None, None, (), folder.scores, place)
    own = _own_sets(folder, accept_changed_data, say)
    model = load(folder.path)
    trained_on = None if isinstance(own, LatentbloomError) else own[0]
    other = open_other(folder, against, model.spec, overrides=overrides, own=trained_on)
    notes = other.notes
    if isinstance(own, LatentbloomError):
        train, held_out = nobody(other.images), None
        notes += (
            "The run's own pictures cannot be read, so copies are not searched and condition "
            "accuracy is not measured. The floor is the distance of one half of "
            f"'{against}' to the other. {own}",
        )
    else:
        train, held_out = own
    for note in notes:
        say(note)
    scores = _place(folder, other.about)
    word = scores.stem.removeprefix("scores-against-")
    copies = folder.path / "figures" / f"copies-against-{word}.png"
    return Compared(model, train, other.images, held_out, other.about, notes, scores, copies)


def _own_sets(
    folder: RunFolder, accept_changed_data: bool, say: Callable[[str], object]
) -> tuple[ImageSet, ImageSet] | LatentbloomError:
    """The run's own sets, or why they cannot be opened."""
    from latentbloom.evaluate.run_sets import sets_of_run

    try:
        return sets_of_run(folder, accept_changed_data=accept_changed_data, say=say)
    except ChangedPicturesError:
        raise
    except (SourceError, RunFolderError) as error:
        return error


def _place(folder: RunFolder, about: Against) -> Path:
    """The file of scores; two sources of the same name have two files."""
    path = folder.scores_against(about.word)
    if path.is_file():
        try:
            known = Scores.load(path).against
        except RunFolderError:
            known = None
        if known is not None and not known.same_set(about):
            mark = hashlib.sha256(repr((about.path, about.source, about.options)).encode())
            return folder.scores_against(f"{about.word}-{mark.hexdigest()[:8]}")
    return path
