"""Arms: what lies between self-attention and L2 attention, one step at a time, on the same splits.

    likewise.study.arms.run(out="study-report")

trains five scores of attention from the same seeds, and writes arms.html, arms.csv and arms-summary.csv. On
the command line: likewise study --arms. Everything but the score of the heads is the same, one learning rate
too: a first look, not the search that a verdict needs.
"""

import functools

import numpy as np

import likewise as lw
from likewise import nn
from likewise.study import paired

SHARED = {"embed_dim": 16, "num_heads": 2}
REFERENCE = "dot untied"
NOISE = 0.5  # standard deviations, added to test rows
WRONG = 0.2  # share of the training labels that are drawn anew


def _as_it_is(split, random):
    return split.y_train, split.X_test


def _noisy(split, random):
    return split.y_train, split.X_test + NOISE * random.standard_normal(split.X_test.shape)


def _mislabeled(split, random):
    labels = split.y_train.copy()
    wrong = random.random(len(labels)) < WRONG
    labels[wrong] = random.choice(split.y_train, wrong.sum())
    return labels, split.X_test


QUESTIONS = {
    "as it is": _as_it_is,
    "noisy test rows": _noisy,
    "a fifth of the labels drawn anew": _mislabeled,
}


def _n_parameters():
    return {arm: len(nn.AttentionLayer(**s).flat_parameters) for arm, s in nn.arms(**SHARED).items()}


def _cells(split):
    for arm, settings in nn.arms(**SHARED).items():
        heads = {name: value for name, value in settings.items() if name not in SHARED}
        trained = functools.cache(functools.partial(_train, split, heads))  # by the labels, as bytes
        for asked, change in QUESTIONS.items():
            labels, rows = change(split, np.random.default_rng(split.seed))
            yield arm, asked, *paired.tried(_score, trained, labels, rows, split.y_test)


def _train(split, heads, labels):
    model = lw.AttentionClassifier(
        heads,
        n_tokens=split.n_tokens,
        max_epochs=60,
        learning_rate=3e-3,
        random_state=split.seed,
        **SHARED,
    )
    return model.fit(split.X_train, np.frombuffer(labels, split.y_train.dtype))


def _score(trained, labels, rows, y):
    return trained(labels.tobytes()).score(rows, y)


TABLE = paired.Table(
    "arms",
    "arm",
    "asked",
    tuple(nn.arms(**SHARED)),
    tuple(QUESTIONS),
    REFERENCE,
    _cells,
    about={"noise": NOISE, "n_parameters": _n_parameters()},
)
run = TABLE.run
