"""Gradients through what is done with an operator: powers, equilibria and spectra.

Each function turns dL/d(result) into dL/d(everything that makes P), the dict of ``P.vjp``: points, metric,
bandwidth or temperature, log_key_weights, and the values that were propagated. For a linear step the rule is
dL/dP_ij = sum_columns a_i b_j with columns a and b that each function finds; one P.vjp does the rest, in O(n)
memory for each column. Membership in a support and points' own scales are held constant, as in P.vjp.
"""

import inspect
import warnings
from types import SimpleNamespace

import numpy as np
from scipy.sparse.linalg import LinearOperator, gmres, minres
from sklearn.exceptions import ConvergenceWarning

from likewise import _checks, normalizations
from likewise._errors import warn_unless_converged
from likewise._operator import SelfOperator

__all__ = ["eigen_vjp", "equilibrium_vjp", "power_vjp"]

_RTOL = "rtol" if "rtol" in inspect.signature(minres).parameters else "tol"  # before SciPy 1.12
_DENSE_UP_TO = 1000  # rows of a system without symmetric form that is eliminated


def power_vjp(P, t, grad_Y, V):
    """What a loss of Y = P^t V asks: t steps of diffusion.

        V_s = P^s V,  G_t = dL/dY,  G_s = P^T G_{s+1}:   dL/dP = sum_s G_{s+1} V_s^T,   dL/dV = G_0

    Parameters
    ----------
    P : SelfOperator
    t : int >= 0
    grad_Y : (n,) or (n, c), dL/dY
    V : (n,) or (n, c)

    Returns
    -------
    dict, as P.vjp's

    Raises
    ------
    ValueError, TypeError : P is no self-operator, t is no int >= 0, or shapes do not fit

    Notes
    -----
    2 t products and one P.vjp with t c columns; 2 t c columns of memory.

    References
    ----------
    Griewank and Walther (2008), Evaluating derivatives, chapter 3: one sweep back.
    """
    _require_self(P)
    if not isinstance(t, (int, np.integer)) or isinstance(t, bool):
        raise TypeError(f"t must be an int; got {t!r}.")
    if t < 0:
        raise ValueError(f"t must be an int >= 0; got {t!r}.")
    V, grad, shape = _pair(P, V, grad_Y, "grad_Y")
    if t == 0:
        found = P.vjp(np.zeros_like(grad), V)
        return {**found, "values": grad.reshape(shape).copy()}
    values = [V]
    for _ in range(t):
        values.append(P @ values[-1])
    grads = [grad]
    for _ in range(t - 1):
        grads.append(P.T @ grads[-1])
    grads.reverse()  # grads[s] belongs to values[s + 1] = P values[s]
    found = P.vjp(np.hstack(grads), np.hstack(values[:-1]), np.hstack(values[1:]))
    found["values"] = found["values"][:, : V.shape[1]].reshape(shape)
    return found


def equilibrium_vjp(P, grad_F, V, *, clamped=None, alpha=None, solution=None, tol=1e-10, max_iter=1000):
    """What a loss of F, _ = P.equilibrium(V, ...) asks: the implicit gradient of the fixed point.

        alpha:    F = alpha P F + (1 - alpha) V;  (I - alpha P^T) m = dL/dF
                  dL/dP = alpha m F^T,            dL/dV = (1 - alpha) m
        clamped:  F = V where clamped, else P F;  m = 0 where clamped, else (I - P_uu^T) m_u = (dL/dF)_u
                  dL/dP = m F^T,                  dL/dV = dL/dF + P^T m where clamped, else 0

    Parameters
    ----------
    P : SelfOperator
    grad_F : (n,) or (n, c), dL/dF
    V : (n,) or (n, c), what was propagated
    clamped, alpha : as in P.equilibrium; one of the two is given
    solution : (F, report) that P.equilibrium gave for them, which saves solving for F again
    tol : float, relative residual of the transposed system
    max_iter : int, steps for it

    Returns
    -------
    dict, as P.vjp's; a ConvergenceWarning says where m did not converge

    Raises
    ------
    ValueError, TypeError : P is no self-operator, both or none of clamped and alpha, shapes do not fit

    Notes
    -----
    The fixed point is never unrolled: one solution of the transposed system and one P.vjp. On symmetric
    kernels conjugate gradients solve its symmetric form, all columns together; else elimination up to 1000
    rows, and GMRES, each column by itself. Rows that no clamped row reaches are constant (their F is 0) and
    ask for nothing.

    References
    ----------
    Zhu, Ghahramani and Lafferty (2003) and Zhou et al. (2004) for F; Christianson (1994), Reverse
    accumulation and attractive fixed points.
    """
    _require_self(P)
    V, grad, shape = _pair(P, V, grad_F, "grad_F")
    F, report = P.equilibrium(V, clamped=clamped, alpha=alpha) if solution is None else solution
    F = _checks.columns(F, P.shape[0], P.dtype, name="solution[0]")
    if (clamped is None) == (alpha is None):
        raise ValueError("clamped or alpha must be given, and only one of them.")
    if alpha is not None:
        m = _transposed_solve(P, grad, alpha, np.ones(P.shape[0], bool), tol, max_iter)
        found = P.vjp(np.asarray(alpha * m, P.dtype), F)
        found["values"] = ((1 - alpha) * m).astype(P.dtype).reshape(shape)
        return found
    clamped = _checks.booleans(clamped, P.shape[0], "clamped")
    m = _transposed_solve(P, grad, 1.0, ~clamped & ~report.unreached, tol, max_iter)
    found = P.vjp(np.asarray(m, P.dtype), F)
    found["values"] = np.where(clamped[:, None], grad + found["values"], 0).astype(P.dtype).reshape(shape)
    return found


def eigen_vjp(P, w, v, grad_w=None, grad_v=None, *, min_gap=1e-6, max_iter=5000):
    """What a loss of w, v = P.eigsh(k) asks, where the eigenvalues are simple.

        S = D P D^-1 symmetric, D^2 = pi;  y_k = pi v_k, the left eigenvectors
        dw_k = <y_k, dP v_k>
        dv_k = sum_{m != k} v_m <y_m, dP v_k> / (w_k - w_m) - v_k <dpi, v_k^2> / 2

    The last term keeps sum_i pi_i v_ik^2 = 1 as the stationary law moves; orthonormal vectors have none.

    Parameters
    ----------
    P : SelfOperator with a symmetric form
    w, v : (k,) and (n, k), what P.eigsh(k) gave
    grad_w : (k,) or None, dL/dw
    grad_v : (n, k) or None, dL/dv, for the signs that v has
    min_gap : float
        Eigenvalues that are closer than this, relative to the largest, coincide.
    max_iter : int, steps of MINRES for each vector

    Returns
    -------
    dict, as P.vjp's, without values; a ConvergenceWarning says where a vector's system did not converge

    Raises
    ------
    ValueError
        An eigenvalue with a gradient coincides with another: inside an eigenspace vectors are arbitrary, and
        neither they nor single eigenvalues have a derivative. The message names both and the gap. Also: P has
        no symmetric form, shapes do not fit, gradients of vectors under a null mass.

    Notes
    -----
    Two systems with w_k I - S for each vector with a gradient, the computed vectors taken out, and one P.vjp
    with up to 2 k columns. Each gap divides rounding: gradients lose its digits. The next eigenvalue is
    computed, for its gap to the last one.

    References
    ----------
    Magnus (1985), On differentiating eigenvalues and eigenvectors.
    """
    _require_self(P)
    if P.asymmetry:
        raise ValueError(f"P must have {P.asymmetry}.")
    w, v, grad_w, grad_v = _spectral_arguments(P, w, v, grad_w, grad_v)
    moved = (grad_v != 0).any(axis=0)
    weighted = not isinstance(
        P.mechanism.normalization, (normalizations.Symmetric, normalizations.Unnormalized)
    )
    if moved.any() and getattr(P.mechanism.normalization, "null_mass", 0) > 0:
        raise ValueError("grad_v must be None with a null_mass: the walk has no stationary law there.")
    if moved.any() and weighted:
        moved_or_trivial = moved.copy()
        moved_or_trivial[0] = True  # the law itself is the vector of eigenvalue 1
    else:
        moved_or_trivial = moved
    _require_simple(P, w, (grad_w != 0) | moved_or_trivial, min_gap)
    law = P.log_stationary
    law = np.exp(law - (law.max() + np.log(np.exp(law - law.max()).sum()) if weighted else 0))
    system = _SymmetricForm(P, np.sqrt(law), v)
    left = [law[:, None] * v * grad_w]
    right = [v]
    for k in np.flatnonzero(moved):
        left[0][:, k] += system.root * system.solve(w[k], k, system.over_root(grad_v[:, k]), max_iter)
        if weighted:
            pulled = -0.5 * grad_v[:, k] @ v[:, k]
            left.append((pulled * law)[:, None])
            of_law = system.solve(1.0, 0, system.root * (v[:, k] ** 2 - 1), max_iter)
            right.append(system.over_root(of_law)[:, None])
    system.warn(max_iter)
    found = P.vjp(np.hstack(left).astype(P.dtype), np.hstack(right).astype(P.dtype))
    if not weighted:  # sum_i pi_i v_i^2 = 1 with pi the key weights, where there are any
        is_law = isinstance(P.mechanism.normalization, normalizations.Unnormalized)
        if is_law and "log_key_weights" in found:
            found["log_key_weights"] = found["log_key_weights"] - 0.5 * law * (
                v**2 @ (grad_v * v).sum(axis=0)
            )
    del found["values"]
    return found


# --- transposed systems


def _transposed_solve(P, B, alpha, free, tol, max_iter):
    """m (n, c) with m = 0 where not free and (m - alpha P^T m)_free = B_free."""
    tol = max(tol, 10 * np.finfo(P.dtype).eps)
    free = free[:, None]
    B = np.where(free, B, 0).astype(np.float64)
    if not B.any():
        return B
    root = None if P.asymmetry else _root_of_law(P)
    if root is None and len(B) <= _DENSE_UP_TO:
        return _by_elimination(P, B, alpha, free[:, 0], 10 * tol)
    if root is None:
        m, residual, steps = _by_gmres(lambda x: x - alpha * np.where(free, P.T @ x, 0), B, tol, max_iter)
    else:  # P^T = D S D^-1 with D = sqrt(pi), and S x = D P D^-1 x

        def form(x):
            return np.where(free, x - alpha * root * (P @ (x / root)), 0)

        m, residual, steps = _by_cg(form, B / root, tol, max_iter)
        m = root * m
    # The residual is measured, not the recurrence's: rounding adds to it.
    report = SimpleNamespace(converged=residual <= 10 * tol, residual=residual, n_iter=steps)
    warn_unless_converged(report, max_iter)
    return m


def _root_of_law(P):
    """D = sqrt(pi) (n, 1); None where it spans more than float64 can scale."""
    log_root = 0.5 * P.log_stationary
    log_root = log_root - log_root.max()
    if not log_root.min() > np.log(1e-120):  # -inf and NaN too
        return None
    return np.exp(log_root)[:, None]


def _by_cg(apply, B, tol, max_iter):
    """Conjugate gradients for a positive definite map, each column with its own steps."""
    X, R = np.zeros_like(B), B.copy()
    D = R.copy()
    size = start = (R * R).sum(axis=0)
    enough = tol**2 * start
    steps = 0
    while steps < max_iter and (size > enough).any():
        image = apply(D)
        curvature = (D * image).sum(axis=0)
        going = (size > enough) & (curvature > 0)
        step = np.where(going, size / np.where(going, curvature, 1), 0)
        X += step * D
        R -= step * image
        following = (R * R).sum(axis=0)
        D = R + np.where(going, following / np.where(size > 0, size, 1), 0) * D
        size = following
        steps += 1
        if not going.any():
            break
    left = np.square(B - apply(X)).sum(axis=0) / np.where(start > 0, start, 1)
    return X, float(np.sqrt(left.max())), steps


def _by_elimination(P, B, alpha, free, tol):
    """Directly; where links below rounding leave a singular system, its shortest least-squares solution."""
    system = np.eye(free.sum()) - alpha * P.toarray().astype(np.float64)[np.ix_(free, free)].T
    size = np.linalg.norm(B, axis=0)

    def measured(m):
        return float((np.linalg.norm(system @ m - B[free], axis=0) / np.where(size > 0, size, 1)).max())

    try:
        m = np.linalg.solve(system, B[free])
    except np.linalg.LinAlgError:
        m = np.full_like(B[free], np.inf)
    if not (np.isfinite(m).all() and measured(m) <= tol):
        m = np.linalg.lstsq(system, B[free], rcond=None)[0]
        warnings.warn(
            f"P's links are below rounding: its system is singular, residual={measured(m):.3g}.",
            ConvergenceWarning,
            stacklevel=4,
        )
    whole = np.zeros_like(B)
    whole[free] = m
    return whole


def _by_gmres(apply, B, tol, max_iter):
    """Column by column; the largest relative residual, and all steps."""
    n = len(B)
    counted = [0]

    def column(x):
        counted[0] += 1
        return apply(x.reshape(-1, 1))[:, 0]

    map_ = LinearOperator((n, n), matvec=column, dtype=np.float64)
    X, residual = np.zeros_like(B), 0.0
    restart = min(n, 100)
    for c in range(B.shape[1]):
        size = np.linalg.norm(B[:, c])
        if size == 0:
            continue
        X[:, c], _ = gmres(
            map_, B[:, c], **{_RTOL: tol / 10}, atol=0, restart=restart, maxiter=-(-max_iter // restart)
        )
        residual = max(residual, np.linalg.norm(B[:, c] - column(X[:, c])) / size)
    return X, residual, counted[0]


class _SymmetricForm:
    """w I - S on what is orthogonal to the computed eigenvectors; inside their span it is diagonal."""

    def __init__(self, P, root, v):
        self.P, self.root = P, root
        self.U = root[:, None] * v
        self.w = None
        self.residual, self.steps = 0.0, 0
        self.tol = max(1e-12, 10 * np.finfo(P.dtype).eps)

    def over_root(self, x):
        """D^-1 x, 0 where the law has no mass."""
        return np.divide(x, self.root, out=np.zeros_like(self.root), where=self.root > 0)

    def __call__(self, x):
        return self.root * (self.P @ self.over_root(x))

    def out(self, x):
        """Without the span; twice, for what rounding left."""
        for _ in range(2):
            x = x - self.U @ (self.U.T @ x)
        return x

    def solve(self, w, k, b, max_iter):
        """(w I - S)^+ b, eigenvector k left out."""
        gaps = w - self.values
        gaps[k] = np.inf
        inside = self.U @ ((self.U.T @ b) / gaps)
        rest = self.out(b)
        size = np.linalg.norm(rest)
        n = len(b)
        if self.U.shape[1] >= n or size <= 1e-14 * np.linalg.norm(b):
            return inside

        def apply(x):
            x = self.out(x)
            self.steps += 1
            return self.out(w * x - self(x))

        x, _ = minres(
            LinearOperator((n, n), matvec=apply, dtype=np.float64),
            rest,
            **{_RTOL: self.tol},
            maxiter=max_iter,
        )
        x = self.out(x)
        self.residual = max(self.residual, np.linalg.norm(rest - apply(x)) / size)
        return inside + x

    @property
    def values(self):
        """The eigenvalues of U's columns, as the operator itself has them."""
        if self.w is None:
            self.w = np.array([u @ self(u) / (u @ u) for u in self.U.T])
        return self.w.copy()

    def warn(self, max_iter):
        enough = max(1e-6, 1e3 * self.tol)
        report = SimpleNamespace(converged=self.residual <= enough, residual=self.residual, n_iter=self.steps)
        warn_unless_converged(report, max_iter)


# --- checks


def _require_self(P):
    if not isinstance(P, SelfOperator):
        raise TypeError(f"P must be a SelfOperator (mechanism.operator(Z)); got {type(P).__name__}.")


def _pair(P, V, grad, name):
    """V and its gradient as columns, and V's own shape."""
    shape = np.shape(V)
    V = _checks.columns(V, P.shape[0], P.dtype)
    if np.shape(grad) != shape:
        raise ValueError(f"{name} must have V's shape {shape}; got shape {np.shape(grad)}.")
    return V, _checks.columns(grad, P.shape[0], P.dtype, name=name), shape


def _spectral_arguments(P, w, v, grad_w, grad_v):
    n = P.shape[0]
    v = _checks.reals(v, "v", np.float64)
    w = _checks.reals(w, "w", np.float64)
    if v.ndim != 2 or len(v) != n or not 1 <= v.shape[1] <= n:
        raise ValueError(f"v must be eigenvectors of shape ({n}, k); got shape {v.shape}.")
    if w.shape != v.shape[1:]:
        raise ValueError(f"w must have shape {v.shape[1:]}, one eigenvalue for each of v; got {w.shape}.")
    if grad_w is None and grad_v is None:
        raise ValueError("grad_w or grad_v must be given.")
    grads = []
    for name, grad, like in (("grad_w", grad_w, w), ("grad_v", grad_v, v)):
        grad = np.zeros_like(like) if grad is None else _checks.reals(grad, name, np.float64)
        if grad.shape != like.shape:
            raise ValueError(f"{name} must have shape {like.shape}; got shape {grad.shape}.")
        grads.append(grad)
    return w, v, *grads


def _require_simple(P, w, needed, min_gap):
    """Refuse eigenvalues with a gradient that another one coincides with, also one that was not asked for."""
    if not needed.any():
        return
    k, n = len(w), P.shape[0]
    following = P.eigsh(k + 1, return_eigenvectors=False)[k:] if k < n else []
    known = np.concatenate([w, following])
    least = min_gap * np.abs(known).max()
    for a in np.flatnonzero(needed):
        gaps = np.abs(known - known[a])
        gaps[a] = np.inf
        b = int(gaps.argmin()) if len(gaps) > 1 else a
        if gaps[b] < least:
            raise ValueError(
                f"w must be simple where it has a gradient: eigenvalues {a} and {b}, {known[a]:.10g} and "
                f"{known[b]:.10g}, coincide (gap {gaps[b]:.3g}, min_gap {least:.3g}); inside their "
                "eigenspace vectors are arbitrary. Take another k, or a loss of the whole space."
            )
