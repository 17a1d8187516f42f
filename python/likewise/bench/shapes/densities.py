"""Kernel density: a fitted model is asked, or fitted and asked."""

from types import SimpleNamespace

import numpy as np

import likewise as lw
from likewise.bench import peers
from likewise.bench.shapes import draw
from likewise.bench.shapes._kind import ASKED, SECONDS, fitted_or_not, ours, theirs, workload
from likewise.bench.workload import Comparison

KERNELS = {"gaussian": 3, "epanechnikov": 1, "tophat": 1, "exponential": 1}
NS_A_PAIR = 25  # scikit-learn's tree, where no node can be left out


def draw_shape(rng):
    """Points, queries, a kernel and a bandwidth from a share of the data's scale to all of it."""
    return draw.within(
        rng,
        _shape,
        lambda s: (
            1e-9 * s["n"] * s["m"] * (NS_A_PAIR + 2 * s["d"]) < SECONDS and (s["n"] + s["m"]) * s["d"] < 2e7
        ),
    )


def workload_of(shape):
    """The workload of a shape."""
    contenders = [
        ours(fitted_or_not(_fit(lw), _ask)),
        theirs("scikit-learn", peers.SKLEARN, fitted_or_not(_fit(None), _ask)),
    ]
    return workload("density", shape, _inputs, contenders, _compare, "log densities")


def _shape(rng):
    return {
        "kernel": draw.one_of(rng, KERNELS),
        "asked": draw.one_of(rng, ASKED),
        "n": draw.log_uniform(rng, 50, 200_000),
        "m": draw.log_uniform(rng, 1, 20_000),
        "d": draw.log_uniform(rng, 1, 100),
        "width": round(float(np.exp(rng.uniform(np.log(0.01), np.log(2)))), 4),
        "family": draw.one_of(rng, draw.FAMILIES),
        "dtype": draw.one_of(rng, ("float32", "float64")),
        "seed": int(rng.integers(2**31)),
    }


def _inputs(rng, shape):
    n, d = shape["n"], shape["d"]
    X = draw.points(rng, shape["family"], n + shape["m"], d, shape["dtype"])
    # 1.2345: not a distance between integers, where a kernel's edge is decided by rounding
    length = shape["width"] * 1.2345 * max(float(np.sqrt(2 * X.var(axis=0).sum())), 1e-3)
    return SimpleNamespace(
        X=X[:n], Q=X[n:], bandwidth=length, kernel=shape["kernel"], asked=shape["asked"], d=d
    )


def _fit(home):
    def fit(data, threads):
        from sklearn.neighbors import KernelDensity

        if home is None:
            return KernelDensity(bandwidth=data.bandwidth, kernel=data.kernel).fit(data.X)
        return home.KernelDensity(bandwidth=data.bandwidth, kernel=data.kernel, n_jobs=threads).fit(data.X)

    return fit


def _ask(model, data):
    return model.score_samples(data.Q)


def _compare(a, b, data):
    """Logarithms, where both say that there is some density; scikit-learn's underflows in high dimension."""
    a, b = (np.asarray(array, np.float64) for array in (a, b))
    seen = np.isfinite(a) & np.isfinite(b)
    lost = float((np.isfinite(a) != np.isfinite(b)).mean())
    if data.kernel in ("gaussian", "exponential"):
        lost = 0.0
    scale = max(1.0, float(np.abs(b[seen]).max(initial=1.0)))
    apart = float(np.quantile(np.abs(a - b)[seen], 0.99) / scale) if seen.any() else 0.0
    return Comparison(max(apart, lost), 5e-3 if data.X.dtype == np.float32 else 1e-4)
