"""Training pictures by colour, a row per colour, to check the colours by eye."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from latentbloom.data.sources.colour_factor import colours_found
from latentbloom.data.sources.options import COLOUR
from latentbloom.figures.scene import MissingPiece, NotApplicable, Scene
from latentbloom.figures.sheets import BLANK, make_sheet
from latentbloom.pictures.grids import picture_grid
from latentbloom.pictures.images import as_uint8, save_picture

SHOWN = 10


def draw_colours(scene: Scene) -> list[Path]:
    """Draw a random choice of training pictures of each colour."""
    train = scene.need_train()
    if COLOUR not in train.spec.names:
        raise NotApplicable(f"{COLOUR} is not a condition of this data; add it with `--factors`")
    column, factor = train.spec.names.index(COLOUR), train.spec.factor(COLOUR)
    found = colours_found(train.source)
    generator = np.random.default_rng(scene.seed)
    tiles, words, known = [], [], []
    for index, value in enumerate(factor.values):
        rows = np.flatnonzero(train.labels[:, column] == index)
        if not len(rows):
            continue
        chosen = generator.permutation(rows)[:SHOWN]
        row = as_uint8(train.images(chosen.tolist()).permute(0, 2, 3, 1).numpy())
        empty = np.full((SHOWN - len(row), *row.shape[1:]), 255, np.uint8)
        tiles.append(np.concatenate([row, empty]))
        words.append(f"{value} ({len(rows):,})")
        known += [{}] * len(row) + [{BLANK: True}] * len(empty)
    if not tiles:
        raise MissingPiece(f"no training picture has a known {COLOUR}")
    how = "Colours as labelled." if found is None else "Colours that latentbloom detected."
    note = f"{how} In brackets: the number of pictures of that colour. A random choice is shown."
    pixels = np.concatenate(tiles)
    about = {"note": note, "found": found is not None}
    make_sheet("colours", pixels, rows=words, cols=SHOWN, pictures=known, about=about).save(
        scene.run
    )
    grid = picture_grid(
        pixels,
        rows=len(tiles),
        row_labels=words,
        title="Colours of the training pictures",
        note=note,
        scale=max(1.0, 96 / train.size),
    )
    return [save_picture(scene.figures / "color_label_sample.png", grid)]
