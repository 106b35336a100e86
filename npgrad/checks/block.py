"""A block of a compiled environment whose every write is seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import spaces
from ..types import Array, FloatArray, IntArray
from .expectation import draw_noise
from .sampling import sample_actions

__all__ = ["SENTINEL", "Block", "Functions"]

GUARD = 32  # numbers before and after each array, which nobody may touch
SENTINEL = -7.25e77

Functions = tuple[Callable[..., None], Callable[..., None]]  # reset and step


class Block:
    """B lanes of an environment: state (S, B), obs (d, B), rew (B,), terminated (B,), each between two guards.

    Parameters
    ----------
    env : CompiledEnv
    functions : pair of functions
        Its reset and step, compiled or plain.
    n : int
        B.
    """

    def __init__(self, env: Any, functions: Functions, n: int) -> None:
        self.env, self.n = env, n
        self._reset, self._step = functions
        self._buffers: dict[str, Array] = {}
        self.params: FloatArray = np.array(env.params, dtype=np.float64)
        self.state = self._guarded("state", (env.n_state, n), np.float64)
        self.obs = self._guarded("obs", (spaces.flat_dim(env.observation_space), n), np.float64)
        self.rew = self._guarded("rew", (n,), np.float64)
        self.terminated = self._guarded("terminated", (n,), np.bool_)

    def _guarded(self, name: str, shape: tuple[int, ...], dtype: Any) -> Array:
        size = int(np.prod(shape))
        fill = True if dtype is np.bool_ else SENTINEL
        self._buffers[name] = np.full(size + 2 * GUARD, fill, dtype=dtype)
        return self._buffers[name][GUARD : GUARD + size].reshape(shape)

    @property
    def arrays(self) -> dict[str, Array]:
        """What the two functions fill."""
        return {"state": self.state, "obs": self.obs, "rew": self.rew, "terminated": self.terminated}

    def touched(self) -> Iterator[str]:
        """The arrays beside which something was written."""
        for name, buffer in self._buffers.items():
            fill = True if buffer.dtype == np.bool_ else SENTINEL
            if (buffer[:GUARD] != fill).any() or (buffer[-GUARD:] != fill).any():
                yield name

    def unwritten(self, name: str, lanes: Any = slice(None)) -> list[str]:
        """The entries of state, obs or rew in some lanes that still are as they were made."""
        array = np.atleast_2d(self.arrays[name])[:, lanes]
        rows = np.flatnonzero((array == SENTINEL).any(axis=1))
        return [f"{name}[{j}]" if self.arrays[name].ndim == 2 else name for j in rows]

    def reset(self, lanes: IntArray, noise: FloatArray) -> None:
        """Start some lanes anew."""
        self._reset(self.params, lanes, noise, self.state, self.obs)

    def step(self, act: FloatArray, noise: FloatArray) -> None:
        """Move all lanes."""
        self._step(self.params, act, noise, self.state, self.obs, self.rew, self.terminated)

    def all_lanes(self) -> IntArray:
        """0, …, B − 1."""
        return np.arange(self.n)

    def reset_noise(self, rng: np.random.Generator, n: int) -> FloatArray:
        """Noise for n resets, (R, n)."""
        return np.ascontiguousarray(draw_noise(rng, self.env.reset_noise, n).T)

    def step_noise(self, rng: np.random.Generator) -> FloatArray:
        """Noise for a step, (R', B)."""
        return np.ascontiguousarray(draw_noise(rng, self.env.step_noise, self.n).T)

    def actions(self, rng: np.random.Generator) -> FloatArray:
        """Random actions, (k, B)."""
        return np.ascontiguousarray(sample_actions(self.env.action_space, rng, self.n).T)

    def like(self, lanes: IntArray) -> Block:
        """A block of copies of some lanes."""
        other = Block(self.env, (self._reset, self._step), len(lanes))
        for name, array in self.arrays.items():
            other.arrays[name][...] = array[..., lanes]
        return other
