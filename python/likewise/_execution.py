"""How long work is run: threads, memory, progress, stopping."""

import os
import re
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Callable, Optional

import numpy as np

from likewise._checks import integer, told
from likewise._extras import need

_UNITS = {"": 1, "B": 1}
_UNITS.update({f"{p}B": 1000 ** (i + 1) for i, p in enumerate("kMGT")})
_UNITS.update({f"{p}iB": 1024 ** (i + 1) for i, p in enumerate("KMGT")})
_MOST_JOBS, _MOST_BYTES = 2**31 - 1, 2**63 - 1  # that the C++ side counts


@dataclass(frozen=True)
class Execution:
    """The settings of the calls in this context; None leaves a choice to the library."""

    n_jobs: Optional[int] = None
    memory_limit: Optional[int] = None
    progress: Optional[Callable[[float, str], None]] = None


_library_choice = Execution()
_context = ContextVar("likewise_execution", default=_library_choice)


@contextmanager
def execution(*, n_jobs=None, memory_limit=None, progress=None):
    """Run the calls inside with these settings: ``with lw.execution(n_jobs=2, memory_limit="4GB"):``.

    Parameters
    ----------
    n_jobs : int or None
        Threads; negative counts from all cores, -1 being all. None keeps the surrounding setting, at the
        outermost OMP_NUM_THREADS, else all cores, and 1 inside joblib workers. Results do not depend on it.
    memory_limit : int (bytes), str such as "4GB" or "512MiB", or None
        What one call may allocate beyond its inputs and outputs; None at the outermost: what is available.
    progress : bool, callable (fraction, what) or None
        True shows a tqdm bar on stderr, False is silent.
    """
    if isinstance(progress, np.bool_):
        progress = bool(progress)
    if progress is True:
        need("progress=True", "tqdm", extra="study")
    bar = _Bar() if progress is True else None
    given = {
        "n_jobs": _threads(n_jobs),
        "memory_limit": _bytes(memory_limit),
        "progress": bar or _callable(progress),
    }
    given = {name: value for name, value in given.items() if value is not None}
    if progress is False:
        given["progress"] = None
    token = _context.set(replace(_context.get(), **given))
    try:
        yield _context.get()
    finally:
        _context.reset(token)
        if bar:
            bar.close()


@contextmanager
def one_call():
    """For who watches, the calls inside are one: progress ends at 1, once, when all are done."""
    settings = _context.get()
    if settings.progress is None or isinstance(settings.progress, _Part):
        yield
        return
    part = _Part(settings.progress)
    token = _context.set(replace(settings, progress=part))
    try:
        yield
    finally:
        _context.reset(token)
    part.end()


class _Part:
    """What the parts of a call tell: everything but that they have ended."""

    def __init__(self, progress):
        self._progress, self._what = progress, "done"

    def __call__(self, fraction, what):
        if fraction < 1:
            self._what = what
            self._progress(fraction, what)

    def end(self):
        self._progress(1.0, self._what)


def current():
    """(n_jobs, memory_limit, progress) as the C++ Execution has them: 0 is the library's choice."""
    settings = _context.get()
    n_jobs = settings.n_jobs if settings.n_jobs is not None else int(_in_joblib_worker())
    return n_jobs, settings.memory_limit or 0, settings.progress


def effective_n_jobs():
    """The number of threads that a call made here uses."""
    n_jobs, _, _ = current()
    return n_jobs or int(os.environ.get("OMP_NUM_THREADS", "0").split(",")[0] or 0) or n_cores()


def n_cores():
    """Cores that the system grants to this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_joblib_worker():
    """Joblib runs each task of its workers in a context whose backend is nested.

    Nobody works for what another thread is still importing, and importing beside it fails.
    """
    parallel = sys.modules.get("joblib.parallel")
    if parallel is None or getattr(parallel.__spec__, "_initializing", False):
        return False
    backend, _ = parallel.get_active_backend()
    return bool(backend.nesting_level)


def _threads(n_jobs):
    if n_jobs is None:
        return None
    n_jobs = integer(n_jobs, "n_jobs", "None")
    if n_jobs == 0:
        raise ValueError("n_jobs must be a positive int, a negative one (-1 is all cores) or None; got 0.")
    if n_jobs > _MOST_JOBS:
        raise ValueError(f"n_jobs must be at most {_MOST_JOBS}; got {n_jobs}. -1 is all cores.")
    return n_jobs if n_jobs > 0 else max(1, n_cores() + 1 + n_jobs)


def _bytes(limit):
    if limit is None:
        return None
    found = re.fullmatch(r"\s*([0-9.]+)\s*([A-Za-z]*)\s*", str(limit))
    unit = {name.lower(): size for name, size in _UNITS.items()}.get(found[2].lower()) if found else None
    try:
        n_bytes = int(float(found[1]) * unit)
    except (TypeError, ValueError):
        n_bytes = 0
    except OverflowError:
        n_bytes = _MOST_BYTES + 1
    if n_bytes <= 0 or isinstance(limit, bool):
        raise ValueError(
            f"memory_limit must be a positive number of bytes, a string such as '4GB' or '512MiB', or None; "
            f"got {told(limit)}."
        )
    if n_bytes > _MOST_BYTES:
        raise ValueError(
            f"memory_limit must be at most 2**63 - 1 bytes; got {limit!r}. None is no limit set."
        )
    return n_bytes


def _callable(progress):
    if progress is None or progress is False:
        return None
    if not callable(progress):
        raise TypeError(
            f"progress must be a bool, a callable (fraction, what) or None; got {told(progress)}."
        )
    return progress


class _Bar:
    """One tqdm bar at a time; a new piece of work closes the last one's."""

    def __init__(self):
        self._bar = None
        self._what = None

    def __call__(self, fraction, what):
        if what == "done":  # a call so short that there is nothing to watch
            return
        percent = round(100 * fraction)
        if self._bar is None or what != self._what or percent < self._bar.n:
            self.close()
            self._bar, self._what = _tqdm()(total=100, desc=what, unit="%", leave=True), what
        self._bar.update(percent - self._bar.n)

    def close(self):
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _tqdm():
    from tqdm.auto import tqdm

    return tqdm
