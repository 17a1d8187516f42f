"""likewise.torch beside torch itself: equal outputs, gradients and training."""

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

import likewise as lw
import likewise.torch as lt
from likewise.nn import arms


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-5), (torch.float64, 1e-13)])
def test_multihead_attention_is_ours_with_its_gradients(dtype, atol, bias):
    theirs = torch.nn.MultiheadAttention(16, 4, bias=bias, batch_first=True, dtype=dtype)
    if bias:
        torch.nn.init.normal_(theirs.in_proj_bias)
    ours = lt.from_multihead(theirs)
    x = torch.randn(3, 7, 16, dtype=dtype)
    padding = torch.ones(3, 7, dtype=torch.bool)
    padding[1, 5:] = False
    causal = torch.tril(torch.ones(7, 7, dtype=torch.bool))
    for settings, of_theirs in (
        ({}, {}),
        ({"key_padding_mask": padding}, {"key_padding_mask": ~padding}),
        ({"is_causal": True}, {"attn_mask": ~causal}),
        ({"mask": causal}, {"attn_mask": ~causal}),
    ):
        a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
        y = ours(a, **settings)
        want = theirs(b, b, b, need_weights=False, **of_theirs)[0]
        weights = torch.randn_like(y)
        torch.testing.assert_close(y, want, atol=atol, rtol=0)
        for module, output in ((ours, y), (theirs, want)):
            module.zero_grad()
            output.backward(weights)
        torch.testing.assert_close(a.grad, b.grad, atol=10 * atol, rtol=0)
        for name, parameter in theirs.named_parameters():
            torch.testing.assert_close(ours.get_parameter(name).grad, parameter.grad, atol=30 * atol, rtol=0)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("shape", [(5, 3, 16), (5, 16)])
def test_multihead_attention_keeps_its_order_of_dimensions(batch_first, shape):
    """Kind: what a module is beside its numbers, lost on the way. Here the batch's dimension."""
    theirs = torch.nn.MultiheadAttention(16, 4, batch_first=batch_first)
    ours = lt.from_multihead(theirs)
    x, z = torch.randn(shape), torch.randn(shape)
    batch_and_length = shape[:-1] if batch_first else shape[:-1][::-1]
    padding = torch.rand(batch_and_length) < 0.7
    padding[..., 0] = True
    torch.testing.assert_close(ours(x), theirs(x, x, x)[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(ours(x, z), theirs(x, z, z)[0], atol=1e-5, rtol=0)
    want = theirs(x, x, x, key_padding_mask=~padding)[0]
    ours_padding = padding if len(shape) == 3 else padding[None]
    torch.testing.assert_close(ours(x, key_padding_mask=ours_padding), want, atol=1e-5, rtol=0)
    assert lt.to_multihead(ours).batch_first == batch_first
    assert lt.to_multihead(ours, batch_first=True).batch_first


def test_multihead_attention_keeps_what_is_not_learned():
    """Kind: as above: requires_grad, training mode, parametrizations."""
    theirs = torch.nn.MultiheadAttention(16, 4).eval()
    theirs.out_proj.requires_grad_(False)
    theirs.in_proj_bias.requires_grad_(False)
    for module in (lt.from_multihead(theirs), lt.to_multihead(lt.from_multihead(theirs))):
        assert {n: p.requires_grad for n, p in module.named_parameters()} == {
            "in_proj_weight": True,
            "in_proj_bias": False,
            "out_proj.weight": False,
            "out_proj.bias": False,
        }
        assert not module.training
    torch.nn.utils.parametrizations.weight_norm(theirs, "in_proj_weight")
    x = torch.randn(5, 3, 16)
    with torch.no_grad():
        ours = lt.from_multihead(theirs)
    torch.testing.assert_close(ours(x), theirs(x, x, x)[0], atol=1e-5, rtol=0)
    assert ours.in_proj_weight.requires_grad


def test_dropout_of_multihead_attention_is_refused_where_it_would_act():
    """Kind: as above: dropout, which our attention has none of. In eval mode both are the same."""
    theirs = torch.nn.MultiheadAttention(16, 4, dropout=0.5)
    with pytest.raises(ValueError, match=r"dropout must be 0 in training mode.*got 0.5. Call eval\(\)"):
        lt.from_multihead(theirs)
    ours, x = lt.from_multihead(theirs.eval()), torch.randn(5, 3, 16)
    torch.testing.assert_close(ours(x), theirs(x, x, x)[0], atol=1e-5, rtol=0)
    assert "dropout=0.5" in repr(ours)
    assert lt.to_multihead(ours).dropout == 0.5
    with pytest.raises(ValueError, match="dropout must be 0 in training mode"):
        ours.train()(x)
    ours.dropout = 0.0
    torch.testing.assert_close(ours(x), theirs(x, x, x)[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"dtype": torch.bfloat16}, "must be float32 or float64; got torch.bfloat16"),
        ({"device": "meta"}, "must be on the CPU"),
        ({"kdim": 4}, "one width and no added keys"),
        ({"add_bias_kv": True}, "one width and no added keys"),
        ({"add_zero_attn": True}, "one width and no added keys"),
    ],
)
def test_multihead_attention_that_is_not_ours(settings, said):
    """Kind: as above: what ours cannot be is refused."""
    with pytest.raises(ValueError, match=said):
        lt.from_multihead(torch.nn.MultiheadAttention(16, 4, **settings))


def test_to_multihead_and_back():
    ours = lt.SelfAttention(8, 2, random_state=0)
    x = torch.randn(2, 5, 8)
    theirs = lt.to_multihead(ours)
    torch.testing.assert_close(theirs(x, x, x)[0], ours(x), atol=1e-6, rtol=0)
    again = lt.from_multihead(theirs)
    assert all((a == b).all() for a, b in zip(again.state_dict().values(), ours.state_dict().values()))
    np.testing.assert_allclose(ours.to_likewise().forward(x.numpy()), ours(x).detach().numpy(), atol=1e-7)
    with pytest.raises(ValueError, match="SelfAttention"):
        lt.to_multihead(lt.L2Attention(8, 2))
    with pytest.raises(TypeError, match="MultiheadAttention"):
        lt.from_multihead(torch.nn.Linear(3, 3))


@pytest.mark.parametrize("arm", arms(6, 2))
def test_gradcheck_of_every_arm(arm):
    module = lt.AttentionLayer(**arms(6, 2)[arm], dtype=torch.float64, random_state=0)
    names = [name for name, _ in module.named_parameters()]
    x = torch.randn(2, 4, 6, dtype=torch.float64, requires_grad=True)
    context = torch.randn(2, 3, 6, dtype=torch.float64, requires_grad=True)

    def call(x, context, *parameters):
        return torch.func.functional_call(module, dict(zip(names, parameters)), (x, context))

    assert torch.autograd.gradcheck(call, (x, context, *module.parameters()))


@pytest.mark.parametrize("metric", ["dot", "sqeuclidean", "cosine"])
def test_kernel_attention(metric):
    mechanism = lw.Mechanism(metric=metric, kernel=lw.kernels.Exponential(np.sqrt(3)))
    q, k, v = (torch.randn(2, 2, n, 3, dtype=torch.float64, requires_grad=True) for n in (5, 6, 6))
    assert torch.autograd.gradcheck(lambda *a: lt.kernel_attention(*a, mechanism), (q, k, v))
    if metric == "dot":
        want = scaled_dot_product_attention(q, k, v)
        torch.testing.assert_close(lt.kernel_attention(q, k, v, mechanism), want, atol=1e-13, rtol=0)


def test_a_module_may_be_used_twice_and_without_gradients():
    module = lt.L2Attention(6, 2, dtype=torch.float64, random_state=0)
    x = torch.randn(1, 4, 6, dtype=torch.float64, requires_grad=True)
    y = module(module(x))
    y.sum().backward()
    step = 1e-6
    with torch.no_grad():
        direction = torch.randn_like(x)
        slope = (module(module(x + step * direction)) - module(module(x - step * direction))).sum() / (
            2 * step
        )
        assert not module(x).requires_grad
    assert float((x.grad * direction).sum()) == pytest.approx(float(slope), rel=1e-6)
    clone = copy.deepcopy(module)
    torch.testing.assert_close(clone(x), module(x), atol=0, rtol=0)


def test_training_in_an_ordinary_loop_learns():
    data = torch.utils.data.TensorDataset(torch.randn(64, 5, 8), torch.randint(0, 2, (64,)))
    data.tensors[0][data.tensors[1] == 1, :, 0] += 2
    loader = torch.utils.data.DataLoader(data, batch_size=16, num_workers=1)  # a worker of its own
    attention, head = lt.L2Attention(8, 2, random_state=0), torch.nn.Linear(8, 2)
    optimizer = torch.optim.AdamW([*attention.parameters(), *head.parameters()], lr=1e-2)
    losses = []
    for _ in range(8):
        for x, y in loader:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(head(attention(x).mean(dim=1)), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert np.mean(losses[-4:]) < 0.5 * np.mean(losses[:4])


class Theirs(torch.nn.Module):
    """The model of AttentionClassifier("dot"), in torch."""

    def __init__(self, state, heads, pooled):
        super().__init__()
        self.heads, self.pooled = heads, pooled
        self.parts = torch.nn.ParameterDict(
            {
                name.replace(".", "/"): torch.nn.Parameter(torch.from_numpy(part))
                for name, part in state.items()
            }
        )

    def forward(self, x):
        p = {name.replace("/", "."): part for name, part in self.parts.items()}
        linear, norm = torch.nn.functional.linear, torch.nn.functional.layer_norm
        x = linear(x, p["embedding.weight"], p["embedding.bias"]) + p["positions"]
        E, b = x.shape[-1], "blocks.0."
        a = norm(x, (E,), p[b + "norm1.weight"], p[b + "norm1.bias"])
        q, k, v = linear(a, p[b + "attention.in_proj_weight"], p[b + "attention.in_proj_bias"]).chunk(
            3, dim=-1
        )
        split = [t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (q, k, v)]
        scores = split[0] @ split[1].mT / p[b + "attention.log_temperature"].exp()[:, None, None]
        mixed = (scores.softmax(dim=-1) @ split[2]).transpose(1, 2).flatten(-2)
        x = x + linear(mixed, p[b + "attention.out_proj.weight"], p[b + "attention.out_proj.bias"])
        m = norm(x, (E,), p[b + "norm2.weight"], p[b + "norm2.bias"])
        m = torch.nn.functional.gelu(linear(m, p[b + "mlp.fc1.weight"], p[b + "mlp.fc1.bias"]))
        x = x + linear(m, p[b + "mlp.fc2.weight"], p[b + "mlp.fc2.bias"])
        x = norm(x, (E,), p["norm.weight"], p["norm.bias"])
        return linear(x.mean(dim=1) if self.pooled else x, p["head.weight"], p["head.bias"])


@pytest.mark.parametrize(("pooling", "share_left"), [("mean", 0.6), ("none", 0.9)])
def test_loss_curves_are_those_of_torch(pooling, share_left):
    from sklearn.datasets import load_digits

    from likewise.nn._model import ATTENTION, Model

    X, y = load_digits(return_X_y=True)
    X = X.reshape(-1, 8, 8) / 16
    if pooling == "none":  # a class for each row of pixels
        y = (y[:, None] + np.arange(8)) % 10
    options = {
        "n_tokens": 8,
        "n_features": 8,
        "n_outputs": 10,
        "n_layers": 1,
        "embed_dim": 64,
        "num_heads": 4,
    }
    model = Model({**options, "mlp_ratio": 2.0, "pooling": pooling, **ATTENTION["dot"]}, 0, "float64")
    theirs = Theirs(model.state_dict(), 4, pooled=pooling == "mean")
    optimizer = torch.optim.AdamW(theirs.parameters(), lr=1e-3)
    batches = np.random.RandomState(0).permutation(len(X))[: 50 * 32].reshape(50, 32)
    want = []
    for rows in batches:
        optimizer.zero_grad()
        scores = theirs(torch.from_numpy(X[rows])).reshape(-1, 10)
        loss = torch.nn.functional.cross_entropy(scores, torch.from_numpy(y[rows]).reshape(-1))
        loss.backward()
        optimizer.step()
        want.append(loss.item())
    got = []
    for rows in batches:  # an epoch of one batch each, so that every loss is in the history
        history = model.train(
            (X[rows], y[rows], None, None, None),
            None,
            {"task": "classification", "learning_rate": 1e-3, "batch_size": 32, "max_epochs": 1,
             "batches": [list(range(32))]},
        )  # fmt: skip
        got += history["loss"]
    assert np.abs(np.array(got) - want).max() < 1e-4
    assert want[-1] < share_left * want[0]


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (
            lambda m, x: m(x.half()),
            ValueError,
            r"x must be float32 or float64; got torch.float16. Use x.float\(\)",
        ),
        (lambda m, x: m(x.to("meta")), ValueError, "x must be on the CPU"),
        (lambda m, x: m(x.double()), ValueError, "x must have the parameters' dtype"),
        (lambda m, x: m(x, mask=torch.ones(4, 4)), TypeError, "mask must be boolean"),
        (lambda m, x: m(x.numpy()), TypeError, "x must be a tensor"),
        (lambda m, x: lt.AttentionLayer(6, 2, dtype=torch.bfloat16), ValueError, "dtype"),
        (lambda m, x: lt.kernel_attention(x, x, x[:1], lw.Mechanism()), ValueError, "leading dimensions"),
        (lambda m, x: lt.kernel_attention(x, x, x.double(), lw.Mechanism()), ValueError, "one dtype"),
    ],
)
def test_refusals_name_the_argument(call, error, said):
    with pytest.raises(error, match=said):
        call(lt.SelfAttention(6, 2, random_state=0), torch.ones(2, 4, 6))


def test_without_torch_the_import_says_what_to_do():
    code = "import sys; sys.modules['torch'] = None; import likewise.torch"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "likewise.torch needs PyTorch; install with: pip install 'likewise[torch]'" in done.stderr


def test_a_module_without_parameters_is_the_bare_one():
    """Kind: the first of nothing: its dtype is that of its tokens."""
    for dtype in (torch.float32, torch.float64):
        layer = lt.AttentionLayer(4, 1, score="sqdist", tied=True, project=False, values=False)
        x = torch.randn(5, 4, dtype=dtype, requires_grad=True)
        y = layer(x)
        assert y.dtype == dtype
        want = torch.softmax(-(torch.cdist(x, x) ** 2) / (2 * 4**0.5), dim=1) @ x
        torch.testing.assert_close(y, want, rtol=1e-4, atol=1e-5)
        y.sum().backward()
        assert x.grad.isfinite().all()
