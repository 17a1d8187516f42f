"""Label propagation and spreading: the equilibrium of an operator with labels clamped, or held softly."""

import warnings

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from likewise import _checks, _core, supports
from likewise._errors import warn_unless_converged
from likewise._estimator import MechanismMixin, check_labels, fill_bandwidth
from likewise._mechanism import Mechanism
from likewise._slots import as_metric, as_support
from likewise.estimators._training import weights_of
from likewise.propagations import Equilibrium

_LEAST_MAX_ITER = 1000  # what solver="cg" may always take


class _LabelEstimator(MechanismMixin, ClassifierMixin, BaseEstimator):
    """What both classes share. `_support` and `_normalization` make their own graph."""

    _values = "one-hot labels, 0 where there is none"

    @classmethod
    def from_mechanism(cls, mechanism, **params):
        """The estimator with all slots from `mechanism`: short for ``kernel=mechanism``.

        Of its propagation an Equilibrium of this estimator's kind gives alpha, tol and max_iter.
        """
        return cls(kernel=mechanism, **{**cls._of_propagation(mechanism.propagation), **params})

    def _propagation(self):
        """solver="cg" goes to 1e-8 or beyond, whatever tol and max_iter are for scikit-learn's loop."""
        alpha, tol = getattr(self, "alpha", None), _checks.number(self.tol, "tol")
        max_iter = _checks.integer(self.max_iter, "max_iter")
        if _checks.is_word(self.solver, ("iterate",)):
            return Equilibrium(alpha, tol=tol, max_iter=max_iter, solver="iterate")
        return Equilibrium(alpha, tol=min(tol, Equilibrium().tol), max_iter=max(max_iter, _LEAST_MAX_ITER))

    @classmethod
    def _of_propagation(cls, propagation):
        soft = "alpha" in cls._defaults()
        if not isinstance(propagation, Equilibrium) or soft != (propagation.alpha is not None):
            return {}
        params = {"alpha": propagation.alpha} if soft else {}
        if propagation.solver == "iterate":
            return {**params, "solver": "iterate", "tol": propagation.tol, "max_iter": propagation.max_iter}
        if propagation.tol < Equilibrium().tol:
            params["tol"] = propagation.tol
        if propagation.max_iter > _LEAST_MAX_ITER:
            params["max_iter"] = propagation.max_iter
        return params

    def _make_mechanism(self):
        if isinstance(self.kernel, Mechanism):
            return self._changed(self.kernel)
        metric = "euclidean" if self.metric is None else self.metric
        of_graph = callable(self.kernel) or _checks.is_word(self.kernel, ("knn",))
        if of_graph and self.bandwidth is not None:
            raise ValueError(
                f"bandwidth must be None with kernel={self.kernel!r}, which has none; got "
                f"{_checks.told(self.bandwidth)}."
            )
        if callable(self.kernel):  # a function of all points: its graph is known in fit
            return Mechanism(metric=metric, kernel="indicator", normalization=self._normalization)
        if isinstance(self.kernel, str) and self.kernel == "knn":
            return Mechanism(
                metric=metric,
                kernel="indicator",
                support=supports.Neighbors(self.n_neighbors, symmetrize="none", include_self=True),
                normalization=self._normalization,
            )
        own = Mechanism(
            metric=metric, kernel=self.kernel, support=self._support, normalization=self._normalization
        )
        return self._fill_bandwidth(own)

    def _changed(self, mechanism):
        """A given mechanism with those parameters that were set beside it."""
        if self.metric is not None:
            mechanism = mechanism.replace(metric=as_metric(self.metric))
        return mechanism.replace(kernel=fill_bandwidth(mechanism.kernel, self.bandwidth))

    def fit(self, X, y):
        """X (n, d); y (n,), a class or -1 (unlabeled) for each point; among strings "-1" is unlabeled too.

        Raises
        ------
        ValueError : no point is labeled, or a slot or a parameter does not fit
        """
        X, y = self._check_X_y(X, y)
        labeled = ~_unlabeled(y)
        if not np.any(labeled):
            raise ValueError("y must hold at least one labeled point; got only unlabeled ones (-1).")
        check_labels(y[labeled])
        self.classes_, codes = np.unique(y[labeled], return_inverse=True)
        labels = np.full(len(y), -1)
        labels[labeled] = codes
        mechanism = self._graph(X) if callable(self.kernel) else self._make_mechanism()
        with self._execution():
            fitted = self._fit(X, labels, mechanism)
        self.mechanism_, self.label_distributions_, self.unreached_, self.report_, self._prediction = fitted
        self.transduction_ = self.classes_[np.argmax(self.label_distributions_, axis=1)]
        self.n_iter_ = max(1, self.report_.n_iter)
        max_iter = max(self.max_iter, _LEAST_MAX_ITER) if self.solver == "cg" else self.max_iter
        warn_unless_converged(self.report_, max_iter)
        if np.any(self.unreached_):
            warnings.warn(
                f"{np.count_nonzero(self.unreached_)} of {len(y)} points are in components without a label; "
                "they get the class shares of the labeled points. See unreached_.",
                stacklevel=2,
            )
        return self

    @property
    def X_(self):
        """The model's own copy of the points, read-only."""
        return self._prediction.points

    def _graph(self, X):
        """A function's affinities as given edges."""
        graph = supports.Graph(sparse.csr_matrix(self._affinities(X, X)), weights="given")
        return self._make_mechanism().replace(support=graph & as_support(self._support))

    def _affinities(self, X, Z):
        """The function's, dense or sparse."""
        return weights_of(self.kernel(X, Z), (len(X), len(Z)), "kernel")

    def predict_proba(self, X):
        """Class shares of new points: the mean distribution of the training points under `mechanism_`.

        Rows ask as `likewise.Mechanism` says, scaled to sum to 1; a training point asked again is one of its
        own neighbors.

        Parameters
        ----------
        X : array (n_queries, n_features)

        Returns
        -------
        shares : array (n_queries, n_classes), columns in the order of `classes_`; rows sum to 1
        """
        check_is_fitted(self)
        X = np.ascontiguousarray(self._check_X(X, reset=False), dtype=self.X_.dtype)
        if callable(self.kernel):
            return self._shares_by_function(X)
        with self._execution():
            return _core.label_predict_proba(X, self._prediction, self.label_distributions_)

    def _shares_by_function(self, X):
        shares = np.asarray(self._affinities(self.X_, X).T @ self.label_distributions_)
        mass = shares.sum(axis=1, keepdims=True)
        everywhere = self.label_distributions_.mean(axis=0)
        return np.where(mass > 0, shares / np.where(mass > 0, mass, 1), everywhere).astype(self.X_.dtype)

    def predict(self, X):
        """The class of each new point with the largest share: (n_queries,)."""
        shares = self.predict_proba(X)
        return self.classes_[np.argmax(shares, axis=1)]


def _unlabeled(y):
    """Where y is -1, as a number or as text: NumPy makes text of a list of both, pandas does not."""
    if y.dtype.kind in "biuf":
        return y == -1
    return np.array([label == "-1" or label == -1 for label in y], dtype=bool)


class LabelPropagation(_LabelEstimator):
    """Labels spread along a random walk from the labeled points, whose labels are clamped.

        F_i = y_i where labeled,   F = P F elsewhere:   F_u = (I - P_uu)^-1 P_ul Y_l

    Parameters
    ----------
    kernel : {"rbf", "knn"}, kernel of likewise.kernels or its name, Mechanism, or callable, default="rbf"
        "rbf" exp(-gamma d^2) between all points; "knn" a directed graph to the n_neighbors nearest points,
        the point itself counted; a Mechanism fills all slots; a callable (X, X) -> affinities makes a given
        graph, as in scikit-learn.
    gamma : float > 0, default=20
    n_neighbors : int, default=7
    max_iter : int, default=1000
        Steps of solver="iterate". solver="cg" may always take 1000.
    tol : float, default=1e-3
        solver="iterate" stops where the sum of all changes is below; solver="cg" solves to a relative
        residual of 1e-8 or less.
    n_jobs : int or None
    metric : str, value of likewise.metrics or function of two blocks
        None is that of a Mechanism given as kernel, "euclidean" otherwise. A kernel of distances needs to
        know that the function is one: metrics.Custom(f, distance_power=1).
    bandwidth : float > 0, rule or None
        Instead of gamma = 1/(2 bandwidth^2); None with "knn" and a callable, which have none.
    solver : {"cg", "iterate"}, default="cg"
        "cg" finds the fixed point by conjugate gradients, on directed graphs by BiCGSTAB, and by a
        factorization where these fail. "iterate" gives scikit-learn's iterates, rows scaled to 1 after each
        step.

    Attributes
    ----------
    label_distributions_ : (n, n_classes), rows sum to 1
    transduction_ : (n,), the most probable class of each training point
    classes_, X_, n_iter_, n_features_in_ : as in scikit-learn
    mechanism_ : Mechanism with the bandwidth found
    unreached_ : boolean (n,)
        Points in components without a label (on a directed graph: from which no label can be reached). They
        get the class shares of the labeled points, a warning says how many, and they influence no other
        point.
    report_ : IterationReport (n_iter, residual, converged, solver)

    References
    ----------
    Zhu and Ghahramani (2002), Learning from labeled and unlabeled data with label propagation; Zhu,
    Ghahramani and Lafferty (2003).

    Examples
    --------
    >>> import likewise as lw
    >>> lw.LabelPropagation().fit([[0.0], [0.1], [0.9], [1.0]], [0, -1, -1, 1]).transduction_
    array([0, 0, 1, 1])
    """

    _support = "all"
    _normalization = "row"

    def __init__(
        self,
        kernel="rbf",
        *,
        gamma=20,
        n_neighbors=7,
        max_iter=1000,
        tol=1e-3,
        n_jobs=None,
        metric=None,
        bandwidth=None,
        solver="cg",
    ):
        self.kernel = kernel
        self.gamma = gamma
        self.n_neighbors = n_neighbors
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs
        self.metric = metric
        self.bandwidth = bandwidth
        self.solver = solver

    def _fit(self, X, labels, mechanism):
        return _core.fit_label_propagation(
            X, labels, len(self.classes_), mechanism, self.solver, self.max_iter, self.tol
        )


class LabelSpreading(_LabelEstimator):
    """Labels held softly while they spread over the normalized graph.

        F = alpha S F + (1 - alpha) Y,   S = D^-1/2 K D^-1/2 without self-loops;   then rows that sum to 1

    Parameters
    ----------
    kernel, gamma, n_neighbors, n_jobs, metric, bandwidth, solver : as in LabelPropagation
        On a directed graph (kernel="knn", a mechanism with one) D counts the edges that come in and
        self-loops are dropped, as in scikit-learn.
    alpha : float in (0, 1), default=0.2
        How much a point takes over from its neighbors; 1 - alpha is left of its own label.
    max_iter : int, default=30
        Steps of solver="iterate". solver="cg" may always take 1000.
    tol : float, default=1e-3

    Attributes
    ----------
    label_distributions_, transduction_, classes_, X_, n_iter_, mechanism_, unreached_, report_ :
        as in LabelPropagation

    References
    ----------
    Zhou, Bousquet, Lal, Weston and Schoelkopf (2004), Learning with local and global consistency.

    Examples
    --------
    >>> import likewise as lw
    >>> lw.LabelSpreading(alpha=0.8).fit([[0.0], [0.1], [0.9], [1.0]], [0, -1, -1, 1]).transduction_
    array([0, 0, 1, 1])
    """

    _support = "leave_one_out"
    _normalization = "symmetric"

    def __init__(
        self,
        kernel="rbf",
        *,
        gamma=20,
        n_neighbors=7,
        alpha=0.2,
        max_iter=30,
        tol=1e-3,
        n_jobs=None,
        metric=None,
        bandwidth=None,
        solver="cg",
    ):
        self.kernel = kernel
        self.gamma = gamma
        self.n_neighbors = n_neighbors
        self.alpha = alpha
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs
        self.metric = metric
        self.bandwidth = bandwidth
        self.solver = solver

    def _fit(self, X, labels, mechanism):
        return _core.fit_label_spreading(
            X, labels, len(self.classes_), mechanism, self.solver, self.max_iter, self.tol, self.alpha
        )
