"""Latents in two dimensions: principal components and t-SNE."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float32]

_KEPT = 50  # principal components that t-SNE looks at
_FFT_FROM = 10_000  # vectors from which interpolation on a grid is quicker than a tree


@dataclass(frozen=True)
class Plane:
    """The plane of greatest variance.

    Attributes:
        mean: (D,).
        axes: (2, D), orthonormal.
        share: Share of the variance along each.
    """

    mean: Numbers
    axes: Numbers
    share: tuple[float, float]

    def __call__(self, z: Numbers) -> Numbers:
        """Coordinates (N, 2) of latents (N, D)."""
        return np.asarray((z - self.mean) @ self.axes.T, np.float32)


def principal_plane(z: Numbers) -> Plane:
    """Plane of the two principal components of latents (N, D), N >= 3.

    The sign of an axis is chosen so that its largest entry is positive, which keeps a map from
    flipping between two drawings.
    """
    mean = z.mean(0)
    values, vectors = np.linalg.eigh(np.cov(z - mean, rowvar=False))
    axes = vectors[:, ::-1][:, :2].T
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[np.arange(2), largest])[:, None]
    share = values[::-1][:2] / max(values.sum(), 1e-12)
    return Plane(mean, axes.astype(np.float32), (float(share[0]), float(share[1])))


def class_centres(points: Numbers, classes: np.ndarray, count: int) -> dict[int, Numbers]:
    """The median place (2,) of each class.

    Arguments:
        points: (N, 2).
        classes: int (N,); what is outside of 0 to `count` - 1 is of no class.
        count: Number of classes; those without a point are left out.
    """
    groups = {k: points[classes == k] for k in range(count)}
    return {k: np.median(group, axis=0) for k, group in groups.items() if len(group)}


def tsne(z: Numbers, *, seed: int = 0) -> Numbers:
    """t-SNE of latents (N, D), N >= 8, begun at their principal components.

    openTSNE does it where it is installed (fast from some thousands on), else scikit-learn.

    Returns:
        (N, 2).

    Source: van der Maaten and Hinton 2008; start and learning rate: Kobak and Berens 2019,
    doi:10.1038/s41467-019-13056-x.
    """
    n = len(z)
    kept = min(_KEPT, n - 1, z.shape[1])
    _, vectors = np.linalg.eigh(np.cov(z, rowvar=False))
    reduced = (z - z.mean(0)) @ vectors[:, ::-1][:, :kept]
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
