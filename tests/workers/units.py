"""Units of work for workers: importable, some of them deadly. What must happen only once leaves a file behind."""

import os
import time
from pathlib import Path


def square(x):
    return x * x


def pid(x):
    """Who computes; so slowly that nobody computes twice."""
    time.sleep(0.05)
    return os.getpid()


def once(path):
    """Whether this is the first call with that path, whichever process asks."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def die(unit):
    """The process ends, the first time."""
    path, x = unit
    if x == 3 and once(path):
        os._exit(1)
    return x


def always_die(unit):
    os._exit(1)


def hang(unit):
    """For ever, the first time."""
    path, x = unit
    if x == 3 and once(path):
        time.sleep(3600)
    return x


def other_answer(unit):
    """A wrong one, the first time."""
    path, x = unit
    return -x if x == 3 and once(path) else x


def fail(x):
    raise ValueError(f"unit {x}")


def fail_late(unit):
    """All fail, the one numbered 1 later than its successors."""
    path, x = unit
    (path / str(x)).touch()
    time.sleep(0.1 if x == 1 else 0.02)
    if x:
        raise ValueError(f"unit {x} ")


def fail_oddly(x):
    raise Odd(x, "more")


class Odd(Exception):
    """An error that cannot be sent: it is made of other arguments than it keeps."""

    def __init__(self, x, more):
        super().__init__(f"{x} {more}")


def unsendable(x):
    return lambda: x


def pid_after(path):
    """Say who computes, and take so long that it can be killed."""
    Path(path).write_text(str(os.getpid()), encoding="utf-8")
    time.sleep(3600)


def blas_threads(x):
    """How many threads each library for matrix products has."""
    import gc

    import numpy as np
    from threadpoolctl import threadpool_info

    gc.collect()
    np.ones((2, 2)) @ np.ones((2, 2))
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def infinite(x):
    """An overflow, where a warning would be an error."""
    import warnings

    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return float(np.exp(np.full(1, x))[0])
