"""The table of bad input: each refusal names the argument, what is allowed and what came."""

import re
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, NotFittedError

import likewise as lw
from likewise import gradients, kernels, metrics, normalizations, supports

X = np.random.default_rng(0).normal(size=(20, 3))
Y = np.arange(20) % 2
SOME = np.where(np.arange(20) < 6, Y, -1)

SUPERVISED = {
    "KernelRegressor": lambda **p: lw.KernelRegressor(**{"bandwidth": 1.0, **p}),
    "KernelClassifier": lambda **p: lw.KernelClassifier(**{"bandwidth": 1.0, **p}),
    "KNeighborsRegressor": lw.KNeighborsRegressor,
    "KNeighborsClassifier": lw.KNeighborsClassifier,
    "RadiusNeighborsRegressor": lambda **p: lw.RadiusNeighborsRegressor(**{"radius": 9.0, **p}),
    "RadiusNeighborsClassifier": lambda **p: lw.RadiusNeighborsClassifier(**{"radius": 9.0, **p}),
    "LabelPropagation": lambda **p: lw.LabelPropagation(**{"gamma": 1.0, **p}),
    "LabelSpreading": lambda **p: lw.LabelSpreading(**{"gamma": 1.0, **p}),
}
LEARNERS = {
    "AttentionRegressor": lambda **p: lw.AttentionRegressor(**{"max_epochs": 1, **p}),
    "AttentionClassifier": lambda **p: lw.AttentionClassifier(**{"max_epochs": 1, **p}),
    "MetricLearner": lambda **p: lw.MetricLearner(**{"max_iter": 1, "loss": "mlkr", **p}),
}
UNSUPERVISED = {
    "NearestNeighbors": lw.NearestNeighbors,
    "KernelDensity": lw.KernelDensity,
    "SpectralClustering": lambda **p: lw.SpectralClustering(**{"n_clusters": 2, **p}),
    "SpectralEmbedding": lambda **p: lw.SpectralEmbedding(**{"affinity": "rbf", **p}),
    "DiffusionMaps": lw.DiffusionMaps,
    "MeanShift": lambda **p: lw.MeanShift(**{"bandwidth": 2.0, **p}),
    "HopfieldMemory": lambda **p: lw.HopfieldMemory(**{"metric": "sqeuclidean", "temperature": 0.02, **p}),
}
METHODS = {**SUPERVISED, **UNSUPERVISED}
NEW_POINTS = ("predict", "predict_proba", "transform", "score_samples", "kneighbors", "radius_neighbors")


def fitted(name, points=X, y=Y, **params):
    return METHODS[name](**params).fit(points, y)


def calls_of(model):
    return [getattr(model, name) for name in NEW_POINTS if hasattr(model, name)]


def with_value(value):
    bad = X.copy()
    bad[4, 1] = value
    return bad


# what is wrong -> (points, what the message says)
BAD_POINTS = {
    "NaN": (with_value(np.nan), "X contains NaN"),
    "infinity": (with_value(np.inf), "X contains infinity"),
    "1-D": (X[:, 0], "Expected 2D array, got 1D array instead"),
    "no points": (X[:0], r"Found array with 0 sample\(s\) \(shape=\(0, 3\)\) while a minimum of"),
    "no features": (X[:, :0], r"Found array with 0 feature\(s\) \(shape=\(20, 0\)\) while a minimum of"),
    "complex": (X * 1j, "^X must be real; got complex128. Complex data not supported"),
    "text": (np.full((20, 3), "a"), "^X must be numeric; got <U1: could not convert string to float: .*'a'"),
    "a blank": (
        [["1", "2", ""]] * 20,
        "^X must be numeric; got list: could not convert string to float: .*''",
    ),
    "a row too short": ([*X[1:].tolist(), [1.0]], "^X must be numeric; got list: .*inhomogeneous shape"),
}


@pytest.mark.parametrize("what", BAD_POINTS)
@pytest.mark.parametrize("name", METHODS)
def test_points(name, what):
    points, message = BAD_POINTS[what]
    with pytest.raises(ValueError, match=message):
        fitted(name, points, Y[: len(points)])


@pytest.mark.parametrize("name", METHODS)
def test_new_points(name):
    model = fitted(name)
    calls = calls_of(model)
    assert calls
    for call in calls:
        call(X[:2])
        for points, message in [
            (X[:, :2], rf"X has 2 features, but {name} is expecting 3 features as input"),
            (with_value(np.nan), "X contains NaN"),
            (with_value(-np.inf), "X contains infinity"),
            (X[0], "Expected 2D array, got 1D array instead"),
            (X[:0], "Found array with 0 sample"),
            ([["1", "x", "2"]], "^X must be numeric; got list: could not convert string to float: .*'x'"),
        ]:
            with pytest.raises(ValueError, match=message):
                call(points)
    for call in calls_of(METHODS[name]()):
        with pytest.raises(NotFittedError, match=f"This {name} instance is not fitted yet"):
            call(X)


@pytest.mark.parametrize("name", SUPERVISED)
def test_targets(name):
    for y, message in [
        (Y[:-1], r"inconsistent numbers of samples: \[20, 19\]"),
        (None, "requires y to be passed, but the target y is None"),
        (np.full(20, np.nan), "contains NaN"),
    ]:
        with pytest.raises(ValueError, match=f"(?i){message}"):
            fitted(name, y=y)
    if not name.endswith("Regressor"):
        with pytest.raises(ValueError, match="Unknown label type"):
            fitted(name, y=Y + 0.5)
    if name.startswith("Label"):
        with pytest.raises(ValueError, match=r"y must hold at least one labeled point; got only unlabeled"):
            fitted(name, y=np.full(20, -1))


@pytest.mark.parametrize("name", [name for name in METHODS if "metric" in METHODS[name]().get_params()])
def test_an_unknown_metric_is_answered_with_the_known_ones(name):
    with pytest.raises(ValueError, match=r"metric must be one of .*'euclidean'.*'manhattan'.*; got 'euclid'"):
        fitted(name, metric="euclid")
    with pytest.raises((ValueError, TypeError), match=r"metric must be .*'euclidean'.*; got 3"):
        fitted(name, metric=3)


def operator(**slots):
    return lw.Mechanism(**{"kernel": kernels.Gaussian(1.0), **slots}).operator(X)


DIRECTED = metrics.Bilinear(np.eye(3), np.triu(np.ones((3, 3))))
CLASSIFIERS = ("KNeighborsClassifier", "KNeighborsRegressor")

# (the argument with which the message starts, what is allowed or came, the call)
PARAMETERS = [
    # k beyond what the points allow
    *[
        ("n_neighbors", r"\[1, 20\].*got 21", lambda n=n: fitted(n, n_neighbors=21).predict(X))
        for n in CLASSIFIERS
    ],
    *[("n_neighbors", "got 0", lambda n=n: fitted(n, n_neighbors=0)) for n in CLASSIFIERS],
    ("n_neighbors", r"\[1, 20\].*got 21", lambda: fitted("NearestNeighbors").kneighbors(X, 21)),
    ("n_neighbors", r"\[1, 19\].*got 20", lambda: fitted("NearestNeighbors").kneighbors(None, 20)),
    ("n_neighbors", r"\[1, 19\].*got 20", lambda: lw.kneighbors(X, n_neighbors=20)),
    ("n_neighbors", r"\[1, 20\].*got 21", lambda: lw.kneighbors(X, X, n_neighbors=21)),
    ("n_neighbors", r"\[1, 20\].*got 21", lambda: fitted("KernelRegressor", support=supports.Neighbors(21))),
    ("n_neighbors", r"\[1, 20\].*got 21", lambda: fitted("DiffusionMaps", n_neighbors=21)),
    ("n_neighbors", r"got 21", lambda: fitted("LabelPropagation", kernel="knn", n_neighbors=21)),
    (
        "n_neighbors",
        r"got 21",
        lambda: fitted("SpectralClustering", affinity="nearest_neighbors", n_neighbors=21),
    ),
    ("n_neighbors", r"\[1, 19\].*got 20", lambda: operator(support=supports.Neighbors(20))),
    ("n_components", r"\[1, 19\].*got 20", lambda: fitted("DiffusionMaps", n_components=20)),
    ("n_components", r"got 20", lambda: fitted("SpectralEmbedding", n_components=20)),
    ("k", r"\[1, 20\].*got 21", lambda: operator().eigsh(21)),
    # more clusters than points
    ("n_clusters", "got 21", lambda: fitted("SpectralClustering", n_clusters=21)),
    ("n_clusters", "got 0", lambda: fitted("SpectralClustering", n_clusters=0)),
    # lengths, temperatures and shares that are not positive
    *[
        ("bandwidth", f"positive.*got {h:g}", lambda n=n, h=h: fitted(n, bandwidth=h))
        for n in ("KernelRegressor", "KernelClassifier", "KernelDensity", "DiffusionMaps", "MeanShift")
        for h in (0.0, -1.0)
    ],
    ("bandwidth", "got nan", lambda: fitted("KernelRegressor", bandwidth=np.nan)),
    ("bandwidth", "got -1", lambda: fitted("LabelPropagation", gamma=20, bandwidth=-1.0)),
    ("gamma", "positive.*got -1", lambda: fitted("LabelPropagation", gamma=-1.0)),
    ("gamma", "positive.*got 0", lambda: fitted("SpectralClustering", gamma=0.0)),
    ("gamma", "positive.*got -1", lambda: fitted("SpectralEmbedding", gamma=-1.0)),
    ("bandwidth", "positive", lambda: kernels.Gaussian(0.0)),
    ("temperature", "positive.*got 0", lambda: kernels.Exponential(0.0)),
    ("temperature", "positive.*got -1", lambda: fitted("HopfieldMemory", temperature=-1.0)),
    ("temperature", "positive.*got 0", lambda: lw.attention(X, X, X, temperature=0.0)),
    ("temperature", "positive.*got -2", lambda: lw.l2_attention(X, X, X, temperature=-2.0)),
    ("radius", "got -1", lambda: fitted("RadiusNeighborsRegressor", radius=-1.0)),
    ("alpha", "got 1", lambda: fitted("LabelSpreading", y=SOME, alpha=1.0)),
    # unknown names: the known ones are listed
    ("kernel", "'gaussian'.*got 'gauss'", lambda: fitted("KernelRegressor", kernel="gauss")),
    ("support", "'all'.*got 'some'", lambda: fitted("KernelRegressor", support="some")),
    ("normalization", "'row'.*got 'rows'", lambda: fitted("DiffusionMaps", normalization="rows")),
    ("empty_row", "'nearest'.*got 'last'", lambda: lw.Mechanism(empty_row="last")),
    ("bandwidth", "'silverman'.*got 'silver'", lambda: fitted("KernelDensity", bandwidth="silver")),
    ("algorithm", "'kd_tree'.*got 'tree'", lambda: fitted("NearestNeighbors", algorithm="tree")),
    ("storage", "'streamed'.*got 'tape'", lambda: lw.Mechanism().operator(X, storage="tape")),
    ("solver", "'cg'.*got 'lu'", lambda: fitted("LabelPropagation", y=SOME, solver="lu")),
    ("affinity", "'rbf'.*got 'rfb'", lambda: fitted("SpectralClustering", affinity="rfb")),
    ("assign_labels", "'kmeans'.*got 'qr'", lambda: fitted("SpectralClustering", assign_labels="qr")),
    # a metric, or another slot, that lacks the law asked for
    (
        "metric",
        r"triangle inequality.*got DotProduct",
        lambda: fitted("NearestNeighbors", metric="dot", algorithm="kd_tree"),
    ),
    ("metric", r"a distance.*got DotProduct", lambda: fitted("KernelRegressor", metric="dot")),
    ("metric", r"a norm.*got Cosine", lambda: fitted("KernelDensity", metric="cosine")),
    (
        "metric",
        r"be a symmetric metric \(a spectrum needs it\); got Bilinear",
        lambda: operator(metric=DIRECTED, kernel="exponential").eigsh(2),
    ),
    (
        "normalization",
        "symmetric",
        lambda: operator(metric=DIRECTED, kernel="exponential", normalization="bistochastic"),
    ),
    (
        "normalization",
        "total support",
        lambda: operator(support=supports.Neighbors(3), normalization="bistochastic"),
    ),
    (
        "normalization",
        "RowStochastic.*got Symmetric",
        lambda: operator(kernel="inverse_distance", normalization="symmetric"),
    ),
    # weights, masks and columns
    ("log_key_weights", "of length 20", lambda: lw.Mechanism().operator(X, log_key_weights=np.zeros(3))),
    ("V", "20", lambda: operator() @ np.ones((3, 1))),
    ("null_mass", "got -1", lambda: normalizations.RowStochastic(-1.0)),
]


@pytest.mark.parametrize(
    ("argument", "says", "call"), PARAMETERS, ids=[f"{i}-{row[0]}" for i, row in enumerate(PARAMETERS)]
)
def test_parameters(argument, says, call):
    with pytest.raises(ValueError) as refused:
        call()
    text = str(refused.value)
    assert text.startswith(f"{argument} must "), text
    assert "; got " in text
    with pytest.raises(ValueError, match=says):
        call()


def l1(A, B):
    return np.abs(A[:, None] - B[None]).sum(-1)


@pytest.mark.parametrize(
    "model",
    [
        lw.DiffusionMaps(2, metric=metrics.Custom(l1, distance_power=1)),
        lw.SpectralClustering(2, affinity=lw.Mechanism(metric=metrics.Custom(l1), kernel="exponential")),
        lw.SpectralEmbedding(2, affinity=lw.Mechanism(metric=metrics.Custom(l1), kernel="exponential")),
        lw.DiffusionMaps(2, metric=DIRECTED, kernel="exponential"),
    ],
    ids=str,
)
def test_what_a_spectrum_needs_of_a_metric_is_said_of_the_metric(model):
    """Kind: a refusal that names an argument which nobody gave (a mechanism), and no way out."""
    way_out = "" if "Bilinear" in str(model) else ", declared by symmetric"
    with pytest.raises(
        ValueError, match=rf"^metric must be a symmetric metric \(a spectrum needs it\){way_out}; got"
    ):
        model.fit(X)


WORDS = ["1", "x", *["2"] * 18]


@pytest.mark.parametrize("name", LEARNERS)
def test_points_of_learners(name):
    for points in (BAD_POINTS["text"], BAD_POINTS["complex"], BAD_POINTS["a blank"]):
        with pytest.raises(ValueError, match=points[1]):
            LEARNERS[name]().fit(points[0], Y)


@pytest.mark.parametrize(
    "name", [n for n in {**SUPERVISED, **LEARNERS} if "Regressor" in n or n == "MetricLearner"]
)
def test_targets_that_are_no_numbers(name):
    """Kind: an error of a conversion inside, which names none of the arguments."""
    make = {**SUPERVISED, **LEARNERS}[name]
    for y in (WORDS, np.array(WORDS), np.array(WORDS, object)):
        with pytest.raises(
            ValueError, match=r"^y must be numeric; got .*: could not convert string to float: .*'x'"
        ):
            make().fit(X, y)
    for y in (np.array([None] * 20), ["nan"] * 20, [*Y[:-1], None]):
        with pytest.raises(ValueError, match=r"y must be finite|Input y contains NaN"):
            make().fit(X, y)
    if name != "MetricLearner":
        numbers = np.array(["0.5", "-1"] * 10)
        got = make(**({"random_state": 0} if name in LEARNERS else {})).fit(X, numbers)
        want = make(**({"random_state": 0} if name in LEARNERS else {})).fit(X, numbers.astype(float))
        assert np.array_equal(got.predict(X), want.predict(X))


@pytest.mark.parametrize("seeds", [[["1", "x", "2"]], [[1, 2, 3], [4]], X[0]])
def test_seeds_that_are_no_points(seeds):
    with pytest.raises(ValueError, match=r"^seeds must be (numeric|a 2-D array)"):
        fitted("MeanShift", seeds=seeds)


def test_rows_of_targets_that_differ_in_length():
    """Kind: NumPy before 1.24 makes them objects, which were classes to a rule."""
    with pytest.raises(ValueError, match=r"^y must be one or more columns; got list: .*inhomogeneous"):
        lw.select_bandwidth("loo", X, [[1.0, 2.0]] * 19 + [[1.0]])


def test_sample_weights():
    for name in ("KernelRegressor", "KernelClassifier", "KernelDensity", "AttentionRegressor"):
        for weights in (np.ones(19), -np.ones(20), np.full(20, np.nan), np.zeros(20)):
            with pytest.raises(ValueError, match=r"(?i)sample.weight"):
                {**METHODS, **LEARNERS}[name]().fit(X, Y, sample_weight=weights)
        for weights, said in ((WORDS, "numeric; got list: .*'x'"), (np.full(20, 1j), "real; got complex128")):
            with pytest.raises(ValueError, match=f"^sample_weight must be {said}"):
                {**METHODS, **LEARNERS}[name]().fit(X, Y, sample_weight=weights)


@pytest.mark.parametrize(
    "call",
    [
        lambda: operator().toarray(),
        lambda: lw.Mechanism().operator(X, storage="dense"),
        lambda: fitted("DiffusionMaps").diffusion_distances(),
    ],
)
def test_work_beyond_the_memory_limit(call):
    points = lw.Mechanism().operator(X, storage="streamed")
    with lw.execution(memory_limit=1000):
        for work in (points.toarray, call):
            with pytest.raises(
                lw.MemoryLimitError, match=r"needs 3\.12 KiB.*limit 0\.977 KiB.*raise memory_limit"
            ):
                work()
    assert issubclass(lw.MemoryLimitError, ValueError) and issubclass(lw.MemoryLimitError, MemoryError)


@pytest.mark.parametrize(
    "call",
    [
        lambda: fitted("LabelPropagation", y=SOME, solver="iterate", max_iter=2, tol=1e-9),
        lambda: fitted("LabelSpreading", y=SOME, alpha=0.99, solver="iterate", max_iter=2, tol=1e-12),
        lambda: fitted("MeanShift", kernel="gaussian", bandwidth=0.5, max_iter=2),
        lambda: fitted("HopfieldMemory", metric="dot", temperature=1.0, max_iter=2).transform(X),
        lambda: operator(normalization=normalizations.Bistochastic(tol=1e-12, max_iter=2)),
        lambda: operator().equilibrium(X, alpha=0.99, solver="iterate", max_iter=2),
    ],
)
def test_an_iteration_that_does_not_converge_warns(call):
    with pytest.warns(
        ConvergenceWarning,
        match=r"^max_iter=2 was reached without convergence\. residual=[0-9.e+-]+, steps=2",
    ):
        call()


def test_nothing_of_this_warns_otherwise():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in METHODS:
            model = fitted(name)
            for call in calls_of(model):
                call(X[:2])


# --- numbers that are none


def complex_kernel(A, B):
    return np.full((len(A), len(B)), 1 + 2j)


def layer():
    return lw.nn.SelfAttention(3, 1, random_state=0)


def backward(grad):
    made = layer()
    made.forward(X)
    return made.backward(grad)


def spectral(affinity):
    return lw.SpectralClustering(2, affinity=affinity).fit(X)


I = 1 + 2j

# (the argument that is named, the call)
COMPLEX = [
    ("x", lambda: layer().forward(I * X)),
    ("context", lambda: layer().forward(X, context=I * X)),
    ("grad_output", lambda: backward(I * X)),
    ("tokens", lambda: layer().log_key_weights(I * X)),
    (
        "temperature",
        lambda: lw.nn.L2Attention.from_metric(metrics.Mahalanobis(np.eye(3)), np.complex64(I)),
    ),
    ("log_key_weights", lambda: lw.attention(X, X, X, log_key_weights=np.full(20, I))),
    ("log_key_weights", lambda: lw.Mechanism().operator(X, log_key_weights=np.full(20, I))),
    ("factor", lambda: metrics.Mahalanobis(I * np.eye(3))),
    ("matrix", lambda: metrics.Mahalanobis.from_matrix(I * np.eye(3))),
    ("diagonal", lambda: metrics.Mahalanobis.from_diagonal(np.full(3, I))),
    ("key_factor", lambda: metrics.Bilinear(np.eye(3), key_factor=I * np.eye(3))),
    ("factor", lambda: metrics.Mahalanobis([[np.complex128(I)]])),
    ("bandwidth", lambda: kernels.Gaussian(np.complex128(I))),
    ("df", lambda: kernels.StudentT(1.0, df=np.complex64(I))),
    ("radius", lambda: supports.Radius(np.complex128(I))),
    ("edges", lambda: supports.Graph(sparse.csr_matrix(I * np.eye(3)))),
    ("alpha", lambda: normalizations.Density(np.complex128(I))),
    ("alpha", lambda: operator().equilibrium(X, alpha=np.complex128(0.5 + 1j))),
    ("radius", lambda: lw.radius_neighbors(X, radius=np.complex128(I))),
    ("metric", lambda: lw.kneighbors(X, metric=complex_kernel)),
    ("metric_params['w']", lambda: fitted("NearestNeighbors", metric_params={"w": np.full(3, I)})),
    (
        "metric_params['V']",
        lambda: fitted("KernelDensity", metric="seuclidean", metric_params={"V": [I] * 3}),
    ),
    (
        "metric_params['VI']",
        lambda: fitted("KNeighborsRegressor", metric="mahalanobis", metric_params={"VI": I * np.eye(3)}),
    ),
    ("bandwidth", lambda: fitted("KernelRegressor", bandwidth=np.complex128(I))),
    ("weights", lambda: fitted("KNeighborsRegressor", weights=lambda d: I * d).predict(X)),
    ("weights", lambda: fitted("RadiusNeighborsRegressor", weights=lambda d: [I * r for r in d]).predict(X)),
    ("kernel", lambda: fitted("LabelPropagation", kernel=complex_kernel)),
    ("kernel", lambda: fitted("LabelSpreading", kernel=lambda *AB: sparse.csr_matrix(complex_kernel(*AB)))),
    ("affinity", lambda: lw.SpectralEmbedding(affinity=lambda A: complex_kernel(A, A)).fit(X)),
    ("affinity", lambda: spectral(lambda x, z: np.complex128(I))),
    ("affinity", lambda: spectral(lambda x, z: I)),
    ("init", lambda: lw.MetricLearner(init=I * np.eye(3)).fit(X, Y)),
    ("y", lambda: lw.MetricLearner(loss="mlkr", max_iter=1).fit(X, X[:, 0]).score(X, I * X[:, 0])),
    ("y", lambda: lw.select_bandwidth("loo", X, I * X[:, 0])),
    ("y_context", lambda: lw.AttentionRegressor(max_epochs=1).fit(X, Y, context=(X, I * X[:, 0]))),
    ("w", lambda: gradients.eigen_vjp(operator(), np.full(2, I), X[:, :2], np.ones(2))),
    ("grad_v", lambda: gradients.eigen_vjp(operator(), np.ones(2), X[:, :2], grad_v=I * X[:, :2])),
]


@pytest.mark.parametrize(
    ("argument", "call"), COMPLEX, ids=[f"{i}-{row[0]}" for i, row in enumerate(COMPLEX)]
)
def test_imaginary_parts_are_refused(argument, call):
    """Kind: numbers that NumPy's and pybind11's conversions cut in half, with a warning at most."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the warning says must be an error, however filters are set
        with pytest.raises((ValueError, TypeError), match=rf"^{re.escape(argument)} must "):
            call()


TEXT = np.full((20, 3), "a")
NO_TOKENS = np.ones((20, 0, 3))
LAYERS = [
    ("x", "numeric; got .*'a'", lambda: layer().forward(TEXT)),
    ("x", "numeric; got list.*inhomogeneous", lambda: layer().forward([[1, 2, 3], [4, 5]])),
    ("context", "numeric; got .*'a'", lambda: layer().forward(X, context=TEXT)),
    ("grad_output", "numeric; got .*'a'", lambda: backward(TEXT)),
    ("q", "numeric; got .*'a'", lambda: lw.attention(TEXT, X, X)),
    ("v", "numeric; got list.*inhomogeneous", lambda: lw.attention(X, X, [*X[:-1].tolist(), [1]])),
    ("log_key_weights", "numeric; got list.*'a'", lambda: lw.attention(X, X, X, log_key_weights=["a"] * 20)),
    ("log_key_weights", "numeric; got .*'a'", lambda: lw.Mechanism().operator(X, log_key_weights=TEXT[:, 0])),
    ("context", r"a token or more; got shape \(20, 0, 3\)", lambda: layer().forward(X[:, None], NO_TOKENS)),
    ("context", r"a token or more; got shape \(0, 3\)", lambda: layer().forward(X, X[:0])),
    ("x", r"a token or more; got shape \(20, 0, 3\)", lambda: layer().forward(NO_TOKENS, X[:, None])),
    ("x", r"a token or more; got shape \(20, 0, 3\)", lambda: layer().forward(NO_TOKENS)),
]


@pytest.mark.parametrize(("argument", "says", "call"), LAYERS, ids=range(len(LAYERS)))
def test_layers_and_attention_name_what_they_cannot_read(argument, says, call):
    """Kind: NumPy's own words for what it cannot do, and an error about the argument beside the wrong one."""
    with pytest.raises(ValueError, match=rf"(?s)^{argument} must (be|hold) {says}"):
        call()


def test_objects_that_are_numbers_are_numbers():
    """Kind: numbers refused for the box that pandas and mixed lists put them in."""
    boxed = X.astype(object)
    assert np.array_equal(lw.attention(boxed, X, boxed), lw.attention(X, X, X))
    for mixed in (layer().forward(boxed, context=boxed), layer().forward(X, context=boxed)):
        assert np.array_equal(mixed, layer().forward(X))
    assert np.array_equal(backward(boxed), backward(X))


def mixed_frame(**columns):
    import pandas as pd

    return pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2]}).assign(**columns)


def not_numbers():
    """What is no real number beside columns that pandas converts by itself."""
    import pandas as pd

    flag = Y.astype(bool)
    dates = pd.date_range("2020-01-01", periods=20)
    nullable = pd.array(Y, "Int64")
    return {
        "complex beside bool": (mixed_frame(a=1j * X[:, 0], b=flag), "real; got complex128 in column 'a'"),
        "complex beside Int64": (
            mixed_frame(a=1j * X[:, 0], b=nullable),
            "real; got complex128 in column 'a'",
        ),
        "complex beside category": (
            mixed_frame(a=1j * X[:, 0], b=pd.Categorical(Y)),
            "real; got complex128 in column 'a'",
        ),
        "dates beside numbers": (mixed_frame(c=dates), r"numeric; got datetime64\[.*\] in column 'c'"),
        "times beside bool": (
            mixed_frame(c=dates - dates[0], b=flag),
            r"numeric; got timedelta64\[.*\] in column 'c'",
        ),
        "dates with a zone": (
            mixed_frame(c=dates.tz_localize("UTC")),
            r"numeric; got datetime64\[.*\] in column",
        ),
        "dates alone": (
            pd.DataFrame({k: dates for k in "abc"}),
            r"numeric; got datetime64\[.*\] in column 'a'",
        ),
        "an array of dates": (np.full((20, 3), np.datetime64("2020-01-01")), r"numeric; got datetime64\[D\]"),
        "an array of times": (np.full((20, 3), np.timedelta64(3, "s")), r"numeric; got timedelta64\[s\]"),
        "a category of words": (mixed_frame(c=pd.Categorical(["x", "y"] * 10), b=flag), "numeric; got "),
        "words": (mixed_frame(c=["x", "y"] * 10), "numeric; got "),
    }


@pytest.mark.parametrize("name", [*METHODS, *LEARNERS])
def test_tables_of_what_is_no_number(name):
    """Kind: conversions of tables that drop or invent something before anybody looks: imaginary parts went,
    dates became nanoseconds; or that fail without the argument's name."""
    pytest.importorskip("pandas")
    make = {**METHODS, **LEARNERS}[name]
    fit_on = make().fit(mixed_frame(b=Y.astype(bool)), Y)
    for what, (table, says) in not_numbers().items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises((ValueError, TypeError), match=rf"^X must be {says}"):
                make().fit(table, Y)
                pytest.fail(what)
            for call in calls_of(fit_on):
                with pytest.raises((ValueError, TypeError), match=rf"^X must be {says}"):
                    call(table)
                    pytest.fail(what)


DATES = np.full(20, np.datetime64("2020-01-01"))
DAYS = np.full(20, np.timedelta64(3, "D"))


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("sample_weight", lambda: lw.KernelDensity(bandwidth=1.0).fit(X, sample_weight=DAYS)),
        ("y", lambda: lw.KernelRegressor(bandwidth=1.0).fit(X, DATES)),
        ("y", lambda: lw.KNeighborsRegressor().fit(X, DAYS)),
        ("y", lambda: lw.AttentionRegressor(max_epochs=1).fit(X, DATES)),
        ("y", lambda: lw.MetricLearner(loss="mlkr").fit(X, DATES)),
        ("q", lambda: lw.attention(np.full((20, 3), DATES[0]), X, X)),
        ("log_key_weights", lambda: lw.Mechanism().operator(X, log_key_weights=DAYS)),
        ("x", lambda: layer().forward(np.full((20, 3), DATES[0]))),
    ],
)
def test_dates_are_no_numbers(argument, call):
    """Kind: a date is read in whatever unit it is stored in."""
    with pytest.raises((ValueError, TypeError), match=rf"(?i)^{argument} must .*; got "):
        call()
