"""Attention that is trained: a small Transformer reads rows of tokens, or rows attend to labeled rows."""

import json
import warnings
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from likewise import _checks, metrics
from likewise._errors import ConvergenceError
from likewise._estimator import MechanismMixin, checked_sample_weight, naming
from likewise._execution import execution, one_call
from likewise._extras import need
from likewise.estimators._epochs import NO_EPOCHS, OfClasses, OfNumbers, TrainedByEpochs, require_y
from likewise.estimators._saved import SavedInOneFile
from likewise.estimators._token_targets import of_each_token, weights_of_tokens
from likewise.nn import FIRST_OF_MANY
from likewise.nn._in_context import ATTENTION as IN_CONTEXT
from likewise.nn._in_context import InContextModel, log_loss, squared_loss
from likewise.nn._layers import DEFAULTS, HEAD_SETTINGS, first_temperature, head_mechanism, open_metric
from likewise.nn._model import ATTENTION, Model, head_settings

# What nothing is asked of where rows are the tokens, see fit.
_OF_TOKENS = (
    "n_layers",
    "mlp_ratio",
    "pooling",
    "optimizer",
    "learning_rate",
    "schedule",
    "weight_decay",
    "max_norm",
    "batch_size",
    "dtype",
)


class _AttentionEstimator(SavedInOneFile, TrainedByEpochs, MechanismMixin, TransformerMixin, BaseEstimator):
    """What AttentionClassifier and AttentionRegressor share."""

    _values = "Wv x, learned; in context the labels of rows"
    _note = FIRST_OF_MANY

    def __init__(
        self,
        attention="l2",
        *,
        n_tokens=None,
        embed_dim=64,
        num_heads=4,
        n_layers=1,
        mlp_ratio=2.0,
        pooling="mean",
        optimizer="adamw",
        learning_rate="auto",
        schedule="constant",
        weight_decay=0.01,
        max_norm=1.0,
        batch_size="auto",
        max_epochs=200,
        validation_fraction=0.1,
        early_stopping=True,
        n_iter_no_change=20,
        tol=1e-4,
        warm_start=False,
        dtype="float32",
        random_state=None,
        verbose=False,
        n_jobs=None,
    ):
        self.attention = attention
        self.n_tokens = n_tokens
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.n_layers = n_layers
        self.mlp_ratio = mlp_ratio
        self.pooling = pooling
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.max_norm = max_norm
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose
        self.n_jobs = n_jobs

    # --- fitting ----------------------------------------------------------------------------------------

    def fit(self, X, y, sample_weight=None, *, key_padding_mask=None, context=None):
        """Train on rows X and their targets y.

        Parameters
        ----------
        X : array (n, n_tokens, n_features), or (n, n_tokens * n_features)
        y : array (n,), or (n, n_targets) of a regressor
            With pooling="none" of each token: (n, n_tokens), or (n, n_tokens, n_targets) of a regressor.
        sample_weight : array (n,) >= 0 or None
            Of the loss, and of a regressor's mean and deviation; a row of weight 0 is as if not there. With
            pooling="none" each token has its row's.
        key_padding_mask : boolean array (n, n_tokens), True = a token, False = padding; None: all are tokens
            Padding is not read and may hold NaN; so may y there with pooling="none", since what is said of
            padding counts nowhere. Every method that reads X takes it.
        context : None, "rows" or (X_context, y_context)
            None: tokens of a row attend to one another. "rows": the rows are the tokens, and attend to the
            other labeled rows, each without its own label. A pair: they attend to those labeled rows.
            The labeled rows belong to the model, and are in its file (`save`). One layer is learned by
            L-BFGS, max_epochs are its steps: n_layers, mlp_ratio, pooling, optimizer, learning_rate,
            schedule, weight_decay, batch_size, max_norm and dtype say nothing then, and a warning says so.
            attention is "l2", "metric" or "dot".

        Returns
        -------
        self. Ctrl-C ends the training, warns, and keeps the best weights so far. Where a loss is not finite,
        a ConvergenceError names the step, and the estimator has the last weights of finite loss.
        """
        self._check_parameters()
        if context is None and self.pooling == "none":
            X, y = self._take_tokens(X, y, key_padding_mask)
        else:
            y = self._take_y(y)
            X = self._take_rows(X, reset=True, length=len(y), padding=key_padding_mask)
        weights = None
        if sample_weight is not None:
            weights = checked_sample_weight(sample_weight, X)
        with execution(n_jobs=self.n_jobs, progress=True if self.verbose else None), one_call():
            if context is not None:
                if key_padding_mask is not None or weights is not None:
                    raise ValueError(
                        "sample_weight and key_padding_mask must be None with a context of rows."
                    )
                self._fit_in_context(X, y, context)
            else:
                self._fit_tokens(X, y, weights, self._take_padding(key_padding_mask, X))
        return self

    def _check_heads(self):
        self._require(
            _checks.is_word(self.attention, ATTENTION)
            or (isinstance(self.attention, dict) and self.attention.keys() <= HEAD_SETTINGS),
            "attention",
            f"{', '.join(map(json.dumps, ATTENTION))} or a dict of {', '.join(sorted(HEAD_SETTINGS))}",
        )
        self._require_counts("embed_dim", "num_heads")
        self._require(
            self.embed_dim % self.num_heads == 0, "num_heads", f"a divisor of embed_dim = {self.embed_dim}"
        )

    def _check_parameters(self):
        self._check_heads()
        self._require_counts("n_layers")
        batch_size = self.batch_size
        self._require(
            _checks.is_word(batch_size, ("auto",)) or (isinstance(batch_size, Integral) and batch_size >= 1),
            "batch_size",
            '"auto" or an int, at least 1',
        )
        self._require_numbers("mlp_ratio")
        self._require_words({"pooling": ("mean", "cls", "none")})
        self._check_training()

    def _take_tokens(self, X, y, key_padding_mask):
        """X, and y of all its tokens one after the other."""
        require_y(self, y)
        X = self._take_rows(X, reset=True, padding=key_padding_mask)
        return X, self._take_y(self._of_each_token(y, X, self._take_padding(key_padding_mask, X)))

    def _of_each_token(self, y, X, padding):
        return of_each_token(y, X.shape[:2], padding, several=self._task == "regression")

    def _fit_tokens(self, X, y, weights, padding):
        random_state = _checks.random_of(self.random_state)
        seed = random_state.randint(2**31)
        kept = self._going_on(Model, lambda m: m.is_of(self._options(X, self._kept_outputs(y)), self.dtype))
        each = self.pooling == "none"
        weights_of_y = weights_of_tokens(weights, padding, X.shape[:2]) if each else weights
        targets = self._targets_of(y, weights_of_y, goes_on=kept is not None)
        Y = targets.encode(y)
        model = kept or Model(self._options(X, Y.shape[1]), seed, self.dtype)
        Y = Y.reshape(*X.shape[:2], -1) if each else Y
        samples = self._samples(X, Y, padding, weights)
        if weights is not None:  # a row of weight 0 is no row, nor one to validate with
            samples = tuple(None if part is None else part[weights > 0] for part in samples)
        training, validation = self._split(samples, random_state)
        try:
            history = model.train(
                training, validation, self._training_options(seed, self._rows_at_once(len(training[0])))
            )
        except ConvergenceError:  # which left the last parameters whose loss was finite
            self._finish(model, targets, dict(NO_EPOCHS))
            raise
        self._finish(model, targets, history)

    def _options(self, X, n_outputs):
        return {
            "n_tokens": X.shape[1],
            "n_features": X.shape[2],
            "n_outputs": n_outputs,
            "n_layers": int(self.n_layers),
            "embed_dim": int(self.embed_dim),
            "num_heads": int(self.num_heads),
            "mlp_ratio": float(self.mlp_ratio),
            "pooling": self.pooling,
            "position_std": self._position_std,
            **head_settings(self.attention, self._head_dim()),
        }

    def _head_dim(self):
        return int(self.embed_dim) // int(self.num_heads)

    def _rows_at_once(self, n_rows):
        return max(16, min(64, n_rows // 16)) if self.batch_size == "auto" else self.batch_size

    def _split(self, samples, random_state):
        """(training, validation or None) of the samples' parts; the second part are labels, or None."""
        labels = samples[1]
        of_tokens = labels is not None and labels.ndim == 2  # a row has many classes: parts cannot share them
        parts = self._split_rows(len(samples[0]), None if of_tokens else labels, random_state)
        if parts[1] is None or (of_tokens and not _has_all_classes(labels, samples[3], parts[0])):
            return samples, None
        return tuple(tuple(None if part is None else part[rows] for part in samples) for rows in parts)

    # --- in context -------------------------------------------------------------------------------------

    def _fit_in_context(self, X, y, context):
        usual = type(self)().get_params()
        idle = [name for name in _OF_TOKENS if getattr(self, name) != usual[name]]
        if idle:
            warnings.warn(
                f"{', '.join(idle)} say nothing to a fit with a context of rows: L-BFGS learns one layer of "
                "float64 from all rows at once.",
                stacklevel=3,
            )
        self._require(
            _checks.is_word(self.attention, IN_CONTEXT),
            "attention",
            f"one of {', '.join(map(json.dumps, IN_CONTEXT))} in context",
        )
        random_state = _checks.random_of(self.random_state)
        rows = X.reshape(len(X), -1).astype(np.float64)
        shape = (self.attention, rows.shape[1], int(self.embed_dim), int(self.num_heads))
        kept = self._going_on(InContextModel, lambda m: m.is_of(*shape))
        targets = self._targets_of(y, None, goes_on=kept is not None)
        Y = targets.encode(y)
        labels = self._labels(Y)
        labeled = self._take_context(context, targets)
        if labeled is None and len(rows) < 2:
            raise ValueError(
                f"X must have 2 rows or more where rows attend to others; got n_samples = {len(rows)}."
            )
        model = kept or InContextModel(*shape, random_state)
        training, validation = self._split((rows, labels, Y), random_state)
        learned = model.learn(
            training[::2],
            validation and validation[::2],
            labeled,
            log_loss if self._task == "classification" else squared_loss,
            max_iter=int(self.max_epochs),
            tol=float(self.tol),
            patience=int(self.n_iter_no_change) if self.early_stopping else None,
        )
        model.context = labeled or (rows, Y)
        self.best_epoch_, self.stopped_early_ = learned.best_epoch, learned.ended_early
        history = {"loss": learned.losses, "validation_loss": learned.validation_losses}
        self._keep(model, targets, history, learned.interrupted)

    def _take_context(self, context, targets):
        """None for the rows themselves, else (rows, targets)."""
        if isinstance(context, str) and context == "rows":
            return None
        if not isinstance(context, tuple) or len(context) != 2:
            raise ValueError(
                f'context must be None, "rows" or (X_context, y_context); got {_checks.told(context)}.'
            )
        Z = self._take_rows(context[0], reset=False)
        if np.shape(context[1])[:1] != (len(Z),):
            raise ValueError(f"y_context must have length {len(Z)}; got shape {np.shape(context[1])}.")
        return Z.reshape(len(Z), -1).astype(np.float64), targets.encode(context[1], "y_context")

    # --- using ------------------------------------------------------------------------------------------

    def _read(self, X, key_padding_mask, read):
        """read(rows, padding) of the fitted model."""
        check_is_fitted(self, "_model")
        X = self._take_rows(X, reset=False, padding=key_padding_mask)
        with execution(n_jobs=self.n_jobs), one_call():
            return read(X, self._take_padding(key_padding_mask, X))

    def _outputs(self, X, key_padding_mask=None):
        return self._read(X, key_padding_mask, lambda *given: self._model.outputs(*given)).astype(np.float64)

    def _score(self, measure, X, y, sample_weight, key_padding_mask):
        """measure(y, predictions), of tokens those that are no padding."""
        predicted = self.predict(X, key_padding_mask)
        if not self._model.is_of_tokens:
            return measure(y, predicted, sample_weight=sample_weight)
        require_y(self, y)
        tokens = np.ones(predicted.shape[:2], bool)
        if key_padding_mask is not None:
            tokens = np.asarray(key_padding_mask)
        y = self._of_each_token(y, predicted, tokens)
        if sample_weight is not None:
            sample_weight = checked_sample_weight(sample_weight, predicted)
        weights = weights_of_tokens(sample_weight, tokens, tokens.shape)
        return measure(y, predicted.reshape(-1, *predicted.shape[2:]), sample_weight=weights)

    @property
    def mechanisms_(self):
        """mechanisms_[layer][head]: who a head attends to, as a Mechanism on the tokens of `transform`.

        Of "dot" heads the queries' bias is left out, which weighs keys; in context there is none. A
        ValueError for squared distances of two maps, which are no metric.
        """
        check_is_fitted(self, "_model")
        return self._model.mechanisms()

    @property
    def mechanism_(self):
        """mechanisms_[0][0]: who the first head of the first layer attends to."""
        return self.mechanisms_[0][0]

    @classmethod
    def from_mechanism(cls, mechanism, **params):
        """The estimator whose heads start as `mechanism`, "dot" of an open Bilinear(), "metric" of an open
        Mapped(ResidualMLP()), else "l2": what is learned is the fit's affair.
        """
        kinds = {
            metrics.Bilinear: "dot",
            metrics.Mapped: "metric",
            metrics.Additive: "additive",
            metrics.AdditiveDynamic: "additive_dynamic",
        }
        params.setdefault("attention", kinds.get(type(mechanism.metric), "l2"))
        return super().from_mechanism(mechanism, **params)

    def _make_mechanism(self):
        """Of one head as training starts: its metric is open, its temperature where it starts.

        A dot product or a squared distance under exp(-c / t), t = sqrt(rank) or 2 sqrt(rank) where the heads'
        settings say no other; with a map_width of what an open map makes of tokens. Squared distances of two
        maps are no metric of tokens, but one of what the maps make of them.
        """
        self._check_heads()
        settings = head_settings(self.attention, self._head_dim())
        rank = settings.get("rank") or self._head_dim()
        if settings.get("diagonal"):
            rank = int(self.embed_dim)
        settings = {**DEFAULTS, **settings}
        return head_mechanism(settings, open_metric(settings), first_temperature(settings, rank), "all")

    def transform(self, X, layer=0, key_padding_mask=None):
        """The tokens (n, length, embed_dim) on which that layer's metrics act; in context the features."""
        return self._read(X, key_padding_mask, lambda X, padding: self._model.tokens(X, layer, padding))

    def attention_weights(self, X, key_padding_mask=None):
        """Who attends to whom.

        Returns
        -------
        array (n, n_layers, num_heads, length, length); in context (1, num_heads, n, n_context)
        """
        return self._read(X, key_padding_mask, lambda *given: self._model.weights(*given))

    def plot_attention(self, x, layer=0, ax=None, key_padding_mask=None):
        """A picture of one row's weights: a panel for each head, queries down, keys across.

        key_padding_mask : boolean array (n_tokens,) or None

        Returns
        -------
        array of axes
        """
        need("plot_attention", "matplotlib", extra="plots")
        import matplotlib.pyplot as plt

        padding = None if key_padding_mask is None else np.asarray(key_padding_mask)[None]
        weights = self.attention_weights(np.asarray(x)[None], padding)[0]
        weights = weights[layer] if weights.ndim == 4 else weights
        if ax is None:
            _, ax = plt.subplots(1, len(weights), figsize=(2.6 * len(weights), 2.8), squeeze=False)
        axes = np.atleast_1d(ax).ravel()
        for head, (panel, matrix) in enumerate(zip(axes, weights)):
            panel.imshow(matrix, vmin=0, cmap="Blues", aspect="auto")
            panel.set(title=f"head {head}", xlabel="key", ylabel="query" if head == 0 else "")
        return axes

    def state_dict(self):
        """A copy of each parameter of the trained model by its name."""
        check_is_fitted(self, "_model")
        return self._model.state_dict()

    # --- files ------------------------------------------------------------------------------------------

    def _found(self):
        return {**super()._found(), "_token_shape": np.array(self._token_shape)}

    def _take_back(self):
        self._token_shape = tuple(self._token_shape.tolist())
        if self.attention == "metric" and not self._model.has_phi:
            self.attention = "l2"  # the name that it had in files of version 2

    # --- rows and tokens --------------------------------------------------------------------------------

    def _take_rows(self, X, *, reset, length=None, padding=None):
        """X as (n, n_tokens, n_features), finite where there is no padding, 0 where there is."""
        X = _without_padding(X, padding)
        if getattr(X, "ndim", None) == 3:
            with naming(X=X):
                X = check_array(X, dtype=[np.float64, np.float32], allow_nd=True, input_name="X")
            if reset:
                self.n_features_in_, self._token_shape = X.shape[1] * X.shape[2], X.shape[1:]
            elif X.shape[1:] != self._token_shape:
                raise ValueError(
                    f"X must be of shape (n, {self._token_shape[0]}, {self._token_shape[1]}); got {X.shape}."
                )
        else:
            with naming(X=X):
                X = validate_data(self, X, reset=reset, dtype=[np.float64, np.float32], order="C")
            if reset:
                self._token_shape = self._shape_of_tokens(X.shape[1])
            X = X.reshape(len(X), *self._token_shape)
        if length is not None and len(X) != length:
            raise ValueError(f"X and y must have the same length; got n_samples = {len(X)} and {length}.")
        return X

    def _shape_of_tokens(self, n_features):
        """None: each feature is a token of its own."""
        n_tokens = n_features if self.n_tokens is None else self.n_tokens
        if not isinstance(n_tokens, Integral) or n_tokens < 1 or n_features % int(n_tokens):
            raise ValueError(
                f"n_tokens must be a divisor of X's {n_features} features; got {_checks.told(self.n_tokens)}."
            )
        return int(n_tokens), n_features // int(n_tokens)

    def _take_padding(self, mask, X):
        if mask is None:
            return None
        mask = np.asarray(mask)
        if mask.dtype != bool:
            raise TypeError(f"key_padding_mask must be boolean, True = a token; got {mask.dtype}.")
        if mask.shape != X.shape[:2]:
            raise ValueError(f"key_padding_mask must have shape {X.shape[:2]}; got {mask.shape}.")
        if not mask.any(axis=1).all():
            row = int(np.argmin(mask.any(axis=1)))
            raise ValueError(f"key_padding_mask must leave each row a token; got none in row {row}.")
        return np.ascontiguousarray(mask)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # tokens have the model's
        return tags


def _has_all_classes(labels, padding, rows):
    """Whether each class that some token has is one of the tokens' of those rows."""
    tokens = np.ones(labels.shape, bool) if padding is None else padding
    return len(np.unique(labels[rows][tokens[rows]])) == len(np.unique(labels[tokens]))


def _without_padding(X, mask):
    """X with 0 for the padding, where there may be anything; as it is where the mask does not fit."""
    if mask is None or hasattr(X, "columns"):  # a table's NaN has a meaning of its own
        return X
    mask, cleared = np.asarray(mask), np.array(X)
    fits = mask.dtype == bool and mask.ndim == 2 and cleared.ndim > 1 and len(mask) == len(cleared)
    if not fits or cleared.dtype.kind != "f" or mask.size == 0 or cleared.size % mask.size:
        return X
    cleared.reshape(*mask.shape, -1)[~mask] = 0
    return cleared


class AttentionClassifier(ClassifierMixin, OfClasses, _AttentionEstimator):
    """A small Transformer that classifies rows of tokens; attention by a learned metric or by dot products.

    tokens -> embedding + positions -> n_layers blocks of attention and MLP -> mean -> class scores

    With pooling="none" there is no mean, and each token has a class: y and predictions are (n, n_tokens).

    Parameters
    ----------
    attention : "l2", "metric", "dot", "additive", "additive_dynamic" or dict
        -|W x - W z|^2 / t_h (L2 attention, Kim et al. 2021) or <Wq x, Wk z> / t_h (Vaswani et al. 2017), with
        temperatures that are learned; -|phi(W x) - phi(W z)|^2 with a residual network phi for each head and
        temperature 1 (metric-attention, Ruan and Zhang 2024). Not in context: the scores of graph attention
        ("additive", "additive_dynamic"), and settings of likewise.nn's AttentionLayer (score, tied, rank,
        diagonal, learn_temperature, key_bias, bias, map_width, share_map, temperature), for what lies
        between. What is not set there has that class's default, so a temperature that is learned has to be
        asked for.
    n_tokens : int or None
        Tokens of a flat row; None: each feature is one. Rows as (n, n_tokens, n_features) need none.
    embed_dim, num_heads, n_layers : int
    mlp_ratio : float >= 0; hidden features of the MLP / embed_dim, 0: attention alone
    pooling : "mean", "cls" or "none"
        What is read: the mean of the tokens, a learned token that attends to them, or each token by itself,
        so that each has its target (tagging). Loss and score are then means over all tokens of all rows, and
        rows to validate with are drawn whatever their classes. In context there is nothing to pool.
    optimizer : "adamw", "adam" or "sgd"
    learning_rate : float or "auto", 0.005 of classes and 0.01 of numbers
    weight_decay : float
    max_norm : float or None; the gradient is clipped to it
    schedule : "constant", "cosine" or "step", of the learning rate
    batch_size : int or "auto", a sixteenth of the rows, at least 16 and at most 64: few rows need many steps
    max_epochs : int
    validation_fraction, early_stopping, n_iter_no_change, tol
        Training ends after n_iter_no_change epochs whose validation loss is not tol lower than the least,
        and the best weights are taken. Where a split would leave a class out, the training loss is watched.
    warm_start : bool; fit goes on from the last weights where shapes agree, in context too. Labels that no
        fit before has seen are refused, some of them may be missing; a regressor's targets keep their unit
    dtype : "float32" or "float64", of the model
    random_state, verbose (progress), n_jobs

    Attributes
    ----------
    classes_ : array (n_classes,)
    history_ : dict of arrays by epoch: loss, validation_loss, validation_score, learning_rate, seconds
    best_epoch_, n_iter_ : int
    mechanisms_ : mechanisms_[layer][head], a Mechanism on the tokens of `transform`; mechanism_ the first

    Notes
    -----
    Scale X first (StandardScaler). O(n n_tokens^2 embed_dim) time an epoch; memory linear in the batch's
    tokens. The same weights for any number of threads. fit(X, y, context="rows") learns W so that rows
    attend to labeled rows, each without its own label: kernel regression whose metric is learned.

    Examples
    --------
    >>> import likewise as lw
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> model = lw.AttentionClassifier("l2", n_tokens=8, max_epochs=10, random_state=0).fit(X / 16, y)
    >>> bool(model.score(X / 16, y) > 0.9)
    True
    """

    _usual_rate = 5e-3
    # Of the learned vectors of places at the start. Where each feature is a token, they alone say which
    # feature it is: with 0.02, usual where tokens are words, most of a training passes in telling features
    # apart. The larger, the more linear is what a token says of its feature.
    _position_std = 1.0

    def _samples(self, X, Y, padding, weights):
        return X, self._labels(Y), None, padding, weights

    def predict_proba(self, X, key_padding_mask=None):
        """Class probabilities (n, n_classes); (n, n_tokens, n_classes) where pooling is "none".

        There rows of padding say nothing: they are the same whatever the tokens.
        """
        outputs = self._outputs(X, key_padding_mask)
        return self._model.shares(outputs)

    def predict(self, X, key_padding_mask=None):
        """The most probable class of each row, or of each token (n, n_tokens) where pooling is "none"."""
        proba = self.predict_proba(X, key_padding_mask)
        return self.classes_[proba.argmax(axis=-1)]

    def score(self, X, y, sample_weight=None, key_padding_mask=None):
        """The share of rows whose class is found; where pooling is "none" of tokens, without padding."""
        return self._score(accuracy_score, X, y, sample_weight, key_padding_mask)


class AttentionRegressor(RegressorMixin, OfNumbers, _AttentionEstimator):
    """A small Transformer that predicts numbers from rows of tokens. See AttentionClassifier for parameters.

    Targets are brought to mean 0 and deviation 1 for the training, and back. Loss: mean squared error;
    validation_score is R^2.
    """

    _usual_rate = 1e-2
    _position_std = 3.0  # see AttentionClassifier: numbers are told by sums more often than classes are

    def _samples(self, X, Y, padding, weights):
        return X, None, Y, padding, weights

    def predict(self, X, key_padding_mask=None):
        """Targets (n,), or (n, n_targets) where they were given so; with pooling="none" of each token,
        (n, n_tokens) or (n, n_tokens, n_targets), where those of padding say nothing.
        """
        outputs = self._outputs(X, key_padding_mask)
        return self._targets.decode(outputs)

    def score(self, X, y, sample_weight=None, key_padding_mask=None):
        """R^2 of the predictions, the mean over targets; with pooling="none" over tokens, without padding."""
        return self._score(r2_score, X, y, sample_weight, key_padding_mask)
