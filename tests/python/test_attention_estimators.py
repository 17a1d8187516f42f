"""AttentionClassifier and AttentionRegressor: scikit-learn's contract, real data, files, rows in context."""

import copy
import gc
import io
import json
import os
import pickle
import signal
import struct
import subprocess
import time
import warnings
from pathlib import Path

import interruptible
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.ensemble import BaggingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import likewise as lw
from likewise.estimators._attention_targets import Numbers
from likewise.nn import AttentionLayer, arms
from likewise.nn._in_context import InContextModel, _operator, log_loss
from likewise.nn._model import Model

SMALL = {"embed_dim": 8, "num_heads": 2, "learning_rate": 1e-2, "random_state": 0, "max_epochs": 60}


@parametrize_with_checks(
    [
        lw.AttentionClassifier("l2", **SMALL),
        lw.AttentionClassifier("dot", **SMALL),
        lw.AttentionRegressor("l2", **SMALL),
    ],
    expected_failed_checks=lambda estimator: {
        "check_sample_weight_equivalence_on_dense_data": "copies are in batches of their own"
    },
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X / 16, y, random_state=0, stratify=y)


@pytest.fixture(scope="module")
def model(digits):
    X, _, y, _ = digits
    return lw.AttentionClassifier(n_tokens=8, max_epochs=25, random_state=0).fit(X, y)


@pytest.mark.parametrize("attention", ["l2", "dot"])
def test_digits(digits, attention):
    X, X_new, y, y_new = digits
    model = lw.AttentionClassifier(attention, n_tokens=8, max_epochs=30, random_state=0).fit(X, y)
    assert model.score(X_new, y_new) > 0.93
    assert len(model.history_["loss"]) == model.n_iter_ <= 30
    assert model.history_["loss"][-1] < 0.3 * model.history_["loss"][0]
    assert model.history_["validation_score"][model.best_epoch_] > 0.9


@pytest.mark.parametrize("arm", arms(8, 2))
def test_what_lies_between_is_a_dict(digits, arm, tmp_path):
    X, X_new, y, _ = digits
    shared = {"embed_dim": 8, "num_heads": 2}
    settings = {name: value for name, value in arms(**shared)[arm].items() if name not in shared}
    model = lw.AttentionClassifier(settings, n_tokens=8, max_epochs=2, random_state=0, **shared).fit(X, y)
    state = AttentionLayer(**settings, **shared).state_dict()
    trained = {name: part for name, part in model.state_dict().items() if ".attention." in name}
    assert [part.shape for part in trained.values()] == [part.shape for part in state.values()]
    model.save(tmp_path / "model.likewise")
    again = lw.AttentionClassifier.load(tmp_path / "model.likewise")
    assert again.attention == settings
    np.testing.assert_array_equal(again.predict_proba(X_new), model.predict_proba(X_new))
    with pytest.raises(ValueError, match=r"attention must be .* in context"):
        clone(model).fit(X[:20], y[:20], context="rows")


def test_rows_of_tokens_are_flat_rows(digits, model):
    X, X_new, y, _ = digits
    rows = clone(model).fit(X.reshape(-1, 8, 8), y)
    np.testing.assert_array_equal(rows.predict_proba(X_new.reshape(-1, 8, 8)), model.predict_proba(X_new))
    np.testing.assert_array_equal(rows.predict_proba(X_new), model.predict_proba(X_new))


def test_weights_are_the_operators_of_the_mechanisms(digits, model):
    X_new = digits[1][:4]
    weights, tokens = model.attention_weights(X_new), model.transform(X_new)
    assert weights.shape == (4, 1, 4, 8, 8) and tokens.shape == (4, 8, 64)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
    for head, mechanism in enumerate(model.mechanisms_[0]):
        for row in range(4):
            P = mechanism.operator(tokens[row].astype(np.float64))
            np.testing.assert_allclose(P.toarray(), weights[row, 0, head], atol=2e-5)


def test_the_picture_has_a_panel_a_head(digits, model):
    axes = model.plot_attention(digits[1][0])
    assert [ax.get_title() for ax in axes] == [f"head {h}" for h in range(4)]
    np.testing.assert_array_equal(
        axes[1].images[0].get_array(), model.attention_weights(digits[1][:1])[0, 0, 1]
    )


def test_padding_is_not_read(digits):
    X, _, y, _ = digits
    tokens = X.reshape(-1, 8, 8)
    padding = np.ones(tokens.shape[:2], bool)
    padding[::2, 6:] = False
    model = lw.AttentionClassifier(max_epochs=2, random_state=0).fit(tokens, y, key_padding_mask=padding)
    changed = np.where(padding[..., None], tokens, 7.0)
    np.testing.assert_array_equal(
        model.predict_proba(tokens, key_padding_mask=padding),
        model.predict_proba(changed, key_padding_mask=padding),
    )
    for mask, error, said in (
        (padding.astype(int), TypeError, "boolean"),
        (padding[:, :5], ValueError, "key_padding_mask must have shape"),
        (np.zeros_like(padding), ValueError, "leave each row a token"),
    ):
        with pytest.raises(error, match=said):
            model.predict(tokens, key_padding_mask=mask)


def test_a_file_gives_the_same_predictions_and_nothing_else_is_taken_for_one(digits, model, tmp_path):
    X_new, path = digits[1], tmp_path / "model.likewise"
    model.save(path)
    loaded = lw.AttentionClassifier.load(path)
    np.testing.assert_array_equal(loaded.predict_proba(X_new), model.predict_proba(X_new))
    assert loaded.classes_.dtype == model.classes_.dtype and loaded.history_.keys() == model.history_.keys()
    with pytest.raises(ValueError, match="AttentionRegressor"):
        lw.AttentionRegressor.load(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="checksum"):
        lw.AttentionClassifier.load(path)
    path.write_bytes(content[: len(content) // 3])
    with pytest.raises(ValueError, match=r"model\.likewise"):
        lw.AttentionClassifier.load(path)


def test_a_regressor_in_a_file(tmp_path):
    X, y = load_diabetes(return_X_y=True)
    model = lw.AttentionRegressor(**{**SMALL, "max_epochs": 3}).fit(StandardScaler().fit_transform(X), y)
    model.save(tmp_path / "r")
    np.testing.assert_array_equal(lw.AttentionRegressor.load(tmp_path / "r").predict(X), model.predict(X))


def test_threads_and_seeds(digits):
    X, X_new, y, _ = digits
    same = [
        lw.AttentionClassifier(n_tokens=8, max_epochs=2, random_state=3, n_jobs=n).fit(X[:300], y[:300])
        for n in (1, 2, 3)
    ]
    for other in same[1:]:
        np.testing.assert_array_equal(other.predict_proba(X_new), same[0].predict_proba(X_new))


def test_warm_start_goes_on(digits):
    X, _, y, _ = digits
    model = lw.AttentionClassifier(
        n_tokens=8, max_epochs=3, random_state=0, warm_start=True, early_stopping=False
    )
    first = model.fit(X, y).history_["loss"]
    second = model.fit(X, y).history_["loss"]
    assert second[0] < first[-1] + 0.1 < first[0]


def test_a_warm_start_refuses_labels_unseen_in_training_and_loses_nothing(digits):
    X, X_new, y, _ = digits
    settings = {"n_tokens": 8, "max_epochs": 2, "random_state": 0, "early_stopping": False}
    model = lw.AttentionClassifier(warm_start=True, **settings).fit(X, y)
    before = model.predict_proba(X_new)
    for unseen in (np.where(y == 3, 10, y), y + 1):  # one more class; as many, with other names
        with pytest.raises(ValueError, match=r"y must hold labels of the training rows, \[0, .*; got \[10\]"):
            model.fit(X, unseen)
    assert (model.predict_proba(X_new) == before).all()
    few = y < 5
    model.fit(X[few], y[few])
    assert list(model.classes_) == list(range(10))
    assert lw.AttentionClassifier(**settings).fit(X, y + 1).classes_.max() == 10


def test_weights_count_as_copies():
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    settings = {**SMALL, "early_stopping": False, "max_epochs": 30, "batch_size": 500}
    weighted = lw.AttentionClassifier(**settings).fit(X, y, sample_weight=np.where(y == 2, 0.0, 1.0))
    assert not (weighted.predict(X) == 2).any()


INTERRUPTED_FIT = """
import warnings
import likewise as lw
from sklearn.datasets import load_digits
X, y = load_digits(return_X_y=True)
model = lw.AttentionClassifier(n_tokens=8, max_epochs=100_000, n_iter_no_change=100_000, random_state=0)
model.set_params(max_epochs=1).fit(X / 16, y).set_params(max_epochs=100_000)
print("ready", flush=True)
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    model.fit(X / 16, y)
print(model.score(X / 16, y), model.n_iter_, *[w.message for w in said], flush=True)
"""


def test_ctrl_c_keeps_the_best_weights():
    """In a child that obeys SIGINT: where this process ignores it, the fit went on for 100 000 epochs."""
    child = interruptible.popen("-c", INTERRUPTED_FIT, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "ready\n"
        time.sleep(3)
        child.send_signal(signal.SIGINT)
        score, n_iter, *said = child.communicate(timeout=60)[0].split()
    finally:
        child.kill()
    assert float(score) > 0.5 and int(n_iter) < 100_000 and "interrupted" in " ".join(said)


def test_a_loss_that_is_not_finite_names_the_step():
    X, y = load_diabetes(return_X_y=True)
    model = lw.AttentionRegressor(**{**SMALL, "learning_rate": 1e30, "optimizer": "sgd", "max_norm": None})
    with pytest.raises(lw.ConvergenceError, match="step"):
        model.fit(X, y)


# --- weights, small data, padding, warm starts, failures ---------------------------------------------------


def linear(seed, n=200):
    """Rows, targets that are linear in them up to a little noise, and as many new ones."""
    rng = np.random.default_rng(seed)
    X, w = rng.normal(size=(2 * n, 10)), rng.normal(size=10)
    y = X @ w + 0.3 * np.linalg.norm(w) * rng.normal(size=2 * n)
    return X[:n], y[:n], X[n:], y[n:]


@pytest.mark.parametrize("estimator", [lw.AttentionRegressor, lw.AttentionClassifier])
def test_a_row_of_weight_0_is_no_row(estimator):
    """Kind: rows that weigh nothing move a mean, a deviation, an epoch or a split."""
    X, y, X_new, _ = linear(0, 90)
    y = y if estimator is lw.AttentionRegressor else (y > 0).astype(int)
    odd = np.arange(len(X)) % 9 == 0
    wild, weights = np.where(odd, 1e4 if estimator is lw.AttentionRegressor else 1, y), np.where(odd, 0, 3.0)
    some = estimator(**SMALL).fit(X[~odd], y[~odd])
    weighted = estimator(**SMALL).fit(np.where(odd[:, None], 50, X), wild, sample_weight=weights)
    say = "predict" if estimator is lw.AttentionRegressor else "predict_proba"
    np.testing.assert_allclose(getattr(weighted, say)(X_new), getattr(some, say)(X_new), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        weighted.history_["validation_score"], some.history_["validation_score"], rtol=1e-3
    )


def test_targets_are_standardized_as_their_weights_say():
    """Kind: a moment of the targets that forgets their weights; weight 2 is two rows."""
    y, w = np.array([0.0, 1.0, 5.0, 1e9]), np.array([1.0, 2.0, 3.0, 0.0])
    copies = np.repeat(y, w.astype(int))
    found = Numbers.of(y, w)
    np.testing.assert_allclose([found.mean[0], found.scale[0]], [copies.mean(), copies.std()], rtol=1e-12)
    assert Numbers.of(np.full(3, 5e9 + 0.1), np.array([1.0, 2.0, 0.3])).scale[0] == 1


def test_weights_may_leave_no_row_to_validate_with():
    """Kind: a split by rows hands the validation only rows that do not count."""
    X, y, X_new, _ = linear(1, 12)
    for k in range(12):
        weights = np.where(np.arange(12) == k, 1.0, 0.0)
        assert np.isfinite(
            lw.AttentionRegressor(**SMALL).fit(X, y, sample_weight=weights).predict(X_new)
        ).all()
    bagged = BaggingRegressor(lw.AttentionRegressor(**{**SMALL, "max_epochs": 2}), random_state=0).fit(X, y)
    assert np.isfinite(bagged.predict(X_new)).all()
    with pytest.raises(ValueError, match="at least one non-zero"):
        lw.AttentionRegressor(**SMALL).fit(X, y, sample_weight=np.zeros(12))


def test_defaults_learn_linear_targets_of_200_rows():
    """Kind: defaults in epochs, few steps where rows are few; places that look the same at the start.

    Single fits differ by a few hundredths between instruction sets: rounding is another start.
    """
    missing = []
    for seed in range(5):
        X, y, X_new, y_new = linear(seed)
        best = RidgeCV().fit(X, y).score(X_new, y_new)
        missing.append(best - lw.AttentionRegressor(random_state=seed).fit(X, y).score(X_new, y_new))
    assert np.mean(missing) < 0.06 and max(missing) < 0.1


@parametrize_with_checks(
    [lw.AttentionRegressor(), lw.AttentionClassifier()],
    expected_failed_checks=lambda estimator: {
        "check_sample_weight_equivalence_on_dense_data": "copies are in batches of their own"
    },
)
def test_scikit_learn_contract_of_the_defaults(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", [lw.AttentionRegressor, lw.AttentionClassifier])
def test_padding_is_known_to_every_reader(estimator):
    """Kind: an argument of fit and predict that other readers do not know, or that is asked too late."""
    rng = np.random.default_rng(0)
    tokens = rng.normal(size=(80, 5, 2))
    padding = rng.random((80, 5)) < 0.7
    padding[:, 0] = True
    y = (tokens[..., 0] * padding).sum(axis=1) / padding.sum(axis=1)
    y = y if estimator is lw.AttentionRegressor else (y > 0).astype(int)
    nan, zero = np.where(padding[..., None], tokens, np.nan), np.where(padding[..., None], tokens, 0)
    model = estimator(**SMALL).fit(nan, y, key_padding_mask=padding)
    flat = nan.reshape(80, -1)
    for read in (
        lambda X: model.predict(X, key_padding_mask=padding),
        lambda X: model.transform(X, key_padding_mask=padding),
        lambda X: model.attention_weights(X, key_padding_mask=padding),
        lambda X: model.score(X, y, key_padding_mask=padding),
    ):
        np.testing.assert_array_equal(read(nan), read(zero))
        np.testing.assert_array_equal(read(flat), read(zero))
    told = model.predict(zero, key_padding_mask=padding)
    right = (told == y).mean() if estimator is lw.AttentionClassifier else r2_score(y, told)
    assert model.score(nan, y, key_padding_mask=padding) == pytest.approx(right)
    weights = model.attention_weights(nan, key_padding_mask=padding)
    assert (weights[~np.broadcast_to(padding[:, None, None, None], weights.shape)] == 0).all()
    with pytest.raises(ValueError, match="NaN"):
        model.predict(np.where(padding[..., None], np.nan, tokens), key_padding_mask=padding)


def test_a_warm_start_keeps_the_unit_of_the_targets():
    """Kind: what was learned is read in another unit by the second fit."""
    X, y, *_ = linear(0, 100)
    model = lw.AttentionRegressor(**SMALL, warm_start=True, early_stopping=False).fit(X, y)
    before = model.predict(X)
    high = y > np.quantile(y, 0.7)
    model.set_params(learning_rate=1e-12, weight_decay=0.0, max_epochs=1).fit(X[high], y[high])
    np.testing.assert_allclose(model.predict(X), before, rtol=1e-4, atol=1e-5)
    other = model.set_params(embed_dim=4).fit(X[high], y[high])  # other shapes: from the beginning
    assert other.predict(X).mean() == pytest.approx(y[high].mean(), abs=0.5 * y.std())


def test_a_warm_start_in_context_goes_on():
    """Kind: a setting that one of two ways to fit does not know."""
    X, y = load_diabetes(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    settings = {"embed_dim": 4, "num_heads": 1, "random_state": 0, "early_stopping": False, "max_epochs": 5}
    warm = lw.AttentionRegressor(warm_start=True, **settings).fit(X, y, context="rows")
    first = warm.history_["loss"]
    second = warm.fit(X, y, context="rows").history_["loss"]
    assert second[0] <= first[-1] + 1e-9 < first[0]


@pytest.mark.parametrize("estimator", [lw.AttentionRegressor, lw.AttentionClassifier])
def test_a_first_fit_that_diverges_keeps_what_it_says(estimator):
    """Kind: an error promises what only a second call would find."""
    X, y, X_new, _ = linear(0, 60)
    y = y if estimator is lw.AttentionRegressor else (y > 0).astype(int)
    model = estimator(**{**SMALL, "learning_rate": 1e30, "optimizer": "sgd", "max_norm": None})
    with pytest.raises(lw.ConvergenceError, match="the last parameters of finite loss were kept"):
        model.fit(X, y)
    assert np.isfinite(np.asarray(model.predict(X_new), float)).all()
    assert model.n_iter_ == 0 and len(model.history_["loss"]) == 0


@pytest.mark.parametrize("attention", ["l2", "dot", {"score": "sqdist", "tied": True, "rank": 3}])
def test_explained_before_and_after_fit(attention):
    """Kind: an estimator without the slots that all others show."""
    model = lw.AttentionClassifier(attention, **SMALL)
    before = lw.explain(model)
    assert before.mechanism == model.mechanism and before.values
    t = model.mechanism.kernel.temperature
    squared = attention != "dot"
    assert t == pytest.approx((2 if squared else 1) * np.sqrt(3 if isinstance(attention, dict) else 4))
    X, y, X_new, _ = linear(0, 40)
    model.fit(X, (y > 0).astype(int))
    assert lw.explain(model).mechanism == model.mechanism_ == model.mechanisms_[0][0]
    P = model.mechanism_.operator(model.transform(X_new[:1])[0].astype(float)).toarray()
    if squared:  # of dot products the queries' bias is no part of the metric
        np.testing.assert_allclose(P, model.attention_weights(X_new[:1])[0, 0, 0], atol=1e-5)
    layer = lw.nn.L2Attention(8, 2, random_state=0)
    assert lw.explain(layer).mechanism == layer.mechanism()


def test_readers_keep_no_memory():
    """Kind: what a reader needs on its way stays in the estimator."""
    X, y, *_ = linear(0, 60)
    model = lw.AttentionRegressor(**SMALL).fit(X, y)
    rows = np.tile(X, (100, 1))
    before = resident()
    for _ in range(3):
        model.transform(rows), model.predict(rows)
    assert resident() - before < 30e6  # the tokens of all rows take 2 MB, a whole pass of them 50


def resident():
    """Bytes of this process in memory."""
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_file_is_changed_and_nothing_around_it(tmp_path):
    """Kind: moving a new file into place changes what lay there: a link, a mode, a neighbor."""
    X, y, X_new, _ = linear(0, 40)
    model = lw.AttentionRegressor(**{**SMALL, "max_epochs": 1}).fit(X, y)
    target, link, neighbor = tmp_path / "deep" / "m", tmp_path / "m", tmp_path / "deep" / "m.unfinished"
    target.parent.mkdir()
    neighbor.write_text("mine")
    link.symlink_to(target)
    model.save(link)
    target.chmod(0o600)
    model.save(os.fspath(link))
    assert link.is_symlink() and target.stat().st_mode & 0o777 == 0o600
    assert neighbor.read_text() == "mine" and sorted(p.name for p in target.parent.iterdir()) == [
        "m",
        "m.unfinished",
    ]
    np.testing.assert_array_equal(lw.AttentionRegressor.load(link).predict(X_new), model.predict(X_new))
    for place in (io.BytesIO(), 3.5, None):
        with pytest.raises(TypeError, match="path must be a str or a path"):
            model.save(place)
        with pytest.raises(TypeError, match="path must be a str or a path"):
            lw.AttentionRegressor.load(place)
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path):
        with pytest.raises(ValueError, match="a place where a file can be written"):
            model.save(place)
        with pytest.raises(ValueError, match="a file that can be read"):
            lw.AttentionRegressor.load(place)


@pytest.mark.parametrize("bad", [object(), "odd"])
@pytest.mark.parametrize(
    "name", [n for n in lw.AttentionRegressor().get_params() if n not in ("verbose", "random_state")]
)
def test_settings_of_a_wrong_type_are_named(name, bad):
    """Kind: a value goes unseen until something far inside cannot take it."""
    X, y, *_ = linear(0, 20)
    with pytest.raises((TypeError, ValueError), match=f"{name} must be"):
        lw.AttentionRegressor(**{**SMALL, name: bad}).fit(X, y)


# --- rows that attend to labeled rows ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("load", "attention", "least"),
    [
        (load_wine, "l2", 0.93),
        (load_wine, "dot", 0.93),
        (load_wine, "metric", 0.9),
        (load_breast_cancer, "l2", 0.93),
        (load_breast_cancer, "dot", 0.93),
        (load_digits, "l2", 0.9),
        (load_digits, "dot", 0.7),
    ],
)
def test_rows_in_context_classify(load, attention, least):
    X, y = load(return_X_y=True)
    X, X_new, y, y_new = train_test_split(StandardScaler().fit_transform(X)[:900], y[:900], random_state=0)
    model = lw.AttentionClassifier(attention, embed_dim=8, num_heads=2, random_state=0, max_epochs=60)
    assert model.fit(X, y, context="rows").score(X_new, y_new) > least
    assert model.history_["loss"][-1] < 0.7 * model.history_["loss"][0]


def test_in_context_is_kernel_regression_with_the_learned_metric():
    X, y = load_diabetes(return_X_y=True)
    X, X_new, y, y_new = train_test_split(StandardScaler().fit_transform(X), y, random_state=0)
    model = lw.AttentionRegressor(embed_dim=4, num_heads=1, random_state=0).fit(X, y, context="rows")
    ((mechanism,),) = model.mechanisms_
    h = np.sqrt(mechanism.kernel.temperature / 2)
    regressor = lw.KernelRegressor(metric=mechanism.metric, bandwidth=h).fit(X, y)
    np.testing.assert_allclose(model.predict(X_new), regressor.predict(X_new), rtol=1e-9)
    assert model.score(X_new, y_new) > 0.25
    assert model.attention_weights(X_new).shape == (1, 1, len(X_new), len(X))
    assert (model.transform(X_new) == X_new).all()


def test_mechanisms_of_metric_attention_in_context_say_what_it_predicts():
    X, y = load_wine(return_X_y=True)
    X, Z, y, labels = train_test_split(StandardScaler().fit_transform(X), y, random_state=0)
    model = lw.AttentionClassifier("metric", embed_dim=6, num_heads=2, random_state=0, max_epochs=20)
    model.fit(X, y, context=(Z, labels))
    F = np.mean([head.operator(X, Z) @ np.eye(3)[labels] for head in model.mechanisms_[0]], axis=0)
    np.testing.assert_allclose(model.predict_proba(X), F, atol=1e-12)
    for head in model.mechanisms_[0]:
        assert head.metric.metric == lw.metrics.SquaredEuclidean()
        assert head.kernel == lw.kernels.Exponential(1.0)
        assert head.metric.map.W1.shape == (3, 13) and head.metric.map.activation == "tanh"


@pytest.mark.parametrize("attention", ["l2", "metric", "dot"])
@pytest.mark.parametrize("own_context", [False, True])
def test_gradients_in_context_are_those_of_finite_differences(attention, own_context):
    """Of the loss of `learn`, each row without its own label; the context apart from the rows, or not."""
    rng = np.random.RandomState(0)
    X, Y = rng.randn(12, 3), np.eye(2)[rng.randint(2, size=12)]
    context = (rng.randn(9, 3), np.eye(2)[rng.randint(2, size=9)]) if own_context else None
    model = InContextModel(attention, 3, 4, 2, rng)
    model._take(model._flat() + 0.3 * rng.randn(model._flat().size))  # biases too
    values = Y if context is None else context[1]

    def loss_of(flat):
        model._take(flat)
        parts = [_operator(m, X, context) @ values for m in model.mechanisms()[0]]
        return log_loss(sum(parts) / 2, Y)[0]

    start = model._flat()
    operators = [_operator(m, X, context) for m in model.mechanisms()[0]]
    parts = [P @ values for P in operators]
    by_F = log_loss(sum(parts) / 2, Y)[1] / 2
    found = model._gradient([P.vjp(by_F, values, part) for P, part in zip(operators, parts)])
    steps = 1e-6 * np.eye(start.size)
    wanted = [(loss_of(start + step) - loss_of(start - step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-8)
    assert found.size == sum(part.size for part in model.state_dict().values())


def test_metric_attention_in_context_goes_on_and_takes_rows_of_float32():
    X, y = load_diabetes(return_X_y=True)
    X = StandardScaler().fit_transform(X).astype(np.float32)
    settings = {"embed_dim": 4, "num_heads": 2, "random_state": 0, "early_stopping": False, "max_epochs": 5}
    warm = lw.AttentionRegressor("metric", warm_start=True, **settings).fit(X, y, context="rows")
    wide = lw.AttentionRegressor("metric", **settings).fit(X.astype(np.float64), y, context="rows")
    np.testing.assert_array_equal(warm.predict(X), wide.predict(X.astype(np.float64)))
    first = warm.history_["loss"]
    second = warm.fit(X, y, context="rows").history_["loss"]
    assert second[0] <= first[-1] + 1e-9 < first[0]
    other = warm.set_params(attention="l2").fit(X, y, context="rows")  # other maps: from the beginning
    fresh = lw.AttentionRegressor("l2", **settings).fit(X, y, context="rows")
    np.testing.assert_array_equal(other.predict(X), fresh.predict(X))


@pytest.mark.parametrize("attention", ["additive", "additive_dynamic", {"score": "sqdist", "tied": True}])
def test_other_scores_are_refused_in_context(attention):
    """Kind: a word that is taken for another where nothing asks it: "additive" was learned as "dot"."""
    X, y = load_wine(return_X_y=True)
    with pytest.raises(ValueError, match='attention must be one of "l2", "metric", "dot" in context; got'):
        lw.AttentionClassifier(attention, **SMALL).fit(X, y, context="rows")


def test_own_labels_are_not_seen():
    random = np.random.RandomState(0)
    X, y = random.randn(60, 3), random.randn(60)
    model = lw.AttentionRegressor(embed_dim=2, num_heads=1, random_state=0, early_stopping=False)
    assert model.fit(X, y, context="rows").history_["loss"][-1] > 0.5  # noise cannot be learned from others


def test_another_context():
    X, y = load_wine(return_X_y=True)
    X, Z, y, labels = train_test_split(StandardScaler().fit_transform(X), y, random_state=0)
    model = lw.AttentionClassifier(embed_dim=4, num_heads=2, random_state=0).fit(X, y, context=(Z, labels))
    assert model.score(X, y) > 0.95
    for context, said in (
        ("columns", "context must be"),
        ((Z,), "context must be"),
        ((Z, labels[:-1]), "y_context must have length"),
        ((Z, labels + 5), "y_context must hold labels of the training rows"),
    ):
        with pytest.raises(ValueError, match=said):
            clone(model).fit(X, y, context=context)


def test_targets_of_a_context_are_as_many_and_finite():
    X, y = load_diabetes(return_X_y=True)
    model = lw.AttentionRegressor(**SMALL)
    for given, said in (
        (np.c_[y, y][:20], r"y_context must have 1 target\(s\) a row; got 2"),
        (np.r_[np.nan, y[:19]], "y_context must be finite"),
    ):
        with pytest.raises(ValueError, match=said):
            model.fit(X[20:], y[20:], context=(X[:20], given))


CONTEXT_FILES = [
    (lw.AttentionClassifier, load_wine),
    (lw.AttentionRegressor, load_diabetes),
]


def fitted_in_context(estimator, load, attention):
    """A model of some rows that attend to others, and rows that are new to it."""
    X, y = load(return_X_y=True)
    if load is load_wine:
        y = np.array(["barolo", "grignolino", "barbera d'Asti"])[y]
    X, X_new, y, _ = train_test_split(StandardScaler().fit_transform(X), y, random_state=0)
    settings = {"embed_dim": 6, "num_heads": 2, "max_epochs": 15, "random_state": 0}
    return estimator(attention, **settings).fit(X, y, context=(X[:80], y[:80])), X_new


STATE_IN_CONTEXT = {
    "l2": ["embedding", "W", "log_temperature"],
    "dot": ["embedding", "Wq", "Wk", "log_temperature"],
    "metric": ["embedding", "W", "map_in", "map_in_bias", "map_out", "map_out_bias"],
}


@pytest.mark.parametrize("attention", STATE_IN_CONTEXT)
@pytest.mark.parametrize(("estimator", "load"), CONTEXT_FILES)
@pytest.mark.parametrize("way", ["file", "pickle"])
def test_a_model_in_context_comes_back_bit_for_bit(estimator, load, attention, way, tmp_path):
    model, X_new = fitted_in_context(estimator, load, attention)
    if way == "file":
        model.save(tmp_path / "model.likewise")
        again = estimator.load(tmp_path / "model.likewise")
    else:
        again = pickle.loads(pickle.dumps(model))
    assert again.get_params() == {**model.get_params(), "random_state": again.random_state}
    np.testing.assert_array_equal(again.predict(X_new), model.predict(X_new))
    if load is load_wine:
        assert set(again.predict(X_new)) == {"barolo", "grignolino", "barbera d'Asti"}
        np.testing.assert_array_equal(again.predict_proba(X_new), model.predict_proba(X_new))
    np.testing.assert_array_equal(again.attention_weights(X_new), model.attention_weights(X_new))
    assert again.attention_weights(X_new).shape == (1, 2, len(X_new), 80)
    assert again.mechanisms_ == model.mechanisms_
    assert list(again.state_dict()) == STATE_IN_CONTEXT[attention]
    for name, part in model.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[name], part)


def test_a_state_dict_is_a_copy():
    model, X_new = fitted_in_context(lw.AttentionRegressor, load_diabetes, "l2")
    before = model.predict(X_new)
    for part in model.state_dict().values():
        part[...] = 0
    np.testing.assert_array_equal(model.predict(X_new), before)


@pytest.mark.parametrize("attention", ["l2", "dot", "metric"])
def test_numpy_reads_the_documented_file_and_predicts_the_same(attention, tmp_path):
    model, X_new = fitted_in_context(lw.AttentionClassifier, load_wine, attention)
    model.save(tmp_path / "model.likewise")
    content = (tmp_path / "model.likewise").read_bytes()
    embedding, Wq, Wk, log_t, W1, b1, W2, b2, Z, Y = in_context_parts(content)
    F = np.zeros((len(X_new), Y.shape[1]))
    for head, t in enumerate(np.exp(log_t.ravel())):
        rows = slice(3 * head, 3 * head + 3)

        def phi(u, rows=rows):
            return u + np.tanh(u @ W1[rows].T + b1[rows].T) @ W2[rows].T + b2[rows].T if W1.size else u

        q = phi(X_new @ (Wq[rows] @ embedding).T)
        k = phi(Z @ ((Wk if Wk.size else Wq)[rows] @ embedding).T)
        score = q @ k.T if Wk.size else -((q[:, None] - k) ** 2).sum(axis=2)
        weights = np.exp((score - score.max(axis=1, keepdims=True)) / t)
        F += weights / weights.sum(axis=1, keepdims=True) @ Y / 2
    np.testing.assert_allclose(model.predict_proba(X_new), F, atol=1e-12)


def in_context_parts(content):
    """The matrices of a file, by the format in include/likewise/nn/archive.hpp."""
    file = io.BytesIO(content)

    def number(code):
        (value,) = struct.unpack("<" + code, file.read(struct.calcsize("<" + code)))
        return value

    assert (file.read(8), number("I")) == (b"LIKEWISE", 6)
    assert file.read(number("Q")) == b"in-context model"
    assert number("I") == 8
    assert json.loads(file.read(number("Q")))["class"] == "AttentionClassifier"
    shapes = [(number("q"), number("q")) for _ in range(10)]
    parts = [np.frombuffer(file.read(8 * m * n), "<f8").reshape(m, n) for m, n in shapes]
    assert len(file.read()) == 8
    return parts


def test_what_is_wrong_with_a_file_of_a_model_in_context(digits, model, tmp_path):
    in_context, _ = fitted_in_context(lw.AttentionClassifier, load_wine, "l2")
    path, other = tmp_path / "model.likewise", tmp_path / "other.likewise"
    in_context.save(path)
    model.save(other)
    with pytest.raises(
        ValueError, match="path must hold a model of AttentionRegressor; got one of 'AttentionClassifier'"
    ):
        lw.AttentionRegressor.load(path)
    with pytest.raises(ValueError, match="of kind 'attention model'; got 'in-context model'"):
        Model.load(path)
    with pytest.raises(ValueError, match="of kind 'in-context model'; got 'attention model'"):
        InContextModel.load(other)
    with pytest.raises(ValueError, match="y must hold numbers or strings"):
        mixed = copy.deepcopy(in_context)
        mixed.classes_ = np.array([1, "b", None], object)
        mixed.save(path)
    content = bytearray(path.read_bytes())
    for changed, said in (
        (content[:-1], "checksum"),
        (content[:30], "truncated"),
        (content[:-9] + bytes([content[-9] ^ 1]) + content[-8:], "checksum"),
        (content[:8] + b"\1" + content[9:], "of version 2 to 6; got version 1"),
        (b"no such file", "begins with LIKEWISE"),
    ):
        path.write_bytes(changed)
        with pytest.raises(ValueError, match=said) as error:
            lw.AttentionClassifier.load(path)
        assert str(path) in str(error.value)
    with pytest.raises(ValueError, match="a file that can be read"):
        lw.AttentionClassifier.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"attention": "cosine"}, "attention must be"),
        (
            {"attention": {"scores": "dot"}},
            "attention must be .* or a dict of .*, score, share_map, slope, temperature, tied, values; got",
        ),
        ({"attention": {"score": "cosine"}}, 'score must be one of "dot", "sqdist"'),
        ({"attention": {"temperature": -1}}, "temperature must be positive and finite; got -1"),
        ({"num_heads": 3}, "num_heads must be a divisor of embed_dim = 8; got 3"),
        ({"n_tokens": 5}, "n_tokens must be a divisor of X's 13 features; got 5"),
        ({"max_epochs": 0}, "max_epochs must be an int, at least 1; got 0"),
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"learning_rate": -1.0}, "learning_rate must be a finite number that is positive"),
        ({"optimizer": "lion"}, 'optimizer must be one of "adamw", "adam", "sgd"'),
        ({"pooling": "max"}, "pooling must be one of"),
        ({"dtype": "float16"}, "dtype must be float32 or float64"),
    ],
)
def test_refusals_name_the_argument(settings, said):
    X, y = load_wine(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=said):
            lw.AttentionClassifier(**{**SMALL, **settings}).fit(X, y)


def test_metric_attention_as_published_learns_and_keeps(tmp_path):
    """A residual network for each head and temperature 1: in training, files and mechanisms."""
    X, y = load_wine(return_X_y=True)
    X = (X - X.mean(0)) / X.std(0)
    model = lw.AttentionClassifier("metric", embed_dim=16, num_heads=2, max_epochs=30, random_state=0)
    model.fit(X[::2], y[::2])
    assert model.score(X[1::2], y[1::2]) > 0.9
    head = model.mechanisms_[0][1]
    assert isinstance(head.metric.map, lw.maps.ResidualMLP) and head.kernel.temperature == 1
    tokens = model.transform(X[:3])
    weights = model.attention_weights(X[:3])[:, 0, 1]
    for one, P in zip(tokens, weights):
        np.testing.assert_allclose(head.operator(one).toarray(), P, atol=2e-5)
    model.save(tmp_path / "model")
    again = lw.AttentionClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.get_params() == model.get_params()
    start = model.mechanism
    assert start.metric == lw.metrics.Mapped(lw.maps.ResidualMLP()) and start.kernel.temperature == 1
    assert lw.AttentionClassifier.from_mechanism(start).attention == "metric"


def test_files_of_earlier_versions_answer_as_they_did():
    """What was called metric-attention before version 3 loads as what it was, L2 attention; answers stay."""
    data = Path(__file__).parents[1] / "data"
    said = json.loads((data / "metric_attention_of_version_2.json").read_text(encoding="utf-8"))
    model = lw.AttentionClassifier.load(data / "metric_attention_of_version_2.likewise")
    assert model.attention == "l2"
    assert isinstance(model.mechanisms_[0][0].metric, lw.metrics.Mahalanobis)
    np.testing.assert_allclose(model.predict_proba(said["queries"]), said["predict_proba"], atol=1e-6)
    later = json.loads((data / "metric_attention_of_version_3.json").read_text(encoding="utf-8"))
    published = lw.AttentionClassifier.load(data / "metric_attention_of_version_3.likewise")
    assert published.attention == "metric"
    np.testing.assert_allclose(published.predict_proba(later["queries"]), later["predict_proba"], atol=1e-6)
    said_of_4 = json.loads((data / "attention_of_version_4.json").read_text(encoding="utf-8"))
    of_4 = lw.AttentionClassifier.load(data / "attention_of_version_4.likewise")
    np.testing.assert_allclose(
        of_4.predict_proba(said_of_4["queries"]), said_of_4["predict_proba"], atol=1e-6
    )
    context = lw.AttentionClassifier.load(data / "in_context_of_version_2.likewise")
    assert context.attention == "l2"
    np.testing.assert_allclose(context.predict_proba(said["queries"]), said["in_context"], atol=1e-9)
    said_of_5 = json.loads((data / "attention_of_version_5.json").read_text(encoding="utf-8"))
    for name, said_by, atol in (("attention", "predict_proba", 1e-6), ("in_context", "in_context", 1e-9)):
        of_5 = lw.AttentionClassifier.load(data / f"{name}_of_version_5.likewise")
        assert of_5.attention == {"attention": "metric", "in_context": "l2"}[name]
        np.testing.assert_allclose(of_5.predict_proba(said_of_5["queries"]), said_of_5[said_by], atol=atol)
