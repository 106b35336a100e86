"""What runs in a worker: one call, from bytes to bytes, with a checksum on what comes back."""

from __future__ import annotations

import functools
import hashlib
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from ..errors import InvalidInput, WorkerFailure
from ..pool import single_blas_thread

__all__ = ["Garbage", "answer", "dask_setup", "deaf", "held_back", "opened", "packed", "prepare"]

HERE = os.urandom(8)  # tells processes apart, together with their numbers
_held = ExitStack()
LEFT_TO_PARENT = (signal.SIGINT, signal.SIGTERM)
DIGEST = 16  # bytes of the checksum in front of an answer


class Garbage(Exception):
    """An answer that no worker of ours gives."""


def packed(function: Callable[[Any], Any], unit: Any) -> bytes:
    """A call as bytes.

    Raises
    ------
    PicklingError, AttributeError, TypeError
        If the function or its argument cannot be sent.
    """
    return pickle.dumps(((HERE, os.getpid()), function, unit), protocol=5)


def answer(call: bytes) -> bytes:
    """The result of a call, or the error it raised, behind a checksum."""
    try:
        sender, function, unit = pickle.loads(call)
        if sender != (HERE, os.getpid()):
            one_blas_thread()  # the sender itself may be in the midst of matrix products
        with np.errstate(all="ignore"):  # the training loop finds out itself what is not finite
            content = _pickled((True, function(unit)))
    except (Exception, SystemExit) as error:
        content = _pickled((False, error))
    return hashlib.blake2b(content, digest_size=DIGEST).digest() + content


def opened(reply: Any) -> Any:
    """The result in an answer.

    Raises
    ------
    Garbage
        If it is none.
    Exception
        Whatever the call raised.
    """
    if not isinstance(reply, bytes) or len(reply) <= DIGEST:
        raise Garbage(f"a worker answered with a {type(reply).__name__}")
    check, content = reply[:DIGEST], reply[DIGEST:]
    if hashlib.blake2b(content, digest_size=DIGEST).digest() != check:
        raise Garbage("a worker answered with bytes whose checksum does not match")
    done, result = pickle.loads(content)
    if not done:
        raise result
    return result


def _pickled(content: tuple[bool, Any]) -> bytes:
    done, result = content
    try:
        sent = pickle.dumps(content, protocol=5)
        if not done:
            pickle.loads(sent)  # errors may be made of other arguments than they keep
        return sent
    except Exception as error:
        if not done and isinstance(result, InvalidInput):
            return pickle.dumps((False, InvalidInput(str(result))), protocol=5)
        what = f"cannot be sent: {error}" if done else f"raised {type(result).__name__}: {result}"
        return pickle.dumps((False, WorkerFailure(f"what a worker computed {what}")), protocol=5)


@functools.cache
def one_blas_thread() -> None:
    """Hold this process to one, for good."""
    _held.enter_context(single_blas_thread())


def prepare() -> None:
    """In a new process: leave signals to the parent, and end with it, however it ends."""
    for number in LEFT_TO_PARENT:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, LEFT_TO_PARENT)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def dask_setup(worker: Any) -> None:
    """What a Dask worker calls when it preloads this module."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def held_back() -> Iterator[None]:
    """Processes that are begun inside hear no Ctrl-C before `prepare`; here it comes a moment later. Not on Windows."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, LEFT_TO_PARENT)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def deaf() -> Iterator[None]:
    """Processes that are begun inside inherit that they ignore Ctrl-C; only the main thread can do that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)
