"""Two diffusion coordinates of a swiss roll of 20 000 points, against pyDiffMap."""

from types import SimpleNamespace

import numpy as np

import likewise as lw
from likewise.bench import peers
from likewise.bench.workload import Comparison, Contender, Workload, likewise_way

BANDWIDTH = 1.0  # a fixed one, so that both solve for the same operator
K = 64  # pyDiffMap's default


def _inputs(rng, *, n, k):
    from sklearn.datasets import make_swiss_roll

    X, _ = make_swiss_roll(n, random_state=0)
    return SimpleNamespace(X=X, k=min(k, n))


def _ours(data, threads):
    """eigen_tol 1e-12: pyDiffMap leaves its solver at machine precision."""
    support = lw.supports.Neighbors(data.k, symmetrize="union", include_self=True)
    model = lw.DiffusionMaps(2, bandwidth=BANDWIDTH, support=support, eigen_tol=1e-12, n_jobs=threads)
    return lambda: model.fit(data.X)


def _pydiffmap(data, threads):
    """Its kernel is exp(-d^2 / (4 epsilon)), ours exp(-d^2 / (2 h^2))."""
    from pydiffmap.diffusion_map import DiffusionMap

    options = {"n_jobs": threads, "algorithm": "kd_tree"}
    return lambda: DiffusionMap.from_sklearn(
        n_evecs=2, k=data.k, epsilon=BANDWIDTH**2 / 2, alpha=1.0, neighbor_params=options
    ).fit(data.X)


def _compare(ours, theirs, data):
    """Each coordinate with norm 1 and the sign of ours; the largest difference / the largest value."""
    ours, theirs = (vectors / np.linalg.norm(vectors, axis=0) for vectors in (ours, theirs))
    theirs = theirs * np.sign((ours * theirs).sum(axis=0))
    return Comparison(float(np.abs(ours - theirs).max() / np.abs(ours).max()), 1e-5)


WORKLOADS = (
    Workload(
        name="diffusion-maps",
        group="diffusion",
        title="diffusion maps, 20 000 points, swiss roll, 64 neighbors",
        compared="two coordinates of norm 1 up to sign; largest difference / largest value",
        size={"n": 20_000, "k": K},
        quick={"n": 2000, "k": K},
        inputs=_inputs,
        contenders=(
            likewise_way(
                _ours,
                read=lambda model, data: model.eigenvectors_,
                note="DiffusionMaps(2, bandwidth=1, support=Neighbors(64, 'union'), eigen_tol=1e-12)",
            ),
            Contender(
                "pyDiffMap",
                peers.PYDIFFMAP,
                _pydiffmap,
                read=lambda model, data: model.evecs,
                note="from_sklearn(n_evecs=2, k=64, epsilon=0.5, alpha=1) with its documentation's k-d tree",
            ),
        ),
        compare=_compare,
        dtype="float64",
        seconds=60,
    ),
)
