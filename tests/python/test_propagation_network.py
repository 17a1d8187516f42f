"""The paper's propagation network: reference values, gradients, graphs, contexts, and its estimators."""

import json
import pickle
import signal
import subprocess
import time
from pathlib import Path

import interruptible
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import likewise as lw

REFERENCE = json.loads((Path(__file__).parents[1] / "data/paper_reference.json").read_text(encoding="utf-8"))
OF_PHI = {"score": "dot", "tied": True, "map_width": 5, "temperature": 1.0, "bias": False}
OF_PHI |= {"values": False, "project": False}
ARMS = {"self": "dot", "l2": "l2", "metric": "metric", "dotphi": OF_PHI}
BOTH = [lw.PropagationClassifier, lw.PropagationRegressor]


def named(arm, given):
    """The file's parameters under our names: of module i Q and K are one matrix."""
    found = {"input.weight": given["Wi"], "input.bias": given["bi"]}
    for i in "01":
        layer = f"layers.{i}."
        if arm == "self":
            found[layer + "in_proj_weight"] = np.concatenate([given["Q" + i], given["K" + i]])
        elif arm == "l2":
            found[layer + "metric_proj.weight"] = given["W" + i]
        else:
            names = {"map_in.weight": "V", "map_in.bias": "c", "map_out.weight": "U", "map_out.bias": "e"}
            found |= {layer + ours: given[theirs + i] for ours, theirs in names.items()}
    found |= {"output.weight": given["Wo"], "output.bias": given["bo"]}
    return {name: np.array(part) for name, part in found.items()}


def log_loss(logits, y):
    """Mean cross-entropy and its gradient."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    right = np.arange(len(y)), y
    gradient = shares.copy()
    gradient[right] -= 1
    return -np.log(shares[right]).mean(), gradient / len(y)


def network_of(arm):
    network = lw.nn.PropagationNetwork(3, 3, 4, 2, ARMS[arm], map_width=5 if arm == "metric" else None)
    network.load_state_dict(
        {name: part.reshape(network.state_dict()[name].shape)
         for name, part in named(arm, REFERENCE["ipn"][arm]["params"]).items()}
    )  # fmt: skip
    return network


@pytest.mark.parametrize("arm", ARMS)
def test_the_papers_networks_are_met(arm):
    """Another implementation's logits, loss, gradients and losses after five steps of Adam, to 1e-10."""
    X, y, given = np.array(REFERENCE["X"]), np.array(REFERENCE["y"]), REFERENCE["ipn"][arm]
    network = network_of(arm)
    logits = network.forward(X)
    assert_allclose(logits, given["logits"], atol=1e-10)
    loss, gradient = log_loss(logits, y)
    assert loss == pytest.approx(given["loss"], abs=1e-10)
    network.backward(gradient)
    for name, wanted in named(arm, given["grads"]).items():
        assert_allclose(network.gradients()[name].reshape(wanted.shape), wanted, atol=1e-10, err_msg=name)
    adam = {"task": "classification", "optimizer": "adam", "weight_decay": 1e-4, "learning_rate": 1e-2}
    data = (X, y, None, None, None, None, False, lw.supports.AllPairs())
    for wanted in given["loss_after_adam_steps"]:
        network.train(data, {**adam, "batch_size": 7, "max_epochs": 1, "max_norm": 0.0})
        assert log_loss(network.forward(X), y)[0] == pytest.approx(wanted, abs=1e-10)


SETTINGS = [
    {"attention": "metric", "num_heads": 2},
    {"attention": "metric", "num_heads": 2, "share_map": True, "learn_temperature": True},
    {"attention": "metric", "values": True, "residual": True},
    {"attention": "l2", "num_heads": 4, "residual": True},
    {"attention": "dot", "learn_temperature": True, "values": True, "num_heads": 2},
    {"attention": {"score": "dot", "tied": True, "project": False, "values": False}, "residual": True},
    {"attention": "l2", "n_layers": 0},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("on_graph", [False, True])
def test_gradients_are_those_of_finite_differences(settings, on_graph):
    rng = np.random.default_rng(0)
    network = lw.nn.PropagationNetwork(3, 2, 4, **settings, random_state=1)
    X, G = rng.normal(size=(9, 3)), rng.normal(size=(9, 2))
    support = (
        lw.supports.Graph(sparse.csr_matrix(np.eye(9) + (rng.random((9, 9)) < 0.3))) if on_graph else "all"
    )

    def value():
        return (network.forward(X, support) * G).sum()

    network.forward(X, support)
    by_X = network.backward(G)
    flat, gradient = (
        network.flat_parameters,
        np.concatenate([g.ravel() for g in network.gradients().values()]),
    )
    for array, found in ((flat, gradient), (X.reshape(-1), by_X.ravel())):
        for i in range(0, array.size, 3):
            before, step = array[i], 1e-6
            array[i] = before + step
            above = value()
            array[i] = before - step
            below = value()
            array[i] = before
            assert found[i] == pytest.approx((above - below) / (2 * step), rel=1e-6, abs=1e-8)


def test_a_module_is_its_mechanism():
    """P of each module is the operator of `mechanism` on the rows before it."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 3))
    for attention in ("metric", "l2", "dot"):
        network = lw.nn.PropagationNetwork(3, 2, 6, attention=attention, random_state=0)
        network.forward(X)
        for layer in (0, 1):
            H = network.hidden(layer)
            P = network.mechanism(layer).operator(H).toarray()
            assert_allclose(network.attention_weights(layer)[0], P, atol=1e-12)
            assert_allclose(network.hidden(layer + 1), P @ H, atol=1e-12)


@pytest.mark.parametrize("attention", ["metric", "l2", "dot", OF_PHI])
@pytest.mark.parametrize("num_heads", [1, 2])
def test_the_first_module_compares_rows_of_x_by_a_metric(attention, num_heads):
    """P of the first module is the operator of `input_metric` on X itself."""
    X = np.random.default_rng(0).normal(size=(15, 3))
    network = lw.nn.PropagationNetwork(3, 2, 6, 1, attention, num_heads, random_state=0)
    network.flat_parameters[:] += 0.1  # biases too
    network.forward(X)
    for head in range(num_heads):
        metric, kernel = network.input_metric(head), lw.kernels.Exponential(1.0)
        P = lw.Mechanism(metric=metric, kernel=kernel).operator(X).toarray()
        assert_allclose(network.attention_weights(0)[head], P, atol=1e-10)


@pytest.mark.parametrize("attention", ["metric", "l2", "dot"])
def test_edges_say_who_attends_to_whom(attention):
    """An edgeless graph with self-loops is no attention at all; who is no neighbor has no say."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(8, 3))
    network = lw.nn.PropagationNetwork(3, 2, 4, 1, attention, random_state=0)
    alone = network.predict(X, support=lw.supports.Graph(sparse.identity(8, format="csr")))
    flat = network.state_dict()
    H = X @ flat["input.weight"].T + flat["input.bias"]
    assert_allclose(alone, H @ flat["output.weight"].T + flat["output.bias"], atol=1e-12)
    ring = sparse.csr_matrix(np.eye(8) + np.roll(np.eye(8), 1, axis=1))
    before = network.predict(X, support=lw.supports.Graph(ring))
    X[5] += 1
    changed = np.abs(network.predict(X, support=lw.supports.Graph(ring)) - before).max(axis=1) > 1e-9
    assert set(np.flatnonzero(changed)) == {4, 5}


def two_blocks(n=60, seed=0):
    """A graph of two blocks, features that say something, ten labels a block."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    edges = rng.random((n, n)) < np.where(y[:, None] == y, 0.3, 0.02)
    A = np.triu(edges, 1)
    A = A | A.T
    X = rng.normal(size=(n, 4)) + 0.8 * y[:, None]
    known = np.where(np.arange(n) < 20, y, -1)
    return X, y, known, sparse.csr_matrix(A.astype(float))


@pytest.mark.parametrize("attention", ["metric", "l2", "dot"])
def test_labels_reach_the_nodes_of_a_graph(attention):
    X, y, known, A = two_blocks()
    model = lw.PropagationClassifier(attention, random_state=0, max_epochs=100).fit(X, known, graph=A)
    assert_array_equal(model.classes_, [0, 1])
    assert (model.transduction_ == y).mean() > 0.8
    assert_array_equal(model.predict(X), model.transduction_)
    with pytest.raises(ValueError, match="graph must be given for other nodes than the 60 of fit"):
        model.predict(X[:7])
    assert model.predict(X[:7], graph=A[:7, :7]).shape == (7,)
    assert model.attention_weights(X)[0][0, 1] == 0  # no edge


def test_a_graph_is_a_matrix_of_any_kind_or_an_edge_index():
    """edge_index has sources and targets, as torch_geometric's: a target attends to its sources."""
    X, _, known, A = two_blocks()
    A = A.tolil()
    A[0, 1:] = 0  # no longer symmetric
    given = [A, A.toarray(), A.toarray() > 0, sparse.coo_array(A), np.stack(A.nonzero())[::-1]]
    fits = [lw.PropagationClassifier(random_state=0, max_epochs=3).fit(X, known, graph=g) for g in given]
    for fit in fits[1:]:
        assert_array_equal(fit.predict_proba(X), fits[0].predict_proba(X))
    assert fits[0].attention_weights(X)[0, 0, 1:].max() == 0
    without = lw.PropagationClassifier(random_state=0, max_epochs=3, self_loops=False).fit(X, known, graph=A)
    assert_array_equal(without.attention_weights(X)[0][0], 0)  # who has no edge attends to nobody


def test_numbers_that_are_not_known_are_nan_on_a_graph():
    X, y, _, A = two_blocks()
    targets = np.where(np.arange(60) < 20, y.astype(float), np.nan)
    model = lw.PropagationRegressor(random_state=0, max_epochs=100).fit(X, targets, graph=A)
    assert ((model.predict(X) > 0.5) == y).mean() > 0.8
    with pytest.raises(ValueError, match="y must hold at least one number"):
        model.fit(X, np.full(60, np.nan), graph=A)
    with pytest.raises(ValueError, match=r"y contains NaN|NaN"):
        model.fit(X, targets)


def moons(n=200):
    return make_moons(n, noise=0.15, random_state=0)


def test_what_rows_attend_to_is_said_by_context():
    """context="training" answers as a network over training and asked rows; "batch" as one over a batch."""
    X, y = moons()
    asked = X[:10] + 0.01
    model = lw.PropagationClassifier(context="training", random_state=0, max_epochs=20).fit(X, y)
    both = model.network_.forward(np.r_[X, asked])[len(X) :]
    assert_allclose(model.predict_proba(asked), softmax(both), atol=1e-12)
    model = lw.PropagationClassifier(predict_batch_size=4, random_state=0, max_epochs=20).fit(X, y)
    parts = [model.network_.forward(asked[i : i + 4]) for i in (0, 4, 8)]
    assert_allclose(model.predict_proba(asked), softmax(np.concatenate(parts)), atol=1e-12)
    hidden = model.transform(asked)
    flat = model.state_dict()
    assert_allclose(hidden @ flat["output.weight"].T + flat["output.bias"], np.concatenate(parts), atol=1e-12)


def softmax(logits):
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("context", ["batch", "training"])
def test_weights_are_of_the_loss(context):
    """A weight of 2 is twice the loss; of 0: with "batch" no row, with "training" one without a label."""
    X, y = moons(40)
    w = np.r_[np.full(10, 2.0), np.zeros(10), np.ones(20)]
    settings = {"context": context, "random_state": 0, "max_epochs": 5, "optimizer": "sgd", "batch_size": 40}
    found = lw.PropagationClassifier(**settings).fit(X, y, w).state_dict()
    if context == "batch":
        again = lw.PropagationClassifier(**settings).fit(X[w > 0], y[w > 0], w[w > 0]).state_dict()
    else:
        other = np.where(w > 0, y, 1 - y)
        again = lw.PropagationClassifier(**settings).fit(X, other, w).state_dict()
    for name, part in found.items():
        assert_allclose(again[name], part, atol=1e-12, err_msg=name)
    alike = lw.PropagationClassifier(**settings).fit(X, y, np.minimum(w, 1)).state_dict()
    assert max(np.abs(alike[name] - part).max() for name, part in found.items()) > 1e-6


def _expected(estimator):
    """Checks that ask for what is not meant."""
    return {"check_sample_weight_equivalence_on_dense_data": "of the loss: a row twice is attended twice"}


@parametrize_with_checks(
    [
        lw.PropagationClassifier(max_epochs=60, random_state=0),
        lw.PropagationRegressor(max_epochs=60, random_state=0),
        lw.PropagationClassifier("l2", context="training", max_epochs=60, random_state=0),
    ],
    expected_failed_checks=_expected,
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", BOTH)
def test_they_are_estimators(estimator):
    X, y = moons()
    model = estimator(random_state=0, max_epochs=150)
    assert cross_val_score(make_pipeline(StandardScaler(), model), X, y, cv=3).mean() > 0.7
    model.fit(X, y)
    same = clone(model).fit(X, y)
    assert_array_equal(same.predict(X), model.predict(X))
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), model.predict(X))
    threads = clone(model).set_params(n_jobs=2).fit(X, y)
    assert_array_equal(threads.predict(X), model.predict(X))
    assert len(model.mechanisms_) == 2 and isinstance(model.mechanism_.metric, lw.metrics.Mapped)
    assert model.history_["loss"].shape == (150,) and model.history_["loss"][-1] < model.history_["loss"][0]
    stopped = clone(model).set_params(early_stopping=True, n_iter_no_change=5).fit(X, y)
    assert np.isfinite(stopped.history_["validation_loss"]).all()
    more = clone(model).set_params(warm_start=True, max_epochs=5).fit(X, y)
    first = more.history_["loss"][0]
    assert more.fit(X, y).history_["loss"][0] < first


def test_a_mechanism_of_a_head_makes_the_estimator():
    for attention in ("metric", "l2", "dot"):
        model = lw.PropagationClassifier(attention, temperature=0.5)
        assert lw.PropagationClassifier.from_mechanism(model.mechanism).attention == attention
        assert lw.PropagationClassifier.from_mechanism(model.mechanism).temperature == 0.5


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"attention": "cosine"},
            "attention must be one of 'metric', .*'additive', .*'gcn' or a dict of .*; got 'cosine'",
        ),
        ({"attention": {"valus": True}}, "attention must be one of"),
        ({"embed_dim": 0}, "embed_dim must be an int, at least 1; got 0"),
        ({"num_heads": 3}, "num_heads must be a divisor of embed_dim = 16; got 3"),
        ({"n_layers": -1}, "n_layers must be an int, at least 0; got -1"),
        ({"context": "all"}, 'context must be one of "batch", "training"; got .all'),
        ({"batch_size": 0}, "batch_size must be 'auto' or an int, at least 1; got 0"),
        ({"predict_batch_size": 0}, "predict_batch_size must be None or an int"),
        ({"map_width": 0}, "map_width must be None or an int"),
        ({"temperature": 0}, "temperature must be a finite number that is positive; got 0"),
        ({"residual": 1}, "residual must be a bool; got 1"),
        ({"learning_rate": "fast"}, "learning_rate must be a number or 'auto'; got 'fast'"),
        ({"dtype": "int32"}, "dtype must be float32 or float64"),
    ],
)
def test_what_does_not_fit_is_named(settings, said):
    X, y = moons(20)
    with pytest.raises((ValueError, TypeError), match=said):
        lw.PropagationClassifier(**settings).fit(X, y)


def test_a_fit_forgets_the_graph_of_the_one_before():
    X, _, known, A = two_blocks()
    model = lw.PropagationClassifier(max_epochs=2, random_state=0).fit(X, known, graph=A)
    assert hasattr(model, "transduction_")
    model.fit(X, known)
    assert not hasattr(model, "transduction_") and model.predict(X[:5]).shape == (5,)
    with pytest.raises(ValueError, match="batch_size must be at least 1; got 0"):
        model.network_.predict(X, batch_size=0)


def test_graphs_that_do_not_fit_are_named():
    X, y = moons(20)
    for graph, said in [
        (np.eye(19), r"graph must be of shape \(20, 20\), or \(2, n_edges\) of node numbers; got \(19, 19\)"),
        (np.array([[0, 20], [1, 1]]), r"graph must hold nodes in \[0, 19\]; got 0 to 20"),
        (sparse.identity(3), r"graph must be of shape \(20, 20\)"),
    ]:
        with pytest.raises(ValueError, match=said):
            lw.PropagationClassifier(max_epochs=1).fit(X, y, graph=graph)
    with pytest.raises(ValueError, match="y must hold at least one label"):
        lw.PropagationClassifier().fit(X, np.full(20, -1), graph=np.eye(20))
    with pytest.raises(ValueError, match="y must hold a label of positive weight; got none"):
        lw.PropagationClassifier().fit(X, np.where(np.arange(20), -1, 1), np.arange(20.0), graph=np.eye(20))


# --- random networks on random graphs, pair by pair ---------------------------------------------------------


def random_edges(rng, n):
    """An edge_index of n nodes: loops, copies, nodes without edges."""
    return rng.integers(n, size=(2, rng.integers(2 * n + 1)))


def counted(edge_index, n, self_loops):
    """A (n, n): how often node i attends to node j, and once to itself where self_loops ask for it."""
    A = np.zeros((n, n))
    for source, target in edge_index.T:
        A[target, source] += 1
    for i in range(n if self_loops else 0):
        A[i, i] = A[i, i] or 1
    return A


def leaky(s):
    return np.where(s > 0, s, 0.2 * s)


def phi(of, head, u):
    """Of the head's columns, or the one that all heads share."""
    W1, b1, W2, b2 = (of[f"map_{name}"] for name in ("in.weight", "in.bias", "out.weight", "out.bias"))
    if W1.ndim == 3:
        W1, b1, W2, b2 = W1[head], b1[head], W2[head], b2[head]
    return u + W2 @ np.tanh(W1 @ u + b1) + b2


def score(attention, of, head, d, x, z):
    """-c of rows x and z."""
    rows = slice(head * d, head * d + d)
    if attention in ("dot", "additive_dynamic"):
        q, k = of["in_proj_weight"][rows] @ x, of["in_proj_weight"][len(x) :][rows] @ z
        return q @ k if attention == "dot" else of["att"][head] @ leaky(q + k)
    q, k = (of["metric_proj.weight"][rows] @ side if "metric_proj.weight" in of else side for side in (x, z))
    if attention == "additive":
        return leaky(of["att_query"][head] @ q + of["att_key"][head] @ k)
    if attention == "metric":
        q, k = phi(of, head, q), phi(of, head, k)
    return -((q - k) ** 2).sum()


def head_weights(attention, of, head, H, A, d, t):
    """P of a head, row by row and pair by pair; who attends to nobody has none."""
    P = np.zeros(A.shape)
    for i, row in enumerate(A):
        keys = np.flatnonzero(row)
        if attention == "gcn":
            for j in keys:
                degrees = row.sum() * A[j].sum()
                P[i, j] = row[j] / np.sqrt(degrees) if degrees else 0
        elif keys.size:
            s = np.array([score(attention, of, head, d, H[i], H[j]) for j in keys]) / t
            P[i, keys] = np.exp(s - s.max()) / np.exp(s - s.max()).sum()
    return P


def by_loops(network, attention, X, A):
    """Outputs as PropagationNetwork and AttentionLayer say them."""
    state = {name: part.astype(float) for name, part in network.state_dict().items()}
    E, heads = network.options["embed_dim"], network.options["num_heads"]
    d = E // heads
    H = X.astype(float) @ state["input.weight"].T + state["input.bias"]
    for layer in range(network.options["n_layers"]):
        begin = f"layers.{layer}."
        of = {name.removeprefix(begin): part for name, part in state.items() if name.startswith(begin)}
        t = np.exp(of.get("log_temperature", np.zeros(heads)))
        V = H
        if network.options["values"]:
            V = H @ of.get("v_proj.weight", of.get("in_proj_weight", np.empty((0, E)))[-E:]).T
        parts = [
            head_weights(attention, of, h, H, A, d, t[h]) @ V[:, h * d : (h + 1) * d] for h in range(heads)
        ]
        out = np.hstack(parts)
        if network.options["values"]:
            out = out @ of["out_proj.weight"].T
        H = out + H if network.options["residual"] else out
    return H @ state["output.weight"].T + state["output.bias"]


def random_network(attention, rng, dtype):
    yes = lambda: bool(rng.integers(2))  # noqa: E731
    network = lw.nn.PropagationNetwork(
        3,
        2,
        4,
        int(rng.integers(1, 3)),
        attention,
        int(rng.choice([1, 2, 4])),
        map_width=int(rng.integers(1, 6)),
        share_map=yes(),
        residual=yes(),
        values=yes(),
        learn_temperature=yes() and attention != "gcn",
        dtype=dtype,
    )
    network.flat_parameters[:] = 0.6 * rng.normal(size=network.flat_parameters.shape)
    return network


@pytest.mark.parametrize("attention", ["metric", "l2", "dot", "additive", "additive_dynamic", "gcn"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("seed", range(8))
def test_random_networks_on_random_graphs_are_their_definition(attention, dtype, seed):
    """Forward pair by pair; of float64 the gradients of every row and parameter, by central differences."""
    rng = np.random.default_rng(seed)
    n, self_loops = int(rng.integers(1, 31)) if seed else 1, bool(rng.integers(2))
    edge_index = random_edges(rng, n)
    A = counted(edge_index, n, self_loops)
    support = lw.PropagationClassifier(attention, self_loops=self_loops)._edges(edge_index, n)
    network, X = random_network(attention, rng, dtype), rng.normal(size=(n, 3)).astype(dtype)
    wanted = by_loops(network, attention, X, A)
    found = network.forward(X, support)
    assert found.dtype == dtype
    close = 1e-11 if dtype == "float64" else 1e-4
    assert_allclose(found, wanted, atol=close * max(1, np.abs(wanted).max()))
    if dtype == "float64":
        require_gradients(network, X, support, rng.normal(size=found.shape))


def require_gradients(network, X, support, G):
    """What `backward` says of <G, outputs>, by central differences: of X and of every parameter."""
    network.forward(X, support)
    by_X = network.backward(G)
    by_parameters = np.concatenate([g.ravel() for g in network.gradients().values()])
    for array, gradient in ((network.flat_parameters, by_parameters), (X.reshape(-1), by_X.ravel())):
        slopes = np.empty(array.size)
        for i, before in enumerate(array.copy()):
            values = []
            for array[i] in (before + 1e-6, before - 1e-6):
                values.append((network.forward(X, support) * G).sum())
            array[i] = before
            slopes[i] = (values[0] - values[1]) / 2e-6
        assert_allclose(gradient, slopes, rtol=1e-5, atol=1e-6 * max(1, np.abs(slopes).max()))


# --- files ------------------------------------------------------------------------------------------------

SAVED = {
    "of a batch": (lw.PropagationClassifier, {"predict_batch_size": 7}, False),
    "of float32": (lw.PropagationClassifier, {"attention": "dot", "dtype": "float32"}, False),
    "of settings": (lw.PropagationClassifier, {"attention": OF_PHI}, False),
    "with its training": (lw.PropagationClassifier, {"attention": "l2", "context": "training"}, False),
    "of numbers": (lw.PropagationRegressor, {"context": "training", "dtype": "float32"}, False),
    "on a graph": (lw.PropagationClassifier, {"num_heads": 2}, True),
    "of a graph's weights": (lw.PropagationClassifier, {"attention": "gcn", "self_loops": False}, True),
    "of numbers on a graph": (lw.PropagationRegressor, {"attention": "additive", "dtype": "float32"}, True),
}


def fitted(name):
    """(model, its rows)"""
    estimator, settings, on_graph = SAVED[name]
    X, y, known, A = two_blocks()
    model = estimator(max_epochs=4, random_state=0, early_stopping=True, **settings)
    targets = known if on_graph else np.array(["left", "right"])[y]
    if estimator is lw.PropagationRegressor:
        targets = np.c_[y, 1e3 * X[:, 0]]
        targets[known == -1] = np.nan if on_graph else 0
    return model.fit(X, targets, graph=A if on_graph else None), X


@pytest.mark.parametrize("name", SAVED)
def test_a_file_gives_the_same_predictions_bit_for_bit(name, tmp_path):
    model, X = fitted(name)
    path = tmp_path / "model.likewise"
    model.save(path)
    again = type(model).load(path)
    assert again.get_params() == model.get_params()
    assert vars(again).keys() == vars(model).keys()
    for read in ("predict", "transform"):
        assert_array_equal(getattr(again, read)(X), getattr(model, read)(X))
        if SAVED[name][2]:
            assert_array_equal(
                getattr(again, read)(X[:9], graph=np.eye(9)), getattr(model, read)(X[:9], graph=np.eye(9))
            )
        else:
            assert_array_equal(getattr(again, read)(X[:9] + 1), getattr(model, read)(X[:9] + 1))
    assert again.mechanisms_ == model.mechanisms_
    for found, wanted in ((again.history_, model.history_), (again.state_dict(), model.state_dict())):
        assert list(found) == list(wanted)
        for key, part in wanted.items():
            assert_array_equal(found[key], part)
            assert found[key].dtype == part.dtype
    for attribute in ("classes_", "transduction_"):
        if hasattr(model, attribute):
            assert_array_equal(getattr(again, attribute), getattr(model, attribute))
            assert getattr(again, attribute).dtype == getattr(model, attribute).dtype
    again.save(path)
    assert_array_equal(type(model).load(path).predict(X), model.predict(X))


def test_a_model_of_a_file_goes_on_where_it_was(tmp_path):
    X, y = moons()
    model = lw.PropagationClassifier("l2", warm_start=True, max_epochs=30, random_state=0).fit(X, y)
    model.save(tmp_path / "model")
    again = lw.PropagationClassifier.load(tmp_path / "model")
    assert again.fit(X, y).history_["loss"][0] < model.history_["loss"][0] / 2


def test_files_of_other_models_and_changed_ones_are_refused(tmp_path):
    X, y = moons(40)
    path, other = tmp_path / "model.likewise", tmp_path / "other.likewise"
    lw.PropagationClassifier(max_epochs=1, random_state=np.random.RandomState(0)).fit(X, y).save(path)
    assert lw.PropagationClassifier.load(path).random_state is None
    lw.AttentionClassifier("metric", embed_dim=4, max_epochs=1).fit(X, y, context="rows").save(other)
    for estimator, place, said in [
        (
            lw.PropagationRegressor,
            path,
            "a model of PropagationRegressor; got one of 'PropagationClassifier'",
        ),
        (lw.AttentionClassifier, path, "a model of AttentionClassifier; got one of 'PropagationC"),
        (lw.PropagationClassifier, other, "a model of PropagationClassifier; got one of 'AttentionC"),
        (lw.nn.PropagationNetwork, other, "of kind 'propagation network'; got 'in-context model'"),
    ]:
        with pytest.raises(ValueError, match=f"path .*must (hold|be).* {said}"):
            estimator.load(place)
    content = path.read_bytes()
    for changed, said in [
        (content[:-1], "checksum"),
        (content[:30], "truncated"),
        (content[:99] + b"?" + content[100:], "checksum"),
    ]:
        path.write_bytes(changed)
        with pytest.raises(ValueError, match=f"model.likewise.*{said}"):
            lw.PropagationClassifier.load(path)
    with pytest.raises(ValueError, match="a file that can be read"):
        lw.PropagationClassifier.load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="not fitted"):
        lw.PropagationClassifier().save(path)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_network_alone_is_a_file(dtype, tmp_path):
    rng, path = np.random.default_rng(0), tmp_path / "network"
    network = lw.nn.PropagationNetwork(3, 2, 6, attention="metric", num_heads=2, dtype=dtype, random_state=0)
    rows, A = rng.normal(size=(5, 3)), sparse.csr_matrix((rng.random((5, 5)) < 0.4) * 0.5)
    network.save(path, {"of": [1, 2.5]}, rows, lw.supports.Graph(A, weights="given"))
    again, metadata, kept, graph = lw.nn.PropagationNetwork.load(path)
    assert again.options == network.options and again.dtype == network.dtype and metadata == {"of": [1, 2.5]}
    assert_array_equal(again.flat_parameters, network.flat_parameters)
    assert_array_equal(kept, rows.astype(dtype))
    assert graph == lw.supports.Graph(A, weights="given")
    assert_array_equal(again.forward(rows, graph), network.forward(rows, graph))
    network.save(path)
    assert lw.nn.PropagationNetwork.load(path)[1:] == (None, None, None)
    network._core.save(bytes(path), None, None, "a program's own words")
    assert lw.nn.PropagationNetwork.load(path)[1] == "a program's own words"
    with pytest.raises(ValueError, match="path must hold a model of PropagationClassifier; got one of None"):
        lw.PropagationClassifier.load(path)
    for given, error, said in [
        ({"context": rows[:, :2]}, ValueError, r"context must be of shape \(n, 3\); got \(5, 2\)"),
        ({"context": rows[:4], "graph": graph}, ValueError, r"graph must be edges .*, 4 x 4; got 5 x 5"),
        ({"graph": A}, TypeError, r"graph must be a likewise\.supports\.Graph or None; got csr_matrix"),
    ]:
        with pytest.raises(error, match=said):
            network.save(path, **given)


INTERRUPTED_FIT = """
import warnings
import likewise as lw
from sklearn.datasets import load_digits
X, y = load_digits(return_X_y=True)
model = lw.PropagationClassifier(max_epochs=3, n_iter_no_change=100_000, random_state=0).fit(X / 16, y)
model.set_params(max_epochs=100_000)
print("ready", flush=True)
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    model.fit(X / 16, y)
print(model.score(X / 16, y), model.n_iter_, *[w.message for w in said], flush=True)
"""


def test_ctrl_c_keeps_the_best_weights():
    child = interruptible.popen("-c", INTERRUPTED_FIT, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "ready\n"
        time.sleep(4)
        child.send_signal(signal.SIGINT)
        score, n_iter, *said = child.communicate(timeout=60)[0].split()
    finally:
        child.kill()
    assert float(score) > 0.3 and int(n_iter) < 100_000 and "interrupted" in " ".join(said)


def test_what_a_file_or_a_graph_cannot_hold_is_named(tmp_path):
    X = np.random.default_rng(0).normal(size=(8, 2))
    days = np.array(["2020-01-01", "2020-01-02"], "datetime64[D]")[np.arange(8) % 2]
    model = lw.PropagationClassifier("l2", max_epochs=1).fit(X, days)
    with pytest.raises(
        ValueError, match="y must hold numbers or strings for a model in a file; got datetime64"
    ):
        model.save(tmp_path / "model")
    for attention in ("l2", "gcn"):
        A = np.eye(8)
        A[0, 1] = np.nan
        with pytest.raises(ValueError, match="graph must"):
            lw.PropagationClassifier(attention, max_epochs=1).fit(X, np.arange(8) % 2, graph=A)
