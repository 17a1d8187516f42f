"""Attention and L2 attention against softmax written out, and what they are identical to."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits

import likewise as lw


def weights(scores):
    """Softmax of rows; a row of -inf is 0."""
    top = scores.max(-1, keepdims=True)
    e = np.exp(scores - np.where(np.isneginf(top), 0, top))
    return np.divide(e, e.sum(-1, keepdims=True), out=np.zeros_like(e), where=e.sum(-1, keepdims=True) > 0)


def dot(q, k):
    return q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])


def squared(q, k):
    return -((q[..., :, None, :] - k[..., None, :, :]) ** 2).sum(-1) / (2 * np.sqrt(q.shape[-1]))


KINDS = {"dot": (lw.attention, dot), "metric": (lw.l2_attention, squared)}


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


def random(*shapes, seed=0):
    rng = np.random.RandomState(seed)
    return [rng.randn(*shape) for shape in shapes]


# --- the formula


def test_heads_and_batches(kind):
    attend, score = kind
    q, k, v = random((2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 6))
    assert_allclose(attend(q, k, v), weights(score(q, k)) @ v, atol=1e-12)
    assert_allclose(attend(q[0, 0], k[0, 0], v[0, 0]), weights(score(q, k))[0, 0] @ v[0, 0], atol=1e-12)


def test_leading_dimensions_broadcast(kind):
    attend, score = kind
    q, k, v = random((3, 5, 4), (2, 1, 7, 4), (1, 1, 7, 2))
    want = weights(score(np.broadcast_to(q, (2, 3, 5, 4)), np.broadcast_to(k, (2, 3, 7, 4)))) @ v
    assert_allclose(attend(q, k, v), want, atol=1e-12)


def test_views_that_are_not_contiguous(kind):
    attend, score = kind
    q, k, v = (a.transpose(0, 2, 1, 3) for a in random((2, 5, 3, 4), (2, 7, 3, 4), (2, 7, 3, 6)))
    assert_allclose(attend(q, k, v), weights(score(q, k)) @ v, atol=1e-12)


@pytest.mark.parametrize("shape", [(5, 7), (1, 7), (5, 1), (3, 5, 7), (2, 1, 5, 7), (2, 3, 5, 7), (7,)])
def test_masks_broadcast(kind, shape):
    attend, score = kind
    q, k, v = random((2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 6))
    mask = np.random.RandomState(1).rand(*shape) < 0.6
    want = weights(np.where(mask, score(q, k), -np.inf)) @ v
    assert_allclose(attend(q, k, v, mask=mask), want, atol=1e-12)


def test_causal_padding_and_key_weights_together(kind):
    attend, score = kind
    q, k, v = random((2, 3, 7, 4), (2, 3, 7, 4), (2, 3, 7, 6))
    rng = np.random.RandomState(2)
    mask, padding, log_w = rng.rand(7, 7) < 0.7, rng.rand(2, 7) < 0.7, rng.randn(3, 1, 7)[:, 0]
    s = score(q, k) + log_w[:, None]
    s = np.where(mask & np.tri(7, dtype=bool) & padding[:, None, None], s, -np.inf)
    got = attend(q, k, v, is_causal=True, mask=mask, key_padding_mask=padding, log_key_weights=log_w)
    assert_allclose(got, weights(s) @ v, atol=1e-12)


def test_rectangular_causal_is_upper_left(kind):
    attend, score = kind
    q, k, v = random((4, 3), (6, 3), (6, 2))
    want = weights(np.where(np.tri(4, 6, dtype=bool), score(q, k), -np.inf)) @ v
    assert_allclose(attend(q, k, v, is_causal=True), want, atol=1e-12)


def test_rows_that_may_attend_to_nothing_are_0(kind):
    attend, _ = kind
    q, k, v = random((2, 5, 4), (2, 7, 4), (2, 7, 3))
    mask = np.ones((2, 5, 7), bool)
    mask[0, 2] = False
    got = attend(q, k, v, mask=mask, key_padding_mask=np.array([[True] * 7, [False] * 7]))
    assert_array_equal(got[0, 2], 0)
    assert_array_equal(got[1], 0)
    assert np.all(got[0, [0, 1, 3, 4]] != 0)


def test_temperature_and_large_scores(kind):
    attend, score = kind
    q, k, v = random((5, 4), (7, 4), (7, 3))
    default = {lw.attention: 2.0, lw.l2_attention: 4.0}[attend]
    assert_allclose(attend(q, k, v, temperature=default), attend(q, k, v), atol=1e-14)
    assert_allclose(attend(q, k, v, temperature=0.25), weights(score(q, k) * default / 0.25) @ v, atol=1e-12)
    cold = attend(1e3 * q, 1e3 * k, v, temperature=1e-3)
    assert_allclose(cold, v[score(q, k).argmax(1)], atol=1e-12)


def test_float32_stays_and_integers_become_float64(kind):
    attend, _ = kind
    q, k, v = random((2, 50, 16), (2, 60, 16), (2, 60, 8))
    got = attend(*(a.astype(np.float32) for a in (q, k, v)))
    assert got.dtype == np.float32
    assert_allclose(got, attend(q, k, v), atol=2e-6)
    assert attend(*(a.astype(int) for a in (q, k, v))).dtype == np.float64
    assert attend(q.astype(np.float32), k, v).dtype == np.float64


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 3),
    st.integers(1, 3),
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(1, 4),
    st.integers(0, 4),
    st.booleans(),
    st.integers(0, 1000),
)
def test_any_shape(batch, heads, n_queries, n_keys, d, c, is_causal, seed):
    q, k, v = random(
        (batch, heads, n_queries, d), (batch, heads, n_keys, d), (batch, heads, n_keys, c), seed=seed
    )
    mask = np.random.RandomState(seed).rand(batch, 1, n_queries, n_keys) < 0.5
    for attend, score in KINDS.values():
        got = attend(q, k, v, is_causal=is_causal, mask=mask)
        admitted = mask & np.tri(n_queries, n_keys, dtype=bool) if is_causal else mask
        s = np.where(admitted, score(q, k), -np.inf)
        want = weights(s) @ v if n_keys else np.zeros_like(got)
        assert got.shape == (batch, heads, n_queries, c)
        assert_allclose(got, want, atol=1e-10)


def test_any_number_of_threads(kind):
    attend, _ = kind
    q, k, v = random((3, 200, 8), (3, 300, 8), (3, 300, 8))
    with lw.execution(n_jobs=1):
        one = attend(q, k, v, is_causal=True)
    with lw.execution(n_jobs=2):
        assert_array_equal(attend(q, k, v, is_causal=True), one)
        assert_array_equal(attend(q[:1], k[:1], v[:1], is_causal=True), one[:1])


# --- what it is identical to


def test_it_is_the_bare_operator():
    q, k, v = random((5, 4), (7, 4), (7, 3))
    for attend, metric, t in ((lw.attention, "dot", 2.0), (lw.l2_attention, "sqeuclidean", 4.0)):
        mechanism = lw.Mechanism(metric=metric, kernel=lw.kernels.Exponential(t))
        assert_allclose(attend(q, k, v), mechanism.operator(q, k) @ v, atol=1e-14)
    X = load_digits().data[:200] / 16  # self-attention with learned factors is the Bilinear metric
    rng = np.random.RandomState(0)
    Wq, Wk, Wv = rng.randn(3, 8, 64) / 8
    learned = lw.Mechanism(
        metric=lw.metrics.Bilinear(Wq, Wk), kernel=lw.kernels.Exponential(np.sqrt(8)), support="causal"
    )
    q, k, v = X @ Wq.T, X @ Wk.T, X @ Wv.T
    want = weights(np.where(np.tri(200, dtype=bool), dot(q, k), -np.inf)) @ v
    assert_allclose(learned.operator(X) @ v, want, atol=1e-12)
    assert_allclose(lw.attention(q, k, v, is_causal=True), want, atol=1e-12)
    tied = lw.Mechanism(metric=lw.metrics.Mahalanobis(Wq), kernel=lw.kernels.Exponential(2 * np.sqrt(8)))
    assert_allclose(tied.operator(X) @ v, lw.l2_attention(q, q, v), atol=1e-10)
    assert_allclose(tied.operator(X) @ v, weights(squared(q, q)) @ v, atol=1e-10)


def test_keys_of_equal_norm_make_it_gaussian_regression():
    q, k, v = random((5, 9), (7, 9), (7, 3))
    k *= 2 / np.linalg.norm(k, axis=1, keepdims=True)
    gaussian = lw.Mechanism(metric="euclidean", kernel=lw.kernels.Gaussian(np.sqrt(3)))  # h^2 = sqrt(d)
    assert_allclose(lw.attention(q, k, v), gaussian.operator(q, k) @ v, atol=1e-12)
    assert_allclose(lw.attention(q, k, v), lw.l2_attention(q, k, v), atol=1e-12)


def test_any_keys_with_a_bias_of_their_norms():
    q, k, v = random((5, 9), (7, 9), (7, 3))
    bias = (k**2).sum(1) / (2 * np.sqrt(9))
    assert_allclose(lw.attention(q, k, v, log_key_weights=-bias), lw.l2_attention(q, k, v), atol=1e-12)
    assert_allclose(lw.l2_attention(q, k, v, log_key_weights=bias), lw.attention(q, k, v), atol=1e-12)


def test_gauge_and_duplicates(kind):
    attend, _ = kind
    q, k, v = random((5, 4), (7, 4), (7, 3))
    assert_allclose(lw.attention(q, k + random((1, 4), seed=3)[0], v), lw.attention(q, k, v), atol=1e-12)
    log_two = np.where(np.arange(7) == 2, np.log(2), 0)
    twice = attend(q, np.r_[k, k[2:3]], np.r_[v, v[2:3]])
    assert_allclose(twice, attend(q, k, v, log_key_weights=log_two), atol=1e-12)


def test_tied_metric_scores_are_largest_on_the_diagonal():
    (x,) = random((20, 4))
    W = lw.l2_attention(x, x, np.eye(20))
    assert np.all(W <= np.diag(W)[:, None])
    dots = lw.attention(x, x, np.eye(20))
    assert np.any(dots > np.diag(dots)[:, None])


# --- masks of torch, bad input


def test_from_torch_mask():
    assert_array_equal(lw.from_torch_mask(np.array([True, False])), [False, True])
    assert_array_equal(lw.from_torch_mask(np.array([0.0, -np.inf])), [True, False])
    with pytest.raises(ValueError, match="mask must be boolean, or hold only 0 and -inf"):
        lw.from_torch_mask(np.array([0.5]))
    with pytest.raises(ValueError, match="mask"):
        lw.from_torch_mask(np.array([0, 1]))


def test_bad_input(kind):
    attend, _ = kind
    q, k, v = random((2, 5, 4), (2, 7, 4), (2, 7, 3))
    for match, arguments, options in [
        ("k must be of q's width 4; got 3", (q, k[..., :3], v), {}),
        ("v must be of k's length 7; got 6", (q, k, v[:, :6]), {}),
        ("leading dimensions", (q, k[[0, 0, 0]], v), {}),
        ("q must be of shape", (q[0, 0], k, v), {}),
        ("k must be finite", (q, np.where(k == k[0, 0, 0], np.nan, k), v), {}),
        ("v must be finite", (q, k, np.where(v == v[0, 0, 0], np.inf, v)), {}),
        ("q must be real; got complex128", (q + 1j, k, v), {}),
        ("temperature must be", (q, k, v), {"temperature": 0.0}),
        ("temperature must be", (q, k, v), {"temperature": np.inf}),
        ("mask must be broadcastable", (q, k, v), {"mask": np.ones((5, 6), bool)}),
        ("mask must be broadcastable", (q, k, v), {"mask": np.ones((3, 5, 7), bool)}),
        ("key_padding_mask must have shape", (q, k, v), {"key_padding_mask": np.ones((5, 7), bool)}),
        ("log_key_weights must be broadcastable", (q, k, v), {"log_key_weights": np.ones(6)}),
        ("log_key_weights must be finite or -inf", (q, k, v), {"log_key_weights": np.full(7, np.nan)}),
    ]:
        with pytest.raises(ValueError, match=match):
            attend(*arguments, **options)
    with pytest.raises(TypeError, match="mask must be boolean, True = may attend"):
        attend(q, k, v, mask=np.zeros((5, 7)))
    with pytest.raises(TypeError, match="key_padding_mask must be boolean"):
        attend(q, k, v, key_padding_mask=np.zeros((2, 7)))


@pytest.mark.parametrize("attend", [lw.attention, lw.l2_attention])
def test_padding_may_hold_nan(attend):
    """Kind: what is not read is looked at."""
    q, k, v = np.random.default_rng(0).normal(size=(3, 2, 3, 5, 4))
    padding = np.array([[True, True, False, True, True], [True, False, False, True, True]])
    at = padding[:, None, :, None]
    want = attend(q, np.where(at, k, 0), np.where(at, v, 0), key_padding_mask=padding)
    assert_array_equal(
        attend(q, np.where(at, k, np.nan), np.where(at, v, np.inf), key_padding_mask=padding), want
    )
    shared = np.where(padding.any(0)[:, None], k[0, 0], np.nan)  # keys of all sequences: read by the first
    assert_array_equal(
        attend(q, shared, v, key_padding_mask=padding),
        attend(q, np.nan_to_num(shared), v, key_padding_mask=padding),
    )
    for bad in (np.where(at, np.nan, k), np.full_like(k, np.nan)):
        with pytest.raises(ValueError, match="k must be finite"):
            attend(q, bad, v, key_padding_mask=padding)
    with pytest.raises(ValueError, match="q must be finite"):
        attend(np.where(at, q, np.nan), k, v, key_padding_mask=padding)


def test_a_symmetric_mask_costs_no_more_than_another():
    """Kind: work that only operators of points with themselves need, done for all: 12 times as long."""
    n = 2048
    q, k, v = np.random.default_rng(0).normal(size=(3, n, 16)).astype(np.float32)
    i = np.arange(n)
    symmetric = abs(i[:, None] - i) < 30
    other = (i[:, None] - i < 30) & (i >= 0) & (i[:, None] - i > -29)

    def seconds(mask):
        found = []
        for _ in range(5):
            start = time.perf_counter()
            lw.attention(q, k, v, mask=mask)
            found.append(time.perf_counter() - start)
        return min(found)

    with lw.execution(n_jobs=1):
        assert seconds(symmetric) < 3 * seconds(other)
