"""Packages that only parts of likewise need, and how to say that one is missing."""

import importlib.util


def need(who, *packages, extra):
    """A ModuleNotFoundError that says which packages `who` lacks, and the extra that brings them."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        way = f"install with: pip install 'likewise[{extra}]'"
        raise ModuleNotFoundError(f"{who} needs {' and '.join(missing)}; {way}.", name=missing[0])
