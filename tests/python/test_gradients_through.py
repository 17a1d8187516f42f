"""Gradients through powers, equilibria and spectra against central differences of the results themselves."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from sklearn.datasets import make_moons
from sklearn.exceptions import ConvergenceWarning

import likewise as lw
from likewise import kernels, metrics, normalizations, supports
from likewise.gradients import eigen_vjp, equilibrium_vjp, power_vjp

RULES = {
    "row": "row",
    "symmetric": "symmetric",
    "density": normalizations.Density(0.6),
    "bistochastic": normalizations.Bistochastic(tol=1e-13, max_iter=5000),
}
N, D = 14, 3
STEP = 1e-5


def sample(rows, columns, seed):
    return np.random.default_rng(seed).normal(size=(rows, columns))


X, W, V = sample(N, D, 0), np.eye(D) + 0.3 * sample(D, D, 1), sample(N, 2, 2)
G, T = sample(N, 2, 3), 2.5
CLAMPED = np.arange(N) % 4 == 0


def make(X=X, W=W, t=T, log_w=None, rule="row", support="all", kernel=None):
    m = lw.Mechanism(
        metric=metrics.Mahalanobis(W),
        kernel=kernels.Exponential(float(t)) if kernel is None else kernel,
        support=support,
        normalization=RULES[rule],
    )
    return m.operator(X, log_key_weights=log_w)


def slopes(f, at):
    """Central differences of a number by each entry of `at`."""
    at = np.array(at, dtype=float)
    found = np.empty_like(at)
    for i in np.ndindex(at.shape):
        up, down = at.copy(), at.copy()
        up[i] += STEP
        down[i] -= STEP
        found[i] = (f(up) - f(down)) / (2 * STEP)
    return found


def check(found, loss, what=("points", "factor", "temperature"), atol=1e-6, **slots):
    """loss(**changed) is the scalar as a function of the operator's makings."""
    if "points" in what:
        assert_allclose(found["points"], slopes(lambda x: loss(X=x, **slots), X), atol=atol)
    if "factor" in what:
        assert_allclose(found["metric"]["factor"], slopes(lambda w: loss(W=w, **slots), W), atol=atol)
    if "temperature" in what:
        assert_allclose(found["temperature"], slopes(lambda t: loss(t=t, **slots), T), atol=atol)
    if "log_key_weights" in what:
        want = slopes(lambda u: loss(log_w=u, **slots), np.zeros(N))
        assert_allclose(found["log_key_weights"], want, atol=atol)


# --- t steps


@pytest.mark.parametrize("t", [1, 2, 5])
@pytest.mark.parametrize("rule", list(RULES))
def test_powers(rule, t):
    def loss(V=V, **changed):
        return (G * make(rule=rule, **changed).power(t, V)).sum()

    found = power_vjp(make(rule=rule), t, G, V)
    check(found, loss, ("points", "factor", "temperature", "log_key_weights"))
    assert_allclose(found["values"], slopes(lambda v: loss(V=v), V), atol=1e-7)


def test_no_step_a_vector_and_one_step():
    P = make()
    found = power_vjp(P, 0, G, V)
    assert_allclose(found["values"], G)
    assert np.all(found["points"] == 0) and found["temperature"] == 0
    one, bare = power_vjp(P, 1, G[:, 0], V[:, 0]), P.vjp(G[:, 0], V[:, 0])
    assert one["values"].shape == (N,)
    for name in ("values", "points", "temperature", "log_key_weights"):
        assert_allclose(one[name], bare[name], rtol=1e-12)


def test_powers_of_a_graph():
    support = supports.Neighbors(5)
    pattern = make(support=support).tocsr()

    def loss(X):
        held = supports.Graph(pattern)
        return (G * make(X=X, support=held).power(3, V)).sum()

    assert_allclose(power_vjp(make(support=support), 3, G, V)["points"], slopes(loss, X), atol=1e-6)


# --- equilibria


@pytest.mark.parametrize("alpha", [0.3, 0.9, 0.99])
@pytest.mark.parametrize("rule", list(RULES))
def test_soft_equilibria(rule, alpha):
    def loss(V=V, **changed):
        return (G * make(rule=rule, **changed).equilibrium(V, alpha=alpha, tol=1e-13)[0]).sum()

    found = equilibrium_vjp(make(rule=rule), G, V, alpha=alpha)
    check(found, loss, ("points", "factor", "temperature", "log_key_weights"), atol=3e-6)
    assert_allclose(found["values"], slopes(lambda v: loss(V=v), V), atol=1e-7)


@pytest.mark.parametrize("support", ["all", "leave_one_out"])
@pytest.mark.parametrize("rule", ["row", "density"])
def test_clamped_equilibria(rule, support):
    slots = {"rule": rule, "support": support}

    def loss(V=V, **changed):
        return (G * make(**{**slots, **changed}).equilibrium(V, clamped=CLAMPED, tol=1e-13)[0]).sum()

    P = make(**slots)
    found = equilibrium_vjp(P, G, V, clamped=CLAMPED)
    check(found, loss, ("points", "factor", "temperature", "log_key_weights"), atol=2e-6)
    assert_allclose(found["values"], slopes(lambda v: loss(V=v), V), atol=1e-7)
    # By the dense formula: F_u = (I - P_uu)^-1 P_ul V_l.
    A = P.toarray()
    m = np.zeros_like(G)
    u = ~CLAMPED
    m[u] = np.linalg.solve(np.eye(u.sum()) - A[np.ix_(u, u)].T, G[u])
    assert_allclose(found["values"][CLAMPED], (G + A.T @ m)[CLAMPED], rtol=1e-8)
    again = equilibrium_vjp(P, G, V, clamped=CLAMPED, solution=P.equilibrium(V, clamped=CLAMPED))
    assert_allclose(again["points"], found["points"], atol=1e-7)


@pytest.mark.parametrize("dense_up_to", [0, N])
def test_equilibria_of_a_directed_mechanism(dense_up_to, monkeypatch):
    monkeypatch.setattr("likewise.gradients._DENSE_UP_TO", dense_up_to)  # 0: GMRES

    def made(A):
        m = lw.Mechanism(metric=metrics.Bilinear(A, W), kernel=kernels.Exponential(3.0))
        return m.operator(X)

    for how in ({"alpha": 0.8}, {"clamped": CLAMPED}):

        def loss(A, how=how):
            return (G * made(A).equilibrium(V, tol=1e-13, **how)[0]).sum()

        P = made(W.T)
        assert P.asymmetry
        found = equilibrium_vjp(P, G, V, **how)
        assert_allclose(found["metric"]["query_factor"], slopes(loss, W.T), atol=1e-6)


def test_bandwidth_and_points_that_no_label_reaches():
    Z = np.r_[X, 100 + X]  # two groups that a compact kernel does not join; labels in the first only
    clamped = np.r_[CLAMPED, np.zeros(N, bool)]
    values, grad = np.r_[V, V], np.r_[G, G]

    def made(h):
        m = lw.Mechanism(kernel=kernels.Epanechnikov(float(h)), support="leave_one_out")
        return m.operator(Z)

    def loss(h):
        return (grad * made(h).equilibrium(values, clamped=clamped, tol=1e-13)[0]).sum()

    P = made(6.0)
    _, report = P.equilibrium(values, clamped=clamped)
    assert report.unreached.sum() == N
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # their rows would be a singular system
        found = equilibrium_vjp(P, grad, values, clamped=clamped)
    assert_allclose(found["bandwidth"], slopes(loss, 6.0), rtol=1e-5)
    assert np.all(found["values"][N:] == 0)


def test_weak_links_and_spread_laws_are_solved():
    rng = np.random.default_rng(4)
    Z = np.r_[rng.normal(size=(20, 2)), rng.normal(size=(20, 2)) + 6]  # P between them about 1e-7
    clamped = np.zeros(40, bool)
    clamped[:2] = True
    values, grad = rng.normal(size=(40, 1)), rng.normal(size=(40, 1))
    P = lw.Mechanism(kernel=kernels.Gaussian(0.8)).operator(Z)
    A = P.toarray()
    u = ~clamped
    m = np.zeros((40, 1))
    m[u] = np.linalg.solve(np.eye(38) - A[np.ix_(u, u)].T, grad[u])
    found = equilibrium_vjp(P, grad, values, clamped=clamped)
    assert_allclose(found["values"][clamped], (grad + A.T @ m)[clamped], rtol=1e-5)


def test_groups_without_a_link_that_counts_are_a_singular_system_and_warn():
    Z = np.r_[X, 100 + X]
    m = lw.Mechanism(kernel=kernels.Gaussian(1.0), support=supports.Neighbors(3, symmetrize="none"))
    clamped = np.r_[CLAMPED, np.zeros(N, bool)]
    values, grad = np.r_[V, V], np.r_[G, G]
    F = np.r_[V, np.zeros_like(V)]
    said = SimpleNamespace(unreached=np.zeros(2 * N, bool))
    with pytest.warns(ConvergenceWarning, match="links are below rounding"):
        found = equilibrium_vjp(m.operator(Z), grad, values, clamped=clamped, solution=(F, said))
    assert np.abs(found["values"]).max() < 1e3 and np.abs(found["bandwidth"]) < 1e3


def test_a_system_that_is_not_solved_warns():
    P = make()
    with pytest.warns(ConvergenceWarning, match="max_iter=1 was reached"):
        equilibrium_vjp(P, G, V, alpha=0.99, max_iter=1)


# --- spectra


def aligned(v, like):
    return v * np.sign((v * like).sum(axis=0))


@pytest.mark.parametrize("k", [1, 3, N])
@pytest.mark.parametrize("rule", list(RULES))
def test_eigenvalues_and_vectors(rule, k):
    slots = {"rule": rule, "t": T}
    P = make(**slots)
    w, v = P.eigsh(k)
    by_w, by_v = sample(k, 1, 5)[:, 0], sample(N, k, 6)

    def loss(**changed):
        got_w, got_v = make(**{**slots, **changed}).eigsh(k, tol=1e-13)
        return by_w @ got_w + (by_v * aligned(got_v, v)).sum()

    found = eigen_vjp(P, w, v, by_w, by_v, min_gap=1e-9)
    scale = 1 / np.abs(np.diff(P.eigsh(N)[0])).min()  # differences too lose what a gap divides
    atol = 2e-5 if k < N else 1e-4 * scale
    want = ("points", "factor", "temperature", "log_key_weights") if k < N else ("temperature",)
    check(found, loss, want, atol=atol)
    assert "values" not in found


def test_eigenvalues_alone():
    P = make()
    w, v = P.eigsh(4)
    by_w = np.array([0.0, 1.0, -2.0, 0.5])

    def loss(**changed):
        return by_w @ make(**changed).eigsh(4, return_eigenvectors=False, tol=1e-13)

    check(eigen_vjp(P, w, v, by_w), loss, atol=1e-7)


def test_an_unnormalized_kernel_and_its_key_weights():
    log_w = 0.3 * sample(N, 1, 7)[:, 0]
    by_w, by_v = sample(2, 1, 8)[:, 0], sample(N, 2, 9)

    def made(u):
        m = lw.Mechanism(metric="sqeuclidean", kernel=kernels.Exponential(T), normalization="none")
        return m.operator(X, log_key_weights=u)

    w, v = made(log_w).eigsh(2)

    def loss(u):
        got_w, got_v = made(u).eigsh(2, tol=1e-13)
        return by_w @ got_w + (by_v * aligned(got_v, v)).sum()

    found = eigen_vjp(made(log_w), w, v, by_w, by_v)
    assert_allclose(found["log_key_weights"], slopes(loss, log_w), atol=1e-5)


def test_embedding_of_a_graph():
    support = supports.Neighbors(6, symmetrize="average", include_self=True)
    P = make(support=support, rule="symmetric")
    pattern = P.tocsr()
    w, v = P.eigsh(3)
    by_v = sample(N, 3, 10)

    def loss(X):
        held = supports.Graph(pattern)
        _, got = make(X=X, support=held, rule="symmetric").eigsh(3, tol=1e-13)
        return (by_v * aligned(got, v)).sum()

    P = make(support=supports.Graph(pattern), rule="symmetric")
    w, v = P.eigsh(3)
    assert_allclose(eigen_vjp(P, w, v, None, by_v)["points"], slopes(loss, X), atol=3e-5)


def test_coinciding_eigenvalues_are_refused():
    angle = 2 * np.pi * np.arange(16) / 16  # a ring: 1, then pairs
    P = lw.Mechanism(kernel=kernels.Gaussian(0.7)).operator(np.c_[np.cos(angle), np.sin(angle)])
    w, v = P.eigsh(4)
    with pytest.raises(ValueError, match=r"eigenvalues 1 and 2, 0\.\d+ and 0\.\d+, coincide \(gap .*\)"):
        eigen_vjp(P, w[:3], v[:, :3], grad_v=np.eye(16)[:, :3])
    with pytest.raises(ValueError, match="eigenvalues 3 and 4"):  # its twin was not asked for
        eigen_vjp(P, w, v, grad_w=np.array([0.0, 0, 0, 1]))
    with pytest.raises(ValueError, match="coincide"):  # two components: 1 comes twice
        two = lw.Mechanism(kernel=kernels.Epanechnikov(3.0)).operator(np.r_[X, X + 100])
        w2, v2 = two.eigsh(3)
        eigen_vjp(two, w2, v2, grad_v=np.ones((2 * N, 3)))
    only_simple = np.zeros(4)
    only_simple[0] = 1
    found = eigen_vjp(P, w, v, grad_w=only_simple)
    assert_allclose(found["points"], 0, atol=1e-12)  # eigenvalue 1 stays 1


# --- what it is for: a metric and a bandwidth from a few labels


def test_label_propagation_learns_its_metric_and_bandwidth_from_few_labels():
    rng = np.random.default_rng(0)
    Z, y = make_moons(200, noise=0.1, random_state=0)
    Z = np.c_[Z, rng.normal(size=(200, 3))]  # the last three say nothing
    labeled = np.zeros(200, bool)
    for c in (0, 1):
        labeled[rng.choice(np.flatnonzero(y == c), 10, replace=False)] = True
    Y = np.eye(2)[y]
    half = labeled & (np.cumsum(labeled) % 2 == 0)

    def operator(w):
        m = lw.Mechanism(
            metric=metrics.Mahalanobis(np.diag(w)), kernel=kernels.Exponential(1.0), support="leave_one_out"
        )
        return m.operator(Z)

    def accuracy(w):
        F, _ = operator(w).equilibrium(Y, clamped=labeled)
        return (F.argmax(axis=1) == y)[~labeled].mean()

    def loss(w):
        """Each half of the labels tells the other, log loss; the metric's scale is the bandwidth."""
        P, total, slope = operator(w), 0.0, np.zeros(len(w))
        for clamped in (half, labeled & ~half):
            asked = labeled & ~clamped
            solution = P.equilibrium(Y, clamped=clamped)
            p = np.clip(solution[0], 1e-6, 1)
            total -= (Y * np.log(p))[asked].sum()
            grad = np.where(asked[:, None], -Y / p, 0)
            found = equilibrium_vjp(P, grad, Y, clamped=clamped, solution=solution)
            slope += found["metric"]["factor"].diagonal()
        return total + 0.01 * w @ w, slope + 0.02 * w

    start = np.full(5, 1.5)
    assert_allclose(loss(start)[1], slopes(lambda w: loss(w)[0], start), rtol=1e-4, atol=1e-5)
    learned = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 40}).x
    assert accuracy(learned) >= accuracy(start) + 0.05
    assert np.abs(learned[:2]).min() > np.abs(learned[2:]).max()
    # The same in the estimator, which takes the learned metric.
    model = lw.LabelPropagation(
        lw.Mechanism(metric=metrics.Mahalanobis(np.diag(learned)), kernel=kernels.Exponential(1.0))
    ).fit(Z, np.where(labeled, y, -1))
    assert (model.transduction_ == y)[~labeled].mean() == pytest.approx(accuracy(learned), abs=0.02)


# --- bad input


def test_errors_name_the_argument():
    P = make()
    w, v = P.eigsh(2)
    cross = P.at(X[:4])
    for call in (
        lambda: power_vjp(cross, 2, G, V),
        lambda: equilibrium_vjp(cross, G, V, alpha=0.5),
        lambda: eigen_vjp(cross, w, v, w),
    ):
        with pytest.raises(TypeError, match="P must be a SelfOperator"):
            call()
    with pytest.raises(ValueError, match="t must be"):
        power_vjp(P, -1, G, V)
    with pytest.raises(TypeError, match="t must be"):
        power_vjp(P, 1.5, G, V)
    with pytest.raises(ValueError, match="grad_Y must have V's shape"):
        power_vjp(P, 2, G[:, :1], V)
    with pytest.raises(ValueError, match="grad_F must have V's shape"):
        equilibrium_vjp(P, G[:4], V, alpha=0.5)
    with pytest.raises(ValueError, match="clamped or alpha"):
        equilibrium_vjp(P, G, V)
    with pytest.raises(ValueError, match="clamped or alpha"):
        equilibrium_vjp(P, G, V, clamped=CLAMPED, alpha=0.5)
    with pytest.raises(ValueError, match="V must have 14 rows"):
        power_vjp(P, 2, G[:4], V[:4])
    with pytest.raises(ValueError, match="grad_w or grad_v"):
        eigen_vjp(P, w, v)
    with pytest.raises(ValueError, match="v must be eigenvectors"):
        eigen_vjp(P, w, v[:4], w)
    with pytest.raises(ValueError, match="w must have shape"):
        eigen_vjp(P, w[:1], v, w)
    with pytest.raises(ValueError, match="grad_v must have shape"):
        eigen_vjp(P, w, v, None, v[:, :1])
    directed = lw.Mechanism(metric="dot", kernel=kernels.Exponential(1.0), support="causal").operator(X)
    with pytest.raises(ValueError, match="P must have a symmetric"):
        eigen_vjp(directed, w, v, w)
    shrunk = lw.Mechanism(
        kernel=kernels.Gaussian(1.0), normalization=normalizations.RowStochastic(0.5)
    ).operator(X)
    w, v = shrunk.eigsh(2)
    with pytest.raises(ValueError, match="grad_v must be None with a null_mass"):
        eigen_vjp(shrunk, w, v, w, v)
    assert np.isfinite(eigen_vjp(shrunk, w, v, w)["points"]).all()
