"""The figures of the page, from its tables."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from likewise import plots
from likewise.study.paper import arms, experiments, plan, tables

N_COLUMNS = 3
COLORS = dict(
    zip(
        ("none", "dot", "dot_identity", "dot_phi", "l2", "metric", "metric_small"),
        ("#5f6b7a", "#c0392b", "#d9822b", "#a34c9f", "#2f6fb0", "#3f9b57", "#17a2b8"),
    )
)
EXTRA_COLOR = "#8a6d3b"
BANDED = ("dot", "l2", "metric")  # the paper's three; seven bands would hide one another
LEAST_LOSS = 1e-4  # nats; what is lower is drawn there


def curves(table, stage):
    """Training loss above accuracy for each data set; None where nothing is done."""
    table = table[table["stage"] == stage]
    names = _experiments_in(table)
    if not names:
        return None
    n_columns, n_rows = min(N_COLUMNS, len(names)), -(-len(names) // N_COLUMNS)
    figure = Figure(figsize=(4.3 * n_columns, 4.9 * n_rows + 0.5), layout="constrained")
    panels = figure.subplots(2 * n_rows, n_columns, squeeze=False)
    drawn = {}
    for place, name in enumerate(names):
        row, column = 2 * (place // N_COLUMNS), place % N_COLUMNS
        rows = table[table["experiment"] == name]
        of = experiments.get(name)
        _curves_panel(panels[row, column], rows, "loss", drawn)
        _curves_panel(panels[row + 1, column], rows, "accuracy", drawn)
        panels[row, column].set_title(f"{of.title}, n = {rows['n'].max()} seeds", fontsize=10)
        panels[row, column].set(yscale="log", ylabel="training loss (nats)")
        _plain_numbers(panels[row, column].yaxis)
        panels[row + 1, column].set(xlabel="steps of Adam", ylabel="accuracy, asked rows")
    for place in range(len(names), n_rows * n_columns):
        for row in (0, 1):
            panels[2 * (place // N_COLUMNS) + row, place % N_COLUMNS].remove()
    figure.legend(drawn.values(), drawn, loc="outside upper center", ncols=len(drawn), frameon=False)
    return figure


def _plain_numbers(axis):
    axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=8))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _curves_panel(ax, rows, what, drawn):
    for arm in arms.NAMES:
        line = rows[rows["arm"] == arm]
        if line.empty:
            continue
        low, mean, high = (line[f"{what}_{part}"] for part in ("low", "mean", "high"))
        if what == "loss":
            low, mean, high = (part.clip(lower=LEAST_LOSS) for part in (low, mean, high))
        style = "-" if arm in BANDED else "--"
        (drawn[arms.get(arm).title],) = ax.plot(line["step"], mean, style, color=_color(arm), linewidth=1.5)
        if arm in BANDED:
            ax.fill_between(line["step"], low, high, color=_color(arm), alpha=0.15, linewidth=0)
    ax.grid(alpha=0.25)


def final(cells, stage):
    """Each seed's final accuracy as a dot, and their mean with its interval; None where nothing is done."""
    done = cells[(cells["stage"] == stage) & (cells["error"] == "")]
    names = _experiments_in(done)
    if not names:
        return None
    summary = tables.summary(done)
    n_columns, n_rows = min(N_COLUMNS, len(names)), -(-len(names) // N_COLUMNS)
    figure = Figure(figsize=(4.3 * n_columns, 3.1 * n_rows), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for name, ax in zip(names, panels):
        _final_panel(ax, done[done["experiment"] == name], summary[summary["experiment"] == name])
        ax.set_title(f"{experiments.get(name).title}, n = {summary_n(summary, name)} seeds", fontsize=10)
    for ax in panels[len(names) :]:
        ax.remove()
    return figure


def summary_n(summary, name):
    """Seeds of an experiment."""
    return int(summary.loc[summary["experiment"] == name, "n"].max())


def _final_panel(ax, cells, summary):
    present = [arm for arm in arms.NAMES if (cells["arm"] == arm).any()]
    random = np.random.default_rng(0)  # dots that stand beside one another
    for place, arm in enumerate(present):
        values = cells.loc[cells["arm"] == arm, "accuracy"]
        x = place + 0.22 * (2 * random.random(len(values)) - 1)
        ax.scatter(x, values, s=9, color=_color(arm), alpha=0.45, linewidth=0)
        row = summary[summary["arm"] == arm].iloc[0]
        ax.plot([place - 0.32, place + 0.32], [row["accuracy"]] * 2, color="black", linewidth=1.4)
        ax.plot([place, place], [row["low"], row["high"]], color="black", linewidth=1.4)
    limits = ax.get_ylim()
    ax.axhline(cells["guessing"].mean(), color="#5b6370", linestyle=":", linewidth=1)
    ax.set_ylim(limits)  # where guessing is far below, it must not flatten the dots
    ax.set_xticks(range(len(present)), [arms.get(arm).title for arm in present], rotation=30, ha="right")
    ax.set_ylabel("final accuracy, asked rows")
    ax.grid(axis="y", alpha=0.25)


def choices(summary, comparisons):
    """A heat map for each data set: open choices by arms; None where nothing is done."""
    summary = summary[_is_choice(summary)] if len(summary) else summary
    names = _experiments_in(summary)
    if not names:
        return None
    heights = [1.7 + 0.42 * summary.loc[summary["experiment"] == name, "choice"].nunique() for name in names]
    figure = Figure(figsize=(11.5, sum(heights)), layout="constrained")
    panels = figure.subplots(len(names), 1, squeeze=False, height_ratios=heights).ravel()
    for name, ax in zip(names, panels):
        _choices_panel(
            ax, summary[summary["experiment"] == name], comparisons[comparisons["experiment"] == name]
        )
        ax.set_title(experiments.get(name).title, fontsize=11)
    return figure


def _is_choice(table):
    return table["stage"] == plan.OPEN


def _choices_panel(ax, summary, comparisons):
    rows = [name for name in plan.CHOICES if (summary["choice"] == name).any()]
    columns = [arm for arm in arms.NAMES if (summary["arm"] == arm).any()]
    means = summary.set_index(["choice", "arm"])
    pairs = comparisons[
        _is_choice(comparisons)
        & (comparisons["measure"] == "accuracy")
        & (comparisons["against"] == arms.REFERENCE)
    ].set_index(["choice", "arm"])

    def grid(table, column):
        return np.array([[table[column].get((row, arm), np.nan) for arm in columns] for row in rows], float)

    plots.heat_map(
        grid(means, "accuracy"),
        grid(means, "high") - grid(means, "accuracy"),
        grid(pairs, "difference"),
        (grid(pairs, "low") > 0) | (grid(pairs, "high") < 0),
        row_names=rows,
        column_names=[arms.get(arm).title for arm in columns],
        reference=arms.get(arms.REFERENCE).title,
        ax=ax,
    )


def _experiments_in(table):
    return [name for name in experiments.NAMES if len(table) and (table["experiment"] == name).any()]


def _color(arm):
    return COLORS.get(arm, EXTRA_COLOR)
