"""One cell: an arm learns an experiment from one seed under one setting, and what it became is recorded."""

import time
from dataclasses import asdict, dataclass

import numpy as np

import likewise as lw
from likewise.study.paper import experiments
from likewise.study.paper.row_run import RowRun
from likewise.study.paper.sequence_run import SequenceRun

MESSAGE_LENGTH = 300
MEASURES = (
    *("accuracy", "guessing", "asked_loss", "accuracy_beside_training", "accuracy_under_noise", "final_loss"),
    *("mean_loss", "late_fall", "perplexity", "n_keys", "variance_at_start", "variance_at_end"),
    *("n_parameters", "diverged", "seconds", "error"),
)


@dataclass(frozen=True)
class Cell:
    """What is run once, whoever asks for it.

    Attributes
    ----------
    experiment, arm : str; seed : int, of the rows, the start and the order of batches
    learning_rate : float; steps : int
    n_layers : int, modules; residual : bool, H <- H + P H
    batch : int, rows of a step that attend to one another; 0: all
    context : "batch", or "training": asked rows are there, without labels, in every step
    validation : bool, asks rows held out from training, not those of the test
    """

    experiment: str
    arm: str
    seed: int
    learning_rate: float
    steps: int
    n_layers: int = 2
    residual: bool = False
    learn_temperature: bool = False
    batch: int = 0
    context: str = "batch"
    validation: bool = False


def _empty(cell, error=""):
    return {**asdict(cell), **dict.fromkeys(MEASURES, np.nan), "error": error, "curve": {}}


def crashed(cell):
    """The record of a cell whose process died."""
    return _empty(cell, "the worker process died")


def run_cell(cell):
    """The record, a dict: the cell's fields, MEASURES and its curve. An error is recorded, not raised."""
    start, record = time.perf_counter(), _empty(cell)
    try:
        with lw.execution(n_jobs=1, progress=False):  # cells share the cores
            record |= run_of(cell).record()
    except Exception as error:
        record["error"] = f"{type(error).__name__}: {error}"[:MESSAGE_LENGTH]
    return {**record, "seconds": time.perf_counter() - start}


def run_of(cell):
    """The cell's model with its data, not yet trained."""
    of = experiments.get(cell.experiment)
    data = of.make(cell.seed)
    if cell.validation:
        data = data.held_out(cell.seed)
    return (SequenceRun if of.kind == "sequence" else RowRun)(cell, of, data)
