# %% [markdown]
# # Metric-attention, L2 and dot: the paper's experiments on your laptop
#
# Ruan and Zhang (2024, arXiv 2412.18288) replace the dot product of attention by a learned distance, and
# report that the network then trains faster, is more accurate and varies less from run to run. **Is it so,
# against what, and what explains it?** You will train the three kinds side by side on the paper's first
# data set, look into the modules before the first step, and then read a study of six data sets with thirty
# seeds each, whose tables lie in this repository.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import make_moons
from sklearn.preprocessing import StandardScaler

import likewise as lw
from likewise import plots
from likewise.study.paper import tables, verdicts

QUICK = bool(os.environ.get("LIKEWISE_QUICK"))  # small sizes, for the tests
ARMS = {"none": "no attention", "dot": "dot", "l2": "L2", "metric": "metric"}
LOOK = {"none": ("#7d8590", ":"), "dot": (plots.CLASS_COLORS[1], "--"), "l2": (plots.CLASS_COLORS[2], "-."),
        "metric": (plots.CLASS_COLORS[0], "-")}  # fmt: skip

# %% [markdown]
# ## Three scores, one module
#
# A module moves each row $h_i$ of a table to a mean of all rows, $h_i \leftarrow \sum_j P_{ij} h_j$ with
# $P_{ij} \propto e^{-c(h_i, h_j)}$. The three kinds differ in the cost alone:
#
# | name | cost $c(h, z)$ | learned |
# |---|---|---|
# | dot | $-\langle Q h, K z \rangle$ | two matrices |
# | L2 | $\lVert W h - W z \rVert^2$ | one matrix |
# | metric | $\lVert \varphi(W h) - \varphi(W z) \rVert^2$ | a matrix and a small network |
#
# with $\varphi(u) = u + W_2 \tanh(W_1 u + b_1) + b_2$.
#
# The network of the experiments is a linear map, two such modules, and a linear map to the classes.

# %%
lw.explain(lw.PropagationClassifier("metric"))


# %% [markdown]
# ## On two moons
#
# 400 rows to learn from and 100 to be asked, noise 0.2, learning rate 0.001, as in the paper. "No
# attention" is the two linear maps without modules: what attention adds is measured from there.


# %%
def moons(seed):
    """Standardized training and asked rows of one seed."""
    X, y = make_moons(500, noise=0.2, random_state=seed)
    scaler = StandardScaler().fit(X[:400])
    return scaler.transform(X[:400]), y[:400], scaler.transform(X[400:]), y[400:]


def network(arm, seed, **options):
    """An untrained estimator of that arm."""
    kind = {"attention": "l2", "n_layers": 0} if arm == "none" else {"attention": arm}
    rates = {"learning_rate": 1e-3, "max_epochs": 60 if QUICK else 1000}
    return lw.PropagationClassifier(**{**kind, **rates, "embed_dim": 10, "random_state": seed, **options})


losses, accuracies = {}, {}
for arm in ARMS:
    for seed in range(2 if QUICK else 3):
        X, y, asked, right = moons(seed)
        model = network(arm, seed).fit(X, y)
        losses.setdefault(arm, []).append(model.history_["loss"])
        accuracies.setdefault(arm, []).append(model.score(asked, right))
pd.DataFrame(accuracies).rename(columns=ARMS).round(2)

# %%
fig, ax = plt.subplots(figsize=(6.5, 3.4))
for arm, curves in losses.items():
    color, line = LOOK[arm]
    ax.plot(np.mean(curves, axis=0), line, color=color, label=ARMS[arm])
ax.set_xlabel("step")
ax.set_ylabel("training loss, mean over seeds")
ax.set_title("Two moons: what is learned at the published learning rate")
ax.legend()
fig.tight_layout()

# %% [markdown]
# ## Before the first step
#
# Three seeds prove little, but they raise a question: what holds dot back? A module can fail before it has
# learned anything. If every row of $P$ is nearly the same, the rows of $H$ become nearly one row, and no
# linear map can take them apart again. Two numbers show it: how many keys a row hears (the perplexity of
# its weights), and the share of the variance of the rows of $H$ that two modules leave.


# %%
def at_the_start(arm, seed):
    """(perplexity of rows of P in the first module, share of variance that is left, P) before training."""
    X, y, _, _ = moons(seed)
    fresh = network(arm, seed, max_epochs=1, learning_rate=1e-12).fit(X, y).network_
    fresh.forward(X)
    P = fresh.attention_weights(0)[0]
    perplexity = np.exp(-(P * np.log(np.maximum(P, 1e-300))).sum(axis=1)).mean()
    return perplexity, fresh.hidden(-1).var(axis=0).sum() / fresh.hidden(0).var(axis=0).sum(), P


starts = {arm: at_the_start(arm, 0) for arm in ("dot", "l2", "metric")}
pd.DataFrame(
    {
        ARMS[arm]: {"keys heard, of 400": round(hears, 1), "variance left": f"{left:.1g}"}
        for arm, (hears, left, _) in starts.items()
    }
).T

# %%
order = np.argsort(moons(0)[0][:, 0])
fig, axes = plt.subplots(1, 3, figsize=(9, 3.3))
for ax, (arm, (_, left, P)) in zip(axes, starts.items()):
    ax.imshow(P[np.ix_(order, order)], cmap="Greys", vmin=0, vmax=np.quantile(starts["metric"][2], 0.99))
    ax.set_title(f"{ARMS[arm]}: {left:.1g} of the variance left")
    ax.set_xlabel("key, from left to right")
axes[0].set_ylabel("query, from left to right")
fig.suptitle("Who hears whom before the first step (one gray scale)")
fig.tight_layout()

# %% [markdown]
# Under the dot product with the usual random start nearly everybody hears everybody; a distance is 0 from a
# row to itself, so a row always hears its neighbors most. That is a property of the start as much as of the
# score.

# %% [markdown]
# ## The study
#
# `likewise study --paper` trains these arms on six data sets with 30 seeds, first at the published learning
# rates, then at a rate that is chosen for each arm on rows held out from the training, then with every
# choice that the paper leaves open turned alone. It takes more than an hour; its tables are read here.

# %%
folder = Path("..") / "docs" / "measured" / "paper"
found = {name: tables.read(folder, name) for name in tables.FILES}
summary = tables.summary(found["cells"])
about = dict(zip(found["about"]["name"], found["about"]["value"]))
print("run on", about["date"], "with", len(found["cells"]), "rows of results")
chosen = summary[(summary["stage"] == "chosen") & (summary["choice"] == "")]
chosen.pivot(index="experiment", columns="arm", values="accuracy")[list(ARMS)].rename(columns=ARMS).round(3)

# %% [markdown]
# That is the accuracy on asked rows at the rate chosen for each arm. Differences are paired by seed, so
# their intervals are narrower than the spread of the accuracies; a marker is filled where the difference is
# clear after Holm's correction over the data sets.


# %%
def differences(measure, against, stage):
    """Metric minus another arm on each data set, with 95 % intervals."""
    of = found["comparisons"]
    kept = (of["measure"] == measure) & (of["arm"] == "metric") & (of["against"] == against)
    return of[kept & (of["stage"] == stage) & (of["choice"] == "")].set_index("experiment")


fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
for ax, against in zip(axes, ("dot", "l2")):
    for shift, (stage, name) in enumerate({"paper": "published rate", "chosen": "chosen rate"}.items()):
        rows = differences("accuracy", against, stage)
        places = np.arange(len(rows)) + 0.25 * shift
        color = plots.CLASS_COLORS[shift]
        ax.hlines(places, rows["low"], rows["high"], color=color)
        face = np.where(rows["holm"] < 0.05, color, "white")
        ax.scatter(
            rows["difference"], places, c=face, edgecolor=color, marker="os"[shift], zorder=3, label=name
        )
    ax.axvline(0, color="gray", linewidth=1)
    ax.set_xlabel("accuracy of metric minus " + ARMS[against])
    ax.set_title(f"Against {ARMS[against]}")
axes[0].set_yticks(np.arange(len(rows)) + 0.12, rows.index)
axes[0].legend(fontsize=8)
fig.tight_layout()

# %% [markdown]
# ## The verdicts
#
# Each of the three claims is judged against dot, against L2 and against no attention at all, in both
# settings. The words are made from the tables.

# %%
said = [of for of in verdicts.verdicts(found["comparisons"], summary) if of.stage == "chosen"]
pd.set_option("display.max_colwidth", None)
pd.DataFrame({"claim": of.claim, "against": ARMS[of.against], "at chosen rates": of.word} for of in said)

# %% [markdown]
# And what explains the difference from dot: other arms change one thing at a time. `dot_phi` is a dot
# product of $\varphi$'s, `dot_identity` starts dot at the identity, `none` has no attention.

# %%
of = found["comparisons"]
asked_of = (of["measure"] == "accuracy") & (of["against"] == "dot") & (of["stage"] == "chosen")
by_arm = of[asked_of & (of["choice"] == "")].pivot(index="experiment", columns="arm", values="difference")
by_arm = by_arm[differences("accuracy", "dot", "chosen")["holm"] < 0.05]
shares = by_arm[["none", "dot_identity", "dot_phi", "l2"]].div(by_arm["metric"], axis=0).round(2)
shares.insert(0, "metric minus dot", by_arm["metric"].round(3))
shares.sort_values("metric minus dot", ascending=False)

# %% [markdown]
# The first column is the difference to be explained, a gain or a loss. The others are the share of it that
# an arm has as well: 1 says that the whole of it is there without the rest of what makes metric-attention,
# more than 1 that this arm alone gains, or loses, more, less than 0 that it goes the other way. The full
# report, with curves, rates and open choices, is made by `likewise study --paper`.

# %% [markdown]
# ## Exercises
#
# ### Exercise 1
#
# Is it the start? Train dot on the moons from queries and keys that begin as the identity (copy `np.eye`
# into both halves of `layers.*.in_proj_weight` of an untrained network with `load_state_dict`), and look at
# the variance that is left before the first step.

# %% tags=["hide-cell"] jupyter={"source_hidden": true}
# Solution of exercise 1
X, y, asked, right = moons(0)
fresh = network("dot", 0, max_epochs=1, learning_rate=1e-12).fit(X, y).network_
state = {
    name: np.vstack([np.eye(10), np.eye(10)]) if name.endswith("in_proj_weight") else part
    for name, part in fresh.state_dict().items()
}
for start in (fresh.state_dict(), state):
    fresh.load_state_dict(start)
    fresh.forward(X)
    print(f"variance left: {fresh.hidden(-1).var(axis=0).sum() / fresh.hidden(0).var(axis=0).sum():.1g}")

# %% [markdown]
# ### Exercise 2
#
# A residual connection, $h_i \leftarrow h_i + \sum_j P_{ij} h_j$, keeps what a module would smooth away.
# Give it to dot (`residual=True`) and compare its accuracy on the moons with the table above.

# %% tags=["hide-cell"] jupyter={"source_hidden": true}
# Solution of exercise 2
with_residual = []
for seed in range(2 if QUICK else 3):
    X, y, asked, right = moons(seed)
    with_residual.append(network("dot", seed, residual=True).fit(X, y).score(asked, right))
print("dot:", np.round(accuracies["dot"], 2), "with a residual connection:", np.round(with_residual, 2))
