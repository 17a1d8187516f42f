"""Graph attention and graph convolution, as layers, networks and estimators, against plain loops."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

import likewise as lw
from likewise import datasets, nn, supports

N, E, HEADS = 9, 6, 2
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, E))
A = np.triu(RNG.random((N, N)) < 0.4, 1)
A = (A | A.T | np.eye(N, dtype=bool)).astype(float)
GRAPH = supports.Graph(sparse.csr_matrix(A))


def leaky(s, slope=0.2):
    return np.where(s > 0, s, slope * s)


def softmax_on(scores, pattern):
    S = np.where(pattern > 0, scores, -np.inf)
    W = np.exp(S - S.max(1, keepdims=True))
    return W / W.sum(1, keepdims=True)


def layer_of(score, **settings):
    return nn.AttentionLayer(
        E, HEADS, score, score != "additive_dynamic", dtype=np.float64, random_state=1, **settings
    )


def values_of(layer, H):
    state = layer.state_dict()
    if not layer.options["tied"]:
        width = 2 * E
        return H @ state["in_proj_weight"][width:].T + state["in_proj_bias"][width:]
    return H @ state["v_proj.weight"].T + state["v_proj.bias"]


def by_loops(layer, H, pattern, weights):
    """weights(head) -> P; heads side by side, then the map of outputs."""
    state, d = layer.state_dict(), E // HEADS
    V = values_of(layer, H)
    out = np.concatenate([weights(h) @ V[:, h * d : (h + 1) * d] for h in range(HEADS)], axis=1)
    return out @ state["out_proj.weight"].T + state["out_proj.bias"]


def test_an_additive_layer_is_graph_attention():
    """e_ij = LeakyReLU(<a, W h_i> + <a', W h_j>), softmax over the neighbors (Velickovic et al. 2018)."""
    layer = layer_of("additive")
    state, d = layer.state_dict(), E // HEADS
    P = X @ state["metric_proj.weight"].T

    def weights(h):
        own = P[:, h * d : (h + 1) * d]
        scores = leaky((own @ state["att_query"][h])[:, None] + own @ state["att_key"][h])
        return softmax_on(scores, A)

    assert_allclose(layer.forward(X, support=GRAPH), by_loops(layer, X, A, weights), atol=1e-12)
    for h in range(HEADS):
        assert_allclose(layer.attention_weights()[h], weights(h), atol=1e-12)
        assert isinstance(layer.metric(h), lw.metrics.Additive)
        assert_allclose(layer.mechanism(h, GRAPH).operator(X).toarray(), weights(h), atol=1e-12)


def test_a_dynamic_layer_is_gatv2():
    """e_ij = <a, LeakyReLU(W_q h_i + W_k h_j)> (Brody, Alon and Yahav 2022)."""
    layer = layer_of("additive_dynamic")
    state, d = layer.state_dict(), E // HEADS
    layer.load_state_dict({**state, "in_proj_bias": RNG.normal(size=3 * E)})
    state = layer.state_dict()
    Q = X @ state["in_proj_weight"][:E].T + state["in_proj_bias"][:E]
    K = X @ state["in_proj_weight"][E : 2 * E].T + state["in_proj_bias"][E : 2 * E]

    def weights(h):
        part = slice(h * d, (h + 1) * d)
        return softmax_on(leaky(Q[:, None, part] + K[None, :, part]) @ state["att"][h], A)

    assert_allclose(layer.forward(X, support=GRAPH), by_loops(layer, X, A, weights), atol=1e-12)
    for h in range(HEADS):
        assert_allclose(layer.mechanism(h, GRAPH).operator(X).toarray(), weights(h), atol=1e-12)


def test_given_weights_are_a_graph_convolution():
    """D^-1/2 A D^-1/2 V (Kipf and Welling 2017), weights of the graph read."""
    W = A * np.abs(RNG.normal(size=(N, N)))
    W = W + W.T
    D = W.sum(1)
    S = W / np.sqrt(D[:, None] * D)
    layer = layer_of("given", project=False)
    support = supports.Graph(sparse.csr_matrix(W), weights="given")
    found = layer.forward(X, support=support)
    assert_allclose(found, by_loops(layer, X, W, lambda h: S), atol=1e-12)
    assert_allclose(layer.mechanism(0, support).operator(X).toarray(), S, atol=1e-12)
    grad = RNG.normal(size=X.shape)
    by_x = layer.backward(grad)
    step = 1e-6 * RNG.normal(size=X.shape)
    change = (layer.forward(X + step, support=support) - layer.forward(X - step, support=support)) / 2
    assert_allclose((by_x * step).sum(), (grad * change).sum(), rtol=1e-6)


@pytest.mark.parametrize("attention", ["additive", "additive_dynamic", "gcn"])
def test_networks_of_modules(attention):
    """Forward by the modules' own matrices, gradients by differences; saved and taken up again."""
    support = supports.Graph(sparse.csr_matrix(A), weights="given") if attention == "gcn" else GRAPH
    network = nn.PropagationNetwork(
        E, 3, 4, 2, attention, num_heads=2, values=attention == "gcn", residual=True, random_state=0
    )
    out = network.forward(X, support)
    state, H = network.state_dict(), X @ network.state_dict()["input.weight"].T
    H = H + state["input.bias"]
    for layer in range(2):
        V = H
        if attention == "gcn":
            V = H @ state[f"layers.{layer}.v_proj.weight"].T
        heads = [network.mechanism(layer, h, support).operator(H) @ V[:, 2 * h : 2 * h + 2] for h in range(2)]
        moved = np.concatenate(heads, axis=1)
        if attention == "gcn":
            moved = moved @ state[f"layers.{layer}.out_proj.weight"].T
        H = H + moved
    assert_allclose(out, H @ state["output.weight"].T + state["output.bias"], atol=1e-11)

    G = RNG.normal(size=out.shape)
    network.forward(X, support)
    network.backward(G)
    found, flat = network.gradients(), network.flat_parameters
    names = list(found)
    gradient = np.concatenate([found[name].ravel() for name in names])
    direction = RNG.normal(size=flat.shape)
    kept = flat.copy()
    values = []
    for sign in (1, -1):
        flat[:] = kept + sign * 1e-6 * direction
        values.append((network.forward(X, support) * G).sum())
    flat[:] = kept
    assert_allclose(gradient @ direction, (values[0] - values[1]) / 2e-6, rtol=1e-5)
    metric = network.input_metric() if attention != "gcn" else None
    if metric is not None:
        on_x = lw.Mechanism(metric=metric, kernel=lw.kernels.Exponential(1.0), support=support).operator(X)
        first = network.mechanism(0, 0, support).operator(X @ state["input.weight"].T + state["input.bias"])
        assert_allclose(on_x.toarray(), first.toarray(), atol=1e-12)


@pytest.mark.parametrize("attention", ["additive", "additive_dynamic", "gcn", "metric", "dot"])
def test_estimators_on_a_graph_are_one_argument_apart(attention):
    features, graph, y = datasets.karate_club()
    told = np.full(len(y), -1)
    told[[0, 33]] = y[[0, 33]]
    model = lw.PropagationClassifier(
        attention, embed_dim=8, values=attention == "gcn", max_epochs=120, random_state=0, learning_rate=0.02
    ).fit(features, told, graph=graph)
    assert (model.transduction_ == y).mean() > 0.6
    slots = model.mechanisms_[0][0]
    assert (slots.normalization == lw.normalizations.Symmetric()) == (attention == "gcn")
    assert type(model).from_mechanism(model.mechanism).attention == attention
    assert model.score(features, y) == (model.transduction_ == y).mean()


def test_a_graph_convolution_reads_weights_and_needs_a_graph():
    y = np.arange(N) % 2
    with pytest.raises(ValueError, match="graph must be given with attention='gcn'"):
        lw.PropagationClassifier("gcn").fit(X, y)
    W = A * 3.0
    settings = {"attention": "gcn", "max_epochs": 5, "random_state": 0, "self_loops": False}
    a = lw.PropagationClassifier(**settings).fit(X, y, graph=sparse.csr_matrix(W))
    S = a.attention_weights(X)[0]
    D = W.sum(1)
    assert_allclose(S, W / np.sqrt(D[:, None] * D), atol=1e-12)
    bare = W * (1 - np.eye(N) * (np.arange(N) % 2))  # every second node has a loop of its own
    loops = lw.PropagationClassifier(**{**settings, "self_loops": True}).fit(X, y, graph=bare)
    L = bare + np.eye(N) * (np.arange(N) % 2)
    assert_allclose(loops.attention_weights(X)[0], L / np.sqrt(L.sum(1)[:, None] * L.sum(1)), atol=1e-12)


def test_edges_that_are_listed_again_weigh_more_in_a_convolution_alone():
    to, source = np.nonzero(A)
    twice = np.array([np.r_[source, source[:5]], np.r_[to, to[:5]]])
    W = A.copy()
    W[to[:5], source[:5]] += 1
    for attention, weights in (("gcn", W), ("additive", A)):
        settings = {"attention": attention, "max_epochs": 2, "random_state": 0}
        listed = lw.PropagationClassifier(**settings).fit(X, np.arange(N) % 2, graph=twice)
        stored = lw.PropagationClassifier(**settings).fit(X, np.arange(N) % 2, graph=weights)
        assert_allclose(listed.attention_weights(X), stored.attention_weights(X), atol=1e-12)


@pytest.mark.parametrize("missing", [np.nan, None])
def test_a_missing_label_is_no_class(missing):
    """Kind: None or NaN that becomes the class "nan"; -1 says that a node has no label."""
    y = np.array(["a", "b", missing, "a", "b", "a", "b", "a", "b"], object)
    with pytest.raises(ValueError, match="y must hold labels, -1 where a node has none"):
        lw.PropagationClassifier(max_epochs=1).fit(X, y, graph=A)


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (-A, "graph must have weights"),
        (np.zeros((2, 5)), "graph must hold node numbers"),
        (np.full((N, N), np.nan), "graph"),
    ],
)
def test_messages_name_the_graph(graph, words):
    with pytest.raises(ValueError, match=words):
        lw.PropagationClassifier("gcn").fit(X, np.arange(N) % 2, graph=graph)


def test_an_open_score_says_that_it_is_open():
    m = lw.Mechanism(metric=lw.metrics.Additive(), kernel=lw.kernels.Exponential(1.0))
    with pytest.raises(ValueError, match="metric must be one that is known"):
        m.operator(X)


@pytest.mark.parametrize("attention", ["additive", "additive_dynamic"])
def test_tokens_attend_by_additive_scores(attention, tmp_path):
    rows = RNG.normal(size=(60, 5))
    y = (rows[:, 0] * rows[:, 1] > 0).astype(int)
    model = lw.AttentionClassifier(attention, embed_dim=8, num_heads=2, max_epochs=3, random_state=0).fit(
        rows, y
    )
    model.save(tmp_path / "model.likewise")
    again = lw.AttentionClassifier.load(tmp_path / "model.likewise")
    assert_allclose(again.predict_proba(rows), model.predict_proba(rows), atol=0)
    assert type(model).from_mechanism(model.mechanism).attention == attention
    P = model.attention_weights(rows[:1])[0, 0, 0]
    m = model.mechanisms_[0][0]
    assert_allclose(m.operator(model.transform(rows[:1])[0].astype(np.float32)).toarray(), P, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"score": "additive", "tied": False}, "tied"),
        ({"score": "additive_dynamic", "tied": True}, "tied"),
        ({"score": "given", "tied": True}, "project"),
        ({"score": "additive", "tied": True, "map_width": 3}, "map_width"),
        ({"score": "additive", "tied": True, "slope": float("nan")}, "slope"),
        ({"score": "given", "tied": True, "project": False, "learn_temperature": True}, "learn_temperature"),
    ],
)
def test_options_that_do_not_go_together(settings, name):
    with pytest.raises(ValueError, match=name):
        nn.AttentionLayer(E, HEADS, **settings)
