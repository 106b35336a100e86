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
