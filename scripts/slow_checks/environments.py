"""The Python package with the oldest versions it allows and with the newest there are.

    python scripts/slow_checks/environments.py [--python PATH...] [--tests FILE...]

For each interpreter a wheel is built and installed beside these packages in a new virtual environment;
operators must work with NumPy and SciPy alone, then the tests run (torch's do not). The first interpreter
gets the oldest versions, each one the newest. Writes docs/reports/environments-DATE.md.
"""

import argparse
import re
import shutil
import subprocess
import sys
import time

import report

BUILD = report.ROOT / "build" / "environments"
OLDEST = ("numpy==1.23.5", "scipy==1.9.3", "scikit-learn==1.6.0", "threadpoolctl==3.1.0")
NEWEST = ("numpy", "scipy", "scikit-learn", "threadpoolctl")
# These ask about the checkout, other programs, memory or time, not about what the dependencies do.
LEFT_OUT = re.compile(
    r"test_(arms|bench|cli|memory|plots|readme|simd_targets|study\w*|time_limits|torch\w*|transfer)"
)
TESTS = [
    path.name
    for path in sorted((report.ROOT / "tests" / "python").glob("test_*.py"))
    if not LEFT_OUT.fullmatch(path.stem)
]
ALONE = """
import sys, numpy as np, likewise as lw
P = lw.Mechanism(kernel=lw.kernels.Gaussian(1.0)).operator(np.eye(4))
assert abs((P @ np.ones(4)).sum() - 4) < 1e-12 and "sklearn" not in sys.modules
"""


def run(*command):
    """(exit status, output) of a command."""
    report.show(command)
    done = subprocess.run([str(word) for word in command], cwd=report.ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def must(*command):
    status, output = run(*command)
    if status:
        report.fail(output[-3000:])


def wheel_of(python):
    """A wheel for that interpreter."""
    tag = report.output_of(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    folder = BUILD / f"wheel-{tag}"
    must(
        python,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--wheel-dir",
        folder,
        f"--config-settings=build-dir={BUILD}/build-{tag}",
        ".",
    )
    return next(folder.glob("*.whl"))


def environment(python, name, packages, wheel):
    """The interpreter of a new virtual environment with these packages: first two of them alone, then all."""
    folder = BUILD / name
    shutil.rmtree(folder, ignore_errors=True)
    must(python, "-m", "venv", folder)
    inside = folder / "bin" / "python"
    must(inside, "-m", "pip", "install", "--quiet", *packages[:2])
    must(inside, "-m", "pip", "install", "--quiet", "--no-deps", wheel)
    status, output = run(inside, "-c", ALONE)
    if status:
        report.fail(f"NumPy and SciPy alone are not enough: {output[-2000:]}")
    must(
        inside,
        "-m",
        "pip",
        "install",
        "--quiet",
        *packages,
        "pytest",
        "hypothesis",
        "pandas",
        "matplotlib",
        "jinja2",
        "tqdm",
        "mpmath",
    )
    return inside


def versions_in(inside):
    listed = dict(re.findall(r"^(\S+) +(\S+)$", report.output_of(inside, "-m", "pip", "list"), re.M))
    return ", ".join(f"{name} {listed.get(name, '?')}" for name in NEWEST[:3])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--python", nargs="+", default=[sys.executable])
    parser.add_argument("--tests", nargs="+", default=list(TESTS))
    arguments = parser.parse_args()
    tests = [report.ROOT / "tests" / "python" / name for name in arguments.tests]
    lines, failed = ["| environment | versions | tests |", "|---|---|---|"], False
    for i, python in enumerate(arguments.python):
        wheel = wheel_of(python)
        for name, packages in {"oldest": OLDEST, "newest": NEWEST}.items():
            if name == "oldest" and i > 0:
                continue
            start = time.monotonic()
            inside = environment(python, f"{name}-{i}", packages, wheel)
            status, output = run(inside, "-m", "pytest", "-q", *tests)
            failed |= status != 0
            minutes = (time.monotonic() - start) / 60
            version = report.output_of(inside, "--version")
            print(output[-3000:])
            last = output.splitlines()[-1].strip("= ")
            lines.append(f"| {name} | {version}, {versions_in(inside)} | {last}, {minutes:.0f} minutes |")
    report.write("environments", "make environments", report.compiler(), lines)
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
