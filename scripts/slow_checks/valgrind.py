"""Run the quick C++ tests under valgrind's memcheck and write docs/reports/valgrind-DATE.md.

    python scripts/slow_checks/valgrind.py [--program build/tests/likewise_tests] [--seconds 8]

A case runs if it is among the quickest ones whose native times sum to `--seconds`; memcheck makes them about
50 times slower. Errors are invalid reads and writes, uninitialized values and definite leaks.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter

import report

MEMCHECK = [
    "valgrind",
    "--tool=memcheck",
    "--leak-check=full",
    "--show-leak-kinds=definite",
    "--errors-for-leak-kinds=definite",
    "--error-exitcode=9",
    "--quiet",
]
# memcheck runs one thread at a time: those that wait must sleep, not spin.
THREADS = {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"}


def native_seconds(program):
    """{name of a test case: seconds without valgrind}."""
    done = subprocess.run([program, "-r", "xml", "-d", "yes"], capture_output=True, text=True)
    if done.returncode != 0:
        report.fail(f"{program} fails without valgrind already (status {done.returncode}).")
    cases = re.findall(
        r'<TestCase name="([^"]*)".*?<OverallResult [^>]*durationInSeconds="([^"]*)"', done.stdout, re.S
    )
    plain = {"&quot;": '"', "&apos;": "'", "&lt;": "<", "&gt;": ">", "&amp;": "&"}
    names = {}
    for name, seconds in cases:
        for escaped, character in plain.items():
            name = name.replace(escaped, character)
        names[name] = float(seconds)
    return names


def quickest(seconds_of, budget):
    """The names of the quickest cases, as many as the budget holds."""
    chosen, total = [], 0.0
    for name, seconds in sorted(seconds_of.items(), key=lambda item: item[1]):
        total += seconds
        if total > budget:
            break
        chosen.append(name)
    return chosen


def findings(log):
    """A line for each kind of error and innermost function: how often it was reported."""
    errors = re.findall(r"^==\d+== (\S.*)\n==\d+==    at 0x[0-9A-F]+: (.*)", log, re.M)
    return [
        f"  * {n} times: {what}, in `{where[:200]}`" for (what, where), n in Counter(errors).most_common()
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--program", default=str(report.ROOT / "build/tests/likewise_tests"))
    parser.add_argument("--seconds", type=float, default=8.0)
    arguments = parser.parse_args()
    seconds_of = native_seconds(arguments.program)
    chosen = quickest(seconds_of, arguments.seconds)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as names:
        # Commas and brackets separate patterns and mark tags in Catch2.
        names.write("\n".join(re.sub(r"([,\[\]\\])", r"\\\1", name) for name in chosen) + "\n")
        names.flush()
        command = [*MEMCHECK, arguments.program, "--input-file", names.name]
        report.show(command)
        start = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **THREADS})
    minutes = (time.monotonic() - start) / 60
    summary = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "no output"
    found = findings(done.stderr)
    print(done.stdout[-2000:], done.stderr[-4000:], sep="\n")
    left_out = sorted(set(seconds_of) - set(chosen))
    lines = [
        f"* {len(chosen)} of {len(seconds_of)} test cases, {minutes:.1f} minutes, 2 threads",
        f"* Catch2: {summary}",
        f"* memcheck: {'no errors' if done.returncode == 0 else f'status {done.returncode}'}",
        *found,
        "",
        f"Left out, because they take long: {'; '.join(left_out) or 'none'}.",
    ]
    tools = {
        "valgrind": report.output_of("valgrind", "--version").removeprefix("valgrind-"),
        **report.compiler(),
    }
    command = f"make valgrind ARGS='--seconds {arguments.seconds:g}'"
    report.write("valgrind", command, tools, lines)
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
