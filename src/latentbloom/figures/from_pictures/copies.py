"""The samples that are nearest to a training picture, above that picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from latentbloom.data.imageset import ImageSet
from latentbloom.evaluate.scores import CopyingScore


def draw_copies(samples: Tensor, copying: CopyingScore, train: ImageSet, path: Path) -> Path:
    """Draw the closest pairs: samples above their nearest training pictures.

    Arguments:
        samples: uint8 (N, C, H, W), in the order that was scored.
        copying: The pairs, and the threshold.
        train: The training pictures that were searched.
        path: The PNG to write.

    Returns:
        The path.
    """
    from latentbloom.pictures.grids import picture_grid, save_picture

    above = samples[[pair.sample for pair in copying.worst]]
    below = train.images([train.entries.row_of(pair.train) for pair in copying.worst])
    pixels = np.concatenate([part.permute(0, 2, 3, 1).numpy() for part in (above, below)])
    apart = [f"{pair.distance:.3g}" for pair in copying.worst]
    grid = picture_grid(
        pixels,
        rows=2,
        row_labels=["sample", "nearest training picture"],
        captions=[*apart, *("" for _ in apart)],
        title="Samples nearest to a training picture",
        note=f"Distances of {copying.measured_by}. 99% of unseen real pictures are farther than "
        f"{copying.threshold:.3g} from the {copying.searched:,} training pictures searched.",
    )
    return save_picture(path, grid)
