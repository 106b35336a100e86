"""What a compiled environment may be, and the list of those there are."""

import subprocess
import sys
from dataclasses import replace

import gymnasium
import numpy as np
import pytest

from npgrad.checks import check_environment
from npgrad.envs import COMPILED, CompiledEnv, compiled_twin, register, register_all
from npgrad.envs.registry import find
from npgrad.errors import InvalidInput, NonFinite, UnknownName
from npgrad.rollouts import CompiledRollout, GymnasiumRollout, make_rollout
from npgrad.spaces import Box, Discrete, MultiBinary

CARTPOLE = compiled_twin("CartPole-v1")


def reset(params, lanes, noise, state, obs):
    for k in range(lanes.shape[0]):
        state[0, lanes[k]] = noise[0, k]
        obs[0, lanes[k]] = noise[0, k]


def step(params, act, noise, state, obs, rew, terminated):
    for i in range(state.shape[1]):
        obs[0, i] = state[0, i]
        rew[i] = params[0] * act[0, i]
        terminated[i] = act[0, i] == 1.0


def too_few(params, lanes, noise, state):
    pass


def with_star(*args):
    pass


def with_keyword(params, act, noise, state, obs, rew, terminated, *, extra=0):
    pass


FIELDS = dict(
    id="Mine-v0",
    reset=reset,
    step=step,
    params=(2.0,),
    n_state=1,
    observation_space=Box(0.0, 1.0, (1,), "float64"),
    action_space=Discrete(2),
    reset_noise=("uniform",),
    max_episode_steps=10,
)


@pytest.fixture
def restored():
    """The lists as they were, afterwards."""
    compiled, registry = dict(COMPILED), dict(gymnasium.registry)
    yield
    for known, before in ((COMPILED, compiled), (gymnasium.registry, registry)):
        known.clear()
        known.update(before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            dict(reset=too_few),
            r"^reset of Mine-v0 is too_few\(params, lanes, noise, state\), expected reset\(params, la",
        ),
        (
            dict(step=reset),
            r"^step of Mine-v0 is reset\(.*\), expected step\(params, act, .*: 7 arguments in that order",
        ),
        (dict(reset=step), r"^reset of Mine-v0 is step\("),
        (dict(step=with_star), r"^step of Mine-v0 is with_star\(, …\)"),
        (dict(step=with_keyword), r"^step of Mine-v0 is with_keyword\(.*, …\), expected"),
        (dict(reset=None), r"^reset of Mine-v0 is None, expected a plain Python function"),
        (dict(step=CARTPOLE.step.__call__), r"^step of Mine-v0 is .*, expected a plain Python function"),
        (dict(id=""), "id of a compiled environment is ''"),
        (dict(n_state=-1), "n_state of Mine-v0 is -1, expected an integer of 0 or more"),
        (dict(n_state=1.0), "n_state of Mine-v0 is 1.0"),
        (dict(max_episode_steps=0), "max_episode_steps of Mine-v0 is 0, expected an integer of 1 or more"),
        (dict(params=np.zeros((2, 2))), r"params of Mine-v0 has shape \(2, 2\), expected \(any,\); flatten tables"),
        (dict(params=("a",)), "params of Mine-v0 has dtype"),
        (dict(reset_noise=("gauss",)), "kind of noise is 'gauss'"),
        (dict(step_noise=("normals",)), "kind of noise is 'normals'"),
        (dict(action_space=Discrete(2, start=1)), "action_space of Mine-v0 is .*, expected Discrete"),
        (dict(action_space=MultiBinary(2)), "action_space of Mine-v0 is .*, expected Discrete"),
        (dict(action_space=Box(0.0, 1.0, (2, 2))), "action_space of Mine-v0 is .*, expected Discrete"),
        (dict(observation_space=3), "observation_space of Mine-v0 is 3, expected a space"),
    ],
)
def test_a_field_that_does_not_fit_is_named(change, message):
    with pytest.raises(InvalidInput, match=message):
        CompiledEnv(**FIELDS | change)


def test_a_nan_among_the_params_is_named():
    with pytest.raises(NonFinite, match=r"params of Mine-v0\[1\] is nan"):
        CompiledEnv(**FIELDS | dict(params=(1.0, np.nan)))


def test_params_may_be_an_array_which_is_copied_and_not_written_to():
    given = np.array([1, 2])
    env = CompiledEnv(**FIELDS | dict(params=given))
    given[0] = 7
    assert env.params_array.tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        env.params[0] = 7
    env.params_array[0] = 7
    assert env.params_array[0] == 1


def test_a_variant_is_one_replaced_field():
    assert replace(CARTPOLE, id="Long-v0", max_episode_steps=2000).params == CARTPOLE.params


@pytest.mark.parametrize("env_id", COMPILED)
def test_every_environment_keeps_the_contract(env_id):
    env = compiled_twin(env_id)
    assert env.id == env_id
    check_environment(env).raise_if_failed()


def test_an_unknown_id_offers_the_nearest():
    assert compiled_twin("Acrobat-v1") is None
    with pytest.raises(UnknownName, match=r"unknown compiled environment 'Acrobat-v1'; did you mean 'Acrobot-v1'\?"):
        find("Acrobat-v1")


@pytest.mark.usefixtures("restored")
def test_an_environment_of_ones_own_is_registered_once_here_and_in_gymnasium():
    env = CompiledEnv(**FIELDS)
    register(env)
    assert compiled_twin("Mine-v0") is env
    with pytest.raises(InvalidInput, match="already"):
        register(env)
    made = gymnasium.make("Mine-v0")
    made.reset(seed=0)
    assert made.step(1)[1:3] == (2.0, True)
    assert made.spec.max_episode_steps == 10
    with pytest.raises(InvalidInput, match="expected a CompiledEnv"):
        register("Mine-v1")


@pytest.mark.usefixtures("restored")
def test_the_twin_of_one_of_gymnasiums_gets_the_prefix():
    register(CompiledEnv(**FIELDS | dict(id="Blackjack-v1")))
    assert gymnasium.spec("Blackjack-v1").entry_point.startswith("gymnasium")
    assert gymnasium.spec("npgrad/Blackjack-v1").kwargs == {"env": "Blackjack-v1"}


@pytest.mark.usefixtures("restored")
def test_a_module_before_the_id_is_imported_first(tmp_path, monkeypatch):
    (tmp_path / "my_lanes.py").write_text(
        "from dataclasses import replace\n"
        "from npgrad.envs import compiled_twin, register\n"
        "register(replace(compiled_twin('npgrad/LaneKeeping-v0'), id='Narrow-v0', max_episode_steps=7))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert compiled_twin("no_such_module:Narrow-v0") is None
    assert compiled_twin("my_lanes:Narrow-v0").max_episode_steps == 7
    assert compiled_twin("my_lanes:Wide-v0") is None
    rollout = make_rollout("my_lanes:Narrow-v0")
    assert isinstance(rollout, CompiledRollout)
    assert GymnasiumRollout("my_lanes:Narrow-v0").action_space == rollout.action_space
    del sys.modules["my_lanes"]


def test_registering_again_changes_nothing():
    register_all()
    before = dict(gymnasium.registry)
    register_all()
    assert gymnasium.registry == before


@pytest.mark.parametrize(
    "line",
    [
        "import gymnasium; gymnasium.make('npgrad.envs:npgrad/Acrobot-v1')",
        "import gymnasium, npgrad.envs; gymnasium.make('npgrad/Acrobot-v1')",
        "import npgrad.envs, gymnasium; npgrad.envs.register_all(); gymnasium.make('npgrad/Acrobot-v1')",
        "import npgrad.envs, sys; assert not {'gymnasium', 'numba'} & set(sys.modules)",
    ],
)
def test_in_a_new_process(line):
    subprocess.run([sys.executable, "-W", "error", "-c", line], check=True)
