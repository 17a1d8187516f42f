"""L-BFGS-B of SciPy beside our own threads."""

from scipy.optimize import minimize
from threadpoolctl import threadpool_limits


def lbfgs(value_and_slope, start, **options):
    """scipy.optimize.minimize of a flat vector; options are its callback and tol, the rest L-BFGS-B's own.

    One BLAS thread: SciPy's others would spin beside ours, for nothing.
    """
    given = {name: options.pop(name) for name in ("callback", "tol") if name in options}
    with threadpool_limits(1, user_api="blas"):
        return minimize(value_and_slope, start, jac=True, method="L-BFGS-B", options=options, **given)
