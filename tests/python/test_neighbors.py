"""kneighbors and radius_neighbors against scikit-learn and plain NumPy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracle import METRICS, W2, W, distances
from sklearn.neighbors import NearestNeighbors

import likewise as lw
from likewise import metrics

Z = np.random.default_rng(0).normal(size=(60, 3))
X = np.random.default_rng(1).normal(size=(20, 3))


@pytest.mark.parametrize("name", ["euclidean", "sqeuclidean", "cosine", "manhattan", "l1", "l2", "chebyshev"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scikit_learn_reports_the_same(name, dtype):
    peer = NearestNeighbors(n_neighbors=7, metric=name, algorithm="brute").fit(Z)
    d, i = lw.kneighbors(X.astype(dtype), Z.astype(dtype), n_neighbors=7, metric=name)
    want_d, want_i = peer.kneighbors(X)
    assert d.dtype == dtype
    assert_allclose(d, want_d, rtol=1e-5 if dtype == np.float32 else 1e-10)
    assert_array_equal(i, want_i)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_equals_a_sort(name):
    cost, power = METRICS[name]
    reported = distances(cost(X, Z), power if name.startswith("Mahalanobis") else None)
    metric = eval("metrics." + name, {"metrics": metrics, "W": W, "W2": W2})
    d, i = lw.kneighbors(X, Z, n_neighbors=60, metric=metric)
    assert_array_equal(i, np.argsort(reported, axis=1, kind="stable"))
    assert_allclose(d, np.sort(reported, axis=1), atol=1e-9)


def test_without_keys_a_point_is_not_its_own_neighbor():
    _, i = lw.kneighbors(Z, n_neighbors=59)
    want = np.sqrt(((Z[:, None] - Z[None]) ** 2).sum(-1))
    np.fill_diagonal(want, np.inf)
    assert_array_equal(i, np.argsort(want, axis=1)[:, :59])
    assert (i != np.arange(60)[:, None]).all()
    assert_array_equal(lw.kneighbors(Z, n_neighbors=3, return_distance=False), i[:, :3])
    rows = lw.radius_neighbors(Z, radius=1.0, return_distance=False)
    assert all(point not in row for point, row in enumerate(rows))


def test_ties_go_to_the_lowest_index():
    grid = np.stack(np.meshgrid(np.arange(6.0), np.arange(6.0)), -1).reshape(-1, 2)
    want = np.argsort(((grid[:, None] - grid[None]) ** 2).sum(-1), axis=1, kind="stable")[:, :9]
    for algorithm in ("brute", "kd_tree"):
        assert_array_equal(lw.kneighbors(grid, grid, n_neighbors=9, algorithm=algorithm)[1], want)


@pytest.mark.parametrize("algorithm", ["brute", "kd_tree"])
def test_radius_rows_equal_a_comparison(algorithm):
    want = np.sqrt(((X[:, None] - Z[None]) ** 2).sum(-1))
    d, i = lw.radius_neighbors(X, Z, radius=1.2, algorithm=algorithm)
    assert d.shape == i.shape == (20,)
    for row in range(20):
        order = np.argsort(want[row], kind="stable")
        inside = order[want[row, order] <= 1.2]
        assert_array_equal(i[row], inside)
        assert_allclose(d[row], want[row, inside], rtol=1e-12)


def test_radius_rows_of_equal_length_stay_rows():
    d, i = lw.radius_neighbors(np.zeros((3, 1)), np.zeros((2, 1)), radius=1.0)
    assert [row.tolist() for row in i] == [[0, 1]] * 3
    assert [row.tolist() for row in d] == [[0.0, 0.0]] * 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: lw.kneighbors(X, Z, n_neighbors=61), r"n_neighbors must be an int in \[1, 60\].*; got 61"),
        (
            lambda: lw.kneighbors(Z, n_neighbors=60),
            r"n_neighbors must be .*\[1, 59\].*its own neighbor.*got 60",
        ),
        (lambda: lw.kneighbors(X, Z, n_neighbors=0), "n_neighbors must be .*got 0"),
        (lambda: lw.kneighbors(X, Z[:, :2]), "X must be|Z must be"),
        (lambda: lw.kneighbors(X * np.nan, Z), "X must be finite"),
        (lambda: lw.kneighbors(X[0], Z), "X must be a 2-D array"),
        (lambda: lw.kneighbors(X, Z, algorithm="ball_tree"), "algorithm must be one of .*ball_tree"),
        (lambda: lw.kneighbors(X, Z, metric="cosine", algorithm="kd_tree"), "kd_tree"),
        (lambda: lw.kneighbors(X, Z, metric="hamming"), "metric must be one of .*'euclidean'.*got 'hamming'"),
        (lambda: lw.radius_neighbors(X, Z, radius=-1), "radius must be .*got -1"),
    ],
)
def test_what_is_refused_and_how(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_negative_radii_of_float32_costs():
    """Costs of a dot product are negative: the last number below a radius was taken on its wrong side."""
    a, b = np.float32(3), np.float32(5592407 / 2**24)
    assert (
        float(a) * float(b) == 16777221 / 2**24
    )  # halfway between two float32 numbers, rounded to the larger cost
    radius = -float(np.float32(16777222 / 2**24))
    told = -np.float32(float(a) * float(b))
    assert told > radius
    found = lw.radius_neighbors(
        np.array([[a]]), np.array([[b]]), radius=radius, metric="dot", return_distance=False
    )
    assert len(found[0]) == 0
    found = lw.radius_neighbors(np.array([[a]]), np.array([[b]]), radius=float(told), metric="dot")
    assert [len(row) for row in found[1]] == [1] and found[0][0][0] == told
