"""What the reader has set: five dials and the points, checked against page/dials.json."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from likewise._checks import told
from likewise._mechanism import SLOTS

PAGE = Path(__file__).with_name("page")


def _read_dials():
    """page/dials.json, with the one field of all bandwidths put where it is named."""
    dials = json.loads((PAGE / "dials.json").read_text(encoding="utf-8"))
    for choices in (dials[slot] for slot in SLOTS):
        for choice in choices:
            choice["fields"] = [
                dials[field] if isinstance(field, str) else field for field in choice["fields"]
            ]
    return dials


DIALS = _read_dials()


@dataclass(frozen=True, eq=False)
class State:
    """A state of the page.

    Attributes
    ----------
    slots : dict, slot -> {"name": ..., and its fields}, as the page sends them
    points (n, 2), classes (n,) of 0 ... 3, held (n,) : held points keep their labels in propagation
    """

    slots: dict
    points: np.ndarray
    classes: np.ndarray
    held: np.ndarray

    @classmethod
    def from_json(cls, given):
        """The state in a JSON object; a ValueError names what does not fit and where it is."""
        known = (*SLOTS, "points", "classes", "held")
        _require(isinstance(given, dict), "state", "a JSON object", given)
        for name in known:
            if name not in given:
                raise ValueError(f"{name} must be in the state; it is made of {', '.join(known)}.")
        for name in given:
            _require(name in known, "state", f"made of {', '.join(known)}", name)
        points = _points(given["points"])
        classes = _whole_numbers(given["classes"], "classes", len(points), DIALS["most_classes"])
        held = _whole_numbers(given["held"], "held", len(points), 2).astype(bool)
        return cls({slot: _choice(slot, given[slot]) for slot in SLOTS}, points, classes, held)

    def to_json(self):
        """The same as a JSON object."""
        held = self.held.astype(int)
        arrays = {"points": self.points, "classes": self.classes, "held": held}
        return {**self.slots, **{name: array.tolist() for name, array in arrays.items()}}


def fields_of(slot, name):
    """The fields that the choice of this name has in dials.json."""
    return next(choice["fields"] for choice in DIALS[slot] if choice["name"] == name)


def _choice(slot, given):
    _require(isinstance(given, dict), slot, "a JSON object with a name", given)
    names = [choice["name"] for choice in DIALS[slot]]
    name = given.get("name")
    _require(name in names, f"{slot}.name", f"one of {', '.join(names)}", name)
    fields = {field["name"]: field for field in fields_of(slot, name)}
    for key in given:
        allowed = f"made of {', '.join(('name', *fields))}"
        _require(key == "name" or key in fields, slot, allowed, key)
    checked = {key: _field(f"{slot}.{key}", field, given.get(key)) for key, field in fields.items()}
    return {"name": name, **checked}


def _field(where, field, given):
    """A number in its range, one of the words, or a flag."""
    words = list(field.get("words", ()))
    if field["kind"] == "flag":
        _require(isinstance(given, bool), where, "true or false", given)
        return given
    if field["kind"] == "word" or isinstance(given, str):
        allowed = f"one of {', '.join(words)}" if words else _range(field)
        _require(isinstance(given, str) and given in words, where, allowed, given)
        return given
    _require(_is_number(given) and field["low"] <= given <= field["high"], where, _range(field), given)
    if field["kind"] == "count":
        _require(given == int(given), where, _range(field), given)
        return int(given)
    return float(given)


def _range(field):
    kind = "an int" if field["kind"] == "count" else "a number"
    words = "".join(f" or {word}" for word in field.get("words", ()))
    return f"{kind} in [{field['low']}, {field['high']}]{words}"


def _points(given):
    most, plane = DIALS["most_points"], DIALS["plane"]
    allowed = f"a list of at most {most} pairs of numbers in [-{plane}, {plane}]"
    _require(isinstance(given, list), "points", allowed, given)
    _require(len(given) <= most, "points", allowed, f"{len(given)} of them")
    for pair in given:
        fits = isinstance(pair, list) and len(pair) == 2 and all(map(_is_number, pair))
        _require(fits and max(map(abs, pair)) <= plane, "points", allowed, pair)
    return np.array(given, dtype=float).reshape(-1, 2)


def _whole_numbers(given, name, count, below):
    allowed = f"a list of {count} whole numbers from 0 to {below - 1}, one for each point"
    _require(isinstance(given, list) and len(given) == count, name, allowed, given)
    for value in given:
        _require(_is_number(value) and value in range(below), name, allowed, value)
    return np.array(given, dtype=int)


def _is_number(value):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value) if isinstance(value, float) else abs(value) < 1 << 53  # of ints JSON has any


def _require(holds, name, allowed, given):
    if not holds:
        raise ValueError(f"{name} must be {allowed}; got {told(given)}.")
