"""What is accepted wherever a slot value is: the value itself, its name, a function as a metric."""

import ast
import importlib
import inspect

from likewise import _core, kernels, maps, metrics, normalizations, propagations, supports
from likewise._checks import told


def _leaves(module, *others):
    """The types of a slot's values."""
    return frozenset((*(v for v in vars(module).values() if isinstance(v, type)), *others))


_METRICS, _KERNELS, _SUPPORTS = _leaves(metrics), _leaves(kernels), _leaves(supports, _core.Mask)
_MAPS = _leaves(maps)
_NORMALIZATIONS, _PROPAGATIONS = _leaves(normalizations), _leaves(propagations)


def _tell_signatures():
    """What inspect.signature and help show of a slot's class; pybind11 keeps it in a docstring."""
    for cls in (*_METRICS, *_KERNELS, *_SUPPORTS, *_NORMALIZATIONS, *_PROPAGATIONS, *_MAPS):
        cls.__signature__ = _signature(cls.__init__.__doc__)


def _signature(doc):
    """From "__init__(self: likewise.kernels.Gaussian, bandwidth: object = None) -> None"."""
    call = [line for line in doc.splitlines() if "__init__(self" in line][-1]
    arguments = ast.parse("def f" + call[call.index("(") :] + ": pass").body[0].args
    keyword_only = inspect.Parameter.KEYWORD_ONLY
    plain = inspect.Parameter.POSITIONAL_OR_KEYWORD
    without = len(arguments.args) - len(arguments.defaults)
    defaults = [None] * without + arguments.defaults
    parameters = [_parameter(a, d, plain) for a, d in zip(arguments.args[1:], defaults[1:])]
    parameters += [
        _parameter(a, d, keyword_only) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults)
    ]
    return inspect.Signature(parameters)


def _parameter(argument, default, kind):
    value = inspect.Parameter.empty if default is None else ast.literal_eval(default)
    return inspect.Parameter(argument.arg, kind, default=value)


_tell_signatures()


def as_metric(value, name="metric"):
    """A metric from a value of likewise.metrics, a name, or a function (X_block, Z_block) -> costs."""
    if type(value) in _MAPS:
        raise ValueError(
            f"{name} must be a metric, and a map is none: metrics.Mapped(map) compares what it gives; "
            f"got {told(value)}."
        )
    if type(value) not in _METRICS and callable(value) and not isinstance(value, type):
        return metrics.Custom(value)
    return _as_slot(value, name, _METRICS, metrics, "a metric, a function of two blocks")


def as_kernel(value, name="kernel"):
    """A kernel from a value of likewise.kernels or a name."""
    return _as_slot(value, name, _KERNELS, kernels, "a kernel")


def as_support(value, name="support"):
    """A support from a value of likewise.supports or a name."""
    return _as_slot(value, name, _SUPPORTS, supports, "a support")


def as_normalization(value, name="normalization"):
    """A normalization from a value of likewise.normalizations or a name."""
    return _as_slot(value, name, _NORMALIZATIONS, normalizations, "a normalization")


def as_propagation(value, name="propagation"):
    """A propagation from a value of likewise.propagations or a name."""
    return _as_slot(value, name, _PROPAGATIONS, propagations, "a propagation")


def _as_slot(value, name, types, module, allowed):
    if type(value) in types:  # of small work a good part would pass in looking through them one by one
        return value
    slot = module.__name__.rpartition(".")[2].removesuffix("s")
    if isinstance(value, str) and (name == slot or value in module.names()):
        return module.from_name(value)
    if isinstance(value, tuple(types)):
        return value
    known = ", ".join(map(repr, module.names()))
    error = ValueError if isinstance(value, str) else TypeError
    raise error(f"{name} must be {allowed} or one of the names {known}; got {told(value)}.")


def rebuild(module, name, fields):
    """The value of that name with those fields: how slot values are unpickled."""
    return getattr(importlib.import_module(module), name)(**fields)
