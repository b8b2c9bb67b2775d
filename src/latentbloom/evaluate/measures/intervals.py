"""Values with their 95 % intervals: of shares, means, other statistics, and pairs of sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from pydantic import BaseModel, ConfigDict


class Interval(BaseModel):
    """A value and its 95 % confidence interval.

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
    def around(cls, value: float, error: float, *, reach: float = 1.96) -> Interval:
        """The value plus and minus reach times its standard error."""
        return cls(value=value, low=value - reach * error, high=value + reach * error)

    @classmethod
    def from_draws(cls, value: float, draws: np.ndarray) -> Interval:
        """The value, with the standard deviation of the draws as its standard error.

        Few draws give a wider interval, by Student's t.
        """
        from scipy.stats import t as student

        reach = float(student.ppf(0.975, len(draws) - 1))
        return cls.around(value, float(np.std(draws, ddof=1)), reach=reach)

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


def share_interval(hits: np.ndarray) -> Interval:
    """The share of true values among independent ones, with Wilson's interval.

    Arguments:
        hits: bool (N,), N >= 1.

    Source: Wilson 1927, Journal of the American Statistical Association 22.
    """
    from scipy.stats import binomtest

    found = binomtest(int(np.sum(hits)), len(hits))
    low, high = found.proportion_ci(confidence_level=0.95, method="wilson")
    return Interval(value=float(found.statistic), low=float(low), high=float(high))


def mean_interval(values: np.ndarray) -> Interval:
    """The mean of independent values, plus and minus 1.96 standard errors.

    Arguments:
        values: (N,), N >= 1; a single value gets an interval of no width.
    """
    numbers = np.asarray(values, np.float64)
    error = float(numbers.std(ddof=1) / np.sqrt(len(numbers))) if len(numbers) > 1 else 0.0
    return Interval.around(float(numbers.mean()), error)


def bootstrap(
    statistic: Callable[[np.ndarray], float], n: int, *, repeats: int = 500, seed: int = 0
) -> Interval:
    """Percentile bootstrap of a statistic of n independent rows.

    Arguments:
        statistic: Called with row numbers (n,), drawn with replacement.
        n: Rows, >= 1; a single row gets an interval of no width.
        repeats: How many resamples.
        seed: Of the resamples.

    Source: Efron 1979, Annals of Statistics 7.
    """
    from scipy import stats

    rows = np.arange(n)
    value = statistic(rows)
    if n < 2:
        return Interval(value=value, low=value, high=value)
    found = stats.bootstrap(
        (rows,),
        statistic,
        n_resamples=repeats,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    low, high = found.confidence_interval
    return Interval(value=value, low=float(low), high=float(high))


def half_samples(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    value: float,
    n: int,
    m: int,
    repeats: int,
    seed: int,
) -> Interval:
    """An interval from random halves of two sets, drawn without replacement.

    The standard deviation of a statistic over random halves is its standard error on the whole:
    the variance on half the data is twice that on the whole, and the halves of one whole vary by
    half of it. The usual bootstrap would not do: a picture that is drawn twice makes a distance
    look larger.

    Arguments:
        statistic: Called with row numbers of the first and of the second set.
        value: The statistic of the whole.
        n: Pictures in the first set, >= 4.
        m: Pictures in the second set, >= 4.
        repeats: How many halves, >= 2.
        seed: Of the halves.

    Source: Politis and Romano 1994, Annals of Statistics 22, section 2 (subsampling).
    """
    draws = [statistic(i, j) for i, j in random_halves(n, m, repeats, seed)]
    return Interval.from_draws(value, np.array(draws))


def random_halves(
    n: int, m: int, repeats: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Row numbers of random halves of two sets, `repeats` times."""
    generator = np.random.default_rng(seed)
    for _ in range(repeats):
        yield generator.permutation(n)[: n // 2], generator.permutation(m)[: m // 2]
