"""Kinds of public bug reports about how Python itself is run: python -OO, which strips docstrings and asserts
(aleph-im/aleph-vm#195)."""

import ast
import subprocess
import sys

import pytest

# What is said of each question, as the repr of a dict.
ASKED = """
import contextlib, importlib, io, pkgutil
import numpy as np, likewise as lw
from likewise.__main__ import main

def imported(name):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as missing:  # an extra that is not installed
        return str(missing)
    except Exception as error:
        return repr(error)
    return "imported"

def commanded(*words):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        main(words)
    return out.getvalue()

def refused(call):
    try:
        return "taken: " + repr(call())
    except (TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"

X, y = np.zeros((4, 2)), [0, 1, 0, 1]
modules = [m.name for m in pkgutil.walk_packages(lw.__path__, "likewise.") if not m.name.endswith("__main__")]
imports = {name: imported(name) for name in modules}
print({
    "imports": imports,
    "descriptions": [lw.datasets.load(n).description for n in lw.datasets.names()],
    "commands": [commanded("bench", "--list"), commanded("study", "--help")],
    "explain": commanded("explain", "mean_shift"),
    "refusals": [refused(call) for call in (
        lambda: lw.KNeighborsClassifier(9).fit(X, y).predict(X),
        lambda: lw.KernelRegressor(bandwidth=-1.0).fit(X, y),
        lambda: lw.supports.Mask("x"),
        lambda: lw.kneighbors(X, n_neighbors="a"),
        lambda: lw.nn.AttentionLayer(3, 2),
        lambda: lw.Mechanism(empty_row="none"),
        lambda: lw.Mechanism().operator(X).eigsh(2, tol="a"),
    )],
})
"""


@pytest.fixture(scope="module")
def said():
    """What is said with docstrings and asserts, and what without."""

    def answers(*switches):
        child = [sys.executable, *switches, "-W", "ignore", "-c", ASKED]
        done = subprocess.run(child, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
        return ast.literal_eval(done.stdout)

    return answers(), answers("-OO")


def test_every_module_imports_without_docstrings(said):
    """Kind: a docstring that is read at import, and is None."""
    usual, stripped = said
    assert usual["imports"]["likewise.datasets"] == usual["imports"]["likewise.study.cells"] == "imported"
    assert stripped["imports"] == usual["imports"]


def test_data_sets_are_described_without_docstrings(said):
    usual, stripped = said
    assert "Two interleaved half circles" in usual["descriptions"][0]
    assert all(stripped["descriptions"])


def test_the_command_line_runs_without_docstrings(said):
    usual, stripped = said
    assert all(usual["commands"])
    assert stripped["commands"] == usual["commands"]
    assert usual["explain"].startswith("y_i = ")
    assert stripped["explain"] == usual["explain"]


def test_what_is_refused_is_refused_without_asserts(said):
    """Kind: a check that is an assert; and messages that are made of a docstring."""
    usual, stripped = said
    assert stripped["refusals"] == usual["refusals"]
    assert not any(answer.startswith("taken") for answer in usual["refusals"])
