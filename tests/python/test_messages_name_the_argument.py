"""Errors of estimators speak of the argument that was wrong."""

import re

import numpy as np
import pytest

import likewise as lw
from likewise import datasets

X = np.random.default_rng(0).normal(size=(30, 3))
Y = np.arange(30) % 3

CASES = [
    (lambda: lw.KNeighborsClassifier(weights="distence").fit(X, Y), "weights", "distence"),
    (lambda: lw.RadiusNeighborsRegressor(weights="foo").fit(X, Y), "weights", "foo"),
    (lambda: lw.DiffusionMaps(density_alpha=np.nan).fit(X), "density_alpha", "nan"),
    (lambda: lw.DiffusionMaps(density_alpha="one").fit(X), "density_alpha", "one"),
    (lambda: lw.DiffusionMaps(eigen_tol=-1.0).fit(X), "eigen_tol", "-1"),
    (lambda: lw.DiffusionMaps(eigen_tol="tiny").fit(X), "eigen_tol", "tiny"),
    (lambda: lw.NearestNeighbors(metric="seuclidean").fit(X), "metric_params", "'V'"),
    (lambda: lw.NearestNeighbors(metric="mahalanobis").fit(X), "metric_params", "'V'"),
    (lambda: lw.KernelDensity(metric="mahalanobis").fit(X), "metric_params", "'V'"),
    (lambda: lw.NearestNeighbors(metric_params=3).fit(X), "metric_params", "3"),
    (lambda: lw.NearestNeighbors(algorithm=["brute"]).fit(X), "algorithm", "brute"),
    (lambda: lw.KernelRegressor().fit(X, Y[:-1]), "y", "29"),
    (lambda: lw.KNeighborsClassifier().fit(X, Y[:-1]), "y", "29"),
    (lambda: lw.LabelPropagation().fit(X, Y[:-1]), "y", "29"),
    (lambda: lw.MetricLearner().fit(X, Y[:-1]), "y", "29"),
    (lambda: lw.AttentionClassifier(max_epochs=1).fit(X, Y[:-1]), "y", "29"),
    (lambda: lw.SpectralClustering(2, random_state=-1).fit(X), "random_state", "-1"),
    (lambda: lw.SpectralClustering(2, random_state="seed").fit(X), "random_state", "seed"),
    *[
        (lambda call=call, seed=seed: call(seed), "random_state", repr(seed))
        for seed in (-1, 2**70, 1.5, "seed", np.random.default_rng(0))
        for call in (
            lambda s: lw.SpectralClustering(2, random_state=s).fit(X),
            lambda s: lw.select_bandwidth("median", X, random_state=s),
            lambda s: lw.AttentionClassifier(max_epochs=1, random_state=s).fit(X, Y),
            lambda s: lw.AttentionRegressor(max_epochs=1, random_state=s).fit(X, Y, context="rows"),
            lambda s: lw.MetricLearner(init="random", random_state=s).fit(X, Y),
            lambda s: lw.MetricLearner(2, init="pca", random_state=s).fit(X, Y),
            lambda s: lw.MetricLearner(batch_size=8, random_state=s).fit(X, Y),
            lambda s: lw.KernelDensity(bandwidth=1.0).fit(X).sample(2, random_state=s),
            lambda s: lw.nn.AttentionLayer(4, random_state=s),
            lambda s: lw.nn.SelfAttention(4, random_state=s),
            lambda s: lw.nn.MetricAttention(4, random_state=s),
            lambda s: datasets.blobs(9, random_state=s),
        )
    ],
    (lambda: lw.Mechanism().operator(), "Z", "none"),
    (lambda: lw.metrics.Mahalanobis.from_matrix([[1.0, 2.0], [3.0, 4.0]]), "matrix", "symmetric"),
    (lambda: lw.metrics.Mahalanobis.from_matrix([[1.0, 2.0], [2.0, 1.0]]), "matrix", "from -1 to 3 where"),
    (lambda: lw.metrics.Mahalanobis.from_matrix(np.ones((2, 3))), "matrix", "2 x 3"),
    (lambda: lw.metrics.Mahalanobis.from_diagonal([1.0, -3.0]), "diagonal", "-3"),
    (lambda: lw.MeanShift(bandwidth=0.3, bin_seeding=True).fit(FAR_FROM_CELLS), "bin_seeding", "0.3"),
    (lambda: lw.MeanShift(bandwidth=0.3, seeds=[[9.0, 9.0, 9.0]]).fit(X), "seeds", "0.3"),
]
FAR_FROM_CELLS = np.full((4, 6), 0.45)  # 0.15 off a cell's center along each axis


@pytest.mark.parametrize(("call", "argument", "value"), CASES)
def test_the_argument_and_its_value_are_named(call, argument, value):
    """Kind: an error that names an argument of somebody inside, or none at all."""
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    message = str(caught.value)
    assert re.search(rf"\b{argument} must ", message)
    assert value in message


OF_METRICS = [
    ("minkowski", {"w": [1, -1, 1]}, "w", "weights >= 0, all finite; got -1.0"),
    ("minkowski", {"w": "heavy"}, "w", "a vector of weights; got 'heavy'"),
    ("seuclidean", {"V": [1, 0, 1]}, "V", "positive variances, all finite; got 0.0"),
    ("seuclidean", {"V": [1, -2, 1]}, "V", "positive variances, all finite; got -2.0"),
    ("seuclidean", {"V": -2}, "V", "a vector of variances, (n_features,); got -2"),
    ("seuclidean", {"V": np.eye(3)}, "V", "a vector of variances, (n_features,); got shape (3, 3)"),
    ("seuclidean", {"V": [1, 1e-320, 1]}, "V", "positive variances, all finite; got 1e-320"),
    ("mahalanobis", {"V": np.diag([4.0, 0.0, 1.0])}, "V", "full rank, 3; got rank 2"),
    ("mahalanobis", {"V": [[4.0, 1.0], [3.0, 4.0]]}, "V", "symmetric; got entries that differ"),
    ("mahalanobis", {"VI": -4 * np.eye(3)}, "VI", "positive semidefinite"),
    ("minkowski", {"w": [1, 1]}, "w", "of X's 3 features; got 2"),
    ("seuclidean", {"V": [1, 1, 1, 1]}, "V", "of X's 3 features; got 4"),
    ("mahalanobis", {"V": np.eye(2)}, "V", "of X's 3 features; got 2"),
    ("mahalanobis", {"VI": np.eye(4)}, "VI", "of X's 3 features; got 4"),
]


@pytest.mark.parametrize("estimator", [lw.NearestNeighbors, lw.KNeighborsRegressor, lw.KernelDensity])
@pytest.mark.parametrize(("metric", "params", "name", "said"), OF_METRICS)
def test_parameters_of_metrics_are_told_as_they_were_given(estimator, metric, params, name, said):
    """Kind: an error about what was made of an argument (1/V, a diagonal), not about the argument."""
    with pytest.raises((ValueError, TypeError)) as caught:
        estimator(metric=metric, metric_params=params).fit(X, Y)
    assert str(caught.value).startswith(f"metric_params['{name}'] must be ")
    assert said in str(caught.value)


def test_an_operator_takes_its_points_by_the_name_that_errors_use():
    """Kind: errors that call an argument by a name it cannot be given by."""
    m = lw.Mechanism()
    assert np.array_equal(m.operator(Z=X) @ Y, m.operator(X) @ Y)


OF_TWO = [lw.metrics.Mahalanobis(np.eye(2)), lw.metrics.Mahalanobis(np.ones((1, 2)))]


@pytest.mark.parametrize("metric", OF_TWO, ids=str)
@pytest.mark.parametrize(
    "make",
    [
        lambda m: lw.KernelDensity(metric=m),
        lambda m: lw.KernelRegressor(bandwidth=1.0, metric=m),
        lambda m: lw.KernelRegressor(bandwidth=1.0, metric=m, degree=1),
        lambda m: lw.KernelClassifier(bandwidth=1.0, metric=m),
        lambda m: lw.KNeighborsClassifier(metric=m),
        lambda m: lw.RadiusNeighborsRegressor(metric=m),
        lambda m: lw.HopfieldMemory(metric=m),
        lambda m: lw.MeanShift(bandwidth=1.0, metric=m),
        lambda m: lw.LabelPropagation(metric=m),
        lambda m: lw.DiffusionMaps(metric=m),
        lambda m: lw.SpectralClustering(2, metric=m),
    ],
)
def test_a_metric_of_other_points_is_refused_when_it_meets_them(make, metric):
    """Kind: what does not fit, taken by fit and found by the first prediction."""
    with pytest.raises(ValueError, match=r"^X must be an array with 2 features for Mahalanobis\(.*; got 3"):
        make(metric).fit(X, Y)


@pytest.mark.parametrize(
    "make",
    [
        *(lw.DiffusionMaps, lw.SpectralClustering, lw.SpectralEmbedding, lw.MarkovClustering),
        *(lw.LabelPropagation, lw.LabelSpreading, lw.KernelRegressor, lw.KNeighborsClassifier),
        *(lw.NearestNeighbors, lw.MeanShift),
    ],
)
def test_precomputed_costs_that_are_not_between_the_points_are_named(make):
    with pytest.raises(ValueError, match=r"X must be (square|a matrix of costs)"):
        make(metric="precomputed").fit(np.ones((30, 2)), np.arange(30) % 2)
