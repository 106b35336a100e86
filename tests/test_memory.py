"""Recycled memory: never lent twice, from any thread, and given back with the last view."""

import os
import subprocess
import sys
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
    assert own.array((290, 300), np.float32).ctypes.data == place


LOOKED_AT = """
import sys
def look(frame, event, argument):
    frame.f_locals  # holds what the frame holds
    return look
sys.settrace(look)
from npgrad.memory import Memory
sys.settrace(None)
own = Memory()
held = own.array((300, 300))
assert own.array((300, 300)).ctypes.data != held.ctypes.data
"""


def test_a_debugger_that_saw_the_import_is_nobody_who_holds_memory():
    subprocess.run([sys.executable, "-c", LOOKED_AT], check=True)


def test_what_outlives_its_thread_is_still_held():
    def work(i):
        array = recycled((10_000,))
        array[:] = i
        return array

    with ThreadPoolExecutor(2) as executor:
        arrays = list(executor.map(work, range(20)))
    later = [recycled((10_000,)) for _ in range(20)]
    for each in later:
        each[:] = -1
    assert [array[0] for array in arrays] == list(range(20))
    assert all((array == array[0]).all() for array in arrays)


def test_no_more_waits_than_is_allowed(monkeypatch):
    monkeypatch.setattr(memory, "KEPT", 1 << 20)
    own = Memory()
    for i in range(1, 40):
        own.array((10_000 * i,))
        assert sum(len(block) for blocks in own._blocks.values() for block in blocks) <= max(1 << 20, 125_000 * i)


def test_an_interpreter_without_reference_counts_gets_fresh_memory(monkeypatch):
    monkeypatch.setattr(memory, "ALONE", 0)
    own = Memory()
    assert own.array((300, 300)).base is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_its_own():
    array = recycled((10_000,))
    array[:] = 7
    child = os.fork()
    if child == 0:
        recycled((10_000,))[:] = 8
        os._exit(int(array[0] != 7))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
