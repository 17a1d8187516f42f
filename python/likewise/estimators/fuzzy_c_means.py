"""Fuzzy c-means: points belong to every center by an inverse power of their distance."""

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import check_is_fitted

from likewise import _checks, _core, kernels
from likewise._errors import warn_unless_converged
from likewise._estimator import MechanismMixin, checked_sample_weight
from likewise._mechanism import Mechanism


class FuzzyCMeans(MechanismMixin, ClusterMixin, BaseEstimator):
    """Clusters with memberships: u_ij of point i in center j, and centers that are means under u^m.

        u_ij = d(x_i, c_j)^(-2/(m-1)) / sum_k d(x_i, c_k)^(-2/(m-1)),   c_j = sum_i u_ij^m x_i / sum_i u_ij^m

    again and again: it never raises J = sum_ij u_ij^m d(x_i, c_j)^2.

    Parameters
    ----------
    n_clusters : int, default=8
    m : float > 1, default=2.0
        How much memberships overlap; in the limit 1 it is k-means.
    init : "k-means++" or array (n_clusters, n_features)
        Where centers start; "k-means++": its draw and one step of k-means.
    n_init : int, default=1
        Starts, of which the one of least J wins. An array starts once.
    max_iter : int, default=300
    tol : float, default=1e-4
        Ends when centers move less: the sum of squares, relative to the mean variance of a feature.
    random_state : int, RandomState or None
    n_jobs : int or None

    Attributes
    ----------
    cluster_centers_ : (n_clusters, n_features)
    memberships_ : (n, n_clusters), rows sum to 1
    labels_ : (n,), the center that each point belongs to most
    objective_ : float, J
    n_iter_, n_features_in_ : as in scikit-learn
    mechanism_ : Mechanism from points to centers
    report_ : IterationReport, its residual the last move of the centers, as in tol

    Notes
    -----
    O(n n_clusters n_features) time a step, O(n n_clusters) memory. A point that lies on centers belongs to
    those alone, equally. The memberships are a propagation: P of mechanism_, from points to centers, applied
    to the centers' names.

    References
    ----------
    Dunn (1973); Bezdek (1981). Ruan and Zhang (2024) leave out the power m of u in the means.

    Examples
    --------
    >>> import likewise as lw
    >>> model = lw.FuzzyCMeans(2, init=[[0.0], [4.0]]).fit([[0.0], [1.0], [2.0], [3.0], [4.0]])
    >>> model.memberships_.round(2)[2]
    array([0.5, 0.5])
    """

    _values, _note = "the centers' names", "centers are means under memberships to the power m, repeated"

    def __init__(
        self,
        n_clusters=8,
        *,
        m=2.0,
        init="k-means++",
        n_init=1,
        max_iter=300,
        tol=1e-4,
        random_state=None,
        n_jobs=None,
    ):
        self.n_clusters = n_clusters
        self.m = m
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.n_jobs = n_jobs

    @classmethod
    def from_mechanism(cls, mechanism, **params):
        """The estimator whose memberships fall as this InverseDistance does: m = 1 + 2 / power."""
        if isinstance(mechanism.kernel, kernels.InverseDistance):
            params.setdefault("m", 1 + 2 / mechanism.kernel.power)
        return super().from_mechanism(mechanism, **params)

    def _make_mechanism(self):
        m = _checks.number(self.m, "m")
        if not (m > 1 and np.isfinite(m)):
            raise ValueError(f"m must be a finite number above 1; got {self.m!r}.")
        return Mechanism(metric="euclidean", kernel=kernels.InverseDistance(2 / (m - 1)))

    def fit(self, X, y=None, sample_weight=None):
        """X (n, n_features); sample_weight (n,) >= 0: a point of weight 2 counts as two of weight 1."""
        X = self._check_X(X, reset=True)
        weights = np.zeros(0) if sample_weight is None else checked_sample_weight(sample_weight, X)
        self._make_mechanism()  # checks m
        with self._execution():
            self.mechanism_, self.cluster_centers_, self.memberships_, self.objective_, self.report_ = (
                _core.fit_fuzzy_c_means(
                    X,
                    _checks.integer(self.n_clusters, "n_clusters"),
                    float(self.m),
                    _checks.integer(self.n_init, "n_init"),
                    _checks.integer(self.max_iter, "max_iter"),
                    _checks.number(self.tol, "tol"),
                    _checks.seed_of(self.random_state),
                    self._init(),
                    weights,
                )
            )
        self.labels_ = self.memberships_.argmax(axis=1)
        self.n_iter_ = self.report_.n_iter
        warn_unless_converged(self.report_, self.max_iter)
        return self

    def _init(self):
        """Centers to start at, or None."""
        if isinstance(self.init, str):
            if self.init != "k-means++":
                raise ValueError(f"init must be 'k-means++' or an array; got {self.init!r}.")
            return None
        return _checks.points(self.init, "init", np.float64)

    def predict_proba(self, X):
        """Memberships (n_queries, n_clusters) of new points in the fitted centers."""
        check_is_fitted(self)
        X = np.ascontiguousarray(self._check_X(X, reset=False), dtype=self.cluster_centers_.dtype)
        with self._execution():
            return self.mechanism_.operator(X, self.cluster_centers_, storage="dense").toarray()

    def predict(self, X):
        """The center that each new point belongs to most: (n_queries,)."""
        return self.predict_proba(X).argmax(axis=1)
