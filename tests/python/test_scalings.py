"""Scalings that end early or have no end, vectors without mass, growing powers: nothing wrong is silent."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from scipy.linalg import expm
from sklearn.exceptions import ConvergenceWarning

import likewise as lw
from likewise import kernels, normalizations, supports

X = np.random.default_rng(0).normal(size=(40, 2)) * 3
LOOSE = normalizations.Bistochastic(max_iter=1)
SCALED = lw.Mechanism(kernel=kernels.Gaussian(1.0), normalization=LOOSE)
INSIDE = {
    "operator": lambda: SCALED.operator(X),
    "cross": lambda: SCALED.operator(X[:5], X),
    "diffusion maps": lambda: lw.DiffusionMaps(2, bandwidth=1.0, normalization=LOOSE).fit(X),
    "embedding": lambda: lw.SpectralEmbedding(2, affinity="rbf", normalization=LOOSE).fit(X),
    "clustering": lambda: lw.SpectralClustering(2, affinity="rbf", normalization=LOOSE).fit(X),
    "regression": lambda: lw.KernelRegressor.from_mechanism(SCALED).fit(X, X[:, 0]).predict(X[:3]),
    "labels": lambda: lw.LabelPropagation.from_mechanism(SCALED).fit(X, np.r_[0, 1, np.full(38, -1)]),
}


def given(A, normalization):
    graph = supports.Graph(sp.csr_matrix(A), weights="given")
    return lw.Mechanism(support=graph, normalization=normalization).operator(np.zeros((len(A), 1)))


@pytest.mark.parametrize("name", INSIDE)
def test_scalings_inside_a_call_tell_that_they_ended_early(name):
    """Kind: an iteration whose report stays inside the call that made it. One warning, at its line."""
    with pytest.warns(ConvergenceWarning, match="max_iter=1 was reached") as told:
        INSIDE[name]()
    assert len(told) == 1 and told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lw.DiffusionMaps(2, bandwidth=1.0, normalization="bistochastic").fit(X)


@pytest.mark.parametrize("estimator", [lw.SpectralEmbedding, lw.SpectralClustering])
@pytest.mark.parametrize("given_as", [np.asarray, sp.csr_matrix])
def test_what_has_no_doubly_stochastic_scaling_is_refused(estimator, given_as):
    """Kind: total support judged by slots, not by the weights.

    A path of three is an unbalanced bipartite graph; a loop at one of two points has support without total
    support: its scaling tends to the other edges alone.
    """
    path = np.array([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]])
    loop = np.array([[0.0, 1], [1, 1]])
    for A, loops in ((path, False), (path, True), (loop, True)):
        settings = {"affinity": "precomputed", "normalization": "bistochastic", "self_loops": loops}
        with pytest.raises(ValueError, match="total support"):
            estimator(1, **settings).fit(given_as(A))


def test_total_support_is_read_off_the_weights():
    square = np.array([[0.0, 0], [0, 1], [1, 1], [1, 0]])
    near = lw.Mechanism(kernel=kernels.Indicator(1.1), support="leave_one_out", normalization="bistochastic")
    with pytest.raises(ValueError, match="total support"):  # the diagonals of the square have no edge
        near.operator(square)
    P = near.replace(kernel=kernels.Indicator(2.0)).operator(square)
    assert_allclose(P.toarray(), (1 - np.eye(4)) / 3, atol=1e-7)


@pytest.mark.parametrize("normalization", ["symmetric", "row", "density"])
@pytest.mark.parametrize("n", [3, 60])
def test_points_without_mass_have_vectors_of_their_own(normalization, n):
    """Kind: a vector that lives where no mass is, left 0 and called certified."""
    rng = np.random.default_rng(n)
    A = rng.uniform(size=(n, n)) + 0.1
    A = A + A.T
    A[-1] = A[:, -1] = 0
    w, v = given(A, normalization).eigsh(n)
    P = given(A, normalization).toarray()
    assert_allclose(P @ v, v * w, atol=1e-12)
    assert np.linalg.matrix_rank(v) == n
    assert_allclose(np.abs(v[-1]).max(), 1)
    if normalization == "symmetric":
        assert_allclose(v.T @ v, np.eye(n), atol=1e-12)
        assert_allclose(w, np.linalg.eigvalsh(P)[::-1], atol=1e-12)


def test_keys_without_weight_have_vectors_of_their_own():
    log_w = np.zeros(20)
    log_w[3] = -np.inf
    m = lw.Mechanism(kernel=kernels.Gaussian(1.0), normalization="symmetric")
    P = m.operator(X[:20], log_key_weights=log_w)
    w, v = P.eigsh(20)
    assert np.linalg.matrix_rank(v) == 20
    assert_allclose(P.toarray() @ v, v * w, atol=1e-12)


@pytest.mark.parametrize("t", [0.3, 3.0, 30.0])
def test_heat_of_growing_powers_is_the_exponential(t):
    """Kind: a series cut where the terms of bounded maps end."""
    K = np.array([[0.0, 3.0], [3.0, 0.0]])
    e = np.exp(-t) * np.array([np.cosh(3 * t), np.sinh(3 * t)])
    assert_allclose(given(K, "none").heat(t) @ np.array([1.0, 0.0]), e, rtol=1e-12)
    P = lw.Mechanism(kernel=kernels.Gaussian(1.0), normalization="none").operator(X[:30])
    want = expm(-t * (np.eye(30) - P.toarray()))
    assert_allclose(P.heat(t).T @ np.eye(30), want.T, rtol=1e-9, atol=1e-12 * want.max())


@pytest.mark.parametrize("n, alpha", [(6, 0.999), (40, 0.9999), (300, 0.99)])
def test_direct_solutions_in_float32_are_not_called_unfinished(n, alpha):
    """Kind: a residual measured beside a right side that is small beside the solution's rounding."""
    C = np.roll(np.eye(n), 1, axis=1).astype(np.float32)
    graph = supports.Graph(sp.csr_matrix(C), weights="given")
    P = lw.Mechanism(support=graph).operator(np.zeros((n, 1), np.float32))
    v = np.eye(n, dtype=np.float32)[0]
    F, report = P.equilibrium(v, alpha=alpha, solver="direct")
    assert report.converged
    want = np.linalg.solve(np.eye(n) - alpha * C.astype(float), (1 - alpha) * v)
    assert_allclose(F, want, rtol=1e-5)


def test_a_table_of_classes_keeps_the_memory_limit():
    """Kind: memory that a fit takes beside its inputs without asking for it."""
    rng = np.random.default_rng(0)
    rows, y = rng.normal(size=(20_000, 3)), rng.integers(0, 5_000, 20_000)
    with (
        lw.execution(memory_limit="100MB"),
        pytest.raises(lw.MemoryLimitError, match="points x 4896 classes"),
    ):
        lw.KernelClassifier(bandwidth=0.1).fit(rows, y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(8))
def test_null_vectors_keep_light_points(seed, dtype):
    """Kind: an entry of a vector of eigenvalue 0 taken for rounding, or found by dividing by nearly 0.

    All but two eigenvalues of a star are 0, and its leaves may weigh 1e-8 of its center.
    """
    rng = np.random.default_rng(seed)
    n = int(rng.integers(20, 120))
    weights = np.exp(rng.uniform(np.log(1e-8), 0, n - 1)).astype(dtype).astype(float)
    W = np.zeros((n, n))
    W[0, 1:] = W[1:, 0] = weights
    graph = supports.Graph(sp.csr_matrix(W), weights="given")
    P = lw.Mechanism(support=graph).operator(np.zeros((n, 1), dtype))
    w, v = P.eigsh(n)
    root = np.sqrt(W.sum(1) / W.sum())
    U, S = root[:, None] * v.astype(float), W / np.sqrt(np.outer(W.sum(1), W.sum(1)))
    tol = 1e-5 if dtype == np.float32 else 1e-9
    assert_allclose(S @ U, U * w, atol=tol)
    assert_allclose(U.T @ U, np.eye(n), atol=max(tol, 1e-6))
