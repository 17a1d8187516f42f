"""Attention over batches and heads of any length and width, masked or not; with or without its gradient."""

from types import SimpleNamespace

import numpy as np

import likewise as lw
from likewise.bench import peers
from likewise.bench.shapes import draw
from likewise.bench.shapes._kind import SECONDS, ours, theirs, workload
from likewise.bench.workload import as_arrays, largest_difference, worst_array

MASKS = {"none": 5, "causal": 2, "padding": 1, "window": 1, "random": 1, "symmetric": 1}
GFLOPS = 60.0  # of torch on a core, for a bound of its seconds


def draw_shape(rng):
    """Batch, heads, length, width: from one long sequence to a thousand short ones."""
    return draw.within(rng, _shape, _affordable)


def workload_of(shape):
    """The workload of a shape."""
    if shape["task"] == "forward":
        contenders = [ours(_forward), theirs("PyTorch", peers.TORCH, _torch_forward, _array)]
        return workload("attention", shape, _inputs, contenders, _compare_outputs(shape), "outputs")
    contenders = [
        ours(_backward, as_arrays),
        theirs("PyTorch", peers.TORCH, _torch_backward, as_arrays),
    ]
    return workload("attention", shape, _inputs, contenders, _compare_all(shape), "outputs and gradients")


def _shape(rng):
    """Gradients are of masks that both differentiate: none and causal."""
    task = draw.one_of(rng, {"forward": 2, "forward + backward": 1})
    return {
        "task": task,
        "batch": draw.log_uniform(rng, 1, 1000),
        "heads": draw.one_of(rng, (1, 2, 4, 8, 16)),
        "n": draw.log_uniform(rng, 1, 8192),
        "keys": draw.one_of(rng, {"same": 3, "others": 1}),
        "m": draw.log_uniform(rng, 1, 8192),
        "d": draw.log_uniform(rng, 4, 256),
        "mask": draw.one_of(rng, MASKS if task == "forward" else {"none": 2, "causal": 1}),
        "dtype": draw.one_of(rng, {"float32": 4, "float64": 1}),
        "seed": int(rng.integers(2**31)),
    } | {}


def _affordable(shape):
    heads, m = shape["batch"] * shape["heads"], _n_keys(shape)
    work = 4.0 * heads * shape["n"] * m * shape["d"] * (3.5 if shape["task"] != "forward" else 1)
    entries = heads * (shape["n"] + m) * shape["d"]
    masked = shape["n"] * m < 2e7 or shape["mask"] in ("none", "causal", "padding")
    return work < 1e9 * GFLOPS * SECONDS / 3 and entries < 3e7 and masked


def _n_keys(shape):
    same = shape["keys"] == "same" or shape["mask"] in ("causal", "window", "symmetric")
    return shape["n"] if same else shape["m"]


def _inputs(rng, shape):
    n, m, lead = shape["n"], _n_keys(shape), (shape["batch"], shape["heads"])
    q, k, v, g = (
        rng.standard_normal((*lead, rows, shape["d"])).astype(shape["dtype"]) for rows in (n, m, m, n)
    )
    data = SimpleNamespace(q=q, k=k, v=v, g=g, causal=shape["mask"] == "causal", mask=None, padding=None)
    data.support = "all"
    if shape["mask"] == "padding":
        lengths = rng.integers(1, m + 1, size=shape["batch"])
        data.padding = np.arange(m) < lengths[:, None]
    if shape["mask"] == "random":
        data.mask = rng.uniform(size=(n, m)) < rng.uniform(0.02, 1)
        data.mask[np.arange(n), rng.integers(m, size=n)] = True
    if shape["mask"] == "symmetric":
        half = np.triu(rng.uniform(size=(n, n)) < rng.uniform(0.02, 1))
        data.mask = half | half.T | np.eye(n, dtype=bool)
    if shape["mask"] == "window":
        before = draw.log_uniform(rng, 1, max(1, n // 2))
        data.support = lw.supports.Window(before, 0)
        at = np.arange(n)
        data.torch_mask = (at[:, None] >= at) & (at[:, None] - at <= before)
    return data


def _forward(data, threads):
    def run():
        with lw.execution(n_jobs=threads):
            return lw.attention(
                data.q, data.k, data.v, is_causal=data.causal, mask=data.mask,
                key_padding_mask=data.padding, support=data.support,
            )  # fmt: skip

    return run


def _torch_forward(data, threads):
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    q, k, v = (torch.from_numpy(array) for array in (data.q, data.k, data.v))
    mask = data.mask if data.mask is not None else getattr(data, "torch_mask", None)
    if data.padding is not None:
        mask = data.padding[:, None, None, :]
    mask = None if mask is None else torch.from_numpy(mask)

    def run():
        with torch.inference_mode():
            return scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=data.causal)

    return run


def _backward(data, threads):
    """As users of PyTorch call ours."""
    import likewise.torch

    return _with_gradients(data, lambda q, k, v: likewise.torch.kernel_attention(q, k, v, _mechanism(data)))


def _mechanism(data):
    kernel = lw.kernels.Exponential(float(np.sqrt(data.q.shape[-1])))
    return lw.Mechanism(metric="dot", kernel=kernel, support="causal" if data.causal else "all")


def _torch_backward(data, threads):
    from torch.nn.functional import scaled_dot_product_attention

    return _with_gradients(data, lambda q, k, v: scaled_dot_product_attention(q, k, v, is_causal=data.causal))


def _with_gradients(data, attend):
    import torch

    q, k, v = (torch.from_numpy(array).requires_grad_() for array in (data.q, data.k, data.v))
    g = torch.from_numpy(data.g)

    def run():
        y = attend(q, k, v)
        return y, *torch.autograd.grad(y, (q, k, v), g)

    return run


def _array(result, data):
    return result.numpy()


def _compare_outputs(shape):
    return largest_difference(1e-4 if shape["dtype"] == "float32" else 1e-10)


def _compare_all(shape):
    return worst_array(5e-4 if shape["dtype"] == "float32" else 1e-9)
