"""Maps of points and the metrics they induce: the definitions by NumPy, and every method through them."""

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import erf

import likewise as lw
from likewise import maps, metrics

RNG = np.random.default_rng(5)
WIDTH, D, OUT = 6, 4, 3
W1, b1 = RNG.normal(size=(WIDTH, D)), RNG.normal(size=WIDTH)
W2, b2 = RNG.normal(size=(D, WIDTH)) / 3, RNG.normal(size=D)
W, b = RNG.normal(size=(OUT, D)), RNG.normal(size=OUT)
X, Z = RNG.normal(size=(30, D)), RNG.normal(size=(25, D))
ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda u: np.maximum(u, 0),
    "gelu": lambda u: u * 0.5 * (1 + erf(u / np.sqrt(2))),
}


def _square(x):
    return np.hstack([x, x**2])


def _square_vjp(x, g):
    return g[:, : x.shape[1]] + 2 * x * g[:, x.shape[1] :]


def _phi(activation):
    return lambda x: x + ACTIVATIONS[activation](x @ W1.T + b1) @ W2.T + b2


MAPS = {
    "linear": (maps.Linear(W, b), lambda x: x @ W.T + b),
    "linear without a bias": (maps.Linear(W), lambda x: x @ W.T),
    "custom": (maps.Custom(_square, _square_vjp), _square),
    **{a: (maps.ResidualMLP(W1, b1, W2, b2, a), _phi(a)) for a in ACTIVATIONS},
}
RESIDUAL = MAPS["tanh"][0]
BASES = ["sqeuclidean", "euclidean", "manhattan", "chebyshev", "cosine", "dot"]


def finite_difference(f, at, h=1e-6):
    slope = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        up, down = at.copy(), at.copy()
        up[index] += h
        down[index] -= h
        slope[index] = (f(up) - f(down)) / (2 * h)
    return slope


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_maps_are_their_formulas(name, dtype):
    phi, formula = MAPS[name]
    found = phi(X.astype(dtype))
    assert found.dtype == dtype
    assert_allclose(
        found, formula(X.astype(dtype).astype(float)), rtol=1e-12 if dtype == np.float64 else 1e-4, atol=1e-5
    )


@pytest.mark.parametrize("name", MAPS)
def test_derivatives_of_maps(name):
    phi, formula = MAPS[name]
    x = X[:3] + 0.1
    g = RNG.normal(size=formula(x).shape)
    by_x, by_parameters = phi.vjp(x, g)
    assert_allclose(by_x, finite_difference(lambda at: np.sum(g * formula(at)), x), rtol=1e-6, atol=1e-7)
    for parameter, found in by_parameters.items():
        at = np.array(getattr(phi, parameter))
        assert found.shape == at.shape

        def loss(value, parameter=parameter):
            fields = {
                k: getattr(phi, k)
                for k in ("W", "b", "W1", "b1", "W2", "b2", "activation")
                if hasattr(phi, k)
            }
            return np.sum(g * type(phi)(**{**fields, parameter: value})(x))

        assert_allclose(found, finite_difference(loss, at), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", MAPS)
def test_maps_are_values(name):
    phi, _ = MAPS[name]
    for other in (copy.deepcopy(phi), pickle.loads(pickle.dumps(phi))):
        assert other == phi and hash(other) == hash(phi)
    metric = metrics.Mapped(phi, "euclidean")
    again = pickle.loads(pickle.dumps(metric))
    assert again == metric and hash(again) == hash(metric) and repr(again) == repr(metric)
    assert metric != metrics.Mapped(phi) and metric != metrics.Mapped(maps.Linear(np.eye(D)), "euclidean")
    assert metric.map == phi and metric.metric == metrics.Euclidean()
    pair = metrics.Mapped((phi, phi), "dot")
    assert pair.map == (phi, phi) and pickle.loads(pickle.dumps(pair)) == pair


def test_maps_are_immutable():
    with pytest.raises(AttributeError):
        RESIDUAL.W1 = W1
    with pytest.raises(ValueError):
        RESIDUAL.W1[0, 0] = 1


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: maps.Linear(np.eye(3), np.ones(2)), ValueError, "b must be None or of length 3"),
        (lambda: maps.Linear(None, np.ones(2)), ValueError, "W must be a matrix"),
        (lambda: maps.Linear()(X), ValueError, "map must be one that is known"),
        (
            lambda: lw.Mechanism(metric=metrics.Mapped(maps.ResidualMLP())).operator(X),
            ValueError,
            "one that is known",
        ),
        (lambda: maps.Linear(np.full((2, 2), np.nan)), ValueError, "W must be finite"),
        (lambda: maps.ResidualMLP(W1, b1, W1, b2), ValueError, "W2 must be 4 x 6"),
        (lambda: maps.ResidualMLP(W1, b1, W2, b2, "softplus"), ValueError, "activation must be"),
        (lambda: maps.Custom(3), TypeError, "function must be a callable"),
        (lambda: metrics.Mapped("linear"), TypeError, "map must be a value of likewise.maps"),
        (lambda: metrics.Mapped(RESIDUAL, "precomputed"), ValueError, "metric must be a metric of points"),
        (
            lambda: metrics.Mapped(RESIDUAL, metrics.Mapped(RESIDUAL)),
            ValueError,
            "metric must be a metric of points",
        ),
        (lambda: RESIDUAL(np.ones((3, 2))), ValueError, "X must be an array with 4 features"),
        (lambda: RESIDUAL.vjp(X, np.ones((30, 2))), ValueError, "g must have the map's 4 columns"),
        (lambda: maps.Custom(lambda x: x[1:])(X), ValueError, "map must be a function that returns 30 x 4"),
        (
            lambda: maps.Custom(lambda x: x * np.nan)(X),
            ValueError,
            "map must be one that sends points to finite",
        ),
        (lambda: maps.Custom(_square).vjp(X, np.ones((30, 8))), ValueError, "map must be one with a vjp"),
    ],
)
def test_what_is_no_map_is_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_errors_in_a_custom_map_propagate():
    def broken(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        lw.kneighbors(X, n_neighbors=2, metric=metrics.Mapped(maps.Custom(broken)))


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("base", BASES)
def test_operators_compare_mapped_points(name, base):
    """The operator of a mapped metric is that of its metric on mapped points, in every storage."""
    phi, formula = MAPS[name]
    metric = metrics.Mapped(phi, base)
    kernel = lw.kernels.Exponential(temperature=2.0)
    m, plain = lw.Mechanism(metric=metric, kernel=kernel), lw.Mechanism(metric=base, kernel=kernel)
    assert_allclose(m.operator(X).toarray(), plain.operator(formula(X)).toarray(), rtol=1e-9, atol=1e-12)
    assert_allclose(
        m.operator(X, Z).toarray(), plain.operator(formula(X), formula(Z)).toarray(), rtol=1e-9, atol=1e-12
    )
    P, Q = m.operator(X), plain.operator(formula(X))
    assert_allclose(P.at(Z).toarray(), Q.at(formula(Z)).toarray(), rtol=1e-9, atol=1e-12)
    values = RNG.normal(size=(25, 2))
    assert_allclose(
        m.partial(X, Z, values).finish(),
        plain.partial(formula(X), formula(Z), values).finish(),
        rtol=1e-9,
        atol=1e-12,
    )
    near = lw.supports.Neighbors(4)
    assert_allclose(
        m.replace(support=near).operator(X).toarray(),
        plain.replace(support=near).operator(formula(X)).toarray(),
        rtol=1e-9,
        atol=1e-12,
    )


@pytest.mark.parametrize("base", ["dot", "sqeuclidean", "manhattan"])
def test_queries_and_keys_may_have_maps_of_their_own(base):
    phi, psi = maps.Linear(W, b), maps.Linear(W[::-1], -b)
    m = lw.Mechanism(metric=metrics.Mapped((phi, psi), base), kernel=lw.kernels.Exponential(temperature=3.0))
    plain = lw.Mechanism(metric=base, kernel=lw.kernels.Exponential(temperature=3.0))
    want = plain.operator(X @ W.T + b, X @ W[::-1].T - b).toarray()
    assert_allclose(m.operator(X).toarray(), want, rtol=1e-9, atol=1e-12)
    assert_allclose(
        m.operator(X, Z).toarray(),
        plain.operator(X @ W.T + b, Z @ W[::-1].T - b).toarray(),
        rtol=1e-9,
        atol=1e-12,
    )
    with pytest.raises(ValueError, match="symmetric metric"):
        m.replace(normalization="symmetric").operator(X).spectrum(3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_linear_maps_are_mahalanobis_and_bilinear_to_the_last_bit(dtype):
    x, z = X.astype(dtype), Z.astype(dtype)
    kernel = lw.kernels.Exponential(temperature=2.0)
    for mapped, leaf in [
        (metrics.Mapped(maps.Linear(W, b)), metrics.Mahalanobis(W)),
        (metrics.Mapped((maps.Linear(W), maps.Linear(W[::-1])), "dot"), metrics.Bilinear(W, W[::-1].copy())),
    ]:
        a, c = lw.Mechanism(metric=mapped, kernel=kernel), lw.Mechanism(metric=leaf, kernel=kernel)
        assert_array_equal(a.operator(x, z).toarray(), c.operator(x, z).toarray())
        assert_array_equal(a.operator(x).toarray(), c.operator(x).toarray())
    found = lw.kneighbors(x, z, n_neighbors=3, metric=metrics.Mapped(maps.Linear(W)))
    assert_array_equal(found[1], lw.kneighbors(x, z, n_neighbors=3, metric=metrics.Mahalanobis(W))[1])


@pytest.mark.parametrize("algorithm", ["auto", "brute", "kd_tree"])
@pytest.mark.parametrize("base", ["euclidean", "manhattan", "sqeuclidean"])
def test_searches_go_through_the_map(base, algorithm):
    if (base, algorithm) == ("sqeuclidean", "kd_tree"):
        pytest.skip("a square has no triangle inequality")
    x, z = RNG.normal(size=(700, D)), RNG.normal(size=(600, D))
    phi, formula = MAPS["tanh"]
    metric = metrics.Mapped(phi, base)
    for got, want in [
        (
            lw.kneighbors(x, z, n_neighbors=5, metric=metric, algorithm=algorithm),
            lw.kneighbors(formula(x), formula(z), n_neighbors=5, metric=base, algorithm=algorithm),
        ),
        (
            lw.kneighbors(x, n_neighbors=5, metric=metric, algorithm=algorithm),
            lw.kneighbors(formula(x), n_neighbors=5, metric=base, algorithm=algorithm),
        ),
    ]:
        assert_array_equal(got[1], want[1])
        assert_allclose(got[0], want[0], rtol=1e-12)


LABELS = (X[:, 0] > 0).astype(int)
PARTLY = np.where(np.arange(30) % 3, -1, LABELS)
TARGETS = np.sin(X).sum(axis=1)


def _estimators(metric):
    gaussian = lw.kernels.Gaussian(1.5)
    return {
        "k-NN": (lw.KNeighborsClassifier(metric=metric), LABELS, "predict_proba"),
        "radius": (lw.RadiusNeighborsClassifier(radius=3.0, metric=metric), LABELS, "predict_proba"),
        "label propagation": (lw.LabelPropagation(metric=metric), PARTLY, "predict_proba"),
        "k-NN regression": (lw.KNeighborsRegressor(metric=metric, weights="distance"), TARGETS, "predict"),
        "kernel regression": (lw.KernelRegressor(metric=metric, bandwidth=1.0), TARGETS, "predict"),
        "kernel regression, loo": (lw.KernelRegressor(metric=metric), TARGETS, "predict"),
        "kernel regression, self_tuning": (
            lw.KernelRegressor(metric=metric, bandwidth="self_tuning"),
            TARGETS,
            "predict",
        ),
        "kernel classification": (lw.KernelClassifier(metric=metric), LABELS, "predict_proba"),
        "labels": (
            lw.LabelSpreading.from_mechanism(
                lw.Mechanism(
                    metric=metric,
                    kernel=gaussian,
                    normalization="symmetric",
                    propagation=lw.LabelSpreading().mechanism.propagation,
                    empty_row="self",
                )
            ),
            PARTLY,
            "predict_proba",
        ),
        "diffusion maps": (lw.DiffusionMaps(metric=metric, n_components=2, bandwidth=1.0), None, "transform"),
    }


@pytest.mark.parametrize("name", list(_estimators("euclidean")))
def test_every_method_takes_a_mapped_metric(name):
    """Fitted through the map it is the method fitted on mapped points."""
    phi, formula = MAPS["tanh"]
    model, y, method = _estimators(metrics.Mapped(phi, "euclidean"))[name]
    plain, _, _ = _estimators("euclidean")[name]
    got = getattr(model.fit(X, y), method)(Z)
    want = getattr(plain.fit(formula(X), y), method)(formula(Z))
    assert_allclose(np.abs(got), np.abs(want), rtol=1e-7, atol=1e-9)
    assert_allclose(np.abs(getattr(pickle.loads(pickle.dumps(model)), method)(Z)), np.abs(got), rtol=1e-12)


def test_spectral_clustering_and_mean_shift_go_through_the_map():
    x = np.vstack([RNG.normal(size=(40, D)) * 0.2, RNG.normal(size=(40, D)) * 0.2 + 3])
    mechanism = lw.Mechanism(
        metric=metrics.Mapped(RESIDUAL, "euclidean"),
        kernel=lw.kernels.Gaussian(1.0),
        normalization="symmetric",
        empty_row="self",
    )
    labels = lw.SpectralClustering(n_clusters=2, affinity=mechanism, random_state=0).fit_predict(x)
    assert len(set(labels[:40])) == len(set(labels[40:])) == 1 and labels[0] != labels[40]
    model = lw.MeanShift(metric=metrics.Mapped(RESIDUAL, "euclidean"), bandwidth=2.0).fit(x)
    assert len(model.cluster_centers_) == 2 and len(set(model.labels_[:40])) == 1


def _loss_of(metric, normalization, support, x, values, weights):
    m = lw.Mechanism(
        metric=metric,
        kernel=lw.kernels.Exponential(temperature=2.0),
        normalization=normalization,
        support=support,
    )
    return float(np.sum(weights * (m.operator(x) @ values)))


GIVEN = {
    "one map": metrics.Mapped(RESIDUAL),
    "dot of one map": metrics.Mapped(RESIDUAL, "dot"),
    "euclidean": metrics.Mapped(RESIDUAL, "euclidean"),
    "two maps": metrics.Mapped((RESIDUAL, maps.Linear(W1[:D], b2)), "dot"),
    "one linear map": metrics.Mapped(maps.Linear(W, b)),
    "bilinear": metrics.Mapped((maps.Linear(W), maps.Linear(W[::-1])), "dot"),
    "bilinear of one map": metrics.Mapped(maps.Linear(W), "dot"),
    "custom": metrics.Mapped(maps.Custom(_square, _square_vjp)),
    "of Mahalanobis": metrics.Mapped(RESIDUAL, metrics.Mahalanobis(W)),
    "of Bilinear": metrics.Mapped(RESIDUAL, metrics.Bilinear(W, W[::-1].copy())),
}


def _replaced(metric, name, value):
    """The metric with that parameter, by the name that its gradient has."""
    side, _, last = name.rpartition(".")
    if side == "metric":
        base = metric.metric
        names = ("factor",) if hasattr(base, "factor") else ("query_factor", "key_factor")
        return metrics.Mapped(
            metric.map, type(base)(**{n: value if n == last else getattr(base, n) for n in names})
        )
    both = metric.map if isinstance(metric.map, tuple) else (metric.map,)
    at = 1 if side == "key_map" else 0
    names = ("W", "b") if isinstance(both[at], maps.Linear) else ("W1", "b1", "W2", "b2")
    new = type(both[at])(**{n: value if n == last else getattr(both[at], n) for n in names})
    changed = tuple(new if i == at else phi for i, phi in enumerate(both))
    return metrics.Mapped(changed if len(changed) == 2 else changed[0], metric.metric)


@pytest.mark.parametrize("normalization", ["row_stochastic", "density"])
@pytest.mark.parametrize("support", [lw.supports.AllPairs(), lw.supports.Neighbors(6, symmetrize="none")])
@pytest.mark.parametrize("name", GIVEN)
def test_gradients_go_through_the_map(name, normalization, support):
    """By points and by every parameter, of self-operators dense and on edges, against finite differences."""
    metric, x, values, weights = GIVEN[name], X[:12], RNG.normal(size=(12, 2)), RNG.normal(size=(12, 2))
    if normalization == "density" and (
        isinstance(metric.map, tuple) or metric.metric == metrics.DotProduct() or "Bilinear" in name
    ):
        normalization = "none"
    m = lw.Mechanism(
        metric=metric,
        kernel=lw.kernels.Exponential(temperature=2.0),
        normalization=normalization,
        support=support,
    )
    found = m.operator(x).vjp(weights, values)
    slope = finite_difference(
        lambda at: _loss_of(metric, normalization, support, at, values, weights), x.copy()
    )
    assert_allclose(found["points"], slope, rtol=1e-5, atol=1e-6 * max(1, np.abs(slope).max()))
    assert len(found["metric"]) >= (0 if name == "custom" else 1)
    for parameter, gradient in found["metric"].items():
        side, _, last = parameter.rpartition(".")
        owner = (
            metric.metric
            if side == "metric"
            else metric.map[1 if side == "key_map" else 0]
            if isinstance(metric.map, tuple)
            else metric.map
        )
        at = np.array(getattr(owner, last))

        def loss(value, name=parameter):
            return _loss_of(_replaced(metric, name, value), normalization, support, x, values, weights)

        slope = finite_difference(loss, at)
        assert gradient.shape == at.shape
        assert_allclose(gradient, slope, rtol=1e-5, atol=1e-6 * max(1, np.abs(slope).max()))


@pytest.mark.parametrize(
    "make",
    [
        lambda A, B: metrics.Bilinear(A, B),
        lambda A, B: metrics.Mapped((maps.Linear(A), maps.Linear(B)), "dot"),
        lambda A, B: metrics.Mapped((maps.ResidualMLP(A, None, W2), maps.ResidualMLP(B, None, W2)), "dot"),
        lambda A, B: metrics.Mapped((maps.ResidualMLP(A, None, W2), maps.ResidualMLP(B, None, W2))),
    ],
    ids=["Bilinear", "linear", "residual, dot", "residual"],
)
@pytest.mark.parametrize("n", [10, 200])
def test_equal_parameters_of_both_sides_keep_gradients_of_their_own(make, n):
    """Kind: one point set under equal parameters, whose sum was told for each of its sides."""
    x, values, weights = (RNG.normal(size=(n, k)) for k in (D, 2, 2))

    def loss(A, B):
        return _loss_of(make(A, B), "row_stochastic", lw.supports.AllPairs(), x, values, weights)

    P = lw.Mechanism(metric=make(W1, W1), kernel=lw.kernels.Exponential(temperature=2.0)).operator(x)
    found = P.vjp(weights, values)["metric"]
    direction, h = RNG.normal(size=W1.shape), 1e-6
    for side, slope in (
        ("query", loss(W1 + h * direction, W1) - loss(W1 - h * direction, W1)),
        ("key", loss(W1, W1 + h * direction) - loss(W1, W1 - h * direction)),
    ):
        (gradient,) = (g for name, g in found.items() if name.startswith(side) and g.shape == W1.shape)
        assert np.sum(gradient * direction) == pytest.approx(slope / (2 * h), rel=1e-5, abs=1e-6)


def test_gradients_across_go_through_the_map():
    metric, values, weights = GIVEN["one map"], RNG.normal(size=(7, 2)), RNG.normal(size=(5, 2))
    m = lw.Mechanism(metric=metric, kernel=lw.kernels.Exponential(temperature=2.0))
    x, z = X[:5], Z[:7]

    def loss(metric=metric, x=x, z=z):
        return float(np.sum(weights * (m.replace(metric=metric).operator(x, z) @ values)))

    found = m.operator(x, z).vjp(weights, values)
    assert_allclose(
        found["queries"], finite_difference(lambda at: loss(x=at), x.copy()), rtol=1e-5, atol=1e-7
    )
    assert_allclose(found["keys"], finite_difference(lambda at: loss(z=at), z.copy()), rtol=1e-5, atol=1e-7)
    for parameter, gradient in found["metric"].items():

        def of_parameter(value, name=parameter):
            return loss(metric=_replaced(metric, name, value))

        slope = finite_difference(of_parameter, np.array(getattr(RESIDUAL, parameter)))
        assert_allclose(gradient, slope, rtol=1e-5, atol=1e-6)


REFERENCE = Path(__file__).parents[1] / "data" / "paper_reference.json"
ARMS = {"self": "dot", "l2": "sqeuclidean", "metric": "sqeuclidean", "dotphi": "dot"}


def _arm(p):
    """The bare module's metric, by the names that the reference gives its parameters."""
    if "Q" in p:
        return metrics.Mapped((maps.Linear(p["Q"]), maps.Linear(p["K"])), "dot"), {
            "query_map.W": "Q",
            "key_map.W": "K",
        }
    if "W" in p:
        return metrics.Mapped(maps.Linear(p["W"])), {"W": "W"}
    return maps.ResidualMLP(p["W1"], p["b1"], p["W2"], p["b2"]), {
        name: name for name in ("W1", "b1", "W2", "b2")
    }


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("arm", ARMS)
def test_modules_of_the_paper(arm, masked):
    """S, its product and all gradients of the four arms are the committed reference's, to 1e-10."""
    reference = json.loads(REFERENCE.read_text(encoding="utf-8"))
    given, suffix = reference["module"][arm], "_masked" if masked else ""
    metric, names = _arm({k: np.array(v) for k, v in given["params"].items()})
    if not isinstance(metric, metrics.Mapped):
        metric = metrics.Mapped(metric, ARMS[arm])
    H, G = np.array(reference["H"]), np.array(reference["G"])
    support = lw.supports.Mask(np.array(reference["mask"])) if masked else lw.supports.AllPairs()
    P = lw.Mechanism(metric=metric, kernel=lw.kernels.Exponential(temperature=1.0), support=support).operator(
        H
    )
    assert_allclose(P.toarray(), given["S" + suffix], rtol=1e-10, atol=1e-12)
    assert_allclose(P @ H, given["out" + suffix], rtol=1e-10, atol=1e-12)
    found = P.vjp(G, H)
    assert_allclose(found["points"] + found["values"], given["grad_H" + suffix], rtol=1e-10, atol=1e-11)
    for ours, theirs in names.items():
        assert_allclose(found["metric"][ours], given["grad_params" + suffix][theirs], rtol=1e-10, atol=1e-11)
