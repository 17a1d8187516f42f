"""What is measured: a workload is one question at one size; contenders are the libraries that answer it."""

import importlib.util
from dataclasses import dataclass
from typing import Callable, Optional

import numpy as np

OURS = "likewise"


@dataclass(frozen=True)
class Peer:
    """A library that is measured beside ours.

    Attributes
    ----------
    module : str, what is imported
    distribution : str, whose version is recorded
    requirement : str, what pip installs
    """

    module: str
    distribution: str
    requirement: str = ""

    @property
    def installed(self):
        """Whether this Python can import it."""
        return importlib.util.find_spec(self.module.split(".")[0]) is not None

    @property
    def install_line(self):
        """How to get it."""
        return f"pip install {self.requirement or self.distribution}"


@dataclass(frozen=True)
class Contender:
    """One library's way to answer.

    Attributes
    ----------
    name : str, as it is shown; ours begin with "likewise"
    peer : Peer
    prepare : function (data, threads) -> function () -> result
        Set-up that is not timed, such as wrapping arrays. Building an index or an operator is work
        and belongs into what is returned.
    read : function (result, data) -> what the workload compares; not timed
    against : str, the contender of ours with the same dtype that it is compared with
    dtype : str, or None for the workload's
    flops : function (size) -> number or None
        For a yardstick, which answers another question: the ratio is then of flops a second, and nothing is
        compared.
    unavailable : function () -> str, why this version of the library cannot answer, "" if it can
    note : str, the options that were chosen, for the report
    """

    name: str
    peer: Peer
    prepare: Callable
    read: Callable = lambda result, data: result
    against: str = OURS
    dtype: Optional[str] = None
    flops: Optional[Callable] = None
    unavailable: Callable = lambda: ""
    note: str = ""

    @property
    def is_ours(self):
        """Whether it is a way of this library."""
        return self.peer.module == "likewise"


@dataclass(frozen=True)
class Comparison:
    """How far two answers are apart: `difference` may be `tolerance` at most; `detail` says more in words."""

    difference: float
    tolerance: float
    detail: str = ""

    @property
    def same(self):
        """Whether the answers count as equal; NaN is no answer."""
        return bool(self.difference <= self.tolerance)


@dataclass(frozen=True)
class Workload:
    """A question at one size.

    Attributes
    ----------
    name : str; group : str, what --only may say as well
    title : str, one line
    compared : str, what the difference is taken of
    size : dict, such as n, d, k; quick : dict, the size with --quick
    inputs : function (rng, **size) -> data, any object
    contenders : tuple of Contender, ours first
    compare : function (ours, theirs, data) -> Comparison
    reference : function (data) -> (rows, values) in float64, or None
        What the first answers of both should be; both must be within the same tolerance of it.
    dtype : str
    flops : function (size) -> number, or None; needed for a yardstick
    streamed : bool, the goal of peak memory applies
    sizes : tuple of n; with more than one, growth with n is measured
    seconds : float, roughly what it takes with one number of threads; weighs the progress bar
    process : str, workloads that share it run in one process; its own name if empty
    """

    name: str
    group: str
    title: str
    compared: str
    size: dict
    quick: dict
    inputs: Callable
    contenders: tuple
    compare: Callable
    reference: Optional[Callable] = None
    dtype: str = "float32"
    flops: Optional[Callable] = None
    streamed: bool = False
    sizes: tuple = ()
    quick_sizes: tuple = ()
    seconds: float = 30.0
    process: str = ""

    def size_of(self, quick, override=None):
        """The size to run at: {name: number}."""
        return {**(self.quick if quick else self.size), **(override or {})}

    def contender(self, name):
        """The contender of that name."""
        return next(contender for contender in self.contenders if contender.name == name)


def largest_difference(tolerance):
    """A compare: largest difference of the answers in units of the largest value, at most `tolerance`."""

    def compare(ours, theirs, data):
        ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        if ours.shape != theirs.shape:
            return Comparison(np.inf, tolerance, f"shapes {ours.shape} and {theirs.shape}")
        scale = np.abs(theirs).max() or 1.0
        return Comparison(float(np.abs(ours - theirs).max() / scale), tolerance)

    return compare


def as_arrays(result, data):
    """PyTorch's tensors as arrays."""
    return [tensor.detach().numpy() for tensor in result]


def worst_array(tolerance):
    """compare of outputs and gradients: the largest difference of an array / its largest value."""

    def compare(ours, theirs, data):
        apart = [float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-6)) for a, b in zip(ours, theirs)]
        return Comparison(max(apart), tolerance)

    return compare


def likewise_way(prepare, name=OURS, **fields):
    """A contender of this library."""
    return Contender(name, Peer("likewise", "likewise"), prepare, **fields)


def spaced(n):
    """16 384 of 16384."""
    return f"{n:,}".replace(",", " ")
