"""What the kinds of shapes share: a kind draws a shape, a dict that JSON holds, and makes it a workload."""

from types import SimpleNamespace

import numpy as np

from likewise.bench import peers
from likewise.bench.workload import Comparison, Contender, Workload, likewise_way

SECONDS = 3.0  # what the peer may take for a call, by the rough model of its cost that each kind states
ASKED = ("ask", "fit and ask")  # a fitted model is asked; or fitting is timed too


def workload(kind, shape, inputs, contenders, compare, compared):
    """A workload of one shape; `inputs` is a function (rng, shape) -> data."""
    return Workload(
        name=kind,
        group=kind,
        title=words_of(shape),
        compared=compared,
        size={"shape": shape},
        quick={"shape": shape},
        inputs=lambda rng, shape: inputs(np.random.default_rng(shape["seed"]), shape),
        contenders=tuple(contenders),
        compare=compare,
        dtype=shape.get("dtype", "float64"),
    )


def words_of(shape):
    """A shape in one line."""
    said = (f"{value}" if isinstance(value, str) else f"{key} = {value}" for key, value in shape.items())
    return ", ".join(text for key, text in zip(shape, said) if key != "seed")


def ours(prepare, read=lambda result, data: result):
    """The contender of this library."""
    return likewise_way(prepare, read=read)


def theirs(name, peer, prepare, read=lambda result, data: result):
    """A contender of another library."""
    return Contender(name, peer, prepare, read=read)


def fitted_or_not(fit, ask):
    """prepare of a contender: what data.asked says is timed."""

    def prepare(data, threads):
        if data.asked != "ask":
            return lambda: ask(fit(data, threads), data)
        model = fit(data, threads)
        ask(model, data)
        return lambda: ask(model, data)

    return prepare


def largest_of(difference, tolerance, scale=1.0, detail=""):
    """A Comparison of an array of differences."""
    worst = float(np.max(np.abs(difference), initial=0.0) / scale) if np.size(difference) else 0.0
    return Comparison(worst, tolerance, detail)


__all__ = ["ASKED", "SECONDS", "SimpleNamespace", "fitted_or_not", "largest_of", "ours", "peers", "theirs",
           "words_of", "workload"]  # fmt: skip
