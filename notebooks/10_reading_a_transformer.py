# %% [markdown]
# # Reading a real transformer: what its attention heads are made of
#
# Attention is one mechanism among those of this library: a metric, a kernel, key weights. A trained
# transformer was never told so. Which of these parts do its heads use, and does anything of the model
# survive if each head is replaced by a single one of them?
#
# You will split the scores of one head exactly into four parts, say what each is worth beside what it would
# be worth by chance, see all 72 heads of a small sentence encoder, replace them, take a metric out of one
# and use it elsewhere, and test a law of the theory that turns out not to hold there.

# %%
import os
import tempfile

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

import likewise as lw
from likewise import heads, kernels, plots

QUICK = bool(os.environ.get("LIKEWISE_QUICK"))  # small sizes, for the tests
COLORS = {"sink": "#b4bac4", "keys": "#d9822b", "metric": "#2f6fb0", "repulsion": "#a34c9f",
          "transport": "#3f9b57"}  # fmt: skip
PARTS = list(COLORS)[1:]
texts = heads.default_texts()[: 32 if QUICK else 100]  # 30 are the least that tell position
try:
    model = heads.read_transformer("all-MiniLM-L6-v2", texts)
    print("This is all-MiniLM-L6-v2, a trained encoder of sentences.")
except ModuleNotFoundError as missing:
    model = heads.read_transformer(heads.tiny_transformer(tempfile.mkdtemp(), texts), texts)
    print(missing)
    print("So this run reads a tiny RANDOM transformer: each cell runs, but what the text says of trained")
    print("heads is not to be seen in its numbers.")
n_tokens = np.mean([len(model.tokens(t)[0]) for t in range(len(texts))])
print(f"{len(model.heads)} heads read on {len(texts)} sentences of {n_tokens:.1f} tokens, such as")
print("   ", *texts[2:5], sep="\n    ")

# %% [markdown]
# Texts are needed: what a head does cannot be told from its weights alone. The sentences are everyday ones,
# written for this library; every number below belongs to them.
#
# ## One head's scores are four parts
#
# A head scores each pair of tokens, $S_{ij} = q_i \cdot k_j / \sqrt d$, and softmax over $j$ makes weights of
# it. Take away what softmax does not see, the mean of each row, and call the mean of each column $c_j$. What
# is left has a symmetric part, which is one positive matrix less another, and an antisymmetric part $T$.
# Sorted by what they do,
#
# $$S_{ij} = \underbrace{\log r_j}_{\text{keys}}\ \underbrace{-\, D^P_{ij}/2}_{\text{metric}}\
# \underbrace{+\, D^N_{ij}/2}_{\text{repulsion}}\ \underbrace{+\, T_{ij}}_{\text{transport}}
# \quad +\ \text{a constant of row } i.$$
#
# $r_j$ says how loudly token $j$ speaks to all. $D^P$ and $D^N$ are squared Euclidean distances between the
# tokens: the first draws what is near together, as a Gaussian kernel does, the second is one that favors what
# is far. $T$ says that $i$ looks at $j$ more than $j$ at $i$, which no distance can.
#
# Special tokens ([CLS], [SEP]) are set aside first: they are louder than all words, and would swamp the rest.
# Two heads are shown: the one that is most a metric, and the one that looks most at the token before.

# %%
of_content = {place: head.metric_nats for place, head in model.heads.items() if head.position_share < 0.5}
METRIC = max(of_content, key=of_content.get)
SECOND = sorted(of_content, key=of_content.get)[-2]
BEFORE = max(model.heads, key=lambda place: model.heads[place].offset[-1])
TEXT = 2
tokens, special = model.tokens(TEXT)
words = [token for token, is_special in zip(tokens, special) if not is_special]


def without_row_means(S):
    return S - S.mean(axis=1, keepdims=True)


def parts_of(split):
    """The four parts as matrices."""
    keys = np.broadcast_to(split.log_key_weight, split.metric.shape)
    return dict(zip(PARTS, (keys, split.metric, split.repulsion, split.transport)))


fig, axes = plt.subplots(2, 5, figsize=(13, 5.4), sharex=True, sharey=True, layout="constrained")
for row, place in zip(axes, (METRIC, BEFORE)):
    S = model.scores(place, TEXT)[np.ix_(~special, ~special)]
    split = heads.split_scores(S)
    parts = parts_of(split)
    gap = abs(without_row_means(sum(parts.values())) - without_row_means(S)).max()
    assert gap < 1e-12
    again = heads.split_scores(S - np.log(np.exp(S).sum(axis=1, keepdims=True)))  # of log weights
    assert np.allclose(again.distance, split.distance, atol=1e-10)
    print(f"head {place[0]}.{place[1]}: the parts sum to the scores, largest difference {gap:.0e}")
    shown = {"scores": S, **parts}
    shown = {name: without_row_means(matrix) for name, matrix in shown.items()}
    top = abs(shown["scores"]).max()
    for ax, (name, matrix) in zip(row, shown.items()):
        image = ax.imshow(matrix, cmap="RdBu_r", vmin=-top, vmax=top)
        ax.set_title(
            f"{name}" if name == "scores" else f"{'=' if name == 'keys' else '+'} {name}", fontsize=11
        )
        ax.set_xticks(range(len(words)), words, rotation=90, fontsize=7)
        ax.set_yticks(range(len(words)), words, fontsize=7)
    row[0].set_ylabel(f"head {place[0]}.{place[1]}\ntoken that asks")
    fig.colorbar(image, ax=row, label="nats", shrink=0.8)
fig.suptitle("Two heads on one sentence: a metric, and a step to the token before")
plt.show()

# %% [markdown]
# Each matrix is shown without its row means. In the upper row the metric is nearly all: a word is nearest to
# itself, and "the", "the" and the full stop are near to one another. In the lower row the scores have a
# bright stripe beside the diagonal, the token before. The metric brings the neighborhood, both sides alike;
# that it is the token before and not the one after, only transport can say.
#
# As the split does not see constants of rows, log attention weights would do as well as scores (the last
# assertion); so would any $k + c$, or $k/10$ with $10\, q$.
#
# **Pitfall.** Do not ask how asymmetric $S$ itself is. A matrix whose columns differ, all rows alike, has no
# transport at all, and yet half of it is antisymmetric. So it is centered first.

# %%
popularity = np.tile(np.random.default_rng(0).normal(size=12), (12, 1))
raw = ((popularity - popularity.T) ** 2).sum() / 4 / (without_row_means(popularity) ** 2).sum()
energy = heads.split_scores(popularity).energy
print(f"popular keys only: raw antisymmetric share {raw:.2f}, transport after centering "
      f"{energy['transport'] / sum(energy.values()):.0e}")  # fmt: skip

# %% [markdown]
# ## What each part is worth
#
# How big a part looks is not what it does. The scale for that is **nats**: how far the weights of a row are
# from uniform, $\log n - H(w_i)$, on average. It is one sum over rows, and it parts exactly: first into what
# the special tokens get (the **sink**) and what happens among words; then, among words, into the four parts,
# each counted by what it adds to the others, averaged over all orders in which parts can be added (Shapley).

# %%
nats = n_rows = 0
for t in range(len(texts)):
    of_words = ~model.tokens(t)[1]
    S = model.scores(METRIC, t)
    log_weights = (S - np.log(np.exp(S).sum(axis=1, keepdims=True)))[of_words]
    nats += (np.log(len(S)) + (np.exp(log_weights) * log_weights).sum(axis=1)).sum()
    n_rows += len(log_weights)
head = model.heads[METRIC]
worth = {part: getattr(head, f"{part}_nats") for part in COLORS}
assert abs(nats / n_rows - head.nats) < 1e-10 and abs(sum(worth.values()) - head.nats) < 1e-10
print(f"log n - H, by hand: {nats / n_rows:.4f}; the five parts sum to {sum(worth.values()):.4f}")
print()
print(head.equation())

# %% [markdown]
# In brackets is the **null**: the same number where queries are turned at random against the keys. The clouds
# of queries and of keys stay as they are, and which direction meets which is forgotten. It is not 0: data lie
# in few directions, so even random heads have some of every part. Under the null a part of 0.05 nats is
# nothing, and a reciprocity (symmetric less antisymmetric, as a share) of 0.1 is what chance gives.
# The popularity of keys does not depend on which direction meets which, so the rotation leaves most of it:
# for keys read the number itself.
#
# Below: four heads, each beside its null, and where the sink comes from.

# %%
SINK = max(model.heads, key=lambda place: model.heads[place].sink_nats)
KEYED = max(model.heads, key=lambda place: model.heads[place].keys_nats)
fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4), width_ratios=(1, 1.5), layout="constrained")
S = model.scores(SINK, TEXT)
left.imshow(np.exp(S) / np.exp(S).sum(axis=1, keepdims=True), cmap="Greys", vmin=0, vmax=1)
left.set_xticks(range(len(tokens)), tokens, rotation=90, fontsize=7)
left.set_yticks(range(len(tokens)), tokens, fontsize=7)
left.set(title=f"Weights of head {SINK[0]}.{SINK[1]}: parked on one token", ylabel="token that asks")
roles = {"sink": SINK, "key weights": KEYED, "metric": METRIC, "one before": BEFORE}
for y, place in enumerate(roles.values()):
    head = model.heads[place]
    measured = {part: getattr(head, f"{part}_nats") for part in COLORS}
    null = {part: head.null[f"{part}_nats"][0] for part in COLORS}
    for numbers, shift, height, alpha in ((measured, -0.13, 0.36, 1), (null, 0.2, 0.18, 0.5)):
        start = 0
        for part, color in COLORS.items():
            width, label = max(numbers[part], 0), part if y == 0 and alpha == 1 else None
            right.barh(y + shift, width, height, left=start, color=color, alpha=alpha, label=label)
            start += width
right.set_yticks(range(len(roles)), [f"{h[0]}.{h[1]}, {role}" for role, h in roles.items()])
right.invert_yaxis()
right.set(
    xlabel="nats from uniform (parts below 0 left out)",
    title="Four heads; thin and pale below each: its null",
)
right.legend(fontsize=8)
plt.show()
values = model.sink_values()
sinks = [place for place, h in model.heads.items() if h.sink_mass > 0.5]
print(f"head {SINK[0]}.{SINK[1]}: {model.heads[SINK].sink_mass:.0%} of the mass on special tokens", end=", ")
print(f"|v| there {values[SINK]:.1%} of the mean |v| of words")
print(f"heads with most of their mass there: {len(sinks)}", end="")
print(f"; median |v| there {np.median([values[place] for place in sinks]):.1%}" if sinks else "")

# %% [markdown]
# The sink is a token with next to no value. A weight on nothing is a number added to the denominator of
# softmax: a head that finds nothing to say moves its mass there and writes little. In the equation it is a
# null mass in $l_i$, not a message.
#
# **Pitfall.** The size of a part (its *energy*, the squares of its matrix) is not its effect. Here are both,
# with *fidelity*: the share of the variance of what the head writes that is left if only some parts make its
# weights (the null is uniform weights; it can be far below 0).

# %%
rows = {}
for role, place in roles.items():
    head = model.heads[place]
    for part in ("keys", "metric", "repulsion", "transport"):
        rows[f"{place[0]}.{place[1]}, {role}", part] = {
            "energy": f"{head.energy[part]:.0%}",
            "nats": round(getattr(head, f"{part}_nats"), 2),
            "null": round(head.null[f"{part}_nats"][0], 2),
        }
both = pd.DataFrame(rows).T.unstack()
before = model.heads[BEFORE]
print(f"head {BEFORE[0]}.{BEFORE[1]}: metric has {before.energy['metric']:.0%} of the energy", end=" ")
print(f"and {before.metric_nats:.2f} nats [{before.null['metric_nats'][0]:.2f}]")
of_metric = model.heads[METRIC].fidelity
for name in ("uniform", "keys", "metric", "keyed_metric", "symmetric"):
    print(f"head {METRIC[0]}.{METRIC[1]}, fidelity of {name:<12} {of_metric[name]:6.2f}")
both.swaplevel(axis=1).sort_index(axis=1)[["keys", "metric", "repulsion", "transport"]]

# %% [markdown]
# The head that looks one token back has four tenths of its energy in a metric, which is worth less than it
# would be by chance. Its energy only lifts both neighbors over the rest; that the one *before* is meant is
# what counts, and transport says it.
#
# ## All heads
#
# A cell for each head: a bar of its nats by parts, in a frame with its label. *Diffuse* is a head whose nats
# among words are below 0.25; *position* one whose scores are told by positions for more than a half (an
# analysis of variance of queries and keys); else the label is the largest of the four parts.

# %%
fig = model.plot()
fig.set_dpi(80)
fig

# %%
labels = pd.DataFrame({"layer": layer, "label": head.mechanism} for (layer, _), head in model.heads.items())
print(pd.crosstab(labels["layer"], labels["label"]).to_string())
layers = sorted({layer for layer, _ in model.heads})
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 3.4), layout="constrained")
offsets = list(before.offset)
left.bar(
    offsets, list(before.offset.values()), color=COLORS["transport"], label=f"head {BEFORE[0]}.{BEFORE[1]}"
)
by_chance = [before.null[f"offset{k}"][0] for k in offsets]
left.step(offsets, by_chance, where="mid", color="black", label="null")
left.set(
    xlabel="which token is looked at, counted from the one that asks",
    ylabel="mean weight among words",
    xticks=offsets,
)
left.set_title(f"Head {BEFORE[0]}.{BEFORE[1]} looks one token back")
left.legend(fontsize=8)
start = np.zeros(len(layers))
for part in PARTS:
    sums = [
        sum(getattr(h, f"{part}_nats") for (of, _), h in model.heads.items() if of == layer)
        for layer in layers
    ]
    alls = [sum(h.content_nats for (of, _), h in model.heads.items() if of == layer) for layer in layers]
    share = np.array(sums) / alls
    right.bar(layers, share, bottom=start, color=COLORS[part], label=part)
    start += share
    print(f"{part:<9} share of the nats among words, by layer:", *(f"{s:.2f}" for s in share))
right.set(xlabel="layer", ylabel="share of the nats among words", xticks=layers)
right.set_title("The last layer is nearly all key weights")
right.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# There is a story from left to right. The first layers look at places: one head copies the token before
# almost without fail. In layers 1 and 2 metrics have their largest share, in part metrics of places. The last
# layer is about which words count, whoever asks. Only four heads of 72 are metric kernels first of all, and
# with the first of them, 1.1, nearly all of the nats among words are its metric's.
#
# ## Replace all heads by one mechanism
#
# What a head is made of, and what the model needs of it, are two questions. So: in every layer the weights of
# all heads become those of one mechanism, computed anew from the states that the replaced layers before have
# left, and the sentences are embedded again. Three numbers say what survives: the mean cosine of the
# sentences' embeddings with the model's own, the same of each token's last state, and the rank correlation
# (Spearman) of all similarities between sentences. The floor is `none`: each head writes its mean output,
# whatever the text. It is far from 0, as embeddings of any sentences have much in common.

# %%
NAMES = {
    "null_key": "[CLS], [SEP] have value 0", "top8": "the 8 largest weights",
    "linear": "first order in scores",
    "keyed_fixed": "key weights, scores of positions", "symmetric": "all but transport",
    "keys": "key weights", "keyed_metric": "key weights and metric", "fixed": "scores of positions",
    "no_sink": "[CLS], [SEP] are no keys", "uniform": "all tokens alike", "metric": "metric alone",
    "none": "no attention (the floor)",
}  # fmt: skip
ablations = {name: model.ablate(name, per_layer=False) for name in NAMES}
survives = pd.DataFrame(
    {NAMES[name]: [a.cosine, a.token_cosine, a.spearman] for name, a in ablations.items()},
    index=["cosine", "token cosine", "Spearman"],
).T
survives.sort_values("Spearman", ascending=False).round(3)

# %%
ranked = survives.sort_values("Spearman")
floor = survives.loc[NAMES["none"]]
fig, ax = plt.subplots(figsize=(8.5, 4.4), layout="constrained")
for (name, color), marker in zip(zip(survives, ("#b4bac4", "#2f6fb0", "#d9822b")), "osD"):
    ax.plot(ranked[name], range(len(ranked)), marker, color=color, label=name)
    ax.axvline(floor[name], color=color, linestyle=":", linewidth=1.2)
ax.set_yticks(range(len(ranked)), ranked.index)
ax.set(xlabel="agreement with the model as it is (dotted: the floor of each)")
ax.set_title("Eight neighbors suffice; a metric alone is below the floor")
ax.legend(fontsize=8, loc="lower right")
ax.grid(axis="y", alpha=0.3)
plt.show()

# %% [markdown]
# * **A metric alone destroys the model**: it ends below no attention at all. Key weights alone, one number
#   for each token whoever asks, keep most of it; and to give them the metric without the rest makes it worse,
#   not better. A metric kernel weighs each token most for itself; with repulsion beside it (all but
#   transport) the model is back.
# * **Neighbors suffice**: eight tokens for each token, the weights of all others 0.
# * **The sink is a null key**: with the value of special tokens set to 0 next to nothing changes. But without
#   them as keys, their mass falls on words, and the model is gone.
#
# **Pitfalls.** Cosine is forgiving: read the other two beside it. And a head that is replaced takes its sink
# along: `metric` above moved the mass of special tokens, too. With `special="kept"` they keep their weights,
# and only what happens among words is replaced.

# %%
kept = {
    name: model.ablate(name, special="kept", per_layer=False)
    for name in ("uniform", "metric", "keyed_metric")
}
pd.DataFrame(
    {
        NAMES[name]: {
            "Spearman, all replaced": ablations[name].spearman,
            "Spearman, special kept": a.spearman,
            "no attention": floor["Spearman"],
        }
        for name, a in kept.items()
    }
).T.round(3)

# %% [markdown]
# So much of the harm was the sink's. But also with it in place a metric alone is no better than weighing all
# words alike: what is near and what counts are different questions.
#
# ## Take a metric out of the model
#
# A metric kernel is a slot, and a slot can be used elsewhere. `head.metric()` gives the head's metric as a
# `Mahalanobis` of states of its layer, $(x - z)^T M (x - z)$ with $M$ of rank 32 at most. Here a point is a
# word: its mean state over all places where it stands. The nearest words, by the head and by a Euclidean
# distance of the same states:

# %%
vocabulary, X = model.words(METRIC[0])
asked = [word for word in ("from", "than", "were", "before", "could", "every", "she") if word in vocabulary]


def nearest(word, metric, points, k=5):
    """The k words nearest to a word."""
    search = lw.NearestNeighbors(n_neighbors=k + 1, metric=metric).fit(points)
    indices = search.kneighbors(points[[vocabulary.index(word)]], return_distance=False)[0]
    return ", ".join([vocabulary[j] for j in indices if vocabulary[j] != word][:k])


metric = model.heads[METRIC].metric()
print(
    f"{len(vocabulary)} words of {X.shape[1]} numbers; {type(metric).__name__} of rank {len(metric.factor)}"
)
ways = {f"head {METRIC[0]}.{METRIC[1]}": metric, "Euclidean": "euclidean"}
pd.set_option("display.max_colwidth", None)
pd.DataFrame({name: {word: nearest(word, way, X) for word in asked} for name, way in ways.items()})

# %% [markdown]
# The head sorts words by the part they play in a sentence. Is that so, or were the examples chosen well? Four
# kinds of words, written down before looking, and a nearest-neighbor classifier that must tell each word's
# kind by the other words:

# %%
KINDS = {
    "prepositions": "from with between without to by in of for on at under above into over across along "
    "through behind near beside inside below against around toward down up off",
    "verbs be, have, can": "was were is are been be had has have can could would will may must did do does",
    "pronouns": "she he it they we i her his him my our their them us you its who nobody everyone anyone",
    "conjunctions": "and but or because although while when until before after since if than as that",
}
kind_of = {word: kind for kind, listed in KINDS.items() for word in listed.split() if word in vocabulary}
places, kinds = [vocabulary.index(word) for word in kind_of], np.array(list(kind_of.values()))


def told(points, metric):
    """Share of words whose nearest other word is of their kind."""
    search = lw.NearestNeighbors(n_neighbors=2, metric=metric).fit(points)
    indices = search.kneighbors(points, return_distance=False)
    other = np.where(indices[:, 0] == np.arange(len(points)), indices[:, 1], indices[:, 0])
    return np.mean(kinds[other] == kinds)


states = {layer: model.words(layer)[1][places] for layer in layers}
of_heads = {place: told(states[place[0]], head.metric()) for place, head in model.heads.items()}
counts = pd.Series(kinds).value_counts()
by_chance = sum(counts * (counts - 1)) / (len(kinds) * (len(kinds) - 1))
fig, (left, right) = plt.subplots(1, 2, figsize=(13, 5), width_ratios=(1.35, 1), layout="constrained")
plane = PCA(2, random_state=0).fit_transform(states[METRIC[0]] @ metric.factor.T)
for kind, color in zip(KINDS, plots.CLASS_COLORS):
    for j in np.flatnonzero(kinds == kind):
        left.text(*plane[j], vocabulary[places[j]], color=color, fontsize=8, ha="center", va="center")
    left.plot([], [], "s", color=color, label=kind)
low, high = plane.min(axis=0), plane.max(axis=0)
margin = 0.06 * (high - low)
left.set(xlim=(low[0] - margin[0], high[0] + margin[0]), ylim=(low[1] - margin[1], high[1] + margin[1]))
left.set(
    xticks=[],
    yticks=[],
    title=f"{len(kinds)} words as head {METRIC[0]}.{METRIC[1]} sees them (two main axes)",
)
left.legend(fontsize=8)
for layer in layers:
    shares = [share for (of, _), share in of_heads.items() if of == layer]
    right.plot([layer] * len(shares), shares, "o", color="#b4bac4", label="each head" if layer == 0 else None)
euclidean = {layer: told(states[layer], "euclidean") for layer in layers}
rng, rank = np.random.default_rng(0), len(metric.factor)
at_random = {
    layer: [told(x, lw.metrics.Mahalanobis(rng.normal(size=(rank, x.shape[1])))) for _ in range(20)]
    for layer, x in states.items()
}
look = {"markersize": 22, "markeredgewidth": 2}
right.plot(layers, list(euclidean.values()), "_", color="black", label="Euclidean, same states", **look)
right.plot(layers, [np.mean(at_random[layer]) for layer in layers], "_", color=COLORS["keys"],
           label=f"null: {rank} random directions", **look)  # fmt: skip
for place in (METRIC, SECOND):
    right.plot(place[0], of_heads[place], "o", color=COLORS["metric"])
    right.annotate(f" {place[0]}.{place[1]}", (place[0], of_heads[place]), fontsize=9)
right.axhline(by_chance, color="black", linestyle=":", label="by chance")
right.set(xlabel="layer", ylabel="nearest word is of the same kind", xticks=layers, ylim=(0, 1))
right.set_title("Who tells the kinds of words apart?")
right.legend(fontsize=8, loc="lower right")
plt.show()
for place in (METRIC, SECOND):
    print(f"head {place[0]}.{place[1]}: {of_heads[place]:.0%} of {len(kinds)}; in that layer Euclidean "
          f"{euclidean[place[0]]:.0%}, random directions {np.mean(at_random[place[0]]):.0%} "
          f"+- {np.std(at_random[place[0]]):.0%}; by chance {by_chance:.0%}")  # fmt: skip
best = max(of_heads, key=of_heads.get)
print(f"best of all heads: {best[0]}.{best[1]}, {model.heads[best].mechanism}, with {of_heads[best]:.0%}")

# %% [markdown]
# The examples were no accident: by the metric of 1.1 nine of ten words have a nearest word of their kind,
# more than in as many random directions. But the Euclidean distance of the same states does at least as well,
# with twelve times as many numbers. **The head has not invented this metric; it reads off, in few directions,
# what the states hold.** Nor is a label all there is to a head: the best one here is called diffuse, and
# hardly uses its metric. Seventy words are few; differences of some percent are not to be trusted.
#
# ## Does the law of drift and diffusion carry over?
#
# The [notebook before](09_drift_diffusion_heat.ipynb) found that a narrow kernel step moves each point along
# $\nabla \log p$, to where points are dense. It is tempting to test a trained layer by it: take the tokens of
# a sentence as points, $\nabla \log p$ from a kernel density, and correlate it with where attention moves
# them. First with weights that know nothing, all $1/n$:

# %%
cloud = X - X.mean(axis=0)
step = lw.Mechanism(metric="sqeuclidean", kernel=kernels.Gaussian("median"))
to_dense = step.operator(cloud) @ cloud - cloud  # h^2 grad log p
to_mean = -cloud  # where uniform weights move a point
correlation = np.corrcoef(to_dense.ravel(), to_mean.ravel())[0, 1]
print(f"{len(X)} words: uniform weights and grad log p correlate {correlation:.3f}")
found = pd.DataFrame([vars(drift) for drift in model.drift()]).set_index("layer")
print(found.mean().round(3).to_string())

# %%
rng = np.random.default_rng(0)
shown = rng.choice(len(X), min(60, len(X)), replace=False)
axes_of = PCA(2, random_state=0).fit(cloud)
at, dense, mean = (axes_of.transform(points + axes_of.mean_) for points in (cloud, to_dense, to_mean))
fig, (left, right) = plt.subplots(1, 2, figsize=(13, 4.2), layout="constrained")
for arrows, color, width, label in (
    (mean, "#c3c8d0", 0.009, "uniform weights, to the mean (shortened)"),
    (dense, COLORS["metric"], 0.003, "grad log p (shortened)"),
):
    left.quiver(*at[shown].T, *(0.35 * arrows[shown]).T, color=color, width=width, angles="xy",
                scale_units="xy", scale=1, label=label)  # fmt: skip
left.set(xticks=[], yticks=[], title="The drift of words is the pull to the mean")
left.legend(fontsize=8)
LINES = {
    "uniform": ("uniform weights", "#7d8590", ":"),
    "weights": ("weights of the layer", COLORS["keys"], "-"),
    "weights_corrected": ("the same, corrected", COLORS["keys"], "--"),
    "written": ("what the layer writes", COLORS["metric"], "-"),
    "written_corrected": ("the same, corrected", COLORS["metric"], "--"),
}
for name, (label, color, line) in LINES.items():
    right.plot(found.index, found[name], line, marker=".", color=color, label=label)
right.axhline(0, color="black", linewidth=0.8)
right.set(xlabel="layer", ylabel="correlation with grad log p", xticks=layers, ylim=(-0.3, 1.1))
right.set_title("Corrected: something of weights, nothing of what is written")
right.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# Uniform weights pass this test with full marks, so it tests nothing. In hundreds of dimensions all points
# are about as far from each other, the density is a broad hill, and its gradient points to the mean; any
# weights pull there too. `Drift` therefore takes the mean over rows and the pull to the mean out of both
# fields first. Of the weights something is left: they do lean toward what is similar. Of what the layer
# *writes*, after values and output map, nothing is: a correlation of about 0.02. **The law does not carry
# over to these trained layers.** It is one of identity values and a narrow symmetric kernel; a trained layer
# has neither.
#
# ## Answer
#
# The scores of any head split exactly into key weights, metric, repulsion and transport. In this encoder the
# largest share of all nats is mass parked on tokens without a value. Among words, early heads look at places,
# the next compare words, the last weigh them. A few heads are metric kernels, whose metric can be taken
# out and used. No one part is the model: key weights alone keep most of it, a metric alone nothing. Eight
# neighbors for each token are enough. All of it is read on a hundred short sentences of one small model.
#
# The split and the Shapley nats are this library's. Prior work: Saponati et al. 2025 (arXiv 2502.10927, the
# symmetry of weights), Jamil and Kapadia 2026 (2605.18826, routing and filtering), Clark et al. 2019 (special
# tokens), Kobayashi et al. 2020 (norms of values). On your own model: `likewise explain DIR`, or
# `heads.read_head` on scores of any other; under a causal mask give the scores before the mask, as half of
# them is else undefined.
#
# ## Exercises
#
# ### Exercise 1
#
# Are nats a property of a head? Join the sentences three at a time (`" ".join(...)`), read the layer of the
# metric head again (`layers=`), and compare nats and their shares. What may be compared between texts of
# different length?

# %% tags=["hide-cell"] jupyter={"source_hidden": true}
# Solution of exercise 1
path = model.path
joined = [" ".join(texts[t : t + 3]) for t in range(0, len(texts) - 2, 3)]
longer = heads.read_transformer(path, joined, layers=METRIC[0])
for name, read in (("one by one", model), ("three a text", longer)):
    head = read.heads[METRIC]
    length = np.mean([len(read.tokens(t)[0]) for t in range(len(read.texts))])
    print(f"{name:<13} {length:.0f} tokens: {head.nats:.2f} nats, metric {head.metric_nats:.2f} "
          f"[{head.null['metric_nats'][0]:.2f}], {head.metric_nats / head.content_nats:.0%} of those among "
          f"words; mass on special tokens {head.sink_mass:.2f}")  # fmt: skip
# Nats grow with the number of tokens, as there is more to choose from; so does the null. Shares may be
# compared, or numbers on the same texts.

# %% [markdown]
# ### Exercise 2
#
# Tokens on a circle at angles $\theta_i$, and a head that asks for what lies an angle $\varphi$ further:
# $S_{ij} = 3 \cos(\theta_j - \theta_i - \varphi)$. For which $\varphi$ is it a metric, a repulsion,
# transport? Find the energies from $\cos(a - b) = \cos a \cos b + \sin a \sin b$, then measure them.

# %% tags=["hide-cell"] jupyter={"source_hidden": true}
# Solution of exercise 2
theta = 2 * np.pi * np.arange(40) / 40
turns = np.linspace(0, np.pi, 25)
shares = []
for phi in turns:
    energy = heads.split_scores(3 * np.cos(theta[None, :] - theta[:, None] - phi)).energy
    shares.append([energy[part] / sum(energy.values()) for part in PARTS])
shares = np.array(shares)
expected = [0 * turns, np.where(np.cos(turns) > 0, np.cos(turns) ** 2, 0),
            np.where(np.cos(turns) < 0, np.cos(turns) ** 2, 0), np.sin(turns) ** 2]  # fmt: skip
assert np.allclose(shares.T, expected, atol=1e-12)
_, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for part, share in zip(PARTS, shares.T):
    ax.plot(np.degrees(turns), share, color=COLORS[part], label=part)
ax.set(xlabel="φ in degrees", ylabel="share of the energy", xticks=[0, 45, 90, 135, 180])
ax.set_title("Turning a head from metric over transport to repulsion")
ax.legend(fontsize=8, ncols=2)
plt.show()
# cos(θj - θi) cos φ is symmetric, positive for φ below 90 degrees; sin(θj - θi) sin φ is antisymmetric.
