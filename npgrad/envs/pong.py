"""Pong as Karpathy's demo sees it: what changed on 80 × 80 pixels of the court, and two actions, up and down.

Importing this module registers ``npgrad/PongDifference-v0`` over ``ALE/Pong-v5``, with its frame skip of 4 and its
sticky actions of probability ¼; ``npgrad.envs.pong:npgrad/PongDifference-v0`` is the id that imports it.
"""

from __future__ import annotations

from typing import Any

import ale_py
import gymnasium
import numpy as np
import numpy.typing as npt

__all__ = ["DOWN", "ENV_ID", "UP", "PongDifference", "court"]

ENV_ID = "npgrad.envs.pong:npgrad/PongDifference-v0"
UP, DOWN = 2, 3  # Atari's RIGHT and LEFT
BACKGROUND = 87  # of the court, in shades of grey


def court(screens: npt.NDArray[np.uint8]) -> npt.NDArray[np.int8]:
    """Paddles and ball: 1 where every other pixel of the court is not background, (…, 210, 160) → (…, 6400).

    Examples
    --------
    >>> screens = np.full((2, 210, 160), BACKGROUND, dtype=np.uint8)
    >>> screens[1, 35:39, 80:82] = 236  # a ball in the upper corner of the court
    >>> court(screens).sum(axis=1), np.flatnonzero(court(screens)[1])
    (array([0, 2]), array([ 40, 120]))
    """
    lit = screens[..., 35:195:2, ::2] != BACKGROUND  # (…, 80, 80)
    flat: npt.NDArray[np.int8] = lit.reshape((*screens.shape[:-2], 6400)).astype(np.int8)
    return flat


class PongDifference(gymnasium.Env[Any, Any]):
    """`ALE/Pong-v5` with difference frames of 6,400 numbers in {−1, 0, 1}, and actions 1 (up) and 0 (down).

    Parameters
    ----------
    render_mode : str, optional
        As of the original.

    Examples
    --------
    >>> env = gymnasium.make(ENV_ID)
    >>> obs, info = env.reset(seed=0)
    >>> obs, reward, terminated, truncated, info = env.step([1])
    >>> obs.shape, bool(np.isin(obs, (-1, 0, 1)).all())
    ((6400,), True)
    """

    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array"], "render_fps": 15}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None) -> None:
        gymnasium.register_envs(ale_py)
        self.render_mode = render_mode
        self.original = gymnasium.make("ALE/Pong-v5", obs_type="grayscale", render_mode=render_mode)
        self.observation_space = gymnasium.spaces.Box(-1.0, 1.0, (6400,), dtype=np.float32)
        self.action_space = gymnasium.spaces.MultiBinary(1)
        self._seen: npt.NDArray[np.int8] = np.zeros(6400, dtype=np.int8)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin a game; nothing has changed yet."""
        super().reset(seed=seed)
        screen, info = self.original.reset(seed=seed)
        self._seen = court(screen)
        return np.zeros(6400, dtype=np.float32), info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Four frames."""
        screen, rew, terminated, truncated, info = self.original.step(UP if action[0] else DOWN)
        before, self._seen = self._seen, court(screen)
        return (self._seen - before).astype(np.float32), float(rew), terminated, truncated, info

    def render(self) -> Any:
        """The screen, in colours."""
        return self.original.render()

    def close(self) -> None:
        """End the emulator."""
        self.original.close()


gymnasium.register(ENV_ID.partition(":")[2], entry_point=f"{__name__}:PongDifference")
