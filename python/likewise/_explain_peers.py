"""Estimators of scikit-learn that are one step: votes and means of neighbors, centroids, densities.

Each function takes an estimator, fitted or not, and gives its Explanation. Spectra, labels and modes are in
_explain_graphs.py, kernel machines in _explain_kernel_machines.py, layers of torch in _explain_layers.py.
"""

from dataclasses import dataclass, field
from functools import partial

import numpy as np
import scipy.sparse as sp

from likewise import kernels, metrics, normalizations, supports
from likewise._explanation import Explanation, Step
from likewise._mechanism import Mechanism

_NONE = normalizations.Unnormalized()


@dataclass(frozen=True)
class PairwiseDistances:
    """scikit-learn's distances of that name, or of a function of two vectors, between blocks.

    As its searches have them: Bray-Curtis and others are not what pairwise_distances takes from SciPy.
    """

    metric: object
    parameters: tuple = field(default=())

    def __call__(self, X, Z):
        from sklearn.metrics import DistanceMetric, pairwise_distances

        try:
            return DistanceMetric.get_metric(self.metric, **dict(self.parameters)).pairwise(X, Z)
        except ValueError:  # "correlation" and others that searches compare all pairs by
            return pairwise_distances(X, Z, metric=self.metric, **dict(self.parameters))


def as_metric(name, parameters=None, p=2):
    """scikit-learn's name of a metric, or a function of two vectors, as a slot value."""
    from likewise.estimators._metric import metric_from_params

    if callable(name) or (isinstance(name, str) and name not in _OURS):
        of_pairs = PairwiseDistances(name, tuple((parameters or {}).items()))
        return metrics.Custom(of_pairs, distance_power=1)
    return metric_from_params(name, p, parameters)


_OURS = ("minkowski", "mahalanobis", "seuclidean", "l1", "l2", *metrics.names())


def dense(X):
    """An array of what may be sparse."""
    return X.toarray() if hasattr(X, "toarray") else np.asarray(X)


def name_of(model):
    return type(model).__name__


def values_of(model):
    """What is propagated, in the words of our estimator of that name."""
    import likewise

    return getattr(likewise, name_of(model))._values


def gaussian(gamma):
    """exp(-gamma d^2)."""
    return kernels.Gaussian(bandwidth=float(1 / np.sqrt(2 * gamma)))


# --- neighbors ----------------------------------------------------------------------------------------------


def _neighbors(model):
    return _voting(model, supports.Neighbors(model.n_neighbors, symmetrize="none"))


def _radius_neighbors(model):
    return _voting(model, supports.Radius(model.radius))


def _voting(model, support):
    kernel, note = _vote(model)
    metric = as_metric(model.metric, model.metric_params, model.p)
    mechanism = Mechanism(metric=metric, kernel=kernel, support=support)
    about = partial(Explanation, mechanism, values_of(model), note)
    if not hasattr(model, "_fit_X"):
        return about(_unfitted=name_of(model))
    keys = dense(model._fit_X)
    if not hasattr(model, "_y"):
        return about(outputs={"kneighbors": partial(_kneighbors, model, mechanism, keys)})
    if not hasattr(model, "classes_"):
        step = Step(mechanism, keys, np.asarray(model._y, np.float64))
        return about(step=step, outputs={"predict": partial(_means, model, step)})
    one_hot = [np.eye(len(names))[codes] for codes, names in _targets(model)]
    step = Step(mechanism, keys, np.hstack(one_hot))
    outputs = {"predict_proba": partial(_shares, model, step), "predict": partial(_named, model, step)}
    return about(step=step, outputs=outputs)


def _vote(model):
    weights = getattr(model, "weights", "uniform")
    if callable(weights):
        return kernels.Indicator(), "the weights are a function of yours in place of this kernel"
    return (kernels.InverseDistance() if weights == "distance" else kernels.Indicator()), ""


def _targets(model):
    """(codes, names) of each target of a classifier."""
    if model.outputs_2d_:
        return list(zip(model._y.T, model.classes_))
    return [(model._y, model.classes_)]


def _kneighbors(model, mechanism, keys, X=None, n_neighbors=None):
    import likewise as lw

    k = model.n_neighbors if n_neighbors is None else n_neighbors
    if X is None:
        return lw.kneighbors(keys, n_neighbors=k, metric=mechanism.metric)
    return lw.kneighbors(dense(X), keys, n_neighbors=k, metric=mechanism.metric)


def _operator(model, step, X):
    """From X to the keys; None: from each key to the others, as scikit-learn has it."""
    mechanism = step.mechanism
    if callable(getattr(model, "weights", None)):
        graph = supports.Graph(_weighted(model, mechanism, step.keys, X), weights="given")
        n_queries, n_keys = graph.edges.shape
        given = Mechanism(kernel="indicator", support=graph)
        return given.operator(np.zeros((n_queries, 1)), np.zeros((n_keys, 1)))
    if X is not None:
        return mechanism.operator(dense(X), step.keys)
    if isinstance(mechanism.support, supports.Radius):
        mechanism = mechanism.replace(support=mechanism.support & supports.LeaveOneOut())
    return mechanism.operator(step.keys)


def _weighted(model, mechanism, keys, X):
    """CSR of the weights that a function gives the distances to the neighbors."""
    import likewise as lw

    pair = (keys, None) if X is None else (dense(X), keys)
    if isinstance(mechanism.support, supports.Radius):
        found, indices = lw.radius_neighbors(*pair, radius=mechanism.support.radius, metric=mechanism.metric)
    else:
        k = mechanism.support.n_neighbors
        found, indices = lw.kneighbors(*pair, n_neighbors=k, metric=mechanism.metric)
    rows = np.repeat(np.arange(len(indices)), [len(row) for row in indices])
    weights = np.concatenate([np.asarray(row, np.float64) for row in model.weights(found)])
    return sp.csr_matrix((weights, (rows, np.concatenate(list(indices)))), (len(indices), len(keys)))


def _means(model, step, X=None):
    """predict of a regressor; NaN where there is no neighbor, as the peer has it."""
    P = _operator(model, step, X)
    found = P @ step.values
    found[np.isneginf(P.log_row_sums)] = np.nan
    return found


def _shares(model, step, X=None):
    """predict_proba of a classifier, a list of several targets; rows without a neighbor as the peer's."""
    P = _operator(model, step, X)
    empty, targets = np.isneginf(P.log_row_sums), _targets(model)
    if empty.any() and getattr(model, "outlier_label_", None) is None:
        raise ValueError(
            f"X must have a neighbor for each row, as {name_of(model)} without an outlier_label asks; rows "
            f"{np.flatnonzero(empty)[:5].tolist()} have none."
        )
    shares = np.split(P @ step.values, np.cumsum([len(names) for _, names in targets])[:-1], axis=1)
    for k, (_, names) in enumerate(targets):
        if empty.any():
            shares[k][empty] = names == model.outlier_label_[k]
    return shares if model.outputs_2d_ else shares[0]


def _named(model, step, X=None):
    """predict of a classifier."""
    shares = _shares(model, step, X)
    found = []
    for k, (share, (_, names)) in enumerate(zip(shares if model.outputs_2d_ else [shares], _targets(model))):
        labels = names[share.argmax(axis=1)]
        nobody = ~share.any(axis=1)
        if nobody.any():
            labels[nobody] = model.outlier_label_[k]
        found.append(labels)
    return np.stack(found, axis=1) if model.outputs_2d_ else found[0]


# --- centroids ----------------------------------------------------------------------------------------------


def _nearest_centroid(model):
    """One neighbor among the classes' centers; with priors of their own a kernel of scaled features."""
    mechanism = Mechanism(
        metric=as_metric(model.metric),
        kernel="indicator",
        support=supports.Neighbors(1, symmetrize="none"),
    )
    note = "the keys are the classes' centroids (medians under manhattan), shrunken where that is asked"
    values = "one-hot classes of the centroids"
    if not hasattr(model, "centroids_"):
        return Explanation(mechanism, values, note, _unfitted=name_of(model))
    nearest = Step(mechanism, model.centroids_, np.eye(len(model.classes_)))
    shares = {"predict_proba": _discriminant(model)} if model.metric == "euclidean" else {}
    if np.isclose(model.class_prior_, 1 / len(model.classes_)).all():
        outputs = {"predict": partial(_class_of_largest, model, nearest), **shares}
        return Explanation(mechanism, values, note, nearest, outputs)
    if not shares:
        raise ValueError(
            f"priors must be uniform with metric={model.metric!r} to have a counterpart: others are "
            "compared with squared city-block lengths."
        )
    step = shares["predict_proba"]
    note += "; priors of their own make it a Gaussian of scaled features, key weights priors^2"
    outputs = {**shares, "predict": partial(_class_of_largest, model, step)}
    return Explanation(step.mechanism, values, note, step, outputs)


def _discriminant(model):
    """softmax(-sum_k (x_k - z_k)^2 / s_k^2 + 2 log prior), s the standard deviations within classes."""
    s = np.where(model.within_class_std_dev_ != 0, model.within_class_std_dev_, 1)
    mechanism = Mechanism(metric=metrics.Mahalanobis.from_diagonal(s**-2.0), kernel="exponential")
    with np.errstate(divide="ignore"):
        log_weights = 2 * np.log(model.class_prior_)
    return Step(mechanism, model.centroids_, np.eye(len(model.classes_)), 0.0, log_weights)


def _class_of_largest(model, step, X):
    return model.classes_[step(X).argmax(axis=1)]


# --- densities ----------------------------------------------------------------------------------------------

_DENSITIES = {
    "gaussian": kernels.Gaussian,
    "tophat": kernels.Indicator,
    "epanechnikov": kernels.Epanechnikov,
    "exponential": kernels.Laplacian,
}


def _kernel_density(model):
    if model.kernel not in _DENSITIES:
        raise ValueError(
            "kernel of KernelDensity must be gaussian, tophat, epanechnikov or exponential to have a "
            f"counterpart; got {model.kernel!r}."
        )
    h = getattr(model, "bandwidth_", model.bandwidth)
    metric = as_metric(model.metric, model.metric_params)
    mechanism = Mechanism(metric=metric, kernel=_DENSITIES[model.kernel](bandwidth=h), normalization=_NONE)
    notes = {
        "scikit-learn's rule of this name takes a scale of 1 for all data": isinstance(h, str),
        "scikit-learn divides by the Euclidean metric's constant": metric != metrics.Euclidean(),
    }
    note = "; ".join(said for said, holds in notes.items() if holds)
    about = partial(Explanation, mechanism, values_of(model), note)
    if not hasattr(model, "tree_"):
        return about(_unfitted=name_of(model))
    keys, w = np.asarray(model.tree_.data), model.tree_.sample_weight
    w = np.ones(len(keys)) if w is None else np.asarray(w)
    log_constant = _log_constant(model, keys.shape[1]) - np.log(w.sum())
    step = Step(mechanism, keys, w * np.exp(log_constant))
    with np.errstate(divide="ignore"):
        weighted = Step(mechanism, keys, w, log_key_weights=np.log(w))
    return about(step=step, outputs={"score_samples": partial(_log_density, weighted, log_constant)})


def _log_constant(model, n_features):
    """log of 1 / integral of the kernel in n_features dimensions: what our density of one point has there."""
    import likewise as lw

    kernel = {"tophat": "indicator"}.get(model.kernel, model.kernel)
    origin = np.zeros((1, n_features))
    return lw.KernelDensity(bandwidth=model.bandwidth_, kernel=kernel).fit(origin).score_samples(origin)[0]


def _log_density(step, log_constant, X):
    return step.operator(X).log_row_sums + log_constant


PEERS = {
    "NearestNeighbors": _neighbors,
    "KNeighborsClassifier": _neighbors,
    "KNeighborsRegressor": _neighbors,
    "RadiusNeighborsClassifier": _radius_neighbors,
    "RadiusNeighborsRegressor": _radius_neighbors,
    "NearestCentroid": _nearest_centroid,
    "KernelDensity": _kernel_density,
}
