"""The toy sets have the geometry they document; the user's own table is read or refused with a reason."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from likewise import datasets


@pytest.mark.parametrize("name", datasets.names())
def test_every_set_is_seeded_finite_and_of_the_size_asked_for(name):
    data = datasets.load(name)
    X, y = data.sample(120, random_state=3)
    again, y_again = data.sample(120, random_state=3)
    other, _ = data.sample(120, random_state=4)
    assert X.shape[0] == y.shape[0] == 120
    assert X.dtype == np.float64 and np.isfinite(X).all() and np.isfinite(y).all()
    assert_array_equal(X, again)
    assert_array_equal(y, y_again)
    assert not np.array_equal(X, other)
    assert np.issubdtype(y.dtype, np.integer) == (data.task == "classification")


def test_samples_keep_the_shares_of_the_classes():
    _, y = datasets.load("digits").sample(200)
    assert_allclose(np.bincount(y) / 200, 0.1, atol=0.02)


def test_a_small_set_is_returned_whole():
    X, _ = datasets.load("iris").sample(10_000)
    assert X.shape == (150, 4)


def test_circles_have_their_radii():
    X, y = datasets.circles(400, noise=0.0)
    assert_allclose(np.linalg.norm(X, axis=1), np.where(y == 0, 1.0, 0.5))


def test_spiral_arms_are_one_curve_half_a_turn_apart():
    X, y = datasets.spirals(400, noise=0.0, turns=1.0)
    radius, angle = np.linalg.norm(X, axis=1), np.arctan2(X[:, 1], X[:, 0])
    want = 2 * np.pi * (radius - 0.2) + np.pi * y  # radius grows by 1 in a turn
    assert_allclose(np.cos(angle - want), 1.0, atol=1e-12)


def test_blobs_have_unequal_density():
    X, y = datasets.blobs(30_000)
    spread = [X[y == label].std(axis=0).mean() for label in range(3)]
    assert_allclose(spread, [0.2, 0.6, 1.5], rtol=0.03)


def test_uneven_circle_follows_its_density():
    X, angle = datasets.uneven_circle(40_000, contrast=0.8)
    assert_allclose(np.linalg.norm(X, axis=1), 1.0)
    assert_allclose(np.cos(angle).mean(), 0.8 / 2, atol=0.01)  # integral of cos (1 + c cos) / 2 pi = c / 2
    assert_allclose(np.sin(angle).mean(), 0.0, atol=0.015)


def test_unknown_name_lists_the_known():
    with pytest.raises(ValueError, match=r"two_moons, circles.*got 'moon'"):
        datasets.load("moon")


def write(path, text):
    path.write_text(text)
    return path


def rows(n, line):
    return "".join(line(i) + "\n" for i in range(n))


def test_csv_with_text_columns_and_text_classes(tmp_path):
    table = "size,color,kind\n" + rows(20, lambda i: f"{i}.5,{'red' if i % 2 else 'blue'},{'ab'[i % 2]}")
    data = datasets.load_csv(write(tmp_path / "my.csv", table), "kind")
    X, y = data.sample(100)
    assert (data.name, data.task, X.shape) == ("my", "classification", (20, 3))
    assert_array_equal(np.sort(X[:, 0]), np.arange(20) + 0.5)
    assert_array_equal(X[:, 1], (y == 0).astype(float))  # blue rows are class a
    assert_array_equal(X[:, 1] + X[:, 2], 1.0)


@pytest.mark.parametrize(
    "values, task",
    [
        (lambda i: i % 3, "classification"),
        (lambda i: i + 0.25, "regression"),
        (lambda i: i * 7, "regression"),  # an integer of 30 levels is a number
        (lambda i: i % 2 == 0, "classification"),
    ],
)
def test_the_target_decides_the_task(tmp_path, values, task):
    path = write(tmp_path / "my.csv", "x,y\n" + rows(30, lambda i: f"{i},{values(i)}"))
    assert datasets.load_csv(path, "y").task == task


def test_task_overrides_the_guess(tmp_path):
    path = write(tmp_path / "my.csv", "x,y\n" + rows(30, lambda i: f"{i},{i % 3}"))
    assert datasets.load_csv(path, "y", task="regression").sample(99)[1].dtype == np.float64
    with pytest.raises(ValueError, match="task must be"):
        datasets.load_csv(path, "y", task="ranking")


@pytest.mark.parametrize(
    "text, target, message",
    [
        ("", "y", "CSV file with a header"),
        ("x,y\n" + rows(12, lambda i: f"{i},{i}"), None, r"target must name.*\['x', 'y'\].*--target"),
        ("x,y\n" + rows(12, lambda i: f"{i},{i}"), "z", r"target must be one of.*'x', 'y'.*got 'z'"),
        ("y\n" + rows(12, str), "y", "beside the target"),
        ("x,y\n" + rows(3, lambda i: f"{i},{i}"), "y", "at least 10 rows; got 3"),
        ("x,y\n" + rows(12, lambda i: f"{'' if i < 2 else i},{i}"), "y", r"missing values.*x \(2\)"),
        ("x,y\n" + rows(12, lambda i: f"{'inf' if i < 1 else i},{i}"), "y", "infinity in x"),
        ("x,y\n" + rows(30, lambda i: f"name{i},{i}"), "y", "text column 'x'.*at most 20 levels.*got 30"),
        ("x,y\n" + rows(12, lambda i: f"{i},a"), "y", r"two classes.*got 1 class"),
        ("x,y\n" + rows(12, lambda i: f"{i},{i > 0}"), "y", r"smallest with 1 row"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_with_the_reason(tmp_path, text, target, message):
    with pytest.raises(ValueError, match=message):
        datasets.load_csv(write(tmp_path / "my.csv", text), target)


def test_text_targets_cannot_be_regressed(tmp_path):
    path = write(tmp_path / "my.csv", "x,y\n" + rows(12, lambda i: f"{i},{'ab'[i % 2]}"))
    with pytest.raises(ValueError, match="numbers for regression"):
        datasets.load_csv(path, "y", task="regression")


def test_missing_file(tmp_path):
    with pytest.raises(ValueError, match=r"existing \.csv file; got .*none\.csv"):
        datasets.load_csv(tmp_path / "none.csv", "y")


# --- graphs ------------------------------------------------------------------------------------------------


def is_symmetric(A):
    return (A != A.T).nnz == 0 and A.diagonal().max() == 0 and set(A.data) == {1.0}


def test_the_karate_club_is_zacharys():
    """78 friendships, degrees of the two leaders, 17 members on each side; they are far from each other."""
    X, A, y = datasets.karate_club()
    assert is_symmetric(A) and A.nnz == 2 * 78 and X.shape == (34, 34)
    degrees = A.sum(axis=1).A1 if hasattr(A.sum(axis=1), "A1") else np.asarray(A.sum(axis=1)).ravel()
    assert (degrees[0], degrees[33], degrees.min()) == (16, 17, 1)
    assert_array_equal(np.bincount(y), [17, 17])
    assert y[0] == 0 and y[33] == 1 and A[0, 33] == 0
    same = y[:, None] == y
    assert A.toarray()[same].sum() > 6 * A.toarray()[~same].sum()


def test_a_block_model_has_its_probabilities():
    X, A, y = datasets.block_model(600, n_blocks=2, p_in=0.1, p_out=0.02, random_state=1)
    assert is_symmetric(A) and X.shape == (600, 8)
    dense, same = A.toarray(), y[:, None] == y
    assert_allclose(dense[same].mean(), 0.1, atol=0.01)
    assert_allclose(dense[~same].mean(), 0.02, atol=0.005)
    _, again, _ = datasets.block_model(600, n_blocks=2, p_in=0.1, p_out=0.02, random_state=1)
    assert (A != again).nnz == 0


def test_bodies_are_closed_meshes_whose_parts_hang_together():
    """Each face of a capsule has three neighbors on it, a body is one component, and bodies share nothing."""
    from scipy.sparse.csgraph import connected_components

    X, A, y, body = datasets.bodies(3, random_state=2)
    assert is_symmetric(A) and X.shape == (1200, 7) and len(datasets.BODY_PARTS) == 10
    assert_array_equal(np.bincount(y), 3 * 40)
    count, component = connected_components(A)
    assert count == 3
    for one in range(3):
        assert len(set(component[body == one])) == 1
    dense = A.toarray()
    own = dense[:40, :40]
    assert_array_equal(own.sum(axis=1), 3)  # a closed surface
    assert dense[:400, :400][y[:400, None] != y[:400]].sum() > 0  # joints
    normals = X[:, 3:6]
    assert_allclose(np.linalg.norm(normals, axis=1), 1)
    for part in range(10):  # outward: away from the part's middle
        of_part = (y == part) & (body == 0)
        away = X[of_part, :3] - X[of_part, :3].mean(axis=0)
        assert ((away * normals[of_part]).sum(axis=1) > 0).all()
    assert_allclose(X[body == 1, :3].mean(axis=0), 0, atol=1e-12)
    other = datasets.bodies(3, random_state=3)[0]
    assert np.abs(other - X).max() > 0.1
