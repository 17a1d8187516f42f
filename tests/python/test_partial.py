"""Blocks of keys that merge to the whole, streamed from a file that the memory limit would not hold."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose

import likewise as lw
from likewise import kernels, metrics, normalizations


@pytest.mark.parametrize(
    "normalization", [normalizations.RowStochastic(), normalizations.RowStochastic(0.5), "none"]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parts_of_any_size_and_order(normalization, dtype):
    rng = np.random.default_rng(0)
    X, Z, V = (rng.normal(size=s).astype(dtype) for s in ((20, 3), (50, 3), (50, 2)))
    log_w = rng.normal(size=50)
    m = lw.Mechanism(kernel=kernels.Gaussian(0.7), normalization=normalization)
    whole = m.operator(X, Z, log_key_weights=log_w) @ V
    parts = [
        m.partial(X, Z[keys], V[keys], log_key_weights=log_w[keys])
        for keys in (slice(30, 50), slice(0, 1), slice(1, 30))
    ]
    merged = parts[0].merge(parts[1]) + pickle.loads(pickle.dumps(parts[2]))
    assert_allclose(merged.finish(), whole, rtol=2e-5 if dtype == np.float32 else 1e-13)
    column = m.partial(X, Z, V[:, 0], log_key_weights=log_w).finish()
    assert column.shape == (20,)
    assert_allclose(column, whole[:, 0], rtol=2e-5 if dtype == np.float32 else 1e-13)


def test_a_file_larger_than_the_memory_limit(tmp_path):
    n, d, limit = 60_000, 16, 4_000_000
    rng = np.random.default_rng(1)
    keys = np.memmap(tmp_path / "keys", dtype=np.float64, mode="w+", shape=(n, d))
    keys[:] = rng.normal(size=(n, d))
    values = rng.normal(size=n)
    assert keys.nbytes > limit
    X = rng.normal(size=(40, d))
    m = lw.Mechanism(kernel=kernels.Gaussian(2.0))
    part = None
    with lw.execution(memory_limit=limit):
        for begin in range(0, n, 7000):
            block = slice(begin, begin + 7000)
            found = m.partial(X, keys[block], values[block])
            part = found if part is None else part.merge(found)
    squares = ((X[:, None] - np.asarray(keys)[None]) ** 2).sum(-1)
    K = np.exp(-squares / 8.0)
    assert_allclose(part.finish(), K @ values / K.sum(1), rtol=1e-11)


def test_parts_of_an_operators_keys():
    rng = np.random.default_rng(2)
    X, Z, V = (rng.normal(size=s) for s in ((6, 2), (30, 2), (30, 2)))
    P = lw.Mechanism(metric=metrics.DotProduct(), kernel=kernels.Exponential(2.0)).operator(
        Z, log_key_weights=rng.normal(size=30)
    )
    both = P.partial(X, slice(0, 12), V[:12]) + P.partial(X, slice(12, None), V[12:])
    assert_allclose(both.finish(), P.at(X) @ V, rtol=1e-12)


def test_what_has_no_parts_is_refused():
    X, V = np.eye(3), np.ones(3)
    for slots, name in (
        ({"normalization": "symmetric", "kernel": kernels.Gaussian(1.0)}, "normalization"),
        ({"support": "causal", "kernel": kernels.Gaussian(1.0)}, "support"),
        ({"kernel": kernels.Gaussian("median")}, "bandwidth"),
    ):
        with pytest.raises(ValueError, match=name):
            lw.Mechanism(**slots).partial(X, X, V)
    m = lw.Mechanism(kernel=kernels.Gaussian(1.0))
    part = m.partial(X, X, V)
    with pytest.raises(ValueError, match="other must be a part of"):
        part.merge(m.replace(metric="cosine").partial(X, X, V))
    with pytest.raises(ValueError, match="other must be of float64"):
        part.merge(m.partial(X.astype(np.float32), X.astype(np.float32), V))
    with pytest.raises(TypeError, match="slice"):
        m.operator(X).partial(X, 0, V)


EMPTY = lw.Mechanism(kernel=kernels.Epanechnikov(1.0))


@pytest.mark.parametrize("policy", ["nearest", "self"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_policy_that_no_part_can_keep_is_refused(policy, dtype):
    """Kind: a setting that one way of asking obeys and another forgets."""
    X, Z = np.array([[0.0], [9.0]], dtype), np.array([[0.5]], dtype)
    m = EMPTY.replace(empty_row=policy)
    with pytest.raises(ValueError, match=f"empty_row must be 'zero' or 'error' for .*; got '{policy}'"):
        m.partial(X, Z, [2.0])
    for normalization in ("none", normalizations.RowStochastic(0.5)):  # of which no row is replaced
        other = m.replace(normalization=normalization)
        assert_allclose(other.partial(X, Z, [2.0]).finish(), other.operator(X, Z) @ np.array([2.0], dtype))


def test_a_row_that_no_block_gave_mass_is_an_error_where_it_shall_be():
    X, m = np.array([[0.0], [9.0]]), EMPTY.replace(empty_row="error")
    near = m.partial(X, [[0.5]], [2.0])
    with pytest.raises(ValueError, match=r"empty_row must be 'zero' where .*; got 'error' and row 1"):
        near.finish()
    both = near + m.partial(X, [[9.5]], [3.0])
    assert_allclose(both.finish(), [2.0, 3.0])
    assert_allclose(EMPTY.partial(X, [[0.5]], [2.0]).finish(), [2.0, 0.0])


@pytest.mark.parametrize("shape", [(3, 2), (4, 3)])
def test_a_part_of_another_shape_is_named(shape):
    """Kind: an error that names an argument of somebody inside."""
    n, c = shape
    part = EMPTY.partial(np.zeros((3, 1)), np.zeros((2, 1)), np.zeros((2, 3)))
    other = EMPTY.partial(np.zeros((n, 1)), np.zeros((2, 1)), np.zeros((2, c)))
    says = f"other must be a part of 3 queries, 3 columns, as this one is; got a part of {n} queries, {c} col"
    with pytest.raises(ValueError, match=says):
        part.merge(other)
