"""Who may attend to whom, told by any support: functions and layers against softmax in NumPy."""

import os

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_matrix

import likewise as lw
from likewise import supports
from likewise.nn import AttentionLayer, arms

BATCH, WIDTH, HEADS = 3, 6, 2
LENGTHS = [9, 70]  # up to 64 x 64 pairs are a tile, more are an operator
ARMS = arms(WIDTH, HEADS)


def supports_of(n):
    """name -> (support, whom it admits in words of NumPy, given the scores of all pairs)."""
    places = np.arange(n)[None] - np.arange(n)[:, None]
    groups = np.arange(n) * 5 % 3
    edges = np.random.RandomState(5).rand(n, n) < 0.4
    edges[2] = False  # somebody who may attend to nobody
    same = groups[:, None] == groups

    def told(admitted):
        return lambda scores: admitted

    return {
        "all": ("all", told(np.ones((n, n), bool))),
        "causal": ("causal", told(places <= 0)),
        "window": (supports.Window(2, 1), told((places >= -2) & (places <= 1))),
        "blocks": (supports.Blocks(groups), told(same)),
        "other groups": (supports.OtherGroups(groups), told(~same)),
        "without oneself": (supports.LeaveOneOut(), told(places != 0)),
        "mask": (supports.Mask(edges), told(edges)),
        "mask and blocks": (supports.Mask(edges) & supports.Blocks(groups), told(edges & same)),
        "graph": (supports.Graph(csr_matrix(edges)), told(edges)),
        "neighbors": (supports.Neighbors(3), lambda scores: scores >= np.sort(scores, axis=1)[:, [-3]]),
        "neighbors in a window": (
            supports.Neighbors(1) & supports.Window(2, 1),
            lambda scores: (
                scores >= np.where((places >= -2) & (places <= 1), scores, -np.inf).max(axis=1, keepdims=True)
            ),
        ),
    }


NAMES = list(supports_of(9))


def softmax(scores, admitted):
    """Rows of weights among those admitted; 0 where there are none."""
    scores = np.where(admitted, scores, -np.inf)
    top = scores.max(1, keepdims=True)
    e = np.exp(scores - np.where(np.isneginf(top), 0, top))
    return np.divide(e, e.sum(1, keepdims=True), out=np.zeros_like(e), where=e.sum(1, keepdims=True) > 0)


def rows_of(seed, *shape):
    return np.random.RandomState(seed).randn(*shape)


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["dot", "metric"])
def test_functions(kind, name, n):
    """Kind: an option of the mechanism that its best known member did not have."""
    support, admitted = supports_of(n)[name]
    q, k, v = rows_of(0, BATCH, n, 4), rows_of(1, BATCH, n, 4), rows_of(2, BATCH, n, 5)
    attend = lw.attention if kind == "dot" else lw.l2_attention
    got = attend(q, k, v, support=support)
    causal = attend(q, k, v, support=support, is_causal=True)
    for i in range(BATCH):
        scores = q[i] @ k[i].T / 2 if kind == "dot" else -((q[i][:, None] - k[i][None]) ** 2).sum(-1) / 4
        if name == "neighbors in a window":  # the nearest of those whom the window admits
            places = np.arange(n)[None] - np.arange(n)[:, None]
            scores = np.where((places >= -2) & (places <= 1), scores, -np.inf)
        assert_allclose(got[i], softmax(scores, admitted(scores)) @ v[i], atol=1e-12)
        if "neighbors" not in name:  # the nearest of those before are others
            below = admitted(scores) & np.tri(n, dtype=bool)
            assert_allclose(causal[i], softmax(scores, below) @ v[i], atol=1e-12)


def made(arm, n):
    layer = AttentionLayer(**ARMS[arm], dtype=np.float64, random_state=0)
    layer.flat_parameters[:] += 0.1 * np.random.RandomState(1).randn(len(layer.flat_parameters))
    return layer, rows_of(3, BATCH, n, WIDTH), rows_of(4, BATCH, n, WIDTH)


def passed(layer, x, grad, **who):
    """Output, gradient of x, gradients of parameters."""
    layer.zero_grad()
    y = layer.forward(x, **who)
    return y, layer.backward(grad), layer.flat_gradients.copy()


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("arm", ARMS)
def test_layers_and_their_gradients(arm, name, n):
    """The same pattern as a mask, which other tests hold against NumPy and finite differences. Neighbors are
    those of each head's weights."""
    layer, x, grad = made(arm, n)
    support, admitted = supports_of(n)[name]
    if "neighbors" in name:
        layer.forward(x, support="all" if name == "neighbors" else supports.Window(2, 1))
        weights = np.stack([layer.attention_weights(s) for s in range(BATCH)])
        with np.errstate(divide="ignore"):
            pattern = np.stack([[admitted(np.log(head)) for head in heads] for heads in weights])
    else:
        pattern = admitted(np.zeros((n, n)))
    for got, want in zip(passed(layer, x, grad, support=support), passed(layer, x, grad, mask=pattern)):
        assert_allclose(got, want, rtol=1e-8, atol=1e-10)


def test_a_support_of_each_sequence_and_of_each_head():
    layer, x, grad = made(next(iter(ARMS)), 9)
    masks = np.random.RandomState(6).rand(BATCH, HEADS, 9, 9) < 0.7
    of_sequences = passed(layer, x, grad, support=[supports.Mask(m) for m in masks[:, 0]])
    for got, want in zip(of_sequences, passed(layer, x, grad, mask=masks[:, 0])):
        assert_allclose(got, want, rtol=1e-12)
    of_heads = passed(layer, x, grad, support=[supports.Mask(m) for m in masks.reshape(-1, 9, 9)])
    for got, want in zip(of_heads, passed(layer, x, grad, mask=masks)):
        assert_allclose(got, want, rtol=1e-12)
    both = passed(layer, x, grad, support=supports.Window(3, 3), mask=masks, is_causal=True)
    places = np.arange(9)[None] - np.arange(9)[:, None]
    for got, want in zip(both, passed(layer, x, grad, mask=masks & (places >= -3) & (places <= 0))):
        assert_allclose(got, want, rtol=1e-12)


def test_packed_sequences_are_sequences_of_their_own():
    """Blocks: what a batch of padded sequences is used for, without padding."""
    layer, x, _ = made("sqdist tied", 12)
    packed = layer.forward(x[0], support=supports.Blocks(np.repeat([0, 1, 2], [5, 4, 3])))
    apart = [layer.forward(part) for part in np.split(x[0], [5, 9])]
    assert_allclose(packed, np.concatenate(apart), rtol=1e-12)


@pytest.mark.parametrize(
    ("support", "error", "says"),
    [
        ("somebody", ValueError, "support must be one of"),
        (3, TypeError, "support must be"),
        (
            [supports.Window(1, 1)] * 2,
            ValueError,
            r"support must be one, or one for each of 3 sequences or of",
        ),
        (supports.Blocks(np.arange(4)), ValueError, "Blocks must be of one group for each of 9 keys"),
        (supports.Mask(np.ones((4, 4), bool)), ValueError, "Mask must be of the operator.s shape 9 x 9"),
    ],
)
def test_what_layers_refuse(support, error, says):
    layer, x, _ = made("sqdist tied", 9)
    with pytest.raises(error, match=says):
        layer.forward(x, support=support)
    assert layer.forward(x).shape == x.shape


def test_causality_needs_tokens_of_one_length_unless_the_support_says_where_they_stand():
    layer, x, _ = made("dot untied", 9)
    with pytest.raises(ValueError, match="is_causal must be False where x and context differ in length"):
        layer.forward(x[:, :4], x, is_causal=True)
    last = layer.forward(x[:, 5:], x, support=supports.Causal("lower_right"))
    assert_allclose(last, layer.forward(x, is_causal=True)[:, 5:], rtol=1e-12)


@pytest.mark.skipif(os.environ.get("LIKEWISE_TORCH") != "1", reason="asks torch")
@pytest.mark.parametrize("name", NAMES)
def test_torch_modules(name):
    import torch

    import likewise.torch as lt

    layer, x, grad = made("sqdist tied", 9)
    module = lt.AttentionLayer(**ARMS["sqdist tied"], dtype=torch.float64)
    module.load_state_dict({k: torch.from_numpy(v) for k, v in layer.state_dict().items()})
    support, _ = supports_of(9)[name]
    tokens = torch.from_numpy(x).requires_grad_()
    y = module(tokens, support=support)
    y.backward(torch.from_numpy(grad))
    want, by_x, _ = passed(layer, x, grad, support=support)
    assert_allclose(y.detach().numpy(), want, rtol=1e-12)
    assert_allclose(tokens.grad.numpy(), by_x, rtol=1e-12)
    jacobian = torch.func.vmap(lambda t: module(t, support=support))(torch.from_numpy(x))
    assert_allclose(jacobian.detach().numpy(), want, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["attention", "l2_attention", "SelfAttention", "MetricAttention"])
def test_neighbors_are_chosen_among_tokens_that_are_no_padding(name):
    """Kind: padding is not read, not even to say who is near."""
    x = np.random.default_rng(30).normal(size=(2, 9, 4))
    heard = np.array([[True] * 5 + [False] * 4, [True] * 9])
    other = np.where(heard[..., None], x, 5 * x + 1)
    support = lw.supports.Neighbors(3, include_self=True, symmetrize="none")
    if name.endswith("attention"):
        function = getattr(lw, name)
        outputs = [
            function(x, k, x, key_padding_mask=heard, support=support)
            for k in (x, other, np.where(heard[..., None], x, np.nan))
        ]
        alone = function(x[0, :5], x[0, :5], x[0, :5], support=support)
    else:
        layer = getattr(lw.nn, name)(4, 2, dtype=np.float64, random_state=0)
        outputs = [layer.forward(k, key_padding_mask=heard, support=support) for k in (x, other)]
        alone = layer.forward(x[:1, :5], support=support)[0]
    for found in outputs[1:]:
        np.testing.assert_allclose(found[heard], outputs[0][heard], atol=1e-12)
    np.testing.assert_allclose(outputs[0][0, :5], alone, atol=1e-12)
