"""likewise beside its best peer on shapes that nobody chose: drawn by a seed from wide distributions.

    likewise.bench.shapes.run(seed=7, count=300, out="bench-report")

draws as many shapes of each kind, compares answers, times both, and writes shapes-7.json, .md and .png. The
command line is ``likewise bench --random 7 --count 300``.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from likewise._execution import n_cores
from likewise._experiments import page
from likewise._experiments.bars import progress_bar
from likewise._experiments.checks import check_int, output_folder
from likewise.bench import child, machine, peers
from likewise.bench.measure import FAILED, OK
from likewise.bench.shapes import report
from likewise.bench.shapes.kinds import KINDS

__all__ = ["Found", "draw_shapes", "run"]

ROUNDS, BUDGET = 5, 4.0
AGAIN, ROUNDS_AGAIN, BUDGET_AGAIN = 0.9, 15, 20.0  # what is slower than that is timed again
TOGETHER = 8  # shapes of one process: enough to share its imports, few enough to lose by a crash
SECONDS_A_SHAPE = 240  # then its process is given up
WORST = 10  # are profiled


@dataclass
class Found:
    """What a run found.

    Attributes
    ----------
    rows : list of dicts: kind, shape, threads, status, message, ours (seconds), peers {name: seconds},
        peer (the fastest), ratio (its seconds / ours), again (whether timed twice), profile
    """

    seed: int
    count: int
    rows: list = field(default_factory=list)
    machine: dict = field(default_factory=dict)
    versions: dict = field(default_factory=dict)
    date: str = ""
    interrupted: bool = False


def run(seed, count=300, *, only=None, threads=None, out="bench-report", progress=False):
    """Draw, compare and time shapes; write the report.

    Parameters
    ----------
    seed : int
    count : int; as many of each kind, the remainder left out
    only : names of kinds, or None for all
    threads : ints that a shape draws one of, or None for 1 and 2 as far as there are cores
    out : folder
    progress : bool

    Returns
    -------
    Found

    Notes
    -----
    A ratio is the best time of the fastest peer whose answer agrees / our best time, of interleaved rounds.
    Below 0.9 it is timed again, 15 rounds in a process of its own. Where no peer has our answer there is no
    ratio, and the report says so. Ctrl-C keeps what was done. About ten seconds a shape.
    """
    check_int("seed", seed, 0)
    check_int("count", count, 1)
    folder = output_folder(out)
    found = Found(seed, count, machine=machine.describe(), date=page.today())
    found.versions = page.versions([peer.distribution for peer in peers.ALL])
    try:
        _measure(draw_shapes(seed, count, only, threads), found, folder, progress)
    except KeyboardInterrupt:
        found.interrupted = True
    write(found, folder)
    return found


def draw_shapes(seed, count, only=None, threads=None):
    """[{"kind", "shape", "threads"}]: count // kinds shapes of each kind, the same for the same arguments.

    A kind's shapes are its own sequence: they do not depend on which other kinds are drawn.
    """
    kinds = list(KINDS) if only is None else list(only)
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"only must be among {', '.join(KINDS)}; got {kind!r}.")
    threads = tuple(threads or (n for n in (1, 2) if n <= n_cores()))
    drawn = []
    for kind in kinds:
        rng = np.random.default_rng([seed, list(KINDS).index(kind)])
        for _ in range(max(1, count // len(kinds))):
            shape = KINDS[kind].draw(rng)
            drawn.append({"kind": kind, "shape": shape, "threads": int(rng.choice(threads))})
    return drawn


def write(found, folder):
    """shapes-SEED.json, and the report of it as Markdown with its figure."""
    _keep(found, folder)
    report.write(found, Path(folder), f"shapes-{found.seed}")


def _keep(found, folder):
    text = json.dumps(asdict(found), indent=1)
    (Path(folder) / f"shapes-{found.seed}.json").write_text(text, encoding="utf-8")


def _measure(drawn, found, folder, progress):
    with progress_bar(len(drawn), "shapes", progress) as bar:
        for job in _jobs(drawn):
            bar.set_description(f"{job[0]['kind']}, {job[0]['threads']} thread(s)")
            for row in _timed(job, ROUNDS, BUDGET):
                found.rows.append(row)
                bar.update()
            _keep(found, folder)  # whatever happens to the hour that follows
        for row in [row for row in found.rows if row["ratio"] is not None and row["ratio"] < AGAIN]:
            bar.set_description(f"again: {row['kind']}, ratio {row['ratio']:.2f}")
            row.update(next(_timed([row], ROUNDS_AGAIN, BUDGET_AGAIN)), again=True)
        for row in report.worst(found.rows, WORST):
            bar.set_description(f"profile: {row['kind']}")
            row["profile"] = _profile(row)


def _jobs(drawn):
    """Shapes of one kind and number of threads share a process, a few at a time."""
    together = {}
    for row in drawn:
        together.setdefault((row["kind"], row["threads"]), []).append(row)
    for rows in together.values():
        yield from (rows[i : i + TOGETHER] for i in range(0, len(rows), TOGETHER))


def _timed(rows, rounds, budget):
    """Yields a finished row for each; where the process dies, the shape in it failed and the rest go on."""
    left = list(rows)
    while left:
        names = [[row["kind"], row["shape"]] for row in left]
        process = child.start("shapes", left[0]["threads"], shapes=names, rounds=rounds, budget=budget)
        problem = "the process ended"
        try:
            for answer in process.answers(SECONDS_A_SHAPE * len(left)):
                yield _row(left.pop(0), answer["found"])
        except (RuntimeError, TimeoutError) as error:
            problem = str(error)
        finally:
            process.kill()
        if left:
            yield _row(left.pop(0), [{"contender": "likewise", "status": FAILED, "message": problem}])


def _row(row, entries):
    """The drawn shape with what was found of it."""
    timed = {entry["contender"]: min(entry["times"]) for entry in entries if entry["status"] == OK}
    ours = timed.pop("likewise", None)
    peer = min(timed, key=timed.get, default=None)
    told = [f"{e['contender']}: {e['status']} {e['message']}" for e in entries if e["status"] != OK]
    return {
        **{key: row[key] for key in ("kind", "shape", "threads")},
        "status": OK if ours is not None and peer else "no answer in common" if ours else FAILED,
        "message": "; ".join(told),
        "ours": ours,
        "peers": timed,
        "peer": peer,
        "ratio": timed[peer] / ours if ours is not None and peer else None,
        "again": False,
        "profile": row.get("profile", ""),
    }


def _profile(row):
    """Where our time goes, in lines of text."""
    process = child.start("profile", row["threads"], shapes=[[row["kind"], row["shape"]]])
    try:
        return next(process.answers(SECONDS_A_SHAPE))["profile"]
    except (RuntimeError, TimeoutError) as error:
        return str(error)
    finally:
        process.kill()
