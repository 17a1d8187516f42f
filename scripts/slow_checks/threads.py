"""Build the C++ tests with clang's thread sanitizer, run them, and write docs/reports/threads-DATE.md.

    python scripts/slow_checks/threads.py [--tests PATTERN...]

gcc's OpenMP gives false races, so this wants clang, libomp and libarcher, which tells the sanitizer of
OpenMP's barriers. PATTERN are Catch2 test names; without any, what runs on several threads.
"""

import argparse
import os
import re
import subprocess
import time

import report

BUILD = report.ROOT / "build" / "threads"
THREADED = [
    "*threads*",
    "a point set with itself*",
    "*block*",
    "*neighbors*",
    "*streamed*",
    "*stopping*",
    "*partial*",
    "*k-means*",
    "products*",
    "sparse*",
    "[gradient]",
    "[metric_learning]",
    "[label_propagation]",
    "[nn]",
]
OPTIONS = [
    "-DCMAKE_C_COMPILER=clang",
    "-DCMAKE_CXX_COMPILER=clang++",
    "-DCMAKE_BUILD_TYPE=Debug",
    "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g1",
    "-DLIKEWISE_TESTS=ON",
    "-DLIKEWISE_SANITIZE=thread",
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tests", nargs="+", default=THREADED)
    arguments = parser.parse_args()
    for command in (
        ["cmake", "-S", ".", "-B", str(BUILD), *OPTIONS],
        ["cmake", "--build", str(BUILD), "--target", "likewise_tests"],
    ):
        report.show(command)
        subprocess.run(command, cwd=report.ROOT, check=True)
    program = [str(BUILD / "tests/likewise_tests"), ",".join(arguments.tests)]
    report.show(program)
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "3",
        "OMP_TOOL_LIBRARIES": "libarcher.so",
        "TSAN_OPTIONS": "ignore_noninstrumented_modules=1 halt_on_error=0 exitcode=66",
    }
    start = time.monotonic()
    done = subprocess.run(program, capture_output=True, text=True, env=environment)
    print(done.stdout[-3000:], done.stderr[-6000:], sep="\n")
    races = re.findall(r"^SUMMARY: ThreadSanitizer: (.*)$", done.stderr, re.M)
    summary = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "no output"
    lines = [
        f"* tests: `{program[1]}`, 3 threads, {(time.monotonic() - start) / 60:.1f} minutes",
        f"* result: {summary}",
        f"* races: {len(races) or 'none'}",
        *(f"    * {race}" for race in sorted(set(races))),
    ]
    report.write("threads", "make threads", {"clang": report.output_of("clang++", "-dumpversion")}, lines)
    raise SystemExit(1 if done.returncode else 0)


if __name__ == "__main__":
    main()
