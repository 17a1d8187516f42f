"""One process of the benchmark: ``python -m likewise.bench.child '{"role": "times", ...}'``.

It answers with lines of JSON: {"progress": fraction}, {"workload": name, "found": [...]}, {"peak_bytes": n}.
"""

import json
import os
import sys

from likewise._experiments.child import Answers, Child

TINY = 300  # n of the run that imports and compiles everything before memory is measured

# The environment must not choose BLAS kernels: the yardstick is what NumPy's own detection finds.
BLAS_VARIABLES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_VERBOSE")


def start(role, threads, **task):
    """A child that measures; see `main` for what a task holds."""
    module = "likewise.bench.child"
    return Child(
        module,
        [json.dumps({"role": role, "threads": threads, **task})],
        threads=threads,
        without=BLAS_VARIABLES,
    )


def main(argument):
    """Do one task and answer.

    role "times": workloads, size (or null), quick, rounds, budget, only (contenders or null).
    role "peak": workload, size, quick, contender.
    role "shapes": shapes ([kind, shape], ...), rounds, budget, perhaps only.
    role "profile": shapes, of which the first.
    """
    answer, task = Answers(), json.loads(argument)
    _recommended_blas(task, answer)
    _ROLES[task["role"]](task, answer)


def _times(task, answer):
    from likewise.bench import measure, workloads

    chosen = [workloads.get(name) for name in task["workloads"]]
    for done, workload in enumerate(chosen):
        found = measure.measure_times(
            workload,
            workload.size_of(task["quick"], task["size"]),
            task["threads"],
            task["rounds"],
            task["budget"],
            only=task["only"],
            progress=lambda fraction, done=done: answer({"progress": (done + fraction) / len(chosen)}),
        )
        answer({"workload": workload.name, "found": found, "blas": _blas()})


def _peak(task, answer):
    from likewise.bench import measure, workloads

    workload = workloads.get(task["workload"])
    size = workload.size_of(task["quick"], task["size"])
    tiny = {**size, "n": min(size["n"], TINY)} if "n" in size else size
    answer(measure.measure_peak(workload, size, tiny, task["threads"], task["contender"]))


def _shapes(task, answer):
    from likewise.bench import measure

    for workload in _drawn(task):
        found = measure.measure_times(
            workload,
            workload.size,
            task["threads"],
            task["rounds"],
            task["budget"],
            only=task.get("only"),
        )
        answer({"found": found})


def _profile(task, answer):
    import numpy as np

    import likewise
    from likewise.bench.shapes.profile import profile

    workload = next(_drawn(task))
    data = workload.inputs(np.random.default_rng(0), **workload.size)
    with likewise.execution(n_jobs=task["threads"]):
        run = workload.contender("likewise").prepare(data, task["threads"])
        answer({"profile": profile(run)})


def _drawn(task):
    from likewise.bench.shapes.kinds import KINDS

    return (KINDS[kind].workload(shape) for kind, shape in task["shapes"])


_ROLES = {"times": _times, "peak": _peak, "shapes": _shapes, "profile": _profile}


def _blas():
    """What threadpoolctl says of each BLAS in this process: library file, version, kernels, threads."""
    from threadpoolctl import threadpool_info

    fields = ("prefix", "version", "architecture", "num_threads")
    return [
        {"library": _package_of(info["filepath"]), **{field: info.get(field) for field in fields}}
        for info in threadpool_info()
        if info["user_api"] == "blas"
    ]


def _package_of(path):
    """faiss_cpu of .../faiss_cpu.libs/libopenblas.so, and the file where no package ships it."""
    folder, file = os.path.split(path)
    folder = os.path.basename(folder)
    return folder.removesuffix(".libs") if folder.endswith(".libs") else file


def _recommended_blas(task, answer):
    """A peer may ship an OpenBLAS that is older than this CPU and falls back to kernels of 2004.

    Such a peer would be measured badly set up. So a process that uses one starts again with NumPy's choice of
    kernels for all.
    """
    if "OPENBLAS_CORETYPE" in os.environ:
        return
    _import_peers(task)
    found = {info["library"]: info["architecture"] for info in _blas() if "openblas" in info["prefix"]}
    best = found.get("numpy")
    if best and any(architecture != best for architecture in found.values()):
        os.environ["OPENBLAS_CORETYPE"] = best
        answer.start_again("likewise.bench.child")


def _import_peers(task):
    import importlib

    import numpy  # noqa: F401  (the yardstick's BLAS)

    only = task.get("only") or [task.get("contender")]
    for contender in (contender for workload in _asked(task) for contender in workload.contenders):
        if contender.peer.installed and (only == [None] or contender.name in only):
            importlib.import_module(contender.peer.module)


def _asked(task):
    """The workloads that a task is about."""
    from likewise.bench import workloads

    if "shapes" in task:
        return list(_drawn(task))
    return [workloads.get(name) for name in task.get("workloads") or [task["workload"]]]


if __name__ == "__main__":
    main(sys.argv[1])
