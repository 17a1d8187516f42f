"""Monte Carlo: how far n random points are from the limit, and whether standard errors say so.

Points are drawn anew many times; intervals are percentiles of the bootstrap over these repeats, 99 %. The
exponents are those of large n and small eps, and finite ones bend them by a few percent: a measured exponent
passes where its whole interval lies within 12 % of the predicted one, so that one 20 % off does not pass.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Callable

import numpy as np

import likewise as lw
from likewise.theory import fields
from likewise.theory.check import Check, Measured, Trace, later

GROUP = "Sampling error"
ABOUT = (
    "With n random points the step scatters around its limit. Exponents are measured over many samples, "
    "with 99 % intervals."
)
SOURCE = "Singer 2006, variance of a Monte Carlo mean"
DRAWS, CONFIDENCE, WIDTH = 400, 99, 0.12


@dataclass
class Exponent:
    """A slope in a log-log plot of what is measured in repeats.

    Attributes
    ----------
    draw : function () -> array with a first axis of repeats
    slope : function (array of repeats) -> the slope
    predict : function (constants) -> the exponent
    trace : function (array of repeats) -> (x, measured, x_label, y_label), all repeats together
    """

    draw: Callable
    slope: Callable
    predict: Callable
    trace: Callable

    @cached_property
    def measured(self):
        """(slope, low, high, drawn)."""
        repeats, rng = self.draw(), np.random.default_rng(1)
        again = [self.slope(repeats[rng.integers(len(repeats), size=len(repeats))]) for _ in range(DRAWS)]
        low, high = np.percentile(again, [(100 - CONFIDENCE) / 2, (100 + CONFIDENCE) / 2])
        return self.slope(repeats), low, high, self.trace(repeats)

    def __call__(self, constants):
        slope, low, high, (x, y, x_label, y_label) = self.measured
        exponent = self.predict(constants)
        farthest = max(abs(low - exponent), abs(high - exponent)) / abs(exponent)
        return Measured(
            predicted=exponent,
            measured=slope,
            error=farthest,
            tolerance=WIDTH,
            passed=bool(farthest <= WIDTH),
            interval=(float(low), float(high)),
            trace=Trace(x, {"measured": y}, x_label, y_label, {"measured": exponent}),
        )


# --- generators of random points ------------------------------------------------------------------------


def flat_torus(angles):
    """m angles as points of a product of m circles: distances of near points are those of the angles."""
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1)


def values(angles, frequency):
    """f."""
    return np.cos(frequency * angles).sum(axis=1)


@cache
def places(m):
    """Eight places to look at."""
    return np.random.default_rng(2).uniform(0, 2 * np.pi, (8, m))


def generators(m, n, eps, repeats, frequency, seed):
    """(P f - f)/eps at eight places, from n uniform points drawn anew: (repeats, len(eps), places)."""
    rng, asked = np.random.default_rng([seed, m, n]), flat_torus(places(m))
    at_places, found = values(places(m), frequency), np.empty((repeats, len(eps), len(places(m))))
    for repeat in range(repeats):
        angles = rng.uniform(0, 2 * np.pi, (n, m))
        points, f = flat_torus(angles), values(angles, frequency)
        for k, e in enumerate(eps):
            mechanism = lw.Mechanism(kernel=lw.kernels.Gaussian(np.sqrt(e)))
            found[repeat, k] = (mechanism.operator(asked, points) @ f - at_places) / e
    return found


def _log_deviation(found):
    """log of the standard deviation over repeats, mean over places."""
    return np.log(found.std(axis=0, ddof=1)).mean(axis=-1)


def _slope(x, y):
    """Of y on x, by least squares."""
    return float(np.polyfit(x, y, 1)[0])


def _in_n(m, repeats, counts, eps):
    def draw():
        parts = [generators(m, n, (eps,), repeats, 1.0, seed=3) for n in counts]
        return np.concatenate(parts, axis=1)

    def trace(found):
        return np.array(counts, float), np.exp(_log_deviation(found)), "n", "sd of the generator"

    logs = np.log(counts)
    return Exponent(draw, lambda found: _slope(logs, _log_deviation(found)), lambda c: c["exponent"], trace)


def _in_eps(m, repeats, n, eps):
    def draw():
        return generators(m, n, eps, repeats, 1.0, seed=4)

    def trace(found):
        return np.array(eps), np.exp(_log_deviation(found)), "ε", "sd of the generator"

    logs = np.log(eps)
    return Exponent(
        draw,
        lambda found: _slope(logs, _log_deviation(found)),
        lambda c: c["exponent"],
        trace,
    )


FREQUENCY = 3.0  # of the function whose error is least where eps is small but not tiny


def _best_eps(m, repeats, counts, eps):
    """eps of the least mean squared error, by a parabola through its logarithm, for each n."""
    limit = -(FREQUENCY**2) / 2 * values(places(m), FREQUENCY)
    logs = np.log(eps)

    def draw():
        parts = [generators(m, n, eps, repeats, FREQUENCY, seed=5) - limit for n in counts]
        return np.stack([(part**2).mean(axis=-1) for part in parts], axis=1)  # (repeats, n, eps)

    def best(squares):
        return np.array([_valley(logs, np.log(row)) for row in squares.mean(axis=0)])

    def trace(squares):
        return np.array(counts, float), np.exp(best(squares)), "n", "ε of the least mean squared error"

    return Exponent(
        draw,
        lambda squares: _slope(np.log(counts), best(squares)),
        lambda c: c["exponent"],
        trace,
    )


def _valley(x, y, reach=3):
    """Where the parabola through the least y and some on either side is least."""
    at = int(np.clip(y.argmin(), reach, len(x) - 1 - reach))
    near = slice(at - reach, at + reach + 1)
    second, first, _ = np.polyfit(x[near] - x[at], y[near], 2)
    return x[at] - first / (2 * second)


# --- standard errors ------------------------------------------------------------------------------------


def normal_fields(n, variance, eps, seed):
    """Fields of a normal sample in the plane, their exact drift and diffusion, and where there are any.

    A step from x to keys N(0, variance) is N(r x, eps r) with r = 1/(1 + eps/variance), exactly.
    """
    X = np.sqrt(variance) * np.random.default_rng(seed).normal(size=(n, 2))
    found = fields.drift_diffusion(X, lw.Mechanism(kernel=lw.kernels.Gaussian(np.sqrt(eps))), leave_out=True)
    r = 1 / (1 + eps / variance)
    drift = (r - 1) * X / eps
    diffusion = r * np.eye(2) + eps * drift[:, :, None] * drift[:, None, :]
    return found, drift, diffusion, ~np.isnan(found.drift[:, 0])


def _coverage(n, repeats):
    """Share of points whose drift lies within 1.96 standard errors of the exact one."""

    @cache
    def measured():
        shares = []
        for seed in range(repeats):
            found, drift, _, kept = normal_fields(n, 1.0, 0.16, seed)
            inside = np.abs(found.drift - drift)[kept] <= 1.96 * found.drift_error[kept]
            shares.append(inside.mean())
        return np.array(shares)

    def function(c):
        shares = measured()
        mean, half = shares.mean(), 2.58 * shares.std(ddof=1) / np.sqrt(len(shares))
        return Measured(
            predicted=c["share"],
            measured=float(mean),
            error=float(abs(mean - c["share"])),
            tolerance=0.02,
            passed=bool(abs(mean - c["share"]) <= 0.02),
            interval=(float(mean - half), float(mean + half)),
            trace=Trace(
                np.arange(len(shares)),
                {"measured": shares, "predicted": np.full(len(shares), c["share"])},
                "sample",
                "share of points",
                log=False,
            ),
        )

    return function


# --- the values -----------------------------------------------------------------------------------------


def rows(scale=1.0):
    """The checks, with `scale` times as many repeats."""
    repeats = max(20, int(400 * scale))
    for m, eps in ((1, 0.02), (2, 0.1)):
        yield Check(
            f"sd in n, m = {m}",
            GROUP,
            "sd of (P f - f)/ε ~ n^(-1/2)",
            SOURCE,
            later(_in_n, m, repeats, (2000, 4000, 8000, 16000), eps),
            {"exponent": -0.5},
            ("exponent",),
            True,
        )
    for m, eps in ((1, (0.04, 0.02, 0.01, 0.005)), (2, (0.1, 0.05, 0.025, 0.0125))):
        yield Check(
            f"sd in ε, m = {m}",
            GROUP,
            "sd of (P f - f)/ε ~ ε^(-1/2 - m/4)",
            SOURCE,
            later(_in_eps, m, repeats, 16000, eps),
            {"exponent": -1 / 2 - m / 4},
            ("exponent",),
            True,
        )
    for m, least, largest in ((1, 0.009, 0.18), (2, 0.018, 0.3)):
        yield Check(
            f"best ε, m = {m}",
            GROUP,
            "the least mean squared error is at ε ~ n^(-1/(3 + m/2))",
            SOURCE,
            later(_best_eps, m, repeats // 2, (1000, 4000, 16000, 64000), np.geomspace(least, largest, 12)),
            {"exponent": -1 / (3 + m / 2)},
            ("exponent",),
            True,
        )
    yield Check(
        "standard errors of drift_diffusion",
        GROUP,
        "normal points: the drift -x/(σ² + ε) lies within 1.96 standard errors at 95 % of points",
        "derived from Gaussian integrals (Ornstein-Uhlenbeck)",
        later(_coverage, 1000, max(5, int(20 * scale))),
        {"share": 0.95},
        monte_carlo=True,
    )


CHECKS = tuple(rows())
