"""Kinds of public bug reports about sparse matrices: no input is changed where it lies, and one that nobody
may write (joblib's memory maps) is as good as any."""

import numpy as np
import pytest
from every import EVERY, LABELS, X
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone

import likewise as lw

N = len(X)
NO_POINTS = np.zeros((N, 1))


def a_graph(symmetric, dtype=np.float64):
    A = sparse.random(N, N, 0.2, random_state=0, format="csr") + sparse.eye(N, format="csr")
    return sparse.csr_matrix(A + A.T if symmetric else A, dtype=dtype)


def untidy(A, kind):
    """The same matrix with its columns in any order, or with an entry in two parts."""
    rng, A = np.random.default_rng(1), A.copy()
    if kind == "tidy":
        return A
    for begin, end in zip(A.indptr, A.indptr[1:]):
        order = begin + rng.permutation(end - begin)
        A.indices[begin:end], A.data[begin:end] = A.indices[order], A.data[order]
    if kind == "in parts":
        data = np.append(A.data, A.data[-1] / 2)
        data[-2] /= 2
        ends = np.append(A.indptr[:-1], A.indptr[-1] + 1)
        A = sparse.csr_matrix((data, np.append(A.indices, A.indices[-1]), ends), A.shape)
    return sparse.csr_matrix((A.data, A.indices, A.indptr), A.shape)  # with no notes of how it is


def own_arrays(A):
    """The three arrays, or those of another form."""
    return [A.data, A.row, A.col] if A.format == "coo" else [A.data, A.indices, A.indptr]


def of_points(model, **params):
    return lambda A: model(kernel=lambda Z, W: A, **params).fit(X, np.where(np.arange(N) % 3, -1, LABELS))


def of_edges(A):
    support = lw.supports.Graph(A, weights="given")
    return lw.Mechanism(kernel="indicator", support=support).operator(NO_POINTS)


def of_nodes(A):
    model = lw.PropagationClassifier(embed_dim=4, max_epochs=2, random_state=0)
    return model.fit(X, LABELS, graph=A).predict_proba(X, graph=A)


def embedded(affinity, **params):
    """Eigenvectors have either sign."""
    return lambda A: np.abs(lw.SpectralEmbedding(2, affinity=affinity, **params).fit(A).embedding_)


def of_new_rows(A):
    model = lw.SpectralClustering(2, affinity="precomputed", random_state=0).fit(a_graph(True))
    return model._extend(model._check_points(A, reset=False)), model.predict(A)


# Everything that takes a sparse matrix.
READERS = {
    "Graph": lambda A: lw.supports.Graph(A, weights="given").edges.toarray(),
    "Graph weighted by a kernel": lambda A: lw.supports.Graph(A).edges.toarray(),
    "Mask": lambda A: lw.supports.Mask(A.astype(bool, copy=False)).edges.toarray(),
    "operator": lambda A: of_edges(A) @ np.arange(float(N)),
    "clusters": lambda A: lw.SpectralClustering(2, affinity="precomputed", random_state=0).fit(A).labels_,
    "affinities": lambda A: (
        lw.SpectralClustering(2, affinity="precomputed", random_state=0).fit(A).affinity_matrix_.toarray()
    ),
    "new rows": of_new_rows,
    "embedding": embedded("precomputed"),
    "embedding with loops": embedded("precomputed", self_loops=True),
    "embedding under density": embedded("precomputed", normalization="density"),
    "clusters of distances": lambda A: (
        lw.SpectralClustering(2, affinity="precomputed_nearest_neighbors", n_neighbors=2, random_state=0)
        .fit(A)
        .affinity_matrix_.toarray()
    ),
    "embedding of distances": embedded("precomputed_nearest_neighbors", n_neighbors=2),
    "affinity of a function": lambda A: np.abs(
        lw.SpectralEmbedding(2, affinity=lambda Z: A).fit(X).embedding_
    ),
    "LabelPropagation": lambda A: of_points(lw.LabelPropagation)(A).label_distributions_,
    "LabelSpreading": lambda A: of_points(lw.LabelSpreading)(A).label_distributions_,
    "LabelSpreading, new points": lambda A: of_points(lw.LabelSpreading)(A).predict_proba(X),
    "PropagationClassifier": of_nodes,
}


@pytest.mark.filterwarnings("ignore:X is a directed graph")
@pytest.mark.filterwarnings("ignore:.* points have no neighbor")
@pytest.mark.filterwarnings("ignore:.*are in components without a label")
@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "directed"])
@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
@pytest.mark.parametrize("reader", READERS)
def test_no_sparse_input_is_changed_and_none_needs_to_be_written(reader, form, symmetric, dtype):
    """Kind: SciPy's abs, max and comparisons tidy a CSR matrix where it lies, which may be read-only."""
    read = READERS[reader]
    wanted = read(a_graph(symmetric, dtype).asformat(form))
    for kind in ("tidy", "shuffled", "in parts"):
        for may_be_written in (True, False):
            A = untidy(a_graph(symmetric, dtype).asformat("csr"), kind)
            A = A if form == "csr" else A.asformat(form)
            arrays, before = own_arrays(A), [part.copy() for part in own_arrays(A)]
            for part in arrays:
                part.flags.writeable = may_be_written
            found = read(A)
            for now, then, told in zip(arrays, before, own_arrays(A)):
                assert_array_equal(now, then, err_msg=kind)
                assert now is told
            for one, other in zip(*((x if isinstance(x, tuple) else (x,)) for x in (found, wanted))):
                assert_allclose(one, other, rtol=1e-6, atol=1e-9 if dtype == np.float64 else 1e-4)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", EVERY)
def test_dense_inputs_may_be_read_only(name):
    """Kind: the same of dense points and targets: joblib maps large ones into read-only memory."""
    entry = EVERY[name]
    given = [np.array(part) for part in (X, entry.y) if part is not None]
    for part in given:
        part.flags.writeable = False
    model = clone(entry.estimator)
    model = model.fit(*given, context=entry.context) if entry.context else model.fit(*given)
    for method in ("predict", "transform", "score_samples", "kneighbors"):
        if hasattr(model, method):
            getattr(model, method)(given[0])
