"""Gradients by workers who keep the batch: rewards come back, weights go out, and sums over episodes come back.

ĝ = 1/N Σ_i Σ_t Ψ_{i,t} f_{i,t} is a sum over the chunks of episodes that every batch is cut into, and Ψ of a Monte
Carlo return, whatever mean is taken from it, follows from the rewards. So a worker that keeps its episodes needs one
number a row to give the sums of its chunks, P numbers each. The chunks are those of the whole batch, added in its
order, and one that two workers share is sent row by row: which way was taken changes no bit, so each iteration may take
the shorter.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import WorkerFailure
from ..estimators import EntropyBonus, Estimate, Estimator, ScoreFunction
from ..estimators.base import REMEDY, chunks
from ..policies import Policy
from ..rollouts import RemoteRollout
from ..rollouts.remote import Share, fits, roll_share
from ..training.diagnostics import ROWS
from ..types import Array, Batch, FloatArray, concatenate
from ..validation import require_finite
from .experience import Experience

__all__ = ["HeldBatch", "HoldingRollout", "estimate_of", "holding"]

Span = tuple[int, int]
KNOWN = ("rew", "offsets", "terminated", "truncated", "episode", "start")  # of a batch that workers keep
PATIENCE = 16  # iterations by batches after one in which workers had forgotten theirs


@dataclass(frozen=True)
class GivenPsi:
    """Ψ as numbers."""

    psi: FloatArray

    def __call__(self, batch: Batch) -> FloatArray:
        """Them."""
        return self.psi


@dataclass(frozen=True)
class Hold:
    """Roll out a share and keep it, under a key of the iteration and its number."""

    key: bytes
    number: int
    share: Share


@dataclass(frozen=True)
class Sum:
    """What is asked of a share that is kept."""

    key: bytes
    number: int
    estimator: ScoreFunction | EntropyBonus  # with Ψ of the share's rows
    whole: tuple[Span, ...]  # episodes of each chunk
    cut: tuple[Span, ...]  # episodes of chunks that others have a part of
    rows: slice  # for figures
    share: Share | None = None  # for who does not have it


@dataclass(frozen=True)
class Summed:
    """The answer."""

    sums: list[tuple[Array, FloatArray]]
    rows: list[dict[str, Array]]
    figures: tuple[Array, Array, FloatArray]


_lock = threading.Lock()
_kept: dict[tuple[bytes, int], tuple[Share, Batch]] = {}  # of this worker: the shares of one iteration


def keep(ask: Hold) -> dict[str, Array]:
    """What is known of a batch without its observations and actions; in a worker."""
    batch = made(ask)
    return {name: getattr(batch, name) for name in KNOWN}


def made(ask: Hold) -> Batch:
    """The batch of a share, which is kept until the next iteration's comes."""
    arrays, _ = roll_share(ask.share)
    batch = Batch(**arrays)
    with _lock:
        for key in [key for key in _kept if key[0] != ask.key]:
            del _kept[key]
        _kept[ask.key, ask.number] = ask.share, batch
    return batch


def kept_fits(ask: Hold, known: dict[str, Array]) -> bool:
    """Whether an answer is one to the question."""
    return fits(ask.share, (known, {}))


def summed(ask: Sum) -> Summed | None:
    """Sums over chunks, and some rows; None where the share is not kept; in a worker."""
    share, batch = _kept.get((ask.key, ask.number), (ask.share, None))
    if share is None:
        return None
    if batch is None:
        batch = made(Hold(ask.key, ask.number, share))
    policy, theta = share.policy, share.theta
    return Summed(
        [sums_of(ask.estimator, policy, theta, batch, span) for span in ask.whole],
        [arrays_of(part(batch, span)) for span in ask.cut],
        (batch.obs[ask.rows], batch.act[ask.rows], batch.logp[ask.rows]),
    )


def summed_fits(ask: Sum, answer: Summed | None) -> bool:
    """Whether an answer is one to the question."""
    return answer is None or (len(answer.sums), len(answer.rows)) == (len(ask.whole), len(ask.cut))


def sums_of(
    estimator: ScoreFunction | EntropyBonus, policy: Policy, theta: Array, batch: Batch, span: Span
) -> tuple[Array, FloatArray]:
    """Σ_i g_i over the episodes of a chunk, and ‖g_i‖² of each."""
    rows = slice(*batch.offsets[list(span)])
    psi = GivenPsi(estimator.psi(batch)[rows])
    estimate = replace(estimator, psi=psi, keep_per_episode=True)(policy, theta, part(batch, span))
    if estimate.per_episode is None or len(estimate.per_episode) != span[1] - span[0]:
        raise WorkerFailure(f"a chunk of {span[1] - span[0]} episodes has no term for each")
    return estimate.per_episode.sum(axis=0), estimate.squared_norms


def part(batch: Batch, span: Span) -> Batch:
    """Some consecutive episodes of a batch."""
    lo, hi = span
    a, b = batch.offsets[lo], batch.offsets[hi]
    per_row = {name: getattr(batch, name)[a:b] for name in ("obs", "act", "rew", "logp")}
    per_episode = {
        name: getattr(batch, name)[lo:hi] for name in ("terminated", "truncated", "final_obs", "episode", "start")
    }
    return Batch(offsets=batch.offsets[lo : hi + 1] - a, **per_row, **per_episode)


def arrays_of(batch: Batch) -> dict[str, Array]:
    """A batch as its arrays."""
    return {f.name: getattr(batch, f.name) for f in fields(Batch)}


@dataclass(frozen=True)
class HeldBatch(Batch):
    """A batch whose observations and actions are with workers.

    Parameters
    ----------
    key : bytes
        Under which they keep it.
    shares : tuple of Share
        Theirs.
    rollout : HoldingRollout
    """

    key: bytes = b""
    shares: tuple[Share, ...] = ()
    rollout: HoldingRollout | None = field(default=None, repr=False)


class HoldingRollout(RemoteRollout):
    """A rollout by workers who keep their episodes where that takes fewer bytes than to send them.

    Parameters
    ----------
    remote : RemoteRollout
        The one it stands for.
    """

    def __init__(self, remote: RemoteRollout) -> None:
        vars(self).update(vars(remote))
        self.pays = False  # fewer bytes, as far as the last iteration tells; decides who computes, and so no bit
        self._rest = 0  # iterations before it is tried again
        self._row, self._final = 0.0, 0.0  # bytes of a row's observation and action, of an episode's o_T

    def episodes(
        self,
        policy: Policy,
        theta: Array,
        *,
        seed: int,
        first: int,
        count: int,
        deterministic: bool = False,
        executor: Executor | None = None,
    ) -> Batch:
        """Complete episodes: a `HeldBatch` where that is shorter, else a batch."""
        shares = self.shares(policy, theta, seed, first, count, deterministic)
        if self._rest > 0 or not self.pays:
            self._rest = max(0, self._rest - 1)
            batch = self.gather(shares)
            self._row = sum(getattr(batch, name).nbytes for name in ("obs", "act", "logp")) / batch.n_steps
            self._final = batch.final_obs.nbytes / batch.n_episodes
        else:
            key = os.urandom(8)
            asks = [Hold(key, i, share) for i, share in enumerate(shares)]
            known = concatenate([bare(arrays) for arrays in self.workers.map(keep, asks, fits=kept_fits)])
            batch = HeldBatch(**arrays_of(known), key=key, shares=tuple(shares), rollout=self)
        self.pays = self._is_shorter(batch, theta, spans(shares))
        return batch

    def _is_shorter(self, batch: Batch, theta: Array, shares: list[Span]) -> bool:
        """Whether a batch like this takes fewer bytes if it is kept."""
        n, rows = batch.n_episodes, batch.n_steps
        owned = list(owners(batch, shares))
        cut = sum(int(batch.offsets[hi] - batch.offsets[lo]) for owner, (lo, hi) in owned if owner is None)
        kept = 8 * (rows + n) + (cut + min(rows, ROWS)) * self._row + (len(owned) + 1) * theta.nbytes
        return kept < rows * self._row + n * self._final

    def estimate(self, estimator: Estimator, policy: Policy, theta: Array, batch: HeldBatch) -> tuple[Estimate, Batch]:
        """ĝ of a batch that workers keep, and the rows of it that `diagnose` looks at."""
        if not isinstance(estimator, ScoreFunction | EntropyBonus):
            raise WorkerFailure(f"{type(estimator).__name__} is no sum over episodes")
        psi, shares = estimator.psi(batch), spans(batch.shares)
        require_finite("psi", psi)
        owned, every = list(owners(batch, shares)), -(-batch.n_steps // ROWS)

        def given(first: int, end: int) -> ScoreFunction | EntropyBonus:
            of_rows = psi[batch.offsets[first] : batch.offsets[end]]
            return replace(estimator, psi=GivenPsi(of_rows), executor=None)

        asks = []
        for i, (first, end) in enumerate(shares):
            whole = tuple((lo - first, hi - first) for owner, (lo, hi) in owned if owner == i)
            cut = tuple(
                (max(lo, first) - first, min(hi, end) - first)
                for owner, (lo, hi) in owned
                if owner is None and lo < end and hi > first
            )
            figures = slice(int(-batch.offsets[first] % every), None, every)
            asks.append(Sum(batch.key, i, given(first, end), whole, cut, figures))
        answers = self._asked(asks, batch.shares)

        sums, rows = [iter(answer.sums) for answer in answers], [iter(answer.rows) for answer in answers]
        total, norms = np.zeros(len(theta), dtype=theta.dtype), []
        for owner, (lo, hi) in owned:
            if owner is not None:
                g, squared = next(sums[owner])
            else:
                pieces = [next(rows[i]) for i, (first, end) in enumerate(shares) if lo < end and hi > first]
                chunk = concatenate([Batch(**arrays) for arrays in pieces])
                g, squared = sums_of(given(lo, hi), policy, theta, chunk, (0, hi - lo))
            total += g  # in the order of one process
            norms.append(squared)
        gradient = total / batch.n_episodes
        require_finite("gradient", gradient, REMEDY)
        return Estimate(gradient, np.concatenate(norms)), sample([answer.figures for answer in answers])

    def _asked(self, asks: list[Sum], shares: tuple[Share, ...]) -> list[Summed]:
        """The answers of all; who has lost his share makes it anew. If many have, batches are the faster way."""
        found = dict(enumerate(self.workers.map(summed, asks, fits=summed_fits)))
        behind = [i for i, answer in found.items() if answer is None]
        if 4 * len(behind) > len(asks):
            self._rest = PATIENCE
        again = self.workers.map(summed, [replace(asks[i], share=shares[i]) for i in behind], fits=summed_fits)
        found |= dict(zip(behind, again, strict=True))
        if None in found.values():
            raise WorkerFailure("a worker was sent its share and has none; give all the same release")
        return [answer for answer in found.values() if answer is not None]


def holding(experience: Experience) -> Experience:
    """The same experience; where its rollout is by workers, of a kind that may leave batches with them.

    Not so where observations are needed here: for a normaliser, or for the figures of a policy with a memory; nor where
    the θ that acts is not the one that learns.
    """
    remote = experience.rollout
    needed = experience.normalize_observations or experience.overlap or experience.policy.n_memory > 0
    if needed or not isinstance(remote, RemoteRollout):
        return experience
    return replace(experience, rollout=HoldingRollout(remote))


def estimate_of(estimator: Estimator, policy: Policy, theta: Array, batch: Batch) -> tuple[Estimate, Batch]:
    """ĝ, wherever the batch is, and what `diagnose` may look at."""
    if isinstance(batch, HeldBatch) and batch.rollout is not None:
        return batch.rollout.estimate(estimator, policy, theta, batch)
    return estimator(policy, theta, batch), batch


def spans(shares: Any) -> list[Span]:
    """The episodes of each share, from 0."""
    ends = [0, *np.cumsum([share.end - share.first for share in shares]).tolist()]
    return list(pairwise(ends))


def owners(batch: Batch, shares: list[Span]) -> Iterator[tuple[int | None, Span]]:
    """The chunks of a batch in order, as episodes, with the share that has all of one; None where there is none."""
    for chunk in chunks(batch):
        lo, hi = chunk.segments.start, chunk.segments.stop
        yield next((i for i, (first, end) in enumerate(shares) if first <= lo and hi <= end), None), (lo, hi)


def bare(known: dict[str, Array]) -> Batch:
    """A batch of which only `KNOWN` is."""
    n, rows = len(known["offsets"]) - 1, len(known["rew"])
    none = np.zeros(rows)
    return Batch(obs=np.zeros((rows, 0)), act=none, logp=none, final_obs=np.zeros((n, 0)), **known)


def sample(figures: list[tuple[Array, Array, FloatArray]]) -> Batch:
    """Rows of a batch as one segment."""
    obs, act, logp = (np.concatenate(arrays) for arrays in zip(*figures, strict=True))
    n = len(logp)
    return Batch(
        obs=obs, act=act, rew=np.zeros(n), logp=logp, offsets=np.array([0, n]), terminated=np.array([True]),
        truncated=np.array([False]), final_obs=np.zeros((1, obs.shape[1])),
    )  # fmt: skip
