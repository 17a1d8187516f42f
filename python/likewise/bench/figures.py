"""The figures of the benchmark's report."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from likewise import plots
from likewise.bench import workloads

VERDICT_COLORS = {"stretch": "#3f9b57", "goal": "#2f6fb0", "missed": "#d9822b", "": "#8a909a"}


def ratios(records):
    """Bars of peer time / ours at the most threads, with intervals, goals and stretches; None without any."""
    rows = [row for row in records if row["status"] == "ok" and not row["ours"]]
    rows = [row for row in rows if row["threads"] == max(row["threads"] for row in rows)]
    if not rows:
        return None
    figure = Figure(figsize=(11, 1.3 + 0.32 * len(rows)), layout="constrained")
    ax = figure.subplots()
    for y, row in enumerate(rows):
        low, high = row["ratio"] - row["ratio_low"], row["ratio_high"] - row["ratio"]
        ax.barh(y, row["ratio"], color=VERDICT_COLORS[row["verdict"]], height=0.7, left=0)
        ax.errorbar(row["ratio"], y, xerr=[[low], [high]], color="black", capsize=3, lw=1)
        if row["goal"] is not None:
            ax.plot([row["goal"]] * 2, [y - 0.42, y + 0.42], color="black", lw=2)
            ax.plot([row["stretch"]] * 2, [y - 0.42, y + 0.42], color="black", lw=2, ls=":")
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.axvline(1, color="#c0392b", lw=1)
    ax.set_yticks(range(len(rows)), [_row_name(row) for row in rows], fontsize=8)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlabel("peer time / ours (for OpenBLAS: fraction of its flops a second)")
    ax.grid(axis="x", alpha=0.25)
    return figure


def _row_name(row):
    return f"{row['title']} · {row['contender']}"


def growth(rows, slopes):
    """Time and peak memory over n, one column a workload; None without any."""
    rows = [row for row in rows if row["status"] == "ok"]
    names = list(dict.fromkeys(row["workload"] for row in rows))
    if not names:
        return None
    figure = Figure(figsize=(4.6 * len(names), 7.4), layout="constrained")
    panels = figure.subplots(2, len(names), squeeze=False)
    for column, name in enumerate(names):
        of_name = [row for row in rows if row["workload"] == name]
        for ax, quantity, label in zip(panels[:, column], ("time", "memory"), ("seconds", "peak MiB")):
            _growth_panel(ax, of_name, [row for row in slopes if row["workload"] == name], quantity)
            ax.set(xscale="log", yscale="log", xlabel="n", ylabel=label)
            ax.grid(alpha=0.25)
        panels[0, column].set_title(workloads.get(name).title, fontsize=10)
    return figure


def _growth_panel(ax, rows, slopes, quantity):
    exponents = {row["contender"]: row[quantity] for row in slopes}
    for color, contender in zip(plots.CLASS_COLORS, dict.fromkeys(row["contender"] for row in rows)):
        line = [row for row in rows if row["contender"] == contender]
        n, middle, low, high = np.array([_values(row, quantity) for row in line], float).T
        known = middle > 0
        if not known.any():
            continue
        exponent = exponents.get(contender)
        name = contender if exponent is None else f"{contender}: n^{exponent:.2f}"
        plots.curve(n[known], middle[known], low[known], high[known], ax=ax, color=color, label=name)
    if ax.lines:
        ax.legend(fontsize=8, frameon=False)


def _values(row, quantity):
    if quantity == "time":
        return row["n"], row["seconds"], row["seconds_low"], row["seconds_high"]
    peak = np.nan if row["peak_bytes"] is None else row["peak_bytes"] / 2**20
    return row["n"], peak, peak, peak
