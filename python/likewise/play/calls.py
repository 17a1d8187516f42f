"""A choice on a dial as a call: the value that it makes, and how the call is written in Python and in C++."""

import math
from dataclasses import dataclass

import likewise
from likewise._mechanism import SLOTS
from likewise.play.state import fields_of

_MODULES = {slot: f"{slot}s" for slot in SLOTS} | {"metric": "metrics"}
_STEEPNESS = 3.0  # of tanh in the small network of Mapped


@dataclass(frozen=True)
class Call:
    """likewise.MODULE.NAME(**arguments), each a number, a word, None, a table of numbers or a Call."""

    module: str
    name: str
    arguments: dict

    def value(self):
        """What the call makes."""
        made = {key: of.value() if isinstance(of, Call) else of for key, of in self.arguments.items()}
        return getattr(getattr(likewise, self.module), self.name)(**made)

    def python(self):
        """The call in Python, without what is a default."""
        return f"lw.{self.module}.{self.name}({', '.join(f'{k}={_python(v)}' for k, v in self._said())})"

    def cpp(self):
        """The value in C++; its tables are the variables that `tables` declares."""
        space = "lw::maps::" if self.module == "maps" else "lw::"
        return f"{space}{self.name}{{{', '.join(f'.{k} = {_cpp(k, v)}' for k, v in self._said())}}}"

    def tables(self):
        """The tables of numbers in it by the names that C++ gives them."""
        found = {}
        for key, value in self.arguments.items():
            if isinstance(value, Call):
                found |= value.tables()
            elif isinstance(value, list):
                found[key] = value
        return found

    def _said(self):
        """The arguments that are not the defaults, which are the same in both languages."""
        parameters = getattr(getattr(likewise, self.module), self.name).__signature__.parameters
        return [(key, of) for key, of in self.arguments.items() if not _same(parameters[key].default, of)]


def call_of(slot, chosen):
    """The call behind the choice {"name": ..., and its fields}."""
    name = chosen["name"]
    arguments = {field["name"]: _meant(field, chosen[field["name"]]) for field in fields_of(slot, name)}
    make = _METRICS_OF_THE_PLANE.get(name, lambda **same: same)
    return Call(_MODULES[slot], name, make(**arguments))


def _meant(field, given):
    """A word may stand for a value ("unbounded" for none); other things stand for themselves."""
    words = field.get("words", ())
    return words[given] if isinstance(words, dict) and isinstance(given, str) else given


def _stretched(stretch, angle):
    """Distances across a direction count more than along it."""
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return {"factor": _rounded([[c, s], [-stretch * s, stretch * c]])}


def _turned(angle):
    """Queries are turned before they are compared: at 0 it is the dot product."""
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return {"query_factor": _rounded([[c, -s], [s, c]]), "key_factor": [[1.0, 0.0], [0.0, 1.0]]}


def _pulled(pull):
    """A network of one hidden unit that pulls left and right apart: (x1 + pull tanh(3 x1), x2)."""
    network = {"W1": [[_STEEPNESS, 0.0]], "W2": [[pull], [0.0]]}
    return {"map": Call("maps", "ResidualMLP", network)}


_METRICS_OF_THE_PLANE = {"Mahalanobis": _stretched, "Bilinear": _turned, "Mapped": _pulled}


def _rounded(table):
    """As it is printed, so that the lines make the same."""
    return [[round(x, 6) + 0.0 for x in row] for row in table]


def _same(default, given):
    return isinstance(default, bool) == isinstance(given, bool) and default == given


def _python(value):
    return value.python() if isinstance(value, Call) else repr(value)


def _cpp(name, value):
    if isinstance(value, Call):
        return value.cpp()
    if isinstance(value, list):
        return name
    if value is None:
        return "{}"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)
