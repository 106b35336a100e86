"""The Q actor-critic: what weighs its scores, and what its critic is fitted to."""

import numpy as np
import pytest

from npgrad.algorithms.qac import QAC
from npgrad.critics import ActionValueCritic, action_targets
from npgrad.errors import InvalidInput
from npgrad.estimators import AllActions, action_probabilities, expected_values


def after_one(weights, **settings):
    """θ before and after the second step (in the first, Q of a linear critic is 0), its batch and its critic."""
    model = QAC("CartPole-v1", weights=weights, optimizer="sgd", learning_rate=1.0, max_grad_norm=1e9, seed=3,
                n_envs=4, critic="quadratic", **settings)  # fmt: skip
    recipe = model.recipe
    state, _ = recipe.step(recipe.init(3))
    data = recipe.experience.collect(state)
    critic = recipe.value.critic(state.group("critic"), data.policy)
    return recipe, state, data, critic, recipe.step(state)[0].theta - state.theta


@pytest.mark.parametrize("weights", ["q", "advantage", "all-actions"])
def test_the_step_is_the_lectures(weights):
    recipe, state, data, critic, step = after_one(weights)
    batch, q = data.batch, critic(data.batch)
    if weights == "all-actions":
        expected = AllActions(critic.table)(recipe.policy, state.theta, batch).gradient * batch.n_episodes
    else:
        pi = action_probabilities(recipe.policy, state.theta, batch)
        last = batch.offsets[1:] + np.arange(batch.n_episodes)
        v = (np.delete(pi, last, axis=0) * critic.table(batch)).sum(axis=1)
        psi = q - v if weights == "advantage" else q
        expected = psi @ recipe.policy.score(state.theta, batch.obs, batch.act)
    np.testing.assert_allclose(step, expected / batch.n_steps, rtol=1e-10, atol=1e-14)


def test_one_step_targets_are_those_of_expected_sarsa():
    recipe, state, data, critic, _ = after_one("q", gae_lambda=0.0)
    batch, policy = data.batch, recipe.policy
    assert isinstance(critic, ActionValueCritic)
    targets = action_targets(critic, batch, action_probabilities(policy, state.theta, batch), gamma=0.99)
    fitted = recipe.value.fit(state.group("critic"), policy, batch, targets, state.seed, state.iteration)
    np.testing.assert_allclose(recipe.step(state)[0].group("critic")["w"], fitted["w"], rtol=1e-9)


def test_drawn_values_tend_to_the_expected_ones():
    """On softmax policies both are known; the mean over draws lies in its 99.9 % interval."""
    from npgrad.critics import StateActionCritic, visited
    from npgrad.estimators import sampled_values
    from npgrad.functions import Linear
    from npgrad.noise import ACTION, uniform
    from npgrad.policies import make_policy
    from npgrad.rollouts import make_rollout

    rollout = make_rollout("CartPole-v1")
    policy, rng = make_policy(rollout, "linear"), np.random.default_rng(0)
    theta, w = rng.normal(size=10), rng.normal(size=6)
    batch = rollout.episodes(policy, theta, seed=0, first=0, count=2)
    both = ActionValueCritic(Linear(4, 2), np.concatenate([np.repeat(w[:4], 2), [w[5], w[4] + w[5]]]))
    exact = expected_values(both, policy, theta, batch)  # Q = wᵀo + w_4 a + w_5
    n = 400
    noise = np.stack([uniform(1, j, ACTION, 0, np.arange(len(visited(batch)[0]))) for j in range(n)])
    drawn = sampled_values(StateActionCritic(Linear(5, 1), w), policy, theta, batch, noise)
    error = np.concatenate([drawn.rows - exact.rows, drawn.final - exact.final])
    assert np.abs(error).max() <= 5 * abs(w[4]) * 0.5 / np.sqrt(n)
    assert abs(error.mean()) <= 3.3 * abs(w[4]) * 0.5 / np.sqrt(n * len(error))


@pytest.mark.parametrize(
    ("env", "change", "message"),
    [
        ("CartPole-v1", {"policy": "recurrent"}, "has a memory"),
        ("Pendulum-v1", {"weights": "all-actions"}, "finitely many actions"),
        ("CartPole-v1", {"weights": "all-actions", "ent_coef": 0.1}, "no ent_coef"),
        ("CartPole-v1", {"weights": "al-actions"}, "did you mean"),
        ("CartPole-v1", {"n_samples": 0}, "n_samples is 0"),
    ],
)
def test_what_it_refuses(env, change, message):
    with pytest.raises(InvalidInput, match=message):
        QAC(env, **change)
