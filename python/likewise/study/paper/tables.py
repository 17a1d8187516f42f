"""The tables of the study, as CSV files; the report is made of these alone.

paper.csv has a row for each stage, choice and cell; paper-curves.csv bands over seeds; paper-rates.csv the
search for learning rates; paper-comparisons.csv paired differences; paper-about.csv how the run was made.
"""

import pandas as pd

from likewise._experiments import page
from likewise.study.paper import arms, experiments, plan, statistics

FILES = {
    "cells": "paper.csv",
    "curves": "paper-curves.csv",
    "rates": "paper-rates.csv",
    "comparisons": "paper-comparisons.csv",
    "about": "paper-about.csv",
}
PACKAGES = ("numpy", "scipy", "scikit-learn", "pandas", "matplotlib")
COMPARED = ("accuracy", "mean_loss", "accuracy_under_noise")  # by their mean over seeds
BESIDE = "asked beside training rows"  # a choice that needs no cells of its own
N_EXTENSIONS = "n_rate_extensions"  # of what is told about a run; files of earlier ones lack it: none then
BAND = (0.1, 0.9)  # quantiles over seeds

TEXTS = ("choice", "error", "place")  # columns that may be empty
CELLS = ["stage", "choice", "experiment", "arm", "seed"]
CURVES = ["stage", "experiment", "arm", "step", "n"]
CURVES += [f"{of}_{what}" for of in ("loss", "accuracy") for what in ("mean", "low", "high")]
RATES = ["experiment", "arm", "learning_rate", "n", "accuracy", "loss", "diverged", "chosen", "place"]
COMPARISONS = ["stage", "choice", "experiment", "measure", "arm", "against"]
COMPARISONS += ["n", "value", "difference", "low", "high", "p", "holm"]


def write(folder, entries, records, about):
    """Write the files of what is done: entries of the plan, records by cell."""
    cells = plan.as_table(entries, records)
    cells = cells if len(cells) else pd.DataFrame(columns=[*CELLS, "error"])
    done = cells[cells["error"] == ""]
    found = {
        "cells": cells,
        "curves": curves(entries, records),
        "rates": rates(done[done["stage"] == plan.RATES]),
        "comparisons": comparisons(done),
        "about": _about(about),
    }
    for name, table in found.items():
        table.to_csv(folder / FILES[name], index=False, float_format="%.6g")


def read(folder, name):
    """A table as it was written."""
    texts = (*TEXTS, "value") if name == "about" else TEXTS
    table = pd.read_csv(folder / FILES[name], dtype=dict.fromkeys(texts, str))
    return table.fillna({column: "" for column in TEXTS if column in table})


def _about(about):
    lines = {**about, "date": page.today()}
    lines |= {f"version {name}": version for name, version in page.versions(PACKAGES).items()}
    return pd.DataFrame({"name": lines.keys(), "value": [str(value) for value in lines.values()]})


def curves(entries, records):
    """Mean and band over seeds of loss and accuracy at each step, of both stages with all seeds."""
    rows = []
    for entry in entries:
        record = records.get(entry.cell)
        if entry.stage not in (plan.PAPER, plan.CHOSEN) or not record or not record["curve"]:
            continue
        at = {"stage": entry.stage, "experiment": entry.cell.experiment, "arm": entry.cell.arm}
        points = zip(*(record["curve"][name] for name in ("step", "loss", "accuracy")))
        rows += [{**at, "step": step, "loss": loss, "accuracy": accuracy} for step, loss, accuracy in points]
    if not rows:
        return pd.DataFrame(columns=CURVES)
    groups = pd.DataFrame(rows).groupby(["stage", "experiment", "arm", "step"], sort=False)
    found = {"n": groups.size()}
    for name in ("loss", "accuracy"):
        found[f"{name}_mean"] = groups[name].mean()
        for what, level in zip(("low", "high"), BAND):
            found[f"{name}_{what}"] = groups[name].quantile(level)
    return pd.DataFrame(found).reset_index()[CURVES]


def rates(search):
    """What each learning rate gave on held-out rows, and which was chosen."""
    if search.empty:
        return pd.DataFrame(columns=RATES)
    chosen = plan.chosen_rates(search)
    rows = []
    for (experiment, arm, rate), group in search.groupby(["experiment", "arm", "learning_rate"], sort=False):
        of_arm = search[(search["experiment"] == experiment) & (search["arm"] == arm)]["learning_rate"]
        rows.append(
            {
                "experiment": experiment,
                "arm": arm,
                "learning_rate": rate,
                "n": len(group),
                "accuracy": group["accuracy"].mean(),
                "loss": group["asked_loss"].mean(),
                "diverged": int(group["diverged"].sum()),
                "chosen": chosen[experiment, arm] == rate,
                "place": {of_arm.min(): "lowest", of_arm.max(): "highest"}.get(rate, ""),
            }
        )
    return pd.DataFrame(rows, columns=RATES)


# --- comparisons -------------------------------------------------------------------------------------------


def comparisons(done):
    """Each arm against dot, and metric against each other arm, by stage, choice, data set and measure.

    `difference` is arm minus against, paired by seed; of the measure "spread" it is the ratio of standard
    deviations of the final accuracy. `holm` corrects over the data sets of one question.
    """
    done = done[done["stage"] != plan.RATES] if len(done) else done
    rows = []
    for (stage, choice, experiment), group in done.groupby(["stage", "choice", "experiment"], sort=False):
        at = {"stage": stage, "choice": choice, "experiment": experiment}
        rows += [{**at, **row} for row in _of_one_setting(group, with_spread=stage != plan.OPEN)]
        if stage == plan.CHOSEN:  # the same networks, asked beside their training rows
            at["choice"] = BESIDE
            rows += [{**at, **row} for row in _beside_training(group)]
    table = pd.DataFrame(rows, columns=COMPARISONS)
    families = table.groupby(["stage", "choice", "measure", "arm", "against"], sort=False)["p"]
    table["holm"] = families.transform(statistics.holm).astype(float)
    return table


def _of_one_setting(group, with_spread):
    for measure in COMPARED:
        yield from _pairs(group, measure, measure, statistics.paired_interval)
    if with_spread:
        yield from _pairs(group, "accuracy", "spread", None)


def _beside_training(group):
    if experiments.get(group["experiment"].iloc[0]).kind == "rows":
        yield from _pairs(group, "accuracy_beside_training", "accuracy", statistics.paired_interval)


def _pairs(group, column, measure, bootstrap):
    table = group.pivot(index="seed", columns="arm", values=column)
    names = [name for name in arms.NAMES if name in table]
    pairs = [(name, arms.REFERENCE) for name in names if name != arms.REFERENCE]
    pairs += [(arms.SUBJECT, name) for name in names if name not in (arms.REFERENCE, arms.SUBJECT)]
    for arm, against in pairs:
        if arm not in table or against not in table:
            continue
        both = table[[arm, against]].dropna()
        if bootstrap is not None:
            found, value = bootstrap(both[arm] - both[against]), both[arm].mean()
        else:
            found, value = statistics.spread_ratio(both[arm], both[against]), both[arm].std(ddof=1)
        numbers = dict(zip(("difference", "low", "high", "p"), found))
        yield {"measure": measure, "arm": arm, "against": against, "n": len(both), "value": value, **numbers}


def summary(cells):
    """A row for each stage, choice, data set and arm: means over seeds, and the spread of the accuracy."""
    done = cells[(cells["error"] == "") & (cells["stage"] != plan.RATES)]
    rows = []
    for keys, group in done.groupby(["stage", "choice", "experiment", "arm"], sort=False):
        mean, low, high = statistics.mean_interval(group["accuracy"])
        means = group[list(MEANS)].astype(float).mean()
        rows.append(
            dict(zip(("stage", "choice", "experiment", "arm"), keys))
            | {"n": len(group), "accuracy": mean, "low": low, "high": high}
            | {"sd": group["accuracy"].std(ddof=1), "learning_rate": group["learning_rate"].iloc[0]}
            | {"n_parameters": group["n_parameters"].iloc[0], "diverged": int(group["diverged"].sum())}
            | means.to_dict()
        )
    return pd.DataFrame(rows)


MEANS = (
    *("guessing", "accuracy_beside_training", "accuracy_under_noise", "final_loss", "mean_loss", "late_fall"),
    *("perplexity", "n_keys", "variance_at_start", "variance_at_end", "seconds"),
)
