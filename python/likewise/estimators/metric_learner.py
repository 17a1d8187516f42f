"""Metric learning: the metric under which the others tell each training point best."""

import time
import warnings
from dataclasses import dataclass, field

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from likewise import _checks, _core, kernels, maps, metrics
from likewise._errors import warn_unless_converged
from likewise._estimator import MechanismMixin, check_labels, without_column
from likewise._execution import execution, one_call
from likewise._lbfgs import lbfgs
from likewise._mechanism import Mechanism
from likewise.estimators._learned_map import MapProblem, MapVector, map_loss, residual_start, times

_STARTS = ("auto", "pca", "lda", "identity", "random")


@dataclass
class LearningReport:
    """How W was found: n_iter steps (epochs of mini-batches), residual the largest slope at the end, of
    features in a unit of about their deviation (of mini-batches the last relative change of an epoch's loss),
    converged whether tol was reached, the solver, and losses (n_iter,) after each step."""

    n_iter: int = 0
    residual: float = np.inf
    converged: bool = False
    solver: str = "l-bfgs"
    losses: list = field(default_factory=list, repr=False)


class MetricLearner(ClassNamePrefixFeaturesOutMixin, MechanismMixin, TransformerMixin, BaseEstimator):
    """A pseudo-metric |W x - W z|^2 or |phi(x) - phi(z)|^2 learned through the leave-one-out operator.

        P_ij = exp(-|W x_i - W x_j|^2 / t) / sum_{k != i} exp(-|W x_i - W x_k|^2 / t),  j != i,   F = P Y

    W minimizes what F, each point told by all others, misses of the targets Y:

        classes, Y one-hot:  sum_i (1 - <F_i, Y_i>)   Neighbourhood Components Analysis ("nca")
        numbers:             sum_i |F_i - Y_i|^2      Metric Learning for Kernel Regression ("mlkr")

    Parameters
    ----------
    n_components : int or None, default=None
        Rows of W, at most n_features: a low rank is a projection. None: n_features.
    map : {"linear", "residual_mlp"} or value of likewise.maps, default="linear"
        What points are compared through. "residual_mlp": phi(x) = W x + W2 tanh(W1 x + b1) + b2 (deep NCA;
        Salakhutdinov and Hinton 2007), which starts near the W of `init`. A map with numbers (Linear,
        ResidualMLP) is where the search starts, on X as it is.
    map_width : int or None, default=None
        Hidden units of "residual_mlp". None: twice as many as features.
    diagonal : bool, default=False
        W = diag(w): a weight for each feature, n_features parameters.
    init : {"auto", "pca", "lda", "identity", "random"} or array, default="auto"
        The first W (n_components, n_features), or w (n_features,) where it is diagonal. "auto" is scikit-
        learn's choice for classes: "lda" up to n_classes - 1 components where the classes' means differ in
        as many directions, else "pca" where there are fewer components than features, else "identity"; for
        numbers "pca" or "identity", its length chosen among powers of 2 by the loss. "pca", "identity" and
        "random" are divided by a power of 2 near the features' deviation, so that the unit of X does not
        matter; an array is taken as it is.
    loss : {"auto", "nca", "mlkr"}, default="auto"
        "auto" goes by the type of y: "mlkr" for floats and for several columns, else "nca" (integers,
        booleans, text). Counts are integers: ask for "mlkr".
    max_iter : int, default=50
        Steps of L-BFGS, or epochs of mini-batches.
    tol : float >= 0, default=1e-5
        L-BFGS stops where a step lowers the loss by less, relative to it, or no slope is larger. For numbers
        the loss is taken relative to the variance of y, so that their unit does not matter.
    batch_size : int or None, default=None
        None: L-BFGS on all pairs. Else Adam on random batches of that many points, which ask all others: its
        slopes are those of the whole loss on the average, which those of small sets of points among
        themselves are not. One epoch costs what one step of L-BFGS costs, and makes n / batch_size steps.
    temperature : "auto", "learn" or float > 0, default="auto"
        The length of W and t are one parameter, since cost(W) / t = cost(W / sqrt(t)). "auto" lets W be free
        and fixes t = 1; so does a number with that t. "learn" keeps sum_ab W_ab^2 = n_components (of a map
        the variance of what points are mapped to at 1 a column) and learns t: the same weights, told as a
        shape and a temperature.
    random_state : int, RandomState or None
        For init="random", PCA and the order of mini-batches.
    callback : function (components, n_iter) or None
        Called after each step with W (n_components, n_features), or the map; StopIteration ends the fit.
    verbose : bool or int, default=0
        Print the loss after each step.
    n_jobs : int or None

    Attributes
    ----------
    components_ : (n_components, n_features), W of "linear"
    map_ : value of likewise.maps, what points are compared through
    metric_ : metrics.Mahalanobis, or Mapped(map_), for any other estimator:
        ``KNeighborsClassifier(metric=learner.metric_)``
    temperature_ : float
    mechanism_ : Mechanism, the leave-one-out operator's
    loss_ : float, the least loss as above; scikit-learn's NCA objective is n minus it
    n_iter_ : int
    report_ : LearningReport (n_iter, residual, converged, solver, losses)
    classes_ : (n_classes,), with classes
    n_features_in_ : int

    Notes
    -----
    O(n^2 (n_components + n_columns)) time a step, with n_columns the classes or target columns, O(n) memory:
    weights are recomputed, never stored. Neither loss is convex; the start matters. Features should have
    comparable scales. Each point is left out itself; its copies are not. Ctrl-C raises KeyboardInterrupt and
    leaves the learner fitted with the best W so far.

    References
    ----------
    Goldberger, Roweis, Hinton and Salakhutdinov (2004), Neighbourhood components analysis; Weinberger and
    Tesauro (2007), Metric learning for kernel regression.

    Examples
    --------
    >>> import numpy as np, likewise as lw
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 3))
    >>> learner = lw.MetricLearner(diagonal=True).fit(X, X[:, 0] > 0)  # only the first feature tells
    >>> abs(learner.components_.diagonal()).argmax()
    np.int64(0)
    >>> lw.KNeighborsClassifier(metric=learner.metric_).fit(X, X[:, 0] > 0).score(X, X[:, 0] > 0) > 0.9
    True
    """

    def __init__(
        self,
        n_components=None,
        *,
        map="linear",
        map_width=None,
        diagonal=False,
        init="auto",
        loss="auto",
        max_iter=50,
        tol=1e-5,
        batch_size=None,
        temperature="auto",
        random_state=None,
        callback=None,
        verbose=0,
        n_jobs=None,
    ):
        self.n_components = n_components
        self.map = map
        self.map_width = map_width
        self.diagonal = diagonal
        self.init = init
        self.loss = loss
        self.max_iter = max_iter
        self.tol = tol
        self.batch_size = batch_size
        self.temperature = temperature
        self.random_state = random_state
        self.callback = callback
        self.verbose = verbose
        self.n_jobs = n_jobs

    # --- the slots

    _values = "one-hot classes, or y"

    @classmethod
    def from_mechanism(cls, mechanism, **params):
        """The learner that starts at `mechanism`: a metric's factor or map, and the temperature."""
        if mechanism.metric == metrics.SquaredEuclidean():  # what no start is told of
            mechanism = mechanism.replace(metric=metrics.Mahalanobis())
        metric = mechanism.metric
        if isinstance(metric, metrics.Mahalanobis) and metric.factor is not None:
            params.setdefault("init", metric.factor)
        if isinstance(metric, metrics.Mapped):
            is_open = metric == metrics.Mapped(maps.ResidualMLP())
            params.setdefault("map", "residual_mlp" if is_open else metric.map)
        params.setdefault("temperature", getattr(mechanism.kernel, "temperature", "auto"))
        return super().from_mechanism(mechanism, **params)

    def _make_mechanism(self):
        """With the W of init or the map where it is given; else it is left open."""
        if not self._is_linear():
            given = maps.ResidualMLP() if isinstance(self.map, str) else self.map
            return _leave_one_out(metrics.Mapped(given), self._fixed_temperature())
        given = None if isinstance(self.init, str) else _array("init", self.init)
        if given is None:
            return _leave_one_out(metrics.Mahalanobis(), self._fixed_temperature())
        factor = np.diag(given) if given.ndim == 1 else given
        return _leave_one_out(metrics.Mahalanobis(factor), self._fixed_temperature())

    def _is_linear(self):
        return isinstance(self.map, str) and self.map == "linear"

    def _fixed_temperature(self):
        """The t of the optimization; 1 where it is the length of W."""
        if isinstance(self.temperature, str):
            if self.temperature not in ("auto", "learn"):
                raise ValueError(
                    f"temperature must be 'auto', 'learn' or a positive number; got {self.temperature!r}."
                )
            return 1.0
        return _number("temperature", self.temperature, least=0, strictly=True)

    # --- fit

    def fit(self, X, y):
        """Learn W.

        Parameters
        ----------
        X : array (n, n_features), n >= 2
        y : array (n,) of classes, or (n,) or (n, n_targets) of numbers

        Raises
        ------
        ValueError : a parameter, init's shape or y does not fit
        """
        X, y = self._check_X_y(X, y, multi_output=True)
        _check_rows(X, self)
        self._check_parameters()
        self._loss = _resolved_loss(self.loss, y)
        if self._loss == "nca":
            y = without_column(y)
        Y, unit = self._targets(X, y)
        problem = _Problem(X, Y, self._loss, self._fixed_temperature(), bool(self.diagonal))
        report = LearningReport()
        interrupted = None
        with execution(n_jobs=self.n_jobs), one_call():
            start = self._start(X, y, problem)
            if not self._is_linear():
                problem = self._through_map(problem, X, start)
                start = problem.start
            search = _Search(problem, report, self._teller(report, unit))
            try:
                max_iter, tol = int(self.max_iter), _checks.number(self.tol, "tol")
                if self.batch_size is None or self.batch_size >= len(X):
                    search.by_all_pairs(start, max_iter, tol)
                else:
                    rng = _checks.random_of(self.random_state)
                    search.by_batches(start, max_iter, tol, int(self.batch_size), rng)
            except KeyboardInterrupt as stop:
                interrupted = stop
            self._keep(search, unit, X.dtype)
            stuck = report.n_iter == 0 and not interrupted and problem.is_stuck(search)
        if interrupted:
            raise interrupted
        if stuck:
            report.converged = False
            warnings.warn(
                "No step was taken from init, where the loss has no slope: distances are so long or short "
                "that all weights are 0, 1 or equal. Scale init or X, or use another init.",
                ConvergenceWarning,
                stacklevel=2,
            )
            return self
        warn_unless_converged(report, self.max_iter)
        return self

    def _check_parameters(self):
        if isinstance(self.map, str):
            if self.map not in ("linear", "residual_mlp"):
                raise ValueError(
                    f"map must be 'linear', 'residual_mlp' or a value of likewise.maps; got {self.map!r}."
                )
        elif not isinstance(self.map, (maps.Linear, maps.ResidualMLP, maps.Custom)):
            raise TypeError(f"map must be a str or a value of likewise.maps; got {_checks.told(self.map)}.")
        if self.map_width is not None:
            _whole("map_width", self.map_width)
            if not (isinstance(self.map, str) and self.map == "residual_mlp"):
                raise ValueError(
                    f"map_width must be None but with map='residual_mlp'; got {_checks.told(self.map_width)}."
                )
        if not isinstance(self.diagonal, (bool, np.bool_)):
            raise TypeError(f"diagonal must be a bool; got {_checks.told(self.diagonal)}.")
        if self.diagonal and not self._is_linear():
            raise ValueError(f"diagonal must be False with map={self.map!r}; got {self.diagonal!r}.")
        if not _checks.is_word(self.loss, ("auto", "nca", "mlkr")):
            raise ValueError(f"loss must be 'auto', 'nca' or 'mlkr'; got {_checks.told(self.loss)}.")
        _checks.boolean(self.verbose, "verbose")
        if isinstance(self.init, str) and self.init not in _STARTS:
            raise ValueError(f"init must be one of {_STARTS} or an array; got {_checks.told(self.init)}.")
        if self.callback is not None and not callable(self.callback):
            raise TypeError(f"callback must be a function or None; got {_checks.told(self.callback)}.")
        _whole("max_iter", self.max_iter)
        _number("tol", self.tol, least=0)
        if self.batch_size is not None:
            _whole("batch_size", self.batch_size)
        if self.n_components is not None:
            _whole("n_components", self.n_components, self.n_features_in_)
            if self.diagonal and self.n_components != self.n_features_in_:
                raise ValueError(
                    f"n_components must be None or n_features={self.n_features_in_} with diagonal=True; "
                    f"got {_checks.told(self.n_components)}."
                )

    def _targets(self, X, y):
        """The columns Y that are told, and what a loss of 1 of them is in y's unit."""
        if hasattr(self, "classes_"):
            del self.classes_
        if self._loss == "nca":
            check_labels(y)
        columns = _columns(y, self._loss, X.dtype)
        if self._loss == "nca":
            self.classes_ = np.unique(y)
        return columns

    def _start(self, X, y, problem):
        if not isinstance(self.init, str):
            return self._given_start() * problem.unit
        if self.diagonal:
            W = self._diagonal_start(X.shape[1])
        else:
            W = self._named_start(X / X.dtype.type(problem.common), y)
        W = W * (problem.unit / problem.common)
        if self.init == "auto" and self._loss == "mlkr":
            W = problem.best_length(W)
        return W

    def _through_map(self, problem, X, W):
        """The problem of a map, which starts at the linear one's W where none is given."""
        if not isinstance(self.map, str):
            given = self.map
            return MapProblem(X, problem, MapVector(given))
        width = 2 * X.shape[1] if self.map_width is None else int(self.map_width)
        # A network's hidden units want points around 0; so do features that hardly vary.
        center = X.mean(axis=0, dtype=np.float64)
        points = ((X - center) / problem.unit).astype(X.dtype)
        start = residual_start(problem.factor(W), points, width, self.random_state)
        return MapProblem(points, problem, MapVector(start), center, problem.unit)

    def _diagonal_start(self, d):
        if self.init in ("pca", "lda"):
            raise ValueError(
                "init must be 'auto', 'identity', 'random' or an array with diagonal=True; "
                f"got {_checks.told(self.init)}."
            )
        if self.init == "random":
            return _checks.random_of(self.random_state).standard_normal(d)
        return np.ones(d)

    def _given_start(self):
        W = _array("init", self.init)
        d = self.n_features_in_
        if self.diagonal and W.ndim == 2 and W.shape == (d, d):
            W = W.diagonal().copy()
        rows = d if self.diagonal else self.n_components
        fits = W.shape == (d,) if self.diagonal else W.ndim == 2 and W.shape[1] == d and 1 <= len(W) <= d
        if not fits or (rows is not None and len(W) != rows):
            wanted = f"({d},)" if self.diagonal else f"({rows or f'at most {d}'}, {d})"
            raise ValueError(f"init must be an array of shape {wanted}; got shape {W.shape}.")
        if not np.isfinite(W).all():
            raise ValueError("init must be finite; it contains NaN or infinity.")
        return W

    def _named_start(self, X, y):
        n, d = X.shape
        n_components = int(self.n_components or d)
        name = self.init
        if name == "lda" and self._loss != "nca":
            raise ValueError("init must be another than 'lda', which needs classes, with loss='mlkr'.")
        if name in ("auto", "lda"):
            n_classes = len(self.classes_) if self._loss == "nca" else 1
            if name == "lda" or n_components <= min(d, n_classes - 1):
                apart = _class_differences(X, y, n_components)
                if len(apart) == n_components:
                    return apart
                if name == "lda":
                    raise ValueError(
                        f"init must be another than 'lda', which finds {len(apart)} directions in which the "
                        f"classes differ, for n_components={n_components}."
                    )
            name = "pca" if n_components < min(d, n) else "identity"
        if name == "identity":
            return np.eye(n_components, d)
        if name == "random":
            return _checks.random_of(self.random_state).standard_normal((n_components, d))
        from sklearn.decomposition import PCA

        pca = PCA(n_components, random_state=_checks.random_of(self.random_state))
        return pca.fit(X).components_.astype(np.float64)

    def _teller(self, report, unit):
        """What happens after each step: history, verbose, callback."""
        began = time.perf_counter()

        def tell(W, value):
            report.n_iter += 1
            report.losses.append(self._loss_in_unit(value, unit))
            if self.verbose:
                seconds = time.perf_counter() - began
                print(
                    f"[MetricLearner] step {report.n_iter}: loss {report.losses[-1]:.6g}, {seconds:.2f} s",
                    flush=True,
                )
            if self.callback is not None:
                self.callback(W, report.n_iter)

        return tell

    def _loss_in_unit(self, value, unit):
        return float(unit["offset"] + unit["factor"] * value)

    def _keep(self, search, unit, dtype):
        """The best W or map as fitted attributes."""
        for name in ("components_", "map_"):  # of a fit before
            vars(self).pop(name, None)
        if not self._is_linear():
            value = self._keep_map(search, dtype)
            return self._keep_report(search, unit, value)
        W, value = search.best
        W = W / search.problem.unit
        t = search.problem.temperature
        length = np.sqrt(np.square(W).sum() / len(W))
        if self.temperature == "learn" and length > 0:
            W, t = W / length, t / length**2
        self.components_ = np.ascontiguousarray(W, dtype=dtype)
        self.temperature_ = float(t)
        self.map_ = maps.Linear(W)
        self.metric_ = metrics.Mahalanobis(W)
        self._keep_report(search, unit, value)

    def _keep_map(self, search, dtype):
        found, value = search.best
        t, problem = search.problem.temperature, search.problem
        length = np.sqrt(problem.variance(found))
        if self.temperature == "learn" and length > 0:
            found, t = times(found, 1 / length), t / length**2
        self.map_ = problem.told_map(found)
        self.temperature_ = float(t)
        self.metric_ = metrics.Mapped(self.map_)
        return value

    def _keep_report(self, search, unit, value):
        self.mechanism_ = _leave_one_out(self.metric_, self.temperature_)
        self.loss_ = self._loss_in_unit(value, unit)
        self.report_ = search.report
        self.n_iter_ = max(1, search.report.n_iter)

    # --- what is done with W

    def transform(self, X):
        """map_(X): points (n_queries, n_components) whose squared distances are the metric's."""
        check_is_fitted(self, "metric_")
        X = self._check_X(X, reset=False)
        if not hasattr(self, "components_"):
            return self.map_(X)
        return X @ self.components_.T.astype(X.dtype, copy=False)

    def score(self, X, y):
        """How well these points tell each other: higher is better, at most 1.

        The mean share <F_i, Y_i> of each point's own class, or R^2 of the leave-one-out predictions F.
        """
        check_is_fitted(self, "metric_")
        y = np.asarray(y)
        X = self._check_X(X, reset=False)
        _check_rows(X, self)
        if len(y) != len(X):
            raise ValueError(f"y must have {len(X)} rows; got {len(y)}.")
        Y, _ = _columns(y, self._loss, X.dtype)
        with execution(n_jobs=self.n_jobs), one_call():
            if hasattr(self, "components_"):
                value, *_ = _core.metric_loss(X, Y, self.metric_.factor, self._loss, self.temperature_)
            else:
                value, _ = map_loss(X, Y, self.map_, self._loss, self.temperature_)
        # Standardized columns: their mean square is 1 unless y is one number.
        return -value / len(X) if self._loss == "nca" else 1 - value / max(np.square(Y).sum(), 1e-300)

    @property
    def _n_features_out(self):
        return len(self.components_) if hasattr(self, "components_") else self._n_outputs

    @property
    def _n_outputs(self):
        return self.map_(np.zeros((1, self.n_features_in_))).shape[1]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class _Problem:
    """The loss as a function of W (n_components, n_features), or of its diagonal w (n_features,).

    Each feature is divided by its `unit`, and its column of W multiplied by it, so that steps and stopping
    rules mean the same in any units: powers of 2, which change no digit. Features share one unless theirs are
    far from the others': one of large numbers would hide all others from the slopes. Features that are
    seldom used may be small. Named starts are those of features in their `common` unit.
    """

    def __init__(self, X, Y, loss, temperature, diagonal):
        deviation = np.sqrt(X.var(axis=0, dtype=np.float64))
        deviation[deviation <= 4e-15 * np.abs(X).max(axis=0)] = 0  # a constant's rounding
        self.common = _power_of_2(np.sqrt(np.square(deviation).mean()), 1.0)
        typical = np.median(deviation[deviation > 0]) if deviation.any() else 1.0
        far = (deviation > 16 * typical) | (deviation < typical / 1024)
        self.unit = _power_of_2(np.where(far, deviation, typical), typical)
        self.X, self.Y, self.loss = X / self.unit.astype(X.dtype), Y, loss
        self.temperature, self.diagonal = temperature, diagonal

    def factor(self, W):
        return np.diag(W) if self.diagonal else W

    def told(self, W):
        """W (n_components, n_features) in the unit of the features as they were given."""
        return self.factor(W) / self.unit

    def is_stuck(self, search):
        """Whether the slope is 0 since all weights are 0, 1 or equal: twice the length changes none."""
        W, value = search.best
        W = W.diagonal() if self.diagonal else W
        n, best = len(self.X), -len(self.X) if self.loss == "nca" else 0
        return value - best > 1e-9 * n and abs(self(2 * W)[0] - value) <= 1e-9 * n

    def data_length(self, W):
        """W at the length at which the mean squared distance is t."""
        spread = 2 * np.square((self.X - self.X.mean(axis=0)) @ self.factor(W).T).sum(axis=1).mean()
        return W * np.sqrt(self.temperature / spread) if spread > 0 else W

    def __call__(self, W, X=None, Y=None, n_queries=0):
        X, Y = (self.X, self.Y) if X is None else (X, Y)
        value, slope, _ = _core.metric_loss(X, Y, self.factor(W), self.loss, self.temperature, n_queries)
        return value, slope.diagonal().copy() if self.diagonal else slope

    def best_length(self, W):
        """W at the length, among powers of 2, whose loss is least: equal weights have no slope to follow.

        From the data's own length, upwards while the loss falls.
        """
        W = self.data_length(W)
        value = self(W)[0]
        for _ in range(20):
            further = self(2 * W)[0]
            if not further < value:
                break
            W, value = 2 * W, further
        return W


class _Search:
    """Follows the slopes of a problem and remembers the best W."""

    def __init__(self, problem, report, tell):
        self.problem, self.report, self._tell = problem, report, tell
        self._best = None

    @property
    def best(self):
        """W and its loss, which is measured where only an epoch's moving mean is known."""
        W, value = self._best
        if self.report.solver == "adam" or not np.isfinite(value):
            value = self.problem(W)[0]
        return self.problem.factor(W), value

    def _remember(self, W, value):
        if self._best is None or value < self._best[1]:
            self._best = W.copy(), value

    def by_all_pairs(self, start, max_iter, tol):
        """L-BFGS with the stopping rule of scikit-learn's NCA."""
        self._best = start, np.inf
        shape = start.shape

        def loss(w):
            value, slope = self.problem(w.reshape(shape))
            self._remember(w.reshape(shape), value)
            return value, slope.ravel()

        def step(reached):
            self._tell(self.problem.told(reached.x.reshape(shape)), reached.fun)

        found = lbfgs(loss, start.ravel(), callback=step, tol=tol, maxiter=max_iter)
        self.report.residual = float(np.abs(found.jac).max())
        self.report.converged = found.status == 0
        self._best = found.x.reshape(shape), float(found.fun)

    def by_batches(self, W, max_iter, tol, batch_size, rng):
        """Adam (Kingma and Ba 2015). Steps are measured in the start's mean entry and end at 0."""
        self.report.solver = "adam"
        self._best = W, np.inf
        n = len(self.problem.X)
        adam, rate = _core.Adam(eps=1e-12), 0.1 * np.sqrt(np.square(W).mean()) or 0.1
        n_steps = max_iter * -(-n // batch_size)
        before, at = None, 0
        for _ in range(max_iter):
            order, value = rng.permutation(n), 0.0
            X, Y = self.problem.X[order], self.problem.Y[order]
            for begin in range(0, n, batch_size):
                size = min(batch_size, n - begin)
                part, slope = self.problem(W, *_first(X, Y, begin, size), n_queries=size)
                value += part
                step = adam.step(W.ravel(), slope.ravel() / size, rate * (1 - at / n_steps))
                W = step.reshape(W.shape)
                at += 1
            self._remember(W, value)
            if before is not None:
                self.report.residual = abs(before - value) / max(abs(before), abs(value), 1)
            try:
                self._tell(self.problem.told(W), value)
            except StopIteration:
                break
            if self.report.residual <= tol:
                self.report.converged = True
                break
            before = value
        self._best = W, np.inf  # steps end at 0: the last is better than the mean of its epoch tells


def _power_of_2(number, other):
    """The power of 2 near each number, and near `other` where that is 0 or too large."""
    fits = (number > 0) & (number < np.inf)
    return 2.0 ** np.round(np.log2(np.where(fits, number, other)))


def _first(X, Y, begin, size):
    """The rows from `begin` on put first, as the mini-batch that asks all others."""
    if begin == 0:
        return X, Y
    return tuple(np.concatenate([A[begin : begin + size], A[:begin], A[begin + size :]]) for A in (X, Y))


def _leave_one_out(metric, temperature):
    return Mechanism(metric=metric, kernel=kernels.Exponential(temperature), support="leave_one_out")


def _class_differences(X, y, n_components):
    """Rows of the directions in which classes differ most beside their spread: none where their means agree,
    fewer where there are fewer, or where scikit-learn's discriminant finds none (rows that repeat)."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    _, first, codes = np.unique(y, return_index=True, return_inverse=True)
    if np.array_equal(X, X[first[codes]]):  # no spread within classes, which theirs cannot take
        return np.empty((0, X.shape[1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        W = LinearDiscriminantAnalysis().fit(X, y).scalings_.T[:n_components]
    return W[np.isfinite(W).all(axis=1) & W.any(axis=1)]


def _resolved_loss(loss, y):
    if loss == "auto":
        return "mlkr" if y.size > len(y) or y.dtype.kind == "f" else "nca"
    return loss


def _columns(y, loss, dtype):
    """Y (n, n_columns) of this dtype, and the loss in y's own unit: offset + factor * value."""
    if loss == "nca":
        if y.size != len(y):
            raise ValueError(
                f"y must be a class for each row, of shape (n,), with loss='nca'; got shape {y.shape}. "
                "Several columns of numbers are learned with loss='mlkr'."
            )
        classes, codes = np.unique(y, return_inverse=True)
        Y = np.zeros((len(y), len(classes)), dtype=dtype)
        Y[np.arange(len(y)), codes.ravel()] = 1
        return Y, {"offset": len(y), "factor": 1.0}
    y = _checks.finite(y, "y", np.float64).reshape(len(y), -1)
    y = y - y.mean(axis=0)
    with np.errstate(over="ignore"):
        variance = np.square(y).sum() / len(y) or 1.0  # of all columns together: their units are kept
    if not np.isfinite(variance):
        raise ValueError(
            f"y must have a variance that float64 holds; got numbers up to {np.abs(y).max():.3g}."
        )
    return np.ascontiguousarray(y / np.sqrt(variance), dtype=dtype), {"offset": 0.0, "factor": variance}


def _check_rows(X, estimator):
    if len(X) < 2:
        raise ValueError(
            f"Found array with {len(X)} sample(s) (shape={X.shape}) while a minimum of 2 is required by "
            f"{type(estimator).__name__}."
        )


def _array(name, value):
    try:
        return np.array(_checks.reals(value, name), dtype=np.float64)
    except ValueError:
        raise TypeError(
            f"{name} must be an array of real numbers or a str; got {_checks.told(value)}."
        ) from None


def _whole(name, value, most=None):
    _checks.integer(value, name, "" if most is None else "None")
    if value < 1 or (most is not None and value > most):
        allowed = ">= 1" if most is None else f"in [1, {most}] (n_features={most})"
        raise ValueError(f"{name} must be an int {allowed}; got {_checks.told(value)}.")


def _number(name, value, *, least, strictly=False):
    found = _checks.number(value, name)
    if not np.isfinite(found) or found < least or (strictly and found == least):
        raise ValueError(
            f"{name} must be {'positive' if strictly else f'>= {least}'} and finite; got {value!r}."
        )
    return found
