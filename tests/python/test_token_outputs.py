"""pooling="none": a target for each token. Against NumPy, with padding, in files, and what is refused."""

import json
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import accuracy_score, r2_score

import likewise as lw
from likewise.nn._model import ATTENTION, Model

DATA = Path(__file__).parents[1] / "data"
SMALL = {"pooling": "none", "embed_dim": 8, "num_heads": 2, "random_state": 0, "max_epochs": 5}
OPTIONS = {"n_tokens": 5, "n_features": 3, "n_outputs": 4, "n_layers": 2, "embed_dim": 6, "num_heads": 2}
OPTIONS |= {"mlp_ratio": 0.0, "pooling": "none", "position_std": 1.0, **ATTENTION["dot"]}


def reversed_symbols(n, length=5, n_symbols=3, seed=0):
    """One-hot symbols, and of each place the symbol there once the sequence is reversed."""
    symbols = np.random.default_rng(seed).integers(n_symbols, size=(n, length))
    return np.eye(n_symbols)[symbols], symbols[:, ::-1]


def some_padding(n, length=5, seed=0):
    return np.arange(length) < np.random.default_rng(seed).integers(2, length + 1, n)[:, None]


# --- against NumPy


def outputs_in_numpy(state, x, n_heads):
    """Of one sequence without padding, token by token and head by head."""

    def norm(rows, name):
        away = rows - rows.mean(axis=1, keepdims=True)
        return (
            away / np.sqrt((away**2).mean(axis=1, keepdims=True) + 1e-5) * state[f"{name}.weight"]
            + state[f"{name}.bias"]
        )

    h = x @ state["embedding.weight"].T + state["embedding.bias"] + state["positions"][: len(x)]
    for layer in range(2):
        of = f"blocks.{layer}.attention."
        tokens = norm(h, f"blocks.{layer}.norm1")
        Q, K, V = np.split(tokens @ state[of + "in_proj_weight"].T + state[of + "in_proj_bias"], 3, axis=1)
        mixed = np.zeros_like(Q)
        for head in range(n_heads):
            part = slice(head * Q.shape[1] // n_heads, (head + 1) * Q.shape[1] // n_heads)
            for i in range(len(x)):
                scores = K[:, part] @ Q[i, part] / np.exp(state[of + "log_temperature"].ravel()[head])
                weights = np.exp(scores - scores.max())
                mixed[i, part] = weights / weights.sum() @ V[:, part]
        h = h + mixed @ state[of + "out_proj.weight"].T + state[of + "out_proj.bias"]
    return norm(h, "norm") @ state["head.weight"].T + state["head.bias"]


def a_model_with_data(n=7):
    model, random = Model(OPTIONS, 3, "float64"), np.random.default_rng(0)
    model.flat_parameters[:] += 0.1 * random.normal(size=len(model.flat_parameters))
    return model, random.normal(size=(n, 5, 3)), some_padding(n)


def test_outputs_are_those_of_the_formula_for_each_token():
    model, X, tokens = a_model_with_data()
    outputs, state = model.outputs(X, tokens), model.state_dict()
    assert outputs.shape == (7, 5, 4) and not tokens.all()
    for x, own, got in zip(X, tokens, outputs):
        np.testing.assert_allclose(got[own], outputs_in_numpy(state, x[own], 2), rtol=1e-10, atol=1e-12)
        np.testing.assert_array_equal(got[~own], np.tile(state["head.bias"], (sum(~own), 1)))


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_loss_is_the_mean_over_tokens_and_a_step_goes_along_its_slopes(task):
    """Of NumPy's outputs; padding has targets that no token may have, and rows have weights."""
    model, X, tokens = a_model_with_data()
    weights, random = np.array([1.0, 2, 0, 0.5, 1, 3, 1]), np.random.default_rng(1)
    labels, targets = random.integers(4, size=(7, 5)), random.normal(size=(7, 5, 4))

    def loss(flat):
        model.flat_parameters[:] = flat
        state, total, sum_of_weights = model.state_dict(), 0.0, 0.0
        for i in range(7):
            found = outputs_in_numpy(state, X[i, tokens[i]], 2)
            own = np.arange(len(found))
            if task == "classification":
                each = np.log(np.exp(found).sum(axis=1)) - found[own, labels[i, tokens[i]]]
            else:
                each = ((found - targets[i, tokens[i]]) ** 2).mean(axis=1)
            total += weights[i] * each.sum()
            sum_of_weights += weights[i] * len(each)
        return total / sum_of_weights

    start = model.flat_parameters.copy()
    said = np.where(tokens, labels, -7), np.where(tokens[..., None], targets, np.nan)
    samples = (
        (X, said[0], None, tokens, weights)
        if task == "classification"
        else (X, None, said[1], tokens, weights)
    )
    options = {"task": task, "optimizer": "sgd", "weight_decay": 0.0, "learning_rate": 1e-3, "max_epochs": 1}
    history = model.train(samples, samples, {**options, "batch_size": 7})
    moved = (start - model.flat_parameters) / 1e-3
    after = loss(model.flat_parameters.copy())
    assert history["validation_loss"][0] == pytest.approx(after, rel=1e-10)
    assert history["loss"][0] == pytest.approx(loss(start), rel=1e-10)
    for i in random.choice(len(start), 25, replace=False):
        step = np.zeros_like(start)
        step[i] = 1e-5
        slope = (loss(start + step) - loss(start - step)) / 2e-5
        assert moved[i] == pytest.approx(slope, rel=1e-5, abs=1e-8)


# --- estimators


def test_a_sequence_is_reversed_token_by_token():
    X, y = reversed_symbols(700)
    model = lw.AttentionClassifier(
        "dot", pooling="none", embed_dim=16, num_heads=1, max_epochs=60, learning_rate=0.01, random_state=0
    ).fit(X[:500], y[:500])
    assert model.score(X[500:], y[500:]) > 0.99
    assert model.history_["validation_score"][model.best_epoch_] > 0.99
    proba, found = model.predict_proba(X[500:]), model.predict(X[500:])
    assert proba.shape == (200, 5, 3) and found.shape == (200, 5)
    np.testing.assert_allclose(proba.sum(axis=-1), 1, rtol=1e-12)
    np.testing.assert_array_equal(found, proba.argmax(axis=-1))
    assert model.transform(X[:4]).shape == (4, 5, 16)
    assert model.attention_weights(X[:4]).shape == (4, 1, 1, 5, 5)
    # A token alone does not know it: without attention to others it would be a third.
    others = X[500:].copy()
    others[:, 0] = np.roll(others[:, 0], 1, axis=1)
    assert (model.predict(others)[:, 4] != found[:, 4]).mean() > 0.9


def test_words_are_classes_and_padding_is_no_class():
    X, y = reversed_symbols(60)
    words = np.array(["ein", "zwei", "drei"])[y]
    tokens = some_padding(60)
    words[~tokens] = "nothing"
    model = lw.AttentionClassifier(**SMALL).fit(X, words, key_padding_mask=tokens)
    assert model.classes_.tolist() == ["drei", "ein", "zwei"]
    assert set(model.predict(X, tokens).ravel()) <= set(model.classes_)
    again = clone(model).fit(X, np.where(tokens, words, "ein"), key_padding_mask=tokens)
    np.testing.assert_array_equal(again.predict_proba(X, tokens), model.predict_proba(X, tokens))


@pytest.mark.parametrize("n_targets", [None, 2])
def test_numbers_of_tokens(n_targets):
    """Mean and deviation are those of tokens; padding may be NaN, in X and in y."""
    random = np.random.default_rng(0)
    X, tokens = random.normal(size=(200, 4, 2)), some_padding(200, 4)
    y = 100 + 5 * (X[..., 0] + X[:, :1, 0])  # its own number and the first token's
    y = y if n_targets is None else np.stack([y, -y], axis=-1)
    given, targets = X.copy(), y.copy()
    given[~tokens] = targets[~tokens] = np.nan
    model = lw.AttentionRegressor(pooling="none", embed_dim=16, max_epochs=40, random_state=0)
    model.fit(given[:150], targets[:150], key_padding_mask=tokens[:150])
    columns = targets[:150][tokens[:150]].reshape(tokens[:150].sum(), -1)
    np.testing.assert_allclose(model._targets.mean, columns.mean(axis=0))
    np.testing.assert_allclose(model._targets.scale, columns.std(axis=0))
    assert model.predict(given, tokens).shape == y.shape
    score = model.score(given[150:], targets[150:], key_padding_mask=tokens[150:])
    kept = tokens[150:]
    assert score == pytest.approx(r2_score(y[150:][kept], model.predict(X[150:], kept)[kept]))
    assert score > 0.9


def test_scores_are_of_tokens_with_their_rows_weight():
    X, y = reversed_symbols(40)
    tokens, weights = some_padding(40), np.random.default_rng(2).uniform(0, 2, 40)
    model = lw.AttentionClassifier(**SMALL).fit(X, y, key_padding_mask=tokens)
    found = model.predict(X, tokens)
    right = (found == y)[tokens]
    assert model.score(X, np.where(tokens, y, 77), key_padding_mask=tokens) == pytest.approx(right.mean())
    of_token = np.repeat(weights, 5).reshape(40, 5)[tokens]
    assert model.score(X, y, weights, tokens) == pytest.approx(np.average(right, weights=of_token))
    assert model.score(X, y) == pytest.approx(accuracy_score(y.ravel(), model.predict(X).ravel()))


def test_flat_rows_are_rows_of_tokens():
    X, y = reversed_symbols(40)
    rows = lw.AttentionClassifier(**SMALL).fit(X, y)
    flat = lw.AttentionClassifier(**SMALL, n_tokens=5).fit(X.reshape(40, -1), y)
    np.testing.assert_array_equal(flat.predict_proba(X.reshape(40, -1)), rows.predict_proba(X))
    single = lw.AttentionClassifier(**SMALL, n_tokens=1).fit(X.reshape(40, -1), y[:, :1])
    assert single.predict(X.reshape(40, -1)).shape == (40, 1)


def test_a_row_of_weight_0_is_no_row_of_tokens():
    X, y = reversed_symbols(40)
    weights = np.ones(40)
    weights[::4] = 0
    settings = {**SMALL, "early_stopping": False}
    with_them = lw.AttentionClassifier(**settings).fit(X, np.where(weights[:, None] > 0, y, 2), weights)
    without = lw.AttentionClassifier(**settings).fit(X[weights > 0], y[weights > 0])
    np.testing.assert_allclose(with_them.predict_proba(X), without.predict_proba(X), atol=1e-5)


def test_a_class_that_only_rows_to_validate_with_have_is_not_lost():
    """Rows have tokens of many classes: where a split would leave one out, the training loss is watched."""
    X, y = reversed_symbols(20)
    y[7, 2] = 9
    watched = [
        np.isnan(
            lw.AttentionClassifier(**{**SMALL, "random_state": seed}).fit(X, y).history_["validation_loss"]
        )
        for seed in range(30)
    ]
    share = np.mean([w.all() for w in watched])
    assert 0 < share < 0.5 and all(w.all() or not w.any() for w in watched)


# --- files, copies, warm starts


@pytest.mark.parametrize("estimator", [lw.AttentionClassifier, lw.AttentionRegressor])
def test_a_file_and_a_pickle_give_the_same_predictions(estimator, tmp_path):
    X, y = reversed_symbols(40)
    model = estimator(**SMALL).fit(X, y)
    model.save(tmp_path / "model")
    for again in (estimator.load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        assert again.get_params() == model.get_params() and again.score(X, y) == model.score(X, y)


def test_a_committed_file_answers_as_it_did():
    said = json.loads((DATA / "token_outputs_of_version_6.json").read_text(encoding="utf-8"))
    model = lw.AttentionClassifier.load(DATA / "token_outputs_of_version_6.likewise")
    tokens = np.array(said["key_padding_mask"])
    proba = model.predict_proba(np.array(said["queries"]), key_padding_mask=tokens)
    assert proba.shape == (*tokens.shape, 3) and not tokens.all()
    np.testing.assert_allclose(proba, said["predict_proba"], atol=1e-6)


def test_a_warm_start_goes_on_with_tokens():
    X, y = reversed_symbols(60)
    for estimator in (lw.AttentionClassifier, lw.AttentionRegressor):
        settings = {**SMALL, "early_stopping": False, "warm_start": True, "learning_rate": 0.01}
        model = estimator(**settings).fit(X, y)
        first = model.history_["loss"][-1]
        assert model.fit(X, y).history_["loss"][0] < 1.05 * first
        assert model.set_params(pooling="mean").fit(X, y[:, 0]).predict(X).shape == (60,)  # begins anew


def test_in_context_there_is_nothing_to_pool():
    X, y = reversed_symbols(40)
    with pytest.warns(UserWarning, match="pooling .*nothing to a fit with a context"):
        model = lw.AttentionClassifier(**SMALL, n_tokens=5).fit(X, y[:, 0], context="rows")
    assert model.predict(X).shape == (40,) and model.score(X, y[:, 0]) > 0.3


# --- what is refused


@pytest.mark.parametrize(
    ("estimator", "y", "said"),
    [
        (lw.AttentionClassifier, lambda y: y[:, 0],
            r'y must be of shape \(n, n_tokens\) = \(20, 5\) where pooling is "none"; got shape \(20,\)'),
        (lw.AttentionClassifier, lambda y: y[:, :4], r"y must be of shape .*; got shape \(20, 4\)"),
        (lw.AttentionClassifier, lambda y: y[:19], r"y must be of shape .*; got shape \(19, 5\)"),
        (lw.AttentionClassifier, lambda y: y[..., None], r"y must be of shape .*; got shape \(20, 5, 1\)"),
        (lw.AttentionClassifier, lambda y: [row[: 2 + i % 3] for i, row in enumerate(y)],
            "y must be of shape .*rows of different lengths; .*key_padding_mask"),
        (lw.AttentionClassifier, lambda y: y + 0.5, "Unknown label type"),
        (lw.AttentionClassifier, lambda y: np.where(y == 0, np.nan, y), "y"),
        (lw.AttentionClassifier, lambda y: None, "requires y to be passed"),
        (lw.AttentionRegressor, lambda y: y[:, 0],
            r"or \(n, n_tokens, n_targets\) where .*got shape \(20,\)"),
        (lw.AttentionRegressor, lambda y: y[..., None, None], r"y must be of shape .*\(20, 5, 1, 1\)"),
        (lw.AttentionRegressor, lambda y: np.where(y == 0, np.inf, y), "y"),
    ],
)  # fmt: skip
def test_refusals_name_y(estimator, y, said):
    X, symbols = reversed_symbols(20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=said):
            estimator(**SMALL).fit(X, y(symbols))


def test_what_a_fitted_model_refuses():
    X, y = reversed_symbols(20)
    model = lw.AttentionClassifier(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match=r"y must be of shape \(n, n_tokens\) = \(20, 5\)"):
        model.score(X, y[:, 0])
    with pytest.raises(ValueError, match="sample_weight"):
        model.score(X, y, np.ones(100))
    with pytest.raises(ValueError, match="key_padding_mask must have shape"):
        model.predict(X, key_padding_mask=np.ones((20, 4), bool))
    with pytest.raises(ValueError, match=r"y must be a class for each row, of shape \(n,\)"):
        lw.AttentionClassifier(**{**SMALL, "pooling": "mean"}).fit(X, y)
    with pytest.raises(ValueError, match='pooling must be one of "mean", "cls", "none"; got \'max\''):
        lw.AttentionClassifier(pooling="max").fit(X, y)
