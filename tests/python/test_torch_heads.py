"""likewise.heads beside torch: heads of a MultiheadAttention, and our encoder against its encoder layer."""

import numpy as np
import pytest
import tiny_transformer
import torch
from numpy.testing import assert_allclose

from likewise import heads


def test_the_heads_of_a_multihead_attention():
    torch.manual_seed(0)
    module = torch.nn.MultiheadAttention(12, 3, batch_first=True, dtype=torch.float64).eval()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    x = torch.randn(31, 9, 12, dtype=torch.float64)
    with torch.no_grad():
        _, weights = module(x, x, x, average_attn_weights=False)
        q, k, v = (x @ W.T + b for W, b in zip(module.in_proj_weight.chunk(3), module.in_proj_bias.chunk(3)))
    of_head = slice(4, 8)
    values, Wo = list(v[:, :, of_head].numpy()), module.out_proj.weight.detach().numpy()[:, of_head]
    scores = [np.log(P) for P in weights[:, 1].numpy()]
    hooked = {"queries": list(q[:, :, of_head].numpy()), "keys": list(k[:, :, of_head].numpy())}
    by_weights = heads.read_head(scores, values, Wo)
    by_products = heads.read_head(scores, values, Wo, states=list(x.numpy()), **hooked)
    assert by_products.nats > 0.1
    entropy = -(weights[:, 1] * weights[:, 1].log()).sum(-1).mean()
    assert by_weights.nats == pytest.approx(np.log(9) - float(entropy), abs=1e-12)
    for name in ("nats", "keys_nats", "metric_nats", "repulsion_nats", "transport_nats", "reciprocity"):
        assert getattr(by_weights, name) == pytest.approx(getattr(by_products, name), abs=1e-12)
    assert by_products.metric().factor.shape[1] == 12


def test_a_layer_of_the_encoder_is_torchs_encoder_layer(tmp_path):
    given = tiny_transformer.weights(seed=3)
    model = heads.read_transformer(
        tiny_transformer.write(tmp_path / "m", given), tiny_transformer.texts(3), layers=0
    )
    layer = torch.nn.TransformerEncoderLayer(
        16, 2, 24, dropout=0.0, activation="gelu", layer_norm_eps=1e-12, batch_first=True, dtype=torch.float64
    ).eval()
    part = {name: torch.from_numpy(value) for name, value in given.items()}
    of = {name.removeprefix("encoder.layer.0."): value for name, value in part.items()}
    state = {}
    for kind in ("weight", "bias"):
        projections = [of[f"attention.self.{which}.{kind}"] for which in ("query", "key", "value")]
        state[f"self_attn.in_proj_{kind}"] = torch.cat(projections)
        state[f"self_attn.out_proj.{kind}"] = of[f"attention.output.dense.{kind}"]
        state[f"linear1.{kind}"], state[f"linear2.{kind}"] = (
            of[f"intermediate.dense.{kind}"],
            of[f"output.dense.{kind}"],
        )
        state[f"norm1.{kind}"] = of[f"attention.output.LayerNorm.{kind}"]
        state[f"norm2.{kind}"] = of[f"output.LayerNorm.{kind}"]
    layer.load_state_dict(state)
    for text in range(3):
        rows = model._batch.text == text
        with torch.no_grad():
            want = layer(torch.from_numpy(model._states[0][rows])[None])[0].numpy()
        assert_allclose(model._states[1][rows], want, atol=1e-12)
