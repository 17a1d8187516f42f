"""The neighbor estimators against scikit-learn on real data, and against plain sorting where ties decide."""

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from sklearn import datasets, neighbors
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

import likewise as lw
from likewise import kernels, metrics, normalizations, supports

REAL = {
    "digits": datasets.load_digits,
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast_cancer": datasets.load_breast_cancer,
    "diabetes": datasets.load_diabetes,
}


def real_data(name):
    """Training and test half of a real set."""
    X, y = REAL[name](return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))[:600]
    X, y = X[order], y[order]
    return X[::2], y[::2], X[1::2], y[1::2]


def sorted_keys(X, Z, metric="euclidean"):
    """Keys of each query by (distance, index)."""
    return np.argsort(cdist(X, Z, metric), axis=1, kind="stable")


def without_boundary_tie(X, Z, k, metric="euclidean"):
    """Queries whose k-th and next neighbor differ in distance: only there is the set of neighbors unique."""
    d = np.sort(cdist(X, Z, metric), axis=1)
    return d[:, k] - d[:, k - 1] > 1e-9 * (1 + d[:, k])


ESTIMATORS = [
    lw.NearestNeighbors(),
    lw.KNeighborsClassifier(),
    lw.KNeighborsClassifier(weights="distance"),
    lw.KNeighborsRegressor(),
    lw.RadiusNeighborsClassifier(),
    lw.RadiusNeighborsRegressor(),
]


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_contract(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # queries without neighbors within the radius
        check(estimator)


@pytest.mark.parametrize("ours", ESTIMATORS, ids=repr)
def test_parameters_are_those_of_scikit_learn(ours):
    theirs = getattr(neighbors, type(ours).__name__)()
    want = theirs.get_params()
    assert {name: type(ours)().get_params()[name] for name in want} == want


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev", "cosine"])
@pytest.mark.parametrize("name", list(REAL))
def test_predictions_equal_scikit_learns(name, metric, weights):
    X, y, queries, _ = real_data(name)
    kind = "Regressor" if name == "diabetes" else "Classifier"
    ours = getattr(lw, "KNeighbors" + kind)(7, metric=metric, weights=weights).fit(X, y)
    theirs = getattr(neighbors, "KNeighbors" + kind)(7, metric=metric, weights=weights).fit(X, y)
    scipy_name = "cityblock" if metric == "manhattan" else metric
    unique = without_boundary_tie(queries, X, 7, scipy_name)
    assert unique.sum() >= 20
    got, want = ours.predict(queries[unique]), theirs.predict(queries[unique])
    if kind == "Regressor":
        assert_allclose(got, want, rtol=1e-10)
    else:
        assert_array_equal(got, want)
        assert_allclose(
            ours.predict_proba(queries[unique]), theirs.predict_proba(queries[unique]), rtol=1e-8, atol=1e-12
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "metric",
    [{"metric": "chebyshev"}, {"metric": "infinity"}, {"p": np.inf}, {"metric": metrics.Minkowski(np.inf)}],
    ids=repr,
)
@pytest.mark.parametrize("lattice", [False, True])
def test_a_tree_for_the_largest_difference(lattice, metric, dtype):
    """Kind: algorithm="kd_tree" refused metrics that scikit-learn's tree takes."""
    random = np.random.default_rng(3)
    X = random.normal(size=(3000, 3)) if not lattice else random.integers(-4, 5, size=(3000, 3)).astype(float)
    X, queries = X.astype(dtype), (X[:50] + (0 if lattice else 0.1)).astype(dtype)
    d = cdist(queries, X, "chebyshev")
    want = np.argsort(d, axis=1, kind="stable")[:, :7]
    for algorithm in ("kd_tree", "auto"):
        search = lw.NearestNeighbors(n_neighbors=7, radius=0.5, algorithm=algorithm, **metric).fit(X)
        got, indices = search.kneighbors(queries)
        assert search.algorithm_ == "kd_tree"
        assert_array_equal(indices, want)
        assert_allclose(got, np.take_along_axis(d, want, axis=1), rtol=1e-6)
        for row, gaps in zip(search.radius_neighbors(queries, 1.0)[1], d):
            assert_array_equal(np.sort(row), np.flatnonzero(gaps <= 1))
    alone = np.argsort(cdist(X[:9], X, "chebyshev") + np.where(np.eye(9, 3000), 99, 0), axis=1, kind="stable")
    assert_array_equal(search.kneighbors(None)[1][:9], alone[:, :7])


@pytest.mark.parametrize("algorithm", ["auto", "brute", "kd_tree", "ball_tree"])
@pytest.mark.parametrize("name", list(REAL))
def test_neighbors_equal_scikit_learns(name, algorithm):
    X, _, queries, _ = real_data(name)
    ours = lw.NearestNeighbors(n_neighbors=6, algorithm=algorithm).fit(X)
    theirs = neighbors.NearestNeighbors(n_neighbors=6, algorithm="brute").fit(X)
    distances, indices = ours.kneighbors(queries)
    exact = cdist(queries, X)
    assert_allclose(distances, theirs.kneighbors(queries)[0], rtol=1e-6, atol=1e-6)
    assert_allclose(distances, np.sort(exact, axis=1)[:, :6], rtol=1e-12)
    assert_allclose(distances, np.take_along_axis(exact, indices, axis=1), rtol=1e-12)
    clear = without_boundary_tie(queries, X, 6)
    got, want = (np.sort(i[clear], axis=1) for i in (indices, theirs.kneighbors(queries)[1]))
    assert_array_equal(got, want)
    assert ours.algorithm_ in {"auto": ("kd_tree", "brute"), "ball_tree": ("kd_tree", "brute")}.get(
        algorithm, (algorithm,)
    )


@pytest.mark.parametrize("mode", ["connectivity", "distance"])
def test_graphs_equal_scikit_learns(mode):
    X, _, queries, _ = real_data("diabetes")
    ours, theirs = lw.NearestNeighbors(radius=0.12).fit(X), neighbors.NearestNeighbors(radius=0.12).fit(X)
    for points in (None, queries):
        for graph in ("kneighbors_graph", "radius_neighbors_graph"):
            got, want = (getattr(e, graph)(points, mode=mode) for e in (ours, theirs))
            assert got.shape == want.shape
            assert_allclose(got.toarray(), want.toarray(), rtol=1e-6, atol=1e-9)


def test_radius_neighbors_equal_scikit_learns():
    X, _, queries, _ = real_data("wine")
    ours = lw.NearestNeighbors(radius=40.0).fit(X).radius_neighbors(queries)
    theirs = neighbors.NearestNeighbors(radius=40.0).fit(X).radius_neighbors(queries, sort_results=True)
    for got_d, want_d, got, want in zip(ours[0], theirs[0], ours[1], theirs[1]):
        assert_allclose(got_d, want_d, rtol=1e-6, atol=1e-6)
        assert set(got) == set(want)
    assert ours[0].dtype == ours[1].dtype == object
    # None: each point without itself, also among copies.
    alone = lw.NearestNeighbors(radius=1.0).fit([[0.0], [0.0], [0.5], [9.0]]).radius_neighbors()[1]
    assert [list(row) for row in alone] == [[1, 2], [0, 2], [0, 1], []]


@pytest.mark.parametrize("name", ["iris", "wine", "diabetes"])
@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_radius_predictions_equal_scikit_learns(name, weights):
    X, y, queries, _ = real_data(name)
    radius = np.quantile(cdist(queries, X), 0.1)
    kind = "Regressor" if name == "diabetes" else "Classifier"
    extra = {} if kind == "Regressor" else {"outlier_label": "most_frequent"}
    ours = getattr(lw, "RadiusNeighbors" + kind)(radius, weights=weights, **extra).fit(X, y)
    theirs = getattr(neighbors, "RadiusNeighbors" + kind)(radius, weights=weights, **extra).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got, want = ours.predict(queries), theirs.predict(queries)
    assert_allclose(got, want, rtol=1e-8)  # NaN equal NaN
    if kind == "Classifier":
        assert ours.outlier_label_ == theirs.outlier_label_
        assert_allclose(ours.predict_proba(queries), theirs.predict_proba(queries), rtol=1e-8, atol=1e-12)


def test_row_of_the_table_k_nn():
    X, y, queries, _ = real_data("iris")
    one_hot = np.eye(3)[y]
    for weights, kernel in [
        ("uniform", kernels.Indicator()),
        ("distance", kernels.InverseDistance()),
        (kernels.Gaussian(0.5), kernels.Gaussian(0.5)),
    ]:
        model = lw.KNeighborsClassifier(9, weights=weights).fit(X, y)
        bare = lw.Mechanism(
            metric="euclidean",
            kernel=kernel,
            support=supports.Neighbors(9),
            normalization=normalizations.RowStochastic(),
            empty_row="nearest",
        )
        assert model.mechanism == model.mechanism_ == bare
        assert_allclose(model.predict_proba(queries), bare.operator(queries, X) @ one_hot, rtol=1e-14)

        keys = sorted_keys(queries, X)[:, :9]
        d = np.take_along_axis(cdist(queries, X), keys, axis=1)
        with np.errstate(divide="ignore"):
            w = {"uniform": np.ones_like(d), "distance": 1 / d}.get(str(weights), np.exp(-(d**2) / 0.5))
        w = np.where(np.isinf(w).any(axis=1, keepdims=True), np.isinf(w), w)
        w = w / w.sum(axis=1, keepdims=True)
        want = np.einsum("ij,ijc->ic", w, one_hot[keys])
        assert_allclose(model.predict_proba(queries), want, rtol=1e-10, atol=1e-13)


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    n=st.integers(1, 15),
    d=st.integers(1, 3),
    weights=st.sampled_from(["uniform", "distance"]),
)
def test_lattices_full_of_ties_and_copies(data, n, d, weights):
    lattice = st.integers(-2, 2).map(float)
    X = data.draw(hnp.arrays(np.float64, (n, d), elements=lattice))
    queries = data.draw(hnp.arrays(np.float64, (4, d), elements=lattice))
    y = data.draw(hnp.arrays(np.int64, n, elements=st.integers(0, 2)))
    k = data.draw(st.integers(1, n))
    model = lw.KNeighborsClassifier(k, weights=weights).fit(X, y)
    keys = sorted_keys(queries, X)[:, :k]
    assert_array_equal(model.kneighbors(queries)[1], keys)
    for i, row in enumerate(keys):
        distance = np.linalg.norm(X[row] - queries[i], axis=1)
        w = np.ones(k) if weights == "uniform" else 1 / distance if distance.all() else distance == 0
        votes = np.array([np.sum(w[y[row] == c]) for c in model.classes_])
        near_tie = np.sum(np.isclose(votes, votes.max(), rtol=1e-12)) > 1
        if not near_tie or weights == "uniform":
            assert model.predict(queries[i : i + 1]) == model.classes_[votes.argmax()]


@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
@pytest.mark.parametrize("family", ["KNeighbors", "RadiusNeighbors"])
def test_none_leaves_each_point_out(family, kind):
    X, y, _, _ = real_data("iris")
    first = 4 if family == "KNeighbors" else 1.5
    extra = {"outlier_label": 0} if (family, kind) == ("RadiusNeighbors", "Classifier") else {}
    model = getattr(lw, family + kind)(first, **extra).fit(X, y)
    refits = [
        clone(model).fit(np.delete(X, i, 0), np.delete(y, i)).predict(X[i : i + 1])[0] for i in range(len(X))
    ]
    assert_allclose(model.predict(None), refits, rtol=1e-12)
    score = np.mean(refits == y) if kind == "Classifier" else 1 - np.var(y - refits) / np.var(y)
    assert model.score(None, y) == pytest.approx(score, abs=1e-3)
    if family == "KNeighbors":
        assert model.kneighbors()[1].shape == (len(X), 4)
        assert (model.kneighbors()[1] != np.arange(len(X))[:, None]).all()


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
def test_precomputed_distances_give_the_same(metric):
    X, y, queries, _ = real_data("wine")
    scipy_name = "cityblock" if metric == "manhattan" else metric
    between, across = cdist(X, X, scipy_name), cdist(queries, X, scipy_name)
    for name, first in [
        ("KNeighborsClassifier", 5),
        ("KNeighborsRegressor", 5),
        ("RadiusNeighborsRegressor", 90.0),
    ]:
        given_distances = getattr(lw, name)(first, metric="precomputed", weights="distance").fit(between, y)
        points = getattr(lw, name)(first, metric=metric, weights="distance").fit(X, y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert_allclose(given_distances.predict(across), points.predict(queries), rtol=1e-9)
            assert_allclose(given_distances.predict(None), points.predict(None), rtol=1e-9)
    assert given_distances.algorithm_ == "brute"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"p": 3}, {"p": 3}),
        ({"metric_params": {"p": 1}}, {"p": 1}),
        ({"p": np.inf}, {"metric": "chebyshev"}),
        ({"metric_params": {"w": np.arange(1.0, 14)}}, {"metric_params": {"w": np.arange(1.0, 14)}}),
        (
            {"metric": "seuclidean", "metric_params": {"V": np.arange(1.0, 14)}},
            {"metric": "seuclidean", "metric_params": {"V": np.arange(1.0, 14)}},
        ),
        (
            {"metric": "mahalanobis", "metric_params": {"VI": np.diag(np.arange(1.0, 14))}},
            {"metric": "mahalanobis", "metric_params": {"VI": np.diag(np.arange(1.0, 14))}},
        ),
        ({"metric": metrics.Cosine()}, {"metric": "cosine"}),
        ({"metric": "sqeuclidean"}, {"metric": "sqeuclidean"}),
    ],
)
def test_metrics_and_their_parameters_are_scikit_learns(ours, theirs):
    X, _, queries, _ = real_data("wine")
    got = lw.NearestNeighbors(**ours).fit(X).kneighbors(queries)[0]
    want = neighbors.NearestNeighbors(**theirs).fit(X).kneighbors(queries)[0]
    assert_allclose(got, want, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ["KNeighborsClassifier", "KNeighborsRegressor", "RadiusNeighborsRegressor"])
def test_callable_weights_equal_scikit_learns(name):
    X, y, queries, _ = real_data("diabetes")
    y = (y > 140).astype(int) if name.endswith("Classifier") else y

    def weigh(distances):
        if distances.dtype == object:
            return [np.exp(-5 * row) for row in distances]
        return np.exp(-5 * distances)

    first = 8 if name.startswith("K") else 0.15
    ours = getattr(lw, name)(first, weights=weigh).fit(X, y)
    theirs = getattr(neighbors, name)(first, weights=weigh).fit(X, y)
    assert_allclose(ours.predict(queries), theirs.predict(queries), rtol=1e-10)
    by_kernel = getattr(lw, name)(first, weights=kernels.Laplacian(0.2)).fit(X, y)
    assert_allclose(ours.predict(queries), by_kernel.predict(queries), rtol=1e-10)
    assert_allclose(ours.predict(None), by_kernel.predict(None), rtol=1e-10)


def test_several_outputs_equal_scikit_learns():
    X, y, queries, _ = real_data("iris")
    Y = np.c_[y, y > 0, np.array(["a", "b", "c"])[y] == "b"].astype(int)
    for name, extra in [
        ("KNeighborsClassifier", {}),
        ("RadiusNeighborsClassifier", {"radius": 1.003, "outlier_label": [0, 1, 0]}),
        ("KNeighborsRegressor", {}),
        ("RadiusNeighborsRegressor", {"radius": 1.003}),
    ]:
        ours, theirs = (getattr(m, name)(**extra).fit(X, Y) for m in (lw, neighbors))
        assert_allclose(ours.predict(queries), theirs.predict(queries), rtol=1e-12)
        if name.endswith("Classifier"):
            assert ours.outputs_2d_ == theirs.outputs_2d_
            for got, want in zip(ours.predict_proba(queries), theirs.predict_proba(queries)):
                assert_allclose(got, want, rtol=1e-10)
            for got, want in zip(ours.classes_, theirs.classes_):
                assert_array_equal(got, want)


def test_queries_without_neighbors():
    X, y, far = [[0.0], [1.0], [2.0]], [0, 1, 1], [[0.5], [99.0]]
    with pytest.warns(UserWarning, match="predicting NaN"):
        assert_allclose(lw.RadiusNeighborsRegressor(1.0).fit(X, y).predict(far), [0.5, np.nan])
    with pytest.raises(ValueError, match=r"test samples array\(\[1\]\).*outlier_label"):
        lw.RadiusNeighborsClassifier(1.0).fit(X, y).predict(far)
    assert list(lw.RadiusNeighborsClassifier(1.0, outlier_label=7).fit(X, y).predict(far)) == [0, 7]
    with pytest.warns(UserWarning, match="Outlier label 7 is not in training classes"):
        proba = lw.RadiusNeighborsClassifier(1.0, outlier_label=7).fit(X, y).predict_proba(far)
    assert_allclose(proba, [[0.5, 0.5], [0, 0]])
    likely = lw.RadiusNeighborsClassifier(1.0, outlier_label="most_frequent").fit(X, y)
    assert list(likely.predict(far)) == [0, 1]
    assert_allclose(likely.predict_proba(far)[1], [0, 1])
    with pytest.raises(TypeError, match="outlier_label"):
        lw.RadiusNeighborsClassifier(1.0, outlier_label="x").fit(X, y)


def test_mechanisms_go_in_and_out():
    X, y, queries, _ = real_data("iris")
    model = lw.KNeighborsClassifier(6).fit(X, y)
    cosine = lw.KNeighborsClassifier.from_mechanism(model.mechanism_.replace(metric="cosine")).fit(X, y)
    assert_array_equal(
        cosine.predict(queries), clone(model).set_params(metric="cosine").fit(X, y).predict(queries)
    )
    assert cosine.n_neighbors == 6 and cosine.mechanism_.metric == metrics.Cosine()
    radius = lw.RadiusNeighborsRegressor.from_mechanism(
        model.mechanism_.replace(support=supports.Radius(2.0))
    )
    assert radius.radius == 2.0
    with pytest.raises(ValueError, match="support must be Neighbors"):
        lw.KNeighborsClassifier.from_mechanism(lw.Mechanism())
    graph = lw.NearestNeighbors(n_neighbors=3).fit(X)
    ones = graph.mechanism_.operator(X).tocsr()
    assert_allclose(ones.toarray(), graph.kneighbors_graph().toarray())


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_pickle_dtype_and_threads(estimator):
    X, y, queries, _ = real_data("iris")
    X, queries = X.astype(np.float32), queries.astype(np.float32)
    estimator = clone(estimator)
    if "radius" in estimator.get_params():
        estimator.set_params(radius=10.0)  # everybody has neighbors
    fitted = clone(estimator).fit(X, y)
    again = pickle.loads(pickle.dumps(fitted))
    serial = clone(estimator).set_params(n_jobs=1).fit(X, y)
    method = {"NearestNeighbors": "kneighbors"}.get(type(estimator).__name__, "predict")
    got = getattr(fitted, method)(queries)
    for other in (again, serial):
        assert_array_equal(getattr(other, method)(queries), got)
    if method == "kneighbors":
        assert got[0].dtype == np.float32
    elif type(estimator).__name__.endswith("Regressor"):
        assert got.dtype == np.float64  # of integer targets; float32 where these are too
        assert clone(estimator).fit(X, y.astype(np.float32)).predict(queries).dtype == np.float32


BAD = [
    (lw.KNeighborsClassifier(31), ValueError, r"n_neighbors must be an int in \[1, 30\].*got 31"),
    (lw.KNeighborsClassifier(0), ValueError, "n_neighbors"),
    (lw.KNeighborsClassifier(2.5), TypeError, "n_neighbors"),
    (lw.KNeighborsClassifier(weights="gauss"), ValueError, "'gaussian'"),
    (
        lw.KNeighborsClassifier(weights="distence"),
        ValueError,
        "weights must be .*'uniform', 'distance', .*'distence'",
    ),
    (lw.RadiusNeighborsRegressor(weights="foo"), ValueError, "weights must be .*'foo'"),
    (lw.NearestNeighbors(metric="seuclidean"), ValueError, "metric_params must hold 'V'.*seuclidean"),
    (lw.NearestNeighbors(metric="mahalanobis"), ValueError, "metric_params must hold 'VI'.*'V'.*mahalanobis"),
    (lw.KNeighborsClassifier(weights=3), TypeError, "weights"),
    (lw.KNeighborsClassifier(metric="euclid"), ValueError, "'euclidean'"),
    (lw.KNeighborsClassifier(algorithm="tree"), ValueError, "algorithm must be one of 'auto'"),
    (lw.KNeighborsClassifier(metric="cosine", algorithm="kd_tree"), ValueError, "kd_tree"),
    (lw.KNeighborsClassifier(metric_params={"q": 1}), ValueError, r"metric_params.*\['q'\]"),
    (lw.KNeighborsClassifier(p=-1.0), ValueError, "p must be"),
    (lw.KNeighborsClassifier(metric="precomputed"), ValueError, "X must be square"),
    (lw.RadiusNeighborsRegressor(-1.0), ValueError, "radius"),
    (lw.RadiusNeighborsRegressor("far"), TypeError, "radius"),
    (lw.NearestNeighbors(n_neighbors=-2), ValueError, "n_neighbors"),
]


@pytest.mark.parametrize(("estimator", "error", "message"), BAD, ids=[repr(row[0]) for row in BAD])
def test_bad_parameters_are_refused_by_name(estimator, error, message):
    X, y = datasets.load_iris(return_X_y=True)
    with pytest.raises(error, match=message):
        clone(estimator).fit(X[::5], y[::5])


def test_bad_data_is_refused_by_name():
    X, y = datasets.load_iris(return_X_y=True)
    model = lw.KNeighborsClassifier().fit(X, y)
    search = lw.NearestNeighbors().fit(X[:10])
    for call, message in [
        (lambda: lw.KNeighborsClassifier().fit(np.where(X > 7, np.inf, X), y), "X contains infinity"),
        (lambda: lw.KNeighborsClassifier().fit(X[:, 0], y), "Expected 2D array"),
        (lambda: lw.KNeighborsRegressor().fit(X, y[:-1]), "inconsistent numbers of samples"),
        (lambda: lw.KNeighborsClassifier().fit(X, y + 0.5), "Unknown label type"),
        (lambda: model.predict(X[:, :2]), "X has 2 features, but KNeighborsClassifier is expecting 4"),
        (lambda: model.predict(X * np.nan), "X contains NaN"),
        (lambda: search.kneighbors(X, 11), r"n_neighbors must be an int in \[1, 10\]"),
        (lambda: search.kneighbors(None, 10), r"n_neighbors must be an int in \[1, 9\]"),
        (lambda: search.kneighbors_graph(X, mode="edges"), "mode must be 'connectivity' or 'distance'"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(NotFittedError):
        lw.KNeighborsRegressor().predict(X)


def test_mahalanobis_by_covariance_is_that_by_its_inverse():
    X, _ = datasets.load_iris(return_X_y=True)
    V = np.cov(X.T)
    ours = lw.NearestNeighbors(n_neighbors=4, metric="mahalanobis", metric_params={"V": V})
    theirs = neighbors.NearestNeighbors(
        n_neighbors=4, metric="mahalanobis", metric_params={"VI": np.linalg.inv(V)}, algorithm="brute"
    )
    got, want = (model.fit(X).kneighbors(X + 0.01)[0] for model in (ours, theirs))
    assert_allclose(got, want, rtol=1e-9)


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_float32_predictions_are_made_of_the_neighbors_that_are_told(weights):
    """Predictions took those within the radius in float64, radius_neighbors and a function as weights those
    whose float32 distance is: on a grid they disagreed in half of the fits. All follow what is told."""
    rng = np.random.default_rng(0)
    for _ in range(30):
        X = (rng.integers(0, 10, (80, 2)) * np.float32(0.1) + np.float32(rng.random())).astype(np.float32)
        y, labels = rng.normal(size=80), rng.integers(0, 3, 80)
        radius = float(np.float32(np.sqrt(((X[0].astype(float) - X[1 + rng.integers(79)]) ** 2).sum())))
        if radius == 0:
            continue
        model = lw.RadiusNeighborsRegressor(radius, weights=weights).fit(X, y)
        distances, rows = model.radius_neighbors(X)
        D = np.sqrt(((X.astype(float)[:, None] - X.astype(float)[None]) ** 2).sum(-1)).astype(np.float32)
        assert [set(row) for row in rows] == [set(np.flatnonzero(d <= radius)) for d in D]

        def weight(d):
            if weights == "uniform":
                return np.ones(len(d))
            return (d == 0) * 1.0 if (d == 0).any() else 1 / d.astype(float)

        w = [weight(d) for d in distances]
        want = [p @ y[row] / p.sum() for p, row in zip(w, rows, strict=True)]
        assert_allclose(model.predict(X), want, rtol=1e-5, atol=1e-6)
        shares = [np.bincount(labels[row], p, minlength=3) / p.sum() for p, row in zip(w, rows, strict=True)]
        classifier = lw.RadiusNeighborsClassifier(radius, weights=weights).fit(X, labels)
        assert_allclose(classifier.predict_proba(X), shares, rtol=1e-5, atol=1e-6)
