"""What public bug reports of other libraries asked of this one: metrics, searches and bandwidths.

Each test names the kind of fault and the report that led to it; docs/reports has all reports that were tried.
"""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from sklearn.base import clone
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


@pytest.mark.parametrize("n_features", [30, 200])
def test_bin_seeding_that_sees_no_point_names_itself(n_features):
    """Kind: an error about an argument that nobody gave (scikit-learn 4176: cells of many dimensions)."""
    Z = np.random.default_rng(0).normal(size=(100, n_features)).round() + 0.24
    with pytest.raises(
        ValueError, match=r"bin_seeding must be false where .*the bandwidth, 0\.5,.*; got 100"
    ):
        lw.MeanShift(bandwidth=0.5, bin_seeding=True).fit(np.repeat(Z, 2, axis=0))


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


TWO = np.random.default_rng(3).normal(size=(60, 2)) + 5 * (np.arange(60) >= 30)[:, None]

WIDE = np.random.default_rng(4).normal(size=(3, 2))

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


def test_a_density_through_a_square_map_is_that_of_mahalanobis():
    W = np.array([[2.0, 0.5], [0.0, 1.0]])
    known = lw.KernelDensity(bandwidth=1.0, metric=lw.metrics.Mahalanobis(W)).fit(TWO).score_samples(TWO)
    mapped = lw.KernelDensity(bandwidth=1.0, metric=lw.metrics.Mapped(lw.maps.Linear(W))).fit(TWO)
    assert_allclose(mapped.score_samples(TWO), known, rtol=1e-12)
