"""SpectralClustering of 20 000 points on a graph of 15 neighbors, against scikit-learn's."""

from types import SimpleNamespace

import numpy as np
from scipy import sparse

from likewise.bench import peers
from likewise.bench.workload import Comparison, Contender, Workload, likewise_way

CLUSTERS = 10
EIGEN_TOL = 1e-9  # given to both
RESIDUAL = 1e-6  # what both must have reached, measured


def _swiss_roll(rng, *, n, k):
    from sklearn.datasets import make_swiss_roll

    X, _ = make_swiss_roll(n, random_state=0)
    return SimpleNamespace(X=X, k=k, truth=None)


def _blobs(rng, *, n, k):
    from sklearn.datasets import make_blobs

    X, y = make_blobs(n, n_features=10, centers=CLUSTERS, random_state=0)
    return SimpleNamespace(X=X, k=k, truth=y)


def _prepare(home):
    def prepare(data, threads):
        model = _class(home)(
            n_clusters=CLUSTERS,
            affinity="nearest_neighbors",
            n_neighbors=data.k,
            eigen_tol=EIGEN_TOL,
            random_state=0,
            n_jobs=threads,
        )
        return lambda: model.fit(data.X)

    return prepare


def _class(home):
    if home == "likewise":
        from likewise import SpectralClustering
    else:
        from sklearn.cluster import SpectralClustering
    return SpectralClustering


def _graph(data):
    """The graph that both average from k neighbors, the point itself among them."""
    from sklearn.neighbors import kneighbors_graph

    directed = kneighbors_graph(data.X, data.k, include_self=True)
    return sparse.csr_array((directed + directed.T) / 2)


def _ours(model, data):
    return {"labels": model.labels_, "residual": residual(_graph(data), model.embedding_)}


def _theirs(model, data):
    """scikit-learn does not keep its embedding; the same call gives it again."""
    from sklearn.manifold import spectral_embedding

    graph = _graph(data)
    embedding = spectral_embedding(
        model.affinity_matrix_, n_components=CLUSTERS, eigen_tol=EIGEN_TOL, random_state=0, drop_first=False
    )
    without_loops = sparse.csr_array(graph - sparse.diags_array(graph.diagonal()))
    return {"labels": model.labels_, "residual": residual(without_loops, embedding)}


def residual(graph, embedding):
    """Largest |S u - w u| over the columns: S = D^-1/2 A D^-1/2, u = sqrt(D) embedding of norm 1."""
    root = np.sqrt(graph.sum(axis=1))
    u = embedding * root[:, None]
    u /= np.linalg.norm(u, axis=0)
    moved = (graph @ (u / root[:, None])) / root[:, None]
    return float(np.linalg.norm(moved - u * (u * moved).sum(axis=0), axis=0).max())


def normalized_cut(graph, labels):
    """Sum over the clusters of the weight that leaves it / its volume."""
    members = sparse.csr_array(np.eye(labels.max() + 1)[labels])
    between = (members.T @ graph @ members).toarray()
    volume = between.sum(axis=1)
    return float((1 - np.diag(between) / volume).sum())


def _compare(ours, theirs, data):
    """Clusters may differ where the data do not tell; how well they cut the graph may not."""
    from sklearn.metrics import adjusted_rand_score

    residuals = f"residuals {ours['residual']:.0e} and {theirs['residual']:.0e}"
    rand = adjusted_rand_score(ours["labels"], theirs["labels"])
    detail = f"{residuals}; adjusted Rand index {rand:.3f}"
    if max(ours["residual"], theirs["residual"]) > RESIDUAL:
        return Comparison(np.inf, 0.02, f"{detail}; {RESIDUAL:.0e} is needed of both")
    if data.truth is not None:
        return Comparison(1 - rand, 0.02, detail)
    graph = _graph(data)
    cuts = [normalized_cut(graph, answer["labels"]) for answer in (ours, theirs)]
    return Comparison(
        max(0.0, cuts[0] / cuts[1] - 1), 0.02, f"{detail}; cuts {cuts[0]:.4f} and {cuts[1]:.4f}"
    )


def _workload(name, title, inputs, compared):
    return Workload(
        name=f"spectral-{name}",
        group="spectral",
        title=f"SpectralClustering, 20 000 points, {title}",
        compared=f"{compared}; eigen-residuals at most {RESIDUAL:.0e} in both",
        size={"n": 20_000, "k": 15},
        quick={"n": 2000, "k": 15},
        inputs=inputs,
        contenders=(
            likewise_way(_prepare("likewise"), read=_ours, note=_NOTE),
            Contender("scikit-learn", peers.SKLEARN, _prepare("sklearn"), read=_theirs, note=_NOTE),
        ),
        compare=_compare,
        dtype="float64",
        seconds=60,
    )


_NOTE = f"SpectralClustering(10, affinity='nearest_neighbors', n_neighbors=15, eigen_tol={EIGEN_TOL:g})"
WORKLOADS = (
    _workload("swiss-roll", "swiss roll", _swiss_roll, "how much larger our normalized cut is"),
    _workload("blobs", "10 blobs in 10 d", _blobs, "1 - adjusted Rand index"),
)
