"""What a head's weights may be replaced by: each a function of what its scores are made of."""

from dataclasses import dataclass
from typing import Optional

import numpy as np

from likewise.heads._nats import softmax
from likewise.heads._split import Pieces, distance

N_TOP = 8


@dataclass(frozen=True)
class Seen:
    """One head, or many, on one text, or many, in the m tokens that are not special.

    pieces : Pieces (..., m, m); weights : w~ (..., m, m)
    fixed : (..., m, m) or None, scores of the mean states at the tokens' positions
    """

    pieces: Pieces
    weights: np.ndarray
    fixed: Optional[np.ndarray] = None


def _uniform(seen):
    return np.full_like(seen.weights, 1 / seen.weights.shape[-1])


def _keys(seen):
    return np.broadcast_to(softmax(seen.pieces.column_mean)[..., None, :], seen.weights.shape)


def _metric(seen):
    return softmax(-distance(seen.pieces.positive) / 2)


def _keyed_metric(seen):
    return softmax(seen.pieces.log_key_weight[..., None, :] - distance(seen.pieces.positive) / 2)


def _symmetric(seen):
    c, P, N, _ = seen.pieces
    return softmax(c[..., None, :] + P - N)


def _linear(seen):
    E, pi = seen.pieces.centered, softmax(seen.pieces.column_mean)[..., None, :]
    return pi * (1 + E - (pi * E).sum(-1, keepdims=True))


def _top(seen):
    if seen.weights.shape[-1] <= N_TOP:
        return seen.weights
    least = -np.sort(-seen.weights, axis=-1)[..., N_TOP - 1 : N_TOP]
    kept = np.where(seen.weights >= least, seen.weights, 0)
    return kept / kept.sum(-1, keepdims=True)


def _fixed(seen):
    return softmax(seen.fixed)


def _keyed_fixed(seen):
    of_columns = seen.fixed - seen.fixed.mean(-1, keepdims=True)
    E = of_columns - of_columns.mean(-2, keepdims=True)
    return softmax(seen.pieces.column_mean[..., None, :] + E)


# name: (what its weights are, the function of them)
MECHANISMS = {
    "uniform": ("all tokens alike", _uniform),
    "keys": ("softmax(c): a weight of each key", _keys),
    "metric": ("exp(-D_P / 2): a metric kernel", _metric),
    "keyed_metric": ("r_j exp(-D_P / 2): a metric kernel with key weights", _keyed_metric),
    "symmetric": ("softmax(c + P - N): all but transport", _symmetric),
    "linear": ("pi_j (1 + E_ij - its pi-mean): first order in E, pi = softmax(c)", _linear),
    "top8": (f"the {N_TOP} largest weights, divided by their sum", _top),
    "fixed": ("scores of the mean states by position", _fixed),
    "keyed_fixed": ("the same, with key weights softmax(c)", _keyed_fixed),
}
NEEDS_STATES = ("fixed", "keyed_fixed")


def replaced(mechanism, seen):
    """The weights w~ (..., m, m) of a mechanism; rows sum to 1."""
    return MECHANISMS[mechanism][1](seen)
