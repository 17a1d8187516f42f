"""Rows that attend to one another, of a batch, of the training or along the edges of a graph."""

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.validation import check_is_fitted

from likewise import _checks, kernels, metrics, normalizations, supports
from likewise._errors import ConvergenceError
from likewise._estimator import MechanismMixin, checked_sample_weight
from likewise._execution import execution, one_call
from likewise.estimators._epochs import NO_EPOCHS, OfClasses, OfNumbers, TrainedByEpochs
from likewise.estimators._saved import SavedInOneFile
from likewise.nn import FIRST_OF_MANY
from likewise.nn._layers import HEAD_SETTINGS, head_mechanism, open_metric
from likewise.nn._network import MODULES, PropagationNetwork, module_settings

_AT_ONCE = 512  # rows of a batch where nothing else is asked for
_PARAMETERS = """
    Parameters
    ----------
    attention : "metric", "l2", "dot", "additive", "additive_dynamic", "gcn" or dict
        How rows h and z of H are compared: |phi(h) - phi(z)|^2 with phi a network of one hidden layer and a
        residual connection (metric-attention, Ruan and Zhang 2024), |W h - W z|^2 (L2 attention),
        -<Q h, K z>, -act(<a, P h> + <a', P z>) (graph attention, Velickovic et al. 2018) or
        -<a, act(Q h + K z)> (Brody et al. 2022), act a leaky ReLU. "gcn" compares nothing: the weights of
        the graph, divided on both sides (graph convolution, Kipf and Welling 2017). Or settings of
        likewise.nn.AttentionLayer: what lies between; map_width, share_map, values, temperature and
        learn_temperature then stand there, not here.
    embed_dim : int
        Columns of H.
    n_layers : int >= 0
        Modules; 0: two linear maps and no attention.
    num_heads : int
        Heads of a module; several propagate a share of H's columns each, under a metric of their own.
    map_width : int or None
        Hidden units of phi; None: as many as a head has columns.
    share_map : bool
        One phi for all heads of a module.
    residual : bool
        H <- H + P(H) H.
    values : bool
        Learned maps of values and outputs; the published module has none.
    temperature : float, learn_temperature : bool
        t of exp(-c / t); 1 as published.
    context : "batch" or "training"
        Whom a row attends to. "batch": the rows of its batch; asked rows attend to one another, so what one
        is told depends on who is asked with it. "training": all training rows too, in every step and
        whenever rows are asked, which then are one set with them (transductive). With a graph its edges say
        it, in fit and at predict.
    self_loops : bool
        Each node of a graph attends to itself too; of "gcn" with weight 1 where the graph has no loop there.
    batch_size : int or "auto", all rows, with context="batch" up to 512
        Rows whose loss makes a step; with context="batch" also those that attend to one another.
    predict_batch_size : int or None
        Asked rows that attend to one another; None: as many as a batch has.
    optimizer : "adam", "adamw" or "sgd"
    learning_rate : float or "auto", 0.01
    weight_decay : float
        Of "adam" it is added to the gradient, as in torch.optim.Adam.
    max_norm : float or None; the gradient is clipped to it
    schedule : "constant", "cosine" or "step", of the learning rate
    max_epochs : int
    validation_fraction, early_stopping, n_iter_no_change, tol
        Training ends after n_iter_no_change epochs whose validation loss is not tol lower than the least,
        and the best weights are taken.
    warm_start : bool; fit goes on from the last weights where shapes agree
    dtype : "float32" or "float64", of the network
    random_state, verbose (progress), n_jobs
"""
_FITTED = """
    history_ : dict of arrays by epoch: loss, validation_loss, validation_score, learning_rate, seconds
    best_epoch_, n_iter_ : int
    mechanisms_ : mechanisms_[layer][head], a Mechanism on the rows of `transform(X, layer)`
    network_ : likewise.nn.PropagationNetwork
"""


class _PropagationEstimator(SavedInOneFile, TrainedByEpochs, MechanismMixin, TransformerMixin, BaseEstimator):
    """What PropagationClassifier and PropagationRegressor share."""

    _values, _note = "H, the rows themselves", FIRST_OF_MANY
    _usual_rate = 1e-2

    def __init__(
        self,
        attention="metric",
        *,
        embed_dim=16,
        n_layers=2,
        num_heads=1,
        map_width=None,
        share_map=False,
        residual=False,
        values=False,
        temperature=1.0,
        learn_temperature=False,
        context="batch",
        self_loops=True,
        batch_size="auto",
        predict_batch_size=None,
        optimizer="adam",
        learning_rate="auto",
        schedule="constant",
        weight_decay=1e-4,
        max_norm=None,
        max_epochs=300,
        validation_fraction=0.1,
        early_stopping=False,
        n_iter_no_change=50,
        tol=1e-4,
        warm_start=False,
        dtype="float64",
        random_state=None,
        verbose=False,
        n_jobs=None,
    ):
        self.attention = attention
        self.embed_dim = embed_dim
        self.n_layers = n_layers
        self.num_heads = num_heads
        self.map_width = map_width
        self.share_map = share_map
        self.residual = residual
        self.values = values
        self.temperature = temperature
        self.learn_temperature = learn_temperature
        self.context = context
        self.self_loops = self_loops
        self.batch_size = batch_size
        self.predict_batch_size = predict_batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.max_norm = max_norm
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

    def fit(self, X, y, sample_weight=None, *, graph=None):
        """Train on rows X (n, n_features) and their targets y.

        Parameters
        ----------
        y : array (n,), or (n, n_targets) of a regressor
            With a graph -1 is a node without a label, NaN one without a number.
        sample_weight : array (n,) >= 0 or None
            Of the loss: who attends to a row does not ask it. A row of weight 0 is as if not there; with
            context="training" or a graph it is there, without a label.
        graph : sparse or dense matrix (n, n), int array (2, n_edges), or None
            A stored or nonzero entry (i, j) lets node i attend to node j; "gcn" alone reads weights, and adds
            up those of edges that are listed again. An array of two rows is an edge_index as torch_geometric
            has it: from its first row to its second, so that
            node edge_index[1, e] attends to edge_index[0, e]. None: everybody attends to everybody.

        Returns
        -------
        self. Ctrl-C ends the training, warns, and keeps the best weights so far.
        """
        self._check_parameters()
        X = self._check_X(X, reset=True)
        y, known = self._take_targets(y, len(X), with_graph=graph is not None)
        if graph is None and self.attention == "gcn":
            raise ValueError("graph must be given with attention='gcn', whose weights it has; got None.")
        support = None if graph is None else self._edges(graph, len(X))
        weights = known.astype(np.float64)
        if sample_weight is not None:
            weights = weights * checked_sample_weight(sample_weight, X)
        if not weights.any():
            raise ValueError("y must hold a label of positive weight; got none.")
        with execution(n_jobs=self.n_jobs, progress=True if self.verbose else None), one_call():
            self._fit(X, y, weights, support)
        return self

    def _check_parameters(self):
        self._require(
            self.attention in MODULES
            if isinstance(self.attention, str)
            else isinstance(self.attention, dict) and self.attention.keys() <= HEAD_SETTINGS,
            "attention",
            f"one of {', '.join(map(repr, MODULES))} or a dict of {', '.join(sorted(HEAD_SETTINGS))}",
        )
        self._require_counts("embed_dim", "num_heads")
        self._require(_checks.integer(self.n_layers, "n_layers") >= 0, "n_layers", "an int, at least 0")
        self._require(
            self.embed_dim % self.num_heads == 0, "num_heads", f"a divisor of embed_dim = {self.embed_dim}"
        )
        self._require_words({"context": ("batch", "training")})
        for name, word in (("batch_size", "auto"), ("predict_batch_size", None), ("map_width", None)):
            value = getattr(self, name)
            self._require(
                ((value is None or isinstance(value, str)) and value == word)
                or _checks.integer(value, name, repr(word)) >= 1,
                name,
                f"{word!r} or an int, at least 1",
            )
        for name in ("share_map", "residual", "values", "learn_temperature", "self_loops"):
            self._require(isinstance(getattr(self, name), (bool, np.bool_)), name, "a bool")
        self._require_numbers(positive=("temperature",))
        self._check_training()

    def _take_targets(self, y, n, *, with_graph):
        """y with something in the place of what is not known, and what is."""
        known = None
        if with_graph and y is not None:
            y, known = self._known(y)
        y = self._take_y(y)
        if len(y) != n:
            raise ValueError(f"X and y must have the same length; got n_samples = {n} and {len(y)}.")
        return y, np.ones(n, bool) if known is None else known

    def _edges(self, graph, n):
        """Who may attend to whom, as a support."""
        _checks.refuse_sparse_tensors(graph, "graph")
        if sparse.issparse(graph):
            A = _checks.csr(graph, "graph")
        else:
            A = np.asarray(graph)
            if A.ndim == 2 and A.shape[0] == 2 and A.shape != (n, n):
                if A.dtype.kind not in "iu":
                    raise ValueError(f"graph must hold node numbers, ints, as an edge_index; got {A.dtype}.")
                if A.size and not (A.min() >= 0 and A.max() < n):
                    raise ValueError(
                        f"graph must hold nodes in [0, {n - 1}]; got {int(A.min())} to {int(A.max())}."
                    )
                A = sparse.csr_matrix((np.ones(A.shape[1]), (A[1], A[0])), shape=(n, n))
            elif A.shape == (n, n):
                A = sparse.csr_matrix(_checks.reals(A, "graph", np.float64))
        if A.shape != (n, n):
            raise ValueError(
                f"graph must be of shape ({n}, {n}), or (2, n_edges) of node numbers; got {A.shape}."
            )
        given = self.attention == "gcn"
        A = sparse.csr_matrix(A, dtype=np.float64, copy=True)
        if not np.isfinite(A.data).all():
            raise ValueError("graph must have finite entries; got NaN or infinity.")
        if not given:
            A.data[:] = 1  # stored zeros are edges
        elif not (A.data >= 0).all():
            raise ValueError("graph must have weights that are not negative with attention='gcn'.")
        if self.self_loops:  # where there is none yet
            A = A + sparse.diags((A.diagonal() == 0).astype(float), format="csr")
        return supports.Graph(A, weights="given" if given else "kernel")

    def _fit(self, X, y, weights, support):
        random_state = _checks.random_of(self.random_state)
        seed = random_state.randint(2**31)
        kept = self._going_on(
            PropagationNetwork, lambda n: n.is_of(self._options(X, self._kept_outputs(y)), self.dtype)
        )
        learned = weights > 0
        targets = self._targets_of(y[learned], weights[learned], goes_on=kept is not None)
        Y = np.zeros((len(y), targets.encode(y[learned][:1]).shape[1]))
        Y[learned] = targets.encode(y[learned])
        network = kept or PropagationNetwork._of_options(
            self._options(X, Y.shape[1]), str(np.dtype(self.dtype)), seed
        )
        rows = np.flatnonzero(learned)
        labels = self._labels(Y)
        training, validation = self._split_rows(
            len(rows), None if labels is None else labels[rows], random_state
        )
        of_training, of_validation = np.zeros(len(y)), None
        of_training[rows[training]] = weights[rows[training]]
        if validation is not None:
            of_validation = np.zeros(len(y))
            of_validation[rows[validation]] = weights[rows[validation]]
        whole = support is not None or self.context == "training"
        numbers = Y.astype(network.dtype) if labels is None else None
        data = (X, labels, numbers, None, of_training, of_validation, whole, support or supports.AllPairs())
        vars(self).pop("transduction_", None)  # of a fit before, on a graph
        self._graph, self._whole = support, None
        if whole:
            self._whole = np.array(X, network.dtype)
        self._n_at_once = self._rows_at_once(len(training), whole)
        try:
            history = network.train(data, self._training_options(seed, self._n_at_once))
        except ConvergenceError:  # which left the last parameters whose loss was finite
            self._finish(network, targets, dict(NO_EPOCHS))
            raise
        self._finish(network, targets, history)
        self._tell_nodes()

    def _tell_nodes(self):
        """What a classifier says of the nodes of the graph that it was fitted on."""

    def _rows_at_once(self, n, whole):
        if self.batch_size != "auto":
            return int(self.batch_size)
        return n if whole else min(n, _AT_ONCE)  # of a whole set every step costs as much

    def _options(self, X, n_outputs):
        return {
            "n_features": X.shape[1],
            "n_outputs": n_outputs,
            "n_layers": int(self.n_layers),
            "residual": bool(self.residual),
            **self._module(),
        }

    def _module(self):
        return module_settings(
            self.attention,
            int(self.embed_dim),
            int(self.num_heads),
            map_width=self.map_width,
            share_map=bool(self.share_map),
            values=bool(self.values),
            temperature=self.temperature,
            learn_temperature=bool(self.learn_temperature),
        )

    # --- asking -----------------------------------------------------------------------------------------

    def _outputs(self, X, graph):
        return self._ask(X, graph, lambda network, X, **how: network.predict(X, **how)).astype(np.float64)

    def _ask(self, X, graph, ask):
        check_is_fitted(self, "_model")
        X = self._check_X(X, reset=False)
        with execution(n_jobs=self.n_jobs), one_call():
            if graph is None and self._graph is not None:
                if len(X) != len(self._whole):
                    raise ValueError(
                        f"graph must be given for other nodes than the {len(self._whole)} of fit; got none "
                        f"for {len(X)}."
                    )
                return ask(self._model, X, support=self._graph)
            if graph is not None:
                return ask(self._model, X, support=self._edges(graph, len(X)))
            context = self._whole if self.context == "training" else None
            return ask(self._model, X, batch_size=self.predict_batch_size or self._n_at_once, context=context)

    def transform(self, X, layer=-1, graph=None):
        """H (n, embed_dim) before that module, -1: after the last one, of rows asked as in `predict`."""

        def hidden(network, X, batch_size=None, context=None, support="all"):
            size, parts = batch_size or max(1, len(X)), []
            for begin in range(0, len(X), size):
                rows = X[begin : begin + size]
                network.forward(
                    rows if context is None else np.r_[context, rows.astype(network.dtype)], support
                )
                parts.append(network.hidden(layer)[-len(rows) :])
            return np.concatenate(parts) if parts else np.empty((0, self.embed_dim))

        return self._ask(X, graph, hidden)

    def attention_weights(self, X, layer=0, graph=None):
        """P (num_heads, n, n) of rows X that attend to one another in that module, all in one batch."""

        def weights(network, X, batch_size=None, context=None, support="all"):
            network.forward(X, support)
            return network.attention_weights(layer)

        return self._ask(X, graph, weights)

    @property
    def network_(self):
        """The trained network."""
        check_is_fitted(self, "_model")
        return self._model

    @property
    def mechanisms_(self):
        """mechanisms_[layer][head], a Mechanism on the rows of `transform(X, layer)`."""
        network, support = self.network_, "all" if self._graph is None else self._graph
        return [
            [network.mechanism(layer, head, support) for head in range(self.num_heads)]
            for layer in range(self.n_layers)
        ]

    @property
    def mechanism_(self):
        """mechanisms_[0][0]: the first head of the first module."""
        return self.mechanisms_[0][0]

    @classmethod
    def from_mechanism(cls, mechanism, **params):
        """The estimator whose heads start as `mechanism`: "dot" of an open Bilinear(), "l2" of an open
        Mahalanobis(), "metric" of an open Mapped(ResidualMLP()), "additive" of an open Additive(), "gcn" of a
        symmetric normalization."""
        kinds = {
            metrics.Bilinear: "dot",
            metrics.Mahalanobis: "l2",
            metrics.Mapped: "metric",
            metrics.Additive: "additive",
            metrics.AdditiveDynamic: "additive_dynamic",
        }
        if mechanism.normalization == normalizations.Symmetric():
            params.setdefault("attention", "gcn")
        elif type(mechanism.metric) in kinds:
            params.setdefault("attention", kinds[type(mechanism.metric)])
        if isinstance(mechanism.kernel, kernels.Exponential):
            params.setdefault("temperature", mechanism.kernel.temperature)
        return super().from_mechanism(mechanism, **params)

    def _make_mechanism(self):
        """Of one head as training starts, on rows of H: its metric is open."""
        self._check_parameters()
        settings = self._module()
        return head_mechanism(settings, open_metric(settings), settings.get("temperature") or 1.0, "all")

    def state_dict(self):
        """A copy of each parameter of the trained network by its name."""
        return self.network_.state_dict()

    # --- files ------------------------------------------------------------------------------------------

    def _found(self):
        return {**super()._found(), "_n_at_once": self._n_at_once}

    def _with_model(self):
        return self._whole, self._graph

    def _take_back(self, context, graph):
        self._whole, self._graph = context, graph

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True  # what a row is told depends on the rows that it is asked with
        tags.transformer_tags.preserves_dtype = []
        return tags


def _is_missing(label):
    """None, NaN, or pandas' NA, which will not say whether it equals itself."""
    try:
        return label is None or bool(label != label)
    except TypeError:
        return True


class PropagationClassifier(ClassifierMixin, OfClasses, _PropagationEstimator):
    __doc__ = f"""A propagation network that classifies rows, which attend to one another.

    H = X Wi^T + bi, n_layers times H <- P(H) H, then H Wo^T + bo and softmax: the interaction propagation
    network (IPN) of Ruan and Zhang (2024, section 6). P_ij is proportional to exp(-c(h_i, h_j) / t).
{_PARAMETERS}
    Attributes
    ----------
    classes_ : array (n_classes,)
    transduction_ : array (n,), the class of each node, where fit had a graph{_FITTED}
    Notes
    -----
    Scale X first (StandardScaler). O(n_layers n^2 embed_dim) time a step of n rows, of a graph O(n_layers
    edges embed_dim); memory linear in rows and edges. On a graph one argument tells metric-attention, L2
    attention, dot products, graph attention and graph convolution apart.

    Examples
    --------
    >>> import likewise as lw
    >>> from sklearn.datasets import make_moons
    >>> X, y = make_moons(200, noise=0.1, random_state=0)
    >>> model = lw.PropagationClassifier("metric", random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.9)
    True
    """

    def _known(self, y):
        y = np.asarray(y, dtype=object) if not hasattr(y, "dtype") else np.asarray(y)
        if any(_is_missing(label) for label in y.ravel()):
            raise ValueError("y must hold labels, -1 where a node has none; got missing ones (NaN or None).")
        unlabeled = np.array([label == -1 or label == "-1" for label in y.ravel()], bool)
        if unlabeled.all():
            raise ValueError("y must hold at least one label; got only unlabeled nodes (-1).")
        y = y.copy()
        y[unlabeled] = y[np.argmin(unlabeled)]
        return np.array(y.tolist()) if y.dtype == object else y, ~unlabeled

    def _tell_nodes(self):
        if self._graph is not None:
            outputs = self._model.predict(self._whole, support=self._graph)
            self.transduction_ = self.classes_[outputs.argmax(axis=1)]

    def predict_proba(self, X, graph=None):
        """Class probabilities (n, n_classes) of rows that are asked together.

        They attend to one another, so that a row asked alone is told something else than in a batch.

        graph : as in fit, of the rows of X; None: the edges of fit, of its nodes
        """
        logits = self._outputs(X, graph)
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def predict(self, X, graph=None):
        """The most probable class of each row."""
        proba = self.predict_proba(X, graph)
        return self.classes_[proba.argmax(axis=1)]

    def score(self, X, y, sample_weight=None, graph=None):
        """The share of rows whose class is found."""
        return accuracy_score(y, self.predict(X, graph), sample_weight=sample_weight)


class PropagationRegressor(RegressorMixin, OfNumbers, _PropagationEstimator):
    __doc__ = f"""A propagation network that predicts numbers of rows, which attend to one another.

    As PropagationClassifier, with squared errors in the place of softmax. Targets are brought to mean 0 and
    deviation 1 for the training, and back.
{_PARAMETERS}
    Attributes
    ----------{_FITTED}    """

    def _known(self, y):
        _checks.refuse_columns(y, "y")
        y = np.array(_checks.reals(y, "y"), np.float64)
        known = ~np.isnan(y.reshape(len(y), -1)).any(axis=1)
        if not known.any():
            raise ValueError("y must hold at least one number; got only NaN.")
        y[~known] = y[np.argmax(known)]
        return y, known

    def predict(self, X, graph=None):
        """Targets (n,), or (n, n_targets) where they were given so, of rows that are asked together."""
        outputs = self._outputs(X, graph)
        return self._targets.decode(outputs)

    def score(self, X, y, sample_weight=None, graph=None):
        """R^2 of the predictions, the mean over targets."""
        return r2_score(y, self.predict(X, graph), sample_weight=sample_weight)
