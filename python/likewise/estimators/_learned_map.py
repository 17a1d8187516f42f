"""A map of points as a vector that an optimizer moves, and its loss: metric learning through a network."""

import numpy as np

from likewise import _checks, _core, maps

_PARAMETERS = {maps.Linear: ("W",), maps.ResidualMLP: ("W1", "b1", "W2", "b2", "skip")}


class MapVector:
    """The parameters of a map, one after the other, without those it does not have (a skip of none)."""

    def __init__(self, start):
        if type(start) not in _PARAMETERS:
            raise ValueError(
                f"map must have parameters that can be learned, Linear or ResidualMLP; got {start!r}."
            )
        parts = {name: getattr(start, name) for name in _PARAMETERS[type(start)]}
        if parts[_PARAMETERS[type(start)][0]] is None:
            raise ValueError(f"map must have numbers to start from; got {start!r}.")
        self._parts = {n: np.array(part) for n, part in parts.items() if part is not None and np.size(part)}
        self._of = type(start)
        self._rest = {"activation": start.activation} if isinstance(start, maps.ResidualMLP) else {}
        self.start = self.flat(self._parts)

    def flat(self, named):
        """One vector of parts by their names."""
        return np.concatenate([np.ravel(named[name]) for name in self._parts])

    def map(self, flat):
        """The map with these numbers."""
        return self._of(**self.named(flat), **self._rest)

    def named(self, flat):
        """Parts by their names, in their shapes."""
        found, at = {}, 0
        for name, part in self._parts.items():
            found[name] = flat[at : at + part.size].reshape(part.shape)
            at += part.size
        return found


def residual_start(W, X, width, random_state):
    """W x + W2 tanh(W1 x) of points X around 0: W1 by Glorot and Bengio (2010), W2 a hundredth of it."""
    n_features, n_outputs = W.shape[1], len(W)
    random = _checks.random_of(random_state)
    spread = np.sqrt(np.square(X, dtype=np.float64).mean()) or 1.0  # of all: a rare feature stays small
    W1 = random.uniform(-1, 1, (width, n_features)) * np.sqrt(6 / (n_features + width)) / spread
    length = np.sqrt(np.square(X @ W.T).mean()) or 1.0
    W2 = 0.01 * length * random.uniform(-1, 1, (n_outputs, width)) * np.sqrt(6 / (n_outputs + width))
    return maps.ResidualMLP(W1, np.zeros(width), W2, np.zeros(n_outputs), skip=W)


def of_points(map, center, unit):
    """The residual map of X that does what this one does of (X - center) / unit, but for a shift of all."""
    W1 = map.W1 / unit
    return maps.ResidualMLP(
        W1, map.b1 - W1 @ center, map.W2, map.b2, activation=map.activation, skip=map.skip / unit
    )


def times(map, factor):
    """factor * map(x)."""
    if isinstance(map, maps.Linear):
        return maps.Linear(factor * map.W, None if map.b is None else factor * map.b)
    skip = np.eye(map.W1.shape[1]) if map.skip is None else map.skip
    b2 = None if map.b2 is None else factor * map.b2
    return maps.ResidualMLP(
        map.W1, map.b1, factor * map.W2, b2, activation=map.activation, skip=factor * skip
    )


def map_loss(X, Y, map, loss, temperature, n_queries=0):
    """(L, dL/dparameters by name) of points seen through the map."""
    value, slopes, _ = _core.map_loss(X, Y, map, loss, temperature, n_queries)
    return value, slopes


class MapProblem:
    """The loss as a function of a map's parameters in one vector, of points (X - center) / unit."""

    def __init__(self, points, linear, vector, center=None, unit=None):
        self.X, self.Y, self.loss, self.temperature = points, linear.Y, linear.loss, linear.temperature
        self._vector, self._center, self._unit, self.start = vector, center, unit, vector.start

    def __call__(self, flat, X=None, Y=None, n_queries=0):
        X, Y = (self.X, self.Y) if X is None else (X, Y)
        value, slopes = map_loss(X, Y, self.factor(flat), self.loss, self.temperature, n_queries)
        return value, self._vector.flat(slopes)

    def factor(self, flat):
        """The map of these points."""
        return self._vector.map(flat)

    def told_map(self, found):
        """The map of points as they were given."""
        return found if self._unit is None else of_points(found, self._center, self._unit)

    def told(self, flat):
        return self.told_map(self.factor(flat))

    def variance(self, found):
        """Of what points are mapped to, the mean over columns."""
        return found(self.X).astype(np.float64).var(axis=0).mean()

    def is_stuck(self, search):
        """Whether the slope is 0 since all weights are 0, 1 or equal: twice the length changes none."""
        found, value = search.best
        n, best = len(self.X), -len(self.X) if self.loss == "nca" else 0
        twice, _ = map_loss(self.X, self.Y, times(found, 2), self.loss, self.temperature)
        return value - best > 1e-9 * n and abs(twice - value) <= 1e-9 * n
