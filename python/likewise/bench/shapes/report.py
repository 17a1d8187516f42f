"""The report of random shapes: quantiles, the curve of ratios, the worst with their profiles."""

import numpy as np

from likewise.bench.results import seconds_text
from likewise.bench.shapes._kind import words_of

QUANTILES = (0, 5, 25, 50, 75, 95)
GOALS = {0: 0.9, 5: 1.2, 50: 4.0}  # of all shapes together
SLOW = 1.0


def worst(rows, count):
    """The rows of least ratio, and before them those without our answer."""
    failed = [row for row in rows if row["status"] == "failed"]
    timed = sorted((row for row in rows if row["ratio"] is not None), key=lambda row: row["ratio"])
    return (failed + timed)[:count]


def write(found, folder, name):
    """NAME.md and NAME.png in the folder."""
    _draw(found.rows, folder / f"{name}.png")
    (folder / f"{name}.md").write_text("\n".join(lines(found, f"{name}.png")) + "\n", encoding="utf-8")


def lines(found, figure):
    """Markdown."""
    rows = found.rows
    cpu = found.machine["cpu"]
    return [
        f"# {len(rows)} random shapes, seed {found.seed}",
        "",
        f"{found.date}; {cpu}; {', '.join(f'{k} {v}' for k, v in found.versions.items() if v)}. "
        "A ratio is the best time of the fastest peer that answers the same / ours: above 1 ours is faster.",
        *(["", "**Stopped before its end.**"] if found.interrupted else []),
        "",
        *_quantiles(rows),
        "",
        f"![Share of shapes with at most a ratio, by kind]({figure})",
        "",
        "## The worst",
        "",
        *_worst_table(rows),
        "",
        "## Where no ratio was taken",
        "",
        *(_without_ratio(rows) or ["nowhere"]),
    ]


def summary(rows):
    """{quantile: ratio}, of all kinds."""
    ratios = [row["ratio"] for row in rows if row["ratio"] is not None]
    return {q: float(np.percentile(ratios, q)) for q in QUANTILES} if ratios else {}


def _quantiles(rows):
    names = list(dict.fromkeys(row["kind"] for row in rows))
    head = " | ".join("least" if q == 0 else f"{q} %" for q in QUANTILES)
    table = [
        f"| kind | shapes | {head} | slower than the peer |",
        "|---|" + "---|" * (len(QUANTILES) + 2),
        _quantile_line("all", rows),
        *(_quantile_line(kind, [row for row in rows if row["kind"] == kind]) for kind in names),
    ]
    goals = ", ".join(f"{'least' if q == 0 else f'{q} %'} {goal:g}" for q, goal in GOALS.items())
    return [*table, "", f"Goals, of all: {goals}."]


def _quantile_line(name, rows):
    found = summary(rows)
    slow = sum(row["ratio"] is not None and row["ratio"] < SLOW for row in rows)
    cells = " | ".join(f"{found[q]:.2f}" if found else "" for q in QUANTILES)
    return f"| {name} | {len(rows)} | {cells} | {slow} |"


def _worst_table(rows):
    for row in worst(rows, 10):
        ratio = "failed" if row["ratio"] is None else f"{row['ratio']:.2f}"
        times = "" if row["ours"] is None else f"ours {seconds_text(row['ours'])}"
        others = ", ".join(f"{peer} {seconds_text(t)}" for peer, t in row["peers"].items())
        where = f"{row['kind']}, {row['threads']} thread(s): {words_of(row['shape'])}"
        yield f"* **{ratio}** {where}; {times}; {others}"
        if row["message"]:
            yield f"  {row['message'][:300]}"
        if row["profile"]:
            yield from ("", "  ```text", *(f"  {line}" for line in row["profile"].splitlines()), "  ```")


def _without_ratio(rows):
    return [
        f"* {row['kind']}: {words_of(row['shape'])}: {row['status']}; {row['message'][:300]}"
        for row in rows
        if row["ratio"] is None
    ]


def _draw(rows, path):
    """One line a kind and a thick one for all: how large a share of shapes has at most this ratio."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    kinds = dict.fromkeys(row["kind"] for row in rows)
    for kind in kinds:
        _curve(axes, [row for row in rows if row["kind"] == kind], linewidth=1, label=kind)
    _curve(axes, rows, linewidth=2.5, color="black", label="all")
    axes.axvline(1, color="gray", linestyle="--")
    axes.set(xscale="log", xlabel="time of the fastest peer / ours (above 1: likewise is faster)",
             ylabel="share of shapes", ylim=(0, 1))  # fmt: skip
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def _curve(axes, rows, **style):
    ratios = np.sort([row["ratio"] for row in rows if row["ratio"] is not None])
    axes.step(ratios, np.arange(1, len(ratios) + 1) / max(1, len(ratios)), where="post", **style)
