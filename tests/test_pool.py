"""The unit of work: order of results, of errors and of sums; threads and processes as executors."""

import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad import pool
from npgrad.errors import InvalidInput


def late_first(unit):
    time.sleep(0.02 * (3 - unit))
    return unit * unit


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_results_come_in_the_order_of_the_units(n_threads):
    with pool.thread_pool(n_threads) as executor:
        assert pool.map_ordered(late_first, range(4), executor) == [0, 1, 4, 9]
        assert pool.map_ordered(late_first, iter(()), executor) == []


def test_processes_serve_as_well():
    with ProcessPoolExecutor(1) as executor:
        assert pool.map_ordered(abs, [-2, -1], executor) == [2, 1]


@pytest.mark.parametrize("n_threads", [1, 2])
def test_the_first_error_in_the_order_of_units_is_raised_and_the_rest_cancelled(n_threads):
    begun = []

    def fail(unit):
        begun.append(unit)
        if unit == 1:
            time.sleep(0.05)  # later in time than unit 2
        if unit in (1, 2):
            raise ValueError(f"unit {unit}")
        time.sleep(0.02)

    with pool.thread_pool(n_threads) as executor, pytest.raises(ValueError, match="unit 1"):
        pool.map_ordered(fail, range(100), executor)
    assert len(begun) < 50


def test_one_thread_needs_no_pool():
    with pool.thread_pool(1) as executor:
        assert executor is None


@pytest.mark.parametrize("n_threads", [2, 3])
def test_the_thread_that_calls_is_one_of_them(n_threads):
    together = threading.Barrier(n_threads, timeout=20)

    def name(unit):
        together.wait()  # passed by as many threads at a time as there are
        return threading.current_thread().name

    with pool.thread_pool(n_threads) as executor:
        names = pool.map_ordered(name, range(n_threads), executor)
    assert threading.current_thread().name in names
    assert sum(each.startswith("npgrad") for each in names) == n_threads - 1


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or pool.usable_cores() < 2, reason="one core, or nobody says which"
)
def test_a_thread_leaves_a_core_that_is_taken_and_is_free_again():
    allowed = os.sched_getaffinity(0)

    def leave(one, others):
        os.sched_setaffinity(0, {one})  # of this thread alone
        os.sched_setaffinity(0, allowed)
        taken = allowed - others
        pool._leave(taken)
        return taken, os.sched_getaffinity(0)

    one, *others = allowed
    with ThreadPoolExecutor(1) as thread:
        taken, left = thread.submit(leave, one, set(others)).result()
        assert len(taken) == 2  # its own among them
        assert left == allowed
        assert thread.submit(leave, one, set()).result() == (allowed, allowed)  # all are taken: it stays


def test_two_callers_may_share_threads():
    with pool.thread_pool(2) as executor, ThreadPoolExecutor(2) as callers:
        sums = [callers.submit(pool.map_ordered, late_first, range(4), executor) for _ in range(2)]
        assert [each.result(timeout=20) for each in sums] == [[0, 1, 4, 9]] * 2


def test_an_interrupt_is_not_kept_from_the_caller():
    def interrupt(unit):
        raise KeyboardInterrupt

    with pool.thread_pool(2) as executor, pytest.raises(KeyboardInterrupt):
        pool.map_ordered(interrupt, range(4), executor)


def test_threads_do_not_go_on_alone_after_an_interrupt(monkeypatch):
    done, begun, go_on = [], threading.Event(), threading.Event()

    def work(unit):
        begun.set()
        assert go_on.wait(20)
        done.append(unit)

    with pool.Threads(3) as executor:
        submit = executor.submit

        def interrupted(function):
            monkeypatch.setattr(executor, "submit", lambda function: (_ for _ in ()).throw(KeyboardInterrupt))
            future = submit(function)
            assert begun.wait(20)
            return future

        monkeypatch.setattr(executor, "submit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pool.map_ordered(work, range(10), executor)
        go_on.set()
    assert done == [0]


@pytest.mark.parametrize("n_threads", [0, -1, 1.5, True, None, "2"])
def test_bad_number_of_threads(n_threads):
    with pytest.raises(InvalidInput, match="expected an integer of 1 or more"), pool.thread_pool(n_threads):
        pass


def test_one_blas_thread_inside_and_as_many_as_before_after():
    import threadpoolctl

    def blas_threads():
        return [library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]

    np.ones((2, 2)) @ np.ones((2, 2))
    before = blas_threads()
    with pool.single_blas_thread():
        assert blas_threads() == [1] * len(before)
    assert blas_threads() == before


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=9))
def test_sums_run_from_left_to_right(parts):
    total = parts[0]
    for part in parts[1:]:
        total += part
    arrays = [np.array([part, 1.0]) for part in parts]
    kept = [array.copy() for array in arrays]
    assert pool.ordered_sum(parts) == total
    assert pool.ordered_sum(arrays).tolist() == [total, len(parts)]
    assert all(np.array_equal(a, b) for a, b in zip(arrays, kept, strict=True))


def test_order_matters_to_the_last_bit():
    assert pool.ordered_sum([0.1, 0.2, 0.3]) != pool.ordered_sum([0.3, 0.2, 0.1])
    with pytest.raises(InvalidInput, match="at least one"):
        pool.ordered_sum([])
