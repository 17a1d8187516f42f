"""Keys far from all others, padded or real: they cost the others no digit."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import likewise as lw
from likewise import kernels

FAR = [0.0, 1e4, -1e9, 1e15]
EPSILON = {np.float64: 1e-14, np.float32: 2e-6}


def points(n, d, seed):
    return np.random.default_rng(seed).normal(size=(n, d))


def weights(Q, Z):
    """Gaussians of bandwidth 1 in extended precision."""
    return np.exp(-((Q[:, None].astype(np.longdouble) - Z[None]) ** 2).sum(-1) / 2)


@pytest.mark.parametrize("far", [*FAR, 1e30])
@pytest.mark.parametrize("n", [4, 300])
def test_what_lies_in_padded_keys_changes_nothing(far, n):
    """Kind: a center, or a size, taken from keys that nobody attends to."""
    q, k, v = points(3, 2, 0), points(n, 2, 1), points(n, 1, 2)
    heard = np.arange(n + 2) < n
    k2, v2 = np.r_[k, np.full((2, 2), far)], np.r_[v, np.ones((2, 1))]
    W = np.exp(-((q[:, None] - k[None]) ** 2).sum(-1) / (2 * 2**0.5))
    want = W @ v / W.sum(1, keepdims=True)
    log_w = np.where(heard, 0.0, -np.inf)
    for given in (
        {"key_padding_mask": heard},
        {"mask": np.tile(heard, (3, 1))},
        {"log_key_weights": log_w},
    ):
        assert_allclose(lw.l2_attention(q, k2, v2, **given), want, atol=1e-13)
    if n == 4:  # most keys lie there, so that no median is safe
        k2, v2 = np.r_[k, np.full((9, 2), far)], np.r_[v, np.ones((9, 1))]
        found = lw.l2_attention(q, k2, v2, key_padding_mask=np.arange(13) < 4)
        assert_allclose(found, want, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [6, 200])
@pytest.mark.parametrize("kind", ["L2Attention", "SelfAttention"])
def test_padding_changes_no_layer(kind, n, dtype):
    """As of the sequence without its padding, forward and backward, in the tile and in the operator."""
    layer = getattr(lw.nn, kind)(8, 2, random_state=0, dtype=dtype)
    x = points(n + 2, 8, 3).astype(dtype)[None]
    want = layer.forward(x[:, :n])
    want_gradient = layer.backward(np.ones_like(want))
    heard = (np.arange(n + 2) < n)[None]
    for far in FAR:
        x[0, n:] = far
        found = layer.forward(x, key_padding_mask=heard)
        assert_allclose(found[:, :n], want, atol=20 * EPSILON[dtype])
        gradient = layer.backward(np.where(heard[..., None], dtype(1), dtype(0)) * np.ones_like(found))
        first = gradient[0] if isinstance(gradient, tuple) else gradient
        expected = want_gradient[0] if isinstance(want_gradient, tuple) else want_gradient
        assert_allclose(first[:, :n], expected, atol=100 * EPSILON[dtype])


@pytest.mark.parametrize("far", [1e6, 1e9, 1e15, 1e30])
def test_a_real_key_far_away_spoils_no_other(far):
    A, Q = points(60, 2, 0), points(3, 2, 0) + 0.1
    Z, y = np.r_[A, [[far, far]]], np.r_[A[:, 0], 0.0]
    W = weights(Q, Z)
    want = (W @ y / W.sum(1)).astype(float)
    assert_allclose(lw.KernelRegressor(bandwidth=1.0).fit(Z, y).predict(Q), want, rtol=1e-13)
    bare = lw.Mechanism(kernel=kernels.Gaussian(1.0), normalization="none")
    assert_allclose(bare.operator(Q, Z).toarray(), W.astype(float), rtol=1e-13)
    assert_allclose(bare.operator(Z).toarray()[:60, :60], weights(A, A).astype(float), rtol=1e-13)
    density = lw.KernelDensity(bandwidth=1.0).fit(Z)
    assert_allclose(density.score_samples(Q), np.log(W.mean(1) / (2 * np.pi)).astype(float), rtol=1e-13)
    distances, _ = lw.kneighbors(Q, Z, n_neighbors=3)
    exact = np.sqrt(((Q[:, None].astype(np.longdouble) - Z[None]) ** 2).sum(-1))
    assert_allclose(distances, np.sort(exact, axis=1)[:, :3].astype(float), rtol=1e-14)


def test_a_weightless_majority_far_away_spoils_no_other():
    A = points(20, 2, 5)
    Z = np.r_[A, np.full((60, 2), 1e12)]
    log_w = np.r_[np.zeros(20), np.full(60, -np.inf)]
    P = lw.Mechanism(kernel=kernels.Gaussian(1.0)).operator(Z, log_key_weights=log_w)
    W = weights(A, A)
    assert_allclose(P.toarray()[:20, :20], (W / W.sum(1, keepdims=True)).astype(float), rtol=1e-13)
