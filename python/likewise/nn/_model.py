"""A small Transformer with its training, as the estimators use it: tokens in, outputs and attention
weights out."""

import json

import numpy as np

from likewise import _core
from likewise.nn._parameters import load_into, named_views

_MODELS = {"float32": _core.AttentionModel_float32, "float64": _core.AttentionModel_float64}
_LOADERS = {4: _core.load_attention_model_float32, 8: _core.load_attention_model_float64}

# What "metric" and "dot" mean for an estimator: one difference, the cost, and none in what is learned
# besides.
ATTENTION = {
    "metric": {"score": "sqdist", "tied": True, "learn_temperature": True},
    "dot": {"score": "dot", "tied": False, "learn_temperature": True},
}


class Model:
    """A compiled model with its options. X is (n, n_tokens, n_features) of the model's dtype."""

    def __init__(self, options, seed=0, dtype="float32"):
        if str(np.dtype(dtype)) not in _MODELS:
            raise ValueError(f"dtype must be float32 or float64; got {dtype!r}.")
        self.options, self.seed, self.dtype = dict(options), int(seed), np.dtype(dtype)
        self._core = _MODELS[self.dtype.name](self.options, self.seed)

    @property
    def flat_parameters(self):
        """All parameters as one writable vector."""
        return self._core.parameters

    def state_dict(self):
        """A copy of each parameter by its name."""
        return {name: part.copy() for name, part in named_views(self._core.entries, self.flat_parameters)}

    def load_state_dict(self, state):
        """Takes over numbers; nothing unless every name and shape fits."""
        self.flat_parameters[:] = load_into(self._core.entries, state, self.dtype)

    def train(self, training, validation, options):
        """One call of the C++ training on (X, labels, targets, padding, weights); its history as a dict."""
        return self._core.train(self._samples(training), validation and self._samples(validation), options)

    def predict(self, X, padding=None):
        """Outputs (n, n_outputs)."""
        return self._core.predict(self._rows(X), padding)

    def read(self, X, padding=None):
        """The tokens that each layer's heads compare, and the weights that they give.

        Returns
        -------
        tokens : array (n_layers, n, length, embed_dim)
        weights : array (n, n_layers, num_heads, length, length)
        """
        n, layers, heads = len(X), self.options["n_layers"], self.options["num_heads"]
        self._core.forward(self._rows(X), padding)
        tokens = [self._core.layer_input(i).reshape(n, -1, self.options["embed_dim"]) for i in range(layers)]
        weights = [
            [[self._core.weights(i, row, h) for h in range(heads)] for i in range(layers)] for row in range(n)
        ]
        return np.array(tokens), np.array(weights)

    def metric(self, layer, head):
        """That head's cost as a metric of the tokens that `read` returns."""
        return self._core.metric(layer, head)

    def temperature(self, layer, head):
        """The t that goes with it."""
        return self._core.temperature(layer, head)

    def save(self, path, metadata):
        """One file: options, parameters, metadata (anything JSON can hold), a checksum."""
        self._core.save(str(path), json.dumps({"options": self.options, "of": metadata}))

    @classmethod
    def load(cls, path):
        """(model, metadata) of such a file; a ValueError says what is wrong with it."""
        core, text = _LOADERS[_core.saved_number_size(str(path))](str(path))
        metadata = json.loads(text)
        model = cls.__new__(cls)
        model.options, model.seed, model._core = metadata["options"], 0, core
        model.dtype = core.parameters.dtype
        return model, metadata["of"]

    def _rows(self, X):
        return np.ascontiguousarray(X, self.dtype).reshape(-1, X.shape[-1])

    def _samples(self, samples):
        X, *rest = samples
        return (self._rows(X), *rest)

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
