"""Scores that are no metric: information is transported to y*(x) first, then it drifts and diffuses there.

Of a score -f(x, y)/eps with one nondegenerate minimizer y*(x) of f(x, .), S the inverse of the Hessian there:
P phi(x) = phi(y*) + eps {S_ij phi_ij/2 + S_il (log p)_i phi_l - S_li S_jk f_ijk phi_l/2}. Where the
minimizers are a flat submanifold A_x, the step tends to the conditional expectation on A_x.
"""

from functools import cache, cached_property

import numpy as np

import likewise as lw
from likewise.theory import calculus, worlds
from likewise.theory.check import Limit, checks, halved, later

GROUP = "Transport before diffusion"
ABOUT = (
    "A score whose minimizer y*(x) is not x moves information there at first order; only then does it "
    "diffuse. Keys that a score cannot tell apart are averaged."
)
SOURCE = "derived by Laplace's method; paper, theorems 5 and 6"


class Score:
    """f(x, y) with minimizers at the places of a world: `queries` x, a mechanism, and f by NumPy.

    Attributes
    ----------
    world : World, whose places are the y*
    queries : (q, d), the x that ask
    metric : of the library, c(x, y) = f(x, y)
    cost : function (n, m) -> (n,), f(x, .) with row i asked by x_i
    """

    def __init__(self, world, queries, metric, cost):
        self.world, self.queries, self.metric, self.cost = world, queries, metric, cost

    def step(self, eps, divisor=1.0):
        """P phi at the queries, weights exp(-f/(divisor eps))."""
        mechanism = lw.Mechanism(metric=self.metric, kernel=lw.kernels.Exponential(divisor * eps))
        return self.world.propagate(mechanism, np.sqrt(divisor * eps), queries=self.queries)

    @property
    def arrived(self):
        """phi(y*)."""
        return self.world.f(self.world.places)

    def moved(self, eps, divisor=1.0):
        """(P phi - phi(y*))/eps."""
        return (self.step(eps, divisor) - self.arrived) / eps

    @cached_property
    def terms(self):
        """S_ij phi_ij, S_il (log p)_i phi_l and S_li S_jk f_ijk phi_l at y*."""
        y, phi = self.world.places, self.world.f
        S = np.linalg.inv(calculus.hessian(self.cost)(y))
        third = calculus.gradient(calculus.hessian(self.cost))(y)
        slope = calculus.gradient(phi)(y)
        to_p = calculus.gradient(self.world.log_density)(y)
        diffusion = np.einsum("nij,nij->n", S, calculus.hessian(phi)(y))
        drift = np.einsum("nil,ni,nl->n", S, to_p, slope)
        bend = np.einsum("nli,njk,nijk,nl->n", S, S, third, slope)
        return diffusion, drift, bend


@cache
def skewed(m):
    """f(x, y) = sum_k h(<a_k, y - y*(x)>), h(z) = e^z - 1 - z: a minimum that is steeper on one side."""
    directions = np.array([[1.0]]) if m == 1 else np.array([[1.0, 0.2], [-0.3, 0.9], [0.5, -0.6]])
    world = worlds.space(m, widest=1.3, narrowest=0.6)

    def moved(x):  # y*(x)
        return x + 0.4 + 0.3 * np.sin(x)

    def cost(X, Z):
        z = (Z[None] - moved(X)[:, None]) @ directions.T
        return np.sum(np.expm1(z) - z, axis=-1)

    queries = world.places
    world.places = moved(queries)
    world.nodes = worlds.around(world.places, 1.3, 0.6)

    def at_rows(y):
        z = (y - world.places) @ directions.T
        return np.sum(np.expm1(z) - z, axis=-1)

    return Score(world, queries, lw.metrics.Custom(cost), at_rows)


@cache
def two_maps():
    """f(x, y) = |x - psi(y)|^2 with psi a residual network: queries and keys through different maps."""
    rng = np.random.default_rng(5)
    W1, b1, W2 = 0.9 * rng.normal(size=(4, 2)), rng.normal(size=4), 0.3 * rng.normal(size=(2, 4))
    world = worlds.space(2, widest=1.6, narrowest=0.45)

    def psi(y):
        return y + np.tanh(y @ W1.T + b1) @ W2.T

    identity = lw.maps.Linear(np.eye(2))
    network = lw.maps.ResidualMLP(W1, b1, W2, np.zeros(2))
    metric = lw.metrics.Mapped((identity, network), "sqeuclidean")
    queries = psi(world.places)
    return Score(world, queries, metric, lambda y: np.sum((queries - psi(y)) ** 2, axis=-1))


def _zeroth(make, *m):
    score = make(*m)
    return Limit(score.step, lambda c: c["value"] * score.arrived, halved(0.02))


def _first(make, *m, divisor=1.0):
    """(P phi - phi(y*))/eps under exp(-f/(divisor eps)); the paper's scaling has divisor 2."""
    score = make(*m)

    def predict(c):
        diffusion, drift, bend = score.terms
        return c["diffusion"] * diffusion + c["drift"] * drift - c["bend"] * bend

    return Limit(lambda eps: score.moved(eps, divisor), predict, halved(0.01 / divisor), 4e-3)


# --- maps that are not injective ------------------------------------------------------------------------


def _mixture(y):
    """log of three Gaussian bumps in the plane."""
    centers = np.array([[-0.9, 0.4], [1.0, 0.7], [0.2, -1.1]])
    shares = np.log([0.5, 0.3, 0.2])
    exponents = shares - np.sum((y[:, None] - centers) ** 2, axis=-1) / (2 * 0.5**2)
    top = exponents.max(axis=1, keepdims=True)
    return np.log(np.exp(exponents - top).sum(axis=1)) + top[:, 0]


def plane():
    """The plane under three bumps; nodes reach as far as the bumps do."""
    places = worlds.scattered(8, 2)

    def nodes(length):
        return worlds.grid([-5.5, -5.5], [5.5, 5.5], length / worlds.STEPS)

    return worlds.World(lambda x: x, _mixture, worlds.f, places, nodes)


_W = np.array([[0.8, 0.5]])


class Fibers:
    """Integrals along the lines W y = t, W a row: of p^weight, and of f under it."""

    def __init__(self, W, log_density, f, weight=1.0):
        across = np.array([[-W[0, 1], W[0, 0]]]) / np.linalg.norm(W)
        along = np.arange(-7.0, 7.0, 0.05)
        self.back, self.points = W / np.sum(W**2), along[:, None] * across
        self.log_density, self.f, self.weight = log_density, f, weight

    def mass(self, t, values=None):
        """The integral of values p^weight along each line of t (n, 1), up to a factor that all share."""
        lines = (t @ self.back)[:, None] + self.points
        y = lines.reshape(-1, 2)
        p = np.exp(self.weight * self.log_density(y))
        return (p if values is None else values(y) * p).reshape(len(t), -1).sum(axis=1)

    def expectation(self, t):
        """E[f(Y) | W Y = t]."""
        return self.mass(t, self.f) / self.mass(t)


def projected(eps):
    """exp(-|W (x - y)|^2/(2 eps)), W a row."""
    return lw.Mechanism(metric=lw.metrics.Mahalanobis(_W), kernel=lw.kernels.Gaussian(np.sqrt(eps)))


def _conditional():
    world = plane()
    t = world.places @ _W.T

    def predict(c):
        return Fibers(_W, world.log_density, world.f, c["weight"]).expectation(t)

    return Limit(lambda eps: world.propagate(projected(eps), np.sqrt(eps)), predict, halved(0.02))


def _along_the_quotient():
    """(P f - E)/eps -> E''/2 + (log D)' E' in t = W y, E the expectation on a fiber, D its mass."""
    world = plane()
    t, fibers = world.places @ _W.T, Fibers(_W, world.log_density, world.f)

    @cache
    def parts():
        to_d = calculus.gradient(lambda t: np.log(fibers.mass(t)))(t)[:, 0]
        slope = calculus.gradient(fibers.expectation)(t)[:, 0]
        return calculus.laplacian(fibers.expectation)(t), to_d * slope

    def predict(c):
        second, drift = parts()
        return c["half"] * second + c["drift"] * drift

    def measure(eps):
        return (world.propagate(projected(eps), np.sqrt(eps)) - fibers.expectation(t)) / eps

    return Limit(measure, predict, halved(0.01), 4e-3)


# --- theorem 6: the Hessian across A_x counts -----------------------------------------------------------


def _stiffness(v):
    return np.exp(0.6 * np.sin(v) + 0.3 * v)


def _aim(x):  # u of the minimizers A_x = {(u, v): u = aim(x)}
    return 0.3 + 0.6 * x[:, 0] - 0.2 * x[:, 1]


def _valley_cost(X, Z):
    return _stiffness(Z[None, :, 1]) * (Z[None, :, 0] - _aim(X)[:, None]) ** 2


def valley(eps):
    """exp(-f/(2 eps)) with f = s(v) (u - aim(x))^2."""
    return lw.Mechanism(metric=lw.metrics.Custom(_valley_cost), kernel=lw.kernels.Exponential(2 * eps))


class Valley:
    """Integrals over A_x, of p m0 with m0 ~ s^power, and their next order."""

    def __init__(self):
        self.world = plane()
        self.v = np.arange(-6.0, 6.0, 0.05)
        self.u = _aim(self.world.places)[:, None]

    def over(self, g, power):
        """The integral of g(u, v) s(v)^power over A_x."""
        u = np.repeat(self.u, len(self.v), axis=1)
        points = np.stack([u, np.broadcast_to(self.v, u.shape)], axis=-1).reshape(-1, 2)
        return (g(points).reshape(u.shape) * _stiffness(self.v) ** power).sum(axis=1)

    def p(self, y):
        return np.exp(self.world.log_density(y))

    def product(self, y):
        return self.world.f(y) * self.p(y)

    def expectation(self, power=-0.5):
        return self.over(self.product, power) / self.over(self.p, power)

    def step(self, eps):
        fine = np.sqrt(eps / _stiffness(self.v).max())  # the narrowest part of the valley
        return self.world.propagate(valley(eps), fine)


def _flat_minimizers():
    place = Valley()
    return Limit(place.step, lambda c: place.expectation(c["m0"]), halved(0.02))


def _flat_minimizers_first():
    """(N1 - E D1)/D0, N1 and D1 the integrals of (f p)_uu and p_uu over 2 s^(3/2)."""
    place = Valley()

    def along_u(g):
        return lambda y: calculus.hessian(g)(y)[:, 0, 0]

    def predict(c):
        N1, D1 = (c["half"] * place.over(along_u(g), c["power"]) for g in (place.product, place.p))
        return (N1 - place.expectation() * D1) / place.over(place.p, -0.5)

    return Limit(lambda e: (place.step(e) - place.expectation()) / e, predict, halved(0.01), 4e-3)


# --- the values -----------------------------------------------------------------------------------------

_FIRST = "(P φ - φ(y*))/ε → S_ij φ_ij/2 + S_il (log p)_i φ_l - S_li S_jk f_ijk φ_l/2"


def _rows():
    scores = {"skewed, m = 1": (skewed, 1), "skewed, m = 2": (skewed, 2), "|x - ψ(y)|², m = 2": (two_maps,)}
    for name, score in scores.items():
        yield (
            f"transport: {name}",
            "score -f(x, y)/ε: P φ(x) → φ(y*(x))",
            SOURCE,
            later(_zeroth, *score),
            {"value": 1.0},
        )
    for name, score in scores.items():
        yield (
            f"then diffusion: {name}",
            _FIRST,
            SOURCE,
            later(_first, *score),
            {"diffusion": 0.5, "drift": 1.0, "bend": 0.5},
        )
    for name, score in scores.items():
        yield (
            f"in the paper's scaling: {name}",
            "exp(-f/2ε): (P g - g(y*))/ε → c⁻¹_ij g_ij + 2 c⁻¹ ∇log p·∇g - c⁻¹_il c⁻¹_jk d_ijk g_l",
            "derived by Laplace's method; paper, proposition 1 and theorem 6 as corrected",
            later(_first, *score, divisor=2.0),
            {"diffusion": 1.0, "drift": 2.0, "bend": 1.0},
        )
    yield (
        "a map that is not injective",
        "P f(x) → E[f(Y) | W Y = W x]",
        "derived; paper, theorems 5 and 6",
        later(_conditional),
        {"weight": 1.0},
    )
    yield (
        "and what diffuses under it",
        "(P f - E)/ε → E''/2 + (log D)' E' in t = W x, D the density of W Y: only across the fibers",
        "derived: the classic limit in t = W x",
        later(_along_the_quotient),
        {"half": 0.5, "drift": 1.0},
    )
    yield (
        "flat minimizers",
        "exp(-f/2ε), f = s(v)(u - u*(x))²: P H(x) → E[H(Y) | Y ∈ A_x] under p m0, m0 ~ s^(-1/2)",
        "paper, theorems 5 and 6",
        later(_flat_minimizers),
        {"m0": -0.5},
    )
    yield (
        "flat minimizers, first order",
        "(P H - E)/ε → (N1 - E D1)/D0, N1 = ∫ (Hp)_uu/2 s^(-3/2) dv, D1 the same of p, D0 = ∫ p s^(-1/2) dv",
        "paper, theorem 6 as corrected",
        later(_flat_minimizers_first),
        {"half": 0.5, "power": -1.5},
    )


CHECKS = checks(GROUP, _rows())
