"""Where one step is measured: points with a density, a function, and nodes that integrate without error.

The eps-bias is isolated from sampling: nodes lie on a grid, and their quadrature weight times the density
goes into the mechanism as an additive key bias. A trapezoidal grid of spacing sqrt(eps)/1.5 integrates a
Gaussian of variance eps to 1e-19, on a closed manifold or on a box that reaches 8.5 sqrt(eps) beyond the
queries.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Callable

import numpy as np
from scipy.special import roots_legendre

from likewise.theory import calculus

STEPS = 1.5  # grid steps in a length sqrt(eps)
REACH = 8.5  # lengths; exp(-REACH^2/2) is below rounding


@dataclass(frozen=True)
class Nodes:
    """coordinates (n, m) and the logarithms of their quadrature weights (n,)."""

    coordinates: np.ndarray
    log_weights: np.ndarray


@dataclass
class World:
    """A manifold with a sampling density and a function on it.

    Attributes
    ----------
    embed : function (n, m) -> (n, d), coordinates to points, as the mechanism sees them
    log_density : function (n, m) -> (n,), of the sampling law with respect to the coordinates
    f : function (n, m) -> (n,) or (n, c), the values that are propagated
    places : (q, m), where the step is looked at
    nodes : function of a length sqrt(eps) -> Nodes
    """

    embed: Callable
    log_density: Callable
    f: Callable
    places: np.ndarray
    nodes: Callable

    @property
    def metric(self):
        """g = J^T J, what squared distances of near points measure."""
        return calculus.induced(self.embed)

    @property
    def log_p(self):
        """log of the density with respect to the volume of g."""
        volume = calculus.log_volume(self.metric)
        return lambda x: self.log_density(x) - volume(x)

    @cached_property
    def laplacian(self):
        """Lap f at the places, of each column of f."""
        return of_columns(lambda f: calculus.laplace_beltrami(self.metric, f), self.f, self.places)

    @cached_property
    def drift(self):
        """<grad log p, grad f> at the places."""
        return of_columns(lambda f: calculus.inner(self.metric, self.log_p, f), self.f, self.places)

    def propagate(self, mechanism, length, values=None, queries=None):
        """P f at the places: the library's part. length: sqrt(eps), which says how fine the nodes are."""
        nodes = self.nodes(length)
        log_weights = nodes.log_weights + self.log_density(nodes.coordinates)
        queries = self.embed(self.places) if queries is None else queries
        P = mechanism.operator(queries, self.embed(nodes.coordinates), log_key_weights=log_weights)
        return P @ (values or self.f)(nodes.coordinates)

    def generator(self, mechanism, eps, length=None):
        """(P f - f)/eps at the places."""
        stepped = self.propagate(mechanism, np.sqrt(eps) if length is None else length)
        return (stepped - self.f(self.places)) / eps


def of_columns(operator, f, places):
    """operator(f) at the places; of an f with several columns one by one."""
    width = f(places[:1]).shape[1:]
    if not width:
        return operator(f)(places)
    return np.stack([operator(lambda x, k=k: f(x)[:, k])(places) for k in range(width[0])], axis=1)


def grid(low, high, spacing):
    """Nodes of a trapezoidal rule on a box."""
    sides = [np.arange(np.floor(a / spacing), np.ceil(b / spacing) + 1) * spacing for a, b in zip(low, high)]
    points = np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, len(sides))
    return Nodes(points, np.full(len(points), len(sides) * np.log(spacing)))


def around(places, widest=1.0, narrowest=1.0):
    """Nodes on a box around the places, for kernels of widths between narrowest and widest sqrt(eps)."""

    def nodes(length):
        room = REACH * widest * length
        return grid(places.min(axis=0) - room, places.max(axis=0) + room, narrowest * length / STEPS)

    return nodes


def closed(embed, m):
    """Nodes on [0, 2 pi)^m, m closed directions, as many along each as its longest circle asks for."""
    coarse = _angles([60] * m)
    speed = np.sqrt(np.diagonal(calculus.induced(embed)(coarse), axis1=1, axis2=2).max(axis=0))

    def nodes(length):
        counts = np.ceil(STEPS * 2 * np.pi * speed / length).astype(int)
        points = _angles(counts)
        return Nodes(points, np.full(len(points), np.sum(np.log(2 * np.pi / counts))))

    return nodes


def _angles(counts):
    sides = [np.arange(count) * 2 * np.pi / count for count in counts]
    return np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, len(sides))


def over_sphere(stretch=1.0):
    """Nodes (polar angle, azimuth) on the unit sphere, whose image is `stretch` times as large at most.

    Gauss-Legendre in the cosine, whose weight is that of the area: densities are divided by sin(polar).
    """

    def nodes(length):
        count = int(np.ceil(STEPS * np.pi * stretch / length)) + 8
        cosines, weights = roots_legendre(count)
        azimuths = np.arange(2 * count) * np.pi / count
        polar, azimuth = np.meshgrid(np.arccos(cosines), azimuths, indexing="ij")
        log_weights = np.log(weights)[:, None] - np.log(np.sin(polar)) + np.log(np.pi / count)
        return Nodes(np.stack([polar, azimuth], axis=-1).reshape(-1, 2), log_weights.ravel())

    return nodes


def on_sphere(x):
    """(polar angle, azimuth) -> the point of the unit sphere."""
    polar, azimuth = x.T
    return np.stack([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)], axis=1)


# --- the worlds of most checks --------------------------------------------------------------------------


def log_density(x):
    """An uneven density (not normalized, which cancels)."""
    return np.sum(0.7 * np.sin(x + _PHASES[: x.shape[1]]), axis=-1) + 0.3 * np.cos(x.sum(axis=-1))


def f(x):
    """A function with all second and third derivatives."""
    return np.sum(np.cos(0.8 * x - _PHASES[: x.shape[1]]), axis=-1) + 0.5 * np.sin(x.sum(axis=-1) + 0.3)


_PHASES = np.array([0.4, 1.1, -0.6])


def scattered(n, m, low=-1.0, high=1.0, seed=0):
    """n places in a box."""
    return np.random.default_rng(seed).uniform(low, high, (n, m))


def space(m, widest=1.0, narrowest=1.0):
    """Flat R^m."""
    n, side = (9, 1.0) if m < 3 else (5, 0.4)
    places = scattered(n, m, -side, side)
    return World(lambda x: x, log_density, f, places, around(places, widest, narrowest))


@cache
def curve():
    """A closed curve in the plane: Lap is d2/ds2."""

    def embed(x):
        radius = 1 + 0.25 * np.cos(2 * x)
        return np.concatenate([radius * np.cos(x), 1.2 * radius * np.sin(x)], axis=1)

    return World(embed, log_density, f_periodic, scattered(12, 1, 0, 2 * np.pi), closed(embed, 1))


@cache
def torus():
    """A torus of revolution in space, radii 1 and 0.45."""

    def embed(x):
        across = 1 + 0.45 * np.cos(x[:, 1])
        return np.stack([across * np.cos(x[:, 0]), across * np.sin(x[:, 0]), 0.45 * np.sin(x[:, 1])], axis=1)

    return World(embed, log_density, f_periodic, scattered(10, 2, 0, 2 * np.pi), closed(embed, 2))


@cache
def sphere():
    """The unit sphere in space, away from the poles of its coordinates."""
    places = np.random.default_rng(0).uniform([0.8, 0.0], [2.3, 2 * np.pi], (10, 2))

    def density(x):
        y = on_sphere(x)
        return 0.8 * np.sin(y[:, 0] + 0.4) + 0.6 * y[:, 1] * y[:, 2] + np.log(np.sin(x[:, 0]))

    def values(x):
        y = on_sphere(x)
        return np.cos(1.3 * y[:, 0] - 0.4) + y[:, 1] ** 2 - 0.7 * y[:, 2]

    return World(on_sphere, density, values, places, over_sphere())


@cache
def circle():
    """The unit circle in the plane."""

    def embed(x):
        return np.concatenate([np.cos(x), np.sin(x)], axis=1)

    return World(embed, log_density, f_periodic, scattered(12, 1, 0, 2 * np.pi), closed(embed, 1))


def f_periodic(x):
    """A function of angles."""
    return np.sum(np.cos(x - _PHASES[: x.shape[1]]), axis=-1) + 0.5 * np.sin(x.sum(axis=-1) + 0.3)
