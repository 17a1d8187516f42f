"""How work is run: threads, memory, progress, stopping, the GIL, and functions of the user's inside it."""

import importlib.machinery
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
import types

import every
import interruptible
import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import likewise as lw
from likewise import kernels, metrics
from likewise._execution import current, effective_n_jobs

GAUSSIAN = lw.Mechanism(kernel=kernels.Gaussian(1.0))


def points(n, d=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


# --- settings


def test_settings_hold_inside_the_block_only():
    with lw.execution(n_jobs=2, memory_limit="4GB"):
        assert current() == (2, 4 * 10**9, None)
        with lw.execution(n_jobs=1):
            assert current() == (1, 4 * 10**9, None)
        assert current() == (2, 4 * 10**9, None)
    assert current() == (0, 0, None)


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [
        (1000, 1000),
        ("512", 512),
        ("4GB", 4 * 10**9),
        ("1.5 GiB", 3 * 2**29),
        ("64kb", 64000),
        ("1MiB", 2**20),
    ],
)
def test_memory_limits(text, n_bytes):
    with lw.execution(memory_limit=text):
        assert current()[1] == n_bytes


def test_negative_n_jobs_count_from_all_cores():
    cores = len(os.sched_getaffinity(0))
    with lw.execution(n_jobs=-1):
        assert current()[0] == cores
    with lw.execution(n_jobs=-cores - 5):
        assert current()[0] == 1


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"n_jobs": 2**31}, ValueError, r"n_jobs must be at most 2147483647; got 2147483648\. -1 is all"),
        ({"memory_limit": 10**30}, ValueError, r"memory_limit must be at most 2\*\*63 - 1 bytes; got 1000"),
        ({"memory_limit": "99999999TB"}, ValueError, r"memory_limit must be at most .*; got '99999999TB'"),
        ({"memory_limit": "9" * 400}, ValueError, "memory_limit must be at most .*; got '999"),
        ({"n_jobs": 0}, ValueError, "n_jobs must be .*; got 0"),
        ({"n_jobs": 1.5}, TypeError, r"n_jobs must be an int or None; got 1\.5"),
        ({"memory_limit": "lots"}, ValueError, "memory_limit must be .*'4GB'.*; got 'lots'"),
        ({"memory_limit": "4 parsec"}, ValueError, "memory_limit must be .*; got '4 parsec'"),
        ({"memory_limit": -1}, ValueError, "memory_limit must be .*; got -1"),
        ({"progress": "yes"}, TypeError, "progress must be .*; got 'yes'"),
    ],
)
def test_wrong_settings_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        with lw.execution(**settings):
            pass


def test_omp_num_threads_is_heard(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert effective_n_jobs() == 3
    with lw.execution(n_jobs=2):
        assert effective_n_jobs() == 2


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_one_thread_inside_joblib_workers(backend):
    inside = joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(effective_n_jobs)() for _ in range(2))
    assert inside == [1, 1]


@pytest.mark.parametrize("known", [["joblib"], ["joblib", "joblib.parallel"]])
def test_what_another_thread_is_importing_is_not_imported(known, monkeypatch):
    """Kind: a look at a module that is there by name only; calls failed beside somebody's first import."""
    for name in [name for name in sys.modules if name.split(".")[0] == "joblib"]:
        monkeypatch.delitem(sys.modules, name)
    for name in known:
        half = types.ModuleType(name)
        half.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
        half.__spec__._initializing = True
        monkeypatch.setitem(sys.modules, name, half)
    assert current() == (0, 0, None)
    assert_array_equal(lw.attention(*3 * [np.ones((2, 2))]), np.ones((2, 2)))


def test_results_do_not_depend_on_the_number_of_threads():
    X, V = points(700), points(700, 4, 1)
    results = []
    for n_jobs in (1, 2, 3):
        with lw.execution(n_jobs=n_jobs):
            results.append(GAUSSIAN.operator(X, storage="streamed") @ V)
    assert_array_equal(results[0], results[1])
    assert_array_equal(results[0], results[2])


# --- memory


def test_work_beyond_the_memory_limit_is_refused_before_it_starts():
    X = points(500)
    with lw.execution(memory_limit="1MB"):
        with pytest.raises(
            lw.MemoryLimitError, match=r"500 x 500.* needs 1\.91 MiB, limit 977 KiB.*streamed"
        ):
            GAUSSIAN.operator(X, storage="dense")
        P = GAUSSIAN.operator(X, storage="streamed")
        with pytest.raises(lw.MemoryLimitError, match=r"the matrix itself.*instead or raise memory_limit"):
            P.toarray()
    assert issubclass(lw.MemoryLimitError, MemoryError) and issubclass(lw.MemoryLimitError, ValueError)
    assert P.toarray().shape == (500, 500)


def peak_of(code):
    """Peak memory in bytes of a Python process that runs the code (VmHWM, which a child does not inherit)."""
    report = "\nprint([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code) + report], capture_output=True, text=True, check=True
    )
    return int(done.stdout) * 1024


def test_arrays_pass_without_copies():
    # 96 MB of values in, 3 kB out: a copy of them would show.
    setup = """
        import numpy as np, likewise as lw
        Z = np.zeros((4, 1)); V = np.ones((4, 3_000_000)); X = np.zeros((1, 1))
        P = lw.Mechanism(kernel=lw.kernels.Gaussian(1.0)).operator(Z)
        {}
        """
    passed = peak_of(setup.format("P._core.apply(V[:, :1].copy())"))
    product = peak_of(setup.format("P @ V"))
    assert product - passed < 1.6 * 96e6  # the result alone is 96 MB
    V = points(100, 8)
    for layout in (V, V.astype(np.float32)):
        assert lw._checks.columns(layout, 100, layout.dtype) is layout
        assert lw._checks.points(layout) is layout


def test_streamed_products_need_no_square_memory():
    code = """
        import numpy as np, likewise as lw
        X = np.random.default_rng(0).normal(size=({}, 4)).astype(np.float32)
        P = lw.Mechanism(kernel=lw.kernels.Gaussian(1.0)).operator(X, storage="streamed")
        P @ X
        """
    few, many = peak_of(code.format(100)), peak_of(code.format(12000))  # 12000 x 12000 would be 576 MB
    assert many - few < 60e6


# --- progress


def test_progress_is_told_and_prints_only_when_asked(capfd):
    told = []
    X = points(30000, 8)
    with lw.execution(progress=lambda fraction, what: told.append((fraction, what)), n_jobs=1):
        P = GAUSSIAN.operator(X, storage="streamed")
        assert told == [(1, "done")]  # so little work that no part of it was told
        told.clear()
        P @ X
    assert told and all(0 <= fraction <= 1 for fraction, _ in told)
    assert {what for _, what in told} == {"propagating"}
    assert sorted(told) == told
    assert [fraction for fraction, _ in told].count(1) == 1 and told[-1][0] == 1
    GAUSSIAN.operator(X, storage="streamed") @ X[:, :1]
    assert capfd.readouterr() == ("", "")
    with lw.execution(progress=True):
        GAUSSIAN.operator(X, storage="streamed") @ X
    out, err = capfd.readouterr()
    assert out == "" and "propagating" in err and "done" not in err


def test_an_exception_in_the_progress_callback_stops_the_work():
    def tell(fraction, what):
        raise LookupError("enough")

    X = points(20000, 8)
    start = time.monotonic()
    with pytest.raises(LookupError, match="enough"), lw.execution(progress=tell):
        GAUSSIAN.operator(X, storage="streamed") @ X
    assert time.monotonic() - start < 10


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", every.EVERY)
def test_progress_of_an_estimator_ends_once_at_1(name):
    """Kind: work made of several calls, of which the first ended the caller's progress, or none did."""
    told = []
    with lw.execution(progress=lambda fraction, what: told.append(fraction)):
        model = every.fitted(name)
        ends = [told.count(1)]
        assert told[-1] == 1
        for method in ("predict_proba", "predict", "transform", "score_samples", "kneighbors"):
            if hasattr(model, method):
                told.clear()
                getattr(model, method)(every.NEW)
                assert not told or told[-1] == 1, method
                ends.append(told.count(1) if told else 1)  # MetricLearner.transform is NumPy's own product
    assert set(ends) == {1}


@pytest.mark.parametrize("weights", ["uniform", lambda d: 1 / (1 + d)], ids=["uniform", "function"])
@pytest.mark.parametrize("kind", ["Regressor", "Classifier"])
@pytest.mark.parametrize("family", ["KNeighbors", "RadiusNeighbors"])
def test_progress_of_votes_ends_when_they_are_counted(family, kind, weights):
    """Kind: a search ended the progress, and what is done with its rows came after the end, or had none."""
    told = []
    X = points(20000, 2)
    given = {"weights": weights, **({"radius": 0.1} if family == "RadiusNeighbors" else {})}
    model = getattr(lw, family + kind)(**given).fit(X, np.arange(20000) % 200)
    with lw.execution(progress=lambda fraction, what: told.append(fraction)):
        model.predict(X)
    assert told[-1] == 1
    assert told.count(1) == 1


def test_a_silent_estimator_does_not_silence_its_caller():
    """Kind: a default of False that switches off what was asked for outside."""
    told = []
    with lw.execution(progress=lambda fraction, what: told.append(what)):
        lw.AttentionRegressor(max_epochs=1, early_stopping=False).fit(points(40), points(40)[:, 0])
    assert "training" in told


def test_an_exception_at_the_end_of_the_progress_is_raised():
    """Kind: an exception of a callback that was kept for a question nobody asks after the end."""

    def tell(fraction, what):
        if fraction == 1:
            raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"), lw.execution(progress=tell):
        GAUSSIAN.operator(points(9)) @ points(9)
    with pytest.raises(LookupError, match="enough"), lw.execution(progress=tell):
        lw.kneighbors(points(9), n_neighbors=2)


# --- stopping

LONG_WORK = {
    "one product": "P = m.operator(np.ones((100_000, 8))); ready(); P @ np.ones((100_000, 90))",
    "many small products": """
m = lw.Mechanism(metric="euclidean", kernel=lw.kernels.Indicator(1.0))
P = m.operator(np.arange(3000.0)[:, None], storage="sparse"); ready(); P.power(10**9, np.arange(3000.0))""",
    "neighbors": "ready(); lw.kneighbors(rng.normal(size=(100_000, 40)), metric='l1')",
    "a function in Python": """
m = m.replace(metric=lw.metrics.Custom(slow, distance_power=1))
P = m.operator(np.ones((4000, 2)), storage='streamed'); ready(); P @ np.ones(4000)""",
}


@pytest.mark.parametrize("work", LONG_WORK)
def test_ctrl_c_stops_within_a_second(work):
    code = f"""
import time
import numpy as np
import likewise as lw
m = lw.Mechanism(kernel=lw.kernels.Gaussian(1.0))
rng = np.random.default_rng(0)
def slow(X, Z):
    time.sleep(0.02)
    return np.ones((len(X), len(Z)))
def ready():
    print("ready", flush=True)
try:
    {LONG_WORK[work].strip().replace(chr(10), chr(10) + "    ")}
except KeyboardInterrupt:
    print("stopped", flush=True)
"""
    child = interruptible.popen("-c", code, stdout=subprocess.PIPE, text=True)
    watchdog = threading.Timer(60, child.kill)
    watchdog.start()
    try:
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.7)
        assert child.poll() is None, "the work was over before it could be stopped"
        child.send_signal(signal.SIGINT)
        start = time.monotonic()
        assert child.stdout.readline() == "stopped\n"
        assert time.monotonic() - start < 1
    finally:
        watchdog.cancel()
        child.kill()
        child.communicate()


ALARM = """
import signal
import numpy as np
import likewise as lw
def handler(signum, frame):
    raise TimeoutError("time is up")
signal.signal(signal.SIGALRM, handler)
P = lw.Mechanism(kernel=lw.kernels.Gaussian(1.0)).operator(np.ones((300_000, 8)), storage="streamed")
signal.setitimer(signal.ITIMER_REAL, 0.3)
try:
    P @ np.ones((300_000, 8))
except TimeoutError as raised:
    print(raised)
"""


def test_a_signal_handler_may_raise_its_own_exception():
    """In a child: the alarm clock of this process belongs to the time limit of tests."""
    child = interruptible.popen("-c", ALARM, stdout=subprocess.PIPE, text=True)
    try:
        assert child.communicate(timeout=60)[0] == "time is up\n"
    finally:
        child.kill()


# --- the GIL


def test_other_python_threads_run_meanwhile():
    X = points(30000, 16)
    P = GAUSSIAN.operator(X, storage="streamed")
    ticks = []
    finished = threading.Event()

    def tick():
        while not finished.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.005)

    ticker = threading.Thread(target=tick)
    ticker.start()
    start = time.monotonic()
    with lw.execution(n_jobs=1):
        P @ X
    end = time.monotonic()
    finished.set()
    ticker.join()
    during = [start, *(t for t in ticks if start < t < end), end]
    assert end - start > 0.2
    assert max(np.diff(during)) < 0.5 * (end - start)


def test_operators_are_shared_by_threads():
    X = points(300)
    P = GAUSSIAN.replace(metric=metrics.Custom(manhattan, distance_power=1)).operator(X, storage="streamed")
    want = P.toarray()
    results = [None] * 4

    def work(i):
        P.log_row_sums  # noqa: B018 (computed by whoever comes first)
        results[i] = P @ X

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        assert_allclose(result, want @ X, rtol=1e-10)


# --- functions of the user's


def manhattan(X, Z):
    return np.abs(X[:, None] - Z[None]).sum(-1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_function_on_blocks_is_a_metric(dtype):
    X = points(300).astype(dtype)
    custom = metrics.Custom(
        manhattan,
        symmetric=True,
        zero_on_self=True,
        triangle_inequality=True,
        shift_invariant=True,
        distance_power=1,
    )
    want = GAUSSIAN.replace(metric="manhattan").operator(X) @ X
    got = GAUSSIAN.replace(metric=custom).operator(X) @ X
    assert got.dtype == dtype
    assert_allclose(got, want, rtol=1e-5 if dtype is np.float32 else 1e-12)
    for a, b in zip(
        lw.kneighbors(X, n_neighbors=4, metric=custom), lw.kneighbors(X, n_neighbors=4, metric="manhattan")
    ):
        assert_allclose(a, b, rtol=1e-6)


def test_it_is_called_once_a_tile_and_never_once_a_pair():
    calls = []

    def counted(X, Z):
        assert X.dtype == Z.dtype == np.float64 and X.shape[1] == Z.shape[1] == 3
        calls.append(len(X) * len(Z))
        return manhattan(X, Z)

    X = points(300)
    m = GAUSSIAN.replace(metric=metrics.Custom(counted, distance_power=1))
    m.operator(X, storage="streamed") @ X
    assert sum(calls) == 300 * 300
    assert len(calls) <= 16


def test_an_exception_keeps_its_type_on_its_way_out():
    class Mine(Exception):
        pass

    def broken(X, Z):
        raise Mine("from inside")

    for n_jobs in (1, 2):
        with lw.execution(n_jobs=n_jobs), pytest.raises(Mine, match="from inside") as raised:
            GAUSSIAN.replace(metric=metrics.Custom(broken, distance_power=1)).operator(points(500))
        assert any(entry.name == "broken" for entry in raised.traceback)


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (
            lambda X, Z: np.ones(len(Z)),
            ValueError,
            r"metric must return costs of shape \(50, 50\).*got shape \(50,\)",
        ),
        (lambda X, Z: np.ones((len(X), 1)), ValueError, r"metric must return costs .*got shape \(50, 1\)"),
        (lambda X, Z: 1.0, ValueError, r"metric must return costs .*got shape \(\)"),
        (lambda X, Z: np.full((len(X), len(Z)), np.nan), ValueError, "metric must be .*no NaN"),
        (
            lambda X, Z: "text",
            ValueError,
            "metric must be a function that returns an array of costs; got 'text'",
        ),
        (lambda X: X, TypeError, "positional argument"),
    ],
)
def test_a_function_of_the_wrong_kind_is_named(function, error, message):
    with pytest.raises(error, match=message):
        GAUSSIAN.replace(metric=metrics.Custom(function, distance_power=1)).operator(points(50))


def test_a_bare_function_declares_no_law():
    with pytest.raises(ValueError, match=r"Custom.*distance|distance.*Custom"):
        GAUSSIAN.replace(metric=manhattan).operator(points(5))
    m = lw.Mechanism(metric=manhattan, kernel=kernels.Exponential(2.0))
    want = lw.Mechanism(metric="manhattan", kernel=kernels.Laplacian(2.0)).operator(points(50)).toarray()
    assert_allclose(m.operator(points(50)).toarray(), want, rtol=1e-12)


def test_custom_metrics_pickle_with_their_function():
    m = GAUSSIAN.replace(metric=metrics.Custom(manhattan, distance_power=1))
    assert pickle.loads(pickle.dumps(m)) == m
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(metrics.Custom(lambda X, Z: X @ Z.T))


# --- everything that takes long asks whether it should stop


def layer_pass(name, direction):
    layer, tokens = getattr(lw.nn, name)(32, 2, random_state=0), points(7000, 32)[None].astype(np.float32)
    if direction == "forward":
        return lambda: layer.forward(tokens)
    grad = layer.forward(tokens)
    return lambda: layer.backward(grad)


def attend(attention, heads):
    q = points(9000 * heads, 16).reshape(heads, 9000, 16).astype(np.float32)
    return lambda: attention(q, q, q)


def hopfield(method):
    memory = lw.HopfieldMemory(metric="sqeuclidean", temperature=1.0).fit(points(9000, 16))
    return lambda: getattr(memory, method)(points(9000, 16, 1))


def densities():
    model = lw.KernelDensity(bandwidth=1.0).fit(points(12000, 4))
    return lambda: model.score_samples(points(12000, 4, 1))


def scalings(which):
    P = lw.Mechanism(kernel=kernels.Gaussian(1.0)).operator(points(12000, 16))
    return lambda: getattr(P, which)


def mean_shift():
    X = points(2500)
    return lambda: lw.MeanShift(bandwidth=1.5, kernel="gaussian", max_iter=8).fit(X)


def clustering():
    X = points(900)
    A = np.exp(-np.square(X[:, None] - X[None]).sum(-1))
    return lambda: lw.SpectralClustering(9, n_init=30, random_state=0, affinity="precomputed").fit(A)


LONG_CALLS = {
    "attention": lambda: attend(lw.attention, 1),
    "l2_attention": lambda: attend(lw.l2_attention, 1),
    "attention of two heads": lambda: attend(lw.attention, 2),
    **{
        f"{direction} of {name}": lambda name=name, direction=direction: layer_pass(name, direction)
        for name in ("SelfAttention", "L2Attention")
        for direction in ("forward", "backward")
    },
    "densities": densities,
    "row sums": lambda: scalings("log_row_sums"),
    "left scaling": lambda: scalings("log_left"),
    "mean shift": mean_shift,
    "retrieving": lambda: hopfield("transform"),
    "energies": lambda: hopfield("energy"),
    "clustering": clustering,
}


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("name", LONG_CALLS)
def test_long_work_asks_for_signals_all_the_time(name, n_jobs):
    """Kind: parts of a call (heads, rows that are summed when they are asked for) that lose the way back to
    who called: Ctrl-C waited for the end. Signals are heard where Python is asked, so the handler of a timer
    (of work done, whatever else the machine does) tells when that was."""
    call, asked = LONG_CALLS[name](), []
    old = signal.signal(signal.SIGPROF, lambda *_: asked.append(time.process_time()))
    signal.setitimer(signal.ITIMER_PROF, 0.02, 0.02)
    try:
        with lw.execution(n_jobs=n_jobs):
            start = time.process_time()
            call()
            end = time.process_time()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, old)
    gaps = np.diff([start, *asked, end])
    assert gaps.max() < max(0.4 * (end - start), 0.3), f"{gaps.max():.2f} s of {end - start:.2f} s"


# --- the end of the interpreter

DAEMONS = """
import threading, time
import numpy as np
import likewise as lw

X = np.random.default_rng(0).normal(size=(1500, 8))
own = lw.metrics.Custom(lambda A, B: ((A[:, None] - B[None]) ** 2).sum(-1), distance_power=2)
gaussian = lw.Mechanism(kernel=lw.kernels.Gaussian(0.5))

def watched():
    with lw.execution(progress=lambda fraction, what: None):
        gaussian.operator(X) @ X

CALLS = [
    lambda: lw.kneighbors(X),
    lambda: lw.attention(X, X, X),
    lambda: gaussian.operator(X) @ X,
    lambda: gaussian.replace(metric=own).operator(X[:300]) @ X[:300],
    lambda: lw.AttentionClassifier(n_tokens=4, max_epochs=20).fit(X[:99], X[:99, 0] > 0),
    lambda: lw.SpectralClustering(3).fit(X[:300]),
    watched,
]

def forever(call):
    while True:
        call()

for call in CALLS[%d::3]:
    threading.Thread(target=forever, args=(call,), daemon=True).start()
time.sleep(%f)
"""


@pytest.mark.parametrize("seconds", [0.1, 0.4])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_daemon_threads_end_with_the_process(which, seconds):
    """Kind: a stack that cannot be unwound; Python ended the thread by unwinding it (cpython 143232)."""
    command, env = [sys.executable, "-c", DAEMONS % (which, seconds)], {**os.environ, "OMP_NUM_THREADS": "2"}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, env=env)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_objects_that_outlive_their_module_compute_to_the_end():
    """The thread that ends the interpreter still has the GIL; threads that it starts do not get it."""
    code = """
import numpy as np, likewise as lw
own = lw.metrics.Custom(lambda A, B: np.abs(A[:, None] - B[None]).sum(-1), distance_power=1)
class Last:
    def __init__(self):
        self.X, self.mine = np.random.default_rng(0).normal(size=(900, 3)), self
        self.P = lw.Mechanism(metric=own, kernel=lw.kernels.Laplacian(1.0)).operator(self.X)
    def __del__(self):
        try:
            print((self.P @ self.X).shape)
        except Exception as error:
            print(type(error).__name__)
lw.last = Last()
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
