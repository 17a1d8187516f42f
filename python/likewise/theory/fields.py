"""One step of anyone's data as drift and diffusion, and many steps as heat flow."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

import likewise as lw
from likewise import _checks

ENTRIES = 2_000_000  # numbers held at once while moments are summed
ISOLATED = 0.5  # share of its weight that a point keeps to itself
LEAST_NEIGHBORS = 10.0
MODES = 400  # all modes of so many points, else MODES_OF_MANY
MODES_OF_MANY = 50
LEFT_OUT = 0.05  # share of f that the modes that are left out may hold


# --- one step -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fields:
    """Drift and diffusion of one step, estimated at each point from its neighbors.

    Attributes
    ----------
    points : (n, d)
    drift : (n, d), sum_j w_ij (x_j - x_i) / time -> Lap x/2 + <grad log p, grad x>, on flat data grad log p
    diffusion : (n, d, d), sum_j w_ij (x_j - x_i)(x_j - x_i)^T / time -> the inverse of the metric g
    drift_error, diffusion_error : standard errors, of those shapes
    n_neighbors : (n,), effective neighbors 1 / sum_j w_ij^2
    time : eps of exp(-d^2/(2 eps)) where the kernel has one, fields being per unit of time; else 1, one step
    """

    points: np.ndarray
    drift: np.ndarray
    diffusion: np.ndarray
    drift_error: np.ndarray
    diffusion_error: np.ndarray
    n_neighbors: np.ndarray
    time: float

    def plot(self, ax=None, columns=(0, 1)):
        """Drift as arrows over two columns of the points: dark where it is two standard errors long."""
        from likewise.theory import figures

        return figures.drift(self, ax, columns)


def drift_diffusion(X, mechanism, *, least_neighbors=LEAST_NEIGHBORS, leave_out=False):
    """Where one step of the mechanism takes the points X, and how far it spreads them, with standard errors.

    Rows of the operator are weights w_ij of points that were drawn independently. A point was not drawn for
    itself, so its own weight is left out. The standard error of a mean m = sum_j w_j v_j is the root of
    sum_j w_j^2 (v_j - m)^2 / (1 - sum_j w_j^2).

    Parameters
    ----------
    X : (n, d)
    mechanism : Mechanism whose rows sum to 1
    least_neighbors : float
        Effective neighbors 1 / sum_j w_ij^2 that a point needs.
    leave_out : bool
        NaN at points with fewer, or isolated ones; False: a ValueError that says how many and which number.

    Returns
    -------
    Fields

    Notes
    -----
    All non-zero weights are held at once: n^2 of all pairs, n k under Neighbors(k). Within 5 sqrt(eps) of an
    edge of the data the drift has a term of order 1/sqrt(eps) that is none of the density's.

    Examples
    --------
    >>> import numpy as np
    >>> import likewise as lw
    >>> from likewise import theory
    >>> X = np.random.default_rng(0).normal(size=(1500, 2))
    >>> m = lw.Mechanism(kernel=lw.kernels.Gaussian(0.5))
    >>> fields = theory.drift_diffusion(X, m, leave_out=True)
    >>> print(np.nanmedian(fields.drift / X).round(1))  # of a normal law -x/(sigma^2 + eps)
    -0.8
    """
    X = _checks.finite(X, "X", np.float64)
    leave_out, least = (
        _checks.boolean(leave_out, "leave_out"),
        _checks.number(least_neighbors, "least_neighbors"),
    )
    P = _walk(mechanism, X)
    weights, own = _without_oneself(P.tocsr())
    n_neighbors = _effective(weights)
    thin = _thin(n_neighbors, own, least)
    if thin.any() and not leave_out:
        _refuse(n_neighbors, own, thin, least, ", or ask for leave_out=True, which has NaN there")
    time = step_time(P.mechanism)
    parts = [_moments(X, weights, rows) for rows in _blocks(weights, X.shape[1])]
    drift, drift_error, diffusion, diffusion_error = (np.concatenate(part) / time for part in zip(*parts))
    for field in (drift, drift_error, diffusion, diffusion_error):
        field[thin] = np.nan
    return Fields(X, drift, diffusion, drift_error, diffusion_error, n_neighbors, time)


def step_time(mechanism):
    """eps of exp(-d^2/(2 eps)), or 1 where the kernel is another one or each point has its own."""
    kernel, power = mechanism.kernel, getattr(mechanism.metric, "distance_power", None)
    if isinstance(kernel, lw.kernels.Gaussian) and isinstance(kernel.bandwidth, float):
        return kernel.bandwidth**2
    if isinstance(kernel, lw.kernels.Exponential) and power == 2:
        return kernel.temperature / 2
    return 1.0


def _walk(mechanism, X):
    """The operator of a mechanism whose rows sum to 1."""
    if not isinstance(mechanism, lw.Mechanism):
        raise TypeError(f"mechanism must be a Mechanism; got {_checks.told(mechanism)}.")
    law = mechanism.normalization
    by_row = (lw.normalizations.RowStochastic, lw.normalizations.Density, lw.normalizations.Bistochastic)
    if not isinstance(law, by_row) or getattr(law, "null_mass", 0) > 0:
        raise ValueError(
            "mechanism must have rows that sum to 1, so that a step is a mean over neighbors; got "
            f"{law!r}. Use RowStochastic(), Density(alpha) or Bistochastic()."
        )
    return mechanism.operator(X)


def _without_oneself(A):
    """Weights of the others, rows divided by their sums again, and the share that a point kept to itself."""
    own, row_of = A.diagonal(), np.repeat(np.arange(A.shape[0]), np.diff(A.indptr))
    others = (A.indices != row_of) & (A.data > 0)
    sums = np.bincount(row_of[others], A.data[others], A.shape[0])
    ends = np.r_[0, np.cumsum(np.bincount(row_of[others], minlength=A.shape[0]))]
    shares = A.data[others] / sums[row_of[others]]
    return sparse.csr_matrix((shares, A.indices[others], ends), A.shape), own


def _effective(weights):
    """1 / sum_j w_ij^2 of each row, 0 of an empty one."""
    squares = _row_sums(weights.indptr, weights.data**2)
    return np.divide(1, squares, out=np.zeros(len(squares)), where=squares > 0)


def _thin(n_neighbors, own, least):
    return (n_neighbors < least) | (own > ISOLATED)


def _refuse(n_neighbors, own, thin, least, way_out=""):
    """A ValueError with the number that shows that a step is no mean over many neighbors."""
    count = f"{thin.sum()} of {len(thin)} points"
    if (own > ISOLATED).any():
        at = int(own.argmax())
        said = (
            f"X must have no isolated points under this mechanism; point {at} keeps {own[at]:.2f} of its "
            f"weight to itself ({count} are isolated or have fewer than {least:g} effective neighbors)"
        )
    else:
        at = int(n_neighbors.argmin())
        said = (
            f"X must have at least {least:g} effective neighbors at each point, 1 / sum_j w_ij^2 without the "
            f"point itself; point {at} has {n_neighbors[at]:.3g} ({count} have too few)"
        )
    raise ValueError(f"{said}. Widen the kernel, leave these points out of X{way_out}.")


def _blocks(weights, d):
    """Slices of rows whose entries, d^2 numbers each, fit in memory together."""
    ends, begin = weights.indptr, 0
    while begin < len(ends) - 1:
        room = ends[begin] + max(1, ENTRIES // d**2)
        end = max(begin + 1, int(np.searchsorted(ends, room, side="right")) - 1)
        yield slice(begin, end)
        begin = end


def _moments(X, weights, rows):
    """Mean and second moment of x_j - x_i over row i with their standard errors, for some rows."""
    part = weights[rows]
    row_of = np.repeat(np.arange(part.shape[0]), np.diff(part.indptr))
    away = X[part.indices] - X[rows][row_of]
    squares = away[:, :, None] * away[:, None, :]
    drift, drift_error = _mean(part, row_of, away)
    diffusion, diffusion_error = _mean(part, row_of, squares)
    return drift, drift_error, diffusion, diffusion_error


def _mean(part, row_of, values):
    """sum_j w_j v_j of each row, and its standard error."""
    w = part.data.reshape(-1, *[1] * (values.ndim - 1))
    mean = _row_sums(part.indptr, w * values)
    spread = _row_sums(part.indptr, w**2 * (values - mean[row_of]) ** 2)
    share = _row_sums(part.indptr, w**2)
    return mean, np.sqrt(spread / np.maximum(1 - share, 1e-300))


def _row_sums(ends, values):
    """Sums of the entries of each row; 0 of an empty one."""
    total = np.concatenate([values, np.zeros((1, *values.shape[1:]))])
    sums = np.add.reduceat(total, ends[:-1], axis=0)
    sums[np.diff(ends) == 0] = 0
    return sums


# --- many steps -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HeatFlow:
    """Values after some steps, and after the same time of the heat flow that they approximate.

    Attributes
    ----------
    times : (t,), numbers of steps
    powers : (t, n), P^t f
    semigroup : (t, n), sum_k exp(-t (1 - w_k)) <v_k, f> v_k over the spectrum of P: exp(-t (I - P)) f
    eigenvalues : (k,), w
    stationary : (n,), the law pi that the walk keeps
    spread : |f - mean|, norms weighted by pi
    left_out : (t,), at most this share of the spread do the modes beyond the k-th hold at that time
    time : eps of one step, see Fields
    """

    times: np.ndarray
    powers: np.ndarray
    semigroup: np.ndarray
    eigenvalues: np.ndarray
    stationary: np.ndarray
    spread: float
    left_out: np.ndarray
    time: float

    @property
    def difference(self):
        """|P^t f - semigroup| / |f - mean|: what it changes that steps are not infinitely short."""
        return _norm(self.powers - self.semigroup, self.stationary) / self.spread

    @property
    def rest(self):
        """|f_t - mean| / |f - mean| by powers and by the semigroup, (2, t): what is not yet mixed."""
        away = [values - (values @ self.stationary)[:, None] for values in (self.powers, self.semigroup)]
        return np.stack([_norm(values, self.stationary) for values in away]) / self.spread

    def plot(self, ax=None):
        """What is not yet mixed over the steps, by powers and by the semigroup."""
        from likewise.theory import figures

        return figures.heat_flow(self, ax)


def heat_flow(X, mechanism, f, times, *, n_components=None, least_neighbors=LEAST_NEIGHBORS):
    """Powers of a mechanism's operator beside the semigroup of its spectrum: repeated steps as heat flow.

    A mode of eigenvalue w is w^t after t steps and exp(-t (1 - w)) after that time of heat flow; they differ
    by about t (1 - w)^2 / 2, so slow modes agree and fast ones do not.

    Parameters
    ----------
    X : (n, d)
    mechanism : Mechanism whose rows sum to 1 and whose kernel is symmetric
    f : (n,), values at the points
    times : ints >= 0, numbers of steps
    n_components : int, modes of the semigroup; None: all of up to 400 points, else 50
    least_neighbors : float, effective neighbors that a point needs, see drift_diffusion

    Returns
    -------
    HeatFlow

    Examples
    --------
    >>> import numpy as np
    >>> import likewise as lw
    >>> from likewise import theory
    >>> angles = np.arange(200) * np.pi / 100
    >>> X = np.c_[np.cos(angles), np.sin(angles)]
    >>> m = lw.Mechanism(kernel=lw.kernels.Gaussian(0.1))
    >>> flow = theory.heat_flow(X, m, np.cos(angles), [0, 50, 100])
    >>> print(flow.rest[0].round(2), np.exp(-0.1**2 / 2 * flow.times).round(2))
    [1.   0.78 0.61] [1.   0.78 0.61]
    """
    X = _checks.finite(X, "X", np.float64)
    f = _checks.finite(f, "f", np.float64)
    if f.shape != X.shape[:1]:
        raise ValueError(f"f must have a value for each of the {len(X)} points; got shape {f.shape}.")
    steps = np.array([_checks.integer(t, "times") for t in np.atleast_1d(times)])
    if (steps < 0).any():
        raise ValueError(f"times must be numbers of steps, at least 0; got {steps.min()}.")
    least = _checks.number(least_neighbors, "least_neighbors")
    P = _walk(mechanism, X)
    weights, own = _without_oneself(P.tocsr())
    n_neighbors = _effective(weights)
    thin = _thin(n_neighbors, own, least)
    if thin.any():
        _refuse(n_neighbors, own, thin, least)
    if n_components is None:
        n_components = len(X) if len(X) <= MODES else MODES_OF_MANY
    return _flow(P, f, steps, n_components)


def _flow(P, f, steps, n_components):
    w, v = P.eigsh(n_components)
    log_pi = P.log_stationary
    pi = np.exp(log_pi - log_pi.max())
    pi /= pi.sum()
    spread = _norm(f - f @ pi, pi)
    if spread <= 1e-14 * np.abs(f).max():
        raise ValueError("f must differ between points; it is constant, and nothing flows.")
    shares = v.T @ (pi * f)
    left_out = _norm(f - v @ shares, pi) / spread * np.exp(-steps * (1 - w[-1]))
    _refuse_early_times(steps, left_out, w, n_components)
    return HeatFlow(
        times=steps,
        powers=np.stack([P.power(int(t), f) for t in steps]),
        semigroup=np.exp(-np.outer(steps, 1 - w)) * shares @ v.T,
        eigenvalues=w,
        stationary=pi,
        spread=spread,
        left_out=left_out,
        time=step_time(P.mechanism),
    )


def _refuse_early_times(steps, left_out, w, n_components):
    worst = int(left_out.argmax())
    if left_out[worst] <= LEFT_OUT:
        return
    needed = steps[worst] + np.log(left_out[worst] / LEFT_OUT) / (1 - w[-1])
    raise ValueError(
        f"times must be at least {np.ceil(needed):.0f} steps with n_components = {n_components}; at "
        f"{steps[worst]} the modes that are left out may hold {left_out[worst]:.2f} of f. Or ask for more "
        "components."
    )


def _norm(values, pi):
    return np.sqrt(values**2 @ pi)
