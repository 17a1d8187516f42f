"""Diffusion maps: coordinates in which distance is how differently two random walks spread."""

import math

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from likewise import _core, kernels, metrics, supports
from likewise._checks import integer, number, told
from likewise._estimator import MechanismMixin, warn_unless_converged
from likewise._mechanism import Mechanism
from likewise.estimators._affinity import undirected, warn_of_isolated
from likewise.normalizations import Density
from likewise.propagations import Spectrum


class DiffusionMaps(MechanismMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Coordinate k of point i is mu_k^t psi_k(i), P psi = mu psi the random walk's eigenvectors.

    Parameters
    ----------
    n_components : int in [1, n - 1], default=2
    density_alpha : float, default=1.0
        1 forgets the sampling density, 0 keeps it, 1/2 is the Fokker-Planck limit.
    bandwidth : float > 0 or rule, default="bgh"
        Of a kernel that leaves it open. "self_tuning" gives each point its own. An indicator among all pairs
        takes it too; one among neighbors is 1 for all of them unless another bandwidth than the default is
        given.
    diffusion_time : float >= 0, default=1
        t, steps of the walk.
    n_neighbors : int or None
        Only the k nearest, the point itself among them, in union; None is all pairs.
    metric : str or value of likewise.metrics, default="euclidean"
    kernel : str or value of likewise.kernels, default="gaussian"
    normalization : None, str or value of likewise.normalizations
        Instead of Density(density_alpha).
    support : None, str or value of likewise.supports
        Instead of n_neighbors.
    eigen_tol : float, default=1e-9
        Residual relative to the largest eigenvalue.
    n_jobs : int or None
    verbose : bool

    Attributes
    ----------
    eigenvalues_ : (n_components,), descending, without the trivial 1
    eigenvectors_ : (n, n_components), sum_i pi_i psi_i^2 = 1, pi the stationary law
    embedding_ : (n, n_components), eigenvectors_ * eigenvalues_^t
    bandwidth_ : float; intrinsic_dimension_ : float, or None where the rule finds none
    n_features_in_ : int; mechanism_ : Mechanism
    n_graph_components_ : int, connected components of a graph (eigenvalue 1 repeats in eigenvalues_)
    report_ : SpectrumReport of the eigensolver: its name and what certifies that no eigenpair is missing

    Notes
    -----
    A point without neighbors is a part of its own, and precomputed distances that are not symmetric are
    averaged with their transpose, both with a warning. transform gives the embedding itself on the training
    points of all pairs. With n_neighbors it is Nystrom over the k nearest training points, a few percent off.
    O(n^2 n_features) time a product, about 10 n_components products; O(n n_components) memory beyond what is
    stored of the operator.

    References
    ----------
    Coifman and Lafon (2006); Berry, Giannakis and Harlim (2015) for the bandwidth.
    """

    def __init__(
        self,
        n_components=2,
        *,
        density_alpha=1.0,
        bandwidth="bgh",
        diffusion_time=1,
        n_neighbors=None,
        metric="euclidean",
        kernel="gaussian",
        normalization=None,
        support=None,
        eigen_tol=1e-9,
        n_jobs=None,
        verbose=False,
    ):
        self.n_components = n_components
        self.density_alpha = density_alpha
        self.bandwidth = bandwidth
        self.diffusion_time = diffusion_time
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.kernel = kernel
        self.normalization = normalization
        self.support = support
        self.eigen_tol = eigen_tol
        self.n_jobs = n_jobs
        self.verbose = verbose

    _values = "none"

    def _propagation(self):
        """With the constant pair, which is no coordinate."""
        n_components = integer(self.n_components, "n_components")
        diffusion_time = number(self.diffusion_time, "diffusion_time")
        return Spectrum(n_components + 1, diffusion_time, _finite(self.eigen_tol, "eigen_tol"))

    @classmethod
    def _of_propagation(cls, propagation):
        if not isinstance(propagation, Spectrum) or propagation.n < 2:
            return {}
        return {
            "n_components": propagation.n - 1,
            "diffusion_time": propagation.power,
            "eigen_tol": propagation.tol,
        }

    def _make_mechanism(self):
        support = self.support
        if support is None and self.n_neighbors is None:
            support = "all"
        elif support is None:
            support = supports.Neighbors(self.n_neighbors, symmetrize="union", include_self=True)
        elif self.n_neighbors is not None:
            raise ValueError(
                "n_neighbors must be None together with support, which has its own; "
                f"got {told(self.n_neighbors)}."
            )
        normalization = self.normalization
        if normalization is None:
            normalization = Density(_finite(self.density_alpha, "density_alpha"))
        mechanism = Mechanism(
            metric=self.metric,
            kernel=self.kernel,
            support=support,
            normalization=normalization,
            empty_row="self",
        )
        of_all = mechanism.support == supports.AllPairs() and self.bandwidth is not None
        if of_all and mechanism.kernel == kernels.Indicator():  # 1 for every pair: nothing to be found in it
            mechanism = mechanism.replace(kernel=kernels.Indicator(self.bandwidth))
        return self._fill_bandwidth(mechanism)

    def fit(self, X, y=None):
        """X (n, n_features), or (n, n) distances with metric="precomputed"."""
        X = self._check_X(X, reset=True, min_samples=2)
        n_components = integer(self.n_components, "n_components")
        diffusion_time = number(self.diffusion_time, "diffusion_time")
        mechanism = self._make_mechanism()
        if isinstance(mechanism.metric, metrics.Precomputed):
            X = np.ascontiguousarray(undirected(X))
        tol = _finite(self.eigen_tol, "eigen_tol")
        if not tol > 0:
            raise ValueError(f"eigen_tol must be positive; got {tol!r}.")
        with self._execution():
            self._fitted = _core.diffusion_maps(X, mechanism, n_components, diffusion_time, tol)
        self.eigenvalues_ = self._fitted.eigenvalues
        self.eigenvectors_ = np.asarray(self._fitted.eigenvectors)
        self.embedding_ = np.asarray(self._fitted.embedding)
        self.mechanism_ = self._fitted.mechanism
        self.bandwidth_ = self._fitted.bandwidth.length
        self.intrinsic_dimension_ = self._fitted.bandwidth.intrinsic_dimension
        self.n_graph_components_ = self._fitted.n_graph_components
        self.report_ = self._fitted.report
        warn_of_isolated(len(self._fitted.isolated), len(X))
        warn_unless_converged(self.report_, 1000)
        return self

    def fit_transform(self, X, y=None):
        """embedding_ of X (n, n_features)."""
        return self.fit(X).embedding_

    def transform(self, X):
        """New points (n_new, n_features) in diffusion coordinates, (n_new, n_components)."""
        check_is_fitted(self)
        X = self._check_X(X, reset=False).astype(self.embedding_.dtype, copy=False)
        with self._execution():
            return self._fitted.transform(X)

    def diffusion_distances(self):
        """(n, n) distances between embedded points, not squared.

        With n - 1 components D(i, j)^2 = sum_l (P^t_il - P^t_jl)^2 / pi_l; with fewer a lower bound of it.
        MemoryLimitError beyond the memory limit.
        """
        check_is_fitted(self)
        with self._execution():
            return self._fitted.diffusion_distances()

    @property
    def _n_features_out(self):
        return self.embedding_.shape[1]


def _finite(value, name):
    found = number(value, name)
    if not math.isfinite(found):
        raise ValueError(f"{name} must be finite; got {value!r}.")
    return found
