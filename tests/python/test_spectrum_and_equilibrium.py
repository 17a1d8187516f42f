"""Spectra and equilibria of operators against dense linear algebra in NumPy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

import likewise as lw
from likewise import kernels, normalizations, supports

Z = np.random.default_rng(0).normal(size=(40, 3))
V = np.random.default_rng(1).normal(size=(40, 2))


def operator(points=Z, **slots):
    return lw.Mechanism(kernel=kernels.Gaussian(0.8), **slots).operator(points)


@pytest.mark.parametrize("rule", ["row", "density", "symmetric", "bistochastic"])
@pytest.mark.parametrize("support", ["all", supports.Neighbors(6, include_self=True)])
def test_eigsh_equals_dense_eigenvalues(rule, support):
    P = operator(normalization=rule, support=support)
    A = P.toarray()
    w, v = P.eigsh(5)
    assert_allclose(w, np.sort(np.linalg.eigvals(A).real)[::-1][:5], atol=1e-8)
    assert_allclose(A @ v, v * w, atol=1e-7)
    assert_array_equal(P.eigsh(5, return_eigenvectors=False), w)
    assert (v[np.abs(v).argmax(0), range(5)] > 0).all()
    pi = np.exp(P.log_stationary) / np.exp(P.log_stationary).sum()
    gram = v.T @ v if rule == "symmetric" else v.T @ (pi[:, None] * v)
    if rule != "bistochastic":
        assert_allclose(gram, np.eye(5), atol=1e-7)
    else:  # both: pi is uniform
        assert_allclose(gram / gram[0, 0], np.eye(5), atol=1e-6)


def test_ring_spectrum_is_a_fourier_transform():
    n, t = 64, 0.5
    angle = 2 * np.pi * np.arange(n) / n
    row = np.exp((2 * np.cos(angle) - 2) / t)
    want = np.sort(np.fft.fft(row / row.sum()).real)[-7:]
    ring = np.c_[np.cos(angle), np.sin(angle)]
    w, _ = lw.Mechanism(kernel=kernels.Exponential(t)).operator(ring).eigsh(7)
    assert_allclose(np.sort(w), want, atol=1e-13)


def test_repeated_eigenvalues_of_components_are_all_there():
    apart = np.concatenate([Z[:12], Z[12:24] + 100, Z[24:] + 200])
    found = operator(apart, support=supports.Neighbors(5, include_self=True)).spectrum(5)
    assert found.n_components == 3
    assert_allclose(found.values[:3], 1, atol=1e-10)
    assert found.values[3] < 1 - 1e-6
    assert found.residuals.max() < 1e-8 and found.report.converged


def test_float32_spectra_stay_float32():
    P = operator(Z.astype(np.float32), normalization="symmetric")
    w, v = P.eigsh(3)
    assert v.dtype == np.float32
    assert_allclose(w, operator(normalization="symmetric").eigsh(3)[0], atol=1e-5)


@pytest.mark.parametrize(
    ("slots", "law"),
    [
        ({"support": "causal"}, "a symmetric support"),
        ({"support": supports.Neighbors(4, symmetrize="none")}, "a symmetric graph"),
    ],
)
def test_a_spectrum_asks_for_symmetry_by_name(slots, law):
    P = operator(**slots)
    assert law in P.asymmetry
    with pytest.raises(ValueError, match=law):
        P.eigsh(2)
    assert operator().asymmetry == ""


@pytest.mark.parametrize("k", [0, 41])
def test_k_outside_is_refused(k):
    with pytest.raises(ValueError, match=rf"k must be .*40.*; got {k}"):
        operator().eigsh(k)


@pytest.mark.parametrize("solver", ["auto", "cg", "bicgstab", "direct", "iterate"])
@pytest.mark.parametrize("rule", ["row", "density"])
def test_clamped_equilibrium_equals_a_solve(rule, solver):
    P = operator(normalization=rule)
    A = P.toarray()
    held = np.zeros(40, bool)
    held[::7] = True
    want = V.copy()
    free = ~held
    want[free] = np.linalg.solve(np.eye(free.sum()) - A[np.ix_(free, free)], A[np.ix_(free, held)] @ V[held])
    F, report = P.equilibrium(V, clamped=held, solver=solver, tol=1e-12, max_iter=100_000)
    assert report.converged and not report.unreached.any()
    assert_allclose(F, want, atol=1e-8)
    assert_allclose(P.equilibrium(V[:, 0], clamped=held)[0], want[:, 0], atol=1e-5)


@pytest.mark.parametrize("rule", ["row", "symmetric", "bistochastic"])
def test_soft_equilibrium_equals_a_solve(rule):
    P = operator(normalization=rule)
    want = 0.1 * np.linalg.solve(np.eye(40) - 0.9 * P.toarray(), V)
    F, report = P.equilibrium(V, alpha=0.9, tol=1e-12)
    assert_allclose(F, want, atol=1e-9)
    assert report.converged and report.n_iter > 0 and "converged=True" in repr(report)


def test_directed_graphs_have_equilibria_too():
    P = operator(support=supports.Neighbors(5, symmetrize="none"))
    want = 0.1 * np.linalg.solve(np.eye(40) - 0.9 * P.toarray(), V)
    assert_allclose(P.equilibrium(V, alpha=0.9, tol=1e-12)[0], want, atol=1e-9)


def test_rows_that_no_clamped_row_reaches_are_named():
    apart = np.concatenate([Z[:20], Z[20:] + 100])
    held = np.arange(40) < 3
    F, report = operator(apart, support=supports.Neighbors(5)).equilibrium(V, clamped=held)
    assert_array_equal(report.unreached, np.arange(40) >= 20)
    assert_array_equal(F[20:], 0)


def test_too_few_steps_are_told():
    with pytest.warns(ConvergenceWarning, match=r"^max_iter=2 was reached without convergence\. residual="):
        _, report = operator().equilibrium(V, alpha=0.99, solver="iterate", max_iter=2)
    assert not report.converged
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        P = operator(normalization=normalizations.Bistochastic(tol=1e-12, max_iter=2))
    assert not P.report.converged and P.report.n_iter == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "clamped or alpha must be given"),
        ({"alpha": 0.5, "clamped": np.ones(40, bool)}, "clamped or alpha must be given, and only one"),
        ({"alpha": 1.0}, "alpha must be .*; got 1"),
        ({"alpha": 0.5, "solver": "magic"}, "solver must be .*magic"),
        ({"clamped": np.ones(3, bool)}, r"clamped must be a boolean array of shape \(40,\)"),
        ({"clamped": np.ones(40)}, "clamped must be a boolean array.*got float64"),
    ],
)
def test_what_is_refused_and_how(arguments, message):
    with pytest.raises(ValueError, match=message):
        operator().equilibrium(V, **arguments)
