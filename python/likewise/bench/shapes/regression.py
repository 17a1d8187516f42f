"""Kernel regression with a given bandwidth, and with one that is chosen."""

from types import SimpleNamespace

import numpy as np

import likewise as lw
from likewise.bench import peers
from likewise.bench.shapes import draw
from likewise.bench.shapes._kind import ASKED, SECONDS, fitted_or_not, ours, theirs, workload
from likewise.bench.workload import Comparison
from likewise.bench.workloads.bandwidth import leave_one_out_error

TASKS = {"gaussian": 3, "laplacian": 1, "epanechnikov": 2, "chosen": 2}


def draw_shape(rng):
    """Means by a kernel's weights; for "chosen" the least leave-one-out error decides the bandwidth."""
    return draw.within(rng, _shape, _affordable)


def workload_of(shape):
    """The workload of a shape."""
    if shape["task"] == "chosen":
        contenders = [ours(_choose), theirs("statsmodels", peers.STATSMODELS, _statsmodels)]
        return workload("regression", shape, _inputs, contenders, _compare_chosen, "leave-one-out error")
    contenders = [
        ours(fitted_or_not(_fit, _ask)),
        theirs("scikit-learn", peers.SKLEARN, fitted_or_not(_fit_theirs, _ask_theirs)),
    ]
    return workload("regression", shape, _inputs, contenders, _compare, "predictions")


def _shape(rng):
    task = draw.one_of(rng, TASKS)
    chosen = task == "chosen"
    return {
        "task": task,
        "asked": "fit and ask" if chosen else draw.one_of(rng, ASKED),
        "n": draw.log_uniform(rng, 50, 1000 if chosen else 100_000),
        "m": 0 if chosen else draw.log_uniform(rng, 1, 20_000),
        "d": 1 if chosen else draw.log_uniform(rng, 1, 300),
        "targets": 1 if chosen else draw.log_uniform(rng, 1, 30),
        "width": round(float(np.exp(rng.uniform(np.log(0.02), np.log(1)))), 4),
        "family": draw.one_of(rng, {"noise": 1, "clusters": 1} if chosen else draw.FAMILIES),
        "dtype": "float64" if chosen else draw.one_of(rng, ("float32", "float64")),
        "seed": int(rng.integers(2**31)),
    }


def _affordable(shape):
    if shape["task"] == "chosen":
        return 3e-6 * shape["n"] ** 2 < SECONDS
    pairs = shape["n"] * shape["m"]
    return pairs < 1.5e8 and 1e-9 * pairs * (10 + 0.7 * shape["d"]) < SECONDS


def _inputs(rng, shape):
    n, d = shape["n"], shape["d"]
    X = draw.points(rng, shape["family"], n + shape["m"], d, shape["dtype"])
    length = shape["width"] * 1.2345 * max(float(np.sqrt(2 * X.var(axis=0).sum())), 1e-3)
    y = np.sin(X @ rng.standard_normal((d, shape["targets"])) / np.sqrt(d))
    y = (y + 0.1 * rng.standard_normal(y.shape))[:n].astype(X.dtype)
    y = y[:, 0] if shape["targets"] == 1 else y
    return SimpleNamespace(
        X=X[:n], Q=X[n:], y=y, bandwidth=length, kernel=shape["task"], asked=shape["asked"]
    )


def _fit(data, threads):
    kernel = getattr(lw.kernels, data.kernel.capitalize())(data.bandwidth)
    return lw.KernelRegressor(kernel=kernel, bandwidth=None, n_jobs=threads).fit(data.X, data.y)


def _ask(model, data):
    return model.predict(data.Q)


def _fit_theirs(data, threads):
    if data.kernel != "epanechnikov":
        return threads
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(radius=data.bandwidth, n_jobs=threads).fit(data.X)


def _ask_theirs(fitted, data):
    """As users of scikit-learn write it: its kernel matrix, or its graph of a radius, times the targets."""
    from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel

    if data.kernel == "gaussian":
        K = rbf_kernel(data.Q, data.X, gamma=1 / (2 * data.bandwidth**2))
    elif data.kernel == "laplacian":
        K = np.exp(-euclidean_distances(data.Q, data.X) / data.bandwidth)
    else:
        K = fitted.radius_neighbors_graph(data.Q, mode="distance")
        K.data = np.maximum(0, 1 - (K.data / data.bandwidth) ** 2)
    with np.errstate(all="ignore"):
        sums = np.asarray(K.sum(axis=1)).reshape(-1, *(1,) * (data.y.ndim - 1))
        return (K @ data.y) / sums


def _compare(a, b, data):
    """Where theirs has weights that did not underflow: ours then takes the nearest."""
    a, b = (np.asarray(array, np.float64) for array in (a, b))
    seen = np.isfinite(b)
    apart = np.abs(a - b)[seen]
    worst = float(np.quantile(apart, 0.98)) if apart.size else 0.0  # few weights above underflow: few digits
    return Comparison(worst, 2e-2 if data.X.dtype == np.float32 else 1e-4)


def _choose(data, threads):
    def run():
        with lw.execution(n_jobs=threads):
            return lw.select_bandwidth("loo", data.X, data.y).length

    return run


def _statsmodels(data, threads):
    from statsmodels.nonparametric.kernel_regression import KernelReg

    return lambda: np.abs(KernelReg(data.y, data.X, "c", reg_type="lc", bw="cv_ls").bw)


def _compare_chosen(a, b, data):
    """A smaller error is a better bandwidth: ours may not be worse."""
    errors = [leave_one_out_error(data.X, data.y, np.asarray(h)) for h in (a, b)]
    worse = errors[0] / errors[1] - 1 if np.isfinite(errors[1]) else 0.0
    return Comparison(max(0.0, worse), 0.02)
