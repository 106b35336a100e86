"""A policy for given spaces in one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import spaces
from ..distributions import Bernoulli, Categorical, DiagonalGaussian, Distribution, FullGaussian, Product
from ..errors import InvalidInput, UnknownName, UnsupportedSpace
from ..functions import MLP, Concatenated, Constant, Fixed, Function, Linear, Recurrent, Stacked
from ..spaces import Space
from ..validation import require_in
from .action_maps import ActionMap, Bounds, Clip, Identity, Offset, Rescale, Tanh
from .composed import ComposedPolicy

__all__ = ["POLICIES", "make_policy"]

POLICIES = {
    "linear": "y = x W + b",
    "mlp": "hidden layers, two of 64 tanh units by default",
    "recurrent": "a small recurrent cell, for observations that hide part of the state",
}
STDS = ("shared", "state", "fixed", "full")
SQUASHES: dict[str, Callable[[Bounds, Bounds], ActionMap]] = {"clip": Clip, "tanh": Tanh, "rescale": Rescale}


def make_policy(
    env: Any,
    kind: str = "linear",
    *,
    hidden: tuple[int, ...] = (64, 64),
    activation: str = "tanh",
    bias: bool = True,
    window: int = 1,
    std: str = "shared",
    log_std_init: float = 0.0,
    action_map: str = "clip",
    masked: bool = False,
) -> ComposedPolicy:
    """A policy that fits an environment's spaces.

    Observations are flattened as Gymnasium does it (discrete ones become one-hot). Discrete actions get a softmax of
    f_θ(o), MultiDiscrete ones a product of softmaxes, MultiBinary ones Bernoullis, Box ones a Gaussian around f_θ(o).

    Parameters
    ----------
    env : environment, rollout, or pair of spaces
        Anything with `observation_space` and `action_space`, or a tuple of the two; Gymnasium's spaces or npgrad's.
    kind : {"linear", "mlp", "recurrent"}, optional
        f.
    hidden : tuple of int, optional
        Units of an MLP's hidden layers; the first is the size of a recurrent cell.
    activation : {"tanh", "relu", "identity"}, optional
        Of an MLP's hidden layers.
    bias : bool, optional
        Whether a linear f has a b; where the best action turns around with the observation, as a pole's does, it is
        one thing less to learn.
    window : int, optional
        f sees that many of the last observations.
    std : {"shared", "state", "fixed", "full"}, optional
        Of a Gaussian: log σ learned but the same for all observations, a function of the observation like the mean, not
        learned, or a learned full covariance by its Cholesky factor.
    log_std_init : float, optional
        log σ at the start.
    action_map : {"clip", "tanh", "rescale"}, optional
        How Box actions come within their bounds.
    masked : bool, optional
        The last columns of obs are a mask over discrete actions.

    Raises
    ------
    UnknownName
        If there is no such kind of policy.
    UnsupportedSpace
        If there is no policy for a space.
    InvalidInput
        If an option does not fit the space.

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
    require_in("std", std, STDS)
    require_in("action_map", action_map, tuple(SQUASHES))
    observation_space, action_space = spaces_of(env)
    d = spaces.flat_dim(observation_space) * window

    def f(n_out: int) -> Function:
        if kind == "linear":
            return Linear(d, n_out, bias=bias)
        if kind == "recurrent":
            return Recurrent(d, n_out, n_hidden=hidden[0])
        return MLP(d, n_out, hidden=hidden, activation=activation)

    distribution, mapped = _discrete(action_space)
    if distribution is not None:
        function = f(distribution.n_y)
    elif isinstance(action_space, spaces.Box) and np.dtype(action_space.dtype).kind == "f":
        k = int(np.prod(action_space.shape))
        low, high = (
            tuple(np.broadcast_to(np.reshape(bound, -1), k).astype(float).tolist())
            for bound in (action_space.low, action_space.high)
        )
        mapped = SQUASHES[action_map](low, high)
        distribution, function = _gaussian(f, k, d, std, log_std_init)
    else:
        raise UnsupportedSpace(
            f"actions {action_space}: expected Discrete, MultiDiscrete, MultiBinary or a Box of floats; "
            "wrap the environment so that its actions are one of these"
        )
    if masked and not isinstance(distribution, Categorical):
        raise InvalidInput(f"masked=True takes Discrete actions, got {action_space}")
    n_masked = distribution.n_y if masked else 0
    function = Stacked(function, window) if window > 1 else function
    return ComposedPolicy(function, distribution, observation_space, action_space, mapped, n_masked=n_masked)


def _discrete(space: Space) -> tuple[Distribution | None, ActionMap]:
    match space:
        case spaces.Discrete():
            return Categorical(space.n), Offset(space.start) if space.start else Identity()
        case spaces.MultiDiscrete():
            start = tuple(np.broadcast_to(np.reshape(space.start, -1), len(space.nvec)).astype(int).tolist())
            return Product(tuple(map(Categorical, space.nvec))), Offset(start) if any(start) else Identity()
        case spaces.MultiBinary():
            return Bernoulli(int(np.prod(space.shape))), Identity()
        case _:
            return None, Identity()


def _gaussian(f: Any, k: int, d: int, std: str, log_std: float) -> tuple[Distribution, Function]:
    """The distribution over y = (μ, log σ), or (μ, log diag L, L), and the function that gives y."""
    if std == "full":
        below = k * (k - 1) // 2  # entries of L below its diagonal
        start = (log_std,) * k + (0.0,) * below
        return FullGaussian(k), Concatenated((f(k), Constant(d, k + below, start)))
    if std == "state":
        return DiagonalGaussian(k), f(2 * k)
    sigma: Function = Constant(d, k, log_std) if std == "shared" else Fixed(d, (log_std,) * k)
    return DiagonalGaussian(k), Concatenated((f(k), sigma))


def spaces_of(env: Any) -> tuple[Space, Space]:
    """The observation and action space of one environment: of a vector environment, the single ones."""
    if isinstance(env, tuple) and len(env) == 2:
        pair = env
    elif hasattr(env, "single_observation_space"):
        pair = env.single_observation_space, env.single_action_space
    elif hasattr(env, "observation_space") and hasattr(env, "action_space"):
        pair = env.observation_space, env.action_space
    else:
        raise InvalidInput(f"{env!r} has no observation_space and action_space; pass an environment or two spaces")
    first, second = (s if isinstance(s, Space) else spaces.from_gymnasium(s) for s in pair)
    return first, second
