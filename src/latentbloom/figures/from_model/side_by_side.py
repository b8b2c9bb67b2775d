"""Samples of several runs side by side, from the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from latentbloom.errors import LatentbloomError

PICTURES_A_RUN = 8


def compare_picture(
    runs: Sequence[Path], names: Sequence[str], out: Path, *, seed: int = 0
) -> None:
    """Write a grid with a row of samples per run, from the same seed and conditions.

    Arguments:
        runs: Run folders of models with the same conditions.
        names: Their labels.
        out: The PNG to write.
        seed: Seed of the samples.

    Raises:
        LatentbloomError: A model cannot be loaded, or the models have different conditions.
    """
    from itertools import islice

    import numpy as np

    from latentbloom.model.generator import load
    from latentbloom.pictures.grids import picture_grid, save_picture

    models = [load(run) for run in runs]
    first = models[0]
    if any(model.spec != first.spec for model in models):
        raise LatentbloomError("the models have different conditions")
    if any((m.size, m.channels) != (first.size, first.channels) for m in models):
        raise LatentbloomError("the models make pictures of different sizes or numbers of channels")
    every = list(islice(first.spec.combinations(), PICTURES_A_RUN))
    asked = [every[k % len(every)] for k in range(PICTURES_A_RUN)]
    made = [
        record.image
        for model in models
        for record in model.sample(cond=asked, n=PICTURES_A_RUN, seed=seed)
    ]
    heads = [", ".join(f"{k} {v}" for k, v in one.items()) for one in asked]
    grid = picture_grid(
        np.stack(made),
        rows=len(models),
        row_labels=list(names),
        col_labels=heads,
        title=f"The same conditions and noise for every model, seed {seed}",
    )
    save_picture(out, grid)
