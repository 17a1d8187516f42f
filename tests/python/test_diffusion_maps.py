"""DiffusionMaps against the definition in dense NumPy."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from sklearn import datasets
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

import likewise as lw
from likewise import kernels, normalizations, propagations, supports

RNG = np.random.default_rng(0)
CLOUD = RNG.normal(size=(40, 3))
ROLL = datasets.make_swiss_roll(400, random_state=0)[0]


@parametrize_with_checks([lw.DiffusionMaps(), lw.DiffusionMaps(bandwidth=1.0, diffusion_time=2)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def walk(D, h, alpha):
    """Coifman and Lafon (2006): K / (q_i q_j)^alpha, rows then sum to 1."""
    K = np.exp(-(D**2) / (2 * h**2))
    q = K.sum(1)
    K = K / np.outer(q, q) ** alpha
    return K / K.sum(1, keepdims=True)


def stationary(P):
    w, v = np.linalg.eig(P.T)
    pi = v[:, np.argmax(w.real)].real
    return pi / pi.sum()


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_estimator_equals_bare_operator_equals_numpy(alpha):
    fit = lw.DiffusionMaps(4, density_alpha=alpha, bandwidth=1.1, diffusion_time=3).fit(CLOUD)
    density = normalizations.Density(alpha)
    m = lw.Mechanism(
        metric="euclidean",
        kernel=kernels.Gaussian(1.1),
        normalization=density,
        propagation=propagations.Spectrum(5, power=3),
        empty_row="self",
    )
    assert fit.mechanism == fit.mechanism_ == m
    w, v = m.operator(CLOUD).eigsh(5)
    assert_allclose(fit.eigenvalues_, w[1:], atol=1e-14)
    assert_allclose(fit.embedding_, v[:, 1:] * w[1:] ** 3, atol=1e-12)

    P = walk(cdist(CLOUD, CLOUD), 1.1, alpha)
    values, vectors = np.linalg.eig(P)
    order = np.argsort(-values.real)[1:5]
    vectors = vectors[:, order].real
    vectors /= np.sqrt(stationary(P) @ vectors**2)
    vectors *= np.sign((vectors * fit.eigenvectors_).sum(0))
    assert_allclose(fit.eigenvalues_, values[order].real, atol=1e-12)
    assert_allclose(fit.eigenvectors_, vectors, atol=1e-9)
    assert_allclose(fit.embedding_, vectors * values[order].real ** 3, atol=1e-9)


@pytest.mark.parametrize("t", [1, 4])
@pytest.mark.parametrize("n_neighbors", [None, 9])
def test_diffusion_distances_are_distances_of_rows(t, n_neighbors):
    fit = lw.DiffusionMaps(39, bandwidth=1.3, diffusion_time=t, n_neighbors=n_neighbors).fit(CLOUD)
    P = fit.mechanism_.operator(CLOUD).toarray()
    Pt, pi = np.linalg.matrix_power(P, t), stationary(P)
    want = np.sqrt((((Pt[:, None] - Pt[None]) ** 2) / pi).sum(-1))
    got = fit.diffusion_distances()
    assert got.shape == (40, 40)
    assert_allclose(got, want, atol=1e-8)
    few = lw.DiffusionMaps(3, bandwidth=1.3, diffusion_time=t, n_neighbors=n_neighbors).fit(CLOUD)
    assert np.all(few.diffusion_distances() <= want + 1e-8)


def test_a_circle_becomes_a_circle_whatever_its_density():
    angle = 2 * np.pi * np.sort(RNG.beta(2, 2, size=600))
    X = np.c_[np.cos(angle), np.sin(angle)]
    radius = {}
    for alpha in (0.0, 1.0):
        fit = lw.DiffusionMaps(2, density_alpha=alpha, bandwidth=0.15).fit(X)
        r = np.linalg.norm(fit.embedding_, axis=1)
        radius[alpha] = r.std() / r.mean()
    assert radius[1.0] < 0.5 * radius[0.0]


@pytest.mark.parametrize("t", [0, 1, 2.5])
def test_training_points_come_back(t):
    fit = lw.DiffusionMaps(3, bandwidth=4.0, diffusion_time=t).fit(ROLL)
    assert_allclose(fit.transform(ROLL), fit.embedding_, atol=1e-9)
    assert_allclose(fit.embedding_, fit.eigenvectors_ * fit.eigenvalues_**t, atol=1e-13)


def test_new_points_lie_where_a_refit_puts_them():
    fit = lw.DiffusionMaps(2, bandwidth=4.0).fit(ROLL)
    part = lw.DiffusionMaps(2, bandwidth=4.0).fit(ROLL[:350])
    for j in range(2):
        assert abs(np.corrcoef(part.transform(ROLL[350:])[:, j], fit.embedding_[350:, j])[0, 1]) > 0.99


def test_neighbors_agree_with_all_pairs_and_extend_by_nystrom():
    every = lw.DiffusionMaps(2, bandwidth=1.5).fit(ROLL)
    graph = lw.DiffusionMaps(2, bandwidth=1.5, n_neighbors=60).fit(ROLL)
    assert graph.mechanism_.support == supports.Neighbors(60, symmetrize="union", include_self=True)
    assert_allclose(graph.eigenvalues_, every.eigenvalues_, rtol=0.02)
    error = np.abs(graph.transform(ROLL) - graph.embedding_).max()
    assert error < 0.05 * np.abs(graph.embedding_).max()


@pytest.mark.parametrize("rule", ["bgh", "median", "scott", "silverman", "self_tuning"])
def test_bandwidth_rules(rule):
    fit = lw.DiffusionMaps(2, bandwidth=rule).fit(ROLL)
    assert np.isfinite(fit.embedding_).all()
    assert fit.bandwidth_ > 0
    if rule == "bgh":
        assert 1.5 < fit.intrinsic_dimension_ < 3
    else:
        assert fit.intrinsic_dimension_ is None
    if rule != "self_tuning":
        assert fit.mechanism_.kernel == kernels.Gaussian(fit.bandwidth_)


def test_self_tuning_scales_each_point():
    """Zelnik-Manor and Perona (2004): d^2 / (s_i s_j), s the distance to the 7th neighbor."""
    fit = lw.DiffusionMaps(3, bandwidth="self_tuning", density_alpha=0.0).fit(CLOUD)
    D = cdist(CLOUD, CLOUD)
    s = np.sort(D, axis=1)[:, 7]
    P = walk(D / np.sqrt(np.outer(s, s)), fit.bandwidth_, 0.0)
    assert_allclose(fit.eigenvalues_, np.sort(np.linalg.eigvals(P).real)[-2:-5:-1], atol=1e-10)


def test_disconnected_data_keep_every_repeated_eigenvalue():
    X = np.r_[CLOUD, CLOUD + 1e3, CLOUD - 1e3]
    fit = lw.DiffusionMaps(5, bandwidth=1.0).fit(X)
    assert fit.n_graph_components_ == 3
    assert np.sum(fit.eigenvalues_ > 1 - 1e-12) == 2  # beside the trivial one
    groups = fit.embedding_[:, :2].reshape(3, 40, 2)
    assert_allclose(groups.std(axis=1), 0, atol=1e-9)
    assert np.min(cdist(groups.mean(1), groups.mean(1)) + 9 * np.eye(3)) > 1


def test_one_slot_changed_gives_another_map():
    fit = lw.DiffusionMaps(2, bandwidth=1.0).set_params(metric="manhattan").fit(CLOUD)
    P = walk(cdist(CLOUD, CLOUD, "cityblock"), 1.0, 1.0)
    assert_allclose(fit.eigenvalues_, np.sort(np.linalg.eigvals(P).real)[-2:-4:-1], atol=1e-12)
    m = lw.Mechanism(
        metric="cosine",
        kernel=kernels.StudentT(0.5),
        support=supports.Neighbors(8),
        normalization="row",
        propagation=propagations.Spectrum(4, power=1),
        empty_row="self",
    )
    handed = lw.DiffusionMaps.from_mechanism(m)
    assert handed.mechanism == m
    assert handed.fit(CLOUD).mechanism_ == m


def test_precomputed_distances():
    given = lw.DiffusionMaps(2, bandwidth=1.0, metric="precomputed").fit(cdist(CLOUD, CLOUD))
    points = lw.DiffusionMaps(2, bandwidth=1.0).fit(CLOUD)
    assert_allclose(given.embedding_, points.embedding_, atol=1e-9)
    new = CLOUD[:5] + 0.1
    assert_allclose(given.transform(cdist(new, CLOUD)), points.transform(new), atol=1e-9)


def test_float32_stays_float32():
    fit = lw.DiffusionMaps(2, bandwidth=1.0).fit(CLOUD.astype(np.float32))
    assert fit.embedding_.dtype == fit.transform(CLOUD.astype(np.float32)).dtype == np.float32
    assert_allclose(fit.embedding_, lw.DiffusionMaps(2, bandwidth=1.0).fit(CLOUD).embedding_, atol=1e-4)


@pytest.mark.parametrize("params", [{}, {"n_neighbors": 8}, {"bandwidth": "self_tuning"}])
def test_pickles_transform_the_same(params):
    fit = lw.DiffusionMaps(2, **params).fit(CLOUD)
    copy = pickle.loads(pickle.dumps(fit))
    assert_array_equal(copy.transform(CLOUD + 0.1), fit.transform(CLOUD + 0.1))
    assert_array_equal(copy.embedding_, fit.embedding_)
    assert copy.bandwidth_ == fit.bandwidth_


@pytest.mark.parametrize(
    "params, message",
    [
        ({"n_components": 40}, "n_components must be an int in \\[1, 39\\]"),
        ({"n_components": 0}, "n_components must be an int in"),
        ({"diffusion_time": -1}, "diffusion_time must be"),
        ({"bandwidth": 0.0}, "bandwidth"),
        ({"bandwidth": "nearest"}, "bandwidth"),
        ({"bandwidth": 1.0, "kernel": kernels.Gaussian(2.0)}, "bandwidth"),
        ({"n_neighbors": 41}, "n_neighbors must be an int in"),
        ({"metric": "dot"}, "distance"),
        ({"bandwidth": "perplexity"}, "scales rows only"),
    ],
)
def test_bad_parameters_are_named(params, message):
    with pytest.raises(ValueError, match=message):
        lw.DiffusionMaps(**params).fit(CLOUD)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="NaN"):
        lw.DiffusionMaps().fit(np.where(CLOUD > 2, np.nan, CLOUD))
    with pytest.raises(NotFittedError):
        lw.DiffusionMaps().transform(CLOUD)
    with pytest.raises(ValueError, match="features"):
        lw.DiffusionMaps(bandwidth=1.0).fit(CLOUD).transform(CLOUD[:, :2])
    fit = lw.DiffusionMaps(bandwidth=1.0).fit(CLOUD)
    with lw.execution(memory_limit="1KB"), pytest.raises(lw.MemoryLimitError, match="diffusion_distances"):
        fit.diffusion_distances()
