"""What compiled functions say of arguments of a wrong type: which one, what is allowed, what came.

pybind11 prints its signatures and every argument, arrays too. Here each function, method and constructor of
the extension is wrapped once, at import: a call that fits costs a tenth of a microsecond more; of one that
does not, the types in the function's signature tell which argument it was. Complex numbers, which pybind11
would take for real ones, are refused before.
"""

import copyreg
import functools
import inspect
import operator
import re
import types

import numpy as np

from likewise import _core
from likewise._checks import told

_MISFIT = re.compile(r"(\w+)\(\): incompatible (function|constructor) arguments")
_SIGNATURE = re.compile(r"^(?:\d+\. )?\w+\((.*)\) -> ", re.M)
# What pybind11 converts to a class where that is wanted: a support is what composes.
_ALSO = {"Support": {cls for cls in vars(_core).values() if inspect.isclass(cls) and hasattr(cls, "__and__")}}
_PLAIN = {"bool": (bool, np.bool_), "str": str, "dict": dict, "tuple": tuple, "list": list}


def _split(text):
    """The parts of a text at commas outside of brackets and quotes."""
    parts, depth, quoted, begin = [], 0, False, 0
    for at, letter in enumerate(text):
        quoted ^= letter == '"'
        depth += 0 if quoted else (letter in "[(") - (letter in "])")
        if letter == "," and not depth and not quoted:
            parts.append(text[begin:at].strip())
            begin = at + 1
    return [part for part in (*parts, text[begin:].strip()) if part]


def _overloads(function):
    """For each signature in a bound function's text, a list of (name, type, is optional) and how many of them
    may be given by position."""
    for arguments in _SIGNATURE.findall(function.__doc__ or ""):
        parts = [part for part in _split(arguments) if not part.startswith("self: ")]
        n_positional = parts.index("*") if "*" in parts else len(parts)
        named = [part.partition(": ") for part in parts if part not in ("*", "/")]
        yield [(name, kind.partition(" = ")[0], " = " in kind) for name, _, kind in named], n_positional


def _fits(value, kind):
    """(whether the value is of a type as pybind11 writes it, what is allowed in words)."""
    if kind.endswith(" | None"):
        fits, allowed = _fits(value, kind.removesuffix(" | None"))
        return value is None or fits, f"{allowed} or None"
    if kind.startswith("typing.SupportsFloat"):
        return _is_one(value, float), "a number"
    if kind.startswith("typing.SupportsInt"):
        return _is_one(value, operator.index), "an int"
    if kind in _PLAIN:
        return isinstance(value, _PLAIN[kind]), f"a {kind}"
    if "numpy" in kind:
        return _fits_array(value, kind)
    names = re.findall(r"likewise\.[\w.]*?(\w+)(?: \||$)", kind)
    if names:
        fits = any(cls.__name__ in names or cls in _ALSO.get(names[0], ()) for cls in type(value).__mro__)
        return fits, names[0] if len(names) == 1 else f"one of {', '.join(names)}"
    return True, kind


def _is_one(value, convert):
    """Whether the value is one number. Every array has the methods of a number, which then refuse."""
    if isinstance(value, str) or getattr(value, "shape", ()) != ():
        return False
    try:
        convert(value)
    except Exception:
        return False
    return True


def _fits_array(value, kind):
    dtype = re.search(r"numpy\.(float32|float64|bool|int64)", kind)
    allowed = f"an array of {dtype[1]}" if dtype else "an array"
    if "ArrayLike" not in kind:
        return isinstance(value, np.ndarray) and (not dtype or value.dtype == dtype[1]), allowed
    try:
        array = np.asarray(value, dtype and dtype[1])
    except (TypeError, ValueError):
        return False, allowed
    return array.ndim == 2 if '"[m, n]"' in kind else True, allowed


def _told(value):
    """The value in a few words: never the numbers of an array."""
    if value is None or isinstance(value, (bool, int, float, str, np.generic)):
        text = repr(value)
        return text if len(text) < 60 else f"{text[:50]}..."
    return told(value) if hasattr(value, "dtype") else f"an object of type {type(value).__name__}"


def _reason(function, called, args, kwargs):
    """The first argument that does not fit the signature that comes nearest."""
    found = None
    for wanted, n_positional in _overloads(function):
        names = [name for name, _, _ in wanted]
        given = {**dict(zip(names, args)), **kwargs}
        unknown = [name for name in kwargs if name not in names]
        missing = [name for name, _, optional in wanted if not optional and name not in given]
        if unknown or missing or len(args) > n_positional:
            others = "" if n_positional == len(names) else f", {n_positional} of them by position"
            wrong = [f"{called}() takes {', '.join(names) or 'nothing'}{others}; "]
            wrong[0] += (
                f"{missing[0]} is missing" if missing else f"got {unknown[0] if unknown else len(args)}"
            )
        else:
            fits = [(name, *_fits(given[name], kind)) for name, kind, _ in wanted if name in given]
            wrong = [
                f"{name} must be {allowed}; got {_told(given[name])}"
                for name, fit, allowed in fits
                if not fit
            ]
        if wrong and (found is None or len(wrong) < len(found)):
            found = wrong
    return f"{found[0]}." if found else f"{called}() got {', '.join(map(_told, args))}."


def _is_complex(value):
    return getattr(getattr(value, "dtype", None), "kind", None) == "c"


def _refuse_complex(function, args, kwargs):
    """pybind11 takes NumPy's complex numbers and arrays for real ones: imaginary parts are dropped."""
    wanted, _ = next(_overloads(function))
    given = {**dict(zip([name for name, _, _ in wanted], args)), **kwargs}
    name, value = next((name, value) for name, value in given.items() if _is_complex(value))
    raise ValueError(f"{name} must be real; got {value.dtype}.")


def _is_refusal(error, function):
    """Whether the function itself refused its arguments. A callback that it called may have been refused by
    something else that pybind11 bound, of any name."""
    misfit = _MISFIT.match(str(error))
    in_a_callback = error.__traceback__.tb_next is not None
    return misfit is not None and misfit[1] == function.__name__ and not in_a_callback


def _bettered(error, function, called, args, kwargs):
    """What is said instead of this error's words; None: they stay."""
    if type(error) is TypeError and _is_refusal(error, function):
        return _reason(function, called, args, kwargs)
    if type(error) not in (TypeError, ValueError) or error.__traceback__.tb_next is not None:
        return None
    said = str(error)
    for value in (*args, *kwargs.values()):
        if getattr(value, "shape", None) and hasattr(value, "dtype") and (text := repr(value)) in said:
            return said.replace(text, told(value))  # never the numbers of an array
    return None


def _wrapped(function, called, is_method=False):
    @functools.wraps(function)
    def call(*args, **kwargs):
        for value in (*args, *kwargs.values()) if kwargs else args:
            # _is_complex, written out: every call asks it of every argument
            if (dtype := getattr(value, "dtype", None)) is not None and getattr(dtype, "kind", None) == "c":
                _refuse_complex(function, args[1:] if is_method else args, kwargs)
        try:
            return function(*args, **kwargs)
        except (TypeError, ValueError) as error:
            message = _bettered(error, function, called, args[1:] if is_method else args, kwargs)
            if message is None:
                raise
            kind = type(error)
        raise kind(message)

    return call


def _reduce(self, protocol=2):
    """As pickle has it from protocol 2 on. Older ones call pybind11's base class, which aborts."""
    if not hasattr(type(self), "__setstate__"):
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")
    return copyreg.__newobj__, (type(self),), self.__getstate__()


def _wrap_class(cls):
    if "__reduce_ex__" not in vars(cls) and "__reduce__" not in vars(cls):
        cls.__reduce__ = cls.__reduce_ex__ = _reduce
    for name, member in list(vars(cls).items()):
        if name.startswith("__") and name not in ("__init__", "__repr__"):
            continue  # pprint, and so scikit-learn's printing of estimators, looks __repr__ up: it must hash
        if isinstance(member, staticmethod):
            setattr(cls, name, staticmethod(_wrapped(member.__func__, name)))
        elif callable(member) and not inspect.isclass(member):
            called = cls.__name__ if name == "__init__" else name
            setattr(cls, name, _wrapped(member, called, is_method=True))


def _wrap(module):
    for name, member in list(vars(module).items()):
        if inspect.isclass(member):
            _wrap_class(member)
        elif isinstance(member, types.BuiltinFunctionType):
            setattr(module, name, _wrapped(member, name))


_wrap(_core)
_wrap(_core.maps)
