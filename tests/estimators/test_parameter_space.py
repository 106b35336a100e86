"""Finite differences and evolution strategies: exact on polynomials, orders of their errors (P10, P11)."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad.errors import InvalidInput, NonFinite
from npgrad.estimators import EvolutionStrategy, FiniteDifferences, centred_ranks
from npgrad.pool import thread_pool
from tests.estimators.worlds import close

seeds = st.integers(0, 10_000)


class Quadratic:
    """J(θ) = c + gᵀθ + ½ θᵀHθ, with a record of what was asked."""

    def __init__(self, seed, n=3, noise=0.0):
        rng = np.random.default_rng(seed)
        self.g, self.H, self.noise, self.asked = rng.normal(size=n), rng.normal(size=(n, n)), noise, []
        self.H = self.H + self.H.T

    def __call__(self, theta, i):
        self.asked.append((theta, i))
        noise = np.random.default_rng(i).normal(size=4)
        return 1 + self.g @ theta + 0.5 * theta @ self.H @ theta + self.noise * noise

    def gradient(self, theta):
        return self.g + self.H @ theta


@given(seeds, st.floats(0.01, 2))
def test_central_differences_are_exact_on_quadratics_and_forward_ones_off_by_half_the_curvature(seed, epsilon):
    J, theta = Quadratic(seed), np.random.default_rng(seed + 1).normal(size=3)
    exact = J.gradient(theta)
    close(FiniteDifferences(epsilon)(J, theta).gradient, exact, 1e-11)
    forward = FiniteDifferences(epsilon, central=False)(J, theta).gradient
    close(forward, exact + 0.5 * epsilon * np.diag(J.H), 1e-11)


def test_orders_of_the_errors():
    J = lambda theta, i: np.array([np.sin(theta[0])])  # noqa: E731
    for central, order in ((False, 1), (True, 2)):
        errors = [
            abs(FiniteDifferences(eps, central)(J, np.array([0.7])).gradient[0] - np.cos(0.7)) for eps in (1e-1, 1e-2)
        ]
        assert np.log10(errors[0] / errors[1]) == pytest.approx(order, abs=0.05)


@pytest.mark.parametrize(("central", "asked"), [(True, 6), (False, 4)])
def test_evaluations_asked_for(central, asked):
    theta = np.array([1.0, -1.0, 2.0])
    J = Quadratic(0)
    FiniteDifferences(0.1, central)(J, theta)
    assert [i for _, i in J.asked] == [0] * asked
    J = Quadratic(0)
    FiniteDifferences(0.1, central, common_random_numbers=False)(J, theta)
    assert [i for _, i in J.asked] == list(range(asked))


@pytest.mark.parametrize("central", [True, False])
def test_common_random_numbers_cancel_additive_noise(central):
    J, theta = Quadratic(1, noise=10.0), np.ones(3)
    common = FiniteDifferences(0.1, central)(J, theta)
    own = FiniteDifferences(0.1, central, common_random_numbers=False)(J, theta)
    assert common.variance < 1e-20
    assert own.variance > 1
    assert common.n_episodes == 4


def hermite(n, dims):
    """Directions and weights with which E over N(0, I) of polynomials up to degree 2n − 1 is a sum."""
    x, w = np.polynomial.hermite_e.hermegauss(n)
    nodes = np.array(list(itertools.product(x, repeat=dims)))
    weights = np.array([np.prod(c) for c in itertools.product(w / w.sum(), repeat=dims)])
    return nodes, weights


@pytest.mark.parametrize("antithetic", [True, False])
@given(seed=seeds, sigma=st.floats(0.1, 1.5))
def test_the_mean_is_the_gradient_of_the_smoothed_objective(antithetic, seed, sigma):
    a, b, c = np.random.default_rng(seed).normal(size=3)
    theta = np.random.default_rng(seed + 1).normal(size=2)

    def J(theta, i):  # a x³ + b x²y + c y⁴
        x, y = theta
        return np.array([a * x**3 + b * x**2 * y + c * y**4])

    nodes, weights = hermite(6, 2)
    terms = EvolutionStrategy(sigma, antithetic)(J, theta, nodes).per_episode
    x, y = theta
    gradient = np.array([3 * a * x**2 + 2 * b * x * y, b * x**2 + 4 * c * y**3])
    half_laplacian = sigma**2 / 2 * np.array([6 * a, 2 * b + 24 * c * y])  # (σ²/2) ∇ΔJ, here the whole bias
    close(weights @ terms, gradient + half_laplacian)


def test_pairs_share_a_noise_number_and_nobody_else_does():
    J, directions = Quadratic(0), np.eye(3)[:2]
    EvolutionStrategy(0.5)(J, np.zeros(3), directions)
    assert [i for _, i in J.asked] == [0, 1, 0, 1]
    np.testing.assert_array_equal(J.asked[2][0], -0.5 * directions[0])
    J = Quadratic(0)
    EvolutionStrategy(0.5, common_random_numbers=True)(J, np.zeros(3), directions)
    assert [i for _, i in J.asked] == [0] * 4


@given(seeds)
def test_rank_shaping_does_not_see_monotone_maps(seed):
    J, rng = Quadratic(seed), np.random.default_rng(seed)
    theta, directions = rng.normal(size=3), rng.normal(size=(5, 3))
    strategy = EvolutionStrategy(0.3, shaping=centred_ranks)
    plain = strategy(J, theta, directions)
    mapped = strategy(lambda th, i: np.exp(0.1 * J(th, i)), theta, directions)
    np.testing.assert_array_equal(plain.gradient, mapped.gradient)


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=8))
def test_centred_ranks_count_those_below_and_above(values):
    v, n = np.array(values, float), len(values)
    expected = [(sum(v < x) - sum(v > x)) / 2 / (n - 1) for x in v]
    np.testing.assert_allclose(centred_ranks(v), expected, atol=1e-15)


def test_ranks_of_one_are_zero():
    np.testing.assert_array_equal(centred_ranks(np.array([3.0])), [0.0])


def test_threads_change_no_bit():
    theta, directions = np.ones(3), np.random.default_rng(0).normal(size=(6, 3))
    with thread_pool(2) as executor:
        for make, args in ((FiniteDifferences, ()), (EvolutionStrategy, (directions,))):
            alone, shared = (
                make(0.1)(Quadratic(2), theta, *args),
                make(0.1, executor=executor)(Quadratic(2), theta, *args),
            )
            np.testing.assert_array_equal(alone.gradient, shared.gradient)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: FiniteDifferences(0.0), InvalidInput, "epsilon is 0"),
        (lambda: EvolutionStrategy(-1.0), InvalidInput, "sigma is -1"),
        (
            lambda: FiniteDifferences(0.1)(lambda th, i: np.zeros(1 + int(th[0] > 0)), np.zeros(1)),
            InvalidInput,
            r"shapes \(1,\), \(2,\)",
        ),
        (lambda: FiniteDifferences(0.1)(lambda th, i: np.full(2, np.nan), np.zeros(1)), NonFinite, "returns"),
        (
            lambda: EvolutionStrategy(0.1)(lambda th, i: np.zeros(1), np.zeros(2), np.zeros((3, 1))),
            InvalidInput,
            "directions has shape",
        ),
        (
            lambda: EvolutionStrategy(0.1, shaping=lambda J: J[:1])(
                lambda th, i: np.zeros(1), np.zeros(1), np.ones((2, 1))
            ),
            InvalidInput,
            "shaped returns",
        ),
    ],
)
def test_errors_name_what_is_wrong(call, error, message):
    with pytest.raises(error, match=message):
        call()
