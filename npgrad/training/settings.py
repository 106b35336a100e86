"""The settings of a run that every algorithm shares, each a keyword, a flag and a line of help.

Nothing heavy is imported here, so that the command line shows its help at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["PolicySettings", "TrainSettings"]


def _setting(default: Any, help: str, **metadata: Any) -> Any:
    return field(default=default, metadata={"help": help, **metadata})


@dataclass(frozen=True)
class TrainSettings:
    """What to train, how long, and where to.

    Examples
    --------
    >>> TrainSettings(env="CartPole-v1", seed=3).algo
    'reinforce'
    """

    env: str = _setting("", "environment: a Gymnasium id, or module:Id")
    algo: str = _setting("reinforce", "algorithm; npgrad list algorithms")
    policy: str = _setting("linear", "policy; npgrad list policies")
    total_timesteps: int = _setting(100_000, "timesteps of the environment to train for", flag="--steps", least=1)
    minutes: float | None = _setting(None, "stop after so many minutes; without --steps nothing else does")
    seed: int = _setting(0, "key of all noise: same seed, same bits", least=0)
    out: str | None = _setting(None, "run folder; by default runs/ENV-ALGO-seedS", metavar="DIR")
    resume: str | None = _setting(None, "go on with the run in this folder, with the settings it has", metavar="DIR")
    init_from: str | None = _setting(
        None, "begin with the θ of this run's agent, or of an agent file; the same policy", metavar="DIR"
    )
    env_kwargs: Mapping[str, Any] | None = _setting(None, "for gymnasium.make, as in max_episode_steps=100")
    engine: str = _setting(
        "auto", "the compiled twin of an environment, or the original", choices=("auto", "gymnasium", "compiled")
    )
    n_envs: int | None = _setting(None, "environments side by side; none: as the engine has it", least=1)
    fresh: bool = _setting(
        False, "make a Gymnasium environment anew for each episode, if it carries state across resets", flag="--fresh"
    )
    n_blocks: int = _setting(
        1, "blocks of --n-envs environments, where steps are collected; threads and workers share them out", least=1
    )
    threads: int = _setting(1, "threads to share the work; they change no result", least=1)
    workers: int | None = _setting(
        None, "workers to share the work, in other processes or on other machines; they change no result", least=1
    )
    executor: str = _setting(
        "processes", "what the workers are", choices=("threads", "processes", "dask", "mpi", "ray")
    )
    address: str | None = _setting(None, "of a Dask scheduler or a Ray cluster; none: one of this machine")
    overlap: bool = _setting(
        False, "collect the next batch while this one is learned from; it is one update old, which biases gradients "
        "without ratios", flag="--overlap",
    )  # fmt: skip
    time_limit: float | None = _setting(
        600.0, "seconds without anything done after which workers are replaced; none: never", least=1
    )
    eval_every: int | None = _setting(
        None, "timesteps between evaluations; 0: only at the end; none: --steps / 20", least=0
    )
    eval_episodes: int = _setting(10, "greedy episodes of an evaluation", least=1)
    stop_at: float | None = _setting(None, "stop when an evaluation has this mean return")
    callback: str | None = _setting(
        None, "a function called after each iteration; it ends the run by returning False", metavar="MODULE:FUNCTION"
    )
    checkpoint_every: float = _setting(5.0, "seconds between checkpoints; they change no result", least=0)
    tensorboard: bool = _setting(False, "also log to the folder tensorboard/ of the run", flag="--tensorboard")
    quiet: bool = _setting(False, "print nothing but errors", flag="--quiet")


@dataclass(frozen=True)
class PolicySettings:
    """Options of `npgrad.policies.make_policy`; those that a policy or a space has no use for are left alone.

    Examples
    --------
    >>> PolicySettings(hidden=(32,)).activation
    'tanh'
    """

    hidden: tuple[int, ...] = _setting((64, 64), "units of an MLP's hidden layers; the first: of a recurrent cell")
    activation: str = _setting("tanh", "of an MLP's hidden layers", choices=("tanh", "relu", "identity"))
    bias: bool = _setting(True, "whether a linear policy has a b")
    window: int = _setting(1, "the policy sees so many of the last observations", least=1)
    std: str = _setting(
        "shared", "σ of a Gaussian: learned, of the state, fixed, full", choices=("shared", "state", "fixed", "full")
    )
    log_std_init: float = _setting(0.0, "log σ at the start")
    action_map: str = _setting("clip", "how actions come within bounds", choices=("clip", "tanh", "rescale"))
