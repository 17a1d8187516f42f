"""A modern Hopfield network: patterns stored as keys and values, retrieved by repeated steps."""

from collections import namedtuple

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from likewise import _core, kernels
from likewise._errors import warn_unless_converged
from likewise._estimator import MechanismMixin
from likewise._mechanism import Mechanism
from likewise.estimators._metric import require_width
from likewise.propagations import Steps

Retrieval = namedtuple("Retrieval", "states energies report")
Retrieval.__doc__ = """States (n_queries, n_features), energies (n_iter + 1, n_queries), IterationReport."""


class HopfieldMemory(OneToOneFeatureMixin, MechanismMixin, TransformerMixin, BaseEstimator):
    """Associative memory: up to max_iter updates of a query q by the stored patterns, the rows of X.

        q <- softmax(q X^T / t) X

    Parameters
    ----------
    temperature : float > 0, default=1.0
        t = 1/beta, in the unit of the cost. Low: one pattern is retrieved; high: an average of many.
    max_iter : int, default=20
    tol : float, default=1e-4
        A query has arrived when an update moves it at most tol times the longest pattern.
    metric : str or value of likewise.metrics, default="dot"
        With "sqeuclidean" an update is a step of Gaussian mean shift, bandwidth^2 = t/2.
    n_jobs : int or None

    Attributes
    ----------
    patterns_ : (n_patterns, n_features)
    mechanism_ : Mechanism
    n_iter_ : int, 1: storing needs no iteration
    n_features_in_ : int

    References
    ----------
    Ramsauer et al. (2020), Hopfield networks is all you need.

    Examples
    --------
    >>> import likewise as lw
    >>> memory = lw.HopfieldMemory(temperature=0.1).fit([[1.0, 1.0, -1.0], [-1.0, 1.0, 1.0]])
    >>> memory.transform([[0.8, 0.2, -0.5]]).round(3)
    array([[ 1.,  1., -1.]])
    """

    def __init__(self, *, temperature=1.0, max_iter=20, tol=1e-4, metric="dot", n_jobs=None):
        self.temperature = temperature
        self.max_iter = max_iter
        self.tol = tol
        self.metric = metric
        self.n_jobs = n_jobs

    @classmethod
    def from_mechanism(cls, mechanism, **params):
        """The memory with the metric and the temperature of `mechanism`, whose kernel must be Exponential.

        Steps of points until they stand still give tol and max_iter.
        """
        params.setdefault("temperature", getattr(mechanism.kernel, "temperature", 1.0))
        return super().from_mechanism(mechanism, **params)

    _values = "the patterns"

    def _propagation(self):
        return Steps(moving="points", tol=self.tol, max_iter=self.max_iter)

    @classmethod
    def _of_propagation(cls, propagation):
        if not isinstance(propagation, Steps) or propagation.moving != "points" or propagation.t is not None:
            return {}
        return {"tol": propagation.tol, "max_iter": propagation.max_iter}

    def _make_mechanism(self):
        return Mechanism(metric=self.metric, kernel=kernels.Exponential(self.temperature))

    def fit(self, X, y=None):
        """Store the patterns X (n_patterns, n_features) in place of all earlier ones."""
        return self._store(self._check_X(X, reset=True), [])

    def store(self, X):
        """Store the patterns X beside the earlier ones."""
        if not hasattr(self, "patterns_"):
            return self.fit(X)
        return self._store(self._check_X(X, reset=False), [self.patterns_])

    def _store(self, X, earlier):
        patterns = np.concatenate([*earlier, X], dtype=(earlier or [X])[0].dtype)
        with self._execution():
            metric = self._make_mechanism().metric
            require_width(metric, patterns)
            self._keyed = _core.fit_hopfield_memory(
                patterns, metric, self.temperature, self.max_iter, self.tol
            )
        self.mechanism_ = self._keyed.mechanism
        self.n_iter_ = 1
        return self

    @property
    def patterns_(self):
        """All stored patterns (n_patterns, n_features), read-only."""
        return self._keyed.points

    def transform(self, X):
        """The states to which the queries X (n_queries, n_features) settle; a warning if some do not."""
        return self.retrieve(X).states

    def retrieve(self, X):
        """As transform, with the energy after each step and the report.

        Returns
        -------
        states : array (n_queries, n_features)
        energies : array (n_iter + 1, n_queries)
            Before the first update and after each; never rises. (0, 0) for a metric without an energy.
        report : IterationReport, its residual the farthest last move relative to the longest pattern
        """
        X = self._queries(X)
        with self._execution():
            found = Retrieval(*_core.hopfield_retrieve(X, self._keyed, self.max_iter, self.tol))
        warn_unless_converged(found.report, self.max_iter)
        return found

    def energy(self, X):
        """The energy of states X (n_queries, n_features), which no update raises: (n_queries,).

        metric "dot":          E(q) = -t log sum_j exp(<q, x_j>/t) + |q|^2/2 + t log n + max_j |x_j|^2/2
        metric "sqeuclidean":  E(q) = -t log sum_j exp(-|q - x_j|^2/t) + t log n
        """
        X = self._queries(X)
        with self._execution():
            return _core.hopfield_energy(X, self._keyed)

    def _queries(self, X):
        check_is_fitted(self)
        return np.ascontiguousarray(self._check_X(X, reset=False), dtype=self.patterns_.dtype)
