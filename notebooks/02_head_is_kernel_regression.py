# %% [markdown]
# # Your attention head is kernel regression: the identities, a trained head, and where it stops being one
#
# Kernel regression predicts a weighted mean of known values: the closer a point, the more its value counts.
# An attention head also takes a weighted mean of values. Are these the same computation, and does that
# still hold once a head has been trained? At the end you will have seen the identity to 12 digits, a
# trained head taken out of a classifier and run as a kernel regression, and a list of what is left over,
# each item with a number beside it.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import ndtr
from scipy.stats import entropy
from sklearn.datasets import load_digits

import likewise as lw
from likewise import plots

QUICK = bool(os.environ.get("LIKEWISE_QUICK"))  # small sizes, for the tests
rng = np.random.default_rng(0)

# %% [markdown]
# ## 1. Two formulas for one number
#
# A head maps each token $x$ to a query $W_q x$, each token $z_j$ to a key $W_k z_j$, and returns (Vaswani
# et al. 2017)
#
# $$y(x) = \sum_j \mathrm{softmax}_j\!\left(\frac{\langle W_q x, W_k z_j\rangle}{\sqrt d}\right) v_j .$$
#
# Kernel regression (Nadaraya 1964, Watson 1964) returns, for a kernel $K(x, z) > 0$,
#
# $$y(x) = \frac{\sum_j K(x, z_j)\, v_j}{\sum_j K(x, z_j)} .$$
#
# Softmax is nothing but exponentials divided by their sum. So the first is the second with
# $K(x, z) = \exp(\langle W_q x, W_k z\rangle / \sqrt d)$. The cell computes it both ways, and a third time
# as a `Mechanism`: the metric slot holds the bilinear score, the kernel slot the exponential.

# %%
n, width, d = 6, 5, 3  # tokens, features of a token, features of a query
X, V = rng.normal(size=(n, width)), rng.normal(size=(n, 2))
Wq, Wk = rng.normal(size=(2, d, width))

scores = (X @ Wq.T) @ (X @ Wk.T).T / np.sqrt(d)
exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
attention = exponentials / exponentials.sum(axis=1, keepdims=True) @ V


def kernel(x, z):
    return np.exp((Wq @ x) @ (Wk @ z) / np.sqrt(d))


regression = [sum(kernel(x, z) * v for z, v in zip(X, V)) / sum(kernel(x, z) for z in X) for x in X]
head = lw.Mechanism(metric=lw.metrics.Bilinear(Wq, Wk), kernel=lw.kernels.Exponential(np.sqrt(d)))
P = head.operator(X)
print(f"attention - kernel regression: {np.abs(attention - regression).max():.1e}")
print(f"attention - likewise:          {np.abs(attention - P @ V).max():.1e}")
np.testing.assert_allclose(regression, attention, atol=1e-12)
np.testing.assert_allclose(P @ V, attention, atol=1e-12)
P

# %% [markdown]
# The three agree to rounding. `P` shows its own equation: a metric, a kernel, all pairs as support, rows
# that sum to 1.
#
# ## 2. From dot products to distances
#
# The kernel above is an unusual one: it depends on a dot product, not on a distance. But
# $\langle q, k\rangle = \tfrac12(|q|^2 + |k|^2 - |q - k|^2)$, and what depends on the query alone cancels
# in each row. What remains is
#
# $$\mathrm{softmax}_j\!\left(\tfrac{\langle q, k_j\rangle}{t}\right) =
# \frac{r_j \exp(-|q - k_j|^2 / 2t)}{\sum_l r_l \exp(-|q - k_l|^2 / 2t)},
# \qquad r_j = \exp\!\left(\tfrac{|k_j|^2}{2t}\right).$$
#
# This is a Gaussian kernel of bandwidth $h = \sqrt t$ with a **key weight** $r_j$: long keys count more,
# whoever asks. Two things can be switched off, one at a time. A key bias $-|k_j|^2/2t$ (or keys of equal
# length) removes the key weights. One map $W = W_q = W_k$ makes $|q - k| = |W x - W z|$ a distance between
# tokens, a Mahalanobis distance with the matrix $W^\top W$. With both, the head is plain Gaussian kernel
# regression under a Mahalanobis metric.

# %%
t = np.sqrt(d)
gaussian = lw.Mechanism(metric="sqeuclidean", kernel=lw.kernels.Gaussian(np.sqrt(t)))
mahalanobis = gaussian.replace(metric=lw.metrics.Mahalanobis(Wq))
dot = lw.Mechanism(metric="dot", kernel=lw.kernels.Exponential(t))
q, k = X @ Wq.T, X @ Wk.T
log_r = (k**2).sum(axis=1) / (2 * t)  # key weights of the keys k
log_r_of_q = (q**2).sum(axis=1) / (2 * t)  # where one map makes queries and keys


def compare(name, by_dot_products, by_distances):
    np.testing.assert_allclose(by_dot_products @ V, by_distances @ V, atol=1e-12)
    print(f"{name:<52}{np.abs(by_dot_products @ V - by_distances @ V).max():.1e}")


key_weighted = gaussian.operator(q, k, log_key_weights=log_r)
compare("two maps: Gaussian of |q - k|, with key weights", P, key_weighted)
biased = dot.operator(q, k, log_key_weights=-log_r)
compare("two maps, key bias: Gaussian of |q - k|", biased, gaussian.operator(q, k))
key_weighted = mahalanobis.operator(X, log_key_weights=log_r_of_q)
compare("one map: Gaussian, Mahalanobis, with key weights", dot.operator(q), key_weighted)
biased = dot.operator(q, log_key_weights=-log_r_of_q)
compare("one map, key bias: Gaussian, Mahalanobis", biased, mahalanobis.operator(X))

# %% [markdown]
# All four lines are identities. The difference between them is easy to see in one dimension: tokens on a
# line, one map $W = 1/h$, and a value for each token.

# %%
x = np.sort(rng.uniform(-3, 3, 40))
y = np.sin(2 * x) + 0.15 * rng.normal(size=len(x))
line, h = np.linspace(-3, 3, 200)[:, None], 0.3
plain = lw.Mechanism(metric="dot", kernel=lw.kernels.Exponential(1.0))
with_bias = plain.operator(line / h, x[:, None] / h, log_key_weights=-(x**2) / (2 * h**2)) @ y
without_bias = plain.operator(line / h, x[:, None] / h) @ y
same = lw.KernelRegressor(bandwidth=h).fit(x[:, None], y).predict(line)
np.testing.assert_allclose(with_bias, same, atol=1e-12)

fig, ax = plt.subplots(figsize=(7, 3.2))
ax.plot(x, y, "o", color="0.6", markersize=4, label="keys $z_j$ and their values $v_j$")
ax.plot(line, with_bias, color=plots.CLASS_COLORS[0], label="with the key bias = KernelRegressor")
ax.plot(line, without_bias, "--", color=plots.CLASS_COLORS[1], label="without it: key weights $r_j$ are left")
ax.set(xlabel="query x", ylabel="output y(x)", ylim=(-1.5, 2.4))
ax.set_title("Without the key bias a one-map head listens to the longest keys")
ax.legend(fontsize=8, ncols=2, loc="upper center")
plt.show()

# %% [markdown]
# With the key bias the head is ordinary kernel regression (the assertion compares it with
# `lw.KernelRegressor`). Without it, the long keys at both ends win for almost every query, and the curve is
# nearly a step between the two. A trained head is free to use this: key weights are a way to say "this
# token matters to everybody".
#
# ## 3. Train a small model
#
# Digits of 8 x 8 pixels. Each picture becomes 8 tokens, one for each row of pixels. Two models differ in
# their score only: `"l2"` compares tokens by $-|W x - W z|^2 / t$ (Kim, Papamakarios and Mnih 2021),
# `"dot"` by $\langle W_q x + b_q, W_k z\rangle / t$. Both have one layer of two heads, then a small MLP and
# a linear classifier.

# %%
pixels, digit = load_digits(return_X_y=True)
pixels = pixels[:400] / 16 if QUICK else pixels / 16
digit = digit[: len(pixels)]
train, test = slice(0, None, 2), slice(1, None, 2)
settings = dict(n_tokens=8, embed_dim=32, num_heads=2, max_epochs=4 if QUICK else 60, dtype="float64")


def trained(attention, seed, **more):
    model = lw.AttentionClassifier(attention, **settings, random_state=seed, **more)
    return model.fit(pixels[train], digit[train])


seeds = range(1 if QUICK else 5)
models = {attention: [trained(attention, seed) for seed in seeds] for attention in ("l2", "dot")}
for attention, runs in models.items():
    accuracies = [model.score(pixels[test], digit[test]) for model in runs]
    low, high = min(accuracies), max(accuracies)
    print(f"{attention:>3}: accuracy {np.mean(accuracies):.3f}, seeds {low:.3f} to {high:.3f}")

# %% [markdown]
# Both are fair classifiers, and close to each other on this data. Now open them. `mechanisms_[layer][head]`
# is a head as a value: its equation, with the learned map and the learned temperature in the slots.

# %%
l2, by_dot = models["l2"][0], models["dot"][0]
head = l2.mechanisms_[0][0]
head

# %% [markdown]
# ## 4. Rebuild the trained head from its equation
#
# `transform` gives the tokens that the heads of a layer compare (after embedding, position and layer norm).
# The reference is the layer itself: `layer_of` makes a layer of `lw.nn` with the model's parameters. By
# hand it takes three steps: weights by the formula $\exp(-|W x - W z|^2 / t)$ with rows divided by their
# sums, times values $W_v z + b_v$, heads side by side times the output map.


# %%
def layer_of(model):
    """The first attention layer of a model, as a layer of its own."""
    kind = {"score": "sqdist", "tied": True} if model.attention == "l2" else {"score": "dot"}
    layer = lw.nn.AttentionLayer(32, 2, **kind, learn_temperature=True, dtype="float64")
    prefix, state = "blocks.0.attention.", model.state_dict()
    layer.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    return layer


# %%
tokens = l2.transform(pixels[test])  # (pictures, 8 tokens, 32 features)
one, layer = tokens[0], layer_of(l2)
assert layer.mechanism(0) == head and layer.metric(0) == head.metric
state = layer.state_dict()
values = one @ state["v_proj.weight"].T + state["v_proj.bias"]  # 16 columns for each of two heads
by_hand = []
for mechanism in l2.mechanisms_[0]:
    z = one @ mechanism.metric.factor.T
    weights = np.exp(-((z[:, None] - z[None]) ** 2).sum(axis=2) / mechanism.kernel.temperature)
    by_hand.append(weights / weights.sum(axis=1, keepdims=True))
heads = np.hstack([by_hand[0] @ values[:, :16], by_hand[1] @ values[:, 16:]])
output = heads @ state["out_proj.weight"].T + state["out_proj.bias"]
np.testing.assert_allclose(by_hand, l2.attention_weights(pixels[test][:1])[0, 0], atol=1e-10)
np.testing.assert_allclose(output, layer.forward(one), atol=1e-10)
print(f"layer by hand - layer.forward: at most {np.abs(output - layer.forward(one)).max():.1e}")

# %% [markdown]
# So a trained L2 head is kernel regression, not something like it. To say it in scikit-learn's words: fit a
# `KernelRegressor` with the head's metric and kernel on the 8 tokens of one picture with their values as
# targets, and ask it about the same 8 tokens. The fitted numbers of the head are the metric and the
# bandwidth; each picture is a data set of 8 points.

# %%
regressor = lw.KernelRegressor.from_mechanism(head).fit(one, values[:, :16])
np.testing.assert_allclose(regressor.predict(one), heads[:, :16], atol=1e-10)
bandwidth = np.sqrt(head.kernel.temperature / 2)
z = tokens @ head.metric.factor.T
distances = np.sqrt(((z[:, :, None] - z[:, None]) ** 2).sum(axis=3))
apart = np.median(distances[:, ~np.eye(8, dtype=bool)])
n_heard = np.exp(entropy(l2.attention_weights(pixels[test])[:, 0, 0], axis=2)).mean()
print(f"bandwidth h = sqrt(t / 2) = {bandwidth:.2f}, median distance of two tokens of a picture {apart:.2f}")
print(f"a token hears {n_heard:.1f} of 8 tokens on average (exp of the entropy of its weights)")

# %% [markdown]
# ## 5. Look at its rows
#
# Each row of an attention matrix is the weighting of one kernel regression. A kernel of distances has a
# property that can be seen: nothing is closer to a token than the token itself, so the diagonal is the
# largest entry of its row. A dot product promises no such thing.

# %%
picture = 3
rows = [str(i) for i in range(8)]
fig, axes = plt.subplots(1, 5, figsize=(15, 2.9), gridspec_kw={"wspace": 0.55})
axes[0].imshow(pixels[test][picture].reshape(8, 8), cmap="Greys")
axes[0].set(title=f"a {digit[test][picture]}: 8 rows, 8 tokens", xticks=[], yticks=range(8), ylabel="token")
for kind, columns in (("l2", axes[1:3]), ("dot", axes[3:5])):
    weights = models[kind][0].attention_weights(pixels[test])[:, 0]
    own = (weights.argmax(axis=3) == np.arange(8)).mean(axis=(0, 2))
    for h, ax in enumerate(columns):
        plots.attention(weights[picture, h], rows, ax=ax, values_shown=False)
        ax.set_title(f"{kind} head {h}: own token first\nin {own[h]:.0%} of all rows", fontsize=11)
        ax.set(xlabel="attends to token", ylabel="token" if ax is axes[1] else "")
    assert kind == "dot" or np.all(own == 1)
plt.show()

# %% [markdown]
# The percentages are over all test pictures. In both L2 heads every token counts itself most, as it must.
# In the dot heads it rarely does, and dark columns show tokens that many rows listen to: that is what key
# weights look like.
#
# ## 6. A model that is kernel regression and nothing else
#
# In the model above the regression happens among the 8 tokens of one picture, and the rest of the network
# does the classification. With `context="rows"` the whole picture is one token and it attends to the
# labeled pictures; the values are their one-hot labels. Then the model has no other part: it is a
# `KernelClassifier` whose metric was learned by its leave-one-out loss.

# %%
in_context = lw.AttentionClassifier("l2", embed_dim=32, num_heads=1, max_epochs=30, random_state=0)
in_context.fit(pixels[train], digit[train], context="rows")
classifier = lw.KernelClassifier.from_mechanism(in_context.mechanism_).fit(pixels[train], digit[train])
euclidean = lw.KernelClassifier().fit(pixels[train], digit[train])
shares, same = in_context.predict_proba(pixels[test]), classifier.predict_proba(pixels[test])
np.testing.assert_allclose(shares, same, atol=1e-12)
print(f"probabilities of both: largest difference {np.abs(shares - same).max():.1e}")
print(f"accuracy: attention in context                {in_context.score(pixels[test], digit[test]):.3f}")
print(f"          kernel regression, its metric       {classifier.score(pixels[test], digit[test]):.3f}")
print(f"          kernel regression, Euclidean metric {euclidean.score(pixels[test], digit[test]):.3f}")
classifier

# %% [markdown]
# Same probabilities, same accuracy. Note the last line too: on this data a learned metric is no gain over
# the plain Euclidean distance of pixels with a bandwidth chosen by leave-one-out. The identity says what
# the model is, not that it is better.
#
# ## 7. Where it stops being kernel regression
#
# ### 7.1 Two maps: the part of a score that no distance can have
#
# A dot head has $W_q \ne W_k$. Take its 8 x 8 scores $S$ for one picture. Softmax ignores the mean of each
# row, so it is removed. The mean of each column says which keys everybody likes: key weights. What is left,
# $E$, says who likes whom, and it splits into a symmetric and an antisymmetric part, $E = E_s + T$. A
# distance is symmetric, so $T$ is beyond every kernel of a distance: "$i$ looks at $j$, but $j$ does not
# look back". The symmetric part splits further by the sign of its eigenvalues: the positive part is a
# squared distance $D_P$ that attracts, the negative part one that repels. (Written with distances, key
# weights take over half of the diagonal of $E$, as they took $|k_j|^2 / 2t$ in section 2.) Up to a constant
# in each row, exactly:
#
# $$S_{ij} = \log r_j - \tfrac12 D_P(i, j) + \tfrac12 D_N(i, j) + T_{ij} .$$
#
# (Whether trained scores are symmetric is a question of its own: Saponati et al. 2025 look at the weights
# $W_q^\top W_k$ of large models. Here the scores of real tokens are split, after the column means are taken
# out.)


# %%
def scores_of(model, layer, tokens):
    """Scores (pictures, heads, 8, 8) of a dot model's heads, the queries' bias included."""
    flat, found = tokens.reshape(-1, tokens.shape[2]), []
    for h, m in enumerate(model.mechanisms_[0]):
        q, k = tokens @ m.metric.query_factor.T, tokens @ m.metric.key_factor.T
        from_bias = layer.log_key_weights(flat, h).reshape(len(tokens), 1, -1)
        found.append(q @ k.swapaxes(1, 2) / m.kernel.temperature + from_bias)
    return np.stack(found, axis=1)


# %%
def squared_distances(gram):
    own = np.diagonal(gram, axis1=-2, axis2=-1)
    return own[..., :, None] + own[..., None, :] - 2 * gram


def split(S):
    """The four parts of scores (..., n, n), which sum to S up to a constant in each row."""
    centered = S - S.mean(axis=-1, keepdims=True)
    column = centered.mean(axis=-2, keepdims=True)
    E = centered - column
    T = (E - E.swapaxes(-1, -2)) / 2
    w, U = np.linalg.eigh(E - T)
    P, N = ((U * np.maximum(sign * w, 0)[..., None, :]) @ U.swapaxes(-1, -2) for sign in (1, -1))
    keys = column + np.diagonal(E, axis1=-2, axis2=-1)[..., None, :] / 2
    return {"key weights": keys + 0 * S, "metric": -squared_distances(P) / 2,
            "repulsion": squared_distances(N) / 2, "transport": T}  # fmt: skip


def softmax(S):
    weights = np.exp(S - S.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


# %% [markdown]
# First the checks: these scores are the model's, and the four parts sum to them.

# %%
dot_layer, dot_tokens = layer_of(by_dot), by_dot.transform(pixels[test])
S = scores_of(by_dot, dot_layer, dot_tokens)
parts = split(S)
model_weights = by_dot.attention_weights(pixels[test])[:, 0]
np.testing.assert_allclose(softmax(S), model_weights, atol=1e-10)
np.testing.assert_allclose(softmax(sum(parts.values())), model_weights, atol=1e-10)

fig, axes = plt.subplots(1, 5, figsize=(15, 2.9), gridspec_kw={"wspace": 0.3})
titles = {"metric": "metric: attracts", "repulsion": "repulsion", "transport": "transport: antisymmetric"}
shown = {"scores S, rows centered": S - S.mean(axis=-1, keepdims=True), **parts}
limit = np.abs(shown["scores S, rows centered"][picture, 0]).max()
for ax, (name, values_of_part) in zip(axes, shown.items()):
    part = values_of_part[picture, 0]
    part = part - part.mean(axis=-1, keepdims=True)
    image = ax.imshow(part, cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set(title=titles.get(name, name), xlabel="key", ylabel="query" if ax is axes[0] else "")
plots.color_bar(axes[-1], image, "score")
fig.suptitle("One digit: the scores of a dot head are the sum of four parts (row means taken out)", y=1.02)
plt.show()

# %% [markdown]
# Key weights are constant along each column. The metric part is largest on its diagonal in each row, the
# repulsion smallest. The transport part has no diagonal and changes its sign across it.
#
# How large is the antisymmetric part? The share of $|T|^2$ in $|E|^2$, over all test pictures. A number
# alone says little here: a matrix of pure noise has a large antisymmetric part too. So the same number is
# computed with the queries turned by random rotations, which keeps how queries lie among themselves and
# keys among themselves, and forgets which meets which.


# %%
def antisymmetric_share(S):
    """|T|^2 / |E|^2 of scores (pictures, heads, 8, 8), a number for each head."""
    E = S - S.mean(axis=-1, keepdims=True)
    E = E - E.mean(axis=-2, keepdims=True)
    T = (E - E.swapaxes(-1, -2)) / 2
    return (T**2).sum(axis=(0, 2, 3)) / (E**2).sum(axis=(0, 2, 3))


def rotated_scores(mechanism, tokens):
    q, k = tokens @ mechanism.metric.query_factor.T, tokens @ mechanism.metric.key_factor.T
    rotation, _ = np.linalg.qr(rng.normal(size=(q.shape[2], q.shape[2])))
    return (q @ rotation @ k.swapaxes(1, 2))[:, None]


share = antisymmetric_share(S)
for h, mechanism in enumerate(by_dot.mechanisms_[0]):
    null = [antisymmetric_share(rotated_scores(mechanism, dot_tokens[:100])) for _ in range(50)]
    print(f"dot head {h}: share {share[h]:.2f}; queries rotated: {np.mean(null):.2f} +- {np.std(null):.2f}")
z = tokens @ head.metric.factor.T
of_l2_head = antisymmetric_share(squared_distances(z @ z.swapaxes(1, 2))[:, None])
np.testing.assert_allclose(of_l2_head, 0, atol=1e-12)
print(f"l2 head 0:  share {of_l2_head[0]:.2f}, its scores are squared distances")

# %% [markdown]
# Head 0 is within the spread of chance: in its scores, who likes whom is about as one-sided as where
# queries meet keys at random. Head 1 is more symmetric than most random rotations. Neither is near 0, where
# heads with a metric are.
#
# ### 7.2 The query bias is a key weight
#
# `nn.MultiheadAttention` and this model add a bias $b_q$ to queries. Then the score gains
# $\langle b_q, W_k z_j\rangle / t$, which does not depend on the query: a key weight. (The bias of keys
# adds a constant to each row, and does nothing.) A mechanism has a place for it, `log_key_weights`; the
# layer says how much it is.

# %%
for h, mechanism in enumerate(by_dot.mechanisms_[0]):
    log_w = dot_layer.log_key_weights(dot_tokens[picture], h)
    without = mechanism.operator(dot_tokens[picture]).toarray()
    with_weights = mechanism.operator(dot_tokens[picture], log_key_weights=log_w).toarray()
    np.testing.assert_allclose(with_weights, model_weights[picture, h], atol=1e-10)
    off = np.abs(without - model_weights[picture, h]).max()
    low, high = np.exp([log_w.min(), log_w.max()])
    print(f"head {h}: key weights {low:.2f} to {high:.2f}; left out, weights are off by up to {off:.2f}")

# %% [markdown]
# ### 7.3 What does each part carry?
#
# A part can be large and not matter. So each head of the trained dot models is now replaced by the softmax
# of some of its four parts, and the rest of the network stays as it is. `class_scores` is the whole model
# in NumPy; the assertion compares it with `predict_proba`.


# %%
def affine(x, p, name):
    return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def layer_norm(x, p, name):
    centered = x - x.mean(axis=-1, keepdims=True)
    standardized = centered / np.sqrt(centered.var(axis=-1, keepdims=True) + 1e-5)
    return standardized * p[f"{name}.weight"] + p[f"{name}.bias"]


def class_scores(p, X, weights):
    """Of a dot model of one layer with parameters p, given its attention weights (n, 2, 8, 8)."""
    h = affine(X.reshape(-1, 8, 8), p, "embedding") + p["positions"]
    # Of the 96 rows of in_proj the first 32 make queries, the next keys, the last values.
    of_values = {f"v.{kind}": p[f"blocks.0.attention.in_proj_{kind}"][64:] for kind in ("weight", "bias")}
    v = affine(layer_norm(h, p, "blocks.0.norm1"), of_values, "v").reshape(-1, 8, 2, 16).swapaxes(1, 2)
    h = h + affine((weights @ v).swapaxes(1, 2).reshape(h.shape), p, "blocks.0.attention.out_proj")
    u = affine(layer_norm(h, p, "blocks.0.norm2"), p, "blocks.0.mlp.fc1")
    h = h + affine(u * ndtr(u), p, "blocks.0.mlp.fc2")  # GELU
    return affine(layer_norm(h, p, "norm").mean(axis=1), p, "head")


# %%
again = softmax(class_scores(by_dot.state_dict(), pixels[test], model_weights))
np.testing.assert_allclose(again, by_dot.predict_proba(pixels[test]), atol=1e-8)
print(f"probabilities - predict_proba: {np.abs(again - by_dot.predict_proba(pixels[test])).max():.1e}")

# %%
kept = {
    "all four: the model itself": ["key weights", "metric", "repulsion", "transport"],
    "symmetric: without transport": ["key weights", "metric", "repulsion"],
    "kernel regression with key weights": ["key weights", "metric"],
    "key weights alone": ["key weights"],
    "kernel regression without key weights": ["metric"],
    "nothing: a plain mean over the tokens": [],
}
accuracy = np.zeros((len(models["dot"]), len(kept)))
for run, model in enumerate(models["dot"]):
    parts = split(scores_of(model, layer_of(model), model.transform(pixels[test])))
    for column, names_of_parts in enumerate(kept.values()):
        weights = softmax(sum((parts[name] for name in names_of_parts), np.zeros_like(parts["metric"])))
        said = class_scores(model.state_dict(), pixels[test], weights).argmax(axis=1)
        accuracy[run, column] = (said == digit[test]).mean()
for name, column in zip(kept, accuracy.T):
    print(f"{name:<40}{column.mean():.3f}   seeds {column.min():.3f} to {column.max():.3f}")

# %%
fig, ax = plt.subplots(figsize=(7.5, 2.8))
places = np.arange(len(kept))[::-1]
ax.plot(accuracy.T, places, "o", color="0.6", markersize=4)
ax.plot(accuracy.mean(axis=0), places, "|", color=plots.CLASS_COLORS[0], markersize=16, markeredgewidth=3)
ax.set_yticks(places, list(kept))
ax.set(xlabel="test accuracy (dots: seeds, bar: mean)", xlim=(0, 1))
ax.set_title("In trained dot heads key weights carry most of the accuracy")
plt.show()

# %% [markdown]
# From the top: without the antisymmetric part the models lose a few points on average, and seeds differ.
# Key weights alone keep far more than the plain mean does, with one seed much less than with the others.
# Kernel regression without key weights is no better than the plain mean. So these dot heads are kernel
# regressions with key weights plus something more, and the key weights do most of the work.
#
# It does not follow that a kernel regression without key weights cannot do the task. These heads were
# trained with all four parts and then cut. The L2 models of section 3 have had the metric part alone from
# the start, and are as accurate. And these are small models of 8 tokens: other heads may be made otherwise.
#
# ### 7.4 Values, output map and several heads
#
# In kernel regression the values are given with the data, and a prediction lies between the smallest and
# the largest of them. A head's mean also lies between its values, but the values are a trained map of the
# tokens, and a second map is applied to the mean. What leaves the layer is no mean of tokens. And two heads
# are two regressions whose results are mapped and added: averaging their weights into one regression is not
# the same.

# %%
p = by_dot.state_dict()
v = dot_tokens @ p["blocks.0.attention.in_proj_weight"][64:].T + p["blocks.0.attention.in_proj_bias"][64:]
low, high = v.min(axis=1, keepdims=True), v.max(axis=1, keepdims=True)
means = np.concatenate([model_weights[:, h] @ v[..., 16 * h : 16 * h + 16] for h in (0, 1)], axis=2)
assert np.all((means >= low - 1e-12) & (means <= high + 1e-12))
outputs = dot_layer.forward(dot_tokens)
low, high = dot_tokens.min(axis=1, keepdims=True), dot_tokens.max(axis=1, keepdims=True)
outside = ((outputs < low) | (outputs > high)).mean()
print(f"outputs of the layer outside the range of the tokens: {outside:.0%}")

mean_of_both = np.repeat(model_weights.mean(axis=1, keepdims=True), 2, axis=1)
for name, weights in (("its own weights", model_weights), ("the mean of both heads'", mean_of_both)):
    said = class_scores(p, pixels[test], weights).argmax(axis=1)
    print(f"accuracy where each head uses {name:<24}{(said == digit[test]).mean():.3f}")

# %% [markdown]
# ### 7.5 Depth: the second layer's distance is not a distance of inputs
#
# A kernel regression compares points as they are given. A second layer compares tokens that the first layer
# has already mixed. So two rows of pixels that are equal can be far apart for it. The test: take pictures,
# replace their lower four rows by those of another picture, and ask how far the *upper* rows moved, in the
# metric of each layer.

# %%
deep = trained("l2", 0, n_layers=2)
original = pixels[test]
mixed = original.copy()
mixed[:, 32:] = np.roll(original, 1, axis=0)[:, 32:]  # lower half of the picture before
moved = []
for layer_number in (0, 1):
    mechanism = deep.mechanisms_[layer_number][0]
    W, h = mechanism.metric.factor, np.sqrt(mechanism.kernel.temperature / 2)
    before, after = (deep.transform(X, layer=layer_number)[:, :4] @ W.T / h for X in (original, mixed))
    moved.append(np.linalg.norm(after - before, axis=2).ravel())
    apart = np.linalg.norm(np.roll(before, 1, axis=0) - before, axis=2)
    print(f"layer {layer_number}: an unchanged row of pixels moved by {np.median(moved[-1]):.2f} bandwidths;")
    print(f"         that row of two different pictures is {np.median(apart):.2f} apart (medians)")
assert np.all(moved[0] == 0) and np.all(moved[1] > 0)

fig, ax = plt.subplots(figsize=(6, 2.6))
ax.hist(moved[1], bins=40, color=plots.CLASS_COLORS[1], label="layer 1")
ax.axvline(0, color=plots.CLASS_COLORS[0], linewidth=3, label="layer 0: exactly 0 for every token")
ax.set(xlabel="distance moved, in bandwidths of the head", ylabel="tokens", xlim=(-0.1, None))
ax.set_title("The same pixels are another token for the second layer")
ax.legend(fontsize=8)
plt.show()

# %% [markdown]
# An upper row whose pixels have not changed is exactly where it was for the first layer, and has moved for
# the second, by about a third of what separates that row in two different pictures. Each layer by itself is
# kernel regression among the tokens that it is given. Two of them are not one kernel regression among the
# rows of pixels: who is close depends on the rest of the picture. (Layer norm, the residual sum and the MLP
# between layers do their part in this as well.)
#
# ## 8. The same for torch.nn.MultiheadAttention
#
# `nn.SelfAttention` has the names and shapes of PyTorch's layer, so its parameters can be loaded as they
# are. Then each head of the PyTorch layer is a mechanism.

# %%
try:
    import torch
except ImportError:
    torch = None
    print("PyTorch is not installed: this cell has nothing to compare with.")
if torch is not None:
    torch.manual_seed(0)
    theirs = torch.nn.MultiheadAttention(16, 2, batch_first=True, dtype=torch.float64)
    torch.nn.init.normal_(theirs.in_proj_bias)
    sequence = torch.randn(1, 7, 16, dtype=torch.float64)
    their_output, their_weights = theirs(sequence, sequence, sequence, average_attn_weights=False)
    ours = lw.nn.SelfAttention(16, 2)
    ours.load_state_dict(theirs.state_dict())  # a torch module: likewise.torch.from_multihead
    x = sequence[0].numpy()
    our_output = ours.forward(x)
    our_weights = ours.mechanism(1).operator(x, log_key_weights=ours.log_key_weights(x, 1)).toarray()
    np.testing.assert_allclose(our_output, their_output[0].detach(), atol=1e-12)
    np.testing.assert_allclose(our_weights, their_weights[0, 1].detach(), atol=1e-12)
    print(f"output: largest difference {np.abs(our_output - their_output[0].detach().numpy()).max():.1e}")

# %% [markdown]
# ## What to keep
#
# | | kernel regression? |
# |---|---|
# | softmax attention, any score | yes, with the kernel exp(score), which need not come from a distance |
# | one map, key bias (or L2 attention) | yes, Gaussian, under a Mahalanobis metric; exact |
# | one map, no key bias | yes, the same with key weights; exact |
# | a query bias | more key weights; exact |
# | two maps | no: a repelling and an antisymmetric part are left, which no distance has |
# | value and output map, several heads | several regressions of trained values, mapped and added |
# | depth | each layer among its own tokens; the stack is not one regression among inputs |
#
# The library is built from Ruan and Zhang 2024 (arXiv 2412.18288), where the comparison of attention with
# diffusion under a metric is worked out. Its metric-attention replaces $W x$ by a small network:
# `lw.AttentionClassifier("metric")`.
#
# ## Exercises
#
# ### Exercise 1
#
# A head cannot tell keys $k_j$ from keys $k_j + c$ with the same vector $c$ added to all. Show this with
# `lw.attention`. Then compute the key weights $|k_j|^2 / 2t$ before and after. What follows for reading
# them off a trained head?

# %% tags=["hide-cell"] jupyter={"source_hidden": true}
# Solution of exercise 1
q, k, v = rng.normal(size=(5, 3)), rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
c, t = np.array([2.0, -1.0, 0.5]), np.sqrt(3)
np.testing.assert_allclose(lw.attention(q, k + c, v), lw.attention(q, k, v), atol=1e-12)
before, after = (np.sum(keys**2, axis=1) / (2 * t) for keys in (k, k + c))
print("log key weights before:", (before - before.mean()).round(2))
print("log key weights after: ", (after - after.mean()).round(2))
# The output is the same: <q, c> is added to every score of a row. The key weights are not. So |k|^2 / 2t is
# one way to write the head, not a property of it: what moves into the key weights is taken out of the
# distances. Section 7.1 takes row and column means of the scores out first; they do not depend on c.
assert not np.allclose(before - before.mean(), after - after.mean())

# %% [markdown]
# ### Exercise 2
#
# Train a dot model with one map, `attention={"score": "dot", "tied": True, "learn_temperature": True}`, and
# split its scores as in section 7.1. Before you run it: which of the four parts must be zero?

# %% tags=["hide-cell"] jupyter={"source_hidden": true}
# Solution of exercise 2
tied = trained({"score": "dot", "tied": True, "learn_temperature": True}, 0)
z = tied.transform(pixels[test]) @ tied.mechanism_.metric.query_factor.T
parts = split(z @ z.swapaxes(1, 2) / tied.mechanism_.kernel.temperature)
for name, part in parts.items():
    part = part - part.mean(axis=-1, keepdims=True)
    print(f"{name:<12} root mean square {np.sqrt((part**2).mean()):.3f}")
# Scores <W x, W z> are a Gram matrix: symmetric, so no transport; and without negative eigenvalues,
# centered or not, so no repulsion. A dot head with one map is exactly kernel regression with key weights.
np.testing.assert_allclose(parts["transport"], 0, atol=1e-10)
np.testing.assert_allclose(parts["repulsion"], 0, atol=1e-10)
print(f"accuracy {tied.score(pixels[test], digit[test]):.3f}")
