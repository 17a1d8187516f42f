"""Features whose dot products are kernel values: Nystrom's of landmarks, and positive random ones.

With features F of queries and G of keys a step costs O(n m) in place of O(n^2): its weights are F G^T, and
F (G^T V) / F (G^T 1) is the step of a row-stochastic operator.
"""

import numpy as np

from likewise import _checks, supports
from likewise._mechanism import Mechanism


def nystrom(mechanism, X, landmarks):
    """Nystrom features F of points X: F F^T = C W^+ C^T, C = K(X, landmarks), W = K(landmarks, landmarks).

    K is the kernel matrix before any normalization. F F^T equals K on the rows and columns of landmarks, so
    with all points as landmarks everywhere; features of new points belong to the same landmarks.

    Parameters
    ----------
    mechanism : Mechanism of all pairs, whose kernel matrix is symmetric and positive semi-definite
        Its metric and kernel are taken. A bandwidth that is a rule is found for the landmarks.
    X : array (n, n_features)
    landmarks : array (m, n_features)
        Points, such as ``X[::10]`` or the centers of k-means.

    Returns
    -------
    F : array (n, rank), rank <= m; eigenvalues of W below rounding are left out

    Raises
    ------
    ValueError : a support other than all pairs, a kernel matrix of the landmarks that is not symmetric or has
        negative eigenvalues

    References
    ----------
    Williams and Seeger (2001), Using the Nystrom method to speed up kernel machines.

    Examples
    --------
    >>> import numpy as np
    >>> import likewise as lw
    >>> X, m = np.random.default_rng(0).normal(size=(50, 2)), lw.Mechanism(kernel=lw.kernels.Laplacian(1.0))
    >>> F = lw.nystrom(m, X, X[:10])
    >>> K = m.replace(normalization="none").operator(X).toarray()
    >>> np.allclose((F @ F.T)[:10], K[:10]), F.shape
    (True, (50, 10))
    """
    if not isinstance(mechanism, Mechanism):
        raise TypeError(f"mechanism must be a Mechanism; got {_checks.told(mechanism)}.")
    if mechanism.support != supports.AllPairs():
        raise ValueError(f"mechanism must have the support AllPairs(); got {mechanism.support!r}.")
    X, landmarks = _checks.queries_and_keys(X, landmarks)
    P = mechanism.replace(normalization="none", empty_row="zero").operator(landmarks)
    if P.bandwidth.row_scale.size:
        raise ValueError(f"mechanism must have one bandwidth for all points; got {mechanism.kernel!r}.")
    values, vectors = np.linalg.eigh(_symmetric(P.toarray(), mechanism))
    least = len(values) * np.finfo(values.dtype).eps * max(values[-1], 0)
    if values[0] < -10 * least:
        raise ValueError(
            "mechanism must have a positive semi-definite kernel matrix; of these landmarks it has the "
            f"eigenvalues {values[0]:.3g} to {values[-1]:.3g}."
        )
    kept = values > least
    return P.at(X).toarray() @ (vectors[:, kept] / np.sqrt(values[kept]))


def _symmetric(W, mechanism):
    if not np.isfinite(W).all():
        raise ValueError(f"mechanism must have weights that {W.dtype} holds; got infinite ones.")
    rounding = 1e3 * np.finfo(W.dtype).eps * np.abs(W).max()
    if np.abs(W - W.T).max() > rounding:
        raise ValueError(f"mechanism must have a symmetric metric; got {mechanism.metric!r}.")
    return (W + W.T) / 2


def positive_random_features(X, n_features=256, *, temperature=1.0, projections=None, random_state=None):
    """Features that are positive, and whose dot products are exp(<x, z> / t) on average.

        f_i(x) = exp(<w_i, u> - |u|^2 / 2) / sqrt(m),  u = x / sqrt(t),  w_i ~ N(0, I)
        E sum_i f_i(x) f_i(z) = exp(<x, z> / t)

    Of queries and keys with the same projections they make attention in O(n m). The standard deviation of
    a product is sqrt((exp(|x + z|^2 / t) - 1) / m) times its mean: they are for short points.

    Parameters
    ----------
    X : array (n, n_dims); float32 stays float32
    n_features : int >= 1
        m, where projections are drawn.
    temperature : float > 0
        t; sqrt(n_dims) is attention's.
    projections : array (m, n_dims) or None
        The w_i. None draws them: the same for queries and keys by the same int as random_state.
    random_state : int, RandomState or None

    Returns
    -------
    F : array (n, m)

    Raises
    ------
    ValueError : points so long, beside the temperature, that features overflow

    References
    ----------
    Choromanski et al. (2021), Rethinking attention with Performers.

    Examples
    --------
    >>> import numpy as np
    >>> import likewise as lw
    >>> X = np.random.default_rng(0).normal(size=(5, 3)) / 3
    >>> F = lw.positive_random_features(X, 100_000, random_state=0)
    >>> bool(np.abs(F @ F.T / np.exp(X @ X.T) - 1).max() < 0.02)
    True
    """
    X = _checks.points(X)
    t = _checks.number(temperature, "temperature")
    if not (t > 0 and np.isfinite(t)):
        raise ValueError(f"temperature must be positive and finite; got {temperature!r}.")
    W = _projections(X, n_features, projections, random_state)
    U = _checks.finite(X, "X") / X.dtype.type(np.sqrt(t))
    with np.errstate(over="ignore"):
        F = np.exp(U @ W.T - (U**2).sum(axis=1, keepdims=True) / 2) / np.sqrt(X.dtype.type(len(W)))
    if not np.isfinite(F).all():
        raise ValueError(
            f"X must be short beside sqrt(temperature) = {t**0.5:.3g}, or features overflow; got rows up to "
            f"{float(np.sqrt((X**2).sum(axis=1).max())):.3g} long in {X.shape[1]} dimensions."
        )
    return F


def _projections(X, n_features, projections, random_state):
    """The w_i as rows, in X's dtype."""
    if projections is None:
        m = _checks.integer(n_features, "n_features")
        if m < 1:
            raise ValueError(f"n_features must be an int of at least 1; got {m}.")
        return _checks.random_of(random_state).standard_normal((m, X.shape[1])).astype(X.dtype)
    W = _checks.points(_checks.finite(projections, "projections"), "projections", X.dtype)
    if not len(W) or W.shape[1] != X.shape[1]:
        raise ValueError(f"projections must be of shape (m, {X.shape[1]}), m at least 1; got {W.shape}.")
    return W
