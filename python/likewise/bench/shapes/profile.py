"""Where the time of our way goes: in Python by cProfile, in C++ by perf where this machine has it."""

import cProfile
import io
import os
import pstats
import shutil
import subprocess
import tempfile
import time

SECONDS = 1.0
LINES = 5


def profile(run):
    """A few lines: the functions in which repeated calls of `run` spend their time."""
    run()
    return "\n".join([*_python(run), *_native(run)])


def _python(run):
    recorder = cProfile.Profile()
    recorder.enable()
    calls = _repeat(run)
    recorder.disable()
    text = io.StringIO()
    stats = pstats.Stats(recorder, stream=text).sort_stats("tottime")
    total = stats.total_tt
    rows = sorted(stats.stats.items(), key=lambda item: -item[1][2])[:LINES]
    head = f"{1e3 * total / calls:.3g} ms a call under the profiler"
    return [head, *(f"{100 * row[2] / total:4.0f} % {_place(where)}" for where, row in rows)]


def _place(where):
    file, _, function = where
    return f"{os.path.basename(file)}: {function}" if file != "~" else function


def _native(run):
    """Symbols by perf, which watches this process while it works."""
    if shutil.which("perf") is None:
        return []
    with tempfile.TemporaryDirectory() as folder:
        record = os.path.join(folder, "perf.data")
        watcher = subprocess.Popen(
            ["perf", "record", "-q", "-o", record, "-p", str(os.getpid())],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(0.3)
        _repeat(run)
        watcher.send_signal(2)
        watcher.wait()
        told = subprocess.run(
            ["perf", "report", "-i", record, "--stdio", "--percent-limit", "3", "-F", "overhead,symbol"],
            capture_output=True, text=True,
        )  # fmt: skip
    lines = [line.strip() for line in told.stdout.splitlines() if line.strip() and line[0] != "#"]
    return [f"perf: {line[:100]}" for line in lines[:LINES]]


def _repeat(run):
    """Calls until SECONDS have passed; how many."""
    start, calls = time.perf_counter(), 0
    while calls == 0 or time.perf_counter() - start < SECONDS:
        run()
        calls += 1
    return calls
