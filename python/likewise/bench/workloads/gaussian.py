"""sum_j exp(-|x_i - x_j|^2 / (2 h^2)) v_j of a point set with itself, against KeOps and scikit-learn."""

from types import SimpleNamespace

import numpy as np

import likewise as lw
from likewise.bench import peers
from likewise.bench.workload import Contender, Workload, largest_difference, likewise_way

REFERENCE_ROWS = 32


def inputs(rng, *, n, d):
    """X (n, d) from the normal law, v (n, 1) positive, and a bandwidth that grows with d."""
    X = rng.standard_normal((n, d)).astype(np.float32)
    v = rng.uniform(0.5, 1.5, (n, 1)).astype(np.float32)
    return SimpleNamespace(X=X, v=v, bandwidth=0.5 * float(np.sqrt(d / 3)))


def reference(data):
    """The first rows in float64 by the definition."""
    rows = slice(0, REFERENCE_ROWS)
    X, v = data.X.astype(np.float64), data.v.astype(np.float64)
    squares = np.stack([((X - x) ** 2).sum(axis=1) for x in X[rows]])
    return rows, np.exp(-squares / (2 * data.bandwidth**2)) @ v


def _ours(data, threads):
    mechanism = lw.Mechanism(kernel=lw.kernels.Gaussian(data.bandwidth), normalization="unnormalized")

    def run():
        with lw.execution(n_jobs=threads):
            return mechanism.operator(data.X, storage="streamed") @ data.v

    return run


def _keops(data, threads):
    from pykeops.numpy import LazyTensor

    gamma = 1 / (2 * data.bandwidth**2)

    def run():
        x, z = LazyTensor(data.X[:, None, :]), LazyTensor(data.X[None, :, :])
        return (-gamma * ((x - z) ** 2).sum(-1)).exp() @ data.v

    return run


def _scikit_learn(data, threads):
    from sklearn.metrics.pairwise import rbf_kernel

    gamma = 1 / (2 * data.bandwidth**2)
    return lambda: rbf_kernel(data.X, gamma=gamma) @ data.v


CONTENDERS = (
    likewise_way(_ours, note="Mechanism(kernel=Gaussian(h), normalization='unnormalized').operator(X) @ v"),
    Contender("KeOps", peers.KEOPS, _keops, note="LazyTensor of NumPy arrays, compiled before timing"),
    Contender("scikit-learn", peers.SKLEARN, _scikit_learn, note="rbf_kernel(X) @ v"),
)


def _workload(d):
    return Workload(
        name=f"gaussian-d{d}",
        group="gaussian",
        title=f"Gaussian sum, n = 10 000, d = {d}",
        compared="K v; largest difference / largest value, each also against float64",
        size={"n": 10_000, "d": d},
        quick={"n": 2000, "d": d},
        inputs=inputs,
        contenders=CONTENDERS,
        compare=largest_difference(2e-5),
        reference=reference,
        streamed=True,
        seconds=40,
    )


WORKLOADS = (_workload(3), _workload(64))

GROWTH = Workload(
    name="growth-gaussian",
    group="growth",
    title="Gaussian sum, d = 3, growing n",
    compared=WORKLOADS[0].compared,
    size={"d": 3},
    quick={"d": 3},
    inputs=inputs,
    contenders=CONTENDERS,
    compare=largest_difference(2e-5),
    reference=reference,
    sizes=(1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000),
    quick_sizes=(500, 2000),
    streamed=True,
    seconds=150,
)
