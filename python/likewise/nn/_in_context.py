"""Rows that attend to labeled rows: kernel regression whose metric is learned, with several heads.

    F_i = mean over heads of  sum_j P_h[i, j] y_j,   P_h = softmax over j of -c_h(x_i, z_j) / t_h

Features are mapped by one embedding W_e and each head's W_h; labels are values only, so what is learned
is a metric of
the features: Mahalanobis(W_h W_e). A row never sees its own label.
"""

import numpy as np
from scipy.optimize import minimize

import likewise as lw

_LEAST_SHARE = 1e-12  # of a class, before its logarithm


class InContextModel:
    """The learned maps and temperatures, and the labeled rows that are attended to."""

    def __init__(self, attention, n_features, embed_dim, num_heads, random_state):
        rank = embed_dim // num_heads
        self.attention, self.num_heads = attention, num_heads
        names = ("W",) if attention == "metric" else ("Wq", "Wk")
        bound = np.sqrt(6 / (n_features + embed_dim))
        self.embedding = random_state.uniform(-bound, bound, (embed_dim, n_features))
        bound = np.sqrt(6 / (embed_dim + rank))
        self.maps = {n: random_state.uniform(-bound, bound, (num_heads, rank, embed_dim)) for n in names}
        self.log_temperature = np.full(num_heads, np.log(np.sqrt(rank) * (2 if attention == "metric" else 1)))

    # --- the mechanism of a head ------------------------------------------------------------------------

    def metric(self, head):
        """On the features."""
        if self.attention == "metric":
            return lw.metrics.Mahalanobis(self.maps["W"][head] @ self.embedding)
        return lw.metrics.Bilinear(
            self.maps["Wq"][head] @ self.embedding, self.maps["Wk"][head] @ self.embedding
        )

    def mechanism(self, head, support="all"):
        """Empty rows are spoken for by their nearest key."""
        kernel = lw.kernels.Exponential(float(np.exp(self.log_temperature[head])))
        return lw.Mechanism(metric=self.metric(head), kernel=kernel, support=support, empty_row="nearest")

    def predict(self, X, context, values):
        """F (n, n_outputs)."""
        heads = (
            self.mechanism(h).operator(X, context, storage="streamed") @ values for h in range(self.num_heads)
        )
        return sum(heads) / self.num_heads

    # --- learning ---------------------------------------------------------------------------------------

    def learn(self, X, Y, context, loss, max_iter, tol, seen):
        """L-BFGS on the mean loss of the rows; context None: the rows themselves, each without its own label.

        seen(value, parameters) is called after each iteration, so that nothing is lost when it or the
        caller stops;
        it ends the learning by raising StopIteration.
        """
        values = Y if context is None else context[1]
        last = {}

        def value_and_gradient(flat):
            self.take(flat)
            operators = [self._operator(h, X, context) for h in range(self.num_heads)]
            parts = [P @ values for P in operators]
            value, by_output = loss(sum(parts) / self.num_heads, Y)
            found = [P.vjp(by_output / self.num_heads, values, part) for P, part in zip(operators, parts)]
            last["value"] = value
            return value, self._gradient(found)

        minimize(
            value_and_gradient,
            self.flat(),
            jac=True,
            method="L-BFGS-B",
            callback=lambda flat: seen(last["value"], flat),
            options={"maxiter": max_iter, "ftol": tol},
        )

    def _operator(self, head, X, context):
        if context is None:
            return self.mechanism(head, "leave_one_out").operator(X, storage="streamed")
        return self.mechanism(head).operator(X, context[0], storage="streamed")

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

    def flat(self):
        """All that is learned as one vector."""
        return np.concatenate(
            [part.ravel() for part in (self.embedding, *self.maps.values(), self.log_temperature)]
        )

    def take(self, flat):
        """Take such a vector's numbers over."""
        at = 0
        for part in (self.embedding, *self.maps.values(), self.log_temperature):
            part[...] = flat[at : at + part.size].reshape(part.shape)
            at += part.size


def log_loss(F, Y):
    """-mean log of the share of the right class, and its gradient."""
    right = np.maximum((F * Y).sum(axis=1), _LEAST_SHARE)
    return -np.log(right).mean(), -Y / right[:, None] / len(Y)


def squared_loss(F, Y):
    """Mean squared error, and its gradient."""
    return ((F - Y) ** 2).mean(), 2 * (F - Y) / F.size
