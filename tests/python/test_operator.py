"""Operators against plain NumPy: every metric, kernel, support and normalization that mathematics allows."""

import inspect
import pickle
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracle import KERNELS, METRICS, W2, W, distances, extended, nearest, normalized, symmetrized, weights
from scipy.linalg import expm
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import LinearOperator, aslinearoperator, eigs, eigsh, gmres, svds

import likewise as lw
from likewise import kernels, metrics, normalizations, supports

N, D = 13, 3


def rng(seed):
    return np.random.default_rng(seed)


Z = rng(0).normal(size=(N, D))
X = rng(1).normal(size=(5, D))
V = rng(2).normal(size=(N, 2))
MASK = (rng(3).random((N, N)) < 0.6) | np.eye(N, dtype=bool)
EDGES = csr_matrix((rng(4).random((N, N)) < 0.4) * rng(5).random((N, N)) + np.eye(N))


def metric_of(name):
    return eval("metrics." + name, {"metrics": metrics, "W": W, "W2": W2})


def kernel_of(name):
    return eval("kernels." + name)


PACKED, SCATTERED = np.repeat([0, 1, 2], [4, 6, 3]), np.arange(N) % 4


def reported(metric, queries=None):
    """What kneighbors reports and Neighbors and Radius compare: 1 - cos, the squares, |Wx - Wz|."""
    cost, power = METRICS[metric]
    queries = Z if queries is None else queries
    return distances(cost(queries, Z), power if metric.startswith("Mahalanobis") else None)


def supported(metric, K):
    """(support, K on it) for every kind of support."""
    R = reported(metric)
    radius = max(0, np.quantile(R, 0.4))
    patterns = [
        (supports.AllPairs(), np.ones((N, N))),
        (supports.LeaveOneOut(), 1 - np.eye(N)),
        (supports.Causal(), np.tri(N)),
        (supports.Window(3, 1), np.tri(N, k=1) - np.tri(N, k=-4)),
        (supports.Window(2, 2) & supports.LeaveOneOut(), np.tri(N, k=2) - np.tri(N, k=-3) - np.eye(N)),
        (supports.Blocks(PACKED), PACKED[:, None] == PACKED),
        (supports.Blocks(SCATTERED), SCATTERED[:, None] == SCATTERED),
        (supports.OtherGroups(SCATTERED), SCATTERED[:, None] != SCATTERED),
        (supports.Blocks(PACKED) & supports.Causal(), np.tril(PACKED[:, None] == PACKED)),
        (supports.Mask(MASK), MASK),
        (supports.Mask(MASK) & supports.LeaveOneOut(), MASK & ~np.eye(N, dtype=bool)),
        (supports.Mask(csr_matrix(MASK)), MASK),
        (supports.Graph(EDGES), EDGES.toarray() > 0),
        (supports.Graph(EDGES) & supports.Causal(), np.tril(EDGES.toarray() > 0)),
        (supports.Radius(radius), R <= radius),
    ]
    for support, pattern in patterns:
        yield support, np.where(pattern, K, 0)
    yield supports.Graph(EDGES, weights="given"), EDGES.toarray()
    for how in ("union", "mutual", "average", "fuzzy_union", "none"):
        for include_self in (False, True):
            A = np.where(nearest(R, 4, include_self), K, 0)
            if how == "fuzzy_union" and A.max() > 1:
                continue
            yield supports.Neighbors(4, symmetrize=how, include_self=include_self), symmetrized(A, how)
    among = np.where(MASK, R, np.inf)
    A = np.where(nearest(among, 3, False) & MASK, K, 0)
    yield supports.Neighbors(3, symmetrize="none") & supports.Mask(MASK), A


NORMALIZATIONS = {
    "Unnormalized()": {"rule": "none"},
    "RowStochastic()": {"rule": "row"},
    "RowStochastic(0.3)": {"rule": "row", "null_mass": 0.3},
    "Symmetric()": {"rule": "symmetric"},
    "Density(1)": {"rule": "density", "alpha": 1.0},
    "Density(0.5)": {"rule": "density", "alpha": 0.5},
    "Column()": {"rule": "column"},
    "Global()": {"rule": "global"},
}
PAIRS = [(m, k) for m in METRICS for k in KERNELS if weights(m, k, Z[:2], Z[:2]) is not None]


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.parametrize(("metric", "kernel"), PAIRS)
def test_every_combination_equals_numpy(metric, kernel):
    K = weights(metric, kernel, Z, Z)
    log_w = rng(6).normal(size=N)
    for support, on_support in supported(metric, K):
        for name, rule in NORMALIZATIONS.items():
            if kernel.startswith("InverseDistance") and (rule["rule"] != "row" or "null_mass" in rule):
                continue
            if (
                kernel.startswith("InverseDistance")
                and np.isinf(on_support).any()
                and "average" in repr(support)
            ):
                continue  # the mean of an infinite weight and a finite one
            want = normalized(on_support, w=np.exp(log_w), **rule)
            m = lw.Mechanism(
                metric=metric_of(metric),
                kernel=kernel_of(kernel),
                support=support,
                normalization=eval("normalizations." + name),
            )
            P = m.operator(Z, log_key_weights=log_w)
            assert_allclose(P.toarray(), want, rtol=1e-9, atol=1e-12, err_msg=repr(m))
            assert_allclose(P @ V, want @ V, rtol=1e-9, atol=1e-11, err_msg=repr(m))


def neighbors_among(R, pattern, k, include_self):
    """The k nearest that the pattern admits, as a plain loop. A point is its own neighbor, before all others,
    where include_self says so and every point may speak to itself."""
    include_self = include_self and bool(np.all(np.diag(pattern)))
    among = np.zeros(R.shape, bool)
    for i in range(len(R)):
        others = sorted((R[i, j], j) for j in range(len(R)) if j != i and pattern[i, j])
        among[i, [j for _, j in others[: k - include_self]]] = True
        among[i, i] = include_self
    return among


@pytest.mark.parametrize("include_self", [False, True])
@pytest.mark.parametrize("k", [1, 2, 4, N - 1])
@pytest.mark.parametrize("diagonal", ["kept", "half", "none"])
def test_neighbors_are_chosen_alike_beside_every_container_of_pairs(k, include_self, diagonal):
    """Kind: one rule that two code paths state, by pairs that are listed (sparse masks, graphs) and by search
    (dense masks): listed pairs took a point for its own neighbor whatever include_self said."""
    pattern = MASK.copy()
    np.fill_diagonal(pattern, {"kept": True, "half": np.arange(N) % 2, "none": False}[diagonal])
    K = np.exp(-(reported("Euclidean()") ** 2) / 2)
    want = np.where(neighbors_among(reported("Euclidean()"), pattern, k, include_self), K, 0)
    rule = supports.Neighbors(k, symmetrize="none", include_self=include_self)
    listed = csr_matrix(pattern)
    for pairs in (
        supports.Mask(pattern),
        supports.Mask(listed),
        supports.Graph(listed),
        supports.Mask(pattern) & supports.Mask(listed),
        supports.Graph(listed) & supports.Mask(pattern),
    ):
        m = lw.Mechanism(kernel=kernels.Gaussian(1), support=rule & pairs, normalization="none")
        assert_allclose(m.operator(Z).toarray(), want, rtol=1e-12, atol=1e-15, err_msg=repr(pairs))
    lone = csr_matrix(np.eye(N, dtype=bool))
    for container in (supports.Mask(lone), supports.Graph(lone), supports.Mask(np.eye(N, dtype=bool))):
        only = supports.Neighbors(1, symmetrize="none", include_self=include_self) & container
        m = lw.Mechanism(kernel=kernels.Gaussian(1), support=only, normalization="none", empty_row="zero")
        assert_array_equal(m.operator(Z).toarray(), np.eye(N) * include_self)


@pytest.mark.parametrize("pairs", [MASK, csr_matrix(MASK), EDGES], ids=["dense", "csr", "graph"])
def test_neighbors_beyond_the_points_are_refused_beside_every_container(pairs):
    pairs = supports.Graph(pairs) if pairs is EDGES else supports.Mask(pairs)
    for k, include_self in ((N, False), (N + 1, True), (10**6, False)):
        rule = supports.Neighbors(k, symmetrize="none", include_self=include_self)
        with pytest.raises(
            ValueError, match=rf"n_neighbors must be an int in \[1, {N - (not include_self)}\]"
        ):
            lw.Mechanism(kernel=kernels.Gaussian(1), support=rule & pairs).operator(Z)


@pytest.mark.parametrize(("metric", "kernel"), PAIRS)
def test_distance_kernels_want_a_distance(metric, kernel):
    for other in KERNELS:
        if (metric, other) not in PAIRS:
            with pytest.raises(ValueError, match=r"metric=.*must be a distance|metric must be a distance"):
                lw.Mechanism(metric=metric_of(metric), kernel=kernel_of(other)).operator(Z)


ASYMMETRIC = ("Bilinear(W, W2)", "Additive(W[0], W2[1])", "AdditiveDynamic(W, W2, W[:, 0], b=W2[:, 2])")
SYMMETRIC_PAIRS = [(m, k) for m, k in PAIRS if m not in ASYMMETRIC and not k.startswith("InverseDistance")]


def with_total_support(metric, kernel, K):
    """Symmetric supports on which Sinkhorn ends, and K on them."""
    R = reported(metric)
    radius = max(0, np.quantile(R, 0.45), np.diag(R).max()) + 1e-9  # between two distances
    graph = csr_matrix(np.maximum(EDGES.toarray(), EDGES.toarray().T))
    mask = MASK & MASK.T
    patterns = [
        (supports.AllPairs(), np.ones((N, N))),
        (supports.Mask(mask), mask),
        (supports.Graph(graph), graph.toarray() > 0),
        (supports.Radius(radius), R <= radius),
    ]
    if kernel not in ("Indicator(1.5)", "Epanechnikov(2.5)", "Tricube(2.5)"):  # every pair speaks
        patterns.append((supports.LeaveOneOut(), 1 - np.eye(N)))
    for support, pattern in patterns:
        yield support, np.where(pattern, K, 0)
    yield supports.Graph(graph, weights="given"), graph.toarray()
    for how in ("union", "mutual", "average"):
        A = np.where(nearest(R, 4, True), K, 0)
        yield supports.Neighbors(4, symmetrize=how, include_self=True), symmetrized(A, how)


@pytest.mark.parametrize(("metric", "kernel"), SYMMETRIC_PAIRS)
def test_bistochastic_equals_sinkhorn_in_numpy(metric, kernel):
    K = weights(metric, kernel, Z, Z)
    w = np.exp(0.3 * rng(6).normal(size=N))
    for support, on_support in with_total_support(metric, kernel, K):
        m = lw.Mechanism(
            metric=metric_of(metric),
            kernel=kernel_of(kernel),
            support=support,
            normalization=normalizations.Bistochastic(tol=1e-10, max_iter=20000),
        )
        P = m.operator(Z, log_key_weights=np.log(w))
        assert P.report.converged and P.report.residual <= 1e-10
        assert_allclose(P.toarray(), normalized(on_support, "bistochastic", w), atol=1e-7)
        assert_allclose(P.toarray().sum(1), 1, atol=1e-9)
        assert_allclose(P.toarray() / w, (P.toarray() / w).T, atol=1e-9)


@pytest.mark.parametrize(("metric", "kernel"), PAIRS)
def test_new_points_equal_numpy_under_every_normalization(metric, kernel):
    K, K_cross, w = (
        weights(metric, kernel, Z, Z),
        weights(metric, kernel, X, Z),
        np.exp(rng(6).normal(size=N)),
    )
    R, R_cross = reported(metric), reported(metric, X)
    radius = np.quantile(R, 0.6)
    on_supports = [
        (supports.AllPairs(), K, K_cross),
        (
            supports.Radius(max(0, radius)),
            np.where(R <= max(0, radius), K, 0),
            np.where(R_cross <= max(0, radius), K_cross, 0),
        ),
        (
            supports.Neighbors(4, include_self=True),
            symmetrized(np.where(nearest(R, 4, True), K, 0), "union"),
            np.where(nearest(R_cross, 4), K_cross, 0),
        ),
    ]
    rules = dict(NORMALIZATIONS)
    if (metric, kernel) in SYMMETRIC_PAIRS:
        rules["Bistochastic(1e-10, max_iter=20000)"] = {"rule": "bistochastic"}
    for support, own, cross in on_supports:
        for name, rule in rules.items():
            if kernel.startswith("InverseDistance") and name != "RowStochastic()":
                continue
            if name.startswith("Bistochastic") and (np.diag(own) == 0).any():
                continue  # a radius below 0, of dot products, holds no point itself
            m = lw.Mechanism(
                metric=metric_of(metric),
                kernel=kernel_of(kernel),
                support=support,
                normalization=eval("normalizations." + name),
            )
            want = extended(cross, own, w=w, **rule)
            for P in (
                m.operator(Z, log_key_weights=np.log(w)).at(X),
                m.operator(X, Z, log_key_weights=np.log(w)),
            ):
                assert_allclose(P.toarray(), want, rtol=1e-7, atol=1e-7, err_msg=repr(m))
                assert_allclose(P @ V, want @ V, rtol=1e-6, atol=1e-6, err_msg=repr(m))


@pytest.mark.parametrize("kernel", [k for m, k in PAIRS if m == "SquaredEuclidean()"])
@pytest.mark.parametrize("rule", [*NORMALIZATIONS, "Bistochastic()"])
def test_costs_of_the_users_own_and_precomputed_ones_are_as_good(kernel, rule):
    if kernel.startswith("InverseDistance") and rule != "RowStochastic()":
        return
    squares = METRICS["SquaredEuclidean()"][0]
    slots = {"kernel": kernel_of(kernel), "normalization": eval("normalizations." + rule)}
    want = lw.Mechanism(metric="sqeuclidean", **slots).operator(Z)
    own = metrics.Custom(squares, symmetric=True, zero_on_self=True, distance_power=2)
    for P, queries in [
        (lw.Mechanism(metric=own, **slots).operator(Z), X),
        (lw.Mechanism(metric=metrics.Precomputed(2), **slots).operator(squares(Z, Z)), squares(X, Z)),
    ]:
        assert_allclose(P.toarray(), want.toarray(), rtol=1e-9, atol=1e-12)
        assert_allclose(P.at(queries).toarray(), want.at(X).toarray(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("storage", ["streamed", "dense", "sparse"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("normalization", [*NORMALIZATIONS, "Bistochastic()"])
def test_storages_give_one_operator(storage, dtype, normalization):
    m = lw.Mechanism(kernel=kernels.Gaussian(0.9), normalization=eval("normalizations." + normalization))
    tolerance = {"rtol": 1e-12, "atol": 1e-12} if dtype is np.float64 else {"rtol": 1e-5, "atol": 1e-6}
    want = m.operator(Z).toarray()
    P = m.operator(Z.astype(dtype), storage=storage)
    assert P.storage == storage
    assert P.dtype == dtype
    assert P.shape == (N, N)
    assert_allclose(P.toarray(), want, **tolerance)
    assert_allclose(P.tocsr().toarray(), want, **tolerance)
    for result, expected in [(P @ V, want @ V), (P.T @ V, want.T @ V), (P @ V[:, 0], want @ V[:, 0])]:
        assert result.dtype == dtype
        assert result.shape == expected.shape
        assert_allclose(result, expected, **tolerance)


def gaussian(**slots):
    return lw.Mechanism(kernel=kernels.Gaussian(0.9), **slots)


def test_cross_operators_equal_numpy():
    K, w = weights("Euclidean()", "Gaussian(0.9)", X, Z), np.exp(rng(6).normal(size=N))
    D = (weights("Euclidean()", "Gaussian(0.9)", Z, Z) * w).sum(1)
    q = (K * w).sum(1, keepdims=True)
    r = w / np.sqrt(D)
    wants = {
        "none": K * w,
        "row": K * w / q,
        "symmetric": K * np.sqrt(w / D) / np.sqrt(q),
        normalizations.Density(0.5): K * r / (K * r).sum(1, keepdims=True),
    }
    for rule, want in wants.items():
        m = gaussian(normalization=rule)
        at = m.operator(Z, log_key_weights=np.log(w)).at(X)
        assert isinstance(at, lw.CrossOperator)
        assert_allclose(at.toarray(), want, rtol=1e-12)
        assert_allclose(m.operator(X, Z, log_key_weights=np.log(w)).toarray(), want, rtol=1e-12)


def test_cross_neighbors_are_not_symmetrized():
    m = gaussian(support=supports.Neighbors(4))
    K = weights("Euclidean()", "Gaussian(0.9)", X, Z)
    K = np.where(nearest(METRICS["Euclidean()"][0](X, Z), 4), K, 0)
    assert_allclose(m.operator(X, Z).toarray(), normalized(K, "row"), rtol=1e-12)


@pytest.mark.parametrize(("align", "shift"), [("upper_left", 0), ("lower_right", N - 5)])
def test_causal_alignment_on_rectangles(align, shift):
    K = weights("Euclidean()", "Gaussian(0.9)", X, Z) * np.tri(5, N, shift)
    m = gaussian(support=supports.Causal(align))
    assert_allclose(m.operator(X, Z).toarray(), normalized(K, "row"), rtol=1e-12)


def test_at_its_own_points_is_the_operator_itself():
    for rule in ("none", "row", "symmetric", "density", "bistochastic"):
        P = gaussian(normalization=rule).operator(Z)
        assert_allclose(P.at(Z).toarray(), P.toarray(), atol=1e-7)


def test_precomputed_costs_are_the_points():
    D2 = METRICS["SquaredEuclidean()"][0](Z, Z)
    want = gaussian().operator(Z).toarray()
    got = gaussian(metric=metrics.Precomputed(2)).operator(D2)
    assert_allclose(got.toarray(), want, rtol=1e-10)
    got = gaussian(metric="precomputed").operator(np.sqrt(D2))
    assert_allclose(got.toarray(), want, rtol=1e-10)
    cross = METRICS["SquaredEuclidean()"][0](X, Z)
    got = gaussian(metric=metrics.Precomputed(2)).operator(D2).at(cross)
    assert_allclose(got.toarray(), gaussian().operator(X, Z).toarray(), rtol=1e-10)


def test_log_row_sums_are_of_weighted_kernels():
    K, log_w = weights("Euclidean()", "Gaussian(0.9)", Z, Z), rng(6).normal(size=N)
    for rule in ("row", "symmetric", "density"):
        P = gaussian(normalization=rule).operator(Z, log_key_weights=log_w)
        assert_allclose(P.log_row_sums, np.log((K * np.exp(log_w)).sum(1)), rtol=1e-12)
        assert_allclose(
            P.toarray(), np.exp(P.log_left)[:, None] * K * np.exp(P.log_right), rtol=1e-10, atol=1e-15
        )


def test_a_weight_of_two_is_a_point_twice_and_no_weight_is_no_point():
    log_w = np.zeros(N)
    log_w[0], log_w[1] = np.log(2), -np.inf
    twice = np.concatenate([Z[:1], Z[:1], Z[2:]])
    for rule in ("row", "none", "density"):
        m = gaussian(normalization=rule)
        got = m.operator(X, Z, log_key_weights=log_w).toarray()
        want = m.operator(X, twice).toarray()
        assert_allclose(got[:, 0], want[:, 0] + want[:, 1], rtol=1e-10)
        assert_allclose(got[:, 2:], want[:, 2:], rtol=1e-10)
        assert_array_equal(got[:, 1], 0)


# --- rows without mass


def test_empty_rows_follow_the_policy():
    mask = np.ones((3, 3), bool)
    mask[1] = False
    far = np.array([[0.0], [1.0], [1e6]])
    V = np.array([[1.0], [2.0], [3.0]])
    compact = lw.Mechanism(kernel=kernels.Epanechnikov(2.0), support="leave_one_out")
    assert_array_equal(compact.operator(far) @ V, [[2], [1], [0]])
    assert_array_equal(compact.replace(empty_row="nearest").operator(far) @ V, [[2], [1], [2]])
    with pytest.raises(ValueError, match=r"empty_row must be .*row 2 without mass"):
        compact.replace(empty_row="error").operator(far)
    assert compact.operator(far).log_row_sums[2] == -np.inf
    masked = gaussian(support=supports.Mask(mask))
    for policy in ("zero", "nearest"):  # nearest of nobody is nobody
        P = masked.replace(empty_row=policy).operator(far)
        assert_array_equal(P.toarray()[1], 0)
        assert np.isfinite(P.toarray()).all()
        assert_array_equal((P @ V)[1], 0)


def test_weights_below_every_float_still_normalize():
    points = np.array([[0.0], [1e3], [2.5e3]])
    P = lw.Mechanism(kernel=kernels.Gaussian(1e-3), support="leave_one_out").operator(points)
    assert_array_equal(P.toarray(), [[0, 1, 0], [1, 0, 0], [0, 1, 0]])


def test_null_mass_is_never_empty():
    m = lw.Mechanism(kernel=kernels.Epanechnikov(1.0), normalization=normalizations.RowStochastic(0.5))
    for policy in ("zero", "nearest", "error"):
        far = m.replace(empty_row=policy).operator(np.array([[0.0], [10.0]]), np.array([[0.0]]))
        assert_allclose(far.toarray(), [[1 / 1.5], [0]])
        assert_allclose(far @ np.array([3.0]), [2, 0])


# --- powers, heat


@pytest.mark.parametrize("rule", ["row", "symmetric", "density", "bistochastic"])
def test_power_and_heat(rule):
    P = gaussian(normalization=rule).operator(Z)
    A = P.toarray()
    for t in (0, 1, 2, 7):
        want = np.linalg.matrix_power(A, t)
        assert_allclose(P.power(t) @ V, want @ V, atol=1e-12)
        assert_allclose(P.power(t, V), want @ V, atol=1e-12)
        assert_allclose(P.power(t).T @ V, want.T @ V, atol=1e-12)
        assert_allclose(P.power(t, V[:, 0]), want @ V[:, 0], atol=1e-12)
    for t in (0, 0.3, 4.0, 50.0):
        want = expm(-t * (np.eye(N) - A))
        assert_allclose(P.heat(t) @ V, want @ V, atol=1e-12)
        assert_allclose(P.heat(t).T @ V, want.T @ V, atol=1e-12)
        assert_allclose(P.heat(t, V[:, 0]), want @ V[:, 0], atol=1e-12)
    assert_allclose(P.power(2).power(3, V), np.linalg.matrix_power(A, 6) @ V, atol=1e-12)


def test_powers_of_a_cycle_never_rest():
    """Kind: a walk whose period is taken for rest, since it divides the steps between two looks."""
    for n in (2, 3, 4, 7, 9, 21, 31, 62, 63):
        A = np.roll(np.eye(n), 1, axis=1)
        support = supports.Graph(csr_matrix(A), weights="given")
        P = lw.Mechanism(kernel="indicator", support=support).operator(np.zeros((n, 1)))
        for t in (60, 100, 126, 127, 128, 129, 130, 200, 1000, 10001):
            assert_allclose(
                P.power(t) @ np.eye(n), np.linalg.matrix_power(A, t), atol=1e-12, err_msg=f"{n} {t}"
            )
        for t in (50.0, 200.0):
            assert_allclose(P.heat(t) @ np.eye(n), expm(t * (A - np.eye(n))), atol=1e-10)


def test_a_small_column_moves_on_beside_a_large_one_at_rest():
    """Kind: rest judged by the largest column; a column that overflows says nothing about the others."""
    n = 200
    A = np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1) + np.eye(n)
    support = supports.Graph(csr_matrix(A), weights="given")
    P = lw.Mechanism(kernel="indicator", support=support).operator(np.zeros((n, 1)))
    T = A / A.sum(axis=1, keepdims=True)
    V = np.ones((n, 2))
    V[:, 1] = 0
    V[0, 1] = 1e-18
    for t in (1000, 10000):
        want = np.linalg.matrix_power(T, t) @ V
        assert_allclose(P.power(t) @ V, want, rtol=1e-9, atol=0)
        assert_allclose(P.heat(float(t)) @ V, expm(t * (T - np.eye(n))) @ V, rtol=1e-7, atol=0)
    given = supports.Graph(csr_matrix(np.diag([100.0, 0.9])), weights="given")
    raw = lw.Mechanism(kernel="indicator", support=given, normalization="none").operator(np.zeros((2, 1)))
    with np.errstate(all="ignore"):
        out = raw.power(200) @ np.eye(2)
    assert_allclose(out[1, 1], 0.9**200, rtol=1e-10)


def test_keys_without_weight_stand_in_for_nobody():
    """Kind: an empty row that takes the value of its nearest key, though this key has weight 0."""
    Z, v = np.array([[0.0], [1.0], [5.0]]), np.array([10.0, 20.0, 40.0])
    log_w = np.array([-np.inf, 0, 0])
    for support in (
        "all",
        supports.Radius(0.5),
        supports.Neighbors(1),
        supports.Radius(0.5) & supports.Mask(np.ones((3, 3), bool)),
    ):
        P = lw.Mechanism(
            metric="euclidean", kernel=kernels.Epanechnikov(0.5), support=support, empty_row="nearest"
        ).operator(np.array([[-2.0], [0.6], [9.0]]), Z, log_key_weights=log_w)
        assert_allclose(P @ v, [20, 20, 40], err_msg=repr(support))
        assert_allclose(P.toarray() @ v, [20, 20, 40])


def test_new_points_without_neighbors_take_the_nearest_under_self_too():
    """Kind: a policy for empty rows that one storage resolves and the other does not."""
    X = np.array([[0.0], [1.0], [5.0]])
    for support in ("all", supports.Radius(1.5)):
        P = lw.Mechanism(
            metric="euclidean", kernel=kernels.Epanechnikov(1.5), support=support, empty_row="self"
        ).operator(X)
        far = P.at(np.array([[100.0], [-9.0], [50.0]]))
        assert_allclose(far @ np.array([1.0, 2, 3]), [3, 1, 3], err_msg=repr(support))


def test_stationary_law_is_a_left_fixed_point():
    P = gaussian(normalization=normalizations.Density(0.5)).operator(Z)
    pi = np.exp(P.log_stationary)
    assert_allclose(P.T @ pi, pi, rtol=1e-10)


def test_what_cannot_be_done_has_no_member():
    cross, power = gaussian().operator(X, Z), gaussian().operator(Z).power(2)
    for name in ("power", "heat", "at", "eigsh", "equilibrium"):
        assert not hasattr(cross, name)
    for name in ("at", "eigsh", "equilibrium", "tocsr", "log_row_sums"):
        assert not hasattr(power, name)


# --- the protocol of SciPy


def test_scipy_solvers_take_operators():
    S = gaussian(normalization="symmetric").operator(Z)
    A = S.toarray()
    assert isinstance(S, LinearOperator) and aslinearoperator(S) is S
    assert_allclose(eigsh(S, 3)[0], np.linalg.eigvalsh(A)[-3:], atol=1e-10)
    assert_allclose(np.sort(svds(S, 3)[1]), np.linalg.svd(A)[1][:3][::-1], atol=1e-8)
    P = gaussian().operator(Z)
    assert_allclose(max(abs(eigs(P, 2)[0])), 1, atol=1e-10)
    system = aslinearoperator(np.eye(N)) - 0.5 * P
    tol = "rtol" if "rtol" in inspect.signature(gmres).parameters else "tol"  # before SciPy 1.12
    solution, failed = gmres(system, V[:, 0], **{tol: 1e-12})
    assert not failed
    assert_allclose(solution, np.linalg.solve(np.eye(N) - 0.5 * P.toarray(), V[:, 0]), atol=1e-8)
    assert_allclose((P @ P) @ V, P.power(2, V), atol=1e-12)
    assert_allclose((P.T.T - P) @ V, 0, atol=1e-15)
    assert_allclose(P.H @ V, P.T @ V)


def test_products_take_any_layout_and_type():
    P = gaussian().operator(Z)
    want = P.toarray() @ V
    for layout in (np.asfortranarray(V), np.repeat(V, 2, axis=1)[:, ::2], V[::-1][::-1], V.tolist()):
        assert_allclose(P @ np.asarray(layout), want, rtol=1e-12)
    assert_allclose(P @ np.arange(N), P.toarray() @ np.arange(N))
    assert (P @ np.empty((N, 0))).shape == (N, 0)
    assert (P.T @ np.empty((N, 0))).shape == (N, 0)
    assert (P @ V[:, :1]).shape == (N, 1)
    with pytest.raises(ValueError, match=f"V must have {N} rows"):
        P @ V[1:]
    with pytest.raises(ValueError, match="V must be real"):
        P @ (1j * V)


@pytest.mark.parametrize("storage", ["streamed", "dense"])
def test_products_take_batches_on_every_scipy(storage):
    """SciPy 1.18 multiplies stacks of matrices (..., n, c); we refused the shape it lets through."""
    rng = np.random.default_rng(0)
    P = gaussian().operator(X, Z, storage=storage)
    A = P.toarray()
    for shape in [(3, N, 2), (2, 3, N, 1), (0, N, 2)]:
        stack = rng.standard_normal(shape)
        assert_allclose(P @ stack, A @ stack, rtol=1e-12, atol=1e-14)
        assert_allclose(P.matmat(stack), A @ stack, rtol=1e-12, atol=1e-14)
        back = rng.standard_normal((*shape[:-2], len(X), 2))
        for transposed in (P.T @ back, P.H @ back, P.T.matmat(back), P.rmatmat(back)):
            assert_allclose(transposed, A.T @ back, rtol=1e-12, atol=1e-14)
        left = np.swapaxes(back, -1, -2)
        assert_allclose(left @ P, left @ A, rtol=1e-12, atol=1e-14)
        assert_allclose(
            np.swapaxes(stack, -1, -2) @ P.T, np.swapaxes(stack, -1, -2) @ A.T, rtol=1e-12, atol=1e-14
        )
    vectors = rng.standard_normal((4, 2, N))
    assert_allclose(P.matvec(vectors), vectors @ A.T, rtol=1e-12, atol=1e-14)
    for wrong in [(3, N + 1, 2), (N, 3, 2), (N + 1,), (N + 1, 1)]:
        with pytest.raises(ValueError, match=f"V must have {N} rows"):
            P @ np.ones(wrong)
    with pytest.raises(ValueError, match=f"v must have {N} entries"):
        P.matvec(np.ones(N + 1))


@pytest.mark.parametrize(
    "transposed", [lambda P: P.T, lambda P: P.H, lambda P: P.T.T.T, lambda P: pickle.loads(pickle.dumps(P.T))]
)
def test_transposes_multiply_and_refuse_as_operators_do(transposed):
    """Kind: a derived object that has the words of the base library, "dimension mismatch", not its own."""
    P, rng = gaussian().operator(X, Z), np.random.default_rng(0)
    A, n = P.toarray(), len(X)
    Q, v, V = transposed(P), rng.standard_normal(n), rng.standard_normal((n, 2))
    assert isinstance(Q, LinearOperator) and Q.shape == A.T.shape
    assert_allclose(Q @ v, A.T @ v, rtol=1e-12)
    assert_allclose(Q @ V, A.T @ V, rtol=1e-12)
    assert_allclose(Q.rmatvec(A.T @ v), A @ A.T @ v, rtol=1e-12)
    assert_allclose((2 * Q) @ V, 2 * A.T @ V, rtol=1e-12)
    assert_allclose((P @ Q) @ v, A @ A.T @ v, rtol=1e-12)
    assert_allclose(v @ P, v @ A, rtol=1e-12)
    assert_allclose(V.T.tolist() @ P, V.T @ A, rtol=1e-12)
    for wrong in [(n + 1,), (n + 1, 2), (n, n + 1, 2)]:
        for call in (lambda W: Q @ W, P.rmatmat):
            with pytest.raises(
                ValueError, match=rf"^V must have {n} rows; got shape {re.escape(str(wrong))}"
            ):
                call(np.ones(wrong))
    for call in (Q.matvec, P.rmatvec):
        with pytest.raises(ValueError, match=rf"^v must have {n} entries; got shape \({n + 1},\)"):
            call(np.ones(n + 1))
    with pytest.raises(ValueError, match=rf"^V must have {n} entries; got shape \({n + 1},\)"):
        np.ones(n + 1) @ P
    with pytest.raises(ValueError, match=rf"^V must have {n} columns; got shape \(2, {n + 1}\)"):
        np.ones((2, n + 1)) @ P
    with pytest.raises(ValueError, match=rf"^V must have {N} entries; got shape \({N + 1},\)"):
        np.ones(N + 1) @ Q
    with pytest.raises(ValueError, match="V must be real"):
        Q @ (1j * v)


def test_other_types_become_float64_and_mixed_ones_too():
    P = gaussian().operator(np.arange(6).reshape(3, 2))
    assert P.dtype == np.float64
    assert gaussian().operator(X.astype(np.float32), Z).dtype == np.float64
    assert gaussian().operator(X.astype(np.float32), Z.astype(np.float32)).dtype == np.float32
    assert gaussian().operator(Z.astype(np.float32)).at(X).dtype == np.float32
    assert gaussian().operator(Z.astype(">f8")).dtype == np.float64


@pytest.mark.parametrize(
    "make",
    [
        lambda: gaussian().operator(Z),
        lambda: gaussian(normalization="density").operator(Z, log_key_weights=np.log(1 + np.arange(N))),
        lambda: gaussian(support=supports.Neighbors(3)).operator(Z.astype(np.float32)),
        lambda: gaussian().operator(Z, storage="streamed"),
        lambda: gaussian().operator(X, Z),
        lambda: gaussian(normalization="symmetric").operator(Z).at(X),
        lambda: gaussian().operator(Z).power(3),
        lambda: gaussian().operator(Z).heat(0.5).power(2),
    ],
)
def test_operators_pickle(make):
    P = make()
    again = pickle.loads(pickle.dumps(P))
    assert type(again) is type(P) and again.dtype == P.dtype and repr(again) == repr(P)
    assert_array_equal(again @ V, P @ V)


def test_repr_says_shape_type_dtype_and_storage():
    assert repr(gaussian().operator(Z)) == "<13 x 13 SelfOperator of float64, dense>"
    assert repr(gaussian().operator(X, Z)) == "<5 x 13 CrossOperator of float64, streamed>"


def test_mechanism_of_an_operator_holds_leaf_objects():
    m = gaussian(support=supports.Neighbors(3) & supports.LeaveOneOut(), metric=metrics.Mahalanobis(W))
    P = m.operator(Z)
    assert P.mechanism == m
    assert type(P.mechanism.kernel) is kernels.Gaussian
    assert P.mechanism.replace(support="all").support == supports.AllPairs()
    assert P.storage == "sparse"
    assert_array_equal(P.keys, Z)
    with pytest.raises(ValueError, match="read-only"):
        P.log_row_sums[0] = 0


# --- unusual shapes and points


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 9),
    d=st.integers(1, 4),
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(["plain", "zero columns", "duplicates", "far outlier", "all equal", "tiny"]),
    dtype=st.sampled_from([np.float32, np.float64]),
    rule=st.sampled_from(["none", "row", "symmetric", "density", "bistochastic"]),
    storage=st.sampled_from(["auto", "streamed", "dense", "sparse"]),
)
def test_any_shape_of_points(n, d, seed, kind, dtype, rule, storage):
    points = rng(seed).normal(size=(n, d))
    if kind == "zero columns":
        points[:, 0] = 0
    elif kind == "duplicates":
        points[n // 2 :] = points[0]
    elif kind == "far outlier":
        points[-1] = 1e5
    elif kind == "all equal":
        points[:] = 3.7
    elif kind == "tiny":
        points *= 1e-12
    points = points.astype(dtype)
    K = weights("Euclidean()", "Gaussian(0.9)", points.astype(float), points.astype(float))
    P = gaussian(normalization=rule).operator(points, storage=storage)
    tolerance = 1e-6 if dtype is np.float64 else 1e-4
    assert_allclose(P.toarray(), normalized(K, rule), atol=tolerance)
    values = rng(seed + 1).normal(size=(n, 2))
    assert_allclose(P @ values, P.toarray() @ values, atol=tolerance)
    assert_allclose(P.T @ values, P.toarray().T @ values, atol=tolerance)


@settings(max_examples=30, deadline=None)
@given(offset=st.sampled_from([0.0, 100.0, 1e4]), d=st.sampled_from([1, 16, 64]), seed=st.integers(0, 10**6))
def test_a_large_offset_in_float32_does_no_harm(offset, d, seed):
    points = (rng(seed).normal(size=(40, d)) + offset).astype(np.float32)
    exact = points.astype(float)
    h = np.sqrt(d)
    K = np.exp(-((exact[:, None] - exact[None]) ** 2).sum(-1) / (2 * h * h))
    P = lw.Mechanism(kernel=kernels.Gaussian(h)).operator(points)
    assert_allclose(P.toarray(), K / K.sum(1, keepdims=True), rtol=2e-4)


# --- refusals


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gaussian().operator(Z[0]), "Z must be a 2-D array"),
        (lambda: gaussian().operator(Z[:0]), "Z must be .*at least one row"),
        (lambda: gaussian().operator(Z[:, :0]), "Z must be .*at least one row and one column"),
        (lambda: gaussian().operator(np.full((2, 2), np.nan)), "Z must be finite.*got nan"),
        (lambda: gaussian().operator(X * np.inf, Z), "X must be finite"),
        (lambda: gaussian().operator([["a"]]), "Z must be numeric"),
        (lambda: gaussian().operator(1j * Z), "Z must be real"),
        (lambda: gaussian().operator(X[:, :2], Z), "X must be .*3 features.*got 2"),
        (lambda: gaussian().operator(Z).at(X[:, :2]), "X must be .*3 features.*got 2"),
        (lambda: gaussian().operator(Z, storage="disk"), "storage must be one of .*'streamed'.*; got 'disk'"),
        (lambda: gaussian().operator(Z, log_key_weights=[0.0]), "log_key_weights must be of length 13"),
        (lambda: gaussian().operator(Z, log_key_weights=np.full(N, np.nan)), "log_key_weights must be"),
        (lambda: gaussian().operator(Z, log_key_weights=np.full(N, np.inf)), "log_key_weights must be"),
        (lambda: gaussian().operator(Z, log_key_weights=np.zeros((N, 1))), "log_key_weights must be a 1-D"),
        (
            lambda: gaussian(support=supports.Neighbors(N)).operator(Z),
            r"n_neighbors must be .*\[1, 12\].*got 13",
        ),
        (lambda: gaussian(support=supports.Neighbors(14)).operator(X, Z), r"n_neighbors must be .*\[1, 13\]"),
        (lambda: gaussian(support=supports.Mask(MASK)).operator(X, Z), "Mask must be .*5 x 13.*got 13 x 13"),
        (lambda: gaussian(support=supports.Graph(EDGES)).operator(Z[:4]), "Graph must be .*4 x 4"),
        (
            lambda: gaussian(support="leave_one_out").operator(X, Z),
            "LeaveOneOut must be on a square operator",
        ),
        (
            lambda: gaussian(metric="precomputed").operator(X),
            "must be a matrix of costs .*5.*; got 3 columns",
        ),
        (lambda: gaussian(metric=metrics.Mahalanobis(np.eye(2))).operator(Z), "2 features|2 columns"),
        (lambda: gaussian(metric="dot").operator(Z), r"DotProduct\(\).*distance|distance.*DotProduct"),
        (lambda: gaussian(support="causal", normalization="bistochastic").operator(Z), "Bistochastic"),
        (lambda: gaussian(support="neighbors", normalization="bistochastic").operator(Z), "include_self"),
        (lambda: gaussian().operator(Z).power(-1), "t must be an int >= 0; got -1"),
        (lambda: gaussian().operator(Z).heat(-1.0), "t must be .*>= 0; got -1"),
        (lambda: gaussian().operator(Z).heat(np.inf), "t must be a finite"),
    ],
)
def test_what_is_refused_and_how(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_wrong_types_are_type_errors():
    for make, message in [
        (lambda: gaussian().operator(csr_matrix(Z)), "Z must be a dense array"),
        (lambda: gaussian().operator(Z).power(1.5), "t must be an int; got 1.5"),
        (lambda: gaussian().operator(Z).heat("long"), "t must be a number; got 'long'"),
    ]:
        with pytest.raises(TypeError, match=message):
            make()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("storage", ["streamed", "dense", "sparse"])
def test_weights_beyond_the_largest_number_are_infinite(storage, dtype):
    """Kind: an exponent whose rounding is larger than what corrects it: it gave -inf (found by make fuzz)."""
    scores = np.array([-1e30, -800.0, -1.0, 0.0, 1.0, 700.0, 712.0, 1e4, 4.7e16, 1e33])
    Z = scores[:, None].astype(dtype)
    P = lw.Mechanism(metric="dot", kernel=kernels.Exponential(1.0), normalization="none").operator(
        np.ones((1, 1), dtype), Z, storage=storage
    )
    with np.errstate(over="ignore"):
        want = np.exp(scores.astype(dtype).astype(float)).astype(dtype)[None]
    assert_allclose(P.toarray(), want, rtol=1e-5 if dtype == np.float32 else 1e-12)
    assert (P @ np.ones((10, 2), dtype) == np.inf).all()


# --- groups and windows of queries that are not the keys


@pytest.mark.parametrize("storage", ["streamed", "dense"])
@pytest.mark.parametrize("align", ["upper_left", "lower_right"])
@pytest.mark.parametrize("shape", [(5, 13), (13, 5), (200, 700), (700, 200)])
def test_windows_of_other_queries(shape, align, storage):
    n, m = shape
    X, keys = rng(1).normal(size=(n, D)), rng(2).normal(size=(m, D))
    for before, after in ((0, 0), (3, 0), (0, 4), (60, 7), (5000, 5000)):
        position = np.arange(n)[:, None] + (m - n if align == "lower_right" else 0)
        pattern = (position - before <= np.arange(m)) & (np.arange(m) <= position + after)
        P = gaussian(support=supports.Window(before, after, align)).operator(X, keys, storage=storage)
        want = np.where(pattern, weights("Euclidean()", "Gaussian(0.9)", X, keys), 0)
        want = want / np.where(pattern.any(1), want.sum(1), 1)[:, None]
        V = rng(3).normal(size=(m, 2))
        assert_allclose(P @ V, want @ V, atol=1e-10)
        U = rng(4).normal(size=(n, 2))
        assert_allclose(P.T @ U, want.T @ U, atol=1e-9)


@pytest.mark.parametrize("support, same", [(supports.Blocks, True), (supports.OtherGroups, False)])
def test_groups_of_other_queries(support, same):
    n, m = 300, 900
    X, keys, V = rng(1).normal(size=(n, D)), rng(2).normal(size=(m, D)), rng(3).normal(size=(m, 2))
    packed = np.repeat(np.arange(9), 100)
    for of_keys, of_queries in (
        (packed, np.arange(n) % 9),
        (rng(5).permutation(packed), np.repeat([8, 2, 7], 100)),
    ):
        pattern = (of_queries[:, None] == of_keys) == same
        K = np.where(pattern, weights("Euclidean()", "Gaussian(0.9)", X, keys), 0)
        for storage in ("streamed", "dense"):
            P = gaussian(support=support(of_keys, of_queries)).operator(X, keys, storage=storage)
            assert_allclose(P @ V, K / K.sum(1, keepdims=True) @ V, atol=1e-10)


def test_new_points_have_groups_only_where_they_are_told():
    X, keys = rng(1).normal(size=(N, D)), Z
    for support in (supports.Blocks, supports.OtherGroups):
        P = gaussian(support=support(SCATTERED)).operator(keys)
        for new in (X, X[:4]):
            with pytest.raises(ValueError, match=f"{support.__name__} must be with query_groups"):
                P.at(new)
        told = gaussian(support=support(SCATTERED, SCATTERED[:4])).operator(keys)
        pattern = (SCATTERED[:4, None] == SCATTERED) == (support is supports.Blocks)
        K = np.where(pattern, weights("Euclidean()", "Gaussian(0.9)", X[:4], keys), 0)
        assert_allclose(told.at(X[:4]).toarray(), K / K.sum(1, keepdims=True), atol=1e-12)
        with pytest.raises(ValueError, match="one query group for each of 5 queries; got 4 query_groups"):
            told.at(X[:5])
        with pytest.raises(ValueError, match=f"one group for each of {N} keys; got 4 groups"):
            gaussian(support=support([0, 1, 1, 2])).operator(keys)
    # Queries that are given with the keys stand beside them.
    K = np.where(SCATTERED[:, None] == SCATTERED, weights("Euclidean()", "Gaussian(0.9)", X, keys), 0)
    P = gaussian(support=supports.Blocks(SCATTERED)).operator(X, keys)
    assert_allclose(P.toarray(), K / K.sum(1, keepdims=True), atol=1e-12)


def test_groups_and_windows_refuse_nonsense():
    for groups in ([0.5, 1.0], [[1], [2]], ["a", "b"], 3, None):
        with pytest.raises(TypeError, match="groups must be a 1-D array of ints"):
            supports.Blocks(groups)
    with pytest.raises(ValueError, match="before must be an int of at least 0; got -1"):
        supports.Window(-1, 0)
    with pytest.raises(ValueError, match="after must be an int of at least 0; got -2"):
        supports.Window(0, -2)
    with pytest.raises(ValueError, match="align must be"):
        supports.Window(0, 2, "middle")


@pytest.mark.parametrize("support", ["neighbors", "neighbors of a graph", "fuzzy"])
@pytest.mark.parametrize("own", [True, False])
def test_a_key_of_weight_0_is_nobodys_neighbor(support, own):
    """Kind: who is chosen by distance is chosen among those that count (idiap/fast-transformers#64).
    The operator of the other keys alone is the oracle."""
    heard = rng(20).random(N) < 0.6
    log_w = np.where(heard, 0.3, -np.inf)
    on = {
        "neighbors": supports.Neighbors(3, symmetrize="none"),
        "neighbors of a graph": supports.Neighbors(3, symmetrize="none")
        & supports.Graph(csr_matrix(np.ones((N, N)))),
        "fuzzy": supports.Neighbors(3, symmetrize="union"),
    }[support]
    alone = supports.Neighbors(3, symmetrize="none" if support != "fuzzy" else "union")
    if own:
        P = gaussian(support=on).operator(Z, log_key_weights=log_w).toarray()
        want = gaussian(support=alone).operator(Z[heard]).toarray()
        assert_allclose(P[np.ix_(heard, heard)], want, atol=1e-12)
        assert (P[:, ~heard] == 0).all()
    else:
        if "graph" in support:
            on = supports.Neighbors(3) & supports.Graph(csr_matrix(np.ones((len(X), N))))
        P = gaussian(support=on).operator(X, Z, log_key_weights=log_w).toarray()
        assert_allclose(P[:, heard], gaussian(support=alone).operator(X, Z[heard]).toarray(), atol=1e-12)
        assert (P[:, ~heard] == 0).all()


@pytest.mark.parametrize(("dtype", "n", "t"), [(np.float32, 30, 0.5), (np.float64, 400, 1.5)])
def test_heat_of_a_map_that_grows_stays_in_range(dtype, n, t):
    """Kind: a series whose powers overflow where their sum does not (epfl-lts2/pygsp#74 led to it).
    K = 1 1^T: exp(-t (I - K)) 1 = exp(t (n - 1)) 1, and what is orthogonal to 1 falls as exp(-t)."""
    P = gaussian(normalization="none").operator(np.zeros((n, 1), dtype))
    V = np.stack([np.ones(n), np.r_[1.0, -1.0, np.zeros(n - 2)]], axis=1).astype(dtype)
    found = P.heat(t, V)
    tolerance = 1e-4 if dtype == np.float32 else 1e-9
    assert_allclose(found[:, 0] / np.exp(t * (n - 1)), 1, rtol=tolerance)
    assert_allclose(P.T.dot(V[:, 0]), n, rtol=1e-6)
    alone = P.heat(t, V[:, 1:])
    assert_allclose(alone, np.exp(-t) * V[:, 1:], atol=tolerance)


@pytest.mark.parametrize("solver", ["cg", "bicgstab", "iterate"])
@pytest.mark.parametrize("max_iter", [1, 2, 7])
def test_no_solver_takes_more_steps_than_it_may(solver, max_iter):
    P = gaussian().operator(Z)
    clamped = np.arange(N) < 2
    with pytest.warns(UserWarning, match=f"max_iter={max_iter} was reached"):
        _, report = P.equilibrium(V, clamped=clamped, solver=solver, max_iter=max_iter, tol=1e-14)
    assert report.n_iter <= max_iter


def _policies_of(support, rows=60, seed=0):
    """Random small points with rows that the support may leave alone."""
    for case in range(rows):
        source = np.random.default_rng([seed, case])
        n = int(source.integers(4, 10))
        yield source, np.round(source.normal(size=(n, int(source.integers(1, 3)))), 1) * 3


@pytest.mark.parametrize("storage", ["sparse", "dense"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "support",
    [
        *(supports.Neighbors(k, symmetrize=how, include_self=own)
          for how in ("union", "mutual", "average", "fuzzy_union", "none")
          for k in (1, 2) for own in (True, False)),
        supports.Radius(0.9),
        supports.Radius(0.9) & supports.LeaveOneOut(),
        supports.Neighbors(2, symmetrize="mutual") & supports.LeaveOneOut(),
    ],
    ids=repr,
)  # fmt: skip
def test_a_policy_for_empty_rows_concerns_empty_rows_alone(support, storage, dtype):
    """Mutual neighbors are fewer than neighbors: a row's nearest key need be no edge of it."""
    empty_rows = 0
    for source, Z in _policies_of(support):
        n = len(Z)
        log_w = (
            np.where(source.random(n) < 0.2, -np.inf, source.normal(size=n))
            if source.random() < 0.5
            else None
        )
        of = {}
        for policy in ("zero", "nearest", "self"):
            m = lw.Mechanism(
                metric="euclidean", kernel=lw.kernels.Gaussian(1.0), support=support, empty_row=policy
            )
            P = m.operator(Z.astype(dtype), log_key_weights=log_w, storage=storage)
            of[policy] = P.toarray()
            assert_allclose(P @ np.eye(n, dtype=dtype), of[policy], atol=1e-6)
            assert_allclose(P.T @ np.eye(n, dtype=dtype), of[policy].T, atol=1e-6)
        empty = ~(of["zero"] > 0).any(axis=1)
        empty_rows += empty.sum()
        for policy in ("nearest", "self"):
            if policy == "self" and empty.any():  # its loops have a weight in everybody's sums
                continue
            assert_allclose(of[policy][~empty], of["zero"][~empty], atol=1e-6)
        for i in np.flatnonzero(empty):
            heard = of["nearest"][i]
            assert set(heard) <= {0.0, 1.0} and heard.sum() <= 1
            assert of["self"][i].sum() <= 1 + 1e-6
            if log_w is None:
                assert_allclose(of["self"][i], np.eye(n)[i], atol=1e-6)
                if heard.any():
                    others = np.linalg.norm(Z - Z[i], axis=1) + np.where(np.arange(n) == i, np.inf, 0)
                    assert heard[i] == 1 or others[heard.argmax()] == others.min()
    if "mutual" in repr(support) and "include_self=True" not in repr(support):
        assert empty_rows > 0
