"""The settings of a run that every algorithm shares, each a keyword, a flag and a line of help.

Nothing heavy is imported here, so that the command line shows its help at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["TrainSettings"]


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
    seed: int = _setting(0, "key of all noise: same seed, same bits", least=0)
    out: str | None = _setting(None, "run folder; by default runs/ENV-ALGO-seedS", metavar="DIR")
    resume: str | None = _setting(None, "go on with the run in this folder, with the settings it has", metavar="DIR")
    engine: str = _setting(
        "auto", "the compiled twin of an environment, or the original", choices=("auto", "gymnasium", "compiled")
    )
    n_envs: int | None = _setting(None, "environments side by side; none: as the engine has it", least=1)
    threads: int = _setting(1, "threads to share the work; they change no result", least=1)
    eval_every: int | None = _setting(
        None, "timesteps between evaluations; 0: only at the end; none: --steps / 20", least=0
    )
    eval_episodes: int = _setting(10, "greedy episodes of an evaluation", least=1)
    stop_at: float | None = _setting(None, "stop when an evaluation has this mean return")
    checkpoint_every: float = _setting(5.0, "seconds between checkpoints; they change no result", least=0)
    quiet: bool = _setting(False, "print nothing but errors", flag="--quiet")
