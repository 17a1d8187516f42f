"""The mechanism: four slots, and the policy for rows without mass. The fifth slot is what is done with it."""

import dataclasses

from likewise import _core
from likewise._slots import as_kernel, as_metric, as_normalization, as_support

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
    empty_row: str

    def __init__(
        self, *, metric="sqeuclidean", kernel="gaussian", support="all", normalization="row", empty_row="zero"
    ):
        if empty_row not in _EMPTY_ROW:
            raise ValueError(
                f"empty_row must be one of {', '.join(map(repr, _EMPTY_ROW))}; got {empty_row!r}."
            )
        slots = {
            "metric": as_metric(metric),
            "kernel": as_kernel(kernel),
            "support": as_support(support),
            "normalization": as_normalization(normalization),
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

    def partial(self, X, Z, V, *, log_key_weights=None):
        """The part of a block of keys Z with values V in queries X: a Partial, which merges and finishes.

        For keys that never fit into memory; see likewise._partial.partial.
        """
        from likewise._partial import partial

        return partial(self, X, Z, V, log_key_weights)

    def equation(self):
        """The equation with its slots, a line a slot."""
        return _core.equation(self)

    def __repr__(self):
        slots = [
            f"{name}={getattr(self, name)!r}" for name in ("metric", "kernel", "support", "normalization")
        ]
        if self.empty_row != "zero":
            slots.append(f"empty_row={self.empty_row!r}")
        return f"Mechanism({', '.join(slots)})"

    def __str__(self):
        return self.equation()
