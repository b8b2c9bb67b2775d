"""Samples of several runs side by side, from the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from latentbloom.errors import LatentbloomError

PICTURES_A_RUN = 8


def compare_picture(
    runs: Sequence[Path], names: Sequence[str], out: Path, *, seed: int = 0
) -> None:
    """A row of samples a run, with the same seed and the same things asked.

    Arguments:
        runs: Run folders of models with the same conditions.
        names: What to call them.
        out: The PNG to write.
        seed: Of the samples.

    Raises:
        LatentbloomError: A model cannot be loaded, or they know different conditions.
    """
    from itertools import islice

    import numpy as np

    from latentbloom.model.generator import load
    from latentbloom.pictures.grids import picture_grid, save_picture

    models = [load(run) for run in runs]
    first = models[0]
    if any(model.spec != first.spec for model in models):
        raise LatentbloomError("the models know different conditions")
    if any((m.size, m.channels) != (first.size, first.channels) for m in models):
        raise LatentbloomError("the models draw pictures of different sizes or colours")
    every = list(islice(first.spec.combinations(), PICTURES_A_RUN))
    asked = [every[k % len(every)] for k in range(PICTURES_A_RUN)]
    drawn = [
        record.image
        for model in models
        for record in model.sample(cond=asked, n=PICTURES_A_RUN, seed=seed)
    ]
    heads = [", ".join(f"{k} {v}" for k, v in one.items()) for one in asked]
    grid = picture_grid(
        np.stack(drawn),
        rows=len(models),
        row_labels=list(names),
        col_labels=heads,
        title=f"The same asked of each, seed {seed}",
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    save_picture(out, grid)
