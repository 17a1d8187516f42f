"""Certified spectra: graphs of many families, and those once wrong, against NumPy and closed forms."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from graph_families import GRAPHS, POINTS, gaussian_weights, require_right, symmetric_form, weighted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning

import likewise as lw
from likewise import kernels, normalizations, supports

RULES = {
    "none": normalizations.Unnormalized(),
    "row": normalizations.RowStochastic(),
    "symmetric": normalizations.Symmetric(),
    "density": normalizations.Density(0.5),
    "bistochastic": normalizations.Bistochastic(),
}
CERTIFICATES = {"whole matrix", "norm", "trace", "inertia", "probe"}


def operator_of_graph(W, rule="symmetric", dtype=np.float64, storage="auto"):
    """The operator whose weights are W."""
    m = lw.Mechanism(
        kernel=kernels.Indicator(1.0),
        support=supports.Graph(sp.csr_matrix(W), weights="given"),
        normalization=RULES[rule],
    )
    return m.operator(np.zeros((W.shape[0], 1), dtype), storage=storage)


def sizes(largest):
    """Log-uniform from 2."""
    return st.floats(np.log(2), np.log(largest)).map(lambda x: round(np.exp(x)))


def how_many(draw, n):
    few = draw(st.integers(1, 12))
    many = [n // 4, n] if n <= 600 else [n // 20]  # NumPy and we take minutes for all of thousands
    return max(1, min(n, draw(st.sampled_from([few, few, few, *many]))))


@st.composite
def graphs(draw, largest):
    """(operator, S, D, k, dtype) of a graph, weighted or not."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    W = draw(st.sampled_from(GRAPHS))(draw(sizes(largest)), rng)
    if draw(st.booleans()):
        W = weighted(W, rng)
    keep = W.sum(1) > 0
    W = W[np.ix_(keep, keep)] if keep.any() else np.ones((2, 2))
    rule = draw(st.sampled_from(["none", "row", "symmetric", "density"]))
    dtype = draw(st.sampled_from([np.float64, np.float64, np.float32]))
    storage = draw(st.sampled_from(["auto", "auto", "dense", "sparse"]))
    W = W.astype(dtype).astype(np.float64)
    return operator_of_graph(W, rule, dtype, storage), *symmetric_form(W, rule), how_many(draw, len(W)), dtype


@st.composite
def kernel_matrices(draw, largest):
    """The same of all pairs of points."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    X = draw(st.sampled_from(POINTS))(draw(sizes(largest)), rng)
    h = draw(st.sampled_from([0.3, 1.0]))
    rule = draw(st.sampled_from(list(RULES)))
    storage = draw(st.sampled_from(["auto", "streamed"]))
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # rows of Bistochastic; what is made of them is right or wrong
        P = lw.Mechanism(kernel=kernels.Gaussian(h), normalization=RULES[rule]).operator(X, storage=storage)
    factors = np.exp(0.5 * (P.log_left + P.log_right)) if rule == "bistochastic" else None
    S, D = symmetric_form(gaussian_weights(X, h), rule, factors)
    return P, S, D, how_many(draw, len(X)), np.float64


def check(case):
    P, S, D, k, dtype = case
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        found = P.spectrum(k)
    assert found.report.converged and found.report.certificate in CERTIFICATES
    # Bistochastic rows sum to 1 to 1e-8 only, float32 entries are those of float32.
    tol = (
        1e-5
        if dtype == np.float32
        else 1e-7
        if isinstance(P.mechanism.normalization, normalizations.Bistochastic)
        else 4e-9
    )
    require_right(S, D, found.values, found.vectors.astype(float), tol, tol)
    return found.report


QUIET = dict(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


@settings(max_examples=250, **QUIET)
@given(graphs(largest=300))
def test_graphs_of_all_families_have_the_eigenpairs_that_numpy_finds(case):
    """Kind: repeated, crowded or few distinct eigenvalues, where a copy is missed or a pair is none."""
    check(case)


@settings(max_examples=80, **QUIET)
@given(kernel_matrices(largest=300))
def test_kernel_matrices_of_all_families_have_the_eigenpairs_that_numpy_finds(case):
    """Kind: the same where all pairs have a weight: equal points, one-hot rows, clusters far apart."""
    check(case)


@settings(max_examples=8, **QUIET)
@given(st.one_of(graphs(largest=1500), kernel_matrices(largest=1000)))
def test_larger_ones_too(case):
    """Kind: the same in the sizes where other solvers begin."""
    check(case)


def test_a_graph_of_almost_all_pairs_is_no_crash():
    """Kind: a filtered block that loses its rank, since all eigenvalues beside 1 lie near 0."""
    X = np.random.RandomState(0).randn(3000, 2)
    model = lw.SpectralClustering(3, affinity="nearest_neighbors", n_neighbors=2900).fit(X)
    order = np.argsort(((X[:, None] - X[None]) ** 2).sum(-1), axis=1, kind="stable")[:, :2900]
    A = np.zeros((3000, 3000))
    np.put_along_axis(A, order, 1.0, axis=1)
    np.fill_diagonal(A, 0)  # each point is one of its neighbors, and no neighbor in the graph
    S, _ = symmetric_form((A + A.T) / 2, "symmetric")
    want = sp.linalg.eigsh(S, 3, tol=1e-12)[0][::-1]
    assert_allclose(model.eigenvalues_, want, atol=1e-8)
    assert model.report_.converged and model.report_.certificate


@pytest.mark.parametrize("solver", ["auto", "lanczos", "chebyshev"])
def test_a_clique_with_a_pendant_node_is_no_crash(solver):
    """Kind: the same where one eigenvalue comes n - 3 times: -1/(n - 2), beside those of a 3 x 3 matrix."""
    n = 2100
    W = np.ones((n, n)) - np.eye(n)
    W[-1] = W[:, -1] = 0
    W[0, -1] = W[-1, 0] = 1
    # Quotient by {joint, its clique, the pendant node}: exact, as all of a part are alike.
    d = np.array([n - 1, n - 2, 1.0])
    quotient = np.array([[0, n - 2, 1], [1, n - 3, 0], [1, 0, 0]]) / d[:, None]
    want = np.sort(np.r_[np.linalg.eigvals(quotient).real, np.full(n - 3, -1 / (n - 2))])[::-1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of the filter, which has three rounds only
        found = operator_of_graph(W).spectrum(4, solver=solver, max_iter=3 if solver == "chebyshev" else 1000)
    assert found.report.converged or solver == "chebyshev"
    if found.report.converged:
        assert_allclose(found.values, want[:4], atol=1e-8)


def test_one_point_beside_many_equal_ones_is_its_own_cluster():
    """Kind: a Krylov space that is exhausted after as many steps as there are distinct eigenvalues."""
    X = np.r_[np.zeros((449, 2)), [[1.0, 1.0]]]
    labels = lw.SpectralClustering(2, random_state=0).fit(X).labels_
    assert sorted(np.bincount(labels)) == [1, 449]


@pytest.mark.parametrize("n", [110, 999])
def test_diffusion_maps_of_equal_points_and_one_more(n):
    """Kind: the same where Lanczos broke down; the rank is 2, and all other eigenvalues are 0."""
    X = np.r_[np.zeros((n, 2)), [[1.0, 1.0]]]
    model = lw.DiffusionMaps(bandwidth=1.0, density_alpha=0.0).fit(X)
    e = np.exp(-1.0)
    want = n / (n + e) + 1 / (1 + n * e) - 1  # the trace of the 2 x 2 walk between the places, minus 1
    assert_allclose(model.eigenvalues_, [want, 0], atol=1e-9)
    assert model.report_.converged and model.report_.certificate


@pytest.mark.parametrize("n", [101, 150, 401, 777, 1300, 2000])
@pytest.mark.parametrize("solver", ["auto", "lanczos"])
def test_stars_have_1_and_zeros(n, solver):
    """Kind: eigenpairs called converged whose residual, computed and not looked at, was 0.3."""
    W = sp.csr_matrix((np.ones(n - 1), (np.zeros(n - 1, int), np.arange(1, n))), shape=(n, n))
    P = operator_of_graph(W + W.T)
    found = P.spectrum(5, solver=solver)
    assert_allclose(found.values, [1, 0, 0, 0, 0], atol=1e-9)
    assert np.abs(P @ found.vectors - found.vectors * found.values).max() < 1e-8
    assert_allclose(found.vectors.T @ found.vectors, np.eye(5), atol=1e-8)


def cosines(n):
    """Eigenvector 1 of a long path."""
    return np.cos(np.pi * (np.arange(n) + 0.5) / n)


@pytest.mark.parametrize(("n", "n_neighbors"), [(20_000, 5), (50_000, 15)])
def test_a_long_line_is_unrolled(n, n_neighbors):
    """Kind: eigenvalues 1e-7 apart, which no filter and no Lanczos iteration tells apart in sensible time."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = lw.SpectralEmbedding(2, n_neighbors=n_neighbors).fit(np.arange(float(n))[:, None])
    assert abs(np.corrcoef(model.embedding_[:, 0], cosines(n))[0, 1]) > 0.9999
    assert model.report_.solver == "shift_invert" and model.report_.certificate == "inertia"


def test_a_long_ring_is_round():
    """Kind: the same where each eigenvalue comes twice; those of a circulant matrix are its Fourier sums."""
    n = 20_000
    ring = sum(
        sp.csr_matrix((np.ones(n), (np.arange(n), (np.arange(n) + r) % n)), shape=(n, n))
        for r in (-2, -1, 0, 1, 2)
    )
    found = operator_of_graph(ring).spectrum(7)
    j = np.array([0, 1, 1, 2, 2, 3, 3])
    angle = 2 * np.pi * j / n
    assert_allclose(found.values, (1 + 2 * np.cos(angle) + 2 * np.cos(2 * angle)) / 5, rtol=0, atol=1e-13)
    radius = np.linalg.norm(found.vectors[:, 1:3], axis=1)
    assert_allclose(radius, radius.mean(), rtol=1e-5)
    assert found.report.certificate == "inertia"


def test_a_tiny_bridge_keeps_its_gap():
    """Kind: weights of 1e-8: the second eigenvalue is that close to 1, and not a copy of it nor left out."""
    n = 300
    W = np.zeros((2 * n, 2 * n))
    W[:n, :n] = W[n:, n:] = 1 - np.eye(n)
    W[n - 1, n] = W[n, n - 1] = 1e-8
    S, _ = symmetric_form(W, "symmetric")
    found = operator_of_graph(W).spectrum(3)
    assert_allclose(found.values, np.linalg.eigvalsh(S)[:-4:-1], atol=1e-9)
    side = found.vectors[:, 1]
    assert (np.sign(side[: n - 1]) == -np.sign(side[n + 1])).all()


@pytest.mark.parametrize("bridges", [0, 5])
def test_far_eigenvalues_do_not_drown_the_others_in_the_filter(bridges):
    """Eigenvalue 1, with bridges a second one beside it, is far above all others of an expander."""
    rng = np.random.default_rng(0)
    n = 3000
    parts = 2 if bridges else 1
    half = n // parts
    path = np.c_[np.arange(half), (np.arange(half) + 1) % half]
    edges = np.r_[rng.integers(half, size=(4 * half, 2)), path]
    edges = np.concatenate([edges + part * half for part in range(parts)])
    between = np.add(rng.integers(half, size=(bridges, 2)), [0, n - half])
    edges = np.r_[edges, between]
    W = sp.coo_array((np.ones(len(edges)), edges.T), shape=(n, n))
    W = sp.csr_array(((W + W.T) > 0).astype(float))
    found = operator_of_graph(W).spectrum(8, solver="chebyshev")
    root = np.sqrt(W.sum(1))
    S = sp.csr_array(W.multiply(1 / np.outer(root, root)))
    right = np.sort(sp.linalg.eigsh(S, 8, which="LA", tol=1e-12, return_eigenvectors=False))[::-1]
    assert right[parts] < 0.7 < 0.99 < right[parts - 1]
    assert_allclose(found.values, right, atol=1e-10)
    assert found.report.converged and found.report.n_iter <= 10


def test_reports_say_which_certificate():
    """Kind: an answer without a word on how it is known to be complete; also pickled, of every estimator."""
    import pickle

    X = np.random.default_rng(0).normal(size=(2500, 8))
    support = supports.Neighbors(10, include_self=True)
    P = lw.Mechanism(kernel=kernels.Gaussian(2.0), support=support, normalization="symmetric").operator(X)
    assert P.spectrum(4).report.certificate == "probe"
    assert P.spectrum(1).report.certificate == "norm"
    assert operator_of_graph(np.ones((50, 50))).spectrum(3).report.certificate == "whole matrix"
    few = lw.Mechanism(kernel=kernels.Gaussian(2.0)).operator(X[:600])
    assert few.spectrum(3).report.certificate in CERTIFICATES
    for model in (lw.SpectralClustering(2), lw.SpectralEmbedding(2), lw.DiffusionMaps(2, bandwidth=1.0)):
        report = model.fit(X[:300, :2]).report_
        assert report.certificate in CERTIFICATES
        assert pickle.loads(pickle.dumps(model)).report_ == report


def test_what_cannot_be_certified_is_said():
    """Kind: an iteration that ends early and calls itself converged."""
    W = np.diag(np.ones(1999), 1)
    with pytest.warns(ConvergenceWarning):
        found = operator_of_graph(W + W.T).spectrum(5, solver="lanczos", max_iter=2)
    assert not found.report.converged and found.report.certificate == ""
    assert found.residuals.max() > 1e-9
