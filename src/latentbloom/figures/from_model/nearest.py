"""Samples beside their nearest training pictures, to see whether the model copies them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from latentbloom.errors import RunFolderError
from latentbloom.figures.condition_words import phrase
from latentbloom.figures.maps.latent_points import real_latents
from latentbloom.figures.scene import HELD_OUT, Scene, float_images, spread_indices
from latentbloom.figures.sheets import make_sheet
from latentbloom.pictures.grids import picture_grid
from latentbloom.pictures.images import as_uint8, save_picture

NEIGHBOURS = 5
_SAMPLES = 8
_SEARCHED = 20_000


def draw_neighbours(scene: Scene) -> list[Path]:
    """Draw samples beside the training pictures with the nearest latents."""
    model = scene.need_model()
    conditions = scene.conditions(_SAMPLES)
    asked = [conditions[k % len(conditions)] for k in range(_SAMPLES)]
    records = model.sample(asked, seed=scene.seed)
    z = np.stack([r.z.flatten().float().numpy() for r in records])
    train, indices = _train_latents(scene)
    distances = np.sqrt(np.maximum(_squared(z, train), 0.0) / z.shape[1])
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :NEIGHBOURS]
    rows, captions = [], []
    images = scene.need_train()
    for r, record in enumerate(records):
        found = [indices[k] for k in nearest[r]]
        rows.append(as_uint8(record.image[None]))
        rows.append(as_uint8(float_images(images, found)))
        captions += ["sample", *(f"{distances[r, k]:.2f}" for k in nearest[r])]
    pixels = np.concatenate(rows)
    labels = [phrase(words) for words in asked]
    usual = _usual_distance(scene, train)
    note = (
        f"Left: a sample. Right: the nearest of {len(train):,} training pictures, with the "
        "distance of the latents (root mean square over their dimensions). A copy would have a "
        f"distance near 0 and look the same.{usual}"
    )
    make_sheet(
        "neighbours",
        pixels,
        rows=labels,
        cols=NEIGHBOURS + 1,
        pictures=[{"caption": caption} for caption in captions],
        about={"note": note},
    ).save(scene.run)
    grid = picture_grid(
        pixels,
        rows=len(records),
        row_labels=labels,
        captions=captions,
        note=note,
        title="Nearest training pictures",
        scale=max(1, round(96 / model.size)),
    )
    return [save_picture(scene.figures / "neighbours.png", grid)]


def _train_latents(scene: Scene) -> tuple[np.ndarray, list[int]]:
    """Latents (N, D) of training pictures, from the cache where possible; and their indices."""
    from latentbloom.latents.cache import LatentCache

    images = scene.need_train(NEIGHBOURS)
    model = scene.need_model()
    try:
        cache = LatentCache(scene.run / "latents" / "train")
        if cache.manifest.get("images") == images.fingerprint:
            indices = spread_indices(len(images), _SEARCHED, scene.seed)
            return cache.posterior(indices)[0].flatten(1).numpy(), indices
    except (RunFolderError, OSError):
        pass
    indices = spread_indices(len(images), _SEARCHED // 5, scene.seed)
    parts = [
        model.encode(float_images(images, indices[k : k + 256])).mean.flatten(1).numpy()
        for k in range(0, len(indices), 256)
    ]
    return np.concatenate(parts), indices


def _squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances (N, M) of rows (N, D) and (M, D)."""
    return (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T


def _usual_distance(scene: Scene, train: np.ndarray) -> str:
    """The usual distance of held-out pictures to training pictures, as a sentence."""
    if scene.val is None:
        return ""
    real, which = real_latents(scene)
    if which != HELD_OUT:
        return ""
    z = real.z[:400]
    nearest = np.sqrt(np.maximum(_squared(z, train).min(axis=1), 0.0) / z.shape[1])
    low, middle = np.quantile(nearest, [0.01, 0.5])
    return (
        f" For held-out pictures the median distance is {middle:.2f}, and 1% of them are closer "
        f"than {low:.2f}."
    )
