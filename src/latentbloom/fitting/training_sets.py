"""The training and held-out pictures of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from latentbloom.data.imageset import ImageSet
from latentbloom.errors import RunFolderError

if TYPE_CHECKING:
    from latentbloom.config import DataSettings
    from latentbloom.data.audit.findings import Audit
    from latentbloom.data.sources.base import Source


def open_sets(data: DataSettings, source: Source, audit: Audit) -> tuple[ImageSet, ImageSet]:
    """Training and held-out pictures, without those that the audit found broken.

    Raises:
        RunFolderError: No training picture is left.
    """

    def images(split: Literal["train", "val"], megabytes: int) -> ImageSet:
        return ImageSet(
            source,
            audit.kept(source.entries, split),
            size=data.size or 64,
            channels=data.channels or 3,
            fit=data.fit,
            cache_bytes=megabytes << 20,
        )

    train, val = images("train", data.cache_mb), images("val", max(1, data.cache_mb // 4))
    if not len(train):
        raise RunFolderError("No training picture is left after the audit.")
    return train, val
