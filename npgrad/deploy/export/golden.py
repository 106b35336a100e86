"""Golden vectors: observations, places of noise, and what the library makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ... import noise
from ...errors import InvalidInput
from ...types import Array, FloatArray
from ..program import Program

__all__ = ["Golden", "golden_vectors"]

COUNT = 8


@dataclass(frozen=True)
class Golden:
    """Row by row: ``obs`` leads to ``action``, and with the ``noise`` of a place to ``latent`` and ``drawn``."""

    obs: Array
    places: list[tuple[int, int, int]]  # seed, episode, step
    noise: FloatArray
    action: Array
    latent: Array
    drawn: Array
    log_prob: FloatArray
    size: FloatArray  # 1 + max |y| + Σ |y ∂log p/∂y|: what rounding grows with


def golden_vectors(program: Program) -> Golden:
    """Vectors on which a small error in θ changes no discrete action, so that they hold in float too.

    Candidates are random observations and zero; the places of noise fill all bits of seed, episode and step.
    """
    policy, theta = program.policy, program.numbers[: program.policy.n_params].astype(np.float64)
    rng = np.random.default_rng(0)
    n = 32 * COUNT
    obs = _observations(program, rng, n)
    bits = rng.integers(2**64, size=(n, 3), dtype=np.uint64)
    places = [(int(a), int(b) >> 1, int(c) >> 32) for a, b, c in bits]  # seed, episode, step
    numbers = np.stack([noise.draw(policy.draws, seed, noise.ACTION, e, t) for seed, e, t in places])

    def acted(theta: Array) -> tuple[Array, Array, Array]:
        mode, _, _ = policy.act(theta, obs)
        latent, log_prob, _ = policy.act(theta, obs, numbers)
        return mode, latent, log_prob

    discrete = np.repeat([h.kind != "gaussian" for h in program.heads], [h.columns for h in program.heads])
    with np.errstate(all="ignore"):
        mode, latent, log_prob = acted(theta)
        y = policy.at(theta, obs, mode).y
        score = policy.distribution.score(y, latent)
        steady = np.isfinite(log_prob) & np.isfinite(_rows(latent)).all(axis=1)
        for _ in range(4):
            for a, b in zip((mode, latent), acted(theta * (1 + 1e-4 * rng.normal(size=theta.shape))), strict=False):
                steady &= (_rows(a) == _rows(b))[:, discrete].all(axis=1)
    chosen = np.flatnonzero(steady)[:COUNT]
    if not len(chosen):
        raise InvalidInput("no observation leads to an action that is finite and steady; are the parameters sound?")
    seen = np.where(np.isfinite(y), y, 0)[chosen]  # masked logits are −∞, and count for nothing
    size = 1 + np.abs(seen).max(axis=1) + np.abs(seen * score[chosen]).sum(axis=1)

    def mapped(rows: Array) -> Array:
        return _rows(policy.action_map(rows[chosen].reshape(len(chosen), *policy.distribution.act_shape)))

    return Golden(
        obs[chosen],
        [places[i] for i in chosen],
        numbers[chosen],
        mapped(mode),
        _rows(latent)[chosen],
        mapped(latent),
        log_prob[chosen],
        size,
    )


def _observations(program: Program, rng: np.random.Generator, n: int) -> Array:
    """Random rows (n, n_obs), as float32 numbers; the first is zero; masks allow at least one action."""
    x = rng.normal(size=(n, program.n_in))
    layer = program.policy.normaliser
    x = x if layer is None else layer.mean + layer.std * x
    x[0] = 0
    m = program.policy.n_masked
    mask = rng.integers(2, size=(n, m))
    if m:
        mask[np.arange(n), rng.integers(m, size=n)] = 1
    return np.concatenate([x.astype(np.float32).astype(np.float64), mask], axis=1)


def _rows(act: Array) -> Array:
    return act.reshape(len(act), -1)
