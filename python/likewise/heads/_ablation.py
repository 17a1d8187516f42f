"""Replacing the heads of a model by one mechanism, and what survives of its embeddings."""

from dataclasses import dataclass
from typing import Optional

import numpy as np

from likewise import _checks
from likewise.heads import _bert, _nats
from likewise.heads._mechanisms import MECHANISMS, NEEDS_STATES, Seen, replaced
from likewise.heads._reading import MeanScores
from likewise.heads._split import pieces

OTHERS = {
    "actual": "nothing is replaced",
    "none": "no attention: each head writes its mean output, whatever the text. The null of all others",
    "null_key": "special tokens have the value 0: a null mass in l_i",
    "no_sink": "special tokens are no keys",
}
REPLACEMENTS = {**OTHERS, **{name: about for name, (about, _) in MECHANISMS.items()}}


@dataclass(frozen=True)
class Ablation:
    """What survives of a model whose heads are all replaced by one mechanism.

    Attributes
    ----------
    mechanism : str; layers : tuple of int, those whose heads were replaced
    cosine : float
        Mean cosine of the texts' embeddings (means over tokens) with the model's own. It is forgiving: see
        the other two, and the floor, which is "none" and not 0.
    token_cosine : float, mean cosine of the last states of tokens that are not special
    spearman : float, rank correlation of the similarities of all pairs of texts with the model's own; NaN of
        fewer than three texts
    per_layer : dict, layer -> cosine where that layer alone is replaced
    """

    mechanism: str
    layers: tuple
    cosine: float
    token_cosine: float
    spearman: float
    per_layer: dict


class Ablator:
    """A model on some texts, whose heads can be replaced.

    encoder : Encoder, batch : Batch, states : list of (N, width), those of the model as it is
    """

    def __init__(self, encoder, batch, states):
        self.encoder, self.batch, self.states = encoder, batch, states
        self._means = {}

    def ablate(self, mechanism, layers=None):
        """The Ablation of these layers; None: all."""
        chosen = self._checked(mechanism, layers)
        last = self._run(mechanism, chosen, chosen[0])
        per_layer = {layer: self._cosine(self._run(mechanism, (layer,), layer)) for layer in chosen}
        return Ablation(
            mechanism=mechanism,
            layers=chosen,
            cosine=self._cosine(last),
            token_cosine=self._token_cosine(last),
            spearman=self._spearman(last),
            per_layer=per_layer,
        )

    def _checked(self, mechanism, layers):
        if not _checks.is_word(mechanism, REPLACEMENTS):
            known = ", ".join(REPLACEMENTS)
            raise ValueError(f"mechanism must be one of {known}; got {_checks.told(mechanism)}.")
        n_layers = self.encoder.n_layers
        chosen = range(n_layers) if layers is None else np.atleast_1d(layers).tolist()
        if not len(chosen) or not all(isinstance(one, int) and 0 <= one < n_layers for one in chosen):
            raise ValueError(f"layers must be among 0 to {n_layers - 1}, or None for all; got {layers!r}.")
        return tuple(sorted(set(chosen)))

    def _run(self, mechanism, layers, start):
        """The last states (N, width) with these layers replaced; those before `start` are as they were."""
        x = self.states[start]
        for layer in range(start, self.encoder.n_layers):
            q, k, v = self.encoder.queries_keys_values(layer, x)
            if layer not in layers:
                gathered = self.encoder.attend(self.batch, q, k, v)
            elif mechanism == "none":
                gathered = np.broadcast_to(self._of(layer).gathered, v.shape)
            else:
                if mechanism == "null_key":
                    v = np.where(self.batch.special[:, None, None], 0, v)
                gathered = self.encoder.attend(self.batch, q, k, v, self._replacing(mechanism, layer))
            x = self.encoder.finish(layer, x, gathered)
        return x

    def _replacing(self, mechanism, layer):
        """The function of (group, scores, weights) that `attend` asks."""
        if mechanism in ("actual", "null_key"):
            return None
        if mechanism == "no_sink":
            return _without_special
        fixed = self._of(layer).scores if mechanism in NEEDS_STATES else None
        return lambda group, S, weights: _in_content(mechanism, group, S, weights, fixed)

    def _of(self, layer):
        """What a layer of the model as it is does on average."""
        if layer not in self._means:
            q, k, v = self.encoder.queries_keys_values(layer, self.states[layer])
            content = self.batch.content
            gathered = self.encoder.attend(self.batch, q, k, v)[content].mean(0)
            self._means[layer] = _Means(MeanScores.of_points(q, k, self.batch), gathered)
        return self._means[layer]

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
    scores: Optional[MeanScores]
    gathered: np.ndarray  # (H, d)


def _in_content(mechanism, group, S, weights, fixed):
    """Weights (g, H, n, n) whose rows and columns in C are those of a mechanism; the sink is as it was."""
    C = group.content
    inside = (..., C[:, None], C)
    mass = weights[inside].sum(-1, keepdims=True)
    seen = Seen(
        pieces(S[inside]),
        _nats.softmax(S[inside]),
        None if fixed is None else np.broadcast_to(fixed(C), S[inside].shape),
    )
    found = weights.copy()
    found[inside] = mass * replaced(mechanism, seen)
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
