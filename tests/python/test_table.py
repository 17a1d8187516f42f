"""The table "one mechanism, every method", row by row.

A method is a value of five slots. Each test says the same thing twice: the estimator says that it is this
value and answers as the value does alone, and both equal a few lines of float64 NumPy that use nothing of
ours. Real data throughout: irises, digits, diabetes.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.preprocessing import scale

import likewise as lw
from likewise.propagations import Equilibrium, OneStep, Spectrum, Steps

IRIS, SPECIES = load_iris(return_X_y=True)
IRIS = scale(IRIS) + 1e-3 * np.random.default_rng(0).normal(size=IRIS.shape)  # no two flowers at one place
TRAIN, TEST = slice(0, None, 2), slice(1, None, 2)


def mechanism(metric, kernel, support, normalization, propagation):
    return lw.Mechanism(
        metric=metric, kernel=kernel, support=support, normalization=normalization, propagation=propagation
    )


def is_said_by(slots, model):
    """The estimator's own five slots are these, before and after fit, whatever it does with empty rows."""
    return all(m.replace(empty_row="zero") == slots for m in (model.mechanism, model.mechanism_))


def squared(X, Z):
    return ((X[:, None] - Z[None]) ** 2).sum(-1)


def softmax(S):
    W = np.exp(S - S.max(1, keepdims=True))
    return W / W.sum(1, keepdims=True)


def up_to_signs(A, B, **kwargs):
    assert_allclose(A * np.sign((A * B).sum(0)), B, **kwargs)


def test_nadaraya_watson_regression():
    X, y = load_diabetes(return_X_y=True)
    X, y, Q = 20 * X[TRAIN], y[TRAIN], 20 * X[TEST]
    model = lw.KernelRegressor(bandwidth=0.8).fit(X, y)
    slots = mechanism(
        lw.metrics.Euclidean(),
        lw.kernels.Gaussian(0.8),
        lw.supports.AllPairs(),
        lw.normalizations.RowStochastic(),
        OneStep(),
    )
    want = softmax(-squared(Q, X) / (2 * 0.8**2)) @ y
    assert is_said_by(slots, model)
    assert_allclose(model.predict(Q), want, rtol=1e-10)
    assert_allclose(slots.propagate(X, y, X=Q), want, rtol=1e-10)


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
def test_k_nearest_neighbors(metric):
    X, y, Q = IRIS[TRAIN], SPECIES[TRAIN], IRIS[TEST]
    model = lw.KNeighborsClassifier(7, metric=metric).fit(X, y)
    slots = mechanism(
        metric, lw.kernels.Indicator(), lw.supports.Neighbors(7), lw.normalizations.RowStochastic(), OneStep()
    )
    one_hot = np.eye(3)[y]
    D = np.sqrt(squared(Q, X)) if metric == "euclidean" else np.abs(Q[:, None] - X[None]).sum(-1)
    want = np.stack([one_hot[np.argsort(d, kind="stable")[:7]].mean(0) for d in D])
    assert_allclose(model.predict_proba(Q), want, atol=1e-15)
    assert_allclose(slots.propagate(X, one_hot, X=Q), want, atol=1e-15)
    assert is_said_by(slots, model)
    assert (model.predict(Q) == want.argmax(1)).all()


def test_spectral_clustering():
    X = load_digits().data[:300] / 16
    model = lw.SpectralClustering(n_clusters=4, affinity="rbf", gamma=0.2, random_state=0).fit(X)
    slots = mechanism(
        lw.metrics.Euclidean(),
        lw.kernels.Gaussian(np.sqrt(1 / 0.4)),
        lw.supports.LeaveOneOut(),
        lw.normalizations.Symmetric(),
        Spectrum(4),
    )
    K = np.exp(-0.2 * squared(X, X)) - np.eye(300)
    root = np.sqrt(K.sum(1))
    values, vectors = np.linalg.eigh(K / np.outer(root, root))
    values, vectors = values[:-5:-1], vectors[:, :-5:-1]
    found = slots.propagate(X)
    assert is_said_by(slots, model)
    assert_allclose(model.eigenvalues_[:4], values, atol=1e-10)
    assert_allclose(found.values, values, atol=1e-10)
    up_to_signs(np.asarray(found.vectors), vectors, atol=1e-6)
    # the clusters are groups of the rows of u / sqrt(D): no point is nearer to another cluster's center
    U = vectors / root[:, None]
    centers = np.stack([U[model.labels_ == c].mean(0) for c in range(4)])
    assert (squared(U, centers).argmin(1) == model.labels_).mean() > 0.99


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_diffusion_maps(alpha):
    X, h, t = IRIS, 0.9, 3
    model = lw.DiffusionMaps(n_components=3, density_alpha=alpha, bandwidth=h, diffusion_time=t).fit(X)
    slots = mechanism(
        lw.metrics.Euclidean(),
        lw.kernels.Gaussian(h),
        lw.supports.AllPairs(),
        lw.normalizations.Density(alpha),
        Spectrum(4, power=t),
    )
    K = np.exp(-squared(X, X) / (2 * h**2))
    K /= np.outer(K.sum(1), K.sum(1)) ** alpha
    D = K.sum(1)
    values, U = np.linalg.eigh(K / np.sqrt(np.outer(D, D)))
    values, U = values[-2:-5:-1], U[:, -2:-5:-1]
    psi = U * np.sqrt(D.sum() / D)[:, None]  # sum_i pi_i psi_i^2 = 1
    found = slots.propagate(X)
    assert is_said_by(slots, model)
    assert_allclose(model.eigenvalues_, values, atol=1e-10)
    assert_allclose(found.values[1:], values, atol=1e-10)
    up_to_signs(np.asarray(found.vectors)[:, 1:], psi * values**t, atol=1e-6)
    up_to_signs(model.embedding_, psi * values**t, atol=1e-6)
    assert_allclose(model.transform(X), model.embedding_, atol=1e-8)


def some_labels(step=10):
    y = np.full(len(SPECIES), -1)
    y[::step] = SPECIES[::step]
    return y


def test_label_propagation():
    y = some_labels()
    model = lw.LabelPropagation(gamma=2.0).fit(IRIS, y)
    slots = mechanism(
        lw.metrics.Euclidean(),
        lw.kernels.Gaussian(0.5),
        lw.supports.AllPairs(),
        lw.normalizations.RowStochastic(),
        Equilibrium(),
    )
    P = softmax(-2.0 * squared(IRIS, IRIS))
    u, labeled = y == -1, y != -1
    F = np.eye(3)[np.maximum(y, 0)] * labeled[:, None]
    F[u] = np.linalg.solve(np.eye(u.sum()) - P[np.ix_(u, u)], P[np.ix_(u, labeled)] @ F[labeled])
    one_hot = np.eye(3)[np.maximum(y, 0)] * labeled[:, None]
    assert is_said_by(slots, model)
    assert_allclose(slots.propagate(IRIS, one_hot, clamped=labeled), F, atol=1e-6)
    assert_allclose(model.label_distributions_, F, atol=1e-6)


def test_label_spreading():
    y, a = some_labels(), 0.3
    model = lw.LabelSpreading(gamma=2.0, alpha=a).fit(IRIS, y)
    slots = mechanism(
        lw.metrics.Euclidean(),
        lw.kernels.Gaussian(0.5),
        lw.supports.LeaveOneOut(),
        lw.normalizations.Symmetric(),
        Equilibrium(alpha=a),
    )
    K = np.exp(-2.0 * squared(IRIS, IRIS))
    np.fill_diagonal(K, 0)
    S = K / np.sqrt(np.outer(K.sum(1), K.sum(1)))
    Y = np.eye(3)[np.maximum(y, 0)] * (y != -1)[:, None]
    F = (1 - a) * np.linalg.solve(np.eye(len(Y)) - a * S, Y)
    assert is_said_by(slots, model)
    assert_allclose(slots.propagate(IRIS, Y), F, atol=1e-7)
    assert_allclose(model.label_distributions_, F / F.sum(1, keepdims=True), atol=1e-6)


def climbed(X, h, tol):
    """Each point by itself, until a step is at most tol h."""
    ends = X.copy()
    for i in range(len(X)):
        step = np.inf
        while step > tol * h:
            x = softmax(-squared(ends[i : i + 1], X) / (2 * h**2)) @ X
            step, ends[i] = np.linalg.norm(x[0] - ends[i]), x[0]
    return ends


def test_mean_shift():
    h = 0.6
    model = lw.MeanShift(bandwidth=h, kernel="gaussian", max_iter=2000).fit(IRIS)
    slots = mechanism(
        lw.metrics.Euclidean(),
        lw.kernels.Gaussian(h),
        lw.supports.AllPairs(),
        lw.normalizations.RowStochastic(),
        Steps(moving="points", tol=1e-3, max_iter=2000),
    )
    assert is_said_by(slots, model)
    ends = slots.propagate(IRIS)
    assert_allclose(ends, climbed(IRIS, h, 1e-3), atol=1e-8)
    assert (squared(ends, model.cluster_centers_).min(1) < h**2).all()  # centers, or merged into one
    for center in np.asarray(model.cluster_centers_):  # a mode stands still under both
        x = center[None]
        for _ in range(500):
            x = softmax(-squared(x, IRIS) / (2 * h**2)) @ IRIS
        assert_allclose(center, x[0], atol=0.1 * h)
        assert_allclose(slots.propagate(IRIS, X=x), x, atol=1e-4)
    assert (model.labels_ == squared(IRIS, model.cluster_centers_).argmin(1)).all()


def test_hopfield_retrieval():
    patterns = load_digits().data[:50] / 16
    noisy = patterns[:9] + 0.2 * np.random.default_rng(0).normal(size=(9, 64))
    memory = lw.HopfieldMemory(temperature=0.5, max_iter=3, tol=0).fit(patterns)
    slots = mechanism(
        lw.metrics.DotProduct(),
        lw.kernels.Exponential(0.5),
        lw.supports.AllPairs(),
        lw.normalizations.RowStochastic(),
        Steps(moving="points", tol=0, max_iter=3),
    )
    want = noisy
    for _ in range(3):
        want = softmax(want @ patterns.T / 0.5) @ patterns
    assert is_said_by(slots, memory)
    with pytest.warns(Warning, match="max_iter=3"):
        assert_allclose(memory.transform(noisy), want, atol=1e-10)
    with pytest.warns(Warning, match="max_iter=3"):
        assert_allclose(slots.propagate(patterns, X=noisy), want, atol=1e-10)
    counted = slots.replace(propagation=Steps(3, moving="points"))
    assert_allclose(counted.propagate(patterns, X=noisy), want, atol=1e-10)


@pytest.mark.parametrize("causal", [False, True])
def test_self_attention(causal):
    rng = np.random.default_rng(0)
    tokens = load_digits().images[3] / 16  # eight rows of pixels as tokens
    Wq, Wk, Wv = rng.normal(size=(3, 5, 8))
    q, k, v = tokens @ Wq.T, tokens @ Wk.T, tokens @ Wv.T
    S = q @ k.T / np.sqrt(5)
    want = softmax(np.where(np.tri(8, dtype=bool) | (not causal), S, -np.inf)) @ v
    slots = mechanism(
        lw.metrics.Bilinear(Wq, Wk),
        lw.kernels.Exponential(np.sqrt(5)),
        lw.supports.Causal() if causal else lw.supports.AllPairs(),
        lw.normalizations.RowStochastic(),
        OneStep(),
    )
    assert_allclose(lw.attention(q, k, v, is_causal=causal), want, atol=1e-12)
    assert_allclose(slots.propagate(tokens, v), want, atol=1e-12)


def test_l2_attention():
    rng = np.random.default_rng(0)
    tokens = load_digits().images[3] / 16
    W, Wv = rng.normal(size=(2, 5, 8))
    p, v = tokens @ W.T, tokens @ Wv.T
    want = softmax(-squared(p, p) / 1.7) @ v
    slots = mechanism(
        lw.metrics.Mahalanobis(W),
        lw.kernels.Exponential(1.7),
        lw.supports.AllPairs(),
        lw.normalizations.RowStochastic(),
        OneStep(),
    )
    assert_allclose(lw.l2_attention(p, p, v, temperature=1.7), want, atol=1e-12)
    assert_allclose(slots.propagate(tokens, v), want, atol=1e-12)


def test_metric_attention():
    rng = np.random.default_rng(0)
    tokens = load_digits().images[3] / 16
    W1, W2, Wv = rng.normal(size=(6, 8)), rng.normal(size=(8, 6)), rng.normal(size=(5, 8))
    b1, b2 = rng.normal(size=6), rng.normal(size=8)
    p, v = tokens + np.tanh(tokens @ W1.T + b1) @ W2.T + b2, tokens @ Wv.T
    want = softmax(-squared(p, p)) @ v
    phi = lw.maps.ResidualMLP(W1, b1, W2, b2)
    slots = mechanism(
        lw.metrics.Mapped(phi),
        lw.kernels.Exponential(1.0),
        lw.supports.AllPairs(),
        lw.normalizations.RowStochastic(),
        OneStep(),
    )
    assert_allclose(lw.metric_attention(tokens, phi, v), want, atol=1e-12)
    assert_allclose(slots.propagate(tokens, v), want, atol=1e-12)


def test_kernel_density():
    h, d = 0.5, IRIS.shape[1]
    model = lw.KernelDensity(bandwidth=h).fit(IRIS[TRAIN])
    slots = mechanism(
        lw.metrics.Euclidean(),
        lw.kernels.Gaussian(h),
        lw.supports.AllPairs(),
        lw.normalizations.Unnormalized(),
        OneStep(),
    )
    K = np.exp(-squared(IRIS[TEST], IRIS[TRAIN]) / (2 * h**2))
    want = np.log(K.mean(1) / (2 * np.pi * h**2) ** (d / 2))
    assert_allclose(model.score_samples(IRIS[TEST]), want, atol=1e-10)
    shares = np.full(len(IRIS[TRAIN]), 1 / len(IRIS[TRAIN]))
    sums = slots.propagate(IRIS[TRAIN], shares, X=IRIS[TEST])
    assert is_said_by(slots, model)
    assert_allclose(np.log(sums / (2 * np.pi * h**2) ** (d / 2)), want, atol=1e-10)


def test_metric_learning():
    X, y = IRIS[TRAIN], SPECIES[TRAIN]
    model = lw.MetricLearner(2, init="pca").fit(X, y)
    W = model.components_
    slots = mechanism(
        lw.metrics.Mahalanobis(W),
        lw.kernels.Exponential(1.0),
        lw.supports.LeaveOneOut(),
        lw.normalizations.RowStochastic(),
        OneStep(),
    )
    S = -squared(X @ W.T, X @ W.T)
    np.fill_diagonal(S, -np.inf)
    one_hot = np.eye(3)[y]
    want = softmax(S) @ one_hot
    assert model.mechanism_ == slots
    assert_allclose(slots.propagate(X, one_hot), want, atol=1e-10)
    assert_allclose(model.loss_, (1 - want[np.arange(len(y)), y]).sum(), atol=1e-8)


def test_one_slot_changed_is_the_other_method():
    """Kernel regression with a neighbor support and an indicator is k-NN; with dot products, attention."""
    X, y, Q = IRIS[TRAIN], SPECIES[TRAIN].astype(float), IRIS[TEST]
    kernel_regression = lw.KernelRegressor(bandwidth=0.5).fit(X, y).mechanism_
    k_nn = kernel_regression.replace(kernel=lw.kernels.Indicator(), support=lw.supports.Neighbors(5))
    assert_allclose(k_nn.operator(Q, X) @ y, lw.KNeighborsRegressor(5).fit(X, y).predict(Q), atol=1e-12)
    attention = kernel_regression.replace(metric=lw.metrics.DotProduct(), kernel=lw.kernels.Exponential(2.0))
    assert_allclose(
        attention.operator(Q, X) @ y[:, None], lw.attention(Q, X, y[:, None], temperature=2.0), atol=1e-12
    )
    changed = lw.KNeighborsClassifier(5).set_params(metric="manhattan").fit(X, SPECIES[TRAIN])
    assert changed.mechanism_.metric == lw.metrics.Manhattan()
