"""Programs in Python and C++ that make what the page shows: the lines that a reader takes along.

The lines are page/programs.json, which the page without a server reads too (wasm/programs.js): of each the
words that must hold (or, behind a !, must not) for it to be said, and its text with $names in it. Words are
the views that the slots define, so that a program runs as it is, and what is true of the state.
"""

import json
from string import Template

from likewise._mechanism import SLOTS
from likewise.play.calls import call_of
from likewise.play.state import DIALS, PAGE

N_PAIRS = DIALS["pairs"]  # eigenpairs that are looked at
SIDE = DIALS["side"]  # places of the grid on a side of the plane
TOL = DIALS["tolerance"]  # of eigenpairs, finer than a picture shows
_LINES = json.loads((PAGE / "programs.json").read_text(encoding="utf-8"))


def n_clusters(state):
    """As many as the spectrum on the fifth dial has vectors, else as there are classes; at least 2."""
    how = state.slots["propagation"]
    wanted = how["n"] if how["name"] == "Spectrum" else len(set(state.classes.tolist()))
    return min(max(2, wanted), len(state.points))


def power(state):
    """The power of the spectrum on the fifth dial, else 1."""
    how = state.slots["propagation"]
    return how["power"] if how["name"] == "Spectrum" else 1


def python(state, defined):
    """The program in Python; `defined` are the names of the views that these slots have."""
    points, classes, held = state.points.tolist(), state.classes.tolist(), _held(state)
    names = {"points": points, "classes": classes, "held": held}
    names |= {slot: call_of(slot, state.slots[slot]).python() for slot in SLOTS}
    return _program("python", state, defined, names)


def cpp(state, defined):
    """The program in C++."""
    coordinates, classes = state.points.ravel().tolist(), state.classes.tolist()
    names = {
        "coordinates": _listed(coordinates),
        "class_list": _listed(classes),
        "held_list": _listed(_held(state)),
    }
    names |= {slot: call_of(slot, state.slots[slot]).cpp() for slot in SLOTS}
    names["tables"] = "\n  ".join(_cpp_tables(state))
    return _program("cpp", state, defined, names)


def _program(language, state, defined, names):
    words = {*defined, *_words(state)}
    words |= {"defined"} if defined else set()
    words |= {"pairs"} if defined & {"clusters", "diffusion"} else set()
    words |= {"tables"} if names.get("tables") else set()
    names = {**names, **_numbers(state)}
    said = [text for needs, text in _LINES[language] if all(_holds(need, words) for need in needs.split())]
    return "\n".join(Template(text).substitute(names) for text in said) + "\n"


def _holds(need, words):
    return need[1:] not in words if need.startswith("!") else need in words


def _words(state):
    """What is true of the state, as programs.json says it."""
    how = state.slots["propagation"]
    true = {
        "symmetric": state.slots["normalization"]["name"] == "Symmetric",
        "leaves_out": state.slots["support"]["name"] == "LeaveOneOut",  # of new places it leaves out nothing
        "clamped": how.get("alpha", "clamped") == "clamped",
        "rests": how["name"] == "Equilibrium",
        "spectral": how["name"] == "Spectrum",
        "alone": how["name"] == "Spectrum" or how.get("moving") == "points",  # without values
    }
    return {word for word, holds in true.items() if holds}


def _numbers(state):
    return {
        "n": len(state.points),
        "n_classes": 1 + max(1, state.classes.max(initial=0)),
        "n_clusters": n_clusters(state),
        "n_pairs": min(N_PAIRS, len(state.points)),
        "power": power(state),
        "alpha": state.slots["propagation"].get("alpha"),
        **{name: DIALS[name] for name in ("plane", "side", "tolerance")},
    }


def _cpp_tables(state):
    lines = []
    for name, table in call_of("metric", state.slots["metric"]).tables().items():
        numbers = _listed(x for row in table for x in row)
        lines += [f"lw::Matrix<double> {name}({len(table)}, {len(table[0])});", f"{name} << {numbers};"]
    return lines


def _listed(numbers):
    return ", ".join(map(repr, numbers))


def _held(state):
    return state.held.nonzero()[0].tolist()
