"""What the library makes of many observations, for the exports to be compared with."""

from dataclasses import dataclass

import numpy as np

from npgrad import noise
from tests.deploy.zoo import observations

N = 10_000
SEED = 0xFEDCBA9876543210


@dataclass(frozen=True)
class Expected:
    """Rows of the library's results; `finite`: which of the latent actions are."""

    obs: np.ndarray
    episode: np.ndarray
    step: np.ndarray
    noise: np.ndarray
    mode: np.ndarray
    latent: np.ndarray
    log_prob: np.ndarray
    mode_log_prob: np.ndarray
    size: np.ndarray
    condition: np.ndarray
    finite: np.ndarray

    def close(self, got, expected, eps):
        """Real actions agree to ε times the size of y and of themselves; whole ones are equal."""
        if expected.dtype.kind == "i":
            np.testing.assert_array_equal(got, expected)
        scale = (1 + np.abs(expected)) * (1 + self.size[:, None])
        assert (np.abs(got - expected) <= eps * scale)[self.finite].all()

    def same_log_prob(self, got, expected, eps):
        """Log-probabilities agree to what rounding y by ε may change, ε (1 + Σ_i |y_i ∂log p/∂y_i|)."""
        excess = (np.abs(got - expected) / self.condition)[self.finite]
        assert excess.max() <= eps


def expected(agent, n=N):
    """The library's results on `n` random and edge observations, in float64."""
    policy, theta = agent.policy, agent.theta.astype(np.float64)
    obs = observations(agent, n)
    rng = np.random.default_rng(2)
    episode, step = rng.integers(2**63, size=n), rng.integers(2**32, size=n)
    u = noise.draw(policy.draws, SEED, noise.ACTION, episode, step)
    with np.errstate(all="ignore"):
        mode, mode_log_prob, _ = policy.act(theta, obs)
        latent, log_prob, _ = policy.act(theta, obs, u)
        y = policy.at(theta, obs, mode).y
        score = policy.distribution.score(y, latent)
        seen = np.where(np.isfinite(y), y, 0)  # masked logits are −∞, their score is 0
        condition = 1 + np.abs(seen * score).sum(axis=1)
    rows, size = latent.reshape(n, -1), np.abs(seen).max(axis=1)
    finite = np.isfinite(rows).all(axis=1)
    return Expected(obs, episode, step, u, mode, latent, log_prob, mode_log_prob, size, condition, finite)


def mapped(agent, latent):
    """Rows of the environment's actions (n, k)."""
    with np.errstate(all="ignore"):
        return agent.policy.action_map(latent).reshape(len(latent), -1)
