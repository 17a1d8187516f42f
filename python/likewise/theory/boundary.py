"""At an edge half of the neighbors are missing: a layer of width sqrt(eps), where the step is of that order.

P f = f + sqrt(2 eps/pi) d_inward f at the edge, and at t sqrt(eps) from it sqrt(eps) n(t)/N(t) d_inward f,
n and N the density and the distribution of a standard normal law.
"""

import numpy as np
from scipy.special import ndtr

import likewise as lw
from likewise.theory import calculus, worlds
from likewise.theory.check import Limit, checks, halved, later

GROUP = "Edges"
ABOUT = "At an edge the step is of order √ε, not ε. The layer is a few √ε wide; elsewhere 5√ε are left out."
SOURCE = "Coifman and Lafon 2006, derived near an edge"
LEFT_OUT = 5.0  # lengths sqrt(eps) at an edge that are left out elsewhere


def half_space(m):
    """x_1 >= 0. Along x_1 Gauss-Legendre nodes, which end at the edge."""
    places = worlds.scattered(7, m)
    places[:, 0] = 0.0

    def nodes(length):
        end = (LEFT_OUT + worlds.REACH) * length
        x, weights = np.polynomial.legendre.leggauss(48)
        first = worlds.Nodes((x[:, None] + 1) * end / 2, np.log(weights * end / 2))
        if m == 1:
            return first
        beside = worlds.around(places[:, 1:])(length)
        n, k = len(first.coordinates), len(beside.coordinates)
        return worlds.Nodes(
            np.c_[np.repeat(first.coordinates, k, axis=0), np.tile(beside.coordinates, (n, 1))],
            np.repeat(first.log_weights, k) + np.tile(beside.log_weights, n),
        )

    return worlds.World(lambda x: x, worlds.log_density, worlds.f, places, nodes)


def _inward(world):
    return calculus.gradient(world.f)(world.places)[:, 0]


def _mechanism(length):
    return lw.Mechanism(kernel=lw.kernels.Gaussian(length))


def _at(world, t, length):
    """The world looked at t lengths from the edge."""
    places = world.places + t * length * np.eye(1, world.places.shape[1])
    return worlds.World(world.embed, world.log_density, world.f, places, world.nodes)


def _step(world, t, length):
    """(P f - f)/sqrt(eps) at t lengths from the edge."""
    there = _at(world, t, length)
    return (there.propagate(_mechanism(length), length) - there.f(there.places)) / length


def _edge(m):
    world = half_space(m)
    return Limit(
        lambda length: _step(world, 0.0, length),
        lambda c: c["factor"] * _inward(world),
        halved(0.05),
        x_label="√ε",
    )


PROFILE = np.arange(0.0, LEFT_OUT + 0.5, 0.5)


def _layer():
    world = half_space(2)

    def measure(length):
        return [_step(world, t, length) for t in PROFILE]

    def predict(c):
        return c["height"] * _ratio(c["width"] * PROFILE)[:, None] * _inward(world)

    return Limit(measure, predict, halved(0.02), x_label="√ε")


def profile(length=0.005):
    """(t, measured, predicted) of the layer in one dimension, divided by the slope at the edge."""
    world = half_space(1)
    slope = np.abs(_inward(world)).max()
    steps = [np.abs(_step(world, t, length)).max() for t in PROFILE]
    return PROFILE, np.array(steps) / slope, _ratio(PROFILE)


def _ratio(t):
    """n(t)/N(t)."""
    return np.exp(-(t**2) / 2) / np.sqrt(2 * np.pi) / ndtr(t)


def _exponent():
    """Local slopes of log |P f - f| in log eps at the edge."""
    world = half_space(2)

    def measure(length):
        wide, narrow = (np.abs(_step(world, 0.0, k * length)) * k * length for k in (1.0, 0.5))
        return np.log(wide / narrow) / np.log(4)

    ones = np.ones(len(world.places))
    return Limit(measure, lambda c: c["exponent"] * ones, halved(0.02), 5e-3, x_label="√ε")


def _left_over():
    """What the edge changes at 5 sqrt(eps) from it, in sqrt(eps): the step with the edge minus without."""
    world = half_space(2)

    def measure(length):
        there = _at(world, LEFT_OUT, length)
        whole = worlds.World(
            world.embed, world.log_density, world.f, there.places, worlds.around(there.places)
        )
        mechanism = _mechanism(length)
        return (there.propagate(mechanism, length) - whole.propagate(mechanism, length)) / length

    def predict(c):
        return _ratio(c["distance"]) * _inward(world)

    return Limit(measure, predict, halved(0.02), x_label="√ε")


def _rows():
    for m in (1, 2):
        yield (
            f"at an edge, m = {m}",
            "(P f - f)/√ε → √(2/π) ∂_inward f",
            SOURCE,
            later(_edge, m),
            {"factor": np.sqrt(2 / np.pi)},
        )
    yield (
        "the layer",
        "t√ε from the edge: (P f - f)/√ε → n(t)/N(t) ∂_inward f, t = 0 to 5 (standard normal n, N)",
        SOURCE,
        later(_layer),
        {"height": 1.0, "width": 1.0},
    )
    yield (
        "order of the layer",
        "|P f - f| at the edge grows as ε^(1/2)",
        SOURCE,
        later(_exponent),
        {"exponent": 0.5},
    )
    yield (
        "what is left at 5√ε",
        "(P f - P f without the edge)/√ε → n(5)/N(5) ∂_inward f = 1.5e-6 ∂_inward f",
        SOURCE,
        later(_left_over),
        {"distance": LEFT_OUT},
    )


CHECKS = checks(GROUP, _rows())
