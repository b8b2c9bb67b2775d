"""The pictures that a run was trained on, and those that it was not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from latentbloom.config import SOURCE_SETTINGS, DataSettings
from latentbloom.errors import RunFolderError
from latentbloom.runs.folder import RunFolder

if TYPE_CHECKING:
    from latentbloom.data.imageset import ImageSet


def sets_of_run(
    folder: RunFolder, *, against: str | None = None, overrides: Mapping[str, Any] | None = None
) -> tuple[ImageSet, ImageSet]:
    """Training and kept-aside pictures, at the size and in the colours of the run.

    Arguments:
        folder: The run.
        against: Another source to compare with; default the one that the run was trained on,
            without the pictures that its audit set aside.
        overrides: What is said about the source, for example {"data.root": "elsewhere"}. What is
            not said is as in the run for the run's own source, and the default for another one.

    Raises:
        RunFolderError: The run does not know its source, or is no run.
        SourceError: The source is not there any more.
    """
    from latentbloom.data.audit.run import Audit
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
            f"latentbloom evaluate {folder.path} --against SOURCE"
        )
    colours = folder.colours if against is None else None
    source = open_source(data, seed=config.train.seed, colours=colours)
    if against is None and folder.audit.is_file():
        audit = Audit.load(folder.audit)
        train, val = (audit.kept(source.entries, s) for s in ("train", "val"))
    else:
        train = tuple(e for e in source.entries if e.split == "train")
        val = tuple(e for e in source.entries if e.split == "val")
    return (
        ImageSet(source, train, size=data.size, channels=data.channels, fit=data.fit),
        ImageSet(source, val, size=data.size, channels=data.channels, fit=data.fit),
    )
