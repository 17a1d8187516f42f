"""Figures of what a mechanism does, as functions on matplotlib axes.

Each takes arrays, draws on `ax` (a new one where None) and returns it; the same functions draw the study's
report and your own notebook. Where an operator or a fitted model can stand for the arrays, it is asked for
them.
"""

import numpy as np

from likewise import _checks
from likewise._extras import need

CLASS_COLORS = ("#2f6fb0", "#d9822b", "#3f9b57", "#a34c9f", "#8a6d3b", "#c0392b", "#5f6b7a", "#17a2b8")
CLASS_SHAPES = ("o", "s", "^", "D", "v", "P", "X", "*")
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


def boundary(model, X, y=None, *, ax=None, resolution=150, margin=0.12, label=None):
    """What a fitted model says on the plane of the points X (n, 2), and the points.

    Of a classifier of two classes the probability of the second, with its line at one half; of more classes,
    or of clusters, the areas of each; of a regressor the surface.

    Parameters
    ----------
    model : anything with predict, and predict_proba where it has probabilities
    X : array or table (n, 2), n at least 1
    y (n,) : classes or numbers to draw the points by, -1 for points without a class, gray; None: the model's
        labels_, else predict(X)
    resolution : points of the grid a side; label : of the color bar, None for none
    """
    points = _numbers(
        X, "X", "(n, 2), the axes of the picture", lambda x: x.ndim == 2 and x.shape[1] == 2 and len(x)
    )
    low, high = points.min(axis=0), points.max(axis=0)
    room = margin * (high - low)
    xs, ys = (np.linspace(a, b, resolution) for a, b in zip(low - room, high + room))
    grid = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    if hasattr(X, "columns"):  # a model that was fitted on a table is asked with one
        grid = type(X)(grid, columns=X.columns)
    y = np.asarray(getattr(model, "labels_", None) if y is None else y)
    y = np.asarray(model.predict(X)) if y.ndim == 0 else y
    if y.shape != (len(points),):
        raise ValueError(
            f"y must be of shape ({len(points)},), a class or number for each point; got {y.shape}."
        )
    classes = getattr(model, "classes_", None)
    if classes is not None and len(classes) == 2 and hasattr(model, "predict_proba"):
        drawn = _places_among(np.asarray(classes), y)
        values = model.predict_proba(grid)[:, 1].reshape(resolution, resolution)
        return decision_surface(xs, ys, values, points, drawn, ax=_axes(ax), levels=[0.5], label=label)
    values = np.asarray(model.predict(grid))
    if values.ndim != 1:
        raise ValueError(f"model must predict one number or class for a point; got shape {values.shape}.")
    values = values.reshape(resolution, resolution)
    if classes is None and values.dtype.kind == "f":
        return decision_surface(xs, ys, values, points, y.astype(float), ax=_axes(ax), label=label)
    names = np.unique(np.r_[values.ravel(), y]) if classes is None else np.asarray(classes)
    drawn, ax = _places_among(names, y), _axes(ax)
    _areas(ax, xs, ys, _places_among(names, values), len(names))
    _class_points(ax, points, drawn)
    return _square(ax)


def spectrum(values, *, ax=None, label=None, gap=None):
    """Eigenvalues in descending order as stems, and where they fall most.

    Parameters
    ----------
    values : (k,) in any order, or what spectrum(), eigsh() and propagate() give
    gap : number of eigenvalues before the marked gap, an int below k; None: the largest one after the first;
        0: none
    """
    values = values[0] if type(values) is tuple else getattr(values, "values", values)
    values = np.sort(_numbers(values, "values", "(k,), k at least 1", lambda x: x.ndim == 1 and len(x)))[::-1]
    if gap is not None and not 0 <= _checks.integer(gap, "gap") < len(values):
        raise ValueError(f"gap must be an int from 0 to {len(values) - 1}; got {gap}.")
    ax = _axes(ax)
    places = np.arange(1, len(values) + 1)
    ax.vlines(places, min(0.0, values.min()), values, color="#c9ced6", linewidth=1)
    ax.plot(places, values, "o", markersize=5, color=CLASS_COLORS[0], label=label)
    if gap is None and len(values) > 2:
        gap = 2 + int(np.argmax(values[1:-1] - values[2:]))
    if gap:
        ax.axvline(gap + 0.5, color=CLASS_COLORS[1], linestyle="--", linewidth=1.2)
        bottom = (gap + 0.5, min(0.0, values.min()))
        ax.annotate(f"gap after {gap}", bottom, (4, 4), textcoords="offset points", va="bottom",
                    color=CLASS_COLORS[1], fontsize=8)  # fmt: skip
    ax.set_xlabel("eigenvalue, the largest first")
    ax.set_ylabel("value")
    return ax


def attention(weights, tokens=None, keys=None, *, ax=None, values_shown=None):
    """Attention weights (n_queries, n_keys), a row a query, with the tokens' names on both sides.

    Parameters
    ----------
    weights : array, or an operator: its matrix
    tokens, keys : names of the queries and of the keys, None: numbers; keys None: the tokens
    values_shown : write the weights into the cells; None: where there are at most 12 x 12
    """
    weights = _numbers(_entries(weights), "weights", "(n_queries, n_keys)", lambda x: x.ndim == 2 and x.size)
    rows, columns = weights.shape
    keys = tokens if keys is None and rows == columns else keys
    for name, given, count in (("tokens", tokens, rows), ("keys", keys, columns)):
        if given is not None and len(given) != count:
            raise ValueError(f"{name} must be {count} names, one for each row or column; got {len(given)}.")
    if weights.min() < 0:
        raise ValueError(f"weights must not be negative; got {weights.min():.3g}.")
    ax = _axes(ax)
    image = ax.imshow(weights, cmap="Greys", vmin=0, interpolation="nearest", rasterized=True)
    color_bar(ax, image, "weight")
    if values_shown is None:
        values_shown = max(rows, columns) <= 12
    if values_shown:
        for (i, j), weight in np.ndenumerate(weights):
            dark = weight > 0.6 * weights.max()
            ax.text(j, i, f"{weight:.2f}", ha="center", va="center", fontsize=7, color="w" if dark else _INK)
    if tokens is not None:
        ax.set_yticks(range(rows), list(tokens))
    if keys is not None:
        ax.set_xticks(range(columns), list(keys), rotation=60, ha="right", rotation_mode="anchor")
    ax.set_xlabel("attends to")
    ax.set_ylabel("token")
    return ax


def graph(A, positions, labels=None, *, ax=None, node_size=24, least=0.0):
    """Nodes at their positions (n, 2) and the edges of A, thicker and darker the larger their weight.

    Parameters
    ----------
    A : sparse or dense matrix (n, n), or an operator; an entry is an edge, loops are left out
    labels (n,) : integers and strings are classes, -1 is none; floats are colors; None: all alike
    least : edges of a smaller share of the largest weight are left out
    """
    from matplotlib.collections import LineCollection
    from scipy.sparse import coo_matrix

    A = coo_matrix(A.tocsr() if hasattr(A, "tocsr") else A)
    n = A.shape[0]
    if A.shape != (n, n) or not np.isfinite(A.data).all():
        raise ValueError(f"A must be square, of finite weights; got shape {A.shape}.")
    positions = _numbers(
        positions, "positions", f"({n}, 2), a place for each node", lambda x: x.shape == (n, 2)
    )
    labels = None if labels is None else np.asarray(labels)
    if labels is not None and (labels.shape != (n,) or (labels.dtype.kind == "f" and np.isnan(labels).any())):
        raise ValueError(f"labels must be of shape ({n},), without NaN; got shape {labels.shape}.")
    ax, shares = _axes(ax), np.abs(A.data) / max(np.abs(A.data).max(initial=0.0), 1e-300)
    kept = (A.row != A.col) & (shares >= least) & (shares > 0)
    if kept.any():
        ends, shares = np.stack([positions[A.row[kept]], positions[A.col[kept]]], axis=1), shares[kept]
        ax.add_collection(LineCollection(ends, linewidths=0.3 + 1.5 * shares, colors="#7d8590",
                                         alpha=np.clip(0.15 + 0.6 * shares, 0, 1), zorder=1))  # fmt: skip
    if labels is not None and labels.dtype.kind != "f":
        if labels.dtype.kind not in "iu":
            labels = _places_among(np.setdiff1d(labels, ["-1"]), labels)
        _class_points(ax, positions, labels, size=node_size)
    else:
        color = {"color": CLASS_COLORS[0]} if labels is None else {"c": labels, "cmap": "viridis"}
        ax.scatter(*positions.T, s=node_size, edgecolor="white", linewidth=0.5, zorder=2, **color)
    ax.set_axis_off()
    ax.set_aspect("equal")
    return ax


def matrix(values, *, ax=None, label="weight"):
    """A matrix (n, m) or an operator as an image, darker is larger; square roots show small weights."""
    ax, values = _axes(ax), _entries(values)
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


def _class_points(ax, X, y, size=12):
    """Points in the color and the shape of their class, those of -1 gray."""
    X = np.asarray(X)
    for label in np.unique(y):
        color, shape = _look_of(label)
        ax.scatter(
            *X[y == label].T, s=size, color=color, marker=shape, edgecolor="white", linewidth=0.4, zorder=2
        )


def _look_of(label):
    if label < 0:
        return "#c3c8d0", "o"
    color = int(label) % len(CLASS_COLORS)
    shape = (color + int(label) // len(CLASS_COLORS)) % len(CLASS_SHAPES)  # of more classes than colors too
    return CLASS_COLORS[color], CLASS_SHAPES[shape]


def _areas(ax, xs, ys, areas, count):
    """Whose area each point of the grid is, in the light colors of the classes, with lines between."""
    from matplotlib.colors import ListedColormap, to_rgb

    light = [tuple(1 - 0.35 * (1 - c) for c in to_rgb(_look_of(k)[0])) for k in range(count)]
    ax.pcolormesh(xs, ys, areas, cmap=ListedColormap(light), vmin=-0.5, vmax=count - 0.5, shading="nearest",
                  rasterized=True)  # fmt: skip
    for k in range(count):
        if 0 < (areas == k).sum() < areas.size:
            ax.contour(xs, ys, areas == k, levels=[0.5], colors="black", linewidths=0.6)


def _numbers(values, name, allowed, fits):
    """Finite floats of a shape that fits, or an error that says which."""
    values = np.asarray(values, dtype=float)
    if not fits(values):
        raise ValueError(f"{name} must be of shape {allowed}; got shape {values.shape}.")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite; got NaN or infinity.")
    return values


def _places_among(names, labels):
    """Where each label stands among the sorted names; -1, and "-1", where it is none of them."""
    places = np.clip(np.searchsorted(names, labels), 0, max(0, len(names) - 1))
    known = names[places] == labels if len(names) else np.zeros(np.shape(labels), bool)
    strange = np.asarray(labels)[~known]
    if not np.isin(strange.astype(str), ["-1", "-1.0"]).all():
        raise ValueError(f"y must hold classes of the model, or -1; got {strange.ravel()[0]}.")
    return np.where(known, places, -1)


def _entries(values):
    """An array, or that of an operator."""
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values)


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
