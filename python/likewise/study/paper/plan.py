"""Which cells are run, and for what: published settings, learning rates chosen for each arm, open choices.

The search for learning rates asks rows held out from training, under seeds that nothing else uses; what it
finds decides the cells that come after it.
"""

from dataclasses import dataclass, replace
from typing import Callable

import pandas as pd

from likewise.study.paper import arms, experiments
from likewise.study.paper.cells import Cell

PAPER, RATES, CHOSEN, OPEN = "paper", "rates", "chosen", "open"
MULTIPLES = (1, 3, 10, 30)  # of the published learning rate
N_RATE_SEEDS = 3
N_OPEN_SEEDS = 5
FIRST_RATE_SEED = 100_000  # after the seeds of everything else
QUICK_MULTIPLES = (1, 10)
QUICK_SHARE = 50  # of the steps one in so many


@dataclass(frozen=True)
class Choice:
    """Something that the paper leaves open, turned alone.

    Attributes
    ----------
    change : dict, fields of the cell
    of_modules : bool, says nothing of an arm without modules
    factor : float, how much longer a cell takes (about)
    """

    change: dict
    of_modules: bool = True
    factor: float = 1.0


AS_CHOSEN = "as chosen"  # what a turned choice is read beside: the same cells as of CHOSEN, fewer seeds
CHOICES = {
    AS_CHOSEN: Choice({}, of_modules=False),
    "1 module": Choice({"n_layers": 1}, factor=0.5),
    "4 modules": Choice({"n_layers": 4}, factor=2.0),
    "residual": Choice({"residual": True}),
    "learned temperature": Choice({"learn_temperature": True}),
    "batch of 64": Choice({"batch": 64}, of_modules=False, factor=0.2),
    "batch of 128": Choice({"batch": 128}, of_modules=False, factor=1.7),
    "batch of 256": Choice({"batch": 256}, of_modules=False, factor=2.0),
    "test rows in training": Choice({"context": "training"}, factor=1.6),
}


@dataclass(frozen=True)
class Entry:
    """A cell and what it is run for: one of the stages, and the choice that is turned there."""

    stage: str
    choice: str
    cell: Cell

    @property
    def seconds(self):
        """About how long the cell takes on one core."""
        factor = CHOICES[self.choice].factor if self.choice else 1.0
        if not arms.get(self.cell.arm).has_modules:
            factor = 0.1
        of = experiments.get(self.cell.experiment)
        return of.seconds * factor * self.cell.steps / of.steps


@dataclass(frozen=True)
class Plan:
    """The cells of a study.

    Attributes
    ----------
    experiments : tuple of Experiment; their steps and seeds are what is run
    seed : int, the first
    n_rate_seeds, n_open_seeds : int
    multiples : tuple, of the published learning rate, that an arm may choose among
    """

    experiments: tuple
    seed: int = 0
    n_rate_seeds: int = N_RATE_SEEDS
    n_open_seeds: int = N_OPEN_SEEDS
    multiples: tuple = MULTIPLES

    def first(self):
        """Entries that wait for nothing. Seeds go round, so that what is stopped is even."""
        published = self._by_seed(PAPER, lambda of: of.seeds, lambda of, arm: of.learning_rate)
        search = [
            Entry(
                RATES,
                "",
                replace(self._cell(of, arm, rate, FIRST_RATE_SEED + self.seed + i), validation=True),
            )
            for i in range(self.n_rate_seeds)
            for of in self.experiments
            for arm in arms_of(of)
            for rate in self._rates(of)
        ]
        return published + search

    def second(self, chosen):
        """Entries under the chosen learning rates, {(experiment, arm): rate}."""

        def rate(of, arm):
            return chosen.get((of.name, arm), of.learning_rate)

        entries = self._by_seed(CHOSEN, lambda of: of.seeds, rate)
        for i in range(self.n_open_seeds):
            for of in self.experiments:
                entries += [
                    Entry(
                        OPEN,
                        name,
                        replace(self._cell(of, arm, rate(of, arm), self.seed + i), **CHOICES[name].change),
                    )
                    for name in (AS_CHOSEN, *of.choices)
                    for arm in arms_of(of)
                    if arms.get(arm).has_modules or not CHOICES[name].of_modules
                ]
        return entries

    def _rates(self, of):
        return [float(f"{multiple * of.learning_rate:.6g}") for multiple in self.multiples]

    def _by_seed(self, stage, n_seeds: Callable, rate: Callable):
        return [
            Entry(stage, "", self._cell(of, arm, rate(of, arm), self.seed + i))
            for i in range(max(of.seeds for of in self.experiments))
            for of in self.experiments
            if i < n_seeds(of)
            for arm in arms_of(of)
        ]

    def _cell(self, of, arm, rate, seed):
        return Cell(of.name, arm, seed, rate, of.steps, batch=of.batch)


def arms_of(experiment):
    """Names of the arms that are compared on it."""
    return arms.names_for(experiment.kind)


def chosen_rates(records):
    """{(experiment, arm): rate}: the best mean accuracy on held-out rows, of equal ones the lowest loss.

    records : DataFrame of the search. A rate at which a loss became infinite is chosen last.
    """
    keys = ["experiment", "arm", "learning_rate"]
    table = records.groupby(keys, as_index=False).agg(
        diverged=("diverged", "max"), accuracy=("accuracy", "mean"), loss=("asked_loss", "mean")
    )
    table = table.sort_values(["diverged", "accuracy", "loss"], ascending=[True, False, True], kind="stable")
    best = table.drop_duplicates(["experiment", "arm"])
    return dict(zip(zip(best["experiment"], best["arm"]), best["learning_rate"]))


def make(data, *, repeats, seed, full, quick):
    """The Plan of what is asked for; a ValueError names the argument."""
    names = _names(data, full, quick)
    chosen = tuple(experiments.get(name) for name in names)
    if quick:
        chosen = tuple(replace(of, steps=max(20, of.steps // QUICK_SHARE), seeds=3) for of in chosen)
    if repeats is not None:
        chosen = tuple(replace(of, seeds=repeats) for of in chosen)
    return Plan(chosen, seed, 2, 2, QUICK_MULTIPLES) if quick else Plan(chosen, seed)


def _names(data, full, quick):
    for name in data or ():
        if name not in experiments.NAMES:
            raise ValueError(f"data must be among {', '.join(experiments.NAMES)}; got {name!r}.")
        if experiments.get(name).is_missing:
            raise ValueError(
                f"data: {name!r} comes with the package {experiments.get(name).needs}: "
                'pip install "likewise[paper]".'
            )
    if data:
        return tuple(data)
    if quick:
        return ("moon", "karate")
    return tuple(of.name for of in experiments.EXPERIMENTS if not of.is_missing and (full or not of.full))


def as_table(entries, records):
    """DataFrame, a row for each entry whose cell is done: stage, choice and its record without the curve."""
    rows = [
        {"stage": entry.stage, "choice": entry.choice}
        | {name: value for name, value in records[entry.cell].items() if name != "curve"}
        for entry in entries
        if entry.cell in records
    ]
    return pd.DataFrame(rows)
