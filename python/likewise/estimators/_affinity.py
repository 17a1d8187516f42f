"""How scikit-learn's affinity becomes a mechanism, and given affinities become points of one."""

import warnings

import numpy as np
import scipy.sparse as sp
from sklearn.metrics.pairwise import PAIRWISE_KERNEL_FUNCTIONS, pairwise_kernels
from sklearn.neighbors import sort_graph_by_row_values
from sklearn.utils.validation import check_is_fitted

from likewise import _core, kernels, metrics, supports
from likewise._checks import boolean, canonical, integer, is_word, number, require_indices_inside, told
from likewise._core import Bistochastic
from likewise._estimator import MechanismMixin, bandwidth_from_gamma
from likewise._mechanism import Mechanism
from likewise.estimators._training import check_square, require_weights, weights_of
from likewise.propagations import Spectrum

_GIVEN = ("precomputed", "precomputed_nearest_neighbors")
_OF_POINTS = ("rbf", "laplacian", "nearest_neighbors")
_SOLVERS = (None, "arpack", "lobpcg", "amg")

# exp(-c) of this cost is 0, as an affinity of 0 is.
_COST_OF_ZERO = 1e4

# Affinities given as a matrix: costs -log A under exp(-c).
_GIVEN_AFFINITIES = Mechanism(
    metric=metrics.Precomputed(distance_power=None), kernel=kernels.Exponential(1.0), empty_row="self"
)


class AffinityMixin(MechanismMixin):
    """Parameters affinity, gamma, n_neighbors, metric, normalization and self_loops as a mechanism.

    A subclass says in `_n_pairs()` how many eigenpairs it looks at, of which `_n_dropped` are not in what the
    parameter named `_counted` counts, in `_gamma(n_features)` and `_n_neighbors(n)` what its defaults are, in
    `_kernel_matrix(X, Z)` what a callable or a kernel of scikit-learn gives, and sets `_map`, the embedding.
    """

    @classmethod
    def from_mechanism(cls, mechanism, **params):
        """The estimator whose affinity is this mechanism, normalization included.

        A Spectrum of power 0 gives the number of eigenvectors, where that is not given.
        """
        params = cls._with_spectrum(mechanism.propagation, params)
        params.setdefault("normalization", mechanism.normalization)
        # The parameter alone decides: set back to its default it must not find another one in the mechanism.
        return cls(affinity=mechanism.replace(normalization=cls._defaults()["normalization"]), **params)

    # --- the mechanism

    _values = "none"

    def _propagation(self):
        return Spectrum(self._n_pairs(), 0, self._tol())

    @classmethod
    def _with_spectrum(cls, propagation, params):
        """The parameters, and those that a Spectrum without a power stands for beside them."""
        own = isinstance(propagation, Spectrum) and propagation.power == 0 and propagation.n > cls._n_dropped
        if not own or not params.keys().isdisjoint(("n_components", "n_clusters")):
            return params
        tol = {} if propagation.tol == Spectrum().tol else {"eigen_tol": propagation.tol}
        return {cls._counted: propagation.n - cls._n_dropped, **tol, **params}

    def _make_mechanism(self, shape=(None, None)):
        """The slots that the parameters name, for X of this shape where it is known."""
        mechanism = self._affinity_mechanism(*shape)
        if self.metric is not None:
            mechanism = mechanism.replace(metric=self.metric)
        if not isinstance(self.affinity, Mechanism) or not self._is_default("normalization"):
            mechanism = mechanism.replace(normalization=self.normalization)
        return mechanism

    def _affinity_mechanism(self, n_samples, n_features):
        self._check_affinity_parameters()
        if isinstance(self.affinity, Mechanism):
            return self.affinity
        pairs = "all" if self.self_loops else "leave_one_out"
        if self.affinity == "rbf":
            gamma = self._gamma(n_features)
            kernel = kernels.Gaussian(None if gamma is None else bandwidth_from_gamma(gamma))
            return Mechanism(metric="euclidean", kernel=kernel, support=pairs, empty_row="self")
        if self.affinity == "laplacian":
            gamma = self._gamma(n_features)
            if gamma is not None:
                bandwidth_from_gamma(gamma)  # checks it
            kernel = kernels.Laplacian(None if gamma is None else 1 / number(gamma, "gamma"))
            return Mechanism(metric="manhattan", kernel=kernel, support=pairs, empty_row="self")
        if self.affinity in ("nearest_neighbors", "precomputed_nearest_neighbors"):
            metric = "euclidean" if self.affinity == "nearest_neighbors" else "precomputed"
            support = self._neighbors(n_samples)
            return Mechanism(metric=metric, kernel="indicator", support=support, empty_row="self")
        return _GIVEN_AFFINITIES

    def _neighbors(self, n_samples):
        """The point itself is one of n_neighbors; without self-loops the others are left."""
        k = integer(self._n_neighbors(n_samples), "n_neighbors")
        if n_samples is not None:
            _core.check_neighbor_count(k, n_samples)
        loops = self.self_loops or k == 1
        return supports.Neighbors(k if loops else k - 1, symmetrize="average", include_self=bool(loops))

    # --- from X to the points of that mechanism

    def _check_affinity_parameters(self):
        known = [*_OF_POINTS, *_GIVEN, *self._other_affinities()]
        named = is_word(self.affinity, known)
        if not (named or isinstance(self.affinity, Mechanism) or callable(self.affinity)):
            names = ", ".join(map(repr, known))
            raise ValueError(
                f"affinity must be one of {names}, a callable or a Mechanism; got {told(self.affinity)}."
            )
        if self.eigen_solver is not None and not is_word(self.eigen_solver, _SOLVERS):
            names = ", ".join(map(repr, _SOLVERS))
            raise ValueError(f"eigen_solver must be one of {names}; got {told(self.eigen_solver)}.")
        boolean(self.self_loops, "self_loops")

    def _other_affinities(self):
        return ()

    def _is_given(self):
        """X holds affinities or distances between points."""
        return isinstance(self.affinity, str) and self.affinity in _GIVEN

    def _check_points(self, X, *, reset):
        sparse = {"accept_sparse": "csr"} if self._is_given() else {}
        if sp.issparse(X):
            require_indices_inside(X, "X")
        return self._check_X(X, reset=reset, min_samples=2 if reset else 1, **sparse)

    def _points_and_mechanism(self, X):
        """What the mechanism is fitted to: the points, or what stands for them where affinities are given."""
        mechanism = self._make_mechanism(X.shape)
        if mechanism.empty_row == "zero":  # a bare mechanism's default: a point alone would have no place
            mechanism = mechanism.replace(empty_row="self")
        if self._is_given() and X.shape[0] != X.shape[1]:
            raise ValueError(f"X must be square with affinity={self.affinity!r}; got shape {X.shape}.")
        self._diagonal = None
        self._alone_in_matrix = 0
        graph = self._graph(X)
        A = self._affinities(X) if graph is None and self._gives_matrix() else None
        if sp.issparse(A) or (A is not None and _may_lack_total_support(A, mechanism.normalization)):
            graph = A
        self._is_graph = graph is not None
        if graph is not None:
            return self._points_of_graph(graph, X.dtype), self._with_graph(mechanism)
        if A is None:
            if isinstance(mechanism.metric, metrics.Precomputed):
                X = undirected(X)
            if not (self.self_loops or isinstance(self.affinity, Mechanism)):
                self._diagonal = 1.0
            return X, mechanism
        A = undirected(A)
        if not self.self_loops:
            self._diagonal = A.diagonal().copy()
            A, self._alone_in_matrix = _without_loops(A)
        return _costs(A), mechanism

    def _points_of_graph(self, graph, dtype):
        """Points that nobody looks at: the edges, made undirected, are the support."""
        if isinstance(self.affinity, str) and self.affinity == "precomputed_nearest_neighbors":
            graph = 0.5 * (graph + graph.T)  # lists of neighbors are directed: their average is what it is
        else:
            graph = undirected(graph)
        graph = sp.csr_matrix(graph)
        if not self.self_loops:
            self._diagonal = graph.diagonal()
            graph = graph - sp.diags(self._diagonal, format="csr")
            graph.eliminate_zeros()
        self._edges = graph
        return _no_points(graph.shape[0], dtype)

    def _with_graph(self, mechanism):
        support = supports.Graph(sp.csr_matrix(self._edges), weights="given")
        del self._edges
        return mechanism.replace(support=support, kernel="indicator")

    def _graph(self, X):
        """CSR weights between rows of X and the training points where they come as a graph, else None.

        New rows of a precomputed graph may come in either storage, whatever that of the training rows.
        """
        if self.affinity == "precomputed_nearest_neighbors":
            return _nearest_of_rows(X, self._n_neighbors(X.shape[1]))
        if isinstance(self.affinity, str) and self.affinity == "precomputed" and sp.issparse(X):
            require_weights(X, "affinity")
            return canonical(X)
        return None

    def _gives_matrix(self):
        """The affinity comes as a matrix, or as a function that gives one."""
        if isinstance(self.affinity, Mechanism) or self.metric is not None:
            return False
        return callable(self.affinity) or self.affinity not in _OF_POINTS

    def _affinities(self, X):
        """Affinities (rows of X, training points) >= 0 that come as a matrix or from a function."""
        if isinstance(self.affinity, str) and self.affinity == "precomputed":
            A = X
        else:
            training = getattr(self, "_training_points", None)
            keys = X if training is None else training
            A = weights_of(self._kernel_matrix(X, training), (X.shape[0], keys.shape[0]), "affinity")
            return A if sp.issparse(A) else np.ascontiguousarray(A, dtype=X.dtype)
        require_weights(A, "affinity")
        return A

    def _extend(self, X):
        """The embedding of new points, by Nystrom."""
        dtype = self.embedding_.dtype
        if self._is_graph and callable(self.affinity):
            return self._extend_graph(sp.csr_matrix(self._affinities(X)))
        if self._is_graph:
            return self._extend_graph(self._graph(sp.csr_matrix(X) if self.affinity == "precomputed" else X))
        if sp.issparse(X):
            X = X.toarray()
        if self._gives_matrix():
            X = _costs(_with_mass(self._affinities(X)))
        return self._map.transform(np.ascontiguousarray(X, dtype=dtype))

    def _extend_graph(self, graph):
        n_new, n_keys = graph.shape
        dtype = self.embedding_.dtype
        across = Mechanism(support=supports.Graph(_with_mass(graph), weights="given"), kernel="indicator")
        P = across.operator(_no_points(n_new, dtype), _no_points(n_keys, dtype))
        values = self._map.column_eigenvalues
        inverse = np.divide(1, values, out=np.zeros_like(values), where=np.abs(values) > 1e-12)
        return ((P @ self.embedding_) * inverse).astype(dtype, copy=False)

    def _mechanism_of_fit(self):
        """The mechanism with its bandwidth; its policy for points alone is told only where there are such."""
        mechanism = self._map.mechanism
        if self._map.isolated:
            return mechanism
        return mechanism.replace(empty_row=self._make_mechanism().empty_row)

    def _warn_of_isolated(self):
        warn_of_isolated(len(self._map.isolated) + self._alone_in_matrix, len(self.embedding_))

    # --- shared attributes

    @property
    def affinity_matrix_(self):
        """K (n, n) with the affinity's own diagonal, computed when asked for: CSR of a graph, else dense."""
        check_is_fitted(self)
        mechanism = self._map.mechanism.replace(normalization="none")
        P = mechanism.operator(self._map.keys)
        K = P.tocsr() if P.storage == "sparse" else P.toarray()
        if self._diagonal is None:
            return K
        if sp.issparse(K):
            return sp.csr_matrix(K + sp.diags(self._diagonal - K.diagonal() + np.zeros(len(K.indptr) - 1)))
        np.fill_diagonal(K, self._diagonal)
        return K

    def _tol(self):
        """eigen_tol="auto" is 1e-9; residuals below 1e-13 are rounding."""
        if is_word(self.eigen_tol, ("auto",)):
            return 1e-9
        tol = number(self.eigen_tol, "eigen_tol", "'auto'")
        if not tol >= 0:
            raise ValueError(f"eigen_tol must be 'auto' or a number >= 0; got {self.eigen_tol!r}.")
        return max(tol, 1e-13)

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


def undirected(A):
    """The average of a matrix (dense or CSR) with its transpose; a warning where that is no rounding."""
    check_square(A)
    A = canonical(A) if sp.issparse(A) else A
    difference = abs(A - A.T)
    most = difference.max() if A.shape[0] else 0
    if most == 0:
        return A
    if most > 1e-5 * abs(A).max():
        warnings.warn(
            "X is a directed graph: it differs from its transpose, and is averaged with it. "
            "Pass 0.5 * (X + X.T), or X made symmetric in another way, to say so yourself.",
            stacklevel=4,
        )
    return sp.csr_matrix(0.5 * (A + A.T)) if sp.issparse(A) else 0.5 * (A + A.T)


def warn_of_isolated(n_isolated, n_samples):
    """Said of points without a neighbor: each is a component of its own."""
    if n_isolated:
        warnings.warn(
            f"{n_isolated} of {n_samples} points have no neighbor in the graph; each is a component of its "
            "own. Let the graph reach farther (more neighbors, a wider kernel), or leave these points out.",
            stacklevel=3,
        )


def _without_loops(A):
    """A with diagonal 0, and 1 where a point has nothing else; the number of such points."""
    A = A.copy()
    np.fill_diagonal(A, 0)
    alone = np.flatnonzero(~A.any(axis=1))
    A[alone, alone] = 1
    return A, len(alone)


def _with_mass(A):
    """New rows of affinities (dense or CSR), each of which must know some training point."""
    empty = np.flatnonzero(np.asarray(A.sum(axis=1)).ravel() == 0)
    if len(empty):
        raise ValueError(
            "X must give each new point a positive affinity with some training point; "
            f"got none in row {empty[0]}."
        )
    return A


def _may_lack_total_support(A, normalization):
    """Zeros that Sinkhorn must know for such: edges that are not there, where costs would be finite."""
    if not isinstance(normalization, Bistochastic):
        return False
    zeros = A == 0
    if len(A) > 2:
        np.fill_diagonal(zeros, False)
    return bool(zeros.any())


def _costs(A):
    """-log A of affinities A >= 0, so that exp(-cost) = A."""
    with np.errstate(divide="ignore"):
        return np.minimum(-np.log(A), A.dtype.type(_COST_OF_ZERO))


def _nearest_of_rows(D, k):
    """CSR of ones at the k least distances of each row of D (m, n), ties to the lowest index."""
    m, n = D.shape
    if sp.issparse(D):
        D = sort_graph_by_row_values(canonical(D), copy=True, warn_when_not_sorted=False)
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
