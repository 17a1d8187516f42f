"""Child processes that Ctrl-C reaches, whatever this process does with it.

Where tests run in the background of a shell without job control, or under nohup, SIGINT is ignored, and
children inherit that: a test that sends one would wait for work that nothing ends.
"""

import signal
import subprocess
import sys


def popen(*arguments, **options):
    """python *arguments, with SIGINT as Python has it by default; options as of subprocess.Popen."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **options,
    )
