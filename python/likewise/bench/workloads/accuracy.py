"""Quality of trained attention: accuracy on digits after the same training as PyTorch's, seed by seed."""

from types import SimpleNamespace

import numpy as np

import likewise as lw
from likewise.bench import peers
from likewise.bench.workload import Comparison, Contender, Workload, likewise_way
from likewise.bench.workloads.training import BATCH, new_model, torch_model
from likewise.study.statistics import interval

RATE, MAX_NORM = 1e-3, 1.0  # the defaults of AttentionClassifier
TEST_SHARE = 0.3


def _seeds(rng, *, n, seeds, epochs):
    """For each seed a split and the batches of all epochs."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    X, y = (array[:n] for array in load_digits(return_X_y=True))
    X = (X / 16).reshape(-1, 8, 8).astype(np.float32)
    runs = []
    for seed in range(seeds):
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=TEST_SHARE, stratify=y, random_state=seed
        )
        orders = [rng.permutation(len(y_train)) for _ in range(epochs)]
        batches = [order[i : i + BATCH] for order in orders for i in range(0, len(order), BATCH)]
        runs.append(
            SimpleNamespace(
                seed=seed, epochs=epochs, train=(X_train, y_train), test=(X_test, y_test), batches=batches
            )
        )
    return runs


def _ours(attention):
    def prepare(runs, threads):
        def run():
            with lw.execution(n_jobs=threads):
                return [_accuracy_of_ours(attention, r) for r in runs]

        return run

    return prepare


def _accuracy_of_ours(attention, run):
    model, (X, y) = new_model(attention, run.seed), run.train
    settings = {
        "task": "classification",
        "learning_rate": RATE,
        "max_norm": MAX_NORM,
        "batch_size": BATCH,
        "max_epochs": run.epochs,
        "batches": [rows.tolist() for rows in run.batches],
    }
    model.train((X, y, None, None, None), None, settings)
    return np.mean(model.outputs(run.test[0]).argmax(axis=1) == run.test[1])


def _theirs(runs, threads):
    return lambda: [_accuracy_of_torch(r) for r in runs]


def _accuracy_of_torch(run):
    import torch
    from torch.nn.functional import cross_entropy

    state = new_model("dot", run.seed).state_dict()
    parameters = {name: torch.from_numpy(part).requires_grad_() for name, part in state.items()}
    optimizer = torch.optim.AdamW(parameters.values(), lr=RATE, fused=True)
    X, y = (torch.from_numpy(part) for part in run.train)
    for rows in run.batches:
        chosen = torch.from_numpy(rows)
        optimizer.zero_grad()
        cross_entropy(torch_model(parameters, X[chosen]), y[chosen]).backward()
        torch.nn.utils.clip_grad_norm_(parameters.values(), MAX_NORM)
        optimizer.step()
    with torch.no_grad():
        found = torch_model(parameters, torch.from_numpy(run.test[0])).argmax(dim=1).numpy()
    return np.mean(found == run.test[1])


def _at_least(ours, theirs, runs):
    """What ours surely lacks: how far the 95 % interval of the paired differences lies below 0."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    mean, low, high = interval(ours - theirs, TEST_SHARE / (1 - TEST_SHARE))
    said = f"accuracy {ours.mean():.4f}, theirs {theirs.mean():.4f}; {mean:+.4f} [{low:+.4f}, {high:+.4f}]"
    return Comparison(float(np.maximum(0.0, -high)), 0.0, f"{said} over {len(ours)} seeds")


def _classifier(attention, words):
    return Workload(
        name=f"accuracy-digits-{attention}",
        group="training",
        title=f"{words} trained on digits: 8 tokens, width 64, 4 heads, batch 64",
        compared="accuracy on the same test rows from the same batches, seed by seed; what ours surely lacks",
        size={"n": 1797, "seeds": 5, "epochs": 60},
        quick={"n": 400, "seeds": 2, "epochs": 2},
        inputs=_seeds,
        contenders=(
            likewise_way(
                _ours(attention), note=f"the model of AttentionClassifier({attention!r}), AdamW, clipped"
            ),
            Contender(
                "PyTorch",
                peers.TORCH,
                _theirs,
                note="the same width and depth, scaled_dot_product_attention, fused AdamW, clipped",
            ),
        ),
        compare=_at_least,
        seconds=150,
    )


WORKLOADS = (_classifier("dot", "self-attention"), _classifier("l2", "L2 attention"))
