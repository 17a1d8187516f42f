"""A, the speed of a matrix product: OpenBLAS through NumPy, 2048 x 2048."""

import numpy as np

from likewise.bench import peers
from likewise.bench.workload import Contender

SIDE = 2048


def blas(dtype):
    """The yardstick as a contender: ratios to it are fractions of A in that dtype."""
    name = {"float32": "sgemm", "float64": "dgemm"}[dtype]
    return Contender(
        f"OpenBLAS {name}",
        peers.NUMPY,
        lambda data, threads: _product(dtype),
        dtype=dtype,
        flops=lambda size: 2.0 * SIDE**3,
        note=f"A: {SIDE} x {SIDE} matrix product of NumPy; the ratio is ours / A in flops a second",
    )


def _product(dtype):
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((SIDE, SIDE)).astype(dtype) for _ in range(2))
    out = np.empty((SIDE, SIDE), dtype)
    return lambda: np.matmul(a, b, out=out)
