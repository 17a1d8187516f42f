"""The study of arms: what lies between dot products and a metric, on the same splits."""

import numpy as np
import pytest

from likewise import datasets, nn
from likewise.__main__ import main
from likewise.study import arms, splits


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return arms.run(("wine",), repeats=2, n_samples=60, out=tmp_path_factory.mktemp("arms"))


def test_every_cell_is_there_and_on_the_page(found):
    assert len(found.records) == 2 * len(found.summary) == 2 * 5 * len(arms.QUESTIONS)
    assert (found.records["error"] == "").all()
    assert list(dict.fromkeys(found.records["arm"])) == list(nn.arms(16, 2))
    page = found.report.read_text()
    for row in found.summary.itertuples():
        assert f"{row.mean:.3f}" in page
    assert "likewise study --arms" in page and "sqdist tied, as many parameters\n  1058" in page


def test_noise_and_wrong_labels_are_what_they_say():
    split = splits.make_split(datasets.open_data("digits"), 0, 400, 0)
    random = np.random.default_rng(0)
    labels, rows = arms._noisy(split, random)
    assert labels is split.y_train
    assert np.std(rows - split.X_test) == pytest.approx(arms.NOISE, rel=0.02)
    labels, rows = arms._mislabeled(split, random)
    assert rows is split.X_test
    assert np.mean(labels != split.y_train) == pytest.approx(
        arms.WRONG * 0.9, abs=0.07
    )  # a tenth comes out right


def test_one_training_serves_questions_of_the_same_labels(monkeypatch):
    trained = []

    def count(split, heads, labels):
        trained.append(labels)
        return _Constant()

    monkeypatch.setattr(arms, "_train", count)
    split = splits.make_split(datasets.open_data("wine"), 0, 60, 0)
    cells = list(arms._cells(split))
    assert len(trained) == 5 * 2 and len(set(trained)) == 2
    assert all(score == 0.25 and error == "" for *_, score, error in cells)


class _Constant:
    def score(self, rows, y):
        return 0.25


@pytest.mark.parametrize(("n_features", "n_tokens"), [(5, 5), (16, 16), (17, 17), (22, 22), (30, 5), (64, 8)])
def test_tokens_are_enough_to_attend_to(n_features, n_tokens):
    split = splits.Split("", "", 0, 0, 0.0, np.zeros((2, n_features)), None, None, None)
    assert split.n_tokens == n_tokens


def test_options_of_the_other_study_are_refused(capsys, tmp_path):
    assert main(["study", "--arms", "--jobs", "2", "--out", str(tmp_path)]) == 2
    assert "jobs must not be given with --transfer or --arms; got 2" in capsys.readouterr().err
