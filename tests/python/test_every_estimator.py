"""What every estimator has: its slots as a value, scikit-learn's names, float32, pickles, documentation."""

import inspect
import pickle
import re
import warnings

import numpy as np
import pytest
import sklearn.cluster
import sklearn.manifold
import sklearn.neighbors
import sklearn.semi_supervised
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

import likewise as lw
from likewise import kernels, metrics, normalizations, supports
from likewise._explain import estimators
from likewise.propagations import Equilibrium, OneStep, Spectrum, Steps

X, Y = load_iris(return_X_y=True)
X, Y = X[::3], Y[::3]
SOME = np.where(np.arange(len(Y)) % 5, -1, Y)
NEW = X + 0.1 * np.random.default_rng(0).normal(size=X.shape)

# name -> (estimator, its target)
ESTIMATORS = {
    "KernelRegressor": (lw.KernelRegressor(bandwidth=0.5), X[:, 3]),
    "KernelClassifier": (lw.KernelClassifier(bandwidth=0.5), Y),
    "KernelDensity": (lw.KernelDensity(bandwidth=0.5), None),
    "NearestNeighbors": (lw.NearestNeighbors(n_neighbors=4), None),
    "KNeighborsClassifier": (lw.KNeighborsClassifier(4, weights="distance"), Y),
    "KNeighborsRegressor": (lw.KNeighborsRegressor(4), X[:, 3]),
    "RadiusNeighborsClassifier": (lw.RadiusNeighborsClassifier(2.0), Y),
    "RadiusNeighborsRegressor": (lw.RadiusNeighborsRegressor(2.0, weights="distance"), X[:, 3]),
    "SpectralClustering": (lw.SpectralClustering(3, random_state=0), None),
    "SpectralEmbedding": (lw.SpectralEmbedding(affinity="rbf", gamma=0.5), None),
    "DiffusionMaps": (lw.DiffusionMaps(bandwidth=1.0), None),
    "LabelPropagation": (lw.LabelPropagation(gamma=2.0), SOME),
    "LabelSpreading": (lw.LabelSpreading(gamma=2.0), SOME),
    "MeanShift": (lw.MeanShift(bandwidth=1.5), None),
    "FuzzyCMeans": (lw.FuzzyCMeans(3, init=X[[0, 20, 40]]), None),
    "MarkovClustering": (lw.MarkovClustering(n_neighbors=8), None),
    "HopfieldMemory": (lw.HopfieldMemory(temperature=0.02, metric="sqeuclidean"), None),
}
# What is learned is open before fit: the metric and where its temperature goes.
_small = dict(embed_dim=4, num_heads=2, max_epochs=3, early_stopping=False, random_state=0)
LEARNED = {
    "MetricLearner": (lw.MetricLearner(max_iter=3), Y),
    "AttentionClassifier": (lw.AttentionClassifier(**_small), Y),
    "AttentionRegressor": (lw.AttentionRegressor("dot", **_small), X[:, 3]),
    "PropagationClassifier": (lw.PropagationClassifier(embed_dim=4, max_epochs=3, random_state=0), Y),
    "PropagationRegressor": (
        lw.PropagationRegressor("l2", embed_dim=4, max_epochs=3, random_state=0),
        X[:, 3],
    ),
}
OTHER_METRIC = {"HopfieldMemory": metrics.DotProduct()}  # Manhattan elsewhere
# What from_mechanism has to be told beside the slots.
BESIDE = {
    "SpectralClustering": {"n_clusters": 3, "random_state": 0},
    "FuzzyCMeans": {"n_clusters": 3, "init": X[[0, 20, 40]]},
    "MarkovClustering": {"n_neighbors": 8},
}


def fitted(name, model=None):
    estimator, y = {**ESTIMATORS, **LEARNED}[name]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "max_iter=3", ConvergenceWarning)
        return clone(model or estimator).fit(X, y)


def result(model):
    """What the model says of the points, by whatever it has for it."""
    for call in ("predict_proba", "predict", "transform", "score_samples"):
        if hasattr(model, call):
            return np.asarray(getattr(model, call)(NEW))
    return model.kneighbors(NEW)[0]


def same_slots(a, b):
    return a.replace(empty_row="zero") == b.replace(empty_row="zero")


EVERY = [
    cls
    for cls in (getattr(lw, n) for n in lw.__all__)
    if isinstance(cls, type) and hasattr(cls, "get_params")
]


@pytest.mark.parametrize("cls", EVERY, ids=lambda cls: cls.__name__)
def test_documentation_names_every_parameter_and_method(cls):
    told = inspect.getdoc(cls)
    for other in re.findall(r"(?:See|as in) (\w+)", told):
        told += inspect.getdoc(getattr(lw, other, cls))
    assert "Parameters\n----------" in told
    assert [p for p in inspect.signature(cls).parameters if not re.search(rf"\b{p}\b", told)] == []
    public = inspect.getmembers(cls, lambda member: callable(member) or isinstance(member, property))
    assert [name for name, member in public if name[0] != "_" and not inspect.getdoc(member)] == []


@pytest.fixture(params=ESTIMATORS)
def name(request):
    return request.param


@pytest.mark.parametrize("name", [*ESTIMATORS, *LEARNED])
def test_slots_before_and_after_fit(name):
    model = {**ESTIMATORS, **LEARNED}[name][0]
    before = model.mechanism
    assert isinstance(before, lw.Mechanism)
    with pytest.raises(AttributeError):
        model.mechanism = before
    after = fitted(name)
    assert isinstance(after.mechanism_, lw.Mechanism)
    if name in LEARNED:
        assert is_open(before.metric) and not is_open(after.mechanism_.metric)
        learned = {"metric": before.metric, "kernel": before.kernel}
        assert same_slots(after.mechanism_.replace(**learned), before)
        assert type(after.mechanism_.metric) is type(before.metric)
    else:
        assert same_slots(after.mechanism_, before)  # every bandwidth here is a number
    assert after.mechanism == before
    for text in (str(before), str(lw.explain(after))):
        assert text.startswith("y_i = l_i * sum_{j in S(i)} phi(c(x_i, z_j)) * r_j * v_j")
        for slot in (before.metric, before.kernel, before.support, before.normalization, before.propagation):
            assert repr(slot).split("(")[0] in text
    assert lw.explain(after).mechanism == after.mechanism_
    assert lw.explain(after).propagation == after.mechanism_.propagation and lw.explain(after).values


def is_open(metric):
    """A factor or a map is left to be learned."""
    if isinstance(metric, metrics.Mapped):
        return metric == metrics.Mapped(lw.maps.ResidualMLP())
    return (metric.factor if hasattr(metric, "factor") else metric.query_factor) is None


# Estimators whose parameters say something of their fifth slot, and what it is then.
FIFTH_SLOTS = [
    (lw.KernelRegressor(), OneStep()),
    (lw.NearestNeighbors(), OneStep()),
    (lw.MetricLearner(), OneStep()),
    (lw.AttentionClassifier("dot"), OneStep()),
    (lw.PropagationClassifier(), OneStep()),
    (lw.SpectralClustering(5), Spectrum(5)),
    (lw.SpectralClustering(5, n_components=3, eigen_tol=1e-6), Spectrum(3, tol=1e-6)),
    (lw.SpectralClustering("auto"), Spectrum(21)),
    (lw.SpectralEmbedding(4), Spectrum(5)),
    (lw.DiffusionMaps(3, diffusion_time=2.5), Spectrum(4, 2.5)),
    (lw.LabelPropagation(), Equilibrium()),
    (
        lw.LabelPropagation(solver="iterate", max_iter=20, tol=0.01),
        Equilibrium(tol=0.01, max_iter=20, solver="iterate"),
    ),
    (lw.LabelSpreading(alpha=0.7), Equilibrium(0.7)),
    (lw.MeanShift(max_iter=50), Steps(moving="points", tol=1e-3, max_iter=50)),
    (lw.HopfieldMemory(tol=1e-6, max_iter=7), Steps(moving="points", tol=1e-6, max_iter=7)),
]


@pytest.mark.parametrize(("model", "propagation"), FIFTH_SLOTS, ids=lambda v: repr(v)[:50])
def test_the_fifth_slot_is_what_the_parameters_say(model, propagation):
    m = model.mechanism
    assert m.propagation == propagation
    again = type(model).from_mechanism(m).mechanism
    if "auto" not in repr(model):  # 21 pairs are looked at; how many clusters they show is not known yet
        assert again == m
    other = lw.DiffusionMaps if isinstance(propagation, Steps) else lw.MeanShift
    assert other._of_propagation(propagation) == {}  # another kind's parameters stay as they are


def test_the_fifth_slot_after_fit_is_what_was_done():
    assert lw.SpectralClustering("auto", gamma=0.5).fit(X).mechanism_.propagation == Spectrum(21)
    model = lw.DiffusionMaps(3, diffusion_time=2, bandwidth=1.0).fit(X)
    assert model.mechanism_.propagation == Spectrum(4, 2)
    found = model.mechanism_.propagate(X)
    assert_allclose(found.vectors[:, 1:], model.embedding_, atol=1e-10)


def test_from_mechanism_is_the_same_model(name):
    model = fitted(name)
    params = BESIDE.get(name, {})
    for m in (model.mechanism, model.mechanism_):
        again = type(model).from_mechanism(m, **params)
        assert same_slots(again.mechanism, m)
        assert clone(again).mechanism == again.mechanism
        assert_allclose(result(fitted(name, again)), result(model), rtol=1e-9, atol=1e-9)


def test_one_slot_changed_is_the_other_method(name):
    other = OTHER_METRIC.get(name, metrics.Manhattan())
    model = fitted(name)
    if "metric" not in model.get_params():  # means are centers under no other metric
        assert name == "FuzzyCMeans"
        return
    changed = clone(model).set_params(metric=other)
    assert changed.mechanism == model.mechanism.replace(metric=other)
    assert clone(changed).mechanism == changed.mechanism
    changed = fitted(name, changed)
    assert changed.mechanism_.metric == other
    params = BESIDE.get(name, {})
    made = fitted(name, type(model).from_mechanism(model.mechanism_.replace(metric=other), **params))
    assert_allclose(result(made), result(changed), rtol=1e-9, atol=1e-9)
    if not name.startswith(("Spectral", "Markov")):  # there the same clusters may come out
        assert not np.allclose(result(model), result(changed), rtol=1e-3)
    back = fitted(name, changed.set_params(metric=model.mechanism.metric))
    assert_allclose(result(back), result(model), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("estimator", [lw.SpectralClustering, lw.SpectralEmbedding])
def test_the_normalization_of_spectral_methods_can_be_set_and_set_back(estimator):
    m = lw.Mechanism(kernel=kernels.Gaussian(1.0), normalization="row")
    model = estimator.from_mechanism(m)
    m = m.replace(propagation=model.mechanism.propagation)
    assert model.mechanism == m
    for normalization in (
        normalizations.Density(1.0),
        normalizations.Symmetric(),
        normalizations.RowStochastic(),
    ):
        assert model.set_params(normalization=normalization).mechanism == m.replace(
            normalization=normalization
        )


def test_a_metric_of_a_mechanism_can_be_set_and_set_back():
    for estimator in (lw.LabelPropagation, lw.LabelSpreading):
        model = estimator.from_mechanism(lw.Mechanism(metric="manhattan", kernel=kernels.Laplacian(1.0)))
        assert model.mechanism.metric == metrics.Manhattan()
        assert model.set_params(metric="euclidean").mechanism.metric == metrics.Euclidean()


def test_a_peer_that_was_read_can_be_made_ours():
    theirs = sklearn.neighbors.KNeighborsClassifier(7, weights="distance").fit(X, Y)
    ours = lw.KNeighborsClassifier.from_mechanism(lw.explain(theirs).mechanism).fit(X, Y)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X))
    search = lw.NearestNeighbors.from_mechanism(lw.NearestNeighbors(n_neighbors=3, metric="l1").mechanism)
    assert search.n_neighbors == 3 and search.mechanism.metric == metrics.Manhattan()
    with pytest.raises(ValueError, match=r"support must be Neighbors\(n_neighbors\); got Radius"):
        lw.NearestNeighbors.from_mechanism(lw.Mechanism(support=supports.Radius(1.0)))
    with pytest.raises(ValueError, match="support must be Neighbors"):
        lw.KNeighborsRegressor.from_mechanism(
            lw.Mechanism(kernel="indicator", support=supports.Neighbors(3, symmetrize="mutual"))
        )


def test_float32_stays(name):
    model, y = ESTIMATORS[name]
    X32 = X.astype(np.float32)
    model = clone(model).fit(X32, y)
    got = result(model)
    for call in ("transform", "predict_proba"):
        if hasattr(model, call):
            assert np.asarray(getattr(model, call)(X32)).dtype == np.float32
    assert_allclose(got, result(fitted(name)), rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("name", [*ESTIMATORS, *LEARNED])
def test_pickles(name):
    model = fitted(name)
    again = pickle.loads(pickle.dumps(model))
    assert again.mechanism_ == model.mechanism_
    assert (result(again) == result(model)).all()


PEERS = {
    "KernelDensity": sklearn.neighbors.KernelDensity,
    "NearestNeighbors": sklearn.neighbors.NearestNeighbors,
    "KNeighborsClassifier": sklearn.neighbors.KNeighborsClassifier,
    "KNeighborsRegressor": sklearn.neighbors.KNeighborsRegressor,
    "RadiusNeighborsClassifier": sklearn.neighbors.RadiusNeighborsClassifier,
    "RadiusNeighborsRegressor": sklearn.neighbors.RadiusNeighborsRegressor,
    "SpectralClustering": sklearn.cluster.SpectralClustering,
    "SpectralEmbedding": sklearn.manifold.SpectralEmbedding,
    "LabelPropagation": sklearn.semi_supervised.LabelPropagation,
    "LabelSpreading": sklearn.semi_supervised.LabelSpreading,
    "MeanShift": sklearn.cluster.MeanShift,
}
# The tree of a density: ours has none. The radius of a k-NN classifier and the like: a base class's.
NOT_OURS = {"tree_"}


@pytest.mark.parametrize("peer", PEERS)
def test_parameters_defaults_and_attributes_are_those_of_scikit_learn(peer):
    theirs, ours = PEERS[peer](), getattr(lw, peer)()
    for parameter, default in theirs.get_params().items():
        assert ours.get_params()[parameter] == default, parameter
    if "Radius" in peer:
        theirs.set_params(radius=9.0)
        ours.set_params(radius=9.0)
    theirs, ours = theirs.fit(X, SOME), ours.fit(X, SOME)
    public = [n for n in dir(theirs) if not n.startswith("_") and n not in ("radius", "n_neighbors", "alpha")]
    assert [n for n in public if n not in NOT_OURS and not hasattr(ours, n)] == []
    for n in public:  # shapes and kinds hold
        if (
            n.endswith("_")
            and isinstance(value := getattr(theirs, n), np.ndarray)
            and n != "cluster_centers_"
        ):
            assert np.shape(getattr(ours, n)) == value.shape, n


@pytest.mark.parametrize(
    ("params", "want"),
    [
        ({}, "euclidean"),
        ({"p": 1}, "manhattan"),
        ({"p": np.inf}, "chebyshev"),
        ({"p": 3}, "minkowski"),
        ({"metric": "cosine"}, "cosine"),
        ({"metric_params": {"w": np.ones(4)}}, "minkowski"),
    ],
)
def test_effective_metrics_are_scikit_learns(params, want):
    ours, theirs = (c(**params).fit(X) for c in (lw.NearestNeighbors, sklearn.neighbors.NearestNeighbors))
    assert ours.effective_metric_ == theirs.effective_metric_ == want
    np.testing.assert_equal(ours.effective_metric_params_, theirs.effective_metric_params_)


# What a fitted estimator says of X or NEW, and what its five slots say alone, run by Mechanism.propagate.


def _regression(m, model):
    return model.predict(NEW), m.propagate(X, ESTIMATORS[type(model).__name__][1], X=NEW)


def _classification(m, model):
    return model.predict_proba(NEW), m.propagate(X, np.eye(3)[Y], X=NEW)


def _density(m, model):
    """Up to the kernel's constant."""
    said, found = np.exp(model.score_samples(NEW)), m.propagate(X, np.full(len(X), 1 / len(X)), X=NEW)
    return said / said[0], found / found[0]


def _search(m, model):
    return np.sort(model.kneighbors(NEW)[1]), np.nonzero(m.propagate(X, np.eye(len(X)), X=NEW))[1].reshape(
        -1, 4
    )


def _walk(m, model):
    """Vectors of the walk, u / sqrt(D), each up to its sign; of an embedding without the constant one."""
    vectors = np.asarray(m.propagate(X).vectors) / np.exp(0.5 * m.operator(X).log_row_sums)[:, None]
    vectors = vectors[:, -model.embedding_.shape[1] :]
    return model.embedding_, vectors * np.sign((vectors * model.embedding_).sum(0))


def _diffusion(m, model):
    return model.embedding_, m.propagate(X).vectors[:, 1:]


def _labels(m, model):
    one_hot = (SOME[:, None] == np.arange(3)).astype(float)
    clamped = {} if m.propagation.alpha else {"clamped": SOME != -1}
    F = m.propagate(X, one_hot, **clamped)
    return model.label_distributions_, F / F.sum(1, keepdims=True)


def _modes(m, model):
    """Each center is where some point ends, and each point ends within a bandwidth of one."""
    ends = m.propagate(X)
    away = np.linalg.norm(model.cluster_centers_[:, None] - ends, axis=-1)
    assert away.min(0).max() <= m.kernel.bandwidth
    return model.cluster_centers_, ends[away.argmin(1)]


def _belonging(m, model):
    return model.predict_proba(NEW), m.propagate(model.cluster_centers_, np.eye(3), X=NEW)


def _flow(m, model):
    """The walk of the value, a loop added where there is none, squared and inflated until it stands still."""
    P = m.operator(X).toarray()
    P[np.diag_indices(len(P))] += np.where(np.diag(P) > 0, 0, P.max(1))
    P /= P.sum(1, keepdims=True)
    for _ in range(model.n_iter_):
        P = (P @ P) ** 2
        P /= P.sum(1, keepdims=True)
    return model.flow_.toarray(), np.where(model.flow_.toarray() > 0, P, 0)


def _memory(m, model):
    return model.transform(NEW), m.propagate(X, X=NEW)


def _learned_metric(m, model):
    shares = m.propagate(X, np.eye(3)[Y])
    return model.loss_, (1 - shares[np.arange(len(Y)), Y]).sum()


def _head(m, model):
    """The first head's weights among a row's tokens; of dot products the queries' bias is no part of it."""
    tokens = model.transform(X[:1])[0].astype(float)
    said = model.attention_weights(X[:1])[0, 0, 0]
    found = m.propagate(tokens, np.eye(len(tokens)))
    return (said, found) if isinstance(m.metric, metrics.Mahalanobis) else (said.sum(1), found.sum(1))


def _module(m, model):
    """The first module's H, from the rows before it."""
    before = model.transform(NEW, layer=0)
    return model.transform(NEW, layer=1), m.propagate(before, before)


ALONE = {
    "KernelRegressor": _regression,
    "KernelClassifier": _classification,
    "KernelDensity": _density,
    "KNeighborsClassifier": _classification,
    "KNeighborsRegressor": _regression,
    "RadiusNeighborsClassifier": _classification,
    "RadiusNeighborsRegressor": _regression,
    "NearestNeighbors": _search,
    "SpectralClustering": _walk,
    "SpectralEmbedding": _walk,
    "DiffusionMaps": _diffusion,
    "LabelPropagation": _labels,
    "LabelSpreading": _labels,
    "MeanShift": _modes,
    "FuzzyCMeans": _belonging,
    "MarkovClustering": _flow,
    "HopfieldMemory": _memory,
    "MetricLearner": _learned_metric,
    "AttentionClassifier": _head,
    "AttentionRegressor": _head,
    "PropagationClassifier": _module,
    "PropagationRegressor": _module,
}


@pytest.mark.parametrize("name", estimators())
def test_every_method_runs_from_its_value_alone(name):
    """README's table of values: what they say is what their estimators say."""
    model = fitted(name)
    said, found = ALONE[name](model.mechanism_, model)
    assert_allclose(said, found, atol=1e-6)
