"""Leave-one-out curves and scores where neighbors are counted or may be missing, against plain loops."""

import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar

import likewise as lw
from likewise import supports


def left_out(Z, Y, w, i):
    """The points and weights that point i hears: one unit of its own weight less. By distance, then index."""
    rest = w.copy()
    rest[i] -= min(1, w[i])
    d = np.sqrt(((Z - Z[i]) ** 2).sum(1))
    order = np.lexsort((np.arange(len(Z)), d))
    order = order[rest[order] > 1e-9]
    return d[order], rest[order], Y[order], Z[order]


def plain(Z, Y, w, h, support, degree=0):
    """Each point from what it hears within the support; the nearest where that is nobody."""
    out = np.empty_like(Y)
    for i in range(len(Z)):
        d, rest, y, z = left_out(Z, Y, w, i)
        if isinstance(support, supports.Neighbors):
            inside = np.arange(len(d)) < support.n_neighbors
        else:
            inside = d <= support.radius
        if not inside.any():
            out[i] = y[0]
            continue
        p = rest[inside] * np.exp(-0.5 * (d[inside] ** 2 - d[inside].min() ** 2) / h**2)
        p /= p.sum()
        y, z = y[inside], z[inside]
        out[i] = p @ y
        _, place = np.unique(z, axis=0, return_inverse=True)
        if degree == 0 or 1 / (np.bincount(place.ravel(), p) ** 2).sum() < Z.shape[1] + 1:
            continue
        center = p @ z
        S = (z - center).T @ (p[:, None] * (z - center))
        out[i] += (Z[i] - center) @ np.linalg.lstsq(
            S, (z - center).T @ (p[:, None] * (y - p @ y)), rcond=None
        )[0]
    return out


def problems():
    rng = np.random.default_rng(0)
    for _ in range(40):
        n = int(rng.integers(6, 25))
        Z = rng.normal(size=(n, 2)) if rng.random() < 0.6 else rng.integers(0, 4, (n, 2)).astype(float)
        w = [np.ones(n), rng.integers(1, 4, n).astype(float), rng.random(n) * 3][rng.integers(0, 3)]
        k, r = int(rng.integers(1, n + 1)), float(rng.choice([0.3, 0.5, 1.0, 3.0]))
        yield Z, rng.normal(size=(n, 1)), w, supports.Neighbors(k)
        yield Z, rng.normal(size=(n, 1)), w, supports.Radius(r)


def curve(Z, y, support, w=None):
    """Pairs of a length that was tried and its loss, which no public attribute shows."""
    model = lw.KernelRegressor(bandwidth="loo", support=support).fit(Z, y, sample_weight=w)
    return list(zip(model._fitted.bandwidth.grid, model._fitted.bandwidth.curve, strict=True))


def r_squared(Y, F, w):
    mean = (w[:, None] * Y).sum() / w.sum()
    return 1 - (w[:, None] * (Y - F) ** 2).sum() / (w[:, None] * (Y - mean) ** 2).sum()


def test_scores_and_curves_say_the_same_under_a_selector():
    """A key of weight 3 took two of k places in the score and one in the curve, which counted rows that a
    radius leaves empty as 0: two answers to one question. Both are those of plain loops."""
    for Z, Y, w, support in problems():
        m = lw.KernelRegressor(bandwidth=0.8, support=support).fit(Z, Y[:, 0], sample_weight=w)
        assert_allclose(m.loo_score_, r_squared(Y, plain(Z, Y, w, 0.8, support), w), rtol=1e-8, atol=1e-8)
        for h, loss in curve(Z, Y[:, 0], support, w)[::9]:
            want = (w[:, None] * (Y - plain(Z, Y, w, h, support)) ** 2).sum() / w.sum()
            assert_allclose(loss, want, rtol=1e-7, atol=1e-9)


def test_planes_are_left_out_by_the_same_rule():
    """Local planes split a heavy key in two as well."""
    rng = np.random.default_rng(1)
    for _ in range(10):
        Z, Y = rng.normal(size=(30, 2)), rng.normal(size=(30, 1))
        w = rng.integers(1, 4, 30).astype(float)
        for support in (supports.Neighbors(12), supports.Radius(1.5)):
            m = lw.KernelRegressor(bandwidth=1.5, degree=1, support=support).fit(Z, Y[:, 0], sample_weight=w)
            want = r_squared(Y, plain(Z, Y, w, 1.5, support, degree=1), w)
            assert_allclose(m.loo_score_, want, rtol=1e-4, atol=1e-4)  # a ridge of 1e-6 keeps planes apart


def test_a_radius_that_reaches_nobody():
    """Points without any neighbor are predicted by their nearest, in the curve too (it said 0)."""
    Z = np.array([[0.0], [0.4], [0.8], [5.0], [9.0]])
    y = np.array([1.0, 2, 3, 10, 20])
    for h, loss in curve(Z, y, supports.Radius(1.0)):
        want = np.mean((y[:, None] - plain(Z, y[:, None], np.ones(5), h, supports.Radius(1.0))) ** 2)
        assert_allclose(loss, want, rtol=1e-9)


@pytest.mark.parametrize("classes", [2, 3])
def test_classifiers_too(classes):
    """The share of points whose left-out class is right."""
    rng = np.random.default_rng(2)
    for _ in range(10):
        Z, labels = rng.normal(size=(25, 2)), rng.integers(0, classes, 25)
        w = rng.integers(1, 4, 25).astype(float)
        Y = np.eye(labels.max() + 1)[labels]
        for support in (supports.Neighbors(5), supports.Radius(0.6)):
            m = lw.KernelClassifier(bandwidth=0.8, support=support).fit(Z, labels, sample_weight=w)
            F = plain(Z, Y, w, 0.8, support)
            assert_allclose(m.loo_score_, w[F.argmax(1) == labels].sum() / w.sum(), rtol=1e-12)


def test_planes_count_copies_once():
    """How many points a row uses is counted over its own keys, copies together: two places of three points
    make no plane."""
    Z = np.repeat(np.array([[0.0], [1.0], [2.5], [4.0]]), [3, 1, 2, 1], axis=0)
    y = np.array([0.0, 0, 0, 1, 5, 5, 2])
    m = lw.KernelRegressor(bandwidth=50.0, degree=1, support=supports.Neighbors(4)).fit(Z, y)
    assert_allclose(m.predict([[0.2]]), 0.25, atol=1e-4)  # two places: 1 / (9/16 + 1/16) = 1.6 points < 2
    m = lw.KernelRegressor(bandwidth=50.0, degree=1, support=supports.Neighbors(6)).fit(Z, y)
    slope, level = np.polyfit(Z[:6, 0], y[:6], 1)
    assert_allclose(m.predict([[0.2]]), level + 0.2 * slope, atol=1e-2)


def loo_error(Z, Y, h, log_loss):
    """The error of predicting each row of Y by the other points, Gaussian weights of length h."""
    d2 = ((Z[:, None] - Z) ** 2).sum(axis=2)
    np.fill_diagonal(d2, np.inf)
    P = np.exp(-0.5 * (d2 - d2.min(axis=1, keepdims=True)) / h**2)
    F = P @ Y / P.sum(axis=1, keepdims=True)
    return -np.log((F * Y).sum(axis=1)).mean() if log_loss else np.square(F - Y).mean()


def least(Z, Y, log_loss):
    """The length of the least error, by a fine grid and SciPy's bounded search around it."""
    grid = np.linspace(np.log(0.05), np.log(5), 200)
    at = int(np.argmin([loo_error(Z, Y, np.exp(t), log_loss) for t in grid]))
    found = minimize_scalar(
        lambda t: loo_error(Z, Y, np.exp(t), log_loss), bounds=(grid[at - 1], grid[at + 1]), method="bounded"
    )
    return np.exp(found.x)


@pytest.fixture(scope="module")
def points_and_numbers():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(40, 2))
    return Z, Z[:, 0] + 0.3 * rng.normal(size=40)


def test_numbers_in_objects_are_numbers_to_select_bandwidth(points_and_numbers):
    """Numbers have a squared error in whatever they come: object arrays and Series, Decimals, fractions,
    integers in objects, one column or several; they were taken for as many classes."""
    Z, y = points_and_numbers
    counts = np.round(3 * y).astype(int)
    given = [
        (y, y.astype(object)),
        (y, y.astype(object)[:, None]),
        (y, np.array([Decimal(v) for v in y.tolist()])),
        (y, [Fraction(v) for v in y.tolist()]),
        (np.c_[y, Z[:, 1]], np.c_[y, Z[:, 1]].astype(object)),
        (counts, counts.astype(object)),
        (counts * 2.0**70, [int(c) * 2**70 for c in counts]),
    ]
    for numbers, objects in given:
        expected = least(Z, numbers.reshape(len(Z), -1).astype(float), log_loss=False)
        assert lw.select_bandwidth("loo", Z, objects).length == pytest.approx(expected, rel=1e-3)
    pd = pytest.importorskip("pandas")
    expected = least(Z, y[:, None], log_loss=False)
    for table in (pd.Series(y, dtype=object), pd.DataFrame({"y": y}, dtype=object)):
        assert lw.select_bandwidth("loo", Z, table).length == pytest.approx(expected, rel=1e-3)


def test_one_column_of_classes_is_its_ravelled_form_to_select_bandwidth(points_and_numbers):
    """Booleans and text have a log loss, as (n,) or (n, 1), in arrays, objects and tables."""
    Z, y = points_and_numbers
    for labels in (y > 0, np.where(y > 0, "up", "down")):
        expected = least(Z, np.c_[y > 0, y <= 0].astype(float), log_loss=True)
        for given in (labels, labels[:, None], labels.astype(object), labels.astype(object)[:, None]):
            assert lw.select_bandwidth("loo", Z, given).length == pytest.approx(expected, rel=1e-3)
        pd = pytest.importorskip("pandas")
        found = lw.select_bandwidth("loo", Z, pd.DataFrame({"y": labels})).length
        assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("dtype", [bool, str, object])
def test_several_columns_of_classes_are_refused_by_name(points_and_numbers, dtype):
    """What is not one column of classes is told as it was given, with its own shape and the way out."""
    Z, y = points_and_numbers
    labels = (y > 0).astype(str if dtype is object else dtype).astype(dtype)
    for wrong in (np.c_[labels, labels], labels[:, None, None], labels[:5]):
        shape = re.escape(f"of shape {wrong.shape}")
        with pytest.raises(ValueError, match=rf"^y must be one column of classes, .*\(40,\).*{shape}.*float"):
            lw.select_bandwidth("loo", Z, wrong)
    missing = labels.astype(object)
    missing[3] = None
    with pytest.raises(ValueError, match=r"^y must hold numbers, booleans or strings"):
        lw.select_bandwidth("loo", Z, missing)
