"""Transfer: a metric that one method learned, used by every other one.

    likewise.study.transfer.run(out="study-report")

writes transfer.html, transfer.csv and transfer-summary.csv. On the command line: likewise study --transfer.
"""

from dataclasses import dataclass, replace
from typing import Callable

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

import likewise as lw
from likewise._lbfgs import lbfgs
from likewise.gradients import equilibrium_vjp
from likewise.study import paired, splits

NOISE_FEATURES = 3  # beside the two of the moons, so that there is something to leave out
REFERENCE = "no learning"
LEAST_SHARE = 1e-6  # of a class, added before its logarithm
LABELED = 0.1  # share of the training rows whose labels label propagation is told

# --- where a metric comes from: function (split) -> Learned ------------------------------------------------


def _as_they_are(X):
    return X


@dataclass(frozen=True)
class Learned:
    """A metric, and what it acts on: function (rows) -> rows."""

    metric: object
    read: Callable = _as_they_are


def _as_given(split):
    return Learned(lw.metrics.SquaredEuclidean())


def _n_components(split):
    """Rows of W, the same for all that compare rows: they differ in what they learn, not in how much."""
    return min(8, split.X_train.shape[1])


def _leave_one_out(split):
    learner = lw.MetricLearner(_n_components(split), max_iter=50, random_state=split.seed)
    return Learned(learner.fit(split.X_train, split.y_train).metric_)


def _in_context(split):
    model = lw.AttentionClassifier(
        "l2", embed_dim=_n_components(split), num_heads=1, max_epochs=50, random_state=split.seed
    )
    return Learned(model.fit(split.X_train, split.y_train, context="rows").mechanisms_[0][0].metric)


def _deep(split):
    learner = lw.MetricLearner(_n_components(split), map="residual_mlp", max_iter=50, random_state=split.seed)
    return Learned(learner.fit(split.X_train, split.y_train).metric_)


def _metric_attention(split):
    """Of the first module of the paper's network: phi after the first map, nonlinear in the features."""
    model = lw.PropagationClassifier(
        "metric", embed_dim=16, n_layers=1, max_epochs=150, random_state=split.seed
    )
    return Learned(model.fit(split.X_train, split.y_train).network_.input_metric())


def _propagation(split):
    """L-BFGS on how well each half of the labels propagates to the other half: log loss."""
    Y, rank = np.eye(split.n_classes)[split.y_train], _n_components(split)
    told = np.random.RandomState(split.seed).permutation(len(Y)) % 2 == 0
    pca = PCA(rank).fit(split.X_train)
    start = pca.components_ / np.sqrt(pca.explained_variance_.sum())  # a mean cost of 2

    def value_and_slope(flat):
        mechanism = lw.Mechanism(
            metric=lw.metrics.Mahalanobis(flat.reshape(start.shape)),
            kernel=lw.kernels.Exponential(1.0),
            support="leave_one_out",
        )
        P, value, slope = mechanism.operator(split.X_train), 0.0, np.zeros_like(start)
        for clamped in (told, ~told):
            F, report = P.equilibrium(Y, clamped=clamped)
            share = F + LEAST_SHARE
            value -= (Y * np.log(share))[~clamped].sum() / len(Y)
            by_F = np.where(clamped[:, None], 0, -Y / share / len(Y))
            found = equilibrium_vjp(P, by_F, Y, clamped=clamped, solution=(F, report))
            slope += found["metric"]["factor"]
        return value, slope.ravel()

    learned = lbfgs(value_and_slope, start.ravel(), maxiter=20).x
    return Learned(lw.metrics.Mahalanobis(learned.reshape(start.shape)))


def _tokens(split):
    """What the layer's heads compare, token by token and head by head: W t / sqrt(temperature)."""
    model = lw.AttentionClassifier(
        "l2", n_tokens=split.n_tokens, embed_dim=16, num_heads=2, max_epochs=60, random_state=split.seed
    ).fit(split.X_train, split.y_train)
    W = np.vstack([m.metric.factor / np.sqrt(m.kernel.temperature) for m in model.mechanisms_[0]])
    return Learned(lw.metrics.SquaredEuclidean(), lambda X: (model.transform(X) @ W.T).reshape(len(X), -1))


LEARNERS = {
    REFERENCE: _as_given,
    "MetricLearner (NCA)": _leave_one_out,
    "MetricLearner (deep NCA)": _deep,
    "metric-attention": _metric_attention,
    "L2 attention in context": _in_context,
    "label propagation": _propagation,
    "L2 attention on tokens": _tokens,
}

# --- where it goes: function (split, metric) -> score, higher is better ---------------------------------


def _kernel_regression(split, metric):
    return (
        lw.KernelClassifier(metric=metric).fit(split.X_train, split.y_train).score(split.X_test, split.y_test)
    )


def _neighbors(split, metric):
    model = lw.KNeighborsClassifier(10, metric=metric).fit(split.X_train, split.y_train)
    return model.score(split.X_test, split.y_test)


def _label_propagation(split, metric):
    """Told a tenth of the labels, and each class at least once."""
    told = np.random.RandomState(split.seed).rand(len(split.y_train)) < LABELED
    told[np.unique(split.y_train, return_index=True)[1]] = True
    model = lw.LabelPropagation(_neighbor_graph(metric)).fit(split.X_train, np.where(told, split.y_train, -1))
    return model.score(split.X_test, split.y_test)


def _neighbor_graph(metric):
    return lw.Mechanism(
        metric=metric, kernel=lw.kernels.Gaussian("self_tuning"), support=lw.supports.Neighbors(10)
    )


def _spectral_clustering(split, metric):
    affinity = _neighbor_graph(metric).replace(normalization="symmetric")
    model = lw.SpectralClustering(split.n_classes, affinity=affinity, random_state=split.seed)
    return adjusted_rand_score(split.y_test, model.fit(split.X_train).predict(split.X_test))


def _diffusion_maps(split, metric):
    """The accuracy of 5 neighbors in the map."""
    maps = lw.DiffusionMaps(n_components=min(5, split.n_classes), metric=metric).fit(split.X_train)
    vote = lw.KNeighborsClassifier(5).fit(maps.embedding_, split.y_train)
    return vote.score(maps.transform(split.X_test), split.y_test)


RECEIVERS = {
    "kernel regression": _kernel_regression,
    "10 neighbors": _neighbors,
    "label propagation": _label_propagation,
    "spectral clustering": _spectral_clustering,
    "diffusion maps + 5 neighbors": _diffusion_maps,
}

# --- the study ------------------------------------------------------------------------------------------


def _split(dataset, repeat, n_samples, seed):
    split = splits.make_split(dataset, repeat, n_samples, seed)
    if dataset.name != "two_moons":
        return split
    random = np.random.RandomState(split.seed)
    X_train, X_test = (
        np.hstack([X, random.randn(len(X), NOISE_FEATURES)]) for X in (split.X_train, split.X_test)
    )
    return replace(split, X_train=X_train, X_test=X_test)


def _cells(split):
    for learned_by, learn in LEARNERS.items():
        learned, error = paired.tried(_learned, learn, split)
        for used_by, use in RECEIVERS.items():
            score, failure = paired.tried(use, *learned) if learned is not None else (None, error)
            yield learned_by, used_by, score, failure


def _learned(learn, split):
    """(split, metric): the rows as the metric reads them."""
    learned = learn(split)
    rows = {name: learned.read(getattr(split, name)) for name in ("X_train", "X_test")}
    return replace(split, **rows), learned.metric


TABLE = paired.Table(
    "transfer",
    "learned_by",
    "used_by",
    tuple(LEARNERS),
    tuple(RECEIVERS),
    REFERENCE,
    _cells,
    _split,
    {"noise_features": NOISE_FEATURES},
)
run = TABLE.run
