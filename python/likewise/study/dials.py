"""The dials: for each slot, the named values that it is turned to, as a change of a mechanism.

A dial turns one slot and leaves the others as the method has them: the same rule for the bandwidth, the same
k, the same temperature. A value may depend on the training rows (a covariance, a radius), never on the
target.
"""

from dataclasses import dataclass

import numpy as np

from likewise import kernels, metrics, normalizations, supports

N_NEIGHBORS = 10


@dataclass(frozen=True)
class Dial:
    """One slot and the values it takes.

    Attributes
    ----------
    name : str, as in Settings ("metrics")
    slot : str, as in Mechanism ("metric")
    reference : name of the value that the others are compared with, or None
    values : dict, name -> function (mechanism, X_train) -> slot value
    hint : str, what to see, from the mathematics rather than from the data
    """

    name: str
    slot: str
    reference: str
    values: dict
    hint: str = ""

    def names(self):
        """The names of the values, the reference among them."""
        return tuple(self.values)

    def turn(self, mechanism, value, X_train):
        """The mechanism with this slot at that value and everything else as it was."""
        return mechanism.replace(**{self.slot: self.values[value](mechanism, X_train)})


def _fixed(value):
    return lambda mechanism, X_train: value


def _whitening(X):
    """W with W^T W the inverse covariance of X, shrunk a tenth towards the mean variance; (d, d)."""
    covariance = np.atleast_2d(np.cov(X, rowvar=False))
    d = len(covariance)
    covariance = 0.9 * covariance + 0.1 * np.trace(covariance) / d * np.eye(d)
    return np.ascontiguousarray(np.linalg.cholesky(np.linalg.inv(covariance)).T)


def _mahalanobis(mechanism, X_train):
    return metrics.Mahalanobis(_whitening(X_train))


def _bilinear(mechanism, X_train):
    W = _whitening(X_train)
    return metrics.Bilinear(W, W)


def _with_bandwidth(kernel, **others):
    """The kernel under the bandwidth, or the rule for it, that the method has."""

    def value(mechanism, X_train):
        return kernel(bandwidth=bandwidth_of(mechanism.kernel), **others)

    return value


def _exponential(mechanism, X_train):
    """Temperature 2 h^2, the Gaussian kernel on squared distances; the median for h where h is a rule."""
    if isinstance(mechanism.kernel, kernels.Exponential):
        return mechanism.kernel
    h = bandwidth_of(mechanism.kernel)
    return kernels.Exponential(2 * (median_distance(X_train) if isinstance(h, str) else h) ** 2)


def bandwidth_of(kernel):
    """h of a kernel, a number or a rule; sqrt(t / 2) of Exponential(t); "median" where it has none."""
    if isinstance(kernel, kernels.Exponential):
        return float(np.sqrt(kernel.temperature / 2))
    bandwidth = getattr(kernel, "bandwidth", None)
    return "median" if bandwidth is None else bandwidth


def median_distance(X):
    """Median Euclidean distance between rows."""
    from scipy.spatial.distance import pdist

    return float(np.median(pdist(X)))


def _radius(mechanism, X_train):
    """Radius at which nine rows in ten reach ten others in Euclidean distance."""
    from sklearn.neighbors import NearestNeighbors

    k = min(N_NEIGHBORS, len(X_train) - 1)
    distances, _ = NearestNeighbors(n_neighbors=k).fit(X_train).kneighbors()
    return supports.Radius(float(np.quantile(distances[:, -1], 0.9)))


METRICS = Dial(
    "metrics",
    "metric",
    "euclidean",
    {
        "euclidean": _fixed(metrics.Euclidean()),
        "sqeuclidean": _fixed(metrics.SquaredEuclidean()),
        "manhattan": _fixed(metrics.Manhattan()),
        "chebyshev": _fixed(metrics.Chebyshev()),
        "minkowski3": _fixed(metrics.Minkowski(p=3)),
        "cosine": _fixed(metrics.Cosine()),
        "mahalanobis": _mahalanobis,
        "dot": _fixed(metrics.DotProduct()),
        "bilinear": _bilinear,
    },
    "Kernels of a distance give a Euclidean metric and its square the same weights, so those two "
    "columns agree save for the exponential kernel of attention and Hopfield retrieval. Dot products "
    "are no distance: only the exponential kernel, or an indicator over neighbors, takes them. "
    "Temperatures stay as they are, so a metric of another scale also means another sharpness",
)
KERNELS = Dial(
    "kernels",
    "kernel",
    "gaussian",
    {
        "gaussian": _with_bandwidth(kernels.Gaussian),
        "laplacian": _with_bandwidth(kernels.Laplacian),
        "epanechnikov": _with_bandwidth(kernels.Epanechnikov),
        "tricube": _with_bandwidth(kernels.Tricube),
        "student_t": _with_bandwidth(kernels.StudentT, df=1),
        "alpha_decay": _with_bandwidth(kernels.AlphaDecay, decay=4),
        "matern32": _with_bandwidth(kernels.Matern32),
        "matern52": _with_bandwidth(kernels.Matern52),
        "indicator": _with_bandwidth(kernels.Indicator),
        "inverse_distance": _fixed(kernels.InverseDistance()),
        "exponential": _exponential,
    },
    "With neighbors as the support (k-NN, graphs) every kernel hears the same ten rows; over all "
    "pairs it also decides who is heard. Where the bandwidth is a rule, each kernel gets its own length",
)
NORMALIZATIONS = Dial(
    "normalizations",
    "normalization",
    "row",
    {
        "row": _fixed(normalizations.RowStochastic()),
        "null_mass": _fixed(normalizations.RowStochastic(null_mass=1.0)),
        "symmetric": _fixed(normalizations.Symmetric()),
        "density": _fixed(normalizations.Density(1.0)),
        "bistochastic": _fixed(normalizations.Bistochastic()),
        "unnormalized": _fixed(normalizations.Unnormalized()),
    },
    "A scaling of whole rows cannot change which class has the largest share: after one step row, "
    "null_mass and unnormalized have the same accuracy, save for rows without mass, and only R² shows "
    "that unnormalized sums are no means",
)
SUPPORTS = Dial(
    "supports",
    "support",
    "all",
    {
        "all": _fixed(supports.AllPairs()),
        "neighbors": _fixed(supports.Neighbors(N_NEIGHBORS)),
        "with_self": _fixed(supports.Neighbors(N_NEIGHBORS, include_self=True)),
        "mutual": _fixed(supports.Neighbors(N_NEIGHBORS, symmetrize="mutual", include_self=True)),
        "radius": _radius,
        "leave_one_out": _fixed(supports.LeaveOneOut()),
    },
    "An indicator over all pairs hears everyone alike, so k-NN without its support is the most "
    "frequent class. From test to training rows symmetrization has no meaning and neighbors, "
    "with_self and mutual agree",
)
SLOT_DIALS = (METRICS, KERNELS, NORMALIZATIONS, SUPPORTS)


# The curves: a dial of numbers, turned for the methods and data sets where it says something.
ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)
BANDWIDTH_FACTORS = tuple(float(2.0**e) for e in np.arange(-5, 1.5, 0.75))


def _density(alpha):
    return _fixed(normalizations.Density(alpha))


def _bandwidth_factor(factor):
    def value(mechanism, X_train):
        h = factor * median_distance(X_train)
        if isinstance(mechanism.kernel, kernels.Exponential):
            return kernels.Exponential(2 * h**2)
        return type(mechanism.kernel)(bandwidth=h)

    return value


ALPHA_CURVE = Dial("density_alpha", "normalization", None, {f"{a:g}": _density(a) for a in ALPHAS})
BANDWIDTH_CURVE = Dial(
    "bandwidth", "kernel", None, {f"{f:.4g}": _bandwidth_factor(f) for f in BANDWIDTH_FACTORS}
)
CURVES = (ALPHA_CURVE, BANDWIDTH_CURVE)


def get(name):
    """The :class:`Dial` of that name."""
    return {dial.name: dial for dial in (*SLOT_DIALS, *CURVES)}[name]


REFERENCES = {dial.name: dial.reference for dial in SLOT_DIALS}
