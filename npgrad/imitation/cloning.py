"""Behaviour cloning: θ of maximum likelihood, max_θ 1/T Σ_t w_t log π_θ(a_t|o_t) (I1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import noise
from ..algorithms.base import initial_theta, unmasked
from ..algorithms.value import minibatches
from ..data import Demonstrations
from ..deploy import Agent
from ..errors import InvalidInput
from ..optimizers import Adam
from ..policies import Policy, make_policy
from ..policies.normaliser import Moments
from ..pool import single_blas_thread
from ..types import Array, Batch, FloatArray, IntArray
from ..validation import require_finite, require_shape
from .likelihood import cloning_loss, latent_batch
from .settings import CloningSettings

__all__ = ["Cloned", "Progress", "clone"]

Progress = Callable[[Mapping[str, float]], object]  # a row of the log


@dataclass(frozen=True, eq=False)
class Cloned:
    """What cloning came to.

    Parameters
    ----------
    agent : Agent
        Of the best likelihood on what was held out; of the last epoch if nothing was.
    log : tuple of dict
        A row an epoch: ``time/epoch``, ``train/loss``, and ``eval/loss`` if episodes were held out.
    best : dict
        The row of `agent`.
    """

    agent: Agent
    log: tuple[Mapping[str, float], ...]
    best: Mapping[str, float]


def clone(
    demonstrations: Demonstrations,
    policy: str | Policy = "mlp",
    settings: CloningSettings | None = None,
    *,
    policy_kwargs: Mapping[str, Any] | None = None,
    weights: npt.ArrayLike | None = None,
    seed: int = 0,
    theta: Array | None = None,
    progress: Progress | None = None,
) -> Cloned:
    """A policy that does as was demonstrated: minibatches up the likelihood, until what is held out says stop.

    Parameters
    ----------
    demonstrations : Demonstrations
    policy : str or Policy, optional
        One of `npgrad.policies.POLICIES`, made for the demonstrations' spaces, or a policy of your own.
    settings : CloningSettings, optional
    policy_kwargs : dict, optional
        Passed to `make_policy`.
    weights : array, shape (T,), optional
        How much each row counts, 0 or more: those of `advantage_weights` make it a step of policy improvement.
    seed : int, optional
        Key of all noise: same seed, same bits.
    theta : array, shape (P,), optional
        Where to begin.
    progress : function, optional
        Called with each row of the log.

    Raises
    ------
    InvalidInput
        If the policy's spaces are not the demonstrations', or weights are negative, all zero or not one a row.
    NonFinite
        If weights or θ are not finite.

    Examples
    --------
    >>> from npgrad.data import record
    >>> lean = record(lambda obs: int(obs[2] + obs[3] > 0), "CartPole-v1", 20)
    >>> clone(lean, "linear", CloningSettings(epochs=50, learning_rate=0.05)).agent.act([0.0, 0.0, 0.0, 1.0])
    1
    """
    settings = settings or CloningSettings()
    info: dict[str, Any] = {k: demonstrations.info[k] for k in ("env_id", "env_kwargs") if k in demonstrations.info}
    if isinstance(policy, str):
        pair = demonstrations.observation_space, demonstrations.action_space
        info |= {"policy": policy, "policy_options": dict(policy_kwargs or {})}
        policy = make_policy(pair, policy, masked=demonstrations.n_masked > 0, **(policy_kwargs or {}))
    elif policy_kwargs:
        raise InvalidInput(f"policy_kwargs are {policy_kwargs}, but the policy is made already; pass its name")
    batch, w = latent_batch(demonstrations, policy), _weights(weights, demonstrations.n_steps)
    if settings.normalize_observations:
        policy = policy.with_normaliser(Moments.of(unmasked(policy, batch.obs)).normaliser())
    theta = initial_theta(policy, seed) if theta is None else np.array(theta)
    with single_blas_thread():
        best_theta, best, log = _fit(policy, theta, batch, w, settings, seed, progress)
    require_finite("theta", best_theta, "take a smaller learning_rate")
    info |= {"algo": "clone", "seed": seed, "timesteps": batch.n_steps, "hyperparameters": asdict(settings)}
    return Cloned(Agent(policy, best_theta, info), tuple(log), best)


def _fit(
    policy: Policy,
    theta: Array,
    batch: Batch,
    w: FloatArray,
    settings: CloningSettings,
    seed: int,
    progress: Progress | None,
) -> tuple[Array, dict[str, float], list[dict[str, float]]]:
    """The best θ, its row of the log, and all rows."""
    learned, judged = _split(batch, settings.held_out, seed)
    held = _of(batch, w, judged) if len(judged) else None
    optimizer = Adam(settings.learning_rate)
    moments = optimizer.init(theta)
    best_theta, best, log = theta, dict[str, float](), list[dict[str, float]]()
    for epoch in range(1, settings.epochs + 1):
        losses = []
        for part, v in _minibatches(policy, batch, w, learned, settings.batch_size, seed, epoch):
            lin = policy.at(theta, part.obs, part.act, part.offsets)
            losses.append(-(v @ lin.log_prob) / len(v))
            theta, moments = optimizer.step(theta, lin.vjp(v / len(v)), moments)  # θ + α Adam(1/n Σ w_t f_t)
        row = {"time/epoch": float(epoch), "train/loss": float(np.mean(losses))}
        if held is not None:
            row["eval/loss"] = float(cloning_loss(policy, theta, *held)[0])
        log.append(row)
        if progress is not None:
            progress(row)
        if held is None or not best or row["eval/loss"] < best["eval/loss"]:
            best_theta, best = theta, row
        elif epoch - best["time/epoch"] >= settings.patience:
            break
    return best_theta, best, log


def _weights(weights: npt.ArrayLike | None, n: int) -> FloatArray:
    """The weights, scaled to a mean of 1."""
    if weights is None:
        return np.ones(n)
    w = np.asarray(weights, dtype=np.float64)
    require_shape("weights", w, (n,), "one for each row of the demonstrations")
    require_finite("weights", w)
    if (w < 0).any() or not w.any():
        raise InvalidInput(f"weights run from {w.min()} to {w.max()}, expected 0 or more, and some above 0")
    scaled: FloatArray = w / w.mean()
    return scaled


def _split(batch: Batch, share: float, seed: int) -> tuple[IntArray, IntArray]:
    """Episodes to learn from and episodes to judge by; of a single one there are none to judge by."""
    n = batch.n_episodes
    order = np.argsort(noise.uniform(1, seed, noise.SHUFFLE, np.arange(n), 1)[:, 0])
    held = min(round(share * n) or int(share > 0), n - 1)
    return np.sort(order[held:]), np.sort(order[:held])


def _of(batch: Batch, w: FloatArray, episodes: IntArray) -> tuple[Batch, FloatArray]:
    """Some episodes, and their rows' weights."""
    return batch.select(episodes.tolist()), w[np.isin(batch.segment, episodes)]


def _minibatches(
    policy: Policy, batch: Batch, w: FloatArray, episodes: IntArray, size: int, seed: int, epoch: int
) -> Iterator[tuple[_Part, FloatArray]]:
    """Rows in random order, or whole episodes for a policy with a memory, and their weights."""
    if policy.n_memory:
        some = max(1, round(size / float(np.mean(batch.lengths))))
        for chosen in minibatches(len(episodes), some, seed, epoch, 0):
            part, v = _of(batch, w, np.sort(episodes[chosen]))
            yield _Part(part.obs, part.act, part.offsets), v
        return
    rows = np.flatnonzero(np.isin(batch.segment, episodes))
    for chosen in minibatches(len(rows), size, seed, epoch, 0):
        at = rows[chosen]
        yield _Part(batch.obs[at], batch.act[at], None), w[at]


@dataclass(frozen=True, eq=False)
class _Part:
    """Rows of a minibatch."""

    obs: Array
    act: Array
    offsets: IntArray | None
