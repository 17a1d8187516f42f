"""Gaussian processes, kernel ridge regression and support vector machines as unnormalized steps.

Their prediction is sum_j K(x, z_j) a_j + b: a step with trained values and an intercept. The training is not
ours: a solves a linear system or a quadratic program, has signs, and no row of weights sums to 1.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from likewise import kernels, metrics, normalizations
from likewise._explain_peers import dense, gaussian, name_of
from likewise._explanation import Explanation, Step
from likewise._mechanism import Mechanism

_POSITIVE = "must be positive to be a kernel phi, whose weights have no signs"
_SYSTEM = (
    "alpha solves (K + noise I) alpha = y, which is no propagation of y: alpha has signs, the weights of a "
    "row do not sum to 1, and kernel regression is not what comes out (likewise.identities, number 15)"
)
_PROGRAM = "alpha comes from a quadratic program over all points at once, which is no propagation of y"


@dataclass(frozen=True)
class NegativeLog:
    """-log K of a positive kernel function of two blocks: the cost that it is exp(-c) of."""

    function: object

    def __call__(self, X, Z):
        K = np.asarray(self.function(X, Z), np.float64)
        if not (K >= 0).all():
            raise ValueError(f"kernel {_POSITIVE}; {self.function!r} gives {K.min():.3g} for two points.")
        with np.errstate(divide="ignore"):
            return -np.log(K)


@dataclass(frozen=True)
class PairwiseKernels:
    """scikit-learn's kernel of that name, or a function of two vectors, between blocks."""

    metric: object
    parameters: tuple

    def __call__(self, X, Z):
        from sklearn.metrics.pairwise import pairwise_kernels

        return pairwise_kernels(X, Z, metric=self.metric, filter_params=True, **dict(self.parameters))


def _unnormalized(metric, kernel):
    return Mechanism(metric=metric, kernel=kernel, normalization=normalizations.Unnormalized())


def _of_function(function):
    """The mechanism of any positive kernel: exp(-c) of its own cost."""
    cost = metrics.Custom(NegativeLog(function), distance_power=None)
    return _unnormalized(cost, kernels.Exponential(1.0))


def _refuse(model, *known):
    """A ValueError for a kernel whose weights have signs, or that compares no points."""
    why = "which compares no points" if model.kernel == "precomputed" else "whose weights have signs"
    raise ValueError(
        f"kernel of {name_of(model)} {_POSITIVE}: {', '.join(map(repr, known))} or a positive function; got "
        f"{model.kernel!r}, {why}."
    )


# --- kernel ridge regression --------------------------------------------------------------------------------


def _kernel_ridge(model):
    fitted = hasattr(model, "dual_coef_")
    mechanism = _ridge_mechanism(model, model.X_fit_.shape[1] if fitted else None)
    note = f"{_SYSTEM}; the noise is the parameter alpha"
    if mechanism.kernel == kernels.Gaussian():
        note += "; gamma=None is 1 / n_features, open until fit"
    about = partial(Explanation, mechanism, "alpha_j, trained: dual_coef_", note)
    if not fitted:
        return about(_unfitted=name_of(model))
    step = Step(mechanism, dense(model.X_fit_), model.dual_coef_)
    return about(step=step, outputs={"predict": step})


def _ridge_mechanism(model, n_features):
    """exp(-gamma d^2), exp(-gamma d) of city blocks, or a positive function; where gamma is open, the length.

    gamma=None is 1 / n_features.
    """
    if callable(model.kernel):
        parameters = tuple((model.kernel_params or {}).items())
        return _of_function(PairwiseKernels(model.kernel, parameters))
    gamma = model.gamma
    if gamma is None and n_features is not None:
        gamma = 1.0 / n_features
    if model.kernel == "rbf":
        return _unnormalized(metrics.Euclidean(), kernels.Gaussian() if gamma is None else gaussian(gamma))
    if model.kernel == "laplacian":
        length = None if gamma is None else 1.0 / gamma
        return _unnormalized(metrics.Manhattan(), kernels.Laplacian(length))
    if model.kernel == "chi2":
        return _of_function(PairwiseKernels("chi2", (("gamma", gamma),)))
    return _refuse(model, "rbf", "laplacian", "chi2")


# --- Gaussian processes -------------------------------------------------------------------------------------


def _gaussian_process(model):
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel

    given = getattr(model, "kernel_", model.kernel)
    factor, mechanism = _of_covariance(ConstantKernel() * RBF() if given is None else given)
    note = f"{_SYSTEM}; the mean of the posterior alone, without its variance"
    about = partial(Explanation, mechanism, "alpha_j, trained, times the kernel's constant", note)
    if not hasattr(model, "alpha_"):
        return about(_unfitted=name_of(model))
    deviation, mean = (np.atleast_1d(part) for part in (model._y_train_std, model._y_train_mean))
    values = factor * model.alpha_.reshape(len(model.alpha_), -1) * deviation
    if values.shape[1] == 1:
        values, mean = values[:, 0], float(mean[0])
    step = Step(mechanism, dense(model.X_train_), values, mean)
    return about(step=step, outputs={"predict": step})


def _of_covariance(kernel):
    """(constant, mechanism) of a kernel object of sklearn.gaussian_process.

    White noise is 0 between different points and is left out. What has no leaf of its own is exp(-c) of its
    cost -log K.
    """
    from sklearn.gaussian_process import kernels as gp

    if isinstance(kernel, gp.Product):
        for constant, other in ((kernel.k1, kernel.k2), (kernel.k2, kernel.k1)):
            if isinstance(constant, gp.ConstantKernel):
                factor, mechanism = _of_covariance(other)
                return factor * constant.constant_value, mechanism
    if isinstance(kernel, gp.Sum):
        for noise, other in ((kernel.k1, kernel.k2), (kernel.k2, kernel.k1)):
            if isinstance(noise, gp.WhiteKernel):
                return _of_covariance(other)
    leaf = _leaf(kernel)
    return 1.0, _of_function(kernel) if leaf is None else leaf


def _leaf(kernel):
    """RBF, Matern and RationalQuadratic as our kernels; None of others."""
    from sklearn.gaussian_process import kernels as gp

    if type(kernel) is gp.RationalQuadratic and 2 * kernel.alpha > 1:
        df = 2 * kernel.alpha - 1
        length = kernel.length_scale * np.sqrt(2 * kernel.alpha / df)
        return _unnormalized(metrics.Euclidean(), kernels.StudentT(float(length), df=float(df)))
    smoothness = {gp.RBF: np.inf, gp.Matern: getattr(kernel, "nu", None)}.get(type(kernel))
    of_length = {
        0.5: kernels.Laplacian,
        1.5: kernels.Matern32,
        2.5: kernels.Matern52,
        np.inf: kernels.Gaussian,
    }.get(smoothness)
    if of_length is None:
        return None
    lengths = np.atleast_1d(np.asarray(kernel.length_scale, np.float64))
    if lengths.size == 1:
        return _unnormalized(metrics.Euclidean(), of_length(float(lengths[0])))
    return _unnormalized(metrics.Mahalanobis.from_diagonal(lengths**-2.0), of_length(1.0))


# --- support vector machines --------------------------------------------------------------------------------


def _svm(model):
    """SVC, NuSVC, SVR, NuSVR and OneClassSVM."""
    mechanism, note = _svm_mechanism(model), _PROGRAM
    if mechanism.kernel == kernels.Gaussian():
        note += f"; gamma={model.gamma!r} is open until fit"
    about = partial(Explanation, mechanism, "alpha_j y_j, trained: dual_coef_ of the support vectors", note)
    if not hasattr(model, "dual_coef_"):
        return about(_unfitted=name_of(model))
    keys = dense(model.support_vectors_)
    if callable(model.kernel):
        keys = model._BaseLibSVM__Xfit[model.support_]  # the only place that has them
    coefficients = dense(model.dual_coef_)
    if not hasattr(model, "classes_"):  # regression and one class
        step = Step(mechanism, keys, coefficients[0], float(model.intercept_[0]))
        if model._impl == "one_class":
            return about(step=step, outputs={"decision_function": step, "predict": partial(_inside, step)})
        return about(step=step, outputs={"predict": step})
    if len(model.classes_) == 2:
        step = Step(mechanism, keys, coefficients[0], float(model.intercept_[0]))
    else:
        values = _of_pairs(coefficients, model.n_support_)
        step = Step(mechanism, keys, values, np.asarray(model.intercept_))
    outputs = {"decision_function": partial(_decision, model, step), "predict": partial(_class, model, step)}
    return about(step=step, outputs=outputs)


def _svm_mechanism(model):
    if callable(model.kernel):
        return _of_function(model.kernel)
    if model.kernel != "rbf":
        _refuse(model, "rbf")
    gamma = getattr(model, "_gamma", model.gamma)
    kernel = kernels.Gaussian() if isinstance(gamma, str) else gaussian(gamma)
    return _unnormalized(metrics.Euclidean(), kernel)


def _of_pairs(coefficients, n_support):
    """libsvm's (n_classes - 1, n) coefficients as (n, n_pairs): a column for each pair i < j of classes."""
    n_classes, of_class = len(n_support), np.repeat(np.arange(len(n_support)), n_support)
    columns = []
    for i in range(n_classes):
        for j in range(i + 1, n_classes):
            first = np.where(of_class == i, coefficients[j - 1], 0)
            columns.append(first + np.where(of_class == j, coefficients[i], 0))
    return np.stack(columns, axis=1)


def _decision(model, step, X):
    """decision_function: a column a pair of classes, or a class where the model counts their votes."""
    from sklearn.utils.multiclass import _ovr_decision_function

    found = step(X)
    if found.ndim == 1 or model.decision_function_shape == "ovo":
        return found
    return _ovr_decision_function(found < 0, -found, len(model.classes_))


def _class(model, step, X):
    """predict: the class with most votes of pairs, the first of equals, or by break_ties the surest."""
    found = step(X)
    if found.ndim == 1:
        return model.classes_[(found > 0).astype(int)]
    if model.break_ties and model.decision_function_shape == "ovr":
        return model.classes_[_decision(model, step, X).argmax(axis=1)]
    votes, pair = np.zeros((len(found), len(model.classes_)), int), 0
    for i in range(len(model.classes_)):
        for j in range(i + 1, len(model.classes_)):
            votes[:, i] += found[:, pair] > 0
            votes[:, j] += found[:, pair] <= 0
            pair += 1
    return model.classes_[votes.argmax(axis=1)]


def _inside(step, X):
    return np.where(step(X) > 0, 1, -1)


PEERS = {
    "GaussianProcessRegressor": _gaussian_process,
    "KernelRidge": _kernel_ridge,
    **dict.fromkeys(("SVC", "NuSVC", "SVR", "NuSVR", "OneClassSVM"), _svm),
}
