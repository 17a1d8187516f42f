"""Transfer: a metric that one method learned, used by every other one.

    likewise.study.transfer.run(out="study-report")

writes transfer.html, transfer.csv and transfer-summary.csv. On the command line: ``likewise study
--transfer``.
"""

import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import adjusted_rand_score

import likewise as lw
from likewise import datasets, plots
from likewise._experiments import page
from likewise._experiments.bars import progress_bar
from likewise._experiments.checks import check_int, names_given
from likewise.study import splits
from likewise.study.statistics import interval

DATA = ("digits", "wine", "breast_cancer", "two_moons")
NOISE_FEATURES = 3  # beside the two of the moons, so that there is something to leave out
REFERENCE = "no learning"
LABELED = 0.1  # share of the training rows whose labels label propagation is told

# --- where a metric comes from: function (split) -> metric on the features ------------------------------


def _as_given(split):
    return lw.metrics.SquaredEuclidean()


def _components(split):
    """W of as many rows as the learners use: they differ in what they learn, not in how much they may."""
    return min(8, split.X_train.shape[1])


def _learner(split):
    learner = lw.MetricLearner(_components(split), max_iter=50, random_state=split.seed)
    return learner.fit(split.X_train, split.y_train).metric_


def _in_context(split):
    model = lw.AttentionClassifier(
        "metric", embed_dim=_components(split), num_heads=1, max_epochs=50, random_state=split.seed
    )
    return model.fit(split.X_train, split.y_train, context="rows").mechanisms_[0][0].metric


LEARNERS = {REFERENCE: _as_given, "MetricLearner (NCA)": _learner, "metric-attention in context": _in_context}

# --- where it goes: function (split, metric) -> score, higher is better ---------------------------------


def _kernel_regression(split, metric):
    return (
        lw.KernelClassifier(metric=metric).fit(split.X_train, split.y_train).score(split.X_test, split.y_test)
    )


def _neighbors(split, metric):
    model = lw.KNeighborsClassifier(10, metric=metric).fit(split.X_train, split.y_train)
    return model.score(split.X_test, split.y_test)


def _label_propagation(split, metric):
    """Told a tenth of the labels, and each class at least once."""
    told = np.random.RandomState(split.seed).rand(len(split.y_train)) < LABELED
    told[np.unique(split.y_train, return_index=True)[1]] = True
    model = lw.LabelPropagation(metric=metric, kernel="gaussian", bandwidth="self_tuning")
    model.fit(split.X_train, np.where(told, split.y_train, -1))
    return model.score(split.X_test, split.y_test)


def _spectral_clustering(split, metric):
    affinity = lw.Mechanism(
        metric=metric,
        kernel=lw.kernels.Gaussian("self_tuning"),
        support=lw.supports.Neighbors(10),
        normalization="symmetric",
    )
    model = lw.SpectralClustering(split.n_classes, affinity=affinity, random_state=split.seed)
    return adjusted_rand_score(split.y_test, model.fit(split.X_train).predict(split.X_test))


def _diffusion_maps(split, metric):
    """The accuracy of 5 neighbors in the map."""
    maps = lw.DiffusionMaps(n_components=min(5, split.n_classes), metric=metric).fit(split.X_train)
    vote = lw.KNeighborsClassifier(5).fit(maps.embedding_, split.y_train)
    return vote.score(maps.transform(split.X_test), split.y_test)


RECEIVERS = {
    "kernel regression": _kernel_regression,
    "10 neighbors": _neighbors,
    "label propagation": _label_propagation,
    "spectral clustering": _spectral_clustering,
    "diffusion maps + 5 neighbors": _diffusion_maps,
}

# --- the study ------------------------------------------------------------------------------------------


@dataclass
class Transfer:
    """What a transfer study found.

    Attributes
    ----------
    records : DataFrame, a row for each dataset, repeat, learned_by, used_by: score, or the error
    summary : DataFrame, for each dataset, learned_by, used_by: n, mean, low, high of the score and of its
    paired
        difference from the metric as it was given, 95 % intervals
    report : Path
    """

    records: pd.DataFrame = field(default_factory=pd.DataFrame)
    summary: pd.DataFrame = field(default_factory=pd.DataFrame)
    report: Path = Path()
    seconds: float = 0.0
    interrupted: bool = False


def run(data=DATA, *, repeats=10, n_samples=400, seed=0, out="study-report", quick=False, progress=False):
    """Learn a metric with each learner, use it in each method, on paired splits, and write the report.

    Parameters
    ----------
    data : names of classification data sets of likewise.datasets, or paths of .csv files
    repeats : int >= 2, paired splits; n_samples : int >= 40, rows of each, 40 % for testing
    seed : int >= 0
    out : folder
    quick : 3 repeats of 150 rows, of two data sets
    progress : a bar with the time left on stderr

    Returns
    -------
    Transfer. Ctrl-C stops at once and leaves a report of what was done.
    """
    if quick:
        data, repeats, n_samples = data[:2], 3, 150
    check_int("repeats", repeats, 2)
    check_int("n_samples", n_samples, 40)
    check_int("seed", seed, 0)
    opened = [datasets.open_data(name) for name in names_given("data", data)]
    for dataset in opened:
        if dataset.task != "classification":
            raise ValueError(f"data must be sets of classes; got {dataset.name!r}, a {dataset.task}.")
    found, rows, start = Transfer(), [], time.perf_counter()
    try:
        with progress_bar(
            repeats * len(opened) * len(LEARNERS) * len(RECEIVERS), "transfer", progress
        ) as bar:
            for repeat in range(repeats):
                for dataset in opened:
                    rows += _one_split(_split(dataset, repeat, n_samples, seed), bar)
    except KeyboardInterrupt:
        found.interrupted = True
    found.seconds = time.perf_counter() - start
    found.records = pd.DataFrame(rows)
    found.summary = _summary(found.records)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    found.records.to_csv(folder / "transfer.csv", index=False)
    found.summary.to_csv(folder / "transfer-summary.csv", index=False)
    found.report = folder / "transfer.html"
    _write(found, data, repeats, n_samples, seed)
    return found


def _split(dataset, repeat, n_samples, seed):
    split = splits.make_split(dataset, repeat, n_samples, seed)
    if dataset.name != "two_moons":
        return split
    random = np.random.RandomState(split.seed)
    noise = [random.randn(len(X), NOISE_FEATURES) for X in (split.X_train, split.X_test)]
    X_train, X_test = (np.hstack(pair) for pair in zip((split.X_train, split.X_test), noise))
    return splits.Split(
        **{**vars(split), "X_train": np.ascontiguousarray(X_train), "X_test": np.ascontiguousarray(X_test)}
    )


def _one_split(split, bar):
    rows = []
    for learned_by, learn in LEARNERS.items():
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # a learner that ends at max_iter has learned something all the same
            metric, error = _tried(learn, split)
            for used_by, use in RECEIVERS.items():
                score, failure = _tried(use, split, metric) if metric is not None else (None, error)
                rows.append(
                    {
                        "dataset": split.dataset,
                        "repeat": split.repeat,
                        "learned_by": learned_by,
                        "used_by": used_by,
                        "score": np.nan if score is None else score,
                        "overlap": split.overlap,
                        "error": failure,
                    }
                )
                bar.update()
    return rows


def _tried(function, *arguments):
    """(result, "") or (None, what went wrong): a cell that fails is shown, and the study goes on."""
    try:
        return function(*arguments), ""
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"


def _summary(records):
    if records.empty:
        return pd.DataFrame()
    at = ["dataset", "repeat", "used_by"]
    reference = records[records["learned_by"] == REFERENCE].set_index(at)["score"].rename("reference")
    joined = records.join(reference, on=at)
    rows = []
    for keys, group in joined.groupby(["dataset", "learned_by", "used_by"], sort=False):
        group = group.dropna(subset=["score", "reference"])
        if group.empty:
            continue
        overlap = group["overlap"].max()
        named = dict(zip(("dataset", "learned_by", "used_by"), keys)) | {"n": len(group)}
        named |= dict(zip(("mean", "low", "high"), interval(group["score"], overlap)))
        difference = interval(group["score"] - group["reference"], overlap)
        rows.append(named | dict(zip(("difference", "difference_low", "difference_high"), difference)))
    return pd.DataFrame(rows)


# --- the report -----------------------------------------------------------------------------------------


def figure(summary):
    """A heat map for each data set: used by (rows), learned by (columns)."""
    if summary.empty:
        return None
    names = list(dict.fromkeys(summary["dataset"]))
    drawn = Figure(figsize=(6.2 * min(2, len(names)), 2.9 * ((len(names) + 1) // 2)), layout="constrained")
    for ax, name in zip(
        drawn.subplots((len(names) + 1) // 2, min(2, len(names)), squeeze=False).ravel(), names
    ):
        rows = summary[summary["dataset"] == name].set_index(["learned_by", "used_by"])

        def grid(column, rows=rows):
            return np.array(
                [[rows[column].get((a, b), np.nan) for a in LEARNERS] for b in RECEIVERS], dtype=float
            )

        plots.heat_map(
            grid("mean"),
            grid("high") - grid("mean"),
            grid("difference"),
            (grid("difference_low") > 0) | (grid("difference_high") < 0),
            row_names=list(RECEIVERS),
            column_names=list(LEARNERS),
            reference=REFERENCE,
            ax=ax,
        )
        ax.set_title(name.replace("_", " "))
    return drawn


def _write(found, data, repeats, n_samples, seed):
    template = page.environment("likewise.study").get_template("transfer.html.j2")
    context = {
        "found": found,
        "rows": found.summary.to_dict("records"),
        "figure_uri": page.drawn(figure(found.summary)),
        "problems": []
        if found.records.empty
        else found.records[found.records["error"] != ""].to_dict("records"),
        "reference": REFERENCE,
        "noise_features": NOISE_FEATURES,
        "data": data,
        "repeats": repeats,
        "n_samples": n_samples,
        "command": f"likewise study --transfer --data {' '.join(data)} --repeats {repeats} "
        f"--n-samples {n_samples} --seed {seed}",
        "date": page.today(),
        "versions": page.versions(("numpy", "scipy", "scikit-learn", "pandas", "matplotlib")),
    }
    found.report.write_text(template.render(**context), encoding="utf-8")
