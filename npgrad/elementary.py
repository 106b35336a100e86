"""exp, log, sine and cosine, tanh from + − × ÷, floor, min, max and integer bits alone.

The libraries of C, NumPy and LLVM differ from one another in the last place. These functions are one source that runs
on NumPy arrays, on NumPy scalars and, called from a kernel, compiled; every step is an operation whose result IEEE 754
fixes, so the three agree to the bit. They have no branches, so that loops over them vectorise.

    function    on                          largest error found (ulp: unit in the last place of the result)
    exp         all doubles                 0.95 ulp; 1 ulp where the result is subnormal
    log         normal positive doubles     0.9 ulp
    sincos      |x| ≤ 10⁸                   1.6e-16 absolute; within [−1, 1] for every finite x
    sincospi    all doubles                 1.8 ulp
    tanh        all doubles                 2.5 ulp

The polynomials are interpolations at Chebyshev nodes, done in 70 digits, of the function written above each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

__all__ = ["exp", "from_bits", "log", "log_or_nan", "sincos", "sincospi", "tanh", "to_bits"]

Function = TypeVar("Function", bound=Callable[..., Any])

# A double is sign | 11 bits of exponent + 1023 | 52 bits of mantissa.
_ONE_BITS = 1023 << 52  # of 1.0
_SQRT_HALF_BITS = 0x3FE6A09E667F3BCD  # of √½
_SIGN = -(1 << 63)
_SHIFT = 6755399441055744.0  # 1.5 · 2⁵²: x + _SHIFT has the integer nearest to x in its low bits
_SHIFT_BITS = 0x4338000000000000

_INV_LN2 = 1.4426950408889634
_LN2_HI = 0.6931471803691238  # 32 bits, so that k · _LN2_HI is exact
_LN2_LO = 1.9082149292705877e-10
_TWO_OVER_PI = 0.6366197723675814
_HALF_PI_1 = 1.570796325802803  # 27 bits each, so that k · _HALF_PI_1 is exact for |k| < 2²⁶
_HALF_PI_2 = 9.920935739593517e-10
_HALF_PI_3 = 5.721188726109832e-18
_PI = 3.141592653589793
_ABOVE_QUARTER_PI = 0.786  # n is rounded: r may exceed π/4 by 10⁻⁸


def _scalar_double(x: Any) -> Any:
    return np.float64(x)


def _scalar_to_bits(x: Any) -> Any:
    return np.float64(x).view(np.int64)


def _scalar_from_bits(i: Any) -> Any:
    return np.int64(i).view(np.float64)


def _compiled_as(twin: Function) -> Callable[[Function], Function]:
    """Name the function that kernels compile instead: numba cannot view a scalar as NumPy views an array."""

    def mark(function: Function) -> Function:
        setattr(function, "compiled", twin)  # noqa: B010  # read by npgrad.jit.source
        return function

    return mark


@_compiled_as(_scalar_double)
def _double(x: Any) -> Any:
    """Numbers as doubles."""
    return np.asarray(x, np.float64)[()]


@_compiled_as(_scalar_to_bits)
def to_bits(x: Any) -> Any:
    """The 64 bits of doubles, as integers."""
    return np.asarray(x, np.float64).view(np.int64)[()]


@_compiled_as(_scalar_from_bits)
def from_bits(i: Any) -> Any:
    """The doubles with these 64 bits."""
    return np.asarray(i, np.int64).view(np.float64)[()]


def _power_of_two(k: Any) -> Any:
    """2^k for integers −1022 ≤ k ≤ 1023."""
    return from_bits((k + 1023) << 52)


def _reduced_expm1(x: Any) -> tuple[Any, Any]:
    """k and e^r − 1 with x = k log 2 + r, |r| ≤ ½ log 2."""
    shifted = x * _INV_LN2 + _SHIFT
    k = to_bits(shifted) - _SHIFT_BITS
    n = shifted - _SHIFT  # k as a double
    r = (x - n * _LN2_HI) - n * _LN2_LO
    # (e^r − 1 − r) / r²
    p = 2.0914686968086876e-09
    p = p * r + 2.5105217004720745e-08
    p = p * r + 2.75572736431103e-07
    p = p * r + 2.7557255400206422e-06
    p = p * r + 2.4801587325547743e-05
    p = p * r + 0.00019841269874820627
    p = p * r + 0.0013888888888883748
    p = p * r + 0.008333333333326136
    p = p * r + 0.04166666666666667
    p = p * r + 0.1666666666666667
    p = p * r + 0.5
    return k, r + (r * r) * p


def exp(x: Any) -> Any:
    """e^x: inf above 709.78, subnormal below −708.4 and 0 below −745.13.

    Parameters
    ----------
    x : array or float
        Any double; NaN gives NaN.

    Returns
    -------
    array or float
        e^x.

    Examples
    --------
    >>> float(exp(0.0)), float(exp(-1000.0))
    (1.0, 0.0)
    """
    k, p = _reduced_expm1(np.minimum(np.maximum(_double(x), -746.0), 711.0))
    half = k >> 1  # 2^k in two factors: k itself may be no exponent of a normal double
    return (1.0 + p) * _power_of_two(half) * _power_of_two(k - half)


def log(x: Any) -> Any:
    """log x, the natural logarithm.

    Parameters
    ----------
    x : array or float
        Normal positive doubles, 2.3e-308 ≤ x < inf. Limitation: the result for others means nothing.

    Returns
    -------
    array or float
        log x.

    Examples
    --------
    >>> float(log(1.0)), float(log(8.0))
    (0.0, 2.0794415416798357)
    """
    bits = to_bits(x)
    k = (bits - _SQRT_HALF_BITS) >> 52
    m = from_bits(bits - (k << 52))  # x = 2^k m, √½ ≤ m < √2
    n = from_bits(k + _SHIFT_BITS) - _SHIFT  # k as a double
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    # (log((1+s)/(1−s)) − 2s) / s³
    p = 0.13086767009948175
    p = p * z + 0.13268759668560612
    p = p * z + 0.15386240205813478
    p = p * z + 0.18181795630884753
    p = p * z + 0.2222222239180047
    p = p * z + 0.2857142857080323
    p = p * z + 0.4000000000000088
    p = p * z + 0.6666666666666666
    # log m = 2s + s z p = f − (f²/2 − s (f²/2 + z p))
    h = 0.5 * f * f
    return n * _LN2_HI - ((h - (s * (h + z * p) + n * _LN2_LO)) - f)


def log_or_nan(x: Any) -> Any:
    """log x of normal positive doubles, to the bit; NaN of NaN, of which `log` makes a number.

    Parameters
    ----------
    x : array or float
        Normal positive doubles, or NaN, such as sums of e^y where y may have overflowed.

    Returns
    -------
    array or float
        log x.

    Examples
    --------
    >>> float(log_or_nan(1.0)), float(log_or_nan(np.nan))
    (0.0, nan)
    """
    return log(x) + 0.0 * x


def _sincos_quarter(r: Any, q: Any) -> tuple[Any, Any]:
    """Sine and cosine of r + qπ/2 for |r| ≤ 0.786 and an integer q."""
    z = r * r
    # (sin r − r) / r³
    p = -7.586691094197958e-13
    p = p * z + 1.6058531516797758e-10
    p = p * z - 2.5052106231802837e-08
    p = p * z + 2.7557319219337312e-06
    p = p * z - 0.00019841269841265063
    p = p * z + 0.008333333333333331
    p = p * z - 0.16666666666666666
    sin_r = r + (r * z) * p
    # (cos r − 1 + r²/2) / r⁴
    p = -1.1382623647474604e-11
    p = p * z + 2.087614614655861e-09
    p = p * z - 2.7557317271145144e-07
    p = p * z + 2.480158729876456e-05
    p = p * z - 0.0013888888888887398
    p = p * z + 0.041666666666666664
    h = 0.5 * z
    w = 1.0 - h
    cos_r = w + (((1.0 - w) - h) + (z * z) * p)
    # an odd q exchanges the two; the sine is negated in quadrants 2 and 3, the cosine in 1 and 2
    s = to_bits(sin_r)
    c = to_bits(cos_r)
    exchanged = (s ^ c) & -(q & 1)
    sine = from_bits((s ^ exchanged) ^ ((q & 2) << 62))
    cosine = from_bits((c ^ exchanged) ^ (((q + 1) & 2) << 62))
    return sine, cosine


def sincos(x: Any) -> tuple[Any, Any]:
    """sin x and cos x, x in radians.

    Parameters
    ----------
    x : array or float
        Limitation: for |x| > 10⁸ the error grows in proportion to |x|. Infinity and NaN give NaN.

    Returns
    -------
    tuple of two
        sin x and cos x, in [−1, 1].

    Examples
    --------
    >>> sine, cosine = sincos(np.array([0.0, 1.0]))
    >>> sine, cosine
    (array([0.        , 0.84147098]), array([1.        , 0.54030231]))
    """
    x = _double(x)
    shifted = x * _TWO_OVER_PI + _SHIFT
    q = to_bits(shifted) - _SHIFT_BITS
    n = shifted - _SHIFT
    r = ((x - n * _HALF_PI_1) - n * _HALF_PI_2) - n * _HALF_PI_3
    return _sincos_quarter(np.minimum(np.maximum(r, -_ABOVE_QUARTER_PI), _ABOVE_QUARTER_PI), q)


def sincospi(x: Any) -> tuple[Any, Any]:
    """sin πx and cos πx, exact in their zeros and signs.

    Parameters
    ----------
    x : array or float
        Any double. Infinity and NaN give NaN.

    Returns
    -------
    tuple of two
        sin πx and cos πx.

    Examples
    --------
    >>> [float(value) for value in sincospi(1.5)]
    [-1.0, 0.0]
    """
    bits = to_bits(x)
    sign = bits & _SIGN
    a = from_bits(bits ^ sign)  # |x|
    a = a - 2.0 * np.floor(0.5 * a)  # of one period, [0, 2); exact
    shifted = 2.0 * a + _SHIFT
    q = to_bits(shifted) - _SHIFT_BITS
    n = shifted - _SHIFT
    sine, cosine = _sincos_quarter((a - 0.5 * n) * _PI, q)
    return from_bits(to_bits(sine) ^ sign), cosine


def tanh(x: Any) -> Any:
    """tanh x = (e^{2x} − 1) / (e^{2x} + 1).

    Parameters
    ----------
    x : array or float
        Any double; NaN gives NaN.

    Returns
    -------
    array or float
        tanh x.

    Examples
    --------
    >>> tanh(np.array([-1.0, 0.0, 30.0]))
    array([-0.76159416,  0.        ,  1.        ])
    """
    bits = to_bits(x)
    k, p = _reduced_expm1(2.0 * np.minimum(from_bits(bits & ~_SIGN), 22.0))
    power = _power_of_two(k)
    t = power * p + (power - 1.0)  # e^{2|x|} − 1
    return from_bits(to_bits(t / (t + 2.0)) | (bits & _SIGN))
