"""Tokens of many texts one below the other, and the texts of one form that are computed together."""

from dataclasses import dataclass

import numpy as np

LEAST_CONTENT = 3  # tokens that are not special: of two every score matrix is a metric, or its opposite


@dataclass(frozen=True)
class Group:
    """Texts with as many tokens and special ones at the same places.

    texts : (g,), which they are; rows : (g, n), where their tokens are; special : (n,)
    """

    texts: np.ndarray
    rows: np.ndarray
    special: np.ndarray

    @property
    def content(self):
        """The places (m,) in a text of what is not special."""
        return np.flatnonzero(~self.special)

    @property
    def content_rows(self):
        """(g, m), where those tokens are among all."""
        return self.rows[:, self.content]


class Tokens:
    """Texts by the masks of their special tokens, a list of (n_t,) of bool; N tokens in all.

    ids : (N,) or None, what tells special tokens of one kind; None: all are of one

    Attributes
    ----------
    text, position : (N,), which text a token is of, and its place there
    special : (N,)
    place : (N,), the position, but of special tokens one for each kind beyond all positions
    groups : tuple of Group
    """

    def __init__(self, special, ids=None):
        lengths = [len(mask) for mask in special]
        for t, mask in enumerate(special):
            n_content = len(mask) - int(np.sum(mask))
            if n_content < LEAST_CONTENT:
                raise ValueError(
                    f"texts must each have {LEAST_CONTENT} tokens or more that are not special; text {t} has "
                    f"{n_content}."
                )
        self.n_texts = len(special)
        self.text = np.repeat(np.arange(len(special)), lengths)
        self.position = np.concatenate([np.arange(n) for n in lengths])
        self.special = np.concatenate(special).astype(bool)
        kinds = np.unique(np.zeros_like(self.text) if ids is None else ids, return_inverse=True)[1]
        self.place = np.where(self.special, max(lengths) + kinds, self.position)
        starts = np.r_[0, np.cumsum(lengths)[:-1]]
        found = {}
        for t, mask in enumerate(special):
            found.setdefault(np.asarray(mask, bool).tobytes(), []).append(t)
        self.groups = tuple(
            Group(
                np.array(texts),
                starts[texts][:, None] + np.arange(lengths[texts[0]]),
                np.asarray(special[texts[0]], bool),
            )
            for texts in found.values()
        )

    @property
    def content(self):
        """(N - special ones,), the tokens that are not special."""
        return np.flatnonzero(~self.special)
