"""Self-attention layers: forward, a training step in NumPy, the same as a torch module."""

from types import SimpleNamespace

import numpy as np

import likewise as lw
from likewise.bench import peers
from likewise.bench.shapes import draw
from likewise.bench.shapes._kind import SECONDS, ours, theirs, workload
from likewise.bench.shapes.attention import GFLOPS
from likewise.bench.workload import as_arrays, largest_difference, worst_array

TASKS = {"forward": 2, "step": 2, "torch module": 2}


def draw_shape(rng):
    """Batch, length, width and heads of a layer."""
    return draw.within(rng, _shape, _affordable)


def workload_of(shape):
    """The workload of a shape."""
    prepare, prepare_theirs = _TASKS[shape["task"]]
    forward = shape["task"] == "forward"
    read = (lambda result, data: np.asarray(result)) if forward else _gradients_of
    contenders = [
        ours(prepare, read if shape["task"] != "torch module" else as_arrays),
        theirs("PyTorch", peers.TORCH, prepare_theirs, _array if forward else as_arrays),
    ]
    compare = largest_difference(2e-4) if forward else worst_array(2e-3)
    return workload("layers", shape, _inputs, contenders, compare, "outputs and gradients")


def _shape(rng):
    heads = draw.one_of(rng, (1, 2, 4, 8, 16))
    return {
        "task": draw.one_of(rng, TASKS),
        "batch": draw.log_uniform(rng, 1, 256),
        "n": draw.log_uniform(rng, 1, 4096),
        "width": heads * draw.log_uniform(rng, 2, 1024 // heads),
        "heads": heads,
        "causal": bool(rng.uniform() < 0.3),
        "dtype": "float32",
        "seed": int(rng.integers(2**31)),
    }


def _affordable(shape):
    tokens, n, width = shape["batch"] * shape["n"], shape["n"], shape["width"]
    work = 8.0 * tokens * width**2 + 4.0 * tokens * n * width
    return 3 * work < 1e9 * GFLOPS * SECONDS and tokens * width < 1e7


def _inputs(rng, shape):
    size = (shape["batch"], shape["n"], shape["width"])
    x, g = (rng.standard_normal(size).astype(np.float32) for _ in range(2))
    layer = lw.nn.SelfAttention(shape["width"], shape["heads"], random_state=0)
    return SimpleNamespace(x=x, g=g, layer=layer, heads=shape["heads"], causal=shape["causal"])


def _forward(data, threads):
    def run():
        with lw.execution(n_jobs=threads):
            return data.layer.forward(data.x, is_causal=data.causal)

    return run


def _step(data, threads):
    layer = data.layer

    def run():
        with lw.execution(n_jobs=threads):
            layer.zero_grad()
            y = layer.forward(data.x, is_causal=data.causal)
            return [y, layer.backward(data.g), *layer.gradients().values()]

    return run


def _torch_layer(data):
    import torch

    layer = torch.nn.MultiheadAttention(data.x.shape[-1], data.heads, batch_first=True)
    layer.load_state_dict({name: torch.from_numpy(part) for name, part in data.layer.state_dict().items()})
    n = data.x.shape[1]
    mask = torch.nn.Transformer.generate_square_subsequent_mask(n) if data.causal else None
    options = {"need_weights": False, "attn_mask": mask, "is_causal": data.causal}
    return layer, lambda x: layer(x, x, x, **options)[0]


def _torch_forward(data, threads):
    import torch

    layer, attend = _torch_layer(data)
    layer.eval()
    x = torch.from_numpy(data.x)

    def run():
        with torch.inference_mode():
            return attend(x)

    return run


def _torch_step(data, threads):
    layer, attend = _torch_layer(data)
    return _with_gradients(data, layer, attend)


def _module_step(data, threads):
    import torch

    import likewise.torch

    module = likewise.torch.SelfAttention(data.x.shape[-1], data.heads)
    module.load_state_dict({name: torch.from_numpy(part) for name, part in data.layer.state_dict().items()})
    return _with_gradients(data, module, lambda x: module(x, is_causal=data.causal))


def _with_gradients(data, module, attend):
    import torch

    names = dict(module.named_parameters())
    ordered = [names[name] for name in data.layer.state_dict()]
    x, g = torch.from_numpy(data.x).requires_grad_(), torch.from_numpy(data.g)

    def run():
        y = attend(x)
        return [y, *torch.autograd.grad(y, (x, *ordered), g)]

    return run


def _gradients_of(result, data):
    return [np.asarray(array) for array in result]


def _array(result, data):
    return result.numpy()


_TASKS = {
    "forward": (_forward, _torch_forward),
    "step": (_step, _torch_step),
    "torch module": (_module_step, _torch_step),
}
