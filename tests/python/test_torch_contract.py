"""What PyTorch expects of an autograd function, of every one of ours beside plain torch (torch_cases.py)."""

import io
import resource
import threading

import pytest
import torch
from torch_cases import CASES, MODULES, NETWORKS, assert_same, gradients

import likewise as lw
import likewise.torch as lt
from likewise import kernels

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@every_case
def test_outputs_and_gradients_are_those_of_plain_torch(case):
    """Kind: a derivative that is wrong or missing for a metric, a support, a normalization, a score."""
    inputs = case.inputs()
    torch.testing.assert_close(case.call(*inputs), case.plain(*inputs), atol=1e-12, rtol=1e-9)
    assert_same(gradients(case.call, inputs), gradients(case.plain, inputs))


@every_case
def test_gradcheck(case):
    """Kind: as above, by finite differences of our own outputs, on inputs without a tie."""
    assert torch.autograd.gradcheck(case.call, case.inputs(seed=1), fast_mode=True)


def add_to_all(y):
    y.add_(1)


def through_a_view(y):
    y.view(-1)[::2].mul_(3)


def a_row_to_zero(y):
    y[..., 0, :].zero_()


def of_what_is_detached(y):
    y.detach().mul_(2)


@every_case
@pytest.mark.parametrize("edit", [add_to_all, through_a_view, a_row_to_zero, of_what_is_detached])
def test_an_output_that_is_edited_in_place(case, edit):
    """Kind: gradients computed with memory that the caller has changed. Right ones, or torch's own error."""

    def of(call):
        inputs = case.inputs()
        y = call(*inputs)
        edit(y)
        return torch.autograd.grad((y**2).sum(), inputs)

    def without_memory(*inputs):  # (no operation of torch looks at this output again)
        return case.plain(*inputs) + torch.zeros(())

    try:
        found = of(case.call)
    except RuntimeError as error:
        assert "modified by an inplace operation" in str(error)
    else:
        assert_same(found, of(without_memory))


@every_case
def test_inputs_that_are_edited_in_place(case):
    """Kind: as above, of inputs, one at a time, between the forward and the backward pass."""
    wanted = gradients(case.plain, case.inputs())
    for i in range(len(case.shapes)):
        inputs = case.inputs()
        used = [t * 1 for t in inputs]
        y = case.call(*used)
        used[i].mul_(2)
        try:
            found = torch.autograd.grad((y**2).sum(), inputs)
        except RuntimeError as error:
            assert "modified by an inplace operation" in str(error)
        else:
            assert_same(found, wanted)


def expanded(t):
    return t[:1].expand_as(t) if t.dim() == 3 or t.dim() == 4 else t


def transposed(t):
    return t.transpose(0, -1).contiguous().transpose(0, -1)


def strided(t):
    return torch.stack([t, t], dim=-1)[..., 0]


def negated(t):
    """The same numbers, whose sign is a bit of the tensor."""
    return torch._neg_view(-t)  # dense; the imaginary part of a conjugate is one too, but strided


@every_case
@pytest.mark.parametrize("view", [expanded, transposed, strided, negated])
def test_inputs_and_gradients_that_are_views(case, view):
    """Kind: memory that is not dense is read as if it were."""

    def of(call):
        inputs = case.inputs()
        y = call(*map(view, inputs))
        weights = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)
        sums = torch.autograd.grad(call(*map(view, inputs)).sum(), inputs)
        return (y, *torch.autograd.grad(y, inputs, view(weights)), *sums)

    assert_same(of(case.call), of(case.plain))


@every_case
def test_each_input_alone_may_want_a_gradient(case):
    """Kind: gradients that nobody asks for, or that a missing one of another input forbids."""
    wanted = gradients(case.plain, case.inputs())
    for i, right in enumerate(wanted):
        inputs = [t.detach() for t in case.inputs()]
        inputs[i].requires_grad_()
        assert_same(torch.autograd.grad((case.call(*inputs) ** 2).sum(), inputs[i]), [right])


@every_case
def test_a_graph_may_be_kept_and_is_freed_otherwise(case):
    """Kind: what backward changes or frees: a second pass gives the same, or torch's error."""
    inputs = case.inputs()
    loss = (case.call(*inputs) ** 2).sum()
    first = torch.autograd.grad(loss, inputs, retain_graph=True)
    again = torch.autograd.grad(loss, inputs)
    for a, b in zip(first, again):
        assert torch.equal(a, b)
    assert_same(first, gradients(case.plain, case.inputs()))
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(loss, inputs)


@every_case
def test_a_gradient_is_not_differentiated_silently(case):
    """Kind: second derivatives that come out as 0, or that are left out of a sum."""
    inputs = case.inputs()
    first = torch.autograd.grad((case.call(*inputs) ** 2).sum(), inputs, create_graph=True)
    assert_same([g.detach() for g in first], gradients(case.plain, inputs))
    penalty = sum((g**2).sum() for g in first) + sum((t**2).sum() for t in inputs)
    with pytest.raises(RuntimeError, match=r"likewise.torch is differentiable once"):
        penalty.backward(retain_graph=True)
    for t in inputs:
        with pytest.raises(RuntimeError, match=r"likewise.torch is differentiable once"):
            torch.autograd.grad(penalty, t, retain_graph=True)


@every_case
@pytest.mark.parametrize("use_reentrant", [False, True])
def test_checkpoint(case, use_reentrant):
    """Kind: state of the forward pass that does not survive being computed again."""
    inputs = case.inputs()
    y = torch.utils.checkpoint.checkpoint(case.call, *inputs, use_reentrant=use_reentrant)
    (y**2).sum().backward()
    assert_same([t.grad for t in inputs], gradients(case.plain, inputs))


@every_case
def test_saved_tensors_may_be_moved(case):
    """Kind: state that hides from hooks of saved tensors (to disk, to another device)."""
    inputs = case.inputs()

    def elsewhere(t):
        file = io.BytesIO()
        torch.save(t.detach(), file)
        return file.getvalue()

    with torch.autograd.graph.saved_tensors_hooks(elsewhere, lambda b: torch.load(io.BytesIO(b))):
        found = gradients(case.call, inputs)
    assert_same(found, gradients(case.plain, inputs))


@every_case
def test_without_gradients(case):
    """Kind: outputs that pretend to have a graph, or lose their numbers in no_grad and inference_mode."""
    inputs = case.inputs()
    wanted = case.plain(*inputs)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            found = case.call(*inputs)
            torch.testing.assert_close(found, wanted, atol=1e-12, rtol=1e-9)
            assert not found.requires_grad
    assert not case.call(*(t.detach() for t in inputs)).requires_grad


@every_case
def test_float32(case):
    """Kind: a dtype that changes on the way."""
    y = case.call(*case.inputs(torch.float32))
    assert y.dtype == torch.float32
    torch.testing.assert_close(y.double(), case.plain(*case.inputs()), atol=2e-4, rtol=2e-4)
    found = gradients(case.call, case.inputs(torch.float32))
    assert {g.dtype for g in found} == {torch.float32}
    assert_same([g.double() for g in found], gradients(case.plain, case.inputs()), atol=3e-5, rtol=2e-3)


@every_case
def test_half_precision_needs_autocast(case):
    """Kind: half precision is refused with the way out; under autocast it is computed in float32."""
    halves = [t.detach().bfloat16() for t in case.inputs()]
    with pytest.raises(ValueError, match=r"must be float32 or float64; got torch.bfloat16. Use .*float\(\)"):
        case.call(*halves)
    inputs = [t.requires_grad_() for t in halves]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = case.call(*inputs)
    assert y.dtype == torch.float32
    wanted = case.plain(*(t.double() for t in inputs))
    torch.testing.assert_close(y.double(), wanted, atol=1e-3, rtol=1e-3)
    for g in torch.autograd.grad(y.sum(), inputs):
        assert g.dtype == torch.bfloat16


@every_case
def test_tensors_without_memory_here_are_refused(case):
    """Kind: a tensor of another device, or a sparse one, is an error of ours that names it."""
    inputs = case.inputs()
    for i in range(len(inputs)):
        strange = [*inputs[:i], inputs[i].to("meta"), *inputs[i + 1 :]]
        with pytest.raises(ValueError, match="must be on the CPU, where likewise computes; got meta"):
            case.call(*strange)
    with pytest.raises(ValueError, match=r"must be dense; got torch.sparse_coo. Use .*to_dense\(\)"):
        case.call(inputs[0].detach().to_sparse(), *inputs[1:])


@every_case
def test_threads(case):
    """Kind: state that passes share. Eight threads, and two that go back through one graph."""
    inputs = case.inputs()
    wanted = case.plain(*inputs), *gradients(case.plain, inputs)
    shared = (case.call(*inputs) ** 2).sum()
    found = []

    def work():
        for _ in range(5):
            found.append((case.call(*inputs), *gradients(case.call, inputs)))
            found.append((found[-1][0], *torch.autograd.grad(shared, inputs, retain_graph=True)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 80
    for each in found:
        assert_same(each, wanted)


@every_case
def test_empty_batches(case):
    """Kind: the last, empty part of some data."""
    inputs = case.inputs()
    empty = [t[:0] for t in inputs[: case.n_tokens]] + inputs[case.n_tokens :]
    y = case.call(*empty)
    assert y.shape == case.plain(*empty).shape
    for g, t in zip(torch.autograd.grad(y.sum(), inputs), inputs, strict=True):
        assert g.shape == t.shape
        assert not g.any()


def stacked(tensors):
    return [torch.stack([t, 0.5 * t]) for t in tensors]


@every_case
def test_transforms_of_torch_func(case):
    """Kind: functions that torch.func cannot look into: grad, vmap, both (a gradient a sample), jacrev."""
    inputs = [t.detach() for t in case.inputs()]
    every, first = tuple(range(len(inputs))), (0, *[None] * (len(inputs) - 1))
    found = []
    for call in (case.call, case.plain):

        def loss(*inputs, call=call):
            return (call(*inputs) ** 2).sum()

        def few(*inputs, call=call):
            return call(*inputs).flatten()[:3]

        grad, crossed = torch.func.grad(loss, every), [stacked(inputs)[0], *inputs[1:]]
        found.append([
            torch.func.vmap(call)(*stacked(inputs)),
            *grad(*inputs),
            *torch.func.vmap(grad)(*stacked(inputs)),
            *torch.func.vmap(grad, in_dims=first)(*crossed),
            *torch.func.jacrev(few, every)(*inputs),
        ])  # fmt: skip
    assert_same(*found)


@every_case
def test_transforms_that_are_nested(case):
    """Kind: what a pass keeps for its gradients, found by the place in another vmap than the one it is of."""
    inputs = [t.detach() for t in case.inputs()]
    samples = [torch.stack([t * s for s in (1.0, 0.5, 0.8, 0.3, 0.9)]) for t in inputs]
    every, first = tuple(range(len(inputs))), (0, *[None] * (len(inputs) - 1))
    vmap, jacrev = torch.func.vmap, torch.func.jacrev
    found = []
    for call in (case.call, case.plain):

        def few(*inputs, call=call):
            return call(*inputs).flatten()[:3]

        def asked(*inputs, few=few):
            y, back = torch.func.vjp(few, *inputs)
            return vmap(back)(torch.arange(6.0, dtype=y.dtype).reshape(2, 3) + y)

        jacobians = jacrev(few, every)
        grad = torch.func.grad(lambda *inputs, few=few: (few(*inputs) ** 2).sum(), every)
        twice = [torch.stack([t, 0.7 * t.flip(0), 0.6 * t]) for t in samples]
        found.append([
            *vmap(jacobians)(*samples),
            *vmap(jacrev(few, every, chunk_size=1))(*samples),
            *vmap(jacobians, in_dims=first)(samples[0], *inputs[1:]),
            *jacrev(vmap(few), every)(*samples),
            *vmap(asked)(*samples),
            *vmap(vmap(grad))(*twice),
            *vmap(vmap(grad), in_dims=1, out_dims=1)(*twice),
            *vmap(vmap(grad, in_dims=first))(twice[0], *(t[:3] for t in samples[1:])),
        ])  # fmt: skip
    assert_same(*found)


def masked_plainly(q, mask):
    """Attention of q to itself in plain torch; mask as that of scaled_dot_product_attention."""
    scores = q @ q.transpose(-1, -2) / q.shape[-1] ** 0.5
    return torch.softmax(scores.masked_fill(~mask, -torch.inf), -1) @ q


@pytest.mark.parametrize("kind", ["mask", "key_padding_mask"])
def test_vmap_over_masks(kind):
    """Kind: what is no tensor of autograd, but batched by vmap: a mask for each sample."""
    layer = lt.SelfAttention(4, 1, bias=False, dtype=torch.float64, random_state=0)
    with torch.no_grad():
        layer.in_proj_weight.copy_(torch.eye(4).repeat(3, 1))
        layer.out_proj.weight.copy_(torch.eye(4))
    samples = torch.randn(5, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    masks = torch.ones(5, 3, 3, dtype=torch.bool).tril()
    masks[1], masks[3, 2, 0] = True, False
    if kind == "key_padding_mask":
        masks = masks[:, 2:]

    def ours(x, mask):
        return layer(x, **{kind: mask})

    found = []
    for call in (ours, masked_plainly):

        def loss(x, mask, call=call):
            return (call(x, mask) ** 2).sum()

        vmap, grad = torch.func.vmap, torch.func.grad
        found.append([
            vmap(call)(samples, masks),
            vmap(call, in_dims=(None, 0))(samples[0], masks),
            vmap(call, in_dims=(0, None))(samples, masks[0]),
            vmap(grad(loss))(samples, masks),
            vmap(torch.func.jacrev(call))(samples, masks),
            vmap(vmap(grad(loss), in_dims=(None, 0)), in_dims=(0, None))(samples, masks),
        ])  # fmt: skip
    assert_same(*found)


@every_case
def test_batched_gradients_of_autograd_are_refused(case):
    """Kind: a batching that asks no function of ours says so, and what to do instead."""
    inputs = case.inputs()
    y = case.call(*inputs)
    way_out = r"no batched gradients of torch.autograd .*Use torch.func.jacrev or .*vectorize=False"
    with pytest.raises(RuntimeError, match=way_out):
        torch.autograd.grad(y, inputs, torch.stack([y, y]).detach(), is_grads_batched=True)
    with pytest.raises(RuntimeError, match=way_out):
        torch.autograd.functional.jacobian(lambda t: case.call(t, *inputs[1:]), inputs[0], vectorize=True)


@every_case
def test_transforms_that_are_not_served_say_so(case):
    """Kind: forward mode and second derivatives are refused, not answered wrongly."""
    inputs = [t.detach() for t in case.inputs()]
    with pytest.raises(NotImplementedError, match="jvp"):
        torch.func.jvp(case.call, tuple(inputs), tuple(inputs))
    slope = torch.func.grad(lambda t: (case.call(t, *inputs[1:]) ** 2).sum())
    with pytest.raises(RuntimeError, match=r"likewise.torch is differentiable once"):
        torch.func.grad(lambda t: (slope(t) ** 2).sum())(inputs[0])


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@pytest.mark.parametrize("name", ["kernel_attention", "layer"])
def test_a_loss_that_is_kept_does_not_keep_its_pass(name):
    """Kind: memory that lives as long as the loss instead of as long as the graph (80 passes of 3 MB)."""
    module = lt.SelfAttention(64, 1, random_state=0)
    x = torch.randn(1, 3000, 64)
    losses = []

    def step():
        if name == "layer":
            y = module(x)
        else:
            y = lt.kernel_attention(
                x[:, :16].requires_grad_(), x, x, lw.Mechanism(metric="dot", kernel=kernels.Exponential(8.0))
            )
        losses.append(y.mean())
        losses[-1].backward()

    for _ in range(5):
        step()
    before = resident_bytes()
    for _ in range(80):
        step()
    assert resident_bytes() - before < 40e6


def test_a_mask_that_is_edited_in_place():
    """Kind: what is no tensor of autograd, but read by the backward pass."""
    module = lt.L2Attention(6, 2, dtype=torch.float64, random_state=0)
    x = torch.randn(2, 4, 6, dtype=torch.float64, requires_grad=True)
    wanted = None
    for edited in (False, True):
        mask, padding = torch.ones(4, 4, dtype=torch.bool).tril(), torch.ones(2, 4, dtype=torch.bool)
        padding[1, 3] = False
        with torch.autograd.graph.saved_tensors_hooks(torch.clone, lambda t: t):
            y = module(x, mask=mask, key_padding_mask=padding)
        if edited:
            mask.fill_(True)
            padding.fill_(True)
        found = torch.autograd.grad((y**2).sum(), (x, *module.parameters()))
        assert_same(found, wanted or found, atol=0)
        wanted = found


def test_the_callers_threads_win():
    """Kind: a setting of the caller that torch's own replaces."""
    assert lt._threads() == torch.get_num_threads()
    with lw.execution(n_jobs=torch.get_num_threads() + 1):
        assert lt._threads() == torch.get_num_threads() + 1


def test_keys_that_are_none():
    """Kind: lengths of 0: a row that may attend to nothing is the mechanism's empty row."""
    q, k = torch.ones(2, 3, 4, requires_grad=True), torch.ones(2, 0, 4)
    m = lw.Mechanism(metric="dot", kernel=kernels.Exponential(1.0))
    y = lt.kernel_attention(q, k, k[..., :2], m)
    assert y.shape == (2, 3, 2)
    assert not y.any()
    assert not torch.autograd.grad(y.sum(), q)[0].any()
    for policy in ("nearest", "error"):
        with pytest.raises(ValueError, match="k must hold a key or more"):
            lt.kernel_attention(q, k, k, m.replace(empty_row=policy))
    with pytest.raises(ValueError, match="at least one row and one column"):
        lt.kernel_attention(q[..., :0], q[..., :0], q, m)
    layer = lt.SelfAttention(4, 2, random_state=0)
    with torch.no_grad():
        layer.out_proj.bias.copy_(torch.arange(4.0))
    torch.testing.assert_close(layer(q, k), torch.arange(4.0).expand(2, 3, 4))


def test_no_function_of_ours_is_left_out():
    """Kind: a new autograd function that no case above runs."""
    classes = [value for value in vars(lt).values() if isinstance(value, type)]
    ours = {c.__name__ for c in classes if issubclass(c, lt._Function) and not issubclass(c, lt._Gradient)}
    met = set()
    for case in CASES.values():
        node = case.call(*case.inputs()).grad_fn
        met.add(node.name().removesuffix("Backward"))
    assert ours == met | {"_Function", "_Pass"}
    assert {type(make()).__name__ for make in (*MODULES.values(), *NETWORKS.values())} == {
        name for name in lt.__all__ if isinstance(vars(lt)[name], type)
    }
