"""Replacing the heads of a model by one mechanism, and what survives of its embeddings."""

from dataclasses import dataclass

import numpy as np
from joblib import Parallel, cpu_count, delayed
from threadpoolctl import threadpool_limits

from likewise import _checks
from likewise.heads import _nats
from likewise.heads._mechanisms import MECHANISMS, NEEDS_STATES, Seen, replaced
from likewise.heads._reading import MeanScores
from likewise.heads._split import pieces

OTHERS = {
    "actual": "nothing is replaced",
    "none": "no attention: each head writes its mean output, whatever the text. The null of all others",
    "null_key": "special tokens have the value 0: a null mass in l_i",
    "no_sink": "special tokens are no keys",
}
SPECIAL = ("replaced", "kept")
REPLACEMENTS = {**OTHERS, **{name: about for name, (about, _) in MECHANISMS.items()}}


@dataclass(frozen=True)
class Ablation:
    """What survives of a model whose heads are all replaced by one mechanism.

    Attributes
    ----------
    mechanism : str; layers : tuple of int, those whose heads were replaced
    special : str, "replaced" or "kept": what became of the special tokens' weights
    cosine : float
        Mean cosine of the texts' embeddings (means over tokens) with the model's own. It is forgiving: see
        the other two, and the floor, which is "none" and not 0.
    token_cosine : float, mean cosine of the last states of tokens that are not special
    spearman : float, rank correlation of the similarities of all pairs of texts with the model's own; NaN of
        fewer than three texts
    per_layer : dict, layer -> cosine where that layer alone is replaced; empty where not asked for
    """

    mechanism: str
    layers: tuple
    special: str
    cosine: float
    token_cosine: float
    spearman: float
    per_layer: dict


class Ablator:
    """A model on some texts, whose heads can be replaced.

    encoder : Encoder, batch : Batch, states : list of (N, width), those of the model as it is

    Passes are in float32, each on a thread of its own.
    """

    def __init__(self, encoder, batch, states):
        self.encoder, self.batch = encoder.in_float32(), batch
        self.states = [x.astype(np.float32) for x in states]
        self._means = {}

    def ablate(self, mechanism, layers=None, special="replaced", per_layer=True):
        """The Ablation of these layers; None: all."""
        chosen = self._checked(mechanism, layers, special)
        alone = [(one,) for one in chosen] if per_layer else []
        with threadpool_limits(1):
            last, *ends = Parallel(n_jobs=cpu_count(), prefer="threads")(
                delayed(self._run)(mechanism, those, special) for those in (chosen, *alone)
            )
        return Ablation(
            mechanism=mechanism,
            layers=chosen,
            special=special,
            cosine=self._cosine(last),
            token_cosine=self._token_cosine(last),
            spearman=self._spearman(last),
            per_layer={one: self._cosine(end) for (one,), end in zip(alone, ends)},
        )

    def _checked(self, mechanism, layers, special):
        if not _checks.is_word(mechanism, REPLACEMENTS):
            known = ", ".join(REPLACEMENTS)
            raise ValueError(f"mechanism must be one of {known}; got {_checks.told(mechanism)}.")
        if not _checks.is_word(special, SPECIAL):
            raise ValueError(f"special must be 'replaced' or 'kept'; got {_checks.told(special)}.")
        return checked_layers(layers, self.encoder.n_layers)

    def _run(self, mechanism, layers, special):
        """The last states (N, width) with these layers replaced; those before the first are as they were."""
        x = self.states[layers[0]]
        for layer in range(layers[0], self.encoder.n_layers):
            q, k, v = self.encoder.queries_keys_values(layer, x)
            if layer not in layers:
                gathered = self.encoder.attend(self.batch, q, k, v)
            elif mechanism == "none":
                gathered = np.broadcast_to(self._of(layer).gathered, v.shape)
            else:
                if mechanism == "null_key":
                    v = np.where(self.batch.special[:, None, None], 0, v)
                gathered = self.encoder.attend(
                    self.batch, q, k, v, self._replacing(mechanism, layer, special)
                )
            x = self.encoder.finish(layer, x, gathered)
        return x

    def _replacing(self, mechanism, layer, special):
        """The function of (group, scores, weights) that `attend` asks."""
        if mechanism in ("actual", "null_key"):
            return None
        if mechanism == "no_sink":
            return _without_special
        fixed = self._fixed(layer) if mechanism in NEEDS_STATES else lambda group, among: None
        return lambda group, S, weights: _replaced(mechanism, group, S, weights, fixed, special)

    def _of(self, layer):
        """What a layer of the model as it is does on average."""
        if layer not in self._means:
            q, k, v = self.encoder.queries_keys_values(layer, self.states[layer])
            gathered = self.encoder.attend(self.batch, q, k, v)[self.batch.content].mean(0)
            self._means[layer] = _Means(MeanScores.of_points(q, k, self.batch.place), gathered)
        return self._means[layer]

    def _fixed(self, layer):
        """The function of (group, places in a text) that gives scores of the mean states there."""
        scores = self._of(layer).scores
        return lambda group, among: scores(self.batch.place[group.rows[0, among]])

    # --- what survives -------------------------------------------------------------------------------------

    def _cosine(self, last):
        mine, theirs = (self.batch.pooled(x) for x in (last, self.states[-1]))
        return float(_cosines(mine, theirs).mean())

    def _token_cosine(self, last):
        content = self.batch.content
        return float(_cosines(last[content], self.states[-1][content]).mean())

    def _spearman(self, last):
        if self.batch.n_texts < 3:
            return float("nan")
        from scipy.stats import spearmanr

        pairs = np.triu_indices(self.batch.n_texts, 1)
        similar = []
        for x in (last, self.states[-1]):
            unit = _unit(self.batch.pooled(x))
            similar.append((unit @ unit.T)[pairs])
        return float(spearmanr(*similar).statistic)


@dataclass(frozen=True)
class _Means:
    scores: MeanScores
    gathered: np.ndarray  # (H, d)


def checked_layers(layers, n_layers):
    """Some of n_layers as a sorted tuple; None is all of them."""
    if layers is None:
        return tuple(range(n_layers))
    given = layers if isinstance(layers, (list, tuple, range, np.ndarray)) else [layers]
    chosen = {_checks.integer(one, "layers", "a list of int or None") for one in given}
    if not chosen or min(chosen) < 0 or max(chosen) >= n_layers:
        raise ValueError(f"layers must be among 0 to {n_layers - 1}, or None for all; got {layers!r}.")
    return tuple(sorted(chosen))


def _replaced(mechanism, group, S, weights, fixed, special):
    """Weights (g, H, n, n) of a mechanism: among all tokens, or in C with the mass that it has as it is."""
    places = group.content if special == "kept" else np.arange(S.shape[-1])
    inside = (..., places[:, None], places)
    scores, of_fixed = S[inside], fixed(group, places)
    seen = Seen(
        pieces(scores),
        _nats.softmax(scores),
        None if of_fixed is None else np.broadcast_to(of_fixed, scores.shape),
    )
    found = weights.copy()
    found[inside] = weights[inside].sum(-1, keepdims=True) * replaced(mechanism, seen)
    return found


def _without_special(group, S, weights):
    """Softmax over the tokens of C alone, of all rows."""
    found = np.zeros_like(weights)
    found[..., group.content] = _nats.softmax(S[..., group.content])
    return found


def _unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def _cosines(a, b):
    return (_unit(a) * _unit(b)).sum(-1)
