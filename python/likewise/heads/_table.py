"""Heads as text: a line each with nulls in brackets, and what they are on the whole."""

from collections import Counter

import numpy as np

from likewise.heads import _numbers as _n
from likewise.heads._split import PARTS

# heading, field, digits; the null stands in brackets
COLUMNS = (
    ("nats", "nats", 2),
    ("sink", "sink_nats", 2),
    ("keys", "keys_nats", 2),
    ("metric", "metric_nats", 2),
    ("repulsion", "repulsion_nats", 2),
    ("transport", "transport_nats", 2),
    ("sink mass", "sink_mass", 2),
    ("reciprocity", "reciprocity", 2),
    ("positivity", "positivity", 2),
    ("position", "position_share", 2),
    ("self first", "self_first", 2),
    ("neighbors", "n_neighbors", 1),
)
MORE = (
    ("argmax self", "argmax_self", 2),
    ("coldness", "coldness", 2),
    ("bandwidth", "bandwidth", 2),
    ("dimension", "dimension", 1),
)
CARRIES = 0.1  # corrected correlation with grad log p, from which the law would be said to hold
NULLS = (
    "In brackets the null: uniform attention for nats, sink and fidelity, else queries rotated at random "
    "against keys; positions dealt out at random for position."
)


def cell(head, field, digits):
    """A number with its null in brackets; of reciprocity the null's standard deviation too."""
    value, (mean, sd) = getattr(head, field), head.null[field]
    if np.isnan(value):
        return "-"
    spread = f" {sd:.{digits}f}" if field == "reciprocity" else ""
    return f"{value:.{digits}f} [{mean:.{digits}f}{spread}]"


def table(model):
    """The table of the command line."""
    headings = ("head", "mechanism", *(heading for heading, _, _ in COLUMNS))
    lines = [headings]
    for head in model.heads.values():
        lines.append((head.name, head.mechanism, *(cell(head, *column[1:]) for column in COLUMNS)))
    widths = [max(map(len, column)) for column in zip(*lines)]
    shown = ["  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in lines]
    return "\n".join([*shown, NULLS])


def summary(model):
    """What the heads are on the whole."""
    return "\n".join(sentences(model))


def sentences(model):
    """The summary as a list of lines."""
    heads, n = model.heads.values(), len(model._batch.text) / len(model.texts)
    kinds = Counter(head.mechanism for head in heads)
    parts = [
        f"{name} {model.mean(field):.2f} [{model.mean_null(field):.2f}]"
        for name, field in zip(("sink", *PARTS), ("sink_nats", *_n.NATS))
    ]
    found = [
        f"{len(heads)} heads on {len(model.texts)} texts of {n:.1f} tokens; nats grow with their number",
        f"the mean head is {model.mean('nats'):.2f} nats from uniform [0]: " + ", ".join(parts),
        f"mass on special tokens {model.mean('sink_mass'):.2f} [{model.mean_null('sink_mass'):.2f}], "
        f"reciprocity {model.mean('reciprocity'):.2f} [{model.mean_null('reciprocity'):.2f}], "
        f"positivity {model.mean('positivity'):.2f} [0]",
        "mechanisms: " + ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()),
        "fidelity, mean over heads [uniform "
        f"{_mean_fidelity(heads, 'uniform'):.2f}]: "
        + ", ".join(
            f"{name} {_mean_fidelity(heads, name):.2f}"
            for name in next(iter(heads)).fidelity
            if name != "uniform"
        ),
    ]
    return [*found, *_standing_out(model), *_of_sinks(model), *_of_drift(model)]


def _mean_fidelity(heads, name):
    return float(np.mean([head.fidelity[name] for head in heads]))


def _standing_out(model):
    """Heads at one offset, and those whose scores are nearest to a metric's."""
    for head in model.heads.values():
        place, weight = max(head.offset.items(), key=lambda item: item[1])
        if place and weight > 0.9:
            null = head.null[f"offset{place}"][0]
            yield f"head {head.name} looks {place:+d} tokens on: weight {weight:.2f} [{null:.2f}]"
    metric = sorted(
        (head for head in model.heads.values() if head.mechanism == "metric"),
        key=lambda head: -head.metric_nats,
    )
    if metric:
        told = ", ".join(
            f"{h.name} ({h.metric_nats:.2f} [{h.null['metric_nats'][0]:.2f}])" for h in metric[:4]
        )
        yield f"nearest to metric kernels, nats: {told}"


def _of_sinks(model):
    """How long the values of sinks are."""
    shares = model.sink_values()
    sinks = [shares[place] for place, head in model.heads.items() if head.sink_mass > 0.5]
    if sinks:
        low, middle, high = np.quantile(sinks, (0, 0.5, 1))
        yield (
            f"in the {len(sinks)} heads with most of their mass on special tokens, |v| of the sink is "
            f"{low:.0%} to {high:.0%} of the mean |v|, median {middle:.0%}: a null key"
        )


def _of_drift(model):
    """The drift-diffusion law, tested fairly."""
    names = ("written_corrected", "weights_corrected", "uniform")
    drift = model.drift()
    written, weights, uniform = (np.mean([getattr(one, name) for one in drift]) for name in names)
    law = "does not carry" if abs(written) < CARRIES else "carries"
    yield (
        f"drift along grad log p: uniform attention correlates {uniform:.2f}, trivially; corrected for the "
        f"pull to the mean, weights {weights:.2f} [0], what layers write {written:.2f} [0]: the "
        f"drift-diffusion law {law} over to the trained layers"
    )
