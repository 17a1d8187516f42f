"""Targets of neighbor estimators, and what weighted neighbors say of them.

``ask(question, *about)`` is how they hear the neighbors: a question of the core, and what it is about.
"""

import numpy as np

from likewise import _core
from likewise.estimators._training import as_columns


class Numbers:
    """Targets (n,) or (n, n_outputs), of which neighbors give the mean."""

    def __init__(self, y, dtype):
        self._flat, self._dtype = y.ndim == 1, dtype
        self._columns = np.array(as_columns(y, np.float64))

    def means(self, ask):
        """Mean targets in the shape they were given in, and which queries have none."""
        mean, empty = ask(_core.neighbors_means, self._columns)
        mean = mean.astype(self._dtype, copy=False)
        return mean.ravel() if self._flat else mean, empty


class Labels:
    """Labels (n,) or (n, n_outputs), for which neighbors vote."""

    def __init__(self, y, dtype_of_shares):
        self.several, self._dtype = y.ndim == 2, dtype_of_shares
        columns = y.reshape(len(y), -1).T
        classes, codes = zip(*(np.unique(column, return_inverse=True) for column in columns))
        self.classes = list(classes)  # of each output
        self.codes = np.stack([column.ravel() for column in codes]).astype(np.int64)

    def shares(self, ask):
        """A list of each output's class shares (n_queries, n_classes), and which queries have no neighbor."""
        shares, empty = ask(_core.neighbors_shares, self.codes, self._sizes())
        return [share.astype(self._dtype, copy=False) for share in shares], empty

    def winners(self, ask):
        """A list of each output's labels with most votes, ties to the lowest; which queries have none."""
        codes, empty = ask(_core.neighbors_winners, self.codes, self._sizes())
        return [c[k] for c, k in zip(self.classes, codes.T)], empty

    def most_frequent(self):
        """The label of each output that most training points have."""
        return [classes[np.bincount(codes).argmax()] for classes, codes in zip(self.classes, self.codes)]

    def as_given(self, of_outputs):
        """Columns of labels, one of each output, in the shape they were given in."""
        return np.stack(of_outputs, axis=1) if self.several else of_outputs[0]

    def _sizes(self):
        return [len(classes) for classes in self.classes]


def type_beside(dtype, label):
    """The type of labels of this type and the label, None where it is of another kind.

    Numbers go by value: a plain 0 is as good an unsigned number as a signed one.
    """
    own = np.asarray(label).dtype
    if own.kind in "iu" and dtype.kind in "iu":
        if np.iinfo(dtype).min <= int(label) <= np.iinfo(dtype).max:
            return dtype
        common = np.promote_types(dtype, np.min_scalar_type(label))
        return common if common.kind in "iu" else None
    if not np.can_cast(own, dtype, casting="same_kind"):
        return None
    as_it_is = dtype.kind == "O" or (dtype.kind == "f" and dtype.type(label) == label)
    return dtype if as_it_is else np.result_type(dtype, own)


def with_label(labels, at, label):
    """The labels with this one where `at`, in a type that holds both: a longer string is not cut off."""
    labels = labels.astype(type_beside(labels.dtype, label))
    labels[at] = label
    return labels
