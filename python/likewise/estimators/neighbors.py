"""Nearest neighbors: search, and votes and means of the neighbors, with scikit-learn's parameters."""

import warnings
from numbers import Integral, Real

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from likewise import _checks, _core, kernels, supports
from likewise._estimator import MechanismMixin, check_labels, without_column
from likewise._mechanism import Mechanism
from likewise._slots import as_kernel
from likewise.estimators._metric import effective_metric, metric_from_params, require_width
from likewise.estimators._training import as_columns, check_square, common_dtype, like_fitted

_PARAMETERS = """
    weights : "uniform", "distance", value of likewise.kernels, name of one, or function, default="uniform"
        What a neighbor counts: the same, 1/d (where some d = 0 only those), a kernel's weight, or what the
        function makes of an array of distances.
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

_ALGORITHMS = {"auto": "auto", "brute": "brute", "kd_tree": "kd_tree", "ball_tree": "auto"}


class _NeighborsBase(MechanismMixin, BaseEstimator):
    """The training points, and the metric and algorithm to search them with.

    As in scikit-learn, points, metric and algorithm are those of fit; n_neighbors, radius and weights are
    read when they are used.
    """

    def _metric(self):
        return metric_from_params(self.metric, self.p, self.metric_params)

    def _is_pairwise(self):
        return self.metric == "precomputed" or super()._is_pairwise()

    def _set_points(self, X):
        """Keep X; refuse a metric or an algorithm that does not fit it."""
        if self._is_pairwise():
            check_square(X)
        if not isinstance(self.algorithm, str) or self.algorithm not in _ALGORITHMS:
            known = ", ".join(map(repr, _ALGORITHMS))
            raise ValueError(f"algorithm must be one of {known}; got {self.algorithm!r}.")
        self._fit_metric = self._metric()
        self._fit_algorithm = _ALGORITHMS[self.algorithm]
        self._algorithm = None
        require_width(self._fit_metric, X, self.metric_params)
        if not self._is_pairwise():  # one pair tells what many would
            _core.kneighbors(self._fit_metric, X[:1], X[:1], 1, self._fit_algorithm)
        self._keys = _core.prepare_keys(self._fit_metric, X)  # a copy: the caller may change X later
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
        if self._algorithm is None:
            X = self._fit_X
            with self._execution():
                *_, self._algorithm = _core.kneighbors_among(self._keys, X[:1], 1, self._fit_algorithm)
        return self._algorithm

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
        return like_fitted(self._check_X(X, reset=False), self._fit_X.dtype)

    def _search_arguments(self, X):
        """Keys, queries, and whether the queries are the keys, each left out of its own row."""
        check_is_fitted(self)
        alone = X is None
        return self._keys, self._fit_X if alone else self._queries(X), alone


class _KNeighborsSearch(_NeighborsBase):
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
        keys, X, alone = self._search_arguments(X)
        k = _checked_count(self.n_neighbors if n_neighbors is None else n_neighbors)
        with self._execution():
            distances, indices, _ = _core.kneighbors_among(keys, X, k, self._fit_algorithm, alone)
        return (distances, indices) if return_distance else indices

    def kneighbors_graph(self, X=None, n_neighbors=None, mode="connectivity"):
        """CSR (n_queries, n_samples_fit_): neighbors' 1 (mode "connectivity") or distance ("distance")."""
        distances, indices = self.kneighbors(X, n_neighbors)
        ends = np.arange(0, indices.size + 1, indices.shape[1])
        return _graph(distances.ravel(), indices.ravel(), ends, self.n_samples_fit_, mode)


class _RadiusSearch(_NeighborsBase):
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
        distances, indices, ends = self._within(X, radius)
        rows = _rows(indices, ends)
        return (_rows(distances, ends), rows) if return_distance else rows

    def radius_neighbors_graph(self, X=None, radius=None, mode="connectivity", sort_results=False):
        """CSR (n_queries, n_samples_fit_): neighbors' 1 (mode "connectivity") or distance ("distance")."""
        distances, indices, ends = self._within(X, radius)
        return _graph(distances, indices, ends, self.n_samples_fit_, mode)

    def _within(self, X, radius):
        keys, X, alone = self._search_arguments(X)
        radius = _checked_radius(self.radius if radius is None else radius)
        with self._execution():
            *found, _ = _core.radius_neighbors_among(keys, X, radius, self._fit_algorithm, alone)
        return found


class NearestNeighbors(_KNeighborsSearch, _RadiusSearch):
    __doc__ = (
        """Search for nearest neighbors: exact, ties to the lowest index.

    Parameters
    ----------
    n_neighbors : int, default=5
    radius : float, default=1.0"""
        + _PARAMETERS[_PARAMETERS.index("\n    algorithm") :]
        + """

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
    )

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
        params = {"n_neighbors": _neighbors_of(mechanism.support), "metric": mechanism.metric, **params}
        return cls(**params)._of_slots(mechanism)

    def _make_mechanism(self):
        support = supports.Neighbors(_checked_count(self.n_neighbors), symmetrize="none")
        return Mechanism(metric=self._metric(), support=support, **self._fixed_slots)

    def fit(self, X, y=None):
        """X (n, d), or distances (n, n) with metric="precomputed"; y is ignored."""
        with self._execution():
            self._set_points(self._check_X(X, reset=True))
        self.mechanism_ = self.mechanism
        return self


class _NeighborsSupervised(_NeighborsBase):
    """What the weighted neighbors say, by the rows of the mechanism's operator before they are divided."""

    def _make_mechanism(self):
        return self._mechanism_of(self._metric())

    def _mechanism_of(self, metric):
        kernel = _kernel_of(self.weights)
        return Mechanism(
            metric=metric,
            kernel=kernels.Indicator() if kernel is None else kernel,
            support=self._support(),
            normalization="row",
            empty_row=self._empty_row,
        )

    @classmethod
    def from_mechanism(cls, mechanism, **params):
        """The estimator with the slots of `mechanism`, and other parameters as given."""
        params = {"metric": mechanism.metric, "weights": mechanism.kernel, **params}
        return cls(**{**cls._of_support(mechanism.support), **params})._of_slots(mechanism)

    def _fit_points(self, X):
        with self._execution():
            self._set_points(X)
            self._asked = self.mechanism
            self.mechanism_ = _core.resolve_neighbors(self._asked, X)

    def _current_mechanism(self):
        """`mechanism_` with n_neighbors, radius and weights as they are now."""
        asked = self._mechanism_of(self._fit_metric)
        if asked == self._asked:
            return self.mechanism_
        if asked.kernel == self._asked.kernel:
            asked = asked.replace(kernel=self.mechanism_.kernel)
        return _core.resolve_neighbors(asked, self._fit_X)

    def _ask(self, question, X, *about):
        """The core's answer to question(rows of neighbors, *about); X None: each training point left out."""
        with self._execution():
            if _kernel_of(self.weights) is None:
                return question(self._rows_by_function(X), *about)
            mechanism, alone = self._current_mechanism(), X is None
            queries = self._fit_X if alone else self._queries(X)
            return question(mechanism, queries, self._keys, alone, *about)

    def _rows_by_function(self, X):
        """The function's weights of each query's neighbors; the nearest alone where all of them are 0."""
        distances, indices, ends, weights = self._weighed(X)
        if weights.shape != distances.shape:
            raise ValueError(
                f"weights must be a function that gives as many weights as distances, {distances.size}; "
                f"got {weights.size}."
            )
        return _core.NeighborRows(ends, indices, weights, self.n_samples_fit_)


class _KNeighborsSupervised(_KNeighborsSearch, _NeighborsSupervised):
    _empty_row = "nearest"

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

    def _support(self):
        return supports.Neighbors(_checked_count(self.n_neighbors))

    @staticmethod
    def _of_support(support):
        return {"n_neighbors": _neighbors_of(support)}

    def _weighed(self, X):
        distances, indices = self.kneighbors(X)
        ends = np.arange(0, indices.size + 1, indices.shape[1])
        weights = _checks.reals(self.weights(distances), "weights", np.float64)
        return distances.ravel(), indices.ravel(), ends, weights.ravel()


class _RadiusSupervised(_RadiusSearch, _NeighborsSupervised):
    _empty_row = "zero"

    def _support(self):
        return supports.Radius(_checked_radius(self.radius))

    @staticmethod
    def _of_support(support):
        if not isinstance(support, supports.Radius):
            raise ValueError(f"support must be Radius(radius); got {support!r}.")
        return {"radius": support.radius}

    def _weighed(self, X):
        distances, indices, ends = self._within(X, None)
        found = self.weights(_rows(distances, ends))
        rows = [_checks.reals(row, "weights", np.float64).ravel() for row in found]
        return distances, indices, ends, np.concatenate(rows) if rows else np.empty(0)


class _NeighborsRegressor(RegressorMixin, _NeighborsSupervised):
    def fit(self, X, y):
        """X (n, d), or distances (n, n) with metric="precomputed"; y (n,) or (n, n_outputs)."""
        X, y = self._check_X_y(X, y, multi_output=True, y_numeric=True)
        self._one_target = y.ndim == 1
        self._dtype = common_dtype(X, y)
        self._fit_points(X)
        self._y = np.array(as_columns(y, np.float64))
        return self

    def _means(self, X):
        """Mean targets (n_queries,) or (n_queries, n_outputs), and which queries have none."""
        check_is_fitted(self)
        mean, empty = self._ask(_core.neighbors_means, X, self._y)
        mean = mean.astype(self._dtype, copy=False)
        return mean.ravel() if self._one_target else mean, empty

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class _NeighborsClassifier(ClassifierMixin, _NeighborsSupervised):
    def fit(self, X, y):
        """X (n, d), or distances (n, n) with metric="precomputed"; y (n,) or (n, n_outputs) of labels."""
        X, y = self._check_X_y(X, y, multi_output=True)
        check_labels(y)
        y = without_column(y)
        self.outputs_2d_ = y.ndim == 2
        columns = y.reshape(len(y), -1).T
        classes, labels = zip(*(np.unique(column, return_inverse=True) for column in columns))
        self.classes_ = list(classes) if self.outputs_2d_ else classes[0]
        self._fit_points(X)
        self._y = np.stack([codes.ravel() for codes in labels]).astype(np.int64)
        return self

    def _classes_of_outputs(self):
        return self.classes_ if self.outputs_2d_ else [self.classes_]

    def _votes(self, question, X):
        check_is_fitted(self)
        return self._ask(question, X, self._y, [len(classes) for classes in self._classes_of_outputs()])

    def _shares(self, X):
        """A list of each output's class shares (n_queries, n_classes), and which queries have no neighbor."""
        shares, empty = self._votes(_core.neighbors_shares, X)
        return [share.astype(self._fit_X.dtype, copy=False) for share in shares], empty

    def _winners(self, X):
        """A list of each output's labels with most votes, ties to the lowest; which queries have none."""
        codes, empty = self._votes(_core.neighbors_winners, X)
        return [c[k] for c, k in zip(self._classes_of_outputs(), codes.T)], empty

    def _as_outputs(self, labels):
        return np.stack(labels, axis=1) if self.outputs_2d_ else labels[0]

    def score(self, X, y, sample_weight=None):
        """Accuracy; X None: of the training points, each predicted without itself."""
        from sklearn.metrics import accuracy_score

        return accuracy_score(y, self.predict(X), sample_weight=sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.classifier_tags.multi_label = True
        return tags


class KNeighborsRegressor(_NeighborsRegressor, _KNeighborsSupervised):
    __doc__ = (
        """Mean of the targets of the k nearest training points.

    y(x) = sum_j phi(d(x, z_j)) y_j / sum_j phi(d(x, z_j)) over the k nearest j, ties to the lowest index.

    Parameters
    ----------
    n_neighbors : int in [1, n_samples], default=5"""
        + _PARAMETERS
        + """

    Attributes
    ----------
    mechanism_ : Mechanism on Neighbors(n_neighbors), RowStochastic()
    algorithm_, effective_metric_, n_samples_fit_, n_features_in_ : as in NearestNeighbors

    References
    ----------
    Fix and Hodges (1951); Cover and Hart (1967).
    """
    )

    def predict(self, X):
        """Targets (n_queries,) or (n_queries, n_outputs); X None: of the training points, each left out.

        float32 where training points and targets are, else float64.
        """
        return self._means(X)[0]

    def score(self, X, y, sample_weight=None):
        """R^2; X None: of the training points, each predicted without itself."""
        from sklearn.metrics import r2_score

        return r2_score(y, self.predict(X), sample_weight=sample_weight)


class KNeighborsClassifier(_NeighborsClassifier, _KNeighborsSupervised):
    __doc__ = (
        """Vote of the k nearest training points: the mean of their one-hot labels.

    Parameters
    ----------
    n_neighbors : int in [1, n_samples], default=5"""
        + _PARAMETERS
        + """

    Attributes
    ----------
    classes_ : array (n_classes,), or a list of them with several outputs
    outputs_2d_ : bool
    mechanism_ : Mechanism on Neighbors(n_neighbors), RowStochastic()
    algorithm_, effective_metric_, n_samples_fit_, n_features_in_ : as in NearestNeighbors

    References
    ----------
    Fix and Hodges (1951); Cover and Hart (1967).
    """
    )

    def predict_proba(self, X):
        """Shares (n_queries, n_classes), a list of them with several outputs; X None: each point left out."""
        shares, _ = self._shares(X)
        return shares if self.outputs_2d_ else shares[0]

    def predict(self, X):
        """Labels (n_queries,) or (n_queries, n_outputs), ties to the lowest; X None: each point left out."""
        return self._as_outputs(self._winners(X)[0])


class RadiusNeighborsRegressor(_NeighborsRegressor, _RadiusSupervised):
    __doc__ = (
        """Mean of the targets of all training points at most `radius` away; without any NaN, and a warning.

    Parameters
    ----------
    radius : float >= 0, default=1.0"""
        + _PARAMETERS
        + """

    Attributes
    ----------
    mechanism_ : Mechanism on Radius(radius), RowStochastic()
    algorithm_, effective_metric_, n_samples_fit_, n_features_in_ : as in NearestNeighbors
    """
    )

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
        mean, empty = self._means(X)
        if empty.any():
            warnings.warn(
                "One or more samples have no neighbors within specified radius; predicting NaN.", stacklevel=2
            )
            mean[empty] = np.nan
        return mean

    score = KNeighborsRegressor.score


class RadiusNeighborsClassifier(_NeighborsClassifier, _RadiusSupervised):
    __doc__ = (
        """Vote of all training points at most `radius` away.

    Parameters
    ----------
    radius : float >= 0, default=1.0"""
        + _PARAMETERS
        + """
    outlier_label : label, "most_frequent", list of them for several outputs, or None
        What a query without neighbors gets; None: a ValueError.

    Attributes
    ----------
    classes_, outputs_2d_ : as in KNeighborsClassifier
    outlier_label_ : list of one label for each output, or None
    mechanism_ : Mechanism on Radius(radius), RowStochastic()
    algorithm_, effective_metric_, n_samples_fit_, n_features_in_ : as in NearestNeighbors
    """
    )

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
        outputs = self._classes_of_outputs()
        if self.outlier_label is None:
            return None
        if isinstance(self.outlier_label, str) and self.outlier_label == "most_frequent":
            return [classes[np.bincount(codes).argmax()] for classes, codes in zip(outputs, self._y)]
        several = isinstance(self.outlier_label, (list, tuple, np.ndarray))
        labels = list(self.outlier_label) if several else [self.outlier_label] * len(outputs)
        if len(labels) != len(outputs):
            raise ValueError(
                f"The length of outlier_label must be {len(outputs)}, the number of outputs; got {labels!r}."
            )
        for classes, label in zip(outputs, labels):
            if _type_beside(classes.dtype, label) is None:
                raise TypeError(f"outlier_label must be of the labels' type {classes.dtype}; got {label!r}.")
        return labels

    def predict_proba(self, X):
        """Shares (n_queries, n_classes), or a list of them; without neighbors 1 for the outlier label."""
        shares, empty = self._shares(X)
        if empty.any():
            self._require_outlier_label(empty)
            for classes, share, label in zip(self._classes_of_outputs(), shares, self.outlier_label_):
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
        labels, empty = self._winners(X)
        if empty.any():
            self._require_outlier_label(empty)
            labels = [_with_label(column, empty, label) for column, label in zip(labels, self.outlier_label_)]
        return self._as_outputs(labels)

    def _require_outlier_label(self, empty):
        if self.outlier_label_ is None:
            raise ValueError(
                f"No neighbors found for test samples {np.flatnonzero(empty)!r}, you can try using larger "
                "radius, giving an outlier_label, or considering removing them from your dataset."
            )


def _type_beside(dtype, label):
    """The type of labels of this type and the label, None where it is of another kind.

    Numbers go by value: a plain 0 is as good an unsigned number as a signed one.
    """
    own = np.asarray(label).dtype
    if own.kind in "iu" and dtype.kind in "iu":
        if np.iinfo(dtype).min <= int(label) <= np.iinfo(dtype).max:
            return dtype
        common = np.promote_types(dtype, np.min_scalar_type(label))
        return common if common.kind in "iu" else None
    if not np.can_cast(own, dtype, casting="same_kind"):
        return None
    as_it_is = dtype.kind == "O" or (dtype.kind == "f" and dtype.type(label) == label)
    return dtype if as_it_is else np.result_type(dtype, own)


def _with_label(labels, at, label):
    """The labels with this one where `at`, in a type that holds both: a longer string is not cut off."""
    labels = labels.astype(_type_beside(labels.dtype, label))
    labels[at] = label
    return labels


def _neighbors_of(support):
    if not isinstance(support, supports.Neighbors):
        raise ValueError(f"support must be Neighbors(n_neighbors); got {support!r}.")
    return support.n_neighbors


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
            f"weights must be a kernel, a function or one of the names {known}; got {weights!r}."
        )
    return as_kernel(weights, "weights")


def _checked_count(n_neighbors):
    if not isinstance(n_neighbors, Integral) or isinstance(n_neighbors, bool):
        raise TypeError(f"n_neighbors must be an int; got {n_neighbors!r}.")
    if n_neighbors < 1:
        raise ValueError(f"n_neighbors must be an int >= 1; got {n_neighbors}.")
    return int(n_neighbors)


def _checked_radius(radius):
    if not isinstance(radius, Real) or isinstance(radius, bool):
        raise TypeError(f"radius must be a number; got {radius!r}.")
    if not radius >= 0:
        raise ValueError(f"radius must be a number >= 0; got {radius}.")
    return float(radius)


def _rows(values, ends):
    """An object array of the parts values[ends[i] : ends[i + 1]]."""
    rows = np.empty(len(ends) - 1, dtype=object)
    for i in range(len(rows)):  # np.array would make a matrix of parts of equal length
        rows[i] = values[ends[i] : ends[i + 1]]
    return rows


def _graph(distances, indices, ends, n_keys, mode):
    if mode not in ("connectivity", "distance"):
        raise ValueError(f"mode must be 'connectivity' or 'distance'; got {mode!r}.")
    values = np.ones(len(indices)) if mode == "connectivity" else distances
    return csr_matrix((values, indices, ends), shape=(len(ends) - 1, n_keys))
