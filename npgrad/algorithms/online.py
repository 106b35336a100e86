"""One-step actor-critic with eligibility traces (Sutton and Barto 2018, section 13.6): it learns from each transition.

    δ = r + γ V_w(s') − V_w(s),  z_w ← γλ_w z_w + ∇V_w(s),  z ← γλ z + I ∇log π_θ(a|s)
    w ← w + α_w δ z_w,           θ ← θ + α (δ z + β I ∇H),  I ← γ I (or I = 1)

δ is the TD residual (P7); along an episode with θ and w held fixed, Σ_t δ_t z_t is Σ_t f_t times GAE (P8). Compiled,
where the environment has a compiled twin and policy and critic are linear or perceptrons; elsewhere the same in NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import noise
from ..errors import InvalidInput
from ..estimators.composition import composed
from ..optimizers import SGD
from ..policies import Policy
from ..rollouts import CompiledRollout
from ..rollouts.fused import Dynamics
from ..training import Metrics, Schedule
from ..types import Array, FloatArray, State
from . import online_kernels as kernels
from .base import Algorithm, initial_theta
from .experience import FromExperience, experience_of
from .networks import Networks, networks_of
from .online_settings import OnlineSettings
from .value import ValueFit, value_function

__all__ = ["Online", "OnlineActorCritic", "OnlineLearner", "Rule", "figures_of"]


@dataclass(frozen=True)
class Rule:
    """How a transition changes θ and w.

    Parameters
    ----------
    learning_rate, critic_learning_rate : float
        α and α_w.
    gamma : float
        γ.
    trace_lambda, critic_trace_lambda : float
        λ and λ_w.
    ent_coef : float
        β.
    overshoot : float
        κ: where κα max(|δ|, 1)‖z‖₁ > 1, α is divided by it (Elsayed, Vasan and Mahmood 2024); 0 leaves α alone.
    discount_states : bool
        Keep I = γ^t.
    """

    learning_rate: float = 0.01
    critic_learning_rate: float = 0.05
    gamma: float = 0.99
    trace_lambda: float = 0.9
    critic_trace_lambda: float = 0.9
    ent_coef: float = 0.0
    overshoot: float = 1.0
    discount_states: bool = False

    @property
    def numbers(self) -> FloatArray:
        """As kernels take them."""
        given = {
            kernels.ALPHA: self.learning_rate,
            kernels.ALPHA_V: self.critic_learning_rate,
            kernels.GAMMA: self.gamma,
            kernels.DECAY: self.trace_lambda,
            kernels.DECAY_V: self.critic_trace_lambda,
            kernels.BETA: self.ent_coef,
            kernels.KAPPA: self.overshoot,
            kernels.SCALE: 1.0,
            kernels.KEEP_DISCOUNT: float(self.discount_states),
        }
        return np.array([given[i] for i in range(len(given))])

    def ascend(self, theta: Array, z: Array, delta: float, alpha: float) -> Array:
        """θ + α δ z, shortened where it would overshoot."""
        bound = self.overshoot * alpha * max(abs(delta), 1.0) * float(np.abs(z).sum())
        return theta + alpha / max(bound, 1.0) * delta * z


class OnlineLearner:
    """An actor-critic that learns from one transition at a time, in any loop of your own.

    Parameters
    ----------
    policy : Policy
        Without memory.
    value : ValueFit, optional
        The critic; a perceptron of 32 units by default.
    rule : Rule, optional
        Step sizes, discount and traces.
    theta, w : array, optional
        Where to begin; the policy's and the critic's own by `seed`.
    seed : int, optional
        Of the first θ and w, and of the actions' noise.

    Attributes
    ----------
    theta, w : array
        As they are now: arrays of its own, changed by `update`.

    Raises
    ------
    InvalidInput
        If the policy has a memory.

    Notes
    -----
    A few microseconds an update for linear policies and perceptrons (compiled); else what the linearisation costs.

    Examples
    --------
    >>> import gymnasium
    >>> from npgrad.policies import make_policy
    >>> env = gymnasium.make("CartPole-v1")
    >>> learner = OnlineLearner(make_policy(env, "linear"))
    >>> obs, _ = env.reset(seed=0)
    >>> for _ in range(100):
    ...     act = learner.act(obs)
    ...     next_obs, rew, terminated, truncated, _ = env.step(learner.policy.action_map(act))
    ...     delta = learner.update(obs, act, rew, next_obs, terminated, truncated)
    ...     obs = env.reset()[0] if terminated or truncated else next_obs
    >>> learner.timesteps
    100
    """

    def __init__(
        self,
        policy: Policy,
        value: ValueFit | None = None,
        rule: Rule | None = None,
        *,
        theta: Array | None = None,
        w: Array | None = None,
        seed: int = 0,
    ) -> None:
        require_no_memory(policy)
        self.policy, self.rule, self.seed = policy, rule or Rule(), seed
        self.value = value or value_function(policy, "mlp", (32,))
        self.theta = np.array(initial_theta(policy, seed) if theta is None else theta, dtype=np.float64)
        self.w = np.array(self.value.init(seed)["w"] if w is None else w, dtype=np.float64)
        self.z, self.z_w = np.zeros_like(self.theta), np.zeros_like(self.w)
        self.discount, self.t, self.timesteps, self.episodes = 1.0, 0, 0, 0
        self._networks = networks_of(policy, self.value)
        self._numbers, self._kinds = self.rule.numbers, noise.kind_codes(policy.draws)

    def act(self, obs: npt.ArrayLike) -> Any:
        """An action drawn from π_θ(·|obs), before the action map."""
        x = np.asarray(obs, dtype=np.float64).reshape(-1)
        if self._networks is None:
            u = noise.draw(self.policy.draws, self.seed, noise.ACTION, self.episodes, self.t)
            return self.policy.act(self.theta, x[None], u[None])[0][0]
        n, act = self._networks, np.empty((len(self._networks.bounds[0]), 1))
        place = self.seed, self.episodes, self.t
        kernels.draw_action(n.spec, n.sizes, n.given, self._kinds, *place, x, self.theta, act)
        return act[:, 0] if n.spec[kernels.GAUSSIAN] else int(act[0, 0])

    def update(
        self,
        obs: npt.ArrayLike,
        act: Any,
        rew: float,
        next_obs: npt.ArrayLike,
        terminated: bool,
        truncated: bool = False,
    ) -> float:
        """Learn from (o, a, r, o'); δ. Only termination has V(o') = 0; either end begins the traces anew.

        Parameters
        ----------
        obs, next_obs : array, shape (d,)
            Flat, before any normaliser.
        act : int, float or array, shape (k,)
            As `act` gave it.
        rew : float
        terminated, truncated : bool
            How the episode ended, if it did.
        """
        x, x_next = (np.asarray(o, dtype=np.float64).reshape(-1) for o in (obs, next_obs))
        if self._networks is not None:
            n = self._networks
            a = np.array(act, dtype=np.float64).reshape(-1)
            delta = kernels.learn_transition(
                n.spec, self._numbers, n.sizes, n.v_sizes, n.given, x, a, float(rew), x_next, bool(terminated),
                float(self.t), self.discount, self.theta, self.w, self.z, self.z_w,
            )  # fmt: skip
        else:
            delta = self._update(x[None], np.asarray(act)[None], float(rew), x_next[None], terminated)
        self.t, self.timesteps = self.t + 1, self.timesteps + 1
        if self.rule.discount_states:
            self.discount *= self.rule.gamma
        if terminated or truncated:
            self.z[:], self.z_w[:], self.discount, self.t = 0, 0, 1.0, 0
            self.episodes += 1
        return float(delta)

    def _update(self, x: Array, act: Array, rew: float, x_next: Array, terminated: bool) -> float:
        """The same for any policy and critic."""
        rule, critic = self.rule, self.value.critic({"w": self.w}, self.policy)
        time, one = np.array([self.t]), np.ones((1, 1))
        at = self.value.function.at(self.w, critic.inputs(x, time))
        after = 0.0 if terminated else float(self.value.function.at(self.w, critic.inputs(x_next, time + 1)).y[0, 0])
        delta = rew + rule.gamma * after - float(at.y[0, 0])
        self.z_w[:] = rule.gamma * rule.critic_trace_lambda * self.z_w + at.vjp(one)
        lin = self.policy.at(self.theta, x, act)
        self.z[:] = rule.gamma * rule.trace_lambda * self.z + lin.vjp(np.full(1, self.discount))
        if rule.ent_coef:
            self.theta += rule.learning_rate * composed(lin).entropy_vjp(np.full(1, rule.ent_coef))
        self.w[:] = rule.ascend(self.w, self.z_w, delta, rule.critic_learning_rate)
        self.theta[:] = rule.ascend(self.theta, self.z, delta, rule.learning_rate)
        return delta


@dataclass(frozen=True)
class OnlineActorCritic(FromExperience):
    """The recipe: an iteration is a number of transitions of every environment, each learned from when it comes."""

    value: ValueFit
    rule: Rule
    n_steps: int
    schedule: Schedule = field(default_factory=Schedule)
    name = "online"

    def init(self, seed: int) -> State:
        """θ_0, w_0, traces of zeros, and all slots before their first episode."""
        theta, w = initial_theta(self.policy, seed), self.value.init(seed)["w"]
        b = self.experience.n_slots
        traces = {"theta": np.zeros((b, len(theta))), "w": np.zeros((b, len(w))), "discount": np.ones(b)}
        return self.begin(seed, theta, critic={"w": w}, traces=traces, returns={"running": np.zeros(b)})

    def rule_at(self, state: State) -> Rule:
        """The rule with the step sizes of this timestep."""
        c = self.schedule(SGD(1.0), state.timesteps).learning_rate
        return replace(
            self.rule,
            learning_rate=c * self.rule.learning_rate,
            critic_learning_rate=c * self.rule.critic_learning_rate,
        )

    def step(self, state: State) -> tuple[State, Metrics]:
        """One iteration."""
        rollout, networks = self.experience.rollout, networks_of(self.policy, self.value)
        plain = not (self.experience.normalize_observations or self.experience.rewards.normalize)
        if isinstance(rollout, CompiledRollout) and networks is not None and plain:
            return self._compiled(rollout, networks, state)
        return self._transition_by_transition(state)

    def _compiled(self, rollout: CompiledRollout, networks: Networks, state: State) -> tuple[State, Metrics]:
        """By the kernel, which acts, steps and learns."""
        dynamics, n, numbers = Dynamics.of(rollout.env), networks, self.rule_at(state).numbers
        numbers[kernels.SCALE] = self.experience.rewards.scale
        slots, traces = state.group("rollout"), state.group("traces")
        limit = rollout.env.max_episode_steps or np.iinfo(np.int64).max
        settings = np.array([np.uint64(state.seed).astype(np.int64), limit, self.n_steps])
        which = np.stack([slots["episode"], slots["t"], slots["next_episode"]])
        env_state, obs = (np.array(slots[name].T, order="C") for name in ("env", "obs"))  # copies
        running = np.stack([traces["discount"], state.group("returns")["running"]])
        theta, w = np.array(state.theta), np.array(state.group("critic")["w"])
        z, z_w = np.array(traces["theta"]), np.array(traces["w"])
        n_steps = self.n_steps * self.experience.n_slots
        returns, lengths = np.empty(n_steps), np.empty(n_steps, dtype=np.int64)
        n_ended = kernels.learn_stream(
            dynamics.reset, dynamics.step, dynamics.params, settings, n.spec, numbers, n.sizes, n.v_sizes, n.given,
            n.bounds, noise.kind_codes(self.policy.draws), dynamics.reset_kinds, dynamics.step_kinds, which, env_state,
            obs, running, theta, w, z, z_w, returns, lengths,
        )  # fmt: skip
        moved = {"episode": which[0], "t": which[1], "next_episode": which[2], "obs": obs.T, "env": env_state.T}
        after = replace(
            state,
            iteration=state.iteration + 1,
            timesteps=state.timesteps + n_steps,
            episodes=state.episodes + n_ended,
            theta=theta,
        ).with_groups(
            rollout=slots | {name: np.array(array) for name, array in moved.items()},
            critic={"w": w},
            traces={"theta": z, "w": z_w, "discount": running[0]},
            returns={"running": running[1]},
        )
        return after, Metrics(figures_of(state, after, numbers[kernels.ALPHA]), returns[:n_ended], lengths[:n_ended])

    def _transition_by_transition(self, state: State) -> tuple[State, Metrics]:
        """With any environment, policy and critic."""
        before, found, b = state, [], self.experience.n_slots
        rule = self.rule_at(state)
        for _ in range(self.n_steps):
            data, traces = self.experience.collect(state), state.group("traces")
            z, z_w, discount = (np.array(traces[name]) for name in ("theta", "w", "discount"))
            learner = OnlineLearner(data.policy, self.value, rule, theta=state.theta, w=state.group("critic")["w"])
            for i in np.argsort(data.scaled.episode % b).tolist():
                one = data.scaled.select([i])
                slot = int(one.episode[0]) % b
                learner.z, learner.z_w, learner.discount = z[slot], z_w[slot], float(discount[slot])
                learner.t = int(one.start[0])
                learner.update(
                    one.obs[0],
                    one.act[0],
                    one.rew[0],
                    one.final_obs[0],
                    bool(one.terminated[0]),
                    bool(one.truncated[0]),
                )
                discount[slot] = learner.discount
            state, metrics = self.close(
                data,
                state,
                learner.theta,
                {},
                critic={"w": learner.w},
                traces={"theta": z, "w": z_w, "discount": discount},
            )
            found.append(metrics)
        returns, lengths = (np.concatenate([getattr(m, name) for m in found]) for name in ("returns", "lengths"))
        state = replace(state, iteration=before.iteration + 1)
        return state, Metrics(figures_of(before, state, rule.learning_rate), returns, lengths)


def figures_of(before: State, after: State, learning_rate: float) -> dict[str, float]:
    """How far θ and w went in an iteration of which nothing else is kept."""
    w, new_w = before.group("critic")["w"], after.group("critic")["w"]
    return {
        "train/learning_rate": learning_rate,
        "train/theta_change": float(np.linalg.norm(after.theta - before.theta)),
        "train/critic_change": float(np.linalg.norm(new_w - w)),
    }


def require_no_memory(policy: Policy) -> None:
    """Raise if the policy has a memory, through which a transition by itself cannot be learned from."""
    if policy.n_memory:
        raise InvalidInput(
            "single transitions are learned from, and this policy has a memory; choose another one, or a2c, npg, trpo"
        )


class Online(Algorithm):
    """One-step actor-critic with eligibility traces.

    Parameters
    ----------
    env, policy, seed, engine, threads, n_envs
        As for every algorithm; policies without memory. One environment, unless `n_envs` says otherwise; they take
        turns.
    **settings
        The fields of `OnlineSettings`.

    Examples
    --------
    >>> model = Online("CartPole-v1", seed=0).learn(total_timesteps=2_000)
    >>> model.state.timesteps
    2000
    """

    name = "online"
    shares_out = False
    Settings = OnlineSettings
    n_envs = 1

    def make_recipe(self, settings: OnlineSettings) -> OnlineActorCritic:
        """The recipe with these settings."""
        require_no_memory(self.policy)
        s = settings
        return OnlineActorCritic(
            experience=experience_of(self, s, n_steps=1),
            value=value_function(self.policy, s.critic, s.critic_hidden),
            rule=Rule(**{f.name: getattr(s, f.name) for f in fields(Rule)}),
            n_steps=s.n_steps,
            schedule=Schedule(s.learning_rate_schedule, s.schedule_steps),
        )
