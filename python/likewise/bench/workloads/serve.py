"""Calls of fitted models: one row a call against 100 000 training points, and 2 000 rows of 784 features."""

from types import SimpleNamespace

import numpy as np

import likewise as lw
from likewise.bench import peers
from likewise.bench.workload import Comparison, Contender, Workload, largest_difference, likewise_way, spaced

CALLS = 10  # of one row, in what is timed once: one alone is too short to time
WARM = 100  # such calls before: by then what is made once is made
BANDWIDTH = 3.0  # at 1 scikit-learn's tree loses all digits of densities in 100 dimensions
SAME_CLASSES = 0.999  # share; the rest are ties within rounding


def _inputs(rng, *, n, d, queries, dtype="float64"):
    X = rng.standard_normal((n, d)).astype(dtype)
    y = (X[:, 0] > 0).astype(int) + 2 * (X[:, 1] > 0)
    return SimpleNamespace(X=X, y=y, Q=rng.standard_normal((queries, d)).astype(dtype))


def _row_by_row(fit, ask):
    """What is timed: CALLS calls of one row; fitting and the first calls are not."""

    def prepare(data, threads):
        model = fit(data, threads)
        rows = [data.Q[i : i + 1] for i in range(CALLS)]
        for i in range(WARM):
            ask(model, rows[i % CALLS])
        return lambda: np.concatenate([ask(model, row) for row in rows])

    return prepare


def _all_rows(fit, ask):
    def prepare(data, threads):
        model = fit(data, threads)
        ask(model, data.Q[:1])
        return lambda: ask(model, data.Q)

    return prepare


def _classifier(data, threads):
    return lw.KNeighborsClassifier(n_jobs=threads).fit(data.X, data.y)


def _their_classifier(data, threads):
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(n_jobs=threads).fit(data.X, data.y)


def _density(data, threads):
    return lw.KernelDensity(bandwidth=BANDWIDTH, n_jobs=threads).fit(data.X)


def _their_density(data, threads):
    from sklearn.neighbors import KernelDensity

    return KernelDensity(bandwidth=BANDWIDTH).fit(data.X)


def _classes(model, X):
    return model.predict(X)


def _log_densities(model, X):
    return model.score_samples(X)


def _same_classes(ours, theirs, data):
    same = float((ours == theirs).mean())
    return Comparison(1 - same, 1 - SAME_CLASSES, f"{100 * same:.2f} % of the classes are the same")


def _workload(name, title, inputs, way, ours, theirs, **fields):
    fit, ask = ours
    their_fit, _ = theirs
    return Workload(
        name=f"serve-{name}",
        group="serve",
        title=title,
        inputs=inputs,
        contenders=(
            likewise_way(way(fit, ask), note="fitted before; the calls alone are timed"),
            Contender("scikit-learn", peers.SKLEARN, way(their_fit, ask), note="the same"),
        ),
        seconds=20,
        **fields,
    )


def _neighbors(d):
    return _workload(
        f"neighbors-d{d}",
        f"KNeighborsClassifier, one row a call, n = {spaced(100_000)}, d = {d}",
        _inputs,
        _row_by_row,
        (_classifier, _classes),
        (_their_classifier, _classes),
        compared="classes, the share that differs",
        compare=_same_classes,
        dtype="float64",
        size={"n": 100_000, "d": d, "queries": CALLS},
        quick={"n": 5000, "d": d, "queries": CALLS},
    )


def _densities(d):
    return _workload(
        f"density-d{d}",
        f"KernelDensity, one row a call, n = {spaced(100_000)}, d = {d}",
        _inputs,
        _row_by_row,
        (_density, _log_densities),
        (_their_density, _log_densities),
        compared="log densities, largest difference / largest",
        compare=largest_difference(1e-6),
        dtype="float64",
        size={"n": 100_000, "d": d, "queries": CALLS},
        quick={"n": 2000, "d": d, "queries": CALLS},
    )


def _batch(dtype):
    return _workload(
        f"batch-{dtype}",
        f"KNeighborsClassifier, 2 000 rows a call, n = {spaced(10_000)}, d = 784, {dtype}",
        lambda rng, **size: _inputs(rng, dtype=dtype, **size),
        _all_rows,
        (_classifier, _classes),
        (_their_classifier, _classes),
        compared="classes, the share that differs",
        compare=_same_classes,
        dtype=dtype,
        size={"n": 10_000, "d": 784, "queries": 2000},
        quick={"n": 1000, "d": 784, "queries": 100},
    )


WORKLOADS = (
    *(_neighbors(d) for d in (3, 30, 100)),
    *(_densities(d) for d in (3, 30, 100)),
    *(_batch(dtype) for dtype in ("float32", "float64")),
)
