"""Functions as arguments of kernels, by their address: numba's own way costs 10 µs a call and function.

A kernel takes an integer, and makes one of numba's first-class functions of it with `as_reset` or `as_step` (those of
an environment), `as_single_product` or `as_double_product` (BLAS). Where kernels run as plain Python, what it is given
is the function itself.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Sequence
from typing import Any

__all__ = [
    "KINDS",
    "as_double_product",
    "as_draw",
    "as_forward",
    "as_reset",
    "as_single_product",
    "as_step",
    "function_at",
]


def as_reset(address: Any) -> Any:
    """In a kernel: the function ``reset`` whose address it was given."""
    return address


def as_step(address: Any) -> Any:
    """In a kernel: the function ``step`` whose address it was given."""
    return address


def as_forward(address: Any) -> Any:
    """In a kernel: how y follows from o, a function of `npgrad.rollouts.parts` whose address it was given."""
    return address


def as_draw(address: Any) -> Any:
    """In a kernel: how a is drawn from y, likewise."""
    return address


def as_single_product(address: Any) -> Any:
    """In a kernel: ``cblas_sgemm``, whose address it was given."""
    return address


def as_double_product(address: Any) -> Any:
    """In a kernel: ``cblas_dgemm``, whose address it was given."""
    return address


KINDS = {
    as_reset: "reset",
    as_step: "step",
    as_forward: "forward",
    as_draw: "draw",
    as_single_product: "float32 product",
    as_double_product: "float64 product",
}


@functools.cache
def function_at(kind: Any) -> Any:
    """An intrinsic of numba: the function of the numba type `kind` that stands at an address."""
    cgutils = importlib.import_module("numba.core.cgutils")

    def function(typing_context: Any, address: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Sequence[Any]) -> Any:
            made = cgutils.create_struct_proxy(signature.return_type)(context, builder)  # all null but the address
            made.c_addr = builder.inttoptr(arguments[0], cgutils.voidptr_t)
            return made._getvalue()

        return kind(address), code

    return importlib.import_module("numba.extending").intrinsic(function)
