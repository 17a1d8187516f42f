"""P.eigsh against Fourier transforms and dense NumPy; eigenvalues are counted, not only checked."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse.csgraph import connected_components
from scipy.special import iv
from sklearn.datasets import make_blobs, make_moons
from sklearn.exceptions import ConvergenceWarning

import likewise as lw
from likewise import _core, kernels, supports

DIRECTED = lw.metrics.Bilinear(np.eye(2), np.array([[0.0, 1.0], [-1.0, 0.0]]))


def gaussian(h, **slots):
    return lw.Mechanism(metric="euclidean", kernel=kernels.Gaussian(h), **slots)


def ring(n):
    angle = 2 * np.pi * np.arange(n) / n
    return np.c_[np.cos(angle), np.sin(angle)]


@pytest.mark.parametrize("solver", ["dense", "lanczos"])
def test_ring_spectrum_is_a_fourier_transform(solver):
    n, t = 64, 0.5  # equal spacing: circulant, eigenvalues come in pairs
    angle = 2 * np.pi * np.arange(n) / n
    row = np.exp((2 * np.cos(angle) - 2) / t)
    want = np.sort(np.fft.fft(row / row.sum()).real)[-7:]
    got, _ = gaussian(np.sqrt(t / 2)).operator(ring(n)).eigsh(7, solver=solver, tol=1e-13)
    assert_allclose(np.sort(got), want, atol=1e-13)


def test_circle_of_dot_products_has_bessel_eigenvalues_in_pairs():
    eps = 0.3
    m = lw.Mechanism(metric="dot", kernel=kernels.Exponential(eps))
    got, _ = m.operator(ring(101)).eigsh(9)
    order = np.array([0, 1, 1, 2, 2, 3, 3, 4, 4])
    assert_allclose(got, iv(order, 1 / eps) / iv(0, 1 / eps), atol=1e-13)


@pytest.mark.parametrize("rule", ["row", "density", "symmetric", "bistochastic"])
@pytest.mark.parametrize("support", ["all", supports.Neighbors(6, include_self=True)])
def test_eigenpairs_have_their_norm_and_sign(rule, support):
    Z = np.random.default_rng(0).normal(size=(40, 3))
    P = gaussian(0.8, normalization=rule, support=support).operator(Z)
    A = P.toarray()
    w, v = P.eigsh(5)
    assert_allclose(w, np.sort(np.linalg.eigvals(A).real)[::-1][:5], atol=1e-8)
    assert_allclose(A @ v, v * w, atol=1e-7)
    assert_array_equal(P.eigsh(5, return_eigenvectors=False), w)
    assert (v[np.abs(v).argmax(0), range(5)] > 0).all()
    pi = np.exp(P.log_stationary) / np.exp(P.log_stationary).sum()
    weight = np.ones(40) if rule == "symmetric" else pi  # of a bistochastic operator pi is uniform
    assert_allclose(v.T @ (weight[:, None] * v), np.eye(5), atol=1e-6)


@pytest.mark.parametrize("normalization", ["row", "symmetric", "density", "bistochastic"])
@pytest.mark.parametrize("k", [1, 4, 9])
def test_disconnected_graph_against_dense_numpy(normalization, k):
    X, _ = make_blobs(150, centers=[[0, 0], [50, 0], [0, 50], [90, 90]], random_state=0)
    m = gaussian(1.0, support=supports.Neighbors(6, include_self=True), normalization=normalization)
    P = m.operator(X)
    n_parts = connected_components(P.tocsr() > 0)[0]
    found = P.spectrum(k)
    want = np.sort(np.linalg.eigvals(P.toarray()).real)[::-1]
    assert found.n_components == n_parts == 4
    assert np.sum(found.values > 1 - 1e-9) == min(k, 4)
    assert_allclose(found.values, want[:k], atol=1e-8)
    assert_allclose(P @ found.vectors, found.vectors * found.values, atol=1e-7 * abs(found.vectors).max())
    pi = np.exp(P.log_stationary)
    weight = np.ones(len(X)) if normalization == "symmetric" else pi / pi.sum()
    gram = found.vectors.T @ (found.vectors * weight[:, None])
    assert_allclose(gram, np.eye(k), atol=1e-8)
    if normalization != "symmetric":
        assert_allclose(found.vectors[:, 0], 1, atol=1e-7)


def test_a_long_graph_by_a_factorization_against_dense_numpy():
    X, _ = make_moons(1500, noise=0.05, random_state=0)
    P = gaussian(0.1, support=supports.Neighbors(10), normalization="symmetric").operator(X)
    found = P.spectrum(12)
    assert found.report.solver == "shift_invert" and found.report.certificate == "inertia"
    assert_allclose(found.values, np.linalg.eigvalsh(P.toarray())[:-13:-1], atol=1e-9)
    assert found.residuals.max() < 1e-7


def test_float32_stays_float32():
    P = gaussian(0.5).operator(ring(50).astype(np.float32))
    w, v = P.eigsh(5)
    assert v.dtype == np.float32 and w.dtype == np.float64
    assert_allclose(w, gaussian(0.5).operator(ring(50)).eigsh(5)[0], atol=1e-6)


def test_a_solver_that_stops_early_warns_with_its_residual():
    X, _ = make_moons(800, noise=0.05, random_state=0)
    P = gaussian(0.1, support=supports.Neighbors(10)).operator(X)
    with pytest.warns(ConvergenceWarning, match="max_iter=1 was reached without convergence. residual="):
        w, v = P.eigsh(10, max_iter=1, tol=1e-13, solver="lanczos")
    assert w.shape == (10,) and v.shape == (800, 10)


@pytest.mark.parametrize(
    ("mechanism", "k", "message"),
    [
        (gaussian(1.0), 0, "k must be an int in"),
        (gaussian(1.0), 13, "k must be an int in"),
        (gaussian(1.0, support="causal"), 2, "symmetric support"),
        (gaussian(1.0, support=supports.Neighbors(2, symmetrize="none")), 2, "symmetric graph"),
        (lw.Mechanism(metric=DIRECTED, kernel=kernels.Exponential(1.0)), 2, "symmetric metric"),
    ],
)
def test_what_has_no_such_spectrum_is_refused(mechanism, k, message):
    P = mechanism.operator(ring(12) * np.arange(1, 13)[:, None])
    with pytest.raises(ValueError, match=message):
        P.eigsh(k)
    assert (message in P.asymmetry) == ("symmetric" in message)


def test_kmeans_finds_what_scikit_learn_finds():
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score

    X, _ = make_blobs(300, centers=5, random_state=1)
    centers, labels, inertia, report = _core.kmeans(X, n_clusters=5, tol=0.0)
    theirs = KMeans(5, n_init=10, random_state=0, tol=0).fit(X)
    assert adjusted_rand_score(labels, theirs.labels_) == 1
    assert inertia == pytest.approx(theirs.inertia_)
    assert report.converged
    assert_allclose(centers[labels].mean(0), X.mean(0))
