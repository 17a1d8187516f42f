"""A network of propagation modules over one set of rows: a linear map, H <- P(H) H, a linear map."""

import json
import threading

import numpy as np

import likewise as lw
from likewise import _checks, _core
from likewise._slots import as_support
from likewise.nn._layers import DEFAULTS, as_options, head_mechanism
from likewise.nn._parameters import Parametrized, as_path, load_into, named_views, numbers_of

_CORES = {
    "float32": (_core.PropagationNetwork_float32, _core.PropagationNetworkPass_float32),
    "float64": (_core.PropagationNetwork_float64, _core.PropagationNetworkPass_float64),
}
_LOADERS = {4: _core.load_propagation_network_float32, 8: _core.load_propagation_network_float64}
MODULES = ("metric", "l2", "dot", "additive", "additive_dynamic", "gcn")


def module_settings(
    attention,
    embed_dim,
    num_heads=1,
    *,
    map_width=None,
    share_map=False,
    values=False,
    temperature=1.0,
    learn_temperature=False,
):
    """All options of a module's AttentionLayer, by a name or those of a dict (the rest then says nothing)."""
    usual = {**DEFAULTS, "embed_dim": embed_dim, "num_heads": num_heads}
    if isinstance(attention, dict):
        return as_options({**usual, **attention})
    if not _checks.is_word(attention, MODULES):
        names, got = ", ".join(map(repr, MODULES)), _checks.told(attention)
        raise ValueError(f"attention must be one of {names} or a dict; got {got}.")
    of_score = {
        "dot": {"score": "dot", "tied": False},
        "l2": {"score": "sqdist", "tied": True},
        "additive": {"score": "additive", "tied": True},
        "additive_dynamic": {"score": "additive_dynamic", "tied": False},
        "gcn": {"score": "given", "tied": True, "project": False},
    }
    own = of_score.get(attention)
    if own is None:
        # One head's phi sees the rows as they are, as published; several see projections of their own.
        own = {
            "score": "sqdist",
            "tied": True,
            "map_width": map_width or embed_dim // num_heads,
            "share_map": share_map,
            "project": num_heads > 1,
        }
    return as_options(
        {
            **usual,
            "bias": False,
            "values": values,
            "temperature": temperature,
            "learn_temperature": learn_temperature,
            **own,
        }
    )


def before(metric, W, b):
    """A module's metric of rows h = W x + b as a metric of rows x."""
    if isinstance(metric, lw.metrics.Mahalanobis):  # a shift cancels
        return lw.metrics.Mahalanobis(metric.factor @ W)
    if isinstance(metric, lw.metrics.Bilinear):
        sides = (lw.maps.Linear(F @ W, F @ b) for F in (metric.query_factor, metric.key_factor))
        return lw.metrics.Mapped(tuple(sides), "dot")
    if isinstance(metric, lw.metrics.Additive):  # what the shift adds lies inside the activation
        sides = (metric.a_query[None], metric.a_key[None])
        metric = lw.metrics.AdditiveDynamic(*sides, np.ones(1), metric.slope, metric.activation)
    if isinstance(metric, lw.metrics.AdditiveDynamic):
        F, G = metric.W_q, metric.W_k
        shift = (F + G) @ b + (0 if metric.b is None else metric.b)
        return lw.metrics.AdditiveDynamic(F @ W, G @ W, metric.a, metric.slope, metric.activation, shift)
    if not isinstance(metric, lw.metrics.Mapped):
        return lw.metrics.Mapped(lw.maps.Linear(W, b), metric)
    phi = metric.map
    skip, shift = (W, b) if phi.skip is None else (phi.skip @ W, phi.skip @ b)
    inside = lw.maps.ResidualMLP(
        phi.W1 @ W, phi.b1 + phi.W1 @ b, phi.W2, phi.b2 + shift, activation=phi.activation, skip=skip
    )
    return lw.metrics.Mapped(inside, metric.metric)


class PropagationNetwork(Parametrized):
    """H = X Wi^T + bi, n_layers times H <- P(H) H, then H Wo^T + bo (the IPN of Ruan and Zhang 2024).

    Rows of X are data points that attend to one another; P_ij is proportional to exp(-c(h_i, h_j) / t) on the
    pairs that the support admits, and its rows sum to 1.

    Parameters
    ----------
    n_features, n_outputs : int
    embed_dim : int
        Columns of H.
    n_layers : int >= 0
        Modules; 0: the two linear maps alone.
    attention : "metric", "l2", "dot", "additive", "additive_dynamic", "gcn" or dict
        c = |phi(h) - phi(z)|^2 with phi a network of one hidden layer and a residual connection (the paper's
        metric-attention), |W h - W z|^2, -<Q h, K z>, -act(<a, P h> + <a', P z>) (graph attention) or
        -<a, act(Q h + K z)>; "gcn": no cost, but the weights of a support Graph(A, weights="given"), divided
        on both sides (graph convolution). Or settings of AttentionLayer.
    num_heads : int
        Each has a metric of its own and propagates its columns of H; with one, phi sees H itself.
    map_width : int or None
        Hidden units of phi; None: as many as a head has columns.
    share_map : bool
        One phi for all heads of a module.
    residual : bool
        H <- H + P(H) H.
    values : bool
        Learned maps of values and outputs. The bare module has none.
    temperature : float
        t: 1 for every score, as published.
    learn_temperature : bool
    dtype : "float32" or "float64"
    random_state : int, RandomState or None

    Notes
    -----
    state_dict: input.weight, input.bias, layers.0. ... (as AttentionLayer names its parts), output.weight,
    output.bias. O(n_layers n^2 embed_dim) time and memory linear in n; on a graph O(n_layers edges
    embed_dim).

    Examples
    --------
    >>> import numpy as np
    >>> import likewise as lw
    >>> network = lw.nn.PropagationNetwork(2, 3, random_state=0)
    >>> logits = network.forward(np.random.default_rng(0).normal(size=(5, 2)))
    >>> network.backward(np.ones_like(logits)).shape
    (5, 2)
    """

    def __init__(
        self,
        n_features,
        n_outputs,
        embed_dim=16,
        n_layers=2,
        attention="metric",
        num_heads=1,
        *,
        map_width=None,
        share_map=False,
        residual=False,
        values=False,
        temperature=1.0,
        learn_temperature=False,
        dtype="float64",
        random_state=None,
    ):
        for name, value in (("n_features", n_features), ("n_outputs", n_outputs), ("n_layers", n_layers)):
            _checks.integer(value, name)
        for name, value in (("embed_dim", embed_dim), ("num_heads", num_heads)):
            if _checks.integer(value, name) < 1:
                raise ValueError(f"{name} must be an int, at least 1; got {value!r}.")
        self._make(
            {
                "n_features": int(n_features),
                "n_outputs": int(n_outputs),
                "n_layers": int(n_layers),
                "residual": bool(residual),
                **module_settings(
                    attention,
                    embed_dim,
                    num_heads,
                    map_width=map_width,
                    share_map=share_map,
                    values=values,
                    temperature=temperature,
                    learn_temperature=learn_temperature,
                ),
            },
            dtype,
            _checks.random_of(random_state).randint(2**31),
        )

    @classmethod
    def _of_options(cls, options, dtype, seed):
        network = cls.__new__(cls)
        network._make(options, dtype, seed)
        return network

    @classmethod
    def _of_numbers(cls, options, numbers):
        """A network of these options with a vector of numbers as its flat_parameters."""
        network = cls.__new__(cls)
        network._take(options, numbers.dtype, lambda core: core.of_numbers(options, numbers))
        return network

    def _make(self, options, dtype, seed):
        self._take(options, _checks.float_dtype(dtype), lambda core: core(options, int(seed)))

    def _take(self, options, dtype, make):
        core, self._new_pass = _CORES[dtype.name]
        self.options, self.dtype, self._core = dict(options), dtype, make(core)
        self._forget()

    def _forget(self):
        """No pass yet. Each thread has one of its own, so that several may read at once."""
        self._of_thread, self._last, self._last_gradient = threading.local(), None, None

    def is_of(self, options, dtype):
        """Whether a network of these options would have the same parameters."""
        return self.options == options and self.dtype == np.dtype(dtype)

    def load_state_dict(self, state):
        """Takes over numbers; nothing unless every name and shape fits."""
        self.flat_parameters[:] = load_into(self._core.entries, numbers_of(state), self.dtype)

    # --- files ------------------------------------------------------------------------------------------

    def save(self, path, metadata=None, context=None, graph=None):
        """One file that C++ reads too (likewise::nn::load_propagation_network).

        Parameters
        ----------
        path : str, bytes or pathlib.Path
        metadata : anything JSON can hold
        context : array (n, n_features) or None
            Rows of the training that it will be asked with again: those of `predict`, or the graph's nodes.
        graph : likewise.supports.Graph of n x n edges between these rows, or None

        Raises
        ------
        ValueError, TypeError : the path cannot be written, context or graph do not fit the network
        """
        if not isinstance(graph, (lw.supports.Graph, type(None))):
            raise TypeError(f"graph must be a likewise.supports.Graph or None; got {type(graph).__name__}.")
        context = None if context is None else self._rows(context, "context")
        self._core.save(as_path(path), context, graph, json.dumps(metadata))

    @classmethod
    def load(cls, path):
        """(network, metadata, context, graph) as `save` was given them.

        Metadata of a program in C++ that are no JSON come as the text that they are. A ValueError says what
        is wrong with a file.
        """
        path = as_path(path)
        core, context, graph, metadata = _LOADERS[_core.saved_number_size(path)](path)
        network = cls.__new__(cls)
        network._take(core.options, core.parameters.dtype, lambda _: core)
        try:
            metadata = json.loads(metadata)
        except json.JSONDecodeError:
            pass
        return network, metadata, context, graph

    # --- the pass ---------------------------------------------------------------------------------------

    def forward(self, X, support="all"):
        """Outputs (n, n_outputs) of rows X (n, n_features), which attend to one another where support says.

        support : str or value of likewise.supports, such as Graph(A) of n x n edges
        """
        rows, support = self._rows(X), as_support(support)
        trace = getattr(self._of_thread, "trace", None) or self._new_pass()
        self._of_thread.trace = self._last = trace
        return self._core.forward(trace, rows, support)

    __call__ = forward

    def backward(self, grad_output):
        """The gradient of X of the last `forward`; `gradients()` are the parameters'."""
        grad = np.ascontiguousarray(_checks.reals(grad_output, "grad_output", self.dtype))
        by_X, gradient = self._core.backward(self._passed("backward"), grad)
        self._of_thread.gradient = self._last_gradient = gradient
        return by_X

    def gradients(self):
        """Each parameter's gradient by its name, of the last `backward`."""
        gradient = getattr(self._of_thread, "gradient", self._last_gradient)
        if gradient is None:
            raise ValueError("gradients must come after backward.")
        return {name: part.copy() for name, part in named_views(self._core.entries, gradient)}

    def hidden(self, layer=-1):
        """H (n, embed_dim) before that module of the last `forward`; -1: after the last one."""
        return self._core.hidden(self._passed("hidden"), self.options["n_layers"] if layer == -1 else layer)

    def attention_weights(self, layer=0):
        """P (num_heads, n, n) of that module of the last `forward`."""
        trace, heads = self._passed("attention_weights"), range(self.options["num_heads"])
        return np.stack([self._core.weights(trace, layer, head) for head in heads])

    def predict(self, X, batch_size=None, context=None, support="all"):
        """Outputs of rows that attend to one another in batches, and to the rows of `context`."""
        rows = self._rows(X)
        context = None if context is None else self._rows(context, "context")
        at_once = max(1, len(rows)) if batch_size is None else _checks.integer(batch_size, "batch_size")
        return self._core.predict(rows, at_once, context, as_support(support))

    def train(self, data, options):
        """One call of the C++ training; its history as a dict."""
        self._forget()
        X, *about = data
        return self._core.train((self._rows(X), *about), options)

    def _rows(self, X, name="X"):
        X = _checks.finite(X, name, self.dtype)
        if X.ndim != 2 or X.shape[1] != self.options["n_features"]:
            raise ValueError(f"{name} must be of shape (n, {self.options['n_features']}); got {X.shape}.")
        return np.ascontiguousarray(X)

    def _passed(self, what):
        """This thread's last forward pass; where it made none, the last one of any thread."""
        trace = getattr(self._of_thread, "trace", self._last)
        if trace is None:
            raise ValueError(f"{what} must come after forward.")
        return trace

    # --- reading ----------------------------------------------------------------------------------------

    def metric(self, layer=0, head=0):
        """What a head of a module compares H by: Mapped, Mahalanobis, Bilinear or an additive score."""
        return self._core.metric(layer, head)

    def input_metric(self, head=0):
        """What a head of the first module compares rows of X by: `metric(0, head)` after the first map."""
        state, metric = self.state_dict(), self.metric(0, head)
        return before(metric, state["input.weight"].astype(float), state["input.bias"].astype(float))

    def mechanism(self, layer=0, head=0, support="all"):
        """A head of a module as a mechanism of H."""
        temperature = self._core.temperature(layer, head)
        return head_mechanism(self.options, self.metric(layer, head), temperature, support)

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.options.items() if v)})"

    def __getstate__(self):
        return {"options": self.options, "flat": self.flat_parameters.copy()}

    def __setstate__(self, state):
        options, flat = state["options"], state["flat"]
        self._take(options, flat.dtype, lambda core: core.of_numbers(options, flat))
