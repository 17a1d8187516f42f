"""Attention, L2 attention and metric-attention with fixed weights, over batches and heads."""

import numpy as np

from likewise import _checks, _core, maps, supports
from likewise._slots import as_support

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def attention(
    q,
    k,
    v,
    temperature=None,
    is_causal=False,
    mask=None,
    key_padding_mask=None,
    log_key_weights=None,
    support="all",
):
    """softmax(q k^T / t) v: each query's mean of the values, weighted by its scores with the keys.

    Parameters
    ----------
    q : array (..., n_queries, dim); float32 stays float32
    k : array (..., n_keys, dim)
    v : array (..., n_keys, value_dim)
        Leading dimensions (batch, heads, ...) broadcast.
    temperature : float > 0 or None
        Divides the scores; None is sqrt(dim).
    is_causal : bool
        Query i attends to keys 0..i.
    mask : boolean array, broadcastable to (..., n_queries, n_keys), or None
        True = may attend (the opposite polarity of torch.nn.MultiheadAttention; see from_torch_mask).
    key_padding_mask : boolean array (batch, n_keys), or None
        True = a key that may be attended to; (n_keys,) where q has no leading dimensions.
    log_key_weights : array, broadcastable to (..., n_keys), or None
        Added to the scores: log of a weight for each key, -inf for none.
    support : str or value of likewise.supports, default="all"
        Who may attend to whom in every matrix, such as Window(256, 0), Blocks(groups), Neighbors(8);
        is_causal is "causal", a mask supports.Mask(mask), and all that are given must admit a pair.

    Returns
    -------
    array (..., n_queries, value_dim); 0 for a query that may attend to nothing

    Raises
    ------
    ValueError : shapes that do not fit, values that are not finite, a temperature that is not positive

    Notes
    -----
    O(n_queries n_keys (dim + value_dim)) time for each head, never a matrix n_queries x n_keys. Heads are
    spread over threads. The mechanism is DotProduct, Exponential(t), RowStochastic; one step.
    """
    masks = mask, key_padding_mask, log_key_weights
    return _attend(False, q, k, v, temperature, all_of(support, is_causal), *masks)


def l2_attention(
    q,
    k,
    v,
    temperature=None,
    is_causal=False,
    mask=None,
    key_padding_mask=None,
    log_key_weights=None,
    support="all",
):
    """softmax(-|q - k|^2 / t) v: kernel regression from keys to queries with bandwidth^2 = t/2.

    As `attention`, with squared distances as scores; temperature None is 2 sqrt(dim), with which both agree
    on keys of equal norm.
    """
    masks = mask, key_padding_mask, log_key_weights
    return _attend(True, q, k, v, temperature, all_of(support, is_causal), *masks)


def metric_attention(
    x,
    map,
    v=None,
    temperature=1.0,
    is_causal=False,
    mask=None,
    key_padding_mask=None,
    log_key_weights=None,
    support="all",
):
    """softmax(-|phi(x_i) - phi(x_j)|^2 / t) v: points that attend to one another by a learned metric.

    The bare module of metric-attention (Ruan and Zhang 2024, Algorithm 1), with phi a map of the points.

    Parameters
    ----------
    x : array (..., n, dim)
    map : a value of likewise.maps, or a pair (phi of queries, psi of keys)
        ResidualMLP is the published one, Linear that of L2 attention.
    v : array (..., n, value_dim) or None: x
    temperature : float > 0; the published one is 1
    is_causal, mask, key_padding_mask, log_key_weights, support : as in `attention`

    Returns
    -------
    array (..., n, value_dim); 0 for a point that may attend to nothing
    """
    phi, psi = map if isinstance(map, (tuple, list)) and len(map) == 2 else (map, map)
    x = _checks.reals(as_array(x), "x")
    if x.ndim < 2:
        raise ValueError(f"x must be an array (..., n, dim); got {x.ndim} dimension(s).")
    rows = x.reshape(-1, x.shape[-1])
    q = _mapped(phi, rows, x.shape[:-1])
    k = q if psi is phi else _mapped(psi, rows, x.shape[:-1])
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(f"map must be two of as many outputs; got {q.shape[-1]} and {k.shape[-1]}.")
    v = x if v is None else v
    masks = mask, key_padding_mask, log_key_weights
    return _attend(True, q, k, v, temperature, all_of(support, is_causal), *masks)


def _mapped(phi, rows, shape):
    """phi of the rows of an array of this shape, which may be none."""
    if not isinstance(phi, (maps.Linear, maps.ResidualMLP, maps.Custom)):
        raise TypeError(f"map must be a value of likewise.maps, or a pair of such; got {_checks.told(phi)}.")
    mapped = phi(rows if len(rows) else np.zeros((1, rows.shape[1]), rows.dtype))
    return mapped[: len(rows)].reshape(*shape, mapped.shape[1])


def from_torch_mask(mask):
    """A mask of torch.nn.MultiheadAttention or nn.Transformer (True = may NOT attend) in ours (True = may).

    Boolean masks are inverted; additive float masks may hold 0 and -inf only. Masks of
    torch.nn.functional.scaled_dot_product_attention already have our polarity. A mask does not show its
    polarity: nothing can check that this is called where it must be.
    """
    _checks.require_dense_booleans(mask, "mask")
    mask, dtype = as_array(mask), dtype_of(mask)
    if mask.dtype == bool:
        return ~mask
    if mask.dtype.kind == "f" and np.all((mask == 0) | np.isneginf(mask)):
        return mask == 0
    raise ValueError(
        f"mask must be boolean, or hold only 0 and -inf; got {dtype}. Other biases are log_key_weights."
    )


def as_array(given):
    """A NumPy array of what is one or becomes one, such as a tensor of torch.

    Of tensors whose type NumPy lacks (bfloat16) in float32, which holds their numbers.
    """
    if isinstance(given, np.ndarray):  # asked first: inside of torch.compile arrays seem to be tensors
        return given
    if hasattr(given, "detach"):
        given = given.detach().cpu()
        try:
            return given.numpy()
        except TypeError:
            return given.float().numpy()
    return np.asarray(given)


def dtype_of(given):
    """The name of an array's or a tensor's own dtype, for messages."""
    return str(getattr(given, "dtype", None) or np.asarray(given).dtype).removeprefix("torch.")


def all_of(support, is_causal):
    """The support, and only of keys up to the query's place where is_causal says so."""
    if not isinstance(is_causal, (bool, np.bool_)):
        raise TypeError(f"is_causal must be a bool; got {_checks.told(is_causal)}.")
    support = as_support(support)
    return support & supports.Causal() if is_causal else support


def _attend(squared_distances, q, k, v, temperature, support, mask, key_padding_mask, log_key_weights):
    key_padding_mask = boolean_array("key_padding_mask", key_padding_mask)
    q, k, v = _matrices(q, k, v, key_padding_mask)
    n_queries, n_keys = q.shape[-2], k.shape[-2]
    if k.shape[-1] != q.shape[-1]:
        raise ValueError(f"k must be of q's width {q.shape[-1]}; got {k.shape[-1]}.")
    if v.shape[-2] != n_keys:
        raise ValueError(f"v must be of k's length {n_keys}; got {v.shape[-2]}.")
    try:
        lead = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    except ValueError:
        raise ValueError(
            f"q, k and v must have leading dimensions that broadcast; got {q.shape}, {k.shape}, {v.shape}."
        ) from None
    if mask is not None:
        mask = _booleans("mask", mask, (n_queries, n_keys))
        mask = _broadcast("mask", mask, (*lead, n_queries, n_keys))
    weights = _log_weights(log_key_weights, key_padding_mask, lead, n_keys)
    q, k, v = (np.broadcast_to(a, lead + a.shape[-2:]) for a in (q, k, v))
    return _core.attention(squared_distances, q, k, v, temperature, support, mask, weights)


def _matrices(q, k, v, key_padding_mask):
    """q, k, v as dense matrices of one float type, finite; of padding 0 instead of what is not."""
    q, k, v = (_checks.reals(a, name) for name, a in (("q", q), ("k", k), ("v", v)))
    arrays = [q, *(_without_padding(a, key_padding_mask) for a in (k, v))]
    dtype = np.result_type(*arrays)
    dtype = dtype if dtype in _FLOATS else np.dtype(np.float64)
    for name, a in zip("qkv", arrays):
        if a.ndim < 2:
            raise ValueError(f"{name} must be of shape (..., length, dim); got {a.shape}.")
        if name != "v" and a.shape[-1] == 0:
            raise ValueError(f"{name} must have dim 1 or more; got shape {a.shape}.")
        if not np.isfinite(a).all():
            raise ValueError(f"{name} must be finite; got NaN or infinity.")
    return [np.ascontiguousarray(a, dtype=dtype) for a in arrays]


def _without_padding(a, key_padding_mask):
    """Keys or values (batch, ..., n_keys, dim), with 0 where padding is not finite: it is not read."""
    if key_padding_mask is None or a.dtype.kind != "f" or a.ndim < 2 or np.isfinite(a).all():
        return a
    is_read = np.atleast_1d(key_padding_mask)
    if is_read.ndim > 1 and (a.ndim == 2 or len(a) != len(is_read)):
        is_read = is_read.any(axis=0)  # keys that sequences share
    if is_read.shape[-1] != a.shape[-2] or is_read.ndim > 2:
        return a  # the mask, or what is not finite, is refused
    ones = (1,) * (a.ndim - 1 - is_read.ndim)
    is_read = is_read.reshape(*is_read.shape[:-1], *ones, a.shape[-2], 1)
    return np.where(is_read | np.isfinite(a), a, a.dtype.type(0))


def boolean_array(name, mask):
    """A mask as an array, None as None."""
    if mask is None:
        return None
    _checks.require_dense_booleans(mask, name)
    array = as_array(mask)
    if array.dtype != bool:
        allowed = "may be attended to" if name == "key_padding_mask" else "may attend"
        raise TypeError(
            f"{name} must be boolean, True = {allowed} (see from_torch_mask); got {dtype_of(mask)}."
        )
    return array


def _booleans(name, mask, last_two):
    """The mask with its last two dimensions dense."""
    mask = np.atleast_2d(boolean_array(name, mask))
    return np.ascontiguousarray(_broadcast(name, mask, mask.shape[:-2] + last_two))


def _log_weights(log_key_weights, key_padding_mask, lead, n_keys):
    """Both as one array (*lead, n_keys), or None."""
    weights = None
    if log_key_weights is not None:
        weights = _checks.reals(log_key_weights, "log_key_weights", np.float64)
        if np.isnan(weights).any() or np.isposinf(weights).any():
            raise ValueError("log_key_weights must be finite or -inf; got NaN or +inf.")
        weights = _broadcast("log_key_weights", np.atleast_1d(weights), (*lead, n_keys))
    if key_padding_mask is not None:
        padding = key_padding_mask
        if padding.shape != (*lead[:1], n_keys):
            raise ValueError(f"key_padding_mask must have shape {(*lead[:1], n_keys)}; got {padding.shape}.")
        padding = padding.reshape(*lead[:1], *(1,) * (len(lead) - 1), n_keys)
        weights = np.where(padding, 0.0 if weights is None else weights, -np.inf)
        weights = np.broadcast_to(weights, (*lead, n_keys))
    return None if weights is None else np.ascontiguousarray(weights)


def _broadcast(name, array, shape):
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(f"{name} must be broadcastable to {shape}; got {array.shape}.") from None
