"""The toy leaves against NumPy: every slot alone, all of them at once, and a method of them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import likewise as lw

X = np.random.default_rng(0).normal(size=(150, 3))
V = np.random.default_rng(1).normal(size=(150, 2))


def lorentzian(X, Z):
    return np.log1p(np.abs(X[:, None] - Z[None])).sum(-1)


def euclidean(X, Z):
    return np.sqrt(((X[:, None] - Z[None]) ** 2).sum(-1))


def rows(K):
    return K / K.sum(1, keepdims=True)


BAND = np.abs(np.subtract.outer(np.arange(150), np.arange(150))) <= 7
GAUSSIAN = np.exp(-0.5 * euclidean(X, X) ** 2)
CASES = {
    "metric": (
        dict(metric=lw.metrics.Lorentzian(), kernel=lw.kernels.Gaussian(1.0)),
        lambda: rows(np.exp(-0.5 * lorentzian(X, X) ** 2)),
    ),
    "kernel": (dict(kernel=lw.kernels.Cauchy(0.7)), lambda: rows(1 / (1 + euclidean(X, X) ** 2 / 0.49))),
    "support": (
        dict(kernel=lw.kernels.Gaussian(1.0), support=lw.supports.Band(7)),
        lambda: rows(GAUSSIAN * BAND),
    ),
    "normalization": (
        dict(kernel=lw.kernels.Gaussian(1.0), normalization="emphasis"),
        lambda: rows(GAUSSIAN * GAUSSIAN.sum(1)),
    ),
    "all": (
        dict(
            metric="lorentzian",
            kernel=lw.kernels.Cauchy(0.7),
            support=lw.supports.Band(7),
            normalization=lw.normalizations.Emphasis(),
        ),
        lambda: (lambda K: rows(K * K.sum(1)))(BAND / (1 + lorentzian(X, X) ** 2 / 0.49)),
    ),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("storage", ["streamed", "dense", "sparse"])
@pytest.mark.parametrize("name", CASES)
def test_operators(name, storage, dtype):
    slots, want = CASES[name]
    P = lw.Mechanism(**slots).operator(X.astype(dtype), storage=storage)
    tol = 1e-12 if dtype == np.float64 else 2e-5
    assert_allclose(P @ V.astype(dtype), want() @ V, atol=tol)
    assert_allclose(P.T @ V.astype(dtype), want().T @ V, atol=10 * tol)


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    slots, _ = CASES[name]
    Q, values = X[:40] + 0.1, V[:40]
    m = lw.Mechanism(**slots)

    def loss(Q):
        return float(((m.operator(Q) @ values) ** 2).sum())

    P = m.operator(Q)
    found = P.vjp(2 * (P @ values), values)["points"]
    step = 1e-6
    for i, k in [(0, 0), (7, 1), (19, 2)]:
        up, down = Q.copy(), Q.copy()
        up[i, k] += step
        down[i, k] -= step
        assert_allclose(found[i, k], (loss(up) - loss(down)) / (2 * step), rtol=1e-5, atol=1e-7)


def test_values_and_methods():
    for leaf in (lw.metrics.Lorentzian(), lw.kernels.Cauchy(0.7), lw.supports.Band(7)):
        assert eval(repr(leaf), {**vars(lw.metrics), **vars(lw.kernels), **vars(lw.supports)}) == leaf
    found = lw.KNeighborsRegressor(5, metric=lw.metrics.Lorentzian()).fit(X, V).predict(X[:9])
    nearest = np.argsort(lorentzian(X[:9], X), axis=1)[:, :5]
    assert_allclose(found, V[nearest].mean(1))
    with pytest.raises(ValueError, match="metric must be"):
        lw.KernelDensity(metric=lw.metrics.Lorentzian(), bandwidth=1.0).fit(X)
    slots, want = CASES["all"]
    halfway = lw.Mechanism(**slots, propagation=lw.propagations.Halfway())
    assert lw.Mechanism(**slots, propagation="halfway") == halfway
    assert_allclose(halfway.propagate(X, V), (V + want() @ V) / 2, atol=1e-12)
    assert_allclose(lw.Smoother(lw.Mechanism(**slots)).fit_transform(X, V), want() @ V, atol=1e-12)
