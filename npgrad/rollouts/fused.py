"""Complete episodes by the compiled kernel: y of a linear function inside it, of any other by NumPy, step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import jit, noise
from ..distributions import Categorical, DiagonalGaussian
from ..envs import CompiledEnv
from ..functions import MLP, Concatenated, Constant, Fixed, Function, Linear
from ..kernels.network import ACTIVATIONS
from ..memory import Memory
from ..policies import Clip, ComposedPolicy, Identity, Offset, Policy
from ..types import Array, FloatArray, IntArray
from . import parts
from .gather import Recorded
from .kernel import (
    BEGIN,
    END,
    FULL,
    GIVEN,
    GREEDY,
    LIMIT,
    MAPPED,
    MARKS,
    N_COUNTERS,
    NARROW,
    NEXT,
    ONE_HOT,
    RUNNING,
    SEED,
    SLOTS,
    STRETCH,
    WIDTH,
    roll_block,
)

__all__ = ["Affine", "Dynamics", "FusedBlock", "Head", "Inside", "affine_of", "forward", "head_of", "inside_of"]

EXACTLY = {  # what is derived from these may be anything
    Linear, Constant, Fixed, Concatenated, Categorical, DiagonalGaussian, Identity, Offset, Clip
}  # fmt: skip

RECORD = 1 << 18  # numbers that are recorded between two visits to Python, or LEAST_STEPS steps if they take more
LEAST_STEPS = 16
MAX_STRETCHES = 32  # of a record: each has half as many slots as the last


@dataclass(frozen=True)
class Head:
    """What the kernel takes of a policy beside y: the family of p, and the action map as rows low, high, offset."""

    gaussian: bool
    bounds: FloatArray  # (3, k)

    @property
    def mapped(self) -> bool:
        """Whether the action map changes anything."""
        return bool(np.isfinite(self.bounds[:2]).any() or self.bounds[2].any())


@dataclass(frozen=True)
class Affine:
    """y = x W + b; W (d, K), b (K,)."""

    W: FloatArray
    b: FloatArray


def head_of(policy: Policy) -> Head | None:
    """The head of `policy`, or None: it takes softmax and diagonal Gaussians without mask or memory."""
    if type(policy) is not ComposedPolicy or policy.n_masked or policy.n_memory:
        return None
    if not {type(policy.distribution), type(policy.action_map)} <= EXACTLY:
        return None
    match policy.distribution, policy.action_map:
        case Categorical(), Identity() | Offset():
            offset = policy.action_map.start if isinstance(policy.action_map, Offset) else 0
            return Head(gaussian=False, bounds=np.array([[-np.inf], [np.inf], [offset]], dtype=np.float64))
        case DiagonalGaussian(k=k), Identity():
            return Head(gaussian=True, bounds=np.array([[-np.inf] * k, [np.inf] * k, [0.0] * k]))
        case DiagonalGaussian(k=k), Clip(low=low, high=high):
            return Head(gaussian=True, bounds=np.array([low, high, [0.0] * k]))
        case _:
            return None


def forward(policy: ComposedPolicy, theta: Array) -> Callable[[Array], Array]:
    """From obs (B, d) to y (B, K)."""

    def y_of(obs: Array) -> Array:
        return policy.function.advance(theta, policy.inputs(obs), np.empty((len(obs), 0), dtype=theta.dtype))[0]

    return y_of


@dataclass(frozen=True)
class Inside:
    """How the kernel finds y by itself: arguments of `npgrad.rollouts.parts`."""

    forward: Callable[..., None]
    product: Any  # of matrices, by its address; 0: none is needed
    sizes: IntArray
    theta: FloatArray


def inside_of(policy: Policy, theta: Array, one_hot: bool) -> Inside | None:
    """How the kernel finds the y of `policy` by itself; None where it does not.

    It does so in float64 and without a normaliser, for functions that are affine, and for perceptrons that nothing but
    constants stands beside.
    """
    affine = affine_of(policy, theta)
    if affine is not None:
        sizes, flat = np.array([0, 0, *affine.W.shape]), np.concatenate([affine.W.reshape(-1), affine.b])
        return Inside(parts.selection if one_hot else parts.linear, 0, sizes, flat)
    if not isinstance(policy, ComposedPolicy) or policy.normaliser is not None or policy.n_masked or one_hot:
        return None
    product = jit.product_address("float64")
    if product is None or theta.dtype != np.float64:
        return None
    f, constants = policy.function, np.empty(0)
    if type(f) is Concatenated and len(f.parts) == 2 and type(f.parts[1]) in (Constant, Fixed):
        f, beside = f.parts
        constants = beside.at(theta[f.n_params :], np.zeros((1, f.n_in))).y[0]
    if not isinstance(f, MLP) or type(f) is not MLP:
        return None
    sizes = np.array([ACTIVATIONS[f.activation], len(constants), f.n_in, *f.hidden, f.n_out])
    return Inside(parts.perceptron, product, sizes, np.concatenate([theta[: f.n_params], constants]))


def affine_of(policy: Policy, theta: Array) -> Affine | None:
    """W and b of a policy whose y is affine in the raw observation, in float64; None for others."""
    if not isinstance(policy, ComposedPolicy) or policy.normaliser is not None or policy.n_masked:
        return None
    return _affine(policy.function, theta) if theta.dtype == np.float64 else None


def _affine(f: Function, theta: Array) -> Affine | None:
    if type(f) not in EXACTLY:
        return None
    match f:
        case Linear():
            W, b = f.split(theta)
            return Affine(np.ascontiguousarray(W), b.copy() if f.bias else np.zeros(f.n_out))
        case Constant() | Fixed():
            return Affine(np.zeros((f.n_in, f.n_out)), f.at(theta, np.zeros((1, f.n_in))).y[0])
        case Concatenated():
            ends = np.cumsum([part.n_params for part in f.parts])[:-1]
            parts = [_affine(part, own) for part, own in zip(f.parts, np.split(theta, ends), strict=True)]
            known = [part for part in parts if part is not None]
            if len(known) < len(parts):
                return None
            return Affine(np.concatenate([part.W for part in known], axis=1), np.concatenate([p.b for p in known]))
        case _:
            return None


@dataclass(frozen=True)
class Dynamics:
    """What the kernel takes of an environment with a time limit."""

    env: CompiledEnv
    reset: Any
    step: Any
    params: FloatArray
    reset_kinds: IntArray
    step_kinds: IntArray

    @classmethod
    def of(cls, env: CompiledEnv) -> Dynamics:
        """It, with the environment's functions compiled."""
        reset, step = jit.env_address(env.reset, "reset"), jit.env_address(env.step, "step")
        kinds = noise.kind_codes(env.reset_noise), noise.kind_codes(env.step_noise)
        return cls(env, reset, step, env.params_array, *kinds)


class FusedBlock:
    """A block of slots that takes the episodes first, …, end − 1 to their ends.

    Parameters
    ----------
    dynamics : Dynamics
    head : Head
    kinds : int array
        Of the policy's noise.
    recorded : Recorded
        What is to be filled.
    episodes : (int, int)
        First and end.
    n_slots : int
    seed : int
    greedy : bool
    memory : Memory
        Where records come from.
    """

    def __init__(
        self,
        dynamics: Dynamics,
        head: Head,
        kinds: IntArray,
        recorded: Recorded,
        episodes: tuple[int, int],
        n_slots: int,
        *,
        seed: int,
        greedy: bool,
        memory: Memory,
    ) -> None:
        (first, end), shape = episodes, recorded.shape
        settings = {
            SEED: np.uint64(seed).astype(np.int64),
            BEGIN: first,
            END: end,
            LIMIT: dynamics.env.max_episode_steps,
            GREEDY: greedy,
            MAPPED: head.mapped,
            ONE_HOT: shape.one_hot,
            GIVEN: False,
        }
        self._settings = np.array([settings[i] for i in range(len(settings))], dtype=np.int64)
        self._counters = np.zeros(N_COUNTERS, dtype=np.int64)
        self._counters[NEXT] = first
        self._slots = np.full((2, n_slots), -1, dtype=np.int64)
        self._state, self._obs = np.zeros((dynamics.env.n_state, n_slots)), np.zeros((shape.d, n_slots))
        self._kinds = np.append(kinds, kinds[-1:]) if len(kinds) % 2 else kinds  # noise comes two numbers at a time
        self._dynamics, self._head, self.recorded, self._memory = dynamics, head, recorded, memory
        self._new_record()

    def roll_inside(self, inside: Inside) -> None:
        """All episodes, with y found by the kernel."""
        y = np.empty((inside.sizes[-1] + inside.sizes[parts.CONSTANTS], 0))
        while self._unfinished:
            self._advance(inside, y)

    def roll(self, y_of: Callable[[FloatArray], Array]) -> None:
        """All episodes, with y (B, K) = y_of(obs), obs (B, d), of slots that become fewer towards the end."""
        self._settings[GIVEN] = True
        n_y = y_of(self._obs.T).shape[1]
        outside = Inside(parts.linear, 0, np.array([0, 0, n_y]), np.empty(0))  # is not called
        y = np.empty((n_y, 0))  # no y yet: begin, and no more
        while self._unfinished:
            self._advance(outside, y)
            y = np.ascontiguousarray(y_of(self._obs.T).T, dtype=np.float64)

    def _draw(self, n_y: int) -> Callable[..., None]:
        greedy = bool(self._settings[GREEDY])
        if self._head.gaussian:
            return parts.mean if greedy else parts.gaussian
        return parts.mode if greedy else parts.one_of_two if n_y == 2 else parts.softmax

    @property
    def _unfinished(self) -> bool:
        return bool(self._counters[RUNNING] > 0 or self._counters[NEXT] < self._settings[END])

    def _advance(self, by: Inside, y: FloatArray) -> None:
        """As far as the kernel goes; what it has recorded is put aside when there is no more room, or no more to do."""
        of, forward, draw = self._dynamics, jit.env_address(by.forward, "forward"), self._draw(len(y))
        roll_block(
            of.reset, of.step, forward, by.product, jit.env_address(draw, "draw"), of.params, by.sizes, by.theta,
            self._head.bounds, y, self._settings, self._counters, self._kinds, of.reset_kinds, of.step_kinds,
            self._slots, self._state, self._obs, self._record, self._stretches, self._marks, self.recorded.segments,
            self.recorded.final,
        )  # fmt: skip
        width = self._counters[WIDTH]
        if width < self._slots.shape[1]:
            self._slots = self._slots[:, :width].copy()
            self._state, self._obs = self._state[:, :width].copy(), self._obs[:, :width].copy()
        unfinished = self._unfinished
        if self._counters[FULL] or not unfinished:
            n_stretches, n_marks = self._counters[STRETCH] + 1, self._counters[MARKS]
            self.recorded.records.append((self._record, self._stretches[:n_stretches], self._marks[:n_marks]))
            if unfinished:
                self._new_record()

    def _new_record(self) -> None:
        n_slots, n_episodes = self._slots.shape[1], len(self.recorded.final)
        self._record = self._memory.array((max(RECORD, LEAST_STEPS * self.recorded.shape.n_recorded * n_slots),))
        self._stretches = np.zeros((MAX_STRETCHES, 4), dtype=np.int64)
        self._stretches[0, SLOTS] = n_slots
        self._counters[MARKS] = self._counters[STRETCH] = 0
        # a slot is marked at the beginning, when it begins an episode or idles, and when it is packed
        self._marks = np.empty((4 * n_slots + NARROW * MAX_STRETCHES + n_episodes, 4), dtype=np.int64)
