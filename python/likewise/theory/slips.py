"""Slips of the paper, in 1 and 2 dimensions: the printed formula fails, the corrected one holds.

What is measured is the coefficient that they disagree on. It is read off the library's steps by least squares
over some places, for each eps. Each row says what Ruan and Zhang (2024) print, as we read it.
"""

import numpy as np

import likewise as lw
from likewise.theory import transport, worlds
from likewise.theory.check import Limit, checks, halved, later
from likewise.theory.limits import gaussian, squared_distances

GROUP = "Slips of the paper"
ABOUT = (
    "Printed formulas that do not hold, and what holds in their place: the coefficient that they disagree "
    "on is measured, and its distance from the printed one does not fall."
)


def _coefficient(measure, eps, name, printed):
    """A number that tends to the corrected one, `name` among the constants, and not to the printed one."""
    return Limit(measure, lambda c: np.array([c[name]]), eps, printed=lambda: np.array([printed]))


def _on(y, *columns):
    """Coefficients of y on these columns, by least squares."""
    matrix = np.stack([np.ravel(column) for column in columns], axis=1)
    return np.linalg.lstsq(matrix, np.ravel(y), rcond=None)[0]


# --- the factor m0 --------------------------------------------------------------------------------------


def _lost_m0(m):
    """For f = |x - y|^2 the printed limit divides the Laplacian and the drift by m0 = (2 pi)^(m/2)."""
    world = worlds.space(m)
    m0 = (2 * np.pi) ** (m / 2)
    printed = (world.laplacian / 2 + world.drift) / m0

    def measure(eps):
        return _on(world.generator(gaussian(eps), eps), printed)

    return _coefficient(measure, halved(0.01), "m0", 1.0)


# --- the 2 of the drift ---------------------------------------------------------------------------------


def _lost_two(m):
    """(P f - f)/eps = (a Lap f + b <grad log p, grad f>)/2: the coefficient b."""
    world = worlds.space(m)

    def measure(eps):
        return _on(2 * world.generator(gaussian(eps), eps), world.laplacian, world.drift)[1:]

    return _coefficient(measure, halved(0.01), "drift", 1.0)


# --- the unit sphere under dot products -----------------------------------------------------------------


def _dot_attention(where, eps):
    """exp(<x, z>/(2 eps)) on unit vectors: how many times (Lap + 2 <grad log p, grad .>)/2 the step is."""
    world = where()

    def measure(eps):
        mechanism = lw.Mechanism(metric="dot", kernel=lw.kernels.Exponential(2 * eps))
        stepped = world.generator(mechanism, eps, length=np.sqrt(eps))
        return _on(stepped, world.laplacian / 2 + world.drift)

    return _coefficient(measure, eps, "time", 1.0)


# --- the 1/2 of a Taylor term ---------------------------------------------------------------------------


def _lost_half(m):
    """(P phi - phi(y*))/eps: the coefficient of S_ij phi_ij, where 1/2 d2phi z z was taken as d2phi z z."""
    score = transport.skewed(m)

    def measure(eps):
        diffusion, drift, bend = score.terms
        return _on(score.moved(eps) - drift + bend / 2, diffusion)

    return _coefficient(measure, halved(0.01), "half", 1.0)


# --- the prefactor of lemma 2 ---------------------------------------------------------------------------


def _depth(x):
    """Psi(x), the least value of f(x, .) = |x - y|^2 + Psi(x)."""
    return 1.0 + 0.5 * np.sin(x.sum(axis=1))


def _lifted(eps):
    """exp(-f/(2 eps)) with a least value that is not 0."""

    def cost(X, Z):
        return squared_distances(X, Z) + _depth(X)[:, None]

    return lw.Mechanism(metric=lw.metrics.Custom(cost), kernel=lw.kernels.Exponential(2 * eps))


def _prefactor(m):
    """Mass of a row = exp(-Psi/(2 eps)) eps^(m/2) m0 p: eps times the logarithm of its first factor."""
    world = worlds.space(m)
    known = m / 2 * np.log(2 * np.pi) + world.log_density(world.places)

    def measure(eps):
        nodes = world.nodes(np.sqrt(eps))
        log_weights = nodes.log_weights + world.log_density(nodes.coordinates)
        P = _lifted(eps).operator(world.places, nodes.coordinates, log_key_weights=log_weights)
        return -eps * (P.log_row_sums - m / 2 * np.log(eps) - known)

    depth = _depth(world.places)
    return Limit(measure, lambda c: c["half"] * depth, halved(0.04), printed=lambda: depth, power=2)


def _cancels(m):
    """In P f the prefactor cancels: the limit is that of Psi = 0."""
    world = worlds.space(m)
    return Limit(
        lambda eps: world.generator(_lifted(eps), eps),
        lambda c: c["laplacian"] * world.laplacian + c["drift"] * world.drift,
        halved(0.01),
    )


# --- the values -----------------------------------------------------------------------------------------


def _rows():
    for m in (1, 2):
        yield (
            f"slip: m0 left out, m = {m}",
            f"f = |x - y|²: measured step / printed limit = (2π)^(m/2) = {(2 * np.pi) ** (m / 2):.5f}, not 1",
            "paper, lemma 2, proposition 1 and theorem 6",
            later(_lost_m0, m),
            {"m0": (2 * np.pi) ** (m / 2)},
        )
    for m in (1, 2):
        yield (
            f"slip: the 2 of the drift, m = {m}",
            "(P f - f)/ε = (Lap f + b <∇log p, ∇f>)/2: b = 2, printed 1",
            "paper, theorem 3, last line of the proof",
            later(_lost_two, m),
            {"drift": 2.0},
        )
    for m, where, eps in ((1, worlds.circle, halved(0.004)), (2, worlds.sphere, halved(0.01))):
        yield (
            f"slip: dot attention on the unit sphere, m = {m}",
            "f = -<x, z> = -1 + |x - z|²/2: twice the time of printed -1 + |x - z|²",
            "paper, example 1",
            later(_dot_attention, where, eps),
            {"time": 2.0},
        )
    for m in (1, 2):
        yield (
            f"slip: the 1/2 of a Taylor term, m = {m}",
            "(P φ - φ(y*))/ε = a S_ij φ_ij + ...: a = 1/2, printed 1",
            "paper, theorem 6, proof",
            later(_lost_half, m),
            {"half": 0.5},
        )
    for m in (1, 2):
        yield (
            f"slip: the prefactor, m = {m}",
            "f = |x - y|² + Ψ(x): -ε log(mass/(ε^(m/2) m0 p)) → Ψ/2, from exp(-Ψ/2ε), not exp(-Ψ/ε)",
            "paper, lemma 2",
            later(_prefactor, m),
            {"half": 0.5},
        )
        yield (
            f"and it cancels, m = {m}",
            "f = |x - y|² + Ψ(x): (P f - f)/ε → Lap f/2 + <∇log p, ∇f>, as for Ψ = 0",
            "paper, lemma 2",
            later(_cancels, m),
            {"laplacian": 0.5, "drift": 1.0},
        )


CHECKS = checks(GROUP, _rows())
