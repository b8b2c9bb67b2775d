"""Kernel distances between two sets of features.

The kernel is computed in blocks of rows, so that memory does not grow with the square of the
pictures: that matrix takes 2.9 GiB for CelebA's 19,867 held-out pictures.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from latentbloom.evaluate.measures.intervals import Interval, random_halves

BLOCK_VALUES = 2**23
"""Values of a kernel in memory at once, in float64: 64 MiB, for any number of pictures."""


def kernel_distance(a: np.ndarray, b: np.ndarray) -> float:
    r"""Kernel distance (KID): unbiased squared maximum mean discrepancy, cubic kernel.

    .. math:: k(x, y) = (x \cdot y / D + 1)^3

    All pairs are used, which equals the mean over every possible subset: there is no subset size
    to choose. Unbiased, so it may be negative, and sets of different sizes compare.

    Arguments:
        a: (N, D), N >= 2.
        b: (M, D), M >= 2.

    Source: Binkowski et al. 2018, arXiv:1801.01401, section 3.
    """
    return _distance(_Pairs(a, b))


def kernel_interval(a: np.ndarray, b: np.ndarray, *, repeats: int = 200, seed: int = 0) -> Interval:
    """Kernel distance with the interval of `half_samples`, which resamples both sets."""
    # The whole and all halves at once: a column of ones and zeros for each.
    chosen_a, chosen_b = np.ones((len(a), 1 + repeats)), np.ones((len(b), 1 + repeats))
    chosen_a[:, 1:] = chosen_b[:, 1:] = 0.0
    for column, (i, j) in enumerate(random_halves(len(a), len(b), repeats, seed), start=1):
        chosen_a[i, column] = 1.0
        chosen_b[j, column] = 1.0
    found = _Pairs(a, b).distances(chosen_a, chosen_b)
    return Interval.from_draws(float(found[0]), found[1:])


def biased_kernel_distance(a: np.ndarray, b: np.ndarray) -> float:
    r"""Kernel distance that counts the pairs of a picture and itself, too.

    It is never below 0, so that ratios mean something. It is larger for smaller sets, so that only
    sets of equal sizes compare.

    Arguments:
        a: (N, D), N >= 2.
        b: (M, D), M >= 2.

    Source: Gretton et al. 2012, JMLR 13, equation 5.
    """
    pairs = _Pairs(a, b)
    blocks = (pairs.within_a(), pairs.within_b(), pairs.between())
    within_a, within_b, between = (np.concatenate([k.mean(axis=1) for _, k in b]) for b in blocks)
    return float(within_a.mean() + within_b.mean() - 2.0 * between.mean())


def kernel_witness(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    r"""Half of what each picture of a adds to `biased_kernel_distance`, (N,), in first order.

    .. math:: h_i = \frac{1}{N} \sum_j k(a_i, a_j) - \frac{1}{M} \sum_j k(a_i, b_j)

    Where two sets of samples answer the same requests from the same noise, their distances to b
    differ with a standard error of :math:`2\,\mathrm{sd}(h - h') / \sqrt N`: what requests and
    noise have in common cancels.

    The arguments are those of `biased_kernel_distance`.

    Source: the projection of a U-statistic, Hoeffding 1948; the witness function of Gretton et al.
    2012, JMLR 13.
    """
    pairs = _Pairs(a, b)
    within, between = (
        np.concatenate([k.mean(axis=1) for _, k in blocks])
        for blocks in (pairs.within_a(), pairs.between())
    )
    return within - between


Blocks = Iterator[tuple[slice, np.ndarray]]
"""Row numbers, and those rows of a kernel matrix."""


class _Pairs:
    """The three kernel matrices of two sets, in blocks of rows.

    Arguments:
        a: (N, D), N >= 2.
        b: (M, D), M >= 2.
    """

    def __init__(self, a: np.ndarray, b: np.ndarray) -> None:
        if min(len(a), len(b)) < 2:
            raise ValueError(f"{len(a)} and {len(b)} pictures: 2 or more of each are needed")
        self.features = np.asarray(a, np.float64), np.asarray(b, np.float64)

    def within_a(self) -> Blocks:
        return self._blocks(0, 0)

    def within_b(self) -> Blocks:
        return self._blocks(1, 1)

    def between(self) -> Blocks:
        return self._blocks(0, 1)

    def distances(self, chosen_a: np.ndarray, chosen_b: np.ndarray) -> np.ndarray:
        """The unbiased squared maximum mean discrepancy of K pairs of subsets, (K,).

        Arguments:
            chosen_a: (N, K), 1 where a picture of a is in the subset, else 0.
            chosen_b: (M, K), the same for b.
        """
        total = np.zeros(chosen_a.shape[1])
        for rows, k in self.between():
            total += (chosen_a[rows] * (k @ chosen_b)).sum(axis=0)
        between = total / (chosen_a.sum(axis=0) * chosen_b.sum(axis=0))
        within = _within(self.within_a(), chosen_a) + _within(self.within_b(), chosen_b)
        return within - 2.0 * between

    def _blocks(self, one: int, other: int) -> Blocks:
        x, y = self.features[one], self.features[other]
        size = max(1, BLOCK_VALUES // len(y))
        for start in range(0, len(x), size):
            rows = slice(start, start + size)
            kernel = x[rows] @ y.T
            kernel /= x.shape[1]
            kernel += 1.0
            np.power(kernel, 3, out=kernel)
            yield rows, kernel


def _within(blocks: Blocks, chosen: np.ndarray) -> np.ndarray:
    """Mean kernel of two different pictures of each subset, (K,)."""
    total = np.zeros(chosen.shape[1])
    for rows, k in blocks:
        total += (chosen[rows] * (k @ chosen)).sum(axis=0)
        total -= np.diagonal(k[:, rows]) @ chosen[rows]
    count = chosen.sum(axis=0)
    return total / (count * (count - 1.0))


def _distance(pairs: _Pairs) -> float:
    """The distance of the whole sets."""
    whole = (np.ones((len(x), 1)) for x in pairs.features)
    return float(pairs.distances(*whole)[0])
