"""Training arrays as the C++ fits take them."""

import numpy as np
from scipy.sparse import csr_matrix, issparse

from likewise._checks import refuse_sparse_tensors, require_indices_inside


def as_columns(y, dtype):
    """Targets (n, n_targets) of this dtype; a vector becomes one column."""
    return np.ascontiguousarray(np.reshape(y, (len(y), -1)), dtype=dtype)


def common_dtype(X, y):
    """float32 where points and targets are, else float64: targets are never rounded to the points' type."""
    return np.float32 if X.dtype == np.float32 and y.dtype == np.float32 else np.float64


def like_fitted(X, dtype):
    """Queries in the training points' dtype, C-contiguous."""
    return np.ascontiguousarray(X, dtype=dtype)


def require_weights(A, name):
    """Refuse affinities, dense or sparse, that are no weights; `name` is the argument that gave them."""
    values = A.data if issparse(A) else np.asarray(A)
    least, most = values.min(initial=0), values.max(initial=0)
    if not least >= 0:
        raise ValueError(f"{name} must give weights >= 0; got {float(least)!r}.")
    if not np.isfinite(most):
        raise ValueError(f"{name} must give finite weights; got {float(most)!r}.")


def weights_of(A, shape, name):
    """What a function gave as affinities: finite weights >= 0 of that shape, a float64 array or CSR."""
    refuse_sparse_tensors(A, name)
    if np.iscomplexobj(A):
        raise ValueError(f"{name} must give real weights; got {A.dtype}.")
    if issparse(A):
        require_indices_inside(A, name)
        A = csr_matrix(A, dtype=np.float64)
    else:
        try:
            A = np.asarray(A, dtype=np.float64)
        except (TypeError, ValueError):
            raise TypeError(
                f"{name} must give an array or a sparse matrix of numbers; got {type(A).__name__}."
            ) from None
    if A.shape != shape:
        raise ValueError(f"{name} must give weights of shape {shape}; got shape {A.shape}.")
    require_weights(A, name)
    return A


def check_square(X):
    """Refuse training costs that are not between the training points."""
    if X.shape[0] != X.shape[1]:
        raise ValueError(
            "X must be square with metric='precomputed', costs between the training points; "
            f"got shape {X.shape}."
        )
