"""Parts of a flat vector by name."""

import math
import os

import numpy as np


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
    """The path as a str; a TypeError for what is none, such as an open file."""
    try:
        return os.fsdecode(path)
    except TypeError:
        raise TypeError(
            f"path must be a str or a path; got {type(path).__name__}. A model is moved into place as a "
            "whole, which an open file does not allow: save to a path and read that."
        ) from None


def load_into(entries, state, dtype):
    """One flat vector of a state dict whose names and shapes are exactly those of the entries."""
    wanted = {name: tuple(shape) for name, _, shape in entries}
    state = {name: _array(part) for name, part in state.items()}
    missing, unknown = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
    if missing or unknown:
        raise ValueError(
            f"state_dict must have exactly the keys {sorted(wanted)}; missing {missing}, unknown {unknown}."
        )
    for name, shape in wanted.items():
        if state[name].shape != shape:
            raise ValueError(f"state_dict[{name!r}] must have shape {shape}; got {state[name].shape}.")
        if not np.isfinite(state[name]).all():
            raise ValueError(f"state_dict[{name!r}] must be finite; got NaN or infinity.")
    flat = np.empty(sum(math.prod(shape) for shape in wanted.values()), dtype)
    for name, part in named_views(entries, flat):
        part[...] = state[name]
    return flat


def _array(part):
    """A NumPy array of an array or a torch tensor."""
    return np.asarray(part.detach().cpu() if hasattr(part, "detach") else part)
