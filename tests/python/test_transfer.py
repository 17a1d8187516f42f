"""The transfer study: metrics that one method learned in every other one."""

import warnings

import numpy as np
import pytest

import likewise as lw
from likewise import datasets
from likewise.study import transfer


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return transfer.run(
        ("wine", "two_moons"), repeats=3, n_samples=80, out=tmp_path_factory.mktemp("transfer")
    )


def test_every_cell_is_there_with_its_interval(found):
    n_cells = 2 * len(transfer.LEARNERS) * len(transfer.RECEIVERS)
    assert len(found.records) == 3 * n_cells and len(found.summary) == n_cells
    assert (found.records["error"] == "").all() and found.records["score"].between(-1, 1).all()
    reference = found.summary["learned_by"] == transfer.REFERENCE
    assert (found.summary.loc[reference, "difference"] == 0).all()
    others = found.summary[~reference]
    assert (others["difference_low"] <= others["difference"]).all()
    assert (others["difference"] <= others["difference_high"]).all()


def test_differences_are_paired(found):
    """One cell by hand."""
    records = found.records
    rows = records[(records["dataset"] == "two_moons") & (records["used_by"] == "10 neighbors")]
    table = rows.pivot(index="repeat", columns="learned_by", values="score")
    want = (table["MetricLearner (NCA)"] - table[transfer.REFERENCE]).mean()
    cell = found.summary.set_index(["dataset", "learned_by", "used_by"]).loc[
        ("two_moons", "MetricLearner (NCA)", "10 neighbors")
    ]
    assert want > 0.01 and cell["difference"] == pytest.approx(want)


def test_learned_metrics_leave_out_what_is_noise():
    split = transfer._split(datasets.open_data("two_moons"), 0, 300, 0)
    for name in ("MetricLearner (NCA)", "L2 attention in context", "label propagation"):
        lengths = np.linalg.norm(transfer.LEARNERS[name](split).metric.factor, axis=0)
        assert lengths[2:].max() < 0.6 * lengths[:2].max(), name


def test_the_report_shows_every_number(found):
    page = found.report.read_text()
    for row in found.summary.itertuples():
        assert f"{row.mean:.3f}" in page
    assert "data:image/svg+xml" in page and "likewise study --transfer" in page
    assert {path.name for path in found.report.parent.iterdir()} == {
        "transfer.html", "transfer.csv", "transfer-summary.csv"
    }  # fmt: skip


def test_a_cell_that_fails_is_shown(monkeypatch, tmp_path):
    def broken(split, metric):
        raise ValueError("this method cannot")

    monkeypatch.setitem(transfer.RECEIVERS, "10 neighbors", broken)
    found = transfer.run(("wine",), repeats=2, n_samples=60, out=tmp_path)
    assert (found.records["error"] != "").sum() == 2 * len(transfer.LEARNERS)
    assert "this method cannot" in found.report.read_text()


def test_refusals_name_the_argument(tmp_path):
    with pytest.raises(ValueError, match="data must be sets of classes; got 'diabetes'"):
        transfer.run(("diabetes",), out=tmp_path)
    with pytest.raises(ValueError, match="repeats"):
        transfer.run(repeats=1, out=tmp_path)


def test_a_metric_of_any_learner_is_a_value_that_others_take():
    split = transfer._split(datasets.open_data("wine"), 0, 100, 0)
    for learn in transfer.LEARNERS.values():
        learned = learn(split)
        assert lw.Mechanism(metric=learned.metric).metric == learned.metric


def test_the_metric_of_a_token_layer_is_the_sum_of_its_heads_costs():
    split = transfer._split(datasets.open_data("wine"), 0, 60, 0)
    learned = transfer.LEARNERS["L2 attention on tokens"](split)
    x, z = learned.read(split.X_train[:2])
    model = lw.AttentionClassifier(
        n_tokens=13, embed_dim=16, num_heads=2, max_epochs=60, random_state=split.seed
    ).fit(split.X_train, split.y_train)
    tokens = model.transform(split.X_train[:2])
    want = sum(
        ((m.metric.factor @ (a - b)) ** 2).sum() / m.kernel.temperature
        for m in model.mechanisms_[0]
        for a, b in zip(*tokens)
    )
    assert learned.metric == lw.metrics.SquaredEuclidean()
    assert ((x - z) ** 2).sum() == pytest.approx(want, rel=1e-5)


def test_ctrl_c_inside_an_estimator_ends_the_study(monkeypatch, tmp_path):
    def interrupted(split):
        warnings.warn("Training interrupted by user; the best weights so far are kept.", stacklevel=2)
        return transfer.Learned(lw.metrics.SquaredEuclidean())

    monkeypatch.setitem(transfer.LEARNERS, "label propagation", interrupted)
    found = transfer.run(("wine",), repeats=2, n_samples=60, out=tmp_path)
    done = list(transfer.LEARNERS).index("label propagation")
    assert found.interrupted and len(found.records) == done * len(transfer.RECEIVERS)
    assert "label propagation" not in set(found.records["learned_by"])
    assert "Interrupted" in found.report.read_text()


def test_scores_are_counted_where_the_reference_failed(monkeypatch, tmp_path):
    def broken(split):
        raise ValueError("nothing to learn")

    monkeypatch.setitem(transfer.LEARNERS, transfer.REFERENCE, broken)
    found = transfer.run(("wine",), repeats=2, n_samples=60, out=tmp_path)
    assert len(found.summary) == (len(transfer.LEARNERS) - 1) * len(transfer.RECEIVERS)
    assert (found.summary["n"] == 2).all() and found.summary["difference"].isna().all()
    assert found.summary["mean"].between(-1, 1).all()


def test_paths_and_one_name_are_data(tmp_path):
    X, y = datasets.open_data("wine").sample(80, random_state=0)
    names = ",".join([*map(str, range(13)), "class"])
    np.savetxt(tmp_path / "my.csv", np.c_[X, y], delimiter=",", header=names, comments="")
    found = transfer.run((tmp_path / "my.csv",), target="class", repeats=2, n_samples=60, out=tmp_path)
    assert (found.records["error"] == "").all()
    assert "my.csv --target class --repeats 2" in found.report.read_text()
    found = transfer.run("wine", quick=True, out=tmp_path)
    assert set(found.records["dataset"]) == {"wine"} and "--data wine --repeats 3" in found.report.read_text()
