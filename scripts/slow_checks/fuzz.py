"""Long fuzzing of the Python package against plain NumPy; writes docs/reports/fuzz-DATE.md.

    python scripts/slow_checks/fuzz.py [--seconds 300] [--seed N]

Each property draws slots and points (few and many, one dimension, copies, lattices, offsets, far outliers,
subnormal and huge numbers, float32) until its share of the time is over. hypothesis shrinks what fails; the
report holds the smallest example. The oracles are tests/python/oracle.py and NumPy.
"""

import argparse
import functools
import sys
import time
import traceback
import warnings

import numpy as np
import report
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

sys.path.insert(0, str(report.ROOT / "tests" / "python"))
import fuzz_estimators
import oracle

import likewise as lw
from likewise import kernels, metrics, normalizations, supports

SLOTS = {**vars(metrics), **vars(kernels), **vars(normalizations), "W": oracle.W, "W2": oracle.W2}
RULES = {
    "Unnormalized()": {"rule": "none"},
    "RowStochastic()": {"rule": "row"},
    "RowStochastic(0.3)": {"rule": "row", "null_mass": 0.3},
    "Symmetric()": {"rule": "symmetric"},
    "Density(1)": {"rule": "density", "alpha": 1.0},
}
COMPACT = ("Indicator(1.5)", "Epanechnikov(2.5)", "Tricube(2.5)")
PAIRS = [
    (m, k)
    for m in oracle.METRICS
    for k in oracle.KERNELS
    if oracle.weights(m, k, np.ones((1, 3)), np.zeros((1, 3)) + 2.0) is not None
]


def value(text):
    """The slot value that an expression such as "Gaussian(0.9)" makes."""
    return eval(text, dict(SLOTS))


@st.composite
def points(draw, n=(1, 40), d=(3, 3), outliers=True):
    """(n, d) float64 points of many kinds; n and d lie between the given ends."""
    n, d = draw(st.integers(*n)), draw(st.integers(*d))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    kind = draw(st.sampled_from(["normal", "lattice", "copies", "offset", "outlier", "tiny"]))
    X = rng.normal(size=(n, d))
    if kind == "lattice":
        X = np.round(1.5 * X)
    elif kind == "copies":
        X = X[rng.integers(0, max(1, n // 3), n)]
    elif kind == "offset":
        X += draw(st.sampled_from([10.0, 1e3]))
    elif kind == "outlier" and outliers:
        X[0] += 1e4
    elif kind == "tiny":
        X *= 1e-3
    return X


def operators_equal_numpy(pair, rule, Z, data):
    """toarray and products of the bare operator, wherever plain NumPy neither overflows nor underflows."""
    metric, kernel = pair
    inverse = kernel.startswith("InverseDistance")
    if inverse and (rule != "RowStochastic()" or metric == "Cosine()"):
        return  # refused; whether 1 - cos is exactly 0 is a matter of rounding
    if metric == "Cosine()":
        Z = Z + 1e-3 * np.arange(1, Z.size + 1).reshape(Z.shape)  # no point at the origin
    if kernel == "Indicator(1.5)" and np.any(np.abs(kernel_distances(metric, Z) - 1.5) < 1e-9):
        return  # on the boundary rounding decides
    w = np.exp(np.random.default_rng(0).normal(size=len(Z))) if data.draw(st.booleans()) else None
    leave_out = data.draw(st.booleans())
    m = lw.Mechanism(
        metric=value(metric),
        kernel=value(kernel),
        support="leave_one_out" if leave_out else "all",
        normalization=value(rule),
    )
    storage = data.draw(st.sampled_from(["auto", "streamed", "sparse"]))
    P = m.operator(Z, log_key_weights=None if w is None else np.log(w), storage=storage)
    got = P.toarray()
    assert not np.isnan(got).any()
    with np.errstate(all="ignore"):
        K = oracle.weights(metric, kernel, Z, Z)
        K = np.where(leave_out & np.eye(len(Z), dtype=bool), 0, K)
        mass = (np.where(np.isinf(K), 1, K) * (1 if w is None else w)).sum(1)
        want = oracle.normalized(K, w=w, **RULES[rule])
    truly_0 = (mass == 0) & (kernel in COMPACT or len(Z) == 1)
    in_range = (truly_0 | (mass > 1e-290)) & np.isfinite(want).all(1) & (inverse | np.isfinite(K).all(1))
    if not in_range.all():
        return
    V = np.random.default_rng(1).normal(size=(len(Z), 2))
    scale = np.abs(want).max(initial=1)
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-7 * scale)
    np.testing.assert_allclose(P @ V, want @ V, rtol=1e-6, atol=1e-6 * scale * len(Z))


def kernel_distances(metric, Z):
    """Distances as a kernel sees them."""
    cost, power = oracle.METRICS[metric]
    return oracle.distances(cost(Z, Z), power)


def neighbors_equal_sorted_distances(Z, data):
    """kneighbors on lattices and copies: ties to the lowest index, in every algorithm and dtype."""
    dtype = data.draw(st.sampled_from([np.float64, np.float32]))
    Z = Z.astype(dtype)
    X = data.draw(st.sampled_from(["self", "other"]))
    X = Z if X == "self" else Z[::-1].copy()
    k = data.draw(st.integers(1, len(Z)))
    p = data.draw(st.sampled_from([1, 2, np.inf]))
    metric = {1: "manhattan", 2: "euclidean", np.inf: "chebyshev"}[p]
    algorithm = data.draw(st.sampled_from(["auto", "brute"]))
    D = np.linalg.norm(X[:, None].astype(float) - Z[None].astype(float), ord=p, axis=-1)
    distances, indices = lw.kneighbors(X, Z, n_neighbors=k, metric=metric, algorithm=algorithm)
    rows = np.arange(len(X))[:, None]
    np.testing.assert_allclose(distances, np.sort(D, axis=1)[:, :k], rtol=1e-6, atol=1e-300)
    np.testing.assert_allclose(D[rows, indices], np.sort(D, axis=1)[:, :k], rtol=1e-12, atol=1e-300)
    assert all(len(set(row)) == k for row in indices)
    exact = np.array_equal(Z, np.round(Z))
    if exact:
        np.testing.assert_array_equal(indices, np.argsort(D, axis=1, kind="stable")[:, :k])


def any_floats(dtype):
    width = np.dtype(dtype).itemsize * 8
    most = 1e15 if width == 32 else 1e120
    most = float(np.float32(most)) if width == 32 else most
    return st.floats(-most, most, width=width, allow_subnormal=True)


def never_nan_from_finite_input(dtype, metric, kernel, rule, data):
    """Any finite floats, subnormal and huge ones too."""
    shape = data.draw(st.tuples(st.integers(1, 10), st.integers(1, 3)))
    Z = data.draw(hnp.arrays(dtype, shape, elements=any_floats(dtype)))
    if metric == "dot" and kernel not in ("exponential", "indicator"):
        metric = "euclidean"
    h = data.draw(st.sampled_from([1e-3, 1.0, 1e6]))
    value_of = {"exponential": kernels.Exponential(h), "indicator": kernels.Indicator()}
    names = {
        "gaussian": kernels.Gaussian,
        "laplacian": kernels.Laplacian,
        "epanechnikov": kernels.Epanechnikov,
        "student_t": kernels.StudentT,
    }
    kernel = value_of[kernel] if kernel in value_of else names[kernel](h)
    empty_row = data.draw(st.sampled_from(["zero", "nearest"]))
    m = lw.Mechanism(metric=metric, kernel=kernel, normalization=rule, empty_row=empty_row)
    P = m.operator(Z)
    A = P.toarray()
    assert not np.isnan(A).any()
    assert not np.isnan(P @ np.ones(len(Z), dtype)).any()
    if rule in ("row", "density"):
        sums = A.sum(1)
        assert np.all((np.abs(sums - 1) < 1e-3) | (sums == 0)), sums


def estimators_stay_within_what_they_saw(Z, dtype, data):
    """Fits of any shape: finite predictions within the targets, shares that sum to 1, labels that exist."""
    Z = Z.astype(dtype)
    n = len(Z)
    y = np.arange(n, dtype=float)
    classes = np.arange(n) % 2
    name = data.draw(st.sampled_from(["regress", "classify", "knn", "propagate", "density", "shift", "map"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name == "regress":
            rule = data.draw(st.sampled_from(["loo", "median", "scott", "bgh", "self_tuning"]))
            got = lw.KernelRegressor(bandwidth=rule).fit(Z, y).predict(Z + dtype(0.25))
            assert np.isfinite(got).all() and got.min() >= -1e-3 and got.max() <= n - 1 + 1e-3
        elif name == "classify":
            got = lw.KernelClassifier().fit(Z, classes).predict_proba(Z)
            np.testing.assert_allclose(got.sum(1), 1, atol=1e-5)
        elif name == "knn":
            weights = data.draw(st.sampled_from(["uniform", "distance"]))
            k = data.draw(st.integers(1, n))
            got = lw.KNeighborsRegressor(k, weights=weights).fit(Z, y).predict(Z)
            assert np.isfinite(got).all() and got.min() >= -1e-6 and got.max() <= n - 1 + 1e-3
        elif name == "propagate":
            labels = np.where(np.arange(n) < 2, classes, -1)
            got = lw.LabelPropagation(bandwidth="median", gamma=20).fit(Z, labels).label_distributions_
            np.testing.assert_allclose(got.sum(1), 1, atol=1e-5)
        elif name == "density":
            got = lw.KernelDensity(bandwidth="scott").fit(Z).score_samples(Z)
            assert np.isfinite(got).all()
        elif name == "shift":
            got = lw.MeanShift(bandwidth=1.0).fit(Z)
            assert got.labels_.max() + 1 == len(got.cluster_centers_)
        else:
            model = lw.DiffusionMaps(n_components=1, bandwidth="median").fit(Z)
            assert np.isfinite(model.embedding_).all() and np.abs(model.eigenvalues_).max() <= 1 + 1e-9


def spectra_equal_dense_numpy(Z, data):
    """eigsh of all pairs and neighbor graphs: every eigenvalue, counted."""
    n = len(Z)
    neighbors = data.draw(st.booleans())
    support = supports.Neighbors(min(3, n), include_self=True) if neighbors else supports.AllPairs()
    rule = data.draw(st.sampled_from(["row", "symmetric", "density"]))
    m = lw.Mechanism(kernel=kernels.Gaussian(1.0), support=support, normalization=rule)
    P = m.operator(Z)
    k = data.draw(st.integers(1, n))
    w, v = P.eigsh(k)
    want = np.sort(np.linalg.eigvals(P.toarray()).real)[::-1][:k]
    np.testing.assert_allclose(w, want, atol=1e-6)
    np.testing.assert_allclose(P @ v, v * w, atol=1e-6 * max(1, np.abs(v).max()))


FLOATS = st.sampled_from([np.float64, np.float32])
PROPERTIES = {
    operators_equal_numpy: dict(
        pair=st.sampled_from(PAIRS), rule=st.sampled_from(list(RULES)), Z=points(), data=st.data()
    ),
    neighbors_equal_sorted_distances: dict(Z=points(n=(1, 120), d=(1, 6)), data=st.data()),
    never_nan_from_finite_input: dict(
        dtype=FLOATS,
        metric=st.sampled_from(["sqeuclidean", "euclidean", "manhattan", "chebyshev", "dot"]),
        kernel=st.sampled_from(
            ["gaussian", "exponential", "laplacian", "epanechnikov", "student_t", "indicator"]
        ),
        rule=st.sampled_from(["row", "symmetric", "density", "none"]),
        data=st.data(),
    ),
    estimators_stay_within_what_they_saw: dict(
        Z=points(n=(2, 30), d=(1, 4)),
        dtype=FLOATS,
        data=st.data(),
    ),
    spectra_equal_dense_numpy: dict(Z=points(n=(2, 30), d=(1, 3), outliers=False), data=st.data()),
    fuzz_estimators.neighbors_vote_by_definition: dict(
        Z=points(n=(1, 60), d=(1, 5)), dtype=FLOATS, data=st.data()
    ),
    fuzz_estimators.kernel_means_by_definition: dict(
        Z=points(n=(1, 60), d=(1, 5)), dtype=FLOATS, data=st.data()
    ),
    fuzz_estimators.densities_by_definition: dict(
        Z=points(n=(1, 60), d=(1, 5)), dtype=FLOATS, data=st.data()
    ),
    fuzz_estimators.labels_by_solving: dict(Z=points(n=(2, 40), d=(1, 4), outliers=False), data=st.data()),
    fuzz_estimators.graphs_are_propagated_by_definition: dict(data=st.data()),
    fuzz_estimators.diffusion_maps_by_eigh: dict(
        Z=points(n=(3, 40), d=(1, 4), outliers=False), data=st.data()
    ),
}


def run(check, strategies, until, first_seed):
    """(examples, failure text or None) of one property, in rounds with new seeds until the time is over."""
    examples, round_seed = 0, first_seed

    @functools.wraps(check)
    def counted(**drawn):
        nonlocal examples
        examples += 1
        check(**drawn)

    quiet = settings(
        max_examples=300,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    while time.monotonic() < until:
        try:
            seed(round_seed)(quiet(given(**strategies)(counted)))()
        except Exception as error:
            return examples, "".join(traceback.format_exception(error))[-4000:]
        round_seed += 1
    return examples, None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    arguments = parser.parse_args()
    lines = ["| property | examples | result |", "|---|---|---|"]
    failures = []
    for check, strategies in PROPERTIES.items():
        until = time.monotonic() + arguments.seconds / len(PROPERTIES)
        examples, failure = run(check, strategies, until, arguments.seed)
        print(f"{check.__name__}: {examples} examples, {'failed' if failure else 'no failure'}", flush=True)
        lines.append(f"| {check.__name__} | {examples} | {'FAILED' if failure else 'no failure'} |")
        if failure:
            failures += ["", f"## {check.__name__}", "```", failure, "```"]
            print(failure, flush=True)
    versions = {name: __import__(name).__version__ for name in ("hypothesis", "numpy", "likewise")}
    command = f"make fuzz ARGS='--seconds {arguments.seconds:g} --seed {arguments.seed}'"
    report.write("fuzz", command, versions, [*lines, *failures])
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
