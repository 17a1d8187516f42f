"""likewise.identities: each identity against plain float64 NumPy or SciPy, and what the functions say of it.

The first part has a test for each number: the library's sides of the equation on one hand, ten lines that use
nothing of ours on the other, on random inputs of sizes from 1 up. The second part asks the functions
themselves, and breaks each of them on purpose.
"""

import doctest
import importlib
import json
import math
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import eigh, expm
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import shortest_path
from scipy.spatial.distance import cdist, pdist, squareform
from scipy.special import logsumexp

import likewise as lw
from likewise import identities, kernels, metrics, nn, supports
from likewise.__main__ import main
from likewise.propagations import Steps

SIZES = [(1, 1), (2, 1), (3, 2), (8, 5), (40, 3), (130, 9)]
DTYPES = [np.float64, np.float32]
TOLERANCE = {np.float64: 1e-11, np.float32: 3e-5}


class Case:
    """Random queries q and keys k (n, d), values v (n, 2) and classes y of a dtype; oracles see float64."""

    def __init__(self, n, d, dtype):
        rng = np.random.default_rng(1000 * n + d)
        self.n, self.d, self.dtype = n, d, dtype
        self.q, self.k = rng.normal(size=(2, n, d)).astype(dtype)
        self.v = rng.normal(size=(n, 2)).astype(dtype)
        self.y = rng.integers(0, 3, size=n)
        self.Y = np.eye(3)[self.y].astype(dtype)
        self.Q, self.K, self.V = (A.astype(np.float64) for A in (self.q, self.k, self.v))

    def same(self, got, want, scale=1.0, times=1.0):
        want = np.asarray(want, np.float64)
        atol = times * TOLERANCE[self.dtype] * max(scale, np.abs(want).max(initial=0))
        assert_allclose(np.asarray(got, np.float64), want, rtol=0, atol=atol)


CASES = [(*size, dtype) for size in SIZES for dtype in DTYPES]


@pytest.fixture(params=CASES, ids=str)
def case(request):
    return Case(*request.param)


def of_at_least(n, more_than_d=0):
    """The cases of so many points."""
    some = [c for c in CASES if c[0] >= max(n, more_than_d and c[1] + more_than_d)]
    return pytest.mark.parametrize("case", some, indirect=True, ids=str)


def softmax(S):
    W = np.exp(S - S.max(axis=1, keepdims=True))
    return W / W.sum(axis=1, keepdims=True)


def gaussian(X, Z, h=1.0):
    return np.exp(-cdist(X, Z, "sqeuclidean") / (2 * h**2))


def by_rows(K):
    return K / K.sum(axis=1, keepdims=True)


def walk(normalization="row", h=1.0):
    return lw.Mechanism(kernel=kernels.Gaussian(h), normalization=normalization)


# --- 1 to 15, against NumPy ---------------------------------------------------------------------------------


def test_1_attention_to_keys_of_equal_norm(case):
    k = (case.k / np.linalg.norm(case.k, axis=1, keepdims=True)).astype(case.dtype)
    want = by_rows(gaussian(case.Q, k.astype(float), case.d**0.25)) @ case.V
    case.same(lw.attention(case.q, k, case.v), want)
    case.same(lw.KernelRegressor(bandwidth=case.d**0.25).fit(k, case.v).predict(case.q), want)


def test_2_attention_to_any_keys(case):
    t = case.d**0.5
    half = (case.K**2).sum(axis=1) / (2 * t)
    want = by_rows(gaussian(case.Q, case.K, t**0.5)) @ case.V
    case.same(lw.attention(case.q, case.k, case.v, log_key_weights=-half), want)
    weighted = by_rows(gaussian(case.Q, case.K, t**0.5) * np.exp(half)) @ case.V
    case.same(lw.attention(case.q, case.k, case.v), weighted)
    case.same(walk(h=t**0.5).operator(case.q, case.k, log_key_weights=half) @ case.v, weighted)


def test_3_what_leaves_attention_as_it_is(case):
    want = softmax(case.Q @ case.K.T) @ case.V
    case.same(lw.attention(case.q, case.k + case.dtype(2), case.v, 1.0), want, times=10)
    r = np.arange(case.n, dtype=case.dtype)[:, None] / case.n
    more = np.hstack([case.q, r]), np.hstack([case.k, np.ones_like(r)])
    case.same(lw.attention(*more, case.v, 1.0), want)
    twice = lw.attention(case.q, np.vstack([case.k, case.k[:1]]), np.vstack([case.v, case.v[:1]]), 1.0)
    weights = np.exp(case.Q @ case.K.T)
    weights[:, 0] *= 2
    case.same(twice, by_rows(weights) @ case.V)
    P = lw.Mechanism(kernel="exponential").operator(case.k).toarray()
    assert (P <= P.diagonal()[:, None]).all()
    case.same(P.diagonal(), 1 / np.exp(-cdist(case.K, case.K, "sqeuclidean")).sum(axis=1))


def nearest(q, K, k):
    return np.argsort(((K - q) ** 2).sum(axis=1), kind="stable")[:k]


def test_4_a_vote_of_neighbors(case):
    k = min(3, case.n)
    want = [np.mean([case.Y[j] for j in nearest(q, case.K, k)], axis=0) for q in case.Q]
    model = lw.KNeighborsClassifier(k).fit(case.k, case.y)
    case.same(model.predict_proba(case.q), np.array(want)[:, model.classes_])
    P = lw.Mechanism(metric="euclidean", kernel="indicator", support=supports.Neighbors(k))
    case.same(P.operator(case.q, case.k) @ case.Y, want)


def test_5_label_spreading_and_harmonic_functions(case):
    K, Y, a = gaussian(case.K, case.K), case.Y.astype(float), 0.7
    S = K / np.sqrt(np.outer(K.sum(1), K.sum(1)))
    want = (1 - a) * np.linalg.solve(np.eye(case.n) - a * S, Y)
    P = walk("symmetric").operator(case.k)
    tol = 1e-13 if case.dtype == np.float64 else 1e-7
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        case.same(P.equilibrium(case.Y, alpha=a, tol=tol)[0], want)
        held = np.arange(case.n) % 3 == 0
        F, _ = walk().operator(case.k).equilibrium(case.Y, clamped=held, tol=tol)
    W, u = by_rows(K), ~held
    want_u = np.linalg.solve(np.eye(u.sum()) - W[np.ix_(u, u)], W[np.ix_(u, held)] @ Y[held])
    case.same(F[u], want_u, times=100)
    case.same(F[held], Y[held])


def test_5_the_iteration_forgets_its_start_at_the_rate_a(case):
    S, a = walk("symmetric").operator(case.k), 0.7
    Y = case.Y.astype(float)
    fixed = (1 - a) * np.linalg.solve(np.eye(case.n) - a * S.toarray().astype(float), Y)
    for start in (np.zeros_like(Y), Y):
        F = start.astype(case.dtype)
        for t in range(1, 12):
            F = a * (S @ F) + (1 - a) * case.Y
            bound = a**t * np.linalg.norm(start - fixed)
            assert np.linalg.norm(F - fixed) <= bound + 100 * TOLERANCE[case.dtype] * np.linalg.norm(Y)


def test_6_diffusion_distance(case):
    K = gaussian(case.K, case.K)
    P, pi = by_rows(K), K.sum(axis=1) / K.sum()
    Pt = np.linalg.matrix_power(P, 3)
    want = ((Pt[:, None] - Pt[None]) ** 2 / pi).sum(axis=2)
    mu, psi = walk().operator(case.k).eigsh(case.n)
    got = ((psi[:, None] - psi[None]) ** 2 * mu**6).sum(axis=2)
    case.same(got, want, times=100 / pi.min())


def test_7_a_walk_an_euler_step_and_the_heat_flow(case):
    P = by_rows(gaussian(case.K, case.K))
    case.same(lw.l2_attention(case.k, case.k, case.v, 2.0), P @ case.V)
    case.same(walk().operator(case.k).power(4, case.v), np.linalg.matrix_power(P, 4) @ case.V)
    case.same(walk().operator(case.k).heat(1.5, case.v), expm(-1.5 * (np.eye(case.n) - P)) @ case.V)


def test_8_hopfield_retrieval_and_its_energy(case):
    t = 0.8
    memory = lw.HopfieldMemory(temperature=t, max_iter=1, tol=0.0).fit(case.k)
    with pytest.warns(Warning, match="max_iter=1"):
        case.same(memory.transform(case.q), softmax(case.Q @ case.K.T / t) @ case.K)
    squares = (case.K**2).sum(axis=1).max() / 2 + (case.Q**2).sum(axis=1) / 2
    want = -t * logsumexp(case.Q @ case.K.T / t, axis=1) + squares + t * np.log(case.n)
    case.same(memory.energy(case.q), want)
    memory.set_params(max_iter=500, tol=1e-6).fit(case.k)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        energies = memory.retrieve(case.q).energies
    assert np.diff(energies, axis=0).max() <= TOLERANCE[case.dtype] * np.abs(energies).max()


def test_9_mean_shift_and_the_slope_of_the_density(case):
    h, step = 1.3, lw.Mechanism(kernel=kernels.Gaussian(1.3), propagation=Steps(1, moving="points"))
    want = by_rows(gaussian(case.Q, case.K, h)) @ case.K
    moved = step.propagate(case.k, X=case.q)
    case.same(moved, want)
    case.same(lw.metric_attention(case.k, lw.maps.Linear(np.eye(case.d) / h / 2**0.5)),
              by_rows(gaussian(case.K, case.K, h)) @ case.K)  # fmt: skip

    def log_density(x):
        return logsumexp(-((x - case.K) ** 2).sum(axis=1) / (2 * h**2))

    e = 1e-5 * np.eye(case.d)
    slope = [[(log_density(x + u) - log_density(x - u)) / 2e-5 for u in e] for x in case.Q[:5]]
    assert_allclose((moved - case.q)[:5], h**2 * np.array(slope), atol=1e-4)


def test_10_sinkhorn(case):
    K = gaussian(case.K, case.K)
    case.same(walk().operator(case.k).toarray(), K / K.sum(axis=1, keepdims=True))  # the first half step
    scaled = K.copy()
    for _ in range(5000):
        scaled /= scaled.sum(axis=1, keepdims=True)
        scaled /= scaled.sum(axis=0, keepdims=True)
    normalization = lw.normalizations.Bistochastic(1e-13 if case.dtype == np.float64 else 1e-6, max_iter=9999)
    P = lw.Mechanism(kernel=kernels.Gaussian(1.0), normalization=normalization)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        case.same(P.operator(case.k).toarray(), scaled, times=10)


@pytest.mark.parametrize(
    "kernel, phi", [("laplacian", lambda d: np.exp(-d)), ("gaussian", lambda d: np.exp(-d * d / 2))]
)
def test_11_nystrom(case, kernel, phi):
    m = lw.Mechanism(metric="euclidean", kernel=lw.kernels.from_name(kernel)).replace(
        kernel=kernels.Laplacian(1.0) if kernel == "laplacian" else kernels.Gaussian(1.0)
    )
    L = case.K[: max(1, case.n // 2)]
    C, W = phi(cdist(case.Q, L)), phi(cdist(L, L))
    condition = np.linalg.cond(W)
    got = lw.nystrom(m, case.q, case.k[: len(L)])
    if condition < 1e-6 / TOLERANCE[case.dtype]:
        case.same(got @ got.T, C @ np.linalg.pinv(W) @ C.T, times=condition)
    F = lw.nystrom(m, np.vstack([case.k, case.q]), case.k)
    K = phi(cdist(np.vstack([case.K, case.Q]), case.K))
    if kernel == "laplacian":
        own = np.linalg.cond(K[: case.n])
        case.same(F @ F[: case.n].T, K, times=own)
    else:  # eigenvalues below rounding are left out
        case.same((F @ F[: case.n].T)[: case.n], K[: case.n], times=100)


def test_12_positive_random_features(case):
    W = np.random.default_rng(0).normal(size=(7, case.d)).astype(case.dtype)
    F = lw.positive_random_features(case.q, projections=W, temperature=2.0)
    U = case.Q / 2**0.5
    want = [[math.exp(w @ u - u @ u / 2) / 7**0.5 for w in W.astype(float)] for u in U]
    case.same(F, want)
    short = case.dtype(0.3 / case.d**0.5)
    q, k = (lw.positive_random_features(A * short, 50_000, random_state=1) for A in (case.q[:6], case.k[:6]))
    exact = np.exp(float(short) ** 2 * case.Q[:6] @ case.K[:6].T)
    between = ((case.Q[:6, None] + case.K[None, :6]) ** 2).sum(axis=2) * float(short) ** 2
    assert (np.abs(q @ k.T / exact - 1) <= 5 * np.sqrt(np.expm1(between) / 50_000) + 1e-4).all()


def test_13_softmax_maximizes_score_plus_entropy(case):
    s, P = case.Q @ case.K.T, lw.Mechanism(metric="dot", kernel="exponential").operator(case.q, case.k)

    def less(z, row):  # of p = softmax(z), and its slope
        p = softmax(z[None])[0]
        gain = s[row] - np.log(p)
        return -p @ gain, -p * (gain - p @ gain)

    for row in range(min(3, case.n)):
        found = minimize(less, np.zeros(case.n), args=(row,), jac=True, method="L-BFGS-B", tol=1e-14)
        assert_allclose(-found.fun, P.log_row_sums[row], atol=1e-5)
        assert_allclose(softmax(found.x[None])[0], P.toarray()[row], atol=2e-4)


def test_13_the_slope_of_attention_is_a_covariance(case):
    g = np.random.default_rng(0).normal(size=case.v.shape).astype(case.dtype)
    P = lw.Mechanism(metric="dot", kernel=kernels.Exponential(1.5)).operator(case.q, case.k)
    W = softmax(case.Q @ case.K.T / 1.5)
    want = []
    for w, row in zip(W, g.astype(float)):
        covariance = (case.V - w @ case.V).T @ (w[:, None] * (case.K - w @ case.K))
        want.append(row @ covariance / 1.5)
    case.same(P.vjp(g, case.v)["queries"], want, times=10)


def test_14_graph_attention_is_a_masked_softmax(case):
    rng = np.random.default_rng(0)
    a1, a2 = rng.normal(size=(2, case.d))
    A = rng.random((case.n, case.n)) < 0.3
    A |= np.eye(case.n, dtype=bool)
    e = (case.Q @ a1)[:, None] + case.Q @ a2
    e = np.where(A, np.where(e > 0, e, 0.2 * e), -np.inf)
    m = lw.Mechanism(
        metric=metrics.Additive(a1, a2), kernel="exponential", support=supports.Graph(csr_matrix(A))
    )
    case.same(m.operator(case.q) @ case.v, softmax(e) @ case.V)
    m = m.replace(support=supports.Mask(A))
    case.same(m.operator(case.q) @ case.v, softmax(e) @ case.V)


def test_15_kernel_ridge_regression_is_not_kernel_regression():
    """By hand: two points at 0 and 1, y = 0 and 1, K = [[1, k], [k, 1]]."""
    X, y, k = np.array([[0.0], [1.0]]), np.array([0.0, 1.0]), np.exp(-0.5)
    smoothed = walk().operator(X) @ y
    assert_allclose(smoothed, [k / (1 + k), 1 / (1 + k)])
    for a in 10.0 ** np.arange(-6, 4):
        ridge = np.array([[1, k], [k, 1]]) @ np.linalg.solve([[1 + a, k], [k, 1 + a]], y)
        assert np.abs(ridge - smoothed).max() > 0.1


def test_15_nystromformer_is_not_kernel_nystrom():
    X = np.random.default_rng(0).normal(size=(9, 3))
    K = np.exp(X @ X.T)
    L = X[::2]
    left, middle, right = (softmax(A @ B.T) for A, B in ((X, L), (L, L), (L, X)))
    nystromformer = left @ np.linalg.pinv(middle) @ right
    C = np.exp(X @ L.T)
    by_kernel = by_rows(C @ np.linalg.inv(np.exp(L @ L.T)) @ C.T)
    assert np.abs(nystromformer - by_kernel).max() > 0.01
    S = by_rows(K)
    assert_allclose(S @ np.linalg.pinv(S) @ S, S, atol=1e-10)
    found = identities.counterexamples(X)
    assert found.holds and [check.differs for check in found.checks] == [True, False, True]


# --- 16 to 32, the paper's table, against NumPy -------------------------------------------------------------


def test_16_mds_factorizes_dot_products(case):
    D2 = squareform(pdist(case.K, "sqeuclidean"))
    J = np.eye(case.n) - 1 / case.n
    B = -J @ D2 @ J / 2
    centered = case.K - case.K.mean(axis=0)
    case.same(B, centered @ centered.T)
    assert_allclose(B.sum(axis=1), 0, atol=1e-12)
    assert identities.mds(case.k).holds


@of_at_least(3)
def test_17_isomap_of_path_lengths_has_rows_that_sum_to_0(case):
    k = min(2, case.n - 1)
    D = squareform(pdist(case.K))
    edges = np.zeros_like(D)
    for i in range(case.n):
        for j in nearest(case.K[i], case.K, k + 1):
            edges[i, j] = edges[j, i] = D[i, j]
    G = shortest_path(csr_matrix(edges), directed=False)
    inside = np.isfinite(G[0])
    J = np.eye(inside.sum()) - 1 / inside.sum()
    assert_allclose((-J @ G[np.ix_(inside, inside)] ** 2 @ J / 2).sum(axis=1), 0, atol=1e-10)
    assert identities.isomap(case.k).holds


@of_at_least(0, more_than_d=4)
def test_18_local_linear_weights_sum_to_1(case):
    model = lw.KernelRegressor(kernel="indicator", bandwidth=None, degree=1).fit(case.k, np.eye(case.n))
    got = model.predict(case.q[:4])
    design = np.c_[np.ones(case.n), case.K]
    want = np.c_[np.ones(len(got)), case.Q[:4]] @ np.linalg.pinv(design)
    case.same(got, want, times=10)
    case.same(got.sum(axis=1), 1)


@of_at_least(2)
def test_19_laplacian_eigenmaps(case):
    K = gaussian(case.K, case.K)
    D = np.diag(K.sum(axis=1))
    want = 1 - eigh(D - K, D, eigvals_only=True)
    case.same(walk().operator(case.k).eigsh(case.n)[0], want, times=10)


@pytest.mark.parametrize("t", [1, 2])
@of_at_least(3)
def test_20_diffusion_maps(case, t):
    K = gaussian(case.K, case.K)
    P = by_rows(K / np.outer(K.sum(1), K.sum(1)))
    w = np.sort(np.linalg.eigvals(P).real)[::-1]
    model = lw.DiffusionMaps(2, bandwidth=1.0, diffusion_time=t).fit(case.k)
    case.same(model.eigenvalues_, w[1:3], times=10)
    case.same(np.linalg.matrix_power(P, t) @ model.eigenvectors_, model.embedding_, times=100)


@of_at_least(8)
def test_21_sne_has_the_entropy_of_its_perplexity(case):
    P = lw.explain("sne").mechanism.operator(case.k).toarray().astype(float)
    s = lw.explain("sne").mechanism.operator(case.k).bandwidth.row_scale
    D2 = squareform(pdist(case.K, "sqeuclidean"))
    K = np.exp(-D2 / (2 * s[:, None])) * (1 - np.eye(case.n))
    case.same(P, by_rows(K))
    entropy = -(by_rows(K) * np.log(by_rows(K) + np.eye(case.n))).sum(axis=1)
    case.same(entropy, np.full(case.n, np.log(min(30, (case.n - 1) / 3))), times=10)


@of_at_least(3)
def test_22_the_gradient_of_tsne(case):
    K = 1 / (1 + squareform(pdist(case.K, "sqeuclidean"))) - np.eye(case.n)
    p = gaussian(case.Q, case.Q) * (1 - np.eye(case.n))
    p, q = p / p.sum(), K / K.sum()
    want = [4 * (((p[i] - q[i]) * K[i])[:, None] * (case.K[i] - case.K)).sum(axis=0) for i in range(case.n)]
    Q = lw.explain("tsne").mechanism.operator(case.k)
    case.same(Q.toarray(), q)
    slope = (-p / (q + np.eye(case.n))).astype(case.dtype)
    case.same(Q.vjp(slope, np.eye(case.n, dtype=case.dtype))["points"], want, times=10)


@of_at_least(4)
def test_23_umap_is_a_fuzzy_union(case):
    k = min(6, case.n - 1)
    m = lw.explain("umap").mechanism.replace(support=supports.Neighbors(k, symmetrize="none"))
    found = m.operator(case.k).bandwidth
    D = squareform(pdist(case.K)) + np.diag(np.full(case.n, np.inf))
    A = np.exp(-np.maximum(0, D - found.row_offset[:, None]) / np.sqrt(found.row_scale)[:, None])
    A *= D <= np.sort(D, axis=1)[:, [k - 1]]
    union = m.replace(support=supports.Neighbors(k, symmetrize="fuzzy_union")).operator(case.k).toarray()
    case.same(union, A + A.T - A * A.T, times=10)


@of_at_least(3)
def test_24_a_step_of_fuzzy_c_means(case):
    centers = case.k[:3] + case.dtype(0.1)
    u = by_rows(cdist(case.K, centers.astype(float)) ** -2.0)
    want = (u**2).T @ case.K / (u**2).sum(axis=0)[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = lw.FuzzyCMeans(3, init=centers, max_iter=1).fit(case.k)
    case.same(model.cluster_centers_, want, times=10)


@of_at_least(3)
def test_25_markov_clustering(case):
    k = min(4, case.n)
    A = np.zeros((case.n, case.n))
    for i in range(case.n):
        A[i, nearest(case.K[i], case.K, k)] = 1
    P = by_rows((A + A.T) / 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = lw.MarkovClustering(n_neighbors=k, prune=0, max_iter=4).fit(case.k)
    for _ in range(model.n_iter_):
        P = by_rows((P @ P) ** 2)
    case.same(model.flow_.toarray(), P, times=10)


def test_26_regression_on_the_adjacency(case):
    k = min(3, case.n)
    want = [case.V[nearest(q, case.K, k)].mean(axis=0) for q in case.Q]
    case.same(lw.KNeighborsRegressor(k).fit(case.k, case.v).predict(case.q), want)
    adjacency = np.zeros((case.n, case.n))
    for i, q in enumerate(case.Q):
        adjacency[i, nearest(q, case.K, k)] = 1
    m = lw.Mechanism(kernel="indicator", support=supports.Graph(csr_matrix(adjacency), weights="given"))
    case.same(m.operator(case.q, case.k) @ case.v, want)


def test_27_a_support_vector_machine():
    from sklearn.svm import SVC

    rng = np.random.default_rng(0)
    X, y, Q = rng.normal(size=(60, 2)), rng.integers(0, 2, 60), rng.normal(size=(9, 2))
    model = SVC(gamma=0.7).fit(X, y)
    want = [model.dual_coef_[0] @ np.exp(-0.7 * ((q - model.support_vectors_) ** 2).sum(1)) for q in Q]
    assert_allclose(lw.explain(model).step(Q), np.array(want) + model.intercept_[0], atol=1e-12)


def test_28_graph_convolution(case):
    A = (np.random.default_rng(0).random((case.n, case.n)) < 0.3).astype(float)
    A = np.maximum(np.maximum(A, A.T), np.eye(case.n))
    want = A / np.sqrt(np.outer(A.sum(1), A.sum(1))) @ case.K
    graph = supports.Graph(csr_matrix(A), weights="given")
    case.same(lw.explain("gcn").mechanism.replace(support=graph).operator(case.k) @ case.k, want)
    settings = {"tied": True, "project": False, "values": False, "bias": False}
    layer = nn.AttentionLayer(case.d, 1, "given", dtype=case.dtype, **settings)
    case.same(layer.forward(case.k, support=graph), want)


def test_29_the_heat_flow(case):
    P = by_rows(gaussian(case.K, case.K))
    case.same(walk().operator(case.k).heat(2.0, case.v), expm(-2 * (np.eye(case.n) - P)) @ case.V)


def test_30_self_attention(case):
    heads = 1 if case.d % 2 else 2
    layer = nn.SelfAttention(case.d, heads, dtype=case.dtype, random_state=0)
    state = {name: part.astype(float) for name, part in layer.state_dict().items()}
    q, k, v = np.split(case.K @ state["in_proj_weight"].T + state["in_proj_bias"], 3, axis=1)
    columns = np.split(np.arange(case.d), heads)
    out = [softmax(q[:, c] @ k[:, c].T / np.sqrt(len(c))) @ v[:, c] for c in columns]
    want = np.hstack(out) @ state["out_proj.weight"].T + state["out_proj.bias"]
    case.same(layer.forward(case.k), want)


def test_31_a_layer_of_graph_attention(case):
    layer = nn.AttentionLayer(case.d, 1, "additive", True, dtype=case.dtype, random_state=0)
    state = {name: part.astype(float) for name, part in layer.state_dict().items()}
    A = np.random.default_rng(0).random((case.n, case.n)) < 0.4
    A |= np.eye(case.n, dtype=bool)
    h = case.K @ state["metric_proj.weight"].T
    e = (h @ state["att_query"][0])[:, None] + h @ state["att_key"][0]
    W = softmax(np.where(A, np.where(e > 0, e, 0.2 * e), -np.inf))
    v = case.K @ state["v_proj.weight"].T + state["v_proj.bias"]
    want = W @ v @ state["out_proj.weight"].T + state["out_proj.bias"]
    case.same(layer.forward(case.k, support=supports.Graph(csr_matrix(A))), want)


def test_32_metric_attention(case):
    rng = np.random.default_rng(0)
    W1, W2, b1, b2 = rng.normal(size=(6, case.d)), rng.normal(size=(case.d, 6)) / 4, rng.normal(size=6), 0.3
    phi = case.K + np.tanh(case.K @ W1.T + b1) @ W2.T + b2
    want = softmax(-cdist(phi, phi, "sqeuclidean")) @ case.V
    mapped = lw.maps.ResidualMLP(W1, b1, W2, np.full(case.d, b2))
    case.same(lw.metric_attention(case.k, mapped, case.v), want, times=10)


# --- the functions ------------------------------------------------------------------------------------------

ALL = {row.name: row for row in identities.registry()}


def test_the_registry_has_theory_and_the_papers_table():
    numbers = [row.number for row in identities.registry()]
    assert numbers == list(range(1, 33))
    for row in identities.registry():
        assert row.function is getattr(identities, row.name) and row.name in identities.__all__
        assert row.function.__doc__ and row.source and row.formulas
        assert all(len(text) <= 86 for text in (row.title, *row.formulas)), row.name
    assert set(identities.__all__) <= set(dir(identities))


@pytest.mark.parametrize("name", ALL)
def test_holds_on_the_default_data(name):
    found = ALL[name].function()
    assert found.holds and found.number == ALL[name].number
    assert tuple(check.formula for check in found.checks) == ALL[name].formulas
    assert found.formula in ALL[name].formulas
    for check in found.checks:
        assert check.difference > check.tolerance if check.differs else check.difference <= check.tolerance
        assert check.differs or check.tolerance < (0.1 if name == "random_features" else 1e-8)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", DTYPES)
def test_holds_on_any_points(name, dtype):
    for n, d in [*SIZES, (60, 2), (25, 12)]:
        rng = np.random.default_rng(n + d)
        X, y = 3 * rng.normal(size=(n, d)).astype(dtype), rng.integers(0, 3, size=n)
        found = ALL[name].function(X, y)
        assert found.holds, (n, d, str(found))


@pytest.mark.parametrize("name", ALL)
def test_holds_on_copies_and_on_points_of_one_place(name):
    X = np.random.default_rng(0).normal(size=(12, 3))
    for points in (np.vstack([X, X, X[:5]]), np.zeros((6, 2)), np.ones((7, 1))):
        assert ALL[name].function(points).holds


def test_numbers_are_classes_of_high_and_low():
    X = np.random.default_rng(0).normal(size=(50, 2))
    for y in (X[:, 0], list("ab" * 25), np.arange(50) % 2 == 0, np.arange(50) % 7, None):
        found = identities.check(X, y, only=["neighbor_vote", 5])
        assert [one.number for one in found] == [4, 5] and all(one.holds for one in found)


@pytest.mark.parametrize(
    "X, y, message",
    [
        (np.zeros((1001, 2)), None, r"X must have 1 to 1000 rows.*\(1001, 2\)"),
        (np.zeros((0, 2)), None, "X must have 1 to 1000 rows"),
        (np.zeros(3), None, "X must be a 2-D array"),
        ([[0.0, np.nan]], None, "X must be finite"),
        (np.eye(3), [0, 1], "y must have a class for each of the 3 rows"),
        (None, [0, 1], "X must be given together with y"),
        (np.eye(3), [0.0, np.nan, 1.0], "y must be finite"),
        (np.float32(1e6) * np.eye(3, dtype=np.float32) + 1e8, None, "digits: rounding in float32"),
    ],
)
def test_what_does_not_fit_is_refused(X, y, message):
    with pytest.raises(ValueError, match=message):
        identities.check(X, y, only=["key_bias"])


def test_a_wrong_name_is_told_the_known_ones():
    with pytest.raises(ValueError, match=r"only must hold .*3 gauge.*; got 'gauges'"):
        identities.check(only=["gauges"])


# What each identity rests on: spoiled by a thousandth, it must fail.
RESTS_ON = {
    "equal_norm_keys": (lw, "attention"),
    "key_bias": (lw, "attention"),
    "gauge": (lw, "attention"),
    "neighbor_vote": (lw.KNeighborsClassifier, "predict_proba"),
    "label_spreading": (lw.SelfOperator, "equilibrium"),
    "diffusion_distance": (lw.SelfOperator, "eigsh"),
    "random_walk": (lw, "l2_attention"),
    "hopfield": (lw.HopfieldMemory, "transform"),
    "mean_shift": (lw.Mechanism, "propagate"),
    "sinkhorn": (lw, "l2_attention"),
    "nystrom": (lw, "nystrom"),
    "random_features": (lw, "positive_random_features"),
    "softmax": (lw, "attention"),
    "mds": (lw, "kneighbors"),
    "lle": (lw.KernelRegressor, "predict"),
    "laplacian_eigenmaps": (lw.SelfOperator, "eigsh"),
    "diffusion_maps": (lw.DiffusionMaps, "fit"),
    "sne": (lw.SelfOperator, "toarray"),
    "tsne": (lw.SelfOperator, "vjp"),
    "umap": (lw.SelfOperator, "toarray"),
    "fuzzy_c_means": (lw.FuzzyCMeans, "fit"),
    "markov_clustering": (lw.MarkovClustering, "fit"),
    "k_nearest_neighbors": (lw.KNeighborsRegressor, "predict"),
    "svm": (lw.CrossOperator, "matmat"),
    "gcn": (nn.AttentionLayer, "forward"),
    "diffusion_net": (lw.SelfOperator, "heat"),
    "self_attention": (nn.AttentionLayer, "forward"),
    "graph_attention": (nn.AttentionLayer, "forward"),
    "metric_attention": (lw, "metric_attention"),
}


def spoiled(function):
    """The function, whose arrays are a thousandth too large, save the first entry."""

    def more(a):
        if isinstance(a, np.ndarray) and a.dtype.kind == "f":
            a = np.array(a)
            a.flat[1:] *= 1.001
        return a

    def call(*args, **kwargs):
        found = function(*args, **kwargs)
        if isinstance(found, dict):
            return {name: more(part) for name, part in found.items()}
        if isinstance(found, (tuple, np.ndarray)):
            return tuple(map(more, found)) if isinstance(found, tuple) else more(found)
        for name in ("cluster_centers_", "flow_", "embedding_"):  # of a fit
            if hasattr(found, name):
                part = getattr(found, name)
                setattr(found, name, part * 1.001)
        return found

    return call


@pytest.mark.parametrize("name", RESTS_ON)
def test_a_wrong_side_is_seen(name, monkeypatch):
    owner, attribute = RESTS_ON[name]
    assert ALL[name].function().holds
    monkeypatch.setattr(owner, attribute, spoiled(getattr(owner, attribute)))
    found = ALL[name].function()
    assert not found.holds and found.difference > found.tolerance
    assert "FAIL" in str(found) and "<- fails" in str(found)


def test_a_mask_that_admits_all_is_seen(monkeypatch):
    mask = supports.Mask
    monkeypatch.setattr(supports, "Mask", lambda admitted: mask(np.ones_like(admitted)))
    assert not identities.masked_softmax().holds


def test_what_is_no_identity_fails_where_its_sides_are_the_same(monkeypatch):
    from likewise.identities import approximations, paper_graphs

    monkeypatch.setattr(paper_graphs, "_centered", lambda squares: np.eye(len(squares)))
    assert not identities.isomap().holds and not identities.mds().checks[1].holds

    monkeypatch.setattr(approximations, "_nystromformer", lambda m, X, L: m.operator(X).toarray())
    monkeypatch.setattr(lw, "nystrom", lambda m, X, L: np.linalg.cholesky(np.exp(X @ X.T)))
    found = identities.counterexamples()
    assert not found.holds and not found.checks[2].holds


def test_nothing_that_is_no_number_passes():
    assert not identities.Check("a = b", np.nan, 1e-12).holds
    assert not identities.Check("a != b", np.nan, 1e-12, differs=True).holds
    assert identities.Check("a = b", 0.0, 0.0).holds and not identities.Check("a = b", 1e-300, 0.0).holds
    assert not identities.Check("a != b", 0.0, 1e-6, differs=True).holds


@pytest.mark.parametrize("module", ["likewise.identities", "likewise._features"])
def test_examples_print_what_they_say(module):
    found = doctest.testmod(importlib.import_module(module))
    assert found.attempted and not found.failed


# --- the command --------------------------------------------------------------------------------------------


def test_the_command_prints_a_table(capsys):
    assert main(["identities"]) == 0
    shown = capsys.readouterr().out
    assert "irises (150 x 4, columns scaled)" in shown and shown.rstrip().endswith("32 of 32 hold")
    assert shown.count("  pass\n") == 32 and "FAIL" not in shown
    assert max(map(len, shown.splitlines())) <= 110
    for row in identities.registry():
        assert row.title in shown and all(formula in shown for formula in row.formulas)


def test_the_command_ends_with_1_where_one_fails(capsys, monkeypatch):
    monkeypatch.setattr(lw, "l2_attention", spoiled(lw.l2_attention))
    assert main(["identities", "--only", "1", "random_walk"]) == 1
    shown = capsys.readouterr().out
    assert "1 of 2 hold; failed: 7 random_walk" in shown and shown.count("FAIL") == 1


def test_the_command_as_json_on_data_of_a_name_and_a_file(capsys, tmp_path):
    assert main(["identities", "--json", "--data", "wine", "--only", "counterexamples", "4"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["data"] == "wine (178 x 13, columns scaled)" and found["hold"]
    assert [row["name"] for row in found["identities"]] == ["counterexamples", "neighbor_vote"]
    assert [check["must_differ"] for check in found["identities"][0]["checks"]] == [True, False, True]
    pytest.importorskip("pandas")
    rows = [f"{i % 5 + i / 7},{(i * i) % 11},{'ab'[i % 2]}" for i in range(40)]
    (tmp_path / "my.csv").write_text("\n".join(["u,w,kind", *rows]))
    assert main(["identities", "--data", str(tmp_path / "my.csv"), "--target", "kind"]) == 0
    assert "(40 x 2, columns scaled)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options, message",
    [
        (["--data", "moons"], "data must be one of two_moons"),
        (["--only", "33"], "only must hold names or numbers"),
        (["--target", "y"], "target must be given together with data"),
        (["--data", "none.csv", "--target", "y"], "existing .csv file"),
    ],
)
def test_what_does_not_fit_is_one_line_and_status_2(options, message, capsys):
    assert main(["identities", *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith("likewise identities: ") and message in error and error.count("\n") == 1


# --- nystrom and positive_random_features -------------------------------------------------------------------


@pytest.mark.parametrize(
    "mechanism, message",
    [
        (3, "mechanism must be a Mechanism; got 3"),
        (lw.Mechanism(support="neighbors"), r"mechanism must have the support AllPairs\(\)"),
        (lw.Mechanism(kernel=kernels.Gaussian("self_tuning")), "one bandwidth for all points"),
        (lw.Mechanism(kernel=kernels.Indicator(1.0)), "positive semi-definite kernel matrix.*eigenvalues -"),
        (lw.Mechanism(metric="dot", kernel=kernels.Exponential(1e-4)), "weights that float64 holds"),
        (
            lw.Mechanism(metric=metrics.Bilinear([[1, 0], [0, 1]], [[0, 1], [-1, 0]]), kernel="exponential"),
            "symmetric metric",
        ),
    ],
)
def test_nystrom_refuses_what_has_no_features(mechanism, message):
    X = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises((ValueError, TypeError), match=message):
        lw.nystrom(mechanism, X, X[:9])


def test_nystrom_leaves_out_what_is_below_rounding():
    X = np.random.default_rng(0).normal(size=(20, 2))
    m = walk()
    assert lw.nystrom(m, X, X[[0, 0, 0, 1]]).shape == (20, 2)
    F = lw.nystrom(m, X.astype(np.float32), X.astype(np.float32))
    assert F.dtype == np.float32 and F.shape[1] < 20
    assert_allclose(F @ F.T, gaussian(X, X), atol=1e-4)
    assert lw.nystrom(lw.Mechanism(kernel="gaussian"), X, X[:5]).shape == (20, 5)  # a rule, of the landmarks


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"temperature": 0}, "temperature must be positive and finite"),
        ({"n_features": 0}, "n_features must be an int of at least 1"),
        ({"n_features": 2.5}, "n_features must be an int"),
        ({"projections": np.ones((3, 3))}, r"projections must be of shape \(m, 2\)"),
        ({"projections": np.full((1, 2), 1e6)}, r"X must be short beside sqrt\(temperature\) = 1"),
        ({"random_state": -1}, "random_state must be an int"),
    ],
)
def test_positive_random_features_refuse_what_does_not_fit(settings, message):
    with pytest.raises((ValueError, TypeError), match=message):
        lw.positive_random_features(np.ones((4, 2)), **settings)


def test_queries_and_keys_share_projections_by_their_seed():
    X = np.random.default_rng(0).normal(size=(5, 2))
    first, again, other = (lw.positive_random_features(X, 8, random_state=s) for s in (0, 0, 1))
    assert (first == again).all() and (first != other).any() and (first > 0).all()
    assert lw.positive_random_features(X.astype(np.float32), 8, random_state=0).dtype == np.float32
