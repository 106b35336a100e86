"""Demonstrations: what they check, their file, and who is recorded."""

import dataclasses
import json
import zipfile

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.data import (
    Demonstrations,
    FunctionPolicy,
    demonstrations_of,
    load_demonstrations,
    record,
    save_demonstrations,
)
from npgrad.data.demonstrations import joined
from npgrad.data.storage import ARRAYS
from npgrad.deploy import Agent
from npgrad.errors import CorruptFile, ExpertFailure, InvalidInput, NonFinite, NotImplementedBy
from npgrad.policies import make_policy
from npgrad.rollouts import make_rollout
from npgrad.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, flat_dim
from npgrad.types import Batch

CARTPOLE = Box(-1.0, 1.0, (2,)), Discrete(2)


def batch_of(act, width=2, lengths=(2, 1), obs=None):
    n = sum(lengths)
    return Batch(
        obs=np.arange(n * width, dtype=np.float32).reshape(n, width) if obs is None else obs,
        act=np.asarray(act),
        rew=np.ones(n),
        logp=np.zeros(n),
        offsets=np.cumsum([0, *lengths]),
        terminated=np.array([True, False]),
        truncated=np.array([False, True]),
        final_obs=np.zeros((2, width), dtype=np.float32),
    )


SPACES = [
    (Discrete(3, start=-1), [-1, 1, 0]),
    (MultiDiscrete((2, 3)), [[0, 2], [1, 0], [1, 1]]),
    (MultiBinary(2), [[0, 1], [1, 1], [0, 0]]),
    (Box((-1.0, -2.0), (1.0, 2.0)), [[0.5, -2.0], [1.0, 0.0], [0.0, 0.0]]),
]


@pytest.mark.parametrize(("space", "act"), SPACES)
def test_what_is_saved_comes_back(tmp_path, space, act):
    seen = Dict({"a": Box(-1.0, 1.0, (1,)), "b": Discrete(1)})
    info = {"env_id": "Mine-v0", "env_kwargs": {"x": 1.5}, "seed": 3}
    saved = Demonstrations(batch_of(act), seen, space, info)
    save_demonstrations(saved, tmp_path / "d.npz")
    loaded = load_demonstrations(tmp_path / "d.npz")
    for name in ARRAYS:
        a, b = getattr(saved.batch, name), getattr(loaded.batch, name)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    assert (loaded.observation_space, loaded.action_space, loaded.info) == (seen, space, info)


@pytest.mark.parametrize(
    ("space", "act", "words"),
    [
        (Discrete(2), [0, 1, 2], r"act\[2\] is 2 \(1 of 3 rows are outside\), expected one of Discrete\(n=2"),
        (Discrete(2), [[0], [1], [1]], r"act has shape \(3, 1\), expected \(3,\)"),
        (Discrete(2), [0.0, 1.0, 1.0], "act has dtype float64, expected integers"),
        (MultiDiscrete((2, 3)), [[0, 3], [0, 0], [0, 0]], r"act\[0\] is \[0 3\]"),
        (MultiBinary(2), [[0, 1], [2, 0], [-1, 0]], "2 of 3 rows are outside"),
        (Box(-1.0, 1.0, (1,)), [[0.0], [1.5], [0.0]], r"act\[1\] is \[1.5\]"),
        (Dict({"a": Discrete(2)}), [0, 0, 0], "expected Discrete, MultiDiscrete, MultiBinary or Box"),
    ],
)
def test_actions_outside_their_space(space, act, words):
    with pytest.raises(InvalidInput, match=words):
        Demonstrations(batch_of(act), CARTPOLE[0], space)


def test_what_does_not_fit():
    with pytest.raises(InvalidInput, match=r"obs has shape \(3, 2\), expected \(any, 5\)"):
        Demonstrations(batch_of([0, 0, 0]), Box(-1.0, 1.0, (5,)), Discrete(2))
    with pytest.raises(InvalidInput, match=r"expected \(any, 4\)"):
        Demonstrations(batch_of([0, 0, 0]), *CARTPOLE, n_masked=2)
    with pytest.raises(InvalidInput, match="there is no step"):
        Demonstrations(batch_of([0, 0, 0]).select([]), *CARTPOLE)
    with pytest.raises(NonFinite, match=r"obs\[1, 0\] is nan"):
        batch_of([0, 0, 0], obs=np.array([[0, 0], [np.nan, 0], [0, 0]]))
    one = Demonstrations(batch_of([0, 0, 0]), *CARTPOLE)
    with pytest.raises(InvalidInput, match="differ in their action space"):
        joined([one, Demonstrations(batch_of([0, 0, 0]), CARTPOLE[0], Discrete(3))])
    with pytest.raises(InvalidInput, match="no demonstrations to join"):
        joined([])
    assert joined([one, one]).n_steps == 6
    assert one.select([1]).n_steps == 1


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "d.npz"
    save_demonstrations(Demonstrations(batch_of([0, 1, 1]), *CARTPOLE), path)
    return path


def rewritten(path, **changes):
    """The same archive with members replaced, or left out where None."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members |= changes
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            if content is not None:
                archive.writestr(name, content)


def npy(array):
    import io

    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def test_damaged_files(file):
    whole = file.read_bytes()
    for content, words in ((b"", "it is empty"), (whole[: len(whole) // 2], "no intact archive"), (b"x" * 99, "no in")):
        file.write_bytes(content)
        with pytest.raises(CorruptFile, match=rf"d.npz holds no demonstrations.*{words}"):
            load_demonstrations(file)
    with pytest.raises(FileNotFoundError):
        load_demonstrations(file.with_name("none.npz"))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_damage_goes_unnoticed(tmp_path_factory, data):
    """A file with bytes changed, or cut, is refused or reads as it was."""
    path = tmp_path_factory.mktemp("damage") / "d.npz"
    saved = Demonstrations(batch_of([0, 1, 1]), *CARTPOLE)
    save_demonstrations(saved, path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))]))
    try:
        loaded = load_demonstrations(path)
    except CorruptFile:
        return
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(loaded.batch, name), getattr(saved.batch, name))


@pytest.mark.parametrize(
    ("member", "content", "words"),
    [
        ("obs.npy", None, "it has no array obs"),
        ("obs.npy", npy(np.array([[0.0, 1.0], [np.nan, 0.0], [0.0, 0.0]])), r"NonFinite: obs\[1, 0\] is nan"),
        ("obs.npy", npy(np.zeros((3, 4))), "InvalidInput: .*final_obs has shape"),
        ("act.npy", npy(np.array([0, 1, 9])), r"act\[2\] is 9"),
        ("rew.npy", npy(np.array([{}], dtype=object)), "no array of plain numbers"),
        ("offsets.npy", npy(np.array([0, 2, 2, 3])), "segment 1 is empty"),
        ("header.json", b"{", "JSONDecodeError"),
        ("header.json", b"[]", "does not say 'npgrad demonstrations'"),
        ("header.json", json.dumps({"format": "npgrad demonstrations", "version": 2}).encode(), "version is 2"),
        ("header.json", json.dumps({"format": "npgrad demonstrations", "version": 1}).encode(), "KeyError"),
    ],
)
def test_hostile_files(file, member, content, words):
    rewritten(file, **{member: content})
    with pytest.raises(CorruptFile, match=words):
        load_demonstrations(file)


def test_no_class_but_those_on_the_list_is_made(file):
    with zipfile.ZipFile(file) as archive:
        header = json.loads(archive.read("header.json"))
    header["action_space"] = {"$class": "os.system", "command": "true"}
    rewritten(file, **{"header.json": json.dumps(header)})
    with pytest.raises(CorruptFile, match=r"unknown class 'os\.system'"):
        load_demonstrations(file)


# Recording


@pytest.mark.parametrize("engine", ["compiled", "gymnasium"])
def test_an_agent_is_recorded_as_it_acts(engine):
    rollout = make_rollout("CartPole-v1", engine)
    policy = make_policy(rollout, "linear")
    agent = Agent(policy, policy.init(np.random.default_rng(0)), {"env_id": "CartPole-v1", "algo": "x"})
    found = record(agent, n_episodes=3, seed=5, engine=engine)
    assert found.n_episodes == 3
    assert found.info["env_id"] == "CartPole-v1"
    assert found.info["actor"] == {"algo": "x"}
    np.testing.assert_array_equal(found.batch.act, agent.act_batch(found.batch.obs))
    drawn = record(agent, n_episodes=3, seed=5, deterministic=False, engine=engine)
    assert (drawn.batch.act != agent.act_batch(drawn.batch.obs)).any()


def test_actions_are_those_that_the_environment_got():
    rollout = make_rollout("Pendulum-v1")
    policy = make_policy(rollout, "linear", action_map="tanh", log_std_init=1.0)
    agent = Agent(policy, policy.init(np.random.default_rng(0)))
    act = record(agent, "Pendulum-v1", 1, deterministic=False).batch.act
    assert act.dtype == np.float32
    assert 1.0 < np.abs(act).max() <= 2.0


def test_a_function_is_asked_step_by_step_with_what_the_environment_gives():
    seen = []

    def left(obs):
        seen.append(obs)
        return 0

    found = record(left, "CartPole-v1", 2, seed=1)
    assert len(seen) == found.n_steps
    np.testing.assert_array_equal(np.stack(seen), found.batch.obs)
    assert found.info["actor"].endswith("left")
    assert set(found.batch.act) == {0}
    lake = record(lambda s: int(s == 0), "FrozenLake-v1", 2)  # one-hot rows, integers for the function
    np.testing.assert_array_equal(lake.batch.act, lake.batch.obs.argmax(axis=1) == 0)


def test_masks_stand_behind_observations():
    class Masked(gymnasium.Env):
        observation_space, action_space = gymnasium.spaces.Box(-1, 1, (1,)), gymnasium.spaces.Discrete(2)

        def reset(self, seed=None, options=None):
            return np.zeros(1, np.float32), {"action_mask": np.array([0, 1])}

        def step(self, action):
            return np.zeros(1, np.float32), 1.0, True, False, {"action_mask": np.array([1, 0])}

    found = record(lambda obs: 1, Masked, 2)
    assert found.n_masked == 2
    np.testing.assert_array_equal(found.batch.obs, [[0, 0, 1]] * 2)


def test_an_expert_that_raises_loses_no_whole_episode():
    calls = []

    def tires(obs):
        calls.append(obs)
        if len(calls) == 30:
            raise ValueError("enough")
        return 0

    with pytest.raises(ExpertFailure, match=r"in episode 3, the expert raised ValueError: enough") as caught:
        record(tires, "CartPole-v1", 10)
    whole = record(lambda obs: 0, "CartPole-v1", 3)
    np.testing.assert_array_equal(caught.value.kept.batch.obs, whole.batch.obs)


@pytest.mark.parametrize("action", [2, 0.5, None, [0, 1], np.nan])
def test_an_expert_that_gives_no_action(action):
    with pytest.raises(ExpertFailure, match="expected one of Discrete"):
        record(lambda obs: action, "CartPole-v1", 1)


def test_where_to_record():
    policy = make_policy(make_rollout("CartPole-v1"), "linear")
    agent = Agent(policy, np.zeros(policy.n_params))
    with pytest.raises(InvalidInput, match="name an environment"):
        record(agent)
    with pytest.raises(InvalidInput, match="observation_space of Acrobot-v1 is"):
        record(agent, "Acrobot-v1")
    with pytest.raises(InvalidInput, match="n_episodes is 0"):
        record(agent, "CartPole-v1", 0)
    with pytest.raises(NotImplementedBy, match="clone it first"):
        FunctionPolicy(lambda obs: 0, *CARTPOLE).at(np.zeros(0), np.zeros((1, 2)), np.zeros(1, int))


def test_any_rollout_becomes_demonstrations():
    rollout = make_rollout("CartPole-v1")
    policy = dataclasses.replace(make_policy(rollout, "linear"), action_space=Discrete(2))
    batch = rollout.episodes(policy, np.zeros(policy.n_params), seed=0, first=0, count=2)
    found = demonstrations_of(batch, policy, {"why": "because"})
    assert flat_dim(found.observation_space) == found.batch.obs.shape[1]
    np.testing.assert_array_equal(found.batch.act, batch.act)
