"""Nearest neighbors and points within a radius: of other points, or of the points themselves."""

from types import SimpleNamespace

import numpy as np

import likewise as lw
from likewise.bench import peers
from likewise.bench.shapes import draw
from likewise.bench.shapes._kind import ASKED, SECONDS, fitted_or_not, ours, theirs, workload
from likewise.bench.workload import Comparison

METRICS = {"euclidean": 6, "manhattan": 1, "chebyshev": 1, "minkowski": 1, "cosine": 1}
TASKS = {"kneighbors": 3, "classifier": 3, "regressor": 1, "radius": 2}
SELF_TASKS = {"kneighbors": 3, "radius": 1}
P = 3.0  # of minkowski
NS_PER_FEATURE = {"euclidean": 0.07, "cosine": 0.07, "manhattan": 0.6, "chebyshev": 0.8, "minkowski": 25}
ENTRIES, RESULTS = 4e7, 2e7
VOTES_DIFFER = 0.02  # share of predictions: neighbors that tie within rounding, votes that tie
TREE_DIMENSIONS = 12  # beyond, SciPy's tree takes minutes


def draw_across(rng):
    """Queries against other points: their neighbors, classes, means, or all within a radius."""
    return draw.within(rng, _across, lambda shape: _affordable(shape, shape["m"]))


def draw_self(rng):
    """The neighbors of every point among the others."""
    return draw.within(rng, _self, lambda shape: _affordable(shape, shape["n"]))


def workload_across(shape):
    """The workload of a shape that `draw_across` made."""
    contenders = [
        ours(_prepare(lw), _read),
        theirs("scikit-learn", peers.SKLEARN, _prepare("sklearn"), _read),
    ]
    if shape["metric"] == "euclidean" and shape["task"] != "radius":
        contenders.append(theirs("scikit-learn-intelex", peers.INTELEX, _prepare("sklearnex"), _read))
    if shape["task"] == "kneighbors":
        contenders += _searches(shape, _faiss, _scipy)
    return workload("neighbors-across", shape, _inputs, contenders, _compare, "distances; predictions")


def workload_self(shape):
    """The workload of a shape that `draw_self` made."""
    contenders = [
        ours(_prepare(lw), _read),
        theirs("scikit-learn", peers.SKLEARN, _prepare("sklearn"), _read),
    ]
    if shape["task"] == "kneighbors":
        contenders += _searches(shape, _faiss, _scipy)
    return workload("neighbors-self", shape, _inputs, contenders, _compare, "distances")


def _across(rng):
    family = draw.one_of(rng, draw.FAMILIES)
    n = draw.log_uniform(rng, 50, 200_000)
    untied = family not in draw.TIED
    return {
        "task": draw.one_of(rng, TASKS if untied else {"kneighbors": 2, "radius": 1}),
        "asked": draw.one_of(rng, ASKED),
        "n": n,
        "m": draw.log_uniform(rng, 1, 20_000),
        "d": draw.log_uniform(rng, 1, 3000),
        "k": min(draw.log_uniform(rng, 1, 100), n),
        "classes": draw.log_uniform(rng, 2, 20_000),
        "family": family,
        "metric": draw.one_of(rng, METRICS),
        "dtype": draw.one_of(rng, ("float32", "float64")),
        "seed": int(rng.integers(2**31)),
    }


def _self(rng):
    n = draw.log_uniform(rng, 50, 100_000)
    return {
        "task": draw.one_of(rng, SELF_TASKS),
        "asked": "fit and ask",
        "n": n,
        "d": draw.log_uniform(rng, 1, 1000),
        "k": min(draw.log_uniform(rng, 1, 100), n - 1),
        "family": draw.one_of(rng, draw.FAMILIES),
        "metric": draw.one_of(rng, METRICS),
        "dtype": draw.one_of(rng, ("float32", "float64")),
        "seed": int(rng.integers(2**31)),
    }


def _affordable(shape, queries):
    """scikit-learn's cost by brute force; an estimate where its tree is faster, which only lets it be so."""
    n, d, k = shape["n"], shape["d"], shape["k"]
    seconds = 1e-9 * n * queries * (1 + NS_PER_FEATURE[shape["metric"]] * d)
    return seconds < SECONDS and (n + queries) * d < ENTRIES and queries * k < RESULTS


def _inputs(rng, shape):
    n, d, m = shape["n"], shape["d"], shape.get("m", 0)
    X = draw.points(rng, shape["family"], n + m, d, shape["dtype"])
    if shape["metric"] == "cosine":
        X[~X.any(axis=1)] = 1  # a point of length 0 has no direction
    data = SimpleNamespace(X=X[:n], Q=X[n:] if m else None, **{key: shape[key] for key in _READ})
    data.p = {"manhattan": 1, "euclidean": 2, "minkowski": P, "chebyshev": np.inf}.get(data.metric)
    if data.task == "classifier":
        data.y = rng.integers(0, shape["classes"], size=n)
    if data.task == "regressor":
        data.y = rng.standard_normal(n)
    data.radius = _radius(rng, data)
    return data


_READ = ("task", "asked", "k", "metric")


def _radius(rng, data):
    """Within which some have k others; not a distance that occurs, where rounding would decide."""
    from scipy.spatial.distance import cdist

    options = {"p": P} if data.metric == "minkowski" else {}
    metric = {"manhattan": "cityblock"}.get(data.metric, data.metric)
    some = data.X[rng.integers(len(data.X), size=20)].astype(np.float64)
    distances = np.sort(cdist(some, data.X[:20_000].astype(np.float64), metric, **options), axis=1)
    place = min(distances.shape[1] - 1, max(1, data.k * distances.shape[1] // len(data.X)))
    return float(np.median(distances[:, place]) * 1.0003 + 1e-9)


def _prepare(home):
    """A contender with scikit-learn's interface: ours, scikit-learn's, Intel's."""

    def fit(data, threads):
        model = _class(home, data.task)(**_options(data), n_jobs=threads)
        return model.fit(data.X, data.y) if hasattr(data, "y") else model.fit(data.X)

    return fitted_or_not(fit, _ask)


def _class(home, task):
    import importlib

    module = importlib.import_module(f"{home}.neighbors") if isinstance(home, str) else home
    names = {"classifier": "KNeighborsClassifier", "regressor": "KNeighborsRegressor"}
    return getattr(module, names.get(task, "NearestNeighbors"))


def _options(data):
    options = {"metric": data.metric}
    options |= {"p": P} if data.metric == "minkowski" else {}
    return options | ({"radius": data.radius} if data.task == "radius" else {"n_neighbors": data.k})


def _ask(model, data):
    if data.task == "kneighbors":
        return model.kneighbors(data.Q)
    if data.task == "radius":
        return model.radius_neighbors(data.Q)
    return model.predict(data.Q)


def _searches(shape, with_faiss, with_scipy):
    """faiss and SciPy where they answer the question."""
    if shape["metric"] == "euclidean" and shape["dtype"] == "float32":
        yield theirs("faiss", peers.FAISS, with_faiss, _read)
    if shape["metric"] != "cosine" and shape["d"] <= TREE_DIMENSIONS:
        yield theirs("SciPy cKDTree", peers.SCIPY, with_scipy, _read)


def _fit_faiss(data, threads):
    import faiss

    index = faiss.IndexFlatL2(data.X.shape[1])
    index.add(data.X)
    return index


def _ask_faiss(index, data):
    if data.Q is not None:
        squares, indices = index.search(data.Q, data.k)
        return np.sqrt(np.maximum(squares, 0)), indices
    squares, indices = index.search(data.X, data.k + 1)
    return without_self(np.sqrt(np.maximum(squares, 0)), indices)


def _fit_scipy(data, threads):
    from scipy.spatial import cKDTree

    return cKDTree(data.X), threads


def _ask_scipy(fitted, data):
    tree, threads = fitted
    if data.Q is not None:
        found = tree.query(data.Q, k=data.k, p=data.p, workers=threads)
        return tuple(array.reshape(len(data.Q), -1) for array in found)
    return without_self(*tree.query(data.X, k=data.k + 1, p=data.p, workers=threads))


def without_self(distances, indices):
    """Rows of k + 1 without the point itself, or without the last where a copy stands in its place."""
    own = indices == np.arange(len(indices))[:, None]
    own[~own.any(axis=1), -1] = True
    shape = (len(indices), indices.shape[1] - 1)
    return distances[~own].reshape(shape), indices[~own].reshape(shape)


def _read(result, data):
    """Predictions, or sorted distances; of a radius all of them in one row a query."""
    if data.task in ("classifier", "regressor"):
        return np.asarray(result)
    if data.task == "radius":
        return [np.sort(np.asarray(row, np.float64)) for row in result[0]]
    return np.sort(np.asarray(result[0], np.float64), axis=1)


def _compare(a, b, data):
    if data.task in ("classifier", "regressor"):
        close = np.isclose(a, b, rtol=1e-3, atol=1e-3)
        return Comparison(float(1 - close.mean()), max(VOTES_DIFFER, 1.0 / len(close)))
    if data.task == "radius":
        return _compare_radius(a, b)
    return Comparison(_apart(a, b), _tolerance(data))


def _tolerance(data):
    return 3e-5 if data.X.dtype == np.float32 else 1e-9


def _apart(a, b):
    """Of squares, as rounding of a product leaves them, in units of the largest."""
    return float(np.abs(a**2 - b**2).max() / max((b**2).max(), 1e-300))


def _compare_radius(a, b):
    """Nearly all rows hold equally many; a point on the edge is nobody's."""
    counts = np.array([[len(row) for row in rows] for rows in (a, b)])
    off = np.abs(counts[0] - counts[1]).sum() / max(1, counts[1].sum())
    return Comparison(float(off), 2e-3, f"{int(counts[1].sum())} found")


SKLEARN = theirs("scikit-learn", peers.SKLEARN, _prepare("sklearn"), _read)
_faiss = fitted_or_not(_fit_faiss, _ask_faiss)
_scipy = fitted_or_not(_fit_scipy, _ask_scipy)
