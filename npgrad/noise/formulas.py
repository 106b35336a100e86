"""Philox4x32-10 and Box–Muller as formulas: on Python integers, NumPy arrays and, in kernels, compiled scalars.

    noise(seed, stream, episode, step, j)        key = seed                   words k0, k1 = low, high
                                                 counter = place of a block   words c0 … c3, see `counter`

Words are 32-bit numbers carried in 64-bit integers. A product of two of them may wrap a signed 64-bit integer, by which
no bit is lost; a Python integer does not wrap; masked, both give the same words.

Source: Salmon, Moraes, Dror, Shaw 2011, Parallel random numbers: as easy as 1, 2, 3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import elementary

__all__ = ["NORMAL", "UNIFORM", "counter", "normals", "philox", "uniforms"]

UNIFORM = 0  # kinds of number, one bit of the counter
NORMAL = 1

MASK = 0xFFFFFFFF
_M0 = 0xD2511F53
_M1 = 0xCD9E8D57
_W0 = 0x9E3779B9
_W1 = 0xBB67AE85

_ONE_BITS = 1023 << 52  # the bits of 1.0
_ONE_LESS = 0.9999999999999999  # 1 − 2⁻⁵³


def philox(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> tuple[Any, Any, Any, Any]:
    """The four words that key (k0, k1) gives for counter (c0, c1, c2, c3), after ten rounds."""
    for _ in range(10):
        p0 = c0 * _M0
        p1 = c2 * _M1
        c0 = ((p1 >> 32) & MASK) ^ c1 ^ k0
        c2 = ((p0 >> 32) & MASK) ^ c3 ^ k1
        c1 = p1 & MASK
        c3 = p0 & MASK
        k0 = (k0 + _W0) & MASK
        k1 = (k1 + _W1) & MASK
    return c0, c1, c2, c3


def counter(stream: Any, kind: Any, block: Any, episode: Any, step: Any) -> tuple[Any, Any, Any, Any]:
    """The counter of a block: step, stream | kind | block in 8 + 1 + 23 bits, episode low, episode high."""
    return step & MASK, ((stream << 24) | (kind << 23) | block) & MASK, episode & MASK, (episode >> 32) & MASK


def _unit(low: Any, high: Any) -> Any:
    """u = (n + ½) · 2⁻⁵², n the top 52 bits of 64: exact, in the open (0, 1), symmetric about ½."""
    n = (high << 20) | (low >> 12)
    return elementary.from_bits(n | _ONE_BITS) - _ONE_LESS  # 1 + 2⁻⁵² n − (1 − 2⁻⁵³)


def uniforms(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> tuple[Any, Any]:
    """The two uniform numbers of a block."""
    w0, w1, w2, w3 = philox(c0, c1, c2, c3, k0, k1)
    return _unit(w0, w1), _unit(w2, w3)


def normals(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> tuple[Any, Any]:
    """The two standard normal numbers of a block, √(−2 log u) cos 2πv and √(−2 log u) sin 2πv."""
    u, v = uniforms(c0, c1, c2, c3, k0, k1)
    radius = np.sqrt(-2.0 * elementary.log(u))
    sine, cosine = elementary.sincospi(2.0 * v)
    return radius * cosine, radius * sine
