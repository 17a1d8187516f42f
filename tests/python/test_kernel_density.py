"""KernelDensity against scikit-learn, direct sums and integrals."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from scipy.stats import gaussian_kde
from sklearn import datasets, neighbors
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

import likewise as lw
from likewise import kernels, metrics


@parametrize_with_checks([lw.KernelDensity(), lw.KernelDensity(kernel="exponential", bandwidth="silverman")])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_parameters_are_those_of_scikit_learn():
    want = neighbors.KernelDensity().get_params()
    assert {name: lw.KernelDensity().get_params()[name] for name in want} == want


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kernel", ["gaussian", "tophat", "epanechnikov", "exponential"])
@pytest.mark.parametrize("load", [datasets.load_iris, datasets.load_wine, datasets.load_diabetes])
def test_log_densities_equal_scikit_learns(load, kernel, weighted):
    X = load().data
    X = (X / X.std(axis=0))[:, :5]
    weights = np.random.default_rng(0).uniform(0.1, 2, len(X)) if weighted else None
    ours = lw.KernelDensity(kernel=kernel, bandwidth=1.3).fit(
        X[::2], sample_weight=weights[::2] if weighted else None
    )
    theirs = neighbors.KernelDensity(kernel=kernel, bandwidth=1.3).fit(
        X[::2], sample_weight=weights[::2] if weighted else None
    )
    got, want = ours.score_samples(X[1::2]), theirs.score_samples(X[1::2])
    # Where nothing is near, scikit-learn's tree is left with the rounding of its sums, about exp(-38).
    assert_allclose(np.exp(got), np.exp(want), rtol=1e-9, atol=1e-16)
    assert_allclose(got[want > -30], want[want > -30], rtol=1e-9)
    assert ours.score(X[::2]) == pytest.approx(theirs.score(X[::2]), rel=1e-9)


def test_silverman_and_scott_follow_the_scale_of_the_data():
    X = np.random.default_rng(1).normal(size=(300, 1)) * 25
    for rule in ("scott", "silverman"):
        ours = lw.KernelDensity(bandwidth=rule).fit(X)
        factor = gaussian_kde(X.T, bw_method=rule).factor
        assert ours.bandwidth_ == pytest.approx(factor * X.std(), rel=1e-12)
        scipy = gaussian_kde(X.T, bw_method=factor * X.std() / X.std(ddof=1))
        assert_allclose(ours.score_samples(X), scipy.logpdf(X.T), rtol=1e-9)


def test_the_mechanism_is_the_unnormalized_sum_of_the_table():
    X = datasets.load_iris().data
    model = lw.KernelDensity(kernel="epanechnikov", bandwidth=0.8).fit(X[::2])
    bare = lw.Mechanism(metric="euclidean", kernel=kernels.Epanechnikov(0.8), normalization="none")
    assert model.mechanism == model.mechanism_ == bare
    P = bare.operator(X[1::2], X[::2])
    with np.errstate(divide="ignore"):
        shape = np.log((P @ np.ones((75, 1))).ravel())
    constant = model.score_samples(X[:1]) - bare.operator(X[:1], X[::2]).log_row_sums
    assert_allclose(model.score_samples(X[1::2]), shape + constant, rtol=1e-10)


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev", metrics.Minkowski(1.5)])
@pytest.mark.parametrize(
    "kernel",
    ["gaussian", "tophat", "exponential", kernels.Tricube(), kernels.StudentT(df=9), kernels.Matern52()],
)
def test_densities_integrate_to_one(metric, kernel):
    X = np.random.default_rng(2).normal(size=(4, 2))
    model = lw.KernelDensity(kernel=kernel, metric=metric, bandwidth=0.6).fit(X)
    axis = np.linspace(-12, 12, 480, endpoint=False) + 0.025
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    assert np.exp(model.score_samples(grid)).sum() * 0.05**2 == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_far_queries_keep_a_finite_log_density(dtype):
    X = np.random.default_rng(3).normal(size=(20, 3)).astype(dtype)
    far = np.full((1, 3), 1e5, dtype=dtype)
    got = lw.KernelDensity(bandwidth=0.1).fit(X).score_samples(far)
    exponents = -cdist(far.astype(float), X.astype(float), "sqeuclidean") / 0.02
    want = logsumexp(exponents) - np.log(20) - 1.5 * np.log(2 * np.pi * 0.01)
    assert_allclose(got, want, rtol=1e-6)
    assert lw.KernelDensity(kernel="tophat").fit(X).score_samples(far) == -np.inf


@settings(max_examples=40, deadline=None)
@given(
    X=hnp.arrays(
        np.float64, st.tuples(st.integers(1, 10), st.integers(1, 3)), elements=st.floats(-50, 50, width=16)
    ),
    h=st.floats(0.05, 20),
)
def test_small_and_repeated_samples(X, h):
    n, d = X.shape
    got = lw.KernelDensity(bandwidth=h).fit(X).score_samples(X + 0.5)
    exponents = -cdist(X + 0.5, X, "sqeuclidean") / (2 * h**2)
    want = logsumexp(exponents, axis=1) - np.log(n) - d * np.log(np.sqrt(2 * np.pi) * h)
    assert_allclose(got, want, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kernel", ["gaussian", "tophat"])
def test_samples_are_scikit_learns_and_lie_where_the_density_is(kernel):
    X = np.random.default_rng(4).normal(size=(50, 2))
    weights = np.random.default_rng(5).uniform(0.1, 2, 50)
    ours = lw.KernelDensity(kernel=kernel, bandwidth=0.3).fit(X, sample_weight=weights)
    theirs = neighbors.KernelDensity(kernel=kernel, bandwidth=0.3).fit(X, sample_weight=weights)
    assert_allclose(ours.sample(30, random_state=0), theirs.sample(30, random_state=0), rtol=1e-12)
    points = ours.sample(4000, random_state=1)
    assert np.isfinite(ours.score_samples(points)).all()
    assert_allclose(points.mean(axis=0), weights @ X / weights.sum(), atol=0.1)


def test_pickles_score_the_same():
    X = datasets.load_iris().data
    model = lw.KernelDensity(bandwidth="median").fit(X.astype(np.float32))
    again = pickle.loads(pickle.dumps(model))
    assert (again.score_samples(X) == model.score_samples(X)).all()
    assert again.mechanism_ == model.mechanism_


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"kernel": "linear"}, "kernel must be one of"),
        ({"kernel": "cosine"}, "kernel must be one of"),
        ({"kernel": "gauss"}, "'gaussian'"),
        ({"kernel": kernels.StudentT(df=1)}, "finite integral"),
        ({"kernel": kernels.InverseDistance()}, "kernel|normalization"),
        ({"metric": "cosine"}, "metric must be one that comes from a norm"),
        ({"metric": "euclid"}, "'euclidean'"),
        ({"bandwidth": 0.0}, "bandwidth"),
        ({"bandwidth": "loo"}, "bandwidth"),
        ({"bandwidth": "self_tuning"}, "bandwidth must be a number"),
    ],
)
def test_bad_parameters_are_refused_by_name(parameters, message):
    with pytest.raises(ValueError, match=message):
        lw.KernelDensity(**parameters).fit(np.random.default_rng(0).normal(size=(10, 4)))


def test_bad_data_is_refused_by_name():
    X = np.random.default_rng(0).normal(size=(10, 2))
    model = lw.KernelDensity().fit(X)
    for call, message in [
        (lambda: lw.KernelDensity().fit(X, sample_weight=-np.ones(10)), "sample_weight"),
        (lambda: lw.KernelDensity().fit(X * np.nan), "X contains NaN"),
        (lambda: model.score_samples(X[:, :1]), "X has 1 features, but KernelDensity is expecting 2"),
        (lambda: lw.KernelDensity(kernel="tricube").fit(X).sample(), "kernel must be 'gaussian' or 'tophat'"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(NotFittedError):
        lw.KernelDensity().score_samples(X)


@pytest.mark.parametrize("unit", [1.0, 1e-3, 7.0])
@pytest.mark.parametrize("rule", ["scott", "silverman"])
def test_rules_of_thumb_take_scipys_effective_size(rule, unit):
    """Kind: a rule that takes the sum of the weights for a number of points, so that their unit decides."""
    random = np.random.default_rng(0)
    X, w = random.normal(size=(90, 2)), random.uniform(0.1, 3, size=90)
    theirs = gaussian_kde(X.T, bw_method=rule, weights=w).factor
    variance = np.mean(np.average((X - np.average(X, axis=0, weights=w)) ** 2, axis=0, weights=w))
    ours = lw.KernelDensity(bandwidth=rule).fit(X, sample_weight=unit * w).bandwidth_
    assert ours == pytest.approx(theirs * np.sqrt(variance), rel=1e-10)


def test_a_bandwidth_that_does_not_fit_is_told_by_its_name():
    """Kind: an error that says it got None, because the rule was kept in another argument."""
    with pytest.raises(ValueError, match=r"bandwidth must be .*'self_tuning'"):
        lw.KernelDensity(bandwidth="self_tuning").fit(np.eye(9))
