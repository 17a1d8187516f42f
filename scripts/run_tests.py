"""Run the parts of the tests, every one even after a failure, and sum what passed and failed.

    python scripts/run_tests.py [PART...]     without arguments all parts, tidy only if LIKEWISE_TIDY=1

`make test` calls it. The last line is "N passed, M failed"; the exit status tells whether any failed.
"""

import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
SANITIZE = BUILD / "sanitize"
JUNIT = BUILD / "junit.xml"


def run(*command):
    """Run one command in the project's root, showing its output; returns the exit status and the output."""
    print("$", *command, flush=True)
    try:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
    except OSError as error:  # not built, because an earlier part failed
        print(error)
        return 1, ""
    lines = []
    for line in process.stdout:
        print(line, end="", flush=True)
        lines.append(line)
    return process.wait(), "".join(lines)


def steps(*commands):
    """Each command is one test; those after a failure are not run and count as failed."""
    passed = 0
    for command in commands:
        status, _ = run(*command)
        if status != 0:
            break
        passed += 1
    return Counter(passed=passed, failed=len(commands) - passed)


def complete(counts, status):
    """A run that failed, crashed or tested nothing counts at least one failure."""
    if counts["failed"] == 0 and (status != 0 or counts["passed"] == 0):
        counts["failed"] = 1
    return counts


def catch(program):
    """Run a Catch2 program and read its summary (the same in Catch2 2 and 3)."""
    status, output = run(program)
    summary = re.search(
        r"^All tests passed \(.* in (\d+) test cases?\)|^test cases: *\d+ (\|.*)$", output, re.M
    )
    counts = Counter()
    if summary and summary[1]:
        counts["passed"] = int(summary[1])
    elif summary:
        counts.update({name: int(n) for n, name in re.findall(r"(\d+) (passed|failed|skipped)", summary[2])})
    return complete(counts, status)


def junit(*command):
    """Run a command that writes JUNIT and count the test cases in it."""
    JUNIT.unlink(missing_ok=True)
    status, _ = run(*command)
    counts = Counter()
    if JUNIT.exists():
        for case in ElementTree.parse(JUNIT).iter("testcase"):
            outcomes = {child.tag for child in case}
            failed = outcomes & {"failure", "error"}
            counts["failed" if failed else "skipped" if "skipped" in outcomes else "passed"] += 1
    return complete(counts, status)


def ctest(label):
    return junit(
        "ctest", "--test-dir", str(BUILD), "-L", label, "--output-on-failure", "--output-junit", str(JUNIT)
    )


def build(folder, *options, target="all"):
    """Configure and build; an older test program does not stand in for one that no longer compiles."""
    counts = steps(
        ["cmake", "-S", ".", "-B", str(folder), "-DLIKEWISE_TESTS=ON", "-DLIKEWISE_WERROR=ON", *options],
        ["cmake", "--build", str(folder), "--target", target],
    )
    if counts["failed"]:
        test_program(folder).unlink(missing_ok=True)
    return counts


def test_program(folder):
    return folder / "tests/likewise_tests"


def sanitizers():
    sanitizer = "-DLIKEWISE_SANITIZE=address,undefined"
    fast_enough = ["-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g1"]
    built = build(SANITIZE, sanitizer, *fast_enough, target="likewise_tests")
    return built + catch(test_program(SANITIZE))


PARTS = {
    "package": lambda: steps(["make", "--no-print-directory", "package"]),
    "C++-build": lambda: build(BUILD, "-DLIKEWISE_EXAMPLES=ON"),
    "C++-tests": lambda: catch(test_program(BUILD)),
    "examples": lambda: ctest("examples"),
    "installed-copy": lambda: ctest("install"),
    "Python-tests": lambda: junit(sys.executable, "-m", "pytest", "-q", f"--junitxml={JUNIT}"),
    "sanitizers": sanitizers,
    "lint": lambda: steps(["make", "--no-print-directory", "lint"]),
    "tidy": lambda: steps(["make", "--no-print-directory", "tidy"]),
}


def default_parts():
    return [name for name in PARTS if name != "tidy" or os.environ.get("LIKEWISE_TIDY") == "1"]


def main(names):
    for variable in (
        "MAKEFLAGS",
        "MFLAGS",
        "MAKELEVEL",
    ):  # else an inner make asks for the outer one's job server
        os.environ.pop(variable, None)
    results = {}
    for name in names or default_parts():
        print(f"\n== {name}", flush=True)
        start = time.monotonic()
        results[name] = PARTS[name](), time.monotonic() - start

    print("\n== summary")
    total = Counter()
    for name, (counts, seconds) in results.items():
        total += counts
        print(f"{name:15}{seconds:8.1f} s {counts['passed']:6} passed {counts['failed']:4} failed")
    skipped = f", {total['skipped']} skipped" if total["skipped"] else ""
    print(f"{total['passed']} passed, {total['failed']} failed{skipped}")
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
