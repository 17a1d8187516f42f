"""What the special token that a head parks its mass on has for a value."""

import numpy as np

from likewise.heads._bert import group_scores
from likewise.heads._nats import softmax


def sink_values(encoder, batch, x, layer):
    """|v| of the special token with the most mass over the mean |v| in C (H,), of states x (N, width)."""
    q, k, v = encoder.queries_keys_values(layer, x)
    kinds, kind = np.unique(batch.ids[batch.special], return_inverse=True)
    kind_of = np.full(len(batch.ids), -1)
    kind_of[batch.special] = kind
    mass = np.zeros((v.shape[1], len(kinds)))
    for group in batch.groups:
        weights = softmax(group_scores(q, k, group))[..., group.content, :].sum(-2)  # (g, H, n)
        for place in np.flatnonzero(group.special):
            np.add.at(mass.T, kind_of[group.rows[:, place]], weights[..., place])
    lengths = np.linalg.norm(v, axis=-1)
    of_kinds = np.stack([lengths[kind_of == one].mean(0) for one in range(len(kinds))])  # (kinds, H)
    return of_kinds[mass.argmax(1), np.arange(v.shape[1])] / lengths[batch.content].mean(0)
