"""P.vjp against central differences of the equation in NumPy, slot by slot; for float32 against float64."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from oracle import KERNELS, METRICS, W2, W, extended, leaky, normalized, weights
from scipy.sparse import csr_matrix

import likewise as lw
from likewise import kernels, metrics, normalizations, supports

RULES = {
    "none": "Unnormalized()",
    "row": "RowStochastic()",
    "null mass": "RowStochastic(0.7)",
    "symmetric": "Symmetric()",
    "density": "Density(0.6)",
    "bistochastic": "Bistochastic(tol=1e-13, max_iter=5000)",
    "column": "Column()",
    "global": "Global()",
}
ASYMMETRIC = ("Bilinear(W, W2)",)


def made(name, module):
    return eval(f"module.{name}", {"module": module, "W": W, "W2": W2})


def sample(n, seed):
    return np.random.default_rng(seed).normal(size=(n, 3))


def rule_of(K, rule, w):
    return {
        "null mass": lambda: normalized(K, "row", w, null_mass=0.7),
        "density": lambda: normalized(K, "density", w, alpha=0.6),
    }.get(rule, lambda: normalized(K, rule, w))()


def slope(f, x, step=1e-6):
    """Central differences of a scalar function by each entry of x."""
    g = np.empty_like(x)
    for at in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[at] += step
        down[at] -= step
        g[at] = (f(up) - f(down)) / (2 * step)
    return g


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kernel", KERNELS)
def test_every_metric_and_kernel(metric, kernel):
    X, Z, V = sample(5, 0), sample(7, 1), sample(7, 2)[:, :2]
    G = np.random.default_rng(3).normal(size=(5, 2))
    K = weights(metric, kernel, X, Z)
    if K is None:
        return
    log_w = np.random.default_rng(4).normal(size=7) * 0.3

    def loss(X=X, Z=Z, V=V, log_w=log_w):
        return (G * (normalized(weights(metric, kernel, X, Z), "row", np.exp(log_w)) @ V)).sum()

    P = lw.Mechanism(metric=made(metric, metrics), kernel=made(kernel, kernels)).operator(
        X, Z, log_key_weights=log_w
    )
    for found in (P.vjp(G, V), P.vjp(G, V, P @ V)):
        assert_allclose(found["queries"], slope(lambda X: loss(X=X), X), atol=2e-7)
        assert_allclose(found["keys"], slope(lambda Z: loss(Z=Z), Z), atol=2e-7)
        assert_allclose(found["values"], slope(lambda V: loss(V=V), V), atol=2e-8)
        assert_allclose(found["log_key_weights"], slope(lambda w: loss(log_w=w), log_w), atol=2e-8)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "metric", ["SquaredEuclidean()", "Euclidean()", "Manhattan()", "Cosine()", "DotProduct()"]
)
@pytest.mark.parametrize("kernel", ["Gaussian(0.9)", "Exponential(1.3)", "StudentT(0.7, df=3)"])
def test_every_normalization_of_a_self_operator(rule, metric, kernel):
    X, V = sample(6, 5), sample(6, 6)[:, :2]
    if weights(metric, kernel, X, X) is None:
        return
    G = np.random.default_rng(7).normal(size=(6, 2))
    log_w = np.random.default_rng(8).normal(size=6) * 0.3

    def loss(X=X, V=V, log_w=log_w):
        return (G * (rule_of(weights(metric, kernel, X, X), rule, np.exp(log_w)) @ V)).sum()

    m = lw.Mechanism(
        metric=made(metric, metrics),
        kernel=made(kernel, kernels),
        normalization=made(RULES[rule], normalizations),
    )
    for storage in ("streamed", "dense"):
        found = m.operator(X, log_key_weights=log_w, storage=storage).vjp(G, V)
        assert_allclose(found["points"], slope(lambda X: loss(X=X), X), atol=1e-6)
        assert_allclose(found["values"], slope(lambda V: loss(V=V), V), atol=1e-7)
        assert_allclose(found["log_key_weights"], slope(lambda w: loss(log_w=w), log_w), atol=1e-6)


@pytest.mark.parametrize("rule", ["none", "row", "symmetric", "density", "bistochastic", "column", "global"])
def test_new_points_keep_the_fitted_scaling(rule):
    X, Z, V = sample(4, 9), sample(6, 10), sample(6, 11)
    G = np.random.default_rng(12).normal(size=(4, 3))
    K_self = weights("SquaredEuclidean()", "Gaussian(0.9)", Z, Z)
    alpha = 0.6 if rule == "density" else 1.0

    def loss(X):
        K = weights("SquaredEuclidean()", "Gaussian(0.9)", X, Z)
        return (G * (extended(K, K_self, rule, alpha=alpha) @ V)).sum()

    m = lw.Mechanism(kernel=kernels.Gaussian(0.9), normalization=made(RULES[rule], normalizations))
    found = m.operator(Z).at(X).vjp(G, V)
    assert_allclose(found["queries"], slope(loss, X), atol=1e-6)
    assert ("keys" in found) == (rule in ("none", "row", "column", "global"))


@pytest.mark.parametrize(
    "name, at",
    [
        ("Gaussian({})", 0.9),
        ("Laplacian({})", 0.8),
        ("Epanechnikov({})", 4.5),
        ("Tricube({})", 4.5),
        ("StudentT({}, df=3)", 0.7),
        ("AlphaDecay({}, decay=3)", 1.4),
        ("Matern32({})", 1.1),
        ("Matern52({})", 1.1),
    ],
)
@pytest.mark.parametrize("metric", ["Euclidean()", "SquaredEuclidean()", "Manhattan()"])
@pytest.mark.parametrize("rule", ["row", "density"])
def test_bandwidth(name, at, metric, rule):
    X, V, G = sample(6, 13), sample(6, 14), sample(6, 15)

    def loss(h):
        m = lw.Mechanism(
            metric=made(metric, metrics),
            kernel=made(name.format(float(h[0])), kernels),
            normalization=made(RULES[rule], normalizations),
        )
        return (G * (m.operator(X).toarray() @ V)).sum()

    m = lw.Mechanism(
        metric=made(metric, metrics),
        kernel=made(name.format(at), kernels),
        normalization=made(RULES[rule], normalizations),
    )
    found = m.operator(X).vjp(G, V)
    assert_allclose(found["bandwidth"], slope(loss, np.array([at]))[0], rtol=1e-5, atol=1e-7)
    assert "temperature" not in found


@pytest.mark.parametrize("metric", METRICS)
def test_temperature(metric):
    X, Z, V, G = sample(5, 16), sample(6, 17), sample(6, 18), sample(5, 19)
    cost, _ = METRICS[metric]

    def loss(t):
        return (G * (normalized(np.exp(-cost(X, Z) / t[0]), "row") @ V)).sum()

    m = lw.Mechanism(metric=made(metric, metrics), kernel=kernels.Exponential(1.3))
    found = m.operator(X, Z).vjp(G, V)
    assert_allclose(found["temperature"], slope(loss, np.array([1.3]))[0], rtol=1e-6, atol=1e-8)


def test_parameters_of_learned_metrics():
    X, Z, V, G = sample(5, 20), sample(6, 21), sample(6, 22), sample(5, 23)

    def loss(cost):
        return (G * (normalized(np.exp(-cost / 1.3), "row") @ V)).sum()

    def mahalanobis(M):
        return (((X[:, None] - Z[None]) @ M.T) ** 2).sum(-1)

    kernel = kernels.Exponential(1.3)
    found = lw.Mechanism(metric=metrics.Mahalanobis(W), kernel=kernel).operator(X, Z).vjp(G, V)["metric"]
    assert_allclose(found["factor"], slope(lambda M: loss(mahalanobis(M)), W), atol=1e-7)

    found = lw.Mechanism(metric=metrics.Bilinear(W, W2), kernel=kernel).operator(X, Z).vjp(G, V)["metric"]
    assert_allclose(found["query_factor"], slope(lambda A: loss(-(X @ A.T) @ (Z @ W2.T).T), W), atol=1e-7)
    assert_allclose(found["key_factor"], slope(lambda B: loss(-(X @ W.T) @ (Z @ B.T).T), W2), atol=1e-7)


@pytest.mark.parametrize("support", ["all", "graph"])
@pytest.mark.parametrize("own", [True, False])
def test_parameters_of_additive_scores(support, own):
    """Of queries and keys that are one set or two, on all pairs and on edges; edges go another way."""
    X, V, G = sample(6, 40), sample(6, 41), sample(6, 42)
    Z = X if own else sample(6, 43)
    edges = np.random.default_rng(44).random((6, 6)) < 0.6 if support == "graph" else np.ones((6, 6), bool)
    on = supports.Graph(csr_matrix(edges.astype(float))) if support == "graph" else "all"

    def loss(cost):
        return (G * (normalized(np.exp(-cost / 1.3) * edges, "row") @ V)).sum()

    def found(metric):
        m = lw.Mechanism(metric=metric, kernel=kernels.Exponential(1.3), support=on)
        return (m.operator(X) if own else m.operator(X, Z)).vjp(G, V)["metric"]

    def additive(a, b):
        return -leaky((X @ a)[:, None] + Z @ b, 0.1)

    static = found(metrics.Additive(W[0], W2[1], slope=0.1))
    assert sorted(static) == ["a_key", "a_query"]
    assert_allclose(static["a_query"], slope(lambda a: loss(additive(a, W2[1])), W[0]), atol=1e-7)
    assert_allclose(static["a_key"], slope(lambda b: loss(additive(W[0], b)), W2[1]), atol=1e-7)

    at = {"W_q": W, "W_k": W2, "a": W[:, 1], "b": W2[:, 0]}

    def dynamic(**changed):
        p = at | changed
        return -np.tanh((X @ p["W_q"].T)[:, None] + Z @ p["W_k"].T + p["b"]) @ p["a"]

    by = found(metrics.AdditiveDynamic(**at, activation="tanh"))
    assert sorted(by) == ["W_k", "W_q", "a", "b"]
    for name, value in at.items():
        want = slope(lambda value, name=name: loss(dynamic(**{name: value})), value)
        assert_allclose(by[name], want, atol=1e-7, err_msg=name)


@pytest.mark.parametrize(
    "support, admits",
    [
        (supports.Causal(), lambda n, m: np.tri(n, m, dtype=bool)),
        (supports.LeaveOneOut(), lambda n, m: ~np.eye(n, m, dtype=bool)),
        (supports.Window(2, 1), lambda n, m: np.tri(n, m, 1, dtype=bool) & ~np.tri(n, m, -3, dtype=bool)),
        (
            supports.Blocks([0, 0, 1, 1, 1, 0]),
            lambda n, m: np.equal.outer(*[np.array([0, 0, 1, 1, 1, 0])] * 2),
        ),
        (supports.OtherGroups([0, 1, 2, 0, 1, 2]), lambda n, m: ~np.equal.outer(*[np.arange(6) % 3] * 2)),
        (supports.Mask(np.random.default_rng(0).random((6, 6)) < 0.5), None),
    ],
)
def test_supports(support, admits):
    X, V, G = sample(6, 24), sample(6, 25), sample(6, 26)
    pattern = admits(6, 6) if admits else np.random.default_rng(0).random((6, 6)) < 0.5

    def loss(X=X, V=V):
        return (
            G * (normalized(weights("DotProduct()", "Exponential(1.3)", X, X) * pattern, "row") @ V)
        ).sum()

    m = lw.Mechanism(metric=metrics.DotProduct(), kernel=kernels.Exponential(1.3), support=support)
    found = m.operator(X).vjp(G, V)
    assert_allclose(found["points"], slope(lambda X: loss(X=X), X), atol=1e-6)
    assert_allclose(found["values"], slope(lambda V: loss(V=V), V), atol=1e-7)


@pytest.mark.parametrize("rule", ["row", "symmetric", "density", "column", "global"])
def test_a_graph_is_held_while_its_weights_move(rule):
    X, V, G = sample(12, 27), sample(12, 28), sample(12, 29)
    m = lw.Mechanism(
        kernel=kernels.Gaussian(0.9),
        support=supports.Neighbors(4, include_self=True),
        normalization=made(RULES[rule], normalizations),
    )
    pattern = m.operator(X).toarray() > 0

    def loss(X):
        return (
            G * (rule_of(weights("Euclidean()", "Gaussian(0.9)", X, X) * pattern, rule, np.ones(12)) @ V)
        ).sum()

    found = m.operator(X).vjp(G, V)
    assert_allclose(found["points"], slope(loss, X), atol=1e-6)
    given = lw.Mechanism(support=supports.Graph(m.operator(X).tocsr(), weights="given")).operator(X).vjp(G, V)
    assert "points" not in given and given["values"].shape == V.shape


def test_zero_distances_have_gradient_zero():
    X = np.repeat(sample(3, 30), 2, axis=0)
    G, V = sample(6, 31), sample(6, 32)
    for metric in (metrics.Euclidean(), metrics.Manhattan(), metrics.Chebyshev(), metrics.Minkowski(3)):
        found = lw.Mechanism(metric=metric, kernel=kernels.Laplacian(0.8)).operator(X).vjp(G, V)
        assert np.isfinite(found["points"]).all()
    alone = lw.Mechanism(metric="euclidean", kernel=kernels.Laplacian(0.8)).operator(X[:2]).vjp(G[:2], V[:2])
    assert_allclose(alone["points"], 0)


def test_rows_without_mass_pass_nothing_back_but_to_the_value_they_take():
    X = np.array([[0.0], [0.1], [1e3]])
    Z, V = X[:2], np.array([[1.0], [2.0]])
    G = np.array([[1.0], [1.0], [5.0]])
    for policy, last in (("zero", 0.0), ("nearest", 5.0)):
        m = lw.Mechanism(kernel=kernels.Epanechnikov(1.0), empty_row=policy)
        found = m.operator(X, Z).vjp(G, V)
        assert_allclose(found["values"].sum(), 2 + last)
        assert np.isfinite(found["queries"]).all() and found["queries"][2] == 0


@pytest.mark.parametrize("kernel", [kernels.Exponential(11.0), kernels.Gaussian(2.5), kernels.StudentT(2.0)])
@pytest.mark.parametrize("shape", [(300, 500, 20, 5), (1, 700, 3, 1), (257, 193, 49, 17), (600, 2, 1, 2)])
def test_float32_and_threads(kernel, shape):
    n, m, d, c = shape
    rng = np.random.default_rng(33)
    X, Z, V, G = (rng.normal(size=size) for size in ((n, d), (m, d), (m, c), (n, c)))
    mechanism = lw.Mechanism(kernel=kernel)
    want = mechanism.operator(X, Z).vjp(G, V)
    single = [a.astype(np.float32) for a in (X, Z, V, G)]
    found = []
    for threads in (1, 2, 3):
        with lw.execution(n_jobs=threads):
            found.append(mechanism.operator(single[0], single[1]).vjp(single[3], single[2]))
    for name in ("queries", "keys", "values"):
        assert found[0][name].dtype == np.float32
        assert_allclose(found[0][name], want[name], atol=1e-4 * np.abs(want[name]).max())
        for other in found[1:]:
            assert np.array_equal(found[0][name], other[name])
    assert len({f.get("bandwidth", f.get("temperature")) for f in found}) == 1


def test_bad_input():
    P = lw.Mechanism(kernel=kernels.Gaussian(1.0)).operator(sample(4, 34), sample(5, 35))
    V, G = sample(5, 36), sample(4, 37)
    with pytest.raises(ValueError, match="grad_Y must have 4 rows"):
        P.vjp(V, V)
    with pytest.raises(ValueError, match="V must have 5 rows"):
        P.vjp(G, G)
    with pytest.raises(ValueError, match="grad_Y"):
        P.vjp(G[:, :2], V)
    with pytest.raises(ValueError, match="Y must"):
        P.vjp(G, V, V)


@pytest.mark.parametrize("support", ["all", "leave_one_out", "mask"])
@pytest.mark.parametrize("kernel", ["gaussian", "laplacian", "student_t", "epanechnikov", "tricube"])
@pytest.mark.parametrize("normalization", ["row", "symmetric", "density"])
def test_a_key_without_weight_is_no_key(normalization, kernel, support):
    """Kind: 0 * inf of rows that a weight of 0 switches off. The oracle has no such point."""
    rng = np.random.default_rng(0)
    X, V, g = rng.normal(size=(9, 2)), rng.normal(size=(9, 2)), rng.normal(size=(9, 2))
    keep = np.arange(9) != 4
    log_w = np.where(keep, rng.normal(size=9), -np.inf)
    slots = {"metric": "euclidean", "kernel": kernel, "normalization": normalization}
    kernel = lw.Mechanism(**slots).kernel
    slots["kernel"] = type(kernel)(6.0)
    mask = rng.random((9, 9)) < 0.8
    mask |= mask.T
    of_all = supports.Mask(mask) if support == "mask" else support
    of_kept = supports.Mask(mask[np.ix_(keep, keep)]) if support == "mask" else support
    g[~keep] = 0
    found = lw.Mechanism(support=of_all, **slots).operator(X, log_key_weights=log_w).vjp(g, V)
    want = (
        lw.Mechanism(support=of_kept, **slots)
        .operator(X[keep], log_key_weights=log_w[keep])
        .vjp(g[keep], V[keep])
    )
    for name in ("points", "values", "log_key_weights"):
        assert np.isfinite(found[name]).all(), name
        assert_allclose(found[name][keep], want[name], atol=1e-10, err_msg=name)


@pytest.mark.parametrize("storage", ["streamed", "dense", "graph"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("away", [1e2, 1e4, 1e6, 1e8, 1e9, 1e12, 1e15, 1e18])
def test_far_queries(away, dtype, storage):
    """Kind: a mend of the product of far queries that its derivative and its transpose do not know of."""
    rng = np.random.default_rng(0)
    Z, V, g = rng.normal(size=(8, 3)), rng.normal(size=(8, 2)), rng.normal(size=(2, 2))
    Z[:, 2] = 0
    Z = Z.astype(dtype).astype(float)
    X = np.array([[0, 0, away], [0.3, 0, away]], dtype=dtype).astype(float)
    # exp(-|x - z|^2 / 2) is exp((2 <x, z> - |z|^2) / 2) times what all keys share.
    rel = X.astype(np.longdouble) @ Z.T.astype(np.longdouble) - (Z.astype(np.longdouble) ** 2).sum(1) / 2
    T = np.exp(rel - rel.max(axis=1, keepdims=True))
    T = (T / T.sum(axis=1, keepdims=True)).astype(float)
    dlog = T * (g @ V.T - (T * (g @ V.T)).sum(axis=1, keepdims=True))
    support = supports.Graph(csr_matrix(np.ones((2, 8)))) if storage == "graph" else "all"
    options = {} if storage == "graph" else {"storage": storage}
    P = lw.Mechanism(kernel=kernels.Gaussian(1.0), support=support).operator(
        X.astype(dtype), Z.astype(dtype), **options
    )
    if storage == "graph" and away > 1e5:
        return  # edges' weights are told as logarithms
    # Below some thousand bandwidths a float32 row's shares cancel at the digits of the distance.
    loose = 1e-4 if dtype == np.float32 else 1e-9
    loose = max(loose, 1e-6) if away > 1e7 and dtype == np.float64 else loose
    assert_allclose(P.T @ g.astype(dtype), T.T @ g, atol=loose)
    found = P.vjp(g.astype(dtype), V.astype(dtype))
    assert_allclose(found["values"], T.T @ g, atol=loose)
    near = 1e-6 * away if dtype == np.float32 and away < 2e3 else 0
    assert_allclose(found["queries"], dlog @ Z, atol=loose + near)
    moves = (dlog[:, :, None] * (X[:, None] - Z[None])).sum(axis=0)
    assert_allclose(found["keys"], moves, atol=10 * loose * max(np.abs(moves).max(), 1))
    # d log K / dh = d^2 / h^3, less what all keys share
    d2 = (Z**2).sum(axis=1) - 2 * X @ Z.T
    assert_allclose(found["bandwidth"], (dlog * d2).sum(), atol=10 * loose)
