"""Mean shift: repeated steps from moving points to the fixed ones, with the points as values."""

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import check_array, check_is_fitted

from likewise import _checks, _core
from likewise._errors import warn_unless_converged
from likewise._estimator import MechanismMixin, naming
from likewise._slots import as_metric
from likewise.propagations import Steps

_TOL = 1e-3  # bandwidths: a step that is no longer is none


class MeanShift(MechanismMixin, ClusterMixin, BaseEstimator):
    """Clusters as the modes to which points climb.

        x <- m(x) = sum_j phi(d(x, z_j)) z_j / sum_j phi(d(x, z_j)),   for a Gaussian kernel
        m(x) - x = h^2 grad log p_h(x), p_h the kernel density estimate

    Parameters
    ----------
    bandwidth : float > 0, rule or None, default=None
        None: the mean distance to the neighbor of rank 0.3 n, scikit-learn's estimate. Rules that give one
        length: "median", "scott", "silverman", "bgh".
    seeds : array (n_seeds, n_features) or None
        Where points start to climb; None: at every point.
    bin_seeding : bool, default=False
        Start at the occupied cells of a grid of width bandwidth instead.
    min_bin_freq : int, default=1
        Points that such a cell must hold.
    cluster_all : bool, default=True
        False labels points farther than the bandwidth from every center -1.
    n_jobs : int or None
    max_iter : int, default=300
    metric : str or value of likewise.metrics, default="euclidean"
        A function of two blocks is metrics.Custom(f, distance_power=1).
    kernel : str or value of likewise.kernels, default="flat"
        "flat" (Indicator), "gaussian", "epanechnikov", ...: any kernel with a bandwidth.

    Attributes
    ----------
    cluster_centers_ : (n_clusters, n_features), densest first
    labels_ : (n,), the nearest center of each point
    n_iter_, n_features_in_ : as in scikit-learn
    bandwidth_ : float; mechanism_ : Mechanism with it
    report_ : IterationReport, its residual the longest last step in units of the bandwidth

    Notes
    -----
    O(n_seeds n n_features) time a step. A point has arrived when a step is at most 0.001 bandwidth; ends
    closer than the bandwidth to a denser one are the same mode.

    References
    ----------
    Cheng (1995); Comaniciu and Meer (2002).

    Examples
    --------
    >>> import likewise as lw
    >>> lw.MeanShift(bandwidth=2).fit([[1, 1], [2, 1], [1, 0], [4, 7], [3, 5], [3, 6]]).labels_
    array([1, 1, 1, 0, 0, 0])
    """

    _fixed_slots = {"support": "all", "normalization": "row", "empty_row": "nearest"}  # noqa: RUF012

    def __init__(
        self,
        *,
        bandwidth=None,
        seeds=None,
        bin_seeding=False,
        min_bin_freq=1,
        cluster_all=True,
        n_jobs=None,
        max_iter=300,
        metric="euclidean",
        kernel="flat",
    ):
        self.bandwidth = bandwidth
        self.seeds = seeds
        self.bin_seeding = bin_seeding
        self.min_bin_freq = min_bin_freq
        self.cluster_all = cluster_all
        self.n_jobs = n_jobs
        self.max_iter = max_iter
        self.metric = metric
        self.kernel = kernel

    _values = "the points"

    def _propagation(self):
        return Steps(moving="points", tol=_TOL, max_iter=self.max_iter)

    @classmethod
    def _of_propagation(cls, propagation):
        if not isinstance(propagation, Steps) or propagation.moving != "points" or propagation.t is not None:
            return {}
        return {"max_iter": propagation.max_iter}

    def fit(self, X, y=None):
        """X (n, n_features). A seed that sees no point is dropped; ValueError where none is left."""
        X = self._check_X(X, reset=True)
        seeds = None if self.seeds is None else _checks.points(self.seeds, "seeds", np.float64)
        with self._execution():
            self.mechanism_, self.cluster_centers_, self.labels_, self.report_ = _core.fit_mean_shift(
                X,
                self._make_mechanism(),
                seeds,
                _checks.boolean(self.bin_seeding, "bin_seeding"),
                self.min_bin_freq,
                _checks.boolean(self.cluster_all, "cluster_all"),
                self.max_iter,
            )
        self.bandwidth_ = self.mechanism_.kernel.bandwidth
        self.n_iter_ = self.report_.n_iter
        warn_unless_converged(self.report_, self.max_iter)
        return self

    def predict(self, X):
        """The nearest center of each new point: (n_queries,)."""
        check_is_fitted(self)
        X = np.ascontiguousarray(self._check_X(X, reset=False), dtype=self.cluster_centers_.dtype)
        with self._execution():
            _, nearest, _ = _core.kneighbors(self.mechanism_.metric, X, self.cluster_centers_, 1)
        return nearest[:, 0]


def estimate_bandwidth(X, *, quantile=0.3, metric="euclidean"):
    """The mean distance to the neighbor of rank int(n quantile), a point counting itself. O(n^2 d) time.

    Parameters
    ----------
    X : array (n, n_features)
    quantile : float in [0, 1], default=0.3
    metric : str or value of likewise.metrics

    Returns
    -------
    bandwidth : float, a length
    """
    with naming(X=X):
        X = check_array(X, dtype=[np.float64, np.float32], order="C", input_name="X")
    return _core.estimate_bandwidth(X, quantile, as_metric(metric))
