"""What the machine can do at most: memory bandwidth and floating-point operations, to set beside measurements."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import numpy as np

from .. import jit
from ..pool import single_blas_thread, usable_cores
from ..types import FloatArray

__all__ = ["Limits", "measured_limits"]

BYTES = 1 << 27  # of an array that fits into no cache
SHAPE = (2048, 64, 64)  # of the matrix products in question: rows of a chunk, inputs and outputs of a layer


@dataclass(frozen=True)
class Limits:
    """Of all cores together, and of one.

    Parameters
    ----------
    bandwidth, bandwidth_of_one : float
        Bytes read and written a second.
    flops32, flops64 : float
        Floating-point operations a second in matrix products of a 64×64 layer.
    latency : float
        Seconds between two additions of which the second waits for the first.
    """

    bandwidth: float
    bandwidth_of_one: float
    flops32: float
    flops64: float
    latency: float

    def as_json(self) -> dict[str, float]:
        """Plain data."""
        return asdict(self)

    def by_memory(self, n_bytes: float) -> tuple[float, str]:
        """The least time in which so many bytes go through memory."""
        return n_bytes / self.bandwidth, "bandwidth"

    def by_one_memory(self, n_bytes: float) -> tuple[float, str]:
        """The same for one core."""
        return n_bytes / self.bandwidth_of_one, "bandwidth"

    def by_products(self, operations: float, dtype: str) -> tuple[float, str]:
        """The least time of so many operations in matrix products."""
        return operations / (self.flops32 if dtype == "float32" else self.flops64), "flops"


def measured_limits() -> Limits:
    """Measure them, in about a second."""
    with single_blas_thread():
        return Limits(
            _bandwidth(usable_cores()),
            _bandwidth(1),
            _flops(np.dtype("float32")),
            _flops(np.dtype("float64")),
            _latency(),
        )


def _bandwidth(threads: int) -> float:
    pairs = [(np.ones(BYTES // 8), np.ones(BYTES // 8)) for _ in range(threads)]
    return _rate(threads, lambda i: np.copyto(*pairs[i]), 2 * BYTES)


@jit.kernel("void(const(float64[::1]), float64[::1])")
def one_after_another(x: FloatArray, out: FloatArray) -> None:
    """A sum from left to right: each addition waits for the one before."""
    total = 0.0
    for i in range(x.shape[0]):
        total = total + x[i]
    out[0] = total


def _latency() -> float:
    x, out = np.ones(16384), np.empty(1)
    return 1 / _rate(1, lambda i: [one_after_another(x, out) for _ in range(20)], 20.0 * len(x))


def _flops(dtype: np.dtype[np.floating]) -> float:
    n, m, k = SHAPE
    triples = [(np.ones((n, m), dtype), np.ones((m, k), dtype), np.empty((n, k), dtype)) for _ in range(usable_cores())]

    def products(i: int) -> None:
        x, w, out = triples[i]
        for _ in range(50):
            np.matmul(x, w, out=out)

    return _rate(usable_cores(), products, 50 * 2.0 * n * m * k)


def _rate(threads: int, work: Callable[[int], object], amount: float) -> float:
    """The best of a few rounds in which every thread does the work: what the machine can do, not what it did."""
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(8):
            began = time.perf_counter()
            list(pool.map(work, range(threads)))
            best = max(best, threads * amount / (time.perf_counter() - began))
    return best
