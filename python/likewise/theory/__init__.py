"""What one step of propagation tends to, measured: every statement about limits as a check that runs.

    likewise theory                 # on the command line: a table and a page with figures

    from likewise import theory
    theory.run().passed             # the same from Python
    theory.CHECKS[0].run()          # one check; .run(drift=1.05) under another constant
    theory.drift_diffusion(X, m)    # drift and diffusion of one step on your points, with standard errors
    theory.heat_flow(X, m, f, [1, 10, 100])    # repeated steps beside the heat flow of the spectrum

The library computes operators and steps; predictions are computed by NumPy, from densities and functions that
are differentiated numerically (`calculus`). A check is a value: its statement, its source, its constants by
name, and a function of these constants (`check`).
"""

from likewise.theory import boundary, exact, heat, learned, limits, sampling, slips, transport
from likewise.theory.check import Check, Measured
from likewise.theory.fields import Fields, HeatFlow, drift_diffusion, heat_flow
from likewise.theory.run import Result, Results, run

PARTS = (limits, heat, transport, exact, boundary, learned, slips, sampling)
CHECKS = tuple(check for part in PARTS for check in part.CHECKS)
ABOUT = {part.GROUP: part.ABOUT for part in PARTS}

__all__ = [
    "CHECKS",
    "Check",
    "Fields",
    "HeatFlow",
    "Measured",
    "Result",
    "Results",
    "drift_diffusion",
    "heat_flow",
    "run",
]
