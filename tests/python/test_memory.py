"""Streamed work takes O(n) memory: VmHWM of a child process (ru_maxrss would inherit the parent's)."""

import subprocess
import sys

import pytest

PEAK = """
import numpy as np, likewise as lw
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024
rng = np.random.default_rng(0)
"""

PRODUCT = """
X, V = rng.normal(size=(100_000, 16)), rng.normal(size=(100_000, 1))
lw.Mechanism(kernel=lw.kernels.Gaussian(1.0)).operator(X[:3000]) @ V[:3000]  # warm
before = peak()
P = lw.Mechanism(kernel=lw.kernels.Gaussian(1.0)).operator(X)
assert P.storage == "streamed"
Y = P.at(X[:3000]) @ V
assert np.isfinite(Y).all()
print(peak() - before)
"""

TRAINING_STEP = """
x, g = (rng.normal(size=(16_384, 64)).astype("float32") for _ in range(2))
layer = lw.nn.SelfAttention(64, 1, dtype="float32")
layer(x[:1000])
layer.backward(g[:1000])  # warm
before = peak()
y = layer(x)
by_x = layer.backward(g)
assert np.isfinite(by_x).all()
print(peak() - before - (y.nbytes + by_x.nbytes) / 2**20)
"""


def mebibytes(child):
    run = subprocess.run([sys.executable, "-c", PEAK + child], capture_output=True, text=True, check=True)
    return float(run.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="VmHWM is Linux's")
def test_a_product_with_100_000_keys_stays_below_200_mb():
    assert mebibytes(PRODUCT) < 200


@pytest.mark.skipif(sys.platform != "linux", reason="VmHWM is Linux's")
def test_a_training_step_of_16_384_tokens_needs_64_mb_beyond_its_outputs():
    """A matrix of its weights would be 1 GB; each array of the tokens is 4 MB."""
    assert mebibytes(TRAINING_STEP) < 64
