"""Steps of the bare operator: attention in context, and methods beyond the slots that their names fix."""

import numpy as np
from sklearn.base import BaseEstimator


def repeated_steps(P, X, max_iter, tol=1e-4):
    """New points X (q, d) after up to max_iter steps x <- P.at(x) Z toward the means of P's keys Z (n, d).

    Stops when no coordinate moves farther than tol; an ArithmeticError where they grow without bound, as rows
    that do not sum to 1 can make them.
    """
    keys = P.keys
    for _ in range(max_iter):
        moved = P.at(X) @ keys
        if not np.abs(moved).max() < 1e100:  # NaN too; squares must stay in range
            raise ArithmeticError(f"repeated steps grow without bound under {P.mechanism.normalization!r}")
        if np.abs(moved - X).max() < tol:
            return moved
        X = moved
    return X


class _OneStep(BaseEstimator):
    """fit keeps the operator of the training rows; predict extends it to new rows and applies it."""

    def __init__(self, mechanism):
        self.mechanism = mechanism

    def fit(self, X, y):
        self.operator_ = self.mechanism.operator(X)
        self.mechanism_ = self.operator_.mechanism
        self.values_ = self._values(y)
        return self

    def _step(self, X):
        return self.operator_.at(X) @ self.values_


class OneStepRegressor(_OneStep):
    """y(x) = l sum_j K(x, z_j) r_j y_j."""

    def _values(self, y):
        return np.asarray(y, float)[:, None]

    def predict(self, X):
        return self._step(X)[:, 0]


class OneStepClassifier(_OneStep):
    """The class of the largest share of one-hot values; the lowest on a tie."""

    def _values(self, y):
        self.classes_, codes = np.unique(y, return_inverse=True)
        return np.eye(len(self.classes_))[codes]

    def predict(self, X):
        return self.classes_[self._step(X).argmax(axis=1)]
