"""Paired splits: repeat r of a data set gives every method and every value of a dial the same rows."""

import math
import zlib
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import train_test_split

TEST_SHARE = 0.4
LEAST_TOKENS, MOST_TOKENS = 4, 16


@dataclass(frozen=True, eq=False)
class Split:
    """Training and test rows, standardized by the training rows (features, and the targets of regression).

    X_train (n_train, n_features), y_train (n_train,), and the same for test; y holds classes 0, 1, ... or
    floats. A task of geometry keeps its coordinates.
    `overlap` is n_test / n_train where splits share rows, 0 where each draws fresh data; `seed` is for
    whatever a method draws.
    """

    dataset: str
    task: str
    repeat: int
    seed: int
    overlap: float
    X_train: np.ndarray
    X_test: np.ndarray
    y_train: np.ndarray
    y_test: np.ndarray

    @property
    def n_classes(self):
        """Number of classes in the training rows."""
        return len(np.unique(self.y_train))

    @property
    def n_tokens(self):
        """Tokens of a row: a feature is one; of many, about as many to a token as there are tokens."""
        n_features = self.X_train.shape[1]
        n_tokens = max(n for n in range(1, math.isqrt(n_features) + 1) if n_features % n == 0)
        return n_features if n_features <= MOST_TOKENS or n_tokens < LEAST_TOKENS else n_tokens


def make_split(dataset, repeat, n_samples, seed):
    """Repeat number `repeat` of a Dataset; the same arguments give the same rows."""
    split_seed = _seed(dataset.name, repeat, seed)
    X, y = dataset.sample(n_samples, random_state=split_seed)
    classes = dataset.task == "classification"
    if classes:
        y = np.unique(y, return_inverse=True)[1]
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=TEST_SHARE, stratify=y if classes else None, random_state=split_seed
    )
    if dataset.task != "geometry":  # a circle stays a circle
        X_train, X_test = _standardize(X_train, X_test)
    if dataset.task == "regression":
        y_train, y_test = _standardize(y_train, y_test)
    overlap = 0.0 if dataset.generated else len(y_test) / len(y_train)
    return Split(dataset.name, dataset.task, repeat, split_seed, overlap, X_train, X_test, y_train, y_test)


def _seed(name, repeat, seed):
    """A seed of its own for each data set and repeat; crc32 is the same in every process, hash() is not."""
    return int(np.random.SeedSequence([seed, zlib.crc32(name.encode()), repeat]).generate_state(1)[0])


def _standardize(train, test):
    mean, scale = train.mean(axis=0), train.std(axis=0)
    scale = np.where(scale > 1e-12, scale, 1.0)  # a constant column stays constant
    return (train - mean) / scale, (test - mean) / scale
