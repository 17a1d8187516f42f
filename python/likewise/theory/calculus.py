"""Derivatives of functions of points, by central differences: what predictions are made of.

A function takes points (n, m) and gives an array (n, ...). `gradient` makes a function of a function, so that
a formula with several derivatives is written as it is read. Nothing here comes from the library.
"""

import numpy as np

STEP = 0.03  # of functions that change over lengths of about 1; errors of order STEP^8
_WEIGHTS = (4 / 5, -1 / 5, 4 / 105, -1 / 280)  # of f(x + k STEP) - f(x - k STEP), k = 1 to 4
_SECOND, _MIDDLE = (8 / 5, -1 / 5, 8 / 315, -1 / 560), -205 / 72  # of f(x + k STEP) + f(x - k STEP), and f(x)


def gradient(f):
    """x -> df/dx_i, the derivatives in a last axis: (n, m) of numbers, the Jacobian (n, k, m) of vectors."""

    def derivatives(x):
        return np.stack([_along(f, x, unit) for unit in STEP * np.eye(x.shape[1])], axis=-1)

    return derivatives


def _along(f, x, step):
    return sum(w * (f(x + k * step) - f(x - k * step)) for k, w in enumerate(_WEIGHTS, 1)) / STEP


def hessian(f):
    """x -> d2f/dx_i dx_j, (n, m, m)."""
    return gradient(gradient(f))


def laplacian(f):
    """x -> sum_i d2f/dx_i^2."""

    def derivatives(x):
        sides = sum(_second(f, x, unit) for unit in STEP * np.eye(x.shape[1]))
        return (sides + x.shape[1] * _MIDDLE * f(x)) / STEP**2

    return derivatives


def _second(f, x, step):
    return sum(w * (f(x + k * step) + f(x - k * step)) for k, w in enumerate(_SECOND, 1))


def divergence(field):
    """x -> sum_i dF_i/dx_i of a field (n, m)."""
    return lambda x: np.trace(gradient(field)(x), axis1=-2, axis2=-1)


def dot(a, b):
    """<a, b> of rows."""
    return np.sum(a * b, axis=-1)


def flat(x):
    """The metric of the coordinates themselves."""
    return np.broadcast_to(np.eye(x.shape[1]), (len(x), x.shape[1], x.shape[1]))


def induced(embed):
    """phi* (Euclidean): g_ij = <d phi/dx_i, d phi/dx_j>."""

    def metric(x):
        J = gradient(embed)(x)
        return np.swapaxes(J, -1, -2) @ J

    return metric


def log_volume(metric):
    """log sqrt(det g)."""
    return lambda x: 0.5 * np.linalg.slogdet(metric(x))[1]


def raised(metric, field):
    """g^ij F_j, (n, m)."""
    return lambda x: np.linalg.solve(metric(x), field(x)[..., None])[..., 0]


def inner(metric, a, b):
    """<grad a, grad b> = g^ij da/dx_i db/dx_j."""
    return lambda x: dot(gradient(a)(x), raised(metric, gradient(b))(x))


def laplace_beltrami(metric, f):
    """Lap f = d_i (sqrt(det g) g^ij d_j f) / sqrt(det g)."""
    volume, up = log_volume(metric), raised(metric, gradient(f))
    flow = divergence(lambda x: np.exp(volume(x))[:, None] * up(x))
    return lambda x: flow(x) * np.exp(-volume(x))
