"""Every test has a time limit; tests of likewise.torch are collected only where torch was asked for.

The limit is 600 seconds for each of setup, call and teardown, or LIKEWISE_TEST_LIMIT seconds. A test that
passes it fails where it stands; one that cannot be reached even so (it holds the GIL) ends the run a minute
later, with all stacks shown.
"""

import faulthandler
import os
import signal
from contextlib import contextmanager

import pytest

collect_ignore_glob = [] if os.environ.get("LIKEWISE_TORCH") == "1" else ["test_torch*.py"]

LIMIT = float(os.environ.get("LIKEWISE_TEST_LIMIT", "600"))
GRACE = 60  # seconds between the alarm, which a test hears in Python, and the end of the process


def pytest_configure(config):
    config.stderr_of_limits = os.fdopen(os.dup(2), "w")  # while a test runs, its own is captured


def pytest_unconfigure(config):
    faulthandler.cancel_dump_traceback_later()
    config.stderr_of_limits.close()


@contextmanager
def _limit(item):
    def too_long(signum, frame):
        raise TimeoutError(f"a test has {LIMIT:g} seconds")

    faulthandler.dump_traceback_later(LIMIT + GRACE, exit=True, file=item.config.stderr_of_limits)
    if not hasattr(signal, "SIGALRM"):
        yield
        return
    signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    with _limit(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    with _limit(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    with _limit(item):
        return (yield)
