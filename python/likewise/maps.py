"""Maps of points, phi: rows in, rows out, with a derivative.

A map makes a metric of any other, ``metrics.Mapped(map, "sqeuclidean")``, which every method takes. Maps
are values: immutable, printable, comparable, picklable. ``map(X)`` maps points, ``map.vjp(X, g)``
differentiates.
"""

import numpy as np

from likewise import _checks
from likewise._core import maps as _maps

Custom, Linear, ResidualMLP = _maps.Custom, _maps.Linear, _maps.ResidualMLP

__all__ = ["Custom", "Linear", "ResidualMLP"]


def _call(self, X):
    """phi(x) for each row of X (n, d): (n, width), in X's dtype."""
    return self._apply(_checks.points(X))


def _vjp(self, X, g):
    """sum_ik g_ik dphi_k(x_i)/d(...): (by X (n, d), by the map's parameters, a dict by their names).

    g (n, width) is a loss's derivative by the mapped rows. Refused for a Custom map without a vjp.
    """
    X = _checks.points(X)
    g = _checks.columns(g, X.shape[0], X.dtype, "g")
    width = self._apply(X[:1]).shape[1]
    if g.shape[1] != width:
        raise ValueError(f"g must have the map's {width} columns; got shape {np.shape(g)}.")
    return self._vjp(X, g)


for _map in (Custom, Linear, ResidualMLP):
    _map.__call__ = _call
    _map.vjp = _vjp
