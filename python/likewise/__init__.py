"""Kernel regression, k-NN, spectral methods, label propagation and attention as one mechanism."""

from likewise import _core

__version__ = _core.version()
