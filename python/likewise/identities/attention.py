"""Identities of attention: what regression it is, what leaves it as it is, what it maximizes."""

import numpy as np
import scipy.sparse as sp
from scipy.special import entr, xlogy

import likewise as lw
from likewise import kernels, metrics, supports
from likewise.identities._finding import apart, identity, same


@identity(
    1,
    "Attention to keys of equal norm is kernel regression",
    "softmax(q.k / sqrt(d)) v = sum_j K_j v_j / sum_j K_j,  K Gaussian, h^2 = sqrt(d)",
    source="Nadaraya 1964, Watson 1964; Vaswani et al. 2017; Tsai et al. 2019",
)
def equal_norm_keys(data):
    """softmax(q.k / sqrt(d)) v is Nadaraya-Watson with h^2 = sqrt(d) where all |k| are the same.

    |q - k|^2 = |q|^2 + |k|^2 - 2 q.k, of which only q.k then differs between keys. lw.attention on one side,
    lw.KernelRegressor on the other (Tsai et al. 2019).
    """
    q, k, v = data.queries, _of_equal_norm(data), data.values
    regression = lw.KernelRegressor(bandwidth=data.d**0.25).fit(k, v)
    yield same(lw.attention(q, k, v), regression.predict(q), data.of_scores(q, k, data.d**0.5), abs(v).max())


def _of_equal_norm(data):
    """X with all rows as long as the bandwidth; a row of zeros points along the first axis."""
    k = data.X.copy()
    k[~k.any(axis=1), 0] = 1
    return k * (data.length / np.linalg.norm(k, axis=1, keepdims=True)).astype(k.dtype)


@identity(
    2,
    "Attention to any keys is kernel regression with key weights",
    "softmax(q.k / sqrt(d) - |k|^2 / (2 sqrt(d))) v = kernel regression, h^2 = sqrt(d)",
    "softmax(q.k / sqrt(d)) v = the same with key weights exp(|k_j|^2 / (2 sqrt(d)))",
    source="Tsai et al. 2019",
)
def key_bias(data):
    """The key bias -|k|^2 / (2 sqrt(d)) makes attention kernel regression; without it keys carry weights.

    exp(q.k / t) = exp(|q|^2 / (2 t)) exp(-|q - k|^2 / (2 t)) exp(|k|^2 / (2 t)), whose first factor cancels.
    lw.attention on one side; lw.KernelRegressor, and an operator with log_key_weights, on the other.
    """
    q, k, v, t = data.queries, data.X, data.values, data.d**0.5
    half_square = (k.astype(np.float64) ** 2).sum(axis=1) / (2 * t)
    rounding, scale = data.of_scores(q, k, t), abs(v).max()
    regression = lw.KernelRegressor(bandwidth=t**0.5).fit(k, v)
    yield same(
        lw.attention(q, k, v, log_key_weights=-half_square), regression.predict(q), 2 * rounding, scale
    )
    gaussian = lw.Mechanism(kernel=kernels.Gaussian(t**0.5))
    weighted = gaussian.operator(q, k, log_key_weights=half_square) @ v
    yield same(lw.attention(q, k, v), weighted, 2 * rounding, scale)


@identity(
    3,
    "What leaves attention as it is",
    "softmax_j(s_ij + r_i) = softmax_j(s_ij)",
    "softmax(q.(k + c) / t) v = softmax(q.k / t) v",
    "a key given twice = the same key with log 2 added to its scores",
    "max_j w_ij = w_ii where scores are -|W x_i - W x_j|^2 / t",
    "max_j w_ij != w_ii where scores are <x_i, x_j>, of the points 1 and 2",
    source="Kim, Papamakarios and Mnih 2021 (tied scores)",
)
def gauge(data):
    """Rows of scores are free up to a constant, keys up to a shift; a copy of a key is log 2.

    lw.attention of the changed queries and keys on one side, the dense operator of dot products on the
    other. The last two: no token hears another one more than itself under tied squared distances; under dot
    products it may.
    """
    q, k, v, t = data.queries, data.X, data.values, data.length**2
    P, scale = lw.Mechanism(metric="dot", kernel=kernels.Exponential(t)).operator(q, k), abs(v).max()
    weights, rng = P.toarray(), np.random.default_rng(0)
    r = rng.normal(size=(data.n, 1)).astype(q.dtype)  # as a product: r_i = <r_i t, 1> / t
    with_r = lw.attention(np.hstack([q, r * q.dtype.type(t)]), np.hstack([k, np.ones_like(r)]), v, t)
    rounding = data.of_scores(q, k, t) + data.rounding(float(np.abs(r).max()))
    yield same(with_r, weights @ v, rounding, scale)
    shifted = k + rng.normal(size=data.d).astype(k.dtype) * k.dtype.type(data.length)
    yield same(lw.attention(q, shifted, v, t), weights @ v, data.of_scores(q, shifted, t), scale)
    twice = lw.attention(q, np.vstack([k, k[:1]]), np.vstack([v, v[:1]]), t)
    log_2 = np.where(np.arange(data.n) == 0, np.log(2), 0.0)
    once = P.mechanism.operator(q, k, log_key_weights=log_2) @ v
    yield same(twice, once, data.of_scores(q, k, t), scale)
    yield _own_weight_is_largest(data)
    dot = lw.Mechanism(metric="dot", kernel="exponential").operator(np.array([[1.0], [2.0]])).toarray()
    yield apart(dot.max(axis=1), dot.diagonal())


def _own_weight_is_largest(data):
    """w_ii = 1 / sum_j exp(-c_ij / t): the row's largest weight by one route, the mass by another."""
    W = np.random.default_rng(1).normal(size=(data.d, data.d)) / data.d**0.5
    mapped, t = data.X @ W.T.astype(data.X.dtype), 2 * data.length**2
    weights = lw.l2_attention(mapped, mapped, np.eye(data.n, dtype=data.X.dtype), t)
    P = lw.Mechanism(metric=metrics.Mahalanobis(W), kernel=kernels.Exponential(t)).operator(data.X)
    own = np.exp(-P.log_row_sums)
    stretched = max(1.0, np.linalg.norm(W, 2) ** 2)
    return same(weights.max(axis=1), own, stretched * data.of_distances, 1.0)


@identity(
    13,
    "Softmax is the maximizer of <p, s> + H(p)",
    "<p, s> + H(p) = log sum_j exp(s_j) for p = softmax(s)",
    "log sum_j exp(s_j) - <p, s> - H(p) = KL(p | softmax(s)) for any other p",
    "d attention / dq = Cov_w(v, k) / t",
    source="Boyd and Vandenberghe 2004, section 3.3; Geshkovski et al. 2023",
)
def softmax(data):
    """Softmax maximizes score plus entropy; what others fall short is a divergence; its slope a covariance.

    <p, s> is <q, P k> / t by lw.attention, the maximum by an operator's row sums, and the other p are rows
    under another kernel. The derivative is P.vjp on one side, three means by lw.attention on the other.
    """
    q, k, t = data.queries, data.X, data.length**2
    P = lw.Mechanism(metric="dot", kernel=kernels.Exponential(t)).operator(q, k)
    weights, most = P.toarray().astype(np.float64), P.log_row_sums
    rounding, scale = data.of_scores(q, k, t), 1 + np.abs(most).max()
    reached = (q * lw.attention(q, k, k, t)).sum(axis=1) / t + entr(weights).sum(axis=1)
    yield same(reached, most, rounding, scale)
    other = lw.Mechanism(metric="euclidean", kernel=kernels.Laplacian(data.length)).operator(q, k).toarray()
    other = other.astype(np.float64) / other.sum(axis=1, keepdims=True, dtype=np.float64)
    less = most - (q * (other @ k)).sum(axis=1) / t - entr(other).sum(axis=1)
    log_weights = np.log(weights)
    gone = weights == 0  # below the least number of this dtype
    log_weights[gone] = ((q @ k.T).astype(np.float64) / t - most[:, None])[gone]
    yield same(less, (xlogy(other, other) - other * log_weights).sum(axis=1), rounding, scale)
    yield _slope(data, P, t)


def _slope(data, P, t):
    """g^T Cov_w(v, k) / t for each query, two ways."""
    q, k, v = data.queries, data.X, data.one_hot
    g = np.random.default_rng(2).normal(size=v.shape).astype(v.dtype)
    by_vjp = P.vjp(g, v)["queries"]
    pairs = (v[:, :, None] * k[:, None, :]).reshape(data.n, -1)
    joint = lw.attention(q, k, pairs, t).reshape(data.n, v.shape[1], data.d)
    apart_from = lw.attention(q, k, v, t)[:, :, None] * lw.attention(q, k, k, t)[:, None, :]
    by_means = (g[:, :, None] * (joint - apart_from)).sum(axis=1) / t
    scale = np.abs(g).sum(axis=1).max() * np.abs(k).max() / t
    return same(by_vjp, by_means, 4 * data.of_scores(q, k, t), scale)


@identity(
    14,
    "Graph attention is a masked softmax",
    "GAT: P_ij = exp(e_ij) / sum over neighbors,  e_ij = LeakyReLU(a1.h_i + a2.h_j)",
    source="Velickovic et al. 2018",
)
def masked_softmax(data):
    """The additive metric on the edges of a graph, and given scores under a mask.

    likewise.metrics.Additive on supports.Graph, whose work goes along edges; metrics.Precomputed under a
    supports.Mask, whose work goes over all pairs.
    """
    h, v, A = data.X, data.values, neighbor_graph(data)
    a1, a2 = np.random.default_rng(3).normal(size=(2, data.d)) / (data.d**0.5 * data.length)
    on_edges = lw.Mechanism(
        metric=metrics.Additive(a1, a2), kernel=kernels.Exponential(1.0), support=supports.Graph(A)
    )
    scores = (h @ a1.astype(h.dtype))[:, None] + h @ a2.astype(h.dtype)
    given = lw.Mechanism(
        metric=metrics.Precomputed(distance_power=None),
        kernel=kernels.Exponential(1.0),
        support=supports.Mask(A.toarray() > 0),
    )
    masked = given.operator(np.where(scores > 0, -scores, h.dtype.type(-0.2) * scores)) @ v
    size = float((np.abs(h) @ np.abs(a1) + np.abs(h) @ np.abs(a2)).max())
    yield same(on_edges.operator(h) @ v, masked, data.rounding(size), abs(v).max())


def neighbor_graph(data):
    """Each point with itself and its five nearest, made undirected: CSR of ones."""
    support = supports.Neighbors(min(6, data.n), symmetrize="union", include_self=True)
    P = lw.Mechanism(metric="euclidean", kernel="indicator", support=support, normalization="none")
    return sp.csr_matrix(P.operator(data.X).tocsr() > 0, dtype=np.float64)
