"""One small instance of every estimator, its data and all it answers: what generic tests draw from.

A new estimator joins every generic test by one line of EVERY.
"""

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import likewise as lw

_rng = np.random.default_rng(5)
LABELS = np.repeat([0, 1, 2], 20)
X = _rng.normal(size=(60, 3)) + 1.5 * np.eye(3)[LABELS]
NUMBERS = X @ [1.0, -0.5, 0.2] + 0.1 * _rng.normal(size=60)
SOME = np.where(np.arange(60) % 4 == 0, LABELS, -1)
NEW = _rng.normal(size=(25, 3)) + 0.5


class Entry(NamedTuple):
    """An estimator that ends where its data tell it to, whatever the order of rows; and what y it takes."""

    estimator: object
    y: object = None
    context: object = None  # of attention: "rows"


_propagation = dict(embed_dim=4, num_heads=2, max_epochs=20, batch_size=1000, random_state=0)
_attention = dict(embed_dim=4, num_heads=2, early_stopping=False, max_epochs=20, random_state=0)

# Settings whose answer is an optimum or a formula, so that the order of rows cannot show: no mini-batches.
EVERY = {
    "KernelRegressor": Entry(lw.KernelRegressor(), NUMBERS),
    "KernelRegressor(degree=1)": Entry(lw.KernelRegressor(degree=1, bandwidth=1.0), NUMBERS),
    "KernelClassifier": Entry(lw.KernelClassifier(), LABELS),
    "KernelDensity": Entry(lw.KernelDensity(bandwidth="silverman")),
    "NearestNeighbors": Entry(lw.NearestNeighbors(n_neighbors=4)),
    "KNeighborsClassifier": Entry(lw.KNeighborsClassifier(5, weights="distance"), LABELS),
    "KNeighborsRegressor": Entry(lw.KNeighborsRegressor(4, weights="distance"), NUMBERS),
    "RadiusNeighborsClassifier": Entry(lw.RadiusNeighborsClassifier(2.5, weights="distance"), LABELS),
    "RadiusNeighborsRegressor": Entry(lw.RadiusNeighborsRegressor(2.5, weights="distance"), NUMBERS),
    "SpectralClustering": Entry(lw.SpectralClustering(3, gamma=0.5, random_state=0)),
    "SpectralEmbedding": Entry(lw.SpectralEmbedding(affinity="rbf", gamma=0.5)),
    "DiffusionMaps": Entry(lw.DiffusionMaps(bandwidth=1.0)),
    "LabelPropagation": Entry(lw.LabelPropagation(gamma=1.0), SOME),
    "LabelSpreading": Entry(lw.LabelSpreading(gamma=1.0), SOME),
    "MeanShift": Entry(lw.MeanShift(bandwidth=2.0, kernel="gaussian")),
    "MarkovClustering": Entry(lw.MarkovClustering(1.5, n_neighbors=12)),
    "HopfieldMemory": Entry(lw.HopfieldMemory(temperature=0.5, metric="sqeuclidean")),
    "MetricLearner": Entry(lw.MetricLearner(max_iter=5), LABELS),
    "MetricLearner(residual_mlp)": Entry(
        lw.MetricLearner(map="residual_mlp", max_iter=5, random_state=0), LABELS
    ),
    "MetricLearner(mlkr)": Entry(lw.MetricLearner(max_iter=5), NUMBERS),
    "AttentionClassifier": Entry(lw.AttentionClassifier(**_attention), LABELS, "rows"),
    "AttentionRegressor": Entry(lw.AttentionRegressor(**_attention), NUMBERS, "rows"),
    "PropagationClassifier": Entry(lw.PropagationClassifier("l2", **_propagation), LABELS),
    "PropagationRegressor": Entry(lw.PropagationRegressor(**_propagation), NUMBERS),
}
# Whether y has labels, some of them -1.
SEMI_SUPERVISED = {"LabelPropagation", "LabelSpreading"}


def labels_of(name):
    """Whether y holds classes."""
    y = EVERY[name].y
    return y is not None and np.asarray(y).dtype.kind in "iu"


def fitted(name, X=X, y=None, **params):
    """A fresh fit of the entry; y None is the entry's own, max_iter's warnings are left out."""
    entry = EVERY[name]
    model = clone(entry.estimator).set_params(**params)
    y = entry.y if y is None else y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y, context=entry.context) if entry.context else model.fit(X, y)


def answers(model, X=NEW):
    """All that a fitted model says of points: name of the method -> array."""
    said = {}
    for method in ("predict_proba", "predict", "transform", "score_samples"):
        if hasattr(model, method):
            said[method] = np.asarray(getattr(model, method)(X))
    if isinstance(model, lw.NearestNeighbors):
        said["distances"], said["indices"] = model.kneighbors(X)
    return said
