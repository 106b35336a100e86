"""Every algorithm's own update on every batch of a tiny problem, weighted by its probability: what the oracle says.

A recipe gets its batches from a stand-in for the environment, one trajectory (or a pair) after the other, and makes its
step with plain ascent at α = 1. The mean of θ' − θ over all of them is compared to the exact gradient, or, where a step
is no gradient, each step to one computed from the oracle's tables.
"""

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest

from npgrad.algorithms import ALGORITHMS, a3c_kernels
from npgrad.algorithms.networks import networks_of
from npgrad.algorithms.online import OnlineLearner, Rule
from npgrad.algorithms.value import value_function
from npgrad.critics import gae
from npgrad.distributions import Categorical
from npgrad.functions import Linear
from npgrad.oracle import TabularMDP, gradient, objective, probabilities, random_mdp, scores, trajectories, values
from npgrad.policies import ComposedPolicy
from npgrad.spaces import Box, Discrete
from npgrad.types import Batch

S, A, T = 2, 2, 2
RAW = random_mdp(S, A, T, seed=7, n_start=1)
CLOCK = np.zeros((T + 1, S, (T + 1) * S))  # the state and the time, one-hot: a linear critic is a table V_t(s)
for t, s in itertools.product(range(T + 1), range(S)):
    CLOCK[t, s, t * S + s] = 1
D = (T + 1) * S
POLICY = ComposedPolicy(Linear(D, A, bias=False), Categorical(A), Box(0.0, 1.0, (D,), "float64"), Discrete(A))
THETA = np.random.default_rng(0).normal(size=POLICY.n_params)

UNDEFINED = {  # why there is no such mean
    "ars": "divides by the deviation of the returns of a batch",
    "pgpe": "divides by the deviation of the returns of a batch",
    "hill": "keeps the better of two: no gradient is estimated",
    "ga": "selects by rank: no gradient is estimated",
    "dpg": "acts on continua, of which there is no table; see test_dpg",
}
PLAIN = {"optimizer": "sgd", "learning_rate": 1.0}
BATCHED = PLAIN | {"n_steps": None, "n_episodes": 1, "critic": "linear", "gae_lambda": 1.0, "max_grad_norm": 1e9}
BATCHED |= {"normalize_advantage": False}


def problem(gamma):
    return TabularMDP(RAW.start, RAW.P, RAW.R, horizon=T, gamma=gamma, obs=CLOCK)


def every(gamma=1.0, theta=THETA):
    mdp = problem(gamma)
    return mdp, trajectories(mdp, POLICY, theta)


@dataclass(frozen=True)
class Given:
    """In place of an environment: it gives the batch that it holds."""

    batch: Batch
    env_id = "Given"
    n_envs = 1
    n_masked = 0

    def episodes(self, policy, theta, **where):
        return self.batch


def recipe_of(name, **settings):
    return ALGORITHMS[name].load()("CartPole-v1", policy=POLICY, seed=0, **settings).recipe


def step_on(recipe, batch, theta=THETA, **groups):
    """θ' − θ of the recipe's own step."""
    recipe = replace(recipe, experience=replace(recipe.experience, rollout=Given(batch)))
    state = replace(recipe.init(0), theta=theta).with_groups(**groups)
    return recipe.step(state)[0].theta - theta


def mean_step(recipe, gamma=1.0, n=1, **groups):
    """E[θ' − θ] over all batches of n trajectories."""
    _, all_of = every(gamma)
    total = 0.0
    for which in itertools.product(range(len(all_of)), repeat=n):
        total = total + np.prod(all_of.prob[list(which)]) * step_on(recipe, all_of.batch.select(which), **groups)
    return total


def close(got, expected, tol=1e-10):
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(got, expected, rtol=0, atol=tol)


def test_every_algorithm_is_here():
    tested = {"reinforce", "qac", "a2c", "a3c", "online", "npg", "trpo", "ppo", "offpolicy", "es", "fd"}
    assert tested | set(UNDEFINED) == set(ALGORITHMS)
    assert not tested & set(UNDEFINED)


@pytest.mark.parametrize("baseline", ["leave-one-out", "none"])
def test_reinforce(baseline):
    close(mean_step(recipe_of("reinforce", gamma=0.8, baseline=baseline, **PLAIN), 0.8, n=2),
          gradient(problem(0.8), POLICY, THETA))  # fmt: skip


def test_a_biased_baseline_is_found_out():
    step = mean_step(recipe_of("reinforce", gamma=1.0, baseline="batch-mean-biased", **PLAIN), n=2)
    close(step, gradient(problem(1.0), POLICY, THETA) / 2)  # (N − 1)/N, B3


@pytest.mark.parametrize("name", ["a2c", "ppo"])
def test_advantage_actor_critics(name):
    """With any V: 1/T of ∇J. PPO's first step, where all ratios are 1."""
    settings = BATCHED | ({"n_epochs": 1, "batch_size": T} if name == "ppo" else {})
    w = np.random.default_rng(1).normal(size=D + 1)
    step = mean_step(recipe_of(name, gamma=1.0, **settings), critic={"w": w})
    close(step, gradient(problem(1.0), POLICY, THETA) / T)


@pytest.mark.parametrize("weights", ["q", "advantage", "all-actions"])
def test_q_actor_critic(weights):
    """With the exact Q_t for a table."""
    mdp = problem(1.0)
    Q = np.zeros(((T + 1) * S, A))
    Q[: T * S] = values(mdp, POLICY, THETA).Q.reshape(T * S, A)
    w = np.append(Q.ravel(), np.zeros(A))
    step = mean_step(recipe_of("qac", gamma=1.0, weights=weights, **BATCHED), critic={"w": w})
    close(step, gradient(mdp, POLICY, THETA) / T)


def test_a3c():
    """The kernel's inner loop, Σ_t, with any V."""
    mdp, all_of = every()
    value = value_function(POLICY, "linear", ())
    n, w = networks_of_linear(value), np.random.default_rng(1).normal(size=D + 1)
    numbers = np.zeros(a3c_kernels.N_NUMBERS)
    numbers[a3c_kernels.GAMMA], numbers[a3c_kernels.LONGEST] = 1.0, 1e9
    total = 0.0
    for p, i in zip(all_of.prob, range(len(all_of)), strict=True):
        one, theta = all_of.batch.select([i]), np.append(THETA, np.zeros(A))
        d_theta, d_w, before = np.zeros_like(theta), np.zeros_like(w), theta.copy()
        a3c_kernels.accumulate(
            n.spec, numbers, n.sizes, n.v_sizes, n.given, one.obs, one.act[:, None].astype(float), one.rew, np.ones(T),
            0, one.final_obs[0], True, theta, w, d_theta, d_w,
        )  # fmt: skip
        a3c_kernels.update(numbers, 1.0, d_theta, theta, np.zeros_like(theta))
        total = total + p * (theta - before)
    close(total[: len(THETA)], gradient(mdp, POLICY, THETA))


def networks_of_linear(value):
    """The networks of the policy with a bias, which kernels take; its biases stay at zero here."""
    biased = ComposedPolicy(Linear(D, A), Categorical(A), POLICY.observation_space, POLICY.action_space)
    return networks_of(biased, value)


@pytest.mark.parametrize("trace_lambda", [0.0, 0.7, 1.0])
def test_online(trace_lambda):
    """To first order in α, with the exact V; what is left is of order α."""
    mdp, all_of = every(0.8)
    V = np.append(values(mdp, POLICY, THETA).V.ravel(), 0.0)
    steps = []
    for alpha in (1e-4, 1e-6):
        rule = Rule(alpha, 0.0, gamma=0.8, trace_lambda=trace_lambda, overshoot=0.0, discount_states=True)
        total = 0.0
        for p, i in zip(all_of.prob, range(len(all_of)), strict=True):
            one = all_of.batch.select([i])
            learner = OnlineLearner(POLICY, value_function(POLICY, "linear", ()), rule, theta=THETA, w=V)
            after = np.vstack([one.obs[1:], one.final_obs])
            for t in range(T):
                learner.update(one.obs[t], one.act[t], one.rew[t], after[t], t == T - 1)
            total = total + p * (learner.theta - THETA) / alpha
        steps.append(total)
    close(steps[0], gradient(mdp, POLICY, THETA), tol=1e-3)
    close(steps[1], gradient(mdp, POLICY, THETA), tol=1e-5)


@pytest.mark.parametrize("ratio", ["step", "causal", "trajectory", "per-decision"])
def test_off_policy_from_the_policy_itself(ratio):
    settings = {"n_episodes": 1, "n_updates": 1, "delta": 1e9, "baseline": "none", "normalize_advantage": False} | PLAIN
    recipe = recipe_of("offpolicy", gamma=0.8, ratio=ratio, discount_states=True, **settings)
    close(mean_step(recipe, 0.8), gradient(problem(0.8), POLICY, THETA))


@pytest.mark.parametrize("behaviours", ["own", "mixture"])
@pytest.mark.parametrize("ratio", ["trajectory", "per-decision", "step"])
def test_off_policy_with_replay(ratio, behaviours):
    """A fresh trajectory and one of another policy, that is remembered: W2, W3 and W10 for the recipe's own step."""
    settings = {"n_episodes": 1, "n_updates": 1, "delta": 1e9, "baseline": "none", "normalize_advantage": False} | PLAIN
    recipe = recipe_of("offpolicy", gamma=1.0, ratio=ratio, behaviours=behaviours, discount_states=True, **settings)
    beta = THETA + np.random.default_rng(3).normal(size=len(THETA))
    mdp, fresh = every()
    _, past = every(theta=beta)
    total = 0.0
    for i, j in itertools.product(range(len(past)), range(len(fresh))):
        remembered = recipe.replay.add({}, past.batch.select([i]), POLICY, beta)
        step = step_on(recipe, fresh.batch.select([j]), replay=remembered)
        total = total + past.prob[i] * fresh.prob[j] * step
    if ratio == "step":  # biased by the states, W4
        assert np.abs(total - gradient(mdp, POLICY, THETA)).max() > 1e-3
    else:
        close(total, gradient(mdp, POLICY, THETA))


def rows_of(mdp, theta, one):
    """π and f at the rows of a trajectory, from the oracle's tables: (T, A) and (T, A, P)."""
    time, state = np.arange(T), one.obs.argmax(axis=1) % S
    return probabilities(mdp, POLICY, theta)[time, state], scores(mdp, POLICY, theta)[time, state]


@pytest.mark.parametrize("name", ["npg", "trpo"])
def test_natural_steps(name):
    """On every trajectory d = √(2δ/ĝᵀx) x, x = (F + λI)⁻¹ĝ, with ĝ and F from the oracle's π and f, and c^j d."""
    delta, damping, w = 0.05, 1e-3, np.random.default_rng(1).normal(size=D + 1)
    settings = BATCHED | {"n_episodes": 1, "delta": delta, "damping": damping, "cg_iterations": 50}
    for key in ("optimizer", "learning_rate", "max_grad_norm"):
        settings.pop(key)
    recipe = recipe_of(name, gamma=1.0, **settings)
    mdp, all_of = every()
    critic, mean, expected = recipe.value.critic({"w": w}, POLICY), 0.0, 0.0
    for p, i in zip(all_of.prob, range(len(all_of)), strict=True):
        one = all_of.batch.select([i])
        adv = gae(one, critic(one), 1.0, 1.0)
        pi, f = rows_of(mdp, THETA, one)
        taken = f[np.arange(T), one.act]
        g = adv @ taken / T
        F = np.einsum("ta,tap,taq->pq", pi, f, f) / T
        x = np.linalg.solve(F + damping * np.eye(len(g)), g)
        d = np.sqrt(2 * delta / (g @ x)) * x
        if name == "trpo":
            d = d * shrunk(mdp, one, adv, d, delta)
        mean = mean + p * step_on(recipe, one, critic={"w": w})
        expected = expected + p * d
    close(mean, expected, tol=1e-6)


def shrunk(mdp, one, adv, d, delta):
    """The first of 1, 0.8, 0.64, … with KL(old ‖ new) ≤ δ and a better surrogate, 0 if there is none of ten."""
    pi, _ = rows_of(mdp, THETA, one)
    for j in range(10):
        new, _ = rows_of(mdp, THETA + 0.8**j * d, one)
        kl = (pi * np.log(pi / new)).sum() / T
        ratio = new[np.arange(T), one.act] / pi[np.arange(T), one.act]
        if kl <= delta and (ratio - 1) @ adv > 0:
            return 0.8**j
    return 0.0


@dataclass(frozen=True)
class Expected:
    """In place of an environment, for updates that are linear in the returns: an episode with J(θ) for its return."""

    mdp: TabularMDP
    env_id = "Expected"
    n_envs = 1

    def episodes(self, policy, theta, **where):
        J = float(objective(self.mdp, POLICY, theta))
        return Batch(
            obs=np.zeros((1, D)), act=np.zeros(1, int), rew=np.array([J]), logp=np.zeros(1), offsets=[0, 1],
            terminated=[True], truncated=[False], final_obs=np.zeros((1, D)),
        )  # fmt: skip


def step_of_trials(recipe, mdp):
    recipe = replace(recipe, trials=replace(recipe.trials, rollout=Expected(mdp)))
    state = replace(recipe.init(0), theta=THETA)
    return recipe.step(state)[0].theta - THETA, recipe.trials.directions(state, getattr(recipe, "n_pairs", 1))


def test_finite_differences():
    mdp, h = problem(0.8), 1e-4
    step, _ = step_of_trials(recipe_of("fd", epsilon=h, n_episodes=1, **PLAIN), mdp)
    J = [[objective(mdp, POLICY, THETA + sign * h * e) for e in np.eye(len(THETA))] for sign in (1, -1)]
    close(step, np.subtract(*J) / (2 * h), tol=1e-9)
    close(step, gradient(mdp, POLICY, THETA), tol=1e-7)


def test_evolution_strategies():
    mdp, sigma = problem(0.8), 0.3
    recipe = recipe_of("es", sigma=sigma, n_pairs=4, shaping="none", n_episodes=1, **PLAIN)
    step, eps = step_of_trials(recipe, mdp)
    J = [[objective(mdp, POLICY, THETA + sign * sigma * e) for e in eps] for sign in (1, -1)]
    close(step, np.subtract(*J) @ eps / (2 * 4 * sigma))
