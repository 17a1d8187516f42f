"""Targets of attention estimators as columns of numbers, and back."""

import numpy as np


class Classes:
    """Labels as columns of 0 and 1."""

    def __init__(self, classes):
        self.classes = classes

    def encode(self, y):
        """(n, n_classes); a ValueError for labels that are none of the classes."""
        y = np.ravel(np.asarray(y))
        unknown = np.setdiff1d(y, self.classes)
        if len(unknown):
            raise ValueError(
                f"y must hold labels of the training rows, {self.classes.tolist()}; got {unknown.tolist()}."
            )
        return (y[:, None] == self.classes).astype(np.float64)


class Numbers:
    """Targets as columns of mean 0 and deviation 1."""

    def __init__(self, mean, scale, flat):
        self.mean, self.scale, self.flat = mean, scale, flat

    @classmethod
    def of(cls, Y):
        """Those that the targets Y (n,) or (n, n_targets) have."""
        columns = Y.reshape(len(Y), -1)
        scale = columns.std(axis=0)
        scale[scale == 0] = 1
        return cls(columns.mean(axis=0), scale, Y.ndim == 1)

    def encode(self, Y):
        """(n, n_targets)."""
        Y = np.asarray(Y, np.float64)
        return (Y.reshape(len(Y), -1) - self.mean) / self.scale

    def decode(self, outputs):
        """Targets in the shape they were given in."""
        Y = outputs * self.scale + self.mean
        return Y.ravel() if self.flat else Y
