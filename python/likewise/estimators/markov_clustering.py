"""Markov clustering: a random walk on a graph that is expanded and inflated until it stands still."""

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import check_is_fitted

from likewise import _checks, _core
from likewise._errors import warn_unless_converged
from likewise.estimators._affinity import AffinityMixin
from likewise.propagations import OneStep


class MarkovClustering(AffinityMixin, ClusterMixin, BaseEstimator):
    """Clusters where the flow of a random walk gathers: P <- inflated(P^expansion, inflation), repeated.

    Expansion lets the walk take steps, inflation (each entry to a power, rows divided by their sums again)
    makes what is strong stronger. What stands still in the end leads each point to its cluster.

    Parameters
    ----------
    inflation : float > 1, default=2.0
        Larger makes more and smaller clusters.
    expansion : int >= 2, default=2
        Steps of the walk between two inflations.
    affinity : "nearest_neighbors", "precomputed", "rbf", "laplacian" or Mechanism
        The graph: of n_neighbors, the point itself among them, averaged with its transpose; X itself, sparse
        or dense (n, n) weights >= 0, averaged with its transpose where it is directed; exp(-gamma d^2) or
        exp(-gamma d) of all pairs; or the graph of a mechanism.
    n_neighbors : int, default=10
    gamma : float, default=1.0
    metric : None, name or value of likewise.metrics
        Replaces the metric that the affinity has.
    prune : float in [0, 1), default=1e-5
        After an inflation smaller entries are dropped, never a row's largest: pruned_ says what it cost.
    max_iter : int, default=100
    tol : float, default=1e-8
        Ends when no entry moves more.
    n_jobs : int or None

    Attributes
    ----------
    labels_ : (n,), clusters in the order of their first points
    n_clusters_ : int
    flow_ : CSR (n, n), where the walk has come to rest
    pruned_ : float, the largest share of a row's mass that a step dropped
    n_iter_, n_features_in_ : as in scikit-learn
    mechanism_ : Mechanism of the graph
    report_ : IterationReport, its residual the largest move of an entry

    Notes
    -----
    A point without a loop gets one as strong as its strongest edge. A step costs O(sum over edges of the row
    that they lead to), memory O(n + edges that are kept). Rows are what van Dongen has as columns.

    References
    ----------
    van Dongen (2000), Graph clustering by flow simulation.

    Examples
    --------
    >>> import likewise as lw
    >>> A = [[0, 1, 1, 0, 0, 0], [1, 0, 1, 0, 0, 0], [1, 1, 0, 1, 0, 0],
    ...      [0, 0, 1, 0, 1, 1], [0, 0, 0, 1, 0, 1], [0, 0, 0, 1, 1, 0]]
    >>> lw.MarkovClustering(affinity="precomputed").fit(A).labels_
    array([0, 0, 0, 1, 1, 1])
    """

    _values, _note = "none", "squared and inflated again and again, until it stands still"
    eigen_solver, self_loops, normalization = None, True, "row"  # what AffinityMixin asks of spectra

    def __init__(
        self,
        inflation=2.0,
        *,
        expansion=2,
        affinity="nearest_neighbors",
        n_neighbors=10,
        gamma=1.0,
        metric=None,
        prune=1e-5,
        max_iter=100,
        tol=1e-8,
        n_jobs=None,
    ):
        self.inflation = inflation
        self.expansion = expansion
        self.affinity = affinity
        self.n_neighbors = n_neighbors
        self.gamma = gamma
        self.metric = metric
        self.prune = prune
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs

    @classmethod
    def from_mechanism(cls, mechanism, **params):
        """The estimator whose graph is this mechanism, rows divided by their sums."""
        return cls(affinity=mechanism.replace(propagation=OneStep(), normalization="row"), **params)

    def _propagation(self):
        return OneStep()

    def _gamma(self, n_features):
        return self.gamma

    def _n_neighbors(self, n_samples):
        return self.n_neighbors

    def fit(self, X, y=None):
        """X (n, n_features), or (n, n) weights where they are precomputed."""
        X = self._check_points(X, reset=True)
        self._check_affinity_parameters()
        X = self._as_graph(X)
        points, mechanism = self._points_and_mechanism(X)
        with self._execution():
            self.mechanism_, self.labels_, self.n_clusters_, self.flow_, self.pruned_, self.report_ = (
                _core.fit_markov_clustering(
                    points,
                    mechanism,
                    _checks.number(self.inflation, "inflation"),
                    _checks.integer(self.expansion, "expansion"),
                    _checks.number(self.prune, "prune"),
                    _checks.integer(self.max_iter, "max_iter"),
                    _checks.number(self.tol, "tol"),
                )
            )
        self._points = points.copy()  # X may be the caller's own
        self.n_iter_ = self.report_.n_iter
        warn_unless_converged(self.report_, self.max_iter)
        return self

    def _as_graph(self, X):
        """Weights that are given as a graph: a weight of 0 is no edge."""
        return sp.csr_matrix(X) if self.affinity == "precomputed" else X

    def predict(self, X):
        """The cluster that each new point has most weight with, (n_queries,).

        X : (n_queries, n_features), or precomputed weights (n_queries, n) with the points of fit
        """
        check_is_fitted(self)
        X = self._check_points(X, reset=False)
        clusters = np.eye(self.n_clusters_)[self.labels_]
        if self._is_given():
            return np.asarray(self._graph(self._as_graph(X)) @ clusters).argmax(axis=1)
        X = np.ascontiguousarray(X, dtype=self._points.dtype)
        with self._execution():
            return (self.mechanism_.operator(X, self._points) @ clusters).argmax(axis=1)
