"""What public bug reports of other libraries asked of this one and it could not answer.

Each test names the kind of fault and the report that led to it; docs/reports has all reports that were tried.
"""

import pickle
import pprint

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from scipy.spatial.distance import cdist

import likewise as lw

rng = np.random.default_rng(0)

X = rng.normal(size=(200, 3)) + 2

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


def test_no_columns_have_a_gradient_of_no_columns():
    """Kind: an empty array that is taken for none (nanobind 1259)."""
    P = lw.Mechanism(kernel=lw.kernels.Gaussian(1.0)).operator(X[:6])
    assert P.vjp(np.zeros((6, 0)), np.zeros((6, 0)))["values"].shape == (6, 0)
    with pytest.raises(ValueError, match=r"q must have dim 1 or more; got shape \(2, 0\)"):
        lw.attention(np.zeros((2, 0)), np.zeros((3, 0)), np.zeros((3, 1)))


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


class OwnGaussian(lw.kernels.Gaussian):
    """A user's class of a value."""


def test_a_users_class_of_a_value_is_pickled_as_what_it_is():
    """Kind: a pickle that names the class it was written in."""
    own = OwnGaussian(0.5)
    own.note = "mine"
    again = pickle.loads(pickle.dumps(own))
    assert type(again) is OwnGaussian and again.bandwidth == 0.5 and again.note == "mine"
    assert pickle.loads(pickle.dumps(lw.kernels.Gaussian(0.5))) == lw.kernels.Gaussian(0.5)
