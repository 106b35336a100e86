"""Deterministic policy gradient (Silver et al. 2014; Lillicrap et al. 2016; S6, P19), off-policy with replay.

act by μ_θ(s) + σε and remember (s, a, r, s');   then, on transitions drawn from all that are remembered,

    w ← w − α_w ∂/∂w mean (r + γ Q_w'(s', μ_θ'(s')) − Q_w(s, a))²
    θ ← θ + α mean (∂μ_θ/∂θ)ᵀ ∇_a Q_w(s, a)|_{a = μ_θ(s)},    (θ', w') ← (1 − τ) (θ', w') + τ (θ, w)

μ and the noise are of latent actions: the action map counts to the environment (see `PerceptronQ` on clipping).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from .. import noise, spaces
from ..critics import Values, bootstrap
from ..deploy import Agent
from ..distributions import Deterministic, DiagonalGaussian
from ..errors import InvalidInput
from ..functions import MLP, Concatenated, Fixed
from ..optimizers import OPTIMIZERS, Adam, Optimizer
from ..policies import ComposedPolicy, Policy
from ..training import Metrics, Schedule
from ..types import Array, Batch, State
from .base import Algorithm, initial_theta
from .deterministic_critics import CompatibleQ, DeterministicCritic, PerceptronQ
from .experience import FromExperience, experience_of
from .off_policy_settings import DPGSettings
from .replay import TransitionReplay
from .value import value_function

__all__ = ["DPG", "DeterministicAscent", "deterministic", "exploring"]


def deterministic(policy: Policy) -> ComposedPolicy:
    """The policy that takes the mean of a Gaussian one, whose θ is that of the mean alone.

    Raises
    ------
    InvalidInput
        If the policy is neither deterministic nor a Gaussian whose σ is a part of its own.
    """
    match policy:
        case ComposedPolicy(distribution=Deterministic()):
            return policy
        case ComposedPolicy(function=Concatenated(parts=(mean, _)), distribution=DiagonalGaussian(k=k)):
            return replace(policy, function=mean, distribution=Deterministic(k))
        case _:
            raise InvalidInput(
                "dpg takes a deterministic policy, or the mean of a Gaussian with std 'shared' or 'fixed'; "
                f"this is a {type(policy).__name__} over {getattr(policy, 'distribution', 'unknown actions')}"
            )


def exploring(policy: ComposedPolicy, sigma: Array) -> ComposedPolicy:
    """μ_θ + σε: a Gaussian with the same θ; σ is (k,)."""
    f = policy.function
    around = Concatenated((f, Fixed(f.n_in, tuple(np.log(sigma).tolist()))))
    return replace(policy, function=around, distribution=DiagonalGaussian(f.n_out))


@dataclass(frozen=True)
class DeterministicAscent(FromExperience):
    """The recipe: some steps with noise, then updates from what is remembered.

    The policy of `experience` is the one that explores.
    """

    replay: TransitionReplay
    critic: DeterministicCritic
    optimizer: Optimizer
    critic_optimizer: Optimizer
    gamma: float
    tau: float
    n_updates: int
    batch_size: int
    learning_starts: int
    schedule: Schedule = field(default_factory=Schedule)
    name = "dpg"

    def init(self, seed: int) -> State:
        """θ_0 and w_0, the same as targets, the optimisers' moments; nothing is remembered."""
        theta, w = initial_theta(self.policy, seed), self.critic.init(seed)
        fitted = {"w": w} | self.critic_optimizer.init(w)
        return self.begin(
            seed, theta, optimizer=self.optimizer.init(theta), critic=fitted, target={"theta": theta, "w": w}
        )

    def step(self, state: State) -> tuple[State, Metrics]:
        """One iteration."""
        data = self.experience.collect(state)
        policy, theta, target = deterministic(data.policy), state.theta, state.group("target")
        replay = self.replay.add(state.group("replay"), data.scaled)
        w, w_moments = apart(state.group("critic"))
        optimizer, moments = self.schedule(self.optimizer, state.timesteps), state.group("optimizer")
        n = len(replay["rew"])
        ready = n >= self.batch_size and state.timesteps + data.batch.n_steps >= self.learning_starts
        figures = {"train/learning_rate": optimizer.learning_rate, "train/n_updates": self.n_updates if ready else 0}
        for k in range(self.n_updates if ready else 0):
            u = noise.uniform(self.batch_size, state.seed, noise.SHUFFLE, state.iteration, k)
            batch = self.replay.read(replay, (u * n).astype(np.int64))
            after = self.critic.value_after(target["w"], policy, target["theta"], batch)
            y = batch.rew + self.gamma * bootstrap(batch, Values(after, after))
            error = self.critic.error_gradient(w, policy, theta, batch, y)
            w, w_moments = self.critic_optimizer.step(w, -error, w_moments)
            g = self.gradient(w, policy, theta, batch)
            theta, moments = optimizer.step(theta, g, moments)
            new = {"theta": theta, "w": w}
            target = {name: (1 - self.tau) * old + self.tau * new[name] for name, old in target.items()}
        if ready:
            figures |= {"train/target_value": float(np.mean(y)), "train/gradient_norm": float(np.linalg.norm(g))}
        groups = {"optimizer": moments, "critic": {"w": w} | w_moments, "target": target, "replay": replay}
        return self.close(data, state, theta, figures, **groups)

    def gradient(self, w: Array, policy: ComposedPolicy, theta: Array, batch: Batch) -> Array:
        """1/T Σ_t (∂μ/∂θ)ᵀ ∇_a Q_w."""
        lin = policy.at(theta, batch.obs, batch.act)  # y = μ
        return lin.action_vjp(self.critic.slope(w, policy, theta, batch, lin.y) / batch.n_steps)

    def agent(self, state: State) -> Agent:
        """What is saved and deployed: μ_θ without noise."""
        noisy = super().agent(state)
        return replace(noisy, policy=deterministic(noisy.policy))


def apart(group: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
    """w, and the moments beside it."""
    return group["w"], {name: array for name, array in group.items() if name != "w"}


class DPG(Algorithm):
    """Deterministic policy gradient with exploration noise, replay, and a compatible or a small critic.

    Parameters
    ----------
    env, policy, seed, engine, threads, n_envs
        As for every algorithm; Box actions, policies without memory. Of a Gaussian policy the mean is taken.
    **settings
        The fields of `DPGSettings`.

    Raises
    ------
    UnsupportedSpace
        If actions are not a Box.

    Examples
    --------
    >>> model = DPG("Pendulum-v1", seed=0, learning_starts=0, n_updates=2).learn(total_timesteps=256)
    >>> model.predict(np.zeros(3))[0].shape
    (1,)
    """

    name = "dpg"
    Settings = DPGSettings
    n_envs = 8

    def policy_for(self, policy: Policy) -> Policy:
        """μ_θ."""
        return deterministic(policy)

    def make_recipe(self, settings: DPGSettings) -> DeterministicAscent:
        """The recipe with these settings."""
        s, policy = settings, deterministic(self.policy)
        if policy.n_memory:
            raise InvalidInput(
                "dpg learns from single transitions, and this policy has a memory; take a2c, npg or trpo"
            )
        box, k = policy.action_space, policy.function.n_out
        half = np.ones(k)
        if isinstance(box, spaces.Box):
            low, high = (np.broadcast_to(np.reshape(bound, -1), k) for bound in (box.low, box.high))
            bounded = np.isfinite(low) & np.isfinite(high)
            half[bounded] = (high[bounded] - low[bounded]) / 2
        critic: DeterministicCritic
        if s.critic == "mlp":
            critic = PerceptronQ(MLP(policy.n_obs + k, 1, hidden=s.critic_hidden, last_scale=1.0))
        else:
            critic = CompatibleQ(value_function(policy, "mlp", s.critic_hidden), policy.n_params)
        return DeterministicAscent(
            experience=experience_of(self, s, policy=exploring(policy, s.sigma * half)),
            replay=TransitionReplay(s.buffer_size),
            critic=critic,
            optimizer=OPTIMIZERS[s.optimizer](s.learning_rate),
            critic_optimizer=Adam(s.critic_learning_rate),
            gamma=s.gamma,
            tau=s.tau,
            n_updates=s.n_updates,
            batch_size=s.batch_size,
            learning_starts=s.learning_starts,
            schedule=Schedule(s.learning_rate_schedule, s.schedule_steps),
        )
