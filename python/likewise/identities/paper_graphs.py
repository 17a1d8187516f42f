"""The table of Ruan and Zhang (2024), section 2: methods that make a map or clusters of points."""

import warnings

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import shortest_path
from scipy.special import entr

import likewise as lw
from likewise import kernels, metrics, supports
from likewise.identities._finding import apart, identity, same
from likewise.identities.attention import neighbor_graph
from likewise.propagations import OneStep

_TABLE = "Ruan and Zhang 2024, section 2"


@identity(
    16,
    "Multidimensional scaling is no propagation",
    "-J D^2 J / 2 = X X^T of centered X, which is factorized,  J = I - 1 1^T / n",
    "its rows sum to 0 != 1: no row is a mean of values",
    source=f"{_TABLE}; Torgerson 1952",
)
def mds(data):
    """What MDS factorizes is the matrix of dot products, found from distances; nothing is propagated by it.

    Distances by lw.kneighbors on one side, dot products of centered points on the other.
    """
    D = _distances(data.X)
    centered = data.X - data.X.mean(axis=0, dtype=np.float64)
    B, rounding = _centered(D**2), data.eps * (data.n + 2 * data.d + 8)
    yield same(B, centered @ centered.T, 4 * rounding, (D**2).max())
    yield apart(B.sum(axis=1), np.ones(data.n))


def _distances(X):
    """(n, n) distances, float64, by lw.kneighbors."""
    found, indices = lw.kneighbors(X, X, n_neighbors=len(X))
    D = np.zeros((len(X), len(X)))
    np.put_along_axis(D, indices, found.astype(np.float64), axis=1)
    return D


def _centered(squares):
    """-J D^2 J / 2 of squared distances."""
    return -(squares - squares.mean(axis=0) - squares.mean(axis=1)[:, None] + squares.mean()) / 2


@identity(
    17,
    "Isomap is no propagation",
    "-J G^2 J / 2 of the lengths G of shortest paths has rows that sum to 0 != 1",
    source=f"{_TABLE}; Tenenbaum, de Silva and Langford 2000",
)
def isomap(data):
    """MDS of lengths along a graph: factorized as well.

    Lengths of edges by lw.kneighbors; paths by SciPy, within the first point's component.
    """
    graph, D = neighbor_graph(data), _distances(data.X)
    G = shortest_path(sp.csr_matrix(graph.multiply(D)), directed=False)
    G = G[np.isfinite(G[0])][:, np.isfinite(G[0])]
    yield apart(_centered(G**2).sum(axis=1), np.ones(len(G)))


@identity(
    18,
    "Locally linear embedding has the constraint of local regression, not its weights",
    "sum_j w_ij = 1 of local linear regression (degree 1) at left-out points",
    "w != the weights of locally linear embedding, which sum to 1 as well",
    source=f"{_TABLE}; Roweis and Saul 2000; Cleveland 1979",
)
def lle(data):
    """Both write a point by its neighbors with signed weights that sum to 1; they are not the same ones.

    lw.KernelRegressor(degree=1) of unit vectors on one side, scikit-learn's barycenter weights on the other,
    for the first ten points and at most eight columns.
    """
    from sklearn.manifold._locally_linear import barycenter_weights

    X = np.unique(data.or_irises(min(data.d, 8) + 4).X[:, :8], axis=0).astype(np.float64)
    k = min(len(X) - 1, X.shape[1] + 8)
    local, embedding, conditions = [], [], []
    for i in range(min(10, len(X))):
        others = np.delete(X, i, axis=0)
        near = others[lw.kneighbors(X[i : i + 1], others, n_neighbors=k)[1][0]]
        linear = lw.KernelRegressor(kernel="indicator", bandwidth=None, degree=1).fit(near, np.eye(k))
        local.append(linear.predict(X[i : i + 1])[0])
        conditions.append(np.linalg.cond(np.c_[np.ones(k), near - X[i]]))
        embedding.append(barycenter_weights(X[i : i + 1], near, np.arange(k)[None])[0])
    local, embedding = np.array(local), np.array(embedding)
    rounding = k * np.finfo(float).eps * max(conditions) ** 2  # of normal equations
    yield same(local.sum(axis=1), np.ones(len(local)), rounding)
    yield apart(local, embedding)


@identity(
    19,
    "Laplacian eigenmaps are the spectrum of a walk",
    "P v = w v is (D - K) v = (1 - w) D v",
    source=f"{_TABLE}; Belkin and Niyogi 2003",
)
def laplacian_eigenmaps(data):
    """Eigenvectors of the row-stochastic operator solve the generalized problem of the graph's Laplacian.

    Eigenpairs by SelfOperator.eigsh on one side, the unnormalized operator's matrix on the other.
    """
    data = data.or_irises(2)
    m = lw.explain("laplacian_eigenmaps").mechanism.replace(kernel=kernels.Gaussian(data.length))
    m = m.replace(support=supports.Neighbors(min(5, data.n - 1)), propagation=OneStep())
    w, v = m.operator(data.X).eigsh(min(4, data.n), tol=10 * data.eps)
    K = m.replace(normalization="none").operator(data.X).tocsr().astype(np.float64)
    D, v = np.asarray(K.sum(axis=1)).reshape(-1, 1), v.astype(np.float64)
    scale = np.abs(v * D).max()
    yield same(D * v - K @ v, (1 - w) * (D * v), 10 * data.of_distances, scale)


@identity(
    20,
    "Diffusion maps scale both sides, then rows, and take a power of the spectrum",
    "Density(1) = K / (q q^T), rows divided by their sums,  q = K 1",
    "P^2 psi = mu^2 psi = the coordinates at time 2",
    source=f"{_TABLE}; Coifman and Lafon 2006",
)
def diffusion_maps(data):
    """The walk of diffusion maps by another normalization, and its coordinates as what two steps make of psi.

    lw.DiffusionMaps and Density(1) on one side; Column, whose rows are then divided by their sums, on the
    other.
    """
    data = data.or_irises(3)
    m = lw.Mechanism(metric="euclidean", kernel=kernels.Gaussian(data.length), normalization="column")
    columns = m.operator(data.X).toarray().astype(np.float64)
    P = columns / columns.sum(axis=1, keepdims=True)
    yield same(m.replace(normalization="density").operator(data.X).toarray(), P, 2 * data.of_distances)
    model = lw.DiffusionMaps(2, bandwidth=data.length, diffusion_time=2, eigen_tol=10 * data.eps).fit(data.X)
    psi = model.eigenvectors_.astype(np.float64)
    rounding = 4 * data.of_distances + 100 * data.eps
    yield same(P @ (P @ psi), model.embedding_, rounding, np.abs(psi).max())


@identity(
    21,
    "SNE's weights are a Gaussian of its own length in each row",
    "P_ij = exp(-d^2 / (2 s_i)) / sum, without the point itself",
    "entropy of each row = log(perplexity)",
    source=f"{_TABLE}; Hinton and Roweis 2002",
)
def sne(data):
    """P_j|i of SNE: the bandwidth rule "perplexity", left-one-out, divided by rows.

    The rule's operator on one side; given costs d^2 / (2 s_i), with the s_i it found, and the entropy that is
    asked for, on the other. Rows of points with copies, which take a third of the others, are left out of the
    second.
    """
    data = data.or_irises(5)
    P = lw.explain("sne").mechanism.operator(data.X)
    weights, squares = P.toarray().astype(np.float64), _distances(data.X) ** 2
    scaled = squares / (2 * P.bandwidth.row_scale[:, None])
    given = lw.Mechanism(
        metric=metrics.Precomputed(distance_power=None), kernel="exponential", support="leave_one_out"
    )
    # Exponents are small where weights are not, and s_i itself is known.
    speak = np.where(weights > data.eps, scaled, 0).max()
    rounding = data.rounding(speak + data.largest_square / P.bandwidth.row_scale.min())
    yield same(weights, given.operator(scaled).toarray(), rounding, 1.0)
    alone = (squares == 0).sum(axis=1) == 1
    perplexity = min(30.0, (data.n - 1) / 3)
    entropies = entr(weights[alone]).sum(axis=1)
    yield same(entropies, np.full(len(entropies), np.log(perplexity)), 1e-10 + rounding, 1.0)


@identity(
    22,
    "The gradient of t-SNE is a propagation with signed weights",
    "d KL(p | q) / dy_i = 4 sum_j (p_ij - q_ij) (1 + |y_i - y_j|^2)^-1 (y_i - y_j)",
    source=f"{_TABLE}; van der Maaten and Hinton 2008",
)
def tsne(data):
    """The map side of t-SNE is a mechanism, StudentT divided by the sum of all pairs.

    The derivative of the loss through that operator (vjp) on one side, the published formula on the other.
    """
    data = data.or_irises(2)
    Y = data.X / data.X.dtype.type(data.length)
    m = lw.explain("tsne").mechanism
    P = m.operator(data.queries / data.X.dtype.type(data.length)).toarray()
    Q = m.operator(Y)
    eye, q = np.eye(data.n, dtype=Y.dtype), Q.toarray()
    slope = np.where(np.eye(data.n, dtype=bool), 0, -P / np.where(q > 0, q, 1))
    by_vjp = Q.vjp(slope.astype(Y.dtype), eye)["points"]
    K = m.replace(normalization="none").operator(Y).toarray()
    signed = ((P - q) * K).astype(np.float64)
    formula = 4 * (signed.sum(axis=1)[:, None] * Y - signed @ Y)
    scale = 4 * np.abs(Y).max() * ((P + q) * K).sum(axis=1).max()
    yield same(by_vjp, formula, 4 * data.rounding(2 * data.largest_square / data.length**2), scale)


@identity(
    23,
    "UMAP's graph is a fuzzy union of Laplacian weights",
    "fuzzy_union of A = A + A^T - A o A^T,  A = exp(-max(0, d - rho_i) / s_i)",
    source=f"{_TABLE}; McInnes, Healy and Melville 2018",
)
def umap(data):
    """The fuzzy simplicial set: the union of directed weights whose rows have a length and an offset.

    The symmetrized operator on one side; the union of the directed one's matrix on the other.
    """
    data = data.or_irises(3)
    m = lw.explain("umap").mechanism
    k = min(14, data.n - 1)
    union = m.replace(support=supports.Neighbors(k, symmetrize="fuzzy_union")).operator(data.X).toarray()
    A = m.replace(support=supports.Neighbors(k, symmetrize="none")).operator(data.X).toarray()
    yield same(union, A + A.T - A * A.T, 8 * data.eps)


@identity(
    24,
    "Fuzzy c-means alternates two steps: rows for memberships, columns for centers",
    "centers = C^T X,  C = u^m divided by columns,  u = d^(-2/(m-1)) divided by rows",
    source=f"{_TABLE} (which leaves out the power m); Bezdek 1981",
)
def fuzzy_c_means(data):
    """From centers to points by rows and back by columns.

    A step of lw.FuzzyCMeans on one side; InverseDistance by rows, then those to the power m by Column, on the
    other.
    """
    data, m = data.or_irises(3), 2.0
    centers = np.unique(data.X, axis=0)[:: max(1, data.n // 3)][:3]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one step has not converged
        model = lw.FuzzyCMeans(len(centers), m=m, init=centers, max_iter=1).fit(data.X)
    u = lw.Mechanism(metric="euclidean", kernel=kernels.InverseDistance(2 / (m - 1))).operator(
        data.X, centers
    )
    given = supports.Graph(sp.csr_matrix(u.toarray().astype(np.float64) ** m), weights="given")
    columns = lw.Mechanism(kernel="indicator", support=given, normalization="column")
    back = columns.operator(data.X, centers).T @ data.X
    yield same(model.cluster_centers_, back, 8 * data.of_distances, np.abs(data.X).max())


@identity(
    25,
    "Markov clustering is powers and inflations of a walk",
    "the flow of MarkovClustering = (P <- inflate(P P, 2)) as many times",
    source=f"{_TABLE}; van Dongen 2000",
)
def markov_clustering(data):
    """Expansion and inflation of an operator, repeated.

    lw.MarkovClustering without pruning on one side; SquareMap.power and inflate of the walk on the other.
    Up to 200 points, whose flow fills the whole matrix.
    """
    X = data.or_irises(2).X[:200]
    k = min(6, len(X))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = lw.MarkovClustering(n_neighbors=k, prune=0, max_iter=8).fit(X)
    P = model.mechanism_.operator(X)
    for _ in range(model.n_iter_):
        P = P.power(2).inflate(2.0)
    # Each inflation doubles a relative error, each product adds n.
    rounding = 2.0**model.n_iter_ * (len(X) + 8) * data.eps
    yield same(model.flow_.toarray(), P.toarray(), rounding)
