"""Comparison studies: every method under every metric, kernel, normalization and support, one dial at a time.

    likewise.study.run(data=["iris", "digits"], repeats=10, out="study-report")

writes a self-contained report.html and CSV files. The command line is ``likewise study``.
"""

import sys
import time

from likewise._experiments import need_packages_of

need_packages_of("study")

from likewise._experiments.bars import progress_bar  # noqa: E402
from likewise._experiments.checks import output_folder  # noqa: E402
from likewise.study import agreement, cells, readings, report, results, runner  # noqa: E402
from likewise.study.results import Results, Study  # noqa: E402
from likewise.study.settings import Settings, from_toml  # noqa: E402

__all__ = ["Settings", "Study", "from_toml", "run"]


def run(settings=None, *, progress=False, **fields):
    """Run a comparison study and write its report.

    Parameters
    ----------
    settings : Settings or None
        What to compare; or give its fields as keywords.
    progress : bool
        Show a bar with the time left on stderr.
    **fields
        See :class:`Settings`: data, target, methods, metrics, kernels, normalizations, supports, repeats,
        n_samples, seed, jobs, agreement, out, quick. With jobs other than 1 a script needs the usual
        ``if __name__ == "__main__":``.

    Returns
    -------
    Study : the tables and the path of the report

    Raises
    ------
    ValueError, TypeError : a setting or a data file that does not fit, before any work

    Notes
    -----
    Ctrl-C stops at once; the report of what was done is written and the Study says ``interrupted``.
    A cell that fails is recorded and shown in the report, and the study goes on.
    """
    settings = settings if settings is not None else Settings(**fields)
    data = settings.load_data()
    output_folder(settings.out)
    found, start = Results(data=data), time.perf_counter()
    try:
        _read_one_operator(settings, found)
        _run_cells(settings, data, found, progress)
        if settings.agreement:
            _compare_with_scikit_learn(settings, found, progress)
    except KeyboardInterrupt:
        found.interrupted = True
        if progress:
            print("\nStopped; writing the report of what was done.", file=sys.stderr, flush=True)
    found.seconds = time.perf_counter() - start
    study = results.tables(settings, found)
    results.write_csv(study)
    report.write(study, found)
    return study


def _read_one_operator(settings, found):
    try:
        found.readings = readings.compute(settings.seed)
    except Exception as error:  # one figure less; the report shows why
        found.problems.append(f"One operator, seven readings: {type(error).__name__}: {error}")


def _run_cells(settings, data, found, progress):
    tasks = cells.plan(settings, data)
    found.order = [(task.repeat, task.dataset, task.method) for task in tasks]
    found.n_cells = sum(len(task.cells) for task in tasks)
    with progress_bar(found.n_cells, "fits", progress) as bar:
        runner.run_tasks(tasks, settings.jobs, found.records, bar)


def _compare_with_scikit_learn(settings, found, progress):
    size = {"n_samples": 600, "rounds": 3} if settings.quick else {}
    names = agreement.names(settings.quick)
    with progress_bar(len(names), "agreement with scikit-learn", progress) as bar:
        for name in names:
            found.agreement.append(agreement.compare(name, **size))
            bar.update()
