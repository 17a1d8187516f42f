"""A small Transformer with its training, as the estimators use it: tokens in, outputs and weights out."""

import json

import numpy as np

import likewise as lw
from likewise import _core
from likewise._checks import float_dtype
from likewise.nn._layers import as_options
from likewise.nn._parameters import Parametrized, as_path, load_into

_MODELS = {"float32": _core.AttentionModel_float32, "float64": _core.AttentionModel_float64}
_LOADERS = {4: _core.load_attention_model_float32, 8: _core.load_attention_model_float64}

# What names mean for an estimator. "l2" and "dot" differ in the cost, and in nothing else that is learned;
# "metric" is the published one, whose temperature is 1.
ATTENTION = {
    "dot": {"score": "dot", "tied": False, "learn_temperature": True},
    "l2": {"score": "sqdist", "tied": True, "learn_temperature": True},
    "metric": {"score": "sqdist", "tied": True, "temperature": 1.0},
    "additive": {"score": "additive", "tied": True, "temperature": 1.0},
    "additive_dynamic": {"score": "additive_dynamic", "tied": False, "temperature": 1.0},
}


def head_settings(attention, head_dim):
    """Settings of heads of so many features by their name, or those of a dict."""
    if isinstance(attention, dict):
        return as_options(attention)
    return {**ATTENTION[attention], **({"map_width": head_dim} if attention == "metric" else {})}


class Model(Parametrized):
    """A compiled model with its options. X is (n, n_tokens, n_features) of the model's dtype."""

    def __init__(self, options, seed=0, dtype="float32"):
        self.options, self.seed, self.dtype = dict(options), int(seed), float_dtype(dtype)
        self._core = _MODELS[self.dtype.name](self.options, self.seed)

    @property
    def is_of_tokens(self):
        """Whether it has an output for each token, and none of the whole row."""
        return self.options.get("pooling") == "none"

    @property
    def has_phi(self):
        """Whether heads compare what a network makes of their tokens."""
        return self.options.get("map_width", 0) > 0

    def is_of(self, options, dtype):
        """Whether a model of these options would have the same parameters."""
        return self.options == options and self.dtype == np.dtype(dtype)

    def load_state_dict(self, state):
        """Takes over numbers; nothing unless every name and shape fits."""
        self.flat_parameters[:] = load_into(self._core.entries, state, self.dtype)

    def train(self, training, validation, options):
        """One call of the C++ training on (X, labels, targets, padding, weights); its history as a dict.

        labels (n,), targets (n, n_outputs); of tokens (n, n_tokens) and (n, n_tokens, n_outputs).
        """
        return self._core.train(self._samples(training), validation and self._samples(validation), options)

    def outputs(self, X, padding=None):
        """Class scores or targets (n, n_outputs), of tokens (n, n_tokens, n_outputs)."""
        outputs = self._core.predict(self._rows(X), padding)
        return outputs.reshape(*X.shape[:2], -1) if self.is_of_tokens else outputs

    @staticmethod
    def shares(outputs):
        """Probabilities of class scores (..., n_classes)."""
        shares = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
        return shares / shares.sum(axis=-1, keepdims=True)

    def tokens(self, X, layer, padding=None):
        """What that layer's heads compare: (n, length, embed_dim)."""
        tokens = self._core.layer_input(self._rows(X), layer, padding)
        return tokens.reshape(len(X), -1, self.options["embed_dim"])

    def weights(self, X, padding=None):
        """Who attends to whom: (n, n_layers, num_heads, length, length)."""
        weights = self._core.weights(self._rows(X), padding)
        length = weights.shape[1]
        return weights.reshape(len(X), len(self._layers), len(self._heads), length, length)

    def mechanisms(self):
        """[layer][head], on the tokens of that layer."""
        return [
            [
                lw.Mechanism(
                    metric=self._core.metric(layer, head),
                    kernel=lw.kernels.Exponential(self._core.temperature(layer, head)),
                )
                for head in self._heads
            ]
            for layer in self._layers
        ]

    @property
    def _heads(self):
        return range(self.options["num_heads"])

    @property
    def _layers(self):
        return range(self.options["n_layers"])

    def save(self, path, metadata):
        """One file: options, parameters, metadata (anything JSON can hold), a checksum."""
        self._core.save(as_path(path), json.dumps({"options": self.options, "of": metadata}))

    @classmethod
    def load(cls, path):
        """(model, metadata) of such a file; a ValueError says what is wrong with it."""
        core, text = _LOADERS[_core.saved_number_size(as_path(path))](as_path(path))
        metadata = json.loads(text)
        model = cls.__new__(cls)
        model.options, model.seed, model._core = metadata["options"], 0, core
        model.dtype = core.parameters.dtype
        return model, metadata["of"]

    def _rows(self, X):
        return np.ascontiguousarray(X, self.dtype).reshape(-1, X.shape[-1])

    def _samples(self, samples):
        X, labels, targets, padding, weights = samples
        labels = None if labels is None else np.ravel(labels)
        targets = None if targets is None else targets.reshape(-1, targets.shape[-1])
        return self._rows(X), labels, targets, padding, weights

    def __getstate__(self):
        return {
            "options": self.options,
            "seed": self.seed,
            "dtype": self.dtype,
            "flat": self.flat_parameters.copy(),
        }

    def __setstate__(self, state):
        self.__init__(state["options"], state["seed"], state["dtype"])
        self.flat_parameters[:] = state["flat"]
