"""likewise beside the best peer on random shapes of two seeds, and how its time grows; writes docs/reports.

    python scripts/slow_checks/shapes.py [--seeds A B] [--count N] [--only KIND ...]

Seeds are today's date unless they are given: shapes that nobody has tuned on. About an hour a seed of 300
shapes on two cores that do nothing else.
"""

import argparse
import datetime
import sys
from pathlib import Path

import report

from likewise.bench import shapes
from likewise.bench.shapes import growth
from likewise.bench.shapes import report as shapes_report


def main():
    today = int(datetime.date.today().strftime("%Y%m%d"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[today, today + 1_000_000])
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--only", nargs="+", help="kinds")
    parser.add_argument("--out", type=Path, default=report.ROOT / "bench-report")
    arguments = parser.parse_args()
    text, interrupted = [], False
    for seed in arguments.seeds:
        found = shapes.run(seed, arguments.count, only=arguments.only, out=arguments.out, progress=True)
        figure = f"shapes-{seed}.png"
        report.REPORTS.mkdir(parents=True, exist_ok=True)
        (report.REPORTS / figure).write_bytes((arguments.out / figure).read_bytes())
        text += shapes_report.lines(found, figure)
        interrupted |= found.interrupted
    if not interrupted and arguments.only is None:
        text += ["", "## How time grows", "", *growth.lines_of(growth.measure(progress=True))]
    report.write(
        "shapes",
        "make shapes",
        {},
        [line.replace("# ", "## ", 1) if line.startswith("# ") else line for line in text],
    )
    return 130 if interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
