"""Training arrays as the C++ fits take them."""

import numpy as np


def as_columns(y, dtype):
    """Targets (n, n_targets) of this dtype; a vector becomes one column."""
    return np.ascontiguousarray(np.reshape(y, (len(y), -1)), dtype=dtype)


def like_fitted(X, dtype):
    """Queries in the training points' dtype, C-contiguous."""
    return np.ascontiguousarray(X, dtype=dtype)


def check_square(X):
    """Refuse training costs that are not between the training points."""
    if X.shape[0] != X.shape[1]:
        raise ValueError(
            "X must be square with metric='precomputed', costs between the training points; "
            f"got shape {X.shape}."
        )
