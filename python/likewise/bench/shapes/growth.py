"""How our time grows along n, d and k: a step that costs far more than its work is a cliff."""

from likewise._experiments.bars import progress_bar
from likewise.bench import child
from likewise.bench.measure import OK
from likewise.bench.shapes._kind import words_of

CLIFF = 2.5  # twice the work may take as much longer
ROUNDS, BUDGET, TIMEOUT = 5, 2.0, 240

_NEIGHBORS = {
    "task": "kneighbors", "asked": "fit and ask", "n": 10_000, "m": 1000, "d": 16, "k": 10, "classes": 2,
    "family": "noise", "metric": "euclidean", "dtype": "float32", "seed": 0,
}  # fmt: skip
_DENSITY = {
    "kernel": "gaussian", "asked": "fit and ask", "n": 10_000, "m": 1000, "d": 8, "width": 0.3,
    "family": "noise", "dtype": "float64", "seed": 0,
}  # fmt: skip
_REGRESSION = {
    "task": "epanechnikov", "asked": "fit and ask", "n": 10_000, "m": 1000, "d": 3, "targets": 1,
    "width": 0.1, "family": "uniform", "dtype": "float64", "seed": 0,
}  # fmt: skip
_CHOSEN = {**_REGRESSION, "task": "chosen", "m": 0, "d": 1, "family": "noise"}
_LABELS = {
    "method": "LabelSpreading", "kernel": "knn", "asked": "fit", "n": 5000, "m": 1, "d": 8, "k": 10,
    "classes": 5, "labeled": 0.05, "width": 0.2, "seed": 0,
}  # fmt: skip
_GRAPH = {"task": "graph", "family": "grid", "n": 4000, "components": 8, "seed": 0}
_ATTENTION = {
    "task": "forward", "batch": 4, "heads": 2, "n": 256, "keys": "same", "m": 256, "d": 32, "mask": "none",
    "dtype": "float32", "seed": 0,
}  # fmt: skip
_LAYER = {"task": "step", "batch": 4, "n": 128, "width": 128, "heads": 4, "causal": False,
          "dtype": "float32", "seed": 0}  # fmt: skip

# kind, the shape, what is doubled, from where, how often, and the power of it that the work grows with.
LINES = (
    ("neighbors-across", _NEIGHBORS, "n", 250, 10, 1),
    ("neighbors-across", _NEIGHBORS, "m", 1, 13, 1),
    ("neighbors-across", _NEIGHBORS, "d", 1, 11, 1),
    ("neighbors-across", _NEIGHBORS, "k", 1, 10, 1),
    ("neighbors-across", {**_NEIGHBORS, "task": "classifier"}, "classes", 2, 13, 0),
    ("neighbors-self", _NEIGHBORS, "n", 250, 8, 2),
    ("neighbors-self", {**_NEIGHBORS, "d": 3}, "n", 250, 10, 1),
    ("density", _DENSITY, "n", 250, 10, 1),
    ("density", _DENSITY, "d", 1, 9, 1),
    ("density", {**_DENSITY, "kernel": "tophat", "d": 2, "width": 0.05}, "n", 250, 11, 1),
    ("regression", _REGRESSION, "n", 250, 10, 1),
    ("regression", {**_REGRESSION, "task": "gaussian"}, "d", 1, 9, 1),
    ("regression", _CHOSEN, "n", 250, 6, 2),
    ("labels", _LABELS, "n", 250, 7, 1),
    ("labels", {**_LABELS, "kernel": "rbf"}, "n", 125, 5, 2),
    ("spectra", _GRAPH, "n", 250, 8, 1),
    ("attention", _ATTENTION, "n", 4, 10, 2),
    ("attention", _ATTENTION, "d", 4, 8, 1),
    ("attention", _ATTENTION, "batch", 1, 9, 1),
    ("layers", _LAYER, "n", 1, 11, 1),
    ("layers", _LAYER, "width", 8, 8, 2),
)


def measure(threads=1, *, progress=False):
    """[{"line", "key", "power", "values", "seconds", "cliffs"}] of ours alone.

    A cliff is a step from one value to twice as much whose time grew more than 2.5 times as much as twice the
    work would have to, where both take longer than a call itself does (50 microseconds).
    """
    rows = []
    with progress_bar(len(LINES), "growth", progress) as bar:
        for kind, base, key, first, times, power in LINES:
            shapes = [{**base, key: first * 2**i} for i in range(times)]
            for shape in shapes:
                shape["k"] = min(shape["k"], shape["n"] - 1) if "k" in shape else None
            seconds = _seconds(kind, [{k: v for k, v in s.items() if v is not None} for s in shapes], threads)
            values = [shape[key] for shape in shapes][: len(seconds)]
            words = words_of({name: value for name, value in base.items() if name != key})
            rows.append(
                {
                    "line": f"{kind}: {words}", "key": key, "power": power, "values": values,
                    "seconds": seconds, "cliffs": cliffs(values, seconds, power),
                }
            )  # fmt: skip
            bar.update()
    return rows


def cliffs(values, seconds, power):
    """[(from, to, times longer)] of the steps that cost too much for their work."""
    allowed = CLIFF * 2.0 ** (max(power, 1) - 1)
    steps = zip(values, values[1:], seconds, seconds[1:])
    return [(a, b, t / s) for a, b, s, t in steps if s > 50e-6 and t / s > allowed]


def lines_of(rows):
    """Markdown."""
    yield f"A step of twice the work may take {CLIFF:g} times as long; one thread, ours alone."
    yield from ("", "| what | doubled | from, to | time from, to | cliffs |", "|---|---|---|---|---|")
    for row in rows:
        found = "; ".join(f"{a} to {b}: {times:.1f} times" for a, b, times in row["cliffs"]) or "none"
        ends = f"{row['values'][0]}, {row['values'][-1]}"
        span = f"{1e3 * row['seconds'][0]:.3g}, {1e3 * row['seconds'][-1]:.3g} ms"
        yield f"| {row['line']} | {row['key']} (work ^ {row['power']}) | {ends} | {span} | {found} |"


def _seconds(kind, shapes, threads):
    """Best times of ours, as far as it answered in time."""
    task = {"shapes": [[kind, shape] for shape in shapes], "rounds": ROUNDS, "budget": BUDGET}
    process = child.start("shapes", threads, only=["likewise"], **task)
    seconds = []
    try:
        for answer in process.answers(TIMEOUT):
            found = answer["found"][0]
            if found["status"] != OK:
                break
            seconds.append(min(found["times"]))
    except (RuntimeError, TimeoutError):
        pass
    finally:
        process.kill()
    return seconds
