"""The check of a compiled environment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import jit, spaces
from .block import Block, Functions
from .lanes import LANES, Contract
from .original import SetState, Transitions, check_against_original
from .report import Recorder, Report

__all__ = ["check_environment"]


def check_environment(
    env: Any,
    original: Any = None,
    *,
    set_state: SetState | None = None,
    seed: int = 0,
    n_steps: int = 120,
) -> Report:
    """Check that a compiled environment keeps to its lanes and its spaces, and agrees with an original.

    Parameters
    ----------
    env : CompiledEnv
        As in docs/architecture.md: ``reset``, ``step``, ``params``, ``n_state``, spaces and kinds of noise.
    original : gymnasium.Env, optional
        What it is the compiled twin of: every step is then taken by both from the same state. Its noise is its own, so
        an environment with noise in its steps is compared at reset only.
    set_state : function, optional
        ``(original, state)`` puts one column of the twin's state, (S,), into the unwrapped original; by default it is
        its attribute ``state``, and compared too.
    seed : int, optional
        Of all that is drawn.
    n_steps : int, optional
        Steps of the random rollout.

    Returns
    -------
    Report
        Print it, or call its ``raise_if_failed``.

    Examples
    --------
    >>> from npgrad.envs import compiled_twin
    >>> check_environment(compiled_twin("CartPole-v1")).passed
    True
    """
    rng = np.random.default_rng(seed)
    record = Recorder(f"check_environment of {env.id}, seed {seed}")
    plain: Functions = env.reset, env.step

    def compiled() -> Functions:
        return jit.njit_function(env.reset, "reset"), jit.njit_function(env.step, "step")

    # plain Python first: there an index out of bounds raises, and does not write
    if record.make("as plain Python, reset and step raise nothing", lambda: _some_steps(env, plain, rng)):
        functions = record.make("reset and step compile", compiled)
        if functions is not None:
            Contract(env, functions, rng).check(record, plain)
            if record.report().passed:
                _check_rollout(record, env, functions, rng, n_steps, original, set_state)
    return record.report()


def _some_steps(env: Any, functions: Functions, rng: np.random.Generator) -> Block:
    block = Block(env, functions, 3)
    block.reset(block.all_lanes(), block.reset_noise(rng, 3))
    for _ in range(5):
        block.step(block.actions(rng), block.step_noise(rng))
    return block


def _check_rollout(
    record: Recorder,
    env: Any,
    functions: Functions,
    rng: np.random.Generator,
    n_steps: int,
    original: Any,
    set_state: SetState | None,
) -> None:
    transitions = Transitions.roll(Block(env, functions, LANES), rng, n_steps)

    def bad_values() -> Iterator[str]:
        for name, array in (("obs", transitions.obs), ("rew", transitions.rew), ("state", transitions.state_after)):
            if not np.isfinite(array).all():
                yield f"{name} is not finite at step {int(np.argwhere(~np.isfinite(array))[0][0])}"

    def outside_space() -> Iterator[str]:
        space = env.observation_space
        for t, i in np.ndindex(n_steps, LANES):
            flat = transitions.obs[t, :, i]
            if not spaces.contains(space, spaces.unflatten(space, flat)):
                yield f"obs {flat} after step {t} is not in {space}"
                return

    def unrounded() -> Iterator[str]:
        space = env.observation_space
        narrow = isinstance(space, spaces.Box) and space.dtype == "float32"
        if narrow and (transitions.obs != transitions.obs.astype(np.float32)).any():
            yield "obs is not rounded: write np.float32(…), as the space is float32"

    record.none("obs, rew and state stay finite in a random rollout", bad_values)
    record.none("obs lies in the observation space", outside_space)
    record.none("obs has the precision of the observation space", unrounded)
    if original is None:
        record.skip("an original: none was given")
    else:
        record.attempt(
            "the original can be compared",
            lambda: check_against_original(record, env, transitions, original, set_state),
        )
