"""Equilibria of operators against dense solves."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

import likewise as lw


def harmonic(P, V, clamped):
    """F_u = (I - P_uu)^-1 P_ul V_l."""
    F, u = V.astype(float).copy(), ~clamped
    F[u] = np.linalg.solve(np.eye(u.sum()) - P[np.ix_(u, u)], P[np.ix_(u, clamped)] @ V[clamped])
    return F


@pytest.mark.parametrize("support", ["all", lw.supports.Neighbors(8)])
@pytest.mark.parametrize("normalization", ["row", "density"])
@pytest.mark.parametrize("solver", ["auto", "cg", "bicgstab", "direct", "iterate"])
def test_clamped(support, normalization, solver):
    X, y = load_iris(return_X_y=True)
    V = np.eye(3)[y]
    clamped = np.random.RandomState(0).rand(len(X)) < 0.2
    slots = {"support": support, "normalization": normalization}
    P = lw.Mechanism(metric="euclidean", kernel=lw.kernels.Gaussian(0.4), **slots).operator(X)
    F, report = P.equilibrium(V, clamped=clamped, solver=solver, tol=1e-11, max_iter=20000)
    assert_allclose(F, harmonic(P.toarray(), V, clamped), atol=1e-7)
    assert report.converged and report.residual < 1e-9 and not report.unreached.any()
    column, _ = P.equilibrium(V[:, 0], clamped=clamped, solver=solver, tol=1e-11, max_iter=20000)
    assert_allclose(column, F[:, 0], atol=1e-9)


@pytest.mark.parametrize("alpha", [0.2, 0.99])
@pytest.mark.parametrize(
    "slots",
    [
        {"support": "leave_one_out", "normalization": "symmetric"},
        {"normalization": "row"},
        {"normalization": "bistochastic"},
        {"support": lw.supports.Neighbors(5, symmetrize="none")},  # directed
    ],
)
def test_soft(alpha, slots):
    X, y = load_iris(return_X_y=True)
    P = lw.Mechanism(metric="euclidean", kernel=lw.kernels.Gaussian(0.4), **slots).operator(X)
    F, report = P.equilibrium(np.eye(3)[y], alpha=alpha, tol=1e-12)
    assert report.converged and report.n_iter > 0 and "converged=True" in repr(report)
    want = (1 - alpha) * np.linalg.solve(np.eye(len(X)) - alpha * P.toarray(), np.eye(3)[y])
    assert_allclose(F, want, atol=1e-9)


@pytest.mark.parametrize("start", ["zero", "V"])
def test_iteration_error_is_bounded_by_powers_of_alpha(start):
    """Identity 5 of likewise.identities, in the norm of a symmetric S."""
    rng = np.random.RandomState(1)
    X, V, alpha = rng.randn(40, 2), rng.rand(40, 2), 0.7
    S = lw.Mechanism(kernel=lw.kernels.Gaussian(1.0), normalization="symmetric").operator(X)
    star = (1 - alpha) * np.linalg.solve(np.eye(40) - alpha * S.toarray(), V)
    F = np.zeros_like(V) if start == "zero" else V
    first = np.linalg.norm(F - star)
    for t in range(1, 20):
        F = alpha * (S @ F) + (1 - alpha) * V
        assert np.linalg.norm(F - star) <= alpha**t * first * (1 + 1e-12)


def test_the_solver_converges_where_iteration_does_not():
    n = 101  # a path whose ends are clamped to 0 and 1: a straight line
    path = sparse.diags([np.ones(n - 1)] * 2, [-1, 1], format="csr")
    P = lw.Mechanism(support=lw.supports.Graph(path, weights="given"), kernel="indicator").operator(
        np.zeros((n, 1))
    )
    V, clamped = np.linspace(0, 1, n), np.zeros(n, bool)
    clamped[[0, -1]] = True
    F, report = P.equilibrium(V * clamped, clamped=clamped)
    assert_allclose(F, V, atol=1e-9)
    assert report.solver == "cg" and report.n_iter < 120
    with pytest.warns(
        ConvergenceWarning, match=r"^max_iter=1000 was reached without convergence\. residual="
    ):
        F, report = P.equilibrium(V * clamped, clamped=clamped, solver="iterate")
    assert not report.converged and np.abs(F - V).max() > 0.1


def test_unreached_rows():
    graph = sparse.csr_matrix(np.array([[0, 1, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]]))
    P = lw.Mechanism(support=lw.supports.Graph(graph, weights="given"), kernel="indicator").operator(
        np.zeros((4, 1))
    )
    F, report = P.equilibrium(np.full(4, 5.0), clamped=np.array([False, False, True, False]))
    assert_allclose(F, [5, 5, 5, 0])
    assert report.unreached.tolist() == [False, False, False, True]


def test_too_few_steps_are_told():
    X = load_iris().data
    P = lw.Mechanism(kernel=lw.kernels.Gaussian(0.4)).operator(X)
    with pytest.warns(ConvergenceWarning, match=r"^max_iter=2 was reached without convergence\. residual="):
        _, report = P.equilibrium(X, alpha=0.99, solver="iterate", max_iter=2)
    assert not report.converged
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        few = lw.normalizations.Bistochastic(tol=1e-12, max_iter=2)
        P = lw.Mechanism(kernel=lw.kernels.Gaussian(0.4), normalization=few).operator(X)
    assert not P.report.converged and P.report.n_iter == 2


def test_what_is_refused():
    P = lw.Mechanism(kernel=lw.kernels.Gaussian(1.0)).operator(np.random.RandomState(0).randn(5, 2))
    V = np.ones(5)
    for match, arguments in {
        "clamped or alpha": {},
        "alpha must be": {"alpha": 1.0},
        "solver must be": {"alpha": 0.5, "solver": "magic"},
        "max_iter must be": {"alpha": 0.5, "max_iter": 0},
        "tol must be": {"alpha": 0.5, "tol": -1},
        "clamped or alpha must be given, and only one": {"alpha": 0.5, "clamped": np.ones(5, bool)},
        r"clamped must be a boolean array of shape \(5,\)": {"clamped": np.ones(4, bool)},
        "clamped must be a boolean array.*got float64": {"clamped": np.ones(5)},
    }.items():
        with pytest.raises(ValueError, match=match):
            P.equilibrium(V, **arguments)
    with pytest.raises(ValueError, match="V must"):
        P.equilibrium(np.ones(4), alpha=0.5)
    with pytest.raises(ValueError, match="V must be finite"):
        P.equilibrium(np.full(5, np.nan), alpha=0.5)
