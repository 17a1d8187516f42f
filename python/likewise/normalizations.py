"""Normalizations: which diagonal scalings l and r?"""

from likewise._core import Bistochastic, Column, Density, Global, RowStochastic, Symmetric, Unnormalized
from likewise._core import normalization_from_name as from_name
from likewise._core import normalization_names as names

__all__ = [
    "Bistochastic",
    "Column",
    "Density",
    "Global",
    "RowStochastic",
    "Symmetric",
    "Unnormalized",
    "from_name",
    "names",
]
