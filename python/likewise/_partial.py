"""Partial results that merge: keys in blocks that never need to be in memory together."""

import numpy as np

from likewise import _checks, _core


class Partial:
    """What a block of keys adds to queries, in units of exp(log_reference) of each row.

    ``a.merge(b)`` (or ``a + b``) is the part of both blocks, ``finish()`` what the operator over all merged
    keys would have given. Associative up to rounding.

    Attributes
    ----------
    log_reference, mass : (n_queries,), float64; -inf and 0 where no key had weight
    sum : (n_queries, n_columns), the weighted values
    """

    def __init__(self, mechanism, core, shape):
        self.mechanism = mechanism
        self._core = core
        self._shape = shape  # of the values, without the keys: () for a vector

    log_reference = property(lambda self: self._core.log_reference)
    mass = property(lambda self: self._core.mass)
    sum = property(lambda self: self._core.sum)

    def merge(self, other):
        """The part of both blocks of keys; of the same mechanism, queries and number of columns."""
        if not isinstance(other, Partial):
            raise TypeError(f"other must be a Partial; got {type(other).__name__}.")
        if other.mechanism != self.mechanism:
            raise ValueError(f"other must be a part of {self.mechanism!r}; got one of {other.mechanism!r}.")
        if type(other._core) is not type(self._core):
            raise ValueError(f"other must be of {self.sum.dtype}; got {other.sum.dtype}.")
        if other.sum.shape != self.sum.shape:
            raise ValueError(
                f"other must be a part of {_sized(self)}, as this one is; got a part of {_sized(other)}."
            )
        return Partial(self.mechanism, _core.merge(self._core, other._core), self._shape)

    __add__ = merge

    def finish(self):
        """l_i times the sums: (n_queries,) or (n_queries, n_columns).

        Rows without mass are 0; a ValueError with the mechanism's empty_row="error".
        """
        Y = _core.finish(self.mechanism, self._core)
        return Y.reshape(Y.shape[:1] + self._shape)

    def __repr__(self):
        return f"<Partial of {_sized(self)}, {self.sum.dtype}>"

    def __reduce__(self):
        return _restored, (
            self.mechanism,
            self.log_reference.copy(),
            self.mass.copy(),
            self.sum.copy(),
            self._shape,
        )


def partial(mechanism, X, Z, V, log_key_weights=None):
    """The part of keys Z (m, d) with values V (m,) or (m, c) in queries X (n, d): a Partial.

    O(n m d) time, O(n) memory beside the block. A long file of keys goes through ``part = part.merge(...)``.

    Raises
    ------
    ValueError : a support other than all pairs, a normalization that looks at other rows (Symmetric, Density,
        Bistochastic), a bandwidth that is a rule, empty_row="nearest" or "self" where rows are divided by
        their mass: no part knows the key that is nearest of all blocks
    """
    X, Z = _checks.queries_and_keys(X, Z)
    V = np.asarray(V)
    columns = _checks.columns(V, Z.shape[0], X.dtype)
    core = _core.partial(mechanism, X, Z, columns, _checks.log_weights(log_key_weights))
    return Partial(mechanism, core, V.shape[1:])


def _sized(part):
    return "{} queries, {} columns".format(*part.sum.shape)


def _restored(mechanism, log_reference, mass, sum, shape):
    kind = _core.Partial_float32 if sum.dtype == "float32" else _core.Partial_float64
    return Partial(mechanism, kind(log_reference, mass, sum), shape)
