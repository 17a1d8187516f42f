"""Studies with one table a data set: scores by row and column on paired splits, compared with one column."""

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
from likewise._experiments.checks import check_int, names_given
from likewise.study import splits
from likewise.study.statistics import interval


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
    """

    name: str
    column: str
    row: str
    columns: tuple
    rows: tuple
    reference: str
    cells: Callable
    split: Callable = splits.make_split


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


def run(table, data, *, repeats, n_samples, seed, out, progress, **context):
    """Ask every split of every data set, and write NAME.html, NAME.csv and NAME-summary.csv.

    `context` goes to the page. Returns a Study; Ctrl-C stops at once and leaves a report of what was done.
    """
    check_int("repeats", repeats, 2)
    check_int("n_samples", n_samples, 40)
    check_int("seed", seed, 0)
    opened = [datasets.open_data(name) for name in names_given("data", data)]
    for dataset in opened:
        if dataset.task != "classification":
            raise ValueError(f"data must be sets of classes; got {dataset.name!r}, a {dataset.task}.")
    found, rows, start = Study(), [], time.perf_counter()
    n_cells = repeats * len(opened) * len(table.columns) * len(table.rows)
    try:
        with progress_bar(n_cells, table.name, progress) as bar:
            for repeat in range(repeats):
                for dataset in opened:
                    _ask(table, table.split(dataset, repeat, n_samples, seed), rows, bar)
    except KeyboardInterrupt:
        found.interrupted = True
    found.seconds = time.perf_counter() - start
    found.records = pd.DataFrame(rows)
    found.summary = _summary(table, found.records)
    settings = {"data": data, "repeats": repeats, "n_samples": n_samples, "seed": seed}
    _write(table, found, Path(out), settings, context)
    return found


def tried(function, *arguments):
    """(result, "") or (None, what went wrong): a cell that fails is shown, and the study goes on."""
    try:
        return function(*arguments), ""
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"


def _ask(table, split, rows, bar):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what ends at max_iter has learned something all the same
        for column, row, score, error in table.cells(split):
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
    at = ["dataset", "repeat", table.row]
    reference = records[records[table.column] == table.reference].set_index(at)["score"].rename("reference")
    joined = records.join(reference, on=at)
    names, rows = ["dataset", table.column, table.row], []
    for keys, group in joined.groupby(names, sort=False):
        group = group.dropna(subset=["score", "reference"])
        if group.empty:
            continue
        overlap = group["overlap"].max()
        named = dict(zip(names, keys)) | {"n": len(group)}
        named |= dict(zip(("mean", "low", "high"), interval(group["score"], overlap)))
        difference = interval(group["score"] - group["reference"], overlap)
        rows.append(named | dict(zip(("difference", "difference_low", "difference_high"), difference)))
    return pd.DataFrame(rows)


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


def _write(table, found, folder, settings, context):
    folder.mkdir(parents=True, exist_ok=True)
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
        command=f"likewise study --{table.name} --data {' '.join(settings['data'])} --repeats "
        f"{settings['repeats']} --n-samples {settings['n_samples']} --seed {settings['seed']}",
        date=page.today(),
        versions=page.versions(("numpy", "scipy", "scikit-learn", "pandas", "matplotlib")),
        **settings,
        **context,
    )
    found.report.write_text(text, encoding="utf-8")
