"""Nearest neighbors: search, and votes and means of the neighbors, with scikit-learn's parameters."""

import warnings
from functools import partial

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from likewise import _core, kernels, supports
from likewise._checks import boolean, is_word, scalar, told
from likewise._estimator import MechanismMixin, check_labels, without_column
from likewise._mechanism import Mechanism
from likewise._slots import as_kernel
from likewise.estimators._metric import effective_metric, metric_from_params
from likewise.estimators._neighbors_search import Nearest, Points, Within
from likewise.estimators._neighbors_targets import Labels, Numbers, type_beside, with_label
from likewise.estimators._training import check_square, common_dtype, like_fitted

# --- what docstrings share ---------------------------------------------------------------------------------

_WEIGHTS = """
    weights : "uniform", "distance", value of likewise.kernels, name of one, or function, default="uniform"
        What a neighbor counts: the same, 1/d (where some d = 0 only those), a kernel's weight, or what the
        function makes of an array of distances."""

_SEARCH = """
    algorithm : "auto", "brute", "kd_tree" or "ball_tree", default="auto"
        How kneighbors and radius_neighbors search; "ball_tree" is read as "auto". Results do not depend on
        it.
    leaf_size : int
        Accepted for scikit-learn's signature.
    p : float, default=2
        Of metric="minkowski".
    metric : str, value of likewise.metrics or function of two blocks, default="minkowski"
        "precomputed": X is a dense matrix of distances, (n, n) in fit and (n_queries, n) later. Distances are
        those of scikit-learn's metric of that name.
    metric_params : dict or None
        Such as {"p": 3}, {"w": weights} of minkowski (at a p other than 2 by a function, which is slower),
        {"VI": matrix} of mahalanobis, {"V": variances} of seuclidean.
    n_jobs : int or None"""

_LEFT_OUT = """
    Notes
    -----
    X=None asks for the training points, each without itself: in searches, predictions and score alike."""

_FITTED = """
    algorithm_, effective_metric_, n_samples_fit_, n_features_in_ : as in NearestNeighbors"""

# --- searching ---------------------------------------------------------------------------------------------


class _Neighbors(MechanismMixin, BaseEstimator):
    """The training points, and the metric and algorithm to search them with.

    As in scikit-learn, points, metric and algorithm are those of fit; n_neighbors, radius and weights are
    read when they are used.
    """

    def _metric(self):
        return metric_from_params(self.metric, self.p, self.metric_params)

    def _is_pairwise(self):
        return is_word(self.metric, ("precomputed",)) or super()._is_pairwise()

    def _set_points(self, X):
        """Keep X; refuse a metric or an algorithm that does not fit it."""
        if self._is_pairwise():
            check_square(X)
        self._points = Points(
            X, self._metric(), self.metric_params, self.algorithm, pairwise=self._is_pairwise()
        )
        self.effective_metric_, self.effective_metric_params_ = effective_metric(
            self.metric, self.p, self.metric_params
        )
        self.n_samples_fit_ = X.shape[0]

    @property
    def _fit_X(self):
        return self._keys.points

    @property
    def algorithm_(self):
        """Found out when asked for, since a tree is built for it."""
        check_is_fitted(self)
        with self._execution():
            return self._points.algorithm

    def _of_slots(self, mechanism):
        """This estimator, if its slots are those of `mechanism`: ValueError otherwise.

        From queries to training points no graph is symmetrized: Neighbors(k) is the one of "none".
        """
        support, own = mechanism.support, self.mechanism.support
        if isinstance(support, supports.Neighbors) and support.symmetrize in (None, "none"):
            same = support.n_neighbors == getattr(own, "n_neighbors", None) and not support.include_self
            support = own if same else support
        self._require_slots_of(mechanism.replace(support=support))
        return self

    def _queries(self, X):
        return like_fitted(self._check_X(X, reset=False), self._points.dtype)

    def _find(self, choice, X, asked_for):
        """Neighbors of the queries X, by a choice of that many or so far; None: as the estimator's own."""
        check_is_fitted(self)
        queries = None if X is None else self._queries(X)
        chosen = choice(getattr(self, choice.parameter) if asked_for is None else asked_for)
        with self._execution():
            return chosen.find(self._points, queries)


class _FindsNearest:
    """kneighbors and its graph."""

    def kneighbors(self, X=None, n_neighbors=None, return_distance=True):
        """The training points nearest to each query, by (distance, index).

        Parameters
        ----------
        X : array (n_queries, n_features) or None
            None: the training points, each without itself.
        n_neighbors : int or None
            None: the estimator's. At most n_samples_fit_, one less where X is None.
        return_distance : bool

        Returns
        -------
        distances : array (n_queries, n_neighbors), ascending; only with return_distance
        indices : int array (n_queries, n_neighbors)
        """
        return_distance = boolean(return_distance, "return_distance")
        found = self._find(Nearest, X, n_neighbors)
        table = len(found.ends) - 1, -1
        distances, indices = found.distances.reshape(table), found.indices.reshape(table)
        return (distances, indices) if return_distance else indices

    def kneighbors_graph(self, X=None, n_neighbors=None, mode="connectivity"):
        """CSR (n_queries, n_samples_fit_): neighbors' 1 (mode "connectivity") or distance ("distance")."""
        return self._find(Nearest, X, n_neighbors).graph(self.n_samples_fit_, mode)


class _FindsWithin:
    """radius_neighbors and its graph."""

    def radius_neighbors(self, X=None, radius=None, return_distance=True, sort_results=False):
        """The training points at most `radius` away from each query, always by (distance, index).

        Parameters
        ----------
        X : array (n_queries, n_features) or None
            None: the training points, each without itself.
        radius : float or None
            None: the estimator's.
        return_distance, sort_results : bool

        Returns
        -------
        distances : object array (n_queries,) of arrays; only with return_distance
        indices : object array (n_queries,) of int arrays
        """
        return_distance = boolean(return_distance, "return_distance")
        found = self._find(Within, X, radius)
        indices = found.rows(found.indices)
        return (found.rows(found.distances), indices) if return_distance else indices

    def radius_neighbors_graph(self, X=None, radius=None, mode="connectivity", sort_results=False):
        """CSR (n_queries, n_samples_fit_): neighbors' 1 (mode "connectivity") or distance ("distance")."""
        return self._find(Within, X, radius).graph(self.n_samples_fit_, mode)


class NearestNeighbors(_FindsNearest, _FindsWithin, _Neighbors):
    __doc__ = f"""Search for nearest neighbors: exact, ties to the lowest index.

    Parameters
    ----------
    n_neighbors : int, default=5
    radius : float, default=1.0{_SEARCH}

    Attributes
    ----------
    algorithm_ : "kd_tree" or "brute", the one that runs
    effective_metric_, effective_metric_params_ : the metric, minkowski by its shorter name; its parameters
    n_samples_fit_, n_features_in_ : int
    mechanism_ : Mechanism of the graph, 1 on the neighbors of each point

    Notes
    -----
    O(n_queries n_samples n_features) time by brute force, about O((n_queries + n_samples) log n_samples) by
    tree in few dimensions. Float32 points are compared in float64.

    A fitted model holds a copy of its points, at most as much memory again, and a tree where one pays; all
    but the copy is made by the first calls that want it, and left out of pickles.
    """

    _values = "none: the support itself is the answer"
    _fixed_slots = {"kernel": "indicator", "normalization": "none"}  # noqa: RUF012 (read only)

    def __init__(
        self,
        *,
        n_neighbors=5,
        radius=1.0,
        algorithm="auto",
        leaf_size=30,
        metric="minkowski",
        p=2,
        metric_params=None,
        n_jobs=None,
    ):
        self.n_neighbors = n_neighbors
        self.radius = radius
        self.algorithm = algorithm
        self.leaf_size = leaf_size
        self.metric = metric
        self.p = p
        self.metric_params = metric_params
        self.n_jobs = n_jobs

    @classmethod
    def from_mechanism(cls, mechanism, **params):
        """The search whose graph `mechanism` is, and other parameters as given."""
        params = {"n_neighbors": Nearest.of(mechanism.support), "metric": mechanism.metric, **params}
        return cls(**params)._of_slots(mechanism)

    def _make_mechanism(self):
        support = Nearest(self.n_neighbors).support(symmetrize="none")
        return Mechanism(metric=self._metric(), support=support, **self._fixed_slots)

    def fit(self, X, y=None):
        """X (n, d), or distances (n, n) with metric="precomputed"; y is ignored."""
        with self._execution():
            self._set_points(self._check_X(X, reset=True))
        self.mechanism_ = self.mechanism
        return self


# --- predicting --------------------------------------------------------------------------------------------


class _Predictor(_Neighbors):
    """What the weighted neighbors say, by the rows of the mechanism's operator before they are divided.

    `_choice`, Nearest or Within, says who the neighbors are.
    """

    def _chosen(self):
        return self._choice(getattr(self, self._choice.parameter))

    def _make_mechanism(self):
        return self._mechanism_of(self._metric())

    def _mechanism_of(self, metric):
        kernel = _kernel_of(self.weights)
        return Mechanism(
            metric=metric,
            kernel=kernels.Indicator() if kernel is None else kernel,
            support=self._chosen().support(),
            normalization="row",
            empty_row=self._choice.empty_row,
        )

    @classmethod
    def from_mechanism(cls, mechanism, **params):
        """The estimator with the slots of `mechanism`, and other parameters as given."""
        who = {cls._choice.parameter: cls._choice.of(mechanism.support)}
        slots = {"metric": mechanism.metric, "weights": mechanism.kernel}
        return cls(**{**who, **slots, **params})._of_slots(mechanism)

    def _fit_points(self, X):
        with self._execution():
            self._set_points(X)
            self._asked = self.mechanism
            self.mechanism_ = _core.resolve_neighbors(self._asked, X)

    def _current_mechanism(self):
        """`mechanism_` with n_neighbors, radius and weights as they are now."""
        asked = self._mechanism_of(self._points.metric)
        if asked == self._asked:
            return self.mechanism_
        if asked.kernel == self._asked.kernel:
            asked = asked.replace(kernel=self.mechanism_.kernel)
        return _core.resolve_neighbors(asked, self._points.X)

    def _ask(self, X, question, *about):
        """The core's answer to question(rows of neighbors, *about); X None: each training point left out."""
        with self._execution():
            if _kernel_of(self.weights) is None:
                return question(self._rows_by_function(X), *about)
            mechanism, queries = self._current_mechanism(), None if X is None else self._queries(X)
            return question(mechanism, *self._points.asked_by(queries), *about)

    def _hear(self, answer, X):
        """answer(targets, ask) of the neighbors of these queries."""
        check_is_fitted(self)
        return answer(self._targets, partial(self._ask, X))

    def _rows_by_function(self, X):
        """The function's weights of each query's neighbors; the nearest alone where all of them are 0."""
        found = self._find(self._choice, X, None)
        weights = self._chosen().weigh(self.weights, found)
        if weights.shape != found.distances.shape:
            raise ValueError(
                f"weights must be a function that gives as many weights as distances, "
                f"{found.distances.size}; got {weights.size}."
            )
        return _core.NeighborRows(found.ends, found.indices, weights, self.n_samples_fit_)


class _Regressor(RegressorMixin, _Predictor):
    """Means of the neighbors' targets."""

    def fit(self, X, y):
        """X (n, d), or distances (n, n) with metric="precomputed"; y (n,) or (n, n_outputs)."""
        X, y = self._check_X_y(X, y, multi_output=True, y_numeric=True)
        self._fit_points(X)
        self._targets = Numbers(y, common_dtype(X, y))
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class _Classifier(ClassifierMixin, _Predictor):
    """Votes of the neighbors."""

    _values = "one-hot classes"

    def fit(self, X, y):
        """X (n, d), or distances (n, n) with metric="precomputed"; y (n,) or (n, n_outputs) of labels."""
        X, y = self._check_X_y(X, y, multi_output=True)
        check_labels(y)
        self._targets = Labels(without_column(y), X.dtype)
        self.outputs_2d_ = self._targets.several
        self.classes_ = self._targets.classes if self.outputs_2d_ else self._targets.classes[0]
        self._fit_points(X)
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.classifier_tags.multi_label = True
        return tags


class KNeighborsRegressor(_FindsNearest, _Regressor):
    __doc__ = f"""Mean of the targets of the k nearest training points.

    y(x) = sum_j phi(d(x, z_j)) y_j / sum_j phi(d(x, z_j)) over the k nearest j, ties to the lowest index.

    Parameters
    ----------
    n_neighbors : int in [1, n_samples], default=5{_WEIGHTS}{_SEARCH}

    Attributes
    ----------
    mechanism_ : Mechanism on Neighbors(n_neighbors), RowStochastic(){_FITTED}
{_LEFT_OUT}

    References
    ----------
    Fix and Hodges (1951); Cover and Hart (1967).
    """

    _choice = Nearest

    def __init__(
        self,
        n_neighbors=5,
        *,
        weights="uniform",
        algorithm="auto",
        leaf_size=30,
        p=2,
        metric="minkowski",
        metric_params=None,
        n_jobs=None,
    ):
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.algorithm = algorithm
        self.leaf_size = leaf_size
        self.p = p
        self.metric = metric
        self.metric_params = metric_params
        self.n_jobs = n_jobs

    def predict(self, X):
        """Targets (n_queries,) or (n_queries, n_outputs); X None: of the training points, each left out.

        float32 where training points and targets are, else float64.
        """
        return self._hear(Numbers.means, X)[0]


class KNeighborsClassifier(_FindsNearest, _Classifier):
    __doc__ = f"""Vote of the k nearest training points: the mean of their one-hot labels.

    Parameters
    ----------
    n_neighbors : int in [1, n_samples], default=5{_WEIGHTS}{_SEARCH}

    Attributes
    ----------
    classes_ : array (n_classes,), or a list of them with several outputs
    outputs_2d_ : bool
    mechanism_ : Mechanism on Neighbors(n_neighbors), RowStochastic(){_FITTED}
{_LEFT_OUT}

    References
    ----------
    Fix and Hodges (1951); Cover and Hart (1967).
    """

    _choice = Nearest

    def __init__(
        self,
        n_neighbors=5,
        *,
        weights="uniform",
        algorithm="auto",
        leaf_size=30,
        p=2,
        metric="minkowski",
        metric_params=None,
        n_jobs=None,
    ):
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.algorithm = algorithm
        self.leaf_size = leaf_size
        self.p = p
        self.metric = metric
        self.metric_params = metric_params
        self.n_jobs = n_jobs

    def predict_proba(self, X):
        """Shares (n_queries, n_classes), a list of them with several outputs; X None: each point left out."""
        shares, _ = self._hear(Labels.shares, X)
        return shares if self.outputs_2d_ else shares[0]

    def predict(self, X):
        """Labels (n_queries,) or (n_queries, n_outputs), ties to the lowest; X None: each point left out."""
        labels, _ = self._hear(Labels.winners, X)
        return self._targets.as_given(labels)


class RadiusNeighborsRegressor(_FindsWithin, _Regressor):
    __doc__ = f"""Mean of the targets of all training points at most `radius` away.

    Where there are none: NaN, and a warning.

    Parameters
    ----------
    radius : float >= 0, default=1.0{_WEIGHTS}{_SEARCH}

    Attributes
    ----------
    mechanism_ : Mechanism on Radius(radius), RowStochastic(){_FITTED}
{_LEFT_OUT}
    """

    _choice = Within

    def __init__(
        self,
        radius=1.0,
        *,
        weights="uniform",
        algorithm="auto",
        leaf_size=30,
        p=2,
        metric="minkowski",
        metric_params=None,
        n_jobs=None,
    ):
        self.radius = radius
        self.weights = weights
        self.algorithm = algorithm
        self.leaf_size = leaf_size
        self.p = p
        self.metric = metric
        self.metric_params = metric_params
        self.n_jobs = n_jobs

    def predict(self, X):
        """Targets (n_queries,) or (n_queries, n_outputs); X None: of the training points, each left out.

        float32 where training points and targets are, else float64.
        """
        mean, empty = self._hear(Numbers.means, X)
        if empty.any():
            warnings.warn(
                "One or more samples have no neighbors within specified radius; predicting NaN.", stacklevel=2
            )
            mean[empty] = np.nan
        return mean


class RadiusNeighborsClassifier(_FindsWithin, _Classifier):
    __doc__ = f"""Vote of all training points at most `radius` away.

    Parameters
    ----------
    radius : float >= 0, default=1.0{_WEIGHTS}{_SEARCH}
    outlier_label : label, "most_frequent", list of them for several outputs, or None
        What a query without neighbors gets; None: a ValueError.

    Attributes
    ----------
    classes_, outputs_2d_ : as in KNeighborsClassifier
    outlier_label_ : list of one label for each output, or None
    mechanism_ : Mechanism on Radius(radius), RowStochastic(){_FITTED}
{_LEFT_OUT}
    """

    _choice = Within

    def __init__(
        self,
        radius=1.0,
        *,
        weights="uniform",
        algorithm="auto",
        leaf_size=30,
        p=2,
        metric="minkowski",
        outlier_label=None,
        metric_params=None,
        n_jobs=None,
    ):
        self.radius = radius
        self.weights = weights
        self.algorithm = algorithm
        self.leaf_size = leaf_size
        self.p = p
        self.metric = metric
        self.outlier_label = outlier_label
        self.metric_params = metric_params
        self.n_jobs = n_jobs

    def fit(self, X, y):
        """X (n, d), or distances (n, n) with metric="precomputed"; y (n,) or (n, n_outputs) of labels."""
        super().fit(X, y)
        self.outlier_label_ = self._outlier_labels()
        return self

    def _outlier_labels(self):
        """One label for each output, of the kind that its classes are."""
        outputs = self._targets.classes
        if self.outlier_label is None:
            return None
        if isinstance(self.outlier_label, str) and self.outlier_label == "most_frequent":
            return self._targets.most_frequent()
        label = self.outlier_label
        if getattr(label, "shape", None) == ():  # one label in an array without dimensions
            label = label[()] if isinstance(label, np.ndarray) else scalar(label)
        several = isinstance(label, (list, tuple, np.ndarray))
        labels = list(label) if several else [label] * len(outputs)
        if len(labels) != len(outputs):
            raise ValueError(
                f"The length of outlier_label must be {len(outputs)}, the number of outputs; got {labels!r}."
            )
        for classes, label in zip(outputs, labels):
            if np.ndim(label) or type_beside(classes.dtype, label) is None:
                raise TypeError(
                    f"outlier_label must be of the labels' type {classes.dtype}; got {told(label)}."
                )
        return labels

    def predict_proba(self, X):
        """Shares (n_queries, n_classes), or a list of them; without neighbors 1 for the outlier label."""
        shares, empty = self._hear(Labels.shares, X)
        if empty.any():
            self._require_outlier_label(empty)
            for classes, share, label in zip(self._targets.classes, shares, self.outlier_label_):
                share[empty] = classes == label
                if label not in classes:
                    warnings.warn(
                        f"Outlier label {label} is not in training classes. "
                        "All class probabilities of outliers will be assigned with 0.",
                        stacklevel=2,
                    )
        return shares if self.outputs_2d_ else shares[0]

    def predict(self, X):
        """Labels (n_queries,) or (n_queries, n_outputs), ties to the lowest; X None: each point left out."""
        labels, empty = self._hear(Labels.winners, X)
        if empty.any():
            self._require_outlier_label(empty)
            labels = [with_label(column, empty, label) for column, label in zip(labels, self.outlier_label_)]
        return self._targets.as_given(labels)

    def _require_outlier_label(self, empty):
        if self.outlier_label_ is None:
            raise ValueError(
                f"No neighbors found for test samples {np.flatnonzero(empty)!r}, you can try using larger "
                "radius, giving an outlier_label, or considering removing them from your dataset."
            )


def _kernel_of(weights):
    """The kernel that `weights` means, None for a function."""
    named = {"uniform": kernels.Indicator(), "distance": kernels.InverseDistance()}
    if weights is None:
        return kernels.Indicator()
    if isinstance(weights, str) and weights in named:
        return named[weights]
    if callable(weights) and not isinstance(weights, type):
        return None
    if isinstance(weights, str) and weights not in kernels.names():
        known = ", ".join(map(repr, (*named, *kernels.names())))
        raise ValueError(
            f"weights must be a kernel, a function or one of the names {known}; got {told(weights)}."
        )
    return as_kernel(weights, "weights")
