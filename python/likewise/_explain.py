"""What mechanism is behind an object: ours, or scikit-learn's where it has a counterpart."""

from dataclasses import dataclass

import numpy as np

from likewise import kernels, metrics, normalizations, supports
from likewise._mechanism import Mechanism

ONE_STEP = "one step"


@dataclass(frozen=True)
class Explanation:
    """A mechanism, what is done with it, and what to know; ``str`` is the equation with its slots."""

    mechanism: Mechanism
    propagation: str = ""
    note: str = ""

    def __str__(self):
        lines = [self.mechanism.equation().rstrip("\n")]
        if self.propagation:
            lines.append(f"  {'propagation':<20}{self.propagation}")
        if self.note:
            lines.append(f"  {'note':<20}{self.note}")
        return "\n".join(lines)


def explain(obj):
    """The five slots behind an object.

    Parameters
    ----------
    obj : Mechanism, operator, layer of likewise.nn, estimator of likewise or of scikit-learn
        Nearest neighbors, kernel densities, spectral clustering and embedding, label propagation and
        spreading and mean shift of scikit-learn have a counterpart.

    Returns
    -------
    Explanation : printed as the equation with its slots; .mechanism is the value

    Raises
    ------
    ValueError : an object that is no mechanism of this kind

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> explain(KNeighborsClassifier(5)).mechanism.support
    Neighbors(n_neighbors=5, symmetrize='none')
    """
    if isinstance(obj, Mechanism):
        return Explanation(obj)
    found = getattr(obj, "mechanism_", None) or getattr(obj, "mechanism", None)
    if callable(found):  # of a layer, which has one for each head
        found = found()
    if isinstance(found, Mechanism):
        name = type(obj).__name__
        if name in _LEARNED:
            return Explanation(found, _LEARNED_STEP, _FIRST_OF_MANY)
        return Explanation(found, PROPAGATIONS.get(name, ""))
    home, name = type(obj).__module__.split(".")[0], type(obj).__name__
    if home == "sklearn" and name in _COUNTERPARTS:
        return _COUNTERPARTS[name](obj)
    raise ValueError(
        f"explain() takes a Mechanism, an operator, a layer or an estimator of likewise, or one of "
        f"scikit-learn's {', '.join(sorted(_COUNTERPARTS))}; got {name} of {type(obj).__module__}, "
        "which has no counterpart."
    )


def explain_method(name):
    """The :class:`Explanation` of a method with its defaults, by its name or the name of its class.

    Raises
    ------
    ValueError : an unknown name; the message lists the known ones
    """
    import likewise

    if name in _ATTENTION:
        return _ATTENTION[name]()
    cls = METHODS.get(name, name)
    if cls not in PROPAGATIONS:
        known = ", ".join((*METHODS, *_ATTENTION))
        raise ValueError(
            f"method must be one of {known}, or a class such as KNeighborsRegressor; got {name!r}."
        )
    return explain(getattr(likewise, cls)())


METHODS = {
    "kernel_regression": "KernelRegressor",
    "kernel_classification": "KernelClassifier",
    "kernel_density": "KernelDensity",
    "k_nearest_neighbors": "KNeighborsClassifier",
    "radius_neighbors": "RadiusNeighborsClassifier",
    "spectral_clustering": "SpectralClustering",
    "spectral_embedding": "SpectralEmbedding",
    "diffusion_maps": "DiffusionMaps",
    "label_propagation": "LabelPropagation",
    "label_spreading": "LabelSpreading",
    "mean_shift": "MeanShift",
    "hopfield": "HopfieldMemory",
}


def _self_attention():
    mechanism = Mechanism(metric="dot", kernel=kernels.Exponential(temperature=8.0))
    return Explanation(
        mechanism, "one step, v = Wv x", "x is Wq x, z is Wk z; the temperature is sqrt(d), here of d = 64"
    )


def _metric_attention():
    mechanism = Mechanism(metric="sqeuclidean", kernel=kernels.Exponential(temperature=16.0))
    note = "x is W x, z is W z; the temperature is learned and starts at 2 sqrt(d), here of d = 64"
    return Explanation(mechanism, "one step, v = Wv x", note)


_ATTENTION = {"self_attention": _self_attention, "metric_attention": _metric_attention}

_LEARNED = (
    "AttentionClassifier",
    "AttentionRegressor",
    "AttentionLayer",
    "SelfAttention",
    "MetricAttention",
)
_LEARNED_STEP = "one step, v = Wv x, learned"
_FIRST_OF_MANY = "the first head; each of the others has a mechanism of its own"

# The fifth slot of our estimators, in words.
PROPAGATIONS = {
    "KernelRegressor": "one step, v = y",
    "KernelClassifier": "one step, v = one-hot classes",
    "KernelDensity": "one step, v = 1, times the constant of the kernel",
    "NearestNeighbors": "none: the support itself is the answer",
    "KNeighborsClassifier": "one step, v = one-hot classes",
    "KNeighborsRegressor": "one step, v = y",
    "RadiusNeighborsClassifier": "one step, v = one-hot classes",
    "RadiusNeighborsRegressor": "one step, v = y",
    "SpectralClustering": "spectrum, then clusters of its vectors",
    "SpectralEmbedding": "spectrum",
    "DiffusionMaps": "spectrum to the power t",
    "LabelPropagation": "equilibrium, labels clamped",
    "LabelSpreading": "equilibrium, labels soft",
    "MeanShift": "repeated steps, v = points",
    "HopfieldMemory": "repeated steps, v = patterns",
    "AttentionClassifier": _LEARNED_STEP,
    "AttentionRegressor": _LEARNED_STEP,
}


def _propagation(model):
    return PROPAGATIONS[type(model).__name__]


def _metric(name, parameters=None, p=2):
    """scikit-learn's name of a metric as a slot value."""
    if name == "minkowski":
        p = (parameters or {}).get("p", p)
        return {1: metrics.Manhattan(), 2: metrics.Euclidean()}.get(p) or metrics.Minkowski(p=p)
    return metrics.from_name(name) if isinstance(name, str) else metrics.Custom(name)


def _neighbors(model):
    kernel, note = _vote(model)
    return Explanation(
        Mechanism(
            metric=_metric(model.metric, model.metric_params, model.p),
            kernel=kernel,
            support=supports.Neighbors(model.n_neighbors, symmetrize="none"),
        ),
        _propagation(model),
        note,
    )


def _radius_neighbors(model):
    kernel, note = _vote(model)
    return Explanation(
        Mechanism(
            metric=_metric(model.metric, model.metric_params, model.p),
            kernel=kernel,
            support=supports.Radius(model.radius),
        ),
        _propagation(model),
        note,
    )


def _vote(model):
    weights = getattr(model, "weights", "uniform")
    if callable(weights):
        return kernels.Indicator(), "the weights are a function of yours in place of this kernel"
    return (kernels.InverseDistance() if weights == "distance" else kernels.Indicator()), ""


def _kernel_density(model):
    h = getattr(model, "bandwidth_", model.bandwidth)
    found = {
        "gaussian": kernels.Gaussian,
        "tophat": kernels.Indicator,
        "epanechnikov": kernels.Epanechnikov,
        "exponential": kernels.Laplacian,
    }.get(model.kernel)
    if found is None:
        raise ValueError(
            "kernel of KernelDensity must be gaussian, tophat, epanechnikov or exponential to have a "
            f"counterpart; got {model.kernel!r}."
        )
    return Explanation(
        Mechanism(
            metric=_metric(model.metric, model.metric_params),
            kernel=found(bandwidth=h),
            normalization=normalizations.Unnormalized(),
        ),
        _propagation(model),
    )


def _gaussian(gamma):
    """exp(-gamma d^2)."""
    return kernels.Gaussian(bandwidth=float(1 / np.sqrt(2 * gamma)))


def _spectral(model):
    """The affinity graph; a spectral embedding drops self-loops and takes gamma = 1 / n_features for None."""
    if model.affinity == "nearest_neighbors":
        k = getattr(model, "n_neighbors_", model.n_neighbors)
        if k is None:
            raise ValueError("n_neighbors of an unfitted SpectralEmbedding is open; fit it or give a number.")
        kernel, support = kernels.Indicator(), supports.Neighbors(k, symmetrize="average", include_self=True)
    elif model.affinity == "rbf":
        gamma = getattr(model, "gamma_", model.gamma)
        if gamma is None:
            raise ValueError("gamma of an unfitted SpectralEmbedding is open; fit it or give a number.")
        kernel, support = _gaussian(gamma), supports.AllPairs()
    else:
        raise ValueError(
            f"affinity must be 'rbf' or 'nearest_neighbors' to have a counterpart; got {model.affinity!r}. "
            "A given affinity matrix is support=Graph(A, weights='given')."
        )
    mechanism = Mechanism(
        metric="euclidean", kernel=kernel, support=support, normalization=normalizations.Symmetric()
    )
    return Explanation(
        mechanism, _propagation(model), "scikit-learn leaves out self-loops before normalizing"
    )


def _label_graph(model):
    """kernel and support of label propagation: k counts the point itself, and edges keep their direction."""
    if model.kernel == "rbf":
        return _gaussian(model.gamma), supports.AllPairs()
    if model.kernel == "knn":
        support = supports.Neighbors(model.n_neighbors, symmetrize="none", include_self=True)
        return kernels.Indicator(), support
    raise ValueError("kernel must be 'rbf' or 'knn' to have a counterpart; got a function.")


def _label_propagation(model):
    kernel, support = _label_graph(model)
    return Explanation(Mechanism(metric="euclidean", kernel=kernel, support=support), _propagation(model))


def _label_spreading(model):
    kernel, support = _label_graph(model)
    mechanism = Mechanism(
        metric="euclidean",
        kernel=kernel,
        support=support & supports.LeaveOneOut(),
        normalization=normalizations.Symmetric(),
    )
    note = f"alpha = {model.alpha}; self-loops are left out after normalizing"
    return Explanation(mechanism, _propagation(model), note)


def _mean_shift(model):
    bandwidth = model.bandwidth
    note = (
        ""
        if bandwidth is not None
        else "the bandwidth is open until sklearn.cluster.estimate_bandwidth finds it"
    )
    kernel = kernels.Indicator() if bandwidth is None else kernels.Indicator(bandwidth=float(bandwidth))
    return Explanation(Mechanism(metric="euclidean", kernel=kernel), _propagation(model), note)


_COUNTERPARTS = {
    "NearestNeighbors": _neighbors,
    "KNeighborsClassifier": _neighbors,
    "KNeighborsRegressor": _neighbors,
    "RadiusNeighborsClassifier": _radius_neighbors,
    "RadiusNeighborsRegressor": _radius_neighbors,
    "KernelDensity": _kernel_density,
    "SpectralClustering": _spectral,
    "SpectralEmbedding": _spectral,
    "LabelPropagation": _label_propagation,
    "LabelSpreading": _label_spreading,
    "MeanShift": _mean_shift,
}
