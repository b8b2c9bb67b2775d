"""Latents in two dimensions: principal components and t-SNE."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sklearn.decomposition import PCA

    Numbers = NDArray[np.float32]

_KEPT = 50  # principal components that t-SNE uses
_FFT_FROM = 10_000  # vectors from which interpolation on a grid is faster than a tree


def principal_components(z: Numbers, count: int) -> PCA:
    """The first principal components of latents.

    The largest entry of each component is positive, so that a map does not flip between two
    drawings.

    Arguments:
        z: Latents (N, D).
        count: How many components, at most the smaller of N and D.

    Returns:
        A fitted PCA: `transform` gives coordinates (N, count), `explained_variance_ratio_` the
        share of the variance of each.
    """
    from sklearn.decomposition import PCA

    found = PCA(count, svd_solver="full").fit(z)
    largest = np.abs(found.components_).argmax(axis=1)
    found.components_ *= np.sign(found.components_[np.arange(count), largest])[:, None]
    return found


def class_centres(points: Numbers, classes: np.ndarray, count: int) -> dict[int, Numbers]:
    """The median place (2,) of each class.

    Arguments:
        points: (N, 2).
        classes: int (N,); values outside 0 to `count` - 1 mean no class.
        count: Number of classes; those without a point are left out.
    """
    groups = {k: points[classes == k] for k in range(count)}
    return {k: np.median(group, axis=0) for k, group in groups.items() if len(group)}


def tsne(z: Numbers, *, seed: int = 0) -> Numbers:
    """t-SNE of latents (N, D), N >= 8, started from their principal components.

    Uses openTSNE where it is installed (faster above a few thousand latents), else scikit-learn.

    Returns:
        (N, 2).

    Source: van der Maaten and Hinton 2008; start and learning rate: Kobak and Berens 2019,
    doi:10.1038/s41467-019-13056-x.
    """
    n = len(z)
    reduced = principal_components(z, min(_KEPT, n - 1, z.shape[1])).transform(z)
    perplexity = min(30.0, (n - 1) / 3.0)
    start = 1e-4 * reduced[:, :2] / max(float(reduced[:, 0].std()), 1e-12)
    jobs = os.cpu_count() or 1
    if importlib.util.find_spec("openTSNE") is not None:
        import openTSNE

        far = openTSNE.TSNE(
            perplexity=perplexity,
            initialization=start,
            random_state=seed,
            n_jobs=jobs,
            negative_gradient_method="fft" if n > _FFT_FROM else "bh",
        )
        return np.asarray(far.fit(reduced), np.float32)
    from sklearn import manifold

    near = manifold.TSNE(
        perplexity=perplexity,
        init=start.astype(np.float32),
        max_iter=750,  # openTSNE's 250 and 500
        random_state=seed,
        n_jobs=jobs,
    )
    return np.asarray(near.fit_transform(reduced), np.float32)
