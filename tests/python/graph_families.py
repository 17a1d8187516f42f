"""Graphs whose spectra are hard to get right, and what plain NumPy says of them: for tests and slow checks.

Nothing here uses likewise. Weights are float64 arrays (n, n), symmetric, not negative.
"""

import numpy as np


def _from_edges(n, edges, weights=1.0):
    W = np.zeros((n, n))
    i, j = np.asarray(edges, dtype=int).reshape(-1, 2).T
    W[i, j] = W[j, i] = weights
    return W


def _chain(nodes):
    return list(zip(nodes[:-1], nodes[1:], strict=True))


def star(n, rng):
    return _from_edges(n, [(0, i) for i in range(1, n)])


def clique(n, rng):
    return np.ones((n, n)) - np.eye(n)


def path(n, rng):
    return _from_edges(n, _chain(range(n)))


def ring(n, rng):
    return _from_edges(n, [(i, (i + 1) % n) for i in range(n) if i != (i + 1) % n])


def band(n, rng):
    reach = int(rng.integers(1, 8))
    return _from_edges(n, [(i, i + r) for r in range(1, reach + 1) for i in range(n - r)])


def grid(n, rng):
    rows = max(1, int(rng.integers(1, max(2, int(np.sqrt(n)) + 1))))
    cols = max(1, n // rows)
    at = np.arange(rows * cols).reshape(rows, cols)
    across = np.c_[at[:, :-1].ravel(), at[:, 1:].ravel()]
    down = np.c_[at[:-1].ravel(), at[1:].ravel()]
    return _from_edges(rows * cols, np.r_[across, down])


def random_tree(n, rng):
    return _from_edges(n, [(i, rng.integers(0, i)) for i in range(1, n)])


def binary_tree(n, rng):
    return _from_edges(n, [(i, (i - 1) // 2) for i in range(1, n)])


def lollipop(n, rng):
    head = int(rng.integers(1, n + 1))
    W = _from_edges(n, _chain(range(n)))
    W[:head, :head] = 1 - np.eye(head)
    return W


def bipartite(n, rng):
    left = int(rng.integers(1, n)) if n > 1 else 1
    W = np.zeros((n, n))
    W[:left, left:] = rng.random((left, n - left)) < rng.choice([1.0, 0.5, 0.1])
    return W + W.T


def block_model(n, rng):
    part = rng.integers(0, int(rng.integers(1, 7)), n)
    p = np.where(part[:, None] == part[None], rng.choice([1.0, 0.4, 0.1]), rng.choice([0.0, 0.01, 0.1]))
    upper = np.triu(rng.random((n, n)) < p, 1)
    return (upper | upper.T).astype(float)


def random_graph(n, rng):
    upper = np.triu(rng.random((n, n)) < rng.choice([0.5, min(1.0, 4 / n), min(1.0, 12 / n)]), 1)
    return (upper | upper.T).astype(float)


def regular_pieces(n, rng):
    """Equal cliques or rings side by side: every eigenvalue comes as often as there are pieces."""
    size = int(rng.integers(1, max(2, n // 2) + 1))
    piece = (clique if rng.random() < 0.5 else ring)(size, rng)
    return np.kron(np.eye(max(1, n // size)), piece)


def small_world(n, rng):
    W = ring(n, rng) + (_from_edges(n, [(i, (i + 2) % n) for i in range(n)]) if n > 5 else 0)
    for _ in range(max(1, n // 20)):
        i, j = rng.integers(0, n, 2)
        W[i, j] = W[j, i] = 1.0
    np.fill_diagonal(W, 0)
    return np.minimum(W, 1)


def lonely_and_pairs(n, rng):
    """Components of one node, which has a loop, and of two."""
    W = np.zeros((n, n))
    i = 0
    while i < n:
        if i + 1 < n and rng.random() < 0.5:
            W[i, i + 1] = W[i + 1, i] = 1.0
            i += 2
        else:
            W[i, i] = 1.0
            i += 1
    return W


def cliques_on_a_bridge(n, rng):
    half = max(1, n // 2)
    W = np.zeros((2 * half, 2 * half))
    W[:half, :half] = W[half:, half:] = 1 - np.eye(half)
    W[half - 1, half] = W[half, half - 1] = 10.0 ** -rng.integers(0, 9)
    return W


GRAPHS = [
    star,
    clique,
    path,
    ring,
    band,
    grid,
    random_tree,
    binary_tree,
    lollipop,
    bipartite,
    block_model,
    random_graph,
    regular_pieces,
    small_world,
    lonely_and_pairs,
    cliques_on_a_bridge,
]


def weighted(W, rng):
    """Weights from 1e-8 to 1, alike in both directions."""
    factors = 10.0 ** -(8 * rng.random(W.shape))
    upper = np.triu(W * factors)
    return upper + np.triu(upper, 1).T


def equal_points(n, rng):
    """Few places, many points: the kernel matrix has their rank."""
    places = rng.normal(size=(int(rng.integers(1, 6)), 2))
    return places[rng.integers(0, len(places), n)]


def all_but_one(n, rng):
    X = np.zeros((n, 2))
    X[-1] = 1.0
    return X


def one_hot(n, rng):
    return np.eye(int(rng.integers(2, 12)))[rng.integers(0, 2, n) if n < 3 else np.arange(n) % 2]


def cloud(n, rng):
    return rng.normal(size=(n, int(rng.integers(1, 6))))


def on_a_line(n, rng):
    return np.arange(n)[:, None] / 3.0


def far_groups(n, rng):
    return rng.normal(size=(n, 2)) + rng.choice([3.0, 30.0, 1e3]) * rng.integers(0, 4, n)[:, None]


POINTS = [equal_points, all_but_one, one_hot, cloud, on_a_line, far_groups]


def gaussian_weights(X, h):
    squares = ((X[:, None] - X[None]) ** 2).sum(-1)
    return np.exp(-squares / (2 * h * h))


def symmetric_form(W, rule, factors=None):
    """The symmetric matrix of the operator's eigenvalues, and D with right eigenvectors D^-1 u.

    `factors` of the bistochastic rule: their error is divided by a gap that may be tiny, so they are given.
    """
    ones = np.ones(len(W))
    if rule == "none":
        return W, ones
    if rule == "density":
        q = W.sum(1)
        W = W / np.sqrt(np.outer(q, q))  # alpha 1/2
    if rule == "bistochastic":
        return factors[:, None] * W * factors, ones
    root = np.sqrt(W.sum(1))
    with np.errstate(divide="ignore"):
        inverse = np.where(root > 0, 1 / root, 0)
    return inverse[:, None] * W * inverse, ones if rule == "symmetric" else root


def require_right(S, D, values, vectors, residual_tol, value_tol):
    """The pairs are the largest of S, each counted; vectors D v are orthonormal and span the right space.

    Vectors are determined as far as residuals over gaps say, so spaces are compared where there is a gap.
    """
    k = len(values)
    exact, E = np.linalg.eigh(S)
    exact, E = exact[::-1], E[:, ::-1]
    scale = np.abs(exact).max(initial=1e-300)
    off = np.abs(values - exact[:k]).max() / scale
    assert off <= value_tol, f"eigenvalues are off by {off:.2e}: {values[:6]} for {exact[:6]}"
    U = D[:, None] * vectors
    U = U / np.linalg.norm(U, axis=0)
    residual = np.linalg.norm(S @ U - U * values, axis=0).max() / scale
    assert residual <= residual_tol, f"residual {residual:.2e}"
    skew = np.abs(U.T @ U - np.eye(k)).max()
    assert skew <= max(1e-6, residual_tol), f"vectors are not orthogonal: {skew:.2e}"
    gap = (exact[k - 1] - exact[k]) / scale if k < len(S) else 1.0
    bound = 4 * np.sqrt(k) * residual_tol / gap if gap > 0 else np.inf
    if bound < 0.1:
        outside = np.linalg.norm(U - E[:, :k] @ (E[:, :k].T @ U), 2)
        assert outside <= bound + 1e-7, f"a space that is off by {outside:.2e}"
