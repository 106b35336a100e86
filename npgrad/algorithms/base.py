"""What all algorithms share: from an environment and settings to a trained agent."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from .. import noise, spaces
from ..deploy import Agent, load_agent
from ..errors import InvalidInput, UnknownName, UnsupportedSpace
from ..policies import Policy, make_policy
from ..pool import Threads, usable_cores
from ..rollouts import CompiledRollout, RemoteRollout, RolloutSource, make_rollout
from ..training import Callback, EvaluationResult, LoopState, Metrics, Recipe, train
from ..types import Array, State
from ..validation import require_positive
from ..workers import Workers
from .registry import ALGORITHMS, SPACES
from .starting import begin_with

__all__ = ["Algorithm", "initial_theta", "unmasked"]


def initial_theta(policy: Policy, seed: int) -> Array:
    """θ_0 of a run, (P,): the policy's own initialisation under the run's seed."""
    return policy.init(np.random.default_rng(noise.derive_seed(seed, noise.INIT, 0)))


def unmasked(policy: Policy, obs: Array) -> Array:
    """The columns of obs (T, d) that a normaliser sees: all but the mask."""
    return obs[:, : policy.n_obs - policy.n_masked]


@dataclass(frozen=True)
class Metered:
    """A recipe that says how much it has sent to workers, and got from them."""

    recipe: Recipe
    workers: Workers

    def init(self, seed: int) -> State:
        """The state before the first iteration."""
        return self.recipe.init(seed)

    def step(self, state: State) -> tuple[State, Metrics]:
        """One iteration, and its bytes."""
        sent, received = self.workers.sent, self.workers.received
        after, metrics = self.recipe.step(state)
        figures = {
            "time/bytes_sent": float(self.workers.sent - sent),
            "time/bytes_received": float(self.workers.received - received),
            "time/units_lost": float(self.workers.lost),
        }
        return after, replace(metrics, values={**metrics.values, **figures})

    def agent(self, state: State) -> Agent:
        """What is saved and deployed."""
        return self.recipe.agent(state)


class Algorithm(ABC):
    """An algorithm on an environment, as users know it from Stable-Baselines3.

    Parameters
    ----------
    env : str or function
        A Gymnasium id, or a function that makes the environment.
    policy : str or Policy, optional
        One of `npgrad.policies.POLICIES`, or a policy of your own.
    policy_kwargs : dict, optional
        Passed to `make_policy`: hidden sizes and the like.
    seed : int, optional
        Key of all noise: same seed, same bits.
    engine : {"auto", "gymnasium", "compiled"}, optional
        Whether the environment's compiled twin is used.
    threads : int, optional
        They share the work and change no result.
    n_envs : int, optional
        Environments side by side in a block.
    env_kwargs : dict, optional
        Passed to `gymnasium.make`.
    fresh : bool, optional
        Make a Gymnasium environment anew for each episode, as those need that carry state across resets.
    n_blocks : int, optional
        Blocks of `n_envs` environments, where an algorithm collects steps; threads and workers share them out.
    workers : Workers, optional
        Who rolls out in other processes, as `npgrad.workers.open_workers` gives; they change no result.
    overlap : bool, optional
        Collect the next batch while this one is learned from. It is then one update old, off-policy by that much: the
        ratios of PPO and of off-policy estimators account for it, all other gradients are biased by it.
    **settings
        The fields of the algorithm's `Settings`.

    Raises
    ------
    UnknownName
        If the environment, the policy or a setting is unknown.
    UnsupportedSpace
        If there is no policy for the environment's spaces.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[Any]]
    n_envs: ClassVar[int | None] = None  # environments side by side, where the algorithm has a usual number
    shares_out: ClassVar[bool] = True  # whether there are units that several can compute at a time

    def __init__(
        self,
        env: str | Callable[[], Any],
        policy: str | Policy = "linear",
        *,
        policy_kwargs: dict[str, Any] | None = None,
        seed: int = 0,
        engine: str = "auto",
        threads: int = 1,
        n_envs: int | None = None,
        env_kwargs: dict[str, Any] | None = None,
        fresh: bool = False,
        n_blocks: int = 1,
        workers: Workers | None = None,
        overlap: bool = False,
        **settings: Any,
    ) -> None:
        known = [f.name for f in fields(self.Settings)]
        for key in settings:
            if key not in known:
                raise UnknownName(f"setting of {self.name}", key, known)
        self.settings = self.Settings(**settings)
        require_positive("threads", threads)
        if threads > (n_cores := usable_cores()):
            warnings.warn(
                f"threads is {threads}, but this process may use {n_cores} cores; more threads than cores gain nothing",
                stacklevel=2,
            )
        self.seed, self.threads = seed, threads
        self.executor: Executor | None = None
        if threads > 1:  # without NumPy's warnings, as the loop has it: it finds out itself what is not finite
            self.executor = Threads(threads, initializer=np.seterr, initargs=("ignore",))
        self.workers, self.overlap = workers, overlap
        self.rollout = self._rollout(env, engine, n_envs or self.n_envs, fresh, n_blocks, env_kwargs or {})
        self._require_space()
        if isinstance(policy, str):
            policy = make_policy(self.rollout, policy, masked=self.rollout.n_masked > 0, **(policy_kwargs or {}))
        elif policy_kwargs:
            raise InvalidInput(f"policy_kwargs are {policy_kwargs}, but the policy is made already; pass its name")
        self.policy = self.policy_for(policy)
        recipe = self.make_recipe(self.settings)
        self.recipe: Recipe = self._metered(recipe)
        if overlap and not (self.shares_out and hasattr(recipe, "experience")):
            raise InvalidInput(f"overlap is True, but {self.name} has no batches to collect ahead; drop it")
        self.state: State | None = None
        self._agent: Agent | None = None

    def _require_space(self) -> None:
        """Raise if the algorithm cannot act in the environment's action space, though others can."""
        entry, kind = ALGORITHMS.get(self.name), type(self.rollout.action_space).__name__
        if entry is not None and kind in SPACES and kind not in entry.action_spaces:
            others = [name for name, other in ALGORITHMS.items() if kind in other.action_spaces]
            raise UnsupportedSpace(
                f"{self.name} acts in {' and '.join(entry.action_spaces)} spaces, but the actions of "
                f"{self.rollout.env_id} are {self.rollout.action_space}; choose one of {', '.join(others)}"
            )

    def policy_for(self, policy: Policy) -> Policy:
        """The policy that the algorithm learns, of the one that was asked for: the same, unless it says otherwise."""
        return policy

    @abstractmethod
    def make_recipe(self, settings: Any) -> Recipe:
        """The recipe with these settings."""

    def recipe_for(self, total_timesteps: int) -> Recipe:
        """The recipe of a run of that many timesteps: over them a learning rate falls, if nothing else is said."""
        settings = self.settings
        if getattr(settings, "learning_rate_schedule", "constant") == "constant" or settings.schedule_steps is not None:
            return self.recipe
        return self._metered(self.make_recipe(replace(settings, schedule_steps=total_timesteps)))

    def _rollout(self, env: Any, engine: str, n_envs: int | None, fresh: bool, n_blocks: int, kwargs: Any) -> Any:
        """Of this process, or by workers."""
        if self.workers is None:
            return make_rollout(env, engine, n_envs, fresh, n_blocks, **kwargs)
        if not self.shares_out:
            raise InvalidInput(f"workers are given, but {self.name} goes step by step and has no units to share out")
        return RemoteRollout(RolloutSource(env, engine, n_envs, fresh, n_blocks, tuple(kwargs.items())), self.workers)

    def _metered(self, recipe: Recipe) -> Recipe:
        return recipe if self.workers is None else Metered(recipe, self.workers)

    def state_from(self, agent: Agent) -> State:
        """The state of a run that begins with an agent's θ, and with its normaliser where observations are normalised.

        Raises
        ------
        InvalidInput
            If the agent's policy is another one, or sees observations otherwise than the run's would.
        """
        normalizes = bool(getattr(self.settings, "normalize_observations", False))
        state = begin_with(agent, self.policy, self.recipe.init(self.seed), normalizes)
        if self.overlap:  # the first batch is the agent's
            state = state.with_groups(acting={"theta": state.theta} | state.group("normaliser"))
        return state

    @property
    def env_description(self) -> str:
        """The environment and its engine in a line."""
        here = self.rollout.here if isinstance(self.rollout, RemoteRollout) else self.rollout
        engine = "compiled twin" if isinstance(here, CompiledRollout) else "Gymnasium"
        actions = self.rollout.action_space
        acts = f"{actions.n} actions" if isinstance(actions, spaces.Discrete) else f"actions {actions}"
        return (
            f"{self.rollout.env_id}: {engine}, {spaces.flat_dim(self.rollout.observation_space)} observations, {acts}"
        )

    @property
    def agent(self) -> Agent:
        """The best agent evaluated, else the last, else the initial one."""
        if self._agent is not None:
            return self._agent
        return self.recipe.agent(self.state if self.state is not None else self.recipe.init(self.seed))

    def learn(
        self,
        total_timesteps: int,
        *,
        callback: Callback | Sequence[Callback] = (),
        progress_bar: bool = False,
        eval_every: int = 0,
        eval_episodes: int = 10,
        stop_at: float | None = None,
    ) -> Self:
        """Train for that many more timesteps.

        With evaluations, `agent`, `predict` and `save` are those of the best one; else of the last iteration.
        Where training raises, they are those of the last iteration before.

        Parameters
        ----------
        total_timesteps : int
            Environment steps; the iteration in which they are reached is finished.
        callback : function or functions, optional
            Called after each iteration; one that returns False ends the training.
        progress_bar : bool, optional
            Show a bar on standard error.
        eval_every : int, optional
            Timesteps from one evaluation to the next; 0: none, or, with `stop_at`, twenty of them.
        eval_episodes : int, optional
            Greedy episodes of an evaluation.
        stop_at : float, optional
            End when an evaluation has this mean return.
        """
        require_positive("total_timesteps", total_timesteps)
        done = 0 if self.state is None else self.state.timesteps
        if stop_at is not None and not eval_every:
            eval_every = max(1, total_timesteps // 20)

        def keep(seen: LoopState) -> None:
            self.state, self._agent = seen.state, None  # what is left should the next iteration fail

        result = train(
            self.recipe_for(done + total_timesteps),
            seed=self.seed,
            total_timesteps=done + total_timesteps,
            evaluate=self.evaluate if eval_every else None,
            eval_every=eval_every,
            eval_episodes=eval_episodes,
            stop_at=stop_at,
            callbacks=[keep, *([callback] if callable(callback) else callback)],
            progress=progress_bar,
            state=self.state,
        )
        self.state, self._agent = result.state, result.agent
        return self

    def evaluate(self, agent: Agent, n_episodes: int) -> EvaluationResult:
        """Greedy episodes on noise that training never sees."""
        seed = noise.derive_seed(self.seed, noise.EVALUATION, 0)
        batch = self.rollout.episodes(
            agent.policy, agent.theta, seed=seed, first=0, count=n_episodes, deterministic=True, executor=self.executor
        )
        return EvaluationResult(batch.returns(), batch.lengths)

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[Any, Any]:
        """Action for an observation, and the memory of a recurrent policy; as `Agent.predict`."""
        return self.agent.predict(observation, state, episode_start, deterministic)

    def save(self, path: str | Path) -> None:
        """Write the agent file."""
        self.agent.save(path)

    @classmethod
    def load(cls, path: str | Path, env: str | Callable[[], Any] | None = None, **kwargs: Any) -> Self:
        """An algorithm that goes on from a saved agent's θ.

        Parameters
        ----------
        path : path
            An agent file.
        env : str or function, optional
            By default the environment that the agent came from.
        **kwargs
            As for the class.

        Raises
        ------
        CorruptFile
            If the file is damaged or foreign.
        InvalidInput
            If the file does not name an environment and none is given.
        """
        agent = load_agent(path)
        env = env if env is not None else agent.info.get("env_id")
        if env is None:
            raise InvalidInput(f"{path} does not say which environment it came from; pass env=")
        model = cls(env, policy=agent.policy, **kwargs)
        model.state = model.state_from(agent)
        return model

    def __repr__(self) -> str:
        chosen = ", ".join(f"{k}={v!r}" for k, v in asdict(self.settings).items())
        return f"{type(self).__name__}({self.rollout.env_id!r}, seed={self.seed}, {chosen})"
