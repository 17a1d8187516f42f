"""What is run: tasks of cells, and the record of each. A cell that fails is a record, not an end."""

import functools
import time
import warnings
from dataclasses import dataclass
from typing import Optional

from likewise import datasets, execution
from likewise._mechanism import SLOTS
from likewise.study import dials, methods
from likewise.study.splits import make_split

# Where the two curves say something: a density to remove, a bandwidth to choose. Your own data has both.
CURVE_METHODS = {
    "density_alpha": ("kernel_regression", "spectral_clustering", "diffusion_maps"),
    "bandwidth": (
        "kernel_regression",
        "spectral_clustering",
        "diffusion_maps",
        "label_spreading",
        "l2_attention",
    ),
}
CURVE_DATA = {
    "density_alpha": ("uneven_circle", "blobs", "spirals", "iris", "digits", "diabetes"),
    "bandwidth": ("two_moons", "spirals", "iris", "digits", "breast_cancer", "diabetes"),
}
MESSAGE_LENGTH = 300
OK, REFUSED, FAILED = "ok", "refused", "failed"
OWN = "own"  # the dial, and its value, of a method as it is before any slot is turned
RECORD = (
    *("dial", "value", "method", "dataset", "task", "repeat", "score_name", "score", "overlap", "seconds"),
    *("status", "message", "warnings", *SLOTS),
)


@dataclass(frozen=True)
class Task:
    """All cells of one method on one split: what one worker does at a time.

    Attributes
    ----------
    source, target : name of a data set, or path of a .csv file and its target column
    dataset, task, method : str
    repeat, n_samples, seed : int
    cells : tuple of (dial name, value name)
    """

    source: str
    target: Optional[str]
    dataset: str
    task: str
    method: str
    repeat: int
    n_samples: int
    seed: int
    cells: tuple


def plan(settings, data):
    """Every task of a study, all methods and data sets of one repeat before the next.

    So an interrupted study has few splits of everything rather than every split of a few.
    """
    return [
        Task(
            source=source,
            target=settings.target,
            dataset=dataset.name,
            task=dataset.task,
            method=method,
            repeat=repeat,
            n_samples=settings.n_samples,
            seed=settings.seed,
            cells=((OWN, OWN), *_slot_cells(settings), *_curve_cells(method, dataset.name)),
        )
        for repeat in range(settings.repeats)
        for source, dataset in zip(settings.data, data)
        for method in settings.methods
        if dataset.task in methods.get(method).tasks
    ]


def _slot_cells(settings):
    return tuple((dial.name, value) for dial in dials.SLOT_DIALS for value in settings.dial(dial.name))


def _curve_cells(method, dataset):
    own = dataset not in datasets.names()
    return tuple(
        (dial.name, value)
        for dial in dials.CURVES
        if method in CURVE_METHODS[dial.name] and (own or dataset in CURVE_DATA[dial.name])
        for value in dial.names()
    )


def run_task(task):
    """The records of all cells of a task, a dict with the keys RECORD each."""
    try:
        split = make_split(_load(task.source, task.target), task.repeat, task.n_samples, task.seed)
    except ValueError as error:  # such as a class with too few rows
        return crashed(task, f"no split: {_shortened(error)}")
    known = []  # (mechanism, outcome): the reference of each dial is often the same mechanism
    with execution(n_jobs=1):
        return [_run_cell(task, split, dial, value, known) for dial, value in task.cells]


def crashed(task, message):
    """The records of a task whose worker died."""
    return [
        _record(task, dial, value, status=FAILED, message=message, score_name=_score_name(task))
        for dial, value in task.cells
    ]


def _score_name(task):
    return methods.get(task.method).scores[task.task]


def _record(task, dial, value, **found):
    """One row of the results."""
    where = {"method": task.method, "dataset": task.dataset, "task": task.task, "repeat": task.repeat}
    missing = {**dict.fromkeys(RECORD, ""), "score": float("nan"), "seconds": float("nan"), "overlap": 0.0}
    return {**missing, **where, "dial": dial, "value": value, **found}


@functools.lru_cache(maxsize=16)
def _load(source, target):
    return datasets.open_data(source, target)


def _run_cell(task, split, dial, value, known):
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = _outcome(methods.get(task.method), split, dial, value, known)
    return _record(
        task,
        dial,
        value,
        **found,
        score_name=_score_name(task),
        overlap=split.overlap,
        seconds=time.perf_counter() - start,
        warnings=" | ".join(dict.fromkeys(_shortened(warning.message) for warning in caught)),
    )


def _outcome(method, split, dial_name, value, known):
    """Status, and score with slots or a message. A ValueError refuses; anything else is a failure."""
    try:
        mechanism = method.base(split)
        if dial_name != OWN:
            mechanism = dials.get(dial_name).turn(mechanism, value, split.X_train)
        outcome = next((outcome for other, outcome in known if other == mechanism), None)
        if outcome is None:
            outcome = method.run(mechanism, split)
            known.append((mechanism, outcome))
    except ValueError as error:
        return {"status": REFUSED, "message": _shortened(error)}
    except Exception as error:  # a study goes on; the report shows it
        return {"status": FAILED, "message": f"{type(error).__name__}: {_shortened(error)}"}
    return {"status": OK, "score": outcome.score, **_slots(outcome.mechanism)}


def _slots(mechanism):
    return {slot: repr(getattr(mechanism, slot)) for slot in SLOTS}


def _shortened(message):
    text = " ".join(str(message).split())
    return text if len(text) <= MESSAGE_LENGTH else text[: MESSAGE_LENGTH - 1] + "…"
