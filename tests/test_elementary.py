"""Elementary functions: error in ulp against 40 digits; the same bits compiled, on arrays and on scalars."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad import elementary, jit

mpmath.mp.dps = 40


@jit.kernel("void(const(float64[::1]), float64[::1])")
def run_exp(x, out):
    for i in range(x.shape[0]):
        out[i] = elementary.exp(x[i])


@jit.kernel("void(const(float64[::1]), float64[::1])")
def run_log(x, out):
    for i in range(x.shape[0]):
        out[i] = elementary.log(x[i])


@jit.kernel("void(const(float64[::1]), float64[::1])")
def run_tanh(x, out):
    for i in range(x.shape[0]):
        out[i] = elementary.tanh(x[i])


@jit.kernel("void(const(float64[::1]), float64[:,::1])")
def run_sincos(x, out):
    for i in range(x.shape[0]):
        out[0, i], out[1, i] = elementary.sincos(x[i])


@jit.kernel("void(const(float64[::1]), float64[:,::1])")
def run_sincospi(x, out):
    for i in range(x.shape[0]):
        out[0, i], out[1, i] = elementary.sincospi(x[i])


KERNELS = {
    elementary.exp: run_exp,
    elementary.log: run_log,
    elementary.tanh: run_tanh,
    elementary.sincos: run_sincos,
    elementary.sincospi: run_sincospi,
}
PAIRS = (elementary.sincos, elementary.sincospi)


def in_kernel(function, x, plain=False):
    out = np.empty((2, x.size)) if function in PAIRS else np.empty(x.size)
    if plain:
        with np.errstate(all="ignore"):
            KERNELS[function].py_func(x, out)
    else:
        KERNELS[function](x, out)
    return out


def same_bits(a, b):
    nan = np.isnan(a) & np.isnan(b)  # a NaN's payload says nothing
    return np.array_equal(np.where(nan, 0.0, a).view(np.int64), np.where(nan, 0.0, b).view(np.int64))


def ulp_error(got, exact_function, x):
    """Largest |got − f(x)| in units in the last place of f(x)."""
    worst = 0.0
    for value, argument in zip(got, x, strict=True):
        exact = exact_function(mpmath.mpf(float(argument)))
        worst = max(worst, float(abs(mpmath.mpf(float(value)) - exact) / math.ulp(float(exact))))
    return worst


def around(points, n=4):
    """The points and their n neighbours on both sides."""
    out = [np.asarray(points, float)]
    for way in (np.inf, -np.inf):
        x = out[0]
        for _ in range(n):
            x = np.nextafter(x, way)
            out.append(x)
    return np.unique(np.concatenate(out))


SPECIAL = np.array(
    [0.0, -0.0, 1.0, -1.0, 5e-324, 2.3e-308, 709.7, 709.8, -708.4, -745.2, -1e5, 1e5, 1e300, -1e300, -np.inf, np.nan]
)


@pytest.mark.parametrize("function", list(KERNELS), ids=lambda f: f.__name__)
@given(x=st.lists(st.floats(), min_size=1, max_size=17))
@settings(max_examples=60, deadline=None)
def test_compiled_array_and_scalar_agree_to_the_bit(function, x):
    x = np.array(x)
    if function is elementary.log:
        x = np.abs(x)
        x = np.where((x > 2.3e-308) & (x < np.inf), x, 1.0)
    with np.errstate(all="ignore"):
        on_arrays = np.asarray(function(x))
    assert same_bits(on_arrays, in_kernel(function, x))
    assert same_bits(on_arrays, in_kernel(function, x, plain=True))


@pytest.mark.parametrize("function", [f for f in KERNELS if f is not elementary.log], ids=lambda f: f.__name__)
def test_same_bits_on_special_values_and_any_shape(function):
    with np.errstate(all="ignore"):
        got = np.asarray(function(SPECIAL))
        assert same_bits(got, in_kernel(function, SPECIAL))
        grid = np.asarray(function(np.tile(SPECIAL, (3, 1)).T))  # not contiguous
    assert same_bits(grid[..., 1], got)


def test_exp_error():
    rng = np.random.default_rng(20)
    half_steps = around((np.arange(-40, 41) + 0.5) * math.log(2))
    x = np.concatenate(
        [half_steps, rng.uniform(-708, 709.7, 3000), rng.normal(size=2000), 10.0 ** rng.uniform(-20, 0, 500)]
    )
    assert ulp_error(elementary.exp(x), mpmath.exp, x) < 0.95


def test_exp_of_subnormal_result_and_limits():
    rng = np.random.default_rng(20)
    x = rng.uniform(-745.1, -708.4, 500)
    assert ulp_error(elementary.exp(x), mpmath.exp, x) <= 1.0
    limits = np.array([-np.inf, -1e300, -746.0, 709.79, 1e300, np.inf])
    with np.errstate(over="ignore"):
        assert np.array_equal(elementary.exp(limits), [0, 0, 0, np.inf, np.inf, np.inf])
        assert np.isnan(elementary.exp(np.nan))
    assert elementary.exp(0.0) == 1.0 == elementary.exp(-0.0)


def test_log_error():
    rng = np.random.default_rng(20)
    x = np.concatenate(
        [
            around([1.0, 0.5, 2.0, math.sqrt(0.5), math.sqrt(2.0)], 50),
            rng.uniform(0, 1, 3000),
            rng.uniform(0.5, 2.0, 2000),
            np.exp(rng.uniform(-708, 709, 2000)),
            [2.2250738585072014e-308, 1.7976931348623157e308, 2.0**-53],
        ]
    )
    assert ulp_error(elementary.log(x), lambda v: mpmath.log(v) if v != 1 else mpmath.mpf(0), x) < 0.9
    assert same_bits(elementary.log_or_nan(x), elementary.log(x))
    assert np.isnan(elementary.log_or_nan(np.nan))


def test_tanh_error():
    rng = np.random.default_rng(20)
    x = np.concatenate(
        [rng.normal(size=3000), rng.uniform(-25, 25, 1000), 10.0 ** rng.uniform(-300, 0, 1000), around([np.log(2) / 4])]
    )
    assert ulp_error(elementary.tanh(x), mpmath.tanh, x) < 2.5
    assert np.array_equal(elementary.tanh(np.array([np.inf, -np.inf, 1e300])), [1, -1, 1])
    assert np.signbit(elementary.tanh(-0.0))


@pytest.mark.parametrize("scale", [1.0, 1e2, 1e5, 1e8])
def test_sincos_error(scale):
    rng = np.random.default_rng(20)
    multiples = around(np.arange(-20, 21) * (np.pi / 4), 3)
    large = around(np.floor(rng.uniform(-scale, scale, 200)) * (np.pi / 2), 1)
    x = np.concatenate(
        [rng.uniform(-scale, scale, 1500), large[np.abs(large) <= scale], multiples if scale == 1e2 else []]
    )
    sine, cosine = elementary.sincos(x)
    for got, exact in ((sine, mpmath.sin), (cosine, mpmath.cos)):
        assert (
            max(abs(mpmath.mpf(float(g)) - exact(mpmath.mpf(float(v)))) for g, v in zip(got, x, strict=True)) < 1.6e-16
        )


def test_sincos_stays_in_range_everywhere():
    rng = np.random.default_rng(20)
    x = np.concatenate([10.0 ** rng.uniform(-300, 308, 2000), -(10.0 ** rng.uniform(0, 20, 1000))])
    sine, cosine = elementary.sincos(x)
    assert (np.abs(sine) <= 1).all()
    assert (np.abs(cosine) <= 1).all()
    with np.errstate(invalid="ignore"):
        assert np.isnan(elementary.sincos(np.array([np.inf, np.nan]))).all()


def test_sincospi_error_and_exact_places():
    rng = np.random.default_rng(20)
    x = np.concatenate([rng.uniform(-2, 2, 3000), rng.uniform(-1e6, 1e6, 1000), around(np.arange(-8, 9) / 4)])
    sine, cosine = elementary.sincospi(x)
    nonzero = np.mod(x, 1) != 0
    assert ulp_error(sine[nonzero], mpmath.sinpi, x[nonzero]) < 2.0
    nonzero = np.mod(x, 1) != 0.5
    assert ulp_error(cosine[nonzero], mpmath.cospi, x[nonzero]) < 2.0
    quarter_turns = np.array([0.0, 0.5, 1.0, 1.5, 2.0, -0.5, 1e15, 2.0**60])
    sine, cosine = elementary.sincospi(quarter_turns)
    assert np.array_equal(sine, [0, 1, 0, -1, 0, -1, 0, 0])
    assert np.array_equal(cosine, [1, 0, -1, 0, 1, 0, 1, 1])


def test_ulp_error_sees_a_wrong_bit():
    rng = np.random.default_rng(20)
    x = rng.normal(size=20)
    wrong = elementary.exp(x)
    wrong[7] = np.nextafter(np.nextafter(wrong[7], 0.0), 0.0)
    assert ulp_error(wrong, mpmath.exp, x) > 1.0


def test_imports_no_jit():
    assert "jit" not in vars(elementary)
