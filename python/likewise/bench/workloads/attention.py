"""softmax(q k^T / sqrt(d)) v, one head, against PyTorch's scaled_dot_product_attention."""

from types import SimpleNamespace

import numpy as np

import likewise as lw
from likewise.bench import peers
from likewise.bench.workload import Contender, Workload, largest_difference, likewise_way, spaced
from likewise.bench.workloads.yardstick import blas

REFERENCE_ROWS = 32


def inputs(rng, *, n, d, dtype="float32"):
    """q, k, v (n, d) from the normal law."""
    q, k, v = (rng.standard_normal((n, d)).astype(dtype) for _ in range(3))
    return SimpleNamespace(q=q, k=k, v=v)


def reference(data):
    """The first rows in float64 by the definition."""
    rows = slice(0, REFERENCE_ROWS)
    q, k, v = (array.astype(np.float64) for array in (data.q[rows], data.k, data.v))
    scores = q @ k.T / np.sqrt(q.shape[1])
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return rows, weights @ v / weights.sum(axis=1, keepdims=True)


def _ours(data, threads):
    def run():
        with lw.execution(n_jobs=threads):
            return lw.attention(data.q, data.k, data.v)

    return run


def _torch(data, threads):
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    q, k, v = (torch.from_numpy(array)[None, None] for array in (data.q, data.k, data.v))

    def run():
        with torch.inference_mode():
            return scaled_dot_product_attention(q, k, v)

    return run


def flops(size):
    """Of the two products; weights are not counted."""
    return 4.0 * size["n"] ** 2 * size["d"]


def _contenders(dtype="float32"):
    return (
        likewise_way(_ours, note="likewise.attention"),
        Contender(
            "PyTorch",
            peers.TORCH,
            _torch,
            read=lambda result, data: result[0, 0].numpy(),
            note="scaled_dot_product_attention under inference_mode, (1, 1, n, d)",
        ),
        blas(dtype),
    )


def _workload(n, d, quick_n, dtype="float32", tolerance=2e-5):
    suffix = "" if dtype == "float32" else f"-{dtype}"
    extra = {} if dtype == "float32" else {"dtype": dtype}
    return Workload(
        name=f"attention-n{n}-d{d}{suffix}",
        group="attention",
        title=f"attention forward, n = {spaced(n)}, d = {d}, {dtype}",
        compared="output; largest difference / largest value, each also against float64",
        size={"n": n, "d": d, **extra},
        quick={"n": quick_n, "d": d, **extra},
        inputs=inputs,
        contenders=_contenders(dtype),
        compare=largest_difference(tolerance),
        reference=reference,
        dtype=dtype,
        flops=flops,
        streamed=True,
        seconds=25 if n > 8192 else 5,
    )


WORKLOADS = (
    _workload(16384, 64, 2048),
    _workload(4096, 16, 2048),
    _workload(4096, 64, 1024, dtype="float64", tolerance=1e-12),
)

GROWTH = Workload(
    name="growth-attention",
    group="growth",
    title="attention forward, d = 16, growing n",
    compared=WORKLOADS[0].compared,
    size={"d": 16},
    quick={"d": 16},
    inputs=inputs,
    contenders=_contenders()[:2],
    compare=largest_difference(2e-5),
    reference=reference,
    sizes=(1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000),
    quick_sizes=(500, 2000),
    streamed=True,
    seconds=150,
)
