"""The paper's networks: epochs of a propagation network and graph attention, against PyTorch."""

from types import SimpleNamespace

import numpy as np
from scipy import sparse

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

RATE, DECAY = 1e-3, 1e-4
LOSS_TOLERANCE, STEP_TOLERANCE = 1e-3, 5e-4


# --- epochs of the paper's network on two moons -------------------------------------------------------------


def _moons(rng, *, n, epochs, attention):
    """Rows that all attend to one another, and the network that both begin with."""
    from sklearn.datasets import make_moons

    X, y = make_moons(n, noise=0.2, random_state=0)
    network = lw.nn.PropagationNetwork(2, 2, 10, 2, attention, dtype="float32", random_state=0)
    return SimpleNamespace(
        X=X.astype(np.float32), y=y, epochs=epochs, options=network.options, state=network.state_dict()
    )


def _network(data):
    network = lw.nn.PropagationNetwork._of_options(data.options, "float32", 0)
    network.load_state_dict(data.state)
    return network


def _epochs(data, threads):
    settings = {
        "task": "classification",
        "optimizer": "adam",
        "learning_rate": RATE,
        "weight_decay": DECAY,
        "batch_size": len(data.X),
        "max_epochs": data.epochs,
    }
    samples = (data.X, data.y, None, None, np.ones(len(data.X)), None, True, lw.supports.AllPairs())

    def run():
        with lw.execution(n_jobs=threads):
            return _network(data).train(samples, settings)["loss"][-1]

    return run


def _torch_epochs(data, threads):
    import torch
    from torch.nn.functional import cross_entropy

    X, y = torch.from_numpy(data.X), torch.from_numpy(data.y)

    def run():
        p = {name: torch.from_numpy(part.copy()).requires_grad_() for name, part in data.state.items()}
        optimizer = torch.optim.Adam(p.values(), lr=RATE, weight_decay=DECAY, fused=True)
        for _ in range(data.epochs):
            optimizer.zero_grad()
            loss = cross_entropy(_torch_moons(p, X), y)
            loss.backward()
            optimizer.step()
        return loss.item()

    return run


def _torch_moons(p, X):
    """H <- softmax(-|phi(h) - phi(z)|^2) H or softmax(<Q h, K z>) H, as PyTorch users write it."""
    import torch
    from torch.nn.functional import linear, scaled_dot_product_attention

    H = linear(X, p["input.weight"], p["input.bias"])
    for layer in range(2):
        own = {name.removeprefix(f"layers.{layer}."): part for name, part in p.items()}
        if "in_proj_weight" in own:
            q, k = linear(H, own["in_proj_weight"]).chunk(2, dim=-1)
            H = scaled_dot_product_attention(q[None, None], k[None, None], H[None, None], scale=1.0)[0, 0]
            continue
        hidden = torch.tanh(linear(H, own["map_in.weight"][0], own["map_in.bias"][0]))
        u = H + linear(hidden, own["map_out.weight"][0], own["map_out.bias"][0])
        # 2 <u, v> - |v|^2 is minus the squared distance, up to a number of each row that the softmax forgets.
        squares = (u * u).sum(-1)
        H = torch.softmax(2 * u @ u.T - squares, dim=-1) @ H
    return linear(H, p["output.weight"], p["output.bias"])


def _same_loss(ours, theirs, data):
    return Comparison(abs(ours - theirs), LOSS_TOLERANCE)


def _training(attention):
    return Workload(
        name=f"propagation-{attention}-moons",
        group="paper",
        title=f'steps of a propagation network, "{attention}", 400 moons in a batch, 2 modules of 10 columns',
        compared="loss of the last step from the same weights; difference",
        size={"n": 400, "epochs": 50, "attention": attention},
        quick={"n": 100, "epochs": 5, "attention": attention},
        inputs=_moons,
        contenders=(
            likewise_way(_epochs, note=f"the training of PropagationClassifier({attention!r})"),
            Contender(
                "PyTorch", peers.TORCH, _torch_epochs, note="the same network with softmax and fused Adam"
            ),
        ),
        compare=_same_loss,
        seconds=20,
    )


# --- graph attention on edges -------------------------------------------------------------------------------


def _graph(rng, *, n, edges, heads, d):
    """A random graph with loops: rows of X, the gradient of the outputs, and the network that both have."""
    ends = rng.integers(n, size=(2, edges))
    A = sparse.csr_matrix((np.ones(edges), ends), shape=(n, n)) + sparse.identity(n)
    A = sparse.csr_matrix(A)
    A.data[:] = 1  # an edge that was drawn twice is one
    network = lw.nn.PropagationNetwork(
        d, 8, d, 2, "additive", num_heads=heads, dtype="float32", random_state=0
    )
    X, G = (rng.standard_normal((n, width)).astype(np.float32) for width in (d, 8))
    return SimpleNamespace(X=X, G=G, A=A, heads=heads, options=network.options, state=network.state_dict())


def _pass(data, threads):
    network, support = _network(data), lw.supports.Graph(data.A)

    def run():
        with lw.execution(n_jobs=threads):
            y = network.forward(data.X, support)
            by_X = network.backward(data.G)
        return [y, by_X, *network.gradients().values()]

    return run


def _torch_pass(data, threads):
    import torch

    A = data.A.tocoo()
    to, source = (torch.from_numpy(index.astype(np.int64)) for index in (A.row, A.col))
    p = {name: torch.from_numpy(part.copy()).requires_grad_() for name, part in data.state.items()}
    X, G = torch.from_numpy(data.X).requires_grad_(), torch.from_numpy(data.G)

    def run():
        y = _torch_graph(p, X, to, source, data.heads)
        return [y, *torch.autograd.grad(y, (X, *p.values()), G)]

    return run


def _torch_graph(p, X, to, source, heads):
    """Graph attention without dense matrices: gather, softmax by scatter, index_add."""
    import torch
    from torch.nn.functional import leaky_relu, linear

    n = len(X)
    H = linear(X, p["input.weight"], p["input.bias"])
    for layer in range(2):
        own = {name.removeprefix(f"layers.{layer}."): part for name, part in p.items()}
        P = linear(H, own["metric_proj.weight"]).unflatten(-1, (heads, -1))
        query, key = (P * own["att_query"]).sum(-1), (P * own["att_key"]).sum(-1)
        scores = leaky_relu(query[to] + key[source], 0.2)
        most = torch.full((n, heads), -torch.inf).scatter_reduce(
            0, to[:, None].expand(-1, heads), scores.detach(), "amax"
        )
        weights = torch.exp(scores - most[to])
        mass = torch.zeros(n, heads).index_add(0, to, weights)
        values = H.unflatten(-1, (heads, -1))
        H = torch.zeros_like(values).index_add(0, to, weights[..., None] * values[source])
        H = (H / mass[..., None]).flatten(-2)
    return linear(H, p["output.weight"], p["output.bias"])


def _graph_attention(n, edges):
    return Workload(
        name=f"graph-attention-{edges}",
        group="paper",
        title=f"graph attention, 2 layers, 8 heads of 8, {spaced(n)} nodes, {spaced(edges)} edges",
        compared="outputs and all gradients; largest difference / largest value",
        size={"n": n, "edges": edges, "heads": 8, "d": 64},
        quick={"n": 200, "edges": 1000, "heads": 8, "d": 64},
        inputs=_graph,
        contenders=(
            likewise_way(_pass, note='nn.PropagationNetwork("additive") on Graph(A): forward and backward'),
            Contender(
                "PyTorch",
                peers.TORCH,
                _torch_pass,
                read=as_arrays,
                note="gather, scatter_reduce and index_add; torch.autograd.grad",
            ),
        ),
        compare=worst_array(STEP_TOLERANCE),
        seconds=60,
    )


WORKLOADS = (_training("metric"), _training("dot"), _graph_attention(10_000, 100_000))
