"""Nearest neighbors and neighbors within a radius, exact, ties to the lowest index."""

import numpy as np

from likewise import _checks, _core
from likewise._slots import as_metric


def kneighbors(X, Z=None, *, n_neighbors=5, metric="euclidean", algorithm="auto", return_distance=True):
    """The keys nearest to each query, by (distance, index).

    Parameters
    ----------
    X : array (n_queries, n_features); rows of costs with metrics.Precomputed
    Z : array (n_keys, n_features), optional
        Without it X are the keys too, and a point is not its own neighbor.
    n_neighbors : int in [1, n_keys], or [1, n_keys - 1] without Z
    metric : value of likewise.metrics, name, or function of two blocks
    algorithm : "auto", "kd_tree" or "brute"

    Returns
    -------
    distances : array (n_queries, n_neighbors), ascending, as scikit-learn's metric of that name has them
    indices : int array (n_queries, n_neighbors)
    """
    return_distance = _checks.boolean(return_distance, "return_distance")
    metric, X, Z, alone = _arguments(X, Z, metric)
    distances, indices, _ = _core.kneighbors(metric, X, Z, n_neighbors, algorithm, alone)
    return (distances, indices) if return_distance else indices


def radius_neighbors(X, Z=None, *, radius=1.0, metric="euclidean", algorithm="auto", return_distance=True):
    """All keys at most `radius` away from each query, by (distance, index); arguments as kneighbors.

    Returns
    -------
    distances, indices : object arrays (n_queries,) of arrays, a row each
    """
    return_distance = _checks.boolean(return_distance, "return_distance")
    metric, X, Z, alone = _arguments(X, Z, metric)
    distances, indices, offsets, _ = _core.radius_neighbors(metric, X, Z, radius, algorithm, alone)
    rows = _rows(indices, offsets)
    return (_rows(distances, offsets), rows) if return_distance else rows


def _arguments(X, Z, metric):
    if Z is None:
        X = _checks.points(X, "X")
        return as_metric(metric), X, X, True
    return as_metric(metric), *_checks.queries_and_keys(X, Z), False


def _rows(values, offsets):
    rows = np.empty(len(offsets) - 1, dtype=object)
    for i in range(len(rows)):  # NumPy would make a matrix of rows of equal length
        rows[i] = values[offsets[i] : offsets[i + 1]]
    return rows
