"""What public bug reports of other libraries asked of this one: layers, models, maps and their files.

Each test names the kind of fault and the report that led to it; docs/reports has all reports that were tried.
"""

import os
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

import likewise as lw

rng = np.random.default_rng(0)

X = rng.normal(size=(200, 3)) + 2


def _heads(layer, x, mask):
    """SelfAttention by its definition in NumPy, mask (batch, heads, length, length)."""
    state, heads = layer.state_dict(), layer.options["num_heads"]
    q, k, v = np.split(x @ state["in_proj_weight"].T + state["in_proj_bias"], 3, axis=-1)
    parts = []
    for head, (a, b, c) in enumerate(zip(*(np.split(part, heads, axis=-1) for part in (q, k, v)))):
        scores = a @ b.transpose(0, 2, 1) / np.sqrt(a.shape[-1])
        weights = np.where(mask[:, head], np.exp(scores), 0)
        mass = weights.sum(axis=-1, keepdims=True)
        parts.append(np.divide(weights, mass, out=np.zeros_like(weights), where=mass > 0) @ c)
    return np.concatenate(parts, axis=-1) @ state["out_proj.weight"].T + state["out_proj.bias"]


@pytest.mark.parametrize(("batch", "length"), [(3, 5), (1, 7), (2, 150)])
def test_each_head_may_have_its_own_mask(batch, length):
    """Kind: an option that functions have and layers lack (PyTorch 160064): each head a mask, one of which
    may attend to nothing."""
    layer = lw.nn.SelfAttention(6, 3, random_state=0, dtype="float64")
    x = rng.normal(size=(batch, length, 6))
    mask = rng.random((batch, 3, length, length)) < 0.6
    mask[:, 1] = False
    assert_allclose(layer.forward(x, mask=mask), _heads(layer, x, mask), atol=1e-12)
    same = np.repeat(mask[:, :1], 3, axis=1)
    assert_allclose(layer.forward(x, mask=same), layer.forward(x, mask=mask[:, 0]), atol=1e-12)

    # the gradient, along one direction, by central differences
    direction, out = rng.normal(size=x.shape), rng.normal(size=x.shape)
    layer.forward(x, mask=mask)
    slope = np.vdot(layer.backward(out), direction)
    ahead, behind = (_heads(layer, x + step * direction, mask) for step in (1e-6, -1e-6))
    assert_allclose(slope, np.vdot(out, ahead - behind) / 2e-6, rtol=1e-6)
    with pytest.raises(ValueError, match="mask must be of shape"):
        layer.forward(x, mask=mask[:, :2])


def test_settings_that_say_nothing_to_a_context_are_told():
    """Kind: an option that is lost (dn3 6): a learning rate of 1e6 changed nothing, -1 was taken."""
    quick = {"embed_dim": 4, "num_heads": 1, "max_epochs": 3, "early_stopping": False, "random_state": 0}
    y = X[:, 0] > 2
    with pytest.warns(
        UserWarning, match="^learning_rate, schedule|^schedule, learning_rate|optimizer"
    ) as said:
        lw.AttentionClassifier(learning_rate=1e6, schedule="cosine", **quick).fit(X, y, context="rows")
    assert "learning_rate" in str(said[0].message) and "schedule" in str(said[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter(
            "ignore", lw.ConvergenceWarning if hasattr(lw, "ConvergenceWarning") else UserWarning
        )
        lw.AttentionClassifier(**quick).fit(X, y, context="rows")


@pytest.mark.parametrize("context", [None, "rows"])
@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("learning_rate", -1, "positive"),
        ("learning_rate", np.nan, "positive"),
        ("weight_decay", -1, "not negative"),
        ("weight_decay", np.nan, "not negative"),
        ("weight_decay", np.inf, "not negative"),
        ("tol", -1, "not negative"),
        ("max_norm", -2.0, "not negative"),
        ("mlp_ratio", -1, "not negative"),
    ],
)
def test_numbers_of_a_training_are_refused_by_their_own_name(name, value, says, context):
    """Kind: a value that is not allowed and becomes the default, or is told by another name (cito 29)."""
    model = lw.AttentionClassifier(**{name: value}, max_epochs=1)
    with pytest.raises(ValueError, match=rf"^{name} must be a finite number that is {says}; got "):
        model.fit(X, X[:, 0] > 2, context=context)


def test_a_file_keeps_what_a_model_was_made_with(tmp_path):
    """Kind: what is lost on the way through a file (machinelearning 3206): the seed, the type of labels."""
    y = np.where(X[:, 0] > 2, "a", "bb").astype(object)
    model = lw.AttentionClassifier(embed_dim=4, num_heads=1, max_epochs=2, random_state=5).fit(X, y)
    model.save(tmp_path / "model")
    back = lw.AttentionClassifier.load(tmp_path / "model")
    assert back.get_params() == model.get_params()
    assert back.classes_.dtype == model.classes_.dtype == object
    assert_array_equal(back.predict(X), model.predict(X))
    model.set_params(random_state=np.random.RandomState(0)).fit(X, y).save(tmp_path / "model")
    assert lw.AttentionClassifier.load(tmp_path / "model").random_state is None


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("sequence", lambda layer: layer.attention_weights(2.5)),
        ("sequence", lambda layer: layer.attention_weights(X)),
        ("head", lambda layer: layer.metric("a")),
        ("head", lambda layer: layer.mechanism("a")),
        ("head", lambda layer: layer.temperature(1.5)),
        ("head", lambda layer: layer.log_key_weights(np.ones((2, 8)), head="b")),
    ],
)
def test_methods_of_layers_name_their_arguments(argument, call):
    """Kind: arguments that the binding gave no name (VLM-Visualizer 1)."""
    layer = lw.nn.SelfAttention(8, 2, random_state=0)
    layer.forward(np.ones((1, 3, 8), np.float32))
    with pytest.raises(TypeError, match=rf"^{argument} must be an int; got "):
        call(layer)


@pytest.fixture(scope="module")
def saved_models():
    """One of each kind of file, and the inputs that it answers for."""
    Z = np.random.default_rng(0).normal(size=(40, 4))
    made = lw.AttentionClassifier(n_tokens=2, embed_dim=4, num_heads=1, max_epochs=1, random_state=0)
    rows = lw.AttentionClassifier(embed_dim=4, num_heads=1, max_epochs=1, random_state=0)
    return [made.fit(Z, Z[:, 0] > 0), rows.fit(Z, Z[:, 0] > 0, context="rows")], Z


NAMES = [
    b"\xff.bin",
    b"caf\xe9.lw",
    os.fsdecode(b"caf\xe9.lw"),
    "caf\u00e9 \u20ac.lw",
    b"folder\xe9/model",
    *(n * "b" for n in (239, 240, 244, 254, 255)),
]


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_models_are_saved_under_every_name_that_the_system_has(name, saved_models, tmp_path):
    """Kind: a path taken for text, and a file beside it with a longer name (pycox 111)."""
    models, Z = saved_models
    folder, base = os.path.split(os.path.join(os.fsencode(tmp_path), os.fsencode(name)))
    os.makedirs(folder, exist_ok=True)
    for given in (os.path.join(folder, base), os.fsdecode(os.path.join(folder, base))):
        for model in models:
            model.save(given)
            assert os.listdir(folder) == [base]
            found = lw.AttentionClassifier.load(given)
            assert_array_equal(found.predict_proba(Z), model.predict_proba(Z))
        os.remove(given)
        with pytest.raises(ValueError, match=r"path '.*' must be a file that can be read; got none"):
            lw.AttentionClassifier.load(given)


@pytest.mark.parametrize("name", ["m\0.v2", b"m\0.v2", "m\0"], ids=repr)
def test_a_null_byte_ends_no_name(name, saved_models, tmp_path, monkeypatch):
    """Kind: text that C reads up to its first 0: another file was overwritten, with nothing said."""
    models, _ = saved_models
    monkeypatch.chdir(tmp_path)
    models[0].save("m")
    content = (tmp_path / "m").read_bytes()
    says = "path must be .* no null byte; got a name with an embedded null byte, 'm"
    for model in models:
        with pytest.raises(ValueError, match=says):
            model.save(name)
    with pytest.raises(ValueError, match=says):
        lw.AttentionClassifier.load(name)
    assert os.listdir() == ["m"]
    assert (tmp_path / "m").read_bytes() == content


def test_a_name_that_no_system_has_is_refused():
    with pytest.raises(ValueError, match="path must be a name that the system can have"):
        lw.AttentionClassifier.load("\ud800")


TWO = np.random.default_rng(3).normal(size=(60, 2)) + 5 * (np.arange(60) >= 30)[:, None]

WIDE = np.random.default_rng(4).normal(size=(3, 2))


def test_a_linear_map_is_reported_in_the_unit_of_its_metric():
    """Kind: a special case in another unit: Mapped(Linear) reported roots, as Mahalanobis does."""
    linear, residual = (
        lw.maps.Linear(WIDE),
        lw.maps.ResidualMLP(np.ones((1, 2)), None, np.zeros((3, 1)), None, skip=WIDE),
    )
    for name, power in (("sqeuclidean", 2), ("euclidean", 1)):
        a, b = (
            lw.NearestNeighbors(n_neighbors=4, metric=lw.metrics.Mapped(m, name)).fit(TWO)
            for m in (linear, residual)
        )
        U = TWO @ WIDE.T
        want = np.sort(np.linalg.norm(U[:5, None] - U, axis=-1), axis=1)[:, :4] ** power
        for found in (a.kneighbors(TWO[:5])[0], b.kneighbors(TWO[:5])[0]):
            assert_allclose(found, want, atol=1e-12)
        within = [m.radius_neighbors(TWO[:5], 0.3, return_distance=False) for m in (a, b)]
        for one, other in zip(*within):
            assert_array_equal(one, other)
    K = lw.KNeighborsRegressor(3, weights="distance", metric=lw.metrics.Mapped(linear)).fit(TWO, TWO[:, 0])
    R = lw.KNeighborsRegressor(3, weights="distance", metric=lw.metrics.Mapped(residual)).fit(TWO, TWO[:, 0])
    assert_allclose(K.predict(TWO + 0.1), R.predict(TWO + 0.1), rtol=1e-9)
    M = lw.Mechanism(metric=lw.metrics.Mahalanobis(WIDE), kernel="gaussian")
    P = lw.Mechanism(metric=lw.metrics.Mapped(linear), kernel="gaussian")
    given = {"kernel": lw.kernels.Gaussian(1.0)}
    assert_array_equal(M.replace(**given).operator(TWO).toarray(), P.replace(**given).operator(TWO).toarray())


@pytest.mark.parametrize("kind", ["residual", "function"])
def test_mapped_points_obey_the_memory_limit(kind):
    """Kind: memory that is taken before anybody asks the limit."""
    width = 500
    map = {
        "residual": lw.maps.ResidualMLP(
            np.ones((3, 2)), None, np.zeros((width, 3)), None, skip=np.ones((width, 2))
        ),
        "function": lw.maps.Custom(lambda X: np.repeat(X, width // 2, axis=1)),
    }[kind]
    X = np.random.default_rng(0).normal(size=(20000, 2))
    metric = lw.metrics.Mapped(map)
    calls = [
        lambda: lw.kneighbors(X, n_neighbors=3, metric=metric),
        lambda: lw.Mechanism(metric=metric, kernel=lw.kernels.Gaussian(1.0)).operator(X, storage="streamed"),
        lambda: lw.KNeighborsClassifier(metric=metric).fit(X, X[:, 0] > 0),
        lambda: lw.KernelRegressor(metric=metric, bandwidth=1.0).fit(X, X[:, 0]),
        lambda: lw.Mechanism(metric=metric, kernel=lw.kernels.Gaussian(1.0)).operator(X, X[:2]),
    ]
    with lw.execution(memory_limit="20MB"):
        for call in calls:
            with pytest.raises(lw.MemoryLimitError, match="points seen through a map"):
                call()
        few = lw.kneighbors(X[:100], n_neighbors=3, metric=metric)
    assert few[0].shape == (100, 3)


def test_a_layer_without_parameters_keeps_its_dtype():
    layer = lw.nn.AttentionLayer(
        4, 1, score="sqdist", tied=True, project=False, values=False, dtype=np.float64
    )
    layer.load_state_dict(layer.state_dict())
    assert layer.dtype == np.float64


@pytest.mark.parametrize("unit", [1e-165, 1e155, 1e300])
def test_targets_of_any_size_are_learned(unit):
    """Kind: squares that leave the range of float64 before a root brings them back."""
    X = TWO / 5
    made = lw.AttentionRegressor(max_epochs=20, random_state=0, early_stopping=False)
    usual, far = clone(made).fit(X, X[:, 0]).predict(X), clone(made).fit(X, unit * X[:, 0]).predict(X)
    assert_allclose(far / unit, usual, rtol=1e-4, atol=1e-5)
    constant = clone(made).fit(X, np.full(60, unit)).predict(X)
    assert_allclose(constant, unit, rtol=1e-2, atol=1e-2)
    with pytest.raises(ValueError, match=r"y must be of shape \(n,\) or \(n, n_targets\); got shape"):
        made.fit(X, np.zeros((60, 2, 2)))


def test_what_float64_cannot_square_is_refused_by_name():
    with pytest.raises(ValueError, match="y must have a variance that float64 holds"):
        lw.MetricLearner().fit(TWO, 1e200 * TWO[:, 0])


def test_a_map_without_a_derivative_leaves_those_of_values_and_temperature():
    """Kind: what is not asked for is refused with what is: P.vjp as a whole."""
    kernel = lw.kernels.Exponential(1.0)
    plain = lw.Mechanism(metric="sqeuclidean", kernel=kernel).operator(np.tanh(TWO))
    P = lw.Mechanism(metric=lw.metrics.Mapped(lw.maps.Custom(np.tanh)), kernel=kernel).operator(TWO)
    G = np.random.default_rng(0).normal(size=(60, 1))
    found, want = P.vjp(G, TWO[:, :1]), plain.vjp(G, TWO[:, :1])
    assert "points" not in found
    for name in ("values", "temperature"):
        assert_allclose(found[name], want[name], rtol=1e-9)


def test_no_points_attend_to_no_points_through_a_map():
    for shape in ((2, 0, 2), (0, 5, 2)):
        assert lw.metric_attention(np.zeros(shape), lw.maps.Linear(WIDE)).shape == shape


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: lw.metrics.Mapped(lw.maps.Linear(WIDE), lw.metrics.Mahalanobis(np.eye(2, 4))),
         ValueError, "metric must be one that reads the 3 outputs of the map; got Mahalanobis"),
        (lambda: lw.metrics.Mapped((lw.maps.Linear(WIDE), lw.maps.Linear(WIDE[:2])), "dot"),
         ValueError, "map must be two of as many outputs where both are compared; got 3 and 2"),
        (lambda: lw.metric_attention(TWO, (lw.maps.Linear(WIDE), lw.maps.Linear(WIDE[:2]))),
         ValueError, "map must be two of as many outputs; got 3 and 2"),
        (lambda: lw.maps.Linear(WIDE, None, 3), TypeError, r"Linear\(\) takes W, b"),
        (lambda: lw.maps.ResidualMLP(w1=WIDE), TypeError, r"ResidualMLP\(\) takes W1, .*got w1"),
        (lambda: lw.maps.Custom(), TypeError, "function is missing"),
    ],
)  # fmt: skip
def test_maps_say_which_argument_does_not_fit(call, error, says):
    """Kind: a module whose errors nobody had wrapped; a message that names what the caller has not."""
    with pytest.raises(error, match=says):
        call()


def test_maps_show_their_signatures():
    import inspect

    for cls in (lw.maps.Linear, lw.maps.ResidualMLP, lw.maps.Custom):
        names = list(inspect.signature(cls).parameters)
        assert names and all(name in cls.__init__.__doc__ for name in names)
