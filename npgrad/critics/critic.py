"""Critics: a function of the state, or of the state and the action, with its weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Self, TypeVar

import numpy as np

from ..errors import InvalidInput, NotImplementedBy
from ..functions import Function, Linearisation
from ..kernels import chunk_bounds
from ..pool import map_ordered
from ..types import Array, Batch, FloatArray, IntArray
from ..validation import require_theta
from .returns import Values

__all__ = ["ActionValueCritic", "Critic", "Inputs", "StateActionCritic", "ValueCritic", "observations", "visited"]

Inputs = Callable[[Array, IntArray], Array]
Result = TypeVar("Result")


def observations(obs: Array, time: IntArray) -> Array:
    """The default inputs of a critic: o_t alone, (T, d)."""
    return obs


@dataclass(frozen=True, eq=False)
class Critic(ABC):
    """What V and Q share: a function, its weights w, and what of (o_t, t) it looks at.

    Parameters
    ----------
    function : Function
        From what `inputs` gives to values.
    w : array, shape (P,)
        Its parameters.
    inputs : function, optional
        ``(obs, time) → (T, n_in)``: a normaliser, or features with time among them; o_t by default.
    executor : concurrent.futures.Executor, optional
        Who computes the chunks.
    """

    function: Function
    w: Array
    inputs: Inputs = observations
    executor: Executor | None = None

    def __post_init__(self) -> None:
        require_theta(self.w, self.function.n_params)

    def with_weights(self, w: Array) -> Self:
        """The same critic with other weights."""
        return replace(self, w=w)

    @abstractmethod
    def columns(self, act: Array) -> IntArray:
        """Which output of the function is the value of each row, (T,)."""

    def x(self, batch: Batch) -> Array:
        """What the function gets at the rows of a batch, (T, n_in)."""
        return self.inputs(batch.obs, batch.time)

    def map_states(self, batch: Batch, of_chunk: Callable[[Linearisation, slice], Result]) -> list[Result]:
        """``of_chunk(linearisation, rows)`` on runs of whole segments of all T + N states (see `visited`), in order."""
        obs, time, edges = visited(batch)
        x = self.inputs(obs, time)

        def run(bounds: tuple[int, int]) -> Result:
            lo, hi = bounds
            rows = slice(int(edges[lo]), int(edges[hi]))
            return of_chunk(self.function.at(self.w, x[rows], edges[lo : hi + 1] - edges[lo]), rows)

        return map_ordered(run, chunk_bounds(edges), self.executor)

    def outputs(self, batch: Batch) -> FloatArray:
        """The function at all T + N states, (T + N, K)."""
        parts = self.map_states(batch, lambda lin, rows: lin.y)
        empty = np.zeros((0, self.function.n_out))
        return np.concatenate([empty, *parts]).astype(np.float64, copy=False)


@dataclass(frozen=True, eq=False)
class ValueCritic(Critic):
    """V_w(s): a function with one output.

    Tables, linear features and perceptrons are all functions of `npgrad.functions`.

    Parameters
    ----------
    function, w, inputs, executor
        As for `Critic`.

    Raises
    ------
    InvalidInput
        If the function has another number of outputs, or w another length.

    Examples
    --------
    >>> from npgrad.functions import Featured, Linear, OneHot
    >>> table = ValueCritic(Featured(OneHot((3,)), Linear(3, 1, bias=False)), np.array([10.0, 20.0, 30.0]))
    >>> batch = Batch(obs=np.array([[0.0], [2.0]]), act=np.zeros(2, int), rew=np.ones(2), logp=np.zeros(2),
    ...               offsets=[0, 2], terminated=[True], truncated=[False], final_obs=np.array([[1.0]]))
    >>> table(batch)
    Values(rows=array([10., 30.]), final=array([20.]))
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.function.n_out != 1:
            raise InvalidInput(f"the function has {self.function.n_out} outputs, expected 1: V(s)")

    def __call__(self, batch: Batch) -> Values:
        """V at the rows and at the final observations."""
        v, last = self.outputs(batch)[:, 0], final_states(batch)
        return Values(np.delete(v, last), v[last])

    def columns(self, act: Array) -> IntArray:
        """The one there is."""
        return np.zeros(len(act), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class ActionValueCritic(Critic):
    """Q_w(s, a) of discrete actions: a function with one output an action.

    Parameters
    ----------
    function, w, inputs, executor
        As for `Critic`.

    Raises
    ------
    InvalidInput
        If w has another length.

    Examples
    --------
    >>> from npgrad.functions import Featured, Linear, OneHot
    >>> Q = ActionValueCritic(Featured(OneHot((2,)), Linear(2, 2, bias=False)), np.array([1.0, 2.0, 3.0, 4.0]))
    >>> batch = Batch(obs=np.array([[0.0], [1.0]]), act=np.array([1, 0]), rew=np.ones(2), logp=np.zeros(2),
    ...               offsets=[0, 2], terminated=[True], truncated=[False], final_obs=np.array([[1.0]]))
    >>> Q(batch), Q.table(batch)
    (array([2., 3.]), array([[1., 2.],
           [3., 4.]]))
    """

    def __call__(self, batch: Batch) -> FloatArray:
        """Q(s_t, a_t), shape (T,)."""
        q: FloatArray = self.table(batch)[np.arange(batch.n_steps), self.columns(batch.act)]
        return q

    def table(self, batch: Batch) -> FloatArray:
        """Q(s_t, a) for every a, shape (T, n_actions)."""
        return np.delete(self.outputs(batch), final_states(batch), axis=0)

    def columns(self, act: Array) -> IntArray:
        """That of the action."""
        if act.ndim != 1 or act.dtype.kind not in "iu":
            raise InvalidInput(f"act has shape {act.shape} and dtype {act.dtype}, expected (T,) integers")
        return act


@dataclass(frozen=True, eq=False)
class StateActionCritic(Critic):
    """Q_w(s, a) of actions that are numbers: a function of (o, a), the action's k behind the others, with one output.

    Parameters
    ----------
    function, w, inputs, executor
        As for `Critic`.

    Raises
    ------
    InvalidInput
        If the function has another number of outputs, or w another length.

    Examples
    --------
    >>> from npgrad.functions import Linear
    >>> Q = StateActionCritic(Linear(2, 1), np.array([1.0, 10.0, 0.5]))  # Q = o + 10 a + ½
    >>> batch = Batch(obs=np.array([[0.0], [2.0]]), act=np.array([[1.0], [3.0]]), rew=np.ones(2), logp=np.zeros(2),
    ...               offsets=[0, 2], terminated=[True], truncated=[False], final_obs=np.array([[5.0]]))
    >>> Q(batch), Q.of_actions(batch, np.zeros((3, 1))), Q.action_gradient(batch, batch.act)[:, 0]
    (array([10.5, 32.5]), array([0.5, 2.5, 5.5]), array([10., 10.]))
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.function.n_out != 1:
            raise InvalidInput(f"the function has {self.function.n_out} outputs, expected 1: Q(s, a)")

    def __call__(self, batch: Batch) -> FloatArray:
        """Q(s_t, a_t), shape (T,)."""
        return np.asarray(self.function.at(self.w, self.x(batch)).y[:, 0], dtype=np.float64)

    def columns(self, act: Array) -> IntArray:
        """The one there is."""
        return np.zeros(len(act), dtype=np.int64)

    def x(self, batch: Batch) -> Array:
        """(o_t, a_t), shape (T, n_in)."""
        return self._joined(batch.obs, batch.time, batch.act)

    def of_actions(self, batch: Batch, act: Array) -> FloatArray:
        """Q of the actions given, one at each of the T + N states of a batch (see `visited`), shape (T + N,)."""
        obs, time, _ = visited(batch)
        return np.asarray(self.function.at(self.w, self._joined(obs, time, act)).y[:, 0], dtype=np.float64)

    def action_gradient(self, batch: Batch, act: Array) -> FloatArray:
        """∇_a Q(s_t, a) at the actions given, (T, k) → (T, k) (P19).

        Raises
        ------
        NotImplementedBy
            If the function gives no gradient in its inputs; linear ones and perceptrons do.
        """
        lin = self.function.at(self.w, self._joined(batch.obs, batch.time, act))
        if not hasattr(lin, "vjp_inputs"):
            raise NotImplementedBy(f"{type(self.function).__name__} gives no gradient in its inputs; try an MLP")
        n_act = self.function.n_in - self.inputs(batch.obs[:1], batch.time[:1]).shape[1]
        return np.asarray(lin.vjp_inputs(np.ones_like(lin.y))[:, -n_act:], dtype=np.float64)

    def _joined(self, obs: Array, time: IntArray, act: Array) -> Array:
        return np.concatenate([self.inputs(obs, time), np.reshape(act, (len(obs), -1))], axis=1)


def state_offsets(batch: Batch) -> IntArray:
    """Where the states s_0 … s_T of each segment begin and end among all T + N, shape (N + 1,)."""
    offsets: IntArray = batch.offsets + np.arange(batch.n_episodes + 1)
    return offsets


def final_states(batch: Batch) -> IntArray:
    """Where s_T of each segment stands among all T + N states, shape (N,)."""
    return state_offsets(batch)[1:] - 1


def visited(batch: Batch) -> tuple[Array, IntArray, IntArray]:
    """All states s_0 … s_T of a batch, segment by segment.

    Returns
    -------
    obs : array, shape (T + N, d)
    time : int array, shape (T + N,)
    offsets : int array, shape (N + 1,)

    Examples
    --------
    >>> batch = Batch(obs=np.array([[0.0], [1.0], [5.0]]), act=np.zeros(3, int), rew=np.ones(3), logp=np.zeros(3),
    ...               offsets=[0, 2, 3], terminated=[True, True], truncated=[False, False], final_obs=[[2.0], [6.0]])
    >>> obs, time, offsets = visited(batch)
    >>> obs[:, 0], time, offsets
    (array([0., 1., 2., 5., 6.]), array([0, 1, 2, 0, 1]), array([0, 3, 5]))
    """
    edges, last = state_offsets(batch), final_states(batch)
    obs = np.empty((edges[-1], batch.obs.shape[1]), batch.obs.dtype)
    rows = np.ones(len(obs), dtype=np.bool_)
    rows[last] = False
    obs[rows], obs[last] = batch.obs, batch.final_obs
    time = np.arange(edges[-1]) - np.repeat(edges[:-1] - batch.start, batch.lengths + 1)
    return obs, time, edges
