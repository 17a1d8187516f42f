"""HopfieldMemory against softmax updates and the energy of Ramsauer et al. 2020 written out."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp, softmax
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

import likewise as lw


@parametrize_with_checks([lw.HopfieldMemory()])
@pytest.mark.filterwarnings("ignore:max_iter")
def test_sklearn_checks(estimator, check):
    check(estimator)


def patterns():
    X, _ = load_digits(return_X_y=True)
    X = X[:100] / 8 - 1
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def energy(q, X, t):
    lse = t * logsumexp(q @ X.T / t, axis=1)
    return -lse + (q**2).sum(1) / 2 + t * np.log(len(X)) + (X**2).sum(1).max() / 2


@pytest.mark.parametrize("t", [0.02, 0.1, 1.0])
def test_updates_and_energies(t):
    X = patterns()
    q = X[:10] + 0.05 * np.random.RandomState(0).randn(10, 64)
    memory = lw.HopfieldMemory(temperature=t, max_iter=6, tol=0).fit(X)
    with pytest.warns(ConvergenceWarning, match="^max_iter=6 was reached without convergence"):
        states, energies, report = memory.retrieve(q)
    for step in range(6):
        assert_allclose(energies[step], energy(q, X, t), atol=1e-12)
        q = softmax(q @ X.T / t, axis=1) @ X
    assert_allclose(states, q, atol=1e-12)
    assert_allclose(energies[6], energy(q, X, t), atol=1e-12)
    assert np.diff(energies, axis=0).max() <= 1e-13 and np.all(energies[1] < energies[0])
    assert report.n_iter == 6 and not report.converged
    assert_allclose(memory.energy(X), energy(X, X, t), atol=1e-12)


def test_one_update_is_the_bare_operator_and_attention():
    X = patterns()
    q = X[:9] + 0.1
    memory = lw.HopfieldMemory(temperature=0.1, max_iter=1, tol=np.inf).fit(X)
    bare = lw.Mechanism(metric="dot", kernel=lw.kernels.Exponential(0.1))
    step = lw.propagations.Steps(moving="points", tol=np.inf, max_iter=1)
    assert memory.mechanism_ == bare.replace(propagation=step)
    assert_allclose(memory.transform(q), bare.operator(q, X) @ X, atol=1e-14)
    assert_allclose(memory.transform(q), softmax(q @ X.T / 0.1, axis=1) @ X, atol=1e-13)
    assert_allclose(memory.transform(q), lw.attention(q, X, X, temperature=0.1), atol=1e-14)


def test_noisy_digits_are_retrieved():
    X = patterns()
    noisy = X + 0.03 * np.random.RandomState(1).randn(*X.shape)
    states, energies, report = lw.HopfieldMemory(temperature=0.005).fit(X).retrieve(noisy)
    assert report.converged and len(energies) == report.n_iter + 1
    assert_array_equal((states @ X.T).argmax(1), np.arange(100))


def test_other_slots():
    X = patterns()
    memory = lw.HopfieldMemory(temperature=0.02).set_params(metric="sqeuclidean").fit(X)
    step = (
        lw.HopfieldMemory(temperature=0.02, metric="sqeuclidean", max_iter=1, tol=np.inf)
        .fit(X)
        .transform(X + 0.01)
    )
    gaussian = lw.Mechanism(metric="euclidean", kernel=lw.kernels.Gaussian(0.1))  # h^2 = t/2: mean shift
    assert_allclose(step, gaussian.operator(X + 0.01, X) @ X, atol=1e-12)
    assert np.diff(memory.retrieve(X[:5] + 0.02).energies, axis=0).max() <= 1e-13
    again = lw.HopfieldMemory.from_mechanism(memory.mechanism_)
    assert again.mechanism == memory.mechanism
    assert (again.metric, again.temperature) == (lw.metrics.SquaredEuclidean(), 0.02)
    manhattan = lw.HopfieldMemory(metric="manhattan", temperature=0.02).fit(X)
    assert manhattan.retrieve(X[:2]).energies.size == 0
    with pytest.raises(ValueError, match="metric must be"):
        manhattan.energy(X)


def test_store_dtypes_pickles():
    X = patterns()
    parts = lw.HopfieldMemory(temperature=0.01).store(X[:60]).store(X[60:])
    whole = lw.HopfieldMemory(temperature=0.01).fit(X)
    assert_array_equal(parts.transform(X[:5]), whole.transform(X[:5]))
    single = lw.HopfieldMemory(temperature=0.01).fit(X.astype(np.float32))
    assert single.transform(X[:5]).dtype == np.float32
    assert_allclose(single.transform(X[:5]), whole.transform(X[:5]), atol=1e-4)
    assert_array_equal(pickle.loads(pickle.dumps(whole)).transform(X), whole.transform(X))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 20), st.integers(1, 5), st.integers(1, 6), st.integers(0, 1000))
@pytest.mark.filterwarnings("ignore:max_iter")
def test_any_shape(n, d, n_queries, seed):
    rng = np.random.RandomState(seed)
    X, q = rng.randn(n, d), 100 * rng.randn(n_queries, d)
    states, energies, _ = lw.HopfieldMemory(temperature=0.5).fit(X).retrieve(q)
    assert states.shape == q.shape and np.isfinite(states).all()
    assert np.all(np.diff(energies, axis=0) <= 1e-9 * np.abs(energies[:-1]))


def test_bad_input():
    X = patterns()
    for match, params in {
        "temperature": {"temperature": 0.0},
        "metric": {"metric": "nothing"},
    }.items():
        with pytest.raises(ValueError, match=match):
            lw.HopfieldMemory(**params).fit(X)
    for match, params in {"max_iter": {"max_iter": 0}, "tol": {"tol": -1.0}}.items():
        with pytest.raises(ValueError, match=match):
            lw.HopfieldMemory(**params).fit(X)
    with pytest.raises(NotFittedError):
        lw.HopfieldMemory().transform(X)
    with pytest.raises(ValueError, match="features"):
        lw.HopfieldMemory().fit(X).transform(X[:, :3])
    with pytest.raises(ValueError, match="NaN"):
        lw.HopfieldMemory().fit(np.where(X == X[0, 0], np.nan, X))
