"""likewise play: what its readings, programs and server say, against the library and plain NumPy."""

import copy
import http.client
import json
import re
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

import interruptible
import numpy as np
import pytest
from scipy.linalg import expm
from scipy.spatial.distance import cdist
from scipy.stats import entropy
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs, make_moons
from sklearn.metrics import adjusted_rand_score

import likewise as lw
from likewise.__main__ import main
from likewise._mechanism import SLOTS
from likewise.play import calls, readings, server
from likewise.play.readings import unpacked
from likewise.play.state import DIALS, PAGE, State

ROOT = Path(__file__).parents[2]
VIEWS = ("matrix", "regression", "boundary", "clusters", "diffusion", "labels", "moved", "propagated")
PLAIN = {
    "metric": {"name": "Euclidean"},
    "kernel": {"name": "Gaussian", "bandwidth": 0.4},
    "support": {"name": "AllPairs"},
    "normalization": {"name": "RowStochastic", "null_mass": 0.0},
    "propagation": {"name": "OneStep"},
}


def cloud(n=36, seed=0, n_classes=2):
    """Points of a state: two moons inside the plane, of two classes or more, with held labels."""
    X, y = make_moons(n, noise=0.15, random_state=seed)
    y = y if n_classes == 2 else np.arange(n) % n_classes
    held = [int(i % 9 == 0) for i in range(n)]
    return {"points": (X - X.mean(axis=0)).round(3).tolist(), "classes": y.tolist(), "held": held}


def settings(choice):
    """A choice of a dial as it starts, with each of its numbers at both ends and each of its words."""
    start = {"name": choice["name"], **{field["name"]: field["start"] for field in choice["fields"]}}
    yield start
    for field in choice["fields"]:
        values = [field[end] for end in ("low", "high") if end in field] + list(field.get("words", ()))
        for value in [*values, *((True,) if field["kind"] == "flag" else ())]:
            yield {**start, field["name"]: value}


def every_setting():
    """(slot, chosen) of all dials, each once."""
    found = [(slot, chosen) for slot in SLOTS for choice in DIALS[slot] for chosen in settings(choice)]
    return list({str(one): one for one in found}.values())


def fitting(slot, chosen):
    """A state with this setting and others that go with it."""
    state = {**copy.deepcopy(PLAIN), **cloud(), slot: chosen}
    if chosen["name"] in ("DotProduct", "Bilinear"):
        state["kernel"] = {"name": "Exponential", "temperature": 0.5}
    if chosen.get("bandwidth") == "umap" or chosen.get("symmetrize") == "fuzzy_union":
        neighbors = {"name": "Neighbors", "n_neighbors": 7, "symmetrize": "union", "include_self": False}
        state["support"] = chosen if slot == "support" else neighbors
    if chosen.get("n_neighbors", 0) > 30:
        state.update(cloud(60))
    return state


def random_state(rng):
    """Any setting on each dial, with numbers from anywhere in their ranges."""

    def value(field):
        words = list(field.get("words", ()))
        if field["kind"] == "flag":
            return bool(rng.integers(2))
        if field["kind"] == "word" or (words and rng.random() < 0.4):
            return str(rng.choice(words))
        if field["kind"] == "count":
            return int(rng.integers(field["low"], field["high"] + 1))
        return float(rng.uniform(field["low"], field["high"]))

    def chosen(slot):
        choice = DIALS[slot][rng.integers(len(DIALS[slot]))]
        return {"name": choice["name"], **{field["name"]: value(field) for field in choice["fields"]}}

    points = cloud(int(rng.integers(3, 60)), int(rng.integers(99)), int(rng.integers(2, 5)))
    return {**{slot: chosen(slot) for slot in SLOTS}, **points}


# --- the library, called directly ---------------------------------------------------------------------------


def turned(degrees):
    """A rotation, printed to six digits as the page's programs have it."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.round([[c, -s], [s, c]], 6)


def value_of(slot, chosen):
    """The slot's value, from the words on the dials."""
    fields = {key: value for key, value in chosen.items() if key != "name"}
    if chosen["name"] == "Mahalanobis":
        c, s = np.cos(np.radians(fields["angle"])), np.sin(np.radians(fields["angle"]))
        W = np.round([[c, s], [-fields["stretch"] * s, fields["stretch"] * c]], 6)
        return lw.metrics.Mahalanobis(W)
    if chosen["name"] == "Bilinear":
        return lw.metrics.Bilinear(turned(fields["angle"]), np.eye(2))
    if chosen["name"] == "Mapped":
        return lw.metrics.Mapped(lw.maps.ResidualMLP([[3.0, 0.0]], W2=[[fields["pull"]], [0.0]]))
    fields = {key: None if value in ("unbounded", "clamped") else value for key, value in fields.items()}
    module = {"metric": lw.metrics, "kernel": lw.kernels, "support": lw.supports,
              "normalization": lw.normalizations, "propagation": lw.propagations}[slot]  # fmt: skip
    return getattr(module, chosen["name"])(**fields)


def mechanism(state):
    return lw.Mechanism(**{slot: value_of(slot, state[slot]) for slot in SLOTS})


class Direct:
    """The state's operator and points, without likewise.play."""

    def __init__(self, state):
        self.state, self.m, self.X = state, mechanism(state), np.array(state["points"])
        self.P = self.m.operator(self.X)
        self.dense = self.P.toarray()
        self.y, self.held = np.array(state["classes"]), np.array(state["held"], dtype=bool)
        self.V = (self.y[:, None] == np.arange(max(2, self.y.max() + 1))).astype(float)


def same(packed, expected, tolerance=1e-5):
    expected = np.asarray(expected)
    np.testing.assert_allclose(
        unpacked(packed), expected, rtol=tolerance, atol=tolerance * np.abs(expected).max(initial=1e-3)
    )


def check_matrix(view, of):
    roots = np.sqrt(of.dense / np.maximum(of.dense.max(axis=1, keepdims=True), 1e-300))
    np.testing.assert_allclose(unpacked(view["weights"]) / 255, roots, atol=0.51 / 255)
    same(view["largest"], of.dense.max(axis=1))
    same(view["sums"], of.dense.sum(axis=1))
    heard = of.dense.sum(axis=1) > 0
    same({**view["effective"]}, np.where(heard, np.exp(entropy(np.where(heard[:, None], of.dense, 1).T)), 0))


def surface(of):
    """P V at each place of a grid: the definition, place by place in another order."""
    line = np.linspace(-2, 2, 48)
    P = of.P
    if of.state["support"]["name"] == "LeaveOneOut":
        P = of.m.replace(support="all").operator(of.X)
    return np.stack([P.at([[x, y] for x in line]) @ of.V for y in line])  # (y, x, class)


def check_regression(view, of):
    F = surface(of)
    same(view["values"], F.reshape(-1, F.shape[-1]).T)
    assert view["low"] == pytest.approx(F.min(), abs=1e-12) and view["high"] == pytest.approx(F.max())


def check_boundary(view, of):
    F = of.dense @ of.V
    clear = np.abs(np.diff(np.sort(F, axis=1)[:, -2:], axis=1)[:, 0]) > 1e-9 * np.abs(F).max()
    np.testing.assert_array_equal(unpacked(view["own"])[clear], F.argmax(axis=1)[clear])
    np.testing.assert_array_equal(unpacked(view["own"])[F.max(axis=1) == 0], -1)
    assert view["agreement"] == np.mean(unpacked(view["own"]) == of.y)


def walk_eigenvectors(of, k):
    v = of.P.eigsh(k)[1]
    symmetric = of.state["normalization"]["name"] == "Symmetric"
    return v / np.exp(of.P.log_row_sums / 2)[:, None] if symmetric else v


def check_clusters(view, of):
    """As good as scikit-learn's k-means of the same eigenvectors; numbered by their classes."""
    how, n = of.state["propagation"], len(of.X)
    count = min(n, how["n"] if how["name"] == "Spectrum" else max(2, len(set(of.state["classes"]))))
    labels = unpacked(view["labels"])
    assert view["count"] == count and labels.min() >= 0 and labels.max() < count
    means = [of.y[labels == label].mean() for label in range(labels.max() + 1)]
    assert means == sorted(means)
    values = np.sort(np.linalg.eigvals(of.dense).real)[::-1]
    k = len(view["eigenvalues"])
    np.testing.assert_allclose(view["eigenvalues"], values[:k], atol=1e-5 * max(1, values[0]))
    if k > count and values[count - 1] - values[count] > 1e-3:  # else the basis is arbitrary
        v = walk_eigenvectors(of, k)[:, :count]
        if np.isfinite(v).all():
            best = KMeans(count, n_init=20, random_state=0).fit(v).inertia_
            ours = sum(((v[labels == c] - v[labels == c].mean(axis=0)) ** 2).sum() for c in set(labels))
            assert ours <= 1.2 * best + 1e-9


def check_diffusion(view, of):
    """Eigenvectors of P, as long as the library's own are, times powers."""
    how = of.state["propagation"]
    power = how["power"] if how["name"] == "Spectrum" else 1
    w, v = of.P.eigsh(3)
    assert view["power"] == power
    np.testing.assert_allclose(view["eigenvalues"], w, atol=1e-5 * max(1, w[0]))
    c = unpacked(view["coordinates"]).astype(float)
    scale = np.abs(c).max() + 1e-12
    np.testing.assert_allclose(of.dense @ c, c * w[1:], atol=2e-5 * scale * max(1, w[0]))
    if (-np.diff(w) > 1e-3).all():
        want = np.abs(v[:, 1:] * w[1:] ** power)
        np.testing.assert_allclose(np.abs(c), want, atol=1e-3 * want.max() + 1e-9)


def fixed_point(of, alpha):
    """Labels at rest by a dense solver; None where there is no one answer."""
    n, given = len(of.X), of.V * of.held[:, None]
    if alpha is not None:
        A, b = np.eye(n) - alpha * of.dense, (1 - alpha) * given
        return np.linalg.solve(A, b) if np.linalg.cond(A) < 1e6 else None
    free = ~of.held
    A, F = np.eye(free.sum()) - of.dense[np.ix_(free, free)], given.copy()
    if free.any() and np.linalg.cond(A) > 1e6:
        return None
    F[free] = np.linalg.solve(A, of.dense[np.ix_(free, of.held)] @ given[of.held])
    return F


def check_labels(view, of):
    how = of.state["propagation"]
    alpha = value_of("propagation", how).alpha if how["name"] == "Equilibrium" else None
    assert view["alpha"] == alpha
    F = fixed_point(of, alpha)
    if F is not None:
        same(view["values"], F, 1e-4)
        labels = unpacked(view["labels"])
        top = np.sort(F, axis=1)
        clear = top[:, -1] - top[:, -2] > 1e-4 * np.abs(F).max()
        np.testing.assert_array_equal(labels[clear], F.argmax(axis=1)[clear])
        free = ~of.held
        assert view["right"] == pytest.approx(np.mean(labels[free] == of.y[free]) if free.any() else 1)


def check_moved(view, of):
    same(view["ends"], of.dense @ of.X)
    lengths = np.linalg.norm(of.dense @ of.X - of.X, axis=1)
    assert view["mean_move"] == pytest.approx(lengths.mean(), rel=1e-6)


def check_propagated(view, of):
    how = of.state["propagation"]
    if how["name"] == "Spectrum":
        w = of.m.propagate(of.X).values
        np.testing.assert_allclose(view["eigenvalues"], w, atol=1e-5 * max(1, w[0]))
    elif how["name"] == "Equilibrium":
        check_labels(view, of)
    elif how.get("moving") == "points":
        x = of.X
        for _ in range(how["t"]):  # P.at would take a moved point for none of the keys under leave-one-out
            x = of.m.replace(propagation=lw.propagations.Steps(1, moving="points")).propagate(of.X, X=x)
        same(view["ends"], x, 1e-4)
    else:
        t = {"OneStep": 1, "Steps": how.get("t")}.get(how["name"])
        K = np.linalg.matrix_power(of.dense, t) if t else expm(how["t"] * (of.dense - np.eye(len(of.X))))
        same(view["values"], K @ of.V, 1e-4)


CHECKS = {
    "matrix": check_matrix,
    "regression": check_regression,
    "boundary": check_boundary,
    "clusters": check_clusters,
    "diffusion": check_diffusion,
    "labels": check_labels,
    "moved": check_moved,
    "propagated": check_propagated,
}


def check(state, answer):
    """Every view against the library called directly, or its own message; the views that are there."""
    assert tuple(answer["views"]) == VIEWS == tuple(CHECKS)
    try:
        of = Direct(state)
    except ValueError as refused:
        assert answer["problem"] == str(refused)
        assert {view["problem"] for view in answer["views"].values()} == {str(refused)}
        return set()
    assert answer["problem"] == ""
    for name, view in answer["views"].items():
        if "problem" not in view:
            CHECKS[name](view, of)
    return {name for name, view in answer["views"].items() if "problem" not in view}


# --- readings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slot, chosen", every_setting(), ids=lambda part: str(part).replace("'", ""))
def test_each_setting_of_each_dial_is_the_library_called_directly(slot, chosen):
    state = fitting(slot, chosen)
    answer = readings.ask(state)
    defined = check(state, answer)
    json.dumps(answer, allow_nan=False)
    missing = set()
    if state["support"]["name"] in ("Causal", "Window") or chosen["name"] in ("Column", "Global"):
        missing |= {"regression", "boundary"}
    of = Direct(state)
    alone = (of.dense == np.diag(of.dense.diagonal())).all()
    if of.P.asymmetry or alone:
        missing |= {"clusters", "diffusion"}
        why = "P must join points" if alone else ("mechanism must be", "metric must be")
        assert answer["views"]["clusters"]["problem"].startswith(why)
    assert defined == set(VIEWS) - missing
    assert alone or chosen["name"] != "InverseDistance"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(60))
def test_random_states_are_the_library_called_directly(seed):
    state = random_state(np.random.default_rng(seed))
    answer = readings.ask(state)
    check(state, answer)
    json.dumps(answer, allow_nan=False)


@pytest.mark.parametrize("normalization", ["RowStochastic", "Symmetric", "Density", "Bistochastic"])
def test_clusters_are_those_of_spectral_clustering(normalization):
    X, y = make_blobs(60, centers=[[-1, -1], [1, -1], [0, 1]], cluster_std=0.2, random_state=0)
    chosen = {"name": normalization, **({"alpha": 1.0} if normalization == "Density" else {})}
    state = {**PLAIN, "points": X.tolist(), "classes": y.tolist(), "held": [0] * 60}
    state["normalization"] = chosen if normalization != "RowStochastic" else PLAIN["normalization"]
    labels = unpacked(readings.ask(state)["views"]["clusters"]["labels"])
    theirs = lw.SpectralClustering(3, affinity=mechanism(state), random_state=0).fit_predict(X)
    assert adjusted_rand_score(labels, theirs) == 1 == adjusted_rand_score(labels, y)


def test_the_operator_is_the_formula():
    """Once without the library: a Gaussian of distances, rows divided by their sums."""
    state = {**PLAIN, **cloud()}
    K = np.exp(-(cdist(state["points"], state["points"]) ** 2) / (2 * 0.4**2))
    view = readings.ask(state)["views"]["matrix"]
    P = K / K.sum(axis=1, keepdims=True)
    told = (unpacked(view["weights"]) / 255) ** 2 * unpacked(view["largest"])[:, None]
    np.testing.assert_allclose(told, P, atol=0.005 * P.max())


def test_no_points_one_point_and_copies_are_answered():
    for points in ([], [[0.5, 0.5]], [[0.5, 0.5]] * 3, [[0.0, 0.0], [1.0, 1.0]]):
        n = len(points)
        answer = readings.ask({**PLAIN, "points": points, "classes": [0] * n, "held": [1] * n})
        assert bool(answer["problem"]) == (n == 0)
        assert ("problem" in answer["views"]["diffusion"]) == (n < 3)
        json.dumps(answer, allow_nan=False)


def test_without_a_held_label_nothing_spreads():
    state = {**PLAIN, **cloud(), "held": [0] * 36}
    assert readings.ask(state)["views"]["labels"]["problem"].startswith("held must be")


def test_warnings_of_the_library_are_notes():
    points = [[-1.5, 0.0], [-1.45, 0.0], [1.5, 0.0]]
    near = {"name": "Radius", "radius": 0.2}
    state = {**PLAIN, "support": near, "points": points, "classes": [0, 0, 1], "held": [1, 0, 0]}
    view = readings.ask(state)["views"]["labels"]
    assert unpacked(view["labels"]).tolist() == [0, 0, -1] and view["unreached"] == 1
    assert isinstance(view["notes"], list)


def test_the_equation_has_the_slots_as_they_are_printed():
    state = {**PLAIN, **cloud(), "kernel": {"name": "Gaussian", "bandwidth": "median"}}
    answer = readings.ask(state)
    assert [slot for slot, _, _ in answer["equation"]] == list(SLOTS)
    for slot, formula, value in answer["equation"]:
        assert formula and value == repr(getattr(mechanism(state), slot))
    found = lw.select_bandwidth("median", np.array(state["points"])).length
    assert answer["bandwidth"] == {"rule": "median", "length": pytest.approx(found), "each": False}


def test_the_dials_name_what_the_library_has():
    for slot in SLOTS:
        for choice in DIALS[slot]:
            for chosen in settings(choice):
                made = calls.call_of(slot, chosen).value()
                assert type(made).__name__ == choice["name"] and made == value_of(slot, chosen)


# --- states -------------------------------------------------------------------------------------------------


def broken(**parts):
    return {**PLAIN, **cloud(4), **parts}


@pytest.mark.parametrize(
    "state, message",
    [
        ([], "state must be a JSON object"),
        ({}, "metric must be in the state"),
        (broken(more=1), "state must be made of"),
        (broken(metric="Euclidean"), "metric must be a JSON object"),
        (broken(metric={}), "metric.name must be one of Euclidean"),
        (broken(metric={"name": "Custom"}), "metric.name must be one of Euclidean"),
        (broken(metric={"name": ["Euclidean"]}), "metric.name must be one of Euclidean"),
        (broken(metric={"name": "Euclidean", "p": 2}), "metric must be made of name; got 'p'"),
        (broken(metric={"name": "Minkowski"}), "metric.p must be a number in [0.5, 10]; got None"),
        (broken(metric={"name": "Minkowski", "p": 11}), "metric.p must be a number in [0.5, 10]; got 11"),
        (broken(metric={"name": "Minkowski", "p": True}), "metric.p must be a number"),
        (broken(metric={"name": "Minkowski", "p": float("nan")}), "metric.p must be a number"),
        (broken(metric={"name": "Minkowski", "p": 10**400}), "metric.p must be a number"),
        (broken(kernel={"name": "Gaussian", "bandwidth": "loo"}), "kernel.bandwidth must be one of median"),
        (broken(kernel={"name": "Gaussian", "bandwidth": 0}), "kernel.bandwidth must be a number in [0.05"),
        (broken(propagation={"name": "Heat", "t": "__import__('os')"}), "propagation.t must be a number"),
        (broken(propagation={"name": "Steps", "t": 1.5, "moving": "values"}), "propagation.t must be an int"),
        (broken(propagation={"name": "Steps", "t": 2, "moving": 3}), "propagation.moving must be one of"),
        (broken(points=3), "points must be a list"),
        (broken(points=[[0.0, 0.0]] * 501), "points must be a list of at most 500"),
        (broken(points=[[0, 0], [0, 0], [0, 0], [0]]), "points must be a list"),
        (broken(points=[[0, 0], [0, 0], [0, 0], [0, 2.5]]), "got [0, 2.5]"),
        (broken(points=[[0, 0], [0, 0], [0, 0], [0, "0"]]), "points must be a list"),
        (broken(points=[[0, 0], [0, 0], [0, 0], [0, float("inf")]]), "points must be a list"),
        (broken(classes=[0, 1, 2]), "classes must be a list of 4 whole numbers from 0 to 3"),
        (broken(classes=[0, 1, 2, 4]), "classes must be a list of 4 whole numbers from 0 to 3"),
        (broken(classes=[0, 1, 2, [0]]), "classes must be a list of 4 whole numbers from 0 to 3"),
        (broken(held=[0, 1, 0, 2]), "held must be a list of 4 whole numbers from 0 to 1"),
    ],
)
def test_what_does_not_fit_is_named(state, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        readings.ask(state)


@pytest.mark.parametrize("seed", range(20))
def test_a_state_is_the_same_there_and_back(seed):
    state = random_state(np.random.default_rng(1000 + seed))
    told = State.from_json(state).to_json()
    assert told == state and State.from_json(json.loads(json.dumps(told))).to_json() == told


# --- programs -----------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("slot, chosen", every_setting(), ids=lambda part: str(part).replace("'", ""))
def test_the_python_lines_make_the_same(slot, chosen):
    state = fitting(slot, chosen)
    answer, names = readings.ask(state), {}
    exec(answer["python"], names)
    assert names["m"] == mechanism(state)
    np.testing.assert_array_equal(names["matrix"], Direct(state).dense)
    views = answer["views"]
    for name, field in (("labels", "values"), ("moved", "ends")):
        same(views[name][field], names[name], 1e-4)
    if "problem" not in views["regression"]:
        same(views["regression"]["values"], names["regression"].T)
    if "problem" not in views["diffusion"]:
        np.testing.assert_allclose(
            np.abs(unpacked(views["diffusion"]["coordinates"])), np.abs(names["diffusion"]), atol=1e-5
        )
    F, view = names["F"] if "problem" not in views["propagated"] else None, views["propagated"]
    if F is not None:
        told = view.get("values") or view.get("ends")
        same(told, F, 1e-4) if told else np.testing.assert_allclose(view["eigenvalues"], F.values, atol=1e-5)


def test_the_python_lines_make_the_same_clusters():
    X, y = make_blobs(60, centers=[[-1, -1], [1, -1], [0, 1]], cluster_std=0.2, random_state=0)
    for normalization in ("Symmetric", "Bistochastic"):
        state = {**PLAIN, "points": X.tolist(), "classes": y.tolist(), "held": [0] * 60}
        answer, names = readings.ask({**state, "normalization": {"name": normalization}}), {}
        exec(answer["python"], names)
        assert adjusted_rand_score(unpacked(answer["views"]["clusters"]["labels"]), names["clusters"]) == 1
        assert "labels" not in names


def test_points_without_neighbors_have_lines_that_run():
    state = fitting("kernel", {"name": "Tricube", "bandwidth": 0.1})
    state |= {"support": {"name": "LeaveOneOut"}, "normalization": {"name": "Symmetric"}}
    answer, names = readings.ask(state), {}
    exec(answer["python"], names)
    assert (unpacked(answer["views"]["matrix"]["sums"]) == 0).any() and len(names["clusters"]) == 36


def test_what_is_refused_has_lines_that_run():
    state = {**PLAIN, **cloud(), "metric": {"name": "DotProduct"}}
    answer, names = readings.ask(state), {}
    exec(answer["python"], names)
    assert answer["problem"] and "matrix" not in names and names["m"] == mechanism(state)


COMPILER = shutil.which("g++") or shutil.which("clang++")
EIGEN = [f"{place}/include/eigen3" for place in ("/usr", "/usr/local", "/opt/homebrew")]
EIGEN = next((path for path in EIGEN if Path(path, "Eigen/Core").exists()), None)


@pytest.mark.skipif(not COMPILER or not EIGEN, reason="there is no C++ compiler, or no Eigen")
def test_the_cpp_lines_compile(tmp_path):
    """A program of each setting, all in one file, whose headers are read once."""
    programs = {readings.ask(fitting(slot, chosen))["cpp"] for slot, chosen in every_setting()}
    texts = ["#include <likewise/likewise.hpp>\nnamespace lw = likewise;\n"]
    for i, program in enumerate(sorted(programs)):
        head, main_function = program.split("int main() {\n")
        assert head.split("\n")[:2] == ["#include <likewise/likewise.hpp>", "namespace lw = likewise;"]
        texts.append(f"void program_{i}() {{\n{main_function}")
    (tmp_path / "programs.cpp").write_text("".join(texts))
    command = [COMPILER, "-fsyntax-only", "-std=c++20", "-Wall", "-Werror", f"-I{ROOT / 'include'}"]
    done = subprocess.run(
        [*command, "-isystem", EIGEN, str(tmp_path / "programs.cpp")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[:3000]


# --- the server ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def serving():
    with server.make_server(0) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def fetch(serving, method="GET", path="/", body=None, **headers):
    """(status, headers, body) of one request; a header that is None is left out."""
    connection = http.client.HTTPConnection("127.0.0.1", serving.server_port, timeout=30)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    body = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    ours = {"Host": f"127.0.0.1:{serving.server_port}"}
    if body is not None:
        ours |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    for name, value in (ours | {key.replace("_", "-"): value for key, value in headers.items()}).items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders(body)
    response = connection.getresponse()
    return response.status, response.headers, response.read()


def refusal(serving, *arguments, **headers):
    """(status, message) of a request that is refused, as JSON."""
    status, told, body = fetch(serving, *arguments, **headers)
    assert told["Content-Type"].startswith("application/json")
    return status, json.loads(body)["message"]


def test_only_this_machine_is_served(serving):
    assert serving.server_address[0] == "127.0.0.1"


def test_every_file_of_the_page_is_there_and_asks_nobody_else(serving):
    status, headers, body = fetch(serving)
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    for name in sorted(path.name for path in PAGE.iterdir()):
        status, headers, body = fetch(serving, "GET", f"/{name}")
        assert status == 200 and body == (PAGE / name).read_bytes()
        assert headers["Content-Type"].split(";")[0] in (
            "text/html",
            "text/css",
            "text/javascript",
            "application/json",
        )
        hosts = set(re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]+", body.decode())) - {"http://www.w3.org"}
        assert not hosts
        for other in re.findall(r"""(?:src|href)="([a-z.]+)"|from "\./([a-z.]+)";""", body.decode()):
            assert (PAGE / "".join(other)).exists(), other


def test_headers_keep_pages_elsewhere_out(serving):
    _, headers, _ = fetch(serving)
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in headers and "Python" not in headers["Server"]


@pytest.mark.parametrize("method, path, body", [("GET", "/", None), ("POST", "/ask", {})])
def test_other_hosts_and_origins_are_refused(serving, method, path, body):
    port = serving.server_port
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}", "", None):
        status, message = refusal(serving, method, path, body, Host=host)
        assert status == 403 and message.startswith("Host must be 127.0.0.1")
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{port}"):
        status, message = refusal(serving, method, path, body, Origin=origin)
        assert status == 403 and message.startswith("Origin must be")
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}"):
        assert fetch(serving, method, path, body, Host=host, Origin=f"http://{host}")[0] in (200, 400)


def test_unknown_paths_are_refused(serving):
    for path in (
        "/state.py",
        "/../state.py",
        "/page/../../state.py",
        "/%2e%2e/state.py",
        "/ask",
    ):
        status, message = refusal(serving, "GET", path)
        assert status == 404 and message.startswith("path must be one of")
    assert refusal(serving, "POST", "/", {}) == (404, "path must be /ask; got '/'.")


def test_bodies_that_are_no_state_are_refused(serving):
    ask = ("POST", "/ask")
    assert refusal(serving, *ask, b"{", Content_Type="application/json; charset=utf-8")[0] == 400
    assert refusal(serving, *ask, b"{")[1].startswith("state must be JSON")
    assert refusal(serving, *ask, b"[" * 100_000)[0] == 400
    assert refusal(serving, *ask, b"\xff\xfe\xfa")[0] == 400
    assert refusal(serving, *ask, {})[1].startswith("metric must be in the state")
    assert refusal(serving, *ask, {}, Content_Type="text/plain")[0] == 415
    assert refusal(serving, *ask, {}, Content_Type=None)[0] == 415
    assert refusal(serving, *ask, b"", Content_Length="200001")[0] == 413
    for length in (None, "-1", "1e3", "²"):
        assert refusal(serving, *ask, b"", Content_Length=length and length.encode())[0] == 411
    assert refusal(serving, *ask, broken(points=[[9, 9]]))[1].startswith("points must be")
    assert fetch(serving)[0] == 200


def test_an_answer_is_that_of_the_readings_and_its_state_asks_again(serving):
    state = fitting("kernel", {"name": "StudentT", "bandwidth": "self_tuning", "df": 2.5})
    status, _, body = fetch(serving, "POST", "/ask", state)
    answer, expected = json.loads(body), readings.ask(state)
    again = json.loads(fetch(serving, "POST", "/ask", answer["state"])[2])
    for one in (answer, expected, again):
        assert one.pop("milliseconds") > 0
    assert status == 200 and answer["state"] == state
    assert answer == expected == again


def test_one_connection_asks_many_times_beside_an_idle_one(serving):
    idle = socket.create_connection(("127.0.0.1", serving.server_port))
    connection = http.client.HTTPConnection("127.0.0.1", serving.server_port, timeout=30)
    for path in ("/", "/play.js", "/play.css"):
        connection.request("GET", path)
        assert connection.getresponse().read()
    connection.close()
    idle.close()


def test_a_fault_is_told_and_the_server_goes_on(serving, monkeypatch, capfd):
    def fault(state):
        raise RuntimeError("a fault in the readings")

    with monkeypatch.context() as patched:
        patched.setattr(readings, "ask", fault)
        assert refusal(serving, "POST", "/ask", {})[0] == 500
    assert "a fault in the readings" in capfd.readouterr().err
    assert fetch(serving, "POST", "/ask", {**PLAIN, **cloud(4)})[0] == 200


# --- the command --------------------------------------------------------------------------------------------


def test_the_command_says_where_and_ends_quietly_with_control_c():
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    child = interruptible.popen("-m", "likewise", "play", "--port", "0", "--no-browser", **pipes)
    try:
        url = child.stdout.readline().split()[0]
        port = int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)/", url)[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/")
        assert b"<title>likewise play" in connection.getresponse().read()  # and the connection stays open
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == 0 and err == "" and out.strip() == ""


@pytest.mark.parametrize(
    "port, message", [("70000", "port must be an int in [0, 65535]"), (None, "port must be free")]
)
def test_a_port_that_does_not_fit_is_one_line_and_status_2(capsys, serving, port, message):
    assert main(["play", "--no-browser", "--port", port or str(serving.server_port)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"likewise play: {message}") and error.count("\n") == 1
