"""The methods that the paper surveys: each has its slots or says why it has none, and the slots are right."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.spatial.distance import pdist, squareform
from sklearn.datasets import load_iris
from sklearn.manifold import _t_sne

import likewise as lw
from likewise import normalizations, supports

# Rows of the table in the paper's section 2, by the names that explain() knows them under.
PAPER = [
    "mds", "isomap", "lle", "laplacian_eigenmaps", "diffusion_maps", "sne", "tsne", "umap", "fuzzy_c_means",
    "markov_clustering", "k_nearest_neighbors", "svm", "gcn", "diffusion_net", "self_attention",
    "graph_attention", "metric_attention",
]  # fmt: skip
UMAP = json.loads((Path(__file__).parents[1] / "data/umap_fuzzy_sets.json").read_text())


@pytest.mark.parametrize("name", PAPER)
def test_every_row_is_explained(name):
    about = lw.explain(name)
    text = str(about)
    if name in ("mds", "isomap"):
        assert about.mechanism is None and "no propagation" in text and about.propagation is None
    else:
        assert isinstance(about.mechanism, lw.Mechanism) and "metric" in text
    assert "None" not in text.splitlines()[-1]


def test_an_unknown_name_is_told_the_known_ones():
    with pytest.raises(ValueError, match=r"obj must be one of .*tsne.*; got 'tsme'"):
        lw.explain("tsme")


@pytest.mark.parametrize("seed", [0, 1])
def test_sne_has_the_entropy_that_is_asked_for_and_scikit_learns_joint_probabilities(seed):
    """log(perplexity) to 1e-10; scikit-learn's bisection stops at 1e-5 of it."""
    X = np.random.default_rng(seed).normal(size=(150, 4))
    m = lw.explain("sne").mechanism
    P = m.operator(X).toarray()
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.nansum(P * np.log(P), axis=1)
    assert_allclose(entropy, np.log(30), atol=1e-10)
    assert (np.diag(P) == 0).all()
    joint = (P + P.T) / (2 * len(X))
    D2 = squareform(pdist(X, "sqeuclidean")).astype(np.float32)
    want = squareform(_t_sne._joint_probabilities(D2, 30, 0))
    assert_allclose(joint, want, rtol=2e-4, atol=1e-9)


def test_the_map_side_of_tsne():
    """q_ij = (1 + d^2)^-1 over the sum of all pairs (van der Maaten and Hinton 2008)."""
    Y = np.random.default_rng(0).normal(size=(40, 2))
    W = 1 / (1 + squareform(pdist(Y, "sqeuclidean")))
    np.fill_diagonal(W, 0)
    assert_allclose(lw.explain("tsne").mechanism.operator(Y).toarray(), W / W.sum(), atol=1e-15)


@pytest.mark.parametrize("name", ["normal", "iris"])
def test_umap_is_the_fuzzy_simplicial_set_of_umap_learn(name):
    """Values of umap-learn, whose bisection stops at 1e-5; irises lie on one another."""
    given = UMAP[name]
    X = np.random.RandomState(0).normal(size=(60, 3)) if name == "normal" else load_iris().data[:80]
    k = given["n_neighbors"]
    m = lw.explain("umap").mechanism.replace(support=supports.Neighbors(k - 1, symmetrize="fuzzy_union"))
    P = m.operator(X)
    want = sparse.coo_matrix((given["weight"], (given["row"], given["col"])), shape=P.shape).toarray()
    assert_allclose(P.bandwidth.row_offset, given["rho"], rtol=1e-5)  # found in float32
    assert_allclose(np.sqrt(P.bandwidth.row_scale), given["sigma"], rtol=2e-4)
    same_edges = (P.toarray() > 0) == (want > 0)
    assert same_edges.mean() > (0.99 if name == "iris" else 1 - 1e-9)  # equal distances: either neighbor
    same = np.isclose(P.toarray(), want, rtol=1e-4, atol=2e-5)
    assert same.mean() > 0.99 if name == "iris" else same.all()


@pytest.mark.parametrize("include_self", [False, True])
def test_umap_satisfies_its_equation(include_self):
    """Each row's weights, the point itself apart, sum to log2(k), k counting the point."""
    X = np.random.default_rng(2).normal(size=(200, 5))
    k = 12
    support = supports.Neighbors(k if include_self else k - 1, symmetrize="none", include_self=include_self)
    m = lw.Mechanism(kernel=lw.kernels.Laplacian("umap"), support=support, normalization="none")
    P = m.operator(X)
    A = P.toarray()
    if include_self:
        assert_allclose(np.diag(A), 1)
        np.fill_diagonal(A, 0)
    assert_allclose(A.sum(1), np.log2(k), atol=1e-10)
    assert_allclose(A.max(1), 1, atol=1e-12)  # the nearest is at distance rho
    assert_allclose(P.at(X + 0).toarray().sum(1), (P.at(X).toarray()).sum(1))
    again = m.operator(X[::-1].copy()).toarray()[::-1, ::-1]
    assert_allclose(again, P.toarray(), atol=1e-12)


def test_umap_of_new_points_finds_the_training_points_scales_again():
    X = np.random.default_rng(3).normal(size=(80, 3))
    m = lw.explain("umap").mechanism
    P = m.operator(X)
    Q = P.at(X)
    assert_allclose(Q.bandwidth.row_offset, P.bandwidth.row_offset)
    assert_allclose(Q.bandwidth.row_scale, P.bandwidth.row_scale, rtol=1e-9)


@pytest.mark.parametrize(
    "slots",
    [
        {"kernel": lw.kernels.Laplacian("umap")},
        {"kernel": lw.kernels.Gaussian("umap"), "support": "neighbors"},
        {"kernel": lw.kernels.Laplacian("umap"), "support": supports.Radius(1.0)},
    ],
)
def test_umap_is_a_rule_of_one_kernel_on_neighbors(slots):
    with pytest.raises(ValueError, match="bandwidth must be another rule than 'umap'"):
        lw.Mechanism(**slots).operator(np.random.default_rng(0).normal(size=(20, 2)))


def test_offsets_have_no_derivative():
    X = np.random.default_rng(0).normal(size=(40, 2))
    P = lw.explain("umap").mechanism.operator(X)
    with pytest.raises(ValueError, match="'umap'"):
        P.vjp(X, X)


def test_laplacian_eigenmaps_have_the_spectrum_of_the_walk():
    X = np.random.default_rng(4).normal(size=(60, 2))
    about = lw.explain("laplacian_eigenmaps").mechanism
    P = about.operator(X)
    w = P.eigsh(3, return_eigenvectors=False)
    want = np.sort(np.linalg.eigvals(P.toarray()).real)[::-1][:3]
    assert_allclose(w, want, atol=1e-9)


def test_a_support_vector_machine_is_a_sum_of_kernels():
    from sklearn.svm import SVC

    X, y = load_iris(return_X_y=True)
    X, y = X[50:], y[50:] - 1
    svm = SVC(gamma=0.5).fit(X, y)
    about = lw.explain("svm").mechanism.replace(kernel=lw.kernels.Gaussian(1.0))
    found = about.operator(X, svm.support_vectors_) @ svm.dual_coef_[0] + svm.intercept_
    assert_allclose(found, svm.decision_function(X), atol=1e-9)


def test_rows_after_columns_are_density_one():
    """Of a symmetric kernel: dividing columns and then rows forgets the same as Density(1)."""
    X = np.random.default_rng(5).normal(size=(30, 2))
    m = lw.Mechanism(kernel=lw.kernels.Gaussian(0.7))
    A = m.replace(normalization=normalizations.Column()).operator(X).toarray()
    assert_allclose(A.sum(0), 1, atol=1e-13)
    want = m.replace(normalization=normalizations.Density(1.0)).operator(X).toarray()
    assert_allclose(A / A.sum(1, keepdims=True), want, atol=1e-13)


@pytest.mark.parametrize("rule", ["column", "global"])
def test_normalizations_of_the_whole_have_spectra_and_new_points_of_their_own(rule):
    X = np.random.default_rng(6).normal(size=(40, 2))
    m = lw.Mechanism(kernel=lw.kernels.Gaussian(0.7), normalization=rule)
    P = m.operator(X)
    w, v = P.eigsh(5)
    A = P.toarray()
    assert_allclose(A @ v, v * w, atol=1e-8)
    assert_allclose(w, np.sort(np.linalg.eigvals(A).real)[::-1][:5], atol=1e-9)
    Q = X[:7] + 0.1
    B = P.at(Q).toarray()
    assert_allclose(B.sum(0) if rule == "column" else B.sum(), 1, atol=1e-12)
    assert_allclose(B, m.operator(Q, X).toarray())
    y, some = (X[:, 0] > 0).astype(int), np.where(np.arange(40) % 5 == 0, X[:, 0] > 0, -1)
    for refused in (  # what a point is told, or where it lies, must not depend on what else is asked
        lambda: lw.KernelRegressor(bandwidth=0.7, normalization=rule).fit(X, X[:, 0]),
        lambda: lw.KernelClassifier(bandwidth=0.7, normalization=rule).fit(X, y),
        lambda: lw.DiffusionMaps(2, bandwidth=0.7, normalization=rule).fit(X),
        lambda: lw.SpectralClustering(2, normalization=rule).fit(X),
        lambda: lw.SpectralEmbedding(2, affinity="rbf", normalization=rule).fit(X),
        lambda: lw.LabelPropagation(kernel=m).fit(X, some),
        lambda: lw.LabelSpreading(kernel=m).fit(X, some),
    ):
        with pytest.raises(ValueError, match="normalization must be one whose rows stand alone"):
            refused()
