"""LabelPropagation on all pairs and LabelSpreading on neighbors, against scikit-learn's."""

from types import SimpleNamespace

import numpy as np

from likewise.bench import peers
from likewise.bench.workload import Comparison, Contender, Workload, likewise_way

TOLERANCE = 1e-3  # of a label's share; ours is the fixed point, theirs an iterate on its way there


def _inputs(rng, *, n, k=0):
    """Two moons, a point in a hundred labeled."""
    from sklearn.datasets import make_moons

    X, y = make_moons(n, noise=0.1, random_state=0)
    return SimpleNamespace(X=X, y=np.where(np.arange(n) % 100 < 1, y, -1), k=k)


def _prepare(home, name, arguments):
    def prepare(data, threads):
        model = _class(home, name)(n_jobs=threads, **arguments(data))
        return lambda: model.fit(data.X, data.y)

    return prepare


def _class(home, name):
    import importlib

    return getattr(importlib.import_module(home), name)


def _compare(ours, theirs, data):
    return Comparison(float(np.abs(ours - theirs).max()), TOLERANCE)


def _workload(name, cls, title, size, quick, arguments, steps):
    """`steps` are scikit-learn's max_iter and tol, chosen so that it comes within TOLERANCE."""

    def read(model, data):
        return model.label_distributions_

    return Workload(
        name=name,
        group="labels",
        title=title,
        compared="label_distributions_; largest difference",
        size=size,
        quick=quick,
        inputs=_inputs,
        contenders=(
            likewise_way(_prepare("likewise", cls, arguments), read=read, note=f"{cls}, solver 'cg'"),
            Contender(
                "scikit-learn",
                peers.SKLEARN,
                _prepare("sklearn.semi_supervised", cls, lambda data: {**arguments(data), **steps}),
                read=read,
                note=f"{cls}, with tol = {steps['tol']:g} to come within {TOLERANCE:g} of the fixed point",
            ),
        ),
        compare=_compare,
        dtype="float64",
        seconds=60,
    )


WORKLOADS = (
    _workload(
        "label-propagation-rbf",
        "LabelPropagation",
        "LabelPropagation, rbf, 5 000 points",
        {"n": 5000},
        {"n": 400},
        lambda data: {"gamma": 20},
        {"max_iter": 100_000, "tol": 1e-3},
    ),
    _workload(
        "label-spreading-knn",
        "LabelSpreading",
        "LabelSpreading, 15 neighbors, 20 000 points",
        {"n": 20_000, "k": 15},
        {"n": 2000, "k": 15},
        lambda data: {"kernel": "knn", "n_neighbors": data.k},
        {"max_iter": 1000, "tol": 1e-9},
    ),
)
