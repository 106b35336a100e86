"""Recycled memory: never lent twice, from any thread, and given back with the last view."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from npgrad import memory
from npgrad.memory import Memory, recycled


def test_what_is_held_is_not_lent_again():
    own, held = Memory(), []
    for i in range(20):
        array = own.array((200, 100))
        array[:] = i
        held.append(array[3:] if i % 2 else array.reshape(100, 200).T)  # views hold it too
        if i % 3 == 2:
            del held[0]
    for array in held:
        assert (array == array.flat[0]).all()
    assert len({array.flat[0] for array in held}) == len(held)


def test_threads_share_it():
    def work(i):
        for k in range(200):
            array = recycled((10_000,))
            array[:] = 1000 * i + k
            if not (array == 1000 * i + k).all():
                return False
        return True

    with ThreadPoolExecutor(4) as executor:
        assert all(executor.map(work, range(4)))


def test_given_back_with_the_last_view():
    own = Memory()
    view = own.array((300, 300), np.float32)[:, 1]
    place = view.base.ctypes.data
    other = own.array((300, 300), np.float32)
    assert other.ctypes.data != place
    del view
    assert own.array((250, 300), np.float32).ctypes.data == place


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_can_use_it():
    stop = threading.Event()

    def busy():
        while not stop.is_set():
            with memory._SHARED._lock:
                time.sleep(1e-3)
            time.sleep(1e-4)

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        for _ in range(5):
            child = os.fork()
            if child == 0:
                signal.alarm(10)
                recycled((10_000,))
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        thread.join()
