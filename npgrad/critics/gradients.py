"""Gradients of a critic's error: towards fixed targets (the semi-gradient), and through the targets too (V1, V5)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from ..functions import Function
from ..kernels import chunk_bounds
from ..optimizers import Optimizer
from ..pool import map_ordered, ordered_sum
from ..types import Array, Batch, FloatArray, IntArray
from ..validation import require_shape
from .critic import Critic, ValueCritic, final_states
from .returns import n_step_return

__all__ = ["bellman_error", "descend", "fit_error", "squared_error"]


def squared_error(
    function: Function,
    w: Array,
    x: Array,
    targets: Array,
    *,
    columns: IntArray | None = None,
    weights: npt.ArrayLike | None = None,
    offsets: IntArray | None = None,
    ridge: float = 0.0,
    centre: Array | None = None,
    executor: Executor | None = None,
) -> tuple[float, Array]:
    """L = Σ_t c_t (y_t − V_w(x_t))² + λ‖w − w_l‖² and ∂L/∂w = −2 Σ_t c_t (y_t − V)∇V + 2λ(w − w_l) (V1, V2, V5).

    The targets are numbers: where they were made with a critic, this is the semi-gradient, A3C's −2(R − V)∇V.

    Parameters
    ----------
    function : Function
    w : array, shape (P,)
        Its parameters.
    x : array, shape (T, n_in)
    targets : array, shape (T,)
        y.
    columns : int array, shape (T,), optional
        Which output of the function is the value of each row, such as the action for Q; the first by default.
    weights : array, shape (T,), optional
        c; one each by default. 1/T makes it a mean.
    offsets : int array, shape (N + 1,), optional
        Episode borders, which functions with memory look at.
    ridge : float, optional
        λ.
    centre : array, shape (P,), optional
        w_l; zero by default.
    executor : concurrent.futures.Executor, optional
        Who computes the chunks; their sums are added in order.

    Returns
    -------
    loss : float
        L.
    gradient : array, shape (P,)
        ∂L/∂w.

    Raises
    ------
    InvalidInput
        On wrong shapes.

    Examples
    --------
    >>> from npgrad.functions import Linear
    >>> x, y = np.array([[1.0], [2.0]]), np.array([3.0, 3.0])
    >>> loss, gradient = squared_error(Linear(1, 1), np.array([2.0, 0.0]), x, y)
    >>> float(loss), gradient  # y − V = 1, −1
    (2.0, array([2., 0.]))
    """
    n = len(x)
    require_shape("targets", np.asarray(targets), (n,))
    c = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    require_shape("weights", c, (n,))
    column = np.zeros(n, dtype=np.int64) if columns is None else columns
    require_shape("columns", column, (n,))
    edges = np.arange(n + 1) if offsets is None else offsets

    def chunk(bounds: tuple[int, int]) -> tuple[Array, Array]:
        at = edges[bounds[0] : bounds[1] + 1]
        rows = slice(int(at[0]), int(at[-1]))
        lin = function.at(w, x[rows], at - at[0] if offsets is not None else None)
        picked = np.arange(len(lin.y)), column[rows]
        error = targets[rows] - lin.y[picked]  # y_t − V_t
        e = np.zeros_like(lin.y)
        e[picked] = -2 * c[rows] * error
        return (c[rows] * error**2).sum(), lin.vjp(e)

    pull = w if centre is None else w - centre
    start = [(ridge * (pull @ pull), 2 * ridge * pull)]
    losses, gradients = zip(*start, *map_ordered(chunk, chunk_bounds(edges), executor), strict=True)
    return ordered_sum(losses), ordered_sum(gradients)


def fit_error(
    critic: Critic, batch: Batch, targets: Array, *, weights: npt.ArrayLike | None = None, ridge: float = 0.0
) -> tuple[float, Array]:
    """`squared_error` of a critic on the rows of a batch: V_w(s_t), or Q_w(s_t, a_t), towards `targets`.

    Examples
    --------
    >>> from npgrad.functions import Featured, Linear, OneHot
    >>> table = ValueCritic(Featured(OneHot((3,)), Linear(3, 1, bias=False)), np.array([10.0, 20.0, 30.0]))
    >>> batch = Batch(obs=np.array([[0.0], [2.0]]), act=np.zeros(2, int), rew=np.ones(2), logp=np.zeros(2),
    ...               offsets=[0, 2], terminated=[True], truncated=[False], final_obs=np.array([[1.0]]))
    >>> loss, gradient = fit_error(table, batch, np.array([11.0, 28.0]))
    >>> float(loss), gradient
    (5.0, array([-2.,  0.,  4.]))
    """
    return squared_error(
        critic.function,
        critic.w,
        critic.x(batch),
        targets,
        columns=critic.columns(batch.act),
        weights=weights,
        offsets=batch.offsets,
        ridge=ridge,
        executor=critic.executor,
    )


def bellman_error(
    critic: ValueCritic,
    batch: Batch,
    *,
    gamma: float = 1.0,
    n: int | None = 1,
    weights: npt.ArrayLike | None = None,
) -> tuple[float, Array]:
    """L = Σ_t c_t (G^(n)_t − V(s_t))² with its full gradient, targets and all (V5; Baird 1995).

        ∂L/∂w = 2 Σ_t c_t (G^(n)_t − V(s_t)) (γ^m ∇V(s_{t+m}) − ∇V(s_t)),   m = min(n, T − t)

    The semi-gradient of the same error drops the first ∇V; it is `fit_error` with the targets G^(n).

    Parameters
    ----------
    critic : ValueCritic
    batch : Batch
    gamma : float, optional
        γ in [0, 1].
    n : int, optional
        Steps before the value; None goes on to the end of the segment, as A3C does.
    weights : array, shape (T,), optional
        c; one each by default.

    Returns
    -------
    loss : float
    gradient : array, shape (P,)

    Examples
    --------
    >>> from npgrad.functions import Featured, Linear, OneHot
    >>> table = ValueCritic(Featured(OneHot((2,)), Linear(2, 1, bias=False)), np.array([1.0, 4.0]))
    >>> batch = Batch(obs=np.array([[0.0]]), act=np.zeros(1, int), rew=np.ones(1), logp=np.zeros(1),
    ...               offsets=[0, 1], terminated=[False], truncated=[False], final_obs=np.array([[1.0]]))
    >>> loss, gradient = bellman_error(table, batch, gamma=0.5)  # δ = 1 + ½·4 − 1 = 2
    >>> float(loss), gradient
    (4.0, array([-4.,  2.]))
    """
    values = critic(batch)
    error = n_step_return(batch, values, gamma, n) - values.rows  # G^(n)_t − V(s_t)
    c = np.ones(batch.n_steps) if weights is None else np.asarray(weights, dtype=np.float64)
    require_shape("weights", c, (batch.n_steps,))
    left = np.repeat(batch.offsets[1:], batch.lengths) - np.arange(batch.n_steps)  # T − t
    m = left if n is None else np.minimum(n, left)
    row = np.arange(batch.n_steps) + batch.segment  # of s_t among all states
    ended = np.zeros(batch.n_steps + batch.n_episodes, dtype=np.bool_)
    ended[final_states(batch)[batch.terminated]] = True  # V(s_T) = 0 there
    e = np.zeros(len(ended))  # coefficient of ∇V at every state
    np.add.at(e, row + m, 2 * c * error * gamma**m)
    e[ended] = 0
    e[row] -= 2 * c * error
    parts = critic.map_states(batch, lambda lin, rows: lin.vjp(e[rows, None]))
    return float(c @ error**2), ordered_sum(parts)


def descend(
    loss: Callable[[Array], tuple[float, Array]], w: Array, optimizer: Optimizer, n_steps: int
) -> tuple[Array, FloatArray]:
    """w after `n_steps` steps of an optimiser down a loss, and the losses met on the way.

    Parameters
    ----------
    loss : function
        ``w → (L, ∂L/∂w)``.
    w : array, shape (P,)
        Where to begin.
    optimizer : Optimizer
        It ascends −∂L/∂w.
    n_steps : int
        How many.

    Returns
    -------
    w : array, shape (P,)
    losses : array, shape (n_steps,)

    Raises
    ------
    InvalidInput
        If `n_steps` is negative.

    Examples
    --------
    >>> from npgrad.optimizers import SGD
    >>> w, losses = descend(lambda w: (float(w @ w), 2 * w), np.ones(1), SGD(0.25), 2)
    >>> w, losses
    (array([0.25]), array([1.  , 0.25]))
    """
    if n_steps < 0:
        raise InvalidInput(f"n_steps is {n_steps}, expected at least 0")
    moments, losses = optimizer.init(w), np.empty(n_steps)
    for k in range(n_steps):
        losses[k], gradient = loss(w)
        w, moments = optimizer.step(w, -gradient, moments)
    return w, losses
