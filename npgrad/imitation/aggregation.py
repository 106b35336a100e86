"""DAgger: act, ask the expert about the states that came, aggregate, fit (Ross, Gordon and Bagnell 2011; I2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from .. import noise
from ..data import Actor, Demonstrations, record
from ..data.demonstrations import joined
from ..deploy import Agent
from ..errors import ExpertFailure
from ..policies import Policy
from ..rollouts import Rollout, make_rollout
from ..spaces import Box
from ..types import Array, Batch
from ..validation import require_positive
from .cloning import Cloned, Progress, clone
from .experts import Expert, Mixture
from .likelihood import require_same_spaces
from .settings import CloningSettings, DaggerSettings

__all__ = ["Aggregated", "dagger"]

Save = Callable[[Demonstrations, Agent], object]


@dataclass(frozen=True, eq=False)
class Aggregated:
    """What DAgger came to.

    Parameters
    ----------
    agent : Agent
        Of the best mean return.
    demonstrations : Demonstrations
        All that was aggregated, each state with the expert's action.
    log : tuple of dict
        A row a fit, the first on the demonstrations alone: ``time/iterations``, ``dagger/beta``, ``dagger/queries`` of
        the expert so far, ``dagger/rows`` learned from, ``dagger/disagreement`` of learner and expert on the states
        that the learner's episodes came to (share of actions, or root mean square), ``eval/loss``, ``eval/mean_reward``
        of greedy episodes.
    """

    agent: Agent
    demonstrations: Demonstrations
    log: tuple[Mapping[str, float], ...]


def dagger(
    env: str | Callable[[], Any] | Any,
    expert: Actor,
    policy: str | Policy = "mlp",
    settings: DaggerSettings | None = None,
    cloning: CloningSettings | None = None,
    *,
    policy_kwargs: Mapping[str, Any] | None = None,
    demonstrations: Demonstrations | None = None,
    seed: int = 0,
    eval_episodes: int = 20,
    stop_at: float | None = None,
    engine: str = "auto",
    env_kwargs: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    save: Save | None = None,
) -> Aggregated:
    """Learn from an expert what to do in the states that the learner itself comes to.

    π_1 is cloned from demonstrations D. In iteration i, β_i π* + (1 − β_i) π_i acts, the expert labels every state of
    its episodes, these join D, and π_{i+1} is cloned from D. The agent is the π_i of the best greedy return.

    Parameters
    ----------
    env : str, function or environment
    expert : Agent or function
        A function takes one observation and gives one action, as the environment has them.
    policy : str or Policy, optional
        The learner's.
    settings : DaggerSettings, optional
    cloning : CloningSettings, optional
        Of every fit.
    policy_kwargs : dict, optional
        Passed to `make_policy`.
    demonstrations : Demonstrations, optional
        To begin with, as those of a run that ended early; the expert shows some if there are none.
    seed : int, optional
        Key of all noise.
    eval_episodes : int, optional
        Greedy episodes by which each π_i is judged.
    stop_at : float, optional
        End when their mean return is as high.
    engine : {"auto", "gymnasium", "compiled"}, optional
    env_kwargs : dict, optional
        Passed to `gymnasium.make`.
    progress : function, optional
        Called with each row of the log.
    save : function (Demonstrations, Agent), optional
        Called after each fit.

    Raises
    ------
    InvalidInput
        If the expert, or the demonstrations, are of other spaces than the environment.
    ExpertFailure
        If the expert raises. ``error.kept`` is an `Aggregated` with all that was aggregated, the answers of the last
        iteration among them; None if it failed before the first fit.

    Examples
    --------
    >>> few = DaggerSettings(n_iterations=2, n_episodes=2, n_demonstrations=2)
    >>> found = dagger("CartPole-v1", lambda obs: int(obs[2] + obs[3] > 0), "linear", few, CloningSettings(epochs=20))
    >>> [int(row["time/iterations"]) for row in found.log]
    [0, 1, 2]
    """
    settings, cloning = settings or DaggerSettings(), cloning or CloningSettings()
    require_positive("eval_episodes", eval_episodes)
    kwargs = dict(env_kwargs or {})
    in_turn = settings.schedule != "first" or not isinstance(expert, Agent)  # asked step by step, about nothing else
    rollout = make_rollout(env, engine, 1 if in_turn else None, **kwargs)
    asked = Expert(expert, rollout.observation_space, rollout.action_space, rollout.n_masked)
    if demonstrations is None:
        demonstrations = record(expert, env, settings.n_demonstrations, seed=seed, engine=engine, env_kwargs=kwargs)
        asked.queries = demonstrations.n_steps
    require_same_spaces(demonstrations, rollout)
    judging = make_rollout(env, engine, **kwargs) if in_turn else rollout
    run = _Run(rollout, judging, asked, settings, demonstrations, seed, eval_episodes, progress, save)

    def fit(i: int, theta: Array | None) -> Cloned:
        key = noise.derive_seed(seed, noise.SHUFFLE, i)
        return clone(run.data, policy, cloning, policy_kwargs=policy_kwargs, seed=key, theta=theta)

    agent = run.judge(0, fit(0, None), {})
    for i in range(1, settings.n_iterations + 1):
        if stop_at is not None and run.log[-1]["eval/mean_reward"] >= stop_at:
            break
        seen = run.act(i, agent)
        agent = run.judge(i, fit(i, agent.theta), seen)
    return run.result()


class _Run:
    """What is carried from iteration to iteration."""

    def __init__(
        self,
        rollout: Rollout,
        judging: Rollout,
        expert: Expert,
        settings: DaggerSettings,
        data: Demonstrations,
        seed: int,
        eval_episodes: int,
        progress: Progress | None,
        save: Save | None,
    ) -> None:
        self.rollout, self.judging = rollout, judging
        self.expert, self.settings, self.data = expert, settings, data
        self.seed, self.eval_episodes, self.progress, self.save = seed, eval_episodes, progress, save
        self.log: list[dict[str, float]] = []
        self.agents: list[Agent] = []  # one a row

    def judge(self, i: int, cloned: Cloned, seen: Mapping[str, float]) -> Agent:
        """Evaluate π_{i+1}, log and save."""
        agent = cloned.agent
        batch = self.judging.episodes(
            agent.policy,
            agent.theta,
            seed=noise.derive_seed(self.seed, noise.EVALUATION, 0),
            first=0,
            count=self.eval_episodes,
            deterministic=True,
        )
        mean = float(batch.returns().mean())
        row = {
            "time/iterations": float(i),
            "dagger/beta": 1.0,
            "dagger/queries": float(self.expert.queries),
            "dagger/rows": float(self.data.n_steps),
            "dagger/disagreement": float("nan"),
            **seen,
            "eval/loss": cloned.best.get("eval/loss", float("nan")),
            "eval/mean_reward": mean,
        }
        self.log.append(row)
        hyper = {**asdict(self.settings), **agent.info["hyperparameters"]}
        known = {"algo": "dagger", "seed": self.seed, "hyperparameters": hyper}  # not those of the last fit alone
        score = {"mean_return": mean, "eval_episodes": self.eval_episodes}
        self.agents.append(replace(agent, info={**agent.info, **known, **score}))
        if self.progress is not None:
            self.progress(row)
        self._save()
        return self.agents[-1]

    def act(self, i: int, agent: Agent) -> dict[str, float]:
        """Episodes of the mixture, labelled by the expert and aggregated."""
        beta, s = self.settings.beta(i), self.settings
        mixed = Mixture(agent.policy, self.expert, beta, s.greedy)
        key = noise.derive_seed(self.seed, noise.ACTION, i)
        policy, greedy = (mixed, False) if beta > 0 else (agent.policy, s.greedy)
        batch = self.rollout.episodes(policy, agent.theta, seed=key, first=0, count=s.n_episodes, deterministic=greedy)
        try:
            labels = self.expert.label(batch.obs)
        except ExpertFailure as failure:
            known = self.expert.n_known(batch.obs)
            if known:
                self._aggregate(_first_rows(batch, known), self.expert.known(batch.obs[:known]))
            self._save()
            raise ExpertFailure(f"in iteration {i}, {failure}", self.result()) from failure
        self._aggregate(batch, labels)
        own, _, _ = agent.policy.act(agent.theta, batch.obs) if not agent.policy.n_memory else (None, None, None)
        off = float("nan") if own is None else _disagreement(agent.policy, own, labels)
        return {"dagger/beta": beta, "dagger/queries": float(self.expert.queries), "dagger/disagreement": off}

    def _aggregate(self, batch: Batch, labels: Array) -> None:
        new = replace(batch, act=labels, logp=np.zeros(batch.n_steps))
        info = self.data.info
        part = Demonstrations(new, self.data.observation_space, self.data.action_space, info, self.data.n_masked)
        self.data = joined([self.data, part])

    def _save(self) -> None:
        if self.save is not None:
            self.save(self.data, self.result().agent)

    def result(self) -> Aggregated:
        """What has come of it so far: the last of the best, all data, all rows."""
        best = max(range(len(self.log)), key=lambda i: (self.log[i]["eval/mean_reward"], i))
        return Aggregated(self.agents[best], self.data, tuple(self.log))


def _disagreement(policy: Policy, latent: Array, labels: Array) -> float:
    """Share of rows in which two actions differ, or their root mean square distance."""
    own = policy.action_map(latent)
    if isinstance(policy.action_space, Box):
        return float(np.sqrt(np.mean((own.reshape(labels.shape) - labels) ** 2)))
    return float(np.mean((own != labels).reshape(len(labels), -1).any(axis=1)))


def _first_rows(batch: Batch, n: int) -> Batch:
    """The first n rows, the last segment cut where they end."""
    whole = int(np.searchsorted(batch.offsets, n, side="right")) - 1
    if batch.offsets[whole] == n:
        return batch.select(slice(0, whole))
    kept = batch.select(slice(0, whole + 1))
    ends = np.arange(whole + 1) < whole  # the last is cut
    rows = {name: getattr(kept, name)[:n] for name in ("obs", "act", "rew", "logp")}
    return replace(
        kept,
        **rows,
        offsets=np.append(batch.offsets[: whole + 1], n),
        terminated=kept.terminated & ends,
        truncated=kept.truncated & ends,
        final_obs=np.concatenate([kept.final_obs[:-1], batch.obs[n : n + 1]]),
    )
