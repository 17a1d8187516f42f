"""The arms: what modules compare rows by, as settings of one network.

Each differs from its neighbor in one thing, so that a difference between metric and dot can be laid to one.
"""

from dataclasses import dataclass
from typing import Callable, Optional

import numpy as np

from likewise.nn import PropagationNetwork
from likewise.nn._model import Model
from likewise.nn._network import module_settings

REFERENCE = "dot"
SUBJECT = "metric"
NUM_HEADS, MLP_RATIO = 2, 2.0  # of the blocks that read sequences


@dataclass(frozen=True)
class Arm:
    """One way to compare rows, or tokens.

    Attributes
    ----------
    name, title, formula : str; formula is of the weight of row z for row h, before rows sum to 1
    module : function (embed_dim) -> name or options of a propagation module
    block : function (features of a head) -> options of a Transformer block's heads; None: not compared there
    has_modules : bool; without them the maps before and after are all there is
    start : function (model), called before training; None: as drawn
    kinds : tuple of str, the kinds of experiments that it is compared on
    """

    name: str
    title: str
    formula: str
    module: Callable
    block: Optional[Callable]
    has_modules: bool = True
    start: Optional[Callable] = None
    kinds: tuple = ("rows", "graph", "sequence")

    def network(self, cell, embed_dim, n_features, n_classes):
        """The untrained network of rows, in float32 as the paper's framework has it."""
        options = {
            **module_settings(self.module(embed_dim), embed_dim),
            "learn_temperature": cell.learn_temperature,
        }
        network = PropagationNetwork(
            n_features,
            n_classes,
            embed_dim,
            cell.n_layers if self.has_modules else 0,
            options,
            residual=cell.residual and self.has_modules,
            dtype="float32",
            random_state=cell.seed,
        )
        return self._started(network)

    def transformer(self, cell, embed_dim, n_tokens, n_features, n_classes):
        """The untrained Transformer of sequences, with the usual block around the score."""
        options = {
            "n_tokens": n_tokens,
            "n_features": n_features,
            "n_outputs": n_classes,
            "n_layers": cell.n_layers if self.has_modules else 0,
            "embed_dim": embed_dim,
            "num_heads": NUM_HEADS,
            "mlp_ratio": MLP_RATIO,
            "pooling": "mean",
            "position_std": 1.0,
            "learn_temperature": cell.learn_temperature,
            **self.block(embed_dim // NUM_HEADS),
        }
        return self._started(Model(options, cell.seed, "float32"))

    def _started(self, model):
        if self.start is not None:
            self.start(model)
        return model


def _bare(score, map_width):
    """Options of a module that sees rows through phi, and is the published one in all else."""
    return {
        "score": score,
        "tied": True,
        "map_width": map_width,
        "project": False,
        "values": False,
        "bias": False,
        "temperature": 1.0,
    }


def _width_of_as_many(embed_dim):
    """Hidden units of phi, w (2 d + 1) + d numbers, with which it has closest to dot's 2 d^2."""
    return max(1, round((2 * embed_dim**2 - embed_dim) / (2 * embed_dim + 1)))


def _mapped(score):
    return lambda head_dim: {"score": score, "tied": True, "map_width": head_dim, "temperature": 1.0}


def _untied_dot(head_dim):
    return {"score": "dot", "tied": False}


def _tied_distance(head_dim):
    return {"score": "sqdist", "tied": True}


def _start_at_identity(model):
    """Q = K = I: a module starts as smoothing by <h, z>, not by a random form."""
    state = model.state_dict()
    for name, part in state.items():
        if name.endswith("in_proj_weight"):  # Q above K, and above V where there are maps of values
            part[: 2 * part.shape[1]] = np.tile(np.eye(part.shape[1]), (2, 1))
    model.load_state_dict(state)


ARMS = (
    Arm("none", "no attention", "no modules: the maps before and after alone", lambda d: "dot", _untied_dot,
        has_modules=False),
    Arm("dot", "dot", "exp <Qh, Kz>", lambda d: "dot", _untied_dot),
    Arm("dot_identity", "dot from I", "exp <Qh, Kz>, Q = K = I at the start", lambda d: "dot", _untied_dot,
        start=_start_at_identity),
    Arm("dot_phi", "dot of phi's", "exp <φ(h), φ(z)>", lambda d: _bare("dot", d), _mapped("dot")),
    Arm("l2", "l2", "exp −|Wh − Wz|²", lambda d: "l2", _tied_distance),
    Arm("metric", "metric", "exp −|φ(h) − φ(z)|²", lambda d: "metric", _mapped("sqdist")),
    # With two heads a block's metric has as many numbers as its dot already.
    Arm("metric_small", "metric, dot's size", "exp −|φ(h) − φ(z)|², as many numbers as Q and K",
        lambda d: _bare("sqdist", _width_of_as_many(d)), None, kinds=("rows", "graph")),
    Arm("additive", "additive", "exp −act(⟨a, Ph⟩ + ⟨a′, Pz⟩), graph attention", lambda d: "additive", None,
        kinds=("graph",)),
)  # fmt: skip
NAMES = tuple(arm.name for arm in ARMS)


def get(name):
    """The arm of that name."""
    return next(arm for arm in ARMS if arm.name == name)


def names_for(kind):
    """Names of the arms that are compared on experiments of that kind."""
    return tuple(arm.name for arm in ARMS if kind in arm.kinds)
