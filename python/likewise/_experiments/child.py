"""A Python module in a process of its own that answers with lines of JSON.

The child makes an :class:`Answers` before anything else and calls it with objects; what other libraries print
does not get between. The parent reads ``Child(module, ...).answers(timeout)``.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Child:
    """``python -m module arguments...``, started at once; Ctrl-C reaches the parent only.

    Parameters
    ----------
    module : str; arguments : list of str
    threads : int, for every library that reads the environment
    without : names of environment variables that the child does not inherit
    variables : dict, further environment variables
    """

    def __init__(self, module, arguments, *, threads, without=(), variables=None):
        environment = {name: value for name, value in os.environ.items() if name not in without}
        environment.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
        environment.update(variables or {})
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # a pipe that nobody reads would fill
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=environment,
            stdin=subprocess.PIPE,  # its end tells the child that this process is gone
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,
        )

    def answers(self, timeout):
        """Yields what the child answers; a RuntimeError with its last line of stderr where it fails.

        Raises
        ------
        TimeoutError : it took longer than timeout seconds
        """
        late = threading.Event()
        timer = threading.Timer(timeout, lambda: (late.set(), self.kill()))
        timer.start()
        try:
            for line in self._process.stdout:
                yield json.loads(line)
            status = self._process.wait()
        finally:
            timer.cancel()
            self.kill()
        if late.is_set():
            raise TimeoutError(f"took longer than {timeout:.0f} s")
        if status:
            raise RuntimeError(self._last_error(status))

    def kill(self):
        """End the child and what it started, if they still run."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process.stdin.close()

    def _last_error(self, status):
        if status == -signal.SIGKILL:
            return "killed, most likely for want of memory"
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines() or [f"exit status {status}"]
        return lines[-1]


class Answers:
    """The child's side: answers(object) writes a line of JSON; what else goes to stdout ends up in stderr."""

    def __init__(self):
        self._out = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)
        threading.Thread(target=_end_with_the_parent, daemon=True).start()

    def __call__(self, found):
        self._out.write(json.dumps(found) + "\n")

    def start_again(self, module):
        """Run the same command anew in this process, with the environment as it is now."""
        os.dup2(self._out.fileno(), 1)
        os.execv(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]])


def _end_with_the_parent():
    """However the parent ends, nothing that it started goes on measuring."""
    while os.read(0, 1):
        pass
    os._exit(1)
