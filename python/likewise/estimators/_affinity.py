"""How scikit-learn's affinity becomes a mechanism, and given affinities become points of one."""

import numpy as np
import scipy.sparse as sp
from sklearn.metrics.pairwise import PAIRWISE_KERNEL_FUNCTIONS, pairwise_kernels
from sklearn.neighbors import sort_graph_by_row_values
from sklearn.utils.validation import check_is_fitted

from likewise import kernels, metrics, supports
from likewise._estimator import MechanismMixin, bandwidth_from_gamma
from likewise._mechanism import Mechanism

_GIVEN = ("precomputed", "precomputed_nearest_neighbors")
_OF_POINTS = ("rbf", "laplacian", "nearest_neighbors")
_SOLVERS = (None, "arpack", "lobpcg", "amg")

# exp(-c) of this cost is 0, as an affinity of 0 is.
_COST_OF_ZERO = 1e4

# Affinities given as a matrix: costs -log A under exp(-c).
_GIVEN_AFFINITIES = Mechanism(
    metric=metrics.Precomputed(distance_power=None), kernel=kernels.Exponential(1.0), empty_row="error"
)


class AffinityMixin(MechanismMixin):
    """Parameters affinity, gamma, n_neighbors, metric and normalization as a mechanism.

    A subclass says in `_gamma(n_features)` and `_n_neighbors(n)` what its defaults are, in
    `_kernel_matrix(X, Z)` what a callable or a kernel of scikit-learn gives, and sets `_map`, the embedding.
    """

    @classmethod
    def from_mechanism(cls, mechanism, **params):
        """The estimator whose affinity is this mechanism, normalization included."""
        params.setdefault("normalization", mechanism.normalization)
        # The parameter alone decides: set back to its default it must not find another one in the mechanism.
        return cls(affinity=mechanism.replace(normalization=cls._defaults()["normalization"]), **params)

    # --- the mechanism

    def _make_mechanism(self, shape=(None, None)):
        """The slots that the parameters name, for X of this shape where it is known."""
        mechanism = self._affinity_mechanism(*shape)
        if self.metric is not None:
            mechanism = mechanism.replace(metric=self.metric)
        if not isinstance(self.affinity, Mechanism) or not self._is_default("normalization"):
            mechanism = mechanism.replace(normalization=self.normalization)
        return mechanism

    def _affinity_mechanism(self, n_samples, n_features):
        if isinstance(self.affinity, Mechanism):
            return self.affinity
        if self.affinity == "rbf":
            gamma = self._gamma(n_features)
            kernel = kernels.Gaussian(None if gamma is None else bandwidth_from_gamma(gamma))
            return Mechanism(metric="euclidean", kernel=kernel, empty_row="error")
        if self.affinity == "laplacian":
            gamma = self._gamma(n_features)
            bandwidth_from_gamma(gamma)  # checks it
            return Mechanism(metric="manhattan", kernel=kernels.Laplacian(1 / gamma), empty_row="error")
        if self.affinity in ("nearest_neighbors", "precomputed_nearest_neighbors"):
            support = supports.Neighbors(
                self._n_neighbors(n_samples), symmetrize="average", include_self=True
            )
            metric = "euclidean" if self.affinity == "nearest_neighbors" else "precomputed"
            return Mechanism(metric=metric, kernel="indicator", support=support, empty_row="error")
        return _GIVEN_AFFINITIES

    # --- from X to the points of that mechanism

    def _check_affinity_parameters(self):
        known = [*_OF_POINTS, *_GIVEN, *self._other_affinities()]
        if not (isinstance(self.affinity, Mechanism) or callable(self.affinity) or self.affinity in known):
            names = ", ".join(map(repr, known))
            raise ValueError(
                f"affinity must be one of {names}, a callable or a Mechanism; got {self.affinity!r}."
            )
        if self.eigen_solver not in _SOLVERS:
            names = ", ".join(map(repr, _SOLVERS))
            raise ValueError(f"eigen_solver must be one of {names}; got {self.eigen_solver!r}.")

    def _other_affinities(self):
        return ()

    def _is_given(self):
        """X holds affinities or distances between points."""
        return isinstance(self.affinity, str) and self.affinity in _GIVEN

    def _check_points(self, X, *, reset):
        sparse = {"accept_sparse": "csr"} if self._is_given() else {}
        return self._check_X(X, reset=reset, min_samples=2 if reset else 1, **sparse)

    def _points_and_mechanism(self, X):
        """What the mechanism is fitted to: the points, or what stands for them where affinities are given."""
        mechanism = self._make_mechanism(X.shape)
        if self._is_given() and X.shape[0] != X.shape[1]:
            raise ValueError(f"X must be square with affinity={self.affinity!r}; got shape {X.shape}.")
        graph = self._graph(X)
        if graph is None:
            return self._rows(X), mechanism
        graph = 0.5 * (graph + graph.T)
        support = supports.Graph(graph, weights="given")
        return _no_points(graph.shape[0], X.dtype), mechanism.replace(support=support, kernel="indicator")

    def _graph(self, X):
        """CSR weights between rows of X and the training points where they come as a graph, else None."""
        if self.affinity == "precomputed_nearest_neighbors":
            return _nearest_of_rows(X, self._n_neighbors(X.shape[1]))
        if self.affinity == "precomputed" and sp.issparse(X):
            return sp.csr_matrix(X)
        return None

    def _rows(self, X):
        """Rows that the mechanism's metric reads: the points themselves, or costs of given affinities."""
        if self._make_mechanism().metric != _GIVEN_AFFINITIES.metric or isinstance(self.affinity, Mechanism):
            return X
        if self.affinity == "precomputed":
            return _costs(X)
        training = getattr(self, "_training_points", None)
        return _costs(np.ascontiguousarray(self._kernel_matrix(X, training), dtype=X.dtype))

    def _extend(self, X):
        """The embedding of new points, by Nystrom."""
        graph = self._graph(X)
        if graph is None:
            return self._map.transform(np.ascontiguousarray(self._rows(X), dtype=self.embedding_.dtype))
        n_new, n_keys = graph.shape
        across = Mechanism(
            support=supports.Graph(graph, weights="given"), kernel="indicator", empty_row="error"
        )
        dtype = self.embedding_.dtype
        P = across.operator(_no_points(n_new, dtype), _no_points(n_keys, dtype))
        first = len(self._map.eigenvalues) - self.embedding_.shape[1]
        return (P @ self.embedding_ / self._map.eigenvalues[first:]).astype(dtype, copy=False)

    # --- shared attributes

    @property
    def affinity_matrix_(self):
        """K (n, n), computed when asked for: CSR of a graph, dense otherwise."""
        check_is_fitted(self)
        mechanism = self._map.mechanism.replace(normalization="none")
        P = mechanism.operator(self._map.keys)
        return P.tocsr() if P.storage == "sparse" else P.toarray()

    def _tol(self):
        """eigen_tol="auto" is 1e-9; residuals below 1e-13 are rounding."""
        if self.eigen_tol == "auto":
            return 1e-9
        if not self.eigen_tol >= 0:
            raise ValueError(f"eigen_tol must be 'auto' or a number >= 0; got {self.eigen_tol!r}.")
        return max(float(self.eigen_tol), 1e-13)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self._is_given()
        tags.input_tags.sparse = self._is_given()
        return tags


def pairwise_affinities():
    """The kernels that scikit-learn's pairwise_kernels knows beside ours."""
    return sorted(set(PAIRWISE_KERNEL_FUNCTIONS) - {*_OF_POINTS, "precomputed"})


def pairwise_affinity(X, Z, metric, gamma, degree, coef0, kernel_params):
    """scikit-learn's pairwise_kernels with the parameters that SpectralClustering hands it."""
    params = dict(kernel_params or {})
    if not callable(metric):
        params.update(gamma=gamma, degree=degree, coef0=coef0)
    return pairwise_kernels(X, Z, metric=metric, filter_params=True, **params)


def _costs(A):
    """-log A of affinities A >= 0, so that exp(-cost) = A; symmetric up to rounding is made symmetric."""
    if (A < 0).any():
        raise ValueError(f"affinity must give weights >= 0; got {A.min()!r}.")
    if A.shape[0] == A.shape[1] and np.allclose(A, A.T, rtol=1e-6, atol=0):
        A = 0.5 * (A + A.T)
    if (A.sum(axis=1) == 0).any():
        row = int(np.flatnonzero(A.sum(axis=1) == 0)[0])
        raise ValueError(f"affinity must give each point a positive weight somewhere; got none in row {row}.")
    with np.errstate(divide="ignore"):
        return np.minimum(-np.log(A), A.dtype.type(_COST_OF_ZERO))


def _nearest_of_rows(D, k):
    """CSR of ones at the k least distances of each row of D (m, n), ties to the lowest index."""
    m, n = D.shape
    if sp.issparse(D):
        D = sort_graph_by_row_values(sp.csr_matrix(D), copy=True, warn_when_not_sorted=False)
        fewest = int(np.diff(D.indptr).min())
        if not 1 <= k <= fewest:
            raise ValueError(
                f"n_neighbors must be an int in [1, {fewest}] (a row stores {fewest} distances); got {k!r}."
            )
        nearest = D.indices[D.indptr[:-1, None] + np.arange(k)]
    else:
        nearest = np.argsort(D, axis=1, kind="stable")[:, :k]
    rows = np.repeat(np.arange(m), nearest.shape[1])
    return sp.csr_matrix((np.ones(nearest.size), (rows, nearest.ravel())), shape=(m, n))


def _no_points(n, dtype):
    """n points that nobody looks at: the graph tells the weights."""
    return np.zeros((n, 1), dtype=dtype)
