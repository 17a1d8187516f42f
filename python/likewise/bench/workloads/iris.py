"""fit + predict of each estimator on iris (n = 150), against scikit-learn's class of the same name."""

import importlib
from types import SimpleNamespace

import numpy as np

from likewise.bench import peers
from likewise.bench.workload import Contender, Workload, largest_difference, likewise_way


def _inputs(rng, *, n):
    """Iris; a row in five keeps its label for the methods that spread labels.

    Its values are multiples of 0.1, so neighbors tie and libraries break ties differently: a change in the
    fourth digit leaves one answer.
    """
    from sklearn.datasets import load_iris

    X, y = load_iris(return_X_y=True)
    X = X[:n] + 1e-4 * rng.standard_normal((n, X.shape[1]))
    return SimpleNamespace(X=X, y=y[:n], some=np.where(np.arange(n) % 5 == 0, y[:n], -1))


def _prepare(home, name, arguments, ask):
    def prepare(data, threads):
        cls = getattr(importlib.import_module(home), name)
        return lambda: ask(cls(**arguments), data)

    return prepare


def _probabilities(model, data):
    return model.fit(data.X, data.y).predict_proba(data.X)


def _regression(model, data):
    return model.fit(data.X, data.X[:, 3]).predict(data.X)


def _distances(model, data):
    return model.fit(data.X).kneighbors(data.X)[0]


def _log_density(model, data):
    return model.fit(data.X).score_samples(data.X)


def _shares(model, data):
    model.fit(data.X, data.some).predict(data.X)
    return model.label_distributions_


def _same_cluster(model, data):
    """Whether each point is in the cluster of the first: no name of a cluster matters."""
    labels = model.fit_predict(data.X)
    return (labels == labels[0]).astype(float)


def _embedding(model, data):
    """Each coordinate with the sign that makes its largest value positive, of norm 1."""
    E = model.fit_transform(data.X)
    E = E / np.linalg.norm(E, axis=0)
    return E * np.sign(E[np.abs(E).argmax(axis=0), range(E.shape[1])])


def _centers(model, data):
    model.fit(data.X)
    model.predict(data.X)
    return model.cluster_centers_[np.lexsort(model.cluster_centers_.T)]


_N, _C, _S = "sklearn.neighbors", "sklearn.cluster", "sklearn.semi_supervised"
_STEPS = {"max_iter": 100_000, "tol": 1e-9}  # scikit-learn iterates until it is as near the fixed point
_CASES = (  # class, home, arguments, question, what is compared, tolerance, scikit-learn's own arguments
    ("KNeighborsClassifier", _N, {"n_neighbors": 5}, _probabilities, "predict_proba", 1e-9, {}),
    ("KNeighborsRegressor", _N, {"n_neighbors": 5}, _regression, "predict", 1e-9, {}),
    ("RadiusNeighborsClassifier", _N, {"radius": 1.0}, _probabilities, "predict_proba", 1e-9, {}),
    ("RadiusNeighborsRegressor", _N, {"radius": 1.0}, _regression, "predict", 1e-9, {}),
    ("NearestNeighbors", _N, {"n_neighbors": 5}, _distances, "distances", 1e-9, {}),
    ("KernelDensity", _N, {"bandwidth": 0.4}, _log_density, "score_samples", 1e-6, {}),
    ("SpectralClustering", _C, {"n_clusters": 3, "random_state": 0}, _same_cluster, "clusters", 0, {}),
    (
        "SpectralEmbedding",
        "sklearn.manifold",
        {"affinity": "rbf"},
        _embedding,
        "embedding (scikit-learn drops self-loops)",
        0.05,
        {},
    ),
    # At the default gamma of 20 iris falls apart, and scikit-learn is not there after a million steps.
    ("LabelPropagation", _S, {"gamma": 1}, _shares, "label_distributions_", 1e-3, _STEPS),
    ("LabelSpreading", _S, {"gamma": 20}, _shares, "label_distributions_", 1e-3, _STEPS),
    ("MeanShift", _C, {"bandwidth": 0.8}, _centers, "cluster_centers_", 1e-3, {}),
)


def _workload(name, home, arguments, ask, compared, tolerance, their_arguments):
    call = f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"
    return Workload(
        name=f"iris-{name}",
        group="iris",
        title=f"iris, {call}",
        compared=f"{compared}; largest difference / largest value",
        size={"n": 150},
        quick={"n": 150},
        inputs=_inputs,
        contenders=(
            likewise_way(_prepare("likewise", name, arguments, ask)),
            Contender(
                "scikit-learn", peers.SKLEARN, _prepare(home, name, {**arguments, **their_arguments}, ask)
            ),
        ),
        compare=largest_difference(tolerance),
        dtype="float64",
        seconds=2,
        process="iris",
    )


WORKLOADS = tuple(_workload(*case) for case in _CASES)
