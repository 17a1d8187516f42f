"""Gradients through what is done with an operator: powers, equilibria and spectra.

Each function turns dL/d(result) into dL/d(everything that makes P), the dict of ``P.vjp``: points, metric,
bandwidth or temperature, log_key_weights, and the values that were propagated. For a linear step the rule is
dL/dP_ij = sum_columns a_i b_j with columns a and b that each function finds; one P.vjp does the rest, in O(n)
memory for each column. Membership in a support and points' own scales are held constant, as in P.vjp. The
work is in C++ (likewise/gradient_through.hpp).
"""

import numpy as np

from likewise import _checks, _core
from likewise._errors import warn_of_convergence, warn_unless_converged
from likewise._operator import SelfOperator

__all__ = ["eigen_vjp", "equilibrium_vjp", "power_vjp"]

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
        raise TypeError(f"t must be an int; got {_checks.told(t)}.")
    if t < 0:
        raise ValueError(f"t must be an int >= 0; got {t!r}.")
    V, grad, shape = _pair(P, V, grad_Y, "grad_Y")
    found = _core.power_vjp(P._core, int(t), grad, V)
    return _with_values(found, shape, P.dtype)


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
    how = {"tol": tol, "max_iter": max_iter, "eliminate_up_to": _DENSE_UP_TO}
    if alpha is not None:
        found, how_solved, singular = _core.soft_equilibrium_vjp(P._core, grad, F, alpha, **how)
    else:
        clamped = _checks.booleans(clamped, P.shape[0], "clamped")
        found, how_solved, singular = _core.clamped_equilibrium_vjp(
            P._core, grad, F, clamped, report.unreached, **how
        )
    if singular:
        warn_of_convergence(
            f"P's links are below rounding: its system is singular, residual={how_solved.residual:.3g}."
        )
    warn_unless_converged(how_solved, max_iter)
    return _with_values(found, shape, P.dtype)


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
    found, report, _ = _core.eigen_vjp(P._core, w, v, grad_w, grad_v, min_gap, max_iter)
    warn_unless_converged(report, max_iter)
    return found


def _with_values(found, shape, dtype):
    """The gradient with that of the values in their own shape; there is none of no columns."""
    found["values"] = found.get("values", np.empty(0, dtype)).reshape(shape)
    return found


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
