"""A run that begins with the θ of another's agent."""

import json

import numpy as np
import pytest

from npgrad import REINFORCE
from npgrad.deploy import Agent, load_agent
from npgrad.errors import InvalidInput

SHORT = [
    "--steps",
    "300",
    "--stop-at",
    "none",
    "--eval-every",
    "0",
    "--eval-episodes",
    "2",
    "--quiet",
    "--n-episodes",
    "4",
]


def theta(path, name="last_agent.npz"):
    return load_agent(path / name).theta


@pytest.mark.parametrize("more", [[], ["--policy", "mlp", "--hidden", "6", "--activation", "relu"]])
@pytest.mark.parametrize("where", ["first", "first/agent.npz"])
def test_it_begins_where_the_other_ended_with_its_policy(npgrad, tmp_path, more, where):
    npgrad("train", "CartPole-v1", *SHORT, *more, "--out", "first")
    status, _, err = npgrad(
        "train", "CartPole-v1", *SHORT, "--out", "second", "--init-from", where, "--learning-rate", 1e-12, "--seed", 9
    )
    assert (status, err) == (0, "")
    np.testing.assert_allclose(theta(tmp_path / "second"), theta(tmp_path / "first", "agent.npz"), atol=1e-9)
    found = json.loads((tmp_path / "second" / "config.json").read_text())
    assert found["policy"] == ("mlp" if more else "linear")
    assert len(theta(tmp_path / "second")) > 0


def test_going_on_needs_the_other_no_more(npgrad, tmp_path):
    npgrad("train", "CartPole-v1", *SHORT, "--out", "first")
    args = ["train", "CartPole-v1", *SHORT, "--init-from", "first"]
    npgrad(*args, "--out", "half")
    npgrad(*args, "--out", "whole", "--steps", 900)
    import shutil

    shutil.rmtree(tmp_path / "first")
    assert npgrad("train", "--resume", "half", "--steps", 900, "--quiet")[0] == 0
    np.testing.assert_array_equal(theta(tmp_path / "half"), theta(tmp_path / "whole"))
    for name in ("checkpoint.npz", "checkpoint.prev.npz"):
        (tmp_path / "half" / name).unlink()
    status, _, err = npgrad("train", "--resume", "half", "--quiet")
    assert status == 1
    assert "first has no agent.npz" in err


def test_the_normaliser_comes_along(npgrad, tmp_path):
    npgrad("train", "CartPole-v1", *SHORT, "--normalize-observations", "--out", "first")
    npgrad("train", "CartPole-v1", *SHORT, "--init-from", "first", "--out", "second")
    first, second = (load_agent(tmp_path / name / "last_agent.npz") for name in ("first", "second"))
    assert json.loads((tmp_path / "second" / "config.json").read_text())["hyperparameters"]["normalize_observations"]
    n = first.info["timesteps"]
    before = load_agent(tmp_path / "first" / "agent.npz")
    model = REINFORCE("CartPole-v1", normalize_observations=True)
    state = model.state_from(before)
    assert state.group("normaliser")["count"] == before.info["timesteps"]
    np.testing.assert_allclose(model.recipe.agent(state).policy.normaliser.mean, before.policy.normaliser.mean)
    np.testing.assert_allclose(model.recipe.agent(state).policy.normaliser.std, before.policy.normaliser.std, rtol=1e-6)
    assert n > 0
    assert second.policy.normaliser is not None


def test_what_does_not_fit(npgrad, tmp_path):
    npgrad("train", "CartPole-v1", *SHORT, "--out", "first")
    npgrad("train", "CartPole-v1", *SHORT, "--out", "normal", "--normalize-observations")
    (tmp_path / "empty").mkdir()
    for args, status, says in (
        (["--init-from", "first", "--policy", "mlp"], 2, "policy has function Linear"),
        (["--init-from", "first", "--window", 2], 2, "give the run the same policy"),
        (["--init-from", "first", "--normalize-observations"], 2, "would see normalised observations"),
        (["--init-from", "normal", "--no-normalize-observations"], 2, "would see raw observations"),
        (["--init-from", "empty"], 1, "empty has no agent.npz"),
        (["--init-from", "nowhere"], 1, "nowhere has no agent.npz"),
    ):
        found, _, err = npgrad("train", "CartPole-v1", *SHORT, *args, "--out", "second")
        assert (found, says in " ".join(err.split())) == (status, True), err
        assert not (tmp_path / "second").exists()
    found, _, err = npgrad("train", "Acrobot-v1", "--algo", "reinforce", *SHORT, "--init-from", "first")
    assert found == 2
    assert "the agent's policy has observation space" in " ".join(err.split())


def test_load_keeps_the_normaliser(tmp_path):
    model = REINFORCE("CartPole-v1", seed=0, n_episodes=4, normalize_observations=True).learn(300)
    model.save(tmp_path / "agent.npz")
    again = REINFORCE.load(tmp_path / "agent.npz", normalize_observations=True)
    assert again.state.group("normaliser")["count"] == model.state.timesteps
    obs = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    np.testing.assert_array_equal(again.predict(obs, deterministic=True)[0], model.predict(obs, deterministic=True)[0])
    frozen = REINFORCE.load(tmp_path / "agent.npz")
    assert not frozen.state.group("normaliser")
    np.testing.assert_array_equal(frozen.predict(obs, deterministic=True)[0], model.predict(obs, deterministic=True)[0])
    anonymous, fresh = (
        Agent(model.agent.policy, model.agent.theta),
        REINFORCE("CartPole-v1", normalize_observations=True),
    )
    with pytest.raises(InvalidInput, match="how many timesteps"):
        fresh.state_from(anonymous)
