"""The matrix product of NumPy's own BLAS, for kernels: what ``a @ b`` calls, without the interpreter around it."""

from __future__ import annotations

import ctypes
import functools
import importlib
from typing import Any

from . import compiler

__all__ = ["product_address"]

LETTERS = {"float32": "s", "float64": "d"}
NAMES = ("scipy_cblas_{}gemm64_", "cblas_{}gemm64_")  # of OpenBLAS with 64-bit sizes, as NumPy's wheels have it


@functools.cache
def product_address(dtype: str) -> Any:
    """The address of ``cblas_sgemm`` or ``cblas_dgemm``; None if NumPy's BLAS is none that we know.

    Where kernels run as plain Python it is the function itself.
    """
    product = find_product(dtype)
    if product is None or compiler.load_numba() is None:
        return product
    return ctypes.cast(product, ctypes.c_void_p).value


def find_product(dtype: str) -> Any:
    importlib.import_module("numpy")  # which loads its own
    controllers = importlib.import_module("threadpoolctl").ThreadpoolController().lib_controllers
    for library in [each.info() for each in controllers]:
        if library["internal_api"] != "openblas":
            continue
        found = ctypes.CDLL(library["filepath"])
        for name in NAMES:
            function = getattr(found, name.format(LETTERS[dtype]), None)
            if function is not None:
                real = {"float32": ctypes.c_float, "float64": ctypes.c_double}[dtype]
                size, place, choice = ctypes.c_int64, ctypes.c_size_t, ctypes.c_int
                function.restype = None
                function.argtypes = [choice] * 3 + [size] * 3 + [real, place, size, place, size, real, place, size]
                return function
    return None
