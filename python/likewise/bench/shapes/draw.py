"""Where shapes come from: wide distributions, log-uniform wherever sizes span decades."""

import numpy as np

# How often each family of points is drawn.
FAMILIES = {"noise": 3, "uniform": 1, "curve": 1, "clusters": 2, "integers": 1, "one-hot": 1, "copies": 1}
TIED = ("integers", "one-hot", "copies")  # equal distances: which neighbor comes first is nobody's to say
TRIES = 10_000


def log_uniform(rng, low, high):
    """An int between low and high, each decade as likely as the next."""
    return int(np.clip(round(np.exp(rng.uniform(np.log(low), np.log(high + 1)))), low, high))


def one_of(rng, options):
    """One of a sequence, or a key of {option: weight}."""
    names = list(options)
    weights = np.array([options[name] for name in names] if isinstance(options, dict) else [1] * len(names))
    return names[rng.choice(len(names), p=weights / weights.sum())]


def within(rng, draw, affordable):
    """The first drawn shape that is affordable: its corner of the distribution is cut off, nothing else."""
    for _ in range(TRIES):
        shape = draw(rng)
        if affordable(shape):
            return shape
    raise RuntimeError(f"None of {TRIES} shapes of {draw.__module__} was affordable.")


def points(rng, family, n, d, dtype="float64"):
    """n points in d dimensions of a family, in random order."""
    X = _OF_FAMILY[family](rng, n, d)
    return np.ascontiguousarray(rng.permutation(X), dtype)


def _curve(rng, n, d):
    """A smooth closed curve with a little noise: intrinsic dimension 1."""
    t = rng.uniform(0, 2 * np.pi, n)
    waves = np.stack([wave(k * t) for k in (1, 2, 3) for wave in (np.sin, np.cos)], axis=1)
    return waves @ rng.standard_normal((waves.shape[1], d)) + 0.01 * rng.standard_normal((n, d))


def _clusters(rng, n, d):
    centers = 5 * rng.standard_normal((log_uniform(rng, 2, 50), d))
    return centers[rng.integers(len(centers), size=n)] + rng.standard_normal((n, d))


def _one_hot(rng, n, d):
    """A few categorical columns as 0 and 1."""
    edges = np.unique([0, d, *rng.integers(0, d, size=min(d, log_uniform(rng, 1, 8)))])
    X = np.zeros((n, d))
    for start, end in zip(edges, edges[1:]):
        X[np.arange(n), rng.integers(start, end, size=n)] = 1
    return X


def _copies(rng, n, d):
    """A third of the rows occurs elsewhere too."""
    X = rng.standard_normal((n, d))
    X[: n // 3] = X[rng.integers(n // 3, n, size=n // 3)]
    return X


_OF_FAMILY = {
    "noise": lambda rng, n, d: rng.standard_normal((n, d)),
    "uniform": lambda rng, n, d: rng.uniform(size=(n, d)),
    "curve": _curve,
    "clusters": _clusters,
    "integers": lambda rng, n, d: rng.integers(0, log_uniform(rng, 2, 20) + 1, size=(n, d)).astype(float),
    "one-hot": _one_hot,
    "copies": _copies,
}
