"""Fitted models hold what is known of their points: found once, shared by threads, never in a pickle."""

import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import likewise as lw

K = 5


def nearest(X, Z, k):
    """Indices and distances of the k nearest by (distance, index), a query at a time."""
    found = []
    for x in X.astype(np.float64):
        d = np.sqrt(((Z.astype(np.float64) - x) ** 2).sum(axis=1))
        row = np.lexsort((np.arange(len(Z)), d))[:k]
        found.append((row, d[row]))
    return np.array([row for row, _ in found]), np.array([d for _, d in found])


def log_density(X, Z, h):
    squares = ((X[:, None].astype(np.float64) - Z[None].astype(np.float64)) ** 2).sum(axis=2)
    logs = -squares / (2 * h * h)
    top = logs.max(axis=1)
    mean = np.exp(logs - top[:, None]).mean(axis=1)
    return top + np.log(mean) - 0.5 * Z.shape[1] * np.log(2 * np.pi * h * h)


def points(n, d, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)).astype(dtype), rng.standard_normal((8, d)).astype(dtype)


def at_once(ask, rows):
    """ask(row) from one thread for each row, begun together."""
    gate = threading.Barrier(len(rows))

    def wait_and_ask(row):
        gate.wait()
        return ask(row)

    with ThreadPoolExecutor(len(rows)) as pool:
        return list(pool.map(wait_and_ask, rows))


# --- answers


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "d"), [(400, 3), (3000, 3), (3000, 30), (20_000, 2)])
def test_many_small_calls_agree_with_numpy_before_and_after_a_tree_has_grown(n, d, dtype):
    Z, _ = points(n, d, dtype)
    rng = np.random.default_rng(1)
    model = lw.NearestNeighbors(n_jobs=1).fit(Z)
    for size in [1] * 20 + [2, 3, 60, 1, 1]:
        X, k = rng.standard_normal((size, d)).astype(dtype), int(rng.integers(1, 40))
        indices, distances = nearest(X, Z, k)
        found = model.kneighbors(X, k)
        assert_array_equal(found[1], indices)
        assert_allclose(found[0], distances, rtol=1e-6 if dtype == np.float32 else 1e-14)


def test_what_was_learned_from_one_radius_serves_another():
    Z, X = points(4000, 2)
    model = lw.NearestNeighbors(n_jobs=1).fit(Z)
    for radius in (100.0, 0.01, 2.0, 0.1, 100.0, 0.5):  # from all to hardly any: now a tree pays, now not
        found = model.radius_neighbors(X, radius, return_distance=False)
        for x, row in zip(X, found):
            d = np.sqrt(((Z - x) ** 2).sum(axis=1))
            assert set(row) == set(np.flatnonzero(d <= radius))


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "cosine"])
def test_queries_of_all_sizes_meet_the_same_keys(metric):
    Z, X = points(2000, 20)
    model = lw.NearestNeighbors(metric=metric, algorithm="brute").fit(Z)
    for scale in (1.0, 1e6, 1e-6, 1.0):
        Q = scale * X
        if metric == "cosine":
            unit = [A / np.linalg.norm(A, axis=1, keepdims=True) for A in (Q, Z)]
            d = 1 - unit[0] @ unit[1].T
        elif metric == "manhattan":
            d = np.abs(Q[:, None] - Z[None]).sum(axis=2)
        else:
            d = np.sqrt(((Q[:, None] - Z[None]) ** 2).sum(axis=2))
        for size in (1, 2, len(Q)):
            distances, indices = model.kneighbors(Q[:size], K)
            expected = np.sort(d[:size], axis=1)[:, :K]
            assert_allclose(distances, expected, rtol=1e-9, atol=1e-12)
            assert_allclose(np.take_along_axis(d[:size], indices, axis=1), expected, rtol=1e-9, atol=1e-12)


def test_dot_products_with_long_and_short_queries():
    Z, X = points(2000, 10)
    metric = lw.metrics.DotProduct()
    model = lw.NearestNeighbors(metric=metric).fit(Z)
    for scale in (1.0, 1e8, 1e-8, 1.0):
        for size in (1, len(X)):
            indices = model.kneighbors(scale * X[:size], K, return_distance=False)
            assert_array_equal(indices, np.argsort(-(X[:size] @ Z.T), axis=1, kind="stable")[:, :K])


def test_float32_densities_of_near_and_far_queries_in_any_order():
    Z, X = points(2000, 3, np.float32)
    model = lw.KernelDensity(bandwidth=0.5).fit(Z)
    for offset in (0, 1000, 0, 1e5, 0):  # far ones need lifts in float64, near ones do not
        Q = X + np.float32(offset)
        assert_allclose(model.score_samples(Q), log_density(Q, Z, 0.5), rtol=2e-5)


def test_what_the_caller_does_to_the_points_later_is_no_affair_of_the_model():
    Z, X = points(600, 3)
    y = np.arange(600) % 3
    models = [
        lw.KNeighborsClassifier().fit(Z, y),
        lw.KernelClassifier(bandwidth=0.3).fit(Z, y),
        lw.LabelSpreading().fit(Z, y),
    ]
    before = [model.predict_proba(X) for model in models]
    Z[:] = 0
    for model, shares in zip(models, before):
        assert_array_equal(model.predict_proba(X), shares)


def test_r_is_found_once_and_right():
    Z, X = points(300, 3)
    y = Z[:, 0]
    model = lw.KernelRegressor(bandwidth=0.7, normalization="density").fit(Z, y)
    K_zz = np.exp(-((Z[:, None] - Z[None]) ** 2).sum(axis=2) / (2 * 0.49))
    K_xz = np.exp(-((X[:, None] - Z[None]) ** 2).sum(axis=2) / (2 * 0.49))
    weights = K_xz / K_zz.sum(axis=1)
    for size in (1, 3, len(X)):
        assert_allclose(model.predict(X[:size]), (weights @ y / weights.sum(axis=1))[:size], rtol=1e-10)


# --- tables of neighbors


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "kernel", ["indicator", lw.kernels.Gaussian(0.7), lw.kernels.Gaussian("self_tuning")]
)
def test_an_operator_takes_the_table_of_a_search(kernel, dtype):
    Z, X = points(300, 3, dtype)
    for symmetrize, include_self in (("union", False), ("none", True), ("average", False)):
        support = lw.supports.Neighbors(7, symmetrize=symmetrize, include_self=include_self)
        m = lw.Mechanism(metric="euclidean", kernel=kernel, support=support, normalization="density")
        table, _ = nearest(Z, Z, 8)  # NumPy's, the point itself first
        table = table[:, 1:] if not include_self else table[:, 1:7]
        shuffled = np.random.default_rng(0).permuted(table, axis=1)
        P, Q = m.operator(Z), m.operator(Z, neighbors=shuffled)
        assert_array_equal(P.toarray(), Q.toarray())
        asked, _ = nearest(X, Z, 7)
        assert_array_equal(m.operator(X, Z).toarray(), m.operator(X, Z, neighbors=asked).toarray())


def test_the_table_is_taken_and_not_searched_again():
    Z, _ = points(50, 2)
    m = lw.Mechanism(kernel="indicator", support=lw.supports.Neighbors(1, symmetrize="none"))
    other = (np.arange(50)[:, None] + 1) % 50  # no search finds this
    assert_array_equal(m.operator(Z, neighbors=other).toarray(), np.roll(np.eye(50), 1, axis=1))


@pytest.mark.parametrize(
    ("table", "got"),
    [
        ([[1], [2]], "2 x 1"),
        ([[1, 2], [0, 2], [3, 3], [0, 1]], "3 in row 2"),
        ([[1, 2], [0, 2], [0, 4], [0, 1]], "4 in row 2"),
        ([[1, 2], [0, 2], [0, -1], [0, 1]], "-1 in row 2"),
        ([[1, 2], [0, 1], [0, 1], [0, 1]], "1 in row 1"),
    ],
)
def test_a_table_that_no_search_gives_is_refused(table, got):
    m = lw.Mechanism(support=lw.supports.Neighbors(2))
    with pytest.raises(ValueError, match=f"neighbors must .*got {got}"):
        m.operator(np.arange(8.0).reshape(4, 2), neighbors=table)


def test_tables_belong_to_neighbors_and_hold_ints():
    Z = np.arange(8.0).reshape(4, 2)
    with pytest.raises(ValueError, match="support must be Neighbors where neighbors are given"):
        lw.Mechanism().operator(Z, neighbors=[[1], [0], [0], [0]])
    with pytest.raises(TypeError, match="neighbors must be an int array"):
        lw.Mechanism(support=lw.supports.Neighbors(1)).operator(Z, neighbors=[[1.0], [0], [0], [0]])


# --- threads


@pytest.mark.parametrize("d", [3, 30])
def test_eight_threads_that_ask_first_at_once_agree(d):
    Z, X = points(20_000, d)
    y = (Z[:, 0] > 0).astype(int)
    rows = [X[i : i + 1] for i in range(8)]
    indices, _ = nearest(X, Z, K)
    for _ in range(3):
        model = lw.KNeighborsClassifier(K, n_jobs=1).fit(Z, y)
        shares = at_once(model.predict_proba, rows)
        assert_allclose(np.concatenate(shares)[:, 1], y[indices].mean(axis=1), rtol=1e-15)
        density = lw.KernelDensity(bandwidth=1.0, n_jobs=1).fit(Z)
        assert_allclose(
            np.concatenate(at_once(density.score_samples, rows)), log_density(X, Z, 1.0), rtol=1e-9
        )
        P = lw.Mechanism(kernel=lw.kernels.Gaussian(1.0)).operator(Z)
        found = at_once(partial(_mean_at, P, Z), rows)
        weights = np.exp(-((X[:, None] - Z[None]) ** 2).sum(axis=2) / 2)
        assert_allclose(np.concatenate(found), weights @ Z / weights.sum(axis=1, keepdims=True), rtol=1e-9)


def _mean_at(P, Z, row):
    return P.at(row) @ Z


# --- memory

CHILD = """
import resource, sys
import numpy as np
import likewise as lw

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

def held():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

rng = np.random.default_rng(0)
X, y, q = rng.standard_normal((200_000, 50)), rng.integers(0, 3, 200_000), rng.standard_normal((1, 50))
fit = {"neighbors": lambda n: lw.KNeighborsClassifier(n_jobs=1).fit(X[:n], y[:n]),
       "density": lambda n: lw.KernelDensity(bandwidth=1.0, n_jobs=1).fit(X[:n])}[sys.argv[1]]
ask = {"neighbors": lambda m: m.predict(q), "density": lambda m: m.score_samples(q)}[sys.argv[1]]
ask(fit(1000))  # imports
start = held()
model = fit(len(X))
for _ in range(80):  # rows that come alone are compared with the points themselves first, a lift comes later
    ask(model)
kept, before = held() - start, peak()
ballast = np.ones(max(0, before - held()) // 8 + 1)  # what was freed since the peak does not hide anything
before = peak()
for _ in range(20):
    ask(model)
print(kept / X.nbytes, (peak() - before) / X.nbytes)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("model", ["neighbors", "density"])
def test_a_model_holds_its_points_twice_at_most_and_a_call_makes_no_copy(model):
    done = subprocess.run([sys.executable, "-c", CHILD, model], capture_output=True, text=True, check=True)
    kept, by_calls = map(float, done.stdout.split())
    assert kept < 2.15  # and labels, log weights: 10 MB beside 80
    assert by_calls < 0.1


def test_a_pickle_holds_the_points_and_nothing_that_can_be_made_again():
    Z, X = points(20_000, 10)
    y = np.zeros(20_000, int)
    models = {
        "neighbors": (lw.KNeighborsClassifier().fit(Z, y), y.nbytes),
        "density": (lw.KernelDensity(bandwidth=1.0).fit(Z), 8 * len(Z)),  # weights of sum 1
        "memory": (lw.HopfieldMemory().fit(Z), 0),
    }
    for name, (model, beside) in models.items():
        ask = getattr(
            model, {"neighbors": "predict_proba", "density": "score_samples", "memory": "energy"}[name]
        )
        before = [ask(X), ask(X[:1]), ask(X)]
        written = pickle.dumps(model)
        assert len(written) < Z.nbytes + beside + 10_000, name
        again = pickle.loads(written)
        found = getattr(again, ask.__name__)(X)
        assert_array_equal(found, before[0])


def _doubled_manhattan(X, Z):
    return 2 * np.abs(X[:, None] - Z[None]).sum(axis=2)


def test_a_function_metric_survives_a_pickle():
    Z, X = points(200, 3)
    metric = lw.metrics.Custom(_doubled_manhattan, symmetric=True, zero_on_self=True, distance_power=1)
    d = _doubled_manhattan(X, Z)
    y = Z[:, 0]
    neighbors = pickle.loads(pickle.dumps(lw.KNeighborsRegressor(3, metric=metric).fit(Z, y)))
    assert_allclose(neighbors.predict(X), y[np.argsort(d, axis=1)[:, :3]].mean(axis=1), rtol=1e-12)
    smooth = lw.KernelRegressor(metric=metric, kernel="laplacian", bandwidth=2.0).fit(Z, y)
    K_xz = np.exp(-d / 2)
    found = pickle.loads(pickle.dumps(smooth)).predict(X)
    assert_allclose(found, K_xz @ y / K_xz.sum(axis=1), rtol=1e-10)


def test_what_is_held_is_told():
    Z, X = points(20_000, 30)
    model = lw.NearestNeighbors(algorithm="brute").fit(Z)
    empty = model._points.keys.nbytes
    assert empty == Z.nbytes + 8 * len(Z)
    model.kneighbors(X)
    assert empty < model._points.keys.nbytes <= 2 * Z.nbytes + 16 * len(Z)
