"""The pictures that a run was trained on, and its held-out pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from latentbloom.commands import command_line
from latentbloom.errors import RunFolderError, SourceError
from latentbloom.runs.folder import RunFolder
from latentbloom.words import listed

if TYPE_CHECKING:
    from latentbloom.config import DataSettings
    from latentbloom.data.imageset import ImageSet


def sets_of_run(
    folder: RunFolder,
    *,
    overrides: Mapping[str, Any] | None = None,
    accept_changed_data: bool = False,
    say: Callable[[str], object] | None = None,
) -> tuple[ImageSet, ImageSet]:
    """Training and held-out pictures, at the size and with the channels of the run.

    They are compared with those that the run began with. Pictures that the run's audit set aside
    are left out.

    Arguments:
        folder: The run.
        overrides: Settings of the source. Only `data.root` may differ from those of the run: with
            another choice of labels or another crop they are other pictures.
        accept_changed_data: Use the pictures although they have changed since the run began.
        say: Receives a sentence about changes that are accepted.

    Raises:
        RunFolderError: The run does not name its source, or the folder holds no run.
        SourceError: The source is gone, its pictures have changed, or other settings are asked
            for.
    """
    from latentbloom.data.audit.changes import check_pictures
    from latentbloom.data.audit.findings import Audit
    from latentbloom.data.imageset import ImageSet
    from latentbloom.data.listed.entries import Entries
    from latentbloom.data.sources.open import open_source

    config = folder.load_config()
    _refuse_other_choice(config.data, config.updated(dict(overrides or {})).data)
    data = config.updated(dict(overrides or {})).data
    if not data.source or data.size is None or data.channels is None:
        raise RunFolderError(
            f"{folder.config} does not say which pictures the run was trained on. Name some to "
            "compare with: " + command_line("evaluate", folder.path, "--against", "SOURCE")
        )
    source = open_source(data, seed=config.train.seed, colours=folder.colours)
    if folder.audit.is_file():
        audit = Audit.load(folder.audit)
        source = check_pictures(source, audit, folder.pictures, accept=accept_changed_data, say=say)
        train, val = (audit.kept(source.entries, s) for s in ("train", "val"))
    else:
        train, val = (Entries.of(source.entries).of_split(s) for s in ("train", "val"))
    return (
        ImageSet(source, train, size=data.size, channels=data.channels, fit=data.fit),
        ImageSet(source, val, size=data.size, channels=data.channels, fit=data.fit),
    )


def _refuse_other_choice(data: DataSettings, wanted: DataSettings) -> None:
    """Only the place of the run's own pictures may be another one."""
    fields = [name for name in type(data).model_fields if name != "root"]
    other = [
        f"data.{name} {getattr(data, name)!r}, not {getattr(wanted, name)!r}"
        for name in fields
        if getattr(wanted, name) != getattr(data, name)
    ]
    if other:
        raise SourceError(
            f"The run was trained with {listed(other)}: those would be other pictures or labels "
            "than the run's own. Leave the option out, or name a source with --against."
        )
