"""The tests end, whatever a test does and whoever started them."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SLOW = """
import time

def test_sleeps():
    time.sleep(600)

def test_is_quick():
    pass
"""


def test_a_test_that_does_not_end_fails(tmp_path):
    """A test without end held up the whole run."""
    shutil.copy(HERE / "conftest.py", tmp_path)
    (tmp_path / "test_slow.py").write_text(SLOW)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--rootdir", str(tmp_path), "-c", os.devnull, str(tmp_path)],
        env={**os.environ, "LIKEWISE_TEST_LIMIT": "2"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "1 failed, 1 passed" in done.stdout and "a test has 2 seconds" in done.stdout, done.stdout


def test_tests_of_ctrl_c_end_where_sigint_is_ignored():
    """Under nohup, or in the background of a plain shell, a test that interrupts itself trained for hours."""
    name = "test_attention_estimators.py::test_ctrl_c_keeps_the_best_weights"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE / name)],
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout
