"""What a benchmark measures: checked once, from Python or the command line."""

import shlex
from dataclasses import dataclass
from typing import Optional

from likewise._execution import n_cores
from likewise._experiments.checks import check_int, names_given
from likewise.bench import workloads


@dataclass(frozen=True)
class Settings:
    """Settings of a benchmark; every field is a keyword of :func:`likewise.bench.run`.

    Parameters
    ----------
    only : names of workloads or groups, or None for all; a name may hold several with commas between
    threads : ints, or None for 1 and 2 (as far as there are cores; the larger when quick)
    rounds : int >= 3 or None for 9 (3 when quick)
    memory : bool; also measure peak memory, each contender in a process of its own
    out : folder for report.html, bench.json and bench.csv
    quick : bool; small sizes, under two minutes, peak memory of ours only; nothing is judged by the goals
    """

    only: Optional[tuple] = None
    threads: Optional[tuple] = None
    rounds: Optional[int] = None
    memory: bool = True
    out: str = "bench-report"
    quick: bool = False

    def __post_init__(self):
        object.__setattr__(
            self, "only", None if self.only is None else _split(names_given("only", self.only))
        )
        object.__setattr__(self, "threads", _threads(self.threads, self.quick))
        object.__setattr__(self, "rounds", (3 if self.quick else 9) if self.rounds is None else self.rounds)
        object.__setattr__(self, "out", str(self.out))
        check_int("rounds", self.rounds, 3)
        workloads.chosen(self.only or ())

    def workloads(self):
        """The workloads that are measured, in order."""
        return workloads.all_workloads() if self.only is None else workloads.chosen(self.only)

    @property
    def budget(self):
        """Seconds for the rounds of one workload."""
        return 3.0 if self.quick else 45.0

    @property
    def longest_call(self):
        """Seconds of one call beyond which a contender grows no further."""
        return 1.0 if self.quick else 20.0

    def command(self):
        """The command line that measures the same."""
        words = ["likewise", "bench"]
        words += ["--only", ",".join(self.only)] if self.only else []
        words += ["--threads", *map(str, self.threads), "--rounds", str(self.rounds)]
        words += ["--quick"] if self.quick else []
        words += [] if self.memory else ["--no-memory"]
        return shlex.join([*words, "--out", self.out])


def _split(names):
    return tuple(dict.fromkeys(part.strip() for name in names for part in name.split(",") if part.strip()))


def _threads(given, quick):
    if given is None:
        usual = tuple(n for n in (1, 2) if n <= n_cores())
        return usual[-1:] if quick else usual
    given = (given,) if isinstance(given, int) else tuple(given)
    for n in given:
        check_int("threads", n, 1)
    if not given:
        raise ValueError("threads must hold at least one int; got none.")
    return tuple(sorted(set(given)))
