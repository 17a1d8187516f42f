"""SpectralClustering and SpectralEmbedding against scikit-learn and dense NumPy."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import eigh
from sklearn import cluster, datasets, manifold
from sklearn.exceptions import NotFittedError
from sklearn.metrics import adjusted_rand_score as rand
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.neighbors import kneighbors_graph
from sklearn.utils.estimator_checks import parametrize_with_checks

import likewise as lw
from likewise import kernels, metrics, normalizations, propagations, supports

MOONS = datasets.make_moons(240, noise=0.05, random_state=0)
CIRCLES = datasets.make_circles(240, noise=0.03, factor=0.5, random_state=0)
BLOBS = datasets.make_blobs(240, centers=4, cluster_std=0.7, random_state=3)
DIGITS = datasets.load_digits(n_class=5, return_X_y=True)

CHECKED = [
    lw.SpectralClustering(n_clusters=2, random_state=0),
    lw.SpectralClustering(n_clusters=2, affinity="nearest_neighbors", n_neighbors=5),
    lw.SpectralEmbedding(),
    lw.SpectralEmbedding(affinity="rbf"),
]


@parametrize_with_checks(CHECKED)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "ours, theirs",
    [(lw.SpectralClustering, cluster.SpectralClustering), (lw.SpectralEmbedding, manifold.SpectralEmbedding)],
)
def test_parameters_are_those_of_scikit_learn(ours, theirs):
    want = theirs().get_params()
    assert {name: ours().get_params()[name] for name in want} == want


# --- labels


@pytest.mark.parametrize("assign_labels", ["kmeans", "cluster_qr", "discretize"])
@pytest.mark.parametrize(
    "data, k, params",
    [
        (MOONS, 2, {"affinity": "rbf", "gamma": 30.0}),
        (MOONS, 2, {"affinity": "nearest_neighbors", "n_neighbors": 8}),
        (CIRCLES, 2, {"affinity": "nearest_neighbors", "n_neighbors": 8}),
        (BLOBS, 4, {"affinity": "rbf", "gamma": 0.3}),
        (BLOBS, 4, {"affinity": "laplacian", "gamma": 0.5}),
        (DIGITS, 5, {"affinity": "nearest_neighbors", "n_neighbors": 10}),
    ],
)
def test_labels_equal_scikit_learns(data, k, params, assign_labels):
    X, y = data
    ours = lw.SpectralClustering(k, assign_labels=assign_labels, random_state=0, **params).fit(X)
    theirs = cluster.SpectralClustering(k, assign_labels=assign_labels, random_state=0, **params).fit(X)
    assert rand(ours.labels_, theirs.labels_) >= (1 if len(X) == 240 else 0.98)
    assert rand(ours.labels_, y) > (0.9 if len(X) == 240 else 0.7)


def test_new_points_are_labeled_like_the_points_around_them():
    X, _ = datasets.make_moons(400, noise=0.05, random_state=1)
    for params in ({"affinity": "rbf", "gamma": 30.0}, {"affinity": "nearest_neighbors"}):
        for assign_labels in ("kmeans", "cluster_qr", "discretize"):
            fit = lw.SpectralClustering(2, assign_labels=assign_labels, random_state=0, **params).fit(X[:300])
            refit = lw.SpectralClustering(2, assign_labels=assign_labels, random_state=0, **params).fit(X)
            both = np.r_[fit.labels_, fit.predict(X[300:])]
            assert rand(both, refit.labels_) == 1
            assert_array_equal(fit.predict(X[:300]), fit.labels_)


@pytest.mark.parametrize("assign_labels", ["kmeans", "cluster_qr", "discretize"])
@pytest.mark.parametrize("n_clusters", [3, "auto"])
def test_disconnected_graphs_are_cut_where_they_fall_apart(n_clusters, assign_labels):
    X, y = datasets.make_blobs(90, centers=[[0, 0], [100, 0], [0, 100]], random_state=0)
    fit = lw.SpectralClustering(
        n_clusters, affinity="nearest_neighbors", n_neighbors=20, assign_labels=assign_labels, random_state=0
    ).fit(X)
    assert fit.n_clusters_ == 3 and fit.n_graph_components_ == 3
    assert rand(fit.labels_, y) == 1
    assert np.sum(fit.eigenvalues_ > 1 - 1e-9) == 3
    assert_array_equal(fit.predict(X), fit.labels_)


def test_one_component_and_one_cluster_for_each_point():
    X = MOONS[0][:12]
    fit = lw.SpectralClustering("auto", affinity="nearest_neighbors", n_neighbors=1).fit(X)
    assert fit.n_clusters_ == len(set(fit.labels_)) == 12
    assert_allclose(fit.eigenvalues_, 1)


def test_the_eigengap_counts_blobs():
    X, y = BLOBS
    fit = lw.SpectralClustering("auto", gamma=0.3, random_state=0).fit(X)
    gaps = -np.diff(fit.eigenvalues_)
    assert fit.n_clusters_ == 4 == np.argmax(gaps) + 1
    assert rand(fit.labels_, y) > 0.95


# --- affinities in every form


def test_given_affinities_equal_those_computed_from_points():
    X, _ = MOONS
    A = rbf_kernel(X, gamma=20.0)
    ours = lw.SpectralClustering(2, gamma=20.0, random_state=0).fit(X)
    forms = {
        "precomputed": A,
        "sparse": sp.csr_matrix(A),
        "callable": lambda x, z: np.exp(-20.0 * np.sum((x - z) ** 2)),
    }
    for form, value in forms.items():
        affinity = value if form == "callable" else "precomputed"
        data = X if form == "callable" else value
        fit = lw.SpectralClustering(2, affinity=affinity, random_state=0).fit(data)
        assert_allclose(fit.eigenvalues_, ours.eigenvalues_, atol=1e-10)
        assert rand(fit.labels_, ours.labels_) == 1
        K = fit.affinity_matrix_
        assert_allclose(K.toarray() if sp.issparse(K) else K, A, atol=1e-14)
        new = {"precomputed": A[:9], "sparse": sp.csr_matrix(A[:9]), "callable": X[:9]}[form]
        assert_array_equal(fit.predict(new), fit.labels_[:9])


def test_given_neighbor_distances_equal_nearest_neighbors():
    X, _ = MOONS
    points = lw.SpectralClustering(2, affinity="nearest_neighbors", n_neighbors=8, random_state=0).fit(X)
    D = kneighbors_graph(X, 30, mode="distance", include_self=True)
    given = lw.SpectralClustering(2, affinity="precomputed_nearest_neighbors", n_neighbors=8, random_state=0)
    given.fit(D)
    assert_allclose(given.affinity_matrix_.toarray(), points.affinity_matrix_.toarray())
    assert_allclose(given.eigenvalues_, points.eigenvalues_, atol=1e-9)
    assert_array_equal(given.labels_, points.labels_)
    theirs = cluster.SpectralClustering(2, affinity="precomputed_nearest_neighbors", n_neighbors=8).fit(D)
    assert_allclose(given.affinity_matrix_.toarray(), theirs.affinity_matrix_.toarray())
    assert rand(given.labels_, theirs.labels_) == 1
    assert_array_equal(given.predict(D[:9]), given.labels_[:9])
    with pytest.raises(ValueError, match="n_neighbors must be an int in"):
        given.set_params(n_neighbors=31).fit(D)


def test_other_kernels_of_scikit_learn():
    X = np.abs(BLOBS[0])
    ours = lw.SpectralClustering(3, affinity="chi2", gamma=0.5, random_state=0).fit(X)
    theirs = cluster.SpectralClustering(3, affinity="chi2", gamma=0.5, random_state=0).fit(X)
    assert rand(ours.labels_, theirs.labels_) == 1
    assert_array_equal(ours.predict(X), ours.labels_)
    with pytest.raises(ValueError, match="affinity must give weights >= 0"):
        lw.SpectralClustering(3, affinity="linear").fit(BLOBS[0])


def test_affinity_matrices_are_lazy_and_those_of_scikit_learn():
    X, _ = MOONS
    ours = lw.SpectralClustering(2, affinity="nearest_neighbors", n_neighbors=7).fit(X)
    theirs = cluster.SpectralClustering(2, affinity="nearest_neighbors", n_neighbors=7).fit(X)
    assert "affinity_matrix_" not in vars(ours)
    assert_allclose(ours.affinity_matrix_.toarray(), theirs.affinity_matrix_.toarray())
    assert_allclose(lw.SpectralClustering(2).fit(X).affinity_matrix_, rbf_kernel(X, gamma=1.0), atol=1e-14)


# --- the mechanism


def test_estimator_equals_bare_operator_equals_numpy():
    X, _ = MOONS
    fit = lw.SpectralClustering(3, gamma=8.0, random_state=0).fit(X)
    gaussian = kernels.Gaussian(np.sqrt(0.5 / 8.0))
    m = lw.Mechanism(
        metric="euclidean",
        kernel=gaussian,
        support="leave_one_out",
        normalization="symmetric",
        propagation=propagations.Spectrum(3),
        empty_row="self",
    )
    assert fit.mechanism_ == fit.mechanism == m
    P = m.operator(X)
    w, u = P.eigsh(3)
    bare = u / np.exp(0.5 * P.log_row_sums)[:, None]

    K = np.exp(-8.0 * ((X[:, None] - X[None]) ** 2).sum(-1)) - np.eye(len(X))
    D = K.sum(1)
    want_w, want_u = np.linalg.eigh(K / np.sqrt(D[:, None] * D))
    want = want_u[:, :-4:-1] / np.sqrt(D)[:, None]
    want *= np.sign((want * fit.embedding_).sum(0))
    assert_allclose(fit.eigenvalues_, w, atol=1e-13)
    assert_allclose(fit.eigenvalues_, want_w[:-4:-1], atol=1e-12)
    assert_allclose(fit.embedding_, want, atol=1e-10)
    assert_allclose(fit.embedding_ * np.sign((bare * fit.embedding_).sum(0)), bare, atol=1e-10)


def test_slots_are_handed_on_and_changed():
    X, _ = MOONS
    m = lw.Mechanism(metric="manhattan", kernel=kernels.Laplacian(0.2), support=supports.Neighbors(10))
    fit = lw.SpectralClustering.from_mechanism(m, n_clusters=2).fit(X)
    assert fit.mechanism_ == fit.mechanism == m.replace(propagation=propagations.Spectrum(2))
    changed = lw.SpectralClustering(2, affinity=m).set_params(metric="chebyshev", normalization="density")
    assert changed.mechanism == fit.mechanism.replace(metric="chebyshev", normalization="density")
    assert changed.fit(X).mechanism_.metric == metrics.Chebyshev()
    by_name = lw.SpectralClustering(2, affinity="nearest_neighbors", metric="cosine")
    assert by_name.mechanism.metric == metrics.Cosine()
    assert by_name.mechanism.support == supports.Neighbors(9, symmetrize="average")
    assert by_name.mechanism.normalization == normalizations.Symmetric()


def test_normalizations_of_the_walk_give_one_embedding():
    X, _ = MOONS
    symmetric = lw.SpectralEmbedding(3, affinity="rbf", gamma=10.0).fit_transform(X)
    row = lw.SpectralEmbedding(3, affinity="rbf", gamma=10.0, normalization="row").fit_transform(X)
    assert_allclose(row * np.sign((row * symmetric).sum(0)), symmetric, atol=1e-9)


# --- embedding


def test_embedding_equals_scikit_learns_without_self_loops():
    X, _ = datasets.make_swiss_roll(300, random_state=0)
    no_loops = lw.Mechanism(
        metric="euclidean",
        kernel="indicator",
        normalization="symmetric",
        support=supports.Neighbors(9, symmetrize="average"),
    )
    ours = lw.SpectralEmbedding(3, affinity=no_loops).fit(X).embedding_
    theirs = manifold.SpectralEmbedding(3, n_neighbors=10, random_state=0, eigen_tol=1e-12).fit_transform(X)
    assert_allclose(ours * np.sign((ours * theirs).sum(0)), theirs, atol=1e-5)


def test_embedding_of_training_and_new_points():
    X, _ = MOONS
    fit = lw.SpectralEmbedding(3, affinity="rbf", gamma=10.0).fit(X)
    assert fit.eigenvalues_.shape == (4,) and fit.eigenvalues_[0] == pytest.approx(1)
    assert_allclose(fit.transform(X), fit.embedding_, atol=1e-10)
    part = lw.SpectralEmbedding(2, affinity="rbf", gamma=10.0).fit(X[:220])
    full, extended = fit.embedding_[220:, 0], part.transform(X[220:])[:, 0]
    assert abs(np.corrcoef(full, extended)[0, 1]) > 0.999
    graph = lw.SpectralEmbedding(2, n_neighbors=15).fit(X)
    assert_allclose(graph.transform(X), graph.embedding_, atol=0.2 * np.abs(graph.embedding_).max())


def test_generalized_eigenproblem():
    X, _ = BLOBS
    fit = lw.SpectralEmbedding(3, affinity="rbf", gamma=0.2).fit(X)
    K = rbf_kernel(X, gamma=0.2) - np.eye(len(X))
    w, e = eigh(K, np.diag(K.sum(1)))  # K e = w D e, e^T D e = 1
    assert_allclose(fit.eigenvalues_, w[:-5:-1], atol=1e-12)
    want = e[:, -2:-5:-1]
    assert_allclose(fit.embedding_, want * np.sign((want * fit.embedding_).sum(0)), atol=1e-9)


def test_callables_of_the_embedding_see_all_points():
    X, _ = MOONS
    fit = lw.SpectralEmbedding(2, affinity=lambda Z: rbf_kernel(Z, gamma=10.0)).fit(X)
    want = lw.SpectralEmbedding(2, affinity="rbf", gamma=10.0).fit(X)
    assert_allclose(np.abs(fit.embedding_), np.abs(want.embedding_), atol=1e-9)
    with pytest.raises(ValueError, match="affinity must be a name or a Mechanism"):
        fit.transform(X)


# --- contract


@pytest.mark.parametrize(
    "estimator",
    [
        lw.SpectralClustering(2, random_state=0),
        lw.SpectralClustering(2, affinity="nearest_neighbors"),
        lw.SpectralEmbedding(2, affinity="rbf"),
        lw.SpectralEmbedding(2),
    ],
)
def test_pickles_predict_the_same(estimator):
    X, _ = MOONS
    estimator.fit(X)
    copy = pickle.loads(pickle.dumps(estimator))
    method = "predict" if hasattr(estimator, "predict") else "transform"
    assert_array_equal(getattr(copy, method)(X[:20] + 0.01), getattr(estimator, method)(X[:20] + 0.01))
    assert copy.mechanism_ == estimator.mechanism_
    assert_array_equal(copy.eigenvalues_, estimator.eigenvalues_)


def test_float32_stays_float32():
    X = MOONS[0].astype(np.float32)
    fit = lw.SpectralEmbedding(2, affinity="rbf", gamma=10.0).fit(X)
    assert fit.embedding_.dtype == fit.transform(X).dtype == np.float32
    want = lw.SpectralEmbedding(2, affinity="rbf", gamma=10.0).fit(MOONS[0]).embedding_
    assert_allclose(fit.embedding_ * np.sign((fit.embedding_ * want).sum(0)), want, atol=1e-5)
    assert lw.SpectralClustering(2, random_state=0).fit(X).embedding_.dtype == np.float32


@pytest.mark.parametrize(
    "estimator, message",
    [
        (lw.SpectralClustering(13), "n_clusters must be 'auto' or an int in \\[1, 12\\]"),
        (lw.SpectralClustering(0), "n_clusters must be"),
        (lw.SpectralClustering(2, n_components=13), "n_components must be"),
        (lw.SpectralClustering(2, affinity="rbff"), "affinity must be one of 'rbf'"),
        (lw.SpectralClustering(2, gamma=-1.0), "gamma must be positive"),
        (
            lw.SpectralClustering(2, affinity="nearest_neighbors", n_neighbors=13),
            "n_neighbors must be an int in",
        ),
        (lw.SpectralClustering(2, assign_labels="means"), "assign_labels must be"),
        (lw.SpectralClustering(2, eigen_solver="qr"), "eigen_solver must be"),
        (lw.SpectralClustering(2, metric="euclid"), "euclidean"),
        (lw.SpectralClustering(2, affinity="precomputed"), "square"),
        (lw.SpectralClustering(2, affinity=lw.Mechanism(support="causal")), "symmetric support"),
        (lw.SpectralEmbedding(12, affinity="rbf"), "n_components must be an int in \\[1, 11\\]"),
        (lw.SpectralEmbedding(2, eigen_tol=-1.0), "eigen_tol must be"),
    ],
)
def test_bad_parameters_are_named(estimator, message):
    with pytest.raises(ValueError, match=message):
        estimator.fit(MOONS[0][:12])


def test_bad_input_is_named():
    X = MOONS[0][:12]
    with pytest.raises(ValueError, match="NaN"):
        lw.SpectralClustering(2).fit(np.where(X > 0.9, np.nan, X))
    with pytest.raises(ValueError, match="features"):
        lw.SpectralClustering(2).fit(X).predict(X[:, :1])
    with pytest.raises(NotFittedError):
        lw.SpectralEmbedding().transform(X)
    far = np.r_[X, [[1e3, 1e3]]]
    no_loops = lw.Mechanism(
        metric="euclidean",
        kernel=kernels.Epanechnikov(5.0),
        support="leave_one_out",
        normalization="symmetric",
        empty_row="error",
    )
    with pytest.raises(ValueError, match="row 12 without mass"):
        lw.SpectralClustering(2, affinity=no_loops).fit(far)
