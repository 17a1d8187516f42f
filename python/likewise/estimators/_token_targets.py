"""Targets of tokens: some for each token of a row, of padding none."""

import numpy as np


def of_each_token(y, shape, padding, *, several=False):
    """Targets of all tokens, one after the other: (n * n_tokens,), or (n * n_tokens, n_targets).

    Parameters
    ----------
    y : array (n, n_tokens), with `several` also (n, n_tokens, n_targets)
    shape : (n, n_tokens), that of X
    padding : boolean array of that shape, True = a token, or None: all are. Elsewhere y may hold anything,
        and becomes what the first token has.

    A ValueError for another shape says which.
    """
    y = _as_array(y, shape)
    if y.shape[:2] != shape or y.ndim > (3 if several else 2):
        raise ValueError(f"{_wanted(shape, several)} got shape {y.shape}.")
    y = y.reshape(-1, *y.shape[2:])
    if padding is None or padding.all():
        return y
    tokens, y = padding.ravel(), y.copy()
    y[~tokens] = y[tokens][0]
    return y


def weights_of_tokens(weights, padding, shape):
    """Of each token (n * n_tokens,), its row's of `weights` (n,) and 0 of padding; None: all 1."""
    if weights is None and padding is None:
        return None
    of_rows = np.ones(shape[0]) if weights is None else weights
    return (of_rows[:, None] * (np.ones(shape) if padding is None else padding)).ravel()


def _as_array(y, shape):
    try:
        return np.asarray(y)
    except ValueError:  # rows of different lengths
        raise ValueError(
            f"{_wanted(shape, False)} got rows of different lengths; fill them up and say in "
            "key_padding_mask what is no token."
        ) from None


def _wanted(shape, several):
    allowed = f"(n, n_tokens) = {shape}"
    if several:
        allowed += " or (n, n_tokens, n_targets)"
    return f'y must be of shape {allowed} where pooling is "none";'
