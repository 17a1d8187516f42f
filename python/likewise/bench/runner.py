"""Runs the workloads in child processes, one for each (workload, threads), and turns answers into records."""

import concurrent.futures

from likewise._execution import n_cores
from likewise._experiments.memory import available_bytes
from likewise._experiments.page import installed_version
from likewise.bench import child, goals
from likewise.bench.measure import FAILED, OK
from likewise.bench.results import RECORD, beyond, checked, median_with_interval
from likewise.bench.workload import spaced

TIMEOUT = 1500  # seconds for one child
MEMORY_SHARE = 0.5  # of what is available: a growing contender stops before it


def jobs_of(settings):
    """(workloads that share a process, threads), in the order in which they run.

    With --quick a whole group does, which saves the imports.
    """
    jobs = {}
    for workload in settings.workloads():
        shared = workload.process or (settings.quick and not workload.sizes and workload.group)
        for threads in settings.threads[-1:] if workload.sizes else settings.threads:
            jobs.setdefault((shared or workload.name, threads), []).append(workload)
    return [(tuple(together), threads) for (_, threads), together in jobs.items()]


def weight(job):
    """Seconds that it takes, roughly."""
    return sum(workload.seconds for workload in job[0])


def run_job(job, settings, found, advance):
    """Measure one job; `found` gains its records. advance(fraction) is called with what is done of it."""
    together, threads = job
    if together[0].sizes:
        return _grow(together[0], threads, settings, found, advance)
    records = _times(together, threads, settings, found, advance=lambda fraction: advance(0.8 * fraction))
    if settings.memory and threads == settings.threads[-1]:
        _peaks(together, records, threads, settings)
    found.records.extend(map(checked, records))
    advance(1.0)


def _times(together, threads, settings, found, *, size=None, only=None, rounds=None, advance):
    """The records of these workloads, in order of workloads and contenders."""
    task = {
        "workloads": [workload.name for workload in together],
        "size": size,
        "quick": settings.quick,
        "rounds": rounds or settings.rounds,
        "budget": settings.budget,
        "only": only,
    }
    answers, problem = {}, "not reached"
    process = child.start("times", threads, **task)
    try:
        for answer in process.answers(TIMEOUT):
            if "progress" in answer:
                advance(answer["progress"])
            else:
                answers[answer["workload"]] = answer["found"]
                found.blas.extend(blas for blas in answer["blas"] if blas not in found.blas)
    except (RuntimeError, TimeoutError) as error:
        problem = str(error)
    finally:
        process.kill()
    records = []
    for workload in together:
        entries = answers.get(workload.name) or _all_failed(workload, problem, only)
        records += _records(workload, workload.size_of(settings.quick, size), threads, entries, settings)
    return records


def _all_failed(workload, problem, only):
    names = [contender.name for contender in workload.contenders if only is None or contender.name in only]
    return [{"contender": name, "status": FAILED, "message": problem} for name in names]


def _records(workload, size, threads, entries, settings):
    times = {entry["contender"]: entry.get("times") for entry in entries}
    return [_record(workload, size, threads, entry, times, settings) for entry in entries]


def _record(workload, size, threads, entry, times, settings):
    contender = workload.contender(entry["contender"])
    record = dict.fromkeys(RECORD)
    record |= {key: size.get(key) for key in ("n", "d", "c", "k", "heads")}
    record |= {
        "workload": workload.name,
        "group": workload.group,
        "title": workload.title + _other_size(workload, size),
        "contender": contender.name,
        "package": contender.peer.distribution,
        "version": installed_version(contender.peer.distribution) or _own_version(contender),
        "note": contender.note,
        "ours": contender.is_ours,
        "against": contender.against,
        "size": size,
        "dtype": contender.dtype or workload.dtype,
        "threads": threads,
        "compared": workload.compared,
        "verdict": "",
        "memory_verdict": "",
        "detail": "",
    }
    record |= {key: value for key, value in entry.items() if key != "contender"}
    if record["status"] == OK:
        _add_ratio(record, workload, contender, size, times)
        _judge(record, workload, settings)
    return record


def _other_size(workload, size):
    """Titles name the full size; with --quick, say what was run."""
    same = workload.sizes or size.get("n") == workload.size.get("n")
    return "" if same else f" (here n = {spaced(size['n'])})"


def _own_version(contender):
    """Ours where it runs from the build tree, without an installed distribution."""
    import likewise

    return likewise.__version__ if contender.is_ours else None


def _add_ratio(record, workload, contender, size, times):
    """Peer time / our time, round by round; for a yardstick our flops a second / its own."""
    ours = times[contender.against]
    factor = workload.flops(size) / contender.flops(size) if contender.flops else 1.0
    ratios = [factor * theirs / own for theirs, own in zip(times[contender.name], ours)]
    middle = median_with_interval(times[contender.name])
    record |= dict(zip(("seconds", "seconds_low", "seconds_high"), middle))
    record |= dict(zip(("ratio", "ratio_low", "ratio_high"), median_with_interval(ratios)))
    record["rounds"] = len(ratios)
    record["fraction_of_a"] = record["ratio"] if contender.flops else None


def _judge(record, workload, settings):
    goal = None if settings.quick or workload.sizes else goals.goal_of(workload, record["contender"])
    if goal is not None and record["threads"] == goals.THREADS:
        record |= {"goal": goal.goal, "stretch": goal.stretch, "verdict": goal.verdict(record["ratio"])}


def _peaks(together, records, threads, settings, *, size=None, only=None):
    """Adds peak memory to the records that were timed; children run side by side, since nothing is timed."""
    timed = [record for record in records if record["status"] == OK]
    timed = [record for record in timed if only is None or record["contender"] in only]
    workloads = {workload.name: workload for workload in together}
    if settings.quick:  # what the goals are about
        timed = [record for record in timed if record["ours"] and workloads[record["workload"]].streamed]
    started = []

    def measure(record):
        workload = workloads[record["workload"]]
        if workload.contender(record["contender"]).flops:
            return
        task = {"workload": workload.name, "size": size, "quick": settings.quick}
        process = child.start("peak", threads, contender=record["contender"], **task)
        started.append(process)
        try:
            record |= next(process.answers(TIMEOUT))
        except (RuntimeError, TimeoutError) as error:
            record["message"] = f"peak memory: {error}"
            return
        if workload.streamed and record["ours"] and record["peak_bytes"] is not None and not settings.quick:
            record["memory_verdict"] = goals.memory_verdict(beyond(record))

    with concurrent.futures.ThreadPoolExecutor(n_cores()) as pool:
        try:
            list(pool.map(measure, timed))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in started:
                process.kill()
            raise


def _grow(workload, threads, settings, found, advance):
    """Measure n after n; a contender stops where the next n would take too long or too much memory."""
    sizes = workload.quick_sizes if settings.quick else workload.sizes
    running = [contender.name for contender in workload.contenders]
    for done, n in enumerate(sizes):
        records = _times(
            (workload,),
            threads,
            settings,
            found,
            size={"n": n},
            only=running,
            rounds=3,
            advance=lambda fraction, done=done: advance((done + 0.5 * fraction) / len(sizes)),
        )
        if settings.memory and not settings.quick:
            _peaks((workload,), records, threads, settings, size={"n": n})
        found.growth.extend(map(checked, records))
        advance((done + 1) / len(sizes))
        following = sizes[done + 1] if done + 1 < len(sizes) else None
        running = _go_on(workload, records, following, settings, found)
        if not running:
            break
    advance(1.0)


def _go_on(workload, records, following, settings, found):
    """The contenders that may try the next n; why the others may not joins found.stops.

    A peer ends with ours: there is nothing left that its answer could be compared with.
    """
    still = []
    for record in records:
        reason = _why_stop(record, following, settings)
        if reason:
            keys = ("workload", "contender", "threads", "n")
            found.stops.append({**{key: record[key] for key in keys}, "reason": reason})
        else:
            still.append(record["contender"])
    return [name for name in still if workload.contender(name).against in still]


def _why_stop(record, following, settings):
    if record["status"] != OK:
        return f"{record['status']}: {record['message']}"
    if following is None:
        return ""
    growth = (following / record["n"]) ** 2
    seconds = record["seconds"] * growth
    if seconds > settings.longest_call:
        allowed = f"{settings.longest_call:.0f} s are allowed"
        return f"n = {following} would take about {seconds:.0f} s a call; {allowed}"
    peak, available = (record["peak_bytes"] or 0) * growth, available_bytes()
    if (
        available
        and record["peak_bytes"]
        and record["peak_bytes"] > 2**26
        and peak > MEMORY_SHARE * available
    ):
        return (
            f"n = {following} would take about {peak / 2**30:.0f} GiB; {available / 2**30:.0f} are available"
        )
    return ""
