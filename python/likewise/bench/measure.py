"""Measuring in this process: answers are compared first, then times are taken in interleaved rounds."""

import contextlib
import time
import warnings
from dataclasses import dataclass, field

import numpy as np

from likewise._experiments.memory import peak_of
from likewise.bench import peers
from likewise.bench.workload import Comparison

OK = "ok"
DIFFERENT = "different"  # the answers are not the same: no timing
MISSING = "missing"  # the peer is not installed
NOT_AVAILABLE = "not available"  # this version cannot answer
FAILED = "failed"

ROUND_SECONDS = 0.02  # a timing lasts at least as long, in as many calls as that takes
PAUSE = (
    0.15  # between contenders: threads of the last one's runtime stop spinning (OpenBLAS after 2^26 cycles)
)
# Before each timing: a processor that slept through the pause takes up to 20 ms to reach its speed again.
WARM_SECONDS = 0.02
LEAST_ROUNDS = 3


@dataclass
class Entry:
    """A contender on its way through a measurement."""

    contender: object
    run: object = None
    answer: object = None
    calls: int = 1
    times: list = field(default_factory=list)
    status: str = OK
    message: str = ""
    comparison: object = None

    def stop(self, status, message):
        """No timing: say why."""
        self.status, self.message, self.run, self.answer = status, message, None, None


def measure_times(workload, size, threads, rounds, budget, *, only=None, progress=lambda fraction: None):
    """One dict for each contender: status, message, difference, tolerance, times of the rounds.

    Parameters
    ----------
    size : dict; threads : int
    rounds : int, at most so many; fewer (but 3) once `budget` seconds are spent on them
    only : names of the contenders that still run, or None for all
    progress : function (fraction done)
    """
    data = _inputs(workload, size)
    entries = [Entry(c) for c in workload.contenders if only is None or c.name in only]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for done, entry in enumerate(entries):
            _first_answer(entry, data, threads)
            progress(0.3 * (done + 1) / len(entries))
        _compare(workload, entries, data)
        _time(entries, rounds, budget, threads, lambda fraction: progress(0.3 + 0.7 * fraction))
    return [_found(entry) for entry in entries]


def measure_peak(workload, size, tiny, threads, name):
    """Bytes that one contender takes at its peak beyond its inputs, and what its result holds.

    A run at the size `tiny` comes first, so that imports and compiled code are there before.
    """
    contender = workload.contender(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(Exception):  # so few points need not have an answer
            contender.prepare(_inputs(workload, tiny), threads)()
        run = contender.prepare(_inputs(workload, size), threads)
        peers.set_threads(contender.peer, threads)
        peak, result = peak_of(run)
    return {"peak_bytes": peak, "output_bytes": _n_bytes(result)}


def _inputs(workload, size):
    return workload.inputs(np.random.default_rng(0), **size)


def _first_answer(entry, data, threads):
    """Prepare, answer once (this compiles and warms), and see how many calls a timing takes."""
    contender = entry.contender
    if not contender.peer.installed:
        return entry.stop(MISSING, contender.peer.install_line)
    try:
        reason = contender.unavailable()
        if reason:
            return entry.stop(NOT_AVAILABLE, reason)
        peers.set_threads(contender.peer, threads)
        entry.run = contender.prepare(data, threads)
        result = entry.run()
        entry.answer = contender.read(result, data)
    except Exception as error:  # a row of the table
        entry.stop(FAILED, f"{type(error).__name__}: {error}")


def _compare(workload, entries, data):
    """Stops entries whose answer is not ours, or, where there is a reference, not the right one."""
    for entry in entries:
        if entry.status == OK and workload.reference and not entry.contender.flops:
            _check_reference(workload, entry, data)
    ours = {entry.contender.name: entry for entry in entries if entry.contender.is_ours}
    for entry in entries:
        if entry.status != OK:
            continue
        if entry.contender.flops or entry.contender.name == entry.contender.against:
            entry.comparison = Comparison(0.0, 0.0)
            continue
        of_ours = ours.get(entry.contender.against)
        if of_ours is None or of_ours.status != OK:
            entry.stop(NOT_AVAILABLE, f"nothing of {entry.contender.against} to compare with")
        else:
            _check_against(workload, entry, of_ours.answer, data)


def _check_reference(workload, entry, data):
    rows, values = workload.reference(data)
    found = workload.compare(np.asarray(entry.answer)[rows], values, data)
    if not found.same:
        entry.stop(
            DIFFERENT,
            f"the answer is {found.difference:.1e} off the reference; {found.tolerance:.1e} allowed",
        )


def _check_against(workload, entry, our_answer, data):
    try:
        found = entry.comparison = workload.compare(our_answer, entry.answer, data)
    except Exception as error:
        return entry.stop(FAILED, f"comparing: {type(error).__name__}: {error}")
    if not found.same:
        entry.stop(DIFFERENT, f"answers differ by {found.difference:.1e}; {found.tolerance:.1e} allowed")


def _time(entries, rounds, budget, threads, progress):
    running = [entry for entry in entries if entry.status == OK]
    _choose_calls(running)
    start = time.perf_counter()
    for done in range(rounds):
        if done >= LEAST_ROUNDS and (time.perf_counter() - start) * (done + 1) / done > budget:
            break
        for entry in running:
            if len(entry.times) == done:
                time.sleep(PAUSE)
                _warm_up(entry, threads)
                entry.times.append(_timed(entry))
        spent = (time.perf_counter() - start) / budget if done + 1 >= LEAST_ROUNDS else 0.0
        progress(min(1.0, max((done + 1) / rounds, spent)))


def _choose_calls(entries):
    for entry in entries:
        entry.answer = None  # memory that no timing should have to share
        seconds = _timed(entry)
        entry.calls = max(1, int(np.ceil(ROUND_SECONDS / seconds)))
        if seconds > 1.0:  # slow: this was their first round
            entry.times.append(seconds)


def _warm_up(entry, threads):
    """WARM_SECONDS of work on all threads: its own where calls are short, else products of matrices."""
    work = entry.run if entry.calls > 1 else _product_of(threads)
    end = time.perf_counter() + WARM_SECONDS
    while time.perf_counter() < end:
        work()


def _product_of(threads):
    """A product of matrices that takes about a millisecond; NumPy's threads are those of the process."""
    A = np.ones((256 * threads, 256), np.float32)
    return lambda: A @ A[:256]


def _timed(entry):
    """Seconds of one call."""
    start = time.perf_counter()
    for _ in range(entry.calls):
        entry.run()
    return (time.perf_counter() - start) / entry.calls


def _found(entry):
    found = {"contender": entry.contender.name, "status": entry.status, "message": entry.message}
    if entry.comparison is not None:
        found |= {"difference": entry.comparison.difference, "tolerance": entry.comparison.tolerance}
        found["detail"] = entry.comparison.detail
    if entry.status == OK:
        found |= {"times": entry.times, "calls": entry.calls}
    return found


def _n_bytes(result):
    """Bytes that a result holds, as far as it is arrays, tensors, or tuples and dicts of them."""
    if isinstance(result, dict):
        return sum(map(_n_bytes, result.values()))
    if isinstance(result, (tuple, list)):
        return sum(map(_n_bytes, result))
    return int(getattr(result, "nbytes", 0))
