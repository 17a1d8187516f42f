"""Studies with one table a data set: scores by row and column on paired splits, compared with one column."""

import shlex
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from likewise import datasets, plots
from likewise._experiments import page
from likewise._experiments.bars import progress_bar
from likewise._experiments.checks import check_int, names_given, output_folder
from likewise.study import splits
from likewise.study.statistics import statistics_of

DATA = ("digits", "wine", "breast_cancer", "two_moons")


@dataclass
class Study:
    """What a paired study found.

    Attributes
    ----------
    records : DataFrame, a row for each dataset, repeat, column and row: score, or the error
    summary : DataFrame, for each dataset, column and row: n, mean, low, high of the score and of its paired
        difference from the reference column, 95 % intervals
    report : Path
    """

    records: pd.DataFrame = field(default_factory=pd.DataFrame)
    summary: pd.DataFrame = field(default_factory=pd.DataFrame)
    report: Path = Path()
    seconds: float = 0.0
    interrupted: bool = False


@dataclass(frozen=True)
class Table:
    """What is asked of every split.

    Attributes
    ----------
    name : str, of the option, the files and the page's template
    column, row : str, what columns and rows are called in the files
    columns, rows : sequences of str
    reference : str, the column that the others are compared with
    cells : function (Split) -> iterator of (column, row, score, error)
    split : function (Dataset, repeat, n_samples, seed) -> Split
    about : dict, what the page's template says beside
    """

    name: str
    column: str
    row: str
    columns: tuple
    rows: tuple
    reference: str
    cells: Callable
    split: Callable = splits.make_split
    about: dict = field(default_factory=dict)

    def run(
        self,
        data=DATA,
        *,
        target=None,
        repeats=10,
        n_samples=400,
        seed=0,
        out="study-report",
        quick=False,
        progress=False,
    ):
        """Ask every split of every data set, and write NAME.html, NAME.csv and NAME-summary.csv.

        Parameters
        ----------
        data : names of classification data sets of likewise.datasets, or paths of .csv files
        target : str or None, the column of .csv files that holds the classes
        repeats : int >= 2, paired splits; n_samples : int >= 40, rows of each, 40 % for testing
        seed : int >= 0
        out : folder
        quick : 3 repeats of 150 rows, of two data sets
        progress : a bar with the time left on stderr

        Returns
        -------
        Study. Ctrl-C stops at once and leaves a report of what was done.
        """
        names = [str(name) for name in names_given("data", data)]
        if quick:
            names, repeats, n_samples = names[:2], 3, 150
        check_int("repeats", repeats, 2)
        check_int("n_samples", n_samples, 40)
        check_int("seed", seed, 0)
        opened = [datasets.open_data(name, target) for name in names]
        for dataset in opened:
            if dataset.task != "classification":
                raise ValueError(f"data must be sets of classes; got {dataset.name!r}, a {dataset.task}.")
        folder = output_folder(out)
        found, rows, start = Study(), [], time.perf_counter()
        n_cells = repeats * len(opened) * len(self.columns) * len(self.rows)
        try:
            with progress_bar(n_cells, self.name, progress) as bar:
                for repeat in range(repeats):
                    for dataset in opened:
                        _ask(self, self.split(dataset, repeat, n_samples, seed), rows, bar)
        except KeyboardInterrupt:
            found.interrupted = True
        found.seconds = time.perf_counter() - start
        found.records = pd.DataFrame(rows)
        found.summary = _summary(self, found.records)
        settings = {"data": names, "target": target, "repeats": repeats, "n_samples": n_samples, "seed": seed}
        _write(self, found, folder, settings)
        return found


def tried(function, *arguments):
    """(result, "") or (None, what went wrong): a cell that fails is shown, and the study goes on."""
    try:
        return function(*arguments), ""
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"


def _ask(table, split, rows, bar):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")  # what ends at max_iter has learned something all the same
        for column, row, score, error in table.cells(split):
            if any(str(warning.message).startswith("Training interrupted") for warning in said):
                raise KeyboardInterrupt  # the estimator took it, and kept what it had
            rows.append(
                {
                    "dataset": split.dataset,
                    "repeat": split.repeat,
                    table.column: column,
                    table.row: row,
                    "score": np.nan if score is None else score,
                    "overlap": split.overlap,
                    "error": error,
                }
            )
            bar.update()


def _summary(table, records):
    if records.empty:
        return pd.DataFrame()
    at, names = ["dataset", "repeat", table.row], ["dataset", table.column, table.row]
    reference = records[records[table.column] == table.reference].set_index(at)["score"].rename("reference")
    done = records.join(reference, on=at).dropna(subset=["score"])
    return pd.DataFrame(
        [dict(zip(names, keys)) | statistics_of(group) for keys, group in done.groupby(names, sort=False)]
    )


# --- the report -----------------------------------------------------------------------------------------


def figure(table, summary):
    """A heat map for each data set."""
    if summary.empty:
        return None
    names = list(dict.fromkeys(summary["dataset"]))
    n_rows, n_columns = (len(names) + 1) // 2, min(2, len(names))
    width, height = 2.9 + 0.75 * len(table.columns), 2.1 + 0.4 * len(table.rows)
    drawn = Figure(figsize=(width * n_columns, height * n_rows), layout="constrained")
    panels = drawn.subplots(n_rows, n_columns, squeeze=False).ravel()
    for ax in panels[len(names) :]:
        ax.set_axis_off()
    for ax, name in zip(panels, names):
        rows = summary[summary["dataset"] == name].set_index([table.column, table.row])

        def grid(value, rows=rows):
            cells = [[rows[value].get((a, b), np.nan) for a in table.columns] for b in table.rows]
            return np.array(cells, dtype=float)

        plots.heat_map(
            grid("mean"),
            grid("high") - grid("mean"),
            grid("difference"),
            (grid("difference_low") > 0) | (grid("difference_high") < 0),
            row_names=list(table.rows),
            column_names=list(table.columns),
            reference=table.reference,
            ax=ax,
        )
        ax.set_title(name.replace("_", " "))
    return drawn


def _write(table, found, folder, settings):
    found.records.to_csv(folder / f"{table.name}.csv", index=False)
    found.summary.to_csv(folder / f"{table.name}-summary.csv", index=False)
    found.report = folder / f"{table.name}.html"
    records = found.records
    template = page.environment("likewise.study").get_template(f"{table.name}.html.j2")
    text = template.render(
        table=table,
        found=found,
        rows=found.summary.to_dict("records"),
        figure_uri=page.drawn(figure(table, found.summary)),
        problems=[] if records.empty else records[records["error"] != ""].to_dict("records"),
        command=_command(table, settings),
        date=page.today(),
        versions=page.versions(("numpy", "scipy", "scikit-learn", "pandas", "matplotlib")),
        **settings,
        **table.about,
    )
    found.report.write_text(text, encoding="utf-8")


def _command(table, settings):
    given = [f"likewise study --{table.name}"]
    for name, value in settings.items():
        if value is not None:
            words = value if isinstance(value, list) else [str(value)]
            given.append(f"--{name.replace('_', '-')} {shlex.join(words)}")
    return " ".join(given)
