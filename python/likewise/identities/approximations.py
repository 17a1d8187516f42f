"""Identities of low-rank weights, and what is often called an identity and is none."""

import numpy as np

import likewise as lw
from likewise import kernels
from likewise.identities._finding import apart, identity, same

_NODES = 48  # of Gauss-Hermite quadrature in one dimension


@identity(
    11,
    "Nystrom's weights are exact where the landmarks are",
    "C W^+ C^T = K where all points are landmarks",
    "(C W^+ C^T)_ij = K_ij where i is a landmark",
    "F (F^T v) / F (F^T 1) = D^-1 K v,  F F^T = C W^+ C^T of all points",
    source="Williams and Seeger 2001; Drineas and Mahoney 2005",
)
def nystrom(data):
    """Landmarks reproduce their own rows of the kernel matrix, whatever the other points are.

    lw.nystrom, by eigenvectors of the landmarks' matrix, on one side; operators of all points on the other.
    The Laplacian kernel on points that are not much closer than they usually are, so that its matrix is well
    conditioned: W^+ multiplies rounding by the condition number. Landmarks of the second are every other one.
    """
    h = max(_distance_to_next(data.X), data.length / 10)
    some = _apart(data.X, h / 2)
    X, v = data.X[some], data.values[some]
    m = lw.Mechanism(metric="euclidean", kernel=kernels.Laplacian(h))
    K = m.replace(normalization="none").operator(X).toarray()
    F, of_half = lw.nystrom(m, X, X), lw.nystrom(m, X, X[::2])
    rounding = data.rounding(data.largest_square / h**2) * _condition(K, data.eps)
    yield same(F @ F.T, K, rounding)
    yield same((of_half @ of_half.T)[::2], K[::2], rounding)
    step = (F @ (F.T @ v)) / (F @ F.sum(axis=0))[:, None]
    yield same(step, m.operator(X) @ v, 2 * rounding, abs(v).max())


def _distance_to_next(X):
    """The median distance to the nearest other point that is not a copy; 1 of one place."""
    places = np.unique(X, axis=0)
    return float(np.median(lw.kneighbors(places, n_neighbors=1)[0])) if len(places) > 1 else 1.0


def _apart(X, least):
    """Rows of X, each at least so far from those before it."""
    kept = [0]
    for i in range(1, len(X)):
        if np.linalg.norm(X[kept] - X[i], axis=1).min() >= least:
            kept.append(i)
    return kept


def _condition(W, eps):
    """The condition number of what is kept of W, by which W^+ multiplies rounding."""
    values = np.linalg.eigvalsh(W.astype(np.float64))
    kept = values[values > len(W) * eps * values[-1]]
    return kept[-1] / kept[0]


@identity(
    12,
    "Positive random features have exp(q.k) as their mean",
    "exp(q.k) = E_w[exp(w.q - |q|^2/2) exp(w.k - |k|^2/2)],  w ~ N(0, I)",
    "the mean over 10 000 random w = exp(q.k), within 6 standard errors",
    source="Choromanski et al. 2021",
)
def random_features(data):
    """The features of Performers: their products are unbiased, and as noisy as the formula says.

    lw.positive_random_features, with the nodes of Gauss-Hermite quadrature as projections and then random
    ones, on one side; an unnormalized operator of dot products on the other. Points are cut to their first
    two columns for the quadrature, and shortened.
    """
    plane = _shortened(data.X[:, :2], 1.5)
    exponential = lw.Mechanism(metric="dot", kernel="exponential", normalization="none")
    nodes, shares = _quadrature(plane.shape[1])
    F = lw.positive_random_features(plane, projections=nodes)
    mean = (F * (len(nodes) * shares)) @ F.T  # features are divided by sqrt(m) each
    rounding = data.eps * (len(nodes) + 8 * np.abs(nodes).max() * 1.5)
    yield same(mean / exponential.operator(plane).toarray(), np.ones((data.n, data.n)), rounding)
    yield _noise(_shortened(data.X, 0.3), exponential)


def _shortened(X, longest):
    """X with its longest row this long."""
    length = np.sqrt((X.astype(np.float64) ** 2).sum(axis=1).max())
    return np.ascontiguousarray(X * X.dtype.type(longest / (length or 1)))


def _quadrature(d):
    """Nodes (m, d) and shares (m,) whose sums are means over N(0, I)."""
    x, w = np.polynomial.hermite_e.hermegauss(_NODES)
    grids = np.meshgrid(*[x] * d, indexing="ij"), np.meshgrid(*[w / w.sum()] * d, indexing="ij")
    nodes, shares = (np.stack([g.ravel() for g in grid], axis=1) for grid in grids)
    return nodes, shares.prod(axis=1)


def _noise(X, exponential, m=10_000):
    """How far an estimate is off, as a share of the mean; 6 standard errors are allowed."""
    F = lw.positive_random_features(X, m, random_state=0)
    off = (F @ F.T) / exponential.operator(X).toarray()
    longest = 4 * (X.astype(np.float64) ** 2).sum(axis=1).max()  # of |x + z|^2
    return same(off, np.ones_like(off), 6 * np.sqrt(np.expm1(longest) / m) + m * np.finfo(X.dtype).eps)


@identity(
    15,
    "Not identities, though often called so",
    "kernel ridge regression K (K + a I)^-1 y != kernel regression D^-1 K y, any a",
    "Nystromformer = softmax attention where every token is a landmark",
    "Nystromformer != kernel Nystrom divided by rows, every other token a landmark",
    source="Saunders et al. 1998; Xiong et al. 2021",
)
def counterexamples(data):
    """Two claims that fail, by counterexample, and the case in which the second holds.

    Both sides by operators, a from 1e-6 to 1e3. The points are up to 12 different rows of X; points of its
    own where X has fewer than 4.
    """
    X, y = _few_points(data)
    m = lw.Mechanism(metric="euclidean", kernel=kernels.Gaussian(1.0))
    smoothed = m.operator(X) @ y
    K = m.replace(normalization="none").operator(X).toarray()
    ridges = [K @ np.linalg.solve(K + a * np.eye(len(X)), y) for a in 10.0 ** np.arange(-6, 4)]
    nearest = min(ridges, key=lambda ridge: np.abs(ridge - smoothed).max())
    yield apart(nearest, smoothed)
    dot = lw.Mechanism(metric="dot", kernel="exponential")
    softmax = dot.operator(X).toarray()
    condition = np.linalg.cond(softmax)
    yield same(_nystromformer(dot, X, X), softmax, 100 * np.finfo(float).eps * condition)
    F = lw.nystrom(dot, X, X[::2])
    by_kernel = F @ F.T / (F @ F.sum(axis=0))[:, None]
    yield apart(_nystromformer(dot, X, X[::2]), by_kernel)


def _nystromformer(m, X, landmarks):
    """softmax(q L^T) softmax(L L^T)^+ softmax(L k^T), queries and keys the tokens X (Xiong et al. 2021)."""
    left, middle, right = (
        m.operator(a, b).toarray() for a, b in ((X, landmarks), (landmarks, landmarks), (landmarks, X))
    )
    return left @ np.linalg.pinv(middle) @ right


def _few_points(data):
    """Up to 12 different rows, centered and at most 2 long, and a number for each; float64."""
    _, first = np.unique(data.X, axis=0, return_index=True)
    first = first[np.linspace(0, len(first) - 1, min(len(first), 12)).astype(int)]
    X = data.X[first].astype(np.float64) if len(first) >= 4 else np.array([[0.0], [1.0], [2.0], [4.0]])
    X = _shortened(X - X.mean(axis=0), 2.0)
    return X, np.arange(len(X)) % 2.0
