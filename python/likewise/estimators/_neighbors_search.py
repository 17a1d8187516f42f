"""What neighbor estimators search, and whom they ask: their nearest points, or all within a radius.

``Points`` is what fit keeps. ``Nearest`` and ``Within`` are the two ways to choose neighbors: an estimator
has one, or asks for one by a method. What they find is ``Found``, the same for both.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from likewise import _checks, _core, metrics, supports
from likewise.estimators._metric import require_width

_ALGORITHMS = {"auto": "auto", "brute": "brute", "kd_tree": "kd_tree", "ball_tree": "auto"}
# Of any points, by whatever algorithm: nothing about them can be refused.
_FIT_ALL = {metrics.Euclidean(), metrics.SquaredEuclidean(), metrics.Manhattan(), metrics.Chebyshev()}


class Points:
    """Training points with the metric and the algorithm that they are searched by."""

    def __init__(self, X, metric, metric_params, algorithm, *, pairwise):
        """Keeps a copy of X; refuses a metric or an algorithm that does not fit it."""
        if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
            known = ", ".join(map(repr, _ALGORITHMS))
            raise ValueError(f"algorithm must be one of {known}; got {_checks.told(algorithm)}.")
        self.asked_algorithm, self._algorithm = _ALGORITHMS[algorithm], None
        require_width(metric, X, metric_params)
        if not pairwise and (metric not in _FIT_ALL or algorithm == "kd_tree"):
            # one pair tells what many would
            _core.kneighbors(metric, X[:1], X[:1], 1, self.asked_algorithm)
        self.keys = _core.prepare_keys(
            metric, X
        )  # a copy: what the caller does to X later is no affair of it

    @property
    def algorithm(self):
        """The one that runs. Found out when asked for, since a tree is built for it."""
        if self._algorithm is None:
            *_, self._algorithm = _core.kneighbors_among(self.keys, self.X[:1], 1, self.asked_algorithm)
        return self._algorithm

    @property
    def X(self):
        return self.keys.points

    @property
    def metric(self):
        return self.keys.metric

    @property
    def dtype(self):
        return self.X.dtype

    def asked_by(self, queries):
        """Queries, keys, and whether they are the same (queries None), each left out of its own row."""
        alone = queries is None
        return self.X if alone else queries, self.keys, alone

    def search(self, by, queries, limit):
        """What a search of the core finds of so many neighbors, or so far away."""
        X, keys, alone = self.asked_by(queries)
        return by(keys, X, limit, self.asked_algorithm, alone)


@dataclass(frozen=True)
class Found:
    """Neighbors of all queries one after the other, those of query i from ends[i] to ends[i + 1]."""

    distances: np.ndarray
    indices: np.ndarray
    ends: np.ndarray

    def rows(self, values):
        """An object array of each query's part of the values."""
        rows = np.empty(len(self.ends) - 1, dtype=object)
        for i in range(len(rows)):  # np.array would make a matrix of parts of equal length
            rows[i] = values[self.ends[i] : self.ends[i + 1]]
        return rows

    def graph(self, n_keys, mode):
        """CSR (n_queries, n_keys) of 1 (mode "connectivity") or distances ("distance")."""
        if not _checks.is_word(mode, ("connectivity", "distance")):
            raise ValueError(f"mode must be 'connectivity' or 'distance'; got {_checks.told(mode)}.")
        values = np.ones(len(self.indices)) if mode == "connectivity" else self.distances
        return csr_matrix((values, self.indices, self.ends), shape=(len(self.ends) - 1, n_keys))


class Nearest:
    """The k nearest points, by (distance, index)."""

    parameter = "n_neighbors"
    empty_row = "nearest"  # of kernels that end before the nearest point

    def __init__(self, n_neighbors):
        self.k = _checks.integer(n_neighbors, "n_neighbors")
        if self.k < 1:
            raise ValueError(f"n_neighbors must be an int >= 1; got {n_neighbors}.")

    @staticmethod
    def of(support):
        """The parameter of a support of this kind."""
        if not isinstance(support, supports.Neighbors):
            raise ValueError(f"support must be Neighbors(n_neighbors); got {support!r}.")
        return support.n_neighbors

    def support(self, **settings):
        return supports.Neighbors(self.k, **settings)

    def find(self, points, queries):
        distances, indices, _ = points.search(_core.kneighbors_among, queries, self.k)
        return Found(distances.ravel(), indices.ravel(), np.arange(0, indices.size + 1, self.k))

    def weigh(self, function, found):
        """What a function makes of distances (n_queries, k)."""
        weights = function(found.distances.reshape(-1, self.k))
        return _checks.reals(weights, "weights", np.float64).ravel()


class Within:
    """All points at most a radius away, by (distance, index)."""

    parameter = "radius"
    empty_row = "zero"

    def __init__(self, radius):
        self.radius = _checks.number(radius, "radius")
        if not self.radius >= 0:
            raise ValueError(f"radius must be a number >= 0; got {radius}.")

    @staticmethod
    def of(support):
        """The parameter of a support of this kind."""
        if not isinstance(support, supports.Radius):
            raise ValueError(f"support must be Radius(radius); got {support!r}.")
        return support.radius

    def support(self):
        return supports.Radius(self.radius)

    def find(self, points, queries):
        *found, _ = points.search(_core.radius_neighbors_among, queries, self.radius)
        return Found(*found)

    def weigh(self, function, found):
        """What a function makes of an object array of each query's distances."""
        rows = [
            _checks.reals(row, "weights", np.float64).ravel() for row in function(found.rows(found.distances))
        ]
        return np.concatenate(rows) if rows else np.empty(0)
