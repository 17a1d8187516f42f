"""Gradients of attention with respect to queries, keys and values, against PyTorch's autograd."""

from types import SimpleNamespace

import numpy as np

import likewise as lw
from likewise.bench import peers
from likewise.bench.workload import Comparison, Contender, Workload, likewise_way, spaced

GRADIENTS = ("queries", "keys", "values")
TOLERANCE = 5e-5


def _inputs(rng, *, n, d, heads):
    """q, k, v and the gradient of the output, each (heads, n, d) from the normal law."""
    q, k, v, g = (rng.standard_normal((heads, n, d)).astype(np.float32) for _ in range(4))
    return SimpleNamespace(q=q, k=k, v=v, g=g)


def _unavailable():
    from likewise._operator import PropagationOperator

    return "" if hasattr(PropagationOperator, "vjp") else "this version has no P.vjp"


def _ours(data, threads):
    """Forward, then P.vjp, a head after the other; threads work inside a head."""
    temperature = float(np.sqrt(data.q.shape[-1]))
    mechanism = lw.Mechanism(metric="dot", kernel=lw.kernels.Exponential(temperature))

    def run():
        with lw.execution(n_jobs=threads):
            return [_head(mechanism, *head) for head in zip(data.q, data.k, data.v, data.g)]

    return run


def _head(mechanism, q, k, v, g):
    P = mechanism.operator(q, k, storage="streamed")
    y = P @ v
    gradients = P.vjp(g, v, y)
    return y, *(gradients[name] for name in GRADIENTS)


def _torch(data, threads):
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    q, k, v = (torch.from_numpy(array)[None].requires_grad_() for array in (data.q, data.k, data.v))
    g = torch.from_numpy(data.g)[None]

    def run():
        y = scaled_dot_product_attention(q, k, v)
        return y, *torch.autograd.grad(y, (q, k, v), g)

    return run


def _stacked(result, data):
    """Output and gradients, each (heads, n, d), of our list of heads."""
    return [np.stack(of_heads) for of_heads in zip(*result)]


def _arrays(result, data):
    return [tensor[0].detach().numpy() for tensor in result]


def _compare(ours, theirs, data):
    """The worst of the output and the three gradients."""
    apart = [float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(ours, theirs)]
    detail = ", ".join(f"{name} {x:.0e}" for name, x in zip(("output", *GRADIENTS), apart))
    return Comparison(max(apart), TOLERANCE, detail)


CONTENDERS = (
    likewise_way(
        _ours, read=_stacked, unavailable=_unavailable, note="operator(q, k): P @ v and P.vjp(g, v)"
    ),
    Contender(
        "PyTorch",
        peers.TORCH,
        _torch,
        read=_arrays,
        note="scaled_dot_product_attention and torch.autograd.grad, (1, heads, n, d)",
    ),
)


def _workload(name, words, n, heads, quick_n):
    return Workload(
        name=name,
        group="backward",
        title=f"attention forward + backward, {words}, n = {spaced(n)}, d = 64",
        compared="output and gradients of q, k, v; largest difference / largest value",
        size={"n": n, "d": 64, "heads": heads},
        quick={"n": quick_n, "d": 64, "heads": heads},
        inputs=_inputs,
        contenders=CONTENDERS,
        compare=_compare,
        streamed=True,
        seconds=60,
    )


WORKLOADS = (
    _workload("backward-1-head", "1 head", 16384, 1, 1024),
    _workload("backward-8-heads", "8 heads", 2048, 8, 256),
)
