"""The study of the paper's experiments: cells, plan, resuming, stopping, statistics, verdicts, the page."""

import itertools
import json
import os
import re
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import interruptible
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.metrics import log_loss

import likewise as lw
from likewise.__main__ import main
from likewise.study import paper
from likewise.study.paper import (
    arms,
    cells,
    experiments,
    figures,
    plan,
    report,
    statistics,
    store,
    tables,
    verdicts,
)

# --- arms


def network_of(name, n_features=2, **changes):
    return arms.get(name).network(cells.Cell("moon", name, 0, 0.01, 9, **changes), 10, n_features, 2)


def test_arms_have_the_numbers_that_their_formulas_say():
    """Of one module of 10 columns: Q and K, W, W1, b1, W2, b2, or P with two vectors."""
    outside = (2 * 10 + 10) + (10 * 2 + 2)
    want = {
        "none": 0,
        "dot": 200,
        "dot_identity": 200,
        "dot_phi": 220,
        "l2": 100,
        "metric": 220,
        "metric_small": 199,
        "additive": 120,
    }
    assert set(want) == set(arms.NAMES)
    for name, count in want.items():
        assert len(network_of(name).flat_parameters) == outside + 2 * count, name


@pytest.mark.parametrize("embed_dim", [3, 10, 64, 100])
def test_metric_of_dots_size_is_as_close_as_a_width_can_be(embed_dim):
    def count(width):
        return width * (2 * embed_dim + 1) + embed_dim

    width = arms._width_of_as_many(embed_dim)
    off = [abs(count(w) - 2 * embed_dim**2) for w in (width - 1, width, width + 1)]
    assert off[1] == min(off)


def phi_of(state, h):
    W1, b1, W2, b2 = (
        state[f"layers.0.{name}"]
        for name in ("map_in.weight", "map_in.bias", "map_out.weight", "map_out.bias")
    )
    return (
        h + np.tanh(h @ W1.reshape(W1.shape[-2:]).T + b1.ravel()) @ W2.reshape(W2.shape[-2:]).T + b2.ravel()
    )


def test_arms_compare_what_they_say():
    """Weights of the first module in plain NumPy, from the arm's parameters."""
    X = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)
    for name in ("dot", "dot_identity", "dot_phi", "l2", "metric", "metric_small", "additive"):
        network = network_of(name)
        state = {key: part.astype(float) for key, part in network.state_dict().items()}
        network.forward(X)
        h = X @ state["input.weight"].T + state["input.bias"]
        if name in ("dot", "dot_identity"):
            Q, K = np.split(state["layers.0.in_proj_weight"], 2)
            scores = h @ Q.T @ (h @ K.T).T
        elif name == "additive":
            z = h @ state["layers.0.metric_proj.weight"].T
            sums = (z @ state["layers.0.att_query"][0])[:, None] + z @ state["layers.0.att_key"][0]
            scores = np.where(sums > 0, sums, 0.2 * sums)
        else:
            z = h @ state["layers.0.metric_proj.weight"].T if name == "l2" else phi_of(state, h)
            scores = z @ z.T if name == "dot_phi" else -((z[:, None] - z[None]) ** 2).sum(axis=-1)
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        assert_allclose(
            network.attention_weights(0)[0],
            weights / weights.sum(axis=1, keepdims=True),
            atol=2e-5,
            err_msg=name,
        )


def test_one_arm_starts_at_the_identity_and_the_others_as_drawn():
    state = network_of("dot_identity").state_dict()
    for layer in (0, 1):
        assert_array_equal(state[f"layers.{layer}.in_proj_weight"], np.tile(np.eye(10), (2, 1)))
    drawn, kept = network_of("dot").state_dict(), [name for name in state if "in_proj" not in name]
    assert kept and all(np.array_equal(state[name], drawn[name]) for name in kept)


def test_the_arm_without_attention_is_a_linear_model():
    network = network_of("none", n_layers=4, residual=True)
    X = np.random.default_rng(0).normal(size=(9, 2))
    together, alone = network.forward(X), np.concatenate([network.forward(row[None]) for row in X])
    assert_allclose(together, alone, atol=1e-6)
    assert network.options["n_layers"] == 0


# --- experiments


@pytest.mark.parametrize("name", [of.name for of in experiments.EXPERIMENTS if not of.full])
def test_experiments_are_seeded_and_ask_no_row_that_is_learned_from(name):
    of = experiments.get(name)
    first, again, other = of.make(3), of.make(3), of.make(4)
    assert_array_equal(first.X, again.X)
    assert_array_equal(first.train, again.train)
    assert not (np.array_equal(first.X, other.X) and np.array_equal(first.train, other.train))
    assert not set(first.train) & set(first.asked)
    assert set(first.y[first.train]) == set(range(first.y.max() + 1))
    assert (first.graph is not None) == (of.kind == "graph")
    if of.kind == "graph":
        assert (first.graph != first.graph.T).nnz == 0 and (first.graph.diagonal() == 1).all()


def test_rows_held_out_are_of_the_training_alone():
    rows = experiments.get("moon").make(0)
    held = rows.held_out(0)
    assert len(held.asked) == 100 and len(held.train) == 300
    assert set(held.asked) | set(held.train) == set(rows.train)


def test_a_small_graph_admits_the_same_pairs_as_a_mask(monkeypatch):
    rows = experiments.get("karate").make(0)
    network = network_of("metric", n_features=34)
    masked = network.forward(rows.X, rows.support)
    monkeypatch.setattr(experiments, "DENSE_NODES", 0)
    assert rows.support != lw.supports.Mask(rows.graph.toarray() > 0)
    assert_allclose(network.forward(rows.X, rows.support), masked, atol=1e-6)


# --- cells


def cell_of(experiment="moon", arm="metric", **changes):
    return cells.Cell(experiment, arm, 0, **{"learning_rate": 0.01, "steps": 40, **changes})


def test_a_cell_is_what_the_estimator_learns():
    """The same network by hand: PropagationClassifier with the paper's settings."""
    record = cells.run_cell(cell_of(steps=30))
    rows = experiments.get("moon").make(0)
    model = lw.nn.PropagationNetwork(2, 2, 10, 2, "metric", dtype="float32", random_state=0)
    options = {"task": "classification", "optimizer": "adam", "learning_rate": 0.01, "weight_decay": 1e-4}
    options |= {"batch_size": 400, "max_epochs": 30, "seed": 0}
    X, y = rows.X[rows.train], rows.y[rows.train]
    losses = model.train((X, y, None, None, None, None, False, lw.supports.AllPairs()), options)["loss"]
    assert_allclose(record["curve"]["loss"], losses, rtol=1e-4)
    predicted = model.predict(rows.X[rows.asked], 400).argmax(axis=1)
    assert record["accuracy"] == pytest.approx(np.mean(predicted == rows.y[rows.asked]), abs=0.011)
    assert record["curve"]["step"] == list(range(1, 31))


def test_the_same_cell_gives_the_same_record():
    first, again = (cells.run_cell(cell_of(batch=64)) for _ in range(2))
    assert {**first, "seconds": 0} == {**again, "seconds": 0}


def test_perplexity_and_variance_in_plain_numpy():
    cell = cell_of(arm="l2")
    record = cells.run_cell(cell)
    rows, network = experiments.get("moon").make(0), network_of("l2")
    network.forward(rows.X[rows.train])
    P = network.attention_weights(0)[0].astype(float)
    perplexity = np.mean([np.exp(-sum(p * np.log(p) for p in row if p > 0)) for row in P])
    assert record["perplexity"] == pytest.approx(perplexity, rel=1e-3) and record["n_keys"] == 400
    before, after = (network.hidden(layer).var(axis=0).sum() for layer in (0, 2))
    assert record["variance_at_start"] == pytest.approx(after / before, rel=1e-3)
    assert cells.run_cell(cell_of(arm="none"))["variance_at_end"] == 1


def test_keys_of_a_graph_are_its_neighbors():
    record = cells.run_cell(cell_of("karate", "dot"))
    assert record["n_keys"] == pytest.approx(2 * 78 / 34 + 1)
    assert 1 <= record["perplexity"] <= record["n_keys"]


def test_measures_are_read_off_the_curve_and_the_model():
    """The same run by hand: noise and training rows come in when rows are asked, not before."""
    cell = cell_of(steps=20)
    record, run = cells.run_cell(cell), cells.run_of(cell)
    run.train(20)
    X, y, train, asked = run.data.X, run.data.y, run.data.train, run.data.asked
    loss = record["curve"]["loss"]
    assert record["final_loss"] == loss[-1] and record["mean_loss"] == pytest.approx(sum(loss) / 20)
    assert record["late_fall"] == pytest.approx((loss[17] - loss[19]) / loss[0])
    together = run.model.predict(np.concatenate([X[train], X[asked]]), 500)[len(train) :]
    assert record["accuracy_beside_training"] == np.mean(together.argmax(axis=1) == y[asked])
    alone = run.model.predict(X[asked], 100)
    assert record["accuracy"] == np.mean(alone.argmax(axis=1) == y[asked])
    assert record["asked_loss"] == pytest.approx(log_loss(y[asked], shares(alone)), rel=1e-5)
    noisy = run._noisy()
    assert_array_equal(noisy[train], X[train])
    assert ((noisy - X)[asked] / X[train].std(axis=0)).std() == pytest.approx(0.5, rel=0.12)
    guess = max(np.mean(y[asked] == label) for label in (0, 1))
    assert record["guessing"] == guess


def shares(logits):
    weights = np.exp(logits.astype(float))
    return weights / weights.sum(axis=1, keepdims=True)


def test_a_learned_temperature_is_learned():
    run = cells.run_of(cell_of(learn_temperature=True))
    name = "layers.0.log_temperature"
    before = run.model.state_dict()[name]
    run.train(5)
    assert before == 0 and run.model.state_dict()[name] != before
    assert name not in cells.run_of(cell_of()).model.state_dict()


def test_batches_are_whom_a_row_attends_to():
    assert cells.run_cell(cell_of(arm="dot", batch=64))["n_keys"] == 64
    assert cells.run_cell(cell_of(arm="dot", context="training"))["n_keys"] == 500


def test_a_run_that_diverges_is_a_record():
    record = cells.run_cell(cell_of(arm="dot", learning_rate=1e30))
    assert record["diverged"] is True and record["error"] == ""
    assert 0 <= record["accuracy"] <= 1


def test_an_error_is_recorded(monkeypatch):
    def broken(seed):
        raise ValueError("no moons tonight")

    monkeypatch.setattr(experiments, "get", lambda name: replace(experiments.EXPERIMENTS[0], make=broken))
    record = cells.run_cell(cell_of())
    assert record["error"] == "ValueError: no moons tonight" and np.isnan(record["accuracy"])


def test_sequences_are_asked_for_the_token_that_is_marked():
    for name, out in (("reversed", lambda s: s[::-1]), ("sorted", np.sort)):
        rows = experiments.get(name).make(0)
        for X, y in zip(rows.X[:50], rows.y[:50]):
            symbols, marked = X[:, :-1].argmax(axis=1), X[:, -1].argmax()
            assert X.sum() == len(symbols) + 1 and y == out(symbols)[marked]


def transformer_of(name):
    return arms.get(name).transformer(cells.Cell("sorted", name, 0, 1e-3, 9), 32, 8, 9, 8)


def test_blocks_differ_in_what_their_heads_compare_alone():
    sizes = {name: len(transformer_of(name).flat_parameters) for name in arms.names_for("sequence")}
    assert (
        sizes["metric"]
        == sizes["dot"]
        == sizes["dot_identity"]
        == sizes["dot_phi"]
        > sizes["l2"]
        > sizes["none"]
    )
    state = transformer_of("dot_identity").state_dict()
    drawn, apart = transformer_of("dot").state_dict(), []
    for name, part in state.items():
        if "in_proj_weight" in name:
            assert_array_equal(part[:64], np.tile(np.eye(32), (2, 1)))
            assert_array_equal(part[64:], drawn[name][64:])
            apart.append(name)
        else:
            assert_array_equal(part, drawn[name])
    assert len(apart) == 2


def test_a_sequence_is_learned():
    record = cells.run_cell(cells.Cell("sorted", "dot", 0, 3e-3, 300, batch=64))
    assert record["error"] == "" and record["accuracy"] > record["guessing"] + 0.2
    assert record["n_keys"] == 8 and 1 <= record["perplexity"] <= 8
    assert len(record["curve"]["step"]) == 5 and record["curve"]["step"][-1] == 5 * 63


# --- plan


def small_plan(**changes):
    of = tuple(replace(experiments.get(name), steps=4, seeds=3) for name in ("moon", "karate"))
    return plan.Plan(of, **{"n_rate_seeds": 2, "n_open_seeds": 2, "places": range(0, 3, 2), **changes})


def test_the_default_plan_is_what_the_issue_asks_for():
    wanted = plan.make(None, repeats=None, seed=0, full=False, quick=False)
    assert [of.name for of in wanted.experiments] == [
        "moon",
        "digits",
        "karate",
        "blocks",
        "bodies",
        "digits_graph",
    ]
    first = wanted.first()
    for of in wanted.experiments:
        for arm in plan.arms_of(of):
            own = [entry.cell for entry in first if (entry.cell.experiment, entry.cell.arm) == (of.name, arm)]
            published = [cell for cell in own if not cell.validation]
            assert len({cell.seed for cell in published}) == 30
            assert {(cell.learning_rate, cell.n_layers, cell.residual) for cell in published} == {
                (of.learning_rate, 2, False)
            }
            search = [cell for cell in own if cell.validation]
            assert len({cell.seed for cell in search}) == 3
            assert not {cell.seed for cell in search} & {cell.seed for cell in published}
    chosen = {(of.name, arm): 0.5 for of in wanted.experiments for arm in plan.arms_of(of)}
    turned = [entry for entry in wanted.second(chosen) if entry.stage == plan.OPEN]
    usual = cells.Cell("moon", "dot", 0, 0.5, experiments.get("moon").steps)
    for choice in experiments.get("moon").choices:
        of_dot = [
            e.cell
            for e in turned
            if e.choice == choice and (e.cell.experiment, e.cell.arm) == ("moon", "dot")
        ]
        assert len(of_dot) == 5
        changed = {name for name, value in vars(of_dot[0]).items() if value != getattr(usual, name)}
        assert len(changed) == 1, choice


def test_stopped_early_every_arm_has_as_many_seeds():
    entries = [e.cell for e in small_plan().first() if e.stage == plan.PAPER]
    names = [(cell.experiment, cell.arm) for cell in entries]
    assert [cell.seed for cell in entries] == sorted(cell.seed for cell in entries)
    n = len(set(names))
    assert set(names[:n]) == set(names[n : 2 * n])


def test_an_arm_without_modules_turns_the_batch_alone():
    chosen = {}
    turned = {e.choice for e in small_plan().second(chosen) if e.stage == plan.OPEN and e.cell.arm == "none"}
    assert turned == {plan.AS_CHOSEN, "batch of 64"}


def rates_table(rows):
    return pd.DataFrame(
        [
            {
                "experiment": "moon",
                "arm": "dot",
                "learning_rate": rate,
                "accuracy": a,
                "asked_loss": loss,
                "diverged": bad,
            }
            for rate, a, loss, bad in rows
        ]
    )


def test_the_chosen_rate_has_the_best_mean_on_held_out_rows():
    table = rates_table(
        [(1e-3, 0.9, 1, False), (1e-3, 0.5, 1, False), (1e-2, 0.8, 2, False), (1e-2, 0.8, 2, False)]
    )
    assert plan.chosen_rates(table) == {("moon", "dot"): 1e-2}
    tied = rates_table([(1e-3, 0.8, 1.0, False), (1e-2, 0.8, 0.5, False)])
    assert plan.chosen_rates(tied) == {("moon", "dot"): 1e-2}
    diverged = rates_table([(1e-3, 0.6, 1.0, False), (1e-2, 0.9, 0.5, True)])
    assert plan.chosen_rates(diverged) == {("moon", "dot"): 1e-3}


@pytest.fixture
def without_figures(monkeypatch):
    """Pages in a fraction of the time."""
    monkeypatch.setattr(report, "drawn", lambda figure: None)


MEASURED = Path(__file__).parents[2] / "docs" / "measured" / "paper"


def test_rates_are_places_on_one_grid():
    """1 and 3 times powers of ten, from wherever a search comes; those of the committed tables among them."""
    assert [plan.rate_at(1e-3, place) for place in range(-3, 8)] == [
        3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0
    ]  # fmt: skip
    committed = tables.read(MEASURED, "rates")
    for name, rows in committed.groupby("experiment"):
        published = experiments.get(name).learning_rate
        assert set(rows["learning_rate"]) >= {plan.rate_at(published, place) for place in plan.PLACES}


def test_the_page_of_the_committed_tables_says_which_rates_were_at_an_edge(without_figures, tmp_path):
    for name in tables.FILES.values():
        (tmp_path / name).write_bytes((MEASURED / name).read_bytes())
    html = " ".join(text_of(report.write(tmp_path).read_text(encoding="utf-8")).replace("&#39;", "'").split())
    rates = tables.read(MEASURED, "rates")
    tried = rates.groupby(["experiment", "arm"])["learning_rate"]
    chosen = rates[rates["chosen"]].set_index(["experiment", "arm"])["learning_rate"]
    edge = chosen[(chosen == tried.min()[chosen.index]) | (chosen == tried.max()[chosen.index])]
    sentence = report.edges(rates)
    assert f"{len(edge)} of {len(chosen)} chosen rates lie at an edge of what was tried" in sentence
    assert sentence in html and len(re.findall(r"(low|high)est\)", sentence)) == len(edge)
    told = dict(part.split(": ") for part in re.split(r"\. (?=[A-Z])", sentence)[1:])
    for (name, arm), rate in edge.items():
        of_data = told[experiments.get(name).title].split("; ")
        assert sum(line.startswith(f"{arms.get(arm).title} ({rate:g}, ") for line in of_data) == 1
    went_on = dict(tables.read(MEASURED, "about").to_numpy()).get(tables.N_EXTENSIONS, "0") != "0"
    assert ("the search goes on beyond it" in html) == went_on
    assert ("No search went on beyond an edge" in html) != went_on


def told_of(best):
    """A training that nobody runs: accuracy falls by 2 % with each decade from an arm's best rate."""

    def run_cell(cell):
        away = abs(np.log10(cell.learning_rate / best[cell.arm]))
        measures = {"accuracy": 0.9 - 0.02 * away, "asked_loss": away, "diverged": False, "guessing": 0.5}
        measures |= {"mean_loss": 0.1, "final_loss": 0.1, "accuracy_under_noise": 0.5, "n_parameters": 9}
        return {**cells._empty(cell), **measures, "accuracy_beside_training": 0.5, "seconds": 0.0}

    return run_cell


# The best rate of each arm, what is chosen and where it lies. The first grid of moon is 0.001 to 0.03; three
# steps beyond it are 3e-5 and 1.
BEST = {
    "none": (1e-2, 1e-2, ""),
    "dot": (1e-1, 1e-1, ""),  # one step above
    "dot_identity": (1.0, 1.0, "highest"),  # as far as a search goes
    "dot_phi": (50.0, 1.0, "highest"),
    "l2": (3e-4, 3e-4, ""),  # one step below
    "metric": (1e-9, 3e-5, "lowest"),
    "metric_small": (1e-3, 1e-3, ""),  # at the edge of the first grid, and no more of the second
}


def test_a_search_goes_on_beyond_its_edge_as_long_as_the_best_rate_lies_there(
    without_figures, monkeypatch, tmp_path
):
    ran, run_cell = [], told_of({arm: best for arm, (best, _, _) in BEST.items()})
    monkeypatch.setattr(cells, "run_cell", lambda cell: ran.append(cell) or run_cell(cell))
    found = paper.run("moon", repeats=2, out=tmp_path)
    rates = tables.read(tmp_path, "rates")
    chosen = rates[rates["chosen"]].set_index("arm")
    for arm, (_, rate, place) in BEST.items():
        assert (chosen.loc[arm, "learning_rate"], chosen.loc[arm, "place"]) == (rate, place), arm
    tried = rates.groupby("arm")["learning_rate"].agg(["min", "max", "size"])
    want = {"none": (1e-3, 3e-2, 4), "dot": (1e-3, 0.3, 6), "dot_identity": (1e-3, 1.0, 7)}
    want |= {"dot_phi": (1e-3, 1.0, 7), "l2": (1e-4, 3e-2, 6)}
    want |= {"metric": (3e-5, 3e-2, 7), "metric_small": (3e-4, 3e-2, 5)}
    assert {arm: tuple(row) for arm, row in zip(tried.index, tried.to_numpy())} == want
    assert (rates["n"] == plan.N_RATE_SEEDS).all()
    after = found.cells[found.cells["stage"].isin([plan.CHOSEN, plan.OPEN])]
    assert (after["learning_rate"] == after["arm"].map(chosen["learning_rate"])).all()
    html = " ".join(found.report.read_text(encoding="utf-8").replace("&#39;", "'").split())
    assert "3 of 7 chosen rates lie at an edge" in html and "at most 3 on either side" in html
    assert "dot from I (1, highest); dot of phi's (1, highest); metric (3e-05, lowest)." in html

    n = len(ran)
    assert n == len(set(ran)) == found.n_planned
    assert paper.run("moon", repeats=2, out=tmp_path).n_planned == n == len(ran)  # nothing is run again


def test_a_search_stopped_beyond_its_edge_goes_on_there(without_figures, monkeypatch, tmp_path):
    run_cell = told_of({arm: best for arm, (best, _, _) in BEST.items()})
    ran = []

    def stopping(cell):
        if cell.learning_rate == 0.3:
            raise KeyboardInterrupt
        ran.append(cell)
        return run_cell(cell)

    monkeypatch.setattr(cells, "run_cell", stopping)
    first = paper.run("moon", repeats=2, out=tmp_path)
    assert first.interrupted and "Interrupted" in first.report.read_text(encoding="utf-8")
    monkeypatch.setattr(cells, "run_cell", lambda cell: ran.append(cell) or run_cell(cell))
    second = paper.run("moon", repeats=2, out=tmp_path)
    assert not second.interrupted and len(ran) == len(set(ran)) == second.n_planned


def test_an_edge_whose_cells_fail_ends_the_search(without_figures, monkeypatch, tmp_path):
    run_cell = told_of(dict.fromkeys(BEST, 1.0))

    def failing(cell):
        return run_cell(cell) if cell.learning_rate <= 0.1 else {**cells._empty(cell), "error": "it cannot"}

    monkeypatch.setattr(cells, "run_cell", failing)
    found = paper.run("moon", repeats=2, out=tmp_path)
    rates = found.cells[found.cells["stage"] == plan.RATES]
    assert rates["learning_rate"].max() == 0.3
    assert set(found.cells.loc[found.cells["stage"] == plan.CHOSEN, "learning_rate"]) == {0.1}


@pytest.mark.parametrize(
    "given, message",
    [
        ({"data": "moons"}, "data must be among moon, digits, .*got 'moons'"),
        ({"data": []}, "data must name at least one experiment; got none"),
        ({"repeats": 1}, "repeats must be an int of at least 2; got 1"),
        ({"seed": -1}, "seed must be an int of at least 0"),
        ({"jobs": 0}, "jobs must be an int of at least 1"),
    ],
)
def test_arguments_that_do_not_fit_are_named(tmp_path, given, message):
    with pytest.raises(ValueError, match=message):
        paper.run(out=tmp_path, **given)
    assert not list(tmp_path.iterdir())


def test_data_whose_package_is_missing_says_which(monkeypatch):
    monkeypatch.setattr(
        experiments, "EXPERIMENTS", (replace(experiments.get("moon"), needs="no_such_package"),)
    )
    with pytest.raises(ValueError, match=r"'moon' comes with the package no_such_package: pip install"):
        plan.make(("moon",), repeats=None, seed=0, full=False, quick=False)


# --- store


def test_what_is_stored_is_found_again(tmp_path):
    path = tmp_path / "cells.jsonl"
    entries = small_plan().first()[:3]
    kept, records = store.Store(path), [cells.run_cell(entry.cell) for entry in entries[:2]]
    for record in records:
        kept.add(record)
    again = store.Store(path)
    assert set(again.records) == {entry.cell for entry in entries[:2]}
    assert again.missing(entries) == entries[2:]
    assert again.records[entries[0].cell]["accuracy"] == pytest.approx(records[0]["accuracy"], rel=1e-5)


def test_a_line_cut_short_and_an_error_are_run_again(tmp_path):
    path = tmp_path / "cells.jsonl"
    entries = small_plan().first()[:3]
    kept = store.Store(path)
    for entry in entries[:2]:
        kept.add(cells.run_cell(entry.cell))
    kept.add(cells.crashed(entries[2].cell))
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[2], lines[1][:40]]))
    again = store.Store(path)
    assert set(again.records) == {entries[0].cell}
    again.add(cells.run_cell(entries[1].cell))
    assert set(store.Store(path).records) == {entry.cell for entry in entries[:2]}


def test_a_cell_of_two_stages_is_run_once():
    entries = small_plan().first()
    entries += small_plan().second({("moon", "dot"): 1e-3})
    path_less = store.Store.__new__(store.Store)
    path_less.records = {}
    missing = [entry.cell for entry in path_less.missing(entries)]
    assert len(missing) == len(set(missing)) < len(entries)
    assert set(missing) == {entry.cell for entry in entries}


# --- statistics


def test_the_bootstrap_is_scipys():
    values = np.random.default_rng(0).normal(0.1, 0.4, 30)
    mean, low, high, p = statistics.paired_interval(values)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, random_state=1)
    assert mean == pytest.approx(values.mean())
    assert_allclose([low, high], theirs.confidence_interval, atol=0.01)
    assert p == pytest.approx(stats.ttest_1samp(values, 0).pvalue, abs=0.05)
    assert (p < 0.05) == (low > 0 or high < 0)


def test_few_seeds_get_students_interval_and_test():
    values = np.array([0.1, 0.3, 0.2, 0.25])
    mean, low, high, p = statistics.paired_interval(values)
    want = stats.ttest_1samp(values, 0)
    assert_allclose([low, high], want.confidence_interval())
    assert (mean, p) == (pytest.approx(0.2125), pytest.approx(want.pvalue))
    assert statistics.paired_interval([0.5, 0.5, 0.5]) == (0.5, 0.5, 0.5, 0.25)
    assert statistics.paired_interval([0.0, 0.0, 0.0])[3] == 1
    assert np.isnan(statistics.paired_interval([0.5])[1:]).all()


def test_holm_in_a_plain_loop():
    rng = np.random.default_rng(0)
    for _ in range(20):
        p = rng.random(6) ** 3
        p[rng.integers(6)] = np.nan
        tested = [i for i in range(6) if not np.isnan(p[i])]
        order, so_far, want = sorted(tested, key=lambda i: p[i]), 0.0, np.full(6, np.nan)
        for rank, i in enumerate(order):
            so_far = max(so_far, (len(order) - rank) * p[i])
            want[i] = min(1, so_far)
        assert_allclose(statistics.holm(p), want)


def test_spreads_are_compared_as_brown_and_forsythe_do():
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(0, 1, 30), rng.normal(5, 3, 30)
    ratio, low, high, p = statistics.spread_ratio(ours, theirs)
    assert ratio == pytest.approx(np.std(ours, ddof=1) / np.std(theirs, ddof=1)) and low < ratio < high < 1
    # By its definition: an analysis of variance of distances from the median.
    distances = [np.abs(values - np.median(values)) for values in (ours, theirs)]
    assert p == pytest.approx(stats.f_oneway(*distances).pvalue)
    assert np.isnan(statistics.spread_ratio(ours, np.full(30, 0.5))).all()
    assert np.isnan(statistics.spread_ratio(ours[:5], theirs[:5])).all()


# --- verdicts


def records_of(accuracies, *, stage=plan.PAPER, loss=None, start=0.5):
    """Rows of paper.csv from {(experiment, arm): accuracies by seed}; loss: {(experiment, arm): mean}."""
    rows = []
    for (experiment, arm), values in accuracies.items():
        for seed, accuracy in enumerate(values):
            row = {
                **dict.fromkeys(cells.MEASURES, 0.0),
                "error": "",
                "stage": stage,
                "choice": "",
                "seed": seed,
            }
            row |= {
                "experiment": experiment,
                "arm": arm,
                "accuracy": accuracy,
                "guessing": 0.5,
                "diverged": False,
            }
            row |= {"mean_loss": (loss or {}).get((experiment, arm), 1 - accuracy), "perplexity": 3.0}
            rows.append({**row, "learning_rate": 1e-3, "n_parameters": 9, "variance_at_start": start})
    return pd.DataFrame(rows)


def verdict_of(table, claim="Accuracy", against="dot", stage=plan.PAPER):
    found = verdicts.verdicts(tables.comparisons(table), tables.summary(table))
    (one,) = [v for v in found if (v.claim, v.against, v.stage) == (claim, against, stage)]
    return one


def around(mean, spread=0.01, n=30):
    """Numbers whose mean is `mean`; the same ones shifted for every mean."""
    values = np.random.default_rng(0).normal(0, 1, n)
    return mean + spread * (values - values.mean())


@pytest.mark.parametrize(
    "moon, karate, word, said",
    [
        (0.9, 0.8, "Holds on all of 2 data sets", "Better on Moon +0.200"),
        (0.9, 0.7, "Holds on 1 of 2 data sets, the opposite on none", "Not told apart on Karate club"),
        (0.6, 0.6, "The opposite holds on all of 2 data sets", "Worse on Moon −0.100"),
        (0.6, 0.7, "The opposite holds on 1 of 2 data sets, the claim on none", "Not told apart on Karate"),
        (
            0.9,
            0.6,
            "Depends on the data set: holds on 1, the opposite on 1, of 2 data sets",
            "Worse on Karate",
        ),
        (0.7, 0.7, "Not told apart on any of 2 data sets", "Not told apart on Moon"),
    ],
)
def test_a_verdict_says_which_side_the_records_favor(moon, karate, word, said):
    noise = 0.02 * np.random.default_rng(1).normal(size=30)
    noise -= noise.mean()
    table = records_of(
        {
            ("moon", "dot"): around(0.7),
            ("moon", "metric"): around(moon) + noise,
            ("karate", "dot"): around(0.7),
            ("karate", "metric"): around(karate) + noise,
        }
    )
    verdict = verdict_of(table)
    assert verdict.word == word and said in verdict.details
    assert verdict.heading == "Against dot, at the published settings"


def test_less_loss_is_better_and_more_is_worse():
    accuracies = {("moon", arm): around(0.7) for arm in ("dot", "metric")}
    for ours, word in ((0.2, "Holds on all of 1 data set"), (0.9, "The opposite holds on all of 1 data set")):
        table = records_of(accuracies, loss={("moon", "dot"): 0.5, ("moon", "metric"): ours})
        assert verdict_of(table, "Training efficiency").word == word


def test_a_smaller_spread_is_more_robust_unless_an_arm_only_guesses():
    claim = "Robustness, as the paper means it"
    steady, shaky = around(0.9, 0.01), around(0.8, 0.1)
    table = records_of({("moon", "metric"): steady, ("moon", "dot"): shaky})
    verdict = verdict_of(table, claim)
    assert verdict.word == "Holds on all of 1 data set" and "×0.10 [" in verdict.details
    assert verdict_of(
        records_of({("moon", "metric"): shaky, ("moon", "dot"): steady}), claim
    ).word.startswith("The opposite")
    idle = verdict_of(records_of({("moon", "metric"): shaky, ("moon", "dot"): around(0.5, 0.001)}), claim)
    assert idle.word == "Nothing to compare" and "only guesses: Moon (dot)" in idle.details


def test_holm_is_over_the_data_sets():
    """A difference that is clear alone is not where five others are looked at too."""
    names = experiments.NAMES[:6]
    noise = np.random.default_rng(0).normal(0, 0.1, (6, 30))
    noise = noise - noise.mean(axis=1, keepdims=True)
    table = records_of(
        {(name, "dot"): np.full(30, 0.7) for name in names}
        | {(name, "metric"): 0.7 + noise[i] + (0.035 if i == 0 else 0) for i, name in enumerate(names)}
    )
    row = tables.comparisons(table).query("measure == 'accuracy' and arm == 'metric' and against == 'dot'")
    row = row.set_index("experiment").loc[names[0]]
    assert row["p"] < 0.05 < row["holm"] and row["holm"] == pytest.approx(6 * row["p"])
    assert verdict_of(table).word == "Not told apart on any of 6 data sets"


@pytest.mark.parametrize(
    "arm, reading",
    [
        ("none", "without any attention"),
        ("dot_identity", "where dot starts"),
        ("l2", "a distance in the place of a dot product"),
        ("dot_phi", "the nonlinear φ"),
        (None, "No single change from dot"),
    ],
)
def test_the_explanation_names_the_arm_that_has_most_of_the_difference(arm, reading):
    means = {"dot": 0.6, "metric": 0.9, "none": 0.6, "dot_identity": 0.6, "dot_phi": 0.6, "l2": 0.6}
    if arm:
        means[arm] = 0.85
    table = records_of({("moon", name): around(mean) for name, mean in means.items()})
    (sentence,) = verdict_of(table).explanation
    assert reading in sentence and "no attention on" in sentence
    if arm:
        assert f"{arms.get(arm).title} on 1 (median 83%)" in sentence


def test_the_explanation_says_where_learning_rates_differ():
    table = records_of({("moon", "dot"): around(0.6), ("moon", "metric"): around(0.9)}, stage=plan.CHOSEN)
    table["accuracy_beside_training"] = table["accuracy"]
    table.loc[table["arm"] == "metric", "learning_rate"] = 0.03
    said = " ".join(verdict_of(table, stage=plan.CHOSEN).explanation)
    assert "Moon 0.03 (dot 0.001)" in said
    assert "0.03" not in " ".join(
        verdict_of(records_of({("moon", "dot"): around(0.6), ("moon", "metric"): around(0.9)})).explanation
    )


def test_the_explanation_says_where_dot_could_not_train_and_metric_hears_itself_alone():
    table = records_of({("moon", "dot"): around(0.6), ("moon", "metric"): around(0.9)})
    table.loc[table["arm"] == "dot", "variance_at_start"] = 2e-6
    table.loc[table["arm"] == "metric", "perplexity"] = 1.02
    said = " ".join(verdict_of(table).explanation)
    assert "Moon 2e-06 (metric 0.5)" in said and "On Moon a row of metric attends to one row alone" in said


# --- a whole study


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return paper.run(("moon", "karate"), quick=True, out=tmp_path_factory.mktemp("paper"))


def test_a_quick_study_is_whole(found):
    table = found.cells
    assert (table["error"] == "").all() and not found.interrupted
    counts = table.groupby("stage").size()
    n_arms = len(arms.names_for("rows")) + len(arms.names_for("graph"))
    # Of two rates the best is at an edge: each search goes on once, with two seeds.
    assert counts["paper"] == counts["chosen"] == 3 * n_arms and counts["rates"] == 2 * 3 * n_arms
    assert set(table.loc[table["stage"] == plan.OPEN, "choice"]) == {
        plan.AS_CHOSEN, *experiments.get("moon").choices
    }  # fmt: skip
    assert table["accuracy"].between(0, 1).all()
    assert (table["perplexity"].isna() == (table["arm"] == "none")).all()
    assert (table["accuracy_under_noise"] != table["accuracy"]).any()
    beside = found.comparisons[found.comparisons["choice"] == tables.BESIDE]
    assert set(beside["experiment"]) == {"moon"} and len(beside) == 6 + 5


def test_comparisons_are_of_the_cells(found):
    table = found.cells[(found.cells["stage"] == plan.PAPER) & (found.cells["experiment"] == "moon")]
    by_seed = table.pivot(index="seed", columns="arm", values="accuracy")
    row = found.comparisons.query(
        "stage == 'paper' and choice == '' and experiment == 'moon' and measure == 'accuracy'"
        " and arm == 'metric' and against == 'l2'"
    )
    assert row["difference"].item() == pytest.approx((by_seed["metric"] - by_seed["l2"]).mean(), abs=1e-5)


def test_the_search_for_rates_is_told(found):
    table = tables.read(found.report.parent, "rates")
    assert (table.groupby(["experiment", "arm"])["chosen"].sum() == 1).all()
    own = found.cells.query(
        "stage == 'rates' and experiment == 'moon' and arm == 'l2' and learning_rate == 0.01"
    )
    row = table.query("experiment == 'moon' and arm == 'l2' and learning_rate == 0.01")
    assert row["accuracy"].item() == pytest.approx(own["accuracy"].mean(), abs=1e-5)
    assert row["n"].item() == 2
    of_arm = table.query("experiment == 'moon' and arm == 'l2'").sort_values("learning_rate")
    assert of_arm["place"].tolist() == ["lowest", "", "highest"]
    chosen = table[table["chosen"]].set_index(["experiment", "arm"])["learning_rate"]
    cells_of = found.cells[found.cells["stage"] == plan.CHOSEN].groupby(["experiment", "arm"])[
        "learning_rate"
    ]
    assert (cells_of.first() == chosen.sort_index()).all() and (cells_of.nunique() == 1).all()


def test_curves_are_means_over_seeds(found):
    kept = store.Store(found.report.parent / paper.CELLS).records
    curves = [
        record["curve"]
        for cell, record in kept.items()
        if (cell.experiment, cell.arm, cell.learning_rate, cell.validation) == ("moon", "dot", 1e-3, False)
        and (cell.n_layers, cell.residual, cell.batch, cell.context) == (2, False, 0, "batch")
    ]
    assert len(curves) == 3 and len(curves[0]["step"]) == 30
    table = tables.read(found.report.parent, "curves").query(
        "stage == 'paper' and experiment == 'moon' and arm == 'dot'"
    )
    assert_array_equal(table["step"], curves[0]["step"])
    assert_allclose(table["loss_mean"], np.mean([curve["loss"] for curve in curves], axis=0), rtol=1e-4)
    assert_allclose(
        table["accuracy_high"], np.quantile([curve["accuracy"] for curve in curves], 0.9, axis=0), rtol=1e-4
    )


def text_of(html):
    """Without pictures, whose parts have names drawn anew each time."""
    return re.sub(r'src="data:[^"]*"', "", html)


def test_the_page_is_made_of_the_csv_files_alone(found, tmp_path):
    for name in tables.FILES.values():
        (tmp_path / name).write_bytes((found.report.parent / name).read_bytes())
    html = report.write(tmp_path).read_text(encoding="utf-8")
    assert text_of(html) == text_of(found.report.read_text(encoding="utf-8"))
    assert "src=http" not in html and html.count("data:image/svg+xml") == 5
    summary = tables.summary(found.cells)
    for row in summary[(summary["choice"] == "")].itertuples():
        assert f"{row.accuracy:.3f}" in html
    for claim in verdicts.CLAIMS:
        assert claim.name in html
    assert "likewise study --paper --data moon karate --quick" in html


def test_a_finished_study_is_not_run_again(found, monkeypatch):
    def run_cell(cell):
        raise AssertionError(cell)

    monkeypatch.setattr(cells, "run_cell", run_cell)
    before = (found.report.parent / paper.CELLS).read_bytes()
    again = paper.run(("moon", "karate"), quick=True, out=found.report.parent)
    assert (found.report.parent / paper.CELLS).read_bytes() == before
    assert len(again.cells) == len(found.cells)


def test_what_was_done_before_an_interruption_is_not_run_again(monkeypatch, tmp_path):
    ran, run_cell = [], cells.run_cell

    def stopping(cell):
        if len(ran) == 9:
            raise KeyboardInterrupt
        ran.append(cell)
        return run_cell(cell)

    monkeypatch.setattr(cells, "run_cell", stopping)
    first = paper.run("karate", quick=True, out=tmp_path)
    assert first.interrupted and len(first.cells) == 9
    html = first.report.read_text(encoding="utf-8")
    assert "<strong>Interrupted.</strong>" in html and "Nothing was finished" in html
    monkeypatch.setattr(cells, "run_cell", lambda cell: ran.append(cell) or run_cell(cell))
    second = paper.run("karate", quick=True, out=tmp_path)
    assert not second.interrupted and len(ran) == len(set(ran)) == second.n_planned


def test_nothing_done_is_a_page_too(monkeypatch, tmp_path):
    def run_cell(cell):
        raise KeyboardInterrupt

    monkeypatch.setattr(cells, "run_cell", run_cell)
    done = paper.run("karate", quick=True, out=tmp_path)
    assert done.interrupted and len(done.cells) == 0 and "Interrupted" in done.report.read_text()


def test_a_cell_that_fails_is_shown(monkeypatch, tmp_path):
    run_cell = cells.run_cell

    def broken(cell):
        record = run_cell(cell)
        return (
            record if cell.arm != "l2" else {**record, "accuracy": np.nan, "error": "ValueError: it cannot"}
        )

    monkeypatch.setattr(cells, "run_cell", broken)
    done = paper.run("karate", quick=True, out=tmp_path)
    assert set(done.cells.loc[done.cells["error"] != "", "arm"]) == {"l2"}
    assert "ValueError: it cannot" in done.report.read_text(encoding="utf-8")
    assert "l2" not in set(done.comparisons["arm"])


def test_ctrl_c_keeps_what_is_done(tmp_path):
    command = [
        "-m",
        "likewise",
        "study",
        "--paper",
        "--data",
        "karate",
        "--jobs",
        "2",
        "--out",
        str(tmp_path),
    ]
    process = interruptible.popen(
        *command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        seen = b""
        while not (tmp_path / paper.CELLS).exists() or b"%" not in seen:
            piece = os.read(process.stderr.fileno(), 4096)
            assert piece, seen.decode()
            seen += piece
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
        out, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130 and out.decode().strip() == str(tmp_path / "paper.html")
    assert b"left]" in seen and b"Stopped" in seen + errors and b"Traceback" not in seen + errors
    lines = [json.loads(line) for line in (tmp_path / paper.CELLS).read_text().splitlines()]
    done = pd.read_csv(tmp_path / "paper.csv")
    assert len(lines) == len(done) > 0
    assert set(store.Store(tmp_path / paper.CELLS).records) == {store.cell_of(line) for line in lines}


def test_options_of_other_studies_are_refused(capsys, tmp_path):
    assert main(["study", "--paper", "--n-samples", "90", "--out", str(tmp_path)]) == 2
    assert "n_samples must not be given with --paper; got 90" in capsys.readouterr().err
    assert main(["study", "--full", "--out", str(tmp_path)]) == 2
    assert "full must be given with --paper" in capsys.readouterr().err


def test_figures_name_their_axes_units_and_seeds(found):
    folder = found.report.parent
    drawn = [
        figures.curves(tables.read(folder, "curves"), plan.PAPER),
        figures.final(found.cells, plan.PAPER),
    ]
    for figure in drawn:
        labels = {ax.get_ylabel() for ax in figure.axes}
        assert all(ax.get_ylabel() for ax in figure.axes)
        assert labels <= {"training loss (nats)", "accuracy, asked rows", "final accuracy, asked rows"}
        assert sum("n = 3 seeds" in ax.get_title() for ax in figure.axes) == 2


def test_every_arm_has_a_color_of_its_own():
    colors = [figures._color(name) for name in arms.NAMES]
    assert all(a != b for a, b in itertools.combinations(colors, 2))
