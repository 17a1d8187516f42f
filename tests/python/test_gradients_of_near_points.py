"""P.vjp where a difference cancels or a slope has no bound: copies, near points, edges, and far points.

The answer is the chain rule in NumPy from x - z itself, which float64 holds exactly of near points.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import likewise as lw
from likewise import kernels, metrics, supports

W = np.array([[1.0, 0.5, 0.0], [0.3, 1.2, -0.4]])


def over(a, b):
    """a / b, and 0 where b is."""
    return np.divide(a, b, out=np.zeros(np.broadcast(a, b).shape), where=b != 0)


def root_of_squares(X, Z, W=None):
    D = X[:, None] - Z[None]
    if W is not None:
        D = D @ W.T
    d = np.sqrt((D**2).sum(-1))
    pull = over(D, d[..., None])
    return d, pull if W is None else pull @ W


def manhattan(X, Z):
    D = X[:, None] - Z[None]
    return np.abs(D).sum(-1), np.sign(D)


def chebyshev(X, Z):
    D = X[:, None] - Z[None]
    first = np.arange(D.shape[-1]) == np.abs(D).argmax(-1)[..., None]
    return np.abs(D).max(-1), np.sign(D) * first


def minkowski(X, Z):
    D = X[:, None] - Z[None]
    d = (np.abs(D) ** 3).sum(-1) ** (1 / 3)
    return d, np.sign(D) * over(np.abs(D), d[..., None]) ** 2


# name -> (metric, (d, its derivative by x; 0 at d = 0), the power of d of a cost, of what kneighbors reports)
METRICS = {
    "euclidean": (metrics.Euclidean(), root_of_squares, 1, 1),
    "sqeuclidean": (metrics.SquaredEuclidean(), root_of_squares, 2, 2),
    "mahalanobis": (metrics.Mahalanobis(W), lambda X, Z: root_of_squares(X, Z, W), 2, 1),
    "manhattan": (metrics.Manhattan(), manhattan, 1, 1),
    "chebyshev": (metrics.Chebyshev(), chebyshev, 1, 1),
    "minkowski": (metrics.Minkowski(3), minkowski, 1, 1),
}


def kernel_of(name, h):
    """The kernel of length h, its log weight and that one's slope by d; `p` is the power of d of a cost."""
    return {
        "gaussian": (kernels.Gaussian(h), lambda d, p: -0.5 * (d / h) ** 2, lambda d, p: -d / h / h),
        "exponential": (kernels.Exponential(h), lambda d, p: -(d**p) / h, lambda d, p: -p * d ** (p - 1) / h),
        "laplacian": (kernels.Laplacian(h), lambda d, p: -d / h, lambda d, p: -1 / h + 0 * d),
        "indicator": (kernels.Indicator(h), lambda d, p: np.log(1.0 * (d <= h)), lambda d, p: 0 * d),
        "epanechnikov": (
            kernels.Epanechnikov(h),
            lambda d, p: np.log(np.maximum(0, (1 - d / h) * (1 + d / h))),
            lambda d, p: np.where(d < h, over(-2 * d / h / h, (1 - d / h) * (1 + d / h)), 0),
        ),
        "tricube": (
            kernels.Tricube(h),
            lambda d, p: 3 * np.log(np.maximum(0, 1 - (d / h) ** 3)),
            lambda d, p: np.where(d < h, over(-9 / h * (d / h) ** 2, 1 - (d / h) ** 3), 0),
        ),
        "student_t": (
            kernels.StudentT(h, df=3),
            lambda d, p: -2 * np.log1p((d / h) ** 2 / 3),
            lambda d, p: -4 / 3 * d / h / h / (1 + (d / h) ** 2 / 3),
        ),
        "matern32": (
            kernels.Matern32(h),
            lambda d, p: np.log1p(3**0.5 * d / h) - 3**0.5 * d / h,
            lambda d, p: -3 * d / h / h / (1 + 3**0.5 * d / h),
        ),
        "matern52": (
            kernels.Matern52(h),
            lambda d, p: np.log1p(5**0.5 * d / h + 5 / 3 * (d / h) ** 2) - 5**0.5 * d / h,
            lambda d, p: (
                -5 / 3 * d / h / h * (1 + 5**0.5 * d / h) / (1 + 5**0.5 * d / h + 5 / 3 * (d / h) ** 2)
            ),
        ),
        **{
            f"alpha_decay_{a}": (
                kernels.AlphaDecay(h, decay=a),
                lambda d, p, a=a: -((d / h) ** a),
                lambda d, p, a=a: -a / h * np.power(d / h, a - 1, out=np.zeros_like(d), where=d > 0),
            )
            for a in (0.5, 1.0, 2.5, 40.0)
        },
    }[name]


KERNELS = (
    "gaussian",
    "exponential",
    "laplacian",
    "indicator",
    "epanechnikov",
    "tricube",
    "student_t",
    "alpha_decay_0.5",
    "alpha_decay_1.0",
    "alpha_decay_2.5",
    "matern32",
    "matern52",
)


def plain(metric, log_phi, slope, X, Z, V, G):
    """dL/d(log K), K, d and the derivatives of d, of L = sum G * (P V) with rows of P that sum to 1."""
    X, Z, V, G = (np.asarray(a, float) for a in (X, Z, V, G))
    _, distance, power, _ = METRICS[metric]
    d, pull = distance(X, Z)
    with np.errstate(divide="ignore"):
        L = log_phi(d, power)
    P = np.exp(L - L.max(1, keepdims=True))
    P /= P.sum(1, keepdims=True)
    by_d = P * (G @ V.T - (G * (P @ V)).sum(1, keepdims=True)) * slope(d, power)
    both = by_d[..., None] * pull
    return both.sum(1), -both.sum(0), -(by_d * d).sum()


def rows_of(n, seed, width=3):
    return np.random.default_rng(seed).normal(size=(n, width))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", KERNELS)
def test_copies_pull_nowhere(name, metric, dtype):
    """At distance 0 a slope may have no bound: 0 times infinity was NaN everywhere. The pair adds nothing."""
    X = np.repeat(rows_of(5, 0), [1, 3, 2, 1, 2], axis=0).astype(dtype)
    V, G = rows_of(9, 1, 2).astype(dtype), rows_of(9, 2, 2).astype(dtype)
    h = 2.5
    kernel, log_phi, slope = kernel_of(name, h)
    queries, keys, by_length = plain(metric, log_phi, slope, X, X, V, G)
    found = lw.Mechanism(metric=METRICS[metric][0], kernel=kernel).operator(X).vjp(G, V)
    tol = 1e-12 if dtype == np.float64 else 1e-5
    assert_allclose(found["points"], queries + keys, atol=tol, rtol=tol)
    power = METRICS[metric][2] if name == "exponential" else 1  # h of an exponential is a cost
    got = found["temperature" if name == "exponential" else "bandwidth"]
    assert_allclose(got, by_length / h / power, atol=tol, rtol=tol)


@pytest.mark.parametrize("metric", METRICS)
def test_copies_under_inverse_distance(metric):
    """1/d: copies share their row alone and pull nowhere; others pull by -1/d of what is reported."""
    Z = rows_of(6, 3)
    X = np.r_[Z[:2], rows_of(3, 4)]
    V, G = rows_of(6, 5, 2), rows_of(5, 6, 2)
    power = METRICS[metric][3]
    queries, _, _ = plain(
        metric, lambda d, p: -power * np.log(d), lambda d, p: -power / d, X[2:], Z, V, G[2:]
    )
    found = lw.Mechanism(metric=METRICS[metric][0], kernel="inverse_distance").operator(X, Z).vjp(G, V)
    assert_allclose(found["queries"][:2], 0)
    assert_allclose(found["queries"][2:], queries, rtol=1e-10)


def near_pairs(gap, dtype):
    """Points, and beside each a query and a second key about `gap` away."""
    K, e, f = rows_of(60, 7), rows_of(60, 8), rows_of(60, 9)
    unit = [a / np.linalg.norm(a, axis=1, keepdims=True) for a in (e, f)]
    return (K + gap * unit[0]).astype(dtype), np.r_[K, K + 0.7 * gap * unit[1]].astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "mahalanobis", "manhattan"])
@pytest.mark.parametrize("gap", [3e-7, 1e-10, 1e-13])
@pytest.mark.parametrize("name", [*KERNELS, "wide"])
def test_near_points(name, gap, metric, dtype):
    """A root of a cancelled square, a small bandwidth, or a sum over all keys that hides x - z: they were
    off by 1 % to a factor of 20."""
    gap = 1e4 * gap if dtype == np.float32 else gap
    X, Z = near_pairs(gap, dtype)
    V = rows_of(120, 10, 1).astype(dtype)
    G = np.ones((60, 1), dtype)
    h = 1.0 if name == "wide" else 3 * gap
    if name == "exponential" and METRICS[metric][2] == 2:
        h = h**2
    kernel, log_phi, slope = kernel_of("laplacian" if name == "wide" else name, h)
    queries, _, _ = plain(metric, log_phi, slope, X, Z, V, G)
    if not np.isfinite(queries).all():  # float32 rounds the pairs apart
        return
    m = lw.Mechanism(metric=METRICS[metric][0], kernel=kernel)
    # What is as narrow as the gap hangs on the weights too, whose points are rounded when they are centered.
    tol = 1e-9 + (0 if name == "wide" else 1e-15 / gap) if dtype == np.float64 else 1e-4
    size = np.linalg.norm(queries, axis=1)
    for mechanism in (m, m.replace(support=supports.Neighbors(120))):
        off = mechanism.operator(X, Z).vjp(G, V)["queries"] - queries
        assert np.linalg.norm(off, axis=1).max() <= tol * size.max()
        some = size > 1e-3 * size.max()
        assert (np.linalg.norm(off, axis=1) / np.where(some, size, np.inf)).max() <= tol


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean"])
@pytest.mark.parametrize("name", ["epanechnikov", "tricube"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_just_within_an_edge(dtype, name, metric):
    """The weight came from the pair, its slope from a rounded score: their product was any number."""
    rng = np.random.default_rng(11)
    spread = 1e4 if dtype == np.float64 else 10.0
    kernel, log_phi, slope = kernel_of(name, 1.0)
    for _ in range(300):
        q = rng.normal(size=(1, 3)) * spread
        u = rng.normal(size=3)
        u /= np.linalg.norm(u)
        inside = q + u * (1 - 10.0 ** rng.uniform(-9, -4))
        X, Z = (
            q.astype(dtype),
            np.r_[q + np.array([[0.5, 0, 0]]), inside, rng.normal(size=(3, 3)) * spread].astype(dtype),
        )
        V = np.array([[0], [1], [0], [0], [0]], dtype)
        queries, _, _ = plain(metric, log_phi, slope, X, Z, V, np.ones((1, 1)))
        found = lw.Mechanism(metric=metric, kernel=kernel).operator(X, Z).vjp(np.ones((1, 1), dtype), V)
        assert_allclose(found["queries"], queries, atol=(1e-7 if dtype == np.float64 else 1e-4) * 2)


def test_who_is_too_far_to_weigh_passes_nothing_back():
    """A slope or a cost beyond all numbers, of a pair of weight 0, made NaN of every gradient."""
    V, G = rows_of(3, 12, 1), rows_of(3, 13, 1)
    X = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 1.0]])
    for m, scale in (
        (lw.Mechanism(metric="manhattan", kernel=kernels.AlphaDecay(1.0)), 1e9),
        (lw.Mechanism(metric="euclidean", kernel=kernels.AlphaDecay(1.0)), 1e9),
        (lw.Mechanism(metric="manhattan", kernel=kernels.StudentT(1.0)), 1e200),
        (lw.Mechanism(metric="manhattan", kernel=kernels.Epanechnikov(1.0)), 1e200),
    ):
        found = m.operator(X * scale).vjp(G, V)
        assert_allclose(found["points"], 0, atol=1e-150)
        assert np.isfinite(found["bandwidth"])


def test_who_is_infinitely_far():
    """A user's metric may say infinity; times a weight of 0 it was NaN in the derivative by the bandwidth."""
    V, G = rows_of(3, 12, 1), rows_of(3, 13, 1)
    apart = metrics.Custom(lambda X, Z: np.where(X == Z.T, 0.5, np.inf), distance_power=1)
    for name in (*KERNELS, "alpha_decay_40.0"):
        kernel, _, _ = kernel_of(name, 1.0)
        found = lw.Mechanism(metric=apart, kernel=kernel).operator(np.arange(3.0)[:, None]).vjp(G, V)
        assert_allclose(found.get("bandwidth", found.get("temperature")), 0)


SQUARED = ("epanechnikov", "student_t", "indicator", "tricube", "matern52")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "mahalanobis"])
@pytest.mark.parametrize("support", [supports.AllPairs(), supports.Neighbors(8, include_self=True)], ids=str)
@pytest.mark.parametrize("name", SQUARED)
def test_a_small_bandwidth_hears_no_rounding_of_a_point_and_itself(name, support, metric, dtype):
    """Kind: sums over all pairs of slope times a cost that a product rounded; d(x, x) = 0 came as 1e-15,
    which is much to a bandwidth of 1e-7. Only copies are in reach, so the derivative is that of 0."""
    X = rows_of(30, 0).astype(dtype)
    ones = np.ones((30, 1), dtype)
    h = 1e-7 if name != "student_t" else 1e-3
    kernel = kernel_of(name, h)[0]
    m = lw.Mechanism(
        metric=METRICS[metric][0], kernel=kernel, support=support, normalization="none", empty_row="zero"
    )
    found = m.operator(X).vjp(ones, ones)["bandwidth"]
    wide = X.astype(np.longdouble)
    d, _ = METRICS[metric][1](wide, wide)
    if name == "student_t":  # weights 9 (h/d)^4, from far pairs alone
        if support != supports.AllPairs():
            return
        u = (d / h) ** 2 / 3
        want = np.sum(4 * u * (1 + u) ** -3.0) / h
        assert_allclose(found, float(want), rtol=1e-11 if dtype == np.float64 else 1e-4)
    else:
        assert found == 0
