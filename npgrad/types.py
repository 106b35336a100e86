"""The nouns that every floor shares: arrays, trajectories, the state of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import InitVar, dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InvalidInput
from .validation import require_finite, require_shape

__all__ = ["Array", "Batch", "BoolArray", "FloatArray", "IntArray", "State", "concatenate"]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Batch:
    """Trajectories as flat, read-only arrays with CSR offsets, validated once.

    Segment i is the rows ``offsets[i]:offsets[i + 1]`` of the flat arrays. It is a whole episode, or, where a rollout
    was cut, a part of one that begins at time ``start[i]``.

    Parameters
    ----------
    obs : array, shape (T, d)
        o_t, flattened, before any normaliser.
    act : array, shape (T,) of int64, or (T, k)
        a_t as drawn, before the action map.
    rew : array, shape (T,)
        r_t, the reward that follows a_t.
    logp : array, shape (T,)
        log β(a_t|o_t) of the policy that acted.
    offsets : int array, shape (N + 1,)
        Where segments begin and end.
    terminated, truncated : bool array, shape (N,)
        How segment i ended; neither: it was cut. Only termination has V(s_T) = 0.
    final_obs : array, shape (N, d)
        o_T of each segment.
    episode, start : int array, shape (N,), optional
        Which episode a segment belongs to, and the t of its first row; 0 … N−1 and zeros if not given.
    finite : bool, optional
        Whether all of `obs`, `act`, `rew` and `logp` is known to be finite, and need not be looked at.

    Raises
    ------
    InvalidInput
        If shapes disagree, offsets do not rise from 0 to T.
    NonFinite
        If an observation, a reward or a log-probability is NaN or infinite.

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((3, 2)), act=np.array([0, 1, 0]), rew=np.ones(3), logp=np.zeros(3),
    ...               offsets=np.array([0, 2, 3]), terminated=np.array([True, True]),
    ...               truncated=np.array([False, False]), final_obs=np.zeros((2, 2)))
    >>> batch.n_episodes, batch.n_steps
    (2, 3)
    >>> batch.lengths
    array([2, 1])
    >>> batch.returns()
    array([2., 1.])
    """

    obs: Array
    act: Array
    rew: FloatArray
    logp: FloatArray
    offsets: IntArray
    terminated: BoolArray
    truncated: BoolArray
    final_obs: Array
    episode: IntArray = None  # type: ignore[assignment]
    start: IntArray = None  # type: ignore[assignment]
    finite: InitVar[Any] = False  # a bool; Any, so that mappings of arrays may be unpacked

    def __post_init__(self, finite: Any) -> None:
        offsets = np.asarray(self.offsets, dtype=np.int64)
        n = len(offsets) - 1
        given = {"offsets": offsets, "obs": np.asarray(self.obs), "final_obs": np.asarray(self.final_obs)}
        given["act"] = np.asarray(self.act)
        for name in ("rew", "logp"):
            given[name] = np.asarray(getattr(self, name), dtype=np.float64)
        for name in ("terminated", "truncated"):
            given[name] = np.asarray(getattr(self, name), dtype=np.bool_)
        given["episode"] = np.asarray(np.arange(n) if self.episode is None else self.episode, dtype=np.int64)
        given["start"] = np.asarray(np.zeros(n) if self.start is None else self.start, dtype=np.int64)
        for name, array in given.items():
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        self._validate(n, ("final_obs",) if finite else ("obs", "final_obs", "rew", "logp", "act"))

    def _validate(self, n: int, unknown: tuple[str, ...]) -> None:
        steps = len(self.rew)
        require_shape("rew", self.rew, (None,))
        if n < 0 or self.offsets.ndim != 1 or self.offsets[0] != 0 or self.offsets[-1] != steps:
            raise InvalidInput(f"offsets {self.offsets} must rise from 0 to the number of steps, {steps}")
        empty = np.flatnonzero(np.diff(self.offsets) <= 0)
        if len(empty):
            raise InvalidInput(f"segment {empty[0]} is empty or runs backwards; offsets must strictly rise")
        require_shape("logp", self.logp, (steps,))
        require_shape("obs", self.obs, (steps, None), "flatten observations with npgrad.spaces.flatten")
        require_shape("final_obs", self.final_obs, (n, self.obs.shape[1]))
        if self.act.ndim not in (1, 2) or len(self.act) != steps:
            raise InvalidInput(f"act has shape {self.act.shape}, expected ({steps},) or ({steps}, k)")
        for name in ("terminated", "truncated", "episode", "start"):
            require_shape(name, getattr(self, name), (n,))
        for name in unknown:
            array = getattr(self, name)
            if array.dtype.kind == "f":
                require_finite(name, array)

    @property
    def n_steps(self) -> int:
        """T, the number of transitions."""
        return len(self.rew)

    @property
    def n_episodes(self) -> int:
        """N, the number of segments."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> IntArray:
        """Steps of each segment, shape (N,)."""
        return np.diff(self.offsets)

    @property
    def time(self) -> IntArray:
        """t of every row within its episode, shape (T,)."""
        return np.arange(self.n_steps) - np.repeat(self.offsets[:-1] - self.start, self.lengths)

    @property
    def segment(self) -> IntArray:
        """i of every row, shape (T,)."""
        return np.repeat(np.arange(self.n_episodes), self.lengths)

    def returns(self) -> FloatArray:
        """Σ_t r_t of each segment, shape (N,)."""
        if self.n_episodes == 0:
            return np.zeros(0)
        return np.add.reduceat(self.rew, self.offsets[:-1])

    def require_complete(self) -> None:
        """Raise unless every segment is a complete episode, as estimators without a critic need."""
        cut = np.flatnonzero(~(self.terminated | self.truncated) | (self.start != 0))
        if len(cut):
            raise InvalidInput(
                f"segment {cut[0]} is not a complete episode, and without a critic only complete episodes are used; "
                "collect with episodes=, or use an estimator that bootstraps"
            )

    def select(self, segments: Sequence[int] | slice) -> Batch:
        """The batch of some segments, in the order given."""
        chosen = np.arange(self.n_episodes)[segments if isinstance(segments, slice) else np.asarray(segments, int)]
        rows = [np.arange(self.offsets[i], self.offsets[i + 1]) for i in chosen]
        at = np.concatenate(rows) if rows else np.zeros(0, int)
        offsets = np.concatenate([[0], np.cumsum(self.lengths[chosen])])
        per_step = {name: getattr(self, name)[at] for name in ("obs", "act", "rew", "logp")}
        per_segment = {name: getattr(self, name)[chosen] for name in _PER_SEGMENT}
        return Batch(offsets=offsets, **per_step, **per_segment)


_PER_SEGMENT = ("terminated", "truncated", "final_obs", "episode", "start")


def concatenate(batches: Sequence[Batch]) -> Batch:
    """One batch of all segments of `batches`, in order.

    Raises
    ------
    InvalidInput
        If there is no batch.
    """
    if not batches:
        raise InvalidInput("no batches to concatenate; expected at least one")
    if len(batches) == 1:
        return batches[0]
    lengths = np.concatenate([b.lengths for b in batches])
    names = ("obs", "act", "rew", "logp", *_PER_SEGMENT)
    joined = {name: np.concatenate([getattr(b, name) for b in batches]) for name in names}
    return Batch(offsets=np.concatenate([[0], np.cumsum(lengths)]), **joined)


@dataclass(frozen=True)
class State:
    """All that a run is between two iterations: plain arrays and numbers. Saving it is saving the run.

    Parameters
    ----------
    seed : int
        Key of all noise.
    iteration, timesteps, episodes : int
        How many are done; the next episode's number is `episodes`.
    theta : array, shape (P,)
        Policy parameters.
    arrays : dict of str to array
        What else the algorithm keeps (optimiser moments, critics, normaliser, rollout), under names like ``"adam/m"``.
    """

    seed: int
    iteration: int
    timesteps: int
    episodes: int
    theta: Array
    arrays: dict[str, Array] = field(default_factory=dict)

    def group(self, name: str) -> dict[str, Array]:
        """The arrays under ``name/``, without that prefix."""
        return {k[len(name) + 1 :]: v for k, v in self.arrays.items() if k.startswith(name + "/")}

    def with_groups(self, **groups: dict[str, Array]) -> State:
        """A copy in which each named group of arrays is replaced."""
        kept = {k: v for k, v in self.arrays.items() if k.split("/")[0] not in groups}
        new = {f"{g}/{k}": np.asarray(v) for g, arrays in groups.items() for k, v in arrays.items()}
        return replace(self, arrays=kept | new)

    def as_arrays(self) -> dict[str, Array]:
        """Every field as an array, for `numpy.savez`."""
        numbers = {f.name: np.asarray(getattr(self, f.name)) for f in fields(self) if f.name != "arrays"}
        return numbers | {f"arrays/{k}": v for k, v in self.arrays.items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Array]) -> State:
        """The inverse of `as_arrays`."""
        rest = {k[len("arrays/") :]: np.asarray(v) for k, v in arrays.items() if k.startswith("arrays/")}
        counters = {k: int(arrays[k]) for k in ("seed", "iteration", "timesteps", "episodes")}
        return cls(theta=np.asarray(arrays["theta"]), arrays=rest, **counters)
