"""Multi-head attention with learned maps, forward and backward."""

import threading
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Optional

import numpy as np

import likewise as lw
from likewise import _checks, _core
from likewise._attention import all_of, boolean_array
from likewise.nn._parameters import Parametrized, load_into, named_views, numbers_of

_CORES = {
    np.dtype(np.float32): (_core.AttentionLayer_float32, _core.AttentionPass_float32),
    np.dtype(np.float64): (_core.AttentionLayer_float64, _core.AttentionPass_float64),
}


# What is said of the one mechanism that stands for several heads.
FIRST_OF_MANY = "the first head; each of the others has a mechanism of its own"
DEFAULTS = _core.attention_layer_defaults()  # of each option of a layer
_KINDS = {
    int: (Integral, "an int"),
    float: (Real, "a number"),
    str: (str, "a str"),
    bool: ((bool, np.bool_), "a bool"),
}
_OPEN = ("rank", "map_width", "temperature")  # None leaves them to the layer
# What may be said of a head alone.
HEAD_SETTINGS = DEFAULTS.keys() - {"embed_dim", "num_heads"}


@dataclass(frozen=True)
class _Pass:
    """One forward pass: what it left in C++, and the shapes of x and context."""

    trace: object
    shape: tuple
    context_shape: Optional[tuple]


class AttentionLayer(Parametrized):
    """softmax over keys of -c_h(x_i, z_j) / t_h, times values; heads side by side, then a linear map.

    Parameters
    ----------
    embed_dim, num_heads : int
        Features of a token, and heads that share them.
    score : "dot", "sqdist", "additive", "additive_dynamic" or "given"
        c = -<q, k> (self-attention); |q - k|^2 (L2 attention; metric-attention with a map_width);
        -act(<a, q> + <a', k>) of tied maps (graph attention, Velickovic et al. 2018); -<a, act(q + k)> of
        untied ones (Brody et al. 2022), act a leaky ReLU. "given", tied and without `project`, compares
        nothing: weights are those of a Graph with weights="given", else 1, divided on both sides as
        D^-1/2 A D^-1/2 (graph convolution, Kipf and Welling 2017).
    tied : bool
        Queries and keys are one map W of the tokens. With "sqdist" the cost is then |W x - W z|^2, a
        pseudo-metric.
    rank : int or None
        Rows of each head's W; None is embed_dim / num_heads.
    diagonal : bool
        W is a diagonal of all features (tied only).
    learn_temperature : bool
        t_h is learned, as its logarithm; else it stays at `temperature`.
    key_bias : bool
        Of dot scores: adds -|k|^2 / (2 t), with which they are squared distances at 2 t.
    bias : bool
        Of the maps of values and outputs and, untied, of queries and keys (tied, it would cancel).
    map_width : int or None
        Hidden units of phi(u) = u + W2 tanh(W1 u + b1) + b2, through which tied q = W x and k = W z are
        compared: a network for each head, on its own projection. None compares them as they are.
    share_map : bool
        One phi for all heads.
    temperature : float or None
        t, or where its learning starts; None is sqrt(rank) of a dot product, 2 sqrt(rank) of a squared
        distance, 1 of an additive score.
    project : bool
        Tied queries and keys are maps of the tokens; False: all features of a token, as they are.
    values : bool
        Maps of values and outputs; False: a head propagates its columns of the tokens. Without both and
        with one head it is the bare module of Ruan and Zhang (2024), H <- P(H) H.
    slope : float
        Of additive scores' leaky ReLU below 0.
    dtype : float32 or float64
    random_state : int, RandomState or None
        Of the initial weights: uniform by Glorot and Bengio (2010), biases 0 (as
        torch.nn.MultiheadAttention).

    Notes
    -----
    state_dict has, untied, in_proj_weight ((2 heads rank + embed_dim), embed_dim) and in_proj_bias; tied,
    metric_proj.weight (heads rank, embed_dim) or metric_diagonal (heads, embed_dim), with a map_width
    map_in.weight (heads, map_width, rank), map_in.bias (heads, map_width), map_out.weight (heads, rank,
    map_width) and map_out.bias (heads, rank), which have no heads where they share the map, v_proj.weight
    and v_proj.bias; of additive scores att_query and att_key (heads, rank), of dynamic ones att; then
    out_proj.weight, out_proj.bias, and log_temperature (heads,) where it is learned. What project and
    values leave out is missing.
    O(length^2 embed_dim) time for a sequence, memory linear in tokens, forward and backward.

    Examples
    --------
    >>> import numpy as np
    >>> layer = lw.nn.MetricAttention(8, 2, random_state=0)
    >>> y = layer.forward(np.ones((3, 5, 8), np.float32))
    >>> layer.backward(np.ones_like(y)).shape
    (3, 5, 8)
    """

    _values, _note = "Wv x, learned", FIRST_OF_MANY

    def __init__(
        self,
        embed_dim,
        num_heads=1,
        score="dot",
        tied=False,
        rank=None,
        diagonal=False,
        learn_temperature=False,
        key_bias=False,
        bias=True,
        map_width=None,
        share_map=False,
        temperature=None,
        project=True,
        values=True,
        slope=0.2,
        *,
        dtype=np.float32,
        random_state=None,
    ):
        given = locals()  # by the names that C++ has them under
        self.options = as_options({name: given[name] for name in DEFAULTS})
        self._seed = _checks.random_of(random_state).randint(2**31)
        self._make(_checks.float_dtype(dtype))

    def _make(self, dtype):
        self._take(dtype, lambda core: core(self.options, self._seed))

    def _take(self, dtype, make):
        """The compiled part, and no forward pass yet."""
        core, self._new_pass = _CORES[dtype]
        self.dtype, self._core = dtype, make(core)
        self._of_thread, self._last = threading.local(), None

    @classmethod
    def _of_numbers(cls, options, numbers):
        """A layer of these options with a vector of numbers as its flat_parameters; none are drawn."""
        layer = cls.__new__(cls)
        layer.options, layer._seed = options, 0
        layer._take(numbers.dtype, lambda core: core.of_numbers(options, numbers))
        return layer

    # --- parameters ----------------------------------------------------------------------------------------

    @property
    def flat_gradients(self):
        """What `backward` has added up, in the same places."""
        return self._core.gradient

    def gradients(self):
        """A copy of each parameter's gradient by its name."""
        return {name: part.copy() for name, part in named_views(self._core.entries, self.flat_gradients)}

    def zero_grad(self):
        """Gradients start at 0 again."""
        self.flat_gradients[:] = 0

    def load_state_dict(self, state):
        """Takes over numbers, and their dtype. Nothing is taken unless every name and shape fits."""
        state = numbers_of(state)
        dtypes = {part.dtype for part in state.values()}
        wanted = np.dtype(np.float64) if np.dtype(np.float64) in dtypes else np.dtype(np.float32)
        wanted = wanted if dtypes else self.dtype  # of a layer without parameters
        flat = load_into(self._core.entries, state, wanted)
        if wanted == self.dtype:
            self.flat_parameters[:] = flat
        else:
            self._take(wanted, lambda core: core.of_numbers(self.options, flat))

    # --- the pass ---------------------------------------------------------------------------------------

    def forward(self, x, context=None, mask=None, is_causal=False, key_padding_mask=None, support="all"):
        """The layer's output for tokens x (batch, length, embed_dim), or (length, embed_dim) of one sequence.

        Parameters
        ----------
        context : array (batch, n_keys, embed_dim) or None
            Tokens that are attended to; None: x itself.
        mask : boolean array (length, n_keys), (batch, length, n_keys) or (batch, num_heads, length, n_keys)
            True = may attend
        is_causal : token i attends to tokens 0..i
        key_padding_mask : boolean array (batch, n_keys), True = a token, False = padding
        support : str or value of likewise.supports, or a list of such, default="all"
            Who may attend to whom: Window(64, 0), Blocks(groups), Neighbors(8), ...; one for all, one for
            each sequence, or one for each sequence's heads. is_causal and mask are supports too, and all
            that are given must admit a pair.

        Returns
        -------
        array of x's shape. A token that may attend to nothing gets the output's bias.

        Raises
        ------
        ValueError or TypeError that names the argument: shapes, masks that are not boolean, values that
        are not finite
        """
        many = support if isinstance(support, (list, tuple)) else [support]
        many = [all_of(one, is_causal) for one in many]
        mask = boolean_array("mask", mask)
        key_padding_mask = boolean_array("key_padding_mask", key_padding_mask)
        x = self._tokens("x", x, key_padding_mask if context is None else None)
        batch, length = (1, *x.shape[:1]) if x.ndim == 2 else x.shape[:2]
        if context is not None:
            context = self._tokens("context", context, key_padding_mask)
            context_shape = context.shape
            if context.ndim != x.ndim or (x.ndim == 3 and len(context) != batch):
                raise ValueError(f"context must have x's batch; got {context.shape} beside {x.shape}.")
            context = context.reshape(-1, context.shape[-1])
        else:
            context_shape = None
        n_keys = length if context is None else len(context) // max(batch, 1)
        if batch == 0 or length == 0:
            raise ValueError(f"x must hold a token or more; got shape {x.shape}.")
        if n_keys == 0:
            raise ValueError(f"context must hold a token or more; got shape {context_shape}.")
        if is_causal and length != n_keys:
            raise ValueError(
                "is_causal must be False where x and context differ in length; got True. "
                "support=supports.Causal(align) says which tokens stand beside each other."
            )
        heads = self.options["num_heads"]
        if len(many) not in (1, batch, batch * heads):
            raise ValueError(
                f"support must be one, or one for each of {batch} sequences or of their {batch * heads} "
                f"heads; got {len(many)}."
            )
        one = (length, n_keys)
        mask = _of_shape("mask", mask, [one, (batch, *one), (batch, heads, *one)])
        padding = _of_shape("key_padding_mask", key_padding_mask, [(batch, n_keys)])
        flat = x.reshape(-1, x.shape[-1])
        rows = None if mask is None else mask.reshape(-1, n_keys)
        trace = self._take_pass()
        y = self._core.forward(trace, flat, context, batch, many, rows, padding)
        self._of_thread.last = self._last = _Pass(trace, x.shape, context_shape)
        return y.reshape(x.shape)

    __call__ = forward

    def _take_pass(self):
        """Memory for a forward pass: that of this thread's last one, which is over."""
        mine = getattr(self._of_thread, "last", None)
        self._of_thread.last = None
        if self._last is mine:
            self._last = None
        return self._new_pass() if mine is None else mine.trace

    def _last_pass(self, what):
        """This thread's last forward pass; where it made none, the last one of any thread."""
        last = getattr(self._of_thread, "last", None) or self._last
        if last is None:
            raise ValueError(f"{what} must come after forward.")
        return last

    def backward(self, grad_output):
        """The gradient of x of the last `forward`, or of (x, context). Adds to `gradients()`.

        Of the last forward of this thread: several threads may use a layer, whose gradients they add up.
        """
        last = self._last_pass("backward")
        grad = np.ascontiguousarray(_checks.reals(grad_output, "grad_output", self.dtype))
        if grad.shape != last.shape:
            raise ValueError(f"grad_output must have the output's shape {last.shape}; got {grad.shape}.")
        by_x, by_context = self._core.backward(last.trace, grad.reshape(-1, grad.shape[-1]))
        by_x = by_x.reshape(last.shape)
        return by_x if last.context_shape is None else (by_x, by_context.reshape(last.context_shape))

    def attention_weights(self, sequence=0):
        """P (num_heads, length, n_keys) of a sequence of the last `forward`."""
        trace, heads = self._last_pass("attention_weights").trace, range(self.options["num_heads"])
        return np.stack([self._core.weights(trace, sequence, h) for h in heads])

    def _tokens(self, name, tokens, padding=None):
        tokens = _checks.reals(tokens, name)
        if tokens.ndim not in (2, 3) or tokens.shape[-1] != self.options["embed_dim"]:
            raise ValueError(
                f"{name} must be of shape (batch, length, {self.options['embed_dim']}); got {tokens.shape}."
            )
        finite = np.isfinite(tokens)
        if not finite.all():
            is_read = np.ones(tokens.shape[:-1], bool) if padding is None else padding
            if is_read.size != tokens[..., 0].size or not finite[is_read.reshape(tokens.shape[:-1])].all():
                raise ValueError(f"{name} must be finite where there is no padding; got NaN or infinity.")
        return np.ascontiguousarray(tokens, self.dtype)

    # --- reading ----------------------------------------------------------------------------------------

    def metric(self, head=0):
        """A head's cost as a metric of tokens: Mahalanobis(W), Bilinear(Wq, Wk) of dot scores, Additive,
        AdditiveDynamic or Mapped.

        Mapped by ResidualMLP with skip W is what a head with a map compares. A ValueError for squared
        distances of two maps, which are no metric.
        """
        return self._core.metric(head)

    def log_key_weights(self, tokens, head=0):
        """<bq, Wk z_j> / t of tokens (n, embed_dim), what the queries' bias adds to dot scores; else 0."""
        return self._core.log_key_weights(head, self._tokens("tokens", tokens))

    def temperature(self, head=0):
        """The t that goes with `metric(head)`."""
        return self._core.temperature(head)

    def mechanism(self, head=0, support="all"):
        """A head as a mechanism: its metric, exp(-c / t), who may attend, rows that sum to 1.

        Of given weights: nothing is compared, and rows and columns are divided by roots of their sums.
        """
        return head_mechanism(self.options, self.metric(head), self.temperature(head), support)

    def __repr__(self):
        settings = {k: v for k, v in self.options.items() if k in HEAD_SETTINGS}
        said = ", ".join(f"{k}={v!r}" for k, v in settings.items() if k == "score" or v != DEFAULTS[k])
        return f"{type(self).__name__}({self.options['embed_dim']}, {self.options['num_heads']}, {said})"

    def __getstate__(self):
        return {
            "options": self.options,
            "dtype": self.dtype,
            "seed": self._seed,
            "flat": self.flat_parameters.copy(),
        }

    def __setstate__(self, state):
        self.options, self._seed = state["options"], state["seed"]
        self._take(state["dtype"], lambda core: core.of_numbers(self.options, state["flat"]))


class SelfAttention(AttentionLayer):
    """Learned bilinear score (Vaswani et al. 2017): softmax(<Wq x, Wk z> / sqrt(head_dim)).

    State names and shapes are those of torch.nn.MultiheadAttention. See AttentionLayer.
    """

    def __init__(self, embed_dim, num_heads=1, bias=True, *, dtype=np.float32, random_state=None):
        super().__init__(embed_dim, num_heads, bias=bias, dtype=dtype, random_state=random_state)


class L2Attention(AttentionLayer):
    """L2 self-attention (Kim, Papamakarios and Mnih 2021): softmax(-|W x - W z|^2 / t_h), t_h learned.

    The baseline that Ruan and Zhang (2024) compare with: metric-attention with a linear map. See
    AttentionLayer.
    """

    def __init__(
        self,
        embed_dim,
        num_heads=1,
        bias=True,
        *,
        rank=None,
        diagonal=False,
        dtype=np.float32,
        random_state=None,
    ):
        super().__init__(
            embed_dim,
            num_heads,
            score="sqdist",
            tied=True,
            rank=rank,
            diagonal=diagonal,
            learn_temperature=True,
            bias=bias,
            dtype=dtype,
            random_state=random_state,
        )

    @classmethod
    def from_metric(cls, metric, temperature=1.0, n_targets=0, *, dtype=np.float64):
        """A layer of one head that is kernel regression with a metric, such as a learned one.

        Parameters
        ----------
        metric : Mahalanobis of d features
        temperature : float > 0, of exp(-c / t); 2 h^2 of a Gaussian of bandwidth h
        n_targets : int >= 0
            Tokens are [features, targets], d + n_targets columns. The features of a query are compared
            with those of the keys; the output has the means of the keys' targets in their columns, and
            0 in those of the features. Without targets it has the means of the features (mean shift).

        Returns
        -------
        L2Attention, that may be trained on

        Examples
        --------
        >>> import numpy as np
        >>> X, y = np.random.rand(20, 3), np.random.rand(20)
        >>> layer = lw.nn.L2Attention.from_metric(lw.metrics.Mahalanobis(np.eye(3)), 0.5, n_targets=1)
        >>> same = lw.KernelRegressor(kernel=lw.kernels.Exponential(0.5), metric="sqeuclidean").fit(X, y)
        >>> np.allclose(layer.forward(np.c_[X, y])[:, 3], same.predict(X))
        True
        """
        if not isinstance(metric, lw.metrics.Mahalanobis):
            raise TypeError(f"metric must be Mahalanobis; got {metric!r}.")
        if np.iscomplexobj(temperature) or not (np.isfinite(temperature) and temperature > 0):
            raise ValueError(f"temperature must be positive and finite; got {temperature!r}.")
        if not isinstance(n_targets, (int, np.integer)) or n_targets < 0:
            raise ValueError(f"n_targets must be an int, at least 0; got {n_targets!r}.")
        W = np.asarray(metric.factor)
        rank, d = W.shape
        layer = cls(d + n_targets, 1, rank=rank, dtype=dtype)
        state = {name: np.zeros_like(part) for name, part in layer.state_dict().items()}
        state["metric_proj.weight"][:, :d] = W
        spoken = np.arange(d, d + n_targets) if n_targets else np.arange(d)
        state["v_proj.weight"][spoken, spoken] = 1
        state["out_proj.weight"][spoken, spoken] = 1
        state["log_temperature"][:] = np.log(temperature)
        layer.load_state_dict(state)
        return layer


class MetricAttention(AttentionLayer):
    """Metric-attention (Ruan and Zhang 2024, Algorithm 1): softmax(-|phi_h(W_h x) - phi_h(W_h z)|^2 / t).

    phi_h is a network of one hidden layer of map_width units (None: as many as the head has features) and a
    residual connection, on the head's own projection; share_map=True takes one phi for all heads. t is 1, as
    published; learn_temperature=True learns one for each head from there. See AttentionLayer.
    """

    def __init__(
        self,
        embed_dim,
        num_heads=1,
        map_width=None,
        bias=True,
        *,
        share_map=False,
        learn_temperature=False,
        temperature=1.0,
        dtype=np.float32,
        random_state=None,
    ):
        super().__init__(
            embed_dim,
            num_heads,
            score="sqdist",
            tied=True,
            learn_temperature=learn_temperature,
            bias=bias,
            map_width=map_width or _head_dim(embed_dim, num_heads),
            share_map=share_map,
            temperature=temperature,
            dtype=dtype,
            random_state=random_state,
        )


def head_mechanism(options, metric, temperature, support):
    """What a head of these options does, as five slots."""
    if options["score"] == "given":
        return lw.Mechanism(metric=metric, kernel="indicator", support=support, normalization="symmetric")
    return lw.Mechanism(metric=metric, kernel=lw.kernels.Exponential(temperature), support=support)


def first_temperature(settings, rank):
    """Where a head of this rank starts, or stays: as the layer itself says."""
    if settings["temperature"]:
        return settings["temperature"]
    if settings["score"].startswith("additive"):
        return 1.0
    squared = settings["score"] == "sqdist" or settings["key_bias"]
    return (2 if squared else 1) * rank**0.5


def open_metric(settings):
    """The metric of a head before anything is learned, of mapped tokens where theirs has no name."""
    squared = settings["score"] == "sqdist" or settings["key_bias"]
    of_score = {"additive": lw.metrics.Additive, "additive_dynamic": lw.metrics.AdditiveDynamic}
    if settings["score"] in of_score:
        return of_score[settings["score"]]()
    if settings["map_width"]:
        return lw.metrics.Mapped(lw.maps.ResidualMLP(), "sqeuclidean" if squared else "dot")
    if settings["score"] == "given":
        return lw.metrics.SquaredEuclidean()
    if not settings["project"]:
        return lw.metrics.SquaredEuclidean() if squared else lw.metrics.DotProduct()
    if not squared:
        return lw.metrics.Bilinear()
    return lw.metrics.Mahalanobis() if settings["tied"] else lw.metrics.SquaredEuclidean()


def _head_dim(embed_dim, num_heads):
    """Features of a head; the layer itself refuses what is no number of features or heads."""
    for name, value in (("embed_dim", embed_dim), ("num_heads", num_heads)):
        _checks.integer(value, name)
    return max(1, embed_dim // max(1, num_heads))


def arms(embed_dim, num_heads=1, *, learn_temperature=True):
    """Settings of AttentionLayer that a comparison of dot products and metrics has to tell apart, by name.

    The last has as many parameters for its scores as untied dot products. All learn a temperature, or
    none does.
    """
    shared = {"embed_dim": embed_dim, "num_heads": num_heads, "learn_temperature": learn_temperature}
    return {
        "dot untied": {**shared, "score": "dot", "tied": False},
        "dot tied": {**shared, "score": "dot", "tied": True},
        "sqdist untied": {**shared, "score": "sqdist", "tied": False},
        "sqdist tied": {**shared, "score": "sqdist", "tied": True},
        "sqdist tied, as many parameters": {
            **shared, "score": "sqdist", "tied": True, "rank": 2 * (embed_dim // num_heads)
        },
    }  # fmt: skip


def as_options(given):
    """Options of a layer by their names, each of its kind; one that is left open, None or 0, is 0 in C++."""
    return {
        name: type(DEFAULTS[name])(0)
        if name in _OPEN and (value is None or (_is_number(value) and value == 0))
        else _of_kind_of(DEFAULTS[name], name, _positive(name, value) if name == "temperature" else value)
        for name, value in given.items()
    }


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_))


def _positive(name, value):
    if not _is_number(value):
        raise TypeError(f"{name} must be a number or None; got {value!r}.")
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be positive and finite; got {value!r}.")
    return float(value)


def _of_kind_of(default, name, value):
    """The value, if it is a number, a bool or a str as the option's default is."""
    kind, word = _KINDS[type(default)]
    if not isinstance(value, kind) or (kind is Integral and isinstance(value, bool)):
        raise TypeError(f"{name} must be {word}; got {value!r}.")
    return value


def _of_shape(name, mask, shapes):
    if mask is None:
        return None
    if mask.shape not in shapes:
        raise ValueError(f"{name} must be of shape {' or '.join(map(str, shapes))}; got {mask.shape}.")
    return np.ascontiguousarray(mask)
