"""Kernel regression and classification: one step of the operator from training points to queries."""

import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from likewise import _checks, _core
from likewise._estimator import MechanismMixin, check_labels, checked_sample_weight
from likewise.estimators._metric import require_width
from likewise.estimators._training import as_columns, check_square, common_dtype, like_fitted


class _KernelEstimator(MechanismMixin, BaseEstimator):
    """What KernelRegressor and KernelClassifier share: parameters, fitted attributes, warnings."""

    def __init__(
        self,
        *,
        metric="euclidean",
        kernel="gaussian",
        bandwidth="loo",
        support="all",
        degree=0,
        normalization="row",
        empty_row="nearest",
        n_jobs=None,
    ):
        self.metric = metric
        self.kernel = kernel
        self.bandwidth = bandwidth
        self.support = support
        self.degree = degree
        self.normalization = normalization
        self.empty_row = empty_row
        self.n_jobs = n_jobs

    def _fit(self, fit, X, *targets, sample_weight):
        """Call the C++ fit; the attributes come from its regression."""
        if self._is_pairwise():
            check_square(X)
        weights = np.empty(0)
        if sample_weight is not None:
            weights = checked_sample_weight(sample_weight, X)
        with self._execution():
            mechanism = self.mechanism
            require_width(mechanism.metric, X)
            fitted = fit(X, *targets, mechanism, self.bandwidth, self.degree, weights)
        regression = getattr(fitted, "regression", fitted)
        self._fitted, self._dtype = fitted, X.dtype
        self.mechanism_ = regression.mechanism
        self.bandwidth_ = regression.bandwidth.length
        self._loo_score = None
        if regression.degree != self.degree:
            warnings.warn(f"degree={self.degree} needs at most 50 features; degree 0 is used.", stacklevel=3)
        return self

    @property
    def loo_score_(self):
        """Computed when first asked for, since predictions do not need it."""
        check_is_fitted(self)
        if self._loo_score is None:
            with self._execution():
                self._loo_score = self._fitted.loo_score()
        return self._loo_score

    def _queries(self, X):
        check_is_fitted(self)
        return like_fitted(self._check_X(X, reset=False), self._dtype)


class KernelRegressor(RegressorMixin, _KernelEstimator):
    """Kernel-weighted mean of the training targets (Nadaraya-Watson), or a weighted plane (local linear).

    degree 0:  y(x) = sum_j p_j y_j,  p_j = w_j phi(d(x, z_j)) / sum_k w_k phi(d(x, z_k))
    degree 1:  the a of the least sum_j p_j (y_j - a - <b, z_j - x>)^2 over (a, b)

    Parameters
    ----------
    metric : str, value of likewise.metrics or function of two blocks, default="euclidean"
        A kernel of distances needs to know that the function is one: metrics.Custom(f, distance_power=1).
    kernel : str or value of likewise.kernels, default="gaussian"
    bandwidth : float > 0, rule or None, default="loo"
        Fills what the kernel leaves open. "loo" has the least leave-one-out error at this degree, where of a
        point's weight w only min(1, w) is left out: repeated rows hear one another; further rules are
        "median", "scott", "silverman", "bgh", "self_tuning", "perplexity".
    support : str or value of likewise.supports, default="all"
        AllPairs, Neighbors or Radius.
    degree : {0, 1}, default=0
        1 removes the bias at edges and slopes; needs coordinates (no precomputed costs). Each coordinate's
        local variance is raised by the factor 1 + 1e-10. Queries with fewer effective points, 1 / sum_j
        p_j^2, than n_features + 1, and all where n_features > 50, get degree 0, with a warning.
    normalization : str or value of likewise.normalizations, default="row"
        RowStochastic(null_mass=m) shrinks predictions to 0 far from the data.
    empty_row : {"nearest", "zero", "error"}, default="nearest"
        What a query yields that no weight reaches.
    n_jobs : int or None

    Attributes
    ----------
    mechanism_ : Mechanism with the bandwidth found
    bandwidth_ : float
    loo_score_ : float, computed when first asked for
        R^2 of predicting each training point from the others (copies of it included) and from what is left
        of its own weight w without min(1, w), mean over targets. NaN of a single point.
    n_features_in_ : int

    Notes
    -----
    predict takes O(n_queries n_train (n_features + n_targets)) time and O(n_train) memory at degree 0,
    n_features^2 instead of n_features at degree 1. fit takes O(n_train^2) time for a rule's bandwidth,
    several times that for "loo"; so does loo_score_. sample_weight 2 equals a row twice, 0 no row.

    References
    ----------
    Nadaraya (1964); Watson (1964); Cleveland (1979); Fan and Gijbels (1996).

    Examples
    --------
    >>> import likewise as lw
    >>> model = lw.KernelRegressor(bandwidth=1.0).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 4.0])
    >>> model.predict([[1.0]]).round(3)
    array([1.548])
    """

    def fit(self, X, y, sample_weight=None):
        """X (n, d), y (n,) or (n, n_targets), sample_weight (n,) >= 0."""
        X, y = self._check_X_y(X, y, multi_output=True, y_numeric=True)
        self._one_target = y.ndim == 1
        dtype = common_dtype(X, y)
        return self._fit(
            _core.fit_kernel_regression,
            like_fitted(X, dtype),
            as_columns(y, dtype),
            sample_weight=sample_weight,
        )

    def predict(self, X, return_std=False):
        """Predicted targets.

        Parameters
        ----------
        X : array (n_queries, n_features)
        return_std : bool
            Also return the root of sum_j p_j y_j^2 - (sum_j p_j y_j)^2, the spread of the targets around
            their weighted mean (whatever the degree).

        Returns
        -------
        y : array (n_queries,) or (n_queries, n_targets), float32 where training points and targets are, else
            float64
        std : the same, with return_std
        """
        return_std = _checks.boolean(return_std, "return_std")
        X = self._queries(X)
        with self._execution():
            mean, std, n_reduced = self._fitted.predict(X, return_std)
        if n_reduced:
            warnings.warn(
                f"{n_reduced} of {len(X)} queries have fewer effective points than the n_features + 1 = "
                f"{X.shape[1] + 1} of a plane: degree 0 is used there. A larger bandwidth avoids it.",
                stacklevel=2,
            )
        if self._one_target:
            mean, std = mean.ravel(), std.ravel()
        return (mean, std) if return_std else mean

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class KernelClassifier(ClassifierMixin, _KernelEstimator):
    """Shares of the classes among kernel-weighted training points.

    p(class c | x) = sum_{j in c} p_j,  p_j = w_j phi(d(x, z_j)) / sum_k w_k phi(d(x, z_k))

    Parameters are those of KernelRegressor; bandwidth "loo" has the least leave-one-out log loss, and degree
    1 fits planes to the one-hot columns, clipped to [0, 1] and divided by their sum.

    Attributes
    ----------
    classes_ : array (n_classes,)
    mechanism_, bandwidth_, n_features_in_ : as in KernelRegressor
    loo_score_ : float, computed when first asked for
        Accuracy of predicting each training point from the others, as in KernelRegressor.

    References
    ----------
    Nadaraya (1964); Watson (1964).
    """

    _values = "one-hot classes"

    def fit(self, X, y, sample_weight=None):
        """X (n, d), y (n,) class labels, sample_weight (n,) >= 0."""
        X, y = self._check_X_y(X, y)
        check_labels(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        return self._fit(
            _core.fit_kernel_classification, X, labels, len(self.classes_), sample_weight=sample_weight
        )

    def predict_proba(self, X):
        """Class probabilities (n_queries, n_classes), columns in the order of `classes_`; rows sum to 1."""
        X = self._queries(X)
        with self._execution():
            return self._fitted.predict_proba(X)

    def predict(self, X):
        """The most probable class, ties to the first of `classes_`."""
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(axis=1)]
