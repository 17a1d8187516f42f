"""likewise.explain of other libraries' models: five slots, and the model's own output computed from them.

What the peer says is the oracle; agreement is held to 1e-10 in float64 unless a test says where the peer
departs. Layers of torch are in test_torch_explain.py.
"""

import copy
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import MeanShift, SpectralClustering
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process import kernels as gp
from sklearn.kernel_ridge import KernelRidge
from sklearn.manifold import SpectralEmbedding
from sklearn.neighbors import (
    KernelDensity,
    KNeighborsClassifier,
    KNeighborsRegressor,
    NearestCentroid,
    NearestNeighbors,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
)
from sklearn.semi_supervised import LabelPropagation, LabelSpreading
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM

import likewise as lw
from likewise import kernels, metrics, normalizations, supports

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
X[:20] += 1
Q = RNG.normal(size=(15, 3))
Y = RNG.integers(0, 3, 60)
TWO = np.c_[Y, Y % 2]
TARGET, TARGETS = RNG.normal(size=60), RNG.normal(size=(60, 2))
PARTLY = np.where(RNG.random(60) < 0.3, Y, -1)
DISTANCES = np.linalg.norm(X[:, None] - X[None], axis=2)
BLOBS = make_blobs(150, centers=4, random_state=0)[0]


def same(got, want, atol=1e-10):
    if isinstance(want, (list, tuple)):
        assert len(got) == len(want)
        for one, other in zip(got, want):
            same(one, other, atol)
    elif np.asarray(want).dtype.kind in "fc":
        assert_allclose(got, want, rtol=1e-10, atol=atol)
    else:
        assert_array_equal(got, want)


def reproduces(model, *arguments, output):
    """What the fitted model has under this name, from its slots; its explanation can be shown."""
    about = lw.explain(model)
    assert f"reproduces          {next(iter(about.outputs))}(" in str(about) and about._repr_html_()
    theirs = getattr(model, output)
    same(about.reproduce(*arguments, output=output), theirs(*arguments) if callable(theirs) else theirs)
    return about


# --- neighbors ----------------------------------------------------------------------------------------------


def root_of_city_blocks(x, z):
    return np.abs(x - z).sum() ** 0.5


METRICS = [
    {},
    {"metric": "manhattan"},
    {"p": 3},
    {"p": np.inf},
    {"metric": "chebyshev"},
    {"metric": "cosine"},
    {"metric": "minkowski", "p": 3, "metric_params": {"w": np.array([1.0, 2.0, 0.5])}},
    {"metric": "mahalanobis", "metric_params": {"VI": np.diag([1.0, 2.0, 3.0])}, "algorithm": "brute"},
    {"metric": "seuclidean", "metric_params": {"V": np.array([1.0, 2.0, 3.0])}},
    {"metric": "canberra"},
    {"metric": "correlation"},
    {"metric": "braycurtis", "algorithm": "brute"},
    {"metric": root_of_city_blocks},
]


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_k_neighbors_under_any_metric(metric, weights):
    settings = copy.deepcopy({"weights": weights, **metric})  # fit writes into metric_params
    model = KNeighborsClassifier(5, **settings).fit(X, Y)
    reproduces(model, Q, output="predict_proba")
    reproduces(model, Q, output="predict")
    settings = copy.deepcopy({"weights": weights, **metric})
    reproduces(KNeighborsRegressor(4, **settings).fit(X, TARGETS), Q, output="predict")


@pytest.mark.parametrize("weights", ["uniform", "distance", lambda d: np.exp(-d)])
def test_k_neighbors_of_several_targets_of_training_points_and_of_all_but_each(weights):
    model = KNeighborsClassifier(4, weights=weights).fit(X, TWO)
    for points in (Q, X, None):
        reproduces(model, points, output="predict_proba")
        reproduces(model, points, output="predict")
    for target in (TARGET, TARGETS, Y):
        for points in (Q, X, None):
            reproduces(KNeighborsRegressor(4, weights=weights).fit(X, target), points, output="predict")


def test_k_neighbors_of_given_distances_of_names_and_of_sparse_points():
    model = KNeighborsClassifier(4, metric="precomputed").fit(DISTANCES, np.array(["a", "b", "c"])[Y])
    new = np.linalg.norm(Q[:, None] - X[None], axis=2)
    about = reproduces(model, new, output="predict_proba")
    assert about.mechanism.metric == metrics.Precomputed()
    reproduces(model, new, output="predict")
    reproduces(KNeighborsClassifier().fit(sp.csr_matrix(X), Y), sp.csr_matrix(Q), output="predict_proba")


def test_the_step_of_neighbors_is_its_operator_times_its_values():
    model = KNeighborsClassifier(5, weights="distance").fit(X, Y)
    step = lw.explain(model).step
    assert step.values.shape == (60, 3) and step.intercept == 0
    same(step.mechanism.operator(Q, step.keys) @ step.values, model.predict_proba(Q))
    same(step(Q), model.predict_proba(Q))


def test_who_is_near():
    model = NearestNeighbors(n_neighbors=3, metric="manhattan").fit(X)
    reproduces(model, Q, output="kneighbors")
    about = lw.explain(model)
    same(about.reproduce(), model.kneighbors())
    same(about.reproduce(Q, 7), model.kneighbors(Q, 7))


RADII = [
    {"radius": 1.5},
    {"radius": 1.5, "weights": "distance"},
    {"radius": 2.0, "metric": "manhattan"},
    {"radius": 1.5, "weights": lambda d: np.array([np.exp(-row) for row in d], dtype=object)},
]


@pytest.mark.parametrize("settings", RADII, ids=str)
def test_radius_neighbors(settings):
    near = Q[np.linalg.norm(Q[:, None] - X[None], axis=2).min(axis=1) < 0.9]
    model = RadiusNeighborsClassifier(**settings).fit(X, Y)
    reproduces(model, near, output="predict_proba")
    reproduces(model, near, output="predict")
    for target in (TARGET, TARGETS):
        reproduces(RadiusNeighborsRegressor(**settings).fit(X, target), near, output="predict")


@pytest.mark.parametrize("label", [1, "most_frequent", 7])
@pytest.mark.filterwarnings("ignore:Outlier label")
def test_rows_without_a_neighbor_are_as_the_peer_has_them(label):
    for target in (Y, TWO):
        model = RadiusNeighborsClassifier(0.7, outlier_label=label).fit(X, target)
        for points in (Q, None):
            reproduces(model, points, output="predict_proba")
            reproduces(model, points, output="predict")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for target in (TARGET, TARGETS):
            for points in (Q, None):
                reproduces(RadiusNeighborsRegressor(0.7).fit(X, target), points, output="predict")
    about = lw.explain(RadiusNeighborsClassifier(0.3).fit(X, Y))
    with pytest.raises(ValueError, match="X must have a neighbor for each row"):
        about.reproduce(Q)


# --- centroids ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"shrink_threshold": 0.5}, {"metric": "manhattan"}], ids=str)
def test_nearest_centroid_is_one_neighbor_among_the_centroids(settings):
    model = NearestCentroid(**settings).fit(X, Y)
    about = reproduces(model, Q, output="predict")
    assert about.mechanism.support == supports.Neighbors(1, symmetrize="none")
    assert len(about.step.keys) == 3
    if "metric" not in settings:
        reproduces(model, Q, output="predict_proba")


@pytest.mark.parametrize("priors", ["empirical", [0.2, 0.3, 0.5]])
def test_priors_make_a_gaussian_of_scaled_features(priors):
    model = NearestCentroid(priors=priors).fit(X, Y)
    about = reproduces(model, Q, output="predict_proba")
    reproduces(model, Q, output="predict")
    assert about.mechanism.kernel == kernels.Exponential(1.0)
    with pytest.raises(ValueError, match="priors must be uniform with metric='manhattan'"):
        lw.explain(NearestCentroid(metric="manhattan", priors=priors).fit(X, Y))


# --- densities ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", ["gaussian", "tophat", "epanechnikov", "exponential"])
def test_kernel_density(kernel):
    with np.errstate(divide="ignore"):
        about = reproduces(KernelDensity(kernel=kernel, bandwidth=1.3).fit(X), Q, output="score_samples")
    same(np.log(about.step(X)), about.reproduce(X))


@pytest.mark.parametrize("settings", [
    {"bandwidth": "scott", "metric": "manhattan"},
    {"bandwidth": "silverman", "metric": "minkowski", "metric_params": {"p": 3}, "kernel": "exponential"},
    {"bandwidth": 0.01},
])  # fmt: skip
def test_kernel_density_with_weights_and_with_the_peers_constant(settings):
    """Under other metrics scikit-learn divides by the Euclidean constant; ours does not, reproduce does."""
    model = KernelDensity(**settings).fit(X, sample_weight=RNG.random(60))
    reproduces(model, Q, output="score_samples")


# --- spectra ------------------------------------------------------------------------------------------------

AFFINITIES = [
    {"n_neighbors": 8},
    {"affinity": "rbf"},
    {"affinity": "rbf", "gamma": 0.3, "n_components": 4},
    {"affinity": "precomputed"},
    {"affinity": "precomputed_nearest_neighbors", "n_neighbors": 8},
    {"affinity": lambda points: np.exp(-DISTANCES)},
]


@pytest.mark.parametrize("settings", AFFINITIES, ids=str)
def test_spectral_embedding(settings):
    given = {"precomputed": np.exp(-DISTANCES), "precomputed_nearest_neighbors": DISTANCES}
    points = given.get(settings.get("affinity"), X) if isinstance(settings.get("affinity"), str) else X
    model = SpectralEmbedding(random_state=0, **settings).fit(points)
    about = lw.explain(model)
    same(about.reproduce(points), model.embedding_, atol=1e-10)
    made = about.reproduce(points, output="affinity_matrix_").toarray()
    theirs = model.affinity_matrix_
    assert_allclose(made, theirs.toarray() if sp.issparse(theirs) else theirs, atol=1e-12)
    assert about.mechanism.normalization == normalizations.Symmetric()


def test_a_solver_that_stops_earlier_is_named():
    """lobpcg of scikit-learn stops at about 1e-8 of an eigenvector; the difference is its own."""
    model = SpectralEmbedding(n_neighbors=9, eigen_solver="lobpcg", random_state=0).fit(X)
    about = lw.explain(model)
    assert "its solver (lobpcg, eigen_tol='auto') stops earlier" in about.note
    same(about.reproduce(X), model.embedding_, atol=1e-5)


@pytest.mark.parametrize("settings", [
    {"random_state": 0},
    {"affinity": "nearest_neighbors", "random_state": 1},
    {"gamma": 0.2, "assign_labels": "discretize", "random_state": 1},
    {"gamma": 0.2, "assign_labels": "cluster_qr"},
    {"affinity": "laplacian", "random_state": 0, "n_components": 2},
])  # fmt: skip
def test_spectral_clustering(settings):
    reproduces(SpectralClustering(3, **settings).fit(X), X, output="labels_")


def test_labels_that_start_at_random_are_refused():
    about = lw.explain(SpectralClustering(3, gamma=0.1).fit(X))
    with pytest.raises(ValueError, match=r"random_state must be an int.*got None"):
        about.reproduce(X)


# --- labels -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [
    LabelPropagation(),
    LabelPropagation(gamma=1, max_iter=7),
    LabelPropagation("knn"),
    LabelPropagation("knn", max_iter=3),
    LabelSpreading(),
    LabelSpreading(gamma=1, alpha=0.6),
    LabelSpreading("knn"),
    LabelSpreading("knn", n_neighbors=3, alpha=0.9),
], ids=str)  # fmt: skip
def test_labels_after_the_peers_own_number_of_steps(model):
    """On a directed graph scikit-learn's label spreading divides by column sums on both sides."""
    model.fit(X, PARTLY)
    about = lw.explain(model)
    same(about.reproduce(PARTLY, output="label_distributions_"), model.label_distributions_)
    reproduces(model, Q, output="predict_proba")
    reproduces(model, Q, output="predict")
    assert f"stops after {model.n_iter_} steps" in about.note


def test_the_equilibrium_is_where_the_steps_lead():
    model = LabelSpreading(gamma=1.0, alpha=0.5, tol=1e-14, max_iter=500).fit(X, PARTLY)
    one_hot = (PARTLY[:, None] == model.classes_).astype(float)
    F = lw.explain(model).mechanism.propagate(X, one_hot)
    assert_allclose(F / F.sum(axis=1, keepdims=True), model.label_distributions_, atol=1e-7)


# --- modes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [
    MeanShift(),
    MeanShift(bandwidth=1.5),
    MeanShift(bandwidth=1.5, bin_seeding=True),
    MeanShift(bandwidth=1.2, cluster_all=False),
    MeanShift(bandwidth=1.2, seeds=BLOBS[:7]),
    MeanShift(bandwidth=1.2, max_iter=2),
], ids=str)  # fmt: skip
def test_mean_shift(model):
    model.fit(BLOBS)
    about = lw.explain(model)
    same(about.reproduce(BLOBS), model.cluster_centers_)
    same(about.reproduce(BLOBS, output="labels_"), model.labels_)
    reproduces(model, BLOBS + 0.1, output="predict")


# --- kernel machines ----------------------------------------------------------------------------------------

COVARIANCES = [
    (None, metrics.Euclidean(), kernels.Gaussian),
    (gp.RBF(1.4), metrics.Euclidean(), kernels.Gaussian),
    (2 * gp.RBF([1.0, 2.0, 3.0]), metrics.Mahalanobis, kernels.Gaussian),
    (gp.Matern(nu=0.5), metrics.Euclidean(), kernels.Laplacian),
    (gp.Matern(nu=1.5) * 3.0, metrics.Euclidean(), kernels.Matern32),
    (gp.Matern(nu=2.5, length_scale=[1.0, 2.0, 1.0]), metrics.Mahalanobis, kernels.Matern52),
    (gp.Matern(nu=np.inf), metrics.Euclidean(), kernels.Gaussian),
    (gp.Matern(nu=3.5), metrics.Custom, kernels.Exponential),
    (gp.RationalQuadratic(alpha=2.0), metrics.Euclidean(), kernels.StudentT),
    (gp.RationalQuadratic(alpha=0.3), metrics.Custom, kernels.Exponential),
    (gp.RBF() + gp.WhiteKernel(), metrics.Euclidean(), kernels.Gaussian),
    (gp.ConstantKernel(2.0) * (gp.RBF() + gp.WhiteKernel(0.1)), metrics.Euclidean(), kernels.Gaussian),
    (gp.RBF() + gp.Matern(), metrics.Custom, kernels.Exponential),
    (gp.RBF() ** 2, metrics.Custom, kernels.Exponential),
]


@pytest.mark.parametrize("kernel, metric, phi", COVARIANCES, ids=str)
def test_gaussian_process_regression(kernel, metric, phi):
    for target in (TARGET, TARGETS, TARGETS[:, :1]):
        model = GaussianProcessRegressor(kernel, alpha=0.1, optimizer=None).fit(X, target)
        about = reproduces(model, Q, output="predict")
        reproduces(model, X, output="predict")
    mechanism = about.mechanism
    assert (
        mechanism.metric == metric if not isinstance(metric, type) else isinstance(mechanism.metric, metric)
    )
    assert isinstance(mechanism.kernel, phi)
    assert mechanism.normalization == normalizations.Unnormalized()


@pytest.mark.parametrize("target", [TARGET + 5, TARGETS + 5, TARGETS[:, :1] + 5])
def test_a_gaussian_process_has_an_intercept_where_targets_are_scaled(target):
    model = GaussianProcessRegressor(alpha=0.1, normalize_y=True, random_state=0).fit(X, target)
    about = reproduces(model, Q, output="predict")
    assert_allclose(about.step.intercept, target.mean(axis=0))
    assert "alpha solves (K + noise I) alpha = y, which is no propagation" in about.note
    assert "intercept b" not in about.note and "  intercept" in str(about)


def product_of_exponentials(x, z):
    return np.exp(-np.abs(x - z).sum())


@pytest.mark.parametrize("settings", [
    {"kernel": "rbf"},
    {"kernel": "rbf", "gamma": 0.3},
    {"kernel": "laplacian"},
    {"kernel": "laplacian", "gamma": 0.3},
    {"kernel": product_of_exponentials},
    {"kernel": "rbf", "alpha": 3.0},
], ids=str)  # fmt: skip
def test_kernel_ridge_regression(settings):
    for target in (TARGET, TARGETS):
        model = KernelRidge(**{"alpha": 0.1, **settings}).fit(X, target, sample_weight=RNG.random(60))
        about = reproduces(model, Q, output="predict")
        same(about.step.values, model.dual_coef_)
    assert about.mechanism.normalization == normalizations.Unnormalized()


def test_kernel_ridge_regression_of_shares():
    model = KernelRidge(alpha=0.1, kernel="chi2", gamma=0.2).fit(np.abs(X), TARGET)
    reproduces(model, np.abs(Q), output="predict")


def gram(A, B):
    return np.exp(-np.abs(A[:, None] - B[None]).sum(axis=2))


@pytest.mark.parametrize("y", [Y, Y % 2, np.array(["a", "b", "c"])[Y], RNG.integers(0, 5, 60)])
@pytest.mark.parametrize("model", [
    SVC(),
    SVC(decision_function_shape="ovo"),
    SVC(gamma="auto", C=10, break_ties=True),
    SVC(gamma=0.3, class_weight="balanced"),
    SVC(kernel=gram),
    NuSVC(nu=0.3),
], ids=str)  # fmt: skip
def test_support_vector_classification(model, y):
    model.fit(X, y)
    about = reproduces(model, Q, output="decision_function")
    reproduces(model, Q, output="predict")
    assert "quadratic program" in about.note
    assert about.mechanism.normalization == normalizations.Unnormalized()
    assert f"{len(model.support_)} points of the fitted model" in str(about)


def test_other_support_vector_machines():
    for model in (SVR(), NuSVR(gamma=0.4), SVR(kernel=gram)):
        reproduces(model.fit(X, TARGET), Q, output="predict")
    model = OneClassSVM(gamma=0.2).fit(X)
    reproduces(model, Q, output="decision_function")
    reproduces(model, Q, output="predict")
    sparse = SVC().fit(sp.csr_matrix(X), Y)
    same(lw.explain(sparse).reproduce(Q), sparse.decision_function(sp.csr_matrix(Q)))


@pytest.mark.parametrize(
    "model, message",
    [
        (SVC(kernel="linear"), "kernel of SVC must be positive.*'linear', whose weights have signs"),
        (SVR(kernel="poly"), "kernel of SVR must be positive"),
        (KernelRidge(kernel="sigmoid"), "'rbf', 'laplacian', 'chi2' or a positive function; got 'sigmoid'"),
        (KernelRidge(), "got 'linear', whose weights have signs"),
        (KernelRidge(kernel="precomputed"), "got 'precomputed', which compares no points"),
    ],
)
def test_kernels_with_signs_are_refused_with_the_reason(model, message):
    with pytest.raises(ValueError, match=message):
        lw.explain(model)


@pytest.mark.parametrize(
    "model",
    [
        GaussianProcessRegressor(gp.DotProduct(), alpha=0.1, optimizer=None),
        KernelRidge(kernel=np.dot),
        SVC(kernel=lambda A, B: A @ B.T),
    ],
)
def test_a_function_that_turns_out_to_have_signs_is_refused_where_it_is_asked(model):
    about = lw.explain(model.fit(X, Y))
    with pytest.raises(ValueError, match="kernel must be positive to be a kernel phi"):
        about.reproduce(Q)


# --- graph attention, by its state_dict ---------------------------------------------------------------------


def gat(state, x, edge_index, *, concat=True, loops=True):
    """GATConv of torch_geometric 2.8, node by node (it was compared with the package)."""
    n_heads, width = state["att_src"].shape[1:]
    h = (x @ state["lin.weight"].T).reshape(len(x), n_heads, width)
    edges = list(map(tuple, edge_index.T))
    if loops:
        edges = [(a, b) for a, b in edges if a != b] + [(i, i) for i in range(len(x))]
    out = np.zeros_like(h)
    for i in range(len(x)):
        sources = [a for a, b in edges if b == i]
        for k in range(n_heads):
            e = np.array(
                [h[j, k] @ state["att_src"][0, k] + h[i, k] @ state["att_dst"][0, k] for j in sources]
            )
            w = np.exp(np.where(e > 0, e, 0.2 * e))
            out[i, k] = w / w.sum() @ h[sources, k]
    return (out.reshape(len(x), -1) if concat else out.mean(axis=1)) + state.get("bias", 0)


def gat_state(bias):
    rng = np.random.default_rng(1)
    state = {name: rng.normal(size=(1, 2, 3)) for name in ("att_src", "att_dst")}
    state["lin.weight"] = rng.normal(size=(6, 4))
    return {**state, "bias": rng.normal(size=bias)} if bias else state


EDGES = np.array([(a, b) for a in range(9) for b in range(9) if RNG.random() < 0.3]).T
NODES = RNG.normal(size=(9, 4))


@pytest.mark.parametrize("bias, concat", [(6, True), (3, False), (0, True)])
def test_gatconv_is_read_off_its_state_dict(bias, concat):
    state = gat_state(bias)
    about = lw.explain(state)
    same(about.reproduce(NODES, EDGES), gat(state, NODES, EDGES, concat=concat))
    assert len(about.heads) == 2 and "2, of which this is the first" in str(about)
    weights = about.reproduce(NODES, EDGES, output="attention_weights")
    assert_allclose([P.sum(axis=1) for P in weights], 1)
    assert all(isinstance(m.metric, metrics.Additive) for m in about.heads)
    shared = {**state, "lin_src.weight": state["lin.weight"], "lin_dst.weight": state["lin.weight"]}
    del shared["lin.weight"]
    same(lw.explain(shared).reproduce(NODES, EDGES), gat(state, NODES, EDGES, concat=concat))


def test_gatconv_without_self_loops():
    """A node without edges has the bias alone."""
    state, alone = gat_state(6), np.vstack([NODES, NODES[:1]])
    about = lw.explain(state)
    want = gat(state, alone, EDGES, loops=False)
    same(about.reproduce(alone, EDGES, add_self_loops=False), want)
    same(want[-1], state["bias"])
    assert "a state_dict does not say slope, self-loops and concat" in about.note


def test_gatconv_with_a_residual_map():
    state = {**gat_state(6), "res.weight": np.random.default_rng(2).normal(size=(6, 4))}
    want = gat(state, NODES, EDGES) + NODES @ state["res.weight"].T
    same(lw.explain(state).reproduce(NODES, EDGES), want)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"att_edge": np.ones((1, 2, 3))}, "obj must have no edge features"),
        ({"att_src": None}, "obj must be the state_dict of a GATConv"),
        ({"lin.weight": None}, "obj must have lin.weight, or lin_src.weight"),
        ({"lin_dst.weight": np.ones((6, 3))}, "obj must have one set of nodes"),
    ],
)
def test_what_is_no_graph_attention_of_points_is_refused(change, message):
    state = {k: v for k, v in {**gat_state(6), **change}.items() if v is not None}
    with pytest.raises(ValueError, match=message):
        lw.explain(state)


def test_edges_that_are_given_twice_are_refused():
    twice = np.hstack([EDGES, EDGES[:, :1]])
    with pytest.raises(ValueError, match="edge_index must hold each edge once"):
        lw.explain(gat_state(6)).reproduce(NODES, twice)


# --- what is not fitted, and what there is none of ----------------------------------------------------------

UNFITTED = [
    KNeighborsClassifier(3),
    KNeighborsRegressor(weights="distance"),
    RadiusNeighborsClassifier(),
    RadiusNeighborsRegressor(),
    NearestNeighbors(),
    NearestCentroid(),
    KernelDensity(),
    KernelDensity(bandwidth="scott"),
    SpectralClustering(),
    SpectralEmbedding(affinity="rbf", gamma=1.0),
    LabelPropagation(),
    LabelSpreading("knn"),
    MeanShift(),
    MeanShift(bandwidth=2.0),
    GaussianProcessRegressor(),
    GaussianProcessRegressor(gp.Matern(nu=2.5)),
    KernelRidge(kernel="rbf"),
    KernelRidge(kernel="laplacian", gamma=2.0),
    SVC(),
    SVC(gamma=0.5),
    SVR(),
    OneClassSVM(),
]


@pytest.mark.parametrize("model", UNFITTED, ids=str)
def test_what_is_not_fitted_has_slots_and_nothing_to_reproduce(model):
    about = lw.explain(model)
    assert isinstance(about.mechanism, lw.Mechanism) and about.values and not about.outputs
    assert "metric c" in str(about) and "reproduces" not in str(about) and about.step is None
    with pytest.raises(NotFittedError, match=f"explain the fitted {type(model).__name__}"):
        about.reproduce(X)


@pytest.mark.parametrize("model", [SVC(), SVR(), KernelRidge(kernel="rbf")], ids=str)
def test_a_bandwidth_that_fit_finds_is_open_before(model):
    before = lw.explain(model)
    assert before.mechanism.kernel == kernels.Gaussian() and "open until fit" in before.note
    after = lw.explain(model.fit(X, TARGET if isinstance(model, SVR) else Y))
    assert after.mechanism.kernel.bandwidth > 0 and "open until fit" not in after.note


@pytest.mark.parametrize("obj", ["tsne", lw.Mechanism(), lw.KernelRegressor()], ids=str)
def test_what_is_no_other_librarys_model_has_nothing_to_reproduce(obj):
    with pytest.raises(ValueError, match="reproduce must be asked of an explained model of another library"):
        lw.explain(obj).reproduce(X)


def test_an_unknown_output_is_told_the_known_ones():
    about = lw.explain(KNeighborsClassifier().fit(X, Y))
    with pytest.raises(ValueError, match="output must be one of 'predict_proba', 'predict'; got 'proba'"):
        about.reproduce(Q, output="proba")


def test_explanations_are_equal_by_what_they_say():
    one, other = (lw.explain(KNeighborsClassifier(4).fit(X, y)) for y in (Y, Y % 2))
    assert one == other and hash(one) == hash(other)


@pytest.mark.parametrize("make", [KNeighborsClassifier, NearestCentroid, SVC, LabelPropagation])
def test_what_was_explained_stays_what_it_was_when_the_model_is_fitted_again(make):
    """Weights of before and class names of after would be neither answer."""
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    model = make().fit(X, y)
    said, explained = model.predict(X), lw.explain(model)
    model.fit(X[::-1], np.array([5, 7])[1 - y])
    assert_array_equal(explained.reproduce(X, output="predict"), said)


def test_columns_of_a_table_are_those_of_the_fit():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 2)), columns=["a", "b"])
    explained = lw.explain(KNeighborsClassifier(3).fit(table, np.arange(20) % 2))
    explained.reproduce(table)
    with pytest.raises(ValueError, match="X must have the columns of fit in their order, a, b; got b, a"):
        explained.reproduce(table[["b", "a"]])
