"""likewise.theory: every check passes, and fails under a constant that is off; fields, flows, the page."""

import dataclasses
import doctest
import json

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import expm
from scipy.special import ive

import likewise as lw
from likewise import theory
from likewise.__main__ import main
from likewise.theory import calculus, check, fields, learned, sampling, worlds

DETERMINISTIC = [c for c in theory.CHECKS if not c.monte_carlo]


def names(checks):
    return [c.name for c in checks]


def gaussian(bandwidth, **slots):
    return lw.Mechanism(kernel=lw.kernels.Gaussian(bandwidth), **slots)


# --- checks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", DETERMINISTIC, ids=names(DETERMINISTIC))
def test_a_check_passes_and_fails_under_each_constant_that_is_5_percent_off(one):
    found = one.run()
    assert found.passed, found
    assert one.constants
    for name, value in one.constants.items():
        for factor in (0.95, 1.05):
            assert not one.run(**{name: factor * value}).passed, f"{name} = {factor * value}"


MONTE_CARLO = tuple(sampling.rows(scale=0.4))


@pytest.mark.parametrize("one", MONTE_CARLO, ids=names(MONTE_CARLO))
def test_a_monte_carlo_check_passes_and_fails_under_an_exponent_that_is_20_percent_off(one):
    found = one.run()
    assert found.passed, found
    assert found.interval[0] < found.measured < found.interval[1]
    for name, value in one.constants.items():
        by = 0.2 if name in one.exponents else 0.05
        for factor in (1 - by, 1 + by):
            assert not one.run(**{name: factor * value}).passed, f"{name} = {factor * value}"


def test_every_row_and_every_theorem_has_a_check():
    names = " | ".join(one.name for one in theory.CHECKS)
    for row in ("limit of exp(-d²/2ε)", "limit of exp(-d²/4ε)", "density normalization", "Sinkhorn",
                "Mahalanobis metric", "bandwidth ρ(x)ρ(y)", "bandwidth ρ(x)²"):  # fmt: skip
        assert row in names
    for theorem in range(3, 7):
        assert any(f"theorem {theorem}" in one.source for one in learned.CHECKS)
    assert len({one.name for one in theory.CHECKS}) == len(theory.CHECKS)
    assert {one.group for one in theory.CHECKS} == set(theory.ABOUT)


def test_constants_have_names():
    with pytest.raises(
        ValueError, match=r"constants of .* must be among 'laplacian', 'drift'; got \['lap'\]"
    ):
        theory.CHECKS[0].run(lap=1.0)


def limit(measure, **about):
    return check.Limit(measure, lambda c: np.array([c["limit"]]), check.halved(0.1), **about)


def test_a_limit_asks_for_the_order_the_value_and_the_failure_of_what_is_printed():
    def passed(function, **about):
        return limit(lambda eps: [function(eps)], **about)({"limit": 2.0}).passed

    assert passed(lambda eps: 2 + eps)
    assert not passed(lambda eps: 2 + eps**2)  # the value fits, the order does not
    assert passed(lambda eps: 2 + eps**2, power=2)
    assert not passed(lambda eps: 2 + eps + 10 * eps**2)
    assert not passed(lambda eps: 2.1 + eps)
    assert passed(lambda eps: 2 + eps, printed=lambda: [1.0])
    assert not passed(lambda eps: 2 + eps, printed=lambda: [2.01])


def test_maps_that_are_learned_for_theorems_3_and_4_keep_far_tokens_apart():
    *_, apart = learned.learned_along_the_loop()
    assert apart.min() > 1.0  # against sqrt(eps) = 0.063 at the end


# --- what predictions are made of -----------------------------------------------------------------------


def test_derivatives_of_closed_forms():
    x = worlds.scattered(6, 2)
    a, b = x.T
    assert_allclose(
        calculus.gradient(lambda x: np.sin(x[:, 0] * x[:, 1]))(x)[:, 0], b * np.cos(a * b), atol=1e-12
    )
    hessian = calculus.hessian(lambda x: np.exp(x[:, 0] + 2 * x[:, 1]))(x)
    assert_allclose(hessian, np.exp(a + 2 * b)[:, None, None] * [[1, 2], [2, 4]], atol=1e-9)
    assert_allclose(calculus.laplacian(lambda x: np.sin(x[:, 0]) * x[:, 1] ** 3)(x),
                    np.sin(a) * (6 * b - b**3), atol=1e-10)  # fmt: skip


def test_laplace_beltrami_of_spherical_harmonics():
    """Degree l has the eigenvalue -l (l + 1)."""
    places = worlds.sphere().places
    metric = calculus.induced(worlds.on_sphere)
    for degree, harmonic in ((1, lambda y: y[:, 0]), (2, lambda y: y[:, 0] * y[:, 1])):
        found = calculus.laplace_beltrami(metric, lambda x, h=harmonic: h(worlds.on_sphere(x)))(places)
        assert_allclose(found, -degree * (degree + 1) * harmonic(worlds.on_sphere(places)), atol=1e-9)


def test_nodes_integrate_without_error():
    for m in (1, 2):
        nodes = worlds.grid([-3.0] * m, [3.0] * m, 0.2)
        total = np.exp(nodes.log_weights - np.sum(nodes.coordinates**2, axis=1) / 0.18).sum()
        assert_allclose(total, (0.18 * np.pi) ** (m / 2), rtol=1e-13)
    nodes = worlds.over_sphere()(0.3)
    density = np.exp(nodes.log_weights) * np.sin(nodes.coordinates[:, 0])
    y = worlds.on_sphere(nodes.coordinates)
    assert_allclose(density.sum(), 4 * np.pi, rtol=1e-13)
    assert_allclose(density @ np.exp(3 * y[:, 0]), 4 * np.pi * np.sinh(3) / 3, rtol=1e-12)


# --- drift and diffusion --------------------------------------------------------------------------------


def by_hand(X, W, time):
    """Fields of weights W without the diagonal, in plain loops."""
    n, d = X.shape
    W = W.copy()
    np.fill_diagonal(W, 0)
    W /= W.sum(axis=1, keepdims=True)
    drift, drift_error, diffusion, diffusion_error = (
        np.zeros(s) for s in ((n, d), (n, d), (n, d, d), (n, d, d))
    )
    for i in range(n):
        away = X - X[i]
        share = 1 - np.sum(W[i] ** 2)
        drift[i] = W[i] @ away
        drift_error[i] = np.sqrt(W[i] ** 2 @ (away - drift[i]) ** 2 / share)
        squares = np.einsum("ja,jb->jab", away, away)
        diffusion[i] = np.einsum("j,jab->ab", W[i], squares)
        diffusion_error[i] = np.sqrt(np.einsum("j,jab->ab", W[i] ** 2, (squares - diffusion[i]) ** 2) / share)
    return [field / time for field in (drift, drift_error, diffusion, diffusion_error)]


@pytest.mark.parametrize("support", ["all", lw.supports.Neighbors(25), lw.supports.LeaveOneOut()])
@pytest.mark.parametrize("entries", [fields.ENTRIES, 300])
def test_fields_are_means_over_the_others_with_their_standard_errors(support, entries, monkeypatch):
    monkeypatch.setattr(fields, "ENTRIES", entries)  # few: rows in several blocks
    X = np.random.default_rng(0).normal(size=(90, 2)) + 40
    mechanism = gaussian(1.2, support=support)
    found = theory.drift_diffusion(X, mechanism, least_neighbors=2)
    want = by_hand(X, mechanism.operator(X).toarray(), 1.2**2)
    for name, value in zip(("drift", "drift_error", "diffusion", "diffusion_error"), want):
        assert_allclose(getattr(found, name), value, rtol=1e-7, atol=1e-9, err_msg=name)
    assert found.time == pytest.approx(1.44)


def test_fields_of_a_normal_sample_lie_within_their_standard_errors():
    """A step of keys N(0, s^2) is normal in closed form, with drift -x/(s^2 + eps) whatever eps."""
    drifts, diffusions = [], []
    for seed in range(6):
        found, drift, diffusion, kept = sampling.normal_fields(1000, 1.0, 0.16, seed)
        assert kept.sum() > 900
        drifts.append((np.abs(found.drift - drift) / found.drift_error)[kept])
        diffusions.append((np.abs(found.diffusion - diffusion) / found.diffusion_error)[kept])
    assert 0.92 < np.mean(np.concatenate(drifts) < 1.96) < 0.99
    assert 0.90 < np.mean(np.concatenate(diffusions) < 1.96) < 0.995


def test_fields_on_even_nodes_are_those_of_the_limit():
    """A circle of even points: no drift along it, Lap x/2 = -x/2 across, diffusion 1 along it."""
    angles = np.arange(400) * np.pi / 200
    X = np.c_[np.cos(angles), np.sin(angles)]
    found = theory.drift_diffusion(X, gaussian(0.1))
    along = np.c_[-X[:, 1], X[:, 0]]
    r = ive(1, 1 / 0.01) / ive(0, 1 / 0.01)
    kept = 1 - 1 / np.exp((X @ X[0] - 1) / 0.01).sum()  # the weight that a point leaves to others
    assert_allclose(np.sum(found.drift * along, axis=1), 0, atol=1e-12)
    assert_allclose(found.drift, -X * (1 - r) / 0.01 / kept, rtol=1e-9, atol=1e-12)
    assert_allclose(np.einsum("ia,iab,ib->i", along, found.diffusion, along), 1 / kept, rtol=2e-2)


def test_a_kernel_without_one_length_has_steps_for_a_unit_of_time():
    X = np.random.default_rng(0).normal(size=(150, 2))
    for kernel in (lw.kernels.Gaussian("self_tuning"), lw.kernels.Laplacian(1.0)):
        found = theory.drift_diffusion(X, lw.Mechanism(kernel=kernel), leave_out=True)
        assert found.time == 1.0
    assert theory.drift_diffusion(X, lw.Mechanism(kernel=lw.kernels.Exponential(4.0))).time == 2.0


def test_points_that_are_isolated_or_have_few_neighbors_are_refused_by_their_number():
    X = np.random.default_rng(0).normal(size=(200, 2))
    X[7] = 30.0
    isolated = (
        r"X must have no isolated points .* point 7 keeps 1\.00 of its weight to itself \(\d+ of 200 points"
    )
    few = r"X must have at least 10 effective neighbors .* has [\d.]+ \(199 of 199 points have too few\)"
    with pytest.raises(ValueError, match=isolated + r".* leave_out=True"):
        theory.drift_diffusion(X, gaussian(0.8))
    with pytest.raises(ValueError, match=isolated):
        theory.heat_flow(X, gaussian(0.8), X[:, 0], [1])
    neighbors = gaussian(0.8, support=lw.supports.Neighbors(4))
    rest = np.delete(X, 7, axis=0)
    for refused in (
        lambda: theory.drift_diffusion(rest, neighbors),
        lambda: theory.heat_flow(rest, neighbors, rest[:, 0], [1]),
    ):
        with pytest.raises(ValueError, match=few):
            refused()
    found = theory.drift_diffusion(X, gaussian(0.8), leave_out=True)
    thin = found.n_neighbors < 10
    assert thin[7] and 0 < thin.sum() < 40
    assert_array_equal(np.isnan(found.drift[:, 0]), thin | (np.arange(200) == 7))


@pytest.mark.parametrize(
    "normalization", ["symmetric", "none", lw.normalizations.RowStochastic(null_mass=1.0)]
)
def test_fields_need_rows_that_sum_to_1(normalization):
    X = np.random.default_rng(0).normal(size=(50, 2))
    with pytest.raises(ValueError, match="mechanism must have rows that sum to 1"):
        theory.drift_diffusion(X, gaussian(1.0, normalization=normalization))
    with pytest.raises(ValueError, match="mechanism must have rows that sum to 1"):
        theory.heat_flow(X, gaussian(1.0, normalization=normalization), X[:, 0], [1])
    with pytest.raises(TypeError, match="mechanism must be a Mechanism; got 'gaussian'"):
        theory.drift_diffusion(X, "gaussian")


# --- heat flow ------------------------------------------------------------------------------------------


def circle(n=120):
    angles = np.arange(n) * 2 * np.pi / n
    return angles, np.c_[np.cos(angles), np.sin(angles)]


def test_heat_flow_of_one_mode_is_known():
    """cos(k u) on even points of the circle: w = I_k/I_0."""
    angles, X = circle()
    for k in (1, 4):
        w = ive(k, 1 / 0.04) / ive(0, 1 / 0.04)
        found = theory.heat_flow(X, gaussian(0.2), np.cos(k * angles), [0, 1, 10])
        assert_allclose(found.rest[0], w ** np.array([0, 1, 10]), rtol=1e-9)
        assert_allclose(found.rest[1], np.exp(-(1 - w) * np.array([0, 1, 10])), rtol=1e-9)
        assert_allclose(found.difference, np.abs(found.rest[0] - found.rest[1]), atol=1e-9)
        assert found.time == pytest.approx(0.04)


@pytest.mark.parametrize("normalization", ["row", lw.normalizations.Density(1.0), "bistochastic"])
def test_heat_flow_is_the_matrix_power_and_the_matrix_exponential(normalization):
    rng = np.random.default_rng(0)
    X, f = rng.normal(size=(60, 2)), rng.normal(size=60)
    mechanism = gaussian(1.0, normalization=normalization)
    A = mechanism.operator(X).toarray()
    found = theory.heat_flow(X, mechanism, f, [1, 3, 7], least_neighbors=2)
    for t, power, flow in zip(found.times, found.powers, found.semigroup):
        assert_allclose(power, np.linalg.matrix_power(A, t) @ f, atol=1e-9)
        assert_allclose(flow, expm(-t * (np.eye(60) - A)) @ f, atol=1e-7)
    assert_allclose(found.stationary @ A, found.stationary, atol=1e-9)
    assert_allclose(found.left_out, 0, atol=1e-7)


def test_heat_flow_refuses_times_at_which_modes_that_are_left_out_count():
    angles, X = circle()
    f = np.cos(angles) + np.cos(9 * angles)
    with pytest.raises(
        ValueError, match=r"times must be at least \d+ steps with n_components = 5; at 1 the modes"
    ):
        theory.heat_flow(X, gaussian(0.2), f, [1, 20], n_components=5)
    found = theory.heat_flow(X, gaussian(0.2), f, [40, 60], n_components=5)
    assert np.all(np.abs(found.powers - found.semigroup).max(axis=1) < 0.05)


def test_heat_flow_says_what_does_not_fit():
    angles, X = circle()
    mechanism = gaussian(0.3)
    for f, times, said in (
        (np.ones(120), [1], "f must differ between points"),
        (np.ones(7), [1], r"f must have a value for each of the 120 points; got shape \(7,\)"),
        (angles, [-1], "times must be numbers of steps, at least 0; got -1"),
    ):
        with pytest.raises(ValueError, match=said):
            theory.heat_flow(X, mechanism, f, times)
    with pytest.raises(TypeError, match="times must be an int"):
        theory.heat_flow(X, mechanism, angles, [0.5])
    directed = mechanism.replace(support=lw.supports.Neighbors(15, symmetrize="none"))
    with pytest.raises(ValueError, match="symmetric"):
        theory.heat_flow(X, directed, angles, [1])


# --- figures, the table, the command line ---------------------------------------------------------------


def test_fields_and_flows_draw_themselves():
    X = np.random.default_rng(0).normal(size=(150, 3))
    found = theory.drift_diffusion(X, gaussian(0.8), leave_out=True)
    ax = found.plot(Figure().subplots(), columns=(0, 2))
    assert ax.get_title() == "Drift of one step, per unit of time (ε = 0.64)"
    assert ax.get_ylabel() == "$x_{3}$"
    arrows = sum(len(q.U) for q in ax.collections if hasattr(q, "U"))
    assert arrows == np.sum(~np.isnan(found.drift[:, 0]))
    with pytest.raises(ValueError, match="columns must be two of the 3 columns of X"):
        found.plot(Figure().subplots(), columns=(0, 3))
    angles, circled = circle()
    ax = theory.heat_flow(circled, gaussian(0.2), np.cos(angles), [0, 5]).plot(Figure().subplots())
    assert_allclose(ax.lines[1].get_ydata()[0], 1)


def test_the_command_prints_a_table_and_writes_a_page(tmp_path, capsys):
    assert main(["theory", "--only", "edges", "--out", str(tmp_path / "page")]) == 0
    captured = capsys.readouterr()
    assert "what is left at 5√ε" in captured.out and "5 of 5 checks passed" in captured.out
    assert captured.out.strip().endswith(str(tmp_path / "page" / "theory.html"))
    assert "100%" in captured.err
    html = (tmp_path / "page" / "theory.html").read_text(encoding="utf-8")
    for said in (
        "Edges",
        "√(2/π)",
        "data:image/svg+xml",
        "5 of 5 checks passed",
        "likewise theory --only edges",
    ):
        assert said in html
    numbers = json.loads((tmp_path / "page" / "theory.json").read_text(encoding="utf-8"))
    assert [one["passed"] for one in numbers] == [True] * 5


def test_the_command_prints_json(tmp_path, capsys):
    assert main(["theory", "--only", "Ornstein", "--json", "--out", str(tmp_path)]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in numbers] == [
        "Ornstein-Uhlenbeck, eigenvalues",
        "Ornstein-Uhlenbeck, eigenfunctions",
    ]
    assert numbers[0]["constants"] == {"precision": 1.0, "alpha": 1.0} and numbers[0]["error"] < 1e-9


def test_a_check_that_fails_or_breaks_is_shown_and_is_status_1(tmp_path, capsys, monkeypatch):
    def breaks(constants):
        raise ZeroDivisionError("by nothing")

    wrong = dataclasses.replace(theory.CHECKS[0], name="wrong", constants={"laplacian": 0.5, "drift": 2.0})
    broken = dataclasses.replace(theory.CHECKS[0], name="broken", function=breaks)
    monkeypatch.setattr(theory, "CHECKS", (theory.CHECKS[0], wrong, broken))
    assert main(["theory", "--out", str(tmp_path)]) == 1
    table = capsys.readouterr().out
    assert "FAILED: ZeroDivisionError: by nothing" in table and "1 of 3 checks passed" in table
    html = (tmp_path / "theory.html").read_text(encoding="utf-8")
    assert "Not all passed" in html and "wrong; broken" in html


@pytest.mark.parametrize(
    "only, said",
    [
        ("no such check", "only must be part of a check's name, group or source; none has 'no such check'"),
        ("sampling error", "full must be given for 'sampling error', which names Monte Carlo checks alone"),
    ],
)
def test_what_no_run_can_be_made_of_is_status_2(only, said, tmp_path, capsys):
    assert main(["theory", "--only", only, "--out", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


def test_full_runs_the_monte_carlo_checks_with_a_page(tmp_path, monkeypatch):
    monkeypatch.setattr(theory, "CHECKS", MONTE_CARLO[:1])  # measured above
    found = theory.run(full=True, out=tmp_path)
    assert found.passed and "[" in found.table()
    assert "Sampling error" in found.report.read_text(encoding="utf-8")


def test_examples_print_what_they_say():
    found = doctest.testmod(fields)
    assert found.attempted and not found.failed
