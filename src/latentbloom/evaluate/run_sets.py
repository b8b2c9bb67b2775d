"""The pictures that a run was trained on, and its held-out pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from latentbloom.commands import command_line
from latentbloom.config import SOURCE_SETTINGS, DataSettings
from latentbloom.errors import RunFolderError
from latentbloom.runs.folder import RunFolder

if TYPE_CHECKING:
    from latentbloom.data.imageset import ImageSet


def sets_of_run(
    folder: RunFolder,
    *,
    against: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    accept_changed_data: bool = False,
    say: Callable[[str], object] | None = None,
) -> tuple[ImageSet, ImageSet]:
    """Training and held-out pictures, at the size and with the channels of the run.

    Arguments:
        folder: The run.
        against: Another source to compare with; default the one that the run was trained on,
            without the pictures that its audit set aside.
        overrides: Settings of the source, for example {"data.root": "elsewhere"}. The others are
            those of the run for its own source, and the defaults for another source.
        accept_changed_data: Use the run's pictures although they have changed since it began. They
            are compared unless another source, or other settings than `data.root`, are asked for.
        say: Receives a sentence about changes that are accepted.

    Raises:
        RunFolderError: The run does not name its source, or the folder holds no run.
        SourceError: The source is gone, or its pictures have changed.
    """
    from latentbloom.data.audit.changes import check_pictures
    from latentbloom.data.audit.findings import Audit
    from latentbloom.data.imageset import ImageSet
    from latentbloom.data.sources.open import open_source

    config = folder.load_config()
    if against is not None and against != config.data.source:
        defaults = {f"data.{name}": getattr(DataSettings(), name) for name in SOURCE_SETTINGS}
        config = config.updated({**defaults, "data.hold_out": "", "data.source": against})
    data = config.updated(dict(overrides or {})).data
    if not data.source or data.size is None or data.channels is None:
        raise RunFolderError(
            f"{folder.config} does not say which pictures the run was trained on. Name them: "
            + command_line("evaluate", folder.path, "--against", "SOURCE")
        )
    colours = folder.colours if against is None else None
    source = open_source(data, seed=config.train.seed, colours=colours)
    if against is None and folder.audit.is_file():
        audit = Audit.load(folder.audit)
        if not set(overrides or {}) - {"data.root"}:
            source = check_pictures(
                source, audit, folder.pictures, accept=accept_changed_data, say=say
            )
        train, val = (audit.kept(source.entries, s) for s in ("train", "val"))
    else:
        train = tuple(e for e in source.entries if e.split == "train")
        val = tuple(e for e in source.entries if e.split == "val")
    return (
        ImageSet(source, train, size=data.size, channels=data.channels, fit=data.fit),
        ImageSet(source, val, size=data.size, channels=data.channels, fit=data.fit),
    )
