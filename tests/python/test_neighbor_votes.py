"""Means and votes of neighbors where rounding, ties, empty rows, parameters and many classes decide.

Oracles are counts of integers, fractions, scikit-learn and plain NumPy.
"""

import pickle
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from sklearn import neighbors
from sklearn.datasets import load_iris
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import cross_val_score

import likewise as lw
from likewise import kernels, supports

pytestmark = pytest.mark.filterwarnings("ignore:One or more samples have no neighbors")


def blobs(seed=0):
    random = np.random.default_rng(seed)
    X = np.r_[np.zeros((40, 1)), np.ones((40, 1))] + 1e-3 * random.normal(size=(80, 1))
    return X, np.repeat([0, 1], 40)


# --- shares


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weights", ["uniform", "distance", kernels.Gaussian(0.3), lambda d: np.exp(-d)])
def test_no_share_is_above_1(weights, dtype):
    """Kind: shares that are multiplied by a rounded 1/mass add up to more than 1, and metrics refuse them."""
    X, y = load_iris(return_X_y=True)
    X, grid = X.astype(dtype), [X for X, _ in (blobs(), blobs(1))]
    ways = weights if not callable(weights) else (lambda d: [np.exp(-row) for row in d])
    models = [lw.KNeighborsClassifier(k, weights=weights) for k in range(1, 43)]
    models += [lw.RadiusNeighborsClassifier(r, weights=ways, outlier_label=0) for r in (0.5, 1.0, 2.0, 9.0)]
    models += [lw.KernelClassifier(bandwidth=0.3), lw.KernelClassifier(kernel="indicator", bandwidth=1.0)]
    models += [lw.KernelClassifier(bandwidth=0.3, support=supports.Neighbors(29)), lw.LabelPropagation()]
    for model in models:
        shares = model.fit(X[::2], y[::2]).predict_proba(X[1::2])
        assert shares.min() >= 0 and shares.max() <= 1
        assert_allclose(shares.sum(axis=1), 1, rtol=4 * np.finfo(shares.dtype).eps)
        log_loss(y[1::2], shares)
        roc_auc_score(y[1::2], shares, multi_class="ovr")
    for k in (11, 14, 15, 28, 29):
        model = lw.KNeighborsClassifier(k).fit(grid[0], blobs()[1])
        assert model.predict_proba(grid[1]).max() <= 1


def test_cross_validated_log_loss_is_a_number():
    """Kind: shares that are multiplied by a rounded 1/mass, seen through scikit-learn's cross-validation."""
    X, y = blobs()
    ours, theirs = (m.KNeighborsClassifier(29) for m in (lw, neighbors))
    got, want = (cross_val_score(e, X, y, scoring="neg_log_loss", cv=4) for e in (ours, theirs))
    assert np.isfinite(got).all()
    assert_array_equal(got, want)


@pytest.mark.parametrize(
    "family", ["KNeighbors", "RadiusNeighbors", "Kernel", "Kernel on Neighbors", "operator"]
)
def test_equal_weights_count(family):
    """Kind: sums of rounded 1/k instead of counts divided once: ties fall at random, constants are lost."""
    random = np.random.default_rng(0)
    X = np.zeros((60, 1))
    for k in range(1, 61):
        y = random.permutation(np.arange(k) % 2)  # as many of each, or one more of the lower class
        points, query = X[:k], X[:1]
        makers = {
            "KNeighbors": lambda kind, k=k: getattr(lw, f"KNeighbors{kind}")(k),
            "RadiusNeighbors": lambda kind: getattr(lw, f"RadiusNeighbors{kind}")(1.0),
            "Kernel": lambda kind: getattr(lw, f"Kernel{kind}")(kernel="indicator", bandwidth=1.0),
            "Kernel on Neighbors": lambda kind, k=k: getattr(lw, f"Kernel{kind}")(
                kernel="indicator", bandwidth=None, support=supports.Neighbors(k)
            ),
        }
        if family == "operator":
            m = lw.Mechanism(kernel="indicator", support=supports.Neighbors(k))
            shares, mean = (m.operator(query, points) @ v for v in (np.eye(2)[y], np.full(k, 5.0)))
        else:
            if k > 1:
                model = makers[family]("Classifier").fit(points, y)
                assert model.predict(query)[0] == np.bincount(y, minlength=2).argmax() == 0
                shares = model.predict_proba(query)
            mean = makers[family]("Regressor").fit(points, np.full(k, 5.0)).predict(query)
        assert mean[0] == 5
        if k > 1:
            assert_array_equal(shares[0], np.bincount(y, minlength=2) / k)


def test_left_out_points_count_too():
    """Kind: sums of rounded 1/k, in predictions of the training points without themselves."""
    X = np.zeros((30, 1))
    assert_array_equal(lw.KNeighborsRegressor(27).fit(X, np.full(30, 5.0)).predict(None), 5)
    assert_array_equal(lw.RadiusNeighborsRegressor(1.0).fit(X, np.full(30, 5.0)).predict(None), 5)
    y = np.arange(30) % 2
    shares = lw.KNeighborsClassifier(29).fit(X, y).predict_proba(None)
    assert_array_equal(shares[0], [14 / 29, 15 / 29])


# --- targets


@pytest.mark.parametrize(
    "make",
    [
        lambda: lw.KNeighborsRegressor(1),
        lambda: lw.KNeighborsRegressor(1, weights=lambda d: np.ones_like(d)),
        lambda: lw.RadiusNeighborsRegressor(0.1),
        lambda: lw.RadiusNeighborsRegressor(0.1, weights="distance"),
        lambda: lw.KernelRegressor(bandwidth=1e-3),
        lambda: lw.KernelRegressor(bandwidth=1e-3, degree=1),
        lambda: lw.KernelRegressor(kernel="epanechnikov", bandwidth=0.5, support=supports.Radius(0.2)),
    ],
)
@pytest.mark.filterwarnings("ignore:.*fewer effective points")
def test_targets_are_not_rounded_to_the_points_dtype(make):
    """Kind: float64 or integer targets cast to the dtype of float32 points."""
    X = np.arange(2, dtype=np.float32)[:, None]
    y = np.array([1700000001, 16777217])
    got = make().fit(X, y).predict(X)
    assert got.dtype == np.float64
    assert_array_equal(got, y)
    assert_array_equal(make().fit(X, [1e39, -1e-60]).predict(X), [1e39, -1e-60])
    assert make().fit(X, y.astype(np.float32)).predict(X).dtype == np.float32


# --- rows without weight


@pytest.mark.parametrize("far", [30.0, 1e6])
def test_functions_that_underflow_leave_the_nearest(far):
    """Kind: weights of a function that are all 0 gave 0 and the first class."""
    X, y = np.array([[0.0], [1.0], [2.0]]), np.array([3.0, 4.0, 5.0])

    def gaussian(distances):
        if distances.dtype == object:
            return [np.exp(-(row**2)) for row in distances]
        return np.exp(-(distances**2))

    for query, nearest in ((-far, 0), (2 + far, 2)):
        for family, first in (("KNeighbors", 3), ("RadiusNeighbors", 2 * far)):
            regressor = getattr(lw, family + "Regressor")(first, weights=gaussian).fit(X, y)
            assert regressor.predict([[query]])[0] == y[nearest]
            classifier = getattr(lw, family + "Classifier")(first, weights=gaussian).fit(X, [0, 1, 2])
            assert classifier.predict([[query]])[0] == nearest
            assert_array_equal(classifier.predict_proba([[query]])[0], np.eye(3)[nearest])


def test_functions_of_tiny_weights_keep_their_ratios():
    """Kind: denormal weights of a function lose their digits before they are divided."""
    model = lw.KNeighborsRegressor(2, weights=lambda d: np.array([[3e-320, 1e-320]])).fit(
        [[0.0], [1.0]], [0, 4]
    )
    assert model.predict([[-9.0]])[0] == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (lambda d: 0 / d, "weights must be a function that gives finite weights"),
        (lambda d: -d, "weights must be a function that gives finite weights"),
        (lambda d: d[:, :1], "weights must be a function that gives as many weights"),
    ],
)
@pytest.mark.filterwarnings("ignore:(invalid|divide)")
def test_weights_of_functions_are_refused_by_name(weights, message):
    """Kind: what a weights function did wrong was told of another argument."""
    model = lw.KNeighborsRegressor(2, weights=weights).fit([[0.0], [1.0]], [0, 4])
    with pytest.raises(ValueError, match=message):
        model.predict([[0.0]])


@pytest.mark.parametrize("storage", ["auto", "dense"])
def test_a_radius_without_keys_takes_the_nearest(storage):
    """Kind: empty_row="nearest" knew only keys that are edges, and a radius gives an empty row none."""
    Z, y = np.array([[0.0], [1.0], [5.0]]), np.array([3.0, 4.0, 5.0])
    X = np.array([[-20.0], [0.5], [3.1], [99.0], [2.9]])
    want = np.array([3, 3.5, 5, 5, 4])
    m = lw.Mechanism(
        kernel="indicator", metric="euclidean", support=supports.Radius(1.0), empty_row="nearest"
    )
    P = m.operator(X, Z, storage=storage)
    assert_array_equal(P @ y, want)
    assert_array_equal(P.toarray() @ y, want)
    assert_array_equal(P.tocsr() @ y, want)
    assert_array_equal(P.T @ np.ones(5), P.toarray().sum(axis=0))
    assert_array_equal(np.isneginf(P.log_row_sums), [True, False, True, True, True])
    regressor = lw.KernelRegressor(kernel="indicator", bandwidth=None, support=supports.Radius(1.0))
    assert_array_equal(regressor.fit(Z, y).predict(X), want)
    mean, std = regressor.predict(X, return_std=True)
    assert_array_equal(mean, want)
    assert_allclose(std, [0, 0.5, 0, 0, 0])
    classifier = lw.KernelClassifier(kernel="indicator", bandwidth=None, support=supports.Radius(1.0))
    assert_array_equal(classifier.fit(Z, [0, 1, 1]).predict_proba(X)[[0, 2, 3]], [[1, 0], [0, 1], [0, 1]])


def test_label_spreading_on_a_radius_answers_far_points():
    """Kind: empty_row="nearest" under Radius, in label spreading's predictions."""
    m = lw.Mechanism(
        metric="euclidean", kernel="indicator", support=supports.Radius(1.5), normalization="symmetric"
    )
    X, y = np.array([[0.0], [1.0], [5.0], [6.0]]), [0, -1, -1, 1]
    model = lw.LabelSpreading(kernel=m).fit(X, y)
    assert_allclose(model.predict_proba([[-50.0], [60.0]]), [[1, 0], [0, 1]])


def test_a_masked_radius_takes_the_nearest_admitted():
    """Kind: the nearest key of an empty row must be one that the filters admit."""
    Z, y = np.array([[0.0], [1.0], [5.0]]), np.array([3.0, 4.0, 5.0])
    mask = np.array([[False, True, True], [True, True, False]])
    support = supports.Mask(mask) & supports.Radius(0.5)
    m = lw.Mechanism(kernel="indicator", metric="euclidean", support=support, empty_row="nearest")
    assert_array_equal(m.operator([[-3.0], [9.0]], Z) @ y, [4, 4])


@pytest.mark.parametrize("kernel", ["epanechnikov", "tricube"])
def test_a_key_of_weight_0_is_nobodys_nearest(kernel):
    """Kind: an empty row took the value of its nearest key even where that key's weight is 0."""
    model = lw.KernelRegressor(kernel=kernel, bandwidth=0.1)
    model.fit([[0.0], [1.0], [2.0]], [5.0, 7.0, 9.0], sample_weight=[0.0, 1.0, 1.0])
    assert_array_equal(model.predict([[-3.0], [0.0], [9.0]]), [7, 7, 9])


def test_a_row_of_weight_0_is_no_neighbor():
    """Kind: a row of weight 0 took the place of one of k neighbors."""
    X, y, w = np.array([[0.0], [0.1], [1.0], [2.0]]), np.array([5.0, 6.0, 7.0, 9.0]), np.array([1.0, 0, 0, 1])
    for kernel, bandwidth in (("indicator", None), ("gaussian", 1.0)):
        model = lw.KernelRegressor(kernel=kernel, bandwidth=bandwidth, support=supports.Neighbors(2))
        got = model.fit(X, y, sample_weight=w).predict(X)
        assert_allclose(got, model.fit(X[w > 0], y[w > 0]).predict(X), rtol=1e-14)


# --- parameters after fit


def test_parameters_are_read_when_used_as_in_scikit_learn():
    """Kind: kneighbors used the new n_neighbors, predict the fitted one."""
    random = np.random.default_rng(0)  # no two distances are equal, so that neighbors are the same
    X = random.normal(size=(150, 4))
    y = (X[:, 0] > 0) + (X[:, 1] > 0).astype(float)  # scikit-learn makes no NaN of integers
    for change in ({"n_neighbors": 1}, {"weights": "distance"}, {"weights": lambda d: 1 / (1 + d)}):
        got, want = [], []
        for module, into in ((lw, got), (neighbors, want)):
            for kind in ("Classifier", "Regressor"):
                model = getattr(module, "KNeighbors" + kind)(9).fit(X[::2], y[::2]).set_params(**change)
                into += [model.predict(X[1::2]), model.kneighbors(X[1::2])[0].shape]
        for ours, theirs in zip(got, want):
            assert_allclose(ours, theirs, rtol=1e-12)
    for kind, extra in (("Classifier", {"outlier_label": 0}), ("Regressor", {})):
        ours, theirs = (
            getattr(m, "RadiusNeighbors" + kind)(2.0, **extra).fit(X[::2], y[::2]).set_params(radius=1.0)
            for m in (lw, neighbors)
        )
        assert_allclose(ours.predict(X[1::2]), theirs.predict(X[1::2]), rtol=1e-12)
    model = (
        lw.KNeighborsRegressor(9).fit(X, y).set_params(metric="chebyshev", algorithm="none", n_neighbors=1)
    )
    assert_allclose(model.predict(X + 0.01), neighbors.KNeighborsRegressor(1).fit(X, y).predict(X + 0.01))
    with pytest.raises(ValueError, match=r"n_neighbors must be an int in \[1, 150\]"):
        model.set_params(n_neighbors=151).predict(X)


def test_points_are_held_once():
    """Kind: predict and kneighbors read different copies of the points, and a pickle held both."""
    X = np.random.default_rng(0).normal(size=(2000, 50))
    for model in (lw.KNeighborsClassifier(3), lw.KNeighborsRegressor(3), lw.RadiusNeighborsRegressor(9.0)):
        fitted = model.fit(X, np.arange(2000) % 3)
        assert len(pickle.dumps(fitted)) < 1.2 * X.nbytes
        again = pickle.loads(pickle.dumps(fitted))
        assert_array_equal(again.predict(X[:9]), fitted.predict(X[:9]))


# --- labels


def test_an_outlier_label_is_not_cut_off():
    """Kind: a label longer or larger than the training labels' dtype holds was cut off or overflowed."""
    X, y = [[0.0], [1.0]], np.array(["a", "b"])
    model = lw.RadiusNeighborsClassifier(0.5, outlier_label="outlier").fit(X, y)
    assert list(model.predict([[0.0], [9.0]])) == ["a", "outlier"]
    many = lw.RadiusNeighborsClassifier(0.5, outlier_label=["outlier", "none of them"])
    assert many.fit(X, np.c_[y, y]).predict([[9.0], [1.0]]).tolist() == [
        ["outlier", "none of them"],
        ["b", "b"],
    ]
    small = lw.RadiusNeighborsClassifier(0.5, outlier_label=300).fit(X, np.array([1, 2], dtype=np.int8))
    assert list(small.predict([[0.0], [9.0]])) == [1, 300]
    with pytest.raises(TypeError, match="outlier_label"):
        lw.RadiusNeighborsClassifier(0.5, outlier_label=0.5).fit(X, [1, 2])


@pytest.mark.parametrize("dtype", [*"BHILQbhilq", *"fd"])
@pytest.mark.parametrize("label", [0, 2, np.uint64(3), np.int8(3), [0]])
def test_a_plain_number_is_an_outlier_label_of_every_type_of_number(dtype, label):
    """Kind: numbers judged by their type, so that 0, a signed one, could not stand beside unsigned ones."""
    y = np.array([1, 2], dtype=dtype)
    told = (
        lw.RadiusNeighborsClassifier(0.5, outlier_label=label).fit([[0.0], [1.0]], y).predict([[1.0], [9.0]])
    )
    assert told.dtype == dtype
    assert told.tolist() == [2, np.ravel(label)[0]]


def test_no_whole_type_holds_the_largest_numbers_and_a_negative_one():
    """Kind: labels that become floats, in which the largest ones are others."""
    with pytest.raises(TypeError, match="outlier_label must be of the labels' type uint64; got -1"):
        lw.RadiusNeighborsClassifier(0.5, outlier_label=-1).fit([[0.0], [1.0]], np.array([1, 2**64 - 1], "Q"))
    small = lw.RadiusNeighborsClassifier(0.5, outlier_label=-1).fit([[0.0], [1.0]], np.array([1, 255], "B"))
    assert small.predict([[1.0], [9.0]]).tolist() == [255, -1]


MANY_CLASSES = """
import sys, time
import numpy as np
sys.path[:0] = {path!r}
import likewise, sklearn.neighbors
module = {{"ours": likewise, "theirs": sklearn.neighbors}}[{whose!r}]
random = np.random.default_rng(0)
X, y = random.normal(size=(20000, 2)), np.arange(20000)
peak = lambda: int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024
before = peak()
start = time.perf_counter()
got = module.{name}
got.fit(X, y)
assert (got.predict(X[:2000]) == y[:2000]).all()
print(time.perf_counter() - start, peak() - before)
"""


@pytest.mark.parametrize("name", ["KNeighborsClassifier(1)", "RadiusNeighborsClassifier(1e-9)"])
def test_20_000_classes_take_little(name):
    """Kind: a one-hot table of points by classes where each row votes for a few."""
    cost = {}
    for whose in ("ours", "theirs"):
        script = MANY_CLASSES.format(path=sys.path, whose=whose, name=name)
        out = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True
        )
        cost[whose] = [float(number) for number in out.stdout.split()]
    assert cost["ours"][0] < 10 * cost["theirs"][0] + 1
    assert cost["ours"][1] < 10 * cost["theirs"][1] + 60


# --- rational arithmetic on grids of integers


@settings(max_examples=300, deadline=None)
@given(data=st.data(), d=st.integers(1, 3), n=st.integers(1, 12))
def test_integer_grids_against_fractions(data, d, n):
    """Kind: ties, copies and distances equal to a radius or a bandwidth, decided by rounding."""
    coordinate = st.integers(-3, 3)
    point = st.tuples(*[coordinate] * d)
    Z = data.draw(st.lists(point, min_size=n, max_size=n))
    X = data.draw(st.lists(point, min_size=3, max_size=3))
    y = data.draw(st.lists(st.integers(-5, 5), min_size=n, max_size=n))
    metric = data.draw(st.sampled_from(["euclidean", "manhattan", "chebyshev"]))
    k, reach = data.draw(st.integers(1, n)), data.draw(st.integers(1, 5))
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    of = {
        "euclidean": lambda g: sum(v * v for v in g),  # its square, exact
        "manhattan": lambda g: sum(map(abs, g)),
        "chebyshev": lambda g: max(map(abs, g)),
    }[metric]
    limit = reach**2 if metric == "euclidean" else reach
    half = reach + Fraction(1, 2)  # a bandwidth that no distance equals
    keys, queries, targets = np.array(Z, dtype=dtype), np.array(X, dtype=dtype), np.array(y, dtype=float)

    def exact(x):
        gaps = [of([a - b for a, b in zip(x, z)]) for z in Z]
        order = sorted(range(n), key=lambda j: (gaps[j], j))
        within = [j for j in range(n) if gaps[j] <= limit]
        squares = [gap if metric == "euclidean" else gap**2 for gap in gaps]
        weights = {j: 1 - square / half**2 for j, square in enumerate(squares) if square < half**2}
        return order, within, weights

    def mean(of_keys):
        return Fraction(sum(y[j] for j in of_keys), len(of_keys))

    def vote(of_keys):
        counts = {c: sum(1 for j in of_keys if y[j] == c) for c in sorted(set(y))}
        return max(counts, key=lambda c: (counts[c], -c))

    nearest = lw.KNeighborsRegressor(k, metric=metric).fit(keys, targets)
    voters = lw.KNeighborsClassifier(k, metric=metric).fit(keys, y)
    around = lw.RadiusNeighborsRegressor(reach, metric=metric).fit(keys, targets)
    flat = lw.KernelRegressor(metric=metric, kernel="indicator", bandwidth=float(half)).fit(keys, targets)
    round_ = lw.KernelRegressor(metric=metric, kernel="epanechnikov", bandwidth=float(half)).fit(
        keys, targets
    )
    answers = [model.predict(queries) for model in (nearest, voters, around, flat, round_)]
    for x, got_k, got_vote, got_radius, got_flat, got_round in zip(X, *answers):
        order, within, weights = exact(x)
        assert got_k == float(mean(order[:k]))
        assert got_vote == vote(order[:k])
        assert got_radius == float(mean(within)) if within else np.isnan(got_radius)
        alone = float(y[order[0]])
        assert got_flat == (float(mean(list(weights))) if weights else alone)
        mass = sum(weights.values())
        want = float(sum(w * y[j] for j, w in weights.items()) / mass) if mass else alone
        assert got_round == pytest.approx(want, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("n", [12, 300])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_all_points_are_neighbors_under_a_length_for_each_point(n, dtype):
    """Kind: new points had to wait for what the old ones say of one another, where each has one less."""
    rng = np.random.default_rng(0)
    X, new, y = (
        rng.normal(size=(n, 2)).astype(dtype),
        rng.normal(size=(9, 2)).astype(dtype),
        rng.normal(size=n),
    )
    s = np.sort(cdist(X, X), axis=1)[:, 7]  # the point itself is the first
    D = cdist(new, X)
    own = np.sort(D, axis=1)[:, 6]
    K = np.exp(-(D**2) / (2 * own[:, None] * s))
    kernel = lw.kernels.Gaussian("self_tuning")
    for model in (
        lw.KNeighborsRegressor(n, weights=kernel),
        lw.RadiusNeighborsRegressor(99.0, weights=kernel),
    ):
        assert_allclose(model.fit(X, y).predict(new), K @ y / K.sum(axis=1), rtol=1e-5, atol=1e-6)
    shares = lw.KNeighborsClassifier(n, weights=kernel).fit(X, y > 0).predict_proba(new)
    assert_allclose(shares[:, 1], K @ (y > 0) / K.sum(axis=1), rtol=1e-5)
    for rule in ("perplexity", "median"):
        every = lw.KNeighborsRegressor(n, weights=lw.kernels.Gaussian(rule)).fit(X, np.ones(n)).predict(new)
        assert_allclose(every, 1)
    others = np.exp(-(cdist(X, X) ** 2) / (2 * s[:, None] * s)) * (1 - np.eye(n))
    left_out = lw.KNeighborsRegressor(n, weights=kernel).fit(X, y).predict(None)
    assert_allclose(left_out, others @ y / others.sum(axis=1), rtol=1e-5, atol=1e-6)
