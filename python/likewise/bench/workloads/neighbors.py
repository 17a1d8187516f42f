"""The 15 nearest other points of every point, exactly, against faiss, SciPy and scikit-learn."""

from types import SimpleNamespace

import numpy as np

import likewise as lw
from likewise.bench import peers
from likewise.bench.workload import Comparison, Contender, Workload, likewise_way, spaced

K = 15
SAME_INDICES = 0.999  # share; the rest are ties within rounding


def _inputs(rng, *, n, d, k):
    """X (n, d) from the normal law, in both dtypes."""
    X = rng.standard_normal((n, d)).astype(np.float32)
    return SimpleNamespace(X=X, X64=X.astype(np.float64), k=k)


def _ours(points):
    def prepare(data, threads):
        X = points(data)

        def run():
            with lw.execution(n_jobs=threads):
                return lw.kneighbors(X, n_neighbors=data.k)

        return run

    return prepare


def _faiss(data, threads):
    import faiss

    def run():
        index = faiss.IndexFlatL2(data.X.shape[1])
        index.add(data.X)
        return index.search(data.X, data.k + 1)  # it finds the point itself

    return run


def _of_faiss(result, data):
    squares, indices = _without_self(*result, data)
    return np.sqrt(np.maximum(squares, 0)), indices


def _without_self(distances, indices, data):
    """Rows of k + 1 without the point itself, or without the last where rounding has lost it."""
    own = indices == np.arange(len(indices))[:, None]
    own[~own.any(axis=1), -1] = True
    shape = (len(indices), data.k)
    return distances[~own].reshape(shape), indices[~own].reshape(shape)


def _scipy(data, threads):
    from scipy.spatial import cKDTree

    return lambda: cKDTree(data.X64).query(data.X64, k=data.k + 1, workers=threads)


def _scikit_learn(data, threads):
    from sklearn.neighbors import NearestNeighbors

    def run():
        search = NearestNeighbors(n_neighbors=data.k, algorithm="brute", n_jobs=threads)
        return search.fit(data.X).kneighbors()

    return run


def _scikit_learn_tree(data, threads):
    from sklearn.neighbors import NearestNeighbors

    def run():
        search = NearestNeighbors(n_neighbors=data.k, algorithm="kd_tree", n_jobs=threads)
        return search.fit(data.X64).kneighbors()

    return run


def _compare(ours, theirs, data):
    """Distances relative to their median; and nearly all indices must be the same."""
    (distances, indices), (their_distances, their_indices) = ours, theirs
    same = float((np.sort(indices, axis=1) == np.sort(their_indices, axis=1)).mean())
    difference = float(np.abs(distances - their_distances).max() / np.median(distances))
    return Comparison(
        difference if same >= SAME_INDICES else np.inf,
        1e-3,
        f"{100 * same:.2f} % of the indices are the same",
    )


OURS_32 = likewise_way(_ours(lambda data: data.X), note="kneighbors(X), algorithm chosen by itself")
OURS_64 = likewise_way(
    _ours(lambda data: data.X64), "likewise float64", against="likewise float64", dtype="float64"
)
FAISS = Contender(
    "faiss",
    peers.FAISS,
    _faiss,
    read=_of_faiss,
    note="IndexFlatL2: add and search k + 1, the point among them",
)
SKLEARN = Contender(
    "scikit-learn", peers.SKLEARN, _scikit_learn, note="NearestNeighbors(algorithm='brute').kneighbors()"
)
IN_64 = {"against": "likewise float64", "dtype": "float64"}
TREE = Contender(
    "SciPy cKDTree",
    peers.SCIPY,
    _scipy,
    read=lambda result, data: _without_self(*result, data),
    note="build and query k + 1, the point among them; it is float64 only, so ours is too",
    **IN_64,
)
SKLEARN_TREE = Contender(
    "scikit-learn k-d tree",
    peers.SKLEARN,
    _scikit_learn_tree,
    note="NearestNeighbors(algorithm='kd_tree').kneighbors(), float64 as in SciPy",
    **IN_64,
)


def _workload(n, d, contenders, seconds):
    return Workload(
        name=f"neighbors-n{n}-d{d}",
        group="neighbors",
        title=f"{K} neighbors, n = {spaced(n)}, d = {d}",
        compared="distances, largest difference / median distance; and the indices",
        size={"n": n, "d": d, "k": K},
        quick={"n": min(n // 10, 4000), "d": d, "k": K},
        inputs=_inputs,
        contenders=contenders,
        compare=_compare,
        streamed=True,
        seconds=seconds,
    )


WORKLOADS = (
    _workload(20_000, 64, (OURS_32, FAISS, SKLEARN), 40),
    _workload(20_000, 10, (OURS_32, OURS_64, FAISS, SKLEARN, TREE, SKLEARN_TREE), 60),
    _workload(100_000, 3, (OURS_64, TREE, SKLEARN_TREE), 25),
)

GROWTH = Workload(
    name="growth-neighbors",
    group="growth",
    title=f"{K} neighbors, d = 10, growing n",
    compared=WORKLOADS[0].compared,
    size={"d": 10, "k": K},
    quick={"d": 10, "k": K},
    inputs=_inputs,
    contenders=(OURS_32, OURS_64, FAISS, SKLEARN, TREE),
    compare=_compare,
    sizes=(1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000),
    quick_sizes=(500, 2000),
    streamed=True,
    seconds=200,
)
