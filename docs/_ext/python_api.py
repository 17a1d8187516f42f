"""Pages of the Python API: one for each class and function, one for each module of small values."""

import importlib
import inspect

from generated_pages import titled, write_pages
from plain_docstrings import converted, escaped
from scipy import sparse
from sphinx.util import logging

import likewise

logger = logging.getLogger(__name__)

# area: (title, what it holds, names in likewise)
AREAS = {
    "mechanism": (
        "Mechanism and operators",
        "The five slots as one value, and what it becomes once it has met points.",
        ("Mechanism", "SelfOperator", "CrossOperator", "PropagationOperator", "LinearMap", "Partial"),
    ),
    "regression": (
        "Kernel regression and density",
        "One step of the operator from training points to queries.",
        ("KernelRegressor", "KernelClassifier", "KernelDensity"),
    ),
    "neighbors": (
        "Nearest neighbors",
        "The same step where only the nearest speak.",
        (
            *("NearestNeighbors", "KNeighborsClassifier", "KNeighborsRegressor"),
            *("RadiusNeighborsClassifier", "RadiusNeighborsRegressor", "kneighbors", "radius_neighbors"),
        ),
    ),
    "spectra": (
        "Clusters and embeddings",
        "Eigenvectors of the operator, and walks that move points or names of clusters.",
        (
            *("SpectralClustering", "SpectralEmbedding", "DiffusionMaps"),
            *("MeanShift", "FuzzyCMeans", "MarkovClustering"),
        ),
    ),
    "labels": (
        "Few labels",
        "Where labels come to rest when they flow along the operator.",
        ("LabelPropagation", "LabelSpreading"),
    ),
    "learning": (
        "Attention and learned metrics",
        "The metric is learned: by itself, in attention over tokens, in a network of rows.",
        (
            *("AttentionClassifier", "AttentionRegressor", "PropagationClassifier", "PropagationRegressor"),
            *("MetricLearner", "HopfieldMemory"),
        ),
    ),
    "functions": (
        "Functions",
        "Attention with given weights, bandwidths, and how work is run.",
        (
            *("attention", "l2_attention", "metric_attention", "from_torch_mask", "explain"),
            *("select_bandwidth", "estimate_bandwidth", "execution", "simd_target", "show_versions"),
            *("nystrom", "positive_random_features"),
            *("ConvergenceError", "MemoryLimitError"),
        ),
    ),
}
# module: (title, what it holds)
MODULES = {
    "metrics": ("Metrics", "How different are x and z? A cost; lower is closer."),
    "maps": ("Maps of points", "What a mapped metric compares points through."),
    "kernels": ("Kernels", "What weight does a cost earn?"),
    "supports": ("Supports", "Who may speak to whom?"),
    "normalizations": ("Normalizations", "Which scalings l and r?"),
    "propagations": ("Propagations", "What is done with the operator?"),
    "nn": ("likewise.nn", "Layers that learn, without PyTorch."),
    "torch": ("likewise.torch", "The same layers and operators inside PyTorch."),
    "gradients": ("likewise.gradients", "Derivatives through powers, equilibria and spectra."),
    "identities": ("likewise.identities", "Identities between methods, each as a check that runs."),
    "heads": ("likewise.heads", "Attention heads of any model, read as mechanisms."),
    "theory": ("likewise.theory", "What one step tends to, measured beside what theory says."),
    "plots": ("likewise.plots", "Figures of what a mechanism does."),
    "datasets": ("likewise.datasets", "Toy data by a seed, graphs, and your own CSV."),
}
SLOTS = ("metrics", "maps", "kernels", "supports", "normalizations", "propagations")
# What a module shows beside classes and functions of its own.
NOT_SHOWN = {"from_name", "Explanation"}
OF_A_FITTED_BASE = ("set_",)  # scikit-learn's requests for metadata


def summary(thing):
    """The first sentence of its docstring, on one line."""
    first = (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ")
    return escaped(first.split(". ")[0].rstrip(".")) if first else ""


def _own(cls, name):
    """Where a class of ours defines this name, or None."""
    for base in cls.__mro__:
        if name in vars(base):
            return base if base.__module__.startswith("likewise") else None
    return None


def members(cls):
    """Public methods and properties that likewise defines and describes, in the order of their names."""
    for name in dir(cls):
        if name.startswith(("_", *OF_A_FITTED_BASE)) or _own(cls, name) is None:
            continue
        thing = inspect.getattr_static(cls, name)
        if inspect.getdoc(getattr(thing, "__func__", thing)) and not inspect.ismemberdescriptor(thing):
            yield name


def _object(module, name, thing, level=None):
    """The lines of one class or function."""
    kind = "autoclass" if inspect.isclass(thing) else "autofunction"
    lines = [f".. currentmodule:: {module}", "", f".. {kind}:: {name}"]
    if kind == "autoclass" and module not in {f"likewise.{slot}" for slot in SLOTS}:
        shown = list(members(thing))
        lines += [f"   :members: {', '.join(shown)}"] if shown else []
    return [*lines, ""]


def _equation(thing):
    """The slots of an estimator as they are before a parameter is set."""
    if not hasattr(thing, "from_mechanism"):
        return []
    lines = str(thing().mechanism).rstrip().split("\n")
    return [
        "Its five slots, before a parameter is set:",
        "",
        ".. code-block:: text",
        "",
        *("   " + line for line in lines),
        "",
    ]


def _page(name):
    thing = getattr(likewise, name)
    return "\n".join([*titled(name), *_object("likewise", name, thing), *_equation(thing)])


def _area(title, about, names):
    lines = [*titled(title), about, "", ".. list-table::", "   :widths: 30 70", ""]
    for name in names:
        lines += [f"   * - :doc:`{name}`", f"     - {summary(getattr(likewise, name)) or chr(92) + ' '}"]
    lines += ["", ".. toctree::", "   :hidden:", "", *("   " + name for name in names), ""]
    return "\n".join(lines)


def public(module):
    """Classes and functions that a module defines, by name."""
    names = getattr(module, "__all__", None) or [n for n in dir(module) if not n.startswith("_")]
    for name in sorted(names):
        thing = getattr(module, name)
        of = getattr(thing, "__module__", None) or ""
        ours = of in (module.__name__, "likewise._core") or of.startswith(f"{module.__name__}.")
        ours = ours or (module.__name__ == "likewise.datasets" and of == "likewise._graph_datasets")
        is_hidden = name in NOT_SHOWN or (of == "likewise._core" and name == "names")
        if ours and not is_hidden and (inspect.isclass(thing) or inspect.isroutine(thing)):
            yield name, thing


def _laws(things):
    """A table of metrics and the laws that each declares."""
    laws = ("symmetric", "zero_on_self", "triangle_inequality", "shift_invariant")
    lines = [*titled("Formulas and laws", "-"), ".. list-table::", "   :header-rows: 1", ""]
    lines += ["   * - metric", "     - c(x, z)", "     - distance to the power", "     - laws"]
    for name, cls in things:
        if name in ("Custom", "Mapped"):
            continue
        value = cls()
        held = ", ".join(law.replace("_", " ") for law in laws if getattr(value, law))
        formula, power = value.formula, value.distance_power
        lines += [
            f"   * - ``{name}``",
            f"     - ``{formula}``",
            f"     - {power or 'none'}",
            f"     - {held or 'none'}",
        ]
    return [*lines, ""]


def _formulas(things):
    """A table of values and their formulas."""
    lines = [*titled("Formulas", "-"), ".. list-table::", "   :widths: 25 75", ""]
    for name, cls in things:
        if hasattr(cls, "formula"):
            lines += [f"   * - ``{name}``", f"     - ``{_any(cls).formula}``"]
    return [*lines, ""]


def _any(cls):
    """Some value of a class: its formula is the same for all of them."""
    given = {
        "Blocks": ([0],),
        "OtherGroups": ([0],),
        "Graph": (sparse.eye(1, format="csr"),),
    }
    return cls(*given.get(cls.__name__, ()))


def _module_page(short, title, about):
    try:
        module = importlib.import_module(f"likewise.{short}")
    except ImportError as error:
        return "\n".join([*titled(title), about, "", f"Not described here: {escaped(str(error))}", ""])
    things = list(public(module))
    lines = [*titled(title), about, "", f".. module:: likewise.{short}", ""]
    if short not in SLOTS:
        lines += converted((inspect.getdoc(module) or "").split("\n"))
    if short == "metrics":
        lines += _laws(things)
    elif short in SLOTS and short != "maps":
        lines += _formulas([pair for pair in things if pair[0] != "Support"])
    for name, thing in things:
        lines += [*titled(name, "-"), *_object(f"likewise.{short}", name, thing)]
    return "\n".join(lines)


def _index():
    lines = [*titled("Python"), "One page for each class and function; values of a slot share a page.", ""]
    for title, entries in (
        ("The slots", [(f"{s}", MODULES[s]) for s in SLOTS]),
        ("The library", [(f"area_{a}", AREAS[a][:2]) for a in AREAS]),
        ("Modules", [(m, MODULES[m]) for m in MODULES if m not in SLOTS]),
    ):
        lines += [*titled(title, "-"), ".. list-table::", "   :widths: 35 65", ""]
        for page, (name, about) in entries:
            lines += [f"   * - :doc:`{name} <{page}>`", f"     - {about}"]
        lines += ["", ".. toctree::", "   :hidden:", "", *("   " + page for page, _ in entries), ""]
    return "\n".join(lines)


def left_out():
    """Public names of likewise that no page shows."""
    shown = {name for _, _, names in AREAS.values() for name in names} | set(MODULES)
    return {name for name in dir(likewise) if not name.startswith("_")} - shown


def generate(app, config):
    for name in sorted(left_out()):
        logger.warning("likewise.%s has no place in docs/_ext/python_api.py", name)
    pages = {"index.rst": _index()}
    for area, (title, about, names) in AREAS.items():
        pages[f"area_{area}.rst"] = _area(title, about, names)
        pages |= {f"{name}.rst": _page(name) for name in names}
    pages |= {f"{short}.rst": _module_page(short, *said) for short, said in MODULES.items()}
    write_pages("api/python", pages)


def setup(app):
    app.connect("config-inited", generate)
    return {"parallel_read_safe": True}
