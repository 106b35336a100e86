"""Slow, obvious twins of what the library computes fast; nothing here is shared with it."""

import numpy as np


def linear(theta, obs, n_out, bias=True):
    """y_tk = Σ_j x_tj W_jk + b_k, number by number."""
    T, d = obs.shape
    y = np.zeros((T, n_out))
    for t in range(T):
        for k in range(n_out):
            for j in range(d):
                y[t, k] += obs[t, j] * theta[j * n_out + k]
            if bias:
                y[t, k] += theta[d * n_out + k]
    return y


def mlp(theta, obs, widths, activation):
    """Layers of `linear`, with φ between them; widths = (hidden…, n_out)."""
    phi = {"tanh": np.tanh, "relu": lambda z: np.where(z > 0, z, 0.0), "identity": lambda z: z}[activation]
    x, at = obs, 0
    for depth, n in enumerate(widths):
        size = (x.shape[1] + 1) * n
        z = linear(theta[at : at + size], x, n)
        x, at = (phi(z) if depth < len(widths) - 1 else z), at + size
    return x


def distance_to_kinks(theta, obs, widths):
    """The smallest |z| of any hidden unit of a relu network, for each row."""
    near, x, at = np.full(len(obs), np.inf), obs, 0
    for n in widths[:-1]:
        size = (x.shape[1] + 1) * n
        z = linear(theta[at : at + size], x, n)
        near = np.minimum(near, np.abs(z).min(axis=1))
        x, at = np.where(z > 0, z, 0.0), at + size
    return near


def reward_to_go(rew, gamma):
    """G_t = Σ_{k≥t} γ^{k−t} r_k."""
    return [sum(gamma ** (k - t) * rew[k] for k in range(t, len(rew))) for t in range(len(rew))]


def time_mean_of_others(lists):
    """1/(N−1) Σ_{j≠i} x_{j,t}, zero once j has ended, flat."""
    n = len(lists)
    return [
        sum(lists[j][t] for j in range(n) if j != i and t < len(lists[j])) / (n - 1)
        for i in range(n)
        for t in range(len(lists[i]))
    ]


def adam(gradients, rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """θ after ascending `gradients` from 0, each average written out as its weighted sum."""
    theta = np.zeros(gradients.shape[1])
    for k in range(1, len(gradients) + 1):
        w1 = (1 - beta1) * beta1 ** np.arange(k - 1, -1, -1)
        w2 = (1 - beta2) * beta2 ** np.arange(k - 1, -1, -1)
        m_hat = w1 @ gradients[:k] / (1 - beta1**k)
        v_hat = w2 @ gradients[:k] ** 2 / (1 - beta2**k)
        theta = theta + rate * m_hat / (np.sqrt(v_hat) + epsilon)
    return theta
