"""The numbers of heads, from sums over the rows of each text under any weighting of the texts."""

import numpy as np

from likewise.heads import _nats
from likewise.heads._mechanisms import MECHANISMS, NEEDS_STATES, Seen, replaced
from likewise.heads._split import PARTS, diagonal, pieces

NATS = tuple(f"{part}_nats" for part in PARTS)
OFFSETS = tuple(range(-4, 5))
TIE = 1e-9  # in nats: tokens that occur twice are as near as the token itself


# --- sums of each text --------------------------------------------------------------------------------------


def sums_with_special(S, special):
    """Sums over rows (g, H) of what special tokens have a part in; the Rows (`_nats.Rows`).

    S : (g, H, n, n), special : (n,)
    """
    rows = _nats.rows(S, special)
    sink = rows.nats - rows.content_nats
    n_rows = np.full(rows.mass.shape[:-1], float(rows.mass.shape[-1]))
    sums = {
        "rows": n_rows,
        "nats": rows.nats.sum(-1),
        "sink_nats": sink.sum(-1),
        "content_nats": rows.content_nats.sum(-1),
        "sink_mass": (1 - rows.mass).sum(-1),
    }
    return sums, rows


def sums_in_content(S, mass, fixed=None):
    """Sums over rows (g, H) of what the scores in C say, S (g, H, m, m); what was Seen.

    mass : (g, H, m), a_i; fixed : (H, m, m) or None, scores of the mean states by position
    """
    found = pieces(S)
    log_weights = _nats.log_softmax(S)
    weights = np.exp(log_weights)
    parts, m = found.scores, S.shape[-1]
    shapley = _nats.shapley_values(parts, mass, weights, log_weights).sum(-1)
    energies = found.energies
    trace = np.trace(found.positive, axis1=-2, axis2=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        dimension = np.where(trace > 0, trace**2 / energies[1], 0.0)
    sums = {
        **dict(zip(NATS, shapley)),
        "n_neighbors": np.exp(-(weights * log_weights).sum(-1)).sum(-1),
        "coldness": (S.std(-1) / np.sqrt(2 * np.log(m))).sum(-1),
        "self_first": _is_first(S - found.log_key_weight[..., None, :]),
        "argmax_self": _is_first(S),
        "trace": trace,
        "dimension": m * dimension,
        **{f"{part}_energy": energy / m for part, energy in zip(PARTS, energies)},
        **{f"offset{k}": np.trace(weights, k, -2, -1) for k in OFFSETS},
        **{f"offset_rows{k}": np.full(trace.shape, float(max(m - abs(k), 0))) for k in OFFSETS},
    }
    return sums, Seen(found, weights, None if fixed is None else np.broadcast_to(fixed, S.shape))


def _is_first(S):
    """How many rows have their own key among the best."""
    return (diagonal(S) >= S.max(-1) - TIE).sum(-1).astype(float)


def sums_of_fidelity(seen, mass, values, deviations):
    """sum |dy|^2 over rows (g, H) of each mechanism, and sum |y - mean y|^2 ("spread").

    values : (g, H, m, d), through the output's map; deviations : y - mean y (g, H, m, d)

    Special tokens keep their weights, so they are nothing in dy.
    """
    sums = {"spread": (deviations**2).sum((-2, -1))}
    for name in MECHANISMS:
        if name in NEEDS_STATES and seen.fixed is None:
            continue
        dy = mass[..., None] * ((replaced(name, seen) - seen.weights) @ values)
        sums[f"error_{name}"] = (dy**2).sum((-2, -1))
    return sums


# --- numbers of many texts ----------------------------------------------------------------------------------

MEANS = (
    *("nats", "sink_nats", *NATS, "sink_mass", "n_neighbors", "coldness", "self_first", "argmax_self"),
    "dimension",
)


def numbers(sums, weights):
    """Name -> number (b, H) of sums {name: (T, H)} under weights (b, T) of the texts.

    Means are over all rows of C; energies are pooled as sum_t e_t / m_t, which weighs rows alike too.
    """
    pooled = {name: weights @ of_texts for name, of_texts in sums.items()}
    found = {name: pooled[name] / pooled["rows"] for name in MEANS if name in pooled}
    found["content_nats"] = sum(found[name] for name in NATS)
    energy = [pooled[f"{part}_energy"] for part in PARTS]
    total, (_, P, N, T) = sum(energy), energy
    with np.errstate(invalid="ignore", divide="ignore"):
        found["reciprocity"] = (P + N - T) / (P + N + T)
        found["positivity"] = (P - N) / (P + N)
        found["bandwidth"] = (2 * pooled["trace"] / pooled["rows"]) ** -0.5
        found.update({f"{part}_energy": e / total for part, e in zip(PARTS, energy)})
        for k in OFFSETS:
            found[f"offset{k}"] = pooled[f"offset{k}"] / pooled[f"offset_rows{k}"]
        for name in MECHANISMS:
            if f"error_{name}" in pooled:
                found[f"fidelity_{name}"] = 1 - pooled[f"error_{name}"] / pooled["spread"]
    return found
