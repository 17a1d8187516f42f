"""The benchmark: equality before timing, intervals, children, stopping, and files that hold every field."""

import base64
import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace
from unittest import mock

import interruptible
import numpy as np
import pytest
from numpy.testing import assert_allclose

from likewise import bench
from likewise.__main__ import main
from likewise._experiments.child import Child
from likewise.bench import goals, measure, peers, report, results, runner, workloads
from likewise.bench.measure import measure_peak, measure_times
from likewise.bench.workload import Contender, Peer, Workload, largest_difference, likewise_way
from likewise.bench.workloads import accuracy, bandwidth, neighbors, serve, spectral

TINY = {"threads": (1,), "rounds": 3, "quick": True}


def tiny_workload(*contenders, **fields):
    """n ones; the question is their sum."""
    own = likewise_way(lambda data, threads: lambda: data.sum())
    given = {
        "name": "tiny",
        "group": "tiny",
        "title": "sum of ones",
        "compared": "the sum",
        "size": {"n": 100},
        "quick": {"n": 10},
        "inputs": lambda rng, *, n: np.ones(n),
        "contenders": (own, *contenders),
        "compare": largest_difference(1e-6),
    }
    return Workload(**{**given, **fields})


def peer_that(run, name="NumPy", peer=peers.NUMPY, **fields):
    return Contender(name, peer, lambda data, threads: lambda: run(data), **fields)


def found_of(workload, size=None, **options):
    rows = measure_times(workload, size or workload.size, 1, 3, 1.0, **options)
    return {row["contender"]: row for row in rows}


# --- measuring


def test_equal_answers_are_timed_in_turn():
    order = []
    first = likewise_way(lambda data, threads: lambda: order.append("ours") or time.sleep(0.03) or 1.0)
    second = peer_that(lambda data: order.append("theirs") or time.sleep(0.03) or 1.0)
    found = found_of(tiny_workload(contenders=(first, second)))
    assert [len(row["times"]) for row in found.values()] == [3, 3]
    assert all(row["status"] == measure.OK and min(row["times"]) >= 0.03 for row in found.values())
    assert order == ["ours", "theirs"] * 5  # the answer, the number of calls, three rounds


def test_a_wrong_answer_gets_no_time():
    called = []
    found = found_of(tiny_workload(peer_that(lambda data: called.append(1) or data.sum() * (1 + 1e-3))))
    row = found["NumPy"]
    assert row["status"] == measure.DIFFERENT and "times" not in row and len(called) == 1
    assert row["message"] == "answers differ by 1.0e-03; 1.0e-06 allowed"
    assert found["likewise"]["status"] == measure.OK


@pytest.mark.parametrize("answer", [np.nan, np.ones(3)])
def test_nan_and_other_shapes_are_no_answer(answer):
    found = found_of(tiny_workload(peer_that(lambda data: answer)))
    assert found["NumPy"]["status"] == measure.DIFFERENT


def test_both_wrong_in_the_same_way_is_found_by_the_reference():
    reference = lambda data: (slice(None), np.full(1, 100.0))  # noqa: E731
    wrong = likewise_way(lambda data, threads: lambda: np.full(1, 99.0))
    found = found_of(
        tiny_workload(contenders=(wrong, peer_that(lambda data: np.full(1, 99.0))), reference=reference)
    )
    assert {row["status"] for row in found.values()} == {measure.DIFFERENT}
    assert "off the reference" in found["likewise"]["message"]


def test_where_ours_fails_nothing_is_timed():
    broken = likewise_way(lambda data, threads: lambda: 1 / 0)
    found = found_of(tiny_workload(contenders=(broken, peer_that(lambda data: data.sum()))))
    assert found["likewise"] == {
        "contender": "likewise",
        "status": measure.FAILED,
        "message": "ZeroDivisionError: division by zero",
    }
    assert found["NumPy"]["status"] == measure.NOT_AVAILABLE and "times" not in found["NumPy"]


def test_a_missing_peer_is_a_row_with_the_line_that_installs_it():
    absent = Peer("no_such_library", "no-such-library", "no-such-library==1.0")
    found = found_of(tiny_workload(peer_that(lambda data: 1 / 0, peer=absent)))
    assert found["NumPy"]["status"] == measure.MISSING
    assert found["NumPy"]["message"] == "pip install no-such-library==1.0"


def test_what_this_version_cannot_do_is_a_row():
    absent = likewise_way(lambda data, threads: None, unavailable=lambda: "this version has no P.vjp")
    found = found_of(tiny_workload(contenders=(absent,)))
    assert (found["likewise"]["status"], found["likewise"]["message"]) == (
        measure.NOT_AVAILABLE,
        "this version has no P.vjp",
    )


def test_rounds_end_with_the_budget_but_not_before_three():
    slow = tiny_workload(contenders=(likewise_way(lambda data, threads: lambda: time.sleep(0.1)),))
    slow = tiny_workload(contenders=slow.contenders, compare=lambda *answers: None)
    assert len(measure_times(slow, slow.size, 1, 50, 0.05)[0]["times"]) == 3


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="peak memory is read from /proc")
def test_peak_is_beyond_the_inputs_and_knows_the_output():
    def run(data):
        first, second = np.ones(len(data)), np.full(len(data), 2.0)
        return first + second

    workload = tiny_workload(contenders=(likewise_way(lambda data, threads: lambda: run(data)),))
    n = 4 * 2**20
    found = measure_peak(workload, {"n": n}, {"n": 10}, 1, "likewise")
    assert found["output_bytes"] == 8 * n
    assert_allclose(found["peak_bytes"], 24 * n, rtol=0.1)


# --- statistics and records


def test_the_interval_holds_the_median_95_times_in_100():
    rng = np.random.default_rng(0)
    for n in (9, 15):
        bounds = np.array([results.median_with_interval(rng.exponential(size=n))[1:] for _ in range(4000)])
        covered = ((bounds[:, 0] < np.log(2)) & (bounds[:, 1] > np.log(2))).mean()
        assert covered > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 4000)
    assert results.median_with_interval([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0)


def test_the_interval_is_the_innermost_that_does():
    values = list(range(9))
    assert results.median_with_interval(values) == (4.0, 1.0, 7.0)  # 1 - 2 * 10 / 512 = 96 %


SETTINGS = bench.Settings(only="attention", threads=(2,))


def record_of(workload, times, **entry):
    """The record of the peer, installed or not, with these times of ours and theirs."""
    entry = {"status": "ok", "message": "", "difference": 0.0, "tolerance": 1.0, **entry}
    entries = [{**entry, "contender": name, "times": of} for name, of in times.items()]
    with mock.patch.object(runner, "installed_version", lambda name: "1.0"):
        return runner._records(workload, workload.size, 2, entries, SETTINGS)[-1]


def test_ratios_are_paired_round_by_round():
    drift = np.array([1.0, 2.0, 4.0])  # the machine slows down: it must cancel
    record = record_of(
        workloads.get("gaussian-d3"), {"likewise": list(drift), "KeOps": list(50 * drift)}, calls=1
    )
    assert (record["ratio"], record["ratio_low"], record["ratio_high"]) == (50, 50, 50)
    assert (record["goal"], record["stretch"], record["verdict"]) == (40, 60, "goal")
    assert results.checked(record) == record


def test_a_yardstick_compares_flops_a_second():
    workload = workloads.get("attention-n16384-d64")
    flops = 4 * 16384**2 * 64
    record = record_of(
        workload, {"likewise": [flops / 90e9] * 3, "OpenBLAS sgemm": [2 * 2048**3 / 100e9] * 3}, calls=1
    )
    assert_allclose([record["ratio"], record["fraction_of_a"]], 0.9)
    assert record["verdict"] == "missed"


def test_a_record_without_a_field_is_refused():
    record = record_of(workloads.get("gaussian-d3"), {"likewise": [1.0] * 3, "KeOps": [1.0] * 3}, calls=1)
    with pytest.raises(ValueError, match="must have difference"):
        results.checked({**record, "difference": None})
    with pytest.raises(ValueError, match="must have verdict"):
        results.checked({name: value for name, value in record.items() if name != "verdict"})


def test_slopes_are_exponents():
    row = dict.fromkeys(results.RECORD)
    row |= {"workload": "growth-gaussian", "contender": "KeOps", "threads": 2, "status": "ok"}
    rows = [{**row, "n": n, "seconds": 1e-9 * n**2, "peak_bytes": 2000 * n} for n in (500, 1000, 4000)]
    (slope,) = results.Results(growth=rows).slopes()
    assert_allclose([slope["time"], slope["memory"]], [2, 1])
    assert (slope["n_from"], slope["n_to"]) == (1000, 4000)


def test_every_goal_is_of_a_workload_and_a_contender_that_exist():
    for goal in goals.GOALS:
        workloads.get(goal.workload).contender(goal.contender)
        assert goal.stretch > goal.goal > 0
    groups = {workload.group for workload in workloads.all_workloads()}
    assert set(goals.EACH_OF_A_GROUP) <= groups
    names = [workload.name for workload in workloads.all_workloads()]
    assert len(names) == len(set(names))


def test_memory_verdicts():
    assert [goals.memory_verdict(mib * 2**20) for mib in (10, 16, 40, 64, 65)] == [
        "stretch",
        "stretch",
        "goal",
        "goal",
        "missed",
    ]


# --- the answers that workloads compare


def test_neighbors_that_are_wrong_are_found():
    indices = np.arange(30).reshape(10, 3)
    distances = np.ones((10, 3))
    moved = indices.copy()
    moved[0, 0] = 99
    assert neighbors._compare((distances, indices), (distances, indices[:, ::-1]), None).same
    assert not neighbors._compare((distances, indices), (distances, moved), None).same
    assert not neighbors._compare((distances, indices), (1.01 * distances, indices), None).same


def test_classes_that_differ_are_found():
    ours = np.arange(1000) % 3
    assert serve._same_classes(ours, ours, None).same
    theirs = ours.copy()
    theirs[:2] += 1
    found = serve._same_classes(ours, theirs, None)
    assert not found.same
    assert found.detail == "99.80 % of the classes are the same"


def test_the_point_itself_is_taken_out_of_k_plus_1():
    indices = np.array([[0, 5, 6], [7, 1, 8], [3, 4, 9]])  # the last row has lost itself
    found = neighbors._without_self(indices.astype(float), indices, SimpleNamespace(k=2))[1]
    np.testing.assert_array_equal(found, [[5, 6], [7, 8], [3, 4]])


def test_residual_and_cut_by_hand():
    from scipy import sparse

    graph = sparse.csr_array(np.array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0.0]]))
    degree = np.array([1, 2, 2, 1.0])
    S = graph.toarray() / np.sqrt(np.outer(degree, degree))
    _, u = np.linalg.eigh(S)
    exact = u[:, -2:] / np.sqrt(degree)[:, None]
    assert spectral.residual(graph, exact) < 1e-14
    assert spectral.residual(graph, exact + 1e-3 * np.arange(8).reshape(4, 2)) > 1e-4
    assert_allclose(spectral.normalized_cut(graph, np.array([0, 0, 1, 1])), 1 / 3 + 1 / 3)


def test_an_accuracy_is_too_low_where_its_interval_says_so():
    theirs, spread = np.full(10, 0.9), 0.01 * np.tile([-1, 1], 5)
    assert accuracy._at_least(theirs + 0.05 + spread, theirs, None).same
    assert accuracy._at_least(theirs - 0.001 + spread, theirs, None).same  # not told apart
    worse = accuracy._at_least(theirs - 0.05 + spread, theirs, None)
    assert not worse.same
    assert worse.detail.startswith("accuracy 0.8500, theirs 0.9000; -0.0500 [-0.0")


def test_leave_one_out_error_by_hand():
    X, y = np.array([[0.0], [1.0], [3.0]]), np.array([1.0, 2.0, 5.0])
    k = np.exp(-(np.array([1.0, 9.0, 4.0]) / 2))  # pairs 01, 02, 12
    want = [(k[0] * 2 + k[1] * 5) / (k[0] + k[1]), (k[0] + k[2] * 5) / (k[0] + k[2])]
    want.append((k[1] + k[2] * 2) / (k[1] + k[2]))
    assert_allclose(bandwidth.leave_one_out_error(X, y, 1.0), np.mean((y - want) ** 2))


# --- settings and the command line


@pytest.mark.parametrize(
    "given, message",
    [
        ({"only": "attention,svm"}, r"only must be among attention, .*got 'svm'"),
        ({"rounds": 2}, "rounds must be an int of at least 3; got 2"),
        ({"threads": (0,)}, "threads must be an int of at least 1; got 0"),
        ({"threads": ()}, "threads must hold at least one int"),
    ],
)
def test_settings_that_do_not_fit(given, message):
    with pytest.raises(ValueError, match=message):
        bench.Settings(**given)


def test_only_takes_groups_names_and_commas():
    settings = bench.Settings(only=("gaussian, spectral-blobs", "diffusion-maps"))
    names = [workload.name for workload in settings.workloads()]
    assert names == ["gaussian-d3", "gaussian-d64", "spectral-blobs", "diffusion-maps"]
    again = settings.command().split()
    assert again[again.index("--only") + 1] == "gaussian,spectral-blobs,diffusion-maps"


def test_list_shows_every_workload(capsys):
    assert main(["bench", "--list"]) == 0
    text = capsys.readouterr().out
    assert [line.split()[0] for line in text.splitlines()] == [w.name for w in workloads.all_workloads()]


def test_what_does_not_fit_is_one_line_and_status_2(tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["bench", "--only", "svm", "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("likewise bench: only must be among") and error.count("\n") == 1
    assert not out.exists()


# --- children


def test_a_child_that_dies_is_rows_that_say_so(monkeypatch):
    monkeypatch.setattr(
        runner.child, "start", lambda *args, **task: Child("likewise.no_such_module", [], threads=1)
    )
    found = results.Results()
    settings = bench.Settings(only="gaussian-d3", memory=False, **TINY)
    runner.run_job(runner.jobs_of(settings)[0], settings, found, lambda fraction: None)
    assert [row["status"] for row in found.records] == [measure.FAILED] * 3
    assert "no_such_module" in found.records[0]["message"]


def test_a_child_that_takes_too_long_is_stopped():
    sleeper = Child("timeit", ["-n", "1", "import time; time.sleep(60)"], threads=1)
    with pytest.raises(TimeoutError, match="took longer than"):
        list(sleeper.answers(0.5))


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="processes are looked up in /proc")
def test_a_child_ends_with_its_parent():
    parent = (
        "import likewise.bench.child as c; p = c.start('times', 1, workloads=['iris-MeanShift'], size=None,"
    )
    parent += "quick=False, rounds=10**6, budget=600, only=None); print(p._process.pid, flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    child = int(process.stdout.readline())
    time.sleep(2)  # it is under way
    process.kill()
    process.communicate()
    for _ in range(200):
        if _is_gone(child):
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the child outlived its parent")


def _is_gone(pid):
    """Ended, or a zombie that nobody has waited for."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")")[1].split()[0] == "Z"
    except OSError:
        return True


def test_blas_variables_of_the_environment_do_not_reach_the_yardstick(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    settings = bench.Settings(only="iris-NearestNeighbors", memory=False, **TINY)
    found = results.Results()
    runner.run_job(runner.jobs_of(settings)[0], settings, found, lambda fraction: None)
    numpy = next((blas for blas in found.blas if blas["library"] == "numpy"), None)
    assert numpy is None or numpy["architecture"] != "Prescott"


# --- a whole benchmark


@pytest.fixture(scope="module")
def small_bench(tmp_path_factory):
    out = tmp_path_factory.mktemp("bench")
    names = "gaussian-d3,iris-KernelDensity,iris-LabelSpreading"
    return bench.run(only=names, out=out, **TINY), out


def test_what_is_installed_is_timed(small_bench):
    found, _ = small_bench
    assert len(found.records) == 3 + 2 + 2 and not found.interrupted
    for row in found.records:
        known = row["package"] == "likewise" or row["status"] == measure.MISSING
        assert row["status"] == measure.OK or known, row["message"]
        if row["status"] == measure.OK:
            assert row["seconds_low"] <= row["seconds"] <= row["seconds_high"]
            assert row["rounds"] == len(row["times"]) == 3
    ours = found.records[0]
    assert ours["peak_bytes"] is not None or sys.platform != "linux"
    assert all(row["goal"] is None for row in found.records)  # quick: nothing is judged


def test_json_and_csv_hold_every_field(small_bench):
    found, out = small_bench
    document = json.loads((out / "bench.json").read_text(encoding="utf-8"))
    assert document["schema"] == results.SCHEMA
    for key in ("records", "growth", "slopes", "stops", "blas", "machine", "versions", "settings", "date"):
        assert key in document
    assert {"cpu", "cores", "compiler", "flags", "memory_bytes"} <= set(document["machine"])
    assert document["machine"]["compiler"] and document["versions"]["likewise"]
    assert [set(row) for row in document["records"]] == [set(results.RECORD)] * len(found.records)
    with open(out / "bench.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(results.RECORD) and len(rows) == len(found.records)
    assert_allclose(float(rows[0]["seconds"]), found.records[0]["seconds"])


def test_the_page_is_self_contained_and_shows_the_records(small_bench):
    found, out = small_bench
    html = (out / "report.html").read_text(encoding="utf-8")
    for name in ("goals", "times", "growth", "problems", "reproduce"):
        assert f'<h2 id="{name}">' in html
    for reference in re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)""", html):
        assert reference.startswith(("data:image/svg+xml;base64,", "#")), reference[:80]
    assert not re.search(r"https?://|url\(|@import|<script|<link", html)
    for picture in re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", html):
        ElementTree.fromstring(base64.b64decode(picture))
    for row in found.records:
        if row["status"] == measure.OK:
            assert results.seconds_text(row["seconds"]) in html
    assert found.settings["command"] in html


def test_the_page_shows_goals_growth_and_problems(tmp_path):
    good = record_of(workloads.get("gaussian-d3"), {"likewise": [1.0] * 3, "KeOps": [70.0] * 3}, calls=1)
    missing = {**good, "status": measure.MISSING, "message": "pip install pykeops", "goal": None}
    grown = [
        {
            **good,
            "workload": "growth-gaussian",
            "n": n,
            "peak_bytes": n * 4096,
            "output_bytes": 0,
            "goal": None,
        }
        for n in (1000, 2000)
    ]
    found = results.Results(
        records=[good, missing], growth=grown, machine={"cpu": "x", "cores": 2}, date="today"
    )
    found.settings = {"quick": False, "command": "likewise bench"}
    report.write(found, tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    goal_row = html.split('<tr data-workload="gaussian-d3" data-contender="KeOps">')[1].split("</tr>")[0]
    assert "<strong>70</strong>" in goal_row and "stretch reached" in goal_row
    assert "missing: pip install pykeops" in html and html.count("data:image/svg") == 2
    assert "stretch" in results.table(found) and "[70, 70]" in results.table(found)


def test_the_page_writes_thousands_out():
    assert [report._number(x) for x in (0.9512, 1.5, 35.24, 999, 2000.0, 12345.6)] == [
        "0.951",
        "1.5",
        "35.2",
        "999",
        "2 000",
        "12 346",
    ]


def test_growth_goes_on_until_a_contender_takes_too_long(monkeypatch):
    def times(together, threads, settings, found, *, size, only, **rest):
        n = size["n"]
        seconds = {"likewise": 1e-10 * n**2, "KeOps": 5e-7 * n**2, "scikit-learn": 1e-9 * n**2}
        peak = {"likewise": 2**20, "KeOps": 2**20, "scikit-learn": 8 * n**2}
        asked.append((n, tuple(only)))
        row = dict.fromkeys(results.RECORD) | {"workload": "growth-gaussian", "n": n, "threads": threads}
        row |= {"status": "ok", "message": "", "dtype": "float32", "version": "1", "rounds": 3, "ratio": 1.0}
        row |= {"difference": 0.0, "tolerance": 1.0, "compared": "", "ours": False}
        return [
            {**row, "contender": name, "seconds": seconds[name], "peak_bytes": peak[name]} for name in only
        ]

    asked = []
    monkeypatch.setattr(runner, "_times", times)
    monkeypatch.setattr(runner, "available_bytes", lambda: 16 * 2**30)
    settings = bench.Settings(only="growth-gaussian", memory=False)
    found = results.Results()
    runner.run_job(runner.jobs_of(settings)[0], settings, found, lambda fraction: None)
    everyone = ("likewise", "KeOps", "scikit-learn")
    assert dict(asked)[5000] == everyone and dict(asked)[10_000] == ("likewise", "scikit-learn")
    assert dict(asked)[200_000] == ("likewise",)
    reasons = {stop["contender"]: stop["reason"] for stop in found.stops}
    assert reasons["KeOps"] == "n = 10000 would take about 50 s a call; 20 s are allowed"
    assert "GiB" in reasons["scikit-learn"]


# --- stopping


def test_what_was_done_before_ctrl_c_is_kept(monkeypatch, tmp_path):
    def stop(job, settings, found, advance):
        if found.records:
            raise KeyboardInterrupt
        found.records.append(done)

    done = record_of(workloads.get("gaussian-d3"), {"likewise": [1.0] * 3, "KeOps": [70.0] * 3}, calls=1)
    monkeypatch.setattr(runner, "run_job", stop)
    found = bench.run(only="attention", threads=(1,), out=tmp_path)
    assert found.interrupted and len(found.records) == 1
    assert json.loads((tmp_path / "bench.json").read_text())["interrupted"] is True
    assert "<strong>Interrupted.</strong>" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_on_the_command_line(tmp_path):
    command = ["-m", "likewise", "bench", "--only", "iris,gaussian", "--quick", "--no-memory"]
    process = interruptible.popen(
        *command,
        *("--threads", "1", "--out", str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    seen = b""
    while b"%" not in seen.replace(b"  0%", b""):  # it is on its way
        piece = os.read(process.stderr.fileno(), 4096)
        assert piece, seen.decode()
        seen += piece
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and b"report.html" in out
    assert json.loads((tmp_path / "bench.json").read_text())["interrupted"] is True
