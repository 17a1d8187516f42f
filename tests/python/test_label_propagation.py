"""LabelPropagation and LabelSpreading against scikit-learn, dense solves and the bare operator."""

import pickle
import warnings

import numpy as np
import pandas
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import semi_supervised
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, make_moons
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.preprocessing import scale
from sklearn.utils.estimator_checks import parametrize_with_checks

import likewise as lw

PAIRS = {
    "propagation": (lw.LabelPropagation, semi_supervised.LabelPropagation),
    "spreading": (lw.LabelSpreading, semi_supervised.LabelSpreading),
}


def hidden(y, share, seed=0):
    y = y.copy()
    y[np.random.RandomState(seed).rand(len(y)) < share] = -1
    return y


def digits():
    X, y = load_digits(return_X_y=True)
    return X[:500] / 16, hidden(y[:500], 0.8)


def iris():
    X, y = load_iris(return_X_y=True)
    return scale(X), hidden(y, 0.7)


def moons():
    X, y = make_moons(200, noise=0.05, random_state=0)
    return X, hidden(y, 0.9)


# At gamma=20 scikit-learn's iteration stands still far from its fixed point on iris (self-loops of 1 - 1e-9),
# and digits underflow to isolated points.
SETS = {"iris": (iris, 5), "digits": (digits, 0.5), "moons": (moons, 20)}


@pytest.fixture(params=SETS)
def data(request):
    make, gamma = SETS[request.param]
    X, y = make()
    jitter = 1e-5 * np.random.RandomState(0).randn(*X.shape)  # ties among neighbors break in any order there
    return X + jitter, y, gamma


@parametrize_with_checks([lw.LabelPropagation(), lw.LabelSpreading()])
def test_sklearn_checks(estimator, check):
    check(estimator)


# --- scikit-learn


@pytest.mark.parametrize("kernel", ["rbf", "knn"])
@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("max_iter", [1, 2, 7])
def test_iterates_are_those_of_sklearn(data, pair, kernel, max_iter):
    X, y, gamma = data
    ours, theirs = PAIRS[pair]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        a = ours(kernel, gamma=gamma, max_iter=max_iter, tol=0, solver="iterate").fit(X, y)
        b = theirs(kernel, gamma=gamma, max_iter=max_iter, tol=0).fit(X, y)
    assert_allclose(a.label_distributions_[~a.unreached_], b.label_distributions_[~a.unreached_], atol=1e-10)
    assert a.n_iter_ == b.n_iter_ == max_iter
    assert_array_equal(a.classes_, b.classes_)


@pytest.mark.parametrize("solver", ["cg", "iterate"])
@pytest.mark.parametrize("seed", range(4))
def test_neighbors_that_no_label_reaches_make_no_room_for_others(seed, solver):
    """A row's neighbors are the nearest, labels or not; the walk goes on among those that a label reaches."""
    rng = np.random.default_rng(seed)
    X, k = rng.standard_normal((150, 2)), 3
    y = np.full(150, -1)
    y[:12] = np.arange(12) % 3
    order = np.argsort(np.square(X[:, None] - X).sum(axis=2), axis=1)[:, :k]
    A = np.zeros((150, 150))
    np.put_along_axis(A, order, 1.0, axis=1)
    reached = y >= 0
    for _ in range(150):
        reached = reached | (A @ reached > 0)
    free = reached & (y < 0)
    mixed = free & (A @ ~reached > 0)
    assert free.sum() > 10 and mixed.sum() > 3
    P = A[free] * reached
    P /= P.sum(axis=1, keepdims=True)
    F = np.linalg.solve(np.eye(free.sum()) - P[:, free], P[:, :12] @ np.eye(3)[y[:12]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = lw.LabelPropagation("knn", n_neighbors=k, solver=solver, tol=1e-11, max_iter=20_000).fit(X, y)
    assert_array_equal(model.unreached_, ~reached)
    assert_allclose(model.label_distributions_[free], F, atol=1e-7)


@pytest.mark.parametrize("kernel", ["rbf", "knn"])
@pytest.mark.parametrize("pair", PAIRS)
def test_fixed_points_are_those_of_sklearn(data, pair, kernel):
    X, y, gamma = data
    ours, theirs = PAIRS[pair]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        a = ours(kernel, gamma=gamma).fit(X, y)
        b = theirs(kernel, gamma=gamma, max_iter=200_000, tol=1e-10).fit(X, y)
    reached = ~a.unreached_
    assert_allclose(a.label_distributions_[reached], b.label_distributions_[reached], atol=2e-6)
    sure = np.sort(b.label_distributions_[reached], axis=1)
    sure = sure[:, -1] - sure[:, -2] > 1e-4
    assert_array_equal(a.transduction_[reached][sure], b.transduction_[reached][sure])
    if reached.all():
        new = X[:40] + 0.01
        assert_allclose(a.predict_proba(new), b.predict_proba(new), atol=1e-5)


def test_iterate_stops_where_sklearn_stops():
    X, y = iris()
    for ours, theirs in PAIRS.values():
        a, b = ours(solver="iterate").fit(X, y), theirs().fit(X, y)
        assert a.n_iter_ == b.n_iter_
        assert_allclose(a.label_distributions_, b.label_distributions_, atol=1e-9)


def test_a_function_as_kernel():
    X, y = moons()

    def affinity(A, B):
        return 1 / (1 + 50 * ((A[:, None] - B) ** 2).sum(-1))

    for ours, theirs in PAIRS.values():
        a, b = ours(affinity).fit(X, y), theirs(affinity, max_iter=100_000, tol=1e-10).fit(X, y)
        assert_allclose(a.label_distributions_, b.label_distributions_, atol=1e-6)
        assert_allclose(a.predict_proba(X[:9] + 0.1), b.predict_proba(X[:9] + 0.1), atol=1e-6)


def test_a_function_that_knows_nothing_of_a_new_point_leaves_the_shares_of_all():
    X, y = moons()

    def affinity(A, B):
        return np.maximum(0, 1 - ((A[:, None] - B) ** 2).sum(-1))

    model = lw.LabelPropagation(affinity).fit(X, y)
    far = model.predict_proba([[50.0, 50.0]])
    assert_allclose(far[0], model.label_distributions_.mean(0), atol=1e-12)


def test_it_converges_where_sklearn_needs_more_than_its_steps():
    X, y = make_moons(300, noise=0.05, random_state=1)
    y = np.where(np.arange(300) < 4, y, -1)
    with pytest.warns(ConvergenceWarning):
        theirs = semi_supervised.LabelPropagation(gamma=200, tol=1e-9).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = lw.LabelPropagation(gamma=200).fit(X, y)
    K = np.exp(-200 * ((X[:, None] - X) ** 2).sum(-1))
    P, u = K / K.sum(1, keepdims=True), y == -1
    want = np.linalg.solve(np.eye(u.sum()) - P[np.ix_(u, u)], P[np.ix_(u, ~u)] @ np.eye(2)[y[~u]])
    assert_allclose(ours.label_distributions_[u], want, atol=1e-5)
    assert np.abs(theirs.label_distributions_[u] - want).max() > 1e-3


# --- the table of the design: estimator == bare operator == NumPy


@pytest.mark.parametrize(
    "mechanism",
    [
        lw.Mechanism(metric="euclidean", kernel=lw.kernels.Gaussian(0.3)),
        lw.Mechanism(metric="manhattan", kernel=lw.kernels.Laplacian(0.5), support=lw.supports.Neighbors(10)),
        lw.Mechanism(metric="cosine", kernel=lw.kernels.StudentT(0.2), support=lw.supports.Neighbors(10)),
    ],
    ids=["gaussian", "manhattan knn", "cosine knn"],
)
def test_propagation_is_the_bare_operator(mechanism):
    X, y = iris()
    model = lw.LabelPropagation(mechanism).fit(X, y)
    V = np.where(y[:, None] == model.classes_, 1.0, 0.0)
    F, _ = mechanism.operator(X).equilibrium(V, clamped=y != -1, tol=1e-12)
    assert_allclose(model.label_distributions_, F, atol=1e-6)
    P, u = mechanism.operator(X).toarray(), y == -1
    want = np.linalg.solve(np.eye(u.sum()) - P[np.ix_(u, u)], P[np.ix_(u, ~u)] @ V[~u])
    assert_allclose(model.label_distributions_[u], want, atol=1e-6)
    clamped = mechanism.replace(propagation=lw.propagations.Equilibrium())
    assert model.mechanism_ == clamped == model.mechanism
    assert_allclose(
        model.predict_proba(X[:9]), mechanism.operator(X[:9], X) @ model.label_distributions_, atol=1e-6
    )


def test_spreading_is_the_bare_operator():
    X, y = iris()
    model = lw.LabelSpreading(alpha=0.6).fit(X, y)
    V = np.where(y[:, None] == model.classes_, 1.0, 0.0)
    F, _ = model.mechanism_.operator(X).equilibrium(V, alpha=0.6, tol=1e-13)
    K = np.exp(-20 * ((X[:, None] - X) ** 2).sum(-1))
    np.fill_diagonal(K, 0)
    s = 1 / np.sqrt(K.sum(1))
    want = 0.4 * np.linalg.solve(np.eye(len(X)) - 0.6 * s[:, None] * K * s, V)
    assert_allclose(F, want, atol=1e-9)
    assert_allclose(model.label_distributions_, want / want.sum(1, keepdims=True), atol=1e-6)


def test_changing_a_slot():
    X, y = iris()
    model = lw.LabelSpreading(bandwidth=0.3)
    model.set_params(metric="chebyshev").fit(X, y)
    other = lw.LabelSpreading(model.mechanism.replace(metric="chebyshev")).fit(X, y)
    assert_allclose(model.label_distributions_, other.label_distributions_)
    assert model.mechanism_.metric == lw.metrics.Chebyshev()
    changed = lw.LabelSpreading.from_mechanism(lw.LabelSpreading(bandwidth=0.3).mechanism, metric="chebyshev")
    assert changed.mechanism == model.mechanism
    assert lw.LabelPropagation(gamma=2).mechanism.kernel == lw.kernels.Gaussian(0.5)
    assert lw.LabelPropagation("knn").mechanism.support == lw.supports.Neighbors(
        7, symmetrize="none", include_self=True
    )


@pytest.mark.parametrize("rule", ["median", "scott", "self_tuning"])
def test_bandwidth_rules(rule):
    X, y = iris()
    model = lw.LabelPropagation(bandwidth=rule).fit(X, y)
    assert np.mean(model.transduction_ == load_iris().target) > 0.7
    assert_allclose(model.predict_proba(X).sum(1), 1)


# --- components, dtypes, shapes, bad input


def test_components_without_a_label():
    X = np.r_[np.arange(4.0), 100 + np.arange(4.0)][:, None]
    y = np.array([0, 1, -1, 1, -1, -1, -1, -1])
    for model in (
        lw.LabelPropagation("knn", n_neighbors=2),
        lw.LabelPropagation("knn", n_neighbors=2, solver="iterate"),
        lw.LabelSpreading("knn", n_neighbors=3),
        lw.LabelPropagation(lw.Mechanism(kernel=lw.kernels.Epanechnikov(1.5))),
    ):
        with pytest.warns(UserWarning, match="4 of 8 points are in components without a label"):
            model.fit(X, y)
        assert_array_equal(model.unreached_, np.arange(8) >= 4)
        assert_allclose(model.label_distributions_[4:], [[1 / 3, 2 / 3]] * 4)


@pytest.mark.parametrize("make", [lw.LabelPropagation, lw.LabelSpreading])
def test_dtypes_labels_and_pickles(make):
    X, y = iris()
    double, single = make().fit(X, y), make().fit(X.astype(np.float32), y)
    assert single.label_distributions_.dtype == single.predict_proba(X).dtype == np.float32
    assert_allclose(single.label_distributions_, double.label_distributions_, atol=1e-4)
    again = pickle.loads(pickle.dumps(double))
    assert_array_equal(again.predict_proba(X), double.predict_proba(X))
    names = np.array(["a", "b", "c"], dtype=object)[y]
    names[y == -1] = -1
    assert_array_equal(make().fit(X, names).transduction_, np.array(["a", "b", "c"])[double.transduction_])
    assert_array_equal(
        make().fit(X, names.astype(str)).predict(X), np.array(["a", "b", "c"])[double.predict(X)]
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(1, 4), st.integers(1, 4), st.integers(0, 1000), st.booleans())
@example(18, 3, 4, 809, True)  # BiCGSTAB breaks down: 0/0
def test_any_shape(n, d, n_classes, seed, knn):
    rng = np.random.RandomState(seed)
    X, y = rng.randn(n, d), rng.randint(-1, n_classes, n)
    y[0] = 0
    for make in (lw.LabelPropagation, lw.LabelSpreading):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = make("knn" if knn and n > 1 else "rbf", n_neighbors=min(n, 2)).fit(X, y)
        F = model.label_distributions_
        assert np.isfinite(F).all() and F.min() >= 0
        assert_allclose(F.sum(1), 1, atol=1e-9)
        assert_allclose(model.predict_proba(rng.randn(3, d) * 100).sum(1), 1)


def test_bad_input():
    X, y = iris()
    for match, model in {
        "only unlabeled": lw.LabelPropagation(),
        "gamma": lw.LabelPropagation(gamma=-1),
        "n_neighbors": lw.LabelPropagation("knn", n_neighbors=151),
        "solver": lw.LabelPropagation(solver="magic"),
        "max_iter": lw.LabelPropagation(max_iter=0),
        "tol": lw.LabelPropagation(tol=-1.0),
        "alpha": lw.LabelSpreading(alpha=1.0),
        "bandwidth": lw.LabelPropagation(bandwidth=-1.0),
        "gamma must not be given together": lw.LabelPropagation(gamma=3.0, bandwidth=1.0),
        "metric": lw.LabelPropagation(metric="manhatan"),
        "kernel": lw.LabelPropagation(kernel="rbg"),
    }.items():
        labels = np.full(len(y), -1) if match == "only unlabeled" else y
        with pytest.raises(ValueError, match=match):
            model.fit(X, labels)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        lw.LabelPropagation().fit(X, y[:-1])
    with pytest.raises(ValueError, match="NaN"):
        lw.LabelPropagation().fit(np.where(X == X[0, 0], np.nan, X), y)
    with pytest.raises(NotFittedError):
        lw.LabelPropagation().predict(X)
    with pytest.raises(ValueError, match="features"):
        lw.LabelPropagation().fit(X, y).predict(X[:, :2])


@pytest.mark.parametrize("model", [lw.LabelPropagation(), lw.LabelSpreading(alpha=0.5)], ids=repr)
def test_unlabeled_is_one_rule_for_all_containers(model):
    """Kind: -1 as text or number became a class in some containers and was unlabeled in others."""
    X, labels = np.arange(6.0)[:, None], ["a", "a", "-1", "-1", "b", "b"]
    want = ["a"] * 3 + ["b"] * 3
    mixed = ["a", "a", -1, -1, "b", "b"]
    for y in (labels, mixed):
        for make in (
            list,
            lambda y: np.array(y, dtype=object),
            lambda y: np.array(list(map(str, y))),
            lambda y: pandas.Series(y, dtype=object),
            lambda y: pandas.Series(list(map(str, y))),
            lambda y: pandas.Series(list(map(str, y)), dtype="category"),
        ):
            fitted = clone(model).fit(X, make(y))
            assert list(fitted.transduction_) == want
            assert list(fitted.classes_) == ["a", "b"]
    for y in ([0, 0, -1, -1, 1, 1], pandas.Series([0, 0, -1, -1, 1, 1]), np.array([0.0, 0, -1, -1, 1, 1])):
        assert list(clone(model).fit(X, y).transduction_) == [0, 0, 0, 1, 1, 1]
