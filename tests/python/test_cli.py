"""likewise study and likewise explain, as typed."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import MeanShift, SpectralClustering
from sklearn.linear_model import LinearRegression
from sklearn.manifold import SpectralEmbedding
from sklearn.neighbors import KernelDensity, KNeighborsClassifier, RadiusNeighborsRegressor
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

import likewise as lw
from likewise import _explain, kernels, metrics, normalizations, supports
from likewise.__main__ import main
from likewise._mechanism import SLOTS
from likewise.propagations import Equilibrium, Spectrum, Steps

FEW = ["--metrics", "euclidean", "cosine", "--kernels", "--normalizations", "--supports"]
SHORT = ["--repeats", "2", "--n-samples", "60", "--no-agreement", "--jobs", "1"]


def test_study_prints_where_the_report_is(tmp_path, capsys):
    command = [
        "study",
        "--data",
        "iris",
        "--methods",
        "l2_attention",
        *FEW,
        *SHORT,
        "--out",
        str(tmp_path),
    ]
    assert main(command) == 0
    captured = capsys.readouterr()
    assert captured.out.strip() == str(tmp_path / "report.html")
    assert "100%" in captured.err
    records = pd.read_csv(tmp_path / "results.csv")
    assert set(records.loc[records["dial"] == "metrics", "value"]) == {"euclidean", "cosine"}
    assert "kernels" not in set(records["dial"])


def test_the_command_in_the_report_makes_the_same_numbers(tmp_path):
    command = ["study", "--data", "iris", "--methods", "l2_attention", *FEW, *SHORT, "--seed", "3"]
    main([*command, "--out", str(tmp_path / "a")])
    html = (tmp_path / "a" / "report.html").read_text(encoding="utf-8")
    again = html.split("<pre>likewise ")[1].split("</pre>")[0].split()
    assert again[-2:] == ["--out", str(tmp_path / "a")]
    main([*again[:-1], str(tmp_path / "b")])
    first, second = (pd.read_csv(tmp_path / name / "results.csv") for name in "ab")
    pd.testing.assert_frame_equal(first.drop(columns="seconds"), second.drop(columns="seconds"))


def test_a_table_of_your_own_with_every_option(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(90, 3)), columns=["a", "b", "c"])
    table["kind"] = np.where(table["a"] + 0.3 * rng.normal(size=90) > 0, "up", "down")
    table.to_csv(tmp_path / "my.csv", index=False)
    out = tmp_path / "out"
    options = "--target kind --methods kernel_regression --metrics euclidean manhattan"
    options += " --kernels gaussian laplacian --normalizations row symmetric"
    options += " --supports all --repeats 3 --n-samples 60 --seed 7"
    command = ["study", "--data", str(tmp_path / "my.csv"), *options.split()]
    assert main([*command, "--jobs", "2", "--no-agreement", "--out", str(out)]) == 0
    records = pd.read_csv(out / "results.csv")
    assert set(records["dataset"]) == {"my"} and set(records["repeat"]) == {0, 1, 2}
    assert set(records.loc[records["dial"] == "metrics", "value"]) == {"euclidean", "manhattan"}
    assert "--seed 7" in (out / "report.html").read_text(encoding="utf-8")
    one = tmp_path / "one"
    assert main([*command, "--jobs", "1", "--no-agreement", "--out", str(one)]) == 0
    keys = ["dial", "value", "method", "repeat"]
    again = pd.read_csv(one / "results.csv").sort_values(keys, ignore_index=True)
    records = records.sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(records.drop(columns="seconds"), again.drop(columns="seconds"))


def test_options_win_over_the_toml_file(tmp_path):
    config = tmp_path / "study.toml"
    config.write_text(
        'data = ["wine"]\nmethods = ["l2_attention"]\nmetrics = ["euclidean"]\nkernels = []\n'
        "normalizations = []\nsupports = []\nrepeats = 2\nn_samples = 60\nagreement = false\njobs = 1\n"
    )
    out = tmp_path / "out"
    assert main(["study", "--config", str(config), "--data", "iris", "--out", str(out)]) == 0
    assert set(pd.read_csv(out / "results.csv")["dataset"]) == {"iris"}


@pytest.mark.parametrize(
    "options, message",
    [
        (["--data", "moon"], "data must be one of two_moons"),
        (["--data", "none.csv", "--target", "y"], "existing .csv file"),
        (["--metrics", "euclid"], "metrics must be among"),
        (["--repeats", "0"], "repeats must be"),
        (["--config", "none.toml"], "existing TOML file"),
    ],
)
def test_what_does_not_fit_is_one_line_and_status_2(tmp_path, capsys, options, message):
    out = tmp_path / "out"
    assert main(["study", *options, "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("likewise study: ") and message in error and error.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize("name", [*_explain.METHODS, *_explain._ATTENTION, *_explain.estimators()])
def test_explain_prints_the_equation_with_its_slots(capsys, name):
    assert main(["explain", name]) == 0
    text = capsys.readouterr().out
    mechanism = _explain.explain_method(name).mechanism
    assert mechanism.equation().strip() in text
    for slot in SLOTS:
        assert repr(getattr(mechanism, slot)).split("(")[0] in text
    assert "values v " in text


def test_explain_lists_the_known_methods(capsys):
    assert main(["explain", "svd"]) == 2
    error = capsys.readouterr().err
    assert "kernel_regression" in error and "l2_attention" in error and "'svd'" in error


def test_the_module_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "likewise", "explain", "self_attention"], capture_output=True, text=True
    )
    assert done.returncode == 0 and "DotProduct" in done.stdout


def mechanism(**slots):
    return lw.Mechanism(**{"metric": "euclidean", **slots})


@pytest.mark.parametrize(
    "model, want",
    [
        (
            KNeighborsClassifier(4),
            mechanism(kernel="indicator", support=supports.Neighbors(4, symmetrize="none")),
        ),
        (
            KNeighborsClassifier(4, weights="distance", metric="manhattan"),
            mechanism(
                metric="manhattan",
                kernel=kernels.InverseDistance(),
                support=supports.Neighbors(4, symmetrize="none"),
            ),
        ),
        (
            RadiusNeighborsRegressor(2.5, p=3),
            mechanism(metric=metrics.Minkowski(p=3), kernel="indicator", support=supports.Radius(2.5)),
        ),
        (
            KernelDensity(bandwidth=0.5, kernel="tophat"),
            mechanism(kernel=kernels.Indicator(0.5), normalization="unnormalized"),
        ),
        (
            SpectralClustering(gamma=2.0),
            mechanism(kernel=kernels.Gaussian(0.5), normalization="symmetric", propagation=Spectrum(8)),
        ),
        (
            SpectralClustering(affinity="nearest_neighbors", n_neighbors=7),
            mechanism(
                kernel="indicator",
                support=supports.Neighbors(7, symmetrize="average", include_self=True),
                normalization="symmetric",
                propagation=Spectrum(8),
            ),
        ),
        (
            LabelPropagation(gamma=8.0),
            mechanism(kernel=kernels.Gaussian(0.25), propagation=Equilibrium()),
        ),
        (
            LabelSpreading("knn", n_neighbors=3),
            mechanism(
                kernel="indicator",
                support=supports.Neighbors(3, symmetrize="none", include_self=True) & supports.LeaveOneOut(),
                normalization=normalizations.Symmetric(),
                propagation=Equilibrium(0.2),
            ),
        ),
        (
            MeanShift(bandwidth=0.8),
            mechanism(kernel=kernels.Indicator(0.8), propagation=Steps(moving="points", tol=1e-3)),
        ),
    ],
)
def test_a_peer_of_scikit_learn_is_read_as_a_mechanism(model, want):
    assert lw.explain(model).mechanism == want


def test_the_mechanism_read_off_a_peer_does_what_the_peer_does():
    rng = np.random.default_rng(0)
    X, Q, y = rng.standard_normal((40, 3)), rng.standard_normal((9, 3)), rng.standard_normal(40)
    model = RadiusNeighborsRegressor(1.5, weights="distance").fit(X, y)
    read = lw.explain(model).mechanism.operator(Q, X) @ y
    np.testing.assert_allclose(read, model.predict(Q))


@pytest.mark.parametrize(
    "model, message",
    [
        (LinearRegression(), "LinearRegression of sklearn.*no counterpart"),
        (KernelDensity(kernel="cosine"), "kernel of KernelDensity must be gaussian"),
        (SpectralEmbedding(affinity="rbf"), "gamma of an unfitted SpectralEmbedding is open"),
        (SpectralClustering(affinity="precomputed"), "affinity must be 'rbf'"),
        (LabelPropagation(lambda a, b: a @ b.T), "kernel must be 'rbf' or 'knn'"),
        (3, "int of builtins"),
    ],
)
def test_what_is_no_mechanism_is_refused_with_a_reason(model, message):
    with pytest.raises(ValueError, match=message):
        lw.explain(model)


def test_explain_reads_a_mechanism_and_what_it_became():
    m = mechanism(kernel=kernels.Gaussian(0.5))
    assert lw.explain(m).mechanism == m
    assert lw.explain(m.operator(np.eye(3))).mechanism == m
    assert str(lw.explain(m)).startswith(m.equation().rstrip())
