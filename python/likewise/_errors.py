"""What likewise raises and warns beyond ValueError and TypeError."""

import warnings


class MemoryLimitError(MemoryError, ValueError):
    """The work would need more memory than allowed; nothing was started."""


class ConvergenceError(RuntimeError):
    """An iteration stopped at its step limit, and an exception was asked for."""


def warn_unless_converged(report, max_iter, stacklevel=3):
    """Warn with scikit-learn's ConvergenceWarning where ``report.converged`` is False."""
    if report.converged:
        return
    from sklearn.exceptions import ConvergenceWarning

    warnings.warn(
        f"max_iter={max_iter} was reached without convergence. "
        f"residual={report.residual:.3g}, steps={report.n_iter}. "
        "Increase max_iter or tol, or look at the data.",
        ConvergenceWarning,
        stacklevel=stacklevel,
    )
