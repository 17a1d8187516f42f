"""KernelRegressor and KernelClassifier against NumPy formulas, least squares and explicit refits."""

import pickle
import time
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, make_regression
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import likewise as lw
from likewise import kernels, metrics, normalizations, supports

CDIST = {
    "euclidean": "euclidean",
    "manhattan": "cityblock",
    "chebyshev": "chebyshev",
    "sqeuclidean": "euclidean",
}
WEIGHTS = {
    "gaussian": lambda d, h: np.exp(-(d**2) / (2 * h**2)),
    "laplacian": lambda d, h: np.exp(-d / h),
    "epanechnikov": lambda d, h: np.maximum(0, 1 - d**2 / h**2),
    "tricube": lambda d, h: np.maximum(0, 1 - (d / h) ** 3) ** 3,
    "student_t": lambda d, h: 1 / (1 + d**2 / h**2),
}


@pytest.fixture
def data():
    random = np.random.default_rng(0)
    X = random.normal(size=(60, 3))
    return X, np.c_[np.sin(X[:, 0]), X[:, 1] ** 2] + 0.1 * random.normal(size=(60, 2))


def numpy_weights(X, Z, metric, kernel, h, k=None):
    """Row-stochastic weights by the formula, on the k nearest if k is given."""
    d = cdist(X, Z, CDIST[metric])
    w = WEIGHTS[kernel](d, h)
    if k is not None:
        beyond = np.argsort(d, axis=1, kind="stable")[:, k:]
        np.put_along_axis(w, beyond, 0, axis=1)
    return w / w.sum(axis=1, keepdims=True)


@parametrize_with_checks([lw.KernelRegressor(), lw.KernelRegressor(degree=1), lw.KernelClassifier()])
def test_scikit_learn_contract(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # degree 1 says where it had to be 0
        check(estimator)


@pytest.mark.parametrize("k", [None, 9])
@pytest.mark.parametrize("kernel", list(WEIGHTS))
@pytest.mark.parametrize("metric", list(CDIST))
def test_row_of_the_table_nadaraya_watson(data, metric, kernel, k):
    Z, Y = data
    X = 0.5 * np.random.default_rng(1).normal(size=(20, 3))
    support = "all" if k is None else supports.Neighbors(k)
    model = lw.KernelRegressor(metric=metric, kernel=kernel, bandwidth=3.0, support=support).fit(Z, Y)
    bare = lw.Mechanism(
        metric=metric,
        kernel=type(kernels.from_name(kernel))(3.0),
        support=support,
        normalization="row",
        empty_row="nearest",
    )
    assert model.mechanism == model.mechanism_ == bare
    assert_allclose(model.predict(X), bare.operator(X, Z) @ Y, rtol=1e-13)
    assert_allclose(model.predict(X), numpy_weights(X, Z, metric, kernel, 3.0, k) @ Y, rtol=1e-9, atol=1e-12)


def test_return_std_is_the_weighted_spread(data):
    Z, Y = data
    X = Z[:10] + 0.1
    mean, std = lw.KernelRegressor(bandwidth=0.5).fit(Z, Y).predict(X, return_std=True)
    p = numpy_weights(X, Z, "euclidean", "gaussian", 0.5)
    assert_allclose(mean, p @ Y, rtol=1e-12)
    assert_allclose(std, np.sqrt(p @ Y**2 - (p @ Y) ** 2), rtol=1e-8)
    # The same spread on a large offset, where the formula in its plain form would cancel to nothing.
    shifted = lw.KernelRegressor(bandwidth=0.5).fit(Z, Y + 1e8).predict(X, return_std=True)[1]
    assert_allclose(shifted, std, rtol=1e-6)


def test_degree_1_is_weighted_least_squares(data):
    Z, Y = data
    X = 0.5 * Z[:15]
    got = lw.KernelRegressor(bandwidth=0.9, degree=1).fit(Z, Y).predict(X)
    for x, y in zip(X, got):
        root = np.sqrt(WEIGHTS["gaussian"](np.linalg.norm(Z - x, axis=1), 0.9))[:, None]
        coefficients = np.linalg.lstsq(root * np.c_[np.ones(len(Z)), Z - x], root * Y, rcond=None)[0]
        assert_allclose(y, coefficients[0], rtol=1e-7)


@pytest.mark.parametrize("support", ["all", supports.Neighbors(25), supports.Radius(2.5)])
def test_degree_1_reproduces_planes(data, support):
    Z, _ = data
    plane = Z @ [1.0, -2.0, 0.5] + 3
    model = lw.KernelRegressor(bandwidth=1.0, degree=1, support=support).fit(Z, plane)
    X = 0.3 * Z[:20]
    assert_allclose(model.predict(X), X @ [1.0, -2.0, 0.5] + 3, rtol=1e-8)
    assert model.loo_score_ > 0.9  # every point that sees enough others is met


def test_degree_1_says_where_it_is_degree_0():
    random = np.random.default_rng(2)
    Z, y = random.normal(size=(40, 2)), random.normal(size=40)
    model = lw.KernelRegressor(bandwidth=0.5, degree=1).fit(Z, y)
    with pytest.warns(UserWarning, match="1 of 2 queries have fewer effective points"):
        got = model.predict([[0.0, 0.0], [50.0, 0.0]])
    assert got[1] == pytest.approx(y[np.linalg.norm(Z - [50.0, 0.0], axis=1).argmin()])
    with pytest.warns(UserWarning, match="at most 50 features"):
        lw.KernelRegressor(bandwidth=5.0, degree=1).fit(random.normal(size=(60, 51)), random.normal(size=60))


@pytest.mark.parametrize("options", [{}, {"degree": 1}, {"metric": "manhattan", "kernel": "laplacian"}])
def test_leave_one_out_score_is_that_of_refits(options):
    random = np.random.default_rng(3)
    X = random.normal(size=(30, 2))
    y = X[:, 0] + 0.3 * random.normal(size=30)
    X[7] = X[22]  # copies hear one another
    model = lw.KernelRegressor(bandwidth=1.2, **options)
    predictions = []
    for i, x in enumerate(X):
        others = np.arange(30) != i
        predictions.append(clone(model).fit(X[others], y[others]).predict(x[None])[0])
    assert model.fit(X, y).loo_score_ == pytest.approx(r2_score(y, predictions), rel=1e-9)


def test_leave_one_out_accuracy_is_that_of_refits():
    X, y = load_iris(return_X_y=True)
    X, y = X[::4], y[::4]
    model = lw.KernelClassifier(bandwidth=0.5)
    predictions = []
    for i, x in enumerate(X):
        others = np.arange(len(X)) != i
        predictions.append(clone(model).fit(X[others], y[others]).predict(x[None])[0])
    assert model.fit(X, y).loo_score_ == pytest.approx(accuracy_score(y, predictions))


@pytest.mark.parametrize("degree", [0, 1])
def test_loo_bandwidth_minimizes_the_error_of_refits(degree):
    X, y = load_diabetes(return_X_y=True)
    X, y = X[:150, [2, 8]], y[:150]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = lw.KernelRegressor(degree=degree).fit(X, y)
    assert model.mechanism_.kernel == kernels.Gaussian(model.bandwidth_)
    assert model.bandwidth == "loo" and model.mechanism.kernel == kernels.Gaussian("loo")
    for factor in (0.3, 0.6, 1.7, 3.0):
        other = clone(model).set_params(bandwidth=factor * model.bandwidth_).fit(X, y)
        assert other.loo_score_ < model.loo_score_


def test_loo_bandwidth_of_a_classifier_minimizes_log_loss():
    X, y = load_iris(return_X_y=True)
    X, y = X[::3], y[::3]
    best = lw.KernelClassifier().fit(X, y).bandwidth_

    def loss(h):
        w = np.exp(-cdist(X, X, "sqeuclidean") / (2 * h**2))
        np.fill_diagonal(w, 0)
        return log_loss(y, np.clip(w @ np.eye(3)[y] / w.sum(axis=1, keepdims=True), 0, 1))

    for factor in (0.5, 0.8, 1.25, 2.0):
        assert loss(best) < loss(factor * best)


def one_hot_groups():
    random = np.random.default_rng(0)
    group = random.integers(0, 8, size=400)
    return np.eye(8)[group], random.normal(size=8)[group] + 0.35 * random.normal(size=400)


def binary_features():
    random = np.random.default_rng(1)
    X = random.integers(0, 2, size=(400, 6)).astype(float)
    return X, X @ random.normal(size=6) + X[:, 0] * X[:, 1] + 0.5 * random.normal(size=400)


def integers():
    random = np.random.default_rng(2)
    X = random.integers(0, 10, size=(400, 1)).astype(float)
    return X, np.sin(2 * X[:, 0]) + 0.3 * random.normal(size=400)


def weighted_loss(X, y, w, h, targets=None):
    """Leave-one-out error of weighted means by the definition, min(1, w) of each point left out."""
    heard = np.broadcast_to(w, (len(X), len(X))).copy()
    np.fill_diagonal(heard, w - np.minimum(w, 1))
    p = heard * np.exp(-cdist(X, X, "sqeuclidean") / (2 * h**2))
    means = p @ (y if targets is None else targets) / p.sum(axis=1, keepdims=targets is not None)
    if targets is not None:
        return w @ -np.log(np.maximum(means[np.arange(len(y)), y], np.finfo(float).eps)) / w.sum()
    return w @ (y - means) ** 2 / w.sum()


@pytest.mark.parametrize("make", [one_hot_groups, binary_features, integers])
def test_the_default_bandwidth_serves_repeated_rows(make):
    """Kind: leaving out every copy of a point, where nearly all are copies, finds lengths far too wide."""
    X, y = make()
    model = lw.KernelRegressor().fit(X[:300], y[:300])
    lengths = np.geomspace(0.05, 10, 60)
    scores = [lw.KernelRegressor(bandwidth=h).fit(X[:300], y[:300]).score(X[300:], y[300:]) for h in lengths]
    assert model.score(X[300:], y[300:]) > max(scores) - 0.02
    losses = [weighted_loss(X[:300], y[:300], np.ones(300), h) for h in lengths]
    assert weighted_loss(X[:300], y[:300], np.ones(300), model.bandwidth_) <= min(losses) * (1 + 1e-3)


@pytest.mark.parametrize("weights", ["integers", "shares", "large"])
def test_the_default_bandwidth_leaves_out_one_unit_of_weight(weights):
    """Kind: what of a weighted point is left out, told by the definition: min(1, w)."""
    X, y = binary_features()
    X, y = X[:150, :4], y[:150]
    w = np.random.default_rng(5).integers(1, 4, size=150).astype(float)
    w = {"integers": w, "shares": w / w.sum(), "large": 0.4 + w / 2}[weights]
    labels = (y > 0).astype(int)
    regressor = lw.KernelRegressor().fit(X, y, sample_weight=w)
    classifier = lw.KernelClassifier().fit(X, labels, sample_weight=w)
    lengths = np.geomspace(0.15, 2, 80)
    assert weighted_loss(X, y, w, regressor.bandwidth_) <= min(weighted_loss(X, y, w, h) for h in lengths) * (
        1 + 1e-3
    )
    of_classes = [weighted_loss(X, labels, w, h, np.eye(2)[labels]) for h in lengths]
    assert weighted_loss(X, labels, w, classifier.bandwidth_, np.eye(2)[labels]) <= min(of_classes) * (
        1 + 1e-3
    )


def test_the_optimum_below_the_least_gap_is_found():
    """Kind: a search that ends at the least distance between different points."""
    X = np.arange(40.0)[:, None]
    y = np.where(np.arange(40) % 4 < 2, 1.0, -1.0)
    h = lw.KernelRegressor().fit(X, y).bandwidth_
    losses = [weighted_loss(X, y, np.ones(40), g) for g in np.geomspace(0.2, 5, 200)]
    assert weighted_loss(X, y, np.ones(40), h) <= min(losses) * (1 + 1e-3) + 1e-12


@pytest.mark.parametrize("degree", [0, 1])
@pytest.mark.parametrize(
    "options", [{}, {"metric": "manhattan", "kernel": "laplacian"}, {"support": supports.Radius(1.5)}]
)
@pytest.mark.filterwarnings("ignore:.*fewer effective points")
def test_weight_2_is_a_row_twice_also_where_rows_repeat(options, degree):
    """Kind: weights and copies told apart by the leave-one-out rule."""
    X, y = binary_features()
    X, y = X[:80, :3], y[:80]
    w = np.random.default_rng(6).integers(0, 3, size=80).astype(float)
    rows = np.repeat(np.arange(80), w.astype(int))
    weighted = lw.KernelRegressor(degree=degree, **options).fit(X, y, sample_weight=w)
    repeated = lw.KernelRegressor(degree=degree, **options).fit(X[rows], y[rows])
    assert weighted.bandwidth_ == pytest.approx(repeated.bandwidth_, rel=1e-5)
    assert weighted.loo_score_ == pytest.approx(repeated.loo_score_, rel=1e-7)


def test_many_repeated_rows_are_joined():
    """Kind: a leave-one-out search of all pairs of rows where few places hold them all."""
    X, y = integers()
    X, y = np.tile(X, (50, 1)), np.tile(y, 50)
    start = time.perf_counter()
    lw.KernelRegressor().fit(X, y)
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize("degree", [0, 1])
def test_weight_2_is_a_row_twice_and_weight_0_no_row(data, degree):
    X, Y = data
    weights = np.random.default_rng(4).integers(0, 3, size=len(X)).astype(float)
    rows = np.repeat(np.arange(len(X)), weights.astype(int))
    queries = 0.5 * X[:10]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weighted = lw.KernelRegressor(degree=degree).fit(X, Y, sample_weight=weights)
        repeated = lw.KernelRegressor(degree=degree).fit(X[rows], Y[rows])
        assert weighted.bandwidth_ == pytest.approx(repeated.bandwidth_, rel=1e-9)
        assert weighted.loo_score_ == pytest.approx(repeated.loo_score_, rel=1e-9)
        got, want = weighted.predict(queries, return_std=True), repeated.predict(queries, return_std=True)
    assert_allclose(got[0], want[0], rtol=1e-8)
    assert_allclose(got[1], want[1], rtol=1e-6)


def test_classifier_probabilities_are_shares_of_the_weights():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = lw.KernelClassifier(bandwidth=0.4).fit(X[::2], names[::2])
    p = numpy_weights(X[1::2], X[::2], "euclidean", "gaussian", 0.4)
    assert_allclose(model.predict_proba(X[1::2]), p @ np.eye(3)[y[::2]], rtol=1e-9, atol=1e-13)
    assert list(model.classes_) == ["setosa", "versicolor", "virginica"]
    assert model.score(X[1::2], names[1::2]) > 0.9


def test_classifier_of_degree_1_gives_probabilities():
    X, y = load_iris(return_X_y=True)
    proba = lw.KernelClassifier(bandwidth=1.0, degree=1).fit(X[::2], y[::2]).predict_proba(X[1::2])
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    assert proba.min() >= 0
    assert (proba.argmax(axis=1) == y[1::2]).mean() > 0.9


def test_equal_shares_go_to_the_first_class():
    model = lw.KernelClassifier(bandwidth=1.0).fit([[-1.0], [1.0]], ["b", "a"])
    assert model.predict([[0.0]]) == "a"


@pytest.mark.parametrize("degree", [0, 1])
def test_float32_stays_and_agrees(data, degree):
    Z, Y = data
    Z32, Y32 = Z.astype(np.float32) + 100, Y.astype(np.float32)
    model = lw.KernelRegressor(bandwidth=1.0, degree=degree).fit(Z32, Y32)
    mean, std = model.predict(Z32[:5] + np.float32(0.1), return_std=True)
    assert mean.dtype == std.dtype == np.float32
    double = lw.KernelRegressor(bandwidth=1.0, degree=degree).fit(Z32.astype(float), Y32.astype(float))
    assert_allclose(mean, double.predict((Z32[:5] + np.float32(0.1)).astype(float)), rtol=2e-5, atol=2e-5)


def test_changing_a_slot_gives_the_other_method(data):
    Z, Y = data
    model = lw.KernelRegressor(bandwidth=1.0)
    manhattan = model.mechanism.replace(metric="manhattan")
    by_params = clone(model).set_params(metric="manhattan").fit(Z, Y)
    by_mechanism = lw.KernelRegressor.from_mechanism(manhattan).fit(Z, Y)
    assert by_params.mechanism_ == by_mechanism.mechanism_ == manhattan
    assert_allclose(by_params.predict(Z), by_mechanism.predict(Z), rtol=0)
    # The same mechanism on the k nearest with weight 1: k-NN.
    knn = model.mechanism.replace(kernel="indicator", support=supports.Neighbors(4))
    want = lw.KNeighborsRegressor(4).fit(Z, Y).predict(Z)
    assert_allclose(
        lw.KernelRegressor.from_mechanism(knn, bandwidth=None).fit(Z, Y).predict(Z), want, rtol=1e-13
    )


@pytest.mark.parametrize(
    "metric",
    [metrics.Cosine(), metrics.Mahalanobis([[1.0, 0.2, 0.0], [0.0, 2.0, 0.1]]), metrics.Minkowski(3)],
)
def test_precomputed_costs_give_the_same(data, metric):
    Z, Y = data
    X = Z[:7] + 0.1
    costs = lw.Mechanism(metric=metric, kernel=kernels.Exponential(1.0), normalization="none")
    between = -np.log(costs.operator(Z, storage="dense").toarray())
    across = -np.log(costs.operator(X, Z, storage="dense").toarray())
    own = metrics.Precomputed(metric.distance_power)
    given_costs = lw.KernelRegressor(metric=own).fit(between, Y)
    points = lw.KernelRegressor(metric=metric).fit(Z, Y)
    assert given_costs.bandwidth_ == pytest.approx(points.bandwidth_, rel=1e-6)
    assert_allclose(given_costs.predict(across), points.predict(X), rtol=1e-6)


def test_bandwidth_rules_and_other_normalizations(data):
    Z, Y = data
    for rule in ("median", "scott", "silverman", "bgh", "self_tuning", "perplexity"):
        model = lw.KernelRegressor(bandwidth=rule).fit(Z, Y)
        assert np.isfinite(model.predict(Z)).all() and model.bandwidth_ > 0
    density = lw.KernelRegressor(bandwidth=1.0, normalization=normalizations.Density(1.0)).fit(Z, Y)
    k = WEIGHTS["gaussian"](cdist(Z, Z), 1.0)
    p = k[:5] / k.sum(axis=1)
    assert_allclose(density.predict(Z[:5]), p @ Y / p.sum(axis=1, keepdims=True), rtol=1e-10)
    shrunk = lw.KernelRegressor(bandwidth=0.3, normalization=normalizations.RowStochastic(0.5)).fit(Z, Y)
    k = WEIGHTS["gaussian"](cdist(Z[:5] + 0.1, Z), 0.3)
    assert_allclose(shrunk.predict(Z[:5] + 0.1), k @ Y / (0.5 + k.sum(axis=1, keepdims=True)), rtol=1e-9)


def test_far_queries_take_the_nearest_value(data):
    Z, Y = data
    far = np.array([[1e7, -1e7, 3e6], [0, 0, -1e9]])
    nearest = cdist(far, Z).argmin(axis=1)
    for kernel in ("gaussian", "epanechnikov", "tricube"):
        got = lw.KernelRegressor(kernel=kernel, bandwidth=0.5).fit(Z, Y).predict(far)
        assert_allclose(got, Y[nearest], rtol=1e-12)
    zero = lw.KernelRegressor(kernel="tricube", bandwidth=0.5, empty_row="zero").fit(Z, Y)
    assert_allclose(zero.predict(far), 0)
    with pytest.raises(ValueError, match="empty_row"):
        lw.KernelRegressor(kernel="tricube", bandwidth=0.5, empty_row="error").fit(Z, Y).predict(far)


def test_outliers_do_not_spoil_the_bandwidth():
    X, y = make_regression(80, 2, noise=5, random_state=0)
    X[0] = 1e6
    model = lw.KernelRegressor().fit(X, y)
    assert model.bandwidth_ < 10
    assert np.isfinite(model.predict(X)).all()


@settings(max_examples=60, deadline=None)
@given(
    X=st.sampled_from([np.float32, np.float64]).flatmap(
        lambda dtype: hnp.arrays(
            dtype,
            st.tuples(st.integers(1, 12), st.integers(1, 3)),
            elements=st.floats(-100, 100, width=32, allow_subnormal=True),
        )
    ),
    degree=st.sampled_from([0, 1]),
)
def test_predictions_are_finite_and_within_the_targets(X, degree):
    y = np.arange(len(X), dtype=float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = lw.KernelRegressor(degree=degree).fit(X, y)
        mean, std = model.predict(X + 0.5, return_std=True)
    assert np.isfinite(mean).all() and np.isfinite(std).all() and (std >= 0).all()
    if degree == 0:
        assert mean.min() >= -1e-9 and mean.max() <= len(X) - 1 + 1e-9
    assert np.isnan(model.loo_score_) == (len(X) == 1)


@pytest.mark.parametrize("unit", [2.0**-149, 1e-38, 1e-25, 1e-19, 1e-10, 1e10, 1e18, 1e30])
@pytest.mark.parametrize("kernel", ["gaussian", "laplacian", "tricube", "student_t", "inverse_distance"])
def test_float32_keeps_its_digits_where_squares_leave_its_range(unit, kernel):
    lattice = np.random.default_rng(0).integers(-9, 10, size=(40, 2)).astype(float)
    X32, y = (lattice * unit).astype(np.float32), np.arange(40, dtype=np.float32)
    queries = X32[::3] + np.float32(unit)
    bandwidth = None if kernel == "inverse_distance" else 4 * unit
    model = lw.KernelRegressor(kernel=kernel, bandwidth=bandwidth).fit(X32, y)
    got = model.predict(queries)
    assert got.dtype == np.float32
    d = cdist(queries.astype(float) / unit, X32.astype(float) / unit)
    with np.errstate(divide="ignore"):
        w = {
            "gaussian": np.exp(-((d / 4) ** 2) / 2),
            "laplacian": np.exp(-d / 4),
            "tricube": np.maximum(0, 1 - (d / 4) ** 3) ** 3,
            "student_t": 1 / (1 + (d / 4) ** 2),
            "inverse_distance": np.where((d == 0).any(1, keepdims=True), d == 0, 1 / d),
        }[kernel]
    assert (w.sum(1) > 0).all()
    assert_allclose(got, w @ y / w.sum(1), rtol=1e-4)


def test_loo_of_float32_points_that_are_subnormal_apart():
    lattice = np.random.default_rng(1).integers(-9, 10, size=(40, 1)).astype(float)
    y = np.sin(lattice[:, 0] / 3).astype(np.float32)
    near, far = (lw.KernelRegressor().fit((lattice * u).astype(np.float32), y) for u in (2.0**-149, 1.0))
    assert near.bandwidth_ == pytest.approx(2.0**-149 * far.bandwidth_, rel=1e-3)
    assert near.loo_score_ == pytest.approx(far.loo_score_, rel=1e-3)


def test_the_leave_one_out_score_is_computed_when_asked_for():
    pairs = []

    def squares(A, B):
        pairs.append(len(A) * len(B))
        return cdist(A, B, "sqeuclidean")

    metric = metrics.Custom(squares, symmetric=True, zero_on_self=True, distance_power=2)
    X, y = load_diabetes(return_X_y=True)
    model = lw.KernelRegressor(metric=metric, bandwidth=0.1).fit(X, y)
    assert sum(pairs) <= 2 * len(X)  # a number needs no look at all pairs
    score = model.loo_score_
    assert sum(pairs) >= len(X) ** 2
    pairs.clear()
    assert model.loo_score_ == score and not pairs
    assert model.fit(X, y + 1e3 * X[:, 0]).loo_score_ != score
    with pytest.raises(NotFittedError):
        _ = lw.KernelRegressor().loo_score_


def test_pickles_predict_the_same(data):
    Z, Y = data
    for model in (
        lw.KernelRegressor(degree=1, bandwidth=1.0).fit(Z, Y),
        lw.KernelRegressor(bandwidth="self_tuning").fit(Z.astype(np.float32), Y),
        lw.KernelClassifier().fit(Z, Y[:, 0] > 0),
    ):
        again = pickle.loads(pickle.dumps(model))
        assert again.mechanism_ == model.mechanism_ and again.loo_score_ == model.loo_score_
        assert (again.predict(Z) == model.predict(Z)).all()


def test_results_do_not_depend_on_threads(data):
    Z, Y = data
    for degree in (0, 1):
        one = lw.KernelRegressor(degree=degree, bandwidth=1.0, n_jobs=1).fit(Z, Y)
        two = lw.KernelRegressor(degree=degree, bandwidth=1.0, n_jobs=2).fit(Z, Y)
        assert one.loo_score_ == two.loo_score_ and (one.predict(Z) == two.predict(Z)).all()


BAD_FITS = [
    ({"bandwidth": -1.0}, ValueError, "bandwidth"),
    ({"bandwidth": "lo"}, ValueError, "'median'"),
    ({"kernel": kernels.Gaussian(1.0), "bandwidth": 2.0}, ValueError, "bandwidth"),
    ({"metric": "euclid"}, ValueError, "'euclidean'"),
    ({"metric": metrics.DotProduct()}, ValueError, "a distance"),
    ({"kernel": "gauss"}, ValueError, "'gaussian'"),
    ({"kernel": 3}, TypeError, "kernel"),
    ({"degree": 2}, ValueError, "degree"),
    ({"degree": 1, "metric": "precomputed"}, ValueError, "metric"),
    ({"support": supports.Causal()}, ValueError, "support"),
    ({"support": supports.Neighbors(61)}, ValueError, r"n_neighbors must be an int in \[1, 60\]"),
    ({"empty_row": "last"}, ValueError, "empty_row"),
    ({"n_jobs": 0}, ValueError, "n_jobs"),
]


@pytest.mark.parametrize(("parameters", "error", "message"), BAD_FITS)
def test_bad_parameters_are_refused_by_name(data, parameters, error, message):
    X, Y = data
    if parameters.get("metric") == "precomputed":
        X = cdist(X, X)
    with pytest.raises(error, match=message):
        lw.KernelRegressor(**parameters).fit(X, Y)


def test_bad_data_is_refused_by_name(data):
    X, Y = data
    fitted = lw.KernelRegressor(bandwidth=1.0).fit(X, Y)
    for call, message in [
        (lambda: lw.KernelRegressor().fit(np.where(X == X[0, 0], np.nan, X), Y), "X contains NaN"),
        (lambda: lw.KernelRegressor().fit(X, np.where(Y == Y[0, 0], np.inf, Y)), "y contains infinity"),
        (lambda: lw.KernelRegressor().fit(X[:, 0], Y), "Expected 2D array"),
        (lambda: lw.KernelRegressor().fit(X[:0], Y[:0]), "Found array with 0 sample"),
        (lambda: lw.KernelRegressor().fit(X, Y[:-1]), "inconsistent numbers of samples"),
        (lambda: lw.KernelRegressor().fit(X, Y, sample_weight=-np.ones(60)), "sample_weight"),
        (lambda: lw.KernelRegressor().fit(X, Y, sample_weight=np.zeros(60)), "(?i)sample.weight"),
        (lambda: lw.KernelRegressor(metric="precomputed").fit(X, Y), "X must be square"),
        (lambda: fitted.predict(X[:, :2]), "X has 2 features, but KernelRegressor is expecting 3"),
        (lambda: fitted.predict(np.full((1, 3), np.nan)), "X contains NaN"),
        (lambda: lw.KernelClassifier().fit(X, Y[:, 0]), "Unknown label type"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(NotFittedError):
        lw.KernelRegressor().predict(X)
    symmetric = lw.KernelRegressor(bandwidth=1.0, normalization="symmetric").fit(X, Y)
    with pytest.raises(ValueError, match="return_std"):
        symmetric.predict(X, return_std=True)
