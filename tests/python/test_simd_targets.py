"""One binary, several instruction sets: each, forced by the environment, gives the same answers."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import likewise as lw
from likewise import _core

# Answers of a few mechanisms, as lists: exponentials in both precisions, another kernel, a metric that does
# not lift, neighbors and a stored operator.
PROGRAM = """
import json
import numpy as np
import likewise as lw
from likewise import kernels, metrics

rng = np.random.default_rng(0)
Z, X, V = rng.normal(size=(301, 5)), rng.normal(size=(130, 5)), rng.normal(size=(301, 3))
answers = {}
for name, mechanism in {
    "gaussian": lw.Mechanism(kernel=kernels.Gaussian(1.0)),
    "student": lw.Mechanism(kernel=kernels.StudentT(1.0)),
    "laplacian": lw.Mechanism(metric=metrics.Manhattan(), kernel=kernels.Laplacian(2.0)),
    "matern": lw.Mechanism(kernel=kernels.Matern52(1.5)),
    "alpha": lw.Mechanism(kernel=kernels.AlphaDecay(1.5, decay=3)),
    "epanechnikov": lw.Mechanism(kernel=kernels.Epanechnikov(3.0)),
    "tricube": lw.Mechanism(metric=metrics.Minkowski(3), kernel=kernels.Tricube(4.0)),
}.items():
    for dtype in (np.float32, np.float64):
        P = mechanism.operator(Z.astype(dtype)).at(X.astype(dtype))
        answers[f"{name} {np.dtype(dtype).name}"] = (P @ V.astype(dtype)).tolist()
distances, indices = lw.kneighbors(X, Z, n_neighbors=7)
answers["distances float64"], answers["indices"] = distances.tolist(), indices.tolist()
qkv = (rng.normal(size=(90, 16)).astype("f4") for _ in range(3))
answers["attention float32"] = lw.attention(*qkv).tolist()
print(json.dumps({"target": lw.simd_target(), "answers": answers}))
"""


def run(target):
    environment = dict(os.environ, LIKEWISE_SIMD=target)
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_target_gives_the_answers_of_the_portable_one():
    targets = _core.simd_targets()
    assert targets[-1] == "SCALAR"
    portable = run("SCALAR")
    for target in targets[:-1]:
        found = run(target)
        assert found["target"] == target
        for name, answer in found["answers"].items():
            bound = 0 if name == "indices" else 5e-6 if name.endswith("float32") else 1e-13
            difference = np.abs(np.array(answer) - np.array(portable["answers"][name])).max()
            assert difference <= bound * np.abs(np.array(answer)).max(), (target, name, difference)


def test_a_target_that_cannot_run_is_refused_by_name():
    program = "import likewise as lw; lw.simd_target()"
    environment = dict(os.environ, LIKEWISE_SIMD="MMX")
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert "LIKEWISE_SIMD must be one of" in done.stderr and '"MMX"' in done.stderr


@pytest.mark.skipif("LIKEWISE_SIMD" in os.environ, reason="a target is forced")
def test_the_best_target_runs():
    assert lw.simd_target() == next(name for name in _core.simd_targets() if name != "AMX")  # on request only
