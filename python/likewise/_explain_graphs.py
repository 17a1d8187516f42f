"""Estimators of scikit-learn that repeat steps or look at spectra: graphs, labels, modes."""

from functools import partial

import numpy as np
import scipy.sparse as sp

from likewise import kernels, normalizations, propagations, supports
from likewise._explain_peers import dense, gaussian, name_of, values_of
from likewise._explanation import Explanation, Step
from likewise._mechanism import Mechanism

# --- spectra ------------------------------------------------------------------------------------------------


def _spectral(model):
    """The affinity graph; a spectral embedding drops self-loops and takes gamma = 1 / n_features for None."""
    kernel, support = _affinity(model)
    mechanism = Mechanism(
        metric="euclidean",
        kernel=kernel,
        support=support,
        normalization=normalizations.Symmetric(),
        propagation=propagations.Spectrum(_n_pairs(model)),
    )
    note = "scikit-learn leaves out self-loops before normalizing; of equal eigenvalues it has any vectors"
    if model.eigen_solver not in (None, "arpack") or model.eigen_tol != "auto":
        note += (
            f"; its solver ({model.eigen_solver or 'arpack'}, eigen_tol={model.eigen_tol!r}) stops earlier"
        )
    if not hasattr(model, "affinity_matrix_"):
        return Explanation(mechanism, "none", note, _unfitted=name_of(model))
    made = partial(_affinity_matrix, model, mechanism)
    outputs = {"embedding_": partial(_embedding, model, made), "affinity_matrix_": made}
    if hasattr(model, "labels_"):
        outputs = {"labels_": partial(_labels, model, made), "affinity_matrix_": made}
        note += "; labels are k-means of the eigenvectors, each divided by the root of the row sums"
    return Explanation(mechanism, "none", note, outputs=outputs)


def _affinity(model):
    """Kernel and support of the graph before scaling; of a fitted one whose affinity is given, its matrix."""
    if model.affinity == "nearest_neighbors":
        k = getattr(model, "n_neighbors_", model.n_neighbors)
        if k is None:
            raise ValueError("n_neighbors of an unfitted SpectralEmbedding is open; fit it or give a number.")
        return kernels.Indicator(), supports.Neighbors(k, symmetrize="average", include_self=True)
    if model.affinity == "rbf":
        gamma = getattr(model, "gamma_", model.gamma)
        if gamma is None:
            raise ValueError("gamma of an unfitted SpectralEmbedding is open; fit it or give a number.")
        return gaussian(gamma), supports.AllPairs()
    if hasattr(model, "affinity_matrix_"):
        edges = sp.csr_matrix(model.affinity_matrix_, dtype=np.float64)
        return kernels.Indicator(), supports.Graph(edges, weights="given")
    raise ValueError(
        f"affinity must be 'rbf' or 'nearest_neighbors' to have a counterpart; got {model.affinity!r}. "
        "A given affinity matrix is support=Graph(A, weights='given'), as which a fitted one is explained."
    )


def _n_pairs(model):
    """Eigenvectors that it looks at; a spectral embedding leaves out the constant one."""
    if not hasattr(model, "n_clusters"):
        return model.n_components + 1
    return model.n_clusters if model.n_components is None else model.n_components


def _affinity_matrix(model, mechanism, X):
    """The graph of the points that the model was fitted to, CSR; X is not looked at where it was given."""
    m = mechanism.replace(normalization="none", propagation="one_step")
    points = np.zeros((model.affinity_matrix_.shape[0], 1)) if _is_given(mechanism) else dense(X)
    return m.operator(points).tocsr()


def _is_given(mechanism):
    return isinstance(mechanism.support, supports.Graph)


def _eigenvectors(model, made, X):
    """Eigenvectors over the roots of row sums, with scikit-learn's signs: (n, n_pairs)."""
    A = made(X)
    edges = sp.csr_matrix(A - sp.diags(A.diagonal()))
    edges.eliminate_zeros()
    graph = supports.Graph(edges, weights="given")
    m = Mechanism(kernel="indicator", support=graph, normalization="symmetric")
    P = m.operator(np.zeros((A.shape[0], 1)))
    _, v = P.eigsh(min(_n_pairs(model), A.shape[0]), tol=1e-12)
    roots = np.sqrt(np.asarray(edges.sum(axis=1)).ravel())
    maps = v / np.where(roots > 0, roots, 1)[:, None]
    largest = maps[np.abs(maps).argmax(axis=0), np.arange(maps.shape[1])]
    return maps * np.sign(largest)


def _embedding(model, made, X):
    return _eigenvectors(model, made, X)[:, 1:]


def _labels(model, made, X):
    """The labels that scikit-learn's own assignment makes of our eigenvectors, from the same random state."""
    from sklearn.cluster import k_means
    from sklearn.cluster._spectral import cluster_qr, discretize

    maps = _eigenvectors(model, made, X)
    if model.assign_labels == "cluster_qr":
        return cluster_qr(maps)
    if not isinstance(model.random_state, (int, np.integer)) or model.eigen_solver not in (None, "arpack"):
        raise ValueError(
            "random_state must be an int, and eigen_solver None or 'arpack', for labels to be the same: "
            f"they start at random; got {model.random_state!r} and {model.eigen_solver!r}."
        )
    random = np.random.RandomState(model.random_state)
    random.uniform(-1, 1, len(maps))  # what ARPACK started with
    if model.assign_labels == "discretize":
        return discretize(maps, random_state=random)
    return k_means(maps, model.n_clusters, random_state=random, n_init=model.n_init)[1]


# --- labels -------------------------------------------------------------------------------------------------


def _label_graph(model):
    """kernel and support of label propagation: k counts the point itself, and edges keep their direction."""
    if model.kernel == "rbf":
        return gaussian(model.gamma), supports.AllPairs()
    if model.kernel == "knn":
        support = supports.Neighbors(model.n_neighbors, symmetrize="none", include_self=True)
        return kernels.Indicator(), support
    raise ValueError("kernel must be 'rbf' or 'knn' to have a counterpart; got a function.")


def _label_propagation(model):
    kernel, support = _label_graph(model)
    clamped = propagations.Equilibrium()
    mechanism = Mechanism(metric="euclidean", kernel=kernel, support=support, propagation=clamped)
    return _of_labels(model, mechanism, "")


def _label_spreading(model):
    kernel, support = _label_graph(model)
    mechanism = Mechanism(
        metric="euclidean",
        kernel=kernel,
        support=support & supports.LeaveOneOut(),
        normalization=normalizations.Symmetric(),
        propagation=propagations.Equilibrium(model.alpha),
    )
    directed = "the graph is directed: scikit-learn divides it by the roots of its column sums on both sides"
    return _of_labels(model, mechanism, directed if model.kernel == "knn" else "")


def _of_labels(model, mechanism, note):
    if not hasattr(model, "label_distributions_"):
        return Explanation(mechanism, values_of(model), note, _unfitted=name_of(model))
    kernel, support = _label_graph(model)
    if isinstance(support, supports.Neighbors):
        support = supports.Neighbors(model.n_neighbors, symmetrize="none")
    new = Mechanism(metric="euclidean", kernel=kernel, support=support)
    step = Step(new, dense(model.X_), model.label_distributions_)
    stopped = f"scikit-learn stops after {model.n_iter_} steps, before the equilibrium; so does reproduce"
    outputs = {
        "predict_proba": partial(_distributions_of_new, step),
        "predict": partial(_labels_of_new, model, step),
        "label_distributions_": partial(_distributions, model, mechanism),
    }
    note = f"{note}; {stopped}" if note else stopped
    return Explanation(mechanism, values_of(model), note, outputs=outputs)


def _distributions_of_new(step, X):
    """Kernel regression of the training points' distributions, rows divided by their sums."""
    return _by_sums(step(X))


def _labels_of_new(model, step, X):
    return model.classes_[_by_sums(step(X)).argmax(axis=1)]


def _by_sums(F):
    with np.errstate(invalid="ignore", divide="ignore"):
        return F / F.sum(axis=1, keepdims=True)


def _distributions(model, mechanism, y):
    """The fit's own n_iter_ steps from its labels y (n,), -1 where there is none; rows sum to 1."""
    y, keys = np.asarray(y), dense(model.X_)
    labeled, Y = (y != -1)[:, None], (y[:, None] == model.classes_).astype(np.float64)
    F, step = Y, _label_step(model, mechanism, keys)
    for _ in range(model.n_iter_):
        if mechanism.propagation.alpha is None:
            F = np.where(labeled, Y, _by_sums_or_0(step(F)))
        else:
            F = model.alpha * step(F) + (1 - model.alpha) * Y
    return _by_sums_or_0(F)


def _label_step(model, mechanism, keys):
    """F -> P F; of label spreading S F, with the sums that scikit-learn divides by."""
    m = mechanism.replace(propagation="one_step")
    if mechanism.propagation.alpha is None:
        P = m.operator(keys)
        return lambda F: P @ F
    kernel, support = _label_graph(model)
    A = m.replace(kernel=kernel, support=support, normalization="none").operator(keys).tocsr()
    A = sp.csr_matrix(A - sp.diags(A.diagonal()))
    roots = np.sqrt(np.asarray(A.sum(axis=0)).reshape(-1, 1))
    roots[roots == 0] = 1
    return lambda F: (A @ (F / roots)) / roots


def _by_sums_or_0(F):
    sums = F.sum(axis=1, keepdims=True)
    return F / np.where(sums == 0, 1, sums)


# --- modes --------------------------------------------------------------------------------------------------


def _mean_shift(model):
    bandwidth = model.bandwidth
    note = (
        ""
        if bandwidth is not None
        else "the bandwidth is open until sklearn.cluster.estimate_bandwidth finds it"
    )
    kernel = kernels.Indicator() if bandwidth is None else kernels.Indicator(bandwidth=float(bandwidth))
    climb = propagations.Steps(moving="points", tol=1e-3, max_iter=model.max_iter)
    mechanism = Mechanism(metric="euclidean", kernel=kernel, propagation=climb)
    about = partial(Explanation, mechanism, values_of(model), note)
    if not hasattr(model, "cluster_centers_"):
        return about(_unfitted=name_of(model))
    outputs = {
        "cluster_centers_": partial(_centers, model, mechanism),
        "labels_": partial(_climbed_labels, model, mechanism),
        "predict": partial(_nearest_center, model.cluster_centers_),
    }
    return about(outputs=outputs)


def _bandwidth(mechanism, X):
    import likewise as lw

    h = mechanism.kernel.bandwidth
    return lw.estimate_bandwidth(X) if h is None else h


def _centers(model, mechanism, X):
    """Where the points X that the model was fitted to climb; of ends within a bandwidth the densest."""
    from sklearn.cluster import get_bin_seeds

    X = np.asarray(X, np.float64)
    h = _bandwidth(mechanism, X)
    seeds = X if model.seeds is None else np.asarray(model.seeds, np.float64)
    if model.seeds is None and model.bin_seeding:
        seeds = get_bin_seeds(X, h, model.min_bin_freq)
    ends, counts = _climb(mechanism.replace(kernel=kernels.Indicator(h)), X, np.array(seeds, np.float64), h)
    order = sorted(np.flatnonzero(counts), key=lambda i: (counts[i], tuple(ends[i])), reverse=True)
    ends, kept = ends[order], []
    alive = np.ones(len(ends), bool)
    for i in range(len(ends)):
        if alive[i]:
            kept.append(i)
            alive &= np.linalg.norm(ends - ends[i], axis=1) > h
    return ends[kept]


def _climb(mechanism, X, ends, h):
    """Each seed by itself until a step is at most 0.001 h; how many points its last step saw."""
    m, counts = mechanism.replace(propagation="one_step"), np.zeros(len(ends))
    moving = np.arange(len(ends))
    for _ in range(mechanism.propagation.max_iter + 1):
        if not len(moving):
            break
        P = m.operator(ends[moving], X)
        counts[moving] = np.rint(np.exp(P.log_row_sums))
        seen = counts[moving] > 0
        moved = np.where(seen[:, None], P @ X, ends[moving])
        still = np.linalg.norm(moved - ends[moving], axis=1) <= mechanism.propagation.tol * h
        ends[moving], moving = moved, moving[~still & seen]
    return ends, counts


def _nearest_center(centers, X):
    one = Mechanism(metric="euclidean", kernel="indicator", support=supports.Neighbors(1))
    found = one.operator(np.asarray(X, np.float64), np.asarray(centers, np.float64)) @ np.arange(len(centers))
    return np.rint(found).astype(int)


def _climbed_labels(model, mechanism, X):
    centers = _centers(model, mechanism, X)
    labels = _nearest_center(centers, X)
    if not model.cluster_all:
        far = np.linalg.norm(np.asarray(X) - centers[labels], axis=1)
        labels[far > _bandwidth(mechanism, np.asarray(X, np.float64))] = -1
    return labels


PEERS = {
    "SpectralClustering": _spectral,
    "SpectralEmbedding": _spectral,
    "LabelPropagation": _label_propagation,
    "LabelSpreading": _label_spreading,
    "MeanShift": _mean_shift,
}
