"""The base that every estimator starts from, on a small estimator of its own."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.utils import check_random_state

import likewise as lw
from likewise import kernels, metrics, normalizations, supports
from likewise._checks import random_of, seed_of
from likewise._estimator import MechanismMixin, fill_bandwidth, warn_unless_converged


class Regressor(MechanismMixin, RegressorMixin, BaseEstimator):
    _fixed_slots = {"normalization": "row", "empty_row": "nearest"}  # noqa: RUF012

    def __init__(self, *, metric="euclidean", kernel="gaussian", bandwidth="loo", support="all", n_jobs=None):
        self.metric = metric
        self.kernel = kernel
        self.bandwidth = bandwidth
        self.support = support
        self.n_jobs = n_jobs


class Spreading(MechanismMixin, BaseEstimator):
    """scikit-learn's default gamma stands beside our bandwidth."""

    def __init__(self, kernel="rbf", gamma=20, bandwidth=None):
        self.kernel = kernel
        self.gamma = gamma
        self.bandwidth = bandwidth


def test_parameters_become_slots():
    m = Regressor(metric="l1", support=supports.Neighbors(3)).mechanism
    assert m == lw.Mechanism(
        metric=metrics.Manhattan(),
        kernel=kernels.Gaussian("loo"),
        support=supports.Neighbors(3),
        empty_row="nearest",
    )


def test_mechanism_is_read_only_and_follows_set_params():
    model = Regressor()
    with pytest.raises(AttributeError):
        model.mechanism = lw.Mechanism()
    model.set_params(metric="cosine", bandwidth=0.3)
    assert model.mechanism.metric == metrics.Cosine()
    assert model.mechanism.kernel == kernels.Gaussian(0.3)
    assert clone(model).mechanism == model.mechanism


@pytest.mark.parametrize(
    ("kernel", "bandwidth", "want"),
    [
        ("gaussian", 0.3, kernels.Gaussian(0.3)),
        ("gaussian", "scott", kernels.Gaussian("scott")),
        (kernels.Gaussian(0.3), "loo", kernels.Gaussian(0.3)),
        (kernels.Gaussian(0.3), 0.3, kernels.Gaussian(0.3)),
        (kernels.Gaussian("bgh"), "loo", kernels.Gaussian("bgh")),
        (kernels.StudentT(df=3), 0.3, kernels.StudentT(0.3, df=3)),
        (kernels.Exponential(2.0), "loo", kernels.Exponential(2.0)),
        ("indicator", "loo", kernels.Indicator()),
        ("indicator", 2.0, kernels.Indicator(2.0)),
        ("inverse_distance", "loo", kernels.InverseDistance()),
    ],
)
def test_a_bandwidth_fills_only_what_the_kernel_leaves_open(kernel, bandwidth, want):
    assert Regressor(kernel=kernel, bandwidth=bandwidth).mechanism.kernel == want


@pytest.mark.parametrize(
    ("parameters", "want"),
    [
        ({}, kernels.Gaussian(np.sqrt(1 / 40))),
        ({"gamma": 2}, kernels.Gaussian(0.5)),
        ({"bandwidth": 0.3}, kernels.Gaussian(0.3)),
        ({"bandwidth": "median"}, kernels.Gaussian("median")),
        ({"gamma": None}, kernels.Gaussian()),
        ({"kernel": kernels.Gaussian(0.3)}, kernels.Gaussian(0.3)),
        ({"kernel": kernels.Gaussian(0.5), "gamma": 2.0}, kernels.Gaussian(0.5)),
    ],
)
def test_a_default_gamma_gives_way(parameters, want):
    assert Spreading(**parameters).mechanism.kernel == want


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"kernel": kernels.Gaussian(0.3), "bandwidth": 0.4},
            r"bandwidth must agree with kernel=Gaussian\(bandwidth=0.3\)",
        ),
        ({"kernel": kernels.Gaussian(0.3), "gamma": 1.0}, "gamma must agree with kernel"),
        (
            {"kernel": "gaussian", "gamma": 1.0, "bandwidth": 0.3},
            "gamma must not be given together with bandwidth",
        ),
        ({"kernel": "gaussian", "gamma": -1.0}, "gamma must be positive and finite; got -1.0"),
        ({"kernel": "exponential", "bandwidth": 0.3}, r"bandwidth must be None with kernel=Exponential\(\)"),
        ({"kernel": "gaussian", "bandwidth": 0.0}, "bandwidth must be .*positive.*; got 0"),
        ({"kernel": "gaussian", "bandwidth": "wide"}, "bandwidth must be .*'median'.*; got 'wide'"),
        ({"kernel": "gauss"}, "kernel must be one of .*'gaussian'.*; got 'gauss'"),
    ],
)
def test_contradictions_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        fill_bandwidth(**arguments)


def test_from_mechanism_sets_the_slots():
    m = lw.Mechanism(metric="cosine", kernel=kernels.Laplacian(0.3), support=supports.Neighbors(3))
    model = Regressor.from_mechanism(m, n_jobs=2)
    assert model.mechanism == m.replace(empty_row="nearest")
    assert model.n_jobs == 2


def test_from_mechanism_lets_the_estimator_fill_an_open_bandwidth():
    assert Regressor.from_mechanism(lw.Mechanism()).mechanism.kernel == kernels.Gaussian("loo")


def test_from_mechanism_refuses_a_slot_that_is_not_open():
    m = lw.Mechanism(normalization=normalizations.Symmetric())
    with pytest.raises(
        ValueError, match=r"normalization must be RowStochastic\(\) in Regressor; got Symmetric\(\)"
    ):
        Regressor.from_mechanism(m)
    with pytest.raises(ValueError, match=r"support must be .* in Spreading"):
        Spreading.from_mechanism(lw.Mechanism(support="causal"))


def test_precomputed_costs_are_pairwise_input():
    assert Regressor(metric="precomputed").__sklearn_tags__().input_tags.pairwise
    assert not Regressor().__sklearn_tags__().input_tags.pairwise
    assert not Regressor(metric="unknown").__sklearn_tags__().input_tags.pairwise


def test_float32_stays_and_everything_else_becomes_float64():
    model = Regressor()
    for dtype, want in [(np.float32, np.float32), (np.float64, np.float64), (int, np.float64)]:
        assert model._check_X(np.ones((3, 2), dtype), reset=True).dtype == want
    with pytest.raises(ValueError, match="X has 3 features, but Regressor is expecting 2 features"):
        model._check_X(np.ones((3, 3)), reset=False)


def test_sample_weights_are_log_key_weights():
    X = np.ones((3, 1))
    log_w = Regressor()._log_key_weights([1, 0, np.e], X)
    np.testing.assert_allclose(log_w, [0, -np.inf, 1], rtol=1e-15)  # NumPy 1.23 rounds log(e) down
    assert Regressor()._log_key_weights(None, X) is None
    with pytest.raises(ValueError, match="sample_weight"):
        Regressor()._log_key_weights([1, 2], X)
    with pytest.raises(ValueError, match="sample_weight"):
        Regressor()._log_key_weights([1, 2, -1], X)


class Report:
    n_iter, residual = 7, 0.123

    def __init__(self, converged):
        self.converged = converged


def test_convergence_warning_states_residual_and_steps():
    with pytest.warns(
        ConvergenceWarning, match=r"^max_iter=7 was reached without convergence\. residual=0.123, steps=7"
    ):
        warn_unless_converged(Report(False), 7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_unless_converged(Report(True), 7)


def test_seeds():
    assert seed_of(3) == 3
    assert seed_of(np.random.RandomState(0)) == seed_of(np.random.RandomState(0))
    assert isinstance(seed_of(None), int)
    for given in (3, np.int64(3), 2**32 - 1, np.random, None):  # the numbers that scikit-learn would draw
        np.random.seed(1)  # noqa: NPY002
        want = check_random_state(given).randint(100, size=5)
        np.random.seed(1)  # noqa: NPY002
        assert_array_equal(random_of(given).randint(100, size=5), want)


@pytest.mark.parametrize(
    "classifier",
    [lw.KernelClassifier(), lw.KNeighborsClassifier(3), lw.LabelPropagation(), lw.MetricLearner(max_iter=1)],
    ids=lambda classifier: type(classifier).__name__,
)
def test_a_table_of_nullable_labels_keeps_their_kind(classifier):
    """pandas' own integers and booleans in a table of one column are classes of that kind, as in a Series;
    scikit-learn's validation makes floats of them."""
    pd = pytest.importorskip("pandas")
    X = np.arange(12.0)[:, None]
    for labels, dtype in ((np.arange(12) % 3, "Int64"), (np.arange(12) % 2 == 0, "boolean")):
        with pytest.warns(DataConversionWarning):
            fitted = clone(classifier).fit(X, pd.DataFrame({"y": pd.Series(labels, dtype=dtype)}))
        assert fitted.classes_.dtype == labels.dtype
