"""What a benchmark found: records with every field, as JSON, CSV and a table for the terminal."""

import csv
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from scipy import stats

SCHEMA = 1
CONFIDENCE = 0.95

# Every record has every field; those of a contender that was not timed are None.
RECORD = (
    *("workload", "group", "title", "contender", "package", "version", "note", "ours", "against"),
    *("n", "d", "c", "k", "heads", "size", "dtype", "threads"),
    *("status", "message"),
    *("seconds", "seconds_low", "seconds_high", "times", "calls", "rounds"),
    *("ratio", "ratio_low", "ratio_high", "fraction_of_a", "goal", "stretch", "verdict"),
    *("compared", "difference", "tolerance", "detail"),
    *("peak_bytes", "output_bytes", "memory_verdict"),
)
# What a timed record cannot be without.
TIMED = (
    "n",
    "dtype",
    "threads",
    "version",
    "seconds",
    "rounds",
    "ratio",
    "difference",
    "tolerance",
    "compared",
)


@dataclass
class Results:
    """What has been measured so far; filled while the benchmark runs, so that Ctrl-C loses nothing finished.

    Attributes
    ----------
    records : list of dicts with the keys RECORD
    growth : list of dicts with the keys RECORD, one for each n
    stops : list of dicts, why a contender ended early
    blas : list of dicts, the BLAS libraries that were in the processes
    machine, versions, settings : dicts
    interrupted : bool; seconds : float; date : str
    """

    records: list = field(default_factory=list)
    growth: list = field(default_factory=list)
    stops: list = field(default_factory=list)
    blas: list = field(default_factory=list)
    machine: dict = field(default_factory=dict)
    versions: dict = field(default_factory=dict)
    settings: dict = field(default_factory=dict)
    interrupted: bool = False
    seconds: float = 0.0
    date: str = ""

    def slopes(self):
        """Growth exponents of time and memory, from n of 1000 on (all where fewer): list of dicts."""
        return [row for name in _names(self.growth) for row in _slopes(self.growth, name)]


def median_with_interval(values):
    """Median and [low, high]: the innermost order statistics that hold the true median with 95 %.

    With fewer than 6 values no pair does: then the lowest and the highest.
    """
    ordered = np.sort(np.asarray(values, float))
    n = len(ordered)
    inner = int(stats.binom.ppf((1 - CONFIDENCE) / 2, n, 0.5)) - 1
    at = max(inner, 0)
    return float(np.median(ordered)), float(ordered[at]), float(ordered[n - 1 - at])


def checked(record):
    """The record, if it has every field; a timed one also what a time means nothing without."""
    missing = [name for name in RECORD if name not in record]
    if record["status"] == "ok":
        missing += [name for name in TIMED if record.get(name) is None]
    if missing:
        raise ValueError(f"a record must have {', '.join(missing)}; got {record}.")
    return {name: record[name] for name in RECORD}


def write(results, folder):
    """bench.json and bench.csv in the folder."""
    folder = Path(folder)
    document = {"schema": SCHEMA, **asdict(results), "slopes": results.slopes()}
    (folder / "bench.json").write_text(json.dumps(_finite(document), indent=1), encoding="utf-8")
    with open(folder / "bench.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, RECORD)
        table.writeheader()
        table.writerows([*results.records, *results.growth])


def table(results):
    """The records as lines for a terminal."""
    lines = [_line(record) for record in results.records]
    lines += [_line(record) for record in results.growth]
    if not lines:
        return "nothing was finished"
    head = ("workload", "threads", "contender", "time", "ratio", "[low, high]", "goal / stretch", "", "peak")
    widths = [max(map(len, column)) for column in zip(head, *lines)]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths)).rstrip() for line in (head, *lines)
    )


def _line(record):
    name = f"{record['workload']} n={record['n']}" if record["group"] == "growth" else record["workload"]
    start = (name, str(record["threads"]), record["contender"])
    if record["status"] != "ok":
        return (*start, record["status"], "", "", "", record["message"][:60], "")
    goal = "" if record["goal"] is None else f"{record['goal']:g} / {record['stretch']:g}"
    ratio = "" if record["ours"] else f"{record['ratio']:.3g}"
    interval = "" if record["ours"] else f"[{record['ratio_low']:.3g}, {record['ratio_high']:.3g}]"
    return (
        *start,
        seconds_text(record["seconds"]),
        ratio,
        interval,
        goal,
        record["verdict"],
        bytes_text(beyond(record)),
    )


def seconds_text(seconds):
    """Three digits with a unit."""
    unit, factor = ("s", 1) if seconds >= 1 else ("ms", 1e3) if seconds >= 1e-3 else ("µs", 1e6)
    return f"{seconds * factor:.3g} {unit}"


def bytes_text(n_bytes):
    """MiB, or nothing where it is not known."""
    return "" if n_bytes is None else f"{n_bytes / 2**20:.1f} MiB"


def beyond(record):
    """Peak bytes beyond inputs and outputs, or None."""
    return None if record["peak_bytes"] is None else max(record["peak_bytes"] - record["output_bytes"], 0)


def _names(growth):
    return list(dict.fromkeys((row["workload"], row["contender"], row["threads"]) for row in growth))


def _slopes(growth, name):
    rows = [
        row
        for row in growth
        if (row["workload"], row["contender"], row["threads"]) == name and row["status"] == "ok"
    ]
    large = [row for row in rows if row["n"] >= 1000]
    rows = large if len(large) > 1 else rows
    if len(rows) < 2:
        return []
    n = np.log([row["n"] for row in rows])
    found = {"workload": name[0], "contender": name[1], "threads": name[2]}
    found["n_from"], found["n_to"] = rows[0]["n"], rows[-1]["n"]
    found["time"] = float(np.polyfit(n, np.log([row["seconds"] for row in rows]), 1)[0])
    found["memory"] = _memory_slope(rows)
    return [found]


def _memory_slope(rows):
    """Of the peaks that are above what the process held anyway."""
    rows = [row for row in rows if (row["peak_bytes"] or 0) >= 2**20]
    if len(rows) < 2:
        return None
    return float(
        np.polyfit(np.log([row["n"] for row in rows]), np.log([row["peak_bytes"] for row in rows]), 1)[0]
    )


def _finite(value):
    """JSON has no infinity and no NaN: None instead."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
