"""The exported Python file against the library: the same actions and log-probabilities, with NumPy alone."""

import ast
import runpy
import subprocess
import sys

import numpy as np
import pytest

from npgrad.deploy import Agent
from npgrad.deploy.export import export_numpy
from npgrad.errors import InvalidInput
from npgrad.policies import make_policy
from npgrad.spaces import Box, Discrete, unflatten
from tests.deploy.export.expected import expected, mapped
from tests.deploy.zoo import POLICIES, REALS, TWO, agent_of


def exported(agent, tmp_path):
    return runpy.run_path(str(export_numpy(agent, tmp_path / "agent.py")))["POLICY"]


@pytest.mark.parametrize("name", POLICIES)
def test_same_as_the_library(name, tmp_path):
    agent = agent_of(name)
    policy, e = exported(agent, tmp_path), expected(agent)
    obs = e.obs.reshape(len(e.obs), *policy.shape)
    space = agent.policy.action_space
    e.close(policy.act(obs).reshape(len(obs), -1), mapped(agent, e.mode).astype(space.dtype), 1e-6)
    flat = e.obs if policy.n_masked else e.obs.astype(policy.dtype)
    with np.errstate(all="ignore"):
        e.close(policy.latent(flat), e.mode.reshape(len(obs), -1), 1e-12)
        e.close(policy.latent(flat, e.noise), e.latent.reshape(len(obs), -1), 1e-12)
        drawn = policy.act(obs, e.noise)
        e.same_log_prob(policy.log_prob(obs, e.latent), e.log_prob, 1e-12)
    assert drawn.dtype == space.dtype
    assert drawn.shape == (len(obs), *space.shape)
    assert policy.draws == agent.policy.draws


@pytest.mark.parametrize("name", ["image, no bias", "coins", "relu, shared σ, clip", "normalised softmax"])
def test_one_observation(name, tmp_path):
    agent = agent_of(name)
    policy, e = exported(agent, tmp_path), expected(agent, 50)
    for flat, u in zip(e.obs, e.noise, strict=True):
        obs = unflatten(agent.policy.observation_space, flat)
        for noise in (None, u):
            action, agents = policy.act(obs, noise), agent.act(obs, noise)
            assert type(action) is type(agents)
            np.testing.assert_allclose(action, agents, rtol=1e-6)
    assert policy.log_prob(obs, e.latent[-1]) == pytest.approx(e.log_prob[-1], rel=1e-12)


@pytest.mark.parametrize("action_map", ["clip", "tanh", "rescale"])
def test_a_real_action_without_axes(action_map, tmp_path):
    policy = make_policy((REALS, Box(-1.0, 1.0, ())), action_map=action_map)
    agent = Agent(policy, np.full(policy.n_params, 0.2))
    act, obs = exported(agent, tmp_path).act, np.array([0.5, 1.0, -0.1, 0.3], np.float32)
    assert act(obs).dtype == agent.act(obs).dtype
    assert act(obs).shape == ()
    assert float(act(obs)) == pytest.approx(float(agent.act(obs)), rel=1e-6)
    assert not float(act(obs)).is_integer()


def test_float32_stays(tmp_path):
    agent = agent_of("linear softmax", np.float32)
    policy = exported(agent, tmp_path)
    assert policy.numbers.dtype == np.float32
    np.testing.assert_array_equal(policy.numbers, agent.theta)


def named(printed):
    """Modules that a user knows: NumPy 1 brings some of Cython's own."""
    return [name for name in printed.split() if "cython" not in name]


def test_it_needs_numpy_alone(tmp_path):
    path = export_numpy(agent_of("mixture of kinds"), tmp_path / "deep" / "agent.py")
    text = path.read_text(encoding="utf-8")
    assert "0BSD" in ast.get_docstring(ast.parse(text))
    code = "import sys; before = set(sys.modules); import agent; print(agent.act([0.0] * 4), agent.DRAWS)\n"
    code += "print(*sorted({m.split('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=path.parent, capture_output=True, text=True, check=True)
    assert named(done.stdout.splitlines()[-1]) == ["agent", "numpy"]


def test_exporting_needs_numpy_alone():
    code = "import sys; before = set(sys.modules); import npgrad.deploy.export\n"
    code += "print(*sorted({m.split('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert named(done.stdout) == ["npgrad", "numpy"]


def test_bad_observations(tmp_path):
    policy = exported(agent_of("linear softmax"), tmp_path)
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match="NaN or an infinity"):
            policy.act([0.0, bad, 0.0, 0.0])
    for shape in ((3,), (2, 3), (1, 1, 4), ()):
        with pytest.raises(ValueError, match="obs has shape"):
            policy.act(np.zeros(shape))
    masked = exported(agent_of("masked"), tmp_path)
    with pytest.raises(ValueError, match="allows no action"):
        masked.act(np.zeros(9))


def test_observations_of_integers(tmp_path):
    policy = make_policy((Box(0, 255, (2, 2), "uint8"), Discrete(3)))
    agent = Agent(policy, np.random.default_rng(0).normal(size=policy.n_params))
    act = exported(agent, tmp_path).act
    obs = np.random.default_rng(1).integers(256, size=(50, 2, 2))
    np.testing.assert_array_equal(act(obs), agent.act_batch(obs))
    np.testing.assert_array_equal(act(obs.astype(float)), act(obs))
    for wrong in (np.nan, np.inf, 0.5, 256, -1):
        with pytest.raises(ValueError, match="values that uint8 does not hold"):
            act([[0, wrong], [0, 0]])


@pytest.mark.parametrize("name", ["image, no bias", "coins", "relu, shared σ, clip", "masked"])
def test_no_observations_no_actions(name, tmp_path):
    agent = agent_of(name)
    policy = exported(agent, tmp_path)
    actions = policy.act(np.zeros((0, *policy.shape)))
    assert actions.shape == (0, *agent.policy.action_space.shape)


def test_an_action_of_ones_own_where_an_observation_is_not_finite(tmp_path):
    policy = exported(agent_of("linear softmax"), tmp_path)
    obs = np.array([[0.1, 0.2, 0.3, 0.4], [0.0, np.nan, 0.0, 0.0], [0.0, 0.0, 0.0, -np.inf]])
    assert policy.act(obs, on_nan=2).tolist() == [policy.act(obs[0]), 2, 2]
    assert policy.act(obs[1], on_nan=1) == 1
    assert np.isnan(obs[1, 1])
    continuous = exported(agent_of("relu, shared σ, clip"), tmp_path)
    assert continuous.act(obs, on_nan=[0.0, 1.0])[1].tolist() == [0.0, 1.0]


def test_what_it_cannot_write(tmp_path):
    full = make_policy((REALS, TWO), std="full")
    with pytest.raises(InvalidInput, match="FullGaussian cannot be exported"):
        export_numpy(Agent(full, np.zeros(full.n_params)), tmp_path / "a.py")
    evil = '"""\nimport os #\\'
    policy = make_policy((Box(-1.0, 1.0, (1,)), Discrete(2)))
    agent = Agent(policy, np.zeros(policy.n_params), info={"env_id": evil})
    assert exported(agent, tmp_path).act([0.0]) == 0
