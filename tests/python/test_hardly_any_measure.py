"""Eigenvectors at points that hardly weigh anything: unscaled tables and far outliers.

The oracle is the eigenvalue equation itself, with the walk's rows from NumPy, each relative to its own
largest weight.
"""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.metrics import pairwise_distances

import likewise as lw
from likewise import kernels, supports

TABLES = {
    "wine": lambda: load_wine().data,
    "breast_cancer": lambda: load_breast_cancer().data,
    "digits": lambda: load_digits().data[:600],
}


def without_loops(log_k, alone=()):
    """Logarithms of weights without the diagonal, but for loops of weight 1 of points alone."""
    log_k = log_k.astype(float).copy()
    np.fill_diagonal(log_k, -np.inf)
    log_k[alone, alone] = 0
    return log_k


def walk(log_k):
    """Rows of weights that sum to 1, from their logarithms, and the logarithms of their sums."""
    P = np.exp(log_k - log_k.max(axis=1, keepdims=True))
    return P / P.sum(axis=1, keepdims=True), np.logaddexp.reduce(log_k, axis=1)


def points_alone(log_k, dtype):
    return np.flatnonzero(walk(without_loops(log_k))[1] < np.log(float(np.finfo(dtype).tiny)))


def log_weights(X, affinity, gamma):
    X = X.astype(float)
    if affinity == "rbf":
        return -gamma * pairwise_distances(X, metric="sqeuclidean")
    return -gamma * pairwise_distances(X, metric="manhattan")


def worst_residual(P, V, values, rows):
    """|P v - w v| of each column, relative to its largest entry, over the rows."""
    V = V.astype(float)
    return (np.abs(P @ V - V * values)[rows] / np.abs(V).max(axis=0)).max()


def quiet():
    return warnings.catch_warnings(action="ignore")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("affinity", ["rbf", "laplacian"])
@pytest.mark.parametrize("table", TABLES)
def test_unscaled_tables_embed_and_cluster(table, affinity, dtype):
    """Kind: u / sqrt(measure) of a point whose measure underflows: 0 * inf."""
    X = TABLES[table]().astype(dtype)
    with quiet():
        model = lw.SpectralEmbedding(3, affinity=affinity, gamma=1.0).fit(X)
        labels = lw.SpectralClustering(3, affinity=affinity, random_state=0).fit_predict(X)
    assert np.isfinite(model.embedding_).all()
    assert labels.min() >= 0 and len(labels) == len(X)
    log_k = log_weights(X, affinity, 1.0)
    P, _ = walk(without_loops(log_k, points_alone(log_k, dtype)))
    values = model.eigenvalues_[-3:]
    steady = np.abs(values) > 1e-6
    residual = worst_residual(P, model.embedding_[:, steady], values[steady], slice(None))
    assert residual < (1e-7 if dtype == np.float64 else 1e-3)


@pytest.mark.parametrize("normalization", ["row", "symmetric", "density"])
@pytest.mark.parametrize("away", [8.0, 12.0, 15.0, 18.0, 22.0, 25.0, 30.0, 36.0, 50.0, 60.0])
def test_an_outlier_is_where_its_neighbors_are(away, normalization):
    """Kind: as above, one point on its way out: digits go step by step, then all at once."""
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(size=(30, 2)), 8 * np.eye(2)[0] + rng.normal(size=(30, 2)), [[8 + away, 0]]]
    mechanism = lw.Mechanism(
        kernel=kernels.Gaussian(1.0), support="leave_one_out", normalization=normalization
    )
    with quiet():
        V = lw.SpectralEmbedding(2, affinity=mechanism).fit(X)
    log_k = log_weights(X, "rbf", 0.5)
    log_k = without_loops(log_k, points_alone(log_k, float))
    if normalization == "density":
        log_q = np.logaddexp.reduce(log_k, axis=1)
        log_k = log_k - log_q[:, None] - log_q[None]
    P, _ = walk(log_k)
    assert np.isfinite(V.embedding_).all()
    assert worst_residual(P, V.embedding_, V.eigenvalues_[-2:], slice(None)) < 1e-7
    if normalization == "row":
        with quiet():
            s = mechanism.replace(empty_row="self").operator(X).spectrum(3)
        assert worst_residual(P, np.asarray(s.vectors), s.values, slice(None)) < 1e-7


@pytest.mark.parametrize("gap", [0.5, 2.0, 5.0, 9.0, 12.0])
def test_far_points_that_speak_mostly_to_one_another(gap):
    """Kind: as above, a group of light points: each hangs on the others, and sweeps need not converge."""
    rng = np.random.default_rng(1)
    X = np.r_[
        rng.normal(size=(40, 2)),
        6 * np.eye(2)[0] + rng.normal(size=(40, 2)),
        [[20.0, 0]],
        [[20.0, gap]],
        [[20, -gap]],
    ]
    with quiet():
        model = lw.SpectralEmbedding(2, affinity="rbf", gamma=0.5).fit(X)
    P, _ = walk(without_loops(log_weights(X, "rbf", 0.5)))
    values = model.eigenvalues_[-2:]
    assert np.isfinite(model.embedding_).all()
    assert worst_residual(P, model.embedding_, values, slice(None)) < 1e-6


def test_diffusion_maps_without_loops_stay_finite():
    """Kind: as above, in the siblings that take a walk's eigenvectors."""
    for table in ("wine", "breast_cancer"):
        X = TABLES[table]()
        with quiet():
            model = lw.DiffusionMaps(normalization="row", support="leave_one_out", bandwidth=1.0).fit(X)
        assert np.isfinite(model.embedding_).all()
        assert np.isfinite(model.transform(X[:5] + 0.01)).all()


def test_no_mass_beside_others_of_a_cost_that_is_no_distance():
    """Kind: a threshold of the distance kernels' own scale put to affinities of another."""
    rng = np.random.default_rng(0)
    A = rng.uniform(0.5, 1, size=(12, 12))
    A = A + A.T
    small = lw.SpectralEmbedding(2, affinity="precomputed").fit(A * 1e-200)
    usual = lw.SpectralEmbedding(2, affinity="precomputed").fit(A)
    assert np.allclose(small.eigenvalues_, usual.eigenvalues_, atol=1e-10)


def test_loops_of_points_alone_are_part_of_the_gradient():
    """Kind: a rebuilt operator (float32) that forgets the loops of points that keep to themselves."""
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(size=(6, 2)), [[50.0, 0], [0, 60.0]]]
    V, g = rng.normal(size=(8, 2)), rng.normal(size=(8, 2))
    M = np.ones((8, 8), bool)
    M[-1] = M[:, -1] = False
    for kernel in (kernels.Epanechnikov(3.0), kernels.Gaussian(1.0), kernels.Laplacian(1.0)):
        for support in (
            supports.LeaveOneOut(),
            supports.Mask(M),
            supports.Radius(4.0) & supports.LeaveOneOut(),
        ):
            for normalization in ("row", "symmetric", "density"):
                for dtype in (np.float64, np.float32):
                    P = lw.Mechanism(
                        metric="euclidean",
                        kernel=kernel,
                        support=support,
                        normalization=normalization,
                        empty_row="self",
                    ).operator(X.astype(dtype))
                    T = P.toarray().astype(float)
                    found = P.vjp(g.astype(dtype), V.astype(dtype))
                    np.testing.assert_allclose(found["values"], T.T @ g, atol=1e-4)
                    for name in ("points", "log_key_weights"):
                        assert np.isfinite(found[name]).all()


@pytest.mark.parametrize("seed", [0, 22, 101, 357, *range(1000, 1040)])
def test_random_tables_in_any_units(seed):
    """Kind: as above, a light row that steps out of a component whose own vector cannot tell."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(20, 60)), int(rng.integers(6, 12))
    X = rng.normal(size=(n, d)) * 10.0 ** rng.uniform(-2, 1.5, d)
    gamma = 10.0 ** rng.uniform(-0.5, 0.5)
    with quiet():
        model = lw.SpectralEmbedding(2, affinity="rbf", gamma=gamma).fit(X)
    log_k = log_weights(X, "rbf", gamma)
    P, _ = walk(without_loops(log_k, points_alone(log_k, float)))
    assert np.isfinite(model.embedding_).all()
    assert worst_residual(P, model.embedding_, model.eigenvalues_[-2:], slice(None)) < 1e-6
