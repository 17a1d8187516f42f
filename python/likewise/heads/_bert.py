"""A BERT encoder in NumPy: a model's folder to states, queries, keys and values."""

import copy
import json
import math
from pathlib import Path

import numpy as np
from scipy.special import erf

from likewise._extras import need
from likewise.heads._nats import softmax
from likewise.heads._tokens import Tokens

FILES = ("config.json", "model.safetensors", "tokenizer.json")
ACTIVATIONS = {
    "gelu": lambda x: x * (1 + erf(x * 0.5**0.5)) / 2,
    "gelu_new": lambda x: x * (1 + np.tanh((2 / math.pi) ** 0.5 * (x + 0.044715 * x**3))) / 2,
    "relu": lambda x: np.maximum(x, 0),
}


class Encoder:
    """The encoder of a model folder, in float64 whatever its weights are (`in_float32` for long work).

    Attributes
    ----------
    n_layers, n_heads, width, head_width : int

    Raises
    ------
    ModuleNotFoundError : safetensors or tokenizers is not installed
    ValueError : a file is missing, or the model is not of BERT type: an encoder with absolute
        positions, whose tokens attend to all others

    Notes
    -----
    A pass over N tokens, of texts of n, takes O(N width^2 + N n width) a layer. The tokens of all texts go
    through linear maps together; attention is by groups of texts of one length, without padding.
    """

    def __init__(self, folder):
        need("reading a transformer", "safetensors", "tokenizers", extra="heads")
        folder = checked_folder(folder)
        config = checked_config(json.loads((folder / "config.json").read_text(encoding="utf-8")), folder)
        self.n_layers, self.n_heads = config["num_hidden_layers"], config["num_attention_heads"]
        self.width, self.head_width = config["hidden_size"], config["hidden_size"] // self.n_heads
        self.longest, self.epsilon = config["max_position_embeddings"], config["layer_norm_eps"]
        self.activation = ACTIVATIONS[config["hidden_act"]]
        self.dtype = np.dtype(np.float64)
        self._weights = _loaded(folder)
        self._tokenizer = _tokenizer(folder, self.longest)
        self._cast = {}

    def in_float32(self):
        """The same model in float32: half the time of a pass, embeddings to 1e-6."""
        found = copy.copy(self)
        found.dtype, found._cast = np.dtype(np.float32), {}
        return found

    # --- weights -------------------------------------------------------------------------------------------

    def weight(self, name, layer=None):
        """A weight by its name in the file, of a layer where one is given, in the dtype of the pass."""
        name = name if layer is None else f"encoder.layer.{layer}.{name}"
        if name not in self._cast:
            if name not in self._weights:
                raise ValueError(f"path must hold the weights of a BERT encoder; {name} is missing.")
            self._cast[name] = self._weights[name].astype(self.dtype)
        return self._cast[name]

    def _affine(self, name, layer, x):
        return x @ self.weight(f"{name}.weight", layer).T + self.weight(f"{name}.bias", layer)

    def _normed(self, name, layer, x):
        x = x - x.mean(-1, keepdims=True)
        x /= np.sqrt((x**2).mean(-1, keepdims=True) + self.epsilon)
        return x * self.weight(f"{name}.weight", layer) + self.weight(f"{name}.bias", layer)

    def of_head(self, which, layer, head):
        """Wq, Wk or Wv (head_width, width) of a head: which is "query", "key" or "value"."""
        rows = slice(head * self.head_width, (head + 1) * self.head_width)
        return self.weight(f"attention.self.{which}.weight", layer)[rows]

    def output_of_head(self, layer, head):
        """Wo (width, head_width) of a head: what it writes is Wo sum_j w_ij v_j."""
        columns = slice(head * self.head_width, (head + 1) * self.head_width)
        return self.weight("attention.output.dense.weight", layer)[:, columns]

    # --- a pass --------------------------------------------------------------------------------------------

    def tokenize(self, texts):
        """The Batch of some texts."""
        encoded = self._tokenizer.encode_batch(list(texts))
        special = [np.array(one.special_tokens_mask, bool) for one in encoded]
        ids = np.concatenate([one.ids for one in encoded])
        return Batch(special, ids, [word for one in encoded for word in one.tokens])

    def embed(self, batch):
        """States (N, width) at the input of layer 0."""
        words = self._weights["embeddings.word_embeddings.weight"][batch.ids].astype(self.dtype)
        places = self.weight("embeddings.position_embeddings.weight")[batch.position]
        types = self.weight("embeddings.token_type_embeddings.weight")[0]
        return self._normed("embeddings.LayerNorm", None, words + places + types)

    def queries_keys_values(self, layer, x):
        """Three arrays (N, n_heads, head_width) of states (N, width)."""
        shape = (len(x), self.n_heads, self.head_width)
        names = (f"attention.self.{which}" for which in ("query", "key", "value"))
        return [self._affine(name, layer, x).reshape(shape) for name in names]

    def attend(self, batch, q, k, v, replace=None):
        """What heads gather, (N, n_heads, head_width).

        replace : function of (group, scores, weights), each of weights (g, n_heads, n, n), that gives the
            weights to use; None: as they are
        """
        gathered = np.empty_like(v)
        for group in batch.groups:
            S = group_scores(q, k, group)
            weights = softmax(S)
            if replace is not None:
                weights = replace(group, S, weights)
            gathered[group.rows] = (weights @ v[group.rows].swapaxes(1, 2)).swapaxes(1, 2)
        return gathered

    def sublayer(self, layer, gathered):
        """What attention writes (N, width), with its bias, of what heads gather."""
        return self._affine("attention.output.dense", layer, gathered.reshape(len(gathered), -1))

    def finish(self, layer, x, gathered):
        """States after a layer, of those before and of what its heads gather."""
        x = self._normed("attention.output.LayerNorm", layer, x + self.sublayer(layer, gathered))
        hidden = self.activation(self._affine("intermediate.dense", layer, x))
        return self._normed("output.LayerNorm", layer, x + self._affine("output.dense", layer, hidden))

    def forward(self, batch):
        """States (n_layers + 1) x (N, width): at the input of each layer, and at the end."""
        states = [self.embed(batch)]
        for layer in range(self.n_layers):
            gathered = self.attend(batch, *self.queries_keys_values(layer, states[-1]))
            states.append(self.finish(layer, states[-1], gathered))
        return states


def group_scores(q, k, group):
    """q.k / sqrt(d) (g, H, n, n) of a group of texts."""
    queries, keys = q[group.rows].swapaxes(1, 2), k[group.rows].swapaxes(1, 2)
    return queries @ keys.swapaxes(-1, -2) * q.shape[-1] ** -0.5


class Batch(Tokens):
    """Texts as tokens: ids (N,) in the vocabulary, words a list of N; and where they are, of Tokens."""

    def __init__(self, special, ids, words):
        super().__init__(special, ids)
        self.ids, self.words = ids, words

    def pooled(self, states):
        """The embeddings (n_texts, width): means over all tokens of each text, as sentence encoders have."""
        sums = np.zeros((self.n_texts, states.shape[1]))
        np.add.at(sums, self.text, states)
        return sums / np.bincount(self.text)[:, None]


# --- the folder ---------------------------------------------------------------------------------------------


def is_model_folder(path):
    """Whether a path is a folder with a config.json."""
    return Path(path).is_dir() and (Path(path) / "config.json").is_file()


def checked_folder(path):
    """The folder as a Path; a ValueError that says which file it lacks."""
    folder = Path(path)
    if not folder.is_dir():
        raise ValueError(f"path must be the folder of a transformer; there is none at {str(path)!r}.")
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise ValueError(
            f"path must be a folder with {', '.join(FILES)}; {str(path)!r} lacks {' and '.join(missing)}."
        )
    return folder


def checked_config(config, folder):
    """The settings of a model of BERT type, with BERT's defaults; a ValueError for another one."""
    kind = config.get("model_type")
    way = "Read other models by heads.read_head on their scores."
    if kind != "bert" or config.get("is_decoder"):
        what = "a decoder" if config.get("is_decoder") else f"model_type {kind!r}"
        raise ValueError(
            f"path must hold an encoder of model_type 'bert'; got {what} in {str(folder)!r}. {way}"
        )
    positions = config.get("position_embedding_type", "absolute")
    if positions != "absolute":
        raise ValueError(f"path must hold a model with absolute positions; got {positions!r}. {way}")
    found = {"layer_norm_eps": 1e-12, "hidden_act": "gelu", "max_position_embeddings": 512, **config}
    if found["hidden_act"] not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        raise ValueError(
            f"hidden_act of {str(folder)!r} must be one of {known}; got {found['hidden_act']!r}."
        )
    return found


def _loaded(folder):
    """The weights by their names, without the prefix that models with a head on top have."""
    from safetensors.numpy import load_file

    found = load_file(folder / "model.safetensors")
    return {name.removeprefix("bert."): part for name, part in found.items()}


def _tokenizer(folder, longest):
    from tokenizers import Tokenizer

    found = Tokenizer.from_file(str(folder / "tokenizer.json"))
    found.no_padding()
    found.enable_truncation(longest)
    return found
