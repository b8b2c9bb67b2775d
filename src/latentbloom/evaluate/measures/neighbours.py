"""Who lies near whom in feature space: copying, diversity, precision and recall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from latentbloom.evaluate.measures.distances import Interval

_CHUNK = 4096


def nearest(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row of `a`, the distance to its nearest row of `b`, and which one it is.

    Arguments:
        a: (N, D).
        b: (M, D), M >= 1.

    Returns:
        float32 (N,) and int64 (N,).
    """
    x = torch.from_numpy(np.array(a, np.float32))
    best = torch.full((len(x),), torch.inf)
    which = torch.zeros(len(x), dtype=torch.long)
    for start in range(0, len(b), _CHUNK):
        y = torch.from_numpy(np.array(b[start : start + _CHUNK], np.float32))
        values, places = _distances(x, y).min(dim=1)
        closer = values < best
        best = torch.where(closer, values, best)
        which = torch.where(closer, places + start, which)
    return best.numpy(), which.numpy()


def _distances(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.cdist(x, y, compute_mode="use_mm_for_euclid_dist")


@dataclass(frozen=True)
class Copying:
    """How near samples come to training pictures.

    Arguments:
        threshold: 99 % of kept-aside real pictures are farther than this from training.
        distances: float32 (N,): of samples to their nearest training pictures.
        partners: int64 (N,): rows of those training pictures.
    """

    threshold: float
    distances: np.ndarray
    partners: np.ndarray

    @property
    def suspicious(self) -> np.ndarray:
        """Mask (N,): nearer than the threshold. Of new real pictures 1 % would be."""
        return self.distances < self.threshold


def copying(samples: np.ndarray, val: np.ndarray, train: np.ndarray) -> Copying:
    """Compare the samples' nearest training pictures with those of kept-aside pictures.

    Arguments:
        samples: (N, D).
        val: (M, D).
        train: (K, D).
    """
    distances, partners = nearest(samples, train)
    threshold = float(np.quantile(nearest(val, train)[0], 0.01))
    return Copying(threshold, distances, partners)


def spread(features: np.ndarray) -> float:
    """Mean distance between two different pictures.

    Arguments:
        features: (N, D), N >= 2.
    """
    x = torch.from_numpy(np.array(features[:2000], np.float32))
    return float(torch.nn.functional.pdist(x).mean())


@dataclass(frozen=True)
class Manifolds:
    """Distances between samples and real pictures, from which the four scores follow.

    A ball around a picture reaches to its k-th neighbour of the same set. Precision: share of
    samples in a real ball. Recall: share of real pictures in a sample's ball. Density: real
    balls a sample lies in, over k. Coverage: share of real balls with a sample in them.

    Source: Kynkäänniemi et al. 2019, arXiv:1904.06991; Naeem et al. 2020, arXiv:2002.09797.

    Arguments:
        between: (N, M), sample to real.
        reach_samples: (N,), radius of each sample's ball.
        reach_real: (M,), radius of each real picture's ball.
        k: Which neighbour the balls reach to.
    """

    between: np.ndarray
    reach_samples: np.ndarray
    reach_real: np.ndarray
    k: int

    @classmethod
    def of(cls, samples: np.ndarray, real: np.ndarray, *, k: int = 3) -> Manifolds:
        """Measure sets (N, D) and (M, D), both larger than k."""
        x = torch.from_numpy(np.array(samples, np.float32))
        y = torch.from_numpy(np.array(real, np.float32))
        if min(len(x), len(y)) <= k:
            raise ValueError(f"{len(x)} samples and {len(y)} real pictures; more than {k} needed")

        def reach(z: torch.Tensor) -> np.ndarray:
            within = _distances(z, z)
            within.fill_diagonal_(0.0)
            return within.kthvalue(k + 1, dim=1).values.numpy()

        return cls(_distances(x, y).numpy(), reach(x), reach(y), k)

    def scores(self) -> dict[str, Interval]:
        """Precision, recall, density and coverage, with a bootstrap over pictures.

        The balls stay as they are and pictures are drawn with repeats: those whose share is
        taken, that is samples for precision and density, real ones for recall and coverage.
        """
        in_real = self.between <= self.reach_real[None, :]
        in_samples = self.between <= self.reach_samples[:, None]
        rows: dict[str, np.ndarray] = {
            "precision": np.asarray(in_real.any(axis=1)),
            "recall": np.asarray(in_samples.any(axis=0)),
            "density": in_real.sum(axis=1) / self.k,
            "coverage": np.asarray(in_real.any(axis=0)),
        }
        return {name: mean_interval(values) for name, values in rows.items()}


def mean_interval(values: np.ndarray) -> Interval:
    """A mean of independent numbers, give or take 1.96 standard errors."""
    numbers = np.asarray(values, np.float64)
    error = float(numbers.std(ddof=1) / np.sqrt(len(numbers))) if len(numbers) > 1 else 0.0
    return Interval.around(float(numbers.mean()), error)
