"""Streamed work takes O(n) memory: VmHWM of a child process (ru_maxrss would inherit the parent's)."""

import subprocess
import sys

import pytest

CHILD = """
import numpy as np, likewise as lw
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024
rng = np.random.default_rng(0)
X, V = rng.normal(size=({n}, 16)), rng.normal(size=({n}, 1))
lw.Mechanism(kernel=lw.kernels.Gaussian(1.0)).operator(X[:3000]) @ V[:3000]  # warm
before = peak()
P = lw.Mechanism(kernel=lw.kernels.Gaussian(1.0)).operator(X)
assert P.storage == "streamed"
Y = P.at(X[:{queries}]) @ V
assert np.isfinite(Y).all()
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="VmHWM is Linux's")
def test_a_product_with_100_000_keys_stays_below_200_mb():
    child = CHILD.format(n=100_000, queries=3_000)
    run = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True)
    assert float(run.stdout) < 200
