"""The exact split of a score matrix into key weights, metric, repulsion and transport."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from likewise import _checks

PARTS = ("keys", "metric", "repulsion", "transport")


class Pieces(NamedTuple):
    """What scores S (..., n, n) are made of: S = row mean + c + P - N + T.

    column_mean : c (..., n), of the scores without their row means
    positive, negative : P and N (..., n, n), positive semidefinite, P - N the symmetric part of what is left
    antisymmetric : T (..., n, n)
    """

    column_mean: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    antisymmetric: np.ndarray

    @property
    def centered(self):
        """E = P - N + T (..., n, n), whose rows and columns sum to 0."""
        return self.positive - self.negative + self.antisymmetric

    @property
    def log_key_weight(self):
        """log r_j = c_j + (P - N)_jj / 2."""
        return self.column_mean + (diagonal(self.positive) - diagonal(self.negative)) / 2

    @property
    def scores(self):
        """The four parts as scores (4, ..., n, n), in the order of PARTS; they sum to S but for its rows."""
        metric, repulsion = -distance(self.positive) / 2, distance(self.negative) / 2
        keys = np.broadcast_to(self.log_key_weight[..., None, :], metric.shape)
        return np.stack([keys, metric, repulsion, self.antisymmetric])

    @property
    def energies(self):
        """n |c|^2, |P|^2, |N|^2, |T|^2 (4, ...), which sum to |R|^2."""
        of_keys = self.column_mean.shape[-1] * (self.column_mean**2).sum(-1)
        return np.stack([of_keys, *((part**2).sum((-2, -1)) for part in self[1:])])


def diagonal(A):
    """The diagonals (..., n) of matrices (..., n, n)."""
    return np.diagonal(A, axis1=-2, axis2=-1)


def distance(G):
    """D_ij = G_ii + G_jj - 2 G_ij, squared distances of Gram matrices (..., n, n)."""
    own = diagonal(G)
    return own[..., :, None] + own[..., None, :] - 2 * G


def pieces(S):
    """The Pieces of finite scores (..., n, n) in float64; O(n^3) of each, by its eigenvectors."""
    R = S - S.mean(-1, keepdims=True)
    c = R.mean(-2, keepdims=True)
    E = R - c
    flipped = np.swapaxes(E, -1, -2)
    values, vectors = np.linalg.eigh((E + flipped) / 2)
    positive = (vectors * np.maximum(values, 0)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    negative = (vectors * np.maximum(-values, 0)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    return Pieces(c[..., 0, :], positive, negative, (E - flipped) / 2)


@dataclass(frozen=True)
class ScoreSplit:
    """S_ij = log r_j + metric_ij + repulsion_ij + transport_ij + a constant of row i, exactly.

    Attributes
    ----------
    log_key_weight : (n,), log r_j: how loudly token j speaks to all
    metric : (n, n), -D_P / 2, D_P the squared Euclidean distance that kernel exp(-D_P / 2) sees
    repulsion : (n, n), D_N / 2, a squared distance that draws tokens apart
    transport : (n, n), antisymmetric: what no metric can have
    energy : dict, the orthogonal squares of keys, metric, repulsion and transport; they sum to that of the
        scores without their row means
    """

    log_key_weight: np.ndarray
    metric: np.ndarray
    repulsion: np.ndarray
    transport: np.ndarray
    energy: dict

    @property
    def distance(self):
        """D_P (n, n), squared distances of the tokens."""
        return -2 * self.metric

    @property
    def scores(self):
        """The sum of the parts (n, n): S up to a constant of each row."""
        return self.log_key_weight + self.metric + self.repulsion + self.transport


def split_scores(S):
    """Split attention scores into key weights, metric, repulsion and transport.

    R = S - row mean, c = column mean of R, E = R - c = P - N + T: positive, negative and antisymmetric part.
    With D_P(i,j) = P_ii + P_jj - 2 P_ij, up to a constant of each row and exactly

        S_ij = log r_j - D_P(i,j) / 2 + D_N(i,j) / 2 + T_ij,    log r_j = c_j + E_jj / 2

    What softmax does not see, constants of rows, changes nothing here; nor does what dot products do not see,
    k + c, or q M^-1 with k M'. So log attention weights will do for S.

    Parameters
    ----------
    S : (n, n), scores in nats: what softmax over j takes, q.k / sqrt(d) of dot products

    Returns
    -------
    ScoreSplit

    Raises
    ------
    ValueError : S is not square or not finite. Under a causal mask half of the scores is undefined: neither
        symmetric nor antisymmetric part can be told from behavior. Give the scores of all pairs.

    Notes
    -----
    O(n^3) time and O(n^2) memory. Saponati et al. (2025, arXiv 2502.10927) read the symmetry of weights;
    here it is that of the scores, centered, for the popularity of keys is half antisymmetric.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[0.0], [1.0], [3.0]])
    >>> split = split_scores(-((x - x.T) ** 2) / 2)  # a Gaussian kernel of bandwidth 1
    >>> print(split.distance.round(6), np.ptp(split.log_key_weight).round(6))
    [[0. 1. 9.]
     [1. 0. 4.]
     [9. 4. 0.]] 0.0
    """
    found = pieces(checked(S, "S"))
    parts = found.scores
    energy = dict(zip(PARTS, map(float, found.energies)))
    return ScoreSplit(found.log_key_weight, *parts[1:], energy)


def checked(S, name):
    """Scores (n, n) as float64; a ValueError that says what is wrong with them."""
    S = _checks.reals(S, name, np.float64)
    if S.ndim != 2 or S.shape[0] != S.shape[1] or not S.size:
        raise ValueError(
            f"{name} must be a square matrix of scores, (n, n) of tokens that attend to themselves; got "
            f"shape {S.shape}."
        )
    if np.isneginf(S).any():
        raise ValueError(
            f"{name} must be scores of all pairs; got -inf, a mask. Under a causal mask half of them is "
            "undefined, so that symmetric and antisymmetric part cannot be told: give q.k / sqrt(d) before "
            "the mask."
        )
    if not np.isfinite(S).all():
        raise ValueError(f"{name} must be finite; got NaN or infinity.")
    return S
