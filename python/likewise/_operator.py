"""What a mechanism becomes once it has met points: operators that SciPy can use.

The classes say what can be done: a LinearMap multiplies, a SquareMap has powers and heat, a
PropagationOperator knows its mechanism, a SelfOperator has a spectrum, equilibria and new points. The work is
in C++.
"""

from collections import namedtuple

import numpy as np
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator

from likewise import _checks, _core
from likewise._errors import warn_unless_converged

Eigenpairs = namedtuple("Eigenpairs", "values vectors residuals n_components report")
Eigenpairs.__doc__ = """Eigenpairs P v = w v.

values : (k,), descending; vectors : (n, k); residuals : (k,), of the symmetric form;
n_components : connected components of the support; report : SpectrumReport, with solver and certificate"""


class EquilibriumReport:
    """How an equilibrium was reached: n_iter, residual (relative, the largest of a column), converged,
    solver, and unreached (n,), True for rows that no clamped row reaches; their values are 0."""

    def __init__(self, report, unreached):
        self.n_iter = report.n_iter
        self.residual = report.residual
        self.converged = report.converged
        self.solver = report.solver
        self.unreached = unreached

    def __repr__(self):
        fields = ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if name != "unreached")
        return f"EquilibriumReport({fields}, unreached={int(self.unreached.sum())} rows)"


class LinearMap(LinearOperator):
    """An immutable linear map (m, n), a scipy.sparse.linalg.LinearOperator: ``P @ V`` and ``P.T @ V``.

    V is (n,), (n, c) or a batch (..., n, c), whatever SciPy's version; the result has the map's dtype.
    """

    __array_ufunc__ = None  # an array leaves `V @ P` to P; SciPy says so itself only in later versions

    def __init__(self, core, origin):
        super().__init__(dtype=np.dtype(core.dtype), shape=core.shape)
        self._core = core
        self._origin = origin  # (function, arguments) that makes this map again, for pickles

    def __reduce__(self):
        return self._origin

    def __repr__(self):
        rows, columns = self.shape
        return f"<{rows} x {columns} {type(self).__name__} of {self.dtype}{self._details()}>"

    def _details(self):
        return ""

    # SciPy before 1.18 knows no batches, and every version only says that a dimension does not match.
    def dot(self, V):
        if isinstance(V, LinearOperator) or np.isscalar(V) or issparse(V):
            return super().dot(V)
        self._require_rows(V)
        return self.matmat(V) if np.ndim(V) > 1 else self.matvec(V)

    def matvec(self, v):
        if np.shape(v) != (self.shape[1], 1) and np.shape(v)[-1:] != self.shape[1:]:
            raise ValueError(f"v must have {self.shape[1]} entries; got shape {np.shape(v)}.")
        return self._matvec(v) if np.ndim(v) > 2 else super().matvec(v)

    def matmat(self, V):
        self._require_rows(V)
        return self._matmat(V) if np.ndim(V) > 2 else super().matmat(V)

    def rmatvec(self, v):
        return self.T.matvec(v)

    def rmatmat(self, V):
        return self.T.matmat(V)

    def __rmatmul__(self, V):
        if isinstance(V, LinearOperator) or np.isscalar(V) or issparse(V):
            return super().__rmatmul__(V)
        if np.shape(V)[-1:] != self.shape[:1]:
            what = "entries" if np.ndim(V) == 1 else "columns"
            raise ValueError(f"V must have {self.shape[0]} {what}; got shape {np.shape(V)}.")
        if np.ndim(V) == 1:
            return self.T.matvec(V)
        return np.swapaxes(self.T.matmat(np.swapaxes(V, -1, -2)), -1, -2)

    def toarray(self):
        """All entries, dense; MemoryLimitError beyond the memory limit."""
        return _core.dense_of_map(self._core)

    def inflate(self, r):
        """P_ij^r / sum_k P_ik^r as a map, r > 0, of entries >= 0: what is strong grows stronger, r > 1.

        Entries are stored as P stores them, dense where it stores none (powers and streamed operators).
        """
        kind = SquareMap if self.shape[0] == self.shape[1] else LinearMap
        return kind(_core.inflate(self._core, _checks.number(r, "r")), (_inflate, (self, r)))

    def _transpose(self):
        return TransposedMap(self)

    def _adjoint(self):  # the numbers are real
        return self._transpose()

    def _require_rows(self, V):
        rows = np.shape(V)[-2:-1] if np.ndim(V) > 1 else np.shape(V)
        if rows != self.shape[1:]:
            raise ValueError(f"V must have {self.shape[1]} rows; got shape {np.shape(V)}.")

    def _matmat(self, V):
        return _each(self._core.apply, V, self.shape[1], self.dtype)

    def _rmatmat(self, V):
        return _each(self._core.apply_transposed, V, self.shape[0], self.dtype)

    def _matvec(self, v):
        return self._matmat(_as_columns(v, self.shape[1]))[..., 0]

    def _rmatvec(self, v):
        return self._rmatmat(_as_columns(v, self.shape[0]))[..., 0]


class TransposedMap(LinearMap):
    """P^T, by the products of P."""

    def __init__(self, P):
        LinearOperator.__init__(self, P.dtype, P.shape[::-1])
        self._P = P
        self._origin = (TransposedMap, (P,))

    def toarray(self):
        return self._P.toarray().T

    def inflate(self, r):
        raise ValueError("r must be asked of P itself: the columns of P have no sums to divide by.")

    def _transpose(self):
        return self._P

    def _matmat(self, V):
        return self._P._rmatmat(V)

    def _rmatmat(self, V):
        return self._P._matmat(V)


class SquareMap(LinearMap):
    """A map of a space to itself."""

    def power(self, t, V=None):
        """P^t as a map, t >= 0 products, fewer where the columns come to rest before; with V, P^t V.

        ValueError when it is applied and the columns have not come to rest within 2^20 products.
        """
        return _applied(SquareMap(self._core.power(_steps(t)), (_power, (self, t))), V)

    def heat(self, t, V=None):
        """exp(-t (I - P)) as a map, about 1.2 t + 20 products, fewer where the columns come to
        rest before, more where P's powers grow ("none"); with V, applied to it.

        ValueError when it is applied and the columns have not come to rest within 2^20 products.
        """
        return _applied(SquareMap(self._core.heat(_checks.number(t, "t")), (_heat, (self, t))), V)


class PropagationOperator(LinearMap):
    """y_i = l_i * sum_j K_ij r_j v_j with K_ij = phi(c(x_i, z_j)) on the support, n_queries x n_keys.

    Attributes
    ----------
    mechanism : Mechanism, its bandwidth resolved to a number where a rule found one
    bandwidth : SelectedBandwidth, what the rule found
    storage : "streamed" (O(n) memory), "dense" or "sparse"
    log_row_sums : (n_queries,), log sum_j w_j K_ij before normalization, -inf for an empty row
    log_left, log_right : (n_queries,) and (n_keys,), log l and log r
    keys : (n_keys, n_features); log_key_weights : (n_keys,)
    report : IterationReport of the normalization (Bistochastic)
    """

    mechanism = property(lambda self: self._core.mechanism)
    bandwidth = property(lambda self: self._core.bandwidth)
    storage = property(lambda self: self._core.storage)
    report = property(lambda self: self._core.report)
    keys = property(lambda self: self._core.keys)
    log_key_weights = property(lambda self: self._core.log_key_weights)
    log_row_sums = property(lambda self: self._core.log_row_sums)
    log_left = property(lambda self: self._core.log_left)
    log_right = property(lambda self: self._core.log_right)

    def toarray(self):
        """The matrix itself, dense; MemoryLimitError beyond the memory limit."""
        return self._core.dense()

    def tocsr(self):
        """The matrix as CSR: what the support admits; every non-zero of a dense or streamed operator."""
        return self._core.sparse()

    def partial(self, X, keys, V):
        """The part of this operator's keys[keys], a slice, with their values V, in queries X: a Partial.

        For operators whose r is the key weight (RowStochastic, Unnormalized); see Mechanism.partial.
        """
        if not isinstance(keys, slice):
            raise TypeError(f"keys must be a slice of the operator's keys; got {keys!r}.")
        log_w = self.log_key_weights[keys]
        return self.mechanism.partial(X, self.keys[keys], V, log_key_weights=log_w)

    def vjp(self, grad_Y, V, Y=None):
        """What a loss L of Y = P V asks of everything that makes P: its vector-Jacobian product.

        Weights are recomputed tile by tile: five products of n_queries x n_keys, O(n) memory. The same for
        any number of threads.

        Parameters
        ----------
        grad_Y : (n_queries,) or (n_queries, c), dL/dY
        V : (n_keys,) or (n_keys, c), the values that were propagated
        Y : P @ V where it is at hand, which saves computing it again

        Returns
        -------
        dict of dL/d(each), in the operator's dtype, metric and log_key_weights float64:
            values : V's shape
            points (n, d) on a self-operator; queries (n_queries, d) and keys (n_keys, d) on a cross-operator
            log_key_weights : (n_keys,)
            bandwidth or temperature : float, where the kernel has one number
            metric : dict by parameter name ("factor"; "query_factor", "key_factor")

        Held constant: membership in the support, points' own scales, the rule that chose a bandwidth, and on
        a cross-operator the fitted r of Symmetric, Density and Bistochastic (keys, log_key_weights, metric
        and bandwidth, which move it, are then left out). A metric without a derivative (Precomputed, your
        own) has no points. At distance 0 the gradient of Euclidean and Manhattan is 0.
        """
        columns = _checks.columns(V, self.shape[1], self.dtype)
        grad = _checks.columns(grad_Y, self.shape[0], self.dtype, name="grad_Y")
        if Y is not None:
            Y = _checks.columns(Y, self.shape[0], self.dtype, name="Y")
        found = _core.vjp(self._core, grad, columns, Y)
        found["values"] = found.get("values", columns[:, :0]).reshape(np.shape(V))  # none of no columns
        return found

    def _details(self):
        return f", {self.storage}"

    def _repr_html_(self):
        from likewise import _html

        return _html.of_operator(self)


class CrossOperator(PropagationOperator):
    """From new points to keys."""


class SelfOperator(PropagationOperator, SquareMap):
    """Of a point set with itself."""

    def at(self, X):
        """The operator from new points X (m, n_features) to these keys: r is kept, l computed anew."""
        X = _checks.points(X, "X", self.dtype)
        return CrossOperator(self._core.at(X), (_at, (self, X)))

    def equilibrium(self, V, *, clamped=None, alpha=None, solver="auto", tol=1e-8, max_iter=1000):
        """The fixed point of propagation from V (n,) or (n, c).

        Parameters
        ----------
        clamped : boolean array (n,)
            F_i = V_i where True, else F = P F (Zhu, Ghahramani and Lafferty 2003).
        alpha : float in (0, 1)
            F = alpha P F + (1 - alpha) V instead (Zhou et al. 2004). One of the two is given.
        solver : "auto", "cg" (symmetric forms), "bicgstab" (directed) or "iterate"
        tol : relative residual of each column. A row whose value is tol times the column's largest, or less,
            has no right digits: far from every label ask for a smaller tol.

        Returns
        -------
        F : array of V's shape
        report : EquilibriumReport; a ConvergenceWarning says if it is not converged
        """
        if (clamped is None) == (alpha is None):
            raise ValueError("clamped or alpha must be given, and only one of them.")
        columns = _checks.columns(V, self.shape[0], self.dtype)
        how = {"solver": solver, "tol": tol, "max_iter": max_iter}
        if clamped is None:
            F, report, unreached = _core.soft_equilibrium(self._core, columns, alpha=alpha, **how)
        else:
            clamped = _checks.booleans(clamped, self.shape[0], "clamped")
            F, report, unreached = _core.clamped_equilibrium(self._core, columns, clamped=clamped, **how)
        warn_unless_converged(report, max_iter)
        return F.reshape(np.shape(V)), EquilibriumReport(report, unreached)

    def eigsh(self, k=6, *, tol=1e-9, max_iter=1000, solver="auto", return_eigenvectors=True):
        """The k largest eigenvalues w (k,), descending, and v (n, k) with P v = w v.

        v are right eigenvectors with sum_i pi_i v_i^2 = 1, pi the stationary law, for row-stochastic
        operators, and orthonormal for symmetric ones. Vectors of eigenvalues closer than tol are any basis of
        their space. Residuals are measured, and eigenvalues counted so that none is missing; a
        ConvergenceWarning says where no solver came to an answer that could be certified.

        solver : {"auto", "dense", "lanczos", "chebyshev", "shift_invert"}; "auto" goes on to the next one

        Raises
        ------
        ValueError : the operator is not symmetric (the message names the law), or k is not in [1, n]
        """
        found = self.spectrum(k, tol=tol, max_iter=max_iter, solver=solver)
        wanted = _checks.boolean(return_eigenvectors, "return_eigenvectors")
        return (found.values, found.vectors) if wanted else found.values

    def spectrum(self, k=6, *, tol=1e-9, max_iter=1000, solver="auto"):
        """As eigsh, with residuals, the number of components and the report (solver, certificate)."""
        found = Eigenpairs(
            *_core.largest_eigenpairs(self._core, _checks.integer(k, "k"), tol, max_iter, solver)
        )
        warn_unless_converged(found.report, max_iter)
        return found

    @property
    def asymmetry(self):
        """Why there is no spectrum, in words such as "a symmetric metric", or "" where there is one."""
        return self._core.asymmetry()

    @property
    def log_stationary(self):
        """log pi_i (n,), not normalized: the stationary law where the kernel is symmetric."""
        return self._core.log_stationary()


def self_operator(mechanism, Z, log_key_weights=None, storage="auto", neighbors=None):
    """The operator of the points Z with themselves; see Mechanism.operator."""
    Z = _checks.points(Z, "Z")
    log_w = _checks.log_weights(log_key_weights)
    if neighbors is None:
        core = _core.self_operator(mechanism, Z, log_w, storage)
    else:
        core = _core.self_operator_of_neighbors(mechanism, Z, log_w, storage, _indices(neighbors))
    return SelfOperator(core, (self_operator, (mechanism, Z, log_key_weights, core.storage)))


def cross_operator(mechanism, X, Z, log_key_weights=None, storage="auto", neighbors=None):
    """The operator from queries X to keys Z; see Mechanism.operator."""
    X, Z = _checks.queries_and_keys(X, Z)
    log_w = _checks.log_weights(log_key_weights)
    if neighbors is None:
        core = _core.cross_operator(mechanism, X, Z, log_w, storage)
    else:
        core = _core.cross_operator_of_neighbors(mechanism, X, Z, log_w, storage, _indices(neighbors))
    return CrossOperator(core, (cross_operator, (mechanism, X, Z, log_key_weights, core.storage)))


def _indices(neighbors):
    """A table of indices, as kneighbors gives it."""
    table = np.asarray(neighbors)
    if table.ndim != 2 or table.dtype.kind not in "iu":
        raise TypeError(f"neighbors must be an int array (n, k); got {table.dtype}, shape {table.shape}.")
    return np.ascontiguousarray(table, dtype=np.int64)


def _each(product, V, n_rows, dtype):
    """The product with each matrix of a batch (..., n_rows, c): with the columns of all of them at once."""
    _checks.refuse_sparse_tensors(V, "V")
    V = np.asarray(V)
    if V.ndim <= 2:
        return product(_checks.columns(V, n_rows, dtype))
    side_by_side = np.moveaxis(V, -2, 0)
    Y = product(_checks.columns(side_by_side.reshape(V.shape[-2], -1), n_rows, dtype))
    return np.moveaxis(Y.reshape(len(Y), *side_by_side.shape[1:]), 0, -2)


def _as_columns(v, n):
    """Vectors (..., n), or one as a column (n, 1), as matrices (..., n, 1)."""
    v = np.asarray(v)
    return v if v.shape == (n, 1) else v[..., None]


def _applied(operator, V):
    return operator if V is None else operator @ np.asarray(V)


def _power(P, t):
    return P.power(t)


def _inflate(P, r):
    return P.inflate(r)


def _heat(P, t):
    return P.heat(t)


def _at(P, X):
    return P.at(X)


def _steps(t):
    """t, or a number as odd as it: nothing is moving after so many products."""
    t = _checks.integer(t, "t")
    return min(t, 2**62 + t % 2)
