"""What estimators share: parameters become a mechanism by one set of rules, checks, and how fitting is run.

A new estimator is ``class Name(MechanismMixin, RegressorMixin, BaseEstimator)``. Where its parameters are
named like the slots it is done; else it overrides ``_make_mechanism``.
"""

import inspect
import math
import re
import warnings
from contextlib import contextmanager
from functools import cache
from numbers import Real
from types import MappingProxyType

import numpy as np
from scipy.sparse import issparse
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

from likewise import _checks, _core, _html, kernels, metrics
from likewise._errors import warn_unless_converged
from likewise._execution import execution, one_call
from likewise._mechanism import Mechanism
from likewise._slots import as_kernel, as_metric
from likewise.propagations import OneStep

__all__ = [
    "MechanismMixin",
    "bandwidth_from_gamma",
    "check_labels",
    "fill_bandwidth",
    "warn_unless_converged",
]

_SLOTS = ("metric", "kernel", "support", "normalization", "empty_row")  # that parameters are named after

_ONE_STEP = OneStep()


class MechanismMixin:
    """An estimator that carries its slots as a value: `mechanism`, and once fitted `mechanism_`.

    Class attribute `_fixed_slots`: the slots that no parameter sets, such as {"normalization": "row"}. The
    propagation is what an estimator is: `_propagation` says it, and `_of_propagation` what parameters one of
    the same kind gives. `_values` says in words what is propagated.
    """

    _fixed_slots = {}  # noqa: RUF012 (read only)
    _values = "y"

    @property
    def mechanism(self):
        """The slots as the parameters give them, before anything is fitted."""
        mechanism, how = self._make_mechanism(), self._propagation()
        return mechanism if how == mechanism.propagation else mechanism.replace(propagation=how)

    @classmethod
    def from_mechanism(cls, mechanism, **params):
        """The estimator with the slots of `mechanism`, and other parameters as given.

        A slot that this estimator does not leave open must agree with it: ValueError otherwise. Of the
        propagation it takes what its own parameters say; another kind of propagation is another method, and
        stays behind.
        """
        params = {**cls._of_propagation(mechanism.propagation), **params}
        for slot in _SLOTS:
            if slot in cls._defaults():
                params.setdefault(slot, getattr(mechanism, slot))
        estimator = cls(**params)
        estimator._require_slots_of(mechanism)
        return estimator

    def _propagation(self):
        """The fifth slot, from the parameters."""
        return _ONE_STEP

    @classmethod
    def _of_propagation(cls, propagation):
        """The parameters that a propagation of this estimator's kind stands for; none of another's."""
        return {}

    def _make_mechanism(self):
        """The other slots, from the parameters named like them, the fixed slots, and bandwidth and gamma."""
        slots = {slot: getattr(self, slot) for slot in _SLOTS if slot in self._defaults()}
        return self._fill_bandwidth(Mechanism(**{**slots, **self._fixed_slots}))

    def _fill_bandwidth(self, mechanism):
        """The mechanism whose open kernel took the parameters bandwidth and gamma, where there are such."""
        kernel = fill_bandwidth(
            mechanism.kernel,
            getattr(self, "bandwidth", None),
            getattr(self, "gamma", None),
            bandwidth_is_default=self._is_default("bandwidth"),
            gamma_is_default=self._is_default("gamma"),
        )
        return mechanism if kernel is mechanism.kernel else mechanism.replace(kernel=kernel)

    def _require_slots_of(self, mechanism):
        own = self.mechanism
        for slot in ("metric", "kernel", "support", "normalization"):
            wanted, got = getattr(own, slot), getattr(mechanism, slot)
            filled = slot == "kernel" and type(wanted) is type(got) and getattr(got, "bandwidth", 0) is None
            if wanted != got and not filled:
                raise ValueError(f"{slot} must be {wanted!r} in {type(self).__name__}; got {got!r}.")

    @classmethod
    def _defaults(cls):
        """Constructor parameters and their defaults."""
        return _constructor_defaults(cls)

    def _is_default(self, name):
        return name not in self._defaults() or _same(getattr(self, name), self._defaults()[name])

    # --- what a notebook shows: scikit-learn's diagram, then the equation

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle:
            bundle["text/html"] += _html.of_estimator(self)
        return bundle

    @property
    def _repr_html_(self):
        diagram = super()._repr_html_  # an AttributeError where scikit-learn's display is "text"
        return lambda: diagram() + _html.of_estimator(self)

    # --- checks, with scikit-learn's messages

    def _check_X(self, X, *, reset, min_samples=1, **sparse):
        """X (n, d) in C order, float32 or float64; reset=True in fit, False at predict."""
        if is_plain_points(X, min_samples) and self._knows_features(X, reset):
            return X
        with naming(X=X):
            return validate_data(
                self,
                X,
                reset=reset,
                dtype=[np.float64, np.float32],
                order="C",
                ensure_min_samples=min_samples,
                **sparse,
            )

    def _check_X_y(self, X, y, *, multi_output=False, y_numeric=False):
        """X as _check_X has it, and y of its length."""
        check_dense(y)
        y = _without_extension(y)
        if is_plain_points(X) and is_plain_target(y, len(X)) and self._knows_features(X, reset=True):
            return X, y
        _check_lengths(X, y)
        if y_numeric:
            _checks.refuse_columns(y, "y")
        with naming(X=X, y=y):
            X, y = validate_data(
                self,
                X,
                y,
                dtype=[np.float64, np.float32],
                order="C",
                multi_output=multi_output,
                y_numeric=y_numeric,
            )
        return X, _checks.finite(y, "y") if y_numeric else _checks.unboxed(y)

    def _knows_features(self, X, reset):
        """Whether X, which has no feature names, needs nothing beyond its width: set here or compared."""
        if hasattr(self, "feature_names_in_"):
            return False
        if reset:
            self.n_features_in_ = X.shape[1]
        return getattr(self, "n_features_in_", None) == X.shape[1]

    def _log_key_weights(self, sample_weight, X):
        """log w (n,) of sample weights w >= 0, or None for None."""
        if sample_weight is None:
            return None
        w = checked_sample_weight(sample_weight, X)
        with np.errstate(divide="ignore"):
            return np.log(w)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self._is_pairwise()
        return tags

    def _is_pairwise(self):
        """Whether rows of X are costs, metric="precomputed"."""
        try:
            return isinstance(as_metric(getattr(self, "metric", "euclidean")), metrics.Precomputed)
        except (TypeError, ValueError):  # a wrong metric is reported by fit, not by a question about tags
            return False

    @contextmanager
    def _execution(self):
        """The calls inside use this estimator's n_jobs and verbose, and are one for who watches."""
        verbose = getattr(self, "verbose", False)  # of most there is none, in calls of microseconds
        progress = True if verbose is not False and _checks.boolean(verbose, "verbose") else None
        with execution(n_jobs=getattr(self, "n_jobs", None), progress=progress), one_call():
            yield


# Of scikit-learn's and NumPy's errors those that name no argument.
_UNNAMED = re.compile(
    r"could not convert|float\(\) argument|setting an array element|Complex data|Cannot cast|be promoted"
)


@contextmanager
def naming(**arguments):
    """Errors of scikit-learn's checks about what is no number name the one of these arguments that has it."""
    for name, value in arguments.items():
        _checks.refuse_sparse_tensors(value, name)
        if name != "y":  # dates may be classes
            _checks.refuse_columns(value, name)
    try:
        yield
    except (TypeError, ValueError) as error:
        if not _UNNAMED.search(str(error)):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        # Words of scikit-learn's contract.
        of_complex = " Complex data not supported." if "Complex" in str(error) else ""
        for name, value in arguments.items():
            try:
                _checks.reals(value.data if issparse(value) else value, name)
            except ValueError as named:
                raise kind(f"{named}{of_complex}") from None
        raise


def checked_sample_weight(sample_weight, X):
    """Weights (n,) >= 0 of float64, not all of them 0."""
    try:
        with naming(sample_weight=sample_weight):
            weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not weights.any():  # in the words of later scikit-learn; 1.6 lets them through
            raise ValueError("Sample weights must contain at least one non-zero number.")
    except (TypeError, ValueError) as error:
        if str(error).startswith("sample_weight must"):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(
            f"sample_weight must be numbers >= 0 of shape ({len(X)},), finite and not all of them 0; got "
            f"{_checks.told(sample_weight)}. {error}"
        ) from None
    return weights


def _check_lengths(X, y):
    """scikit-learn's message for another length, with the name of what has it."""
    if hasattr(X, "toarray"):  # a sparse matrix, of which scikit-learn speaks
        return
    try:
        n, n_targets = len(X), len(y)
    except TypeError:  # no arrays: left to scikit-learn's words
        return
    if n != n_targets:
        raise ValueError(
            f"y must have a target for each of the {n} rows of X; got {n_targets}. "
            f"Found input variables with inconsistent numbers of samples: [{n}, {n_targets}]"
        )


# scikit-learn's validation takes 100 to 200 microseconds. What it would return as it is does not go there.


def is_plain_points(X, min_samples=1):
    """X is an array of finite floats in C order, of at least this many rows."""
    if type(X) is not np.ndarray or X.ndim != 2 or X.dtype.char not in "fd" or not X.flags.c_contiguous:
        return False
    if not (X.dtype.isnative and X.shape[0] >= min_samples and X.shape[1] > 0):
        return False
    with np.errstate(all="ignore"):  # a sum that overflows is looked at more closely
        return bool(np.isfinite(X.sum()))


def is_plain_target(y, n):
    """y is an array of n ints, bools or finite floats."""
    if type(y) is not np.ndarray or y.shape != (n,) or y.dtype.kind not in "biuf":
        return False
    with np.errstate(all="ignore"):
        return y.dtype.kind != "f" or bool(np.isfinite(y.sum()))


def check_dense(y):
    """Refuse sparse targets, which scikit-learn's validation lets pass."""
    if issparse(y):
        raise TypeError(f"y must be a dense array; got a sparse one of shape {y.shape}; use y.toarray().")


def _without_extension(y):
    """Whole numbers and booleans of pandas' own types as NumPy's (scikit-learn makes floats of them)."""
    given = list(y.dtypes) if hasattr(y, "columns") else [getattr(y, "dtype", None)]
    kinds = [getattr(dtype, "numpy_dtype", dtype) for dtype in given]
    of_numpy = all(kind is dtype for kind, dtype in zip(kinds, given))
    if of_numpy or not all(isinstance(kind, np.dtype) and kind.kind in "biu" for kind in kinds):
        return y
    try:
        return y.to_numpy(np.result_type(*kinds))
    except (TypeError, ValueError):  # some are missing: scikit-learn says so
        return y


def check_labels(y):
    """Refuse targets that are no classes, with scikit-learn's message."""
    if y.ndim != 1 or y.dtype.kind not in "biu":
        check_classification_targets(y)


def without_column(y, *, stacklevel=3):
    """Labels (n, 1) as (n,), with scikit-learn's warning; else y."""
    if y.ndim != 2 or y.shape[1] != 1:
        return y
    warnings.warn(
        "A column-vector y was passed when a 1d array was expected. "
        "Please change the shape of y to (n_samples,), for example using ravel().",
        DataConversionWarning,
        stacklevel=stacklevel,
    )
    return y.ravel()


@cache
def _constructor_defaults(cls):
    parameters = inspect.signature(cls.__init__).parameters.values()
    return MappingProxyType({p.name: p.default for p in parameters if p.name != "self"})


def fill_bandwidth(kernel, bandwidth=None, gamma=None, *, bandwidth_is_default=False, gamma_is_default=False):
    """The kernel, with what it leaves open filled by an estimator's bandwidth or gamma = 1/(2 bandwidth^2).

    A bandwidth in the kernel wins; two different numbers, or gamma and bandwidth together, are a ValueError,
    save where one is only the estimator's default. A kernel without a bandwidth takes none, an Indicator
    without one only what is no default.
    """
    kernel, bandwidth, gamma = as_kernel(kernel), _checks.scalar(bandwidth), _checks.scalar(gamma)
    if not bandwidth_is_default:
        kernels.Indicator(bandwidth)  # refuses what is no length, no rule and not None
    if bandwidth is None:
        bandwidth_is_default = True
    if gamma is None:
        gamma_is_default = True
    if not (bandwidth_is_default or gamma_is_default):
        raise ValueError(
            "gamma must not be given together with bandwidth, since gamma = 1/(2 bandwidth^2); "
            f"got gamma={_checks.told(gamma)} and bandwidth={_checks.told(bandwidth)}."
        )
    if gamma is not None and (bandwidth is None or not gamma_is_default):
        name, length, is_default = "gamma", bandwidth_from_gamma(gamma), gamma_is_default
    else:
        name, length, is_default = "bandwidth", bandwidth, bandwidth_is_default
    if length is None:
        return kernel
    return _with_length(kernel, length) if is_default else _with_explicit(kernel, length, name)


def _with_length(kernel, length):
    return _core.with_bandwidth(kernel, length) if _is_open(kernel) else kernel


def _with_explicit(kernel, length, name):
    """The kernel with this length, a number or a rule, that somebody asked for."""
    if kernel == kernels.Indicator():
        return kernels.Indicator(length)
    if not hasattr(kernel, "bandwidth"):
        raise ValueError(
            f"{name} must be None with kernel={kernel!r}, which has no bandwidth; got {_checks.told(length)}."
        )
    numbers = isinstance(kernel.bandwidth, Real) and isinstance(length, Real)
    if numbers and not math.isclose(kernel.bandwidth, length, rel_tol=1e-12):
        raise ValueError(
            f"{name} must agree with kernel={kernel!r} or be left out; got bandwidth {length!r}."
        )
    return _with_length(kernel, length)


def _is_open(kernel):
    """Whether the kernel lacks a length. An Indicator without one is 1 everywhere: that may be meant, so
    `with_bandwidth` leaves it as it is."""
    return getattr(kernel, "bandwidth", 0) is None


def bandwidth_from_gamma(gamma):
    """h with exp(-gamma d^2) = exp(-d^2/(2 h^2))."""
    gamma = _checks.number(gamma, "gamma", "None")
    if not (gamma > 0 and math.isfinite(gamma)):
        raise ValueError(f"gamma must be positive and finite; got {gamma!r}.")
    return math.sqrt(0.5 / gamma)


def _same(a, b):
    return a is b or (type(a) is type(b) and a == b)
