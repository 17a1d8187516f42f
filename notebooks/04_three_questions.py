# %% [markdown]
# # Spectral clustering, diffusion maps and label propagation are three questions to one matrix
#
# scikit-learn has spectral clustering and label propagation as separate classes, with separate parameters,
# and diffusion maps are not in it. Are these three methods, or three questions that can be asked of one and
# the same random walk? Here one matrix $P$ is made from one data set and asked all three: where does the
# walk get stuck, where is it after $t$ steps, and which label does it meet first? At the end you will have
# seen that the estimators give the same numbers as the matrix, and what changes the answers: how rows are
# normalized, and who is a neighbor of whom.

# %%
import os
import warnings

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import entropy, poisson
from sklearn.metrics import adjusted_rand_score

import likewise as lw
from likewise import datasets, plots

QUICK = bool(os.environ.get("LIKEWISE_QUICK"))  # small sizes, for the tests

# %% [markdown]
# ## 1. One data set, one matrix
#
# Three arcs of points. Each point has edges to its 10 nearest, averaged with the edges that come in, so
# that the graph is symmetric. An edge of length $d$ has the weight $K = \exp(-d^2 / 2h^2)$, half of it
# where only one of both points counts the other among its 10. Dividing each row by its sum makes a random
# walk of it:
#
# $$P_{ij} = \frac{K_{ij}}{\sum_l K_{il}} .$$


# %%
def three_arcs(n, seed=0):
    """n points on three arcs that bulge toward one another, (n, 2), and which arc, (n,)."""
    rng, arc = np.random.default_rng(seed), np.arange(n) * 3 // n
    turn, angle = 2 * np.pi * arc / 3, rng.uniform(-1.05, 1.05, n)
    center = 1.5 * np.c_[np.cos(turn), np.sin(turn)]
    on_arc = np.c_[np.cos(angle + turn + np.pi), np.sin(angle + turn + np.pi)]
    return center + on_arc + 0.1 * rng.normal(size=(n, 2)), arc


n = 120 if QUICK else 300
X, arc = three_arcs(n)
graph = lw.supports.Neighbors(10, symmetrize="average")
m = lw.Mechanism(metric="euclidean", kernel=lw.kernels.Gaussian(0.3), support=graph, normalization="row")
P = m.operator(X)
np.testing.assert_allclose(P @ np.ones(n), 1, atol=1e-12)
P

# %%
fig, axes = plt.subplots(1, 2, figsize=(9.5, 4), gridspec_kw={"wspace": 0.3})
plots.graph(P, X, arc, ax=axes[0])
axes[0].set_title("Three arcs, edges between neighbors", fontsize=11)
plots.matrix(P, ax=axes[1], label="$P_{ij}$")
axes[1].set_title("As a matrix: three blocks, few entries between", fontsize=11)
plt.show()

# %% [markdown]
# $P_{ij}$ is the probability that a walker at point $i$ steps to point $j$. The points are sorted by arc,
# so the matrix shows three blocks. Nothing below is told the arcs, except for the nine labels of section 4.
#
# ## 2. First question: where does the walk get stuck?
#
# If the walk started in one part and never left it, the indicator of that part would be an eigenvector with
# eigenvalue 1. If it rarely leaves, the eigenvalue is a little less. So eigenvalues near 1 count the parts,
# and their eigenvectors $P v = \lambda v$ are nearly constant on each part. That is spectral clustering
# (Shi and Malik 2000): look for the gap, then run k-means on the eigenvectors.

# %%
modes = P.spectrum(8)
fig, axes = plt.subplots(1, 3, figsize=(14, 3.9), gridspec_kw={"wspace": 0.3})
plots.spectrum(modes, ax=axes[0], gap=3)
axes[0].set(ylim=(modes.values[-1] - 0.002, 1.001), title="Three eigenvalues near 1,\nthen a gap")
plots.graph(P, X, modes.vectors[:, 1], ax=axes[1])
axes[1].set_title("Eigenvector 2 (color) hardly\nchanges along an arc")
plots.embedding(modes.vectors[:, 1:3], arc, ax=axes[2], names=("eigenvector 2", "eigenvector 3"))
axes[2].set_title("Eigenvectors 2 and 3 put\nthe arcs into three heaps")
plt.show()
print("eigenvalues:", modes.values.round(4))
print("steps until a mode has faded to 1/e:", (-1 / np.log(modes.values[1:5])).round().astype(int))

# %% [markdown]
# The gap after 3 is a gap of time scales: the printed times say how long the walk remembers each mode. Now
# the estimator, built from the same mechanism. Its eigenvalues and eigenvectors are those of $P$; its
# columns have another unit, which is all that differs.


# %%
def same_signs(A, B):
    """Asserts that A and B agree where the sign of each column, which is arbitrary, is made the same."""
    signs = np.sign((A * B).sum(axis=0))
    np.testing.assert_allclose(signs * A, B, atol=1e-6)


clustering = lw.SpectralClustering.from_mechanism(m, n_clusters=3, random_state=0).fit(X)
np.testing.assert_allclose(clustering.eigenvalues_, modes.values[:3], atol=1e-9)
unit = clustering.embedding_[0, 0] / modes.vectors[0, 0]
same_signs(clustering.embedding_, unit * modes.vectors[:, :3])
print(f"agreement with the arcs (adjusted Rand index): {adjusted_rand_score(arc, clustering.labels_):.2f}")

# %% [markdown]
# ## 3. Second question: where is the walk after t steps?
#
# Row $i$ of $P^t$ is the law of a walker that started at $i$. Two points are close if their walkers are
# spread alike after $t$ steps:
#
# $$D_t(i, j)^2 = \sum_l \frac{(P^t_{il} - P^t_{jl})^2}{\pi_l} = \sum_k \lambda_k^{2t} (v_k(i) - v_k(j))^2 ,$$
#
# $\pi$ being the stationary law. The left side is a statement about powers, the right side about
# eigenvectors; diffusion maps (Coifman and Lafon 2006) use the right side: $\lambda_k^t v_k$ as
# coordinates. The cell computes both sides.

# %%
t, every = 50, n - 1
Pt, pi = P.power(t).toarray(), np.exp(P.log_stationary)
pi /= pi.sum()
gram = (Pt / pi) @ Pt.T
own = np.diagonal(gram)
by_powers = np.sqrt(np.maximum(own[:, None] + own[None] - 2 * gram, 0))
maps = lw.DiffusionMaps.from_mechanism(m, n_components=every, diffusion_time=t).fit(X)
by_eigenvectors = maps.diffusion_distances()
np.testing.assert_allclose(by_eigenvectors**2, by_powers**2, atol=1e-9)
np.testing.assert_allclose(maps.eigenvalues_[:7], modes.values[1:], atol=1e-9)
gap = np.abs(by_powers**2 - by_eigenvectors**2).max()
print(f"squared distances from powers and from DiffusionMaps: largest difference {gap:.1e}")

# %%
times, start = (5, 200, 5000), n // 6
fig, axes = plt.subplots(2, 3, figsize=(11, 6), gridspec_kw={"hspace": 0.4, "wspace": 0.35})
for t, (above, below) in zip(times, axes.T):
    law = P.power(t).T @ np.eye(n)[start]  # the law of a walker from `start`: row `start` of P^t
    at_home = law[arc == arc[start]].sum()
    plots.graph(P, X, np.sqrt(law / law.max()), ax=above)
    above.plot(*X[start], "*", color=plots.CLASS_COLORS[5], markersize=14)
    above.set_title(f"t = {t}: {at_home:.0%} on its own arc", fontsize=11)
    coordinates = lw.DiffusionMaps.from_mechanism(m, n_components=2, diffusion_time=t).fit_transform(X)
    plots.embedding(coordinates, arc, ax=below, names=(r"$\lambda_2^t v_2$", r"$\lambda_3^t v_3$"))
    below.set(xlim=(-2, 2), ylim=(-2, 2), title=f"diffusion map, t = {t}")
fig.suptitle(
    "The walk from the star (yellow: likely) forgets its place, then its arc; the map shrinks with it"
)
plt.show()

# %% [markdown]
# The time is a scale (yellow is likely). After 5 steps the walk knows its neighborhood, after 200 most of
# it is still on its arc, and after 5000 little more than the arc's own share is. The map shrinks with it:
# modes fade as $\lambda^t$, the fast ones first.
#
# ## 4. Third question: which label does the walk meet first?
#
# Give three points of each arc a label. A walker starts anywhere and stops at the first labeled point. The
# probability $F_{ik}$ to stop at a label $k$ obeys $F_i = (P F)_i$ where there is no label, with $F$ held
# at the labels: label propagation (Zhu, Ghahramani and Lafferty 2003). With $u$ for unlabeled and $l$ for
# labeled points, $F_u = (I - P_{uu})^{-1} P_{ul} Y_l$.

# %%
rng = np.random.default_rng(1)
labels = np.full(n, -1)
for k in range(3):
    labels[rng.choice(np.flatnonzero(arc == k), 3, replace=False)] = k
labeled = labels >= 0
Y = (labels[:, None] == np.arange(3)).astype(float)

F, report = P.equilibrium(Y, clamped=labeled, tol=1e-12)
propagation = lw.LabelPropagation.from_mechanism(m, tol=1e-12).fit(X, labels)
A = P.toarray()
among, toward = A[~labeled][:, ~labeled], A[~labeled][:, labeled]
solved = np.linalg.solve(np.eye(len(among)) - among, toward @ Y[labeled])
np.testing.assert_allclose(propagation.label_distributions_, F, atol=1e-9)
np.testing.assert_allclose(solved, F[~labeled], atol=1e-9)
print(report)
print(f"right on {(F.argmax(axis=1) == arc)[~labeled].mean():.0%} of the points without a label")

# %% [markdown]
# And it is a walk: simulate it from the point whose label is least certain.

# %%
undecided = entropy(F, axis=1).argmax()
n_walkers = 300 if QUICK else 2000
at, up_to = np.full(n_walkers, undecided), A.cumsum(axis=1)
n_steps = 0
while not labeled[at].all():
    walking = np.flatnonzero(~labeled[at])
    drawn = rng.uniform(size=(len(walking), 1)) * up_to[at[walking], -1:]
    at[walking] = (up_to[at[walking]] <= drawn).sum(axis=1)
    n_steps += len(walking)
stopped = np.bincount(labels[at], minlength=3) / n_walkers
print(f"walkers that stopped at each label: {stopped.round(3)}, F: {F[undecided].round(3)}")
error = np.sqrt(F[undecided] * (1 - F[undecided]) / n_walkers)
print(f"standard error of such shares:      {error.round(3)}; mean number of steps {n_steps / n_walkers:.0f}")

# %%
fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.2))
plots.graph(P, X, F.max(axis=1), ax=axes[0])
plots.boundary(propagation, X, propagation.transduction_, ax=axes[1])
for ax in axes:
    for k, color, shape in zip(range(3), plots.CLASS_COLORS, plots.CLASS_SHAPES):
        ax.scatter(*X[labels == k].T, s=100, color=color, marker=shape, edgecolor="black", zorder=3)
axes[0].scatter(*X[undecided], s=200, facecolor="none", edgecolor="black", linewidth=1.5, zorder=4)
axes[0].set_title(
    "The walk is sure of its label (yellow)\nexcept near the borders; ring: least sure", fontsize=11
)
axes[1].set_title(
    "Nine labels (large) give three regions:\npredict asks new points the same way", fontsize=11
)
plt.show()

# %% [markdown]
# ## 5. One mechanism, its fifth slot turned
#
# So far `P` was made once and asked by its methods. The question can also be a part of the mechanism: its
# slot `propagation`. Nothing else changes between the lines of this cell.

# %%
ask = {
    "spectrum": (lw.propagations.Spectrum(3), {}, modes.values[:3]),
    "50 steps": (lw.propagations.Steps(50), {"V": Y}, P.power(50, Y)),
    "equilibrium": (lw.propagations.Equilibrium(tol=1e-12), {"V": Y, "clamped": labeled}, F),
    "heat": (lw.propagations.Heat(50.0), {"V": Y}, P.heat(50.0, Y)),
}
for name, (propagation_slot, given, expected) in ask.items():
    found = m.replace(propagation=propagation_slot).propagate(X, **given)
    found = found.values if name == "spectrum" else found
    np.testing.assert_allclose(found, expected, atol=1e-9)
    print(f"{name:<12} {propagation_slot!r:<32} same as from P: {np.abs(found - expected).max():.1e}")
m.replace(propagation=lw.propagations.Equilibrium())

# %% [markdown]
# Why do three questions give one answer here? All of them are functions of the same eigenvalues and
# eigenvectors, and three modes are much slower than the rest. Fit $F$ by the first $k$ eigenvectors (least
# squares, unlabeled points):

# %%
values, vectors = P.eigsh(20)
for k in (1, 2, 3, 5, 10, 20):
    basis = vectors[~labeled, :k]
    rest = F[~labeled] - basis @ np.linalg.lstsq(basis, F[~labeled], rcond=None)[0]
    share = 1 - (rest**2).sum() / ((F[~labeled] - F[~labeled].mean(axis=0)) ** 2).sum()
    print(f"first {k:>2} eigenvectors explain {max(share, 0):>5.1%} of the label shares")

# %% [markdown]
# The first three carry most of $F$: labels, clusters and coordinates are read off the same slow modes.
#
# ## 6. Heat and powers
#
# $P^t$ counts whole steps. Heat flows in continuous time: $\exp(-t (I - P))$ is the walk whose steps come
# at random moments, one per unit of time on average, so it is a Poisson mixture of powers:
#
# $$e^{-t(I - P)} f = \sum_k e^{-t} \frac{t^k}{k!}\, P^k f .$$

# %%
f, t = X[:, 0], 6.0
mixture = sum(poisson.pmf(k, t) * P.power(k, f) for k in range(60))
np.testing.assert_allclose(P.heat(t, f), mixture, atol=1e-12)
for t in (1, 5, 25, 125):
    gap = np.abs(P.heat(t, f) - P.power(t, f)).max() / np.abs(f).max()
    print(f"t = {t:>3}: heat and power differ by at most {gap:.2%} of the largest |f|")

beside = lw.supports.LeaveOneOut() & lw.supports.Radius(1)
path = lw.Mechanism(metric="euclidean", kernel="indicator", support=beside)
W = path.operator(np.arange(6.0)[:, None])  # six places in a row, each speaks to the ones beside it
first = np.eye(6)[0]
for name, walk in (("power 100", W.power(100)), ("power 101", W.power(101)), ("heat 100", W.heat(100.0))):
    print(f"{name:<9} of the path: {(walk.T @ first).round(2)}")

# %%
fig, ax = plt.subplots(figsize=(7.5, 3.4))
rates = np.linspace(-1, 1, 401)
for t, color in zip((2, 9), plots.CLASS_COLORS):
    ax.plot(rates, rates**t, color=color, label=f"power: $\\lambda^{t}$")
    ax.plot(rates, np.exp(-t * (1 - rates)), "--", color=color, label=f"heat: $e^{{-{t}(1 - \\lambda)}}$")
own_values = np.linalg.eigvals(A).real
ax.plot(own_values, np.full(n, -1.08), "|", color="0.3", markersize=7, label="eigenvalues of P")
ax.set(xlabel="eigenvalue $\\lambda$", ylabel="what is left of the mode", ylim=(-1.2, 1.1))
ax.set_title("Heat and powers agree on slow modes ($\\lambda$ near 1) and differ on negative ones")
ax.legend(fontsize=8, loc="upper center", ncols=2)
plt.show()

# %% [markdown]
# On a graph like ours both forget the fast modes, and after many steps they are close. They differ where
# $\lambda < 0$: on a path each step changes between even and odd places ($\lambda = -1$), so powers never
# settle, and heat does.
#
# ## 7. What changes the answers: the normalization slot
#
# **Row and symmetric.** $S = D^{-1/2} K D^{-1/2}$ is the form that many texts use. It has the same
# eigenvalues as $P = D^{-1} K$, and its eigenvectors are those of $P$ times $\sqrt{\pi_i}$. Same question,
# same answer, other units.

# %%
S = m.replace(normalization="symmetric").operator(X)
symmetric_values, symmetric_vectors = S.eigsh(5)
scaled = modes.vectors[:, :5] * np.sqrt(pi)[:, None]
np.testing.assert_allclose(symmetric_values, modes.values[:5], atol=1e-9)
same_signs(symmetric_vectors, scaled)
print("eigenvalues, row:      ", modes.values[:5].round(5))
print("eigenvalues, symmetric:", symmetric_values.round(5))

# %% [markdown]
# **Density.** The walk also knows where points are dense: it spends more time there. If the density is an
# accident of the sampling, that is unwanted. `Density(alpha)` divides the kernel by
# $q_i^\alpha q_j^\alpha$, $q$ being the row sums, before rows are normalized; with $\alpha = 1$ the density
# drops out in the limit of many points (Coifman and Lafon 2006). The test: points on a circle, many on the
# right, few on the left. The slowest modes of heat on a circle are $\cos$ and $\sin$ of the angle, however
# it is sampled.

# %%
circle, angle = datasets.uneven_circle(n, contrast=0.8, random_state=0)
fig, axes = plt.subplots(1, 3, figsize=(13, 4), gridspec_kw={"wspace": 0.35})
plots.embedding(circle, angle, ax=axes[0], names=("$x_1$", "$x_2$"))
axes[0].set_title("The sample: dense on the right\n(colors: the angle)", fontsize=11)
target = np.c_[np.ones(n), np.cos(angle), np.sin(angle)]
for ax, alpha in zip(axes[1:], (0.0, 1.0)):
    psi = lw.DiffusionMaps(density_alpha=alpha, bandwidth=0.3).fit(circle).eigenvectors_
    rest = psi - target @ np.linalg.lstsq(target, psi, rcond=None)[0]
    r2 = 1 - (rest**2).sum(axis=0) / ((psi - psi.mean(axis=0)) ** 2).sum(axis=0)
    plots.embedding(psi, angle, ax=ax, names=("$\\psi_1$", "$\\psi_2$"))
    what = "bent by the density" if alpha == 0 else "nearly a circle"
    ax.set_title(
        f"density_alpha = {alpha:.0f}: {what}\ncos, sin explain {r2[0]:.0%}, {r2[1]:.0%}", fontsize=11
    )
for ax in axes:
    ax.set_aspect("equal")
plt.show()

# %% [markdown]
# The titles give the share of each coordinate that $\cos$ and $\sin$ of the angle explain. With
# $\alpha = 0$ (the row normalization) one coordinate is bent by the density. With $\alpha = 1$ both are
# nearly $\cos$ and $\sin$.
#
# ## 8. What changes the answers: the support slot
#
# So far each point had 10 neighbors. The other usual choice is all pairs, where the bandwidth alone decides
# who is near. Both are asked the same question, over a range of bandwidths and five samples of the arcs.

# %%
bandwidths = (0.1, 0.2, 0.28, 0.8) if QUICK else (0.05, 0.1, 0.14, 0.2, 0.24, 0.28, 0.4, 0.8)
samples = [three_arcs(n, seed) for seed in range(2 if QUICK else 5)]


def agreement(support, bandwidth, points, truth):
    mechanism = m.replace(support=support, kernel=lw.kernels.Gaussian(bandwidth))
    model = lw.SpectralClustering.from_mechanism(mechanism, n_clusters=3, random_state=0)
    return adjusted_rand_score(truth, model.fit(points).labels_)


fig, ax = plt.subplots(figsize=(7.5, 3.2))
for support, name, line in ((graph, "10 neighbors", "-"), ("all", "all pairs", "--")):
    found = np.array([[agreement(support, h, *sample) for sample in samples] for h in bandwidths])
    low, high = found.min(axis=1), found.max(axis=1)
    plots.curve(bandwidths, found.mean(axis=1), low, high, ax=ax, label=name, linestyle=line)
ax.set(xscale="log", xlabel="bandwidth h", ylabel="adjusted Rand index", ylim=(0, 1.05))
ax.set_xticks((0.05, 0.1, 0.2, 0.4, 0.8), ("0.05", "0.1", "0.2", "0.4", "0.8"))
ax.minorticks_off()
ax.set_title("All pairs need a bandwidth that fits, 10 neighbors hardly do (bands: samples)", fontsize=11)
ax.legend()
plt.show()

# %% [markdown]
# With all pairs and a wide kernel the walk jumps from arc to arc, and its slowest modes are no longer the
# arcs. With neighbors the support keeps the walk local whatever the bandwidth. At the bandwidth 0.3, seen
# from the other questions:

# %%
for support, name in ((graph, "10 neighbors"), ("all", "all pairs")):
    of_support = m.replace(support=support)
    Q = of_support.operator(X)
    right = lw.LabelPropagation.from_mechanism(of_support).fit(X, labels).transduction_ == arc
    second, entries, right = Q.eigsh(2)[0][1], Q.tocsr().nnz / n, right[~labeled].mean()
    print(f"{name:<13}entries a row {entries:>4.0f}, eigenvalue 2 {second:.4f}, labels right {right:.0%}")

# %% [markdown]
# With all pairs the walk remembers its arc for a shorter time (the second eigenvalue is farther from 1).
# Labels suffer less than clusters: the nine of them say where the arcs are.
#
# ## 9. A point that is far away
#
# Put one more point far outside and ask again. What happens depends on the support and the kernel, and it
# is worth knowing before it happens in real data.

# %%
far, far_labels = np.vstack([X, [[0.0, 15.0]]]), np.append(labels, -1)
within = lw.supports.LeaveOneOut() & lw.supports.Radius(0.6)
variants = {
    "all pairs, itself included": m.replace(support="all"),
    "10 neighbors, Gaussian": m,
    "10 neighbors, weights 1": m.replace(kernel="indicator"),
    "all others within 0.6": m.replace(support=within),
}
warned = set()
for name, mechanism in variants.items():
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        clusters = lw.SpectralClustering.from_mechanism(mechanism, n_clusters=3, random_state=0).fit(far)
        labeler = lw.LabelPropagation.from_mechanism(mechanism).fit(far, far_labels)
    warned |= {str(w.message).split(";")[0] for w in said}
    log_mass, sizes = mechanism.operator(far).log_row_sums[-1], np.sort(np.bincount(clusters.labels_))
    shares, reached = labeler.label_distributions_[-1].round(2), not labeler.unreached_[-1]
    print(f"{name:<27}log row sum {log_mass:>6.0f}  clusters {sizes}  labels {shares}  reached {reached}")
print(*sorted(warned), sep="\n")

# %% [markdown]
# Line by line. *All pairs, itself included*: its weights to all others are too small for a number, its
# weight on itself is 1. It is a part of its own and takes one of the three clusters (the other two are no
# arcs, as in section 8). *10 neighbors, Gaussian*: the logarithm of its row sum is kept, so its row still
# sums to 1 and a label arrives. As a cluster it is alone all the same: nobody ever steps to it, and
# `SpectralClustering` says so in a warning. *10 neighbors, weights 1*: an edge is an edge, and the far
# point is one more member of an arc. *All others within 0.6*: its row is empty, no label reaches it, and it
# gets the class shares of the labeled points, marked in `unreached_`.
#
# What an empty row yields is a choice of the mechanism, `empty_row`:

# %%
for policy in ("zero", "nearest", "self", "error"):
    try:
        value = (m.replace(support=within, empty_row=policy).operator(far) @ far[:, 1])[-1]
        print(f"{policy:>7}: the second coordinate of the far point, 15, becomes {value:.2f}")
    except ValueError as problem:
        print(f"{policy:>7}: ValueError, {problem}")

# %% [markdown]
# ## What to keep
#
# | question to $P$ | call | the estimator |
# |---|---|---|
# | where does the walk get stuck? | `P.spectrum(k)` | `SpectralClustering`, `SpectralEmbedding` |
# | where is it after $t$ steps? | `P.power(t)`, `P.heat(t)` | `DiffusionMaps` |
# | which label does it meet first? | `P.equilibrium(Y, clamped=...)` | `LabelPropagation` |
#
# Answers change with the slots that make $P$: the support decides who is near, the normalization whether
# density counts. The view of methods as one propagation is that of Ruan and Zhang 2024 (arXiv 2412.18288).
#
# ## Exercises
#
# ### Exercise 1
#
# Find the second eigenvector without an eigensolver: start from random numbers, take out their mean under
# $\pi$, and apply a high power of $P$. How many steps does it take, judged by the eigenvalues?

# %% tags=["hide-cell"] jupyter={"source_hidden": true}
# Solution of exercise 1
second, third = modes.values[1:3]
n_steps = int(np.ceil(20 / np.log(second / third)))  # mode 3 shrinks to exp(-20) of mode 2
noise = rng.normal(size=n)
slow = P.power(n_steps, noise - pi @ noise)
correlation = np.abs(np.corrcoef(slow, modes.vectors[:, 1])[0, 1])
print(f"{n_steps} steps, correlation with eigenvector 2: {correlation:.8f}")
assert correlation > 1 - 1e-6

# %% [markdown]
# ### Exercise 2
#
# Label spreading (Zhou et al. 2004) holds labels softly: $F = \alpha S F + (1 - \alpha) Y$ with the
# symmetric $S$ of section 7. Solve it with NumPy, with `S.equilibrium` and with `lw.LabelSpreading`. What
# do the rows say when $\alpha$ goes to 1?

# %% tags=["hide-cell"] jupyter={"source_hidden": true}
# Solution of exercise 2
spreading = m.replace(normalization="symmetric")
for alpha in (0.2, 0.9, 0.999999):
    direct = np.linalg.solve(np.eye(n) - alpha * S.toarray(), (1 - alpha) * Y)
    soft, _ = S.equilibrium(Y, alpha=alpha, tol=1e-12)
    np.testing.assert_allclose(soft, direct, atol=1e-8)
    fitted = lw.LabelSpreading.from_mechanism(spreading, alpha=alpha, tol=1e-12).fit(X, labels)
    shares = direct / direct.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.label_distributions_, shares, atol=1e-6)
    right, surest = (shares.argmax(axis=1) == arc)[~labeled].mean(), shares.max(axis=1).mean()
    print(f"alpha = {alpha:<9} right on {right:.0%}, largest share of a point on average {surest:.2f}")
# For alpha near 1 only the slowest mode is left: F becomes sqrt(pi) times one row for all. Every point has
# the same shares and gets the same class. Farther below 1 the other slow modes speak too.
