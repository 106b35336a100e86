"""Wrong stages for the forms of `diagnose_forms`: what estimators with a known mistake compute."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..types import Array
from .diagnose_batches import Batches
from .diagnose_forms import (
    Stage,
    backwards_sum,
    discounted_sum,
    episode_ratios,
    next_values,
    plain_rewards,
    sums_of,
)

# rewards ------------------------------------------------------------------------------------------------------------


def later(x: Batches) -> Array:
    """r_{t+1}."""
    return np.concatenate([x.rew[..., 1:], np.zeros_like(x.rew[..., :1])], axis=2)


def earlier(x: Batches) -> Array:
    """r_{t−1}."""
    return np.concatenate([np.zeros_like(x.rew[..., :1]), x.rew[..., :-1]], axis=2)


def clipped_rewards(x: Batches) -> Array:
    return np.clip(x.rew, -1.0, 1.0)


def signs(x: Batches) -> Array:
    return np.sign(x.rew)


def less_constant(x: Batches, c: float) -> Array:
    """r_t − c."""
    return plain_rewards(x) - c


def less_mean_reward(x: Batches) -> Array:
    """r_t less the mean reward of the batch."""
    return x.rew - _mean_of_rows(x, x.rew)


def with_entropy(x: Batches, c: float) -> Array:
    return x.rew - c * x.log_pi


def flipped_entropy(x: Batches) -> Array:
    return x.rew + x.ent_coef * x.log_pi


def bare_rewards(x: Batches) -> Array:
    return x.rew


# returns ------------------------------------------------------------------------------------------------------------


def so_far(x: Batches, r: Array, V_next: Array) -> Array:
    """Σ_{k≤t} γ^{k−t} r_k, which is γ^{−t} Σ_{k≤t} γ^k r_k."""
    return np.asarray(np.cumsum(x.gamma_t * r * x.alive, axis=2) / x.gamma_t)


def forwards(x: Batches, r: Array, V_next: Array) -> Array:
    """y_t = r_t + γ y_{t−1}."""
    flipped: Array = (r * x.alive)[..., ::-1]
    return backwards_sum(flipped, x.gamma)[..., ::-1]


def powers(gamma: float) -> Stage:
    """γ^t of another γ."""

    def weights(x: Batches) -> Array:
        return gamma ** np.arange(len(x.gamma_t))

    return weights


def own_reward(x: Batches, r: Array, V_next: Array) -> Array:
    return r


def ones(x: Batches, r: Array, V_next: Array) -> Array:
    """1."""
    return np.ones(x.alive.shape)


def without_own(x: Batches, r: Array, V_next: Array) -> Array:
    """Σ_{k>t} γ^{k−t} r_k."""
    return discounted_sum(x, r, V_next) - r


def product_of_sums(x: Batches, r: Array, V_next: Array) -> Array:
    """Σ_t G_t at every t."""
    G = discounted_sum(x, r, V_next) * x.alive
    return np.broadcast_to(G.sum(axis=2, keepdims=True), G.shape)


def whole_horizon(x: Batches, r: Array, V_next: Array) -> Array:
    return x.Q_0


def undiscounted_sum(x: Batches, r: Array, V_next: Array) -> Array:
    return backwards_sum(r * x.alive, 1.0)


def undiscounted_return(x: Batches, r: Array, V_next: Array) -> Array:
    return np.broadcast_to((r * x.alive).sum(axis=2, keepdims=True), x.alive.shape)


def discounted_by(x: Batches, r: Array, V_next: Array, gamma: float) -> Array:
    return backwards_sum(r * x.alive, gamma)


def return_discounted_by(x: Batches, r: Array, V_next: Array, gamma: float) -> Array:
    R: Array = (gamma ** np.arange(r.shape[2]) * r * x.alive).sum(axis=2, keepdims=True)
    return np.broadcast_to(R, x.alive.shape)


def mean_to_go(x: Batches, r: Array, V_next: Array) -> Array:
    """G_t/(T − t)."""
    left = x.lengths - np.arange(x.alive.shape[2])
    return np.asarray(discounted_sum(x, r, V_next) / np.maximum(left, 1))


def mean_reward(x: Batches, r: Array, V_next: Array) -> Array:
    """R/T."""
    R: Array = (x.gamma_t * r * x.alive).sum(axis=2, keepdims=True)
    return np.broadcast_to(R / x.lengths, x.alive.shape)


def across_episodes(x: Batches, r: Array, V_next: Array) -> Array:
    """G as if the next episode of the batch went on where one ends."""
    G = discounted_sum(x, r, V_next) * x.alive
    for i in reversed(range(x.n - 1)):
        left = x.lengths[:, i] - np.arange(x.alive.shape[2])  # T − t
        G[:, i] += x.gamma ** np.maximum(left, 0) * G[:, i + 1, :1]
    return G


def values_at_next(x: Batches, r: Array, V_next: Array) -> Array:
    """G_t − V(s_{t+1})."""
    return backwards_sum((r + x.gamma * V_next - x.V) * x.alive, x.gamma) + x.V - next_values(x)


# V(s_{t+1}) ---------------------------------------------------------------------------------------------------------


def behind_termination(x: Batches) -> Array:
    return x.V_next


def not_at(x: Batches, truncated: bool, cut: bool) -> Array:
    """Zero where the episode was truncated, or cut."""
    stopped = (truncated & x.truncated) | (cut & ~x.truncated & ~x.terminated)
    return np.where(x.last & stopped[..., None], 0.0, next_values(x))


def without_gamma(x: Batches) -> Array:
    """V(s_{t+1})/γ, of which δ takes γ times."""
    return next_values(x) / x.gamma


def same_state(x: Batches) -> Array:
    """V(s_t)."""
    return x.V


# baselines ----------------------------------------------------------------------------------------------------------


def less_mean_in_time(x: Batches, G: Array) -> Array:
    return np.asarray(G - G.mean(axis=1, keepdims=True))


def less_mean_of_alive(x: Batches, G: Array) -> Array:
    return np.asarray(G - G.sum(axis=1, keepdims=True) / np.maximum(x.alive.sum(axis=1, keepdims=True), 1))


def less_mean_return(x: Batches, G: Array) -> Array:
    """G_t less the mean of the whole returns, G_0."""
    return np.asarray(G - G[..., :1].mean(axis=1, keepdims=True))


def less_mean_row(x: Batches, G: Array) -> Array:
    return G - _mean_of_rows(x, G)


def less_sum(x: Batches, G: Array) -> Array:
    return np.asarray(G - G.sum(axis=1, keepdims=True))


def less_own_mean(x: Batches, G: Array) -> Array:
    return np.asarray(G - G.sum(axis=2, keepdims=True) / x.lengths)


def less_state_mean(x: Batches, G: Array) -> Array:
    """G_t less its mean over the batch's visits to s_t."""
    out = G.copy()
    for s in np.unique(x.states):
        at = x.alive & (x.states == s)
        mean = (G * at).sum(axis=(1, 2)) / np.maximum(at.sum(axis=(1, 2)), 1)
        out -= at * mean[:, None, None]
    return out


def less_best_constant(x: Batches, G: Array) -> Array:
    """G less b = Σ_i ‖F_i‖² R_i / Σ_i ‖F_i‖² of the batch, F = Σ_t f_t."""
    F = x.scores.reshape(*x.alive.shape, -1).sum(axis=2)  # (B, N, P)
    squares: Array = (F**2).sum(axis=2)
    b = (squares * G[..., 0]).sum(axis=1) / squares.sum(axis=1)
    return np.asarray(G - b[:, None, None])


def less_Q(x: Batches, G: Array) -> Array:
    return G - x.Q


def standardised(x: Batches, G: Array, eps: float, ddof: int, centred: bool = True) -> Array:
    """(G − mean)/(deviation + ε) over the rows of the batch."""
    mean = _mean_of_rows(x, G)
    squares = ((G - mean) ** 2 * x.alive).sum(axis=(1, 2), keepdims=True)
    deviation = np.sqrt(squares / (x.alive.sum(axis=(1, 2), keepdims=True) - ddof))
    return np.asarray((G - centred * mean) / (deviation + eps))


def own_standardised(x: Batches, G: Array, eps: float, ddof: int) -> Array:
    """The same over the rows of the episode alone."""
    mean = G.sum(axis=2, keepdims=True) / x.lengths
    squares = ((G - mean) ** 2 * x.alive).sum(axis=2, keepdims=True)
    return np.asarray((G - mean) / (np.sqrt(squares / (x.lengths - ddof)) + eps))


def _mean_of_rows(x: Batches, rows: Array) -> Array:
    return np.asarray((rows * x.alive).sum(axis=(1, 2), keepdims=True) / x.alive.sum(axis=(1, 2), keepdims=True))


# factors ------------------------------------------------------------------------------------------------------------


def gamma_2t(x: Batches) -> Array:
    return x.gamma_t**2


def gamma_next(x: Batches) -> Array:
    """γ^{t+1}."""
    return x.gamma * x.gamma_t


def from_the_second(x: Batches) -> Array:
    return x.gamma_t * (np.arange(len(x.gamma_t)) > 0)


def from_the_second_of_whole(x: Batches) -> Array:
    return np.asarray(np.arange(len(x.gamma_t)) > 0)


def but_the_last(x: Batches) -> Array:
    return x.gamma_t * ~x.last


def but_the_last_of_whole(x: Batches) -> Array:
    return ~x.last


def times_pi(x: Batches) -> Array:
    return x.gamma_t * np.exp(x.log_pi)


def times_pi_of_whole(x: Batches) -> Array:
    return np.exp(x.log_pi)


def bonus_now(x: Batches, G: Array) -> Array:
    """G − β log π_t: the entropy of the step alone."""
    return G - x.ent_coef * x.log_pi


def discounted_bonus_now(x: Batches, G: Array) -> Array:
    """R − β γ^t log π_t."""
    return G - x.ent_coef * x.gamma_t * x.log_pi


def bonus_of(x: Batches, G: Array, c: float) -> Array:
    return G - c * x.log_pi


# ratios -------------------------------------------------------------------------------------------------------------


def twice(x: Batches) -> Array:
    """Π_{k≤t} ρ_k Π_{t≤k} ρ_k of the whole episode: ρ_t counts twice."""
    return episode_ratios(x) * np.exp(x.log_rho)


def future_ratios(x: Batches) -> Array:
    """Π_{k≥t} ρ_k."""
    return np.asarray(np.exp(x.log_rho.sum(axis=2, keepdims=True) - sums_of(x.log_rho) + x.log_rho))


def past_ratios(x: Batches) -> Array:
    """Π_{k<t} ρ_k."""
    return np.exp(sums_of(x.log_rho) - x.log_rho)


def inverse_past_ratios(x: Batches) -> Array:
    """1/Π_{k<t} ρ_k."""
    return 1 / past_ratios(x)


def inverse_causal(x: Batches) -> Array:
    """1/Π_{k≤t} ρ_k."""
    return np.exp(-sums_of(x.log_rho))


def inverse(x: Batches) -> Array:
    return 1 / episode_ratios(x)


def inverse_step(x: Batches) -> Array:
    return np.exp(-x.log_rho)


def normalised(x: Batches) -> Array:
    w = episode_ratios(x)
    return np.asarray(x.n * w / w.sum(axis=1, keepdims=True))


def clipped(x: Batches, c: float) -> Array:
    return np.minimum(episode_ratios(x), c)


def clipped_step(x: Batches, c: float) -> Array:
    return np.minimum(np.exp(x.log_rho), c)


# averages -----------------------------------------------------------------------------------------------------------


def constant(c: float) -> Stage:
    """c."""
    return partial(times, c=c)


def times(x: Batches, c: float) -> Array:
    return np.asarray(c)


def summed(x: Batches) -> Array:
    """N, which undoes the 1/N."""
    return np.asarray(float(x.n))


def over_rows(x: Batches) -> Array:
    """1/Σ_i T_i for 1/N."""
    return np.asarray(x.n / x.alive.sum(axis=(1, 2), keepdims=True))


def over_padded(x: Batches) -> Array:
    """1/(N T) with T the longest of the batch."""
    return np.asarray(1 / x.lengths.max(axis=1, keepdims=True))


def over_own_length(x: Batches) -> Array:
    return 1 / x.lengths


def over_fewer(x: Batches) -> Array:
    """1/(N − 1)."""
    return x.n / np.float64(x.n - 1) * np.ones(())
