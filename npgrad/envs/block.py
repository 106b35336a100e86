"""B copies of a compiled environment side by side, each on the noise of its own seed and episode."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .. import jit, noise
from ..noise.compiled import fill
from ..types import BoolArray, FloatArray, IntArray
from ..validation import require_finite, require_shape
from .base import CompiledEnv

__all__ = ["Block"]


@jit.kernel("void(const(int64[::1]), const(uint64[::1]), int64, const(int64[::1]), const(int64[::1]), float64[:,::1])")
def fill_each(kinds: Any, seeds: Any, stream: Any, episodes: Any, steps: Any, out: Any) -> None:
    """As `noise.compiled.fill`, with a seed for every column."""
    column = np.empty((out.shape[0], 1))
    for b in range(episodes.shape[0]):
        fill(kinds, seeds[b], stream, episodes[b : b + 1], steps[b : b + 1], column)
        for r in range(out.shape[0]):
            out[r, b] = column[r, 0]


class Block:
    """`n` lanes of a compiled environment; lane i plays episode ``episode[i]`` of seed ``seed[i]``.

    What happens in a lane is a function of its seed, its episode and its actions, the same as in a compiled rollout.

    Parameters
    ----------
    env : CompiledEnv
        The environment.
    n : int
        B, the number of lanes.

    Attributes
    ----------
    seed, episode, t : array, shape (n,)
        The place of the noise; episode is −1 before the first `begin`.
    obs : array, shape (d, n)
        The last observations.
    rew, terminated : array, shape (n,)
        Of the last step.

    Examples
    --------
    >>> from npgrad.envs import compiled_twin
    >>> block = Block(compiled_twin("CartPole-v1"), 3)
    >>> block.begin(np.arange(3), seeds=np.array([7, 7, 8]), episodes=np.zeros(3, int))
    >>> bool((block.state[:, 0] == block.state[:, 1]).all()), bool((block.state[:, 0] == block.state[:, 2]).all())
    (True, False)
    >>> block.step(np.ones((1, 3)))
    >>> block.rew
    array([1., 1., 1.])
    >>> block.load(np.zeros((4, 2)))
    Traceback (most recent call last):
    npgrad.errors.InvalidInput: state of CartPole-v1 has shape (4, 2), expected (4, 3); one column for each lane
    """

    def __init__(self, env: CompiledEnv, n: int) -> None:
        self.env, self.n = env, n
        self.seed = np.zeros(n, dtype=np.uint64)
        self.episode, self.t = np.full(n, -1, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self.obs, self.rew = np.zeros((env.n_obs, n)), np.zeros(n)
        self.terminated: BoolArray = np.zeros(n, dtype=np.bool_)
        self._state: FloatArray = np.zeros((env.n_state, n))
        self._params, self._act_shape = env.params_array, (env.n_act, n)
        self._kinds = noise.kind_codes(env.reset_noise), noise.kind_codes(env.step_noise)
        self._noise = np.empty((len(env.step_noise), n))
        self._reset, self._step = jit.njit_function(env.reset, "reset"), jit.njit_function(env.step, "step")

    def begin(self, lanes: IntArray, seeds: npt.NDArray[Any], episodes: IntArray) -> None:
        """Start episode ``episodes[k]`` of ``seeds[k]`` in ``lanes[k]``."""
        self.seed[lanes], self.episode[lanes], self.t[lanes] = seeds, episodes, 0
        u = np.empty((len(self.env.reset_noise), len(lanes)))
        place = self.seed[lanes], noise.RESET, self.episode[lanes], self.t[lanes]
        fill_each(self._kinds[0], *place, u)
        self._reset(self._params, lanes, u, self._state, self.obs)

    def step(self, act: FloatArray) -> None:
        """Move all lanes by `act` (k, n); those that have not begun move as well, to no purpose."""
        if act.shape != self._act_shape:
            require_shape(f"act of {self.env.id}", act, self._act_shape, "one column for each lane")
        if len(self._noise):
            fill_each(self._kinds[1], self.seed, noise.DYNAMICS, np.maximum(self.episode, 0), self.t, self._noise)
        self._step(self._params, act, self._noise, self._state, self.obs, self.rew, self.terminated)
        self.t += 1

    @property
    def state(self) -> FloatArray:
        """The state (S, n), a copy."""
        return self._state.copy()

    def load(self, state: npt.ArrayLike) -> None:
        """Go on from `state` (S, n).

        Raises
        ------
        InvalidInput
            If the shape is another.
        NonFinite
            If it has a NaN or an infinity.
        """
        array = np.asarray(state, dtype=np.float64)
        require_shape(f"state of {self.env.id}", array, (self.env.n_state, self.n), "one column for each lane")
        require_finite(f"state of {self.env.id}", array)
        self._state[:] = array
