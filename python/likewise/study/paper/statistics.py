"""Paired differences with intervals, Holm's correction, and whether two spreads differ."""

import numpy as np
from scipy import stats

from likewise.study.statistics import CONFIDENCE, interval

LEVEL = 0.05  # below it, after Holm, a difference counts
N_DRAWS = 10_000
FEW = 10  # values, below which a bootstrap's intervals are too narrow: Student's then
SAME = 1e-9  # a standard deviation below it is rounding


def paired_interval(differences):
    """(mean, low, high, p) of one difference a seed, shape (n,): a bootstrap, of fewer than FEW Student's t.

    NaN bounds and p of a single value. Differences that are all the same number but not 0 get the p-value of
    their signs, 2 / 2^n.
    """
    differences = np.asarray(differences, float)
    n = len(differences)
    if n < 2:
        return (float(differences.mean()) if n else np.nan), np.nan, np.nan, np.nan
    if differences.std() < SAME:
        mean = float(differences.mean())
        return mean, mean, mean, (1.0 if abs(mean) < SAME else 2.0 / 2**n)
    if n < FEW:
        return (*map(float, interval(differences)), float(stats.ttest_1samp(differences, 0).pvalue))
    return bootstrap(differences)


def bootstrap(values, n_draws=N_DRAWS, seed=0):
    """(mean, low, high, p) of one value a seed, shape (n,).

    Percentiles of the means of n_draws samples of seeds drawn with replacement. p is twice the smaller share
    of those means on either side of 0, counting one draw more: what the interval says as a number.

    References: Efron and Tibshirani (1993), An introduction to the bootstrap.
    """
    values = np.asarray(values, float)
    means = values[_draws(len(values), n_draws, seed)].mean(axis=1)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(values.mean()), float(low), float(high), _two_sided(means)


def spread_ratio(ours, theirs, n_draws=N_DRAWS, seed=0):
    """(ratio, low, high, p): standard deviations ours / theirs over the same seeds, shape (n,) each.

    The interval is of a bootstrap over seeds; p is Brown and Forsythe's (1974), a test of equal variances by
    distances from the median, whatever the law of the values. NaN where one of them does not vary, and of
    fewer than FEW seeds.
    """
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    if len(ours) < FEW or min(ours.std(), theirs.std()) < SAME:
        return np.nan, np.nan, np.nan, np.nan
    draws = _draws(len(ours), n_draws, seed)
    theirs_drawn = theirs[draws].std(axis=1, ddof=1)
    varies = theirs_drawn > SAME
    ratios = ours[draws].std(axis=1, ddof=1)[varies] / theirs_drawn[varies]
    low, high = np.quantile(ratios, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    ratio = ours.std(ddof=1) / theirs.std(ddof=1)
    return float(ratio), float(low), float(high), float(stats.levene(ours, theirs, center="median").pvalue)


def holm(p):
    """Holm's (1979) adjusted p-values of a family of tests; NaN, which is no test, stays."""
    p = np.asarray(p, float)
    adjusted, tested = np.full(len(p), np.nan), np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(factors * p[order]))
    return adjusted


def mean_interval(values):
    """(mean, low, high) of one value a seed, as of differences."""
    return paired_interval(values)[:3]


def _draws(n, n_draws, seed):
    return np.random.default_rng(seed).integers(0, n, (n_draws, n))


def _two_sided(means):
    below, above = np.sum(means <= 0), np.sum(means >= 0)
    return float(min(1, 2 * (min(below, above) + 1) / (len(means) + 1)))
