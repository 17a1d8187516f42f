"""Spectral clustering: clusters that a random walk rarely leaves."""

import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import check_is_fitted

from likewise import _core
from likewise._checks import integer, reals, seed_of
from likewise._estimator import warn_unless_converged
from likewise.estimators._affinity import AffinityMixin, pairwise_affinities, pairwise_affinity

_LOOKED_AT = 21  # eigenvalues among which n_clusters="auto" looks for a gap


class SpectralClustering(AffinityMixin, ClusterMixin, BaseEstimator):
    """Clusters of the points in the first eigenvectors of the random walk on a graph of affinities.

    Parameters
    ----------
    n_clusters : int or "auto", default=8
        "auto" is the gap between the first 21 eigenvalues w that stands out: 1 - w grows by a factor of 8 or
        more there, twice what it does anywhere on a line without clusters; of several such gaps the widest.
        Where none stands out it is one cluster for each part of the graph, at most 20, with a warning.
    eigen_solver : {None, "arpack", "lobpcg", "amg"}, accepted; the library chooses by cost
    n_components : int or None
        Eigenvectors looked at; None is n_clusters.
    random_state : int, RandomState or None
        Of the starts of k-means and the first axis of "discretize".
    n_init : int, default=10
    gamma : float, default=1.0
        "rbf" is exp(-gamma d^2), "laplacian" exp(-gamma d).
    affinity : str, callable (x, z) -> weight, or Mechanism, default="rbf"
        "rbf", "laplacian", "nearest_neighbors", "precomputed", "precomputed_nearest_neighbors" or another
        kernel of scikit-learn's pairwise_kernels. "nearest_neighbors" is the graph of n_neighbors, the point
        itself among them, averaged with its transpose.
    n_neighbors : int, default=10
    eigen_tol : float or "auto"
        Residual relative to the largest eigenvalue; "auto" is 1e-9.
    assign_labels : {"kmeans", "cluster_qr", "discretize"}
    degree, coef0, kernel_params : of scikit-learn's other kernels
    n_jobs : int or None
    verbose : bool
    metric : None, name or value of likewise.metrics
        Replaces the metric that the affinity has.
    normalization : str or value of likewise.normalizations, default="symmetric"
        A Mechanism given as affinity keeps its own unless another is asked for.
    self_loops : bool, default=False
        Whether a point is its own neighbor too (a Mechanism given as affinity says so itself). scikit-learn's
        Laplacian drops the loops; with them a far point that is loosely tied counts as a cluster.

    Attributes
    ----------
    labels_ : (n,)
    n_clusters_ : int
    eigenvalues_ : of the operator, descending from 1; n_components of them, with "auto" at least 21
    embedding_ : (n, n_components), column 0 constant, sum_i D_i embedding_ij^2 = 1
    affinity_matrix_ : (n, n), computed when asked for
    n_features_in_ : int; mechanism_ : Mechanism
    n_graph_components_ : int, connected components of a graph
    report_ : SpectrumReport of the eigensolver: its name and what certifies that no eigenpair is missing

    Notes
    -----
    Disconnected graphs are fine: each part has its own eigenvector, also a point without neighbors (with a
    warning). A precomputed graph that is directed is averaged with its transpose, with a warning. predict
    labels new points by the fitted centers or rotation of their Nystrom extension, which jumps without
    self-loops: right beside a training point it is 1 + s (1 / w - 1) times that one's coordinate, w the
    coordinate's eigenvalue and s the share of the training point in the new point's affinities, so labels may
    differ there; self_loops=True of "rbf" and "laplacian" has no jump. Affinities must not be negative.

    References
    ----------
    Shi and Malik (2000); Ng, Jordan and Weiss (2001); Yu and Shi (2003); Damle, Minden and Ying (2019).
    """

    def __init__(
        self,
        n_clusters=8,
        *,
        eigen_solver=None,
        n_components=None,
        random_state=None,
        n_init=10,
        gamma=1.0,
        affinity="rbf",
        n_neighbors=10,
        eigen_tol="auto",
        assign_labels="kmeans",
        degree=3,
        coef0=1,
        kernel_params=None,
        n_jobs=None,
        verbose=False,
        metric=None,
        normalization="symmetric",
        self_loops=False,
    ):
        self.n_clusters = n_clusters
        self.eigen_solver = eigen_solver
        self.n_components = n_components
        self.random_state = random_state
        self.n_init = n_init
        self.gamma = gamma
        self.affinity = affinity
        self.n_neighbors = n_neighbors
        self.eigen_tol = eigen_tol
        self.assign_labels = assign_labels
        self.degree = degree
        self.coef0 = coef0
        self.kernel_params = kernel_params
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.metric = metric
        self.normalization = normalization
        self.self_loops = self_loops

    _counted, _n_dropped = "n_clusters", 0

    def _n_pairs(self):
        n_clusters, n_components = self._count("n_clusters", "auto"), self._count("n_components", None)
        return max(_LOOKED_AT, n_components) if n_clusters == 0 else n_components or n_clusters

    def _gamma(self, n_features):
        return self.gamma

    def _n_neighbors(self, n_samples):
        return self.n_neighbors

    def _other_affinities(self):
        return pairwise_affinities()

    def _kernel_matrix(self, X, Z):
        affinity = self._real_affinity if callable(self.affinity) else self.affinity
        return pairwise_affinity(X, Z, affinity, self.gamma, self.degree, self.coef0, self.kernel_params)

    def _real_affinity(self, x, z, **params):
        return reals(self.affinity(x, z, **params), "affinity")

    def _count(self, name, auto):
        """The parameter as an int; `auto` (None or "auto") is 0."""
        value = getattr(self, name)
        if (value is None or isinstance(value, str)) and value == auto:
            return 0
        count = integer(value, name, repr(auto))
        if count < 1:
            raise ValueError(f"{name} must be an int of at least 1 or {auto!r}; got {value!r}.")
        return count

    def fit(self, X, y=None):
        """X (n, n_features), or (n, n) affinities or distances where they are precomputed."""
        X = self._check_points(X, reset=True)
        self._check_affinity_parameters()
        self._training_points = None
        points, mechanism = self._points_and_mechanism(X)
        with self._execution():
            self._fitted = _core.spectral_clustering(
                points,
                mechanism=mechanism,
                n_clusters=self._count("n_clusters", "auto"),
                n_components=self._count("n_components", None),
                assign_labels=self.assign_labels,
                n_init=self.n_init,
                seed=seed_of(self.random_state),
                tol=self._tol(),
            )
        self._training_points = X if self._needs_training_points() else None
        self.labels_ = self._fitted.labels
        self.n_clusters_ = self._fitted.n_clusters
        if not self._fitted.gap_stands_out:
            self._warn_of_no_gap()
        self.embedding_ = np.asarray(self._map.embedding)
        self.eigenvalues_ = self._map.eigenvalues
        self.mechanism_ = self._mechanism_of_fit()
        self.n_graph_components_ = self._map.n_graph_components
        self.report_ = self._map.report
        self._warn_of_isolated()
        warn_unless_converged(self.report_, 1000)
        return self

    def predict(self, X):
        """The cluster of each new point (n_new, n_features), (n_new,)."""
        check_is_fitted(self)
        X = self._check_points(X, reset=False)
        with self._execution():
            return self._fitted.predict_embedded(self._extend(X))

    def _warn_of_no_gap(self):
        parts = self._map.n_graph_components
        why = f"the graph has {parts} parts" if parts > self.n_clusters_ else "no eigengap stands out"
        warnings.warn(
            f"n_clusters='auto' is {self.n_clusters_}, which the spectrum does not single out: {why}. Give "
            "n_clusters, or a graph that shows clusters (gamma, n_neighbors, affinity).",
            stacklevel=3,
        )

    @property
    def _map(self):
        return self._fitted.map

    def _needs_training_points(self):
        return callable(self.affinity) or self.affinity in pairwise_affinities()
