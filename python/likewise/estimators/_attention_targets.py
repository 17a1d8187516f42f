"""Targets of attention estimators as columns of numbers, and back."""

import numpy as np

from likewise._checks import finite


class Classes:
    """Labels as columns of 0 and 1."""

    def __init__(self, classes):
        self.classes = classes

    def encode(self, y, name="y"):
        """(n, n_classes); a ValueError for labels that are none of the classes."""
        y = np.ravel(np.asarray(y))
        unknown = np.setdiff1d(y, self.classes)
        if len(unknown):
            raise ValueError(
                f"{name} must hold labels of the training rows, {self.classes.tolist()}; "
                f"got {unknown.tolist()}."
            )
        return (y[:, None] == self.classes).astype(np.float64)


class Numbers:
    """Targets as columns of mean 0 and deviation 1."""

    def __init__(self, mean, scale, flat):
        self.mean, self.scale, self.flat = mean, scale, flat

    @classmethod
    def of(cls, Y, weights=None):
        """Those that the targets Y (n,) or (n, n_targets) have, each row as often as its weight says."""
        columns = Y.reshape(len(Y), -1)
        if weights is not None:  # what weighs nothing may be of any size
            columns, weights = columns[weights > 0], weights[weights > 0] / weights.max()
        # Of numbers near 1, so that no sum and no square leaves the range of float64.
        unit = np.abs(columns).max(axis=0)
        unit[unit == 0] = 1
        columns = columns / unit
        mean = np.average(columns, axis=0, weights=weights)
        away = columns - mean
        largest = np.abs(away).max(axis=0)
        largest[largest == 0] = 1
        scale = largest * np.sqrt(np.average((away / largest) ** 2, axis=0, weights=weights))
        scale *= unit
        scale[(scale == 0) | (columns == columns[0]).all(axis=0)] = 1
        return cls(mean * unit, scale, Y.ndim == 1)

    def encode(self, Y, name="y"):
        """(n, n_targets); a ValueError for another number of targets, NaN and infinity."""
        Y = finite(Y, name, np.float64)
        Y = Y.reshape(len(Y), -1)
        if Y.shape[1] != len(self.mean):
            raise ValueError(f"{name} must have {len(self.mean)} target(s) a row; got {Y.shape[1]}.")
        return (Y - self.mean) / self.scale

    def decode(self, outputs):
        """Targets (..., n_targets) of outputs, without the last axis where they were given so."""
        Y = outputs * self.scale + self.mean
        return Y[..., 0] if self.flat else Y
