"""Whether the pictures of a run are still those that it began with.

A run keeps a list of its pictures: name, split and labels, in order, and size, time and hash of
each file. Pictures that come, go, or change their labels or content afterwards change the training
set. They can also move others between the splits, because a held-out share is chosen again from all
names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from latentbloom.conditions import ConditionSpec
from latentbloom.data.audit.findings import Audit
from latentbloom.data.audit.picture_list import PictureList
from latentbloom.data.listed.entries import Entries
from latentbloom.data.sources.base import Source
from latentbloom.data.sources.wrapped import WrappedSource
from latentbloom.errors import SourceError

_WHAT_TO_DO = (
    "Restore the pictures, start a new run with another --out, or add --accept-changed-data to "
    "use them as they are now."
)


class ChangedPicturesError(SourceError):
    """The pictures of a run are not those that it began with."""


@dataclass(frozen=True)
class PinnedSplits(WrappedSource):
    """A source whose known pictures keep the split that they had. See `Source`.

    Arguments:
        whole: The source as it is now.
        known: The pictures in the splits that they had; new ones are not among them.
        replaced: Names of pictures whose files hold other content than before.
    """

    known: Entries
    replaced: tuple[str, ...] = ()

    @property
    def spec(self) -> ConditionSpec:
        """The factors of the whole."""
        return self.whole.spec

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of the whole."""
        return self.whole.notes

    @cached_property
    def entries(self) -> Entries:
        """All pictures of the whole."""
        held_out = self._whole.held_out.copy()
        for place, row in enumerate(map(self.known.row_of, self._whole.names())):
            if row >= 0:
                held_out[place] = self.known.held_out[row]
        return self._whole.with_splits(held_out)


def record_pictures(source: Source, audit: Audit, path: Path) -> None:
    """Write the list of a run's pictures when the run begins. Reads every file once.

    Arguments:
        source: The run's source.
        audit: Its audit.
        path: `RunFolder.pictures`.
    """
    PictureList.of(source, audit, marked=True).save(path)


def check_pictures(
    source: Source,
    audit: Audit,
    path: Path,
    *,
    accept: bool = False,
    say: Callable[[str], object] | None = None,
) -> Source:
    """Compare the pictures found now with those that a run began with.

    Call it wherever a run's source is opened again: on resume and to evaluate.

    Arguments:
        source: The run's source, opened again.
        audit: The run's audit, of when it began.
        path: `RunFolder.pictures`, which `record_pictures` wrote. For an older run without it,
            only the numbers of pictures are compared, with those in the audit.
        accept: Continue in spite of changes (`--accept-changed-data`).
        say: Receives the sentence about changes that are accepted.

    Returns:
        The source itself where nothing changed. With accepted changes, a source in which every
        picture that the run knows keeps its split: a picture that was trained on never becomes a
        held-out one.

    Raises:
        ChangedPicturesError: The pictures changed and `accept` is false, or their factors changed,
            which no trained model can follow.
    """
    now = PictureList.of(source, audit)
    if not path.is_file():
        _check_counts(now, audit, accept=accept, say=say)
        return source
    before = PictureList.load(path)
    changes = replace(before.changes_to(now), replaced=before.replaced(source))
    if not changes:
        return source
    said = f"'{source.name}' has changed since the run began: {changes}."
    if changes.factors:
        raise ChangedPicturesError(
            f"{said} The model was trained for the old values. Restore them, or start a new run "
            "with another --out."
        )
    if not accept:
        raise ChangedPicturesError(f"{said} {_WHAT_TO_DO}")
    if say is not None:
        say(f"{said} Pictures that the run knows keep their split.")
    return PinnedSplits(source, before.pictures.entries, changes.replaced)


def _check_counts(
    now: PictureList, audit: Audit, *, accept: bool, say: Callable[[str], object] | None
) -> None:
    val = int(now.pictures.entries.held_out.sum())
    train = len(now.pictures) - val
    if (train, val) == (audit.train, audit.val):
        return
    said = (
        f"'{audit.source}' has changed since the run began: it had {audit.train:,} pictures to "
        f"train on and {audit.val:,} held out, and now has {train:,} and {val:,}."
    )
    if not accept:
        raise ChangedPicturesError(f"{said} {_WHAT_TO_DO}")
    if say is not None:
        say(said)
