"""Slot values and mechanisms as values: printing, ==, hash, copy, pickle, immutability, names, errors."""

import copy
import pickle

import numpy as np
import pytest
from scipy.sparse import csr_matrix

import likewise as lw
from likewise import kernels, metrics, normalizations, propagations, supports
from likewise.kernels import *  # noqa: F403 (what repr prints is evaluated here)
from likewise.metrics import *  # noqa: F403
from likewise.normalizations import *  # noqa: F403
from likewise.propagations import *  # noqa: F403
from likewise.supports import *  # noqa: F403


def costs(X, Z):
    return np.abs(X[:, None] - Z[None]).sum(-1)


W = np.array([[1.0, 0.5, 0.0], [0.0, 2.0, -1.0]])
MASK = np.tri(4, dtype=bool)
EDGES = csr_matrix(([1.0, 0.0, 0.25], ([0, 1, 2], [1, 2, 0])), shape=(3, 3))

PRINTABLE = [
    metrics.SquaredEuclidean(),
    metrics.Euclidean(),
    metrics.Mahalanobis(),
    metrics.Bilinear(),
    metrics.Mahalanobis(W),
    metrics.Mahalanobis.from_diagonal([1.0, 4.0]),
    metrics.Cosine(),
    metrics.Manhattan(),
    metrics.Chebyshev(),
    metrics.Minkowski(3),
    metrics.DotProduct(),
    metrics.Bilinear(W, 2 * W),
    metrics.Precomputed(),
    metrics.Precomputed(2),
    metrics.Precomputed(None),
    metrics.Custom(costs),
    metrics.Custom(costs, symmetric=True, zero_on_self=True, distance_power=1),
    kernels.Gaussian(),
    kernels.Gaussian(0.3),
    kernels.Gaussian(1e-7),
    kernels.Gaussian("median"),
    kernels.Exponential(2),
    kernels.Laplacian(0.1),
    kernels.Indicator(),
    kernels.Indicator(2.5),
    kernels.Epanechnikov(1),
    kernels.Tricube("scott"),
    kernels.StudentT(0.5, df=3),
    kernels.AlphaDecay(0.5, decay=10),
    kernels.InverseDistance(),
    kernels.Matern32(0.4),
    kernels.Matern52("median"),
    supports.AllPairs(),
    supports.Neighbors(15),
    supports.Neighbors(15, symmetrize="average", include_self=True),
    supports.Radius(0.5),
    supports.LeaveOneOut(),
    supports.Causal(),
    supports.Causal("lower_right"),
    supports.Window(3, 0),
    supports.Window(3, 2, "lower_right"),
    supports.Blocks([0, 0, 1]),
    supports.Blocks([0, 0, 1], [1, 1]),
    supports.OtherGroups([2, 0, 1]),
    supports.Causal() & supports.Blocks([0, 0, 1]),
    supports.Mask(MASK),
    supports.Neighbors(3) & supports.LeaveOneOut(),
    supports.LeaveOneOut() & supports.Causal() & supports.Radius(2),
    normalizations.Unnormalized(),
    normalizations.RowStochastic(),
    normalizations.RowStochastic(0.5),
    normalizations.Symmetric(),
    normalizations.Density(0.5),
    normalizations.Bistochastic(tol=1e-6, max_iter=50),
    propagations.OneStep(),
    propagations.Steps(),
    propagations.Steps(3),
    propagations.Steps(moving="points", tol=0.1, max_iter=20),
    propagations.Equilibrium(),
    propagations.Equilibrium(0.2, solver="iterate"),
    propagations.Spectrum(),
    propagations.Spectrum(3, 1.5, tol=1e-6),
    propagations.Heat(),
    propagations.Heat(2.5),
]
LARGE = [supports.Graph(EDGES), supports.Graph(EDGES, weights="given"), metrics.Mahalanobis(np.eye(40))]
VALUES = PRINTABLE + LARGE


@pytest.mark.parametrize("value", PRINTABLE, ids=repr)
def test_repr_evaluates_back(value):
    assert eval(repr(value)) == value


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_pickles_and_copies_are_equal(value):
    assert pickle.loads(pickle.dumps(value)) == value
    assert copy.copy(value) == value
    assert copy.deepcopy(value) == value


def test_values_are_equal_only_to_themselves():
    for i, a in enumerate(VALUES):
        for j, b in enumerate(VALUES):
            assert (a == b) == (i == j), (a, b)
            assert (a != b) == (i != j), (a, b)


def test_values_equal_no_other_type():
    assert kernels.Gaussian() != 3
    assert kernels.Gaussian(0.3) != kernels.Laplacian(0.3)


def test_equal_values_hash_alike_and_work_in_sets():
    rebuilt = [pickle.loads(pickle.dumps(value)) for value in VALUES]
    assert [hash(value) for value in VALUES] == [hash(value) for value in rebuilt]
    assert len({*VALUES, *rebuilt}) == len(VALUES)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_are_immutable(value):
    with pytest.raises(AttributeError):
        value.anything = 1
    for name in ("bandwidth", "n_neighbors", "factor", "edges", "admitted", "alpha"):
        if hasattr(value, name):
            with pytest.raises(AttributeError):
                setattr(value, name, 1)


def test_arrays_of_a_value_are_its_own_and_read_only():
    mine = W.copy()
    value = metrics.Mahalanobis(mine)
    mine[:] = 0
    np.testing.assert_array_equal(value.factor, W)
    assert np.shares_memory(value.factor, value.factor)
    with pytest.raises(ValueError, match="read-only"):
        value.factor[0, 0] = 1
    factor = value.factor
    del value
    np.testing.assert_array_equal(factor, W)


def test_a_graph_keeps_explicit_zeros_and_sums_duplicates_of_a_copy():
    twice = csr_matrix(([1.0, 2.0, 0.0], [1, 1, 0], [0, 2, 3]), shape=(2, 2))
    edges = supports.Graph(twice).edges
    assert edges.nnz == 2
    np.testing.assert_array_equal(edges.toarray(), [[0, 3], [0, 0]])
    assert twice.nnz == 3
    with pytest.raises(ValueError, match="read-only"):
        edges.data[0] = 1


def test_a_sparse_mask_is_the_graph_of_its_true_entries():
    mask = csr_matrix(([True, False, True], ([0, 1, 1], [1, 0, 1])), shape=(2, 2))
    graph = supports.Mask(mask)
    assert graph == supports.Graph(csr_matrix([[0.0, 1.0], [0.0, 1.0]]))
    assert graph.weights == "kernel"


def test_laws_of_metrics():
    assert metrics.Euclidean().distance_power == 1
    assert metrics.SquaredEuclidean().distance_power == 2
    assert metrics.DotProduct().distance_power is None
    assert metrics.DotProduct().symmetric and not metrics.DotProduct().zero_on_self
    assert metrics.Bilinear(W, W).symmetric and not metrics.Bilinear(W, 2 * W).symmetric
    assert not metrics.Minkowski(0.5).triangle_inequality
    custom = metrics.Custom(costs, shift_invariant=True, distance_power=1)
    assert custom.shift_invariant and not custom.symmetric and custom.distance_power == 1


def test_mahalanobis_from_matrix_is_a_factor_of_it():
    factor = metrics.Mahalanobis.from_matrix(W.T @ W).factor
    np.testing.assert_allclose(factor.T @ factor, W.T @ W, atol=1e-12)
    factor = metrics.Mahalanobis.from_diagonal([1, 4]).factor
    np.testing.assert_allclose(factor.T @ factor, np.diag([1, 4]), atol=1e-12)


def test_composition_does_not_depend_on_order():
    a, b = supports.Neighbors(3), supports.LeaveOneOut()
    assert a & b == b & a
    assert hash(a & b) == hash(b & a)
    assert set((a & b).parts) == {a, b}
    assert a & supports.AllPairs() == a


@pytest.mark.parametrize("module", [metrics, kernels, supports, normalizations])
def test_every_name_is_a_value_and_an_unknown_one_is_answered_with_the_list(module):
    for name in module.names():
        assert hash(module.from_name(name)) is not None
    with pytest.raises(ValueError, match=r"must be one of .*'.*'.*; got 'nonsense'"):
        module.from_name("nonsense")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: kernels.Gaussian(0), ValueError, "bandwidth must be .*positive.*; got 0"),
        (lambda: kernels.Gaussian(-1.0), ValueError, "bandwidth must be .*positive.*; got -1"),
        (lambda: kernels.Gaussian(np.nan), ValueError, "bandwidth must be .*; got nan"),
        (lambda: kernels.Gaussian("medan"), ValueError, "bandwidth must be .*'median'.*; got 'medan'"),
        (lambda: kernels.Gaussian([1.0]), TypeError, r"bandwidth must be .*; got \[1.0\]"),
        (lambda: kernels.Exponential(0), ValueError, "temperature must be .*; got 0"),
        (lambda: kernels.Exponential("hot"), TypeError, "temperature must be a number; got 'hot'"),
        (lambda: kernels.StudentT(1, df=0), ValueError, "df must be .*; got 0"),
        (
            lambda: kernels.StudentT(1, 2),
            TypeError,
            r"StudentT\(\) takes bandwidth, df, 1 of them by position",
        ),
        (lambda: metrics.Minkowski(0), ValueError, "p must be .*; got 0"),
        (lambda: metrics.Mahalanobis([1.0, 2.0]), ValueError, "factor must be .*2 dimensions; got 1"),
        (lambda: metrics.Mahalanobis([[np.nan]]), ValueError, "factor must be finite"),
        (lambda: metrics.Mahalanobis("W"), TypeError, "factor must be an array of numbers; got 'W'"),
        (lambda: metrics.Mahalanobis.from_matrix(-np.eye(2)), ValueError, "matrix|semidefinite"),
        (lambda: metrics.Mahalanobis.from_diagonal([-1.0]), ValueError, "diagonal|not negative"),
        (lambda: metrics.Bilinear(W, np.ones((3, 2))), ValueError, "key_factor"),
        (lambda: metrics.Precomputed(3), ValueError, "distance_power must be 1 .*; got 3"),
        (lambda: metrics.Custom(3), TypeError, "function must be a callable.*; got 3"),
        (lambda: supports.Neighbors(0), ValueError, "n_neighbors must be .*; got 0"),
        (lambda: supports.Neighbors(1.5), TypeError, "n_neighbors must be an int; got 1.5"),
        (lambda: supports.Neighbors(True), TypeError, "n_neighbors must be an int; got True"),
        (lambda: supports.Neighbors(3, symmetrize="both"), ValueError, "symmetrize must be .*; got 'both'"),
        (lambda: supports.Neighbors(3, include_self=1), TypeError, "include_self must be a bool; got 1"),
        (lambda: supports.Radius(-1), ValueError, "radius must be .*; got -1"),
        (lambda: supports.Causal("middle"), ValueError, "align must be .*; got 'middle'"),
        (lambda: supports.Mask(np.eye(2)), TypeError, "admitted must be a boolean.*; got dtype.'float64'"),
        (
            lambda: supports.Mask(csr_matrix(np.eye(2))),
            TypeError,
            "admitted must be a boolean.*; got float64",
        ),
        (lambda: supports.Graph(np.eye(2)), TypeError, "edges must be a SciPy sparse matrix"),
        (lambda: supports.Graph(EDGES, weights="own"), ValueError, "weights must be .*; got 'own'"),
        (lambda: supports.Graph(-EDGES, weights="given"), ValueError, "edges must be .*not negative"),
        (lambda: supports.Neighbors(3) & supports.Radius(1), ValueError, "support must be .*at most one"),
        (lambda: normalizations.RowStochastic(-1), ValueError, "null_mass must be .*; got -1"),
        (lambda: normalizations.Bistochastic(0), ValueError, "tol must be .*; got 0"),
        (lambda: normalizations.Bistochastic(max_iter=0), ValueError, "max_iter must be .*; got 0"),
        (lambda: lw.Mechanism(metric="euclid"), ValueError, "metric must be one of .*'euclidean'"),
        (lambda: lw.Mechanism(metric=3), TypeError, "metric must be .*; got 3"),
        (lambda: lw.Mechanism(metric=metrics.Cosine), TypeError, "metric must be .*; got <class"),
        (lambda: lw.Mechanism(kernel=metrics.Cosine()), TypeError, r"kernel must be .*; got Cosine\(\)"),
        (lambda: lw.Mechanism(empty_row="none"), ValueError, "empty_row must be .*; got 'none'"),
        (lambda: lw.Mechanism(bandwidth=1), TypeError, "bandwidth"),
        (lambda: lw.Mechanism().replace(colour=1), TypeError, "colour"),
    ],
)
def test_what_is_refused_and_how(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_mechanism_is_a_value():
    m = lw.Mechanism(
        metric=metrics.Mahalanobis(W),
        kernel=kernels.Gaussian(0.3),
        support=supports.Neighbors(15) & supports.LeaveOneOut(),
        normalization=normalizations.Density(0.5),
        empty_row="nearest",
    )
    assert eval("lw." + repr(m)) == m
    assert pickle.loads(pickle.dumps(m)) == m == copy.deepcopy(m)
    assert hash(m) == hash(pickle.loads(pickle.dumps(m)))
    assert m != m.replace(empty_row="zero")
    assert {m: 1}[m.replace()] == 1
    with pytest.raises(AttributeError):
        m.metric = metrics.Cosine()
    assert m.metric == metrics.Mahalanobis(W)


def test_replace_changes_one_slot_and_takes_names():
    m = lw.Mechanism(kernel=kernels.Gaussian(0.3))
    changed = m.replace(metric="cosine")
    assert changed.metric == metrics.Cosine()
    assert changed.kernel == m.kernel
    assert m.metric == metrics.SquaredEuclidean()


def test_names_stand_for_values_in_every_slot():
    m = lw.Mechanism(metric="l1", kernel="laplacian", support="leave_one_out", normalization="symmetric")
    assert m == lw.Mechanism(
        metric=metrics.Manhattan(),
        kernel=kernels.Laplacian(),
        support=supports.LeaveOneOut(),
        normalization=normalizations.Symmetric(),
    )


def test_a_function_stands_for_a_custom_metric():
    assert lw.Mechanism(metric=costs).metric == metrics.Custom(costs)


def test_equation_names_every_slot():
    m = lw.Mechanism(metric="cosine", kernel=kernels.Gaussian(0.3), support=supports.Neighbors(15))
    assert str(m) == m.equation()
    assert "phi(c(x_i, z_j)) * r_j * v_j" in str(m)
    for slot in ("Cosine()", "Gaussian(bandwidth=0.3)", "Neighbors(n_neighbors=15)", "RowStochastic()"):
        assert slot in str(m)


def test_formula_is_one_line():
    for value in VALUES:
        if hasattr(value, "formula"):
            assert value.formula in type(value).__doc__.replace("\n", " ")


def test_old_pickles_stay_readable():
    # Written by version 0.1.0: (module, name, fields), nothing of the inside.
    old = (
        b"\x80\x04\x95Y\x00\x00\x00\x00\x00\x00\x00\x8c\x0flikewise._slots\x94\x8c\x07rebuild\x94\x93\x94"
        b"\x8c\x10likewise.kernels\x94\x8c\x08Gaussian\x94}\x94\x8c\tbandwidth\x94G?\xd3333333s\x87\x94R\x94."
    )
    assert pickle.loads(old) == kernels.Gaussian(0.3)
