"""What likewise.explain answers with: a mechanism, what it is applied to, and how a peer's output follows."""

import inspect
from dataclasses import dataclass, field
from typing import Optional

import numpy as np

from likewise._mechanism import Mechanism


@dataclass(frozen=True, eq=False)
class Step:
    """A fitted model as one step: ``step(X)`` is mechanism.operator(X, keys) @ values + intercept.

    mechanism : Mechanism
    keys : (n_keys, n_features), the points that are asked
    values : (n_keys,) or (n_keys, c)
    intercept : float or (c,)
    log_key_weights : (n_keys,) or None
    """

    mechanism: Mechanism
    keys: np.ndarray
    values: np.ndarray
    intercept: object = 0.0
    log_key_weights: object = None

    def operator(self, X):
        """The operator from X (n_queries, n_features) to the keys."""
        X = np.asarray(X.toarray() if hasattr(X, "toarray") else X)
        return self.mechanism.operator(X, self.keys, log_key_weights=self.log_key_weights)

    def __call__(self, X):
        return self.operator(X) @ self.values + self.intercept


@dataclass(frozen=True)
class Explanation:
    """A mechanism, what its values v are, and what to know; ``str`` is the equation with its slots.

    mechanism is None of a method that is no propagation; the note says why.

    Of a fitted model of another library also:

    reproduce(X) : the model's own output, computed from the mechanism; outputs names all that can be asked,
        name -> function
    step : Step or None, the model as mechanism, keys, values and intercept, where it is one step
    heads : tuple, the mechanism of each head of a layer that has several
    """

    mechanism: Optional[Mechanism]
    values: str = ""
    note: str = ""
    step: Optional[Step] = field(default=None, compare=False, repr=False)
    outputs: dict = field(default_factory=dict, compare=False, repr=False)
    heads: tuple = field(default=(), compare=False, repr=False)
    _unfitted: str = field(default="", compare=False, repr=False)
    _columns: tuple = field(default=(), compare=False, repr=False)  # of the table of fit

    @property
    def propagation(self):
        """The fifth slot, what is done with the operator: a value of likewise.propagations."""
        return self.mechanism and self.mechanism.propagation

    def reproduce(self, *arguments, output=None, **keywords):
        """The model's output, by operators of likewise: ``outputs[output](*arguments, **keywords)``.

        output is one of the names in `outputs`, None the first of them. Arrays in, arrays out.

        Raises
        ------
        NotFittedError : the model was not fitted when it was explained
        ValueError : there is no model of another library behind this, or no output of that name
        """
        if self._unfitted:
            from sklearn.exceptions import NotFittedError

            raise NotFittedError(
                f"reproduce must come after fit: explain the fitted {self._unfitted}, this one is not."
            )
        if not self.outputs:
            raise ValueError(
                "reproduce must be asked of an explained model of another library; here there is none."
            )
        if output is not None and output not in self.outputs:
            known = ", ".join(map(repr, self.outputs))
            raise ValueError(f"output must be one of {known}; got {output!r}.")
        for table in (given for given in arguments if self._columns and hasattr(given, "columns")):
            if tuple(table.columns) != self._columns:
                wanted, got = (", ".join(map(str, names)) for names in (self._columns, table.columns))
                raise ValueError(f"X must have the columns of fit in their order, {wanted}; got {got}.")
        return self.outputs[next(iter(self.outputs)) if output is None else output](*arguments, **keywords)

    def _rows(self):
        """What is said below the slots: (name, text)."""
        yield "values v", self.values
        if self.step is not None:
            yield "keys z", f"{len(self.step.keys)} points of the fitted model"
            yield "intercept", _told_number(self.step.intercept)
        if len(self.heads) > 1:
            yield "heads", f"{len(self.heads)}, of which this is the first; .heads has all"
        yield "note", self.note
        yield "reproduces", ", ".join(f"{name}({_asks(f)})" for name, f in self.outputs.items())

    def __str__(self):
        lines = [] if self.mechanism is None else [self.mechanism.equation().rstrip("\n")]
        return "\n".join(lines + [f"  {name:<20}{text}" for name, text in self._rows() if text])

    def _repr_html_(self):
        from html import escape

        from likewise import _html

        rows = [(name, text) for name, text in self._rows() if text and name not in ("values v", "note")]
        return _html.of_explanation(self) + "".join(f"<p>{escape(f'{n}: {t}')}</p>" for n, t in rows)


def _told_number(intercept):
    """A number as it is, several by how many they are, nothing of 0."""
    found = np.atleast_1d(intercept)
    if not found.any():
        return ""
    return f"{found[0]:.4g}" if found.size == 1 else f"{found.size} numbers"


def _asks(function):
    """The parameters of an output's function that are left open."""
    return ", ".join(inspect.signature(function).parameters)
