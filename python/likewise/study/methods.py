"""The methods of the study: the mechanism each starts from, how any mechanism is fitted, and the score.

Every fit goes through ``Estimator.from_mechanism(mechanism)``, so a dial changes the mechanism and nothing
else. All scores are at most 1 and higher is better.
"""

from dataclasses import dataclass
from typing import Callable

import numpy as np
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import accuracy_score, adjusted_rand_score, r2_score

import likewise as lw
from likewise import kernels, metrics, normalizations, supports
from likewise.propagations import Equilibrium, Spectrum
from likewise.study.dials import N_NEIGHBORS

CLASSES = ("classification",)
BOTH = ("classification", "regression")
LABELED_SHARE = 0.2  # of the training rows, for label propagation and spreading
NOISE = 0.5  # standard deviation of the corruption of Hopfield patterns, in standardized units
N_PATTERNS = 50
N_COMPONENTS = 5  # of diffusion maps


@dataclass(frozen=True)
class Outcome:
    """A score and the mechanism that the fitted object says it used."""

    score: float
    mechanism: object


@dataclass(frozen=True)
class Method:
    """A method of the study.

    Attributes
    ----------
    name, title : str
    tasks : tuple of "classification", "regression"
    scores : dict, task -> name of the score
    protocol : str, what is fitted and what is scored
    base : function (Split) -> Mechanism that the dials start from
    run : function (Mechanism, Split) -> Outcome
    """

    name: str
    title: str
    scores: dict
    protocol: str
    base: Callable
    run: Callable

    @property
    def tasks(self):
        """The tasks that the method has a score for."""
        return tuple(self.scores)


def _kernel_regression(split):
    return lw.Mechanism(metric="euclidean", kernel=kernels.Gaussian(bandwidth="loo"), empty_row="nearest")


def _run_kernel_regression(mechanism, split):
    estimator = lw.KernelClassifier if split.task == "classification" else lw.KernelRegressor
    row = normalizations.RowStochastic()
    fitted = estimator.from_mechanism(mechanism.replace(normalization=row)).fit(split.X_train, split.y_train)
    if mechanism.normalization == row:
        return Outcome(_predictive_score(split, fitted.predict(split.X_test)), fitted.mechanism_)
    # All else as it was, the bandwidth too, which the estimator would choose anew: the bare operator's step.
    return _run_one_step(fitted.mechanism_.replace(normalization=mechanism.normalization), split)


def _k_nearest_neighbors(split):
    return lw.KNeighborsClassifier(n_neighbors=N_NEIGHBORS).mechanism


def _run_k_nearest_neighbors(mechanism, split):
    estimator = lw.KNeighborsClassifier if split.task == "classification" else lw.KNeighborsRegressor
    own = _k_nearest_neighbors(split)
    if mechanism.support == own.support and mechanism.normalization == own.normalization:
        return _predictive(estimator.from_mechanism(mechanism), split)
    # These two slots are what k-NN means by its name; with others the bare operator takes the same step.
    return _run_one_step(mechanism, split)


def _graph(split, normalization, propagation):
    return lw.Mechanism(
        metric="euclidean",
        kernel=kernels.Gaussian(bandwidth="self_tuning"),
        support=supports.Neighbors(N_NEIGHBORS, include_self=True),
        normalization=normalization,
        propagation=propagation,
    )


def _spectral_clustering(split):
    return _graph(split, normalizations.Symmetric(), Spectrum(split.n_classes))


def _run_spectral_clustering(mechanism, split):
    model = lw.SpectralClustering.from_mechanism(mechanism, random_state=split.seed)
    return _clustering(model, split)


def _diffusion_maps(split):
    return lw.Mechanism(
        metric="euclidean",
        kernel=kernels.Gaussian(bandwidth="bgh"),
        normalization=normalizations.Density(1.0),
        propagation=Spectrum(1 + (2 if split.task == "geometry" else N_COMPONENTS), power=1),
    )


def _run_diffusion_maps(mechanism, split):
    model = lw.DiffusionMaps.from_mechanism(mechanism)
    embedded = model.fit_transform(split.X_train)
    if split.task == "geometry":
        return Outcome(_circle_recovered(embedded, split.y_train), model.mechanism_)
    reader = lw.KNeighborsClassifier if split.task == "classification" else lw.KNeighborsRegressor
    reader = reader(n_neighbors=5).fit(embedded, split.y_train)
    return Outcome(_predictive_score(split, reader.predict(model.transform(split.X_test))), model.mechanism_)


def _circle_recovered(embedded, angle):
    """R^2 of the cosine and sine of the angle as linear functions of two coordinates."""
    coordinates = np.c_[np.ones(len(embedded)), embedded]
    circle = np.c_[np.cos(angle), np.sin(angle)]
    weights, *_ = np.linalg.lstsq(coordinates, circle, rcond=None)
    return float(r2_score(circle, coordinates @ weights))


def _label_propagation(split):
    return _graph(split, normalizations.RowStochastic(), Equilibrium())


def _run_label_propagation(mechanism, split):
    return _transductive(lw.LabelPropagation.from_mechanism(mechanism), split)


def _label_spreading(split):
    return _graph(split, normalizations.Symmetric(), Equilibrium(alpha=0.2))


def _run_label_spreading(mechanism, split):
    return _transductive(lw.LabelSpreading.from_mechanism(mechanism), split)


def _mean_shift(split):
    return lw.MeanShift(kernel=kernels.Gaussian(bandwidth="silverman")).mechanism


def _run_mean_shift(mechanism, split):
    own = _mean_shift(split)
    if mechanism.support == own.support and mechanism.normalization == own.normalization:
        return _clustering(lw.MeanShift.from_mechanism(mechanism), split)
    # MeanShift is row-stochastic over all pairs; beyond, the bare operator steps; ends within h are one mode.
    used = mechanism.operator(split.X_train).mechanism
    h = used.kernel.bandwidth
    ends = used.propagate(split.X_train)
    modes = AgglomerativeClustering(n_clusters=None, distance_threshold=h, linkage="single").fit(ends)
    return Outcome(float(adjusted_rand_score(split.y_train, modes.labels_)), used)


def _hopfield(split):
    return lw.HopfieldMemory(temperature=2 * NOISE**2).mechanism


def _run_hopfield(mechanism, split):
    patterns = _of_equal_norm(split.X_train[:N_PATTERNS])
    noise = NOISE * np.random.default_rng(split.seed).standard_normal(patterns.shape)
    retrieved, used = _retrieve(mechanism, patterns, patterns + noise)
    return Outcome(float(1 - ((retrieved - patterns) ** 2).sum() / (noise**2).sum()), used)


def _of_equal_norm(X):
    """Rows scaled to norm sqrt(d), as modern Hopfield networks assume: dot products favor long patterns."""
    norms = np.linalg.norm(X, axis=1, keepdims=True)
    return X * np.sqrt(X.shape[1]) / np.where(norms > 0, norms, 1)


def _retrieve(mechanism, patterns, queries):
    if mechanism.replace(metric="dot") == _hopfield(None):
        memory = lw.HopfieldMemory.from_mechanism(mechanism).fit(patterns)
        return memory.transform(queries), memory.mechanism_
    # A Hopfield memory is exponential, over all pairs and row-stochastic; beyond, the bare operator steps.
    return mechanism.propagate(patterns, X=queries), mechanism.operator(patterns).mechanism


def _self_attention(split):
    width = split.X_train.shape[1]
    return lw.Mechanism(metric="dot", kernel=kernels.Exponential(temperature=float(np.sqrt(width))))


def _l2_attention(split):
    width = split.X_train.shape[1]
    W = np.eye(width)
    return lw.Mechanism(
        metric=metrics.Mahalanobis(W), kernel=kernels.Exponential(temperature=float(2 * np.sqrt(width)))
    )


def _run_one_step(mechanism, split):
    """The bare operator's step from the training rows to the test rows."""
    P = mechanism.operator(split.X_train)
    if split.task == "classification":
        classes, codes = np.unique(split.y_train, return_inverse=True)
        predicted = classes[(P.at(split.X_test) @ np.eye(len(classes))[codes]).argmax(axis=1)]
    else:
        predicted = P.at(split.X_test) @ np.asarray(split.y_train, float)
    return Outcome(_predictive_score(split, predicted), P.mechanism)


def _predictive(estimator, split):
    predicted = estimator.fit(split.X_train, split.y_train).predict(split.X_test)
    return Outcome(_predictive_score(split, predicted), estimator.mechanism_)


def _predictive_score(split, predicted):
    score = accuracy_score if split.task == "classification" else r2_score
    return float(score(split.y_test, predicted))


def _clustering(estimator, split):
    labels = estimator.fit(split.X_train).labels_
    return Outcome(float(adjusted_rand_score(split.y_train, labels)), estimator.mechanism_)


def _transductive(estimator, split):
    """One graph of training and test rows; a fifth of the training rows, at least one a class, is labeled."""
    n_labeled = max(round(LABELED_SHARE * len(split.y_train)), split.n_classes)
    _, first = np.unique(split.y_train, return_index=True)
    others = np.setdiff1d(np.arange(len(split.y_train)), first)
    labeled = np.r_[first, others[: n_labeled - len(first)]]
    y = np.full(len(split.y_train) + len(split.y_test), -1)
    y[labeled] = split.y_train[labeled]
    estimator.fit(np.r_[split.X_train, split.X_test], y)
    hidden = estimator.transduction_[len(split.y_train) :]
    return Outcome(float(accuracy_score(split.y_test, hidden)), estimator.mechanism_)


_PREDICT = {"classification": "accuracy", "regression": "R2"}
_CLUSTER = {"classification": "adjusted Rand"}
_ACCURACY = {"classification": "accuracy"}
_NOISE_REMOVED = {"classification": "noise removed", "regression": "noise removed"}

_METHODS = (
    Method(
        "kernel_regression",
        "Kernel regression",
        _PREDICT,
        "fitted to the training rows, scored on the test rows",
        _kernel_regression,
        _run_kernel_regression,
    ),
    Method(
        "k_nearest_neighbors",
        "k nearest neighbors",
        _PREDICT,
        "fitted to the training rows, scored on the test rows",
        _k_nearest_neighbors,
        _run_k_nearest_neighbors,
    ),
    Method(
        "spectral_clustering",
        "Spectral clustering",
        _CLUSTER,
        "clusters the training rows without labels into as many clusters as there are classes; agreement of "
        "the clusters with the classes (0 by chance)",
        _spectral_clustering,
        _run_spectral_clustering,
    ),
    Method(
        "diffusion_maps",
        "Diffusion maps",
        {**_PREDICT, "geometry": "circle recovered"},
        f"{N_COMPONENTS} coordinates from the training rows without labels; the test rows are mapped by the "
        "extension and predicted from their 5 nearest training rows in these coordinates. On the uneven "
        "circle: how much of the cosine and sine of the angle is linear in the first two coordinates (R²)",
        _diffusion_maps,
        _run_diffusion_maps,
    ),
    Method(
        "label_propagation",
        "Label propagation",
        _ACCURACY,
        f"one graph of training and test rows, labels on {LABELED_SHARE:.0%} of the training rows; scored on "
        "the test rows",
        _label_propagation,
        _run_label_propagation,
    ),
    Method(
        "label_spreading",
        "Label spreading",
        _ACCURACY,
        "as label propagation",
        _label_spreading,
        _run_label_spreading,
    ),
    Method(
        "mean_shift",
        "Mean shift",
        _CLUSTER,
        "clusters the training rows by the mode they climb to; agreement with the classes (0 by chance)",
        _mean_shift,
        _run_mean_shift,
    ),
    Method(
        "hopfield",
        "Hopfield retrieval",
        _NOISE_REMOVED,
        f"stores the first {N_PATTERNS} training rows, scaled to equal norm, and retrieves them from copies "
        f"with Gaussian noise of standard deviation {NOISE}; 1 - squared error after / before (1 is perfect)",
        _hopfield,
        _run_hopfield,
    ),
    Method(
        "self_attention",
        "Self-attention, fixed weights",
        _PREDICT,
        "Wq = Wk = identity, temperature sqrt(d); test rows attend to training rows, whose values are their "
        "targets or one-hot classes",
        _self_attention,
        _run_one_step,
    ),
    Method(
        "l2_attention",
        "L2 attention, fixed weights",
        _PREDICT,
        "W = identity, temperature 2 sqrt(d); otherwise as self-attention",
        _l2_attention,
        _run_one_step,
    ),
)


def names():
    """The names of the methods, in the order of the table of slots."""
    return tuple(method.name for method in _METHODS)


def get(name):
    """The :class:`Method` of that name; an unknown name is a ValueError that lists the known ones."""
    for method in _METHODS:
        if method.name == name:
            return method
    raise ValueError(f"method must be one of {', '.join(names())}; got {name!r}.")


def shown(score_name):
    """The name of a score in figures and text; in the CSV files it is plain ASCII."""
    return score_name.replace("R2", "R²")
