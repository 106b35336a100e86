"""Faults planted in the compiled CartPole: each is caught, and named."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest

from npgrad.checks import check_environment
from npgrad.checks.block import Block
from npgrad.envs import cartpole, compiled_twin

ENV = compiled_twin("CartPole-v1")


@pytest.fixture(scope="module")
def original():
    with gymnasium.make("CartPole-v1") as env:
        yield env


def reset_all(params, lanes, noise, state, obs):
    for i in range(state.shape[1]):
        for j in range(4):
            state[j, i] = 0.1 * noise[j, 0] - 0.05
            obs[j, i] = np.float32(state[j, i])


def reset_without_obs(params, lanes, noise, state, obs):
    for k in range(lanes.shape[0]):
        for j in range(4):
            state[j, lanes[k]] = 0.1 * noise[j, k] - 0.05


def reset_by_lane(params, lanes, noise, state, obs):
    for k in range(lanes.shape[0]):
        i = lanes[k]
        for j in range(4):
            state[j, i] = 0.1 * noise[j, i % noise.shape[1]] - 0.05
            obs[j, i] = np.float32(state[j, i])


def reset_wider(params, lanes, noise, state, obs):
    for k in range(lanes.shape[0]):
        i = lanes[k]
        for j in range(4):
            state[j, i] = 0.2 * noise[j, k] - 0.1
            obs[j, i] = np.float32(state[j, i])


def step_without_obs(params, act, noise, state, obs, rew, terminated):
    cartpole.step(params, act, noise, state, np.empty_like(obs), rew, terminated)


def step_with_late_obs(params, act, noise, state, obs, rew, terminated):
    for j in range(4):
        for i in range(state.shape[1]):
            obs[j, i] = np.float32(state[j, i])
    cartpole.step(params, act, noise, state, np.empty_like(obs), rew, terminated)


def step_with_cost(params, act, noise, state, obs, rew, terminated):
    cartpole.step(params, act, noise, state, obs, rew, terminated)
    for i in range(rew.shape[0]):
        rew[i] = -rew[i]


def step_without_rew(params, act, noise, state, obs, rew, terminated):
    cartpole.step(params, act, noise, state, obs, np.empty_like(rew), terminated)


def step_without_last_rew(params, act, noise, state, obs, rew, terminated):
    cartpole.step(params, act, noise, state, obs, rew, terminated)
    for i in range(rew.shape[0]):
        if terminated[i]:
            rew[i] = 0.0


def step_that_only_sets(params, act, noise, state, obs, rew, terminated):
    over = np.empty_like(terminated)
    cartpole.step(params, act, noise, state, obs, rew, over)
    for i in range(rew.shape[0]):
        if over[i]:
            terminated[i] = True


def step_of_opposite(params, act, noise, state, obs, rew, terminated):
    cartpole.step(params, act, noise, state, obs, rew, terminated)
    for i in range(rew.shape[0]):
        terminated[i] = not terminated[i]


def step_of_neighbour(params, act, noise, state, obs, rew, terminated):
    shifted = np.empty_like(act)
    for i in range(act.shape[1]):
        shifted[0, i] = act[0, i - 1]
    cartpole.step(params, shifted, noise, state, obs, rew, terminated)


def step_with_drift(params, act, noise, state, obs, rew, terminated):
    cartpole.step(params, act, noise, state, obs, rew, terminated)
    for i in range(state.shape[1]):
        state[2, i] += 1e-9


def step_that_writes_act(params, act, noise, state, obs, rew, terminated):
    cartpole.step(params, act, noise, state, obs, rew, terminated)
    act[0, 0] = 1.0 - act[0, 0]


def step_out_of_bounds(params, act, noise, state, obs, rew, terminated):
    cartpole.step(params, act, noise, state, obs, rew, terminated)
    state[4, 0] = 1.0


def step_to_infinity(params, act, noise, state, obs, rew, terminated):
    cartpole.step(params, act, noise, state, obs, rew, terminated)
    for i in range(state.shape[1]):
        state[0, i] = state[0, i] / 0.0 if state[0, i] > 0.02 else state[0, i]
        obs[0, i] = np.float32(state[0, i])


def step_in_float64(params, act, noise, state, obs, rew, terminated):
    cartpole.step(params, act, noise, state, obs, rew, terminated)
    for j in range(4):
        for i in range(state.shape[1]):
            obs[j, i] = state[j, i]


def step_outside(params, act, noise, state, obs, rew, terminated):
    cartpole.step(params, act, noise, state, obs, rew, terminated)
    for i in range(state.shape[1]):
        obs[0, i] = np.float32(5.0 + state[0, i])


PLANTED = {
    "all lanes": ({"reset": reset_all}, "reset writes to its lanes alone", "state of lanes [0, 3, 5, 6] is written"),
    "no obs at reset": ({"reset": reset_without_obs}, "reset fills state and obs", "obs[0] is not written"),
    "noise by lane": ({"reset": reset_by_lane}, "reset takes column k", "noise[:, lane] taken for noise[:, k]?"),
    "wider start": ({"reset": reset_wider}, "obs at reset has", "episodes start elsewhere"),
    "no obs": ({"step": step_without_obs}, "step fills obs", "obs[0] is not written"),
    "late obs": ({"step": step_with_late_obs}, "the original's obs", "obs is that of the state before the step"),
    "cost": ({"step": step_with_cost}, "the original's rew", "the sign is flipped"),
    "no rew": ({"step": step_without_rew}, "step fills obs", "rew is not written"),
    "no last rew": ({"step": step_without_last_rew}, "the original's rew", "no reward at the step that terminates"),
    "terminated only set": ({"step": step_that_only_sets}, "step fills obs", "terminated is not written"),
    "opposite": ({"step": step_of_opposite}, "the original's terminated", "it is the opposite"),
    "neighbour": ({"step": step_of_neighbour}, "step moves each lane", "differs when it is stepped alone"),
    "drift": ({"step": step_with_drift}, "the original's state", "column 2: off by the constant +1e-09"),
    "act written": ({"step": step_that_writes_act}, "are not written to", "act is written to"),
    "out of bounds": ({"step": step_out_of_bounds}, "as plain Python", "raised IndexError"),
    "infinite": ({"step": step_to_infinity}, "stay finite", "is not finite"),
    "float64": ({"step": step_in_float64}, "precision of the observation space", "obs is not rounded"),
    "outside": ({"step": step_outside}, "obs lies in the observation space", "is not in Box"),
    "time limit": ({"max_episode_steps": 200}, "spaces and time limit", "max_episode_steps is 200, the original's 500"),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_planted_fault_is_caught_and_named(name, original):
    fields, statement, mistake = PLANTED[name]
    report = check_environment(replace(ENV, **fields), original, n_steps=60)
    failed = [line for line in report.failures if statement in line.statement]
    assert failed, report
    assert mistake in failed[0].finding, report


def test_a_write_beside_an_array_is_seen():
    def beyond(params, act, noise, state, obs, rew, terminated):
        rew.base[:] = 0.0

    block = Block(ENV, (cartpole.reset, beyond), 2)
    assert list(block.touched()) == []
    block.step(np.zeros((1, 2)), np.zeros((0, 2)))
    assert list(block.touched()) == ["rew"]


def test_an_original_of_another_state_takes_set_state(original):
    moved = []

    def set_state(env, state):
        moved.append(state)
        env.state = state

    report = check_environment(ENV, original, set_state=set_state, n_steps=5)
    report.raise_if_failed()
    assert len(moved) == 35
    assert not any("the original's state" in line.statement for line in report.lines)


def test_what_cannot_be_compared_is_told(original):
    noisy = replace(ENV, step_noise=("normal",))
    report = check_environment(noisy, original, n_steps=5)
    assert any("noise of their own" in text for text in report.skipped)
