"""Which cells are run, and for what: published settings, learning rates chosen for each arm, open choices.

The search for learning rates asks rows held out from training, under seeds that nothing else uses; what it
finds decides the cells that come after it. Rates are places on one grid of 1 and 3 times powers of ten of the
published one, so that a search that grows asks for rates that another may have asked for.
"""

from dataclasses import dataclass, replace
from typing import Callable

import pandas as pd

from likewise.study.paper import arms, experiments
from likewise.study.paper.cells import Cell

PAPER, RATES, CHOSEN, OPEN = "paper", "rates", "chosen", "open"
PLACES = range(4)  # of the learning rates that are tried first: 1, 3, 10, 30 times the published one
N_EXTENSIONS = 3  # places beyond each edge of these, at most
N_RATE_SEEDS = 3
N_OPEN_SEEDS = 5
FIRST_RATE_SEED = 100_000  # after the seeds of everything else
QUICK_PLACES = range(0, 3, 2)  # 1, 10
N_QUICK_EXTENSIONS = 1
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
    places : range, of the learning rates that every arm tries; 0 is the published one, see `rate_at`
    n_extensions : int, steps that an arm's range may grow by on either side
    """

    experiments: tuple
    seed: int = 0
    n_rate_seeds: int = N_RATE_SEEDS
    n_open_seeds: int = N_OPEN_SEEDS
    places: range = PLACES
    n_extensions: int = N_EXTENSIONS

    def grids(self):
        """{(experiment, arm): range of places}: the rates that are tried first."""
        return {(of.name, arm): self.places for of in self.experiments for arm in arms_of(of)}

    def wider(self, grids, chosen):
        """The grids, one step longer at the edge where the chosen rate lies, where they may be.

        chosen : {(experiment, arm): rate}, the best of each grid
        """
        return {
            (of.name, arm): self._wider(grids[of.name, arm], of.learning_rate, chosen.get((of.name, arm)))
            for of in self.experiments
            for arm in arms_of(of)
        }

    def _wider(self, places, published, rate):
        low, high, step = places[0], places[-1], self.places.step
        farthest = self.n_extensions * step
        if rate == rate_at(published, low) and low > self.places[0] - farthest:
            low -= step
        elif rate == rate_at(published, high) and high < self.places[-1] + farthest:
            high += step
        return range(low, high + step, step)

    def first(self, grids=None):
        """Entries of the published settings, and of the search in grids (those that are tried first).

        Seeds go round, so that what is stopped is even.
        """
        grids = self.grids() if grids is None else grids
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
            for rate in (rate_at(of.learning_rate, place) for place in grids[of.name, arm])
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


def rate_at(published, place):
    """The learning rate at a place: ..., 0.1, 0.3, 1, 3, 10, ... times the published one, at place 0."""
    power, half = divmod(place, 2)
    return float(f"{(1, 3)[half] * 10.0**power * published:.6g}")


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
    return Plan(chosen, seed, 2, 2, QUICK_PLACES, N_QUICK_EXTENSIONS) if quick else Plan(chosen, seed)


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
