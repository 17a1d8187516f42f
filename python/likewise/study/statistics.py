"""Means with 95 % intervals over paired splits, and paired differences from the reference of a dial."""

import numpy as np
import pandas as pd
from scipy import stats

CONFIDENCE = 0.95
CELL = [
    "dial",
    "value",
    "method",
    "score_name",
]  # what one cell of a heat map is; with "dataset" one of a table


def interval(values, overlap=0.0):
    """Mean and Student's t interval (mean, low, high) of one value a split, shape (n_splits,).

    `overlap` is n_test / n_train where the splits draw from the same rows, 0 where each has fresh data. Rows
    shared by training sets make scores correlated; the variance of the mean is then
    (1 / n + n_test / n_train) s^2 instead of s^2 / n. NaN bounds for a single value.

    References: Nadeau and Bengio (2003), Inference for the generalization error.
    """
    values = np.asarray(values, float)
    n = len(values)
    mean = values.mean()
    if n < 2:
        return mean, np.nan, np.nan
    standard_error = np.sqrt((1 / n + overlap) * values.var(ddof=1))
    half_width = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * standard_error
    return mean, mean - half_width, mean + half_width


def summarize(records, references):
    """One row for each (dial, value, method, data set) with n, mean, low, high and the paired difference.

    Parameters
    ----------
    records : DataFrame, one row a fit
        With dial, value, method, dataset, score_name, repeat, status, score and overlap.
    references : dict, dial -> value
        What the others are compared with on the same splits. A dial that is no key has no differences.
    """
    return _summary(_finished(records), references, [*CELL, "dataset"])


def overview(records, references):
    """The same over all data sets of one kind of score: each split counts with its mean over the data sets.

    A data set counts for a value that finished all of its splits, and the reference is averaged over the same
    ones; n_datasets says how many.
    """
    done = _comparable(_finished(records), references)
    keys = [*CELL, "repeat"]
    per_split = done.groupby(keys, as_index=False, sort=False).agg(
        score=("score", "mean"), overlap=("overlap", "max"), reference=("reference", "mean")
    )
    summary = _summary(per_split, references, CELL)
    n_datasets = done.groupby(CELL, as_index=False, sort=False).agg(n_datasets=("dataset", "nunique"))
    return summary.merge(n_datasets, on=CELL)


def _finished(records):
    return records[records["status"] == "ok"]


def _with_reference(done, references, keys):
    """Adds the column `reference`: the score of the dial's reference value on the same split."""
    at = [key for key in keys if key != "value"] + ["repeat"]
    is_reference = done["value"] == done["dial"].map(references)
    reference = done.loc[is_reference, [*at, "score"]].rename(columns={"score": "reference"})
    return done.merge(reference, on=at, how="left")


def _comparable(done, references):
    """Drop data sets that a value did not finish on every split, and splits that the reference lacks."""
    done = _with_reference(done, references, [*CELL, "dataset"])
    row = ["dial", "method", "score_name"]
    n_finished = done.groupby([*row, "dataset", "value"])["repeat"].transform("nunique")
    n_splits = done.groupby([*row, "dataset"])["repeat"].transform("nunique")
    has_reference = done.groupby(row)["reference"].transform("count") > 0
    return done[(n_finished == n_splits) & (done["reference"].notna() | ~has_reference)]


def _summary(done, references, keys):
    if "reference" not in done:
        done = _with_reference(done, references, keys)
    rows = [dict(zip(keys, at)) | statistics_of(group) for at, group in done.groupby(keys, sort=False)]
    columns = [*keys, "n", "mean", "low", "high", "difference", "difference_low", "difference_high"]
    return pd.DataFrame(rows, columns=columns)


def statistics_of(group):
    """n, mean, low, high of the column `score`, and of its difference from `reference` where there is one."""
    overlap = group["overlap"].max()
    mean, low, high = interval(group["score"], overlap)
    found = {"n": len(group), "mean": mean, "low": low, "high": high}
    paired = group.dropna(subset=["reference"])
    if len(paired):
        difference = interval(paired["score"] - paired["reference"], overlap)
    else:
        difference = (np.nan, np.nan, np.nan)
    return found | dict(zip(("difference", "difference_low", "difference_high"), difference))
