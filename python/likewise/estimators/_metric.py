"""scikit-learn's way to name a metric: a name with p and metric_params."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from likewise import _core, metrics
from likewise._checks import is_word, number, reals, scalar, told
from likewise._slots import as_metric


def metric_from_params(metric, p=2, metric_params=None):
    """The metric that scikit-learn's metric, p and metric_params mean.

    minkowski with p and weights w, mahalanobis with VI or V, seuclidean with V; every other name and
    value as likewise reads it. A parameter that the metric does not take is a ValueError.
    """
    params = _params(metric_params)
    name = metric if isinstance(metric, str) else None
    if name == "minkowski":
        found = _minkowski(params.pop("p", p), params.pop("w", None))
    elif name == "mahalanobis":
        inverse, covariance = params.pop("VI", None), params.pop("V", None)
        if inverse is not None:
            found = _of("VI", lambda: metrics.Mahalanobis.from_matrix(inverse))
        elif covariance is not None:
            found = _of("V", lambda: _of_covariance(covariance))
        else:
            raise ValueError(
                "metric_params must hold 'VI', the inverse of a covariance matrix, or 'V', that matrix, "
                f"with metric='mahalanobis'; got {told(metric_params)}. Or use likewise.metrics.Mahalanobis."
            )
    elif name == "seuclidean" and "V" not in params:
        raise ValueError(
            "metric_params must hold 'V', the variances, with metric='seuclidean'; got "
            f"{told(metric_params)}."
        )
    elif name == "seuclidean":
        variances = _vector("V", "variances", params.pop("V"), zero=False)
        found = _of("V", lambda: metrics.Mahalanobis.from_diagonal(1 / variances))
    elif callable(metric):  # what it gives is a distance, as in scikit-learn
        found = metrics.Custom(metric, distance_power=1)
    else:
        found = as_metric(metric)
    if params:
        raise ValueError(f"metric_params must hold only what metric={metric!r} takes; got {sorted(params)}.")
    return found


def require_width(metric, X, metric_params=None):
    """Refuse a metric that was made for another number of features than X has."""
    params, n_features = _params(metric_params), X.shape[1]
    name = next((name for name in ("w", "VI", "V") if params.get(name) is not None), None)
    if name is not None and np.shape(params[name])[-1] != n_features:
        raise ValueError(
            f"metric_params[{name!r}] must be of X's {n_features} features; got {np.shape(params[name])[-1]}."
        )
    if hasattr(metric, "factor") or hasattr(metric, "query_factor"):
        _core.kneighbors(metric, X[:1], X[:1], 1, "brute")  # one pair tells what many would


def _of(name, make):
    """What is made of metric_params[name]; errors name it."""
    try:
        return make()
    except (TypeError, ValueError) as error:
        raise ValueError(f"metric_params[{name!r}] must be a matrix that makes a metric: {error}") from None


def _of_covariance(matrix):
    """The metric of the inverse, judged by the matrix: of V = W^T W it is that of (W^-1)^T."""
    factor = metrics.Mahalanobis.from_matrix(matrix).factor
    rank, n_features = factor.shape
    if rank < n_features:
        raise ValueError(
            f"matrix must have full rank, {n_features}; got rank {rank}. Its pseudo-inverse can be VI."
        )
    return metrics.Mahalanobis(np.linalg.inv(factor).T)


def _vector(name, what, given, *, zero):
    """metric_params[name], a vector of positive numbers, or 0 where `zero` may be; errors name it."""
    try:
        values = reals(given, name, np.float64)
    except ValueError:
        raise TypeError(f"metric_params[{name!r}] must be a vector of {what}; got {told(given)}.") from None
    if values.ndim != 1:
        got = f"shape {values.shape}" if values.ndim else told(given)
        raise ValueError(f"metric_params[{name!r}] must be a vector of {what}, (n_features,); got {got}.")
    with np.errstate(divide="ignore", over="ignore"):
        fits = np.isfinite(values) & ((values >= 0) if zero else (values > 0) & np.isfinite(1 / values))
    if not fits.all():
        allowed = f"{what} >= 0" if zero else f"positive {what}"
        raise ValueError(
            f"metric_params[{name!r}] must be {allowed}, all finite; got {float(values[~fits][0])}."
        )
    return values


def effective_metric(metric, p=2, metric_params=None):
    """scikit-learn's effective_metric_ and effective_metric_params_: minkowski by its shorter name."""
    params = _params(metric_params)
    if not is_word(metric, ("minkowski",)):
        return metric, params
    params["p"] = scalar(params.get("p", p))
    name = {1: "manhattan", 2: "euclidean", np.inf: "chebyshev"}.get(params["p"])
    if name is None or params.get("w") is not None:
        return metric, {"w": None, **params}
    return name, {key: value for key, value in params.items() if key not in ("p", "w")}


def _params(metric_params):
    """A copy of the dict."""
    if metric_params is None:
        return {}
    if not isinstance(metric_params, Mapping):
        raise TypeError(f"metric_params must be a dict or None; got {told(metric_params)}.")
    return dict(metric_params)


def _minkowski(p, w):
    p = number(p, "p")
    if w is not None:
        w = _vector("w", "weights", w, zero=True)
        return metrics.Mahalanobis.from_diagonal(w) if p == 2 else _weighted(p, w)
    if p == 1:
        return metrics.Manhattan()
    if p == 2:
        return metrics.Euclidean()
    return metrics.Chebyshev() if p == np.inf else metrics.Minkowski(p)


def _weighted(p, w):
    """A function of two blocks: no metric of likewise has a length for each feature and a p."""
    if p != np.inf:
        p = metrics.Minkowski(p).p  # checks it
    laws = dict.fromkeys(("symmetric", "zero_on_self", "shift_invariant"), True)
    function = WeightedMinkowski(p, tuple(w.tolist()))
    return metrics.Custom(function, distance_power=1, triangle_inequality=p >= 1, **laws)


@dataclass(frozen=True)
class WeightedMinkowski:
    """(sum_k w_k |x_k - z_k|^p)^(1/p); of p = inf its limit, the largest |x_k - z_k| with w_k > 0."""

    p: float
    w: tuple

    def __call__(self, X, Z):
        w = np.array(self.w)
        if self.p == np.inf:
            return cdist(X * (w > 0), Z * (w > 0), "chebyshev")
        return cdist(X, Z, "minkowski", p=self.p, w=w)
