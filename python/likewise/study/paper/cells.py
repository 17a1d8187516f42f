"""One cell: an arm learns an experiment from one seed under one setting, and what it became is recorded."""

import time
from dataclasses import asdict, dataclass

import numpy as np

import likewise as lw
from likewise._errors import ConvergenceError
from likewise.study.paper import arms, experiments

N_POINTS = 60  # of a curve
NOISE = 0.5  # standard deviations of each feature, added to rows that are asked
MESSAGE_LENGTH = 300
MEASURES = (
    *("accuracy", "guessing", "asked_loss", "accuracy_beside_training", "accuracy_under_noise", "final_loss"),
    *("mean_loss", "late_fall", "perplexity", "n_keys", "variance_at_start", "variance_at_end"),
    *("n_parameters", "diverged", "seconds", "error"),
)


@dataclass(frozen=True)
class Cell:
    """What is run once, whoever asks for it.

    Attributes
    ----------
    experiment, arm : str; seed : int, of the rows, the start and the order of batches
    learning_rate : float; steps : int
    n_layers : int, modules; residual : bool, H <- H + P H
    batch : int, rows of a step that attend to one another; 0: all
    context : "batch", or "training": asked rows are there, without labels, in every step
    validation : bool, asks rows held out from training, not those of the test
    """

    experiment: str
    arm: str
    seed: int
    learning_rate: float
    steps: int
    n_layers: int = 2
    residual: bool = False
    batch: int = 0
    context: str = "batch"
    validation: bool = False


def _empty(cell, error=""):
    return {**asdict(cell), **dict.fromkeys(MEASURES, np.nan), "error": error, "curve": {}}


def crashed(cell):
    """The record of a cell whose process died."""
    return _empty(cell, "the worker process died")


def run_cell(cell):
    """The record, a dict: the cell's fields, MEASURES and its curve. An error is recorded, not raised."""
    start, record = time.perf_counter(), _empty(cell)
    try:
        with lw.execution(n_jobs=1, progress=False):  # cells share the cores
            record |= _Run(cell).record()
    except Exception as error:
        record["error"] = f"{type(error).__name__}: {error}"[:MESSAGE_LENGTH]
    return {**record, "seconds": time.perf_counter() - start}


class _Run:
    """A network that learns the rows of a cell."""

    def __init__(self, cell):
        self.cell, self.experiment = cell, experiments.get(cell.experiment)
        rows = self.experiment.make(cell.seed)
        self.rows = rows.held_out(cell.seed) if cell.validation else rows
        self.support = self.rows.support
        self.n_classes = int(rows.y.max()) + 1
        self.network = arms.get(cell.arm).network(
            self.experiment, rows.X.shape[1], self.n_classes, cell.n_layers, cell.residual, cell.seed
        )
        n_train = len(self.rows.train)
        self.batch = min(cell.batch, n_train) if cell.batch else n_train
        self.together = self.rows.graph is not None or cell.context == "training"

    def record(self):
        rows, cell = self.rows, self.cell
        at_start = self._attention()
        curve, diverged = self._learn()
        logits = self._ask(rows.X)
        loss, n_late = np.array(curve["loss"]), max(1, len(curve["loss"]) // 10)
        return {
            **at_start,
            "accuracy": self._score(logits),
            "guessing": float(np.bincount(rows.y[rows.asked]).max() / len(rows.asked)),
            "asked_loss": _cross_entropy(logits, rows.y[rows.asked]),
            "accuracy_beside_training": self._score(self._ask(rows.X, beside_training=True)),
            "accuracy_under_noise": self._score(self._ask(self._noisy())),
            "final_loss": float(loss[-1]) if len(loss) else np.nan,
            "mean_loss": float(loss.mean()) if len(loss) else np.nan,
            "late_fall": float((loss[-1 - n_late] - loss[-1]) / loss[0]) if len(loss) > n_late else np.nan,
            "variance_at_end": self._variance(),
            "n_parameters": len(self.network.flat_parameters),
            "diverged": diverged,
            "curve": {} if cell.validation else curve,
        }

    def _learn(self):
        """(curve, whether the loss became infinite): at most N_POINTS of step, training loss, accuracy."""
        per_epoch = 1 if self.together else -(-len(self.rows.train) // self.batch)
        n_epochs = max(1, round(self.cell.steps / per_epoch))
        ends = np.unique(np.linspace(0, n_epochs, min(N_POINTS, n_epochs) + 1).round().astype(int))
        curve = {"step": [], "loss": [], "accuracy": []}
        for begin, end in zip(ends, ends[1:]):
            try:
                history = self.network.train(self._data(), self._options(int(end - begin)))
            except ConvergenceError:  # which keeps the last parameters whose loss was finite
                return curve, True
            if "interrupt" in history:
                raise KeyboardInterrupt
            curve["step"].append(int(end) * per_epoch)
            curve["loss"].append(history["loss"][-1])
            curve["accuracy"].append(self._score(self._ask(self.rows.X)))
        return curve, False

    def _data(self):
        """Rows that are asked weigh nothing: in a batch they are as if not there."""
        weights = np.zeros(len(self.rows.y))
        weights[self.rows.train] = 1
        return self.rows.X, self.rows.y, None, None, weights, None, self.together, self.support

    def _options(self, n_epochs):
        return {
            "task": "classification",
            "optimizer": "adam",
            "schedule": "constant",
            "learning_rate": self.cell.learning_rate,
            "weight_decay": self.experiment.weight_decay,
            "batch_size": len(self.rows.train) if self.together else self.batch,
            "max_epochs": n_epochs,
            "max_norm": 0.0,
            "patience": 0,
            "min_delta": 0.0,
            "seed": self.cell.seed,
        }

    def _ask(self, X, beside_training=False):
        """Class scores (n_asked, n_classes); None where the parameters have run away."""
        rows = self.rows
        try:
            if rows.graph is not None:
                return self.network.predict(X, support=self.support)[rows.asked]
            beside = beside_training or self.together
            batch = len(rows.asked) if self.together else self.batch
            return self.network.predict(X[rows.asked], batch, X[rows.train] if beside else None)
        except ValueError:
            return None

    def _score(self, logits):
        """The share of asked rows whose class is found; of a network that has run away that of guessing."""
        if logits is None:
            return 1 / self.n_classes
        return float(np.mean(logits.argmax(axis=1) == self.rows.y[self.rows.asked]))

    def _noisy(self):
        X, asked = self.rows.X.copy(), self.rows.asked
        scale = NOISE * X[self.rows.train].std(axis=0)
        X[asked] += scale * np.random.RandomState(self.cell.seed).standard_normal((len(asked), X.shape[1]))
        return X

    # --- whether there is something to learn from

    def _forward(self):
        """A pass of rows as a step has them."""
        together = self.together
        X = self.rows.X if together else self.rows.X[self.rows.train[: self.batch]]
        self.network.forward(X, self.support)

    def _attention(self):
        """Of the first module's rows of P the mean perplexity (keys), and of how many; what is left of H."""
        self._forward()
        found = {"variance_at_start": self._variance()}
        if self.network.options["n_layers"] == 0:
            return found
        P = self.network.attention_weights(0)[0].astype(float)
        entropy = -np.sum(P * np.log(np.where(P > 0, P, 1)), axis=1)
        n_keys = P.shape[1] if self.rows.graph is None else np.diff(self.rows.graph.indptr).mean()
        return {**found, "perplexity": float(np.exp(entropy).mean()), "n_keys": float(n_keys)}

    def _variance(self):
        """Variance of the rows of H after the modules, as a share of that before; NaN if they ran away."""
        try:
            self._forward()
        except ValueError:
            return np.nan
        before, after = (self.network.hidden(layer).astype(float).var(axis=0).sum() for layer in (0, -1))
        return float(after / before) if before > 0 else np.nan


def _cross_entropy(logits, y):
    """Mean negative log probability of the classes, in nats; infinite of a network that has run away."""
    if logits is None:
        return np.inf
    logits = logits.astype(float)
    top = logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
    return float(np.mean(log_sum - logits[np.arange(len(y)), y]))
