"""The fifth slot: what Mechanism.propagate does with each propagation, against dense NumPy, or refuses."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning

import likewise as lw
from likewise.propagations import Equilibrium, Heat, OneStep, Spectrum, Steps

_rng = np.random.default_rng(0)
X = _rng.normal(size=(40, 2))
Q = _rng.normal(size=(7, 2))
V = _rng.normal(size=(40, 3))
H = 0.8


def gaussians(A, B, h=H):
    return np.exp(-((A[:, None] - B[None]) ** 2).sum(-1) / (2 * h**2))


def rows_to_one(K):
    return K / K.sum(1, keepdims=True)


P = rows_to_one(gaussians(X, X))


def walk(propagation, h=H):
    return lw.Mechanism(metric="euclidean", kernel=lw.kernels.Gaussian(h), propagation=propagation)


def poisson_series(t):
    """exp(-t (I - P)) V."""
    term, total = V, V.copy()
    for k in range(1, 80):
        term = t / k * (P @ term)
        total = total + term
    return np.exp(-t) * total


def solved(A, B, alpha=None, held=None):
    n = len(A)
    if alpha is not None:
        return (1 - alpha) * np.linalg.solve(np.eye(n) - alpha * A, B)
    F = np.where(held[:, None], B, 0.0)
    free = ~held
    F[free] = np.linalg.solve(np.eye(free.sum()) - A[np.ix_(free, free)], A[np.ix_(free, held)] @ B[held])
    return F


HELD = np.arange(40) % 4 == 0
CASES = [
    (OneStep(), {}, P @ V),
    (Steps(0), {}, V),
    (Steps(3), {}, P @ P @ P @ V),
    (Heat(0), {}, V),
    (Heat(2.5), {}, poisson_series(2.5)),
    (Equilibrium(tol=1e-12), {"clamped": HELD}, solved(P, V, held=HELD)),
    (Equilibrium(0.7, tol=1e-12), {}, solved(P, V, alpha=0.7)),
    (Equilibrium(0.3, tol=1e-12, solver="iterate"), {}, solved(P, V, alpha=0.3)),
]


@pytest.mark.parametrize(("propagation", "given", "want"), CASES, ids=lambda v: repr(v)[:40])
def test_values_are_propagated(propagation, given, want):
    m = walk(propagation)
    assert_allclose(m.propagate(X, V, **given), want, atol=1e-8)
    column = m.propagate(X, V[:, 0], **given)
    assert column.shape == (40,)
    assert_allclose(column, want[:, 0], atol=1e-8)
    single = m.propagate(X.astype(np.float32), V, **given)
    assert single.dtype == np.float32
    assert_allclose(single, want, atol=1e-3)
    assert_allclose(m.propagate(X, V, storage="streamed", **given), want, atol=1e-8)


def test_only_the_fifth_slot_is_turned():
    """P.propagate's parts are those that the operator has under their own names."""
    m = walk(OneStep())
    operator = m.operator(X)
    assert_allclose(m.replace(propagation=Steps(4)).propagate(X, V), operator.power(4, V), atol=1e-12)
    assert_allclose(m.replace(propagation="heat").propagate(X, V), operator.heat(1.0, V), atol=1e-12)
    assert operator.mechanism == m
    assert (
        m.replace(propagation=Heat(2)) != m
        and m.replace(propagation=Heat(2)).replace(propagation="one_step") == m
    )


def test_steps_until_still_end_in_the_mean_of_the_stationary_law():
    mass = gaussians(X, X).sum(1)
    mean = mass @ V / mass.sum()
    found = walk(Steps(tol=1e-12, max_iter=10000)).propagate(X, V)
    assert_allclose(found, np.tile(mean, (40, 1)), atol=1e-8)
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        stopped = walk(Steps(tol=1e-12, max_iter=2)).propagate(X, V)
    assert_allclose(stopped, P @ P @ V, atol=1e-12)


def test_new_points_take_one_step_or_move():
    assert_allclose(walk(OneStep()).propagate(X, V, X=Q), rows_to_one(gaussians(Q, X)) @ V, atol=1e-12)
    two = rows_to_one(gaussians(rows_to_one(gaussians(Q, X)) @ X, X)) @ X
    assert_allclose(walk(Steps(2, moving="points")).propagate(X, X=Q), two, atol=1e-12)
    for propagation in (Steps(2), Heat(), Equilibrium(0.2)):
        with pytest.raises(ValueError, match=r"propagation must be OneStep\(\) or Steps\(moving='points'\)"):
            walk(propagation).propagate(X, V, X=Q)


def test_points_that_move_end_each_by_itself():
    m = walk(Steps(moving="points", tol=1e-3), h=0.4)
    together = m.propagate(X)
    alone = np.concatenate([m.propagate(X, X=x[None]) for x in X])
    assert_allclose(together, alone, atol=1e-12)
    step = rows_to_one(gaussians(together, X, 0.4)) @ X - together
    assert np.linalg.norm(step, axis=1).max() <= 1e-3 * 0.4
    keys = np.array([[-1.0], [1.0]])
    ends = walk(Steps(moving="points"), h=0.3).propagate(keys, X=np.array([[-0.4], [0.7]]))
    assert_allclose(ends, [[-1.0], [1.0]], atol=1e-3)


def test_points_that_move_keep_their_place_before_filters():
    """Each point stays away from where it began, however few others are still moving."""
    m = walk(Steps(moving="points", tol=1e-3), h=0.4).replace(support="leave_one_out")
    want = X.copy()
    for i in range(40):
        others, step = np.delete(X, i, axis=0), np.inf
        while step > 1e-3 * 0.4:
            x = (rows_to_one(gaussians(want[i : i + 1], others, 0.4)) @ others)[0]
            step, want[i] = np.linalg.norm(x - want[i]), x
    assert_allclose(m.propagate(X), want, atol=1e-9)


def test_points_that_grow_without_bound_are_told():
    growing = lw.Mechanism(
        metric="dot",
        kernel=lw.kernels.Exponential(1.0),
        normalization="none",
        propagation=Steps(moving="points"),
    )
    with pytest.raises(lw.ConvergenceError, match="grow without bound under Unnormalized"):
        growing.propagate(np.array([[-1.0], [1.0]]), X=np.array([[5.0]]))


@pytest.mark.parametrize("power", [0, 1, 2.5])
def test_a_spectrum_is_scaled_by_its_power(power):
    m = walk(Spectrum(4, power)).replace(normalization="symmetric")
    K = gaussians(X, X)
    root = np.sqrt(K.sum(1))
    values, vectors = np.linalg.eigh(K / np.outer(root, root))
    values, vectors = values[:-5:-1], vectors[:, :-5:-1]
    found = m.propagate(X)
    assert_allclose(found.values, values, atol=1e-10)
    signs = np.sign((found.vectors * vectors).sum(0))
    assert_allclose(found.vectors, vectors * signs * values**power, atol=1e-7)
    assert found.report.converged and found.n_components == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: walk(OneStep()).propagate(X), r"V must be given, the values that OneStep\(\) is done to"),
        (lambda: walk(OneStep()).propagate(X, V[:5]), "V must"),
        (lambda: walk(OneStep()).propagate(X, V, clamped=HELD), "clamped must be left out without an Equil"),
        (
            lambda: walk(OneStep()).propagate(X, V, X=Q, clamped=HELD),
            "clamped must be left out together with X",
        ),
        (lambda: walk(Equilibrium()).propagate(X, V), "clamped must be of length 40"),
        (lambda: walk(Equilibrium(0.5)).propagate(X, V, clamped=HELD), "clamped must be left out with alpha"),
        (lambda: walk(Spectrum(3)).propagate(X, V), "V must be left out with Spectrum"),
        (lambda: walk(Spectrum(41)).propagate(X), "k must be"),
        (lambda: walk(Steps(moving="points")).propagate(X, V), "V must be a matrix of the points' width"),
        (
            lambda: (
                walk(Steps(moving="points"))
                .replace(metric="precomputed")
                .propagate(np.sqrt(((X[:, None] - X) ** 2).sum(-1)))
            ),
            "metric must be one of coordinates where points move",
        ),
        (lambda: Steps(-1), "t must be an int >= 0"),
        (lambda: Steps(2, tol=0.1), "t must be None together with tol and max_iter"),
        (lambda: Steps(moving="all"), "moving must be one of 'values', 'points'; got 'all'"),
        (lambda: Equilibrium(1.5), r"alpha must be a number in \(0, 1\); got 1.5"),
        (lambda: Spectrum(0), "n must be an int >= 1; got 0"),
        (lambda: Spectrum(2, -1), "power must be a finite number >= 0"),
        (lambda: Heat(np.inf), "t must be a finite number >= 0; got inf"),
        (lambda: lw.Mechanism(propagation="step"), "propagation must be .* got 'step'"),
        (lambda: lw.Mechanism(propagation=3), "propagation must be a propagation or one of the names"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_the_mechanism_carries_it():
    m = lw.Mechanism(propagation=Equilibrium(0.2))
    assert "propagation=Equilibrium(alpha=0.2)" in repr(m) and "Equilibrium(alpha=0.2)" in str(m)
    assert pickle.loads(pickle.dumps(m)) == m and hash(pickle.loads(pickle.dumps(m))) == hash(m)
    assert m.operator(X).mechanism.propagation == Equilibrium(0.2)
    assert lw.explain(m).propagation == Equilibrium(0.2)
    assert "propagation" not in repr(lw.Mechanism()) and lw.Mechanism().propagation == OneStep()


def test_mechanisms_pickled_before_there_was_a_fifth_slot_take_one_step():
    old = lw.Mechanism.__new__(lw.Mechanism)
    state = {**vars(lw.Mechanism(metric="cosine"))}
    del state["propagation"]
    vars(old).update(state)
    again = pickle.loads(pickle.dumps(old))
    assert "propagation" not in vars(again)
    assert again == lw.Mechanism(metric="cosine") and again.replace(metric="l1") == lw.Mechanism(metric="l1")


def test_weights_of_keys_count():
    log_w = np.log(_rng.uniform(0.5, 2, size=40))
    K = gaussians(X, X) * np.exp(log_w)
    want = np.linalg.matrix_power(rows_to_one(K), 2) @ V
    assert_allclose(walk(Steps(2)).propagate(X, V, log_key_weights=log_w), want, atol=1e-12)


def test_a_metric_that_is_left_open_is_no_metric_yet():
    for metric in (lw.metrics.Mahalanobis(), lw.metrics.Bilinear()):
        with pytest.raises(ValueError, match="metric must be one that is known"):
            lw.Mechanism(metric=metric, kernel=lw.kernels.Exponential(1.0)).operator(X)
        assert eval(f"lw.metrics.{metric!r}") == metric
    assert lw.metrics.Mahalanobis().factor is None
    with pytest.raises(TypeError, match="matrix must be an array"):
        lw.metrics.Mahalanobis.from_matrix(None)


def test_nothing_is_warned_of_where_all_is_well():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        walk(Steps(moving="points", tol=1e-3)).propagate(X)
        walk(Equilibrium(0.5)).propagate(X, V)
