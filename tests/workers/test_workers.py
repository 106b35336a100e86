"""A map over workers outlives them: dead, hung or lying, in any engine that is installed."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad.errors import InvalidInput, MissingExtra, WorkerFailure
from npgrad.workers import Given, Workers, mapping, open_workers, split
from npgrad.workers.engines import Dask
from npgrad.workers.lanes import Lanes
from tests.workers import units


@pytest.fixture(scope="module")
def processes():
    with open_workers("processes", 2, time_limit=60) as workers:
        yield workers


def test_results_come_in_the_order_of_the_units(processes):
    seen = []
    assert processes.map(units.square, range(9), done=lambda i, r: seen.append((i, r))) == [i * i for i in range(9)]
    assert sorted(seen) == [(i, i * i) for i in range(9)]
    assert processes.map(units.square, []) == []


def test_bytes_are_counted(processes):
    before = processes.sent, processes.received
    processes.map(units.square, [3])
    small = processes.sent - before[0]
    processes.map(len, ["x" * 10_000])
    assert 20 < small < 200
    assert 10_000 < processes.sent - before[0] - small < 10_200
    assert 20 < processes.received - before[1] < 200


def test_a_dead_worker_is_replaced(processes, tmp_path):
    pairs = [(tmp_path / "died", x) for x in range(6)]
    assert processes.map(units.die, pairs) == list(range(6))
    assert processes.lost > 0


def test_calls_meet_the_worker_of_the_last_map_again(processes):
    first = processes.map(units.pid, range(2))
    assert len(set(first)) == 2
    for _ in range(3):
        assert processes.map(units.pid, range(2)) == first


def test_who_dies_takes_no_other_along(processes, tmp_path):
    first = processes.map(units.pid, range(2))
    before = processes.lost
    assert processes.map(units.die, [(tmp_path / "died", 3), (tmp_path / "died", 1)]) == [3, 1]
    assert processes.lost == before + 1
    second = processes.map(units.pid, range(2))
    assert second[0] != first[0]
    assert second[1] == first[1]


class Forgetful(Executor):
    """A pool that breaks and never says so, as CPython's may when a process dies while a call is handed in."""

    _broken = "a process died"

    def submit(self, fn, /, *args):
        return Future()


@pytest.mark.parametrize("n", [1, 2])
def test_a_pool_that_breaks_in_silence_is_replaced(n, monkeypatch):
    monkeypatch.setattr(mapping, "LOOK_EVERY", 0.02)
    pools = [Forgetful() for _ in range(n)] + [ThreadPoolExecutor(1) for _ in range(n)]
    with Workers(Given(Lanes(n, lambda: pools.pop(0)), n), time_limit=None) as workers:
        assert workers.map(units.square, range(5)) == [i * i for i in range(5)]
        assert workers.lost == n
        workers._executor.shutdown()


class Guarded(Executor):
    """A pool that breaks, and is forgotten, under one lock, as CPython's since 3.12: not both at a time."""

    stuck = 0

    def __init__(self):
        self.lock = threading.Lock()
        weakref.finalize(self, self.forgotten, self.lock)

    @classmethod
    def forgotten(cls, lock):
        if lock.acquire(timeout=1):
            lock.release()
        else:
            cls.stuck += 1

    @staticmethod
    def breaks(future, lock):
        with lock:
            future.set_exception(BrokenExecutor("a process died"))

    def submit(self, fn, /, *args):
        future = Future()
        threading.Timer(0.05, self.breaks, (future, self.lock)).start()
        return future


def test_a_pool_is_not_forgotten_while_it_breaks():
    n = 2
    pools = [Guarded() for _ in range(n)] + [ThreadPoolExecutor(1) for _ in range(n)]
    with Workers(Given(Lanes(n, lambda: pools.pop(0)), n), time_limit=None) as workers:
        assert workers.map(units.square, range(5)) == [i * i for i in range(5)]
        workers._executor.shutdown()
    assert Guarded.stuck == 0


@pytest.mark.parametrize("n", [1, 3])
def test_lanes_are_killed_one_after_another_while_calls_come_in(n):
    """While units are handed in and answered: no call is forgotten, no answer is another one."""
    with open_workers("processes", n, time_limit=60) as workers:
        over = threading.Event()
        workers.map(units.square, range(n))

        def murder():
            while not over.wait(0.15):
                for process in workers._executor.processes[-1:]:
                    process.kill()

        murderer = threading.Thread(target=murder)
        murderer.start()
        try:
            for k in range(60):
                with suppress(WorkerFailure):  # killed three times before it could do anything
                    assert workers.map(units.square, range(k, k + 5)) == [i * i for i in range(k, k + 5)]
        finally:
            over.set()
            murderer.join()
        assert workers.map(units.square, range(5)) == [i * i for i in range(5)]


def test_workers_that_die_every_time_are_given_up(processes):
    with pytest.raises(WorkerFailure, match=r"2 of 2 units could not be computed in 3 attempts.*memory"):
        processes.map(units.always_die, range(2))
    assert processes.map(units.square, [2]) == [4]  # and others can be asked again


def test_a_hung_worker_is_replaced(tmp_path):
    with open_workers("processes", 2, time_limit=3) as workers:
        assert workers.map(units.hang, [(tmp_path / "hung", x) for x in range(6)]) == list(range(6))
        assert workers.lost >= 1


def test_an_answer_that_does_not_fit_is_asked_again(processes, tmp_path):
    pairs = [(tmp_path / "lied", x) for x in range(6)]
    assert processes.map(units.other_answer, pairs, fits=lambda pair, result: result == pair[1]) == list(range(6))


def test_what_a_unit_raises_is_raised_once(processes):
    with pytest.raises(ValueError, match="unit 7"):
        processes.map(units.fail, [7, 8, 9])  # the first in order, whichever is the first in time
    with pytest.raises(WorkerFailure, match="Odd: 7 more"):
        processes.map(units.fail_oddly, [7])
    with pytest.raises(WorkerFailure, match="cannot be sent"):
        processes.map(units.unsendable, [7])
    assert processes.map(units.square, [2]) == [4]


def test_a_worker_multiplies_in_one_thread_and_leaves_its_parent_alone(processes):
    before = units.blas_threads(0)
    assert processes.map(units.blas_threads, range(4)) == [[1] * len(before)] * 4
    with ThreadPoolExecutor(1) as executor:
        assert Workers(Given(executor)).map(units.blas_threads, [0]) == [before]
    assert units.blas_threads(0) == before


def test_a_worker_computes_what_is_not_finite_without_warnings(processes):
    assert processes.map(units.infinite, [1e9]) == [float("inf")]
    with pytest.raises(RuntimeWarning):
        units.infinite(1e9)


def test_what_cannot_be_sent_is_told(processes):
    with pytest.raises(InvalidInput, match="importable"):
        processes.map(lambda x: x, [1])


class Liar(Executor):
    """An executor whose workers answer anything, so many times."""

    def __init__(self, answers):
        self.answers = list(answers)

    def submit(self, fn, /, *args):
        future = Future()
        answer = self.answers.pop(0) if self.answers else fn(*args)
        if isinstance(answer, BaseException):
            future.set_exception(answer)
        else:
            future.set_result(answer)
        return future


@pytest.mark.parametrize(
    "answer", [None, b"", b"short", 7, b"x" * 100, "text", OSError("connection lost"), MemoryError()], ids=repr
)
def test_garbage_is_no_answer(answer):
    assert Workers(Given(Liar([answer]))).map(units.square, [3, 4]) == [9, 16]
    with pytest.raises(WorkerFailure, match="in 3 attempts"):
        Workers(Given(Liar([answer] * 3))).map(units.square, [3])


def test_any_executor_will_do():
    with ThreadPoolExecutor(3) as executor:
        workers = Workers(Given(executor, 3))
        assert workers.map(units.square, range(5)) == [0, 1, 4, 9, 16]
        workers.close()
        assert executor.submit(abs, -1).result() == 1  # it stays its owner's


def test_the_first_error_in_order_is_raised_though_a_later_unit_fails_earlier(tmp_path):
    with ThreadPoolExecutor(2) as executor, pytest.raises(ValueError, match="unit 1 "):
        Workers(Given(executor, 2)).map(units.fail_late, [(tmp_path, x) for x in range(40)])
    assert len(list(tmp_path.iterdir())) < 20  # the rest was cancelled


@given(st.integers(0, 50), st.integers(1, 20))
def test_shares_are_nearly_equal_and_in_order(n, parts):
    shares = split(n, parts)
    assert [i for lo, hi in shares for i in range(lo, hi)] == list(range(n))
    assert len(shares) <= parts
    sizes = {hi - lo for lo, hi in shares}
    assert not sizes or (min(sizes) >= 1 and max(sizes) - min(sizes) <= 1)


def test_bad_arguments():
    with pytest.raises(InvalidInput, match="executor is 'dusk', expected one of"):
        open_workers("dusk", 2)
    with pytest.raises(InvalidInput, match="no use for it"):
        open_workers("processes", 2, address="tcp://localhost:1")
    with pytest.raises(InvalidInput, match="give workers"):
        open_workers("processes")


def alive(pid):
    """Whether the process is there, and no zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_no_worker_survives_its_parent(tmp_path):
    code = f"""
from npgrad.workers import open_workers
from tests.workers.units import pid_after
if __name__ == "__main__":
    open_workers("processes", 1).map(pid_after, [{str(tmp_path / "pid")!r}])
"""
    (tmp_path / "parent.py").write_text(code, encoding="utf-8")
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "parent.py")], env={**os.environ, "PYTHONPATH": os.getcwd()}
    )
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    worker = int((tmp_path / "pid").read_text())
    assert alive(worker)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not alive(worker))


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="no masks of signals")
def test_a_worker_that_is_being_started_hears_no_ctrl_c(tmp_path):
    """A Ctrl-C goes to all processes of a terminal, and a worker needs a while before it can ignore it."""
    code = """
import os, signal, threading, time
from npgrad.workers import open_workers
from tests.workers.units import square
if __name__ == "__main__":
    heard = []
    signal.signal(signal.SIGINT, lambda *of: heard.append(1))
    with open_workers("processes", 2) as workers:
        result = []
        asked = threading.Thread(target=lambda: result.append(workers.map(square, range(4))))
        asked.start()
        while asked.is_alive():
            os.killpg(0, signal.SIGINT)
            time.sleep(0.01)
        print(result, workers.lost, len(heard) > 5)
"""
    (tmp_path / "main.py").write_text(code, encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": os.getcwd()}
    result = subprocess.run(
        [sys.executable, str(tmp_path / "main.py")], capture_output=True, text=True, timeout=120, check=False, env=env,
        start_new_session=True,
    )  # fmt: skip
    assert (result.stdout, result.stderr) == ("[[0, 1, 4, 9]] 0 True\n", "")


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def test_dask_does_the_same(tmp_path):
    pytest.importorskip("distributed")
    with open_workers("dask", 2, time_limit=60) as workers:
        assert workers.map(units.square, range(9)) == [i * i for i in range(9)]
        assert workers.n == 2
        first = workers.map(units.pid, range(2))
        for _ in range(5):
            assert workers.map(units.pid, range(2)) == first  # each call meets the worker that it knows
        assert workers.map(units.die, [(tmp_path / "died", x) for x in range(6)]) == list(range(6))
        assert set(workers.map(units.pid, range(2))) != set(first)
        with pytest.raises(ValueError, match="unit 7"):
            workers.map(units.fail, [7])


def test_ray_does_the_same(tmp_path):
    pytest.importorskip("ray")
    with open_workers("ray", 2, time_limit=3) as workers:
        assert workers.map(units.square, range(9)) == [i * i for i in range(9)]
        assert workers.n == 2
        assert workers.map(units.die, [(tmp_path / "died", x) for x in range(6)]) == list(range(6))
        assert workers.map(units.hang, [(tmp_path / "hung", x) for x in range(6)]) == list(range(6))
        assert workers.lost >= 2
        with pytest.raises(ValueError, match="unit 7"):
            workers.map(units.fail, [7])


def test_a_cluster_that_is_not_there():
    pytest.importorskip("distributed")
    with pytest.raises(WorkerFailure, match=r"no cluster answers at tcp://127\.0\.0\.1:9"):
        Workers(Dask(None, "tcp://127.0.0.1:9", patience=0.5)).map(units.square, [1])


def test_mpi_does_the_same(tmp_path):
    pytest.importorskip("mpi4py.MPI", exc_type=ImportError)
    mpiexec = shutil.which("mpiexec", path=os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", ""))
    if mpiexec is None:
        pytest.skip("no mpiexec")
    code = """
from npgrad.workers import open_workers
from tests.workers.units import square
if __name__ == "__main__":
    with open_workers("mpi") as workers:
        print(workers.map(square, range(5)), workers.n)
"""
    (tmp_path / "main.py").write_text(code, encoding="utf-8")
    command = [mpiexec, "-n", "3", sys.executable, "-m", "mpi4py.futures", str(tmp_path / "main.py")]
    env = {**os.environ, "PYTHONPATH": os.getcwd()}
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=env)
    assert result.stdout.split("\n")[0] == "[0, 1, 4, 9, 16] 2", result.stderr


def test_an_engine_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtra, match=r"npgrad\[dask\]"):
        open_workers("dask", 2).map(units.square, [1])
