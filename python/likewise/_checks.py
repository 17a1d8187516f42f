"""Array arguments, laid out as the engine reads them; floats in C order are not copied.

Values are checked where they are used, in C++; here only what NumPy alone has: dimensions and dtypes.
"""

from decimal import Decimal
from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def array(given):
    """np.asarray, but ragged rows are a ValueError, which NumPy before 1.24 only warns of."""
    A = np.asarray(given)
    boxed = A.dtype.kind == "O" and isinstance(given, (list, tuple))
    if boxed and any(isinstance(row, (list, tuple, np.ndarray)) for row in A.flat):
        raise ValueError("its rows differ in length, which makes an inhomogeneous shape.")
    return A


def reals(given, name, dtype=None):
    """An array of real numbers of this dtype; None: its own, float64 of objects and text that say numbers.

    NumPy's conversions drop imaginary parts with a warning, and their errors name no argument.
    """
    try:
        A = array(given)
        if A.dtype.kind in "mM":  # which would be read in whatever unit they are stored in
            raise TypeError("dates and times are no numbers.")
        if A.dtype.kind not in "biufc":
            A = A.astype(np.float64)
    except (TypeError, ValueError) as error:
        got = getattr(given, "dtype", type(given).__name__)
        raise ValueError(f"{name} must be numeric; got {got}: {error}") from None
    if A.dtype.kind == "c":
        raise ValueError(f"{name} must be real; got {A.dtype}.")
    return A if dtype is None else A.astype(dtype, copy=False)


def refuse_columns(given, name):
    """Refuse what is no real number in a table or an array, told by its types.

    A table with columns of pandas' own types or of booleans is converted before anybody looks: imaginary
    parts are dropped with a warning, and dates become numbers of the unit they are stored in.
    """
    kinds = given.dtypes.items() if hasattr(given, "columns") else [(None, getattr(given, "dtype", None))]
    for column, dtype in kinds:
        kind, where = getattr(dtype, "kind", None), "" if column is None else f" in column {column!r}"
        if kind == "c" and column is not None:
            raise ValueError(f"{name} must be real; got {dtype}{where}. Complex data not supported.")
        if isinstance(kind, str) and kind in "mM":
            raise ValueError(f"{name} must be numeric; got {dtype}{where}: dates and times are no numbers.")


def finite(given, name, dtype=None):
    """As reals, without NaN, which None and "nan" become, and infinity."""
    A = reals(given, name, dtype)
    if not np.isfinite(A).all():
        raise ValueError(f"{name} must be finite; got NaN or infinity.")
    return A


def unboxed(y):
    """Numbers and booleans in an object array, as pandas has some, as the array they make; else y."""
    if y.dtype.kind != "O":
        return y
    plain = np.array(y.tolist())
    if plain.shape != y.shape:
        return y
    if plain.dtype.kind == "O" and all(isinstance(v, (Real, Decimal)) for v in y.flat):
        if not all(isinstance(v, Integral) for v in y.flat):  # too large for NumPy's own: no float tells them
            return y.astype(np.float64)
    return plain if plain.dtype.kind in "biuf" else y


def points(X, name="X", dtype=None):
    """(n, d) in C order; float32 stays, other types become float64 (or `dtype`)."""
    return _matrix(X, name, "(n_points, n_features)", dtype)


def queries_and_keys(X, Z):
    """Both as points of one dtype: float32 only if both are."""
    X, Z = points(X, "X"), points(Z, "Z")
    dtype = np.result_type(X, Z)
    return points(X, "X", dtype), points(Z, "Z", dtype)


def columns(V, n_rows, dtype=None, name="V"):
    """Value columns (n_rows, c) of this dtype; a vector becomes one column."""
    V = V if hasattr(V, "tocsr") else reals(V, name)
    V = _matrix(V[:, None] if V.ndim == 1 else V, name, f"({n_rows}, n_columns)", dtype)
    if V.shape[0] != n_rows:
        raise ValueError(f"{name} must have {n_rows} rows; got shape {V.shape}.")
    return V


def integer(value, name, other=""):
    """The value as an int, NumPy's too; booleans are none. `other`: what else is allowed, in words."""
    if not isinstance(value, Integral) or isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be an int{other and ' or ' + other}; got {value!r}.")
    return int(value)


def number(value, name):
    """The value as a float, NumPy's too; booleans are none."""
    if not isinstance(value, Real) or isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be a number; got {value!r}.")
    return float(value)


def booleans(mask, n, name):
    """(n,) of bool."""
    require_dense_booleans(mask, name)
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape != (n,):
        raise ValueError(
            f"{name} must be a boolean array of shape ({n},); got {mask.dtype} of shape {mask.shape}."
        )
    return mask


def require_dense_booleans(mask, name):
    """Refuse sparse matrices of SciPy and sparse tensors, of which NumPy makes an object or nothing."""
    layout = str(getattr(mask, "layout", "torch.strided"))
    if hasattr(mask, "tocsr") or layout != "torch.strided":
        way = ".toarray()" if hasattr(mask, "tocsr") else ".to_dense()"
        raise TypeError(
            f"{name} must be a dense boolean array; got a sparse one of shape {tuple(mask.shape)}. Use {way}."
        )


def random_of(random_state):
    """scikit-learn's random_state as a RandomState, without scikit-learn, which operators do not need."""
    if random_state is None or random_state is np.random:
        return np.random.mtrand._rand
    if isinstance(random_state, np.random.RandomState):
        return random_state
    if isinstance(random_state, Integral) and 0 <= random_state < 2**32:
        return np.random.RandomState(int(random_state))
    raise ValueError(
        "random_state must be an int from 0 to 2**32 - 1, a numpy.random.RandomState or None; got "
        f"{random_state!r}."
    )


def seed_of(random_state):
    """scikit-learn's random_state as a seed of the C++ side: an int stays, else one is drawn."""
    if isinstance(random_state, Integral) and 0 <= random_state < 2**32:
        return int(random_state)  # without a RandomState, which takes longer than a small fit
    return int(random_of(random_state).randint(np.iinfo(np.int32).max))


def log_weights(log_key_weights, name="log_key_weights"):
    """A vector of float64; empty for None."""
    if log_key_weights is None:
        return np.empty(0)
    w = np.ascontiguousarray(reals(log_key_weights, name, np.float64))
    if w.ndim != 1 or not w.size:
        raise ValueError(f"{name} must be a 1-D array, one for each key, or None; got shape {w.shape}.")
    return w


def csr(A, name):
    """CSR of float64 with sorted columns, each once; explicit zeros stay, and so do A's own arrays."""
    require_indices_inside(A, name)
    A = sp.csr_matrix(A, dtype=np.float64)  # without what the given one notes of itself
    require_indices_inside(A, name)  # of a list of lists only now
    if not A.has_canonical_format:
        A = A.copy()
        A.sum_duplicates()
    return A


def require_indices_inside(A, name):
    """Refuse a sparse matrix whose indices point outside of it: SciPy and the engine read and write there."""
    try:
        if A.format in ("csr", "csc", "bsr"):
            A.check_format(full_check=True)
        elif A.format == "coo" and len(A.shape) == 2:
            sp.coo_matrix((A.data, (A.row, A.col)), shape=A.shape)
    except ValueError as error:
        raise ValueError(
            f"{name} must be a sparse matrix with indices inside its shape {A.shape}; got one of which SciPy "
            f"says: {error}"
        ) from None


def _matrix(A, name, shape, dtype=None):
    if hasattr(A, "tocsr"):
        raise TypeError(
            f"{name} must be a dense array of shape {shape}; got a sparse matrix. Use .toarray()."
        )
    A = reals(A, name)
    if A.ndim != 2:
        raise ValueError(f"{name} must be a 2-D array of shape {shape}; got {A.ndim} dimension(s).")
    if dtype is None:
        dtype = A.dtype if A.dtype in _FLOATS else np.float64
    return np.ascontiguousarray(A, dtype=dtype)
