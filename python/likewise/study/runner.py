"""Runs the tasks: in this process or in workers, with a progress bar, until done or Ctrl-C."""

import concurrent.futures
import contextlib
import multiprocessing
import signal
import threading

from likewise._execution import n_cores
from likewise.study.cells import crashed, run_task


def n_workers(jobs):
    """Processes for `jobs`: -1 is one a core, None is one."""
    if jobs != -1:
        return jobs or 1
    return n_cores()


def run_tasks(tasks, jobs, records, bar):
    """Run every task and extend `records` with what each leaves behind; advances `bar` by its cells.

    Ctrl-C raises KeyboardInterrupt at once, with `records` holding every finished task.
    """
    workers = min(n_workers(jobs), max(1, len(tasks)))
    for task, found in (
        in_this_process(run_task, tasks) if workers == 1 else in_workers(run_task, tasks, workers)
    ):
        records.extend(crashed(task, "the worker process died") if found is None else found)
        bar.update(len(task.cells))


def in_this_process(work, tasks):
    """Yields (task, work(task)) in order."""
    for task in tasks:
        yield task, work(task)


def in_workers(work, tasks, n):
    """Yields (task, work(task)) from n processes as they finish, (task, None) where the process died.

    A worker that dies takes its pool along: what that left undone is run again, one task at a time.
    """
    waiting = dict.fromkeys(tasks)
    for task, found in _one_pool(work, tasks, n):
        del waiting[task]
        yield task, found
    for task in waiting:
        yield next(_one_pool(work, [task], 1), (task, None))


def _one_pool(work, tasks, n):
    """Yields (task, work(task)) as they finish; ends early where a worker dies."""
    # spawn: a forked child of a process that has used OpenMP may hang.
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    pool = concurrent.futures.ProcessPoolExecutor(n, mp_context=context, initializer=_one_thread)
    try:
        with _workers_ignore_ctrl_c():
            futures = {pool.submit(work, task): task for task in tasks}
        for future in concurrent.futures.as_completed(futures):
            try:
                found = future.result()
            except concurrent.futures.process.BrokenProcessPool:
                return
            yield futures[future], found
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - others:
            process.kill()


def _one_thread():
    """Workers share the cores, so each uses one thread, in BLAS too."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)


@contextlib.contextmanager
def _workers_ignore_ctrl_c():
    """Processes started inside ignore Ctrl-C, which a terminal sends to all: the parent stops them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
