"""A hint to the processor, for kernels that write to many places in turn: it fetches them before they are wanted."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Sequence
from typing import Any

__all__ = ["hint", "prefetch"]


def prefetch(array: Any, i: Any) -> None:
    """In a kernel: entry i of an array of one axis will be written soon, if there is one. Elsewhere nothing."""


@functools.cache
def hint() -> Any:
    """The intrinsic of numba that stands for `prefetch`."""
    ir, types = importlib.import_module("llvmlite.ir"), importlib.import_module("numba.core.types")
    cgutils = importlib.import_module("numba.core.cgutils")
    write, near, data = (ir.Constant(ir.IntType(32), value) for value in (1, 3, 1))  # of LLVM's reference manual

    def function(typing_context: Any, array: Any, i: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Sequence[Any]) -> Any:
            start = context.make_array(signature.args[0])(context, builder, arguments[0]).data
            place = builder.bitcast(builder.gep(start, [arguments[1]]), cgutils.voidptr_t)
            kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t] + [ir.IntType(32)] * 3)
            declared = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch")
            builder.call(declared, [place, write, near, data])
            return context.get_dummy_value()

        return types.void(array, i), code

    return importlib.import_module("numba.extending").intrinsic(function)
