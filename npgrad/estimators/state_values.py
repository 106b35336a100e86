"""V of a policy from a critic of Q: V(s) = E_{a~π} Q(s, a), by the sum over actions or by actions that are drawn."""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np

from ..critics import ActionValueCritic, StateActionCritic, Values, visited
from ..critics.critic import final_states
from ..policies import Policy
from ..types import Array, Batch, FloatArray
from ..validation import require_shape
from .action_space import action_probabilities

__all__ = ["expected_values", "sampled_values"]


def expected_values(
    critic: ActionValueCritic, policy: Policy, theta: Array, batch: Batch, executor: Executor | None = None
) -> Values:
    """V(s) = Σ_a π_θ(a|s) Q_w(s, a) at all states of a batch (V3).

    Raises
    ------
    InvalidInput
        If the policy is not over discrete actions.

    Examples
    --------
    >>> from npgrad.functions import Linear
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> batch = rollout.episodes(policy, np.zeros(10), seed=0, first=0, count=1)
    >>> Q = ActionValueCritic(Linear(4, 2), np.append(np.zeros(8), [1.0, 3.0]))  # Q(·, 0) = 1, Q(·, 1) = 3
    >>> expected_values(Q, policy, np.zeros(10), batch).final
    array([2.])
    """
    v = np.einsum("ta,ta->t", action_probabilities(policy, theta, batch, executor), critic.outputs(batch))
    return _apart(v, batch)


def sampled_values(critic: StateActionCritic, policy: Policy, theta: Array, batch: Batch, noise: Array) -> Values:
    """V(s) ≈ 1/n Σ_j Q_w(s, a_j) with n actions drawn at every state, whatever the actions: unbiased for E_a Q.

    Parameters
    ----------
    critic : StateActionCritic
    policy : Policy
        Without memory.
    theta : array, shape (P,)
    batch : Batch
    noise : array, shape (n, T + N, len(policy.draws))
        Of the actions, at the states as `npgrad.critics.visited` has them.

    Raises
    ------
    InvalidInput
        If the noise has another shape.

    Examples
    --------
    >>> from npgrad.functions import Linear
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("Pendulum-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> theta = np.zeros(policy.n_params)  # a ~ N(0, 1)
    >>> batch = rollout.episodes(policy, theta, seed=0, first=0, count=1)
    >>> Q = StateActionCritic(Linear(4, 1), np.array([0.0, 0.0, 0.0, 10.0, 1.0]))  # Q = 10 a + 1
    >>> noise = np.stack([np.full((201, 1), z) for z in (-1.0, 1.0)])
    >>> sampled_values(Q, policy, theta, batch, noise).final
    array([1.])
    """
    obs, _, _ = visited(batch)
    require_shape("noise", noise, (None, len(obs), len(policy.draws)))
    q = [critic.of_actions(batch, policy.act(theta, obs, z)[0]) for z in noise]
    return _apart(np.mean(q, axis=0), batch)


def _apart(v: FloatArray, batch: Batch) -> Values:
    """V at the rows and at the final states, from V at all T + N."""
    last = final_states(batch)
    return Values(np.delete(v, last), v[last])
