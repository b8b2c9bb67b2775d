"""The latent map of a page: two principal components, real latents as dots, samples as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from latentbloom.errors import RunFolderError
from latentbloom.figures.maps.latent_points import combination
from latentbloom.figures.maps.projection import principal_components
from latentbloom.figures.scene import spread_indices
from latentbloom.latents.cache import LatentCache
from latentbloom.model.generator import Model

MOST_DOTS = 600
SAMPLES = 48
FEWEST = 16


def map_data(model: Model, run: Path) -> dict[str, Any] | None:
    """What the page draws its map from; None for a model on pixels.

    Real pictures appear as dots alone, so that the page can be shared where they cannot. The
    pictures on the map are samples, decoded by the page.

    Arguments:
        model: The model.
        run: Its folder, with cached latents.

    Returns:
        `mean` (D,), `axes` (2, D), `spread` (2,): latent = mean + x axes[0] + y axes[1]; `dots`, a
        list of [x, y, label index of the first factor]; `samples` with flat latents and labels.
    """
    if not model.reconstructs:
        return None
    samples = _samples(model)
    z = np.stack([record.z.flatten().numpy() for record in samples])
    real, labels = _real_latents(model, run)
    plane = principal_components(real if len(real) >= FEWEST else z, 2)
    mean, axes = plane.mean_, plane.components_
    dots = (real - mean) @ axes.T if len(real) else np.zeros((0, 2))
    places = np.concatenate([dots, (z - mean) @ axes.T])
    first = model.spec.factors[0]
    return {
        "mean": _rounded(mean),
        "axes": [_rounded(axis) for axis in axes],
        "spread": _rounded(np.abs(places).max(axis=0)),
        "explained": _rounded(plane.explained_variance_ratio_),
        "dots": [[*_rounded(place), int(k)] for place, k in zip(dots, labels, strict=True)],
        "samples": [
            {"z": _rounded(row), "label": first.index(record.cond.get(first.name, "any"))}
            for row, record in zip(z, samples, strict=True)
        ],
    }


def _samples(model: Model) -> Any:
    spec = model.spec
    count = int(np.prod([len(factor.values) for factor in spec.factors], dtype=float))
    places = [number * count // SAMPLES for number in range(SAMPLES)]
    return model.sample([combination(spec, place) for place in places], seed=1)


def _real_latents(model: Model, run: Path) -> tuple[np.ndarray, np.ndarray]:
    """Cached latents (N, D) of held-out or training pictures, and labels of the first factor."""
    for split in ("val", "train"):
        try:
            cache = LatentCache(run / "latents" / split)
        except (RunFolderError, OSError):
            continue
        if len(cache) < FEWEST:
            continue
        indices = spread_indices(len(cache), MOST_DOTS, 0)
        mean, _ = cache.posterior(indices)
        labels = cache.cond(model.spec, indices)[model.spec.names[0]]
        return mean.flatten(1).float().numpy(), labels.numpy()
    width = int(np.prod(model.autoencoder.latent_shape))
    return np.zeros((0, width), np.float32), np.zeros(0, int)


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.4g}") for value in np.asarray(values).ravel()]
