"""Identities of walks on a graph: equilibria, diffusion distances, Sinkhorn's scaling."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

import likewise as lw
from likewise import kernels
from likewise.identities._finding import at_most, identity, same

_ALPHA = 0.8


@identity(
    5,
    "Label spreading and harmonic functions are linear systems",
    "F* = (1 - a) (I - a S)^-1 Y",
    "|F_t - F*| <= a^t |F*| from F_0 = 0,  F_t = a S F_{t-1} + (1 - a) Y",
    "|F_t - F*| <= a^t |Y - F*| from F_0 = Y",
    "F_u = (I - P_uu)^-1 P_ul Y_l",
    source="Zhou et al. 2004; Zhu, Ghahramani and Lafferty 2003",
)
def label_spreading(data):
    """Where labels come to rest, and how fast they get there.

    Conjugate gradients that never see a matrix (SelfOperator.equilibrium) on one side, elimination in the
    operator's dense matrix on the other; then the iteration itself.
    """
    S = lw.Mechanism(kernel=kernels.Gaussian(data.length), normalization="symmetric").operator(data.X)
    Y, tol = data.one_hot, _solver_tolerance(data)
    solved = (1 - _ALPHA) * np.linalg.solve(np.eye(data.n) - _ALPHA * S.toarray(), Y)
    rounding = (data.n**0.5 * tol + data.of_distances) / (1 - _ALPHA)
    yield same(_at_rest(S, Y, alpha=_ALPHA, tol=tol), solved, rounding, 1.0)
    for start in (np.zeros_like(Y), Y):
        yield _error_of_steps(S, Y, start, solved, rounding)
    yield _harmonic(data, tol)


def _error_of_steps(S, Y, F, solved, rounding):
    """What the errors of 20 steps have above a^t times the first one."""
    first, errors = np.linalg.norm(F - solved), []
    for _ in range(20):
        F = _ALPHA * (S @ F) + (1 - _ALPHA) * Y
        errors.append(np.linalg.norm(F - solved))
    return at_most(errors, first * _ALPHA ** np.arange(1, 21), rounding, np.linalg.norm(solved))


def _harmonic(data, tol):
    """Labels of every third point held; the others are solved for."""
    P = lw.Mechanism(kernel=kernels.Gaussian(data.length)).operator(data.X)
    held, A, Y = np.arange(data.n) % 3 == 0, P.toarray().astype(np.float64), data.one_hot
    inverse = np.linalg.inv(np.eye((~held).sum()) - A[np.ix_(~held, ~held)])
    wanted = np.where(held[:, None], Y, 0.0)
    wanted[~held] = inverse @ (A[np.ix_(~held, held)] @ Y[held])
    steps = np.abs(inverse).sum(axis=1).max(initial=1)  # of a walk until it meets a held point, on average
    rounding = steps * (data.n**0.5 * tol + data.of_distances)
    return same(_at_rest(P, Y, clamped=held, tol=tol), wanted, rounding, 1.0)


def _at_rest(P, Y, **how):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # what is off shows as a difference
        return P.equilibrium(Y, **how)[0]


def _solver_tolerance(data):
    return 1e-12 if data.eps < 1e-10 else 1e-6


@identity(
    6,
    "Diffusion distance is a distance of walks",
    "sum_k mu_k^(2t) (psi_k(i) - psi_k(j))^2 = sum_l (P^t_il - P^t_jl)^2 / pi_l,  t = 3",
    source="Coifman and Lafon 2006",
)
def diffusion_distance(data):
    """Distance between points' spectral coordinates = how differently walks from them spread.

    All eigenpairs (SelfOperator.eigsh) on one side; the third power of the walk, applied to the unit vectors,
    and its stationary law on the other.
    """
    P = lw.Mechanism(kernel=kernels.Gaussian(data.length), normalization="density").operator(data.X)
    mu, psi = P.eigsh(data.n)
    by_spectrum = _squared_distances(psi.astype(np.float64) * mu**3)
    pi = np.exp(P.log_stationary - P.log_stationary.max())
    pi /= pi.sum()
    spread = P.power(3, np.eye(data.n, dtype=data.X.dtype)).astype(np.float64)
    by_walks = _squared_distances(spread / np.sqrt(pi))
    farthest, rarest = np.sqrt(by_walks.max()), pi.min() ** -0.5  # psi = u / sqrt(pi), u orthonormal
    rounding = 4 * rarest * (data.of_distances + data.n * data.eps) * (farthest + rarest * data.n * data.eps)
    yield same(by_spectrum, by_walks, rounding / max(farthest**2, 1), max(farthest**2, 1))


def _squared_distances(A):
    return np.stack([((A - a) ** 2).sum(axis=1) for a in A])


@identity(
    10,
    "Softmax is the first half step of Sinkhorn's scaling",
    "diag(1 / (K 1)) K = softmax(log K)",
    "half steps in turn, each a softmax with key weights = the bistochastic operator",
    source="Sinkhorn 1964; Sander et al. 2022",
)
def sinkhorn(data):
    """Scaling rows is softmax; going on with columns and rows in turn ends at a bistochastic matrix.

    lw.l2_attention and half steps that are operators with log_key_weights on one side; an unnormalized
    matrix, and the normalization Bistochastic, on the other.
    """
    X, t, eye = data.X, 2 * data.length**2, np.eye(data.n, dtype=data.X.dtype)
    gaussian = lw.Mechanism(kernel=kernels.Gaussian(data.length), normalization="none")
    K = gaussian.operator(X).toarray()
    yield same(lw.l2_attention(X, X, eye, t), K / K.sum(axis=1, keepdims=True), data.of_distances, 1.0)
    tol = 1e-12 if data.eps < 1e-10 else 1e-5
    scaled = gaussian.replace(normalization=lw.normalizations.Bistochastic(tol, max_iter=10_000))
    rows = _half_steps(data, gaussian.replace(normalization="row"), tol)
    yield same(rows, scaled.operator(X).toarray(), 10 * tol + 2 * data.of_distances, 1.0)


def _half_steps(data, m, tol):
    """Softmax with key weights, again and again; columns and rows of a symmetric matrix are the same."""
    log_w = np.zeros(data.n)
    for _ in range(10_000):
        P = m.operator(data.X, log_key_weights=log_w)
        new = -P.log_row_sums
        if np.abs(new - log_w - np.median(new - log_w)).max() < tol:
            break
        log_w = new
    return P.toarray()
