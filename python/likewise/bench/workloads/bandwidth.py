"""The bandwidth of least leave-one-out error, n = 1 000, d = 2, against statsmodels' KernelReg."""

from types import SimpleNamespace

import numpy as np

import likewise as lw
from likewise.bench import peers
from likewise.bench.workload import Comparison, Contender, Workload, likewise_way

TOLERANCE = 0.02  # how much larger our leave-one-out error may be


def _inputs(rng, *, n, d):
    """y = sin(2 x1) + sin(2 x2) + noise: alike in both features, so one bandwidth will do."""
    X = rng.standard_normal((n, d))
    return SimpleNamespace(X=X, y=np.sin(2 * X).sum(axis=1) + 0.3 * rng.standard_normal(n))


def _ours(data, threads):
    def run():
        with lw.execution(n_jobs=threads):
            return lw.select_bandwidth("loo", data.X, data.y)

    return run


def _regression(data, bandwidth):
    from statsmodels.nonparametric.kernel_regression import KernelReg

    return KernelReg(data.y, data.X, "c" * data.X.shape[1], reg_type="lc", bw=bandwidth)


def _statsmodels(data, threads):
    """Its leave-one-out error, minimized over one bandwidth, as ours is."""
    from scipy.optimize import minimize_scalar

    model = _regression(data, np.ones(data.X.shape[1]))
    constant = model.est["lc"]

    def error(log_h):
        return model.cv_loo(np.full(data.X.shape[1], np.exp(log_h)), constant)

    return lambda: np.exp(minimize_scalar(error, bounds=np.log([0.01, 3]), method="bounded").x)


def _cv_ls(data, threads):
    return lambda: _regression(data, "cv_ls").bw


def leave_one_out_error(X, y, bandwidth):
    """Mean squared error of leaving each point out, by the definition; one bandwidth or one a feature."""
    Z = X / bandwidth
    K = np.exp(-((Z[:, None, :] - Z[None, :, :]) ** 2).sum(axis=2) / 2)
    np.fill_diagonal(K, 0)
    return float(((y - (K @ y) / K.sum(axis=1)) ** 2).mean())


def _compare(ours, theirs, data):
    """A smaller error is a better bandwidth: ours may not be worse."""
    errors = [leave_one_out_error(data.X, data.y, bandwidth) for bandwidth in (ours, theirs)]
    return Comparison(
        max(0.0, errors[0] / errors[1] - 1),
        TOLERANCE,
        f"bandwidths {np.round(ours, 3)} and {np.round(theirs, 3)}, "
        f"errors {errors[0]:.5f} and {errors[1]:.5f}",
    )


WORKLOADS = (
    Workload(
        name="bandwidth-loo",
        group="bandwidth",
        title="cross-validated bandwidth, n = 1 000, d = 2",
        compared="how much larger our leave-one-out error is, recomputed by its definition",
        size={"n": 1000, "d": 2},
        quick={"n": 150, "d": 2},
        inputs=_inputs,
        contenders=(
            likewise_way(
                _ours,
                read=lambda result, data: result.length,
                note="select_bandwidth('loo', X, y), one bandwidth",
            ),
            Contender(
                "statsmodels",
                peers.STATSMODELS,
                _statsmodels,
                note="KernelReg.cv_loo over one bandwidth by scipy's minimize_scalar: our selector",
            ),
            Contender(
                "statsmodels cv_ls",
                peers.STATSMODELS,
                _cv_ls,
                read=lambda result, data: np.abs(result),
                note="KernelReg(bw='cv_ls') as users call it: a bandwidth for each feature, by Nelder-Mead",
            ),
        ),
        compare=_compare,
        dtype="float64",
        seconds=120,
    ),
)
