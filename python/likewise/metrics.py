"""Metrics: how different are x and z? A cost, lower is closer; each declares the laws that it obeys."""

from likewise._core import (
    Additive,
    AdditiveDynamic,
    Bilinear,
    Chebyshev,
    Cosine,
    Custom,
    DotProduct,
    Euclidean,
    Mahalanobis,
    Manhattan,
    Mapped,
    Minkowski,
    Precomputed,
    SquaredEuclidean,
)
from likewise._core import metric_from_name as from_name
from likewise._core import metric_names as names

__all__ = [
    "Additive",
    "AdditiveDynamic",
    "Bilinear",
    "Chebyshev",
    "Cosine",
    "Custom",
    "DotProduct",
    "Euclidean",
    "Mahalanobis",
    "Manhattan",
    "Mapped",
    "Minkowski",
    "Precomputed",
    "SquaredEuclidean",
    "from_name",
    "names",
]
