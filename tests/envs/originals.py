"""Steps of Gymnasium's own environments, recorded, and the compiled twins on the same states and actions."""

import gymnasium
import numpy as np

from npgrad.envs import compiled_twin
from npgrad.envs.block import Block
from npgrad.spaces import Discrete

CLASSIC = (
    "CartPole-v0",
    "CartPole-v1",
    "Acrobot-v1",
    "MountainCar-v0",
    "MountainCarContinuous-v0",
    "Pendulum-v1",
)

# what moves each of them towards its goal, or keeps it from falling, from what is observed
SENSIBLE = {
    "CartPole": lambda o: int(o[2] + 0.5 * o[3] + 0.05 * o[0] + 0.1 * o[1] > 0),
    "Acrobot": lambda o: 2 if o[5] > 0 else 0,
    "MountainCar": lambda o: 2 if o[1] >= 0 else 0,
    "MountainCarContinuous": lambda o: np.sign(o[1:2]),
    "Pendulum": lambda o: 2 * np.sign(o[2:3]),
}


def original(env_id):
    """Gymnasium's environment without its wrappers."""
    return gymnasium.make(env_id).unwrapped


def column(env_id, env, t):
    """The twin's state for the original's, `t` steps after its reset."""
    state = np.array(env.state, dtype=np.float64)
    return np.append(state, float(t == 0)) if env_id.startswith("MountainCarContinuous") else state


def put(env_id, env, state):
    """The inverse of `column`."""
    if env_id.startswith("MountainCarContinuous"):
        env.state = np.array(state[:2], dtype=np.float64 if state[2] else np.float32)
    else:
        env.state = tuple(state) if env_id.startswith("MountainCar") else np.array(state)


def as_original(env, act):
    """An action (k,) as the original takes it."""
    return int(act[0]) if isinstance(env.action_space, gymnasium.spaces.Discrete) else act.astype(np.float32)


class Steps:
    """States, actions and what followed, one step a column."""

    def __init__(self, env_id):
        self.env_id, self.rows = env_id, []

    def take(self, env, state, act):
        """One step of the original, which stands at `state`; its obs and whether it ended."""
        obs, rew, terminated, _, _ = env.step(as_original(env, act))
        self.rows.append((state, act, np.array(env.state, dtype=np.float64), obs, rew, terminated))
        return obs, terminated

    def columns(self):
        """state, act, after, obs, rew, terminated."""
        state, act, after, obs, rew, terminated = zip(*self.rows, strict=True)
        table = [np.stack(part, axis=-1).astype(np.float64) for part in (state, act, after, obs)]
        return *table, np.array(rew, dtype=np.float64), np.array(terminated)


def episodes(env_id, n_steps, seed):
    """Whole episodes under policies from sensible to random."""
    env, twin, rng, steps = original(env_id), compiled_twin(env_id), np.random.default_rng(seed), Steps(env_id)
    env.action_space.seed(seed)
    sensible = SENSIBLE[env_id.split("-")[0]]
    obs, t = None, 0
    for _ in range(n_steps):
        if obs is None:
            (obs, _), t, randomness = env.reset(seed=int(rng.integers(2**31))), 0, rng.choice([0.0, 0.1, 0.5, 1.0])
        act = env.action_space.sample() if rng.random() < randomness else sensible(obs)
        act = np.atleast_1d(act).astype(np.float32).astype(np.float64)
        obs, terminated = steps.take(env, column(env_id, env, t), act)
        t += 1
        if terminated or t == twin.max_episode_steps:
            obs = None
    return steps


def anywhere(env_id, states, acts):
    """One step from each column of `states`."""
    env, steps = original(env_id), Steps(env_id)
    env.reset(seed=0)
    for state, act in zip(states.T, acts.T, strict=True):
        put(env_id, env, state)
        env.steps_beyond_terminated = None  # CartPole's own memory of its end
        steps.take(env, state, act)
    return steps


def differences(steps, step=None):
    """The largest differences of state, obs and rew, and the number of ends that differ."""
    state, act, after, obs, rew, terminated = steps.columns()
    twin = compiled_twin(steps.env_id)
    block = Block(twin, state.shape[1])
    if step is not None:
        block._step = step
    block.load(state)
    block.step(np.ascontiguousarray(act))
    return {
        "state": float(np.abs(block.state[: len(after)] - after).max()),
        "obs": float(np.abs(block.obs - obs).max()),
        "rew": float(np.abs(block.rew - rew).max()),
        "terminated": int((block.terminated != terminated).sum()),
    }


def is_discrete(env_id):
    """Whether actions are integers."""
    return isinstance(compiled_twin(env_id).action_space, Discrete)
