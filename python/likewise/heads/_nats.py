"""Nats: how far attention is from uniform, as an exact sum of what each part of the scores is worth."""

from itertools import combinations
from math import factorial
from typing import NamedTuple

import numpy as np

from likewise.heads._split import PARTS


class Rows(NamedTuple):
    """Attention of the rows in C, the m tokens that are not special, of texts of n tokens.

    nats : (..., m), log n - H(w_i)
    content_nats : (..., m), a_i (log m - H(w~_i)); what `nats` has beyond is the sink's, by the chain rule
        over {each special token, C}
    mass : a (..., m), the mass that a row has on C
    weights : w~ (..., m, m), weights in C divided by a_i
    log_weights : (..., m, m), their logarithms
    """

    nats: np.ndarray
    content_nats: np.ndarray
    mass: np.ndarray
    weights: np.ndarray
    log_weights: np.ndarray


def log_softmax(S):
    """log softmax over the last axis."""
    S = S - S.max(-1, keepdims=True)
    return S - np.log(np.exp(S).sum(-1, keepdims=True))


def softmax(S):
    """softmax over the last axis."""
    weights = np.exp(S - S.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def negentropy(log_weights):
    """log n - H(w) (...,) of log weights (..., n)."""
    return np.log(log_weights.shape[-1]) + (np.exp(log_weights) * log_weights).sum(-1)


def rows(S, special):
    """The Rows of scores (..., n, n), special a mask (n,)."""
    content = np.flatnonzero(~special)
    of_all = log_softmax(S[..., content, :])
    in_content = log_softmax(S[..., content[:, None], content])
    mass = np.exp(of_all[..., content]).sum(-1)
    return Rows(
        nats=negentropy(of_all),
        content_nats=mass * negentropy(in_content),
        mass=mass,
        weights=np.exp(in_content),
        log_weights=in_content,
    )


def _coalitions():
    """All subsets of the four parts, and the Shapley values (4, 16) as sums of what each is worth."""
    places = range(len(PARTS))
    subsets = [set(found) for size in range(len(PARTS) + 1) for found in combinations(places, size)]
    shapley = np.zeros((len(PARTS), len(subsets)))
    for player in places:
        for index, subset in enumerate(subsets):
            if player not in subset:
                share = factorial(len(subset)) * factorial(len(PARTS) - len(subset) - 1)
                share /= factorial(len(PARTS))
                shapley[player, subsets.index(subset | {player})] += share
                shapley[player, index] -= share
    return subsets, shapley


SUBSETS, SHAPLEY = _coalitions()


def shapley_values(parts, mass, weights, log_weights):
    """The nats (4, ..., m) of keys, metric, repulsion and transport in each row.

    Shapley values of v(A) = -a_i KL(w~_i || softmax of the sum of the parts in A): a part's worth averaged
    over all orders in which parts can be added. They sum to a_i (log m - H(w~_i)).

    Parameters
    ----------
    parts : (4, ..., m, m), scores that sum to those of w~ but for constants of rows
    mass, weights, log_weights : as in Rows

    Notes
    -----
    16 softmaxes.
    """
    expected = (weights * parts).sum(-1)  # (4, ..., m), mean score of each part under w~
    entropy = -(weights * log_weights).sum(-1)
    worth = []
    for subset in SUBSETS:
        chosen = sorted(subset)
        log_sum = _log_sum_exp(parts[chosen].sum(0))
        worth.append(mass * (entropy + expected[chosen].sum(0) - log_sum))
    return np.tensordot(SHAPLEY, np.stack(worth), axes=1)


def _log_sum_exp(S):
    top = S.max(-1, keepdims=True)
    return top[..., 0] + np.log(np.exp(S - top).sum(-1))
