"""Real pictures with one condition changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from latentbloom.figures.condition_words import phrase
from latentbloom.figures.scene import NotApplicable, Scene, spread_indices
from latentbloom.figures.sheets import make_sheet
from latentbloom.pictures.grids import picture_grid
from latentbloom.pictures.images import as_uint8, save_picture

if TYPE_CHECKING:
    from latentbloom.conditions import ConditionSpec, Factor
    from latentbloom.model.editing.edit_records import EditRecord

_PICTURES = 6
_MOST_FACTORS = 4
_STEPS = (0.2, 0.4, 0.6, 0.8, 1.0)


def draw_edits(scene: Scene) -> list[Path]:
    """Held-out pictures beside edits of them: each factor in turn, or one factor by strength."""
    from latentbloom.model.editing.defaults import STRENGTH

    model = scene.need_model()
    factors = [f for f in model.spec.factors if len(f.values) > 1][:_MOST_FACTORS]
    if not factors:
        raise NotApplicable("the model has no condition with two values, so nothing to change")
    images, which = scene.real()
    indices = spread_indices(len(images), _PICTURES, scene.seed)
    pixels = images.images(indices)
    known = _labels(model.spec, images.spec.words(images.cond(indices)))
    source = known
    if any(len(labels) < len(model.spec.names) for labels in known):
        found, _ = model.find_source(pixels)
        source = [{**shown, **labels} for shown, labels in zip(found, known, strict=True)]
    strengths = _STEPS if len(factors) == 1 else (STRENGTH,)
    columns = []
    for factor in factors:
        to = [{factor.name: _other(factor, s[factor.name], k)} for k, s in enumerate(source)]
        columns += model.edit_strip(pixels, to, strengths=strengths, source=source, seed=scene.seed)
    heads = ["original"] + (
        [f"strength {s:g}" for s in strengths]
        if len(factors) == 1
        else [f"{f.name} changed" for f in factors]
    )
    table = np.stack([as_uint8(pixels), *(as_uint8(column.pixels) for column in columns)], axis=1)
    tiles = table.reshape(-1, *table.shape[2:])  # (pictures * columns, H, W, 3)
    captions = [
        words
        for k in range(len(indices))
        for words in (phrase(source[k]), *(_caption(column[k]) for column in columns))
    ]
    labels = [f"picture {k + 1}" for k in range(len(indices))]
    note = (
        f"{which.capitalize()} pictures, and what the model makes of each when one condition is "
        f"changed and the rest is kept (FlowEdit"
        + (")." if len(factors) == 1 else f", strength {STRENGTH:g}).")
    )
    make_sheet(
        "edits",
        tiles,
        rows=labels,
        cols=len(heads),
        pictures=[{"caption": words} for words in captions],
        about={"note": note, "heads": heads},
    ).save(scene.run)
    grid = picture_grid(
        tiles,
        rows=len(labels),
        col_labels=heads,
        captions=captions,
        title="Real pictures, edited",
        note=note,
    )
    return [save_picture(scene.figures / "edits.png", grid)]


def _labels(spec: ConditionSpec, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The known labels that the model has words for; another source may have others."""
    return [
        {f.name: words[f.name] for f in spec.factors if words.get(f.name) in f.values}
        for words in rows
    ]


def _other(factor: Factor, value: str, turn: int) -> str:
    """Another value, a different one for each picture."""
    others = [v for v in factor.values if v != value]
    return others[turn % len(others)]


def _caption(edit: EditRecord) -> str:
    return phrase({name: edit.cond[name] for name in edit.changed})
