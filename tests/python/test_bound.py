"""Errors of compiled functions: the argument, what is allowed, what came; never a signature or an array.

Kind: an argument goes straight into a compiled function, whose refusal is pybind11's own text.
"""

import inspect

import numpy as np
import pytest
from contourpy import max_threads  # another library's that pybind11 has bound; comes with matplotlib

import likewise as lw
from likewise import _core

X = np.random.default_rng(0).normal(size=(20, 3))


class Odd:
    """Nothing that any function takes."""


def bound():
    """Every function, constructor and method of the extension, by name."""
    for name, member in vars(_core).items():
        if inspect.isclass(member):
            for method in ["__init__", *(n for n in vars(member) if not n.startswith("__"))]:
                call = inspect.getattr_static(member, method)
                if callable(call) or isinstance(call, staticmethod):
                    yield f"{name}.{method}", getattr(member, method)
        elif callable(member):
            yield name, member


@pytest.mark.parametrize("call", [pytest.param(call, id=name) for name, call in bound()])
def test_no_compiled_function_prints_signatures_or_arrays(call):
    for args in ((), (Odd(),) * 3, (Odd(),) * 30, (X, X), (X,) * 5):
        for kwargs in ({}, {"nothing_of_this_name": X}):
            try:
                call(*args, **kwargs)
            except TypeError as error:
                said = str(error)
                assert "incompatible" not in said and "Invoked with" not in said, said
                assert f"{X[0, 0]:.6f}"[:7] not in said, said


P = lw.Mechanism(kernel=lw.kernels.Gaussian(1.0)).operator(X)
CALLS = {
    "attention": (
        lw.attention,
        {"q": X, "k": X, "v": X},
        ("temperature", "is_causal", "mask", "key_padding_mask", "log_key_weights"),
    ),
    "l2_attention": (
        lw.l2_attention,
        {"q": X, "k": X, "v": X},
        ("temperature", "is_causal", "q", "k", "v"),
    ),
    "kneighbors": (lw.kneighbors, {"X": X}, ("n_neighbors",)),
    "eigsh": (P.eigsh, {"k": 2}, ("k",)),
    "power": (P.power, {"t": 2}, ("t",)),
    "heat": (P.heat, {"t": 1.0}, ("t",)),
    "operator": (lw.Mechanism().operator, {"X": X}, ("storage",)),
    "HopfieldMemory": (lambda **p: lw.HopfieldMemory(**p).fit(X), {}, ("temperature", "max_iter", "tol")),
    **{
        leaf.__name__: (leaf, {}, (field,))
        for leaf, field in (
            (lw.kernels.Gaussian, "bandwidth"),
            (lw.kernels.Exponential, "temperature"),
            (lw.supports.Neighbors, "n_neighbors"),
            (lw.supports.Radius, "radius"),
            (lw.metrics.Minkowski, "p"),
            (lw.metrics.Mahalanobis, "factor"),
            (lw.normalizations.Density, "alpha"),
        )
    },
}


@pytest.mark.parametrize(
    ("call", "given", "name"),
    [
        pytest.param(call, given, name, id=f"{of}-{name}")
        for of, (call, given, names) in CALLS.items()
        for name in names
    ],
)
@pytest.mark.parametrize("bad", ["a", Odd(), [1, "b"]], ids=["text", "object", "list"])
def test_a_wrong_type_names_its_argument(call, given, name, bad):
    with pytest.raises((TypeError, ValueError), match=rf"\b{name} must") as caught:
        call(**{**given, name: bad})
    assert len(str(caught.value)) < 500


class Callback:
    """A metric whose body is refused by something else that pybind11 bound, of its own name or another."""

    def __init__(self, body):
        self.body = body

    def __call__(self, queries, keys):
        self.body()
        return np.zeros((len(queries), len(keys)))


def a_refusal(name):
    """Raises what pybind11 raises of this name: its text, from a function that is none of ours."""

    def refuse():
        raise TypeError(f"{name}(): incompatible function arguments. The following are supported: ...")

    return refuse


@pytest.mark.parametrize(
    "refuse",
    [a_refusal("c2c"), a_refusal("operator"), a_refusal("self_operator"), lambda: max_threads("x")],
    ids=["other", "same", "self_operator", "pybind11"],
)
def test_errors_inside_a_callback_stay_what_they_are(refuse):
    """Kind: an error of the user's own code that is taken for one about our arguments."""
    metric = lw.metrics.Custom(Callback(refuse), distance_power=1)
    with pytest.raises(TypeError) as direct:
        refuse()
    model = lw.KernelRegressor(metric=metric, bandwidth=1.0)
    for ask in (
        lambda: model.fit(X, X[:, 0]).predict(X),
        lambda: lw.kneighbors(X, metric=metric, n_neighbors=2),
        lambda: lw.Mechanism(metric=metric, kernel=lw.kernels.Gaussian(1.0)).operator(X) @ X,
    ):
        with pytest.raises(TypeError) as caught:
            ask()
        assert str(caught.value) == str(direct.value)


def test_what_is_said():
    for call, said in (
        (lambda: lw.attention(X, X, X, temperature="a"), "temperature must be a number or None; got 'a'."),
        (lambda: lw.kernels.Gaussian(1, 2), "Gaussian() takes bandwidth; got 2."),
        (lambda: lw.kernels.Gaussian(bandwith=2), "Gaussian() takes bandwidth; got bandwith."),
        (lambda: _core.kmeans(X, n_clusters=2.5), "n_clusters must be an int; got 2.5."),
        (
            lambda: _core.kmeans(X),
            "kmeans() takes X, n_clusters, n_init, max_iter, tol, seed, 1 of them by "
            "position; n_clusters is missing.",
        ),
        (lambda: _core.metric_loss(X, X, X.tolist(), 3, 1.0), "loss must be a str; got 3."),
    ):
        with pytest.raises(TypeError) as caught:
            call()
        assert str(caught.value) == said
