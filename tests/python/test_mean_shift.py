"""MeanShift against scikit-learn, the density's gradient and the bare operator."""

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import cluster
from sklearn.datasets import load_iris, load_wine, make_blobs
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import scale
from sklearn.utils.estimator_checks import parametrize_with_checks

import likewise as lw


def blobs():
    return make_blobs(200, centers=4, cluster_std=0.6, random_state=3)


SETS = {
    "blobs": lambda: blobs()[0],
    "iris": lambda: load_iris().data,
    "wine": lambda: scale(load_wine().data)[:, :4],
}


@parametrize_with_checks([lw.MeanShift()])
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(
    "params", [{}, {"bandwidth": 1.3}, {"bin_seeding": True}, {"cluster_all": False, "bandwidth": 0.8}]
)
def test_same_clusters_as_sklearn(name, params):
    X = SETS[name]()
    a, b = lw.MeanShift(**params).fit(X), cluster.MeanShift(**params).fit(X)
    assert_allclose(a.cluster_centers_, b.cluster_centers_, atol=1e-9)
    assert_array_equal(a.labels_, b.labels_)
    assert a.n_iter_ == b.n_iter_
    assert_array_equal(a.predict(X + 0.1), b.predict(X + 0.1))


def test_seeds_and_the_estimated_bandwidth():
    X = load_iris().data
    params = {"seeds": X[::10], "bandwidth": 1.0}
    assert_allclose(
        lw.MeanShift(**params).fit(X).cluster_centers_, cluster.MeanShift(**params).fit(X).cluster_centers_
    )
    assert_allclose(lw.MeanShift().fit(X).bandwidth_, cluster.estimate_bandwidth(X))
    assert_allclose(lw.estimate_bandwidth(X, quantile=0.1), cluster.estimate_bandwidth(X, quantile=0.1))


def test_the_step_is_the_gradient_of_the_log_density():
    """Identity 9: m(x) - x = h^2 grad log p_h(x), by central differences of a density written here."""
    rng = np.random.RandomState(0)
    X, Q, h, step = rng.randn(60, 3), rng.randn(5, 3), 0.8, 1e-5
    P = lw.Mechanism(metric="euclidean", kernel=lw.kernels.Gaussian(h)).operator(Q, X)

    def log_density(q):
        return np.log(np.exp(-((q[:, None] - X) ** 2).sum(-1) / (2 * h**2)).sum(1))

    gradient = np.stack(
        [(log_density(Q + step * e) - log_density(Q - step * e)) / (2 * step) for e in np.eye(3)], axis=1
    )
    assert_allclose(P @ X - Q, h**2 * gradient, atol=1e-8)


def test_a_fit_is_the_bare_operator_repeated():
    X, _ = blobs()
    model = lw.MeanShift(bandwidth=1.0, kernel="gaussian").fit(X)
    x, m = X, model.mechanism_
    for _ in range(400):
        x = m.operator(x, X) @ X
    y = X
    for _ in range(400):  # and the same in NumPy
        W = np.exp(-((y[:, None] - X) ** 2).sum(-1) / 2)
        y = W @ X / W.sum(1, keepdims=True)
    assert_allclose(x, y, atol=1e-9)
    nearest = ((x[:, None] - model.cluster_centers_) ** 2).sum(-1).argmin(1)
    assert_array_equal(nearest, model.labels_)
    assert_allclose(model.cluster_centers_[nearest], x, atol=0.05)
    assert m == lw.Mechanism(
        metric="euclidean",
        kernel=lw.kernels.Gaussian(1.0),
        propagation=lw.propagations.Steps(moving="points", tol=1e-3, max_iter=model.max_iter),
        empty_row="nearest",
    )


@pytest.mark.parametrize("kernel", ["flat", "gaussian", "epanechnikov", "tricube", "student_t"])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev"])
def test_kernels_and_metrics(kernel, metric):
    X, y = blobs()
    h = {"gaussian": 0.8, "student_t": 0.4}.get(kernel, 2.5)
    model = lw.MeanShift(kernel=kernel, metric=metric, bandwidth=h).fit(X)
    assert adjusted_rand_score(y, model.labels_) > 0.95


@pytest.mark.parametrize("rule", ["median", "scott", "silverman"])
def test_bandwidth_rules(rule):
    X, _ = blobs()
    for kernel in ("flat", "gaussian"):
        model = lw.MeanShift(bandwidth=rule, kernel=kernel).fit(X)
        assert_allclose(model.bandwidth_, lw.select_bandwidth(rule, X, metric="euclidean").length)


def test_changing_a_slot_dtypes_pickles():
    X, _ = blobs()
    model = lw.MeanShift(bandwidth=2.0).fit(X)
    other = lw.MeanShift.from_mechanism(model.mechanism_.replace(metric="chebyshev"))
    assert other.fit(X).mechanism_.metric == lw.metrics.Chebyshev()
    assert_array_equal(
        lw.MeanShift(bandwidth=2.0).set_params(metric="chebyshev").fit_predict(X), other.labels_
    )
    single = lw.MeanShift(bandwidth=2.0).fit(X.astype(np.float32))
    assert single.cluster_centers_.dtype == np.float32
    assert_array_equal(single.labels_, model.labels_)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.labels_)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 25), st.integers(1, 3), st.integers(0, 1000))
def test_any_shape(n, d, seed):
    X = np.random.RandomState(seed).randn(n, d)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = lw.MeanShift().fit(X)
    assert len(model.labels_) == n and set(model.labels_) <= set(range(len(model.cluster_centers_)))
    assert_array_equal(model.predict(X), model.labels_)


def test_bad_input():
    X, _ = blobs()
    for match, params in {
        "bandwidth": {"bandwidth": -1.0},
        "seeds": {"seeds": np.full((1, 2), 1e6), "bandwidth": 1.0},
        "min_bin_freq": {"min_bin_freq": 0},
        "max_iter": {"max_iter": -1},
        "kernel": {"kernel": lw.kernels.Exponential(1.0)},
        "metric": {"metric": "nothing"},
        "gives one length": {"bandwidth": "self_tuning", "kernel": "gaussian"},
    }.items():
        with pytest.raises(ValueError, match=match):
            lw.MeanShift(**params).fit(X)
    with pytest.raises(ValueError, match="seeds"):
        lw.MeanShift(seeds=np.zeros((2, 3)), bandwidth=1.0).fit(X)
    with pytest.raises(NotFittedError):
        lw.MeanShift().predict(X)
    with pytest.warns(ConvergenceWarning, match="^max_iter=1 was reached without convergence"):
        lw.MeanShift(max_iter=1, kernel="gaussian", bandwidth=0.3).fit(X)
