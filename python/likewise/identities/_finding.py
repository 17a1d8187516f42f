"""What an identity is, what checking it finds, and the data that it is checked on."""

import functools
from dataclasses import dataclass
from functools import cached_property
from typing import Callable

import numpy as np

from likewise import _checks

MOST_POINTS = 1000  # both sides of an identity are made dense
_MOST_CLASSES = 20

REGISTRY = {}  # name -> Identity, in the order of their numbers


@dataclass(frozen=True)
class Check:
    """One formula and how far its two sides are apart, as a share of the largest entry.

    differs: the two sides are not the same, and must be more than the tolerance apart.
    """

    formula: str
    difference: float
    tolerance: float
    differs: bool = False

    @property
    def holds(self):
        return bool(self._strain < 1 if self.differs else self._strain <= 1)

    @property
    def _strain(self):
        """Above 1 where it fails, NaN included."""
        least, most = (self.tolerance, self.difference) if self.differs else (self.difference, self.tolerance)
        strain = 0.0 if least == 0 else least / most if most > 0 else np.inf
        return np.inf if np.isnan(strain) else strain


@dataclass(frozen=True)
class Finding:
    """What checking an identity found: a Check for each of its formulas.

    difference, tolerance and formula are those of the check that is nearest to failing; holds: none fails.
    """

    number: int
    name: str
    title: str
    checks: tuple

    difference = property(lambda self: self._nearest.difference)
    tolerance = property(lambda self: self._nearest.tolerance)
    formula = property(lambda self: self._nearest.formula)
    holds = property(lambda self: all(check.holds for check in self.checks))

    @property
    def _nearest(self):
        return max(self.checks, key=lambda check: check._strain)

    def __str__(self):
        from likewise.identities._table import of_finding

        return of_finding(self)


@dataclass(frozen=True)
class Identity:
    """A row of the registry; function(X=None, y=None) is its Finding."""

    number: int
    name: str
    title: str
    formulas: tuple
    source: str
    function: Callable


def identity(number, title, *formulas, source):
    """Registers a function of Data that yields (difference, tolerance, differs) for each of the formulas."""

    def registered(sides):
        @functools.wraps(sides)
        def asked(X=None, y=None):
            data = X if isinstance(X, Data) else Data(X, y)
            with np.errstate(all="ignore"):
                found = list(sides(data))
            if len(found) != len(formulas):
                raise RuntimeError(f"{sides.__name__} has {len(formulas)} formulas; got {len(found)} checks.")
            checks = tuple(Check(formula, *each) for formula, each in zip(formulas, found))
            _require_digits(sides.__name__, checks, data)
            return Finding(number, sides.__name__, title, checks)

        del asked.__wrapped__  # whose signature is not this one
        REGISTRY[sides.__name__] = Identity(number, sides.__name__, title, formulas, source, asked)
        return asked

    return registered


def _require_digits(name, checks, data):
    """Refuse points of which rounding alone would explain anything: far too long, or too close."""
    tolerance = max((check.tolerance for check in checks if not check.differs), default=0)
    if not tolerance < 0.1:
        raise ValueError(
            f"X must leave {name} digits: rounding in {data.X.dtype} may make a difference of "
            f"{tolerance:.1g}, its numbers up to {np.abs(data.X).max():.3g}. Scale columns, or give float64."
        )


# --- how far two sides are apart


def same(a, b, tolerance, scale=None):
    """Two sides that are equal within the tolerance, relative to the scale: b's largest entry if None."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.shape != b.shape:
        raise ValueError(f"the two sides must have one shape; got {a.shape} and {b.shape}.")
    scale = np.abs(b).max(initial=0) if scale is None else scale
    return float(np.abs(a - b).max(initial=0) / (scale or 1)), float(tolerance), False


def at_most(a, bound, tolerance, scale):
    """a <= bound: what is above it, relative to the scale."""
    above = np.asarray(a, np.float64) - bound
    return float(np.fmax(np.max(above, initial=-np.inf), 0) / (scale or 1)), float(tolerance), False


def apart(a, b, least=1e-6):
    """Two sides that are not the same thing: more than `least` apart, far above rounding."""
    return *same(a, b, least)[:2], True


# --- the data


class Data:
    """Points X (n, d), a class for each, and what identities take from both.

    X : array (n, d), float32 or float64, at most 1000 rows; None: 150 irises, their columns scaled
    y : (n,) classes, or numbers of more than 20 values, which count as above or below their median; None:
        the first column is such numbers
    """

    def __init__(self, X=None, y=None):
        if X is None:
            X, y = _irises(y)
        self.X = _checks.finite(_checks.points(X), "X")
        self.n, self.d = self.X.shape
        if not 1 <= self.n <= MOST_POINTS or not self.d:
            raise ValueError(
                f"X must have 1 to {MOST_POINTS} rows and a column, since both sides are dense matrices; got "
                f"shape {self.X.shape}. A sample is X[::k]."
            )
        self.classes = _classes(self.X[:, 0] if y is None else y, self.n)
        self.eps = float(np.finfo(self.X.dtype).eps)

    @cached_property
    def one_hot(self):
        return np.eye(self.classes.max() + 1, dtype=self.X.dtype)[self.classes]

    @cached_property
    def values(self):
        """What is propagated: the points and their classes side by side."""
        return np.hstack([self.X, self.one_hot])

    @cached_property
    def length(self):
        """A bandwidth: the root of the points' mean squared distance from their center; 1 of one place."""
        return float(np.sqrt(((self.X - self.X.mean(axis=0)) ** 2).sum(axis=1).mean())) or 1.0

    @cached_property
    def queries(self):
        """Other points of the same size: X turned by a fixed matrix and put in reverse order."""
        turn = np.random.default_rng(self.d).normal(size=(self.d, self.d))
        return np.ascontiguousarray(self.X[::-1] @ np.linalg.qr(turn)[0].astype(self.X.dtype))

    @cached_property
    def largest_square(self):
        """Of |x|^2, with x taken from the mean."""
        return float(((self.X - self.X.mean(axis=0)) ** 2).sum(axis=1).max())

    def or_irises(self, least):
        """This data, or the irises where fewer than `least` rows differ."""
        return self if len(np.unique(self.X, axis=0)) >= least else Data()

    def rounding(self, exponent=0.0, n=None):
        """What rounding may do to a mean of values under weights exp(s), |s| <= exponent, on two sides.

        A sum of n terms errs by at most n u of the sum of their sizes, u = eps / 2; an exponent made of
        products of d numbers by (d + 2) u times the sizes it is made of, a weight by as much relative to
        itself, a mean of values by twice that; exp and log add a few (Higham 2002, chapters 3 and 4).
        """
        return self.eps * (2 * (self.d + 3) * exponent + (self.n if n is None else n) + 4)

    @property
    def of_distances(self):
        """rounding under exp(-|x - z|^2 / (2 h^2)) of X, h the length."""
        return self.rounding(2 * self.largest_square / self.length**2)

    def of_scores(self, q, k, t):
        """rounding under exp(<q, k> / t), or exp(-|q - k|^2 / (2 t))."""
        longest = (float(np.sqrt((A.astype(np.float64) ** 2).sum(axis=1).max())) for A in (q, k))
        return self.rounding(sum(longest) ** 2 / (2 * t))


def _irises(y):
    from sklearn.datasets import load_iris

    if y is not None:
        raise ValueError("X must be given together with y; got y alone.")
    X, y = load_iris(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0), y


def _classes(y, n):
    y = np.asarray(y)
    if y.shape != (n,):
        raise ValueError(f"y must have a class for each of the {n} rows of X; got shape {y.shape}.")
    if y.dtype.kind == "f":
        _checks.finite(y, "y")
    names, codes = np.unique(y, return_inverse=True)
    if len(names) > _MOST_CLASSES and y.dtype.kind in "iuf":
        return (y > np.median(y)).astype(int)
    return codes
