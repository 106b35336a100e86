"""Films: the episodes that an evaluation runs, frame by frame, and what cannot be filmed."""

import itertools
import os
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.classic_control import CartPoleEnv

from npgrad import REINFORCE
from npgrad.errors import EnvironmentFailure, InvalidInput, MissingExtra
from npgrad.training import evaluate_policy, video
from npgrad.training.video import film, show

pytest.importorskip("pygame")
Image = pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def agent():
    return REINFORCE("CartPole-v1", seed=0).agent


@pytest.fixture
def frames(monkeypatch):
    """What goes into a film."""
    kept = []

    class Kept:
        def __init__(self, path, fps):
            kept.append(fps)

        def add(self, frame):
            kept.append(frame)

        def close(self):
            kept.append("closed")

    monkeypatch.setitem(video.ENDINGS, ".gif", Kept)
    return kept


def test_a_frame_for_every_observation_of_the_evaluation(agent, frames, tmp_path):
    returns, lengths = film(agent, "CartPole-v1", tmp_path / "a.gif", episodes=2, seed=3, deterministic=False)
    assert returns == evaluate_policy(agent, "CartPole-v1", 2, False, 3, return_episode_rewards=True)[0]
    fps, *pictures, last = frames
    assert (fps, last) == (50, "closed")
    assert len(pictures) == sum(lengths) + 2
    assert all(p.shape == (400, 600, 3) and p.dtype == np.uint8 for p in pictures)
    assert any((a != b).any() for a, b in itertools.pairwise(pictures))


def test_a_gif_in_its_own_time(agent, tmp_path):
    _, lengths = film(agent, "CartPole-v1", tmp_path / "a.gif", seed=1)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.size == (480, 320)
        shown = 0
        for i in range(gif.n_frames):
            gif.seek(i)
            shown += gif.info["duration"]
        assert shown == 40 * ((lengths[0] + 2) // 2)  # every other of 50 frames a second
        assert gif.info["loop"] == 0
        assert len(np.unique(np.asarray(gif.convert("RGB")).reshape(-1, 3), axis=0)) > 3
    assert [p.name for p in tmp_path.iterdir()] == ["a.gif"]


def test_an_mp4(agent, tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    _, lengths = film(agent, "CartPole-v1", tmp_path / "a.mp4")
    n, seconds = ffmpeg.count_frames_and_secs(str(tmp_path / "a.mp4"))
    assert n == lengths[0] + 1
    assert seconds == pytest.approx(n / 50, abs=0.05)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_mujoco_without_a_display(frames, tmp_path, monkeypatch):
    pytest.importorskip("mujoco")
    if "mujoco" not in sys.modules:
        monkeypatch.delenv("MUJOCO_GL", raising=False)
    agent = REINFORCE("InvertedPendulum-v5", seed=0).agent
    try:
        _, lengths = film(agent, "InvertedPendulum-v5", tmp_path / "a.gif")
    except Exception as error:  # no EGL and no OSMesa here
        pytest.skip(f"no OpenGL: {error}")
    assert len(frames) == lengths[0] + 3


def test_the_screen(agent, monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    returns, _ = show(agent, "CartPole-v1", episodes=1, seed=3)
    assert returns == evaluate_policy(agent, "CartPole-v1", 1, True, 3, return_episode_rewards=True)[0]


def test_without_a_display(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER", "MUJOCO_GL"):
        monkeypatch.delenv(name, raising=False)
    assert video.has_display() == (not sys.platform.startswith("linux"))
    video.render_without_display()
    assert os.environ["SDL_VIDEODRIVER"] == "dummy"
    assert os.environ["MUJOCO_GL"] in ("egl", "osmesa")
    monkeypatch.setenv("MUJOCO_GL", "mine")
    video.render_without_display()
    assert os.environ["MUJOCO_GL"] == "mine"
    monkeypatch.setenv("DISPLAY", ":0")
    assert video.has_display()


@pytest.mark.filterwarnings("ignore:.*RGB-array rendering")
def test_what_cannot_be_filmed(agent, tmp_path, monkeypatch):
    with pytest.raises(InvalidInput, match=r"expected a name that ends in \.gif or \.mp4"):
        film(agent, "CartPole-v1", tmp_path / "a.avi")
    with pytest.raises(InvalidInput, match="no render mode rgb_array: it draws nothing"):
        film(agent, "npgrad/CartPole-v1", tmp_path / "a.gif")
    with pytest.raises(InvalidInput, match="observation_space of Acrobot-v1"):
        film(agent, "Acrobot-v1", tmp_path / "a.gif")
    gymnasium.register("Unseen-v0", entry_point=lambda: CartPoleEnv())
    with pytest.raises(InvalidInput, match="Unseen-v0 takes no render_mode, so it draws nothing; let its __init__"):
        film(agent, "Unseen-v0", tmp_path / "a.gif")
    with pytest.raises(InvalidInput, match=r"env_kwargs is .*'gravty'"):
        film(agent, "CartPole-v1", tmp_path / "a.gif", env_kwargs={"gravty": 1})
    del gymnasium.registry["Unseen-v0"]
    monkeypatch.setattr(CartPoleEnv, "render", lambda self: None)
    with pytest.raises(EnvironmentFailure, match="rendered NoneType, expected a picture"):
        film(agent, "CartPole-v1", tmp_path / "a.gif")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("ending", "module"), [("gif", "PIL"), ("mp4", "imageio_ffmpeg")])
def test_films_are_an_extra(agent, tmp_path, monkeypatch, ending, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=r"pip install 'npgrad\[video\]'"):
        film(agent, "CartPole-v1", tmp_path / f"a.{ending}")
