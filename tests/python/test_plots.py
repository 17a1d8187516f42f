"""The drawing functions put the numbers they are given where they belong."""

import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal

import likewise as lw
from likewise import plots


@pytest.fixture
def ax():
    return Figure().subplots()


def offsets(collection):
    return np.asarray(collection.get_offsets())


def test_embedding_colors_classes_apart(ax):
    points = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    plots.embedding(points, np.array([0, 1, 0]), ax=ax, names=("left", "up"))
    first, second = ax.collections
    assert_array_equal(offsets(first), points[[0, 2]])
    assert_array_equal(offsets(second), points[[1]])
    assert not np.array_equal(first.get_facecolor(), second.get_facecolor())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("left", "up")


def test_embedding_of_numbers_has_one_color_scale(ax):
    plots.embedding(np.eye(2), np.array([0.5, 2.5]), ax=ax)
    (points,) = ax.collections
    assert_array_equal(points.get_array(), [0.5, 2.5])


def test_decision_surface_draws_its_level_line_where_the_function_crosses(ax):
    xs, ys = np.linspace(0, 1, 41), np.linspace(0, 2, 31)
    values = np.tile(xs**2, (31, 1))  # crosses 0.25 at x = 0.5
    plots.decision_surface(xs, ys, values, np.array([[0.1, 0.1]]), np.array([1]), ax=ax, levels=[0.25])
    line = ax.collections[1].get_paths()[0].vertices
    assert_allclose(line[:, 0], 0.5, atol=0.01)
    assert line[:, 1].min() == 0 and line[:, 1].max() == 2


def test_decision_surface_of_numbers_shares_colors_with_its_points(ax):
    xs = ys = np.linspace(0, 1, 5)
    values = np.linspace(-3, 7, 25).reshape(5, 5)
    plots.decision_surface(xs, ys, values, np.eye(2), np.array([0.0, 1.0]), ax=ax, label="height")
    surface, points = ax.collections
    assert surface.get_clim() == points.get_clim() == (-3, 7)


def test_arrows_end_where_the_points_are_moved(ax):
    starts, ends = np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[1.0, 0.5], [1.0, 0.0]])
    plots.arrows(starts, ends, np.zeros((3, 2)), ax=ax)
    quiver = ax.collections[1]
    assert_array_equal(np.c_[quiver.X, quiver.Y] + np.c_[quiver.U, quiver.V], ends)
    assert_array_equal(offsets(ax.collections[2]), ends)


def test_curve_has_a_band_between_its_bounds(ax):
    x, mean = np.array([1.0, 2.0, 4.0]), np.array([0.5, 0.7, 0.6])
    plots.curve(x, mean, mean - 0.1, mean + 0.2, ax=ax)
    assert_array_equal(ax.lines[0].get_ydata(), mean)
    band = ax.collections[0].get_paths()[0].vertices
    assert_allclose([band[:, 1].min(), band[:, 1].max()], [0.4, 0.9])


def test_matrix_shows_square_roots(ax):
    plots.matrix(np.array([[1.0, 0.25], [0.0, 0.04]]), ax=ax)
    assert_allclose(ax.images[0].get_array(), [[1, 0.5], [0, 0.2]])


def test_heat_map_writes_means_and_colors_differences(ax):
    means = np.array([[0.5, 0.75, np.nan], [0.123, 0.999, 0.2]])
    differences = means - means[:, :1]
    clear = np.array([[False, True, False], [False, False, True]])
    plots.heat_map(
        means,
        np.full_like(means, 0.05),
        differences,
        clear,
        row_names=["a", "b"],
        column_names=["x", "y", "z"],
        reference="x",
        starred=np.array([[False, True, False], [False, False, False]]),
        ax=ax,
    )
    texts = {
        (round(t.get_position()[0]), round(t.get_position()[1])): t
        for t in ax.texts
        if "±" not in t.get_text()
    }
    shown = [[texts[column, row].get_text() for column in range(3)] for row in range(2)]
    assert shown == [["0.50", "0.75*", "–"], ["0.12", "1.00", "0.20"]]
    bold = [[texts[column, row].get_weight() == "bold" for column in range(3)] for row in range(2)]
    assert_array_equal(bold, clear)
    colors = ax.images[0].get_array()
    assert_array_equal(np.ma.getmaskarray(colors), np.isnan(means))
    assert_allclose(colors.compressed(), differences[~np.isnan(means)])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["x", "y", "z"]
    frame = ax.patches[-1]
    assert (frame.get_x(), frame.get_width(), frame.get_height()) == (-0.5, 1, 2)


def test_a_new_figure_is_made_where_no_axes_are_given():
    import matplotlib

    matplotlib.use("Agg")
    assert plots.embedding(np.eye(2), np.array([0, 1])).figure is not None


@pytest.mark.parametrize(
    "x, text", [(0.126, "0.13"), (-99.994, "-99.99"), (-115.6, "-116"), (31_000, "3e+04"), (0, "0.00")]
)
def test_numbers_are_short(x, text):
    assert plots.short_number(x) == text


def test_boundary_of_two_classes_is_the_line_of_one_half(ax):
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = np.where(X[:, 0] > 0, "right", "left")
    model = lw.KernelClassifier(kernel=lw.kernels.Gaussian(0.5)).fit(X, y)
    assert plots.boundary(model, X, y, ax=ax) is ax
    line = ax.collections[1].get_paths()[0].vertices
    assert_allclose(model.predict_proba(line)[:, 1], 0.5, atol=0.05)
    assert [len(offsets(points)) for points in ax.collections[2:]] == [
        (y == "left").sum(),
        (y == "right").sum(),
    ]


def test_boundary_of_more_classes_and_of_clusters_colors_who_owns_the_plane(ax):
    X = np.random.default_rng(1).normal(size=(90, 2)) + np.repeat([[0, 0], [6, 0], [0, 6]], 30, axis=0)
    y = np.repeat([5, 7, 9], 30)
    for model in (lw.KNeighborsClassifier().fit(X, y), lw.MeanShift().fit(X)):
        axes = Figure().subplots()
        plots.boundary(model, X, ax=axes, resolution=40)
        areas = axes.collections[0].get_array().reshape(40, 40)
        assert len(np.unique(areas)) == 3
        points = [offsets(c) for c in axes.collections if len(c.get_offsets()) == 30]
        assert len(points) == 3


def test_boundary_of_a_regressor_is_its_surface(ax):
    X = np.random.default_rng(2).uniform(size=(50, 2))
    model = lw.KernelRegressor(bandwidth=0.2).fit(X, X[:, 0])
    plots.boundary(model, X, X[:, 0], ax=ax, resolution=20, label="height")
    assert ax.collections[0].get_array().size == 400
    with pytest.raises(ValueError, match=r"X must be of shape \(n, 2\).*got shape \(50, 3\)"):
        plots.boundary(model, np.ones((50, 3)))


def test_spectrum_marks_the_largest_gap_after_the_first(ax):
    plots.spectrum([0.1, 1.0, 0.98, 0.97, 0.2], ax=ax)
    assert_array_equal(ax.lines[0].get_ydata(), [1.0, 0.98, 0.97, 0.2, 0.1])
    assert_array_equal(ax.lines[1].get_xdata(), [3.5, 3.5])
    bare = Figure().subplots()
    plots.spectrum(lw.Mechanism().operator(np.eye(4)).spectrum(3), ax=bare, gap=0)
    assert len(bare.lines) == 1


def test_attention_names_its_tokens_and_writes_small_weights(ax):
    plots.attention(np.array([[0.25, 0.75], [1.0, 0.0]]), ["a", "b"], ax=ax)
    assert (
        [t.get_text() for t in ax.get_yticklabels()]
        == ["a", "b"]
        == [t.get_text() for t in ax.get_xticklabels()]
    )
    assert [t.get_text() for t in ax.texts] == ["0.25", "0.75", "1.00", "0.00"]
    wide = Figure().subplots()
    plots.attention(lw.Mechanism().operator(np.random.default_rng(0).normal(size=(30, 2))), ax=wide)
    assert not wide.texts and wide.images[0].get_array().shape == (30, 30)


def test_graph_draws_each_edge_between_its_nodes(ax):
    places = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    A = np.array([[1.0, 2.0, 0.0], [2.0, 0.0, 0.1], [0.0, 0.1, 0.0]])
    plots.graph(A, places, np.array([0, 1, -1]), ax=ax, least=0.2)
    lines = ax.collections[0].get_segments()
    assert_array_equal(lines, [places[[0, 1]], places[[1, 0]]])  # the loop and the weak edge are left out
    assert len(ax.collections) == 4
    for labels in (None, np.array([0.1, 0.5, 0.9])):
        plots.graph(A, places, labels, ax=Figure().subplots())


def test_matrix_takes_an_operator(ax):
    P = lw.Mechanism().operator(np.random.default_rng(0).normal(size=(9, 2)))
    plots.matrix(P, ax=ax)
    assert_allclose(ax.images[0].get_array() ** 2, P.toarray(), atol=1e-12)


def refused(message, draw, *arguments, **keywords):
    with pytest.raises(ValueError, match=message):
        draw(*arguments, ax=Figure().subplots(), **keywords)


def test_what_cannot_be_drawn_is_named():
    X, y = np.random.default_rng(0).normal(size=(12, 2)), np.arange(12) % 2
    model = lw.KernelClassifier(bandwidth=1.0).fit(X, y)
    refused("y must be of shape", plots.boundary, model, X, y[:5])
    refused("y must hold classes of the model, or -1; got 7", plots.boundary, model, X, np.full(12, 7))
    refused("X must be of shape", plots.boundary, model, np.empty((0, 2)))
    refused("X must be finite", plots.boundary, model, np.full((3, 2), np.nan))
    two = lw.KernelRegressor(bandwidth=1.0).fit(X, X)
    refused("model must predict one number", plots.boundary, two, X, y)
    refused("values must be finite", plots.spectrum, [1.0, np.nan])
    refused("values must be of shape", plots.spectrum, [])
    refused("gap must be an int from 0 to 1", plots.spectrum, [1.0, 0.5], gap=2)
    refused("weights must be of shape", plots.attention, [1.0, 0.5])
    refused("weights must not be negative", plots.attention, [[1.0, -0.5]])
    refused("tokens must be 2 names", plots.attention, np.eye(2), ["a"])
    refused("A must be square", plots.graph, np.ones((2, 3)), X[:2])
    refused("A must be square, of finite weights", plots.graph, np.full((2, 2), np.nan), X[:2])
    refused("positions must be of shape", plots.graph, np.eye(2), X[:3])
    refused("labels must be of shape", plots.graph, np.eye(2), X[:2], np.array([0.5, np.nan]))


def test_small_and_odd_inputs_are_drawn(ax):
    X, y = np.random.default_rng(0).normal(size=(12, 2)), np.arange(12) % 3
    plots.graph(np.zeros((3, 3)), X[:3], ax=ax)
    plots.graph(np.zeros((1, 1)), X[:1], np.array(["a"]), ax=Figure().subplots())
    plots.graph(np.eye(3)[::-1], X[:3], np.array(["a", "-1", "b"]), ax=Figure().subplots())
    plots.spectrum(lw.Mechanism().operator(X).eigsh(3), ax=Figure().subplots())
    model = lw.KernelClassifier(bandwidth=1.0).fit(X, np.array(["a", "b", "c"])[y])
    axes = Figure().subplots()
    plots.boundary(model, X, np.array(["a", "-1", "c"])[y], ax=axes, resolution=12)
    gray = [c for c in axes.collections if len(c.get_offsets()) == 4 and c.get_facecolor()[0, 0] > 0.7]
    assert len(gray) == 1


def test_boundary_asks_with_a_table_who_was_fitted_on_one():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(12, 2)), columns=["u", "v"])
    model = lw.KernelClassifier(bandwidth=1.0).fit(X, np.arange(12) % 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plots.boundary(model, X, np.arange(12) % 2, ax=Figure().subplots(), resolution=9)
