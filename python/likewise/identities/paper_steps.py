"""The table of Ruan and Zhang (2024), section 2: methods that predict, and layers."""

import numpy as np
import scipy.sparse as sp

import likewise as lw
from likewise import kernels, maps, nn, supports
from likewise.identities._finding import identity, same
from likewise.identities.attention import neighbor_graph

_TABLE = "Ruan and Zhang 2024, section 2"


@identity(
    26,
    "k-nearest-neighbor regression is a step on the adjacency matrix",
    "mean of y over the k nearest = D^-1 A y,  A_ij = 1 where j is one of them",
    source=f"{_TABLE}; Fix and Hodges 1951",
)
def k_nearest_neighbors(data):
    """The adjacency to the k nearest, divided by rows.

    lw.KNeighborsRegressor on one side; its graph as a matrix of given weights on the other.
    """
    k, q = min(5, data.n), data.queries
    model = lw.KNeighborsRegressor(k).fit(data.X, data.values)
    adjacency = supports.Graph(sp.csr_matrix(model.kneighbors_graph(q), dtype=np.float64), weights="given")
    m = lw.Mechanism(kernel="indicator", support=adjacency)
    step = m.operator(q, data.X) @ data.values
    yield same(model.predict(q), step, data.rounding(1, k), np.abs(data.values).max())


@identity(
    27,
    "A support vector machine is an unnormalized step with trained values",
    "decision = sum_j K(x, x_j) alpha_j y_j + b,  alpha by a quadratic program, not ours",
    source=f"{_TABLE}; Cortes and Vapnik 1995",
)
def svm(data):
    """The decision function of a fitted SVC is a sum of kernels; its weights have signs and do not sum to 1.

    scikit-learn's SVC on one side; the step that lw.explain reads off it on the other.
    """
    from sklearn.svm import SVC

    data = data.or_irises(4)
    X = data.X.astype(np.float64)
    classes = data.classes if len(np.unique(data.classes)) > 1 else _halves(X)
    model = SVC(gamma=0.5 / data.length**2, decision_function_shape="ovo").fit(X, classes)
    step = lw.explain(model).step
    scale = np.abs(step.values).sum(axis=0).max() + np.abs(step.intercept).max()
    queries = data.queries.astype(np.float64)
    rounding = 1e3 * np.finfo(float).eps * (1 + data.largest_square / data.length**2)
    yield same(model.decision_function(queries), step(queries), rounding, scale)


def _halves(X):
    order = np.lexsort(X.T)
    return (np.argsort(order) >= len(X) // 2).astype(int)


@identity(
    28,
    "Graph convolution is a step of a graph divided on both sides",
    "D^-1/2 (A + I) D^-1/2 H = sqrt(R o C) H,  R divided by rows and C by columns",
    source=f"{_TABLE}; Kipf and Welling 2017",
)
def gcn(data):
    """One layer of a graph convolution without its learned map.

    A layer of likewise.nn on the graph on one side; RowStochastic and Column of it on the other.
    """
    graph = supports.Graph(neighbor_graph(data), weights="given")
    settings = {"tied": True, "project": False, "values": False, "bias": False}
    layer = nn.AttentionLayer(data.d, 1, "given", dtype=data.X.dtype, **settings)
    rows, columns = (
        lw.Mechanism(kernel="indicator", support=graph, normalization=n).operator(data.X).toarray()
        for n in ("row", "column")
    )
    step = np.sqrt(rows * columns) @ data.X
    scale = np.abs(data.X).max() * np.sqrt(rows * columns).sum(axis=1).max()
    yield same(layer.forward(data.X, support=graph), step, data.rounding(1), scale)


@identity(
    29,
    "DiffusionNet's diffusion is the heat flow of an operator",
    "exp(-t (I - P)) V = sum_k exp(-t (1 - w_k)) v_k <v_k, V>_pi,  t = 2",
    source=f"{_TABLE}; Sharp et al. 2022",
)
def diffusion_net(data):
    """exp(t L) by products, and by the spectrum.

    SelfOperator.heat on one side, all eigenpairs (eigsh) on the other.
    """
    P = lw.Mechanism(kernel=kernels.Gaussian(data.length)).operator(data.X)
    w, v = (np.asarray(part, np.float64) for part in P.eigsh(data.n))
    pi = np.exp(P.log_stationary - P.log_stationary.max())
    pi /= pi.sum()
    by_spectrum = (v * np.exp(-2 * (1 - w))) @ (v.T @ (pi[:, None] * data.values))
    rounding = (data.of_distances + data.n * data.eps) * pi.min() ** -0.5
    yield same(P.heat(2.0, data.values), by_spectrum, rounding, np.abs(data.values).max())


@identity(
    30,
    "A Transformer's head is a bilinear metric under an exponential",
    "layer(x) = Wo [P_1 V_1, ...] + bo,  P_h = softmax(<Wq x + bq, Wk z> / sqrt(d))",
    source=f"{_TABLE}; Vaswani et al. 2017",
)
def self_attention(data):
    """A layer of self-attention is its heads' operators and linear maps.

    nn.SelfAttention.forward on one side; an operator for each head, with its key weights, on the other.
    """
    layer = nn.SelfAttention(data.d, 2 - data.d % 2, dtype=data.X.dtype, random_state=0)
    state = _random_biases(layer, data)
    x = data.X / data.X.dtype.type(data.length)
    values = x @ state["in_proj_weight"][-data.d :].T + state["in_proj_bias"][-data.d :]
    weights = [layer.log_key_weights(x, h) for h in range(layer.options["num_heads"])]
    yield _same_layer(data, layer, x, values, weights)


def _random_biases(layer, data):
    """The layer's numbers, where biases were 0."""
    rng, state = np.random.default_rng(4), layer.state_dict()
    state = {
        name: rng.normal(size=part.shape).astype(part.dtype) if name.endswith("bias") else part
        for name, part in state.items()
    }
    layer.load_state_dict(state)
    return state


def _same_layer(data, layer, x, values, log_weights, support="all"):
    """layer.forward, and the heads as operators with their values, side by side and mapped."""
    state, columns = layer.state_dict(), np.split(values, layer.options["num_heads"], axis=1)
    heads = [
        layer.mechanism(h, support).operator(x, x, log_key_weights=w) @ v
        for h, (v, w) in enumerate(zip(columns, log_weights))
    ]
    output = np.hstack(heads) @ state["out_proj.weight"].T + state["out_proj.bias"]
    scores = 4 * np.abs(x).sum(axis=1).max() ** 2 + max(
        0 if w is None else np.abs(w).max() for w in log_weights
    )
    scale = np.abs(values).max() * np.abs(state["out_proj.weight"]).sum(axis=1).max() + 1
    return same(layer.forward(x, support=support), output, data.rounding(scores), scale)


@identity(
    31,
    "A graph attention layer is an additive metric on a graph",
    "layer(h) = Wo [P_1 V_1, ...] + bo,  P_h = softmax on edges of LeakyReLU(a.h_i + b.h_j)",
    source=f"{_TABLE}; Velickovic et al. 2018",
)
def graph_attention(data):
    """A layer whose heads go along edges together, and its heads one by one as operators.

    nn.AttentionLayer("additive").forward on one side; Additive mechanisms on the graph on the other.
    """
    layer = nn.AttentionLayer(data.d, 2 - data.d % 2, "additive", True, dtype=data.X.dtype, random_state=0)
    state = _random_biases(layer, data)
    x = data.X / data.X.dtype.type(data.length)
    values = x @ state["v_proj.weight"].T + state["v_proj.bias"]
    graph = supports.Graph(neighbor_graph(data))
    yield _same_layer(data, layer, x, values, [None] * layer.options["num_heads"], graph)


@identity(
    32,
    "Metric-attention is kernel regression on mapped points",
    "softmax(-|phi(x) - phi(z)|^2) v = kernel regression on phi(x),  h = 1 / sqrt(2)",
    source=f"{_TABLE}, Algorithm 1",
)
def metric_attention(data):
    """The published module, phi one hidden layer with a residual connection.

    lw.metric_attention on one side; points mapped by phi and lw.KernelRegressor on the other.
    """
    rng, x = np.random.default_rng(5), data.X / data.X.dtype.type(data.length)
    W1, W2 = rng.normal(size=(2, data.d, data.d)) / data.d**0.5
    phi = maps.ResidualMLP(W1, rng.normal(size=data.d), W2, rng.normal(size=data.d))
    seen = phi(x)
    regression = lw.KernelRegressor(bandwidth=0.5**0.5).fit(seen, data.values)
    size = 4 * float((seen.astype(np.float64) ** 2).sum(axis=1).max())
    found = lw.metric_attention(x, phi, data.values)
    yield same(found, regression.predict(seen), data.rounding(size), np.abs(data.values).max())
