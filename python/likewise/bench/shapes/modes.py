"""Mean shift: every point, or one seed a bin, up to its mode."""

from types import SimpleNamespace

import numpy as np

import likewise as lw
from likewise.bench import peers
from likewise.bench.shapes import draw
from likewise.bench.shapes._kind import ours, theirs, workload
from likewise.bench.workload import Comparison


def draw_shape(rng):
    """Points in a few dimensions and a bandwidth about as long as a cluster."""
    binned = bool(rng.uniform() < 0.4)
    return {
        "seeds": "bins" if binned else "all points",
        "n": draw.log_uniform(rng, 30, 10_000 if binned else 1500),
        "d": draw.log_uniform(rng, 1, 10),
        "family": draw.one_of(rng, ("clusters", "noise", "curve", "uniform")),
        "width": round(float(np.exp(rng.uniform(np.log(0.15), np.log(0.6)))), 3),
        "seed": int(rng.integers(2**31)),
    }


def workload_of(shape):
    """The workload of a shape."""
    contenders = [ours(_prepare(lw), _read), theirs("scikit-learn", peers.SKLEARN, _prepare(None), _read)]
    return workload("mean-shift", shape, _inputs, contenders, _compare, "1 - adjusted Rand index")


def _inputs(rng, shape):
    X = draw.points(rng, shape["family"], shape["n"], shape["d"])
    length = shape["width"] * max(float(np.sqrt(2 * X.var(axis=0).sum())), 1e-3)
    return SimpleNamespace(X=X, bandwidth=length, binned=shape["seeds"] == "bins")


def _prepare(home):
    def prepare(data, threads):
        from sklearn.cluster import MeanShift

        cls = MeanShift if home is None else home.MeanShift
        model = cls(bandwidth=data.bandwidth, bin_seeding=data.binned, n_jobs=threads)
        return lambda: model.fit(data.X)

    return prepare


def _read(model, data):
    return model.labels_


def _compare(a, b, data):
    """Modes that lie just a bandwidth apart are merged by a hair."""
    from sklearn.metrics import adjusted_rand_score

    return Comparison(1 - adjusted_rand_score(a, b), 0.1)
