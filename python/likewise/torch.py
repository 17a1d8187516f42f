"""The same layers and operators inside PyTorch: autograd functions and modules on CPU tensors, no copies.

Needs PyTorch. `SelfAttention` and `MetricAttention` are torch.nn.Modules whose parameters have the names and
shapes of torch.nn.MultiheadAttention's and of likewise.nn's layers; `kernel_attention` runs any mechanism
over heads. Forward and backward are likewise's: no n x n matrix, all threads with a single head, gradients
that do not depend on threads.
"""

try:
    import torch
except ImportError as missing:
    raise ImportError("likewise.torch needs PyTorch: pip install torch (a CPU build is enough).") from missing

import numpy as np

from likewise import _core
from likewise import nn as _nn
from likewise._execution import execution

__all__ = [
    "AttentionLayer",
    "MetricAttention",
    "SelfAttention",
    "from_multihead",
    "kernel_attention",
    "to_multihead",
]

_DTYPES = {torch.float32: np.float32, torch.float64: np.float64}


def kernel_attention(q, k, v, mechanism):
    """P v with P the mechanism's operator from the queries q to the keys k, for each leading dimension.

    Parameters
    ----------
    q, k, v : CPU tensors (..., n_queries, d), (..., n_keys, d), (..., n_keys, c)
        Of one dtype, float32 or float64.
    mechanism : likewise.Mechanism
        For instance Mechanism(metric="dot", kernel=Exponential(sqrt(d))), which is
        scaled_dot_product_attention.

    Returns
    -------
    tensor (..., n_queries, c)

    Notes
    -----
    Gradients of q, k and v by the operator's vector-Jacobian product: five products of n_queries x n_keys,
    weights recomputed, memory linear in tokens. The mechanism's numbers are constants. A temperature,
    bandwidth or metric that is learned acts before: kernel_attention(q @ W.T, k @ W.T, v, m) learns W.
    """
    return _KernelAttention.apply(_on_cpu("q", q), _on_cpu("k", k), _on_cpu("v", v), mechanism)


class _KernelAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v, mechanism):
        if not q.dtype == k.dtype == v.dtype:
            raise ValueError(f"q, k and v must have one dtype; got {q.dtype}, {k.dtype}, {v.dtype}.")
        arrays = [_array(t) for t in (q, k, v)]
        if len({a.shape[:-2] for a in arrays}) > 1:
            raise ValueError(
                f"q, k and v must have the same leading dimensions; got {[a.shape for a in arrays]}."
            )
        with execution(n_jobs=_threads()):
            ctx.operators = _core.operator_stack(mechanism, *arrays[:2])
            y = ctx.operators.apply(arrays[2])
        ctx.y = y
        ctx.save_for_backward(v)
        return torch.from_numpy(y)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        (v,) = ctx.saved_tensors
        with execution(n_jobs=_threads()):
            found = ctx.operators.vjp(_array(grad), _array(v), ctx.y)
        gradients = [found.get(name) for name in ("queries", "keys", "values")]
        if any(g is None for g in gradients):
            raise ValueError("mechanism must have a metric and normalization whose keys have derivatives.")
        return *(torch.from_numpy(g) for g in gradients), None


class AttentionLayer(torch.nn.Module):
    """likewise.nn.AttentionLayer as a torch module; see there for settings and names of parameters.

    forward(x, context=None, mask=None, is_causal=False, key_padding_mask=None) takes CPU tensors
    (batch, length, embed_dim); masks are boolean tensors, True = may attend.
    """

    def __init__(self, *args, dtype=torch.float32, **settings):
        super().__init__()
        if dtype not in _DTYPES:
            raise ValueError(f"dtype must be torch.float32 or torch.float64; got {dtype}.")
        self._take(self._layer(*args, dtype=_DTYPES[dtype], **settings))

    _layer = _nn.AttentionLayer

    def _take(self, layer):
        self._template = layer
        self._names = list(layer.state_dict())
        for name, part in layer.state_dict().items():
            owner = self
            *path, last = name.split(".")
            for step in path:
                if not hasattr(owner, step):
                    owner.add_module(step, torch.nn.Module())
                owner = getattr(owner, step)
            owner.register_parameter(last, torch.nn.Parameter(torch.from_numpy(part)))

    def forward(self, x, context=None, mask=None, is_causal=False, key_padding_mask=None):
        _on_cpu("x", x)
        if context is not None:
            _on_cpu("context", context)
        masks = [None if m is None else np.asarray(m) for m in (mask, key_padding_mask)]
        parameters = [self.get_parameter(name) for name in self._names]  # the layer's order, not the modules'
        if {p.dtype for p in parameters} != {x.dtype}:
            raise ValueError(f"x must have the parameters' dtype {parameters[0].dtype}; got {x.dtype}.")
        return _Layer.apply(self._template, bool(is_causal), *masks, x, context, *parameters)

    def extra_repr(self):
        return repr(self._template)

    def to_likewise(self):
        """A likewise.nn layer with these parameters."""
        layer = _fresh(self._template, next(self.parameters()).dtype)
        layer.load_state_dict(self.state_dict())
        return layer


class SelfAttention(AttentionLayer):
    """likewise.nn.SelfAttention as a torch module: SelfAttention(embed_dim, num_heads, bias=True)."""

    _layer = _nn.SelfAttention


class MetricAttention(AttentionLayer):
    """likewise.nn.MetricAttention as a torch module: MetricAttention(embed_dim, num_heads, bias=True)."""

    _layer = _nn.MetricAttention


class _Layer(torch.autograd.Function):
    """One pass of a layer. Each has its own trace, so that a module may be used twice before gradients."""

    @staticmethod
    def forward(ctx, template, is_causal, mask, padding, x, context, *parameters):
        layer = _fresh(template, x.dtype)
        flat = layer.flat_parameters
        at = 0
        for part in parameters:
            flat[at : at + part.numel()] = part.detach().reshape(-1).numpy()
            at += part.numel()
        with execution(n_jobs=_threads()):
            y = layer.forward(
                _array(x), None if context is None else _array(context), mask, is_causal, padding
            )
        ctx.layer = layer
        return torch.from_numpy(y)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        layer = ctx.layer
        layer.zero_grad()
        with execution(n_jobs=_threads()):
            found = layer.backward(_array(grad))
        by_x, by_context = found if isinstance(found, tuple) else (found, None)
        by_parameters = [torch.from_numpy(g) for g in layer.gradients().values()]
        return (
            *(None,) * 4,
            torch.from_numpy(by_x),
            None if by_context is None else torch.from_numpy(by_context),
            *by_parameters,
        )


def from_multihead(module):
    """A SelfAttention with the numbers of a torch.nn.MultiheadAttention (no dropout, no extra keys).

    The module's outputs for (x, x, x) and their gradients are then ours within rounding.
    """
    if not isinstance(module, torch.nn.MultiheadAttention):
        raise TypeError(f"module must be a torch.nn.MultiheadAttention; got {type(module).__name__}.")
    if module.in_proj_weight is None or module.bias_k is not None or module.add_zero_attn:
        raise ValueError(
            "module must have one width and no added keys: kdim, vdim, add_bias_kv, add_zero_attn."
        )
    made = SelfAttention(
        module.embed_dim,
        module.num_heads,
        bias=module.in_proj_bias is not None,
        dtype=module.in_proj_weight.dtype,
    )
    made.load_state_dict(module.state_dict())
    return made


def to_multihead(layer, batch_first=True):
    """A torch.nn.MultiheadAttention with the numbers of a SelfAttention of likewise.torch or likewise.nn."""
    state = layer.state_dict()
    tensors = {name: torch.as_tensor(part).clone() for name, part in state.items()}
    options = (layer._template if isinstance(layer, AttentionLayer) else layer).options
    if "in_proj_weight" not in tensors or len(tensors["in_proj_weight"]) != 3 * options["embed_dim"]:
        raise ValueError("layer must be a SelfAttention: untied dot products of rank embed_dim / num_heads.")
    if options["score"] != "dot" or options["key_bias"] or options["learn_temperature"]:
        raise ValueError(
            "layer must be a SelfAttention: dot products, without key bias, of fixed temperature."
        )
    made = torch.nn.MultiheadAttention(
        options["embed_dim"],
        options["num_heads"],
        bias=options["bias"],
        batch_first=batch_first,
        dtype=tensors["in_proj_weight"].dtype,
    )
    made.load_state_dict(tensors)
    return made


def _fresh(template, dtype):
    return _nn.AttentionLayer(**template.options, dtype=_DTYPES[dtype], random_state=0)


def _on_cpu(name, tensor):
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"{name} must be a tensor; got {type(tensor).__name__}.")
    if tensor.device.type != "cpu":
        raise ValueError(
            f"{name} must be on the CPU, where likewise computes; got {tensor.device}. Use {name}.cpu()."
        )
    if tensor.dtype not in _DTYPES:
        raise ValueError(f"{name} must be float32 or float64; got {tensor.dtype}. Use {name}.float().")
    return tensor


def _array(tensor):
    """The tensor's memory, dense, as NumPy."""
    return tensor.detach().contiguous().numpy()


def _threads():
    """As many as torch may use: one in the workers of a DataLoader."""
    return torch.get_num_threads()
