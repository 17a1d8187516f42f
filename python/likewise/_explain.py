"""What mechanism is behind an object: ours, or scikit-learn's where it has a counterpart."""

import re
from dataclasses import dataclass

import numpy as np

from likewise import kernels, maps, metrics, normalizations, propagations, supports
from likewise._mechanism import SLOTS, Mechanism
from likewise._survey import SURVEY


@dataclass(frozen=True)
class Explanation:
    """A mechanism, what its values v are, and what to know; ``str`` is the equation with its slots.

    mechanism is None of a method that is no propagation; the note says why.
    """

    mechanism: Mechanism | None
    values: str = ""
    note: str = ""

    @property
    def propagation(self):
        """The fifth slot, what is done with the operator: a value of likewise.propagations."""
        return self.mechanism and self.mechanism.propagation

    def __str__(self):
        lines = [] if self.mechanism is None else [self.mechanism.equation().rstrip("\n")]
        if self.values:
            lines.append(f"  {'values v':<20}{self.values}")
        if self.note:
            lines.append(f"  {'note':<20}{self.note}")
        return "\n".join(lines)

    def _repr_html_(self):
        from likewise import _html

        return _html.of_explanation(self)


def explain(obj):
    """The five slots behind an object.

    Parameters
    ----------
    obj : Mechanism, operator, layer of likewise.nn, estimator of likewise or of scikit-learn, or str
        Nearest neighbors, kernel densities, spectral clustering and embedding, label propagation and
        spreading and mean shift of scikit-learn have a counterpart. The name of a method: one of ours, or
        one that Ruan and Zhang (2024) survey ("tsne", "umap", "svm", "lle", "isomap", "gcn", ...).

    Returns
    -------
    Explanation : printed as the equation with its slots; .mechanism is the value, None of a method that is
        no propagation

    Raises
    ------
    ValueError : an object that is no mechanism of this kind, or an unknown name; the message lists the known

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> explain(KNeighborsClassifier(5)).mechanism.support
    Neighbors(symmetrize='none')
    """
    if isinstance(obj, str):
        return explain_method(obj, "obj")
    if isinstance(obj, Mechanism):
        return Explanation(obj)
    found = getattr(obj, "mechanism_", None) or getattr(obj, "mechanism", None)
    if callable(found):  # of a layer, which has one for each head
        found = found()
    if isinstance(found, Mechanism):
        return Explanation(found, getattr(obj, "_values", ""), getattr(obj, "_note", ""))
    home, name = type(obj).__module__.split(".")[0], type(obj).__name__
    if home == "sklearn" and name in _COUNTERPARTS:
        mechanism, note = _COUNTERPARTS[name](obj)
        return Explanation(mechanism, _estimator(name)._values, note)
    raise ValueError(
        f"explain() takes a Mechanism, an operator, a layer or an estimator of likewise, or one of "
        f"scikit-learn's {', '.join(sorted(_COUNTERPARTS))}; got {name} of {type(obj).__module__}, "
        "which has no counterpart."
    )


def explain_method(name, argument="method"):
    """The :class:`Explanation` of a method with its defaults, by its name or the name of its class.

    Raises
    ------
    ValueError : an unknown name; the message lists the known ones
    """
    if name in _ATTENTION:
        return _ATTENTION[name]()
    if name in SURVEY:
        return Explanation(*SURVEY[name]())
    cls = _estimator(METHODS.get(name, name))
    if cls is None:
        known = ", ".join((*METHODS, *_ATTENTION, *SURVEY))
        raise ValueError(
            f"{argument} must be one of {known}, or a class such as KNeighborsRegressor; got {name!r}."
        )
    return explain(cls())


def estimators():
    """The names of all estimators."""
    import likewise

    named = list(METHODS.values())
    return named + sorted(name for name in likewise.__all__ if _estimator(name) and name not in named)


def _estimator(name):
    """The estimator class of that name, or None."""
    import likewise
    from likewise._estimator import MechanismMixin

    cls = getattr(likewise, name, None) if name in likewise.__all__ else None
    return cls if isinstance(cls, type) and issubclass(cls, MechanismMixin) else None


def short_numbers(text):
    """Four digits of every number with more."""
    return re.sub(r"\d+\.\d{4,}(e[+-]?\d+)?", lambda number: f"{float(number[0]):.4g}", text)


def table():
    """README's table of the methods, in Markdown: what fills the slots of each before a parameter is set."""
    rows = {}
    for name in (*estimators(), *_ATTENTION):
        about = explain_method(name)
        names, values = rows.setdefault(about.mechanism, ([], []))
        names.append(name)
        values.append(about.values)
    lines = ["| method | " + " | ".join(SLOTS) + " | values |", "|---" * (len(SLOTS) + 2) + "|"]
    for mechanism, (names, values) in rows.items():
        slots = [f"`{short_numbers(repr(getattr(mechanism, slot)))}`" for slot in SLOTS]
        cells = [", ".join(names), *slots, "; ".join(dict.fromkeys(values))]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


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
    "fuzzy_c_means": "FuzzyCMeans",
    "markov_clustering": "MarkovClustering",
    "hopfield": "HopfieldMemory",
}


def _self_attention():
    mechanism = Mechanism(metric="dot", kernel=kernels.Exponential(temperature=8.0))
    note = "x is Wq x, z is Wk z; the temperature is sqrt(d), here of d = 64"
    return Explanation(mechanism, "Wv x", note)


def _l2_attention():
    mechanism = Mechanism(metric="sqeuclidean", kernel=kernels.Exponential(temperature=16.0))
    note = "x is W x, z is W z; the temperature is learned and starts at 2 sqrt(d), here of d = 64"
    return Explanation(mechanism, "Wv x", note)


def _metric_attention():
    mechanism = Mechanism(
        metric=metrics.Mapped(maps.ResidualMLP()), kernel=kernels.Exponential(temperature=1.0)
    )
    note = "x is W x, z is W z of each head; its map phi is a residual network that is learned"
    return Explanation(mechanism, "Wv x", note)


_ATTENTION = {
    "self_attention": _self_attention,
    "l2_attention": _l2_attention,
    "metric_attention": _metric_attention,
}


# --- scikit-learn's: what each says is (mechanism, note) ----------------------------------------------------


def _metric(name, parameters=None, p=2):
    """scikit-learn's name of a metric as a slot value."""
    if name == "minkowski":
        p = (parameters or {}).get("p", p)
        return {1: metrics.Manhattan(), 2: metrics.Euclidean()}.get(p) or metrics.Minkowski(p=p)
    return metrics.from_name(name) if isinstance(name, str) else metrics.Custom(name)


def _neighbors(model):
    return _voting(model, supports.Neighbors(model.n_neighbors, symmetrize="none"))


def _radius_neighbors(model):
    return _voting(model, supports.Radius(model.radius))


def _voting(model, support):
    kernel, note = _vote(model)
    metric = _metric(model.metric, model.metric_params, model.p)
    return Mechanism(metric=metric, kernel=kernel, support=support), note


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
    metric, none = _metric(model.metric, model.metric_params), normalizations.Unnormalized()
    return Mechanism(metric=metric, kernel=found(bandwidth=h), normalization=none), ""


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
        metric="euclidean",
        kernel=kernel,
        support=support,
        normalization=normalizations.Symmetric(),
        propagation=propagations.Spectrum(_n_pairs(model)),
    )
    return mechanism, "scikit-learn leaves out self-loops before normalizing"


def _n_pairs(model):
    """Eigenvectors that it looks at; a spectral embedding leaves out the constant one."""
    if not hasattr(model, "n_clusters"):
        return model.n_components + 1
    return model.n_clusters if model.n_components is None else model.n_components


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
    clamped = propagations.Equilibrium()
    return Mechanism(metric="euclidean", kernel=kernel, support=support, propagation=clamped), ""


def _label_spreading(model):
    kernel, support = _label_graph(model)
    mechanism = Mechanism(
        metric="euclidean",
        kernel=kernel,
        support=support & supports.LeaveOneOut(),
        normalization=normalizations.Symmetric(),
        propagation=propagations.Equilibrium(model.alpha),
    )
    return mechanism, "self-loops are left out after normalizing"


def _mean_shift(model):
    bandwidth = model.bandwidth
    note = (
        ""
        if bandwidth is not None
        else "the bandwidth is open until sklearn.cluster.estimate_bandwidth finds it"
    )
    kernel = kernels.Indicator() if bandwidth is None else kernels.Indicator(bandwidth=float(bandwidth))
    climb = propagations.Steps(moving="points", tol=1e-3, max_iter=model.max_iter)
    return Mechanism(metric="euclidean", kernel=kernel, propagation=climb), note


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
