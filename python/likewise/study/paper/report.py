"""The page, made of the CSV files alone: ``write(folder)`` makes it anew from them."""

import numpy as np

from likewise._experiments import page
from likewise._experiments.page import drawn
from likewise.study.paper import arms, experiments, figures, plan, run, statistics, store, tables, verdicts

PAGE = "paper.html"
FLAT = 0.01  # a loss counts as flat that fell by less than this share of its first value over the last tenth


def write(folder):
    """Write paper.html into the folder that has the CSV files; returns its path."""
    found = {name: tables.read(folder, name) for name in tables.FILES}
    environment = page.environment("likewise.study")
    environment.filters |= {"number": _number, "signed": verdicts.signed, "short": _short}
    html = environment.get_template("paper.html.j2").render(**_context(found))
    path = folder / PAGE
    path.write_text(html, encoding="utf-8")
    return path


def _context(found):
    table, comparisons = found["cells"], found["comparisons"]
    summary = tables.summary(table)
    about = dict(zip(found["about"]["name"], found["about"]["value"]))
    present = [of for of in experiments.EXPERIMENTS if (table["experiment"] == of.name).any()]
    return {
        "about": about,
        "interrupted": about["interrupted"] == "True",
        "n_done": len(_once(table)),
        "experiments": [_experiment(of, table) for of in present],
        "arms": [_arm(arm, table) for arm in arms.ARMS if (table["arm"] == arm.name).any()],
        "claims": [_claim(claim, verdicts.verdicts(comparisons, summary)) for claim in verdicts.CLAIMS],
        "stages": [_stage(stage, said, found, summary) for stage, said in verdicts.STAGES.items()],
        "rates": _rates(found["rates"]),
        "edges": edges(found["rates"]),
        "n_extensions": int(about.get(tables.N_EXTENSIONS, 0)),
        "choices": drawn(figures.choices(summary, comparisons)),
        "beside": _beside(comparisons),
        "failures": _once(table[table["error"] != ""]).to_dict("records"),
        "versions": {n.removeprefix("version "): v for n, v in about.items() if n.startswith("version ")},
        "title_of": {of.name: of.title for of in present} | {arm.name: arm.title for arm in arms.ARMS},
        "noise": run.NOISE,
        "has_sequences": any(of.kind == "sequence" for of in present),
        "num_heads": arms.NUM_HEADS,
        "band": [f"{100 * level:.0f}" for level in tables.BAND],
        "n_draws": statistics.N_DRAWS,
        "few": statistics.FEW,
        "flat": FLAT,
        "n_rate_seeds": _most(found["rates"]["n"]),
        "n_open_seeds": _most(summary.loc[summary["stage"] == plan.OPEN, "n"]) if len(summary) else 0,
    }


def _most(counts):
    return int(counts.max()) if len(counts) else 0


def _once(table):
    """Each cell once, whatever it was run for."""
    return table.drop_duplicates([name for name in store.NAMES if name in table])


def _experiment(of, table):
    rows = table[(table["experiment"] == of.name) & (table["stage"] != plan.OPEN)]
    batch = "all" if of.batch == 0 else str(of.batch)
    steps = int(rows["steps"].max()) if len(rows) else of.steps
    n_seeds = rows.loc[rows["stage"] != plan.RATES, "seed"].nunique()
    return {
        "of": of,
        "batch": "the graph" if of.kind == "graph" else batch,
        "steps": steps,
        "n_seeds": n_seeds,
    }


def _arm(arm, table):
    """With the numbers of parameters on each data set, two modules."""
    rows = table[(table["arm"] == arm.name) & (table["stage"] == plan.PAPER)]
    counts = rows.groupby("experiment", sort=False)["n_parameters"].max().dropna()
    return {"arm": arm, "counts": {name: int(count) for name, count in counts.items()}}


def _claim(claim, found):
    return {"claim": claim, "verdicts": [verdict for verdict in found if verdict.claim == claim.name]}


def _stage(stage, said, found, summary):
    rows = summary[(summary["stage"] == stage) & (summary["choice"] == "")] if len(summary) else summary
    pairs = found["comparisons"]
    pairs = pairs[(pairs["stage"] == stage) & (pairs["choice"] == "") & (pairs["against"] == arms.REFERENCE)]
    against_dot = {(row["experiment"], row["arm"], row["measure"]): row for row in pairs.to_dict("records")}
    return {
        "name": stage,
        "said": said,
        "curves": drawn(figures.curves(found["curves"], stage)),
        "final": drawn(figures.final(found["cells"], stage)),
        "lines": [_line(row, against_dot) for row in rows.to_dict("records")],
    }


def _line(row, against_dot):
    """A row of the summary, with its differences from dot and whether its loss had come to rest."""
    at = (row["experiment"], row["arm"])
    return {
        **row,
        "accuracy_to_dot": against_dot.get((*at, "accuracy")),
        "loss_to_dot": against_dot.get((*at, "mean_loss")),
        "noise_to_dot": against_dot.get((*at, "accuracy_under_noise")),
        "spread_to_dot": against_dot.get((*at, "spread")),
        "is_flat": not row["late_fall"] >= FLAT,
    }


def _rates(table):
    """For each data set and arm the chosen rate, and the mean held-out accuracy at each."""
    lines = []
    for (experiment, arm), rows in table.groupby(["experiment", "arm"], sort=False):
        chosen = rows[rows["chosen"]].iloc[0]
        tried = [
            {"rate": row.learning_rate, "accuracy": row.accuracy, "chosen": row.chosen}
            for row in rows.itertuples()
        ]
        lines.append(
            {
                "experiment": experiment,
                "arm": arm,
                "tried": sorted(tried, key=lambda one: one["rate"]),
                "chosen": chosen["learning_rate"],
                "place": f"the {chosen['place']} tried" if chosen["place"] else "",
            }
        )
    return lines


def edges(table):
    """Which chosen rates lie at an edge of what was tried, where a better one may lie beyond, in words."""
    chosen = table[table["chosen"].astype(bool)]
    at_edge = chosen[chosen["place"] != ""]
    if at_edge.empty:
        return "No chosen rate lies at an edge of what was tried."
    lists = [
        f"{experiments.get(name).title}: {'; '.join(_edge(row) for row in rows.itertuples())}."
        for name, rows in at_edge.groupby("experiment", sort=False)
    ]
    return (
        f"{len(at_edge)} of {len(chosen)} chosen rates lie at an edge of what was tried, and a better one "
        f"may lie beyond. {' '.join(lists)}"
    )


def _edge(row):
    return f"{arms.get(row.arm).title} ({row.learning_rate:g}, {row.place})"


def _beside(comparisons):
    """Differences from dot where the same networks are asked beside their training rows."""
    rows = comparisons[(comparisons["choice"] == tables.BESIDE) & (comparisons["against"] == arms.REFERENCE)]
    return rows.to_dict("records")


def _number(value, digits=3):
    return "–" if value is None or np.isnan(value) else f"{value:.{digits}f}"


def _short(value):
    return "–" if value is None or np.isnan(value) else f"{value:.2g}"
