"""Every reader of everything that is fitted, from 8 threads at once, says what it says on one thread.

Kind: memory that calls share (a trace, a lazy number, a cache), written while the GIL is released. Readers
are found by name and called with fixed data, so that a new estimator or method is read here without a line.
"""

import inspect
import pickle
import threading
import warnings

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_array_equal
from sklearn.base import clone

import likewise as lw
from likewise import kernels, metrics, normalizations, supports

N_THREADS = 8
RNG = np.random.default_rng(0)
X, NUMBERS = RNG.normal(size=(60, 4)), RNG.normal(size=60)
CLASSES = (X[:, 0] + 0.3 * NUMBERS > 0).astype(int)
SOME = np.where(np.arange(60) % 4, -1, CLASSES)

SMALL = {"embed_dim": 8, "num_heads": 2, "max_epochs": 2, "random_state": 0}
ESTIMATORS = {
    "KernelRegressor": (lw.KernelRegressor(), NUMBERS),
    "KernelClassifier": (lw.KernelClassifier(), CLASSES),
    "KernelDensity": (lw.KernelDensity(bandwidth=0.5), None),
    "NearestNeighbors": (lw.NearestNeighbors(n_neighbors=4), None),
    "KNeighborsClassifier": (lw.KNeighborsClassifier(4, weights="distance"), CLASSES),
    "KNeighborsRegressor": (lw.KNeighborsRegressor(4), NUMBERS),
    "RadiusNeighborsClassifier": (lw.RadiusNeighborsClassifier(3.0), CLASSES),
    "RadiusNeighborsRegressor": (lw.RadiusNeighborsRegressor(3.0), NUMBERS),
    "SpectralClustering": (lw.SpectralClustering(3, random_state=0), None),
    "SpectralEmbedding": (lw.SpectralEmbedding(affinity="rbf", gamma=0.5), None),
    "DiffusionMaps": (lw.DiffusionMaps(bandwidth=1.0), None),
    "LabelPropagation": (lw.LabelPropagation(gamma=2.0), SOME),
    "LabelSpreading": (lw.LabelSpreading(gamma=2.0), SOME),
    "MeanShift": (lw.MeanShift(bandwidth=1.5), None),
    "FuzzyCMeans": (lw.FuzzyCMeans(3, random_state=0), None),
    "MarkovClustering": (lw.MarkovClustering(n_neighbors=8), None),
    "HopfieldMemory": (lw.HopfieldMemory(temperature=0.02, metric="sqeuclidean"), None),
    "MetricLearner": (lw.MetricLearner(max_iter=2), CLASSES),
    "AttentionClassifier": (lw.AttentionClassifier(**SMALL), CLASSES),
    "AttentionRegressor": (lw.AttentionRegressor("dot", **SMALL), NUMBERS),
    "AttentionClassifier in context": (lw.AttentionClassifier(**SMALL), CLASSES),
    "MetricLearner through a map": (
        lw.MetricLearner(map="residual_mlp", max_iter=2, random_state=0),
        CLASSES,
    ),
    "PropagationClassifier": (lw.PropagationClassifier(embed_dim=4, max_epochs=2, random_state=0), CLASSES),
    "PropagationRegressor": (
        lw.PropagationRegressor("dot", context="training", embed_dim=4, max_epochs=2, random_state=0),
        NUMBERS,
    ),
}
WRITES = ("fit", "set_", "save", "load", "store", "partial_fit", "plot", "from_", "get_metadata_routing")


def fitted(name):
    model, y = ESTIMATORS[name]
    context = {"context": "rows"} if name.endswith("in context") else {}
    return clone(model).fit(X, y, **context) if y is not None else clone(model).fit(X)


def readers(model, y):
    """name -> function(model, rows): methods whose required arguments are X and y, and fitted attributes."""
    found = {}
    for name in dir(type(model)):
        if name.startswith("_") or name.startswith(WRITES):
            continue
        member = inspect.getattr_static(type(model), name)
        if isinstance(member, property):
            found[name] = lambda m, rows, name=name: getattr(m, name)
            continue
        if not hasattr(model, name) or not callable(getattr(model, name)):
            continue
        parameters = list(inspect.signature(getattr(model, name)).parameters.values())
        needed = [p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
        given = {p.name for p in parameters} & {"X"} | set(needed)
        if given <= {"X", "y"} and not (given and "X" not in given):
            seed = {"random_state": 0} if "random_state" in (p.name for p in parameters) else {}
            found[name] = lambda m, rows, name=name, given=given, seed=seed: getattr(m, name)(
                **{"X": X[rows]} if "X" in given else {}, **{"y": y[rows]} if "y" in given else {}, **seed
            )
    return found


def told(call):
    """What a call says: its result, or its refusal."""
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def same(a, b):
    """Equal to the last bit, whatever it is made of."""
    assert type(a) is type(b), (type(a), type(b))
    if scipy.sparse.issparse(a):
        a, b = a.toarray(), b.toarray()
    if isinstance(a, (tuple, list)):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            same(x, y)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for name in a:
            same(a[name], b[name])
    elif isinstance(a, np.ndarray) and a.dtype == object:
        same(a.tolist(), b.tolist())
    elif isinstance(a, (np.ndarray, np.generic, float)):
        assert_array_equal(a, b)
    elif isinstance(a, (int, str, bool, type(None), lw.Mechanism)):
        assert a == b
    elif hasattr(a, "state_dict"):
        same((a.options, a.state_dict()), (b.options, b.state_dict()))
    else:
        same(members(a), members(b))


def members(value):
    """What a value of any class shows: its attributes, those of a compiled one by name."""
    if hasattr(value, "__dict__"):
        return vars(value)
    found = {name: getattr(value, name) for name in dir(value) if not name.startswith("_")}
    return {name: part for name, part in found.items() if not callable(part)} or repr(value)


def at_once(jobs):
    """The results of the functions, each on a thread of its own, all begun together."""
    results, ready = [None] * len(jobs), threading.Barrier(len(jobs))

    def run(at):
        ready.wait()
        results[at] = jobs[at]()

    threads = [threading.Thread(target=run, args=(at,)) for at in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def check_readers(make, calls):
    """calls: name -> function(object, which), `which` in range(N_THREADS); each thread in another order."""
    alone = make()
    want = [
        {name: told(lambda c=call, w=which: c(alone, w)) for name, call in calls.items()}
        for which in range(N_THREADS)
    ]
    shared = make()  # nothing of it has been asked yet
    names = list(calls)

    def job(which):
        order = names[which % len(names) :] + names[: which % len(names)]
        return [
            (name, told(lambda name=name: calls[name](shared, which))) for name in order for _ in range(3)
        ]

    for which, got in enumerate(at_once([lambda which=which: job(which) for which in range(N_THREADS)])):
        for name, result in got:
            try:
                same(result, want[which][name])
            except AssertionError as error:
                raise AssertionError(f"{name} on thread {which}: {error}") from None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators(name):
    """Each method and property that reads, of each estimator, with other rows on each thread."""
    warnings.simplefilter("ignore")
    model = fitted(name)
    y = np.zeros(60) if ESTIMATORS[name][1] is None else ESTIMATORS[name][1]
    found = readers(model, y)
    assert len(found) >= 2, found
    rows = [slice(0, 20 + 5 * which) for which in range(N_THREADS)]
    calls = {n: (lambda m, which, read=read: read(m, rows[which])) for n, read in found.items()}
    check_readers(lambda: pickle.loads(pickle.dumps(model)), calls)


MECHANISMS = {
    "streamed": (lw.Mechanism(kernel=kernels.Gaussian(1.0)), "streamed"),
    "dense": (lw.Mechanism(kernel=kernels.Gaussian(1.0), normalization="symmetric"), "dense"),
    "sparse": (lw.Mechanism(kernel=kernels.Gaussian(1.0), support=supports.Neighbors(6)), "sparse"),
    "density": (
        lw.Mechanism(kernel=kernels.Gaussian(1.0), normalization=normalizations.Density(1.0)),
        "streamed",
    ),
    "bistochastic": (
        lw.Mechanism(kernel=kernels.Gaussian(1.0), normalization=normalizations.Bistochastic()),
        "streamed",
    ),
    "mask": (
        lw.Mechanism(metric="dot", kernel=kernels.Exponential(2.0), support=supports.Mask(X @ X.T > -1)),
        "streamed",
    ),
    "other kernel": (lw.Mechanism(metric=metrics.Manhattan(), kernel=kernels.StudentT(1.0)), "streamed"),
}
V = RNG.normal(size=(60, 3))
OF_OPERATORS = {
    "apply": lambda P, which: P @ V[:, : 1 + which % 3],
    "transposed": lambda P, which: P.T @ V[:, : 1 + which % 3],
    "log_row_sums": lambda P, which: P.log_row_sums,
    "toarray": lambda P, which: P.toarray(),
    "tocsr": lambda P, which: P.tocsr(),
    "power": lambda P, which: P.power(2 + which % 2) @ V,
    "heat": lambda P, which: P.heat(0.5) @ V,
    "eigsh": lambda P, which: P.eigsh(2),
    "vjp": lambda P, which: P.vjp(V[:, :2], V[:, 1:]),
    "at": lambda P, which: P.at(X[: 10 + which]) @ V,
    "equilibrium": lambda P, which: P.equilibrium(V, clamped=np.arange(60) % 5 == 0)[0],
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MECHANISMS)
def test_operators(name):
    """What an operator finds at the first question (row sums, a transpose) is found once, for all threads."""
    mechanism, storage = MECHANISMS[name]
    check_readers(lambda: mechanism.operator(X, storage=storage), OF_OPERATORS)


@pytest.mark.parametrize("length", [6, 140])  # tiles, and operators
@pytest.mark.parametrize("make", [lw.nn.SelfAttention, lw.nn.L2Attention])
def test_layers(make, length):
    """Each thread's backward and attention_weights are of its own forward; gradients of all are added up."""
    layer = make(8, 2, dtype=np.float64, random_state=0)
    inputs = [np.random.default_rng(w).normal(size=(1 + w % 3, length + w, 8)) for w in range(N_THREADS)]

    def steps(layer, which):
        x = inputs[which]
        return [
            part
            for _ in range(3)
            for part in (layer.forward(x), layer.backward(np.cos(x)), layer.attention_weights())
        ]

    want, gradient = [], 0
    for which in range(N_THREADS):
        alone = pickle.loads(pickle.dumps(layer))
        want.append(steps(alone, which))
        gradient = gradient + alone.flat_gradients
    for got, expected in zip(at_once([lambda w=w: steps(layer, w) for w in range(N_THREADS)]), want):
        same(got, expected)
    np.testing.assert_allclose(layer.flat_gradients, gradient, rtol=1e-10, atol=1e-12)
