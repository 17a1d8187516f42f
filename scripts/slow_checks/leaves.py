"""A toy leaf of each kind, added to a copy of the tree by what CONTRIBUTING's table says and nothing else.

    python scripts/slow_checks/leaves.py

The files of scripts/slow_checks/leaves go where the table puts them, and LINES are the lines that it asks
for. The copy is built, and leaves/test_leaves.py compares the new metric, kernel, support, normalization,
propagation and method with NumPy. Writes docs/reports/leaves-DATE.md, with every place that a leaf of each
kind touched.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import report

TOYS = Path(__file__).parent / "leaves"
COPY = report.ROOT / "build" / "leaves"
FILES = {
    "metric": {"lorentzian.hpp": "include/likewise/metric"},
    "kernel": {"cauchy.hpp": "include/likewise/kernel"},
    "support": {"band.hpp": "include/likewise/support"},
    "normalization": {"emphasis.hpp": "include/likewise/normalization"},
    "propagation": {"halfway.hpp": "include/likewise/propagation"},
    "method": {
        "smoother.hpp": "include/likewise/algorithms",
        "smoother.cpp": "algorithms",
        "bind_smoother.cpp": "python/bindings",
        "smoother.py": "python/likewise/estimators",
    },
}
# kind -> file -> (what stands there, what it becomes: @ is what stands), once each
LINES = {
    "metric": {
        "include/likewise/metric.hpp": (
            ("#include <likewise/metric/mahalanobis.hpp>", "#include <likewise/metric/lorentzian.hpp>\n@"),
            ("using Metric = std::variant<", "@Lorentzian, "),
        ),
        "src/metric.cpp": (('{"precomputed", Precomputed{}},', '@\n      {"lorentzian", Lorentzian{}},'),),
        "python/bindings/bind_slots.cpp": (
            ('bind_metric<Manhattan>(m, "Unit length.");', "@\n  bind_metric<Lorentzian>(m);"),
        ),
        "python/likewise/metrics.py": (
            ("    Euclidean,\n", "@    Lorentzian,\n"),
            ('    "Euclidean",\n', '@    "Lorentzian",\n'),
        ),
    },
    "kernel": {
        "include/likewise/kernel.hpp": (
            ("#include <likewise/kernel/epanechnikov.hpp>", "#include <likewise/kernel/cauchy.hpp>\n@"),
            ("using Kernel = std::variant<Gaussian, ", "@Cauchy, "),
        ),
        "src/kernel.cpp": (('{"matern32", Matern32{}},', '@\n      {"cauchy", Cauchy{}},'),),
        "python/bindings/bind_slots.cpp": (
            (
                'bind_kernel<Laplacian>(m, "Of a distance d.");',
                '@\n  bind_kernel<Cauchy>(m, "Of a distance d.");',
            ),
        ),
        "python/likewise/kernels.py": (
            ("    AlphaDecay,\n", "@    Cauchy,\n"),
            ('    "AlphaDecay",\n', '@    "Cauchy",\n'),
        ),
    },
    "support": {
        "include/likewise/support.hpp": (
            ("#include <likewise/support/blocks.hpp>", "#include <likewise/support/band.hpp>\n@"),
            ("using PairFilter = std::variant<LeaveOneOut, ", "@Band, "),
            ("  Support(Graph leaf);", "  Support(Band leaf) : filters_{leaf} {}  // NOLINT\n@"),
        ),
        "python/bindings/bind_slots.cpp": (
            ("bind_support<LeaveOneOut>(m, composed);", "@\n  bind_support<Band>(m, composed);"),
        ),
        "python/likewise/supports.py": (
            ("    AllPairs,\n", "@    Band,\n"),
            ('    "AllPairs",\n', '@    "Band",\n'),
        ),
    },
    "normalization": {
        "include/likewise/normalization.hpp": (
            (
                "#include <likewise/normalization/row_stochastic.hpp>",
                "#include <likewise/normalization/emphasis.hpp>\n@",
            ),
            ("using Normalization = std::variant<RowStochastic, ", "@Emphasis, "),
        ),
        "src/normalization.cpp": (('{"bistochastic", Bistochastic{}},', '@ {"emphasis", Emphasis{}},'),),
        "src/operator/scalings.cpp": (
            (
                "  Vector<double> operator()(const RowStochastic&) const { return log_w; }\n",
                "@  Vector<double> operator()(const Emphasis&) const {\n"
                "    return log_w + log_row_sums(log_w);\n  }\n",
            ),
        ),
        "src/gradient/scaling_terms.cpp": (
            (
                "  ScalingTerms<T> operator()(const Unnormalized&) const { return with({}, {}); }\n",
                "@  ScalingTerms<T> operator()(const Emphasis&) const { return (*this)(Density{-1}); }\n",
            ),
        ),
        "python/bindings/bind_slots.cpp": (
            ("bind_normalization<Unnormalized>(m);", "@\n  bind_normalization<Emphasis>(m);"),
        ),
        "python/likewise/normalizations.py": (
            ("import Bistochastic, Density, ", "@Emphasis, "),
            ('    "Density",\n', '@    "Emphasis",\n'),
        ),
    },
    "propagation": {
        "include/likewise/propagation.hpp": (
            (
                "#include <likewise/propagation/one_step.hpp>",
                "#include <likewise/propagation/halfway.hpp>\n@",
            ),
            ("using Propagation = std::variant<OneStep, ", "@Halfway, "),
        ),
        "src/propagation.cpp": (
            ("void check(const OneStep&) {}\n", "@void check(const Halfway&) {}\n"),
            ('{"heat", Heat{}}', '@, {"halfway", Halfway{}}'),
        ),
        "src/propagate.cpp": (
            (
                "  Propagated<T> operator()(const OneStep&) const { return {P.apply(V, run)}; }\n",
                "@  Propagated<T> operator()(const Halfway&) const {\n"
                "    return {Matrix<T>(T(0.5) * (V + P.apply(V, run)))};\n  }\n",
            ),
        ),
        "python/bindings/bind_slots.cpp": (
            (
                'bind_propagation<Heat>(m, "Heat that flows for a time t.");',
                '@\n  bind_propagation<Halfway>(m, "");',
            ),
        ),
        "python/likewise/propagations.py": (
            ("import Equilibrium, Heat, ", "@Halfway, "),
            ('    "Heat",\n', '@    "Halfway",\n'),
        ),
    },
    "method": {
        "include/likewise/likewise.hpp": (
            (
                "#include <likewise/algorithms/spectral_clustering.hpp>",
                "#include <likewise/algorithms/smoother.hpp>\n@",
            ),
        ),
        "python/bindings/bindings.hpp": (
            ("void bind_spectral(py::module_& m);", "void bind_smoother(py::module_& m);\n@"),
        ),
        "python/bindings/module.cpp": (("  bind_spectral(m);", "  bind_smoother(m);\n@"),),
        "python/likewise/__init__.py": (
            ('    "SelfOperator":', '    "Smoother": "likewise.estimators.smoother",\n@'),
        ),
    },
}


def copied():
    """The tracked files of the tree and no others, in a folder of their own; its build folder stays."""
    tracked = report.output_of("git", "ls-files").splitlines()
    report.delete_others(COPY, tracked, keep="build")
    for name in tracked:
        source, target = report.ROOT / name, COPY / name
        if not source.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != source.read_bytes():
            shutil.copyfile(source, target)


def put_lines(name, changes):
    path = COPY / name
    text = path.read_text(encoding="utf-8")
    for stands, becomes in changes:
        if text.count(stands) != 1:
            report.fail(f"{name} holds {text.count(stands)} times what a new leaf goes beside: {stands}")
        text = text.replace(stands, becomes.replace("@", stands))
    path.write_text(text, encoding="utf-8")


def run(*command, **options):
    report.show(command)
    done = subprocess.run(
        [str(word) for word in command], cwd=COPY, capture_output=True, text=True, **options
    )
    if done.returncode:
        report.fail((done.stdout + done.stderr)[-4000:])
    return done.stdout


def main():
    start = time.monotonic()
    copied()
    lines = ["| leaf | its files | lines added to |", "|---|---|---|"]
    for kind, files in FILES.items():
        for name, folder in files.items():
            shutil.copyfile(TOYS / name, COPY / folder / name)
        for name, changes in LINES[kind].items():
            put_lines(name, changes)
        places = [f"{folder}/{name}" for name, folder in files.items()]
        lines.append(f"| {kind} | {', '.join(places)} | {', '.join(LINES[kind])} |")
    build = COPY / "build"
    run(
        "cmake",
        "-S",
        ".",
        "-B",
        build,
        "-DLIKEWISE_PYTHON=ON",
        f"-DPython_EXECUTABLE={sys.executable}",
        "-DLIKEWISE_WERROR=ON",
    )
    jobs = os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL", "2")
    run("cmake", "--build", build, "--parallel", jobs, "--target", "likewise_core")
    tests = run(
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        TOYS / "test_leaves.py",
        env={**os.environ, "PYTHONPATH": str(build / "python")},
    )
    minutes = (time.monotonic() - start) / 60
    lines += ["", f"* tests: {tests.splitlines()[-1].strip('= ')}", f"* {minutes:.0f} minutes"]
    report.write("leaves", "make leaves", report.compiler(), lines)


if __name__ == "__main__":
    main()
