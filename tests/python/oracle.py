"""The one equation in plain float64 NumPy, matrix by matrix; uses nothing of likewise.

Slots are named as in likewise; only their parameters are passed. Oracles of the operator's tests.
"""

import numpy as np

W = np.array([[1.0, 0.5, 0.0], [0.3, 1.2, -0.4]])
W2 = np.array([[0.2, -0.5, 1.0], [1.0, 0.1, 0.4]])


def differences(X, Z):
    return X[:, None] - Z[None]


def cosine(X, Z):
    X, Z = (A / np.linalg.norm(A, axis=1, keepdims=True) for A in (X, Z))
    return (differences(X, Z) ** 2).sum(-1) / 2  # 1 - cos, exactly 0 of a point with itself


def leaky(s, slope=0.2):
    return np.where(s > 0, s, slope * s)


# name -> (cost of two blocks, its distance_power)
METRICS = {
    "SquaredEuclidean()": (lambda X, Z: (differences(X, Z) ** 2).sum(-1), 2),
    "Euclidean()": (lambda X, Z: np.sqrt((differences(X, Z) ** 2).sum(-1)), 1),
    "Mahalanobis(W)": (lambda X, Z: ((differences(X, Z) @ W.T) ** 2).sum(-1), 2),
    "Cosine()": (cosine, 2),
    "Manhattan()": (lambda X, Z: np.abs(differences(X, Z)).sum(-1), 1),
    "Chebyshev()": (lambda X, Z: np.abs(differences(X, Z)).max(-1), 1),
    "Minkowski(3)": (lambda X, Z: (np.abs(differences(X, Z)) ** 3).sum(-1) ** (1 / 3), 1),
    "DotProduct()": (lambda X, Z: -X @ Z.T, None),
    "Bilinear(W, W2)": (lambda X, Z: -(X @ W.T) @ (Z @ W2.T).T, None),
    "Bilinear(W, W)": (lambda X, Z: -(X @ W.T) @ (Z @ W.T).T, None),
    "Additive(W[0], W2[1])": (lambda X, Z: -leaky((X @ W[0])[:, None] + Z @ W2[1]), None),
    "Additive(W[0], -W[0], 'abs')": (lambda X, Z: -np.abs((X @ W[0])[:, None] - Z @ W[0]), None),
    "AdditiveDynamic(W, W2, W[:, 0], b=W2[:, 2])": (
        lambda X, Z: -leaky((X @ W.T)[:, None] + Z @ W2.T + W2[:, 2]) @ W[:, 0],
        None,
    ),
}

# name -> (weight of its input, what that is: d distance, r what kneighbors reports, c cost, - nothing)
KERNELS = {
    "Gaussian(0.9)": (lambda d: np.exp(-0.5 * (d / 0.9) ** 2), "d"),
    "Exponential(1.3)": (lambda c: np.exp(-c / 1.3), "c"),
    "Laplacian(0.8)": (lambda d: np.exp(-d / 0.8), "d"),
    "Indicator()": (np.ones_like, "-"),
    "Indicator(1.5)": (lambda d: (d <= 1.5) * 1.0, "d"),
    "Epanechnikov(2.5)": (lambda d: np.maximum(0, 1 - (d / 2.5) ** 2), "d"),
    "Tricube(2.5)": (lambda d: np.maximum(0, 1 - (d / 2.5) ** 3) ** 3, "d"),
    "StudentT(0.7, df=3)": (lambda d: (1 + d**2 / (3 * 0.49)) ** -2.0, "d"),
    "AlphaDecay(1.1, decay=3)": (lambda d: np.exp(-((d / 1.1) ** 3)), "d"),
    "Matern32(0.9)": (lambda d: (1 + 3**0.5 * d / 0.9) * np.exp(-(3**0.5) * d / 0.9), "d"),
    "Matern52(0.9)": (
        lambda d: (1 + 5**0.5 * d / 0.9 + 5 * d**2 / (3 * 0.81)) * np.exp(-(5**0.5) * d / 0.9),
        "d",
    ),
    "InverseDistance()": (lambda d: np.where(d > 0, 1 / np.where(d > 0, d, 1), np.inf), "r"),
    "InverseDistance(2.5)": (lambda d: np.where(d > 0, np.where(d > 0, d, 1) ** -2.5, np.inf), "r"),
}


def distances(cost, power):
    return np.sqrt(np.maximum(cost, 0)) if power == 2 else cost


def weights(metric, kernel, X, Z):
    """K before any support; None where the kernel wants a distance that the metric is not."""
    (cost, power), (phi, wants) = METRICS[metric], KERNELS[kernel]
    if wants == "d":
        return None if power is None else phi(distances(cost(X, Z), power))
    if wants == "r":  # as scikit-learn's metric of that name: |Wx - Wz|, else the cost
        return (
            None if power is None else phi(np.sqrt(cost(X, Z)) if metric == "Mahalanobis(W)" else cost(X, Z))
        )
    return phi(cost(X, Z))


def nearest(reported, k, include_self=None):
    """Pattern of each row's k least entries; on squares include_self says whether the diagonal counts."""
    reported = np.array(reported)
    if include_self is not None:
        np.fill_diagonal(reported, -np.inf if include_self else np.inf)
    order = np.argsort(reported, axis=1, kind="stable")[:, :k]
    pattern = np.zeros(reported.shape, bool)
    np.put_along_axis(pattern, order, True, axis=1)
    return pattern


def symmetrized(A, how):
    if how == "union":
        return np.maximum(A, A.T)
    if how == "mutual":
        return np.minimum(A, A.T) * ((A > 0) & (A.T > 0))
    if how == "fuzzy_union":
        return A + A.T - A * A.T
    return (A + A.T) / 2 if how == "average" else A


def normalized(K, rule, w=None, null_mass=0.0, alpha=1.0):
    """P from K and key weights w, of a square K those of its rows too.

    Infinite weights (InverseDistance at 0) share their row."""
    K = np.where(np.isinf(K).any(1, keepdims=True), np.isinf(K) * 1.0, K)
    w = np.ones(K.shape[1]) if w is None else w
    D = (K * w).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        if rule == "none":
            return K * w
        if rule == "row":
            return np.nan_to_num(K * w / (D + null_mass)[:, None])
        if rule == "symmetric":
            s = np.where(D > 0, np.sqrt(w / D), 0)
            return s[:, None] * K * s
        if rule == "density":
            r = np.where(D > 0, w * D**-alpha, 0)
            return np.nan_to_num(K * r / (K * r).sum(1, keepdims=True))
        rows = w[:, None] if len(K) == len(w) else 1.0
        if rule == "column":
            return np.nan_to_num(K * w / (K * rows).sum(0))
        if rule == "global":
            return K * w / (K * w * rows).sum()
    f = -0.5 * np.log(D)
    for _ in range(3000):
        f = 0.5 * (f - np.log((K * w * np.exp(f)).sum(1)))
    return np.exp(f)[:, None] * K * np.exp(f) * w


def extended(K_cross, K_self, rule, w=None, null_mass=0.0, alpha=1.0):
    """The rows of new points: r is that of the self-operator of K_self, l each new row's own."""
    K = np.where(np.isinf(K_cross).any(1, keepdims=True), np.isinf(K_cross) * 1.0, K_cross)
    w = np.ones(K.shape[1]) if w is None else w
    with np.errstate(divide="ignore", invalid="ignore"):
        D = (K_self * w).sum(1)
        if rule == "none":
            return K * w
        if rule == "column":
            return np.nan_to_num(K * w / K.sum(0))
        if rule == "global":
            return K * w / (K * w).sum()
        if rule == "symmetric":
            left = (K * w).sum(1, keepdims=True)
            return np.nan_to_num(K * np.where(D > 0, np.sqrt(w / D), 0) / np.sqrt(left))
        if rule == "row":
            r = w
        elif rule == "density":
            r = np.where(D > 0, w * D**-alpha, 0)
        else:  # P_ij = e_i K_ij e_j w_j on the diagonal too, so e = sqrt(P_ii / (K_ii w_i))
            P = normalized(K_self, "bistochastic", w)
            r = np.sqrt(np.diag(P) / (np.diag(K_self) * w)) * w
        return np.nan_to_num(K * r / ((K * r).sum(1, keepdims=True) + null_mass))
