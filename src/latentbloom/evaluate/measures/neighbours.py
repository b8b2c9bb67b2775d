"""Nearest neighbours in feature space: copying, diversity, precision, recall and coverage.

Distances are computed in blocks, so that memory does not grow with the square of the pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from latentbloom.evaluate.measures.intervals import Interval, mean_interval

BLOCK = 4096
"""Rows of either side whose distances are in memory at once: 64 MiB in float32."""


def nearest(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row of `a`, the distance to its nearest row of `b`, and which one it is.

    Arguments:
        a: (N, D).
        b: (M, D), M >= 1.

    Returns:
        float32 (N,) and int64 (N,).
    """
    best = torch.full((len(a),), torch.inf)
    which = torch.zeros(len(a), dtype=torch.long)
    for rows, columns, distances in _blocks(a, b):
        values, places = distances.min(dim=1)
        closer = values < best[rows]
        best[rows] = torch.where(closer, values, best[rows])
        which[rows] = torch.where(closer, places + columns.start, which[rows])
    return best.numpy(), which.numpy()


def _blocks(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[slice, slice, torch.Tensor]]:
    """Rows of a, rows of b, and the Euclidean distances between them, block by block."""
    for top in range(0, len(a), BLOCK):
        rows = slice(top, min(top + BLOCK, len(a)))
        x = torch.from_numpy(np.array(a[rows], np.float32))
        for left in range(0, len(b), BLOCK):
            columns = slice(left, min(left + BLOCK, len(b)))
            y = torch.from_numpy(np.array(b[columns], np.float32))
            yield rows, columns, torch.cdist(x, y, compute_mode="use_mm_for_euclid_dist")


@dataclass(frozen=True)
class Copying:
    """How near samples come to training pictures.

    Arguments:
        threshold: 99 % of held-out real pictures are farther than this from training.
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
    """Compare the samples' nearest training pictures with those of held-out pictures.

    Arguments:
        samples: (N, D).
        val: (M, D).
        train: (K, D).
    """
    distances, partners = nearest(samples, train)
    threshold = float(np.quantile(nearest(val, train)[0], 0.01))
    return Copying(threshold, distances, partners)


def spread(features: np.ndarray) -> float:
    """Mean distance between two different pictures, of the first 2,000.

    Arguments:
        features: (N, D), N >= 2.
    """
    x = torch.from_numpy(np.array(features[:2000], np.float32))
    return float(torch.nn.functional.pdist(x).mean())


@dataclass(frozen=True)
class Manifolds:
    """Which samples lie near real pictures, and which real pictures near samples.

    A ball around a picture reaches to its k-th neighbour of the same set. Precision: share of
    samples in a real ball. Recall: share of real pictures in a sample's ball. Density: real
    balls a sample lies in, over k. Coverage: share of real balls with a sample in them.

    Source: Kynkäänniemi et al. 2019, arXiv:1904.06991; Naeem et al. 2020, arXiv:2002.09797.

    Arguments:
        real_balls: int64 (N,): in how many real balls each sample lies.
        in_samples: bool (M,): whether each real picture lies in a sample's ball.
        covered: bool (M,): whether each real picture's ball holds a sample.
        k: Which neighbour the balls reach to.
    """

    real_balls: np.ndarray
    in_samples: np.ndarray
    covered: np.ndarray
    k: int

    @classmethod
    def of(cls, samples: np.ndarray, real: np.ndarray, *, k: int = 3) -> Manifolds:
        """Measure sets (N, D) and (M, D), both larger than k."""
        if min(len(samples), len(real)) <= k:
            raise ValueError(
                f"{len(samples)} samples and {len(real)} real pictures; more than {k} needed"
            )
        reach_samples, reach_real = _reach(samples, k), _reach(real, k)
        real_balls = torch.zeros(len(samples), dtype=torch.long)
        in_samples = torch.zeros(len(real), dtype=torch.bool)
        covered = torch.zeros(len(real), dtype=torch.bool)
        for rows, columns, distances in _blocks(samples, real):
            inside = distances <= reach_real[columns]
            real_balls[rows] += inside.sum(dim=1)
            covered[columns] |= inside.any(dim=0)
            in_samples[columns] |= (distances <= reach_samples[rows, None]).any(dim=0)
        return cls(real_balls.numpy(), in_samples.numpy(), covered.numpy(), k)

    def scores(self) -> dict[str, Interval]:
        """Precision, recall, density and coverage, each a mean over pictures with its interval.

        The balls are taken as given. The mean is over samples for precision and density, over real
        pictures for recall and coverage.
        """
        rows = {
            "precision": self.real_balls > 0,
            "recall": self.in_samples,
            "density": self.real_balls / self.k,
            "coverage": self.covered,
        }
        return {name: mean_interval(values) for name, values in rows.items()}


def _reach(features: np.ndarray, k: int) -> torch.Tensor:
    """Distance of each row to its k-th neighbour among the others, float32 (N,)."""
    # The nearest k + 1 so far: a row itself is one of them, at distance 0.
    nearest_ones = torch.full((len(features), k + 1), torch.inf)
    for rows, columns, distances in _blocks(features, features):
        if rows == columns:
            distances.fill_diagonal_(0.0)
        candidates = torch.cat([nearest_ones[rows], distances], dim=1)
        nearest_ones[rows] = candidates.topk(k + 1, dim=1, largest=False).values
    return nearest_ones[:, k]
