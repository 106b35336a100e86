"""Compiled functions, with plain Python for a fallback.

A *kernel* is a function on arrays that fills its ``out`` arguments. Its signatures are explicit, in numba's notation,
to which four names are added: ``const(float64[::1])``, an array that is only read (so that read-only arrays are
accepted), `ENV_RESET` and `ENV_STEP`, the types of the two functions of a compiled environment, and `ENV_ADDRESS`, by
which either can be handed over in less time.

    @jit.kernel("void(const(float64[::1]), const(int64[::1]), float64, float64[::1])")
    def reward_to_go(rew, offsets, gamma, out): ...

Functions that a kernel calls are plain module-level functions, compiled along wherever they stand. Globals are
constants, frozen at compile time. Numba is imported at the first call of the first kernel; its options are fixed:
``nogil=True``, ``error_model="numpy"`` (1/0 is inf, which also lets loops vectorise), never ``parallel`` and never
``fastmath``, which leaks from one compiled function into another.

Compiled code is kept on disk, keyed by all that it depends on (`npgrad.jit.cache`). Without numba, or with
``NPGRAD_JIT=0``, kernels run as the plain Python they are, with the same bits. ``NUMBA_BOUNDSCHECK=1`` compiles them
with index checks, in cache entries of their own.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, Literal, ParamSpec, TypeVar

import numpy as np

from ..errors import InvalidInput
from . import compiler
from .addresses import as_double_product, as_draw, as_forward, as_reset, as_single_product, as_step
from .blas import product_address
from .compiler import ENV_ADDRESS, ENV_RESET, ENV_STEP
from .hints import prefetch

__all__ = [
    "ENV_ADDRESS",
    "ENV_RESET",
    "ENV_STEP",
    "Kernel",
    "all_kernels",
    "announcing",
    "as_double_product",
    "as_draw",
    "as_forward",
    "as_reset",
    "as_single_product",
    "as_step",
    "device",
    "enabled",
    "env_address",
    "env_function",
    "kernel",
    "njit_function",
    "prefetch",
    "product_address",
]

P = ParamSpec("P")
R = TypeVar("R")
Function = TypeVar("Function", bound=Callable[..., Any])
Kind = Literal["reset", "step", "forward", "draw"]

_kernels: list[Kernel[..., Any]] = []
_env_functions: dict[tuple[types.FunctionType, str, bool], Callable[..., None]] = {}


class Kernel(Generic[P, R]):
    """A function that is compiled (or loaded from the cache) at its first call; made by `kernel`.

    Attributes
    ----------
    py_func : function
        The plain Python function.
    signatures : tuple of str
        The argument types it is compiled for.
    """

    def __init__(self, py_func: Callable[P, R], signatures: tuple[str, ...]) -> None:
        functools.update_wrapper(self, py_func)
        self.py_func = py_func
        self.signatures = signatures
        self._run: Callable[P, R] | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        run = self._run or self.compile()
        return run(*args, **kwargs)

    def compile(self) -> Callable[P, R]:
        """The compiled function, or the plain one where numba is not in use."""
        with compiler.lock:
            if self._run is None:
                if compiler.load_numba() is None:
                    self._run = self._run_plain
                else:
                    self._run = compiler.compile_function(self.py_func, self.signatures)
            return self._run

    def _run_plain(self, *args: P.args, **kwargs: P.kwargs) -> R:
        with np.errstate(all="ignore"):
            return self.py_func(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<kernel {self.py_func.__module__}.{self.py_func.__qualname__}>"


def kernel(*signatures: str) -> Callable[[Callable[P, R]], Kernel[P, R]]:
    """Declare a kernel with explicit signatures; nothing is imported or compiled before its first call.

    Parameters
    ----------
    *signatures : str
        Types in numba's notation, with ``const(…)``, ``ENV_RESET`` and ``ENV_STEP`` beside numba's own names.

    Returns
    -------
    callable
        A decorator that makes a `Kernel`.

    Examples
    --------
    >>> from npgrad import jit
    >>> @jit.kernel("void(const(float64[::1]), float64, float64[::1])")
    ... def scale(x, factor, out):
    ...     for i in range(x.shape[0]):
    ...         out[i] = factor * x[i]
    >>> out = np.empty(3)
    >>> scale(np.array([1.0, 2.0, 3.0]), 2.0, out)
    >>> out
    array([2., 4., 6.])
    """

    def declare(py_func: Callable[P, R]) -> Kernel[P, R]:
        declared = Kernel(py_func, signatures)
        _kernels.append(declared)
        return declared

    return declare


def device(function: Function) -> Function:
    """Mark a function as one that kernels call: it stays plain Python for everybody else.

    The mark is for the reader; a kernel compiles whatever plain functions it calls.
    """
    return function


def enabled() -> bool:
    """Whether kernels are compiled: numba is there and neither ``NPGRAD_JIT=0`` nor ``NUMBA_DISABLE_JIT=1`` is set."""
    return compiler.load_numba() is not None


def all_kernels() -> tuple[Kernel[..., Any], ...]:
    """The kernels of all modules imported so far, in order of declaration."""
    return tuple(_kernels)


@contextmanager
def announcing(say: Callable[[str], None]) -> Iterator[None]:
    """Call ``say(name)`` before a function is compiled, which takes seconds; not when it is loaded from the cache."""
    compiler.listeners.append(say)
    try:
        yield
    finally:
        compiler.listeners.remove(say)


def env_function(py_func: Callable[..., None], kind: Kind) -> Callable[..., None]:
    """One function of a compiled environment, as an argument for kernels that name `ENV_RESET` or `ENV_STEP`.

    Parameters
    ----------
    py_func : function
        ``reset(params, lanes, noise, state, obs)`` or ``step(params, act, noise, state, obs, rew, terminated)``.
    kind : {"reset", "step"}
        Which of the two.

    Returns
    -------
    callable
        A numba ``cfunc``, or `py_func` itself where kernels run as plain Python.

    Raises
    ------
    InvalidInput
        If it is no plain function, takes another number of arguments, or does not compile.

    Notes
    -----
    Limitation: an exception raised inside a ``cfunc`` is printed and swallowed; such functions must not raise.
    """
    return _env_function(py_func, kind, as_callback=True)


def env_address(py_func: Callable[..., None], kind: Kind) -> Any:
    """The same for kernels that name `ENV_ADDRESS` and call `as_reset` or `as_step` on it: nothing it costs a call.

    Examples
    --------
    >>> from npgrad import jit
    >>> from npgrad.envs import compiled_twin
    >>> cartpole = compiled_twin("CartPole-v1")
    >>> jit.env_address(cartpole.step, "step") == jit.env_address(cartpole.step, "step")
    True
    """
    function = env_function(py_func, kind)
    return getattr(function, "address", function)


def njit_function(py_func: Callable[..., None], kind: Kind) -> Callable[..., None]:
    """The same as `env_function`, for calls from Python: without the 10 µs that a function argument costs."""
    return _env_function(py_func, kind, as_callback=False)


def _env_function(py_func: Callable[..., None], kind: Kind, as_callback: bool) -> Callable[..., None]:
    expected = compiler.ENV_ARGUMENTS[kind]
    shown = f"{kind}({', '.join(f'{name}: {dtype}' for name, dtype in expected.items())})"
    if not isinstance(py_func, types.FunctionType):
        raise InvalidInput(f"the environment's {kind} is {py_func!r}, expected a plain Python function {shown}")
    key = (py_func, kind, as_callback)
    if key in _env_functions:
        return _env_functions[key]
    if not _takes(py_func, len(expected)):
        got = f"{py_func.__qualname__}{inspect.signature(py_func)}"
        raise InvalidInput(f"the environment's {kind} is {got}, expected {len(expected)} arguments: {shown}")
    with compiler.lock:
        if compiler.load_numba() is None:
            return py_func
        if key not in _env_functions:
            signature = f"void({', '.join(expected.values())})"
            try:
                _env_functions[key] = compiler.compile_function(py_func, (signature,), as_callback=as_callback)
            except compiler.numba_part("errors").NumbaError as error:
                raise InvalidInput(
                    f"the environment's {kind}, {py_func.__qualname__}, does not compile; expected {shown}, with loops "
                    f"over scalars inside; numba says: {_first_line(error)}"
                ) from error
        return _env_functions[key]


def _takes(function: types.FunctionType, n: int) -> bool:
    """Whether `function` can be called with `n` positional arguments, and needs no keyword."""
    try:
        inspect.signature(function).bind(*range(n))
    except TypeError:
        return False
    return function.__code__.co_argcount == n  # numba takes no *args here


def _first_line(error: Exception) -> str:
    """The first line of numba's message that says something, and the place it names."""
    lines = [line.strip() for line in str(error).splitlines()]
    message = next((line for line in lines if line and not line.startswith("Failed in")), type(error).__name__)
    place = next((line.rstrip(":") for line in lines if line.startswith("File ")), "")
    return f"{message} ({place})" if place and place != message else message
