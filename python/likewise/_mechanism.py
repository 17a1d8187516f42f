"""The mechanism: five slots, and the policy for rows without mass."""

import dataclasses

from likewise import _core
from likewise._checks import told
from likewise._slots import as_kernel, as_metric, as_normalization, as_propagation, as_support
from likewise.propagations import OneStep

SLOTS = ("metric", "kernel", "support", "normalization", "propagation")
_EMPTY_ROW = ("zero", "nearest", "error", "self")


@dataclasses.dataclass(frozen=True, init=False, repr=False)
class Mechanism:
    """y_i = l_i * sum over j in S(i) of phi(c(x_i, z_j)) * r_j * v_j.

    Parameters
    ----------
    metric : value of likewise.metrics, name, or function (X_block, Z_block) -> costs
        c, how different x and z are.
    kernel : value of likewise.kernels or name
        phi, the weight that earns. A kernel without a bandwidth resolves it by "median" for the points.
    support : value of likewise.supports or name
        S, who may speak to whom.
    normalization : value of likewise.normalizations or name
        The scalings l and r.
    propagation : value of likewise.propagations or name
        What is done with the operator that the other slots make: see `propagate`.
    empty_row : "zero", "nearest", "error" or "self"
        What a row without mass yields: 0, the value of its nearest admitted key, a ValueError, or its own
        value (the point keeps to itself with weight 1; a new point takes its nearest key's value).

    An immutable value: comparable, hashable, picklable; ``repr`` is the call, ``str`` the equation.

    Examples
    --------
    >>> import likewise as lw
    >>> m = lw.Mechanism(metric="sqeuclidean", kernel=lw.kernels.Gaussian(0.3))
    >>> m.replace(support=lw.supports.Neighbors(15)).support
    Neighbors(n_neighbors=15)
    """

    metric: object
    kernel: object
    support: object
    normalization: object
    propagation: object = OneStep()  # also of mechanisms that were pickled before there was a fifth slot
    empty_row: str

    def __init__(
        self,
        *,
        metric="sqeuclidean",
        kernel="gaussian",
        support="all",
        normalization="row",
        propagation=OneStep(),  # noqa: B008 (immutable)
        empty_row="zero",
    ):
        if not isinstance(empty_row, str) or empty_row not in _EMPTY_ROW:
            raise ValueError(
                f"empty_row must be one of {', '.join(map(repr, _EMPTY_ROW))}; got {told(empty_row)}."
            )
        slots = {
            "metric": as_metric(metric),
            "kernel": as_kernel(kernel),
            "support": as_support(support),
            "normalization": as_normalization(normalization),
            "propagation": as_propagation(propagation),
            "empty_row": empty_row,
        }
        for name, value in slots.items():
            object.__setattr__(self, name, value)

    def replace(self, **slots):
        """The mechanism with these slots changed: ``m.replace(metric="cosine")``."""
        return Mechanism(**{**vars(self), **slots})

    def operator(self, X=None, Z=None, *, log_key_weights=None, storage="auto", neighbors=None):
        """What the mechanism becomes once it has met points.

        ``operator(Z)`` is the self-operator of the points Z, n x n, also as ``operator(Z=points)``;
        ``operator(X, Z)`` the cross-operator from queries X to keys Z.

        Parameters
        ----------
        X : array (n_queries, n_features); float32 stays float32
            The points, or the queries where Z is given. Rows of costs with metrics.Precomputed.
        Z : array (n_keys, n_features), optional
        log_key_weights : array (n_keys,), optional
            log w_j, before any normalization: sample weights, -inf for padding, log 2 for a point twice.
        storage : "auto", "streamed" (O(n) memory), "dense" or "sparse"
        neighbors : int array (n_queries, k), optional
            On Neighbors(k): the indices that kneighbors(X, Z), of a self-operator kneighbors(Z), has found
            under this metric; one column less where a point is its own neighbor. Nothing is searched again.

        Returns
        -------
        SelfOperator or CrossOperator, both PropagationOperator and scipy.sparse.linalg.LinearOperator

        Raises
        ------
        ValueError : the points, or what the slots need of each other, do not fit
        MemoryLimitError : a forced storage does not fit the memory limit
        """
        from likewise._operator import cross_operator, self_operator

        if X is None and Z is None:
            raise TypeError(
                "Z must be given: the points of operator(Z) or the keys of operator(X, Z); got none."
            )
        if X is None or Z is None:
            return self_operator(self, Z if X is None else X, log_key_weights, storage, neighbors)
        return cross_operator(self, X, Z, log_key_weights, storage, neighbors)

    def propagate(self, Z, V=None, *, X=None, clamped=None, log_key_weights=None, storage="auto"):
        """All five slots: the operator of the points Z, and what `propagation` says is done with it.

        Parameters
        ----------
        Z : array (n, n_features)
            The points; float32 stays float32.
        V : array (n,) or (n, c), optional
            The values; a Spectrum has none. Of Steps(moving="points") what points move toward, None: the
            points themselves.
        X : array (m, n_features), optional
            New points: OneStep has their values, Steps(moving="points") takes them where they settle. The
            other propagations answer for Z alone.
        clamped : boolean array (n,)
            The rows whose values an Equilibrium without alpha holds.
        log_key_weights, storage : as in `operator`

        Returns
        -------
        F : array of V's shape (with X of m rows); the points after their steps
        or values, vectors, residuals, n_components, report of a Spectrum, vectors times value^power

        Raises
        ------
        ValueError, TypeError : what is given does not fit the slots
        ConvergenceError : moving points grow without bound. A ConvergenceWarning says what has not converged.

        Examples
        --------
        >>> import likewise as lw
        >>> Z, y = [[0.0], [1.0], [2.0]], [0.0, 1.0, 4.0]
        >>> m = lw.Mechanism(kernel=lw.kernels.Gaussian(1.0))
        >>> m.propagate(Z, y).round(3)
        array([0.659, 1.548, 2.645])
        >>> m.replace(propagation=lw.propagations.Spectrum(2)).propagate(Z).values.round(3)
        array([1.   , 0.496])
        """
        from likewise._propagate import propagate

        return propagate(self, Z, V, X, clamped, log_key_weights, storage)

    def partial(self, X, Z, V, *, log_key_weights=None):
        """The part of a block of keys Z with values V in queries X: a Partial, which merges and finishes.

        For keys that never fit into memory; empty_row must be "zero" or "error". See
        likewise._partial.partial.
        """
        from likewise._partial import partial

        return partial(self, X, Z, V, log_key_weights)

    def equation(self):
        """The equation with its slots, a line a slot."""
        return _core.equation(self)

    def __repr__(self):
        slots = [f"{name}={getattr(self, name)!r}" for name in SLOTS]
        if self.propagation == OneStep():
            slots.pop()
        if self.empty_row != "zero":
            slots.append(f"empty_row={self.empty_row!r}")
        return f"Mechanism({', '.join(slots)})"

    def __str__(self):
        return self.equation()

    def _repr_html_(self):
        from likewise import _html

        return _html.of_mechanism(self)
