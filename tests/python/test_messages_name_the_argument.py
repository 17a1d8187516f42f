"""Errors of estimators speak of the argument that was wrong."""

import re

import numpy as np
import pytest

import likewise as lw

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
    (lambda: lw.Mechanism().operator(), "Z", "none"),
]


@pytest.mark.parametrize(("call", "argument", "value"), CASES)
def test_the_argument_and_its_value_are_named(call, argument, value):
    """Kind: an error that names an argument of somebody inside, or none at all."""
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    message = str(caught.value)
    assert re.search(rf"\b{argument} must ", message)
    assert value in message


def test_an_operator_takes_its_points_by_the_name_that_errors_use():
    """Kind: errors that call an argument by a name it cannot be given by."""
    m = lw.Mechanism()
    assert np.array_equal(m.operator(Z=X) @ Y, m.operator(X) @ Y)
