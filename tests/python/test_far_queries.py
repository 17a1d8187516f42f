"""Queries from 10 to 1e30 bandwidths away, against log-domain sums in extended precision; never NaN."""

import numpy as np
import pytest
from every import EVERY, LABELS, NEW, NUMBERS, X, answers
from numpy.testing import assert_allclose

import likewise as lw

REACHES = [1e1, 1e2, 1e4, 1e8, 1e15, 1e30]
LOG_KERNELS = {
    lw.kernels.Gaussian: lambda u: -0.5 * u**2,
    lw.kernels.Laplacian: lambda u: -u,
    lw.kernels.StudentT: lambda u: -np.log1p(u**2),
}


def shares(Z, queries, h, kernel=lw.kernels.Gaussian, log_w=0.0):
    """Rows of normalized weights, every step in np.longdouble."""
    gap = queries[:, None].astype(np.longdouble) - Z[None].astype(np.longdouble)
    u = np.sqrt((gap**2).sum(-1)) / np.longdouble(h)
    logs = LOG_KERNELS[kernel](u) + log_w
    w = np.exp(logs - logs.max(axis=1, keepdims=True))
    return w / w.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("kernel", LOG_KERNELS)
@pytest.mark.parametrize("reach", REACHES)
def test_means_many_bandwidths_away(reach, kernel):
    """Kind: weights that underflow all at once, and become 0/0 or everyone's mean."""
    h = 1 / reach
    want = shares(X, NEW, h, kernel)
    tolerance = 1e-6 if reach < 1e5 else 1e-3  # an exponent of 1e16 is known to 1
    mean = lw.KernelRegressor(kernel=kernel(h)).fit(X, NUMBERS).predict(NEW)
    assert_allclose(mean, (want @ NUMBERS).astype(float), atol=tolerance)
    proba = lw.KernelClassifier(kernel=kernel(h)).fit(X, LABELS).predict_proba(NEW)
    assert_allclose(proba, (want @ np.eye(3)[LABELS]).astype(float), atol=tolerance)


@pytest.mark.parametrize("reach", REACHES)
def test_densities_many_bandwidths_away(reach):
    """Kind: a log density that is the log of an underflow."""
    h = 1 / reach
    gap = NEW[:, None].astype(np.longdouble) - X[None].astype(np.longdouble)
    logs = -0.5 * (gap**2).sum(-1) / np.longdouble(h) ** 2
    top = logs.max(axis=1)
    norm = 1.5 * np.log(2 * np.pi) + 3 * np.log(h) + np.log(len(X))
    want = np.log(np.exp(logs - top[:, None]).sum(axis=1)) + top - norm
    got = lw.KernelDensity(bandwidth=h).fit(X).score_samples(NEW)
    assert_allclose(got, want.astype(float), rtol=1e-12)


EXTENDED = {
    "DiffusionMaps": lambda h: lw.DiffusionMaps(bandwidth=h),
    "SpectralEmbedding": lambda h: lw.SpectralEmbedding(affinity="rbf", gamma=0.5 / h**2),
    "LabelPropagation": lambda h: lw.LabelPropagation(gamma=0.5 / h**2),
    "LabelSpreading": lambda h: lw.LabelSpreading(gamma=0.5 / h**2),
    "SpectralClustering": lambda h: lw.SpectralClustering(3, gamma=0.5 / h**2, random_state=0),
    "MeanShift": lambda h: lw.MeanShift(bandwidth=2 * h, kernel="gaussian"),
    "KernelRegressor": lambda h: lw.KernelRegressor(bandwidth=h),
    "KernelClassifier": lambda h: lw.KernelClassifier(bandwidth=h),
    "HopfieldMemory": lambda h: lw.HopfieldMemory(temperature=2 * h**2, metric="sqeuclidean"),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("away", [10.0, 19.0, 30.0, 1e2, 1e3, 1e4, 1e6])
@pytest.mark.parametrize("name", EXTENDED)
def test_far_points_answer_as_their_nearest_training_point(name, away, dtype):
    """Kind: a new point whose weights all underflow: NaN, 0, or the label of another side. Far out along one
    axis the nearest training point holds all the weight, so that its answer is the new point's."""
    if name == "HopfieldMemory" and away > 1e4:
        return  # iterates until the query is a stored pattern
    h = 1.0
    points = X.astype(dtype)
    if (
        name == "SpectralClustering"
    ):  # where clusters touch, their edge is no affair of the nearest point alone
        points = (X + 8 * np.eye(3)[LABELS]).astype(dtype)
    y = EVERY[name].y
    model = EXTENDED[name](h)
    model = model.fit(points) if y is None else model.fit(points, y)
    directions = np.concatenate([np.eye(3), -np.eye(3)])
    far = (directions * away).astype(dtype)
    weights = shares(points, far, h)
    sure = weights.max(axis=1) > 1 - 1e-9
    nearest = weights.argmax(axis=1)
    got = answers(model, far)
    for method, value in got.items():
        assert value.dtype.kind in "iUO" or np.isfinite(value).all(), method
    if name in ("KernelRegressor",):
        assert_allclose(
            got["predict"][sure], NUMBERS[nearest[sure]], rtol=1e-3 if dtype is np.float32 else 1e-6
        )
    if name == "KernelClassifier":
        assert (got["predict"][sure] == LABELS[nearest[sure]]).all()
    if name in ("LabelPropagation", "LabelSpreading"):
        want = (weights @ model.label_distributions_.astype(np.longdouble)).astype(float)
        want = want if name == "LabelPropagation" else want / want.sum(axis=1, keepdims=True)
        if name == "LabelPropagation":
            assert_allclose(got["predict_proba"], want, atol=5e-3)
        else:
            assert (got["predict"][sure] == model.transduction_[nearest[sure]]).all()
    if name == "SpectralClustering":
        assert (got["predict"][sure] == model.labels_[nearest[sure]]).all()
    if name == "DiffusionMaps":
        r = 1 / shares_of_density(points, h)
        want = shares(points, far, h, log_w=np.log(r))
        vectors = model.eigenvectors_.astype(np.longdouble)
        expected = (want @ vectors).astype(float)  # P psi = w psi, times w^(t - 1) with t = 1
        scale = np.abs(expected).max()
        assert_allclose(got["transform"], expected, atol=2e-3 * scale)


def shares_of_density(Z, h):
    gap = Z[:, None].astype(np.longdouble) - Z[None].astype(np.longdouble)
    return np.exp(-0.5 * (gap**2).sum(-1) / h**2).sum(axis=1)


@pytest.mark.parametrize("storage", ["streamed", "dense", "sparse"])
@pytest.mark.parametrize("away", [1e3, 1e6, 1e9, 1e20])
def test_a_null_mass_outweighs_far_keys(away, storage):
    """Kind: what is taken out of a far row for its digits, and is missing beside a mass of another size."""
    shrunk = lw.normalizations.RowStochastic(0.5)
    m = lw.Mechanism(kernel=lw.kernels.Gaussian(1.0), normalization=shrunk)
    far = away * np.eye(3)
    P = m.operator(far, X, storage=storage)
    assert (P @ X == 0).all() and (P.toarray() == 0).all()
    fitted_model = lw.KernelRegressor(bandwidth=1.0, normalization=shrunk).fit(X, NUMBERS)
    assert (fitted_model.predict(far) == 0).all()
