"""Rows that attend to labeled rows: kernel regression whose metric is learned, with several heads.

    F_i = mean over heads of  sum_j P_h[i, j] y_j,   P_h = softmax over j of -c_h(x_i, z_j) / t_h

Features are mapped by one embedding W_e and each head's W_h; labels are values only, so what is learned
is a metric of the features: Mahalanobis(W_h W_e), or with a network phi_h of what W_h W_e makes of them
Mapped(ResidualMLP). A row never sees its own label.
"""

import json
import math

import numpy as np

from likewise import _core
from likewise._lbfgs import lbfgs
from likewise.nn._parameters import as_path

ATTENTION = ("l2", "metric", "dot")
_LEAST_SHARE = 1e-12  # of a class, added before its logarithm
_PHI = ("map_in", "map_in_bias", "map_out", "map_out_bias")  # W1, b1, W2, b2 of all heads


class InContextModel:
    """The learned maps and temperatures, and `context`: the labeled rows and their targets.

    C++ holds all numbers and answers (likewise::nn::InContextModel); learning changes the maps in place.
    """

    is_of_tokens = False  # rows are what attends

    def __init__(self, attention, n_features, embed_dim, num_heads, random_state):
        rank = embed_dim // num_heads

        def uniform(rows, columns, spread):
            bound = np.sqrt(6 / spread)
            return random_state.uniform(-bound, bound, (rows, columns))

        embedding = uniform(embed_dim, n_features, n_features + embed_dim)
        query_maps = uniform(num_heads * rank, embed_dim, embed_dim + rank)
        key_maps, phi = np.empty((0, 0)), [np.empty((0, 0)), np.empty(0)] * 2
        if attention == "dot":
            key_maps = uniform(num_heads * rank, embed_dim, embed_dim + rank)
        if attention == "metric":  # as many hidden units as a head has features
            units = num_heads * rank
            phi = [
                uniform(units, rank, 2 * rank),
                np.zeros(units),
                uniform(units, rank, 2 * rank),
                np.zeros(units),
            ]
        temperature = {"dot": np.sqrt(rank), "l2": 2 * np.sqrt(rank), "metric": 1.0}[attention]
        log_temperature = np.full(num_heads, np.log(temperature))
        self._core = _core.InContextModel(embedding, query_maps, key_maps, log_temperature, *phi)

    @property
    def attention(self):
        """The name of what its heads compare rows by."""
        if self.has_phi:
            return "metric"
        return "dot" if self._core.key_maps.size else "l2"

    @property
    def has_phi(self):
        """Whether heads compare what a network makes of rows, at temperature 1 as published."""
        return self._core.map_in.size > 0

    def is_of(self, attention, n_features, embed_dim, num_heads):
        """Whether a model of these settings would have the same maps."""
        return (self.attention, self._core.embedding.shape, self.num_heads) == (
            attention, (embed_dim, n_features), num_heads
        )  # fmt: skip

    @property
    def context(self):
        """(rows, targets), copies."""
        return self._core.context

    @context.setter
    def context(self, context):
        self._core.context = context

    @property
    def num_heads(self):
        return len(self._core.log_temperature)

    # --- reading, as nn._model.Model has it; the tokens are the rows -------------------------------------

    def outputs(self, X, padding=None):
        """F (n, n_outputs): shares of the classes, or targets."""
        return self._core.outputs(_rows(X, padding))

    @staticmethod
    def shares(outputs):
        """They are shares already."""
        return outputs / outputs.sum(axis=1, keepdims=True)

    def tokens(self, X, layer, padding=None):
        """The features: what the metrics act on."""
        if layer != 0:
            raise ValueError(f"layer must be 0 in context; got {layer}.")
        return _rows(X, padding)

    def weights(self, X, padding=None):
        """Who attends to which labeled row: (1, num_heads, n, n_context)."""
        rows, (labeled, _) = _rows(X, padding), self.context
        return np.array([[m.operator(rows, labeled).toarray() for m in self.mechanisms()[0]]])

    def mechanisms(self):
        """[[head, ...]], on the features. Empty rows are spoken for by their nearest key."""
        return [self._core.mechanisms()]

    def state_dict(self):
        """A copy of each map, and the log temperatures where they are learned."""
        return {name: part.copy() for name, part in self._parts().items()}

    def _parts(self):
        """All that is learned as writable views: the embedding, W or Wq and Wk of all heads, and phi of all
        heads or their log temperatures."""
        core = self._core
        last = self._phi() if self.has_phi else {"log_temperature": core.log_temperature}
        return {"embedding": core.embedding, **self._maps(), **last}

    def _maps(self):
        """(num_heads, rank, embed_dim) each."""
        core = self._core
        maps = {"Wq": core.query_maps, "Wk": core.key_maps} if core.key_maps.size else {"W": core.query_maps}
        return {name: self._by_head(part) for name, part in maps.items()}

    def _phi(self):
        """map_in (num_heads, map_width, rank), map_out (num_heads, rank, map_width) and their biases."""
        return {name: self._by_head(getattr(self._core, name)) for name in _PHI}

    def _by_head(self, part):
        return part.reshape(self.num_heads, -1, *part.shape[1:])

    # --- files ------------------------------------------------------------------------------------------

    def save(self, path, metadata):
        """One file: maps, temperatures, labeled rows, metadata (anything JSON can hold), a checksum."""
        self._core.save(as_path(path), json.dumps(metadata))

    @classmethod
    def load(cls, path):
        """(model, metadata) of such a file; a ValueError says what is wrong with it."""
        model = cls.__new__(cls)
        model._core, metadata = _core.load_in_context_model(as_path(path))
        return model, json.loads(metadata)

    # --- learning ---------------------------------------------------------------------------------------

    def learn(self, training, validation, context, loss, *, max_iter, tol, patience):
        """L-BFGS on the mean loss of rows and targets; the best parameters are kept, also when it is stopped.

        Parameters
        ----------
        training, validation : (rows, targets); validation may be None
        context : (rows, targets), or None: the training rows, each without its own label
        loss : function (F, Y) -> value, gradient
        patience : int, iterations that end it when no loss (of the validation rows where there are some) was
            lower by tol; None: none do

        Returns
        -------
        History. `interrupted` says that Ctrl-C ended it.
        """
        rows, Y = training
        self.context = context or training
        values = Y if context is None else context[1]
        history = History(self, loss, validation, tol, patience)

        def value_and_gradient(flat):
            self._take(flat)
            operators = [_operator(m, rows, context) for m in self.mechanisms()[0]]
            parts = [P @ values for P in operators]
            value, by_output = loss(sum(parts) / self.num_heads, Y)
            found = [P.vjp(by_output / self.num_heads, values, part) for P, part in zip(operators, parts)]
            return value, self._gradient(found)

        try:
            lbfgs(value_and_gradient, self._flat(), callback=history, maxiter=max_iter, ftol=1e-3 * tol)
        except KeyboardInterrupt:
            history.interrupted = True
        self._take(history.best)
        return history

    def _gradient(self, found):
        """From what each head's metric and temperature ask for to all that is learned, as one vector."""
        asked = {name: np.array([head["metric"][name] for head in found]) for name in found[0]["metric"]}
        by_temperature = np.array([head["temperature"] for head in found])
        by_factors, by = self._by_factors(asked)
        by["log_temperature"] = by_temperature * np.exp(self._core.log_temperature)
        by["embedding"] = np.zeros_like(self._core.embedding)
        for name, maps in self._maps().items():
            by[name] = by_factors[name] @ self._core.embedding.T
            by["embedding"] += np.einsum("hre,hrd->ed", maps, by_factors[name])
        return _as_one(by[name] for name in self._parts())

    def _by_factors(self, asked):
        """dL/d(W_h W_e) by the names of maps, and dL/d(each part of phi), of dL/d(each parameter of metrics).

        A Mapped head's network is W1 = map_in W, b1, W2 = map_out, b2 around the skip W = W_h W_e.
        """
        if not self.has_phi:
            factors = {"W": "factor", "Wq": "query_factor", "Wk": "key_factor"}
            return {name: asked[factors[name]] for name in self._maps()}, {}
        W, map_in = self._maps()["W"] @ self._core.embedding, self._phi()["map_in"]
        by_phi = (asked["W1"] @ W.swapaxes(1, 2), asked["b1"], asked["W2"], asked["b2"])
        return {"W": asked["skip"] + map_in.swapaxes(1, 2) @ asked["W1"]}, dict(zip(_PHI, by_phi))

    def _flat(self):
        """All that is learned as one vector."""
        return _as_one(self._parts().values())

    def _take(self, flat):
        at = 0
        for part in self._parts().values():
            part[...] = flat[at : at + part.size].reshape(part.shape)
            at += part.size


def _as_one(parts):
    return np.concatenate([part.ravel() for part in parts])


def _operator(mechanism, rows, context):
    """From rows to those of the context, or without one to each other."""
    if context is None:
        return mechanism.replace(support="leave_one_out").operator(rows, storage="streamed")
    return mechanism.operator(rows, context[0], storage="streamed")


class History:
    """What L-BFGS calls after each iteration: losses, the best parameters, and when to end."""

    def __init__(self, model, loss, watched, tol, patience):
        self._model, self._loss, self._watched, self._tol, self._patience = (
            model,
            loss,
            watched,
            tol,
            patience,
        )
        self.best, self.best_epoch = model._flat(), -1
        self.losses, self.validation_losses = [], []
        self._least, self._waited = math.inf, 0
        self.interrupted = self.ended_early = False

    def __call__(self, reached):
        flat, value = reached.x, reached.fun
        self.losses.append(value)
        watched = value if self._watched is None else self._validation_loss(flat)
        self.validation_losses.append(math.nan if self._watched is None else watched)
        self._waited = 0 if watched < self._least - self._tol else self._waited + 1
        if watched < self._least:
            self.best, self._least, self.best_epoch = flat.copy(), watched, len(self.losses) - 1
        if self._patience is not None and self._waited >= self._patience:
            self.ended_early = True
            raise StopIteration

    def _validation_loss(self, flat):
        rows, Y = self._watched
        self._model._take(flat)
        return self._loss(self._model.outputs(rows), Y)[0]


def _rows(X, padding=None):
    """Rows (n, d) of float64 of rows of tokens."""
    if padding is not None:
        raise ValueError("key_padding_mask must be None in context, where rows are the tokens.")
    return X.reshape(len(X), -1).astype(np.float64)


def log_loss(F, Y):
    """-mean log of the share of the right class, and its gradient."""
    right = (F * Y).sum(axis=1) + _LEAST_SHARE
    return -np.log(right).mean(), -Y / right[:, None] / len(Y)


def squared_loss(F, Y):
    """Mean squared error, and its gradient."""
    return ((F - Y) ** 2).mean(), 2 * (F - Y) / F.size
