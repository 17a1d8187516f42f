"""L-BFGS-B of SciPy beside our own threads."""

from scipy.optimize import OptimizeResult, minimize
from threadpoolctl import threadpool_limits


def lbfgs(value_and_slope, start, *, callback=None, tol=None, **options):
    """scipy.optimize.minimize of a flat vector; further options are L-BFGS-B's own.

    callback(result), after each step, may end the search with a StopIteration, which SciPy before 1.11 lets
    through, as it tells no result: here it is what was last computed, which is where a step ends.
    One BLAS thread: SciPy's others would spin beside ours, for nothing.
    """
    last = OptimizeResult(status=99)  # SciPy's own number for the end by a callback

    def remembered(x):
        last.fun, last.jac = value_and_slope(x)
        last.x = x.copy()
        return last.fun, last.jac

    told = callback and (lambda _: callback(last))
    with threadpool_limits(1, user_api="blas"):
        try:
            return minimize(
                remembered, start, jac=True, method="L-BFGS-B", callback=told, tol=tol, options=options
            )
        except StopIteration:
            return last
