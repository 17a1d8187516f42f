"""Kernel density: the unnormalized row sum with its constant."""

import numpy as np
from scipy.special import gammainc
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from likewise import _checks, _core, kernels, metrics
from likewise._estimator import MechanismMixin, checked_sample_weight
from likewise._mechanism import Mechanism
from likewise._slots import as_kernel
from likewise.estimators._metric import metric_from_params, require_width
from likewise.estimators._training import like_fitted

# scikit-learn's names of kernels whose meaning differs from ours, and those that have no counterpart.
_SKLEARN_KERNELS = {"exponential": "laplacian"}
_UNSUPPORTED = ("linear", "cosine")


class KernelDensity(MechanismMixin, BaseEstimator):
    """log p(x) = log sum_j w_j phi(d(x, z_j)) - log sum_j w_j - log integral of phi.

    Parameters
    ----------
    bandwidth : float > 0 or rule, default=1.0
        "scott" or "silverman", here times the data's scale (scikit-learn's assume unit variance), "median" or
        "bgh".
    algorithm, atol, rtol, breadth_first, leaf_size :
        Accepted for scikit-learn's signature; sums are exact.
    kernel : str or value of likewise.kernels with a finite integral, default="gaussian"
        "exponential" is exp(-d/h), the Laplacian, as in scikit-learn's KernelDensity; its "linear" and
        "cosine" are not offered.
    metric : str or value of likewise.metrics, default="euclidean"
        One that comes from a norm, so that the density has a constant: euclidean, manhattan, chebyshev,
        minkowski, Mahalanobis. Unlike in scikit-learn the constant is right for each of them.
    metric_params : dict or None
        Such as {"p": 3} of minkowski; {"w": weights} at its p = 2 alone, whose constant is known.
    n_jobs : int or None

    Attributes
    ----------
    bandwidth_ : float
    mechanism_ : Mechanism, Unnormalized()
    n_features_in_ : int

    Notes
    -----
    score_samples takes O(n_queries n_train n_features) time and works on logarithms: far points have very
    low, finite log densities where the kernel never is 0.

    References
    ----------
    Rosenblatt (1956); Parzen (1962).
    """

    _values = "1 / n, or the weights; times the constant of the kernel"
    _fixed_slots = {"support": "all", "normalization": "none"}  # noqa: RUF012 (read only)

    def __init__(
        self,
        *,
        bandwidth=1.0,
        algorithm="auto",
        kernel="gaussian",
        metric="euclidean",
        atol=0,
        rtol=0,
        breadth_first=True,
        leaf_size=40,
        metric_params=None,
        n_jobs=None,
    ):
        self.bandwidth = bandwidth
        self.algorithm = algorithm
        self.kernel = kernel
        self.metric = metric
        self.atol = atol
        self.rtol = rtol
        self.breadth_first = breadth_first
        self.leaf_size = leaf_size
        self.metric_params = metric_params
        self.n_jobs = n_jobs

    def _make_mechanism(self):
        metric = metric_from_params(self.metric, metric_params=self.metric_params)
        kernel = self.kernel
        if isinstance(kernel, str):
            if kernel in _UNSUPPORTED:
                known = ", ".join(map(repr, kernels.names()))
                raise ValueError(
                    f"kernel must be one of {known} or a value of likewise.kernels; got {kernel!r}."
                )
            kernel = _SKLEARN_KERNELS.get(kernel, kernel)
        kernel = as_kernel(kernel)
        if kernel == kernels.Indicator():  # which would stay 1 everywhere, no density
            kernel = kernels.Indicator(self.bandwidth)
        return self._fill_bandwidth(Mechanism(metric=metric, kernel=kernel, **self._fixed_slots))

    def fit(self, X, y=None, sample_weight=None):
        """X (n, d), sample_weight (n,) >= 0; y is ignored."""
        X = self._check_X(X, reset=True)
        weights = np.empty(0)
        if sample_weight is not None:
            weights = checked_sample_weight(sample_weight, X)
        with self._execution():
            mechanism = self.mechanism
            require_width(mechanism.metric, X, self.metric_params)
            self._fitted = _core.fit_kernel_density(X, mechanism, weights)
        self._dtype = X.dtype
        self.mechanism_ = self._fitted.mechanism
        self.bandwidth_ = self._fitted.bandwidth.length
        return self

    def score_samples(self, X):
        """log p at each row of X, (n_queries,), float64; -inf beyond the reach of a compact kernel."""
        check_is_fitted(self)
        X = like_fitted(self._check_X(X, reset=False), self._dtype)
        with self._execution():
            return self._fitted.score_samples(X)

    def score(self, X, y=None):
        """Sum of log p over the rows of X."""
        return float(np.sum(self.score_samples(X)))

    def sample(self, n_samples=1, random_state=None):
        """Random points (n_samples, n_features) of a gaussian or tophat density with the Euclidean metric.

        The same points as scikit-learn's for the same random_state.
        """
        check_is_fitted(self)
        kernel, metric = self.mechanism_.kernel, self.mechanism_.metric
        if not isinstance(kernel, (kernels.Gaussian, kernels.Indicator)) or metric != metrics.Euclidean():
            raise ValueError(
                f"kernel must be 'gaussian' or 'tophat', metric Euclidean; got {kernel!r}, {metric!r}."
            )
        random = _checks.random_of(random_state)
        share = np.cumsum(np.exp(self._fitted.log_key_weights))
        chosen = np.searchsorted(share / share[-1], random.uniform(0, 1, size=n_samples), side="right")
        centers = self._fitted.points[chosen]
        if isinstance(kernel, kernels.Gaussian):
            return random.normal(centers, self.bandwidth_)
        direction = random.normal(size=centers.shape)
        squares = np.sum(direction**2, axis=1, keepdims=True)
        n_features = centers.shape[1]
        # The chi-square probability of |direction|^2 is uniform; its d-th root is the radius within the ball.
        radius = self.bandwidth_ * gammainc(0.5 * n_features, 0.5 * squares) ** (1 / n_features)
        return centers + direction * radius / np.sqrt(squares)
