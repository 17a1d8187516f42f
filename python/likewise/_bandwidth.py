"""The rules that find a bandwidth, the same for every method."""

from numbers import Integral

import numpy as np

from likewise import _checks, _core
from likewise._mechanism import Mechanism
from likewise._slots import as_kernel, as_metric

_RULES = ("median", "scott", "silverman", "bgh", "self_tuning", "perplexity", "loo")


def select_bandwidth(
    rule,
    Z,
    y=None,
    *,
    metric="euclidean",
    kernel="gaussian",
    log_key_weights=None,
    n_neighbors=7,
    perplexity=None,
    random_state=0,
    max_points=2000,
):
    """The length that a rule finds for these points.

    Parameters
    ----------
    rule : str
        "median"       weighted median of the pairwise distances
        "scott"        s n^(-1/(d+4)), s^2 = mean squared distance / (2 d)
        "silverman"    s (4/(d+2))^(1/(d+4)) n^(-1/(d+4))
        "bgh"          where log sum_ij exp(-d^2/(4 eps)) grows fastest in log eps; finds the intrinsic
                       dimension too
        "self_tuning"  a length for each point, the distance to its n_neighbors-th neighbor
        "perplexity"   a length for each row, whose entropy is log(perplexity)
        "loo"          least leave-one-out error of predicting y
    Z : array (n, n_features)
    y : array (n,) or (n, n_targets), with "loo" only
        Numbers: squared error. Booleans or strings (n,): classes and log loss. Objects are what they hold.
    metric, kernel : slot values or names
    log_key_weights : array (n,), optional
    n_neighbors : of the rule "self_tuning"
    perplexity : float in (1, n - 1) or None
        Of the rule of that name; None is 30, or a third of the other points where these are fewer than 90. A
        row with fewer points elsewhere than that (copies) takes a third of them.
    random_state : int, RandomState or None
        Of the subsample of `max_points` that "median" and "bgh" look at beyond so many.

    Returns
    -------
    SelectedBandwidth

    References
    ----------
    Berry, Giannakis and Harlim (2015); Zelnik-Manor and Perona (2004); Hinton and Roweis (2002)
    """
    if not _checks.is_word(rule, _RULES):
        error = ValueError if isinstance(rule, str) else TypeError
        raise error(f"rule must be one of {', '.join(map(repr, _RULES))}; got {_checks.told(rule)}.")
    Z = _checks.points(Z, "Z")
    log_w = _checks.log_weights(log_key_weights)
    if rule == "loo":
        mechanism = Mechanism(metric=metric, kernel=kernel)
        Y, log_loss = _targets(y, len(Z), Z.dtype)
        return _core.loo_bandwidth(mechanism, Z, Y, log_loss, log_w)
    if y is not None:
        raise ValueError(f"y must be None with rule={rule!r}, which does not look at a target.")
    return _core.select_bandwidth(
        rule,
        as_metric(metric),
        as_kernel(kernel),
        Z,
        log_w,
        n_neighbors,
        perplexity,
        _checks.seed_of(random_state),
        max_points,
    )


def _targets(y, n, dtype):
    """Columns (n, c) and whether they are classes, one-hot."""
    if y is None:
        raise ValueError("y must be given with rule='loo', which predicts it.")
    if hasattr(y, "tocsr"):
        raise TypeError(f"y must be a dense array; got a sparse one of shape {y.shape}; use y.toarray().")
    try:
        y = _checks.unboxed(_checks.array(y))
    except ValueError as error:
        raise ValueError(f"y must be one or more columns; got {type(y).__name__}: {error}") from None
    too_large = y.dtype.kind == "O" and all(isinstance(v, Integral) for v in y.flat)  # for NumPy's integers
    if y.dtype.kind in "fiuc" or too_large:
        return _checks.columns(y, n, dtype, "y"), False
    if y.shape not in ((n,), (n, 1)):
        raise ValueError(
            f"y must be one column of classes, of shape ({n},), where it holds booleans or strings; got "
            f"{y.dtype} of shape {y.shape}. Columns of numbers ({n}, n_targets) have a squared error: "
            "y.astype(float)."
        )
    return _checks.columns(_one_hot(y.ravel()), n, dtype, "y"), True


def _one_hot(y):
    """A column of 0 and 1 for each class."""
    try:
        classes, codes = np.unique(y, return_inverse=True)
    except TypeError as error:  # None and NaN among strings, numbers with strings
        raise ValueError(
            f"y must hold numbers, booleans or strings, all of one kind and none missing: {error}"
        ) from None
    return np.eye(len(classes))[codes]
