"""One operator, seven readings: the same P on the two moons, read as seven methods read it."""

from dataclasses import dataclass

import numpy as np

import likewise as lw
from likewise import datasets, kernels, supports
from likewise.propagations import Equilibrium, Steps

BANDWIDTH = 0.15
N_SAMPLES = 200
N_NEIGHBORS = 10
DIFFUSION_TIME = 8
GRID = (90, 60)


@dataclass(frozen=True, eq=False)
class Readings:
    """What one operator says when read seven ways.

    X (n, 2) points and y (n,) their moon, 0 or 1; xs (a,), ys (b,) the axes of the grid.
    matrix (n, n), P with the points of each moon together; surface (b, a), the regression of the noisy wave
    (n,); neighbors (b, a), the share of moon 1 among the nearest; clusters (n,) labels from the second
    eigenvector; diffusion (n, 2) coordinates; propagated (n,) the probability of moon 1, from one label a
    moon, at `labeled` (2,); modes (n, 2) where repeated steps lead; queries (q, 2) and attended (q, 2) their
    attention output; mechanism, the slots that P used.
    """

    X: np.ndarray
    y: np.ndarray
    xs: np.ndarray
    ys: np.ndarray
    matrix: np.ndarray
    wave: np.ndarray
    surface: np.ndarray
    neighbors: np.ndarray
    clusters: np.ndarray
    diffusion: np.ndarray
    labeled: np.ndarray
    propagated: np.ndarray
    modes: np.ndarray
    queries: np.ndarray
    attended: np.ndarray
    mechanism: object


def compute(seed=0):
    """Every reading of P: squared Euclidean, Gaussian, all pairs, row-stochastic, on 200 points."""
    X, y = _ordered_moons(seed)
    mechanism = lw.Mechanism(metric="sqeuclidean", kernel=kernels.Gaussian(bandwidth=BANDWIDTH))
    P = mechanism.operator(X)
    xs, ys, grid = _grid(X)
    wave = np.sin(2 * X[:, 0]) + 0.3 * np.random.default_rng(seed).standard_normal(len(X))
    values, vectors = P.eigsh(3)
    labeled = np.array([np.argmin(X[:, 0]), np.argmax(X[:, 0])])  # the outer tip of each moon
    queries = grid.reshape(len(ys), len(xs), 2)[6::12, 6::12].reshape(-1, 2)
    return Readings(
        X=X,
        y=y,
        xs=xs,
        ys=ys,
        matrix=P.toarray(),
        wave=wave,
        surface=(P.at(grid) @ wave).reshape(len(ys), len(xs)),
        neighbors=_neighbor_share(mechanism, X, y, grid).reshape(len(ys), len(xs)),
        clusters=(vectors[:, 1] > 0).astype(int),
        diffusion=vectors[:, 1:] * values[1:] ** DIFFUSION_TIME,
        labeled=labeled,
        propagated=_propagate(mechanism, X, y, labeled),
        modes=mechanism.replace(propagation=Steps(300, moving="points")).propagate(X),  # mean shift
        queries=queries,
        attended=P.at(queries) @ X,
        mechanism=P.mechanism,
    )


def _ordered_moons(seed):
    X, y = datasets.two_moons(N_SAMPLES, noise=0.08, random_state=seed)
    order = np.lexsort((X[:, 0], y))
    return X[order], y[order]


def _grid(X):
    low, high = X.min(axis=0) - 0.4, X.max(axis=0) + 0.4
    xs, ys = np.linspace(low[0], high[0], GRID[0]), np.linspace(low[1], high[1], GRID[1])
    return xs, ys, np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)


def _neighbor_share(mechanism, X, y, grid):
    """Two slots turned: the support to the nearest, the kernel to 1 on it."""
    support = supports.Neighbors(N_NEIGHBORS, symmetrize="none")
    vote = mechanism.replace(kernel=kernels.Indicator(), support=support)
    return vote.operator(grid, X) @ y.astype(float)


def _propagate(mechanism, X, y, labeled):
    clamped = np.zeros(len(y), bool)
    clamped[labeled] = True
    return mechanism.replace(propagation=Equilibrium()).propagate(
        X, np.where(clamped, y, 0.0), clamped=clamped
    )
