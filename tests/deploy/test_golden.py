"""Agent files of every version there has been: still read, still acting as they did.

A file is made once, by the release that brings its version, with `make`, and never again.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from npgrad.deploy import Agent, file, load_agent
from npgrad.deploy.archive import read_archive
from npgrad.policies import Normaliser, make_policy
from npgrad.spaces import Box, Dict, Discrete

FOLDER = Path(__file__).parent / "golden"
OBSERVATIONS = [{"door": 1, "place": [0.5, -2.0]}, {"door": 3, "place": [-7.0, 0.25]}]
NOISE = [[0.3, -1.2], [-0.7, 0.1]]
MODES = [[-0.843163013458252, 2.57497239112854], [-0.8754883408546448, 2.885953664779663]]
DRAWN = [[-0.39406606554985046, 2.221090078353882], [-0.9963177442550659, 2.8893284797668457]]


def make():
    """Write the file of the version at hand."""
    pair = Dict({"door": Discrete(3, start=1), "place": Box(-np.inf, np.inf, (2,))}), Box([-1.0, 0.0], [1.0, 3.0])
    policy = make_policy(pair, "mlp", hidden=(4,), std="state", action_map="tanh", log_std_init=-1.0)
    policy = policy.with_normaliser(Normaliser(np.arange(5.0), np.arange(1.0, 6.0), bound=3.0))
    theta = np.sin(np.arange(policy.n_params) * 1.7)
    info = {"env_id": "House-v0", "mean_return": 12.5, "ci95": (-np.inf, 13.0), "hyperparameters": {"gamma": 0.99}}
    Agent(policy, theta, info, seed=11).save(FOLDER / f"agent-v{file.VERSION}.npz")


def test_there_is_one_of_every_version():
    assert {path.name for path in FOLDER.glob("agent-*")} == {f"agent-v{n + 1}.npz" for n in range(file.VERSION)}


@pytest.mark.parametrize("version", range(1, file.VERSION + 1))
def test_it_acts_as_it_did(version):
    agent = load_agent(FOLDER / f"agent-v{version}.npz")
    for obs, noise, mode, drawn in zip(OBSERVATIONS, NOISE, MODES, DRAWN, strict=True):
        np.testing.assert_allclose(agent.act(obs), mode, rtol=1e-6)
        np.testing.assert_allclose(agent.act(obs, noise), drawn, rtol=1e-6)
    assert agent.seed == 11
    assert (agent.info["env_id"], agent.info["ci95"]) == ("House-v0", (-np.inf, 13.0))


def test_the_header_names_the_entries_of_an_observation():
    header = json.loads(read_archive(FOLDER / "agent-v1.npz")[0])
    doors = [f"1 if obs['door'] is {n}, else 0" for n in (1, 2, 3)]
    assert header["observations"] == [*doors, "obs['place'][0]", "obs['place'][1]"]
