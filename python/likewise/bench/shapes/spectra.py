"""Eigenvectors: clustering and embedding of points, of given graphs of many families, diffusion maps."""

from types import SimpleNamespace

import numpy as np
from scipy import sparse

import likewise as lw
from likewise.bench import peers
from likewise.bench.shapes import draw
from likewise.bench.shapes._kind import ours, theirs, workload
from likewise.bench.workload import Comparison

TASKS = {"clustering": 3, "embedding": 2, "graph": 4, "diffusion": 1}
SPREADING = ("random", "barbell")  # their factorization fills: scikit-learn needs minutes for many nodes
GRAPHS = ("ring", "line", "grid", "tree", "star", "small world", *SPREADING)
LARGER = 0.02  # how much larger our cut or sum of eigenvalues may be


def draw_shape(rng):
    """Points on manifolds and in clusters, or a graph of a family."""
    return draw.within(rng, _shape, _affordable)


def workload_of(shape):
    """The workload of a shape."""
    task = _TASKS[shape["task"]]
    peer = peers.PYDIFFMAP if shape["task"] == "diffusion" else peers.SKLEARN
    name = "pyDiffMap" if shape["task"] == "diffusion" else "scikit-learn"
    contenders = [ours(task.ours, task.read), theirs(name, peer, task.theirs, task.read_theirs)]
    return workload("spectra", shape, task.inputs, contenders, task.compare, task.compared)


def _shape(rng):
    task = draw.one_of(rng, TASKS)
    shape = {"task": task}
    if task == "graph":
        family = draw.one_of(rng, GRAPHS)
        most = 1500 if family in SPREADING else 60_000
        shape |= {"family": family, "n": draw.log_uniform(rng, 30, most)}
    else:
        affinity = (
            "nearest_neighbors" if task == "diffusion" else draw.one_of(rng, ("nearest_neighbors", "rbf"))
        )
        most = 2500 if affinity == "rbf" else 20_000
        families = {"curve": 2, "clusters": 2, "uniform": 1, "noise": 1}
        shape |= {
            "affinity": affinity,
            "family": draw.one_of(rng, families),
            "n": draw.log_uniform(rng, 60, most),
            "d": draw.log_uniform(rng, 1, 100),
            "k": draw.log_uniform(rng, 5, 40),
        }
    most = 3 if task == "diffusion" else 20
    return {**shape, "components": draw.log_uniform(rng, 2, most), "seed": int(rng.integers(2**31))}


def _affordable(shape):
    """scikit-learn factorizes the graph: beyond two dimensions that fills, and takes minutes."""
    if shape["task"] == "graph" or shape["family"] == "curve" or shape["d"] <= 2:
        return True
    return shape["n"] <= (6000 if shape["d"] == 3 else 2500)


# --- points -------------------------------------------------------------------------------------------------


def _points(rng, shape):
    X = draw.points(rng, shape["family"], shape["n"], shape["d"])
    scale = float(np.sqrt(2 * X.var(axis=0).sum()))
    options = {"affinity": shape["affinity"], "random_state": 0}
    options |= {"n_neighbors": shape["k"]} if shape["affinity"] != "rbf" else {"gamma": 8 / scale**2}
    return SimpleNamespace(X=X, options=options, components=shape["components"], k=shape["k"], scale=scale)


def graph_of(data):
    """The affinities that both mean, without loops."""
    from sklearn.metrics.pairwise import rbf_kernel
    from sklearn.neighbors import kneighbors_graph

    if getattr(data, "graph", None) is not None:
        return data.graph
    if data.options["affinity"] == "rbf":
        graph = sparse.csr_array(rbf_kernel(data.X, gamma=data.options["gamma"]))
    else:
        directed = kneighbors_graph(data.X, data.options["n_neighbors"], include_self=True)
        graph = sparse.csr_array((directed + directed.T) / 2)
    return sparse.csr_array(graph - sparse.diags_array(graph.diagonal()))


def _clustering(home):
    def prepare(data, threads):
        model = _class(home, "SpectralClustering")(data.components, **data.options, n_jobs=threads)
        return lambda: model.fit(data.X)

    return prepare


def _embedding(home):
    def prepare(data, threads):
        given = data.X if getattr(data, "graph", None) is None else data.graph
        model = _class(home, "SpectralEmbedding")(data.components, **data.options, n_jobs=threads)
        return lambda: model.fit(given)

    return prepare


def _class(home, name):
    if home == "likewise":
        return getattr(lw, name)
    from sklearn import cluster, manifold

    return getattr(cluster if name == "SpectralClustering" else manifold, name)


def _compare_cuts(a, b, data):
    """Clusters may differ where the data do not tell; how well they cut the graph may not."""
    from likewise.bench.workloads.spectral import normalized_cut

    cuts = [normalized_cut(graph_of(data), np.unique(labels, return_inverse=True)[1]) for labels in (a, b)]
    short = [data.components - len(np.unique(labels)) for labels in (a, b)]
    worse = cuts[0] - cuts[1] if short[0] <= short[1] else np.inf
    return Comparison(max(0.0, worse / data.components), LARGER, f"cuts {cuts[0]:.4f} and {cuts[1]:.4f}")


def _compare_embeddings(a, b, data):
    """The sum of Rayleigh quotients of the Laplacian: the true eigenvectors have the least."""
    graph = graph_of(data)
    sums = [rayleigh_sum(graph, embedding) for embedding in (a, b)]
    return Comparison(
        max(0.0, (sums[0] - sums[1]) / data.components), 1e-4, f"sums {sums[0]:.6f} and {sums[1]:.6f}"
    )


def rayleigh_sum(graph, embedding):
    """Sum of eigenvalues of I - S on the span of 1 and the embedding's columns, in the degrees' metric."""
    degrees = np.asarray(graph.sum(axis=1)).ravel()
    root = np.sqrt(np.maximum(degrees, 1e-300))
    basis, _ = np.linalg.qr(np.c_[root, embedding * root[:, None]])
    moved = (graph @ (basis / root[:, None])) / root[:, None]
    return float(basis.shape[1] - np.trace(basis.T @ moved))


# --- graphs -------------------------------------------------------------------------------------------------


def _graph(rng, shape):
    n = shape["n"]
    edges = np.asarray(_EDGES[shape["family"]](rng, n))
    rows, columns = edges[edges[:, 0] != edges[:, 1]].T
    n = int(max(rows.max(), columns.max())) + 1
    graph = sparse.coo_array((np.ones(len(rows)), (rows, columns)), shape=(n, n)).tocsr()
    graph = sparse.csr_array(((graph + graph.T) > 0).astype(float))
    graph.indices, graph.indptr = (part.astype(np.int32) for part in (graph.indices, graph.indptr))
    options = {"affinity": "precomputed", "random_state": 0}
    return SimpleNamespace(graph=graph, options=options, components=min(shape["components"], n // 4))


def _ring(rng, n):
    return np.c_[np.arange(n), (np.arange(n) + 1) % n]


def _grid(rng, n):
    side = max(2, int(np.sqrt(n)))
    at = np.arange(side * side).reshape(side, side)
    return np.r_[np.c_[at[:, :-1].ravel(), at[:, 1:].ravel()], np.c_[at[:-1].ravel(), at[1:].ravel()]]


def _small_world(rng, n):
    base = np.r_[_ring(rng, n), np.c_[np.arange(n), (np.arange(n) + 2) % n]]
    moved = rng.uniform(size=len(base)) < 0.02
    base[moved, 1] = rng.integers(n, size=moved.sum())
    return base


def _random(rng, n):
    """About ten edges a node, and a path so that it is connected."""
    return np.r_[_ring(rng, n), rng.integers(n, size=(4 * n, 2))]


def _barbell(rng, n):
    """Two cliques and a path between."""
    size = max(3, min(n // 3, 120))
    clique = np.argwhere(np.triu(np.ones((size, size)), 1))
    path = np.arange(size - 1, n - size + 1)
    return np.r_[clique, clique + n - size, np.c_[path[:-1], path[1:]]]


_EDGES = {
    "ring": _ring,
    "line": lambda rng, n: _ring(rng, n)[:-1],
    "grid": _grid,
    "tree": lambda rng, n: np.c_[np.arange(1, n), (np.arange(1, n) - 1) // 2],
    "star": lambda rng, n: np.c_[np.zeros(n - 1, int), np.arange(1, n)],
    "small world": _small_world,
    "random": _random,
    "barbell": _barbell,
}


# --- diffusion maps -----------------------------------------------------------------------------------------


def _diffusion(data, threads):
    support = lw.supports.Neighbors(_kept(data), symmetrize="union", include_self=True)
    length = data.scale / 4
    model = lw.DiffusionMaps(data.components, bandwidth=length, support=support, n_jobs=threads)
    return lambda: model.fit(data.X)


def _diffusion_theirs(data, threads):
    """Its kernel is exp(-d^2 / (4 epsilon)), ours exp(-d^2 / (2 h^2))."""
    from pydiffmap.diffusion_map import DiffusionMap

    length, options = data.scale / 4, {"n_jobs": threads}
    return lambda: DiffusionMap.from_sklearn(
        n_evecs=data.components, k=_kept(data), epsilon=length**2 / 2, alpha=1.0, neighbor_params=options
    ).fit(data.X)


def _kept(data):
    return min(data.k, len(data.X) - 1)


def _compare_eigenvalues(a, b, data):
    """Coordinates may turn among equal eigenvalues; the eigenvalues may not differ."""
    return Comparison(float(np.abs(np.asarray(a) - np.asarray(b)).max()), 1e-4)


def _their_eigenvalues(model, data):
    """pyDiffMap keeps those of (P - 1) / epsilon."""
    return np.sort(1 + np.asarray(model.evals).ravel() * (data.scale / 4) ** 2 / 2)[::-1]


def _labels(model, data):
    return model.labels_


def _coordinates(model, data):
    return model.embedding_


def _eigenvalues(model, data):
    return np.sort(np.asarray(model.eigenvalues_))[::-1]


_TASKS = {
    "clustering": SimpleNamespace(
        inputs=_points, ours=_clustering("likewise"), theirs=_clustering("sklearn"), read=_labels,
        read_theirs=_labels, compare=_compare_cuts, compared="how much larger our normalized cut is",
    ),
    "embedding": SimpleNamespace(
        inputs=_points, ours=_embedding("likewise"), theirs=_embedding("sklearn"), read=_coordinates,
        read_theirs=_coordinates, compare=_compare_embeddings, compared="how much larger our eigenvalues are",
    ),
    "graph": SimpleNamespace(
        inputs=_graph, ours=_embedding("likewise"), theirs=_embedding("sklearn"), read=_coordinates,
        read_theirs=_coordinates, compare=_compare_embeddings, compared="how much larger our eigenvalues are",
    ),
    "diffusion": SimpleNamespace(
        inputs=_points, ours=_diffusion, theirs=_diffusion_theirs, read=_eigenvalues,
        read_theirs=_their_eigenvalues, compare=_compare_eigenvalues, compared="eigenvalues",
    ),
}  # fmt: skip
