"""Drift-diffusion as a divergence, and where it is a heat equation: under a conformal metric, by self-tuning.

Predictions take Laplace-Beltrami operators by their definition, Lap_g u = div(sqrt(det g) g^-1 grad u) /
sqrt(det g), so the algebra that the statements claim is not assumed.
"""

from functools import cache

import numpy as np

import likewise as lw
from likewise.theory import calculus, worlds
from likewise.theory.check import Limit, checks, halved, later
from likewise.theory.limits import gaussian, scaled_by

GROUP = "Heat equations"
ABOUT = (
    "The drift can be written as a divergence in every dimension, and hidden in a metric in every "
    "dimension but 2: then the step is a heat equation, with a clock p^(4/(m-2)) that cannot be left out. "
    "Self-tuning bandwidths make it one without a clock."
)
CONFORMAL = "derived; paper, theorem 4"


def _whole(world, **about):
    """exp(-d^2/(4 eps)), whose limit is L f itself, against `predict`."""

    def measure(eps):
        return world.generator(gaussian(2 * eps), eps, length=np.sqrt(2 * eps))

    return Limit(measure, eps=halved(0.01), **about)


def _divergence(m):
    """L u = p^-outer div(p^inner grad u)."""
    world = worlds.space(m)

    def predict(c):
        def weight(x):
            return np.exp(c["inner"] * world.log_density(x))[:, None]

        flow = calculus.divergence(lambda x: weight(x) * calculus.gradient(world.f)(x))
        return np.exp(-c["outer"] * world.log_density(world.places)) * flow(world.places)

    return _whole(world, predict=predict)


def _difference(m):
    """L u = [Lap(p u) - u Lap p]/p."""
    world = worlds.space(m)

    @cache
    def parts():
        x, u, p = world.places, world.f, lambda x: np.exp(world.log_density(x))
        return calculus.laplacian(lambda x: p(x) * u(x))(x) / p(x), u(x) * calculus.laplacian(p)(x) / p(x)

    def predict(c):
        product, own = parts()
        return c["product"] * product - c["own"] * own

    return _whole(world, predict=predict)


def conformal(log_factor):
    """exp(2 lambda) times the metric of the coordinates."""
    return lambda x: np.exp(2 * log_factor(x))[:, None, None] * calculus.flat(x)


def _conformal(m):
    """p^(clock/(m - 2)) Lap_gbar u with gbar = exp(2 lambda) g, lambda = metric/(m - 2) log p."""
    world = worlds.space(m)

    def heat(power):
        gbar = conformal(lambda x: power / (m - 2) * world.log_density(x))
        return calculus.laplace_beltrami(gbar, world.f)(world.places)

    def predict(c):
        return np.exp(c["clock"] / (m - 2) * world.log_density(world.places)) * heat(c["metric"])

    return _whole(world, predict=predict, printed=cache(lambda: heat(2.0)))


def _no_conformal_metric():
    """In dimension 2, Lap_gbar u = exp(-2 lambda) Lap u is 0 for harmonic u, whatever lambda; L u is not."""
    world = worlds.space(2)
    world.f = lambda x: np.stack([x[:, 0], x[:, 1], x[:, 0] ** 2 - x[:, 1] ** 2, x[:, 0] * x[:, 1]], axis=1)
    to_p, slopes = calculus.gradient(world.log_density), calculus.gradient(world.f)
    drift = np.einsum("ni,nki->nk", to_p(world.places), slopes(world.places))
    return _whole(world, predict=lambda c: c["drift"] * drift, printed=lambda: np.zeros(drift.size))


def _self_tuning(m):
    """rho = p^(-1/m): Lap_gt/2 with gt = p^(2/m) g."""
    world = worlds.space(m)

    def log_p(x):
        return world.log_density(x) - 1.0  # rho = 1 in the middle of the box

    def rho(x):
        return np.exp(-log_p(x) / m)

    logs = -log_p(world.nodes(0.1).coordinates) / m
    world.nodes = worlds.around(world.places, widest=np.exp(logs.max()), narrowest=np.exp(logs.min()))

    def predict(c):
        gt = conformal(lambda x: c["exponent"] / (2 * m) * log_p(x))
        return c["half"] * calculus.laplace_beltrami(gt, world.f)(world.places)

    levels = halved({1: 0.001, 2: 0.01, 3: 0.04}[m])
    return Limit(lambda eps: world.generator(scaled_by(rho, eps), eps), predict, levels)


def _self_tuning_rule():
    """The library's own rule, lengths to the 7th neighbor, on a curve whose points have equal mass.

    With u, 2 pi times the share of the points, as the coordinate, points lie at u = 2 pi j/n and s_i is 4
    steps long: eps = (8 pi/n)^2 in units of rho = 1/p, and gt = p^2 ds^2 is du^2. What is missing is of order
    1/n, the root of eps, since the 7th neighbor is the nearer one of the two fourth ones.
    """
    world, n_places = worlds.curve(), 12
    places = np.arange(n_places)[:, None] * 2 * np.pi / n_places

    def measure(step):
        n = round(8 * np.pi / step)
        u = np.arange(n)[:, None] * 2 * np.pi / n
        mechanism = lw.Mechanism(kernel=lw.kernels.Gaussian("self_tuning"))
        P, f = mechanism.operator(world.embed(u + 0.5 * np.sin(u + 1))), world.f(u)
        return ((P @ f - f) / step**2)[:: n // n_places]

    second = calculus.laplacian(world.f)(places)
    steps = halved(8 * np.pi / (40 * n_places), 4)
    return Limit(measure, lambda c: c["half"] * second, steps, 5e-3, x_label="8π/n = √ε")


def _rows():
    source = "derived: the same drift in two other forms"
    for m in (1, 2, 3):
        yield (
            f"divergence form, m = {m}",
            "exp(-d²/4ε): (P u - u)/ε → L u = p⁻² div(p² ∇u)",
            source,
            later(_divergence, m),
            {"outer": 2.0, "inner": 2.0},
        )
    for m in (1, 2, 3):
        yield (
            f"difference form, m = {m}",
            "exp(-d²/4ε): (P u - u)/ε → L u = [Lap(pu) - u Lap p]/p",
            source,
            later(_difference, m),
            {"product": 1.0, "own": 1.0},
        )
    for m in (1, 3):
        yield (
            f"conformal heat equation, m = {m}",
            "L u = p^(4/(m-2)) Lap_ḡ u, ḡ = e^(2λ) g, λ = 2/(m-2) log p; without this clock it fails",
            CONFORMAL,
            later(_conformal, m),
            {"metric": 2.0, "clock": 4.0},
        )
    yield (
        "no conformal heat equation, m = 2",
        "harmonic u: L u → 2 <∇log p, ∇u> ≠ 0, but Lap_ḡ u = e^(-2λ) Lap u = 0 for every λ",
        CONFORMAL,
        later(_no_conformal_metric),
        {"drift": 2.0},
    )
    for m in (1, 2, 3):
        yield (
            f"self-tuning bandwidth, m = {m}",
            "ρ = p^(-1/m): (P f - f)/ε → Lap_g̃ f/2, g̃ = p^(2/m) g",
            "Zelnik-Manor and Perona 2004; derived from the bandwidth ρ(x)ρ(y)",
            later(_self_tuning, m),
            {"half": 0.5, "exponent": 2.0},
        )
    yield (
        "Gaussian('self_tuning') on a curve",
        "lengths to the 7th neighbor: → Lap_g̃ f/2 = f''(u)/2, u = 2π · share of points; error ~ √ε",
        "Zelnik-Manor and Perona 2004; derived from the bandwidth ρ(x)ρ(y)",
        later(_self_tuning_rule),
        {"half": 0.5},
    )


CHECKS = checks(GROUP, _rows())
