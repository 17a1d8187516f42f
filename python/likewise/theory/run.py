"""Running the checks: which ones, their results, the table."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from likewise import _checks
from likewise._extras import need
from likewise.theory.check import Check, Measured

COLUMNS = ("check", "predicted", "measured", "Richardson", "order", "error")


@dataclass(frozen=True)
class Result:
    """A check, what it measured (None where it failed to run) and how long it took."""

    check: Check
    measured: Measured | None
    seconds: float
    error: str = ""

    @property
    def passed(self):
        return self.measured is not None and self.measured.passed

    def as_dict(self):
        """Plain numbers and text, for JSON."""
        told = ("group", "name", "statement", "source", "constants")
        about = {name: getattr(self.check, name) for name in told}
        found = {} if self.measured is None else asdict(self.measured)
        found.pop("trace", None)
        return {**about, **found, "passed": self.passed, "seconds": self.seconds, "error_message": self.error}


@dataclass(frozen=True)
class Results:
    """All results; `passed` where every check passed, `report` where a page was written."""

    results: tuple
    seconds: float
    report: Path | None = None

    @property
    def passed(self):
        return all(result.passed for result in self.results)

    def as_json(self):
        """All numbers as JSON."""
        return json.dumps([result.as_dict() for result in self.results], indent=1, ensure_ascii=False)

    def table(self):
        """The table of the command line."""
        lines, group = [], None
        for result in self.results:
            if result.check.group != group:
                group = result.check.group
                lines += ["", group] if lines else [group]
            lines.append("  " + "  ".join(_cells(result)))
        n_passed = sum(result.passed for result in self.results)
        return "\n".join([_heading(), *lines, "", f"{n_passed} of {len(self.results)} checks passed"])


_WIDTHS = (44, 10, 10, 10, 6, 8)


def _heading():
    others = (name.rjust(width) for name, width in zip(COLUMNS[1:], _WIDTHS[1:]))
    return "  ".join([f"  {COLUMNS[0].ljust(_WIDTHS[0])}", *others])


def _cells(result):
    found, name = result.measured, result.check.name.ljust(_WIDTHS[0])
    if found is None:
        return [name, f"FAILED: {result.error}"]
    richardson = found.richardson
    numbers = [_number(found.predicted), _number(found.measured)]
    if found.interval is None:
        numbers += [_number(richardson), _number(found.order, 3)]
    else:
        low, high = (f"{end:.3g}" for end in found.interval)
        numbers.append(f"[{low}, {high}]".rjust(_WIDTHS[3] + _WIDTHS[4] + 2))
    widths = _WIDTHS[1 : 1 + len(numbers)]
    return [
        name,
        *(text.rjust(width) for text, width in zip(numbers, widths)),
        f"{found.error:.1e}".rjust(_WIDTHS[5]),
        "passed" if found.passed else "FAILED",
    ]


def _number(value, digits=5):
    return "" if value is None else f"{value:.{digits}g}"


def chosen(full=False, only=""):
    """The checks that a run asks, those of Monte Carlo where full."""
    from likewise.theory import CHECKS

    if not isinstance(only, str):
        raise TypeError(f"only must be a str; got {_checks.told(only)}.")
    text = only.casefold()
    named = [c for c in CHECKS if text in f"{c.name} | {c.group} | {c.source}".casefold()]
    asked = [check for check in named if full or not check.monte_carlo]
    if asked:
        return asked
    if named:
        raise ValueError(f"full must be given for {only!r}, which names Monte Carlo checks alone.")
    raise ValueError(f"only must be part of a check's name, group or source; none has {only!r}.")


def run(*, full=False, only="", out=None, progress=False):
    """Run the checks.

    Parameters
    ----------
    full : the Monte Carlo checks too, a minute or two
    only : str, part of a name, a group or a source
    out : folder for theory.html with figures and theory.json, None: neither
    progress : a bar with the time left on stderr

    Returns
    -------
    Results, whose .table() prints
    """
    checks = chosen(_checks.boolean(full, "full"), only)
    if out is not None:
        need("the page of likewise theory", "matplotlib", "jinja2", extra="study")
        from likewise._experiments.checks import output_folder

        folder = output_folder(out)
    start, results = time.perf_counter(), []
    with _bar(len(checks), progress) as bar:
        for check in checks:
            results.append(_run_one(check))
            bar.update()
    found = Results(tuple(results), time.perf_counter() - start)
    if out is None:
        return found
    from likewise.theory import report

    return replace(found, report=report.write(folder, found, full=full, only=only))


def _run_one(check):
    start = time.perf_counter()
    try:
        found, error = check.run(), ""
    except Exception as problem:  # which is shown with the check, and the others go on
        found, error = None, f"{type(problem).__name__}: {problem}"
    return Result(check, found, time.perf_counter() - start, error)


class _NoBar:
    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False

    def update(self):
        """Nothing is shown."""


def _bar(total, progress):
    if not progress:
        return _NoBar()
    need("the progress of likewise theory", "tqdm", extra="study")
    from likewise._experiments.bars import progress_bar

    return progress_bar(total, "theory", True)
