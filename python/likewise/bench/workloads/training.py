"""Training of attention: epochs of a small classifier, and a step over a long sequence, against PyTorch."""

from types import SimpleNamespace

import numpy as np

import likewise as lw
from likewise.bench import peers
from likewise.bench.workload import (
    Comparison,
    Contender,
    Workload,
    as_arrays,
    likewise_way,
    spaced,
    worst_array,
)

BATCH, RATE = 64, 1e-3
MODEL = {"n_tokens": 8, "n_features": 8, "n_outputs": 10, "n_layers": 1, "embed_dim": 64, "num_heads": 4}
STEP_TOLERANCE, LOSS_TOLERANCE = 2e-4, 1e-3


# --- an epoch on digits ------------------------------------------------------------------------------------


def _digits(rng, *, n):
    """The images as 8 tokens of 8 pixels, one order of batches, and the weights that both begin with."""
    from sklearn.datasets import load_digits

    X, y = (array[:n] for array in load_digits(return_X_y=True))
    order = rng.permutation(len(X))
    batches = [order[i : i + BATCH] for i in range(0, len(X), BATCH)]
    return SimpleNamespace(
        X=(X / 16).reshape(-1, 8, 8).astype(np.float32),
        y=y,
        batches=batches,
        state=new_model("dot", 0).state_dict(),
    )


def new_model(attention, seed):
    """The model of AttentionClassifier."""
    from likewise.nn._model import ATTENTION, Model

    return Model({**MODEL, "mlp_ratio": 2.0, "pooling": "mean", **ATTENTION[attention]}, seed, "float32")


def _epoch(data, threads):
    model = new_model("dot", 0)
    samples = (data.X, data.y, None, None, None)
    settings = {
        "task": "classification",
        "learning_rate": RATE,
        "batch_size": BATCH,
        "max_epochs": 1,
        "batches": [rows.tolist() for rows in data.batches],
    }

    def run():
        with lw.execution(n_jobs=threads):
            return model.train(samples, None, settings)["loss"][-1]

    return run


def _torch_epoch(data, threads):
    import torch
    from torch.nn.functional import cross_entropy

    parameters = {name: torch.from_numpy(part.copy()).requires_grad_() for name, part in data.state.items()}
    optimizer = torch.optim.AdamW(parameters.values(), lr=RATE, fused=True)
    X, y = torch.from_numpy(data.X), torch.from_numpy(data.y)
    batches = [torch.from_numpy(rows) for rows in data.batches]

    def run():
        total = 0.0
        for rows in batches:
            optimizer.zero_grad()
            loss = cross_entropy(torch_model(parameters, X[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        return total / len(X)

    return run


def torch_model(p, x):
    """The model of AttentionClassifier("dot") as PyTorch users write it."""
    from torch.nn.functional import gelu, layer_norm, linear, scaled_dot_product_attention

    width = x.shape[-1:] if x.shape[-1] == MODEL["embed_dim"] else (MODEL["embed_dim"],)
    block = {name.removeprefix("blocks.0."): part for name, part in p.items()}
    x = linear(x, p["embedding.weight"], p["embedding.bias"]) + p["positions"]
    a = layer_norm(x, width, block["norm1.weight"], block["norm1.bias"])
    projected = linear(a, block["attention.in_proj_weight"], block["attention.in_proj_bias"]).chunk(3, dim=-1)
    q, k, v = (part.unflatten(-1, (MODEL["num_heads"], -1)).transpose(1, 2) for part in projected)
    q = q / block["attention.log_temperature"].exp()[:, None, None]
    mixed = scaled_dot_product_attention(q, k, v, scale=1.0).transpose(1, 2).flatten(-2)
    x = x + linear(mixed, block["attention.out_proj.weight"], block["attention.out_proj.bias"])
    m = layer_norm(x, width, block["norm2.weight"], block["norm2.bias"])
    m = gelu(linear(m, block["mlp.fc1.weight"], block["mlp.fc1.bias"]))
    x = x + linear(m, block["mlp.fc2.weight"], block["mlp.fc2.bias"])
    x = layer_norm(x, width, p["norm.weight"], p["norm.bias"]).mean(dim=1)
    return linear(x, p["head.weight"], p["head.bias"])


def _same_loss(ours, theirs, data):
    return Comparison(abs(ours - theirs), LOSS_TOLERANCE)


# --- a step over a long sequence ----------------------------------------------------------------------------


def _sequence(rng, *, n, d, heads):
    """Tokens and the gradient of the output, (1, n, d)."""
    x, g = (rng.standard_normal((1, n, d)).astype(np.float32) for _ in range(2))
    layer = lw.nn.SelfAttention(d, heads, random_state=0)
    return SimpleNamespace(x=x, g=g, heads=heads, state=layer.state_dict())


def _step(data, threads):
    layer = lw.nn.SelfAttention(data.x.shape[-1], data.heads)
    layer.load_state_dict(data.state)

    def run():
        with lw.execution(n_jobs=threads):
            layer.zero_grad()
            y = layer.forward(data.x)
            return [y, layer.backward(data.g), *layer.gradients().values()]

    return run


def _torch_step(data, threads):
    import torch

    layer = torch.nn.MultiheadAttention(data.x.shape[-1], data.heads, batch_first=True)
    layer.load_state_dict({name: torch.from_numpy(part) for name, part in data.state.items()})
    names = dict(layer.named_parameters())
    ordered = [names[name] for name in data.state]
    x, g = torch.from_numpy(data.x).requires_grad_(), torch.from_numpy(data.g)

    def run():
        y = layer(x, x, x, need_weights=False)[0]
        return [y, *torch.autograd.grad(y, (x, *ordered), g)]

    return run


def _long(n, heads):
    words = "1 head" if heads == 1 else f"{heads} heads"
    return Workload(
        name=f"training-step-n{n}-{heads}",
        group="training",
        title=f"training step of a self-attention layer, {words}, n = {spaced(n)}, width 64",
        compared="output and all gradients; largest difference / largest value",
        size={"n": n, "d": 64, "heads": heads},
        quick={"n": 256, "d": 64, "heads": heads},
        inputs=_sequence,
        contenders=(
            likewise_way(_step, note="likewise.nn.SelfAttention: forward and backward"),
            Contender(
                "PyTorch",
                peers.TORCH,
                _torch_step,
                read=as_arrays,
                note="torch.nn.MultiheadAttention(need_weights=False) and torch.autograd.grad",
            ),
        ),
        compare=worst_array(STEP_TOLERANCE),
        streamed=True,
        seconds=60,
    )


# --- a metric by Neighbourhood Components Analysis ----------------------------------------------------------


def _all_digits(rng, *, n, k):
    from sklearn.datasets import load_digits

    X, y = (array[:n] for array in load_digits(return_X_y=True))
    return SimpleNamespace(X=X / 16, y=y, k=k)


def _nca(data, threads):
    def run():
        with lw.execution(n_jobs=threads):
            return lw.MetricLearner(data.k, init="pca", loss="nca").fit(data.X, data.y).components_

    return run


def _theirs(data, threads):
    from sklearn.neighbors import NeighborhoodComponentsAnalysis

    return lambda: NeighborhoodComponentsAnalysis(data.k, init="pca").fit(data.X, data.y).components_


def _objective(W, data):
    """The mean probability of a right neighbor, in float64 by the definition."""
    Z = data.X @ W.T
    squares = ((Z[:, None] - Z[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    weights = np.exp(squares.min(axis=1, keepdims=True) - squares)
    return float(
        (weights * (data.y[:, None] == data.y)).sum(axis=1).dot(1 / weights.sum(axis=1)) / len(data.y)
    )


def _as_good(ours, theirs, data):
    """Ours may reach more; less counts."""
    a, b = _objective(ours, data), _objective(theirs, data)
    return Comparison(max(0.0, b - a), 2e-3, f"objective {a:.4f}, theirs {b:.4f}")


WORKLOADS = (
    Workload(
        name="nca-digits",
        group="training",
        title="Neighbourhood Components Analysis on digits, 2 components from PCA",
        compared="mean probability of a right neighbor; what ours lacks",
        size={"n": 1797, "k": 2},
        quick={"n": 300, "k": 2},
        inputs=_all_digits,
        contenders=(
            likewise_way(_nca, note="MetricLearner(2, init='pca', loss='nca')"),
            Contender(
                "scikit-learn",
                peers.SKLEARN,
                _theirs,
                note="NeighborhoodComponentsAnalysis(2, init='pca'), the same stopping rule",
            ),
        ),
        compare=_as_good,
        dtype="float64",
        seconds=60,
    ),
    Workload(
        name="training-digits",
        group="training",
        title="an epoch of a one-layer classifier on digits: 8 tokens, width 64, 4 heads, batch 64",
        compared="mean loss of the first epoch from the same weights and batches; difference",
        size={"n": 1797},
        quick={"n": 320},
        inputs=_digits,
        contenders=(
            likewise_way(_epoch, note="the training of AttentionClassifier('dot')"),
            Contender(
                "PyTorch",
                peers.TORCH,
                _torch_epoch,
                note="the same model with scaled_dot_product_attention and fused AdamW",
            ),
        ),
        compare=_same_loss,
        seconds=15,
    ),
    _long(4096, 1),
    _long(4096, 8),
    _long(16384, 1),
)
