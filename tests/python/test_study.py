"""The comparison study: settings, splits, statistics, running, stopping, and a report true to its CSV."""

import base64
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import interruptible
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from likewise import datasets, study
from likewise.study import agreement, cells, dials, figures, methods, readings, runner, statistics
from likewise.study.splits import make_split

SMALL = {"n_samples": 60, "repeats": 2, "agreement": False}


# --- statistics


def test_interval_is_students_t():
    values = np.array([0.7, 0.8, 0.95, 0.6])
    mean, low, high = statistics.interval(values)
    want = 3.182446305284263 * np.sqrt(((values - 0.7625) ** 2).sum() / 3 / 4)  # t of 3 degrees at 97.5 %
    assert_allclose([mean, low, high], [0.7625, 0.7625 - want, 0.7625 + want])


def test_interval_covers_the_mean_95_times_in_100():
    rng = np.random.default_rng(0)
    bounds = np.array([statistics.interval(rng.normal(3.0, 2.0, 5))[1:] for _ in range(4000)])
    covered = ((bounds[:, 0] < 3) & (bounds[:, 1] > 3)).mean()
    assert abs(covered - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 4000)


def test_interval_of_splits_that_share_rows_is_wider():
    values = [0.7, 0.8, 0.95, 0.6]
    mean, _, plain = statistics.interval(values)
    _, _, corrected = statistics.interval(values, overlap=2 / 3)
    assert_allclose((corrected - mean) / (plain - mean), np.sqrt((1 / 4 + 2 / 3) / (1 / 4)))


def test_interval_of_one_value_is_open():
    mean, low, high = statistics.interval([0.5])
    assert mean == 0.5 and np.isnan(low) and np.isnan(high)


def records_of(scores, *, dial="metrics", overlap=0.0):
    """Records from {(value, dataset): scores of the splits}; a NaN score is a refused cell."""
    rows = [
        {
            **dict.fromkeys(cells.RECORD, ""),
            **{"dial": dial, "value": value, "method": "kernel_regression", "dataset": dataset},
            **{"score_name": "accuracy", "repeat": repeat, "score": score, "overlap": overlap},
            "status": cells.REFUSED if np.isnan(score) else cells.OK,
        }
        for (value, dataset), found in scores.items()
        for repeat, score in enumerate(found)
    ]
    return pd.DataFrame(rows)


def test_differences_are_paired():
    noise = np.array([0.3, -0.2, 0.1])  # the same on both: it must cancel
    records = records_of({("euclidean", "a"): 0.5 + noise, ("cosine", "a"): 0.6 + noise + [0.01, 0, -0.01]})
    row = statistics.summarize(records, dials.REFERENCES).set_index("value").loc["cosine"]
    half = stats.t.ppf(0.975, 2) * 0.01 / np.sqrt(3)
    assert_allclose(
        row[["difference", "difference_low", "difference_high"]].astype(float), [0.1, 0.1 - half, 0.1 + half]
    )


def test_reference_differs_from_itself_by_nothing():
    records = records_of({("euclidean", "a"): [0.5, 0.7]})
    row = statistics.summarize(records, dials.REFERENCES).iloc[0]
    assert (row["difference"], row["difference_low"], row["difference_high"]) == (0, 0, 0)


def test_overview_compares_on_the_same_data_sets():
    records = records_of(
        {
            ("euclidean", "a"): [0.5, 0.6],
            ("euclidean", "b"): [0.9, 1.0],
            ("cosine", "a"): [0.7, 0.8],
            ("cosine", "b"): [np.nan, 1.0],  # not every split: b does not count for cosine
        }
    )
    overview = statistics.overview(records, dials.REFERENCES).set_index("value")
    assert_allclose(overview["mean"], [0.75, 0.75])
    assert_allclose(overview.loc["cosine", "difference"], 0.2)
    assert_array_equal(overview["n_datasets"], [2, 1])


def test_a_dial_whose_reference_was_refused_has_means_without_differences():
    records = records_of({("euclidean", "a"): [np.nan, np.nan], ("cosine", "a"): [0.7, 0.8]})
    overview = statistics.overview(records, dials.REFERENCES)
    assert_array_equal(overview["value"], ["cosine"])
    assert_allclose(overview["mean"], 0.75)
    assert np.isnan(overview["difference"]).all()


# --- splits and plan


def test_splits_are_paired_and_differ_between_repeats():
    first, again, second = (make_split(datasets.load("iris"), r, 100, seed=7) for r in (0, 0, 1))
    assert_array_equal(first.X_train, again.X_train)
    assert not np.array_equal(first.X_train, second.X_train)
    assert len(first.y_train) == 60 and len(first.y_test) == 40
    assert first.overlap == pytest.approx(40 / 60)
    assert make_split(datasets.load("circles"), 0, 100, seed=7).overlap == 0


def test_splits_are_standardized_by_the_training_rows():
    split = make_split(datasets.load("diabetes"), 0, 200, seed=0)
    assert_allclose(split.X_train.mean(axis=0), 0, atol=1e-12)
    assert_allclose(split.X_train.std(axis=0), 1)
    assert_allclose([split.y_train.mean(), split.y_train.std()], [0, 1], atol=1e-12)
    assert abs(split.X_test.mean()) > 1e-4  # not by the test rows


def test_plan_goes_through_everything_before_the_next_repeat():
    settings = study.Settings(data=["iris", "diabetes"], methods=["kernel_regression", "mean_shift"], **SMALL)
    tasks = cells.plan(settings, settings.load_data())
    got = [(task.repeat, task.dataset, task.method) for task in tasks]
    once = [("iris", "kernel_regression"), ("iris", "mean_shift"), ("diabetes", "kernel_regression")]
    assert got == [(repeat, *at) for repeat in range(2) for at in once]


# --- settings


@pytest.mark.parametrize(
    "given, message",
    [
        ({"data": ["moon"]}, "data must be one of two_moons"),
        ({"metrics": ["euclid"]}, r"metrics must be among euclidean, .*got 'euclid'"),
        ({"methods": []}, "methods must name at least one"),
        ({"repeats": 1}, "repeats must be an int of at least 2; got 1"),
        ({"n_samples": 10}, "n_samples must be an int of at least 40"),
        ({"jobs": 0}, "jobs must be a positive int or -1"),
    ],
)
def test_settings_that_do_not_fit(given, message):
    with pytest.raises(ValueError, match=message):
        study.Settings(**given)


def test_settings_from_toml(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text('data = ["iris"]\nmetrics = ["euclidean", "cosine"]\nrepeats = 4\nagreement = false\n')
    settings = study.from_toml(path, seed=5, repeats=None)
    assert settings == study.Settings(
        data=["iris"], metrics=["euclidean", "cosine"], repeats=4, agreement=False, seed=5
    )
    assert settings.command() == (
        "likewise study --data iris --metrics euclidean cosine --repeats 4 --seed 5 --no-agreement"
    )


@pytest.mark.parametrize(
    "text, message",
    [
        ("data = [", "config must be a TOML file"),
        ('color = "red"', "config: a key must be one of data, target.*got 'color'"),
        ("repeats = 0", "repeats must be"),
    ],
)
def test_toml_that_does_not_fit(tmp_path, text, message):
    path = tmp_path / "study.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        study.from_toml(path)
    with pytest.raises(ValueError, match="existing TOML file"):
        study.from_toml(tmp_path / "none.toml")


# --- cells and workers


def task_of(method, *turns, data="iris", task="classification"):
    return cells.Task(data, None, data, task, method, repeat=0, n_samples=60, seed=0, cells=turns)


def test_a_refused_combination_is_a_record_with_the_reason():
    fine, refused = cells.run_task(task_of("kernel_regression", ("metrics", "manhattan"), ("metrics", "dot")))
    assert fine["status"] == cells.OK and fine["score"] > 0.5 and fine["metric"] == "Manhattan()"
    assert refused["status"] == cells.REFUSED and "must be a distance" in refused["message"]
    assert np.isnan(refused["score"])


def test_a_failing_cell_does_not_end_the_others(monkeypatch):
    broken = dials.Dial(
        "metrics", "metric", "euclidean", {**dials.METRICS.values, "cosine": lambda m, X: 1 / 0}
    )
    monkeypatch.setattr(dials, "get", {"metrics": broken, "kernels": dials.KERNELS}.get)
    failed, fine = cells.run_task(task_of("l2_attention", ("metrics", "cosine"), ("metrics", "manhattan")))
    assert failed["status"] == cells.FAILED and failed["message"] == "ZeroDivisionError: division by zero"
    assert fine["status"] == cells.OK


def test_a_dial_turns_one_slot():
    split = make_split(datasets.load("iris"), 0, 60, seed=0)
    for name in methods.names():
        base = methods.get(name).base(split)
        for dial in dials.SLOT_DIALS:
            for value in dial.names():
                turned = dial.turn(base, value, split.X_train)
                kept = {"metric", "kernel", "support", "normalization", "propagation"} - {dial.slot}
                assert all(getattr(turned, slot) == getattr(base, slot) for slot in kept)


def test_results_do_not_depend_on_the_number_of_workers():
    tasks = [task_of(name, ("metrics", "euclidean")) for name in ("kernel_regression", "mean_shift")]
    alone = dict(runner.in_this_process(cells.run_task, tasks))
    together = dict(runner.in_workers(cells.run_task, tasks, 2))
    for task in tasks:
        for here, there in zip(alone[task], together[task]):
            assert {**here, "seconds": 0} == {**there, "seconds": 0}


def test_a_worker_that_dies_is_found_out():
    assert dict(runner.in_workers(os._exit, [1, 2], 2)) == {1: None, 2: None}
    (record,) = cells.crashed(task_of("mean_shift", ("metrics", "euclidean")), "gone")
    assert (record["status"], record["message"], record["score_name"]) == (
        cells.FAILED,
        "gone",
        "adjusted Rand",
    )


# --- a whole study


@pytest.fixture(scope="module")
def small_study(tmp_path_factory):
    return study.run(data=["iris", "s_curve"], out=tmp_path_factory.mktemp("study"), **SMALL)


def test_every_method_works_as_it_is(small_study):
    own = small_study.records[small_study.records["dial"] == cells.OWN]
    assert set(own["method"]) == set(methods.names())
    assert list(own["status"].unique()) == [cells.OK], own["message"].unique()
    scores = own[own["dataset"] == "iris"].groupby("method")["score"].mean()
    assert scores.drop(["mean_shift", "hopfield"]).min() > 0.5


def test_no_cell_fails(small_study):
    failed = small_study.records[small_study.records["status"] == cells.FAILED]
    failed = failed[~failed["message"].str.contains("grow without bound")]  # what such steps do
    assert failed.empty, failed[["method", "dial", "value", "message"]].to_string()


def test_csv_files_hold_the_tables(small_study):
    folder = small_study.report.parent
    for name in ("records", "summary", "overview"):
        file = pd.read_csv(folder / f"{'results' if name == 'records' else name}.csv", keep_default_na=False)
        table = getattr(small_study, name)
        assert list(file.columns) == list(table.columns) and len(file) == len(table) > 0
    assert set(small_study.records["repeat"]) == {0, 1}


def html_of(a_study):
    return a_study.report.read_text(encoding="utf-8")


SECTIONS = (
    ("equation", "The equation"),
    ("slots", "The slots that were really used"),
    ("readings", "One operator, seven readings"),
    ("dials", "One dial at a time"),
    ("curves", "Two dials of numbers"),
    ("agreement", "Agreement with scikit-learn"),
    ("failures", "Failures and warnings"),
    ("reproduce", "Reproduce"),
)


def test_report_has_every_section(small_study):
    html = html_of(small_study)
    for name, title in SECTIONS:
        assert f'<h2 id="{name}">{title}</h2>' in html
    for dial in dials.SLOT_DIALS:
        assert f'<h3 id="{dial.name}">' in html
    for name in methods.names():
        assert methods.get(name).title in html
    assert small_study.settings.command() in html


def test_report_is_self_contained(small_study):
    html = html_of(small_study)
    for reference in re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)""", html):
        assert reference.startswith(("data:image/svg+xml;base64,", "#")), reference[:80]
    assert not re.search(r"https?://|url\(|@import|<script|<link", html)
    pictures = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", html)
    assert len(pictures) == 1 + len(dials.SLOT_DIALS) + len(dials.CURVES)
    for picture in pictures:
        svg = ElementTree.fromstring(base64.b64decode(picture))
        for element in svg.iter():
            for name, value in element.attrib.items():
                if name.endswith("href"):
                    assert value.startswith(("#", "data:")), value[:80]


def test_tables_of_the_report_equal_the_csv(small_study):
    html = html_of(small_study)
    summary = pd.read_csv(small_study.report.parent / "summary.csv")
    tables = re.findall(
        r'<table class="heat" data-dial="(\w+)" data-dataset="(\w+)">(.*?)</table>', html, re.S
    )
    assert len(tables) == len(dials.SLOT_DIALS) * 2
    titles = {methods.get(name).title: name for name in methods.names()}
    n_compared = 0
    for dial, dataset, table in tables:
        shown = _rows(table)
        want = summary[(summary["dial"] == dial) & (summary["dataset"] == dataset)]
        for row in want.itertuples():
            line = next(line for line in shown if titles[line["Method"]] == row.method)
            bold = "**" if row.difference_low > 0 or row.difference_high < 0 else ""
            assert line[row.value].split()[0] == bold + two_decimals(row.mean) + bold
            n_compared += 1
    assert n_compared == len(summary[summary["dial"].isin([dial.name for dial in dials.SLOT_DIALS])])


def two_decimals(x):
    return f"{x:.2f}" if abs(x) < 100 else f"{x:.0f}" if abs(x) < 1e4 else f"{x:.0e}"


def _rows(table):
    def texts(row, tag):
        found = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", row, re.S)
        found = [re.sub(r"</?strong>", "**", text) for text in found]
        return [re.sub(r"<[^>]*>", " ", text).strip() for text in found]

    head, *body = re.findall(r"<tr>(.*?)</tr>", table, re.S)
    return [dict(zip(texts(head, "th"), texts(row, "td"))) for row in body]


def test_heat_map_shows_the_overview(small_study):
    overview = pd.read_csv(small_study.report.parent / "overview.csv")
    for dial in dials.SLOT_DIALS:
        ax = figures.dial_heat_map(small_study.overview, dial).axes[0]
        want = overview[overview["dial"] == dial.name]
        texts = [text.get_text() for text in ax.texts]
        numbers = [text.rstrip("*") for text in texts if "±" not in text and text != "–"]
        assert sorted(numbers) == sorted(map(two_decimals, want["mean"]))
        names = [tick.get_text() for tick in ax.get_xticklabels()]
        means = [text for text in ax.texts if "±" not in text.get_text()]
        at = {(t.get_position()[0], round(t.get_position()[1] + 0.14)): t.get_text() for t in means}
        rows = [tick.get_text() for tick in ax.get_yticklabels()]
        for row in want.itertuples():
            place = (
                names.index(row.value),
                rows.index(f"{methods.get(row.method).title} · {methods.shown(row.score_name)}"),
            )
            same = want[(want["method"] == row.method) & (want["score_name"] == row.score_name)]
            star = "*" if row.n_datasets < same["n_datasets"].max() else ""
            assert at[place] == two_decimals(row.mean) + star


def test_slots_of_the_report_are_those_of_the_fitted_objects(small_study):
    html = html_of(small_study)
    used = small_study.records[(small_study.records["dial"] == cells.OWN)].drop_duplicates("method")
    for row in used.itertuples():
        line = next(line for line in _rows(html) if line.get("Method") == methods.get(row.method).title)
        for column in ("Metric c", "Kernel φ", "Support S", "Normalization l, r"):
            slot = getattr(row, column.split()[0].lower())
            rounded = re.sub(r"\d+\.\d{4,}", lambda number: f"{float(number[0]):.4g}", slot)
            assert line[column].replace("&#39;", "'") == rounded


def test_your_own_csv(tmp_path):
    X, y = datasets.load("wine").sample(80)
    table = pd.DataFrame(X[:, :4]).add_prefix("x").assign(kind=y)
    path = tmp_path / "mine.csv"
    table.to_csv(path, index=False)
    done = study.run(
        data=[str(path)],
        target="kind",
        methods=["kernel_regression", "k_nearest_neighbors"],
        metrics=["euclidean", "manhattan"],
        kernels=[],
        normalizations=[],
        supports=[],
        out=tmp_path / "out",
        **SMALL,
    )
    assert set(done.records["dataset"]) == {"mine"}
    assert (done.records["score"] > 0.5).mean() > 0.5
    assert f"--data {path} --target kind" in html_of(done)
    assert 'id="kernels"' not in html_of(done)


def test_a_failed_figure_is_reported_and_not_fatal(tmp_path, monkeypatch):
    def compute(seed):
        raise RuntimeError("no moons tonight")

    monkeypatch.setattr(readings, "compute", compute)
    done = study.run(data=["iris"], methods=["l2_attention"], metrics=["euclidean"], out=tmp_path, **SMALL)
    assert "no moons tonight" in html_of(done)


# --- stopping


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_stops_within_a_second_and_leaves_a_report(tmp_path, jobs):
    command = ["-m", "likewise", "study", "--no-agreement", "--jobs", str(jobs)]
    command += ["--data", "iris", "wine", "--repeats", "500", "--out", str(tmp_path)]
    process = interruptible.popen(
        *command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    progress = _read_until(process, lambda seen: _n_fits(seen) >= 100)
    start = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    progress += _read_until(process, lambda seen: b"Stopped" in seen)
    assert time.monotonic() - start < 1
    output, errors = process.communicate(timeout=60)  # the rest draws the figures of the report
    assert process.returncode == 130
    assert b" left]" in progress
    assert b"Traceback" not in progress + errors, (progress + errors).decode()
    assert output.decode().strip() == str(tmp_path / "report.html")
    done = pd.read_csv(tmp_path / "results.csv")
    assert len(done) >= 100
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<strong>Interrupted.</strong>" in html and f"{len(done):,} of " in html


def _n_fits(seen):
    return int((re.findall(rb"\| (\d+)/", seen) or [b"0"])[-1])


def _read_until(process, enough):
    """What the process writes to stderr until it is enough."""
    seen = b""
    while not enough(seen):
        piece = os.read(process.stderr.fileno(), 4096)
        assert piece, seen.decode()
        seen += piece
    return seen


def test_what_was_done_before_ctrl_c_is_kept(monkeypatch, tmp_path):
    def stop(tasks, jobs, records, bar):
        records.extend(cells.run_task(task_of("l2_attention", ("metrics", "euclidean"))))
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run_tasks", stop)
    done = study.run(data=["iris"], out=tmp_path, **SMALL)
    assert done.interrupted and len(done.records) == 1 and done.report.exists()


# --- agreement


@pytest.mark.parametrize("name", agreement.names())
def test_agreement_is_measured_and_close(name):
    row = agreement.compare(name, n_samples=200, rounds=1)
    assert row["status"] == "ok", row["message"]
    assert row["largest_difference"] < 1e-6
    assert row["our_time"] > 0 and row["time_ratio"] == row["our_time"] / row["their_time"]


def test_agreement_that_fails_is_a_row(monkeypatch):
    monkeypatch.setattr(agreement, "PAIRS", (agreement.Pair("NoSuchClass", "sklearn.svm", {}, "", None),))
    row = agreement.compare("NoSuchClass", n_samples=60, rounds=1)
    assert row["status"] == "failed" and row["message"]


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="peak memory is read from /proc")
def test_peak_memory_sees_an_allocation():
    """In a process of its own, as the study measures: what tests before have freed would be taken again."""
    program = """if True:
        import numpy as np
        from likewise.study import agreement
        print(agreement._measure_peak(lambda X, y, Q: np.ones(len(X) * 2**15), 200)["peak"])
        """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert_allclose(int(done.stdout) / 2**20, 50, atol=15)  # 200 rows: 50 MiB


def test_the_example_of_a_toml_file_is_valid():
    example = Path(__file__).parents[2] / "examples" / "study.toml"
    settings = study.from_toml(example)
    assert settings.data == ("two_moons", "iris", "diabetes") and settings.supports == ()
