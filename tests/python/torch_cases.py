"""Every function and module of likewise.torch with its definition in plain torch, for test_torch_*.py.

What is new joins by one line in KERNELS or MODULES: all tests of the contract run on it.
"""

import numpy as np
import scipy.sparse as sp
import torch
from torch.nn.functional import linear

import likewise as lw
import likewise.torch as lt
from likewise import kernels, metrics, supports
from likewise.nn import arms
from likewise.normalizations import RowStochastic, Unnormalized


def squares(q, k):
    return ((q[..., :, None, :] - k[..., None, :, :]) ** 2).sum(-1)


def sums(q, k):
    """Manhattan distances."""
    return (q[..., :, None, :] - k[..., None, :, :]).abs().sum(-1)


def by(W, dtype=torch.float64):
    return torch.as_tensor(W.T, dtype=dtype)


def distances(q, k):
    return squares(q, k).sqrt()


def cosines(q, k):
    return (q / q.norm(dim=-1, keepdim=True)) @ (k / k.norm(dim=-1, keepdim=True)).mT


def gaussian(q, k):
    return torch.exp(-squares(q, k) / (2 * 0.9**2))


def dot(q, k):
    return torch.exp(q @ k.mT / 1.3)


W, V = np.array([[1.0, 0.5, 0.0], [0.3, 1.2, -0.4]]), np.array([[0.2, -0.5, 1.0], [1.0, 0.1, 0.4]])
PATTERN = np.random.RandomState(5).rand(6, 6) < 0.5
PATTERN[[0, 1], [3, 4]] = True
PATTERN[2] = False  # who may attend to nobody gets 0


def admitted(K, pattern):
    return torch.where(torch.as_tensor(pattern), K, torch.zeros_like(K))


def nearest(q, k):
    """The 3 nearest keys of each query."""
    d = squares(q, k).detach()
    return d <= d.sort(dim=-1).values[..., 2:3]


def of(metric, kernel, **others):
    return lw.Mechanism(metric=metric, kernel=kernel, **others)


DOT, SQ = ("dot", kernels.Exponential(1.3)), ("sqeuclidean", kernels.Gaussian(0.9))
SELF = torch.eye(6, dtype=torch.bool)
GIVEN = np.where(PATTERN, np.arange(36.0).reshape(6, 6) + 1, 0)

# name -> (mechanism, K of queries and keys, what is added to its row sums; None: rows are not divided)
KERNELS = {
    "dot": (of(*DOT), dot, 0),
    "gaussian": (of(*SQ), gaussian, 0),
    "cosine": (of("cosine", kernels.Exponential(0.5)), lambda q, k: torch.exp(2 * cosines(q, k) - 2), 0),
    "mahalanobis": (of(metrics.Mahalanobis(W), SQ[1]), lambda q, k: gaussian(q @ by(W), k @ by(W)), 0),
    "bilinear": (of(metrics.Bilinear(W, V), DOT[1]), lambda q, k: dot(q @ by(W), k @ by(V)), 0),
    "manhattan": (of("manhattan", kernels.Exponential(0.9)), lambda q, k: torch.exp(-sums(q, k) / 0.9), 0),
    "tricube": (
        of("euclidean", kernels.Tricube(2.5)), lambda q, k: (1 - (distances(q, k) / 2.5) ** 3).relu() ** 3, 0
    ),
    "laplacian": (of("euclidean", kernels.Laplacian(0.8)), lambda q, k: torch.exp(-distances(q, k) / 0.8), 0),
    "student": (of("euclidean", kernels.StudentT(0.7)), lambda q, k: 1 / (1 + squares(q, k) / 0.49), 0),
    "null mass": (of(*DOT, normalization=RowStochastic(null_mass=0.5)), dot, 0.5),
    "unnormalized": (of(*DOT, normalization=Unnormalized()), dot, None),
    "causal": (of(*DOT, support="causal"), lambda q, k: admitted(dot(q, k), np.tri(6) > 0), 0),
    "mask": (of(*DOT, support=supports.Mask(PATTERN)), lambda q, k: admitted(dot(q, k), PATTERN), 0),
    "sparse mask": (
        of(*DOT, support=supports.Mask(sp.csr_matrix(PATTERN))), lambda q, k: admitted(dot(q, k), PATTERN), 0
    ),
    "graph": (
        of(*SQ, support=supports.Graph(sp.csr_matrix(PATTERN * 1.0))),
        lambda q, k: admitted(gaussian(q, k), PATTERN), 0,
    ),
    "given graph": (
        of(*SQ, support=supports.Graph(sp.csr_matrix(GIVEN), weights="given")),
        lambda q, k: torch.as_tensor(GIVEN, dtype=q.dtype) + 0 * gaussian(q, k), 0,
    ),
    "neighbors": (
        of(*SQ, support=supports.Neighbors(3)), lambda q, k: admitted(gaussian(q, k), nearest(q, k)), 0
    ),
    "radius": (
        of("euclidean", kernels.Gaussian(0.9), support=supports.Radius(1.5)),
        lambda q, k: admitted(gaussian(q, k), squares(q, k) <= 1.5**2), 0,
    ),
    "radius without self": (
        of("euclidean", kernels.Gaussian(0.9), support=supports.LeaveOneOut() & supports.Radius(2.0)),
        lambda q, k: admitted(gaussian(q, k), (squares(q, k) <= 4) & ~SELF), 0,
    ),
}  # fmt: skip


def propagated(K, v, extra):
    if extra is None:
        return K @ v
    mass = K.sum(-1, keepdim=True) + extra
    return K @ v / torch.where(mass > 0, mass, 1)


def residual(p, u):
    """u + W2 tanh(W1 u + b1) + b2 of u (..., heads, length, rank), of each head or one for all."""
    hidden = torch.tanh(u @ p["map_in.weight"].mT + p["map_in.bias"][..., None, :])
    return u + hidden @ p["map_out.weight"].mT + p["map_out.bias"][..., None, :]


def layer_in_torch(options, p, x, context=None):
    """An attention layer of these options and parameters by its definition."""
    o, z, heads = options, x if context is None else context, options["num_heads"]
    whole = o["diagonal"] or not o["project"]
    rank = o["embed_dim"] if whole else o["rank"] or o["embed_dim"] // heads
    if o["diagonal"]:
        q, k = ((t[:, None] * p["metric_diagonal"][:, None]) for t in (x, z))
    elif not o["project"]:
        q, k = (t[:, None].expand(-1, heads, -1, -1) for t in (x, z))
        if o["map_width"]:
            q, k = (residual(p, u) for u in (q, k))
    else:
        if o["tied"]:
            maps, biases = [p["metric_proj.weight"]] * 2, [None] * 2
        else:
            maps = p["in_proj_weight"].split([heads * rank] * 2 + [o["embed_dim"] * o["values"]])[:2]
            bias = p.get("in_proj_bias")
            biases = [None] * 2 if bias is None else bias.split([heads * rank] * 2 + [o["embed_dim"]])[:2]
        q, k = (
            linear(t, W, b).unflatten(-1, (heads, rank)).transpose(1, 2)
            for t, W, b in zip((x, z), maps, biases)
        )
        if o["map_width"]:
            q, k = (residual(p, u) for u in (q, k))
    if not o["values"]:
        v = z
    elif o["tied"]:
        v = linear(z, p["v_proj.weight"], p.get("v_proj.bias"))
    else:
        bias = p.get("in_proj_bias")
        v = linear(
            z, p["in_proj_weight"][2 * heads * rank :], None if bias is None else bias[2 * heads * rank :]
        )
    v = v.unflatten(-1, (heads, -1)).transpose(1, 2)
    scores = q @ k.mT if o["score"] == "dot" else -squares(q, k)
    if o["key_bias"]:
        scores = scores - (k**2).sum(-1)[..., None, :] / 2
    fixed = o["temperature"] or rank**0.5 * (1 if o["score"] == "dot" else 2)
    t = torch.tensor(fixed, dtype=x.dtype)
    if o["learn_temperature"]:
        t = p["log_temperature"].exp()[:, None, None]
    y = ((scores / t).softmax(-1) @ v).transpose(1, 2).flatten(-2)
    if not o["values"]:
        return y
    return linear(y, p["out_proj.weight"], p.get("out_proj.bias"))


def layer(settings):
    return lambda **how: lt.AttentionLayer(**settings, **how)


# name -> a function (dtype, random_state, ...) that makes one of width 6
MODULES = {
    "SelfAttention": lambda **how: lt.SelfAttention(6, 2, **how),
    "SelfAttention without bias": lambda **how: lt.SelfAttention(6, 3, bias=False, **how),
    "L2Attention": lambda **how: lt.L2Attention(6, 2, **how),
    "MetricAttention": lambda **how: lt.MetricAttention(6, 2, 4, **how),
    "shared map": lambda **how: lt.MetricAttention(6, 3, share_map=True, learn_temperature=True, **how),
    "diagonal": lambda **how: lt.L2Attention(6, 2, diagonal=True, **how),
    "key bias": layer({"embed_dim": 6, "num_heads": 2, "key_bias": True, "learn_temperature": True}),
    **{name: layer(settings) for name, settings in arms(6, 2).items()},
}  # fmt: skip


def network_in_torch(options, p, X):
    """A propagation network of these options and parameters by its definition."""
    H = linear(X, p["input.weight"], p["input.bias"])
    for i in range(options["n_layers"]):
        begin = f"layers.{i}."
        own = {name.removeprefix(begin): part for name, part in p.items() if name.startswith(begin)}
        H = layer_in_torch(options, own, H[None])[0] + (H if options["residual"] else 0)
    return linear(H, p["output.weight"], p["output.bias"])


# name -> a function (dtype, random_state) that makes one of rows of 3 features
NETWORKS = {
    "metric": lambda **how: lt.PropagationNetwork(3, 2, 4, 2, "metric", **how),
    "metric, heads": lambda **how: lt.PropagationNetwork(3, 2, 4, 1, "metric", 2, residual=True, **how),
    "l2": lambda **how: lt.PropagationNetwork(3, 2, 4, 2, "l2", 2, learn_temperature=True, **how),
    "dot": lambda **how: lt.PropagationNetwork(3, 2, 4, 1, "dot", values=True, residual=True, **how),
}


class Case:
    """A function of tensors, the same in plain torch, and the shapes of its inputs.

    n_tokens: how many of them, the first, are tokens; the others are parameters.
    """

    def __init__(self, call, plain, *shapes, n_tokens=None):
        self.call, self.plain, self.shapes = call, plain, shapes
        self.n_tokens = len(shapes) if n_tokens is None else n_tokens

    def inputs(self, dtype=torch.float64, seed=0):
        generator = torch.Generator().manual_seed(seed)
        numbers = [torch.randn(s, dtype=torch.float64, generator=generator) for s in self.shapes]
        return [t.to(dtype).requires_grad_() for t in numbers]


def kernel_case(name):
    how, K, extra = KERNELS[name]
    return Case(
        lambda q, k, v: lt.kernel_attention(q, k, v, how),
        lambda q, k, v: propagated(K(q, k), v, extra),
        (2, 2, 6, 3), (2, 2, 6, 3), (2, 2, 6, 2),
    )  # fmt: skip


def module_case(name, crossed, *, shape=(2, 4, 6)):
    module = MODULES[name](dtype=torch.float64, random_state=0)
    names = [n for n, _ in module.named_parameters()]
    n = 2 if crossed else 1
    return Case(
        lambda *t: torch.func.functional_call(module, dict(zip(names, t[n:])), t[:n]),
        lambda *t: layer_in_torch(module.options, dict(zip(names, t[n:])), *t[:n]),
        shape, *[(2, 3, 6)] * crossed, *[p.shape for p in module.parameters()], n_tokens=n,
    )  # fmt: skip


def network_case(name):
    module = NETWORKS[name](dtype=torch.float64, random_state=0)
    names = [n for n, _ in module.named_parameters()]
    return Case(
        lambda X, *t: torch.func.functional_call(module, dict(zip(names, t)), (X,)),
        lambda X, *t: network_in_torch(module.options, dict(zip(names, t)), X),
        (7, 3), *[p.shape for p in module.parameters()], n_tokens=1,
    )  # fmt: skip


CASES = {
    **{f"PropagationNetwork: {name}": network_case(name) for name in NETWORKS},
    **{f"kernel_attention: {name}": kernel_case(name) for name in KERNELS},
    **{name: module_case(name, False) for name in MODULES},
    **{f"{name}, context": module_case(name, True) for name in MODULES},
    # More than 128 x 128 pairs are an operator instead of a tile.
    **{
        f"{name}, long": module_case(name, False, shape=(1, 140, 6)) for name in ("SelfAttention", "diagonal")
    },
}


def gradients(call, inputs):
    """Of a sum of squares, which asks something else of every output."""
    return torch.autograd.grad((call(*inputs) ** 2).sum(), inputs)


def assert_same(found, wanted, atol=1e-10, rtol=1e-7):
    """Within rounding of the largest number there is."""
    size = max([1.0, *(float(b.detach().abs().max()) for b in wanted if b.numel())])
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, atol=atol * size, rtol=rtol)
