"""Attention against torch: scaled_dot_product_attention and the masks of nn.MultiheadAttention."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch.nn.functional import scaled_dot_product_attention

import likewise as lw


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scaled_dot_product_attention(is_causal, dtype):
    rng = np.random.RandomState(0)
    q, k, v = (rng.randn(2, 3, n, 8).astype(dtype) for n in (20, 30, 30))
    mask = rng.rand(20, 30) < 0.7
    mask[:, 0] = True
    tensors = [torch.from_numpy(a) for a in (q, k, v)]
    want = scaled_dot_product_attention(*tensors, is_causal=is_causal).numpy()
    assert_allclose(lw.attention(q, k, v, is_causal=is_causal), want, atol=3e-6)
    want = scaled_dot_product_attention(*tensors, attn_mask=torch.from_numpy(mask)).numpy()
    assert_allclose(lw.attention(q, k, v, mask=mask), want, atol=3e-6)


def test_masks_of_multihead_attention_have_the_other_polarity():
    torch.manual_seed(0)
    layer = torch.nn.MultiheadAttention(8, 2, batch_first=True, bias=False).double().eval()
    x = torch.randn(3, 5, 8, dtype=torch.float64)
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2, [False] * 4 + [True]])
    with torch.no_grad():
        want = layer(x, x, x, key_padding_mask=padding, need_weights=False)[0].numpy()
        q, k, v = (x @ layer.in_proj_weight.T).chunk(3, dim=-1)
        q, k, v = (a.reshape(3, 5, 2, 4).transpose(1, 2).numpy() for a in (q, k, v))
        heads = lw.attention(q, k, v, key_padding_mask=lw.from_torch_mask(padding))
        got = heads.transpose(0, 2, 1, 3).reshape(3, 5, 8) @ layer.out_proj.weight.numpy().T
    assert_allclose(got, want, atol=1e-12)
