"""Data sets to compare methods on: seeded toy sets, the real sets of scikit-learn, and your own CSV.

Every function returns (X, y): X is float64 (n_samples, n_features), y is (n_samples,), integer classes or
float targets. ``load(name)`` and ``load_csv(path, target)`` return a :class:`Dataset`, which can also draw a
sample of a given size. `karate_club`, `block_model` and `bodies` are graphs: (X, A, y), a row for each node.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

import numpy as np
from sklearn import datasets as _sklearn
from sklearn.model_selection import train_test_split

from likewise._checks import integer, is_word, number, random_of, reals, told
from likewise._extras import need
from likewise._graph_datasets import BODY_PARTS, block_model, bodies, karate_club  # noqa: F401

MAX_LEVELS = 20  # a text column with more levels is refused; an integer target with more is regression


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named data set that can be drawn from.

    Attributes
    ----------
    name, description : str
    task : "classification", "regression" or "geometry" (y is where on the manifold a point lies)
    generated : bool
        True where every seed gives fresh points, False where it picks among the given ones.
    """

    name: str
    task: str
    description: str
    generated: bool
    draw: Callable

    def sample(self, n_samples, random_state=0):
        """(X, y) with at most n_samples rows; classes keep their shares."""
        return self.draw(n_samples, random_state)


def two_moons(n_samples=200, *, noise=0.1, random_state=0):
    """Two interleaved half circles of radius 1 with Gaussian noise; two classes of equal size."""
    return _sklearn.make_moons(n_samples, noise=noise, random_state=random_state)


def circles(n_samples=200, *, noise=0.06, factor=0.5, random_state=0):
    """Two concentric circles, radii 1 and `factor`; two classes of equal size."""
    return _sklearn.make_circles(n_samples, noise=noise, factor=factor, random_state=random_state)


def spirals(n_samples=200, *, noise=0.04, turns=1.25, random_state=0):
    """Two arms of an Archimedean spiral, half a turn apart, evenly spread along their length.

    Radius 0.2 to 1.2 over `turns` turns; `noise` is the standard deviation in both coordinates.
    """
    rng, n_samples = random_of(random_state), integer(n_samples, "n_samples")
    noise, turns = number(noise, "noise"), number(turns, "turns")
    y = np.arange(n_samples) % 2
    position = np.sqrt(rng.uniform(0, 1, n_samples))  # arc length grows with the square of the angle
    angle = 2 * np.pi * turns * position + np.pi * y
    radius = 0.2 + position
    X = np.c_[radius * np.cos(angle), radius * np.sin(angle)]
    return X + noise * rng.standard_normal(X.shape), y


def blobs(n_samples=200, *, scales=(0.2, 0.6, 1.5), random_state=0):
    """Three round Gaussian clusters of equal size and unequal density: standard deviations `scales`."""
    rng, n_samples = random_of(random_state), integer(n_samples, "n_samples")
    scales = reals(scales, "scales", np.float64)
    if scales.shape != (3,):
        raise ValueError(f"scales must be 3 numbers, one for each cluster; got shape {scales.shape}.")
    centers = np.array([[-3.0, 0.0], [0.0, 1.5], [4.0, -1.0]])
    y = np.arange(n_samples) % len(centers)
    X = centers[y] + scales[y, None] * rng.standard_normal((n_samples, 2))
    return X, y


def swiss_roll(n_samples=200, *, noise=0.2, random_state=0):
    """A rolled-up plane in three dimensions; the target is the position along the roll, in radians."""
    return _sklearn.make_swiss_roll(n_samples, noise=noise, random_state=random_state)


def s_curve(n_samples=200, *, noise=0.05, random_state=0):
    """A plane bent to an S in three dimensions; the target is the position along the S, in radians."""
    return _sklearn.make_s_curve(n_samples, noise=noise, random_state=random_state)


def uneven_circle(n_samples=200, *, contrast=0.8, random_state=0):
    """A unit circle sampled with density (1 + contrast cos(angle)) / (2 pi); the target is the angle.

    Its diffusion-map coordinates are cos and sin of the angle where the normalization removes the density.
    """
    rng, n_samples = random_of(random_state), integer(n_samples, "n_samples")
    contrast = number(contrast, "contrast")
    angle = rng.uniform(-np.pi, np.pi, 4 * n_samples)
    kept = rng.uniform(0, 1 + contrast, 4 * n_samples) < 1 + contrast * np.cos(angle)
    while kept.sum() < n_samples:  # rejection sampling accepts one half on average
        more = rng.uniform(-np.pi, np.pi, n_samples)
        angle = np.append(angle, more)
        kept = np.append(kept, rng.uniform(0, 1 + contrast, n_samples) < 1 + contrast * np.cos(more))
    angle = angle[kept][:n_samples]
    return np.c_[np.cos(angle), np.sin(angle)], angle


def _generated(task, function):
    def draw(n_samples, random_state):
        return function(n_samples, random_state=random_state)

    about = function.__doc__ or function.__name__.replace("_", " ")  # python -OO strips the first
    description = about.split("\n")[0]
    return Dataset(function.__name__, task, description, generated=True, draw=draw)


def _real(name, task, loader, description):
    def draw(n_samples, random_state):
        X, y = loader()
        return subsample(X, y, n_samples, task, random_state)

    return Dataset(name, task, description, generated=False, draw=draw)


def subsample(X, y, n_samples, task, random_state=0):
    """At most n_samples rows in random order, drawn without replacement; classes keep their shares."""
    if len(y) <= n_samples:
        order = random_of(random_state).permutation(len(y))
        return X[order], y[order]
    classes = y if task == "classification" and np.unique(y, return_counts=True)[1].min() > 1 else None
    kept, _ = train_test_split(
        np.arange(len(y)), train_size=n_samples, stratify=classes, random_state=random_state
    )
    return X[kept], y[kept]


def _loader(function, **arguments):
    def load_arrays():
        return function(return_X_y=True, **arguments)

    return load_arrays


_DATASETS = (
    _generated("classification", two_moons),
    _generated("classification", circles),
    _generated("classification", spirals),
    _generated("classification", blobs),
    _generated("regression", swiss_roll),
    _generated("regression", s_curve),
    _generated("geometry", uneven_circle),
    _real("digits", "classification", _loader(_sklearn.load_digits), "8 x 8 images of ten digits, 1797 rows"),
    _real("iris", "classification", _loader(_sklearn.load_iris), "three species by four lengths, 150 rows"),
    _real(
        "wine", "classification", _loader(_sklearn.load_wine), "three growers by 13 measurements, 178 rows"
    ),
    _real(
        "breast_cancer",
        "classification",
        _loader(_sklearn.load_breast_cancer),
        "benign or malignant by 30 measurements, 569 rows",
    ),
    _real(
        "diabetes",
        "regression",
        _loader(_sklearn.load_diabetes),
        "progression after a year by 10 measurements, 442 rows",
    ),
)


def names():
    """The names that :func:`load` knows."""
    return tuple(dataset.name for dataset in _DATASETS)


def load(name):
    """The :class:`Dataset` of that name.

    Raises
    ------
    ValueError : an unknown name; the message lists the known ones
    """
    for dataset in _DATASETS:
        if is_word(name, (dataset.name,)):
            return dataset
    raise ValueError(
        f"data must be one of {', '.join(names())}, or the path of a .csv file; got {told(name)}."
    )


def is_file(source):
    """Whether `source` means a file rather than a name."""
    return source.lower().endswith(".csv") or "/" in source


def open_data(source, target=None):
    """The :class:`Dataset` of a name, or of a .csv file with the column to predict."""
    return load_csv(source, target) if is_file(source) else load(source)


def load_csv(path, target, *, task: Optional[str] = None):
    """Your own table: one header line, one row a sample.

    Numeric columns are features as they are; a text column becomes one 0/1 column a level. The target is a
    class where it is text, boolean or an integer of at most 20 levels, else a number; `task` overrides that.

    Parameters
    ----------
    path : str or path of a CSV file
    target : str, the column to predict
    task : None, "classification" or "regression"

    Raises
    ------
    ValueError : no such file or column, missing or infinite values, a text column with more than 20 levels,
        fewer than 10 rows, a single class
    """
    need("likewise.datasets.load_csv", "pandas", extra="study")
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        raise ValueError(f"data must be an existing .csv file; got {str(path)!r}.")
    try:
        table = pd.read_csv(path)
    except (ValueError, pd.errors.ParserError) as error:  # EmptyDataError is a ValueError
        raise ValueError(f"data must be a CSV file with a header line; {path}: {error}") from None
    _check_table(table, target)
    X = _features(table.drop(columns=target))
    task = task or _task_of(table[target])
    y = _target(table[target], task)

    def draw(n_samples, random_state):
        return subsample(X, y, n_samples, task, random_state)

    description = f"{path.name}, target {target}, {len(y)} rows by {X.shape[1]} features"
    return Dataset(path.stem, task, description, generated=False, draw=draw)


def _check_table(table, target):
    if target is None:
        raise ValueError(
            f"target must name the column of the CSV file to predict, one of {list(table.columns)}; got None "
            "(on the command line: --target NAME)."
        )
    if target not in table.columns:
        raise ValueError(f"target must be one of the columns {list(table.columns)}; got {target!r}.")
    if table.shape[1] < 2:
        raise ValueError("data must have at least one column beside the target; got none.")
    if len(table) < 10:
        raise ValueError(f"data must have at least 10 rows; got {len(table)}.")
    missing = table.isna().sum()
    if missing.any():
        found = ", ".join(f"{name} ({count})" for name, count in missing[missing > 0].items())
        raise ValueError(f"data must have no missing values; got some in {found}. Drop or fill them first.")
    numbers = table.select_dtypes("number")
    infinite = numbers.columns[~np.isfinite(numbers.to_numpy(float)).all(axis=0)]
    if len(infinite):
        raise ValueError(f"data must be finite; got infinity in {', '.join(infinite)}.")


def _features(table):
    import pandas as pd

    text = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    for name in text:
        levels = table[name].nunique()
        if levels > MAX_LEVELS:
            raise ValueError(
                f"data: the text column {name!r} must have at most {MAX_LEVELS} levels to become 0/1 "
                f"columns; got {levels}. Drop it or turn it into numbers."
            )
    return np.ascontiguousarray(pd.get_dummies(table, columns=text).to_numpy(float))


def _task_of(column):
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return "classification"
    integers = np.equal(np.mod(column.to_numpy(float), 1), 0).all()
    return "classification" if integers and column.nunique() <= MAX_LEVELS else "regression"


def _target(column, task):
    if task not in ("classification", "regression"):
        raise ValueError(f"task must be 'classification' or 'regression'; got {task!r}.")
    if task == "regression":
        try:
            return column.to_numpy(float)
        except ValueError:
            raise ValueError(
                f"target must hold numbers for regression; got {column.dtype} in {column.name!r}."
            ) from None
    classes, y = np.unique(column.astype(str) if column.dtype == object else column, return_inverse=True)
    counts = np.bincount(y)
    if len(classes) < 2 or counts.min() < 2:
        raise ValueError(
            f"target must have at least two classes of at least two rows each; got {len(classes)} "
            f"class(es), the smallest with {counts.min()} row(s)."
        )
    return y
