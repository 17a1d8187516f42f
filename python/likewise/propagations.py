"""Propagations: what is done with the operator?"""

from likewise._core import Equilibrium, Heat, OneStep, Spectrum, Steps
from likewise._core import propagation_from_name as from_name
from likewise._core import propagation_names as names

__all__ = [
    "Equilibrium",
    "Heat",
    "OneStep",
    "Spectrum",
    "Steps",
    "from_name",
    "names",
]
