"""likewise.nn: layers against NumPy, their state, their heads read as mechanisms, their refusals."""

import inspect
import pickle

import numpy as np
import pytest
from sklearn.datasets import load_wine

import likewise as lw
from likewise import _core
from likewise.nn import AttentionLayer, L2Attention, MetricAttention, SelfAttention, arms

ARMS = {
    **arms(6, 2),
    "metric": {
        **{"embed_dim": 6, "num_heads": 2, "score": "sqdist", "tied": True},
        **{"map_width": 4, "temperature": 1.0},
    },
    "dot of one shared map": {
        **{"embed_dim": 6, "num_heads": 2, "tied": True, "map_width": 2, "share_map": True},
        "learn_temperature": True,
    },
}


def made(**settings):
    """A float64 layer whose numbers are all moved from where they start."""
    layer = AttentionLayer(**settings, dtype=np.float64, random_state=0)
    layer.flat_parameters[:] += 0.1 * np.random.RandomState(1).randn(len(layer.flat_parameters))
    return layer


def through_maps(state, o, mapped, rank):
    """phi of each head's columns: u + W2 tanh(W1 u + b1) + b2."""
    parts = []
    for h in range(o["num_heads"]):
        W1, b1, W2, b2 = (
            state[name] if o["share_map"] else state[name][h]
            for name in ("map_in.weight", "map_in.bias", "map_out.weight", "map_out.bias")
        )
        u = mapped[:, h * rank : (h + 1) * rank]
        parts.append(u + np.tanh(u @ W1.T + b1) @ W2.T + b2)
    return np.hstack(parts)


def by_definition(layer, x, context, admitted=None):
    """The layer in NumPy: x (length, E), context (n_keys, E), admitted (length, n_keys)."""
    state, o = layer.state_dict(), layer.options
    E, H = o["embed_dim"], o["num_heads"]
    if o["tied"]:
        rank = len(state["metric_proj.weight"]) // H
        Wq = Wk = state["metric_proj.weight"]
        q, k = x @ Wq.T, context @ Wk.T
        v = context @ state["v_proj.weight"].T + state["v_proj.bias"]
    else:
        rank = (len(state["in_proj_weight"]) - E) // (2 * H)
        parts = [H * rank, 2 * H * rank]
        Wq, Wk, Wv = np.split(state["in_proj_weight"], parts)
        bq, bk, bv = np.split(state["in_proj_bias"], parts)
        q, k, v = x @ Wq.T + bq, context @ Wk.T + bk, context @ Wv.T + bv
    if o["map_width"]:
        q, k = (through_maps(state, o, mapped, rank) for mapped in (q, k))
    heads = []
    for h in range(H):
        a, b, c = (m[:, h * w : (h + 1) * w] for m, w in ((q, rank), (k, rank), (v, E // H)))
        dots = a @ b.T if o["score"] == "dot" else -((a[:, None] - b[None]) ** 2).sum(axis=2)
        scores = dots / (np.exp(state["log_temperature"][h]) if o["learn_temperature"] else o["temperature"])
        if admitted is not None:
            scores = np.where(admitted, scores, -np.inf)
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        heads.append(weights / weights.sum(axis=1, keepdims=True) @ c)
    return np.hstack(heads) @ state["out_proj.weight"].T + state["out_proj.bias"]


@pytest.mark.parametrize("arm", ARMS)
def test_arms_equal_numpy(arm):
    layer, random = made(**ARMS[arm]), np.random.RandomState(2)
    x, context = random.randn(3, 5, 6), random.randn(3, 4, 6)
    mask = random.rand(3, 5, 4) < 0.6
    mask[..., 0] = True
    for got, want in (
        (layer.forward(x), [by_definition(layer, a, a) for a in x]),
        (layer.forward(x, is_causal=True), [by_definition(layer, a, a, np.tri(5, dtype=bool)) for a in x]),
        (layer.forward(x, context), [by_definition(layer, a, b) for a, b in zip(x, context)]),
        (
            layer.forward(x, context, mask=mask),
            [by_definition(layer, a, b, m) for a, b, m in zip(x, context, mask)],
        ),
    ):
        np.testing.assert_allclose(got, want, atol=1e-12)


@pytest.mark.parametrize("arm", ARMS)
def test_gradients_are_finite_differences(arm):
    layer, random = made(**ARMS[arm]), np.random.RandomState(3)
    x, weights = random.randn(2, 4, 6), random.randn(2, 4, 6)
    padding = np.array([[True] * 4, [True, True, False, True]])

    def loss():
        return (layer.forward(x, key_padding_mask=padding) * weights).sum()

    loss()
    layer.zero_grad()
    by_x = layer.backward(weights)
    for numbers, gradient in (
        (layer.flat_parameters, layer.flat_gradients.copy()),
        (x.ravel(), by_x.ravel()),
    ):
        for i in random.choice(len(numbers), 25, replace=False):
            kept, step = numbers[i], 1e-5
            numbers[i] = kept + step
            above = loss()
            numbers[i] = kept - step
            slope = (above - loss()) / (2 * step)
            numbers[i] = kept
            assert gradient[i] == pytest.approx(slope, abs=1e-7)


def test_backward_adds_up_and_zero_grad_begins_again():
    layer = SelfAttention(4, 2, random_state=0)
    y = layer.forward(np.ones((1, 3, 4), np.float32))
    layer.backward(np.ones_like(y))
    once = layer.gradients()
    layer.backward(np.ones_like(y))
    assert once.keys() == layer.state_dict().keys()
    for name, part in layer.gradients().items():
        np.testing.assert_allclose(part, 2 * once[name], rtol=1e-6, atol=1e-7)
    layer.zero_grad()
    assert not layer.flat_gradients.any()


def test_options_of_a_layer_are_those_that_cpp_lists():
    """They were listed by hand in four places."""
    said = inspect.signature(AttentionLayer).parameters
    told = {name: said[name].default for name in said if name not in ("embed_dim", "dtype", "random_state")}
    listed = _core.attention_layer_defaults()
    assert list(listed) == ["embed_dim", *told]
    open_ones = dict.fromkeys(("rank", "map_width", "temperature"))
    assert {**listed, **open_ones} == {"embed_dim": listed["embed_dim"], **told}
    assert AttentionLayer(8, 2, rank=3).options == {**listed, "embed_dim": 8, "num_heads": 2, "rank": 3}


def test_state_names_and_shapes_are_those_of_the_interface():
    shapes = {name: part.shape for name, part in SelfAttention(8, 2).state_dict().items()}
    assert shapes == {
        "in_proj_weight": (24, 8),
        "in_proj_bias": (24,),
        "out_proj.weight": (8, 8),
        "out_proj.bias": (8,),
    }
    shapes = {name: part.shape for name, part in L2Attention(8, 2).state_dict().items()}
    assert shapes == {
        "metric_proj.weight": (8, 8),
        "v_proj.weight": (8, 8),
        "v_proj.bias": (8,),
        "out_proj.weight": (8, 8),
        "out_proj.bias": (8,),
        "log_temperature": (2,),
    }
    shapes = [(name, part.shape) for name, part in MetricAttention(8, 2, 3).state_dict().items()]
    assert shapes == [
        ("metric_proj.weight", (8, 8)),
        ("map_in.weight", (2, 3, 4)),
        ("map_in.bias", (2, 3)),
        ("map_out.weight", (2, 4, 3)),
        ("map_out.bias", (2, 4)),
        ("v_proj.weight", (8, 8)),
        ("v_proj.bias", (8,)),
        ("out_proj.weight", (8, 8)),
        ("out_proj.bias", (8,)),
    ]
    shared = MetricAttention(8, 2, share_map=True, learn_temperature=True).state_dict()
    assert shared["map_in.weight"].shape == (4, 4) and shared["map_out.bias"].shape == (4,)
    assert shared["log_temperature"].tolist() == [0, 0]  # where the published temperature is


def test_heads_of_metric_attention_are_mechanisms():
    """A head's metric is Mapped by phi of its projection: weights, and the function with the map alone."""
    layer = MetricAttention(6, 2, 5, dtype=np.float64, random_state=0)
    layer.flat_parameters[:] += 0.2 * np.random.RandomState(1).randn(len(layer.flat_parameters))
    x = np.random.RandomState(2).randn(7, 6)
    layer.forward(x)
    for head, weights in enumerate(layer.attention_weights()):
        mechanism = layer.mechanism(head)
        assert mechanism.metric == lw.metrics.Mapped(mechanism.metric.map) and layer.temperature(head) == 1
        np.testing.assert_allclose(mechanism.operator(x).toarray(), weights, atol=1e-12)
        v = np.random.RandomState(3).randn(7, 2)
        np.testing.assert_allclose(lw.metric_attention(x, mechanism.metric.map, v), weights @ v, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: AttentionLayer(6, 2, map_width=3), ValueError, "map_width must be 0 where queries and keys"),
        (lambda: AttentionLayer(6, 2, tied=True, map_width=-1), ValueError, "map_width must be at least 1"),
        (lambda: AttentionLayer(6, 2, tied=True, share_map=True), ValueError, "share_map must be false"),
        (lambda: AttentionLayer(6, 2, temperature=-1.0), ValueError, "temperature must be positive"),
        (lambda: AttentionLayer(6, 2, temperature="hot"), TypeError, "temperature must be a number"),
        (lambda: MetricAttention(6, 2, 1.5), TypeError, "map_width must be an int"),
        (lambda: MetricAttention(6.0, 2), TypeError, "embed_dim must be an int"),
        (lambda: lw.metric_attention(np.ones((3, 2)), "linear"), TypeError, "map must be a value"),
        (
            lambda: lw.metric_attention(np.ones(3), lw.maps.Linear(np.eye(3))),
            ValueError,
            "x must be an array",
        ),
    ],
)
def test_settings_of_maps_are_refused_by_name(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_a_state_is_taken_over_with_its_dtype_or_not_at_all():
    a, b = L2Attention(6, 2, random_state=0), L2Attention(6, 2, random_state=1)
    x = np.random.RandomState(0).randn(2, 3, 6)
    b.load_state_dict(a.state_dict())
    assert (a.forward(x) == b.forward(x)).all() and b.dtype == np.float32
    double = {name: part.astype(np.float64) for name, part in a.state_dict().items()}
    b.load_state_dict(double)
    assert b.dtype == np.float64 and b.forward(x).dtype == np.float64
    before = b.flat_parameters.copy()
    for broken, said in (
        ({**double, "more": np.ones(1)}, "more"),
        ({k: v for k, v in double.items() if k != "v_proj.bias"}, "v_proj.bias"),
        ({**double, "v_proj.bias": np.ones(5)}, "v_proj.bias"),
        ({**double, "v_proj.bias": np.full(6, np.nan)}, "v_proj.bias"),
    ):
        with pytest.raises(ValueError, match=said):
            b.load_state_dict(broken)
    assert (b.flat_parameters == before).all()


def test_a_state_that_is_none_names_what_is_wrong():
    """Kind: what stands for numbers and is none, told by NumPy, or an attribute that it lacks."""
    layer = SelfAttention(8, 2, random_state=0)
    before = layer.state_dict()
    for state in (None, [1], "in_proj_weight", 3):
        with pytest.raises(
            TypeError, match=f"state must be a dict of arrays by name.*; got {type(state).__name__}"
        ):
            layer.load_state_dict(state)
    ragged = [[1.0]] * 23 + [[1.0, 2.0]]
    for part in (["a"] * 24, None, ragged, np.ones(24, complex), np.full(24, "2020", "M8[Y]")):
        said = r"state\['in_proj_bias'\] must be an array of real numbers"
        with pytest.raises((TypeError, ValueError), match=said):
            layer.load_state_dict({**before, "in_proj_bias": part})
    for name, part in layer.state_dict().items():
        np.testing.assert_array_equal(part, before[name])
    layer.load_state_dict({**before, "in_proj_bias": list(range(24))})
    np.testing.assert_array_equal(layer.state_dict()["in_proj_bias"], np.arange(24.0))


def test_the_same_seed_is_the_same_layer_and_a_pickle_is_one():
    x = np.random.RandomState(0).randn(4, 6)
    a, b = (L2Attention(6, 3, random_state=5) for _ in range(2))
    assert (a.forward(x) == b.forward(x)).all()
    assert (pickle.loads(pickle.dumps(a)).forward(x) == a.forward(x)).all()
    assert (L2Attention(6, 3, random_state=6).forward(x) != a.forward(x)).any()


def test_dot_products_with_key_bias_are_squared_distances():
    dot = made(embed_dim=6, num_heads=2, key_bias=True, learn_temperature=False)
    sqdist = made(embed_dim=6, num_heads=2, score="sqdist", learn_temperature=False)
    sqdist.load_state_dict(dot.state_dict())
    x = np.random.RandomState(0).randn(2, 5, 6)
    np.testing.assert_allclose(dot.forward(x), sqdist.forward(x), atol=1e-14)
    without = made(embed_dim=6, num_heads=2, learn_temperature=False)
    without.load_state_dict(dot.state_dict())
    assert np.abs(dot.forward(x) - without.forward(x)).max() > 1e-3  # the one step between them


@pytest.mark.parametrize("arm", ["sqdist tied", "dot untied", "dot tied"])
def test_a_head_is_the_operator_of_its_mechanism(arm):
    layer, x = made(**ARMS[arm]), np.random.RandomState(4).randn(9, 6)
    layer.forward(x)
    for head, weights in enumerate(layer.attention_weights()):
        P = layer.mechanism(head).operator(x, x, log_key_weights=layer.log_key_weights(x, head))
        np.testing.assert_allclose(P.toarray(), weights, atol=1e-13)


def test_a_layer_of_a_learned_metric_is_kernel_regression_with_it():
    X, y = load_wine(return_X_y=True)
    X, Y = (X - X.mean(axis=0)) / X.std(axis=0), np.eye(3)[y]
    metric = lw.MetricLearner(2, max_iter=20, random_state=0).fit(X[::2], y[::2]).metric_
    layer = L2Attention.from_metric(metric, 0.7, n_targets=3)
    keys, queries = np.c_[X[::2], Y[::2]], np.c_[X[1::2], np.zeros((len(X[1::2]), 3))]
    regressor = lw.KernelRegressor(metric=metric, kernel="gaussian", bandwidth=np.sqrt(0.7 / 2))
    want = regressor.fit(X[::2], Y[::2]).predict(X[1::2])
    found = layer.forward(queries, keys)
    np.testing.assert_allclose(found[:, 13:], want, atol=1e-13)
    assert (found[:, :13] == 0).all()
    assert layer.metric() == lw.metrics.Mahalanobis(np.c_[metric.factor, np.zeros((2, 3))])
    assert layer.temperature() == pytest.approx(0.7)


def test_a_layer_of_a_metric_without_targets_is_a_step_of_mean_shift():
    random = np.random.RandomState(0)
    W, x = random.randn(3, 4), random.randn(30, 4)
    layer = L2Attention.from_metric(lw.metrics.Mahalanobis(W), 1.7)
    costs = (((x[:, None] - x[None]) @ W.T) ** 2).sum(axis=2)
    weights = np.exp(-costs / 1.7)
    want = weights / weights.sum(axis=1, keepdims=True) @ x
    np.testing.assert_allclose(layer.forward(x), want, atol=1e-13)
    single = L2Attention.from_metric(lw.metrics.Mahalanobis(W), 1.7, dtype=np.float32)
    assert single.forward(x).dtype == np.float32
    np.testing.assert_allclose(single.forward(x), want, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        (("euclidean",), TypeError, "metric must be Mahalanobis"),
        ((lw.metrics.Mahalanobis(np.eye(2)), 0.0), ValueError, "temperature must be positive"),
        ((lw.metrics.Mahalanobis(np.eye(2)), 1.0, -1), ValueError, "n_targets must be an int, at least 0"),
    ],
)
def test_only_what_can_be_a_layer_becomes_one(given, error, said):
    with pytest.raises(error, match=said):
        L2Attention.from_metric(*given)


def test_padding_and_masks_that_admit_nothing_leave_the_bias():
    layer = made(embed_dim=6, num_heads=2, score="sqdist", tied=True, learn_temperature=True)
    x = np.random.RandomState(0).randn(2, 5, 6)
    padding = np.ones((2, 5), bool)
    padding[0, 3:] = False
    y = layer.forward(x, key_padding_mask=padding)
    np.testing.assert_allclose(y[0, :3], layer.forward(x[0, :3]), atol=1e-13)
    y = layer.forward(x, mask=np.zeros((5, 5), bool))
    np.testing.assert_array_equal(y, np.broadcast_to(layer.state_dict()["out_proj.bias"], y.shape))
    assert np.isfinite(layer.backward(np.ones_like(y))).all()


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda layer, x: AttentionLayer(6, 4), ValueError, "num_heads"),
        (lambda layer, x: AttentionLayer(6, 2, "cosine"), ValueError, 'score must be one of "dot", "sqdist"'),
        (lambda layer, x: AttentionLayer(6, 2, dtype=np.float16), ValueError, "dtype"),
        (lambda layer, x: AttentionLayer(6, 2, diagonal=True), ValueError, "diagonal"),
        (lambda layer, x: AttentionLayer(6, 2, "sqdist", key_bias=True), ValueError, "key_bias"),
        (lambda layer, x: layer.forward(x[..., :5]), ValueError, "x must be of shape"),
        (lambda layer, x: layer.forward(np.full_like(x, np.nan)), ValueError, "x must be finite"),
        (lambda layer, x: layer.forward(x[:0]), ValueError, "x must hold a token"),
        (lambda layer, x: layer.forward(x, mask=np.ones((3, 3))), TypeError, "mask must be boolean"),
        (lambda layer, x: layer.forward(x, mask=np.ones((3, 4), bool)), ValueError, "mask must be of shape"),
        (
            lambda layer, x: layer.forward(x, key_padding_mask=np.ones((3, 3), bool)),
            ValueError,
            "key_padding_mask",
        ),
        (lambda layer, x: layer.forward(x, context=x[:1]), ValueError, "context must have x's batch"),
        (lambda layer, x: layer.forward(x, context=x[:, :2], is_causal=True), ValueError, "is_causal"),
        (lambda layer, x: layer.backward(x), ValueError, "backward must come after forward"),
        (lambda layer, x: layer.metric(2), ValueError, r"head must be in \[0, 1\]"),
        (lambda layer, x: AttentionLayer(6, 2, "sqdist").metric(), ValueError, "tied"),
    ],
)
def test_refusals_name_the_argument(call, error, said):
    with pytest.raises(error, match=said):
        call(SelfAttention(6, 2, random_state=0), np.ones((2, 3, 6), np.float32))


@pytest.mark.parametrize("make", [lw.nn.SelfAttention, lw.nn.L2Attention])
@pytest.mark.parametrize("length", [5, 140])
def test_weights_that_are_nan_are_told(make, length):
    """Kind: a comparison or a minimum drops NaN, and what comes out looks healthy."""
    x = np.random.default_rng(0).normal(size=(length, 8))
    for name in make(8, 2, dtype=np.float64, random_state=0).state_dict():
        layer = make(8, 2, dtype=np.float64, random_state=0)
        at = [n for n, _, _ in layer._core.entries].index(name)
        layer.flat_parameters[layer._core.entries[at][1]] = np.nan
        try:
            assert np.isnan(layer.forward(x)).any(), name
        except ValueError as error:
            assert "parameters" in str(error) or "log_temperature" in str(error)


@pytest.mark.parametrize("apart", [300, 1000])
@pytest.mark.parametrize("length", [60, 130])
def test_float32_holds_digits_of_far_clusters(apart, length):
    """Kind: float32 sums of large terms that cancel, where a head is short and no operator looks at them."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(length, 4))
    x[length // 2 :, 0] += apart
    x = x.astype(np.float32)
    grad = rng.normal(size=x.shape).astype(np.float32)
    y, by_x = mean_shift(x.astype(float), grad.astype(float))
    layer = lw.nn.L2Attention.from_metric(lw.metrics.Mahalanobis(np.eye(4)), 1.0, dtype="float32")
    np.testing.assert_allclose(layer.forward(x), y, rtol=2e-7, atol=2e-4)
    np.testing.assert_allclose(layer.backward(grad), by_x, rtol=1e-3, atol=1e-3 * abs(by_x).max())


def mean_shift(x, grad):
    """y_i = sum_j p_ij x_j with p = softmax(-|x_i - x_j|^2), and the gradient of <grad, y>, written out."""
    d = ((x[:, None] - x[None]) ** 2).sum(-1)
    p = np.exp(-d)
    p /= p.sum(1, keepdims=True)
    y = p @ x
    s = p * (grad @ x.T - (grad * y).sum(1, keepdims=True))  # of the score of each pair
    s = s + s.T
    return y, p.T @ grad - 2 * (s.sum(1)[:, None] * x - s @ x)


def test_padding_may_hold_nan():
    """Kind: what is not read is looked at."""
    layer = lw.nn.L2Attention(4, 2, dtype=np.float64, random_state=0)
    x, context = np.random.default_rng(0).normal(size=(2, 2, 5, 4))
    padding = np.array([[True, True, False, True, True], [True, False, False, True, True]])
    nan, zero = (np.where(padding[..., None], context, value) for value in (np.nan, 0))
    want = layer.forward(x, zero, key_padding_mask=padding)
    np.testing.assert_array_equal(layer.forward(x, nan, key_padding_mask=padding), want)
    want = layer.forward(zero, key_padding_mask=padding)
    np.testing.assert_array_equal(layer.forward(nan, key_padding_mask=padding), want)
    with pytest.raises(ValueError, match="context must be finite where there is no padding"):
        layer.forward(x, np.where(padding[..., None], np.nan, context), key_padding_mask=padding)
    with pytest.raises(ValueError, match="x must be finite"):
        layer.forward(nan, context, key_padding_mask=padding)


@pytest.mark.parametrize("setting", ["embed_dim", "num_heads", "score", "tied", "rank", "bias"])
def test_settings_of_a_wrong_type_are_named(setting):
    """Kind: a value goes unseen until something far inside cannot take it."""
    with pytest.raises(TypeError, match=f"{setting} must be"):
        lw.nn.AttentionLayer(**{"embed_dim": 8, setting: [1]})
