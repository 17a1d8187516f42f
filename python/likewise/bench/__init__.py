"""The benchmark: likewise beside the libraries that people use, with equal answers checked before timing.

    likewise.bench.run(only="attention,gaussian", threads=(1, 2), out="bench-report")

writes a self-contained report.html, bench.json and bench.csv. The command line is ``likewise bench``.
"""

import dataclasses
import sys
import time

from likewise._experiments import need_packages_of

need_packages_of("bench")

from likewise._experiments import page  # noqa: E402
from likewise._experiments.bars import WEIGHTED, progress_bar  # noqa: E402
from likewise._experiments.checks import output_folder  # noqa: E402
from likewise.bench import machine, peers, report, results, runner, workloads  # noqa: E402
from likewise.bench.results import Results, table  # noqa: E402
from likewise.bench.settings import Settings  # noqa: E402

__all__ = ["Results", "Settings", "listing", "run", "table"]


def run(settings=None, *, progress=False, **fields):
    """Run a benchmark and write its report.

    Parameters
    ----------
    settings : Settings or None
        What to measure; or give its fields as keywords.
    progress : bool
        Show a bar with the time left on stderr.
    **fields
        See :class:`Settings`: only, threads, rounds, memory, out, quick.

    Returns
    -------
    Results

    Raises
    ------
    ValueError, TypeError : a setting that does not fit, before any work

    Notes
    -----
    Ctrl-C stops at once; the report of what was done is written and the Results say ``interrupted``. A
    contender that is missing, fails, or answers something else is a row that says so, without a time.
    """
    settings = settings if settings is not None else Settings(**fields)
    folder = output_folder(settings.out)
    found, start = _started(settings), time.perf_counter()
    try:
        _run_jobs(settings, found, progress)
    except KeyboardInterrupt:
        found.interrupted = True
        if progress:
            print("\nStopped; writing the report of what was done.", file=sys.stderr, flush=True)
    found.seconds = time.perf_counter() - start
    results.write(found, folder)
    report.write(found, folder / "report.html")
    return found


def listing():
    """Every workload with its group and contenders, as lines of text."""
    return "\n".join(
        f"{workload.name:34}{workload.group:12}{workload.title}; "
        + ", ".join(contender.name for contender in workload.contenders)
        for workload in workloads.all_workloads()
    )


def _started(settings):
    return Results(
        machine=machine.describe(),
        versions=page.versions([peer.distribution for peer in peers.ALL]),
        settings={**dataclasses.asdict(settings), "command": settings.command()},
        date=page.today(),
    )


def _run_jobs(settings, found, progress):
    jobs = runner.jobs_of(settings)
    total = sum(map(runner.weight, jobs))
    with progress_bar(total, "benchmark", progress, bar_format=WEIGHTED) as bar:
        for job in jobs:
            start, weight = bar.n, runner.weight(job)
            bar.set_description(f"{job[0][0].process or job[0][0].name}, {job[1]} thread(s)")

            def advance(fraction, start=start, weight=weight):
                bar.update(start + fraction * weight - bar.n)

            runner.run_job(job, settings, found, advance)
