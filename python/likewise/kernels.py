"""Kernels: what weight does a cost earn?"""

from likewise._core import (
    AlphaDecay,
    Epanechnikov,
    Exponential,
    Gaussian,
    Indicator,
    InverseDistance,
    Laplacian,
    Matern32,
    Matern52,
    StudentT,
    Tricube,
)
from likewise._core import kernel_from_name as from_name
from likewise._core import kernel_names as names

__all__ = [
    "AlphaDecay",
    "Epanechnikov",
    "Exponential",
    "Gaussian",
    "Indicator",
    "InverseDistance",
    "Laplacian",
    "Matern32",
    "Matern52",
    "StudentT",
    "Tricube",
    "from_name",
    "names",
]
