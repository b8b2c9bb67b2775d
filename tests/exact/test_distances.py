"""Distances against closed forms, other programs, and simulations whose truth is known."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from latentbloom.evaluate.measures import kernels, neighbours
from latentbloom.evaluate.measures.distances import (
    extrapolated_frechet,
    frechet_distance,
    frechet_interval,
)
from latentbloom.evaluate.measures.intervals import (
    Interval,
    bootstrap,
    mean_interval,
    random_halves,
    share_interval,
)
from latentbloom.evaluate.measures.kernels import (
    biased_kernel_distance,
    kernel_distance,
    kernel_interval,
    kernel_witness,
)
from latentbloom.evaluate.measures.neighbours import Manifolds, copying, nearest, spread


def with_moments(
    mean: np.ndarray, covariance: np.ndarray, n: int, rng: np.random.Generator
) -> np.ndarray:
    """A set (n, D) whose own mean and covariance are the ones asked for, not just nearly."""
    z = rng.normal(size=(n, len(mean)))
    z -= z.mean(axis=0)
    white = z @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T))).T
    return mean + white @ np.linalg.cholesky(covariance).T


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


class TestFrechet:
    def test_diagonal_gaussians(self, rng: np.random.Generator) -> None:
        mean_a, mean_b = np.array([0.0, 1.0, -2.0]), np.array([3.0, 1.0, 0.0])
        std_a, std_b = np.array([1.0, 2.0, 0.5]), np.array([0.5, 2.0, 3.0])
        a = with_moments(mean_a, np.diag(std_a**2), 50, rng)
        b = with_moments(mean_b, np.diag(std_b**2), 40, rng)
        # 9 + 0 + 4 for the means, 0.25 + 0 + 6.25 for the standard deviations
        assert_allclose(frechet_distance(a, b), 19.5, rtol=1e-10)

    def test_two_pictures_a_side_are_enough_and_one_is_not(self) -> None:
        a, b = np.array([[1.0], [3.0]]), np.array([[4.0], [8.0]])
        # 16 for the means; standard deviations root 2 and root 8
        assert_allclose(frechet_distance(a, b), 16.0 + 2.0, rtol=1e-10)
        with pytest.raises(ValueError, match="1 pictures have no covariance; 2 or more"):
            frechet_distance(a[:1], b)

    def test_covariances_that_do_not_commute(self, rng: np.random.Generator) -> None:
        # In two dimensions tr (S)^(1/2) = sqrt(tr S + 2 sqrt(det S)), here of S = cov_a cov_b.
        cov_a = np.array([[2.0, 0.6], [0.6, 1.0]])
        cov_b = np.array([[1.0, -0.7], [-0.7, 3.0]])
        s = cov_a @ cov_b
        root = np.sqrt(np.trace(s) + 2.0 * np.sqrt(np.linalg.det(s)))
        expected = 25.0 + 3.0 + 4.0 - 2.0 * root
        a = with_moments(np.array([0.0, 0.0]), cov_a, 30, rng)
        b = with_moments(np.array([3.0, 4.0]), cov_b, 60, rng)
        assert_allclose(frechet_distance(a, b), expected, rtol=1e-10)

    @pytest.mark.parametrize(("n", "m"), [(200, 150), (12, 15), (12, 150)])
    def test_against_torch_fidelity_also_with_fewer_pictures_than_features(
        self, n: int, m: int, rng: np.random.Generator
    ) -> None:
        from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

        mix = rng.normal(size=(20, 20))
        a = rng.normal(size=(n, 20)) @ mix
        b = rng.normal(size=(m, 20)) @ mix * 1.3 + 0.5
        other = fid_statistics_to_metric(
            fid_features_to_statistics(torch.from_numpy(a)),
            fid_features_to_statistics(torch.from_numpy(b)),
            verbose=False,
        )["frechet_inception_distance"]
        assert_allclose(frechet_distance(a, b), other, rtol=1e-5)

    def test_equal_sets_are_at_zero_and_order_does_not_count(
        self, rng: np.random.Generator
    ) -> None:
        a, b = rng.normal(size=(60, 9)), rng.normal(size=(80, 9)) + 1.0
        assert frechet_distance(a, a[::-1]) < 1e-10
        # Rounding may lead below 0, a distance does not.
        assert all(frechet_distance(x, x[::-1]) >= 0.0 for x in rng.normal(size=(50, 12, 3)))
        assert_allclose(frechet_distance(a, b), frechet_distance(b, a), rtol=1e-10)

    def test_far_from_the_origin_nothing_is_lost(self, rng: np.random.Generator) -> None:
        a, b = rng.normal(size=(60, 9)), rng.normal(size=(80, 9)) + 1.0
        assert_allclose(frechet_distance(a + 1e4, b + 1e4), frechet_distance(a, b), rtol=1e-6)


class TestKernel:
    def test_two_points_a_side_by_hand(self) -> None:
        a, b = np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]])
        # k(0,1) = 1; k(2,3) = 7^3; between: 1, 1, 3^3, 4^3
        assert kernel_distance(a, b) == pytest.approx(1 + 343 - 2 * (1 + 1 + 27 + 64) / 4)

    def test_against_torchmetrics(self, rng: np.random.Generator) -> None:
        from torchmetrics.image.kid import poly_mmd

        a, b = rng.normal(size=(50, 8)), rng.normal(size=(50, 8)) * 1.2 + 0.3
        other = poly_mmd(torch.from_numpy(a), torch.from_numpy(b))
        assert_allclose(kernel_distance(a, b), float(other), rtol=1e-9)

    def test_equals_the_mean_over_subsets(self, rng: np.random.Generator) -> None:
        a, b = rng.normal(size=(6, 3)), rng.normal(size=(6, 3)) + 0.5
        from itertools import combinations

        every = [
            kernel_distance(a[list(i)], b[list(j)])
            for i in combinations(range(6), 3)
            for j in combinations(range(6), 3)
        ]
        assert_allclose(kernel_distance(a, b), np.mean(every), rtol=1e-9)

    def test_unbiased_on_equal_distributions(self) -> None:
        rng = np.random.default_rng(3)
        cases = [
            kernel_interval(rng.normal(size=(60, 5)), rng.normal(size=(60, 5)), repeats=60)
            for _ in range(100)
        ]
        values = np.array([case.value for case in cases])
        assert abs(values.mean()) < 3.0 * values.std() / 10.0
        covered = sum(case.low <= 0.0 <= case.high for case in cases)
        assert covered >= 88


def coverage(cases: list[Interval], truth: float) -> int:
    return sum(case.low <= truth <= case.high for case in cases)


class TestIntervals:
    """95 % of 200 is 190, give or take 3 (one standard error)."""

    def test_a_share(self) -> None:
        rng = np.random.default_rng(0)
        cases = [share_interval(rng.random(60) < 0.9) for _ in range(200)]
        assert 182 <= coverage(cases, 0.9) <= 199

    def test_a_mean(self) -> None:
        # Standard deviation sqrt(5 / 3), standard error half of it.
        found = mean_interval(np.array([1.0, 2.0, 3.0, 4.0]))
        error = (5 / 3) ** 0.5 / 2
        assert found.value == 2.5
        assert found.low == pytest.approx(2.5 - 1.96 * error)
        assert found.high == pytest.approx(2.5 + 1.96 * error)
        alone = mean_interval(np.array([7.0]))
        assert (alone.value, alone.low, alone.high) == (7.0, 7.0, 7.0)

    def test_halves_are_halves_of_different_rows(self) -> None:
        halves = list(random_halves(10, 7, 30, seed=0))
        assert len(halves) == 30
        for i, j in halves:
            assert (len(set(i)), len(set(j))) == (len(i), len(j)) == (5, 3)
        assert {row for i, _ in halves for row in i} == set(range(10))
        assert {row for _, j in halves for row in j} == set(range(7))

    def test_a_mean_by_bootstrap(self) -> None:
        rng = np.random.default_rng(1)
        cases = []
        for seed in range(200):
            x = rng.exponential(size=80)
            cases.append(
                bootstrap(lambda rows, x=x: float(x[rows].mean()), 80, repeats=300, seed=seed)
            )
        assert 180 <= coverage(cases, 1.0) <= 199

    def test_frechet_distances_of_so_many_pictures(self) -> None:
        rng = np.random.default_rng(2)

        def draw() -> tuple[np.ndarray, np.ndarray]:
            return rng.normal(size=(150, 4)), rng.normal(size=(150, 4)) * 1.4 + 0.5

        # The name says FD@150: its expectation at 150 pictures, small-number bias included.
        truth = float(np.mean([frechet_distance(*draw()) for _ in range(1500)]))
        cases = [frechet_interval(*draw(), seed=seed) for seed in range(200)]
        assert 180 <= coverage(cases, truth) <= 199

    def test_extrapolated_frechet_distances(self) -> None:
        rng = np.random.default_rng(5)
        std = np.exp(-np.arange(16) / 4)
        # Covariances that commute: the distance of the means and of the standard deviations.
        truth = 16 * 0.1**2 + float(((1.5 * std - std) ** 2).sum())

        sets = [
            (rng.normal(size=(60, 16)) * std, rng.normal(size=(90, 16)) * 1.5 * std + 0.1)
            for _ in range(100)
        ]
        cases = [extrapolated_frechet(*pair, repeats=8, seed=k) for k, pair in enumerate(sets)]
        plain, limit = (np.array([case[k].value for case in cases]) for k in (0, 1))
        error = limit.std() / 10
        assert plain.mean() > truth + 5 * error
        assert abs(limit.mean() - truth) < 3 * error
        assert 88 <= coverage([case[1] for case in cases], truth) <= 100
        assert cases[0][0] == frechet_interval(*sets[0], repeats=8, seed=0)

    def test_kernel_distances(self) -> None:
        rng = np.random.default_rng(4)

        def draw() -> tuple[np.ndarray, np.ndarray]:
            return rng.normal(size=(80, 4)), rng.normal(size=(80, 4)) + 0.7

        truth = float(np.mean([kernel_distance(*draw()) for _ in range(2000)]))
        cases = [kernel_interval(*draw(), repeats=60, seed=seed) for seed in range(200)]
        assert 180 <= coverage(cases, truth) <= 199


def dense_kernel_distance(a: np.ndarray, b: np.ndarray) -> float:
    """By the definition, from whole matrices."""

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x @ y.T / x.shape[1] + 1.0) ** 3

    def pairs(x: np.ndarray) -> float:
        k = kernel(x, x)
        return (k.sum() - np.trace(k)) / (len(x) * (len(x) - 1))

    return pairs(a) + pairs(b) - 2.0 * kernel(a, b).mean()


class TestBlocks:
    """Many pictures: the same values, without a matrix of all pairs."""

    @pytest.mark.parametrize("values", [1, 700, 2**23])
    def test_kernel_distances_are_exact(
        self, values: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        a, b = rng.normal(size=(61, 7)), rng.normal(size=(83, 7)) + 0.4
        monkeypatch.setattr(kernels, "BLOCK_VALUES", values)
        expected = dense_kernel_distance(a, b)
        assert kernel_distance(a, b) == pytest.approx(expected, abs=1e-10, rel=0)
        found = kernel_interval(a, b, repeats=5, seed=3)
        assert found.value == pytest.approx(expected, abs=1e-10, rel=0)
        halves = random_halves(61, 83, 5, 3)
        draws = np.array([dense_kernel_distance(a[i], b[j]) for i, j in halves])
        by_hand = Interval.from_draws(expected, draws)
        assert found.low == pytest.approx(by_hand.low, abs=1e-10, rel=0)

    def test_biased_distances_are_exact(
        self, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        a, b = rng.normal(size=(40, 5)), rng.normal(size=(50, 5)) + 0.4
        k = [(x @ y.T / 5 + 1.0) ** 3 for x, y in ((a, a), (b, b), (a, b))]
        expected = k[0].mean() + k[1].mean() - 2.0 * k[2].mean()
        witness = k[0].mean(axis=1) - k[2].mean(axis=1)
        monkeypatch.setattr(kernels, "BLOCK_VALUES", 300)
        assert biased_kernel_distance(a, b) == pytest.approx(expected, abs=1e-10, rel=0)
        assert_allclose(kernel_witness(a, b), witness, atol=1e-10)

    def test_memory_does_not_grow_with_the_square_of_the_pictures(
        self, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        a, b = rng.normal(size=(3000, 4)), rng.normal(size=(3000, 4))
        monkeypatch.setattr(kernels, "BLOCK_VALUES", 2**17)  # 1 MiB
        tracemalloc.start()
        try:
            kernel_interval(a, b, repeats=20)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 16 * 2**20  # a matrix of all pairs has 69 MiB

    def test_neighbours(self, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
        a, b = (rng.normal(size=(n, 6)) for n in (70, 90))
        whole = Manifolds.of(a, b).scores(), nearest(a, b), copying(a, b, b[:40])
        shapes: list[tuple[int, int]] = []
        cdist = torch.cdist

        def recorded(x: torch.Tensor, y: torch.Tensor, **how: str) -> torch.Tensor:
            shapes.append((len(x), len(y)))
            return cdist(x, y, **how)

        monkeypatch.setattr(torch, "cdist", recorded)
        monkeypatch.setattr(neighbours, "BLOCK", 16)
        assert Manifolds.of(a, b).scores() == whole[0]
        distances, which = nearest(a, b)
        assert_allclose(distances, whole[1][0], rtol=1e-5)
        assert which.tolist() == whole[1][1].tolist()
        assert copying(a, b, b[:40]).threshold == pytest.approx(whole[2].threshold, abs=1e-3)
        assert max(n * m for n, m in shapes) <= 16 * 16


class TestNeighbours:
    def test_nearest_by_hand(self) -> None:
        distances, which = nearest(
            np.array([[0.0, 0.0], [5.0, 5.0]]), np.array([[9.0, 5.0], [3.0, 4.0], [0.0, 1.0]])
        )
        assert_allclose(distances, [1.0, 5**0.5], rtol=1e-5)
        assert which.tolist() == [2, 1]

    def test_precision_recall_density_coverage_by_hand(self) -> None:
        # Real balls reach to the nearest other: 0 and 1 reach 1, 10 reaches 9.
        real = np.array([[0.0], [1.0], [10.0]])
        samples = np.array([[0.4], [1.9], [30.0], [31.0]])
        # Sample balls reach 1.5, 1.5, 1, 1.
        scores = Manifolds.of(samples, real, k=1).scores()
        assert scores["precision"].value == 0.5  # 0.4 and 1.9
        assert scores["recall"].value == pytest.approx(2 / 3)  # 0 and 1, not 10
        assert scores["density"].value == pytest.approx((2 + 2 + 0 + 0) / 4)
        assert scores["coverage"].value == 1.0  # 10 reaches to 1.9

    def test_precision_and_recall_against_torch_fidelity(self, rng: np.random.Generator) -> None:
        from torch_fidelity.metric_prc import prc_features_to_metric

        samples = rng.normal(size=(90, 6)) * 0.7 + 0.4
        real = rng.normal(size=(120, 6))
        mine = Manifolds.of(samples, real).scores()
        other = prc_features_to_metric(
            torch.from_numpy(samples).float(), torch.from_numpy(real).float(), verbose=False
        )
        assert mine["precision"].value == pytest.approx(other["precision"])
        assert mine["recall"].value == pytest.approx(other["recall"])
        assert mine["precision"].value > mine["recall"].value

    def test_copies_are_found_and_new_pictures_are_not(self, rng: np.random.Generator) -> None:
        train, val = rng.normal(size=(400, 8)), rng.normal(size=(300, 8))
        copies = train[:50] + 0.01 * rng.normal(size=(50, 8))
        found = copying(np.concatenate([copies, rng.normal(size=(300, 8))]), val, train)
        assert found.suspicious[:50].all()
        assert found.partners[:50].tolist() == list(range(50))
        assert found.suspicious[50:].mean() < 0.04

    def test_spread_by_hand(self) -> None:
        assert spread(np.array([[0.0], [1.0], [3.0]])) == pytest.approx(2.0)
