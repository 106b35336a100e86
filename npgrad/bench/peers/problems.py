"""The same numbers for npgrad and its peers: made by NumPy from a seed, in either process."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

__all__ = ["CARTPOLE", "digest", "gradient_problem", "returns_problem", "weights_of"]

CARTPOLE = [[-0.15, 0.15], [-0.3, 0.3], [-1.5, 1.5], [-1.5, 1.5]]  # W of a softmax that balances for some 200 steps


def gradient_problem(d: int, k: int, hidden: list[int], n: int, dtype: str) -> dict[str, Any]:
    """Observations (n, d), actions, weights, parameters: a softmax over two actions, else a Gaussian in k columns."""
    rng = np.random.default_rng(0)
    obs, psi = rng.normal(size=(n, d)).astype(dtype), rng.normal(size=n).astype(dtype)
    act = rng.integers(0, k, n) if k == 2 else rng.normal(size=(n, k)).astype(dtype)
    parameters = weights_of(rng, [d, *hidden, k], dtype)
    if k != 2:
        parameters.append(np.full(k, -0.5, dtype))  # log σ
    return {"obs": obs, "act": act, "psi": psi, "parameters": parameters, "softmax": k == 2}


def weights_of(rng: np.random.Generator, widths: list[int], dtype: str) -> list[Any]:
    """W_0, b_0, W_1, b_1, …"""
    found = []
    for n, m in pairwise(widths):
        found += [(rng.normal(size=(n, m)) / np.sqrt(n)).astype(dtype), np.zeros(m, dtype)]
    return found


def returns_problem(episodes: int, mean_length: int) -> dict[str, Any]:
    """Rewards, values and offsets of episodes of geometric length."""
    rng = np.random.default_rng(0)
    lengths = np.maximum(1, rng.geometric(1 / mean_length, episodes))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return {"rew": rng.normal(size=offsets[-1]), "values": rng.normal(size=offsets[-1]), "offsets": offsets}


def digest(value: Any) -> list[float]:
    """Two numbers by which results of different libraries are compared: a norm, and a product with fixed numbers."""
    flat = np.asarray(value, np.float64).ravel()
    return [float(np.linalg.norm(flat)), float(flat @ np.cos(np.arange(len(flat))))]
