"""A check as a value: a statement with its constants, and what the library is measured to do."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Callable

import numpy as np

ORDERS = (0.9, 1.1)  # observed orders that count as one


@dataclass(frozen=True)
class Trace:
    """What a figure of a check draws.

    Attributes
    ----------
    x, x_label : what grows smaller (eps), or the numbers of what is compared
    errors : label -> array, of each x
    y_label : str
    slopes : label -> order of the line through the last point of those errors, where one is predicted
    log : whether both axes are logarithmic
    """

    x: np.ndarray
    errors: dict
    x_label: str = "eps"
    y_label: str = "relative error"
    slopes: dict = field(default_factory=dict)
    log: bool = True


@dataclass(frozen=True)
class Measured:
    """What came out.

    Attributes
    ----------
    predicted, measured : the numbers where the predicted one is largest; measured at the smallest eps
    richardson : 2 G(eps/2) - G(eps) there, None where nothing tends to zero
    order : observed order of the error in eps, or None
    error : largest difference of Richardson value (or measured one) and prediction / largest prediction; of a
        Monte Carlo exponent that of the farther end of its interval
    tolerance : of the error
    passed : bool
    interval : (low, high) of a Monte Carlo measurement, 99 %, or None
    trace : Trace
    """

    predicted: float
    measured: float
    error: float
    tolerance: float
    passed: bool
    order: float | None = None
    richardson: float | None = None
    interval: tuple | None = None
    trace: Trace | None = None


@dataclass(frozen=True)
class Check:
    """A statement with its constants; `run()` measures it, `run(drift=1.05)` under another constant.

    Attributes
    ----------
    name, group : str
    statement : str, the formula as text
    source : str, where it is stated
    function : function (constants) -> Measured
    constants : dict name -> value, all that the prediction is made of
    exponents : names of constants that are exponents read off a Monte Carlo measurement
    monte_carlo : bool; those run with full=True only
    """

    name: str
    group: str
    statement: str
    source: str
    function: Callable
    constants: dict
    exponents: tuple = ()
    monte_carlo: bool = False

    def run(self, **changed):
        """Measured, with these constants in place of the stated ones."""
        unknown = set(changed) - set(self.constants)
        if unknown:
            names = ", ".join(map(repr, self.constants))
            raise ValueError(f"constants of {self.name!r} must be among {names}; got {sorted(unknown)}.")
        return self.function({**self.constants, **changed})


@dataclass
class Limit:
    """G(eps), measured at falling eps, against what it tends to, with errors of order eps^power.

    Passed where the last two eps show that order within a tenth and their Richardson value, of power 1
    2 G(eps/2) - G(eps), fits.

    Attributes
    ----------
    measure : function eps -> array, what the library computes; kept once measured
    predict : function (constants) -> array of that shape
    eps : falling, each half of the one before
    tolerance : of the Richardson value, a share of the largest prediction
    printed : function () -> array or None: a formula that must fail, by ten tolerances at least
    x_label : what eps is called in the figure, "√ε" where it stands for the length
    power : of eps in the error, which the observed order is to show
    """

    measure: Callable
    predict: Callable
    eps: tuple
    tolerance: float = 2e-3
    printed: Callable | None = None
    x_label: str = "ε"
    power: int = 1

    @cached_property
    def measured(self):
        return np.stack([np.ravel(self.measure(eps)) for eps in self.eps])

    def __call__(self, constants):
        values = np.ravel(self.predict(constants))
        scale = np.abs(values).max()
        richardson = self.measured[1:] + (self.measured[1:] - self.measured[:-1]) / (2**self.power - 1)
        errors = np.abs(self.measured - values).max(axis=1) / scale
        of_richardson = np.abs(richardson - values).max(axis=1) / scale
        order = math.log(errors[-2] / errors[-1]) / math.log(self.eps[-2] / self.eps[-1])
        drawn = {"measured": errors, "Richardson": np.r_[np.nan, of_richardson]}
        refuted = True
        if self.printed is not None:
            drawn["printed formula"] = np.abs(self.measured - np.ravel(self.printed())).max(axis=1) / scale
            refuted = drawn["printed formula"][-1] > 10 * max(self.tolerance, errors[-1])
        at = int(np.abs(values).argmax())
        return Measured(
            predicted=float(values[at]),
            measured=float(self.measured[-1, at]),
            richardson=float(richardson[-1, at]),
            order=order,
            error=float(of_richardson[-1]),
            tolerance=self.tolerance,
            passed=bool(self._is_order(order) and of_richardson[-1] <= self.tolerance and refuted),
            trace=Trace(np.array(self.eps), drawn, self.x_label, slopes={"measured": self.power}),
        )

    def _is_order(self, order):
        return ORDERS[0] * self.power <= order <= ORDERS[1] * self.power


@dataclass
class Exact:
    """Numbers that must agree to rounding, without any limit.

    Attributes
    ----------
    measure : function () -> array
    predict : function (constants) -> array of that shape
    tolerance : of the largest difference, a share of the largest prediction
    shown : number of the entry that the table shows
    x, x_label : of the figure, None: the numbers of the entries
    """

    measure: Callable
    predict: Callable
    tolerance: float = 1e-10
    shown: int = 0
    x_label: str = "number of the value"
    x: tuple | None = None

    @cached_property
    def measured(self):
        return np.ravel(self.measure())

    def __call__(self, constants):
        values = np.ravel(self.predict(constants))
        errors = np.abs(self.measured - values) / np.abs(values).max()
        drawn = {"predicted": values, "measured": self.measured}
        x = np.array(self.x or range(1, len(values) + 1))
        return Measured(
            predicted=float(values[self.shown]),
            measured=float(self.measured[self.shown]),
            error=float(errors.max()),
            tolerance=self.tolerance,
            passed=bool(errors.max() <= self.tolerance),
            trace=Trace(x, drawn, self.x_label, "value", log=False),
        )


def halved(first, count=3):
    """first, first/2, first/4, ..."""
    return tuple(first / 2**k for k in range(count))


def later(make, *arguments, **about):
    """The function of constants that make(...) gives, made when it is first asked: imports train nothing."""
    made = cache(lambda: make(*arguments, **about))
    return lambda constants: made()(constants)


def checks(group, rows):
    """Checks of a group from rows (name, statement, source, function, constants)."""
    return tuple(Check(name, group, *about) for name, *about in rows)
