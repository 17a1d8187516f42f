"""MetricLearner against scikit-learn's NCA, a short SciPy fit of MLKR, and formulas in NumPy."""

import pickle
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import approx_fprime, minimize
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import KNeighborsClassifier, NeighborhoodComponentsAnalysis
from sklearn.preprocessing import scale
from sklearn.utils.estimator_checks import parametrize_with_checks

import likewise as lw
from likewise import _core, kernels, metrics, supports

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def others(X, W, t=1.0):
    """The leave-one-out weights by the formula."""
    c = cdist(X @ W.T, X @ W.T, "sqeuclidean") / t
    np.fill_diagonal(c, np.inf)
    K = np.exp(-(c - c.min(axis=1, keepdims=True)))
    return K / K.sum(axis=1, keepdims=True)


def missed(X, y, W, t=1.0):
    """NCA: the expected number of points whose class the others do not tell."""
    return len(y) - (others(X, W, t) * (y[:, None] == y)).sum()


def squares(X, y, W, t=1.0):
    return ((others(X, W, t) @ y - y) ** 2).sum()


def mlkr_oracle(X, y, start, max_iter=50, tol=1e-5):
    """Weinberger and Tesauro's loss and slope written out, the targets in units of their deviation."""
    y = (y - y.mean()) / y.std()

    def loss(w):
        W = w.reshape(-1, X.shape[1])
        P = others(X, W)
        F = P @ y
        C = P * np.outer(2 * (F - y), np.ones(len(y))) * (y - F[:, None])  # dL/d log K
        S = C + C.T
        slope = -2 * W @ X.T @ (np.diag(S.sum(axis=1)) - S) @ X
        return ((F - y) ** 2).sum(), slope.ravel()

    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", tol=tol, options={"maxiter": max_iter})
    return found.x.reshape(start.shape), found.fun


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True)
    return scale(X), y


@parametrize_with_checks(
    [
        lw.MetricLearner(max_iter=3),
        lw.MetricLearner(init="random", max_iter=3, temperature="learn", random_state=0),
        lw.MetricLearner(batch_size=7, max_iter=2, random_state=0),
    ]
)
def test_scikit_learn_contract(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


# --- the loss and its slope


@pytest.mark.parametrize("loss", ["nca", "mlkr"])
@pytest.mark.parametrize("n, rank, t", [(12, 3, 1.0), (40, 2, 0.7), (300, 3, 1.9)])
def test_loss_and_slopes_are_those_of_the_formula(loss, n, rank, t):
    rng = np.random.default_rng(n)
    X, W = rng.normal(size=(n, 3)) + 2, rng.normal(size=(rank, 3))
    y = rng.integers(0, 3, n) if loss == "nca" else rng.normal(size=n) + 40
    Y = np.eye(3)[y] if loss == "nca" else y[:, None]
    value, slope, by_t = _core.metric_loss(X, Y, W, loss, t)

    def plain(w, t=t):
        w = w.reshape(W.shape)
        return missed(X, y, w, t) - n if loss == "nca" else squares(X, y, w, t)

    assert_allclose(value, plain(W), rtol=1e-10)
    step = 1e-6
    moved = [(plain(W + step * E) - plain(W - step * E)) / (2 * step) for E in _units(W.shape)]
    assert_allclose(slope.ravel(), moved, rtol=1e-5, atol=1e-6)
    assert_allclose(by_t, (plain(W, t + step) - plain(W, t - step)) / (2 * step), rtol=1e-5, atol=1e-6)
    # The length of W and t are one parameter.
    assert_allclose(by_t * t, -0.5 * (W * slope).sum(), rtol=1e-9, atol=1e-9)
    # The bare operator and its vjp say the same.
    P = lw.Mechanism(
        metric=metrics.Mahalanobis(W), kernel=kernels.Exponential(t), support=supports.LeaveOneOut()
    ).operator(X)
    F = P @ Y
    found = P.vjp(-Y if loss == "nca" else 2 * (F - Y), Y, F)
    assert_allclose(slope, found["metric"]["factor"], rtol=1e-7, atol=1e-9)
    assert_allclose(by_t, found["temperature"], rtol=1e-7, atol=1e-9)


def _units(shape):
    for at in np.ndindex(shape):
        E = np.zeros(shape)
        E[at] = 1
        yield E


def test_a_batch_asks_all_others():
    rng = np.random.default_rng(0)
    X, W, y = rng.normal(size=(90, 3)), rng.normal(size=(2, 3)), rng.integers(0, 3, 90)
    order = rng.permutation(90)
    batches = [np.r_[b, np.setdiff1d(order, b)] for b in np.split(order, [25, 50])]
    parts = [
        _core.metric_loss(X[b], np.eye(3)[y[b]], W, "nca", 1.0, size)
        for b, size in zip(batches, (25, 25, 40))
    ]
    whole = _core.metric_loss(X, np.eye(3)[y], W, "nca", 1.0)
    for k in range(3):
        assert_allclose(sum(p[k] for p in parts), whole[k], rtol=1e-10, atol=1e-10)


# --- against scikit-learn and SciPy


@pytest.mark.parametrize("n_components", [2, None])
@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer, load_digits])
def test_objective_and_accuracy_are_at_least_those_of_scikit_learn(load, n_components):
    X, y = load(return_X_y=True)
    X = scale(X)[:600]
    X, X_new, y, y_new = train_test_split(X, y[:600], test_size=0.4, random_state=0, stratify=y[:600])
    start = np.eye(n_components or X.shape[1], X.shape[1])
    theirs = NeighborhoodComponentsAnalysis(n_components, init=start, max_iter=30).fit(X, y)
    ours = lw.MetricLearner(n_components, init=start, max_iter=30).fit(X, y)
    assert_allclose(ours.loss_, missed(X, y, ours.components_), rtol=1e-6, atol=1e-6)
    assert ours.loss_ <= missed(X, y, theirs.components_) + 1e-3 * len(y)

    def accuracy(model):
        knn = KNeighborsClassifier(3).fit(model.transform(X), y)
        return knn.score(model.transform(X_new), y_new)

    assert accuracy(ours) >= accuracy(theirs) - 1 / len(y_new)  # one row: a tie of neighbors


def test_one_step_is_scikit_learns(wine):
    X, y = wine
    start = 0.5 * np.eye(3, X.shape[1])
    theirs = NeighborhoodComponentsAnalysis(init=start, max_iter=1).fit(X, y)
    ours = lw.MetricLearner(init=start, max_iter=1).fit(X, y)
    assert_allclose(ours.components_, theirs.components_, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("init", ["auto", "pca", "lda", "identity", "random"])
def test_named_starts_are_scikit_learns(wine, init):
    X, y = wine
    starts = []
    for learner in (NeighborhoodComponentsAnalysis, lw.MetricLearner):
        model = learner(2, init=init, max_iter=1, random_state=0)
        starts.append(model.fit(X, y).components_)
    assert_allclose(*starts, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("n_components", [2, None])
def test_numbers_are_learned_as_well_as_by_scipy(n_components):
    X, y = load_diabetes(return_X_y=True)
    X = scale(X)
    X, X_new, y, y_new = train_test_split(X, y, test_size=0.4, random_state=0)
    start = 0.3 * np.eye(n_components or X.shape[1], X.shape[1])
    theirs, value = mlkr_oracle(X, y, start)
    ours = lw.MetricLearner(init=start).fit(X, y)
    assert_allclose(ours.loss_, squares(X, y, ours.components_), rtol=1e-6)
    assert ours.loss_ <= value * y.var() * 1.01
    assert not hasattr(ours, "classes_")

    def r2(metric):
        m = ours.mechanism_.replace(metric=metric, support="all", empty_row="nearest")
        return 1 - np.mean((m.operator(X_new, X) @ y - y_new) ** 2) / y_new.var()

    assert r2(ours.metric_) >= r2(metrics.Mahalanobis(theirs)) - 0.02
    auto = lw.MetricLearner(n_components).fit(X, y)
    assert auto.loss_ < squares(X, y, np.eye(*start.shape))
    assert auto.score(X, y) == pytest.approx(1 - auto.loss_ / (len(y) * y.var()), rel=1e-6)


@pytest.mark.parametrize(
    "params", [{}, {"diagonal": True}, {"n_components": 1}, {"loss": "nca", "temperature": 4.0}]
)
def test_held_out_accuracy_rises_where_features_are_noise(params):
    train, new, gains = slice(150), slice(150, None), []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 2, 300)
        X = np.c_[rng.normal(size=(300, 2)) + 1.5 * y[:, None], 3 * rng.normal(size=(300, 8))]
        learner = lw.MetricLearner(**params).fit(X[train], y[train])
        plain = lw.KNeighborsClassifier().fit(X[train], y[train])
        learned = lw.KNeighborsClassifier(metric=learner.metric_).fit(X[train], y[train])
        gains.append(learned.score(X[new], y[new]) - plain.score(X[new], y[new]))
        in_coordinates = lw.KNeighborsClassifier().fit(learner.transform(X[train]), y[train])
        assert_allclose(
            learned.predict_proba(X[new]), in_coordinates.predict_proba(learner.transform(X[new]))
        )
    assert np.mean(gains) > 0.05


# --- shapes of W, temperature, mini-batches


def test_low_rank_and_diagonal(wine):
    X, y = wine
    low = lw.MetricLearner(2).fit(X, y)
    assert low.components_.shape == (2, 13) and low.transform(X).shape == (len(X), 2)
    assert list(low.get_feature_names_out()) == ["metriclearner0", "metriclearner1"]
    assert_allclose(low.transform(X), X @ low.components_.T)
    diagonal = lw.MetricLearner(diagonal=True).fit(X, y)
    assert_allclose(diagonal.components_, np.diag(diagonal.components_.diagonal()))
    start = np.linspace(0.5, 1.5, 13)

    def loss(w):
        return missed(X, y, np.diag(w))

    slope = approx_fprime(start, loss, 1e-7)
    assert_allclose(
        _core.metric_loss(X, np.eye(3)[y], np.diag(start), "nca", 1.0)[1].diagonal(), slope, atol=1e-4
    )
    want = minimize(loss, start, method="L-BFGS-B", options={"maxiter": 20}).fun
    assert lw.MetricLearner(diagonal=True, init=start).fit(X, y).loss_ <= want + 0.05
    assert lw.MetricLearner(diagonal=True, init=np.diag(start)).fit(X, y).loss_ <= want + 0.05


def test_temperature_is_the_length_of_the_metric(wine):
    X, y = wine
    start = np.eye(4, 13)
    free = lw.MetricLearner(init=start).fit(X, y)
    learned = lw.MetricLearner(init=start, temperature="learn").fit(X, y)
    assert free.temperature_ == 1 and learned.temperature_ != 1
    assert_allclose(np.square(learned.components_).sum(), 4)
    assert_allclose(learned.components_ / np.sqrt(learned.temperature_), free.components_)
    given = lw.MetricLearner(init=2 * start, temperature=4.0).fit(X, y)  # the same start
    assert given.temperature_ == 4
    assert given.loss_ == pytest.approx(free.loss_, abs=0.5)
    for model in (free, learned, given):
        F = model.mechanism_.operator(X) @ np.eye(3)[y]
        assert (F * np.eye(3)[y]).sum() == pytest.approx(len(y) - model.loss_)
        assert model.score(X, y) == pytest.approx(1 - model.loss_ / len(y))


def test_batches_come_near_to_all_pairs():
    X, y = load_digits(return_X_y=True)
    X, y = X[:800] / 16, y[:800]
    all_pairs = lw.MetricLearner(5, init="pca", random_state=0).fit(X, y)
    batches = lw.MetricLearner(5, init="pca", batch_size=100, max_iter=15, random_state=0).fit(X, y)
    before = missed(X, y, lw.MetricLearner(5, init="pca", random_state=0, max_iter=1).fit(X, y).components_)
    assert batches.report_.solver == "adam" and all_pairs.report_.solver == "l-bfgs"
    assert batches.loss_ == pytest.approx(missed(X, y, batches.components_), rel=1e-6)
    assert batches.loss_ < all_pairs.loss_ + 0.2 * (before - all_pairs.loss_)
    again = lw.MetricLearner(5, init="pca", batch_size=100, max_iter=15, random_state=0).fit(X, y)
    assert np.array_equal(again.components_, batches.components_)
    whole = lw.MetricLearner(5, init="pca", batch_size=800, random_state=0).fit(X, y)
    assert np.array_equal(whole.components_, all_pairs.components_)


def test_several_targets_and_types_of_target():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(80, 4))
    Y = np.c_[np.sin(X[:, 0]), 100 * X[:, 1]]
    model = lw.MetricLearner(diagonal=True).fit(X, Y)
    assert_allclose(model.loss_, squares(X, Y, model.components_), rtol=1e-6)
    weight = np.abs(model.components_.diagonal())
    assert weight[1] > 5 * weight[2:].max()  # the larger target counts
    names = np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)]
    by_name = lw.MetricLearner(2).fit(X, names)
    assert list(by_name.classes_) == ["no", "yes"]
    by_code = lw.MetricLearner(2).fit(X, (names == "yes").astype(int))
    assert_allclose(by_name.components_, by_code.components_)
    counts = rng.poisson(np.exp(X[:, 0]))
    assert hasattr(lw.MetricLearner(2, max_iter=2).fit(X, counts), "classes_")
    assert not hasattr(lw.MetricLearner(2, max_iter=2, loss="mlkr").fit(X, counts), "classes_")


# --- edges


def test_one_class_and_one_number_have_nothing_to_learn():
    X = np.random.default_rng(3).normal(size=(20, 3))
    one = lw.MetricLearner(init="identity").fit(X, np.zeros(20, int))
    assert one.loss_ == pytest.approx(0, abs=1e-12) and one.report_.converged
    assert_allclose(one.components_, np.eye(3))
    same = lw.MetricLearner(init="identity").fit(X, np.full(20, 7.5))
    assert same.loss_ == pytest.approx(0, abs=1e-12)
    assert same.score(X, np.full(20, 7.5)) == 1


def test_points_that_are_few_or_constant():
    with pytest.raises(ValueError, match="1 sample"):
        lw.MetricLearner().fit([[1.0, 2.0]], [0])
    two = lw.MetricLearner().fit([[0.0, 1.0], [1.0, 0.0]], [0, 1])
    assert two.loss_ == 2  # each is told by the other alone
    X = np.random.default_rng(4).normal(size=(30, 3))
    y = (X[:, 0] > 0).astype(int)
    X[:, 2] = 5.0
    model = lw.MetricLearner().fit(X, y)
    assert np.isfinite(model.components_).all()
    assert_allclose(model.transform(X), X @ model.components_.T)
    for target in (y, X[:, 0]):
        flat = lw.MetricLearner().fit(np.ones((30, 3)), target)
        assert np.isfinite(flat.components_).all() and np.isfinite(flat.loss_)


def test_far_points_and_offsets_cost_no_digits():
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(60, 2)), rng.integers(0, 2, 60)
    start = np.eye(2)
    near = lw.MetricLearner(init=start, max_iter=3).fit(X, y)
    far = lw.MetricLearner(init=start, max_iter=3).fit(X + 1e6, y)
    assert_allclose(far.components_, near.components_, rtol=1e-5, atol=1e-5)
    value, slope, _ = _core.metric_loss(1e4 * X, np.eye(2)[y], start, "nca", 1.0)
    assert np.isfinite(value) and np.isfinite(slope).all()


@pytest.mark.parametrize(
    "params", [{}, {"diagonal": True}, {"init": "random", "random_state": 0}, {"batch_size": 50}]
)
@pytest.mark.parametrize("numbers", [False, True])
def test_the_unit_of_the_features_does_not_matter(wine, params, numbers):
    """Kind: a start or a stopping rule in absolute numbers, so that another unit ends where it begins."""
    X, y = wine
    y = X[:, 0] ** 2 + X[:, 3] if numbers else y
    shared = {"max_iter": 8, "random_state": 0, **params}
    plain = lw.MetricLearner(**shared).fit(X, y)
    for unit in (2.0**20, 2.0**-30):
        other = lw.MetricLearner(**shared).fit(unit * X, y)
        assert_allclose(other.components_ * unit, plain.components_, rtol=1e-12)
        assert other.n_iter_ == plain.n_iter_ and other.report_.losses == plain.report_.losses
    far = lw.MetricLearner(**shared).fit(1e6 * X, y)  # 10^6 is no power of 2: another start, as good a result
    assert far.n_iter_ > 1 and far.loss_ < 0.5 * missed_by_all(X, y, numbers)


def missed_by_all(X, y, numbers):
    """The loss of equal weights, which knows nothing of the features."""
    flat = np.zeros((1, X.shape[1]))
    return squares(X, y, flat) if numbers else missed(X, y, flat)


@pytest.mark.parametrize("factor", [1e-6, 1e3, 1e6])
@pytest.mark.parametrize("diagonal", [True, False])
def test_a_feature_in_another_unit_stops_no_search(diagonal, factor):
    """Kind: a stopping rule in a unit that one feature dictates, though W may not look at it at all."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    y = X[:, 0] + 0.5 * X[:, 1]
    start = np.array([1.0, 1.0, 0.0]) if diagonal else np.eye(2, 3)
    found = minimize(
        lambda w: squares(X[:, :2], y, np.diag(w)), [1.0, 1.0]
    )  # a feature of noise helps nobody
    learner = lw.MetricLearner(diagonal=diagonal, init=start).fit(X * [1, 1, factor], y)
    assert learner.report_.converged
    assert learner.loss_ <= 1.001 * found.fun
    W = learner.components_ * [1, 1, factor]
    assert_allclose(learner.loss_, squares(X, y, W, learner.temperature_), rtol=1e-6)


@pytest.mark.parametrize("length", [1e6, 1e-9])
def test_a_given_start_without_a_slope_is_told(wine, length):
    """Kind: an iteration that cannot begin says that it has converged."""
    X, y = wine
    with pytest.warns(ConvergenceWarning, match="No step was taken from init"):
        learner = lw.MetricLearner(init=length * np.eye(X.shape[1])).fit(X, y)
    assert not learner.report_.converged


@pytest.mark.parametrize("scaling", [1.0, 30.0])  # float32 products, and beyond their reach
def test_float32_stays_and_agrees(wine, scaling):
    X, y = wine
    X32 = np.ascontiguousarray(X, dtype=np.float32)
    Y = np.eye(3)[y]
    W = scaling * np.eye(3, 13)
    single = _core.metric_loss(X32, Y.astype(np.float32), W, "nca", 1.0)
    double = _core.metric_loss(X32.astype(float), Y, W, "nca", 1.0)
    assert_allclose(single[0], double[0], rtol=1e-5)
    assert_allclose(single[1], double[1], rtol=1e-3, atol=1e-4 * np.abs(double[1]).max())
    model = lw.MetricLearner(2, init="pca").fit(X32, y)
    assert model.transform(X32).dtype == model.components_.dtype == np.float32
    assert abs(model.loss_ - lw.MetricLearner(2, init="pca").fit(X32.astype(float), y).loss_) < 0.5


def test_threads_change_nothing():
    X, y = load_digits(return_X_y=True)
    X = X[:1200] / 4
    Y = np.eye(10)[y[:1200]]
    W = np.eye(20, 64)
    found = []
    for n_jobs in (1, 2, 3):
        with lw.execution(n_jobs=n_jobs):
            found.append(_core.metric_loss(X, Y, W, "nca", 1.0))
    assert all(f[0] == found[0][0] and np.array_equal(f[1], found[0][1]) for f in found)


def test_an_interrupted_fit_keeps_the_best(wine):
    X, y = wine
    start = np.eye(2, 13)
    for params in ({}, {"batch_size": 40, "random_state": 0}):

        def stop(W, n_iter):
            assert W.shape == (2, 13)
            if n_iter == 4:
                raise KeyboardInterrupt

        learner = lw.MetricLearner(init=start, callback=stop, **params)
        with pytest.raises(KeyboardInterrupt):
            learner.fit(X, y)
        assert learner.n_iter_ == 4 and not learner.report_.converged
        assert learner.loss_ == pytest.approx(missed(X, y, learner.components_), rel=1e-6)
        assert learner.loss_ < missed(X, y, start)


def test_reports_callback_and_verbose(wine, capsys):
    X, y = wine
    seen = []
    with pytest.warns(ConvergenceWarning, match=r"max_iter=3 was reached without convergence"):
        model = lw.MetricLearner(2, max_iter=3, callback=lambda W, n: seen.append((n, W)), verbose=1).fit(
            X, y
        )
    assert [n for n, _ in seen] == [1, 2, 3] and model.n_iter_ == model.report_.n_iter == 3
    assert_allclose(seen[-1][1], model.components_)
    assert model.report_.losses == sorted(model.report_.losses, reverse=True)
    assert model.report_.losses[-1] == pytest.approx(model.loss_)
    assert capsys.readouterr().out.count("[MetricLearner] step") == 3

    def enough(W, n):
        if n == 2:
            raise StopIteration

    assert lw.MetricLearner(2, callback=enough).fit(X, y).n_iter_ == 2
    assert lw.MetricLearner(2, callback=enough, batch_size=50, random_state=0).fit(X, y).n_iter_ == 2


def test_slots_and_pickles(wine):
    X, y = wine
    model = lw.MetricLearner(2, max_iter=5).fit(X, y)
    assert model.mechanism.support == supports.LeaveOneOut()
    assert model.mechanism_.metric == model.metric_ == metrics.Mahalanobis(model.components_)
    again = pickle.loads(pickle.dumps(model))
    assert_allclose(again.transform(X), model.transform(X))
    onward = lw.MetricLearner.from_mechanism(model.mechanism_, max_iter=5)
    assert onward.mechanism == model.mechanism_ and clone(onward).mechanism == model.mechanism_
    assert onward.fit(X, y).loss_ < model.loss_
    with pytest.raises(ValueError, match="support must be LeaveOneOut"):
        lw.MetricLearner.from_mechanism(model.mechanism_.replace(support="all"))
    search = GridSearchCV(lw.MetricLearner(max_iter=3), {"n_components": [1, 2]}, cv=3).fit(X, y)
    assert search.best_params_ == {"n_components": 2}


@pytest.mark.parametrize(
    "params, error, message",
    [
        ({"n_components": 0}, ValueError, "n_components must be an int in"),
        ({"n_components": 14}, ValueError, "n_components must be an int in"),
        ({"n_components": 2.0}, TypeError, "n_components must be an int"),
        ({"n_components": 2, "diagonal": True}, ValueError, "n_components must be None"),
        ({"diagonal": 1}, TypeError, "diagonal must be a bool"),
        ({"init": "best"}, ValueError, "init must be one of"),
        ({"init": np.eye(3)}, ValueError, r"init must be an array of shape .*got shape \(3, 3\)"),
        ({"init": np.eye(3, 13), "n_components": 2}, ValueError, "init must be an array of shape"),
        ({"init": np.ones(13)}, ValueError, "init must be an array of shape"),
        ({"init": np.full((2, 13), np.nan)}, ValueError, "init must be finite"),
        ({"init": "pca", "diagonal": True}, ValueError, "init must be"),
        ({"loss": "hinge"}, ValueError, "loss must be"),
        ({"max_iter": 0}, ValueError, "max_iter must be"),
        ({"max_iter": 1.5}, TypeError, "max_iter must be"),
        ({"tol": -1}, ValueError, "tol must be"),
        ({"batch_size": 0}, ValueError, "batch_size must be"),
        ({"temperature": 0.0}, ValueError, "temperature must be"),
        ({"temperature": "hot"}, ValueError, "temperature must be"),
        ({"callback": 3}, TypeError, "callback must be"),
    ],
)
def test_errors_name_the_argument(wine, params, error, message):
    X, y = wine
    with pytest.raises(error, match=message):
        lw.MetricLearner(**params).fit(X, y)


def test_bad_points_and_targets(wine):
    X, y = wine
    model = lw.MetricLearner(2, max_iter=2).fit(X, y)
    bad = X.copy()
    bad[3, 1] = np.nan
    for call in (lambda Z: model.transform(Z), lambda Z: clone(model).fit(Z, y), lambda Z: model.score(Z, y)):
        with pytest.raises(ValueError, match="X contains NaN"):
            call(bad)
    with pytest.raises(ValueError, match="expecting 13 features"):
        model.transform(X[:, :5])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        clone(model).fit(X, y[:-1])
    with pytest.raises(ValueError, match="y must have"):
        model.score(X, y[:-1])
    with pytest.raises(ValueError, match="requires y to be passed"):
        clone(model).fit(X, None)
    with pytest.raises(ValueError, match="Unknown label type"):
        lw.MetricLearner(loss="nca").fit(X, y + 0.5)
    with pytest.raises(ValueError, match="y must be numeric"):
        lw.MetricLearner(loss="mlkr").fit(X, np.where(y == 0, "a", "b"))
    with pytest.raises(ValueError, match=r"init must be another than 'lda'.*loss='mlkr'"):
        lw.MetricLearner(2, init="lda").fit(X, y.astype(float))
    with pytest.raises(NotFittedError):
        lw.MetricLearner().transform(X)


def as_columns_of(labels):
    """One column of these labels in the forms that tables and files give."""
    yield labels[:, None]
    yield labels.astype(object)[:, None]
    yield [[label] for label in labels.tolist()]
    pd = pytest.importorskip("pandas")
    yield pd.DataFrame({"y": labels})
    if labels.dtype.kind in "bi":
        yield pd.DataFrame({"y": pd.Series(labels, dtype="boolean" if labels.dtype == bool else "Int64")})


@pytest.mark.parametrize("kind", ["integers", "text", "booleans"])
def test_one_column_of_labels_is_its_ravelled_form(wine, kind):
    """A y of shape (n, 1) that holds classes was learned as numbers: for every kind of label and container it
    is y.ravel() with scikit-learn's warning, the same W and the loss of scikit-learn's NCA objective."""
    X, y = wine
    labels = {"integers": y, "text": np.array(list("abc"))[y], "booleans": y == 0}[kind]
    plain = lw.MetricLearner(max_iter=3).fit(X, labels)
    for column in as_columns_of(labels):
        with pytest.warns(DataConversionWarning, match="column-vector"):
            NeighborhoodComponentsAnalysis(max_iter=1).fit(X, labels[:, None])  # scikit-learn's way
        with pytest.warns(DataConversionWarning, match="column-vector"):
            model = lw.MetricLearner(max_iter=3).fit(X, column)
        assert model.classes_.tolist() == np.unique(labels).tolist()
        assert type(model.classes_.tolist()[0]) is type(labels.tolist()[0])
        assert_allclose(model.components_, plain.components_)
        assert model.loss_ == pytest.approx(missed(X, labels, model.components_), rel=1e-6)
        assert model.score(X, column) == pytest.approx(1 - model.loss_ / len(y))


def test_one_column_of_numbers_is_its_ravelled_form():
    """Floats are numbers in whatever shape and container they come, Decimals and fractions too: no warning,
    and the squared error written out."""
    X, y = load_diabetes(return_X_y=True)
    X, y = scale(X[:60, :3]), y[:60] + 0.5
    plain = lw.MetricLearner(max_iter=3).fit(X, y)
    objects = np.array([Decimal(v) for v in y.tolist()]), np.array([Fraction(v) for v in y.tolist()])
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataConversionWarning)
        for given in (y[:, None], y.astype(object), y.astype(object)[:, None], *objects):
            model = lw.MetricLearner(max_iter=3).fit(X, given)
            assert not hasattr(model, "classes_")
            assert_allclose(model.components_, plain.components_)
            assert model.loss_ == pytest.approx(squares(X, y, model.components_), rel=1e-6)


def test_several_columns_are_no_classes():
    """loss="nca" learns one class a row: several columns are refused by name, in fit and in score."""
    X = np.random.default_rng(0).normal(size=(12, 2))
    several = np.c_[X[:, 0] > 0, X[:, 1] > 0]
    with pytest.raises(ValueError, match=r"y must be a class for each row.*\(12, 2\)"):
        lw.MetricLearner(loss="nca", max_iter=1).fit(X, several)
    model = lw.MetricLearner(max_iter=1).fit(X, several[:, 0])
    with pytest.raises(ValueError, match=r"y must be a class for each row.*\(12, 2\)"):
        model.score(X, several)


def repeated_in_classes():
    """Rows that repeat within each class: no spread within classes is left."""
    corners = np.array([[0.0, 0.0, 1.0], [4.0, 1.0, 0.0], [0.0, 3.0, 2.0]])
    return np.repeat(corners, 8, axis=0), np.repeat([0, 1, 2], 8)


def means_that_agree():
    """Classes of one mean: a discriminant finds no direction."""
    half = np.round(4 * rows(1, 12, 3))
    return np.vstack([half, -half, 2 * half, -2 * half]), np.repeat([0, 1], 24)


def rows(seed, n, d):
    return np.random.default_rng(seed).normal(size=(n, d))


@pytest.mark.parametrize("data", [repeated_in_classes, means_that_agree])
@pytest.mark.parametrize("n_components", [1, 2])
def test_no_direction_between_classes_is_no_map_of_zeros(data, n_components):
    """Kind: a start taken from another method that has no answer here: a raw IndexError, or a map of zeros
    that learns nothing under advice to use the init that was given."""
    X, y = data()
    if n_components < len(set(y)):
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            auto = lw.MetricLearner(n_components, max_iter=2).fit(X, y)
        assert np.linalg.matrix_rank(auto.components_) == n_components
    with pytest.raises(ValueError, match=rf"init must be another than 'lda', .* n_components={n_components}"):
        lw.MetricLearner(n_components, init="lda").fit(X, y)


def test_more_components_than_class_differences_are_refused_for_lda():
    """Kind: rows of a map that stay at 0 in silence."""
    X, y = np.vstack([rows(0, 20, 4), rows(1, 20, 4) + 2]), np.repeat([0, 1], 20)
    with pytest.raises(ValueError, match=r"finds 1 directions? .* n_components=2"):
        lw.MetricLearner(2, init="lda").fit(X, y)
    assert np.linalg.matrix_rank(lw.MetricLearner(2, max_iter=2).fit(X, y).components_) == 2


# --- through a map -----------------------------------------------------------------------------------------


def rings(n=200, noise_features=2, seed=0):
    """Two rings: no linear map to one number tells them apart, their radius does."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    angle = rng.uniform(0, 2 * np.pi, n)
    X = np.c_[np.cos(angle), np.sin(angle)] * (1 + y)[:, None] + 0.1 * rng.normal(size=(n, 2))
    return np.c_[X, rng.normal(size=(n, noise_features))], y


def test_a_network_tells_more_in_few_dimensions_than_a_linear_map():
    """Deep NCA of digits in two dimensions: half the loss. New rows are told about as well as before."""
    X, y = load_digits(return_X_y=True)
    X = scale(X)
    linear = lw.MetricLearner(2, random_state=0).fit(X[:500], y[:500])
    deep = lw.MetricLearner(2, map="residual_mlp", random_state=0).fit(X[:500], y[:500])
    assert deep.loss_ < 0.7 * linear.loss_
    scores = [
        lw.KNeighborsClassifier(metric=m.metric_).fit(X[:500], y[:500]).score(X[500:], y[500:])
        for m in (linear, deep)
    ]
    assert scores[1] > scores[0] - 0.05 > 0.5
    assert deep.transform(X).shape == (len(X), 2)


@pytest.mark.parametrize(
    "params", [{}, {"batch_size": 50}, {"temperature": "learn"}, {"loss": "mlkr"}], ids=str
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_map_that_is_learned_is_the_metric_of_its_score(params, dtype):
    """loss_ and score are those of plain NumPy on the mapped points; the start is no better."""
    X, y = rings(120)
    X = X.astype(dtype) * 100 + 30  # another unit, and not centered
    learner = lw.MetricLearner(map="residual_mlp", random_state=0, max_iter=15, **params).fit(X, y)
    U = learner.map_(X.astype(np.float64))
    assert_allclose(learner.transform(X), U, rtol=1e-4, atol=1e-4 * np.abs(U).max())
    P = np.exp(-cdist(U, U, "sqeuclidean") / learner.temperature_)
    np.fill_diagonal(P, 0)
    F = P / P.sum(axis=1, keepdims=True) @ np.eye(2)[y]
    if params.get("loss") == "mlkr":
        wanted = ((F[:, 1] - y) ** 2).sum()
    else:
        wanted = (1 - F[np.arange(120), y]).sum()
        assert learner.score(X, y) == pytest.approx(1 - wanted / 120, abs=1e-3)
    assert learner.loss_ == pytest.approx(wanted, rel=2e-2 if dtype == np.float32 else 1e-6, abs=1e-3)
    assert learner.metric_ == metrics.Mapped(learner.map_)
    assert learner.mechanism_.metric == learner.metric_
    if params.get("temperature") == "learn":
        assert U.var(axis=0).mean() == pytest.approx(1, rel=1e-3)
    assert learner.loss_ < learner.report_.losses[0] or params.get("batch_size")


def test_the_search_starts_at_a_given_map():
    """On X as it is; a Linear map's is the search from that W, up to the unit of its steps."""
    X, y = rings(100)
    first = lw.MetricLearner(map="residual_mlp", random_state=0, max_iter=3).fit(X, y)
    more = lw.MetricLearner(map=first.map_, max_iter=20).fit(X, y)
    assert more.report_.losses[0] < first.loss_ + 1e-9 and more.loss_ < first.loss_
    assert type(more.map_) is type(first.map_) and more.map_.W1.shape == first.map_.W1.shape
    W = np.eye(2, 4)
    for bare in (lw.maps.Linear(W), lw.maps.ResidualMLP(np.ones((3, 4)) / 9, None, np.zeros((4, 3)), None)):
        learned = lw.MetricLearner(map=bare, temperature="learn", max_iter=5).fit(X, y)
        assert learned.map_(X).var(axis=0).mean() == pytest.approx(1)
    linear = lw.MetricLearner(2, init=W, max_iter=200).fit(X, y)
    mapped = lw.MetricLearner(map=lw.maps.Linear(W), max_iter=200).fit(X, y)
    assert mapped.loss_ == pytest.approx(linear.loss_, rel=1e-3)
    assert not hasattr(mapped, "components_") and linear.map_ == lw.maps.Linear(linear.components_)
    again = lw.MetricLearner(random_state=0).fit(X, y)
    assert again.set_params(map="residual_mlp", max_iter=2).fit(X, y) is again
    assert not hasattr(again, "components_")


def test_a_mechanism_of_a_map_makes_the_learner():
    open_map = lw.MetricLearner(map="residual_mlp").mechanism
    assert open_map.metric == metrics.Mapped(lw.maps.ResidualMLP())
    assert lw.MetricLearner.from_mechanism(open_map).map == "residual_mlp"
    given = lw.maps.Linear(np.eye(2, 4))
    learner = lw.MetricLearner(map=given)
    assert lw.MetricLearner.from_mechanism(learner.mechanism).map == given
    assert clone(learner).map == given and pickle.loads(pickle.dumps(learner)).map == given


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"map": "mlp"}, "map must be 'linear', 'residual_mlp' or a value of likewise.maps; got 'mlp'"),
        ({"map": 3}, "map must be a str or a value of likewise.maps; got 3"),
        ({"map": lw.maps.Custom(np.tanh)}, "map must have parameters that can be learned"),
        ({"map": lw.maps.ResidualMLP()}, "map must have numbers to start from"),
        ({"map": lw.maps.Linear(np.eye(3))}, "3"),
        ({"map_width": 3}, "map_width must be None but with map='residual_mlp'; got 3"),
        ({"map": "residual_mlp", "map_width": 0}, "map_width must be an int >= 1; got 0"),
        ({"map": "residual_mlp", "diagonal": True}, "diagonal must be False with map='residual_mlp'"),
    ],
)
def test_maps_that_do_not_fit_are_named(params, said):
    X, y = rings(30)
    with pytest.raises((ValueError, TypeError), match=said):
        lw.MetricLearner(**params).fit(X, y)


def test_who_answers_with_a_map_keeps_the_best_when_interrupted():
    X, y = rings(60)

    def stop(found, n_iter):
        assert isinstance(found, lw.maps.ResidualMLP)
        if n_iter == 3:
            raise KeyboardInterrupt

    learner = lw.MetricLearner(map="residual_mlp", callback=stop, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        learner.fit(X, y)
    assert learner.n_iter_ == 3 and np.isfinite(learner.transform(X)).all()
