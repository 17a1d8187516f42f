"""What a study compares: checked once, from Python, the command line or a TOML file."""

import dataclasses
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from likewise import datasets
from likewise._experiments.checks import check_int, names_given
from likewise.study import dials, methods

QUICK_DATA = ("two_moons", "uneven_circle", "iris", "digits", "diabetes")


@dataclass(frozen=True)
class Settings:
    """Settings of a study; every field is a keyword of :func:`likewise.study.run` and a key of the TOML file.

    Parameters
    ----------
    data : names of likewise.datasets, or paths of .csv files, or None for all (QUICK_DATA when quick)
    target : column of the .csv files to predict
    methods, metrics, kernels, normalizations, supports : names, or None for all; () leaves a dial untouched
    repeats : int >= 2 or None for 10 (3 when quick); paired splits of each data set
    n_samples : int >= 40 or None for 240 (150 when quick); rows drawn for a split, 40 % of them for testing
    seed : int >= 0
    jobs : int or None; worker processes, -1 for one a core, None for none beside this one (on the command
        line: one a core); results do not depend on it
    agreement : bool; also compare with scikit-learn, with time and memory
    out : folder for report.html and the CSV files
    quick : bool; a first look in under a minute
    """

    data: Optional[tuple] = None
    target: Optional[str] = None
    methods: Optional[tuple] = None
    metrics: Optional[tuple] = None
    kernels: Optional[tuple] = None
    normalizations: Optional[tuple] = None
    supports: Optional[tuple] = None
    repeats: Optional[int] = None
    n_samples: Optional[int] = None
    seed: int = 0
    jobs: Optional[int] = None
    agreement: bool = True
    out: str = "study-report"
    quick: bool = False

    def __post_init__(self):
        for name, known in _known_names().items():
            object.__setattr__(self, name, _chosen(name, getattr(self, name), known))
        object.__setattr__(self, "data", _chosen_data(self.data, self.quick))
        object.__setattr__(self, "repeats", _default(self.repeats, 3 if self.quick else 10))
        object.__setattr__(self, "n_samples", _default(self.n_samples, 150 if self.quick else 240))
        object.__setattr__(self, "out", str(self.out))
        check_int("repeats", self.repeats, 2)
        check_int("n_samples", self.n_samples, 40)
        check_int("seed", self.seed, 0)
        _check_jobs(self.jobs)
        if not self.methods:
            raise ValueError(f"methods must name at least one of {', '.join(methods.names())}; got none.")

    def dial(self, name):
        """The values that the dial of that name takes here."""
        return getattr(self, name)

    def load_data(self):
        """The data sets; a .csv file that does not fit is a ValueError here, before any work."""
        return [datasets.open_data(name, self.target) for name in self.data]

    def command(self):
        """The command line that makes the same report."""
        defaults = Settings(quick=self.quick)
        words = ["likewise", "study"]
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name == "jobs" or (value == getattr(defaults, field.name) and field.name != "seed"):
                continue
            words += _option(field.name, value)
        return shlex.join(words)


def from_toml(path, **overrides):
    """Settings from a TOML file with the fields of :class:`Settings` as keys; overrides but None win.

    Raises
    ------
    ValueError : no such file, not TOML, an unknown key, or a value that Settings refuses
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"config must be an existing TOML file; got {str(path)!r}.")
    parser = _toml_parser()
    try:
        given = parser.loads(path.read_text(encoding="utf-8"))
    except (parser.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"config must be a TOML file; {path}: {error}") from None
    known = [field.name for field in dataclasses.fields(Settings)]
    for name in given:
        if name not in known:
            raise ValueError(f"config: a key must be one of {', '.join(known)}; got {name!r} in {path}.")
    return Settings(**{**given, **{name: value for name, value in overrides.items() if value is not None}})


def _toml_parser():
    try:
        import tomllib
    except ModuleNotFoundError:  # Python before 3.11
        try:
            import tomli as tomllib
        except ModuleNotFoundError:
            raise ValueError(
                "config: reading TOML needs Python 3.11 or newer, or the package tomli (pip install tomli); "
                "or give the settings as options."
            ) from None
    return tomllib


def _known_names():
    known = {dial.name: dial.names() for dial in dials.SLOT_DIALS}
    return {"methods": methods.names(), **known}


def _chosen(name, given, known):
    if given is None:
        return tuple(known)
    given = names_given(name, given)
    for value in given:
        if value not in known:
            raise ValueError(f"{name} must be among {', '.join(known)}; got {value!r}.")
    return given


def _chosen_data(given, quick):
    if given is None:
        return QUICK_DATA if quick else datasets.names()
    given = names_given("data", given)
    if not given:
        raise ValueError(f"data must name at least one of {', '.join(datasets.names())}, or a .csv file.")
    for name in given:
        if not datasets.is_file(name):
            datasets.load(name)  # refuses an unknown name
    return given


def _default(value, default):
    return default if value is None else value


def _check_jobs(jobs):
    if jobs is None:
        return
    if not isinstance(jobs, int) or isinstance(jobs, bool):
        raise TypeError(f"jobs must be a positive int or -1 for one a core; got {jobs!r}.")
    if jobs < 1 and jobs != -1:
        raise ValueError(f"jobs must be a positive int or -1 for one a core; got {jobs}.")


def _option(name, value):
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    words = list(value) if isinstance(value, tuple) else [str(value)]
    return [f"--{name.replace('_', '-')}", *words]
