"""Points that coincide, times beyond all numbers of steps: limits that formulas have."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import expm

import likewise as lw
from likewise import kernels

# --- repeated points


@pytest.mark.parametrize("bin_seeding", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_mean_shift_whose_estimated_bandwidth_is_0(bin_seeding, dtype):
    """A grid of width 0 made NaN of the seeds; each place is a mode."""
    X = np.repeat([[0.1, 0.7], [5.3, 5.1], [9.7, 0.3]], [40, 40, 40], axis=0).astype(dtype)
    assert lw.estimate_bandwidth(X) == 0
    ours = lw.MeanShift(bin_seeding=bin_seeding).fit(X)
    places = X[::40]
    assert_allclose(ours.cluster_centers_[np.argsort(ours.cluster_centers_[:, 0])], places, rtol=1e-6)
    assert_allclose(ours.cluster_centers_[ours.labels_], X, rtol=1e-6)
    assert ours.report_.converged


def self_tuning_by_hand(X, n_neighbors=7):
    """s_i: the distance to the 7th neighbor, or where that is 0 to the nearest place elsewhere."""
    D = np.sqrt(((X[:, None] - X) ** 2).sum(2))
    s = np.sort(D, axis=1)[:, min(n_neighbors, len(X) - 1)]
    elsewhere = np.where(D > 0, D, np.inf).min(axis=1)
    s = np.where(s > 0, s, elsewhere)
    return np.exp(-(D**2) / (2 * s[:, None] * s))


@pytest.mark.parametrize("unit", [1.0, 1e-6, 1e6])
@pytest.mark.parametrize("weighted", [False, True])
def test_self_tuning_knows_no_unit(unit, weighted):
    """Where 8 copies share each place all scales were 0 and became 1, so that the unit decided."""
    places = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [5.0, 5.0]]) * unit
    X = np.repeat(places, 9, axis=0)
    K = self_tuning_by_hand(X)
    m = lw.Mechanism(metric="euclidean", kernel=kernels.Gaussian("self_tuning"), normalization="none")
    log_w = None
    if weighted:  # a place of weight 9 is nine points in one place
        X, K, log_w = places, K[::9, ::9], np.full(4, np.log(9.0))
    P = m.operator(X, log_key_weights=log_w)
    assert_allclose(P.toarray() / (9 if weighted else 1), K, rtol=1e-12)
    some = np.r_[X, places[:1] + unit * np.array([[3.0, 1.0], [2.0, 0.5]])]
    if not weighted:  # copies beside points with a scale of their own
        assert_allclose(m.operator(some).toarray(), self_tuning_by_hand(some), rtol=1e-12)


# --- long times


def walk(n=12):
    X = np.random.default_rng(0).normal(size=(n, 2))
    return lw.Mechanism(metric="euclidean", kernel=kernels.Gaussian(1.0)).operator(X)


def stationary(P):
    """The one left eigenvector of eigenvalue 1."""
    w, V = np.linalg.eig(P.toarray().T)
    pi = np.real(V[:, np.argmax(np.real(w))])
    return pi / pi.sum()


@pytest.mark.parametrize("t", [1e4, 1e6, 1e9, 1e12, 1e300])
def test_heat_after_a_long_time_is_the_mean(t):
    """The number of terms overflowed an int, and the series of no term is 0."""
    P = walk()
    v = np.arange(12.0)
    assert_allclose(P.heat(t, v), np.full(12, stationary(P) @ v), rtol=1e-12)
    assert_allclose(P.heat(t).T @ v, v.sum() * stationary(P), rtol=1e-10)


@pytest.mark.parametrize("t", [0.0, 0.3, 20.0, 700.0, 5000.0])
def test_heat_of_any_time_is_the_matrix_exponential(t):
    """Cut into parts, the series still is exp(-t (I - P)); on a slow path too."""
    for n in (5, 40):
        m = lw.Mechanism(metric="euclidean", kernel=kernels.Indicator(1.0))
        P = m.operator(np.arange(float(n))[:, None])
        v = np.cos(np.arange(n))
        assert_allclose(P.heat(t, v), expm(-t * (np.eye(n) - P.toarray())) @ v, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("t", [1000, 2**31 + 5, 10**12, 10**30, 10**30 + 1])
def test_powers_beyond_all_steps(t):
    """Exponents above 2^31 were no int of C++; a bipartite walk still tells odd from even times."""
    P = walk()
    v = np.arange(12.0)
    assert_allclose(P.power(t, v), np.full(12, stationary(P) @ v), rtol=1e-12)
    swap = lw.Mechanism(metric="euclidean", kernel="indicator", support="leave_one_out").operator(
        [[0.0], [1.0]]
    )
    np.testing.assert_array_equal(swap.power(t, np.array([3.0, 7.0])), [7, 3] if t % 2 else [3, 7])
    half = lw.Mechanism(metric="euclidean", kernel="indicator", normalization="none").operator([[0.0]])
    np.testing.assert_array_equal(half.power(t, np.array([2.0])), [2])


def test_powers_are_powers_until_they_rest():
    """Rest is judged by what a product still changes: a path of 30 points mixes in thousands of steps."""
    m = lw.Mechanism(metric="euclidean", kernel=kernels.Indicator(1.0))
    P = m.operator(np.arange(30.0)[:, None])
    v = np.cos(np.arange(30.0))
    for t in (1, 63, 64, 65, 127, 128, 500, 3001, 20000):
        assert_allclose(P.power(t, v), np.linalg.matrix_power(P.toarray(), t) @ v, rtol=1e-8, atol=1e-11)


def test_a_walk_that_does_not_come_to_rest_says_so():
    m = lw.Mechanism(metric="euclidean", kernel=kernels.Indicator(1.0))
    P = m.operator(np.arange(3000.0)[:, None], storage="sparse")
    with pytest.raises(ValueError, match="t must be such that the columns come to rest"):
        P.heat(1e12, np.arange(3000.0))


# --- what is shown


def test_a_report_shows_what_it_knows():
    """It printed an address."""
    report = lw.SpectralEmbedding(1, affinity="rbf").fit([[0.0], [1.0], [2.5]]).report_
    assert repr(report) == (
        f"SpectrumReport(n_iter={report.n_iter}, residual={report.residual!r}, converged={report.converged}, "
        f"solver={report.solver!r}, certificate={report.certificate!r})"
    )
