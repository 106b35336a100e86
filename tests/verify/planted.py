"""Estimators with a mistake each, written with loops over episodes and steps, without a line of what is tested."""

import numpy as np


def scores(policy, theta, batch):
    """f_t of every row."""
    return policy.at(theta, batch.obs, batch.act).vjp_rows(np.ones(batch.n_steps))


def ratios(policy, theta, batch):
    """ρ_t of every row."""
    return np.exp(policy.at(theta, batch.obs, batch.act).log_prob - batch.logp)


def episodes(batch):
    """The rows of each episode."""
    return [range(a, b) for a, b in zip(batch.offsets[:-1], batch.offsets[1:], strict=True)]


def to_go(rew, gamma):
    """Σ_{k≥t} γ^{k−t} r_k of one episode."""
    T = len(rew)
    return [sum(gamma ** (k - t) * rew[k] for k in range(t, T)) for t in range(T)]


def weighted(policy, theta, batch, psi):
    """1/N Σ_i Σ_t Ψ_{i,t} f_{i,t} for lists Ψ_i of numbers, one an episode."""
    f = scores(policy, theta, batch)
    total = np.zeros(len(theta))
    for rows, weights in zip(episodes(batch), psi, strict=True):
        for row, w in zip(rows, weights, strict=True):
            total += w * f[row]
    return total / batch.n_episodes


def of_rewards(psi_of, gamma=1.0):
    """An estimator from ``rewards of an episode → Ψ of its steps``."""

    def estimator(policy, theta, batch):
        psi = [psi_of(list(batch.rew[list(rows)])) for rows in episodes(batch)]
        return weighted(policy, theta, batch, psi)

    return estimator


def of_batch(psi_of, gamma=1.0):
    """An estimator from ``G of all episodes → Ψ of all episodes``."""

    def estimator(policy, theta, batch):
        G = [to_go(batch.rew[list(rows)], gamma) for rows in episodes(batch)]
        psi = [[gamma**t * x for t, x in enumerate(ep)] for ep in psi_of(G)]
        return weighted(policy, theta, batch, psi)

    return estimator


def of_ratios(psi_of):
    """An estimator from ``(rewards, ρ) of an episode → Ψ of its steps``."""

    def estimator(policy, theta, batch):
        rho = ratios(policy, theta, batch)
        psi = [psi_of(batch.rew[list(rows)], rho[list(rows)]) for rows in episodes(batch)]
        return weighted(policy, theta, batch, psi)

    return estimator


def scaled(factor):
    """Reward-to-go times ``factor(batch)``."""

    def estimator(policy, theta, batch):
        psi = [to_go(batch.rew[list(rows)], 1.0) for rows in episodes(batch)]
        return factor(batch) * weighted(policy, theta, batch, psi)

    return estimator


def gae(gamma, lam, *, value_after, rewards=lambda r: r):
    """GAE step by step; ``value_after(batch, values, episode, row, last)`` is V(s_{t+1})."""

    def estimator(policy, theta, batch, values):
        psi = []
        for i, rows in enumerate(episodes(batch)):
            r = rewards(list(batch.rew[list(rows)]))
            A, after = [], 0.0
            for t in reversed(range(len(r))):
                row, last = rows[t], t == len(r) - 1
                delta = r[t] + gamma * value_after(batch, values, i, row, last) - values.rows[row]
                after = delta + gamma * lam * after
                A.insert(0, gamma**t * after)
            psi.append(A)
        return weighted(policy, theta, batch, psi)

    return estimator


def right_value(batch, values, i, row, last):
    if not last:
        return values.rows[row + 1]
    return 0.0 if batch.terminated[i] else values.final[i]


def shifted(rew, by):
    """Rewards `by` rows later or earlier, zero where there is none."""
    T = len(rew)
    return [rew[t + by] if 0 <= t + by < T else 0.0 for t in range(T)]


def product(xs):
    out = 1.0
    for x in xs:
        out *= x
    return out


def mean(xs):
    xs = list(xs)
    return sum(xs) / len(xs)
