"""Properties of estimators for fuzz.py: fits of drawn points against their formulas in float64 NumPy."""

import warnings

import graph_families
import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from scipy.linalg import expm
from scipy.sparse import csr_matrix

import likewise as lw

METRICS = {"manhattan": 1, "euclidean": 2, "chebyshev": np.inf}
# name -> log of the weight of d / h
LOG_KERNELS = {
    "gaussian": lambda u: -0.5 * u**2,
    "laplacian": lambda u: -u,
    "epanechnikov": lambda u: np.log(np.maximum(0, 1 - u**2)),
    "tricube": lambda u: 3 * np.log(np.maximum(0, 1 - u**3)),
    "student_t": lambda u: -np.log1p(u**2),
    "alpha_decay": lambda u: -(u**40.0),
}
COMPACT = {"epanechnikov", "tricube"}


def distances(X, Z, metric):
    """(n_queries, n_keys) by definition."""
    gap = np.abs(np.asarray(X, float)[:, None] - np.asarray(Z, float)[None])
    p = METRICS[metric]
    return np.sqrt((gap**2).sum(-1)) if p == 2 else gap.sum(-1) if p == 1 else gap.max(-1)


def shares(log_weights):
    """Rows of exp(log_weights) that sum to 1; 0 where nothing weighs."""
    top = log_weights.max(axis=1, keepdims=True)
    w = np.exp(log_weights - np.where(np.isfinite(top), top, 0))
    mass = w.sum(axis=1, keepdims=True)
    return np.where(mass > 0, w / np.where(mass > 0, mass, 1), 0)


def queries_of(data, Z):
    """Some of the points, moved a little, and far ones."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    X = Z[rng.integers(0, len(Z), 6)] + data.draw(st.sampled_from([0.0, 0.25, 3.0])) * rng.normal(
        size=(6, Z.shape[1])
    )
    X[0] += data.draw(st.sampled_from([0.0, 10.0, 1e4]))
    return X.astype(Z.dtype)


def targets_of(data, n):
    """Numbers, some of them large, and classes of any name."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    numbers = rng.normal(size=n) * data.draw(st.sampled_from([1.0, 1e6])) + data.draw(
        st.sampled_from([0.0, 1e5])
    )
    names = data.draw(
        st.sampled_from([np.array([0, 1, 2]), np.array([5, -3, 9]), np.array(["b", "a", "c"], object)])
    )
    return numbers, names[rng.integers(0, data.draw(st.integers(1, 3)), n)]


def one_hot(y):
    classes, codes = np.unique(y, return_inverse=True)
    return classes, np.eye(len(classes))[codes]


def neighbors_vote_by_definition(Z, dtype, data):
    """k-NN and radius: sorted distances, ties to the lowest index, counts or 1/d."""
    Z = Z.astype(dtype)
    n = len(Z)
    numbers, labels = targets_of(data, n)
    X = queries_of(data, Z)
    metric = data.draw(st.sampled_from(list(METRICS)))
    weights = data.draw(st.sampled_from(["uniform", "distance"]))
    k = data.draw(st.integers(1, n))
    D = distances(X, Z, metric)
    order = np.argsort(D, axis=1, kind="stable")[:, :k]
    # A pair of distances that rounding alone tells apart may come either way.
    ranked = np.take_along_axis(D, np.argsort(D, axis=1, kind="stable"), axis=1)
    gaps = np.diff(ranked, axis=1)
    exact = np.array_equal(Z, np.round(Z)) and np.array_equal(X, np.round(X)) and metric != "euclidean"
    assume(exact or not np.any((gaps > 0) & (gaps <= 1e-9 * ranked[:, 1:])))
    pattern = np.zeros(D.shape, bool)
    np.put_along_axis(pattern, order, True, axis=1)
    with np.errstate(divide="ignore"):
        w = np.where(pattern, 1.0 if weights == "uniform" else 1 / D, 0.0)
    zero = np.isinf(w).any(axis=1, keepdims=True)
    w = np.where(zero, np.isinf(w), w)
    w = w / w.sum(axis=1, keepdims=True)
    algorithm = data.draw(st.sampled_from(["auto", "brute"]))
    options = dict(weights=weights, metric=metric, algorithm=algorithm)
    got = lw.KNeighborsRegressor(k, **options).fit(Z, numbers).predict(X)
    scale = np.abs(numbers).max()
    np.testing.assert_allclose(got, w @ numbers, rtol=1e-6, atol=1e-6 * scale)
    classes, H = one_hot(labels)
    model = lw.KNeighborsClassifier(k, **options).fit(Z, labels)
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba, w @ H, atol=1e-6)
    assert proba.max() <= 1 and proba.min() >= 0
    np.testing.assert_array_equal(model.classes_, classes)


def kernel_means_by_definition(Z, dtype, data):
    """KernelRegressor and KernelClassifier of a given bandwidth, from sums in the log domain."""
    Z = Z.astype(dtype)
    n = len(Z)
    numbers, labels = targets_of(data, n)
    X = queries_of(data, Z)
    metric, kernel = data.draw(st.sampled_from(list(METRICS))), data.draw(st.sampled_from(list(LOG_KERNELS)))
    h = 10.0 ** data.draw(st.floats(-1, 2))
    rng = np.random.default_rng(0)
    w = rng.integers(0, 3, n) + 0.0 if data.draw(st.booleans()) and n > 2 else np.ones(n)
    w[0] = 1
    with np.errstate(divide="ignore"):
        log_w = np.log(w)
        U = distances(X, Z, metric) / h
        logs = LOG_KERNELS[kernel](U) + log_w
    # what rounding makes of exponents: their size times that of the dtype
    size = np.abs(np.where(np.isfinite(logs), logs, 0)).max()
    noise = size * np.finfo(dtype).eps * 8
    assume(noise < 1e-2)
    edge = kernel in COMPACT and np.any(np.abs(U - 1) < 1e-3)
    assume(not edge)
    P = shares(logs)
    empty = P.sum(axis=1) == 0
    options = dict(metric=metric, kernel=kernel, bandwidth=h, empty_row="zero")
    weight = None if np.all(w == 1) else w
    got = lw.KernelRegressor(**options).fit(Z, numbers, sample_weight=weight).predict(X)
    tolerance = (1e-5 if dtype is np.float64 else 1e-3) + 4 * noise
    np.testing.assert_allclose(got, P @ numbers, rtol=1e-6, atol=tolerance * np.abs(numbers).max())
    kept = labels[w > 0]
    model = lw.KernelClassifier(**{**options, "empty_row": "nearest"}).fit(Z, labels, sample_weight=weight)
    proba = model.predict_proba(X)
    assert proba.min() >= 0 and proba.max() <= 1
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=8 * np.finfo(proba.dtype).eps)
    _, H = one_hot(labels)
    np.testing.assert_allclose(proba[~empty], (P @ H)[~empty], atol=tolerance)
    assert set(np.unique(kept)) <= set(model.classes_)


def densities_by_definition(Z, dtype, data):
    """KernelDensity: log of a mean of normalized kernels, at any bandwidth."""
    Z = Z.astype(dtype)
    X = queries_of(data, Z)
    kernel = data.draw(st.sampled_from(["gaussian", "exponential", "tophat", "epanechnikov", "linear"]))
    kernel = (
        data.draw(st.sampled_from(["gaussian", "exponential", "epanechnikov"]))
        if kernel == "linear"
        else kernel
    )
    h = 10.0 ** data.draw(st.floats(-2, 2))
    U = distances(X, Z, "euclidean") / h
    assume(kernel in ("gaussian", "exponential") or not np.any(np.abs(U - 1) < 1e-3))
    from sklearn.neighbors import KernelDensity

    want = (
        KernelDensity(bandwidth=h, kernel=kernel, algorithm="kd_tree", rtol=0, atol=0).fit(Z).score_samples(X)
    )
    got = lw.KernelDensity(bandwidth=h, kernel=kernel).fit(Z).score_samples(X)
    sane = want > -1e3  # beyond, scikit-learn's sums underflow
    noise = np.square(U).max(axis=1) * np.finfo(dtype).eps * 8
    assert not np.isnan(got).any()
    np.testing.assert_allclose(got[sane], want[sane], rtol=1e-6, atol=1e-5 + 4 * noise[sane].max(initial=0))


def labels_by_solving(Z, data):
    """LabelPropagation and LabelSpreading on all pairs: the fixed points by numpy.linalg.solve."""
    n = len(Z)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    n_classes = data.draw(st.integers(1, 3))
    y = np.where(rng.random(n) < 0.4, rng.integers(0, n_classes, n), -1)
    y[0] = 0
    h = 10.0 ** data.draw(st.floats(-0.5, 1.5))
    K = np.exp(-0.5 * (distances(Z, Z, "euclidean") / h) ** 2)
    classes, H = one_hot(y[y >= 0])
    labeled = y >= 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spread = lw.LabelSpreading(bandwidth=h, gamma=20, alpha=0.3).fit(Z, y)
        clamped = lw.LabelPropagation(bandwidth=h, gamma=20).fit(Z, y)
    np.testing.assert_allclose(clamped.label_distributions_.sum(axis=1), 1, atol=1e-9)
    P = K / K.sum(axis=1, keepdims=True)
    u = ~labeled
    links = K[np.ix_(u, labeled)].sum(axis=1)
    if u.any() and links.min(initial=1) > 1e-6:  # weaker links: the plain solve loses its digits
        want = np.linalg.solve(np.eye(u.sum()) - P[np.ix_(u, u)], P[np.ix_(u, labeled)] @ H)
        np.testing.assert_allclose(clamped.label_distributions_[u], want, atol=1e-5)
    A = K - np.eye(n)
    degree = A.sum(axis=1)
    if degree.min(initial=1) > 1e-12 and n > 1:
        S = A / np.sqrt(degree[:, None] * degree)
        Y = np.zeros((n, len(classes)))
        Y[labeled] = H
        F = np.linalg.solve(np.eye(n) - 0.3 * S, 0.7 * Y)
        mass = F.sum(axis=1, keepdims=True)
        if mass.min() > 1e-9:
            np.testing.assert_allclose(spread.label_distributions_, F / mass, atol=1e-6)


def diffusion_maps_by_eigh(Z, data):
    """DiffusionMaps: density normalization, then the symmetric form's eigenvalues by numpy.linalg.eigh."""
    n = len(Z)
    assume(len(np.unique(Z, axis=0)) == n)  # copies give eigenvalues 0, whose vectors are anyone's
    h = 10.0 ** data.draw(st.floats(-0.3, 1.5))
    alpha = data.draw(st.sampled_from([0.0, 0.5, 1.0]))
    k = data.draw(st.integers(1, min(3, n - 1)))
    K = np.exp(-0.5 * (distances(Z, Z, "euclidean") / h) ** 2)
    q = K.sum(axis=1)
    K = K / (q[:, None] * q) ** alpha
    d = K.sum(axis=1)
    want = np.sort(np.linalg.eigvalsh(K / np.sqrt(d[:, None] * d)))[::-1][1 : k + 1]
    model = lw.DiffusionMaps(n_components=k, bandwidth=h, density_alpha=alpha)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(Z)
    np.testing.assert_allclose(model.eigenvalues_, want, atol=1e-7)
    np.testing.assert_allclose(
        model.transform(Z), model.embedding_, atol=1e-5 * max(1, np.abs(model.embedding_).max())
    )


def graphs_are_propagated_by_definition(data):
    """Given graphs of every family: products, powers and heat against the dense matrix."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    A = data.draw(st.sampled_from(graph_families.GRAPHS))(data.draw(st.integers(2, 60)), rng)
    A = graph_families.weighted(A, rng) if data.draw(st.booleans()) else A
    n = len(A)
    rule = data.draw(st.sampled_from(["row", "symmetric"]))
    graph = lw.supports.Graph(csr_matrix(A), weights="given")
    P = lw.Mechanism(support=graph, kernel="indicator", normalization=rule).operator(np.zeros((n, 1)))
    d = A.sum(axis=1)
    inverse = np.divide(1.0, d, out=np.zeros(n), where=d > 0)
    W = inverse[:, None] * A if rule == "row" else np.sqrt(inverse)[:, None] * A * np.sqrt(inverse)
    V = rng.normal(size=(n, 3))
    scale = np.abs(W).sum(axis=0).max(initial=1)  # what a transposed product can grow by
    np.testing.assert_allclose(P @ V, W @ V, atol=1e-9)
    np.testing.assert_allclose(P.T @ V, W.T @ V, atol=1e-9 * scale)
    t = data.draw(st.integers(0, 9))
    np.testing.assert_allclose(P.power(t, V), np.linalg.matrix_power(W, t) @ V, atol=1e-8)
    np.testing.assert_allclose(P.heat(1.5, V), expm(-1.5 * (np.eye(n) - W)) @ V, atol=1e-7)
