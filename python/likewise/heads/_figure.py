"""The heads of a model as one picture: layers x heads, and the means beside their nulls."""

import numpy as np

from likewise._extras import need

COLORS = {
    "sink": "#b4bac4",
    "keys": "#d9822b",
    "metric": "#2f6fb0",
    "repulsion": "#a34c9f",
    "transport": "#3f9b57",
}
KINDS = {**COLORS, "position": "#17a2b8", "diffuse": "#e8eaee"}
FIELDS = {name: f"{name}_nats" for name in COLORS}


def figure(model):
    """A matplotlib Figure of a ModelXray."""
    need("ModelXray.plot", "matplotlib", extra="heads")
    from matplotlib.figure import Figure

    layers = sorted({layer for layer, _ in model.heads})
    n_heads = 1 + max(head for _, head in model.heads)
    size = (max(7.0, 0.95 * n_heads + 4.2), max(3.6, 0.95 * len(layers) + 1.3))
    found = Figure(figsize=size, layout="constrained")
    grid, means = found.subplots(1, 2, width_ratios=(max(n_heads, 3), max(0.32 * n_heads, 2)))
    _draw_heads(grid, model, layers, n_heads)
    _draw_means(means, model, layers)
    _legend(found)
    return found


def _draw_heads(ax, model, layers, n_heads):
    """A cell a head: its nats as a bar of parts, the null's content nats as a tick, its kind as the frame."""
    longest = max(sum(max(getattr(h, field), 0) for field in FIELDS.values()) for h in model.heads.values())
    longest = max(longest, 1e-9)
    for (layer, h), head in model.heads.items():
        y, left = layers.index(layer), h - 0.42
        ax.add_patch(_box(left - 0.03, y - 0.40, 0.9, 0.8, KINDS[head.mechanism]))
        for name, field in FIELDS.items():
            width = 0.84 * max(getattr(head, field), 0) / longest
            ax.barh(y + 0.13, width, 0.34, left=left, color=COLORS[name], linewidth=0)
            left += width
        null = 0.84 * (max(head.sink_nats, 0) + head.null["content_nats"][0]) / longest
        ax.plot([h - 0.42 + null] * 2, [y - 0.06, y + 0.32], color="black", linewidth=0.9)
        ax.text(h - 0.41, y - 0.2, f"{head.mechanism}", fontsize=6.5, va="center", color="#20242b")
    ax.set(
        xlim=(-0.6, n_heads - 0.4),
        ylim=(len(layers) - 0.5, -0.6),
        xticks=range(n_heads),
        yticks=range(len(layers)),
        xlabel="head",
        ylabel="layer",
    )
    ax.set_yticklabels(layers)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set_title(
        f"How far each head is from uniform, by parts; a full cell is {longest:.1f} nats. Frame: its label",
        fontsize=10,
        loc="left",
    )


def _box(x, y, width, height, color):
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), width, height, facecolor="white", edgecolor=color, linewidth=1.8)


def _draw_means(ax, model, layers):
    """The mean of each layer's heads, and thin and hatched below it the null."""
    for y, layer in enumerate(layers):
        heads = [head for (of, _), head in model.heads.items() if of == layer]
        left = left_of_null = 0.0
        for name, field in FIELDS.items():
            width = max(np.mean([getattr(head, field) for head in heads]), 0)
            ax.barh(y - 0.08, width, 0.42, left=left, color=COLORS[name], linewidth=0)
            null = max(np.mean([head.null[field][0] for head in heads]), 0)
            ax.barh(y + 0.25, null, 0.14, left=left_of_null, color=COLORS[name], alpha=0.55, linewidth=0)
            left, left_of_null = left + width, left_of_null + null
    ax.set(ylim=(len(layers) - 0.5, -0.6), yticks=range(len(layers)), xlabel="nats, mean over heads")
    ax.set_yticklabels(layers)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title("The same by layer; thin bars: the null", fontsize=10, loc="left")


def _legend(found):
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    parts = [Patch(color=color, label=name) for name, color in COLORS.items()]
    tick = Line2D([], [], color="black", linewidth=0.9, label="sink + null of the rest")
    kinds = [
        Patch(facecolor="white", edgecolor=KINDS[name], linewidth=1.8, label=f"frame: {name}")
        for name in ("position", "diffuse")
    ]
    found.legend(
        handles=[*parts, tick, *kinds], loc="outside lower center", ncols=8, fontsize=8, frameon=False
    )
