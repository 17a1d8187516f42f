"""The arms: what the propagation modules compare rows by, as settings of one network.

Each differs from its neighbor in one thing, so that a difference between metric and dot can be laid to one.
"""

from dataclasses import dataclass
from typing import Callable, Optional

import numpy as np

from likewise.nn import PropagationNetwork

REFERENCE = "dot"
SUBJECT = "metric"


@dataclass(frozen=True)
class Arm:
    """One way to compare rows.

    Attributes
    ----------
    name, title, formula : str; formula is of the weight of row z for row h, before rows sum to 1
    attention : function (embed_dim) -> name or options of a module
    has_modules : bool; without them the two linear maps are all there is
    start : function (PropagationNetwork), called before training; None: as drawn
    on_graphs_only : bool
    """

    name: str
    title: str
    formula: str
    attention: Callable
    has_modules: bool = True
    start: Optional[Callable] = None
    on_graphs_only: bool = False

    def network(self, experiment, n_features, n_classes, n_layers, residual, seed):
        """The untrained network, in float32 as the paper's framework has it."""
        network = PropagationNetwork(
            n_features,
            n_classes,
            experiment.embed_dim,
            n_layers if self.has_modules else 0,
            self.attention(experiment.embed_dim),
            residual=residual and self.has_modules,
            dtype="float32",
            random_state=seed,
        )
        if self.start is not None:
            self.start(network)
        return network


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
        "learn_temperature": False,
    }


def _width_of_as_many(embed_dim):
    """Hidden units of phi, w (2 d + 1) + d numbers, with which it has closest to dot's 2 d^2."""
    return max(1, round((2 * embed_dim**2 - embed_dim) / (2 * embed_dim + 1)))


def _start_at_identity(network):
    """Q = K = I: a module starts as smoothing by <h, z>, not by a random form."""
    state = network.state_dict()
    for name, part in state.items():
        if name.endswith("in_proj_weight"):
            part[:] = np.tile(np.eye(part.shape[1]), (2, 1))
    network.load_state_dict(state)


ARMS = (
    Arm("none", "no attention", "no modules: two linear maps", lambda d: "dot", has_modules=False),
    Arm("dot", "dot", "exp <Qh, Kz>", lambda d: "dot"),
    Arm("dot_identity", "dot from I", "exp <Qh, Kz>, Q = K = I at the start", lambda d: "dot", True,
        _start_at_identity),
    Arm("dot_phi", "dot of phi's", "exp <φ(h), φ(z)>", lambda d: _bare("dot", d)),
    Arm("l2", "l2", "exp −|Wh − Wz|²", lambda d: "l2"),
    Arm("metric", "metric", "exp −|φ(h) − φ(z)|²", lambda d: "metric"),
    Arm("metric_small", "metric, dot's size", "exp −|φ(h) − φ(z)|², as many numbers as Q and K",
        lambda d: _bare("sqdist", _width_of_as_many(d))),
)  # fmt: skip
NAMES = tuple(arm.name for arm in ARMS)


def get(name):
    """The arm of that name."""
    return next(arm for arm in ARMS if arm.name == name)


def names_for(graph):
    """Names of the arms that can be compared on a graph, or without one."""
    return tuple(arm.name for arm in ARMS if graph or not arm.on_graphs_only)
