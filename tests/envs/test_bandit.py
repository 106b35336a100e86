"""Bandits: the formula of their rewards, and nothing else."""

import numpy as np
import pytest

from npgrad import jit
from npgrad.checks import check_environment
from npgrad.envs import compiled_twin
from npgrad.envs.bandit import bernoulli_bandit, gaussian_bandit
from npgrad.errors import InvalidInput, NonFinite


def pull(env, arms, noise):
    n = len(arms)
    obs, rew, terminated = np.full((1, n), np.nan), np.full(n, np.nan), np.zeros(n, dtype=np.bool_)
    act = np.array(arms, dtype=np.float64)[None]
    step = jit.njit_function(env.step, "step")
    step(env.params_array, act, np.array(noise)[None], np.empty((0, n)), obs, rew, terminated)
    assert terminated.all()
    assert (obs == 1).all()
    return rew


def test_a_gaussian_arm_pays_its_mean_and_deviation():
    env = gaussian_bandit([1.0, -2.0], std=[0.5, 3.0])
    np.testing.assert_allclose(pull(env, [0, 1, 1], [1.0, 0.0, -1.0]), [1.5, -2.0, -5.0], rtol=1e-15)
    assert env.step_noise == ("normal",)


def test_a_bernoulli_arm_pays_below_its_mean():
    env = bernoulli_bandit([0.25, 1.0, 0.0])
    u = (np.arange(1000) + 0.5) / 1000
    assert [pull(env, [arm] * 1000, u).sum() for arm in range(3)] == [250, 1000, 0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gaussian_bandit([]), "empty"),
        (lambda: gaussian_bandit([[1.0]]), r"shape \(1, 1\)"),
        (lambda: gaussian_bandit([1.0, 2.0], std=-1.0), "std is -1.0"),
        (lambda: gaussian_bandit([1.0, 2.0], std=[1.0] * 3), "2 of them"),
        (lambda: bernoulli_bandit([0.5, 1.5]), "probabilities"),
    ],
)
def test_bad_arms_are_named(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()


def test_a_nan_is_named():
    with pytest.raises(NonFinite, match=r"means\[1\]"):
        bernoulli_bandit([0.5, np.nan])


@pytest.mark.parametrize("env_id", ["npgrad/GaussianBandit-v0", "npgrad/BernoulliBandit-v0"])
def test_contract(env_id):
    check_environment(compiled_twin(env_id)).raise_if_failed()
