"""IIT Delhi COL778: the Gaussian score, the pseudo-loss, the best constant baseline."""

from __future__ import annotations

import numpy as np

from ...oracle import SoftmaxBandit
from ...types import Array, FloatArray
from .cs224r import reward_to_go
from .task import Exercise, by_certificate, by_numbers

__all__ = ["COL778_EXERCISES"]


def gaussian_score(a: FloatArray, mu: FloatArray, sigma: FloatArray) -> Array:
    """Σ⁻¹(a − μ)."""
    return np.linalg.solve(sigma, a - mu)


def _by_complex_step(a: FloatArray, mu: FloatArray, sigma: FloatArray) -> FloatArray:
    """∂/∂μ of −½ (a − μ)ᵀ Σ⁻¹ (a − μ)."""
    inverse, h = np.linalg.inv(sigma), 1e-30
    z = [a - mu - 1j * h * e for e in np.eye(len(mu))]
    return np.array([np.imag(-0.5 * (x @ inverse @ x)) / h for x in z])


def best_constant(pi: FloatArray, rewards: FloatArray) -> float:
    """E[‖f‖² R]/E[‖f‖²], f = e_a − π."""
    squares = np.array([((e - pi) ** 2).sum() for e in np.eye(len(pi))])
    return float((pi * squares * rewards).sum() / (pi * squares).sum())


def _best_constant(pi: FloatArray, rewards: FloatArray) -> float:
    return SoftmaxBandit(rewards).moments(np.log(pi)).best_constant()


A, MU = np.array([1.0, -2.0]), np.array([0.5, 1.0])
SIGMA = np.array([[2.0, 0.6], [0.6, 1.0]])
BANDITS = [([0.9, 0.1], [1.0, 0.0]), ([0.5, 0.3, 0.2], [1.0, -2.0, 4.0]), ([0.25] * 4, [3.0, 1.0, 0.0, 2.0])]

COL778_EXERCISES = [
    Exercise(
        "col778-gaussian-score",
        "COL778",
        "S3, X1",
        "The score of a Gaussian",
        "For π = N(μ, Σ) the slides give ∇_μ log π = −½ Σ⁻¹(μ − a). Give it without their mistake.",
        "import numpy as np\n\ndef score(a, mu, sigma):\n    return ...\n",
        gaussian_score,
        by_numbers(
            _by_complex_step,
            [(A, MU, SIGMA), (MU, A, np.diag([4.0, 0.25])), (np.array([-0.8]), np.array([-1.0]), np.array([[0.5]]))],
            {
                "the ½ is too much (X1): the derivative of the square brings a 2": lambda a, m, s: (
                    np.linalg.solve(s, a - m) / 2
                ),
                "the sign is wrong: log π rises towards a": lambda a, m, s: np.linalg.solve(s, m - a),
            },
        ),
    ),
    Exercise(
        "col778-pseudo-loss",
        "COL778",
        "P9, X28",
        "The pseudo-loss",
        "The template does what the slides' pseudo-code does: the mean over all N·T steps of Q̂_t log π_t. Where "
        "episodes differ in length, that is another direction. Mend it.",
        """import numpy as np

def estimator(policy, theta, batch):
    lin = policy.at(theta, batch.obs, batch.act)
    q = np.empty(batch.n_steps)
    for a, b in zip(batch.offsets[:-1], batch.offsets[1:]):
        q[a:b] = np.cumsum(batch.rew[a:b][::-1])[::-1]  # reward to go
    return lin.vjp(q) / batch.n_steps  # reduce_mean(weighted_negative_likelihoods), with the sign turned
""",
        reward_to_go,
        by_certificate(reward_to_go),
    ),
    Exercise(
        "col778-best-baseline",
        "COL778, CS285",
        "B5, X14",
        "The best constant baseline",
        "A bandit: π = softmax(θ), action a pays R_a. Give the constant b for which ĝ = f (R − b) varies least (the "
        "trace of its covariance), b* = E[‖f‖² R]/E[‖f‖²]. At π = (.9, .1), R = (1, 0) it is .1, and the average "
        "reward is worse than none.",
        "import numpy as np\n\ndef best(pi, rewards):\n    return ...\n",
        best_constant,
        by_numbers(
            _best_constant,
            [(np.array(pi), np.array(R)) for pi, R in BANDITS],
            {"that is the average reward, which is not the best (X14)": lambda pi, R: pi @ R},
        ),
    ),
]
