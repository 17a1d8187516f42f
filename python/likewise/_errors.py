"""What likewise raises and warns beyond ValueError and TypeError."""

import sys
import warnings


class MemoryLimitError(MemoryError, ValueError):
    """The work would need more memory than allowed; nothing was started."""


class ConvergenceError(RuntimeError):
    """An iteration stopped at its step limit, and an exception was asked for."""


def _users_level():
    """The stacklevel of the first caller outside of likewise."""
    frame, level = sys._getframe(2), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "likewise":
        frame, level = frame.f_back, level + 1
    return level


def warn_unless_converged(report, max_iter):
    """Warn with scikit-learn's ConvergenceWarning where ``report.converged`` is False."""
    if not report.converged:
        warn_of_convergence(
            f"max_iter={max_iter} was reached without convergence. "
            f"residual={report.residual:.3g}, steps={report.n_iter}. "
            "Increase max_iter or tol, or look at the data."
        )


def warn_of_convergence(message):
    """scikit-learn's ConvergenceWarning, at the line of the user's that led to it."""
    from sklearn.exceptions import ConvergenceWarning

    warnings.warn(message, ConvergenceWarning, stacklevel=_users_level())
