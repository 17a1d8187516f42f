"""Thousands of spectra against numpy.linalg.eigh; writes docs/reports/spectra-DATE.md.

    python scripts/slow_checks/spectra.py [--seconds 600] [--seed N] [--largest 5000]

Graphs and points are those of tests/python/graph_families.py, weighted from 1e-8 to 1 or not, in every
storage, dtype and normalization, n log-uniform from 2 to --largest. hypothesis shrinks what fails; the report
holds the smallest example, and how often each solver gave the answer with which certificate.
"""

import argparse
import collections
import sys
import time
import traceback

import report
from hypothesis import HealthCheck, given, seed, settings

sys.path.insert(0, str(report.ROOT / "tests" / "python"))
import test_spectra_of_graphs as spectra

# The share of the time that sizes up to so many get: an eigh of 5 000 takes as long as thousands of 50.
SHARES = ((300, 0.6), (1500, 0.2), (None, 0.2))


def run(draw, largest, until, first_seed, counts):
    """The failure's text or None; examples in rounds with new seeds until the time is over."""

    def counted(case):
        if time.monotonic() > until:
            return
        how = spectra.check(case)
        counts[(how.solver, how.certificate)] += 1

    quiet = settings(
        max_examples=100,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    while time.monotonic() < until:
        try:
            seed(first_seed)(quiet(given(draw(largest))(counted)))()
        except Exception as error:
            return "".join(traceback.format_exception(error))[-4000:]
        first_seed += 1
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--largest", type=int, default=5000)
    arguments = parser.parse_args()
    lines = ["| drawn | n up to | examples | result |", "|---|---|---|---|"]
    failures, totals = [], collections.Counter()
    for draw, part in ((spectra.graphs, 0.7), (spectra.kernel_matrices, 0.3)):
        for most, share in SHARES:
            largest = min(most or arguments.largest, arguments.largest)
            counts = collections.Counter()
            until = time.monotonic() + arguments.seconds * part * share
            failure = run(draw, largest, until, arguments.seed, counts)
            result = "FAILED" if failure else "no failure"
            name = draw.__name__.replace("_", " ")
            print(f"{name} up to {largest}: {counts.total()} examples, {result}", flush=True)
            lines.append(f"| {name} | {largest} | {counts.total()} | {result} |")
            totals += counts
            if failure:
                failures += ["", f"## {name} up to {largest}", "```", failure, "```"]
                print(failure, flush=True)
    lines += ["", "| solver | certificate | answers |", "|---|---|---|"]
    lines += [f"| {solver} | {name} | {count} |" for (solver, name), count in totals.most_common()]
    versions = {name: __import__(name).__version__ for name in ("hypothesis", "numpy", "likewise")}
    command = f"make spectra ARGS='--seconds {arguments.seconds:g} --seed {arguments.seed}'"
    report.write("spectra", command, versions, [*lines, *failures])
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
