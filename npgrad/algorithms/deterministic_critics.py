"""Critics for a deterministic policy: Q_w, its fit, and its slope in the action at a = μ_θ(s) (P19, V3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from .. import noise
from ..critics import StateActionCritic, fit_error
from ..estimators.composition import composed_policy
from ..functions import Function
from ..policies import Clip, Policy
from ..types import Array, Batch, FloatArray
from .value import ValueFit

__all__ = ["CompatibleQ", "DeterministicCritic", "PerceptronQ", "actions", "clipped"]


def actions(policy: Policy, theta: Array, obs: Array) -> Array:
    """μ_θ(o), (T, k)."""
    return policy.act(theta, obs)[0]


def clipped(policy: Policy, act: Array) -> Array:
    """The actions as they were clipped, if that is what the action map does."""
    return policy.action_map(act) if isinstance(policy.action_map, Clip) else act


class DeterministicCritic(Protocol):
    """Q_w(s, a) beside a policy μ_θ."""

    def init(self, seed: int) -> Array:
        """w_0."""

    def value_after(self, w: Array, policy: Policy, theta: Array, batch: Batch) -> FloatArray:
        """Q_w(s', μ_θ(s')) of one-step segments, shape (T,), however they ended."""

    def error_gradient(self, w: Array, policy: Policy, theta: Array, batch: Batch, targets: Array) -> Array:
        """∂/∂w 1/T Σ_t (y_t − Q_w(s_t, a_t))², the targets held fixed."""

    def slope(self, w: Array, policy: Policy, theta: Array, batch: Batch, mu: Array) -> FloatArray:
        """∇_a Q_w(s_t, a) at a = μ, (T, k)."""


@dataclass(frozen=True)
class PerceptronQ:
    """Q_w(s, a): any function of (s, a) that has a gradient in its inputs.

    Where the action map clips, Q is of the action as clipped. Beyond the bounds its slope in the latent action is
    then zero, and a μ that is out would stay out: it has the slope at the bound instead, if that points inwards.

    Parameters
    ----------
    function : Function
    """

    function: Function

    def init(self, seed: int) -> Array:
        """w_0."""
        return self.function.init(np.random.default_rng(noise.derive_seed(seed, noise.INIT, 1)))

    def critic(self, w: Array, policy: Policy) -> StateActionCritic:
        """Q_w as the policy sees observations."""
        return StateActionCritic(self.function, w, lambda obs, time: policy.inputs(obs))

    def value_after(self, w: Array, policy: Policy, theta: Array, batch: Batch) -> FloatArray:
        """Q_w(s', μ_θ(s'))."""
        there = replace(batch, obs=batch.final_obs, act=clipped(policy, actions(policy, theta, batch.final_obs)))
        return self.critic(w, policy)(there)

    def error_gradient(self, w: Array, policy: Policy, theta: Array, batch: Batch, targets: Array) -> Array:
        """∂/∂w of the mean squared error."""
        weights = np.full(batch.n_steps, 1 / batch.n_steps)
        batch = replace(batch, act=clipped(policy, batch.act))
        return fit_error(self.critic(w, policy), batch, targets, weights=weights)[1]

    def slope(self, w: Array, policy: Policy, theta: Array, batch: Batch, mu: Array) -> FloatArray:
        """∇_a Q_w(s_t, μ)."""
        inside = clipped(policy, mu)
        slope = self.critic(w, policy).action_gradient(batch, inside)
        return np.where((mu - inside) * slope > 0, 0.0, slope)


@dataclass(frozen=True)
class CompatibleQ:
    """Q_w(s, a) = (a − μ_θ(s))ᵀ (∂μ_θ/∂θ) w_a + V_v(s), w = (w_a, v) (Silver et al. 2014, theorem 3).

    Its slope ∇_a Q = (∂μ_θ/∂θ) w_a, fitted by least squares, leaves the deterministic policy gradient as it is, and w_a
    is the natural one. Q(s, μ(s)) = V(s).

    Parameters
    ----------
    value : ValueFit
        V, a function without time.
    n_params : int
        P of the policy.
    """

    value: ValueFit
    n_params: int

    def init(self, seed: int) -> Array:
        """w_a = 0, and v_0."""
        return np.concatenate([np.zeros(self.n_params), self.value.init(seed)["w"]])

    def value_after(self, w: Array, policy: Policy, theta: Array, batch: Batch) -> FloatArray:
        """V_v(s')."""
        values: FloatArray = self.value.function.at(w[self.n_params :], policy.inputs(batch.final_obs)).y[:, 0]
        return values

    def error_gradient(self, w: Array, policy: Policy, theta: Array, batch: Batch, targets: Array) -> Array:
        """∂/∂w of the mean squared error: −2/T Σ_t (y_t − Q_t) (φ_t, ∇V), φ_t = (∂μ/∂θ)ᵀ (a_t − μ_t)."""
        w_a, v = np.split(w, [self.n_params])
        x = policy.inputs(batch.obs)
        mu, at = composed_policy(policy).function.at(theta, x), self.value.function.at(v, x)
        off = np.reshape(batch.act, mu.y.shape) - mu.y  # a − μ
        q = (off * mu.jvp(w_a)).sum(axis=1) + at.y[:, 0]
        e = -2 * (targets - q)[:, None] / len(x)
        return np.concatenate([mu.vjp(e * off), at.vjp(e)])

    def slope(self, w: Array, policy: Policy, theta: Array, batch: Batch, mu: Array) -> FloatArray:
        """(∂μ/∂θ) w_a, the same at every action."""
        return composed_policy(policy).function.at(theta, policy.inputs(batch.obs)).jvp(w[: self.n_params])
