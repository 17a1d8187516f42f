"""The table of limits: n -> infinity, then eps -> 0; and the term after the first.

Lap is the Laplace-Beltrami operator of the metric g that near points measure, p the sampling density with
respect to its volume, L = Lap + 2 <grad log p, grad .>.
"""

from functools import cache

import numpy as np

import likewise as lw
from likewise.theory import calculus, worlds
from likewise.theory.check import Limit, checks, halved, later

GROUP = "Limits of one step"
ABOUT = (
    "As ε → 0 one step f → P f is a drift-diffusion process: (P f - f)/ε has a limit, with these "
    "constants. Errors that fall with ε at order 1, and Richardson values that agree, show the constants; "
    "a constant that is 5 % off would show as a line that stays up."
)
CLASSIC = "Coifman and Lafon 2006; Hein, Audibert and von Luxburg 2007"
VARIABLE = "Berry and Harlim 2016; Ting, Huang and Jordan 2010"
EPS = halved(0.02)


def gaussian(eps, **slots):
    """exp(-d^2/(2 eps))."""
    return lw.Mechanism(kernel=lw.kernels.Gaussian(np.sqrt(eps)), **slots)


def _generator(where, mechanism=gaussian, eps=EPS, tolerance=2e-3):
    """(P f - f)/eps -> laplacian Lap f + drift <grad log p, grad f>."""
    world = where()
    return Limit(
        lambda e: world.generator(mechanism(e), e),
        lambda c: c["laplacian"] * world.laplacian + c["drift"] * world.drift,
        eps,
        tolerance,
    )


def _double_length(where):
    """exp(-d^2/(4 eps)) gives L itself."""
    world = where()

    def measure(eps):
        return world.generator(gaussian(2 * eps), eps, length=np.sqrt(2 * eps))

    return Limit(
        measure, lambda c: c["laplacian"] * world.laplacian + c["drift"] * world.drift, halved(0.002)
    )


# --- normalizations -------------------------------------------------------------------------------------

ALPHAS = (0.0, 0.5, 1.0)


def _alpha(where, eps):
    """The limits of several alpha, one after the other."""
    world = where()

    def measure(eps):
        densities = (lw.normalizations.Density(alpha) for alpha in ALPHAS)
        return [world.generator(gaussian(eps, normalization=density), eps) for density in densities]

    def predict(c):
        of_alpha = [(c["drift"] - c["alpha"] * alpha) * world.drift for alpha in ALPHAS]
        return [c["half"] * (world.laplacian + drift) for drift in of_alpha]

    return Limit(measure, predict, eps, 4e-3)


def _sinkhorn(eps):
    return gaussian(eps, normalization=lw.normalizations.Bistochastic(tol=1e-13))


# --- metrics --------------------------------------------------------------------------------------------


def _positive(m):
    """A positive definite matrix without symmetry to hide behind."""
    W = np.random.default_rng(3).normal(size=(m, m))
    return W.T @ W / m + 0.5 * np.eye(m)


def _mahalanobis(m):
    """tr(M^-1 Hess f)/2 + <M^-1 grad log p, grad f>."""
    M = _positive(m)
    widths = 1 / np.sqrt(np.linalg.eigvalsh(M))
    world = worlds.space(m, widest=widths.max(), narrowest=widths.min())
    metric = lw.metrics.Mahalanobis.from_matrix(M)

    @cache
    def parts():
        x, inverse = world.places, np.linalg.inv(M)
        second = np.einsum("ij,nij->n", inverse, calculus.hessian(world.f)(x))
        slope = calculus.gradient(world.log_density)(x) @ inverse
        return second, calculus.dot(slope, calculus.gradient(world.f)(x))

    def predict(c):
        second, drift = parts()
        return c["half"] * second + c["drift"] * drift

    return Limit(lambda eps: world.generator(gaussian(eps, metric=metric), eps), predict, halved(0.02))


def squared_distances(X, Z):
    """|x - z|^2 of two blocks of points."""
    return np.sum((X[:, None] - Z[None]) ** 2, axis=-1)


def scaled_by(rho, eps, sides="both"):
    """exp(-d^2 / (2 eps rho(x) rho(y))), of sides="row" exp(-d^2 / (2 eps rho(x)^2))."""

    def cost(X, Z):
        other = rho(X)[:, None] if sides == "row" else rho(Z)[None]
        return squared_distances(X, Z) / (rho(X)[:, None] * other)

    return lw.Mechanism(metric=lw.metrics.Custom(cost), kernel=lw.kernels.Exponential(2 * eps))


def _log_rho(x):
    return 0.25 * np.sin(x @ np.array([0.9, -1.3, 0.6])[: x.shape[1]] + 0.5)


def _rho(x):
    return np.exp(_log_rho(x))


def _variable(m, sides):
    """rho^2 [laplacian Lap f + <grad log p + slope grad log rho, grad f>]; slope (m + 2)/2, or 0 by rows."""
    world = worlds.space(m, widest=np.exp(0.25), narrowest=np.exp(-0.25))
    to_rho = calculus.inner(calculus.flat, _log_rho, world.f)(world.places)

    def predict(c):
        drift = c["drift"] * world.drift + c.get("rho", 0.0) * to_rho
        return _rho(world.places) ** c["clock"] * (c["laplacian"] * world.laplacian + drift)

    return Limit(
        lambda eps: world.generator(scaled_by(_rho, eps, sides), eps), predict, halved(0.01), tolerance=1e-3
    )


# --- the second order -----------------------------------------------------------------------------------


def _second_order(m):
    """((P f - f)/eps - A f)/eps -> B f."""
    world = worlds.space(m)
    A = (world.laplacian + 2 * world.drift) / 2

    @cache
    def parts():
        x, f, p = world.places, world.f, lambda x: np.exp(world.log_density(x))
        product = _bilaplacian(lambda x: f(x) * p(x))(x) - f(x) * _bilaplacian(p)(x)
        return product / p(x), calculus.laplacian(p)(x) / p(x) * A

    def predict(c):
        fourth, second = parts()
        return c["eighth"] * fourth - c["half"] * second

    def measure(eps):
        return (world.generator(gaussian(eps), eps) - A) / eps

    return Limit(measure, predict, halved(0.01), tolerance=1e-3)


def _bilaplacian(f):
    return calculus.laplacian(calculus.laplacian(f))


# --- the values -----------------------------------------------------------------------------------------


def _rows():
    yield (
        "limit of exp(-d²/2ε), curve",
        "(P f - f)/ε → Lap f/2 + <∇log p, ∇f>",
        f"{CLASSIC}; paper, theorem 3",
        later(_generator, worlds.curve, eps=halved(0.004)),
        {"laplacian": 0.5, "drift": 1.0},
    )
    yield (
        "limit of exp(-d²/2ε), torus",
        "(P f - f)/ε → Lap f/2 + <∇log p, ∇f>",
        f"{CLASSIC}; paper, theorem 3",
        later(_generator, worlds.torus),
        {"laplacian": 0.5, "drift": 1.0},
    )
    for name, world in (("curve", worlds.curve), ("torus", worlds.torus)):
        yield (
            f"limit of exp(-d²/4ε), {name}",
            "(P f - f)/ε → Lap f + 2 <∇log p, ∇f> = L f",
            CLASSIC,
            later(_double_length, world),
            {"laplacian": 1.0, "drift": 2.0},
        )
    for name, world, eps in (("curve", worlds.curve, halved(0.004)), ("torus", worlds.torus, halved(0.02))):
        yield (
            f"density normalization, {name}",
            "r ∝ q^-α: (P f - f)/ε → (Lap f + (2 - 2α) <∇log p, ∇f>)/2, α = 0, 1/2, 1",
            "Coifman and Lafon 2006, density normalization",
            later(_alpha, world, eps),
            {"half": 0.5, "drift": 2.0, "alpha": 2.0},
        )
    for name, world, eps in (("curve", worlds.curve, halved(0.004)), ("torus", worlds.torus, halved(0.03))):
        yield (
            f"Sinkhorn, {name}",
            "rows and columns sum to 1: (P f - f)/ε → (Lap f + <∇log p, ∇f>)/2",
            "Marshall and Coifman 2019, doubly stochastic",
            later(_generator, world, _sinkhorn, eps, 5e-3),
            {"laplacian": 0.5, "drift": 0.5},
        )
    for m in (2, 3):
        yield (
            f"Mahalanobis metric, m = {m}",
            "d² = (x - y)ᵀM(x - y): (P f - f)/ε → tr(M⁻¹ Hess f)/2 + <M⁻¹ ∇log p, ∇f>",
            "derived: the classic limit in the coordinates Wx",
            later(_mahalanobis, m),
            {"half": 0.5, "drift": 1.0},
        )
    for m in (1, 2):
        yield (
            f"bandwidth ρ(x)ρ(y), m = {m}",
            "score d²/(2ε ρ(x)ρ(y)): → ρ² [Lap f/2 + <∇log p + (m+2)/2 ∇log ρ, ∇f>]",
            VARIABLE,
            later(_variable, m, "both"),
            {"laplacian": 0.5, "drift": 1.0, "rho": (m + 2) / 2, "clock": 2.0},
        )
        yield (
            f"bandwidth ρ(x)², m = {m}",
            "score d²/(2ε ρ(x)²): → ρ² [Lap f/2 + <∇log p, ∇f>]",
            VARIABLE,
            later(_variable, m, "row"),
            {"laplacian": 0.5, "drift": 1.0, "clock": 2.0},
        )
    for m in (1, 2):
        yield (
            f"second order, m = {m}",
            "P f = f + ε A f + ε² B f, B f = [Lap²(fp) - f Lap²p]/(8p) - Lap p/(2p) A f",
            "derived: the next term of Laplace's method",
            later(_second_order, m),
            {"eighth": 1 / 8, "half": 0.5},
        )


CHECKS = checks(GROUP, _rows())
