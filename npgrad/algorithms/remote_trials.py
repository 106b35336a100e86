"""Trials by workers who are told numbers alone: which trials, and what the last ones came to; never a θ.

Every worker holds the recipe and its state. The directions of an iteration are noise of (seed, iteration), so with the
returns of the iteration before it makes the step itself, to the bit, and with it all θ of this one (Salimans et al.
2017, section 2.1). So a call takes a few bytes a trial, whatever the size of the policy. A worker that has missed
something, or whose state is another one in a single bit, says so and gets the whole state.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol

import numpy as np

from ..errors import WorkerFailure
from ..policies.normaliser import Moments
from ..rollouts.remote import rollout_of
from ..training import Metrics
from ..types import Array, FloatArray, IntArray, State
from ..workers import Workers, split
from .ahead import digest
from .trials import Judged, Outcome, Trials

__all__ = ["RemoteTrials"]

KEPT = 4  # recipes that a worker remembers
REMEMBERED = 16  # iterations that a worker may have missed without being sent the whole state


class OfTrials(Protocol):
    """A recipe that stands on trials."""

    trials: Trials

    def step(self, state: State) -> tuple[State, Metrics]:
        """One iteration."""


@dataclass(frozen=True)
class Iteration:
    """What the trials of an iteration, or of its first calls, came to: all that a step takes from them."""

    number: int
    returns: FloatArray  # (n, E) of n trials
    steps: int  # of all episodes
    seen: Moments


@dataclass(frozen=True)
class Ask:
    """Judge some trials of an iteration."""

    key: bytes  # of the recipe
    past: tuple[Iteration, ...]  # iterations before this one
    now: Iteration  # the earlier calls of this one
    state: bytes  # digest of the state at its beginning
    lo: int
    hi: int
    whole: tuple[Any, bytes, dict[str, Array]] | None = None  # recipe, source of its rollout, state


@dataclass(frozen=True)
class Outcomes:
    """What n trials of E episodes came to, in few arrays; d is 0 where no observations are counted."""

    returns: FloatArray  # (n, E)
    lengths: IntArray  # (n, E)
    counts: IntArray  # (n,)
    means: FloatArray  # (n, d)
    m2: FloatArray  # (n, d)

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> Outcomes:
        """Of a list of them."""
        returns, lengths, seen = zip(*outcomes, strict=True)
        counts = np.array([moments.count for moments in seen])
        if not counts.any():
            none = np.zeros((len(seen), 0))
            return cls(np.stack(returns), np.stack(lengths).astype(np.int32), counts[:0], none, none)
        means, m2 = np.stack([m.mean for m in seen]), np.stack([m.m2 for m in seen])
        return cls(np.stack(returns), np.stack(lengths).astype(np.int32), counts, means, m2)

    def each(self) -> list[Outcome]:
        """The list."""
        counts = self.counts if len(self.counts) else np.zeros(len(self.returns), dtype=np.int64)
        seen = [Moments(int(n), mean, m2) for n, mean, m2 in zip(counts, self.means, self.m2, strict=True)]
        return list(zip(self.returns, self.lengths.astype(np.int64), seen, strict=True))


class Enough(Exception):
    """The trials that were asked for are judged."""

    def __init__(self, outcomes: list[Outcome]) -> None:
        super().__init__()
        self.outcomes = outcomes


@dataclass(frozen=True)
class Replayed(Trials):
    """Trials whose outcomes are known, and, behind these, some that are judged."""

    known: Iteration | None = None
    lo: int = 0
    hi: int = 0

    def __call__(self, judged: Judged, state: State, thetas: Array, first: int | None = None) -> FloatArray:
        """Mean returns as recorded; at the first call without a record, judge what is asked for, and stop."""
        begin = state.iteration * self.n_episodes if first is None else first
        known, at = self.known, len(judged.returns)
        if known is None or at >= len(known.returns):
            raise Enough(self.judge(judged, state, thetas[self.lo : self.hi], begin))
        returns = known.returns[at : at + len(thetas)]
        judged.returns += list(returns)
        lengths = np.zeros((len(judged.returns), self.n_episodes), dtype=np.int64)
        lengths[0, 0] = known.steps  # a step takes no more of them than their sum
        judged.lengths = list(lengths)
        judged.seen = known.seen
        return np.array([row.mean() for row in returns])


_known: OrderedDict[bytes, tuple[OfTrials, State]] = OrderedDict()  # of this worker


def judge(ask: Ask) -> Outcomes | None:
    """The outcomes of trials lo … hi − 1, or None if this worker needs the whole state first."""
    if ask.whole is not None:
        recipe, source, arrays = ask.whole
        trials = Replayed(**{**vars(recipe.trials), "rollout": rollout_of(source)})
        _known[ask.key] = replace(recipe, trials=trials), State.from_arrays(arrays)
        while len(_known) > KEPT:
            _known.popitem(last=False)
    if ask.key not in _known:
        return None
    recipe, state = _known[ask.key]
    try:
        for past in ask.past:
            if past.number == state.iteration:
                state, _ = _with(recipe, past).step(state)
        if digest(state.as_arrays()) != ask.state:
            return None
        _known[ask.key] = recipe, state
        _with(recipe, ask.now, ask.lo, ask.hi).step(state)
    except Enough as enough:
        return Outcomes.of(enough.outcomes) if enough.outcomes else None
    raise WorkerFailure(f"iteration {state.iteration} has no trial {len(ask.now.returns) + ask.lo}")


def _with(recipe: Any, known: Iteration, lo: int = 0, hi: int = 0) -> Any:
    return replace(recipe, trials=replace(recipe.trials, known=known, lo=lo, hi=hi))


def fits(ask: Ask, outcomes: Outcomes | None) -> bool:
    """Whether an answer is one to the question."""
    return outcomes is None or len(outcomes.returns) == ask.hi - ask.lo


@dataclass
class Memory:
    """What this process remembers of a run between calls; it speeds up, and decides nothing."""

    key: bytes = field(default_factory=lambda: os.urandom(8))
    recipe: Any = None
    past: tuple[Iteration, ...] = ()
    digested: tuple[State | None, bytes] = (None, b"")

    def digest_of(self, state: State) -> bytes:
        """`digest`, once a state."""
        if self.digested[0] is not state:
            self.digested = state, digest(state.as_arrays())
        return self.digested[1]


@dataclass(frozen=True)
class RemoteTrials(Trials):
    """Trials that workers judge.

    Parameters
    ----------
    workers : Workers
    source : bytes
        Of the rollout.
    """

    workers: Workers = field(kw_only=True)
    source: bytes = field(kw_only=True)
    memory: Memory = field(default_factory=Memory)

    def belong_to(self, recipe: Any) -> None:
        """Note the recipe that workers are to have: the same, with trials of their own."""
        own = Trials(**{f.name: getattr(self, f.name) for f in fields(Trials)})
        self.memory.recipe = replace(recipe, trials=replace(own, rollout=None, executor=None))  # type: ignore[arg-type]

    def judge(self, judged: Judged, state: State, thetas: Array, first: int) -> list[Outcome]:
        """The outcomes of the iteration's next trials."""
        memory, now = self.memory, self._so_far(judged, state)
        asks = [
            Ask(memory.key, memory.past[-1:], now, memory.digest_of(state), lo, hi)
            for lo, hi in split(len(thetas), self.workers.n)
        ]
        whole = memory.recipe, self.source, state.as_arrays()
        found: list[Outcomes | None] = [None] * len(asks)
        for more in ({}, {"past": memory.past}, {"past": (), "whole": whole}):  # as little as will do
            behind = [i for i, outcomes in enumerate(found) if outcomes is None]
            answers = self.workers.map(judge, [replace(asks[i], **more) for i in behind], fits=fits)
            for i, outcomes in zip(behind, answers, strict=True):
                found[i] = outcomes
        if None in found:
            raise WorkerFailure("a worker was sent the whole state and has another one; give all the same release")
        return [outcome for outcomes in found if outcomes is not None for outcome in outcomes.each()]

    def close(
        self, judged: Judged, state: State, theta: Array, figures: dict[str, float], **groups: dict[str, Array]
    ) -> tuple[State, Metrics]:
        """The state after an iteration, which workers can now make for themselves."""
        after = super().close(judged, state, theta, figures, **groups)
        self.memory.past = (*self.memory.past, self._so_far(judged, state))[-REMEMBERED:]
        return after

    def _so_far(self, judged: Judged, state: State) -> Iteration:
        returns = np.array(judged.returns).reshape(-1, self.n_episodes)
        return Iteration(state.iteration, returns, int(sum(map(np.sum, judged.lengths))), judged.seen)
