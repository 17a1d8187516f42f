"""What a study found: tables, as CSV files and as the report's numbers."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import pandas as pd

from likewise.study import dials, statistics
from likewise.study.cells import RECORD

AGREEMENT = (
    *(
        "method",
        "compared",
        "n_samples",
        "rounds",
        "largest_difference",
        "our_time",
        "their_time",
        "time_ratio",
    ),
    *("our_peak", "their_peak", "memory_ratio", "status", "message"),
)


@dataclass
class Results:
    """What has been done so far; filled while the study runs, so that Ctrl-C loses nothing finished.

    Attributes
    ----------
    data : list of Dataset
    n_cells : int, planned; order : list of (repeat, data set, method), as planned
    records : list of dicts with the keys RECORD, one a finished cell
    agreement : list of dicts with the keys AGREEMENT
    readings : Readings or None; problems : list of str, what went wrong outside of cells
    interrupted : bool; seconds : float
    """

    data: list = field(default_factory=list)
    n_cells: int = 0
    order: list = field(default_factory=list)
    records: list = field(default_factory=list)
    agreement: list = field(default_factory=list)
    readings: Optional[object] = None
    problems: list = field(default_factory=list)
    interrupted: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Study:
    """A finished (or interrupted) study.

    Attributes
    ----------
    settings : Settings
    records : DataFrame, one row a fit (results.csv)
    summary : DataFrame, means with intervals for each data set (summary.csv)
    overview : DataFrame, the same over the data sets of one kind of score (overview.csv)
    agreement : DataFrame, comparison with scikit-learn (agreement.csv)
    report : Path of report.html
    interrupted : bool
    """

    settings: object
    records: pd.DataFrame
    summary: pd.DataFrame
    overview: pd.DataFrame
    agreement: pd.DataFrame
    report: Path
    interrupted: bool


def tables(settings, results):
    """A Study of what the results hold; the report is still to be written."""
    records = _in_order(pd.DataFrame(results.records, columns=list(RECORD)), results.order)
    return Study(
        settings=settings,
        records=records,
        summary=statistics.summarize(records, dials.REFERENCES),
        overview=statistics.overview(records, dials.REFERENCES),
        agreement=pd.DataFrame(results.agreement, columns=list(AGREEMENT)),
        report=Path(settings.out) / "report.html",
        interrupted=results.interrupted,
    )


def _in_order(records, order):
    """As planned: workers finish in any order."""
    rank = {task: rank for rank, task in enumerate(order)}
    at = zip(records["repeat"], records["dataset"], records["method"])
    return records.iloc[sorted(range(len(records)), key=[rank[task] for task in at].__getitem__)].reset_index(
        drop=True
    )


def write_csv(study):
    """results.csv, summary.csv, overview.csv and agreement.csv in the study's folder."""
    folder = study.report.parent
    study.records.to_csv(folder / "results.csv", index=False)
    study.summary.to_csv(folder / "summary.csv", index=False)
    study.overview.to_csv(folder / "overview.csv", index=False)
    study.agreement.to_csv(folder / "agreement.csv", index=False)
