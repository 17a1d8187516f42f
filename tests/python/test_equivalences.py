"""Changes of the input that must change no answer, of every estimator: order, names, containers, weights.

They hold whatever is computed; so they need no oracle, and look where no test of one estimator does.
Ties are excepted (the points here have none).
"""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from every import EVERY, LABELS, NEW, NUMBERS, SEMI_SUPERVISED, SOME, X, answers, fitted, labels_of
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score, log_loss

import likewise as lw

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

LABELED = [name for name in EVERY if labels_of(name)]


@pytest.fixture(params=EVERY)
def name(request):
    return request.param


@pytest.fixture(params=LABELED)
def labeled(request):
    return request.param


def close(got, want, rtol=1e-7):
    finite = np.abs(want[np.isfinite(want)]) if np.asarray(want).dtype.kind == "f" else np.zeros(0)
    scale = finite.max(initial=0)
    assert_allclose(got, want, rtol=rtol, atol=rtol * scale)


def same_answers(got, want, name, rtol=1e-7):
    """Equal to rounding; numbers of clusters are names, which may be exchanged."""
    assert got.keys() == want.keys()
    for method in want:
        if method == "predict" and name in ("SpectralClustering", "MeanShift", "MarkovClustering"):
            assert adjusted_rand_score(got[method], want[method]) == 1
        elif np.asarray(want[method]).dtype.kind in "OUSb":
            assert_array_equal(got[method], want[method])
        else:
            close(got[method], want[method], rtol)


# --- order and names -------------------------------------------------------------------------------------


def test_the_order_of_rows_does_not_matter(name):
    """Kind: an answer that depends on where a row stands."""
    order = np.random.default_rng(1).permutation(len(X))
    y = EVERY[name].y
    got = answers(fitted(name, X[order], None if y is None else y[order]))
    want = answers(fitted(name))
    if "indices" in got:
        got["indices"] = order[got["indices"]]
    same_answers(got, want, name, rtol=2e-4 if name.startswith(("Attention", "Metric")) else 1e-7)


FEATURES_OUT = {
    "HopfieldMemory",
    "MetricLearner",
    "MetricLearner(mlkr)",
}  # transform keeps the columns' order
# A random weight for each column.
RANDOM_COLUMNS = {
    "AttentionClassifier",
    "AttentionRegressor",
    "MetricLearner(residual_mlp)",
    "PropagationClassifier",
    "PropagationRegressor",
}


@pytest.mark.parametrize("name", [n for n in EVERY if n not in RANDOM_COLUMNS])
def test_the_order_of_columns_does_not_matter(name):
    """Kind: an answer that depends on where a feature stands."""
    order = np.array([2, 0, 1])
    got = answers(fitted(name, X[:, order]), NEW[:, order])
    want = answers(fitted(name))
    if name in FEATURES_OUT:
        want["transform"] = want["transform"][:, order]
    same_answers(got, want, name, rtol=1e-4 if name.startswith("Metric") else 1e-7)


NAMES = {
    "reversed": np.array([2, 1, 0]),
    "sparse ints": np.array([70, -7, 3]),
    "text": np.array(["b", "zebra", "a"]),
    "objects": np.array(["setosa", "virginica", "a"], dtype=object),
}


@pytest.mark.parametrize("names", NAMES)
def test_the_names_of_classes_do_not_matter(labeled, names):
    """Kind: an answer that depends on how classes are called, or on which comes first."""
    named = NAMES[names]
    if labeled == "PropagationClassifier":  # a random weight for each class, in their order
        named = np.sort(named)
    y = EVERY[labeled].y
    unlabeled = "-1" if named.dtype.kind == "U" else -1
    y = np.where(y < 0, unlabeled, named[y]) if labeled in SEMI_SUPERVISED else named[y]
    got, want = fitted(labeled, y=y), fitted(labeled)
    if hasattr(got, "classes_"):
        assert_array_equal(got.classes_, np.sort(named))
    got, want = answers(got), answers(want)
    if "predict" in want:
        want["predict"] = named[want["predict"]]
        assert_array_equal(got.pop("predict"), want.pop("predict"))
    if "predict_proba" in want:
        want["predict_proba"] = want["predict_proba"][:, np.argsort(named)]
    same_answers(got, want, labeled, rtol=1e-4)


# --- containers ------------------------------------------------------------------------------------------

LABEL_CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "Series": pd.Series,
    "object array": lambda y: y.astype(object),
    "int8": lambda y: y.astype(np.int8),
    "float": lambda y: y.astype(float),
    "strided": lambda y: np.repeat(y, 2)[::2],
    "read-only": lambda y: _frozen(y),
    "nullable Series": lambda y: pd.Series(y, dtype="Int64"),
}


def _frozen(a):
    a = a.copy()
    a.flags.writeable = False
    return a


def _are_numbers(name, container):
    """MetricLearner takes floats for numbers, by its own rule."""
    return name.startswith("MetricLearner") and container == "float"


@pytest.mark.parametrize(
    ("labeled", "container"),
    [(n, c) for n in LABELED for c in LABEL_CONTAINERS if not _are_numbers(n, c)],
)
def test_labels_in_any_container(labeled, container):
    """Kind: a container of labels that is read in another way than an array of ints."""
    y = LABEL_CONTAINERS[container](EVERY[labeled].y)
    got, want = answers(fitted(labeled, y=y)), answers(fitted(labeled))
    same_answers(got, want, labeled)


@pytest.mark.parametrize(
    "container", ["list", "array", "object array", "Series", "object Series", "string Series"]
)
@pytest.mark.parametrize("name", sorted(SEMI_SUPERVISED))
def test_unlabeled_text_in_any_container(name, container):
    """Kind: "-1" among text labels is unlabeled in one container and a class in another."""
    y = np.where(SOME < 0, "-1", np.array(["a", "b", "c"])[SOME])
    make = {
        "list": list,
        "array": np.array,
        "object array": lambda v: v.astype(object),
        "Series": pd.Series,
        "object Series": lambda v: pd.Series(v, dtype=object),
        "string Series": lambda v: pd.Series(v, dtype="string"),
    }[container]
    model = fitted(name, y=make(y))
    assert_array_equal(model.classes_, ["a", "b", "c"])
    close(model.label_distributions_, fitted(name).label_distributions_)


def _memmap(A, folder):
    path = folder / f"points{len(A)}"
    A.tofile(path)
    return np.memmap(path, A.dtype, "r", shape=A.shape)


POINT_CONTAINERS = {
    "list": lambda A, folder: A.tolist(),
    "DataFrame": lambda A, folder: pd.DataFrame(A),
    "named DataFrame": lambda A, folder: pd.DataFrame(A, columns=["a", "b", "c"]),
    "Fortran": lambda A, folder: np.asfortranarray(A),
    "strided": lambda A, folder: np.repeat(np.repeat(A, 2, 0), 3, 1)[::2, ::3],
    "reversed view": lambda A, folder: A[::-1].copy()[::-1],
    "read-only": lambda A, folder: _frozen(A),
    "memory-mapped": _memmap,
    "big-endian": lambda A, folder: A.astype(A.dtype.newbyteorder(">")),
    "object": lambda A, folder: A.astype(object),
    "longdouble": lambda A, folder: A.astype(np.longdouble),
    "unaligned": lambda A, folder: _unaligned(A),
}


def _unaligned(A):
    raw = np.zeros(A.nbytes + 1, np.uint8)
    B = raw[1:].view(A.dtype).reshape(A.shape)
    B[:] = A
    return B


@pytest.mark.parametrize("container", POINT_CONTAINERS)
def test_points_in_any_container(name, container, tmp_path):
    """Kind: memory order, flags or a type of X that changes numbers, is refused or is written to."""
    made = POINT_CONTAINERS[container](X, tmp_path)
    got = fitted(name, made)
    same_answers(answers(got, POINT_CONTAINERS[container](NEW, tmp_path)), answers(fitted(name)), name, 1e-12)


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint16, bool, np.float16])
def test_points_of_other_types_are_their_float64(name, dtype):
    """Kind: integers, booleans and halves that are computed with as such."""
    points = np.clip(np.round(2 * X), 0, 9).astype(dtype)
    new = np.clip(np.round(2 * NEW), 0, 9).astype(dtype)
    if dtype is bool:  # rings of 8 corners would tie everywhere: ask for what can be told
        if name in (
            "SpectralClustering",
            "SpectralEmbedding",
            "DiffusionMaps",
            "MeanShift",
            "MarkovClustering",
        ):
            return
    want = answers(fitted(name, points.astype(float)), new.astype(float))
    same_answers(answers(fitted(name, points), new), want, name, 1e-12)


def test_float32_points_give_the_answers_of_float64(name):
    """Kind: digits lost, or another branch taken, in single precision."""
    points, new = np.round(16 * X) / 16, np.round(16 * NEW) / 16  # exact in both
    want = answers(fitted(name, points), new)
    got = answers(fitted(name, points.astype(np.float32)), new.astype(np.float32))
    same_answers(got, want, name, rtol=2e-3)


def test_float32_queries_of_a_float64_fit_and_the_other_way(name):
    """Kind: a fit of one precision asked in the other."""
    points, new = np.round(16 * X) / 16, np.round(16 * NEW) / 16
    want = answers(fitted(name, points), new)
    same_answers(answers(fitted(name, points), new.astype(np.float32)), want, name, rtol=1e-5)
    same_answers(answers(fitted(name, points.astype(np.float32)), new), want, name, rtol=2e-3)


# --- the life of an estimator ----------------------------------------------------------------------------


def test_fit_again_is_a_fresh_fit(name):
    """Kind: something kept of a fit before: another length, other classes, another width."""
    want = answers(fitted(name))
    entry = EVERY[name]
    model = clone(entry.estimator)
    keywords = {"context": entry.context} if entry.context else {}
    other = np.random.default_rng(3).normal(size=(40, 2))
    model.fit(other, None if entry.y is None else entry.y[:40], **keywords)
    answers(model, other[:5])
    model.fit(X, entry.y, **keywords)
    same_answers(answers(model), want, name, 1e-12)
    model.fit(X, entry.y, **keywords)
    same_answers(answers(model), want, name, 1e-12)


def test_copies_answer_alike(name):
    """Kind: what a pickle, a deep copy or a clone leaves behind."""
    model = fitted(name)
    want = answers(model)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        same_answers(answers(pickle.loads(pickle.dumps(model, protocol))), want, name, 0)
    same_answers(answers(copy.deepcopy(model)), want, name, 0)
    again = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(model))))
    same_answers(answers(again), want, name, 0)
    entry = EVERY[name]
    keywords = {"context": entry.context} if entry.context else {}
    same_answers(answers(clone(model).fit(X, entry.y, **keywords)), want, name, 1e-12)


def test_asking_changes_nothing(name):
    """Kind: a read that writes to the model, to X or to y."""
    points, new = X.copy(), NEW.copy()
    y = None if EVERY[name].y is None else EVERY[name].y.copy()
    model = fitted(name, points, y)
    want = answers(model, new)
    same_answers(answers(model, new[::-1].copy()), {k: v[::-1] for k, v in want.items()}, name, 1e-12)
    same_answers(answers(model, new), want, name, 0)
    assert_array_equal(points, X)
    assert_array_equal(new, NEW)
    if y is not None:
        assert_array_equal(y, EVERY[name].y)


def test_one_query_at_a_time_is_all_at_once(name):
    """Kind: an answer to one row that depends on the rows beside it, where it is not meant to."""
    model = fitted(name)
    if name.startswith("Propagation"):
        model.set_params(predict_batch_size=1)
    want = answers(model)
    rows = [answers(model, NEW[i : i + 1]) for i in range(5)]
    got = {method: np.concatenate([row[method] for row in rows]) for method in want}
    for method in want:
        if want[method].dtype.kind == "f":
            close(got[method], want[method][:5], 1e-10)
        else:
            assert_array_equal(got[method], want[method][:5])


def test_changing_the_training_data_afterwards_changes_nothing(name):
    """Kind: a fitted model that still reads the caller's arrays."""
    points = X.copy()
    y = None if EVERY[name].y is None else EVERY[name].y.copy()
    model = fitted(name, points, y)
    want = answers(model)
    points[:] = -7.0
    if y is not None:
        y[:] = 0
    same_answers(answers(model), want, name, 0)


# --- shares ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_shares_are_shares(labeled, dtype):
    """Kind: shares below 0, above 1, or with a sum that scikit-learn's metrics refuse."""
    model = fitted(labeled, X.astype(dtype))
    if not hasattr(model, "predict_proba"):
        return
    far = (
        [] if "Radius" in labeled else [100 * NEW]
    )  # there a query without neighbors is an error, as in scikit-learn
    new = np.concatenate([NEW, X, *far]).astype(dtype)
    with np.errstate(all="raise"):
        shares = model.predict_proba(new)
    assert shares.min() >= 0 and shares.max() <= 1
    # as many units of the last place as there are classes to sum
    assert np.abs(shares.sum(axis=1) - 1).max() <= 3 * np.finfo(shares.dtype).eps
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log_loss(np.resize(LABELS, len(new)), shares, labels=[0, 1, 2])


# --- weights ---------------------------------------------------------------------------------------------

_rng = np.random.default_rng(9)
WEIGHTS = _rng.integers(0, 4, size=len(X))  # 0 is no row, 2 is two rows
REPEATED = np.repeat(np.arange(len(X)), WEIGHTS)

# "scott" and "silverman" have SciPy's effective size (sum w)^2 / sum w^2: two copies are more than weight 2.
BY_EFFECTIVE_SIZE = ["scott", "silverman"]
RULES = ["loo", "median", "bgh", "self_tuning", "perplexity", 0.7]
WEIGHTED = {
    **{f"KernelRegressor({r!r})": (lw.KernelRegressor(bandwidth=r), NUMBERS) for r in RULES},
    **{f"KernelClassifier({r!r})": (lw.KernelClassifier(bandwidth=r), LABELS) for r in RULES},
    **{f"KernelDensity({r!r})": (lw.KernelDensity(bandwidth=r), None) for r in ["median", "bgh", 0.7]},
    "KernelRegressor(degree=1)": (lw.KernelRegressor(bandwidth=1.0, degree=1), NUMBERS),
    "KernelRegressor(compact)": (lw.KernelRegressor(bandwidth="loo", kernel="epanechnikov"), NUMBERS),
    "KernelRegressor(1/d)": (lw.KernelRegressor(kernel="inverse_distance", bandwidth=None), NUMBERS),
    "KernelDensity(tophat)": (lw.KernelDensity(bandwidth=1.0, kernel="tophat"), None),
}


@pytest.mark.parametrize("container", ["repeated rows", "zeros left out", "list", "Series", "float32"])
@pytest.mark.parametrize("case", WEIGHTED)
def test_weight_2_is_two_rows_and_weight_0_is_none(case, container):
    """Kind: a rule, a scale or a mean that counts rows where it should sum weights."""
    model, y = WEIGHTED[case]
    if container == "repeated rows":
        got = clone(model).fit(X[REPEATED], None if y is None else y[REPEATED])
    elif container == "zeros left out":
        kept = WEIGHTS > 0
        got = clone(model).fit(X[kept], None if y is None else y[kept], sample_weight=WEIGHTS[kept])
    else:
        make = {"list": list, "Series": pd.Series, "float32": np.float32}[container]
        got = clone(model).fit(X, y, sample_weight=make(WEIGHTS))
    want = clone(model).fit(X, y, sample_weight=WEIGHTS.astype(float))
    # a rule's search and its interpolation end within a tolerance of their own
    same_answers(answers(got), answers(want), case, rtol=1e-5)


# A unit of weight is a row where a rule counts rows: what "loo" leaves out, the 7th neighbor, 30 neighbors.
BY_SHARES = {
    **{
        c: WEIGHTED[c]
        for c in WEIGHTED
        if not any(r in c for r in ("loo", "compact", "self_tuning", "perplexity"))
    },
    **{f"KernelRegressor({r!r})": (lw.KernelRegressor(bandwidth=r), NUMBERS) for r in BY_EFFECTIVE_SIZE},
    **{f"KernelClassifier({r!r})": (lw.KernelClassifier(bandwidth=r), LABELS) for r in BY_EFFECTIVE_SIZE},
    **{f"KernelDensity({r!r})": (lw.KernelDensity(bandwidth=r), None) for r in BY_EFFECTIVE_SIZE},
}


@pytest.mark.parametrize("case", BY_SHARES)
def test_only_the_ratios_of_weights_matter(case):
    """Kind: a rule that takes the total of the weights for a number of rows."""
    model, y = BY_SHARES[case]
    w = np.random.default_rng(2).uniform(0.5, 2.0, size=len(X))
    got = answers(clone(model).fit(X, y, sample_weight=1e-3 * w))
    same_answers(got, answers(clone(model).fit(X, y, sample_weight=w)), case, rtol=1e-6)


@pytest.mark.parametrize("case", [c for c in BY_SHARES if "scott" in c or "silverman" in c])
def test_rows_of_weight_0_are_none_to_a_rule_of_effective_size(case):
    """Kind: a rule that counts rows that nothing weighs."""
    model, y = BY_SHARES[case]
    kept = WEIGHTS > 0
    want = clone(model).fit(X[kept], None if y is None else y[kept], sample_weight=WEIGHTS[kept])
    same_answers(answers(clone(model).fit(X, y, sample_weight=WEIGHTS)), answers(want), case)


NORMALIZATIONS = {
    "row": "row",
    "null mass": lw.normalizations.RowStochastic(0.5),
    "density": lw.normalizations.Density(1.0),
    "bistochastic": lw.normalizations.Bistochastic(),
    "none": "none",
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("storage", ["streamed", "dense", "sparse"])
@pytest.mark.parametrize("rule", NORMALIZATIONS)
def test_a_key_weight_is_that_many_keys(rule, storage, dtype):
    """Kind: an operator that counts keys where it should sum their weights. For new points k copies of a key
    are one of weight k, and a key of weight 0 is none. (Symmetric ones take the root of a weight twice.)"""
    m = lw.Mechanism(kernel=lw.kernels.Gaussian(1.0), normalization=NORMALIZATIONS[rule])
    points, new = X.astype(dtype), NEW.astype(dtype)
    V = np.column_stack([NUMBERS, LABELS]).astype(dtype)
    with np.errstate(divide="ignore"):
        weighted = m.operator(points, log_key_weights=np.log(WEIGHTS), storage=storage)
    repeated = m.operator(points[REPEATED], storage=storage)
    tolerance = 1e-6 if dtype is np.float64 else 2e-4
    close(weighted.at(new) @ V, repeated.at(new) @ V[REPEATED], tolerance)
    kept = WEIGHTS > 0
    alone = m.operator(points[kept], log_key_weights=np.log(WEIGHTS[kept]), storage=storage)
    close((weighted @ V)[kept], alone @ V[kept], tolerance)


def _attention_steps(kind, X, y, w):
    """The loss at the start and the weights after one step of plain gradient descent on all rows."""
    model = {"classes": lw.AttentionClassifier, "numbers": lw.AttentionRegressor}[kind](
        embed_dim=4,
        num_heads=2,
        optimizer="sgd",
        learning_rate=0.1,
        weight_decay=0.0,
        max_norm=None,
        batch_size=10_000,
        max_epochs=1,
        early_stopping=False,
        dtype="float64",
        random_state=0,
    )
    model.fit(X, y, sample_weight=w)
    return model.history_["loss"], model.state_dict()


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_the_loss_and_gradient_of_attention_take_weights_as_copies(kind):
    """Kind: targets standardized, or a mean loss taken, over rows instead of weights."""
    y = {"classes": LABELS, "numbers": NUMBERS}[kind].copy()
    ruined = y.copy()
    if kind == "numbers":
        ruined[WEIGHTS == 0] = 1e4
    want = _attention_steps(kind, X[REPEATED], y[REPEATED], None)
    for got in (
        _attention_steps(kind, X, ruined, WEIGHTS.astype(float)),
        _attention_steps(kind, X, y, 10.0 * WEIGHTS),
    ):
        close(got[0], want[0], 1e-10)
        for parameter, value in want[1].items():
            close(got[1][parameter], value, 1e-10)
