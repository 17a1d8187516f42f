"""The same layers and operators inside PyTorch: autograd functions and modules on CPU tensors.

Needs PyTorch. `SelfAttention`, `L2Attention`, `MetricAttention` are torch.nn.Modules whose parameters have
the names and shapes of torch.nn.MultiheadAttention's and of likewise.nn's layers, `PropagationNetwork` is one
of rows that attend to one another; `kernel_attention` runs any mechanism over heads. Forward and backward
are likewise's: no n x n matrix, all threads with a single head, gradients that do not depend on threads.
Functions and modules are differentiable once, by autograd and by torch.func, whose vmap runs them one by one,
over tokens and masks, nested in any order.
"""

try:
    import torch
except ImportError as missing:
    raise ImportError(
        "likewise.torch needs PyTorch; install with: pip install 'likewise[torch]' (a CPU build is enough)."
    ) from missing

import operator
import sys
from threading import Lock

import numpy as np

from likewise import _core
from likewise import nn as _nn
from likewise._checks import require_dense_booleans
from likewise._execution import current, execution
from likewise._mechanism import Mechanism
from likewise._slots import as_support

__all__ = [
    "AttentionLayer",
    "L2Attention",
    "MetricAttention",
    "PropagationNetwork",
    "SelfAttention",
    "from_multihead",
    "kernel_attention",
    "to_multihead",
]

_DTYPES = {torch.float32: np.float32, torch.float64: np.float64}
_HALVES = (torch.float16, torch.bfloat16)


# --- what autograd keeps ------------------------------------------------------------------------------------


def _save(ctx, kept, *tensors):
    """Save tensors, and `kept`, which is none, for as long as autograd keeps the tensors.

    Autograd checks its saved tensors for edits in place and frees them with the graph. What is stored in ctx
    itself is not checked, and lives as long as the loss does. So `kept` hangs on an empty tensor.
    """
    carrier = torch.empty(0, device="cpu")
    carrier.kept = kept
    ctx.save_for_backward(carrier, *tensors)


def _saved(ctx):
    """(kept, tensors). kept is None where a saved tensors hook has put a copy in the carrier's place."""
    carrier, *tensors = ctx.saved_tensors
    return getattr(carrier, "kept", None), tensors


class _Kept:
    """What is no tensor, of one run or of all that vmaps made.

    Beside it goes a tensor, the run's place in `items`: vmaps batch it as they batch the run's other tensors,
    in whatever order they are nested, so that each gradient finds its own run's item.
    """

    def __init__(self, items):
        self.items = items


def _kept(item):
    """The last two outputs of a function: an item's place, and the items, here one."""
    return torch.zeros((), dtype=torch.int64, device="cpu"), _Kept([item])


def _item(place, kept):
    """The item of this run, or None where none was kept."""
    return kept and kept.items[int(place)]


class _Function(torch.autograd.Function):
    """What all of ours share: under torch.func.vmap they run one by one."""

    @classmethod
    def vmap(cls, info, in_dims, *inputs):
        def at(i, value, dim):
            return value.select(dim, i) if torch.is_tensor(value) and dim is not None else value

        runs = [cls.apply(*(at(i, *each) for each in zip(inputs, in_dims))) for i in range(info.batch_size)]
        outputs = _together(runs)
        return tuple(outputs), tuple(0 if torch.is_tensor(each) else None for each in outputs)


def _together(runs):
    """The outputs of all runs, stacked; the items they kept follow each other."""
    *outputs, last = zip(*runs)
    if not isinstance(last[0], _Kept):
        return [_stacked(each) for each in (*outputs, last)]
    *outputs, places = outputs
    items, moved = [], []
    for place, kept in zip(places, last):
        moved.append(place + len(items))
        items += kept.items
    return [_stacked(each) for each in (*outputs, moved)] + [_Kept(items)]


def _stacked(each):
    return None if each[0] is None else torch.stack(each)


def _require_unbatched(grad):
    """torch.autograd's own vmap of gradients asks no function how it is batched, unlike torch.func's."""
    try:
        grad.detach()
    except RuntimeError as error:
        raise RuntimeError(
            "likewise.torch has no batched gradients of torch.autograd (is_grads_batched=True, "
            "vectorize=True). Use torch.func.jacrev or torch.func.vmap, or a loop (vectorize=False)."
        ) from error


class _Gradient(_Function):
    """A function's gradient, which has none of its own.

    A function of its own, so that a derivative of it is refused wherever one is asked for: torch's
    once_differentiable does not connect gradients with what they depend on, and torch.autograd.grad leaves
    their part out of a sum.
    """

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, *_):
        raise RuntimeError(
            "likewise.torch is differentiable once: gradients of its gradients (create_graph=True) are none."
        )


# --- any mechanism ------------------------------------------------------------------------------------------


def kernel_attention(q, k, v, mechanism):
    """P v with P the mechanism's operator from the queries q to the keys k, for each leading dimension.

    Parameters
    ----------
    q, k, v : CPU tensors (..., n_queries, d), (..., n_keys, d), (..., n_keys, c)
        Of one dtype, float32 or float64.
    mechanism : likewise.Mechanism
        For instance Mechanism(metric="dot", kernel=Exponential(sqrt(d))), which is
        scaled_dot_product_attention. A support's matrix (Mask, Graph) is that of every head.

    Returns
    -------
    tensor (..., n_queries, c)

    Raises
    ------
    ValueError or TypeError that names the argument; in backward a ValueError where the mechanism has no
    derivative that is asked for (metrics without one, keys of fitted normalizations).

    Notes
    -----
    Gradients of q, k and v by the operator's vector-Jacobian product: five products of n_queries x n_keys,
    weights recomputed, memory linear in tokens; sparse supports cost O(edges (d + c)). The mechanism's
    numbers are constants, and so is membership in a support. A temperature, bandwidth or metric that is
    learned acts before: kernel_attention(q @ W.T, k @ W.T, v, m) learns W.
    """
    if not isinstance(mechanism, Mechanism):
        raise TypeError(f"mechanism must be a likewise.Mechanism; got {type(mechanism).__name__}.")
    q, k, v = (_on_cpu(name, tensor) for name, tensor in (("q", q), ("k", k), ("v", v)))
    _check_heads(q, k, v)
    if not k.shape[-2] and mechanism.empty_row != "zero":
        raise ValueError(f"k must hold a key or more with empty_row={mechanism.empty_row!r}; got none.")
    if 0 in q.shape[:-1] or not k.shape[-2]:  # nobody asks, or nobody answers
        return _constant(q.new_zeros(*q.shape[:-1], v.shape[-1]), q, k, v)
    return _uncompiled(_KernelAttention.apply, q, k, v, mechanism)[0]


def _check_heads(q, k, v):
    if not q.dtype == k.dtype == v.dtype:
        raise ValueError(f"q, k and v must have one dtype; got {q.dtype}, {k.dtype}, {v.dtype}.")
    shapes = f"{tuple(q.shape)}, {tuple(k.shape)}, {tuple(v.shape)}"
    if min(q.dim(), k.dim(), v.dim()) < 2:
        raise ValueError(f"q, k and v must be of shape (..., length, width); got {shapes}.")
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2]:
        raise ValueError(f"q, k and v must have the same leading dimensions; got {shapes}.")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"v must have a row for each key; got {shapes}.")


class _KernelAttention(_Function):
    """(y, place, operators)."""

    @staticmethod
    def forward(q, k, v, mechanism):
        for name, tensor in (("q", q), ("k", k), ("v", v)):
            if not tensor.isfinite().all():
                raise ValueError(f"{name} must be finite; got NaN or infinity.")
        operators = _operators(mechanism, q, k)
        with execution(n_jobs=_threads()):
            return torch.from_numpy(operators.apply(_array(v))), *_kept(operators)

    @staticmethod
    def setup_context(ctx, inputs, output):
        q, k, v, ctx.mechanism = inputs
        y, place, operators = output
        _save(ctx, operators, place, q, k, v, y)

    @staticmethod
    def backward(ctx, grad, *_):
        _require_unbatched(grad)
        operators, tensors = _saved(ctx)
        wanted = ctx.needs_input_grad[:3]
        return *_KernelAttentionGradient.apply(operators, ctx.mechanism, wanted, grad, *tensors), None


class _KernelAttentionGradient(_Gradient):
    @staticmethod
    def forward(operators, mechanism, wanted, grad, place, q, k, v, y):
        operators = _item(place, operators) or _operators(mechanism, q, k)
        with execution(n_jobs=_threads()):
            found = operators.vjp(_array(grad), _array(v), _array(y))
        if _given_weights(mechanism.support):  # the points have no say in them
            found = {"queries": _array(torch.zeros_like(q)), "keys": _array(torch.zeros_like(k)), **found}
        return tuple(_asked(mechanism, wanted, found))


def _given_weights(support):
    return any(getattr(part, "weights", None) == "given" for part in getattr(support, "parts", [support]))


def _operators(mechanism, q, k):
    with execution(n_jobs=_threads()):
        return _core.operator_stack(mechanism, _array(q), _array(k))


def _asked(mechanism, wanted, found):
    """The gradients of q, k and v that somebody wants."""
    for name, key, asked in zip("qkv", ("queries", "keys", "values"), wanted):
        if asked and key not in found:
            raise ValueError(
                f"mechanism must have a metric and normalization with derivatives for {name}; got "
                f"{mechanism!r}. Use {name}.detach()."
            )
        yield torch.from_numpy(found[key]) if asked else None


# --- layers -------------------------------------------------------------------------------------------------


class _Learned(torch.nn.Module):
    """Parameters with the names and numbers of something in likewise.nn, in the order of its flat vector."""

    def _register(self, numbers):
        self._names = list(numbers)
        for name, part in numbers.items():
            *path, last = name.split(".")
            owner = self
            for step in path:
                if step not in owner._modules:
                    owner.add_module(step, _Part())
                owner = owner._modules[step]
            owner.register_parameter(last, torch.nn.Parameter(torch.from_numpy(part)))

    def _numbers(self):
        """The parameters as they are now, whatever computes them: functional_call, hooks, parametrizations.

        In the order of the flat vector.
        """
        for part in self.modules():
            if isinstance(part, _Part):
                part()
        return [_on_cpu(name, operator.attrgetter(name)(self), "module") for name in self._names]

    def _named_numbers(self):
        return dict(zip(self._names, self._numbers()))


class _Part(torch.nn.Module):
    """Parameters under a name. Its call does nothing but run the hooks that compute parameters (weight_norm,
    spectral_norm, pruning)."""

    def forward(self):
        return None


class AttentionLayer(_Learned):
    """likewise.nn.AttentionLayer as a torch module; see there for settings and names of parameters.

    Parameters
    ----------
    dtype : torch.float32, torch.float64 or None, which is torch's default dtype
    random_state : int, torch.Generator, RandomState or None
        Of the initial weights; None draws from torch's generator, which torch.manual_seed sets.
    batch_first : bool
        False: tokens are (length, batch, embed_dim), as torch.nn.MultiheadAttention has them by default.
    settings : those of likewise.nn.AttentionLayer

    forward(x, context=None, mask=None, is_causal=False, key_padding_mask=None, support="all") takes CPU
    tensors (batch, length, embed_dim), or (length, embed_dim) of one sequence; masks are boolean tensors,
    True = may attend: (length, n_keys), (batch, length, n_keys) or (batch, num_heads, length, n_keys), and of
    padding (batch, n_keys); support is that of likewise.nn. Under autocast half precision is computed in
    float32.

    Attributes
    ----------
    options : dict of the settings, batch_first : bool
    dropout : float
        That of a converted torch.nn.MultiheadAttention. Ours has none, so that a module with dropout is for
        eval() only: in training mode it raises.
    """

    def __init__(self, *args, dtype=None, random_state=None, batch_first=True, **settings):
        super().__init__()
        layer = self._layer(*args, dtype=_numpy_dtype(dtype), random_state=_seed(random_state), **settings)
        self.options, self.batch_first, self.dropout = layer.options, bool(batch_first), 0.0
        self._register(layer.state_dict())

    _layer = _nn.AttentionLayer
    _values, _note = _nn.AttentionLayer._values, _nn.AttentionLayer._note

    def forward(self, x, context=None, mask=None, is_causal=False, key_padding_mask=None, support="all"):
        return _uncompiled(
            AttentionLayer._forward, self, x, context, mask, is_causal, key_padding_mask, support
        )

    def _forward(self, x, context, mask, is_causal, key_padding_mask, support):
        self._require_no_dropout()
        x = _on_cpu("x", x)
        context = None if context is None else _on_cpu("context", context)
        masks = _mask("mask", mask), _mask("key_padding_mask", key_padding_mask)
        parameters = self._numbers()
        _require_one_dtype(dict(zip(self._names, parameters)), x, context)
        if not self.batch_first and x.dim() == 3:
            x, context = x.transpose(0, 1), None if context is None else context.transpose(0, 1)
            return self._pass(x, context, masks, (is_causal, support), parameters).transpose(0, 1)
        return self._pass(x, context, masks, (is_causal, support), parameters)

    def _pass(self, x, context, masks, supports, parameters):
        if x.numel() and (context is None or context.numel()):
            return _Layer.apply((self.options, *supports), *masks, x, context, *parameters)[0]
        said = x.new_zeros(x.shape)  # nobody attends to anybody: the output's bias
        if "out_proj.bias" in self._names:
            said = said + parameters[self._names.index("out_proj.bias")]
        return _constant(said, x, context, *parameters)

    def _require_no_dropout(self):
        if self.training and self.dropout:
            raise ValueError(
                f"dropout must be 0 in training mode, likewise's attention has none; got {self.dropout}. "
                "Call eval(), or set dropout = 0.0 to train without it."
            )

    def extra_repr(self):
        said = {**self.options, "batch_first": self.batch_first, "dropout": self.dropout}
        return ", ".join(f"{name}={value!r}" for name, value in said.items())

    def to_likewise(self):
        """A likewise.nn layer with these parameters."""
        return _layer_of(self.options, self._numbers())

    def mechanism(self, head=0, support="all"):
        """A head as a mechanism, with the numbers that it has now: see likewise.nn.AttentionLayer."""
        return self.to_likewise().mechanism(head, support)


class SelfAttention(AttentionLayer):
    """likewise.nn.SelfAttention as a torch module: SelfAttention(embed_dim, num_heads, bias=True)."""

    _layer = _nn.SelfAttention


class L2Attention(AttentionLayer):
    """likewise.nn.L2Attention as a torch module: L2Attention(embed_dim, num_heads, bias=True)."""

    _layer = _nn.L2Attention


class MetricAttention(AttentionLayer):
    """likewise.nn.MetricAttention as a torch module: the published one, with a network phi for each head."""

    _layer = _nn.MetricAttention


class _Pass(_Function):
    """Of (settings, tensors): (y, place, what backward needs)."""

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.settings, tensors = inputs[0], inputs[1:]
        _, place, kept = output
        _save(ctx, kept, place, *tensors)


class _Layer(_Pass):
    """(y, place, what backward needs). Each pass has its own trace: a module may be used twice before
    gradients."""

    @staticmethod
    def forward(settings, *inputs):
        layer, y = _run(settings, *inputs)
        return torch.from_numpy(y), *_kept((layer, Lock()))

    @staticmethod
    def backward(ctx, grad, *_):
        _require_unbatched(grad)
        kept, tensors = _saved(ctx)
        return None, None, None, *_LayerGradient.apply(kept, ctx.settings, grad, *tensors)


class _LayerGradient(_Gradient):
    @staticmethod
    def forward(kept, settings, grad, place, *inputs):
        layer, lock = _item(place, kept) or (_run(settings, *inputs)[0], Lock())
        with lock, execution(n_jobs=_threads()):  # two threads may go back through one graph
            layer.zero_grad()
            found = layer.backward(_array(grad))
            by_parameters = layer.gradients().values()
        context = inputs[3]
        by_tokens = (found, None) if context is None else found
        return tuple(None if g is None else torch.from_numpy(g) for g in (*by_tokens, *by_parameters))


class PropagationNetwork(_Learned):
    """likewise.nn.PropagationNetwork as a torch module; see there for settings and names of parameters.

    forward(X, support="all") takes a CPU tensor of rows (n, n_features), which attend to one another, to
    outputs (n, n_outputs).

    Parameters
    ----------
    dtype : torch.float32, torch.float64 or None, which is torch's default dtype
    random_state : int, torch.Generator, RandomState or None
        Of the initial weights; None draws from torch's generator.
    """

    def __init__(self, *args, dtype=None, random_state=None, **settings):
        super().__init__()
        network = _nn.PropagationNetwork(
            *args, dtype=_numpy_dtype(dtype), random_state=_seed(random_state), **settings
        )
        self.options = network.options
        self._register(network.state_dict())

    def forward(self, X, support="all"):
        return _uncompiled(PropagationNetwork._forward, self, X, support)

    def _forward(self, X, support):
        X, parameters = _on_cpu("X", X), self._numbers()
        _require_one_dtype(dict(zip(self._names, parameters)), X, None, "X")
        if not X.numel():  # nobody attends to nobody
            return _constant(X.new_zeros(*X.shape[:-1], self.options["n_outputs"]), X, *parameters)
        return _Network.apply((self.options, as_support(support)), X, *parameters)[0]

    def extra_repr(self):
        return ", ".join(f"{name}={value!r}" for name, value in self.options.items() if value)

    def to_likewise(self):
        """A likewise.nn network with these parameters."""
        return _network_of(self.options, self._numbers())


class _Network(_Pass):
    """(outputs, place, what backward needs)."""

    @staticmethod
    def forward(settings, X, *parameters):
        network, y = _run_network(settings, X, *parameters)
        return torch.from_numpy(y), *_kept((network, Lock()))

    @staticmethod
    def backward(ctx, grad, *_):
        _require_unbatched(grad)
        kept, tensors = _saved(ctx)
        return None, *_NetworkGradient.apply(kept, ctx.settings, grad, *tensors)


class _NetworkGradient(_Gradient):
    @staticmethod
    def forward(kept, settings, grad, place, *inputs):
        network, lock = _item(place, kept) or (_run_network(settings, *inputs)[0], Lock())
        with lock, execution(n_jobs=_threads()):
            by_X = network.backward(_array(grad))
            found = (by_X, *network.gradients().values())
        return tuple(torch.from_numpy(each) for each in found)


def _run_network(settings, X, *parameters):
    """(the network with its trace, its output)."""
    options, support = settings
    network = _network_of(options, parameters)
    with execution(n_jobs=_threads()):
        return network, network.forward(_array(X), support)


def _network_of(options, parameters):
    return _nn.PropagationNetwork._of_numbers(options, _flat(parameters))


def _run(settings, mask, padding, x, context, *parameters):
    """(the layer with its trace, its output)."""
    options, is_causal, support = settings
    layer = _layer_of(options, parameters, _DTYPES[x.dtype])
    mask, padding, context = (None if each is None else _array(each) for each in (mask, padding, context))
    with execution(n_jobs=_threads()):
        return layer, layer.forward(_array(x), context, mask, is_causal, padding, support)


def _layer_of(options, parameters, dtype=np.float32):
    """A likewise.nn layer with a copy of these numbers, of `dtype` where there are none."""
    return _nn.AttentionLayer._of_numbers(options, _flat(parameters, dtype))


def _flat(parameters, dtype=np.float32):
    """A copy of all of them as one array, of `dtype` where there is none."""
    if not parameters:
        return np.empty(0, dtype)
    return torch.cat([_dense(part).reshape(-1) for part in parameters]).numpy()


# --- torch.nn.MultiheadAttention ----------------------------------------------------------------------------


def from_multihead(module):
    """A SelfAttention with the numbers of a torch.nn.MultiheadAttention.

    The module's outputs for (x, x, x) and their gradients are then ours within rounding. What the module is
    beside its numbers is kept: batch_first, requires_grad of each parameter, training mode, and dropout,
    with which both can be used in eval mode only.

    Raises
    ------
    TypeError : not a MultiheadAttention
    ValueError : widths of their own (kdim, vdim), added keys (add_bias_kv, add_zero_attn), dropout in
        training mode
    """
    if not isinstance(module, torch.nn.MultiheadAttention):
        raise TypeError(f"module must be a torch.nn.MultiheadAttention; got {type(module).__name__}.")
    if module.in_proj_weight is None or module.bias_k is not None or module.add_zero_attn:
        raise ValueError(
            "module must have one width and no added keys: kdim, vdim, add_bias_kv, add_zero_attn."
        )
    weight = _on_cpu("in_proj_weight", module.in_proj_weight, "module")
    made = SelfAttention(
        module.embed_dim,
        module.num_heads,
        bias=module.in_proj_bias is not None,
        dtype=weight.dtype,
        batch_first=module.batch_first,
    )
    made.dropout = module.dropout
    made.train(module.training)
    made._require_no_dropout()
    with torch.enable_grad():  # requires_grad of a computed parameter is that of what it is computed from
        _set_numbers(made, {name: operator.attrgetter(name)(module) for name in made._names})
    return made


def to_multihead(layer, batch_first=None):
    """A torch.nn.MultiheadAttention with the numbers of a SelfAttention of likewise.torch or likewise.nn.

    batch_first is the layer's own unless given (True of likewise.nn). Of a torch module requires_grad,
    training mode and dropout are kept.
    """
    options = layer.options
    if options["tied"] or options["rank"] not in (0, options["embed_dim"] // options["num_heads"]):
        raise ValueError("layer must be a SelfAttention: untied dot products of rank embed_dim / num_heads.")
    if options["score"] != "dot" or options["key_bias"] or options["learn_temperature"]:
        raise ValueError(
            "layer must be a SelfAttention: dot products, without key bias, of fixed temperature."
        )
    if isinstance(layer, AttentionLayer):
        numbers = layer._named_numbers()
        own = {"dropout": layer.dropout, "batch_first": layer.batch_first}
        training = layer.training
    else:
        numbers = {n: torch.from_numpy(part).requires_grad_() for n, part in layer.state_dict().items()}
        own, training = {"batch_first": True}, True
    if batch_first is not None:
        own["batch_first"] = bool(batch_first)
    made = torch.nn.MultiheadAttention(
        options["embed_dim"],
        options["num_heads"],
        bias=options["bias"],
        device="cpu",
        dtype=numbers["out_proj.weight"].dtype,
        **own,
    )
    _set_numbers(made, numbers)
    return made.train(training)


def _set_numbers(module, numbers):
    """These numbers, and which of them are learned, in the place of the module's own."""
    _dtype_of(numbers)  # none is rounded to the others'
    for name, number in numbers.items():
        parameter = module.get_parameter(name)
        parameter.data.copy_(number.detach())
        parameter.requires_grad_(number.requires_grad)


# --- tensors ------------------------------------------------------------------------------------------------


def _numpy_dtype(dtype):
    """NumPy's, of torch.float32 or torch.float64; None: torch's default."""
    dtype = dtype or torch.get_default_dtype()
    if dtype not in _DTYPES:
        raise ValueError(f"dtype must be torch.float32 or torch.float64; got {dtype}.")
    return _DTYPES[dtype]


def _seed(random_state):
    """What likewise.nn takes; None and a generator of torch become numbers from there."""
    if random_state is None or isinstance(random_state, torch.Generator):
        return int(torch.randint(2**31, (), generator=random_state, device="cpu"))
    return random_state


def _on_cpu(name, tensor, owner=None):
    """The tensor, if likewise can read it; under autocast half precision becomes float32.

    `owner` is what the caller can convert, if not the tensor.
    """
    _require_memory(name, tensor, owner)
    if tensor.dtype in _HALVES and torch.is_autocast_enabled("cpu"):
        return tensor.float()
    if tensor.dtype not in _DTYPES:
        raise ValueError(
            f"{name} must be float32 or float64; got {tensor.dtype}. Use {owner or name}.float()."
        )
    return tensor


def _require_memory(name, tensor, owner=None):
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"{name} must be a tensor; got {type(tensor).__name__}.")
    if tensor.device.type != "cpu":
        raise ValueError(
            f"{name} must be on the CPU, where likewise computes; got {tensor.device}. "
            f"Use {owner or name}.cpu()."
        )
    if tensor.layout != torch.strided:
        raise ValueError(f"{name} must be dense; got {tensor.layout}. Use {name}.to_dense().")


def _dtype_of(parameters):
    """The dtype that all of them have, by name."""
    dtypes = [p.dtype for p in parameters.values()]
    if not dtypes:
        return None
    dtype = max(dtypes, key=dtypes.count)
    for name, parameter in parameters.items():
        if parameter.dtype != dtype:
            raise ValueError(
                f"{name} must have the dtype {dtype} of the other parameters; got {parameter.dtype}. "
                f"Use module.to({dtype})."
            )
    return dtype


def _require_one_dtype(parameters, x, context, name_of_x="x"):
    dtype = _dtype_of(parameters) or x.dtype
    for name, tensor in ((name_of_x, x), ("context", context)):
        if tensor is not None and tensor.dtype != dtype:
            raise ValueError(
                f"{name} must have the parameters' dtype {dtype}; got {tensor.dtype}. "
                f"Use {name}.to({dtype}), or convert the module."
            )


def _mask(name, mask):
    """A copy, since backward may read it; a tensor, so that vmap may batch it. likewise.nn looks at shape."""
    if mask is None:
        return None
    if isinstance(mask, torch.Tensor):
        _require_memory(name, mask)
        mask, dtype = mask.detach().clone(), str(mask.dtype).removeprefix("torch.")
    else:
        require_dense_booleans(mask, name)
        mask = np.array(mask)
        dtype = str(mask.dtype)
    if dtype != "bool":
        raise TypeError(f"{name} must be boolean, True = may attend (see from_torch_mask); got {dtype}.")
    return torch.as_tensor(mask)


def _dense(tensor):
    """The numbers of a tensor in C order, its own where they lie so."""
    return tensor.detach().resolve_neg().contiguous()


def _array(tensor):
    return _dense(tensor).numpy()


_UNCOMPILED = {}


def _uncompiled(function, *args):
    """function(*args), into which torch.compile does not look: it would take arrays of NumPy for tensors."""
    dynamo = sys.modules.get("torch._dynamo")  # whose import takes seconds, where nothing is compiled
    if not hasattr(dynamo, "disable"):
        return function(*args)
    if function not in _UNCOMPILED:
        _UNCOMPILED[function] = dynamo.disable(function)
    return _UNCOMPILED[function](*args)


def _constant(value, *tensors):
    """value, of which each tensor has a gradient of 0."""
    return value + sum(t.reshape(-1)[:0].sum() for t in tensors if t is not None)


def _threads():
    """The caller's n_jobs, else as many as torch may use: one in the workers of a DataLoader."""
    return current()[0] or torch.get_num_threads()
