"""The calibrated metric of a head: of states as they occur, usable on new ones."""

from dataclasses import dataclass

import numpy as np

LEAST = 1e-10  # of the largest eigenvalue: below, a covariance counts as without that direction
UNEXPLAINED = 1e-3  # share of queries' variance that a linear map of the states may leave


def roots(covariance):
    """Cov^1/2 and Cov^-1/2, both (width, width); directions without variance are left out of both."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > LEAST * values[-1]
    values, vectors = values[kept], vectors[:, kept]
    return (vectors * np.sqrt(values)) @ vectors.T, (vectors / np.sqrt(values)) @ vectors.T


@dataclass(frozen=True)
class Geometry:
    """What a metric of states is made of.

    root, inverse_root : Cov^1/2 and Cov^-1/2 (width, width)
    of_queries, of_keys : Wq, Wk (d, width)
    """

    root: np.ndarray
    inverse_root: np.ndarray
    of_queries: np.ndarray
    of_keys: np.ndarray

    @classmethod
    def of(cls, states, of_queries, of_keys):
        """From states (N, width) of tokens that are not special."""
        return cls(*roots(np.cov(states, rowvar=False)), of_queries, of_keys)

    def factor(self):
        """F (rank, width), rank at most d, with F'F = Cov^-1/2 (Cov^1/2 sym(A) Cov^1/2)_+ Cov^-1/2.

        A = Wq' Wk / sqrt(d). The columns of Cov^1/2 [Wq', Wk'] span all of it, so the eigenvectors are those
        of a 2d x 2d matrix.
        """
        d = len(self.of_queries)
        basis, R = np.linalg.qr(self.root @ np.hstack([self.of_queries.T, self.of_keys.T]))
        product = R[:, :d] @ R[:, d:].T / np.sqrt(d)
        values, vectors = np.linalg.eigh((product + product.T) / 2)
        kept = values > LEAST * max(np.abs(values).max(), np.finfo(float).tiny)
        if not kept.any():  # scores without a metric part
            return np.zeros((1, len(self.root)))
        return (basis @ vectors[:, kept] * np.sqrt(values[kept])).T @ self.inverse_root


def maps_of(states, points, name):
    """W (d, width) with points (N, d) = W x + b of states (N, width), by least squares."""
    x, y = states - states.mean(0), points - points.mean(0)
    W = np.linalg.lstsq(x, y, rcond=None)[0].T
    left = ((y - x @ W.T) ** 2).sum() / max((y**2).sum(), np.finfo(float).tiny)
    if left > UNEXPLAINED:
        raise ValueError(
            f"states must be what {name} are linear maps of; a linear map leaves {left:.1%} of their "
            "variance."
        )
    return W
