"""Parts of a flat vector by name."""

import math
import os
from collections.abc import Mapping

import numpy as np

from likewise._attention import as_array


def named_views(entries, flat):
    """(name, view) of each part of a flat vector; entries are (name, offset, shape)."""
    for name, offset, shape in entries:
        yield name, flat[offset : offset + math.prod(shape)].reshape(shape)


class Parametrized:
    """What has a compiled part, `_core`, whose parameters are one flat vector."""

    @property
    def flat_parameters(self):
        """All parameters as one writable vector; state_dict names its parts."""
        return self._core.parameters

    def state_dict(self):
        """A copy of each parameter by its name."""
        return {name: part.copy() for name, part in named_views(self._core.entries, self.flat_parameters)}


def as_path(path):
    """The path in the system's bytes, which may be no text; a TypeError for what is none, such as a file."""
    try:
        return os.fsencode(path)
    except UnicodeEncodeError as error:
        raise ValueError(f"path must be a name that the system can have; got {path!r}: {error}") from None
    except TypeError:
        raise TypeError(
            f"path must be a str or a path; got {type(path).__name__}. A model is moved into place as a "
            "whole, which an open file does not allow: save to a path and read that."
        ) from None


def load_into(entries, state, dtype):
    """One flat vector of a state dict whose names and shapes are exactly those of the entries."""
    wanted = {name: tuple(shape) for name, _, shape in entries}
    state = numbers_of(state)
    missing, unknown = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
    if missing or unknown:
        raise ValueError(
            f"state must have exactly the keys {sorted(wanted)}; missing {missing}, unknown {unknown}."
        )
    for name, shape in wanted.items():
        if state[name].shape != shape:
            raise ValueError(f"state[{name!r}] must have shape {shape}; got {state[name].shape}.")
        if not np.isfinite(state[name]).all():
            raise ValueError(f"state[{name!r}] must be finite; got NaN or infinity.")
    flat = np.empty(sum(math.prod(shape) for shape in wanted.values()), dtype)
    for name, part in named_views(entries, flat):
        part[...] = state[name]
    return flat


def numbers_of(state):
    """Each entry of a state dict, of arrays or torch tensors, as a NumPy array of real numbers."""
    if not isinstance(state, Mapping):
        raise TypeError(
            f"state must be a dict of arrays by name, such as state_dict() gives; got {type(state).__name__}."
        )
    return {name: _numbers(name, part) for name, part in state.items()}


def _numbers(name, part):
    try:
        part = as_array(part)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged rows; tensors without numbers here
        raise ValueError(f"state[{name!r}] must be an array of real numbers: {error}") from error
    # The bfloat16 of packages beside NumPy has a kind of its own.
    if part.dtype.kind not in "fiub" and not np.can_cast(part.dtype, np.float32):
        raise TypeError(f"state[{name!r}] must be an array of real numbers; got {part.dtype}.")
    return part
