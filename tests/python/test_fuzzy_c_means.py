"""FuzzyCMeans against Bezdek's updates in plain loops, and its limit, k-means."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris, make_blobs
from sklearn.metrics import adjusted_rand_score

import likewise as lw

X, SPECIES = load_iris(return_X_y=True)
START = X[[3, 70, 120]]


def memberships(X, centers, m):
    """u_ij pair by pair; a point on centers belongs to those alone."""
    u = np.zeros((len(X), len(centers)))
    for i, x in enumerate(X):
        d = np.array([np.sqrt(((x - c) ** 2).sum()) for c in centers])
        if (d == 0).any():
            u[i] = (d == 0) / (d == 0).sum()
            continue
        for j in range(len(centers)):
            u[i, j] = 1 / sum((d[j] / d[k]) ** (2 / (m - 1)) for k in range(len(centers)))
    return u


def by_loops(X, centers, m, steps, w=None):
    w = np.ones(len(X)) if w is None else w
    for _ in range(steps):
        s = memberships(X, centers, m) ** m * w[:, None]
        centers = np.array([(s[:, j, None] * X).sum(0) / s[:, j].sum() for j in range(len(centers))])
    u = memberships(X, centers, m)
    cost = sum(
        w[i] * u[i, j] ** m * ((X[i] - c) ** 2).sum() for i in range(len(X)) for j, c in enumerate(centers)
    )
    return centers, u, cost


@pytest.mark.filterwarnings("ignore:max_iter")
@pytest.mark.parametrize("m", [1.1, 1.5, 2.0, 3.0])
def test_it_is_bezdeks_algorithm(m):
    model = lw.FuzzyCMeans(3, m=m, init=START, max_iter=12, tol=0).fit(X)
    centers, u, cost = by_loops(X, START, m, model.n_iter_)
    assert_allclose(model.cluster_centers_, centers, rtol=1e-10)
    assert_allclose(model.memberships_, u, atol=1e-10)
    assert_allclose(model.objective_, cost, rtol=1e-10)
    assert_allclose(model.memberships_.sum(1), 1, atol=1e-12)
    Q = X[::7] + 0.1
    assert_allclose(model.predict_proba(Q), memberships(Q, centers, m), atol=1e-9)
    assert (model.predict(Q) == memberships(Q, centers, m).argmax(1)).all()


@pytest.mark.filterwarnings("ignore:max_iter")
def test_no_step_raises_the_objective():
    costs = [lw.FuzzyCMeans(3, init=START, max_iter=s, tol=0).fit(X).objective_ for s in range(1, 15)]
    assert (np.diff(costs) <= 1e-9).all() and costs[-1] < costs[0]


def test_its_limit_is_k_means():
    """Memberships become 0 or 1, centers scikit-learn's from the same start."""
    B, _ = make_blobs(200, centers=4, cluster_std=1.5, random_state=3)
    start = B[[0, 50, 100, 150]]
    hard = KMeans(4, init=start, n_init=1, tol=0, max_iter=300).fit(B)
    soft = lw.FuzzyCMeans(4, m=1.001, init=start, tol=1e-20).fit(B)
    assert_allclose(soft.cluster_centers_, hard.cluster_centers_, atol=1e-6)
    assert (soft.labels_ == hard.labels_).all()
    assert_allclose(soft.objective_, hard.inertia_, rtol=1e-3)
    assert np.minimum(soft.memberships_, 1 - soft.memberships_).max() < 0.5


def test_memberships_are_the_propagation_of_its_mechanism():
    model = lw.FuzzyCMeans(3, m=1.7, init=START).fit(X)
    P = model.mechanism_.operator(X, model.cluster_centers_)
    assert_allclose(P @ np.eye(3), model.memberships_, atol=1e-12)
    assert model.mechanism_ == model.mechanism
    again = lw.FuzzyCMeans.from_mechanism(model.mechanism)
    assert_allclose(again.m, 1.7)


def test_points_on_centers_belong_to_those_alone():
    P = np.array([[0.0], [0.0], [4.0], [4.0], [2.0]])
    u = lw.FuzzyCMeans(2, init=[[0.0], [4.0]], max_iter=1).fit(P[:4]).memberships_
    assert_allclose(u, [[1, 0], [1, 0], [0, 1], [0, 1]])
    same = lw.FuzzyCMeans(2, init=[[4.0], [4.0]], max_iter=1, tol=9).fit(P[2:4])
    assert_allclose(same.memberships_, 0.5)


def test_weights_are_copies():
    w = np.random.default_rng(0).integers(0, 3, len(X))
    repeated = lw.FuzzyCMeans(3, init=START).fit(np.repeat(X, w, axis=0))
    weighted = lw.FuzzyCMeans(3, init=START).fit(X, sample_weight=w)
    # The measure of rest is the variance of the rows, which counts copies: both have come to rest.
    assert_allclose(weighted.cluster_centers_, repeated.cluster_centers_, atol=2e-2)
    steps = by_loops(X, START, 2.0, weighted.n_iter_, w)
    assert_allclose(weighted.cluster_centers_, steps[0], rtol=1e-10)
    assert_allclose(weighted.objective_, steps[2], rtol=1e-10)


def test_starts_of_its_own():
    one = lw.FuzzyCMeans(3, random_state=0).fit(X)
    assert_allclose(one.cluster_centers_, lw.FuzzyCMeans(3, random_state=0).fit(X).cluster_centers_)
    many = lw.FuzzyCMeans(3, random_state=0, n_init=5).fit(X)
    assert many.objective_ <= one.objective_ + 1e-9
    assert adjusted_rand_score(SPECIES, one.labels_) > 0.7
    single = lw.FuzzyCMeans(3, init=START).fit(X.astype(np.float32))
    assert single.cluster_centers_.dtype == np.float32
    assert_allclose(single.cluster_centers_, lw.FuzzyCMeans(3, init=START).fit(X).cluster_centers_, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: lw.FuzzyCMeans(3, m=1.0).fit(X), "m must be a finite number above 1"),
        (lambda: lw.FuzzyCMeans(3, m=np.inf).fit(X), "m must be"),
        (lambda: lw.FuzzyCMeans(0).fit(X), "n_clusters must be in"),
        (lambda: lw.FuzzyCMeans(151).fit(X), "n_clusters must be in"),
        (lambda: lw.FuzzyCMeans(3, init=X[:2]).fit(X), "init must be of shape"),
        (lambda: lw.FuzzyCMeans(3, init="random").fit(X), "init must be"),
        (lambda: lw.FuzzyCMeans(3, tol=-1.0).fit(X), "tol must be"),
        (lambda: lw.FuzzyCMeans(3, n_init=0).fit(X), "n_init must be"),
        (lambda: lw.FuzzyCMeans(3, max_iter=0).fit(X), "max_iter must be"),
        (lambda: lw.FuzzyCMeans(3, init=START * 1e153).fit(X * 1e153), "X must be of magnitudes"),
        (
            lambda: lw.FuzzyCMeans(3).fit(X, sample_weight=np.r_[1.0, np.zeros(149)]),
            "n_clusters must be at most",
        ),
    ],
)
def test_messages(make, words):
    with pytest.raises(ValueError, match=words):
        make()
