"""A propagation network learns rows that attend to one another."""

import numpy as np

from likewise.study.paper import arms
from likewise.study.paper.run import Run, perplexity_of


class RowRun(Run):
    """Rows of a batch, of the whole training, or nodes of a graph."""

    def __init__(self, cell, experiment, data):
        super().__init__(cell, experiment, data)
        self.support = data.support
        self.model = arms.get(cell.arm).network(cell, experiment.embed_dim, data.X.shape[1], self.n_classes)
        n_train = len(data.train)
        self.batch = min(cell.batch, n_train) if cell.batch else n_train
        self.together = data.graph is not None or cell.context == "training"
        self.steps_of_epoch = 1 if self.together else -(-n_train // self.batch)

    def attention(self):
        self._forward()
        found = {"variance_at_start": self._variance()}
        if self.model.options["n_layers"] == 0:
            return found
        P, graph = self.model.attention_weights(0), self.data.graph
        n_keys = P.shape[-1] if graph is None else np.diff(graph.indptr).mean()
        return {**found, "perplexity": perplexity_of(P), "n_keys": float(n_keys)}

    def at_end(self):
        beside = self._asked_beside_training()
        return {"accuracy_beside_training": beside, "variance_at_end": self._variance()}

    def train(self, n_epochs):
        """Rows that are asked weigh nothing: in a batch they are as if not there."""
        data = self.data
        weights = np.zeros(len(data.y))
        weights[data.train] = 1
        given = data.X, data.y, None, None, weights, None, self.together, self.support
        batch_size = len(data.train) if self.together else self.batch
        return self.model.train(given, self.options(n_epochs, batch_size))

    def ask(self, X):
        return self._predict(X, beside_training=self.together)

    def _predict(self, X, beside_training):
        data = self.data
        if data.graph is not None:
            return self.model.predict(X, support=self.support)[data.asked]
        batch = len(data.asked) if self.together else self.batch
        return self.model.predict(X[data.asked], batch, X[data.train] if beside_training else None)

    def _asked_beside_training(self):
        try:
            return self._score(self._predict(self.data.X, beside_training=True))
        except ValueError:  # as of `_asked`
            return self._score(None)

    def _forward(self):
        """A pass of rows as a step has them."""
        X = self.data.X if self.together else self.data.X[self.data.train[: self.batch]]
        self.model.forward(X, self.support)

    def _variance(self):
        """Variance of the rows of H after the modules, as a share of that before; NaN if they ran away."""
        try:
            self._forward()
        except ValueError:
            return np.nan
        before, after = (self.model.hidden(layer).astype(float).var(axis=0).sum() for layer in (0, -1))
        return float(after / before) if before > 0 else np.nan
