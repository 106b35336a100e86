"""The one module that imports numba: from a plain function and a signature to machine code, or its copy on disk."""

from __future__ import annotations

import functools
import gc
import hashlib
import importlib
import os
import pickle
import platform
import threading
import types
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import InvalidInput
from . import addresses, cache, source
from .hints import hint, prefetch

__all__ = [
    "ENV_ADDRESS",
    "ENV_ARGUMENTS",
    "ENV_RESET",
    "ENV_STEP",
    "compile_function",
    "listeners",
    "load_numba",
    "lock",
    "numba_part",
]

ENV_RESET = "ENV_RESET"  # names for signatures: the type of a compiled environment's reset …
ENV_STEP = "ENV_STEP"  # … and of its step
ENV_ADDRESS = "ENV_ADDRESS"  # … of either's address, for `addresses.as_reset` and `as_step`

ENV_ARGUMENTS = {  # by position; the names are for messages
    "forward": {  # of a rollout, as the next
        "product": "intp",
        "sizes": "int64[::1]",
        "theta": "float64[::1]",
        "x": "float64[:,::1]",
        "units": "float64[::1]",
        "y": "float64[:,::1]",
    },
    "draw": {
        "y": "float64[:,::1]",
        "u": "float64[:,::1]",
        "scratch": "float64[:,::1]",
        "act": "float64[:,::1]",
        "logp": "float64[::1]",
    },
    "reset": {
        "params": "float64[::1]",
        "lanes": "int64[::1]",
        "noise": "float64[:,::1]",
        "state": "float64[:,::1]",
        "obs": "float64[:,::1]",
    },
    "step": {
        "params": "float64[::1]",
        "act": "float64[:,::1]",
        "noise": "float64[:,::1]",
        "state": "float64[:,::1]",
        "obs": "float64[:,::1]",
        "rew": "float64[::1]",
        "terminated": "boolean[::1]",
    },
}

PRODUCT_ARGUMENTS = (  # of cblas_?gemm: order, two transpositions, sizes; α, a, b, β, c: addresses and row lengths
    "int32, int32, int32, int64, int64, int64, {0}, intp, int64, intp, int64, {0}, intp, int64"
)

FORMAT = 2  # of what is kept on disk
listeners: list[Callable[[str], None]] = []  # told the name of what is about to be compiled
lock = threading.RLock()  # held while numba is imported, or compiles
_KERNEL_OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True}
_CALLBACK_OPTIONS: dict[str, Any] = {"error_model": "numpy"}
_DEVICE_OPTIONS: dict[str, Any] = {
    "error_model": "numpy",
    "forceinline": True,  # a loop with a call does not vectorise
    "no_cpython_wrapper": True,  # nobody but kernels calls it
    "no_cfunc_wrapper": True,
}

_devices: dict[tuple[types.FunctionType, str | None], Any] = {}


@functools.cache
def load_numba() -> Any:
    """The numba module; None, with one warning, where it cannot be imported, or is not wanted."""
    if os.environ.get("NPGRAD_JIT", "1").strip().lower() in ("0", "false", "no", "off"):
        return None
    with lock:
        try:
            numba = _import_numba()
        except Exception as error:  # numba raises ImportError, SystemError and others on versions it does not know
            warnings.warn(
                f"numba cannot be imported ({error}): kernels run as plain Python, some hundred times slower; "
                "try pip install numba, or set NPGRAD_JIT=0 to silence this warning",
                RuntimeWarning,
                stacklevel=2,
            )
            return None
    return None if numba.config.DISABLE_JIT else numba


def _import_numba() -> Any:
    """Numba; a hundred thousand objects come into being, and to look for garbage amid them takes as long again."""
    collects = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module("numba")
    finally:
        if collects:
            gc.enable()


def numba_part(name: str) -> Any:
    """The module ``numba.core.<name>``, of which numba itself imports some only when they are used."""
    return importlib.import_module(f"numba.core.{name}")


@functools.cache
def _fingerprint() -> str:
    """All outside a function that its machine code depends on: versions, processor, numba's settings."""
    numba = load_numba()
    llvmlite = importlib.import_module("llvmlite")
    codegen = numba_part("registry").cpu_target.target_context.codegen()
    settings = ("BOUNDSCHECK", "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "ENABLE_AVX", "DEBUGINFO_DEFAULT")
    return repr(
        (
            platform.python_implementation(),
            platform.python_version(),
            numba.__version__,
            llvmlite.__version__,
            np.__version__,
            codegen.magic_tuple(),  # target triple, processor, its features
            [(name, getattr(numba.config, name, None)) for name in settings],
        )
    )


class _DiskCache:
    """Stands in for numba's cache of one function, which knows neither the functions it calls nor those without a file.

    Numba's own asks for the file a function stands in, and takes a function as unchanged as long as that file is.
    """

    cache_path = None

    def __init__(self, name: str, content: str) -> None:
        self._name = name
        self._content = content

    def _key(self, signature: Any) -> str:
        text = f"{self._content}\n{signature}\n{_fingerprint()}\n{FORMAT}"
        return f"{self._name}-{hashlib.sha256(text.encode()).hexdigest()[:32]}"

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        payload = cache.load(self._key(signature))
        if payload is None:
            for say in listeners:
                say(self._name)
            return None
        try:
            needed, reduced = pickle.loads(payload)
            _make_known(needed, signature, target_context)
            return numba_part("compiler").CompileResult._rebuild(target_context, *reduced)
        except Exception:  # a file that is whole, but not what numba expects: compile
            return None

    def save_overload(self, signature: Any, result: Any) -> None:
        if result.lifted or result.library.has_dynamic_globals:  # holds addresses of this process
            return
        try:
            payload = numba_part("serialize").dumps((_needed(result.library), result._reduce()))
        except Exception:  # something in it has no lasting form: compile again next time
            return
        cache.save(self._key(signature), payload)

    def flush(self) -> None:
        pass


def _needed(library: Any) -> list[str] | None:
    """The functions that compiled code calls and does not contain; None if numba does not say."""
    module = getattr(library, "_final_module", None)
    if module is None:
        return None
    return [f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")]


def _make_known(needed: list[str] | None, signature: Any, target_context: Any) -> None:
    """Let the linker find the functions that cached code calls: one that it does not find ends the process.

    Most kernels call numba's memory and the C library alone, and take arrays and numbers. All of numba's tables, which
    know everything else, take ten times longer to load.
    """
    numba_part("runtime").rtsys.initialize(target_context)
    address_of = importlib.import_module("llvmlite.binding").address_of_symbol
    if needed is None or "FunctionType" in str(signature) or not all(map(address_of, needed)):
        target_context.refresh()


def _content(function: types.FunctionType) -> str | None:
    """The hash of all that `function` reaches; None if there is none, and so no cache."""
    try:
        return source.digest(function)
    except source.UncacheableError:
        return None


def _copy(function: types.FunctionType) -> types.FunctionType:
    """A copy to compile. Its content is part of its name, and so of its symbols in memory and on disk.

    Numba numbers its symbols from one in every process; code from the cache could so be taken for another version of
    the same function.
    """
    return source.copy(function, f"{function.__qualname__}_{(_content(function) or 'uncached')[:16]}")


def _device(callee: Any) -> Any:
    """The dispatcher that stands for a function or kernel in compiled code; the same one where it calls itself."""
    function = source.plain(callee)
    if function in addresses.KINDS:
        return addresses.function_at(_function_type(addresses.KINDS[function]))
    if function is prefetch:
        return hint()
    key = (function, _content(function))  # a constant it reads may be another one by now
    if key not in _devices:
        twin = _copy(function)
        options = _DEVICE_OPTIONS if isinstance(callee, types.FunctionType) else _KERNEL_OPTIONS
        _devices[key] = load_numba().njit(**options)(twin)
        source.link(twin, function, _device)
    return _devices[key]


@functools.cache
def _function_type(kind: str) -> Any:
    """Numba's type of one function of a compiled environment, or of a matrix product."""
    numba = load_numba()
    dtype, is_product, _ = kind.partition(" product")
    arguments = PRODUCT_ARGUMENTS.format(dtype) if is_product else ", ".join(ENV_ARGUMENTS[kind].values())
    return numba.types.FunctionType(eval(f"void({arguments})", dict(vars(numba.types))))


def _types(signature: str) -> Any:
    """The numba signature that a string in our notation stands for."""
    numba = load_numba()
    names: dict[str, Any] = dict(vars(numba.types), const=lambda array: array.copy(readonly=True))
    names |= {ENV_RESET: _function_type("reset"), ENV_STEP: _function_type("step"), ENV_ADDRESS: numba.types.intp}
    return eval(signature, names)


def compile_function(
    function: Callable[..., Any], signatures: tuple[str, ...], as_callback: bool = False
) -> Callable[..., Any]:
    """Compile `function` for explicit signatures, or load it from the cache; a C callback is for use as an argument."""
    numba = load_numba()
    if not isinstance(function, types.FunctionType):
        raise InvalidInput(f"{function!r} cannot be compiled, expected a plain Python function")
    twin = _copy(function)
    source.link(twin, function, _device)
    content = _content(function)
    options = _CALLBACK_OPTIONS if as_callback else _KERNEL_OPTIONS
    found = [_types(signature) for signature in signatures]
    if as_callback:
        compiled = numba_part("ccallback").CFunc(
            twin, numba_part("sigutils").normalize_signature(found[0]), {}, options
        )
    else:
        compiled = numba.njit(**options)(twin)
    if content is not None:
        name = "".join(c if c.isalnum() else "_" for c in function.__name__)
        compiled._cache = _DiskCache(name, f"{content} {as_callback} {options} {_DEVICE_OPTIONS}")
    if as_callback:
        compiled.compile()
    else:
        for signature in found:
            compiled.compile(signature)
        compiled.disable_compile()
    run: Callable[..., Any] = compiled
    return run
