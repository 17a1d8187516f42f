"""likewise.torch.PropagationNetwork: the paper's reference values, gradients, and how modules are used."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import sparse
from test_propagation_network import ARMS, named

import likewise as lw
from likewise.torch import AttentionLayer, PropagationNetwork

REFERENCE = json.loads((Path(__file__).parents[1] / "data/paper_reference.json").read_text(encoding="utf-8"))


def network_of(arm):
    module = PropagationNetwork(
        3, 3, 4, 2, ARMS[arm], map_width=5 if arm == "metric" else None, dtype=torch.float64
    )
    state = named(arm, REFERENCE["ipn"][arm]["params"])
    module.load_state_dict(
        {name: torch.tensor(part).reshape(module.get_parameter(name).shape) for name, part in state.items()}
    )
    return module


@pytest.mark.parametrize("arm", ARMS)
def test_the_papers_networks_are_met(arm):
    """Logits, loss, gradients and the losses after five steps of torch's Adam, to 1e-10."""
    X, y = torch.tensor(REFERENCE["X"], dtype=torch.float64), torch.tensor(REFERENCE["y"])
    given, module = REFERENCE["ipn"][arm], network_of(arm)
    logits = module(X)
    assert_allclose(logits.detach(), given["logits"], atol=1e-10)
    loss = torch.nn.functional.cross_entropy(logits, y)
    assert loss.item() == pytest.approx(given["loss"], abs=1e-10)
    loss.backward()
    for name, wanted in named(arm, given["grads"]).items():
        found = module.get_parameter(name).grad.reshape(wanted.shape)
        assert_allclose(found, wanted, atol=1e-10, err_msg=name)
    adam = torch.optim.Adam(module.parameters(), lr=1e-2, weight_decay=1e-4)
    for wanted in given["loss_after_adam_steps"]:
        adam.zero_grad()
        torch.nn.functional.cross_entropy(module(X), y).backward()
        adam.step()
        assert torch.nn.functional.cross_entropy(module(X), y).item() == pytest.approx(wanted, abs=1e-10)


@pytest.mark.parametrize("arm", REFERENCE["module"])
@pytest.mark.parametrize("masked", [False, True])
def test_the_papers_modules_are_met_by_bare_layers(arm, masked):
    """S H and all gradients of one module, a layer without projections of its own, values or outputs."""
    given, suffix = REFERENCE["module"][arm], "_masked" if masked else ""
    settings = {"bias": False, "values": False, "temperature": 1.0}
    settings |= {
        "self": {"score": "dot"},
        "l2": {"score": "sqdist", "tied": True},
        "metric": {"score": "sqdist", "tied": True, "map_width": 5, "project": False},
        "dotphi": {"score": "dot", "tied": True, "map_width": 5, "project": False},
    }[arm]
    layer = AttentionLayer(4, 1, dtype=torch.float64, **settings)
    p = {name: np.array(part) for name, part in given["params"].items()}
    g = {name: np.array(part) for name, part in given["grad_params" + suffix].items()}
    names = {"W": "metric_proj.weight", "W1": "map_in.weight", "b1": "map_in.bias"}
    names |= {"W2": "map_out.weight", "b2": "map_out.bias"}

    def ours(parts):
        if arm == "self":
            return {"in_proj_weight": np.concatenate([parts["Q"], parts["K"]])}
        return {names[name]: part for name, part in parts.items()}

    layer.load_state_dict(
        {n: torch.tensor(part).reshape(layer.get_parameter(n).shape) for n, part in ours(p).items()}
    )
    H = torch.tensor(REFERENCE["H"], dtype=torch.float64, requires_grad=True)
    mask = torch.tensor(REFERENCE["mask"], dtype=torch.bool) if masked else None
    out = layer(H, mask=mask)
    assert_allclose(out.detach(), given["out" + suffix], atol=1e-10)
    (out * torch.tensor(REFERENCE["G"], dtype=torch.float64)).sum().backward()
    assert_allclose(H.grad, given["grad_H" + suffix], atol=1e-10)
    for name, wanted in ours(g).items():
        found = layer.get_parameter(name).grad.reshape(wanted.shape)
        assert_allclose(found, wanted, atol=1e-10, err_msg=name)


def test_it_is_the_network_of_likewise_nn():
    X = torch.randn(11, 3, dtype=torch.float64)
    module = PropagationNetwork(3, 2, 8, 2, "l2", num_heads=2, residual=True, dtype=torch.float64)
    edges = lw.supports.Graph(sparse.csr_matrix(np.eye(11) + np.eye(11, k=1)))
    ours = module.to_likewise()
    assert_allclose(module(X).detach(), ours.forward(X.numpy()), atol=0)
    assert_allclose(module(X, edges).detach(), ours.forward(X.numpy(), edges), atol=0)
    assert list(module.state_dict()) == list(ours.state_dict())
    single = PropagationNetwork(3, 2)
    assert single(X.float()).dtype == torch.float32


@pytest.mark.parametrize("attention", ["metric", "l2", "dot"])
def test_gradcheck(attention):
    X = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    module = PropagationNetwork(3, 2, 4, 2, attention, residual=True, dtype=torch.float64)
    edges = lw.supports.Graph(sparse.csr_matrix(np.eye(6) + np.eye(6, k=1)))
    for support in ("all", edges):
        assert torch.autograd.gradcheck(lambda x, *_, s=support: module(x, s), (X, *module.parameters()))


def test_it_is_a_module_like_others():
    """A copy, functional calls, two passes before gradients, a loss that is edited after: as torch's own."""
    X = torch.randn(7, 3, dtype=torch.float64)
    module = PropagationNetwork(3, 2, random_state=0, dtype=torch.float64)
    again = copy.deepcopy(module)
    assert torch.equal(again(X), module(X))
    doubled = {name: 2 * part for name, part in module.named_parameters()}
    assert not torch.equal(torch.func.functional_call(module, doubled, (X,)), module(X))
    (module(X).sum() + module(2 * X).sum()).backward()
    both = [p.grad.clone() for p in module.parameters()]
    alone = [torch.zeros_like(g) for g in both]
    for scale in (1, 2):
        module.zero_grad()
        module(scale * X).sum().backward()
        alone = [a + p.grad for a, p in zip(alone, module.parameters())]
    for a, b in zip(alone, both):
        assert_allclose(a, b, atol=1e-12)
    torch.manual_seed(0)
    first = PropagationNetwork(3, 2)
    torch.manual_seed(0)
    assert torch.equal(PropagationNetwork(3, 2)(X.float()), first(X.float()))


def test_computed_parameters_have_gradients():
    """Parametrizations and weight_norm, deep inside: the gradient is that of what they are computed from."""
    X = torch.randn(7, 3, dtype=torch.float64)
    module = PropagationNetwork(3, 2, 4, 1, random_state=0, dtype=torch.float64)
    want = copy.deepcopy(module)
    inner = getattr(module.layers, "0").map_in
    torch.nn.utils.parametrizations.weight_norm(inner, "weight")
    torch.testing.assert_close(module(X), want(X))
    module(X).sum().backward()
    found = inner.parametrizations.weight.original1.grad
    assert found is not None and found.isfinite().all() and found.abs().max() > 0


def test_what_does_not_fit_is_named():
    module = PropagationNetwork(3, 2, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"X must have the parameters' dtype torch.float64"):
        module(torch.randn(4, 3))
    with pytest.raises(ValueError, match=r"X must be of shape \(n, 3\); got \(4, 5\)"):
        module(torch.randn(4, 5, dtype=torch.float64))
    with pytest.raises(TypeError, match="X must be a tensor; got ndarray"):
        module(np.zeros((4, 3)))
    with pytest.raises(ValueError, match=r"dtype must be torch.float32 or torch.float64"):
        PropagationNetwork(3, 2, dtype=torch.float16)
    X = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    (g,) = torch.autograd.grad(module(X).sum(), X, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiable once"):
        g.sum().backward()
