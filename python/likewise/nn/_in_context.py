"""Rows that attend to labeled rows: kernel regression whose metric is learned, with several heads.

    F_i = mean over heads of  sum_j P_h[i, j] y_j,   P_h = softmax over j of -c_h(x_i, z_j) / t_h

Features are mapped by one embedding W_e and each head's W_h; labels are values only, so what is learned
is a metric of the features: Mahalanobis(W_h W_e). A row never sees its own label.
"""

import math

import numpy as np

import likewise as lw
from likewise._lbfgs import lbfgs

_LEAST_SHARE = 1e-12  # of a class, added before its logarithm


class InContextModel:
    """The learned maps and temperatures, and once learned `context`: the labeled rows and their targets."""

    def __init__(self, attention, n_features, embed_dim, num_heads, random_state):
        rank = embed_dim // num_heads
        self.attention, self.num_heads = attention, num_heads
        names = ("W",) if attention == "metric" else ("Wq", "Wk")
        bound = np.sqrt(6 / (n_features + embed_dim))
        self.embedding = random_state.uniform(-bound, bound, (embed_dim, n_features))
        bound = np.sqrt(6 / (embed_dim + rank))
        self.maps = {n: random_state.uniform(-bound, bound, (num_heads, rank, embed_dim)) for n in names}
        self.log_temperature = np.full(num_heads, np.log(np.sqrt(rank) * (2 if attention == "metric" else 1)))

    # --- reading, as nn._model.Model has it; the tokens are the rows -------------------------------------

    def outputs(self, X, padding=None):
        """F (n, n_outputs): shares of the classes, or targets."""
        return self._answer(_rows(X, padding), *self.context)

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
        rows = _rows(X, padding)
        return np.array([[m.operator(rows, self.context[0]).toarray() for m in self.mechanisms()[0]]])

    def mechanisms(self):
        """[[head, ...]], on the features."""
        return [[self._mechanism(head) for head in range(self.num_heads)]]

    def _metric(self, head):
        if self.attention == "metric":
            return lw.metrics.Mahalanobis(self.maps["W"][head] @ self.embedding)
        return lw.metrics.Bilinear(
            self.maps["Wq"][head] @ self.embedding, self.maps["Wk"][head] @ self.embedding
        )

    def _mechanism(self, head, support="all"):
        """Empty rows are spoken for by their nearest key."""
        kernel = lw.kernels.Exponential(float(np.exp(self.log_temperature[head])))
        return lw.Mechanism(metric=self._metric(head), kernel=kernel, support=support, empty_row="nearest")

    def _answer(self, rows, context, values):
        heads = (m.operator(rows, context, storage="streamed") @ values for m in self.mechanisms()[0])
        return sum(heads) / self.num_heads

    def state_dict(self):
        """A copy of each map, and the log temperatures."""
        return {"embedding": self.embedding.copy(), **{n: m.copy() for n, m in self.maps.items()},
                "log_temperature": self.log_temperature.copy()}  # fmt: skip

    def save(self, path, metadata):
        """Refused: the file has no place for labeled rows."""
        raise ValueError(
            "context must be None for a model in a file, which has no place for labeled rows; pickle has."
        )

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
        values = Y if context is None else context[1]
        watched = None if validation is None else (*validation, context or training)
        history = History(self, loss, watched, tol, patience)

        def value_and_gradient(flat):
            self._take(flat)
            operators = [self._operator(h, rows, context) for h in range(self.num_heads)]
            parts = [P @ values for P in operators]
            history.value, by_output = loss(sum(parts) / self.num_heads, Y)
            found = [P.vjp(by_output / self.num_heads, values, part) for P, part in zip(operators, parts)]
            return history.value, self._gradient(found)

        try:
            lbfgs(value_and_gradient, self._flat(), callback=history, maxiter=max_iter, ftol=1e-3 * tol)
        except KeyboardInterrupt:
            history.interrupted = True
        self._take(history.best)
        return history

    def _operator(self, head, X, context):
        if context is None:
            return self._mechanism(head, "leave_one_out").operator(X, storage="streamed")
        return self._mechanism(head).operator(X, context[0], storage="streamed")

    def _gradient(self, found):
        """From dL/d(metric factor) of each head to the maps that make it, and log temperatures."""
        factors = {"W": "factor", "Wq": "query_factor", "Wk": "key_factor"}
        by_embedding, by_maps = np.zeros_like(self.embedding), []
        for name, maps in self.maps.items():
            by_factor = np.array([gradient["metric"][factors[name]] for gradient in found])
            by_maps.append(by_factor @ self.embedding.T)
            by_embedding += np.einsum("hre,hrd->ed", maps, by_factor)
        by_temperature = np.array([gradient["temperature"] for gradient in found]) * np.exp(
            self.log_temperature
        )
        return np.concatenate([part.ravel() for part in (by_embedding, *by_maps, by_temperature)])

    def _flat(self):
        """All that is learned as one vector."""
        return np.concatenate(
            [part.ravel() for part in (self.embedding, *self.maps.values(), self.log_temperature)]
        )

    def _take(self, flat):
        at = 0
        for part in (self.embedding, *self.maps.values(), self.log_temperature):
            part[...] = flat[at : at + part.size].reshape(part.shape)
            at += part.size


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
        self.value, self.best, self.best_epoch = math.nan, model._flat(), -1
        self.losses, self.validation_losses = [], []
        self._least, self._waited = math.inf, 0
        self.interrupted = self.ended_early = False

    def __call__(self, flat):
        self.losses.append(self.value)
        watched = self.value if self._watched is None else self._validation_loss(flat)
        self.validation_losses.append(math.nan if self._watched is None else watched)
        self._waited = 0 if watched < self._least - self._tol else self._waited + 1
        if watched < self._least:
            self.best, self._least, self.best_epoch = flat.copy(), watched, len(self.losses) - 1
        if self._patience is not None and self._waited >= self._patience:
            self.ended_early = True
            raise StopIteration

    def _validation_loss(self, flat):
        rows, Y, context = self._watched
        self._model._take(flat)
        return self._loss(self._model._answer(rows, *context), Y)[0]


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
