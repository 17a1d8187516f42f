"""What public bug reports of other libraries asked of this one and it could not answer.

Each test names the kind of fault and the report that led to it; docs/reports has all reports that were tried.
"""

import os
import pickle
import pprint
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.neighbors import KNeighborsRegressor

import likewise as lw

METRICS = {
    "euclidean": "euclidean",
    "sqeuclidean": "sqeuclidean",
    "manhattan": "cityblock",
    "chebyshev": "chebyshev",
    "cosine": "cosine",
}
rng = np.random.default_rng(0)
X = rng.normal(size=(200, 3)) + 2


@pytest.mark.parametrize("algorithm", ["auto", "brute"])
@pytest.mark.parametrize("metric", [*METRICS, lw.metrics.Minkowski(3), "precomputed"], ids=str)
def test_an_infinite_radius_holds_every_point(metric, algorithm):
    """Kind: an infinite bound whose rounding (0 times infinity) compares as false (scikit-learn 26285)."""
    Z = cdist(X, X) if metric == "precomputed" else X
    search = lw.NearestNeighbors(radius=np.inf, metric=metric, algorithm=algorithm).fit(Z)
    distances, indices = search.radius_neighbors(Z[:7])
    assert all(len(row) == len(X) for row in indices)
    assert all((np.diff(row) >= 0).all() for row in distances)
    assert search.radius_neighbors_graph(Z[:7]).nnz == 7 * len(X)


def test_an_infinite_radius_averages_over_all():
    """Kind: a limit that a search knows and a slot refuses."""
    y = X @ [1.0, 2.0, 3.0]
    mean = lw.RadiusNeighborsRegressor(np.inf).fit(X, y).predict(X[:3] + 100)
    assert_allclose(mean, np.full(3, y.mean()))
    shares = lw.RadiusNeighborsClassifier(np.inf).fit(X, y > 9).predict_proba(X[:3])
    assert_allclose(shares, np.tile([(y <= 9).mean(), (y > 9).mean()], (3, 1)))
    m = lw.Mechanism(kernel="indicator", support=lw.supports.Radius(np.inf))
    assert_allclose(m.operator(X) @ y, np.full(200, y.mean()))
    with pytest.raises(ValueError, match="radius must be not negative; got nan"):
        lw.supports.Radius(np.nan)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("metric", METRICS)
def test_a_radius_that_was_told_finds_who_told_it(metric, dtype):
    """Kind: a bound compared before the rounding of what is reported (SciPy 6425): the distance to the 4th
    neighbor, used as a radius, must find the 4th neighbor."""
    Z = X.astype(dtype)
    distances, indices = lw.kneighbors(Z, n_neighbors=4, metric=metric)
    for i in range(len(Z)):
        told = float(distances[i, -1])
        near, found = lw.radius_neighbors(Z[i : i + 1], Z, radius=told, metric=metric)
        assert set(indices[i]) <= set(found[0])
        assert (near[0] <= told).all()
        below = np.nextafter(distances[i, -1], dtype(0))
        _, fewer = lw.radius_neighbors(Z[i : i + 1], Z, radius=float(below), metric=metric)
        assert indices[i, -1] not in fewer[0]


@pytest.mark.filterwarnings("ignore:.*are in components without a label")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("solver", ["cg", "iterate"])
@pytest.mark.parametrize("model", [lw.LabelSpreading, lw.LabelPropagation])
def test_no_row_of_shares_is_zero(model, solver, dtype):
    """Kind: a share below the least positive number that silently becomes no share (scikit-learn 9292)."""
    points = [[[0.4], [3.0], [1.7], [3.0], [2.0]], [[3.5], [0.3], [3.9], [5.2], [2.6]]]
    for Z in points:
        Z = np.asarray(Z, dtype)
        fitted = model(gamma=500.0, solver=solver).fit(Z, [-1, 0, -1, 1, -1])
        eps = np.finfo(dtype).eps
        assert_allclose(fitted.label_distributions_.sum(axis=1), 1, atol=4 * eps)
        assert_allclose(fitted.predict_proba(np.r_[Z, Z + dtype(0.3)]).sum(axis=1), 1, atol=4 * eps)
        if model is lw.LabelPropagation:  # clamped
            assert_array_equal(fitted.label_distributions_[[1, 3]], np.eye(2))


def test_what_did_not_reach_a_point_is_said():
    """Kind: the same, and nobody is told."""
    with pytest.warns(UserWarning, match="1 of 5 points are in components without a label"):
        fitted = lw.LabelSpreading(gamma=500.0).fit([[0.4], [3.0], [1.7], [3.0], [2.0]], [-1, 0, -1, 1, -1])
    assert_array_equal(fitted.unreached_, [True, False, False, False, False])


SUPERVISED = [
    lw.KNeighborsClassifier(1),
    lw.KNeighborsRegressor(1),
    lw.RadiusNeighborsClassifier(1.0),
    lw.RadiusNeighborsRegressor(1.0),
    lw.KernelRegressor(),
    lw.KernelClassifier(),
    lw.LabelPropagation(),
    lw.LabelSpreading(),
    lw.MetricLearner(),
    lw.AttentionClassifier(),
    lw.AttentionRegressor(),
]


@pytest.mark.parametrize("model", SUPERVISED, ids=lambda m: type(m).__name__)
def test_sparse_targets_are_refused_by_name(model):
    """Kind: an argument of the wrong type whose error comes from inside SciPy (sklearn-onnx 421)."""
    with pytest.raises(TypeError, match=r"y must be a dense array; got a sparse one of shape \(3, 3\)"):
        model.fit(np.eye(3), sparse.csr_matrix(np.eye(3, dtype=int)))


def _heads(layer, x, mask):
    """SelfAttention by its definition in NumPy, mask (batch, heads, length, length)."""
    state, heads = layer.state_dict(), layer.options["num_heads"]
    q, k, v = np.split(x @ state["in_proj_weight"].T + state["in_proj_bias"], 3, axis=-1)
    parts = []
    for head, (a, b, c) in enumerate(zip(*(np.split(part, heads, axis=-1) for part in (q, k, v)))):
        scores = a @ b.transpose(0, 2, 1) / np.sqrt(a.shape[-1])
        weights = np.where(mask[:, head], np.exp(scores), 0)
        mass = weights.sum(axis=-1, keepdims=True)
        parts.append(np.divide(weights, mass, out=np.zeros_like(weights), where=mass > 0) @ c)
    return np.concatenate(parts, axis=-1) @ state["out_proj.weight"].T + state["out_proj.bias"]


@pytest.mark.parametrize(("batch", "length"), [(3, 5), (1, 7), (2, 150)])
def test_each_head_may_have_its_own_mask(batch, length):
    """Kind: an option that functions have and layers lack (PyTorch 160064): each head a mask, one of which
    may attend to nothing."""
    layer = lw.nn.SelfAttention(6, 3, random_state=0, dtype="float64")
    x = rng.normal(size=(batch, length, 6))
    mask = rng.random((batch, 3, length, length)) < 0.6
    mask[:, 1] = False
    assert_allclose(layer.forward(x, mask=mask), _heads(layer, x, mask), atol=1e-12)
    same = np.repeat(mask[:, :1], 3, axis=1)
    assert_allclose(layer.forward(x, mask=same), layer.forward(x, mask=mask[:, 0]), atol=1e-12)

    # the gradient, along one direction, by central differences
    direction, out = rng.normal(size=x.shape), rng.normal(size=x.shape)
    layer.forward(x, mask=mask)
    slope = np.vdot(layer.backward(out), direction)
    ahead, behind = (_heads(layer, x + step * direction, mask) for step in (1e-6, -1e-6))
    assert_allclose(slope, np.vdot(out, ahead - behind) / 2e-6, rtol=1e-6)
    with pytest.raises(ValueError, match="mask must be of shape"):
        layer.forward(x, mask=mask[:, :2])


NEGATIVE = np.array([[0, 1.0, -2], [1, 0, 3], [-2, 3, 0]])


@pytest.mark.parametrize("make", [np.array, sparse.csr_matrix])
@pytest.mark.parametrize("model", [lw.SpectralClustering, lw.SpectralEmbedding])
def test_negative_affinities_name_the_affinity(model, make):
    """Kind: an error that names an argument of something inside (scikit-learn 20754)."""
    with pytest.raises(ValueError, match=r"affinity must give weights >= 0; got -2\.0\."):
        model(2, affinity="precomputed").fit(make(NEGATIVE))


@pytest.mark.parametrize("model", [lw.LabelPropagation, lw.LabelSpreading])
def test_negative_affinities_name_the_kernel(model):
    """Kind: the same, where a function gives them."""
    with pytest.raises(ValueError, match=r"kernel must give weights >= 0; got -2\.0\."):
        model(kernel=lambda A, B: NEGATIVE).fit(np.eye(3), [0, 1, -1])


def test_estimators_with_long_slot_values_print():
    """Kind: a representation that cannot be looked up by scikit-learn's printer (keras 13586): no hash."""
    m, s = lw.metrics, lw.supports
    long = [m.Custom(lambda A, B: A @ B.T), m.Mahalanobis(np.eye(3)), s.Mask(np.ones((9, 9), bool))]
    for value in (*long, lw.kernels.StudentT(0.123456789, df=2.123456789), lw.Mechanism()):
        hash(type(value).__repr__)
        assert pprint.pformat([value] * 5)
    mechanism = lw.Mechanism(
        metric=m.Mahalanobis(np.eye(3)), kernel=lw.kernels.StudentT(0.123456789, df=2.12345)
    )
    for model in (lw.LabelSpreading(kernel=mechanism), lw.SpectralClustering(affinity=mechanism)):
        assert "StudentT(bandwidth=0.123456789" in repr(model)
    text = repr(
        lw.KNeighborsClassifier(7, metric=m.Custom(cdist, distance_power=1), weights=lw.kernels.Gaussian(0.1))
    )
    assert "Custom" in text and "Gaussian(bandwidth=0.1)" in text


def test_a_function_metric_is_a_distance_as_in_scikit_learn():
    """Kind: a metric that is taken for one question and refused for another (scikit-learn 12552)."""
    y = X @ [1.0, 2.0, 3.0]
    for weights in ("uniform", "distance"):
        ours = lw.KNeighborsRegressor(4, metric=cdist, weights=weights).fit(X, y).predict(X[:9] + 0.1)
        named = KNeighborsRegressor(4, weights=weights).fit(X, y).predict(X[:9] + 0.1)
        assert_allclose(ours, named, rtol=1e-12)


@pytest.mark.parametrize(
    ("metric", "params", "name"),
    [
        ("mahalanobis", {"V": -np.eye(3)}, "V"),
        ("mahalanobis", {"VI": -np.eye(3)}, "VI"),
        ("mahalanobis", {"V": np.zeros((3, 3))}, "V"),
    ],
)
def test_matrices_of_metrics_are_refused_by_name(metric, params, name):
    """Kind: an error that names an argument of something inside."""
    with pytest.raises(ValueError, match=rf"metric_params\['{name}'\] must be a matrix that makes a metric"):
        lw.NearestNeighbors(metric=metric, metric_params=params).fit(X)


def test_no_columns_have_a_gradient_of_no_columns():
    """Kind: an empty array that is taken for none (nanobind 1259)."""
    P = lw.Mechanism(kernel=lw.kernels.Gaussian(1.0)).operator(X[:6])
    assert P.vjp(np.zeros((6, 0)), np.zeros((6, 0)))["values"].shape == (6, 0)
    with pytest.raises(ValueError, match=r"q must have dim 1 or more; got shape \(2, 0\)"):
        lw.attention(np.zeros((2, 0)), np.zeros((3, 0)), np.zeros((3, 1)))


def scaled_points(scales, n=200):
    return np.random.default_rng(0).normal(size=(n, len(scales))) * scales


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("scales", [(1e-3, 1e3), (1e-6, 1.0, 1e6), (1e3, 1e3, 1e-9), (1e10, 1e-10)])
def test_no_feature_is_taken_for_rounding_because_its_numbers_are_small(scales, dtype):
    """Kind: a rank decided in the features' own units, so that the inverse covariance of millimeters and
    kilometers left one of them out of every distance."""
    Z = scaled_points(scales)
    covariance = np.cov(Z, rowvar=False)
    inverse = np.linalg.inv(covariance).astype(dtype)
    factor = lw.metrics.Mahalanobis.from_matrix(inverse).factor
    assert_allclose(
        factor.T @ factor * np.outer(scales, scales), inverse * np.outer(scales, scales), atol=1e-6
    )
    wanted = np.sort(cdist(Z, Z, "mahalanobis", VI=inverse))[:, :4]
    tolerance = 1e-9 if dtype == np.float64 else 1e-5
    for params in ({"VI": inverse}, {"V": covariance.astype(dtype)}):
        model = lw.NearestNeighbors(n_neighbors=4, metric="mahalanobis", metric_params=params).fit(Z)
        assert_allclose(model.kneighbors(Z)[0], wanted, rtol=100 * tolerance, atol=tolerance)
    assert len(lw.metrics.Mahalanobis.from_matrix(np.diag(np.square(scales))).factor) == len(scales)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("scale", [1.0, 0.05])
@pytest.mark.parametrize("size", [(2, 5), (4, 6), (30, 100)])
def test_a_matrix_that_its_dtype_rounds_is_still_semidefinite(size, scale, dtype):
    """Kind: rounding judged by float64's, so that B^T B in float32 had "negative eigenvalues"
    (metric-learn 102 is about such a matrix)."""
    rank, n_features = size
    B = np.random.default_rng(0).normal(size=size)
    B[:, 0] *= scale
    M = (B.T @ B).astype(dtype)
    factor = lw.metrics.Mahalanobis.from_matrix(M).factor
    assert factor.shape == (rank, n_features)
    units = np.sqrt(np.diag(B.T @ B))
    assert_allclose(
        factor.T @ factor / np.outer(units, units),
        M / np.outer(units, units),
        atol=4 * np.finfo(dtype).eps * n_features,
    )
    model = lw.NearestNeighbors(n_neighbors=1, metric="mahalanobis", metric_params={"VI": M}).fit(B)
    assert len(model.kneighbors(B)[0]) == rank


def test_covariances_of_few_rows_and_matrices_of_few_digits_make_metrics():
    """Kind: a matrix that everybody's computation makes, refused for its last digit."""
    Z = np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32)
    for M in (np.cov(Z, rowvar=False), np.cov(Z, rowvar=False, dtype=np.float32)):
        assert len(lw.metrics.Mahalanobis.from_matrix(M).factor) == 3
    exact = np.linalg.pinv(np.cov(Z.astype(float), rowvar=False), hermitian=True)
    assert len(lw.metrics.Mahalanobis.from_matrix(exact).factor) == 3
    printed = np.array([[float(f"{x:.7g}") for x in row] for row in exact])
    factor = lw.metrics.Mahalanobis.from_matrix(printed).factor
    assert_allclose(factor.T @ factor, printed, atol=1e-5 * np.abs(printed).max())


def test_what_is_no_metric_stays_none():
    """Kind: a tolerance so wide that it forgives what is wrong."""
    for M in ([[1.0, 2.0], [2.0, 1.0]], [[1e6, 2.0], [2.0, 1e-6]], [[0.0, 1.0], [1.0, 0.0]], -np.eye(2)):
        with pytest.raises(ValueError, match="matrix must be positive semidefinite"):
            lw.metrics.Mahalanobis.from_matrix(M)
    with pytest.raises(ValueError, match="matrix must be symmetric"):
        lw.metrics.Mahalanobis.from_matrix(np.array([[1.0, 0.1], [0.2, 1.0]], dtype=np.float32))


def a_graph(n=30):
    return sparse.random(n, n, 0.3, random_state=0, format="csr") + sparse.eye(n, format="csr")


def spoiled(form, value):
    """A graph whose first column number was overwritten, as a bug in somebody's loop does it."""
    A = (a_graph() + a_graph().T).asformat(form)
    (A.col if form == "coo" else A.indices)[0] = value
    return A


def as_booleans(A):
    A.data = A.data != 0  # astype would find the index first
    return A


SPARSE_READERS = {
    "graph": lambda A: lw.supports.Graph(A),
    "admitted": lambda A: lw.supports.Mask(as_booleans(A)),
    "X": lambda A: lw.SpectralClustering(2, affinity="precomputed").fit(A),
    "X of the embedding": lambda A: lw.SpectralEmbedding(2, affinity="precomputed").fit(A),
    "X of distances": lambda A: lw.SpectralClustering(
        2, affinity="precomputed_nearest_neighbors", n_neighbors=2
    ).fit(A),
    "X of new rows": lambda A: (
        lw.SpectralClustering(2, affinity="precomputed").fit(a_graph() + a_graph().T).predict(A)
    ),
    "kernel": lambda A: lw.LabelPropagation(kernel=lambda X, Z: A).fit(np.ones((30, 1)), np.arange(30) % 2),
    "kernel of spreading": lambda A: lw.LabelSpreading(kernel=lambda X, Z: A).fit(
        np.ones((30, 1)), np.arange(30) % 2
    ),
}


@pytest.mark.parametrize("value", [30, -1, 2**31 - 1])
@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
@pytest.mark.parametrize("reader", SPARSE_READERS)
def test_sparse_indices_outside_of_the_matrix_are_refused(reader, form, value):
    """Kind: numbers from outside used as addresses; the process crashed."""
    name = reader.split()[0].replace("graph", "edges")
    with pytest.raises(ValueError, match=rf"{name} must be a sparse matrix with indices inside its shape"):
        SPARSE_READERS[reader](spoiled(form, value))


def test_row_pointers_are_looked_at_and_notes_of_a_sparse_matrix_are_not_believed():
    """Kind: flags of a container that are older than its content (pytorch 60277: a column twice in a row)."""
    A = a_graph()
    A.indptr[3] = A.nnz
    with pytest.raises(ValueError, match="edges must be a sparse matrix with indices inside"):
        lw.supports.Graph(A)
    A = sparse.csr_matrix(np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]]))
    assert A.has_canonical_format  # and keeps saying so
    A.indices[:2] = [2, 2]
    graph = lw.supports.Graph(A, weights="given")
    assert_array_equal(graph.edges.indices, [2, 0, 0])
    P = lw.Mechanism(support=graph, normalization="none").operator(np.zeros((3, 1)))
    assert_array_equal(P.toarray(), [[0, 0, 3], [1, 0, 0], [2, 0, 0]])
    assert_array_equal(A.indices, [2, 2, 0, 0])


@pytest.mark.parametrize("n_features", [30, 200])
def test_bin_seeding_that_sees_no_point_names_itself(n_features):
    """Kind: an error about an argument that nobody gave (scikit-learn 4176: cells of many dimensions)."""
    Z = np.random.default_rng(0).normal(size=(100, n_features)).round() + 0.24
    with pytest.raises(
        ValueError, match=r"bin_seeding must be false where .*the bandwidth, 0\.5,.*; got 100"
    ):
        lw.MeanShift(bandwidth=0.5, bin_seeding=True).fit(np.repeat(Z, 2, axis=0))


# --- fourth round


def test_a_function_may_give_an_affinity_as_a_sparse_matrix():
    """Kind: a result that one estimator takes in either storage, its sibling in one (scikit-learn#15866)."""
    X, _ = make_moons(120, noise=0.05, random_state=0)

    def dense(X):
        return np.exp(-5 * cdist(X, X, "sqeuclidean"))

    for form in (sparse.csr_matrix, sparse.csc_matrix, sparse.coo_matrix, sparse.csr_array):
        model = lw.SpectralEmbedding(2, affinity=lambda X, form=form: form(dense(X))).fit(X)
        K = dense(X) - np.eye(120)
        D = K.sum(axis=1)
        w, U = np.linalg.eigh(K / np.sqrt(D[:, None] * D))
        want = (U / np.sqrt(D)[:, None])[:, [-2, -3]]
        assert_allclose(np.abs(model.embedding_), np.abs(want), atol=1e-8)
        assert_allclose(model.eigenvalues_, w[[-1, -2, -3]], atol=1e-10)


@pytest.mark.parametrize("estimator", [lw.LabelSpreading, lw.LabelPropagation])
def test_weights_of_a_function_are_looked_at_whoever_asks(estimator):
    """Kind: a check of fit that predict leaves out: NaN became everyone's shares, without a word."""
    X, y = make_moons(120, noise=0.05, random_state=0)
    y = np.where(np.arange(120) % 10, -1, y)
    for wrong, message in (
        (np.nan, "kernel must give weights >= 0; got nan"),
        (-1.0, "kernel must give weights >= 0; got -"),
        (np.inf, "kernel must give finite weights; got inf"),
    ):
        for form in (np.asarray, sparse.csr_matrix):
            model = estimator(
                lambda A, B, wrong=wrong, form=form: form(
                    np.exp(-cdist(A, B)) * (1 if len(B) == 120 else wrong)
                )
            ).fit(X, y)
            with pytest.raises(ValueError, match=message):
                model.predict_proba(X[:2])
            with pytest.raises(ValueError, match="kernel must give"):
                estimator(lambda A, B, wrong=wrong, form=form: form(np.full((len(A), len(B)), wrong))).fit(
                    X, y
                )
    for wrong, error, message in (
        (
            lambda A, B: np.ones((2, 2)),
            ValueError,
            r"kernel must give weights of shape \(120, 3\); got shape \(2, 2\)",
        ),
        (lambda A, B: None, (TypeError, ValueError), "kernel must give"),
        (
            lambda A, B: "weights",
            TypeError,
            "kernel must give an array or a sparse matrix of numbers; got str",
        ),
    ):
        model = estimator(
            lambda A, B, wrong=wrong: np.exp(-cdist(A, B)) if len(B) == 120 else wrong(A, B)
        ).fit(X, y)
        with pytest.raises(error, match=message):
            model.predict(X[:3])


def test_missing_booleans_are_named():
    """Kind: pandas' own missing value, turned into an object before anybody looks (scikit-learn#19889)."""
    X = np.random.default_rng(0).normal(size=(20, 3))
    for dtype in ("boolean", "Int64"):
        y = pd.Series([0, 1] * 10).astype(dtype)
        y[3] = pd.NA
        for model in (
            lw.AttentionClassifier(max_epochs=1),
            lw.KNeighborsClassifier(3),
            lw.KernelClassifier(),
        ):
            with pytest.raises(ValueError, match="Input y contains NaN"):
                model.fit(X, y)


# --- fifth round


def by_definition(A, B, p, w):
    terms = np.abs(A[:, None] - B) ** (1 if p == np.inf else p)
    return (terms * (w > 0)).max(axis=2) if p == np.inf else (terms * w).sum(axis=2) ** (1 / p)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [0.5, 1, 1.5, 2, 3, np.inf])
def test_minkowski_takes_weights_at_every_p(p, dtype):
    """Kind: a parameter served at its default alone (SciPy and scikit-learn weigh features at any p)."""
    Z, w = X.astype(dtype), np.array([0.1, 2.0, 0.0])
    of_metric = {"metric": "minkowski", "p": p, "metric_params": {"w": w}}
    want = by_definition(Z[:9].astype(float), Z.astype(float), p, w)
    order = np.argsort(want, axis=1, kind="stable")[:, :4]
    search = lw.NearestNeighbors(n_neighbors=4, radius=0.7, **of_metric).fit(Z)
    distances, indices = search.kneighbors(Z[:9])
    assert_array_equal(indices, order)
    assert distances.dtype == dtype
    assert_allclose(
        distances, np.take_along_axis(want, order, 1), rtol=1e-6 if dtype == np.float32 else 1e-12
    )
    assert search.radius_neighbors_graph(Z[:9]).nnz == (want <= 0.7).sum()
    y = Z @ [1.0, 2.0, 3.0]
    smooth = lw.RadiusNeighborsRegressor(np.inf, weights=lw.kernels.Gaussian(0.5), **of_metric).fit(Z, y)
    K = np.exp(-(want**2) / 0.5)
    assert_allclose(smooth.predict(Z[:9]), K @ y / K.sum(axis=1), rtol=1e-5 if dtype == np.float32 else 1e-10)
    copy = pickle.loads(pickle.dumps(smooth))
    assert copy.mechanism_ == smooth.mechanism_
    assert_array_equal(copy.predict(Z[:9]), smooth.predict(Z[:9]))
    assert copy.mechanism_.metric == search.mechanism_.metric


def test_weights_of_minkowski_need_a_p_that_is_one():
    for p, error in ((0, ValueError), (-1, ValueError), (np.nan, ValueError), ("two", TypeError)):
        with pytest.raises(error, match="p must be"):
            lw.KNeighborsClassifier(p=p, metric_params={"w": [1, 1, 1]}).fit(X, X[:, 0] > 2)


@pytest.mark.parametrize("kernel", ["gaussian", "laplacian"])
@pytest.mark.parametrize("wanted", [5.0, 25.0, 45.0])
def test_the_perplexity_asked_for_is_the_one_that_comes(kernel, wanted):
    """Kind: an option that is cut down in silence (Rtsne 60): 40 of 60 points became 19.67."""
    Z = rng.normal(size=(60, 3))
    scale = np.sqrt(lw.select_bandwidth("perplexity", Z, perplexity=wanted, kernel=kernel).row_scale)
    u = cdist(Z, Z) / scale[:, None]
    K = np.exp(-(u**2) / 2) if kernel == "gaussian" else np.exp(-u)
    np.fill_diagonal(K, 0)
    P = K / K.sum(1, keepdims=True)
    found = np.exp(-np.sum(P * np.log(np.where(P > 0, P, 1)), axis=1))
    assert_allclose(found, wanted, rtol=1e-8)
    for n, asked in ((60, 59.0), (30, 100.0), (60, 1.0)):
        with pytest.raises(
            ValueError, match=rf"perplexity must be .* other points \({n - 1}\); got {asked:g}"
        ):
            lw.select_bandwidth("perplexity", Z[:n], perplexity=asked)
    usual = lw.select_bandwidth("perplexity", Z).row_scale  # a third of 59 others, who are fewer than 90
    assert_allclose(usual, lw.select_bandwidth("perplexity", Z, perplexity=59 / 3).row_scale, rtol=1e-9)


def absorbed(A, held):
    """Where the walk of weights A is held, in rational numbers: shares of the held states for each other."""
    n = len(A)
    free = [i for i in range(n) if i not in held]
    rows = [[Fraction(float(a)) for a in row] for row in A]
    rows = [[a / sum(row) for a in row] for row in rows]
    M = [[(i == j) - rows[i][j] for j in free] + [rows[i][h] for h in held] for i in free]
    for c in range(len(free)):  # Gauss and Jordan
        pivot = next(r for r in range(c, len(free)) if M[r][c] != 0)
        M[c], M[pivot] = M[pivot], M[c]
        M[c] = [a / M[c][c] for a in M[c]]
        for r in range(len(free)):
            if r != c:
                M[r] = [a - M[r][c] * b for a, b in zip(M[r], M[c])]
    return free, np.array([[float(a) for a in row[len(free) :]] for row in M])


def walks():
    yield np.array(
        [
            [1e-7, 1e-2, 1e-3, 1e-6, 1e-3, 1e-8, 0],
            [1e-4, 0, 1e-7, 1e-3, 0, 0, 1e-6],
            [1e-8, 0, 0.1, 1e-3, 1e-8, 0, 0],
            [0, 0, 0, 1e-2, 1e-6, 0, 0],
            [0, 1e-6, 0.1, 0, 1e-3, 0, 1e-2],
            [1e-4, 0.1, 1e-6, 0, 1e-2, 0, 0.1],
            [0, 1e-6, 1e-5, 0.1, 0, 1e-7, 1e-5],
        ]
    )
    draw = np.random.default_rng(3)
    for _ in range(60):
        n = int(draw.integers(5, 12))
        A = 10.0 ** -draw.integers(0, 9, (n, n)) * (draw.random((n, n)) < 0.6)
        yield A + np.roll(np.diag(np.full(n, 1e-6)), 1, axis=1)  # everybody reaches everybody


@pytest.mark.parametrize("solver", ["auto", "bicgstab", "iterate"])
def test_a_walk_that_hardly_leaves_is_solved_or_said_not_to_be(solver):
    """Kind: a residual that is small beside an error that is not (pyGPCCA 18): directed graphs of weak links
    came out up to 2.5 % off and called converged."""
    for A in walks():
        for storage in ("sparse", "dense"):
            if storage == "dense" and (A == 0).any():
                continue
            m = lw.Mechanism(
                metric="euclidean",
                kernel="indicator",
                support=lw.supports.Graph(sparse.csr_matrix(A), weights="given"),
            )
            P = m.operator(np.arange(float(len(A)))[:, None])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                F, report = P.equilibrium(np.eye(len(A))[:, :2], clamped=np.arange(len(A)) < 2, solver=solver)
            if report.converged:
                free, want = absorbed(A, [0, 1])
                assert_allclose(F[free], want, atol=2e-4)
            assert report.converged or solver != "auto"


FITTED = {
    "KernelDensity": lambda: lw.KernelDensity().fit(X),
    "KernelRegressor": lambda: lw.KernelRegressor().fit(X, X[:, 0]),
    "KernelClassifier": lambda: lw.KernelClassifier().fit(X, X[:, 0] > 2),
    "SpectralClustering": lambda: lw.SpectralClustering(2, random_state=0).fit(X),
    "DiffusionMaps": lambda: lw.DiffusionMaps(2).fit(X),
    "LabelSpreading": lambda: lw.LabelSpreading().fit(X, np.where(np.arange(200) < 9, X[:, 0] > 2, -1)),
    "MeanShift": lambda: lw.MeanShift(bandwidth=2.0).fit(X),
    "NearestNeighbors": lambda: lw.NearestNeighbors().fit(X),
    "an operator": lambda: lw.Mechanism(kernel=lw.kernels.Gaussian(1.0)).operator(X),
    "a mechanism": lambda: lw.Mechanism(kernel=lw.kernels.Gaussian(1.0), support=lw.supports.Window(1, 2)),
    "AttentionClassifier": lambda: lw.AttentionClassifier(
        embed_dim=4, num_heads=1, max_epochs=2, early_stopping=False
    ).fit(X, X[:, 0] > 2, context="rows"),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", FITTED)
def test_every_protocol_of_pickle(name):
    """Kind: what a binding leaves to its base class (machinelearning 3206): protocols 0 and 1 ended the
    process."""
    given = FITTED[name]()
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        back = pickle.loads(pickle.dumps(given, protocol=protocol))
        assert type(back) is type(given)
        for method in ("score_samples", "predict", "transform", "kneighbors"):
            if hasattr(given, method):
                assert_array_equal(getattr(back, method)(X[:5]), getattr(given, method)(X[:5]))


def test_every_bound_class_reduces_or_refuses():
    from likewise import _core

    for name, cls in vars(_core).items():
        if isinstance(cls, type) and not issubclass(cls, BaseException):
            assert cls.__reduce__ is not object.__reduce__, name
    found = lw.select_bandwidth("median", X)
    with pytest.raises(TypeError, match="cannot pickle"):
        found.__reduce__()


def test_settings_that_say_nothing_to_a_context_are_told():
    """Kind: an option that is lost (dn3 6): a learning rate of 1e6 changed nothing, -1 was taken."""
    quick = {"embed_dim": 4, "num_heads": 1, "max_epochs": 3, "early_stopping": False, "random_state": 0}
    y = X[:, 0] > 2
    with pytest.warns(
        UserWarning, match="^learning_rate, schedule|^schedule, learning_rate|optimizer"
    ) as said:
        lw.AttentionClassifier(learning_rate=1e6, schedule="cosine", **quick).fit(X, y, context="rows")
    assert "learning_rate" in str(said[0].message) and "schedule" in str(said[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter(
            "ignore", lw.ConvergenceWarning if hasattr(lw, "ConvergenceWarning") else UserWarning
        )
        lw.AttentionClassifier(**quick).fit(X, y, context="rows")


@pytest.mark.parametrize("context", [None, "rows"])
@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("learning_rate", -1, "positive"),
        ("learning_rate", np.nan, "positive"),
        ("weight_decay", -1, "not negative"),
        ("weight_decay", np.nan, "not negative"),
        ("weight_decay", np.inf, "not negative"),
        ("tol", -1, "not negative"),
        ("max_norm", -2.0, "not negative"),
        ("mlp_ratio", -1, "not negative"),
    ],
)
def test_numbers_of_a_training_are_refused_by_their_own_name(name, value, says, context):
    """Kind: a value that is not allowed and becomes the default, or is told by another name (cito 29)."""
    model = lw.AttentionClassifier(**{name: value}, max_epochs=1)
    with pytest.raises(ValueError, match=rf"^{name} must be a finite number that is {says}; got "):
        model.fit(X, X[:, 0] > 2, context=context)


def test_a_file_keeps_what_a_model_was_made_with(tmp_path):
    """Kind: what is lost on the way through a file (machinelearning 3206): the seed, the type of labels."""
    y = np.where(X[:, 0] > 2, "a", "bb").astype(object)
    model = lw.AttentionClassifier(embed_dim=4, num_heads=1, max_epochs=2, random_state=5).fit(X, y)
    model.save(tmp_path / "model")
    back = lw.AttentionClassifier.load(tmp_path / "model")
    assert back.get_params() == model.get_params()
    assert back.classes_.dtype == model.classes_.dtype == object
    assert_array_equal(back.predict(X), model.predict(X))
    model.set_params(random_state=np.random.RandomState(0)).fit(X, y).save(tmp_path / "model")
    assert lw.AttentionClassifier.load(tmp_path / "model").random_state is None


@pytest.mark.parametrize("k", ["5", 3.0, None, True], ids=str)
@pytest.mark.parametrize(
    "model", [lw.SpectralClustering(2, affinity="nearest_neighbors"), lw.SpectralEmbedding()], ids=repr
)
def test_a_number_of_neighbors_is_refused_as_it_was_given(model, k):
    """Kind: a value that is worked on before it is looked at (spark-python-knn 1)."""
    if k is None and isinstance(model, lw.SpectralEmbedding):
        return  # n / 10
    with pytest.raises(TypeError, match=rf"^n_neighbors must be an int; got {k!r}\.$"):
        clone(model).set_params(n_neighbors=k).fit(X)


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("sequence", lambda layer: layer.attention_weights(2.5)),
        ("sequence", lambda layer: layer.attention_weights(X)),
        ("head", lambda layer: layer.metric("a")),
        ("head", lambda layer: layer.mechanism("a")),
        ("head", lambda layer: layer.temperature(1.5)),
        ("head", lambda layer: layer.log_key_weights(np.ones((2, 8)), head="b")),
    ],
)
def test_methods_of_layers_name_their_arguments(argument, call):
    """Kind: arguments that the binding gave no name (VLM-Visualizer 1)."""
    layer = lw.nn.SelfAttention(8, 2, random_state=0)
    layer.forward(np.ones((1, 3, 8), np.float32))
    with pytest.raises(TypeError, match=rf"^{argument} must be an int; got "):
        call(layer)


@pytest.mark.parametrize(
    ("rule", "cost"),
    [
        *((rule, np.inf) for rule in ("median", "scott", "silverman", "bgh", "self_tuning", "perplexity")),
        ("median", -1.0),
        ("bgh", -1.0),
    ],
)
def test_distances_that_are_none_are_the_metrics(rule, cost):
    """Kind: a message that blames what follows from the fault (Normaliz 12)."""
    metric = lw.metrics.Custom(lambda A, B: np.full((len(A), len(B)), cost), symmetric=True, distance_power=1)
    with pytest.raises(ValueError, match=r"^metric must be .*; got Custom"):
        lw.select_bandwidth(rule, X, metric=metric)


# --- tenth round


def a_walk(n=30):
    """A symmetric graph whose weights all differ."""
    A = a_graph(n)
    return sparse.csr_matrix(A + A.T)


def spread(a):
    """The same numbers, each beside another."""
    return np.stack([a, a * 0 + 1], axis=1)[:, 0]


def of_a_record(a):
    table = np.ones(len(a), [("a", "i1"), ("b", a.dtype)])
    table["b"] = a
    return table["b"]


LAYOUTS = {
    "a column": spread,
    "reversed": lambda a: a[::-1].copy()[::-1],
    "a field": of_a_record,
    "a real part": lambda a: a.astype(complex).real if a.dtype.kind == "f" else a,
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "one for all": lambda a: np.broadcast_to(a[0], a.shape) if a.dtype.kind == "f" else a,
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype),
}


def laid_out(A, parts, layout):
    """A with some of its three arrays laid out so, which no constructor puts in order, and its dense copy."""
    A = A.copy()
    for part in parts:
        setattr(A, part, LAYOUTS[layout](getattr(A, part)))
    dense = np.zeros(A.shape)
    for i in range(A.shape[0]):
        for at in range(A.indptr[i], A.indptr[i + 1]):
            dense[i, A.indices[at]] += A.data[at]
    return A, dense


def walk_of(A, normalization="none"):
    given = lw.supports.Graph(A, weights="given")
    m = lw.Mechanism(kernel="indicator", support=given, normalization=normalization)
    return m.operator(np.zeros((A.shape[0], 1)))


NO_LABEL = np.where(np.arange(30) < 10, np.arange(30) % 2, -1)
READERS_OF_LAYOUTS = {
    "edges": lambda A: lw.supports.Graph(A).edges.toarray(),
    "admitted": lambda A: lw.supports.Mask(A.astype(bool)).edges.toarray(),
    "walk": lambda A: walk_of(A, "row").toarray(),
    "product": lambda A: walk_of(A) @ np.arange(30.0),
    "clusters": lambda A: lw.SpectralClustering(2, affinity="precomputed", random_state=0).fit(A).predict(A),
    "embedding": lambda A: lw.SpectralEmbedding(2, affinity="precomputed").fit_transform(A),
    "distances": lambda A: lw.SpectralEmbedding(
        2, affinity="precomputed_nearest_neighbors", n_neighbors=2
    ).fit_transform(A),
    **{
        model.__name__: lambda A, model=model: (
            model(kernel=lambda X, Z: A).fit(np.ones((30, 1)), NO_LABEL).label_distributions_
        )
        for model in (lw.LabelPropagation, lw.LabelSpreading)
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("parts", [["data"], ["indices"], ["indptr"], ["data", "indices", "indptr"]], ids=str)
def test_the_arrays_of_a_sparse_matrix_may_lie_anyhow(parts, layout):
    """Kind: memory read as if it were dense; weights were a column of a table (scipy 20182)."""
    A, dense = laid_out(a_walk(), parts, layout)
    assert_allclose(walk_of(A).toarray(), dense, rtol=1e-15)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of graphs in parts
        for reader, read in READERS_OF_LAYOUTS.items():
            assert_allclose(read(A), read(sparse.csr_matrix(dense)), atol=1e-12, err_msg=reader)


@pytest.fixture(scope="module")
def saved_models():
    """One of each kind of file, and the inputs that it answers for."""
    Z = np.random.default_rng(0).normal(size=(40, 4))
    made = lw.AttentionClassifier(n_tokens=2, embed_dim=4, num_heads=1, max_epochs=1, random_state=0)
    rows = lw.AttentionClassifier(embed_dim=4, num_heads=1, max_epochs=1, random_state=0)
    return [made.fit(Z, Z[:, 0] > 0), rows.fit(Z, Z[:, 0] > 0, context="rows")], Z


NAMES = [
    b"\xff.bin",
    b"caf\xe9.lw",
    os.fsdecode(b"caf\xe9.lw"),
    "caf\u00e9 \u20ac.lw",
    b"folder\xe9/model",
    *(n * "b" for n in (239, 240, 244, 254, 255)),
]


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_models_are_saved_under_every_name_that_the_system_has(name, saved_models, tmp_path):
    """Kind: a path taken for text, and a file beside it with a longer name (pycox 111)."""
    models, Z = saved_models
    folder, base = os.path.split(os.path.join(os.fsencode(tmp_path), os.fsencode(name)))
    os.makedirs(folder, exist_ok=True)
    for given in (os.path.join(folder, base), os.fsdecode(os.path.join(folder, base))):
        for model in models:
            model.save(given)
            assert os.listdir(folder) == [base]
            found = lw.AttentionClassifier.load(given)
            assert_array_equal(found.predict_proba(Z), model.predict_proba(Z))
        os.remove(given)
        with pytest.raises(ValueError, match=r"path '.*' must be a file that can be read; got none"):
            lw.AttentionClassifier.load(given)


@pytest.mark.parametrize("name", ["m\0.v2", b"m\0.v2", "m\0"], ids=repr)
def test_a_null_byte_ends_no_name(name, saved_models, tmp_path, monkeypatch):
    """Kind: text that C reads up to its first 0: another file was overwritten, with nothing said."""
    models, _ = saved_models
    monkeypatch.chdir(tmp_path)
    models[0].save("m")
    content = (tmp_path / "m").read_bytes()
    says = "path must be .* no null byte; got a name with an embedded null byte, 'm"
    for model in models:
        with pytest.raises(ValueError, match=says):
            model.save(name)
    with pytest.raises(ValueError, match=says):
        lw.AttentionClassifier.load(name)
    assert os.listdir() == ["m"]
    assert (tmp_path / "m").read_bytes() == content


def test_a_name_that_no_system_has_is_refused():
    with pytest.raises(ValueError, match="path must be a name that the system can have"):
        lw.AttentionClassifier.load("\ud800")


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.coo_matrix, sparse.lil_matrix])
def test_sparse_masks_are_refused_by_name(form):
    """Kind: a container of which NumPy makes one object (scipy 20182)."""
    q, layer, one = np.ones((3, 4)), lw.nn.SelfAttention(4, random_state=0), form(np.eye(3, dtype=bool))
    calls = {
        "mask": [
            lambda: lw.attention(q, q, q, mask=one),
            lambda: lw.l2_attention(q, q, q, mask=one),
            lambda: layer.forward(q, mask=one),
            lambda: lw.from_torch_mask(one),
        ],
        "key_padding_mask": [
            lambda: lw.attention(q, q, q, key_padding_mask=one),
            lambda: layer.forward(q, key_padding_mask=one),
        ],
        "clamped": [
            lambda: (
                lw.Mechanism().replace(propagation=lw.propagations.Equilibrium()).propagate(q, q, clamped=one)
            )
        ],
    }
    says = r"{} must be a dense boolean array; got a sparse one of shape \(3, 3\)\. Use \.toarray\(\)\."
    for name, some in calls.items():
        for call in some:
            with pytest.raises(TypeError, match=says.format(name)):
                call()
    assert lw.attention(q, q, q, support=lw.supports.Mask(one)).shape == (3, 4)  # a graph


# --- the eleventh round -------------------------------------------------------------------------------------

TWO = np.random.default_rng(3).normal(size=(60, 2)) + 5 * (np.arange(60) >= 30)[:, None]
WIDE = np.random.default_rng(4).normal(size=(3, 2))
NETWORK = lw.maps.ResidualMLP(WIDE, None, np.ones((2, 3)) / 9, None)
SQUARES = {
    "sqeuclidean": lw.metrics.SquaredEuclidean(),
    "network": lw.metrics.Mapped(lw.maps.ResidualMLP(WIDE, None, np.zeros((2, 3)), None)),
    "linear": lw.metrics.Mapped(lw.maps.Linear(np.eye(2))),
    "function": lw.metrics.Custom(
        lambda X, Z: ((X[:, None] - Z) ** 2).sum(-1), distance_power=2, symmetric=True, zero_on_self=True
    ),
}


@pytest.mark.parametrize("metric", SQUARES)
@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_a_bandwidth_that_mean_shift_finds_is_a_length(metric, scale):
    """Kind: what a search reports, a square, taken for a length: clusters depended on the unit of X."""
    found = lw.estimate_bandwidth(scale * TWO, metric=SQUARES[metric])
    assert_allclose(found, scale * lw.estimate_bandwidth(TWO), rtol=1e-9)
    clusters = len(lw.MeanShift().fit(TWO).cluster_centers_)
    assert len(lw.MeanShift(metric=SQUARES[metric]).fit(scale * TWO).cluster_centers_) == clusters


def test_a_cost_that_is_no_distance_has_no_bandwidth():
    with pytest.raises(ValueError, match="metric must be a distance or the square of one"):
        lw.estimate_bandwidth(TWO, metric="dot")


def test_a_linear_map_is_reported_in_the_unit_of_its_metric():
    """Kind: a special case in another unit: Mapped(Linear) reported roots, as Mahalanobis does."""
    linear, residual = (
        lw.maps.Linear(WIDE),
        lw.maps.ResidualMLP(np.ones((1, 2)), None, np.zeros((3, 1)), None, skip=WIDE),
    )
    for name, power in (("sqeuclidean", 2), ("euclidean", 1)):
        a, b = (
            lw.NearestNeighbors(n_neighbors=4, metric=lw.metrics.Mapped(m, name)).fit(TWO)
            for m in (linear, residual)
        )
        U = TWO @ WIDE.T
        want = np.sort(np.linalg.norm(U[:5, None] - U, axis=-1), axis=1)[:, :4] ** power
        for found in (a.kneighbors(TWO[:5])[0], b.kneighbors(TWO[:5])[0]):
            assert_allclose(found, want, atol=1e-12)
        within = [m.radius_neighbors(TWO[:5], 0.3, return_distance=False) for m in (a, b)]
        for one, other in zip(*within):
            assert_array_equal(one, other)
    K = lw.KNeighborsRegressor(3, weights="distance", metric=lw.metrics.Mapped(linear)).fit(TWO, TWO[:, 0])
    R = lw.KNeighborsRegressor(3, weights="distance", metric=lw.metrics.Mapped(residual)).fit(TWO, TWO[:, 0])
    assert_allclose(K.predict(TWO + 0.1), R.predict(TWO + 0.1), rtol=1e-9)
    M = lw.Mechanism(metric=lw.metrics.Mahalanobis(WIDE), kernel="gaussian")
    P = lw.Mechanism(metric=lw.metrics.Mapped(linear), kernel="gaussian")
    given = {"kernel": lw.kernels.Gaussian(1.0)}
    assert_array_equal(M.replace(**given).operator(TWO).toarray(), P.replace(**given).operator(TWO).toarray())


@pytest.mark.parametrize("kind", ["residual", "function"])
def test_mapped_points_obey_the_memory_limit(kind):
    """Kind: memory that is taken before anybody asks the limit."""
    width = 500
    map = {
        "residual": lw.maps.ResidualMLP(
            np.ones((3, 2)), None, np.zeros((width, 3)), None, skip=np.ones((width, 2))
        ),
        "function": lw.maps.Custom(lambda X: np.repeat(X, width // 2, axis=1)),
    }[kind]
    X = np.random.default_rng(0).normal(size=(20000, 2))
    metric = lw.metrics.Mapped(map)
    calls = [
        lambda: lw.kneighbors(X, n_neighbors=3, metric=metric),
        lambda: lw.Mechanism(metric=metric, kernel=lw.kernels.Gaussian(1.0)).operator(X, storage="streamed"),
        lambda: lw.KNeighborsClassifier(metric=metric).fit(X, X[:, 0] > 0),
        lambda: lw.KernelRegressor(metric=metric, bandwidth=1.0).fit(X, X[:, 0]),
        lambda: lw.Mechanism(metric=metric, kernel=lw.kernels.Gaussian(1.0)).operator(X, X[:2]),
    ]
    with lw.execution(memory_limit="20MB"):
        for call in calls:
            with pytest.raises(lw.MemoryLimitError, match="points seen through a map"):
                call()
        few = lw.kneighbors(X[:100], n_neighbors=3, metric=metric)
    assert few[0].shape == (100, 3)


def test_a_layer_without_parameters_keeps_its_dtype():
    layer = lw.nn.AttentionLayer(
        4, 1, score="sqdist", tied=True, project=False, values=False, dtype=np.float64
    )
    layer.load_state_dict(layer.state_dict())
    assert layer.dtype == np.float64


@pytest.mark.parametrize("unit", [1e-165, 1e155, 1e300])
def test_targets_of_any_size_are_learned(unit):
    """Kind: squares that leave the range of float64 before a root brings them back."""
    X = TWO / 5
    made = lw.AttentionRegressor(max_epochs=20, random_state=0, early_stopping=False)
    usual, far = clone(made).fit(X, X[:, 0]).predict(X), clone(made).fit(X, unit * X[:, 0]).predict(X)
    assert_allclose(far / unit, usual, rtol=1e-4, atol=1e-5)
    constant = clone(made).fit(X, np.full(60, unit)).predict(X)
    assert_allclose(constant, unit, rtol=1e-2, atol=1e-2)
    with pytest.raises(ValueError, match=r"y must be of shape \(n,\) or \(n, n_targets\); got shape"):
        made.fit(X, np.zeros((60, 2, 2)))


def test_what_float64_cannot_square_is_refused_by_name():
    with pytest.raises(ValueError, match="y must have a variance that float64 holds"):
        lw.MetricLearner().fit(TWO, 1e200 * TWO[:, 0])


def test_a_map_without_a_derivative_leaves_those_of_values_and_temperature():
    """Kind: what is not asked for is refused with what is: P.vjp as a whole."""
    kernel = lw.kernels.Exponential(1.0)
    plain = lw.Mechanism(metric="sqeuclidean", kernel=kernel).operator(np.tanh(TWO))
    P = lw.Mechanism(metric=lw.metrics.Mapped(lw.maps.Custom(np.tanh)), kernel=kernel).operator(TWO)
    G = np.random.default_rng(0).normal(size=(60, 1))
    found, want = P.vjp(G, TWO[:, :1]), plain.vjp(G, TWO[:, :1])
    assert "points" not in found
    for name in ("values", "temperature"):
        assert_allclose(found[name], want[name], rtol=1e-9)


def test_no_points_attend_to_no_points_through_a_map():
    for shape in ((2, 0, 2), (0, 5, 2)):
        assert lw.metric_attention(np.zeros(shape), lw.maps.Linear(WIDE)).shape == shape


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: lw.metrics.Mapped(lw.maps.Linear(WIDE), lw.metrics.Mahalanobis(np.eye(2, 4))),
         ValueError, "metric must be one that reads the 3 outputs of the map; got Mahalanobis"),
        (lambda: lw.metrics.Mapped((lw.maps.Linear(WIDE), lw.maps.Linear(WIDE[:2])), "dot"),
         ValueError, "map must be two of as many outputs where both are compared; got 3 and 2"),
        (lambda: lw.metric_attention(TWO, (lw.maps.Linear(WIDE), lw.maps.Linear(WIDE[:2]))),
         ValueError, "map must be two of as many outputs; got 3 and 2"),
        (lambda: lw.maps.Linear(WIDE, None, 3), TypeError, r"Linear\(\) takes W, b"),
        (lambda: lw.maps.ResidualMLP(w1=WIDE), TypeError, r"ResidualMLP\(\) takes W1, .*got w1"),
        (lambda: lw.maps.Custom(), TypeError, "function is missing"),
    ],
)  # fmt: skip
def test_maps_say_which_argument_does_not_fit(call, error, says):
    """Kind: a module whose errors nobody had wrapped; a message that names what the caller has not."""
    with pytest.raises(error, match=says):
        call()


class OwnGaussian(lw.kernels.Gaussian):
    """A user's class of a value."""


def test_a_users_class_of_a_value_is_pickled_as_what_it_is():
    """Kind: a pickle that names the class it was written in."""
    own = OwnGaussian(0.5)
    own.note = "mine"
    again = pickle.loads(pickle.dumps(own))
    assert type(again) is OwnGaussian and again.bandwidth == 0.5 and again.note == "mine"
    assert pickle.loads(pickle.dumps(lw.kernels.Gaussian(0.5))) == lw.kernels.Gaussian(0.5)


def test_a_density_through_a_square_map_is_that_of_mahalanobis():
    W = np.array([[2.0, 0.5], [0.0, 1.0]])
    known = lw.KernelDensity(bandwidth=1.0, metric=lw.metrics.Mahalanobis(W)).fit(TWO).score_samples(TWO)
    mapped = lw.KernelDensity(bandwidth=1.0, metric=lw.metrics.Mapped(lw.maps.Linear(W))).fit(TWO)
    assert_allclose(mapped.score_samples(TWO), known, rtol=1e-12)


def test_maps_show_their_signatures():
    import inspect

    for cls in (lw.maps.Linear, lw.maps.ResidualMLP, lw.maps.Custom):
        names = list(inspect.signature(cls).parameters)
        assert names and all(name in cls.__init__.__doc__ for name in names)
