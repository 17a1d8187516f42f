"""How any model of the study learns and is asked; `row_run` and `sequence_run` say of what kind."""

import numpy as np

from likewise._errors import ConvergenceError

N_POINTS = 60  # of a curve
NOISE = 0.5  # standard deviations of each feature, added to rows that are asked


class Run:
    """A model that learns the data of a cell.

    Parameters
    ----------
    cell : Cell; experiment : Experiment; data : Rows

    Attributes
    ----------
    model : what has flat_parameters; a kind's own
    steps_of_epoch : int
    """

    def __init__(self, cell, experiment, data):
        self.cell, self.experiment, self.data = cell, experiment, data
        self.n_classes = int(data.y.max()) + 1
        self.asked_y = data.y[data.asked]

    def record(self):
        """Measures and the curve, a dict."""
        at_start = self.attention()
        curve, diverged = self._learn()
        logits = self._asked(self.data.X)
        loss, n_late = np.array(curve["loss"]), max(1, len(curve["loss"]) // 10)
        return {
            **at_start,
            "accuracy": self._score(logits),
            "guessing": float(np.bincount(self.asked_y).max() / len(self.asked_y)),
            "asked_loss": _cross_entropy(logits, self.asked_y),
            "accuracy_under_noise": self._score(self._asked(self._noisy())),
            "final_loss": float(loss[-1]) if len(loss) else np.nan,
            "mean_loss": float(loss.mean()) if len(loss) else np.nan,
            "late_fall": float((loss[-1 - n_late] - loss[-1]) / loss[0]) if len(loss) > n_late else np.nan,
            "n_parameters": len(self.model.flat_parameters),
            "diverged": diverged,
            "curve": {} if self.cell.validation else curve,
            **self.at_end(),
        }

    # --- what a kind says

    def attention(self):
        """Before training: perplexity, n_keys, variance_at_start where they are known."""
        raise NotImplementedError

    def at_end(self):
        """After training: what the kind alone can be asked."""
        return {}

    def train(self, n_epochs):
        """The history of so many more epochs."""
        raise NotImplementedError

    def ask(self, X):
        """Class scores (n_asked, n_classes) of the asked rows as X has them."""
        raise NotImplementedError

    # --- what all share

    def options(self, n_epochs, batch_size):
        """Of a training, as the compiled part has them."""
        return {
            "task": "classification",
            "optimizer": "adam",
            "schedule": "constant",
            "learning_rate": self.cell.learning_rate,
            "weight_decay": self.experiment.weight_decay,
            "batch_size": batch_size,
            "max_epochs": n_epochs,
            "max_norm": 0.0,
            "patience": 0,
            "min_delta": 0.0,
            "seed": self.cell.seed,
        }

    def _learn(self):
        """(curve, whether the loss became infinite): at most N_POINTS of step, training loss, accuracy."""
        n_epochs = max(1, round(self.cell.steps / self.steps_of_epoch))
        ends = np.linspace(0, n_epochs, min(N_POINTS, n_epochs) + 1).round().astype(int)
        curve = {"step": [], "loss": [], "accuracy": []}
        for begin, end in zip(ends, ends[1:]):
            try:
                history = self.train(int(end - begin))
            except ConvergenceError:  # which keeps the last parameters whose loss was finite
                return curve, True
            if "interrupt" in history:
                raise KeyboardInterrupt
            curve["step"].append(int(end) * self.steps_of_epoch)
            curve["loss"].append(history["loss"][-1])
            curve["accuracy"].append(self._score(self._asked(self.data.X)))
        return curve, False

    def _asked(self, X):
        """Class scores, or None where the parameters have run away."""
        try:
            return self.ask(X)
        except ValueError:
            return None

    def _score(self, logits):
        """The share of asked rows whose class is found; of a model that has run away that of guessing."""
        if logits is None:
            return 1 / self.n_classes
        return float(np.mean(logits.argmax(axis=1) == self.asked_y))

    def _noisy(self):
        """The rows, with normal noise on the asked ones."""
        X, asked = self.data.X.copy(), self.data.asked
        scale = NOISE * X[self.data.train].std(axis=0)
        X[asked] += scale * np.random.RandomState(self.cell.seed).standard_normal(X[asked].shape)
        return X


def perplexity_of(P):
    """Mean perplexity of rows that sum to 1, P (..., n_keys): exp of their entropy in nats."""
    P = P.astype(float)
    return float(np.exp(-np.sum(P * np.log(np.where(P > 0, P, 1)), axis=-1)).mean())


def _cross_entropy(logits, y):
    """Mean negative log probability of the classes, in nats; infinite of a model that has run away."""
    if logits is None:
        return np.inf
    logits = logits.astype(float)
    top = logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
    return float(np.mean(log_sum - logits[np.arange(len(y)), y]))
