"""The figures against closed forms, and against what they must not depend on."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from diffusion.metrics import (
    bootstrap_error,
    frechet_distance,
    kid,
    precision_recall,
    split_floor,
)

Rows = NDArray[np.float64]


def normal_rows(n: int, d: int = 8, seed: int = 0) -> Rows:
    return np.random.default_rng(seed).normal(size=(n, d))


def with_moments(rows: Rows, mean: Rows, root: Rows) -> Rows:
    """Rows with exactly this mean and the covariance root @ root.T."""
    centred = rows - rows.mean(0)
    whitener = np.linalg.inv(np.linalg.cholesky(np.cov(centred, rowvar=False)))
    return centred @ whitener.T @ root.T + mean


def test_frechet_distance_of_known_diagonal_moments() -> None:
    deviations_a, deviations_b = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 0.5])
    mean = np.array([3.0, 0.0, 4.0])
    a = with_moments(normal_rows(500, 3), np.zeros(3), np.diag(deviations_a))
    b = with_moments(normal_rows(400, 3, seed=1), mean, np.diag(deviations_b))

    expected = 25 + ((deviations_a - deviations_b) ** 2).sum()  # where covariances commute

    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_covariances_that_do_not_commute() -> None:
    # In two dimensions tr((AB)^½) is (tr(AB) + 2 (det AB)^½)^½.
    root_a, root_b = np.array([[2.0, 0.0], [1.0, 1.0]]), np.array([[1.0, 0.0], [-2.0, 3.0]])
    a = with_moments(normal_rows(300, 2), np.zeros(2), root_a)
    b = with_moments(normal_rows(300, 2, seed=1), np.zeros(2), root_b)
    cov_a, cov_b = root_a @ root_a.T, root_b @ root_b.T
    product = cov_a @ cov_b
    overlap = math.sqrt(np.trace(product) + 2 * math.sqrt(np.linalg.det(product)))

    expected = np.trace(cov_a) + np.trace(cov_b) - 2 * overlap

    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_to_itself_is_zero_even_where_a_covariance_is_singular() -> None:
    rows = normal_rows(200)
    rows[:, 3] = rows[:, 2]
    rows[:, 4] = 7

    assert frechet_distance(rows, rows) == pytest.approx(0, abs=1e-6)


def test_frechet_distance_sees_neither_order_nor_rotation() -> None:
    a, b = normal_rows(300), normal_rows(300, seed=1) * 1.5 + 1
    rotation, _ = np.linalg.qr(normal_rows(8))

    value = frechet_distance(a, b)

    assert frechet_distance(a[::-1], b[::-1]) == pytest.approx(value, rel=1e-9)
    assert frechet_distance(a @ rotation, b @ rotation) == pytest.approx(value, rel=1e-9)


def test_kid_of_a_tiny_set_is_the_sum_written_out() -> None:
    a, b = normal_rows(4, 2), normal_rows(4, 2, seed=1)

    def kernel(x: Rows, y: Rows) -> float:
        return float((x @ y / 2 + 1) ** 3)

    def mmd2(x: Rows, y: Rows) -> float:
        within = kernel(x[0], x[1]) + kernel(y[0], y[1])
        return within - sum(kernel(p, q) for p in x for q in y) / 2

    pairs = [(i, j) for i in range(4) for j in range(i)]
    every = np.mean([mmd2(a[list(p)], b[list(q)]) for p in pairs for q in pairs])

    assert kid(a, b, subsets=20_000, subset_size=2).mean == pytest.approx(every, abs=0.05)


def test_kid_is_zero_on_average_for_sets_of_one_law_and_its_error_covers_that() -> None:
    found = [
        kid(normal_rows(200, seed=2 * i), normal_rows(200, seed=2 * i + 1), subsets=20)
        for i in range(40)
    ]
    values = np.array([each.mean for each in found])

    assert abs(values.mean()) < 3 * values.std() / math.sqrt(len(values))
    assert min(values) < 0 < max(values)
    assert values.std() < np.mean([each.standard_error for each in found]) < 4 * values.std()


def test_kid_sees_a_shift_and_tells_its_error() -> None:
    found = [
        kid(normal_rows(200, seed=2 * i), normal_rows(200, seed=2 * i + 1) + 0.5, subsets=20)
        for i in range(20)
    ]
    deviation = np.std([each.mean for each in found])

    assert all(each.mean > 3 * each.standard_error for each in found)
    assert 0.6 * deviation < np.mean([each.standard_error for each in found]) < 2 * deviation


def test_precision_and_recall_of_the_same_set_are_one_and_of_distant_sets_zero() -> None:
    rows = normal_rows(700)

    assert precision_recall(rows, rows[::-1])[:2] == (1, 1)
    assert precision_recall(rows, rows + 100)[:2] == (0, 0)


def test_a_narrow_model_has_precision_and_no_recall() -> None:
    rows, narrow = normal_rows(600, 4), 0.1 * normal_rows(600, 4, seed=1)

    found = precision_recall(rows, narrow)

    assert found.precision > 0.95
    assert found.recall < 0.1
    assert found.recall_error == pytest.approx(math.sqrt(found.recall * (1 - found.recall) / 600))


def test_precision_counts_rows_within_the_radius_of_the_kth_neighbour() -> None:
    real = np.array([[0.0], [1.0], [2.0], [10.0]])  # radii for k = 1: 1, 1, 1, 8
    generated = np.array([[-1.0], [-1.1], [3.0], [18.0], [18.1], [-1.2]])

    assert precision_recall(real, generated, k=1).precision == pytest.approx(3 / 6)


def test_split_floor_compares_disjoint_rows_and_repeats_with_its_seed() -> None:
    rows = np.arange(10.0)[:, None]
    seen: list[set[float]] = []

    def overlap(a: Rows, b: Rows) -> float:
        seen.append(set(a.ravel()) | set(b.ravel()))
        return float(len(set(a.ravel()) & set(b.ravel())))

    assert split_floor(rows, 5, overlap) == 0
    assert seen == [set(range(10))]
    mean = [split_floor(rows, 3, lambda a, b: float((a - b).mean()), seed) for seed in (0, 0, 1)]
    assert mean[0] == mean[1] != mean[2]


def test_the_bootstrap_finds_the_error_of_a_difference_of_means() -> None:
    a, b = normal_rows(400, 1), 2 * normal_rows(100, 1, seed=1)

    error = bootstrap_error(lambda x, y: float(x.mean() - y.mean()), a, b, resamples=400)

    assert error == pytest.approx(math.sqrt(1 / 400 + 4 / 100), rel=0.2)


def test_wrong_arguments_are_refused_with_what_is_allowed() -> None:
    rows = normal_rows(200)
    broken = rows.copy()
    broken[3, 3] = np.nan

    with pytest.raises(ValueError, match=r"at least 100, not \(99, 8\)"):
        frechet_distance(rows[:99], rows[:99])
    with pytest.raises(ValueError, match="at least 301"):
        frechet_distance(normal_rows(300, 300), normal_rows(300, 300))
    with pytest.raises(ValueError, match=r"\(200, 8\) and \(200, 7\)"):
        frechet_distance(rows, rows[:, :7])
    with pytest.raises(ValueError, match="finite"):
        frechet_distance(rows, broken)
    with pytest.raises(ValueError, match="within 2 and 100"):
        kid(rows, rows, subset_size=101)
    with pytest.raises(ValueError, match="subsets at least 2"):
        kid(rows, rows, subsets=1)
    with pytest.raises(ValueError, match="k must be at least 1"):
        precision_recall(rows, rows, k=0)
    with pytest.raises(ValueError, match="at least 4"):
        precision_recall(rows[:3], rows)
    with pytest.raises(ValueError, match="within 1 and 100"):
        split_floor(rows, 101, frechet_distance)
    with pytest.raises(ValueError, match="resamples must be at least 2"):
        bootstrap_error(frechet_distance, rows, rows, resamples=1)
