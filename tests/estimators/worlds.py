"""Tiny problems whose trajectories are all enumerated: the truth that estimators are held against."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from npgrad.distributions import Categorical
from npgrad.functions import Featured, Linear, OneHot
from npgrad.policies import ComposedPolicy
from npgrad.spaces import Box, Discrete
from npgrad.types import Batch


@dataclass
class World:
    """A tabular MDP with horizon T; an episode ends early where it enters one of `terminal`."""

    p0: np.ndarray  # (S,)
    P: np.ndarray  # (S, A, S)
    R: np.ndarray  # (S, A, S)
    T: int
    terminal: tuple[int, ...] = ()

    @classmethod
    def random(cls, seed, S=2, A=2, T=3, terminal=()):
        rng = np.random.default_rng(seed)
        p0 = rng.dirichlet(np.ones(S))
        p0[list(terminal)] = 0
        P, R = rng.dirichlet(np.ones(S), size=(S, A)), rng.normal(size=(S, A, S))
        return cls(p0 / p0.sum(), P, R, T, terminal)

    @property
    def S(self):
        return len(self.p0)

    @property
    def A(self):
        return self.P.shape[1]

    def policy(self):
        """Softmax over a table of preferences: θ = W, (S, A)."""
        f = Featured(OneHot((self.S,)), Linear(self.S, self.A, bias=False))
        return ComposedPolicy(f, Categorical(self.A), Box(0.0, self.S - 1.0, (1,), "float64"), Discrete(self.A))

    def probabilities(self, theta):
        """π(a|s), (S, A), for real or complex θ."""
        e = np.exp(theta.reshape(self.S, self.A))
        return e / e.sum(axis=1, keepdims=True)

    def paths(self):
        """Every (s_0, a_0, s_1, …, s_T) of positive probability."""
        found, open_paths = [], [(s,) for s in range(self.S) if self.p0[s] > 0]
        for t in range(self.T):
            longer = [
                (*path, a, s)
                for path in open_paths
                for a, s in itertools.product(range(self.A), range(self.S))
                if self.P[path[-1], a, s] > 0
            ]
            found += [p for p in longer if p[-1] in self.terminal or t == self.T - 1]
            open_paths = [p for p in longer if p[-1] not in self.terminal]
        return found

    def probability(self, path, pi):
        p = self.p0[path[0]]
        for s, a, s2 in zip(path[0:-1:2], path[1::2], path[2::2], strict=True):
            p = p * pi[s, a] * self.P[s, a, s2]
        return p

    def rewards(self, path):
        return [self.R[s, a, s2] for s, a, s2 in zip(path[0:-1:2], path[1::2], path[2::2], strict=True)]

    def batch(self, paths, beta=None):
        """The paths as a batch, log β from the table `beta` (S, A)."""
        beta = np.full((self.S, self.A), 1 / self.A) if beta is None else beta
        s = [x for p in paths for x in p[0:-1:2]]
        a = [x for p in paths for x in p[1::2]]
        return Batch(
            obs=np.array(s, float)[:, None],
            act=np.array(a),
            rew=np.array([r for p in paths for r in self.rewards(p)]),
            logp=np.log([beta[i, j] for i, j in zip(s, a, strict=True)]),
            offsets=np.concatenate([[0], np.cumsum([len(p) // 2 for p in paths])]),
            terminated=np.ones(len(paths), bool),
            truncated=np.zeros(len(paths), bool),
            final_obs=np.array([[p[-1]] for p in paths], float),
        )

    def J(self, theta, gamma=1.0):
        pi = self.probabilities(theta)
        return sum(
            self.probability(p, pi) * sum(gamma**t * r for t, r in enumerate(self.rewards(p))) for p in self.paths()
        )

    def gradient(self, theta, gamma=1.0):
        """∇J by complex step, (P,)."""
        return complex_gradient(lambda th: self.J(th, gamma), theta)

    def V(self, theta, gamma=1.0):
        """V_t(s), (T + 1, S), backwards in time; zero in terminal states."""
        pi, V = self.probabilities(theta), np.zeros((self.T + 1, self.S))
        for t in reversed(range(self.T)):
            V[t] = (pi * self.Q_from(V[t + 1], gamma)).sum(axis=1)
            V[t, list(self.terminal)] = 0
        return V

    def Q(self, theta, gamma=1.0):
        """Q_t(s, a), (T, S, A)."""
        V = self.V(theta, gamma)
        return np.array([self.Q_from(V[t + 1], gamma) for t in range(self.T)])

    def Q_from(self, V, gamma):
        return np.einsum("sap,sap->sa", self.P, self.R + gamma * V)

    def expectation(self, estimator, theta, beta=None):
        """E ĝ of an estimator that treats episodes alone: Σ_τ p(τ) g(τ), τ drawn by β (π_θ if None)."""
        beta = self.probabilities(theta) if beta is None else beta
        paths = self.paths()
        p = np.array([self.probability(path, beta) for path in paths])
        return p @ estimator(self.policy(), theta, self.batch(paths, beta)).per_episode

    def expectation_of_pairs(self, estimator, theta, beta=None):
        """E ĝ of an estimator that couples episodes, by all batches of N = 2."""
        beta = self.probabilities(theta) if beta is None else beta
        paths = self.paths()
        p = [self.probability(path, beta) for path in paths]
        batch, policy, total = self.batch(paths, beta), self.policy(), 0.0
        for i, j in itertools.product(range(len(paths)), repeat=2):
            total = total + p[i] * p[j] * estimator(policy, theta, batch.select([i, j])).gradient
        return total


def complex_gradient(f, theta, h=1e-30):
    return np.array([f(theta + 1j * h * e).imag / h for e in np.eye(len(theta))])


def close(got, expected, tol=1e-10):
    scale = max(1.0, float(np.max(np.abs(expected))))
    np.testing.assert_allclose(got, expected, rtol=0, atol=tol * scale)


def enumerated(world, theta):
    """All trajectories as a batch, and their probabilities under π_θ."""
    paths, pi = world.paths(), world.probabilities(theta)
    return world.batch(paths, pi), np.array([world.probability(path, pi) for path in paths])


def states(batch):
    return batch.obs[:, 0].astype(int)


def random_case(seed, **shape):
    """A random world and θ."""
    world = World.random(seed, **shape)
    return world, np.random.default_rng(seed + 1).normal(size=world.S * world.A)
