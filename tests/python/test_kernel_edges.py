"""Kernels that end at their bandwidth, at exactly that distance: who counts is decided by definition."""

import itertools

import numpy as np
import pytest

import likewise as lw
from likewise import kernels, metrics, supports

# d of one pair as each metric defines it, for points whose sums are exact.
DISTANCES = {
    "euclidean": (metrics.Euclidean(), lambda x, z: np.sqrt(np.sum((x - z) ** 2))),
    "sqeuclidean": (metrics.SquaredEuclidean(), lambda x, z: np.sqrt(np.sum((x - z) ** 2))),
    "manhattan": (metrics.Manhattan(), lambda x, z: np.sum(np.abs(x - z))),
    "chebyshev": (metrics.Chebyshev(), lambda x, z: np.max(np.abs(x - z))),
    "mahalanobis": (
        metrics.Mahalanobis.from_diagonal(np.array([4.0, 1.0])),
        lambda x, z: np.sqrt(np.sum(np.array([4.0, 1.0]) * (x - z) ** 2)),
    ),
    "custom": (
        metrics.Custom(lambda X, Z: np.abs(X[:, None] - Z[None]).sum(-1), distance_power=1),
        lambda x, z: np.sum(np.abs(x - z)),
    ),
}
WEIGHTS = {
    kernels.Indicator: lambda d, h: np.where(d <= h, 1.0, 0.0),
    kernels.Epanechnikov: lambda d, h: np.where(d < h, 1 - (d / h) ** 2, 0.0),
    kernels.Tricube: lambda d, h: np.where(d < h, (1 - (d / h) ** 3) ** 3, 0.0),
}


def distances(name, X, Z):
    d = DISTANCES[name][1]
    return np.array([[d(x.astype(float), z.astype(float)) for z in Z] for x in X])


def integer_points(n, seed):
    """Points of a small grid with no mean that float64 holds: centering them rounds."""
    return np.random.default_rng(seed).integers(0, 5, (n, 2)).astype(float)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kernel", WEIGHTS)
@pytest.mark.parametrize("metric", DISTANCES)
def test_weights_at_exactly_the_bandwidth(metric, kernel, dtype):
    """Rounding decided whether a pair at d == h counts; d by definition must, in every storage."""
    X = integer_points(67, 0)
    Z = integer_points(150, 1)
    for h in (1.0, np.sqrt(2.0), np.sqrt(5.0), 3.0):
        K = WEIGHTS[kernel](distances(metric, Z, Z), h)
        K_new = WEIGHTS[kernel](distances(metric, X, Z), h)
        m = lw.Mechanism(metric=DISTANCES[metric][0], kernel=kernel(h), normalization="none")
        tol = {"rtol": 2e-5, "atol": 1e-6} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-14}
        for storage in ("streamed", "dense", "sparse"):
            P = m.operator(Z.astype(dtype), storage=storage)
            got = P @ np.eye(len(Z), dtype=dtype)
            assert np.array_equal(got > 0, K > 0)
            np.testing.assert_allclose(got, K, **tol)
            np.testing.assert_allclose(np.exp(P.log_row_sums), K.sum(1), **tol)
            np.testing.assert_allclose(P.T @ np.eye(len(Z), dtype=dtype), K.T, **tol)
            got = P.at(X.astype(dtype)) @ np.eye(len(Z), dtype=dtype)
            assert np.array_equal(got > 0, K_new > 0)
        edges = m.replace(support=supports.Radius(1e3)).operator(Z.astype(dtype))
        assert np.array_equal(edges.toarray() > 0, K > 0)


def test_the_row_sums_of_three_points():
    """Indicator(1) on 0, 1, 4: the two at distance 1 see each other (the report of the fault)."""
    Z = np.array([[0.0], [1.0], [4.0]])
    m = lw.Mechanism(kernel=kernels.Indicator(1.0), normalization="none")
    for storage, dtype in itertools.product(("streamed", "dense", "sparse"), (np.float32, np.float64)):
        P = m.operator(Z.astype(dtype), storage=storage)
        np.testing.assert_array_equal(P @ np.ones((3, 1), dtype=dtype), [[2], [2], [1]])


def test_per_point_scales_at_the_edge():
    """With self_tuning the edge is h sqrt(s_i s_j): on a grid many pairs lie exactly there."""
    Z = np.array(list(itertools.product(range(7), range(5))), dtype=float)
    m = lw.Mechanism(metric="euclidean", kernel=kernels.Indicator("self_tuning"), normalization="none")
    P = m.operator(Z, storage="dense")
    D = distances("euclidean", Z, Z)
    s = np.sort(D, axis=1)[:, 7]
    K = D <= np.sqrt(s[:, None] * s[None])
    for storage in ("streamed", "dense", "sparse"):
        np.testing.assert_array_equal(m.operator(Z, storage=storage).toarray() > 0, K)
    assert P.shape == K.shape


def test_equal_points_are_equal_and_near_ones_are_not():
    """1/d: whether d is 0 decides who counts; centering made 1e-20 and 0 one point."""
    Z = np.array([[0.0], [1e-20], [3.0]])
    m = lw.Mechanism(metric="euclidean", kernel="inverse_distance")
    for storage in ("streamed", "dense", "sparse"):
        np.testing.assert_array_equal(m.operator(Z, storage=storage).toarray()[:2, :2], np.eye(2))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_estimators_count_points_at_the_bandwidth(dtype):
    """tophat densities, flat regressions and flat classifiers lost what lies at d == h."""
    Z = integer_points(90, 2).astype(dtype)
    X = integer_points(40, 3).astype(dtype)
    y = np.random.default_rng(4).normal(size=90)
    near = distances("euclidean", X, Z) <= 1
    density = lw.KernelDensity(kernel="tophat", bandwidth=1.0).fit(Z)
    with np.errstate(divide="ignore"):
        expected = np.log(near.sum(1) / (90 * np.pi))
    np.testing.assert_allclose(density.score_samples(X), expected, rtol=1e-6)
    seen = near.any(1)
    got = lw.KernelRegressor(kernel="indicator", bandwidth=1.0).fit(Z, y).predict(X)
    np.testing.assert_allclose(got[seen], (near @ y)[seen] / near.sum(1)[seen], rtol=1e-5, atol=1e-6)
    labels = (y > 0).astype(int)
    shares = lw.KernelClassifier(kernel="indicator", bandwidth=1.0).fit(Z, labels).predict_proba(X)[:, 1]
    np.testing.assert_allclose(shares[seen], (near @ labels)[seen] / near.sum(1)[seen], rtol=1e-5, atol=1e-6)


def plain_mean_shift(X, h):
    """Modes of the flat kernel, densest first, by plain loops: sums of integers are exact."""
    ends, counts = [], []
    for x in X:
        for _ in range(300):
            near = np.sqrt(np.sum((X - x) ** 2, 1)) <= h
            new = X[near].sum(0) / near.sum()
            done = np.linalg.norm(new - x) <= 1e-3 * h
            last, x = x, new
            if done:
                break
        ends.append(x)
        counts.append(np.sum(np.sqrt(np.sum((X - last) ** 2, 1)) <= h))
    order = sorted(range(len(ends)), key=lambda i: (counts[i], tuple(ends[i])), reverse=True)
    centers = []
    for i in order:
        if all(np.sqrt(np.sum((ends[i] - c) ** 2)) > h for c in centers):
            centers.append(ends[i])
    return np.array(centers)


def test_flat_mean_shift_on_integers():
    """One point in ten saw too few neighbors at distance h, and climbed to another mode."""
    rng = np.random.default_rng(5)
    for _ in range(150):
        X = rng.integers(0, 9, (int(rng.integers(4, 12)), int(rng.integers(1, 3)))).astype(float)
        expected = plain_mean_shift(X, 2.0)
        got = lw.MeanShift(bandwidth=2.0).fit(X).cluster_centers_
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize("kernel", [kernels.Epanechnikov, kernels.Tricube, kernels.Indicator])
def test_gradients_at_the_edge_are_finite_and_ignore_what_is_outside(kernel):
    """A key at exactly d == h has weight 0: its value must not move an output, nor its place a loss."""
    rng = np.random.default_rng(6)
    Z = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    X = np.zeros((1, 2))
    h = 3.0
    m = lw.Mechanism(metric="euclidean", kernel=kernel(h))
    P = m.operator(X, Z)
    V, G = rng.normal(size=(4, 2)), rng.normal(size=(1, 2))
    grad = P.vjp(G, V)
    d = np.sqrt(np.sum(Z**2, 1))
    w = WEIGHTS[kernel](d, h)
    np.testing.assert_allclose(grad["values"], np.outer(w / w.sum(), G[0]), rtol=1e-12, atol=1e-15)
    assert all(np.isfinite(np.asarray(grad[name])).all() for name in ("queries", "keys", "values"))
    if kernel is not kernels.Indicator:
        np.testing.assert_array_equal(grad["keys"][1], [0, 0])


def test_an_empty_row_is_empty_in_every_storage():
    """A query whose only key lies at d == h has no mass: the policy decides, not the last bit."""
    Z = np.array([[0.1], [5.0]])
    X = np.array([[0.4]])
    h = float(np.abs(X[0, 0] - Z[0, 0]))
    for kernel in (kernels.Epanechnikov(h), kernels.Tricube(h)):
        m = lw.Mechanism(metric="euclidean", kernel=kernel)
        for storage in ("streamed", "dense", "sparse"):
            assert not m.operator(X, Z, storage=storage).toarray().any()
        assert lw.KernelDensity(kernel=kernel).fit(Z).score_samples(X)[0] == -np.inf


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev"])
def test_the_nearest_key_of_an_empty_row_by_definition(metric, dtype):
    """Among keys at one distance the rounding of a centered lift chose; the lowest index must."""
    rng = np.random.default_rng(7)
    Z = rng.integers(0, 5, (97, 3)).astype(dtype)
    X = rng.integers(0, 5, (1500, 3)).astype(dtype)
    X[:, 0] += 9
    want = distances(metric, X, Z).argmin(1)
    m = lw.Mechanism(metric=metric, kernel=kernels.Epanechnikov(0.5), empty_row="nearest")
    for storage in ("streamed", "dense", "sparse"):
        P = m.operator(X, Z, storage=storage)
        np.testing.assert_array_equal(P @ np.arange(97.0).astype(dtype), want)
