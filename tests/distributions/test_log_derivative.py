"""The log-derivative trick, L1–L4, L6 and L7, on every distribution that has a density."""

import itertools

import numpy as np
import pytest

from npgrad.distributions import (
    Autoregressive,
    Bernoulli,
    Categorical,
    DiagonalGaussian,
    FullGaussian,
    GaussianMixture,
    Product,
)
from npgrad.distributions.logspace import log_softmax
from npgrad.distributions.quadrature import legendre
from tests.distributions.rows import assert_close, complex_gradient

DISCRETE = [
    (Categorical(4), (4,)),
    (Bernoulli(3), (2, 2, 2)),
    (Product((Categorical(2), Categorical(3))), (2, 3)),
    (Autoregressive((3, 2)), (3, 2)),
]
CONTINUOUS = [
    DiagonalGaussian(1),
    DiagonalGaussian(2),
    FullGaussian(2),
    GaussianMixture(1, 2),
    GaussianMixture(2, 2),
    Product((Bernoulli(1), DiagonalGaussian(1))),
]


def parameters(pi, seed=3):
    return np.random.default_rng(seed).uniform(-0.7, 0.7, size=(1, pi.n_y))


def support(pi):
    """Actions on a grid, and their weights, with Σ weight·p·f = E f to rounding: equal steps on the real line."""
    if isinstance(pi, Product):
        a, w = support(DiagonalGaussian(1))
        return np.concatenate([np.column_stack([np.full(len(a), coin), a]) for coin in (0, 1)]), np.tile(w, 2)
    step = np.linspace(-20, 20, 161)
    a = np.stack(np.meshgrid(*[step] * pi.act_shape[0], indexing="ij"), axis=-1).reshape(-1, pi.act_shape[0])
    return a, np.full(len(a), (step[1] - step[0]) ** pi.act_shape[0])


def everything(pi, values=None):
    if values is None:
        return support(pi)
    act = np.array(list(itertools.product(*map(range, values))))
    return (act[:, 0] if pi.act_shape == () else act), np.ones(len(act))


@pytest.mark.parametrize(("pi", "values"), [*DISCRETE, *((pi, None) for pi in CONTINUOUS)], ids=str)
def test_the_gradient_of_a_mean_is_the_mean_of_score_times_f(pi, values):
    y = parameters(pi)
    act, weight = everything(pi, values)
    rows = np.repeat(y, len(act), axis=0)
    p = np.exp(pi.log_prob(rows, act))
    score = pi.score(rows, act)
    assert (weight * p).sum() == pytest.approx(1, abs=1e-12)  # L7
    assert_close(p[:, None] * score, complex_gradient(lambda x: np.exp(pi.log_prob(x, act)), rows))  # L1
    assert_close((weight * p) @ score, np.zeros(pi.n_y), 1e-12)  # L4

    f = np.cos(act.reshape(len(act), -1) @ np.arange(1.0, 1 + act.reshape(len(act), -1).shape[1]))

    def mean_of_f(x):
        return np.array([(weight * np.exp(pi.log_prob(np.repeat(row[None], len(act), axis=0), act))) @ f for row in x])

    assert_close((weight * p * f) @ score, complex_gradient(mean_of_f, y)[0], 1e-12)  # L2


def test_start_and_dynamics_drop_out_of_the_score_of_a_trajectory():
    """L3: ∇ log p(τ) = Σ_t ∇ log π(a_t|s_t), on every trajectory of a chain of two states, two actions, three steps."""
    rng = np.random.default_rng(0)
    theta = rng.normal(size=(1, 4))  # logits of state s: θ[2s : 2s + 2]
    start, dynamics = rng.dirichlet([1, 1]), rng.dirichlet([1, 1], size=(2, 2))
    pi = Categorical(2)
    for states in itertools.product(range(2), repeat=3):
        for actions in itertools.product(range(2), repeat=3):

            def log_p(x, states=states, actions=actions):
                total = np.log(start[states[0]])
                for t, (s, a) in enumerate(zip(states, actions, strict=True)):
                    total = total + log_softmax(x[:, 2 * s : 2 * s + 2])[:, a]
                    total = total + (np.log(dynamics[s, a, states[t + 1]]) if t < 2 else 0)
                return total

            score = np.zeros((1, 4))
            for s, a in zip(states, actions, strict=True):
                score[:, 2 * s : 2 * s + 2] += pi.score(theta[:, 2 * s : 2 * s + 2], np.array([a]))
            assert_close(score, complex_gradient(log_p, theta))


@pytest.mark.parametrize("theta", [0.5, 2.0])
def test_a_support_that_moves_with_theta_breaks_the_trick(theta):
    """L6: x ~ U(0, θ), f(x) = x. E f = θ/2, so ∇E f = ½; but the score is −1/θ, and E[score f] = −½."""
    x, w = legendre(4)

    def mean_of_f(limit):
        return np.sum(w * limit / 2 * (limit / 2 * (1 + x)) / limit)

    gradient = mean_of_f(theta + 1e-30j).imag / 1e-30
    score = -1 / theta  # of log p = −log θ
    assert gradient == pytest.approx(0.5, abs=1e-14)
    assert score * mean_of_f(theta) == pytest.approx(-0.5, abs=1e-14)
