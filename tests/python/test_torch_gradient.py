"""P.vjp against PyTorch's derivative of its own attention, in float64 and float32, with masks."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import likewise as lw
from likewise import kernels, metrics, supports


@pytest.mark.parametrize("mask", [None, "causal", "random"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_attention(mask, dtype):
    n, m, d, c = 150, 210, 24, 9
    rng = np.random.default_rng(0)
    q, k, v, g = (rng.normal(size=s).astype(dtype) for s in ((n, d), (m, d), (m, c), (n, c)))
    admitted = {"causal": np.tri(n, m, dtype=bool), "random": rng.random((n, m)) < 0.3}.get(mask)
    support = {None: "all", "causal": supports.Causal()}.get(mask) or supports.Mask(admitted)

    tensors = [torch.tensor(a, requires_grad=True) for a in (q, k, v)]
    attended = torch.nn.functional.scaled_dot_product_attention(
        *tensors, attn_mask=None if mask is None else torch.tensor(admitted)
    )
    attended.backward(torch.tensor(g))

    kernel = kernels.Exponential(np.sqrt(d))
    P = lw.Mechanism(metric=metrics.DotProduct(), kernel=kernel, support=support).operator(q, k)
    found = P.vjp(g, v, P @ v)
    atol = 1e-12 if dtype == np.float64 else 2e-6
    for name, tensor in zip(("queries", "keys", "values"), tensors):
        assert_allclose(found[name], tensor.grad.numpy(), atol=atol)


def test_density_normalized_gaussian():
    n, d = 80, 3
    rng = np.random.default_rng(1)
    X, V, G = (rng.normal(size=(n, s)) for s in (d, 4, 4))
    x = torch.tensor(X, requires_grad=True)
    h = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    K = torch.exp(-((x[:, None] - x[None]) ** 2).sum(-1) / (2 * h * h))
    K = K / K.sum(1) ** 0.7
    ((K / K.sum(1, keepdim=True)) @ torch.tensor(V) * torch.tensor(G)).sum().backward()

    m = lw.Mechanism(kernel=kernels.Gaussian(0.8), normalization=lw.normalizations.Density(0.7))
    found = m.operator(X).vjp(G, V)
    assert_allclose(found["points"], x.grad.numpy(), atol=1e-12)
    assert_allclose(found["bandwidth"], h.grad.item(), rtol=1e-10)
