"""Array arguments, laid out as the engine reads them; floats in C order are not copied.

Values are checked where they are used, in C++; here only what NumPy alone has: dimensions and dtypes.
"""

from copy import copy
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
        refuse_sparse_tensors(given, name)
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


def told(value):
    """What came, in a few words: an array by its type and shape, never by its numbers."""
    if not isinstance(value, type) and getattr(value, "shape", None) and hasattr(value, "dtype"):
        dtype = str(value.dtype).removeprefix("torch.")
        return f"an array of {dtype} and shape {tuple(value.shape)}"
    text = repr(value)
    return text if len(text) < 200 else f"{text[:200]}..."


def scalar(value):
    """The number in an array or a tensor without dimensions, and a Decimal as a float; else the value.

    NumPy's own numbers stay as they are.
    """
    if isinstance(value, (Real, str)) or value is None:
        return value
    if isinstance(value, Decimal):
        return float(value)
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        number = value.item()
        return number if isinstance(number, Real) else value
    return value


def number(value, name, other=""):
    """The value as a float, also of an array without dimensions; booleans are none. `other`: as in integer.

    A float, whatever came: arithmetic in NumPy's small types overflows and rounds.
    """
    found = scalar(value)
    if not isinstance(found, Real) or isinstance(found, (bool, np.bool_)):
        raise TypeError(f"{name} must be a number{other and ' or ' + other}; got {told(value)}.")
    try:
        return float(found)
    except OverflowError:
        raise ValueError(f"{name} must be a number that float64 holds; got {told(value)}.") from None


def integer(value, name, other=""):
    """The value as an int, NumPy's too; booleans are none. `other`: what else is allowed, in words.

    An int, whatever came: arithmetic in NumPy's small types overflows, often without a word.
    """
    if not isinstance(value, Integral) or isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be an int{other and ' or ' + other}; got {told(value)}.")
    return int(value)


def boolean(value, name):
    """The value as a bool: one of Python or NumPy, also in an array without dimensions; 0 and 1 too."""
    found = scalar(value)
    if not isinstance(found, (bool, np.bool_, Integral)):
        raise TypeError(f"{name} must be a bool; got {told(value)}.")
    return bool(found)


def float_dtype(value, name="dtype"):
    """float32 or float64 as NumPy's dtype, from its name, its type or itself."""
    try:
        found = np.dtype(value) if isinstance(value, (str, type, np.dtype)) else None
    except TypeError:
        found = None
    if found is None or found not in _FLOATS:
        raise ValueError(f"{name} must be float32 or float64; got {told(value)}.")
    return found


def is_word(value, known):
    """Whether the value is one of these strings. An array, which compares entry by entry, is none."""
    return isinstance(value, str) and value in known


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
    if hasattr(mask, "tocsr") or _is_sparse_tensor(mask):
        way = ".toarray()" if hasattr(mask, "tocsr") else ".to_dense()"
        raise TypeError(
            f"{name} must be a dense boolean array; got a sparse one of shape {tuple(mask.shape)}. Use {way}."
        )


def refuse_sparse_tensors(given, name):
    """Refuse sparse tensors of torch by name: NumPy and SciPy make nothing of them, in torch's own words."""
    if _is_sparse_tensor(given):
        raise TypeError(
            f"{name} must be an array, or where a sparse matrix is taken one of SciPy; got a tensor of "
            f"layout {given.layout} and shape {tuple(given.shape)}. Use .to_dense()."
        )


def _is_sparse_tensor(given):
    return str(getattr(given, "layout", "")).startswith("torch.sparse")


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
        f"{told(random_state)}."
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
    return canonical(A)


def canonical(A):
    """A CSR matrix with sorted columns, each once, in A's own dtype; A's arrays stay as they are.

    What SciPy has of a CSR matrix otherwise (abs, max, comparisons) sorts its arrays where they lie: those of
    the caller, or of a memory map that nobody may write.
    """
    A = sp.csr_matrix(A)
    if not A.has_canonical_format:
        A = A.copy()
        A.sum_duplicates()
    return A


def require_indices_inside(A, name):
    """Refuse a sparse matrix whose indices point outside of it: SciPy and the engine read and write there."""
    try:
        if A.format in ("csr", "csc", "bsr"):
            copy(A).check_format(full_check=True)  # which cuts off what a matrix has beyond its entries
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
