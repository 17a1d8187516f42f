"""Identities between methods, checked on your data: both sides by different routes of the library.

Each function takes points X (n, n_features) and classes y (n,), or nothing: irises with scaled columns. It
computes both sides of an equation and returns a Finding: the largest difference, the tolerance that rounding
explains, the formula, and whether it holds. `check` asks several, `table` prints them, and so does
``likewise identities`` on the command line.

    1 to 15    identities in general, with number 15 those that are none, by counterexample
    16 to 32   the table of methods of Ruan and Zhang (2024), section 2, a row each

Examples
--------
>>> from likewise import identities
>>> found = identities.random_walk()
>>> found.holds, found.difference < found.tolerance, len(found.checks)
(True, True, 3)
"""

import numpy as np

from likewise._checks import told
from likewise.datasets import open_data
from likewise.identities._finding import REGISTRY, Check, Data, Finding, Identity
from likewise.identities._table import as_json, table
from likewise.identities.approximations import counterexamples, nystrom, random_features
from likewise.identities.attention import equal_norm_keys, gauge, key_bias, masked_softmax, softmax
from likewise.identities.paper_graphs import (
    diffusion_maps,
    fuzzy_c_means,
    isomap,
    laplacian_eigenmaps,
    lle,
    markov_clustering,
    mds,
    sne,
    tsne,
    umap,
)
from likewise.identities.paper_steps import (
    diffusion_net,
    gcn,
    graph_attention,
    k_nearest_neighbors,
    metric_attention,
    self_attention,
    svm,
)
from likewise.identities.steps import hopfield, mean_shift, neighbor_vote, random_walk
from likewise.identities.walks import diffusion_distance, label_spreading, sinkhorn

__all__ = [
    "Check",
    "Finding",
    "Identity",
    "as_json",
    "check",
    "counterexamples",
    "diffusion_distance",
    "diffusion_maps",
    "diffusion_net",
    "equal_norm_keys",
    "fuzzy_c_means",
    "gauge",
    "gcn",
    "graph_attention",
    "hopfield",
    "isomap",
    "k_nearest_neighbors",
    "key_bias",
    "label_spreading",
    "laplacian_eigenmaps",
    "lle",
    "markov_clustering",
    "masked_softmax",
    "mds",
    "mean_shift",
    "metric_attention",
    "neighbor_vote",
    "nystrom",
    "open_points",
    "random_features",
    "random_walk",
    "registry",
    "self_attention",
    "sinkhorn",
    "sne",
    "softmax",
    "svm",
    "table",
    "tsne",
    "umap",
]


def registry():
    """All identities by number: Identity(number, name, title, formulas, source, function)."""
    return sorted(REGISTRY.values(), key=lambda row: row.number)


def check(X=None, y=None, only=None):
    """Findings of all identities, or of some.

    Parameters
    ----------
    X : array (n, n_features) of at most 1000 rows, float32 or float64; None: 150 irises, their columns scaled
        An identity that needs more different rows than X has is checked on the irises.
    y : array (n,), optional
        Classes, or numbers that count as above or below their median; None: those of the first column.
    only : names or numbers of identities, optional

    Returns
    -------
    list of Finding, by number

    Raises
    ------
    ValueError : X, y or a name does not fit; exponents of X so large that rounding would explain anything
    """
    rows = registry() if only is None else [_row(which) for which in only]
    data = Data(X, y)
    return [REGISTRY[row.name].function(data) for row in rows]


def open_points(source=None, target=None, most=200):
    """(X, y, about) of a data set by name or of a CSV file with the column `target`; the irises of None.

    At most that many rows, drawn by a fixed seed; columns are scaled to variance 1.
    """
    if source is None:
        if target is not None:
            raise ValueError(f"target must be given together with data; got {told(target)} alone.")
        return None, None, "irises (150 x 4, columns scaled)"
    X, y = open_data(source, target).sample(most)
    spread = X.std(axis=0)
    X = (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return X, y, f"{source} ({len(X)} x {X.shape[1]}, columns scaled)"


def _row(which):
    """The identity of a name or a number."""
    for row in registry():
        if which in (row.name, row.number, str(row.number)):
            return row
    known = ", ".join(f"{row.number} {row.name}" for row in registry())
    raise ValueError(f"only must hold names or numbers of identities, {known}; got {told(which)}.")
