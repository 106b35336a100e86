"""The compiled block of slots beside the plain loop, and what must not change a bit of it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

import numpy as np
import pytest

from npgrad import jit
from npgrad.distributions import Bernoulli, Categorical
from npgrad.envs import COMPILED, CompiledEnv, compiled_twin
from npgrad.errors import NonFinite
from npgrad.functions import MLP, Linear
from npgrad.policies import ComposedPolicy, Normaliser, make_policy
from npgrad.rollouts import CompiledRollout, fused
from npgrad.rollouts.compiled import layout
from npgrad.rollouts.fused import affine_of, head_of, inside_of
from npgrad.rollouts.gather import Gathering
from npgrad.spaces import Box, Discrete
from tests.rollouts.test_rollouts import FIELDS, assert_same

ENVS = [name for name in COMPILED if not name.startswith("Cliff") and name != "Taxi-v4"]  # no limit, and 500 columns


class Opaque:
    """A policy that only keeps the protocol, so that nothing knows a short way for it."""

    def __init__(self, policy):
        self._policy = policy

    def __getattr__(self, name):
        return getattr(self._policy, name)


def roll(env, policy, theta, n_envs=8, **kwargs):
    args = dict(seed=3, first=2, count=21) | kwargs
    return CompiledRollout(compiled_twin(env), n_envs=n_envs).episodes(policy, theta, **args)


def some(env, kind="linear", **kwargs):
    policy = make_policy(CompiledRollout(compiled_twin(env)), kind, **kwargs)
    theta = policy.init(np.random.default_rng(1))
    return policy, theta + 0.3 * np.random.default_rng(2).normal(size=theta.shape)


def assert_close(a, b, atol):
    for name in FIELDS:
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=0, atol=atol, err_msg=name)


@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize("env", ENVS)
def test_the_kernel_and_the_plain_loop_do_the_same(env, deterministic):
    policy, theta = some(env)
    assert head_of(policy) is not None
    count = 3 if compiled_twin(env).max_episode_steps > 100 else 21
    a = roll(env, policy, theta, count=count, deterministic=deterministic)
    b = roll(env, Opaque(policy), theta, count=count, deterministic=deterministic)
    assert_close(a, b, atol=1e-11)  # exp, log and matrix products round otherwise
    np.testing.assert_array_equal(a.offsets, b.offsets)


@pytest.mark.parametrize("env", ["CartPole-v1", "MountainCar-v0", "npgrad/LaneKeeping-v0", "FrozenLake-v1"])
def test_y_by_numpy_is_y_in_the_kernel(env):
    policy, theta = some(env)
    d = compiled_twin(env).n_obs
    same = policy.with_normaliser(Normaliser(np.zeros(d), np.ones(d), bound=np.inf))
    assert affine_of(policy, theta) is not None
    assert affine_of(same, theta) is None
    for n_envs in (3, 40):
        a, b = (roll(env, p, theta, n_envs=n_envs, count=90) for p in (policy, same))
        assert_close(a, b, atol=1e-11)
        np.testing.assert_array_equal(a.act, b.act) if a.act.ndim == 1 else None


@pytest.mark.parametrize("std", ["shared", "state", "fixed"])
@pytest.mark.parametrize("env", ["Pendulum-v1", "npgrad/PointMass-v0"])
def test_gaussians_of_all_sorts(env, std):
    policy, theta = some(env, std=std)
    assert affine_of(policy, theta) is not None
    assert_close(roll(env, policy, theta, count=4), roll(env, Opaque(policy), theta, count=4), atol=1e-9)


@pytest.mark.parametrize("std", ["shared", "state", "fixed"])
def test_perceptrons_of_gaussians_inside_the_kernel(std):
    policy, theta = some("npgrad/LaneKeeping-v0", "mlp", hidden=(5, 3), std=std)
    assert (inside_of(policy, theta, one_hot=False) is None) == (jit.product_address("float64") is None)
    assert inside_of(policy, theta.astype(np.float32), one_hot=False) is None
    assert inside_of(policy, theta, one_hot=True) is None
    a, b = (roll("npgrad/LaneKeeping-v0", p, theta, count=90) for p in (policy, Opaque(policy)))
    assert_close(a, b, atol=1e-9)


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_perceptrons_and_single_precision(kind):
    policy, theta = some("CartPole-v1", kind, hidden=(8,))
    whole = roll("CartPole-v1", policy, theta)
    assert_close(whole, roll("CartPole-v1", Opaque(policy), theta), atol=1e-11)
    single = roll("CartPole-v1", policy, theta.astype(np.float32))
    np.testing.assert_allclose(single.logp[:20], whole.logp[:20], atol=1e-5)
    assert single.logp.dtype == whole.logp.dtype


@pytest.mark.parametrize("env", ["CartPole-v1", "Acrobot-v1", "npgrad/LaneKeeping-v0", "FrozenLake-v1"])
def test_an_episode_is_the_same_to_the_bit_in_blocks_of_any_width(env):
    """Narrow blocks, wide ones that are packed several times over, and ones with more slots than episodes."""
    policy, theta = some(env)
    count = 12 if env == "Acrobot-v1" else 150
    one = roll(env, policy, theta, n_envs=1, count=count)
    for n_envs in (2, 7, 64, 150, 400):
        assert_same(one, roll(env, policy, theta, n_envs=n_envs, count=count))


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_records_of_any_size_hold_the_same(kind, monkeypatch):
    policy, theta = some("npgrad/LaneKeeping-v0", kind, hidden=(4,))
    whole = roll("npgrad/LaneKeeping-v0", policy, theta, n_envs=48, count=100)
    for record in (1, 5_000, 20_000):
        monkeypatch.setattr(fused, "RECORD", record)
        assert_same(whole, roll("npgrad/LaneKeeping-v0", policy, theta, n_envs=48, count=100))


def test_more_rows_than_the_first_block_let_expect(monkeypatch):
    """Then what is there is copied, and the rest gathered behind it."""
    policy, theta = some("npgrad/LaneKeeping-v0")
    whole = roll("npgrad/LaneKeeping-v0", policy, theta, n_envs=4, count=64)
    batches, copied = Gathering.batch, []
    monkeypatch.setattr("npgrad.rollouts.gather.ROOM", 0.6)
    monkeypatch.setattr(Gathering, "batch", lambda self: (copied.append(self._next), batches(self))[1])
    for executor in (None, ThreadPoolExecutor(3)):
        assert_same(whole, roll("npgrad/LaneKeeping-v0", policy, theta, n_envs=4, count=64, executor=executor))
    assert all(0 < n < 8 for n in copied)


def test_batches_do_not_share_memory():
    policy, theta = some("CartPole-v1")
    rollout = CompiledRollout(compiled_twin("CartPole-v1"))
    args = dict(seed=3, first=0, count=700)
    kept = rollout.episodes(policy, theta, **args)
    copy = {name: getattr(kept, name).copy() for name in FIELDS}
    for first in range(3):
        again = rollout.episodes(policy, theta, seed=3, first=1000 * first, count=700)
        assert not any(np.shares_memory(getattr(kept, name), getattr(again, name)) for name in FIELDS)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(kept, name), copy[name])


def reset_growing(params, lanes, noise, state, obs):
    """An episode of 1 to 9 steps; x is 10³⁰ times larger at each, also after the end."""
    for k in range(lanes.shape[0]):
        state[0, lanes[k]], state[1, lanes[k]] = 1.0, np.floor(1.0 + 9.0 * noise[0, k])
        obs[0, lanes[k]] = 1.0


def step_growing(params, act, noise, state, obs, rew, terminated):
    for i in range(state.shape[1]):
        state[0, i] *= 1e30
        state[1, i] -= 1.0
        obs[0, i] = state[0, i]
        rew[i] = params[0] / (state[1, i] - params[1])
        terminated[i] = state[1, i] < 1.0


@pytest.mark.parametrize("pole", [0.5, 0.0])
def test_a_number_that_is_not_finite_is_found_where_it_counts(pole):
    env = CompiledEnv(
        "Growing-v0",
        reset_growing,
        step_growing,
        (1.0, pole),
        2,
        Box(-np.inf, np.inf),
        Discrete(2),
        ("uniform",),
        (),
        9,
    )
    rollout = CompiledRollout(env, n_envs=16)
    policy = make_policy(rollout, "linear")
    args = dict(seed=0, first=0, count=90)
    if pole:  # of idle slots there are infinities, and nobody sees them
        assert np.isfinite(rollout.episodes(policy, np.zeros(policy.n_params), **args).obs).all()
    else:
        with pytest.raises(NonFinite, match=r"rew\[\d+\] is inf \(90 of \d+ values"):
            rollout.episodes(policy, np.zeros(policy.n_params), **args)


@pytest.mark.parametrize("part", ["function", "perceptron", "distribution", "policy"])
def test_what_is_derived_from_a_known_part_is_not_taken_for_it(part):
    """Each goes left always, by what it changes."""

    class Still(Linear):
        def at(self, theta, obs, offsets=None):
            return super().at(np.append(theta[:-2] * 0, [150, -150]), obs, offsets)

    class Calm(MLP):
        def at(self, theta, obs, offsets=None):
            return super().at(np.append(theta[:-2] * 0, [150, -150]), obs, offsets)

    class Left(Categorical):
        def draw(self, y, noise):
            return np.zeros(len(y), np.int64)

    class Stubborn(ComposedPolicy):
        def act(self, theta, obs, noise=None, memory=None):
            act, logp, memory = super().act(theta, obs, noise, memory)
            return act * 0, logp, memory

    policy, theta = some("CartPole-v1", "mlp" if part == "perceptron" else "linear")
    if part == "function":
        policy = replace(policy, function=Still(4, 2))
    elif part == "perceptron":
        policy = replace(policy, function=Calm(4, 2))
    elif part == "distribution":
        policy = replace(policy, distribution=Left(2))
    else:
        policy = Stubborn(**{field.name: getattr(policy, field.name) for field in fields(policy)})
    assert not roll("CartPole-v1", policy, theta).act.any()


def test_policies_that_the_kernel_does_not_draw_take_the_plain_loop():
    from npgrad.functions import Linear
    from npgrad.policies import ComposedPolicy

    box = Box(-1.0, 1.0, (2,))
    assert head_of(ComposedPolicy(Linear(2, 3), Bernoulli(3), box, Discrete(2))) is None
    assert head_of(make_policy((box, box), "linear", action_map="tanh")) is None
    assert head_of(make_policy((box, Discrete(2)), "recurrent")) is None
    assert head_of(make_policy((box, Discrete(2)), "linear", masked=True)) is None
    assert head_of(make_policy((box, box), "linear", std="full")) is None
    for options in ({"action_map": "tanh"}, {"std": "full"}, {"action_map": "rescale"}):
        policy, theta = some("npgrad/PointMass-v0", **options)
        assert roll("npgrad/PointMass-v0", policy, theta, count=3).n_episodes == 3


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize(("count", "n_envs"), [(1, 64), (5, 64), (300, 3), (2000, 64), (100_000, 64), (7, 1)])
def test_blocks_cover_the_episodes(count, n_envs, inside):
    n_slots, blocks = layout(10, count, n_envs, inside)
    assert 1 <= n_slots <= count
    assert [b for b, _ in blocks] == [10] + [e for _, e in blocks[:-1]]
    assert blocks[-1][1] == 10 + count
