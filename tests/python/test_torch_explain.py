"""likewise.explain of torch.nn.MultiheadAttention: its heads as mechanisms, its output from them to 1e-10."""

import itertools

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import likewise as lw
from likewise import metrics, normalizations

SETTINGS = list(itertools.product((True, False), (False, True), (False, True), (False, True), (None, 5)))


def module_of(bias, added_keys, null_key, batch_first, kdim):
    torch.manual_seed(0)
    vdim = None if kdim is None else 7
    settings = {
        "bias": bias,
        "add_bias_kv": added_keys,
        "add_zero_attn": null_key,
        "batch_first": batch_first,
    }
    module = torch.nn.MultiheadAttention(12, 3, kdim=kdim, vdim=vdim, dtype=torch.float64, **settings).eval()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_multihead_attention(settings):
    module = module_of(*settings)
    q, k, v = (
        torch.randn(2, n, width, dtype=torch.float64)
        for n, width in ((6, 12), (8, module.kdim), (8, module.vdim))
    )
    if not module.batch_first:
        q, k, v = (part.transpose(0, 1) for part in (q, k, v))
    mask = torch.rand(6, 8) < 0.3
    mask[:, 0] = False
    padding = torch.zeros(2, 8, dtype=torch.bool)
    padding[0, 5:] = True
    of_heads = torch.rand(6, 6, 8) < 0.3
    of_heads[..., 0] = False
    additive = torch.zeros(6, 8, dtype=torch.float64).masked_fill(mask, -torch.inf)
    about = lw.explain(module)
    for masks in (
        {},
        {"attn_mask": mask},
        {"attn_mask": additive},
        {"key_padding_mask": padding},
        {"attn_mask": of_heads, "key_padding_mask": padding},
    ):
        want, weights = module(q, k, v, average_attn_weights=False, **masks)
        assert_allclose(about.reproduce(q, k, v, **masks), want.detach(), atol=1e-10)
        got = about.reproduce(q, k, output="attention_weights", **masks)
        assert_allclose(got, weights.detach()[..., : got.shape[-1]], atol=1e-10)  # without the key of zeros


def test_the_slots_of_its_heads():
    about = lw.explain(module_of(True, True, True, True, None))
    assert len(about.heads) == 3 and about.mechanism == about.heads[0]
    assert isinstance(about.mechanism.metric, metrics.Bilinear)
    assert about.mechanism.kernel == lw.kernels.Exponential(2.0)
    assert about.mechanism.normalization == normalizations.RowStochastic(null_mass=1.0)
    assert np.shape(about.mechanism.metric.query_factor) == (4, 13)
    assert np.shape(about.mechanism.metric.key_factor) == (4, 14)
    for said in ("(x, 1)", "add_bias_kv", "add_zero_attn", "3, of which this is the first"):
        assert said in str(about)
    assert "forward(query, key, value, key_padding_mask, attn_mask)" in str(about)
    plain = lw.explain(module_of(False, False, False, True, None))
    assert np.shape(plain.mechanism.metric.query_factor) == (4, 12) and plain.note == ""


def test_one_sequence_that_attends_to_itself():
    module = module_of(True, False, False, True, None)
    x = torch.randn(5, 12, dtype=torch.float64)
    want, weights = module(x, x, x, average_attn_weights=False)
    about = lw.explain(module)
    assert_allclose(about.reproduce(x), want.detach(), atol=1e-10)
    assert_allclose(about.reproduce(x.numpy(), output="attention_weights"), weights.detach(), atol=1e-10)


def test_float32_and_dropout():
    torch.manual_seed(0)
    module = torch.nn.MultiheadAttention(8, 2, dropout=0.1).eval()
    x = torch.randn(5, 3, 8)
    about = lw.explain(module)
    assert "dropout=0.1) are not reproduced" in about.note
    assert_allclose(about.reproduce(x), module(x, x, x)[0].detach(), atol=1e-6)


def test_a_query_that_may_attend_to_nothing_has_no_weights():
    """torch has NaN there."""
    module = module_of(True, False, False, True, None)
    x = torch.randn(4, 12, dtype=torch.float64)
    mask = torch.zeros(4, 4, dtype=torch.bool)
    mask[1] = True
    got = lw.explain(module).reproduce(x, attn_mask=mask)
    assert_allclose(got[1], module.out_proj.bias.detach(), atol=1e-12)
    want = module(x, x, x, attn_mask=mask, need_weights=True)[0].detach().numpy()
    assert_allclose(got[[0, 2, 3]], want[[0, 2, 3]], atol=1e-10)


def test_graded_masks_and_other_modules_are_refused():
    module = module_of(True, False, False, True, None)
    x = torch.randn(4, 12, dtype=torch.float64)
    with pytest.raises(ValueError, match="mask must be boolean, or hold only 0 and -inf"):
        lw.explain(module).reproduce(x, attn_mask=torch.rand(4, 4))
    with pytest.raises(ValueError, match=r"Linear of torch\.nn\.modules\.linear, which has no counterpart"):
        lw.explain(torch.nn.Linear(2, 2))
    with pytest.raises(ValueError, match="Of other layers give the module"):
        lw.explain(module.state_dict())


def test_gatconvs_state_dict_of_tensors():
    torch.manual_seed(0)
    state = {
        "att_src": torch.randn(1, 2, 3),
        "att_dst": torch.randn(1, 2, 3),
        "lin.weight": torch.randn(6, 4),
    }
    edges, x = torch.tensor([[0, 1, 2], [1, 2, 0]]), torch.randn(3, 4)
    of_arrays = lw.explain({name: part.numpy() for name, part in state.items()})
    assert_allclose(lw.explain(state).reproduce(x, edges), of_arrays.reproduce(x.numpy(), edges.numpy()))
