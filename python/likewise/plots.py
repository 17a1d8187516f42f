"""Figures of what a mechanism does, as functions on matplotlib axes.

Each takes arrays and draws on `ax` (a new one where None); nothing is computed from models here, so the same
functions draw the study's report and your own notebook.
"""

import numpy as np

from likewise._extras import need

CLASS_COLORS = ("#2f6fb0", "#d9822b", "#3f9b57", "#a34c9f", "#8a6d3b", "#c0392b", "#5f6b7a", "#17a2b8")
_INK = "#4a5260"


def decision_surface(xs, ys, values, X, y, *, ax=None, levels=None, label=None):
    """A function on a grid as colors, its level lines, and the points it was learned from.

    Parameters
    ----------
    xs (a,), ys (b,), values (b, a) : the grid and the function, such as a probability or a regression
    X (n, 2), y (n,) : points; integers are drawn as classes, floats in the colors of the surface
    levels : values to draw as lines, such as [0.5]
    label : name of the values for a color bar, or None for no bar
    """
    ax = _axes(ax)
    classes = np.issubdtype(np.asarray(y).dtype, np.integer)
    colors = _two_colors() if classes else "viridis"
    low, high = (0, 1) if classes else (np.min(values), np.max(values))
    mesh = ax.pcolormesh(xs, ys, values, cmap=colors, vmin=low, vmax=high, shading="gouraud", rasterized=True)
    if levels is not None:
        ax.contour(xs, ys, values, levels=levels, colors="black", linewidths=1.2)
    if classes:
        _class_points(ax, X, y)
    else:
        ax.scatter(*X.T, c=y, cmap=colors, vmin=low, vmax=high, s=12, edgecolor="white", linewidth=0.4)
    if label is not None:
        color_bar(ax, mesh, label)
    return _square(ax)


def embedding(coordinates, labels, *, ax=None, names=("coordinate 1", "coordinate 2")):
    """Points (n, 2) in new coordinates: integer labels as classes, floats in colors."""
    ax = _axes(ax)
    labels = np.asarray(labels)
    if np.issubdtype(labels.dtype, np.integer):
        _class_points(ax, coordinates, labels)
    else:
        ax.scatter(*np.asarray(coordinates).T, c=labels, cmap="viridis", s=14)
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    return ax


def arrows(starts, ends, X, *, ax=None):
    """Where each of some points (q, 2) is moved, over the points X (n, 2) that move it."""
    ax = _axes(ax)
    ax.scatter(*X.T, s=8, color="#b4bac4")
    moves = np.asarray(ends) - starts
    ax.quiver(
        *np.asarray(starts).T,
        *moves.T,
        angles="xy",
        scale_units="xy",
        scale=1,
        width=0.006,
        color=CLASS_COLORS[0],
    )
    ax.scatter(*np.asarray(ends).T, s=12, color=CLASS_COLORS[1], zorder=3)
    return _square(ax)


def matrix(values, *, ax=None, label="weight"):
    """A matrix (n, n) as an image, darker is larger; the square root, so that small weights show."""
    ax = _axes(ax)
    image = ax.imshow(np.sqrt(values), cmap="Greys", interpolation="nearest", rasterized=True)
    color_bar(ax, image, f"square root of {label}")
    ax.set_xlabel("key j")
    ax.set_ylabel("query i")
    return ax


def color_bar(ax, colored, label):
    """A color bar as high as the panel, for what a drawing function of matplotlib returned."""
    ax.figure.colorbar(colored, cax=ax.inset_axes([1.04, 0, 0.04, 1]), label=label)


def curve(x, mean, low, high, *, ax=None, color=None, label=None, linestyle="-"):
    """Means (n,) over x with their intervals as a band."""
    ax = _axes(ax)
    (line,) = ax.plot(x, mean, linestyle, marker="o", markersize=3.5, linewidth=1.5, color=color, label=label)
    ax.fill_between(x, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    return ax


def heat_map(
    means, half_widths, differences, clear, *, row_names, column_names, reference=None, starred=None, ax=None
):
    """A table of means with intervals, colored by the paired difference from a reference column.

    Parameters
    ----------
    means, half_widths, differences : (rows, columns); NaN where there is nothing
    clear : (rows, columns) boolean, the interval of the difference leaves out 0: drawn bold
    row_names, column_names : lists of str
    starred : (rows, columns) boolean or None, numbers that get a star
    reference : name of the column that differences are taken from; framed
    """
    ax = _axes(ax)
    shown = np.ma.masked_invalid(np.where(np.isnan(means), np.nan, np.nan_to_num(differences)))
    colors = _difference_colors().with_extremes(bad="#e4e6ea")
    limit = 0.3
    image = ax.imshow(shown, cmap=colors, vmin=-limit, vmax=limit, aspect="auto")
    for (row, column), mean in np.ndenumerate(means):
        star = "*" if starred is not None and starred[row, column] else ""
        _cell_text(ax, row, column, mean, half_widths[row, column], bool(clear[row, column]), star)
    ax.set_xticks(range(len(column_names)), column_names, rotation=30, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(row_names)), row_names)
    ax.set_xticks(np.arange(len(column_names) - 1) + 0.5, minor=True)
    ax.set_yticks(np.arange(len(row_names) - 1) + 0.5, minor=True)
    ax.grid(which="minor", color="white", linewidth=2)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)
    if reference in column_names:
        _frame_column(ax, list(column_names).index(reference), len(row_names))
    bar = ax.figure.colorbar(image, ax=ax, extend="both", shrink=0.8, pad=0.02)
    bar.set_label(f"score minus {reference}" if reference else "score")
    return ax


def _cell_text(ax, row, column, mean, half_width, bold, star):
    if np.isnan(mean):
        ax.text(column, row, "–", ha="center", va="center", color="#8a909a")
        return
    weight = "bold" if bold else "normal"
    ax.text(
        column, row - 0.14, short_number(mean) + star, ha="center", va="center", fontsize=9, weight=weight
    )
    if not np.isnan(half_width):
        ax.text(
            column,
            row + 0.24,
            f"±{short_number(half_width)}",
            ha="center",
            va="center",
            fontsize=6.5,
            color=_INK,
        )


def short_number(x):
    """Two decimals below 100, none below 10 000, else one digit and the power of ten."""
    return f"{x:.2f}" if abs(x) < 100 else f"{x:.0f}" if abs(x) < 1e4 else f"{x:.0e}"


def _frame_column(ax, column, n_rows):
    from matplotlib.patches import Rectangle

    ax.add_patch(
        Rectangle((column - 0.5, -0.5), 1, n_rows, fill=False, edgecolor="black", linewidth=1.5, zorder=5)
    )


def _difference_colors():
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("difference", ["#d98a5b", "#f7f7f5", "#6fa8cf"])


def _two_colors():
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("two_classes", ["#a9c8e6", "#f7f7f5", "#f3cda3"])


def _class_points(ax, X, y):
    X = np.asarray(X)
    for label in np.unique(y):
        color = CLASS_COLORS[int(label) % len(CLASS_COLORS)]
        ax.scatter(*X[y == label].T, s=12, color=color, edgecolor="white", linewidth=0.4)


def _square(ax):
    ax.set_aspect("equal")
    ax.set_xlabel("$x_1$")
    ax.set_ylabel("$x_2$")
    return ax


def _axes(ax):
    if ax is not None:
        return ax
    need("likewise.plots", "matplotlib", extra="plots")
    import matplotlib.pyplot as plt

    return plt.subplots()[1]
