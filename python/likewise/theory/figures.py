"""Figures of checks, a panel each, and of fields and flows of anyone's data."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from likewise import plots

N_COLUMNS = 4
WIDTH, HEIGHT, HEAD = 3.6, 2.8, 0.8  # inches of a panel, and of title and legend
MEASURED, RICHARDSON, PRINTED = (plots.CLASS_COLORS[k] for k in (0, 1, 5))
INK = "#4a5260"
_LOOKS = {
    "measured": {"marker": "o", "color": MEASURED, "label": "measured at ε"},
    "Richardson": {
        "marker": "s",
        "color": RICHARDSON,
        "linestyle": "--",
        "label": "its Richardson value",
    },
    "printed formula": {
        "marker": "^",
        "color": PRINTED,
        "linestyle": ":",
        "label": "distance from a formula that must fail",
    },
}


def group(title, results):
    """A panel for each result (check, measured) of a group: its errors over eps, or both values."""
    drawn = [(check, found) for check, found in results if found is not None and found.trace is not None]
    if not drawn:
        return None
    n_columns = min(N_COLUMNS, len(drawn))
    n_rows = -(-len(drawn) // n_columns)
    figure = Figure(figsize=(WIDTH * n_columns, HEIGHT * n_rows + HEAD))
    panels = _panels(figure, n_rows, n_columns)
    for ax in panels[len(drawn) :]:
        ax.remove()
    known = {}
    for ax, (check, found) in zip(panels, drawn):
        (_errors if found.trace.log else _pairs)(ax, found, known)
        ax.set_title(f"{check.name}\n{_outcome(found)}", fontsize=8.5, color=INK if found.passed else PRINTED)
    middle = HEAD / figure.get_figheight() / 2
    figure.text(0.5, 1 - 0.55 * middle, title, ha="center", va="center", fontsize=12)
    at = (0.5, 1 - 1.45 * middle)
    figure.legend(
        known.values(), known, loc="center", bbox_to_anchor=at, ncols=len(known), frameon=False, fontsize=9
    )
    return figure


def _panels(figure, n_rows, n_columns):
    """Axes at fixed places: a layout that is found by drawing takes as long as all checks."""
    width, height = figure.get_size_inches()
    return figure.subplots(
        n_rows,
        n_columns,
        squeeze=False,
        gridspec_kw={
            "left": 0.75 / width,
            "right": 1 - 0.3 / width,
            "bottom": 0.5 / height,
            "top": 1 - (HEAD + 0.42) / height,
            "wspace": 0.4,
            "hspace": 0.62,
        },
    ).ravel()


def _outcome(found):
    said = "passed" if found.passed else "FAILED"
    if found.interval is not None:
        return f"{found.measured:.3f} [{found.interval[0]:.3f}, {found.interval[1]:.3f}], {said}"
    if found.order is None:
        return f"largest difference {found.error:.0e}, {said}"
    return f"order {found.order:.2f}, Richardson off by {found.error:.0e}, {said}"


def _errors(ax, found, known):
    """Errors of what is measured, of Richardson values and of a printed formula, on logarithmic axes."""
    trace = found.trace
    for name, errors in trace.errors.items():
        look = {"linestyle": "-", "markersize": 4.5, "linewidth": 1.2, **_LOOKS[name]}
        label = look.pop("label") if found.interval is None else "measured over samples"
        look.pop("label", None)
        (known[label],) = ax.plot(trace.x, errors, **look)
        if name in trace.slopes:
            word = "order" if found.interval is None else "slope"
            _slope(ax, trace.x, errors, trace.slopes[name], word, known)
    ax.set(xscale="log", yscale="log", xlabel=trace.x_label)
    ax.set_ylabel(trace.y_label)
    _few_ticks(ax, trace.x)


def _slope(ax, x, errors, slope, word, known):
    """The line of the predicted order through the last point, the smallest eps or the largest n."""
    line = errors[-1] * (x / x[-1]) ** slope
    gray = {"color": "#9aa1ac", "linewidth": 4, "alpha": 0.4}
    (known["line of the predicted order"],) = ax.plot(x, line, **gray)
    ax.annotate(f"{word} {slope:.3g}", (x[-2], line[-2]), (2, -12), textcoords="offset points",
                fontsize=8, color="#6b7280", ha="right" if slope < 0 else "left")  # fmt: skip


def _few_ticks(ax, x):
    _log_ticks(ax.yaxis)
    _log_ticks(ax.xaxis)
    if len(x) <= 4:
        ax.set_xticks(x, [f"{value:.3g}" if value < 100 else f"{value:.0f}" for value in x])
    ax.tick_params(labelsize=7.5)
    ax.xaxis.label.set_size(8)
    ax.yaxis.label.set_size(8)
    ax.grid(alpha=0.25)


def _log_ticks(axis):
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1,) if high > 30 * low else (1, 2, 5), numticks=5))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_locator(NullLocator())


def _pairs(ax, found, known):
    """Predicted values as wide marks and measured ones as dots inside."""
    trace, values = found.trace, found.trace.errors
    wide, dot = {"markersize": 9, "mfc": "none", "color": RICHARDSON}, {"markersize": 5, "color": MEASURED}
    (known["predicted"],) = ax.plot(trace.x, values["predicted"], "o", **wide)
    (known["measured"],) = ax.plot(trace.x, values["measured"], ".", **dot)
    ax.set_xlabel(trace.x_label, fontsize=8)
    ax.set_ylabel(trace.y_label, fontsize=8)
    ax.tick_params(labelsize=7.5)
    if len(trace.x) <= 12:
        ax.set_xticks(trace.x)
    low, high = values["predicted"].min(), values["predicted"].max()
    if low > 0.9 * high > 0:  # hardly any range: from 0, or rounding looks large
        ax.set_ylim(0, 1.3 * high)
    ax.grid(alpha=0.25)


# --- learned maps ---------------------------------------------------------------------------------------


def learned_metric():
    """The metric that a module has learned along its curve, and clusters of another one that merge."""
    from likewise.theory import learned

    figure = Figure(figsize=(12, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    u, speed, apart = learned.learned_along_the_loop()
    left.plot(u, speed, color=MEASURED, label="√g, length in φ of a unit of u")
    left.plot(u, apart, color=RICHARDSON, linestyle="--", label="distance in φ to the nearest far token")
    left.axhline(np.sqrt(0.5), color=INK, linestyle=":", label="√ε of training")
    for border in np.arange(1, learned.N_CLASSES) * 2 * np.pi / learned.N_CLASSES:
        left.axvline(border, color="#c9ced6", linewidth=1)
    left.set(
        yscale="log", xlabel="u along the curve; lines: borders of the six classes", ylabel="length in φ"
    )
    left.set_title("The metric that a trained module has learned along its curve", fontsize=10)
    left.legend(fontsize=8, loc="lower right")
    steps, groups, near = learned.merging()
    right.plot(steps, near, color=RICHARDSON, linewidth=4, alpha=0.5, drawstyle="steps-post",
               label="eigenvalues with $w^t > 1/20$")  # fmt: skip
    right.plot(steps, groups, "o", markersize=5, color=MEASURED, label="groups of rows of $P^t H$")
    right.axhline(learned.CLUSTERS[-1], color=INK, linestyle=":", linewidth=1, label="clusters")
    right.set(xscale="log", yscale="log", xlabel="steps t", ylabel="count")
    right.set_yticks([1, 2, 3, 4, 5, 8, 20], [1, 2, 3, 4, 5, 8, 20])
    right.yaxis.set_minor_locator(NullLocator())
    right.set_title("Five clusters: eigenvalues near 1 count the groups until these merge", fontsize=10)
    right.legend(fontsize=8)
    return figure


def layer():
    """The boundary layer: steps near an edge in units of sqrt(eps) times the slope there."""
    from likewise.theory import boundary

    figure = Figure(figsize=(6.2, 3.6), layout="constrained")
    ax = figure.subplots()
    t, measured, predicted = boundary.profile()
    ax.plot(t, predicted, color=RICHARDSON, linewidth=3, alpha=0.6, label="n(t)/N(t)")
    ax.plot(t, measured, "o", markersize=5, color=MEASURED, label="measured at √ε = 0.005")
    ax.set(xlabel="distance from the edge, in √ε", ylabel="(P f - f) / (√ε ∂f)")
    ax.set_title("Near an edge a step is of order √ε; from 3√ε on hardly anything is left", fontsize=10)
    ax.legend(fontsize=8)
    ax.grid(alpha=0.25)
    return figure


# --- fields and flows -----------------------------------------------------------------------------------


def drift(fields, ax=None, columns=(0, 1)):
    """Arrows of the drift over two columns of the points, dark where two standard errors leave 0 out."""
    a, b = columns
    if fields.points.shape[1] <= max(a, b):
        raise ValueError(f"columns must be two of the {fields.points.shape[1]} columns of X; got {columns}.")
    ax = plots._axes(ax)
    at, arrow = fields.points[:, [a, b]], fields.drift[:, [a, b]]
    known = ~np.isnan(arrow[:, 0])
    clear = np.linalg.norm(arrow / np.maximum(fields.drift_error[:, [a, b]], 1e-300), axis=1) > 2
    ax.scatter(*at[~known].T, s=14, marker="x", color=plots.CLASS_COLORS[1], label="too few neighbors")
    extent = np.ptp(at, axis=0).max()
    longest = max(np.linalg.norm(arrow[known], axis=1).max(initial=0), 1e-300)
    for which, color, label in (
        (known & ~clear, "#aeb4bf", "within two standard errors of 0"),
        (known & clear, MEASURED, "more than that"),
    ):
        ax.quiver(*at[which].T, *arrow[which].T, color=color, angles="xy", scale_units="xy",
                  scale=longest / (0.1 * extent), width=0.003, label=label)  # fmt: skip
    ax.set(xlabel=f"$x_{{{a + 1}}}$", ylabel=f"$x_{{{b + 1}}}$")
    ax.set_title("Drift of one step" + _unit(fields.time), fontsize=10)
    ax.set_aspect("equal")
    ax.legend(fontsize=8, loc="best")
    return ax


def _unit(time):
    return f", per unit of time (ε = {time:.3g})" if time != 1 else ""


def heat_flow(flow, ax=None):
    """What is not yet mixed over the steps: by powers as dots, by the semigroup as a line."""
    ax = plots._axes(ax)
    by_powers, by_flow = flow.rest
    line = {"color": RICHARDSON, "linewidth": 3, "alpha": 0.6}
    ax.plot(flow.times, by_flow, "-", label="heat flow, from the spectrum", **line)
    ax.plot(flow.times, by_powers, "o", markersize=5, color=MEASURED, label="powers, $P^t f$")
    ax.set(yscale="log", xlabel="steps t", ylabel="what is not yet mixed, |f_t - mean| / |f - mean|")
    _log_ticks(ax.yaxis)
    ax.set_title(f"Steps and heat flow differ by {flow.difference.max():.1g} of f at most", fontsize=10)
    ax.legend(fontsize=8)
    ax.grid(alpha=0.25)
    return ax
