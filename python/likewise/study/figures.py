"""The figures of the report, drawn with likewise.plots."""

import numpy as np
from matplotlib.figure import Figure

from likewise import plots
from likewise.study import dials, methods
from likewise.study.readings import DIFFUSION_TIME


def seven_readings(r):
    """The operator and its seven readings, (2 x 4) panels, from :class:`likewise.study.readings.Readings`."""
    figure = Figure(figsize=(15, 6.6), layout="constrained")
    panels = figure.subplots(2, 4).flat
    for ax, draw in zip(
        panels, (_matrix, _surface, _vote, _clusters, _diffusion, _propagated, _modes, _attention)
    ):
        draw(r, ax)
    return figure


def _matrix(r, ax):
    plots.matrix(r.matrix, ax=ax)
    _titled(ax, "P itself", "rows and columns sorted along each moon")


def _surface(r, ax):
    plots.decision_surface(r.xs, r.ys, r.surface, r.X, r.wave, ax=ax, label="value")
    _titled(ax, "1 Regression surface", "one step, $v = \\sin 2x_1$ + noise (dots: $v$)")


def _vote(r, ax):
    plots.decision_surface(r.xs, r.ys, r.neighbors, r.X, r.y, ax=ax, levels=[0.5], label="share of moon 1")
    _titled(ax, "2 k-NN boundary", "support: the 10 nearest, kernel: indicator")


def _clusters(r, ax):
    plots.embedding(r.X, r.clusters, ax=ax)
    _on_the_moons(r, ax)
    _titled(ax, "3 Spectral clusters", "color: sign of the second eigenvector")


def _diffusion(r, ax):
    t = DIFFUSION_TIME
    names = (f"$\\mu_1^{{{t}}}\\,\\psi_1$", f"$\\mu_2^{{{t}}}\\,\\psi_2$")
    plots.embedding(r.diffusion, r.y, ax=ax, names=names)
    ax.set_box_aspect(0.68)
    _titled(ax, "4 Diffusion coordinates", f"eigenvectors of $P^{{{t}}}$; color: the moon")


def _propagated(r, ax):
    points = ax.scatter(
        *r.X.T, c=r.propagated, cmap="coolwarm", vmin=0, vmax=1, s=16, edgecolor="white", lw=0.3
    )
    ax.scatter(*r.X[r.labeled].T, marker="*", s=170, c=r.y[r.labeled], cmap="coolwarm", edgecolor="black")
    plots.color_bar(ax, points, "probability of moon 1")
    _on_the_moons(r, ax)
    _titled(ax, "5 Propagated labels", "equilibrium; stars: the two given labels")


def _modes(r, ax):
    _, index = np.unique(np.round(r.modes, 2), axis=0, return_inverse=True)
    plots.embedding(r.X, index.ravel(), ax=ax)
    ax.scatter(*r.modes.T, marker="x", s=60, color="black", linewidth=1.5)
    _on_the_moons(r, ax)
    _titled(ax, "6 Modes", "repeated steps, $v = $ points; crosses: ends")


def _attention(r, ax):
    plots.arrows(r.queries, r.attended, r.X, ax=ax)
    _on_the_moons(r, ax)
    _titled(ax, "7 Attention output", "one step, $v = $ points; dots: outputs")


def _on_the_moons(r, ax):
    """The frame that the panels in the plane of the moons share."""
    ax.set(xlim=r.xs[[0, -1]], ylim=r.ys[[0, -1]], aspect="equal", xlabel="$x_1$", ylabel="$x_2$")


def _titled(ax, title, subtitle):
    ax.set_title(f"{title}\n", fontsize=12, loc="left", weight="bold")
    ax.text(0, 1.02, subtitle, transform=ax.transAxes, fontsize=8.5, color="#4a5260")


def dial_heat_map(overview, dial):
    """Methods by values of a dial, from :func:`statistics.overview`; None where nothing finished."""
    rows = overview[overview["dial"] == dial.name]
    if rows.empty:
        return None
    keys = [(name, score) for name in methods.names() for score in _scores_of(rows, name)]
    columns = [value for value in dial.names() if (rows["value"] == value).any()]
    table = rows.set_index(["method", "score_name", "value"])
    at = {column: _grid(table[column], keys, columns) for column in ("mean", "high", "difference")}
    low, high = (_grid(table[column], keys, columns) for column in ("difference_low", "difference_high"))
    n_datasets = _grid(table["n_datasets"], keys, columns)
    figure = Figure(figsize=(5 + 0.82 * len(columns), 1.4 + 0.42 * len(keys)), layout="constrained")
    plots.heat_map(
        at["mean"],
        at["high"] - at["mean"],
        at["difference"],
        (low > 0) | (high < 0),
        row_names=[f"{methods.get(name).title} · {methods.shown(score)}" for name, score in keys],
        column_names=columns,
        reference=dial.reference,
        starred=n_datasets < np.nanmax(n_datasets, axis=1, keepdims=True),
        ax=figure.subplots(),
    )
    return figure


def _scores_of(rows, method):
    return rows.loc[rows["method"] == method, "score_name"].unique()


def _grid(column, keys, values):
    return np.array([[column.get((*key, value), np.nan) for value in values] for key in keys], float)


def curves(summary, dial, x_label, log_x):
    """One panel a data set, one line a method: score over the value of the dial; None if empty."""
    rows = summary[summary["dial"] == dial.name]
    names = list(dict.fromkeys(rows["dataset"]))
    if not names:
        return None
    n_columns = min(3, len(names))
    n_rows = -(-len(names) // n_columns)
    figure = Figure(figsize=(4.2 * n_columns, 2.9 * n_rows + 0.5), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False).flat
    drawn = {}
    for name, ax in zip(names, panels):
        _curve_panel(ax, rows[rows["dataset"] == name], name, log_x, drawn)
    for ax in list(panels):  # what the data sets left over
        ax.remove()
    figure.supxlabel(x_label, fontsize=10)
    figure.legend(drawn.values(), drawn, loc="outside upper center", ncols=len(drawn), frameon=False)
    return figure


def _curve_panel(ax, rows, name, log_x, drawn):
    for color, method in zip(plots.CLASS_COLORS, CURVE_ORDER):
        line = rows[rows["method"] == method]
        if line.empty:
            continue
        x = line["value"].astype(float)
        style = "--" if method == "l2_attention" else "-"  # lies on kernel regression
        plots.curve(x, line["mean"], line["low"], line["high"], ax=ax, color=color, linestyle=style)
        drawn[methods.get(method).title] = ax.lines[-1]
    ax.set_ylim(
        max(rows["mean"].min() - 0.1, -0.6), 1.05
    )  # wide bands of few splits must not flatten the lines
    if log_x:
        ax.set_xscale("log", base=2)
    ax.set_title(name, fontsize=10)
    ax.set_ylabel(" / ".join(map(methods.shown, dict.fromkeys(rows["score_name"]))), fontsize=8)
    ax.grid(alpha=0.25)


CURVE_ORDER = (
    "kernel_regression",
    "spectral_clustering",
    "diffusion_maps",
    "label_spreading",
    "l2_attention",
)


def alpha_curve(summary):
    """Score over the density exponent alpha."""
    return curves(
        summary, dials.ALPHA_CURVE, "density exponent alpha (0: density kept, 1: density divided out)", False
    )


def bandwidth_curve(summary):
    """Score over the bandwidth in units of the median distance."""
    return curves(summary, dials.BANDWIDTH_CURVE, "bandwidth / median distance between training rows", True)
