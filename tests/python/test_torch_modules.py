"""What PyTorch expects of a module, of every one of ours beside plain torch (torch_cases.py)."""

import copy
import io
import operator

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch.nn.utils import parametrizations, parametrize, prune
from torch_cases import MODULES, assert_same, layer_in_torch

import likewise as lw
import likewise.torch as lt

every_module = pytest.mark.parametrize("make", MODULES.values(), ids=MODULES)


def tokens(**how):
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, 4, 6, dtype=torch.float64, generator=generator).to(**how)


def plain_of(module, x):
    """The module's output by plain torch from the parameters as they now are."""
    return layer_in_torch(module.options, {n: operator.attrgetter(n)(module) for n in names_of(module)}, x)


def names_of(module):
    return list(lt.AttentionLayer(**module.options).state_dict())


def randomized(make, **how):
    """With numbers in the biases too."""
    module = make(dtype=torch.float64, random_state=0, **how)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(0.5 * torch.randn(p.shape, dtype=p.dtype, generator=generator))
    return module


@every_module
def test_manual_seed_rules_initial_weights(make):
    """Kind: random numbers from elsewhere than torch's generator."""

    def drawn(seed):
        torch.manual_seed(seed)
        return make().state_dict()

    first, again, other = drawn(0), drawn(0), drawn(1)
    torch.manual_seed(0)
    second = [make().state_dict() for _ in range(2)][1]
    for name in first:
        assert torch.equal(first[name], again[name])
    assert any(not torch.equal(first[n], other[n]) for n in first)
    assert any(not torch.equal(first[n], second[n]) for n in first)
    given = [make(random_state=torch.Generator().manual_seed(7)).state_dict() for _ in range(2)]
    assert all(torch.equal(given[0][n], given[1][n]) for n in first)
    state = torch.get_rng_state()
    make(random_state=0)
    assert torch.equal(state, torch.get_rng_state())


def test_initial_weights_have_the_law_of_torch():
    """Kind: a law of initial weights that changes with where the seed comes from."""
    torch.manual_seed(0)
    module = lt.SelfAttention(64, 4)
    bound = (6 / (4 * 64)) ** 0.5
    assert 0.99 * bound < module.in_proj_weight.abs().max() <= bound
    assert float(module.in_proj_weight.detach().std()) == pytest.approx(bound / 3**0.5, rel=0.02)
    assert not module.in_proj_bias.any()


@every_module
def test_default_dtype(make):
    """Kind: a dtype of ours instead of torch's default; a given one wins."""
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        assert {p.dtype for p in make().parameters()} == {torch.float64}
        assert {p.dtype for p in make(dtype=torch.float32).parameters()} == {torch.float32}
        assert make()(torch.ones(2, 4, 6)).dtype == torch.float64
        torch.set_default_dtype(torch.bfloat16)
        with pytest.raises(
            ValueError, match=r"dtype must be torch.float32 or torch.float64; got torch.bfloat16"
        ):
            make()
    finally:
        torch.set_default_dtype(before)
    assert {p.dtype for p in make().parameters()} == {torch.float32}


def pickled(module):
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def loaded(module):
    other = type(module)(**ARGUMENTS[type(module)](module.options), dtype=torch.float64)
    other.load_state_dict(module.state_dict())
    return other


def assigned(module):
    other = type(module)(**ARGUMENTS[type(module)](module.options))  # of float32
    other.load_state_dict(module.state_dict(), assign=True)
    return other


def converted(module):
    return copy.deepcopy(module).float().double()


ARGUMENTS = {
    lt.AttentionLayer: lambda o: o,
    lt.SelfAttention: lambda o: {n: o[n] for n in ("embed_dim", "num_heads", "bias")},
    lt.L2Attention: lambda o: {n: o[n] for n in ("embed_dim", "num_heads", "bias", "rank", "diagonal")},
    lt.MetricAttention: lambda o: {
        n: o[n]
        for n in (
            "embed_dim",
            "num_heads",
            "map_width",
            "bias",
            "share_map",
            "learn_temperature",
            "temperature",
        )
    },
}


@every_module
@pytest.mark.parametrize("copied", [copy.deepcopy, pickled, loaded, assigned, converted])
def test_copies_are_the_module_and_share_nothing(make, copied):
    """Kind: state that a copy, a file or a state dict loses, or shares."""
    module = randomized(make)
    clone = copied(module)
    x = tokens()
    atol = 1e-4 if copied is converted else 1e-12
    torch.testing.assert_close(clone(x), plain_of(module, x), atol=atol, rtol=1e-4 if atol > 1e-9 else 0)
    assert repr(clone) == repr(module)
    if copied is not assigned:  # (which is told to share)
        with torch.no_grad():
            for p in clone.parameters():
                p.zero_()
        assert all(p.any() for p in module.parameters())


@every_module
def test_to_likewise_and_back(make):
    """Kind: numbers that the two layers have in another order or dtype."""
    module, x = randomized(make), tokens()
    ours = module.to_likewise()
    np.testing.assert_allclose(ours.forward(x.numpy()), plain_of(module, x).detach().numpy(), atol=1e-12)
    other = make()
    other.load_state_dict({n: torch.from_numpy(a) for n, a in ours.state_dict().items()}, assign=True)
    torch.testing.assert_close(other(x), plain_of(module, x), atol=1e-12, rtol=0)


@every_module
def test_functional_call(make):
    """Kind: parameters that are put in place for one call, with their gradients."""
    module, x = randomized(make), tokens()
    before = {n: p.clone() for n, p in module.state_dict().items()}
    leaf = {n: torch.full_like(p, 0.3).requires_grad_() for n, p in module.named_parameters()}
    found = torch.func.functional_call(module, {n: p * 2 - p for n, p in leaf.items()}, (x,))
    wanted = layer_in_torch(module.options, leaf, x)
    torch.testing.assert_close(found, wanted, atol=1e-12, rtol=0)
    for a, b in zip(*(torch.autograd.grad((y**2).sum(), leaf.values()) for y in (found, wanted))):
        torch.testing.assert_close(a, b, atol=1e-10, rtol=1e-7)
    assert all(torch.equal(p, before[n]) for n, p in module.state_dict().items())


class Doubled(torch.nn.Module):
    def forward(self, weight):
        return 2 * weight


def parametrized(owner, name):
    parametrize.register_parametrization(owner, name, Doubled())


def pruned_by_half(owner, name):
    prune.random_unstructured(owner, name, amount=0.5)


NORMS = {
    parametrizations.weight_norm: "weight_norm",
    parametrizations.spectral_norm: "spectral_norm",
    torch.nn.utils.weight_norm: "weight_norm by a hook",
    torch.nn.utils.spectral_norm: "spectral_norm by a hook",
}
WAYS = {parametrized: "parametrize", pruned_by_half: "prune", **NORMS}


@every_module
@pytest.mark.parametrize("way", WAYS, ids=WAYS.values())
@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
def test_parameters_that_are_computed(make, way):
    """Kind: parameters read from the registry, so that what computes them is passed over or not run.

    Two steps of training, since a computed parameter that is read without its hook is stale in the second.
    """
    for name in names_of(make()):
        module, x = randomized(make).eval(), tokens()
        path, _, last = name.rpartition(".")
        owner = module.get_submodule(path)
        if way in NORMS and getattr(owner, last).dim() < 2:
            continue  # of vectors torch itself has none
        torch.manual_seed(0)
        way(owner, last)
        optimizer = torch.optim.SGD(module.parameters(), lr=1e-3)
        for _ in range(2):
            found = module(x)
            for hook in owner._forward_pre_hooks.values():
                hook(owner, ())  # the parameter as it must be now
            wanted = plain_of(module, x)
            torch.testing.assert_close(found, wanted, atol=1e-12, rtol=0)
            asked = [p for p in module.parameters() if p.requires_grad]
            slopes = [torch.autograd.grad((y**2).sum(), asked) for y in (found, wanted)]
            assert_same(*slopes)
            for p, g in zip(asked, slopes[1]):
                p.grad = g
            optimizer.step()


@every_module
def test_a_layer_takes_the_numbers_of_a_module_in_any_form(make):
    """Kind: tensors that NumPy does not read as they are: learned parameters, bfloat16."""
    module = make()
    layer = lt.AttentionLayer(**module.options).to_likewise()
    double = {n: p.detach().numpy().copy() for n, p in module.named_parameters()}
    for state in (dict(module.named_parameters()), module.state_dict(keep_vars=True), module.state_dict()):
        layer.flat_parameters[:] = 0
        layer.load_state_dict(state)
        assert layer.dtype == double["out_proj.weight"].dtype
        for name, part in layer.state_dict().items():
            np.testing.assert_array_equal(part, double[name])
    halves = module.bfloat16().state_dict()
    layer.load_state_dict(halves)
    assert layer.dtype == np.float32
    for name, part in layer.state_dict().items():
        np.testing.assert_array_equal(part, halves[name].float().numpy())
    for part in (
        torch.ones(2, 2, dtype=torch.complex64),
        torch.eye(6).to_sparse(),
        torch.ones(6, device="meta"),
    ):
        with pytest.raises(
            (TypeError, ValueError), match=r"state\['out_proj.bias'\] must be an array of real"
        ):
            layer.load_state_dict({**halves, "out_proj.bias": part})


HALVES = (torch.float16, torch.bfloat16)


@pytest.mark.parametrize("dtype", [torch.float32, *HALVES, torch.uint8])
def test_masks_that_are_not_boolean_are_told_by_their_type(dtype):
    """Kind: a type that NumPy lacks is refused in torch's words, which do not name the mask."""
    mask, padding, x = torch.zeros(3, 3, dtype=dtype), torch.zeros(2, 3, dtype=dtype), tokens()[:, :3]
    learned = lt.SelfAttention(6, 2, dtype=torch.float64)
    said = rf"must be boolean, True = may .* \(see from_torch_mask\); got {str(dtype).removeprefix('torch.')}"
    for attend in (
        learned,
        learned.to_likewise().forward,
        lambda x, **masks: lw.attention(x, x, x, **masks),
        lambda x, **masks: lw.l2_attention(x, x, x, **masks),
    ):
        with pytest.raises(TypeError, match="^mask " + said):
            attend(x, mask=mask)
        with pytest.raises(TypeError, match="^key_padding_mask " + said):
            attend(x, key_padding_mask=padding)
        attend(x, mask=mask == 0, key_padding_mask=padding == 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, *HALVES])
def test_masks_of_torch_of_any_type(dtype):
    """Kind: as above, of a mask that is right."""
    mask = torch.nn.Transformer.generate_square_subsequent_mask(3, dtype=dtype)
    for each in (mask, mask.clone().requires_grad_()):
        np.testing.assert_array_equal(lw.from_torch_mask(each), np.tri(3, dtype=bool))
    biased = mask.clone()
    biased[0, 0] = 0.5
    with pytest.raises(ValueError, match=f"hold only 0 and -inf; got {str(dtype).removeprefix('torch.')}"):
        lw.from_torch_mask(biased)


@pytest.mark.parametrize("make", [lt.SelfAttention, lt.L2Attention])
def test_parameters_of_mixed_dtypes_are_named(make):
    """Kind: a message that contradicts itself (x of float32 must be one of float32 and float64)."""
    module, x = make(6, 2, dtype=torch.float32), tokens(dtype=torch.float32)
    module.out_proj.double()
    said = r"^out_proj\.weight must have the dtype torch\.float32 of the other parameters; got torch\.float64"
    for given in (x, x.double()):
        with pytest.raises(ValueError, match=said):
            module(given)
    assert_same(module.float()(x), plain_of(module, x), atol=1e-6, rtol=1e-5)


def test_conversions_round_no_parameter():
    """Kind: as above, where torch would round a double beside floats silently."""
    theirs, ours = torch.nn.MultiheadAttention(6, 2), lt.SelfAttention(6, 2, dtype=torch.float32)
    for module, convert in ((theirs, lt.from_multihead), (ours, lt.to_multihead)):
        module.out_proj.double()
        with pytest.raises(
            ValueError, match=r"^out_proj\.(weight|bias) must have the dtype|^in_proj_weight must"
        ):
            convert(module)


def test_a_head_is_a_mechanism_of_five_slots():
    layer = lt.L2Attention(6, 2, dtype=torch.float64, random_state=0)
    W = layer.metric_proj.weight.detach().numpy()
    t = np.exp(layer.log_temperature.detach().numpy())
    x = tokens()[0].numpy()
    for head in range(2):
        w = x @ W[3 * head : 3 * head + 3].T
        K = np.exp(-((w[:, None] - w[None]) ** 2).sum(-1) / t[head])
        m = layer.mechanism(head)
        assert m.propagation == lw.propagations.OneStep()
        np.testing.assert_allclose(m.propagate(x, x), K @ x / K.sum(1, keepdims=True), atol=1e-12)
    assert lw.explain(layer).mechanism == layer.mechanism()
    assert lw.explain(layer).values == "Wv x, learned"


MASKS = {
    "none": {},
    "padding": {"key_padding_mask": torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], dtype=torch.bool)},
    "mask": {"mask": torch.ones(5, 5, dtype=torch.bool).tril()},
    "array": {"mask": np.tri(5, dtype=bool)},
    "causal": {"is_causal": True},
    "support": {"support": lw.supports.Window(1, 1)},
}


@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("kind", ["SelfAttention", "MetricAttention"])
def test_compiled_modules_are_the_same(kind, backend, masks):
    """Kind: what is no tensor, traced as one (pytorch 147475); with dynamic shapes, and gradients."""
    torch.manual_seed(0)
    module = getattr(lt, kind)(8, 2)
    torch._dynamo.reset()
    compiled = torch.compile(module, backend=backend)
    for n in (2, 2, 1):
        given = {k: m[:n] if k == "key_padding_mask" else m for k, m in MASKS[masks].items()}
        x, y = (torch.ones(n, 5, 8).cumsum(1).sin().requires_grad_() for _ in range(2))
        want = module(x, **given)
        found = compiled(y, **given)
        assert torch.equal(found, want)
        (want * want).sum().backward()
        (found * found).sum().backward()
        assert torch.equal(x.grad, y.grad)


def test_a_function_that_is_compiled_may_call_ours():
    """The layer inside of what is compiled, against torch's own attention, whose masks say the opposite."""
    torch.manual_seed(0)
    own = torch.nn.MultiheadAttention(8, 2, batch_first=True).eval()
    module, padding = lt.from_multihead(own), MASKS["padding"]["key_padding_mask"]
    m = lw.Mechanism(metric="dot", kernel=lw.kernels.Exponential(8**0.5))
    torch._dynamo.reset()

    @torch.compile(backend="eager")
    def ours(x):
        y = torch.relu(module(2 * x, key_padding_mask=padding))
        return y + lt.kernel_attention(x, x, x, m)

    x = torch.randn(2, 5, 8)
    y = own(2 * x, 2 * x, 2 * x, key_padding_mask=~padding, need_weights=False)[0]
    want = torch.relu(y) + torch.nn.functional.scaled_dot_product_attention(x, x, x)
    torch.testing.assert_close(ours(x), want, rtol=1e-5, atol=1e-5)


def test_sparse_masks_are_refused_by_name():
    """Kind: a container of which NumPy makes one object."""
    layer, x, one = lt.SelfAttention(8, 2), torch.zeros(1, 3, 8), torch.eye(3, dtype=torch.bool)
    for sparse in (one.to_sparse(), sp.csr_array(one.numpy())):
        for name in ("mask", "key_padding_mask"):
            with pytest.raises((TypeError, ValueError), match=rf"^{name} must be .*dense"):
                layer(x, **{name: sparse})
    with pytest.raises(TypeError, match=r"^mask must be a dense boolean array; .* Use \.to_dense\(\)"):
        lw.attention(*3 * [np.ones((3, 2))], mask=one.to_sparse())
