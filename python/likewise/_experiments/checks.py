"""Checks that the settings of a study and of a benchmark share."""

import os
from pathlib import Path


def check_int(name, value, least):
    """A TypeError or ValueError unless value is an int of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int of at least {least}; got {value!r}.")
    if value < least:
        raise ValueError(f"{name} must be an int of at least {least}; got {value}.")


def names_given(name, given):
    """One name or several as a tuple of str, each once."""
    given = (given,) if isinstance(given, (str, Path)) else tuple(given)
    for value in given:
        if not isinstance(value, (str, Path)):
            raise TypeError(f"{name} must be names; got {value!r}.")
    return tuple(dict.fromkeys(map(str, given)))


def output_folder(out):
    """The folder `out`, made where it is missing; a ValueError where it cannot be made or written to."""
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"out must be a folder, or a path where one can be made; got {str(out)!r}: {error.strerror}."
        ) from None
    if not os.access(folder, os.W_OK):
        raise ValueError(f"out must be a folder that can be written to; got {str(out)!r}.")
    return folder
