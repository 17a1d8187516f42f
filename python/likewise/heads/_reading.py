"""Reading the heads of one layer on many texts: numbers, standard errors and nulls, all heads at once."""

from dataclasses import dataclass
from typing import Callable, Optional

import numpy as np

from likewise.heads import _nats, _null, _position
from likewise.heads import _numbers as _n
from likewise.heads._split import pieces

N_BOOTSTRAPS = 200
N_PERMUTED = 20  # of positions, for the null of their share


@dataclass(frozen=True)
class Layer:
    """What is read of H heads on the N tokens of all texts.

    tokens : Tokens
    scores : function of a Group that gives its scores (g, H, n, n) in nats
    values : (N, H, d), through each head's output map
    queries, keys : (N, H, d) or None, with scores q.k / sqrt(d)
    """

    tokens: object
    scores: Callable
    values: np.ndarray
    queries: Optional[np.ndarray] = None
    keys: Optional[np.ndarray] = None

    def in_content(self, group):
        """The group's scores between tokens that are not special (g, H, m, m)."""
        C = group.content
        return self.scores(group)[..., C[:, None], C]


@dataclass(frozen=True)
class Found:
    """Name -> (H,) of numbers and standard errors; name -> (mean, sd), each (H,), of nulls."""

    numbers: dict
    errors: dict
    null: dict


def read_layer(layer, seed=0, step=None):
    """The numbers of each head of a Layer; step is called after each group of texts."""
    rng = np.random.default_rng(seed)
    tokens, outputs = layer.tokens, _outputs(layer)
    of_scores = layer.queries is None
    factors = (
        _null.OfScores(layer.in_content, tokens, rng)
        if of_scores
        else _null.OfHeads(layer.queries, layer.keys, tokens, rng)
    )
    fixed = None if of_scores else MeanScores.of_points(layer.queries, layer.keys, tokens.place)
    deviations = outputs - outputs[tokens.content].mean(0)
    sums, nulls = {}, [{} for _ in range(_null.N_REREAD)]
    for group in tokens.groups:
        S, C = layer.scores(group), group.content
        of_all, rows = _n.sums_with_special(S, group.special)
        in_content = S[..., C[:, None], C]
        of_content, seen = _n.sums_in_content(
            in_content, rows.mass, fixed and fixed(tokens.place[group.rows[0, C]])
        )
        values, spread = (_of(points, group) for points in (layer.values, deviations))
        fidelity = _n.sums_of_fidelity(seen, rows.mass, values, spread)
        _store(sums, tokens.n_texts, group.texts, {**of_all, **of_content, **fidelity})
        for draw, of_draw in enumerate(nulls):
            E = factors.rotated(group, in_content, draw)
            turned, _ = _n.sums_in_content(seen.pieces.column_mean[..., None, :] + E, rows.mass)
            _store(of_draw, tokens.n_texts, group.texts, {"rows": of_all["rows"], **turned})
        if step is not None:
            step()
    return _found(layer, sums, nulls, factors, rng)


def _outputs(layer):
    """y (N, H, d) of all tokens."""
    found = np.zeros_like(layer.values)
    for group in layer.tokens.groups:
        y = _nats.softmax(layer.scores(group)) @ layer.values[group.rows].swapaxes(1, 2)
        found[group.rows] = y.swapaxes(1, 2)
    return found


def _of(points, group):
    """(g, H, m, d) of points (N, H, d)."""
    return points[group.content_rows].swapaxes(1, 2)


def _store(sums, n_texts, texts, of_group):
    for name, found in of_group.items():
        sums.setdefault(name, np.zeros((n_texts, found.shape[1])))[texts] = found


class MeanScores:
    """Scores of the mean states by position, which are those of mean queries and keys."""

    def __init__(self, queries, keys):
        self.queries, self.keys = queries, keys  # (positions, H, d)

    @classmethod
    def of_points(cls, queries, keys, place):
        """From queries and keys (N, H, d) of all tokens, each at one of the places (N,) of int."""
        return cls(*(_position.means_by_position(side, place) for side in (queries, keys)))

    def __call__(self, places):
        """(H, m, m) of tokens at these places (m,)."""
        q, k = (side[places].swapaxes(0, 1) for side in (self.queries, self.keys))
        return q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])


# --- numbers, errors, nulls ---------------------------------------------------------------------------------


def _found(layer, sums, nulls, factors, rng):
    n_texts = layer.tokens.n_texts
    once = np.ones((1, n_texts))
    resampled = rng.multinomial(n_texts, np.full(n_texts, 1 / n_texts), size=N_BOOTSTRAPS).astype(float)
    numbers, again = _n.numbers(sums, once), _n.numbers(sums, resampled)
    numbers = {name: found[0] for name, found in numbers.items()}
    with np.errstate(invalid="ignore"):  # of infinite bandwidths, where a head has no metric at all
        errors = {name: found.std(0) for name, found in again.items()}
    null = _rotation_null(nulls, once)
    null["reciprocity"] = _mean_and_sd(factors.reciprocities())
    null.update(_known_nulls(layer.tokens, numbers))
    share, error, of_share = _position_share(layer, resampled, rng)
    numbers["position_share"], errors["position_share"], null["position_share"] = share, error, of_share
    return Found(numbers, errors, null)


def _rotation_null(nulls, once):
    """Everything that is read in C, read again under rotations: (mean, sd)."""
    drawn = [_n.numbers(of_draw, once) for of_draw in nulls]
    return {name: _mean_and_sd(np.concatenate([each[name] for each in drawn])) for name in drawn[0]}


def _known_nulls(tokens, numbers):
    """Nulls that need no rotation: uniform attention has no nats, and its share of special tokens."""
    zero = np.zeros_like(numbers["nats"])
    content = tokens.content
    lengths = np.bincount(tokens.text)
    n_special = np.bincount(tokens.text, tokens.special)
    of_uniform = (n_special / lengths)[tokens.text[content]].mean()
    known = {"nats": zero, "sink_nats": zero, "positivity": zero, "sink_mass": zero + of_uniform}
    uniform = numbers["fidelity_uniform"]
    fidelities = {name: uniform for name in numbers if name.startswith("fidelity_")}
    return {name: (value, zero) for name, value in {**known, **fidelities}.items()}


def _mean_and_sd(drawn):
    with np.errstate(invalid="ignore"):
        return drawn.mean(0), drawn.std(0)


def _position_share(layer, resampled, rng):
    """The share (H,), its standard error, its null (mean, sd); NaN of fewer than LEAST_TEXTS texts."""
    tokens = layer.tokens
    unknown = np.full(layer.values.shape[1], np.nan)
    if tokens.n_texts < _position.LEAST_TEXTS:
        return unknown, unknown, (unknown, unknown)
    if layer.queries is None:
        zero = np.zeros_like(unknown)
        return _by_offsets(layer), unknown, (zero, zero)
    content = tokens.content
    text, position = tokens.text[content], tokens.position[content]
    points = [layer.queries[content], layer.keys[content]]

    def share(at, weights):
        return _position.shares(*(_position.Moments(side, text, at) for side in points), weights)

    once = np.ones((1, tokens.n_texts))
    shuffled = [share(_position.permuted(text, position, rng), once)[0] for _ in range(N_PERMUTED)]
    error = np.nanstd(share(position, resampled), axis=0)
    return share(position, once)[0], error, _mean_and_sd(np.stack(shuffled))


def _by_offsets(layer):
    """The share told by offsets, of scores without queries and keys."""
    of_texts = []
    for group in layer.tokens.groups:
        sums, counts, energy = _position.offset_sums(pieces(layer.in_content(group)).centered)
        of_texts += [(s, counts, e) for s, e in zip(sums, energy)]
    return _position.offset_share(of_texts)
