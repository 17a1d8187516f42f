# %% [markdown]
# # From k-NN to attention by moving support and temperature
#
# k-nearest neighbors lets the few closest points vote. Attention takes a mean over all points, weighted by a
# softmax of dot products. **Is there a continuous path from one to the other, and what changes along it?**
#
# We walk it in four moves: the neighbors get weights, the support grows to all points, the weights are
# rewritten as a softmax, and squared distances become dot products. At each place we look at the decision
# boundary, at a row of the matrix, at how many neighbors a row really hears, and at the accuracy on points
# that were held out. At the end one dial goes all the way.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons
from sklearn.neighbors import KNeighborsClassifier

import likewise as lw
from likewise import kernels, plots, supports

QUICK = bool(os.environ.get("LIKEWISE_QUICK"))  # small sizes, for the tests

# %% [markdown]
# ## Data and yardstick
#
# Keys are labeled points, queries are new ones. A method is a matrix $P$, queries by keys, whose rows sum to
# 1. Its prediction is $P v$, the share of class 1.
#
# Of each row we ask how many keys it hears, that is, how many carry weight. Its perplexity
# $\exp(-\sum_j P_{ij} \log P_{ij})$ is $k$ for a row of $k$ equal weights and 1 for a row with a single key:
# an effective number of neighbors.

# %%
n_keys, n_queries = (80, 200) if QUICK else (200, 1000)
X, y = make_moons(n_keys + n_queries, noise=0.3, random_state=0)
keys, v = X[:n_keys], y[:n_keys].astype(float)
queries, truth = X[n_keys:], y[n_keys:]


def perplexity(P):
    weights = P.toarray()
    logs = np.log(np.where(weights > 0, weights, 1))
    return np.exp(-(weights * logs).sum(axis=1))


def accuracy(P):
    return np.mean((P @ v > 0.5) == truth)


def report(name, P):
    low, middle, high = np.quantile(perplexity(P), (0.1, 0.5, 0.9))
    print(f"{name:34} accuracy {accuracy(P):.3f}, perplexity {middle:5.1f} ({low:.1f} to {high:.1f})")


print(f"{n_keys} keys, {n_queries} queries; an accuracy of 0.92 is known to "
      f"+-{1.96 * np.sqrt(0.92 * 0.08 / n_queries):.3f} (95%)")  # fmt: skip

# %% [markdown]
# ## Start: the vote of the k nearest
#
# The kernel is an indicator: every neighbor counts the same.

# %%
n_neighbors = 10
vote = lw.Mechanism(metric="sqeuclidean", kernel="indicator", support=supports.Neighbors(n_neighbors))
P_vote = vote.operator(queries, keys)

peer = KNeighborsClassifier(n_neighbors).fit(keys, v)
assert np.allclose(P_vote @ v, peer.predict_proba(queries)[:, 1], atol=1e-12)
assert np.allclose(perplexity(P_vote), n_neighbors)
report("k-NN vote", P_vote)

# %% [markdown]
# ## First move: neighbors get weights
#
# Only the kernel turns, to $\varphi = \exp(-d^2/t)$. This is a Gaussian of bandwidth $h = \sqrt{t/2}$. The
# temperature $t$ divides the cost. At $t = \infty$ all weights are 1, and that is the vote. We take the $t$
# that leave-one-out finds on the keys; no query is looked at.

# %%
bandwidth = lw.KernelClassifier(bandwidth="loo").fit(keys, v).bandwidth_
t0 = 2 * bandwidth**2
weighted = vote.replace(kernel=kernels.Exponential(t0))
P_weighted = weighted.operator(queries, keys)

peer = KNeighborsClassifier(n_neighbors, weights=lambda d: np.exp(-(d**2) / t0)).fit(keys, v)
assert np.allclose(P_weighted @ v, peer.predict_proba(queries)[:, 1], atol=1e-9)
hot = vote.replace(kernel=kernels.Exponential(1e9)).operator(queries, keys)
assert np.allclose(hot.toarray(), P_vote.toarray(), atol=1e-6)  # the vote is its limit
print(f"bandwidth {bandwidth:.3f}, temperature {t0:.3f}")
report("k-NN vote", P_vote)
report("10 nearest, weighted", P_weighted)

# %% [markdown]
# ## Second move: everybody is heard
#
# Only the support turns, from the 10 nearest to all keys. The result is kernel regression (Nadaraya 1964,
# Watson 1964). On the way each further neighbor adds less:

# %%
regression = weighted.replace(support="all")
P_regression = regression.operator(queries, keys)
peer = lw.KernelClassifier(bandwidth=bandwidth).fit(keys, v)
assert np.allclose(P_regression @ v, peer.predict_proba(queries)[:, 1], atol=1e-9)

for k in (n_neighbors, n_keys // 8, n_keys // 4, n_keys // 2, n_keys):
    P = weighted.replace(support=supports.Neighbors(k)).operator(queries, keys)
    moved = abs(P @ v - P_regression @ v)
    print(f"{k:3} neighbors: prediction off by {moved.mean():.1e} in the mean, {moved.max():.1e} at most")
report("all keys, weighted", P_regression)

# %% [markdown]
# Far fewer neighbors than all keys give kernel regression to a good approximation here, as the weights of the
# others are small. Sparse graphs and local attention rest on this. It holds where weights fall off fast.
#
# ## Third move: call it softmax
#
# Nothing moves here but the name. Exponentials divided by their sum are a softmax, and the mean it gives is
# attention with squared distances as scores ("L2 attention", Kim et al. 2021).

# %%
squared_distances = ((queries[:, None] - keys) ** 2).sum(axis=-1)
scores = -squared_distances / t0
softmax = np.exp(scores - scores.max(axis=1, keepdims=True))
softmax /= softmax.sum(axis=1, keepdims=True)
assert np.allclose(P_regression.toarray(), softmax, atol=1e-12)
gaussian = regression.replace(kernel=kernels.Gaussian(bandwidth))
assert np.allclose(gaussian.operator(queries, keys).toarray(), softmax, atol=1e-12)
l2 = lw.l2_attention(queries, keys, v[:, None], temperature=t0)[:, 0]
assert np.allclose(P_regression @ v, l2, atol=1e-10)
regression.operator(queries[:60], keys)

# %% [markdown]
# Now there is one number to turn, the temperature. Its two ends are known methods. At $t \to 0$ a row hears
# its nearest key only: 1-NN. At $t \to \infty$ it hears all keys alike: the mean of the values.


# %%
def at_temperature(t, mechanism=regression):
    return mechanism.replace(kernel=kernels.Exponential(t)).operator(queries, keys)


nearest = KNeighborsClassifier(1).fit(keys, v).predict(queries)
assert np.allclose(at_temperature(1e-10) @ v, nearest, atol=1e-6)
assert np.allclose(at_temperature(1e10) @ v, v.mean(), atol=1e-6)

temperatures = np.geomspace(1e-4, 1e3, 15 if QUICK else 29)
paths = [at_temperature(t) for t in temperatures]
best = temperatures[np.argmax([accuracy(P) for P in paths])]
report("t = 1e-10, which is 1-NN", at_temperature(1e-10))
report(f"t = {t0:.3f}, by leave-one-out", at_temperature(t0))
report(f"t = {best:.3f}, best on these queries", at_temperature(best))
report("t = 1e10, which is the mean", at_temperature(1e10))

# %%
grid_x, grid_y = np.linspace(-1.8, 2.8, 70), np.linspace(-1.4, 1.9, 60)
grid = np.stack(np.meshgrid(grid_x, grid_y), axis=-1).reshape(-1, 2)


def draw_boundary(ax, mechanism, log_key_weights=None):
    P = mechanism.operator(grid, keys, log_key_weights=log_key_weights)
    plots.decision_surface(grid_x, grid_y, (P @ v).reshape(60, 70), keys, v.astype(int), ax=ax, levels=[0.5])
    ax.set(xlabel="", ylabel="", xticks=[], yticks=[])


figure, axes = plt.subplots(1, 4, figsize=(10, 2.5), layout="constrained")
for ax, t in zip(axes, (1e-4, t0, 1.0, 10.0)):
    draw_boundary(ax, regression.replace(kernel=kernels.Exponential(t)))
    P = at_temperature(t)
    middle = np.median(perplexity(P))
    ax.set_title(f"t = {t:.2g}: accuracy {accuracy(P):.2f},\n{middle:.0f} effective neighbors", fontsize=9)
figure.suptitle("Temperature smooths the boundary, then washes it out (line: one half)")
plt.show()

# %% [markdown]
# Low temperatures trace single points, and high ones straighten the boundary.
#
# ## Fourth move: dot products
#
# Expand the square:
# $-|q - k|^2 / t = \big(\langle q, k\rangle - \tfrac12 |k|^2 - \tfrac12 |q|^2\big) / (t/2)$. What depends on
# the query alone cancels in each row. So squared distances at temperature $t$ are dot products at $t/2$ with
# a weight $e^{-|k_j|^2/t}$ for each key:
#
# $$\mathrm{softmax}_j\!\left(-\frac{|q - k_j|^2}{t}\right) =
# \mathrm{softmax}_j\!\left(\frac{\langle q, k_j\rangle}{t/2} - \frac{|k_j|^2}{t}\right).$$
#
# The key weights go in as `log_key_weights`. If all keys have one length they cancel too, and none are
# needed.

# %%
dot = regression.replace(metric="dot", kernel=kernels.Exponential(t0 / 2))
log_weights = -(keys**2).sum(axis=1) / t0
P_balanced = dot.operator(queries, keys, log_key_weights=log_weights)
assert np.allclose(P_balanced.toarray(), P_regression.toarray(), atol=1e-12)

unit_keys = keys / np.linalg.norm(keys, axis=1, keepdims=True)
by_distance, by_dot = regression.operator(queries, unit_keys), dot.operator(queries, unit_keys)
assert np.allclose(by_distance.toarray(), by_dot.toarray(), atol=1e-12)

P_dot = dot.operator(queries, keys)
scores = queries @ keys.T / (t0 / 2)
softmax = np.exp(scores - scores.max(axis=1, keepdims=True))
assert np.allclose(P_dot.toarray(), softmax / softmax.sum(axis=1, keepdims=True), atol=1e-12)
report("squared distances", P_regression)
report("dot products, with key weights", P_balanced)
report("dot products", P_dot)

# %% [markdown]
# Without the key weights the last line is a different method: seen from the distances, key $j$ now counts
# $e^{|k_j|^2/t}$ times as much. Who is heard?

# %%
lengths = np.linalg.norm(keys, axis=1)
_, axes = plt.subplots(1, 2, figsize=(9, 3.3), layout="constrained", sharey=True)
for ax, P, name in zip(axes, (P_regression, P_dot), ("Squared distances", "Dot products")):
    heard = P.toarray().mean(axis=0)
    winners = len(np.unique(P.toarray().argmax(axis=1)))
    ax.scatter(lengths, heard, s=14, color=plots.CLASS_COLORS[0])
    ax.set(yscale="log", ylim=(1e-6, 1), xlabel="length of the key")
    ax.set_title(f"{name}: {winners} of {n_keys} keys\nare loudest for some query")
    top = np.sort(heard)[-n_keys // 20 :].sum()
    print(f"{name:17}: the loudest 5% of the keys have {top:.0%} of all attention")
axes[0].set_ylabel("share of all attention")
plt.show()

# %% [markdown]
# A key at the rim of the data has a large dot product with everybody on its side. Few keys are heard,
# wherever the query is. A transformer learns the maps that make queries and keys, so it can shape these
# lengths. Raw coordinates have no such help.
#
# ## The effective number of neighbors as a common scale
#
# $k$ and $t$ are measured in different units. The perplexity puts both on one axis.

# %%
hotter = np.geomspace(1e-3, 30, 8 if QUICK else 20)
counts = np.unique(np.geomspace(1, n_keys, 8 if QUICK else 20).astype(int))
sweeps = {
    "k-NN vote": [vote.replace(support=supports.Neighbors(int(k))).operator(queries, keys) for k in counts],
    "softmax of squared distances": [at_temperature(t) for t in hotter],
    "softmax of dot products": [at_temperature(t / 2, dot) for t in hotter],
}
figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
for (name, operators), look in zip(sweeps.items(), ("o-", "s--", "^:")):
    heard = [np.median(perplexity(P)) for P in operators]
    ax.plot(heard, [accuracy(P) for P in operators], look, markersize=4, label=name)
    print(f"{name:29} best accuracy {max(accuracy(P) for P in operators):.3f}")
ax.set(
    xscale="log", xlabel="effective number of neighbors (median over queries)", ylabel="accuracy, held out"
)
ax.set_title("k-NN and distance attention agree up to about 50 effective neighbors")
ax.legend()
plt.show()

# %% [markdown]
# k-NN and softmax attention over squared distances are close up to about 50 effective neighbors of 200.
# Beyond, the weighted mean holds up better: its far neighbors count less. Bare dot products stay far below
# the best of both at every temperature that was tried.
#
# ## One dial
#
# Now all moves in one number. From 0 to 1 the inverse temperature on 10 neighbors grows from 0 to $1/t_0$.
# From 1 to 2 the support grows from 10 neighbors to all keys. From 2 to 3 the key weights of the dot products
# fade: they are $\exp(-\lambda |k|^2/t_0)$, and $\lambda$ goes from 1 to 0.


# %%
def place(dial):
    """The mechanism at this place of the path, and its log key weights."""
    if dial == 0:
        return vote, None
    if dial <= 1:
        return vote.replace(kernel=kernels.Exponential(t0 / dial)), None
    if dial <= 2:
        k = round(n_neighbors * (n_keys / n_neighbors) ** (dial - 1))
        return weighted.replace(support=supports.Neighbors(k)), None
    return dot, (3 - dial) * log_weights


def at(dial):
    mechanism, log_key_weights = place(dial)
    return mechanism.operator(queries, keys, log_key_weights=log_key_weights)


for dial, known in ((0, P_vote), (1, P_weighted), (2, P_regression), (2 + 1e-9, P_balanced), (3, P_dot)):
    assert np.allclose(at(dial).toarray(), known.toarray(), atol=1e-6)

# %%
dials = np.linspace(0, 3, 16 if QUICK else 61)
path = [at(dial) for dial in dials]
spread = np.array([np.quantile(perplexity(P), (0.5, 0.1, 0.9)) for P in path])
error = 1.96 * np.sqrt([accuracy(P) * (1 - accuracy(P)) / n_queries for P in path])
score = np.array([accuracy(P) for P in path])

figure, (top, bottom) = plt.subplots(2, 1, figsize=(7.5, 5), layout="constrained", sharex=True)
plots.curve(dials, score, score - error, score + error, ax=top, color=plots.CLASS_COLORS[0])
plots.curve(dials, *spread.T, ax=bottom, color=plots.CLASS_COLORS[1])
top.set(
    title="Accuracy falls only where the key weights fade", ylabel="accuracy, held out\n(band: 95% interval)"
)
bottom.set(yscale="log", ylabel="effective neighbors\n(band: 10% to 90% of rows)", xticks=range(4))
bottom.set_xticklabels(
    ["0\nk-NN vote", "1\nweighted\nneighbors", "2\nkernel regression\n= L2 attention", "3\ndot products"]
)
for x in (1, 2):
    top.axvline(x, color="gray", linewidth=0.8)
    bottom.axvline(x, color="gray", linewidth=0.8)
for dial in (0, 1, 2, 2.5, 3):
    report(f"dial {dial}", at(dial))

# %%
query = queries[np.argmin(np.linalg.norm(queries - [0.5, 0.25], axis=1))]
figure, axes = plt.subplots(2, 6, figsize=(11.5, 4), layout="constrained")
stations = {0: "k-NN vote", 1: "weighted", 1.5: "more neighbors", 2: "all keys",
            2.5: "weights half faded", 3: "dot products"}  # fmt: skip
for (upper, lower), (dial, station) in zip(axes.T, stations.items()):
    mechanism, log_key_weights = place(dial)
    draw_boundary(upper, mechanism, log_key_weights)
    row = mechanism.operator(query[None], keys, log_key_weights=log_key_weights)
    lower.scatter(*keys.T, s=3, color="#c3c8d0")
    lower.scatter(*keys.T, s=400 * row.toarray()[0], color=plots.CLASS_COLORS[0], alpha=0.7, linewidth=0)
    lower.plot(*query, "x", color="black", markersize=9, markeredgewidth=2)
    lower.set(xticks=[], yticks=[])
    upper.set_title(f"{dial}: {station}\naccuracy {accuracy(at(dial)):.2f}", fontsize=9)
    lower.set_title(f"hears {perplexity(row)[0]:.1f} keys", fontsize=9)
figure.suptitle("Along the dial: the boundary, and the keys that one query (cross) hears (area: weight)")
plt.show()

# %% [markdown]
# ## Answer
#
# Yes. k-NN, weighted neighbors, kernel regression and softmax attention over squared distances are places on
# one path, from 0 to 2 on the dial. There the accuracy stays within its interval. What changes is who is
# heard: $k$ fixes the number of neighbors in every row, a temperature fixes how far a row hears and lets the
# number vary. Moving the temperature alone leads to 1-NN at one end and to the mean at the other.
#
# Dot products are the same path only with key weights, or with keys of one length. Without them each key
# counts $e^{|k|^2/t}$ times as much, and on these raw coordinates that costs accuracy. This says nothing
# about trained attention, whose maps are learned: `02_head_is_kernel_regression` looks at one. The mechanism
# with its slots is that of Ruan and Zhang (2024, arXiv 2412.18288).
#
# ## Exercises
#
# ### Exercise 1
#
# Two ways to add one coordinate. (a) $q \mapsto (q, 1)$ and $k \mapsto (k, -\tfrac12 |k|^2)$. (b)
# $q \mapsto (q, 0)$ and $k \mapsto (k, \sqrt{R^2 - |k|^2})$ with $R = \max_j |k_j|$ (Bachrach et al. 2014).
# Which makes attention by dot products equal to attention by distances between the old points, and which
# makes attention by distances equal to attention by dot products of the old points? Check both with `dot` and
# `regression`.

# %% tags=["hide-cell"] jupyter={"source_hidden": true}
# Solution of exercise 1
# (a) <q', k'> = <q, k> - |k|^2 / 2: the added coordinate of a key is its log weight.
keys_a = np.column_stack([keys, -(lengths**2) / 2])
queries_a = np.column_stack([queries, np.ones(n_queries)])
assert np.allclose(dot.operator(queries_a, keys_a).toarray(), P_regression.toarray(), atol=1e-10)

# (b) All keys get length R and no dot product changes. |q' - k'|^2 = |q|^2 + R^2 - 2 <q, k>.
rest = np.sqrt(np.maximum(lengths.max() ** 2 - lengths**2, 0))
keys_b, queries_b = np.column_stack([keys, rest]), np.column_stack([queries, np.zeros(n_queries)])
assert np.allclose(regression.operator(queries_b, keys_b).toarray(), P_dot.toarray(), atol=1e-10)
report("dot products of (a)", dot.operator(queries_a, keys_a))
report("squared distances of (b)", regression.operator(queries_b, keys_b))

# %% [markdown]
# ### Exercise 2
#
# Find the temperature at which the median row of softmax attention over squared distances hears as many keys
# as the vote, 10. How often do the two methods decide alike there?

# %% tags=["hide-cell"] jupyter={"source_hidden": true}
# Solution of exercise 2
low, high = 1e-4, 1e2
for _ in range(40):  # bisection on a logarithmic scale; perplexity grows with the temperature
    middle = np.sqrt(low * high)
    too_few = np.median(perplexity(at_temperature(middle))) < n_neighbors
    low, high = (middle, high) if too_few else (low, middle)
P_matched = at_temperature(middle)
assert abs(np.median(perplexity(P_matched)) - n_neighbors) < 1e-3
report("k-NN vote", P_vote)
report(f"softmax at t = {middle:.3f}", P_matched)
print(f"decide alike: {np.mean((P_vote @ v > 0.5) == (P_matched @ v > 0.5)):.1%} of the queries")
