"""Kernel regression, k-NN, spectral methods, label propagation and attention as one mechanism."""

import importlib

# _bound comes first: it makes the errors of what the others import name their arguments.
from likewise import (  # noqa: F401
    _bound,
    _core,
    kernels,
    maps,
    metrics,
    normalizations,
    propagations,
    supports,
)
from likewise._errors import ConvergenceError, MemoryLimitError
from likewise._execution import execution
from likewise._mechanism import Mechanism

# Not lazily: with it comes SciPy's LinearOperator, which the first product would otherwise wait for.
from likewise._operator import CrossOperator, LinearMap, PropagationOperator, SelfOperator

__version__ = _core.version()
simd_target = _core.simd_target

# Imported when first asked for, so that `import likewise` stays quick: name -> module.
_lazy = {
    "AttentionClassifier": "likewise.estimators.attention",
    "AttentionRegressor": "likewise.estimators.attention",
    "DiffusionMaps": "likewise.estimators.diffusion_maps",
    "FuzzyCMeans": "likewise.estimators.fuzzy_c_means",
    "HopfieldMemory": "likewise.estimators.hopfield_memory",
    "KNeighborsClassifier": "likewise.estimators.neighbors",
    "KNeighborsRegressor": "likewise.estimators.neighbors",
    "KernelClassifier": "likewise.estimators.kernel_regression",
    "KernelDensity": "likewise.estimators.kernel_density",
    "KernelRegressor": "likewise.estimators.kernel_regression",
    "LabelPropagation": "likewise.estimators.label_propagation",
    "LabelSpreading": "likewise.estimators.label_propagation",
    "MarkovClustering": "likewise.estimators.markov_clustering",
    "MeanShift": "likewise.estimators.mean_shift",
    "MetricLearner": "likewise.estimators.metric_learner",
    "NearestNeighbors": "likewise.estimators.neighbors",
    "Partial": "likewise._partial",
    "PropagationClassifier": "likewise.estimators.propagation_network",
    "PropagationRegressor": "likewise.estimators.propagation_network",
    "RadiusNeighborsClassifier": "likewise.estimators.neighbors",
    "RadiusNeighborsRegressor": "likewise.estimators.neighbors",
    "SpectralClustering": "likewise.estimators.spectral_clustering",
    "SpectralEmbedding": "likewise.estimators.spectral_embedding",
    "attention": "likewise._attention",
    "estimate_bandwidth": "likewise.estimators.mean_shift",
    "explain": "likewise._explain",
    "from_torch_mask": "likewise._attention",
    "kneighbors": "likewise._neighbors",
    "l2_attention": "likewise._attention",
    "metric_attention": "likewise._attention",
    "nystrom": "likewise._features",
    "positive_random_features": "likewise._features",
    "radius_neighbors": "likewise._neighbors",
    "select_bandwidth": "likewise._bandwidth",
    "show_versions": "likewise._versions",
}

# `likewise.nn` without importing it by name, as numpy has its submodules. Those that need other packages are
# left out.
_modules = ("datasets", "gradients", "heads", "identities", "nn", "plots", "theory")

__all__ = [
    "ConvergenceError",
    "CrossOperator",
    "LinearMap",
    "Mechanism",
    "MemoryLimitError",
    "PropagationOperator",
    "SelfOperator",
    "execution",
    "kernels",
    "maps",
    "metrics",
    "normalizations",
    "propagations",
    "simd_target",
    "supports",
    *_modules,
    *_lazy,
]


def __getattr__(name):
    if name in _modules:
        return importlib.import_module(f"likewise.{name}")
    if name not in _lazy:
        raise AttributeError(f"module 'likewise' has no attribute {name!r}")
    value = getattr(importlib.import_module(_lazy[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
