"""`steps`: a rollout that goes on from call to call, on every engine."""

import gymnasium
import numpy as np
import pytest

from npgrad.envs import compiled_twin
from npgrad.errors import InvalidInput
from npgrad.policies import make_policy
from npgrad.rollouts import CompiledRollout, GymnasiumRollout, VectorRollout
from npgrad.types import concatenate

CARTPOLE = compiled_twin("CartPole-v1")
THETA = np.random.default_rng(0).normal(size=10)


def make(engine):
    if engine == "compiled":
        return CompiledRollout(CARTPOLE, n_envs=3, n_blocks=2)
    if engine == "gymnasium":
        return GymnasiumRollout("CartPole-v1", n_envs=3, n_blocks=2)
    return VectorRollout(gymnasium.make_vec("CartPole-v1", num_envs=6))


def rolled(engine, pieces, kind="linear"):
    """All segments of a rollout in pieces of so many steps, and the state at its end."""
    rollout = make(engine)
    policy = make_policy(rollout, kind, hidden=(4,))
    theta = THETA if kind == "linear" else policy.init(np.random.default_rng(0))
    state, batches = rollout.start(policy, theta), []
    for n in pieces:
        batch, state = rollout.steps(policy, theta, seed=5, n_steps=n, state=state)
        batches.append(batch)
    rollout.close()
    return concatenate(batches), state


def whole_episodes(batch):
    """Rows by episode, the segments of one joined in order of time."""
    joined = {}
    for i in np.lexsort([batch.start, batch.episode]):
        rows = slice(batch.offsets[i], batch.offsets[i + 1])
        assert batch.start[i] == len(joined.get(batch.episode[i], []))
        columns = np.column_stack([batch.obs[rows], batch.act[rows], batch.rew[rows], batch.logp[rows]])
        joined.setdefault(batch.episode[i], []).extend(columns.tolist())
    return joined


@pytest.mark.parametrize("kind", ["linear", "recurrent"])
@pytest.mark.parametrize("engine", ["compiled", "gymnasium", "vector"])
def test_pieces_are_the_whole(engine, kind):
    whole, end = rolled(engine, [60], kind)
    pieces, end_of_pieces = rolled(engine, [1, 7, 2, 50], kind)
    assert whole.n_steps == (6 * 60 if engine != "vector" else whole.n_steps)
    assert whole_episodes(whole) == whole_episodes(pieces)
    for name, array in end.items():
        np.testing.assert_array_equal(array, end_of_pieces[name], err_msg=name)


@pytest.mark.parametrize("engine", ["compiled", "gymnasium"])
def test_episodes_are_those_of_episodes(engine):
    batch, _ = rolled(engine, [80])
    rollout = make(engine)
    policy = make_policy(rollout, "linear")
    ended = np.flatnonzero(batch.terminated | batch.truncated)
    assert len(ended) > 6
    for i in ended[:8]:
        alone = rollout.episodes(policy, THETA, seed=5, first=int(batch.episode[i]), count=1)
        one = batch.select([i])
        np.testing.assert_allclose(one.obs, alone.obs, atol=1e-7)
        np.testing.assert_array_equal(one.act, alone.act)
        np.testing.assert_allclose(one.final_obs, alone.final_obs, atol=1e-7)
    rollout.close()


@pytest.mark.parametrize("engine", ["compiled", "gymnasium", "vector"])
def test_cut_segments_say_so_and_have_their_final_observation(engine):
    batch, state = rolled(engine, [30])
    cut = ~(batch.terminated | batch.truncated)
    assert 0 < cut.sum() <= 6
    running = state["episode"] >= 0
    slots = dict(zip(state["episode"][running], state["obs"][running], strict=True))
    for i in np.flatnonzero(cut):
        np.testing.assert_array_equal(batch.final_obs[i], slots[batch.episode[i]])


def test_an_episode_needs_a_time_limit_to_be_waited_for():
    import dataclasses

    endless = CompiledRollout(dataclasses.replace(CARTPOLE, id="Endless-v0", max_episode_steps=None))
    policy = make_policy(endless, "linear")
    with pytest.raises(InvalidInput, match="max_episode_steps"):
        endless.episodes(policy, THETA, seed=0, first=0, count=1)
