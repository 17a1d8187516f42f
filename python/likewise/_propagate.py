"""The fifth slot at work: what a mechanism's propagation says is done with the operator of its points."""

import numpy as np

from likewise import _checks, _core
from likewise._errors import warn_unless_converged
from likewise._operator import Eigenpairs, cross_operator, self_operator
from likewise.propagations import OneStep, Spectrum, Steps


def propagate(mechanism, Z, V, X, clamped, log_key_weights, storage):
    """See Mechanism.propagate."""
    how = mechanism.propagation
    if X is not None and clamped is not None:
        raise ValueError("clamped must be left out together with X; it holds rows of Z.")
    if X is not None and isinstance(how, OneStep):  # asks nothing of the keys among themselves
        return cross_operator(mechanism, X, Z, log_key_weights, storage) @ np.asarray(_given(V, how))
    P = self_operator(mechanism, Z, log_key_weights, storage)
    if V is None and isinstance(how, Steps) and how.moving == "points":
        V = P.keys
    if V is None and isinstance(how, Spectrum):
        columns = np.empty((0, 0), P.dtype)
    else:
        columns = _checks.columns(_given(V, how), len(P.keys), P.dtype)
    held = [] if clamped is None else _checks.booleans(clamped, len(P.keys), "clamped")
    if X is None:
        found = _core.propagate(P._core, columns, held)
    else:
        found = _core.propagate_from(_checks.points(X, "X", P.dtype), P._core, columns)
    return _result(found, how, V)


def _given(V, how):
    if V is None:
        raise TypeError(f"V must be given, the values that {how!r} is done to; got None.")
    return V


def _result(found, how, V):
    """Eigenpairs of a spectrum; else an array of V's shape, or of the points' that moved."""
    values, report, spectrum = found
    if hasattr(how, "max_iter"):
        warn_unless_converged(report, how.max_iter)
    if spectrum is not None:
        eigenvalues, residuals, n_components = spectrum
        return Eigenpairs(eigenvalues, values, residuals, n_components, report)
    return values[:, 0] if np.ndim(V) == 1 else values
