"""Watching an agent: the Gymnasium original of its environment on the screen, or as a GIF or MP4."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Mapping
from ctypes.util import find_library
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..deploy import Agent
from ..errors import InvalidInput, MissingExtra
from ..files import write_atomically
from .evaluation import evaluate_policy

__all__ = ["ENDINGS", "film", "has_display", "show"]

GIF_FPS = 25  # more frames a second are left out
GIF_WIDTH = 480  # wider pictures are made smaller

Frame = npt.NDArray[np.uint8]


class Sink(Protocol):
    """Where frames go."""

    def add(self, frame: Frame) -> None:
        """One more picture, (height, width, 3)."""

    def close(self) -> None:
        """Write what is not written yet."""


class Gif:
    """A GIF by Pillow, at most 25 frames a second and 480 pixels wide."""

    def __init__(self, path: Path, fps: float) -> None:
        try:
            from PIL import Image
        except ImportError as error:
            raise MissingExtra("GIFs need Pillow; pip install 'npgrad[video]'") from error
        self._image, self._path = Image, path
        self._every = max(1, round(fps / GIF_FPS))
        self._milliseconds = round(1000 * self._every / fps)
        self._seen = 0
        self._frames: list[Any] = []

    def add(self, frame: Frame) -> None:
        """Keep the frame, if it is its turn, in 256 colours."""
        if self._seen % self._every == 0:
            image = self._image.fromarray(frame)
            if image.width > GIF_WIDTH:
                image = image.resize((GIF_WIDTH, round(image.height * GIF_WIDTH / image.width)))
            self._frames.append(image.quantize(256, dither=self._image.Dither.NONE))
        self._seen += 1

    def close(self) -> None:
        """Write the file, whole or not at all."""
        if self._frames:
            first, *others = self._frames
            more = {"save_all": True, "append_images": others, "duration": self._milliseconds, "loop": 0}
            write_atomically(self._path, lambda file: first.save(file, format="GIF", optimize=True, **more))


class Mp4:
    """An MP4 by the ffmpeg that imageio-ffmpeg brings."""

    def __init__(self, path: Path, fps: float) -> None:
        try:
            import imageio_ffmpeg
        except ImportError as error:
            raise MissingExtra("MP4s need imageio-ffmpeg; pip install 'npgrad[video]'") from error
        self._write, self._path, self._fps = imageio_ffmpeg.write_frames, path, fps
        self._unfinished = path.with_name(f".{path.name}.unfinished.mp4")
        self._ffmpeg: Any = None

    def add(self, frame: Frame) -> None:
        """Hand the frame on; ffmpeg wants even sides."""
        even = np.ascontiguousarray(frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2])
        if self._ffmpeg is None:
            size = even.shape[1], even.shape[0]
            self._ffmpeg = self._write(str(self._unfinished), size, fps=self._fps, macro_block_size=2)
            self._ffmpeg.send(None)
        self._ffmpeg.send(even)

    def close(self) -> None:
        """Let ffmpeg finish, then give the file its name."""
        if self._ffmpeg is not None:
            self._ffmpeg.close()
            os.replace(self._unfinished, self._path)


ENDINGS: dict[str, Callable[[Path, float], Sink]] = {".gif": Gif, ".mp4": Mp4}


def film(
    agent: Agent,
    env_id: str,
    out: str | Path,
    *,
    episodes: int = 1,
    seed: int = 0,
    deterministic: bool = True,
    env_kwargs: Mapping[str, Any] | None = None,
) -> tuple[list[float], list[int]]:
    """The episodes that `evaluate_policy` would run under the same seed, as a film; no display is needed.

    Parameters
    ----------
    agent : Agent
    env_id : str
        A Gymnasium id.
    out : path
        Ends in ``.gif`` or ``.mp4``.
    episodes, seed, deterministic, env_kwargs
        As for `evaluate_policy`.

    Returns
    -------
    returns, lengths : list
        Of the episodes.

    Raises
    ------
    InvalidInput
        If the ending is another, or the environment gives no pictures.
    MissingExtra
        If a package for it is not installed.
    """
    path = Path(out)
    if path.suffix.lower() not in ENDINGS:
        raise InvalidInput(f"out is {out}, expected a name that ends in {' or '.join(ENDINGS)}")
    if not has_display():
        render_without_display()
    env = _make(env_id, "rgb_array", env_kwargs)
    sink = ENDINGS[path.suffix.lower()](path, float(env.metadata.get("render_fps") or 30))
    filmed = _filmed(env, sink)
    try:
        returns, lengths = evaluate_policy(agent, filmed, episodes, deterministic, seed, True)
    finally:
        env.close()
        sink.close()
    return returns, lengths


def show(
    agent: Agent,
    env_id: str,
    *,
    episodes: int = 3,
    seed: int = 0,
    deterministic: bool = True,
    env_kwargs: Mapping[str, Any] | None = None,
) -> tuple[list[float], list[int]]:
    """The same on the screen; arguments, result and errors as for `film`."""
    env = _make(env_id, "human", env_kwargs)
    try:
        returns, lengths = evaluate_policy(agent, env, episodes, deterministic, seed, True)
    finally:
        env.close()
    return returns, lengths


def has_display() -> bool:
    """Whether a window can be opened, as far as the surroundings tell."""
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def render_without_display() -> None:
    """Tell pygame and MuJoCo, before they are imported, to draw into memory; what the user has set stays."""
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    os.environ.setdefault("MUJOCO_GL", "egl" if find_library("EGL") else "osmesa")


def _make(env_id: str, mode: str, env_kwargs: Mapping[str, Any] | None) -> Any:
    from ..rollouts.gymnasium import make_env

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Gymnasium warns of what is an error below
        try:
            env = make_env(env_id, **{**(env_kwargs or {}), "render_mode": mode})
        except InvalidInput as error:
            alone = not env_kwargs or "argument 'render_mode'" in str(error)
            if not (isinstance(error.__cause__, TypeError) and alone):
                raise
            what = f"{env_id} takes no render_mode, so it draws nothing; let its __init__ take one, and render() draw"
            raise InvalidInput(what) from error
    modes = env.metadata.get("render_modes") or []
    if mode not in modes:
        env.close()
        has = f"it has {', '.join(map(str, modes))}" if modes else "it draws nothing"
        raise InvalidInput(f"{env_id} has no render mode {mode}: {has}; watch the agent in one that does, by --env ID")
    return env


def _filmed(env: Any, sink: Sink) -> Any:
    """`env`, with a frame for every observation."""
    import gymnasium

    class Filmed(gymnasium.Wrapper[Any, Any, Any, Any]):
        def reset(self, **kwargs: Any) -> Any:
            first = self.env.reset(**kwargs)
            sink.add(self.picture())
            return first

        def step(self, action: Any) -> Any:
            after = self.env.step(action)
            sink.add(self.picture())
            return after

        def picture(self) -> Frame:
            frame: Any = self.env.render()
            if not (isinstance(frame, np.ndarray) and frame.ndim == 3 and frame.shape[2] >= 3):
                got = getattr(frame, "shape", type(frame).__name__)
                raise InvalidInput(f"the environment rendered {got}, expected a picture of shape (height, width, 3)")
            return frame[:, :, :3].astype(np.uint8, copy=False)

    return Filmed(env)
