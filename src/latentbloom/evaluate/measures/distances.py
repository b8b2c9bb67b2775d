"""Distances between two sets of features, with intervals.

Names carry what was measured: `FD@1317/efficientnet-lite2/112` is a Fréchet distance of 1,317
pictures on those features. It is no "FID", which is defined on other features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict


class Interval(BaseModel):
    """A value and where 95 % of repetitions would lie.

    Arguments:
        value: The score.
        low: Lower end.
        high: Upper end.
    """

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float

    @classmethod
    def around(cls, value: float, spread: float, *, reach: float = 1.96) -> Interval:
        """The value, give or take reach * spread, `spread` being a standard error."""
        return cls(value=value, low=value - reach * spread, high=value + reach * spread)

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    r"""Fréchet distance of the Gaussians that fit two sets of features.

    .. math:: d^2 = \lVert\mu_a - \mu_b\rVert^2 + \mathrm{tr}\,\Sigma_a
        + \mathrm{tr}\,\Sigma_b - 2\,\mathrm{tr}(\Sigma_a\Sigma_b)^{1/2}

    With centred data A and B, scaled so that :math:`\Sigma = A^\top A`, the last trace is the
    nuclear norm of :math:`A B^\top`: no square root of a matrix, no complex numbers, and right
    for fewer pictures than features.

    Arguments:
        a: (N, D), N >= 2.
        b: (M, D), M >= 2.

    Returns:
        The squared distance, >= 0. Biased upwards by small sets: compare equal numbers only.

    Source: Dowson and Landau 1982; Heusel et al. 2017, arXiv:1706.08500, equation 6.
    """
    (mean_a, root_a), (mean_b, root_b) = _moments(a), _moments(b)
    shift = (mean_a - mean_b).square().sum()
    overlap = torch.linalg.svdvals(root_a @ root_b.T).sum()
    distance = shift + root_a.square().sum() + root_b.square().sum() - 2.0 * overlap
    return max(0.0, float(distance))


def _moments(features: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean (D,) and a root R (rows, D) of the covariance, R^T R, in float64."""
    if len(features) < 2:
        raise ValueError(f"{len(features)} pictures have no covariance; 2 or more are needed")
    x = torch.from_numpy(np.array(features, np.float64))
    mean = x.mean(dim=0)
    root = (x - mean) / (len(x) - 1) ** 0.5
    if root.shape[0] > root.shape[1]:
        root = torch.linalg.qr(root, mode="r").R
    return mean, root


def kernel_distance(a: np.ndarray, b: np.ndarray) -> float:
    r"""Kernel distance (KID): unbiased squared maximum mean discrepancy, cubic kernel.

    .. math:: k(x, y) = (x \cdot y / D + 1)^3

    All pairs are used, which equals the mean over every possible subset: subset sizes drop
    out. Unbiased, so it may be negative, and sets of different sizes compare.

    Arguments:
        a: (N, D), N >= 2.
        b: (M, D), M >= 2.

    Source: Binkowski et al. 2018, arXiv:1801.01401, section 3.
    """
    return _unbiased(*_kernels(a, b))


def labelled_kernel_distance(
    a: np.ndarray, labels_a: np.ndarray, b: np.ndarray, labels_b: np.ndarray
) -> float:
    r"""Kernel distance of pictures together with their labels.

    .. math:: k((x, y), (x', y')) = k(x, x') \left(1 + \frac{1}{F} \sum_f
        \frac{[y_f = y'_f]}{P(y_f = y'_f)}\right)

    with the kernel of `kernel_distance` and the chance P that two pictures of b agree. It is the
    distance of all pictures, plus the mean distance of those of a label: a good picture of another
    label than the one that was asked for counts as far away.

    Arguments:
        a: (N, D), N >= 2.
        labels_a: int64 (N, F).
        b: (M, D), M >= 2.
        labels_b: int64 (M, F).

    Source: product kernels on joint distributions, Gretton et al. 2012, JMLR 13.
    """
    return _unbiased(*_labelled_kernels(a, labels_a, b, labels_b))


def labelled_kernel_witness(
    a: np.ndarray, labels_a: np.ndarray, b: np.ndarray, labels_b: np.ndarray
) -> np.ndarray:
    r"""What each picture of a adds to `labelled_kernel_distance`, (N,), in first order.

    .. math:: h_i = \frac{1}{N - 1} \sum_{j \ne i} k(a_i, a_j) - \frac{1}{M} \sum_j k(a_i, b_j)

    Where two sets of samples answer the same requests from the same noise, their distances to b
    differ with a standard error of :math:`2\,\mathrm{sd}(h - h') / \sqrt N`: what requests and
    noise have in common drops out.

    The arguments are those of `labelled_kernel_distance`.

    Source: the projection of a U-statistic, Hoeffding 1948; the witness function of Gretton et al.
    2012, JMLR 13.
    """
    within, _, between = _labelled_kernels(a, labels_a, b, labels_b)
    return (within.sum(axis=1) - np.diagonal(within)) / (len(a) - 1) - between.mean(axis=1)


def _labelled_kernels(
    a: np.ndarray, labels_a: np.ndarray, b: np.ndarray, labels_b: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    def agree(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        same = one[:, None] == other[None]  # (n, m, F)
        return 1.0 + (same / chance).mean(axis=-1)

    chance = np.maximum((labels_b[:, None] == labels_b[None]).mean(axis=(0, 1)), 1e-12)
    kaa, kbb, kab = _kernels(a, b)
    return (
        kaa * agree(labels_a, labels_a),
        kbb * agree(labels_b, labels_b),
        kab * agree(labels_a, labels_b),
    )


def _kernels(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if min(len(a), len(b)) < 2:
        raise ValueError(f"{len(a)} and {len(b)} pictures: 2 or more of each are needed")
    a64, b64 = np.asarray(a, np.float64), np.asarray(b, np.float64)

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x @ y.T / x.shape[1] + 1.0) ** 3

    return kernel(a64, a64), kernel(b64, b64), kernel(a64, b64)


def _unbiased(within_a: np.ndarray, within_b: np.ndarray, between: np.ndarray) -> float:
    def off_diagonal(k: np.ndarray) -> float:
        return float((k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)))

    return off_diagonal(within_a) + off_diagonal(within_b) - 2.0 * float(between.mean())


def frechet_interval(a: np.ndarray, b: np.ndarray, *, repeats: int = 16, seed: int = 0) -> Interval:
    """Fréchet distance with the interval of `half_samples`, which resamples both sets."""
    value = frechet_distance(a, b)
    return half_samples(
        lambda i, j: frechet_distance(a[i], b[j]), value, len(a), len(b), repeats, seed
    )


def kernel_interval(a: np.ndarray, b: np.ndarray, *, repeats: int = 200, seed: int = 0) -> Interval:
    """Kernel distance with the interval of `half_samples`, which resamples both sets."""
    kaa, kbb, kab = _kernels(a, b)
    value = _unbiased(kaa, kbb, kab)
    # All halves at once: a column of ones and zeros for each.
    chosen_a, chosen_b = np.zeros((len(a), repeats)), np.zeros((len(b), repeats))
    for column, (i, j) in enumerate(_halves(len(a), len(b), repeats, seed)):
        chosen_a[i, column] = 1.0
        chosen_b[j, column] = 1.0

    def within(kernel: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        pairs = (chosen * (kernel @ chosen)).sum(axis=0) - np.diagonal(kernel) @ chosen
        count = len(kernel) // 2
        return pairs / (count * (count - 1))

    between = (chosen_a * (kab @ chosen_b)).sum(axis=0) / ((len(a) // 2) * (len(b) // 2))
    draws = within(kaa, chosen_a) + within(kbb, chosen_b) - 2.0 * between
    return _around_draws(value, draws)


def half_samples(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    value: float,
    n: int,
    m: int,
    repeats: int,
    seed: int,
) -> Interval:
    """An interval from random halves of two sets, drawn without repeats.

    The spread of a statistic over random halves is its standard error on the whole: the
    variance of a half is twice that of the whole, and conditioning on the whole takes one of
    the two away. Drawing with repeats, the usual bootstrap, would not do: a picture that is
    drawn twice makes a distance look larger.

    Arguments:
        statistic: Called with row numbers of the first and of the second set.
        value: The statistic of the whole.
        n: Pictures in the first set, >= 4.
        m: Pictures in the second set, >= 4.
        repeats: How many halves.
        seed: Of the draws.

    Source: Politis and Romano 1994, Annals of Statistics 22, section 2 (subsampling).
    """
    draws = [statistic(i, j) for i, j in _halves(n, m, repeats, seed)]
    return _around_draws(value, np.array(draws))


def _halves(n: int, m: int, repeats: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(seed)
    for _ in range(repeats):
        yield generator.permutation(n)[: n // 2], generator.permutation(m)[: m // 2]


def _around_draws(value: float, draws: np.ndarray) -> Interval:
    """The spread of the draws is the standard error; few draws, wider by Student's t."""
    from scipy.stats import t as student

    reach = float(student.ppf(0.975, len(draws) - 1))
    return Interval.around(value, float(np.std(draws, ddof=1)), reach=reach)


def share_interval(hits: np.ndarray) -> Interval:
    """A share of yes among independent yes and no, with Wilson's interval.

    Arguments:
        hits: bool (N,), N >= 1.

    Source: Wilson 1927, Journal of the American Statistical Association 22.
    """
    n, z = len(hits), 1.96
    p = float(np.mean(hits))
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return Interval(value=p, low=max(0.0, centre - reach), high=min(1.0, centre + reach))


def bootstrap(
    statistic: Callable[[np.ndarray], float], n: int, *, repeats: int = 500, seed: int = 0
) -> Interval:
    """Percentile bootstrap of a statistic of n independent rows.

    Arguments:
        statistic: Called with row numbers (n,), with repeats.
        n: Rows, >= 2.
        repeats: How many draws.
        seed: Of the draws.

    Source: Efron 1979, Annals of Statistics 7.
    """
    generator = np.random.default_rng(seed)
    draws = [statistic(generator.integers(0, n, n)) for _ in range(repeats)]
    low, high = np.percentile(draws, [2.5, 97.5])
    return Interval(value=statistic(np.arange(n)), low=float(low), high=float(high))
