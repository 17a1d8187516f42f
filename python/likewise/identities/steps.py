"""Identities of one step and of steps repeated: votes, walks, memories, modes."""

import math
import warnings

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

import likewise as lw
from likewise import kernels, maps, supports
from likewise.identities._finding import at_most, identity, same
from likewise.propagations import Steps


@identity(
    4,
    "A nearest-neighbor vote is the indicator kernel on the k nearest",
    "shares of classes among the k nearest = P Y, phi = 1 on Neighbors(k), Y one-hot",
    "votes that weigh 1/d = P Y, phi = 1/d on Neighbors(k)",
    source="Fix and Hodges 1951; Dudani 1976 (weights)",
)
def neighbor_vote(data):
    """Votes of k neighbors are a step of values that are one-hot classes.

    lw.KNeighborsClassifier, which counts labels, on one side; operators on the neighbor support on the other.
    """
    k, q = min(5, data.n), data.queries
    for weights, kernel in (("uniform", kernels.Indicator()), ("distance", kernels.InverseDistance())):
        model = lw.KNeighborsClassifier(k, weights=weights).fit(data.X, data.classes)
        m = lw.Mechanism(metric="euclidean", kernel=kernel, support=supports.Neighbors(k))
        shares = model.predict_proba(q)
        yield same(shares, m.operator(q, data.X) @ data.one_hot[:, model.classes_], data.rounding(1, k))


@identity(
    7,
    "An attention step is a step of a random walk and an Euler step of the heat flow",
    "softmax(-|x - z|^2 / t) v = D^-1 K v",
    "softmax(-|x - z|^2 / t) v = v - tau (I - P) v,  tau = 1",
    "exp(-s (I - P)) v = sum_k e^-s s^k / k! P^k v,  P^k v by k steps of attention",
    source="Coifman and Lafon 2006; Geshkovski et al. 2023",
)
def random_walk(data):
    """P = D^-1 K moves values as attention does; Euler's step of dv/ds = -(I - P) v at tau = 1 is P v.

    lw.l2_attention on one side; an unnormalized operator's matrix and the heat flow of an operator on the
    other. The third: heat for a time s is what attention does after a Poisson(s) number of steps.
    """
    X, v, t = data.X, data.values, 2 * data.length**2
    step, scale = lw.l2_attention(X, X, v, t), abs(v).max()
    gaussian = lw.Mechanism(kernel=kernels.Gaussian(data.length))
    K = gaussian.replace(normalization="none").operator(X).tocsr()
    yield same(step, (K @ v) / K.sum(axis=1).reshape(-1, 1), data.of_distances, scale)
    P = gaussian.operator(X)
    minus_laplacian = P.tocsr() - sp.identity(data.n, dtype=X.dtype)
    yield same(step, v + minus_laplacian @ v, data.of_distances + 2 * data.eps, scale)
    walked, flow = v, np.exp(-1.0) * v
    for k in range(1, 25):  # 1 / 25! is below rounding
        walked = lw.l2_attention(X, X, walked, t)
        flow = flow + (np.exp(-1.0) / math.factorial(k)) * walked
    yield same(P.heat(1.0, v), flow, 2 * data.of_distances, scale)


@identity(
    8,
    "A step of a modern Hopfield memory is attention, and lowers its energy",
    "q <- X^T softmax(X q / t) = P X, the attention matrix times the patterns",
    "E(q) = -t log sum_j exp(<q, x_j> / t) + |q|^2 / 2 + t log n + max_j |x_j|^2 / 2",
    "E(q after a step) <= E(q)",
    source="Ramsauer et al. 2020",
)
def hopfield(data):
    """Retrieval from a modern Hopfield memory is attention with the patterns as keys and values.

    lw.HopfieldMemory on one side; the matrix of an operator of dot products, and its row sums, on the other.
    """
    q, X, t = data.queries, data.X, data.length**2
    memory = lw.HopfieldMemory(temperature=t, max_iter=1, tol=0.0).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # one step, or ten, are what is asked
        once = memory.transform(q)
        energies = memory.set_params(max_iter=10).fit(X).retrieve(q).energies
    rounding = data.of_scores(q, X, t)
    P = lw.Mechanism(metric="dot", kernel=kernels.Exponential(t)).operator(q, X)
    yield same(once, P.toarray() @ X, rounding, np.abs(X).max())
    squares, longest = (q.astype(np.float64) ** 2).sum(axis=1), (X.astype(np.float64) ** 2).sum(axis=1).max()
    by_row_sums = -t * P.log_row_sums + squares / 2 + t * np.log(data.n) + longest / 2
    size = t * (1 + np.abs(P.log_row_sums).max()) + longest
    yield same(memory.energy(q), by_row_sums, rounding, size)
    yield at_most(energies[1:], energies[:-1], rounding, size)


@identity(
    9,
    "Mean shift is metric-attention with values = keys = points",
    "sum_j K(x, x_j) x_j / sum_j K(x, x_j) = softmax(-|phi(x) - phi(x_j)|^2) x_j",
    "m(x) - x = h^2 grad log p_h(x),  p_h the kernel density",
    source="Fukunaga and Hostetler 1975; Cheng 1995",
)
def mean_shift(data):
    """A step of Gaussian mean shift: attention under a metric, and a gradient step on the log density.

    A step of moving points (Mechanism.propagate) on one side; lw.metric_attention, and the derivative of an
    unnormalized operator's row sums (vjp), on the other. phi(x) = x / (sqrt(2) h).
    """
    X, h = data.X, data.length
    m = lw.Mechanism(kernel=kernels.Gaussian(h), propagation=Steps(1, moving="points"))
    moved, scale = m.propagate(X), np.abs(X).max()
    phi = maps.Linear(np.eye(data.d) / (2**0.5 * h))
    yield same(moved, lw.metric_attention(X, phi), data.of_distances, scale)
    density = lw.Mechanism(kernel=kernels.Gaussian(h), normalization="none").operator(X, X)
    ones = np.ones(data.n, X.dtype)
    slope_of_log = density.vjp(1 / (density @ ones), ones)["queries"]
    yield same(moved - X, h**2 * slope_of_log, 4 * data.of_distances, 2 * scale)
