"""Agreement with scikit-learn where it has the method: largest difference, time and peak memory as ratios.

Each method runs in child processes: one times both libraries in interleaved rounds and compares their
results, and one for each library runs it alone and reads its peak memory. Run as
``python -m likewise.study.agreement METHOD ROLE N_SAMPLES ROUNDS``, the child prints one JSON object.
"""

import importlib
import sys
import time
from dataclasses import dataclass
from typing import Callable

import numpy as np

from likewise._experiments.child import Answers, Child
from likewise._experiments.memory import peak_of

ROUNDS = 5
N_SAMPLES = 1500
TIMEOUT = 120  # seconds for one child
MEASURABLE = 2**20  # bytes; smaller peaks are memory that the process already held


@dataclass(frozen=True)
class Pair:
    """One method in both libraries: the same class name, arguments and question.

    Attributes
    ----------
    name : str, the class
    home : str, scikit-learn's module of it
    arguments : dict, for both
    compared : str, what the largest difference is taken of
    ask : function (model, X, y, Q) -> array; fits the model and asks it
    """

    name: str
    home: str
    arguments: dict
    compared: str
    ask: Callable

    def ours(self, X, y, Q):
        """The answer of likewise."""
        return self._answer("likewise", X, y, Q)

    def theirs(self, X, y, Q):
        """The answer of scikit-learn."""
        return self._answer(self.home, X, y, Q)

    def _answer(self, module, X, y, Q):
        cls = getattr(importlib.import_module(module), self.name)
        return self.ask(cls(**self.arguments), X, y, Q)


class _NumpyKernelRegression(Pair):
    """scikit-learn has the kernel but not the method: the weighted mean in NumPy."""

    def theirs(self, X, y, Q):
        from sklearn.metrics.pairwise import rbf_kernel

        K = rbf_kernel(Q, X, gamma=1 / (2 * self.arguments["bandwidth"] ** 2))
        return (K @ X[:, 0]) / K.sum(axis=1)


def _probabilities(model, X, y, Q):
    return model.fit(X, y).predict_proba(Q)


def _first_feature(model, X, y, Q):
    return model.fit(X, X[:, 0]).predict(Q)


def _log_density(model, X, y, Q):
    return model.fit(X).score_samples(Q)


def _few_labels(model, X, y, Q):
    """One row in 25 keeps its label."""
    return model.fit(X, np.where(np.arange(len(y)) % 50 < 2, y, -1)).label_distributions_


def _clusters(model, X, y, Q):
    """Two clusters, named so that the first point is in 0."""
    labels = model.fit(X).labels_
    return (labels != labels[0]).astype(float)


def _centers(model, X, y, Q):
    """The first 250 points only: scikit-learn searches anew for every point in every step."""
    centers = model.fit(X[:250]).cluster_centers_
    return centers[np.lexsort(centers.T)]


PAIRS = (
    Pair("KNeighborsClassifier", "sklearn.neighbors", {"n_neighbors": 10}, "predict_proba", _probabilities),
    Pair(
        "KNeighborsRegressor",
        "sklearn.neighbors",
        {"n_neighbors": 10, "weights": "distance"},
        "predict, weights='distance'",
        _first_feature,
    ),
    Pair("RadiusNeighborsRegressor", "sklearn.neighbors", {"radius": 1.0}, "predict", _first_feature),
    _NumpyKernelRegression(
        "KernelRegressor",
        "",
        {"bandwidth": 0.4},
        "predict, against rbf_kernel in NumPy (our fit also finds the leave-one-out score)",
        _first_feature,
    ),
    Pair(
        "KernelDensity", "sklearn.neighbors", {"bandwidth": 0.4}, "score_samples (log density)", _log_density
    ),
    Pair(
        "SpectralClustering",
        "sklearn.cluster",
        {"n_clusters": 2, "gamma": 4.0, "random_state": 0},
        "labels_",
        _clusters,
    ),
    Pair(
        "LabelPropagation",
        "sklearn.semi_supervised",
        {"gamma": 4.0, "max_iter": 10_000, "tol": 1e-9},
        "label_distributions_",
        _few_labels,
    ),
    Pair(
        "LabelSpreading",
        "sklearn.semi_supervised",
        {"gamma": 4.0, "max_iter": 1000, "tol": 1e-9},
        "label_distributions_",
        _few_labels,
    ),
    Pair(
        "MeanShift",
        "sklearn.cluster",
        {"bandwidth": 0.8, "max_iter": 1000},
        "cluster_centers_, 250 rows",
        _centers,
    ),
)


def _data(n_samples):
    """Moons in 8 dimensions: X (n, 8), y (n,) in {0, 1}, and n / 3 queries Q."""
    rng = np.random.default_rng(0)
    n = n_samples + n_samples // 3
    y = np.arange(n) % 2
    angle = rng.uniform(0, np.pi, n) + np.pi * y
    plane = np.c_[np.cos(angle) + y, np.sin(angle) + 0.5 * y]
    X = np.c_[plane, np.zeros((n, 6))] + 0.1 * rng.standard_normal((n, 8))
    return X[:n_samples], y[:n_samples], X[n_samples:]


QUICK = ("KNeighborsClassifier", "KernelDensity", "SpectralClustering", "LabelSpreading")


def names(quick=False):
    """The classes that are compared."""
    return [pair.name for pair in PAIRS if not quick or pair.name in QUICK]


def compare(name, n_samples=N_SAMPLES, rounds=ROUNDS):
    """One row of the table, a dict: the difference, medians and ratios ours / theirs, or a message."""
    pair = _pair(name)
    row = {"method": name, "compared": pair.compared, "n_samples": n_samples, "rounds": rounds}
    try:
        row |= _children(name, ["time"], n_samples, rounds)[0]
        ours, theirs = _children(name, ["ours", "theirs"], n_samples, 1)
        row |= {"our_peak": ours["peak"], "their_peak": theirs["peak"]}
    except (TimeoutError, RuntimeError) as error:
        return {**row, "status": "failed", "message": str(error)}
    row["time_ratio"] = row["our_time"] / row["their_time"]
    if row["our_peak"] and row["their_peak"] and max(row["our_peak"], row["their_peak"]) >= MEASURABLE:
        row["memory_ratio"] = row["our_peak"] / row["their_peak"]
    return {**row, "status": "ok", "message": ""}


def _pair(name):
    return next(pair for pair in PAIRS if pair.name == name)


def _children(name, roles, n_samples, rounds):
    """What a child of each role answers, side by side; none is left running, whatever happens.

    One thread in both libraries, so that the ratio compares the work.
    """
    arguments = [str(n_samples), str(rounds)]
    children = [Child(__name__, [name, role, *arguments], threads=1) for role in roles]
    try:
        return [next(child.answers(TIMEOUT)) for child in children]
    finally:
        for child in children:
            child.kill()


def _measure_times(pair, n_samples, rounds):
    """Both libraries in turn, after one round each that is not timed and gives the compared values."""
    X, y, Q = _data(n_samples)
    ours, theirs = pair.ours(X, y, Q), pair.theirs(X, y, Q)
    if ours.shape != theirs.shape:
        raise RuntimeError(f"shapes differ: {ours.shape} and {theirs.shape}")
    times = np.empty((rounds, 2))
    for row in times:
        for column, run in enumerate((pair.ours, pair.theirs)):
            start = time.perf_counter()
            run(X, y, Q)
            row[column] = time.perf_counter() - start
    our_time, their_time = np.median(times, axis=0)
    difference = float(np.abs(ours - theirs).max())
    return {"largest_difference": difference, "our_time": our_time, "their_time": their_time}


def _measure_peak(run, n_samples):
    """Bytes at the peak beyond what the process held with its data and, after a tiny run, its imports."""
    X, y, Q = _data(n_samples)
    run(*_data(60))
    peak, _ = peak_of(lambda: run(X, y, Q))
    return {"peak": peak}


def _main(name, role, n_samples, rounds):
    import warnings

    warnings.simplefilter("ignore")
    answer, pair = Answers(), _pair(name)
    if role == "time":
        found = _measure_times(pair, int(n_samples), int(rounds))
    else:
        found = _measure_peak(getattr(pair, role), int(n_samples))
    answer(found)


if __name__ == "__main__":
    _main(*sys.argv[1:])
