"""Exported C, compiled by the machine's gcc and called from Python."""

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np

from npgrad.deploy.export import export_c

STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror")
DRIVER = Path(__file__).with_name("driver.c")


def gcc(*arguments):
    """Run gcc with every warning an error."""
    done = subprocess.run(["gcc", *STRICT, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]


class Compiled:
    """The functions of one export on arrays, row by row."""

    def __init__(self, agent, folder, precision="double", learning=False):
        self.source, self.header = export_c(agent, folder, precision, learning)
        shutil.copy(DRIVER, folder)
        library = Path(folder) / "npg.so"
        gcc("-O1", "-shared", "-fPIC", Path(folder) / "driver.c", "-o", library, "-lm")
        self.library = ctypes.CDLL(str(library))
        self.real = np.dtype(precision if precision == "double" else "float32")
        policy = agent.policy
        self.action = np.dtype(np.int32) if policy.distribution.act_dtype.kind == "i" else self.real
        self.n_act = (policy.distribution.act_shape or (1,))[0]

    def act(self, obs):
        action, status = self._actions(len(obs)), np.empty(len(obs), np.int32)
        self._call("each_act", len(obs), obs.astype(self.real), action, status)
        return action, status

    def draw(self, obs, noise):
        n = len(obs)
        latent, log_prob, status = self._actions(n), np.zeros(n, self.real), np.empty(n, np.int32)
        self._call("each_draw", n, obs.astype(self.real), noise, latent, log_prob, status)
        return latent, log_prob, status

    def act_sampled(self, obs, seed, episode, step):
        action, status = self._actions(len(obs)), np.empty(len(obs), np.int32)
        places = ctypes.c_uint64(seed), episode.astype(np.uint64), step.astype(np.uint32)
        self._call("each_act_sampled", len(obs), obs.astype(self.real), *places, action, status)
        return action, status

    def log_prob(self, obs, latent):
        log_prob, status = np.zeros(len(obs), self.real), np.empty(len(obs), np.int32)
        self._call("each_log_prob", len(obs), obs.astype(self.real), self._latent(latent), log_prob, status)
        return log_prob, status

    def noise(self, n_draws, seed, episode, step):
        out = np.empty((len(step), n_draws))
        places = ctypes.c_uint64(seed), episode.astype(np.uint64), step.astype(np.uint32)
        self._call("each_noise", len(step), *places, out)
        return out

    def map(self, latent):
        action = self._actions(len(latent))
        self._call("each_map", len(latent), self._latent(latent), action)
        return action

    def score(self, obs, latent, n_params):
        score, status = np.zeros((len(obs), n_params), self.real), np.empty(len(obs), np.int32)
        self._call("each_score", len(obs), obs.astype(self.real), self._latent(latent), score, status)
        return score, status

    def learner_act(self, obs, seed, episode, step):
        latent, status = self._actions(len(obs)), np.empty(len(obs), np.int32)
        places = ctypes.c_uint64(seed), episode.astype(np.uint64), step.astype(np.uint32)
        self._call("each_learner_act", len(obs), obs.astype(self.real), *places, latent, status)
        return latent, status

    def update(self, settings, obs, latent, rew, next_obs, terminated, begins, n_params):
        """θ, the critic and what each update returned, after the transitions one by one."""
        theta, critic = np.zeros(n_params, self.real), np.zeros(obs.shape[1] + 1, self.real)
        status = np.empty(len(obs), np.int32)
        reals = [np.asarray(a, self.real) for a in (settings, obs, rew, next_obs)]
        flags = [np.asarray(a, np.int32) for a in (terminated, begins)]
        self._call("each_update", len(obs), *reals[:2], self._latent(latent), *reals[2:], *flags, theta, critic, status)
        return theta, critic, status

    def _latent(self, latent):
        return np.ascontiguousarray(latent.reshape(len(latent), self.n_act), self.action)

    def _actions(self, n):
        return np.full((n, self.n_act), -77, self.action)

    def _call(self, name, *arguments):
        getattr(self.library, name)(*(a.ctypes if isinstance(a, np.ndarray) else a for a in arguments))
