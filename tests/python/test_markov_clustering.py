"""MarkovClustering against van Dongen's loop on dense matrices, and inflation against NumPy."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

import likewise as lw
from likewise import datasets


def dense_loop(A, inflation=2.0, expansion=2, steps=100):
    """Columns of the textbook as rows: loops as strong as the strongest edge, expand, inflate."""
    M = np.array(A, float)
    loops = np.where(np.diag(M) > 0, 0, M.max(1))
    M[np.diag_indices(len(M))] += np.where(M.max(1) > 0, loops, 1)
    M /= M.sum(1, keepdims=True)
    for _ in range(steps):
        M = np.linalg.matrix_power(M, expansion) ** inflation
        M /= M.sum(1, keepdims=True)
    return M


def random_graph(n, share, seed, weighted):
    rng = np.random.default_rng(seed)
    A = np.triu((rng.random((n, n)) < share) * (rng.random((n, n)) if weighted else 1.0), 1)
    return A + A.T


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("inflation", "expansion"), [(2.0, 2), (1.4, 2), (3.0, 3)])
def test_it_is_the_dense_loop(seed, inflation, expansion):
    """Step by step: near the end entries that should be equal are not to the last bit, and one grows."""
    A = random_graph(24, 0.15, seed, weighted=seed % 2)
    for steps in (1, 3, 6):
        with pytest.warns(UserWarning, match="without convergence"):
            model = lw.MarkovClustering(
                inflation, expansion=expansion, affinity="precomputed", prune=0.0, max_iter=steps, tol=0.0
            ).fit(sparse.csr_matrix(A))
        assert_allclose(model.flow_.toarray(), dense_loop(A, inflation, expansion, steps), atol=1e-10)
        assert model.pruned_ == 0


def test_clusters_of_graphs_that_say_them():
    A = sparse.block_diag([np.ones((4, 4)), np.ones((3, 3)), np.ones((5, 5))]).tolil()
    A[3, 4] = A[4, 3] = A[6, 7] = A[7, 6] = 0.1
    model = lw.MarkovClustering(affinity="precomputed").fit(A.tocsr())
    assert model.n_clusters_ == 3
    assert (model.labels_ == np.repeat([0, 1, 2], [4, 3, 5])).all()
    assert model.report_.converged and model.pruned_ < 1e-4
    assert_allclose(model.flow_.sum(1), 1)
    assert connected_components(model.flow_, directed=False)[0] == 3


def test_the_karate_club_splits_as_its_history_has_it():
    _, A, faction = datasets.karate_club()
    found = lw.MarkovClustering(1.8, affinity="precomputed").fit(A)
    want = dense_loop(A.toarray(), 1.8)
    _, labels = connected_components(want > 1e-6, directed=False)
    assert adjusted_rand_score(labels, found.labels_) == 1
    assert adjusted_rand_score(faction, found.labels_) > 0.6


def test_points_and_new_points():
    X, y = make_blobs(300, centers=[[0, 0], [6, 0], [0, 6]], random_state=0)
    model = lw.MarkovClustering(1.3, n_neighbors=20).fit(X)
    assert model.n_clusters_ == 3 and adjusted_rand_score(y, model.labels_) > 0.98
    Q, z = make_blobs(90, centers=[[0, 0], [6, 0], [0, 6]], random_state=1)
    first = np.array([y[model.labels_ == c][0] for c in range(3)])
    assert (first[model.predict(Q)] == z).mean() > 0.98
    graph = lw.Mechanism(kernel=lw.kernels.Gaussian(0.7), support=lw.supports.Neighbors(15))
    assert lw.MarkovClustering(1.5, affinity=graph).fit(X).n_clusters_ >= 3
    given = lw.MarkovClustering(affinity="precomputed").fit(random_graph(20, 0.3, 0, True))
    assert given.predict(np.eye(20)).tolist() == given.labels_.tolist()


def test_points_alone_are_clusters():
    A = np.zeros((4, 4))
    A[0, 1] = A[1, 0] = 1
    model = lw.MarkovClustering(affinity="precomputed").fit(A)
    assert model.labels_.tolist() == [0, 0, 1, 2]


def test_pruning_tells_what_it_cost():
    A = random_graph(60, 0.2, 5, True)
    exact = lw.MarkovClustering(1.4, affinity="precomputed", prune=0.0).fit(A)
    pruned = lw.MarkovClustering(1.4, affinity="precomputed", prune=1e-3).fit(A)
    assert 0 < pruned.pruned_ < 0.2 and exact.pruned_ == 0
    assert adjusted_rand_score(exact.labels_, pruned.labels_) > 0.5


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda A: lw.MarkovClustering(1.0, affinity="precomputed").fit(A), "inflation must be"),
        (lambda A: lw.MarkovClustering(expansion=1, affinity="precomputed").fit(A), "expansion must be"),
        (lambda A: lw.MarkovClustering(prune=1.0, affinity="precomputed").fit(A), "prune must be"),
        (lambda A: lw.MarkovClustering(max_iter=0, affinity="precomputed").fit(A), "max_iter must be"),
        (lambda A: lw.MarkovClustering(affinity="precomputed").fit(-A), "weights >= 0"),
        (lambda A: lw.MarkovClustering(affinity="flow").fit(A), "affinity must be"),
    ],
)
def test_messages(make, words):
    with pytest.raises(ValueError, match=words):
        make(random_graph(12, 0.4, 1, False))


# --- inflation of any operator


@pytest.mark.parametrize("storage", ["streamed", "dense", "sparse"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inflation_is_a_power_of_each_entry(storage, dtype):
    X = np.random.default_rng(0).normal(size=(30, 3)).astype(dtype)
    P = lw.Mechanism(kernel=lw.kernels.Gaussian(0.8)).operator(X, storage=storage)
    for r in (0.5, 1.0, 2.0, 7.5):
        want = P.toarray().astype(float) ** r
        want /= want.sum(1, keepdims=True)
        Q = P.inflate(r)
        assert Q.shape == (30, 30) and Q.dtype == dtype
        assert_allclose(Q.toarray(), want, atol=1e-13 if dtype == np.float64 else 1e-6)
        assert_allclose(Q @ X, want @ X, atol=1e-12 if dtype == np.float64 else 1e-5)
        assert_allclose(Q.T @ X, want.T @ X, atol=1e-12 if dtype == np.float64 else 1e-5)
    assert_allclose(pickle.loads(pickle.dumps(Q)).toarray(), Q.toarray())


def test_a_step_of_markov_clustering_is_a_line():
    X = np.random.default_rng(1).normal(size=(12, 2))
    P = lw.Mechanism(kernel=lw.kernels.Gaussian(0.5)).operator(X)
    squared = P.toarray() @ P.toarray()
    want = squared**2 / (squared**2).sum(1, keepdims=True)
    assert_allclose(P.power(2).inflate(2).toarray(), want, atol=1e-12)


def test_no_power_underflows_and_rows_of_zeros_stay():
    A = sparse.csr_matrix(np.array([[1e-200, 3e-200, 0], [0, 0, 0], [1, 0, 1.0]]))
    support = lw.supports.Graph(A, weights="given")
    P = lw.Mechanism(kernel="indicator", support=support, normalization="none").operator(np.zeros((3, 1)))
    assert_allclose(P.inflate(3).toarray(), [[1 / 28, 27 / 28, 0], [0, 0, 0], [0.5, 0, 0.5]])
    across = lw.Mechanism().operator(np.ones((2, 1)), np.arange(5.0)[:, None])
    assert across.inflate(2).shape == (2, 5)
    for wrong, error in ((0.0, ValueError), (np.nan, ValueError), ("2", TypeError)):
        with pytest.raises(error, match="r must be"):
            P.inflate(wrong)
