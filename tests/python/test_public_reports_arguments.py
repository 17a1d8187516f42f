"""Kinds of public bug reports about arguments: numbers and words in NumPy's and torch's boxes, counts in
small types, lengths that are lost, and messages that name no argument. One generic test holds each kind."""

import inspect
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from every import EVERY, LABELS, NUMBERS, X, answers, fitted
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

import likewise as lw
from likewise import datasets, gradients

P = lw.Mechanism(kernel=lw.kernels.Gaussian(1.0)).operator(X)
V = NUMBERS[:, None]


class Odd:
    """Nothing that any parameter takes."""


def defaults(name):
    """Parameters of the entry's estimator and their values."""
    return EVERY[name].estimator.get_params(deep=False)


def same(found, wanted, told=""):
    assert found.keys() == wanted.keys()
    for method, array in wanted.items():
        assert_array_equal(found[method], array, err_msg=f"{told} {method}")


# --- booleans and counts of NumPy


@pytest.mark.parametrize("name", EVERY)
def test_booleans_of_numpy_are_booleans(name):
    """Kind: a parameter that takes True and refuses np.True_, as a grid of parameters has it (nengo 1667)."""
    for parameter, usual in defaults(name).items():
        if isinstance(usual, bool) and parameter != "verbose":
            for value in (False, True):
                if EVERY[name].context and parameter == "warm_start":
                    continue
                try:
                    wanted = answers(fitted(name, **{parameter: value}))
                except ValueError as error:  # self_loops and the like that do not fit the others
                    with pytest.raises(ValueError) as caught:
                        fitted(name, **{parameter: np.bool_(value)})
                    assert str(caught.value) == str(error).replace(repr(value), repr(np.bool_(value)))
                    continue
                same(answers(fitted(name, **{parameter: np.bool_(value)})), wanted, parameter)


def test_progress_and_other_switches_take_booleans_of_numpy(capsys):
    for value in (False, True):
        with lw.execution(progress=np.bool_(value)) as settings:
            assert callable(settings.progress) == value
        assert isinstance(lw.kneighbors(X, return_distance=np.bool_(value)), tuple) == value
        assert isinstance(P.eigsh(2, return_eigenvectors=np.bool_(value)), tuple) == value
        assert_array_equal(
            lw.attention(X, X, X, is_causal=np.bool_(value)), lw.attention(X, X, X, is_causal=value)
        )
    with lw.execution(progress=True), lw.execution(progress=np.False_) as settings:
        assert settings.progress is None


# What parameters whose default is a word or None are set to, and what others need to end soon.
COUNTS = {
    "batch_size": 16,
    "n_components": 2,
    "n_neighbors": 5,
    "map_width": 125,
    "predict_batch_size": 7,
    "random_state": 3,
    "n_jobs": 1,
    "n_init": 2,
}
MANY = np.tile(X, (5, 1)) + np.random.default_rng(3).normal(size=(300, 3))  # more rows than an int8 holds
BESIDE = {"batch_size": {"max_iter": 50}, "map_width": {"map": "residual_mlp"}}


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.uint64], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", EVERY)
def test_counts_in_numpys_types_are_counts(name, kind):
    """Kind: arithmetic in the type that a count came in, which overflows, often without a word."""
    y = EVERY[name].y
    y = y if y is None else np.tile(y, 5)
    for parameter, usual in defaults(name).items():
        is_count = isinstance(usual, int) and not isinstance(usual, bool)
        value = COUNTS.get(parameter, min(usual, 60) if is_count else None)
        if value is None or parameter == "gamma":
            continue
        given = {"random_state": 0, **BESIDE.get(parameter, {})}
        given = {n: v for n, v in given.items() if n in defaults(name)}
        if parameter == "map_width" and "residual_mlp" not in name:
            value = 3
        if parameter == "map_width" and "map" in defaults(name) and "residual_mlp" not in name:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", "overflow")
            wanted = answers(fitted(name, MANY, y, **{**given, parameter: value}))
            found = answers(fitted(name, MANY, y, **{**given, parameter: kind(value)}))
        same(found, wanted, parameter)


def test_a_count_next_to_the_end_of_its_type():
    """One more than it, or the rows and features beside it, no longer fit."""
    wide = np.random.default_rng(0).normal(size=(150, 132))
    y = np.arange(150) % 2
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        for model in (lw.SpectralEmbedding, lw.DiffusionMaps):
            told = model(np.int8(127)).mechanism.propagation
            assert told.n == 128
            assert model(np.int8(127)).fit(wide).embedding_.shape == (150, 127)
        model = lw.AttentionClassifier(n_tokens=np.int8(66), embed_dim=4, num_heads=2, max_epochs=1)
        assert model.fit(wide, y).transform(wide).shape == (150, 66, 4)
        search = lw.SpectralEmbedding(2, n_neighbors=np.uint8(9), eigen_tol=np.float32(1e-6)).fit(wide)
        assert search.n_neighbors_ == 9
        half = np.float16(0.1)  # a tenth of 70 000 rows is more than a float16 holds
        fraction = lw.AttentionClassifier(validation_fraction=half)
        assert len(fraction._split_rows(700_000, None, np.random.RandomState(0))[1]) > 69_000
    assert_allclose(
        lw.LabelSpreading(gamma=np.float16(3)).fit(X, LABELS).mechanism_.kernel.bandwidth,
        np.sqrt(1 / 6),
        rtol=1e-15,
    )


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.uint64], ids=lambda kind: kind.__name__)
def test_data_sets_take_counts_in_numpys_types(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        for make, counts in (
            (datasets.spirals, {"n_samples": 127}),
            (datasets.blobs, {"n_samples": 127}),
            (datasets.uneven_circle, {"n_samples": 127}),
            (datasets.block_model, {"n_samples": 127, "n_blocks": 5, "n_features": 4}),
            (datasets.bodies, {"n_bodies": 2, "sides": 60}),
        ):
            found = make(**{name: kind(count) for name, count in counts.items()})
            for one, wanted in zip(found, make(**counts)):
                assert_array_equal(*(a.toarray() if hasattr(a, "toarray") else a for a in (one, wanted)))
                assert one.dtype == wanted.dtype


# --- a bandwidth in any box, for any kernel


def tensor(value):
    return pytest.importorskip("torch").tensor(value, dtype=float)


NUMBER_BOXES = [np.array, Decimal, Fraction, np.float32, np.longdouble, tensor]
OF_A_BANDWIDTH = {
    "KernelRegressor": (lw.KernelRegressor, NUMBERS, {}),
    "KernelClassifier": (lw.KernelClassifier, LABELS, {}),
    "KernelDensity": (lw.KernelDensity, None, {}),
    "MeanShift": (lw.MeanShift, None, {}),
    "LabelPropagation": (lw.LabelPropagation, LABELS, {"gamma": None}),
    "LabelSpreading": (lw.LabelSpreading, LABELS, {"gamma": None}),
    "DiffusionMaps": (lw.DiffusionMaps, None, {}),
    "DiffusionMaps of neighbors": (lw.DiffusionMaps, None, {"n_neighbors": 9}),
}


def kernel_of(name, **params):
    model, y, others = OF_A_BANDWIDTH[name]
    return model(**others, **params).fit(X, y).mechanism_.kernel


def test_every_estimator_with_a_bandwidth_is_here():
    have = {type(e.estimator).__name__ for e in EVERY.values() if "bandwidth" in e.estimator.get_params()}
    assert have == {model.__name__ for model, _, _ in OF_A_BANDWIDTH.values()}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kernel", ["indicator", lw.kernels.Indicator(), "gaussian", "epanechnikov"], ids=str)
@pytest.mark.parametrize("name", OF_A_BANDWIDTH)
def test_no_bandwidth_is_lost(name, kernel):
    """Kind: a parameter that another way of telling the same number silently turns off."""
    for box in NUMBER_BOXES:
        assert kernel_of(name, kernel=kernel, bandwidth=box(2.0 if box is not Decimal else "2")) == kernel_of(
            name, kernel=kernel, bandwidth=2.0
        )
        assert kernel_of(name, kernel=kernel, bandwidth=box(2)).bandwidth == 2.0
    for rule in ("median", "scott", "silverman"):
        metric = lw.Mechanism(metric="euclidean", kernel=lw.kernels.Indicator(rule))
        wanted = metric.operator(X).bandwidth.length
        assert_allclose(kernel_of(name, kernel=kernel, bandwidth=rule).bandwidth, wanted, rtol=1e-12)
    for wrong in ([2.0], np.array([2.0, 3.0]), np.array("median"), True, Odd(), "mean"):
        with pytest.raises((TypeError, ValueError), match="bandwidth must be a number") as caught:
            kernel_of(name, kernel=kernel, bandwidth=wrong)
        assert "array([" not in str(caught.value)


def test_a_graph_has_no_bandwidth():
    """Kind: the same, where there is nothing to give it to."""
    for model in (lw.LabelPropagation, lw.LabelSpreading):
        for kernel in ("knn", lambda Z, W: np.ones((len(Z), len(W)))):
            for bandwidth in (0.5, "median", np.array(0.5)):
                with pytest.raises(ValueError, match="bandwidth must be None with kernel"):
                    model(kernel=kernel, gamma=None, bandwidth=bandwidth).fit(X, LABELS)
    for rule in ("median", 0.5, np.array(0.5)):
        with pytest.raises(ValueError, match=r"bandwidth must be None with kernel=Exponential\(\)"):
            lw.DiffusionMaps(kernel=lw.kernels.Exponential(), bandwidth=rule).fit(X)
    assert lw.KernelDensity(kernel=lw.kernels.Indicator()).fit(X).mechanism_.kernel == lw.kernels.Indicator(1)


def test_an_indicator_without_a_length_is_one_of_neighbors_and_not_of_all():
    assert kernel_of("DiffusionMaps of neighbors", kernel="indicator") == lw.kernels.Indicator()
    rule = kernel_of("DiffusionMaps", kernel="gaussian").bandwidth
    assert kernel_of("DiffusionMaps", kernel="indicator") == lw.kernels.Indicator(rule)
    assert kernel_of("DiffusionMaps", kernel="indicator", bandwidth=None) == lw.kernels.Indicator()
    given = lw.Mechanism(kernel=lw.kernels.Indicator(0.7))
    assert lw.DiffusionMaps.from_mechanism(given.replace(normalization="density")).mechanism.kernel == (
        given.kernel
    )


# --- messages name the argument


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "wrong",
    [np.array([1.0, 2.0, 3.0]), np.array("a"), np.array(["l2", "dot"]), Odd(), [1, "b"]],
    ids=["array", "text in a box", "texts", "object", "list"],
)
@pytest.mark.parametrize("name", EVERY)
def test_what_no_parameter_takes_is_refused_by_its_name(name, wrong):
    """Kind: somebody else's words (the truth of an array, a hash, a cast) that name no argument."""
    unnamed = []
    for parameter in defaults(name):
        try:
            answers(fitted(name, **{parameter: wrong}))
        except (TypeError, ValueError) as error:
            said = str(error)
            if f"{parameter} must" not in said or len(said) > 700 or "array([" in said:
                unnamed.append((parameter, type(error).__name__, said))
        try:  # the slots are told before anything is fitted, too
            _ = clone(EVERY[name].estimator).set_params(**{parameter: wrong}).mechanism
        except (TypeError, ValueError) as error:
            if f"{parameter} must" not in str(error):
                unnamed.append((parameter, "mechanism", str(error)))
    assert not unnamed


ARRAY = np.array([1.0, 2.0, 3.0])
TEXT = np.array("a")
# Each call's arguments that fit, then those whose wrong values must be named.
FUNCTIONS = {
    "Mechanism": (lw.Mechanism, {}, ("empty_row", "metric", "kernel", "support", "normalization")),
    "kneighbors": (lw.kneighbors, {"X": X}, ("n_neighbors", "return_distance", "algorithm", "metric")),
    "radius_neighbors": (lw.radius_neighbors, {"X": X}, ("radius", "return_distance", "algorithm")),
    "select_bandwidth": (
        lw.select_bandwidth,
        {"rule": "perplexity", "Z": X},
        ("rule", "perplexity", "max_points", "n_neighbors", "random_state", "metric", "kernel"),
    ),
    "estimate_bandwidth": (lw.estimate_bandwidth, {"X": X}, ("quantile", "metric")),
    "eigsh": (P.eigsh, {"k": 2}, ("k", "tol", "max_iter", "solver")),
    "spectrum": (P.spectrum, {"k": 2}, ("k", "tol", "max_iter", "solver")),
    "equilibrium": (P.equilibrium, {"V": V, "alpha": 0.5}, ("alpha", "tol", "max_iter", "solver")),
    "attention": (lw.attention, {"q": X, "k": X, "v": X}, ("temperature", "is_causal", "support")),
    "l2_attention": (lw.l2_attention, {"q": X, "k": X, "v": X}, ("temperature", "is_causal", "support")),
    "metric_attention": (
        lw.metric_attention,
        {"x": X, "map": lw.maps.Linear(np.eye(3))},
        ("temperature", "is_causal", "map", "support"),
    ),
    "equilibrium_vjp": (
        gradients.equilibrium_vjp,
        {"P": P, "grad_F": V, "V": V, "alpha": 0.5},
        ("alpha", "tol", "max_iter"),
    ),
    "execution": (
        lambda **given: lw.execution(**given).__enter__(),
        {},
        ("progress", "n_jobs", "memory_limit"),
    ),
    "kneighbors of an estimator": (
        lw.NearestNeighbors().fit(X).kneighbors,
        {"X": X},
        ("n_neighbors", "return_distance"),
    ),
    "radius_neighbors of an estimator": (
        lw.NearestNeighbors().fit(X).radius_neighbors,
        {"X": X},
        ("radius", "return_distance"),
    ),
    "kneighbors_graph": (lw.NearestNeighbors().fit(X).kneighbors_graph, {"X": X}, ("mode", "n_neighbors")),
    "power_vjp": (gradients.power_vjp, {"P": P, "t": 2, "grad_Y": V, "V": V}, ("t", "P")),
    "eigen_vjp": (
        gradients.eigen_vjp,
        dict(zip(("P", "w", "v", "grad_w"), (P, *P.eigsh(2), np.ones(2)))),
        ("min_gap", "max_iter"),
    ),
    "operator": (lw.Mechanism().operator, {"X": X}, ("storage", "log_key_weights", "neighbors")),
    "spirals": (datasets.spirals, {}, ("n_samples", "noise", "turns", "random_state")),
    "blobs": (datasets.blobs, {}, ("n_samples", "random_state")),
    "uneven_circle": (datasets.uneven_circle, {}, ("n_samples", "contrast", "random_state")),
    "block_model": (
        datasets.block_model,
        {},
        ("n_samples", "n_blocks", "p_in", "p_out", "n_features", "signal", "random_state"),
    ),
    "bodies": (datasets.bodies, {}, ("n_bodies", "sides", "random_state")),
    "predict": (lw.KernelRegressor().fit(X, NUMBERS).predict, {"X": X}, ("return_std",)),
}


@pytest.mark.parametrize(
    ("call", "given", "parameter"),
    [
        pytest.param(call, given, parameter, id=f"{of}-{parameter}")
        for of, (call, given, parameters) in FUNCTIONS.items()
        for parameter in parameters
    ],
)
def test_what_no_argument_takes_is_refused_by_its_name(call, given, parameter):
    """Kind: the first argument of the first signature is blamed for another one (P, X, support)."""
    for wrong in (ARRAY, TEXT, np.array(["l2", "dot"]), Odd()):
        with pytest.raises((TypeError, ValueError), match=f"^{parameter} must ") as caught:
            call(**{**given, parameter: wrong})
        assert len(str(caught.value)) < 500
        assert "array([" not in str(caught.value)


def test_a_rule_is_called_rule():
    with pytest.raises(ValueError, match=r"^rule must be one of 'median', .*'loo'; got 'x'\.$"):
        lw.select_bandwidth("x", X)


@pytest.mark.parametrize("x", [np.float32(0.5), np.array(0.5), Fraction(1, 2), Decimal("0.5"), 0.5], ids=repr)
def test_numbers_in_other_boxes_are_numbers(x):
    """Kind: a number that one argument takes and its sibling refuses in somebody else's words."""
    wanted = lw.kernels.Exponential(0.5)
    assert lw.kernels.Exponential(x) == wanted
    assert lw.MetricLearner(temperature=x, tol=x, max_iter=2).fit(X, LABELS).mechanism.kernel == wanted
    assert lw.RadiusNeighborsClassifier(x).mechanism.support == lw.supports.Radius(0.5)
    assert_array_equal(lw.attention(X, X, X, x), lw.attention(X, X, X, 0.5))
    assert_array_equal(P.equilibrium(V, alpha=x)[0], P.equilibrium(V, alpha=0.5)[0])
    assert lw.DiffusionMaps(density_alpha=x, diffusion_time=x).fit(X).mechanism_.normalization == (
        lw.normalizations.Density(0.5)
    )
    three = lw.KNeighborsClassifier(p=6 * x, metric="minkowski").fit(X, LABELS)
    assert three.mechanism_.metric == lw.metrics.Minkowski(3)
    assert three.effective_metric_params_["p"] == 3
    two = lw.KNeighborsClassifier(p=type(x)(2) if type(x) is not np.ndarray else np.array(2)).fit(X, LABELS)
    assert (two.effective_metric_, two.mechanism_.metric) == ("euclidean", lw.metrics.Euclidean())


def test_one_outlier_label_in_a_box_is_that_label():
    far = X[:3] + 1000
    for label, others in ((2, np.array(2)), (7, np.array(7, np.uint8)), ("most_frequent", None)):
        wanted = lw.RadiusNeighborsClassifier(1.0, outlier_label=label).fit(X, LABELS).predict(far)
        found = lw.RadiusNeighborsClassifier(1.0, outlier_label=label if others is None else others)
        assert_array_equal(found.fit(X, LABELS).predict(far), wanted)
    for wrong in (np.array([[1, 2]]), np.array("a"), [[1]]):
        with pytest.raises((TypeError, ValueError), match="outlier_label must be"):
            lw.RadiusNeighborsClassifier(outlier_label=wrong).fit(X, LABELS)


def test_messages_never_hold_the_numbers_of_an_array():
    """Kind: an argument printed as a whole, be it a million numbers."""
    for call in (
        lambda a: lw.kernels.Gaussian(a),
        lambda a: lw.KernelRegressor(bandwidth=a).fit(X, NUMBERS),
        lambda a: lw.supports.Graph(a),
        lambda a: lw.Mechanism(kernel=a),
    ):
        with pytest.raises(TypeError, match=r"must .*; got an array of float64 and shape \(3,\)\.$"):
            call(ARRAY)


# --- sample weights

WEIGHED = [
    name for name in EVERY if "sample_weight" in inspect.signature(EVERY[name].estimator.fit).parameters
]


@pytest.mark.parametrize("name", WEIGHED)
def test_weights_that_are_none_are_named(name):
    """Kind: scikit-learn's words, which name no argument; they stay, since its checks look for them."""
    for wrong, says in (
        (np.zeros(60), "must contain at least one non-zero"),
        (np.ones((60, 1)), "Sample weights must be 1D array or scalar"),
        (np.ones(59), r"sample_weight.shape == \(59,\), expected \(60,\)"),
        (-np.ones(60), "Negative values in data passed to `sample_weight`"),
        (np.full(60, np.nan), "Input sample_weight contains NaN"),
        (["a"] * 60, "numeric"),
        (np.ones(60) * 1j, "real"),
    ):
        entry = EVERY[name]
        with pytest.raises((ValueError, TypeError), match=f"^sample_weight must .*{says}"):
            entry.estimator.fit(X, entry.y, sample_weight=wrong)


# --- sparse tensors


@pytest.mark.parametrize("form", ["to_sparse", "to_sparse_csr"])
def test_sparse_tensors_are_refused_by_name(form):
    """Kind: a container of another package, refused in that package's words or read as None."""
    torch = pytest.importorskip("torch")
    sparse = getattr(torch.eye(60), form)()
    for name, call in {
        "admitted": lambda: lw.supports.Mask(sparse.bool()),
        "edges": lambda: lw.supports.Graph(sparse),
        "affinity": lambda: lw.SpectralClustering(2, affinity=lambda x, z: sparse).fit(X),
        "affinity of all": lambda: lw.SpectralEmbedding(2, affinity=lambda x: sparse).fit(X),
        "X": lambda: lw.SpectralClustering(2, affinity="precomputed").fit(sparse),
        "X of embedding": lambda: lw.SpectralEmbedding(2, affinity="precomputed").fit(sparse),
        "X of points": lambda: lw.KNeighborsClassifier().fit(sparse, LABELS),
        "kernel": lambda: lw.LabelPropagation(kernel=lambda x, z: sparse).fit(X, LABELS),
        "kernel of spreading": lambda: lw.LabelSpreading(kernel=lambda x, z: sparse).fit(X, LABELS),
        "Z": lambda: lw.Mechanism().operator(sparse),
        "mask": lambda: lw.attention(X, X, X, mask=sparse.bool()),
        "q": lambda: lw.attention(sparse, X, X),
    }.items():
        with pytest.raises((TypeError, ValueError), match=f"^{name.split()[0]} must .*got ") as caught:
            call()
        assert "can't convert" not in str(caught.value)


# --- words in boxes


@pytest.mark.parametrize("parameter", ["optimizer", "schedule", "pooling", "dtype", "attention"])
def test_a_word_in_an_array_is_no_word(parameter):
    """Kind: an array without dimensions equals its word and is none: C++ could not cast it."""
    word = lw.AttentionClassifier().get_params()[parameter]
    with pytest.raises(ValueError, match=f"^{parameter} must be "):
        lw.AttentionClassifier(max_epochs=1, **{parameter: np.array(word)}).fit(X, LABELS)
    if parameter not in ("pooling", "attention"):
        with pytest.raises(ValueError, match=f"^{parameter} must be "):
            lw.PropagationClassifier(max_epochs=1, **{parameter: np.array(word)}).fit(X, LABELS)
    with pytest.raises(ValueError, match=r"^empty_row must be one of"):
        lw.Mechanism(empty_row=np.array("zero"))
