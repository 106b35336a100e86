"""One action in a few microseconds: the policy's own arithmetic, laid out in advance for one observation.

Most of what an action of a small policy costs in Python is generality: shapes, dtypes, batches, log-probabilities. Here
it is decided once. What is out of the ordinary (other spaces, wrong shapes, NaN) is left to the general path, which
either copes or knows what to say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import InvalidInput
from ..functions.mlp import ACTIVATIONS
from ..policies import Clip
from ..spaces import Box, Discrete
from ..types import Array
from .program import Chain, Numbers, Program

__all__ = ["fast_act"]

Step = Callable[[Array], Array]
Act = Callable[[Any, Any], Any]


def fast_act(policy: Any, theta: Array) -> Act:
    """A function of (obs, noise) that gives the action of one observation, or None where it does not apply.

    It keeps no buffer, so that threads may share it.

    Parameters
    ----------
    policy : Policy
        It applies to affine layers and one distribution on a Box of observations, see `Program`.
    theta : array, shape (P,)

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> policy = make_policy((Box(-1.0, 1.0, (2,)), Discrete(2)), "linear")
    >>> act = fast_act(policy, np.array([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]))
    >>> act(np.array([0.1, 0.9]), None), act(np.array([np.nan, 0.9]), None)
    (1, None)
    """
    try:
        program = Program.of(policy, theta)
    except InvalidInput:
        return _never
    space = policy.observation_space
    if len(program.heads) != 1 or policy.n_masked or not isinstance(space, Box):
        return _never

    shape, dtype = space.shape, np.dtype(space.dtype)
    flat = len(shape) == 1
    inputs, mode, draw, finish = _inputs(program), *_draws(program), _finish(program)
    n_draws = (len(policy.draws),)

    def act(obs: Any, noise: Any) -> Any:
        try:
            x = np.asarray(obs)
        except ValueError:  # ragged
            return None
        if x.shape != shape:
            return None
        if x.dtype != dtype:
            if x.dtype.kind != "f" or dtype.kind != "f":
                return None
            x = x.astype(dtype)
        x = x if flat else x.ravel()
        finite = np.isfinite(x)
        if not finite[finite.argmin()]:
            return None
        x = inputs(x)
        if noise is None:
            return finish(mode(x))
        u = np.asarray(noise)
        if u.shape != n_draws:
            return None
        return finish(draw(x, u))

    return act


def _never(obs: Any, noise: Any) -> None:
    return None


def _inputs(program: Program) -> Step:
    """From an observation to what the function gets."""
    dtype, normaliser = program.numbers.dtype, program.policy.normaliser
    if normaliser is None:
        return lambda x: x.astype(dtype, copy=False)
    mean, std, bound = normaliser.mean, normaliser.std, normaliser.bound
    low, high = np.full_like(mean, -bound), np.full_like(mean, bound)

    def normalised(x: Array) -> Array:
        z = (x - mean) / std
        return np.minimum(np.maximum(z, low), high).astype(dtype, copy=False)

    return normalised


def _columns(program: Program, first: int, last: int) -> Step:
    """Columns first … last − 1 of y of an input (d,), by the parts that give them alone if these can be told apart."""
    parts = [p for p in program.parts if first <= p.first and p.last <= last]
    if sum(p.last - p.first for p in parts) < last - first:
        whole = _columns(program, 0, program.n_y)
        return lambda x: whole(x)[first:last]
    steps = [_chain(program, p) if isinstance(p, Chain) else _numbers(program, p) for p in parts]
    if len(steps) == 1:
        return steps[0]
    return lambda x: np.concatenate([step(x) for step in steps])


def _chain(program: Program, chain: Chain) -> Step:
    layers = [(*program.weights(layer), ACTIVATIONS[layer.activation].value) for layer in chain.layers]

    def y(x: Array) -> Array:
        for W, b, activation in layers:
            z = x.dot(W)
            if b is not None:
                z += b
            x = activation(z)
        return x

    return y


def _numbers(program: Program, part: Numbers) -> Step:
    numbers = program.numbers[part.at : part.at + part.n]
    return lambda x: numbers


def _draws(program: Program) -> tuple[Callable[[Array], Any], Callable[[Array, Array], Any]]:
    """The latent action for an input (d,): the mode, and that which noise leads to."""
    (head,) = program.heads
    n = head.n
    if head.kind == "gaussian":
        mean, log_std = _columns(program, 0, n), _columns(program, n, 2 * n)
        return (
            lambda x: mean(x).astype(np.float64),
            lambda x, u: (mean(x) + np.exp(log_std(x)) * u).astype(np.float64, copy=False),
        )
    y = _columns(program, 0, n)
    if head.kind == "bernoulli":
        draw = program.policy.distribution.draw
        return lambda x: y(x) > 0, lambda x, u: draw(y(x), u)

    def drawn(x: Array, u: Array) -> Any:
        logits = y(x)
        total = np.exp(logits - logits[logits.argmax()]).cumsum()  # Σ_{j≤i} p_j times a constant
        return total[:-1].searchsorted(u[0] * total[-1], "right")  # how many are at most u · total

    return lambda x: y(x).argmax(), drawn


def _finish(program: Program) -> Callable[[Any], Any]:
    """From the latent action to the environment's."""
    space: Any = program.policy.action_space
    action_map = program.policy.action_map
    if isinstance(space, Discrete):
        start = int(action_map(np.array(0)))
        return lambda a: int(a) + start
    shape, dtype = space.shape, np.dtype(space.dtype)
    if isinstance(action_map, Clip):
        low, high = np.array(action_map.low), np.array(action_map.high)
        return lambda a: np.minimum(np.maximum(a, low), high).astype(dtype).reshape(shape)
    return lambda a: action_map(a).astype(dtype).reshape(shape)
