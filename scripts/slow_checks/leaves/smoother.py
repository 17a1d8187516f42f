"""Values smoothed by a mechanism."""

from sklearn.base import BaseEstimator

from likewise import _core


class Smoother(BaseEstimator):
    """fit_transform(X, Y) -> P Y."""

    def __init__(self, mechanism):
        self.mechanism = mechanism

    def fit_transform(self, X, Y):
        return _core.smooth(self.mechanism, X, Y)
