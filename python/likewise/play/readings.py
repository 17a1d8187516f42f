"""What one operator says of the points: a state to an answer, with no HTTP in it.

An answer is JSON. Its views are readings of the same P; a view that these slots do not define holds the
library's own message instead. Arrays travel as base64 of their little-endian numbers.
"""

import base64
import re
import time
import warnings
from functools import cached_property

import numpy as np

from likewise import _core, kernels, normalizations, propagations, supports
from likewise._errors import ConvergenceError
from likewise._mechanism import SLOTS, Mechanism
from likewise.play import programs
from likewise.play.calls import call_of
from likewise.play.programs import N_PAIRS, SIDE, TOL
from likewise.play.state import DIALS, State

PATIENCE = DIALS["patience"]  # steps of an iterative solver before the system of an equilibrium is factorized
_REFUSALS = (ValueError, TypeError, ConvergenceError)


def ask(given):
    """The answer to a state as JSON has it; a ValueError names what does not fit.

    Returns
    -------
    dict : state, as it was understood; equation, (name, formula, value) of each slot; problem, the library's
        message where there is no operator, else ""; bandwidth; views; python, cpp: programs that make the
        same; milliseconds
    """
    start, state = time.perf_counter(), State.from_json(given)
    found = _answer(state)
    return {**found, "state": state.to_json(), "milliseconds": 1000 * (time.perf_counter() - start)}


def mechanism_of(state):
    """The mechanism that the dials make."""
    return Mechanism(**{slot: call_of(slot, state.slots[slot]).value() for slot in SLOTS})


def places():
    """The grid (SIDE^2, 2): rows from the lower edge of the plane, each from its left."""
    line = np.linspace(-DIALS["plane"], DIALS["plane"], SIDE)
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)


def winners(shares):
    """The class of the largest share of each row (n, c), -1 where there are none but 0."""
    shares = np.nan_to_num(np.asarray(shares))
    return np.where(shares.any(axis=1), shares.argmax(axis=1), -1)


def effective_neighbors(P):
    """How many keys each row of P (n, n) hears: exp of the entropy of its shares, 0 of an empty row."""
    sums = P.sum(axis=1, keepdims=True)
    shares = np.divide(P, sums, out=np.zeros_like(P), where=sums > 0)
    entropy = -np.sum(shares * np.log(np.where(shares > 0, shares, 1)), axis=1)
    return np.where(sums[:, 0] > 0, np.exp(entropy), 0.0)


class Reading:
    """An operator with its points; what several views look at is computed once."""

    def __init__(self, state):
        self.state, self.X, self.classes, self.held = state, state.points, state.classes, state.held
        self.mechanism = mechanism_of(state)
        self.P = self.mechanism.operator(self.X)
        self.V = np.eye(1 + max(1, self.classes.max()))[self.classes]  # one-hot, of two classes at least

    @cached_property
    def held_values(self):
        """The one-hot classes of held points, 0 of the others."""
        return self.V * self.held[:, None]

    @cached_property
    def dense(self):
        return self.P.toarray()

    @cached_property
    def pairs(self):
        """The largest eigenpairs; a ValueError where all are alike, so that none says anything."""
        if len(self.X) > 1 and np.count_nonzero(self.dense) == np.count_nonzero(self.dense.diagonal()):
            raise ValueError(
                "P must join points to have eigenvectors that tell them apart; each hears none but itself."
            )
        return self.P.spectrum(min(N_PAIRS, len(self.X)), tol=TOL)

    @cached_property
    def at_places(self):
        """The values (places, classes) of one step from the points to new places."""
        return _across(self.mechanism, self.P, self.X) @ self.V


# --- the views: a Reading to what is drawn ------------------------------------------------------------------


def _matrix(of):
    """P by rows, each as square roots of shares of its largest entry in 8 bits."""
    P = of.dense
    largest = P.max(axis=1, keepdims=True)
    shares = np.divide(P, largest, out=np.zeros_like(P), where=largest > 0)
    return {
        "weights": packed(np.round(255 * np.sqrt(shares)), np.uint8),
        "largest": packed(largest[:, 0]),
        "sums": packed(P.sum(axis=1)),
        "effective": packed(effective_neighbors(P)),
    }


def _regression(of):
    """Of each class its share at each place."""
    values = of.at_places
    low, high = finite(values.min()), finite(values.max())
    return {"values": packed(values.T), "side": SIDE, "low": low, "high": high}


def _boundary(of):
    """Whose each place is follows from the regression; of the points themselves one step says it."""
    of.at_places  # noqa: B018  where there is no surface there is no boundary
    own = winners(of.P @ of.V)
    return {"own": packed(own, np.int8), "agreement": float(np.mean(own == of.classes))}


def _clusters(of):
    """k-means of the first eigenvectors of the walk, as many as clusters."""
    count = programs.n_clusters(of.state)
    vectors = np.ascontiguousarray(walk_vectors(of.P, of.pairs.vectors)[:, :count])
    labels = like_classes(_core.kmeans(vectors, n_clusters=count)[1], of.classes)
    return {"labels": packed(labels, np.int8), "count": count, "eigenvalues": of.pairs.values.tolist()}


def like_classes(labels, classes):
    """The same clusters, numbered by the mean class of their points, so that their marks are alike."""
    found, places = np.unique(labels, return_inverse=True)
    means = [classes[labels == label].mean() for label in found]
    return np.argsort(np.argsort(means, kind="stable"))[places]


def walk_vectors(P, vectors):
    """Eigenvectors (n, k) as those of the random walk: of Symmetric operators u_i / sqrt(D_i)."""
    if not isinstance(P.mechanism.normalization, normalizations.Symmetric):
        return vectors
    return vectors / np.exp(np.nan_to_num(P.log_row_sums, neginf=0.0) / 2)[:, None]  # empty rows as they are


def _diffusion(of):
    """The second and third eigenvector, times their eigenvalues to a power."""
    if len(of.X) < 3:
        raise ValueError("points must be at least 3 for two coordinates beside the constant one.")
    power = programs.power(of.state)
    coordinates = of.pairs.vectors[:, 1:3] * of.pairs.values[1:3] ** power
    return {"coordinates": packed(coordinates), "power": power, "eigenvalues": of.pairs.values[:3].tolist()}


def _labels(of):
    """Where the labels of held points come to rest."""
    alpha = getattr(of.mechanism.propagation, "alpha", None)
    if not of.held.any():
        raise ValueError("held must be true of one point at least: its label is what spreads.")
    how = {"clamped": of.held} if alpha is None else {"alpha": alpha}
    F, _ = of.P.equilibrium(of.held_values, **how, max_iter=PATIENCE)
    rest = ~of.held
    found = winners(F)
    right = float(np.mean(found[rest] == of.classes[rest])) if rest.any() else 1.0
    told = {"values": packed(F, np.float64), "labels": packed(found, np.int8)}
    return {**told, "right": right, "alpha": alpha, "unreached": int(np.sum(found < 0))}


def _moved(of):
    """Attention whose values are the points: where one step takes each."""
    ends = of.P @ of.X
    return {"ends": packed(ends), "mean_move": finite(np.linalg.norm(ends - of.X, axis=1).mean())}


def _propagated(of):
    """What the fifth slot says is done."""
    how = of.mechanism.propagation
    if isinstance(how, propagations.Spectrum):
        return {"kind": "spectrum", "eigenvalues": of.pairs.values[: how.n].tolist()}
    if isinstance(how, propagations.Steps) and how.moving == "points":
        return {"kind": "points", "ends": packed(of.mechanism.propagate(of.X))}
    if isinstance(how, propagations.Equilibrium):
        return {"kind": "values", **_labels(of)}
    F = propagated_values(of.P, how, of.V)
    return {"kind": "values", "values": packed(F, np.float64), "labels": packed(winners(F), np.int8)}


def propagated_values(P, how, V):
    """P V, P^t V or exp(-t (I - P)) V of an operator that is at hand."""
    if isinstance(how, propagations.Steps):
        return P.power(how.t, V)
    return P.heat(how.t, V) if isinstance(how, propagations.Heat) else P @ V


VIEWS = {
    "matrix": _matrix,
    "regression": _regression,
    "boundary": _boundary,
    "clusters": _clusters,
    "diffusion": _diffusion,
    "labels": _labels,
    "moved": _moved,
    "propagated": _propagated,
}


# --- the answer ---------------------------------------------------------------------------------------------


def _answer(state):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            of = Reading(state)
    except _REFUSALS as problem:
        views = {name: {"problem": str(problem)} for name in VIEWS}
        return _told(state, str(problem), None, views)
    return _told(state, "", _bandwidth(of), {name: _view(view, of) for name, view in VIEWS.items()})


def _told(state, problem, bandwidth, views):
    defined = {name for name, view in views.items() if "problem" not in view}
    return {
        "equation": _equation(state),
        "problem": problem,
        "bandwidth": bandwidth,
        "views": views,
        "python": programs.python(state, defined),
        "cpp": programs.cpp(state, defined),
    }


def _view(view, of):
    """What a view shows, with the library's warnings as notes; or why it is not defined."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = view(of)
        except _REFUSALS as problem:
            return {"problem": str(problem)}
    return {**found, "notes": [str(warning.message) for warning in caught]}


def _equation(state):
    """(slot, formula, value) of each slot, of the lines that the mechanism prints."""
    lines = mechanism_of(state).equation().rstrip("\n").split("\n")[1 : 1 + len(SLOTS)]
    parts = (re.split(r"\s{2,}", line[22:].strip(), maxsplit=1) for line in lines)
    return [[slot, *part] for slot, part in zip(SLOTS, parts)]


def _bandwidth(of):
    """The length that was given or found, whether each point has its own; None of a kernel without one."""
    if not hasattr(of.P.mechanism.kernel, "bandwidth") or of.P.mechanism.kernel == kernels.Indicator():
        return None
    found = of.P.bandwidth
    each = found.row_scale is not None and len(found.row_scale) > 0
    return {"rule": found.rule, "length": float(found.length), "each": each}


def _across(mechanism, P, X):
    """The operator from the places of the plane, which have no index, to the points."""
    support = mechanism.support
    if isinstance(support, (supports.Causal, supports.Window)):
        raise ValueError(f"support must be one of places, not of positions in a row; got {support!r}.")
    rule = mechanism.normalization
    if isinstance(rule, (normalizations.Column, normalizations.Global)):  # a place's value is the grid's then
        raise ValueError(
            f"normalization must be one whose rows stand alone, as RowStochastic(); got {rule!r}."
        )
    if isinstance(support, supports.LeaveOneOut):  # a new place is none of the points: nothing is left out
        P = mechanism.replace(support=supports.AllPairs()).operator(X)
    return P.at(places())


def finite(number):
    """The number as JSON has it; None of one that is not finite."""
    return float(number) if np.isfinite(number) else None


def packed(array, dtype=np.float32):
    """An array as base64 of its numbers, with its shape."""
    numbers = np.ascontiguousarray(array, dtype=np.dtype(dtype).newbyteorder("<"))
    name = np.dtype(dtype).name
    return {name: base64.b64encode(numbers).decode("ascii"), "shape": list(numbers.shape)}


def unpacked(told):
    """The array that `packed` made."""
    (name, text), (_, shape) = told.items()
    return np.frombuffer(base64.b64decode(text), dtype=np.dtype(name).newbyteorder("<")).reshape(shape)
