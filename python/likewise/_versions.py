"""What a report of a problem should say about the machine."""

import importlib.metadata
import platform
import sys

from likewise import _core
from likewise._execution import effective_n_jobs

PACKAGES = ("likewise", "numpy", "scipy", "scikit-learn", "threadpoolctl", "torch")


def show_versions():
    """Print the versions of Python, likewise and what it uses, how it was compiled, and what it runs on."""
    print(f"{'python':15}{sys.version}")
    print(f"{'system':15}{platform.platform()}")
    for package in PACKAGES:
        print(f"{package:15}{_version(package)}")
    print(f"{'compiler':15}{_core.build()['compiler']} {_core.build()['flags']}")
    print(f"{'instructions':15}{_core.simd_target()} of {', '.join(_core.simd_targets())}")
    print(f"{'threads':15}{effective_n_jobs()}")


def _version(package):
    if package == "likewise":
        return _core.version()
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
