# %% [markdown]
# # One equation, eight methods: turn one slot at a time
#
# Kernel regression, k-nearest neighbors, spectral clustering, diffusion maps, label propagation, mean shift,
# Hopfield retrieval and attention come from different books. **Are they really one thing?**
#
# On one small data set we write down one equation with five slots and change one slot after another. Each
# result is compared with scikit-learn or with a few lines of NumPy. At the end eight methods stand beside
# each other, with the slots that were turned for each, and you can turn them yourself.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from sklearn.cluster import KMeans, MeanShift, SpectralClustering
from sklearn.datasets import make_moons
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

import likewise as lw
from likewise import kernels, normalizations, plots, propagations, supports

QUICK = bool(os.environ.get("LIKEWISE_QUICK"))  # small sizes, for the tests

# %% [markdown]
# ## The equation
#
# $$y_i \;=\; l_i \sum_{j \in S(i)} \varphi\big(c(x_i, z_j)\big)\, r_j\, v_j$$
#
# Each query $x_i$ hears the values $v_j$ of the keys $z_j$. The **metric** $c$ says how different two points
# are. The **kernel** $\varphi$ turns that into a weight. The **support** $S$ says which keys are heard at
# all. The **normalization** gives the scalings $l$ and $r$. The fifth slot, the **propagation**, says what is
# done with the matrix that the other four make: one step, many steps, a fixed point, a spectrum.
#
# A `Mechanism` is these five slots as a value. Here is the one that we start from. Queries and keys are the
# same points, two moons.

# %%
n_points = 100 if QUICK else 200
bandwidth = 0.15
X, y = make_moons(n_points, noise=0.1, shuffle=False, random_state=0)  # in order along each moon

m = lw.Mechanism(
    metric="sqeuclidean",
    kernel=kernels.Gaussian(bandwidth),
    support="all",
    normalization="row",
    propagation="one_step",
)
display(m)

# %% [markdown]
# When the mechanism meets points it becomes an operator $P$. It behaves like a matrix (a SciPy
# `LinearOperator`). With a Gaussian kernel and normalization by rows it is three lines of NumPy:

# %%
P = m.operator(X)

squared_distances = ((X[:, None] - X) ** 2).sum(axis=-1)
K = np.exp(-squared_distances / (2 * bandwidth**2))
P_numpy = K / K.sum(axis=1, keepdims=True)
assert np.allclose(P.toarray(), P_numpy, atol=1e-12)

figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.4), layout="constrained")
plots.embedding(X, y, ax=left, names=("$x_1$", "$x_2$"))
left.set_title("Two moons; color and shape: the moon")
left.set_aspect("equal")
plots.matrix(P, ax=right)
right.set_title("The matrix P: points hear their own moon")
across = P_numpy[:, y == 0][y == 1].sum() / (y == 1).sum()
print(f"share of what moon 1 hears that comes from moon 0: {across:.3f}")

# %% [markdown]
# Rows and columns are in order along the moons, so neighbors lie near the diagonal. Most of each row stays on
# its own moon. Everything that follows is read from matrices like this one.
#
# ## 1. Kernel regression: one step
#
# Take the classes as values and apply $P$ once. Then $y_i$ is a weighted mean, the estimator of Nadaraya and
# of Watson (1964). With new points as queries it is a prediction.

# %%
grid_x, grid_y = np.linspace(-1.5, 2.5, 60), np.linspace(-1, 1.6, 50)
grid = np.stack(np.meshgrid(grid_x, grid_y), axis=-1).reshape(-1, 2)
differences = {}  # method: (slots that differ from m, what it is checked against, largest difference)


def share_of_moon_1(mechanism):
    return mechanism.operator(grid, X) @ y


surface = share_of_moon_1(m)
estimator = lw.KernelClassifier(bandwidth=bandwidth).fit(X, y)
K_grid = np.exp(-((grid[:, None] - X) ** 2).sum(axis=-1) / (2 * bandwidth**2))
by_hand = K_grid @ y / K_grid.sum(axis=1)
assert np.allclose(surface, by_hand, atol=1e-9)
assert np.allclose(surface, estimator.predict_proba(grid)[:, 1], atol=1e-9)
differences["kernel regression"] = "none", "NumPy", abs(surface - by_hand).max()
print(f"{len(grid)} predictions, largest difference from NumPy {abs(surface - by_hand).max():.0e}")

# %% [markdown]
# ## 2. k-nearest neighbors: turn the support, then the kernel
#
# First the support: only the 10 nearest keys are heard. Then the kernel: each of them counts the same.

# %%
n_neighbors = 10
weighted = m.replace(support=supports.Neighbors(n_neighbors))
vote = weighted.replace(kernel="indicator")

figure, axes = plt.subplots(1, 3, figsize=(10, 2.9), layout="constrained", sharey=True)
titles = "all points, Gaussian", "10 nearest, Gaussian", "10 nearest, all alike: k-NN"
for ax, mechanism, title in zip(axes, (m, weighted, vote), titles):
    values = share_of_moon_1(mechanism).reshape(len(grid_y), len(grid_x))
    plots.decision_surface(grid_x, grid_y, values, X, y, ax=ax, levels=[0.5])
    ax.set_title(title)
figure.suptitle("The boundary hardly moves where the data are. Shade: share of moon 1, line: one half")
plt.show()

sklearn_knn = KNeighborsClassifier(n_neighbors).fit(X, y).predict_proba(grid)[:, 1]
assert np.allclose(share_of_moon_1(vote), sklearn_knn, atol=1e-12)
differences["k-NN"] = "support, kernel", "scikit-learn", abs(share_of_moon_1(vote) - sklearn_knn).max()
at_points = [mechanism.operator(X, X) @ y > 0.5 for mechanism in (m, weighted, vote)]
changed = [int((at_points[0] != other).sum()) for other in at_points[1:]]
print(f"points of the data on the other side than with m: {changed[0]} and {changed[1]} of {n_points}")

# %% [markdown]
# Between the moons, where the data are, the boundary hardly moves. Far away it does, and the k-NN vote has
# steps: a key is heard or not.
#
# ## 3. Spectral clustering: turn the propagation
#
# Back to $m$. Instead of applying $P$, ask for its eigenvectors, $P \psi_k = \mu_k \psi_k$. The first is
# constant. The second lasts longest under the random walk of $P$: after $t$ steps, $\mu_2^t$ of it is left.
# k-means on it gives two clusters (Shi and Malik 2000).

# %%
modes = m.replace(propagation=propagations.Spectrum(8)).propagate(X)
found = KMeans(2, n_init=10, random_state=0).fit_predict(modes.vectors[:, 1:2])
clusters = (found != found[0]).astype(int)  # names are arbitrary: the cluster of the first point is 0
right = np.mean(clusters == y)

figure, (left_ax, right_ax) = plt.subplots(1, 2, figsize=(8.6, 3), layout="constrained")
fading = -1 / np.log(modes.values[1:])
left_ax.bar(range(2, 9), fading, color=plots.CLASS_COLORS[0])
left_ax.set(
    title="The second eigenvector lasts longest", xlabel="eigenvector k", ylabel="steps to fade to 1/e"
)
plots.embedding(X, clusters, ax=right_ax, names=("$x_1$", "$x_2$"))
right_ax.set(title=f"Cut in two it gives the moons: {right:.1%} right", aspect="equal")
print("eigenvalues:", modes.values[:4].round(4), "| steps to fade:", fading[:3].round().astype(int))
assert np.allclose(modes.values, np.sort(np.linalg.eigvals(P_numpy).real)[::-1][:8], atol=1e-8)

# %% [markdown]
# The eigenvalues are NumPy's. The clusters are scikit-learn's as well, although it runs a slightly different
# mechanism: it leaves each point out of its own neighborhood and scales both sides. These are the support and
# the normalization.

# %%
gamma = 1 / (2 * bandwidth**2)  # scikit-learn's name for the bandwidth
peer = SpectralClustering(2, gamma=gamma, random_state=0).fit(X)
agreement = adjusted_rand_score(peer.labels_, clusters)  # 1: the same clusters, whatever their names
ours = lw.SpectralClustering(2, gamma=gamma, random_state=0).fit(X)
assert agreement == 1 and adjusted_rand_score(ours.labels_, clusters) == 1
differences["spectral clustering"] = "propagation", "scikit-learn", 1 - agreement

peer_slots = m.replace(support="leave_one_out", normalization="symmetric")
peer_modes = peer_slots.replace(propagation=propagations.Spectrum(2)).propagate(X)
assert np.allclose(peer_modes.values, ours.eigenvalues_, atol=1e-8)
print(
    "eigenvalues of m:", modes.values[:2].round(4), " with scikit-learn's slots:", peer_modes.values.round(4)
)

# %% [markdown]
# ## 4. Diffusion maps: turn the normalization
#
# Where points are dense, the walk lingers. `Density(1)` divides by the density on both sides before rows are
# scaled (Coifman and Lafon 2006). The coordinates are eigenvectors times $\mu_k^t$, a spectrum to the power
# $t$.

# %%
diffusion = m.replace(
    normalization=normalizations.Density(1.0), propagation=propagations.Spectrum(3, power=8)
)
coordinates = diffusion.propagate(X).vectors[:, 1:]  # without the constant one

density = K.sum(axis=1)
K_without_density = K / np.outer(density, density)
walk = K_without_density / K_without_density.sum(axis=1, keepdims=True)
estimator = lw.DiffusionMaps(2, bandwidth=bandwidth, density_alpha=1.0, diffusion_time=8).fit(X)
assert np.allclose(diffusion.operator(X).toarray(), walk, atol=1e-12)
assert np.allclose(walk @ coordinates, coordinates * estimator.eigenvalues_, atol=1e-7)
assert np.allclose(np.abs(coordinates), np.abs(estimator.embedding_), atol=1e-7)  # up to signs
off = abs(walk @ coordinates - coordinates * estimator.eigenvalues_).max()
differences["diffusion maps"] = "normalization, propagation", "NumPy", off

ax = plots.embedding(coordinates, y, names=(r"$\mu_2^8\,\psi_2$", r"$\mu_3^8\,\psi_3$"))
ax.set_title("Diffusion coordinates pull the moons apart\n(color and shape: the moon)")
plt.show()

# %% [markdown]
# Two points are close here if walks of 8 steps from them end in the same places. The first coordinate tells
# the moons apart, the second runs along a moon.
#
# ## 5. Label propagation: turn the propagation again
#
# Now only two points have a label, and it is held fixed. All others take the mean of what they hear until
# nothing changes: $F = PF$ (Zhu and Ghahramani 2002). In NumPy it is a system of linear equations.

# %%
labeled = [n_points // 5, n_points // 2 + n_points // 5]  # one point of each moon
partly_known = np.full(n_points, -1)
partly_known[labeled] = y[labeled]
one_hot = (partly_known[:, None] == [0, 1]).astype(float)
is_known = partly_known >= 0

equilibrium = m.replace(propagation="equilibrium")
F = equilibrium.propagate(X, one_hot, clamped=is_known)

unknown = ~is_known
system = np.eye(unknown.sum()) - P_numpy[unknown][:, unknown]
F_numpy = np.linalg.solve(system, P_numpy[unknown][:, is_known] @ one_hot[is_known])
assert np.allclose(F[unknown], F_numpy, atol=1e-6)
peer = LabelPropagation(gamma=gamma, max_iter=100_000, tol=1e-9).fit(X, partly_known)
assert np.allclose(F, peer.label_distributions_, atol=1e-6)
differences["label propagation"] = "propagation", "scikit-learn", abs(F - peer.label_distributions_).max()

# %%
spread_to = F.argmax(axis=1)
titles = (
    "Two labels are known (stars)",
    f"Where they spread: {np.mean(spread_to == y):.0%} of points are right",
)
_, axes = plt.subplots(1, 2, figsize=(8.6, 2.9), layout="constrained", sharey=True)
for ax, labels, title in zip(axes, (partly_known, spread_to), titles):
    plots.embedding(X, labels, ax=ax, names=("$x_1$", "$x_2$"))
    ax.scatter(*X[labeled].T, marker="*", s=170, c="gold", edgecolor="black", zorder=3)
    ax.set(title=title, aspect="equal")

# %% [markdown]
# ## 6. Mean shift: let the points move
#
# Take the points themselves as values and apply the step again and again. Each query moves to the mean of
# what it hears, the keys stay where they are. With the Gaussian kernel this climbs a density estimate
# (Comaniciu and Meer 2002). scikit-learn's `MeanShift` has a flat kernel, so we turn that slot too.

# %%
moving = m.replace(propagation=propagations.Steps(50, moving="points"))
by_hand = X.copy()
for _ in range(50):
    weights = np.exp(-((by_hand[:, None] - X) ** 2).sum(axis=-1) / (2 * bandwidth**2))
    by_hand = weights @ X / weights.sum(axis=1, keepdims=True)
assert np.allclose(moving.propagate(X), by_hand, atol=1e-9)

until_still = propagations.Steps(moving="points", tol=1e-6, max_iter=3000)
gaussian_ends = m.replace(propagation=until_still).propagate(X)
flat_ends = m.replace(kernel=kernels.Indicator(0.5), propagation=until_still).propagate(X)
peer = MeanShift(bandwidth=0.5).fit(X)
from_end = np.sqrt(((peer.cluster_centers_[:, None] - flat_ends) ** 2).sum(axis=-1)).min(axis=1)
assert from_end.max() < 1e-9  # each center of scikit-learn is an end of ours
differences["mean shift"] = "kernel, propagation", "scikit-learn", from_end.max()
places = [len(np.unique(ends.round(2), axis=0)) for ends in (gaussian_ends, flat_ends)]
print(f"places where points end: {places[0]} (Gaussian), {places[1]} (flat);",
      f"scikit-learn keeps {len(peer.cluster_centers_)} of the flat kernel's")  # fmt: skip

# %%
titles = (f"Gaussian, h = {bandwidth}: points climb to {places[0]} places",
          f"Flat, h = 0.5: points climb to {places[1]} places")  # fmt: skip
figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.1), layout="constrained", sharey=True)
for ax, ends, title in zip(axes, (gaussian_ends, flat_ends), titles):
    plots.arrows(X[::2], ends[::2], X, ax=ax)  # every other point, to see the arrows
    ax.set_title(title)
figure.suptitle("From some of the points (tails) to where they end (orange); gray: the keys", fontsize=9)
plt.show()

# %% [markdown]
# A flat kernel stops in many places that are almost the same. scikit-learn and `lw.MeanShift` merge those
# that are closer than the bandwidth. Without that last step the equation is the whole method.
#
# ## 7. Attention: turn the metric
#
# So far $c$ was a squared distance, and the Gaussian of bandwidth $h$ is $e^{-c/t}$ with $t = 2h^2$. Written
# so, the kernel takes any cost. So we may turn the metric to the dot product,
# $c(x, z) = -\langle x, z\rangle$. Rows that are divided by their sums are then a softmax, and
# $P V = \mathrm{softmax}(X X^\top / t)\, V$ (Vaswani et al. 2017). In a transformer the points first go
# through learned matrices. The equation is the same.

# %%
temperature = 2 * bandwidth**2
same = m.replace(kernel=kernels.Exponential(temperature))  # m under another name
assert np.allclose(same.operator(X).toarray(), P_numpy, atol=1e-12)

attention = same.replace(metric="dot")
softmax = np.exp(X @ X.T / temperature)
softmax /= softmax.sum(axis=1, keepdims=True)
attended = attention.operator(X) @ X
assert np.allclose(attended, softmax @ X, atol=1e-10)
assert np.allclose(attended, lw.attention(X, X, X, temperature=temperature), atol=1e-10)
differences["attention"] = "metric, kernel", "NumPy", abs(attended - softmax @ X).max()
attention.operator(X)

# %%
titles = "Squared distances: to the surroundings", "Dot products: to the long keys"
figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.1), layout="constrained", sharey=True)
for ax, mechanism, title in zip(axes, (m, attention), titles):
    plots.arrows(X[::5], (mechanism.operator(X) @ X)[::5], X, ax=ax)  # every fifth point
    ax.set_title(title)
figure.suptitle(
    "One step, from some of the points (tails) to what they hear (orange); gray: the keys", fontsize=9
)
plt.show()
heard, lengths = softmax.sum(axis=0), np.linalg.norm(X, axis=1)
loudest = np.argsort(heard)[-5:]
print(f"the five loudest keys of {n_points} have {heard[loudest].sum() / n_points:.0%} of all attention")
print(f"their mean length: {lengths[loudest].mean():.2f}; of all points: {lengths.mean():.2f}")

# %% [markdown]
# This is what the metric changes. Under squared distances a point hears its surroundings. Under dot products
# everybody hears the long keys: without learned projections, attention on raw coordinates does not see the
# moons. `03_from_neighbors_to_attention` has the exact relation.
#
# ## 8. Hopfield retrieval: attention, repeated
#
# The update of a modern Hopfield network is attention with the stored patterns as keys and values, repeated
# until the query stands still (Ramsauer et al. 2020). It is mean shift with the slots of attention.

# %%
n_steps = 50
state = X.copy()
for _ in range(n_steps):
    weights = np.exp(state @ X.T / temperature)
    state = weights @ X / weights.sum(axis=1, keepdims=True)
steps = attention.replace(propagation=propagations.Steps(n_steps, moving="points")).propagate(X)
assert np.allclose(steps, state, atol=1e-9)

retrieval = attention.replace(propagation=propagations.Steps(moving="points", max_iter=1000))
retrieved = retrieval.propagate(X)
memory = lw.HopfieldMemory(temperature=temperature, max_iter=1000).fit(X)
assert np.allclose(retrieved, memory.transform(X), atol=1e-12)
differences["Hopfield retrieval"] = "metric, kernel, propagation", "NumPy", abs(steps - state).max()
print("fixed points that are retrieved:", np.unique(retrieved.round(2), axis=0).tolist())

# %% [markdown]
# All points end in a few places at the far edge of the data. Now turn only the metric back. At the same
# temperature the same memory is Gaussian mean shift:

# %%
by_distance = lw.HopfieldMemory(metric="sqeuclidean", temperature=temperature, max_iter=3000, tol=1e-9)
settled = by_distance.fit(X).transform(X)
assert np.allclose(settled, gaussian_ends, atol=1e-3)
print(f"Hopfield retrieval by distances beside mean shift: at most {abs(settled - gaussian_ends).max():.0e}")

# %% [markdown]
# ## Side by side
#
# Each line says which slots differ from $m$, what the result was compared with, and the largest difference.
# For spectral clustering the difference is 1 minus the adjusted Rand index with scikit-learn's clusters.

# %%
print(f"{'method':20} {'slots that were turned':29} {'beside':13} difference")
for method, (turned, reference, difference) in differences.items():
    print(f"{method:20} {turned:29} {reference:13} {difference:.0e}")
assert len(differences) == 8


# %%
def draw_surface(mechanism, ax):
    values = share_of_moon_1(mechanism).reshape(len(grid_y), len(grid_x))
    plots.decision_surface(grid_x, grid_y, values, X, y, ax=ax, levels=[0.5])


figure, axes = plt.subplots(2, 4, figsize=(9.6, 4.6), layout="constrained")
panels = dict(zip(differences, axes.flat))
draw_surface(m, panels["kernel regression"])
draw_surface(vote, panels["k-NN"])
plots.embedding(X, clusters, ax=panels["spectral clustering"])
plots.embedding(coordinates, y, ax=panels["diffusion maps"])
plots.embedding(X, spread_to, ax=panels["label propagation"])
plots.arrows(X[::3], flat_ends[::3], X, ax=panels["mean shift"])
plots.arrows(X[::5], attended[::5], X, ax=panels["attention"])
plots.arrows(X[::5], retrieved[::5], X, ax=panels["Hopfield retrieval"])
for number, (method, ax) in enumerate(panels.items(), start=1):
    ax.set_title(f"{number} {method}\nturned: {differences[method][0]}", fontsize=9, loc="left")
    ax.set(xlabel="", ylabel="", xticks=[], yticks=[], aspect="auto")
figure.suptitle("Eight methods from one equation; below each name the slots that were turned")
plt.show()

# %% [markdown]
# ## Turn the slots yourself
#
# One function shows three readings of any mechanism at once: the matrix; the two known labels after some
# steps of it; the second and third eigenvector.

# %%
METRICS = ("sqeuclidean", "manhattan", "chebyshev", "cosine")
SUPPORTS = {
    "all": supports.AllPairs(),
    "10 nearest": supports.Neighbors(10, include_self=True),
    "radius 0.5": supports.Radius(0.5),
}
NORMALIZATIONS = ("row", "symmetric", "density", "bistochastic")
votes = one_hot[:, 1] - one_hot[:, 0]  # -1 and 1 at the two known points, 0 elsewhere


def three_readings(axes, metric="sqeuclidean", bandwidth=0.15, support="all", normalization="row", steps=30):
    turned = lw.Mechanism(metric=metric, kernel=kernels.Gaussian(bandwidth), support=SUPPORTS[support],
                          normalization=normalization)  # fmt: skip
    P = turned.operator(X)
    heard = P.power(steps, votes)
    guess = np.where(heard == 0, -1, heard > 0).astype(int)  # -1, gray: no label has come this far
    axes[0].imshow(np.sqrt(P.toarray()), cmap="Greys", interpolation="nearest")
    plots.embedding(X, guess, ax=axes[1])
    plots.embedding(P.eigsh(3)[1][:, 1:], y, ax=axes[2])
    for ax in axes:
        ax.set(xlabel="", ylabel="", xticks=[], yticks=[])
    axes[1].set_title(f"right: {np.mean(guess == y):.0%}", fontsize=9)


# %% [markdown]
# With a live kernel the next cell has a slider or a menu for each slot. Without one, look at the frames below
# it.


# %%
def sliders():
    """A menu or a slider for each slot, and the three readings."""
    from ipywidgets import Dropdown, FloatLogSlider, IntSlider, VBox, interactive_output

    def draw(**slots):
        _, axes = plt.subplots(1, 3, figsize=(10.5, 3.2), layout="constrained")
        three_readings(axes, **slots)
        axes[0].set_title("matrix")
        axes[2].set_title("eigenvectors 2 and 3")
        plt.show()

    controls = {
        "metric": Dropdown(options=METRICS),
        "bandwidth": FloatLogSlider(0.15, min=-1.7, max=0.5, step=0.05, continuous_update=False),
        "support": Dropdown(options=list(SUPPORTS)),
        "normalization": Dropdown(options=NORMALIZATIONS),
        "steps": IntSlider(30, min=0, max=200, continuous_update=False),
    }
    for name, control in controls.items():
        control.description, control.style.description_width = name, "90px"
    return VBox([*controls.values(), interactive_output(draw, controls)])


# %%
try:
    panel = sliders()
except ImportError:
    print("ipywidgets is not installed, so there are no sliders; the frames below need none.")
else:
    if "JPY_SESSION_NAME" in os.environ:  # Jupyter sets it for a notebook that somebody has open
        display(panel)
    else:
        print("Not in an open Jupyter session, so no sliders are shown. To show them anyway: sliders()")

# %%
frames = {
    "as before": {},
    "metric\ncosine": {"metric": "cosine"},
    "bandwidth\n0.05": {"bandwidth": 0.05},
    "bandwidth\n0.5": {"bandwidth": 0.5},
    "support\n10 nearest": {"support": "10 nearest"},
    "normalization\ndensity": {"normalization": "density"},
    "steps\n5": {"steps": 5},
}
figure, axes = plt.subplots(3, len(frames), figsize=(10.5, 4.8), layout="constrained")
for column, (name, slots) in zip(axes.T, frames.items()):
    three_readings(column, **slots)
    column[0].set_title(name, fontsize=10, weight="bold")
for ax, name in zip(axes[:, 0], ("matrix", "two labels,\nafter 30 steps", "eigenvectors\n2 and 3")):
    ax.set_ylabel(name)
figure.suptitle("One slot turned in each column")
plt.show()

# %% [markdown]
# The cosine compares directions from the origin. Parts of both moons lie in one direction, so labels cross
# over. A bandwidth of 0.05 cuts the moons into pieces, and the eigenvectors show single pieces. A bandwidth
# of 0.5 joins the moons, and after 30 steps one label has won everywhere. Support and normalization change
# little on these data. Five steps are too few for the ends.
#
# ## Answer
#
# Yes, as far as this goes: eight methods gave their published result from one equation, to rounding or to a
# solver's tolerance, on these data, with up to three slots turned. What is not in the equation is what some
# of them do afterward: k-means on the eigenvectors, merging modes, the learned matrices of a transformer. The
# view is that of Ruan and Zhang (2024, arXiv 2412.18288).
#
# ## Exercises
#
# ### Exercise 1
#
# Label spreading (Zhou et al. 2004) does not hold the known labels fixed. It solves
# $F = \alpha S F + (1 - \alpha) Y$ with $S = D^{-1/2} K D^{-1/2}$, in which no point hears itself. Which
# slots of `equilibrium` must be turned? Compare with scikit-learn's `LabelSpreading` at $\alpha = 0.9$, which
# divides the rows of $F$ by their sums at the end.

# %% tags=["hide-cell"] jupyter={"source_hidden": true}
# Solution of exercise 1
spreading = equilibrium.replace(
    support="leave_one_out", normalization="symmetric", propagation=propagations.Equilibrium(alpha=0.9)
)
spread = spreading.propagate(X, one_hot)
spread /= spread.sum(axis=1, keepdims=True)
peer = LabelSpreading(gamma=gamma, alpha=0.9, max_iter=10_000, tol=1e-12).fit(X, partly_known)
assert np.allclose(spread, peer.label_distributions_, atol=1e-5)
print(f"three slots; largest difference {abs(spread - peer.label_distributions_).max():.0e}")
print(f"right with two labels: {np.mean(spread.argmax(axis=1) == y):.3f} of {n_points} points")

# %% [markdown]
# ### Exercise 2
#
# Steps of a random walk and its spectrum are two readings of one matrix. Compute $P^5 y$ from all eigenpairs
# of $m$, $P^t y = \sum_k \mu_k^t\, \psi_k \sum_i \pi_i\, \psi_k(i)\, y_i$, and compare it with `Steps(5)`.
# The stationary law $\pi$ is `np.exp(P.log_stationary)` divided by its sum.

# %% tags=["hide-cell"] jupyter={"source_hidden": true}
# Solution of exercise 2
mu, psi = P.eigsh(n_points)
stationary = np.exp(P.log_stationary)
stationary /= stationary.sum()
from_spectrum = psi @ (mu**5 * (psi.T @ (stationary * y)))
from_steps = m.replace(propagation=propagations.Steps(5)).propagate(X, y)
assert np.allclose(from_spectrum, from_steps, atol=1e-8)
print(f"largest difference: {abs(from_spectrum - from_steps).max():.0e}")
