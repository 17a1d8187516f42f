"""The report: one HTML file with everything inlined."""

import numpy as np
import pandas as pd

from likewise import plots
from likewise._experiments import page
from likewise._experiments.page import drawn
from likewise._explain import short_numbers
from likewise._mechanism import SLOTS
from likewise.study import dials, figures, methods, splits
from likewise.study.cells import FAILED, OK, OWN, REFUSED

PACKAGES = ("numpy", "scipy", "scikit-learn", "pandas", "matplotlib", "jinja2", "tqdm")
N_FINDINGS = 6


def write(study, found):
    """Write study.report from a Study and the Results it was made of."""
    environment = page.environment("likewise.study")
    environment.filters["shown"] = methods.shown
    html = environment.get_template("report.html.j2").render(**_context(study, found))
    study.report.write_text(html, encoding="utf-8")


def _context(study, found):
    return {
        "study": study,
        "settings": study.settings,
        "found": found,
        "n_done": len(study.records),
        "slots": _slots(study.records),
        "methods": [methods.get(name) for name in study.settings.methods],
        "readings": drawn(found.readings and figures.seven_readings(found.readings)),
        "mechanism": found.readings and repr(found.readings.mechanism),
        "dials": [_dial(study, dial) for dial in dials.SLOT_DIALS if study.settings.dial(dial.name)],
        "alpha_curve": drawn(figures.alpha_curve(study.summary)),
        "bandwidth_curve": drawn(figures.bandwidth_curve(study.summary)),
        "agreement": [_agreement_row(row) for row in study.agreement.to_dict("records")],
        "problems": found.problems,
        "failures": _grouped(study.records[study.records["status"] == FAILED], "message"),
        "refusals": _grouped(study.records[study.records["status"] == REFUSED], "message"),
        "warnings": _grouped(study.records[study.records["warnings"] != ""], "warnings"),
        "command": study.settings.command(),
        "versions": page.versions(PACKAGES),
        "date": page.today(),
        "test_share": splits.TEST_SHARE,
    }


def _slots(records):
    """For each method the slots of its first own fit, as the fitted object's mechanism_ has them."""
    own = records[(records["dial"] == OWN) & (records["status"] == OK)].drop_duplicates("method")
    rows = [
        {
            "about": methods.get(row.method),
            "method": row.method,
            "dataset": row.dataset,
            "slots": [short_numbers(getattr(row, slot)) for slot in SLOTS],
        }
        for row in own.itertuples()
    ]
    return sorted(rows, key=lambda row: methods.names().index(row["method"]))


def _dial(study, dial):
    overview = study.overview[study.overview["dial"] == dial.name]
    summary = study.summary[study.summary["dial"] == dial.name]
    return {
        "name": dial.name,
        "slot": dial.slot,
        "reference": dial.reference,
        "hint": dial.hint,
        "figure": drawn(figures.dial_heat_map(study.overview, dial)),
        "findings": _findings(overview, dial.reference),
        "n_clear": int(_clear(overview).sum()),
        "n_compared": int(overview["difference"].notna().sum() - (overview["value"] == dial.reference).sum()),
        "tables": [_table(rows, name, dial) for name, rows in summary.groupby("dataset", sort=False)],
        "partial": _partial(overview),
    }


def _clear(rows):
    return (rows["difference_low"] > 0) | (rows["difference_high"] < 0)


def _findings(overview, reference):
    """The largest differences whose interval leaves out 0, as sentences."""
    rows = overview[_clear(overview)]
    rows = rows.reindex(rows["difference"].abs().sort_values(ascending=False).index).head(N_FINDINGS)
    return [
        f"{_row_name(row)}: {row.value} has {_number(row.mean)}, {_signed(row.difference)} "
        f"[{_signed(row.difference_low)}, {_signed(row.difference_high)}] against {reference}"
        for row in rows.itertuples()
    ]


def _partial(overview):
    """Values that finished on fewer data sets than the others of their row."""
    most = overview.groupby(["method", "score_name"])["n_datasets"].transform("max")
    rows = overview[overview["n_datasets"] < most]
    return [f"{_row_name(row)} under {row.value}: {row.n_datasets} data set(s)" for row in rows.itertuples()]


def _row_name(row):
    return f"{methods.get(row.method).title} ({methods.shown(row.score_name)})"


def _table(rows, dataset, dial):
    """Methods by values for one data set; a cell is None or a dict with its numbers and its color."""
    keys = list(dict.fromkeys(zip(rows["method"], rows["score_name"])))
    columns = [value for value in dial.names() if (rows["value"] == value).any()]
    cells = {(row["method"], row["score_name"], row["value"]): _cell(row) for row in rows.to_dict("records")}
    lines = [
        {
            "title": methods.get(method).title,
            "score": methods.shown(score),
            "cells": [cells.get((method, score, v)) for v in columns],
        }
        for method, score in keys
    ]
    return {"dataset": dataset, "columns": columns, "lines": lines}


def _cell(row):
    clear = row["difference_low"] > 0 or row["difference_high"] < 0
    difference = 0.0 if np.isnan(row["difference"]) else row["difference"]
    return {
        "mean": plots.short_number(row["mean"]),
        "half_width": "" if np.isnan(row["high"]) else f"±{plots.short_number(row['high'] - row['mean'])}",
        "bold": bool(clear),
        "shade": "up" if difference > 0 else "down",
        "strength": round(min(abs(difference) / 0.3, 1.0) * 55),
        "hint": f"n = {row['n']}, difference {_signed(row['difference'])} "
        f"[{_signed(row['difference_low'])}, {_signed(row['difference_high'])}]",
    }


def _number(x):
    return plots.short_number(x).replace("-", "−", 1)


def _signed(x):
    if np.isnan(x):
        return "–"
    return _number(x) if x < 0 else f"+{_number(x)}"


def _agreement_row(row):
    shown = {key: row[key] for key in ("method", "compared", "status", "message")}
    if row["status"] != OK:
        return shown
    return {
        **shown,
        "difference": f"{row['largest_difference']:.1e}" if row["largest_difference"] else "0",
        "times": f"{1000 * row['our_time']:.3g} / {1000 * row['their_time']:.3g}",
        "time_ratio": f"{row['time_ratio']:.2f}",
        "peaks": _peaks(row),
        "memory_ratio": _memory_ratio(row),
    }


def _memory_ratio(row):
    if np.isnan(row["memory_ratio"]):
        measured = not (pd.isna(row["our_peak"]) or pd.isna(row["their_peak"]))
        return "too small" if measured else "not measured"
    return f"{row['memory_ratio']:.2f}"


def _peaks(row):
    peaks = (row["our_peak"], row["their_peak"])
    return " / ".join("–" if pd.isna(peak) else f"{peak / 2**20:.1f}" for peak in peaks)


def _grouped(rows, column):
    """Messages that differ in numbers and slots only once, the first of them, with how often and where."""
    pattern = rows[column].str.replace(r"[A-Z]\w+\([^()]*\)|\d+(\.\d+)?(e[+-]?\d+)?", "#", regex=True)
    groups = [
        {
            "message": group[column].iloc[0],
            "count": len(group),
            "methods": ", ".join(dict.fromkeys(group["method"])),
            "values": ", ".join(dict.fromkeys(group["dial"] + " = " + group["value"])).replace(
                f"{OWN} = {OWN}", "as it is"
            ),
            "datasets": ", ".join(dict.fromkeys(group["dataset"])),
        }
        for _, group in rows.groupby(pattern, sort=False)
    ]
    return sorted(groups, key=lambda group: -group["count"])
