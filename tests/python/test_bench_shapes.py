"""Random shapes of the benchmark: drawn by a seed, every kind runs, answers are compared, reports say it."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from likewise.bench import measure, shapes
from likewise.bench.shapes import _kind, draw, growth, labels, neighbors, report, spectra
from likewise.bench.shapes.kinds import KINDS

SMALL = {  # one shape of each task, small enough for a second
    "neighbors-across": [
        {"task": task, "asked": asked, "n": 300, "m": 20, "d": 3, "k": 4, "classes": 3, "family": "clusters",
         "metric": metric, "dtype": dtype, "seed": 1}
        for task, asked, metric, dtype in (
            ("kneighbors", "ask", "euclidean", "float32"),
            ("kneighbors", "fit and ask", "minkowski", "float64"),
            ("classifier", "ask", "cosine", "float64"),
            ("regressor", "fit and ask", "chebyshev", "float32"),
            ("radius", "ask", "manhattan", "float64"),
        )
    ],
    "neighbors-self": [
        {"task": task, "asked": "fit and ask", "n": 200, "d": 3, "k": 4, "family": "noise",
         "metric": "euclidean", "dtype": "float32", "seed": 2}
        for task in neighbors.SELF_TASKS
    ],
    "density": [
        {"kernel": kernel, "asked": "ask", "n": 200, "m": 20, "d": 2, "width": 0.3, "family": "noise",
         "dtype": "float64", "seed": 3}
        for kernel in ("gaussian", "tophat")
    ],
    "regression": [
        {"task": task, "asked": "fit and ask", "n": 80, "m": 0 if task == "chosen" else 20, "d": 1,
         "targets": 1, "width": 0.3, "family": "noise", "dtype": "float64", "seed": 4}
        for task in ("gaussian", "laplacian", "epanechnikov", "chosen")
    ],
    "labels": [
        {"method": method, "kernel": kernel, "asked": asked, "n": 120, "m": 20, "d": 2, "k": 6, "classes": 3,
         "labeled": 0.3, "width": 0.2, "seed": 5}
        for method, kernel, asked in (("LabelPropagation", "knn", "fit"), ("LabelSpreading", "rbf", "ask"))
    ],
    "spectra": [
        {"task": "clustering", "affinity": "nearest_neighbors", "family": "clusters", "n": 120, "d": 2,
         "k": 10, "components": 3, "seed": 6},
        {"task": "embedding", "affinity": "rbf", "family": "curve", "n": 120, "d": 2, "k": 10,
         "components": 2, "seed": 6},
        *(
            {"task": "graph", "family": family, "n": 60, "components": 3, "seed": 6}
            for family in spectra.GRAPHS
        ),
    ],
    "mean-shift": [{"seeds": seeds, "n": 100, "d": 2, "family": "clusters", "width": 0.4, "seed": 7}
                   for seeds in ("bins", "all points")],
    "attention": [
        {"task": "forward", "batch": 2, "heads": 2, "n": 9, "keys": "same", "m": 9, "d": 5, "mask": mask,
         "dtype": "float64", "seed": 8}
        for mask in ("none", "causal", "padding", "window", "random", "symmetric")
    ],
    "layers": [{"task": "step", "batch": 2, "n": 5, "width": 8, "heads": 2, "causal": True,
                "dtype": "float32", "seed": 9}],
}  # fmt: skip
IN_TORCH = ("attention", "layers")


@pytest.mark.parametrize("kind", SMALL)
def test_every_kind_answers_as_its_peers_do(kind):
    for shape in SMALL[kind]:
        workload = KINDS[kind].workload(shape)
        rows = {row["contender"]: row for row in measure.measure_times(workload, workload.size, 1, 3, 0.1)}
        assert rows["likewise"]["status"] == measure.OK, (shape, rows["likewise"]["message"])
        peers = {name: row for name, row in rows.items() if name != "likewise"}
        installed = [row for row in peers.values() if row["status"] != measure.MISSING]
        assert all(row["status"] == measure.OK for row in installed), (shape, installed)
        if kind not in IN_TORCH and shape.get("task") not in ("chosen", "diffusion"):
            assert installed, shape  # scikit-learn is always there


def test_shapes_are_those_of_their_seed_and_kinds_do_not_disturb_one_another():
    everything = shapes.draw_shapes(3, 27, threads=(1, 2))
    again = shapes.draw_shapes(3, 27, threads=(1, 2))
    other = shapes.draw_shapes(4, 27, threads=(1, 2))
    alone = shapes.draw_shapes(3, 3, only=["density"], threads=(1, 2))
    assert everything == again != other
    assert [row for row in everything if row["kind"] == "density"] == alone
    assert {row["kind"] for row in everything} == set(KINDS) and len(everything) == 27
    json.dumps(everything)


def test_a_hundred_shapes_of_each_kind_are_within_their_bounds_and_wide():
    for kind, of_kind in KINDS.items():
        rng = np.random.default_rng(0)
        sizes = [of_kind.draw(rng)["n"] for _ in range(100)]
        assert max(sizes) > 30 * min(sizes), kind


@pytest.mark.parametrize("family", draw.FAMILIES)
def test_points_have_the_family_they_are_named_for(family):
    X = draw.points(np.random.default_rng(1), family, 400, 7, "float32")
    assert X.shape == (400, 7) and X.dtype == np.float32 and X.flags.c_contiguous
    tied = len(np.unique(X, axis=0)) < len(X)
    assert tied == (family in ("one-hot", "copies")) or family == "integers"
    if family == "one-hot":
        assert set(np.unique(X)) == {0.0, 1.0}


def test_the_rayleigh_sum_is_least_at_the_eigenvectors():
    rng = np.random.default_rng(2)
    graph = sparse.csr_array(np.triu(rng.uniform(size=(40, 40)), 1))
    graph = sparse.csr_array(graph + graph.T)
    degrees = np.asarray(graph.sum(axis=1)).ravel()
    S = graph.toarray() / np.sqrt(np.outer(degrees, degrees))
    values, vectors = np.linalg.eigh(np.eye(40) - S)
    best = spectra.rayleigh_sum(graph, vectors[:, 1:4] / np.sqrt(degrees)[:, None])
    assert_allclose(best, values[:4].sum(), atol=1e-12)
    worse = spectra.rayleigh_sum(graph, rng.standard_normal((40, 3)))
    assert worse > best + 0.1


def test_a_wrong_answer_has_no_ratio_and_a_slow_one_is_said():
    row = {"kind": "density", "shape": SMALL["density"][0], "threads": 1}
    ok = {"status": "ok", "message": ""}
    fast = shapes._row(row, [{"contender": "likewise", "times": [2.0, 3.0], **ok},
                             {"contender": "a", "times": [1.0, 5.0], **ok},
                             {"contender": "b", "times": [4.0], **ok}])  # fmt: skip
    assert fast["ratio"] == 0.5 and fast["peer"] == "a"
    other = {"contender": "a", "status": "different", "message": "answers differ"}
    wrong = shapes._row(row, [{"contender": "likewise", "times": [2.0], **ok}, other])
    assert wrong["ratio"] is None and wrong["status"] == "no answer in common"
    failed = shapes._row(row, [{"contender": "likewise", "status": "failed", "message": "killed"}])
    assert report.worst([fast, wrong, failed], 2) == [failed, fast]
    found = shapes.Found(0, 3, rows=[fast, wrong, failed], machine={"cpu": "a processor"})
    text = "\n".join(report.lines(found, "figure.png"))
    assert "**0.50** density" in text and "answers differ" in text and "killed" in text


@pytest.mark.parametrize("asked", ["fit", "ask"])
def test_points_that_no_label_reaches_are_no_difference_and_wrong_labels_are(asked):
    shape = {"method": "LabelPropagation", "kernel": "knn", "asked": asked, "n": 229, "m": 183, "d": 13,
             "k": 7, "classes": 24, "labeled": 0.013, "width": 0.056, "seed": 1}  # fmt: skip
    data = labels._inputs(np.random.default_rng(1), shape)
    ours = labels._read(labels._prepare(data, 1)(), data)
    theirs = labels._read_theirs(labels._prepare_theirs(data, 1)(), data)
    answered = theirs >= 0
    assert 0.05 < answered.mean() < 0.95
    assert labels._compare(ours, theirs, data).difference == 0
    assert labels._compare(np.where(answered, ours, 99), theirs, data).difference == 0
    assert labels._compare(ours + 1, theirs, data).difference == 1


def test_cliffs_are_steps_dearer_than_their_work():
    assert growth.cliffs([1, 2, 4], [1.0, 2.0, 8.0], 1) == [(2, 4, 4.0)]
    assert growth.cliffs([1, 2, 4], [1.0, 4.5, 8.0], 2) == []
    assert growth.cliffs([1, 2], [1e-6, 1e-3], 1) == []  # what a call costs anyway


def test_the_command_writes_its_report(tmp_path):
    found = shapes.run(5, 2, only=["mean-shift", "labels"], threads=(1,), out=tmp_path)
    assert [row["kind"] for row in found.rows] == ["mean-shift", "labels"]
    assert all(row["ours"] is not None for row in found.rows), found.rows
    assert json.loads((tmp_path / "shapes-5.json").read_text())["seed"] == 5
    assert (tmp_path / "shapes-5.md").read_text().startswith("# 2 random shapes, seed 5")
    assert (tmp_path / "shapes-5.png").stat().st_size > 1000


def test_unknown_kinds_are_named():
    with pytest.raises(ValueError, match=r"only must be among neighbors-across.*got 'knn'"):
        shapes.draw_shapes(0, 1, only=["knn"])


def test_words_leave_out_the_seed():
    assert _kind.words_of({"task": "fit", "n": 3, "seed": 9}) == "fit, n = 3"
