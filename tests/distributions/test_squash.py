import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.distributions import (
    DiagonalGaussian,
    expected_log_slope,
    expected_log_slope_grad,
    log_jacobian,
    log_slope,
    squashed_entropy,
)
from npgrad.distributions.quadrature import hermite, legendre
from tests.distributions.rows import arrays, assert_close, complex_gradient

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")
WIDTHS = [1e-12, 1e-3, 0.3, 0.5, 0.50001, 2.0, 30.0, 1e4]


def digits(mean, std):
    """E log(1 − tanh² u), E tanh u and σ² E(1 − tanh² u) to 25 digits."""
    with mpmath.workdps(25):
        m, s = mpmath.mpf(mean), mpmath.mpf(std)
        ends = m - 11 * s, m + 11 * s
        edges = [
            *ends,
            *(m + z * s for z in (-6, -3, 0, 3, 6)),
            *(x for x in (-30, -4, 0, 4, 30) if ends[0] < x < ends[1]),
        ]
        expect = [
            mpmath.quad(lambda u, f=f: mpmath.npdf(u, m, s) * f(u), sorted(edges))
            for f in (lambda u: -2 * mpmath.log(mpmath.cosh(u)), mpmath.tanh, lambda u: mpmath.sech(u) ** 2)
        ]
        return float(expect[0]), float(expect[1]), float(s * s * expect[2])


@pytest.mark.parametrize("std", WIDTHS)
@pytest.mark.parametrize("mean", [0.0, -1.3, 25.0])
def test_quadrature_against_twenty_five_digits(mean, std):
    value, tanh, slope = digits(mean, std)
    at = np.array([mean]), np.log([std])
    assert expected_log_slope(*at)[0] == pytest.approx(value, abs=1e-14 * (1 + abs(mean) + std))
    in_mean, in_log_std = expected_log_slope_grad(*at)
    assert in_mean[0] == pytest.approx(-2 * tanh, abs=1e-14 * (1 + std))
    assert in_log_std[0] == pytest.approx(-2 * slope, abs=1e-14 * (1 + std))


@given(arrays((4, 6), 2.0), st.sampled_from(WIDTHS))
@settings(max_examples=30, deadline=None)
def test_gradient_is_that_of_complex_step(y, std):
    y[:, 3:] = np.log(std) + 0.1 * y[:, 3:]
    low, high = np.array([-1.0, 0.0, 2.0]), np.array([1.0, 5.0, 3.0])
    _, grad = squashed_entropy(y, low, high)
    assert_close(grad, complex_gradient(lambda x: squashed_entropy(x, low, high)[0], y), 1e-12 * (1 + std))


def test_the_two_rules_meet():
    mean = np.linspace(-4, 4, 41)
    below, above = (expected_log_slope(mean, np.full(41, np.log(0.5) + d)) for d in (-1e-14, 1e-14))
    assert_close(below, above, 1e-13)


@given(arrays((3, 4), 1.0))
@settings(max_examples=20, deadline=None)
def test_density_of_the_squashed_action_integrates_to_one_and_has_that_entropy(y):
    low, high = np.array([-1.0]), np.array([3.0])
    x, w = legendre(40)
    edges = np.linspace(-18, 18, 73)  # panels in u; da = |∂a/∂u| du
    u = (edges[:-1, None] + 0.25 * (1 + x)).ravel()[:, None]
    du = np.tile(0.25 * w, 72)
    jacobian = log_jacobian(u, low, high)
    for row in np.clip(y[:, :2], -1.5, 0.7):
        log_p = DiagonalGaussian(1).log_prob(np.repeat(row[None], len(u), axis=0), u) - jacobian
        da = np.exp(jacobian) * du
        assert np.exp(log_p) @ da == pytest.approx(1, abs=1e-12)
        assert -(np.exp(log_p) * log_p) @ da == pytest.approx(squashed_entropy(row[None], low, high)[0][0], abs=1e-11)


def test_jacobian_is_the_derivative_of_the_map():
    u, low, high = np.linspace(-8, 8, 33)[:, None], np.array([-2.0]), np.array([5.0])
    moved = low + (np.tanh(u + 1e-30j) + 1) / 2 * (high - low)
    np.testing.assert_allclose(np.exp(log_jacobian(u, low, high)), moved.imag[:, 0] / 1e-30, rtol=1e-12)


def test_log_slope_keeps_its_digits_at_both_ends():
    u = np.array([-1e6, -400.0, -1e-9, 0.0, 3.0, 1e6])
    with mpmath.workdps(40):
        expected = [float(-2 * mpmath.log(mpmath.cosh(x))) for x in u]
    np.testing.assert_allclose(log_slope(u), expected, rtol=1e-15, atol=2e-16)
    assert log_slope(u.astype(np.float32)).dtype == np.float32


def test_dtypes_and_no_rows():
    y = np.zeros((2, 4), np.float32)
    h, grad = squashed_entropy(y, np.zeros(2), np.ones(2))
    assert h.dtype == grad.dtype == np.float32
    h, grad = squashed_entropy(np.zeros((0, 4)), np.zeros(2), np.ones(2))
    assert h.shape == (0,)
    assert grad.shape == (0, 4)


@pytest.mark.parametrize("n", [1, 5, 16, 64])
def test_rules_are_exact_for_polynomials(n):
    for degree in range(0, min(2 * n, 40), 3):
        x, w = legendre(n)
        assert w @ x**degree == pytest.approx((1 - (-1) ** (degree + 1)) / (degree + 1), abs=1e-14)
        x, w = hermite(n)
        moment = 0.0 if degree % 2 else float(mpmath.fac2(degree - 1)) if degree else 1.0
        assert w @ x**degree == pytest.approx(moment, abs=1e-11 * (w @ np.abs(x) ** degree))
    with pytest.raises(ValueError, match="read-only"):
        hermite(n)[0][0] = 0
