"""A policy for given spaces in one call."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import spaces
from ..distributions import Categorical, DiagonalGaussian
from ..errors import InvalidInput, UnknownName, UnsupportedSpace
from ..functions import MLP, Concatenated, Constant, Fixed, Function, Linear
from ..spaces import Space
from .action_maps import ActionMap, Clip, Identity, Offset
from .composed import ComposedPolicy

__all__ = ["POLICIES", "make_policy"]

POLICIES = {
    "linear": "y = x W + b: softmax over actions, or Gaussian with a learned σ",
    "mlp": "two hidden layers of tanh units under the same distributions",
}


def make_policy(
    env: Any,
    kind: str = "linear",
    *,
    hidden: tuple[int, ...] = (64, 64),
    activation: str = "tanh",
    log_std_init: float = 0.0,
    learn_std: bool = True,
) -> ComposedPolicy:
    """A policy that fits an environment's spaces.

    Discrete actions get a softmax of f_θ(o); Box actions a Gaussian with mean f_θ(o) and log σ shared by all
    observations, clipped to the bounds on its way to the environment.

    Parameters
    ----------
    env : environment, rollout, or pair of spaces
        Anything with `observation_space` and `action_space`, or a tuple of the two; Gymnasium's spaces or npgrad's.
    kind : {"linear", "mlp"}, optional
        f.
    hidden : tuple of int, optional
        Units of an MLP's hidden layers.
    activation : {"tanh", "relu", "identity"}, optional
        Of an MLP's hidden layers.
    log_std_init : float, optional
        log σ at the start.
    learn_std : bool, optional
        Whether σ is learned.

    Raises
    ------
    UnknownName
        If there is no such kind of policy.
    UnsupportedSpace
        If there is no policy for a space.

    Examples
    --------
    >>> from npgrad.spaces import Box, Discrete
    >>> policy = make_policy((Box(-1.0, 1.0, (4,), "float32"), Discrete(2)), "linear")
    >>> policy.n_params
    10
    >>> make_policy((Box(-1.0, 1.0, (4,), "float32"), Box(-2.0, 2.0, (1,), "float32")), "mlp", hidden=(8,)).n_params
    50
    """
    if kind not in POLICIES:
        raise UnknownName("policy", kind, POLICIES)
    observation_space, action_space = spaces_of(env)
    d = spaces.flat_dim(observation_space)

    def f(n_out: int) -> Function:
        return Linear(d, n_out) if kind == "linear" else MLP(d, n_out, hidden=hidden, activation=activation)

    if isinstance(action_space, spaces.Discrete):
        offset: ActionMap = Offset(action_space.start) if action_space.start else Identity()
        n = action_space.n
        return ComposedPolicy(f(n), Categorical(n), observation_space, action_space, offset)
    if isinstance(action_space, spaces.Box):
        if len(action_space.shape) != 1 or np.dtype(action_space.dtype).kind != "f":
            raise UnsupportedSpace(f"actions {action_space}: expected a flat Box of floats; wrap the environment so")
        k = action_space.shape[0]
        log_std = Constant(d, k, log_std_init) if learn_std else Fixed(d, (log_std_init,) * k)
        low, high = (tuple(np.broadcast_to(b, k).astype(float).tolist()) for b in (action_space.low, action_space.high))
        mean_and_log_std = Concatenated((f(k), log_std))
        return ComposedPolicy(mean_and_log_std, DiagonalGaussian(k), observation_space, action_space, Clip(low, high))
    raise UnsupportedSpace(f"actions {action_space}: expected Discrete or Box; there is no policy for it yet")


def spaces_of(env: Any) -> tuple[Space, Space]:
    """The observation and action space of one environment: of a vector environment, the single ones."""
    if isinstance(env, tuple) and len(env) == 2:
        pair = env
    elif hasattr(env, "single_observation_space"):
        pair = env.single_observation_space, env.single_action_space
    elif hasattr(env, "observation_space") and hasattr(env, "action_space"):
        pair = env.observation_space, env.action_space
    else:
        raise InvalidInput(
            f"{env!r} has no observation_space and action_space; pass an environment or a pair of spaces"
        )
    first, second = (s if isinstance(s, Space) else spaces.from_gymnasium(s) for s in pair)
    return first, second
