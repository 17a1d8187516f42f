# %% [markdown]
# # Learn a metric once, use it everywhere
#
# Nearest neighbors, kernel regression, spectral clustering, label propagation and diffusion maps all
# begin with the same step: they ask how different two points are. Attention begins with it too, and it
# *learns* the answer. If a model has learned which points are alike, can the other methods use that?
#
# Below, a metric is learned in four ways on data with columns that say nothing, and put into five
# methods. At the end you will have seen where that helps (up to an almost perfect score), where it
# changes little, where it does harm, and how to look at such a metric, save it and hand it on.

# %%
import os
import pickle
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import t as student_t
from sklearn.datasets import load_digits, make_moons
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

import likewise as lw
from likewise import plots

QUICK = bool(os.environ.get("LIKEWISE_QUICK"))  # small sizes, for the tests
N_TRAIN, N_TEST = (100, 60) if QUICK else (300, 200)
SEEDS = range(10, 12) if QUICK else range(10, 18)  # the settings below were chosen on seeds 0 to 3

# %% [markdown]
# ## Data with columns that say nothing
#
# Two moons in two columns, and eight columns of noise with the same variance. A Euclidean distance
# counts all ten columns alike. The 300 training points have labels; the 200 test points are only scored.


# %%
def moons(seed, n=N_TRAIN + N_TEST, n_noise=8):
    X, y = make_moons(n, noise=0.1, random_state=seed)
    noise = np.random.default_rng(seed).standard_normal((n, n_noise))
    return np.c_[StandardScaler().fit_transform(X), noise], y


X, y = moons(SEEDS[0])
X_train, y_train, X_test, y_test = X[:N_TRAIN], y[:N_TRAIN], X[N_TRAIN:], y[N_TRAIN:]
fig, axes = plt.subplots(1, 2, figsize=(8, 3.6))
plots.embedding(X_train[:, :2], y_train, ax=axes[0], names=("column 0", "column 1"))
plots.embedding(X_train[:, 2:4], y_train, ax=axes[1], names=("column 2", "column 3"))
axes[0].set_title("Two columns tell the classes apart")
axes[1].set_title("and eight columns say nothing")
fig.tight_layout()
for name, columns in (("all ten columns", slice(None)), ("columns 0 and 1", slice(2))):
    model = lw.KNeighborsClassifier(5).fit(X_train[:, columns], y_train)
    print(f"5 nearest neighbors, {name}: test accuracy {model.score(X_test[:, columns], y_test):.3f}")

# %% [markdown]
# The gap between the two numbers is what a better metric could win here.
#
# ## Four ways to learn a metric
#
# All four compare points after a map $\varphi$: $c(x, z) = |\varphi(x) - \varphi(z)|^2$.
#
# | name | the map $\varphi$ | what it is trained for |
# |---|---|---|
# | NCA | linear, $Wx$ | each point's class, told by the other points (Goldberger et al. 2004) |
# | deep NCA | $Wx + W_2 \tanh(W_1 x + b_1)$ | the same (Salakhutdinov and Hinton 2007) |
# | L2 attention | linear, $Wx$ | log loss of rows that attend to labeled rows (scores of Kim et al. 2021) |
# | metric-attention | $h + W_2 \tanh(W_1 h + b_1)$, $h = Ax + a$ | log loss of a network, see below |
#
# The last is the first module of the network of Ruan and Zhang (2024), in which rows attend to one
# another.
#
# In each, the weight of point $j$ for point $i$ is $\exp(-c(x_i, x_j)/t)$, divided by the sum of the
# row. That is attention, and kernel regression too. The two attention models are trained to predict;
# their metric is read out afterwards.


# %%
def learn(X, y, seed):
    """The metrics by their names."""
    nca = lw.MetricLearner(random_state=seed).fit(X, y)
    deep = lw.MetricLearner(map="residual_mlp", random_state=seed).fit(X, y)
    rows = {"embed_dim": X.shape[1], "num_heads": 1, "max_epochs": 100, "early_stopping": False}
    attention = lw.AttentionClassifier("l2", random_state=seed, **rows).fit(X, y, context="rows")
    network = lw.PropagationClassifier("metric", n_layers=1, map_width=32, random_state=seed).fit(X, y)
    return {
        "Euclidean": lw.metrics.SquaredEuclidean(),
        "NCA": nca.metric_,
        "deep NCA": deep.metric_,
        "L2 attention": attention.mechanism_.metric,
        "metric-attention": network.network_.input_metric(),
    }


learned = learn(X_train, y_train, SEEDS[0])
for name, metric in learned.items():
    print(f"{name:<18}{type(metric).__name__:<18}{metric.formula}")
lw.Mechanism(metric=learned["NCA"], kernel="exponential", support="leave_one_out")

# %% [markdown]
# The last line shows the operator that NCA trains, as a mechanism of five slots: its metric was open,
# and now it has numbers.
#
# ## A linear metric is a map, to the last bit
#
# `Mapped(phi, metric)` compares points after a map, by any metric. With a linear map and squared
# distances it must be `Mahalanobis(W)`. The cell checks that on all pairs, and what it means for a
# learned network: map the points yourself, and plain Euclidean distances give the same weights.

# %%
W = learned["NCA"].factor
as_matrix, as_map = lw.metrics.Mahalanobis(W), lw.metrics.Mapped(lw.maps.Linear(W))
all_pairs = lw.Mechanism(kernel=lw.kernels.Exponential(1.0))  # its metric is filled in below


def weights(metric, points, mechanism=all_pairs):
    return mechanism.replace(metric=metric).operator(points).toarray()


assert np.array_equal(weights(as_matrix, X_test), weights(as_map, X_test))  # not one bit differs

phi = learned["metric-attention"].map
assert np.allclose(
    weights(learned["metric-attention"], X_test), weights("sqeuclidean", phi(X_test)), atol=1e-12
)

seven = all_pairs.replace(support=lw.supports.Neighbors(7))
rounding = np.abs(weights(as_matrix, X_test, seven) - weights(as_map, X_test, seven)).max()
assert rounding < 1e-12
print(f"all pairs: equal bit for bit; among 7 neighbors: equal to {rounding:.0e}")
for metric in (as_matrix, as_map):
    distances, _ = lw.NearestNeighbors(n_neighbors=1, metric=metric).fit(X_train).kneighbors(X_test[:1])
    print(f"{type(metric).__name__:<12} reports the nearest point at {distances[0, 0]:.3f}")

# %% [markdown]
# One difference is left, and it is a unit: a search reports $|Wx - Wz|$ of `Mahalanobis`, and the square
# of that of `Mapped(Linear(W))`. So the radius of `Radius(r)` and `weights="distance"` mean different
# things for the two. `Mapped(Linear(W), "euclidean")` reports the distance.
#
# ## What has been learned: which columns count?
#
# The slope of a map along column $f$ says how much that column counts:
# $s_f = \sqrt{\operatorname{mean}_i \sum_k (\partial \varphi_k / \partial x_f)^2}$ over the test points.
# Of a linear map it is the length of a column of $W$. Maps know their derivative (`map.vjp`), so one
# function reads all four.


# %%
def map_of(metric):
    return metric.map if isinstance(metric, lw.metrics.Mapped) else lw.maps.Linear(metric.factor)


def slopes(phi, X):
    """How much each column counts, on the average over the points X."""
    squares = 0
    for k in range(phi(X[:1]).shape[1]):
        only_k = np.zeros(phi(X).shape)
        only_k[:, k] = 1
        squares = squares + phi.vjp(X, only_k)[0] ** 2
    return np.sqrt(squares.mean(axis=0))


# %%
fig, ax = plt.subplots(figsize=(7, 3.2))
for (name, metric), shape in zip(list(learned.items())[1:], "os^D"):
    of_column = slopes(map_of(metric), X_test)
    ax.plot(of_column / of_column.max(), shape + "--", linewidth=0.7, label=name)
    print(f"{name:<18}share of the slope in columns 0 and 1: {of_column[:2].sum() / of_column.sum():.2f}")
ax.set_xticks(range(X.shape[1]))
ax.set_xlabel("column (0 and 1 hold the moons, the others noise)")
ax.set_ylabel("slope / largest slope")
ax.set_title("Each learned metric gives the noise columns less weight")
ax.legend()
fig.tight_layout()

# %% [markdown]
# Columns 0 and 1 hold 0.20 of the ten columns, so 0.20 is the share of a Euclidean distance. All four
# learned that these two matter. None forgets the noise altogether.
#
# ## How to see a learned metric
#
# A metric of a map is a picture: map the points, and take the two directions of largest variance.
# Distances in the mapped space are the metric.

# %%
fig, axes = plt.subplots(1, 5, figsize=(14, 3.2))
pictures = {
    "Euclidean": lw.maps.Linear(np.eye(X.shape[1])),
    **{k: map_of(v) for k, v in list(learned.items())[1:]},
}
for ax, (name, phi) in zip(axes, pictures.items()):
    principal = PCA(2).fit(phi(X_train))
    share = principal.explained_variance_ratio_.sum()
    plots.embedding(principal.transform(phi(X_test)), y_test, ax=ax, names=("direction 1", "direction 2"))
    ax.set_title(f"{name}\n{share:.0%} of the variance", fontsize=10)
    ax.set_xticks([])
    ax.set_yticks([])
fig.suptitle(
    "Test points as each metric sees them: NCA brings the moons out of the noise (color, shape: class)"
)
fig.tight_layout()

# %% [markdown]
# The moons come out of the noise under NCA, for test points that it was not trained on, and deep NCA
# bends them hardly at all. L2 attention keeps little more than one plane. The head of metric-attention
# is the least sure of these four on this draw of the data; that differs from draw to draw.
#
# ## One slot in five methods
#
# Two methods ask new points for their labeled neighbors. Three more make a graph of the test points
# alone: each with its 10 nearest, under a Gaussian whose width is each point's own (`"self_tuning"`).
# The graph is one mechanism, and the three methods differ in what follows it, normalization and
# propagation. None of the five depends on the metric's unit.
#
# Scores: accuracy; for clustering the adjusted Rand index (1 perfect, 0 chance); label propagation is
# told 3 labels a class; of the two diffusion coordinates, the accuracy of 5 nearest neighbors, each
# point left out.


# %%
def graph_of(metric):
    own_width = lw.kernels.Gaussian("self_tuning")
    return lw.Mechanism(metric=metric, kernel=own_width, support=lw.supports.Neighbors(10))


def clusters(metric, X, n_clusters, seed):
    symmetric = graph_of(metric).replace(normalization="symmetric")
    model = lw.SpectralClustering.from_mechanism(symmetric, n_clusters=n_clusters, random_state=seed)
    return model.fit_predict(X)


# %%
def propagated(metric, X, y, seed):
    order = np.random.default_rng(seed).permutation(len(y))
    told = np.concatenate([order[y[order] == c][:3] for c in np.unique(y)])
    told_y = np.where(np.isin(np.arange(len(y)), told), y, -1)
    found = lw.LabelPropagation.from_mechanism(graph_of(metric)).fit(X, told_y).transduction_
    return (found == y)[told_y == -1].mean()


def diffused(metric, X, y):
    density = graph_of(metric).replace(normalization=lw.normalizations.Density(1.0))
    coordinates = lw.DiffusionMaps.from_mechanism(density, n_components=2).fit_transform(X)
    return lw.KNeighborsClassifier(5).fit(coordinates, y).score(None, y)


graph_of(learned["NCA"]).operator(X_test)

# %% [markdown]
# The picture is the graph's matrix. Now the five scores of each metric, over several draws of the data.
# The same draw is scored under all metrics, so the differences from Euclidean are paired: a lucky draw
# is lucky for both.


# %%
def five_scores(metric, train, test, seed):
    (X, y), (Z, z) = train, test
    return {
        "k-NN": lw.KNeighborsClassifier(5, metric=metric).fit(X, y).score(Z, z),
        "kernel classifier": lw.KernelClassifier(metric=metric).fit(X, y).score(Z, z),
        "spectral clustering": adjusted_rand_score(z, clusters(metric, Z, len(np.unique(z)), seed)),
        "label propagation": propagated(metric, Z, z, seed),
        "diffusion map": diffused(metric, Z, z),
    }


# %%
def study(draw, by_hand=None):
    """The scores, an array (seeds, methods, metrics), and both names."""
    found = []
    for seed in SEEDS:
        X, y = draw(seed)
        train, test = (X[:N_TRAIN], y[:N_TRAIN]), (X[N_TRAIN:], y[N_TRAIN:])
        metrics = {**learn(*train, seed), **(by_hand or {})}
        found.append({name: five_scores(metric, train, test, seed) for name, metric in metrics.items()})
    methods = list(found[0]["NCA"])
    return np.array([[[f[m][k] for m in f] for k in methods] for f in found]), methods, list(found[0])


def half_width(differences):
    """Of the 95 % interval of a mean over the first axis, by Student's t."""
    n = len(differences)
    return student_t.ppf(0.975, n - 1) * differences.std(axis=0, ddof=1) / np.sqrt(n)


# %%
of_moons = study(moons, {"columns 0, 1": lw.metrics.Mahalanobis(np.eye(2, X.shape[1]))})
scores, methods, names = of_moons
print(f"moons, {len(SEEDS)} draws: mean score of Euclidean, then mean paired difference ± standard deviation")
print(f"{'':<20}" + "".join(f"{name:>18}" for name in names))
for k, method in enumerate(methods):
    by_draw = scores[:, k] - scores[:, k, :1]
    cells = [f"{d.mean():+.2f} ± {d.std(ddof=1):.2f}" for d in by_draw.T[1:]]
    print(f"{method:<20}{scores[:, k, 0].mean():18.2f}" + "".join(f"{cell:>18}" for cell in cells))

# %% [markdown]
# With all five methods, each learned metric is better than Euclidean on the average. The last column is
# a metric by hand, which knows which two columns matter: NCA comes close to it. Deep NCA gains nothing
# over NCA here, and the attention models gain less: the moons need columns dropped, not bent, and
# attention was trained for a task of its own. Spreads are large for clustering, where one draw is cut
# well and another badly.
#
# These settings were chosen by looking, on other draws: with fewer points and noisier moons the gains
# were smaller, and one choice decides much, the number of components that NCA may keep. Two would be
# enough for the moons.

# %%
for n_components, init in ((2, "auto"), (4, "auto"), (10, "auto"), (2, "identity")):
    change, losses = [], []
    for seed in SEEDS:
        X, y = moons(seed)
        (X, y), (Z, z) = (X[:N_TRAIN], y[:N_TRAIN]), (X[N_TRAIN:], y[N_TRAIN:])
        learner = lw.MetricLearner(n_components, init=init, random_state=seed).fit(X, y)
        models = [lw.KNeighborsClassifier(5, metric=m).fit(X, y) for m in ("euclidean", learner.metric_)]
        change.append(models[1].score(Z, z) - models[0].score(Z, z))
        losses.append(learner.loss_ / N_TRAIN)
    told = f"{np.mean(change):+.2f} ± {np.std(change, ddof=1):.2f}, training loss {np.mean(losses):.3f}"
    print(f"NCA, {n_components:>2} components, init={init!r:<11} k-NN from Euclidean: {told}")

# %% [markdown]
# With 2 or 4 components and the usual start (principal components, which say little here) NCA gains
# nothing. It is the search that fails, not the rank: started from the first two columns (`"identity"`,
# which on these data gives the answer away) it reaches a much lower training loss. The table above keeps
# all ten.
#
# ## Where a linear map is not enough, and where nothing is to be won
#
# Two more data sets, with the same code:
#
# * **shells**: the class is the distance from the center in four columns (1 or 1.5), and four columns
#   are noise. No linear map can tell the shells apart. By hand: the map $x \mapsto |(x_0, \dots, x_3)|$.
# * **digits**: scikit-learn's 8 x 8 images. No noise was added, and Euclidean distances are known to be
#   good.


# %%
def shells(seed, n=N_TRAIN + N_TEST):
    random = np.random.default_rng(seed)
    y = np.arange(n) % 2
    direction = random.standard_normal((n, 4))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    points = direction * (1 + 0.5 * y + 0.1 * random.standard_normal(n))[:, None]
    return np.c_[StandardScaler().fit_transform(points), random.standard_normal((n, 4))], y


def digits(seed, n=N_TRAIN + N_TEST):
    X, y = load_digits(return_X_y=True)
    drawn = np.random.default_rng(seed).permutation(len(X))[:n]
    return X[drawn] / 16, y[drawn]


radius_map = lw.maps.Custom(lambda X: np.linalg.norm(X[:, :4], axis=1, keepdims=True))
of_shells = study(shells, {"the radius": lw.metrics.Mapped(radius_map)})
of_digits = study(digits)

# %%
titles = (
    "Two moons, 8 columns of noise: a linear metric is enough",
    "Shells, 4 columns of noise: only metric-attention comes near the map by hand",
    "Digits, no noise: neighbors lose a little, groupings gain with metric-attention",
)
fig, axes = plt.subplots(3, 1, figsize=(8.5, 12.5))
for ax, title, (scores, methods, names) in zip(axes, titles, (of_moons, of_shells, of_digits)):
    by_draw = scores - scores[:, :, :1]
    means, change, spread = scores.mean(axis=0), by_draw.mean(axis=0), half_width(by_draw)
    spread[:, 0] = np.nan  # the reference differs from itself by nothing
    clear = np.nan_to_num(np.abs(change) > spread)
    plots.heat_map(
        means, spread, change, clear, row_names=methods, column_names=names, reference="Euclidean", ax=ax
    )
    ax.set_title(title)
note = "mean score, and ± the 95 % interval of its paired difference from Euclidean; bold: it leaves out 0"
fig.suptitle(note, fontsize=10)
fig.tight_layout(rect=(0, 0, 1, 0.99))

# %% [markdown]
# Read a row to compare metrics, a column to follow one metric through five methods.
#
# * On the shells, NCA and deep NCA win something for the two methods that have labels, since they turn
#   the noise down. They do next to nothing for the three that work on the test points alone: a linear
#   map cannot flatten a shell, and deep NCA, whose map could bend, does not find it (exercise 2 looks
#   for the reason). The head of the metric-attention model finds much of what the radius by hand has,
#   though for clustering only on some of the draws: that interval is wide.
# * On the digits, the two methods that use the 300 labels anyway lose one to three points: the distances
#   were good, and the labels are used a second time. The three groupings gain with metric-attention,
#   since the metric brings in labels that they have not seen; with the other metrics they change little.
#
# That last gain needs a second look. If the classes of the metric are the classes that are wanted, why
# cluster?

# %%
X, y = digits(SEEDS[0])
train, Z, z = (X[:N_TRAIN], y[:N_TRAIN]), X[N_TRAIN:], y[N_TRAIN:]
head = learn(*train, SEEDS[0])["metric-attention"]
told = lw.KernelClassifier().fit(*train).predict(Z)
print("adjusted Rand index on the test digits, one draw")
for name, groups in {
    "spectral clustering, Euclidean": clusters("euclidean", Z, 10, 0),
    "spectral clustering, metric-attention": clusters(head, Z, 10, 0),
    "Euclidean kernel classifier, same labels": told,
}.items():
    print(f"  {name:<42}{adjusted_rand_score(z, groups):.2f}")

# %% [markdown]
# A plain classifier that is taught the same labels groups the test points better than clustering with a
# learned metric. The metric is a way to hand knowledge on, not a better use of it.
#
# ## Where it does harm: a question that the metric was not asked
#
# A metric keeps what its labels asked for and drops the rest. Learn it from the digits 0 to 4, and use
# it on the digits 5 to 9.

# %%
X, y = load_digits(return_X_y=True)
X, scores = X / 16, []
for seed in SEEDS:
    order = np.random.default_rng(seed).permutation(len(X))
    low, high = order[y[order] < 5][:N_TRAIN], order[y[order] >= 5][:N_TRAIN]
    learned_low = learn(X[low], y[low], seed)
    found = [adjusted_rand_score(y[high], clusters(m, X[high], 5, seed)) for m in learned_low.values()]
    votes = [lw.KNeighborsClassifier(5, metric=m).fit(X[high], y[high]) for m in learned_low.values()]
    scores.append([found, [model.score(None, y[high]) for model in votes]])
scores = np.array(scores)

# %%
print("digits 5 to 9 under metrics of the digits 0 to 4, mean ± standard deviation of the paired difference")
for k, name in enumerate(learned_low):
    by_draw = scores[:, :, k] - scores[:, :, 0]
    cells = [
        f"{scores[:, s, k].mean():.2f} ({by_draw[:, s].mean():+.2f} ± {by_draw[:, s].std(ddof=1):.2f})"
        for s in (0, 1)
    ]
    print(f"{name:<18}clustering, Rand index {cells[0]:<24}  k-NN, left out {cells[1]}")

# %% [markdown]
# Nothing learned from the first five digits helps with the other five. NCA and deep NCA lose little.
# They start at the given columns and stop once the training points are told right, which may be why. The
# attention models lose most. A learned metric is for the classes that it was learned from.
#
# ## A mapped metric goes into any method
#
# Every estimator with a `metric` takes one. The cell tries them all on the moons, and prints the words
# of those that refuse. (Mean shift warns that its 300 steps were too few at the bandwidth that it
# chose.)

# %%
network_metric, took = learned["metric-attention"], []
for name in lw.__all__:
    method = getattr(lw, name)
    if not hasattr(method, "fit") or "metric" not in method().get_params():
        continue
    try:
        method(metric=network_metric).fit(X_train, y_train)
        took.append(name)
    except ValueError as refusal:
        print(f"{name} refuses: {str(refusal).split('; got')[0]}\n")
print("These take a metric through a network:", ", ".join(took))

# %% [markdown]
# The one that refuses has a reason: a density needs the volume of a ball, which a bent metric does not
# have in closed form. What follows the map is free as well: `Mapped(phi, "manhattan")` or `Mapped(phi,
# "cosine")`.
#
# ## Save it, pickle it, make it a layer again
#
# Metrics are values: they compare, pickle and print. An attention model saves itself into one file,
# which C++ reads too. And a linear metric can go back to where it came from: `L2Attention.from_metric`
# is a layer that is kernel regression with that metric, and can be trained on.

# %%
for metric in learned.values():
    assert pickle.loads(pickle.dumps(metric)) == metric

rows = {"embed_dim": 4, "num_heads": 1, "max_epochs": 50, "random_state": 0}
model = lw.AttentionClassifier("l2", **rows).fit(X_train, y_train, context="rows")
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "model.likewise"
    model.save(path)
    again = lw.AttentionClassifier.load(path)
assert np.array_equal(again.predict_proba(X_test), model.predict_proba(X_test))
assert again.mechanism_ == model.mechanism_

layer = lw.nn.L2Attention.from_metric(learned["NCA"], temperature=1.0, n_targets=1)
exponential = lw.kernels.Exponential(1.0)
regressor = lw.KernelRegressor(kernel=exponential, metric=learned["NCA"]).fit(X_train, y_train.astype(float))
tokens = np.c_[X_train, y_train]  # a row and its target
assert np.allclose(layer.forward(tokens)[:, -1], regressor.predict(X_train))
print("pickled, saved and loaded: equal; as a layer: the same predictions as kernel regression")

# %% [markdown]
# ## What is left to remember
#
# * A metric is one slot. What one model learns for it, every other method can use as it is.
# * It helps where the data have directions that say nothing for the question, and there are labels
#   enough to find them. A linear map can only drop and stretch; a network can bend, if the training
#   finds how.
# * It does little where the given distance is good, and harm where the question changes.
# * If the labels are for the very classes that are wanted, a plain classifier may be all that is needed.
#
# Sources: Goldberger, Roweis, Hinton and Salakhutdinov 2004 (NCA); Salakhutdinov and Hinton 2007
# (nonlinear NCA); Kim, Papamakarios and Mnih 2021 (L2 attention); Ruan and Zhang 2024, arXiv 2412.18288
# (metric-attention, the propagation network, and the view of attention that this library is built from).
#
# ## Exercises
#
# ### Exercise 1
#
# How many labels does it take? Learn the metrics of the moons from 20, 40, 80, 160 and 320 labeled
# points, and draw the accuracy of 5 nearest neighbors (of the same labeled points) over that number, for
# each metric.

# %% tags=["hide-cell"] jupyter={"source_hidden": true}
# Solution of exercise 1
counts = (20, 40) if QUICK else (20, 40, 80, 160, 320)
found = {}
for seed in SEEDS:
    X, y = moons(seed, n=counts[-1] + N_TEST)
    Z, z = X[counts[-1] :], y[counts[-1] :]
    for n in counts:
        for name, metric in learn(X[:n], y[:n], seed).items():
            model = lw.KNeighborsClassifier(5, metric=metric).fit(X[:n], y[:n])
            found.setdefault((name, n), []).append(model.score(Z, z))
fig, ax = plt.subplots(figsize=(7, 4))
for name, line in zip(list(learned)[1:], ("-", "--", ":", "-.")):
    change = np.array([np.subtract(found[name, n], found["Euclidean", n]) for n in counts]).T
    mean, spread = change.mean(axis=0), half_width(change)
    plots.curve(counts, mean, mean - spread, mean + spread, ax=ax, label=name, linestyle=line)
    print(f"{name:<18}" + "  ".join(f"{n}: {m:+.2f} ± {s:.2f}" for n, m, s in zip(counts, mean, spread)))
ax.axhline(0, color="black", linewidth=0.8)
ax.set_xscale("log")
ax.set_xticks(counts, counts)
ax.minorticks_off()
ax.set_xlabel("labeled points")
ax.set_ylabel("5-NN test accuracy minus Euclidean's")
ax.set_title("Learned metrics need labels: little is won up to 80 (bands: 95 %)")
ax.legend(loc="upper left")
fig.tight_layout()

# %% [markdown]
# ### Exercise 2
#
# On the shells, deep NCA could have found the radius: its map can bend as that of metric-attention can.
# Is it the loss that does not want it, or the search that does not find it? `MetricLearner(map=...)`
# takes a map to start from. Start it from the map of the metric-attention model, and compare losses and
# test accuracies.

# %% tags=["hide-cell"] jupyter={"source_hidden": true}
# Solution of exercise 2
lines = []
for seed in SEEDS:
    X, y = shells(seed)
    (X, y), (Z, z) = (X[:N_TRAIN], y[:N_TRAIN]), (X[N_TRAIN:], y[N_TRAIN:])
    start = learn(X, y, seed)["metric-attention"].map
    own = lw.MetricLearner(map="residual_mlp", random_state=seed).fit(X, y)
    led = lw.MetricLearner(map=start).fit(X, y)
    models = [lw.KNeighborsClassifier(5, metric=m).fit(X, y) for m in (own.metric_, led.metric_)]
    lines.append([own.loss_ / N_TRAIN, led.loss_ / N_TRAIN, *(model.score(Z, z) for model in models)])
own_loss, led_loss, own_accuracy, led_accuracy = np.mean(lines, axis=0)
print(f"from its own start:              training loss {own_loss:.5f}, test accuracy {own_accuracy:.3f}")
print(f"from the metric-attention map:   training loss {led_loss:.5f}, test accuracy {led_accuracy:.3f}")
# The lower loss is there; the search from the usual start, near a linear map, does not reach it.
