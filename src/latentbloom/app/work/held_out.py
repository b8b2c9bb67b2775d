"""Real pictures of a run to edit or to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from latentbloom.errors import LatentbloomError, RunFolderError, check_count

if TYPE_CHECKING:
    import numpy as np

    from latentbloom.data.imageset import ImageSet


@dataclass(frozen=True)
class HeldOut:
    """Pictures that the model has not seen, where there are any.

    Attributes:
        images: The pictures; None where they cannot be read.
        train: Training pictures, for maps of very small sets.
        which: "held-out" or "training".
        why: Why there are none; empty otherwise.
    """

    images: ImageSet | None
    train: ImageSet | None
    which: str
    why: str = ""

    def __len__(self) -> int:
        return 0 if self.images is None else len(self.images)

    def pixels(self, indices: Sequence[int]) -> np.ndarray:
        """Pictures by index, uint8 (N, H, W, C).

        Raises:
            RunFolderError: There are no pictures.
            ConfigError: An index is out of range.
        """
        if self.images is None or not len(self.images):
            raise RunFolderError(f"The pictures of this run cannot be read: {self.why}")
        for index in indices:
            check_count("picture", index, least=0, most=len(self.images) - 1)
        return self.images.images(list(indices)).permute(0, 2, 3, 1).numpy()

    def words(self, indices: Sequence[int]) -> list[dict[str, str]]:
        """What the pictures are labelled with."""
        if self.images is None:
            return []
        return self.images.spec.words(self.images.cond(list(indices)))


def open_held_out(run: Path) -> HeldOut:
    """Find the run's pictures; what cannot be read is said, not raised."""
    from latentbloom.evaluate.run_sets import sets_of_run
    from latentbloom.runs.folder import RunFolder

    try:
        train, val = sets_of_run(RunFolder(run), accept_changed_data=True, say=lambda _: None)
    except LatentbloomError as error:
        return HeldOut(None, None, "held-out", str(error))
    if len(val):
        return HeldOut(val, train, "held-out")
    if len(train):
        return HeldOut(train, train, "training")
    return HeldOut(None, None, "held-out", "there are none.")
