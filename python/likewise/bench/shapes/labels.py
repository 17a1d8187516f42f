"""Label propagation and spreading on all pairs and on neighbors: fitting, and new points asked."""

from types import SimpleNamespace

import numpy as np

import likewise as lw
from likewise.bench import peers
from likewise.bench.shapes import draw
from likewise.bench.shapes._kind import SECONDS, ours, theirs, workload
from likewise.bench.workload import Comparison

METHODS = ("LabelPropagation", "LabelSpreading")
ASKED = {"fit": 2, "ask": 1}
SAME = 0.02  # share of labels that may differ
NO_ANSWER = -1  # a point that no label reaches: scikit-learn's row is 0 or NaN, ours the classes' shares
# scikit-learn stops early by default; it is given the loosest of these that comes to the answer.
TOLERANCES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-8, 1e-10)


def draw_shape(rng):
    """A few labeled points among many, in classes that follow clusters."""
    return draw.within(rng, _shape, _affordable)


def workload_of(shape):
    """The workload of a shape."""
    contenders = [ours(_prepare, _read), theirs("scikit-learn", peers.SKLEARN, _prepare_theirs, _read_theirs)]
    return workload("labels", shape, _inputs, contenders, _compare, "labels, the share that differs")


def _shape(rng):
    kernel = draw.one_of(rng, ("rbf", "knn"))
    return {
        "method": draw.one_of(rng, METHODS),
        "kernel": kernel,
        "asked": draw.one_of(rng, ASKED),
        "n": draw.log_uniform(rng, 50, 4000 if kernel == "rbf" else 30_000),
        "m": draw.log_uniform(rng, 1, 5000),
        "d": draw.log_uniform(rng, 1, 100),
        "k": draw.log_uniform(rng, 3, 30),
        "classes": draw.log_uniform(rng, 2, 30),
        "labeled": round(float(np.exp(rng.uniform(np.log(0.01), np.log(0.5)))), 3),
        "width": round(float(np.exp(rng.uniform(np.log(0.05), np.log(0.5)))), 3),
        "seed": int(rng.integers(2**31)),
    }


def _affordable(shape):
    n, m = shape["n"], shape["m"]
    pairs = n * n + n * m
    return pairs * (1 + 0.07 * shape["d"]) < 1e9 * SECONDS and (shape["kernel"] == "knn" or pairs < 3e7)


def _inputs(rng, shape):
    """Clusters that touch: a label has a neighborhood, and borders where it is not known."""
    n, d, classes = shape["n"], shape["d"], shape["classes"]
    centers = 3 * rng.standard_normal((classes, d))
    y = rng.integers(classes, size=n + shape["m"])
    X = centers[y] + rng.standard_normal((len(y), d))
    length = shape["width"] * float(np.sqrt(2 * X.var(axis=0).sum()))
    options = {"kernel": shape["kernel"], "gamma": 1 / (2 * length**2), "n_neighbors": min(shape["k"], n - 1)}
    known = rng.uniform(size=n) < shape["labeled"]
    known[rng.integers(n)] = True
    return SimpleNamespace(
        X=X[:n],
        Q=X[n:],
        y=np.where(known, y[:n], -1),
        options=options,
        method=shape["method"],
        asked=shape["asked"],
    )


def _fit(data, threads):
    return getattr(lw, data.method)(**data.options, n_jobs=threads).fit(data.X, data.y)


def _fit_theirs(data, threads, tol):
    from sklearn import semi_supervised

    cls = getattr(semi_supervised, data.method)
    return cls(**data.options, n_jobs=threads, max_iter=100_000, tol=tol).fit(data.X, data.y)


def _prepare(data, threads):
    if data.asked == "fit":
        return lambda: _fit(data, threads)
    model = _fit(data, threads)
    return lambda: model.predict_proba(data.Q)


def _prepare_theirs(data, threads):
    tol = _tolerance(data, threads)
    if data.asked == "fit":
        return lambda: _fit_theirs(data, threads, tol)
    model = _fit_theirs(data, threads, tol)
    return lambda: model.predict_proba(data.Q)


def _tolerance(data, threads):
    """The loosest with which theirs gives the labels of ours, or the last."""
    right = _fit(data, threads).transduction_
    for tol in TOLERANCES:
        model = _fit_theirs(data, threads, tol)
        if _share_that_differs(right, _answers(model.transduction_, model.label_distributions_)) <= SAME / 2:
            break
    return tol


def _read(result, data):
    return result.transduction_ if data.asked == "fit" else result.argmax(axis=1)


def _read_theirs(result, data):
    shares = result.label_distributions_ if data.asked == "fit" else result
    return _answers(_read(result, data), shares)


def _answers(labels, shares):
    """NO_ANSWER in rows of 0 or NaN."""
    return np.where(shares.sum(axis=1) > 0, labels, NO_ANSWER)


def _compare(a, b, data):
    return Comparison(_share_that_differs(a, b), max(SAME, 1.5 / len(a)))


def _share_that_differs(ours, theirs):
    """Among the points that theirs has an answer for."""
    answered = theirs != NO_ANSWER
    return float((ours != theirs)[answered].mean()) if answered.any() else 0.0
