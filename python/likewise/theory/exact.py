"""Three cases without a remainder: what the operator gives is known in closed form, to rounding.

Keys are quadrature nodes here too. A random sample of a normal law would not do: one point alone in its tail
is a component of its own, with an eigenvalue near 1.
"""

import numpy as np
from scipy import special

import likewise as lw
from likewise.theory import worlds
from likewise.theory.check import Exact, checks, later
from likewise.theory.limits import gaussian

GROUP = "Exact cases"
ABOUT = (
    "Here the operator is known in closed form, so what is measured agrees to rounding, without any limit."
)
SOURCE = "derived from Gaussian integrals, and by Funk and Hecke's formula"


# --- Gaussian keys under a bilinear score ---------------------------------------------------------------

_MEAN, _COVARIANCE = np.array([0.3, -0.5]), np.array([[0.9, 0.3], [0.3, 0.5]])
_WQ, _WK = np.array([[0.7, -0.2], [0.1, 0.9]]), np.array([[0.8, 0.4], [-0.3, 0.6]])


def _gaussian_keys():
    """Mean and covariance of what a query attends to, weights exp(<Wq x, Wk z>) N(z; mu, Sigma)."""
    queries = worlds.scattered(6, 2, -1.5, 1.5)
    nodes = worlds.grid([-9.0, -9.0], [9.0, 9.0], 0.25)
    z = nodes.coordinates
    away = z - _MEAN
    log_weights = nodes.log_weights - 0.5 * np.sum(away * np.linalg.solve(_COVARIANCE, away.T).T, axis=1)

    def measure():
        mechanism = lw.Mechanism(metric=lw.metrics.Bilinear(_WQ, _WK), kernel=lw.kernels.Exponential(1.0))
        P = mechanism.operator(queries, z, log_key_weights=log_weights)
        mean = P @ z
        second = P @ np.stack([z[:, 0] ** 2, z[:, 0] * z[:, 1], z[:, 1] ** 2], axis=1)
        return np.c_[mean, second - np.stack([mean[:, 0] ** 2, mean.prod(axis=1), mean[:, 1] ** 2], axis=1)]

    def predict(c):
        mean = _MEAN + c["tilt"] * queries @ (_WQ.T @ _WK) @ _COVARIANCE  # mu + Sigma A^T x, A = Wq^T Wk
        covariance = c["covariance"] * _COVARIANCE[[0, 0, 1], [0, 1, 1]]
        return np.c_[mean, np.tile(covariance, (len(queries), 1))]

    return Exact(measure, predict, 1e-11, x_label="mean and covariance of six queries, entry by entry")


# --- the uniform sphere ---------------------------------------------------------------------------------


def _circle_nodes(count):
    angles = np.arange(count) * 2 * np.pi / count
    return np.stack([np.cos(angles), np.sin(angles)], axis=1), np.zeros(count)


def _sphere_nodes(count):
    nodes = worlds.over_sphere()(worlds.STEPS * np.pi / (count - 8))
    return worlds.on_sphere(nodes.coordinates), nodes.log_weights + np.log(np.sin(nodes.coordinates[:, 0]))


def _three_sphere_nodes(count):
    """Products of Gauss rules: sin^2 chi d chi is the weight of Chebyshev polynomials of the second kind."""
    k = np.arange(1, count + 1) * np.pi / (count + 1)
    heights, weights = np.cos(k), np.sin(k) ** 2
    inner, log_inner = _sphere_nodes(count)
    points = np.concatenate([np.c_[np.full(len(inner), h), np.sqrt(1 - h * h) * inner] for h in heights])
    return points, (np.log(weights)[:, None] + log_inner).ravel()


_NODES = {1: lambda: _circle_nodes(64), 2: lambda: _sphere_nodes(20), 3: lambda: _three_sphere_nodes(10)}
# How many spherical harmonics of degree 0, 1, ... there are.
_MULTIPLICITIES = {1: (1, 2, 2, 2), 2: (1, 3, 5, 7), 3: (1, 4, 9)}


def _sphere(m, eps):
    """Eigenvalues of exp(<x, y>/eps) on the uniform sphere S^m, each as often as its harmonics."""
    of_degree = _MULTIPLICITIES[m]

    def measure():
        points, log_weights = _NODES[m]()
        mechanism = lw.Mechanism(metric="dot", kernel=lw.kernels.Exponential(eps))
        return mechanism.operator(points, log_key_weights=log_weights).eigsh(sum(of_degree))[0]

    def predict(c):
        v = c.get("order", 0.5) * (m - 1)
        degrees = np.repeat(np.arange(len(of_degree)), of_degree)
        return special.ive(c["step"] * degrees + v, 1 / eps) / special.ive(v, 1 / eps)

    return Exact(measure, predict, 1e-9, shown=1, x_label="number of the eigenvalue")


# --- Ornstein-Uhlenbeck ---------------------------------------------------------------------------------

_SIGMA2, _EPS = 0.8, 0.25


def _normal_line(alpha, reach):
    z = worlds.grid([-reach], [reach], np.sqrt(_EPS) / worlds.STEPS)
    log_weights = z.log_weights - z.coordinates[:, 0] ** 2 / (2 * _SIGMA2)
    mechanism = gaussian(_EPS, normalization=lw.normalizations.Density(alpha))
    return z.coordinates, mechanism.operator(z.coordinates, log_key_weights=log_weights)


def _ratio(c, alpha):
    """1/(1 + eps/tau^2), 1/tau^2 = 1/sigma^2 - alpha/(sigma^2 + eps)."""
    inverse = c["precision"] / _SIGMA2 - c["alpha"] * alpha / (_SIGMA2 + _EPS)
    return 1 / (1 + _EPS * inverse)


def _ou_eigenvalues(count=6):
    alphas = (0.0, 0.5, 1.0)

    def measure():
        return np.concatenate([_normal_line(alpha, 16.0)[1].eigsh(count)[0] for alpha in alphas])

    def predict(c):
        return np.concatenate([_ratio(c, alpha) ** np.arange(count) for alpha in alphas])

    return Exact(measure, predict, 1e-9, shown=1, x_label="number of the eigenvalue, for α = 0, 1/2, 1")


def _ou_functions(count=4):
    """Eigenvectors at some places, relative to their value at the first: Hermite polynomials of z/s."""
    degrees = range(1, count)

    def at(z):
        return np.searchsorted(z[:, 0], [1.2, -2.2, -0.4, 0.5, 2.0])

    def measure():
        z, P = _normal_line(0.0, 9.0)
        v = P.eigsh(count)[1][at(z), 1:]
        return (v / v[0]).T

    def predict(c):
        z = _normal_line(0.0, 9.0)[0]
        r = _ratio({"precision": 1.0, "alpha": 1.0}, 0.0)
        width = np.sqrt(c["variance"] * _EPS * r / (1 - r**2))  # of the stationary law
        values = np.stack([special.eval_hermitenorm(k, z[at(z), 0] / width) for k in degrees])
        return values / values[:, :1]

    return Exact(measure, predict, 1e-8, shown=6, x_label="value at a place, for degrees 1, 2, 3")


# --- the values -----------------------------------------------------------------------------------------


def _rows():
    yield (
        "Gaussian keys",
        "keys N(μ, Σ), score xᵀAy: the attended law is N(μ + Σ Aᵀx, Σ)",
        SOURCE,
        later(_gaussian_keys),
        {"tilt": 1.0, "covariance": 1.0},
    )
    for m, eps in ((1, 0.5), (2, 0.5), (3, 0.6)):
        yield (
            f"uniform sphere S^{m}",
            "kernel exp(<x, y>/ε): eigenvalues I_(l+v)(1/ε)/I_v(1/ε), v = (m - 1)/2, as often as harmonics",
            SOURCE,
            later(_sphere, m, eps),
            {"step": 1.0} if m == 1 else {"order": 0.5, "step": 1.0},  # on the circle v is 0 with any order
        )
    yield (
        "Ornstein-Uhlenbeck, eigenvalues",
        "p = N(0, σ²): (1 + ε/τ²)^-k with 1/τ² = 1/σ² - α/(σ² + ε)",
        SOURCE,
        later(_ou_eigenvalues),
        {"precision": 1.0, "alpha": 1.0},
    )
    yield (
        "Ornstein-Uhlenbeck, eigenfunctions",
        "Hermite polynomials He_k(z/s), s² = ε r/(1 - r²), r = 1/(1 + ε/τ²)",
        SOURCE,
        later(_ou_functions),
        {"variance": 1.0},
    )


CHECKS = checks(GROUP, _rows())
