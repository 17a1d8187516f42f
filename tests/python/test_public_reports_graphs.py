"""What public bug reports of other libraries asked of this one: graphs and sparse matrices.

Each test names the kind of fault and the report that led to it; docs/reports has all reports that were tried.
"""

import warnings
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn.datasets import make_moons

import likewise as lw

rng = np.random.default_rng(0)

X = rng.normal(size=(200, 3)) + 2


@pytest.mark.filterwarnings("ignore:.*are in components without a label")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("solver", ["cg", "iterate"])
@pytest.mark.parametrize("model", [lw.LabelSpreading, lw.LabelPropagation])
def test_no_row_of_shares_is_zero(model, solver, dtype):
    """Kind: a share below the least positive number that silently becomes no share (scikit-learn 9292)."""
    points = [[[0.4], [3.0], [1.7], [3.0], [2.0]], [[3.5], [0.3], [3.9], [5.2], [2.6]]]
    for Z in points:
        Z = np.asarray(Z, dtype)
        fitted = model(gamma=500.0, solver=solver).fit(Z, [-1, 0, -1, 1, -1])
        eps = np.finfo(dtype).eps
        assert_allclose(fitted.label_distributions_.sum(axis=1), 1, atol=4 * eps)
        assert_allclose(fitted.predict_proba(np.r_[Z, Z + dtype(0.3)]).sum(axis=1), 1, atol=4 * eps)
        if model is lw.LabelPropagation:  # clamped
            assert_array_equal(fitted.label_distributions_[[1, 3]], np.eye(2))


def test_what_did_not_reach_a_point_is_said():
    """Kind: the same, and nobody is told."""
    with pytest.warns(UserWarning, match="1 of 5 points are in components without a label"):
        fitted = lw.LabelSpreading(gamma=500.0).fit([[0.4], [3.0], [1.7], [3.0], [2.0]], [-1, 0, -1, 1, -1])
    assert_array_equal(fitted.unreached_, [True, False, False, False, False])


NEGATIVE = np.array([[0, 1.0, -2], [1, 0, 3], [-2, 3, 0]])


@pytest.mark.parametrize("make", [np.array, sparse.csr_matrix])
@pytest.mark.parametrize("model", [lw.SpectralClustering, lw.SpectralEmbedding])
def test_negative_affinities_name_the_affinity(model, make):
    """Kind: an error that names an argument of something inside (scikit-learn 20754)."""
    with pytest.raises(ValueError, match=r"affinity must give weights >= 0; got -2\.0\."):
        model(2, affinity="precomputed").fit(make(NEGATIVE))


@pytest.mark.parametrize("model", [lw.LabelPropagation, lw.LabelSpreading])
def test_negative_affinities_name_the_kernel(model):
    """Kind: the same, where a function gives them."""
    with pytest.raises(ValueError, match=r"kernel must give weights >= 0; got -2\.0\."):
        model(kernel=lambda A, B: NEGATIVE).fit(np.eye(3), [0, 1, -1])


def a_graph(n=30):
    return sparse.random(n, n, 0.3, random_state=0, format="csr") + sparse.eye(n, format="csr")


def spoiled(form, value):
    """A graph whose first column number was overwritten, as a bug in somebody's loop does it."""
    A = (a_graph() + a_graph().T).asformat(form)
    (A.col if form == "coo" else A.indices)[0] = value
    return A


def as_booleans(A):
    A.data = A.data != 0  # astype would find the index first
    return A


SPARSE_READERS = {
    "graph": lambda A: lw.supports.Graph(A),
    "admitted": lambda A: lw.supports.Mask(as_booleans(A)),
    "X": lambda A: lw.SpectralClustering(2, affinity="precomputed").fit(A),
    "X of the embedding": lambda A: lw.SpectralEmbedding(2, affinity="precomputed").fit(A),
    "X of distances": lambda A: lw.SpectralClustering(
        2, affinity="precomputed_nearest_neighbors", n_neighbors=2
    ).fit(A),
    "X of new rows": lambda A: (
        lw.SpectralClustering(2, affinity="precomputed").fit(a_graph() + a_graph().T).predict(A)
    ),
    "kernel": lambda A: lw.LabelPropagation(kernel=lambda X, Z: A).fit(np.ones((30, 1)), np.arange(30) % 2),
    "kernel of spreading": lambda A: lw.LabelSpreading(kernel=lambda X, Z: A).fit(
        np.ones((30, 1)), np.arange(30) % 2
    ),
}


@pytest.mark.parametrize("value", [30, -1, 2**31 - 1])
@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
@pytest.mark.parametrize("reader", SPARSE_READERS)
def test_sparse_indices_outside_of_the_matrix_are_refused(reader, form, value):
    """Kind: numbers from outside used as addresses; the process crashed."""
    name = reader.split()[0].replace("graph", "edges")
    with pytest.raises(ValueError, match=rf"{name} must be a sparse matrix with indices inside its shape"):
        SPARSE_READERS[reader](spoiled(form, value))


def test_row_pointers_are_looked_at_and_notes_of_a_sparse_matrix_are_not_believed():
    """Kind: flags of a container that are older than its content (pytorch 60277: a column twice in a row)."""
    A = a_graph()
    A.indptr[3] = A.nnz
    with pytest.raises(ValueError, match="edges must be a sparse matrix with indices inside"):
        lw.supports.Graph(A)
    A = sparse.csr_matrix(np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]]))
    assert A.has_canonical_format  # and keeps saying so
    A.indices[:2] = [2, 2]
    graph = lw.supports.Graph(A, weights="given")
    assert_array_equal(graph.edges.indices, [2, 0, 0])
    P = lw.Mechanism(support=graph, normalization="none").operator(np.zeros((3, 1)))
    assert_array_equal(P.toarray(), [[0, 0, 3], [1, 0, 0], [2, 0, 0]])
    assert_array_equal(A.indices, [2, 2, 0, 0])


def test_a_function_may_give_an_affinity_as_a_sparse_matrix():
    """Kind: a result that one estimator takes in either storage, its sibling in one (scikit-learn#15866)."""
    X, _ = make_moons(120, noise=0.05, random_state=0)

    def dense(X):
        return np.exp(-5 * cdist(X, X, "sqeuclidean"))

    for form in (sparse.csr_matrix, sparse.csc_matrix, sparse.coo_matrix, sparse.csr_array):
        model = lw.SpectralEmbedding(2, affinity=lambda X, form=form: form(dense(X))).fit(X)
        K = dense(X) - np.eye(120)
        D = K.sum(axis=1)
        w, U = np.linalg.eigh(K / np.sqrt(D[:, None] * D))
        want = (U / np.sqrt(D)[:, None])[:, [-2, -3]]
        assert_allclose(np.abs(model.embedding_), np.abs(want), atol=1e-8)
        assert_allclose(model.eigenvalues_, w[[-1, -2, -3]], atol=1e-10)


@pytest.mark.parametrize("estimator", [lw.LabelSpreading, lw.LabelPropagation])
def test_weights_of_a_function_are_looked_at_whoever_asks(estimator):
    """Kind: a check of fit that predict leaves out: NaN became everyone's shares, without a word."""
    X, y = make_moons(120, noise=0.05, random_state=0)
    y = np.where(np.arange(120) % 10, -1, y)
    for wrong, message in (
        (np.nan, "kernel must give weights >= 0; got nan"),
        (-1.0, "kernel must give weights >= 0; got -"),
        (np.inf, "kernel must give finite weights; got inf"),
    ):
        for form in (np.asarray, sparse.csr_matrix):
            model = estimator(
                lambda A, B, wrong=wrong, form=form: form(
                    np.exp(-cdist(A, B)) * (1 if len(B) == 120 else wrong)
                )
            ).fit(X, y)
            with pytest.raises(ValueError, match=message):
                model.predict_proba(X[:2])
            with pytest.raises(ValueError, match="kernel must give"):
                estimator(lambda A, B, wrong=wrong, form=form: form(np.full((len(A), len(B)), wrong))).fit(
                    X, y
                )
    for wrong, error, message in (
        (
            lambda A, B: np.ones((2, 2)),
            ValueError,
            r"kernel must give weights of shape \(120, 3\); got shape \(2, 2\)",
        ),
        (lambda A, B: None, (TypeError, ValueError), "kernel must give"),
        (
            lambda A, B: "weights",
            TypeError,
            "kernel must give an array or a sparse matrix of numbers; got str",
        ),
    ):
        model = estimator(
            lambda A, B, wrong=wrong: np.exp(-cdist(A, B)) if len(B) == 120 else wrong(A, B)
        ).fit(X, y)
        with pytest.raises(error, match=message):
            model.predict(X[:3])


def absorbed(A, held):
    """Where the walk of weights A is held, in rational numbers: shares of the held states for each other."""
    n = len(A)
    free = [i for i in range(n) if i not in held]
    rows = [[Fraction(float(a)) for a in row] for row in A]
    rows = [[a / sum(row) for a in row] for row in rows]
    M = [[(i == j) - rows[i][j] for j in free] + [rows[i][h] for h in held] for i in free]
    for c in range(len(free)):  # Gauss and Jordan
        pivot = next(r for r in range(c, len(free)) if M[r][c] != 0)
        M[c], M[pivot] = M[pivot], M[c]
        M[c] = [a / M[c][c] for a in M[c]]
        for r in range(len(free)):
            if r != c:
                M[r] = [a - M[r][c] * b for a, b in zip(M[r], M[c])]
    return free, np.array([[float(a) for a in row[len(free) :]] for row in M])


def walks():
    yield np.array(
        [
            [1e-7, 1e-2, 1e-3, 1e-6, 1e-3, 1e-8, 0],
            [1e-4, 0, 1e-7, 1e-3, 0, 0, 1e-6],
            [1e-8, 0, 0.1, 1e-3, 1e-8, 0, 0],
            [0, 0, 0, 1e-2, 1e-6, 0, 0],
            [0, 1e-6, 0.1, 0, 1e-3, 0, 1e-2],
            [1e-4, 0.1, 1e-6, 0, 1e-2, 0, 0.1],
            [0, 1e-6, 1e-5, 0.1, 0, 1e-7, 1e-5],
        ]
    )
    draw = np.random.default_rng(3)
    for _ in range(60):
        n = int(draw.integers(5, 12))
        A = 10.0 ** -draw.integers(0, 9, (n, n)) * (draw.random((n, n)) < 0.6)
        yield A + np.roll(np.diag(np.full(n, 1e-6)), 1, axis=1)  # everybody reaches everybody


@pytest.mark.parametrize("solver", ["auto", "bicgstab", "iterate"])
def test_a_walk_that_hardly_leaves_is_solved_or_said_not_to_be(solver):
    """Kind: a residual that is small beside an error that is not (pyGPCCA 18): directed graphs of weak links
    came out up to 2.5 % off and called converged."""
    for A in walks():
        for storage in ("sparse", "dense"):
            if storage == "dense" and (A == 0).any():
                continue
            m = lw.Mechanism(
                metric="euclidean",
                kernel="indicator",
                support=lw.supports.Graph(sparse.csr_matrix(A), weights="given"),
            )
            P = m.operator(np.arange(float(len(A)))[:, None])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                F, report = P.equilibrium(np.eye(len(A))[:, :2], clamped=np.arange(len(A)) < 2, solver=solver)
            if report.converged:
                free, want = absorbed(A, [0, 1])
                assert_allclose(F[free], want, atol=2e-4)
            assert report.converged or solver != "auto"


def a_walk(n=30):
    """A symmetric graph whose weights all differ."""
    A = a_graph(n)
    return sparse.csr_matrix(A + A.T)


def spread(a):
    """The same numbers, each beside another."""
    return np.stack([a, a * 0 + 1], axis=1)[:, 0]


def of_a_record(a):
    table = np.ones(len(a), [("a", "i1"), ("b", a.dtype)])
    table["b"] = a
    return table["b"]


LAYOUTS = {
    "a column": spread,
    "reversed": lambda a: a[::-1].copy()[::-1],
    "a field": of_a_record,
    "a real part": lambda a: a.astype(complex).real if a.dtype.kind == "f" else a,
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "one for all": lambda a: np.broadcast_to(a[0], a.shape) if a.dtype.kind == "f" else a,
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype),
}


def laid_out(A, parts, layout):
    """A with some of its three arrays laid out so, which no constructor puts in order, and its dense copy."""
    A = A.copy()
    for part in parts:
        setattr(A, part, LAYOUTS[layout](getattr(A, part)))
    dense = np.zeros(A.shape)
    for i in range(A.shape[0]):
        for at in range(A.indptr[i], A.indptr[i + 1]):
            dense[i, A.indices[at]] += A.data[at]
    return A, dense


def walk_of(A, normalization="none"):
    given = lw.supports.Graph(A, weights="given")
    m = lw.Mechanism(kernel="indicator", support=given, normalization=normalization)
    return m.operator(np.zeros((A.shape[0], 1)))


NO_LABEL = np.where(np.arange(30) < 10, np.arange(30) % 2, -1)

READERS_OF_LAYOUTS = {
    "edges": lambda A: lw.supports.Graph(A).edges.toarray(),
    "admitted": lambda A: lw.supports.Mask(A.astype(bool)).edges.toarray(),
    "walk": lambda A: walk_of(A, "row").toarray(),
    "product": lambda A: walk_of(A) @ np.arange(30.0),
    "clusters": lambda A: lw.SpectralClustering(2, affinity="precomputed", random_state=0).fit(A).predict(A),
    "embedding": lambda A: lw.SpectralEmbedding(2, affinity="precomputed").fit_transform(A),
    "distances": lambda A: lw.SpectralEmbedding(
        2, affinity="precomputed_nearest_neighbors", n_neighbors=2
    ).fit_transform(A),
    **{
        model.__name__: lambda A, model=model: (
            model(kernel=lambda X, Z: A).fit(np.ones((30, 1)), NO_LABEL).label_distributions_
        )
        for model in (lw.LabelPropagation, lw.LabelSpreading)
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("parts", [["data"], ["indices"], ["indptr"], ["data", "indices", "indptr"]], ids=str)
def test_the_arrays_of_a_sparse_matrix_may_lie_anyhow(parts, layout):
    """Kind: memory read as if it were dense; weights were a column of a table (scipy 20182)."""
    A, dense = laid_out(a_walk(), parts, layout)
    assert_allclose(walk_of(A).toarray(), dense, rtol=1e-15)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of graphs in parts
        for reader, read in READERS_OF_LAYOUTS.items():
            assert_allclose(read(A), read(sparse.csr_matrix(dense)), atol=1e-12, err_msg=reader)


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.coo_matrix, sparse.lil_matrix])
def test_sparse_masks_are_refused_by_name(form):
    """Kind: a container of which NumPy makes one object (scipy 20182)."""
    q, layer, one = np.ones((3, 4)), lw.nn.SelfAttention(4, random_state=0), form(np.eye(3, dtype=bool))
    calls = {
        "mask": [
            lambda: lw.attention(q, q, q, mask=one),
            lambda: lw.l2_attention(q, q, q, mask=one),
            lambda: layer.forward(q, mask=one),
            lambda: lw.from_torch_mask(one),
        ],
        "key_padding_mask": [
            lambda: lw.attention(q, q, q, key_padding_mask=one),
            lambda: layer.forward(q, key_padding_mask=one),
        ],
        "clamped": [
            lambda: (
                lw.Mechanism().replace(propagation=lw.propagations.Equilibrium()).propagate(q, q, clamped=one)
            )
        ],
    }
    says = r"{} must be a dense boolean array; got a sparse one of shape \(3, 3\)\. Use \.toarray\(\)\."
    for name, some in calls.items():
        for call in some:
            with pytest.raises(TypeError, match=says.format(name)):
                call()
    assert lw.attention(q, q, q, support=lw.supports.Mask(one)).shape == (3, 4)  # a graph
