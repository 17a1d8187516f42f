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


# --- steps on few pairs, which have no operator

FAR_TOKENS = [1e4, -1e6, 1e9, 1e12]
FEW = [1, 4, 16, 64]


def softmax_of_distances(q, k, t):
    """exp(-|q - k|^2 / t), rows divided by their sums, in extended precision."""
    score = -((q[:, None].astype(np.longdouble) - k[None]) ** 2).sum(-1) / t
    P = np.exp(score - score.max(1, keepdims=True))
    return P / P.sum(1, keepdims=True), score


def few_tokens(n, far, dtype, seed=0):
    """n tokens, the last of them far from the others."""
    x = points(n, 3, seed).astype(dtype)
    x[-1] = far
    return x


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("far", FAR_TOKENS)
@pytest.mark.parametrize("n", FEW)
def test_a_far_key_in_a_short_sequence_spoils_no_other(n, far, dtype):
    """Kind: a tile with a center of its own, the mean of its keys, which one far key moves away from all."""
    q, k = points(min(n, 50), 3, 1).astype(dtype), few_tokens(n, far, dtype)
    v = points(n, 2, 2).astype(dtype)
    for queries in (q, k, k[:-1], np.r_[q, k[-1:]]):
        if len(queries):
            want = (softmax_of_distances(queries, k, 2.0)[0] @ v).astype(float)
            found = lw.l2_attention(queries, k, v, temperature=2.0)
            assert_allclose(found, want, atol=5 * EPSILON[dtype])
    near = lw.l2_attention(np.r_[q, k[-1:]], q, points(len(q), 2, 3).astype(dtype), temperature=2.0)
    want = softmax_of_distances(np.r_[q, k[-1:]], q, 2.0)[0] @ points(len(q), 2, 3).astype(dtype)
    assert_allclose(near, want.astype(float), atol=5 * EPSILON[dtype])


@pytest.mark.parametrize("far", FAR_TOKENS)
def test_packed_documents_may_lie_far_apart(far):
    """Half of the keys far from the other half: neither a mean nor a median is near to both."""
    groups = np.repeat([0, 1], 15)
    x, v = points(30, 3, 0), points(30, 2, 1)
    x[:15] += far
    found = lw.l2_attention(x, x, v, temperature=2.0, support=lw.supports.Blocks(groups))
    for one in (groups == 0, groups == 1):
        want = (softmax_of_distances(x[one], x[one], 2.0)[0] @ v[one]).astype(float)
        assert_allclose(found[one], want, atol=1e-13)


def bare_layer(dtype, tied):
    """One head whose maps are all the identity, and its temperature 2."""
    layer = lw.nn.AttentionLayer(3, 1, "sqdist", tied, bias=False, learn_temperature=True, dtype=dtype)
    state, one = layer.state_dict(), np.eye(3, dtype=dtype)
    for name, part in state.items():
        part[...] = np.log(2) if name == "log_temperature" else np.tile(one, (len(part) // 3, 1))
    layer.load_state_dict(state)
    return layer


def gradients_of_bare_layer(x, g, mask):
    """dL/dx, dL/dW of queries and keys, and dL/dlog t in extended precision, dL/dy being g."""
    x, g = x.astype(np.longdouble), g.astype(np.longdouble)
    score = np.where(mask, softmax_of_distances(x, x, 2.0)[1], -np.inf)
    P = np.exp(score - score.max(1, keepdims=True))
    P /= P.sum(1, keepdims=True)
    by_score = P * (g @ x.T - (g * (P @ x)).sum(1, keepdims=True))
    apart = x[:, None] - x[None]
    by_q, by_k = -(by_score[..., None] * apart).sum(1), (by_score[..., None] * apart).sum(0)
    by_v = P.T @ g
    by_log_t = -(by_score * np.where(mask, score, 0)).sum()
    return by_q + by_k + by_v, (by_q.T @ x, by_k.T @ x), by_log_t


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("far", FAR_TOKENS)
@pytest.mark.parametrize("n", [4, 16, 64])
def test_a_far_token_in_a_short_sequence_spoils_no_gradient(n, far, tied, dtype):
    """Kind: as above, backward: slopes that sum to 0, times where a far center puts the keys."""
    x = few_tokens(n, far, dtype)
    groups = np.arange(n) % 2
    for support, mask in (
        ("all", np.ones((n, n), bool)),
        (lw.supports.Blocks(groups), groups[:, None] == groups),
    ):
        layer = bare_layer(dtype, tied)
        score = np.where(mask, softmax_of_distances(x, x, 2.0)[1], -np.inf)
        P = np.exp(score - score.max(1, keepdims=True))
        y = layer.forward(x, support=support)
        want = (P / P.sum(1, keepdims=True) @ x).astype(float)
        assert_allclose(y[:-1], want[:-1], atol=5 * EPSILON[dtype])
        assert_allclose(y[-1], want[-1], rtol=1e-6)
        g = points(n, 3, 5).astype(dtype)
        g[-1] = 0  # what the far token itself would say is of its own size
        layer.zero_grad()
        found = layer.backward(g)
        by_x, (by_q, by_k), by_log_t = gradients_of_bare_layer(x, g, mask)
        atol = 40 * EPSILON[dtype]
        assert_allclose(found, by_x.astype(float), atol=atol)
        gradient = layer.gradients()
        maps = [gradient["metric_proj.weight"]] if tied else np.split(gradient["in_proj_weight"], 3)[:2]
        wanted = [by_q + by_k] if tied else [by_q, by_k]
        for one, want in zip(maps, wanted):
            assert_allclose(one, want.astype(float), atol=4 * atol)
        assert_allclose(gradient["log_temperature"], [float(by_log_t)], atol=4 * atol)


def test_a_query_farther_than_squares_reach_is_no_nan():
    """Distances whose squares overflow: the weight is 0, and 0 times an infinite score is none."""
    x = few_tokens(6, 1e200, np.float64)
    layer = bare_layer(np.float64, True)
    y = layer.forward(x)
    want = (softmax_of_distances(x[:-1], x[:-1], 2.0)[0] @ x[:-1]).astype(float)
    assert_allclose(y[:-1], want, atol=1e-13)
    g = np.ones((6, 3))
    g[-1] = 0
    assert np.isfinite(layer.backward(g)).all()
    assert all(np.isfinite(part).all() for part in layer.gradients().values())
