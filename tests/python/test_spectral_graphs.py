"""Graphs as people have them: outliers, isolated and far points, directed edges, no clusters at all."""

import warnings

import mpmath
import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn import cluster, manifold
from sklearn.datasets import load_digits, make_blobs, make_moons
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.neighbors import kneighbors_graph

import likewise as lw
from likewise import kernels, normalizations, supports


def two_blobs(dtype=np.float64, n=40):
    """Two blobs at x = -3 and x = 3."""
    rng = np.random.default_rng(0)
    X = rng.normal(0, 0.5, (2 * n, 2))
    X[:, 0] += np.repeat([-3, 3], n)
    return X.astype(dtype)


def dense_embedding(K, k):
    """The first k eigenvectors of D^-1 K without its diagonal, by numpy.linalg.eigh, and eigenvalues."""
    K = K - np.diag(np.diag(K))
    D = K.sum(1)
    w, U = np.linalg.eigh(K / np.sqrt(D[:, None] * D))
    return (U[:, ::-1] / np.sqrt(D)[:, None])[:, :k], w[::-1][:k]


def up_to_signs(A, B):
    return A * np.sign(np.sum(A * B, axis=0))


# --- self-loops


@pytest.mark.parametrize("gamma", [0.1, 1.0])
def test_outliers_do_not_become_clusters(gamma):
    """A point's own weight of 1 made each outlier a cluster; without it results are scikit-learn's."""
    X, y = make_blobs(150, centers=[[0, 0], [4, 0], [0, 4]], cluster_std=0.5, random_state=0)
    X = np.r_[X, [[5, 5], [-3, 3], [7, -2], [-3, -3], [3, 7]]]
    theirs = cluster.SpectralClustering(3, gamma=gamma, random_state=0).fit(X).labels_
    assert adjusted_rand_score(y, theirs[:150]) == 1
    for form in (X, rbf_kernel(X, gamma=gamma), sp.csr_matrix(rbf_kernel(X, gamma=gamma))):
        affinity = "rbf" if form is X else "precomputed"
        ours = lw.SpectralClustering(3, gamma=gamma, affinity=affinity, random_state=0).fit(form).labels_
        assert adjusted_rand_score(theirs, ours) == 1


@pytest.mark.parametrize(
    "params",
    [
        {"affinity": "rbf", "gamma": 0.5},
        {"affinity": "nearest_neighbors", "n_neighbors": 30},
        {"affinity": "precomputed"},
    ],
)
def test_embeddings_are_those_of_scikit_learn(params):
    """Loops changed the degrees, and so the embedding, of rbf and precomputed affinities."""
    X = make_blobs(120, centers=3, cluster_std=2.5, random_state=1)[0]
    data = rbf_kernel(X, gamma=0.3) if params["affinity"] == "precomputed" else X
    ours = lw.SpectralEmbedding(3, **params).fit_transform(data)
    theirs = manifold.SpectralEmbedding(3, random_state=0, **params).fit_transform(data)
    assert_allclose(up_to_signs(ours, theirs), theirs, atol=1e-7 * np.abs(theirs).max())


def test_training_points_asked_again_are_where_they_were():
    """Asked again, a point saw itself, which it does not among the training points; also far outliers."""
    X = np.r_[two_blobs(), [[30.0, -20.0]]]
    for params in ({"affinity": "rbf", "gamma": 0.5}, {"affinity": "nearest_neighbors", "n_neighbors": 6}):
        fit = lw.SpectralEmbedding(4, **params).fit(X)
        np.testing.assert_array_equal(fit.transform(X[::-1]), fit.embedding_[::-1])
        clusters = lw.SpectralClustering(3, random_state=0, **params).fit(X)
        np.testing.assert_array_equal(clusters.predict(X), clusters.labels_)


def test_points_asked_twice_and_points_held_twice_are_the_first_of_their_kind():
    X = two_blobs()
    X = np.r_[X, X[:3], X[:1]]
    fit = lw.SpectralEmbedding(4, affinity="rbf", gamma=0.5).fit(X)
    at = np.array([7, 2, 7, 7, 0, 41, 2])
    Q = np.r_[X[at], [[0.3, -0.2]], X[-4:]]
    places = fit.transform(Q)
    np.testing.assert_array_equal(places[: len(at)], fit.embedding_[at])
    np.testing.assert_array_equal(places[-4:], fit.embedding_[[0, 1, 2, 0]])
    for q, place in zip(Q, places):
        assert_allclose(fit.transform([q])[0], place, rtol=1e-12)


def test_loops_are_an_option():
    X = two_blobs()
    K = rbf_kernel(X, gamma=0.5)
    with_loops = lw.SpectralEmbedding(2, affinity="rbf", gamma=0.5, self_loops=True).fit(X)
    D = K.sum(1)
    w, U = np.linalg.eigh(K / np.sqrt(D[:, None] * D))
    want = (U / np.sqrt(D)[:, None])[:, -2:-4:-1]
    assert_allclose(with_loops.eigenvalues_, w[:-4:-1], atol=1e-12)
    assert_allclose(up_to_signs(with_loops.embedding_, want), want, atol=1e-9)
    assert_allclose(with_loops.transform(X), with_loops.embedding_, atol=1e-9)
    for data in (K, sp.csr_matrix(K)):
        given = lw.SpectralEmbedding(2, affinity="precomputed", self_loops=True).fit(data)
        assert_allclose(given.eigenvalues_, with_loops.eigenvalues_, atol=1e-10)
    mechanism = lw.Mechanism(
        metric="euclidean", kernel=kernels.Gaussian(1.0), normalization=normalizations.Symmetric()
    )
    assert_allclose(lw.SpectralEmbedding(2, affinity=mechanism).fit(X).eigenvalues_, w[:-4:-1], atol=1e-12)


# --- points without neighbors


def graph_with_a_lonely_node(n=30):
    X = two_blobs(n=n)
    A = kneighbors_graph(X, 8, include_self=False)
    A = sp.lil_matrix(0.5 * (A + A.T))
    A[n, :] = 0
    A[:, n] = 0
    return X, sp.csr_matrix(A), n


@pytest.mark.parametrize("dense", [False, True])
def test_a_lonely_node_is_a_component_of_its_own(dense):
    """It refused the whole graph, by a parameter (empty_row) that the estimator does not have."""
    _, A, lonely = graph_with_a_lonely_node()
    A.eliminate_zeros()
    data = A.toarray() if dense else A
    with pytest.warns(UserWarning, match="1 of 60 points have no neighbor"):
        fit = lw.SpectralClustering(3, affinity="precomputed", random_state=0).fit(data)
    labels = fit.labels_
    assert np.sum(labels == labels[lonely]) == 1
    assert (
        adjusted_rand_score(np.repeat([0, 1], 30)[np.arange(60) != lonely], labels[np.arange(60) != lonely])
        == 1
    )
    assert_allclose(fit.eigenvalues_, 1, atol=1e-9)
    with pytest.warns(UserWarning, match="no neighbor"):
        embedding = lw.SpectralEmbedding(2, affinity="precomputed").fit(data)
    assert np.isfinite(embedding.embedding_).all()


def test_lonely_points_of_every_estimator_and_support():
    """A radius, a compact kernel and mutual neighbors leave points alone too."""
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(0, 0.3, (30, 2)), [[9.0, 9.0]], rng.normal(5, 0.3, (30, 2))]
    compact = lw.Mechanism(metric="euclidean", kernel=kernels.Epanechnikov(2.0), support="leave_one_out")
    radius = lw.Mechanism(
        metric="euclidean", kernel="indicator", support=supports.Radius(2.0) & supports.LeaveOneOut()
    )
    wanted = np.repeat([0, 1, 2], [30, 1, 30])
    for affinity in (compact, radius):
        for normalization in ("symmetric", "row", "density"):
            with pytest.warns(UserWarning, match="1 of 61 points"):
                fit = lw.SpectralClustering(
                    3, affinity=affinity, normalization=normalization, random_state=0
                ).fit(X)
            assert adjusted_rand_score(wanted, fit.labels_) == 1
            assert fit.predict(X[:1]) == fit.labels_[0]
    mutual = lw.Mechanism(
        metric="euclidean", kernel="indicator", support=supports.Neighbors(5, symmetrize="mutual")
    )
    A = kneighbors_graph(X, 5, include_self=False).toarray()
    n_alone = np.sum(np.minimum(A, A.T).sum(1) == 0)
    with pytest.warns(UserWarning, match=f"{n_alone} of 61 points"):
        lw.SpectralEmbedding(2, affinity=mutual).fit(X)
    alone = supports.Radius(2.0) & supports.LeaveOneOut()
    with pytest.warns(UserWarning, match="1 of 61 points"):
        fit = lw.DiffusionMaps(2, support=alone, bandwidth=1.0).fit(X)
    assert_allclose(fit.eigenvalues_, 1, atol=1e-9)


def test_the_policy_self_by_definition():
    """P_ii = 1 where a row is empty, in every storage; other rows as they were."""
    Z = np.array([[0.0], [1.0], [5.0]])
    m = lw.Mechanism(
        metric="euclidean", kernel=kernels.Epanechnikov(2.0), support="leave_one_out", empty_row="self"
    )
    for storage in ("streamed", "dense", "sparse"):
        P = m.operator(Z, storage=storage)
        np.testing.assert_array_equal(P @ np.eye(3), [[0, 1, 0], [1, 0, 0], [0, 0, 1]])
        np.testing.assert_array_equal(P.at(Z + 50) @ np.eye(3), [[0, 0, 1]] * 2 + [[0, 1, 0]])
    assert repr(m).endswith("empty_row='self')")


# --- directed graphs


@pytest.mark.parametrize(
    ("name", "storage"),
    [
        ("SpectralClustering", np.asarray),
        ("SpectralClustering", sp.csr_matrix),
        ("SpectralEmbedding", np.asarray),
        ("SpectralEmbedding", sp.csr_matrix),
        ("DiffusionMaps", np.asarray),  # of distances, which are dense
    ],
)
def test_directed_graphs_are_averaged_with_a_warning(name, storage):
    """CSR was averaged without a word, and the same matrix refused as dense."""
    X = two_blobs()
    K = rbf_kernel(X, gamma=0.5)
    directed = K * np.random.default_rng(1).uniform(0.5, 1, K.shape)
    if name == "DiffusionMaps":
        directed = np.sqrt(-np.log(directed))
        np.fill_diagonal(directed, 0)
    make = {
        "SpectralClustering": lambda: lw.SpectralClustering(2, affinity="precomputed", random_state=0),
        "SpectralEmbedding": lambda: lw.SpectralEmbedding(2, affinity="precomputed"),
        "DiffusionMaps": lambda: lw.DiffusionMaps(2, metric="precomputed", bandwidth=1.0),
    }[name]
    average = 0.5 * (directed + directed.T)
    with pytest.warns(UserWarning, match="directed graph"):
        got = make().fit(storage(directed))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        want = make().fit(storage(average))
    assert_allclose(got.eigenvalues_, want.eigenvalues_, atol=1e-10)
    assert_allclose(up_to_signs(got.embedding_, want.embedding_), want.embedding_, atol=1e-7)


def test_directed_affinities_of_a_function_and_of_a_mechanism():
    X = two_blobs()
    skew = np.random.default_rng(1).uniform(0.5, 1, (80, 80))
    with pytest.warns(UserWarning, match="directed graph"):
        lw.SpectralEmbedding(2, affinity=lambda Z: rbf_kernel(Z, gamma=0.5) * skew).fit(X)
    m = lw.Mechanism(metric="precomputed", kernel=kernels.Gaussian(1.0))
    with pytest.warns(UserWarning, match="directed graph"):
        lw.SpectralEmbedding(2, affinity=m).fit(np.linalg.norm(X[:, None] - X, axis=2) * skew)


# --- far new points

FAR = [1, 1.3, 1.6, 2, 3, 5, 8, 12, 15, 17, 18, 20, 25, 30]


def far_points(exponent, dtype):
    r = 10.0**exponent
    return np.array([[-r, 0], [r, 0], [-r, 0.3 * r], [r, -0.2 * r], [-r, 3.0]], dtype=dtype)


def exact_shares(Q, Z, h):
    """Softmax of -|q - z|^2 / 2h^2 over the rows z, in 120 digits."""
    with mpmath.workdps(120):
        shares = []
        for q in Q:
            d2 = [
                mpmath.fsum((mpmath.mpf(float(a)) - mpmath.mpf(float(b))) ** 2 for a, b in zip(q, z))
                for z in Z
            ]
            least = min(d2)
            w = [mpmath.exp((least - d) / (2 * mpmath.mpf(h) ** 2)) for d in d2]
            shares.append([float(v / mpmath.fsum(w)) for v in w])
        return np.array(shares)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("exponent", FAR)
def test_far_points_go_to_the_nearest_keys_side(exponent, dtype):
    """Roots of a far point's mass underflowed (NaN, then a wrong label); squares lost the keys' digits."""
    X = two_blobs(dtype, 12)
    side = np.repeat([0, 1], 12)
    Q = far_points(exponent, dtype)
    shares = exact_shares(Q, X, 1.0)
    want = shares @ side
    assert_allclose(want, [0, 1, 0, 1, 0], atol=1e-6)
    atol = 1e-5 if dtype == np.float32 else 1e-6
    assert_allclose(lw.KernelRegressor(bandwidth=1.0).fit(X, side).predict(Q), want, atol=atol)
    assert_allclose(lw.KernelClassifier(bandwidth=1.0).fit(X, side).predict_proba(Q)[:, 1], want, atol=atol)
    y = np.where(np.isin(np.arange(24), [0, 23]), side, -1)
    for labels in (lw.LabelPropagation(gamma=0.5), lw.LabelSpreading(gamma=0.5)):
        np.testing.assert_array_equal(labels.fit(X, y).predict(Q), [0, 1, 0, 1, 0])
    clusters = lw.SpectralClustering(2, gamma=0.5, random_state=0).fit(X)
    np.testing.assert_array_equal(clusters.predict(Q) == clusters.labels_[-1], [0, 1, 0, 1, 0])
    E, w = dense_embedding(rbf_kernel(X.astype(float), gamma=0.5), 3)
    for normalization in ("symmetric", "row"):
        fit = lw.SpectralEmbedding(2, affinity="rbf", gamma=0.5, normalization=normalization).fit(X)
        found = up_to_signs(fit.transform(Q) / np.linalg.norm(fit.embedding_), shares @ E[:, 1:])
        expected = shares @ E[:, 1:] / w[1:] / np.linalg.norm(E[:, 1:])
        assert_allclose(found, expected, atol=20 * atol)
    maps = lw.DiffusionMaps(1, bandwidth=1.0).fit(X)
    coordinate = maps.transform(Q)[:, 0] * np.sign(maps.embedding_[-1, 0])
    np.testing.assert_array_equal(coordinate > 0, [0, 1, 0, 1, 0])


@pytest.mark.parametrize("exponent", [2, 8, 17, 30])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
def test_far_points_under_a_laplacian(metric, exponent):
    """exp(-d/h) tends to a limit of shares that depends on the direction only."""
    X = two_blobs(n=10)
    values = np.arange(20.0)
    r = 10.0**exponent
    Q = np.array([[-r, 0], [r, 0], [r, r]])
    with mpmath.workdps(120):
        want = []
        for q in Q:
            parts = [[abs(mpmath.mpf(a) - mpmath.mpf(b)) for a, b in zip(q, z)] for z in X]
            d = [
                mpmath.fsum(p) if metric == "manhattan" else mpmath.sqrt(p[0] ** 2 + p[1] ** 2) for p in parts
            ]
            w = [mpmath.exp(min(d) - v) for v in d]
            want.append(float(mpmath.fsum(a * b for a, b in zip(w, values)) / mpmath.fsum(w)))
    m = lw.Mechanism(metric=metric, kernel=kernels.Laplacian(1.0))
    for storage in ("streamed", "dense", "sparse"):
        assert_allclose(m.operator(Q, X, storage=storage) @ values, want, rtol=1e-7)


def test_far_log_row_sums_and_transposes_keep_their_meaning():
    """The shift taken out of far rows comes back where a row's mass itself is asked for."""
    X = two_blobs(n=10)
    Q = np.array([[1e12, 0.0], [1.0, 1.0]])
    m = lw.Mechanism(metric="euclidean", kernel=kernels.Gaussian(1.0), normalization="none")
    d2 = ((Q[:, None] - X) ** 2).sum(2)
    P = m.operator(Q, X)
    assert_allclose(P.log_row_sums[0], -0.5 * d2[0].min(), rtol=1e-9)
    assert_allclose(P.T @ np.ones(2), np.exp(-0.5 * d2[1]), rtol=1e-12)
    assert_allclose(P @ np.ones(20), [0, np.exp(-0.5 * d2[1]).sum()], rtol=1e-12)


# --- n_clusters="auto"


@pytest.mark.parametrize("n_clusters", [2, 3, 4, 5])
@pytest.mark.parametrize("affinity", ["rbf", "nearest_neighbors"])
def test_auto_counts_separated_blobs(n_clusters, affinity):
    """The widest gap of all was taken, and eigenvalues of one blob's own modes counted as clusters."""
    for seed in range(4):
        X, y = make_blobs(300, centers=n_clusters, cluster_std=0.6, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fit = lw.SpectralClustering("auto", affinity=affinity, random_state=0).fit(X)
        assert fit.n_clusters_ == n_clusters
        assert adjusted_rand_score(y, fit.labels_) > 0.95


def test_auto_finds_two_moons():
    X, y = make_moons(300, noise=0.05, random_state=0)
    fit = lw.SpectralClustering("auto", affinity="nearest_neighbors", random_state=0).fit(X)
    assert fit.n_clusters_ == 2 and adjusted_rand_score(y, fit.labels_) == 1


NULLS = {
    "normal": lambda rng: rng.normal(size=(300, 2)),
    "cube": lambda rng: rng.uniform(size=(300, 5)),
    "line": lambda rng: np.arange(300.0)[:, None] / 15 + rng.uniform(-0.02, 0.02, (300, 1)),
}


@pytest.mark.parametrize("shape", NULLS)
@pytest.mark.parametrize("affinity", ["rbf", "nearest_neighbors"])
def test_auto_finds_no_clusters_where_there_are_none(shape, affinity):
    """A cloud, a cube and a line have gaps too; none is wider than such a null has, and it is said."""
    for seed in range(3):
        X = NULLS[shape](np.random.default_rng(seed))
        with pytest.warns(
            UserWarning, match="n_clusters='auto' is 1, which the spectrum does not single out"
        ):
            fit = lw.SpectralClustering("auto", affinity=affinity, random_state=0).fit(X)
        assert fit.n_clusters_ == 1 and not fit.labels_.any()


def test_auto_has_a_cap():
    """800 clusters of 1797 digits took a minute: each point was its own."""
    X = load_digits().data[:600]
    with pytest.warns(UserWarning, match="n_clusters='auto'"):
        assert lw.SpectralClustering("auto", random_state=0).fit(X).n_clusters_ <= 20
    far = np.repeat(np.arange(30.0) * 100, 5)[:, None] + np.arange(150)[:, None] % 5
    with pytest.warns(UserWarning, match="the graph has 30 parts"):
        fit = lw.SpectralClustering("auto", affinity="nearest_neighbors", n_neighbors=4, random_state=0).fit(
            far
        )
    assert fit.n_clusters_ == 20


# --- small and awkward


def test_laplacian_affinity_with_its_default_gamma():
    """gamma=None failed before any point was looked at."""
    X = two_blobs()
    ours = lw.SpectralEmbedding(2, affinity="laplacian").fit(X)
    d = np.abs(X[:, None] - X).sum(2)
    E, w = dense_embedding(np.exp(-d / 2), 3)
    assert_allclose(ours.eigenvalues_, w, atol=1e-12)
    assert_allclose(up_to_signs(ours.embedding_, E[:, 1:]), E[:, 1:], atol=1e-9)
    assert lw.SpectralEmbedding(affinity="laplacian").mechanism.metric == lw.metrics.Manhattan()


@pytest.mark.parametrize("n", [4, 9, 19])
def test_few_points_have_neighbors(n):
    """n_samples / 10 neighbors, the point among them, was the point alone: the graph was the identity."""
    X = np.random.default_rng(0).normal(size=(n, 2))
    fit = lw.SpectralEmbedding(1).fit(X)
    assert fit.n_neighbors_ == 2
    A = kneighbors_graph(X, 1, include_self=False).toarray()
    np.testing.assert_array_equal(fit.affinity_matrix_.toarray() > 0, (A + A.T + np.eye(n)) > 0)
    assert fit.n_graph_components_ < n


@pytest.mark.parametrize("storages", [("csr", "dense"), ("dense", "csr"), ("csr", "csr"), ("dense", "dense")])
def test_new_rows_in_either_storage(storages):
    """Fitted to CSR, dense new rows were read as points that the graph does not have."""
    X = two_blobs()
    Q = X[::7] + 0.05
    K, new = rbf_kernel(X, gamma=0.5), rbf_kernel(Q, X, gamma=0.5)
    E, w = dense_embedding(K, 3)
    want = (new @ E[:, 1:]) / new.sum(1)[:, None] / w[1:]
    of = {"csr": sp.csr_matrix, "dense": np.asarray}
    fit = lw.SpectralEmbedding(2, affinity="precomputed").fit(of[storages[0]](K))
    got = fit.transform(of[storages[1]](new))
    assert_allclose(got * np.sign((fit.embedding_ * E[:, 1:]).sum(0)), want, atol=1e-8)
    clusters = lw.SpectralClustering(2, affinity="precomputed", random_state=0).fit(of[storages[0]](K))
    np.testing.assert_array_equal(clusters.predict(of[storages[1]](new)), clusters.labels_[::7])
    with pytest.raises(ValueError, match="X must give each new point a positive affinity"):
        clusters.predict(of[storages[1]](np.zeros((1, 80))))


@pytest.mark.parametrize("assign_labels", ["kmeans", "cluster_qr"])
@pytest.mark.parametrize("n_clusters", ["auto", 5])
def test_new_rows_of_a_graph_are_extended_by_the_eigenvalues_of_their_columns(n_clusters, assign_labels):
    """Kind: pairs counted from the end of a list that is longer where a gap was looked for: "auto" divided
    by other eigenvalues than its columns have."""
    rng = np.random.default_rng(2)
    X = np.repeat(rng.normal(size=(6, 2)) * 4, 40, axis=0) + rng.normal(size=(240, 2)) / 2
    A = kneighbors_graph(X, 10).toarray()
    A = (A + A.T) / 2
    model = lw.SpectralClustering(
        n_clusters, affinity="precomputed", random_state=0, assign_labels=assign_labels
    ).fit(sp.csr_matrix(A))
    k = model.n_clusters_
    assert k == 5
    _, values = dense_embedding(A, k)
    asked = np.zeros((3000, 240))
    for row in asked:  # each knows two points, mostly of two clusters
        row[rng.choice(240, 2)] = rng.random(2)
    places = asked @ model.embedding_ / asked.sum(axis=1, keepdims=True) / values
    if assign_labels == "kmeans":
        centers = np.array([model.embedding_[model.labels_ == c].mean(axis=0) for c in range(k)])
        wanted = ((places[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
        assert (model.predict(sp.csr_matrix(asked)) == wanted).mean() > 0.999  # borders
    assert_allclose(model._extend(sp.csr_matrix(asked)), places, atol=1e-7 * np.abs(places).max())


@pytest.mark.parametrize("self_loops", [False, True])
def test_the_jump_beside_a_training_point_is_what_the_page_says(self_loops):
    """Without loops a new point averages its twin too, which the twin itself does not: a factor, not an
    error. With loops there is no jump."""
    X = np.random.default_rng(3).normal(size=(60, 3))
    model = lw.SpectralEmbedding(5, affinity="rbf", gamma=1.0, self_loops=self_loops).fit(X)
    K = np.exp(-((X[:, None] - X[None]) ** 2).sum(-1))
    share = 0 if self_loops else 1 / K.sum(1, keepdims=True)
    factor = 1 + share * (1 / model.eigenvalues_[1:] - 1)
    assert_allclose(model.transform(X + 1e-9), factor * model.embedding_, rtol=1e-5, atol=1e-7)
    assert_allclose(model.transform(X), model.embedding_)
