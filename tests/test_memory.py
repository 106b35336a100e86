"""Recycled memory: never lent twice, from any thread, and given back with the last view."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from npgrad.memory import Memory, recycled


def test_what_is_held_is_not_lent_again():
    memory, held = Memory(), []
    for i in range(20):
        array = memory.array((200, 100))
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
    memory = Memory()
    view = memory.array((300, 300), np.float32)[:, 1]
    place = view.base.ctypes.data
    other = memory.array((300, 300), np.float32)
    assert other.ctypes.data != place
    del view
    assert memory.array((250, 300), np.float32).ctypes.data == place
