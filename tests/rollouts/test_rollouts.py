"""Rollouts: fused kernel, general loop and Gymnasium's environment on the same noise; order, blocks, threads."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import gymnasium
import numpy as np
import pytest

from npgrad import noise
from npgrad.envs import compiled_twin
from npgrad.errors import InvalidInput
from npgrad.policies import Normaliser, make_policy
from npgrad.rollouts import CompiledRollout, GymnasiumRollout, make_rollout
from npgrad.rollouts.fused import affine_of

CARTPOLE = compiled_twin("CartPole-v1")
FIELDS = ("obs", "act", "rew", "logp", "offsets", "episode", "start", "terminated", "truncated", "final_obs")
LINEAR = make_policy(CompiledRollout(CARTPOLE), "linear")
MLP = make_policy(CompiledRollout(CARTPOLE), "mlp", hidden=(8,))
RNG = np.random.default_rng(0)
THETA = RNG.normal(size=LINEAR.n_params)  # neither the worst nor the best


def assert_same(a, b):
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def identity_behind_a_normaliser(policy):
    """The same policy, but not one that the fused kernel takes."""
    return policy.with_normaliser(Normaliser(np.zeros(4), np.ones(4), bound=np.inf))


@pytest.mark.parametrize("deterministic", [False, True])
def test_fused_kernel_and_general_loop_do_the_same(deterministic):
    rollout, slow = CompiledRollout(CARTPOLE, n_envs=5), identity_behind_a_normaliser(LINEAR)
    assert affine_of(LINEAR, THETA) is not None
    assert affine_of(slow, THETA) is None
    args = dict(seed=3, first=2, count=13, deterministic=deterministic)
    a, b = rollout.episodes(LINEAR, THETA, **args), rollout.episodes(slow, THETA, **args)
    for name in FIELDS:
        tolerance = 1e-12 if name == "logp" else 0  # libm's exp in the one, NumPy's in the other
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=0, atol=tolerance, err_msg=name)


class SameStart(gymnasium.Wrapper):
    """Gymnasium's CartPole from the states that the compiled one begins with."""

    def __init__(self, seed):
        super().__init__(gymnasium.make("CartPole-v1"))
        self.starts = {
            noise.derive_seed(seed, noise.RESET, e) & ((1 << 31) - 1): 0.1 * noise.uniform(4, seed, noise.RESET, e, 0)
            - 0.05
            for e in range(20)
        }

    def reset(self, *, seed=None, options=None):
        _, info = self.env.reset(seed=seed)
        self.env.unwrapped.state = self.starts[seed]
        return self.starts[seed].astype(np.float32), info


def test_compiled_and_gymnasium_rollouts_agree_on_the_same_noise():
    compiled = CompiledRollout(CARTPOLE, n_envs=4).episodes(LINEAR, THETA, seed=11, first=0, count=20)
    original = GymnasiumRollout(lambda: SameStart(11), n_envs=3)
    batch = original.episodes(LINEAR, THETA, seed=11, first=0, count=20)
    original.close()
    for name in FIELDS:
        np.testing.assert_allclose(getattr(batch, name), getattr(compiled, name), rtol=0, atol=2e-7, err_msg=name)
    np.testing.assert_array_equal(batch.act, compiled.act)
    np.testing.assert_array_equal(batch.offsets, compiled.offsets)


@pytest.mark.parametrize("policy", [LINEAR, identity_behind_a_normaliser(LINEAR)], ids=["fused", "general"])
def test_an_episode_depends_on_its_number_alone(policy):
    whole = CompiledRollout(CARTPOLE, n_envs=64).episodes(policy, THETA, seed=1, first=0, count=9)
    for e in (0, 4, 8):
        alone = CompiledRollout(CARTPOLE, n_envs=2).episodes(policy, THETA, seed=1, first=e, count=1)
        for name in FIELDS:
            np.testing.assert_allclose(
                getattr(alone, name), getattr(whole.select([e]), name), rtol=0, atol=1e-13, err_msg=name
            )


@pytest.mark.parametrize("policy", [LINEAR, MLP], ids=["linear", "mlp"])
@pytest.mark.parametrize("engine", ["compiled", "gymnasium"])
def test_threads_change_no_bit(policy, engine):
    theta = policy.init(np.random.default_rng(1)) + 0.1
    rollout = make_rollout("CartPole-v1", engine, n_envs=3)
    args = dict(seed=5, first=7, count=30)
    one = rollout.episodes(policy, theta, **args)
    for n in (2, 4):
        with ThreadPoolExecutor(n) as executor:
            assert_same(one, rollout.episodes(policy, theta, **args, executor=executor))
    rollout.close()


SCRIPT = """
import hashlib, numpy as np
from npgrad.policies import make_policy
from npgrad.rollouts import make_rollout
rollout = make_rollout("CartPole-v1", n_envs=4)
h = hashlib.sha256()
for kind in ("linear", "mlp"):
    policy = make_policy(rollout, kind, hidden=(8,))
    batch = rollout.episodes(policy, policy.init(np.random.default_rng(1)) + 0.1, seed=5, first=0, count=6)
    for name in ("obs", "act", "rew", "logp", "offsets", "final_obs"):
        h.update(np.ascontiguousarray(getattr(batch, name)).tobytes())
print(h.hexdigest())
"""


def fresh_process(**env):
    out = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=os.environ | env, capture_output=True, text=True, check=True, timeout=300
    )
    return out.stdout.strip()


@pytest.mark.parametrize("engine", ["compiled", "gymnasium"])
@pytest.mark.parametrize("count", [0, -1])
def test_no_episodes_are_refused(engine, count):
    rollout = make_rollout("CartPole-v1", engine=engine)
    policy = make_policy(rollout, "linear")
    with pytest.raises(InvalidInput, match=f"count is {count}, expected one episode or more"):
        rollout.episodes(policy, np.zeros(policy.n_params), seed=0, first=0, count=count)


def test_two_processes_and_plain_python_give_the_same_bits():
    compiled = fresh_process()
    assert len(compiled) == 64
    assert fresh_process() == compiled
    assert fresh_process(NPGRAD_JIT="0") == compiled


def test_each_episode_ends_as_it_did():
    batch = CompiledRollout(CARTPOLE).episodes(
        LINEAR, np.array([0, 0, 0, 0, -5, 5, -5, 5, 0, 0.0]), seed=0, first=0, count=40
    )
    limit = CARTPOLE.max_episode_steps
    assert (batch.truncated == (batch.lengths == limit)).all()
    assert (batch.terminated != batch.truncated).all()
    assert batch.truncated.any()
    assert batch.terminated.any()
    beyond = (np.abs(batch.final_obs[:, 0]) > 2.4) | (np.abs(batch.final_obs[:, 2]) > 0.2095)
    assert (beyond == batch.terminated).all()
    np.testing.assert_array_equal(batch.returns(), batch.lengths)


def test_rows_follow_one_another():
    batch = CompiledRollout(CARTPOLE, n_envs=3).episodes(LINEAR, THETA, seed=0, first=0, count=8)
    last = batch.offsets[1:] - 1
    inside = np.setdiff1d(np.arange(batch.n_steps), last)
    x, x_dot = batch.obs[:, 0], batch.obs[:, 1]
    np.testing.assert_allclose(x[inside + 1], x[inside] + 0.02 * x_dot[inside], atol=1e-6)
    np.testing.assert_allclose(batch.final_obs[:, 0], x[last] + 0.02 * x_dot[last], atol=1e-6)


def test_actions_follow_their_probabilities():
    batch = CompiledRollout(CARTPOLE).episodes(LINEAR, np.zeros(10), seed=0, first=0, count=500)
    n = batch.n_steps
    assert abs(batch.act.mean() - 0.5) < 3.29 * 0.5 / np.sqrt(n)  # 99.9 % interval
    np.testing.assert_allclose(batch.logp, np.log(0.5), rtol=1e-15)


def test_a_twin_takes_a_time_limit_of_ones_own():
    short, original = (make_rollout("CartPole-v1", engine, max_episode_steps=15) for engine in ("auto", "gymnasium"))
    assert isinstance(short, CompiledRollout)
    batch = short.episodes(LINEAR, THETA, seed=0, first=0, count=30)
    assert batch.lengths.max() == 15
    np.testing.assert_array_equal(batch.truncated & (batch.lengths == 15), batch.truncated)
    assert batch.truncated.any()
    assert original.episodes(LINEAR, THETA, seed=0, first=0, count=5).lengths.max() == 15
    assert make_rollout("CartPole-v1", max_episode_steps=None).env.max_episode_steps == 500
    assert make_rollout("CartPole-v1", max_episode_steps=-1).env.max_episode_steps is None
    assert isinstance(make_rollout("CartPole-v1", max_episode_steps=15, sutton_barto_reward=True), GymnasiumRollout)
    with pytest.raises(InvalidInput, match="max_episode_steps"):
        make_rollout("CartPole-v1", max_episode_steps=0)
