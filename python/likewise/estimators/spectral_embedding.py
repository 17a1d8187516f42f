"""Spectral embedding: points where the slow eigenvectors of the random walk take them."""

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from likewise import _core
from likewise._checks import integer
from likewise._estimator import warn_unless_converged
from likewise.estimators._affinity import AffinityMixin


class SpectralEmbedding(AffinityMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Eigenvectors u_i / sqrt(D_i) of the random walk on a graph of affinities (Laplacian eigenmaps).

    Parameters
    ----------
    n_components : int, default=2
    affinity : str, callable X -> (n, n) affinities, or Mechanism, default="nearest_neighbors"
        "nearest_neighbors", "rbf", "laplacian", "precomputed" or "precomputed_nearest_neighbors".
        "nearest_neighbors" is the graph of n_neighbors, the point itself among them, averaged with its
        transpose.
    gamma : float or None
        exp(-gamma d^2), of "laplacian" exp(-gamma d); None is 1 / n_features.
    random_state : accepted; nothing here is random
    eigen_solver : {None, "arpack", "lobpcg", "amg"}, accepted; the library chooses by cost
    eigen_tol : float or "auto"
        Residual relative to the largest eigenvalue; "auto" is 1e-9.
    n_neighbors : int or None
        The point itself counts. None is n_samples / 10, at least 2: with 1 each point would be alone.
    n_jobs : int or None
    metric : None, name or value of likewise.metrics
        Replaces the metric that the affinity has.
    normalization : str or value of likewise.normalizations, default="symmetric"
        "row" gives the same embedding; "density" that of diffusion maps.
    self_loops : bool, default=False
        Whether a point is its own neighbor too (a Mechanism given as affinity says so itself). scikit-learn's
        Laplacian drops the loops.

    Attributes
    ----------
    embedding_ : (n, n_components), without the constant eigenvector, sum_i D_i embedding_ij^2 = 1
    eigenvalues_ : (n_components + 1,), of the operator, with the constant one's 1
    affinity_matrix_ : (n, n), computed when asked for
    n_neighbors_ : int; n_features_in_ : int; mechanism_ : Mechanism
    n_graph_components_ : int, connected components of a graph (its eigenvalue 1 repeats as often)
    report_ : SpectrumReport of the eigensolver: its name and what certifies that no eigenpair is missing

    Notes
    -----
    transform extends by Nystrom: a new point averages the training points by its affinities to them; one that
    equals a training point is where that is. Without self-loops there is a jump: a point right beside a
    training point is at 1 + s (1 / w - 1) times that one's coordinate, w the coordinate's eigenvalue and s
    the share of the training point in the new point's affinities; self_loops=True of "rbf" and "laplacian"
    has none. A point without neighbors is a part of
    its own, and a precomputed graph that is directed is averaged with its transpose, both with a warning.

    References
    ----------
    Belkin and Niyogi (2003); Bengio et al. (2004) for new points.
    """

    def __init__(
        self,
        n_components=2,
        *,
        affinity="nearest_neighbors",
        gamma=None,
        random_state=None,
        eigen_solver=None,
        eigen_tol="auto",
        n_neighbors=None,
        n_jobs=None,
        metric=None,
        normalization="symmetric",
        self_loops=False,
    ):
        self.n_components = n_components
        self.affinity = affinity
        self.gamma = gamma
        self.random_state = random_state
        self.eigen_solver = eigen_solver
        self.eigen_tol = eigen_tol
        self.n_neighbors = n_neighbors
        self.n_jobs = n_jobs
        self.metric = metric
        self.normalization = normalization
        self.self_loops = self_loops

    _counted, _n_dropped = "n_components", 1  # the constant pair is no coordinate

    def _n_pairs(self):
        return integer(self.n_components, "n_components") + 1

    def _gamma(self, n_features):
        return self.gamma if self.gamma is not None or n_features is None else 1 / n_features

    def _n_neighbors(self, n_samples):
        if self.n_neighbors is not None:
            return self.n_neighbors
        return 10 if n_samples is None else max(n_samples // 10, 2)

    def _kernel_matrix(self, X, Z):
        if Z is not None:
            raise ValueError("affinity must be a name or a Mechanism to embed new points; got a callable.")
        return self.affinity(X)

    def fit(self, X, y=None):
        """X (n, n_features), or (n, n) affinities or distances where they are precomputed."""
        X = self._check_points(X, reset=True)
        self._check_affinity_parameters()
        n_components = integer(self.n_components, "n_components")
        points, mechanism = self._points_and_mechanism(X)
        with self._execution():
            self._map = _core.spectral_embedding(points, mechanism, n_components, True, self._tol())
        if callable(self.affinity):
            self._training_points = X
        self.embedding_ = np.asarray(self._map.embedding)
        self.eigenvalues_ = self._map.eigenvalues
        self.mechanism_ = self._mechanism_of_fit()
        self.n_neighbors_ = self._n_neighbors(X.shape[0])
        self.n_graph_components_ = self._map.n_graph_components
        self.report_ = self._map.report
        self._warn_of_isolated()
        warn_unless_converged(self.report_, 1000)
        return self

    def fit_transform(self, X, y=None):
        """embedding_ of X (n, n_features)."""
        return self.fit(X).embedding_

    def transform(self, X):
        """New points (n_new, n_features) in the embedding, (n_new, n_components): P.at(X) v / lambda."""
        check_is_fitted(self)
        X = self._check_points(X, reset=False)
        with self._execution():
            return self._extend(X)

    @property
    def _n_features_out(self):
        return self.embedding_.shape[1]
