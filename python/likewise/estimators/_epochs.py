"""What estimators trained epoch by epoch share: parameters, rows to validate with, history, targets."""

import math
import warnings
from numbers import Integral

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array

from likewise import _checks
from likewise._checks import unboxed
from likewise._estimator import check_dense, naming, without_column
from likewise.estimators._attention_targets import Classes, Numbers

NO_EPOCHS = {
    **dict.fromkeys(("loss", "validation_loss", "validation_score", "learning_rate", "seconds"), ()),
    "best_epoch": -1,
    "early_stopped": False,
    "stopped": False,
}
_WORDS = {"optimizer": ("adamw", "adam", "sgd"), "schedule": ("constant", "cosine", "step")}


class TrainedByEpochs:
    """Training in C++ by epochs of steps. `_task`, `_usual_rate`: of a kind of targets."""

    def _require(self, holds, name, allowed):
        if not holds:
            raise ValueError(f"{name} must be {allowed}; got {_checks.told(getattr(self, name))}.")

    def _require_counts(self, *names):
        for name in names:
            value = getattr(self, name)
            is_count = isinstance(value, Integral) and not isinstance(value, bool) and value >= 1
            self._require(is_count, name, "an int, at least 1")

    def _require_numbers(self, *names, positive=(), other=()):
        """Finite numbers that are not negative; `other` says what else a name may be."""
        for name in (*names, *positive):
            value, others = getattr(self, name), dict(other)
            if name in others and (value is None or isinstance(value, str)) and value == others[name]:
                continue
            number = _checks.number(value, name, repr(others[name]) if name in others else "")
            holds = number > 0 if name in positive else number >= 0
            least = "positive" if name in positive else "not negative"
            self._require(holds and math.isfinite(number), name, f"a finite number that is {least}")

    def _require_words(self, words):
        for name, known in words.items():
            quoted = ", ".join(f'"{word}"' for word in known)
            self._require(_checks.is_word(getattr(self, name), known), name, f"one of {quoted}")

    def _check_training(self):
        """The parameters that all of them have."""
        self._require_counts("max_epochs", "n_iter_no_change")
        self._require_numbers(
            "weight_decay",
            "tol",
            "max_norm",
            positive=("learning_rate",),
            other={"learning_rate": "auto", "max_norm": None},
        )
        self._require_words(_WORDS)
        _checks.float_dtype(self.dtype)
        for name in ("early_stopping", "warm_start"):
            self._require(isinstance(getattr(self, name), (bool, np.bool_, Integral)), name, "a bool")
        _checks.boolean(self.verbose, "verbose")
        fraction = _checks.number(self.validation_fraction, "validation_fraction")
        self._require(0 <= fraction < 1, "validation_fraction", "in [0, 1)")

    def _training_options(self, seed, batch_size):
        return {
            "task": self._task,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "weight_decay": float(self.weight_decay),
            "learning_rate": self._usual_rate if self.learning_rate == "auto" else float(self.learning_rate),
            "batch_size": int(batch_size),
            "max_epochs": int(self.max_epochs),
            "max_norm": float(self.max_norm or 0),
            "patience": int(self.n_iter_no_change) if self.early_stopping else 0,
            "min_delta": float(self.tol),
            "seed": seed,
        }

    def _split_rows(self, n, labels, random_state):
        """(training, validation or None) rows: validation only where each class can be in both."""
        n_validation = math.ceil(float(self.validation_fraction) * n) if self.early_stopping else 0
        everybody = np.arange(n)
        if n_validation == 0 or n - n_validation < 2:
            return everybody, None
        if labels is not None:
            counts = np.bincount(labels)
            if counts[counts > 0].min() < 2 or min(n_validation, n - n_validation) < (counts > 0).sum():
                return everybody, None
        parts = train_test_split(
            everybody, test_size=n_validation, random_state=random_state, stratify=labels
        )
        return tuple(np.sort(part) for part in parts)

    def _going_on(self, kind, fits):
        """The model of the fit before, where a warm start goes on from it: of that kind, and fits(it)."""
        model = getattr(self, "_model", None) if self.warm_start else None
        return model if isinstance(model, kind) and fits(model) else None

    def _finish(self, model, targets, history):
        interrupted = history.pop("interrupt", None) is not None
        self.best_epoch_, self.stopped_early_ = history.pop("best_epoch"), history.pop("early_stopped")
        history.pop("stopped")
        self._keep(model, targets, history, interrupted)

    def _keep(self, model, targets, history, interrupted):
        self._model = model
        self._keep_targets(targets)
        self.history_ = {name: np.asarray(values) for name, values in history.items()}
        self.n_iter_ = len(self.history_["loss"])
        if interrupted:
            warnings.warn("Training interrupted by user; the best weights so far are kept.", stacklevel=4)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_model")


def require_y(estimator, y):
    """Refuse no targets, and sparse ones."""
    if y is None:
        raise ValueError(f"{type(estimator).__name__} requires y to be passed, but the target y is None.")
    check_dense(y)


class OfClasses:
    """Targets are classes, the model's outputs their logits."""

    _task = "classification"

    def _take_y(self, y):
        require_y(self, y)
        with naming(y=y):
            check_array(y, ensure_2d=False, dtype=None, input_name="y")  # pandas' own missing values too
        y = without_column(unboxed(np.asarray(y)), stacklevel=4)
        if y.ndim > 1:
            raise ValueError(f"y must be a class for each row, of shape (n,); got shape {y.shape}.")
        check_classification_targets(y)
        return y

    def _kept_outputs(self, y):
        return len(self.classes_)

    def _targets_of(self, y, weights, *, goes_on):
        # A warm start keeps the classes that the weights were trained for; `encode` refuses others.
        return Classes(self.classes_ if goes_on else np.unique(y))

    def _keep_targets(self, targets):
        self.classes_ = targets.classes

    def _labels(self, Y):
        return Y.argmax(axis=-1)

    def _saved_targets(self):
        return {}  # classes_ say it

    def _load_targets(self, about):
        pass


class OfNumbers:
    """Targets are numbers, brought to mean 0 and deviation 1 for the training, and back."""

    _task = "regression"

    def _take_y(self, y):
        require_y(self, y)
        _checks.refuse_columns(y, "y")
        with naming(y=y):
            y = check_array(y, ensure_2d=False, allow_nd=True, dtype=np.float64, input_name="y")
        if y.ndim > 2:
            raise ValueError(f"y must be of shape (n,) or (n, n_targets); got shape {y.shape}.")
        return y

    def _kept_outputs(self, y):
        return y[:1].size

    def _targets_of(self, y, weights, *, goes_on):
        # A warm start keeps the unit in which the weights were trained.
        return self._targets if goes_on else Numbers.of(y, weights)

    def _keep_targets(self, targets):
        self._targets = targets

    def _labels(self, Y):
        return None

    def _saved_targets(self):
        return vars(self._targets)

    def _load_targets(self, about):
        self._targets = Numbers(**about)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
